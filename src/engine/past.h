/* engine/past.h - what was made before of a delivery that an event owes now.
 *
 * What earlier runs made is known by destination and step. A step gets its key only once jq was run: what was made
 * under a key is known by the place it had before (delivery.place), or by the key, where that is the same for every
 * event. Pure; any thread. Decision 2.
 */
#ifndef ENGINE_PAST_H
#define ENGINE_PAST_H

#include "route/route.h"

/* Its route found that an earlier run has done it: that one speaks for both. */
bool past_repeats(const struct delivery *delivery);
/* The last run of what was made of owed->deliveries[at]; NULL when it was never made. made: all that was made of the
 * event, in the order of runs. */
const struct delivery *past_find(const struct plan *owed, size_t at, const struct delivery *made, size_t count);

#endif
