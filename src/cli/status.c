/* cli/status.c - the server in one look. */
#include "cli/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/show.h"

#define WATCH_US       (2 * US_PER_S)
#define TROUBLE_INDENT 4

static long long number(const struct json *status, struct str name) {
    return (long long)json_integer(json_get(status, name), 0);
}

/* Lines for what nears its end: a login, and a certificate of a server that is called. */
static void show_ends(struct cli *cli, const struct json *one, bool closed) {
    struct str name = show_member(cli, one, "name"), host = show_member(cli, one, "certificate_host");
    struct str login = show_time(cli, show_member(cli, one, "login_expires"));
    struct str certificate = show_time(cli, show_member(cli, one, "certificate_expires"));
    if (closed && login.n)
        show_text(cli,
                  str_fmt(cli->arena, "! %.*s: its login ends %.*s; drumbeat destinations login %.*s", STR_ARG(name),
                          STR_ARG(login), STR_ARG(name)),
                  0, TROUBLE_INDENT);
    if (certificate.n)
        show_text(cli,
                  str_fmt(cli->arena,
                          "! %.*s: the certificate of %.*s ends %.*s; whoever runs that server must renew it",
                          STR_ARG(name), STR_ARG(host), STR_ARG(certificate)),
                  0, TROUBLE_INDENT);
}

/* Lines for what is wrong with a destination, and the command that helps. */
static void show_destination(struct cli *cli, const struct json *one) {
    struct str name = show_member(cli, one, "name"), breaker = show_member(cli, one, "breaker");
    bool paused = json_true(json_get(one, STR("paused"))), overflows = json_true(json_get(one, STR("overflows")));
    bool wants_login = json_true(json_get(one, STR("wants_login")));
    bool closed = !paused && str_eq(breaker, STR("closed"));
    struct buf buf = {.arena = cli->arena};
    show_ends(cli, one, closed);
    if (closed && !overflows && !wants_login) return;
    struct str reason = show_member(cli, one, paused ? "pause_reason" : "breaker_reason");
    struct str word = paused ? STR("paused") : str_fmt(cli->arena, "breaker %.*s", STR_ARG(breaker));
    if (closed) word = wants_login ? STR("it has no login yet") : STR("more wait than its queue takes");
    buf_fmt(&buf, "! %.*s: %.*s", STR_ARG(name), STR_ARG(word));
    if (!closed && reason.n) buf_fmt(&buf, " (%.*s)", STR_ARG(reason));
    buf_fmt(&buf, "; drumbeat destinations %s %.*s", wants_login ? "login" : closed ? "show" : "resume", STR_ARG(name));
    show_text(cli, buf_str(&buf), 0, TROUBLE_INDENT);
}

static void show_troubled(struct cli *cli, const struct json *list) {
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *one = json_at(list, i);
        struct str name = show_member(cli, one, "name"), why = show_member(cli, one, "why");
        long long held = number(one, STR("held"));
        struct str stopped = str_fmt(cli->arena, "! route %.*s is stopped: %.*s", STR_ARG(name), STR_ARG(why));
        struct str gone =
            str_fmt(cli->arena, "! %.*s is gone from the configuration, and %.*s %s held for it; drumbeat todo",
                    STR_ARG(name), STR_ARG(show_count(cli, held, "delivery", "deliveries")), held == 1 ? "is" : "are");
        if (str_eq(show_member(cli, one, "kind"), STR("route")))
            show_text(cli, stopped, 0, TROUBLE_INDENT);
        else if (json_true(json_get(one, STR("gone"))))
            show_text(cli, gone, 0, TROUBLE_INDENT);
        else if (str_eq(show_member(cli, one, "kind"), STR("collector")))
            show_ends(cli, one, true);
        else
            show_destination(cli, one);
    }
}

