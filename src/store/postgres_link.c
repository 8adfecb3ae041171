/* store/postgres_link.c - see postgres_link.h. */
#include "store/postgres_link.h"

#include "store/postgres.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A deadline is for waiting, not a rule about events: the monotonic clock is read where the waiting is. */
static int64_t monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- trouble ---- */

void link_say(struct link *link, const char *message) {
    size_t length = strcspn(message, "\n");
    snprintf(link->trouble, sizeof link->trouble, "%.*s", (int)length, message);
}

/* By SQLSTATE, the longest prefix first (PostgreSQL 15, appendix A). */
static const struct {
    const char *state;
    enum err err;
} errors[] = {
    {"40001", ERR_STORE_RACED},   /* serialization failure */
    {"40P01", ERR_STORE_RACED},   /* deadlock */
    {"55P03", ERR_STORE_RACED},   /* lock not available */
    {"23505", ERR_STORE_RACED},   /* somebody made the same row */
    {"26000", ERR_STORE_RACED},   /* a prepared statement is gone: a pooler came between */
    {"0A000", ERR_STORE_RACED},   /* "cached plan must not change result type": the schema moved on */
    {"42P05", ERR_STORE_RACED},   /* a prepared statement of that name is there */
    {"53100", ERR_STORE_FULL},    /* disk full */
    {"42P01", ERR_STORE_FOREIGN}, /* no such table */
    {"42501", ERR_STORE_BUSY},    /* no right */
    {"25006", ERR_STORE_BUSY},    /* read-only: a standby */
    {"XX001", ERR_STORE_CORRUPT}, /* data corrupted */
    {"XX002", ERR_STORE_CORRUPT}, /* index corrupted */
    {"08", ERR_STORE_BUSY},       /* connection */
    {"25", ERR_STORE_BUSY},       /* transaction state: a timeout of the server's ended it */
    {"28", ERR_STORE_BUSY},       /* not let in */
    {"3D", ERR_STORE_BUSY},       /* no such database */
    {"53", ERR_STORE_BUSY},       /* out of something */
    {"57", ERR_STORE_BUSY},       /* stopped, starting, cancelled */
    {"58", ERR_STORE_BUSY},       /* the system under it */
    {"XX", ERR_STORE_BUSY},
};

static enum err error_of(const char *state) {
    for (size_t i = 0; state && i < sizeof errors / sizeof *errors; i++)
        if (!strncmp(state, errors[i].state, strlen(errors[i].state))) return errors[i].err;
    return state ? ERR_INTERNAL : ERR_STORE_BUSY;
}

/* A server that stops, or is a standby now, is left: the next connection may find another. */
static bool leaves(const char *state) {
    return state && (!strncmp(state, "57P", 3) || !strncmp(state, "08", 2) || !strcmp(state, "25006"));
}

static enum err link_lost(struct link *link) {
    const char *message = link->conn ? PQerrorMessage(link->conn) : "";
    link_say(link, *message ? message : "the connection was lost");
    link->lost = true;
    return ERR_STORE_RACED;
}

static enum err result_error(struct link *link, const PGresult *result) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    link_say(link, text ? text : PQresultErrorMessage(result));
    if (PQstatus(link->conn) == CONNECTION_BAD) return link_lost(link);
    if (leaves(state)) link->lost = true;
    return error_of(state);
}

/* ---- opening ---- */

/* What the DSN says of these goes before. */
static PGconn *connect_to(const char *dsn) {
    static const char *const keys[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                                       "keepalives_count", "tcp_user_timeout", "fallback_application_name",
                                       "dbname",           "client_encoding",  NULL};
    const char *const values[] = {"5", "10", "5", "3", "15000", "drumbeat", dsn, "UTF8", NULL};
    return PQconnectdbParams(keys, values, 1);
}

static enum err refuse(struct link *link, enum err err) {
    link_close(link);
    return err;
}

/* Notices ("table does not exist, skipping") are nobody's business. */
static void ignore_notice(void *self, const PGresult *result) {
    (void)self;
    (void)result;
}

/* What is prepared is planned once, perhaps while the tables are empty: then too it must go by index, row by row, as is
 * right for any number of rows, and start neither a compiler nor other processes for it. What is not prepared is
 * planned for what is there. */
static bool keep_to_indexes(struct link *link) {
    PGresult *result = PQexec(link->conn, "SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off;"
                                          "SET enable_mergejoin = off; SET enable_material = off;"
                                          "SET max_parallel_workers_per_gather = 0");
    bool is_set = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return is_set;
}

/* A process that stands still in a transaction, or whose machine is gone, must not keep others from their work. Where
 * somebody has set a bound already, that one holds. */
#define BOUND_IDLE(local)                                                                                              \
    "SELECT set_config('idle_in_transaction_session_timeout', '30s', " local ")"                                       \
    " WHERE current_setting('idle_in_transaction_session_timeout') = '0'"

static bool bound_idle(struct link *link) {
    PGresult *result = PQexec(link->conn, BOUND_IDLE("false"));
    bool is_set = PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return is_set;
}

enum err link_begin(struct link *link, const char *text) {
    TRY(link_send_text(link, text));
    return link->direct ? ERR_NONE : link_send_text(link, BOUND_IDLE("true"));
}

