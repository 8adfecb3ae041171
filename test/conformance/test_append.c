#include "work.h"

static void judges_each_event_by_key_and_fingerprint(void **state) {
    struct fixture *f = *state;
    struct event events[3] = {fixture_event(f, "a", T0), fixture_event(f, "b", T0), fixture_event(f, "c", T0)};
    struct append_result results[3];
    fixture_begin(f);
    OK(store_append(f->store, events, 3, &f->arena, results));
    fixture_commit(f);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(results[i].verdict, APPEND_FRESH);
        assert_true(uuid_eq(results[i].event_id, events[i].id));
        assert_int_equal(results[i].seq, i + 1);
    }
    struct event again[3] = {fixture_event(f, "b", T0), fixture_event(f, "d", T0), fixture_event(f, "a", T0)};
    again[2].payload = STR("{\"other\":1}");
    again[2].fingerprint = fixture_fingerprint(f, again[2].payload);
    fixture_begin(f);
    OK(store_append(f->store, again, 3, &f->arena, results));
    fixture_commit(f);
    assert_int_equal(results[0].verdict, APPEND_DUPLICATE);
    assert_true(uuid_eq(results[0].event_id, events[1].id));
    assert_int_equal(results[1].verdict, APPEND_FRESH);
    assert_true(results[1].seq > 3); /* a sequence counts what it gave out, not what was kept */
    assert_int_equal(results[2].verdict, APPEND_CONFLICT);
    assert_true(uuid_eq(results[2].event_id, events[0].id));
    assert_text(results[2].payload, "{\"of\": \"a\"}");
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 4);
}

static void another_type_or_source_is_another_fact(void **state) {
    struct fixture *f = *state;
    struct append_result results[4];
    fixture_begin(f);
    struct event first = fixture_append(f, "k", T0);
    struct event again[4];
    for (size_t i = 0; i < 4; i++) again[i] = fixture_event(f, "k", T0 + 60);
    again[0].type = STR("LEAD_LOST");
    again[1].source = STR("partner");
    again[2].scheduled_us = T0 + 3600;
    OK(store_append(f->store, again, 4, &f->arena, results));
    fixture_commit(f);
    assert_int_equal(results[0].verdict, APPEND_CONFLICT);
    assert_int_equal(results[1].verdict, APPEND_CONFLICT);
    assert_int_equal(results[2].verdict, APPEND_DUPLICATE);
    assert_int_equal(results[3].verdict, APPEND_DUPLICATE);
    for (size_t i = 0; i < 4; i++) {
        assert_true(uuid_eq(results[i].event_id, first.id));
        assert_text(results[i].type, "LEAD_CAPTURE");
        assert_text(results[i].source, "landing-page");
        assert_int_equal(results[i].scheduled_us, T0);
        assert_int_equal(results[i].payload.n, 0);
    }
}

static void judges_equal_keys_of_one_batch_in_order(void **state) {
    struct fixture *f = *state;
    struct event events[3] = {fixture_event(f, "k", T0), fixture_event(f, "k", T0), fixture_event(f, "k", T0)};
    struct append_result results[3];
    events[2].payload = STR("{}");
    events[2].fingerprint = fixture_fingerprint(f, events[2].payload);
    fixture_begin(f);
    OK(store_append(f->store, events, 3, &f->arena, results));
    fixture_commit(f);
    assert_int_equal(results[0].verdict, APPEND_FRESH);
    assert_int_equal(results[1].verdict, APPEND_DUPLICATE);
    assert_int_equal(results[2].verdict, APPEND_CONFLICT);
    for (size_t i = 0; i < 3; i++) assert_true(uuid_eq(results[i].event_id, events[0].id));
}

/* Fingerprints were once made with doubles: what is stored with one of those is compared by its payload. */
static void large_integers_are_compared_by_their_digits(void **state) {
    struct fixture *f = *state;
    struct append_result result;
    struct str payload = STR("{\"id\":820982911946154508}");
    struct str old_form = STR("{\"id\":820982911946154500}");
    for (int old = 0; old < 2; old++) {
        struct event stored = fixture_event(f, old ? "old" : "new", T0);
        stored.payload = payload;
        stored.fingerprint = fixture_fingerprint(f, old ? old_form : payload);
        fixture_begin(f);
        OK(store_append(f->store, &stored, 1, &f->arena, &result));
        fixture_commit(f);
        assert_int_equal(result.verdict, APPEND_FRESH);
        static const struct {
            const char *payload;
            enum append_verdict verdict;
        } again[] = {{"{ \"id\": 820982911946154508 }", APPEND_DUPLICATE},
                     {"{\"id\":820982911946154509}", APPEND_CONFLICT}};
        for (size_t i = 0; i < 2; i++) {
            struct event second = stored;
            second.payload = str_from(again[i].payload);
            second.fingerprint = fixture_fingerprint(f, second.payload);
            fixture_begin(f);
            OK(store_append(f->store, &second, 1, &f->arena, &result));
            fixture_commit(f);
            assert_int_equal(result.verdict, again[i].verdict);
        }
    }
}

