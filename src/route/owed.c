/* route/owed.c - what routes say of an event by its type and source alone, before any program is run. */
#include "route/program.h"

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
            plan.deliveries[plan.count++] = (struct delivery){
                .id = delivery_derive_id(hasher, event->key, step->destination, step->settings->step, event->run),
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
        }
    }
    *ret_plan = plan;
}
