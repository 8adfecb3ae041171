/* cli/explain.c - what a code or a key means, without a server and without a network. */
#include "cli/commands.h"
#include "config/config.h"

/* What helps against each error of base/err.h. */
static const char *const ways_out[ERR_COUNT] = {
    [ERR_BAD_JSON] = "Look at the line and column in the answer: one JSON value, no duplicate names, UTF-8.",
    [ERR_BAD_FIELD] = "errors[].pointer names the field. An event has type, payload and, if you like, source, "
                      "idempotency_key and scheduled_at (RFC 3339 with an offset); nothing else.",
    [ERR_BAD_TYPE] = "Add the type under `types` and run `drumbeat apply`, or take `types` away to accept any.",
    [ERR_BAD_KEY] = "A key has 1 to 255 printable characters.",
    [ERR_BAD_REQUEST] = "The detail in the answer says which part. GET /openapi.json describes every request.",
    [ERR_CONFLICT] = "The key names a fact that is stored already, and this one has another payload, type or source: "
                     "errors[].pointer says where. Give a new fact a new key; to see the stored one: drumbeat events "
                     "list --key KEY.",
    [ERR_UNAUTHORIZED] = "Send `Authorization: Bearer db_...`; on the command line put the key into the file that "
                         "DRUMBEAT_KEY_FILE names. A new key: drumbeat keys create --role ingest.",
    [ERR_FORBIDDEN] = "Roles: ingest may post events, read may look, operate may do both and act, owner may do all.",
    [ERR_NOT_FOUND] =
        "An id may be shortened to its first characters, at least 6; an event's id is no delivery's. What "
        "is settled is removed after keep.events. Names: drumbeat destinations list, routes list. Paths: "
        "GET /openapi.json.",
    [ERR_BAD_METHOD] = "GET /openapi.json lists the methods of each path.",
    [ERR_TOO_LARGE] = "server.max_event and server.max_body are the limits; send a link instead of large content.",
    [ERR_BAD_MEDIA] = "Send Content-Type: application/json, or application/x-ndjson for a batch.",
    [ERR_HEADERS_LARGE] = "All headers of a request together may have 16 KiB.",
    [ERR_TIMEOUT] = "server.header_timeout and server.body_timeout bound how long a request may take to come in.",
    [ERR_NOT_NOW] = "The detail in the answer says what is in the way. A delivery in flight settles first; a final one "
                    "can only be retried when it FAILED and no later run has taken its place. An event is run again "
                    "when nothing of it is open any more. Look at it: drumbeat deliveries show ID, drumbeat events "
                    "show ID.",
    [ERR_UNSIGNED] =
        "Compare the address and the secret with what the sender's page shows. `drumbeat sources show NAME` says why "
        "the "
        "last request was refused, and whether the source is in force at all; the log line source_refused says it once "
        "a minute. The sender is not told.",
    [ERR_STALE] = "Look at the clock of this machine. A request that was kept and is sent again later is refused, too: "
                  "`tolerance` of the source says how old it may be.",
    [ERR_MAP_STOPPED] =
        "The jq of `map` took too long on this body, or on others just before. drumbeat sources show NAME "
        "says what it did; a map of places (/order/id) needs no jq. The sender tries again.",
    [ERR_UNVOUCHED] =
        "The sender names the certificate of its signature, which is fetched once and kept. The sender tries "
        "again. Where it stays so, the log line certificate_refused says why: an address that this machine "
        "cannot reach wants `proxy`, an authority that it does not know `ca`.",
    [ERR_CONFIRMING] =
        "The SubscribeURL is being called; when it has answered, the message is taken at its next try. The "
        "log lines subscription_confirmed and subscription_refused say what came of it.",
    [ERR_FOREIGN] =
        "While there is no API key, whoever reaches the listener may do everything, so requests from web pages "
        "and under other names than localhost are refused. Make a key: drumbeat keys create --role owner.",
    [ERR_TOO_OFTEN] = "`limit` of the form says how often one address may send it. Behind a proxy all have the proxy's "
                      "address, unless server.proxies names it.",
    [ERR_NOT_FILLED] = "The answer's errors name each field. `fields` of the source says what each takes.",
    [ERR_FULL] = "Too much waits (server.queue). Send again later: nothing of the refused request was stored. "
                 "`drumbeat destinations list` shows which destination does not take its deliveries.",
    [ERR_STORE_FULL] =
        "Make room on the disk that the store's file is on: remove what is not drumbeat's, or make the disk larger. "
        "The server goes on by itself once 16 MiB are free there; senders try again. A shorter keep.events makes room "
        "in the file for later events, but not on the disk: drumbeat vacuum does that, with the server stopped and as "
        "much free as is in use.",
    [ERR_STORE_BUSY] = "Something else works on the store's file. It passes; senders try again.",
    [ERR_STORE_AWAY] =
        "PostgreSQL does not answer, or refuses the connection. The server tries again by itself; senders "
        "try again. The log line turn_dropped has the database's words.",
    [ERR_STORE_HELD] =
        "Somebody's open transaction holds a lock on this key, row or table, or the database ended the statement "
        "(statement_timeout, pg_cancel_backend). Send it again when that is over; pg_stat_activity shows who it is.",
    [ERR_STORE_CLASH] =
        "Send it again. If it stays, a unique index of somebody's is in the way, and it is refused (E0131).",
    [ERR_STORE_UNFIT] =
        "Something in the database wants a table, a column, a function or a right that is not there: a trigger of "
        "somebody's, or the tables of drumbeat were altered. The message has the database's words. Senders try again.",
    [ERR_STORE_REFUSED] =
        "A CHECK, a trigger or a type of the database refuses it, in the words of the message. Change "
        "what is sent, or the rule. All else of the same turn was taken.",
    [ERR_STALLED] = "The server waits for its store, which says nothing. It goes on by itself when the store does, or "
                    "gives the connection up after a while.",
    [ERR_STORE_FAILED] = "The disk refused a write or a sync. The server ends, because nothing in memory is trusted "
                         "then. Look at the disk, start again: what was answered 2xx is stored.",
    [ERR_STOPPING] = "The server is going down. Send again when it is back.",
    [ERR_SLOWED] =
        "Mend the key of whoever calls with a wrong one. Keys that came from that address before go on working.",
    [ERR_STORE_LOCKED] = "One server works on a store. Stop the other one, or give this one another `store`.",
    [ERR_STORE_NEWER] = "Run the drumbeat version that wrote it, or a later one; or stop, and put the copy of "
                        "the store in its place that was made before the upgrade. Schemas only go forward.",
    [ERR_STORE_CORRUPT] = "Do not write to it any more. Restore a backup; senders may send everything again, each "
                          "event is still taken once.",
    [ERR_STORE_FOREIGN] = "`store` names a file of another program. Name one that does not exist yet.",
    [ERR_CONFIG] = "`drumbeat check` lists every mistake with its line and column.",
    [ERR_JQ_COMPILE] = "`drumbeat check` names the expression. `.` is the payload, `$event` the whole event.",
    [ERR_JQ_RUN] = "The expression does not fit this payload. Try it: drumbeat routes test ROUTE --event ID. Mend the "
                   "route, `drumbeat apply`, then retry the event.",
    [ERR_JQ_RUNAWAY] = "The program ran longer than a route may and is not run again until it is changed. Loops "
                       "without end come from recurse, until, while, range over numbers of the payload.",
    [ERR_IO] = "The operating system refused; its words are in the message.",
    [ERR_LIMIT] = "The message says which limit. All limits are in docs/configuration.md.",
    [ERR_INTERNAL] = "drumbeat found itself wrong and stopped rather than guess. Please report it with the message.",
};

