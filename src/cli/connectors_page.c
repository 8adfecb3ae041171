/* cli/connectors_page.c - a connector as JSON, and the page in docs that ranks them; see connectors.h. */
#include "base/arena.h"
#include "base/when.h"
#include "cli/connectors.h"
#include "model/settings.h"

/* ---- a connector as JSON ---- */

static struct json *docs_json(const struct tree *docs) {
    struct json *list = json_array();
    if (docs && docs->kind == TREE_SCALAR) json_push(list, json_str(docs->text));
    for (size_t i = 0; docs && docs->kind == TREE_LIST && i < docs->count; i++)
        json_push(list, json_str(docs->items[i]->text));
    return list;
}

static void set_if_said(struct json *item, const char *name, struct str text) {
    if (text.n) json_set(item, str_from(name), json_str(text));
}

static struct json *list_json(const struct str_list *names) {
    struct json *list = json_array();
    for (size_t i = 0; i < names->count; i++) json_push(list, json_str(names->items[i]));
    return list;
}

static struct json *names_json(const struct catalog_name *names, size_t count, bool params) {
    struct json *list = json_array();
    for (size_t i = 0; i < count; i++) {
        struct json *item = json_object();
        json_set_str(item, "name", names[i].name);
        if (params) json_set_str(item, "type", str_from(param_type_word(names[i].type)));
        json_set(item, STR("required"), json_bool(names[i].required));
        if (!params) json_set(item, STR("secret"), json_bool(names[i].secret));
        set_if_said(item, "default", names[i].fallback);
        if (names[i].needs.count) json_set(item, STR("needs"), list_json(&names[i].needs));
        json_set_str(item, "help", names[i].help);
        json_push(list, item);
    }
    return list;
}

/* What is done where nobody knows whether a call had its effect. */
struct str connector_unknown_words(struct arena *arena, const struct catalog_action *action) {
    const struct action_traits *traits = &action->traits;
    struct str keep = span_str(arena, traits->key_life_us), settle = span_str(arena, traits->lookup_settle_us);
    if (traits->on_unknown == ON_UNKNOWN_HOLD) return STR("held for a person");
    if (traits->on_unknown == ON_UNKNOWN_LOOKUP)
        return str_fmt(arena, "looked up; what is not there %.*s after the send is sent again", STR_ARG(settle));
    if (traits->key_life_us == WHEN_NEVER) return STR("sent again: a second one changes nothing");
    return str_fmt(arena, "sent again under the same key for %.*s, then held for a person", STR_ARG(keep));
}

struct str connector_batch_words(struct arena *arena, const struct catalog_action *action) {
    if (action->traits.batch_max <= 1) return STR("");
    return str_fmt(arena, "up to %d deliveries, %s", action->traits.batch_max,
                   action->batch_by_item ? "each with its own answer" : "all with one answer");
}

static struct json *action_json(struct arena *arena, const struct catalog_action *action) {
    struct json *item = json_object();
    json_set_str(item, "name", action->name);
    json_set_str(item, "help", action->help);
    json_set(item, STR("params"), names_json(action->params, action->param_count, true));
    struct json *any_of = action->any_of_count ? json_array() : NULL;
    for (size_t i = 0; i < action->any_of_count; i++) json_push(any_of, list_json(&action->any_of[i]));
    if (any_of) json_set(item, STR("any_of"), any_of);
    json_set_str(item, "unknown", connector_unknown_words(arena, action));
    set_if_said(item, "batch", connector_batch_words(arena, action));
    return item;
}

