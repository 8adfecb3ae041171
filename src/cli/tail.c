/* cli/tail.c - events as they come in and deliveries as they change, in order of time.
 *
 * Asks for the newest of each twice a second and shows what is not as it was; with --since the first look also shows
 * what happened in that window. Deliveries are asked for before events, so that the event of each is there: an event
 * stands before what became of it. Of deliveries that change again only the newest WINDOW are looked at. A server that
 * goes away is waited for: what was seen is remembered, so nothing is shown twice and nothing that is still among the
 * newest is missed. What a look has no more questions for waits for the next one; what more came between two looks than
 * a list has is left out, and how many is said. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/json.h"
#include "base/map.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/show.h"

#define POLL_US      (500 * US_PER_MS)
#define WINDOW       1000 /* the most the API lists at once */
#define JUDGED       1024 /* events of which is remembered whether they are wanted */
#define FRESH        1024 /* events that are not routed yet, as far as was seen */
#define TIME_COLUMNS 13   /* of a line begin with the time */
#define ASKED_MAX    50   /* single questions in one look */
#define COUNTED_MAX  20   /* lists that are asked for to count what is left out */

struct seen {
    char id[UUID_TEXT_LENGTH + 1];
    char state[16]; /* what a change changes: status and tries */
};
struct judged {
    char id[UUID_TEXT_LENGTH + 1];
    bool wanted; /* by --type and --where */
};
struct fresh {
    char id[UUID_TEXT_LENGTH + 1]; /* "" = over */
};

struct tail {
    struct cli *cli;
    struct where *where;
    struct arena looks; /* of one look at a time: a tail may run for months */
    int64_t from_us;    /* what happened before is remembered and not shown; of the first look alone */
    bool away;          /* the server did not answer the last time */
    char last_event[UUID_TEXT_LENGTH + 1];
    struct seen *deliveries; /* of the last look, WINDOW of them */
    size_t delivery_count;
    struct judged *judged; /* a ring */
    size_t judged_next;
    struct fresh *fresh; /* a ring */
    size_t fresh_next;
    size_t asked; /* single questions of this look */
    char last_delivery[UUID_TEXT_LENGTH + 1];
    size_t unsure; /* events of which nobody asked in time whether a route wants them; not said yet */
};

static void copy_text(char *to, size_t room, struct str text) {
    size_t n = text.n < room - 1 ? text.n : room - 1;
    if (n) memcpy(to, text.p, n);
    to[n] = '\0';
}

/* ---- lists ---- */

/* The newest of one kind, newest first. */
struct tail_page {
    struct asked asked;
    const struct json *list;
    struct str *texts; /* as the server wrote each */
    size_t count;
};

static int get_page(struct tail *tail, struct str path, struct tail_page *page) {
    struct cli *cli = tail->cli;
    struct str text;
    size_t cursor = 0;
    *page = (struct tail_page){0};
    int code = ask(cli, "GET", path, STR_NONE, &page->asked);
    if (code) return code;
    page->list = json_get(page->asked.json, STR("items"));
    page->count = json_size(page->list);
    page->texts = arena_array(cli->arena, struct str, page->count);
    if (page->count && json_slice(page->asked.body, STR("items"), &text))
        for (size_t i = 0; i < page->count && json_slice_item(text, &cursor, &page->texts[i]); i++) continue;
    return EXIT_DONE;
}

static struct str list_path(struct tail *tail, const char *path, const char *filter) {
    struct buf buf = {.arena = tail->cli->arena};
    buf_fmt(&buf, "%s?limit=%d", path, WINDOW);
    if (filter) path_option(tail->cli, &buf, filter, filter);
    return buf_str(&buf);
}

static int64_t moment_us(struct tail *tail, const struct json *item, const char *moment) {
    int64_t us;
    return when_parse(show_member(tail->cli, item, moment), &us) ? us : 0;
}

/* What a look leaves out is said also where its errors are not. */
static void say_left(struct tail *tail, struct str text) {
    bool was_mute = tail->cli->mute;
    tail->cli->mute = false;
    cli_say(tail->cli, "%.*s", STR_ARG(text));
    tail->cli->mute = was_mute;
}

