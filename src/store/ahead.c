/* store/ahead.c - see ahead.h.
 *
 * WHAT. Moves back what a clock that was ahead wrote, so that nothing waits until the clock is where it was.
 * PROMISE. After the round, every open delivery, pause, breaker, quiet spell, stopped route and event that was due at
 * once waits at most as long as it did when it was written. What was written by a clock that was right is not changed.
 * WHY IT HOLDS. A row that says it was written later than now was written by a clock that was ahead. Its own wait is
 * the difference between its two moments, and is right however far the clock was ahead, even where it jumped several
 * times; so each row is moved by itself. A row that was moved says that it was written now, so no step moves it twice,
 * and a round that was cut off goes on where it stood. A row that was written by the clock ahead, but no later than
 * now, need not be moved: what is left of its wait is shorter than what it was given.
 * WHAT BREAKS IT. On a shared store a process that began while the clock was ahead still works by it. Moving its leases
 * would have its sends settled as unknown, so the round waits until those that were there before are gone
 * (store_ahead_elders). They do not wait for what they wrote themselves.
 * HOW TO SEE IT. The log line clock_was_ahead; drumbeat_clock_moved_total; `drumbeat chores list`.
 * TESTED BY. test/conformance/test_ahead.c; the scenarios clock-ahead-*.txt; the planted bug clock-ahead-forgotten. */
#include "store/ahead.h"

#include "base/when.h"
#include "store/row.h"

#define ROUTE_PROBE_US US_PER_HOUR /* the longest that a stopped route waits for its next probe (model/guard.c) */

enum err store_ahead_newest(struct store *store, int64_t *ret_us) {
    return store_ask(store, SQL_AHEAD_NEWEST, NULL, 0, ret_us);
}

enum err store_ahead_elders(struct store *store, int64_t within_us, int64_t *ret_count) {
    const struct sql_value params[] = {sql_str(store->owner), sql_int(within_us)};
    *ret_count = 0;
    if (!store->driver->shared) return ERR_NONE;
    TRY(store_run(store, SQL_AHEAD_INSTANCES, NULL, 1, &store->scratch, NULL));
    return store_ask(store, SQL_AHEAD_ELDERS, params, 0, ret_count);
}

enum err store_ahead_states(struct store *store, int64_t now_us) {
    const struct sql_value now = sql_int(now_us), latest = sql_int(now_us + ROUTE_PROBE_US);
    if (store->driver->shared) TRY(store_run(store, SQL_AHEAD_LIMITS, NULL, 1, &store->scratch, NULL));
    TRY(store_run(store, SQL_AHEAD_ROUTES, &latest, 1, &store->scratch, NULL));
    return store_run(store, SQL_AHEAD_DESTINATIONS, &now, 1, &store->scratch, NULL);
}

enum err store_last_event(struct store *store, int64_t *ret_seq) {
    return store_ask(store, SQL_VERIFY_END_MARKETING_EVENTS, NULL, 0, ret_seq);
}

/* The rows of a window, and where it ends. */
static enum err look(struct store *store, const struct ahead_window *window, enum sql_statement windows,
                     enum sql_statement look, struct arena *arena, struct sql_result *ret_found,
                     struct ahead_moved *ret_moved) {
    const struct sql_value bounds[] = {sql_int(window->after_seq), sql_int(window->upto_seq),
                                       sql_int((int64_t)window->limit)};
    struct sql_result seqs;
    struct ahead_moved moved = {.last_seq = window->upto_seq};
    TRY(store_run(store, windows, bounds, 1, arena, &seqs));
    moved.more = seqs.count == window->limit;
    if (moved.more) moved.last_seq = seqs.rows[seqs.count - 1].values[0].number;
    const struct sql_value params[] = {bounds[0], sql_int(moved.last_seq), sql_int(window->now_us)};
    TRY(store_run(store, look, params, 1, arena, ret_found));
    moved.count = ret_found->count;
    *ret_moved = moved;
    return ERR_NONE;
}

static enum err move(struct store *store, enum sql_statement statement, const struct sql_result *found, int64_t now_us,
                     struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, found->count * 2);
    for (size_t i = 0; i < found->count; i++) {
        params[i * 2] = found->rows[i].values[0];
        params[i * 2 + 1] = sql_int(now_us);
    }
    return store_run(store, statement, params, found->count, arena, NULL);
}

enum err store_ahead_events(struct store *store, const struct ahead_window *window, struct arena *arena,
                            struct ahead_moved *ret_moved) {
    struct sql_result found;
    struct ahead_moved moved;
    TRY(look(store, window, SQL_VERIFY_WINDOW_MARKETING_EVENTS, SQL_AHEAD_LOOK_EVENTS, arena, &found, &moved));
    TRY(move(store, SQL_AHEAD_MOVE_EVENT, &found, window->now_us, arena));
    *ret_moved = moved;
    return ERR_NONE;
}

enum err store_ahead_deliveries(struct store *store, const struct ahead_window *window, struct arena *arena,
                                struct ahead_moved *ret_moved) {
    struct sql_result found;
    struct ahead_moved moved;
    TRY(look(store, window, SQL_VERIFY_WINDOW_DELIVERIES, SQL_AHEAD_LOOK, arena, &found, &moved));
    TRY(move(store, SQL_AHEAD_MOVE, &found, window->now_us, arena));
    moved.destinations = arena_array(arena, struct str, found.count);
    for (size_t i = 0; i < found.count; i++) moved.destinations[i] = found.rows[i].values[1].text;
    *ret_moved = moved;
    return ERR_NONE;
}
