#include "work.h"

static struct event *list(struct fixture *f, struct event_query query, size_t *ret_count) {
    struct event *events;
    OK(store_event_list(f->store, &query, &f->arena, &events, ret_count));
    return events;
}

static const struct event_query any_event = {.status = -1, .limit = 100};
static const struct delivery_query any_delivery = {.status = -1, .limit = 100};

static void append_many(struct fixture *f, int count, int64_t step_us) {
    fixture_begin(f);
    for (int i = 0; i < count; i++) fixture_append(f, str_fmt(&f->arena, "k%d", i).p, T0 + i * step_us);
    fixture_commit(f);
}

static void events_are_listed_newest_first_page_by_page(void **state) {
    struct fixture *f = *state;
    struct event_query query = any_event;
    size_t count;
    append_many(f, 5, 1);
    query.limit = 2;
    struct event *events = list(f, query, &count);
    assert_int_equal(count, 2);
    assert_text(events[0].key, "k4");
    assert_text(events[1].key, "k3");
    query.cursor = store_next_cursor(f->store);
    assert_int_equal(query.cursor, events[1].seq);
    events = list(f, query, &count);
    assert_text(events[0].key, "k2");
    assert_text(events[1].key, "k1");
    query.cursor = store_next_cursor(f->store);
    events = list(f, query, &count);
    assert_int_equal(count, 1);
    assert_text(events[0].key, "k0");
    assert_int_equal(store_next_cursor(f->store), 0);
}

static void events_are_filtered(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < 6; i++) {
        struct event event = fixture_event(f, str_fmt(&f->arena, "k%d", i).p, T0 + i);
        struct append_result result;
        if (i % 2) event.type = STR("OTHER");
        if (i > 2) event.source = STR("api");
        OK(store_append(f->store, &event, 1, &f->arena, &result));
        event.seq = result.seq;
        if (i == 3) fixture_routed(f, &event, EVENT_FAILED, "no");
        if (i == 4) fixture_routed(f, &event, EVENT_COMPLETED, "");
    }
    fixture_commit(f);
    struct event_query query = any_event;
    query.type = STR("OTHER");
    struct event *events = list(f, query, &count);
    assert_int_equal(count, 3);
    query.source = STR("api");
    events = list(f, query, &count);
    assert_int_equal(count, 2);
    assert_text(events[0].key, "k5");
    query.status = EVENT_FAILED;
    events = list(f, query, &count);
    assert_int_equal(count, 1);
    assert_text(events[0].key, "k3");
    query = any_event;
    query.status = EVENT_COMPLETED;
    events = list(f, query, &count);
    assert_int_equal(count, 1);
    assert_text(events[0].key, "k4");
    query = any_event;
    query.since_us = T0 + 1;
    query.until_us = T0 + 3;
    events = list(f, query, &count);
    assert_int_equal(count, 2);
    assert_text(events[0].key, "k2");
    assert_text(events[1].key, "k1");
}

static void an_event_is_found_by_its_key(void **state) {
    struct fixture *f = *state;
    struct event_query query = any_event;
    size_t count;
    append_many(f, 5, 1);
    query.key = STR("k3");
    struct event *events = list(f, query, &count);
    assert_int_equal(count, 1);
    assert_text(events[0].key, "k3");
    assert_int_equal(store_next_cursor(f->store), 0);
    query.type = STR("OTHER");
    list(f, query, &count);
    assert_int_equal(count, 0);
    query = any_event;
    query.key = STR("none");
    list(f, query, &count);
    assert_int_equal(count, 0);
}