/* What more came than a list has, behind it: up to what the look before had, or to where --since begins. */
static void count_left(struct tail *tail, struct str path, const struct tail_page *page, const char *last_id,
                       const char *one, const char *many) {
    struct cli *cli = tail->cli;
    struct tail_page pages[2] = {*page}; /* the one at hand, and the one behind it */
    size_t left = 0;
    bool ends = !last_id[0] && tail->from_us == INT64_MAX;
    for (size_t i = 0; i <= COUNTED_MAX && !ends; i++) {
        const struct tail_page *at = &pages[i > 0];
        for (size_t j = 0; j < at->count && !ends; j++) {
            const struct json *item = json_at(at->list, j);
            ends = str_cmp(show_member(cli, item, "id"), str_from(last_id)) <= 0 || /* ids are in time order */
                   (!last_id[0] && moment_us(tail, item, "created_at") < tail->from_us);
            left += i && !ends;
        }
        struct str next = str_dup(cli->arena, show_member(cli, at->asked.json, "next"));
        if (i) asked_free(&pages[1].asked);
        struct buf behind = {.arena = cli->arena};
        buf_add(&behind, path);
        if (next.n) path_query(&behind, "cursor", next);
        ends = ends || !next.n || i == COUNTED_MAX || get_page(tail, buf_str(&behind), &pages[1]);
    }
    struct str more = str_fmt(cli->arena, "more %s", left == 1 ? one : many);
    if (left)
        say_left(tail, str_fmt(cli->arena, "%zu %.*s%s came at once than are shown; drumbeat %s list has them", left,
                               STR_ARG(more), left >= (size_t)COUNTED_MAX * WINDOW ? " and yet others" : "", many));
}

/* Whether this look may ask for one thing more. */
static bool may_ask(const struct tail *tail) {
    return tail->asked < ASKED_MAX;
}

/* Asks for one thing; false when this look has asked enough, or it is not there. */
static bool get_one(struct tail *tail, const char *before, struct str id, struct asked *ret_asked) {
    return tail->asked++ < ASKED_MAX && !ask(tail->cli, "GET", path_of(tail->cli, before, id, ""), STR_NONE, ret_asked);
}

/* ---- which events are wanted ---- */

/* text: the event, or an answer that has it, as the server wrote it. */
static bool judge(struct tail *tail, struct str id, struct str type, struct str text) {
    struct judged *slot = &tail->judged[tail->judged_next++ % JUDGED];
    struct str glob = cli_value(tail->cli, "type");
    copy_text(slot->id, sizeof slot->id, id);
    slot->wanted = (!glob.p || str_glob(glob, type)) && where_holds(tail->cli, tail->where, text);
    return slot->wanted;
}

/* *ret_later: this look has asked enough; the next one knows. */
static bool is_wanted(struct tail *tail, struct str event_id, bool *ret_later) {
    struct asked asked;
    *ret_later = false;
    if (!cli_flag(tail->cli, "type") && !tail->where) return true;
    for (size_t i = 0; i < JUDGED; i++)
        if (str_eq(str_from(tail->judged[i].id), event_id)) return tail->judged[i].wanted;
    *ret_later = !may_ask(tail);
    if (!get_one(tail, "/v1/events/", event_id, &asked)) return false;
    bool wanted = judge(tail, event_id, show_member(tail->cli, asked.json, "type"), asked.body);
    asked_free(&asked);
    return wanted;
}

/* ---- what is to be shown ---- */

enum line_kind { LINE_EVENT, LINE_UNWANTED, LINE_DELIVERY };
struct tail_line {
    int64_t at_us;
    size_t order; /* of those at one moment */
    enum line_kind kind;
    const struct json *item;
    struct str text;
};
struct tail_lines {
    struct tail_line *items;
    size_t count, room;
};

/* event: what a line is about, if it is in this look, else NULL. Of many that come at once one is a microsecond younger
 * than the other, and what became of it was written with the time of all: no line stands before its event's. */
static void add_line(struct tail *tail, struct tail_lines *lines, enum line_kind kind, const struct json *item,
                     struct str text, const struct json *event) {
    struct tail_line line = {.order = lines->count, .kind = kind, .item = item, .text = text};
    int64_t created_us = event ? moment_us(tail, event, "created_at") : 0;
    line.at_us = kind == LINE_EVENT ? created_us : moment_us(tail, item, "updated_at");
    if (line.at_us < created_us) line.at_us = created_us;
    assert(lines->count < lines->room);
    lines->items[lines->count++] = line;
}

