/* server/place.h - where the store is and how it is opened there: a file of SQLite's,
 * or a database on a PostgreSQL server. Used by the server, and by commands
 * that open the store themselves. */
#ifndef SERVER_PLACE_H
#define SERVER_PLACE_H

#include "model/settings.h"
#include "world.h"

struct place {
    struct str store; /* a path or a PostgreSQL address: DB_DSN, else the configuration */
    struct str listen_dsn, read_dsn;
    struct str socket; /* where the CLI finds the server */
};

/* file: the configuration's. The socket is beside the store's file; of a server on PostgreSQL it is named for the
 * port, in $RUNTIME_DIRECTORY or else beside the configuration. */
struct place place_of(const struct settings *settings, struct str file, struct arena *arena);
/* The server listens on another port than its configuration says. */
void place_move(struct place *place, uint16_t port, struct arena *arena);
/* For who looks for the server: one that systemd started has its socket where systemd made room for it. */
void place_find(struct place *place, struct arena *arena);
/* A file, whatever the configuration and the environment say. */
struct place place_at(struct str path, struct arena *arena);
bool place_is_shared(const struct place *place);
/* The folder for copies of a store that is a file, beside it; "" for another. */
struct str place_backups(const struct place *place, struct arena *arena);
/* CONFIG when the store's text cannot be a place; the sentence in *ret_problem shows nothing of that text. */
MUST_USE enum err place_check(const struct place *place, struct arena *arena, struct str *ret_problem);
/* For people: without user and password. */
struct str place_name(const struct place *place, struct arena *arena);

struct place_options {
    bool read_only;                /* changes nothing */
    bool copy;                     /* the replica of PostgreSQL; connects when it is first asked */
    struct str token;              /* this process's */
    int stop_fd;                   /* PostgreSQL is not waited for once it is readable; 0 = none */
    void (*wake)(void *wake_self); /* on PostgreSQL: there is news. NULL = nobody listens */
    void *wake_self;
};
/* Makes the folder of a file that is to be made. CONFIG, IO, STORE_*: a sentence in *ret_problem. */
/* Makes the folder of an embedded store where it is not there. */
MUST_USE enum err place_make_folder(const struct place *place, struct arena *arena, struct str *ret_problem);
MUST_USE enum err place_open(const struct place *place, const struct place_options *options, struct arena *arena,
                             struct sql_driver *ret_driver, struct str *ret_problem);

#endif