/* Each event once, however many of its deliveries stand so, and none for what a later run replaced. */
static void events_are_found_by_how_their_deliveries_stand(void **state) {
    struct fixture *f = *state;
    struct event_query query = any_event;
    struct delivery after;
    size_t count;
    fixture_begin(f);
    struct delivery held = fixture_deliver(f, "held", "crm", DELIVERY_HELD);
    struct delivery lost = fixture_deliver(f, "lost", "crm", DELIVERY_FAILED);
    struct delivery again = fixture_deliver(f, "again", "crm", DELIVERY_FAILED);
    fixture_deliver(f, "open", "crm", DELIVERY_PENDING);
    struct event two = fixture_append(f, "two", T0);
    for (int i = 0; i < 3; i++) {
        struct delivery one =
            fixture_delivery(f, &two, i ? i == 1 ? "a" : "b" : "c", i ? DELIVERY_FAILED : DELIVERY_PENDING);
        fixture_plan_one(f, &one);
    }
    fixture_routed(f, &two, EVENT_PROCESSING, "");
    OK(store_delivery_act(f->store, again.id, ACT_RETRY_AS_SENT, STR("ada"), STR(""), T0 + 1, f->hasher, &f->arena,
                          &after));
    fixture_commit(f);
    query.with = EVENT_WITH_HELD;
    struct event *events = list(f, query, &count);
    assert_int_equal(count, 1);
    assert_true(uuid_eq(events[0].id, held.event_id));
    query.with = EVENT_WITH_FAILED;
    query.limit = 1;
    events = list(f, query, &count);
    assert_int_equal(count, 1);
    assert_text(events[0].key, "two");
    assert_int_equal(events[0].status, EVENT_PROCESSING);
    query.cursor = events[0].seq;
    events = list(f, query, &count);
    assert_int_equal(count, 1);
    assert_true(uuid_eq(events[0].id, lost.event_id));
    query.cursor = events[0].seq;
    list(f, query, &count);
    assert_int_equal(count, 0);
    query = any_event;
    query.with = EVENT_WITH_FAILED;
    query.status = EVENT_PROCESSING;
    list(f, query, &count);
    assert_int_equal(count, 2);
    query.status = EVENT_FAILED;
    list(f, query, &count);
    assert_int_equal(count, 0);
}

static void what_waits_for_a_person_is_grouped(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *key, *destination, *error;
        enum delivery_status status;
    } rows[] = {
        {"a", "crm", "answer 422: no list 17", DELIVERY_FAILED},
        {"b", "crm", "answer 422: no list 35", DELIVERY_FAILED},
        {"c", "crm", "answer 404", DELIVERY_FAILED},
        {"d", "mail", "answer 404", DELIVERY_FAILED},
        {"e", "crm", "late: a day", DELIVERY_HELD},
        {"f", "crm", "", DELIVERY_PENDING},
    };
    struct todo_group *groups;
    struct delivery after, made[sizeof rows / sizeof *rows];
    size_t count;
    fixture_begin(f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, rows[i].key, T0);
        made[i] = fixture_delivery(f, event, rows[i].destination, rows[i].status);
        made[i].last_error = str_from(rows[i].error);
        fixture_plan_one(f, &made[i]);
        fixture_routed(f, event, EVENT_PROCESSING, "");
    }
    struct event whole = fixture_append(f, "whole", T0);
    fixture_routed(f, &whole, EVENT_FAILED, "the database refused it");
    OK(store_todo(f->store, TODO_FAILED, &f->arena, &groups, &count));
    assert_int_equal(count, 3);
    assert_text(groups[0].place, "crm");
    assert_text(groups[0].error, "answer 422: no list 17");
    assert_int_equal(groups[0].count, 2);
    assert_int_equal(groups[0].oldest_us, T0);
    OK(store_todo(f->store, TODO_HELD, &f->arena, &groups, &count));
    assert_int_equal(count, 1);
    assert_text(groups[0].error, "late: a day");
    assert_false(groups[0].in_doubt);
    OK(store_todo(f->store, TODO_EVENTS, &f->arena, &groups, &count));
    assert_int_equal(count, 1);
    assert_text(groups[0].error, "the database refused it");
    OK(store_delivery_act(f->store, made[3].id, ACT_RETRY_AS_SENT, STR("ada"), STR(""), T0 + 1, f->hasher, &f->arena,
                          &after));
    OK(store_todo(f->store, TODO_FAILED, &f->arena, &groups, &count));
    assert_int_equal(count, 2);
    fixture_commit(f);
}

/* Ends far apart in time are found without looking at all that lies before and behind. */
static void a_span_of_time_is_found_in_a_long_history(void **state) {
    struct fixture *f = *state;
    struct event_query query = any_event;
    size_t count;
    append_many(f, 500, US_PER_HOUR * 3);
    query.since_us = T0 + 100 * US_PER_HOUR * 3;
    query.until_us = T0 + 103 * US_PER_HOUR * 3;
    struct event *events = list(f, query, &count);
    assert_int_equal(count, 3);
    assert_text(events[0].key, "k102");
    assert_text(events[2].key, "k100");
    assert_int_equal(store_next_cursor(f->store), 0);
    query.since_us = T0 + 5000 * US_PER_HOUR;
    query.until_us = 0;
    list(f, query, &count);
    assert_int_equal(count, 0);
}