struct json *connector_json(struct arena *arena, const struct catalog_entry *entry) {
    struct json *item = json_object(), *limits = json_array(), *actions = json_array();
    for (size_t i = 0; i < entry->limit_count; i++)
        json_push(limits, json_str(limit_rule_text(arena, &entry->limits[i], STR(""))));
    for (size_t i = 0; i < entry->meter_limit_count; i++)
        json_push(limits, json_str(limit_rule_text(arena, &entry->meter_limits[i], entry->meter)));
    for (size_t i = 0; i < entry->action_count; i++) json_push(actions, action_json(arena, &entry->actions[i]));
    json_set_str(item, "name", entry->name);
    json_set_str(item, "about", entry->about);
    json_set(item, STR("docs"), docs_json(entry->docs));
    json_set_str(item, "checked", entry->checked);
    json_set(item, STR("limits"), limits);
    json_set(item, STR("concurrency"), entry->concurrency ? json_int(entry->concurrency) : NULL);
    json_set(item, STR("settings"), names_json(entry->fields, entry->field_count, false));
    json_set(item, STR("actions"), actions);
    return item;
}

/* ---- a sample ---- */

/* What takes several kinds of value gets a text. */
static struct json *sample_value(struct arena *arena, const struct catalog_name *param, int64_t now_us) {
    struct str name = param->name, address = STR("test@example.com"), text = STR("A test from drumbeat");
    bool addressee = str_ends(name, STR("email")) || str_eq(name, STR("to")) || str_eq(name, STR("from"));
    struct json *list;
    switch (param->type) {
    case PARAM_ADDRESS:
    case PARAM_MAILBOX:
    case PARAM_MAILBOXES:
    case PARAM_MAILBOX_LIST:
        return json_str(address);
    case PARAM_URL:
        return json_str(STR("https://example.com/"));
    case PARAM_NUMBER:
        return json_int(1);
    case PARAM_TRUTH:
        return json_bool(true);
    case PARAM_INSTANT:
        return json_str(when_str(arena, now_us));
    case PARAM_OBJECT:
    case PARAM_HEADERS:
        return json_object();
    case PARAM_LIST:
        list = json_array();
        json_push(list, json_str(addressee ? address : text));
        return list;
    case PARAM_ANY:
    case PARAM_TEXT:
    case PARAM_LINE:
    case PARAM_TYPE_COUNT:
        break;
    }
    return json_str(addressee ? address : text);
}

/* The required ones, the first of those of which one is needed, and a message's text where something else could stand.
 */
bool connector_is_sampled(const struct catalog_action *action, const struct catalog_name *param) {
    bool sampled = param->required || str_eq(param->name, STR("text"));
    for (size_t i = 0; i < action->any_of_count; i++) sampled |= str_eq(action->any_of[i].items[0], param->name);
    return sampled;
}

struct str connector_sample(struct arena *arena, const struct catalog_entry *entry, struct str action, int64_t now_us) {
    const struct catalog_action *named = catalog_action(entry, action);
    struct json *params = json_object();
    for (size_t i = 0; named && i < named->param_count; i++)
        if (connector_is_sampled(named, &named->params[i]))
            json_set(params, named->params[i].name, sample_value(arena, &named->params[i], now_us));
    struct str text = json_dump(arena, params);
    json_free(params);
    return text;
}

/* ---- the page in docs ---- */

/* From the best to the worst: what a resend can do wrong, and what it costs to know. */
static const struct grade {
    const char *title, *text;
} grades[] = {
    {"A resend changes nothing, however late",
     "The request names its effect: an address, a record, a column of its own."},
    {"A resend is told from a second delivery, for a time",
     "The provider remembers a key. When it may have forgotten, nothing is resent and a person decides."},
    {"The effect can be looked up", "Before anything is resent, the provider is asked. `Not there` counts only after "
                                    "the time in the last column, because "
                                    "providers list things late."},
    {"Nobody can tell",
     "The delivery is held, and a person decides (`drumbeat deliveries resolve`). `on_unknown: retry` in "
     "the destination sends again all the same, and may do so twice."},
};
#define GRADE_COUNT (sizeof grades / sizeof *grades)

static size_t grade_of(const struct action_traits *traits) {
    if (traits->key_life_us == WHEN_NEVER) return 0;
    if (traits->key_life_us) return 1;
    return traits->has_lookup ? 2 : 3;
}

struct ranked {
    const struct catalog_entry *entry;
    const struct catalog_action *action;
};

