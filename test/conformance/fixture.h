/* test/conformance/fixture.h - a fresh store for each test, on each driver.
 * Every verb runs on every driver: a driver is one more row. facts.h and work.h
 * say events, deliveries and outcomes in short. */
#ifndef CONFORMANCE_FIXTURE_H
#define CONFORMANCE_FIXTURE_H

#include "place_postgres.h"

/* As at the start of a process. */
static inline void fixture_start(struct fixture *fixture) {
    struct str problem = STR_NONE;
    fixture->kind->open(fixture, &fixture->driver);
    if (store_open(&fixture->driver, T0, &fixture->arena, &fixture->store, &problem))
        fail_msg("%.*s", STR_ARG(problem));
    store_set_owner(fixture->store, STR("me"));
}

static inline void fixture_stop(struct fixture *fixture) {
    store_close(fixture->store);
    fixture->driver.close(fixture->driver.self);
}

static inline int fixture_setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->kind = *state;
    fixture->kind->make(fixture);
    fixture->hasher = hasher_new();
    rng_seed(&fixture->rng, 7);
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state) {
    struct fixture *fixture = *state;
    fixture_stop(fixture);
    fixture->kind->drop(fixture);
    hasher_free(fixture->hasher);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

/* One entry per driver. */
#define ON_SQLITE(test)                                                                                                \
    { #test "/sqlite", (test), fixture_setup, fixture_teardown, (void *)(uintptr_t)&fixture_sqlite }
#define ON_POSTGRES(test)                                                                                              \
    { #test "/postgres", (test), fixture_setup, fixture_teardown, (void *)(uintptr_t)&fixture_postgres }
#define ON_EVERY_DRIVER(test)      ON_SQLITE(test), ON_POSTGRES(test)
#define RUN_ON_EVERY_DRIVER(tests) cmocka_run_group_tests((tests), fixture_make_database, fixture_drop_database)

static inline bool fixture_on_postgres(const struct fixture *fixture) {
    return fixture->driver.dialect == SQL_POSTGRES;
}

static inline void fixture_begin(struct fixture *fixture) {
    OK(store_begin(fixture->store));
}

static inline void fixture_commit(struct fixture *fixture) {
    OK(store_commit(fixture->store));
}

#endif
