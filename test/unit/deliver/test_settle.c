#include "check.h"

#include "base/arena.h"
#include "deliver/settle.h"

#include <string.h>

#define FINISHED  (T0 - US_PER_S) /* the answer came a second before it is settled */
#define SETTLE_US (60 * US_PER_S)
#define KEY_US    US_PER_HOUR
#define HELP      "it may have been delivered: look there, then resolve it as delivered, not-delivered or retry"

/* One action of each kind of provider. */
static struct action_traits actions[] = {
    {.name = {"", 0}, .key_life_us = WHEN_NEVER, .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"lookup", 6}, .has_lookup = true, .lookup_settle_us = SETTLE_US, .on_unknown = ON_UNKNOWN_LOOKUP},
    {.name = {"hour-key", 8}, .key_life_us = KEY_US, .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"hour-key-lookup", 15},
     .has_lookup = true,
     .lookup_settle_us = SETTLE_US,
     .key_life_us = KEY_US,
     .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"no-key", 6}, .on_unknown = ON_UNKNOWN_RETRY},
    {.name = {"hold", 4}, .on_unknown = ON_UNKNOWN_HOLD},
};

/* A case begins as a first attempt at a plain webhook, due ten minutes ago, answered 503, and is changed from there. */
struct given {
    struct delivery delivery;
    struct outcome outcome;
    struct destination_settings settings;
    struct rng rng;
    struct arena arena;
};

static struct given given(enum outcome_class class) {
    struct given given = {
        .delivery = {.status = DELIVERY_PROCESSING,
                     .due_us = T0 - 10 * US_PER_S,
                     .first_due_us = T0 - 10 * US_PER_MIN,
                     .last_error = STR("earlier")},
        .outcome = {.class = class,
                    .http_status = class == OUTCOME_UNKNOWN ? 0 : 503,
                    .started_us = T0 - 3 * US_PER_S,
                    .finished_us = FINISHED,
                    .error = class == OUTCOME_DONE ? STR_NONE : STR("503 Service Unavailable")},
        .settings = {.retry = {.max = 5, .base_us = US_PER_S, .cap_us = 60 * US_PER_S},
                     .give_up_us = US_PER_DAY,
                     .actions = actions,
                     .action_count = COUNT_OF(actions)},
    };
    rng_seed(&given.rng, 1);
    return given;
}

/* Of the same, sent an hour and a half ago, that is now looked up. */
static struct given given_lookup(enum outcome_class class) {
    struct given g = given(class);
    g.delivery.action = STR("lookup");
    g.delivery.looking_up = true;
    g.delivery.first_sent_us = T0 - 90 * US_PER_MIN;
    return g;
}

static struct settled settle(struct given *g) {
    struct settled settled = settle_outcome(&g->delivery, &g->outcome, &g->settings, T0, &g->rng, &g->arena);
    assert_true(delivery_may(DELIVERY_PROCESSING, settled.status));
    assert_false(settled.counts_as_good && settled.counts_as_trouble);
    return settled;
}

static void assert_error(struct settled settled, const char *expected) {
    if (!str_eq(settled.last_error, str_from(expected)))
        fail_msg("'%.*s' is not '%s'", STR_ARG(settled.last_error), expected);
}

static void assert_pending(struct settled settled, int64_t due_us, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_PENDING);
    assert_us(settled.due_us, due_us);
    assert_int_equal(settled.retry_count, retry_count);
}

static void assert_backed_off(struct settled settled, int64_t seconds, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_PENDING);
    assert_in_range(settled.due_us, T0 + seconds * US_PER_S, T0 + seconds * US_PER_S * 3 / 2);
    assert_int_equal(settled.retry_count, retry_count);
}

static void assert_unknown(struct settled settled, int64_t due_us, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_UNKNOWN);
    assert_us(settled.due_us, due_us);
    assert_int_equal(settled.retry_count, retry_count);
}

static void assert_held(struct settled settled, const char *reason, int32_t retry_count) {
    assert_int_equal(settled.status, DELIVERY_HELD);
    assert_error(settled, reason);
    assert_int_equal(settled.retry_count, retry_count);
}

