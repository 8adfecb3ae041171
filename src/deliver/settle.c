/* deliver/settle.c - see settle.h, which says for each class of outcome what becomes of the delivery.
 *
 * WHAT. Decides from one attempt's outcome whether a delivery is done, tried again, looked up, given up or held.
 * PROMISE. A delivery that may have had its effect is never sent again unless the destination's policy allows it, and
 * it never becomes FAILED without a definite answer. Every delivery ends: no path tries again for ever. What nobody can
 * decide is HELD with words that say what a person must look at.
 * WHY IT HOLDS.
 * 1. Each class has one rule in a table, one table for sends and one for lookups. A rule starts from "as it was, due
 *    now" and fills in what differs. An outcome without a rule is a fault of the program and ends it (assert).
 * 2. Doubt is a fact of the delivery and not of the attempt: in_doubt stays set until a definite answer came (done, a
 *    refusal with an HTTP status, or a lookup that found nothing after the settle time). give_up and fail look at it
 * and hold instead of failing, because FAILED invites a replay and a replay could double the effect.
 * 3. A resend in doubt goes out under the same key. key_holds lets it only while the provider still knows the key at
 *    the moment of the resend, not at the moment of the decision.
 * 4. Whatever makes a delivery due again goes through next_try_us, which spends a retry, or stays within give_up. The
 *    one exception spends nothing, when the provider throttles and names a moment; THROTTLED_FREE_MAX bounds it. A
 *    refused account and an unsent request spend nothing either, and wait for what is not the delivery's own.
 * 5. A moment that the provider names is clamped to [NAMED_MIN_US, NAMED_MAX_US] and can only make the wait longer, so
 *    a wrong header neither hammers the provider nor parks a delivery for years.
 * 6. Nothing becomes due after late_us: pend holds it instead.
 * 7. delivery_move refuses an illegal step, and the caller writes the result only under the claim's epoch.
 * WHAT BREAKS IT. An outcome of class RETRY for bytes that had begun to leave: it would be sent again without doubt
 * (connect/verdict.c decides the class). A connector that promises a longer life of its key than the provider keeps.
 * HOW TO SEE IT. The log lines delivery_failed and delivery_held; last_error, retry_count and in_doubt of
 * `drumbeat deliveries show`; drumbeat_attempts_total.
 * TESTED BY. test/unit/deliver/test_settle.c and test_settle_doubt.c; the scenarios retry-*, slow-lane,
 * give-up-ends-the-slow-lane, no-slow-lane, unknown-*, lookup-*, late-*, key-life; the invariants I7, I9 and I12 with
 * the planted bugs unknown-resent-under-hold, never-gives-up and refusal-opens-breaker.
 */
#include "deliver/settle.h"

#include "base/when.h"

#include <assert.h>

#define NAMED_MIN_US       US_PER_S
#define NAMED_MAX_US       (24 * US_PER_HOUR)
#define SLOW_LANE_US       US_PER_HOUR
#define THROTTLED_FREE_MAX 100 /* attempts: a provider that throttles for ever is not asked every second */

#define DOUBT "it may have been delivered: look there, then resolve it as delivered, not-delivered or retry"

struct trial {
    const struct delivery *delivery;
    const struct outcome *outcome;
    const struct destination_settings *settings;
    const struct action_traits *traits; /* NULL: the action is no longer there */
    int64_t now_us, finished_us;
    struct rng *rng;
    struct arena *arena;
};
typedef void settle_rule(const struct trial *trial, struct settled *settled);

/* at_us + span_us. A sum that overflows is WHEN_NEVER, and so WHEN_NEVER plus anything stays WHEN_NEVER. */
static int64_t after(int64_t at_us, int64_t span_us) {
    int64_t sum_us;
    return __builtin_add_overflow(at_us, span_us, &sum_us) ? WHEN_NEVER : sum_us;
}

/* When to try again. */

/* The moment that the provider named for the next try, or 0. */
static int64_t named_us(const struct trial *trial) {
    const struct outcome *outcome = trial->outcome;
    int64_t at_us = outcome->not_before_us;
    if (outcome->throttled && outcome->quiet_until_us > at_us) at_us = outcome->quiet_until_us;
    if (!at_us) return 0;
    int64_t low_us = trial->now_us + NAMED_MIN_US, high_us = trial->now_us + NAMED_MAX_US;
    return at_us < low_us ? low_us : at_us > high_us ? high_us : at_us;
}

