/* store/postgres_link.c - one connection to PostgreSQL. See postgres_link.h.
 *
 * WHAT. Connects, says what a session needs, sends statements and reads their answers.
 * PROMISE. Whatever the server does, and also when it does nothing at all, no call lasts longer than its deadline,
 * and none goes on once stop_fd is readable.
 * WHY IT HOLDS.
 * 1. libpq is only used in the forms that never wait: PQconnectStart and PQconnectPoll, a connection set to
 *    non-blocking, PQgetResult only after PQisBusy said no. All waiting is wait_fd, in one function.
 * 2. The hosts of a DSN are tried one by one, each as a connection of its own, because libpq leaves a silent host
 *    only in the forms that wait.
 * 3. A turn waits for a connection for a moment only. When that is over the state stays as it is, and the next turn
 *    goes on where this one stopped.
 * WHAT BREAKS IT. The system's resolver, which libpq calls for a host's name: it waits as long as resolv.conf says.
 * An address in the DSN (hostaddr) has no such wait.
 * HOW TO SEE IT. While a turn stands still /readyz says E0133 and drumbeat_loop_turn_age_seconds for how long. The
 * log line turn_dropped has the words.
 * TESTED BY. test/e2e/test_silence.py, test_failover.py, test_start.py.
 */
#include "store/postgres_link.h"

#include "os/deadline.h"
#include "store/postgres.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_US ((int64_t)5 * 1000000) /* for one host to take us, greeting included */

/* ---- trouble ---- */

void link_say(struct link *link, const char *message) {
    size_t length = strcspn(message, "\n");
    snprintf(link->trouble, sizeof link->trouble, "%.*s", (int)length, message);
}

/* What an SQLSTATE means, the longest prefix first (PostgreSQL 15, appendix A). A state that is not listed means that
 * the server refused one statement for what was in it, as a CHECK or somebody's trigger does. */
static const struct {
    const char *state;
    enum err err;
} errors[] = {
    {"40001", ERR_STORE_RACED},   /* serialization failure */
    {"40P01", ERR_STORE_RACED},   /* deadlock */
    {"55P03", ERR_STORE_HELD},    /* lock not available */
    {"23505", ERR_STORE_CLASH},   /* somebody made the same row, or a unique index of somebody's is in the way */
    {"26000", ERR_STORE_RACED},   /* a prepared statement is gone: a pooler came between */
    {"0A000", ERR_STORE_RACED},   /* "cached plan must not change result type": the schema moved on */
    {"42P05", ERR_STORE_RACED},   /* a prepared statement of that name is there */
    {"53100", ERR_STORE_FULL},    /* disk full */
    {"25006", ERR_STORE_BUSY},    /* read-only: a standby */
    {"XX001", ERR_STORE_CORRUPT}, /* data corrupted */
    {"XX002", ERR_STORE_CORRUPT}, /* index corrupted */
    {"42", ERR_STORE_UNFIT},      /* no such table, column or right: for us, or for somebody's trigger */
    {"08", ERR_STORE_BUSY},       /* connection */
    {"25", ERR_STORE_BUSY},       /* transaction state: a timeout of the server's ended it */
    {"28", ERR_STORE_BUSY},       /* not let in */
    {"3D", ERR_STORE_BUSY},       /* no such database */
    {"53", ERR_STORE_BUSY},       /* out of something */
    {"57014", ERR_STORE_HELD},    /* cancelled: it took longer than it may, or somebody ended it */
    {"57", ERR_STORE_BUSY},       /* stopped, starting */
    {"58", ERR_STORE_BUSY},       /* the system under it */
    {"XX", ERR_STORE_BUSY},
};

static enum err error_of(const char *state) {
    for (size_t i = 0; state && i < sizeof errors / sizeof *errors; i++)
        if (!strncmp(state, errors[i].state, strlen(errors[i].state))) return errors[i].err;
    return state ? ERR_STORE_REFUSED : ERR_STORE_BUSY;
}

/* Whether the connection is to be given up, because the server stops or is a standby now. The next connection may find
 * another server. */
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