static void done_completes(void **state) {
    (void)state;
    for (int repeat = 0; repeat < 2; repeat++) {
        struct given g = given(OUTCOME_DONE);
        g.delivery.retry_count = 3;
        g.delivery.late_us = T0 - US_PER_S; /* it was in time when it left */
        g.outcome.repeat = repeat;
        struct settled settled = settle(&g);
        assert_int_equal(settled.status, DELIVERY_COMPLETED);
        assert_int_equal(settled.retry_count, 3);
        assert_error(settled, "");
        arena_free(&g.arena);
    }
}

static void a_definite_refusal_fails(void **state) {
    (void)state;
    struct given g = given(OUTCOME_FAILED);
    g.outcome.http_status = 422;
    g.outcome.error = STR("422 no such list");
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_FAILED);
    assert_error(settled, "422 no such list");
    /* also after an unknown attempt under the same key */
    g.delivery.first_sent_us = T0 - US_PER_MIN;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    arena_free(&g.arena);
}

/* Every retry from the first to the end: five in the fast lane, then hourly until a day after the first due moment. */
static void a_retry_goes_through_both_lanes(void **state) {
    (void)state;
    static const int64_t seconds[] = {1, 2, 4, 8, 16};
    struct given g = given(OUTCOME_RETRY);
    for (int32_t i = 0; i < (int32_t)COUNT_OF(seconds); i++) {
        g.delivery.retry_count = i;
        assert_backed_off(settle(&g), seconds[i], i + 1);
    }
    g.delivery.retry_count = 5;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 6);
    g.delivery.retry_count = 27;
    g.delivery.first_due_us = T0 - 23 * US_PER_HOUR;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 28);
    g.delivery.first_due_us--;
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_FAILED);
    assert_int_equal(settled.retry_count, 27);
    assert_error(settled, "gave up after 27 retries: 503 Service Unavailable");
    arena_free(&g.arena);
}

static void without_a_slow_lane_it_fails_after_the_fast_one(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.settings.give_up_us = 0;
    g.delivery.retry_count = 4;
    assert_backed_off(settle(&g), 16, 5);
    g.delivery.retry_count = 5;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    g.delivery.retry_count = 0;
    g.settings.retry.max = 0;
    assert_error(settle(&g), "503 Service Unavailable");
    arena_free(&g.arena);
}

/* The fast lane is walked to its end also by a delivery that was long held back by a pause. */
static void the_fast_lane_does_not_look_at_give_up(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.delivery.first_due_us = T0 - 9 * US_PER_DAY;
    assert_backed_off(settle(&g), 1, 1);
    g.delivery.retry_count = 5;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    arena_free(&g.arena);
}

static void a_named_moment_is_obeyed_within_bounds(void **state) {
    (void)state;
    static const struct {
        int64_t named_us, due_us;
    } cases[] = {
        {T0 + 7 * US_PER_S, T0 + 7 * US_PER_S}, {T0 + US_PER_S, T0 + US_PER_S},
        {T0 + US_PER_S - 1, T0 + US_PER_S},     {T0 - 9 * US_PER_DAY, T0 + US_PER_S},
        {T0 + US_PER_DAY, T0 + US_PER_DAY},     {T0 + 3650 * US_PER_DAY, T0 + US_PER_DAY},
        {WHEN_NEVER, T0 + US_PER_DAY},
    };
    struct given g = given(OUTCOME_RETRY);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        g.outcome.not_before_us = cases[i].named_us;
        assert_pending(settle(&g), cases[i].due_us, 1);
    }
    g.outcome.not_before_us = 0;
    g.outcome.quiet_until_us = T0 + US_PER_HOUR; /* of the account, not of this delivery: the limiter obeys it */
    assert_backed_off(settle(&g), 1, 1);
    arena_free(&g.arena);
}

static void the_slow_lane_is_never_faster_than_an_hour(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.delivery.retry_count = 5;
    g.outcome.not_before_us = T0 + US_PER_S;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 6);
    g.outcome.not_before_us = T0 + 3 * US_PER_HOUR;
    assert_pending(settle(&g), T0 + 3 * US_PER_HOUR, 6);
    arena_free(&g.arena);
}

static void a_refused_account_spends_nothing(void **state) {
    (void)state;
    static const enum outcome_class classes[] = {OUTCOME_RETRY, OUTCOME_FAILED};
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct given g = given(classes[i]);
        g.outcome.pause = true;
        g.outcome.http_status = 401;
        g.delivery.retry_count = 5;
        g.delivery.first_due_us = T0 - 30 * US_PER_DAY;
        struct settled settled = settle(&g);
        assert_pending(settled, T0, 5);
        assert_error(settled, "503 Service Unavailable");
        assert_false(settled.counts_as_good || settled.counts_as_trouble);
        arena_free(&g.arena);
    }
}

