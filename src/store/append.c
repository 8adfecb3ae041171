/* store/append.c - facts come in, and what routing made of them.
 *
 * WHAT. Stores events whose idempotency key is new, and says of each other one whether it is the same fact again or
 * another fact under a used key.
 * PROMISE. Of one idempotency key there is one event, however many callers post it and however often. A repeat is told
 * the first one's id. A payload that differs is never taken for a repeat, and never replaces the first one.
 * WHY IT HOLDS.
 * 1. The key is unique in the schema, and event_append inserts where there is no conflict. Whether a key is new is so
 *    decided by the database, not by a look before the write.
 * 2. A fresh event is an input for which a row came back. All other inputs are judged afterwards, when the whole batch
 *    is stored: two equal keys of one batch are therefore judged as if they had come in two.
 * 3. Equal fingerprints mean the same fact: ours are of the payload's canonical form. Where they differ, the canonical
 *    payloads themselves are compared (same_fact): an event of another program may have any fingerprint or none, and
 *    one of an older version has another where there are large integers.
 * 4. A key that was there for the append and is gone for the look was deleted by somebody in between. Where others
 * write too, that is a race and the turn begins again; in an embedded store it can only be damage.
 * 5. Events are due in order of their time and then of their seq, and seqs follow the order of the batch.
 * WHAT BREAKS IT. A row that is deleted by retention frees its key: the same fact posted after that is a new event. A
 * change of what json_canonical writes that lets a stored fingerprint stand for another payload as well.
 * HOW TO SEE IT. drumbeat_events_total by status (accepted, duplicate, conflict); the hop store_append; a deep
 * `drumbeat verify`, which computes fingerprints anew.
 * TESTED BY. test/conformance/test_append.c, test_fleet_races.c (a_key_is_made_once); the scenario
 * duplicate-and-conflict; test/e2e/test_processes.py (a thousand keys posted a hundred times).
 */
#include "store/row.h"

#include "base/json.h"
#include "base/when.h"

#define APPEND_COLUMNS 10

static void write_event(struct sql_value *params, const struct event *event) {
    const struct sql_value row[APPEND_COLUMNS] = {
        sql_uuid(&event->id),         sql_str(event->key),
        sql_str(event->type),         sql_str(event->source),
        sql_str(event->payload),      sql_str(event->fingerprint),
        sql_int(event->scheduled_us), sql_int(event->created_us),
        sql_int(event->updated_us),   sql_str_or_null(event->trace_parent),
    };
    for (size_t i = 0; i < APPEND_COLUMNS; i++) params[i] = row[i];
}

/* Fingerprints that differ do not yet speak of two facts: another program may have written the stored one (short, of
 * some other form, or none), or it is from before large integers counted by their digits. The payloads decide. */
static bool same_fact(const struct event *event, struct str payload) {
    struct arena arena = ARENA_EMPTY;
    struct buf stored_form = {.arena = &arena}, posted_form = {.arena = &arena};
    struct json *stored = NULL, *posted = NULL;
    bool same = false;
    if (!json_parse(payload, JSON_DEPTH_MAX, &stored, NULL) &&
        !json_parse(event->payload, JSON_DEPTH_MAX, &posted, NULL)) {
        json_canonical(&stored_form, stored);
        json_canonical(&posted_form, posted);
        same = str_eq(buf_str(&stored_form), buf_str(&posted_form));
    }
    json_free(stored);
    json_free(posted);
    arena_free(&arena);
    return same;
}

/* Judges the inputs for which no row came back: their keys were there before, in the store or in this very batch. */
static enum err judge_repeats(struct store *store, const struct event *events, size_t count, struct arena *arena,
                              struct append_result *results) {
    size_t repeats = 0, *inputs = arena_array(arena, size_t, count);
    struct sql_value *params = arena_array(arena, struct sql_value, count * 2);
    for (size_t i = 0; i < count; i++) {
        if (results[i].seq) continue;
        params[repeats * 2] = sql_str(events[i].key);
        params[repeats * 2 + 1] = sql_str(events[i].fingerprint);
        inputs[repeats++] = i;
    }
    struct sql_result found;
    TRY(store_run(store, SQL_EVENT_OF_KEY, params, repeats, arena, &found));
    if (found.count != repeats) return store->driver->shared ? ERR_STORE_RACED : ERR_STORE_CORRUPT; /* just deleted */
    for (size_t i = 0; i < repeats; i++) {
        const struct event *event = &events[inputs[i]];
        /* id, fingerprint, payload where they differ, type, source, scheduled_at */
        const struct sql_value *row = found.rows[i].values;
        bool other_payload = row[2].kind != SQL_NULL && !same_fact(event, row[2].text);
        bool differs = other_payload || !str_eq(event->type, row[3].text) || !str_eq(event->source, row[4].text);
        results[inputs[i]] = (struct append_result){
            .verdict = differs ? APPEND_CONFLICT : APPEND_DUPLICATE,
            .event_id = sql_to_uuid(&row[0]),
            .payload = other_payload ? row[2].text : STR_NONE,
            .type = row[3].text,
            .source = row[4].text,
            .scheduled_us = row[5].number,
        };
    }
    return ERR_NONE;
}

enum err store_append(struct store *store, const struct event *events, size_t count, struct arena *arena,
                      struct append_result *ret_results) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * APPEND_COLUMNS);
    struct append_result *results = arena_array(arena, struct append_result, count);
    struct sql_result fresh;
    for (size_t i = 0; i < count; i++) write_event(params + i * APPEND_COLUMNS, &events[i]);
    TRY(store_run(store, SQL_EVENT_APPEND, params, count, arena, &fresh));
    for (size_t i = 0; i < fresh.count; i++) {
        size_t input = fresh.rows[i].input;
        results[input] = (struct append_result){.event_id = events[input].id, .seq = fresh.rows[i].values[0].number};
    }
    if (fresh.count < count) TRY(judge_repeats(store, events, count, arena, results));
    for (size_t i = 0; i < count; i++) ret_results[i] = results[i];
    return ERR_NONE;
}

enum err store_due_events(struct store *store, int64_t wall_us, size_t limit, struct arena *arena,
                          struct event **ret_events, size_t *ret_count) {
    struct sql_result result;
    TRY(store_run(store, SQL_EVENT_DUE, (struct sql_value[]){sql_int(wall_us), sql_int((int64_t)limit)}, 1, arena,
                  &result));
    struct event *events = arena_array(arena, struct event, result.count);
    for (size_t i = 0; i < result.count; i++) TRY(row_event(result.rows[i].values, &events[i]));
    *ret_events = events;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_next_scheduled(struct store *store, int64_t *ret_wall_us) {
    return store_ask(store, SQL_EVENT_NEXT, NULL, WHEN_NEVER, ret_wall_us);
}

enum err store_routed(struct store *store, const struct routed *routed, size_t count, int64_t now_us) {
    struct sql_value *params = arena_array(&store->scratch, struct sql_value, count * 4);
    for (size_t i = 0; i < count; i++) {
        params[i * 4] = sql_int(routed[i].event_seq);
        params[i * 4 + 1] = sql_str(str_from(event_status_text(routed[i].status)));
        params[i * 4 + 2] = sql_str_or_null(routed[i].last_error);
        params[i * 4 + 3] = sql_int(now_us);
    }
    enum err err = store_run(store, SQL_EVENT_ROUTED, params, count, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}
