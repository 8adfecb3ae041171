/* Plans to send again, as the store keeps them, and the one item at a time that is carried out. */
#include "work.h"

#include "store/replay.h"
#include "store/replay_window.h"

static struct replay add_plan(struct fixture *f) {
    struct replay replay = {.status = REPLAY_PLANNING,
                            .actor = STR("ada"),
                            .until_us = WHEN_NEVER,
                            .error = STR("answered 503"),
                            .digest = STR("d"),
                            .jq = STR(".n > 1"),
                            .created_us = T0 + US_PER_S,
                            .expires_us = T0 + US_PER_DAY};
    OK(store_replay_add(f->store, &replay));
    return replay;
}

static void a_plan_is_as_it_was_written(void **state) {
    struct fixture *f = *state;
    struct replay read, *all;
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < 3; i++) fixture_append(f, str_fmt(&f->arena, "k%d", i).p, T0);
    struct replay plan = add_plan(f);
    assert_int_equal(plan.first_seq, 0);
    assert_int_equal(plan.end_seq, 3);
    OK(store_replay_next(f->store, 0, &f->arena, &read));
    assert_int_equal(read.seq, plan.seq);
    assert_text(read.error, "answered 503");
    assert_int_equal(read.until_us, WHEN_NEVER);
    plan.status = REPLAY_PLANNED;
    plan.last_seq = 3;
    OK(store_replay_set(f->store, &plan));
    assert_int_equal(store_replay_next(f->store, 0, &f->arena, &read), ERR_NOT_FOUND);
    OK(store_replay_get(f->store, plan.seq, &f->arena, &read));
    assert_int_equal(read.status, REPLAY_PLANNED);
    OK(store_replay_list(f->store, 0, 10, &f->arena, &all, &count));
    assert_int_equal(count, 1);
    assert_int_equal(store_replay_get(f->store, 99, &f->arena, &read), ERR_NOT_FOUND);
    fixture_commit(f);
}

static void a_window_has_events_with_their_deliveries(void **state) {
    struct fixture *f = *state;
    struct replay_window window;
    fixture_begin(f);
    fixture_deliver(f, "a", "crm", DELIVERY_FAILED);
    fixture_append(f, "b", T0);
    fixture_deliver(f, "c", "mail", DELIVERY_COMPLETED);
    OK(store_replay_window(f->store, 0, 3, 2, false, &f->arena, &window));
    assert_true(window.more);
    assert_int_equal(window.event_count, 2);
    assert_int_equal(window.delivery_count, 1);
    assert_int_equal(window.of[0], window.events[0].seq);
    OK(store_replay_window(f->store, window.last_seq, 3, 2, false, &f->arena, &window));
    assert_false(window.more);
    assert_int_equal(window.delivery_count, 1);
    assert_text(window.deliveries[0].destination, "mail");
    fixture_commit(f);
}

/* Payloads are what makes a window large, so it is cut by their bytes. */
static void a_window_with_payloads_stays_small(void **state) {
    struct fixture *f = *state;
    struct replay_window window;
    int windows = 0, events = 0;
    fixture_begin(f);
    for (int i = 0; i < 100; i++) fixture_append(f, str_fmt(&f->arena, "k%d", i).p, T0);
    fixture_deliver(f, "last", "crm", DELIVERY_FAILED);
    for (int64_t after = 0; after < 110; after = window.last_seq, windows++) {
        OK(store_replay_window(f->store, after, 110, 2, true, &f->arena, &window));
        for (size_t i = 0; i < window.event_count; i++, events++) assert_true(window.events[i].payload.n > 0);
        assert_true(window.event_count <= 64);
        if (!window.more) assert_int_equal(window.last_seq, 110);
    }
    assert_int_equal(events, 101);
    assert_true(windows >= 2);
    OK(store_replay_window(f->store, 100, 101, 2, true, &f->arena, &window));
    assert_int_equal(window.event_count, 1);
    assert_text(window.events[0].key, "last");
    assert_int_equal(window.delivery_count, 1);
    fixture_commit(f);
}

