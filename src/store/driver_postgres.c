/* store/driver_postgres.c - see postgres.h: turns on one connection.
 *
 * WHAT. Runs each turn as one transaction on one connection, and finds out what became of a COMMIT that got no
 * answer.
 * PROMISE. driver_commit says ERR_NONE only when the transaction is in the database, and STORE_RACED only when it
 * is not. Where no server tells for ten seconds it says STORE_BUSY: then nothing can be promised.
 * WHY IT HOLDS.
 * 1. Statements whose rows nobody waits for go out without a round trip. Their errors come with the next answer
 *    that is read, at the latest with the one to COMMIT, because the server refuses everything after an error
 *    until ROLLBACK.
 * 2. A COMMIT that is answered is judged by its answer: the server answers ROLLBACK to a COMMIT of a failed
 *    transaction.
 * 3. Before the COMMIT, the transaction has noted its number under this connection's name, in the transaction
 *    itself. So the note is there exactly when the transaction is.
 * 4. When the connection breaks during the COMMIT, a new one waits until that number is no longer in progress, and
 *    then looks for the note. The number alone would not do: a server that took over may have given it to another.
 * 5. A transaction that has written nothing has no number. Whether it was committed makes no difference.
 * 6. Prepared statements belong to a connection. After a pipeline failed nobody knows which of them the server
 *    took, so all are dropped (`confused`).
 * WHAT BREAKS IT. A pooler in transaction mode keeps no prepared statements: link.direct is false then, and none
 * are made. A replica that is promoted without the last commits: what was promised there is lost, unless it is
 * synchronous.
 * HOW TO SEE IT. The log line of a turn that failed has the store's trouble; turn_notes has the last number of
 * each connection.
 * TESTED BY. test/conformance (all of it, on PostgreSQL), test/e2e/test_failover.py, test_pooler.py. */
#include "store/postgres.h"

#include "base/hash.h"
#include "base/str.h"
#include "model/settings.h"
#include "os/deadline.h"
#include "store/postgres_values.h"
#include "store/postgres_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_DEFAULT_US ((int64_t)30 * 1000000)
#define DOUBT_US            ((int64_t)10 * 1000000) /* how long a commit's fate is asked for */
#define RECONNECT_US        ((int64_t)500 * 1000)   /* between two attempts that failed */
#define START_US            ((int64_t)10 * 1000000) /* for the first connection */
#define TURN_US             ((int64_t)1 * 1000000)  /* of a turn, for a connection that is not there */
#define COPY_TURN_US        ((int64_t)20 * 1000)    /* likewise, where the turn can do without */
#define NAP_US              ((int64_t)100 * 1000)

struct postgres_driver {
    struct link link;
    struct str self; /* this connection's notes of commits are under this name */
    bool read_only, in_turn;
    bool bounded;          /* this transaction waits for locks only briefly */
    int64_t patience_us;   /* for a connection, in one turn */
    int64_t retry_us;      /* the last attempt to connect failed: none before this */
    struct watch *watch;   /* NULL = nobody listens */
    struct arena encoding; /* of one statement's parameters */
    struct postgres_types types[SQL_STATEMENT_COUNT];
    bool prepared[SQL_STATEMENT_COUNT]; /* on this connection */
    bool unheard;                       /* something was sent since it was heard */
    bool confused;                      /* a pipeline failed: which of them the server took is not known */
    char number[24];                    /* the server's for this transaction; "" while it has written nothing */
};

/* ---- connecting ---- */

/* Connects if need be. A server that is away is not asked again by every turn; a server that is slow to answer is
 * waited for over several turns, a moment in each. */
static enum err connect_again(struct postgres_driver *driver, int64_t until_us) {
    struct link *link = &driver->link;
    if (link->state == LINK_CLOSED || link->lost) {
        if (deadline_now_us() < driver->retry_us) return ERR_STORE_AWAY;
        memset(driver->prepared, 0, sizeof driver->prepared);
        driver->confused = false;
    }
    enum err err = link_open(link, until_us);
    driver->retry_us = err ? deadline_now_us() + RECONNECT_US : 0;
    return err ? ERR_STORE_AWAY : ERR_NONE;
}

/* BUSY: the next turn goes on with this connection, which is told only where a turn can do without. */
static enum err connect_in_turn(struct postgres_driver *driver) {
    if (link_is_usable(&driver->link)) return ERR_NONE;
    enum err err = connect_again(driver, deadline_now_us() + driver->patience_us);
    bool goes_on = driver->link.state != LINK_CLOSED && !driver->link.lost;
    return err && goes_on && driver->patience_us == COPY_TURN_US ? ERR_STORE_BUSY : err;
}

static enum err failed(struct postgres_driver *driver, enum err err) {
    driver->confused = driver->confused || err;
    return err;
}

