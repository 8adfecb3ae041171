/* engine/company.h - what a turn does because other processes work on the same store: it
 * learns what they made and changed, and tells them what it did. On a store of
 * its own a process is alone, and all of this does nothing.
 *
 * What is new comes by notification, and is looked for every two seconds
 * besides: a notification may be lost. Private to the loop's own files.
 */
#ifndef ENGINE_COMPANY_H
#define ENGINE_COMPANY_H

#include "engine/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMPANY_LIVING_US ((int64_t)30 * 1000 * 1000) /* a process that was not seen for so long is gone */

struct turn;

struct company {
    unsigned news;      /* heard and not yet learned, enum sql_news */
    unsigned tell;      /* what the others are told when the turn that made it commits */
    unsigned kept;      /* the part of the news that this turn leaves for later */
    int64_t patient_us; /* another process routes: news of work are not learned before this */
    int64_t look_us;    /* when to look without having heard; WHEN_NEVER on a store of its own */
    int64_t seen_us;    /* when to say next that this process lives */
    int64_t count_us;   /* when the count below was read */
    size_t count;       /* processes that route or deliver, this one too; at least 1 */
    int64_t first_us;   /* when this process was first seen by the others */
};

void company_open(struct loop *loop, int64_t now_us);
/* Shows the others this process and its machine. Call it in a turn's transaction, or in a server's own before its loop
 * is open. */
MUST_USE enum err company_show(struct store *store, enum loop_role role);
/* Whether news came, or it is time to look without any. */
bool company_are_due(struct loop *loop, int64_t now_us);
/* When the loop must wake for that. */
int64_t company_next(const struct loop *loop);
/* Learns what others made and changed. Call it in the turn's transaction before anything else. */
MUST_USE enum err company_learn(struct turn *turn);
/* Tells the others what this turn made and leaves to them. Call it in the turn's transaction after everything else. */
MUST_USE enum err company_tell(struct turn *turn);
/* Call only after the commit: a dropped turn reads the same news again. */
void company_learned(struct turn *turn);
/* How many processes share what one alone may do. The count is read anew when it is older than a few seconds. */
MUST_USE enum err company_count(struct turn *turn, size_t *ret_count);
/* Call it before a clean end, also of a start that failed after company_show: the others then need not wait until they
 * miss this process. */
void company_leave(struct store *store);

#endif
