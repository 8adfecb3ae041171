/* store/shared.c - see shared.h. */
#include "store/shared.h"

#include "base/str.h"
#include "store/row.h"

#define LIMIT_BUSY_US (5 * (int64_t)1000) /* how soon to ask again when another process is taking from the limit */

bool store_is_shared(const struct store *store) {
    return store->driver->shared;
}

unsigned store_news(struct store *store) {
    return store->driver->shared ? store->driver->news(store->driver->self) : 0;
}

/* Says "<token> w", "<token> s" or "<token> ws", which store/postgres_watch.c reads. */
enum err store_tell(struct store *store, unsigned news) {
    struct str text = str_fmt(&store->scratch, "%.*s %s%s", STR_ARG(store->owner), news & SQL_NEWS_WORK ? "w" : "",
                              news & SQL_NEWS_STATE ? "s" : "");
    const struct sql_value payload = sql_str(text);
    enum err err = store_run(store, SQL_NEWS, &payload, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

enum err store_try_task(struct store *store, enum store_task task, bool *ret_ours) {
    const struct sql_value which = sql_int(task);
    int64_t ours = 1;
    if (!store->driver->shared) {
        *ret_ours = true;
        return ERR_NONE;
    }
    TRY(store_ask(store, SQL_TASK_TRY, &which, 0, &ours));
    *ret_ours = ours != 0;
    return ERR_NONE;
}

enum err store_due_in_order(struct store *store, int64_t wall_us, size_t limit, struct arena *arena,
                            struct event **ret_events, size_t *ret_count, bool **ret_locked) {
    struct sql_result seen, free_ones = {0};
    *ret_locked = NULL;
    if (!store->driver->shared) return store_due_events(store, wall_us, limit, arena, ret_events, ret_count);
    TRY(store_run(store, SQL_EVENT_DUE_SEEN, (struct sql_value[]){sql_int(wall_us), sql_int((int64_t)limit)}, 1, arena,
                  &seen));
    struct event *events = arena_array(arena, struct event, seen.count);
    struct sql_value *seqs = arena_array(arena, struct sql_value, seen.count);
    bool *locked = arena_array(arena, bool, seen.count);
    for (size_t i = 0; i < seen.count; i++) {
        TRY(row_event(seen.rows[i].values, &events[i]));
        seqs[i] = sql_int(events[i].seq);
    }
    if (seen.count) TRY(store_run(store, SQL_EVENT_DUE_LOCK, seqs, seen.count, arena, &free_ones));
    for (size_t i = 0; i < seen.count; i++) locked[i] = true;
    for (size_t i = 0; i < free_ones.count; i++) locked[free_ones.rows[i].input] = false;
    *ret_events = events;
    *ret_count = seen.count;
    *ret_locked = locked;
    return ERR_NONE;
}

enum err store_next_due_all(struct store *store, struct arena *arena, struct next_due **ret_next, size_t *ret_count) {
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_NEXT_ALL, NULL, 1, arena, &result));
    struct next_due *next = arena_array(arena, struct next_due, result.count);
    for (size_t i = 0; i < result.count; i++)
        next[i] = (struct next_due){result.rows[i].values[0].text, result.rows[i].values[1].number};
    *ret_next = next;
    *ret_count = result.count;
    return ERR_NONE;
}

/* ---- who is there ---- */

