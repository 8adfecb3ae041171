#include "check.h"

#include "deliver/limiter.h"

#include <stdlib.h>

/* What the tests do most: take, commit and start at once. */
static void send(struct limiter *limiter, size_t count, int64_t at_us) {
    limiter_take(limiter, count, at_us);
    limiter_commit(limiter);
    limiter_started(limiter, count, at_us);
}

static void without_rules_all_may_start(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(NULL, 0);
    send(limiter, 5000, T0);
    assert_true(limiter_room(limiter, T0, 7) == 7);
    assert_true(limiter_remaining(limiter, T0) == SIZE_MAX);
    assert_us(limiter_next(limiter, T0), T0);
    assert_us(limiter_longest_window(limiter), 0);
    limiter_free(limiter);
    limiter_free(NULL);
}

static void the_window_is_half_open(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{2, US_PER_S}};
    struct limiter *limiter = limiter_new(rules, 1);
    send(limiter, 1, T0);
    send(limiter, 1, T0 + 300);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S - 1, 9), 0);
    assert_us(limiter_next(limiter, T0 + 300), T0 + US_PER_S);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S, 9), 1);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S + 300, 9), 2);
    limiter_free(limiter);
}

/* A replay beside live deliveries takes a share of each rule, at least one send of it, and nothing in a quiet spell. */
static void a_share_can_be_spared(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{10, US_PER_S}, {100, US_PER_MIN}};
    struct limiter *limiter = limiter_new(rules, 2);
    assert_int_equal(limiter_spare(limiter, T0, 50), 5);
    assert_int_equal(limiter_spare(limiter, T0, 5), 1); /* half a send of ten */
    send(limiter, 3, T0);
    assert_int_equal(limiter_spare(limiter, T0, 50), 2);
    assert_int_equal(limiter_spare(limiter, T0, 5), 0);
    send(limiter, 3, T0);
    assert_int_equal(limiter_spare(limiter, T0, 50), 0);
    assert_int_equal(limiter_spare(limiter, T0 + US_PER_S, 50), 5);
    assert_int_equal(limiter_spare(limiter, T0 + US_PER_S, 7), 1); /* of the minute's rule: 6 of 7 are used */
    limiter_quiet(limiter, T0 + US_PER_MIN, T0 + US_PER_S);
    assert_int_equal(limiter_spare(limiter, T0 + US_PER_S, 50), 0);
    limiter_free(limiter);
}

static void all_rules_hold(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{10, US_PER_S}, {15, US_PER_MIN}};
    struct limiter *limiter = limiter_new(rules, 2);
    assert_int_equal(limiter_room(limiter, T0, 100), 10);
    send(limiter, 10, T0);
    assert_int_equal(limiter_remaining(limiter, T0), 0);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S, 100), 5);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S, 3), 3);
    send(limiter, 5, T0 + US_PER_S);
    assert_us(limiter_next(limiter, T0 + US_PER_S), T0 + US_PER_MIN);
    assert_us(limiter_longest_window(limiter), US_PER_MIN);
    limiter_free(limiter);
}

static void a_take_counts_at_once_and_a_rollback_undoes_it(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{5, US_PER_S}};
    struct limiter *limiter = limiter_new(rules, 1);
    send(limiter, 1, T0);
    limiter_take(limiter, 3, T0);
    assert_int_equal(limiter_room(limiter, T0, 9), 1);
    limiter_rollback(limiter);
    assert_int_equal(limiter_room(limiter, T0, 9), 4);
    limiter_take(limiter, 3, T0);
    limiter_commit(limiter);
    limiter_rollback(limiter);
    assert_int_equal(limiter_room(limiter, T0, 9), 1);
    limiter_free(limiter);
}

/* However long it takes: what was taken and has not started may start at any moment. */
static void a_send_not_started_counts_in_every_window(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{2, US_PER_S}};
    struct limiter *limiter = limiter_new(rules, 1);
    limiter_take(limiter, 2, T0);
    limiter_commit(limiter);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_HOUR, 9), 0);
    assert_us(limiter_next(limiter, T0 + US_PER_HOUR), WHEN_NEVER);
    limiter_started(limiter, 1, T0 + US_PER_HOUR);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_HOUR, 9), 0);
    assert_us(limiter_next(limiter, T0 + US_PER_HOUR), T0 + US_PER_HOUR + US_PER_S);
    limiter_unsent(limiter, 1);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_HOUR, 9), 1);
    limiter_free(limiter);
}

