/* connect/connect.c - the connectors there are, and how they are bound to the
 * destinations; see connect.h. */
#include "connect/connect.h"

#include "base/address.h"
#include "base/map.h"
#include "base/when.h"
#include "connect/reader.h"
#include "connect/token.h"
#include "connect/url.h"
#include "connect/webhook.h"

#define TIMEOUT_US (10 * US_PER_S)

#include <string.h>

struct connectors *connectors_new(struct arena *arena, struct jq_source *source) {
    struct connectors *connectors = arena_new(arena, struct connectors);
    struct connector *http = arena_new(arena, struct connector);
    connectors->arena = arena;
    connectors->source = source;
    *http = (struct connector){.name = STR("http"), .webhook = true, .error = JQ_NONE};
    connectors_put(connectors, http,
                   (struct catalog_entry){.name = http->name,
                                          .about = STR("Any URL: the body as received, or as a route makes it.")});
    return connectors;
}

void connectors_collect(struct connectors *connectors, struct jq_source *source) {
    connectors->source = source;
}

void connectors_put(struct connectors *connectors, struct connector *connector, struct catalog_entry entry) {
    struct catalog *catalog = &connectors->catalog;
    size_t at = 0;
    while (at < catalog->count && !str_eq(catalog->entries[at].name, entry.name)) at++;
    if (at == connectors->room) {
        size_t room = connectors->room ? connectors->room * 2 : 16;
        struct catalog_entry *entries = arena_array(connectors->arena, struct catalog_entry, room);
        struct connector **items = arena_array(connectors->arena, struct connector *, room);
        if (at) memcpy(entries, catalog->entries, at * sizeof *entries);
        if (at) memcpy(items, connectors->items, at * sizeof *items);
        catalog->entries = entries;
        connectors->items = items;
        connectors->room = room;
    }
    catalog->entries[at] = entry;
    connectors->items[at] = connector;
    if (at == catalog->count) catalog->count++;
}

const struct catalog *connectors_catalog(const struct connectors *connectors) {
    return &connectors->catalog;
}

void connectors_blame(const struct connectors *connectors, struct findings *findings) {
    for (size_t i = 0; i < connectors->expression_count; i++) {
        const struct connector_jq *expression = &connectors->expressions[i];
        struct str problem;
        if (jq_check(findings->arena, expression->text, &problem))
            finding_add(findings, expression->file, expression->mark, err_code(ERR_JQ_COMPILE), "%.*s",
                        STR_ARG(problem));
    }
}

struct str connector_field(const struct connector *connector, const struct destination_settings *destination,
                           struct str name) {
    const struct str *value = map_get(&destination->fields, name);
    if (value && value->n) return *value;
    if (str_eq(name, STR("url"))) return destination->url;
    for (size_t i = 0; i < connector->field_count; i++)
        if (str_eq(connector->fields[i].name, name)) return connector->fields[i].fallback;
    return STR_NONE;
}

const struct action *connector_action(const struct connector *connector, struct str name) {
    for (size_t i = 0; i < connector->action_count; i++)
        if (str_eq(connector->actions[i].name, name)) return &connector->actions[i];
    return NULL;
}

bool connector_has_param(const struct connector *connector, struct str name) {
    for (size_t i = 0; i < connector->action_count; i++) {
        const struct catalog_action *action = connector->actions[i].catalog;
        for (size_t j = 0; action && j < action->param_count; j++)
            if (str_eq(action->params[j].name, name))
                return action->params[j].type != PARAM_LIST && action->params[j].type != PARAM_OBJECT;
    }
    return false;
}

/* The names by which a limit may go, each once. */
static struct str meters_text(const struct connector *connector, struct arena *arena) {
    struct buf buf = {.arena = arena};
    struct map seen = {.arena = arena};
    for (size_t i = 0; i < connector->action_count; i++) {
        const struct catalog_action *action = connector->actions[i].catalog;
        for (size_t j = 0; action && j < action->param_count; j++) {
            struct str name = action->params[j].name;
            if (!connector_has_param(connector, name) || map_get(&seen, name)) continue;
            map_set(&seen, name, &seen);
            buf_fmt(&buf, "%s%.*s", buf.n ? ", " : "; there are: ", STR_ARG(name));
        }
    }
    return buf_str(&buf);
}

/* ---- binding ---- */

struct binding {
    const struct connectors *connectors;
    const struct connector *connector;
    struct destination_settings *destination;
    struct findings *findings;
    struct str file;
};

/* Where the destination says something: its key, or its name where it says nothing of it. */
static struct tree_mark mark_of(const struct binding *binding, struct str key) {
    const struct tree *value = binding->destination->written ? tree_get(binding->destination->written, key) : NULL;
    return value ? value->mark : binding->destination->mark;
}

