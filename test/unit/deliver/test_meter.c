#include "check.h"

#include "deliver/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct meters *opened(const struct limit_rule *rules, size_t count) {
    struct meters *meters = meters_new(METERS_MAX);
    meters_configure(meters, STR("room"), rules, count);
    return meters;
}

static void take(struct meters *meters, struct str value, int64_t now_us) {
    assert_int_equal(meters_room(meters, value, now_us, 1), 1);
    meters_take(meters, value, now_us);
    meters_commit(meters);
}

static void send(struct meters *meters, struct str value, int64_t now_us) {
    take(meters, value, now_us);
    meters_started(meters, value, now_us);
}

static struct str numbered(char text[16], size_t number) {
    snprintf(text, 16, "v%zu", number);
    return str_from(text);
}

static const struct limit_rule one_a_second[] = {{1, US_PER_S}};

static void each_value_counts_by_itself(void **state) {
    (void)state;
    struct meters *meters = opened(one_a_second, 1);
    send(meters, STR("a"), T0);
    assert_int_equal(meters_room(meters, STR("a"), T0 + 1, 9), 0);
    assert_int_equal(meters_room(meters, STR("b"), T0 + 1, 9), 1);
    assert_int_equal(meters_room(meters, STR(""), T0 + 1, 9), 1);
    assert_int_equal(meters_room(meters, STR("a"), T0 + US_PER_S, 9), 1);
    meters_free(meters);
    meters_free(NULL);
}

static void a_take_counts_until_it_is_rolled_back_or_unsent(void **state) {
    (void)state;
    struct meters *meters = opened(one_a_second, 1);
    meters_take(meters, STR("a"), T0);
    assert_int_equal(meters_room(meters, STR("a"), T0 + US_PER_HOUR, 1), 0);
    meters_rollback(meters);
    take(meters, STR("a"), T0);
    assert_int_equal(meters_room(meters, STR("a"), T0 + US_PER_HOUR, 1), 0); /* it has not started */
    meters_unsent(meters, STR("a"));
    assert_int_equal(meters_room(meters, STR("a"), T0, 1), 1);
    meters_free(meters);
}

static void what_waits_is_spread_and_what_waited_keeps_its_place(void **state) {
    (void)state;
    struct meters *meters = opened(one_a_second, 1);
    send(meters, STR("a"), T0);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + US_PER_S);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + 2 * US_PER_S);
    meters_commit(meters);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + 3 * US_PER_S); /* behind those that wait */
    meters_commit(meters);
    assert_us(meters_slot(meters, STR("a"), T0, T0, false), T0 + US_PER_S); /* it waited before */
    assert_us(meters_slot(meters, STR("a"), T0, T0, false), T0 + 2 * US_PER_S);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + 4 * US_PER_S);
    meters_commit(meters);
    assert_us(meters_slot(meters, STR("b"), T0, T0 + 5, true), T0 + US_PER_MS); /* never now: the loop would spin */
    assert_us(meters_slot(meters, STR("c"), T0, T0 + US_PER_MIN, true), T0 + US_PER_MIN);
    meters_rollback(meters);
    for (int i = 0; i < 2000; i++) meters_slot(meters, STR("a"), T0, T0, true);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + METER_AHEAD_US);
    assert_us(meters_slot(meters, STR("a"), T0, T0 + US_PER_HOUR, true), T0 + US_PER_HOUR);
    meters_free(meters);
}

static void who_waits_for_sends_that_are_to_start_asks_again_in_a_second(void **state) {
    (void)state;
    struct meters *meters = meters_new(1);
    meters_configure(meters, STR("room"), one_a_second, 1);
    take(meters, STR("a"), T0);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + US_PER_S);
    assert_us(meters_slot(meters, STR("b"), T0, T0, true), T0 + US_PER_MS + US_PER_S); /* it has no place */
    meters_free(meters);
}

/* A new value obeys all rules at once, and what waits is spread by the slowest of them. */
static void several_rules_hold_together(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{5, US_PER_S}, {3, US_PER_MIN}, {4, 10 * US_PER_S}};
    struct meters *meters = opened(rules, COUNT_OF(rules));
    assert_us(meters_longest_window(meters), US_PER_MIN);
    assert_int_equal(meters_room(meters, STR("a"), T0, 9), 3);
    for (int i = 0; i < 3; i++) send(meters, STR("a"), T0);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + US_PER_MIN);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + US_PER_MIN + 20 * US_PER_S);
    meters_free(meters);
}