static void adopted_sends_count_whatever_the_room(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{2, US_PER_S}};
    struct limiter *limiter = limiter_new(rules, 1);
    limiter_adopt(limiter, 3);
    assert_int_equal(limiter_room(limiter, T0, 1), 0);
    limiter_started(limiter, 3, T0);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S - 1, 1), 0);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S, 9), 2);
    limiter_free(limiter);
}

static void restored_starts_count_in_any_order(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{3, 10 * US_PER_S}};
    struct limiter *limiter = limiter_new(rules, 1);
    limiter_restore(limiter, T0 - 2 * US_PER_S, T0);
    limiter_restore(limiter, T0 - 9 * US_PER_S, T0);
    limiter_restore(limiter, T0 - 60 * US_PER_S, T0);
    assert_int_equal(limiter_room(limiter, T0, 9), 1);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S, 9), 2);
    limiter_free(limiter);
}

/* The clock was set back while the process was down: an hour of silence would help nobody. */
static void a_start_of_the_future_counts_as_now(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{1, US_PER_S}};
    struct limiter *limiter = limiter_new(rules, 1);
    limiter_restore(limiter, T0 + US_PER_HOUR, T0);
    assert_us(limiter_next(limiter, T0), T0 + US_PER_S);
    limiter_free(limiter);
}

static void quiet_only_grows_and_ends_within_a_day(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(NULL, 0);
    assert_true(limiter_quiet(limiter, T0 + 60 * US_PER_S, T0));
    assert_false(limiter_quiet(limiter, T0 + 30 * US_PER_S, T0));
    assert_us(limiter_quiet_until(limiter), T0 + 60 * US_PER_S);
    assert_int_equal(limiter_room(limiter, T0 + 60 * US_PER_S - 1, 1), 0);
    assert_us(limiter_next(limiter, T0), T0 + 60 * US_PER_S);
    assert_int_equal(limiter_room(limiter, T0 + 60 * US_PER_S, 1), 1);
    assert_true(limiter_quiet(limiter, T0 + 400 * US_PER_DAY, T0));
    assert_us(limiter_quiet_until(limiter), T0 + US_PER_DAY);
    limiter_speak(limiter);
    assert_int_equal(limiter_room(limiter, T0, 1), 1);
    limiter_free(limiter);
}

static void a_quiet_spell_is_staged(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(NULL, 0);
    limiter_quiet(limiter, T0 + US_PER_S, T0);
    limiter_commit(limiter);
    limiter_quiet(limiter, T0 + US_PER_HOUR, T0);
    limiter_rollback(limiter);
    assert_us(limiter_quiet_until(limiter), T0 + US_PER_S);
    limiter_speak(limiter);
    limiter_rollback(limiter);
    assert_us(limiter_quiet_until(limiter), T0 + US_PER_S);
    limiter_free(limiter);
}

static void new_rules_see_old_starts(void **state) {
    (void)state;
    const struct limit_rule narrow[] = {{2, US_PER_S}}, wide[] = {{5, US_PER_HOUR}};
    struct limiter *limiter = limiter_new(narrow, 1);
    send(limiter, 2, T0);
    send(limiter, 2, T0 + US_PER_S);
    limiter_configure(limiter, wide, 1);
    assert_int_equal(limiter_room(limiter, T0 + 2 * US_PER_S, 9), 1);
    limiter_configure(limiter, narrow, 1);
    assert_int_equal(limiter_room(limiter, T0 + 2 * US_PER_S, 9), 2);
    limiter_free(limiter);
}

