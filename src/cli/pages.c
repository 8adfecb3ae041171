#include "cli/pages.h"

#include "base/jq.h"
#include "base/json.h"
#include "cli/show.h"
#include "config/keys.h"

#define FALLBACK_ITEMS 50   /* as the server's */
#define PAGE_ITEMS     1000 /* the most that it lists at once */
#define LOOK_ITEMS     200  /* of a page whose items are looked at one by one */

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
        size_t left = collection->wanted - collection->count, limit = collection->where ? LOOK_ITEMS : left;
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

int pages_ask(struct cli *cli, struct str path, const struct where *where, struct asked *ret_asked) {
    struct str limit = cli_value(cli, "limit");
    struct collection collection = {.cli = cli,
                                    .path = path,
                                    .where = where,
                                    .cursor = cli_value(cli, "cursor"),
                                    .wanted = FALLBACK_ITEMS,
                                    .items = {.arena = cli->arena}};
    int64_t wanted;
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

/* ---- names ---- */

/* free: there are names besides those of the list, so that only one that is near to one of them is refused. */
static int check(struct cli *cli, const char *what, struct str name, const char *path, bool free) {
    struct buf known = {.arena = cli->arena};
    struct suggestion near = {.wrong = name};
    struct asked asked;
    bool found = false;
    if (!name.p) return EXIT_DONE;
    bool was_mute = cli->mute;
    cli->mute = true;
    int code = ask(cli, "GET", str_from(path), STR_NONE, &asked);
    cli->mute = was_mute;
    if (code) return EXIT_DONE; /* nobody knows the names, as when no server runs */
    const struct json *items = json_get(asked.json, STR("items"));
    for (size_t i = 0; i < json_size(items); i++) {
        struct str one = show_member(cli, json_at(items, i), "name");
        found = found || str_eq(one, name);
        buf_fmt(&known, "%s%.*s", i ? ", " : "", STR_ARG(one));
        suggestion_consider(&near, str_dup(cli->arena, one));
    }
    asked_free(&asked);
    if (found || (free && !near.best.n)) return EXIT_DONE;
    struct str hint = near.best.n ? suggestion_text(cli->arena, &near)
                                  : str_fmt(cli->arena, "; there are: %.*s", STR_ARG(buf_str(&known)));
    return cli_fail(cli, EXIT_NOT_FOUND, "error: no %s is named '%.*s'%.*s", what, STR_ARG(name), STR_ARG(hint));
}

int pages_check(struct cli *cli, const char *what, struct str name, const char *path) {
    return check(cli, what, name, path, false);
}

int pages_check_name(struct cli *cli, const char *option, const char *path) {
    return check(cli, option, cli_value(cli, option), path, false);
}

int pages_check_source(struct cli *cli) {
    return check(cli, "source", cli_value(cli, "source"), "/v1/sources", true);
}
