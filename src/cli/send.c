/* cli/send.c - one event in, and what became of it. */
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "model/event.h"
#include "os/file.h"

#define DATA_MAX_BYTES ((size_t)64 << 20) /* the server's own limits are lower */
#define POLL_US        (100 * US_PER_MS)
#define LINES_MAX      256 /* deliveries of one event, as in route/route.h */

/* ---- the event ---- */

static int read_data(struct cli *cli, struct str *ret_payload) {
    struct str data = cli_value(cli, "data"), problem;
    struct json_error error;
    struct json *root;
    bool from_file = str_starts(data, STR("@"));
    if (from_file || str_eq(data, STR("-"))) {
        struct str path = from_file ? str_sub(data, 1, data.n) : data;
        if (file_read(path, DATA_MAX_BYTES, cli->arena, &data, &problem))
            return cli_fail(cli, EXIT_USAGE, "error: --data: %.*s", STR_ARG(problem));
    }
    if (json_parse(data, JSON_DEPTH_MAX, &root, &error))
        return cli_fail(cli, EXIT_USAGE, "error E0101: --data is not valid JSON: line %zu, column %zu: %s", error.line,
                        error.column, error.text);
    bool object = json_type(root) == JSON_OBJECT;
    json_free(root);
    if (!object) return cli_fail(cli, EXIT_USAGE, "error E0102: --data must be a JSON object");
    *ret_payload = data;
    return EXIT_DONE;
}

static struct str random_key(struct cli *cli) {
    struct rng rng;
    struct uuid last = {0};
    uint64_t seed;
    hash_random(&seed, sizeof seed);
    rng_seed(&rng, seed);
    return uuid_str(cli->arena, uuid_v7(cli_wall_us(), &rng, &last));
}

static int read_at(struct cli *cli, struct str *ret_at) {
    struct str at = cli_value(cli, "at");
    int64_t us;
    if (span_parse(at, &us))
        at = when_str(cli->arena, cli_wall_us() + us);
    else if (at.p && !when_parse(at, &us))
        return cli_fail(cli, EXIT_USAGE,
                        "error: --at takes RFC 3339 with an offset, or a length of time from now as 2h");
    *ret_at = at;
    return EXIT_DONE;
}

static void add_text(struct buf *body, const char *name, struct str text) {
    buf_fmt(body, ",\"%s\":", name);
    json_quote(body, text);
}

/* The payload goes in as it was written. */
static int make_body(struct cli *cli, struct str key, struct str *ret_body) {
    struct buf body = {.arena = cli->arena};
    struct str payload, at, source = cli_value(cli, "source");
    int code = read_data(cli, &payload);
    if (!code) code = read_at(cli, &at);
    if (code) return code;
    buf_add(&body, STR("{\"type\":"));
    json_quote(&body, cli_argument(cli, 0));
    add_text(&body, "source", source.p ? source : STR("cli"));
    add_text(&body, "idempotency_key", key);
    if (at.p) add_text(&body, "scheduled_at", at);
    buf_add(&body, STR(",\"payload\":"));
    buf_add(&body, payload);
    buf_byte(&body, '}');
    *ret_body = buf_str(&body);
    return EXIT_DONE;
}

/* ---- waiting ---- */

struct tally {
    size_t delivered, failed, held, skipped, open;
};

static struct tally tally_of(const struct json *event) {
    const struct json *deliveries = json_get(event, STR("deliveries"));
    struct tally tally = {0};
    for (size_t i = 0; i < json_size(deliveries); i++) {
        struct str status = json_text(json_get(json_at(deliveries, i), STR("status")));
        if (json_text(json_get(json_at(deliveries, i), STR("superseded_by"))).n) continue;
        if (str_eq(status, STR("COMPLETED")))
            tally.delivered++;
        else if (str_eq(status, STR("SKIPPED")))
            tally.skipped++;
        else if (str_eq(status, STR("FAILED")))
            tally.failed++;
        else if (str_eq(status, STR("HELD"))) /* a person must decide, so waiting does not help */
            tally.held++;
        else
            tally.open++;
    }
    return tally;
}

/* Shows what has settled since the last look, with all_too also what has not. */
static void show_settled(struct cli *cli, const struct json *event, bool *shown, bool all_too) {
    const struct json *deliveries = json_get(event, STR("deliveries"));
    for (size_t i = 0; i < json_size(deliveries) && i < LINES_MAX; i++) {
        const struct json *delivery = json_at(deliveries, i);
        struct str status = json_text(json_get(delivery, STR("status")));
        bool open =
            str_eq(status, STR("PENDING")) || str_eq(status, STR("PROCESSING")) || str_eq(status, STR("UNKNOWN"));
        if (shown[i] || (open && !all_too)) continue;
        shown[i] = true;
        show_delivery_line(cli, delivery, 0, STR(""));
    }
    writer_flush(&cli->out);
}

