/* route/program.h - routes made ready for planning. Private to this room. */
#ifndef ROUTE_PROGRAM_H
#define ROUTE_PROGRAM_H

#include "model/guard.h"
#include "route/expression.h"
#include "route/route.h"
#include "route/template.h"

#define NO_FUNCTION SIZE_MAX

struct step_program {
    const struct route_step *settings;
    struct str destination;
    struct str_list was;      /* its earlier names */
    struct template template; /* no segments: the payload as received */
    bool key_in_jq, order_in_jq;
    struct path key, order; /* where they are set, and not in jq */
    int64_t late_us;        /* the step's, else the route's; 0 = none */
};
/* The function's output is null when `when` does not hold, else a list with one item for each step: null when the
 * step's `when` does not hold, {"e": jq's words} when its jq fails, else {"u": true when `unless` holds, "p": the
 * template's jq values, "k": key, "o": order_by}, each only where the configuration asks for it and it is no place in
 * the payload. */
struct route_program {
    const struct route_settings *settings;
    size_t function; /* in the evaluator's program; NO_FUNCTION = no jq at all */
    struct str text; /* of the function */
    bool wants_event;
    struct guard guard, staged; /* as committed; with what this turn learned */
    bool probing;               /* the batch at work holds the one event that is let through */
    struct step_program *steps; /* settings->step_count */
};
/* Whether it takes events of this type and source; its `when` was not asked. In plan.c. */
bool program_takes(const struct route_program *program, const struct event *event);
/* "route lead is stopped: why" */
struct str program_stopped_text(const struct route_program *program, bool again, struct arena *arena);
struct routes {
    struct route_program *programs;
    size_t count;
    struct expressions expressions;
};

#endif
