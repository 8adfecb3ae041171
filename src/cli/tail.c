/* cli/tail.c - events as they come in and deliveries as they change.
 *
 * Asks for the newest of each twice a second and shows what is not as it was.
 * Of deliveries that change again only the newest WINDOW are looked at. */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/show.h"

#define POLL_US (500 * US_PER_MS)
#define WINDOW  1000 /* the most the API lists at once */
#define TYPES   1024 /* events whose type is remembered, for --type */

struct seen {
    char id[UUID_TEXT_LENGTH + 1];
    char state[16]; /* what a change changes: status and tries */
};
struct type_of {
    char id[UUID_TEXT_LENGTH + 1];
    char type[65];
};

struct tail {
    struct cli *cli;
    struct arena looks; /* of one look at a time: a tail may run for months */
    bool silent;        /* the first look without --since: only remembered */
    struct str since;   /* of the first look */
    char last_event[UUID_TEXT_LENGTH + 1];
    struct seen *deliveries; /* of the last look, WINDOW of them */
    size_t delivery_count;
    struct type_of *types; /* a ring */
    size_t type_next;
};

static void copy_text(char *to, size_t room, struct str text) {
    size_t n = text.n < room - 1 ? text.n : room - 1;
    if (n) memcpy(to, text.p, n);
    to[n] = '\0';
}

/* ---- lists ---- */

struct tail_page {
    struct asked asked;
    const struct json *list; /* newest first */
    struct str *texts;       /* as the server wrote each */
    size_t count;
};

static int get_items(struct tail *tail, struct str path, struct tail_page *items) {
    struct cli *cli = tail->cli;
    struct str text;
    size_t cursor = 0;
    int code = ask(cli, "GET", path, STR_NONE, &items->asked);
    if (code) return code;
    if (items->asked.offline) {
        asked_free(&items->asked);
        return cli_fail(cli, EXIT_NO_SERVER, "error: no server runs, so nothing moves; start it with `drumbeat serve`");
    }
    items->list = json_get(items->asked.json, STR("items"));
    items->count = json_size(items->list);
    items->texts = arena_array(cli->arena, struct str, items->count);
    if (items->count && json_slice(items->asked.body, STR("items"), &text))
        for (size_t i = 0; i < items->count && json_slice_item(text, &cursor, &items->texts[i]); i++) continue;
    return EXIT_DONE;
}

static struct str list_path(struct tail *tail, const char *path, const char *filter) {
    struct buf buf = {.arena = tail->cli->arena};
    buf_fmt(&buf, "%s?limit=%d", path, WINDOW);
    if (filter) path_option(tail->cli, &buf, filter, filter);
    if (tail->since.p) path_query(&buf, "since", tail->since);
    return buf_str(&buf);
}

/* ---- types of events, for deliveries ---- */

static void remember_type(struct tail *tail, struct str id, struct str type) {
    struct type_of *slot = &tail->types[tail->type_next++ % TYPES];
    copy_text(slot->id, sizeof slot->id, id);
    copy_text(slot->type, sizeof slot->type, type);
}

static struct str type_of_event(struct tail *tail, struct str id) {
    struct asked asked;
    for (size_t i = 0; i < TYPES; i++)
        if (str_eq(str_from(tail->types[i].id), id)) return str_from(tail->types[i].type);
    if (ask(tail->cli, "GET", path_of(tail->cli, "/v1/events/", id, ""), STR_NONE, &asked)) return STR("");
    struct str type = str_dup(tail->cli->arena, show_member(tail->cli, asked.json, "type"));
    asked_free(&asked);
    remember_type(tail, id, type);
    return type;
}

static bool type_wanted(struct tail *tail, struct str type) {
    struct str glob = cli_value(tail->cli, "type");
    return !glob.p || str_glob(glob, type);
}

/* ---- showing ---- */

