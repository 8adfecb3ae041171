/* store/replay.c - see replay.h. */
#include "store/replay.h"

#include "base/when.h"
#include "store/list.h"
#include "store/query.h"

#include <string.h>

#define CLOCK_SLACK_US US_PER_HOUR /* seqs follow the time of creation, except for how far a clock may be set back */
#define ADD_COLUMNS    24
#define PART_COLUMNS   (2 + REPLAY_VERDICTS + 4)
#define ITEM_COLUMNS   8
#define SET_COLUMNS    10

static const char *const statuses[REPLAY_STATUS_COUNT] = {
#define X(name) #name,
    REPLAY_STATUS_LIST(X)
#undef X
};

const char *replay_status_text(enum replay_status status) {
    return statuses[status];
}

const char *replay_verdict_text(enum replay_verdict verdict) {
    static const char *const texts[REPLAY_VERDICTS] = {
#define X(name, text) text,
        REPLAY_VERDICT_LIST(X)
#undef X
    };
    return texts[verdict];
}

bool replay_acts(enum replay_verdict verdict) {
    return verdict == VERDICT_SEND || verdict == VERDICT_OFFER || verdict == VERDICT_UNKNOWN;
}

/* ---- plans ---- */

static enum err row_replay(const struct sql_value *v, struct replay *ret_replay) {
    int status = 0;
    while (status < REPLAY_STATUS_COUNT && !str_eq(v[1].text, str_from(statuses[status]))) status++;
    if (status == REPLAY_STATUS_COUNT) return ERR_STORE_CORRUPT;
    *ret_replay = (struct replay){
        .seq = v[0].number,
        .status = (enum replay_status)status,
        .reason = v[2].text,
        .actor = v[3].text,
        .original = v[4].number != 0,
        .again = v[5].number != 0,
        .since_us = v[6].number,
        .until_us = v[7].number,
        .type = v[8].text,
        .source = v[9].text,
        .route = v[10].text,
        .destination = v[11].text,
        .delivery_status = v[12].text,
        .error = v[13].text,
        .digest = v[14].text,
        .created_us = v[15].number,
        .expires_us = v[16].number,
        .updated_us = v[17].number,
        .applied_us = v[18].number,
        .finished_us = v[19].number,
        .first_seq = v[20].number,
        .last_seq = v[21].number,
        .end_seq = v[22].number,
        .events = v[23].number,
        .jq = v[24].text,
        .failed = v[25].number,
        .runaways = v[26].number,
    };
    return ERR_NONE;
}

/* The events that were made in the plan's span lie between two seqs. */
static enum err find_span(struct store *store, struct replay *replay) {
    int64_t last, from, below;
    TRY(store_ask(store, SQL_EVENT_LAST, NULL, 0, &last));
    from = 1;
    below = last + 1;
    if (replay->since_us) TRY(list_made(store, SQL_EVENT_MADE, 1, last + 1, replay->since_us - CLOCK_SLACK_US, &from));
    if (replay->until_us != WHEN_NEVER)
        TRY(list_made(store, SQL_EVENT_MADE, from, last + 1, replay->until_us + CLOCK_SLACK_US, &below));
    replay->first_seq = replay->last_seq = from - 1;
    replay->end_seq = below - 1;
    return ERR_NONE;
}

enum err store_replay_add(struct store *store, struct replay *replay) {
    TRY(find_span(store, replay));
    const struct sql_value params[ADD_COLUMNS] = {
        sql_str(str_from(statuses[replay->status])),
        sql_str(replay->reason),
        sql_str(replay->actor),
        sql_int(replay->original),
        sql_int(replay->again),
        sql_int(replay->since_us),
        sql_int(replay->until_us),
        sql_str(replay->type),
        sql_str(replay->source),
        sql_str(replay->route),
        sql_str(replay->destination),
        sql_str(replay->delivery_status),
        sql_str(replay->error),
        sql_str(replay->digest),
        sql_int(replay->created_us),
        sql_int(replay->expires_us),
        sql_int(replay->updated_us),
        sql_int(replay->applied_us),
        sql_int(replay->finished_us),
        sql_int(replay->first_seq),
        sql_int(replay->last_seq),
        sql_int(replay->end_seq),
        sql_int(replay->events),
        sql_str(replay->jq),
    };
    struct sql_result result;
    enum err err = store_run(store, SQL_REPLAY_ADD, params, 1, &store->scratch, &result);
    if (!err) replay->seq = result.rows[0].values[0].number;
    arena_reset(&store->scratch);
    return err;
}

static enum err first_replay(struct store *store, enum sql_statement statement, int64_t seq, struct arena *arena,
                             struct replay *ret_replay) {
    const struct sql_value param = sql_int(seq);
    struct sql_result result;
    TRY(store_run(store, statement, &param, 1, arena, &result));
    return result.count ? row_replay(result.rows[0].values, ret_replay) : ERR_NOT_FOUND;
}

enum err store_replay_get(struct store *store, int64_t seq, struct arena *arena, struct replay *ret_replay) {
    return first_replay(store, SQL_REPLAY_GET, seq, arena, ret_replay);
}

