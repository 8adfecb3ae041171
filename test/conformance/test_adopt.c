/* A destination that goes on under another name takes over what the old name owes. */
#include "work.h"

#include "fixture.h"
#include "store/adopt.h"
#include "store/chore.h"
#include "store/memory.h"

static struct adoption rename_of(size_t limit) {
    return (struct adoption){.from = STR("old"), .to = STR("new"), .limit = limit, .now_us = T0 + 5};
}

static size_t adopt_all(struct fixture *f) {
    const struct adoption adoption = rename_of(2);
    size_t moved = 0, all = 0;
    do {
        OK(store_adopt(f->store, &adoption, &f->arena, &moved));
        all += moved;
    } while (moved);
    return all;
}

static struct delivery ordered(struct fixture *f, const char *key, const char *destination,
                               enum delivery_status status) {
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, key, T0);
    struct delivery delivery = fixture_delivery(f, event, destination, status);
    delivery.order_key = STR("ada");
    fixture_plan_one(f, &delivery);
    fixture_routed(f, event, EVENT_PROCESSING, "");
    return delivery;
}

static void assert_clean(struct fixture *f) {
    struct verification found;
    OK(store_verify(f->store, false, f->hasher, &f->arena, &found));
    for (size_t i = 0; i < found.violation_count; i++) print_error("%.*s\n", STR_ARG(found.violations[i].text));
    assert_int_equal(found.violation_count, 0);
}

static void what_waits_goes_over_in_steps_and_keeps_its_key(void **state) {
    struct fixture *f = *state;
    struct delivery waiting[3];
    size_t count;
    fixture_begin(f);
    const char *const keys[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) waiting[i] = fixture_deliver(f, keys[i], "old", DELIVERY_PENDING);
    struct delivery other = fixture_deliver(f, "d", "mail", DELIVERY_PENDING);
    const struct adoption adoption = rename_of(2);
    OK(store_adopt(f->store, &adoption, &f->arena, &count));
    assert_int_equal(count, 2);
    assert_int_equal(adopt_all(f), 1);
    for (size_t i = 0; i < 3; i++) {
        struct delivery now = fixture_get(f, waiting[i].id);
        assert_text(now.destination, "new");
        assert_true(uuid_eq(now.key, waiting[i].key));
    }
    assert_text(fixture_get(f, other.id).destination, "mail");
    struct delivery *claimed = fixture_claim(f, "new", 9, T0 + 6, &count);
    assert_int_equal(count, 3);
    assert_true(uuid_eq(claimed[0].key, waiting[0].key));
    fixture_commit(f);
    assert_clean(f);
}

static void a_second_name_keeps_the_first_key(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    struct delivery waiting = fixture_deliver(f, "a", "old", DELIVERY_PENDING);
    assert_int_equal(adopt_all(f), 1);
    const struct adoption again = {.from = STR("new"), .to = STR("newest"), .limit = 9, .now_us = T0 + 6};
    OK(store_adopt(f->store, &again, &f->arena, &count));
    assert_int_equal(count, 1);
    assert_text(fixture_get(f, waiting.id).destination, "newest");
    assert_true(uuid_eq(fixture_get(f, waiting.id).key, waiting.key));
    fixture_commit(f);
    assert_clean(f);
}

/* Its route is gone, or cannot make it: its id stays, and so does the name that the id was made with. */
static void what_its_route_makes_nothing_of_keeps_its_first_key(void **state) {
    struct fixture *f = *state;
    struct delivery *found;
    size_t count;
    fixture_begin(f);
    struct delivery waiting = fixture_deliver(f, "a", "old", DELIVERY_PENDING);
    assert_int_equal(adopt_all(f), 1);
    const char *unmade = "UPDATE deliveries SET status = 'HELD', params = ''";
    fixture_sql_of(f, unmade, unmade);
    OK(store_unmade(f->store, 0, 10, &f->arena, &found, &count));
    assert_int_equal(count, 1);
    found->status = DELIVERY_SKIPPED;
    OK(store_make(f->store, found, 1, T0 + 7, &f->arena));
    assert_true(uuid_eq(fixture_get(f, waiting.id).key, waiting.key));
    fixture_commit(f);
    assert_clean(f);
}

