/* test/conformance/fixture.h - a fresh store in a temporary folder for each
 * test, on each driver. Every verb runs on every driver: a driver is one more
 * row. facts.h and work.h say events, deliveries and outcomes in short. */
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
    const char *name;
    void (*open)(struct fixture *fixture);
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

static inline void fixture_open_sqlite(struct fixture *fixture) {
    struct str problem = STR_NONE, path = str_fmt(&fixture->arena, "%s/store.db", fixture->folder);
    const struct sqlite_options options = {.path = path};
    if (sqlite_open(&options, &fixture->arena, &fixture->driver, &problem)) fail_msg("%.*s", STR_ARG(problem));
}

static const struct fixture_driver fixture_sqlite = {"sqlite", fixture_open_sqlite};

/* As at the start of a process. */
static inline void fixture_start(struct fixture *fixture) {
    struct str problem = STR_NONE;
    fixture->kind->open(fixture);
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
    snprintf(fixture->folder, sizeof fixture->folder, "%s/drumbeat-store-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(fixture->folder));
    fixture->hasher = hasher_new();
    rng_seed(&fixture->rng, 7);
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static inline void fixture_remove(const char *folder) {
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm", "store.db-journal",
                                        "store.db.lock"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static inline int fixture_teardown(void **state) {
    struct fixture *fixture = *state;
    fixture_stop(fixture);
    fixture_remove(fixture->folder);
    hasher_free(fixture->hasher);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

/* One entry per driver. */
#define ON_EVERY_DRIVER(test)                                                                                          \
    { #test "/sqlite", (test), fixture_setup, fixture_teardown, (void *)(uintptr_t)&fixture_sqlite }

static inline void fixture_begin(struct fixture *fixture) {
    OK(store_begin(fixture->store));
}

static inline void fixture_commit(struct fixture *fixture) {
    OK(store_commit(fixture->store));
}

#endif
