/* http/probe.h - what some paths answer without the loop: the text that was last
 * published there, unless the loop stands still, which it cannot say itself:
 * then /readyz says so whatever was published. /metrics is answered in the form
 * that Accept asks for (OpenMetrics, else the plain text), gets the age of the
 * turn at hand added, and the loop is told that somebody looks, so that the
 * next look finds newer numbers. Private to this room.
 * Thread: publish and turn from the loop's, answer from the listener's.
 */
#ifndef HTTP_PROBE_H
#define HTTP_PROBE_H

#include "base/arena.h"
#include "base/gauge.h"
#include "world.h"

/* Under this path the same numbers as OpenMetrics are published, without their last line. No request can name it. */
#define PROBE_OPEN_METRICS "/metrics openmetrics"

struct probes;
struct wake;
struct probe_answer {
    int status;
    struct str content_type, text; /* in the arena */
};

struct probes *probes_new(const struct clock *clock, struct wake *wake);
void probes_free(struct probes *probes);
/* The texts are copied. */
void probes_publish(struct probes *probes, struct str path, const struct probe_answer *answer);
/* The loop begins a turn, or is about to wait. */
void probes_turn(struct probes *probes, bool at_work);
/* What this path answers; false when nothing is published there. accept: the request's header, or "". */
bool probes_answer(struct probes *probes, struct str path, struct str accept, struct arena *arena,
                   struct probe_answer *ret_answer);
/* Whether /metrics was asked for since the last call. */
bool probes_were_asked(struct probes *probes);
/* The age of the turn at hand, which only this room can tell. */
extern const struct gauge probe_gauge;

#endif
