/* Certificates that senders name: what was only fetched is short-lived and rests; what a signature proved stays. */
#include "house_acts.h"

#include "../ingest/certificates.h"
#include "fetch.h"
#include "model/source.h"

#define HOST    "https://sns.us-east-1.amazonaws.com"
#define GOOD    HOST "/good.pem"
#define WALL_US (1800000000 * US_PER_S) /* the test's certificates hold */

static const struct source_settings source = {.name = {"ses", 3}};

static void open_house(struct house *house) {
    house_open(house, HOUSE_PLAIN);
    house->wall_us = WALL_US;
}

/* A request needs it, and its turn commits. */
static void need(struct house *house, const char *url) {
    struct turn turn = fetch_turn(house);
    const struct fetch_wish wish = {.need = {FETCH_CERTIFICATE, str_from(url)}, .source = &source};
    certificates_fetch(&turn, &wish);
    errands_commit(&turn);
}

/* Whether the need came to a call, which is then answered with a certificate. */
static bool is_fetched(struct house *house, const char *url) {
    size_t calls = house->call_count;
    need(house, url);
    if (house->call_count == calls) return false;
    assert_true(str_eq(house->calls[calls].outgoing->url, str_from(url)));
    house_answer(house, calls, 200, TEST_CERTIFICATE);
    house_turn(house);
    return true;
}

static bool is_here(struct house *house, const char *url, bool *ret_old) {
    const struct certificate_shelf *shelf = &house->loop->certificates.shelf;
    struct str key, why;
    *ret_old = false;
    return shelf->find(shelf->self, str_from(url), &key, ret_old, &why);
}

static void prove(struct house *house, const char *url) {
    const struct certificate_shelf *shelf = &house->loop->certificates.shelf;
    shelf->prove(shelf->self, str_from(url));
}

/* As many as can be, of addresses that were never seen. Returns how many. */
static size_t flood(struct house *house, int *number) {
    size_t fetched = 0;
    for (int i = 0; i < 20; i++) fetched += is_fetched(house, str_fmt(&house->arena, HOST "/%d.pem", (*number)++).p);
    return fetched;
}

static void one_that_proved_nothing_is_short_lived_and_rests(void **state) {
    struct house *house = *state;
    bool old;
    open_house(house);
    assert_true(is_fetched(house, GOOD));
    assert_true(is_here(house, GOOD, &old) && !old);
    assert_false(is_fetched(house, GOOD));
    house_pass(house, 4 * US_PER_MIN);
    assert_true(is_here(house, GOOD, &old));
    house_pass(house, US_PER_MIN);
    assert_false(is_here(house, GOOD, &old));
    prove(house, GOOD); /* too late, and harmless */
    assert_true(is_fetched(house, GOOD));
}

static void a_flood_is_slow_and_pushes_out_nothing_proven(void **state) {
    struct house *house = *state;
    bool old;
    int number = 0;
    open_house(house);
    assert_true(is_fetched(house, GOOD));
    prove(house, GOOD);
    assert_int_equal(flood(house, &number), PLACES_MAX);
    assert_int_equal(flood(house, &number), 0);
    house_pass(house, US_PER_MIN);
    assert_int_equal(flood(house, &number), PLACES_MAX);
    assert_true(is_here(house, GOOD, &old) && !old);
    house_pass(house, US_PER_DAY / 2);
    assert_true(is_here(house, GOOD, &old) && old);
    assert_int_equal(flood(house, &number), PLACES_MAX);
    assert_true(is_fetched(house, GOOD));
    assert_true(is_here(house, GOOD, &old) && !old);
}

/* Two that no answer comes to leave an errand to what is proven; it is used until the new one is here. */
static void slow_tries_do_not_delay_a_renewal(void **state) {
    struct house *house = *state;
    bool old;
    open_house(house);
    assert_true(is_fetched(house, GOOD));
    prove(house, GOOD);
    house_pass(house, US_PER_DAY / 2);
    size_t calls = house->call_count;
    for (int i = 0; i < 4; i++) need(house, str_fmt(&house->arena, HOST "/%d.pem", i).p);
    assert_int_equal(house->call_count, calls + 2);
    need(house, GOOD);
    assert_int_equal(house->call_count, calls + 3);
    assert_true(is_here(house, GOOD, &old) && old);
    house_answer(house, calls + 2, 500, "no");
    house_turn(house);
    assert_true(is_here(house, GOOD, &old) && old);
    assert_false(is_fetched(house, GOOD)); /* it rests, having failed */
    house_pass(house, US_PER_DAY / 2);
    assert_false(is_here(house, GOOD, &old)); /* a day old */
}

/* One more than there are places: the one that was fetched longest ago goes. */
static void the_oldest_of_the_proven_gives_way_to_a_proven_one(void **state) {
    struct house *house = *state;
    bool old;
    open_house(house);
    for (int i = 0; i <= PLACES_MAX; i++) {
        const char *url = str_fmt(&house->arena, HOST "/%d.pem", i).p;
        house_pass(house, US_PER_S);
        assert_true(is_fetched(house, url));
        prove(house, url);
    }
    assert_false(is_here(house, HOST "/0.pem", &old));
    for (int i = 1; i <= PLACES_MAX; i++)
        assert_true(is_here(house, str_fmt(&house->arena, HOST "/%d.pem", i).p, &old));
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(one_that_proved_nothing_is_short_lived_and_rests),
        T(a_flood_is_slow_and_pushes_out_nothing_proven),
        T(slow_tries_do_not_delay_a_renewal),
        T(the_oldest_of_the_proven_gives_way_to_a_proven_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