static void complain(const struct binding *binding, struct str key, enum code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void complain(const struct binding *binding, struct str key, enum code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct str text = str_vfmt(binding->findings->arena, format, args);
    va_end(args);
    finding_add(binding->findings, binding->file, mark_of(binding, key), code_text(code), "destination '%.*s': %.*s",
                STR_ARG(binding->destination->name), STR_ARG(text));
}

static void check_fields(const struct binding *binding) {
    for (size_t i = 0; i < binding->connector->field_count; i++) {
        const struct field *field = &binding->connector->fields[i];
        struct str value = connector_field(binding->connector, binding->destination, field->name);
        if (field->required && !value.n)
            complain(binding, STR(""), CODE_CONNECT_FIELD_MISSING, "'%.*s' is missing: connector '%.*s' needs it",
                     STR_ARG(field->name), STR_ARG(binding->connector->name));
        if (!field->lines && !header_value_valid(value))
            complain(binding, field->name, CODE_CONNECT_FIELD_VALUE,
                     "'%.*s' holds a line break or another control character", STR_ARG(field->name));
    }
}

/* Checks the beginning of a request's URL; false after a finding. */
static bool check_url(const struct binding *binding, const struct request_form *request) {
    struct str url, host;
    bool literal_private = false;
    const char *reason = NULL;
    if (!request) return true;
    url = url_beginning(&request->url, binding->connector, binding->destination, binding->findings->arena);
    bool callable = request->mail ? mail_url_check(url, &host, &literal_private, &reason)
                                  : url_check(url, &host, &literal_private, &reason);
    if (!callable)
        complain(binding, text_field(&request->url), CODE_CONNECT_FIELD_URL,
                 "the connector's URL cannot be called with these fields: %s", reason);
    else if (literal_private && !binding->destination->allow_private)
        complain(binding, text_field(&request->url), CODE_CONNECT_FIELD_URL,
                 "the connector's URL leads to the private address %.*s; 'allow_private: true' allows it",
                 STR_ARG(host));
    return callable && (!literal_private || binding->destination->allow_private);
}

/* What a mail server must be told; false after a finding. */
static bool check_mail(const struct binding *binding, const struct request_form *request) {
    const struct call_context context = {.destination = binding->destination, .arena = binding->findings->arena};
    if (!request || !request->mail) return true;
    struct str url = url_beginning(&request->url, binding->connector, binding->destination, binding->findings->arena);
    struct str field;
    const char *problem = mail_settings_problem(&context, binding->connector, request->mail, url, &field);
    if (problem) complain(binding, field.n ? field : text_field(&request->url), CODE_CONNECT_MAIL, "%s", problem);
    return !problem;
}

/* One finding is enough: most URLs begin with the same field. */
static void check_urls(const struct binding *binding) {
    for (size_t i = 0; i < binding->connector->action_count; i++) {
        const struct action *action = &binding->connector->actions[i];
        if (!check_url(binding, action->request) || !check_mail(binding, action->request)) return;
        if (!check_url(binding, action->lookup ? action->lookup->request : NULL)) return;
        if (!check_url(binding, action->batch ? action->batch->request : NULL)) return;
    }
    for (int way = 0; binding->connector->token && way < TOKEN_WAYS; way++)
        if (!check_url(binding, binding->connector->token->ways[way])) return;
}

/* A key that cannot be read is said now, and not when the first delivery waits for a token. */
static void check_token(const struct binding *binding) {
    const struct token_form *token = binding->connector->token;
    const struct call_context context = {.destination = binding->destination, .arena = binding->findings->arena};
    struct fill fill = {.context = &context, .connector = binding->connector};
    struct str jwt;
    if (token && token->claims && token_jwt(&fill, &jwt))
        complain(binding, text_field(&token->key), CODE_CONNECT_FIELD_VALUE, "%.*s", STR_ARG(fill.problem));
}

/* The policy in force: the destination's word, else the connector's. */
static enum on_unknown policy_in_force(const struct binding *binding, const struct action_traits *traits,
                                       enum on_unknown own) {
    enum on_unknown asked = binding->destination->on_unknown;
    if (asked == ON_UNKNOWN_DEFAULT) return own;
    if (asked == ON_UNKNOWN_LOOKUP && !traits->has_lookup)
        complain(binding, STR("on_unknown"), CODE_CONNECT_NO_LOOKUP,
                 "'on_unknown: lookup' is asked for, and %s%.*s cannot be looked up",
                 traits->name.n ? "action " : "type http", STR_ARG(traits->name));
    if (asked == ON_UNKNOWN_RETRY && !traits->key_life_us)
        complain(binding, STR("on_unknown"), CODE_CONNECT_NO_KEY,
                 "'on_unknown: retry' may have the effect of '%.*s' twice", STR_ARG(traits->name));
    return asked;
}

static void bind_webhook(const struct binding *binding) {
    struct destination_settings *destination = binding->destination;
    struct action_traits *traits = arena_new(binding->connectors->arena, struct action_traits);
    struct str key;
    *traits = (struct action_traits){.key_life_us = WHEN_NEVER, .batch_max = 1};
    traits->on_unknown = policy_in_force(binding, traits, ON_UNKNOWN_RETRY);
    destination->actions = traits;
    destination->action_count = 1;
    if (!destination->timeout_us) destination->timeout_us = TIMEOUT_US;
    if (destination->signing_secret.n && !webhook_secret(binding->findings->arena, destination->signing_secret, &key))
        complain(binding, STR("signing_secret"), CODE_CONNECT_SIGNING_SECRET,
                 "'signing_secret' is not whsec_ and base64");
}

static void bind_actions(const struct binding *binding) {
    const struct connector *connector = binding->connector;
    struct destination_settings *destination = binding->destination;
    destination->actions = arena_array(binding->connectors->arena, struct action_traits, connector->action_count);
    destination->action_count = connector->action_count;
    for (size_t i = 0; i < connector->action_count; i++) {
        struct action_traits *traits = &destination->actions[i];
        *traits = connector->actions[i].catalog->traits;
        traits->on_unknown = policy_in_force(binding, traits, traits->on_unknown);
    }
}

static void bind_limits(const struct binding *binding) {
    const struct connector *connector = binding->connector;
    struct destination_settings *destination = binding->destination;
    if (!destination->limit_count) {
        memcpy(destination->limits, connector->limits, sizeof connector->limits);
        destination->limit_count = connector->limit_count;
    }
    if (destination->meter.n && !connector_has_param(connector, destination->meter))
        complain(binding, STR("limit"), CODE_CONNECT_NAME,
                 "no action of connector '%.*s' has a parameter '%.*s' to limit by%.*s", STR_ARG(connector->name),
                 STR_ARG(destination->meter), STR_ARG(meters_text(connector, binding->findings->arena)));
    if (!destination->meter.n) {
        memcpy(destination->meter_limits, connector->meter_limits, sizeof connector->meter_limits);
        destination->meter_limit_count = connector->meter_limit_count;
        destination->meter = connector->meter;
    }
    if (connector->concurrency && destination->concurrency > connector->concurrency)
        destination->concurrency = connector->concurrency;
    if (!destination->timeout_us) destination->timeout_us = connector->timeout_us ? connector->timeout_us : TIMEOUT_US;
    destination->penalty_us = connector->penalty_us;
}

static void bind_one(const struct binding *binding) {
    binding->destination->connector = binding->connector;
    if (binding->connector->webhook) {
        bind_webhook(binding);
        if (binding->destination->meter.n)
            complain(binding, STR("limit"), CODE_CONNECT_NAME,
                     "a limit 'per %.*s' needs a connector whose actions have parameters",
                     STR_ARG(binding->destination->meter));
        return;
    }
    size_t errors = binding->findings->errors;
    check_fields(binding);
    if (binding->findings->errors == errors) check_urls(binding);
    if (binding->findings->errors == errors) check_token(binding);
    bind_actions(binding);
    bind_limits(binding);
}

/* Destinations of one account count together, so that what each value of is counted must be the same for all. */
static void check_account(const struct binding *binding, const struct settings *settings, size_t number) {
    const struct destination_settings *destination = &settings->destinations[number];
    for (size_t i = 0; i < number && destination->meter.n; i++) {
        const struct destination_settings *other = &settings->destinations[i];
        if (!str_eq(other->account, destination->account) || !other->meter.n) continue;
        if (str_eq(other->meter, destination->meter)) continue;
        complain(binding, STR("limit"), CODE_CONNECT_CLASH,
                 "its limits are per '%.*s', and those of '%.*s' with the same account per '%.*s'",
                 STR_ARG(destination->meter), STR_ARG(other->name), STR_ARG(other->meter));
        return;
    }
}

void connectors_bind(const struct connectors *connectors, struct settings *settings, struct findings *findings) {
    for (size_t i = 0; i < settings->destination_count; i++) {
        struct destination_settings *destination = &settings->destinations[i];
        if (destination->refused) continue; /* nothing will run, and what is missing may be what was refused */
        struct binding binding = {connectors, NULL, destination, findings, settings->file};
        for (size_t j = 0; j < connectors->catalog.count; j++)
            if (str_eq(connectors->catalog.entries[j].name, destination->type))
                binding.connector = connectors->items[j];
        if (binding.connector)
            bind_one(&binding);
        else
            complain(&binding, STR("type"), CODE_CONNECT_NAME, "there is no connector '%.*s'",
                     STR_ARG(destination->type));
        check_account(&binding, settings, i);
    }
}
