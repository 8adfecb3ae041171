/* Several processes share what there is to do. */
#include "fleet_acts.h"

/* ---- budgets, news ---- */

static void what_is_due_is_shared_and_leaves_once(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abcdef");
    house_turn(a);
    assert_called(a, "ab");
    house_turn(b);
    assert_called(b, "cd");
    house_turn(b);
    house_turn(a);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM deliveries WHERE status = 'PENDING'"), 2);
    fleet_answer_all(b, 0, 200);
    assert_called(b, "cdef");
    fleet_answer_all(a, 0, 200);
    house_turn(a);
    assert_called(a, "ab");
    fleet_answer_all(b, 2, 200);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events WHERE status = 'COMPLETED'"), 6);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM attempts"), 6);
}

static void what_nobody_tells_is_found_by_looking(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet->deaf = true;
    fleet_post(a, "abc");
    house_turn(b);
    fleet_pass(fleet, 2 * US_PER_S - 1);
    house_turn(b);
    assert_called(b, "");
    loop_wait(b->loop, WHEN_NEVER);
    assert_true(b->waited_until_us == fleet->now_us + 1);
    fleet_pass(fleet, 1);
    house_turn(b);
    assert_called(b, "c");
}

/* Nothing is told when nothing is left for others. */
static void what_left_at_once_is_no_news(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    assert_called(a, "a");
    assert_int_equal(member_of(b)->news, 0);
    fleet_answer_all(a, 0, 200);
    assert_int_equal(member_of(b)->news, 0);
    fleet_post(a, "bcd");
    assert_int_equal(member_of(b)->news, SQL_NEWS_WORK);
}

/* One that always has something to do hears too. */
static void the_busy_hear_of_news(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abc");
    house_get(b, "GET", "/v1/routes", "");
    assert_called(b, "c");
}

/* ---- roles ---- */

static void ingest_takes_in_and_workers_deliver(void **state) {
    struct fleet *fleet = *state;
    struct house *front = fleet_join(fleet, LOOP_INGEST), *worker = fleet_join(fleet, LOOP_WORKER);
    fleet_post(front, "ab");
    assert_true(str_eq(front->replies[0].event_status, STR("ACCEPTED")));
    fleet_pass(fleet, 5 * US_PER_S);
    house_turn(front);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events WHERE status = 'PENDING'"), 2);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM deliveries"), 0);
    assert_int_equal(member_of(worker)->news, SQL_NEWS_WORK);
    house_turn(worker);
    assert_called(worker, "ab");
    assert_called(front, "");
}

static void a_worker_takes_no_events(void **state) {
    struct fleet *fleet = *state;
    struct house *worker = fleet_join(fleet, LOOP_WORKER);
    struct house_reply reply = house_post(worker, "a");
    assert_int_equal(reply.status, 503);
    assert_has(reply.body, "E0126");
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM marketing_events"), 0);
}

/* An operator's word reaches the process that acts on it. */
static void acts_through_ingest_are_heard(void **state) {
    struct fleet *fleet = *state;
    struct house *front = fleet_join(fleet, LOOP_INGEST), *worker = fleet_join(fleet, LOOP_WORKER);
    fleet_post(front, "a");
    house_turn(worker);
    fleet_answer_all(worker, 0, 503);
    assert_called(worker, "a");
    struct str path =
        str_fmt(&fleet->arena, "/v1/deliveries/%.*s/retry", STR_ARG(uuid_str(&fleet->arena, house_delivery(front).id)));
    assert_int_equal(house_get(front, "POST", path.p, "").status, 200);
    assert_int_equal(member_of(worker)->news & SQL_NEWS_WORK, SQL_NEWS_WORK);
    house_turn(worker);
    assert_called(worker, "aa");
}

/* ---- events ---- */

#define FLEET_PAIR                                                                                                     \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    concurrency: 1\n  mail:\n    type: http\n    url: https://mail.example.com/in\n    concurrency: 1\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm, mail]\n"

static size_t call_to(struct house *house, const char *host, size_t from) {
    for (size_t i = from; i < house->call_count; i++)
        if (memmem(house->calls[i].outgoing->url.p, house->calls[i].outgoing->url.n, host, strlen(host))) return i;
    fail_msg("no call to %s", host);
    return SIZE_MAX;
}

