#include "work.h"

/* ---- what memory is rebuilt from ---- */

static void sends_are_those_of_the_window_and_those_on_their_way(void **state) {
    struct fixture *f = *state;
    struct sent *sent;
    size_t count;
    fixture_begin(f);
    static const int64_t starts[] = {T0 + 30, T0 + 10, T0 + 20};
    for (size_t i = 0; i < 3; i++) {
        struct delivery delivery = fixture_deliver(f, str_fmt(&f->arena, "k%zu", i).p, "crm", DELIVERY_PROCESSING);
        struct settlement done = fixture_outcome(&delivery, DELIVERY_COMPLETED, "done");
        done.attempt.started_us = starts[i];
        fixture_settle(f, &done);
    }
    fixture_deliver(f, "on its way", "mail", DELIVERY_PROCESSING);
    fixture_deliver(f, "not yet", "mail", DELIVERY_PENDING);
    OK(store_sends_since(f->store, T0 + 10, T0 + 99, &f->arena, &sent, &count));
    fixture_commit(f);
    assert_int_equal(count, 3);
    assert_text(sent[0].destination, "crm");
    assert_int_equal(sent[0].started_us, T0 + 20);
    assert_int_equal(sent[1].started_us, T0 + 30);
    assert_text(sent[2].destination, "mail");
    assert_int_equal(sent[2].started_us, T0 + 99);
}

static void sends_of_a_destination_come_with_their_parameters(void **state) {
    struct fixture *f = *state;
    struct metered_send *sends;
    size_t count;
    fixture_begin(f);
    static const int64_t starts[] = {T0 + 30, T0 + 10, T0 + 20};
    for (size_t i = 0; i < 3; i++) {
        struct delivery delivery = fixture_deliver(f, str_fmt(&f->arena, "k%zu", i).p, "crm", DELIVERY_PROCESSING);
        struct settlement done = fixture_outcome(&delivery, DELIVERY_COMPLETED, "done");
        done.attempt.started_us = starts[i];
        fixture_settle(f, &done);
    }
    struct delivery flying = fixture_deliver(f, "on its way", "crm", DELIVERY_PROCESSING);
    fixture_deliver(f, "elsewhere", "mail", DELIVERY_PROCESSING);
    OK(store_sends_of(f->store, STR("crm"), T0 + 10, 9, &f->arena, &sends, &count));
    assert_int_equal(count, 2);
    assert_int_equal(sends[0].started_us, T0 + 20);
    assert_int_equal(sends[1].started_us, T0 + 30);
    assert_text(sends[0].action, flying.action.n ? flying.action.p : "");
    assert_true(sends[0].params.n >= 2 && sends[0].params.p[0] == '{'); /* the payload, where the route gave none */
    OK(store_sends_of(f->store, STR("crm"), T0, 1, &f->arena, &sends, &count));
    assert_int_equal(count, 1);
    assert_int_equal(sends[0].started_us, T0 + 10);
    OK(store_flying_of(f->store, STR("crm"), T0 + 99, &f->arena, &sends, &count));
    fixture_commit(f);
    assert_int_equal(count, 1);
    assert_int_equal(sends[0].started_us, T0 + 99);
    assert_true(sends[0].params.n >= 2);
}

static void a_destination_keeps_what_lasts(void **state) {
    struct fixture *f = *state;
    struct destination_state *states;
    size_t count;
    const struct destination_state saved[] = {
        {.name = STR("mail"), .breaker_state = 1, .breaker_until_us = T0 + 5, .breaker_failures = 7, .breaker_ramp = 2},
        {.name = STR("crm"),
         .paused = true,
         .paused_until_us = T0 + 9,
         .pause_reason = STR("401 Unauthorized"),
         .quiet_until_us = T0 + 3,
         .suspect_seq = 41,
         .probing = true,
         .aspects = STATE_ALL},
    };
    const struct destination_state other = {.name = STR("crm"), .suspect_seq = 42, .aspects = STATE_QUIET};
    const struct destination_state resumed = {.name = STR("crm"), .aspects = STATE_ALL};
    fixture_begin(f);
    OK(store_save_destination(f->store, saved, 2, T0));
    fixture_commit(f);
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(count, 2);
    assert_text(states[0].name, "crm");
    assert_true(states[0].paused);
    assert_int_equal(states[0].paused_until_us, T0 + 9);
    assert_text(states[0].pause_reason, "401 Unauthorized");
    assert_int_equal(states[0].quiet_until_us, T0 + 3);
    assert_int_equal(states[0].suspect_seq, 41);
    assert_true(states[0].probing);
    assert_text(states[1].name, "mail");
    assert_false(states[1].paused);
    assert_int_equal(states[1].breaker_state, 1);
    assert_int_equal(states[1].breaker_until_us, T0 + 5);
    assert_int_equal(states[1].breaker_failures, 7);
    assert_int_equal(states[1].breaker_ramp, 2);
    fixture_begin(f);
    OK(store_save_destination(f->store, &other, 1, T0));
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(states[0].suspect_seq, 41); /* it was not to be written */
    OK(store_save_destination(f->store, &resumed, 1, T0));
    fixture_commit(f);
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(count, 2);
    assert_false(states[0].paused);
    assert_int_equal(states[0].pause_reason.n, 0);
    assert_int_equal(states[0].suspect_seq, 0);
    assert_false(states[0].probing);
}