/* Longer memory first, then the shorter wait, then the name. */
static bool stands_before(const struct ranked *a, const struct ranked *b) {
    const struct action_traits *x = &a->action->traits, *y = &b->action->traits;
    if (grade_of(x) != grade_of(y)) return grade_of(x) < grade_of(y);
    if (x->key_life_us != y->key_life_us) return x->key_life_us > y->key_life_us;
    if (x->lookup_settle_us != y->lookup_settle_us) return x->lookup_settle_us < y->lookup_settle_us;
    int names = str_cmp(a->entry->name, b->entry->name);
    return names ? names < 0 : str_cmp(a->action->name, b->action->name) < 0;
}

static size_t rank_actions(struct arena *arena, const struct catalog *catalog, struct ranked **ret_ranked) {
    size_t count = 0, room = 0;
    for (size_t i = 0; i < catalog->count; i++) room += catalog->entries[i].action_count;
    struct ranked *ranked = arena_array(arena, struct ranked, room);
    for (size_t i = 0; i < catalog->count; i++)
        for (size_t j = 0; j < catalog->entries[i].action_count; j++) {
            struct ranked one = {&catalog->entries[i], &catalog->entries[i].actions[j]};
            size_t at = count++;
            for (; at > 0 && stands_before(&one, &ranked[at - 1]); at--) ranked[at] = ranked[at - 1];
            ranked[at] = one;
        }
    *ret_ranked = ranked;
    return count;
}

static struct str key_words(struct arena *arena, const struct catalog_action *action) {
    switch (action->key_place) {
    case KEY_IN_HEADER:
        return str_fmt(arena, "key in the header `%.*s`", STR_ARG(action->key_name));
    case KEY_IN_FIELD:
        return str_fmt(arena, "key at `%.*s` of the body", STR_ARG(action->key_name));
    case KEY_NATURAL:
        return STR("the effect's own name");
    case KEY_NOWHERE:
        break;
    }
    return action->traits.has_lookup ? STR("search") : STR("nothing");
}

static void put_row(struct buf *buf, const struct ranked *one) {
    struct arena *arena = buf->arena;
    const struct action_traits *traits = &one->action->traits;
    struct str how = key_words(arena, one->action), span = STR("");
    if (traits->key_life_us == WHEN_NEVER)
        span = STR("for ever");
    else if (traits->key_life_us || traits->has_lookup)
        span = span_str(arena, traits->key_life_us ? traits->key_life_us : traits->lookup_settle_us);
    buf_fmt(buf, "| `%.*s.%.*s` | %.*s | %.*s | %.*s | %.*s |\n", STR_ARG(one->entry->name), STR_ARG(one->action->name),
            STR_ARG(one->action->help), STR_ARG(how), STR_ARG(span), STR_ARG(one->entry->checked));
}

struct str connectors_reference(struct arena *arena, const struct catalog *catalog) {
    struct buf buf = {.arena = arena};
    struct ranked *ranked;
    size_t count = rank_actions(arena, catalog, &ranked), at = 0;
    buf_add(
        &buf,
        STR("# Providers, by what becomes of an unknown outcome\n\n"
            "A connection that breaks after a request left says nothing about its effect. What can be done then\n"
            "depends on the provider. This page ranks the actions of the built-in connectors, the best first. It is\n"
            "made from `connectors/*.yaml` by `drumbeat reference connectors`; `drumbeat connectors show NAME` says\n"
            "more of one. A destination of type `http` sends again under the same `webhook-id`: its receiver drops\n"
            "the double.\n"));
    for (size_t grade = 0; grade < GRADE_COUNT; grade++) {
        if (at == count || grade_of(&ranked[at].action->traits) != grade) continue;
        buf_fmt(&buf, "\n## %s\n%s\n\n| action | | by | for | compared |\n| --- | --- | --- | --- | --- |\n",
                grades[grade].title, grades[grade].text);
        for (; at < count && grade_of(&ranked[at].action->traits) == grade; at++) put_row(&buf, &ranked[at]);
    }
    return buf_str(&buf);
}
