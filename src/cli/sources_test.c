/* cli/sources_test.c - sources test: what a sample would become; and a form as HTML. */
#include "base/hash.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/sample.h"
#include "cli/show.h"
#include "cli/sources.h"
#include "ingest/form_page.h"

static void show_event(struct cli *cli, const struct json *event) {
    writer_fmt(&cli->out, "type  %.*s\nkey   %.*s\n", STR_ARG(show_member(cli, event, "type")),
               STR_ARG(show_member(cli, event, "idempotency_key")));
    writer_safe(&cli->out, show_member(cli, event, "payload"));
    writer_add(&cli->out, STR("\n"));
}

int source_show_event(struct cli *cli, const struct event *event) {
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

/* The event of a request, or why there is none. */
static enum err take(const struct intake_context *context, const struct source_settings *source,
                     const struct request *request, struct intake_item *ret_item) {
    struct posting posting;
    struct submission submission;
    struct str words = STR("");
    struct refusal refusal = {0};
    enum err err = source->kind == SOURCE_FORM ? submission_read(context, source, request, &submission, &refusal)
                                               : webhook_take(context, source, request, &posting, &refusal, &words);
    for (size_t i = 0; !err && source->kind == SOURCE_FORM && i < submission.entry_count; i++)
        if (submission.entries[i].problem)
            refusal = (struct refusal){ERR_NOT_FILLED,
                                       form_problem_text(source, &submission.entries[i], context->arena), STR_NONE};
    if (!err && !refusal.err)
        *ret_item =
            source->kind == SOURCE_FORM ? submission_event(context, request, &submission) : posting.intake.items[0];
    if (refusal.err && !refusal.detail.n) refusal.detail = words;
    if (refusal.err) ret_item->refusal = refusal;
    return ret_item->refusal.err;
}

static int judge(struct rehearsal *rehearsal, const struct intake_context *context) {
    struct cli *cli = rehearsal->cli;
    struct request request;
    const struct source_settings *source;
    struct intake_item item = {0};
    int code = sample_make(rehearsal, &request, &source);
    if (code) return code;
    if (take(context, source, &request, &item))
        return cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(item.refusal.err), STR_ARG(item.refusal.detail));
    return source_show_event(cli, &item.event);
}

int source_page(struct cli *cli, struct str name) {
    struct rehearsal rehearsal;
    const struct source_settings *source;
    int code = rehearsal_open(cli, &rehearsal);
    if (code) return code;
    struct str url = rehearsal.setup->settings->server.url;
    code = sample_source(cli, rehearsal.setup->settings, name, &source);
    if (!code && (source->kind != SOURCE_FORM || !source->form.field_count))
        code = cli_fail(cli, EXIT_FAILED, "error: '%.*s' is no form, or one that declares no fields", STR_ARG(name));
    if (!code) {
        const struct form_view view = {.source = source,
                                       .action = str_fmt(cli->arena, "%.*s/f/%.*s", STR_ARG(url), STR_ARG(name))};
        if (!url.n)
            cli_say(cli,
                    "The form posts to a path of the page's own site: server.url says where the world reaches this "
                    "server.");
        writer_add(&cli->out, form_paste(&view, cli->arena));
    }
    rehearsal_close(&rehearsal);
    return code;
}

int command_sources_test(struct cli *cli) {
    struct rehearsal rehearsal;
    const struct source_settings *source;
    struct str what;
    struct rng rng;
    struct uuid last = {0};
    int code = rehearsal_open(cli, &rehearsal);
    if (code) return code;
    rng_seed(&rng, (uint64_t)cli_wall_us());
    struct evaluator evaluator = rehearsal_evaluator(&rehearsal);
    const struct intake_context context = {.settings = rehearsal.setup->settings,
                                           .wall_us = cli_wall_us(),
                                           .hasher = rehearsal.hasher,
                                           .rng = &rng,
                                           .last_id = &last,
                                           .arena = cli->arena,
                                           .mappings = rehearsal.setup->mappings,
                                           .evaluator = &evaluator};
    code = sample_named(&rehearsal, &source, &what);
    if (!code && source_is_posted(source))
        code = judge(&rehearsal, &context);
    else if (!code)
        code = source_rehearse(&rehearsal, source, what, &context);
    rehearsal_close(&rehearsal);
    return code;
}