enum err store_replay_next(struct store *store, int64_t after_seq, struct arena *arena, struct replay *ret_replay) {
    return first_replay(store, SQL_REPLAY_NEXT, after_seq, arena, ret_replay);
}

enum err store_replay_list(struct store *store, int64_t below, size_t limit, struct arena *arena,
                           struct replay **ret_replays, size_t *ret_count) {
    const struct sql_value params[] = {sql_int(below ? below : INT64_MAX), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_REPLAY_LIST, params, 1, arena, &result));
    struct replay *replays = arena_array(arena, struct replay, result.count);
    for (size_t i = 0; i < result.count; i++) TRY(row_replay(result.rows[i].values, &replays[i]));
    *ret_replays = replays;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_replay_set(struct store *store, const struct replay *replay) {
    const struct sql_value params[SET_COLUMNS] = {
        sql_int(replay->seq),        sql_str(str_from(statuses[replay->status])),
        sql_str(replay->reason),     sql_int(replay->updated_us),
        sql_int(replay->applied_us), sql_int(replay->finished_us),
        sql_int(replay->last_seq),   sql_int(replay->events),
        sql_int(replay->failed),     sql_int(replay->runaways),
    };
    enum err err = store_run(store, SQL_REPLAY_SET, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

/* ---- parts ---- */

enum err store_replay_parts(struct store *store, int64_t replay, struct arena *arena, struct replay_part **ret_parts,
                            size_t *ret_count) {
    const struct sql_value param = sql_int(replay);
    struct sql_result result;
    TRY(store_run(store, SQL_REPLAY_PARTS, &param, 1, arena, &result));
    struct replay_part *parts = arena_array(arena, struct replay_part, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values, *rest = v + 1 + REPLAY_VERDICTS;
        parts[i] = (struct replay_part){.destination = v[0].text,
                                        .items = rest[0].number,
                                        .place = rest[1].number,
                                        .made = rest[2].number,
                                        .moved = rest[3].number};
        for (int j = 0; j < REPLAY_VERDICTS; j++) parts[i].counts[j] = v[1 + j].number;
    }
    *ret_parts = parts;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_replay_part_set(struct store *store, int64_t replay, const struct replay_part *parts, size_t count,
                               struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * PART_COLUMNS);
    for (size_t i = 0; i < count; i++) {
        struct sql_value *row = params + i * PART_COLUMNS, *rest = row + 2 + REPLAY_VERDICTS;
        row[0] = sql_int(replay);
        row[1] = sql_str(parts[i].destination);
        for (int j = 0; j < REPLAY_VERDICTS; j++) row[2 + j] = sql_int(parts[i].counts[j]);
        rest[0] = sql_int(parts[i].items);
        rest[1] = sql_int(parts[i].place);
        rest[2] = sql_int(parts[i].made);
        rest[3] = sql_int(parts[i].moved);
    }
    return store_run(store, SQL_REPLAY_PART_SET, params, count, arena, NULL);
}

/* ---- items ---- */

enum err store_replay_items_add(struct store *store, int64_t replay, const struct replay_item *items, size_t count,
                                struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * ITEM_COLUMNS);
    for (size_t i = 0; i < count; i++) {
        const struct sql_value row[ITEM_COLUMNS] = {
            sql_int(replay),
            sql_str(items[i].destination),
            sql_int(items[i].n),
            sql_uuid(&items[i].event_id),
            sql_int(items[i].delivery),
            sql_str(items[i].route),
            sql_str(items[i].step),
            sql_int(items[i].verdict),
        };
        memcpy(params + i * ITEM_COLUMNS, row, sizeof row);
    }
    return store_run(store, SQL_REPLAY_ITEM_ADD, params, count, arena, NULL);
}

enum err store_replay_items(struct store *store, int64_t replay, struct str destination, int64_t after, size_t limit,
                            struct arena *arena, struct replay_item **ret_items, size_t *ret_count) {
    const struct sql_value params[] = {sql_int(replay), sql_str(destination), sql_int(after), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_REPLAY_ITEMS, params, 1, arena, &result));
    struct replay_item *items = arena_array(arena, struct replay_item, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values; /* n, event, delivery, route, step, verdict, result */
        if (v[5].number < 0 || v[5].number >= REPLAY_VERDICTS) return ERR_STORE_CORRUPT;
        items[i] = (struct replay_item){.destination = destination,
                                        .n = v[0].number,
                                        .event_id = sql_to_uuid(&v[1]),
                                        .delivery = v[2].number,
                                        .route = v[3].text,
                                        .step = v[4].text,
                                        .verdict = (enum replay_verdict)v[5].number,
                                        .result = v[6].number};
    }
    *ret_items = items;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_replay_results(struct store *store, int64_t replay, const struct replay_item *items, size_t count,
                              struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * 4);
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (!items[i].result) continue;
        params[rows * 4] = sql_int(replay);
        params[rows * 4 + 1] = sql_str(items[i].destination);
        params[rows * 4 + 2] = sql_int(items[i].n);
        params[rows++ * 4 + 3] = sql_int(items[i].result);
    }
    return store_run(store, SQL_REPLAY_ITEM_SET, params, rows, arena, NULL);
}

