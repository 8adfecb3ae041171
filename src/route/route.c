/* route/route.c - routes from settings: one jq function for each route that
 * has any jq in it. See route.h, program.h. */
#include "route/route.h"

#include "base/hash.h"
#include "base/jq.h"
#include "base/when.h"
#include "model/code.h"
#include "route/program.h"

/* What one compile works on. */
struct compiler {
    const struct settings *settings;
    struct jq_source *source;
    struct findings *findings;
    struct arena *arena;
    struct routes *routes;
};

static void add_expression(struct compiler *compiler, struct str text, struct tree_mark mark, struct str where) {
    (void)expression_add(&compiler->routes->expressions, (struct expression){text, mark, where}, compiler->findings);
}

/* {"p": …, "k": …, "o": …}; what is put off needs no params. */
static void write_object(struct buf *buf, const struct step_program *step, bool put_off) {
    const char *separator = "";
    buf_add(buf, put_off ? STR("{\"u\": true") : STR("{"));
    if (put_off) separator = ", ";
    if (!put_off && step->template.jq_count) {
        buf_add(buf, STR("\"p\": "));
        template_write_jq(&step->template, buf);
        separator = ", ";
    }
    if (step->key_in_jq) {
        buf_fmt(buf, "%s\"k\": drumbeat_one((%.*s\n))", separator, STR_ARG(step->settings->key));
        separator = ", ";
    }
    if (!put_off && step->order_in_jq)
        buf_fmt(buf, "%s\"o\": drumbeat_one((%.*s\n))", separator, STR_ARG(step->settings->order_by));
    buf_byte(buf, '}');
}

/* A step whose jq fails gives its words instead: the other steps do not suffer. */
static void write_step(struct buf *buf, const struct step_program *step, bool has_jq) {
    const struct route_step *settings = step->settings;
    if (has_jq) buf_add(buf, STR("(try ("));
    if (settings->when.n) buf_fmt(buf, "if drumbeat_one((%.*s\n)) then ", STR_ARG(settings->when));
    if (settings->unless.n) {
        buf_fmt(buf, "if drumbeat_one((%.*s\n)) then ", STR_ARG(settings->unless));
        write_object(buf, step, true);
        buf_add(buf, STR(" else "));
    }
    write_object(buf, step, false);
    if (settings->unless.n) buf_add(buf, STR(" end"));
    if (settings->when.n) buf_add(buf, STR(" else null end"));
    if (has_jq) buf_add(buf, STR(") catch {\"e\": (if type == \"string\" then . else tojson end)})"));
}

/* Fills the step and writes its item of the function's list; gives whether there is any jq in it. */
static bool compile_step(struct compiler *compiler, const struct route_settings *route,
                         const struct route_step *settings, struct step_program *step, struct buf *buf) {
    struct str destination = compiler->settings->destinations[settings->destination].name;
    struct str where = str_fmt(compiler->arena, "%.*s in route '%.*s'", STR_ARG(destination), STR_ARG(route->name));
    *step = (struct step_program){.settings = settings,
                                  .destination = destination,
                                  .was = compiler->settings->destinations[settings->destination].was,
                                  .late_us = settings->late_us ? settings->late_us : route->late_us};
    const struct {
        const char *name;
        struct str text;
        struct tree_mark mark;
        struct path *place; /* NULL: always jq */
        bool *in_jq;
    } conditions[] = {{"when", settings->when, settings->when_mark, NULL, NULL},
                      {"unless", settings->unless, settings->unless_mark, NULL, NULL},
                      {"key", settings->key, settings->key_mark, &step->key, &step->key_in_jq},
                      {"order_by", settings->order_by, settings->order_mark, &step->order, &step->order_in_jq}};
    bool has_jq = false;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        if (!conditions[i].text.n) continue;
        if (conditions[i].place && path_parse(compiler->arena, conditions[i].text, conditions[i].place)) continue;
        if (conditions[i].in_jq) *conditions[i].in_jq = true;
        add_expression(compiler, conditions[i].text, conditions[i].mark,
                       str_fmt(compiler->arena, "'%s' for %.*s", conditions[i].name, STR_ARG(where)));
        has_jq = true;
    }
    if (settings->params) {
        const struct template_input input = {&compiler->routes->expressions, compiler->findings, where};
        step->template = template_make(&input, settings->params);
        has_jq |= step->template.jq_count > 0;
    }
    write_step(buf, step, has_jq);
    return has_jq;
}

