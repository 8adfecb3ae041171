#include "cli/pages.h"

#include <string.h>

#include "base/jq.h"
#include "base/json.h"
#include "base/map.h"
#include "cli/show.h"
#include "config/keys.h"

#define FALLBACK_ITEMS 50   /* as the server's */
#define PAGE_ITEMS     1000 /* the most that it lists at once */
#define LOOK_ITEMS     200  /* of a page whose items are looked at one by one */
#define NAMES_SAID     12   /* of those that there are */

/* ---- --where ---- */

struct where {
    struct jq *jq;
    size_t function;
};

int where_open(struct cli *cli, struct where **ret_where) {
    struct str expression = cli_value(cli, "where"), problem;
    struct jq_source source = {.arena = cli->arena};
    *ret_where = NULL;
    if (!expression.p) return EXIT_DONE;
    const char *lexical = jq_condition_problem(cli->arena, expression);
    if (lexical) return cli_fail(cli, EXIT_USAGE, "error: --where: %s", lexical);
    if (jq_check(cli->arena, expression, &problem))
        return cli_fail(cli, EXIT_USAGE, "error: --where: %.*s", STR_ARG(problem));
    struct where *where = arena_new(cli->arena, struct where);
    where->function = jq_add(&source, expression);
    if (jq_open(jq_program(&source, cli->arena), &where->jq, cli->arena, &problem))
        return cli_fail(cli, EXIT_FAILED, "error: --where: %.*s", STR_ARG(problem));
    *ret_where = where;
    return EXIT_DONE;
}

void where_close(struct where *where) {
    if (where) jq_close(where->jq);
}

bool where_holds(struct cli *cli, const struct where *where, struct str event) {
    struct jq_call call = {.event = event};
    if (!where) return true;
    call.function = where->function;
    if (!json_slice(event, STR("payload"), &call.input)) return false;
    jq_run(where->jq, &call, cli->arena);
    return !call.err && call.result.n && !str_eq(call.result, STR("null")) && !str_eq(call.result, STR("false"));
}

/* ---- pages ---- */

struct collection {
    struct cli *cli;
    struct str path;
    const struct where *where;
    const struct narrowing *narrowing; /* NULL = all are meant */
    struct str cursor, next; /* of the page that is asked for, and behind it; STR_NONE = from the newest, the end */
    size_t wanted, count;    /* items */
    struct buf items;        /* of a JSON list */
};

static struct str page_path(const struct collection *collection, size_t limit) {
    struct buf path = {.arena = collection->cli->arena};
    buf_add(&path, collection->path);
    path_query(&path, "limit", str_fmt(collection->cli->arena, "%zu", limit));
    if (collection->cursor.p) path_query(&path, "cursor", collection->cursor);
    return buf_str(&path);
}

/* Takes the items that are meant off an answer, as they were written; false when one more would have been too many. */
static bool take_items(struct collection *collection, const struct asked *asked, size_t *ret_looked) {
    struct str items, item;
    size_t at = 0;
    *ret_looked = 0;
    if (!json_slice(asked->body, STR("items"), &items)) return true;
    for (; json_slice_item(items, &at, &item); ++*ret_looked) {
        if (!where_holds(collection->cli, collection->where, item)) continue;
        if (collection->narrowing && !collection->narrowing->means(collection->narrowing, item)) continue;
        if (collection->count == collection->wanted) return false;
        if (collection->count++) buf_byte(&collection->items, ',');
        buf_add(&collection->items, item);
    }
    return true;
}

/* Only the server knows the cursor behind an item in the middle of a page: it is that of a page which ends there. */
static int find_next(struct collection *collection, size_t looked) {
    struct asked asked;
    int code = ask(collection->cli, "GET", page_path(collection, looked), STR_NONE, &asked);
    if (code) return code;
    collection->next = str_dup(collection->cli->arena, show_member(collection->cli, asked.json, "next"));
    asked_free(&asked);
    return EXIT_DONE;
}

static int take_page(struct collection *collection, size_t limit) {
    struct cli *cli = collection->cli;
    struct asked asked;
    size_t looked;
    int code = ask(cli, "GET", page_path(collection, limit), STR_NONE, &asked);
    if (code) return code;
    struct str next = show_member(cli, asked.json, "next");
    collection->next = next.n ? str_dup(cli->arena, next) : STR_NONE;
    bool whole = take_items(collection, &asked, &looked);
    asked_free(&asked);
    return whole ? EXIT_DONE : find_next(collection, looked);
}

static int collect(struct collection *collection) {
    struct cli *cli = collection->cli;
    int code;
    do {
        size_t left = collection->wanted - collection->count;
        size_t limit = collection->where ? LOOK_ITEMS : collection->narrowing ? PAGE_ITEMS : left;
        code = take_page(collection, limit < PAGE_ITEMS ? limit : PAGE_ITEMS);
        collection->cursor = collection->next;
    } while (!code && collection->next.n && collection->count < collection->wanted && !cli_stopped(cli));
    return code;
}

