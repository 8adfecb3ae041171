/* store/count.c - how much waits, since when, and for what a person is needed. */
#include "store/query.h"

#include "base/map.h"
#include "base/when.h"
#include "store/row.h"

/* Which statuses the columns behind the destination count, per statement. */
struct counting {
    enum sql_statement statement;
    bool final;
    size_t columns;
    enum delivery_status statuses[4];
};
#define OPEN_STATUSES                                                                                                  \
    { DELIVERY_PENDING, DELIVERY_PROCESSING, DELIVERY_UNKNOWN, DELIVERY_HELD }
static const struct counting countings[] = {
    {SQL_COUNT_CLAIMABLE, false, 4, OPEN_STATUSES},  {SQL_COUNT_BLOCKED, false, 4, OPEN_STATUSES},
    {SQL_COUNT_PROCESSING, false, 4, OPEN_STATUSES}, {SQL_COUNT_HELD, false, 4, OPEN_STATUSES},
    {SQL_COUNT_FAILED, false, 1, {DELIVERY_FAILED}}, {SQL_COUNT_FINAL, true, 2, {DELIVERY_COMPLETED, DELIVERY_SKIPPED}},
};

static void add_row(struct map *destinations, const struct counting *counting, const struct sql_value *values) {
    struct destination_counts *counts = map_get(destinations, values[0].text);
    if (!counts) {
        counts = arena_new(destinations->arena, struct destination_counts);
        counts->destination = values[0].text;
        map_set(destinations, counts->destination, counts);
    }
    for (size_t i = 0; i < counting->columns; i++) {
        counts->by_status[counting->statuses[i]] += values[i + 1].number;
        if (counting->statement == SQL_COUNT_BLOCKED) counts->blocked += values[i + 1].number;
    }
}

enum err store_counts(struct store *store, bool all, struct arena *arena, struct destination_counts **ret_counts,
                      size_t *ret_count) {
    struct map destinations = {.arena = arena};
    for (size_t i = 0; i < sizeof countings / sizeof *countings; i++) {
        struct sql_result result;
        if (countings[i].final && !all) continue;
        TRY(store_run(store, countings[i].statement, NULL, 1, arena, &result));
        for (size_t j = 0; j < result.count; j++) add_row(&destinations, &countings[i], result.rows[j].values);
    }
    struct destination_counts *counts = arena_array(arena, struct destination_counts, destinations.count);
    for (size_t i = 0; i < destinations.count; i++)
        counts[i] = *(const struct destination_counts *)destinations.slots[i].value;
    *ret_counts = counts;
    *ret_count = destinations.count;
    return ERR_NONE;
}

static struct destination_waiting *waiting_of(struct map *destinations, struct str name) {
    struct destination_waiting *waiting = map_get(destinations, name);
    if (waiting) return waiting;
    waiting = arena_new(destinations->arena, struct destination_waiting);
    waiting->destination = name;
    waiting->oldest_us = WHEN_NEVER;
    map_set(destinations, name, waiting);
    return waiting;
}

enum err store_waiting(struct store *store, int64_t now_us, struct arena *arena,
                       struct destination_waiting **ret_waiting, size_t *ret_count) {
    struct map destinations = {.arena = arena};
    const struct sql_value now = sql_int(now_us);
    struct sql_result due, blocked;
    TRY(store_run(store, SQL_COUNT_DUE, &now, 1, arena, &due));
    TRY(store_run(store, SQL_COUNT_BLOCKED, NULL, 1, arena, &blocked));
    for (size_t i = 0; i < due.count; i++) {
        struct destination_waiting *waiting = waiting_of(&destinations, due.rows[i].values[0].text);
        waiting->due = due.rows[i].values[1].number;
        waiting->later = due.rows[i].values[2].number;
        waiting->oldest_us = due.rows[i].values[3].number;
    }
    /* The columns are destination, PENDING, PROCESSING, UNKNOWN, HELD. What is held waits for a person, so it is left
     * out. */
    for (size_t i = 0; i < blocked.count; i++)
        waiting_of(&destinations, blocked.rows[i].values[0].text)->blocked =
            blocked.rows[i].values[1].number + blocked.rows[i].values[3].number;
    struct destination_waiting *all = arena_array(arena, struct destination_waiting, destinations.count);
    for (size_t i = 0; i < destinations.count; i++)
        all[i] = *(const struct destination_waiting *)destinations.slots[i].value;
    *ret_waiting = all;
    *ret_count = destinations.count;
    return ERR_NONE;
}

enum err store_due_until(struct store *store, struct str destination, int64_t until_us, int64_t *ret_count) {
    const struct sql_value params[] = {sql_str(destination), sql_int(until_us)};
    return store_ask(store, SQL_COUNT_DUE_OF, params, 0, ret_count);
}

enum err store_oldest_due(struct store *store, int64_t *ret_due_us) {
    return store_ask(store, SQL_DELIVERY_OLDEST, NULL, WHEN_NEVER, ret_due_us);
}

enum err store_oldest_doubt(struct store *store, int64_t *ret_sent_us) {
    return store_ask(store, SQL_COUNT_DOUBT, NULL, WHEN_NEVER, ret_sent_us);
}

/* ---- what waits for a person ---- */

/* So many rows are looked at, and so many groups given. A person mends the largest first; what lies beyond comes into
 * sight then. The newest of what failed must each be asked for a later run, a lookup in two indexes. */
#define GROUPS_MAX 100
static const struct {
    enum sql_statement statement;
    int64_t most;
} todo_kinds[TODO_KINDS] = {
    [TODO_HELD] = {SQL_TODO_HELD, 5000},
    [TODO_FAILED] = {SQL_TODO_FAILED, 2000},
    [TODO_EVENTS] = {SQL_TODO_EVENTS, 2000},
};

enum err store_todo(struct store *store, enum todo_kind kind, struct arena *arena, struct todo_group **ret_groups,
                    size_t *ret_count) {
    const struct sql_value params[] = {sql_int(todo_kinds[kind].most), sql_int(GROUPS_MAX)};
    struct sql_result result;
    TRY(store_run(store, todo_kinds[kind].statement, params, 1, arena, &result));
    struct todo_group *groups = arena_array(arena, struct todo_group, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values; /* place, route, doubt, status, gist, error ... */
        groups[i] = (struct todo_group){.place = v[0].text,
                                        .unmade = v[1].text,
                                        .in_doubt = v[2].number != 0,
                                        .last_status = sql_to_i32(&v[3]),
                                        .error = v[5].text,
                                        .count = v[6].number,
                                        .oldest_us = v[7].number};
    }
    *ret_groups = groups;
    *ret_count = result.count;
    return ERR_NONE;
}