/* However often a turn takes of the same values, it keeps or drops all that it took. */
static void a_turn_ends_for_every_value_that_it_touched(void **state) {
    (void)state;
    const struct limit_rule two[] = {{2, US_PER_MIN}};
    static const char *const values[] = {"b", "a", "a", "b"};
    struct meters *meters = opened(two, 1);
    for (size_t i = 0; i < 4; i++) meters_take(meters, str_from(values[i]), T0);
    meters_rollback(meters);
    for (size_t i = 0; i < 3; i++) meters_take(meters, str_from(values[i]), T0);
    meters_commit(meters);
    for (size_t i = 0; i < 3; i++) meters_started(meters, str_from(values[i]), T0);
    assert_int_equal(meters_room(meters, STR("a"), T0, 9), 0);
    assert_int_equal(meters_room(meters, STR("b"), T0, 9), 1);
    meters_free(meters);
}

static void what_counts_nothing_is_forgotten_and_what_counts_never(void **state) {
    (void)state;
    struct meters *meters = opened(one_a_second, 1);
    char text[16];
    for (size_t i = 0; i < METERS_MAX; i++) send(meters, numbered(text, i), T0 + (int64_t)i);
    assert_int_equal(meters_count(meters), METERS_MAX);
    assert_int_equal(meters_room(meters, STR("new"), T0 + US_PER_S - 1, 1), 0); /* it waits */
    int64_t slot_us = meters_slot(meters, STR("new"), T0 + US_PER_S - 1, T0, true);
    assert_true(slot_us >= T0 + US_PER_S && slot_us < T0 + 2 * US_PER_S);
    meters_rollback(meters);
    assert_int_equal(meters_room(meters, numbered(text, 7), T0 + US_PER_S + 6, 1), 0);
    send(meters, STR("new"), T0 + US_PER_S); /* the oldest one's place */
    assert_int_equal(meters_count(meters), METERS_MAX);
    assert_int_equal(meters_room(meters, STR("newer"), T0 + US_PER_S, 1), 0);
    assert_int_equal(meters_room(meters, numbered(text, 0), T0 + US_PER_S, 1), 0); /* forgotten, and no place */
    meters_free(meters);
}

/* As many as there are places come for them one after the other, not all at once when the first is free. */
static void those_without_a_place_are_told_one_each(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{1, US_PER_MIN}};
    struct meters *meters = meters_new(3);
    char text[16];
    meters_configure(meters, STR("room"), rules, 1);
    for (size_t i = 0; i < 3; i++) send(meters, numbered(text, i), T0 + (int64_t)i * US_PER_S);
    int64_t now_us = T0 + 10 * US_PER_S;
    for (size_t i = 0; i < 3; i++)
        assert_us(meters_slot(meters, numbered(text, 10 + i), now_us, now_us, true),
                  T0 + US_PER_MIN + (int64_t)i * US_PER_S);
    assert_us(meters_slot(meters, STR("more"), now_us, now_us, true), T0 + US_PER_MIN);
    meters_commit(meters);
    send(meters, numbered(text, 10), T0 + US_PER_MIN);
    assert_us(meters_slot(meters, STR("more"), T0 + US_PER_MIN, T0, true), T0 + US_PER_MIN + US_PER_S);
    meters_free(meters);
}

/* One that is told to wait for a meter which is then used again leaves the next one its turn. */
static void a_promised_place_that_is_taken_is_not_promised_again(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{2, US_PER_MIN}};
    struct meters *meters = meters_new(3);
    char text[16];
    meters_configure(meters, STR("room"), rules, 1);
    for (size_t i = 0; i < 3; i++) send(meters, numbered(text, i), T0 + (int64_t)i * US_PER_S);
    int64_t now_us = T0 + 10 * US_PER_S;
    for (size_t i = 0; i < 2; i++)
        assert_us(meters_slot(meters, numbered(text, 10 + i), now_us, now_us, true),
                  T0 + US_PER_MIN + (int64_t)i * US_PER_S);
    send(meters, numbered(text, 1), now_us);
    assert_us(meters_slot(meters, STR("more"), now_us, now_us, true), T0 + US_PER_MIN + 2 * US_PER_S);
    meters_free(meters);
}