static void failures_are_named_and_forgotten(void **state) {
    struct fixture *f = *state;
    struct replay_failure *failures;
    size_t count;
    fixture_begin(f);
    struct replay plan = add_plan(f), read;
    const struct replay_failure two[] = {{1, {{1}}, STR("no text")}, {2, {{2}}, STR("no \"text\"")}};
    OK(store_replay_failures_add(f->store, plan.seq, two, 2, &f->arena));
    OK(store_replay_failures(f->store, plan.seq, 1, 10, &f->arena, &failures, &count));
    assert_int_equal(count, 1);
    assert_int_equal(failures[0].n, 2);
    assert_int_equal(failures[0].event_id.b[0], 2);
    assert_text(failures[0].words, "no \"text\"");
    plan.status = REPLAY_CANCELLED;
    plan.failed = 2;
    plan.runaways = 1;
    plan.updated_us = T0;
    OK(store_replay_set(f->store, &plan));
    OK(store_replay_get(f->store, plan.seq, &f->arena, &read));
    assert_int_equal(read.failed, 2);
    assert_int_equal(read.runaways, 1);
    assert_text(read.jq, ".n > 1");
    OK(store_replay_forget(f->store, T0 + 2 * US_PER_DAY, 10, &f->arena, &count));
    OK(store_replay_failures(f->store, plan.seq, 0, 10, &f->arena, &failures, &count));
    assert_int_equal(count, 0);
    fixture_commit(f);
}

static void an_item_is_made_once(void **state) {
    struct fixture *f = *state;
    struct replay_part part = {.destination = STR("crm"), .items = 1}, *parts;
    struct replay_item *items;
    struct delivery made;
    size_t count;
    part.counts[VERDICT_SEND] = 1;
    fixture_begin(f);
    struct delivery lost = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &lost, DELIVERY_FAILED, "failed");
    struct replay plan = add_plan(f);
    const struct replay_item item = {.destination = STR("crm"),
                                     .route = lost.route,
                                     .step = lost.step,
                                     .n = 1,
                                     .event_id = lost.event_id,
                                     .delivery = lost.seq,
                                     .verdict = VERDICT_SEND};
    OK(store_replay_items_add(f->store, plan.seq, &item, 1, &f->arena));
    OK(store_replay_part_set(f->store, plan.seq, &part, 1, &f->arena));
    OK(store_replay_items(f->store, plan.seq, STR("crm"), 0, 10, &f->arena, &items, &count));
    assert_int_equal(count, 1);
    const struct replay_act act = {.item = items, .original = true, .now_us = T0 + US_PER_MIN};
    OK(store_replay_apply(f->store, &act, f->hasher, &f->arena, &made));
    assert_int_equal(made.run, 1);
    assert_int_equal(made.status, DELIVERY_PENDING);
    assert_int_equal(store_replay_apply(f->store, &act, f->hasher, &f->arena, &made), ERR_NOT_NOW);
    items[0].result = made.seq;
    part.place = part.made = 1;
    OK(store_replay_results(f->store, plan.seq, items, 1, &f->arena));
    OK(store_replay_part_set(f->store, plan.seq, &part, 1, &f->arena));
    OK(store_replay_parts(f->store, plan.seq, &f->arena, &parts, &count));
    assert_int_equal(count, 1);
    assert_int_equal(parts[0].made, 1);
    assert_int_equal(parts[0].counts[VERDICT_SEND], 1);
    OK(store_replay_items(f->store, plan.seq, STR("crm"), 0, 10, &f->arena, &items, &count));
    assert_int_equal(items[0].result, made.seq);
    plan.status = REPLAY_DONE;
    plan.updated_us = T0;
    OK(store_replay_set(f->store, &plan));
    OK(store_replay_forget(f->store, T0, 10, &f->arena, &count));
    assert_int_equal(count, 0);
    OK(store_replay_forget(f->store, T0 + 2 * US_PER_DAY, 10, &f->arena, &count));
    assert_int_equal(count, 1);
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(a_plan_is_as_it_was_written),
        ON_EVERY_DRIVER(a_window_has_events_with_their_deliveries),
        ON_EVERY_DRIVER(a_window_with_payloads_stays_small),
        ON_EVERY_DRIVER(failures_are_named_and_forgotten),
        ON_EVERY_DRIVER(an_item_is_made_once),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
