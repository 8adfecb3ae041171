/* store/act.c - what an operator may do to deliveries and events; each act and its audit row are one transaction. */
#include "store/admin.h"

#include "store/query.h"
#include "store/row.h"

#define FROM(name) (1u << DELIVERY_##name)
static const struct act_rule {
    const char *name; /* in the audit; VERIFY_ATTEMPTS knows "resolve delivered" */
    unsigned from;
    enum delivery_status to;
    const char *error; /* what the delivery's last_error begins with; NULL = none */
} rules[] = {
    [ACT_RETRY] = {"retry", FROM(PENDING) | FROM(HELD) | FROM(UNKNOWN), DELIVERY_PENDING, NULL},
    [ACT_RETRY_AS_SENT] = {"retry as sent", FROM(PENDING) | FROM(HELD) | FROM(UNKNOWN), DELIVERY_PENDING, NULL},
    [ACT_CANCEL] = {"cancel", FROM(PENDING) | FROM(HELD) | FROM(UNKNOWN), DELIVERY_SKIPPED, "cancelled"},
    [ACT_RESOLVE_DELIVERED] = {"resolve delivered", FROM(HELD) | FROM(UNKNOWN), DELIVERY_COMPLETED, NULL},
    [ACT_RESOLVE_NOT_DELIVERED] = {"resolve not-delivered", FROM(HELD) | FROM(UNKNOWN), DELIVERY_FAILED,
                                   "resolved as not delivered"},
    [ACT_RESOLVE_RETRY] = {"resolve retry", FROM(HELD) | FROM(UNKNOWN), DELIVERY_PENDING, NULL},
};

/* "cancelled by ada: the list was wrong" */
static struct str act_text(const char *what, struct str actor, struct str note, struct arena *arena) {
    return str_fmt(arena, "%s by %.*s%s%.*s", what, STR_ARG(actor), note.n ? ": " : "", STR_ARG(note));
}

/* Lets the delivery be sent again. One that was PENDING stays in its frozen set, because the others of the set will go
 * out too; any other leaves alone from now on. */
static enum err send_again(struct store *store, const struct delivery *delivery, int64_t now_us, struct arena *arena) {
    bool keep_batch = delivery->status == delivery_move(delivery->status, DELIVERY_PENDING);
    const struct sql_value params[] = {sql_uuid(&delivery->id), sql_int(now_us), sql_int(keep_batch)};
    return store_run(store, SQL_DELIVERY_RETRY, params, 1, arena, NULL);
}

static enum err end_delivery(struct store *store, const struct delivery *delivery, const struct act_rule *rule,
                             struct str actor, struct str note, int64_t now_us, struct arena *arena) {
    enum delivery_status to = delivery_move(delivery->status, rule->to);
    struct str error = rule->error ? act_text(rule->error, actor, note, arena) : STR_NONE;
    const struct sql_value params[] = {
        sql_uuid(&delivery->id),
        sql_str(str_from(delivery_status_text(to))),
        sql_str_or_null(error),
        sql_int(now_us),
    };
    const struct ending ending = {delivery->event_id, delivery->destination, delivery->order_key};
    TRY(store_run(store, SQL_DELIVERY_ACT, params, 1, arena, NULL));
    return store_ended(store, &ending, 1, now_us, arena);
}

/* What FAILED stays as it is, and so does what a person cancelled. A run of its own takes its place: to send it all the
 * same, or, of what FAILED, to be cancelled at once, by which a person says that nothing more is to be done about it.
 */
static bool begins_run(const struct delivery *delivery, enum delivery_act act) {
    bool retry = act == ACT_RETRY || act == ACT_RETRY_AS_SENT, failed = delivery->status == DELIVERY_FAILED;
    return retry ? failed || delivery_is_cancelled(delivery) : act == ACT_CANCEL && failed;
}

/* What was cancelled counts as done for a run that is merely owed. */
static enum err begin_run(struct store *store, const struct delivery *before, enum delivery_act act, struct str actor,
                          struct str note, int64_t now_us, struct hasher *hasher, struct arena *arena,
                          struct uuid *ret_id) {
    bool anyway = delivery_is_cancelled(before) && (act == ACT_RETRY || before->unmade);
    enum run_content how = anyway ? RERUN_ANYWAY : act == ACT_RETRY ? RERUN_OWED : RERUN_AS_SENT;
    struct delivery again;
    TRY(store_run_again(store, before, how, now_us, hasher, arena, ret_id));
    if (act != ACT_CANCEL) return ERR_NONE;
    TRY(store_delivery_get(store, *ret_id, arena, &again));
    return end_delivery(store, &again, &rules[act], actor, note, now_us, arena);
}