/* A rare filter gives what it found so far and says where to go on, and a walk of its pages finds every row once. */
static void a_list_looks_at_a_bounded_number_of_rows(void **state) {
    struct fixture *f = *state;
    struct event_query query = any_event;
    size_t count, found = 0, pages = 0;
    fixture_begin(f);
    struct event first = fixture_append(f, "first", T0);
    fixture_sql_of(f,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) INSERT INTO"
                   " marketing_events(id, idempotency_key, type, source, scheduled_at, created_at, updated_at,"
                   " fingerprint, payload) SELECT CAST(printf('%016d', i) AS BLOB), 'n' || i, 'X', 'y', 1, 1, 1, '',"
                   " '{}' FROM n",
                   "INSERT INTO marketing_events(idempotency_key, type, source) SELECT 'n' || i, 'X', 'y'"
                   " FROM generate_series(1, 70000) i");
    fixture_commit(f);
    query.type = STR("LEAD_CAPTURE");
    do {
        struct event *events = list(f, query, &count);
        for (size_t i = 0; i < count; i++) found += uuid_eq(events[i].id, first.id);
        query.cursor = store_next_cursor(f->store);
        pages++;
    } while (query.cursor);
    assert_int_equal(found, 1);
    assert_in_range(pages, 2, 5);
}

static void a_list_is_bounded_in_bytes(void **state) {
    struct fixture *f = *state;
    struct event_query query = {.status = -1, .limit = 1000};
    size_t count, pages = 0, found = 0;
    fixture_begin(f);
    for (int i = 0; i < 100; i++) {
        struct event event = fixture_event(f, str_fmt(&f->arena, "k%d", i).p, T0);
        struct append_result result;
        char *big = arena_alloc(&f->arena, 200000);
        memset(big, ' ', 200000);
        memcpy(big, "{}", 2);
        event.payload = (struct str){big, 200000};
        OK(store_append(f->store, &event, 1, &f->arena, &result));
    }
    fixture_commit(f);
    do {
        list(f, query, &count);
        assert_true(count < 100);
        found += count;
        query.cursor = store_next_cursor(f->store);
        pages++;
    } while (query.cursor);
    assert_int_equal(found, 100);
    assert_int_equal(pages, 2);
}

static void limits_are_capped(void **state) {
    struct fixture *f = *state;
    struct event_query query = {.status = -1, .limit = 1000000};
    size_t count;
    append_many(f, 1100, 1);
    list(f, query, &count);
    assert_int_equal(count, QUERY_LIMIT_MAX);
    assert_int_equal(store_next_cursor(f->store), 101);
}

static void an_id_is_found_by_a_unique_prefix(void **state) {
    struct fixture *f = *state;
    char text[UUID_TEXT_LENGTH + 1];
    struct uuid found, other;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    struct event event = fixture_append(f, "b", T0 + US_PER_DAY * 365);
    fixture_append(f, "c", T0 + US_PER_DAY * 365);
    fixture_commit(f);
    uuid_format(delivery.event_id, text);
    OK(store_event_by_prefix(f->store, str_sub(str_from(text), 0, 12), &f->arena, &found));
    assert_true(uuid_eq(found, delivery.event_id));
    OK(store_event_by_prefix(f->store, str_from(text), &f->arena, &found));
    uuid_format(event.id, text);
    assert_int_equal(store_event_by_prefix(f->store, str_sub(str_from(text), 0, 12), &f->arena, &other), ERR_LIMIT);
    OK(store_event_by_prefix(f->store, str_from(text), &f->arena, &found));
    assert_true(uuid_eq(found, event.id));
    uuid_format(delivery.id, text);
    for (char *c = text; *c; c++) *c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
    OK(store_delivery_by_prefix(f->store, str_sub(str_from(text), 0, 6), &f->arena, &found));
    assert_true(uuid_eq(found, delivery.id));
    assert_int_equal(store_delivery_by_prefix(f->store, str_sub(str_from(text), 0, 5), &f->arena, &other),
                     ERR_NOT_FOUND);
    assert_int_equal(store_delivery_by_prefix(f->store, STR("abcdefg"), &f->arena, &other), ERR_NOT_FOUND);
    assert_int_equal(store_delivery_by_prefix(f->store, STR("0123456789012345678901234567890123"), &f->arena, &other),
                     ERR_NOT_FOUND);
    assert_int_equal(store_event_by_prefix(f->store, STR("ffffff"), &f->arena, &other), ERR_NOT_FOUND);
}

/* As it was stored while the key was the id. */
static struct delivery deliver_old(struct fixture *f, const char *key) {
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, key, T0);
    struct delivery delivery = fixture_delivery(f, event, "crm", DELIVERY_PENDING);
    delivery.id = delivery.key;
    fixture_plan_one(f, &delivery);
    fixture_routed(f, event, EVENT_PROCESSING, "");
    return delivery;
}

