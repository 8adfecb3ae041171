#include "model/catalog.h"

const struct catalog_entry *catalog_find(const struct catalog *catalog, struct str name) {
    for (size_t i = 0; i < catalog->count; i++)
        if (str_eq(catalog->entries[i].name, name)) return &catalog->entries[i];
    return NULL;
}

const struct catalog_action *catalog_action(const struct catalog_entry *entry, struct str name) {
    for (size_t i = 0; i < entry->action_count; i++)
        if (str_eq(entry->actions[i].name, name)) return &entry->actions[i];
    return NULL;
}
