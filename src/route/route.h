/* route/route.h - from an event to the deliveries it owes. Pure.
 *
 * Compiling adds the jq of all routes to one jq_source. A route without jq is planned without calling the evaluator at
 * all. Templates: `${.a}` alone gives the JSON value, inside text it is interpolated (null as nothing), and `$${` is a
 * literal `${`. Thread: one.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/delivery.h"
#include "model/settings.h"

#define ROUTE_STEPS_MAX 10000 /* deliveries in all routes together, so that one event never owes more */

struct evaluator;
struct findings;
struct hasher;
struct jq_source;
struct routes;

/* Findings: bad templates and jq trouble, with their places. settings, source and arena outlive the routes. CONFIG when
 * there are any; then the jq that is sound lexically was compiled too, so that all trouble is shown at once. */
MUST_USE enum err routes_compile(const struct settings *settings, struct jq_source *source, struct findings *findings,
                                 struct arena *arena, struct routes **ret_routes);
/* After the whole program failed to compile: checks each expression alone and adds a finding for each bad one. */
void routes_blame(const struct routes *routes, struct findings *findings);

/* What an event owes. A delivery is PENDING (due now or after its wait), SKIPPED (`unless` holds: last_error says so),
 * HELD (already too late) or, where its route could not make it, unmade: FAILED with the route's name and jq's words,
 * or HELD while the route is stopped. One that cannot be made does not touch the others. */
struct plan {
    bool wanted;  /* at least one route took the event */
    bool put_off; /* a program was not run, for a reason that is not its own: count is 0, the event is to be tried again
                   */
    struct delivery *deliveries; /* each with its event */
    size_t count;
    struct str error; /* of the first delivery that could not be made; "" = there is none */
};
/* Plans a batch, plans[i] for events[i], whose time has come. now_us is the loop's clock, from which deliveries wait: a
 * calendar may be ahead of it. hash is for delivery ids. What the routes learn of their programs is staged. */
void route_events(struct routes *routes, const struct event *events, size_t count, int64_t now_us,
                  struct hasher *hasher, const struct evaluator *evaluator, struct arena *arena,
                  struct plan *ret_plans);
/* A delivery of each step of each route that takes the event's type and source, unmade and HELD: no program is run. */
void route_owed(const struct routes *routes, const struct event *event, int64_t now_us, struct hasher *hasher,
                struct arena *arena, struct plan *ret_plan);
/* Of an event that no route made anything of: the rule of each route that did not let it through. No program is run, so
 * a condition is named where everything before it fits. */
struct route_reason {
    struct str route, why;
};
size_t route_reasons(const struct routes *routes, const struct event *event, struct arena *arena,
                     struct route_reason **ret_reasons);
/* Makes deliveries that are unmade and HELD, in place and in order of events. Each has its event, route, destination,
 * step and run. What the route may not make now stays as it is; what the configuration no longer knows becomes FAILED.
 */
void route_unmade(struct routes *routes, struct delivery *unmade, size_t count, int64_t now_us, struct hasher *hasher,
                  const struct evaluator *evaluator, struct arena *arena);

/* ---- routes that were stopped (see guard.h) ---- */

struct route_stop {
    struct str route, program_hash, why;
    bool stopped;     /* false: it was, and is healed */
    int64_t until_us; /* when its next probe may go */
};
/* The routes that were stopped, tried again in vain, or healed since the last commit; at most max. */
size_t routes_changed(const struct routes *routes, struct hasher *hasher, struct arena *arena,
                      struct route_stop *ret_stops, size_t max);
/* What was staged becomes true, or never was. */
void routes_commit(struct routes *routes);
void routes_rollback(struct routes *routes);
/* Takes in all stops that the store has. A stop of another program than the route's present one does not count. */
void routes_restore(struct routes *routes, const struct route_stop *stops, size_t count, struct hasher *hasher,
                    struct arena *arena, int64_t now_us);
bool routes_is_stopped(const struct routes *routes, struct str route);
/* Likewise, with the reason, which is the routes' own, and the moment of its next probe. */
bool routes_stop_of(const struct routes *routes, struct str route, struct str *ret_why, int64_t *ret_until_us);
size_t routes_stopped(const struct routes *routes); /* how many are, what is staged included */
/* When the first of the stopped routes may be probed; WHEN_NEVER when no route is stopped. */
int64_t routes_next_probe(const struct routes *routes);

#endif
