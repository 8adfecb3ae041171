/* engine/metering.h - limits that hold for each value of a parameter, in the turn that claims: which of the claimed
 * deliveries may leave, and when the others are claimed again. Private to the loop's own files.
 *
 * A claim cannot tell values apart, so it takes what is due, oldest first, and what has no room is put off to a later
 * moment. So it is out of the way of other values, and a claim finds these next.
 */
#ifndef ENGINE_METERING_H
#define ENGINE_METERING_H

#include "deliver/meter.h"
#include "engine/turn.h"

struct metering {
    struct turn *turn;
    size_t desk;
    struct meters *meters; /* NULL = no limit of the desk is per value */
    struct str *values;    /* of each delivery that was claimed, in their order */
    size_t count;
};

/* Of the deliveries that a desk claimed. */
void metering_begin(struct turn *turn, size_t desk, struct delivery *const *ready, size_t count,
                    struct metering *ret_metering);
/* Whether delivery i may leave now: its value's place is then taken. Else it was put off, and the
 * rest of its frozen set with it, which is then no longer among the ready. */
MUST_USE enum err metering_admit(struct metering *metering, struct delivery **ready, size_t i, bool *ret_admitted);
/* Whether both are counted by one value, so that they may leave in one call. */
bool metering_joins(const struct metering *metering, size_t i, size_t j);
struct metered metering_place(const struct metering *metering, size_t i);

/* Reads the starts that limits per value still count, for desks from first_desk on. */
MUST_USE enum err metering_read(struct loop *loop, size_t first_desk, int64_t now_us);

#endif