static void keeps_every_byte_of_an_event(void **state) {
    struct fixture *f = *state;
    struct event event = fixture_event(f, "k\xc3\xa9y \"'%\xe2\x82\xac", T0);
    struct append_result result;
    event.payload = STR("{ \"a\" : \"\\u0000 \xf0\x9f\x98\x80\" , \"n\":1.0}\n");
    event.type = STR("X.y-z_1");
    event.source = STR("a source; DROP TABLE marketing_events;--");
    event.scheduled_us = T0 + 5;
    event.created_us = T0 + 6;
    event.updated_us = T0 + 7;
    event.trace_parent = STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    fixture_begin(f);
    OK(store_append(f->store, &event, 1, &f->arena, &result));
    fixture_commit(f);
    struct event kept = fixture_get_event(f, event.id);
    assert_true(str_eq(kept.key, event.key));
    assert_true(str_eq(kept.payload, event.payload));
    assert_true(str_eq(kept.type, event.type));
    assert_true(str_eq(kept.source, event.source));
    assert_true(str_eq(kept.fingerprint, event.fingerprint));
    assert_int_equal(kept.scheduled_us, T0 + 5);
    assert_int_equal(kept.created_us, T0 + 6);
    assert_int_equal(kept.updated_us, T0 + 7);
    assert_int_equal(kept.status, EVENT_PENDING);
    assert_int_equal(kept.run, 0);
    assert_int_equal(kept.last_error.n, 0);
    assert_true(str_eq(kept.trace_parent, event.trace_parent));
}

static void gives_due_events_oldest_first(void **state) {
    struct fixture *f = *state;
    struct event *due;
    size_t count;
    int64_t next_us;
    OK(store_next_scheduled(f->store, &next_us));
    assert_int_equal(next_us, WHEN_NEVER);
    fixture_begin(f);
    fixture_append(f, "late", T0 + 300);
    fixture_append(f, "first", T0 + 100);
    fixture_append(f, "second", T0 + 200);
    fixture_append(f, "second too", T0 + 200);
    OK(store_due_events(f->store, T0 + 99, ROOM, &f->arena, &due, &count));
    assert_int_equal(count, 0);
    OK(store_due_events(f->store, T0 + 200, ROOM, &f->arena, &due, &count));
    assert_int_equal(count, 3);
    assert_text(due[0].key, "first");
    assert_text(due[1].key, "second");
    assert_text(due[2].key, "second too");
    assert_text(due[0].payload, "{\"of\": \"first\"}");
    OK(store_due_events(f->store, T0 + 300, 2, &f->arena, &due, &count));
    assert_int_equal(count, 2);
    OK(store_next_scheduled(f->store, &next_us));
    assert_int_equal(next_us, T0 + 100);
    fixture_commit(f);
}

static void routed_events_are_due_no_more(void **state) {
    struct fixture *f = *state;
    struct event *due;
    size_t count;
    fixture_begin(f);
    struct event done = fixture_append(f, "unrouted", T0), failed = fixture_append(f, "bad", T0);
    fixture_routed(f, &done, EVENT_COMPLETED, "");
    fixture_routed(f, &failed, EVENT_FAILED, "route lead: jq error");
    OK(store_due_events(f->store, T0, ROOM, &f->arena, &due, &count));
    fixture_commit(f);
    assert_int_equal(count, 0);
    struct event kept = fixture_get_event(f, failed.id);
    assert_int_equal(kept.status, EVENT_FAILED);
    assert_text(kept.last_error, "route lead: jq error");
    assert_int_equal(fixture_get_event(f, done.id).status, EVENT_COMPLETED);
}

static void an_event_set_back_to_pending_runs_again(void **state) {
    struct fixture *f = *state;
    struct event *due;
    size_t count;
    fixture_begin(f);
    struct delivery first = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    assert_true(fixture_end(f, &first, DELIVERY_COMPLETED, "done"));
    fixture_commit(f);
    fixture_sql(f, "UPDATE marketing_events SET status = 'PENDING'");
    fixture_begin(f);
    OK(store_due_events(f->store, T0, ROOM, &f->arena, &due, &count));
    assert_int_equal(count, 1);
    assert_int_equal(due[0].run, 1);
    struct delivery second = fixture_delivery(f, &due[0], "crm", DELIVERY_PROCESSING);
    assert_false(uuid_eq(first.id, second.id));
    fixture_plan_one(f, &second);
    fixture_routed(f, &due[0], EVENT_PROCESSING, "");
    assert_true(fixture_end(f, &second, DELIVERY_FAILED, "failed"));
    fixture_commit(f);
    assert_int_equal(fixture_get_event(f, second.event_id).status, EVENT_FAILED);
    assert_int_equal(fixture_get_event(f, second.event_id).run, 2);
}