/* So that a wider limit is felt. */
static void nobody_waits_long_for_a_place(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{1, US_PER_DAY}};
    struct meters *meters = meters_new(1);
    meters_configure(meters, STR("room"), rules, 1);
    send(meters, STR("a"), T0);
    assert_us(meters_slot(meters, STR("b"), T0, T0, true), T0 + METER_AHEAD_US);
    assert_us(meters_slot(meters, STR("b"), T0, T0 + US_PER_HOUR, true), T0 + US_PER_HOUR);
    meters_free(meters);
}

/* What was taken and dropped, or never left, gives its place back; what waits in this turn keeps it. */
static void a_place_is_free_when_nothing_was_sent(void **state) {
    (void)state;
    struct meters *meters = meters_new(1);
    meters_configure(meters, STR("room"), one_a_second, 1);
    assert_us(meters_slot(meters, STR("waits"), T0, T0, true), T0 + US_PER_MS);
    assert_us(meters_slot(meters, STR("a"), T0, T0, true), T0 + 101 * US_PER_MS); /* soon: the table is full */
    assert_int_equal(meters_room(meters, STR("a"), T0, 1), 0);
    meters_commit(meters);
    assert_int_equal(meters_room(meters, STR("a"), T0, 1), 1);
    meters_take(meters, STR("a"), T0);
    meters_rollback(meters);
    take(meters, STR("b"), T0);
    assert_int_equal(meters_room(meters, STR("c"), T0 + US_PER_HOUR, 1), 0); /* it is to start */
    meters_unsent(meters, STR("b"));
    send(meters, STR("c"), T0);
    assert_int_equal(meters_count(meters), 1);
    meters_free(meters);
}

/* Only the oldest meters are looked at, so whatever uses one makes it the youngest. */
static void those_in_use_do_not_hide_the_one_that_is_idle(void **state) {
    (void)state;
    const int64_t later_us = T0 + 5 * US_PER_S;
    struct meters *meters = meters_new(5);
    char text[16];
    meters_configure(meters, STR("room"), one_a_second, 1);
    for (size_t i = 0; i < 5; i++) take(meters, numbered(text, i), T0);
    meters_started(meters, numbered(text, 4), T0);
    for (size_t i = 0; i < 4; i++) meters_started(meters, numbered(text, i), later_us);
    send(meters, STR("new"), later_us + 1);
    for (size_t i = 0; i < 4; i++) take(meters, numbered(text, i), later_us + US_PER_S);
    send(meters, STR("newer"), later_us + 2 * US_PER_S);
    assert_int_equal(meters_count(meters), 5);
    meters_free(meters);
}

/* Likewise at the start of the process. */
static void what_is_restored_is_the_youngest(void **state) {
    (void)state;
    struct meters *meters = meters_new(5);
    char text[16];
    meters_configure(meters, STR("room"), one_a_second, 1);
    for (size_t i = 0; i < 5; i++) meters_restore(meters, numbered(text, i), T0, T0);
    for (size_t i = 0; i < 4; i++) meters_restore(meters, numbered(text, i), T0 + 5 * US_PER_S, T0 + 5 * US_PER_S);
    assert_int_equal(meters_room(meters, STR("new"), T0 + 5 * US_PER_S + 1, 1), 1);
    meters_free(meters);
}

static void one_that_is_to_start_is_not_forgotten(void **state) {
    (void)state;
    struct meters *meters = opened(one_a_second, 1);
    char text[16];
    take(meters, STR("first"), T0);
    for (size_t i = 1; i < METERS_MAX; i++) send(meters, numbered(text, i), T0);
    send(meters, STR("new"), T0 + 2 * US_PER_S);
    assert_int_equal(meters_room(meters, STR("first"), T0 + 2 * US_PER_S, 1), 0);
    meters_started(meters, STR("first"), T0 + 2 * US_PER_S);
    assert_int_equal(meters_room(meters, STR("first"), T0 + 3 * US_PER_S - 1, 1), 0);
    meters_free(meters);
}

