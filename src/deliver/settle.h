/* deliver/settle.h - what becomes of a delivery after an attempt. Pure.
 *
 * Sends:
 *   done       COMPLETED, also when the provider had it already.
 *   retry      Fast lane: backoff (deliver/backoff.h) up to retry.max; then the
 *              slow lane, every hour, until give_up after the first due moment;
 *              then FAILED, or HELD after an unknown attempt: a replay could
 *              double its effect, or where the outcome says that a person
 *              decides. give_up 0 = no slow lane. A moment named by the provider,
 *              clamped to [1 s, 24 h] from now, may only be later than the
 *              backoff, and in the slow lane than the hour.
 *   throttled  With a moment named it spends no retry while that is before the
 *              end of give_up, for the first 100 attempts; else as retry.
 *   failed     FAILED, also after an unknown attempt: a definite answer. One
 *              that was refused here and never left is none: HELD then.
 *   paused     (the account is refused) PENDING, nothing spent; due now, or behind
 *              the others where two refusals were needed to tell.
 *   refused    (by 403 or 410, and no other delivery was) HELD.
 *   unsent     As it was, nothing spent; due now, or at a moment that is named.
 *   unknown    By policy. lookup: UNKNOWN, due when the settle time is over.
 *              retry: as a retry, under the same key, while the provider still
 *              keeps the key then; a provider that keeps none is sent to again
 *              only on the destination's own word. hold: HELD. When a resend is
 *              not possible: a lookup where there is one, else HELD. Never
 *              FAILED: the effect may exist.
 * Lookups (a delivery found UNKNOWN):
 *   done       COMPLETED.
 *   absent     Before the settle time is over: UNKNOWN until then. After it:
 *              PENDING, due now, one retry spent; FAILED when none is left.
 *   else       UNKNOWN again, with the lanes of a retry; then HELD.
 * Nothing is sent after late_us: what would be is HELD.
 */
#ifndef DELIVER_SETTLE_H
#define DELIVER_SETTLE_H

#include "deliver/backoff.h"
#include "model/delivery.h"
#include "model/exchange.h"

/* How the error of one that was refused alone ends, and how it reads once others are refused too. */
#define SETTLE_LONE   "no other delivery is refused: look at what this one sends, then retry or cancel it"
#define SETTLE_SHARED "others are refused too, and the destination is paused: retry it when it is taken again"

struct settled {
    enum delivery_status status;
    int64_t due_us;
    int32_t retry_count;
    int64_t first_sent_us;  /* of the first attempt that may have reached the provider under its key; 0 = none */
    struct str last_error;  /* for HELD: what a person must know and do */
    bool counts_as_trouble; /* the breaker's view */
    bool counts_as_good;    /* neither: the breaker does not look */
    bool in_doubt;          /* this attempt or an earlier one may have had its effect */
    bool keep_batch; /* the set stays frozen, to be sent again as it was. A caller whose set came to different ends
                        clears it for those that had no effect */
    bool apart;      /* the call was refused for several: its set goes again in two */
};
/* What becomes of a delivery that was claimed. `delivery` is as it was claimed; the texts are in the arena. */
struct settled settle_outcome(const struct delivery *delivery, const struct outcome *outcome,
                              const struct destination_settings *settings, int64_t now_us, struct rng *rng,
                              struct arena *arena);
/* Whether a lookup may tell what came of a delivery in doubt. A destination that says `on_unknown: hold` wants a person
 * to decide, who may ask for one all the same. */
bool settle_can_look_up(const struct destination_settings *settings, struct str action, bool by_person);
/* Claimed after the end of give_up, without an attempt: FAILED, or HELD where it may have had its effect. */
struct settled settle_overdue(const struct delivery *delivery, const struct destination_settings *settings,
                              struct arena *arena);
/* Claimed as one of a set that cannot go again as it was. It goes alone, or is HELD where it may have had its effect.
 */
struct settled settle_parted(const struct delivery *delivery, const struct destination_settings *settings,
                             int64_t now_us, struct arena *arena);
/* The delivery as it stands, with another status: for what becomes of it without an attempt. */
struct settled settled_as(const struct delivery *delivery, enum delivery_status status);
/* Whether a call for several that was refused is cut in two, so that it will turn out which of them is to blame. */
bool settle_goes_apart(const struct delivery *delivery, const struct outcome *outcome,
                       const struct destination_settings *settings, int64_t now_us);
/* The policy in force for this action: the destination's word where the action can follow it, else the connector's. */
enum on_unknown settle_policy(const struct destination_settings *settings, struct str action);

#endif
