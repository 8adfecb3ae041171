/* test/conformance/place_sqlite.h - what a test has, and where its store lies: a
 * file in a temporary folder. */
#ifndef CONFORMANCE_PLACE_SQLITE_H
#define CONFORMANCE_PLACE_SQLITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "store/admin.h"
#include "store/chore.h"
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

#endif
