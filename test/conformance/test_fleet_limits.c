/* A limit holds over all processes, through the store or, while Redis is away, by parts. */
#include "fleet_acts.h"

#define FLEET_LIMITED                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    timeout: 10s\n    limit: 6/1h\n" FLEET_ROUTE
/* Two destinations of one account. */
#define FLEET_ACCOUNT                                                                                                  \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    account: x_api\n    limit: 6/1h\n    concurrency: 2\n  mail:\n    type: http\n"                               \
    "    url: https://mail.example.com/in\n    account: x_api\n    concurrency: 2\n"                                   \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm, mail]\n"

static int64_t places_taken(struct fleet *fleet) {
    return fleet_number(fleet, "SELECT coalesce(sum(count), 0)::int8 FROM limit_uses");
}

/* As a process does that never sleeps while something is to be done now; the turns it took. */
static int turn_until_idle(struct house *house) {
    for (int turns = 0; turns < 100; turns++) {
        loop_wait(house->loop, WHEN_NEVER);
        if (house->waited_until_us > house->now_us && !member_of(house)->news) return turns;
        house_turn(house);
    }
    return 100;
}

static void live(struct fleet *fleet, int seconds) {
    for (int i = 0; i < seconds; i++) {
        fleet_pass(fleet, US_PER_S);
        for (size_t j = 0; j < fleet->count; j++)
            if (fleet->members[j]->house.loop) turn_until_idle(&fleet->members[j]->house);
    }
}

static size_t calls_of_all(const struct fleet *fleet) {
    size_t calls = 0;
    for (size_t i = 0; i < fleet->count; i++) calls += fleet->members[i]->house.call_count;
    return calls;
}

/* ---- through the store ---- */

static void no_more_is_sent_than_the_limit_over_all(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL), *c = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "ab");
    fleet_post(b, "cd");
    fleet_post(c, "efghi");
    live(fleet, 30);
    assert_int_equal(calls_of_all(fleet), 6);
    assert_int_equal(places_taken(fleet), 6);
    fleet_lose(a);
    fleet_lose(b);
    live(fleet, 30);
    fleet_join(fleet, LOOP_ALL);
    live(fleet, 30);
    assert_int_equal(calls_of_all(fleet), 6);
}

/* One takes all that is left and needs one place: the other has the rest when it is given back, not an hour later. */
static void what_is_taken_and_not_used_comes_back(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet->deaf = true;
    fleet_post(a, "a");
    assert_called(a, "a");
    assert_int_equal(places_taken(fleet), 6);
    fleet_post(b, "bc");
    assert_called(b, "");
    house_turn(a);
    assert_int_equal(places_taken(fleet), 1);
    fleet_pass(fleet, US_PER_S);
    house_turn(b);
    assert_called(b, "bc");
    house_turn(b);
    assert_int_equal(places_taken(fleet), 3);
}

static void a_turn_that_was_dropped_took_nothing(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    a->commit_fails = ERR_STORE_BUSY;
    fleet_post(a, "a");
    assert_int_equal(a->replies[0].status, 503);
    assert_int_equal(places_taken(fleet), 0);
    a->commit_fails = ERR_NONE;
    fleet_pass(fleet, US_PER_S);
    member_of(a)->races = 2;
    fleet_post(a, "a");
    assert_called(a, "a");
    house_turn(a);
    assert_int_equal(places_taken(fleet), 1);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM limit_uses"), 1);
}

/* What one sent is written by its next turn, also when that one was raced. */
static void what_started_is_written_by_a_turn_that_counts(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    a->commit_fails = ERR_STORE_BUSY;
    house_turn(a);
    assert_int_equal(places_taken(fleet), 6);
    a->commit_fails = ERR_NONE;
    fleet_pass(fleet, US_PER_S);
    assert_true(turn_until_idle(a) < 4);
    assert_int_equal(places_taken(fleet), 1);
}

#define MOMENT "(extract(epoch FROM clock_timestamp()) * 1000000)::int8"

/* A request may leave long after it was given to the transport, because a connection is made first. Until the last of a
 * take has begun to leave, all of them count as at the end of their leases. */
static void places_count_from_the_moment_at_which_requests_begin_to_leave(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    fleet->tells_starts = true;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    house_ask(a, "POST", "/v1/destinations/crm/pause", "");
    house_turn(a);
    fleet_post(a, "ab");
    house_ask(a, "POST", "/v1/destinations/crm/resume", "");
    house_turn(a);
    turn_until_idle(a);
    assert_int_equal(a->call_count, 2);
    assert_int_equal(places_taken(fleet), 2); /* what was asked for in vain is given back already */
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM limit_uses WHERE at > " MOMENT " + 1000000"), 1);
    house_begin(a, 1);
    turn_until_idle(a);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM limit_uses WHERE at > " MOMENT " + 1000000"), 1);
    house_begin(a, 0);
    house_turn(a);
    turn_until_idle(a);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM limit_uses WHERE at <= " MOMENT), 1);
    assert_int_equal(places_taken(fleet), 2);
}