/* Waits until the socket can be used again. Everything that waits in this file waits here. */
static enum err link_wait(struct link *link, short want, int64_t until_us, const char *late) {
    switch (wait_fd(PQsocket(link->conn), want, until_us, link->stop_fd)) {
    case WAIT_READY:
        return ERR_NONE;
    case WAIT_STOPPED:
        link_say(link, "the server did not answer before this process had to end");
        break;
    case WAIT_OVER:
        link_say(link, late);
        break;
    }
    return ERR_STORE_BUSY;
}

/* ---- connecting ---- */

void link_close(struct link *link) {
    PQfinish(link->conn);
    link->conn = NULL;
    link->state = LINK_CLOSED;
    link->lost = false;
    link->waiting = 0;
}

/* The i-th item of a list with commas, as libpq counts them. A list of one item stands for all; "" when there is none.
 */
static char *item_of(const char *list, size_t i) {
    const char *at = list ? list : "";
    for (const char *comma; i > 0 && (comma = strchr(at, ',')); i--) at = comma + 1;
    return strndup(at, strcspn(at, ","));
}

static size_t items_in(const char *list) {
    size_t count = 1;
    for (; list && *list; list++) count += *list == ',';
    return count;
}

struct address {
    char *host, *hostaddr, *port;
    int64_t patience_us;
    size_t hosts;
};

static enum err address_read(struct link *link, size_t host, struct address *ret_address) {
    PQconninfoOption *options = PQconninfoParse(link->dsn, NULL);
    const char *hosts = NULL, *addresses = NULL, *ports = NULL;
    int64_t patience_us = HOST_US;
    if (!options) {
        link_say(link, "the PostgreSQL address is not valid");
        return ERR_STORE_BUSY;
    }
    for (const PQconninfoOption *it = options; it->keyword; it++) {
        if (!it->val || !*it->val) continue;
        if (!strcmp(it->keyword, "host")) hosts = it->val;
        if (!strcmp(it->keyword, "hostaddr")) addresses = it->val;
        if (!strcmp(it->keyword, "port")) ports = it->val;
        if (!strcmp(it->keyword, "connect_timeout") && atoi(it->val) > 0)
            patience_us = (int64_t)atoi(it->val) * 1000000;
    }
    *ret_address = (struct address){.host = item_of(hosts, host),
                                    .hostaddr = item_of(addresses, host),
                                    .port = item_of(ports, items_in(ports) > 1 ? host : 0),
                                    .patience_us = patience_us,
                                    .hosts = items_in(hosts ? hosts : addresses)};
    PQconninfoFree(options);
    return ERR_NONE;
}

static void address_free(struct address *address) {
    free(address->host);
    free(address->hostaddr);
    free(address->port);
}

/* Nobody needs notices such as "table does not exist, skipping"; written by libpq, they would stand between the lines
 * of the log. */
static void ignore_notice(void *self, const PGresult *result) {
    (void)self;
    (void)result;
}

/* Begins to connect to one host of the DSN. For the settings listed first, what the DSN says has precedence over our
 * defaults; the host is always ours to say. An empty value counts as not given. */
static enum err link_dial(struct link *link, size_t host) {
    static const char *const keys[] = {"keepalives_idle",
                                       "keepalives_interval",
                                       "keepalives_count",
                                       "tcp_user_timeout",
                                       "fallback_application_name",
                                       "dbname",
                                       "client_encoding",
                                       "host",
                                       "hostaddr",
                                       "port",
                                       NULL};
    struct address address;
    link_close(link);
    TRY(address_read(link, host, &address));
    const char *const values[] = {
        "10", "5", "3", "15000", "drumbeat", link->dsn, "UTF8", address.host, address.hostaddr, address.port, NULL};
    link->conn = PQconnectStartParams(keys, values, 1);
    if (link->conn) PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
    link->host = host;
    link->hosts = address.hosts;
    link->host_until_us = deadline_now_us() + address.patience_us;
    link->want = POLLOUT;
    address_free(&address);
    link->state = LINK_CONNECTING;
    if (!link->conn || PQstatus(link->conn) == CONNECTION_BAD) {
        link_say(link, link->conn ? PQerrorMessage(link->conn) : "out of memory");
        link_close(link);
        return ERR_STORE_BUSY;
    }
    return ERR_NONE;
}

/* ---- greeting ---- */

/* An acknowledged event must be on the server's disk, whatever this database's default is. */
#define PIN_COMMIT(local)                                                                                              \
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "                \
    "ELSE current_setting('synchronous_commit') END, " local ")"
