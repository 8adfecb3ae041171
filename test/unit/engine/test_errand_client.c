/* An errand that is no delivery goes out with the real client, to a receiver on loopback. */
#include "house_acts.h"

#include "../http/office.h"
#include "fetch.h"

static void serve_token(struct liar_caller *caller) {
    while (liar_read(caller)) {
        bool asked = strncmp(caller->request.p, "POST /hook ", 11) == 0 && strstr(caller->request.p, "refresh_token");
        liar_say(caller, asked ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nt-1" : "HTTP/1.1 400 No\r\n\r\n");
    }
}

/* From here on the loop sends with the office's client. */
static struct office *move_in(struct house *house, struct fetch *fetch, void (*serve)(struct liar_caller *caller)) {
    struct office *office = new_office(serve);
    *fetch = fetch_open(house, HOUSE_PLAIN);
    house->loop->options.transport = office->transport;
    fetch->url = str_from(office->url);
    return office;
}

/* Turns until the answer was read; the client's thread wakes the office. */
static void await_settle(struct house *house, struct office *office, const struct fetch *fetch) {
    for (house_turn(house); fetch->settles == 0; house_turn(house)) office->clock.wait(office->clock.self, WHEN_NEVER);
    assert_int_equal(loop_in_flight(house->loop), 0);
}

static void a_token_is_fetched(void **state) {
    struct house *house = *state;
    struct fetch fetch;
    struct office *office = move_in(house, &fetch, serve_token);
    fetch_start(&fetch, T0 + US_PER_MIN);
    await_settle(house, office, &fetch);
    assert_int_equal(fetch.answer.end, EXCHANGE_ANSWERED);
    assert_int_equal(fetch.answer.status, 200);
    assert_true(str_eq(fetch.answer.body, STR("t-1")));
    assert_int_equal(fetch.learned, 1);
    assert_int_equal(fetch_tokens(house), 1);
    end_office(office);
}

static void a_receiver_that_is_silent_meets_the_deadline(void **state) {
    struct house *house = *state;
    struct fetch fetch;
    struct office *office = move_in(house, &fetch, serve_silence);
    fetch_start(&fetch, T0 + SHORT_US);
    await_settle(house, office, &fetch); /* the house's clock stands: the client keeps the time */
    assert_int_equal(fetch.answer.end, EXCHANGE_TIMED_OUT);
    assert_int_equal(atomic_load(&office->liar->requests), 1);
    end_office(office);
}

static void a_stop_ends_it_on_the_wire(void **state) {
    struct house *house = *state;
    struct fetch fetch;
    struct office *office = move_in(house, &fetch, serve_silence);
    fetch_start(&fetch, T0 + US_PER_MIN);
    while (atomic_load(&office->liar->requests) == 0) usleep(1000);
    loop_stop(house->loop);
    loop_cancel(house->loop);
    await_settle(house, office, &fetch);
    assert_int_equal(fetch.answer.end, EXCHANGE_CANCELLED);
    end_office(office);
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_token_is_fetched),
        T(a_receiver_that_is_silent_meets_the_deadline),
        T(a_stop_ends_it_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
