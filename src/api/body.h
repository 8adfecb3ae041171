/* api/body.h - what an act's body says, read by one table of its members.
 *
 * A member that the table does not have, and one of another type, is refused with a pointer to it: what is misspelt
 * must not look like what was asked for. An empty body says nothing; the ids of one are acted on each by itself.
 * Thread: the loop's. */
#ifndef API_BODY_H
#define API_BODY_H

#include "base/id.h"
#include "engine/call.h"

#define BULK_MAX 50 /* ids in one request, so that a turn stays short */

struct body_ids {
    struct uuid ids[BULK_MAX];
    size_t count; /* 0 = there is no such member */
};
enum body_type {
    BODY_TEXT, /* struct str, in the call's arena */
    BODY_FLAG, /* bool */
    BODY_IDS,  /* struct body_ids: 1 to BULK_MAX whole ids */
};
struct body_member {
    const char *name;
    enum body_type type;
    void *into; /* stays as it is when the body lacks the member */
};
/* False: refused, and the reply is made. */
bool body_read(struct call *call, const struct body_member *members, size_t count);
/* Whether the member's jq can be asked of events; "" = there is none, which can. False: refused, with the place. */
bool body_jq(struct call *call, const char *name, struct str expression);
/* Of an act that takes no word: the body is empty or {}. */
bool body_empty(struct call *call);

/* ---- bulk.c: one act for each of a body's "ids" ---- */
struct bulk_item {
    struct uuid id;
    enum err err;       /* NOT_FOUND, NOT_NOW and LIMIT are refusals of this one alone, which changed nothing */
    struct str words;   /* why it was refused */
    void *own;          /* the act's */
    struct str status;  /* how it stands after the commit ... */
    struct uuid is_now; /* ... and by which id: a new run's is another */
};
typedef enum err bulk_act(struct call *call, const void *wanted, struct bulk_item *item);
/* Acts on each; the answer is made after the commit. With dry, act changed nothing: the answer says what would be. */
enum err serve_each(struct call *call, const struct body_ids *ids, bool dry, bulk_act *act, const void *wanted);
/* After the commit: `tell` sets how an item stands that was not refused. */
void serve_told(struct call *call, void (*tell)(struct call *call, struct bulk_item *item));

#endif
