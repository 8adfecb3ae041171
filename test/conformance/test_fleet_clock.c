/* A process starts whose clock is right, on a store where others worked by one that was ahead. */
#include "fleet_acts.h"

#define AHEAD_US  (2 * US_PER_HOUR)
#define UNTOUCHED "SELECT count(*) FROM deliveries WHERE updated_at >= 1764000000000000" /* T0: written ahead */

static struct house *join_with_a_clock_that_is_right(struct fleet *fleet) {
    fleet->now_us -= AHEAD_US;
    return fleet_join(fleet, LOOP_ALL);
}

static void turns_for_a_minute(struct fleet *fleet, struct house *house) {
    for (int i = 0; i < 60; i++) {
        fleet_pass(fleet, US_PER_S);
        house_turn(house);
    }
}

static void what_the_dead_wrote_ahead_goes_on(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abc"); /* two are on their way, one waits */
    fleet_lose(a);
    fleet_number(fleet, "DELETE FROM instances");
    assert_int_equal(fleet_number(fleet, UNTOUCHED), 3);
    struct house *b = join_with_a_clock_that_is_right(fleet);
    turns_for_a_minute(fleet, b);
    assert_int_equal(fleet_number(fleet, UNTOUCHED), 0);
    assert_called(b, "ca"); /* two places; the leases ended as late as they were to end */
    struct str text = loop_metrics(b->loop, &fleet->arena).plain;
    assert_has(text, "drumbeat_clock_moved_total 3");
}

/* Their leases would look as if they had run out, and what they send would be sent twice. */
static void nothing_is_moved_under_those_who_may_go_by_the_clock_that_was_ahead(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abc");
    struct house *b = join_with_a_clock_that_is_right(fleet);
    turns_for_a_minute(fleet, b);
    assert_int_equal(fleet_number(fleet, UNTOUCHED), 3);
    assert_called(b, "");
    fleet_lose(a);
    fleet_number(fleet, "UPDATE instances SET seen_at = seen_at - 60000000 WHERE token = 'member-1'");
    turns_for_a_minute(fleet, b);
    assert_int_equal(fleet_number(fleet, UNTOUCHED), 0);
}

/* By the server's own clock a process that died would be there until that clock is where it was. */
static void one_that_died_ahead_is_not_waited_for(void **state) {
    struct fleet *fleet = *state;
    struct house *a = fleet_join(fleet, LOOP_ALL);
    fleet_post(a, "abc");
    fleet_lose(a);
    fleet_number(fleet, "UPDATE instances SET seen_at = seen_at + 7200000000, started_at = started_at + 7200000000");
    fleet_number(fleet, "INSERT INTO limit_uses(name, at, count) SELECT 'crm', max(seen_at), 1 FROM instances");
    struct house *b = join_with_a_clock_that_is_right(fleet);
    assert_int_equal(fleet_number(fleet, UNTOUCHED), 3); /* it was there just now, for all that is known */
    fleet_number(fleet, "UPDATE instances SET seen_at = seen_at - 60000000 WHERE token = 'member-1'");
    turns_for_a_minute(fleet, b);
    assert_int_equal(fleet_number(fleet, UNTOUCHED), 0);
    assert_int_equal(fleet_number(fleet, "SELECT count(*) FROM limit_uses WHERE at > (SELECT max(seen_at) FROM "
                                         "instances) + 60000000"),
                     0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_the_dead_wrote_ahead_goes_on),
        T(nothing_is_moved_under_those_who_may_go_by_the_clock_that_was_ahead),
        T(one_that_died_ahead_is_not_waited_for),
    };
    return RUN(tests);
}
