/* engine/logins.h - which destinations send nothing before a person logged in. Used by the loop, and by who reads the
 * store without one. Asks the store inside the caller's transaction; times are microseconds of the calendar. */
#ifndef ENGINE_LOGINS_H
#define ENGINE_LOGINS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct destination_settings;
struct hasher;
struct store;

/* Whether this is one whose token can only come from a login: it can have no other, and names no first one itself. */
bool login_is_only_way(const struct destination_settings *settings, int64_t now_us, struct hasher *hasher,
                       struct arena *arena);
/* Whether nothing is left that a token could be had with. */
MUST_USE enum err login_is_lacking(struct store *store, const struct destination_settings *settings,
                                   struct str token_key, int64_t now_us, struct hasher *hasher, struct arena *arena,
                                   bool *ret_lacking);

#endif