/* ---- statements ---- */

static enum err send_batch(struct postgres_driver *driver, const struct sql_batch *batch) {
    int which = batch->statement;
    const struct sql_text *text = sql_text((enum sql_statement)which);
    const struct postgres_types *types = &driver->types[which];
    struct postgres_params params;
    postgres_encode(text, batch, &driver->encoding, &params);
    struct link_statement statement = {.text = text->postgres,
                                       .count = types->count,
                                       .types = types->oids,
                                       .values = params.values,
                                       .lengths = params.lengths};
    if (driver->link.direct) {
        statement.name = text->name; /* on the server, in pg_prepared_statements */
        statement.prepare = !driver->prepared[which];
        driver->prepared[which] = true;
    }
    driver->unheard = true;
    enum err err = link_send(&driver->link, &statement);
    arena_reset(&driver->encoding);
    return err;
}

/* Notes the server's number for this transaction in the transaction itself. If the COMMIT is not answered, that number
 * tells what became of it. The number is asked for together with statements whose answers are waited for anyway. */
static enum err send_number(struct postgres_driver *driver) {
    const struct sql_value self = sql_str(driver->self);
    const struct sql_batch batch = {.statement = SQL_TURN_NUMBER, .params = &self, .columns = 1, .rows = 1};
    return send_batch(driver, &batch);
}