static bool within_give_up(const struct trial *trial, int64_t due_us) {
    int64_t span_us = trial->settings->give_up_us;
    return span_us && due_us <= after(trial->delivery->first_due_us, span_us);
}

/* The moment of the next try, for which a retry is spent. WHEN_NEVER, and nothing is spent, when none is left. A
 * throttled delivery with a named moment spends none either: the provider told us to wait, it did not fail. */
static int64_t next_try_us(const struct trial *trial, struct settled *settled) {
    const struct retry_rule *rule = &trial->settings->retry;
    int64_t named = named_us(trial), due_us;
    if (named && trial->outcome->throttled && trial->delivery->attempts < THROTTLED_FREE_MAX &&
        within_give_up(trial, named))
        return named;
    if (settled->retry_count < rule->max) {
        due_us = trial->now_us + backoff_delay_us(rule, settled->retry_count, trial->rng);
        if (named > due_us) due_us = named; /* only later: a provider that always says "1 s" would burn all tries */
    } else {
        due_us = trial->now_us + SLOW_LANE_US;
        if (named > due_us) due_us = named;
        if (!within_give_up(trial, due_us)) return WHEN_NEVER;
    }
    settled->retry_count++;
    return due_us;
}

/* Ends. */

static bool is_late(const struct trial *trial, int64_t due_us) {
    return trial->delivery->late_us && due_us > trial->delivery->late_us;
}

static struct str late_text(const struct trial *trial) {
    return str_fmt(trial->arena, "late: was to leave by %.*s",
                   STR_ARG(when_str(trial->arena, trial->delivery->late_us)));
}

static void hold(const struct trial *trial, struct settled *settled, struct str why, const char *advice) {
    settled->status = DELIVERY_HELD;
    settled->last_error =
        str_fmt(trial->arena, "%.*s%s%.*s%s%s", STR_ARG(why), why.n && trial->outcome->error.n ? "; " : "",
                STR_ARG(trial->outcome->error), *advice ? "; " : "", advice);
}

static void pend(const struct trial *trial, struct settled *settled, int64_t due_us) {
    if (is_late(trial, due_us)) {
        hold(trial, settled, late_text(trial), "");
        return;
    }
    settled->status = DELIVERY_PENDING;
    settled->due_us = due_us;
}

/* Holds instead of failing. FAILED invites a replay, which could double the effect of the attempt whose end nobody
 * knows. */
static void hold_doubt(const struct trial *trial, struct settled *settled) {
    hold(trial, settled, STR("an earlier attempt may have had its effect"), DOUBT);
}

static struct str gave_up_text(const struct trial *trial, int32_t retries) {
    return str_fmt(trial->arena, "gave up after %d %s", (int)retries, retries == 1 ? "retry" : "retries");
}

/* Whether the provider will still know the key at due_us. An action without a key life has no such moment: then the
 * destination's own word, on_unknown: retry, decides alone. */
static bool key_holds(const struct trial *trial, int64_t first_sent_us, int64_t due_us) {
    int64_t life_us = trial->traits ? trial->traits->key_life_us : 0;
    if (!life_us) return trial->settings->on_unknown == ON_UNKNOWN_RETRY;
    return due_us < after(first_sent_us, life_us);
}

/* Whether a second time changes nothing, under whatever key it comes. */
static bool is_harmless_again(const struct trial *trial) {
    return trial->traits && trial->traits->natural && key_holds(trial, trial->delivery->first_sent_us, trial->now_us);
}

/* A call for several that the provider refused may owe it to one of them. So its set is cut in two, and the halves are
 * sent at once, under keys of their own: in the end what is to blame stands alone, and the others are done. It spends
 * no retry, because a set of n can be cut n - 1 times and no more. One of which a try before may have had its effect
 * stays whole, because under another key the provider could not tell; but not where a second time changes nothing. */
static bool can_be_cut(const struct trial *trial) {
    if (!trial->outcome->joint || !trial->outcome->http_status) return false;
    return !trial->delivery->first_sent_us || is_harmless_again(trial);
}

