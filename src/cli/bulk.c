#include "cli/bulk.h"

#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "cli/bar.h"
#include "cli/pages.h"
#include "cli/show.h"

#define PAGE_IDS      50 /* as the server takes them */
#define IDS_MAX       100000
#define REFUSALS_SAID 10

/* What is to be acted on, and how many of each group. */
struct chosen {
    struct cli *cli;
    const struct bulk *bulk;
    bool by_delivery;  /* events that are found by their deliveries */
    bool newest_first; /* as lists are; what is done is done in the order of the events */
    struct map ids;
    struct map groups; /* to size_t */
    size_t done, refused;
    size_t doubts;       /* may have arrived: nobody knows what became of a try */
    struct buf refusals; /* items of a JSON list */
};

static const char *const filters[][2] = {{"status", "status"}, {"destination", "destination"}, {"event", "event_id"},
                                         {"type", "type"},     {"source", "source"},           {"since", "since"},
                                         {"until", "until"}};

static bool bulk_filtered(const struct cli *cli) {
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (cli_flag(cli, filters[i][0])) return true;
    return cli_flag(cli, "route") || cli_flag(cli, "error");
}

bool bulk_wanted(const struct cli *cli) {
    return cli->argument_count != 1;
}

/* ---- choosing ---- */

static bool has_word(const char *words, struct str word) {
    struct str rest = str_from(words), one;
    while (str_next(&rest, ' ', &one))
        if (str_eq(one, word)) return true;
    return false;
}

static bool is_chosen(struct chosen *chosen, const struct json *item) {
    struct cli *cli = chosen->cli;
    struct str route = cli_value(cli, "route"), error = cli_value(cli, "error");
    if (!has_word(chosen->bulk->statuses, show_member(cli, item, "status"))) return false;
    if (show_member(cli, item, "superseded_by").n) return false;
    if (route.p && !str_eq(show_member(cli, item, "route"), route)) return false;
    struct str said = show_member(cli, item, "last_error");
    return !error.p || memmem(said.p, said.n, error.p, error.n) != NULL;
}

static void choose(struct chosen *chosen, const struct json *item) {
    struct cli *cli = chosen->cli;
    struct str id = str_dup(cli->arena, show_member(cli, item, chosen->by_delivery ? "event_id" : "id"));
    struct str group =
        str_dup(cli->arena, show_member(cli, item, chosen->by_delivery ? "destination" : chosen->bulk->group));
    if (chosen->ids.count >= IDS_MAX || map_get(&chosen->ids, id)) return;
    size_t *count = map_get(&chosen->groups, group);
    if (!count) {
        count = arena_new(cli->arena, size_t);
        map_set(&chosen->groups, group, count);
    }
    (*count)++;
    chosen->doubts += json_true(json_get(item, STR("in_doubt")));
    map_set(&chosen->ids, id, chosen);
}

static int choose_named(struct chosen *chosen) {
    struct cli *cli = chosen->cli;
    const char *before = str_fmt(cli->arena, "/v1/%s/", chosen->bulk->noun).p;
    for (size_t i = 0; i < cli->argument_count; i++) {
        struct asked asked;
        int code = ask(cli, "GET", path_of(cli, before, cli_argument(cli, i), ""), STR_NONE, &asked);
        if (code) return code;
        choose(chosen, asked.json);
        asked_free(&asked);
    }
    return EXIT_DONE;
}

static int choose_found(struct chosen *chosen) {
    struct cli *cli = chosen->cli;
    struct str cursor = STR_NONE;
    do {
        struct buf path = {.arena = cli->arena};
        struct asked asked;
        buf_fmt(&path, "/v1/%s?limit=1000", chosen->by_delivery ? "deliveries" : chosen->bulk->noun);
        for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
            path_option(cli, &path, filters[i][0], filters[i][1]);
        if (cursor.p) path_query(&path, "cursor", cursor);
        int code = ask(cli, "GET", buf_str(&path), STR_NONE, &asked);
        if (code) return code;
        const struct json *items = json_get(asked.json, STR("items"));
        for (size_t i = 0; i < json_size(items); i++)
            if (is_chosen(chosen, json_at(items, i))) choose(chosen, json_at(items, i));
        struct str next = show_member(cli, asked.json, "next");
        cursor = next.n ? str_dup(cli->arena, next) : STR_NONE;
        asked_free(&asked);
    } while (cursor.p && chosen->ids.count < IDS_MAX && !cli_stopped(cli));
    if (!cursor.p || chosen->ids.count < IDS_MAX) return EXIT_DONE;
    /* Those that were found are the newest. Done before the rest, they would lie below what is older. */
    return cli_fail(cli, EXIT_USAGE,
                    "error: more than %d %s are meant: name them in parts, the oldest first, with --until, as "
                    "--until 2026-12-01T09:00:00Z",
                    IDS_MAX, chosen->bulk->noun);
}

