/* base/arena.c - see arena.h. Blocks begin at 4 KiB and double up to 1 MiB, so
 * that a small arena costs one small malloc and a large one few. */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN_BYTES ((size_t)4096)
#define BLOCK_MAX_BYTES ((size_t)1 << 20)
/* One allocation; a larger one is an arithmetic mistake of the caller. */
#define ALLOC_MAX_BYTES ((size_t)1 << 40)

struct arena_block {
    struct arena_block *older;
    size_t room, used;
    alignas(max_align_t) unsigned char bytes[];
};

static struct arena_block *block_new(size_t room) {
    struct arena_block *block = malloc(sizeof *block + room);
    if (!block) abort();
    block->older = NULL;
    block->room = room;
    block->used = 0;
    return block;
}

/* Adds a block with at least size bytes left. If it would have less left afterwards than the block in use has, it goes
 * behind that one, so that the larger rest stays in use. */
static struct arena_block *arena_grow(struct arena *arena, size_t size) {
    struct arena_block *head = arena->head;
    size_t room = head ? head->room * 2 : BLOCK_MIN_BYTES;
    if (room > BLOCK_MAX_BYTES) room = BLOCK_MAX_BYTES;
    if (room < size) room = size;
    struct arena_block *block = block_new(room);
    if (head && room - size < head->room - head->used) {
        block->older = head->older;
        head->older = block;
    } else {
        block->older = head;
        arena->head = block;
    }
    return block;
}

void *arena_take(struct arena *arena, size_t size) {
    const size_t align = alignof(max_align_t);
    assert(size <= ALLOC_MAX_BYTES);
    size = size ? (size + align - 1) / align * align : align;
    struct arena_block *block = arena->head;
    if (!block || block->room - block->used < size) block = arena_grow(arena, size);
    void *taken = block->bytes + block->used;
    block->used += size;
    arena->used_bytes += size;
    return taken;
}

void *arena_alloc(struct arena *arena, size_t size) {
    return memset(arena_take(arena, size), 0, size);
}

void *arena_copy(struct arena *arena, const void *from, size_t size) {
    void *copy = arena_take(arena, size);
    if (size) memcpy(copy, from, size);
    return copy;
}

void arena_reset(struct arena *arena) {
    struct arena_block *kept = NULL;
    for (struct arena_block *block = arena->head, *older; block; block = older) {
        older = block->older;
        struct arena_block *loser = block;
        if (block->room <= BLOCK_MAX_BYTES && (!kept || kept->room < block->room)) {
            loser = kept;
            kept = block;
        }
        free(loser);
    }
    if (kept) {
        kept->older = NULL;
        kept->used = 0;
    }
    *arena = (struct arena){.head = kept};
}

void arena_free(struct arena *arena) {
    for (struct arena_block *block = arena->head, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    *arena = ARENA_EMPTY;
}