static void a_throttled_send_with_a_named_moment_spends_nothing(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome.throttled = true;
    g.outcome.http_status = 429;
    g.outcome.not_before_us = T0 + 15 * US_PER_MIN;
    g.delivery.retry_count = 2;
    struct settled settled = settle(&g);
    assert_pending(settled, T0 + 15 * US_PER_MIN, 2);
    assert_false(settled.counts_as_good || settled.counts_as_trouble);
    g.outcome.quiet_until_us = T0 + 20 * US_PER_MIN; /* the whole account's moment counts as well */
    assert_pending(settle(&g), T0 + 20 * US_PER_MIN, 2);
    g.outcome.not_before_us = 0;
    assert_pending(settle(&g), T0 + 20 * US_PER_MIN, 2);
    arena_free(&g.arena);
}

static void a_throttled_send_spends_a_retry_otherwise(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome.throttled = true;
    assert_backed_off(settle(&g), 1, 1); /* no moment was named */
    g.outcome.not_before_us = T0 + US_PER_HOUR;
    g.delivery.attempts = 100; /* too often already */
    assert_pending(settle(&g), T0 + US_PER_HOUR, 1);
    g.delivery.attempts = 99;
    assert_pending(settle(&g), T0 + US_PER_HOUR, 0);
    g.delivery.first_due_us = T0 - 23 * US_PER_HOUR - 1; /* the moment is after give_up */
    assert_pending(settle(&g), T0 + US_PER_HOUR, 1);
    g.delivery.retry_count = 5;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    g.delivery.retry_count = 0;
    g.delivery.first_due_us = T0;
    g.settings.give_up_us = 0; /* no end of it: each spends one */
    assert_pending(settle(&g), T0 + US_PER_HOUR, 1);
    arena_free(&g.arena);
}

static void what_was_not_sent_is_as_it_was(void **state) {
    (void)state;
    struct given g = given(OUTCOME_RETRY);
    g.outcome = (struct outcome){.class = OUTCOME_RETRY, .unsent = true};
    g.delivery.retry_count = 2;
    struct settled settled = settle(&g);
    assert_pending(settled, T0, 2);
    assert_us(settled.first_sent_us, 0);
    assert_error(settled, "earlier");
    assert_false(settled.counts_as_good || settled.counts_as_trouble);
    g.delivery.looking_up = true;
    assert_unknown(settle(&g), T0, 2);
    arena_free(&g.arena);
}

/* Unknown outcomes of sends. */

static struct settled settle_unknown(struct given *g, const char *action) {
    g->delivery.action = str_from(action);
    return settle(g);
}

static void doubt_is_looked_up_where_that_is_the_policy(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.delivery.retry_count = 2;
    struct settled settled = settle_unknown(&g, "lookup");
    assert_unknown(settled, FINISHED + SETTLE_US, 2);
    assert_true(settled.counts_as_trouble);
    assert_us(settled.first_sent_us, g.outcome.started_us);
    g.outcome.finished_us = 0; /* nobody saw it end */
    assert_unknown(settle_unknown(&g, "lookup"), T0 + SETTLE_US, 2);
    g.delivery.late_us = T0 - US_PER_S; /* looking sends nothing */
    assert_unknown(settle_unknown(&g, "lookup"), T0 + SETTLE_US, 2);
    arena_free(&g.arena);
}

static void doubt_is_sent_again_under_a_key_that_is_kept(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    assert_backed_off(settle_unknown(&g, ""), 1, 1);
    assert_backed_off(settle_unknown(&g, "hour-key"), 1, 1);
    g.delivery.retry_count = 9;
    assert_pending(settle_unknown(&g, ""), T0 + US_PER_HOUR, 10); /* the slow lane */
    arena_free(&g.arena);
}