/* Starts that left the ring count as if they were as young as the oldest one in it. */
static void a_rule_that_asks_for_more_than_was_kept_is_strict(void **state) {
    (void)state;
    const struct limit_rule wide[] = {{4 * LIMITER_KEEP_MIN, US_PER_MIN}};
    struct limiter *limiter = limiter_new(NULL, 0);
    for (int64_t i = 0; i < LIMITER_KEEP_MIN; i++) send(limiter, 1, T0 + i);
    limiter_configure(limiter, wide, 1);
    assert_int_equal(limiter_remaining(limiter, T0 + US_PER_S), 3 * LIMITER_KEEP_MIN);
    limiter_configure(limiter, NULL, 0);
    send(limiter, 1, T0 + US_PER_S);
    limiter_configure(limiter, wide, 1);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S, 1), 0);
    /* i = 0 left; i = 1 is the oldest: one microsecond after its minute only its youngers count. */
    assert_us(limiter_next(limiter, T0 + US_PER_S), T0 + 1 + US_PER_MIN);
    assert_int_equal(limiter_remaining(limiter, T0 + 1 + US_PER_MIN), 3 * LIMITER_KEEP_MIN + 1);
    limiter_free(limiter);
}

static void a_smaller_rule_keeps_the_youngest(void **state) {
    (void)state;
    const struct limit_rule large[] = {{3 * LIMITER_KEEP_MIN, US_PER_MIN}}, small[] = {{10, US_PER_MIN}};
    struct limiter *limiter = limiter_new(large, 1);
    for (int64_t i = 0; i < 3 * LIMITER_KEEP_MIN; i++) send(limiter, 1, T0 + i);
    limiter_configure(limiter, small, 1);
    assert_us(limiter_next(limiter, T0 + US_PER_S), T0 + 3 * LIMITER_KEEP_MIN - 10 + US_PER_MIN);
    limiter_free(limiter);
}

static void a_full_ring_keeps_its_order_when_it_grows(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{2 * LIMITER_KEEP_MIN, US_PER_MIN}};
    struct limiter *limiter = limiter_new(NULL, 0);
    for (int64_t i = 0; i < LIMITER_KEEP_MIN + 5; i++) send(limiter, 1, T0 + i);
    limiter_configure(limiter, rules, 1);
    for (int64_t i = 0; i < LIMITER_KEEP_MIN; i++) send(limiter, 1, T0 + US_PER_MIN + 5 + i);
    assert_us(limiter_next(limiter, T0 + US_PER_MIN + US_PER_S), T0 + US_PER_MIN + US_PER_S);
    assert_int_equal(limiter_remaining(limiter, T0 + US_PER_MIN + 6), 2);
    assert_int_equal(limiter_remaining(limiter, T0 + US_PER_MIN + US_PER_S), LIMITER_KEEP_MIN);
    limiter_free(limiter);
}

static void a_start_older_than_a_full_ring_pushes_none_out(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{LIMITER_KEEP_MIN, US_PER_MIN}};
    struct limiter *limiter = limiter_new(rules, 1);
    for (int64_t i = 0; i < LIMITER_KEEP_MIN; i++) limiter_restore(limiter, T0 + i, T0 + US_PER_S);
    limiter_restore(limiter, T0 - US_PER_S, T0 + US_PER_S);
    assert_us(limiter_next(limiter, T0 + US_PER_S), T0 + US_PER_MIN);
    limiter_free(limiter);
}

static void the_largest_rule_is_exact(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{100000, US_PER_DAY}};
    struct limiter *limiter = limiter_new(rules, 1);
    for (int64_t i = 0; i < 100000; i++) send(limiter, 1, T0 + i);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_S, 1), 0);
    assert_us(limiter_next(limiter, T0 + US_PER_S), T0 + US_PER_DAY);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_DAY + 41, 1000), 42);
    limiter_free(limiter);
}

/* Properties. A history of sends as they were taken, and the rules that were in force then. */

#define SENDS_MAX  4000
#define EPOCHS_MAX 16
#define RULES_MAX  3

struct past {
    int64_t started_us; /* WHEN_NEVER = not yet */
    size_t epoch;
    bool unsent;
};
struct history {
    struct past sends[SENDS_MAX];
    size_t count, waiting_from; /* sends before it have started or never will */
    struct limit_rule rules[EPOCHS_MAX][RULES_MAX];
    size_t rule_count[EPOCHS_MAX];
    size_t epoch;
};

