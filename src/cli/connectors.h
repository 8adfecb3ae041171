/* cli/connectors.h - connectors as pages for people: what a destination may set,
 * what its actions take, and what is done where an outcome is unknown. */
#ifndef CLI_CONNECTORS_H
#define CLI_CONNECTORS_H

#include "model/catalog.h"

/* {"name","about","docs","checked","settings":[...],"limits":[...],"concurrency","actions":[...]}; the caller's to
 * free. */
struct json *connector_json(struct arena *arena, const struct catalog_entry *entry);
/* docs/providers.md: the actions in order of how well an unknown outcome can be settled. */
struct str connectors_reference(struct arena *arena, const struct catalog *catalog);

#endif
