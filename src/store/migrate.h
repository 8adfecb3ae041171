/* store/migrate.h - the schema, by numbered steps. Private to this room. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/arena.h"
#include "world.h"

/* "drmb", in the header of every SQLite file of ours. */
#define STORE_APPLICATION_ID 0x64726d62

/* What this program writes: the number of its last step. */
int migrate_version(void);
/* Brings the store from whatever step it stands at to the last one, each step in its own transaction. STORE_NEWER when
 * it stands beyond; *ret_problem is a sentence on any failure. */
MUST_USE enum err migrate_run(struct sql_driver *driver, int64_t wall_us, struct arena *arena, struct str *ret_problem);

#endif
