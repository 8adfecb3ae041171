/* store/postgres.h - opens the distributed store: PostgreSQL 15 or later over
 * libpq, one connection that works and one that listens.
 *
 * A turn is one transaction. Statements go out in a pipeline: those whose rows
 * nobody waits for cost no round trip of their own. On a direct connection they
 * are prepared once; through a pooler in transaction mode they are not, which
 * the driver finds out by itself. A connection that is lost is made anew at
 * the next turn; when it was lost during COMMIT, the server is asked what
 * became of the transaction.
 *
 * Notifications come on a connection of their own, in a thread that only waits
 * for them; through a pooler it must be given a direct one (listen_dsn), or
 * there are none and polling finds what is new.
 * Errors: STORE_RACED, nothing happened and the turn may be done again at once;
 * STORE_AWAY, the server is not there; STORE_BUSY, it says no, later;
 * STORE_HELD, another transaction has what a statement needs; STORE_REFUSED,
 * the database does not take what is in a statement. None is fatal.
 * Thread: one, but for the wake.
 * Sources: PostgreSQL 15 documentation, 34 (libpq), 55 (protocol), 13 (MVCC).
 */
#ifndef STORE_POSTGRES_H
#define STORE_POSTGRES_H

#include "world.h"

/* The oldest server that is taken. */
#define POSTGRES_VERSION_MIN 150000

struct postgres_options {
    struct str dsn;                /* a URL or keywords, as libpq takes them */
    struct str listen_dsn;         /* "" = the dsn, where that is direct */
    struct str token;              /* this process's: its own notifications are not news */
    bool read_only;                /* for reads, also from a replica: no listening */
    bool later;                    /* connect when it is first asked, over several turns; none of them waits for it */
    int64_t deadline_us;           /* of one exchange with the server; 0 = 30 s */
    int stop_fd;                   /* once it is readable nothing is waited for any more; 0 = none */
    void (*wake)(void *wake_self); /* called from the listening thread when there is news; NULL = no listening */
    void *wake_self;
};
/* A DSN that libpq does not understand: CONFIG. A server that does not answer, is too old, or refuses: IO.
 * *ret_problem says what, in one line, without the password. */
MUST_USE enum err postgres_open(const struct postgres_options *options, struct arena *arena,
                                struct sql_driver *ret_driver, struct str *ret_problem);
bool postgres_is_dsn(struct str text); /* begins like a PostgreSQL URL */
/* "postgresql://host:port/database", without user and password; for people. */
struct str postgres_name(struct str dsn, struct arena *arena);
/* The server runs with fsync or full_page_writes off: what it said is stored may be lost with its machine. */
bool postgres_is_risky(const struct sql_driver *driver);
/* Between us and the server stands a pooler, and no listen_dsn goes past it: nobody tells us of news. */
bool postgres_is_deaf(const struct sql_driver *driver);

#endif