/* The key is counted from the first attempt that may have brought it there. */
static void a_forgotten_key_is_not_used_again(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.outcome.not_before_us = T0 + 10 * US_PER_S;
    g.delivery.first_sent_us = T0 + 10 * US_PER_S - KEY_US + 1;
    assert_pending(settle_unknown(&g, "hour-key"), T0 + 10 * US_PER_S, 1);
    g.delivery.first_sent_us--;
    const char *why = "the provider would no longer know it as the same; 503 Service Unavailable; " HELP;
    assert_held(settle_unknown(&g, "hour-key"), why, 0);
    assert_unknown(settle_unknown(&g, "hour-key-lookup"), FINISHED + SETTLE_US, 0);
    assert_held(settle_unknown(&g, "no-key"), why, 0);
    arena_free(&g.arena);
}

static void a_provider_without_keys_is_sent_to_again_on_the_destinations_word(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.settings.on_unknown = ON_UNKNOWN_RETRY;
    assert_backed_off(settle_unknown(&g, "no-key"), 1, 1);
    assert_backed_off(settle_unknown(&g, "hold"), 1, 1);
    arena_free(&g.arena);
}

/* The effect may exist: not FAILED, which a person would replay. */
static void exhausted_doubt_is_held_or_looked_up(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.delivery.retry_count = 28;
    g.delivery.first_due_us = T0 - US_PER_DAY;
    assert_held(settle_unknown(&g, ""), "gave up after 28 retries; 503 Service Unavailable; " HELP, 28);
    g.delivery.first_sent_us = T0 - US_PER_MIN;
    assert_unknown(settle_unknown(&g, "hour-key-lookup"), FINISHED + SETTLE_US, 28);
    g.settings.retry.max = 0;
    g.settings.give_up_us = 0;
    g.delivery.retry_count = 0;
    assert_held(settle_unknown(&g, ""), "503 Service Unavailable; " HELP, 0);
    arena_free(&g.arena);
}

static void doubt_is_held_where_that_is_the_policy(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.delivery.retry_count = 1;
    assert_held(settle_unknown(&g, "hold"), "503 Service Unavailable; " HELP, 1);
    assert_held(settle_unknown(&g, "no-such-action"), "503 Service Unavailable; " HELP, 1);
    g.settings.on_unknown = ON_UNKNOWN_HOLD;
    assert_held(settle_unknown(&g, "lookup"), "503 Service Unavailable; " HELP, 1);
    arena_free(&g.arena);
}

/* An account that is refused says nothing about a send whose answer was lost. */
static void doubt_is_stronger_than_a_pause(void **state) {
    (void)state;
    struct given g = given(OUTCOME_UNKNOWN);
    g.outcome.pause = true;
    assert_int_equal(settle_unknown(&g, "hold").status, DELIVERY_HELD);
    arena_free(&g.arena);
}

static void the_policy_is_the_destinations_word_else_the_connectors(void **state) {
    (void)state;
    static const struct {
        enum on_unknown word;
        const char *action;
        enum on_unknown policy;
    } cases[] = {
        {ON_UNKNOWN_DEFAULT, "", ON_UNKNOWN_RETRY},       {ON_UNKNOWN_DEFAULT, "lookup", ON_UNKNOWN_LOOKUP},
        {ON_UNKNOWN_DEFAULT, "hold", ON_UNKNOWN_HOLD},    {ON_UNKNOWN_DEFAULT, "gone", ON_UNKNOWN_HOLD},
        {ON_UNKNOWN_HOLD, "", ON_UNKNOWN_HOLD},           {ON_UNKNOWN_RETRY, "lookup", ON_UNKNOWN_RETRY},
        {ON_UNKNOWN_LOOKUP, "lookup", ON_UNKNOWN_LOOKUP}, {ON_UNKNOWN_LOOKUP, "hour-key-lookup", ON_UNKNOWN_LOOKUP},
        {ON_UNKNOWN_LOOKUP, "", ON_UNKNOWN_RETRY},        {ON_UNKNOWN_LOOKUP, "gone", ON_UNKNOWN_HOLD},
    };
    struct given g = given(OUTCOME_DONE);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        g.settings.on_unknown = cases[i].word;
        assert_int_equal(settle_policy(&g.settings, str_from(cases[i].action)), cases[i].policy);
    }
}

/* Lookups. */

static void a_lookup_that_finds_it_completes(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_DONE);
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_COMPLETED);
    assert_us(settled.first_sent_us, g.delivery.first_sent_us);
    assert_true(settled.counts_as_good);
    arena_free(&g.arena);
}

