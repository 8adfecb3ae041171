/* Limits that processes share are asked for before a turn's transaction, and what was not used goes back after it. */
#include "house_acts.h"
#include "model/sharing.h"

#define HOUSE_LIMITED                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n"                                                                       \
    "  crm: {type: http, url: \"https://crm.example.com/in\", limit: 6/1h}\n"                                          \
    "  mail: {type: http, url: \"https://mail.example.com/in\", account: post, limit: 9/1h}\n"                         \
    "  post: {type: http, url: \"https://post.example.com/in\", account: post}\n"                                      \
    "  free: {type: http, url: \"https://free.example.com/in\"}\n"                                                     \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm, mail, post, free]\n"

/* A Redis by script. */
struct redis {
    struct house *house;
    size_t takes, grants;      /* calls; what the next one grants of each limit at most */
    enum err take_fails;       /* what the next calls come to */
    bool forgot;               /* the next one says so */
    struct limit_ask asked[8]; /* by the last call */
    size_t asked_count;
    size_t given[8], started[8];
    bool starting[8];
    size_t began, flew;                 /* takes, and the places of all of them */
    size_t used_count, lessons, taught; /* closed by the last note; lessons, and the starts in them */
    int64_t quiet_us;                   /* of the last spell that was told; -1 = none */
};

static enum err redis_take(void *self, const struct limit_ask *asks, size_t count, struct limit_grant *ret_grants) {
    struct redis *redis = self;
    assert_false(redis->house->in_turn);
    assert_true(count <= 8);
    redis->takes++;
    redis->asked_count = count;
    memcpy(redis->asked, asks, count * sizeof *asks);
    if (redis->take_fails) return redis->take_fails;
    for (size_t i = 0; i < count; i++) {
        redis->given[i] = redis->forgot ? 0 : asks[i].want < redis->grants ? asks[i].want : redis->grants;
        ret_grants[i] = (struct limit_grant){.ticket = {redis, (int64_t)redis->takes, (int64_t)i + 1},
                                             .granted = redis->given[i],
                                             .lost = redis->forgot,
                                             .wait_us = US_PER_HOUR};
    }
    redis->forgot = false;
    return ERR_NONE;
}

static void redis_started(void *self, const struct limit_use *uses, size_t count) {
    struct redis *redis = self;
    assert_false(redis->house->in_turn);
    redis->used_count = count;
    for (size_t i = 0; i < count; i++) {
        redis->started[i] = uses[i].started;
        redis->starting[i] = uses[i].starting;
    }
}

static void redis_began(void *self, struct limit_ticket ticket, size_t started) {
    struct redis *redis = self;
    assert_ptr_equal(ticket.limit, redis);
    assert_true(ticket.call > 0 && ticket.take > 0);
    redis->began++;
    redis->flew += started;
}

static void redis_quiet(void *self, struct str limit, int64_t for_us) {
    struct redis *redis = self;
    (void)limit;
    assert_false(redis->house->in_turn);
    redis->quiet_us = for_us;
}

static enum err redis_teach(void *self, const struct limit_ask *ask, const int64_t *ages_us, size_t count) {
    struct redis *redis = self;
    assert_false(redis->house->in_turn);
    assert_true(ask->rule_count > 0 && (count == 0 || ages_us[0] >= 0));
    redis->lessons++;
    redis->taught += count;
    return redis->take_fails;
}

static const char *redis_trouble(void *self) {
    (void)self;
    return "away";
}

static int redis_setup(void **state) {
    house_setup(state);
    struct house *house = *state;
    struct redis *redis = calloc(1, sizeof *redis);
    *redis = (struct redis){.house = house, .grants = 100, .quiet_us = -1};
    house->limits =
        (struct shared_limits){redis_take, redis_started, redis_began, redis_quiet, redis_teach, redis_trouble, redis};
    house->redis_failure = REDIS_CLOSED;
    return 0;
}

static int redis_teardown(void **state) {
    struct house *house = *state;
    free(house->limits.self);
    return house_teardown(state);
}

static struct redis *redis_of(struct house *house) {
    return house->limits.self;
}

/* At its start a process asks for every desk: something may be due. What it wants is not there yet. */
static void redis_open(struct house *house) {
    house_open(house, HOUSE_LIMITED);
    house_pass(house, US_PER_S);
    house_turn(house);
    house_pass(house, US_PER_S);
    redis_of(house)->takes = 0;
}

static size_t asked_for(struct house *house, const char *limit) {
    const struct redis *redis = redis_of(house);
    for (size_t i = 0; i < redis->asked_count; i++)
        if (str_eq(redis->asked[i].limit, str_from(limit))) return redis->asked[i].want;
    return 0;
}

static void all_that_is_due_is_asked_for_in_one_call(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    assert_int_equal(house->call_count, 1); /* the free one leaves in the turn that made it */
    assert_int_equal(redis_of(house)->takes, 0);
    house_turn(house);
    assert_int_equal(redis_of(house)->takes, 1);
    assert_int_equal(redis_of(house)->asked_count, 2);
    assert_true(asked_for(house, "crm") > 0);
    assert_true(asked_for(house, "post") >= 2); /* of two destinations */
    assert_int_equal(house->call_count, 4);
    house_turn(house);
    assert_int_equal(redis_of(house)->takes, 1); /* nothing is due any more */
}