/* A process that stands still in a transaction, or whose machine is gone, must not keep others from their work. A bound
 * that somebody has set already is left as it is. */
#define BOUND_IDLE(local)                                                                                              \
    "set_config('idle_in_transaction_session_timeout', CASE current_setting('idle_in_transaction_session_timeout') "   \
    "WHEN '0' THEN '30s' ELSE current_setting('idle_in_transaction_session_timeout') END, " local ")"
/* Our statements have backslashes in plain strings. */
#define PLAIN_STRINGS(local) "set_config('standard_conforming_strings', 'on', " local ")"
/* A prepared statement gets one generic plan, perhaps made while the tables were empty. Forbid everything but index
 * scans, the compiler and parallel workers, so that the plan is still right at ten million rows. A statement that is
 * not prepared is planned each time for what is there. */
#define BY_INDEX                                                                                                       \
    "set_config('jit', 'off', false), set_config('enable_seqscan', 'off', false), "                                    \
    "set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false), "                      \
    "set_config('enable_material', 'off', false), set_config('max_parallel_workers_per_gather', '0', false)"

/* Finds out whether a pooler is in between: a pooler names a process that does not exist. Then nothing is set for the
 * session, because the session belongs to others too. */
static enum err greet(struct link *link) {
    static const char form[] =
        "SELECT pg_backend_pid() = %d, current_setting('fsync') = 'off' OR current_setting('full_page_writes') = 'off',"
        " CASE WHEN pg_backend_pid() = %d THEN concat(" BY_INDEX
        ", " PIN_COMMIT("false") ", " BOUND_IDLE("false") ", " PLAIN_STRINGS("false") ") END";
    char text[sizeof form + 1024];
    int version = PQserverVersion(link->conn), pid = PQbackendPID(link->conn);
    const char *encoding = PQparameterStatus(link->conn, "server_encoding");
    if (version < POSTGRES_VERSION_MIN) {
        snprintf(link->trouble, sizeof link->trouble, "the server is PostgreSQL %d, drumbeat needs %d or later",
                 version / 10000, POSTGRES_VERSION_MIN / 10000);
        return ERR_IO;
    }
    if (encoding && strcmp(encoding, "UTF8") != 0) {
        snprintf(link->trouble, sizeof link->trouble, "the database's encoding is %.40s, drumbeat needs UTF8",
                 encoding);
        return ERR_IO;
    }
    snprintf(text, sizeof text, form, pid, pid);
    link->state = LINK_GREETING;
    return PQsetnonblocking(link->conn, 1) == 0 && PQsendQuery(link->conn, text) ? ERR_NONE : link_lost(link);
}

static enum err greeted(struct link *link) {
    PGresult *result = PQgetResult(link->conn);
    bool answered = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (answered) link->direct = *PQgetvalue(result, 0, 0) == 't';
    if (answered) link->risky = *PQgetvalue(result, 0, 1) == 't';
    if (!answered) link_say(link, PQerrorMessage(link->conn));
    PQclear(result);
    return answered ? ERR_NONE : ERR_STORE_BUSY;
}

/* ---- the state ---- */

/* Takes one step of connecting, without waiting. *ret_want is what must happen before the next step; 0 = nothing. */
static enum err link_step(struct link *link, short *ret_want) {
    *ret_want = 0;
    if (link->state == LINK_CONNECTING) {
        PostgresPollingStatusType status = PQconnectPoll(link->conn);
        if (status == PGRES_POLLING_OK) return greet(link);
        *ret_want = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (status != PGRES_POLLING_FAILED) return ERR_NONE;
        link_say(link, PQerrorMessage(link->conn));
        return ERR_STORE_BUSY;
    }
    int left = PQflush(link->conn);
    if (left < 0 || !PQconsumeInput(link->conn)) return link_lost(link);
    if (left || PQisBusy(link->conn)) {
        *ret_want = left ? POLLIN | POLLOUT : POLLIN;
        return ERR_NONE;
    }
    PGresult *end = NULL;
    TRY(greeted(link));
    while ((end = PQgetResult(link->conn))) PQclear(end);
    if (!PQenterPipelineMode(link->conn)) return link_lost(link);
    link->state = LINK_OPEN;
    link->traffic.connections++;
    return ERR_NONE;
}

