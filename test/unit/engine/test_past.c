/* Which of what was made of an event is the past of what it owes now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "engine/past.h"

#include <stdio.h>
#include <string.h>

#define MOST 8

/* Deliveries as "destination place key status" in one text, in the order of runs: the key is . where there is none. The
 * status is + done, - failed, ~ cancelled, = done by an earlier run. */
static size_t read_made(struct arena *arena, const char *text, struct delivery *ret_made) {
    char where[32], place[32], key[32], sign;
    size_t count = 0;
    int used;
    while (sscanf(text, " %31s %31s %31s %c%n", where, place, key, &sign, &used) == 4) {
        bool has_key = key[0] != '.', skipped = sign == '~' || sign == '=';
        struct delivery *made = &ret_made[count++];
        *made = (struct delivery){.destination = str_fmt(arena, "%s", where),
                                  .route = STR("r"),
                                  .step = str_fmt(arena, has_key ? "r:%s" : "%s", has_key ? key : place),
                                  .place = has_key ? str_fmt(arena, "%s", place) : STR_NONE,
                                  .seq = (int64_t)count,
                                  .status = sign == '+' ? DELIVERY_COMPLETED
                                            : skipped   ? DELIVERY_SKIPPED
                                                        : DELIVERY_FAILED,
                                  .last_error = sign == '~'   ? STR("cancelled by ada")
                                                : sign == '=' ? STR(DELIVERY_RERUN_DONE)
                                                              : STR_NONE};
        text += used;
    }
    return count;
}

/* "destination place key": the key is . where there is none, ? where the event gives it. crm was client before. */
static struct plan read_owed(struct arena *arena, const char *text) {
    static struct str client[] = {{"client", 6}};
    struct plan plan = {.deliveries = arena_array(arena, struct delivery, MOST)};
    char where[32], place[32], key[32];
    int used;
    while (sscanf(text, " %31s %31s %31s%n", where, place, key, &used) == 3) {
        bool is_constant = key[0] != '.' && key[0] != '?';
        plan.deliveries[plan.count++] =
            (struct delivery){.destination = str_fmt(arena, "%s", where),
                              .route = STR("r"),
                              .step = str_fmt(arena, "%s", place),
                              .was = {.items = client, .count = strcmp(where, "crm") == 0},
                              .key_to_come = key[0] != '.',
                              .name_to_come = is_constant ? str_fmt(arena, "r:%s", key) : STR_NONE};
        text += used;
    }
    return plan;
}

/* The number of the past of each, - for none. */
static void pasts_are(const char *owed, const char *made, const char *expected) {
    struct arena arena = ARENA_EMPTY;
    struct delivery deliveries[MOST];
    struct plan plan = read_owed(&arena, owed);
    size_t count = read_made(&arena, made, deliveries);
    char found[MOST + 1] = "";
    for (size_t i = 0; i < plan.count; i++) {
        const struct delivery *last = past_find(&plan, i, deliveries, count);
        found[i] = last ? (char)('0' + last->seq) : '-';
    }
    if (strcmp(found, expected)) print_error("owed %s, made %s\n", owed, made);
    assert_string_equal(found, expected);
    arena_free(&arena);
}

static void without_keys_a_place_is_looked_for_in_the_last_run(void **state) {
    (void)state;
    pasts_are("crm r . crm r.2 . log r .", "crm r . - crm r.2 . + crm r . +", "32-");
    pasts_are("crm r .", "client r . -", "1");
    pasts_are("log r .", "client r . -", "-");
    pasts_are("crm r .", "", "-");
    pasts_are("crm r . crm r.2 .", "crm r ada +", "--");
}

static void what_got_its_key_from_the_event_is_known_by_its_place(void **state) {
    (void)state;
    pasts_are("crm r ? crm r.2 ?", "crm r ada - crm r.2 bob +", "12");
    pasts_are("crm r ? crm r.2 ?", "crm r.2 bob +", "-1");
    pasts_are("crm r ? log r ?", "log r ada - crm r bob +", "21");
    pasts_are("crm r ?", "client r ada -", "1");
    pasts_are("crm r ?", "crm r ada - crm r.2 bob +", "1");
    pasts_are("crm r ?", "crm r . - crm r ada +", "2");
    pasts_are("crm r ? crm r.2 ?", "crm r . - crm r.2 . - crm r.2 bob +", "13");
    pasts_are("crm r ?", "crm r ada + crm r ada =", "1");
}

static void a_constant_key_is_known_wherever_it_stands(void **state) {
    (void)state;
    pasts_are("crm r tips crm r.2 news", "crm r news - crm r.2 tips +", "21");
    pasts_are("crm r tips", "crm r . -", "1");
    pasts_are("crm r tips", "crm r news +", "-");
    pasts_are("crm r ? crm r.2 tips", "crm r tips + crm r.2 ada -", "-1");
    pasts_are("crm r ?", "crm r old + crm r.2 ada -", "1");
}

static void a_persons_word_is_told_from_what_a_route_skipped(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct delivery made[2];
    assert_int_equal(read_made(&arena, "crm r . ~ crm r . +", made), 2);
    assert_true(delivery_is_cancelled(&made[0]));
    assert_false(delivery_is_cancelled(&made[1]));
    assert_false(past_repeats(&made[0]));
    made[0].last_error = STR("unless: .off");
    assert_false(delivery_is_cancelled(&made[0]));
    assert_false(past_repeats(&made[0]));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_keys_a_place_is_looked_for_in_the_last_run),
        cmocka_unit_test(what_got_its_key_from_the_event_is_known_by_its_place),
        cmocka_unit_test(a_constant_key_is_known_wherever_it_stands),
        cmocka_unit_test(a_persons_word_is_told_from_what_a_route_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