/* An id that was given while the key was the id stays as it is, and the provider sees the key that it saw. */
static void a_key_is_the_same_whatever_the_id(void **state) {
    struct fixture *f = *state;
    struct delivery_query query = any_delivery;
    struct delivery *deliveries, got;
    size_t count;
    fixture_begin(f);
    struct delivery plain = fixture_deliver(f, "a", "crm", DELIVERY_PENDING), old = deliver_old(f, "b");
    OK(store_delivery_get(f->store, old.key, &f->arena, &got));
    assert_int_equal(got.seq, old.seq);
    assert_true(uuid_eq(got.key, old.key));
    OK(store_delivery_list(f->store, &query, &f->arena, &deliveries, &count));
    assert_int_equal(count, 2);
    assert_true(uuid_eq(deliveries[0].key, old.key) && uuid_eq(deliveries[0].id, old.key));
    assert_true(uuid_eq(deliveries[1].key, plain.key) && uuid_eq(deliveries[1].id, plain.id));
    struct claim claim = {STR("crm"), 10, T0, T0 + US_PER_MIN, STR("me")};
    OK(store_claim(f->store, &claim, &f->arena, &deliveries, &count));
    assert_int_equal(count, 2);
    assert_true(uuid_eq(deliveries[0].key, plain.key) && uuid_eq(deliveries[1].key, old.key));
    struct verification found;
    OK(store_verify(f->store, true, f->hasher, &f->arena, &found));
    if (found.violation_count) fail_msg("%.*s", STR_ARG(found.violations->text));
    fixture_commit(f);
}

static void a_delivery_is_found_by_its_key(void **state) {
    struct fixture *f = *state;
    const struct uuid anywhere = {0};
    struct delivery got;
    fixture_begin(f);
    struct delivery a = fixture_deliver(f, "a", "crm", DELIVERY_PENDING),
                    b = fixture_deliver(f, "b", "crm", DELIVERY_PENDING);
    fixture_commit(f);
    OK(store_delivery_by_key(f->store, a.key, a.event_id, T0, &f->arena, &got));
    assert_int_equal(got.seq, a.seq);
    OK(store_delivery_by_key(f->store, b.key, anywhere, T0, &f->arena, &got));
    assert_int_equal(got.seq, b.seq);
    struct uuid other = a.key;
    other.b[0] ^= 1; /* ends as the id does */
    assert_int_equal(store_delivery_by_key(f->store, other, a.event_id, T0, &f->arena, &got), ERR_NOT_FOUND);
    assert_int_equal(store_delivery_by_key(f->store, other, anywhere, T0, &f->arena, &got), ERR_NOT_FOUND);
    assert_int_equal(store_delivery_by_key(f->store, a.key, b.event_id, T0, &f->arena, &got), ERR_NOT_FOUND);
}

static void without_its_event_a_delivery_has_no_key(void **state) {
    struct fixture *f = *state;
    struct delivery got;
    fixture_begin(f);
    fixture_allow_damage(f);
    struct delivery orphan = fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    fixture_sql(f, "DELETE FROM marketing_events");
    OK(store_delivery_get(f->store, orphan.id, &f->arena, &got));
    assert_true(uuid_is_zero(got.key));
    fixture_commit(f);
}

static void what_is_not_there_is_not_found(void **state) {
    struct fixture *f = *state;
    struct event event;
    struct delivery delivery;
    struct attempt *attempts;
    size_t count;
    assert_int_equal(store_event_get(f->store, (struct uuid){{1}}, &f->arena, &event), ERR_NOT_FOUND);
    assert_int_equal(store_delivery_get(f->store, (struct uuid){{1}}, &f->arena, &delivery), ERR_NOT_FOUND);
    OK(store_attempts(f->store, 5, &f->arena, &attempts, &count));
    assert_int_equal(count, 0);
}

static size_t count_deliveries(struct fixture *f, struct delivery_query query, struct uuid only) {
    struct delivery *deliveries;
    size_t count, others = 0;
    OK(store_delivery_list(f->store, &query, &f->arena, &deliveries, &count));
    for (size_t i = 0; i < count; i++) others += !uuid_is_zero(only) && !uuid_eq(only, deliveries[i].id);
    assert_int_equal(others, 0);
    return count;
}