static void absent_counts_only_after_the_settle_time(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_ABSENT);
    g.delivery.first_sent_us = FINISHED - SETTLE_US + 1;
    assert_unknown(settle(&g), FINISHED + 1, 0);
    g.delivery.first_sent_us--;
    struct settled settled = settle(&g);
    assert_pending(settled, T0, 1);
    assert_error(settled, "not found at the provider: was not delivered");
    assert_us(settled.first_sent_us, g.delivery.first_sent_us);
    assert_true(settled.counts_as_good);
    arena_free(&g.arena);
}

static void absent_spends_the_retries_of_both_lanes_and_then_fails(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_ABSENT);
    g.delivery.retry_count = 5;
    g.delivery.first_due_us = T0 - US_PER_DAY;
    assert_pending(settle(&g), T0, 6);
    g.delivery.first_due_us--;
    struct settled settled = settle(&g);
    assert_int_equal(settled.status, DELIVERY_FAILED);
    assert_int_equal(settled.retry_count, 5);
    g.delivery.retry_count = 4;
    g.settings.give_up_us = 0;
    assert_pending(settle(&g), T0, 5);
    g.delivery.retry_count = 5;
    g.delivery.first_due_us = T0;
    assert_int_equal(settle(&g).status, DELIVERY_FAILED);
    arena_free(&g.arena);
}

static void a_lookup_that_says_nothing_is_made_again(void **state) {
    (void)state;
    static const enum outcome_class classes[] = {OUTCOME_RETRY, OUTCOME_FAILED, OUTCOME_UNKNOWN};
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct given g = given_lookup(classes[i]);
        g.delivery.late_us = T0 - US_PER_S;
        g.delivery.retry_count = 1;
        struct settled settled = settle(&g);
        assert_int_equal(settled.status, DELIVERY_UNKNOWN);
        assert_in_range(settled.due_us, T0 + 2 * US_PER_S, T0 + 3 * US_PER_S);
        assert_int_equal(settled.retry_count, 2);
        g.delivery.retry_count = 5;
        assert_unknown(settle(&g), T0 + US_PER_HOUR, 6);
        g.delivery.first_due_us = T0 - US_PER_DAY;
        assert_held(settle(&g), "could not be looked up; 503 Service Unavailable; " HELP, 5);
        arena_free(&g.arena);
    }
}

static void a_lookup_is_paused_and_throttled_like_a_send(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_FAILED);
    g.outcome.pause = true;
    assert_unknown(settle(&g), T0, 0);
    arena_free(&g.arena);
    g = given_lookup(OUTCOME_RETRY);
    g.outcome.throttled = true;
    g.outcome.not_before_us = T0 + 90 * US_PER_S;
    assert_unknown(settle(&g), T0 + 90 * US_PER_S, 0);
    arena_free(&g.arena);
}

/* The configuration changed while it was UNKNOWN. */
static void without_a_lookup_any_more_it_is_held(void **state) {
    (void)state;
    struct given g = given_lookup(OUTCOME_FAILED);
    g.delivery.action = STR("hold");
    assert_held(settle(&g), "could not be looked up; 503 Service Unavailable; " HELP, 0);
    g.delivery.action = STR("gone");
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    arena_free(&g.arena);
}

/* For all. */

static void nothing_is_due_after_it_would_be_late(void **state) {
    (void)state;
    const char *late = "late: was to leave by 2027-01-15T08:00:30Z; 503 Service Unavailable";
    struct given g = given(OUTCOME_RETRY);
    g.outcome.not_before_us = T0 + 30 * US_PER_S;
    g.delivery.late_us = T0 + 30 * US_PER_S;
    assert_pending(settle(&g), T0 + 30 * US_PER_S, 1);
    g.outcome.not_before_us++;
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    assert_error(settle(&g), late);
    g.outcome.class = OUTCOME_UNKNOWN;
    assert_held(settle(&g), "late: was to leave by 2027-01-15T08:00:30Z; 503 Service Unavailable; " HELP, 0);
    assert_unknown(settle_unknown(&g, "hour-key-lookup"), FINISHED + SETTLE_US, 0);
    arena_free(&g.arena);
    g = given(OUTCOME_RETRY);
    g.outcome.pause = true;
    g.delivery.late_us = T0 - 1;
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    arena_free(&g.arena);
    g = given_lookup(OUTCOME_ABSENT);
    g.delivery.late_us = T0 - 1;
    assert_int_equal(settle(&g).status, DELIVERY_HELD);
    arena_free(&g.arena);
}