/* What is wrong with a limit the server says, in the words that it has for everybody. */
static int ask_wrongly(struct cli *cli, struct str path, struct str limit) {
    struct buf wrong = {.arena = cli->arena};
    struct asked asked;
    buf_add(&wrong, path);
    path_query(&wrong, "limit", limit);
    int code = ask(cli, "GET", buf_str(&wrong), STR_NONE, &asked);
    if (code) return code;
    asked_free(&asked);
    return cli_fail(cli, EXIT_USAGE, "error: --limit takes a number from 1 to %d", PAGE_ITEMS);
}

static int ask_list(struct cli *cli, struct collection collection, struct asked *ret_asked) {
    struct str limit = cli_value(cli, "limit"), path = collection.path;
    int64_t wanted;
    collection.cli = cli;
    collection.cursor = cli_value(cli, "cursor");
    collection.wanted = FALLBACK_ITEMS;
    collection.items = (struct buf){.arena = cli->arena};
    if (limit.p && (!str_to_i64(limit, &wanted) || wanted < 1 || wanted > PAGE_ITEMS))
        return ask_wrongly(cli, path, limit);
    if (limit.p) collection.wanted = (size_t)wanted;
    int code = collect(&collection);
    if (code) return code;
    struct buf body = {.arena = cli->arena};
    buf_fmt(&body, "{\"items\":[%.*s],\"next\":", STR_ARG(buf_str(&collection.items)));
    if (collection.next.n)
        json_quote(&body, collection.next);
    else
        buf_add(&body, STR("null"));
    buf_byte(&body, '}');
    *ret_asked = (struct asked){.status = 200, .body = buf_str(&body)};
    return json_parse(ret_asked->body, ANSWER_DEPTH_MAX, &ret_asked->json, NULL) ? EXIT_FAILED : EXIT_DONE;
}

int pages_ask(struct cli *cli, struct str path, const struct where *where, struct asked *ret_asked) {
    return ask_list(cli, (struct collection){.path = path, .where = where}, ret_asked);
}

int pages_ask_narrowed(struct cli *cli, struct str path, const struct narrowing *narrowing, struct asked *ret_asked) {
    return ask_list(cli, (struct collection){.path = path, .narrowing = narrowing}, ret_asked);
}

bool narrowing_is(struct str item, const char *member, struct str text) {
    struct str slice;
    if (!json_slice(item, str_from(member), &slice)) return false;
    return slice.n == text.n + 2 && slice.p[0] == '"' && str_eq(str_sub(slice, 1, text.n), text);
}

/* ---- names ---- */

/* Where the names are from that an option may hold. */
struct vocabulary {
    const char *option;
    const char *path, *member; /* a list of those in force, and what of each item is one, or a list of them */
    const char *stored;        /* a list that has the option as its filter, and a member of its name; NULL = none */
    /* What is said of a name ('%') that nothing has: what the configuration lacks, that the store lacks it too, and the
     * latter alone, where no server runs. */
    const char *lacking, *unseen_too, *unseen;
    enum {
        NAMES_CLOSED, /* there are no others than the configuration's, and those that were */
        NAMES_NEAR,   /* who posts events has names of its own: one near to one in force is refused, others are told */
        NAMES_OPEN,   /* likewise, and none is refused: types that are near to one another are often meant */
    } kind;
};
static const struct vocabulary vocabularies[] = {
    {"destination", "/v1/destinations", "name", "/v1/deliveries", "no destination is named '%'", "", NULL,
     NAMES_CLOSED},
    {"route", "/v1/routes", "name", NULL, "no route is named '%'", "", NULL, NAMES_CLOSED},
    {"source", "/v1/sources", "name", "/v1/events", "no source is named '%'", ", and no event of late came from it",
     "no event of late came from '%'", NAMES_NEAR},
    {"type", "/v1/routes", "from", "/v1/events", "no route names the type '%'", ", and no event of late has it",
     "no event of late has the type '%'", NAMES_OPEN},
};
#define VOCABULARIES (sizeof vocabularies / sizeof *vocabularies)

struct known {
    struct cli *cli;
    struct suggestion near;
    struct map names;
    bool globs; /* the name may be a pattern */
    bool found;
    struct str taken_by; /* the name is of no event, but fits this pattern of a route's; "" = none */
};

static void consider(struct known *known, struct str name) {
    if (!name.n || str_eq(name, STR("*")) || map_get(&known->names, name)) return;
    name = str_dup(known->cli->arena, name);
    map_set(&known->names, name, known);
    known->found |= str_eq(known->near.wrong, name) || (known->globs && str_glob(known->near.wrong, name));
    if (str_find(name, '*') != SIZE_MAX && str_glob(name, known->near.wrong)) known->taken_by = name;
    suggestion_consider(&known->near, name);
}