enum err store_delivery_may(struct store *store, struct uuid id, enum delivery_act act, struct arena *arena) {
    struct delivery delivery;
    struct event event;
    TRY(store_delivery_get(store, id, arena, &delivery));
    if (begins_run(&delivery, act)) return store_may_run_again(store, &delivery, arena, &event);
    return rules[act].from & (1u << delivery.status) ? ERR_NONE : ERR_NOT_NOW;
}

enum err store_delivery_act(struct store *store, struct uuid id, enum delivery_act act, struct str actor,
                            struct str note, int64_t now_us, struct hasher *hasher, struct arena *arena,
                            struct delivery *ret_after) {
    const struct act_rule *rule = &rules[act];
    const struct sql_value looked_at = sql_uuid(&id);
    struct uuid after = id;
    struct delivery delivery;
    TRY(store_run(store, SQL_DELIVERY_LOCK, &looked_at, 1, arena, NULL));
    TRY(store_delivery_get(store, id, arena, &delivery));
    if (begins_run(&delivery, act))
        TRY(begin_run(store, &delivery, act, actor, note, now_us, hasher, arena, &after));
    else if (!(rule->from & (1u << delivery.status)))
        return ERR_NOT_NOW;
    else if (rule->to != DELIVERY_PENDING)
        TRY(end_delivery(store, &delivery, rule, actor, note, now_us, arena));
    else if (!delivery.unmade) /* one that is, its route makes as soon as it may */
        TRY(send_again(store, &delivery, now_us, arena));
    struct str detail =
        str_fmt(arena, "%s%s%.*s", delivery_status_text(delivery.status), note.n ? ": " : "", STR_ARG(note));
    TRY(store_audit(store, actor, str_from(rule->name), uuid_str(arena, id), detail, now_us));
    return store_delivery_get(store, after, arena, ret_after);
}

/* ---- events ---- */

static enum err cancel_waiting(struct store *store, struct uuid id, struct str error, int64_t now_us,
                               struct arena *arena, size_t *ret_count) {
    const struct sql_value param = sql_uuid(&id);
    struct sql_result waiting;
    TRY(store_run(store, SQL_DELIVERY_WAITING, &param, 1, arena, &waiting));
    struct sql_value *params = arena_array(arena, struct sql_value, waiting.count * 4);
    struct ending *endings = arena_array(arena, struct ending, waiting.count);
    for (size_t i = 0; i < waiting.count; i++) {
        const struct sql_value *row = waiting.rows[i].values; /* id, destination, order key */
        params[i * 4] = row[0];
        params[i * 4 + 1] = sql_str(str_from(delivery_status_text(DELIVERY_SKIPPED)));
        params[i * 4 + 2] = sql_str(error);
        params[i * 4 + 3] = sql_int(now_us);
        endings[i] = (struct ending){id, row[1].text, row[2].text};
    }
    TRY(store_run(store, SQL_DELIVERY_ACT, params, waiting.count, arena, NULL));
    TRY(store_ended(store, endings, waiting.count, now_us, arena));
    *ret_count = waiting.count;
    return ERR_NONE;
}

enum err store_event_cancel(struct store *store, struct uuid id, struct str actor, int64_t now_us, struct arena *arena,
                            size_t *ret_cancelled) {
    struct str error = act_text("cancelled", actor, STR_NONE, arena);
    const struct sql_value params[] = {sql_uuid(&id), sql_str(error), sql_int(now_us)};
    struct sql_result pending;
    struct event event;
    size_t deliveries;
    TRY(store_event_get(store, id, arena, &event));
    TRY(store_run(store, SQL_EVENT_CANCEL, params, 1, arena, &pending));
    TRY(cancel_waiting(store, id, error, now_us, arena, &deliveries));
    if (pending.changes == 0 && deliveries == 0) return ERR_NOT_NOW;
    struct str detail = str_fmt(arena, "%s, %zu %s", event_status_text(event.status), deliveries,
                                deliveries == 1 ? "delivery" : "deliveries");
    TRY(store_audit(store, actor, STR("cancel"), uuid_str(arena, id), detail, now_us));
    *ret_cancelled = (size_t)pending.changes + deliveries;
    return ERR_NONE;
}

enum err store_let_go(struct store *store, struct str destination, int64_t now_us, int64_t until_us,
                      struct arena *arena) {
    const struct sql_value params[] = {sql_str(destination), sql_int(now_us), sql_int(until_us)};
    struct sql_result result;
    return store_run(store, SQL_DELIVERY_LET_GO, params, 1, arena, &result);
}
