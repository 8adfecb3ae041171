/* config/keys.h - the table of keys (keys.def) as values. Private to this room. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "model/settings.h"

/* The maps that have keys: sections.def. */
enum section {
#define X(name, path, what, secrets, read, compare, schema) SECTION_##name,
#include "config/sections.def"
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
    X(LIST, "a text, or a list of them")                                                                               \
    X(RATE, "a rate such as 10/m or 300/15m")                                                                          \
    X(HEADERS, "a map of header names to texts")                                                                       \
    X(LIMITS, "a rate such as 10/s, 300/15m or 1/s per channel, or a list of them")                                    \
    X(DELIVERIES, "a list of deliveries, as a route's 'to'")                                                           \
    X(DAYTIME, "a time of day such as 08:00")                                                                          \
    X(SECTION, "") /* its section says what it takes */                                                                \
    X(PAYLOAD, "a map of any values")                                                                                  \
    X(BODY, "any value, with ${.field} for values of the event")
enum key_type {
#define X(name, what) KEY_##name,
    KEY_TYPE_LIST(X)
#undef X
        KEY_TYPE_COUNT
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
/* What the key takes, for a person. */
const char *key_what(const struct key *key);
bool key_is_hidden(enum key_type type); /* its text may hold a secret, and is shown nowhere */
/* The section that the key opens; SECTION_COUNT when it opens none. */
enum section key_section(const struct key *key);

/* The nearest of several names to a misspelt one; feed them all, then read `best` (STR_NONE: none is near). */
struct suggestion {
    struct str wrong, best;
    size_t distance;
    struct buf all; /* with an arena it takes all names, to be told where none is near */
};
void suggestion_consider(struct suggestion *suggestion, struct str name);
/* "; did you mean 'limit'?", or "; there are limit, url", or "". */
struct str suggestion_text(struct arena *arena, const struct suggestion *suggestion);

#endif
