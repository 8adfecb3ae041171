/* store/postgres_link.h - one connection to PostgreSQL: a state with a deadline,
 * used in a pipeline, given up when it is lost. Private to this room.
 *
 * No call of this file waits by itself: each waits on the socket, until its
 * deadline at the latest, and gives up once stop_fd is readable. A connection
 * that is not made in time is taken up again by the next link_open.
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

enum link_state {
    LINK_CLOSED,
    LINK_CONNECTING, /* PQconnectPoll is not done */
    LINK_GREETING,   /* the session's settings are on their way */
    LINK_OPEN,
};

struct link {
    /* the caller's, before the first link_open; they stay over a link_close */
    const char *dsn;
    int64_t deadline_us;        /* of one exchange */
    int stop_fd;                /* 0 = none */
    struct sql_traffic traffic; /* counted here */
    /* */
    PGconn *conn; /* NULL = none */
    enum link_state state;
    bool direct;           /* no pooler between: what is prepared stays */
    bool lost;             /* broke in use; the next link_open makes a new one */
    bool risky;            /* the server may lose what it committed; trouble does not say so */
    size_t host, hosts;    /* of the DSN's, the one that is tried */
    int64_t host_until_us; /* and until when */
    short want;            /* what PQconnectPoll waits for, of poll(2) */
    size_t waiting;        /* statements sent whose answers are not read */
    char state_code[6];    /* SQLSTATE of the last statement that failed; "" = none */
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

/* Connects, or goes on connecting. BUSY when it is not done by until_us (then link->state is not LINK_CLOSED and the
 * next call goes on), or no host of the DSN takes us; IO when what answers can never be used. */
MUST_USE enum err link_open(struct link *link, int64_t until_us);
bool link_is_usable(const struct link *link);
void link_close(struct link *link);
/* Sends a statement into the pipeline. It counts as one answer, and as two with its preparation. */
MUST_USE enum err link_send(struct link *link, const struct link_statement *statement);
MUST_USE enum err link_send_text(struct link *link, const char *text); /* without parameters */
/* Sends BEGIN. Through a pooler it also sets for this transaction what a session of our own has set for good. */
MUST_USE enum err link_begin(struct link *link, const char *text);
/* Reads all answers that are outstanding. *ret_last (may be NULL) is the last statement's result, for PQclear. */
MUST_USE enum err link_flush(struct link *link, PGresult **ret_last);
MUST_USE enum err link_flush_two(struct link *link, PGresult **ret_before, PGresult **ret_last); /* of the last two */
/* Runs several statements in one text, outside the pipeline. *ret_last as above. */
MUST_USE enum err link_script(struct link *link, const char *text, PGresult **ret_last);
/* Keeps the first line of a message as the link's trouble. */
void link_say(struct link *link, const char *message);

#endif
