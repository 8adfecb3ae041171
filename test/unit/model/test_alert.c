#include "../base/check.h"

#include "base/when.h"
#include "model/alert.h"

#define START_US   (1000 * US_PER_DAY)
#define MINUTES(n) (START_US + (n)*US_PER_MIN)
#define EVERY_US   US_PER_HOUR

static bool str_holds(struct str text, const char *piece) {
    for (size_t i = 0; i < text.n; i++)
        if (str_starts(str_sub(text, i, text.n), str_from(piece))) return true;
    return false;
}

struct watch {
    struct arena arena;
    struct alert_book book;
    struct alert_news_list news;
};

/* One look; the book goes through its text, as it does in the store. */
static size_t look(struct watch *watch, int64_t minute, const struct cause *causes, size_t count) {
    watch->book = alert_book_read(alert_book_write(&watch->book, &watch->arena), &watch->arena);
    alert_decide(&watch->book, causes, count, EVERY_US, MINUTES(minute), &watch->arena, &watch->news);
    return watch->news.count;
}

static struct cause cause_of(const char *word, const char *name, int64_t count) {
    return (struct cause){.cause = str_from(word),
                          .kind = STR("destination"),
                          .name = str_from(name),
                          .error = STR("answered 422"),
                          .command = STR("drumbeat todo"),
                          .does = STR("shows it"),
                          .count = count};
}

/* Looks once a minute, from minute to minute; how many were told. */
static size_t look_on(struct watch *watch, int64_t from, int64_t to, const struct cause *causes, size_t count) {
    size_t told = 0;
    for (int64_t minute = from; minute < to; minute++) told += look(watch, minute, causes, count);
    return told;
}

static void a_cause_is_told_at_once_and_again_each_hour(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    const struct cause failed = cause_of("failed", "crm", 3);
    assert_int_equal(look(&watch, 0, &failed, 1), 1);
    assert_non_null(watch.news.items[0].cause);
    assert_int_equal(look_on(&watch, 1, 60, &failed, 1), 0);
    assert_int_equal(look(&watch, 60, &failed, 1), 1);
    assert_int_equal(look_on(&watch, 61, 120, &failed, 1), 0);
    arena_free(&watch.arena);
}

static void its_end_is_told_once_and_then_it_is_forgotten(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    const struct cause failed = cause_of("failed", "crm", 3);
    look(&watch, 0, &failed, 1);
    assert_int_equal(look_on(&watch, 1, 3, NULL, 0), 0); /* another process may still see it */
    assert_int_equal(look(&watch, 3, NULL, 0), 1);
    assert_null(watch.news.items[0].cause);
    assert_int_equal(watch.book.count, 1); /* so that it is not told again too soon */
    assert_int_equal(look_on(&watch, 4, 61, NULL, 0), 0);
    assert_int_equal(watch.book.count, 0);
    arena_free(&watch.arena);
}

static void one_whose_end_was_told_is_told_when_it_is_back(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    const struct cause failed = cause_of("failed", "crm", 3);
    look(&watch, 0, &failed, 1);
    assert_int_equal(look_on(&watch, 1, 3, NULL, 0), 0);
    assert_int_equal(look_on(&watch, 3, 4, &failed, 1), 0); /* its end was not told: it lasts */
    assert_int_equal(look_on(&watch, 4, 10, NULL, 0), 1);
    assert_int_equal(look(&watch, 10, &failed, 1), 1);
    assert_true(watch.news.items[0].cause && watch.news.items[0].alert.since_us == MINUTES(10));
    assert_int_equal(watch.news.items[0].silent_until_us, 0);
    assert_int_equal(look_on(&watch, 11, 70, &failed, 1), 0); /* and again after its hour */
    assert_int_equal(look(&watch, 70, &failed, 1), 1);
    arena_free(&watch.arena);
}

static void one_that_comes_and_goes_is_told_three_times_in_an_hour(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    const struct cause failed = cause_of("failed", "crm", 3);
    for (int64_t minute = 0; minute < 30; minute += 10) {
        assert_int_equal(look(&watch, minute, &failed, 1), 1);
        assert_int_equal(watch.news.items[0].silent_until_us, minute == 20 ? MINUTES(60) : 0);
        struct str payload = alert_payload(&watch.news.items[0], &watch.arena);
        assert_int_equal(str_holds(payload, "It comes and goes"), minute == 20);
        assert_int_equal(look_on(&watch, minute + 1, minute + 10, NULL, 0), 1);
    }
    assert_int_equal(look_on(&watch, 30, 40, &failed, 1), 0);
    assert_int_equal(look_on(&watch, 40, 50, NULL, 0), 0); /* that it was back was not told, so its end is not either */
    assert_int_equal(look_on(&watch, 50, 60, &failed, 1), 0);
    assert_int_equal(look(&watch, 60, &failed, 1), 1);
    assert_true(watch.news.items[0].alert.since_us == MINUTES(50));
    size_t told = 0; /* and so on */
    for (int64_t minute = 61; minute < 61 + 5 * 60; minute += 6) {
        for (int64_t at = minute; at < minute + 6; at++) {
            look(&watch, at, &failed, at < minute + 2);
            for (size_t i = 0; i < watch.news.count; i++) told += watch.news.items[i].cause != NULL;
        }
    }
    assert_in_range(told, 4 * ALERT_TIMES_MAX, 5 * ALERT_TIMES_MAX);
    arena_free(&watch.arena);
}

