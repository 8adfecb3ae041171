/* store/replay_window.c - see replay_window.h. */
#include "store/replay_window.h"

#include "store/row.h"

#define WINDOW_BYTES ((int64_t)64 * 1024) /* of payloads */

static enum err read_deliveries(struct store *store, int64_t after, struct arena *arena, struct replay_window *window) {
    const struct sql_value span[] = {sql_int(after), sql_int(window->last_seq)};
    struct sql_result result;
    TRY(store_run(store, SQL_REPLAY_DELIVERIES, span, 1, arena, &result));
    window->deliveries = arena_array(arena, struct delivery, result.count);
    window->of = arena_array(arena, int64_t, result.count);
    window->delivery_count = result.count;
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values;
        struct delivery *delivery = &window->deliveries[i];
        *delivery = (struct delivery){.seq = v[1].number,
                                      .destination = v[2].text,
                                      .action = v[3].text,
                                      .route = v[4].text,
                                      .step = v[5].text,
                                      .run = sql_to_i32(&v[6]),
                                      .last_error = v[8].text,
                                      .updated_us = v[9].number,
                                      .in_doubt = v[10].number != 0,
                                      .unmade = v[11].number != 0,
                                      .place = v[12].text};
        if (!delivery_status_parse(v[7].text, &delivery->status)) return ERR_STORE_CORRUPT;
        window->of[i] = v[0].number;
    }
    return ERR_NONE;
}

static enum err row_light_event(const struct sql_value *v, struct event *ret_event) {
    *ret_event = (struct event){.seq = v[0].number, /* seq, id, type, source, status, run, created, updated */
                                .id = sql_to_uuid(&v[1]),
                                .type = v[2].text,
                                .source = v[3].text,
                                .run = sql_to_i32(&v[5]) + 1,
                                .created_us = v[6].number,
                                .updated_us = v[7].number};
    return event_status_parse(v[4].text, &ret_event->status) ? ERR_NONE : ERR_STORE_CORRUPT;
}

enum err store_replay_window(struct store *store, int64_t after, int64_t upto, size_t rows, bool payloads,
                             struct arena *arena, struct replay_window *ret_window) {
    const struct sql_value params[] = {sql_int(after), sql_int(upto), sql_int(payloads ? WINDOW_BYTES : (int64_t)rows)};
    struct replay_window window = {.last_seq = upto};
    struct sql_result result;
    TRY(store_run(store, payloads ? SQL_REPLAY_PAYLOADS : SQL_REPLAY_EVENTS, params, 1, arena, &result));
    window.event_count = result.count;
    window.events = arena_array(arena, struct event, result.count);
    for (size_t i = 0; i < result.count; i++)
        TRY((payloads ? row_event : row_light_event)(result.rows[i].values, &window.events[i]));
    window.more = payloads ? result.count > 0 : result.count == rows;
    if (window.more) window.last_seq = window.events[result.count - 1].seq;
    TRY(read_deliveries(store, after, arena, &window));
    *ret_window = window;
    return ERR_NONE;
}