static void starts_that_find_no_place_shut_out_who_has_none(void **state) {
    (void)state;
    struct meters *meters = opened(one_a_second, 1);
    char text[16];
    for (size_t i = 0; i < METERS_MAX; i++) meters_restore(meters, numbered(text, i), T0, T0);
    meters_restore(meters, STR("lost"), T0 + 5, T0 + 5);
    assert_int_equal(meters_room(meters, STR("lost"), T0 + US_PER_S + 4, 1), 0);
    assert_true(meters_slot(meters, STR("lost"), T0 + 6, T0 + 6, true) >= T0 + US_PER_S + 5);
    assert_int_equal(meters_room(meters, numbered(text, 3), T0 + US_PER_S, 1), 1);
    assert_int_equal(meters_room(meters, STR("lost"), T0 + US_PER_S + 5, 1), 1);
    meters_free(meters);
}

/* The youngest of them says for how long, in whatever order they are told, also when there is a place before. */
static void the_youngest_lost_start_says_when_the_others_may_come(void **state) {
    (void)state;
    struct meters *meters = meters_new(1);
    meters_configure(meters, STR("room"), one_a_second, 1);
    meters_restore(meters, STR("a"), T0, T0 + 600 * US_PER_MS);
    meters_restore(meters, STR("lost"), T0 + 500 * US_PER_MS, T0 + 600 * US_PER_MS);
    meters_restore(meters, STR("lost"), T0 + 100 * US_PER_MS, T0 + 600 * US_PER_MS);
    assert_int_equal(meters_count(meters), 1);
    int64_t now_us = T0 + 1200 * US_PER_MS;
    assert_int_equal(meters_room(meters, STR("lost"), now_us, 1), 0);
    assert_us(meters_slot(meters, STR("lost"), now_us, now_us, true), T0 + 1500 * US_PER_MS);
    assert_int_equal(meters_room(meters, STR("lost"), T0 + 1500 * US_PER_MS - 1, 1), 0);
    assert_int_equal(meters_room(meters, STR("lost"), T0 + 1500 * US_PER_MS, 1), 1);
    meters_free(meters);
}

static void a_lost_start_of_the_future_counts_as_now(void **state) {
    (void)state;
    struct meters *meters = meters_new(1);
    meters_configure(meters, STR("room"), one_a_second, 1);
    for (int i = 0; i < 2; i++) meters_restore(meters, i ? STR("lost") : STR("a"), T0 + US_PER_DAY, T0);
    assert_int_equal(meters_room(meters, STR("lost"), T0 + US_PER_S - 1, 1), 0);
    assert_int_equal(meters_room(meters, STR("lost"), T0 + US_PER_S, 1), 1);
    meters_free(meters);
}

/* Who is shut out by starts of a long window is let in when a shorter one comes into force, and when all starts are
 * told anew: the table may then be empty. */
static void a_new_configuration_shuts_nobody_out_for_what_it_does_not_count(void **state) {
    (void)state;
    const struct limit_rule one_a_day[] = {{1, US_PER_DAY}};
    for (int forget = 0; forget < 2; forget++) {
        struct meters *meters = meters_new(1);
        meters_configure(meters, STR("room"), one_a_day, 1);
        meters_restore(meters, STR("a"), T0, T0);
        meters_restore(meters, STR("lost"), T0, T0);
        assert_int_equal(meters_room(meters, STR("lost"), T0 + US_PER_HOUR, 1), 0);
        if (forget) {
            meters_forget(meters);
            assert_us(meters_slot(meters, STR("lost"), T0, T0, true), T0 + US_PER_MS);
            meters_commit(meters);
        }
        meters_configure(meters, STR("room"), one_a_second, 1);
        assert_int_equal(meters_room(meters, STR("lost"), T0 + US_PER_HOUR, 1), 1);
        meters_free(meters);
    }
}

static void a_configuration_keeps_the_starts(void **state) {
    (void)state;
    const struct limit_rule two[] = {{2, US_PER_MIN}};
    struct meters *meters = opened(one_a_second, 1);
    send(meters, STR("a"), T0);
    meters_configure(meters, STR("room"), two, 1);
    assert_int_equal(meters_room(meters, STR("a"), T0 + 1, 9), 1);
    assert_int_equal(meters_room(meters, STR("a"), T0 + US_PER_S, 9), 1);
    assert_us(meters_longest_window(meters), US_PER_MIN);
    meters_forget(meters);
    assert_int_equal(meters_count(meters), 0);
    meters_configure(meters, STR(""), NULL, 0);
    assert_us(meters_longest_window(meters), 0);
    assert_int_equal(meters_room(meters, STR("a"), T0, 9), 9);
    meters_free(meters);
}