static void a_book_of_an_earlier_version_is_read(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct alert_book book =
        alert_book_read(STR("{\"reported\":3,\"alerts\":[[\"failed\",\"destination\",\"crm\",1,2,3,true]]}"), &arena);
    assert_int_equal(book.count, 1);
    assert_true(book.alerts[0].told && book.alerts[0].told_us == 3 && !book.alerts[0].before_us[0]);
    arena_free(&arena);
}

static void a_breaker_must_have_been_open_for_five_minutes(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    const struct cause breaker = cause_of("breaker", "crm", 3), unknown = cause_of("unknown", "crm", 1);
    assert_int_equal(look_on(&watch, 0, 4, &breaker, 1), 0);
    assert_int_equal(look_on(&watch, 4, 30, NULL, 0), 0);
    assert_int_equal(look_on(&watch, 30, 35, &breaker, 1), 0);
    assert_int_equal(look(&watch, 35, &breaker, 1), 1);
    assert_int_equal(look_on(&watch, 100, 115, &unknown, 1), 1); /* the end of the other */
    assert_int_equal(look(&watch, 115, &unknown, 1), 1);
    arena_free(&watch.arena);
}

static void groups_of_one_cause_are_one_message(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    struct cause causes[] = {cause_of("failed", "crm", 3), cause_of("failed", "crm", 5),
                             cause_of("failed", "forum", 1)};
    causes[1].error = STR("answered\n404 <!channel>\xe2\x80\xae");
    causes[1].oldest_us = MINUTES(-30);
    assert_int_equal(look(&watch, 0, causes, COUNT_OF(causes)), 2);
    assert_int_equal(watch.news.items[0].cause->count, 8);
    assert_int_equal(watch.news.items[0].cause->others, 1);
    assert_int_equal(watch.news.items[1].cause->others, 0);
    struct str payload = alert_payload(&watch.news.items[0], &watch.arena);
    assert_true(
        str_starts(payload, STR("{\"state\":\"firing\",\"text\":\"drumbeat needs you: failed: destination crm, 8 "
                                "times, since 1972-09-26T23:30:00Z: answered 404 \xe2\x80\xb9!channel\xe2\x80"
                                "\xba\\\\u202e (and 1 other error: drumbeat todo)\\ndrumbeat todo\\nshows it\"")));
    assert_true(str_holds(payload, "\"count\":8,\"other_errors\":1,"));
    arena_free(&watch.arena);
}

static void a_clock_that_was_ahead_silences_nothing(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    const struct cause failed = cause_of("failed", "crm", 3);
    look(&watch, 60 * 24 * 365, &failed, 1);
    assert_int_equal(look_on(&watch, 0, 60, &failed, 1), 0);
    assert_int_equal(look(&watch, 60, &failed, 1), 1);
    arena_free(&watch.arena);
}

static void many_at_once_are_told_one_look_after_the_other(void **state) {
    (void)state;
    struct watch watch = {.arena = ARENA_EMPTY};
    struct cause causes[ALERTS_MAX + 20];
    for (size_t i = 0; i < COUNT_OF(causes); i++) {
        causes[i] = cause_of("failed", "", 1);
        causes[i].name = str_fmt(&watch.arena, "d%zu", i);
    }
    assert_int_equal(look(&watch, 0, causes, COUNT_OF(causes)), ALERTS_TOLD_MAX);
    assert_int_equal(look_on(&watch, 1, 20, causes, COUNT_OF(causes)), ALERTS_MAX - ALERTS_TOLD_MAX);
    assert_int_equal(look_on(&watch, 20, 40, NULL, 0), ALERTS_MAX);
    arena_free(&watch.arena);
}

static void what_cannot_be_read_is_an_empty_book(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    static const char *const texts[] = {"", "{", "[]", "{\"alerts\":7}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) assert_int_equal(alert_book_read(str_from(texts[i]), &arena).count, 0);
    const struct alert_book empty = {0}, reported = {.reported_day = 7};
    assert_str(alert_book_write(&empty, &arena), "");
    assert_int_equal(alert_book_read(alert_book_write(&reported, &arena), &arena).reported_day, 7);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cause_is_told_at_once_and_again_each_hour),
        cmocka_unit_test(its_end_is_told_once_and_then_it_is_forgotten),
        cmocka_unit_test(one_whose_end_was_told_is_told_when_it_is_back),
        cmocka_unit_test(one_that_comes_and_goes_is_told_three_times_in_an_hour),
        cmocka_unit_test(a_book_of_an_earlier_version_is_read),
        cmocka_unit_test(a_breaker_must_have_been_open_for_five_minutes),
        cmocka_unit_test(groups_of_one_cause_are_one_message),
        cmocka_unit_test(a_clock_that_was_ahead_silences_nothing),
        cmocka_unit_test(many_at_once_are_told_one_look_after_the_other),
        cmocka_unit_test(what_cannot_be_read_is_an_empty_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
