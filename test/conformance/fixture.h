/* test/conformance/fixture.h - a fresh store for each test, on each driver: a
 * file in a temporary folder, or a schema in a database that this program has
 * for itself on the server of DRUMBEAT_TEST_POSTGRES. Every verb runs on every
 * driver: a driver is one more row. facts.h and work.h say events, deliveries
 * and outcomes in short. */
#ifndef CONFORMANCE_FIXTURE_H
#define CONFORMANCE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "store/admin.h"
#include "store/memory.h"
#include "store/postgres.h"
#include "store/query.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0     ((int64_t)1764000000000000) /* "now" of most tests */
#define ROOM   64                          /* rows of one verb in a test */
#define OK(it) assert_int_equal((it), ERR_NONE)

struct fixture;
struct fixture_driver {
    void (*make)(struct fixture *fixture); /* what the store lies in */
    void (*drop)(struct fixture *fixture);
    void (*open)(struct fixture *fixture, struct sql_driver *ret_driver);
};
struct fixture {
    const struct fixture_driver *kind;
    char folder[64];
    struct arena arena;
    struct sql_driver driver;
    struct store *store;
    struct hasher *hasher;
    struct rng rng;
    struct uuid last_id;
};

/* ---- SQLite ---- */

static inline void fixture_make_folder(struct fixture *fixture) {
    snprintf(fixture->folder, sizeof fixture->folder, "%s/drumbeat-store-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(fixture->folder));
}

static inline void fixture_drop_folder(struct fixture *fixture) {
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm", "store.db-journal",
                                        "store.db.lock"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", fixture->folder, names[i]);
        unlink(path);
    }
    rmdir(fixture->folder);
}

static inline void fixture_open_sqlite(struct fixture *fixture, struct sql_driver *ret_driver) {
    struct str problem = STR_NONE, path = str_fmt(&fixture->arena, "%s/store.db", fixture->folder);
    const struct sqlite_options options = {.path = path};
    if (sqlite_open(&options, &fixture->arena, ret_driver, &problem)) fail_msg("%.*s", STR_ARG(problem));
}

static const struct fixture_driver fixture_sqlite = {fixture_make_folder, fixture_drop_folder, fixture_open_sqlite};

/* ---- PostgreSQL ---- */

/* A database of the server; "" = the one its URL names. All that is made goes to the schema `store`. */
static inline struct str fixture_dsn(const char *database, struct arena *arena) {
    const char *url = getenv("DRUMBEAT_TEST_POSTGRES");
    if (!url) fail_msg("DRUMBEAT_TEST_POSTGRES names no server: ./dev test starts one");
    int server = *database ? (int)(strrchr(url, '/') - url + 1) : (int)strlen(url);
    return str_fmt(arena, "%.*s%s?options=-csearch_path%%3Dstore", server, url, database);
}

static inline void fixture_connect(const char *database, struct arena *arena, struct sql_driver *ret_driver) {
    const struct postgres_options options = {.dsn = fixture_dsn(database, arena), .token = STR("me")};
    struct str problem = STR_NONE;
    if (postgres_open(&options, arena, ret_driver, &problem)) fail_msg("%.*s", STR_ARG(problem));
}

/* Beside all stores, in a session of its own. */
static inline void fixture_tell(const char *database, const char *sql) {
    struct arena arena = ARENA_EMPTY;
    struct sql_driver driver;
    fixture_connect(database, &arena, &driver);
    if (driver.script(driver.self, str_from(sql), &arena, NULL)) fail_msg("%s: %s", sql, driver.trouble(driver.self));
    driver.close(driver.self);
    arena_free(&arena);
}

/* Locks that count for a whole database are this program's alone. */
static inline const char *fixture_database(char room[32]) {
    snprintf(room, 32, "conformance_%d", (int)getpid());
    return room;
}

static inline int fixture_make_database(void **state) {
    char name[32], sql[96];
    (void)state;
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", fixture_database(name));
    fixture_tell("", sql);
    return 0;
}

static inline int fixture_drop_database(void **state) {
    char name[32], sql[96];
    (void)state;
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", fixture_database(name));
    fixture_tell("", sql);
    return 0;
}

static inline void fixture_make_schema(struct fixture *fixture) {
    char name[32];
    (void)fixture;
    fixture_tell(fixture_database(name), "DROP SCHEMA IF EXISTS store CASCADE; CREATE SCHEMA store");
}

static inline void fixture_keep_schema(struct fixture *fixture) {
    (void)fixture; /* it goes with the database, or before the next is made */
}

static inline void fixture_open_postgres(struct fixture *fixture, struct sql_driver *ret_driver) {
    char name[32];
    fixture_connect(fixture_database(name), &fixture->arena, ret_driver);
}

static const struct fixture_driver fixture_postgres = {fixture_make_schema, fixture_keep_schema, fixture_open_postgres};

/* ---- a test ---- */

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
