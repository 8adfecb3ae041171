/* route/plan.c - from events to deliveries. See route.h, program.h.
 *
 * WHAT  A batch of events becomes the deliveries that each owes; unmade deliveries are made.
 * PROMISE  What one route, one program or one payload does wrong costs the deliveries of that route for that event, and
 *   no others. No delivery is lost in silence: one that cannot be made has a row with the reason.
 * WHY IT HOLDS  There are three passes, so that a whole batch costs one round of the evaluator: which route takes which
 *   event; the jq of all of them; the deliveries. Each step of a route catches its own jq error inside the program (see
 *   write_step in route.c). A program that fails as a whole gives a FAILED row for each of its steps, and one that is
 *   stopped a HELD row for each. What the evaluator answers is read as data from outside.
 * WHAT BREAKS IT  Two steps of one route and destination with the same name, which the configuration does not allow.
 * HOW TO SEE IT  last_error of FAILED and HELD deliveries; the log's route_stopped and route_healed.
 * TESTED BY  test/unit/route/test_plan.c and test_guard.c, test/scenario/route-fails-alone.txt.
 */
#include "base/evaluator.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "route/program.h"

#include <string.h>

#define RESULT_DEPTH_MAX    (2 * JSON_DEPTH_MAX) /* the template and the function's list, and a payload below them */
#define CONDITION_SHOWN_MAX 200

