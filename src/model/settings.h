/* model/settings.h - a configuration, as values. Made by config (from the
 * table of keys) and connect (connector fields), read by everybody else.
 * One arena owns all of it; it never changes after it was made. */
#ifndef MODEL_SETTINGS_H
#define MODEL_SETTINGS_H

#include "base/map.h"
#include "base/tree.h"

#define LIMIT_RULES_MAX 8

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
};
enum on_unknown { ON_UNKNOWN_DEFAULT, ON_UNKNOWN_LOOKUP, ON_UNKNOWN_RETRY, ON_UNKNOWN_HOLD };

/* What the settling rules must know of a connector's action. */
struct action_traits {
    struct str name; /* "" for http */
    bool has_lookup;
    int64_t lookup_settle_us; /* "absent" counts only this long after the send */
    int64_t key_life_us; /* how long the provider keeps the idempotency key; 0 = it keeps none, WHEN_NEVER = for ever */
    int32_t batch_max;   /* 1 = no batch form */
    int32_t
        batch_joined; /* how many the routes ask to join in one call, at most batch_max; 0 or 1 = none. Set by setup */
    enum on_unknown on_unknown; /* never DEFAULT */
};

struct destination_settings {
    struct str name;
    struct str type;    /* connector's name, "http" */
    struct str account; /* the limit's name: `account:`, else the destination's own name */
    struct str url;
    struct header *headers; /* secrets in place */
    size_t header_count;
    struct str signing_secret;                 /* "" = unsigned; the text after whsec_ is base64 */
    struct limit_rule limits[LIMIT_RULES_MAX]; /* configured; empty = the connector's documented ones */
    size_t limit_count;
    int32_t concurrency;
    int64_t timeout_us;
    struct retry_rule retry;
    int64_t give_up_us; /* 0 = no slow lane */
    struct breaker_rule breaker;
    enum on_unknown on_unknown; /* as configured; the action's traits hold what is in force */
    bool allow_private;
    struct map fields; /* connector fields: name -> struct str *, secrets in place */
    struct tree_mark mark;
    /* set by connect */
    const struct connector *connector;
    struct action_traits *actions;
    size_t action_count;
    int64_t penalty_us; /* silence after a refusal, 0 = none */
};

struct route_step {
    size_t destination; /* index into settings.destinations */
    struct str action;
    struct str step; /* model/delivery.h */
    int64_t after_us;
    int64_t late_us;                        /* 0 = the route's */
    struct str when, unless, key, order_by; /* jq, "" = none */
    int32_t batch_max;
    int64_t batch_wait_us;
    const struct tree *params; /* NULL = the payload as received; for http: the `body` */
    struct tree_mark mark, when_mark, unless_mark, key_mark, order_mark;
};
struct route_settings {
    struct str name;
    struct str *from; /* types or globs */
    size_t from_count;
    struct str source, when; /* "" = any */
    int64_t late_us;         /* 0 = none */
    struct route_step *steps;
    size_t step_count;
    struct tree_mark mark, when_mark;
};

struct server_settings {
    struct str listen_host;
    uint16_t listen_port;
    int64_t max_event_bytes, max_body_bytes;
    int64_t header_timeout_us, body_timeout_us, idle_timeout_us;
    int32_t connections, connections_per_address;
    int32_t queue_max; /* open deliveries the store may hold before ingest says 503; 0 = no bound */
    int64_t stop_timeout_us;
};

/* Where a pooler stands before PostgreSQL, and where copies of it are. */
struct postgres_settings {
    struct str listen_dsn; /* a direct connection, for notifications; "" = the store's own */
    struct str read_dsn;   /* a replica, for lists; "" = the store's own */
};
/* What becomes of shared limits while Redis does not answer: each process has its part; nothing leaves; no limit. */
enum redis_failure { REDIS_FAIL_LOCAL = 1, REDIS_CLOSED, REDIS_OPEN };
struct redis_settings {
    struct str url;     /* "" = none */
    int32_t on_failure; /* enum redis_failure */
    int64_t timeout_us; /* of one call */
};

struct settings {
    struct str file; /* where it was read from */
    struct str zone;
    struct str *types;
    size_t type_count; /* 0 = any */
    struct str store;
    struct server_settings server;
    struct postgres_settings postgres;
    struct redis_settings redis;
    int64_t keep_events_us; /* settled events older than this are removed */
    struct destination_settings *destinations;
    size_t destination_count;
    struct route_settings *routes;
    size_t route_count;
};

/* Index of a destination, or SIZE_MAX. */
size_t settings_destination(const struct settings *settings, struct str name);
/* Traits of an action; NULL when the destination has no such action. */
const struct action_traits *destination_action(const struct destination_settings *destination, struct str action);

#endif