static void note_number(struct postgres_driver *driver, PGresult *result) {
    if (result && PQntuples(result)) snprintf(driver->number, sizeof driver->number, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

static enum err read_answer(struct postgres_driver *driver, PGresult **ret_result) {
    PGresult *number = NULL;
    bool wanted = driver->in_turn && !driver->read_only && !driver->number[0];
    bool ready = !driver->link.direct || driver->prepared[SQL_TURN_NUMBER]; /* its answer alone is the last */
    if (!wanted || !ready) return failed(driver, link_flush(&driver->link, ret_result));
    TRY(send_number(driver));
    TRY(failed(driver, link_flush_two(&driver->link, ret_result, &number)));
    note_number(driver, number);
    return ERR_NONE;
}

/* Bounds how long this transaction waits for locks: somebody else's open transaction must not hold up everything that
 * this turn is about. A migration runs as a script and may wait. */
static enum err bound_locks(struct postgres_driver *driver) {
    if (driver->bounded || !driver->in_turn || driver->read_only) return ERR_NONE;
    driver->bounded = true;
    return link_send_text(&driver->link, "SET LOCAL lock_timeout = '100ms'");
}

static enum err driver_run(void *self, const struct sql_batch *batch, struct arena *arena,
                           struct sql_result *ret_result) {
    struct postgres_driver *driver = self;
    const struct sql_text *statement = sql_text((enum sql_statement)batch->statement);
    PGresult *result = NULL;
    if (ret_result) *ret_result = (struct sql_result){0};
    if (!*statement->postgres) return ERR_NONE;
    TRY(bound_locks(driver));
    TRY(send_batch(driver, batch));
    if (!ret_result) return ERR_NONE;
    TRY(read_answer(driver, &result));
    enum err err = postgres_decode(statement, result, arena, ret_result);
    if (err) snprintf(driver->link.trouble, sizeof driver->link.trouble, "%s gave other columns", statement->name);
    PQclear(result);
    return err;
}

static enum err driver_script(void *self, struct str sql, struct arena *arena, struct sql_result *ret_result) {
    struct postgres_driver *driver = self;
    PGresult *result = NULL;
    TRY(connect_in_turn(driver));
    TRY(link_script(&driver->link, str_dup(arena, sql).p, &result));
    if (ret_result && result) postgres_decode_script(result, arena, ret_result);
    if (ret_result && !result) *ret_result = (struct sql_result){0};
    PQclear(result);
    return ERR_NONE;
}

/* ---- turns ---- */

static enum err driver_begin(void *self) {
    struct postgres_driver *driver = self;
    TRY(connect_in_turn(driver));
    driver->in_turn = true;
    driver->bounded = false;
    driver->number[0] = 0;
    /* Whatever this database's default is: a statement must see what was committed while it waited for a lock. */
    return link_begin(&driver->link, driver->read_only ? "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
                                                       : "BEGIN ISOLATION LEVEL READ COMMITTED");
}

/* Asks for the one text of a statement's first row; "" when there is none. */
static enum err ask_text(struct postgres_driver *driver, enum sql_statement which, const struct sql_value *params,
                         char text[24]) {
    struct arena arena = ARENA_EMPTY;
    struct sql_result result;
    const struct sql_batch batch = {
        .statement = (int)which, .params = params, .columns = strlen(sql_text(which)->params), .rows = 1};
    enum err err = driver_run(driver, &batch, &arena, &result);
    struct str value = !err && result.count ? result.rows[0].values[0].text : STR_NONE;
    if (!err) snprintf(text, 24, "%.*s", STR_ARG(value));
    arena_free(&arena);
    return err;
}

/* What became of a transaction whose COMMIT was sent and not answered: whether its note is there once it has ended.
 * Its number alone tells nothing: a server that crashed, or one that took over, may have given it to another. When no
 * server says anything for long, nothing can be promised. */
static enum err ask_fate(struct postgres_driver *driver, const char *number) {
    const struct sql_value params[] = {sql_str(str_from(number)), sql_str(driver->self)};
    int64_t end_us = deadline_now_us() + DOUBT_US;
    while (deadline_now_us() < end_us) {
        char status[24] = "", noted[24];
        driver->retry_us = 0;
        if (connect_again(driver, deadline_now_us() + TURN_US)) {
            if (wait_fd(-1, 0, deadline_now_us() + NAP_US, driver->link.stop_fd) == WAIT_STOPPED) break;
            continue;
        }
        enum err err = ask_text(driver, SQL_TURN_STATUS, params, status); /* fails for a number not given out yet */
        bool ended = err || strcmp(status, "in progress") != 0; /* else the old connection's end was not noticed yet */
        if (!driver->link.lost && ended && !ask_text(driver, SQL_TURN_NOTED, params, noted))
            return noted[0] ? ERR_NONE : ERR_STORE_RACED;
        if (wait_fd(-1, 0, deadline_now_us() + NAP_US, driver->link.stop_fd) == WAIT_STOPPED) break;
    }
    link_say(&driver->link, "the connection broke in a COMMIT, and no server tells what became of it");
    return ERR_STORE_BUSY;
}

static enum err read_number(struct postgres_driver *driver) {
    PGresult *result = NULL;
    if (driver->number[0] || driver->read_only) return ERR_NONE;
    TRY(send_number(driver));
    TRY(failed(driver, link_flush(&driver->link, &result)));
    note_number(driver, result);
    return ERR_NONE;
}

static enum err driver_commit(void *self) {
    struct postgres_driver *driver = self;
    PGresult *result = NULL;
    TRY(read_number(driver));
    TRY(link_send_text(&driver->link, "COMMIT"));
    enum err err = failed(driver, link_flush(&driver->link, &result));
    driver->in_turn = driver->link.lost ? false : err != ERR_NONE;
    bool whole = !err && !strcmp(PQcmdStatus(result), "COMMIT");
    PQclear(result);
    if (whole) return ERR_NONE;
    if (!driver->link.lost) return err ? err : ERR_STORE_RACED;
    return driver->number[0] ? ask_fate(driver, driver->number) : ERR_STORE_RACED;
}

/* Constraints that somebody deferred speak at once, too, and are deferred again for what comes next. */
static enum err driver_hear(void *self) {
    struct postgres_driver *driver = self;
    if (!driver->unheard) return ERR_NONE;
    driver->unheard = false;
    TRY(link_send_text(&driver->link, "SET CONSTRAINTS ALL IMMEDIATE"));
    TRY(link_send_text(&driver->link, "SET CONSTRAINTS ALL DEFERRED"));
    return failed(driver, link_flush(&driver->link, NULL));
}

/* Ends the transaction. After a pipeline that failed it also drops all prepared statements, because nobody knows which
 * of them the server took. */
static enum err clear_away(struct postgres_driver *driver) {
    struct link *link = &driver->link;
    if (link->waiting && failed(driver, link_flush(link, NULL)) && link->lost) return ERR_STORE_RACED;
    TRY(link_send_text(link, "ROLLBACK"));
    if (driver->confused && link->direct) TRY(link_send_text(link, "DEALLOCATE ALL"));
    if (driver->confused) memset(driver->prepared, 0, sizeof driver->prepared);
    driver->confused = false;
    return link_flush(link, NULL);
}

/* A connection that cannot even do this is not used again. */
static void driver_rollback(void *self) {
    struct postgres_driver *driver = self;
    struct link *link = &driver->link;
    if (!driver->in_turn) return;
    driver->in_turn = false;
    if (!link_is_usable(link)) return;
    char trouble[sizeof link->trouble];
    memcpy(trouble, link->trouble, sizeof trouble);
    if (clear_away(driver)) link->lost = true;
    memcpy(link->trouble, trouble, sizeof trouble);
}

static enum err driver_tidy(void *self, bool idle) {
    (void)self;
    (void)idle;
    return ERR_NONE; /* the server looks after its files by itself */
}

static void driver_close(void *self) {
    struct postgres_driver *driver = self;
    if (driver->watch) watch_stop(driver->watch);
    link_close(&driver->link);
    arena_free(&driver->encoding);
}

static const char *driver_trouble(void *self) {
    return ((struct postgres_driver *)self)->link.trouble;
}

static const struct sql_traffic *driver_traffic(void *self) {
    return &((struct postgres_driver *)self)->link.traffic;
}

static unsigned driver_news(void *self) {
    struct postgres_driver *driver = self;
    return driver->watch ? watch_take_news(driver->watch) : 0;
}

/* ---- opening ---- */

bool postgres_is_dsn(struct str text) {
    return settings_store_is_postgres(text);
}

struct str postgres_name(struct str dsn, struct arena *arena) {
    PQconninfoOption *options = PQconninfoParse(str_dup(arena, dsn).p, NULL);
    struct str host = STR("localhost"), port = STR("5432"), name = STR("");
    for (const PQconninfoOption *it = options; it && it->keyword; it++) {
        if (!it->val) continue;
        if (!strcmp(it->keyword, "host")) host = str_dup(arena, str_from(it->val));
        if (!strcmp(it->keyword, "port")) port = str_dup(arena, str_from(it->val));
        if (!strcmp(it->keyword, "dbname")) name = str_dup(arena, str_from(it->val));
    }
    PQconninfoFree(options);
    return str_fmt(arena, "postgresql://%.*s:%.*s/%.*s", STR_ARG(host), STR_ARG(port), STR_ARG(name));
}

static enum err check_dsn(struct str dsn, struct arena *arena, struct str *ret_problem) {
    char *problem = NULL;
    PQconninfoOption *options = PQconninfoParse(str_dup(arena, dsn).p, &problem);
    if (!options) {
        /* Behind a quote or a colon the library repeats a piece of the address, which may be part of the password. */
        const char *said = problem ? problem : "out of memory";
        *ret_problem = str_fmt(arena, "the PostgreSQL address is not valid: %.*s", (int)strcspn(said, "\":\n"), said);
        PQfreemem(problem);
        return ERR_CONFIG;
    }
    PQconninfoFree(options);
    return ERR_NONE;
}

static void start_listening(struct postgres_driver *driver, const struct postgres_options *options,
                            struct arena *arena) {
    if (!options->wake || (!driver->link.direct && !options->listen_dsn.n)) return;
    struct str dsn = options->listen_dsn.n ? options->listen_dsn : options->dsn;
    const struct watch_options watch = {.dsn = str_dup(arena, dsn).p,
                                        .token = str_dup(arena, options->token).p,
                                        .wake = options->wake,
                                        .wake_self = options->wake_self};
    driver->watch = watch_start(&watch);
}

enum err postgres_open(const struct postgres_options *options, struct arena *arena, struct sql_driver *ret_driver,
                       struct str *ret_problem) {
    TRY(check_dsn(options->dsn, arena, ret_problem));
    if (options->listen_dsn.n) TRY(check_dsn(options->listen_dsn, arena, ret_problem));
    struct postgres_driver *driver = arena_new(arena, struct postgres_driver);
    uint8_t self[8];
    driver->link.dsn = str_dup(arena, options->dsn).p;
    driver->link.deadline_us = options->deadline_us ? options->deadline_us : DEADLINE_DEFAULT_US;
    driver->link.stop_fd = options->stop_fd;
    hash_random(self, sizeof self);
    driver->self = hex_encode(arena, self, sizeof self);
    driver->read_only = options->read_only;
    driver->patience_us = options->later ? COPY_TURN_US : TURN_US;
    for (int i = 0; i < SQL_STATEMENT_COUNT; i++) driver->types[i] = postgres_types(sql_text((enum sql_statement)i));
    if (!options->later && connect_again(driver, deadline_now_us() + START_US)) {
        struct str name = postgres_name(options->dsn, arena);
        *ret_problem = str_fmt(arena, "cannot use the store %.*s: %s", STR_ARG(name), driver->link.trouble);
        driver_close(driver);
        return ERR_IO;
    }
    start_listening(driver, options, arena);
    *ret_driver = (struct sql_driver){
        .dialect = SQL_POSTGRES,
        .shared = true,
        .read_only = options->read_only,
        .begin = driver_begin,
        .run = driver_run,
        .commit = driver_commit,
        .rollback = driver_rollback,
        .script = driver_script,
        .hear = driver_hear,
        .tidy = driver_tidy,
        .close = driver_close,
        .trouble = driver_trouble,
        .news = driver_news,
        .traffic = driver_traffic,
        .self = driver,
    };
    return ERR_NONE;
}

bool postgres_is_risky(const struct sql_driver *driver) {
    return driver->dialect == SQL_POSTGRES && ((const struct postgres_driver *)driver->self)->link.risky;
}

bool postgres_is_deaf(const struct sql_driver *driver) {
    return driver->dialect == SQL_POSTGRES && !((const struct postgres_driver *)driver->self)->watch;
}
