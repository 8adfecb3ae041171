/* test/conformance/fleet_join.h - a fleet is made, joined and left. */
#ifndef CONFORMANCE_FLEET_JOIN_H
#define CONFORMANCE_FLEET_JOIN_H

#include "fleet.h"

#define FLEET_ROUTE "routes:\n  lead:\n    from: LEAD\n    to: [crm]\n"
/* Two calls at a time. */
#define FLEET_PLAIN                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "    concurrency: 2\n" FLEET_ROUTE

static inline struct member *member_of(struct house *house) {
    return (struct member *)house;
}

static inline void fleet_open_store(struct fleet *fleet, struct house *house) {
    struct str problem = STR_NONE;
    char name[32];
    fixture_connect(fixture_database(name), &fleet->arena, &house->real);
    house->driver = (struct sql_driver){.dialect = SQL_POSTGRES,
                                        .shared = true,
                                        .begin = begin_turn,
                                        .run = fleet_run,
                                        .commit = fleet_commit,
                                        .rollback = fleet_roll_back,
                                        .script = run_script,
                                        .tidy = tidy_up,
                                        .trouble = trouble,
                                        .news = fleet_news,
                                        .self = house};
    if (store_open(&house->driver, house->wall_us, &fleet->arena, &house->store, &problem))
        fail_msg("%.*s", STR_ARG(problem));
}

static inline void fleet_open_share(struct member *member) {
    const struct share_options options = {.url = STR("unix:///nowhere/redis.sock"),
                                          .deadline_us = US_PER_S,
                                          .instance = STR("member"),
                                          .clock = {read_wall, read_now, note_wait, member}};
    struct str problem = STR_NONE;
    OK(share_open(&options, &member->fleet->arena, &member->share, &problem));
}

/* Another process comes. Its first turns, in which it looks around, are done. */
static inline struct house *fleet_join(struct fleet *fleet, enum loop_role role) {
    static const struct log silent = {.fd = -1, .level = LOG_ERROR};
    struct member *member = calloc(1, sizeof *member);
    struct house *house = &member->house;
    struct str problem = STR_NONE;
    assert_true(fleet->count < FLEET_MAX);
    fleet->members[fleet->count++] = member;
    member->fleet = fleet;
    house->now_us = house->wall_us = fleet->now_us;
    house->exposed = house->trusted = true;
    load(house, fleet->config);
    if (fleet->redis_is_away) fleet_open_share(member);
    fleet_open_store(fleet, house);
    const struct api_options api = {.copy = fleet->copy, .log = &silent, .exposed = house->exposed};
    house->api = api_new(&api);
    const struct loop_options options = {
        .clock = {read_wall, read_now, note_wait, house},
        .inlet = {collect_requests, take_reply, house},
        .transport = {fleet_start, collect_done, release_done, cancel_call, fleet->tells_starts ? tell_begun : NULL,
                      house},
        .store = house->store,
        .log = &silent,
        .instance = str_fmt(&fleet->arena, "member-%zu", ++fleet->joined),
        .seed = fleet->joined,
        .slots = 16,
        .role = role,
        .limits = member->share ? share_limits(member->share) : (struct shared_limits){0},
        .redis_failure = REDIS_FAIL_LOCAL,
        .service = api_service(house->api),
        .version = STR("test"),
        .store_text = STR("x"),
    };
    if (loop_open(&options, house_in_force(house), &house->loop, &problem)) fail_msg("%.*s", STR_ARG(problem));
    house_turn(house);
    house_turn(house);
    return house;
}

static inline int fleet_setup(void **state) {
    struct fleet *fleet = calloc(1, sizeof *fleet);
    char name[32];
    fixture_make_schema(NULL);
    fleet->now_us = T0;
    fleet->config = FLEET_PLAIN;
    fixture_connect(fixture_database(name), &fleet->arena, &fleet->beside);
    fleet->store = store_attach(&fleet->beside, &fleet->arena);
    *state = fleet;
    return 0;
}

/* The process ends without a word, and nothing is left of it but its leases. */
static inline void fleet_remove(struct fleet *fleet, size_t i) {
    struct member *member = fleet->members[i];
    stop(&member->house);
    if (member->share) share_close(member->share);
    setup_free(member->house.setup);
    jq_close(member->house.jq);
    arena_free(&member->house.arena);
    free(member);
    fleet->members[i] = fleet->members[--fleet->count];
}

static inline int fleet_teardown(void **state) {
    struct fleet *fleet = *state;
    while (fleet->count) fleet_remove(fleet, fleet->count - 1);
    store_close(fleet->store);
    fleet->beside.close(fleet->beside.self);
    arena_free(&fleet->arena);
    free(fleet);
    return 0;
}

#endif