static void deliveries_are_filtered(void **state) {
    struct fixture *f = *state;
    struct delivery_query query = any_delivery;
    struct delivery by_status[DELIVERY_STATUS_COUNT];
    fixture_begin(f);
    for (int i = 0; i < DELIVERY_STATUS_COUNT; i++) {
        const char *key = delivery_status_text((enum delivery_status)i);
        by_status[i] = fixture_deliver(f, key, i % 2 ? "mail" : "crm", DELIVERY_PROCESSING);
        if (i == DELIVERY_SKIPPED)
            fixture_sql(f, "UPDATE deliveries SET status = 'SKIPPED', lease_until = 0 WHERE seq ="
                           " (SELECT max(seq) FROM deliveries)");
        else if (i != DELIVERY_PROCESSING)
            assert_true(fixture_end(f, &by_status[i], (enum delivery_status)i, "done"));
    }
    fixture_commit(f);
    assert_int_equal(count_deliveries(f, query, (struct uuid){0}), DELIVERY_STATUS_COUNT);
    for (int i = 0; i < DELIVERY_STATUS_COUNT; i++) {
        query = any_delivery;
        query.status = i;
        assert_int_equal(count_deliveries(f, query, by_status[i].id), 1);
        query.destination = i % 2 ? STR("mail") : STR("crm");
        assert_int_equal(count_deliveries(f, query, by_status[i].id), 1);
        query.destination = STR("chat");
        assert_int_equal(count_deliveries(f, query, (struct uuid){0}), 0);
        query = any_delivery;
        query.event_id = by_status[i].event_id;
        assert_int_equal(count_deliveries(f, query, by_status[i].id), 1);
    }
    query = any_delivery;
    query.destination = STR("crm");
    query.since_us = T0;
    query.until_us = T0 + 1;
    assert_int_equal(count_deliveries(f, query, (struct uuid){0}), 4);
    query.since_us = T0 + 1;
    query.until_us = 0;
    assert_int_equal(count_deliveries(f, query, (struct uuid){0}), 0);
}

/* One that is refused and sent again is in no doubt, and one in doubt that was not sent again has arrived once at most.
 */
static void what_was_sent_again_in_doubt_is_found(void **state) {
    struct fixture *f = *state;
    struct delivery_query query = any_delivery;
    struct delivery *deliveries;
    size_t count;
    const char *const outcomes[][2] = {{"unknown", "done"}, {"retry", "done"}, {"retry", "unknown"}};
    fixture_begin(f);
    for (int i = 0; i < 3; i++) {
        fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_PENDING);
        for (int j = 0; j < 2; j++) {
            struct delivery *one = fixture_claim(f, "crm", 1, T0 + (j + 1) * US_PER_S, &count);
            assert_int_equal(count, 1);
            assert_true(fixture_end(f, one, j ? DELIVERY_COMPLETED : DELIVERY_PENDING, outcomes[i][j]));
        }
    }
    fixture_commit(f);
    query.resent = true;
    OK(store_delivery_list(f->store, &query, &f->arena, &deliveries, &count));
    assert_int_equal(count, 1);
    assert_int_equal(deliveries[0].seq, 1);
}

static void deliveries_go_on_from_a_cursor(void **state) {
    struct fixture *f = *state;
    struct delivery *deliveries;
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < 5; i++) fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_HELD);
    fixture_commit(f);
    struct delivery_query query = {.status = DELIVERY_HELD, .limit = 2};
    int64_t expected = 5;
    do {
        OK(store_delivery_list(f->store, &query, &f->arena, &deliveries, &count));
        for (size_t i = 0; i < count; i++) assert_int_equal(deliveries[i].seq, expected--);
        query.cursor = store_next_cursor(f->store);
    } while (query.cursor);
    assert_int_equal(expected, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(events_are_listed_newest_first_page_by_page),
        ON_EVERY_DRIVER(events_are_filtered),
        ON_EVERY_DRIVER(an_event_is_found_by_its_key),
        ON_EVERY_DRIVER(events_are_found_by_how_their_deliveries_stand),
        ON_EVERY_DRIVER(what_waits_for_a_person_is_grouped),
        ON_EVERY_DRIVER(a_span_of_time_is_found_in_a_long_history),
        ON_EVERY_DRIVER(a_list_looks_at_a_bounded_number_of_rows),
        ON_EVERY_DRIVER(a_list_is_bounded_in_bytes),
        ON_EVERY_DRIVER(limits_are_capped),
        ON_EVERY_DRIVER(an_id_is_found_by_a_unique_prefix),
        ON_EVERY_DRIVER(a_key_is_the_same_whatever_the_id),
        ON_EVERY_DRIVER(a_delivery_is_found_by_its_key),
        ON_EVERY_DRIVER(without_its_event_a_delivery_has_no_key),
        ON_EVERY_DRIVER(what_is_not_there_is_not_found),
        ON_EVERY_DRIVER(deliveries_are_filtered),
        ON_EVERY_DRIVER(what_was_sent_again_in_doubt_is_found),
        ON_EVERY_DRIVER(deliveries_go_on_from_a_cursor),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