static void a_stop_is_of_one_program_until_it_heals(void **state) {
    struct fixture *f = *state;
    struct stopped_route *kept;
    size_t count;
    const struct stopped_route first[] = {{STR("lead"), STR("hash-1"), STR("ran too long"), T0},
                                          {STR("lead"), STR("hash-2"), STR("ran too long"), T0 + 1}};
    const struct stopped_route again = {STR("lead"), STR("hash-1"), STR("took too much memory"), T0 + 2};
    fixture_begin(f);
    OK(store_route_stop(f->store, &first[0]));
    OK(store_route_stop(f->store, &first[1]));
    OK(store_route_stop(f->store, &again));
    fixture_commit(f);
    OK(store_route_stops(f->store, &f->arena, &kept, &count));
    assert_int_equal(count, 2);
    assert_text(kept[0].route, "lead");
    assert_text(kept[0].program_hash, "hash-1");
    assert_text(kept[0].reason, "took too much memory");
    assert_int_equal(kept[0].until_us, T0 + 2);
    assert_text(kept[1].program_hash, "hash-2");
    fixture_begin(f);
    OK(store_route_heal(f->store, STR("lead"), STR("hash-1")));
    fixture_commit(f);
    OK(store_route_stops(f->store, &f->arena, &kept, &count));
    assert_int_equal(count, 1);
    assert_text(kept[0].program_hash, "hash-2");
}

/* ---- counts ---- */

static int64_t counted(const struct destination_counts *counts, size_t count, const char *destination,
                       enum delivery_status status) {
    for (size_t i = 0; i < count; i++)
        if (str_eq(counts[i].destination, str_from(destination))) return counts[i].by_status[status];
    return 0;
}

static void counts_are_exact(void **state) {
    struct fixture *f = *state;
    struct destination_counts *counts;
    size_t count;
    fixture_begin(f);
    fixture_deliver(f, "1", "crm", DELIVERY_PENDING);
    fixture_deliver(f, "2", "crm", DELIVERY_PENDING);
    fixture_deliver(f, "3", "crm", DELIVERY_PROCESSING);
    fixture_deliver(f, "4", "mail", DELIVERY_HELD);
    fixture_deliver(f, "5", "mail", DELIVERY_SKIPPED);
    struct delivery unknown = fixture_deliver(f, "6", "mail", DELIVERY_PROCESSING);
    fixture_end(f, &unknown, DELIVERY_UNKNOWN, "unknown");
    struct delivery failed = fixture_deliver(f, "7", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &failed, DELIVERY_FAILED, "failed");
    struct delivery done = fixture_deliver(f, "8", "chat", DELIVERY_PROCESSING);
    fixture_end(f, &done, DELIVERY_COMPLETED, "done");
    for (int i = 0; i < 3; i++) {
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, i == 0 ? "o1" : i == 1 ? "o2" : "o3", T0);
        struct delivery delivery = fixture_delivery(f, event, "crm", i == 2 ? DELIVERY_HELD : DELIVERY_PENDING);
        delivery.order_key = STR("ada");
        assert_int_equal(fixture_plan_one(f, &delivery), i > 0);
    }
    fixture_commit(f);
    OK(store_counts(f->store, false, &f->arena, &counts, &count));
    assert_int_equal(count, 2);
    assert_int_equal(counted(counts, count, "crm", DELIVERY_PENDING), 4);
    assert_int_equal(counted(counts, count, "crm", DELIVERY_PROCESSING), 1);
    assert_int_equal(counted(counts, count, "crm", DELIVERY_HELD), 1);
    assert_int_equal(counted(counts, count, "crm", DELIVERY_FAILED), 1);
    assert_int_equal(counted(counts, count, "mail", DELIVERY_HELD), 1);
    assert_int_equal(counted(counts, count, "mail", DELIVERY_UNKNOWN), 1);
    OK(store_counts(f->store, true, &f->arena, &counts, &count));
    assert_int_equal(count, 3);
    assert_int_equal(counted(counts, count, "crm", DELIVERY_PENDING), 4);
    assert_int_equal(counted(counts, count, "crm", DELIVERY_FAILED), 1);
    assert_int_equal(counted(counts, count, "mail", DELIVERY_SKIPPED), 1);
    assert_int_equal(counted(counts, count, "chat", DELIVERY_COMPLETED), 1);
}

static void nothing_waits_in_an_empty_store(void **state) {
    struct fixture *f = *state;
    struct destination_counts *counts;
    size_t count = 9;
    int64_t due_us;
    OK(store_counts(f->store, true, &f->arena, &counts, &count));
    assert_int_equal(count, 0);
    OK(store_oldest_due(f->store, &due_us));
    assert_int_equal(due_us, WHEN_NEVER);
}