static const struct column instance_columns[] = {
    {"role", CELL_TEXT, {.title = "PROCESS", .whole = true}},
    {"host", CELL_TEXT, {.title = "HOST"}},
    {"started_at", CELL_TIME, {.title = "STARTED", .whole = true}},
    {"seen_at", CELL_TIME, {.title = "SEEN", .whole = true}},
    {"token", CELL_TEXT, {.title = "TOKEN", .whole = true}},
    {0},
};

/* A server that has the store for itself shares nothing. */
static void show_company(struct cli *cli, const struct json *status) {
    const struct json *limits = json_get(status, STR("limits")), *instances = json_get(status, STR("instances"));
    struct str way = show_member(cli, limits, "shared_by");
    long long parts = number(limits, STR("parts"));
    if (way.n && !str_eq(way, STR("none")))
        writer_fmt(&cli->out, "  Limits    counted by %.*s for all processes\n",
                   STR_ARG(str_eq(way, STR("store")) ? STR("the store") : way));
    if (limits && !json_true(json_get(limits, STR("up"))))
        writer_fmt(&cli->out, "! limits: %.*s does not answer%s\n", STR_ARG(way),
                   parts > 1 ? str_fmt(cli->arena, "; this process keeps to 1/%lld of each", parts).p : "");
    if (json_size(instances) > 1) show_table(cli, instances, instance_columns);
}

static void show_head(struct cli *cli, const struct json *status) {
    struct str up = span_human(cli->arena, json_integer(json_get(status, STR("uptime_seconds")), 0) * US_PER_S);
    writer_fmt(&cli->out, "drumbeat %.*s   ", STR_ARG(show_member(cli, status, "version")));
    if (json_get(status, STR("running"))) {
        writer_fmt(&cli->out, "no server runs here; the store says:\n");
        return;
    }
    if (json_get(status, STR("trouble"))) {
        writer_fmt(&cli->out, "runs, but its store does not answer: %.*s\n",
                   STR_ARG(show_member(cli, status, "trouble")));
        return;
    }
    bool hold = json_true(json_get(status, STR("hold"))), stopping = json_true(json_get(status, STR("stopping")));
    writer_fmt(&cli->out, "up %.*s%s%s\n", STR_ARG(up), hold ? "   held: nothing is delivered" : "",
               stopping ? "   stopping" : "");
    struct str destinations = show_count(cli, number(status, STR("destinations")), "destination", "destinations");
    struct str routes = show_count(cli, number(status, STR("routes")), "route", "routes");
    const char *refused = json_true(json_get(status, STR("config_ok"))) ? "" : "  the last reload was refused";
    writer_add(&cli->out, STR("  Config    "));
    show_text(cli,
              str_fmt(cli->arena, "%.*s  (%.*s, %.*s)%s", STR_ARG(show_member(cli, status, "config")),
                      STR_ARG(destinations), STR_ARG(routes), refused),
              12, 12);
    long long warnings = number(status, STR("config_warnings"));
    if (warnings)
        writer_fmt(&cli->out, "            %.*s: drumbeat check\n",
                   STR_ARG(show_count(cli, warnings, "warning", "warnings")));
    const struct json *waits = json_get(status, STR("restart_waits"));
    for (size_t i = 0; i < json_size(waits); i++) {
        writer_add(&cli->out, STR("            waits for a restart: "));
        show_text(cli, json_text(json_at(waits, i)), 33, 12);
    }
}

static void show_hold(struct cli *cli, const struct json *status) {
    struct str reason = show_member(cli, status, "hold_reason"),
               since = show_time(cli, show_member(cli, status, "hold_since"));
    if (!json_true(json_get(status, STR("hold")))) return;
    writer_add(&cli->out, STR("! held"));
    show_text(cli,
              str_fmt(cli->arena, "%s%.*s: %.*s; drumbeat release%s", since.n ? " since " : "", STR_ARG(since),
                      STR_ARG(reason), json_get(status, STR("running")) ? ", once a server runs" : ""),
              6, TROUBLE_INDENT);
}

