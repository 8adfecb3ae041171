/* engine/service.h - who answers the requests of a turn, and who reads configurations anew: the two that the loop calls
 * without knowing them. Thread: the loop's. */
#ifndef ENGINE_SERVICE_H
#define ENGINE_SERVICE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct call;
struct store;

/* Puts another configuration in force. NULL in a call: there is no file to read. */
struct reload {
    /* Reads and checks it. Unless dry, a valid one is kept until adopt or forget. The JSON says what would change or
     * what is wrong; false: it is not valid. */
    bool (*prepare)(void *self, bool dry, struct arena *arena, struct str *ret_json);
    void (*adopt)(void *self);  /* what was prepared is in force from the next turn on */
    void (*forget)(void *self); /* what was prepared and not adopted, if anything */
    void *self;
};

/* From a request's path to its handler. take gives only the store's trouble back: it drops the turn. */
struct service {
    /* Reads what the service keeps of the store's; in a transaction, at start and after each change. */
    MUST_USE enum err (*learn)(void *self, struct store *store);
    void (*learned)(void *self); /* what was read is in force: after the commit, before the turn's replies */
    MUST_USE enum err (*take)(void *self, struct call *call);
    /* The reply of a turn that did not happen; words are the database's, or "". */
    void (*refuse)(void *self, struct call *call, enum err err, struct str words);
    /* Once a minute, in a turn's transaction: what people are to be told, as the call's events; what the call wishes
     * comes true too. *state is what the last look left, of whatever process; STR_NONE = nothing. NULL: there is
     * nothing to look at. */
    MUST_USE enum err (*look)(void *self, struct call *call, struct str *state);
    void *self;
};

#endif