static void a_rolled_back_turn_never_happened(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    fixture_deliver(f, "kept", "crm", DELIVERY_PENDING);
    fixture_commit(f);
    fixture_begin(f);
    fixture_deliver(f, "gone", "crm", DELIVERY_PENDING);
    size_t count;
    fixture_claim(f, "crm", 10, T0, &count);
    assert_int_equal(count, 2);
    store_rollback(f->store);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE status = 'PENDING'"), 1);
    fixture_begin(f);
    fixture_append(f, "gone", T0);
    fixture_commit(f);
}

static void what_was_committed_is_there_after_a_restart(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    fixture_commit(f);
    fixture_begin(f);
    fixture_append(f, "uncommitted", T0);
    fixture_stop(f);
    fixture_start(f);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 1);
    assert_int_equal(fixture_get(f, delivery.id).status, DELIVERY_PENDING);
    size_t count;
    fixture_begin(f);
    struct delivery *claimed = fixture_claim(f, "crm", 1, T0, &count);
    fixture_commit(f);
    assert_int_equal(count, 1);
    assert_text(claimed[0].event->payload, "{\"of\": \"a\"}");
}

static void empty_batches_are_nothing(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    OK(store_append(f->store, NULL, 0, &f->arena, NULL));
    OK(store_plan(f->store, NULL, 0, &f->arena, NULL));
    OK(store_routed(f->store, NULL, 0, T0));
    OK(store_settle(f->store, NULL, 0, T0, &f->arena, NULL));
    OK(store_freeze_batch(f->store, NULL, 0, (struct uuid){0}));
    OK(store_save_destination(f->store, NULL, 0, T0));
    OK(store_make(f->store, NULL, 0, T0, &f->arena));
    fixture_commit(f);
}

/* server.max_event at its bound (config/keys.def): both kinds of store take it. */
static void the_largest_event_is_stored(void **state) {
    struct fixture *f = *state;
    const size_t bytes = (size_t)64 << 20;
    char *payload = arena_alloc(&f->arena, bytes);
    memset(payload, 'x', bytes);
    memcpy(payload, "{\"a\":\"", 6);
    memcpy(payload + bytes - 2, "\"}", 2);
    struct event event = fixture_event(f, "a", T0);
    struct append_result result;
    event.payload = (struct str){payload, bytes};
    fixture_begin(f);
    OK(store_append(f->store, &event, 1, &f->arena, &result));
    fixture_commit(f);
    assert_int_equal(result.verdict, APPEND_FRESH);
    assert_true(fixture_number(f, "SELECT length(CAST(payload AS text)) FROM marketing_events") >= 64 << 20);
}

static int64_t between(struct fixture *f, int64_t since_us, int64_t until_us, int64_t most) {
    int64_t count;
    OK(store_events_between(f->store, since_us, until_us, most, &count));
    return count;
}

static void what_came_in_between_is_counted(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    for (int i = 0; i < 5; i++) {
        struct event event = fixture_event(f, str_fmt(&f->arena, "k%d", i).p, T0 + i * US_PER_HOUR);
        if (i == 4) event.source = STR(EVENT_OWN_SOURCE);
        struct append_result result;
        OK(store_append(f->store, &event, 1, &f->arena, &result));
    }
    assert_int_equal(between(f, T0, T0 + 4 * US_PER_HOUR, 100), 4);
    assert_int_equal(between(f, T0, T0 + 5 * US_PER_HOUR, 100), 4); /* drumbeat's own is none */
    assert_int_equal(between(f, T0 + US_PER_HOUR, T0 + 2 * US_PER_HOUR, 100), 1);
    assert_int_equal(between(f, T0 + US_PER_MIN, T0 + US_PER_HOUR, 100), 0);
    assert_int_equal(between(f, T0, T0 + 4 * US_PER_HOUR, 3), 3); /* no more than are asked for */
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(the_largest_event_is_stored),
        ON_EVERY_DRIVER(judges_each_event_by_key_and_fingerprint),
        ON_EVERY_DRIVER(another_type_or_source_is_another_fact),
        ON_EVERY_DRIVER(large_integers_are_compared_by_their_digits),
        ON_EVERY_DRIVER(judges_equal_keys_of_one_batch_in_order),
        ON_EVERY_DRIVER(keeps_every_byte_of_an_event),
        ON_EVERY_DRIVER(gives_due_events_oldest_first),
        ON_EVERY_DRIVER(routed_events_are_due_no_more),
        ON_EVERY_DRIVER(an_event_set_back_to_pending_runs_again),
        ON_EVERY_DRIVER(a_rolled_back_turn_never_happened),
        ON_EVERY_DRIVER(what_was_committed_is_there_after_a_restart),
        ON_EVERY_DRIVER(empty_batches_are_nothing),
        ON_EVERY_DRIVER(what_came_in_between_is_counted),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
