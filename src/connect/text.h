/* connect/text.h - texts with `${…}` references, and what they refer to. Private
 * to this room; made when a connector is read, filled for each request.
 *
 * A reference has transforms behind bars: `${delivery.id | base32 | first 24}`.
 * `$${` is a literal `${`. A text that is one reference keeps its value's JSON
 * type in a JSON body and is left out where the value is missing (absent or
 * null); inside a longer text a missing value is nothing.
 */
#ifndef CONNECT_TEXT_H
#define CONNECT_TEXT_H

#include "connect/connect.h"

struct json;
struct document_reader;
struct connector;

/* X(NAME, word, scopes): what may be referred to. PARAM and FIELD go on with a name. */
#define REF_LIST(X)                                                                                                    \
    X(PARAM, ".", SCOPE_ONE)                             /* a parameter, or one inside it */                           \
    X(FIELD, "field.", SCOPE_ALL)                        /* a field of the destination */                              \
    X(KEY, "key", SCOPE_SEND | SCOPE_BATCH | SCOPE_ITEM) /* the idempotency key */                                     \
    X(DELIVERY_ID, "delivery.id", SCOPE_ONE)                                                                           \
    X(DELIVERY_TID, "delivery.tid", SCOPE_ONE)            /* AT Protocol: 13 sortable characters */                    \
    X(DELIVERY_SENT_AT, "delivery.sent_at", SCOPE_LOOKUP) /* when it first may have arrived */                         \
    X(EVENT_ID, "event.id", SCOPE_ONE)                                                                                 \
    X(EVENT_TYPE, "event.type", SCOPE_ONE)                                                                             \
    X(EVENT_KEY, "event.key", SCOPE_ONE)                                                                               \
    X(EVENT_SOURCE, "event.source", SCOPE_ONE)                                                                         \
    X(EVENT_CREATED_AT, "event.created_at", SCOPE_ONE)                                                                 \
    X(ITEMS, "items", SCOPE_BATCH)          /* every delivery's part */                                                \
    X(ITEM_INDEX, "item.index", SCOPE_ITEM) /* from 0 */                                                               \
    X(TOKEN, "token", SCOPE_SENT)           /* the one in force */                                                     \
    X(TOKEN_REFRESH, "token.refresh", SCOPE_TOKEN)                                                                     \
    X(JWT, "jwt", SCOPE_TOKEN)                                                                                         \
    X(NOW, "now", SCOPE_TOKEN)                                                                                         \
    X(LOGIN_CODE, "login.code", SCOPE_LOGIN)                                                                           \
    X(LOGIN_VERIFIER, "login.verifier", SCOPE_LOGIN)                                                                   \
    X(LOGIN_STATE, "login.state", SCOPE_LOGIN)                                                                         \
    X(LOGIN_REDIRECT, "login.redirect", SCOPE_LOGIN)
enum ref_kind {
#define REF_ENUM(name, word, scopes) REF_##name,
    REF_LIST(REF_ENUM)
#undef REF_ENUM
        REF_COUNT
};

/* Where a text stands: it decides what can be referred to. */
enum scope {
    SCOPE_SHARED = 1, /* every request of the connector */
    SCOPE_SEND = 2,
    SCOPE_BATCH = 4, /* the call for many */
    SCOPE_ITEM = 8,  /* one delivery's part of it */
    SCOPE_LOOKUP = 16,
    SCOPE_TOKEN = 32, /* the request for a token */
    SCOPE_LOGIN = 64, /* where a person allows one, and what is made of the code */
    SCOPE_ONE = SCOPE_SEND | SCOPE_ITEM | SCOPE_LOOKUP,
    SCOPE_SENT = SCOPE_SHARED | SCOPE_SEND | SCOPE_BATCH | SCOPE_ITEM | SCOPE_LOOKUP,
    SCOPE_ALL = SCOPE_SENT | SCOPE_TOKEN | SCOPE_LOGIN
};

#define REF_STEPS_MAX 4
#define REF_PATH_MAX  8
struct ref_step {
    size_t transform; /* row of the table in transform.c */
    int64_t argument; /* characters, or microseconds */
    struct str name;  /* of a member */
};
struct ref {
    enum ref_kind kind;
    struct str path[REF_PATH_MAX]; /* PARAM: names; FIELD: the name; `${.}` has none */
    size_t path_count;
    struct ref_step steps[REF_STEPS_MAX];
    size_t step_count;
};

/* How a value is written into a URL. */
enum part_place { PLACE_PLAIN, PLACE_PATH, PLACE_QUERY };
struct text_part {
    struct str text; /* where ref is NULL */
    const struct ref *ref;
    enum part_place place; /* URLs only */
};
struct text {
    struct text_part *parts;
    size_t count;
    bool whole; /* one reference and nothing else */
};

/* Reads a text. Findings go to the reader, and the text must not be used then. */
void text_read(struct document_reader *reader, const struct tree *tree, enum scope scope, struct text *ret_text);
bool text_uses(const struct text *text, enum ref_kind kind);
struct str text_field(const struct text *text); /* the first field it names; "" = none */

/* What a request is filled with. */
struct fill {
    const struct call_context *context;
    const struct connector *connector;
    const struct delivery *delivery; /* NULL in a batch's call */
    const struct json *params;       /* of the delivery */
    struct str items;                /* JSON */
    size_t index;
    struct uuid key;
    struct str problem; /* set with BAD_FIELD */
};

MUST_USE enum err fill_fail(struct fill *fill, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str ref_name(struct arena *arena, const struct ref *ref); /* for sentences: parameter 'to.name' */
/* Fills a text. *ret_missing says that the text is one reference whose value is missing; *ret_text is "" then. */
MUST_USE enum err text_fill(struct fill *fill, const struct text *text, struct str *ret_text, bool *ret_missing);

#endif