/* One route that takes one event. */
struct match {
    const struct event *event;
    struct route_program *program;
    size_t call; /* SIZE_MAX = the route has no jq, or is stopped */
    bool held;   /* the route is stopped */
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

/* A stopped route lets one event of a batch through when a probe is due. */
static bool program_holds(struct route_program *program, int64_t now_us) {
    if (!program->staged.stopped) return false;
    if (program->probing || !guard_may_probe(&program->staged, now_us)) return true;
    program->probing = true;
    return false;
}

static void planner_add(struct planner *planner, struct route_program *program, const struct event *event,
                        struct str *event_text) {
    struct match match = {event, program, SIZE_MAX, false};
    if (program->function != NO_FUNCTION) match.held = program_holds(program, planner->now_us);
    if (program->function != NO_FUNCTION && !match.held) {
        if (program->wants_event && !event_text->n) *event_text = event_json(planner->arena, event);
        match.call = planner_call(planner, program, event, program->wants_event ? *event_text : STR_NONE);
    }
    planner->matches = grow(planner->arena, planner->matches, planner->match_count, &planner->match_room, sizeof match);
    planner->matches[planner->match_count++] = match;
}

static void planner_match(struct planner *planner, struct routes *routes, const struct event *event) {
    struct str event_text = STR_NONE;
    for (size_t i = 0; i < routes->count; i++)
        if (program_takes(&routes->programs[i], event)) planner_add(planner, &routes->programs[i], event, &event_text);
}

/* Has all jq run, and lets the routes learn what their programs did. */
static void planner_run(struct planner *planner, const struct evaluator *evaluator) {
    if (planner->call_count) evaluator->run(evaluator->self, planner->calls, planner->call_count, planner->arena);
    for (size_t i = 0; i < planner->match_count; i++) {
        const struct match *match = &planner->matches[i];
        if (match->call == SIZE_MAX) continue;
        const struct jq_call *call = &planner->calls[match->call];
        struct guard *guard = &match->program->staged;
        if (call->err == ERR_JQ_RUNAWAY)
            guard_strike(guard, match->event->id, call->result, planner->now_us);
        else if (match->program->probing && call->err != ERR_IO)
            guard_heal(guard);
    }
    for (size_t i = 0; i < planner->match_count; i++) planner->matches[i].program->probing = false;
}

/* ---- third pass: the deliveries of one event ---- */

struct draft {
    const struct planner *planner;
    const struct event *event;
    int32_t run;
    int64_t base_us;                     /* from which deliveries wait */
    bool whole;                          /* each step gives a delivery, also where a `when` does not hold */
    bool again;                          /* a person wants it once more: never too late, and it waits no second time */
    const struct route_program *program; /* the one at work */
    struct plan *plan;
};
/* A step's item of the function's answer. */
struct step_answer {
    const struct json *item; /* NULL: the route has no jq */
    struct str text;
};

static struct delivery draft_delivery(const struct draft *draft, const struct step_program *step) {
    return (struct delivery){.event_id = draft->event->id,
                             .event = draft->event,
                             .run = draft->run,
                             .status = DELIVERY_PENDING,
                             .destination = step->destination,
                             .was = step->was,
                             .action = step->settings->action,
                             .route = draft->program->settings->name,
                             .step = step->settings->step,
                             .due_us = draft->base_us,
                             .first_due_us = draft->base_us,
                             .created_us = draft->planner->now_us,
                             .updated_us = draft->planner->now_us};
}

static void draft_add(struct draft *draft, struct delivery *delivery) {
    delivery_identify(draft->planner->hasher, draft->event, delivery);
    draft->plan->deliveries[draft->plan->count++] = *delivery;
}

/* A row for what cannot be made now. */
static void draft_unmade(struct draft *draft, const struct step_program *step, enum delivery_status status,
                         struct str error) {
    struct delivery delivery = draft_delivery(draft, step);
    delivery.status = status;
    delivery.unmade = true;
    delivery.last_error = error;
    draft_add(draft, &delivery);
}

static void draft_fail(struct draft *draft, const struct step_program *step, struct str text) {
    struct str error =
        str_fmt(draft->planner->arena, "route %.*s: %.*s", STR_ARG(draft->program->settings->name), STR_ARG(text));
    if (!draft->plan->error.n) draft->plan->error = error;
    draft_unmade(draft, step, DELIVERY_FAILED, error);
}

static void draft_fail_all(struct draft *draft, struct str text) {
    draft->plan->wanted = true;
    for (size_t i = 0; i < draft->program->settings->step_count; i++)
        draft_fail(draft, &draft->program->steps[i], text);
}

static void draft_hold_all(struct draft *draft) {
    const struct route_program *program = draft->program;
    struct str error = program_stopped_text(program, false, draft->planner->arena);
    draft->plan->wanted = true;
    for (size_t i = 0; i < program->settings->step_count; i++)
        draft_unmade(draft, &program->steps[i], DELIVERY_HELD, error);
}

static struct str kind_text(const struct json *node) {
    static const char *const texts[] = {
        [JSON_NULL] = "nothing",  [JSON_FALSE] = "false",  [JSON_TRUE] = "true",        [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a text", [JSON_ARRAY] = "a list", [JSON_OBJECT] = "an object",
    };
    return str_from(texts[json_type(node)]);
}

/* The text of a key or an order as JSON, from its place in the payload or from the function's answer. */
static bool name_value(struct draft *draft, const struct step_answer *answer, const char *member,
                       const struct path *place, bool in_jq, struct str *ret_value, struct str *ret_problem) {
    if (!in_jq) return path_find(place, draft->event->payload, draft->planner->arena, ret_value, ret_problem);
    if (!json_slice(answer->text, str_from(member), ret_value)) *ret_value = STR("null");
    return true;
}

/* A key or an order: a text, or a number, however it was spelled. */
static bool read_name(struct draft *draft, struct str value, const char *setting, struct str *ret_name,
                      struct str *ret_problem) {
    struct arena *arena = draft->planner->arena;
    struct str name = STR_NONE;
    struct json *node = NULL;
    (void)!json_parse(value, JSON_DEPTH_MAX, &node, NULL); /* it has parsed before, as a part */
    if (json_type(node) == JSON_STRING) name = str_dup(arena, json_text(node));
    if (json_type(node) == JSON_NUMBER) name = json_dump(arena, node);
    bool has_nul = str_find(name, '\0') != SIZE_MAX; /* PostgreSQL keeps none, and the delivery's key hangs on it */
    struct str what = name.p ? STR("more than 255 bytes") : kind_text(node);
    if (has_nul) what = STR("a text with U+0000 in it");
    json_free(node);
    if (name.p && !has_nul && name.n <= DELIVERY_NAME_MAX) {
        *ret_name = name;
        return true;
    }
    *ret_problem = str_fmt(arena, "%s gives %.*s; it must be a text or a number", setting, STR_ARG(what));
    return false;
}

/* "<route>:<key>" where the delivery names a key. */
static bool step_text(struct draft *draft, const struct step_program *step, const struct step_answer *answer,
                      struct str *ret_step, struct str *ret_problem) {
    struct str key;
    *ret_step = step->settings->step;
    if (!step->settings->key.n) return true;
    if (!name_value(draft, answer, "k", &step->key, step->key_in_jq, &key, ret_problem)) return false;
    if (!read_name(draft, key, "key", &key, ret_problem)) return false;
    if (!key.n) {
        *ret_problem = STR("key gives an empty text");
        return false;
    }
    *ret_step = str_fmt(draft->planner->arena, "%.*s:%.*s", STR_ARG(draft->program->settings->name), STR_ARG(key));
    for (size_t i = 0; i < draft->plan->count; i++) {
        const struct delivery *other = &draft->plan->deliveries[i];
        if (!str_eq(other->step, *ret_step) || !str_eq(other->destination, step->destination)) continue;
        *ret_problem = str_fmt(draft->planner->arena, "two deliveries to %.*s have the key '%.*s'",
                               STR_ARG(step->destination), STR_ARG(key));
        return false;
    }
    return true;
}

/* "unless: .plan == ..." */
static struct str condition_text(struct arena *arena, const char *word, struct str condition) {
    struct str text = str_trim(condition), shown = str_head(text, CONDITION_SHOWN_MAX);
    return str_fmt(arena, "%s: %.*s%s", word, STR_ARG(shown), shown.n < text.n ? "..." : "");
}

/* Deliveries that are to be joined wait until the next multiple of the wait, so that all of one spell become due at the
 * same moment. Where a call is full before, it leaves early (fill_calls in engine/routing.c). */
static int64_t batch_moment(const struct route_step *step, int64_t due_us) {
    int64_t wait_us = step->batch_wait_us;
    if (step->batch_max <= 1 || wait_us <= 0) return due_us;
    return (due_us + wait_us - 1) / wait_us * wait_us;
}

/* Sets the delivery's times, and its status by them: one that could only leave too late is held at once. */
static void delivery_time(struct delivery *delivery, const struct draft *draft, const struct step_program *step) {
    const struct event *event = draft->event;
    struct arena *arena = draft->planner->arena;
    int64_t base_us = draft->base_us, wanted_us = event->scheduled_us + step->settings->after_us;
    int64_t due_us = base_us + step->settings->after_us;
    if (draft->again) due_us = wanted_us > base_us ? wanted_us : base_us;
    delivery->due_us = batch_moment(step->settings, due_us);
    delivery->first_due_us = due_us;
    if (!step->late_us || draft->again) return;
    delivery->late_us = wanted_us + step->late_us;
    if (delivery->due_us <= delivery->late_us) return;
    delivery->status = DELIVERY_HELD;
    delivery->last_error = str_fmt(arena, "late: due %.*s, limit %.*s", STR_ARG(when_str(arena, wanted_us)),
                                   STR_ARG(span_str(arena, step->late_us)));
}

/* Fills in what the step's answer says; false, with the problem, when the answer cannot be used. */
static bool delivery_fill(struct delivery *delivery, struct draft *draft, const struct step_program *step,
                          const struct step_answer *answer, struct str *ret_problem) {
    const struct route_step *settings = step->settings;
    struct str order = STR("null"), values = STR_NONE;
    if (!step_text(draft, step, answer, &delivery->step, ret_problem)) return false;
    if (settings->key.n) delivery->place = settings->step;
    delivery_time(delivery, draft, step);
    if (settings->unless.n && json_true(json_get(answer->item, STR("u")))) {
        delivery->status = DELIVERY_SKIPPED;
        delivery->last_error = condition_text(draft->planner->arena, "unless", settings->unless);
        return true;
    }
    if (settings->order_by.n && !name_value(draft, answer, "o", &step->order, step->order_in_jq, &order, ret_problem))
        return false;
    if (!str_eq(order, STR("null")) && !read_name(draft, order, "order_by", &delivery->order_key, ret_problem))
        return false;
    if (!step->template.count) return true;
    (void)json_slice(answer->text, STR("p"), &values); /* without it the first jq value is missed */
    return template_render(&step->template, draft->event->payload, values, draft->planner->arena, &delivery->params,
                           ret_problem);
}

static void draft_deliver(struct draft *draft, const struct step_program *step, const struct step_answer *answer) {
    struct delivery delivery = draft_delivery(draft, step);
    const struct json *error = json_get(answer->item, STR("e"));
    struct str problem;
    if (error)
        draft_fail(draft, step, json_text(error));
    else if (delivery_fill(&delivery, draft, step, answer, &problem))
        draft_add(draft, &delivery);
    else
        draft_fail(draft, step, problem);
}

/* A `when` does not hold, so there is nothing to make. Only a row that waited for its delivery has to say so. */
static void draft_skip(struct draft *draft, const struct step_program *step, struct str when) {
    struct delivery delivery = draft_delivery(draft, step);
    if (!draft->whole) return;
    delivery.status = DELIVERY_SKIPPED;
    delivery.last_error = condition_text(draft->planner->arena, "when", when);
    draft_add(draft, &delivery);
}

static void draft_plain(struct draft *draft) {
    const struct step_answer none = {0};
    draft->plan->wanted = true;
    for (size_t i = 0; i < draft->program->settings->step_count; i++)
        draft_deliver(draft, &draft->program->steps[i], &none);
}

static bool has_form(const struct json *root, struct str text, size_t steps) {
    struct str item;
    size_t cursor = 0, count = 0;
    if (json_type(root) != JSON_ARRAY || json_size(root) != steps) return false;
    for (size_t i = 0; i < steps; i++) count += json_slice_item(text, &cursor, &item);
    return count == steps;
}

static void draft_steps(struct draft *draft, const struct json *root, struct str text) {
    const struct route_settings *settings = draft->program->settings;
    size_t cursor = 0;
    if (json_type(root) == JSON_NULL) {
        for (size_t i = 0; i < settings->step_count; i++) draft_skip(draft, &draft->program->steps[i], settings->when);
        return;
    }
    if (!has_form(root, text, settings->step_count)) {
        draft_fail_all(draft, STR("the jq engine gave an answer of another form"));
        return;
    }
    draft->plan->wanted = true;
    for (size_t i = 0; i < settings->step_count; i++) {
        const struct step_program *step = &draft->program->steps[i];
        struct step_answer answer = {.item = json_at(root, i)};
        (void)json_slice_item(text, &cursor, &answer.text);
        if (json_type(answer.item) == JSON_NULL)
            draft_skip(draft, step, step->settings->when);
        else
            draft_deliver(draft, step, &answer);
    }
}

static void draft_answered(struct draft *draft, const struct jq_call *call) {
    struct json *root;
    struct json_error error;
    if (call->err) {
        draft_fail_all(draft, call->result);
    } else if (json_parse(call->result, RESULT_DEPTH_MAX, &root, &error) != ERR_NONE) {
        draft_fail_all(draft, STR("the jq engine gave an answer that is no JSON"));
    } else {
        draft_steps(draft, root, call->result);
        json_free(root);
    }
}

static void draft_match(struct draft *draft, const struct match *match) {
    draft->event = match->event;
    draft->program = match->program;
    if (match->held)
        draft_hold_all(draft);
    else if (match->call == SIZE_MAX)
        draft_plain(draft);
    else
        draft_answered(draft, &draft->planner->calls[match->call]);
}

static bool was_not_run(const struct planner *planner, const struct match *match) {
    return match->call != SIZE_MAX && planner->calls[match->call].err == ERR_IO;
}

/* The event's matches lie from first up to end. */
static void plan_event(const struct planner *planner, size_t first, size_t end, struct plan *plan) {
    const struct match *matches = planner->matches;
    struct draft draft = {.planner = planner, .base_us = planner->now_us, .plan = plan};
    size_t room = 0;
    for (size_t i = first; i < end; i++) {
        plan->put_off |= was_not_run(planner, &matches[i]);
        room += matches[i].program->settings->step_count;
    }
    if (plan->put_off) return;
    plan->deliveries = arena_array(planner->arena, struct delivery, room);
    for (size_t i = first; i < end; i++) {
        draft.run = matches[i].event->run;
        draft_match(&draft, &matches[i]);
    }
}

void route_events(struct routes *routes, const struct event *events, size_t count, int64_t now_us,
                  struct hasher *hasher, const struct evaluator *evaluator, struct arena *arena,
                  struct plan *ret_plans) {
    struct planner planner = {.now_us = now_us, .hasher = hasher, .arena = arena};
    for (size_t i = 0; i < count; i++) planner_match(&planner, routes, &events[i]);
    planner_run(&planner, evaluator);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t first = at;
        while (at < planner.match_count && planner.matches[at].event == &events[i]) at++;
        ret_plans[i] = (struct plan){0};
        plan_event(&planner, first, at, &ret_plans[i]);
    }
}

/* ---- what is unmade ---- */

static struct route_program *program_find(const struct routes *routes, struct str name) {
    for (size_t i = 0; i < routes->count; i++)
        if (str_eq(routes->programs[i].settings->name, name)) return &routes->programs[i];
    return NULL;
}

static bool is_of(const struct delivery *unmade, const struct delivery *other) {
    return uuid_eq(unmade->event_id, other->event_id) && unmade->run == other->run &&
           str_eq(unmade->route, other->route);
}

/* The unmade delivery keeps its place in the store and takes over what the made one says. */
static void unmade_become(struct delivery *unmade, const struct delivery *made, int64_t now_us) {
    if (made->place.n || !unmade->place.n) { /* where no key came of it, it keeps the one that it had */
        unmade->id = made->id;
        unmade->key = made->key;
        unmade->step = made->step;
        unmade->place = made->place;
    }
    unmade->status = made->status;
    unmade->unmade = made->unmade;
    unmade->action = made->action;
    unmade->was = made->was;
    unmade->due_us = made->due_us;
    unmade->first_due_us = made->first_due_us;
    unmade->late_us = made->late_us;
    unmade->params = made->params;
    unmade->order_key = made->order_key;
    unmade->last_error = made->last_error;
    unmade->updated_us = now_us;
}

/* Which of the steps it is: by its place while it has no key, then by the name that the key gives it. Where the key is
 * made in another way than before, by its place again; a constant key is no other's. SIZE_MAX = none any more. */
static size_t unmade_step(const struct delivery *unmade, const struct route_program *program, const struct plan *plan) {
    size_t named = SIZE_MAX, rekeyed = SIZE_MAX;
    for (size_t i = 0; i < plan->count; i++) {
        const struct route_step *step = program->steps[i].settings;
        if (!str_eq(program->steps[i].destination, unmade->destination)) continue;
        if (str_eq(step->step, unmade->step)) return i;
        if (str_eq(plan->deliveries[i].step, unmade->step) || str_eq(step->name, unmade->step)) named = i;
        if (step->key.n && !step->name.n && str_eq(step->step, unmade->place)) rekeyed = i;
    }
    return named != SIZE_MAX ? named : rekeyed;
}

static void unmade_make(struct delivery *unmade, const struct route_program *program, const struct plan *plan,
                        const struct planner *planner) {
    size_t step = program ? unmade_step(unmade, program, plan) : SIZE_MAX;
    if (step != SIZE_MAX) {
        unmade_become(unmade, &plan->deliveries[step], planner->now_us);
        return;
    }
    unmade->status = DELIVERY_FAILED;
    unmade->last_error = str_fmt(planner->arena, "route %.*s: it has no delivery to %.*s any more",
                                 STR_ARG(unmade->route), STR_ARG(unmade->destination));
    unmade->updated_us = planner->now_us;
}

void route_unmade(struct routes *routes, struct delivery *unmade, size_t count, int64_t now_us, struct hasher *hasher,
                  const struct evaluator *evaluator, struct arena *arena) {
    struct planner planner = {.now_us = now_us, .hasher = hasher, .arena = arena};
    size_t *places = arena_array(arena, size_t, count); /* of its match; SIZE_MAX = there is no such route */
    for (size_t i = 0; i < count; i++) {
        struct route_program *program = program_find(routes, unmade[i].route);
        struct str event_text = STR_NONE;
        places[i] = i > 0 && is_of(&unmade[i], &unmade[i - 1]) ? places[i - 1] : SIZE_MAX;
        if (places[i] != SIZE_MAX || !program) continue;
        places[i] = planner.match_count;
        planner_add(&planner, program, unmade[i].event, &event_text);
    }
    planner_run(&planner, evaluator);
    struct plan plan = {0};
    for (size_t i = 0; i < count; i++) {
        const struct match *match = places[i] == SIZE_MAX ? NULL : &planner.matches[places[i]];
        bool again = str_starts(unmade[i].last_error, STR(DELIVERY_RERUN));
        if (match && match->held && again) unmade[i].last_error = program_stopped_text(match->program, true, arena);
        if (match && (match->held || was_not_run(&planner, match))) continue;
        if (match && (i == 0 || places[i] != places[i - 1])) {
            struct draft draft = {.planner = &planner,
                                  .run = unmade[i].run,
                                  .base_us = unmade[i].created_us,
                                  .whole = true,
                                  .again = again,
                                  .plan = &plan};
            plan =
                (struct plan){.deliveries = arena_array(arena, struct delivery, match->program->settings->step_count)};
            draft_match(&draft, match);
        }
        unmade_make(&unmade[i], match ? match->program : NULL, &plan, &planner);
    }
}