/* a has event c's delivery to mail, b the one to crm; each still has one of an earlier event. */
static void split_event(struct fleet *fleet, struct house *a, struct house *b) {
    fleet_post(a, "ab");
    house_turn(b);
    assert_called(a, "aa");
    assert_called(b, "bb");
    house_answer(a, call_to(a, "mail", 0), 200, "");
    house_turn(a);
    house_answer(b, call_to(b, "crm", 0), 200, "");
    house_turn(b);
    fleet_post(a, "c");
    house_turn(b);
    assert_called(a, "aac");
    assert_called(b, "bbc");
    (void)fleet;
}

static bool event_is_completed(struct fleet *fleet) {
    return fleet_number(fleet, "SELECT count(*) FROM marketing_events WHERE idempotency_key = 'c'"
                               " AND status = 'COMPLETED'") == 1;
}

static void end_in_order(struct fleet *fleet, struct house *first, struct house *second) {
    house_answer(first, 2, 200, "");
    house_turn(first);
    assert_false(event_is_completed(fleet));
    house_answer(second, 2, 200, "");
    house_turn(second);
    assert_true(event_is_completed(fleet));
}

static void two_processes_finish_an_event(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_PAIR;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    split_event(fleet, a, b);
    end_in_order(fleet, a, b);
}

static void two_processes_finish_an_event_the_other_way_round(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_PAIR;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    split_event(fleet, a, b);
    end_in_order(fleet, b, a);
}

/* ---- one router ---- */

#define FLEET_ORDER                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm:\n          order_by: '\"all\"'\n"

/* Somebody routes, and is at it until this one's rollback. */
static void hold_routing(struct fleet *fleet) {
    bool ours = false;
    OK(store_begin(fleet->store));
    OK(store_try_task(fleet->store, TASK_ROUTE, &ours));
    assert_true(ours);
}

static void where_orders_are_kept_events_wait_for_the_router(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_ORDER;
    struct house *front = fleet_join(fleet, LOOP_INGEST), *a = fleet_join(fleet, LOOP_ALL);
    hold_routing(fleet);
    fleet->deaf = true;
    fleet_post(front, "a");
    fleet_post(a, "b");
    assert_true(str_eq(a->replies[0].event_status, STR("ACCEPTED")));
    house_turn(a);
    assert_called(a, "");
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM deliveries"), 0);
    store_rollback(fleet->store);
    loop_wait(a->loop, WHEN_NEVER);
    assert_true(a->waited_until_us > fleet->now_us && a->waited_until_us <= fleet->now_us + 10 * US_PER_MS);
    fleet_pass(fleet, 10 * US_PER_MS);
    house_turn(a);
    assert_called(a, "a");
    fleet_answer_all(a, 0, 200);
    assert_called(a, "ab");
}

static void what_nobody_routes_is_behind_nothing(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_ORDER;
    struct house *front = fleet_join(fleet, LOOP_INGEST), *a = fleet_join(fleet, LOOP_ALL);
    fleet->deaf = true;
    fleet_post(front, "a");
    fleet_post(a, "b"); /* has not heard of the first */
    assert_called(a, "a");
    fleet_answer_all(a, 0, 200);
    assert_called(a, "ab");
}

static void without_orders_fresh_events_wait_for_no_router(void **state) {
    struct fleet *fleet = *state;
    struct house *front = fleet_join(fleet, LOOP_INGEST), *a = fleet_join(fleet, LOOP_ALL);
    hold_routing(fleet);
    fleet_post(front, "a");
    fleet_post(a, "b");
    assert_called(a, "b");
    store_rollback(fleet->store);
    fleet_pass(fleet, 10 * US_PER_MS);
    house_turn(a);
    assert_called(a, "ba");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_is_due_is_shared_and_leaves_once),
        T(what_nobody_tells_is_found_by_looking),
        T(what_left_at_once_is_no_news),
        T(the_busy_hear_of_news),
        T(ingest_takes_in_and_workers_deliver),
        T(a_worker_takes_no_events),
        T(acts_through_ingest_are_heard),
        T(two_processes_finish_an_event),
        T(two_processes_finish_an_event_the_other_way_round),
        T(where_orders_are_kept_events_wait_for_the_router),
        T(what_nobody_routes_is_behind_nothing),
        T(without_orders_fresh_events_wait_for_no_router),
    };
    return RUN(tests);
}
