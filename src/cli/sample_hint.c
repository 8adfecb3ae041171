/* cli/sample_hint.c - fields of a sample that nothing reads, and that are nearly one which something does.
 *
 * A field that is misspelt is taken like any other, and a route that looks for the right one finds nothing. What is
 * known are the fields that a sender's usual body has, that the sender's row or the source's map reads, and that the jq
 * of the routes names; of a form, those that it declares. jq is not understood here: a chain of names behind a '.'
 * counts wherever it stands, so that this is a hint and never a refusal. */
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "cli/sample.h"
#include "config/keys.h"
#include "model/scheme.h"
#include "model/settings.h"
#include "model/source.h"

#define DEPTH_MAX 16

struct fields {
    struct arena *arena;
    struct map names; /* "data.object.email" */
    struct map loose; /* of jq, where a name may belong to what stands deeper */
};

static void add(struct fields *fields, struct str name) {
    if (name.n) map_set(&fields->names, str_dup(fields->arena, name), fields);
}

static void add_body(struct fields *fields, const struct json *body, struct str before, int depth) {
    const struct json *member;
    void *cursor = NULL;
    struct str name;
    if (depth == DEPTH_MAX || json_type(body) != JSON_OBJECT) return;
    while ((member = json_next(body, &cursor, &name))) {
        struct str path = str_fmt(fields->arena, "%.*s%s%.*s", STR_ARG(before), before.n ? "." : "", STR_ARG(name));
        add(fields, path);
        add_body(fields, member, path, depth + 1);
    }
}

static bool is_part(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_';
}

/* ".data.object | .email" has data.object and email. */
static void add_jq(struct fields *fields, struct str jq) {
    for (size_t i = 0; i < jq.n; i++) {
        size_t end = i + 1;
        if (jq.p[i] != '.' || (i && is_part(jq.p[i - 1]))) continue;
        while (end < jq.n && (is_part(jq.p[end]) || (jq.p[end] == '.' && end + 1 < jq.n && is_part(jq.p[end + 1]))))
            end++;
        struct str name = str_dup(fields->arena, str_sub(jq, i + 1, end - i - 1));
        if (!name.n) continue;
        add(fields, name);
        map_set(&fields->loose, name, fields);
        i = end - 1;
    }
}

/* What stands in ${...} of all that is written below. */
static void add_tree(struct fields *fields, const struct tree *tree, int depth) {
    if (!tree || depth == DEPTH_MAX) return;
    for (size_t i = 0; i < tree->count; i++) add_tree(fields, tree->items[i], depth + 1);
    if (tree->kind == TREE_SCALAR && memmem(tree->text.p, tree->text.n, "${", 2)) add_jq(fields, tree->text);
}

/* "/data/id+/created", or jq */
static void add_places(struct fields *fields, struct str places) {
    struct str place;
    if (webhook_map_is_jq(places)) {
        add_jq(fields, places);
        return;
    }
    while (str_next(&places, '+', &place)) {
        struct buf name = {.arena = fields->arena};
        for (size_t i = 1; i < place.n && place.p[0] == '/'; i++) buf_byte(&name, place.p[i] == '/' ? '.' : place.p[i]);
        add(fields, buf_str(&name));
    }
}

static void add_routes(struct fields *fields, const struct settings *settings) {
    for (size_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        add_jq(fields, route->when);
        for (size_t j = 0; j < route->step_count; j++) {
            const struct route_step *step = &route->steps[j];
            const struct str texts[] = {step->when, step->unless, step->key, step->order_by};
            for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) add_jq(fields, texts[k]);
            add_tree(fields, step->params, 0);
        }
    }
}

/* One of them is it, lies in it, or ends it, as jq that begins deeper has it. */
static bool is_known(const struct fields *fields, struct str path) {
    for (size_t i = 0; i < fields->names.count; i++) {
        struct str name = fields->names.slots[i].key;
        if (str_eq(name, path) || (str_starts(name, path) && name.p[path.n] == '.')) return true;
    }
    for (size_t i = 0; i < fields->loose.count; i++) {
        struct str name = fields->loose.slots[i].key;
        if (name.n < path.n && str_ends(path, name) && path.p[path.n - name.n - 1] == '.') return true;
    }
    return false;
}

static void judge(struct cli *cli, const struct fields *fields, const struct source_settings *source, struct str path) {
    struct suggestion near = {.wrong = path};
    bool form = source->kind == SOURCE_FORM;
    if (is_known(fields, path)) return;
    for (size_t i = 0; i < fields->names.count; i++) suggestion_consider(&near, fields->names.slots[i].key);
    struct str shown = str_safe(cli->arena, path, true), hint = suggestion_text(cli->arena, &near);
    if (form && fields->names.count)
        cli_say(cli, "--set: the form '%.*s' declares no field '%.*s', which is not kept%.*s", STR_ARG(source->name),
                STR_ARG(shown), STR_ARG(hint));
    else if (near.best.n)
        cli_say(cli, "--set: nothing reads a field '%.*s'%.*s", STR_ARG(shown), STR_ARG(hint));
}

void sample_hint(struct rehearsal *rehearsal, const struct source_settings *source, struct str usual) {
    struct cli *cli = rehearsal->cli;
    struct fields fields = {cli->arena, {.arena = cli->arena}, {.arena = cli->arena}};
    const struct scheme *scheme = source->webhook.scheme;
    if (source->kind == SOURCE_FORM) {
        for (size_t i = 0; i < source->form.field_count; i++) add(&fields, source->form.fields[i].name);
    } else {
        const struct str places[] = {source->webhook.map_type, source->webhook.map_key, source->webhook.map_at,
                                     scheme ? str_from(scheme->key) : STR(""),
                                     scheme ? str_from(scheme->type) : STR("")};
        struct json *body = NULL;
        if (usual.p && !json_parse(usual, JSON_DEPTH_MAX, &body, NULL)) add_body(&fields, body, STR(""), 0);
        json_free(body);
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            if (places[i].n) add_places(&fields, places[i]);
        add_routes(&fields, rehearsal->setup->settings);
    }
    for (size_t i = 0; i < cli->given_count; i++) {
        struct str said = cli->given[i].value;
        struct str path = str_sub(said, 0, str_find(said, '='));
        bool own = source->kind == SOURCE_FORM &&
                   (path.p[0] == '_' || str_eq(path, STR("consent")) || str_starts(path, STR("utm_")));
        if (!strcmp(cli->given[i].option->name, "set") && !own) judge(cli, &fields, source, path);
    }
}
