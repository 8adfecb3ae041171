/* store/migrate.h - the schema, by numbered steps, a list of them for each
 * dialect (sql/schema.DIALECT.sql). Private to this room. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/arena.h"
#include "store/sql.h"

/* "drmb", in the header of every SQLite file of ours. */
#define STORE_APPLICATION_ID 0x64726d62

/* The steps, and the text that takes the place of the first one where the seed's table is; from sql/schema.*.sql. */
extern const char *const schema_sqlite_steps[SCHEMA_SQLITE_STEPS], *const schema_postgres_steps[SCHEMA_POSTGRES_STEPS];
extern const char schema_postgres_adoption[];
/* Asks what is there already. */
extern const char schema_postgres_standing[];

/* Brings the store from whatever step it stands at to the last one, in one transaction. STORE_NEWER when it stands
 * beyond, STORE_FOREIGN when the tables are the seed's or another program's, NOT_NOW when it stands before and the
 * driver only reads; *ret_problem is a sentence on any failure. */
MUST_USE enum err migrate_run(struct sql_driver *driver, int64_t wall_us, struct arena *arena, struct str *ret_problem);

#endif
