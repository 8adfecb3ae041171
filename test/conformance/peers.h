/* test/conformance/peers.h - a second process on the store of a fixture, and
 * what one of the two does while the other is in its way. */
#ifndef CONFORMANCE_PEERS_H
#define CONFORMANCE_PEERS_H

#include "work.h"

#include "store/shared.h"

#include <pthread.h>
#include <time.h>

#define PATIENCE_S 60 /* a bound against hanging */

struct peer {
    struct sql_driver driver;
    struct store *store;
    struct arena arena; /* what it does in a thread of its own */
};

static inline struct peer *peer_start(struct fixture *fixture) {
    struct peer *peer = arena_new(&fixture->arena, struct peer);
    struct str problem = STR_NONE;
    fixture->kind->open(fixture, &peer->driver);
    if (store_open(&peer->driver, T0, &fixture->arena, &peer->store, &problem)) fail_msg("%.*s", STR_ARG(problem));
    store_set_owner(peer->store, STR("you"));
    return peer;
}

static inline void peer_stop(struct peer *peer) {
    store_close(peer->store);
    peer->driver.close(peer->driver.self);
    arena_free(&peer->arena);
}

static inline struct delivery *peer_claim(struct fixture *fixture, struct peer *peer, const char *destination,
                                          size_t limit, int64_t now_us, size_t *ret_count) {
    struct delivery *deliveries;
    const struct claim claim = {str_from(destination), limit, now_us, now_us + US_PER_MIN, STR("you")};
    OK(store_claim(peer->store, &claim, &fixture->arena, &deliveries, ret_count));
    return deliveries;
}

static inline bool peer_end(struct fixture *fixture, struct peer *peer, const struct delivery *delivery,
                            enum delivery_status status, const char *outcome) {
    const struct settlement settlement = fixture_outcome(delivery, status, outcome);
    bool applied;
    OK(store_settle(peer->store, &settlement, 1, T0 + 2000, &fixture->arena, &applied));
    return applied;
}

/* ---- at the same time ---- */

/* Runs in a thread and uses only what it is given, and the peer's arena; begins and ends its own turn. */
struct meanwhile {
    enum err (*run)(struct peer *peer, void *with);
    struct peer *peer;
    void *with;
    enum err err;
    pthread_t thread;
};

/* Lets the open turn of the peer wait for a lock as long as it takes. A turn bounds that with its first statement, and
 * a slow machine needs longer than this bound to end the turn that is in the way. */
static inline enum err meanwhile_be_patient(struct peer *peer) {
    int64_t due_us;
    TRY(store_next_due(peer->store, STR("none"), &due_us));
    return peer->driver.script(peer->driver.self, STR("SET LOCAL lock_timeout = 0"), &peer->arena, NULL);
}

static inline void *meanwhile_run(void *self) {
    struct meanwhile *it = self;
    it->err = store_begin(it->peer->store);
    if (!it->err) it->err = meanwhile_be_patient(it->peer);
    if (!it->err) it->err = it->run(it->peer, it->with);
    if (!it->err) it->err = store_commit(it->peer->store);
    if (it->err) store_rollback(it->peer->store);
    return NULL;
}

static inline void meanwhile_nap(void) {
    const struct timespec nap = {.tv_nsec = 1000000};
    nanosleep(&nap, NULL);
}

static inline int64_t meanwhile_ask(struct fixture *fixture, struct sql_driver *driver, const char *sql) {
    struct sql_result result;
    OK(driver->script(driver->self, str_from(sql), &fixture->arena, &result));
    return result.rows[0].values[0].number;
}

/* Comes back when the peer stands still behind a lock of another. */
static inline void meanwhile_start(struct fixture *fixture, struct meanwhile *it,
                                   enum err (*run)(struct peer *, void *), struct peer *peer, void *with) {
    struct sql_driver looker;
    time_t end = time(NULL) + PATIENCE_S;
    fixture->kind->open(fixture, &looker);
    int64_t pid = meanwhile_ask(fixture, &peer->driver, "SELECT pg_backend_pid()");
    const char *waits = str_fmt(&fixture->arena, "SELECT cardinality(pg_blocking_pids(%lld))", (long long)pid).p;
    *it = (struct meanwhile){.run = run, .peer = peer, .with = with};
    assert_int_equal(pthread_create(&it->thread, NULL, meanwhile_run, it), 0);
    while (!meanwhile_ask(fixture, &looker, waits)) {
        if (time(NULL) > end) fail_msg("nothing waits");
        meanwhile_nap();
    }
    looker.close(looker.self);
}

static inline enum err meanwhile_end(struct meanwhile *it) {
    assert_int_equal(pthread_join(it->thread, NULL), 0);
    return it->err;
}

#endif
