/* route/owed.c - what routes say of an event by its type and source alone, before any program is run. */
#include "route/program.h"

bool program_takes(const struct route_program *program, const struct event *event) {
    const struct route_settings *settings = program->settings;
    if (settings->source.n && !str_eq(settings->source, event->source)) return false;
    for (size_t i = 0; i < settings->from_count; i++)
        if (str_glob(settings->from[i], event->type)) return true;
    return false;
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
                .action = step->settings->action,
                .route = program->settings->name,
                .step = step->settings->step,
                .status = DELIVERY_HELD,
                .unmade = true,
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
    for (size_t i = 0; i < settings->from_count; i++) type_fits |= str_glob(settings->from[i], event->type);
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
