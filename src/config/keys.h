/* config/keys.h - the table of keys (keys.def) as values. Private to this room. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "model/settings.h"

/* X(NAME, path, secrets allowed): the maps that have keys. */
#define SECTION_LIST(X)                                                                                                \
    X(TOP, "", false)                                                                                                  \
    X(SERVER, "server", true)                                                                                          \
    X(POSTGRES, "postgres", true)                                                                                      \
    X(REDIS, "redis", true)                                                                                            \
    X(KEEP, "keep", false)                                                                                             \
    X(SOURCE, "sources.*", true)                                                                                       \
    X(DESTINATION, "destinations.*", true)                                                                             \
    X(RETRY, "destinations.*.retry", true)                                                                             \
    X(BREAKER, "destinations.*.breaker", true)                                                                         \
    X(ROUTE, "routes.*", false)                                                                                        \
    X(DELIVERY, "routes.*.to", false)                                                                                  \
    X(BATCH, "routes.*.to.batch", false)
enum section {
#define X(name, path, secrets) SECTION_##name,
    SECTION_LIST(X)
#undef X
        SECTION_COUNT
};

/* X(NAME, what the value is, for a person) */
#define KEY_TYPE_LIST(X)                                                                                               \
    X(VERSION, "the number 1")                                                                                         \
    X(WHOLE, "a whole number")                                                                                         \
    X(SPAN, "a length of time such as 500ms, 30s, 5m, 2h or 3d")                                                       \
    X(SIZE, "a size such as 256KiB or 8MiB")                                                                           \
    X(PERCENT, "a percentage such as 50%")                                                                             \
    X(FLAG, "true or false")                                                                                           \
    X(CHOICE, "one of the words")                                                                                      \
    X(TEXT, "a text")                                                                                                  \
    X(SECRET, "a secret, written ${NAME}")                                                                             \
    X(JQ, "a jq expression, without ${ }")                                                                             \
    X(ACCOUNT, "a name of small letters, digits, - and _")                                                             \
    X(ZONE, "a time zone such as UTC or Europe/Berlin")                                                                \
    X(TYPES, "a list of event types such as LEAD_CAPTURE")                                                             \
    X(PATTERNS, "an event type, a pattern such as landing.*, or a list of them")                                       \
    X(STORE, "a path, or postgres://...")                                                                              \
    X(DSN, "a URL such as postgres://user:password@host:5432/name")                                                    \
    X(REDIS_URL, "a URL such as redis://host:6379/0 or unix:///run/redis.sock")                                        \
    X(LISTEN, "an address and a port such as 127.0.0.1:8120")                                                          \
    X(URL, "a URL such as https://example.com/hook")                                                                   \
    X(HEADERS, "a map of header names to texts")                                                                       \
    X(LIMITS, "a rate such as 10/s or 300/15m, or a list of them")                                                     \
    X(BREAKER, "on, off, or a map of its keys")                                                                        \
    X(SERVER, "a map of its keys")                                                                                     \
    X(POSTGRES, "a map of its keys")                                                                                   \
    X(REDIS, "a map of its keys")                                                                                      \
    X(KEEP, "a map of its keys")                                                                                       \
    X(RETRY, "a map of its keys")                                                                                      \
    X(BATCH, "a map of its keys")                                                                                      \
    X(SOURCES, "a map of names to sources")                                                                            \
    X(DESTINATIONS, "a map of names to destinations")                                                                  \
    X(ROUTES, "a map of names to routes")                                                                              \
    X(STEPS, "a list of deliveries")                                                                                   \
    X(BODY, "any value, with ${.field} for values of the event")
enum key_type {
#define X(name, what) KEY_##name,
    KEY_TYPE_LIST(X)
#undef X
        KEY_TYPE_COUNT
};

/* Read and not kept. */
struct source {
    struct str type, secret;
};

struct key {
    enum section section;
    struct str name;
    enum key_type type;
    const char *fallback; /* NULL = required */
    int64_t min, max;
    struct str choices;
    bool restart;
    size_t place; /* in the struct of its section */
    const char *help;
};

/* Keys of one section in the table's order; previous NULL starts, NULL ends. */
const struct key *key_next(enum section section, const struct key *previous);
const struct key *key_find(enum section section, struct str name); /* NULL when there is none */
struct str key_path(struct arena *arena, const struct key *key);   /* "destinations.*.limit" */
const char *key_what(enum key_type type);
bool key_is_hidden(enum key_type type); /* its text may hold a secret, and is shown nowhere */
/* The section of the keys below a key; SECTION_COUNT when there are none. */
enum section key_section(enum key_type type);
const char *section_path(enum section section); /* "destinations.*"; "" for the top level */
bool section_takes_secrets(enum section section);

/* The nearest of several names to a misspelt one; feed them all, then read `best` (STR_NONE: none is near). */
struct suggestion {
    struct str wrong, best;
    size_t distance;
};
void suggestion_consider(struct suggestion *suggestion, struct str name);
/* "; did you mean 'limit'?", or "". */
struct str suggestion_text(struct arena *arena, const struct suggestion *suggestion);

#endif