/* Under their new keys the halves were not tried. */
static bool goes_apart(const struct trial *trial, struct settled *settled) {
    if (!can_be_cut(trial)) return false;
    pend(trial, settled, trial->now_us);
    settled->apart = settled->status == DELIVERY_PENDING;
    if (!settled->apart) return true;
    settled->first_sent_us = 0;
    settled->last_error = str_fmt(trial->arena, "sent again apart, the call for several was refused: %.*s",
                                  STR_ARG(trial->outcome->error));
    return true;
}

static void give_up(const struct trial *trial, struct settled *settled) {
    if (settled->in_doubt) {
        hold_doubt(trial, settled);
        return;
    }
    if (trial->outcome->hold) {
        hold(trial, settled, gave_up_text(trial, settled->retry_count), "");
        return;
    }
    settled->status = DELIVERY_FAILED;
    if (settled->retry_count)
        settled->last_error = str_fmt(trial->arena, "%.*s: %.*s", STR_ARG(gave_up_text(trial, settled->retry_count)),
                                      STR_ARG(trial->outcome->error));
}

static void wait_for_lookup(struct settled *settled, int64_t due_us) {
    settled->status = DELIVERY_UNKNOWN;
    settled->due_us = due_us;
}

/* Rules for both. */

/* The delivery becomes what it was before its claim, with its last error where this attempt left none. */
static void put_back(const struct trial *trial, struct settled *settled) {
    if (!trial->outcome->error.n) settled->last_error = str_dup(trial->arena, trial->delivery->last_error);
    int64_t named = trial->outcome->unsent ? named_us(trial) : 0, due_us = named ? named : trial->now_us;
    if (trial->delivery->looking_up)
        wait_for_lookup(settled, due_us);
    else
        pend(trial, settled, due_us);
}

/* The account is refused. When it took a second delivery to tell, this one goes behind those that have not been tried,
 * so that one bad text is not the first to go at every probe. */
static void wait_for_account(const struct trial *trial, struct settled *settled) {
    put_back(trial, settled);
    if (trial->outcome->refused && settled->status == DELIVERY_PENDING)
        pend(trial, settled, after(trial->now_us, PAUSE_PROBE_US));
}

static void complete(const struct trial *trial, struct settled *settled) {
    (void)trial;
    settled->in_doubt = false;
    settled->status = DELIVERY_COMPLETED;
    settled->last_error = STR_NONE;
}

/* Rules for sends. */

static void fail(const struct trial *trial, struct settled *settled) {
    if (settled->in_doubt && !trial->outcome->http_status) {
        hold_doubt(trial, settled);
        return;
    }
    if (goes_apart(trial, settled)) return;
    settled->in_doubt = false;
    settled->status = DELIVERY_FAILED;
    if (trial->outcome->joint)
        settled->last_error =
            str_fmt(trial->arena, "%.*s; it is the answer to a call for several, perhaps for another one",
                    STR_ARG(trial->outcome->error));
}

static void retry(const struct trial *trial, struct settled *settled) {
    int64_t due_us = next_try_us(trial, settled);
    if (due_us == WHEN_NEVER)
        give_up(trial, settled);
    else
        pend(trial, settled, due_us);
}

/* Sends again without having looked, under the same key. False when that must not be done, with the reason. The retry
 * is spent in a copy, so that a refused resend costs nothing. */
static bool resend(const struct trial *trial, struct settled *settled, struct str *ret_why) {
    struct settled again = *settled;
    int64_t due_us = next_try_us(trial, &again);
    if (due_us == WHEN_NEVER) {
        *ret_why = again.retry_count ? gave_up_text(trial, again.retry_count) : STR_NONE;
        return false;
    }
    if (!key_holds(trial, again.first_sent_us, due_us)) {
        *ret_why = STR("the provider would no longer know it as the same");
        return false;
    }
    if (is_late(trial, due_us)) {
        *ret_why = late_text(trial);
        return false;
    }
    *settled = again;
    pend(trial, settled, due_us);
    return true;
}

static void doubt(const struct trial *trial, struct settled *settled) {
    settled->in_doubt = true;
    enum on_unknown policy = settle_policy(trial->settings, trial->delivery->action);
    struct str why = STR_NONE;
    if (policy == ON_UNKNOWN_RETRY && resend(trial, settled, &why)) return;
    if (policy != ON_UNKNOWN_HOLD && trial->traits && trial->traits->has_lookup)
        wait_for_lookup(settled, after(trial->finished_us, trial->traits->lookup_settle_us));
    else
        hold(trial, settled, why, DOUBT);
}