static void first_sent_is_of_the_first_attempt_that_may_have_arrived(void **state) {
    (void)state;
    static const struct {
        enum outcome_class class;
        int32_t http_status;
        bool reached;
    } cases[] = {
        {OUTCOME_DONE, 200, true},   {OUTCOME_UNKNOWN, 0, true}, {OUTCOME_RETRY, 503, true},
        {OUTCOME_FAILED, 422, true}, {OUTCOME_RETRY, 0, false}, /* no connection */
        {OUTCOME_FAILED, 0, false},                             /* the address is refused */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct given g = given(cases[i].class);
        g.outcome.http_status = cases[i].http_status;
        assert_us(settle(&g).first_sent_us, cases[i].reached ? g.outcome.started_us : 0);
        g.delivery.first_sent_us = T0 - US_PER_HOUR;
        assert_us(settle(&g).first_sent_us, T0 - US_PER_HOUR);
        arena_free(&g.arena);
    }
    struct given g = given(OUTCOME_UNKNOWN);
    g.outcome.started_us = 0; /* nobody saw it leave */
    assert_us(settle(&g).first_sent_us, T0);
    arena_free(&g.arena);
}

static void the_breaker_counts_trouble_and_answers(void **state) {
    (void)state;
    static const struct {
        enum outcome_class class;
        int32_t http_status;
        bool good, trouble;
    } cases[] = {
        {OUTCOME_DONE, 200, true, false},  {OUTCOME_RETRY, 503, false, true},   {OUTCOME_RETRY, 0, false, true},
        {OUTCOME_UNKNOWN, 0, false, true}, {OUTCOME_UNKNOWN, 500, false, true}, {OUTCOME_FAILED, 422, true, false},
        {OUTCOME_FAILED, 0, false, false}, /* refused here, before anything left */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct given g = given(cases[i].class);
        g.outcome.http_status = cases[i].http_status;
        struct settled settled = settle(&g);
        assert_int_equal(settled.counts_as_good, cases[i].good);
        assert_int_equal(settled.counts_as_trouble, cases[i].trouble);
        arena_free(&g.arena);
    }
}

