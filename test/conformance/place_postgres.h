/* test/conformance/place_postgres.h - where the store of a test lies: a schema
 * in a database that this program has for itself on the server of
 * DRUMBEAT_TEST_POSTGRES. */
#ifndef CONFORMANCE_PLACE_POSTGRES_H
#define CONFORMANCE_PLACE_POSTGRES_H

#include "place_sqlite.h"

#include "store/postgres.h"

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

#endif
