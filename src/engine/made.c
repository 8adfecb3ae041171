/* engine/made.c - see made.h. */
#include "engine/made.h"

#include "base/json.h"
#include "deliver/backlog.h"

bool made_has_room(const struct turn *turn) {
    const struct loop *loop = turn->loop;
    int32_t most = loop->in_force.settings->server.queue_max;
    bool is_full = most && backlog_total(loop->deliver) >= most;
    return !is_full && !loop->stopping && !store_is_tight(loop->options.store);
}

struct made *made_of(struct turn *turn, struct str source) {
    struct made *made = turn->chores.made;
    while (made && !str_eq(made->source, source)) made = made->next;
    if (made) return made;
    made = arena_new(turn->arena, struct made);
    *made = (struct made){.next = turn->chores.made, .source = source};
    turn->chores.made = made;
    return made;
}

bool made_finish(struct turn *turn, struct event *event, struct refusal *ret_refusal) {
    struct loop *loop = turn->loop;
    const struct intake_context context = {.settings = loop->in_force.settings,
                                           .wall_us = turn->wall_us,
                                           .hasher = loop->hasher,
                                           .rng = &loop->rng,
                                           .last_id = &loop->last_id,
                                           .arena = turn->arena};
    struct json *root;
    *ret_refusal = (struct refusal){ERR_BAD_JSON, STR("what it would hold is no JSON"), STR("")};
    if (json_parse(event->payload, JSON_DEPTH_MAX, &root, NULL)) return false;
    bool good = intake_finish(&context, root, event, ret_refusal);
    json_free(root);
    return good;
}

enum err made_append(struct turn *turn, struct str source, const struct event *events, size_t count,
                     struct append_result *ret_verdicts) {
    struct loop *loop = turn->loop;
    size_t fresh = 0;
    TRY(store_append(loop->options.store, events, count, turn->arena, ret_verdicts));
    metrics_hop(loop->metrics, HOP_INTAKE_EVENT, count);
    metrics_hop(loop->metrics, HOP_STORE_APPEND, count);
    for (size_t i = 0; i < count; i++) fresh += ret_verdicts[i].verdict == APPEND_FRESH;
    struct made *made = made_of(turn, source);
    made->fresh += fresh;
    made->again += count - fresh;
    if (!fresh) return ERR_NONE;
    loop->next_scheduled_us = turn->wall_us; /* a turn that is dropped looks in vain */
    turn->wishes |= WISH_WORK;
    return ERR_NONE;
}

void made_apply(struct turn *turn) {
    struct loop *loop = turn->loop;
    for (const struct made *made = turn->chores.made; made; made = made->next) {
        metrics_source(loop->metrics, made->source, SOURCE_ACCEPTED, made->fresh);
        metrics_source(loop->metrics, made->source, SOURCE_DUPLICATE, made->again);
        metrics_event(loop->metrics, METRIC_ACCEPTED, made->fresh);
        metrics_event(loop->metrics, METRIC_DUPLICATE, made->again);
        if (made->missed)
            log_event(loop->options.log, LOG_WARN, turn->wall_us, "schedule_missed", LOG_TEXT("source", made->source),
                      LOG_NUMBER("times", made->missed),
                      LOG_TEXT("why", STR("no process was there to see them, or the clock was set forward")));
        if (made->refused.n)
            log_event(loop->options.log, LOG_ERROR, turn->wall_us, "schedule_refused", LOG_TEXT("source", made->source),
                      LOG_TEXT("why", made->refused));
    }
    loop->chores.made = NULL;
}