enum err store_seen(struct store *store, struct str role, struct str host) {
    const struct sql_value params[] = {sql_str(store->owner), sql_str(role), sql_str(host)};
    enum err err = store_run(store, SQL_INSTANCE_SEEN, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

enum err store_gone(struct store *store) {
    const struct sql_value token = sql_str(store->owner);
    enum err err = store_run(store, SQL_INSTANCE_GONE, &token, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

enum err store_instances(struct store *store, int64_t within_us, struct arena *arena, struct instance **ret_instances,
                         size_t *ret_count) {
    const struct sql_value within = sql_int(within_us);
    struct sql_result result;
    TRY(store_run(store, SQL_INSTANCE_LIST, &within, 1, arena, &result));
    struct instance *instances = arena_array(arena, struct instance, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values;
        instances[i] = (struct instance){v[0].text, v[1].text, v[2].text, v[3].number, v[4].number};
    }
    *ret_instances = instances;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_clock(struct store *store, int64_t *ret_now_us) {
    return store_ask(store, SQL_CLOCK, NULL, 0, ret_now_us);
}

enum err store_probe(struct store *store, struct str destination, int64_t now_us, int64_t until_us, bool *ret_ours) {
    const struct sql_value params[] = {sql_str(destination), sql_int(now_us), sql_int(until_us)};
    struct sql_result result;
    enum err err = store_run(store, SQL_DESTINATION_PROBE, params, 1, &store->scratch, &result);
    if (!err) *ret_ours = !store->driver->shared || result.count > 0;
    arena_reset(&store->scratch);
    return err;
}

/* ---- limits ---- */

static enum err room_under(struct store *store, const struct limit_take *take, size_t *ret_room, int64_t *ret_wait_us) {
    struct sql_value *params = arena_array(&store->scratch, struct sql_value, take->rule_count * 2);
    struct sql_result used;
    size_t room = SIZE_MAX;
    int64_t wait_us = 0;
    for (size_t i = 0; i < take->rule_count; i++) {
        params[i * 2] = sql_str(take->limit);
        params[i * 2 + 1] = sql_int(take->rules[i].window_us);
    }
    TRY(store_run(store, SQL_LIMIT_USED, params, take->rule_count, &store->scratch, &used));
    for (size_t i = 0; i < used.count; i++) {
        int64_t left = take->rules[used.rows[i].input].count - used.rows[i].values[0].number;
        if (left < 0) left = 0;
        if ((size_t)left < room) room = (size_t)left;
        if ((size_t)left < take->want && used.rows[i].values[1].number > wait_us)
            wait_us = used.rows[i].values[1].number;
    }
    *ret_room = room;
    *ret_wait_us = wait_us;
    return ERR_NONE;
}

static enum err sweep(struct store *store, const struct limit_take *take) {
    int64_t longest_us = 0;
    for (size_t i = 0; i < take->rule_count; i++)
        if (take->rules[i].window_us > longest_us) longest_us = take->rules[i].window_us;
    const struct sql_value params[] = {sql_str(take->limit), sql_int(longest_us)};
    return store_run(store, SQL_LIMIT_SWEEP, params, 1, &store->scratch, NULL);
}

static enum err take_ours(struct store *store, const struct limit_take *take, struct limit_taken *taken) {
    size_t room;
    TRY(sweep(store, take));
    TRY(room_under(store, take, &room, &taken->wait_us));
    taken->granted = room < take->want ? room : take->want;
    taken->remaining = room - taken->granted;
    if (!taken->granted) return ERR_NONE;
    const struct sql_value params[] = {sql_str(take->limit), sql_int((int64_t)taken->granted), sql_int(take->hold_us)};
    struct sql_result result;
    TRY(store_run(store, SQL_LIMIT_TAKE, params, 1, &store->scratch, &result));
    taken->id = result.count ? result.rows[0].values[0].number : 0;
    return ERR_NONE;
}

enum err store_limit_sweep(struct store *store, struct str account, int64_t window_us) {
    struct str low = str_fmt(&store->scratch, "%.*s/", STR_ARG(account));
    struct str high = str_fmt(&store->scratch, "%.*s0", STR_ARG(account)); /* the character after the slash */
    const struct sql_value params[] = {sql_str(low), sql_str(high), sql_int(window_us)};
    enum err err = store_run(store, SQL_LIMIT_SWEEP_ALL, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

enum err store_limit_take(struct store *store, const struct limit_take *take, struct limit_taken *ret_taken) {
    const struct sql_value limit = sql_str(take->limit);
    struct limit_taken taken = {.wait_us = LIMIT_BUSY_US};
    int64_t ours;
    TRY(store_ask(store, SQL_LIMIT_TRY, &limit, 0, &ours));
    enum err err = ours ? take_ours(store, take, &taken) : ERR_NONE;
    arena_reset(&store->scratch);
    if (!err) *ret_taken = taken;
    return err;
}

enum err store_limit_started(struct store *store, const struct limit_started *started, size_t count) {
    struct sql_value *params = arena_array(&store->scratch, struct sql_value, count * 3);
    for (size_t i = 0; i < count; i++) {
        params[i * 3] = sql_int(started[i].id);
        params[i * 3 + 1] = sql_int((int64_t)started[i].started);
        params[i * 3 + 2] = sql_int(started[i].starting);
    }
    enum err err = store_run(store, SQL_LIMIT_STARTED, params, count, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}
