/* route/plan.c - from events to deliveries. See route.h, program.h.
 *
 * In three passes, so that a whole batch costs one round of the evaluator:
 * which route takes which event; the jq of all of them; the deliveries. What
 * the evaluator answers is read as data from outside.
 */
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "route/program.h"

#include <string.h>

/* A payload's own depth below that of the template and the function's list. */
#define RESULT_DEPTH_MAX    (2 * JSON_DEPTH_MAX)
#define NAME_BYTES_MAX      255 /* of a key or an order */
#define CONDITION_SHOWN_MAX 200

/* One route that takes one event. */
struct match {
    const struct event *event;
    const struct route_program *program;
    size_t call; /* SIZE_MAX = the route has no jq */
};
struct planner {
    int64_t now_us;
    struct hasher *hasher;
    struct arena *arena;
    struct match *matches; /* in order of events, then of routes */
    size_t match_count, match_room;
    struct jq_call *calls;
    size_t call_count, call_room;
};

/* ---- first pass: who takes what ---- */

static bool program_takes(const struct route_program *program, const struct event *event) {
    const struct route_settings *settings = program->settings;
    if (settings->source.n && !str_eq(settings->source, event->source)) return false;
    for (size_t i = 0; i < settings->from_count; i++)
        if (str_glob(settings->from[i], event->type)) return true;
    return false;
}

/* Room for one more item; count items are kept. */
static void *grow(struct arena *arena, void *items, size_t count, size_t *room, size_t item_bytes) {
    if (count < *room) return items;
    *room = *room ? *room * 2 : 8;
    void *grown = arena_alloc(arena, *room * item_bytes);
    if (count) memcpy(grown, items, count * item_bytes);
    return grown;
}

static size_t planner_call(struct planner *planner, const struct route_program *program, const struct event *event,
                           struct str event_text) {
    planner->calls =
        grow(planner->arena, planner->calls, planner->call_count, &planner->call_room, sizeof *planner->calls);
    planner->calls[planner->call_count] =
        (struct jq_call){.function = program->function, .input = event->payload, .event = event_text};
    return planner->call_count++;
}

static void planner_match(struct planner *planner, const struct routes *routes, const struct event *event) {
    struct str event_text = STR_NONE;
    for (size_t i = 0; i < routes->count; i++) {
        const struct route_program *program = &routes->programs[i];
        if (!program_takes(program, event)) continue;
        struct match match = {event, program, SIZE_MAX};
        if (program->function != NO_FUNCTION && !program->quarantined) {
            if (program->wants_event && !event_text.n) event_text = event_json(planner->arena, event);
            match.call = planner_call(planner, program, event, program->wants_event ? event_text : STR_NONE);
        }
        planner->matches =
            grow(planner->arena, planner->matches, planner->match_count, &planner->match_room, sizeof match);
        planner->matches[planner->match_count++] = match;
    }
}

/* ---- third pass: the deliveries of one event ---- */

struct draft {
    const struct planner *planner;
    const struct event *event;
    const struct route_program *program; /* the one at work */
    struct plan *plan;
    size_t room;
};
/* A step's item of the function's answer. */
struct answer {
    const struct json *item; /* NULL: the route has no jq */
    struct str text;
};

/* The first trouble stands, but a program that ran away goes before all else. */
static void draft_fail(struct draft *draft, struct str text) {
    if (draft->plan->error.n) return;
    draft->plan->error =
        str_fmt(draft->planner->arena, "route %.*s: %.*s", STR_ARG(draft->program->settings->name), STR_ARG(text));
}

static void draft_run_away(struct draft *draft, struct str text) {
    if (draft->plan->runaway_route.n) return;
    draft->plan->error = STR_NONE;
    draft_fail(draft, text);
    draft->plan->runaway_route = draft->program->settings->name;
}