/* The exit code of an event that is over. */
static int judge(struct cli *cli, const struct json *event) {
    struct tally tally = tally_of(event);
    struct str status = json_text(json_get(event, STR("status")));
    bool none = tally.failed + tally.held + tally.delivered + tally.skipped == 0;
    if (none && str_eq(status, STR("FAILED")))
        return cli_fail(cli, EXIT_FAILED, "error: routing failed: %.*s",
                        STR_ARG(show_member(cli, event, "last_error")));
    if (none && !cli->quiet) show_unwanted(cli, &cli->err, event);
    if (tally.failed + tally.held == 0) return EXIT_DONE;
    return tally.delivered + tally.held == 0 ? EXIT_FAILED : EXIT_PARTLY;
}

/* The earliest moment at which anything of the event can go on, as the server says. WHEN_NEVER when it names none,
 * because something is on its way. */
static int64_t next_due_us(struct cli *cli, const struct json *event) {
    const struct json *deliveries = json_get(event, STR("deliveries"));
    int64_t due_us, next_us = WHEN_NEVER;
    if (str_eq(show_member(cli, event, "status"), STR("PENDING")))
        return when_parse(show_member(cli, event, "scheduled_at"), &due_us) ? due_us : WHEN_NEVER;
    for (size_t i = 0; i < json_size(deliveries); i++) {
        const struct json *delivery = json_at(deliveries, i);
        struct str status = show_member(cli, delivery, "status");
        if (str_eq(status, STR("PROCESSING"))) return WHEN_NEVER;
        if (!str_eq(status, STR("PENDING")) && !str_eq(status, STR("UNKNOWN"))) continue;
        if (!when_parse(show_member(cli, delivery, "due"), &due_us)) return WHEN_NEVER;
        if (due_us < next_us) next_us = due_us;
    }
    return next_us;
}

/* One look at the event; true when it is over, one way or another. */
static bool look(struct cli *cli, struct str path, bool *shown, int64_t until_us, int *ret_code) {
    struct asked asked;
    int code;
    *ret_code = ask(cli, "GET", path, STR_NONE, &asked);
    if (*ret_code) return true;
    bool lines = cli->output == OUTPUT_TABLE && !cli->jq.p;
    struct str status = json_text(json_get(asked.json, STR("status")));
    bool settled = tally_of(asked.json).open == 0 && !str_eq(status, STR("PENDING"));
    bool late = cli_now_us() >= until_us, stopped = cli_stopped(cli);
    int64_t next_us = next_due_us(cli, asked.json);
    bool vain = !settled && next_us != WHEN_NEVER && next_us > cli_wall_us() + (until_us - cli_now_us());
    bool over = settled || late || stopped || vain;
    if (lines) show_settled(cli, asked.json, shown, over);
    if (over) *ret_code = settled ? judge(cli, asked.json) : stopped ? EXIT_INTERRUPTED : EXIT_TIMED_OUT;
    if (over && !lines) (void)show_machine(cli, asked.body, "id", &code);
    if (over && !settled)
        cli_say(cli, "%s; the work goes on: drumbeat events show %.*s",
                stopped ? "stopped watching"
                : vain  ? str_fmt(cli->arena, "not due before %.*s", STR_ARG(when_str(cli->arena, next_us))).p
                        : "still open",
                STR_ARG(show_member(cli, asked.json, "id")));
    asked_free(&asked);
    return over;
}

int show_outcome(struct cli *cli, struct str id) {
    bool shown[LINES_MAX] = {false};
    struct str path = path_of(cli, "/v1/events/", id, "");
    int64_t until_us = cli_now_us() + cli->timeout_us;
    int code;
    while (!look(cli, path, shown, until_us, &code)) cli_sleep(cli, POLL_US);
    return code;
}

/* ---- the command ---- */

static void show_sent(struct cli *cli, const struct asked *asked, struct str id) {
    if (str_eq(asked->event_status, STR("DUPLICATE")))
        writer_fmt(&cli->out, "%.*s duplicate: this key brought the same payload before, nothing new is sent\n",
                   STR_ARG(id));
    else
        writer_fmt(&cli->out, "%.*s accepted (new)\n", STR_ARG(id));
    writer_flush(&cli->out);
}

int command_send(struct cli *cli) {
    struct str key = cli_value(cli, "key"), body;
    struct asked asked;
    if (!key.p) key = random_key(cli);
    int code = make_body(cli, key, &body);
    if (!code) code = ask(cli, "POST", STR("/v1/events"), body, &asked);
    if (code == EXIT_TIMED_OUT) cli_say(cli, "Sent again with --key %.*s it is stored once at most.", STR_ARG(key));
    if (code) return code;
    struct str id = str_dup(cli->arena, show_member(cli, asked.json, "eventId"));
    bool wait = cli_flag(cli, "wait"), lines = cli->output == OUTPUT_TABLE && !cli->jq.p;
    if (!cli_flag(cli, "key")) cli_say(cli, "key %.*s", STR_ARG(key));
    if (lines)
        show_sent(cli, &asked, id);
    else if (!wait)
        (void)show_machine(cli, asked.body, "eventId", &code);
    asked_free(&asked);
    return wait ? show_outcome(cli, id) : code;
}