/* ---- what its jq failed on ---- */

enum err store_replay_failures_add(struct store *store, int64_t replay, const struct replay_failure *failures,
                                   size_t count, struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * 4);
    for (size_t i = 0; i < count; i++) {
        params[i * 4] = sql_int(replay);
        params[i * 4 + 1] = sql_int(failures[i].n);
        params[i * 4 + 2] = sql_uuid(&failures[i].event_id);
        params[i * 4 + 3] = sql_str(failures[i].words);
    }
    return store_run(store, SQL_REPLAY_FAILURE_ADD, params, count, arena, NULL);
}

enum err store_replay_failures(struct store *store, int64_t replay, int64_t after, size_t limit, struct arena *arena,
                               struct replay_failure **ret_failures, size_t *ret_count) {
    const struct sql_value params[] = {sql_int(replay), sql_int(after), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_REPLAY_FAILURES, params, 1, arena, &result));
    struct replay_failure *failures = arena_array(arena, struct replay_failure, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values; /* n, event, words */
        failures[i] = (struct replay_failure){v[0].number, sql_to_uuid(&v[1]), v[2].text};
    }
    *ret_failures = failures;
    *ret_count = result.count;
    return ERR_NONE;
}

/* ---- applying ---- */

/* Whether nothing was made of the step meanwhile. What was skipped by its route may be offered again. */
static enum err still_unmade(struct store *store, const struct delivery *owed, struct arena *arena) {
    const struct sql_value id = sql_uuid(&owed->event_id);
    struct sql_result latest;
    TRY(store_run(store, SQL_DELIVERY_LATEST, &id, 1, arena, &latest));
    for (size_t i = 0; i < latest.count; i++) {
        const struct sql_value *row = latest.rows[i].values; /* destination, step, status, cancelled, place */
        bool skipped = str_eq(row[2].text, str_from(delivery_status_text(DELIVERY_SKIPPED))) && !row[3].number;
        if (!skipped && delivery_is_owed(owed, row[0].text, row[1].text, row[4].text)) return ERR_NOT_NOW;
    }
    return ERR_NONE;
}

static enum err find_delivery(struct store *store, int64_t seq, struct arena *arena, struct delivery *ret_delivery) {
    const struct sql_value param = sql_int(seq);
    struct sql_result result;
    TRY(store_run(store, SQL_REPLAY_DELIVERY, &param, 1, arena, &result));
    if (!result.count) return ERR_NOT_FOUND;
    return store_delivery_get(store, sql_to_uuid(&result.rows[0].values[0]), arena, ret_delivery);
}

/* A delivery that a plan sends is final and stays so; a later run is the only way in which it can have moved, which
 * store_run_again looks for. */
enum err store_replay_apply(struct store *store, const struct replay_act *act, struct hasher *hasher,
                            struct arena *arena, struct delivery *ret_delivery) {
    enum run_content how = act->again ? RERUN_ANYWAY : act->original ? RERUN_AS_SENT : RERUN_OWED;
    struct delivery about;
    struct uuid id;
    if (act->item->delivery)
        TRY(find_delivery(store, act->item->delivery, arena, &about));
    else
        about = *act->owed;
    about.destination = act->item->destination; /* it may have had another name then */
    if (act->original) how = RERUN_AS_SENT;
    if (act->item->delivery && !delivery_is_final(about.status)) return ERR_NOT_NOW;
    if (!act->item->delivery) TRY(still_unmade(store, &about, arena));
    TRY(store_run_again(store, &about, how, act->now_us, hasher, arena, &id));
    return store_delivery_get(store, id, arena, ret_delivery);
}

enum err store_replay_forget(struct store *store, int64_t before_us, size_t limit, struct arena *arena,
                             size_t *ret_count) {
    struct replay replay;
    struct sql_result result;
    int64_t oldest;
    *ret_count = 0;
    TRY(store_ask(store, SQL_REPLAY_OLDEST, NULL, 0, &oldest));
    if (!oldest) return ERR_NONE;
    enum err err = store_replay_get(store, oldest, arena, &replay);
    if (err && err != ERR_NOT_FOUND) return err;
    bool over = replay.status == REPLAY_DONE || replay.status == REPLAY_CANCELLED || replay.status == REPLAY_PLANNED;
    if (!err && (!over || replay.expires_us >= before_us || replay.updated_us >= before_us)) return ERR_NONE;
    const struct sql_value params[] = {sql_int(oldest), sql_int((int64_t)limit)};
    TRY(store_run(store, SQL_REPLAY_FORGET, params, 1, arena, &result));
    *ret_count = (size_t)result.changes;
    return *ret_count < limit ? store_run(store, SQL_REPLAY_FAILURES_FORGET, params, 1, arena, NULL) : ERR_NONE;
}
