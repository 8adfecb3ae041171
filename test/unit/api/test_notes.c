/* What is remembered of requests that sources refused: a note for each source in force, and one for all strangers. */
#include "../base/check.h"

#include <string.h>

#include "api/notes.h"
#include "base/when.h"
#include "model/settings.h"
#include "model/source.h"

static struct source_settings shop_and_crm[] = {{.name = {"shop", 4}}, {.name = {"crm", 3}}};
static struct source_settings shop_and_mail[] = {{.name = {"shop", 4}}, {.name = {"mail", 4}}};

static void a_source_speaks_once_a_minute_whatever_others_do(void **state) {
    (void)state;
    const struct settings settings = {.sources = shop_and_crm, .source_count = 2};
    struct notes *notes = notes_new();
    int64_t unsaid = -1;
    assert_true(note_may_speak(&notes_of(notes, &settings, STR("nobody"))->refused, 0, &unsaid));
    assert_false(note_may_speak(&notes_of(notes, &settings, STR("none"))->refused, 1, &unsaid));
    assert_true(note_may_speak(&notes_of(notes, &settings, STR("shop"))->refused, 1, &unsaid));
    assert_int_equal(unsaid, 0);
    assert_false(note_may_speak(&notes_of(notes, &settings, STR("shop"))->refused, 60 * US_PER_S, &unsaid));
    assert_true(note_may_speak(&notes_of(notes, &settings, STR("shop"))->unkeyed, 2, &unsaid));
    assert_true(note_may_speak(&notes_of(notes, &settings, STR("crm"))->refused, 2, &unsaid));
    assert_true(note_may_speak(&notes_of(notes, &settings, STR("shop"))->refused, 1 + 60 * US_PER_S, &unsaid));
    assert_int_equal(unsaid, 1);
    notes_free(notes);
}

static void a_source_that_is_removed_leaves_its_place(void **state) {
    (void)state;
    const struct settings before = {.sources = shop_and_crm, .source_count = 2};
    const struct settings after = {.sources = shop_and_mail, .source_count = 2};
    struct notes *notes = notes_new();
    note_refused(notes_of(notes, &before, STR("shop")), "E0135", STR("it does not fit"), 7);
    note_refused(notes_of(notes, &before, STR("crm")), "E0136", STR("too old"), 8);
    note_refused(notes_of(notes, &before, STR("nobody")), "E0135", STR("none"), 9);
    assert_null(notes_find(notes, STR("nobody")));
    assert_string_equal(notes_find(notes, STR("crm"))->why, "too old");
    note_refused(notes_of(notes, &after, STR("mail")), "E0135", STR("other"), 10);
    assert_null(notes_find(notes, STR("crm")));
    assert_string_equal(notes_find(notes, STR("shop"))->why, "it does not fit");
    assert_int_equal(notes_find(notes, STR("mail"))->at_us, 10);
    notes_free(notes);
}

static void a_long_reason_ends_with_a_whole_character(void **state) {
    (void)state;
    const struct settings settings = {.sources = shop_and_crm, .source_count = 2};
    struct notes *notes = notes_new();
    struct arena arena = ARENA_EMPTY;
    struct buf why = {.arena = &arena};
    buf_byte(&why, 'x');
    for (int i = 0; i < 200; i++) buf_add(&why, STR("\u00e9"));
    struct note *note = notes_of(notes, &settings, STR("shop"));
    note_refused(note, "E0135", buf_str(&why), 7);
    assert_int_equal(strlen(note->why), 199);
    note_refused(note, "E0135", str_sub(buf_str(&why), 1, why.n), 7);
    assert_int_equal(strlen(note->why), 198);
    arena_free(&arena);
    notes_free(notes);
}

static void several_refusals_weigh_until_something_is_taken(void **state) {
    (void)state;
    const struct settings settings = {.sources = shop_and_crm, .source_count = 2};
    struct notes *notes = notes_new();
    struct note *shop = notes_of(notes, &settings, STR("shop"));
    assert_false(note_weighs(shop, 0));
    for (int i = 1; i < NOTE_SEVERAL; i++) note_refused(shop, "E0135", STR("it does not fit"), i * US_PER_HOUR);
    assert_false(note_weighs(shop, 4 * US_PER_HOUR));
    note_refused(shop, "E0135", STR("it does not fit"), 5 * US_PER_HOUR);
    assert_true(note_weighs(shop, 5 * US_PER_HOUR));
    assert_int_equal(shop->first_us, US_PER_HOUR);
    assert_false(note_weighs(notes_find(notes, STR("crm")), 5 * US_PER_HOUR));
    assert_true(note_weighs(shop, 5 * US_PER_HOUR + US_PER_DAY - 1));
    assert_false(note_weighs(shop, 5 * US_PER_HOUR + US_PER_DAY)); /* a day without new ones */
    note_refused(shop, "E0135", STR("it does not fit"), 5 * US_PER_HOUR + US_PER_DAY);
    assert_int_equal(shop->refusals, 1); /* which began anew */
    for (int i = 0; i < NOTE_SEVERAL; i++) note_refused(shop, "E0135", STR("it does not fit"), 2 * US_PER_DAY);
    assert_true(note_weighs(shop, 2 * US_PER_DAY));
    note_taken(notes, STR("shop"));
    note_taken(notes, STR("nobody"));
    assert_false(note_weighs(shop, 2 * US_PER_DAY));
    assert_string_equal(shop->why, "it does not fit"); /* the last reason stays to be read */
    notes_free(notes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_speaks_once_a_minute_whatever_others_do),
        cmocka_unit_test(a_source_that_is_removed_leaves_its_place),
        cmocka_unit_test(a_long_reason_ends_with_a_whole_character),
        cmocka_unit_test(several_refusals_weigh_until_something_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
