/* base/map.c - see map.h. Open addressing over slot numbers; the index is kept
 * at most half full, so a probe always ends. */
#include "base/map.h"

#include "base/arena.h"

#include <assert.h>
#include <string.h>

#define INDEX_MIN ((size_t)16)

/* FNV-1a with a last stir, because the index uses the low bits. */
static size_t key_hash(struct str key) {
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < key.n; i++) hash = (hash ^ (uint8_t)key.p[i]) * 0x100000001b3U;
    return (size_t)(hash ^ (hash >> 32));
}

/* The index cell that holds the key's slot number + 1, or the empty cell (0) where it belongs. */
static uint32_t *map_cell(const struct map *map, struct str key) {
    size_t mask = map->index_room - 1;
    size_t at = key_hash(key) & mask;
    while (map->index[at] && !str_eq(map->slots[map->index[at] - 1].key, key)) at = (at + 1) & mask;
    return &map->index[at];
}

static void map_grow(struct map *map) {
    size_t room = map->room ? map->room * 2 : INDEX_MIN / 2;
    assert(room <= UINT32_MAX / 2);
    struct map_slot *slots = arena_array(map->arena, struct map_slot, room);
    if (map->count) memcpy(slots, map->slots, map->count * sizeof *slots);
    map->slots = slots;
    map->room = room;
    map->index_room = room * 2;
    map->index = arena_array(map->arena, uint32_t, map->index_room);
    for (size_t i = 0; i < map->count; i++) *map_cell(map, map->slots[i].key) = (uint32_t)i + 1;
}

void *map_get(const struct map *map, struct str key) {
    if (!map->count) return NULL;
    uint32_t number = *map_cell(map, key);
    return number ? map->slots[number - 1].value : NULL;
}

void map_set(struct map *map, struct str key, void *value) {
    assert(map->arena && value);
    if (map->count == map->room) map_grow(map);
    uint32_t *cell = map_cell(map, key);
    if (*cell) {
        map->slots[*cell - 1].value = value;
        return;
    }
    map->slots[map->count++] = (struct map_slot){key, value};
    *cell = (uint32_t)map->count;
}
