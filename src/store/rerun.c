/* store/rerun.c - a person's word that something is tried once more, in a run of its own. */
#include "store/admin.h"
#include "store/memory.h"
#include "store/query.h"
#include "store/row.h"

/* ---- one delivery ---- */

enum err store_may_run_again(struct store *store, const struct delivery *failed, struct arena *arena,
                             struct event *ret_event) {
    const struct sql_value id = sql_uuid(&failed->event_id), seq = sql_int(failed->seq);
    struct sql_result result;
    struct event event;
    TRY(store_run(store, SQL_EVENT_LOCK, &id, 1, arena, NULL));
    TRY(store_event_get(store, failed->event_id, arena, &event));
    TRY(store_run(store, SQL_DELIVERY_SUCCESSOR, &seq, 1, arena, &result));
    if (result.count || event.status == EVENT_PENDING) return ERR_NOT_NOW;
    *ret_event = event;
    return ERR_NONE;
}

enum err store_run_again(struct store *store, const struct delivery *failed, enum run_content how, int64_t now_us,
                         struct hasher *hasher, struct arena *arena, struct uuid *ret_id) {
    bool unmade = failed->unmade || how != RERUN_AS_SENT, blocked;
    struct str why = how == RERUN_ANYWAY ? STR(DELIVERY_RERUN_ANYWAY) : STR(DELIVERY_RERUN ": its route makes it next");
    const struct sql_value reopen[] = {sql_uuid(&failed->event_id), sql_int(now_us)};
    struct event event;
    TRY(store_may_run_again(store, failed, arena, &event));
    TRY(store_run(store, SQL_EVENT_REOPEN, reopen, 1, arena, NULL));
    struct delivery again = {
        .event_id = failed->event_id,
        .destination = failed->destination,
        .action = failed->action,
        .route = failed->route,
        .step = failed->step,
        .place = failed->place,
        .run = event.run,
        .status = unmade ? DELIVERY_HELD : DELIVERY_PENDING, /* its route makes it first */
        .unmade = unmade,
        .due_us = now_us,
        .first_due_us = now_us,
        .params = failed->params,
        .last_error = unmade ? why : STR_NONE,
        .order_key = failed->order_key,
        .created_us = now_us,
        .updated_us = now_us,
    };
    delivery_identify(hasher, &event, &again);
    TRY(store_plan(store, &again, 1, arena, &blocked));
    *ret_id = again.id;
    return ERR_NONE;
}

/* ---- a whole event ---- */

/* Whether the last run of this step leaves nothing to do: it is done, or a person said that it shall not be. */
static bool is_settled(const struct delivery *owed, const struct sql_result *latest) {
    for (size_t i = 0; i < latest->count; i++) {
        const struct sql_value *row = latest->rows[i].values; /* destination, step, status, cancelled, place */
        bool here = str_eq(row[0].text, owed->destination) || str_list_has(owed->was, row[0].text);
        if (!here || !str_eq(row[1].text, owed->step)) continue;
        return str_eq(row[2].text, str_from(delivery_status_text(DELIVERY_COMPLETED))) || row[3].number;
    }
    return false;
}

static enum err plan_owed(struct store *store, const struct event_retry *retry, const struct event *event,
                          struct hasher *hasher, struct arena *arena, size_t *ret_made) {
    const struct sql_value id = sql_uuid(&retry->id);
    struct delivery *made = arena_array(arena, struct delivery, retry->owed_count);
    bool *blocked = arena_array(arena, bool, retry->owed_count);
    struct sql_result latest;
    size_t count = 0;
    TRY(store_run(store, SQL_DELIVERY_LATEST, &id, 1, arena, &latest));
    for (size_t i = 0; i < retry->owed_count; i++) {
        struct delivery *owed = &retry->owed[i];
        if (is_settled(owed, &latest)) continue;
        owed->run = event->run;
        delivery_identify(hasher, event, owed);
        made[count++] = *owed;
    }
    if (!count) return ERR_LIMIT;
    *ret_made = count;
    if (retry->dry) return ERR_NONE;
    TRY(store_run(store, SQL_EVENT_RERUN, (struct sql_value[]){id, sql_int(retry->now_us), sql_int(retry->wall_us)}, 1,
                  arena, NULL));
    return store_plan(store, made, count, arena, blocked);
}

enum err store_event_retry(struct store *store, const struct event_retry *retry, struct hasher *hasher,
                           struct arena *arena, size_t *ret_made) {
    const struct sql_value id = sql_uuid(&retry->id);
    struct event event;
    size_t made = 0;
    TRY(store_run(store, SQL_EVENT_LOCK, &id, 1, arena, NULL));
    TRY(store_event_get(store, retry->id, arena, &event));
    if (event.status == EVENT_PENDING || event.status == EVENT_PROCESSING) return ERR_NOT_NOW;
    const struct sql_value replay[] = {id, sql_int(retry->now_us), sql_int(retry->wall_us)};
    if (retry->all && !retry->owed_count) return ERR_LIMIT;
    if (!retry->all)
        TRY(plan_owed(store, retry, &event, hasher, arena, &made));
    else if (!retry->dry)
        TRY(store_run(store, SQL_EVENT_REPLAY, replay, 1, arena, NULL));
    *ret_made = made;
    if (retry->dry) return ERR_NONE;
    struct str detail =
        str_fmt(arena, "%s, %s", event_status_text(event.status),
                retry->all ? "all of it" : str_fmt(arena, "%zu %s", made, made == 1 ? "delivery" : "deliveries").p);
    return store_audit(store, retry->actor, STR("retry"), uuid_str(arena, retry->id), detail, retry->now_us);
}

/* ---- what is made ---- */

#define BEFORE_COLUMNS 5

enum err store_run_before(struct store *store, const struct delivery *deliveries, size_t count, struct arena *arena,
                          enum run_before *ret_before) {
    size_t most = count, rows = 0;
    for (size_t i = 0; i < count; i++) most += deliveries[i].was.count;
    struct sql_value *params = arena_array(arena, struct sql_value, most * BEFORE_COLUMNS);
    size_t *asked = arena_array(arena, size_t, most);
    struct sql_result result;
    for (size_t i = 0; i < count; i++) {
        const struct delivery *delivery = &deliveries[i];
        ret_before[i] = BEFORE_FAILED;
        for (size_t j = 0; j <= delivery->was.count; j++) { /* under its name, and under those that it had before */
            struct sql_value *row = params + rows * BEFORE_COLUMNS;
            row[0] = sql_uuid(&delivery->event_id);
            row[1] = sql_str(j ? delivery->was.items[j - 1] : delivery->destination);
            row[2] = sql_str(delivery->step);
            row[3] = sql_int(delivery->run);
            row[4] = sql_str_or_null(delivery->place);
            asked[rows++] = i;
        }
    }
    TRY(store_run(store, SQL_DELIVERY_DONE, params, rows, arena, &result));
    for (size_t i = 0; i < result.count; i++) {
        enum run_before *before = &ret_before[asked[result.rows[i].input]];
        enum run_before found = (enum run_before)result.rows[i].values[0].number;
        if (*before != BEFORE_DONE && found != BEFORE_FAILED) *before = found; /* done under one name is done */
    }
    return ERR_NONE;
}
