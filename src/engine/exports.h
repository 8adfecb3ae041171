/* engine/exports.h - spans and numbers on their way to a collector.
 *
 * Each kind is put together as one body, outside of the transaction, and carried by an errand of the reserve: no more
 * of a kind than one at a time. A collector that is down, slow or talks nonsense costs what it was sent: a body is
 * tried EXPORT_TRIES times, with waits that grow, while spans that come meanwhile fill the queue and then are counted
 * as dropped. No event and no delivery waits for any of it. Private to the loop's own files. Thread: the loop's.
 */
#ifndef ENGINE_EXPORTS_H
#define ENGINE_EXPORTS_H

#include "base/err.h"
#include "observe/otel.h"

#define EXPORT_TRIES 5
#define EXPORT_BATCH 512 /* spans that do not wait for their time */

struct exports;
struct loop;
struct turn;
struct visit;

/* NULL when nothing is to be sent. The options outlive it. */
struct exports *exports_new(const struct otel_options *options, int64_t now_us);
void exports_free(struct exports *exports);
struct tracer *exports_tracer(const struct exports *exports); /* NULL: nothing is traced */

/* Before the transaction: puts together what is due. */
void exports_gather(struct turn *turn);
/* In the transaction, behind all other work: errands for what is due. */
void exports_run(struct turn *turn);
int64_t exports_next(const struct loop *loop); /* when the loop must wake for them */
/* Whether something is left to send before a stop is complete: each kind gets one try. */
bool exports_are_left(const struct loop *loop);

/* The owner's (errand.h). */
struct answer;
struct errand;
MUST_USE enum err exports_settle(struct turn *turn, const struct errand *errand, const struct answer *answer);
void exports_settled(struct turn *turn, const struct errand *errand);

struct export_counts {
    uint64_t sent, failed; /* bodies that were taken, and those that were given up */
};
struct export_counts exports_counts(const struct exports *exports, enum otel_signal signal);

/* ---- spans.c: what a turn did, as spans. After the commit. ---- */
void spans_settled(struct turn *turn); /* while the errands are still there */
void spans_routed(struct turn *turn);  /* before the replies, with which requests and the texts of their events end */
void spans_taken(struct turn *turn, const struct visit *visit); /* likewise, once it is known what is replied */
/* The trace of an event, as the example of a time that was measured; none where it is not kept. */
struct metric_example span_example(struct turn *turn, const struct event *event);

#endif
