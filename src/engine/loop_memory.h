/* engine/loop_memory.h - what the loop reads from the store at its start and, where
 * others change it too, again. Private to the loop's own files. */
#ifndef ENGINE_LOOP_MEMORY_H
#define ENGINE_LOOP_MEMORY_H

#include "engine/turn.h"
#include "store/memory.h"

/* A destination's lasting state, as a desk has it. */
struct desk_view loop_desk_view(const struct destination_state *state, const struct destination_settings *settings,
                                int64_t now_us);
/* Reads which routes are stopped, by this process or another. */
MUST_USE enum err loop_read_stops(struct loop *loop, int64_t now_us, struct arena *arena);
/* Reads the starts that limits still count, for desks from first_desk on. */
MUST_USE enum err loop_read_sends(struct loop *loop, size_t first_desk, int64_t now_us, struct arena *arena);
MUST_USE enum err loop_count_open(struct loop *loop, struct arena *arena);

/* Reads, in a transaction, what a start or a change of configuration left to read. */
MUST_USE enum err loop_read_memory(struct loop *loop);

/* folders.c: what is known of files is forgotten. */
void folders_close(struct loop *loop);

#endif
