/* deliver/hold.c - see hold.h. The reason is copied, because what said it (a request, a row) lives shorter than the
 * hold. A hold by the start is not staged: it is there before the first turn. */
#include "deliver/hold.h"

#include "deliver/desk.h"

void deliver_hold(struct deliver *deliver, struct str reason) {
    deliver->hold.by_order = true;
    reason_set(&deliver->hold.reason, reason);
}

void deliver_release(struct deliver *deliver) {
    deliver->hold = (struct hold){0};
}

void deliver_hold_read(struct deliver *deliver, bool held, struct str reason) {
    deliver->hold.by_order = held;
    reason_set(&deliver->hold.reason, held ? reason : STR(""));
}

void deliver_hold_start(struct deliver *deliver) {
    deliver->hold.by_start = deliver->held_before.by_start = true;
}

bool deliver_is_held(const struct deliver *deliver) {
    return deliver->hold.by_start || deliver->hold.by_order;
}

bool deliver_hold_is_ordered(const struct deliver *deliver) {
    return deliver->hold.by_order;
}

struct str deliver_hold_reason(const struct deliver *deliver) {
    const struct hold *hold = &deliver->hold;
    if (hold->by_order) return reason_words(&hold->reason);
    return hold->by_start ? STR("the server was started with --hold") : STR("");
}