/* A send that is on its way, and what waits in this turn, are not the store's to tell. */
static void what_is_to_start_is_not_forgotten_with_the_starts(void **state) {
    (void)state;
    struct meters *meters = opened(one_a_second, 1);
    take(meters, STR("a"), T0);
    meters_slot(meters, STR("waits"), T0, T0, true);
    send(meters, STR("b"), T0);
    meters_slot(meters, STR("waits"), T0, T0, true);
    meters_forget(meters);
    assert_int_equal(meters_count(meters), 2);
    meters_commit(meters);
    meters_started(meters, STR("a"), T0 + 5);
    assert_int_equal(meters_room(meters, STR("a"), T0 + US_PER_S, 1), 0);
    meters_free(meters);
}

/* Random values, far more than there are places, against all that was ever sent. */
#define VALUES (METERS_MAX * 2)
#define KEPT   8
struct history {
    int64_t starts[VALUES][KEPT];
    unsigned char counts[VALUES];
};

static void no_window_of_any_value_is_passed(void **state) {
    (void)state;
    const struct limit_rule rules[] = {{2, 2 * US_PER_S}, {3, 7 * US_PER_S}};
    struct history *history = calloc(1, sizeof *history);
    struct meters *meters = opened(rules, 2);
    struct rng rng;
    size_t sent = 0, refused = 0, without_place = 0;
    rng_seed(&rng, 7);
    int64_t now_us = T0;
    for (int i = 0; i < 60000; i++) {
        char text[16];
        size_t number = rng_below(&rng, 2) ? rng_below(&rng, 300) : rng_below(&rng, VALUES);
        struct str value = numbered(text, number);
        now_us += (int64_t)rng_below(&rng, 400);
        if (!meters_room(meters, value, now_us, 1)) {
            assert_true(meters_slot(meters, value, now_us, now_us, rng_below(&rng, 2)) > now_us);
            meters_commit(meters);
            refused++;
            without_place += meters_count(meters) == METERS_MAX;
            continue;
        }
        meters_take(meters, value, now_us);
        if (!rng_below(&rng, 9)) {
            meters_rollback(meters);
            continue;
        }
        meters_commit(meters);
        int64_t *starts = history->starts[number];
        for (size_t r = 0; r < 2; r++) {
            int64_t count = 1;
            for (size_t j = 0; j < history->counts[number] && j < KEPT; j++)
                count += starts[j] > now_us - rules[r].window_us;
            assert_true(count <= rules[r].count);
        }
        starts[history->counts[number]++ % KEPT] = now_us;
        meters_started(meters, value, now_us);
        sent++;
    }
    assert_true(sent > 10000 && refused > 10000 && without_place > 1000);
    assert_true(meters_count(meters) <= METERS_MAX);
    meters_free(meters);
    free(history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_counts_by_itself),
        cmocka_unit_test(a_take_counts_until_it_is_rolled_back_or_unsent),
        cmocka_unit_test(what_waits_is_spread_and_what_waited_keeps_its_place),
        cmocka_unit_test(who_waits_for_sends_that_are_to_start_asks_again_in_a_second),
        cmocka_unit_test(several_rules_hold_together),
        cmocka_unit_test(a_turn_ends_for_every_value_that_it_touched),
        cmocka_unit_test(what_counts_nothing_is_forgotten_and_what_counts_never),
        cmocka_unit_test(those_without_a_place_are_told_one_each),
        cmocka_unit_test(a_promised_place_that_is_taken_is_not_promised_again),
        cmocka_unit_test(nobody_waits_long_for_a_place),
        cmocka_unit_test(a_place_is_free_when_nothing_was_sent),
        cmocka_unit_test(those_in_use_do_not_hide_the_one_that_is_idle),
        cmocka_unit_test(what_is_restored_is_the_youngest),
        cmocka_unit_test(one_that_is_to_start_is_not_forgotten),
        cmocka_unit_test(starts_that_find_no_place_shut_out_who_has_none),
        cmocka_unit_test(the_youngest_lost_start_says_when_the_others_may_come),
        cmocka_unit_test(a_lost_start_of_the_future_counts_as_now),
        cmocka_unit_test(a_new_configuration_shuts_nobody_out_for_what_it_does_not_count),
        cmocka_unit_test(a_configuration_keeps_the_starts),
        cmocka_unit_test(what_is_to_start_is_not_forgotten_with_the_starts),
        cmocka_unit_test(no_window_of_any_value_is_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
