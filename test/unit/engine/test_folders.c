/* Folders whose files make events: when a file is looked at, read and published, and what a turn that is dropped
 * undoes.
 */
#include "house_acts.h"

#include "shelf_acts.h"

/* ---- read ---- */

static void a_file_is_read_when_two_looks_found_it_the_same(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    struct shelf_file *file = shelf_put(shelf, "a.md", SHELF_AT("16:00:00"));
    house_open(house, SHELF_CONFIG);
    for (int i = 0; i < 5; i++) { /* somebody writes */
        shelf_change(shelf, file, SHELF_AT("16:00:00"));
        shelf_rounds(shelf, 1);
        assert_file(shelf, "a.md", SETTLING);
    }
    assert_int_equal(shelf->reads, 0);
    shelf_rounds(shelf, 1);
    assert_int_equal(shelf->reads, 1);
    assert_file(shelf, "a.md", PUBLISHED);
    assert_int_equal(shelf_events(shelf), 1);
}

/* It was changed between the looks and the end of the read: the half that was read does not count. */
static void a_file_that_changes_while_it_is_read_waits(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("16:00:00"));
    shelf->changes_in_read = "---\npublish_at: 2025-11-24T20:00:00Z\n---\n";
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 1);
    assert_int_equal(shelf->reads, 1);
    assert_file(shelf, "a.md", SETTLING);
    assert_int_equal(shelf_events(shelf), 0);
    shelf_rounds(shelf, 2);
    assert_file(shelf, "a.md", WAITING);
    assert_int_equal(shelf_events(shelf), 0);
}

static void what_did_not_change_is_not_read_again(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("20:00:00"));
    shelf_put(shelf, "b.md", "no front matter");
    shelf_put(shelf, "c.md", "---\npublish_at: 2025-11-24T20:00:00Z\n");
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 2);
    assert_file(shelf, "a.md", WAITING);
    assert_file(shelf, "b.md", DRAFT);
    assert_file(shelf, "c.md", BROKEN);
    int reads = shelf->reads, lists = shelf->lists;
    assert_int_equal(reads, 3);
    shelf_rounds(shelf, 10);
    assert_int_equal(shelf->reads, reads);
    assert_int_equal(shelf->lists, lists);
}

/* However many there are, a step looks at 64 and reads 4. */
static void a_step_is_bounded(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    char name[16];
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "f%03d.md", i);
        shelf_put(shelf, name, SHELF_AT("20:00:00"));
    }
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 3);
    assert_int_equal(shelf->looks_max, 64);
    assert_int_equal(shelf->reads_max, 4);
    assert_int_equal(shelf->reads, 150);
    assert_file(shelf, "f149.md", WAITING);
}

static void between_two_rounds_nothing_is_looked_at(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("20:00:00"));
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 3);
    size_t looks = shelf->looks;
    house_pass(house, SHELF_LOOK - 1);
    house_post(house, "other");
    assert_int_equal(shelf->looks, looks);
    house_pass(house, 1);
    house_turn(house);
    assert_int_equal(shelf->looks, looks + 1);
}

/* ---- the list ---- */

static void what_is_known_of_a_file_stays_with_its_name(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "b.md", SHELF_AT("16:00:00"));
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 2);
    assert_file(shelf, "b.md", PUBLISHED);
    struct shelf_file published = shelf->files[0];
    shelf->files[1] = published;
    shelf->count = 0;
    shelf_put(shelf, "a.md", SHELF_AT("20:00:00"));
    shelf->count = 2;
    shelf_rounds(shelf, 3);
    assert_file(shelf, "a.md", WAITING);
    assert_file(shelf, "b.md", PUBLISHED);
    assert_int_equal(shelf->reads, 2); /* that which was there is not read again */
}

static void a_folder_that_is_away_keeps_its_files_and_is_asked_again(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    size_t count;
    shelf_put(shelf, "a.md", SHELF_AT("16:00:00"));
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 2);
    shelf->away = true;
    int lists = shelf->lists;
    shelf_rounds(shelf, 3);
    assert_int_equal(shelf->lists, lists + 3);
    assert_has(folders_view(house->loop, &count)->problem, "there is no folder");
    assert_file(shelf, "a.md", PUBLISHED);
    shelf->away = false;
    shelf_rounds(shelf, 1);
    assert_int_equal(folders_view(house->loop, &count)->problem.n, 0);
}

/* ---- published ---- */

/* The loop wakes for it, and what it says is what it says then. */
static void it_is_published_at_its_time_as_it_stands_then(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    struct shelf_file *file = shelf_put(shelf, "a.md", SHELF_AT("17:01:01"));
    house->wall_us += US_PER_HOUR; /* the calendar's clock was set after the loop's began */
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 30);
    assert_true(house->now_us == T0 + US_PER_MIN);
    assert_file(shelf, "a.md", WAITING);
    loop_wait(house->loop, WHEN_NEVER);
    assert_true(house->waited_until_us == T0 + 61 * US_PER_S);
    house_pass(house, US_PER_S - 1);
    house_turn(house);
    assert_int_equal(shelf_events(shelf), 0);
    file->text = "---\npublish_at: 2025-11-24T17:01:01Z\n---\nworld\n"; /* its stamp is as it was */
    house_pass(house, 1);
    house_turn(house);
    assert_file(shelf, "a.md", PUBLISHED);
    assert_int_equal(shelf->reads, 2);
    assert_has(shelf_newest(shelf).payload, "\"body\":\"world\"");
}