/* ---- the plan ---- */

/* "12 deliveries: crm 10, mail 2" */
static struct str plan_text(const struct chosen *chosen) {
    struct buf buf = {.arena = chosen->cli->arena};
    const char *one = chosen->bulk->noun[0] == 'e' ? "event" : "delivery";
    buf_add(&buf, show_count(chosen->cli, (int64_t)chosen->ids.count, one, chosen->bulk->noun));
    for (size_t i = 0; i < chosen->groups.count; i++) {
        const struct map_slot *slot = &chosen->groups.slots[i];
        buf_fmt(&buf, "%s%.*s %zu", i ? ", " : ": ", STR_ARG(str_safe(chosen->cli->arena, slot->key, true)),
                *(const size_t *)slot->value);
    }
    return buf_str(&buf);
}

static struct str plan_json(struct chosen *chosen) {
    struct buf buf = {.arena = chosen->cli->arena};
    buf_fmt(&buf, "{\"act\":\"%s\",\"count\":%zu,\"by\":{", chosen->bulk->verb, chosen->ids.count);
    for (size_t i = 0; i < chosen->groups.count; i++) {
        if (i) buf_byte(&buf, ',');
        json_quote(&buf, chosen->groups.slots[i].key);
        buf_fmt(&buf, ":%zu", *(const size_t *)chosen->groups.slots[i].value);
    }
    buf_fmt(&buf, "},\"done\":%zu,\"refused\":%zu,\"refusals\":[%.*s]}", chosen->done, chosen->refused,
            STR_ARG(buf_str(&chosen->refusals)));
    return buf_str(&buf);
}

/* ---- doing ---- */

static struct str id_at(const struct chosen *chosen, size_t i) {
    return chosen->ids.slots[chosen->newest_first ? chosen->ids.count - 1 - i : i].key;
}

static int act_on_page(struct chosen *chosen, size_t from, size_t end) {
    struct cli *cli = chosen->cli;
    struct buf body = {.arena = cli->arena};
    struct asked asked;
    buf_add(&body, STR("{\"ids\":["));
    for (size_t i = from; i < end; i++) buf_fmt(&body, "%s\"%.*s\"", i > from ? "," : "", STR_ARG(id_at(chosen, i)));
    buf_fmt(&body, "]%s%.*s,\"dry\":%s}", chosen->bulk->members.n ? "," : "", STR_ARG(chosen->bulk->members),
            cli->dry_run ? "true" : "false");
    bool dry_run = cli->dry_run;
    cli->dry_run = false; /* the server is asked what would come of it */
    int code = ask(cli, "POST", str_fmt(cli->arena, "/v1/bulk/%s", chosen->bulk->noun), buf_str(&body), &asked);
    cli->dry_run = dry_run;
    if (code) return code;
    const struct json *items = json_get(asked.json, STR("items"));
    for (size_t i = 0; i < json_size(items); i++) {
        const struct json *item = json_at(items, i);
        if (json_true(json_get(item, STR("done")))) {
            chosen->done++;
            continue;
        }
        struct str id = show_member(cli, item, "id"), error = show_member(cli, item, "error");
        if (chosen->refused++ < REFUSALS_SAID) cli_say(cli, "%.*s: %.*s", STR_ARG(id), STR_ARG(error));
        buf_fmt(&chosen->refusals, "%s{\"id\":\"%.*s\",\"error\":", chosen->refusals.n ? "," : "", STR_ARG(id));
        json_quote(&chosen->refusals, error);
        buf_byte(&chosen->refusals, '}');
    }
    asked_free(&asked);
    return EXIT_DONE;
}

