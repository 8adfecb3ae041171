/* model/destination.h - a destination as configured: where it is, its limits,
 * retries and breaker, and what its connector says of each action. Part of
 * model/settings.h, which owns it. */
#ifndef MODEL_DESTINATION_H
#define MODEL_DESTINATION_H

#include "base/map.h"
#include "base/tree.h"

#define LIMIT_RULES_MAX 8
#define LOGIN_COMMAND   "drumbeat destinations login" /* and the name; a pause for want of a login ends with both */

struct connector;

struct limit_rule {
    int64_t count; /* 1 .. 100000 */
    int64_t window_us;
};
struct retry_rule {
    int32_t max;
    int64_t base_us, cap_us;
};
struct breaker_rule {
    bool on;
    int32_t failures; /* consecutive */
    int32_t share;    /* percent of at least 20 attempts in the window */
    int64_t window_us, open_us;
    int32_t
        error_rate; /* percent of at least 100 attempts in a whole error window, more than which opens it; 0 = none */
    int64_t error_window_us;
};
enum on_unknown { ON_UNKNOWN_DEFAULT, ON_UNKNOWN_LOOKUP, ON_UNKNOWN_RETRY, ON_UNKNOWN_HOLD };

/* What the settling rules must know of a connector's action. */
struct action_traits {
    struct str name;          /* "" for http */
    bool has_lookup, natural; /* natural: the request names its effect, so that a second one changes nothing */
    int64_t lookup_settle_us; /* "absent" counts only this long after the send */
    int64_t key_life_us; /* how long the provider keeps the idempotency key; 0 = it keeps none, WHEN_NEVER = for ever */
    int32_t batch_max;   /* 1 = no batch form */
    int32_t
        batch_joined; /* how many the routes ask to join in one call, at most batch_max; 0 or 1 = none. Set by setup */
    enum on_unknown on_unknown; /* never DEFAULT */
};

struct destination_settings {
    struct str name;
    struct str type;     /* connector's name, "http" */
    struct str_list was; /* the names it had before, the last one first, whose deliveries it takes over */
    struct str account;  /* the limit's name: `account:`, else the destination's own name */
    struct str url;
    struct header *headers; /* secrets in place */
    size_t header_count;
    struct str signing_secret;                 /* "" = unsigned; the text after whsec_ is base64 */
    struct limit_rule limits[LIMIT_RULES_MAX]; /* configured; empty = the connector's documented ones */
    size_t limit_count;
    struct str meter; /* the parameter of which each value has limits of its own; "" = none, or the connector's */
    struct limit_rule meter_limits[LIMIT_RULES_MAX];
    size_t meter_limit_count;
    int32_t concurrency;
    int64_t timeout_us;
    struct retry_rule retry;
    int64_t give_up_us; /* 0 = no slow lane */
    int32_t queue_max;  /* 0 = half of server.queue */
    struct breaker_rule breaker;
    enum on_unknown on_unknown; /* as configured; the action's traits hold what is in force */
    bool allow_private;
    struct str ca, proxy; /* as in struct outgoing */
    struct map fields;    /* connector fields: name -> struct str *, secrets in place */
    struct tree_mark mark;
    const struct tree *written; /* its map in the file, for marks; NULL = there is none */
    bool refused;               /* a part of it was refused: what hangs on it is not looked at */
    /* set by connect */
    const struct connector *connector;
    struct action_traits *actions;
    size_t action_count;
    int64_t penalty_us; /* silence after a refusal, 0 = none */
};

/* Traits of an action; NULL when the destination has no such action. */
const struct action_traits *destination_action(const struct destination_settings *destination, struct str action);

#endif