static void compile_route(struct compiler *compiler, const struct route_settings *settings,
                          struct route_program *program) {
    struct buf buf = {.arena = compiler->arena};
    size_t first = compiler->routes->expressions.count, errors = compiler->findings->errors;
    bool has_jq = settings->when.n > 0;
    *program = (struct route_program){.settings = settings, .function = NO_FUNCTION};
    program->steps = arena_array(compiler->arena, struct step_program, settings->step_count);
    if (has_jq) {
        add_expression(compiler, settings->when, settings->when_mark,
                       str_fmt(compiler->arena, "'when' of route '%.*s'", STR_ARG(settings->name)));
        buf_fmt(&buf, "if drumbeat_one((%.*s\n)) then ", STR_ARG(settings->when));
    }
    buf_byte(&buf, '[');
    for (size_t i = 0; i < settings->step_count; i++) {
        if (i) buf_add(&buf, STR(", "));
        has_jq |= compile_step(compiler, settings, &settings->steps[i], &program->steps[i], &buf);
    }
    buf_byte(&buf, ']');
    if (settings->when.n) buf_add(&buf, STR(" else null end"));
    if (!has_jq || compiler->findings->errors > errors) return;
    program->text = buf_str(&buf);
    program->wants_event = expressions_want_event(&compiler->routes->expressions, first);
    program->function = jq_add(compiler->source, program->text);
    if (program->function == SIZE_MAX)
        finding_add(compiler->findings, compiler->settings->file, settings->mark, code_text(CODE_ROUTE_FULL),
                    "more than %d jq programs, from route '%.*s' on", JQ_FUNCTIONS_MAX, STR_ARG(settings->name));
}

/* Bounds the steps of all routes together: one event may owe all of them, and all are stored in one turn. */
static void check_steps(struct compiler *compiler) {
    size_t steps = 0;
    for (size_t i = 0; i < compiler->settings->route_count; i++) {
        const struct route_settings *route = &compiler->settings->routes[i];
        if (steps <= ROUTE_STEPS_MAX && steps + route->step_count > ROUTE_STEPS_MAX)
            finding_add(compiler->findings, compiler->settings->file, route->mark, code_text(CODE_ROUTE_STEPS),
                        "more than %d deliveries in all routes together, from route '%.*s' on", ROUTE_STEPS_MAX,
                        STR_ARG(route->name));
        steps += route->step_count;
    }
}

enum err routes_compile(const struct settings *settings, struct jq_source *source, struct findings *findings,
                        struct arena *arena, struct routes **ret_routes) {
    struct routes *routes = arena_new(arena, struct routes);
    struct compiler compiler = {settings, source, findings, arena, routes};
    size_t errors = findings->errors;
    routes->expressions = (struct expressions){.arena = arena, .file = settings->file};
    routes->programs = arena_array(arena, struct route_program, settings->route_count);
    routes->count = settings->route_count;
    for (size_t i = 0; i < routes->count; i++) compile_route(&compiler, &settings->routes[i], &routes->programs[i]);
    check_steps(&compiler);
    if (findings->errors > errors) {
        routes_blame(routes, findings);
        return ERR_CONFIG;
    }
    *ret_routes = routes;
    return ERR_NONE;
}

void routes_blame(const struct routes *routes, struct findings *findings) {
    expressions_blame(&routes->expressions, findings);
}

/* ---- routes that were stopped ---- */

static struct str program_hash(const struct route_program *program, struct hasher *hasher, struct arena *arena) {
    uint8_t digest[SHA256_BYTES];
    struct buf buf = {.arena = arena};
    buf_add(&buf, program->text);
    for (size_t i = 0; i < program->settings->step_count; i++) {
        const struct template *template = &program->steps[i].template;
        buf_byte(&buf, '\n');
        for (size_t j = 0; j < template->count; j++) buf_add(&buf, template->segments[j].text);
    }
    hash_sha256(hasher, buf_str(&buf), digest);
    return hex_encode(arena, digest, sizeof digest);
}

size_t routes_changed(const struct routes *routes, struct hasher *hasher, struct arena *arena,
                      struct route_stop *ret_stops, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < routes->count && count < max; i++) {
        const struct route_program *program = &routes->programs[i];
        const struct guard *old = &program->guard, *new = &program->staged;
        if (old->stopped == new->stopped && old->until_us == new->until_us) continue;
        ret_stops[count++] = (struct route_stop){program->settings->name, program_hash(program, hasher, arena),
                                                 str_from(new->why), new->stopped, new->until_us};
    }
    return count;
}

void routes_commit(struct routes *routes) {
    for (size_t i = 0; i < routes->count; i++) routes->programs[i].guard = routes->programs[i].staged;
}

void routes_rollback(struct routes *routes) {
    for (size_t i = 0; i < routes->count; i++) routes->programs[i].staged = routes->programs[i].guard;
}

void routes_restore(struct routes *routes, const struct route_stop *stops, size_t count, struct hasher *hasher,
                    struct arena *arena, int64_t now_us) {
    for (size_t i = 0; i < routes->count; i++) {
        struct route_program *program = &routes->programs[i];
        bool stopped = false;
        for (size_t j = 0; j < count; j++) {
            if (!str_eq(stops[j].route, program->settings->name)) continue;
            if (!str_eq(stops[j].program_hash, program_hash(program, hasher, arena))) continue;
            guard_restore(&program->guard, stops[j].why, stops[j].until_us, now_us);
            stopped = true;
        }
        if (!stopped && program->guard.stopped) guard_heal(&program->guard);
        program->staged = program->guard;
    }
}