/* This delivery alone was refused. The next one will tell whether it is the account, and this one must not stand in its
 * way. */
static void hold_refused(const struct trial *trial, struct settled *settled) {
    if (goes_apart(trial, settled)) return;
    hold(trial, settled, STR_NONE, SETTLE_LONE);
}

/* Rules for lookups. A lookup that went wrong says nothing about the delivery, so it can only be repeated or held. */

static void look_again(const struct trial *trial, struct settled *settled) {
    bool possible = trial->traits && trial->traits->has_lookup;
    int64_t due_us = possible ? next_try_us(trial, settled) : WHEN_NEVER;
    if (due_us == WHEN_NEVER)
        hold(trial, settled, STR("could not be looked up"), DOUBT);
    else
        wait_for_lookup(settled, due_us);
}

/* The provider does not have it. Before the settle time is over that proves nothing: it may not show it yet. */
static void absent(const struct trial *trial, struct settled *settled) {
    int64_t settle_us = trial->traits ? trial->traits->lookup_settle_us : 0;
    int64_t certain_us = after(trial->delivery->first_sent_us, settle_us);
    if (trial->finished_us < certain_us) {
        wait_for_lookup(settled, certain_us);
        return;
    }
    settled->in_doubt = false;
    settled->last_error = STR("not found at the provider: was not delivered");
    if (settled->retry_count >= trial->settings->retry.max && !within_give_up(trial, trial->now_us)) {
        fail(trial, settled);
        return;
    }
    settled->retry_count++;
    pend(trial, settled, trial->now_us);
}

static settle_rule *const send_rules[OUTCOME_COUNT] = {
    [OUTCOME_DONE] = complete,
    [OUTCOME_RETRY] = retry,
    [OUTCOME_FAILED] = fail,
    [OUTCOME_UNKNOWN] = doubt,
};
static settle_rule *const lookup_rules[OUTCOME_COUNT] = {
    [OUTCOME_DONE] = complete,      [OUTCOME_RETRY] = look_again, [OUTCOME_FAILED] = look_again,
    [OUTCOME_UNKNOWN] = look_again, [OUTCOME_ABSENT] = absent,
};

/* An outcome that says nothing about how the destination is doing. */
static bool is_neutral(const struct outcome *outcome) {
    return outcome->unsent || outcome->pause || outcome->refused || outcome->throttled;
}

static bool is_trouble(const struct outcome *outcome) {
    return outcome->class == OUTCOME_RETRY || outcome->class == OUTCOME_UNKNOWN;
}

/* Whether the destination answered. A refusal that was made here has no HTTP status and is no answer. */
static bool is_answer(const struct outcome *outcome) {
    return outcome->class == OUTCOME_DONE || outcome->class == OUTCOME_ABSENT || outcome->http_status;
}

/* When the first attempt left that may have reached the provider. An outcome of class RETRY or FAILED without an HTTP
 * status never left, and what was refused for a limit or the account was not looked at. */
static int64_t first_sent_us(const struct trial *trial) {
    const struct outcome *outcome = trial->outcome;
    bool barred = outcome->throttled || outcome->pause || outcome->refused;
    bool reached =
        outcome->class == OUTCOME_DONE || outcome->class == OUTCOME_UNKNOWN || (outcome->http_status && !barred);
    if (trial->delivery->first_sent_us || outcome->unsent || !reached) return trial->delivery->first_sent_us;
    return outcome->started_us ? outcome->started_us : trial->now_us;
}

static settle_rule *rule_for(const struct trial *trial) {
    const struct outcome *outcome = trial->outcome;
    bool undecided = outcome->class == OUTCOME_RETRY || outcome->class == OUTCOME_FAILED;
    if (outcome->unsent) return put_back;
    if (outcome->pause && undecided) return wait_for_account;
    if (outcome->refused && !trial->delivery->looking_up) return hold_refused;
    return (trial->delivery->looking_up ? lookup_rules : send_rules)[outcome->class];
}

