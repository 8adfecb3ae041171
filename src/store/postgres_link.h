/* store/postgres_link.h - one connection to PostgreSQL: made, used in a
 * pipeline with a deadline, and given up when it is lost. Private to this room.
 *
 * What is sent waits in the pipeline until link_flush reads all answers up to
 * here. After the first statement that fails the rest of the pipeline does
 * nothing; link_flush gives that first error. Thread: one at a time.
 */
#ifndef STORE_POSTGRES_LINK_H
#define STORE_POSTGRES_LINK_H

#include "store/sql.h"

#include <libpq-fe.h>

#define LINK_PARAMS_MAX 32
#define LINK_SCRIPT_US  ((int64_t)3600 * 1000000) /* a step of a migration rewrites tables */

struct link {
    PGconn *conn; /* NULL = none */
    bool direct;  /* no pooler between: what is prepared stays */
    bool lost;    /* broke in use; the next link_open makes a new one */
    int64_t deadline_us;
    size_t waiting; /* statements sent whose answers are not read */
    char trouble[256];
};

struct link_statement {
    const char *text;
    const char *name; /* prepared under this name; NULL = not prepared */
    bool prepare;     /* send the preparation first */
    int count;
    const Oid *types;
    const char *const *values;
    const int *lengths;
};

MUST_USE enum err link_open(struct link *link, const char *dsn, int64_t deadline_us);
void link_close(struct link *link);
/* Into the pipeline; counts as one answer, two with a preparation. */
MUST_USE enum err link_send(struct link *link, const struct link_statement *statement);
MUST_USE enum err link_send_text(struct link *link, const char *text); /* without parameters */
MUST_USE enum err link_begin(struct link *link, const char *text); /* BEGIN, of a transaction that may not idle long */
/* Reads everything that waits. *ret_last (may be NULL) is the last statement's result, for PQclear. */
MUST_USE enum err link_flush(struct link *link, PGresult **ret_last);
MUST_USE enum err link_flush_two(struct link *link, PGresult **ret_before, PGresult **ret_last); /* of the last two */
/* Several statements in one text, outside the pipeline. *ret_last as above. */
MUST_USE enum err link_script(struct link *link, const char *text, PGresult **ret_last);
/* The first line of a message, as trouble. */
void link_say(struct link *link, const char *message);

#endif
