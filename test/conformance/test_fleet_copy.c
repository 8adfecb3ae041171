/* Lists come from a replica, where there is one and while it answers. */
#include "fleet_acts.h"

struct copy {
    struct sql_driver real, driver;
    int asked;
    enum err begin_fails, run_fails;
};

static enum err copy_begin(void *self) {
    struct copy *copy = self;
    copy->asked++;
    return copy->begin_fails ? copy->begin_fails : copy->real.begin(copy->real.self);
}

static enum err copy_run(void *self, const struct sql_batch *batch, struct arena *arena, struct sql_result *result) {
    struct copy *copy = self;
    return copy->run_fails ? copy->run_fails : copy->real.run(copy->real.self, batch, arena, result);
}

static enum err copy_commit(void *self) {
    struct copy *copy = self;
    return copy->real.commit(copy->real.self);
}

static void copy_roll_back(void *self) {
    struct copy *copy = self;
    copy->real.rollback(copy->real.self);
}

static const char *copy_trouble(void *self) {
    (void)self;
    return "it is away";
}

static void copy_open(struct fleet *fleet, struct copy *copy) {
    char name[32];
    fixture_connect(fixture_database(name), &fleet->arena, &copy->real);
    copy->driver = (struct sql_driver){.dialect = SQL_POSTGRES,
                                       .shared = true,
                                       .begin = copy_begin,
                                       .run = copy_run,
                                       .commit = copy_commit,
                                       .rollback = copy_roll_back,
                                       .trouble = copy_trouble,
                                       .self = copy};
    fleet->copy = store_attach(&copy->driver, &fleet->arena);
}

static void copy_close(struct fleet *fleet, struct copy *copy) {
    store_close(fleet->copy);
    copy->real.close(copy->real.self);
}

static void assert_list(struct house *house) {
    struct house_reply reply = house_get(house, "GET", "/v1/events", "");
    assert_int_equal(reply.status, 200);
    assert_has(reply.body, "\"idempotency_key\":\"a\"");
}

static void lists_come_from_the_copy_and_the_rest_does_not(void **state) {
    struct fleet *fleet = *state;
    struct copy copy = {0};
    copy_open(fleet, &copy);
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    assert_int_equal(copy.asked, 0);
    assert_list(a);
    assert_int_equal(copy.asked, 1);
    assert_has(house_get(a, "GET", "/v1/deliveries", "").body, "\"destination\":\"crm\"");
    assert_int_equal(house_get(a, "GET", "/v1/audit", "").status, 200);
    assert_int_equal(copy.asked, 3);
    assert_int_equal(house_get(a, "GET", "/v1/destinations", "").status, 200);
    assert_int_equal(house_get(a, "GET", "/v1/keys", "").status, 200);
    assert_int_equal(house_get(a, "GET", "/v1/status", "").status, 200);
    assert_int_equal(copy.asked, 3);
    copy_close(fleet, &copy);
}

/* While the copy fails so, the store answers; the copy is asked again when the pause is over, and not before. */
static void a_copy_that_fails_is_left_alone(struct fleet *fleet, struct copy *copy, enum err *failing, enum err err,
                                            int64_t pause_us) {
    copy_open(fleet, copy);
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    *failing = err;
    assert_list(a);
    assert_int_equal(copy->asked, 1);
    fleet_pass(fleet, pause_us - 1);
    assert_list(a);
    assert_int_equal(copy->asked, 1);
    *failing = ERR_NONE;
    fleet_pass(fleet, 1);
    assert_list(a);
    assert_list(a);
    assert_int_equal(copy->asked, 3);
    copy_close(fleet, copy);
}

static void a_copy_that_is_away_costs_no_answer(void **state) {
    struct copy copy = {0};
    a_copy_that_fails_is_left_alone(*state, &copy, &copy.begin_fails, ERR_STORE_AWAY, 30 * US_PER_S);
}

static void a_copy_that_is_slow_to_connect_to_is_asked_again_soon(void **state) {
    struct copy copy = {0};
    a_copy_that_fails_is_left_alone(*state, &copy, &copy.begin_fails, ERR_STORE_BUSY, 100 * US_PER_MS);
}

static void a_copy_that_breaks_in_the_middle_costs_no_answer(void **state) {
    struct copy copy = {0};
    a_copy_that_fails_is_left_alone(*state, &copy, &copy.run_fails, ERR_STORE_BUSY, 30 * US_PER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(lists_come_from_the_copy_and_the_rest_does_not),
        T(a_copy_that_is_away_costs_no_answer),
        T(a_copy_that_is_slow_to_connect_to_is_asked_again_soon),
        T(a_copy_that_breaks_in_the_middle_costs_no_answer),
    };
    return RUN(tests);
}
