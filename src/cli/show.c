#include "cli/show.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/jq.h"
#include "base/json.h"
#include "base/when.h"
#include "model/destination.h"

#define COLUMNS_MAX      16
#define LINE_INDENT      22 /* where a delivery's line goes on */
#define ID_EVENT_ROOM    13 /* characters: the time of an id, to the millisecond */
#define ID_DELIVERY_ROOM 18 /* and 12 bits of what follows */

/* ---- members ---- */

struct str show_member(struct cli *cli, const struct json *item, const char *name) {
    const struct json *member = json_get(item, str_from(name));
    if (json_type(member) == JSON_STRING) return json_text(member);
    return json_type(member) == JSON_NULL ? STR("") : json_dump(cli->arena, member);
}

struct str show_count(struct cli *cli, int64_t count, const char *one, const char *many) {
    return str_fmt(cli->arena, "%lld %s", (long long)count, count == 1 ? one : many);
}

struct str show_time(struct cli *cli, struct str time) {
    int64_t us;
    return when_parse(time, &us) ? when_str(cli->arena, us - us % US_PER_S) : STR("");
}

static struct str list_text(struct cli *cli, const struct json *list) {
    struct buf text = {.arena = cli->arena};
    for (size_t i = 0; i < json_size(list); i++)
        buf_fmt(&text, "%s%.*s", i ? ", " : "", STR_ARG(json_text(json_at(list, i))));
    return buf_str(&text);
}

/* As a table on a terminal has it, which is narrow: "11-28 07:03:28Z", or the day where it is in another year. */
static struct str short_time(struct cli *cli, struct str time) {
    char now[WHEN_TEXT_ROOM];
    struct str shown = show_time(cli, time);
    when_format(cli_wall_us(), now);
    if (shown.n < 20 || !cli_width()) return shown;
    if (!str_starts(shown, (struct str){now, 4})) return str_sub(shown, 0, 10);
    return str_fmt(cli->arena, "%.*s %.*s", 5, shown.p + 5, 9, shown.p + 11);
}

/* A time, where it is more than a second after the item was made. */
static struct str later_time(struct cli *cli, const struct json *item, struct str time) {
    int64_t us, made_us;
    if (!when_parse(time, &us) || !when_parse(show_member(cli, item, "created_at"), &made_us)) return STR("");
    return us - made_us >= US_PER_S ? short_time(cli, time) : STR("");
}

/* Of a delivery: its error, and that nobody needs to look at it any more. */
static struct str error_text(struct cli *cli, const struct json *item, struct str error) {
    if (!show_member(cli, item, "superseded_by").n) return error;
    return str_fmt(cli->arena, "(a later run replaced it)%s%.*s", error.n ? " " : "", STR_ARG(error));
}

static struct str cell_text(struct cli *cli, const struct json *item, const struct column *column) {
    struct str text = show_member(cli, item, column->member);
    switch (column->kind) {
    case CELL_TEXT:
    case CELL_EVENT_ID:
    case CELL_DELIVERY_ID:
        return text;
    case CELL_TIME:
        return short_time(cli, text);
    case CELL_LATER:
        return later_time(cli, item, text);
    case CELL_LIST:
        return list_text(cli, json_get(item, str_from(column->member)));
    case CELL_TARGET:
        return show_target(cli, item);
    case CELL_ERROR:
        return error_text(cli, item, text);
    case CELL_FLAG:
        return json_true(json_get(item, str_from(column->member))) ? str_from(column->member) : STR("");
    }
    return text;
}

/* ---- for machines ---- */

static void put_line(struct cli *cli, struct str text) {
    writer_safe(&cli->out, text);
    if (!str_ends(text, STR("\n"))) writer_add(&cli->out, STR("\n"));
}

static int put_filtered(struct cli *cli, struct str json) {
    struct str output, problem;
    enum err err = jq_filter(cli->arena, cli->jq, json, true, &output, &problem);
    if (err)
        return cli_fail(cli, err == ERR_JQ_COMPILE ? EXIT_USAGE : EXIT_FAILED, "error: --jq: %.*s", STR_ARG(problem));
    if (isatty(STDOUT_FILENO))
        writer_safe(&cli->out, output);
    else
        writer_add(&cli->out, output); /* a program gets a string's own bytes */
    return EXIT_DONE;
}

/* Puts out the items of an answer or of a list as they were written. Anything else is its own only item. */
static void put_items(struct cli *cli, struct str json) {
    struct str items = json, item;
    size_t cursor = 0;
    if (!str_starts(json, STR("[")) && !json_slice(json, STR("items"), &items)) {
        put_line(cli, str_trim(json));
        return;
    }
    while (json_slice_item(items, &cursor, &item)) put_line(cli, item);
}