struct settled settle_outcome(const struct delivery *delivery, const struct outcome *outcome,
                              const struct destination_settings *settings, int64_t now_us, struct rng *rng,
                              struct arena *arena) {
    const struct trial trial = {.delivery = delivery,
                                .outcome = outcome,
                                .settings = settings,
                                .traits = destination_action(settings, delivery->action),
                                .now_us = now_us,
                                .finished_us = outcome->finished_us ? outcome->finished_us : now_us,
                                .rng = rng,
                                .arena = arena};
    struct settled settled = {.due_us = now_us,
                              .retry_count = delivery->retry_count,
                              .first_sent_us = first_sent_us(&trial),
                              .in_doubt = delivery->in_doubt,
                              .last_error = str_dup(arena, outcome->error),
                              .counts_as_trouble = !is_neutral(outcome) && is_trouble(outcome),
                              .counts_as_good = !is_neutral(outcome) && !is_trouble(outcome) && is_answer(outcome)};
    settle_rule *rule = rule_for(&trial);
    assert(rule); /* only a lookup may find nothing */
    rule(&trial, &settled);
    settled.status = delivery_move(DELIVERY_PROCESSING, settled.status);
    bool known_absent = outcome->class == OUTCOME_ABSENT && settled.status != DELIVERY_UNKNOWN;
    settled.keep_batch =
        !uuid_is_zero(delivery->batch) && !delivery_is_final(settled.status) && !known_absent && !settled.apart;
    return settled;
}

enum on_unknown settle_policy(const struct destination_settings *settings, struct str action) {
    const struct action_traits *traits = destination_action(settings, action);
    enum on_unknown word = settings->on_unknown;
    if (word == ON_UNKNOWN_LOOKUP && !(traits && traits->has_lookup)) word = ON_UNKNOWN_DEFAULT;
    if (word != ON_UNKNOWN_DEFAULT) return word;
    return traits ? traits->on_unknown : ON_UNKNOWN_HOLD;
}

bool settle_goes_apart(const struct delivery *delivery, const struct outcome *outcome,
                       const struct destination_settings *settings, int64_t now_us) {
    const struct trial trial = {.delivery = delivery,
                                .outcome = outcome,
                                .settings = settings,
                                .traits = destination_action(settings, delivery->action),
                                .now_us = now_us};
    return can_be_cut(&trial);
}

bool settle_can_look_up(const struct destination_settings *settings, struct str action, bool by_person) {
    const struct action_traits *traits = destination_action(settings, action);
    return traits && traits->has_lookup && (by_person || settle_policy(settings, action) != ON_UNKNOWN_HOLD);
}

struct settled settle_overdue(const struct delivery *delivery, const struct destination_settings *settings,
                              struct arena *arena) {
    bool doubtful = delivery->in_doubt || delivery->looking_up;
    struct settled settled = settled_as(delivery, doubtful ? DELIVERY_HELD : DELIVERY_FAILED);
    settled.last_error = str_fmt(arena, "gave up after %.*s: the destination did not answer%s%.*s%s",
                                 STR_ARG(span_str(arena, settings->give_up_us)), delivery->last_error.n ? "; " : "",
                                 STR_ARG(delivery->last_error), doubtful ? "; " DOUBT : "");
    return settled;
}

struct settled settle_parted(const struct delivery *delivery, const struct destination_settings *settings,
                             int64_t now_us, struct arena *arena) {
    const struct trial trial = {.delivery = delivery,
                                .settings = settings,
                                .traits = destination_action(settings, delivery->action),
                                .now_us = now_us};
    struct settled settled = settled_as(delivery, DELIVERY_PENDING);
    settled.due_us = now_us;
    bool was_sent = delivery->in_doubt || delivery->first_sent_us;
    if (!was_sent || is_harmless_again(&trial)) return settled;
    settled.status = DELIVERY_HELD;
    settled.in_doubt = true; /* a 503 under the set's key is no word about another key */
    settled.last_error =
        str_fmt(arena, "the call for several that it was in cannot be made again as it was; %s", DOUBT);
    return settled;
}

struct settled settled_as(const struct delivery *delivery, enum delivery_status status) {
    return (struct settled){.status = status,
                            .due_us = delivery->due_us,
                            .retry_count = delivery->retry_count,
                            .first_sent_us = delivery->first_sent_us,
                            .in_doubt = delivery->in_doubt,
                            .last_error = delivery->last_error};
}