static int compare_lines(const void *a, const void *b) {
    const struct tail_line *one = a, *other = b;
    if (one->at_us != other->at_us) return one->at_us < other->at_us ? -1 : 1;
    return one->order < other->order ? -1 : one->order > other->order;
}

/* "09:14:02.123 ", UTC */
static void put_time(struct cli *cli, int64_t us) {
    long long ms = us % US_PER_DAY / US_PER_MS;
    writer_fmt(&cli->out, "%02lld:%02lld:%02lld.%03lld ", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

/* One that was tried more than once is asked for, because only the whole of it says what came of the tries. */
static void show_delivery(struct tail *tail, const struct tail_line *line) {
    struct cli *cli = tail->cli;
    struct asked asked = {.json = NULL};
    struct str id = show_id(cli, show_member(cli, line->item, "event_id"));
    bool retried = json_integer(json_get(line->item, STR("attempt_count")), 0) > 1;
    if (retried && tail->asked == ASKED_MAX) say_left(tail, STR("so much happens that not all of it is shown whole"));
    bool whole = retried && get_one(tail, "/v1/deliveries/", show_member(cli, line->item, "id"), &asked);
    show_delivery_line(cli, whole ? asked.json : line->item, TIME_COLUMNS,
                       str_fmt(cli->arena, "of event %.*s", STR_ARG(id)));
    asked_free(&asked);
}

static void show_event(struct cli *cli, const struct tail_line *line) {
    struct str id = show_id(cli, show_member(cli, line->item, "id")), type = show_member(cli, line->item, "type");
    struct str key = str_safe(cli->arena, show_member(cli, line->item, "idempotency_key"), true);
    struct str source = str_safe(cli->arena, show_member(cli, line->item, "source"), true);
    show_text(cli,
              str_fmt(cli->arena, "  %.*s  event  %.*s from %.*s, key %.*s", STR_ARG(type), STR_ARG(id),
                      STR_ARG(source), STR_ARG(key)),
              TIME_COLUMNS, TIME_COLUMNS + 4);
}

static int show_line(struct tail *tail, const struct tail_line *line) {
    struct cli *cli = tail->cli;
    int code;
    bool for_people = !cli->jq.p && cli->output == OUTPUT_TABLE;
    if (line->kind == LINE_UNWANTED && !for_people) return EXIT_DONE; /* the event itself was shown when it came */
    if (show_machine(cli, line->text, "id", &code)) return code;
    put_time(cli, line->at_us);
    if (line->kind == LINE_DELIVERY)
        show_delivery(tail, line);
    else if (line->kind == LINE_EVENT)
        show_event(cli, line);
    else
        show_text(cli,
                  str_fmt(cli->arena, "  %.*s  no route wants it, nothing is sent: drumbeat events show %.*s",
                          STR_ARG(show_member(cli, line->item, "type")),
                          STR_ARG(show_id(cli, show_member(cli, line->item, "id")))),
                  TIME_COLUMNS, TIME_COLUMNS + 4);
    return EXIT_DONE;
}

/* ---- what is new ---- */

static void look_at_events(struct tail *tail, const struct tail_page *events, struct tail_lines *lines) {
    struct cli *cli = tail->cli;
    size_t count = 0;
    while (count < events->count &&
           !str_eq(show_member(cli, json_at(events->list, count), "id"), str_from(tail->last_event)))
        count++;
    if (count == events->count)
        count_left(tail, list_path(tail, "/v1/events", NULL), events, tail->last_event, "event", "events");
    for (size_t i = count; i-- > 0;) {
        const struct json *event = json_at(events->list, i);
        struct str id = show_member(cli, event, "id");
        bool wanted = judge(tail, id, show_member(cli, event, "type"), events->texts[i]);
        copy_text(tail->last_event, sizeof tail->last_event, id);
        if (!wanted || cli_flag(cli, "destination") || moment_us(tail, event, "created_at") < tail->from_us) continue;
        struct fresh *fresh = &tail->fresh[tail->fresh_next++ % FRESH];
        tail->unsure += fresh->id[0] != '\0';
        copy_text(fresh->id, sizeof fresh->id, id);
        add_line(tail, lines, LINE_EVENT, event, events->texts[i], event);
    }
}

/* Whether no route wanted an event that is over and has no delivery among the newest. */
static bool is_unwanted(struct tail *tail, struct str id) {
    struct asked asked;
    if (!get_one(tail, "/v1/events/", id, &asked)) return false;
    bool unwanted = json_get(asked.json, STR("unwanted")) != NULL;
    asked_free(&asked);
    return unwanted;
}

/* Of the events that were shown, those that are routed by now. */
static void look_at_fresh(struct tail *tail, const struct tail_page *events, const struct tail_page *deliveries,
                          struct tail_lines *lines) {
    struct cli *cli = tail->cli;
    struct map listed = {.arena = cli->arena}, delivered = {.arena = cli->arena};
    for (size_t i = 0; i < events->count; i++)
        map_set(&listed, show_member(cli, json_at(events->list, i), "id"), &events->texts[i]);
    for (size_t i = 0; i < deliveries->count; i++)
        map_set(&delivered, show_member(cli, json_at(deliveries->list, i), "event_id"), tail);
    for (size_t i = 0; i < FRESH; i++) {
        struct str id = str_from(tail->fresh[i].id), *text = id.n ? map_get(&listed, id) : NULL;
        if (id.n && !text) { /* so many came that it is not among the newest */
            tail->fresh[i].id[0] = '\0';
            tail->unsure++;
        }
        if (!text) continue;
        const struct json *event = json_at(events->list, (size_t)(text - events->texts));
        struct str status = show_member(cli, event, "status");
        if (str_eq(status, STR("PENDING"))) continue;
        bool may_be = str_eq(status, STR("COMPLETED")) && !map_get(&delivered, id);
        if (may_be && !may_ask(tail)) continue; /* the next look asks */
        if (may_be && is_unwanted(tail, id)) add_line(tail, lines, LINE_UNWANTED, event, *text, event);
        tail->fresh[i].id[0] = '\0';
    }
    if (tail->unsure)
        say_left(tail, str_fmt(cli->arena,
                               "of %.*s that came at once it was not asked whether a route wants %s; drumbeat status "
                               "says how many no route took",
                               STR_ARG(show_count(cli, (int64_t)tail->unsure, "event", "events")),
                               tail->unsure == 1 ? "it" : "them"));
    tail->unsure = 0;
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

/* By id, of the last look. */
static struct map last_seen(struct tail *tail) {
    struct map map = {.arena = tail->cli->arena};
    for (size_t i = 0; i < tail->delivery_count; i++)
        map_set(&map, str_from(tail->deliveries[i].id), &tail->deliveries[i]);
    return map;
}

static void look_at_deliveries(struct tail *tail, const struct tail_page *events, const struct tail_page *deliveries,
                               struct tail_lines *lines) {
    struct map before = last_seen(tail), listed = {.arena = tail->cli->arena};
    for (size_t i = 0; i < events->count; i++)
        map_set(&listed, show_member(tail->cli, json_at(events->list, i), "id"), &events->texts[i]);
    struct seen *now = arena_array(tail->cli->arena, struct seen, deliveries->count);
    for (size_t i = deliveries->count; i-- > 0;) {
        const struct json *delivery = json_at(deliveries->list, i);
        now[i] = seen_of(tail->cli, delivery);
        const struct seen *then = map_get(&before, str_from(now[i].id));
        if (then && !strcmp(then->state, now[i].state)) continue;
        if (moment_us(tail, delivery, "updated_at") < tail->from_us) continue;
        bool later, wanted = is_wanted(tail, show_member(tail->cli, delivery, "event_id"), &later);
        if (later) now[i].state[0] = '\0'; /* for the next look it has changed */
        if (!wanted) continue;
        const struct str *text = map_get(&listed, show_member(tail->cli, delivery, "event_id"));
        const struct json *event = text ? json_at(events->list, (size_t)(text - events->texts)) : NULL;
        add_line(tail, lines, LINE_DELIVERY, delivery, deliveries->texts[i], event);
    }
    count_left(tail, list_path(tail, "/v1/deliveries", "destination"), deliveries, tail->last_delivery, "delivery",
               "deliveries");
    if (deliveries->count)
        copy_text(tail->last_delivery, sizeof tail->last_delivery,
                  show_member(tail->cli, json_at(deliveries->list, 0), "id"));
    tail->delivery_count = deliveries->count < WINDOW ? deliveries->count : WINDOW;
    if (tail->delivery_count) memcpy(tail->deliveries, now, tail->delivery_count * sizeof *now);
}

/* ---- the command ---- */

/* Both lists are there before anything counts as seen: what a look cannot show, the next one does. */
static int look_once(struct tail *tail) {
    struct cli *cli = tail->cli;
    struct tail_page events, deliveries;
    int code = get_page(tail, list_path(tail, "/v1/deliveries", "destination"), &deliveries);
    if (code) return code;
    code = get_page(tail, list_path(tail, "/v1/events", NULL), &events);
    if (!code) {
        struct tail_lines lines = {.room = 2 * events.count + deliveries.count + FRESH};
        lines.items = arena_array(cli->arena, struct tail_line, lines.room);
        look_at_events(tail, &events, &lines);
        look_at_fresh(tail, &events, &deliveries, &lines);
        look_at_deliveries(tail, &events, &deliveries, &lines);
        if (lines.count) qsort(lines.items, lines.count, sizeof *lines.items, compare_lines);
        for (size_t i = 0; i < lines.count && !code; i++) code = show_line(tail, &lines.items[i]);
        tail->from_us = 0;
        asked_free(&events.asked);
    }
    asked_free(&deliveries.asked);
    return code;
}

static int look(struct tail *tail) {
    struct cli *cli = tail->cli;
    struct arena *kept = cli->arena;
    cli->arena = &tail->looks;
    tail->asked = 0;
    int code = look_once(tail);
    writer_flush(&cli->out);
    cli->arena = kept;
    arena_reset(&tail->looks);
    return code;
}

/* Whether it may pass by itself: a server that starts anew, a store that is full. */
static bool may_pass(int code) {
    return code == EXIT_NO_SERVER || code == EXIT_TIMED_OUT || code == EXIT_FAILED;
}

/* A look after the first. That the server is away is said once, and once that it is back. */
static int look_again(struct tail *tail) {
    struct cli *cli = tail->cli;
    bool was_mute = cli->mute;
    cli->mute = true;
    int code = look(tail);
    cli->mute = was_mute;
    bool away = may_pass(code) && !cli->out.closed;
    if (away && !tail->away) cli_say(cli, "the server does not answer; waiting for it");
    if (!code && tail->away) cli_say(cli, "the server is back");
    tail->away = away;
    if (!code || away) return EXIT_DONE;
    return look(tail); /* which says what is wrong */
}

/* Where the first look begins: without --since only what comes from now on is shown. It is compared here and not asked
 * of the server, because each look needs to know all that was there before. */
static int read_since(struct cli *cli, int64_t *ret_us) {
    struct str since = cli_value(cli, "since");
    int64_t us = INT64_MAX;
    if (span_parse(since, &us))
        us = cli_wall_us() - us;
    else if (since.p && !when_parse(since, &us))
        return cli_fail(cli, EXIT_USAGE, "error: --since must be RFC 3339, or a length of time as 2h");
    *ret_us = us;
    return EXIT_DONE;
}

int command_tail(struct cli *cli) {
    struct tail tail = {.cli = cli};
    int code = read_since(cli, &tail.from_us);
    if (!code) code = where_open(cli, &tail.where);
    if (code) return code;
    cli->only_server = true; /* a store that nobody works on does not change, and reading it keeps a server out */
    tail.deliveries = arena_array(cli->arena, struct seen, WINDOW);
    tail.judged = arena_array(cli->arena, struct judged, JUDGED);
    tail.fresh = arena_array(cli->arena, struct fresh, FRESH);
    code = pages_check_name(cli, "destination"); /* else it would wait for what never comes */
    if (!code) code = pages_found_nothing(cli);  /* of a type that nobody knows it is said; it may come yet */
    if (!code) code = look(&tail);
    while (!code && !cli_stopped(cli)) {
        cli_sleep(cli, POLL_US);
        if (!cli_stopped(cli)) code = look_again(&tail);
    }
    where_close(tail.where);
    arena_free(&tail.looks);
    return code ? code : cli->out.closed ? EXIT_DONE : EXIT_INTERRUPTED;
}
