/* model/settings.h - a configuration, as values. Made by config (from the
 * table of keys) and connect (connector fields), read by everybody else.
 * One arena owns all of it; it never changes after it was made. */
#ifndef MODEL_SETTINGS_H
#define MODEL_SETTINGS_H

#include "model/destination.h"

struct source_settings;

struct route_step {
    size_t destination; /* index into settings.destinations */
    struct str action;
    struct str step; /* by its place in the route: "<route>" or "<route>.2", see model/delivery.h */
    struct str name; /* "<route>:<key>" where its key is the same for every event; "" = where it is not */
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

/* Who sees GET /metrics once API keys exist: whoever has a key that may read, or everybody. */
enum metrics_access { METRICS_KEYED = 1, METRICS_OPEN };

struct server_settings {
    struct str listen_host;
    uint16_t listen_port;
    struct str url;          /* the public address, without a slash at its end; "" = none */
    struct str_list proxies; /* whose X-Forwarded-For is believed: addresses and networks */
    int64_t max_event_bytes, max_body_bytes;
    int64_t header_timeout_us, body_timeout_us, idle_timeout_us;
    int32_t connections, connections_per_address;
    int32_t metrics;   /* enum metrics_access */
    int32_t queue_max; /* open deliveries the store may hold before ingest says 503; 0 = no bound */
    int64_t stop_timeout_us;
};

/* Where a pooler stands before PostgreSQL, and where copies of it are. */
struct postgres_settings {
    struct str listen_dsn; /* a direct connection, for notifications; "" = the store's own */
    struct str read_dsn;   /* a replica, for lists; "" = the store's own */
};
/* What holds for shared limits while Redis does not answer: each process has its part, nothing leaves, or no limit. */
enum redis_failure { REDIS_FAIL_LOCAL = 1, REDIS_CLOSED, REDIS_OPEN };
struct redis_settings {
    struct str url;     /* "" = none */
    int32_t on_failure; /* enum redis_failure */
    int64_t timeout_us; /* of one call */
};

/* What is said on stderr, and how. */
struct log_settings {
    int32_t level, format; /* one more than enum log_level and enum log_format of observe/log.h */
    int64_t fold_us;
};

/* Who is told when something needs a person. */
struct alert_settings {
    struct route_settings *route; /* one of the routes, of drumbeat's own events; NULL = nobody is told */
    int64_t every_us;             /* the same cause is told again after this, and no sooner */
    int32_t report; /* when the sheet of yesterday is sent: minutes into a day of its zone, and 1; 0 = never */
};
#define ALERT_ROUTE "drumbeat.alerts" /* no name that a configuration may give */

struct settings {
    struct str file;   /* where it was read from, as the caller named it */
    struct str path;   /* the same from the root, in a server; else "" */
    struct str digest; /* of its destinations and routes */
    struct str zone;
    struct str *types;
    size_t type_count; /* 0 = any */
    struct str store;
    struct server_settings server;
    struct postgres_settings postgres;
    struct redis_settings redis;
    struct log_settings log;
    int64_t keep_events_us;          /* settled events older than this are removed */
    struct source_settings *sources; /* model/source.h */
    size_t source_count;
    struct str token_key; /* of base/seal.h, "" where no destination keeps a token */
    struct destination_settings *destinations;
    size_t destination_count;
    struct route_settings *routes;
    size_t route_count;
    struct alert_settings alerts;
    size_t warning_count; /* that `drumbeat check` tells of it */
    /* What takes a restart and is not as the process was started: "server.listen 127.0.0.1:1 -> 127.0.0.1:2". */
    struct str_list restart_waits;
};

/* ---- looking up ---- */

/* "300/15m", "10/s", "1/s per channel"; bounds are the caller's. *ret_meter is the parameter, "" = none. */
bool limit_rule_parse(struct str text, struct limit_rule *ret_rule, struct str *ret_meter);
/* As it is written; meter "" = none. */
struct str limit_rule_text(struct arena *arena, const struct limit_rule *rule, struct str meter);
/* Index of a destination, and of the one that had this name before; or SIZE_MAX. */
size_t settings_destination(const struct settings *settings, struct str name);
size_t settings_heir(const struct settings *settings, struct str name);
/* What is wrong with the text that says where the store is, as the rest of a sentence; NULL when it may be a path or is
 * a PostgreSQL URL. Does not repeat the text, which may hold a password. */
const char *settings_store_problem(struct str store);
bool settings_store_is_postgres(struct str store);

#endif