#define LINE_COLUMNS 78

/* Words in lines of at most LINE_COLUMNS, each indented by two. */
static void put_folded(struct cli *cli, struct str words) {
    struct str word;
    size_t column = 0;
    while (str_next(&words, ' ', &word)) {
        bool breaks = column + 1 + word.n > LINE_COLUMNS;
        writer_fmt(&cli->out, "%s%.*s", !column ? "  " : breaks ? "\n  " : " ", STR_ARG(word));
        column = (column && !breaks ? column : 1) + 1 + word.n;
    }
    writer_add(&cli->out, STR("\n"));
}

static bool explain_error(struct cli *cli, struct str code) {
    for (enum err err = ERR_NONE + 1; err < ERR_COUNT; err++) {
        if (!str_eq_nocase(str_from(err_code(err)), code)) continue;
        writer_fmt(&cli->out, "%s\n  %s (HTTP %d)\n\n", err_code(err), err_text(err), err_http(err));
        put_folded(cli, str_from(ways_out[err]));
        return true;
    }
    return false;
}

static struct str upper(struct cli *cli, struct str text) {
    struct buf buf = {.arena = cli->arena};
    for (size_t i = 0; i < text.n; i++)
        buf_byte(&buf, text.p[i] >= 'a' && text.p[i] <= 'z' ? (char)(text.p[i] - 32) : text.p[i]);
    return buf_str(&buf);
}

int command_explain(struct cli *cli) {
    struct str asked = cli_argument(cli, 0), code = upper(cli, asked);
    if (explain_error(cli, code)) return EXIT_DONE;
    struct str text = config_explain(cli->arena, code);
    if (!text.n) text = config_explain(cli->arena, asked);
    if (text.n) {
        writer_add(&cli->out, text);
        return EXIT_DONE;
    }
    return cli_fail(cli, EXIT_NOT_FOUND, "error: '%.*s' is no error code and no configuration key%.*s", STR_ARG(asked),
                    STR_ARG(config_suggest(cli->arena, asked)));
}
