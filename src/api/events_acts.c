/* api/events_acts.c - what a person does to events: cancel, and a new run. */
#include "api/body.h"
#include "api/handlers.h"
#include "deliver/backlog.h"
#include "route/route.h"
#include "store/admin.h"

/* Adds what waits of an event to what waits for its destinations, or takes it off. */
static enum err count_waiting(struct call *call, struct uuid id, int64_t sign) {
    struct delivery_query query = {.status = -1, .event_id = id, .limit = QUERY_LIMIT_MAX};
    struct delivery *deliveries;
    size_t count;
    TRY(store_delivery_list(call->store, &query, call->arena, &deliveries, &count));
    for (size_t i = 0; i < count; i++)
        if (delivery_waits(deliveries[i].status))
            backlog_change(call->desks, deliver_desk(call->desks, deliveries[i].destination), sign);
    return ERR_NONE;
}

enum err api_events_cancel(struct call *call) {
    struct uuid id;
    size_t cancelled;
    enum err err;
    if (!body_empty(call)) return ERR_NONE;
    if (!read_id(call, store_event_by_prefix, &id, &err)) return err;
    struct event event;
    err = store_event_get(call->store, id, call->arena, &event);
    if (!err) err = count_waiting(call, id, -1);
    if (!err) err = store_event_cancel(call->store, id, call->actor, call->now_us, call->arena, &cancelled);
    if (err == ERR_NOT_FOUND) return reply_no_event(call, id);
    if (err == ERR_NOT_NOW) return serve_problem(call, err, STR("nothing of this event is still open"), NULL);
    TRY(err);
    TRY(count_waiting(call, id, 1));                        /* those in flight alone are left */
    for (size_t i = 0; i < deliver_desks(call->desks); i++) /* the next of their order keys may go now */
        deliver_due(call->desks, i, call->now_us);
    call->wishes |= WISH_WORK;
    char text[UUID_TEXT_LENGTH + 1];
    uuid_format(id, text);
    return serve_json(call, 200, str_fmt(call->arena, "{\"id\":\"%s\",\"cancelled\":%zu}", text, cancelled));
}

/* ---- retry: a new run ---- */

struct rerun {
    bool all, dry;
};

static enum err retry_one(struct call *call, const void *self, struct bulk_item *item) {
    const struct rerun *wanted = self;
    struct event event;
    struct plan plan;
    size_t made;
    enum err err = store_event_get(call->store, item->id, call->arena, &event);
    if (!err) {
        route_owed(call->standing->routes, &event, call->now_us, call->hasher, call->arena, &plan);
        const struct event_retry retry = {.id = item->id,
                                          .all = wanted->all,
                                          .dry = wanted->dry,
                                          .owed = plan.deliveries,
                                          .owed_count = plan.count,
                                          .actor = call->actor,
                                          .now_us = call->now_us,
                                          .wall_us = call->wall_us};
        err = store_event_retry(call->store, &retry, call->hasher, call->arena, &made);
    }
    if (err == ERR_NOT_FOUND) TRY(no_such_event(call, item->id, &item->words));
    if (err == ERR_NOT_NOW) item->words = STR("it is not over: something of it is still open");
    if (err == ERR_LIMIT)
        item->words =
            plan.wanted ? STR("all that its routes make of it is done, or was cancelled: drumbeat deliveries retry ID "
                              "sends what was cancelled, and --all makes all of it again")
                        : STR("no route takes its type and source");
    if (err || wanted->dry) return err;
    call->wishes |= WISH_WORK;
    item->is_now = item->id;
    item->status = wanted->all ? STR("PENDING") : STR("PROCESSING");
    return ERR_NONE;
}

/* How it stands after the turn, which routed it. Where that cannot be read it is as the act left it. */
static void tell_one(struct call *call, struct bulk_item *item) {
    struct event event;
    if (store_begin(call->store)) return;
    if (!store_event_get(call->store, item->id, call->arena, &event))
        item->status = str_from(event_status_text(event.status));
    store_rollback(call->store);
}

enum err api_events_retry(struct call *call) {
    struct bulk_item *item = arena_new(call->arena, struct bulk_item);
    struct rerun wanted = {false, false};
    const struct body_member members[] = {{"all", BODY_FLAG, &wanted.all}};
    enum err err;
    if (!body_read(call, members, 1)) return ERR_NONE;
    if (!read_id(call, store_event_by_prefix, &item->id, &err)) return err;
    err = retry_one(call, &wanted, item);
    if (err == ERR_NOT_FOUND || err == ERR_NOT_NOW) return serve_problem(call, err, item->words, NULL);
    if (err == ERR_LIMIT) return serve_problem(call, ERR_NOT_NOW, item->words, NULL);
    TRY(err);
    call->own = item;
    return ERR_NONE;
}

void api_events_retried(struct call *call) {
    struct bulk_item *item = call->own;
    tell_one(call, item);
    (void)serve_json(call, 200,
                     str_fmt(call->arena, "{\"id\":\"%.*s\",\"status\":\"%.*s\"}",
                             STR_ARG(uuid_str(call->arena, item->id)), STR_ARG(item->status)));
}

enum err api_events_bulk(struct call *call) {
    struct body_ids ids = {.count = 0};
    struct rerun wanted = {false, false};
    const struct body_member members[] = {
        {"ids", BODY_IDS, &ids}, {"all", BODY_FLAG, &wanted.all}, {"dry", BODY_FLAG, &wanted.dry}};
    return body_read(call, members, 3) ? serve_each(call, &ids, wanted.dry, retry_one, &wanted) : ERR_NONE;
}

void api_events_bulk_answer(struct call *call) {
    serve_told(call, tell_one);
}
