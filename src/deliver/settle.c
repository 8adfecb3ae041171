/* deliver/settle.c - see settle.h. A table of rules by class, for sends and for
 * lookups; each rule fills what differs from "as it was, due now". */
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

/* WHEN_NEVER stays so. */
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

/* Spends a retry. WHEN_NEVER, and nothing spent, when none is left. */
static int64_t next_try_us(const struct trial *trial, struct settled *settled) {
    const struct retry_rule *rule = &trial->settings->retry;
    int64_t named = named_us(trial), due_us;
    if (named && trial->outcome->throttled && trial->delivery->attempts < THROTTLED_FREE_MAX &&
        within_give_up(trial, named))
        return named;
    if (settled->retry_count < rule->max) {
        due_us = trial->now_us + backoff_delay_us(rule, settled->retry_count, trial->rng);
        if (named > due_us) due_us = named; /* a provider that always says "1 s" would burn all tries in a few */
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

/* FAILED invites a replay, which could double the effect of the attempt nobody knows the end of. */
static void hold_doubt(const struct trial *trial, struct settled *settled) {
    hold(trial, settled, STR("an earlier attempt may have had its effect"), DOUBT);
}

static void give_up(const struct trial *trial, struct settled *settled) {
    if (settled->in_doubt) {
        hold_doubt(trial, settled);
        return;
    }
    if (trial->outcome->hold) {
        hold(trial, settled, str_fmt(trial->arena, "gave up after %d retries", (int)settled->retry_count), "");
        return;
    }
    settled->status = DELIVERY_FAILED;
    if (settled->retry_count)
        settled->last_error = str_fmt(trial->arena, "gave up after %d retries: %.*s", (int)settled->retry_count,
                                      STR_ARG(trial->outcome->error));
}

static void wait_for_lookup(struct settled *settled, int64_t due_us) {
    settled->status = DELIVERY_UNKNOWN;
    settled->due_us = due_us;
}

/* Rules for both. */

static void put_back(const struct trial *trial, struct settled *settled) {
    if (!trial->outcome->error.n) settled->last_error = str_dup(trial->arena, trial->delivery->last_error);
    int64_t named = trial->outcome->unsent ? named_us(trial) : 0, due_us = named ? named : trial->now_us;
    if (trial->delivery->looking_up)
        wait_for_lookup(settled, due_us);
    else
        pend(trial, settled, due_us);
}

/* The account is refused. Where a second delivery was needed to tell, this one goes behind those that have not been
 * tried, so that one bad text is never the first to go at every probe. */
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
    settled->in_doubt = false;
    settled->status = DELIVERY_FAILED;
}

static void retry(const struct trial *trial, struct settled *settled) {
    int64_t due_us = next_try_us(trial, settled);
    if (due_us == WHEN_NEVER)
        give_up(trial, settled);
    else
        pend(trial, settled, due_us);
}

/* Whether the provider will still know the key then, or the destination said that it need not. */
static bool key_holds(const struct trial *trial, const struct settled *settled, int64_t due_us) {
    int64_t life_us = trial->traits ? trial->traits->key_life_us : 0;
    if (!life_us) return trial->settings->on_unknown == ON_UNKNOWN_RETRY;
    return due_us < after(settled->first_sent_us, life_us);
}

/* Blindly, under the same key. False when that must not be, with the reason. */
static bool resend(const struct trial *trial, struct settled *settled, struct str *ret_why) {
    struct settled again = *settled;
    int64_t due_us = next_try_us(trial, &again);
    if (due_us == WHEN_NEVER) {
        *ret_why =
            again.retry_count ? str_fmt(trial->arena, "gave up after %d retries", (int)again.retry_count) : STR_NONE;
        return false;
    }
    if (!key_holds(trial, &again, due_us)) {
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

/* Refused alone: the next delivery will tell whether it is the account, and this one must not hold it up. */
static void hold_refused(const struct trial *trial, struct settled *settled) {
    hold(trial, settled, STR_NONE,
         "no other delivery is refused: look at what this one sends, then retry or cancel it");
}

/* Rules for lookups. */

static void look_again(const struct trial *trial, struct settled *settled) {
    bool possible = trial->traits && trial->traits->has_lookup;
    int64_t due_us = possible ? next_try_us(trial, settled) : WHEN_NEVER;
    if (due_us == WHEN_NEVER)
        hold(trial, settled, STR("could not be looked up"), DOUBT);
    else
        wait_for_lookup(settled, due_us);
}

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

/* Nothing of it says how the destination is. */
static bool is_neutral(const struct outcome *outcome) {
    return outcome->unsent || outcome->pause || outcome->refused || outcome->throttled;
}

static bool is_trouble(const struct outcome *outcome) {
    return outcome->class == OUTCOME_RETRY || outcome->class == OUTCOME_UNKNOWN;
}

/* A refusal made here (no HTTP status) is no answer. */
static bool is_answer(const struct outcome *outcome) {
    return outcome->class == OUTCOME_DONE || outcome->class == OUTCOME_ABSENT || outcome->http_status;
}

/* A retry or a refusal without an HTTP status never left. */
static int64_t first_sent_us(const struct trial *trial) {
    const struct outcome *outcome = trial->outcome;
    bool reached = outcome->class == OUTCOME_DONE || outcome->class == OUTCOME_UNKNOWN || outcome->http_status;
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
    settled.keep_batch = !uuid_is_zero(delivery->batch) && !delivery_is_final(settled.status) && !known_absent;
    return settled;
}

enum on_unknown settle_policy(const struct destination_settings *settings, struct str action) {
    const struct action_traits *traits = destination_action(settings, action);
    enum on_unknown word = settings->on_unknown;
    if (word == ON_UNKNOWN_LOOKUP && !(traits && traits->has_lookup)) word = ON_UNKNOWN_DEFAULT;
    if (word != ON_UNKNOWN_DEFAULT) return word;
    return traits ? traits->on_unknown : ON_UNKNOWN_HOLD;
}

struct settled settled_as(const struct delivery *delivery, enum delivery_status status) {
    return (struct settled){.status = status,
                            .due_us = delivery->due_us,
                            .retry_count = delivery->retry_count,
                            .first_sent_us = delivery->first_sent_us,
                            .in_doubt = delivery->in_doubt,
                            .last_error = delivery->last_error};
}