/* Whether something waits for a person that `todo` does not list. */
static bool has_findings(const struct json *status) {
    const struct json *config_ok = json_get(status, STR("config_ok"));
    return number(status, STR("held")) || number(status, STR("unknown")) || number(status, STR("failed")) ||
           json_size(json_get(status, STR("troubled"))) || (config_ok && !json_true(config_ok));
}

/* Shows what waits for a person, in the colour of what is wrong when there is something. */
static void show_needs(struct cli *cli, const struct json *status) {
    long long more = number(status, STR("todo_more"));
    bool needed =
        number(status, STR("held")) || number(status, STR("unknown")) || number(status, STR("failed")) || more;
    bool marked = needed && cli->colour;
    writer_add(&cli->out, marked ? STR("  \033[33m") : STR("  "));
    writer_fmt(&cli->out, "Needs you %lld held · %lld unknown · %lld failed", number(status, STR("held")),
               number(status, STR("unknown")), number(status, STR("failed")));
    if (more) writer_fmt(&cli->out, " · %lld more: drumbeat todo", more);
    writer_add(&cli->out, marked ? STR("\033[0m\n") : STR("\n"));
    if (number(status, STR("unrouted")))
        show_text(cli,
                  str_fmt(cli->arena,
                          "  Unwanted  %.*s since the start that no route took; once one does: drumbeat replay plan "
                          "--since 1d",
                          STR_ARG(show_count(cli, number(status, STR("unrouted")), "event", "events"))),
                  0, 12);
    if (number(status, STR("resent")))
        show_text(cli,
                  str_fmt(cli->arena,
                          "  In doubt  %lld since the start: sent again while an earlier try was unknown; "
                          "drumbeat deliveries list --resent",
                          number(status, STR("resent"))),
                  0, 12);
    if (number(status, STR("unsent")))
        writer_fmt(&cli->out, "  Put back  %.*s since the start: this machine had no room for them\n",
                   STR_ARG(show_count(cli, number(status, STR("unsent")), "send", "sends")));
}

static const struct {
    const char *reason, *words;
} reasons[] = {
    {"limit", "its limit is used up"},
    {"quiet", "the provider asked us to wait"},
    {"pause", "it is paused"},
    {"breaker", "its breaker is open"},
    {"order", "another of the same order key goes first"},
    {"hold", "all is held: drumbeat release lets it go"},
    {"no such destination", "the configuration has no such destination"},
};

static const char *reason_words(struct str reason) {
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (str_eq(reason, str_from(reasons[i].reason))) return reasons[i].words;
    return "held back";
}

/* "  Waiting   2 due now · 40 held back · 3 later", and below it what holds back where. */
static void show_waiting(struct cli *cli, const struct json *status) {
    const struct json *waiting = json_get(status, STR("waiting")), *why = json_get(waiting, STR("why"));
    writer_fmt(&cli->out, "  Waiting   %lld due now · %lld held back · %lld later · %lld on their way",
               number(waiting, STR("due")), number(waiting, STR("held_back")), number(waiting, STR("later")),
               number(status, STR("processing")));
    long long behind = number(status, STR("lag_seconds"));
    if (behind) writer_fmt(&cli->out, " · %lld s behind", behind);
    writer_fmt(&cli->out, "\n");
    for (size_t i = 0; i < json_size(why); i++) {
        struct str until = show_time(cli, show_member(cli, json_at(why, i), "until"));
        writer_fmt(&cli->out, "            %lld for %.*s: %s%s%.*s\n", number(json_at(why, i), STR("count")),
                   STR_ARG(str_safe(cli->arena, show_member(cli, json_at(why, i), "destination"), true)),
                   reason_words(show_member(cli, json_at(why, i), "reason")), until.n ? " until " : "", STR_ARG(until));
    }
}

/* Says so from half of server.queue on. */
static void show_queue(struct cli *cli, const struct json *status) {
    const struct json *queue = json_get(status, STR("queue"));
    if (!json_true(json_get(queue, STR("half_full")))) return;
    writer_fmt(&cli->out, "! %lld of %lld places in the queue are taken; when all are, new events are refused\n",
               number(queue, STR("waiting")), number(queue, STR("most")));
}

