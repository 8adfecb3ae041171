/* cli/trigger.c - trigger: a sample to the server, and what became of it. */
#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/sample.h"
#include "cli/show.h"
#include "cli/sources.h"
#include "model/request.h"
#include "model/source.h"

#define POLL_US   (100 * US_PER_MS)
#define ROUTED_US (2 * US_PER_S) /* so long it is watched whether a route wants the event */

static bool is_pending(const struct asked *asked) {
    return asked->status == 200 && str_eq(json_text(json_get(asked->json, STR("status"))), STR("PENDING"));
}

/* Says so when no route wants the event. It is routed right after it was stored, unless it is due later. Whoever may
 * not read events, which the key decides, is told no more. */
static int show_routed(struct cli *cli, struct str id) {
    struct asked asked;
    int64_t until_us = cli_now_us() + ROUTED_US;
    for (;;) {
        int code = ask_any(cli, "GET", path_of(cli, "/v1/events/", id, ""), STR_NONE, &asked);
        if (code) return code;
        if (!is_pending(&asked) || cli_now_us() >= until_us || cli_stopped(cli)) break;
        asked_free(&asked);
        cli_sleep(cli, POLL_US);
    }
    if (asked.status == 200) show_unwanted(cli, &cli->out, asked.json);
    asked_free(&asked);
    return EXIT_DONE;
}

/* A sample is one event. Who wants XML as the answer is told no ids. */
static int show_taken(struct cli *cli, const struct json *answer) {
    struct str id = str_dup(cli->arena, json_text(json_at(json_get(answer, STR("eventIds")), 0)));
    if (!id.n) {
        writer_add(&cli->out, STR("taken\n"));
        cli_say(cli, "`drumbeat tail` and `drumbeat events list` show what became of it.");
        return EXIT_DONE;
    }
    if (str_eq(show_member(cli, answer, "duplicates"), STR("1"))) {
        writer_fmt(&cli->out, "%.*s duplicate: this key came before, nothing new is sent\n", STR_ARG(id));
        return EXIT_DONE;
    }
    writer_fmt(&cli->out, "%.*s accepted (new)\n", STR_ARG(id));
    writer_flush(&cli->out);
    return show_routed(cli, id);
}

static int post(struct cli *cli, const struct source_settings *source, const struct request *request) {
    struct asked asked;
    int code = source_ask(cli, source->name, &asked); /* else a name that is not in force is no more than E0135 */
    if (code) return code;
    asked_free(&asked);
    code = ask_as(cli, request, &asked);
    if (code == EXIT_NOT_ALLOWED)
        cli_say(cli, "Is the configuration here the one in force? The sample is signed with the secret that it names.");
    if (code) return code;
    if (!show_machine(cli, asked.body, NULL, &code)) code = show_taken(cli, asked.json);
    asked_free(&asked);
    return code;
}

int command_trigger(struct cli *cli) {
    struct rehearsal rehearsal;
    struct request request;
    const struct source_settings *source;
    int code = rehearsal_open(cli, &rehearsal);
    if (code) return code;
    code = sample_make(&rehearsal, &request, &source);
    if (!code && cli->dry_run) {
        writer_fmt(&cli->out, "would post to /%s/%.*s: ", source->kind == SOURCE_FORM ? "f" : "in",
                   STR_ARG(source->name));
        writer_safe(&cli->out, rehearsal_redact(&rehearsal, request.body));
        writer_add(&cli->out, STR("\n"));
    } else if (!code) {
        code = post(cli, source, &request);
    }
    rehearsal_close(&rehearsal);
    return code;
}