static void draw_rules(struct history *history, size_t epoch, struct rng *rng) {
    history->epoch = epoch;
    history->rule_count[epoch] = (size_t)draw(rng, 1, RULES_MAX);
    for (size_t i = 0; i < history->rule_count[epoch]; i++)
        history->rules[epoch][i] = (struct limit_rule){draw(rng, 1, 30), draw(rng, 1, 200)};
}

static int by_start(const void *a, const void *b) {
    const struct past *const *left = a, *const *right = b;
    int64_t l = (*left)->started_us, r = (*right)->started_us;
    return (l > r) - (l < r);
}

/* Two pointers over the starts: each window that ends with a start. It is judged by the rules under which its last
 * taken member was taken: what was there before stricter rules came cannot be undone. */
static void assert_windows(const struct history *history) {
    static const struct past *started[SENDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++)
        if (history->sends[i].started_us != WHEN_NEVER && !history->sends[i].unsent)
            started[count++] = &history->sends[i];
    qsort(started, count, sizeof *started, by_start);
    for (size_t epoch = 0; epoch <= history->epoch; epoch++)
        for (size_t rule = 0; rule < history->rule_count[epoch]; rule++) {
            const struct limit_rule *limit = &history->rules[epoch][rule];
            size_t from = 0;
            for (size_t to = 0; to < count; to++) {
                while (started[from]->started_us <= started[to]->started_us - limit->window_us) from++;
                if ((int64_t)(to - from + 1) <= limit->count) continue;
                size_t last_epoch = 0;
                for (size_t i = from; i <= to; i++)
                    if (started[i]->epoch > last_epoch) last_epoch = started[i]->epoch;
                assert_int_not_equal(last_epoch, epoch);
            }
        }
}

/* The oldest that wait start, or one of them never does. */
static void start_some(struct limiter *limiter, struct history *history, size_t committed, int64_t now_us,
                       struct rng *rng) {
    size_t waiting = committed - history->waiting_from;
    if (!waiting) return;
    size_t count = (size_t)draw(rng, 1, (int64_t)waiting);
    bool unsent = rng_below(rng, 10) == 0;
    for (size_t i = 0; i < count; i++) {
        history->sends[history->waiting_from].started_us = now_us;
        history->sends[history->waiting_from++].unsent = unsent;
    }
    if (unsent)
        limiter_unsent(limiter, count);
    else
        limiter_started(limiter, count, now_us);
}

/* A new process: what has started is restored, what waits has begun to start at the latest now. */
static struct limiter *restart(struct limiter *limiter, struct history *history, int64_t now_us) {
    limiter_free(limiter);
    limiter = limiter_new(history->rules[history->epoch], history->rule_count[history->epoch]);
    for (size_t i = 0; i < history->count; i++) {
        struct past *past = &history->sends[i];
        if (past->started_us == WHEN_NEVER) past->started_us = now_us;
        if (!past->unsent) limiter_restore(limiter, past->started_us, now_us);
    }
    history->waiting_from = history->count;
    return limiter;
}

static void run_history(struct history *history, struct rng *rng, size_t *total) {
    *history = (struct history){0};
    draw_rules(history, 0, rng);
    struct limiter *limiter = limiter_new(history->rules[0], history->rule_count[0]);
    int64_t now_us = T0;
    for (int step = 0; step < 400; step++) {
        now_us += draw(rng, 0, rng_below(rng, 8) ? 10 : 150);
        size_t committed = history->count;
        size_t want = (size_t)draw(rng, 0, 12), room = limiter_room(limiter, now_us, want);
        assert_true(room <= want);
        for (size_t taken = 0; taken < room;) {
            size_t part = (size_t)draw(rng, 1, (int64_t)(room - taken));
            limiter_take(limiter, part, now_us);
            taken += part;
        }
        if (rng_below(rng, 4) == 0) {
            limiter_rollback(limiter);
        } else {
            limiter_commit(limiter);
            for (size_t i = 0; i < room && history->count < SENDS_MAX; i++)
                history->sends[history->count++] = (struct past){WHEN_NEVER, history->epoch, false};
            assert_true(history->count < SENDS_MAX);
        }
        committed = history->count;
        now_us += draw(rng, 0, 5);
        if (rng_below(rng, 3)) start_some(limiter, history, committed, now_us, rng);
        if (rng_below(rng, 60) == 0 && history->epoch + 1 < EPOCHS_MAX) {
            draw_rules(history, history->epoch + 1, rng);
            limiter_configure(limiter, history->rules[history->epoch], history->rule_count[history->epoch]);
        }
        if (rng_below(rng, 100) == 0) limiter = restart(limiter, history, now_us);
    }
    limiter_free(limiter);
    assert_windows(history);
    *total += history->count;
}