static void a_frozen_set_stays_while_it_may_be_sent_again(void **state) {
    (void)state;
    static const struct {
        bool lookup;
        enum outcome_class class;
        bool kept;
    } cases[] = {
        {false, OUTCOME_DONE, false},   {false, OUTCOME_FAILED, false}, {false, OUTCOME_RETRY, true},
        {false, OUTCOME_UNKNOWN, true}, {true, OUTCOME_RETRY, true},    {true, OUTCOME_ABSENT, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct given g = cases[i].lookup ? given_lookup(cases[i].class) : given(cases[i].class);
        assert_false(settle(&g).keep_batch);
        g.delivery.batch.b[0] = 1;
        assert_int_equal(settle(&g).keep_batch, cases[i].kept);
        g.outcome.unsent = true;
        assert_true(settle(&g).keep_batch);
        arena_free(&g.arena);
    }
    struct given g = given_lookup(OUTCOME_ABSENT);
    g.delivery.batch.b[0] = 1;
    g.delivery.first_sent_us = FINISHED; /* too early to say */
    assert_true(settle(&g).keep_batch);
    arena_free(&g.arena);
}

/* Whatever comes: a legal status, no retry lost, a due moment that is neither past nor further than a day. */
static void every_combination_is_sane(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 11);
    int seen[DELIVERY_STATUS_COUNT] = {0};
    for (int i = 0; i < 20000; i++) {
        bool lookup = rng_below(&rng, 3) == 0;
        struct given g = given((enum outcome_class)draw(&rng, 0, lookup ? OUTCOME_ABSENT : OUTCOME_UNKNOWN));
        g.rng = rng;
        g.delivery.looking_up = lookup;
        g.delivery.action = actions[draw(&rng, 0, COUNT_OF(actions) - 1)].name;
        g.delivery.retry_count = (int32_t)draw(&rng, 0, 8);
        g.delivery.attempts = (int32_t)draw(&rng, 0, 200);
        g.delivery.first_due_us = T0 - draw(&rng, 0, 30 * US_PER_HOUR);
        g.delivery.first_sent_us = rng_below(&rng, 2) ? T0 - draw(&rng, US_PER_S, 2 * US_PER_HOUR) : 0;
        g.delivery.late_us = rng_below(&rng, 2) ? T0 + draw(&rng, -US_PER_HOUR, 2 * US_PER_HOUR) : 0;
        g.outcome.pause = rng_below(&rng, 8) == 0;
        g.outcome.unsent = rng_below(&rng, 8) == 0;
        g.outcome.throttled = rng_below(&rng, 4) == 0;
        g.outcome.not_before_us = rng_below(&rng, 2) ? T0 + draw(&rng, -US_PER_DAY, 3 * US_PER_DAY) : 0;
        g.settings.give_up_us = rng_below(&rng, 2) ? US_PER_DAY : 0;
        g.settings.on_unknown = (enum on_unknown)draw(&rng, ON_UNKNOWN_DEFAULT, ON_UNKNOWN_HOLD);
        struct settled settled = settle(&g);
        seen[settled.status]++;
        assert_in_range(settled.retry_count, g.delivery.retry_count, g.delivery.retry_count + 1);
        assert_in_range(settled.due_us, T0, T0 + US_PER_DAY);
        if (settled.status == DELIVERY_PENDING && g.delivery.late_us) assert_true(settled.due_us <= g.delivery.late_us);
        if (g.outcome.class == OUTCOME_UNKNOWN) assert_int_not_equal(settled.status, DELIVERY_FAILED);
        if (settled.status == DELIVERY_HELD || settled.status == DELIVERY_FAILED) assert_true(settled.last_error.n);
        arena_free(&g.arena);
        rng_u64(&rng);
    }
    assert_true(seen[DELIVERY_PENDING] && seen[DELIVERY_COMPLETED] && seen[DELIVERY_FAILED] && seen[DELIVERY_UNKNOWN] &&
                seen[DELIVERY_HELD]);
    assert_int_equal(seen[DELIVERY_PROCESSING] + seen[DELIVERY_SKIPPED], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_completes),
        cmocka_unit_test(a_definite_refusal_fails),
        cmocka_unit_test(a_retry_goes_through_both_lanes),
        cmocka_unit_test(without_a_slow_lane_it_fails_after_the_fast_one),
        cmocka_unit_test(the_fast_lane_does_not_look_at_give_up),
        cmocka_unit_test(a_named_moment_is_obeyed_within_bounds),
        cmocka_unit_test(the_slow_lane_is_never_faster_than_an_hour),
        cmocka_unit_test(a_refused_account_spends_nothing),
        cmocka_unit_test(a_throttled_send_with_a_named_moment_spends_nothing),
        cmocka_unit_test(a_throttled_send_spends_a_retry_otherwise),
        cmocka_unit_test(what_was_not_sent_is_as_it_was),
        cmocka_unit_test(doubt_is_looked_up_where_that_is_the_policy),
        cmocka_unit_test(doubt_is_sent_again_under_a_key_that_is_kept),
        cmocka_unit_test(a_forgotten_key_is_not_used_again),
        cmocka_unit_test(a_provider_without_keys_is_sent_to_again_on_the_destinations_word),
        cmocka_unit_test(exhausted_doubt_is_held_or_looked_up),
        cmocka_unit_test(doubt_is_held_where_that_is_the_policy),
        cmocka_unit_test(doubt_is_stronger_than_a_pause),
        cmocka_unit_test(the_policy_is_the_destinations_word_else_the_connectors),
        cmocka_unit_test(a_lookup_that_finds_it_completes),
        cmocka_unit_test(absent_counts_only_after_the_settle_time),
        cmocka_unit_test(absent_spends_the_retries_of_both_lanes_and_then_fails),
        cmocka_unit_test(a_lookup_that_says_nothing_is_made_again),
        cmocka_unit_test(a_lookup_is_paused_and_throttled_like_a_send),
        cmocka_unit_test(without_a_lookup_any_more_it_is_held),
        cmocka_unit_test(nothing_is_due_after_it_would_be_late),
        cmocka_unit_test(first_sent_is_of_the_first_attempt_that_may_have_arrived),
        cmocka_unit_test(the_breaker_counts_trouble_and_answers),
        cmocka_unit_test(a_frozen_set_stays_while_it_may_be_sent_again),
        cmocka_unit_test(every_combination_is_sane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