bool routes_stop_of(const struct routes *routes, struct str route, struct str *ret_why, int64_t *ret_until_us) {
    for (size_t i = 0; i < routes->count; i++) {
        const struct guard *guard = &routes->programs[i].guard;
        if (!guard->stopped || !str_eq(routes->programs[i].settings->name, route)) continue;
        *ret_why = str_from(guard->why);
        *ret_until_us = guard->until_us;
        return true;
    }
    return false;
}

bool routes_is_stopped(const struct routes *routes, struct str route) {
    struct str why;
    int64_t until_us;
    return routes_stop_of(routes, route, &why, &until_us);
}

size_t routes_stopped(const struct routes *routes) {
    size_t stopped = 0;
    for (size_t i = 0; i < routes->count; i++) stopped += routes->programs[i].staged.stopped;
    return stopped;
}

int64_t routes_next_probe(const struct routes *routes) {
    int64_t next_us = WHEN_NEVER;
    for (size_t i = 0; i < routes->count; i++) {
        const struct guard *guard = &routes->programs[i].staged;
        if (guard->stopped && guard->until_us < next_us) next_us = guard->until_us;
    }
    return next_us;
}

/* ---- what routes say of an event by its type and source alone, before any program is run ---- */

bool program_takes(const struct route_program *program, const struct event *event) {
    const struct route_settings *settings = program->settings;
    if (settings->source.n && !str_eq(settings->source, event->source)) return false;
    for (size_t i = 0; i < settings->from_count; i++)
        if (event_type_fits(settings->from[i], event->type)) return true;
    return false;
}

struct str program_stopped_text(const struct route_program *program, bool again, struct arena *arena) {
    return str_fmt(arena, "%sroute %.*s is stopped: %s", again ? DELIVERY_RERUN "; " : "",
                   STR_ARG(program->settings->name), program->staged.why);
}

void route_owed(const struct routes *routes, const struct event *event, int64_t now_us, struct hasher *hasher,
                struct arena *arena, struct plan *ret_plan) {
    struct plan plan = {0};
    size_t room = 0;
    for (size_t i = 0; i < routes->count; i++) room += routes->programs[i].settings->step_count;
    plan.deliveries = arena_array(arena, struct delivery, room);
    for (size_t i = 0; i < routes->count; i++) {
        const struct route_program *program = &routes->programs[i];
        if (!program_takes(program, event)) continue;
        plan.wanted = true;
        for (size_t j = 0; j < program->settings->step_count; j++) {
            const struct step_program *step = &program->steps[j];
            struct delivery *owed = &plan.deliveries[plan.count++];
            *owed = (struct delivery){
                .event_id = event->id,
                .event = event,
                .run = event->run,
                .destination = step->destination,
                .was = step->was,
                .action = step->settings->action,
                .route = program->settings->name,
                .step = step->settings->step,
                .key_to_come = step->settings->key.n > 0,
                .name_to_come = step->settings->name,
                .status = DELIVERY_HELD,
                .unmade = true,
                .last_error = STR(DELIVERY_RERUN ": its route makes it next"),
                .due_us = now_us,
                .first_due_us = now_us,
                .created_us = now_us,
                .updated_us = now_us,
            };
            delivery_identify(hasher, event, owed);
        }
    }
    *ret_plan = plan;
}

/* ---- why not ---- */

static struct str types_text(const struct route_settings *settings, struct arena *arena) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < settings->from_count; i++)
        buf_fmt(&buf, "%s%.*s", i ? ", " : "", STR_ARG(settings->from[i]));
    return buf_str(&buf);
}

static struct str why_not(const struct route_program *program, const struct event *event, struct arena *arena) {
    const struct route_settings *settings = program->settings;
    bool type_fits = false;
    for (size_t i = 0; i < settings->from_count; i++) type_fits |= event_type_fits(settings->from[i], event->type);
    if (!type_fits)
        return str_fmt(arena, "from: %.*s, and its type is %.*s", STR_ARG(types_text(settings, arena)),
                       STR_ARG(event->type));
    if (!program_takes(program, event))
        return str_fmt(arena, "source: %.*s, and its source is %.*s", STR_ARG(settings->source),
                       STR_ARG(event->source));
    if (settings->when.n) return str_fmt(arena, "when: %.*s, which does not hold", STR_ARG(str_trim(settings->when)));
    return STR("no 'when' of its deliveries holds");
}

size_t route_reasons(const struct routes *routes, const struct event *event, struct arena *arena,
                     struct route_reason **ret_reasons) {
    struct route_reason *reasons = arena_array(arena, struct route_reason, routes->count);
    for (size_t i = 0; i < routes->count; i++)
        reasons[i] =
            (struct route_reason){routes->programs[i].settings->name, why_not(&routes->programs[i], event, arena)};
    *ret_reasons = reasons;
    return routes->count;
}
