/* base/map.h - text to pointer, in an arena; insertion order is kept, so that
 * walking a map is the same in every run. Keys are borrowed. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot {
    struct str key;
    void *value;
};

struct map {
    struct arena *arena;    /* must be set before the first map_set */
    struct map_slot *slots; /* count of them, in insertion order; may be read directly */
    size_t count, room;
    uint32_t *index;
    size_t index_room;
};

void *map_get(const struct map *map, struct str key); /* NULL when absent */
/* Adds or replaces; the value must not be NULL. */
void map_set(struct map *map, struct str key, void *value);

#endif
