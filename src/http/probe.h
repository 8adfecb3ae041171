/* http/probe.h - what some paths answer without the loop: the text that was last
 * published there, unless the loop stands still, which it cannot say itself:
 * then /readyz says so whatever was published. /metrics gets the age of the
 * turn at hand added. Private to this room.
 * Thread: publish and turn from the loop's, answer from the listener's.
 */
#ifndef HTTP_PROBE_H
#define HTTP_PROBE_H

#include "base/arena.h"
#include "world.h"

struct probes;
struct probe_answer {
    int status;
    struct str content_type, text; /* in the arena */
};

struct probes *probes_new(const struct clock *clock);
void probes_free(struct probes *probes);
/* The texts are copied. */
void probes_publish(struct probes *probes, struct str path, const struct probe_answer *answer);
/* The loop begins a turn, or is about to wait. */
void probes_turn(struct probes *probes, bool at_work);
/* What this path answers; false when nothing is published there. */
bool probes_answer(struct probes *probes, struct str path, struct arena *arena, struct probe_answer *ret_answer);

#endif