/* "  Next      2026-12-01T08:00:00Z  weekly (Tue 09:00 Europe/Berlin)" */
static void show_schedules(struct cli *cli, const struct json *list) {
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *one = json_at(list, i);
        writer_fmt(&cli->out, "  %-10s%.*s  %.*s (%.*s %.*s)\n", i ? "" : "Next",
                   STR_ARG(show_member(cli, one, "due_at")), STR_ARG(show_member(cli, one, "source")),
                   STR_ARG(str_safe(cli->arena, show_member(cli, one, "schedule"), true)),
                   STR_ARG(show_member(cli, one, "zone")));
    }
}

void status_show(struct cli *cli, const struct json *status) {
    show_head(cli, status);
    show_hold(cli, status);
    if (json_get(status, STR("store")))
        writer_fmt(&cli->out, "  Store     %.*s\n", STR_ARG(show_member(cli, status, "store")));
    if (json_get(status, STR("waiting"))) show_waiting(cli, status);
    show_queue(cli, status);
    show_needs(cli, status);
    show_schedules(cli, json_get(status, STR("schedules")));
    show_troubled(cli, json_get(status, STR("troubled")));
    show_company(cli, status);
}

/* ---- what `todo` finds ---- */

/* The causes that a line or a number of this page tells; a new one counts as one more. */
static bool is_shown(struct cli *cli, const struct json *item) {
    static const char *const causes[] = {"configuration", "hold",    "limits",   "queue", "stopped",     "paused",
                                         "refused",       "breaker", "overflow", "login", "certificate", "gone",
                                         "late",          "doubt",   "unmade",   "held",  "unknown",     "failed"};
    struct str cause = show_member(cli, item, "cause");
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (str_eq(cause, str_from(causes[i]))) return true;
    return str_eq(cause, STR("unroutable")) && str_eq(show_member(cli, item, "kind"), STR("destination"));
}

/* Counts the causes that `todo` lists. For people the answer also gets how many of them nothing else here tells; to a
 * machine it stays what the API says. */
static int add_todo(struct cli *cli, struct asked *asked, size_t *ret_count) {
    struct asked todo;
    size_t more = 0;
    int code = ask(cli, "GET", STR("/v1/todo"), STR_NONE, &todo);
    if (code) return code;
    const struct json *items = json_get(todo.json, STR("items"));
    for (size_t i = 0; i < json_size(items); i++) more += !is_shown(cli, json_at(items, i));
    *ret_count = json_size(items);
    asked_free(&todo);
    if (cli->output != OUTPUT_TABLE || cli->jq.p) return EXIT_DONE;
    struct str open = str_sub(asked->body, 0, asked->body.n - 1); /* without its last brace */
    asked->body = str_fmt(cli->arena, "%.*s,\"todo_more\":%zu}", STR_ARG(open), more);
    asked_free(asked);
    return json_parse(asked->body, ANSWER_DEPTH_MAX, &asked->json, NULL) ? EXIT_FAILED : EXIT_DONE;
}

bool status_of_running(struct cli *cli, struct asked *ret_asked) {
    bool was_mute = cli->mute;
    struct asked asked;
    size_t waits;
    cli->mute = true;
    int code = ask(cli, "GET", STR("/v1/status"), STR_NONE, &asked);
    bool found = !code && !asked.offline && !add_todo(cli, &asked, &waits);
    cli->mute = was_mute;
    if (!code && !found) asked_free(&asked);
    if (found) *ret_asked = asked;
    return found;
}

/* ---- a server whose store is in trouble ---- */

/* One of the published numbers; 0 when it is not among them. */
static long long metric(struct str text, const char *name) {
    struct str line;
    while (text.n && str_next(&text, '\n', &line))
        if (str_starts(line, str_from(name)) && line.p[strlen(name)] == ' ')
            return strtoll(line.p + strlen(name), NULL, 10);
    return 0;
}