/* ---- retire ---- */

/* An old event with a delivery in that status. */
static void make_old(struct fixture *f, const char *key, enum delivery_status status, int64_t at_us) {
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, key, at_us);
    struct delivery delivery = fixture_delivery(f, event, "crm", DELIVERY_PROCESSING);
    fixture_plan_one(f, &delivery);
    fixture_routed(f, event, EVENT_PROCESSING, "");
    fixture_end(f, &delivery, status, "done");
}

/* The next step of a walk that is behind *after_seq; one that came to its end begins at the front again. */
static size_t retire_on(struct fixture *f, int64_t before_us, size_t limit, int64_t *after_seq) {
    struct retirement done;
    fixture_begin(f);
    OK(store_retire(f->store, before_us, limit, *after_seq, &done));
    fixture_commit(f);
    *after_seq = done.more ? done.last_seq : 0;
    return done.removed;
}

static size_t retire(struct fixture *f, int64_t before_us, size_t limit) {
    int64_t after_seq = 0;
    return retire_on(f, before_us, limit, &after_seq);
}

static void old_settled_events_go_with_all_they_have(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    make_old(f, "done", DELIVERY_COMPLETED, T0 - 10);
    make_old(f, "failed", DELIVERY_FAILED, T0 - 9);
    make_old(f, "held", DELIVERY_HELD, T0 - 8);
    make_old(f, "waits", DELIVERY_PENDING, T0 - 7);
    fixture_append(f, "not yet due", T0 - 6);
    make_old(f, "young", DELIVERY_COMPLETED, T0);
    fixture_commit(f);
    assert_int_equal(retire(f, T0, 10), 2);
    assert_int_equal(retire(f, T0, 10), 0);
    assert_int_equal(fixture_number(f,
                                    "SELECT count(*) FROM marketing_events WHERE idempotency_key IN ('held', 'waits',"
                                    " 'not yet due', 'young')"),
                     4);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 4);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries"), 3);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 3);
}

static void retirement_goes_in_small_steps(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    for (int i = 0; i < 25; i++)
        make_old(f, str_fmt(&f->arena, "k%d", i).p, i % 5 == 0 ? DELIVERY_HELD : DELIVERY_COMPLETED, T0 - 100 + i);
    fixture_commit(f);
    int64_t after_seq = 0;
    assert_int_equal(retire_on(f, T0 - 80, 6, &after_seq), 6);
    assert_int_equal(retire_on(f, T0 - 80, 6, &after_seq), 6);
    assert_int_equal(retire_on(f, T0 - 80, 6, &after_seq), 4);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 9);
    assert_int_equal(retire(f, T0, 100), 4);
    fixture_begin(f);
    assert_int_equal(fixture_append(f, "k1", T0).seq > 0, true);
    fixture_commit(f);
}

/* One that ended after the walk had passed it is found by the next walk. */
static void retirement_begins_at_the_front_again(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    make_old(f, "waits", DELIVERY_PENDING, T0 - 10);
    make_old(f, "done", DELIVERY_COMPLETED, T0 - 9);
    make_old(f, "done too", DELIVERY_COMPLETED, T0 - 8);
    fixture_commit(f);
    int64_t after_seq = 0;
    assert_int_equal(retire_on(f, T0, 1, &after_seq), 1);
    size_t count;
    fixture_begin(f);
    struct delivery *claimed = fixture_claim(f, "crm", 1, T0 + US_PER_DAY, &count);
    fixture_end(f, &claimed[0], DELIVERY_COMPLETED, "done");
    fixture_commit(f);
    assert_int_equal(retire_on(f, T0, 10, &after_seq), 1);
    assert_int_equal(retire_on(f, T0, 10, &after_seq), 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 0);
}

static void a_checkpoint_loses_nothing(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    fixture_commit(f);
    OK(store_tidy(f->store, false));
    OK(store_tidy(f->store, true));
    OK(store_tidy(f->store, true));
    assert_int_equal(fixture_get(f, delivery.id).status, DELIVERY_PENDING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(sends_are_those_of_the_window_and_those_on_their_way),
        ON_EVERY_DRIVER(sends_of_a_destination_come_with_their_parameters),
        ON_EVERY_DRIVER(a_destination_keeps_what_lasts),
        ON_EVERY_DRIVER(a_stop_is_of_one_program_until_it_heals),
        ON_EVERY_DRIVER(counts_are_exact),
        ON_EVERY_DRIVER(nothing_waits_in_an_empty_store),
        ON_EVERY_DRIVER(old_settled_events_go_with_all_they_have),
        ON_EVERY_DRIVER(retirement_goes_in_small_steps),
        ON_EVERY_DRIVER(retirement_begins_at_the_front_again),
        ON_EVERY_DRIVER(a_checkpoint_loses_nothing),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
