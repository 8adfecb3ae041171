/* Limits of processes that cannot ask one another: each keeps to a part. */
#include "check.h"

#include "deliver/limiter.h"

#include <stdlib.h>

static const struct limit_rule six = {6, US_PER_MIN};

/* As a turn does: what there is room for leaves now; how many did. */
static size_t send_up_to(struct limiter *limiter, int64_t now_us, size_t want) {
    size_t room = limiter_room(limiter, now_us, want);
    limiter_take(limiter, room, now_us);
    limiter_commit(limiter);
    limiter_started(limiter, room, now_us);
    return room;
}

static void a_part_is_what_is_left_divided(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(&six, 1);
    limiter_part(limiter, 2, false);
    assert_int_equal(limiter_room(limiter, T0, SIZE_MAX), 3);
    assert_int_equal(send_up_to(limiter, T0, 1), 1);
    assert_int_equal(limiter_room(limiter, T0, SIZE_MAX), 2);
    assert_int_equal(limiter_remaining(limiter, T0), 4);
    assert_int_equal(send_up_to(limiter, T0 + 1, 9), 2);
    assert_int_equal(limiter_room(limiter, T0 + 1, 1), 0);
    assert_us(limiter_next(limiter, T0 + 1), T0 + US_PER_MIN);
    assert_int_equal(send_up_to(limiter, T0 + US_PER_MIN, 9), 1);
    limiter_free(limiter);
}

/* A configuration may come, or Redis go, while a connection is made for a send. */
static void a_send_on_its_way_counts_as_the_new_part(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(&six, 1);
    send_up_to(limiter, T0, 1);
    limiter_take(limiter, 2, T0);
    limiter_commit(limiter);
    limiter_part(limiter, 1, true);
    assert_int_equal(limiter_room(limiter, T0, SIZE_MAX), 4); /* the one that started is read anew by the caller */
    limiter_part(limiter, 2, false);
    assert_int_equal(limiter_room(limiter, T0, SIZE_MAX), 1);
    limiter_started(limiter, 1, T0 + 1);
    limiter_unsent(limiter, 1);
    assert_int_equal(limiter_room(limiter, T0 + 1, SIZE_MAX), 2);
    limiter_part(limiter, 1, false);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_MIN + 1, SIZE_MAX), 6);
    limiter_free(limiter);
}

static void what_is_over_is_nobodys_part(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(&six, 1);
    limiter_part(limiter, 4, false);
    assert_int_equal(send_up_to(limiter, T0, 9), 1); /* 4 of 6: no second 4 */
    assert_us(limiter_next(limiter, T0), T0 + US_PER_MIN);
    limiter_part(limiter, 7, false); /* more of them than places */
    assert_int_equal(limiter_room(limiter, T0 + US_PER_HOUR, 9), 0);
    assert_us(limiter_next(limiter, T0 + US_PER_HOUR), WHEN_NEVER);
    limiter_free(limiter);
}

/* What was sent under smaller parts counts as it did. */
static void a_part_that_shrinks_keeps_what_was_sent(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(&six, 1);
    limiter_part(limiter, 2, false);
    assert_int_equal(send_up_to(limiter, T0, 1), 1);
    limiter_part(limiter, 3, false);
    assert_int_equal(send_up_to(limiter, T0, 9), 1); /* 2 and 3 of 6 */
    limiter_part(limiter, 1, false);
    assert_int_equal(send_up_to(limiter, T0, 9), 1);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_MIN - 1, 9), 0);
    assert_int_equal(limiter_room(limiter, T0 + US_PER_MIN, 9), 6);
    limiter_free(limiter);
}

static void history_is_told_anew_as_it_was(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(&six, 1);
    assert_int_equal(send_up_to(limiter, T0, 9), 6);
    limiter_part(limiter, 2, true);
    assert_int_equal(limiter_room(limiter, T0, 9), 3);
    limiter_restore(limiter, T0 - US_PER_S, T0);
    limiter_restore(limiter, T0 - US_PER_S, T0);
    assert_int_equal(limiter_room(limiter, T0, 9), 2);
    limiter_free(limiter);
}

static void what_stays_unsent_gives_its_part_back(void **state) {
    (void)state;
    struct limiter *limiter = limiter_new(&six, 1);
    limiter_part(limiter, 3, false);
    limiter_take(limiter, 2, T0);
    assert_int_equal(limiter_room(limiter, T0, 1), 0);
    limiter_rollback(limiter);
    limiter_take(limiter, 2, T0);
    limiter_commit(limiter);
    limiter_unsent(limiter, 1);
    assert_int_equal(limiter_room(limiter, T0, 9), 1);
    limiter_started(limiter, 1, T0);
    assert_int_equal(limiter_room(limiter, T0, 9), 1);
    limiter_free(limiter);
}

static void a_limit_is_used_while_a_start_counts(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{6, US_PER_S}, {60, US_PER_MIN}};
    struct limiter *limiter = limiter_new(rules, 2);
    assert_false(limiter_used(limiter, T0));
    send_up_to(limiter, T0, 1);
    assert_true(limiter_used(limiter, T0));
    assert_true(limiter_used(limiter, T0 + US_PER_MIN - 1));
    assert_false(limiter_used(limiter, T0 + US_PER_MIN));
    limiter_free(limiter);
}