static void put_ids(struct cli *cli, struct str json, const char *id) {
    struct json *root;
    if (json_parse(json, ANSWER_DEPTH_MAX, &root, NULL)) return;
    const struct json *items = json_type(root) == JSON_ARRAY ? root : json_get(root, STR("items"));
    if (json_type(items) != JSON_ARRAY) put_line(cli, show_member(cli, root, id));
    for (size_t i = 0; i < json_size(items); i++) put_line(cli, show_member(cli, json_at(items, i), id));
    json_free(root);
}

bool show_machine(struct cli *cli, struct str json, const char *id, int *ret_code) {
    *ret_code = EXIT_DONE;
    if (cli->jq.p)
        *ret_code = put_filtered(cli, json);
    else if (cli->output == OUTPUT_JSON)
        put_line(cli, json);
    else if (cli->output == OUTPUT_NDJSON)
        put_items(cli, json);
    else if (cli->output == OUTPUT_ID)
        put_ids(cli, json, id);
    else
        return false;
    return true;
}

/* ---- ids ---- */

/* Whether ids are to be whole: who copies one out of a pipe, or asks for more, gets all of it. */
static bool ids_are_whole(const struct cli *cli) {
    return cli->verbose || !cli_width();
}

static int compare_texts(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* How many characters tell each of a column's ids from all others. */
static size_t id_room(struct cli *cli, const struct json *items, const struct column *column) {
    size_t room = column->kind == CELL_EVENT_ID ? ID_EVENT_ROOM : ID_DELIVERY_ROOM, count = json_size(items);
    struct str *ids = arena_array(cli->arena, struct str, count);
    for (size_t i = 0; i < count; i++) ids[i] = show_member(cli, json_at(items, i), column->member);
    if (count) qsort(ids, count, sizeof *ids, compare_texts);
    for (size_t i = 1; i < count; i++) {
        size_t same = 0;
        while (same < ids[i].n && same < ids[i - 1].n && ids[i].p[same] == ids[i - 1].p[same]) same++;
        if (same < ids[i].n && same >= room) room = same + 1;
    }
    return room;
}

struct str show_id(struct cli *cli, struct str id) {
    return ids_are_whole(cli) ? id : str_sub(id, 0, ID_DELIVERY_ROOM);
}

/* ---- for people ---- */

void show_table(struct cli *cli, const struct json *items, const struct column *columns) {
    struct grid_column heads[COLUMNS_MAX];
    size_t count = 0;
    for (; count < COLUMNS_MAX && columns[count].member; count++) heads[count] = columns[count].how;
    struct grid grid = {.arena = cli->arena, .columns = heads, .column_count = count};
    size_t rooms[COLUMNS_MAX];
    for (size_t j = 0; j < count; j++) {
        bool is_id = columns[j].kind == CELL_EVENT_ID || columns[j].kind == CELL_DELIVERY_ID;
        rooms[j] = is_id && !ids_are_whole(cli) ? id_room(cli, items, &columns[j]) : SIZE_MAX;
    }
    for (size_t i = 0; i < json_size(items); i++)
        for (size_t j = 0; j < count; j++)
            grid_cell(&grid, str_sub(cell_text(cli, json_at(items, i), &columns[j]), 0, rooms[j]));
    writer_add(&cli->out, grid_text(&grid, cli_width(), cli->colour));
}

int show_list(struct cli *cli, struct asked *asked, const struct column *columns, const char *id) {
    int code;
    const struct json *items = json_get(asked->json, STR("items"));
    struct str next = json_text(json_get(asked->json, STR("next")));
    if (!show_machine(cli, asked->body, id, &code)) {
        show_table(cli, items, columns);
        if (!json_size(items)) cli_say(cli, "none");
    }
    if (next.n && !cli->jq.p && cli->output != OUTPUT_JSON)
        cli_say(cli, "%zu shown, there are more: --cursor %.*s goes on", json_size(items), STR_ARG(next));
    asked_free(asked);
    return code;
}

int show_one(struct cli *cli, struct asked *asked, const char *id,
             void (*show)(struct cli *cli, const struct json *thing)) {
    int code;
    if (!show_machine(cli, asked->body, id, &code)) show(cli, asked->json);
    asked_free(asked);
    return code;
}

void show_text(struct cli *cli, struct str text, size_t at, size_t indent) {
    struct buf buf = {.arena = cli->arena};
    text_wrap(&buf, str_safe(cli->arena, text, true), at, indent, cli_width());
    buf_byte(&buf, '\n');
    writer_add(&cli->out, buf_str(&buf));
}

void show_fields(struct cli *cli, const struct json *thing, const struct column *columns) {
    size_t widest = 0;
    for (const struct column *column = columns; column->member; column++) {
        size_t length = text_columns(str_from(column->how.title));
        if (length > widest) widest = length;
    }
    for (const struct column *column = columns; column->member; column++) {
        struct str text = cell_text(cli, thing, column);
        if (!text.n) continue;
        enum json_type type = json_type(json_get(thing, str_from(column->member)));
        bool is_value = column->kind == CELL_TEXT && (type == JSON_OBJECT || type == JSON_ARRAY);
        writer_fmt(&cli->out, "  %-*s  ", (int)widest, column->how.title);
        if (column->how.status || is_value) { /* JSON stays in one line, so that it can be copied */
            text = str_safe(cli->arena, text, true);
            writer_add(&cli->out, status_coloured(cli->arena, text, cli->colour && column->how.status));
            writer_add(&cli->out, STR("\n"));
        } else {
            show_text(cli, text, widest + 4, widest + 4);
        }
    }
}

/* ---- deliveries ---- */

static const struct {
    const char *status, *word;
} words[] = {
    {"PENDING", "waiting"}, {"PROCESSING", "sending"}, {"COMPLETED", "delivered"}, {"FAILED", "failed"},
    {"UNKNOWN", "unknown"}, {"HELD", "held"},          {"SKIPPED", "skipped"},
};

static struct str status_word(struct str status) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq(status, str_from(words[i].status))) return str_from(words[i].word);
    return status;
}

