/* store/migrate.h - the schema, by numbered steps, a list of them for each
 * dialect. Private to this room. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/arena.h"
#include "world.h"

/* "drmb", in the header of every SQLite file of ours. */
#define STORE_APPLICATION_ID 0x64726d62

/* Whose the tables are that were found. */
enum tables { TABLES_OURS, TABLES_SEED, TABLES_FOREIGN };
struct standing {
    int64_t version; /* the last step taken; 0 = none */
    enum tables tables;
};
struct schema {
    const char *const *steps;
    int count;
    const char *lock; /* comes first, and keeps other processes out until the end; "" where there are none */
    enum err (*look)(struct sql_driver *driver, struct arena *arena, struct standing *ret_standing);
    struct str (*note)(int step, int64_t wall_us, struct arena *arena); /* that a step was taken */
};
extern const struct schema schema_sqlite, schema_postgres;
/* In place of the first step, where the seed's table is. */
extern const char schema_postgres_adoption[];

/* What this program writes: the number of its last step. */
int migrate_version(enum sql_dialect dialect);
/* Brings the store from whatever step it stands at to the last one, in one transaction. STORE_NEWER when it stands
 * beyond, STORE_FOREIGN when the tables are the seed's or another program's; *ret_problem is a sentence on any
 * failure. */
MUST_USE enum err migrate_run(struct sql_driver *driver, int64_t wall_us, struct arena *arena, struct str *ret_problem);

#endif