static void what_is_being_sent_stays_and_what_waits_behind_it(void **state) {
    struct fixture *f = *state;
    int64_t flying, in_order;
    fixture_begin(f);
    struct delivery sent = ordered(f, "a", "old", DELIVERY_PROCESSING);
    struct delivery behind = ordered(f, "b", "old", DELIVERY_PENDING);
    assert_int_equal(adopt_all(f), 0);
    assert_text(fixture_get(f, sent.id).destination, "old");
    assert_text(fixture_get(f, behind.id).destination, "old");
    OK(store_flying(f->store, STR("old"), &f->arena, &flying, &in_order));
    assert_int_equal(flying, 1);
    assert_int_equal(in_order, 1);
    fixture_end(f, &sent, DELIVERY_COMPLETED, "done");
    assert_int_equal(adopt_all(f), 1);
    assert_text(fixture_get(f, behind.id).destination, "new");
    assert_text(fixture_get(f, sent.id).destination, "old");
    fixture_commit(f);
    assert_clean(f);
}

/* The one of the new name was made later, so it goes after both of the old one. */
static void an_order_goes_on_under_the_new_name(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    struct delivery first = ordered(f, "a", "old", DELIVERY_PENDING);
    struct delivery second = ordered(f, "b", "old", DELIVERY_PENDING);
    struct delivery third = ordered(f, "c", "new", DELIVERY_PENDING);
    const struct adoption adoption = rename_of(1);
    OK(store_adopt(f->store, &adoption, &f->arena, &count));
    assert_int_equal(count, 1);
    fixture_commit(f);
    assert_clean(f); /* between two steps, too */
    fixture_begin(f);
    assert_int_equal(adopt_all(f), 1);
    const struct delivery *const expected[] = {&first, &second, &third};
    for (size_t i = 0; i < 3; i++) {
        struct delivery *claimed = fixture_claim(f, "new", 9, T0 + 6, &count);
        assert_int_equal(count, 1);
        assert_int_equal(claimed[0].seq, expected[i]->seq);
        fixture_end(f, &claimed[0], DELIVERY_COMPLETED, "done");
    }
    fixture_commit(f);
    assert_clean(f);
}

static void what_both_names_owe_stays_where_it_is(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct event event = fixture_append(f, "a", T0);
    struct delivery old = fixture_delivery(f, &event, "old", DELIVERY_PENDING);
    struct delivery twin = fixture_delivery(f, &event, "new", DELIVERY_PENDING);
    fixture_plan_one(f, &old);
    fixture_plan_one(f, &twin);
    fixture_routed(f, &event, EVENT_PROCESSING, "");
    assert_int_equal(adopt_all(f), 0);
    assert_text(fixture_get(f, old.id).destination, "old");
    fixture_commit(f);
    assert_clean(f);
}

static void what_is_held_or_failed_is_looked_through_in_pages(void **state) {
    struct fixture *f = *state;
    struct adoption adoption = rename_of(2);
    struct adopted adopted;
    fixture_begin(f);
    struct delivery other = fixture_deliver(f, "a", "mail", DELIVERY_PROCESSING);
    struct delivery held = fixture_deliver(f, "b", "old", DELIVERY_PROCESSING);
    struct delivery last = fixture_deliver(f, "c", "old", DELIVERY_PROCESSING);
    struct delivery failed = fixture_deliver(f, "d", "old", DELIVERY_PROCESSING);
    fixture_end(f, &other, DELIVERY_HELD, "unknown");
    fixture_end(f, &held, DELIVERY_HELD, "unknown");
    fixture_end(f, &last, DELIVERY_HELD, "unknown");
    fixture_end(f, &failed, DELIVERY_FAILED, "failed");
    OK(store_adopt_stopped(f->store, &adoption, DELIVERY_HELD, &f->arena, &adopted));
    assert_int_equal(adopted.moved, 1);
    assert_int_equal(adopted.last_seq, held.seq);
    assert_true(adopted.more);
    adoption.after_seq = adopted.last_seq;
    OK(store_adopt_stopped(f->store, &adoption, DELIVERY_HELD, &f->arena, &adopted));
    assert_int_equal(adopted.moved, 1);
    assert_false(adopted.more);
    assert_text(fixture_get(f, last.id).destination, "new");
    assert_text(fixture_get(f, failed.id).destination, "old");
    adoption.after_seq = 0;
    OK(store_adopt_stopped(f->store, &adoption, DELIVERY_FAILED, &f->arena, &adopted));
    assert_int_equal(adopted.moved, 1);
    assert_int_equal(fixture_get(f, failed.id).status, DELIVERY_FAILED);
    assert_text(fixture_get(f, failed.id).destination, "new");
    assert_text(fixture_get(f, other.id).destination, "mail");
    fixture_commit(f);
    assert_clean(f);
}

