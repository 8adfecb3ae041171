/* store/takeover.h - a database that programs of the seed's kind filled becomes
 * a store: its table marketing_events keeps every row, gets our columns, and
 * the other tables come beside it. A door for the command line.
 *
 * In the seed a row that was PROCESSING may or may not have had its effect; it
 * becomes FAILED and says so, for a person to look at.
 * Thread: one. */
#ifndef STORE_TAKEOVER_H
#define STORE_TAKEOVER_H

#include "base/arena.h"
#include "world.h"

struct take_over {
    int64_t before, after; /* events */
    int64_t doubtful;      /* of those: were PROCESSING, are FAILED now */
};
/* Takes the database over in one transaction, while nobody else writes. When it fails, nothing is changed and
 * *ret_problem says why. A store that is ours already, or an empty database, is brought up to date. The driver stays
 * the caller's. STORE_NEWER, STORE_FOREIGN; else what the server said. */
MUST_USE enum err migrate_take_over(struct sql_driver *driver, int64_t wall_us, struct arena *arena,
                                    struct take_over *ret_counts, struct str *ret_problem);

/* What stands there, and so what bringing it up to date would do. Changes nothing; errors as above. */
struct migrate_plan {
    int64_t version, latest;  /* the last step taken, 0 = there is no store; the last step there is */
    const char *const *steps; /* the SQL of each, from the first on; only those beyond `version` would run */
    bool is_seed;
    int64_t events, doubtful; /* of the seed, as in struct take_over */
};
MUST_USE enum err migrate_look(struct sql_driver *driver, struct arena *arena, struct migrate_plan *ret_plan,
                               struct str *ret_problem);

#endif
