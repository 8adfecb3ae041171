/* base/path.h - expressions that only name a place in the payload, as in
 * .order.items[0].id. Private to this room.
 *
 * Such a place is answered without jq, by the very bytes of the payload: jq
 * has doubles for numbers, and would change an id of 18 digits.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/arena.h"
#include "base/str.h"

#define PATH_STEPS_MAX 16

struct path_step {
    struct str name; /* of a member; STR_NONE = an item */
    size_t index;
};
struct path {
    struct path_step *steps; /* none: the payload itself */
    size_t count;
};

/* `.`, `.a.b` and `.a[0]`, with blanks around them; false for all else, which is jq's. */
bool path_parse(struct arena *arena, struct str expression, struct path *ret_path);
/* The value as it stands in the payload, "null" where there is none. False, with jq's words, where jq would fail. */
bool path_find(const struct path *path, struct str payload, struct arena *arena, struct str *ret_value,
               struct str *ret_problem);

#endif