static void rules_are_told_as_configured(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{6, US_PER_S}, {60, US_PER_MIN}};
    struct limiter *limiter = limiter_new(NULL, 0);
    size_t count = 9;
    limiter_rules(limiter, &count);
    assert_int_equal(count, 0);
    limiter_configure(limiter, rules, 2);
    const struct limit_rule *told = limiter_rules(limiter, &count);
    assert_int_equal(count, 2);
    assert_int_equal(told[1].count, 60);
    assert_us(told[1].window_us, US_PER_MIN);
    limiter_free(limiter);
}

/* ---- property: all together never more than N in any window ---- */

#define PROCESSES 5
#define STARTS    4000
struct company {
    struct limit_rule rules[2];
    size_t rule_count;
    struct limiter *limiters[PROCESSES];
    size_t parts[PROCESSES]; /* what each knows */
    size_t count;
    int64_t starts[STARTS]; /* of all, also before they went apart */
    size_t start_count;
    int64_t now_us;
    struct rng rng;
};

static void company_send(struct company *company, struct limiter *limiter) {
    size_t sent = send_up_to(limiter, company->now_us, (size_t)draw(&company->rng, 0, 5));
    assert_true(company->start_count + sent <= STARTS);
    while (sent--) company->starts[company->start_count++] = company->now_us;
}

/* One goes apart: it forgets what it knew, and is told what all sent until now. */
static void company_part(struct company *company, size_t i, size_t parts) {
    company->parts[i] = parts;
    limiter_part(company->limiters[i], parts, true);
    for (size_t j = 0; j < company->start_count; j++)
        limiter_restore(company->limiters[i], company->starts[j], company->now_us);
}

static void company_open(struct company *company, uint64_t seed) {
    *company = (struct company){.now_us = T0};
    rng_seed(&company->rng, seed);
    company->rule_count = (size_t)draw(&company->rng, 1, 2);
    company->rules[0] = (struct limit_rule){draw(&company->rng, 1, 20), draw(&company->rng, 1, 5) * US_PER_S};
    company->rules[1] = (struct limit_rule){draw(&company->rng, 5, 40), draw(&company->rng, 5, 20) * US_PER_S};
    company->count = (size_t)draw(&company->rng, 1, PROCESSES);
    for (size_t i = 0; i < PROCESSES; i++) company->limiters[i] = limiter_new(company->rules, company->rule_count);
    for (int i = 0; i < 20; i++) { /* they ask one another */
        company->now_us += draw(&company->rng, 0, US_PER_S);
        company_send(company, company->limiters[0]);
    }
    for (size_t i = 0; i < company->count; i++) company_part(company, i, company->count);
}

static void company_live(struct company *company, int steps) {
    for (int i = 0; i < steps; i++) {
        company->now_us += draw(&company->rng, 0, US_PER_S);
        company_send(company, company->limiters[rng_below(&company->rng, company->count)]);
    }
}

/* Another comes: the others hear of it one by one, and it sends only when all have. */
static void company_grow(struct company *company) {
    size_t grown = company->count + 1;
    if (grown > PROCESSES) return;
    for (size_t i = 0; i < company->count; i++) {
        company_live(company, 3);
        company->parts[i] = grown;
        limiter_part(company->limiters[i], grown, false);
    }
    company->count = grown;
    company_part(company, grown - 1, grown);
}

static void company_check(const struct company *company) {
    for (size_t i = 0; i < company->rule_count; i++)
        for (size_t from = 0, to = 0; to < company->start_count; to++) {
            while (company->starts[from] <= company->starts[to] - company->rules[i].window_us) from++;
            assert_in_range(to - from + 1, 1, (uintmax_t)company->rules[i].count);
        }
}

static void all_together_keep_within_the_limit(void **state) {
    (void)state;
    size_t most = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct company *company = calloc(1, sizeof *company);
        company_open(company, seed);
        for (int i = 0; i < 3; i++) {
            company_live(company, 60);
            company_grow(company);
        }
        company_live(company, 60);
        company_check(company);
        if (company->start_count > most) most = company->start_count;
        for (size_t i = 0; i < PROCESSES; i++) limiter_free(company->limiters[i]);
        free(company);
    }
    assert_true(most > 100); /* they do send */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_what_is_left_divided),
        cmocka_unit_test(a_send_on_its_way_counts_as_the_new_part),
        cmocka_unit_test(what_is_over_is_nobodys_part),
        cmocka_unit_test(a_part_that_shrinks_keeps_what_was_sent),
        cmocka_unit_test(history_is_told_anew_as_it_was),
        cmocka_unit_test(what_stays_unsent_gives_its_part_back),
        cmocka_unit_test(a_limit_is_used_while_a_start_counts),
        cmocka_unit_test(rules_are_told_as_configured),
        cmocka_unit_test(all_together_keep_within_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