struct str show_target(struct cli *cli, const struct json *delivery) {
    struct str destination = show_member(cli, delivery, "destination"), action = show_member(cli, delivery, "action");
    return str_fmt(cli->arena, "%.*s%s%.*s", STR_ARG(destination), action.n ? "." : "", STR_ARG(action));
}

/* How long the last attempt took, "" when none is there. */
static struct str took(struct cli *cli, const struct json *delivery) {
    const struct json *attempts = json_get(delivery, STR("attempts"));
    const struct json *last = json_size(attempts) ? json_at(attempts, json_size(attempts) - 1) : NULL;
    int64_t from_us, to_us;
    if (!when_parse(show_member(cli, last, "started_at"), &from_us)) return STR("");
    if (!when_parse(show_member(cli, last, "finished_at"), &to_us)) return STR("");
    return span_human(cli->arena, to_us - from_us);
}

/* What the attempts of a delivery come to. */
struct tries {
    size_t sends, lookups;
    size_t unknown,
        first_unknown; /* sends of which nobody was told what came, and which was the first of them, from 1 */
    bool found;        /* a lookup found the effect */
};

static struct tries count_tries(struct cli *cli, const struct json *delivery) {
    const struct json *attempts = json_get(delivery, STR("attempts"));
    struct tries tries = {0};
    for (size_t i = 0; i < json_size(attempts); i++) {
        struct str outcome = show_member(cli, json_at(attempts, i), "outcome");
        if (json_true(json_get(json_at(attempts, i), STR("lookup")))) {
            tries.lookups++;
            tries.found = str_eq(outcome, STR("done"));
            if (str_eq(outcome, STR("absent")) || tries.found) tries.unknown = 0; /* now it is known */
            continue;
        }
        tries.sends++;
        if (!str_eq(outcome, STR("unknown"))) continue;
        if (!tries.unknown++) tries.first_unknown = tries.sends;
    }
    return tries;
}

/* "sent 2 times, the first unknown", "found by a lookup"; "" where one send had one answer. */
static struct str tries_words(struct cli *cli, const struct json *delivery) {
    static const char *const ordinals[] = {"", "the first", "the second", "the third"};
    struct tries tries = count_tries(cli, delivery);
    struct buf text = {.arena = cli->arena};
    if (tries.sends > 1) buf_fmt(&text, "sent %zu times", tries.sends);
    if (tries.unknown == 1 && tries.sends > 1 && tries.first_unknown < sizeof ordinals / sizeof *ordinals)
        buf_fmt(&text, ", %s unknown", ordinals[tries.first_unknown]);
    else if (tries.unknown && tries.sends > 1)
        buf_fmt(&text, ", %zu unknown", tries.unknown);
    if (tries.found) buf_fmt(&text, "%sfound by a lookup", text.n ? ", " : "");
    return buf_str(&text);
}

