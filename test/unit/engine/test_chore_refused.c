/* Chores that the database refuses: the turn goes on without them, and retirement goes around the events at fault. */
#include "house_acts.h"

#define HOUSE_KEEPS                                                                                                    \
    "version: 1\nstore: ./x.db\nkeep: {events: 1d}\ndestinations:\n  crm:\n    type: http\n    url: "                  \
    "https://crm.example.com/in\nroutes:\n  lead:\n    from: LEAD\n    to: [crm]\n"
#define OLD 100
static unsigned char stuck_from, stuck_upto; /* the events that may not go */
static enum err refusal;

static enum err run_unless_stuck(void *self, const struct sql_batch *batch, struct arena *arena,
                                 struct sql_result *result) {
    for (size_t i = 0; i < batch->columns * batch->rows && refusal; i++) {
        const struct sql_value *value = &batch->params[i];
        bool is_id = value->kind == SQL_BLOB && value->text.n == 16 && !memcmp(value->text.p, value->text.p + 1, 15);
        unsigned char number = is_id ? (unsigned char)value->text.p[0] : 0;
        if (number >= stuck_from && number <= stuck_upto) return refusal;
    }
    return run_batch(self, batch, arena, result);
}

static int64_t number(struct house *house, const char *sql) {
    struct sql_result result;
    OK(house->real.script(house->real.self, str_from(sql), &house->arena, &result));
    return result.count ? result.rows[0].values[0].number : 0;
}

/* An event of long ago; its id is its number, sixteen times. */
static void add_old(struct house *house, int i) {
    struct buf sql = {.arena = &house->arena};
    buf_add(&sql,
            STR("INSERT INTO marketing_events(id, idempotency_key, type, source, status, scheduled_at, created_at, "
                "updated_at, fingerprint, payload) VALUES (x'"));
    for (int byte = 0; byte < 16; byte++) buf_fmt(&sql, "%02x", i);
    buf_fmt(&sql, "', 'k%d', 'LEAD', 't', 'COMPLETED', 0, 1, 0, '', '{}')", i);
    OK(house->real.script(house->real.self, buf_str(&sql), &house->arena, NULL));
}

static void open_with(struct house *house, enum err err, unsigned char from, unsigned char upto) {
    house_open(house, HOUSE_KEEPS);
    for (int i = 1; i <= OLD; i++) add_old(house, i);
    house->driver.run = run_unless_stuck;
    refusal = err;
    stuck_from = from;
    stuck_upto = upto;
}

static int64_t left(struct house *house) {
    return number(house, "SELECT count(*) FROM marketing_events WHERE idempotency_key LIKE 'k%'");
}

static void until_left(struct house *house, int64_t expected) {
    for (int i = 0; i < 200 && left(house) > expected; i++) house_sleep(house);
    assert_int_equal(left(house), expected);
}

static void retirement_goes_around(struct house *house, enum err err) {
    open_with(house, err, 40, 42);
    until_left(house, 3);
    assert_int_equal(house_post(house, "a").status, 200); /* the line went on */
    assert_int_equal(house->call_count, 1);
    assert_has(house_get(house, "GET", "/v1/todo", "").body,
               "\"cause\":\"chore\",\"kind\":\"chore\",\"name\":\"retirement\"");
    refusal = ERR_NONE;
    until_left(house, 0);
    house_sleep(house);
    assert_null(strstr(str_dup(&house->arena, house_get(house, "GET", "/v1/todo", "").body).p, "\"cause\":\"chore\""));
}

static void events_that_are_refused_stay_and_the_others_go(void **state) {
    retirement_goes_around(*state, ERR_STORE_REFUSED);
}

static void events_that_are_locked_stay_and_the_others_go(void **state) {
    retirement_goes_around(*state, ERR_STORE_HELD);
}

static void where_many_stay_it_pauses_between_them(void **state) {
    struct house *house = *state;
    open_with(house, ERR_STORE_UNFIT, 1, 60);
    house_sleep(house);
    assert_int_equal(left(house), OLD);
    assert_int_equal(house_post(house, "a").status, 200);
    assert_int_equal(house->call_count, 1);
    until_left(house, 60);
    refusal = ERR_NONE;
    until_left(house, 0);
}

static void a_start_does_not_wait_for_a_lease_that_cannot_be_settled(void **state) {
    struct house *house = *state;
    house_open(house, HOUSE_KEEPS);
    house_post(house, "a");
    assert_int_equal(house->call_count, 1);
    struct sql_result result;
    OK(house->real.script(house->real.self,
                          STR("CREATE TRIGGER stuck BEFORE UPDATE ON deliveries WHEN OLD.status = "
                              "'PROCESSING' BEGIN SELECT RAISE(ABORT, 'stuck'); END"),
                          &house->arena, &result));
    house_crash(house);
    house_turn(house);
    assert_int_equal(house_post(house, "b").status, 200);
    assert_int_equal(house->call_count, 2);
    assert_has(house_get(house, "GET", "/v1/todo", "").body, "\"name\":\"leases\",\"error\":\"stuck");
}

#define T(test) cmocka_unit_test_setup_teardown(test, house_setup, house_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(events_that_are_refused_stay_and_the_others_go),
        T(events_that_are_locked_stay_and_the_others_go),
        T(where_many_stay_it_pauses_between_them),
        T(a_start_does_not_wait_for_a_lease_that_cannot_be_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
