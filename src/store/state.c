/* store/state.c - what memory is rebuilt from at start: sends that limits still count, what was paused, which
 * routes are stopped. */
#include "store/memory.h"
#include "store/row.h"

enum err store_sends_since(struct store *store, int64_t since_us, int64_t now_us, struct arena *arena,
                           struct sent **ret_sent, size_t *ret_count) {
    const struct sql_value since = sql_int(since_us);
    struct sql_result past, flying;
    TRY(store_run(store, SQL_ATTEMPT_SENDS, &since, 1, arena, &past));
    TRY(store_run(store, SQL_DELIVERY_FLYING, NULL, 1, arena, &flying));
    struct sent *sent = arena_array(arena, struct sent, past.count + flying.count);
    for (size_t i = 0; i < past.count; i++)
        sent[i] = (struct sent){past.rows[i].values[0].text, past.rows[i].values[1].number};
    for (size_t i = 0; i < flying.count; i++)
        sent[past.count + i] = (struct sent){flying.rows[i].values[0].text, now_us};
    *ret_sent = sent;
    *ret_count = past.count + flying.count;
    return ERR_NONE;
}

enum err store_sends_of(struct store *store, struct str destination, int64_t since_us, size_t most, struct arena *arena,
                        struct metered_send **ret_sends, size_t *ret_count) {
    const struct sql_value params[] = {sql_str(destination), sql_int(since_us), sql_int((int64_t)most)};
    struct sql_result result;
    TRY(store_run(store, SQL_ATTEMPT_SENDS_OF, params, 1, arena, &result));
    struct metered_send *sends = arena_array(arena, struct metered_send, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values;
        sends[i] = (struct metered_send){v[0].number, v[1].text, v[2].text};
    }
    *ret_sends = sends;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_flying_of(struct store *store, struct str destination, int64_t now_us, struct arena *arena,
                         struct metered_send **ret_sends, size_t *ret_count) {
    const struct sql_value param = sql_str(destination);
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_FLYING_OF, &param, 1, arena, &result));
    struct metered_send *sends = arena_array(arena, struct metered_send, result.count);
    for (size_t i = 0; i < result.count; i++)
        sends[i] = (struct metered_send){now_us, result.rows[i].values[0].text, result.rows[i].values[1].text};
    *ret_sends = sends;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_destination_states(struct store *store, struct arena *arena, struct destination_state **ret_states,
                                  size_t *ret_count) {
    struct sql_result result;
    TRY(store_run(store, SQL_DESTINATION_LIST, NULL, 1, arena, &result));
    struct destination_state *states = arena_array(arena, struct destination_state, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values;
        states[i] = (struct destination_state){
            .name = v[0].text,
            .paused = v[1].number != 0,
            .paused_until_us = v[2].number,
            .pause_reason = v[3].text,
            .breaker_state = sql_to_i32(&v[4]),
            .breaker_until_us = v[5].number,
            .breaker_failures = sql_to_i32(&v[6]),
            .breaker_ramp = sql_to_i32(&v[7]),
            .quiet_until_us = v[8].number,
            .suspect_seq = v[9].number,
            .probing = v[10].number != 0,
        };
    }
    *ret_states = states;
    *ret_count = result.count;
    return ERR_NONE;
}

#define STATE_COLUMNS 16

static void write_state(struct sql_value *params, const struct destination_state *state, int64_t now_us) {
    const struct sql_value row[STATE_COLUMNS] = {
        sql_str(state->name),
        sql_int(state->paused),
        sql_int(state->paused_until_us),
        sql_str_or_null(state->pause_reason),
        sql_int(state->breaker_state),
        sql_int(state->breaker_until_us),
        sql_int(state->breaker_failures),
        sql_int(state->breaker_ramp),
        sql_int(state->quiet_until_us),
        sql_int(now_us),
        sql_int(state->suspect_seq),
        sql_int(state->probing),
        sql_int(!!(state->aspects & STATE_PAUSE)),
        sql_int(!!(state->aspects & STATE_BREAKER)),
        sql_int(!!(state->aspects & STATE_QUIET)),
        sql_int(!!(state->aspects & STATE_SUSPICION)),
    };
    for (size_t i = 0; i < STATE_COLUMNS; i++) params[i] = row[i];
}

enum err store_save_destination(struct store *store, const struct destination_state *states, size_t count,
                                int64_t now_us) {
    struct sql_value *params = arena_array(&store->scratch, struct sql_value, count * STATE_COLUMNS);
    for (size_t i = 0; i < count; i++) write_state(params + i * STATE_COLUMNS, &states[i], now_us);
    enum err err = store_run(store, SQL_DESTINATION_SAVE, params, count, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

enum err store_route_stops(struct store *store, struct arena *arena, struct stopped_route **ret_stops,
                           size_t *ret_count) {
    struct sql_result result;
    TRY(store_run(store, SQL_ROUTE_STOPS, NULL, 1, arena, &result));
    struct stopped_route *stops = arena_array(arena, struct stopped_route, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values;
        stops[i] = (struct stopped_route){v[0].text, v[1].text, v[2].text, v[3].number};
    }
    *ret_stops = stops;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_route_stop(struct store *store, const struct stopped_route *stop) {
    const struct sql_value params[] = {sql_str(stop->route), sql_str(stop->program_hash), sql_str(stop->reason),
                                       sql_int(stop->until_us)};
    return store_run(store, SQL_ROUTE_STOP, params, 1, &store->scratch, NULL);
}

enum err store_route_heal(struct store *store, struct str route, struct str program_hash) {
    const struct sql_value params[] = {sql_str(route), sql_str(program_hash)};
    return store_run(store, SQL_ROUTE_HEAL, params, 1, &store->scratch, NULL);
}

/* ---- schedules ---- */

enum err store_mark(struct store *store, struct str source, struct arena *arena, struct mark *ret_mark,
                    bool *ret_found) {
    const struct sql_value param = sql_str(source);
    struct sql_result result;
    TRY(store_run(store, SQL_MARK_GET, &param, 1, arena, &result));
    *ret_found = result.count > 0;
    if (!result.count) return ERR_NONE;
    const struct sql_value *v = result.rows[0].values;
    *ret_mark = (struct mark){v[0].text, v[1].number, v[2].text, v[3].number};
    return ERR_NONE;
}

enum err store_set_mark(struct store *store, const struct mark *mark) {
    const struct sql_value params[] = {sql_str(mark->source), sql_int(mark->position), sql_str(mark->said),
                                       sql_int(mark->at_us)};
    enum err err = store_run(store, SQL_MARK_SET, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}
