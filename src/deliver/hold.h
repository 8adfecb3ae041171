/* deliver/hold.h - the emergency brake over all destinations: events are taken in and routed, nothing leaves. Same
 * rules as deliver/deliver.h: what is said in a turn is true in it, and undone with it. */
#ifndef DELIVER_HOLD_H
#define DELIVER_HOLD_H

#include "deliver/deliver.h"
#include "deliver/reason.h"

/* Under this name it stands among the states of destinations in the store; none can be called so. */
#define HOLD_NAME "*"

struct hold {
    bool by_start; /* the process was started with --hold: it says nothing to others and ends with the process */
    bool by_order; /* a person or a restore said so: it holds for all processes and over restarts */
    struct reason reason;
};

void deliver_hold(struct deliver *deliver, struct str reason);
void deliver_release(struct deliver *deliver); /* of either kind */
/* What the store says: at a start, or because another process said so. */
void deliver_hold_read(struct deliver *deliver, bool held, struct str reason);
void deliver_hold_start(struct deliver *deliver); /* not staged */
bool deliver_is_held(const struct deliver *deliver);
bool deliver_hold_is_ordered(const struct deliver *deliver);   /* and not by the start of this process alone */
struct str deliver_hold_reason(const struct deliver *deliver); /* "" when nothing is held; lives until it changes */

#endif