static void no_window_is_ever_passed(void **state) {
    (void)state;
    static struct history history;
    struct rng rng;
    rng_seed(&rng, 20271124);
    size_t total = 0;
    for (int i = 0; i < 150; i++) run_history(&history, &rng, &total);
    assert_true(total > 10000); /* sends were made */
}

/* Room by counting, without a ring. */
static size_t counted_room(const int64_t *starts, size_t count, const struct limit_rule *rules, size_t rule_count,
                           int64_t now_us, size_t want) {
    for (size_t i = 0; i < rule_count; i++) {
        size_t inside = 0, limit = (size_t)rules[i].count;
        for (size_t j = 0; j < count; j++) inside += starts[j] > now_us - rules[i].window_us;
        size_t room = inside < limit ? limit - inside : 0;
        if (room < want) want = room;
    }
    return want;
}

/* Not only safe: no place is wasted, and limiter_next is the very moment. */
static void room_and_next_are_exact(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    size_t waits = 0;
    for (int round = 0; round < 60; round++) {
        struct limit_rule rules[RULES_MAX];
        size_t rule_count = (size_t)draw(&rng, 1, RULES_MAX), count = 0;
        for (size_t i = 0; i < rule_count; i++) rules[i] = (struct limit_rule){draw(&rng, 1, 40), draw(&rng, 1, 300)};
        struct limiter *limiter = limiter_new(rules, rule_count);
        static int64_t starts[SENDS_MAX];
        int64_t now_us = T0;
        for (int step = 0; step < 200; step++) {
            now_us += draw(&rng, 0, 20);
            size_t want = (size_t)draw(&rng, 1, 15);
            size_t room = limiter_room(limiter, now_us, want);
            assert_int_equal(room, counted_room(starts, count, rules, rule_count, now_us, want));
            assert_int_equal(limiter_remaining(limiter, now_us),
                             counted_room(starts, count, rules, rule_count, now_us, SIZE_MAX));
            int64_t next_us = limiter_next(limiter, now_us);
            assert_int_equal(limiter_room(limiter, next_us, 1), 1);
            if (next_us > now_us) {
                assert_int_equal(limiter_room(limiter, next_us - 1, 1), 0);
                waits++;
            }
            send(limiter, room, now_us);
            for (size_t i = 0; i < room; i++) starts[count++] = now_us;
        }
        limiter_free(limiter);
    }
    assert_true(waits > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rules_all_may_start),
        cmocka_unit_test(the_window_is_half_open),
        cmocka_unit_test(a_share_can_be_spared),
        cmocka_unit_test(all_rules_hold),
        cmocka_unit_test(a_take_counts_at_once_and_a_rollback_undoes_it),
        cmocka_unit_test(a_send_not_started_counts_in_every_window),
        cmocka_unit_test(adopted_sends_count_whatever_the_room),
        cmocka_unit_test(restored_starts_count_in_any_order),
        cmocka_unit_test(a_start_of_the_future_counts_as_now),
        cmocka_unit_test(quiet_only_grows_and_ends_within_a_day),
        cmocka_unit_test(a_quiet_spell_is_staged),
        cmocka_unit_test(new_rules_see_old_starts),
        cmocka_unit_test(a_rule_that_asks_for_more_than_was_kept_is_strict),
        cmocka_unit_test(a_smaller_rule_keeps_the_youngest),
        cmocka_unit_test(a_full_ring_keeps_its_order_when_it_grows),
        cmocka_unit_test(a_start_older_than_a_full_ring_pushes_none_out),
        cmocka_unit_test(the_largest_rule_is_exact),
        cmocka_unit_test(no_window_is_ever_passed),
        cmocka_unit_test(room_and_next_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
