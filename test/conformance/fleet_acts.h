/* test/conformance/fleet_acts.h - what happens in a fleet, and what is seen of it. */
#ifndef CONFORMANCE_FLEET_ACTS_H
#define CONFORMANCE_FLEET_ACTS_H

#include "fleet_join.h"

/* The process ends without a word: its turns are over, its leases stay. */
static inline void fleet_lose(struct house *house) {
    stop(house);
}

static inline int64_t fleet_number(struct fleet *fleet, const char *sql) {
    struct sql_result result;
    if (fleet->beside.script(fleet->beside.self, str_from(sql), &fleet->arena, &result))
        fail_msg("%s: %s", sql, fleet->beside.trouble(fleet->beside.self));
    return result.count ? result.rows[0].values[0].number : 0;
}

/* Events of these keys, one letter each, in one turn. */
static inline void fleet_post(struct house *house, const char *keys) {
    for (const char *key = keys; *key; key++)
        house_ask(house, "POST", "/v1/events",
                  str_fmt(&house->arena,
                          "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"%c\",\"payload\":{\"k\":\"%c\"}}",
                          *key, *key)
                      .p);
    house_turn(house);
}

#define assert_called(house, keys) assert_string_equal(member_of(house)->called, (keys))

/* Every send of this house is answered; one turn settles them, the next fills their places. */
static inline void fleet_answer_all(struct house *house, size_t from, int status) {
    for (size_t i = from; i < house->call_count; i++) house_answer(house, i, status, "");
    house_turn(house);
    house_turn(house);
}

#define T(name)                                                                                                        \
    { #name, (name), fleet_setup, fleet_teardown, NULL }
#define RUN(tests) cmocka_run_group_tests((tests), fixture_make_database, fixture_drop_database)

#endif
