/* Limits that processes share are asked for before a turn's transaction, and what was not used goes back after it. */
#include "house_redis_acts.h"

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

/* The second try knows nothing of what the first one claimed. */
static void a_turn_that_is_raced_uses_all_that_it_was_granted(void **state) {
    struct house *house = *state;
    redis_of(house)->grants = 1;
    redis_open(house);
    house_post(house, "a");
    house->commit_races = 1;
    house_turn(house);
    assert_int_equal(redis_of(house)->takes, 1);
    assert_int_equal(house->call_count, 3); /* free, crm, and one of the two */
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
    assert_int_equal(redis->taught, 1 + 2 + 2);
    assert_int_equal(house->call_count, 5); /* what was forgotten grants nothing */
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(house->call_count, 8);
    assert_int_equal(redis->lessons, 3);
}

/* The first lesson fails, so all of them are given again. */
static void what_was_not_learned_is_taught_again(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    for (size_t i = 0; i < 4; i++) house_answer(house, i, 200, "{}");
    house_pass(house, 40 * US_PER_MIN);
    struct redis *redis = redis_of(house);
    redis->forgot_one = true;
    redis->teach_fails = 1;
    house_post(house, "b");
    house_turn(house);
    assert_int_equal(redis->lessons, 1);
    redis->taught = 0;
    assert_has(house_get(house, "GET", "/v1/status", "").body, "\"up\":false");
    assert_int_equal(loop_view(house->loop).limits_lost, 1);
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_int_equal(redis->lessons, 4);
    assert_has(house_get(house, "GET", "/v1/status", "").body, "\"up\":false"); /* it may fail again in a moment */
    house_pass(house, US_PER_S);
    assert_has(house_get(house, "GET", "/v1/status", "").body, "\"up\":true");
    assert_int_equal(redis->taught, 2 + 2 + 2); /* of each destination those of its account */
    assert_true(redis->oldest_us >= 40 * US_PER_MIN && redis->oldest_us <= 41 * US_PER_MIN);
}

static void check_policy(struct house *house, enum redis_failure policy, size_t expected) {
    house->redis_failure = policy;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    redis_of(house)->forgot = true;
    house_post(house, "b");
    house_turn(house);
    assert_int_equal(house->call_count, 5 + expected);
    redis_of(house)->take_fails = ERR_IO;
    house_post(house, "c");
    house_turn(house);
    assert_int_equal(house->call_count, 6 + 2 * expected);
}

static void closed_it_stays_when_redis_forgot_and_when_it_is_away(void **state) {
    check_policy(*state, REDIS_CLOSED, 0);
}

static void open_it_stays_when_redis_forgot_and_when_it_is_away(void **state) {
    check_policy(*state, REDIS_OPEN, 3);
}

static void by_itself_it_goes_on_when_redis_forgot_and_when_it_is_away(void **state) {
    check_policy(*state, REDIS_FAIL_LOCAL, 3);
}

static void a_quiet_spell_is_told_after_the_commit(void **state) {
    struct house *house = *state;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    static struct header wait[] = {{{"Retry-After", 11}, {"30", 2}}};
    size_t call = 1;
    while (memmem(house->calls[call].outgoing->url.p, 20, "crm", 3)) call++;
    house_answer(house, call, 429, "");
    house->done[house->done_count - 1].answer.headers = wait;
    house->done[house->done_count - 1].answer.header_count = 1;
    house->commit_fails = ERR_STORE_BUSY;
    house_turn(house);
    assert_int_equal(redis_of(house)->quiet_us, -1);
    house->commit_fails = ERR_NONE;
    house_pass(house, US_PER_S);
    house_turn(house);
    assert_true(redis_of(house)->quiet_us > 20 * US_PER_S);
    assert_int_equal(redis_of(house)->quiets, 1); /* an account has one, however many destinations */
}

static void a_quiet_spell_that_another_heard_of_is_kept(void **state) {
    struct house *house = *state;
    struct redis *redis = redis_of(house);
    redis_open(house);
    redis->grants = 0;
    redis->spell_us = 30 * US_PER_S;
    house_post(house, "a");
    for (int i = 0; i < 30; i++, house_pass(house, US_PER_S)) house_turn(house);
    assert_int_equal(redis->takes, 1);
    redis->grants = 100;
    redis->spell_us = 0;
    house_turn(house);
    assert_int_equal(house->call_count, 4);
}

/* It asks when Redis said, and after a second at the latest: others may give back what they took. */
static void it_asks_again_when_it_was_told_and_soon(void **state) {
    static const int64_t waits[][2] = {{200 * US_PER_MS, 200 * US_PER_MS}, {US_PER_HOUR, US_PER_S}};
    struct house *house = *state;
    struct redis *redis = redis_of(house);
    redis_open(house);
    redis->grants = redis->used_count = 0;
    house_post(house, "a");
    for (size_t i = 0; i < 2; i++) {
        redis->wait_us = waits[i][0];
        redis->takes = 0;
        for (int j = 0; j < 3; j++) house_turn(house);
        assert_int_equal(redis->takes, 1);
        house_pass(house, waits[i][1] - 1);
        house_turn(house);
        assert_int_equal(redis->takes, 1);
        house_pass(house, 1);
    }
    assert_int_equal(redis->used_count, 0); /* nothing was granted, so there is nothing to give back */
}

