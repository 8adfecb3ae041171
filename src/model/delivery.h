/* model/delivery.h - a delivery: event x destination x step x run, the unit of
 * retry, limit, breaker and dead letter; and the one table of how its status
 * may change.
 *
 * A step tells apart two uses of one destination by one event: "<route>" for
 * the first use in a route, "<route>.2" for the second, or "<route>:<key>"
 * where the delivery names a key. Texts are borrowed.
 */
#ifndef MODEL_DELIVERY_H
#define MODEL_DELIVERY_H

#include "model/event.h"

struct hasher;

/* X(NAME) */
#define DELIVERY_STATUS_LIST(X) X(PENDING) X(PROCESSING) X(COMPLETED) X(FAILED) X(UNKNOWN) X(HELD) X(SKIPPED)
enum delivery_status {
#define DELIVERY_STATUS_ENUM(name) DELIVERY_##name,
    DELIVERY_STATUS_LIST(DELIVERY_STATUS_ENUM)
#undef DELIVERY_STATUS_ENUM
        DELIVERY_STATUS_COUNT
};

struct delivery {
    int64_t seq;     /* insertion order; 0 before it is stored */
    struct uuid id;  /* what people and the API call it by: in time order */
    struct uuid key; /* the idempotency key that the provider sees; not stored, zero where the event is gone */
    struct uuid event_id;
    struct str destination, action; /* action "" for a plain http destination */
    struct str keyed_as;            /* the destination's name that the key was made with, "" = the one above */
    struct str route, step;
    struct str place; /* what its step was before it got its key; "" = it has none */
    int32_t run;
    enum delivery_status status; /* UNKNOWN and due: look it up, do not send */
    int32_t retry_count;         /* retries spent in the fast lane and the slow lane together */
    int32_t attempts;            /* attempts recorded so far */
    int64_t due_us;              /* not before */
    int64_t first_due_us;        /* when it was due first, without the wait for a batch: give_up counts from here */
    int64_t late_us;             /* do not send after this moment, 0 = no such moment */
    int64_t first_sent_us;       /* when the provider first may have seen the key, 0 = never */
    int64_t lease_until_us;
    int64_t lease_epoch;  /* raised by each claim; a settle must bring it */
    struct str params;    /* JSON: the body or the connector's parameters; "" = the payload as received */
    struct str order_key; /* "" = no order */
    bool unmade;          /* its route has not made it yet, or could not: it has no content */
    bool looking_up;      /* claimed in status UNKNOWN: the attempt is a lookup */
    bool in_doubt;        /* an attempt's outcome is unknown, and no definite answer has come since */
    struct uuid batch;    /* zero, or the frozen set it is sent in */
    int32_t last_status;  /* HTTP status of the last attempt, 0 = none */
    struct str last_error;
    int64_t created_us, updated_us;
    struct uuid superseded_by; /* set by store_superseded: the delivery of the run that took its place */
    int32_t superseded_run;
    const struct event *event; /* set by a claim and by a plan; NULL in lists */
    struct str_list was;       /* set by a plan: the destination's earlier names */
    bool key_to_come;          /* set by route_owed: its step will have a key */
    struct str name_to_come;   /* set by route_owed: the step with that key, "" = the event gives it */
};

/* One try, kept as history. outcome: done retry failed unknown. */
struct attempt {
    int32_t number; /* from 1 */
    int64_t started_us, finished_us;
    struct str outcome;
    int32_t http_status;
    struct str error, answer; /* answer: at most DELIVERY_ANSWER_MAX bytes of the body */
};
/* What an unmade delivery says first that a person asked for: its route makes it whatever its time was. */
#define DELIVERY_RERUN           "asked for again"
#define DELIVERY_RERUN_WAITS     DELIVERY_RERUN "; an earlier run of it is not over"
#define DELIVERY_RERUN_DONE      "an earlier run has done it"
#define DELIVERY_RERUN_CANCELLED "cancelled by a person, in an earlier run" /* and so it is here */
#define DELIVERY_RERUN_ANYWAY    DELIVERY_RERUN ", done or not: its route makes it next"
#define DELIVERY_ANSWER_MAX      ((size_t)1024)
#define DELIVERY_NAME_MAX        ((size_t)255) /* bytes of a key or an order */
/* What the error of an attempt begins with that was no send but a question whether the effect is there. */
#define ATTEMPT_LOOKUP "looked up"
bool attempt_is_lookup(const struct attempt *attempt);

const char *delivery_status_text(enum delivery_status status);
bool delivery_status_parse(struct str text, enum delivery_status *ret_status);
/* The one door through which a stored delivery changes its status: gives `to`, and asserts that a table allows the
 * move. Claims, settles and a person's acts call it. COMPLETED, FAILED and SKIPPED are final: a replay makes a new
 * run. */
enum delivery_status delivery_move(enum delivery_status from, enum delivery_status to);
bool delivery_is_final(enum delivery_status status);
/* It goes on by itself: PENDING, PROCESSING or UNKNOWN. What is HELD does not, and is no part of a queue. */
bool delivery_waits(enum delivery_status status);
/* A person said that it shall not be sent: not its route, which may have skipped it too. */
bool delivery_is_cancelled(const struct delivery *delivery);
/* Whether what was made at a destination, under a step that had a place before its key, is what is owed (route_owed). A
 * step without a key, or one that never got it, is its place; a constant key is the same at any place. */
bool delivery_is_owed(const struct delivery *owed, struct str destination, struct str step, struct str place);
/* The key of a delivery, made by SHA-256 from (the event's idempotency key, destination, step, run). */
struct uuid delivery_derive_key(struct hasher *hasher, struct str event_key, struct str destination, struct str step,
                                int32_t run);
/* The key and the id of a delivery that is made: both follow from the event and the delivery's destination, step and
 * run. */
void delivery_identify(struct hasher *hasher, const struct event *event, struct delivery *delivery);

#endif