/* What failed and was replaced by a later run that is done must not speak for its event again. */
static void what_failed_stays_with_the_run_that_took_its_place(void **state) {
    struct fixture *f = *state;
    struct uuid again;
    struct delivery after;
    struct adopted adopted;
    size_t count;
    const struct adoption adoption = rename_of(9);
    fixture_begin(f);
    struct delivery failed = fixture_deliver(f, "a", "old", DELIVERY_PROCESSING);
    fixture_end(f, &failed, DELIVERY_FAILED, "failed");
    OK(store_delivery_act(f->store, failed.id, ACT_RETRY, STR("me"), STR(""), T0 + 1, f->hasher, &f->arena, &after));
    again = after.id;
    after.status = DELIVERY_PENDING;
    OK(store_make(f->store, &after, 1, T0 + 2, &f->arena));
    struct delivery *claimed = fixture_claim(f, "old", 9, T0 + 3, &count);
    assert_int_equal(count, 1);
    fixture_end(f, &claimed[0], DELIVERY_COMPLETED, "done");
    OK(store_adopt_stopped(f->store, &adoption, DELIVERY_FAILED, &f->arena, &adopted));
    assert_int_equal(adopted.moved, 0);
    assert_text(fixture_get(f, failed.id).destination, "old");
    fixture_commit(f);
    assert_clean(f);
    (void)again;
}

static void a_pause_goes_over_unless_the_new_name_has_a_state(void **state) {
    struct fixture *f = *state;
    struct destination_state *states;
    size_t count;
    const struct destination_state paused = {
        .name = STR("old"), .paused = true, .pause_reason = STR("lunch"), .aspects = STATE_ALL};
    fixture_begin(f);
    OK(store_save_destination(f->store, &paused, 1, T0));
    OK(store_adopt_state(f->store, STR("old"), STR("new")));
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(count, 1);
    assert_text(states[0].name, "new");
    assert_true(states[0].paused);
    assert_text(states[0].pause_reason, "lunch");
    const struct destination_state running = {.name = STR("other"), .aspects = STATE_ALL};
    OK(store_save_destination(f->store, &running, 1, T0));
    OK(store_adopt_state(f->store, STR("new"), STR("other")));
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(count, 1);
    assert_text(states[0].name, "other");
    assert_false(states[0].paused);
    fixture_commit(f);
}

static void a_run_looks_under_all_earlier_names_for_what_is_done(void **state) {
    struct fixture *f = *state;
    enum run_before before[3];
    struct str names[] = {STR("newer"), STR("old")};
    fixture_begin(f);
    struct delivery first = fixture_deliver(f, "a", "old", DELIVERY_PROCESSING);
    fixture_end(f, &first, DELIVERY_COMPLETED, "done");
    struct delivery again[3] = {first, first, first};
    for (int i = 0; i < 3; i++) {
        again[i].destination = STR("newest");
        again[i].run = 1;
    }
    again[1].was = (struct str_list){names, 1};
    again[2].was = (struct str_list){names, 2};
    OK(store_run_before(f->store, again, 3, &f->arena, before));
    assert_int_equal(before[0], BEFORE_FAILED);
    assert_int_equal(before[1], BEFORE_FAILED);
    assert_int_equal(before[2], BEFORE_DONE);
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(what_waits_goes_over_in_steps_and_keeps_its_key),
        ON_EVERY_DRIVER(a_second_name_keeps_the_first_key),
        ON_EVERY_DRIVER(what_its_route_makes_nothing_of_keeps_its_first_key),
        ON_EVERY_DRIVER(what_is_being_sent_stays_and_what_waits_behind_it),
        ON_EVERY_DRIVER(an_order_goes_on_under_the_new_name),
        ON_EVERY_DRIVER(what_both_names_owe_stays_where_it_is),
        ON_EVERY_DRIVER(what_is_held_or_failed_is_looked_through_in_pages),
        ON_EVERY_DRIVER(what_failed_stays_with_the_run_that_took_its_place),
        ON_EVERY_DRIVER(a_pause_goes_over_unless_the_new_name_has_a_state),
        ON_EVERY_DRIVER(a_run_looks_under_all_earlier_names_for_what_is_done),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
