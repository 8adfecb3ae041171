/* cli/sources_made.c - sources test, of those that make their events themselves: schedules and folders. */
#include "cli/sources.h"

#include "base/json.h"
#include "base/when.h"
#include "cli/rehearse.h"
#include "ingest/intake.h"
#include "os/file.h"
#include "schedule/post.h"
#include "schedule/schedules.h"

static int finish(struct cli *cli, const struct intake_context *context, struct event event) {
    struct refusal refusal = {ERR_BAD_JSON, STR("its payload is no JSON"), STR("")};
    struct json *root = NULL;
    bool good =
        !json_parse(event.payload, JSON_DEPTH_MAX, &root, NULL) && intake_finish(context, root, &event, &refusal);
    json_free(root);
    if (good) return source_show_event(cli, &event);
    return cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(refusal.err), STR_ARG(refusal.detail));
}

/* The event of the next time. */
static int rehearse_schedule(struct rehearsal *rehearsal, const struct intake_context *context, struct str source) {
    const struct schedules *schedules = rehearsal->setup->schedules;
    size_t at = 0;
    while (!str_eq(schedules->list[at].source->name, source)) at++; /* the configuration is whole: it is there */
    const struct schedule_entry *entry = &schedules->list[at];
    int64_t reached_min = schedule_reached(entry->schedule, context->wall_us);
    return finish(rehearsal->cli, context,
                  schedule_event(entry, schedule_next(entry->schedule, reached_min), context->arena));
}

/* The event of a file, as it stands. */
static int rehearse_file(struct rehearsal *rehearsal, const struct intake_context *context, struct str source,
                         struct str file) {
    const struct schedules *schedules = rehearsal->setup->schedules;
    struct cli *cli = rehearsal->cli;
    struct findings findings = {.arena = cli->arena};
    struct str text, front, body, problem;
    struct post post;
    size_t at = 0;
    while (!str_eq(schedules->folders[at].source->name, source)) at++;
    const struct folder_entry *entry = &schedules->folders[at];
    if (!file.n) return cli_fail(cli, EXIT_USAGE, "error: which file? As in %.*s.first.md", STR_ARG(source));
    struct str path = str_fmt(cli->arena, "%.*s/%.*s", STR_ARG(entry->source->folder.path), STR_ARG(file));
    if (file_read(path, (size_t)context->settings->server.max_event_bytes, cli->arena, &text, &problem))
        return cli_fail(cli, EXIT_NOT_FOUND, "error: %.*s", STR_ARG(problem));
    const struct tree *tree = NULL;
    bool good = post_split(text, &front, &body, &problem);
    if (good && front.n) tree = config_parse(cli->arena, file, front, &findings);
    if (findings.errors) return cli_fail(cli, EXIT_FAILED, "%.*s", STR_ARG(findings_text(cli->arena, &findings)));
    if (!good || !post_read(file, tree, body, entry->zone, cli->arena, &post, &problem))
        return cli_fail(cli, EXIT_FAILED, "error: %.*s: %.*s", STR_ARG(file), STR_ARG(problem));
    if (post.doubt.n) cli_say(cli, "! %.*s: %.*s", STR_ARG(file), STR_ARG(post.doubt));
    if (post.draft) cli_say(cli, "It is a draft, without publish_at or with draft: true: nothing is published yet.");
    if (!post.draft) cli_say(cli, "Due %.*s", STR_ARG(when_str(cli->arena, post.due_us)));
    int64_t late_us = entry->source->folder.late_us;
    if (!post.draft && context->wall_us - post.due_us > late_us)
        cli_say(
            cli,
            "Its time is over: publish_at lies back by more than the source's 'late' (%.*s), so nothing is made of it",
            STR_ARG(span_human(cli->arena, late_us)));
    return finish(cli, context, post_event(entry->source, file, &post, cli->arena));
}

bool source_is_posted(const struct source_settings *source) {
    return source->kind != SOURCE_SCHEDULE && source->kind != SOURCE_FOLDER;
}

int source_rehearse(struct rehearsal *rehearsal, const struct source_settings *source, struct str what,
                    const struct intake_context *context) {
    if (source->kind == SOURCE_FOLDER) return rehearse_file(rehearsal, context, source->name, what);
    return rehearse_schedule(rehearsal, context, source->name);
}