static enum err check_server(struct link *link) {
    int version = PQserverVersion(link->conn);
    if (version < POSTGRES_VERSION_MIN) {
        snprintf(link->trouble, sizeof link->trouble, "the server is PostgreSQL %d, drumbeat needs %d or later",
                 version / 10000, POSTGRES_VERSION_MIN / 10000);
        return ERR_IO;
    }
    PGresult *result = PQexec(link->conn, "SELECT pg_backend_pid()");
    bool answered = PQresultStatus(result) == PGRES_TUPLES_OK;
    /* A pooler names a process of its own making. */
    link->direct = answered && atoi(PQgetvalue(result, 0, 0)) == PQbackendPID(link->conn);
    PQclear(result);
    answered = answered && (!link->direct || (keep_to_indexes(link) && bound_idle(link)));
    if (!answered) link_say(link, PQerrorMessage(link->conn));
    PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
    return answered && PQenterPipelineMode(link->conn) ? ERR_NONE : ERR_STORE_BUSY;
}

enum err link_open(struct link *link, const char *dsn, int64_t deadline_us) {
    link_close(link);
    link->conn = connect_to(dsn);
    link->deadline_us = deadline_us;
    if (!link->conn || PQstatus(link->conn) != CONNECTION_OK) {
        link_say(link, link->conn ? PQerrorMessage(link->conn) : "out of memory");
        return refuse(link, ERR_STORE_BUSY);
    }
    enum err err = check_server(link);
    return err ? refuse(link, err) : ERR_NONE;
}

void link_close(struct link *link) {
    PQfinish(link->conn);
    link->conn = NULL;
    link->lost = false;
    link->waiting = 0;
}

/* ---- sending and reading ---- */

enum err link_send(struct link *link, const struct link_statement *it) {
    static const int binary[LINK_PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert(it->count <= LINK_PARAMS_MAX);
    if (!link->conn || link->lost) return ERR_STORE_RACED;
    if (it->prepare) {
        if (!PQsendPrepare(link->conn, it->name, it->text, it->count, it->types)) return link_lost(link);
        link->waiting++;
    }
    int sent = it->name
                   ? PQsendQueryPrepared(link->conn, it->name, it->count, it->values, it->lengths, binary, 1)
                   : PQsendQueryParams(link->conn, it->text, it->count, it->types, it->values, it->lengths, binary, 1);
    if (!sent) return link_lost(link);
    link->waiting++;
    return ERR_NONE;
}

enum err link_send_text(struct link *link, const char *text) {
    const struct link_statement statement = {.text = text};
    return link_send(link, &statement);
}

/* Until the next answer is whole, the server is gone or the time is over. */
static enum err wait_for_answer(struct link *link, int64_t until_us) {
    while (PQisBusy(link->conn)) {
        struct pollfd on = {.fd = PQsocket(link->conn), .events = POLLIN};
        int64_t left_us = until_us - monotonic_us();
        if (left_us <= 0) {
            snprintf(link->trouble, sizeof link->trouble, "the server did not answer in time");
            link->lost = true;
            return ERR_STORE_RACED;
        }
        if (poll(&on, 1, (int)(left_us / 1000 + 1)) < 0 && errno != EINTR) return link_lost(link);
        if (on.revents && !PQconsumeInput(link->conn)) return link_lost(link);
    }
    return ERR_NONE;
}

struct answers {
    PGresult *before, *last; /* of the two statements that were read last, if they went well */
    enum err err;            /* the first failure */
};

static void take_result(struct link *link, PGresult *result, struct answers *answers) {
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good && status != PGRES_PIPELINE_ABORTED && !answers->err) answers->err = result_error(link, result);
    PQclear(answers->before);
    answers->before = answers->last;
    answers->last = good ? result : NULL;
    if (!good) PQclear(result);
}

/* Each statement's results end with a NULL; the pipeline's end is a result of its own. */
static enum err read_pipeline(struct link *link, struct answers *answers) {
    int64_t until_us = monotonic_us() + link->deadline_us;
    for (;;) {
        TRY(wait_for_answer(link, until_us));
        PGresult *result = PQgetResult(link->conn);
        if (!result) {
            if (PQstatus(link->conn) == CONNECTION_BAD) return link_lost(link);
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return answers->err;
        }
        take_result(link, result, answers);
        if (PQstatus(link->conn) == CONNECTION_BAD) return link_lost(link);
    }
}

static void give(PGresult *result, enum err err, PGresult **ret_result) {
    if (err || !ret_result)
        PQclear(result);
    else
        *ret_result = result;
}

enum err link_flush_two(struct link *link, PGresult **ret_before, PGresult **ret_last) {
    struct answers answers = {0};
    if (!link->conn || link->lost) return ERR_STORE_RACED;
    link->waiting = 0;
    enum err err = PQpipelineSync(link->conn) ? read_pipeline(link, &answers) : link_lost(link);
    give(answers.before, err, ret_before);
    give(answers.last, err, ret_last);
    return err;
}

enum err link_flush(struct link *link, PGresult **ret_last) {
    return link_flush_two(link, NULL, ret_last);
}

static enum err read_script(struct link *link, struct answers *answers) {
    int64_t until_us = monotonic_us() + LINK_SCRIPT_US;
    for (;;) {
        TRY(wait_for_answer(link, until_us));
        PGresult *result = PQgetResult(link->conn);
        if (!result) return PQstatus(link->conn) == CONNECTION_BAD ? link_lost(link) : answers->err;
        take_result(link, result, answers);
    }
}

enum err link_script(struct link *link, const char *text, PGresult **ret_last) {
    struct answers answers = {0};
    if (link->conn && link->waiting) TRY(link_flush(link, NULL));
    if (!link->conn || link->lost) return ERR_STORE_RACED;
    enum err err =
        PQexitPipelineMode(link->conn) && PQsendQuery(link->conn, text) ? read_script(link, &answers) : link_lost(link);
    if (!link->lost && !PQenterPipelineMode(link->conn)) link->lost = true;
    give(answers.before, err, NULL);
    give(answers.last, err, ret_last);
    return err;
}
