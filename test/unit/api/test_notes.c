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

/* A shop that is known to have been there, with NOTE_SEVERAL refusals a minute from each other, the last at last_us. */
static struct note *refuse_several(struct notes *notes, const struct settings *settings, int64_t last_us) {
    struct note *shop = notes_of(notes, settings, STR("shop"));
    for (int i = NOTE_SEVERAL - 1; i >= 0; i--)
        note_refused(shop, "E0135", STR("it does not fit"), last_us - i * US_PER_MIN);
    return shop;
}

static void several_refusals_weigh_an_hour_after_the_first_where_nothing_good_came_yet(void **state) {
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
    refuse_several(notes, &settings, 3 * US_PER_DAY);
    assert_false(note_weighs(shop, 3 * US_PER_DAY)); /* a stranger may have sent all of them at once */
    assert_true(note_weighs(shop, 3 * US_PER_DAY + US_PER_HOUR));
    note_taken(shop, 3 * US_PER_DAY + US_PER_HOUR);
    assert_false(note_weighs(shop, 3 * US_PER_DAY + 2 * US_PER_HOUR));
    assert_string_equal(shop->why, "it does not fit"); /* the last reason stays to be read */
    notes_free(notes);
}

static void noise_beside_a_sender_that_is_heard_does_not_weigh(void **state) {
    (void)state;
    const struct settings settings = {.sources = shop_and_crm, .source_count = 2};
    struct notes *notes = notes_new();
    struct note *shop = notes_of(notes, &settings, STR("shop"));
    int64_t now_us = US_PER_DAY;
    for (int hour = 0; hour < 7 * 24; hour++, now_us += US_PER_HOUR) { /* by day alone, and strangers at all hours */
        if (hour % 24 < 10) note_taken(shop, now_us);
        refuse_several(notes, &settings, now_us + US_PER_HOUR / 2);
        if (hour > 24) assert_false(note_weighs(shop, now_us + US_PER_HOUR / 2));
    }
    now_us += 9 * US_PER_HOUR; /* the sender's secret was changed in the night, and in the morning nothing good comes */
    refuse_several(notes, &settings, now_us);
    assert_true(note_weighs(shop, now_us));
    note_taken(shop, now_us);
    assert_true(shop->usual_us > 14 * US_PER_HOUR);
    note_taken(shop, now_us + 30 * US_PER_DAY); /* a month of nothing is no habit: a day is the most to wait for */
    refuse_several(notes, &settings, now_us + 31 * US_PER_DAY - 1);
    assert_false(note_weighs(shop, now_us + 31 * US_PER_DAY - 1));
    assert_true(note_weighs(shop, now_us + 31 * US_PER_DAY));
    notes_free(notes);
}

static void who_changed_a_source_need_not_wait(void **state) {
    (void)state;
    struct source_settings sources[3] = {shop_and_crm[0], shop_and_crm[1], {.name = {"new", 3}}};
    const struct settings first = {.sources = shop_and_crm, .source_count = 2},
                          second = {.sources = sources, .source_count = 3};
    struct notes *notes = notes_new();
    note_taken(notes_of(notes, &first, STR("shop")), US_PER_DAY);
    struct note *shop = refuse_several(notes, &second, US_PER_DAY + US_PER_MIN);
    assert_false(note_weighs(shop, US_PER_DAY + US_PER_MIN)); /* a reload that did not touch it */
    sources[0].webhook.secret = STR("another");
    shop = refuse_several(notes, &second, US_PER_DAY + US_PER_MIN);
    assert_int_equal(shop->refusals, NOTE_SEVERAL); /* since the change */
    assert_true(note_weighs(shop, US_PER_DAY + US_PER_MIN));
    struct note *fresh = notes_of(notes, &second, STR("new"));
    for (int i = 0; i < NOTE_SEVERAL; i++) note_refused(fresh, "E0135", STR("it does not fit"), US_PER_DAY);
    assert_true(note_weighs(fresh, US_PER_DAY));
    note_taken(fresh, US_PER_DAY);
    assert_false(note_weighs(refuse_several(notes, &second, US_PER_DAY + US_PER_MIN), US_PER_DAY + 3 * US_PER_DAY));
    notes_free(notes);
}

/* ---- what forms do not keep ---- */

static int64_t lost_of(const struct note *note, const char *field) {
    for (size_t i = 0; i < UNKEPT_MAX; i++)
        if (str_eq(str_from(note->unkept[i].name), str_from(field))) return note->unkept[i].count;
    return 0;
}

static void a_field_weighs_when_it_came_several_times_of_late(void **state) {
    (void)state;
    struct note note = {.code = NULL};
    for (int i = 0; i < UNKEPT_SEVERAL; i++) {
        assert_false(unkept_weighs(&note.unkept[0], US_PER_DAY));
        note_unkept(&note, STR("phone"), i * US_PER_DAY);
    }
    int64_t last_us = (UNKEPT_SEVERAL - 1) * US_PER_DAY;
    assert_int_equal(note.unkept[0].first_us, 0);
    assert_true(unkept_weighs(&note.unkept[0], last_us + 7 * US_PER_DAY - 1));
    assert_false(unkept_weighs(&note.unkept[0], last_us + 7 * US_PER_DAY));
    note_unkept(&note, STR("phone"), last_us + 8 * US_PER_DAY); /* another time */
    assert_int_equal(note.unkept[0].count, 1);
    assert_int_equal(note.unkept[0].first_us, last_us + 8 * US_PER_DAY);
}

static void strangers_names_do_not_drive_out_one_that_comes_often(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct note note = {.code = NULL};
    note_unkept(&note, STR("phone"), 1);
    note_unkept(&note, STR("phone"), 2);
    for (int i = 0; i < 1000; i++) note_unkept(&note, str_fmt(&arena, "x%d", i), 3);
    assert_int_equal(lost_of(&note, "phone"), 2);
    assert_int_equal(lost_of(&note, "x999"), 1);
    note_unkept(&note, str_fmt(&arena, "%0200d", 1), 4); /* what it keeps of a long name it finds again */
    note_unkept(&note, str_fmt(&arena, "%0200d", 1), 5);
    size_t long_ones = 0;
    for (size_t i = 0; i < UNKEPT_MAX; i++) long_ones += strlen(note.unkept[i].name) == UNKEPT_BYTES - 1;
    assert_int_equal(long_ones, 1);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_speaks_once_a_minute_whatever_others_do),
        cmocka_unit_test(a_source_that_is_removed_leaves_its_place),
        cmocka_unit_test(a_long_reason_ends_with_a_whole_character),
        cmocka_unit_test(several_refusals_weigh_an_hour_after_the_first_where_nothing_good_came_yet),
        cmocka_unit_test(noise_beside_a_sender_that_is_heard_does_not_weigh),
        cmocka_unit_test(who_changed_a_source_need_not_wait),
        cmocka_unit_test(a_field_weighs_when_it_came_several_times_of_late),
        cmocka_unit_test(strangers_names_do_not_drive_out_one_that_comes_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