/* Goes on with one host until it has taken us, its time is over, or the caller's time is over. */
static enum err link_try_host(struct link *link, int64_t until_us) {
    while (link->state != LINK_OPEN) {
        int64_t end_us = until_us < link->host_until_us ? until_us : link->host_until_us;
        if (link->want) TRY(link_wait(link, link->want, end_us, "the server did not answer in time"));
        TRY(link_step(link, &link->want));
    }
    return ERR_NONE;
}

enum err link_open(struct link *link, int64_t until_us) {
    if (link_is_usable(link)) return ERR_NONE;
    if (link->lost) link_close(link);
    enum err err = link->state == LINK_CLOSED ? link_dial(link, 0) : ERR_NONE;
    for (;;) {
        if (!err) err = link_try_host(link, until_us);
        if (!err) return ERR_NONE;
        int64_t now_us = deadline_now_us();
        bool goes_on = link->conn && !link->lost && now_us >= until_us && now_us < link->host_until_us;
        if (goes_on) return ERR_STORE_BUSY; /* the next call goes on with this host */
        size_t next = link->host + 1, hosts = link->hosts;
        link_close(link);
        if (err == ERR_IO || next >= hosts) return err == ERR_IO ? ERR_IO : ERR_STORE_BUSY;
        err = link_dial(link, next);
    }
}

bool link_is_usable(const struct link *link) {
    return link->state == LINK_OPEN && !link->lost;
}

/* ---- sending and reading ---- */

enum err link_send(struct link *link, const struct link_statement *it) {
    static const int binary[LINK_PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert(it->count <= LINK_PARAMS_MAX);
    if (!link_is_usable(link)) return ERR_STORE_RACED;
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

enum err link_begin(struct link *link, const char *text) {
    TRY(link_send_text(link, text));
    return link->direct
               ? ERR_NONE
               : link_send_text(link, "SELECT " PIN_COMMIT("true") ", " BOUND_IDLE("true") ", " PLAIN_STRINGS("true"));
}

/* Waits until the next answer is whole, the server is gone or the time is over. Meanwhile it also sends what is left to
 * send: otherwise each side could wait for the other to read. */
static enum err wait_for_answer(struct link *link, int64_t until_us) {
    for (;;) {
        int left = PQflush(link->conn);
        if (left < 0 || !PQconsumeInput(link->conn)) return link_lost(link);
        if (!PQisBusy(link->conn)) return ERR_NONE;
        short want = left ? POLLIN | POLLOUT : POLLIN;
        if (!link_wait(link, want, until_us, "the server did not answer in time")) continue;
        link->lost = true;
        return ERR_STORE_RACED;
    }
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
    int64_t until_us = deadline_now_us() + link->deadline_us;
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
    if (!link_is_usable(link)) return ERR_STORE_RACED;
    link->waiting = 0;
    enum err err = PQpipelineSync(link->conn) ? read_pipeline(link, &answers) : link_lost(link);
    link->traffic.rounds++;
    link->traffic.races += (err == ERR_STORE_RACED || err == ERR_STORE_CLASH) && !link->lost;
    link->traffic.lock_waits += err == ERR_STORE_HELD;
    give(answers.before, err, ret_before);
    give(answers.last, err, ret_last);
    return err;
}

enum err link_flush(struct link *link, PGresult **ret_last) {
    return link_flush_two(link, NULL, ret_last);
}

static enum err read_script(struct link *link, struct answers *answers) {
    int64_t until_us = deadline_now_us() + LINK_SCRIPT_US;
    for (;;) {
        TRY(wait_for_answer(link, until_us));
        PGresult *result = PQgetResult(link->conn);
        if (!result) return PQstatus(link->conn) == CONNECTION_BAD ? link_lost(link) : answers->err;
        take_result(link, result, answers);
    }
}

enum err link_script(struct link *link, const char *text, PGresult **ret_last) {
    struct answers answers = {0};
    if (link_is_usable(link) && link->waiting) TRY(link_flush(link, NULL));
    if (!link_is_usable(link)) return ERR_STORE_RACED;
    enum err err =
        PQexitPipelineMode(link->conn) && PQsendQuery(link->conn, text) ? read_script(link, &answers) : link_lost(link);
    if (!link->lost && !PQenterPipelineMode(link->conn)) link->lost = true;
    give(answers.before, err, NULL);
    give(answers.last, err, ret_last);
    return err;
}