/* Takes what the items of a list have; false where it cannot be asked, as where no server runs. */
static bool consider_list(struct known *known, struct str path, const char *member) {
    struct cli *cli = known->cli;
    struct asked asked;
    bool was_mute = cli->mute;
    cli->mute = true;
    int code = ask(cli, "GET", path, STR_NONE, &asked);
    cli->mute = was_mute;
    if (code) return false;
    const struct json *items = json_get(asked.json, STR("items"));
    for (size_t i = 0; i < json_size(items); i++) {
        const struct json *one = json_get(json_at(items, i), str_from(member));
        bool list = json_type(one) == JSON_ARRAY;
        for (size_t j = 0; list && j < json_size(one); j++) consider(known, json_text(json_at(one, j)));
        if (!list) consider(known, json_text(one));
    }
    asked_free(&asked);
    return true;
}

/* What the store has of this name, and the names of its newest. */
static void consider_stored(struct known *known, const struct vocabulary *vocabulary) {
    struct buf path = {.arena = known->cli->arena};
    buf_fmt(&path, "%s?limit=1", vocabulary->stored);
    path_query(&path, vocabulary->option, known->near.wrong);
    if (!known->found) (void)consider_list(known, buf_str(&path), vocabulary->option);
    if (known->found || vocabulary->kind == NAMES_CLOSED) return;
    struct str newest = str_fmt(known->cli->arena, "%s?limit=%d", vocabulary->stored, LOOK_ITEMS);
    (void)consider_list(known, newest, vocabulary->option);
}

/* "; did you mean 'crm'?", "; there are: crm, mail", or "" where there are none. */
static struct str hint_text(const struct known *known) {
    struct buf buf = {.arena = known->cli->arena};
    size_t count = known->names.count, shown = count < NAMES_SAID ? count : NAMES_SAID;
    if (known->near.best.n) return suggestion_text(known->cli->arena, &known->near);
    for (size_t i = 0; i < shown; i++)
        buf_fmt(&buf, "%s%.*s", i ? ", " : "; there are: ", STR_ARG(known->names.slots[i].key));
    if (shown < count) buf_fmt(&buf, " and %zu more", count - shown);
    return str_safe(known->cli->arena, buf_str(&buf), true);
}

static struct str with_name(struct arena *arena, const char *words, struct str name) {
    size_t at = str_find(str_from(words), '%');
    return str_fmt(arena, "%.*s%.*s%s", (int)at, words, STR_ARG(str_safe(arena, name, true)), words + at + 1);
}

static bool takes_globs(const struct cli *cli, const char *option) {
    for (const struct option *one = cli->command->options; one && one->name; one++)
        if (!strcmp(one->name, option)) return one->value && !strcmp(one->value, "GLOB");
    return false;
}

/* seen: a name that only the store has is fine. */
static int check(struct cli *cli, const struct vocabulary *vocabulary, struct str name, bool seen) {
    struct known known = {.cli = cli,
                          .near = {.wrong = name},
                          .names = {.arena = cli->arena},
                          .globs = takes_globs(cli, vocabulary->option)};
    if (!name.p) return EXIT_DONE;
    bool closed = vocabulary->kind == NAMES_CLOSED;
    if (!known.globs && !closed && str_find(name, '*') != SIZE_MAX) {
        cli_say(cli, "--%s takes a whole name here, and '%.*s' is a pattern", vocabulary->option,
                STR_ARG(str_safe(cli->arena, name, true)));
        return EXIT_DONE;
    }
    bool in_force = consider_list(&known, str_from(vocabulary->path), vocabulary->member);
    bool near = known.near.best.n > 0;
    if (seen && vocabulary->stored) consider_stored(&known, vocabulary);
    if (known.found || (!in_force && !vocabulary->unseen)) return EXIT_DONE;
    bool lacking = in_force && !known.taken_by.n;
    struct str said = with_name(cli->arena, lacking ? vocabulary->lacking : vocabulary->unseen, name);
    struct str more = str_from(lacking && seen ? vocabulary->unseen_too : "");
    if (known.taken_by.n) more = str_fmt(cli->arena, ", which a route takes by '%.*s'", STR_ARG(known.taken_by));
    said = str_fmt(cli->arena, "%.*s%.*s%.*s", STR_ARG(said), STR_ARG(more), STR_ARG(hint_text(&known)));
    if (in_force && (closed || (near && vocabulary->kind == NAMES_NEAR)))
        return cli_fail(cli, EXIT_NOT_FOUND, "error: %.*s", STR_ARG(said));
    cli_say(cli, "%.*s", STR_ARG(said));
    return EXIT_DONE;
}

int pages_check(struct cli *cli, const char *option, struct str name) {
    for (size_t i = 0; i < VOCABULARIES; i++)
        if (!strcmp(vocabularies[i].option, option)) return check(cli, &vocabularies[i], name, false);
    return EXIT_DONE;
}

int pages_check_name(struct cli *cli, const char *option) {
    return pages_check(cli, option, cli_value(cli, option));
}

int pages_found_nothing(struct cli *cli) {
    int code = EXIT_DONE;
    for (size_t i = 0; i < VOCABULARIES && !code; i++)
        code = check(cli, &vocabularies[i], cli_value(cli, vocabularies[i].option), true);
    return code;
}
