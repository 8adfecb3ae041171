/* store/store.c - opening, turns, housekeeping. The verbs are in append, plan, claim, settle, state, retire; lists in
 * query and count; acts in act, audit, key, verify. */
#include "base/hash.h"
#include "store/memory.h"
#include "store/migrate.h"
#include "store/row.h"

enum err store_open(struct sql_driver *driver, int64_t wall_us, struct arena *arena, struct store **ret_store,
                    struct str *ret_problem) {
    TRY(migrate_run(driver, wall_us, arena, ret_problem));
    *ret_store = store_attach(driver, arena);
    return ERR_NONE;
}

struct store *store_attach(struct sql_driver *driver, struct arena *arena) {
    struct store *store = arena_new(arena, struct store);
    store->driver = driver;
    store->hasher = hasher_new();
    return store;
}

void store_close(struct store *store) {
    arena_free(&store->scratch);
    hasher_free(store->hasher);
}

void store_set_owner(struct store *store, struct str owner) {
    store->owner = owner;
}

const char *store_trouble(const struct store *store) {
    return store->driver->trouble(store->driver->self);
}

enum err store_begin(struct store *store) {
    return store->driver->begin(store->driver->self);
}

enum err store_hear(struct store *store) {
    return store->driver->hear ? store->driver->hear(store->driver->self) : ERR_NONE;
}

enum err store_commit(struct store *store) {
    return store->driver->commit(store->driver->self);
}

void store_rollback(struct store *store) {
    store->driver->rollback(store->driver->self);
}

bool store_is_tight(const struct store *store) {
    return store->driver->tight && store->driver->tight(store->driver->self);
}

enum err store_tidy(struct store *store, bool idle) {
    return store->driver->tidy(store->driver->self, idle);
}