/* What a delivery that is still to go waits for: a person's word, or a moment. */
static struct str wait_words(struct cli *cli, const struct json *delivery, struct str word) {
    struct str due = show_time(cli, show_member(cli, delivery, "due"));
    struct str destination = show_member(cli, delivery, "destination"), why = show_member(cli, delivery, "waits_for");
    struct str desk = str_fmt(cli->arena, "%.*s is paused", STR_ARG(destination)),
               breaker = str_fmt(cli->arena, "%.*s's breaker", STR_ARG(destination));
    struct str login = str_fmt(cli->arena, LOGIN_COMMAND " %.*s", STR_ARG(destination));
    if (str_starts(why, desk) && str_ends(why, login)) return why;
    if (str_starts(why, desk) || str_starts(why, breaker))
        return str_fmt(cli->arena, "%.*s; drumbeat destinations resume %.*s", STR_ARG(why), STR_ARG(destination));
    if (str_starts(why, str_fmt(cli->arena, "%.*s asked us to wait", STR_ARG(destination)))) return why;
    if (why.n) return str_fmt(cli->arena, "waits for %.*s", STR_ARG(why));
    return str_eq(word, STR("waiting")) && due.n ? str_fmt(cli->arena, "not before %.*s", STR_ARG(due)) : STR("");
}

/* Why it stands as it does, how often it was tried, and when it goes on. */
static struct str explanation(struct cli *cli, const struct json *delivery, struct str word) {
    bool delivered = str_eq(word, STR("delivered"));
    const struct str parts[] = {
        delivered ? took(cli, delivery) : show_member(cli, delivery, "last_error"),
        tries_words(cli, delivery),
        wait_words(cli, delivery, word),
    };
    struct buf text = {.arena = cli->arena};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].n) buf_fmt(&text, "%s%.*s", !text.n ? "" : delivered ? ", " : "; ", STR_ARG(parts[i]));
    return buf_str(&text);
}

void show_delivery_line(struct cli *cli, const struct json *delivery, size_t before, struct str more) {
    struct str target = str_safe(cli->arena, show_target(cli, delivery), true);
    struct str word = status_word(show_member(cli, delivery, "status"));
    struct str status = show_member(cli, delivery, "last_status"), why = explanation(cli, delivery, word);
    size_t target_blanks = text_columns(target) < 18 ? 18 - text_columns(target) : 0;
    size_t word_blanks = word.n < 9 ? 9 - word.n : 0;
    writer_fmt(&cli->out, "  %.*s%*s  ", STR_ARG(target), (int)target_blanks, "");
    writer_add(&cli->out, status_coloured(cli->arena, word, cli->colour));
    writer_fmt(&cli->out, "%*s  %-3.*s", (int)word_blanks, "", STR_ARG(status));
    size_t at = 2 + text_columns(target) + target_blanks + 2 + word.n + word_blanks + 2 + (status.n < 3 ? 3 : status.n);
    struct str rest =
        str_fmt(cli->arena, "%s%.*s%s%.*s", why.n ? "  " : "", STR_ARG(why), more.n ? "  " : "", STR_ARG(more));
    show_text(cli, rest, before + at, LINE_INDENT);
}

void show_acts(struct cli *cli, const struct json *acts, struct str subject) {
    for (size_t i = json_size(acts); i-- > 0;) { /* the first one first */
        const struct json *act = json_at(acts, i);
        if (!str_eq(show_member(cli, act, "subject"), subject)) continue;
        struct str at = show_time(cli, show_member(cli, act, "at"));
        struct str detail = str_safe(cli->arena, show_member(cli, act, "detail"), true);
        writer_fmt(&cli->out, "    %.*s  %.*s by %.*s  (%.*s)\n", STR_ARG(at), STR_ARG(show_member(cli, act, "act")),
                   STR_ARG(str_safe(cli->arena, show_member(cli, act, "actor"), true)), STR_ARG(detail));
    }
}

void show_unwanted(struct cli *cli, struct writer *writer, const struct json *event) {
    const struct json *reasons = json_get(event, STR("unwanted"));
    if (!reasons) return;
    writer_add(writer, STR("no route wants it: nothing is sent\n"));
    for (size_t i = 0; i < json_size(reasons); i++) {
        struct str why = str_safe(cli->arena, show_member(cli, json_at(reasons, i), "why"), true);
        writer_fmt(writer, "  route %.*s: %.*s\n", STR_ARG(show_member(cli, json_at(reasons, i), "route")),
                   STR_ARG(why));
    }
}