/* A send that never began counts from its end. */
static void a_send_that_ended_before_it_began_moves_its_place(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    fleet->tells_starts = true;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "a");
    turn_until_idle(a);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM limit_uses WHERE at > " MOMENT " + 1000000"), 1);
    house_answer(a, 0, 200, "");
    house_turn(a);
    turn_until_idle(a);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM limit_uses WHERE at <= " MOMENT), 1);
}

static void who_finds_another_at_the_limit_waits_for_a_moment(void **state) {
    static const struct limit_rule rule = {6, US_PER_HOUR};
    const struct limit_take take = {STR("crm"), &rule, 1, 1, US_PER_MIN};
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    struct limit_taken taken;
    OK(store_begin(fleet->store));
    OK(store_limit_take(fleet->store, &take, &taken));
    fleet_post(a, "a");
    assert_called(a, "");
    assert_true(turn_until_idle(a) < 5);
    assert_true(a->waited_until_us <= fleet->now_us + 10 * US_PER_MS);
    store_rollback(fleet->store);
    fleet_pass(fleet, 10 * US_PER_MS);
    house_turn(a);
    assert_called(a, "a");
}

static void destinations_of_one_account_share_and_do_not_spin(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_ACCOUNT;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abcd");
    assert_true(turn_until_idle(a) < 6);
    assert_int_equal(a->call_count, 4);
    assert_true(turn_until_idle(b) < 6);
    assert_int_equal(calls_of_all(fleet), 6);
    for (int i = 0; i < 10; i++) { /* spent: a look now and then */
        fleet_pass(fleet, US_PER_S);
        assert_true(turn_until_idle(a) < 4);
        assert_true(turn_until_idle(b) < 4);
    }
    assert_int_equal(calls_of_all(fleet), 6);
}

static void what_did_not_start_in_time_takes_no_place(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_LIMITED;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    member_of(a)->stall_us = US_PER_MIN;
    fleet_post(a, "a");
    assert_called(a, "");
    house_turn(a);
    assert_int_equal(places_taken(fleet), 0);
}

/* ---- Redis is away: by parts ---- */

#define FLEET_PARTS                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    limit: 24/1h\n    concurrency: 16\n" FLEET_ROUTE
#define MANY "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"

/* Two that have asked and had no answer, each for itself; one call was made, of which both know. */
static void part_two(struct fleet *fleet, struct house *a, struct house *b) {
    fleet_post(a, "0");
    live(fleet, 20);
    assert_int_equal(a->call_count + b->call_count, 1);
    house_get(a, "GET", "/v1/routes", ""); /* and they have just counted who is there */
    house_get(b, "GET", "/v1/routes", "");
}

static void each_keeps_to_its_part(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_PARTS;
    fleet->redis_is_away = true;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    fleet_join(fleet, LOOP_INGEST); /* has no part */
    part_two(fleet, a, b);
    fleet_post(a, MANY);
    live(fleet, 20);
    assert_int_equal(a->call_count + b->call_count, 23);
    assert_in_range(a->call_count, 11, 12);
    assert_in_range(b->call_count, 11, 12);
}

/* The others count it a while after it came, and what they sent until then is no part of what it may. */
static void who_comes_meanwhile_takes_nobodys_part(void **state) {
    struct fleet *fleet = *state;
    fleet->config = FLEET_PARTS;
    fleet->redis_is_away = true;
    struct house *a = fleet_join(fleet, LOOP_ALL), *b = fleet_join(fleet, LOOP_ALL);
    struct house *front = fleet_join(fleet, LOOP_INGEST);
    part_two(fleet, a, b);
    fleet->deaf = true;
    fleet_post(front, "1");
    struct house *c = fleet_join(fleet, LOOP_ALL); /* looks, finds it, and asks in vain */
    assert_true(turn_until_idle(c) < 5);
    fleet->deaf = false;
    fleet_post(a, MANY);
    turn_until_idle(a); /* what a turn made, the next one asks for */
    turn_until_idle(b);
    assert_int_equal(a->call_count + b->call_count, 23);
    live(fleet, 60);
    assert_in_range(calls_of_all(fleet), 23, 24);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(no_more_is_sent_than_the_limit_over_all),
        T(what_is_taken_and_not_used_comes_back),
        T(a_turn_that_was_dropped_took_nothing),
        T(what_started_is_written_by_a_turn_that_counts),
        T(places_count_from_the_moment_at_which_requests_begin_to_leave),
        T(a_send_that_ended_before_it_began_moves_its_place),
        T(who_finds_another_at_the_limit_waits_for_a_moment),
        T(destinations_of_one_account_share_and_do_not_spin),
        T(what_did_not_start_in_time_takes_no_place),
        T(each_keeps_to_its_part),
        T(who_comes_meanwhile_takes_nobodys_part),
    };
    return RUN(tests);
}