/* Its time comes while somebody writes: one look alone found it as it is. */
static void one_that_changes_as_its_time_comes_waits(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    struct shelf_file *file = shelf_put(shelf, "a.md", SHELF_AT("16:00:11"));
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 4);
    assert_file(shelf, "a.md", WAITING);
    shelf_change(shelf, file, "---\npublish_at: 2025-11-24T16:00:11Z\n---\nhel");
    shelf_rounds(shelf, 1);
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_true(house->wall_us == T0 + 11 * US_PER_S);
    assert_int_equal(shelf_events(shelf), 0);
    shelf_change(shelf, file, SHELF_AT("16:00:11"));
    shelf_rounds(shelf, 3);
    assert_has(shelf_newest(shelf).payload, "\"body\":\"hello\"");
}

/* What lies back by just `late` is published, and nothing older. */
static void late_is_the_last_moment(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("15:00:01"));
    shelf_put(shelf, "b.md", SHELF_AT("15:00:02"));
    house_open(house, "version: 1\nstore: ./x.db\nsources:\n  blog: {type: folder, path: posts, late: 1h}\n");
    shelf_rounds(shelf, 1); /* it is two seconds past */
    assert_file(shelf, "a.md", PAST);
    assert_file(shelf, "b.md", PUBLISHED);
}

/* The turn that appended its event did not commit: it is published by the next one, once. */
static void a_dropped_turn_published_nothing(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("16:00:00"));
    house_open(house, SHELF_CONFIG);
    house->commit_fails = ERR_STORE_FULL;
    shelf_rounds(shelf, 3);
    assert_true(shelf->reads > 0);
    assert_int_equal(shelf_events(shelf), 0);
    house->commit_fails = ERR_NONE;
    shelf_rounds(shelf, 3);
    assert_file(shelf, "a.md", PUBLISHED);
    assert_int_equal(shelf_events(shelf), 1);
}

static void a_race_publishes_it_once(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("16:00:00"));
    house_open(house, SHELF_CONFIG);
    house->commit_races = 1;
    shelf_rounds(shelf, 3);
    assert_file(shelf, "a.md", PUBLISHED);
    assert_int_equal(shelf_events(shelf), 1);
}

/* After a restart it is appended again, and the store has it already: also where it was changed meanwhile. */
static void a_restart_finds_what_was_published(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("16:00:00"));
    struct shelf_file *changed = shelf_put(shelf, "b.md", SHELF_AT("16:00:00"));
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 2);
    assert_int_equal(shelf_events(shelf), 2);
    house_crash(house);
    shelf_change(shelf, changed, "---\npublish_at: 2025-11-24T16:00:00Z\n---\nother words\n");
    shelf_rounds(shelf, 3);
    assert_file(shelf, "a.md", PUBLISHED);
    assert_file(shelf, "b.md", EDITED);
    assert_int_equal(shelf_events(shelf), 2);
}

/* Going back to what was published is no edit any more. */
static void an_edit_that_is_taken_back_is_none(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    struct shelf_file *file = shelf_put(shelf, "a.md", SHELF_AT("16:00:00"));
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 2);
    shelf_change(shelf, file, "---\npublish_at: 2025-11-24T16:00:00Z\n---\nother words\n");
    shelf_rounds(shelf, 2);
    assert_file(shelf, "a.md", EDITED);
    shelf_change(shelf, file, SHELF_AT("16:00:00"));
    shelf_rounds(shelf, 2);
    assert_file(shelf, "a.md", PUBLISHED);
    shelf_change(shelf, file, "no draft any more");
    shelf_rounds(shelf, 2);
    assert_file(shelf, "a.md", EDITED);
    assert_int_equal(shelf_events(shelf), 1);
}

static void one_that_is_removed_before_its_time_is_not_published(void **state) {
    struct house *house = *state;
    struct shelf *shelf = shelf_new(house);
    shelf_put(shelf, "a.md", SHELF_AT("16:01:00"));
    house_open(house, SHELF_CONFIG);
    shelf_rounds(shelf, 2);
    assert_file(shelf, "a.md", WAITING);
    shelf->count = 0; /* and no look has told it */
    house_pass(house, US_PER_MIN);
    house_turn(house);
    shelf->changes++;
    shelf_rounds(shelf, 3);
    assert_int_equal(shelf_events(shelf), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, house_setup, house_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_file_is_read_when_two_looks_found_it_the_same),
        T(a_file_that_changes_while_it_is_read_waits),
        T(what_did_not_change_is_not_read_again),
        T(a_step_is_bounded),
        T(between_two_rounds_nothing_is_looked_at),
        T(what_is_known_of_a_file_stays_with_its_name),
        T(a_folder_that_is_away_keeps_its_files_and_is_asked_again),
        T(it_is_published_at_its_time_as_it_stands_then),
        T(one_that_changes_as_its_time_comes_waits),
        T(late_is_the_last_moment),
        T(a_dropped_turn_published_nothing),
        T(a_race_publishes_it_once),
        T(a_restart_finds_what_was_published),
        T(an_edit_that_is_taken_back_is_none),
        T(one_that_is_removed_before_its_time_is_not_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
