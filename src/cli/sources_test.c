/* cli/sources_test.c - sources test and trigger: a request as a source's sender would make it. */
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/rehearse.h"
#include "cli/show.h"
#include "config/keys.h"
#include "ingest/webhook.h"
#include "os/file.h"

#define DATA_MAX_BYTES ((size_t)64 << 20) /* the server's own limits are lower */

/* ---- samples ---- */

/* Puts a text, or what is JSON, at a.b.c; what stands in the way is replaced. */
static int set_field(struct cli *cli, struct json *root, struct str assignment) {
    size_t equals = str_find(assignment, '=');
    struct str rest = str_sub(assignment, 0, equals), step, text;
    struct json *value;
    if (equals == SIZE_MAX || !rest.n)
        return cli_fail(cli, EXIT_USAGE, "error: --set takes a path and a value, as in customer.email=ada@example.com");
    text = str_sub(assignment, equals + 1, assignment.n);
    if (json_parse(text, JSON_DEPTH_MAX, &value, NULL)) {
        value = json_str(text);
    } else {
        struct json *copy = json_copy(value);
        json_free(value);
        value = copy;
    }
    while (str_next(&rest, '.', &step) && rest.n) {
        struct json *child = (struct json *)(uintptr_t)json_get(root, step);
        if (json_type(child) != JSON_OBJECT) {
            child = json_object();
            json_set(root, step, child);
        }
        root = child;
    }
    json_set(root, step, value);
    return EXIT_DONE;
}

static int read_fields(struct cli *cli, struct json **ret_fields) {
    struct str data = cli_value(cli, "data"), problem;
    struct json_error error;
    struct json *parsed, *fields = json_object();
    if (str_starts(data, STR("@")) && file_read(str_sub(data, 1, data.n), DATA_MAX_BYTES, cli->arena, &data, &problem))
        return cli_fail(cli, EXIT_USAGE, "error: --data: %.*s", STR_ARG(problem));
    if (data.p) {
        if (json_parse(data, JSON_DEPTH_MAX, &parsed, &error))
            return cli_fail(cli, EXIT_USAGE, "error E0101: --data is not valid JSON: line %zu, column %zu: %s",
                            error.line, error.column, error.text);
        json_free(fields);
        fields = json_copy(parsed);
        json_free(parsed);
    }
    if (json_type(fields) != JSON_OBJECT) return cli_fail(cli, EXIT_USAGE, "error: --data must be a JSON object");
    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, "set") != 0) continue;
        int code = set_field(cli, fields, cli->given[i].value);
        if (code) return code;
    }
    *ret_fields = fields;
    return EXIT_DONE;
}

static int find_source(struct cli *cli, const struct settings *settings, struct str name,
                       const struct source_settings **ret_source) {
    struct suggestion near = {.wrong = name};
    for (size_t i = 0; i < settings->source_count; i++) {
        *ret_source = &settings->sources[i];
        if (str_eq(settings->sources[i].name, name)) return EXIT_DONE;
        suggestion_consider(&near, settings->sources[i].name);
    }
    return cli_fail(cli, EXIT_NOT_FOUND, "error: there is no source '%.*s'%.*s", STR_ARG(name),
                    STR_ARG(suggestion_text(cli->arena, &near)));
}

/* SOURCE, or SOURCE.TYPE: a request as its sender would make it. */
static int make_request(struct rehearsal *rehearsal, struct request *ret_request,
                        const struct source_settings **ret_source) {
    struct cli *cli = rehearsal->cli;
    const struct settings *settings = rehearsal->setup->settings;
    struct str named = cli_argument(cli, 0), problem;
    size_t dot = str_find(named, '.');
    uint8_t noise[9];
    struct sample_wish wish = {.what = dot == SIZE_MAX ? STR("") : str_sub(named, dot + 1, named.n),
                               .wall_us = cli_wall_us()};
    hash_random(noise, sizeof noise);
    wish.id = str_fmt(cli->arena, "sample-%.*s", STR_ARG(hex_encode(cli->arena, noise, sizeof noise)));
    int code = find_source(cli, settings, str_sub(named, 0, dot), ret_source);
    if (!code) code = read_fields(cli, &wish.fields);
    if (code) return code;
    bool made = webhook_sample(*ret_source, &settings->server, &wish, cli->arena, ret_request, &problem);
    json_free(wish.fields);
    return made ? EXIT_DONE : cli_fail(cli, EXIT_FAILED, "error: no sample can be made: %.*s", STR_ARG(problem));
}