static int show_plan(struct chosen *chosen) {
    struct cli *cli = chosen->cli;
    int code;
    if (show_machine(cli, plan_json(chosen), "done", &code)) return code;
    writer_fmt(&cli->out, "would %s ", chosen->bulk->verb);
    if (chosen->refused) writer_fmt(&cli->out, "%zu of ", chosen->done);
    writer_fmt(&cli->out, "%.*s", STR_ARG(plan_text(chosen)));
    if (chosen->refused) writer_fmt(&cli->out, "; %zu would be refused", chosen->refused);
    writer_add(&cli->out, STR("\n"));
    return EXIT_DONE;
}

static int tell(struct chosen *chosen) {
    struct cli *cli = chosen->cli;
    int code;
    if (cli->dry_run) return show_plan(chosen);
    struct str json = str_fmt(cli->arena, "{\"act\":\"%s\",\"done\":%zu,\"refused\":%zu,\"refusals\":[%.*s]}",
                              chosen->bulk->verb, chosen->done, chosen->refused, STR_ARG(buf_str(&chosen->refusals)));
    if (show_machine(cli, json, "done", &code)) return code;
    writer_fmt(&cli->out, "%s: %zu done", chosen->bulk->verb, chosen->done);
    if (chosen->refused) writer_fmt(&cli->out, ", %zu refused", chosen->refused);
    writer_add(&cli->out, STR("\n"));
    return EXIT_DONE;
}

static int act_on_all(struct chosen *chosen) {
    struct cli *cli = chosen->cli;
    size_t count = chosen->ids.count;
    int code = EXIT_DONE;
    for (size_t at = 0; at < count && !code; at += PAGE_IDS) {
        bar_show(cli, chosen->bulk->verb, (double)at / (double)count, 0);
        code = act_on_page(chosen, at, at + PAGE_IDS < count ? at + PAGE_IDS : count);
    }
    bar_end(cli);
    int told = tell(chosen);
    if (code) return chosen->done ? EXIT_PARTLY : code;
    if (told || !chosen->refused) return told;
    return chosen->done ? EXIT_PARTLY : EXIT_CONFLICT;
}

static int found_nothing(const struct chosen *chosen) {
    struct cli *cli = chosen->cli;
    int code = pages_found_nothing(cli);
    return code ? code : cli_fail(cli, EXIT_NOT_FOUND, "there is nothing to %s", chosen->bulk->verb);
}

int bulk_run(struct cli *cli, const struct bulk *bulk) {
    struct chosen chosen = {.cli = cli,
                            .bulk = bulk,
                            .ids = {.arena = cli->arena},
                            .groups = {.arena = cli->arena},
                            .refusals = {.arena = cli->arena}};
    bool filtered = chosen.newest_first = cli->argument_count == 0;
    chosen.by_delivery = filtered && str_eq(str_from(bulk->noun), STR("events")) &&
                         (cli_flag(cli, "route") || cli_flag(cli, "destination"));
    if (filtered == !bulk_filtered(cli))
        return cli_fail(cli, EXIT_USAGE, "error: name them either by their ids or by filters, as --status and --since");
    if (chosen.by_delivery && (cli_flag(cli, "type") || cli_flag(cli, "source")))
        return cli_fail(cli, EXIT_USAGE,
                        "error: --route and --destination look at deliveries: without --type and --source");
    int code = filtered ? choose_found(&chosen) : choose_named(&chosen);
    if (code) return code;
    if (!chosen.ids.count) return found_nothing(&chosen);
    if (bulk->sends_again && chosen.doubts)
        cli_say(
            cli,
            "! nobody knows what became of an earlier try of %zu of them, which may have arrived; where the provider "
            "does not know their key again they happen twice. Look there first",
            chosen.doubts);
    if (cli->dry_run) return act_on_all(&chosen);
    cli_say(cli, "%s %.*s", bulk->verb, STR_ARG(plan_text(&chosen)));
    if (filtered && !cli_confirm(cli, "Go on?")) return EXIT_DECLINED;
    return act_on_all(&chosen);
}