/* When the store answers nothing but the listener still does: shows what is wrong, and what was counted last. */
static int last_known(struct cli *cli, struct str trouble, struct asked *ret_asked) {
    static const struct {
        const char *member, *metric;
    } counts[] = {{"pending", "drumbeat_deliveries{status=\"PENDING\"}"},
                  {"processing", "drumbeat_deliveries{status=\"PROCESSING\"}"},
                  {"unknown", "drumbeat_deliveries{status=\"UNKNOWN\"}"},
                  {"held", "drumbeat_deliveries{status=\"HELD\"}"}};
    struct asked metrics;
    struct buf buf = {.arena = cli->arena};
    int code = ask_any(cli, "GET", STR("/metrics"), STR_NONE, &metrics);
    if (code) return code;
    buf_add(&buf, STR("{\"version\":"));
    json_quote(&buf, STR(DRUMBEAT_VERSION));
    buf_add(&buf, STR(",\"trouble\":"));
    json_quote(&buf, trouble);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        buf_fmt(&buf, ",\"%s\":%lld", counts[i].member, metric(metrics.body, counts[i].metric));
    buf_byte(&buf, '}');
    asked_free(&metrics);
    *ret_asked = (struct asked){.status = 503, .body = buf_str(&buf)};
    return json_parse(ret_asked->body, ANSWER_DEPTH_MAX, &ret_asked->json, NULL) ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the command ---- */

/* Shows the state in any case, and gives the exit code for it: without a server 6, whatever the store says. */
static int look_once(struct cli *cli) {
    struct asked asked;
    int code = ask_any(cli, "GET", STR("/v1/status"), STR_NONE, &asked), verdict = EXIT_DONE;
    size_t waits = 0;
    if (code) return code;
    if (asked.status == 503) {
        struct str trouble = str_dup(cli->arena, json_text(json_get(asked.json, STR("detail"))));
        asked_free(&asked);
        code = last_known(cli, trouble, &asked);
        if (code) return code;
        verdict = EXIT_FAILED;
    } else if (asked.status != 200 || !asked.json) {
        code = asked_refused(cli, &asked);
        asked_free(&asked);
        return code;
    } else {
        code = add_todo(cli, &asked, &waits);
        if (code) asked_free(&asked);
        if (code) return code;
    }
    if (asked.offline) verdict = EXIT_NO_SERVER;
    if (!verdict && cli_flag(cli, "exit-code") && (waits || has_findings(asked.json))) verdict = EXIT_FINDINGS;
    code = show_one(cli, &asked, "version", status_show);
    return code ? code : verdict;
}

/* Each look forgets the one before: --watch may run for months. */
static int look(struct cli *cli, struct arena *arena) {
    struct arena *kept = cli->arena;
    cli->arena = arena;
    int code = look_once(cli);
    cli->arena = kept;
    arena_reset(arena);
    return code;
}

/* Whether --watch goes on after this, because it may pass by itself: a server that starts anew, a store that is full.
 */
static bool may_pass(int code) {
    return code == EXIT_DONE || code == EXIT_NO_SERVER || code == EXIT_TIMED_OUT || code == EXIT_FAILED ||
           code == EXIT_FINDINGS;
}

int command_status(struct cli *cli) {
    bool watch = cli_flag(cli, "watch"), redraw = watch && cli->colour && cli->output == OUTPUT_TABLE;
    struct arena *looks = arena_new(cli->arena, struct arena);
    int code;
    do {
        if (redraw) writer_add(&cli->out, STR("\033[H\033[J"));
        code = look(cli, looks);
        writer_flush(&cli->out);
        if (watch) cli_sleep(cli, WATCH_US);
    } while (watch && may_pass(code) && !cli_stopped(cli));
    arena_free(looks);
    return cli->signals && cli->signals->stop ? EXIT_INTERRUPTED : code;
}
