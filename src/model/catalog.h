/* model/catalog.h - what the connectors offer, as config must know it to check
 * names: the fields a destination takes and the actions with their parameters. */
#ifndef MODEL_CATALOG_H
#define MODEL_CATALOG_H

#include "base/str.h"

struct catalog_name {
    struct str name;
    bool required;
    bool secret; /* fields only: never printed */
    struct str help;
};
struct catalog_action {
    struct str name;
    struct catalog_name *params;
    size_t param_count;
};
struct catalog_entry {
    struct str name; /* connector, as in `type:` */
    struct catalog_name *fields;
    size_t field_count;
    struct catalog_action *actions;
    size_t action_count;
};
struct catalog {
    struct catalog_entry *entries;
    size_t count;
};

const struct catalog_entry *catalog_find(const struct catalog *catalog, struct str name);
const struct catalog_action *catalog_action(const struct catalog_entry *entry, struct str name);

#endif