static void what_was_not_used_goes_back(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    const struct redis *redis = redis_of(house);
    assert_int_equal(redis->used_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(redis->started[i], str_eq(redis->asked[i].limit, STR("crm")) ? 1 : 2);
        assert_true(redis->given[i] > redis->started[i]);
    }
}

/* A send counts from when its request began to leave, which is after a connection was made. */
static void redis_hears_when_the_last_of_a_take_began(void **state) {
    struct house *house = *state;
    house->tells_starts = true;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    const struct redis *redis = redis_of(house);
    assert_int_equal(house->call_count, 4);
    assert_int_equal(redis->used_count, 2);
    assert_true(redis->starting[0] && redis->starting[1]);
    for (size_t call = 1; call < 3; call++) house_begin(house, call);
    house_turn(house);
    assert_int_equal(redis->began, 1); /* of the account, one of two still connects */
    house_begin(house, 3);
    house_turn(house);
    assert_int_equal(redis->began, 2);
    assert_int_equal(redis->flew, 3);
}

static void a_dropped_turn_leaves_nothing_flying(void **state) {
    struct house *house = *state;
    house->tells_starts = true;
    redis_open(house);
    house_post(house, "a");
    house->commit_fails = ERR_STORE_BUSY;
    house_turn(house);
    assert_false(redis_of(house)->starting[0] || redis_of(house)->starting[1]);
}

static void a_grant_is_shared_by_the_destinations_of_an_account(void **state) {
    struct house *house = *state;
    redis_of(house)->grants = 1;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    assert_int_equal(house->call_count, 3); /* free, crm, and one of the two */
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 4);
}

static void a_dropped_turn_gives_all_back(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    house->commit_fails = ERR_STORE_BUSY;
    house_turn(house);
    const struct redis *redis = redis_of(house);
    assert_int_equal(house->call_count, 1);
    assert_int_equal(redis->used_count, 2);
    assert_int_equal(redis->started[0] + redis->started[1], 0);
}

static void a_turn_that_is_raced_asks_once(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    house->commit_fails = ERR_STORE_RACED; /* as often as it is tried */
    house_turn(house);
    assert_int_equal(redis_of(house)->takes, 1);
    assert_int_equal(redis_of(house)->used_count, 2);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(redis_of(house)->takes, 2);
    assert_int_equal(house->call_count, 4);
}

static void nothing_leaves_while_it_is_away(void **state) {
    struct house *house = *state;
    redis_of(house)->take_fails = ERR_IO;
    redis_open(house);
    house_post(house, "a");
    for (int i = 0; i < 5; i++, house_pass(house, US_PER_S)) house_turn(house);
    assert_int_equal(house->call_count, 1);
    redis_of(house)->take_fails = ERR_NONE;
    house_turn(house);
    assert_int_equal(house->call_count, 4);
}

static void alone_it_keeps_to_the_limit_by_itself(void **state) {
    struct house *house = *state;
    house->redis_failure = REDIS_FAIL_LOCAL;
    redis_of(house)->take_fails = ERR_IO;
    redis_open(house);
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    for (size_t i = 0; i < 8; i++) house_post(house, keys[i]);
    size_t answered = 0;
    for (int i = 0; i < 12; i++, house_pass(house, US_PER_S)) {
        for (; answered < house->call_count; answered++) house_answer(house, answered, 200, "{}");
        house_turn(house);
    }
    assert_int_equal(house->call_count, 8 + 6 + 9); /* free, crm's limit, and that of the account */
}

static void one_that_forgot_is_taught_what_was_started(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    for (size_t i = 0; i < 4; i++) house_answer(house, i, 200, "{}");
    house_turn(house);
    struct redis *redis = redis_of(house);
    redis->forgot = true;
    house_post(house, "b");
    assert_int_equal(redis->lessons, 0);
    house_turn(house);
    assert_int_equal(redis->lessons, 3); /* one for each limited destination */
    assert_true(redis->taught >= 3);
    assert_int_equal(house->call_count, 5); /* what was forgotten grants nothing */
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 8);
    assert_int_equal(redis->lessons, 3);
}

static void a_quiet_spell_is_told_after_the_commit(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    static struct header wait[] = {{{"Retry-After", 11}, {"30", 2}}};
    house_answer(house, 1, 429, "");
    house->done[house->done_count - 1].answer.headers = wait;
    house->done[house->done_count - 1].answer.header_count = 1;
    house->commit_fails = ERR_STORE_BUSY;
    house_turn(house);
    assert_int_equal(redis_of(house)->quiet_us, -1);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_true(redis_of(house)->quiet_us > 20 * US_PER_S);
}

#define R(test) cmocka_unit_test_setup_teardown(test, redis_setup, redis_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        R(all_that_is_due_is_asked_for_in_one_call),
        R(what_was_not_used_goes_back),
        R(redis_hears_when_the_last_of_a_take_began),
        R(a_dropped_turn_leaves_nothing_flying),
        R(a_grant_is_shared_by_the_destinations_of_an_account),
        R(a_dropped_turn_gives_all_back),
        R(a_turn_that_is_raced_asks_once),
        R(nothing_leaves_while_it_is_away),
        R(alone_it_keeps_to_the_limit_by_itself),
        R(one_that_forgot_is_taught_what_was_started),
        R(a_quiet_spell_is_told_after_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
