/* model/event.h - an event: an immutable fact. Only `status`, its run and its
 * error change after it is stored. Texts are borrowed from whoever made the
 * struct (a request's arena, a turn's arena). Times: microseconds UTC. */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include "base/id.h"
#include "base/str.h"

/* X(NAME): the seed's words, in the database and the API. */
#define EVENT_STATUS_LIST(X) X(PENDING) X(PROCESSING) X(COMPLETED) X(FAILED)
enum event_status {
#define EVENT_STATUS_ENUM(name) EVENT_##name,
    EVENT_STATUS_LIST(EVENT_STATUS_ENUM)
#undef EVENT_STATUS_ENUM
        EVENT_STATUS_COUNT
};

#define EVENT_KEY_MAX    255
#define EVENT_SOURCE_MAX 64
#define EVENT_TYPE_MAX   64

struct event {
    struct uuid id;
    int64_t seq; /* insertion order in the store; 0 before it is stored */
    struct str key;
    struct str type, source;
    struct str payload;     /* a JSON object, bytes as received */
    struct str fingerprint; /* 64 hex digits: SHA-256 of the payload's RFC 8785 form */
    enum event_status status;
    int32_t run; /* the run its next routing makes; 0 for the original */
    int32_t retry_count;
    struct str last_error;
    struct str trace_parent; /* as W3C writes it: the span outside that this event continues; "" = none */
    int64_t scheduled_us, created_us, updated_us;
};

const char *event_status_text(enum event_status status);
bool event_status_parse(struct str text, enum event_status *ret_status);
/* [A-Za-z][A-Za-z0-9_.-]{0,63} */
bool event_type_valid(struct str type);
/* What forms keep as spam has a type that begins so. */
#define EVENT_SPAM "spam."
/* What drumbeat says of itself (model/alert.h) has a type that begins so. Nobody else may send such a one. */
#define EVENT_OWN        "drumbeat."
#define EVENT_OWN_SOURCE "drumbeat"
/* Whether a name or pattern of a route takes events of a type. One of spam, or of drumbeat's own, is taken only by what
 * begins so too: no `from: "*"` sends it on. */
bool event_type_fits(struct str pattern, struct str type);
/* 1-255 printable characters (U+0020..., no controls), UTF-8. */
bool event_key_valid(struct str key);
/* 1-64 printable characters. */
bool event_source_valid(struct str source);
/* The whole event as one JSON object text, as jq's $event sees it: id type source idempotency_key payload scheduled_at
 * created_at run. */
struct str event_json(struct arena *arena, const struct event *event);

#endif