/* "09:14:02.123 ", UTC */
static void put_time(struct cli *cli, struct str time) {
    int64_t us;
    if (!when_parse(time, &us)) us = 0;
    long long ms = us % US_PER_DAY / US_PER_MS;
    writer_fmt(&cli->out, "%02lld:%02lld:%02lld.%03lld ", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static int show_delivery(struct tail *tail, const struct json *delivery, struct str text) {
    struct cli *cli = tail->cli;
    int code;
    if (show_machine(cli, text, "id", &code)) return code;
    struct str of = show_member(cli, delivery, "event_id");
    put_time(cli, show_member(cli, delivery, "updated_at"));
    show_delivery_line(cli, delivery, str_fmt(cli->arena, "of event %.*s", STR_ARG(of)));
    return EXIT_DONE;
}

static int show_event(struct tail *tail, const struct json *item, struct str text) {
    struct cli *cli = tail->cli;
    int code;
    if (show_machine(cli, text, "id", &code)) return code;
    put_time(cli, show_member(cli, item, "created_at"));
    struct str id = show_member(cli, item, "id"), type = show_member(cli, item, "type");
    struct str key = text_safe(cli->arena, show_member(cli, item, "idempotency_key"), true);
    struct str source = text_safe(cli->arena, show_member(cli, item, "source"), true);
    writer_fmt(&cli->out, "  %.*s  event  %.*s from %.*s, key %.*s\n", STR_ARG(type), STR_ARG(id), STR_ARG(source),
               STR_ARG(key));
    return EXIT_DONE;
}

static int look_at_events(struct tail *tail) {
    struct tail_page items;
    int code = get_items(tail, list_path(tail, "/v1/events", NULL), &items);
    if (code) return code;
    size_t fresh = 0;
    while (fresh < items.count &&
           !str_eq(show_member(tail->cli, json_at(items.list, fresh), "id"), str_from(tail->last_event)))
        fresh++;
    if (fresh == WINDOW && tail->last_event[0]) cli_say(tail->cli, "more events came than are shown");
    for (size_t i = fresh; !code && i-- > 0;) {
        const struct json *event = json_at(items.list, i);
        struct str id = show_member(tail->cli, event, "id"), type = show_member(tail->cli, event, "type");
        remember_type(tail, id, type);
        copy_text(tail->last_event, sizeof tail->last_event, id);
        if (!tail->silent && !cli_flag(tail->cli, "destination") && type_wanted(tail, type))
            code = show_event(tail, event, items.texts[i]);
    }
    asked_free(&items.asked);
    return code;
}

static struct seen seen_of(struct cli *cli, const struct json *delivery) {
    struct seen seen = {0};
    struct str status = show_member(cli, delivery, "status");
    copy_text(seen.id, sizeof seen.id, show_member(cli, delivery, "id"));
    copy_text(seen.state, sizeof seen.state,
              str_fmt(cli->arena, "%.*s %.*s", 4, status.n ? status.p : "",
                      STR_ARG(show_member(cli, delivery, "attempt_count"))));
    return seen;
}

static bool was_seen(const struct tail *tail, const struct seen *now) {
    for (size_t i = 0; i < tail->delivery_count; i++)
        if (!strcmp(tail->deliveries[i].id, now->id)) return !strcmp(tail->deliveries[i].state, now->state);
    return false;
}

static int look_at_deliveries(struct tail *tail) {
    struct tail_page items;
    int code = get_items(tail, list_path(tail, "/v1/deliveries", "destination"), &items);
    if (code) return code;
    struct seen *now = arena_array(tail->cli->arena, struct seen, items.count);
    for (size_t i = items.count; !code && i-- > 0;) {
        const struct json *delivery = json_at(items.list, i);
        now[i] = seen_of(tail->cli, delivery);
        if (tail->silent || was_seen(tail, &now[i])) continue;
        if (cli_flag(tail->cli, "type") &&
            !type_wanted(tail, type_of_event(tail, show_member(tail->cli, delivery, "event_id"))))
            continue;
        code = show_delivery(tail, delivery, items.texts[i]);
    }
    tail->delivery_count = items.count < WINDOW ? items.count : WINDOW;
    if (tail->delivery_count) memcpy(tail->deliveries, now, tail->delivery_count * sizeof *now);
    asked_free(&items.asked);
    return code;
}

/* ---- the command ---- */

static int look(struct tail *tail) {
    struct cli *cli = tail->cli;
    struct arena *kept = cli->arena;
    cli->arena = &tail->looks;
    int code = look_at_events(tail);
    if (!code) code = look_at_deliveries(tail);
    writer_flush(&cli->out);
    cli->arena = kept;
    arena_reset(&tail->looks);
    tail->silent = false;
    tail->since = STR_NONE;
    return code;
}

int command_tail(struct cli *cli) {
    struct tail tail = {.cli = cli, .since = cli_value(cli, "since"), .silent = !cli_flag(cli, "since")};
    tail.deliveries = arena_array(cli->arena, struct seen, WINDOW);
    tail.types = arena_array(cli->arena, struct type_of, TYPES);
    int code = look(&tail);
    while (!code && !cli_stopped(cli)) {
        cli_sleep(cli, POLL_US);
        if (!cli_stopped(cli)) code = look(&tail);
    }
    arena_free(&tail.looks);
    return code ? code : cli->out.closed ? EXIT_DONE : EXIT_INTERRUPTED;
}
