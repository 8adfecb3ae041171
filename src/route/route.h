/* route/route.h - from an event to the deliveries it owes. Pure.
 *
 * Compiling adds the jq of all routes to one jq_source; a route without jq is
 * planned without calling the evaluator at all. Templates: `${.a}` alone gives
 * the JSON value, inside text it is interpolated (null as nothing); `$${` is a
 * literal `${`.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/arena.h"
#include "base/jq.h"
#include "model/delivery.h"
#include "model/settings.h"

#define ROUTE_PLAN_MAX 256 /* deliveries of one event; more is a routing error */

struct routes;

/* Findings: bad templates and jq trouble, with their places. settings, source and arena outlive the routes. CONFIG when
 * there are any; then the jq that is sound lexically was compiled too, so that all trouble is shown at once. */
MUST_USE enum err routes_compile(const struct settings *settings, struct jq_source *source, struct findings *findings,
                                 struct arena *arena, struct routes **ret_routes);
/* After the whole program failed to compile: checks each expression alone and adds a finding for each bad one. */
void routes_blame(const struct routes *routes, struct findings *findings);

struct plan {
    bool wanted; /* at least one route took the event */
    struct delivery *deliveries;
    size_t count;
    struct str error;         /* not "": routing failed, the event is FAILED; count is 0 */
    struct str runaway_route; /* not "": this route's program ran away */
};
/* Plans a batch, plans[i] for events[i], whose time has come. now_us is the loop's clock, from which deliveries wait:
 * a calendar may be ahead of it; hash is for delivery ids. A delivery: status PENDING (due now or after its wait),
 * SKIPPED (`unless` held: last_error says so) or HELD (already too late). Its event is set. */
void route_events(const struct routes *routes, const struct event *events, size_t count, int64_t now_us,
                  struct hasher *hasher, const struct evaluator *evaluator, struct arena *arena,
                  struct plan *ret_plans);

/* Quarantined routes take nothing; an event that one of them would have taken is FAILED with that reason. */
void routes_quarantine(struct routes *routes, struct str route);
bool routes_is_quarantined(const struct routes *routes, struct str route);
/* SHA-256 hex over all the route's jq and templates: a mended route is no longer the quarantined one. "" when there is
 * no such route. */
struct str routes_program_hash(const struct routes *routes, struct str route, struct hasher *hasher,
                               struct arena *arena);

#endif