static struct str kind_text(const struct json *node) {
    static const char *const texts[] = {
        [JSON_NULL] = "nothing",  [JSON_FALSE] = "false",  [JSON_TRUE] = "true",        [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a text", [JSON_ARRAY] = "a list", [JSON_OBJECT] = "an object",
    };
    return str_from(texts[json_type(node)]);
}

/* A key or an order: a text, or a number as it is written. */
static bool answer_name(struct draft *draft, const struct answer *answer, struct str member, const char *setting,
                        struct str *ret_name) {
    const struct json *node = json_get(answer->item, member);
    struct arena *arena = draft->planner->arena;
    struct str name = STR_NONE;
    if (json_type(node) == JSON_STRING) name = str_dup(arena, json_text(node));
    bool is_fine =
        json_type(node) == JSON_STRING || (json_type(node) == JSON_NUMBER && json_slice(answer->text, member, &name));
    if (is_fine && name.n <= NAME_BYTES_MAX) {
        *ret_name = name;
        return true;
    }
    struct str what = is_fine ? STR("more than 255 bytes") : kind_text(node);
    draft_fail(draft, str_fmt(arena, "%s gives %.*s; it must be a text or a number", setting, STR_ARG(what)));
    return false;
}

/* "<route>:<key>" where the delivery names a key. */
static bool step_text(struct draft *draft, const struct step_program *step, const struct answer *answer,
                      struct str *ret_step) {
    struct str key;
    *ret_step = step->settings->step;
    if (!step->settings->key.n) return true;
    if (!answer_name(draft, answer, STR("k"), "key", &key)) return false;
    if (!key.n) {
        draft_fail(draft, STR("key gives an empty text"));
        return false;
    }
    *ret_step = str_fmt(draft->planner->arena, "%.*s:%.*s", STR_ARG(draft->program->settings->name), STR_ARG(key));
    for (size_t i = 0; i < draft->plan->count; i++) {
        const struct delivery *other = &draft->plan->deliveries[i];
        if (!str_eq(other->step, *ret_step) || !str_eq(other->destination, step->destination)) continue;
        draft_fail(draft, str_fmt(draft->planner->arena, "two deliveries to %.*s have the key '%.*s'",
                                  STR_ARG(step->destination), STR_ARG(key)));
        return false;
    }
    return true;
}

static struct str condition_text(struct arena *arena, struct str condition) {
    struct str text = str_trim(condition);
    size_t n = text.n < CONDITION_SHOWN_MAX ? text.n : CONDITION_SHOWN_MAX;
    while (n && n < text.n && ((uint8_t)text.p[n] & 0xc0) == 0x80) n--;
    return str_fmt(arena, "unless: %.*s%s", (int)n, text.p, n < text.n ? "..." : "");
}

/* What is to be joined waits for the next multiple of the wait, so that all of one spell come due together. */
static int64_t batch_moment(const struct route_step *step, int64_t due_us) {
    int64_t wait_us = step->batch_wait_us;
    if (step->batch_max <= 1 || wait_us <= 0) return due_us;
    return (due_us + wait_us - 1) / wait_us * wait_us;
}

/* Its times, and its status by them: what could only leave too late is held at once. */
static void delivery_time(struct delivery *delivery, const struct draft *draft, const struct step_program *step) {
    const struct event *event = draft->event;
    struct arena *arena = draft->planner->arena;
    int64_t now_us = draft->planner->now_us, wanted_us = event->scheduled_us + step->settings->after_us;
    delivery->due_us = batch_moment(step->settings, now_us + step->settings->after_us);
    delivery->first_due_us = delivery->due_us;
    delivery->created_us = delivery->updated_us = now_us;
    if (!step->late_us) return;
    delivery->late_us = wanted_us + step->late_us;
    if (delivery->due_us <= delivery->late_us) return;
    delivery->status = DELIVERY_HELD;
    delivery->last_error = str_fmt(arena, "late: due %.*s, limit %.*s", STR_ARG(when_str(arena, wanted_us)),
                                   STR_ARG(span_str(arena, step->late_us)));
}

static bool draft_deliver(struct draft *draft, const struct step_program *step, const struct answer *answer) {
    const struct route_step *settings = step->settings;
    const struct event *event = draft->event;
    struct arena *arena = draft->planner->arena;
    struct delivery delivery = {.event_id = event->id,
                                .event = event,
                                .run = event->run,
                                .status = DELIVERY_PENDING,
                                .destination = step->destination,
                                .action = settings->action,
                                .route = draft->program->settings->name,
                                .params = step->constant};
    if (!step_text(draft, step, answer, &delivery.step)) return false;
    delivery_time(&delivery, draft, step);
    if (settings->unless.n && json_true(json_get(answer->item, STR("u")))) {
        delivery.status = DELIVERY_SKIPPED;
        delivery.last_error = condition_text(arena, settings->unless);
    } else {
        bool orders = settings->order_by.n && json_type(json_get(answer->item, STR("o"))) != JSON_NULL;
        if (orders && !answer_name(draft, answer, STR("o"), "order_by", &delivery.order_key)) return false;
        if (step->params_in_jq && !json_slice(answer->text, STR("p"), &delivery.params)) {
            draft_fail(draft, STR("the jq engine gave no content"));
            return false;
        }
    }
    if (draft->plan->count == draft->room) {
        draft_fail(draft, str_fmt(arena, "more than %d deliveries of one event", ROUTE_PLAN_MAX));
        return false;
    }
    delivery.id =
        delivery_derive_id(draft->planner->hasher, event->key, delivery.destination, delivery.step, event->run);
    draft->plan->deliveries[draft->plan->count++] = delivery;
    return true;
}

static void draft_plain(struct draft *draft) {
    const struct answer none = {0};
    draft->plan->wanted = true;
    for (size_t i = 0; i < draft->program->settings->step_count; i++)
        if (!draft_deliver(draft, &draft->program->steps[i], &none)) return;
}

static void draft_steps(struct draft *draft, const struct json *root, struct str text) {
    size_t count = draft->program->settings->step_count, cursor = 0;
    if (json_type(root) == JSON_NULL) return; /* `when` does not hold */
    draft->plan->wanted = true;
    if (json_type(root) != JSON_ARRAY || json_size(root) != count) {
        draft_fail(draft, STR("the jq engine gave an answer of another form"));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct answer answer = {.item = json_at(root, i)};
        if (!json_slice_item(text, &cursor, &answer.text)) return;
        if (json_type(answer.item) == JSON_NULL) continue; /* the step's `when` does not hold */
        if (!draft_deliver(draft, &draft->program->steps[i], &answer)) return;
    }
}

static void draft_answered(struct draft *draft, const struct jq_call *call) {
    struct json *root;
    struct json_error error;
    if (call->err == ERR_JQ_RUNAWAY) {
        draft_run_away(draft, call->result);
    } else if (call->err) {
        draft_fail(draft, call->result);
    } else if (json_parse(call->result, RESULT_DEPTH_MAX, &root, &error) != ERR_NONE) {
        draft_fail(draft, STR("the jq engine gave an answer that is no JSON"));
    } else {
        draft_steps(draft, root, call->result);
        json_free(root);
    }
}

/* The event's matches lie from first up to end. */
static void plan_event(const struct planner *planner, size_t first, size_t end, struct plan *plan) {
    const struct match *matches = planner->matches;
    struct draft draft = {.planner = planner, .plan = plan};
    for (size_t i = first; i < end; i++) draft.room += matches[i].program->settings->step_count;
    if (draft.room > ROUTE_PLAN_MAX) draft.room = ROUTE_PLAN_MAX;
    plan->deliveries = arena_array(planner->arena, struct delivery, draft.room);
    for (size_t i = first; i < end; i++) {
        draft.event = matches[i].event;
        draft.program = matches[i].program;
        if (draft.program->quarantined)
            draft_fail(&draft, STR("quarantined, since its program ran away before; mend it and apply"));
        else if (matches[i].call == SIZE_MAX)
            draft_plain(&draft);
        else
            draft_answered(&draft, &planner->calls[matches[i].call]);
    }
    if (!plan->error.n) return;
    plan->wanted = true;
    plan->count = 0;
}

void route_events(const struct routes *routes, const struct event *events, size_t count, int64_t now_us,
                  struct hasher *hasher, const struct evaluator *evaluator, struct arena *arena,
                  struct plan *ret_plans) {
    struct planner planner = {.now_us = now_us, .hasher = hasher, .arena = arena};
    for (size_t i = 0; i < count; i++) planner_match(&planner, routes, &events[i]);
    if (planner.call_count) evaluator->run(evaluator->self, planner.calls, planner.call_count, arena);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t first = at;
        while (at < planner.match_count && planner.matches[at].event == &events[i]) at++;
        ret_plans[i] = (struct plan){0};
        plan_event(&planner, first, at, &ret_plans[i]);
    }
}
