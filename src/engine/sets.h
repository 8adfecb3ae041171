/* engine/sets.h - deliveries that leave in one call: a set is frozen in the store before it leaves, and goes out again
 * as it was, or not at all. Private to the loop's own files. Thread: the loop's.
 *
 * A set's id is made of its deliveries' keys, and is the key that it is sent under. So one key has one content, over
 * reloads, crashes and restores; and whether a set is still whole can be seen from what was claimed of it.
 */
#ifndef ENGINE_SETS_H
#define ENGINE_SETS_H

#include "base/err.h"
#include "base/id.h"

struct delivery;
struct destination_settings;
struct turn;

/* Of deliveries in the order of their age. */
struct uuid set_id(const struct turn *turn, const struct delivery *const *set, size_t count);
/* Whether these, which were claimed under a set's id, are the set, and the action still takes several in one call. */
bool set_is_whole(const struct turn *turn, const struct destination_settings *settings,
                  const struct delivery *const *set, size_t count);
/* They are not, and do not leave together: they wait for the others of the set where these are elsewhere for a moment;
 * else each goes alone, and what may have had its effect is held. */
MUST_USE enum err set_part(struct turn *turn, const struct delivery *const *set, size_t count, size_t desk);
/* The turn's settlements from `first` on are of one set. What goes apart becomes two sets, the older ones and the
 * others; what goes again together is due together. */
void set_settled(struct turn *turn, size_t first);

#endif
