/* base/arena.h - memory that ends together.
 *
 * One arena per unit of work: a request, a turn, a configuration. Allocation
 * never fails softly: out of memory ends the process, because what a turn may
 * take is bounded before it starts. Nothing is freed alone.
 * Thread: an arena belongs to one thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* the block in use, newest first */
    size_t used_bytes;        /* handed out since the last reset */
};

/* An arena of zeros is ready for use; there is no init. */
#define ARENA_EMPTY ((struct arena){0})

/* size bytes, zeroed, aligned for any type. size 0 gives a unique pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* Likewise, but with whatever is there: for what is written over at once. */
void *arena_take(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *from, size_t size);

/* Forget everything; keeps the largest block (up to 1 MiB) for the next use. */
void arena_reset(struct arena *arena);
/* Forget everything and give the memory back. */
void arena_free(struct arena *arena);

#define arena_new(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

#endif
