/* What one turn may spend on routing, and what becomes of the rest. */
#include "house_acts.h"

#define WITH_JQ                                                                                                        \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    when: .k\n    to: [crm]\n"

/* Of the evaluator that the tests put in place. */
static struct {
    struct house *house;
    int64_t round_us; /* that a round takes */
    bool fails;       /* nothing was run */
    size_t rounds;
} engine;

static void run_round(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    engine.rounds++;
    engine.house->now_us += engine.round_us;
    if (!engine.fails) run_calls(self, calls, count, arena);
    for (size_t i = 0; engine.fails && i < count; i++) calls[i].err = ERR_IO;
}

static void open_house(struct house *house) {
    house_open(house, WITH_JQ);
    memset(&engine, 0, sizeof engine);
    engine.house = house;
    house->evaluator.run = run_round;
}

static int64_t number(struct house *house, const char *sql) {
    struct sql_result result;
    OK(house->real.script(house->real.self, str_from(sql), &house->arena, &result));
    assert_int_equal(result.count, 1);
    return result.rows[0].values[0].number;
}

#define PENDING(house)    number(house, "SELECT count(*) FROM marketing_events WHERE status = 'PENDING'")
#define DELIVERIES(house) number(house, "SELECT count(*) FROM deliveries")

static void post(struct house *house, size_t count, size_t payload_bytes) {
    struct buf body = {.arena = &house->arena};
    for (size_t i = 0; i < count; i++) {
        buf_fmt(&body, "%s{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"k%zu\",\"payload\":{\"k\":\"",
                i ? "," : "[", i);
        for (size_t j = 0; j < payload_bytes; j++) buf_byte(&body, 'x');
        buf_add(&body, STR("\"}}"));
    }
    buf_byte(&body, ']');
    house_ask(house, "POST", "/v1/events", buf_str(&body).p);
    OK(loop_turn(house->loop));
    assert_int_equal(house->replies[house->reply_count - 1].status, 200);
}

/* All come to be routed, in the order in which they came. */
static void finish(struct house *house, size_t count, size_t turns_max) {
    for (size_t i = 0; i < turns_max && PENDING(house); i++) OK(loop_turn(house->loop));
    assert_int_equal(PENDING(house), 0);
    assert_int_equal(DELIVERIES(house), count);
    assert_int_equal(number(house, "SELECT count(*) FROM deliveries a JOIN deliveries b ON b.seq = a.seq + 1"
                                   " JOIN marketing_events ea ON ea.id = a.event_id"
                                   " JOIN marketing_events eb ON eb.id = b.event_id WHERE eb.seq < ea.seq"),
                     0);
}

static void a_turn_ends_its_routing_when_its_time_is_over(void **state) {
    struct house *house = *state;
    open_house(house);
    engine.round_us = 30 * US_PER_MS;
    post(house, 200, 1);
    assert_int_equal(engine.rounds, 2); /* of 64 events each; the third would begin after 60 ms */
    assert_int_equal(DELIVERIES(house), 128);
    assert_int_equal(PENDING(house), 72);
    OK(loop_turn(house->loop));
    assert_int_equal(engine.rounds, 4);
    finish(house, 200, 1);
}

static void a_turn_routes_so_many_events(void **state) {
    struct house *house = *state;
    open_house(house);
    post(house, 4200, 1);
    assert_int_equal(DELIVERIES(house), 4096);
    assert_int_equal(PENDING(house), 104);
    finish(house, 4200, 2);
}

static void a_turn_routes_so_many_bytes(void **state) {
    struct house *house = *state;
    open_house(house);
    post(house, 40, 250000);
    house->request_count = 0;
    assert_int_equal(DELIVERIES(house), 40); /* 10 MB */
    struct house_reply first = house->replies[house->reply_count - 1];
    assert_int_equal(first.status, 200);
    assert_true(engine.rounds >= 20); /* a round has 256 KiB, or the event that passes it */
    finish(house, 40, 1);
}

static struct str body_of(struct house *house, size_t number, size_t count, size_t payload_bytes) {
    char *filler = arena_alloc(&house->arena, payload_bytes + 1);
    struct buf body = {.arena = &house->arena};
    memset(filler, 'x', payload_bytes);
    filler[payload_bytes] = 0;
    for (size_t i = 0; i < count; i++)
        buf_fmt(&body,
                "%s{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"k%zu-%zu\",\"payload\":{\"k\":\"%s\"}}",
                i ? "," : "[", number, i, filler);
    buf_byte(&body, ']');
    return buf_str(&body);
}

/* Bodies as large as they may be, of events as large as they may be, all in one turn: what is over the budget waits,
 * and what another source sends meanwhile is taken in and answered in the turn that it comes in. */
static void honest_bulk_holds_up_no_other_source(void **state) {
    enum { BODIES = 12, EVENTS = 30, PAYLOAD = 248 << 10, BUDGET = 16 << 20 };
    struct house *house = *state;
    open_house(house);
    for (size_t i = 0; i < BODIES; i++) house_ask(house, "POST", "/v1/events", body_of(house, i, EVENTS, PAYLOAD).p);
    house_turn(house);
    for (size_t i = 0; i < BODIES; i++) assert_int_equal(house->replies[i].status, 200);
    int64_t made = DELIVERIES(house);
    assert_true(made * PAYLOAD <= BUDGET + 2 * PAYLOAD);
    assert_int_equal(PENDING(house), BODIES * EVENTS - made);
    house->request_count = 0;
    engine.round_us = 30 * US_PER_MS; /* time is short, too */
    for (int i = 0; i < 3; i++) {
        size_t rounds = engine.rounds;
        int64_t before_us = house->now_us;
        assert_int_equal(house_post(house, (const char *[]){"small-a", "small-b", "small-c"}[i]).status, 200);
        assert_true(PENDING(house) > 0);
        assert_int_equal(engine.rounds - rounds, 2);
        assert_int_equal(house->now_us - before_us, 2 * engine.round_us);
    }
    engine.round_us = 0;
    finish(house, BODIES * EVENTS + 3, 8);
}

static void an_event_whose_program_was_not_run_is_looked_at_again(void **state) {
    struct house *house = *state;
    open_house(house);
    engine.fails = true;
    post(house, 3, 1);
    assert_int_equal(PENDING(house), 3);
    assert_int_equal(DELIVERIES(house), 0);
    size_t rounds = engine.rounds;
    OK(loop_turn(house->loop));
    assert_int_equal(engine.rounds, rounds); /* not at once */
    engine.fails = false;
    house_pass(house, 250 * US_PER_MS);
    finish(house, 3, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_turn_ends_its_routing_when_its_time_is_over, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(a_turn_routes_so_many_events, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(a_turn_routes_so_many_bytes, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(honest_bulk_holds_up_no_other_source, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(an_event_whose_program_was_not_run_is_looked_at_again, house_setup,
                                        house_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