/* What is asked for is kept as long as the slowest of the destinations may take, whichever of them comes first. */
static void the_slowest_destination_says_how_long_a_place_is_kept(void **state) {
    struct house *house = *state;
    struct redis *redis = redis_of(house);
    house_open(house, "version: 1\nstore: ./x.db\ndestinations:\n"
                      "  mail: {type: http, url: \"https://m.example.com\", account: a, limit: 9/1h, timeout: 5s}\n"
                      "  post: {type: http, url: \"https://p.example.com\", account: a, timeout: 60s}\n"
                      "routes:\n  lead:\n    from: LEAD\n    to: [mail, post]\n");
    house_pass(house, US_PER_S);
    house_turn(house);
    redis->grants = 0;
    house_post(house, "a");
    for (int i = 0; i < 4; i++) {
        house_pass(house, US_PER_S);
        house_turn(house);
        assert_int_equal(redis->asked_count, 1);
        assert_true(redis->asked[0].hold_us > US_PER_MIN);
    }
}

/* What its destinations want together is asked for, and who finds too little of it left waits. */
static void an_account_asks_for_all_its_destinations(void **state) {
    struct house *house = *state;
    struct redis *redis = redis_of(house);
    house_open(house, "version: 1\nstore: ./x.db\ndestinations:\n"
                      "  mail: {type: http, url: \"https://m.example.com\", account: a, limit: 9/1h, concurrency: 3}\n"
                      "  post: {type: http, url: \"https://p.example.com\", account: a, concurrency: 3}\n"
                      "routes:\n  lead:\n    from: LEAD\n    to: [mail, post]\n");
    redis->grants = 0;
    static const char *const keys[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) house_post(house, keys[i]);
    house_pass(house, US_PER_S);
    redis->grants = 4;
    redis->takes = 0;
    for (int i = 0; i < 3; i++) house_turn(house);
    assert_int_equal(asked_for(house, "a"), 6);
    assert_int_equal(house->call_count, 4);
    assert_int_equal(redis->takes, 1);
}

/* Whose probe it is, is asked of the store in the turn that claims, so nothing is decided when Redis is asked. */
static void a_breaker_that_is_due_asks_for_its_probe(void **state) {
    struct house *house = *state;
    redis_open(house);
    house->driver.run = run_beside_others;
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) house_post(house, keys[i]);
    size_t answered = 0;
    for (int i = 0; i < 60; i++, house_pass(house, US_PER_S)) {
        for (; answered < house->call_count; answered++) {
            struct str url = house->calls[answered].outgoing->url;
            house_answer(house, answered, memmem(url.p, url.n, "crm", 3) ? 503 : 200, "");
        }
        house_turn(house);
    }
    assert_int_equal(redis_of(house)->probes, 1);
}

static void each_take_hears_of_its_own_sends(void **state) {
    struct house *house = *state;
    house->tells_starts = true;
    redis_open(house);
    house_post(house, "a");
    house_turn(house);
    for (size_t call = 1; call < 4; call++)
        if (!memmem(house->calls[call].outgoing->url.p, 20, "crm", 3)) house_begin(house, call);
    house_turn(house);
    assert_int_equal(redis_of(house)->began, 1);
    assert_int_equal(redis_of(house)->flew, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        R(all_that_is_due_is_asked_for_in_one_call),
        R(what_was_not_used_goes_back),
        R(redis_hears_when_the_last_of_a_take_began),
        R(a_dropped_turn_leaves_nothing_flying),
        R(a_grant_is_shared_by_the_destinations_of_an_account),
        R(a_dropped_turn_gives_all_back),
        R(a_turn_that_is_raced_asks_once),
        R(a_turn_that_is_raced_uses_all_that_it_was_granted),
        R(nothing_leaves_while_it_is_away),
        R(alone_it_keeps_to_the_limit_by_itself),
        R(one_that_forgot_is_taught_what_was_started),
        R(what_was_not_learned_is_taught_again),
        R(closed_it_stays_when_redis_forgot_and_when_it_is_away),
        R(open_it_stays_when_redis_forgot_and_when_it_is_away),
        R(by_itself_it_goes_on_when_redis_forgot_and_when_it_is_away),
        R(a_quiet_spell_is_told_after_the_commit),
        R(a_quiet_spell_that_another_heard_of_is_kept),
        R(it_asks_again_when_it_was_told_and_soon),
        R(the_slowest_destination_says_how_long_a_place_is_kept),
        R(an_account_asks_for_all_its_destinations),
        R(a_breaker_that_is_due_asks_for_its_probe),
        R(each_take_hears_of_its_own_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