/* ---- test: what a sample would become ---- */

static void show_event(struct cli *cli, const struct json *event) {
    writer_fmt(&cli->out, "type  %.*s\nkey   %.*s\n", STR_ARG(show_member(cli, event, "type")),
               STR_ARG(show_member(cli, event, "idempotency_key")));
    writer_safe(&cli->out, show_member(cli, event, "payload"));
    writer_add(&cli->out, STR("\n"));
}

static int show_event_of(struct cli *cli, const struct event *event) {
    struct buf text = {.arena = cli->arena};
    struct asked asked = {.status = 200};
    buf_add(&text, STR("{\"type\":"));
    json_quote(&text, event->type);
    buf_add(&text, STR(",\"source\":"));
    json_quote(&text, event->source);
    buf_add(&text, STR(",\"idempotency_key\":"));
    json_quote(&text, event->key);
    buf_fmt(&text, ",\"payload\":%.*s}", STR_ARG(event->payload));
    asked.body = buf_str(&text);
    if (json_parse(asked.body, ANSWER_DEPTH_MAX, &asked.json, NULL)) asked.json = NULL;
    return show_one(cli, &asked, "idempotency_key", show_event);
}

static int judge(struct rehearsal *rehearsal, const struct source_settings *source, const struct request *request) {
    struct cli *cli = rehearsal->cli;
    struct rng rng;
    struct uuid last = {0};
    struct posting posting;
    struct refusal refusal = {0};
    struct str words = STR("");
    rng_seed(&rng, (uint64_t)cli_wall_us());
    const struct intake_context context = {
        rehearsal->setup->settings, cli_wall_us(), rehearsal->hasher, &rng, &last, cli->arena};
    if (webhook_take(&context, source, request, &posting, &refusal, &words))
        return cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(refusal.err),
                        STR_ARG(refusal.detail.n ? refusal.detail : words));
    const struct intake_item *item = &posting.intake.items[0];
    if (!item->valid)
        return cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(item->refusal.err), STR_ARG(item->refusal.detail));
    return show_event_of(cli, &item->event);
}

int command_sources_test(struct cli *cli) {
    struct rehearsal rehearsal;
    struct request request;
    const struct source_settings *source;
    int code = rehearsal_open(cli, &rehearsal);
    if (code) return code;
    code = make_request(&rehearsal, &request, &source);
    if (!code) code = judge(&rehearsal, source, &request);
    rehearsal_close(&rehearsal);
    return code;
}

/* ---- trigger: a sample to the server ---- */

static void show_taken(struct cli *cli, const struct json *answer) {
    struct str accepted = show_member(cli, answer, "accepted");
    writer_fmt(&cli->out, "taken: %.*s\n", STR_ARG(accepted.n ? accepted : STR("1")));
    cli_say(cli, "`drumbeat tail` and `drumbeat events list` show what became of it.");
}

int command_trigger(struct cli *cli) {
    struct rehearsal rehearsal;
    struct request request;
    const struct source_settings *source;
    struct asked asked;
    int code = rehearsal_open(cli, &rehearsal);
    if (code) return code;
    code = make_request(&rehearsal, &request, &source);
    if (!code && cli->dry_run) {
        writer_fmt(&cli->out, "would post to /in/%.*s: ", STR_ARG(source->name));
        writer_safe(&cli->out, rehearsal_redact(&rehearsal, request.body));
        writer_add(&cli->out, STR("\n"));
    } else if (!code) {
        code = ask_as(cli, &request, &asked);
        if (!code) code = show_one(cli, &asked, NULL, show_taken);
    }
    rehearsal_close(&rehearsal);
    return code;
}
