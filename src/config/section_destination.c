/* config/section_destination.c - destinations; see check.h. */
#include "config/section.h"

#include "base/address.h"
#include "base/hash.h"
#include "base/seal.h"
#include "base/when.h"
#include "model/exchange.h"

#include <string.h>

/* How many headers a destination may have. The rest of the room in struct outgoing is drumbeat's own. */
#define HEADERS_MAX         32
#define LIMIT_WINDOW_MIN_US US_PER_MS
#define LIMIT_WINDOW_MAX_US (31 * US_PER_DAY)

static const struct str http = {"http", 4};

/* ---- headers ---- */

/* What frames the message or belongs to the connection (RFC 9110 7.6.1, 8.6; RFC 9112 6.1). */
static bool is_framing(struct str name) {
    static const char *const names[] = {"connection", "content-length",    "expect",
                                        "keep-alive", "proxy-connection",  "te",
                                        "trailer",    "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_from(names[i]))) return true;
    return false;
}

static bool read_header(struct checker *checker, const struct tree *map, size_t at, struct header *ret_header) {
    struct key key = {.name = map->names[at], .type = KEY_TEXT};
    struct str name = check_shown(checker, map->names[at]), value;
    if (!header_name_valid(map->names[at])) {
        check_report(checker, map->name_marks[at], CODE_HEADER, "'%.*s'%.*s is no name for a header", STR_ARG(name),
                     STR_ARG(checker->where));
        return false;
    }
    if (is_framing(map->names[at])) {
        check_report(checker, map->name_marks[at], CODE_HEADER, "'%.*s'%.*s is set by HTTP itself", STR_ARG(name),
                     STR_ARG(checker->where));
        return false;
    }
    if (!scalar_text(checker, &key, map->items[at], &value)) return false;
    expand_refuse_literal(checker, check_subject(checker, key.name), map->items[at]);
    if (!header_value_valid(value)) {
        check_report(checker, map->items[at]->mark, CODE_HEADER, "'%.*s'%.*s holds a control character or a line end",
                     STR_ARG(name), STR_ARG(checker->where));
        return false;
    }
    *ret_header = (struct header){map->names[at], value};
    return true;
}

void check_headers(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct destination_settings *destination = owner;
    struct str where = checker->where;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    if (map->count > HEADERS_MAX) {
        check_report(checker, value->mark, CODE_BOUNDS, "more than %d headers%.*s", HEADERS_MAX, STR_ARG(where));
        return;
    }
    checker->where = str_fmt(checker->arena, " in 'headers'%.*s", STR_ARG(where));
    destination->headers = arena_array(checker->arena, struct header, map->count);
    for (size_t i = 0; i < map->count; i++)
        if (read_header(checker, map, i, &destination->headers[destination->header_count])) destination->header_count++;
    checker->where = where;
}

/* ---- limits ---- */

static bool read_rate(struct checker *checker, const struct key *key, const struct tree *value,
                      struct limit_rule *ret_rule, struct str *ret_meter) {
    struct str text, subject = check_subject(checker, key->name);
    struct limit_rule rule;
    if (!scalar_text(checker, key, value, &text)) return false;
    if (!limit_rule_parse(text, &rule, ret_meter)) {
        scalar_refuse(checker, key, value, CODE_VALUE);
    } else if (rule.count < key->min || rule.count > key->max) {
        check_report(checker, value->mark, CODE_BOUNDS, "%.*s must be from %lld to %lld sends in a window",
                     STR_ARG(subject), (long long)key->min, (long long)key->max);
    } else if (rule.window_us < LIMIT_WINDOW_MIN_US || rule.window_us > LIMIT_WINDOW_MAX_US) {
        struct str min = span_str(checker->arena, LIMIT_WINDOW_MIN_US);
        struct str max = span_str(checker->arena, LIMIT_WINDOW_MAX_US);
        check_report(checker, value->mark, CODE_BOUNDS, "%.*s must have a window from %.*s to %.*s", STR_ARG(subject),
                     STR_ARG(min), STR_ARG(max));
    } else {
        *ret_rule = rule;
        return true;
    }
    return false;
}

static void read_limit(struct checker *checker, const struct key *key, const struct tree *value,
                       struct destination_settings *destination) {
    struct limit_rule rule;
    struct str meter, subject = check_subject(checker, key->name);
    if (!read_rate(checker, key, value, &rule, &meter)) return;
    if (!meter.n) {
        destination->limits[destination->limit_count++] = rule;
    } else if (destination->meter.n && !str_eq(destination->meter, meter)) {
        check_report(checker, value->mark, CODE_VALUE,
                     "%.*s has limits per '%.*s' and per '%.*s': it can have one of them", STR_ARG(subject),
                     STR_ARG(destination->meter), STR_ARG(meter));
    } else {
        destination->meter = meter;
        destination->meter_limits[destination->meter_limit_count++] = rule;
    }
}

void check_rate(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct limit_rule rule;
    struct str meter;
    if (!read_rate(checker, key, value, &rule, &meter)) return;
    if (meter.n)
        scalar_refuse(checker, key, value, CODE_VALUE);
    else
        *(struct limit_rule *)(void *)((char *)owner + key->place) = rule;
}

void check_limits(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    if (value->kind != TREE_LIST) {
        read_limit(checker, key, value, owner);
    } else if (value->count > LIMIT_RULES_MAX) {
        struct str subject = check_subject(checker, key->name);
        check_report(checker, value->mark, CODE_BOUNDS, "%.*s has more than %d limits", STR_ARG(subject),
                     LIMIT_RULES_MAX);
    } else {
        for (size_t i = 0; i < value->count; i++) read_limit(checker, key, value->items[i], owner);
    }
}

/* ---- breaker and retries ---- */

void check_breaker(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct breaker_rule *breaker = (void *)((char *)owner + key->place);
    struct str text, where = checker->where;
    struct tree nothing = {.kind = TREE_MAP, .mark = value->mark, .file = checker->file};
    const struct tree *map = value->kind == TREE_MAP ? value : &nothing;
    checker->where = str_fmt(checker->arena, " in 'breaker'%.*s", STR_ARG(where));
    check_known(checker, SECTION_BREAKER, map, breaker);
    check_unknown(checker, SECTION_BREAKER, map);
    checker->where = where;
    breaker->on = true;
    if (value->kind == TREE_MAP || !scalar_text(checker, key, value, &text)) return;
    breaker->on = !str_eq(text, STR("off"));
    if (breaker->on && !str_eq(text, STR("on"))) scalar_refuse(checker, key, value, CODE_VALUE);
}

void check_retry(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    section_read(checker, key, value, owner);
    const struct retry_rule *retry = (const void *)((char *)owner + key->place);
    bool refused = !retry->cap_us;
    if (refused || retry->base_us <= retry->cap_us) return;
    check_report(checker, check_key_mark(value, STR("base")), CODE_BOUNDS, "'base' in 'retry'%.*s is longer than 'cap'",
                 STR_ARG(checker->where));
}

/* ---- type ---- */

static struct str connectors_text(struct checker *checker) {
    struct buf text = {.arena = checker->arena};
    buf_add(&text, http);
    for (size_t i = 0; i < checker->catalog->count; i++)
        if (!str_eq(checker->catalog->entries[i].name, http))
            buf_fmt(&text, ", %.*s", STR_ARG(checker->catalog->entries[i].name));
    return buf_str(&text);
}

static void refuse_type(struct checker *checker, struct tree_mark mark, struct str name, struct str type) {
    struct str types = connectors_text(checker);
    if (!type.n) {
        check_report(checker, mark, CODE_TYPE,
                     "destination '%.*s' needs a 'type', one of %.*s (or a 'url', which makes it http)", STR_ARG(name),
                     STR_ARG(types));
        return;
    }
    struct suggestion near = {.wrong = type};
    suggestion_consider(&near, http);
    for (size_t i = 0; i < checker->catalog->count; i++) suggestion_consider(&near, checker->catalog->entries[i].name);
    struct str hint = suggestion_text(checker->arena, &near), shown = check_shown(checker, type);
    check_report(checker, mark, CODE_TYPE, "destination '%.*s' has the unknown type '%.*s'; there are %.*s%.*s",
                 STR_ARG(name), STR_ARG(shown), STR_ARG(types), STR_ARG(hint));
}

/* The type of a destination: what is written, else the destination's own name when a connector has it, else http when
 * there is a url. */
static struct target find_target(struct checker *checker, const struct tree *map,
                                 struct destination_settings *destination) {
    const struct tree *value = tree_get(map, STR("type"));
    struct str type = value ? value->text : destination->name;
    bool is_http = str_eq(type, http) || (!value && !catalog_find(checker->catalog, type) && tree_get(map, STR("url")));
    const struct catalog_entry *entry = is_http ? NULL : catalog_find(checker->catalog, type);
    if (!is_http && !entry) {
        if (!value || value->kind == TREE_SCALAR)
            refuse_type(checker, value ? value->mark : destination->mark, destination->name, value ? type : STR_NONE);
        return (struct target){0};
    }
    destination->type = is_http ? http : entry->name;
    return (struct target){true, entry};
}

/* ---- the keys of a connector ---- */

static const struct catalog_name *field_find(const struct catalog_entry *entry, struct str name) {
    for (size_t i = 0; entry && i < entry->field_count; i++)
        if (str_eq(entry->fields[i].name, name)) return &entry->fields[i];
    return NULL;
}

/* A connector may have a field of its own named url. */
static bool is_http_only(struct str name) {
    return str_eq(name, STR("url")) || str_eq(name, STR("headers")) || str_eq(name, STR("signing_secret"));
}

static void read_field(struct checker *checker, const struct catalog_name *field, const struct tree *value,
                       struct destination_settings *destination) {
    struct key key = {.name = field->name, .type = field->secret ? KEY_SECRET : KEY_TEXT};
    struct str text;
    if (str_eq(field->name, STR("url"))) {
        if (!destination->url.n) return; /* refused as the key it is in the table */
        text = destination->url;
    } else if (!scalar_text(checker, &key, value, &text)) {
        return;
    }
    if (field->secret) (void)expand_refuse_plain(checker, check_subject(checker, field->name), value);
    map_set(&destination->fields, field->name, arena_copy(checker->arena, &text, sizeof text));
}

static void refuse_key(struct checker *checker, const struct catalog_entry *entry, const struct tree *map, size_t at) {
    struct suggestion near = {.wrong = map->names[at], .all = {.arena = checker->arena}};
    for (const struct key *key = NULL; (key = key_next(SECTION_DESTINATION, key));)
        if (!entry || !is_http_only(key->name)) suggestion_consider(&near, key->name);
    for (size_t i = 0; entry && i < entry->field_count; i++) suggestion_consider(&near, entry->fields[i].name);
    struct str hint = suggestion_text(checker->arena, &near), shown = check_shown(checker, map->names[at]);
    check_report(checker, map->name_marks[at], CODE_UNKNOWN_KEY, "unknown key '%.*s'%.*s%.*s", STR_ARG(shown),
                 STR_ARG(checker->where), STR_ARG(hint));
}

/* Checks the keys that the table does not have, and those that it has for http alone. */
static void check_other_keys(struct checker *checker, const struct target *target, const struct tree *map,
                             struct destination_settings *destination) {
    for (size_t i = 0; i < map->count; i++) {
        struct str name = map->names[i];
        const struct catalog_name *field = field_find(target->entry, name);
        bool in_table = key_find(SECTION_DESTINATION, name);
        if (field && (!in_table || str_eq(name, STR("url"))))
            read_field(checker, field, map->items[i], destination);
        else if (in_table && target->entry && is_http_only(name))
            check_report(checker, map->name_marks[i], CODE_HTTP_ONLY, "'%.*s'%.*s is for type http; its type is %.*s",
                         STR_ARG(name), STR_ARG(checker->where), STR_ARG(destination->type));
        else if (!in_table)
            refuse_key(checker, target->entry, map, i);
    }
}

/* ---- the key of kept tokens ---- */

#define TOKEN_KEY "DRUMBEAT_TOKEN_KEY"

static void check_token_key(struct checker *checker, const struct destination_settings *destination) {
    struct str text = STR_NONE, note = STR_NONE, key, *ret_key = &checker->settings->token_key;
    if (ret_key->n) return;
    bool found = expand_lookup(checker, STR(TOKEN_KEY), &text, &note);
    if (found && base64_decode(checker->arena, str_trim(text), &key) && key.n == SEAL_KEY_BYTES) {
        *ret_key = key;
        return;
    }
    if (found) note = STR("it is not 32 bytes in base64");
    check_report(checker, destination->mark, CODE_CONNECT_TOKEN_KEY,
                 "destination '%.*s' keeps a token, and the secret " TOKEN_KEY " that seals it %s%.*s; make one: "
                 "(umask 077; openssl rand -base64 32 > secrets/" TOKEN_KEY ")",
                 STR_ARG(destination->name), found ? "cannot be used: " : "was not found: ", STR_ARG(note));
}

/* ---- one destination ---- */

/* The name that every machine has for itself (RFC 6761). */
static bool is_localhost(struct str host) {
    if (str_ends(host, STR("."))) host = str_sub(host, 0, host.n - 1);
    size_t n = sizeof "localhost" - 1;
    bool ends = host.n >= n && str_eq_nocase(str_sub(host, host.n - n, n), STR("localhost"));
    return ends && (host.n == n || host.p[host.n - n - 1] == '.');
}

static void check_url(struct checker *checker, const struct tree *map, const struct destination_settings *destination) {
    const struct tree *value = tree_get(map, STR("url"));
    struct str host, subject = check_subject(checker, STR("url"));
    bool is_private = false;
    const char *reason = NULL;
    if (!value)
        check_report(checker, destination->mark, CODE_MISSING, "'url' is missing%.*s: type http needs it",
                     STR_ARG(checker->where));
    else if (!destination->url.n)
        return;
    else if (!url_check(destination->url, &host, &is_private, &reason))
        check_report(checker, value->mark, CODE_URL, "%.*s cannot be called: %s", STR_ARG(subject), reason);
    else if ((is_private || is_localhost(host)) && !destination->allow_private)
        check_report(checker, value->mark, CODE_PRIVATE,
                     "%.*s names a private address: it is refused without 'allow_private: true'", STR_ARG(subject));
}

/* The text after whsec_ must be base64, or every signature would be refused later. */
static void check_signing_secret(struct checker *checker, const struct tree *map, struct str secret) {
    const struct str prefix = STR("whsec_");
    struct str key, subject = check_subject(checker, STR("signing_secret"));
    if (!str_starts(secret, prefix)) return;
    if (base64_decode(checker->arena, str_sub(secret, prefix.n, secret.n), &key) && key.n) return;
    check_report(checker, tree_get(map, STR("signing_secret"))->mark, CODE_VALUE, "%.*s is not base64 after whsec_",
                 STR_ARG(subject));
}

void check_way(struct checker *checker, const struct tree *map, struct str ca, struct str proxy) {
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    bool known = !proxy.n;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        known |= str_starts(proxy, str_from(schemes[i])) && proxy.n > strlen(schemes[i]);
    if (!known)
        check_report(checker, check_key_mark(map, STR("proxy")), CODE_VALUE,
                     "'proxy'%.*s takes http://HOST:PORT, or https, socks5 or socks5h", STR_ARG(checker->where));
    if (ca.n && !memmem(ca.p, ca.n, begin, sizeof begin - 1))
        check_report(checker, check_key_mark(map, STR("ca")), CODE_VALUE,
                     "'ca'%.*s holds no certificate in PEM: it begins with %s", STR_ARG(checker->where), begin);
}

static void check_destination(struct checker *checker, const struct tree *value,
                              struct destination_settings *destination, struct target *target) {
    struct str subject = str_fmt(checker->arena, "destination '%.*s'", STR_ARG(destination->name));
    checker->where = str_fmt(checker->arena, " in %.*s", STR_ARG(subject));
    destination->account = destination->name;
    destination->fields.arena = checker->arena;
    const struct tree *map = check_is_map(checker, subject, value, destination->mark);
    if (!map) return;
    *target = find_target(checker, map, destination);
    struct str type = destination->type;
    check_known(checker, SECTION_DESTINATION, map, destination);
    destination->type = type;
    if (!target->known) return;
    check_other_keys(checker, target, map, destination);
    check_way(checker, map, destination->ca, destination->proxy);
    if (target->entry && target->entry->keeps_token) check_token_key(checker, destination);
    if (target->entry) return;
    check_url(checker, map, destination);
    check_signing_secret(checker, map, destination->signing_secret);
}

/* A name that still stands for a destination is not an earlier name, and what is owed under one cannot go two ways. */
static void check_was(struct checker *checker, const struct settings *settings, size_t at, struct tree_mark mark,
                      struct str was) {
    struct str name = settings->destinations[at].name;
    size_t other = settings_destination(settings, was);
    if (other == at) {
        check_report(checker, mark, CODE_WAS, "'was' in destination '%.*s' names the destination itself",
                     STR_ARG(name));
        return;
    }
    if (other != SIZE_MAX) {
        check_report(checker, mark, CODE_WAS, "'was' in destination '%.*s' names '%.*s', which is still a destination",
                     STR_ARG(name), STR_ARG(was));
        return;
    }
    size_t first = 0;
    while (first < at && !str_list_has(settings->destinations[first].was, was)) first++;
    if (first < at)
        check_report(checker, mark, CODE_WAS,
                     "destinations '%.*s' and '%.*s' both say 'was: %.*s': only one can take over",
                     STR_ARG(settings->destinations[first].name), STR_ARG(name), STR_ARG(was));
}

/* A list of which an item was refused already has no marks that could be told apart, and is looked at when it is
 * mended. */
static void check_earlier(struct checker *checker, const struct settings *settings, size_t at,
                          const struct tree *value) {
    const struct destination_settings *destination = &settings->destinations[at];
    struct str_list was = destination->was;
    bool is_list = value && value->kind == TREE_LIST;
    if (is_list && value->count != was.count) return;
    for (size_t i = 0; value && i < was.count; i++) {
        struct tree_mark mark = is_list ? value->items[i]->mark : value->mark;
        check_name(checker, "destination", was.items[i], mark);
        if (str_list_has((struct str_list){was.items, i}, was.items[i]))
            check_report(checker, mark, CODE_WAS, "'was' in destination '%.*s' names '%.*s' twice",
                         STR_ARG(destination->name), STR_ARG(was.items[i]));
        else
            check_was(checker, settings, at, mark, was.items[i]);
    }
}

void check_destinations(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct settings *settings = owner;
    const struct tree *map = check_is_map(checker, check_subject(checker, key->name), value, value->mark);
    if (!map) return;
    settings->destinations = arena_array(checker->arena, struct destination_settings, map->count);
    settings->destination_count = map->count;
    checker->targets = arena_array(checker->arena, struct target, map->count);
    checker->takes_secrets = true;
    for (size_t i = 0; i < map->count; i++) {
        struct destination_settings *destination = &settings->destinations[i];
        *destination =
            (struct destination_settings){.name = map->names[i], .mark = map->name_marks[i], .written = map->items[i]};
        check_name(checker, "destination", map->names[i], map->name_marks[i]);
        check_destination(checker, map->items[i], destination, &checker->targets[i]);
    }
    for (size_t i = 0; i < map->count; i++) check_earlier(checker, settings, i, tree_get(map->items[i], STR("was")));
    checker->takes_secrets = false;
    checker->where = STR_NONE;
}

/* ---- what a reload changes ---- */

static struct str breaker_text(struct arena *arena, const struct breaker_rule *breaker) {
    struct buf text = {.arena = arena};
    if (!breaker->on) return STR("off");
    diff_write_section(&text, SECTION_BREAKER, breaker);
    return buf_str(&text);
}

void diff_breaker(struct diff *diff, const struct key *key, struct str subject, const void *before, const void *after) {
    const void *was = (const char *)before + key->place, *is = (const char *)after + key->place;
    diff_texts(diff, key, subject, breaker_text(diff->arena, was), breaker_text(diff->arena, is));
}

/* A field that is a key of the table as well (url) was compared there. */
static void compare_fields(struct diff *diff, struct str subject, const struct map *before, const struct map *after) {
    for (size_t i = 0; i < after->count; i++) {
        if (key_find(SECTION_DESTINATION, after->slots[i].key)) continue;
        const struct str *old = map_get(before, after->slots[i].key), *new = after->slots[i].value;
        if (!old || !str_eq(*old, *new))
            diff_add(diff, "%.*s%.*s changed", STR_ARG(subject), STR_ARG(after->slots[i].key));
    }
    for (size_t i = 0; i < before->count; i++)
        if (!map_get(after, before->slots[i].key) && !key_find(SECTION_DESTINATION, before->slots[i].key))
            diff_add(diff, "%.*s%.*s removed", STR_ARG(subject), STR_ARG(before->slots[i].key));
}

/* Where the destination stands in the configuration of before, under its name or an earlier one; SIZE_MAX: it is new.
 */
static size_t find_before(struct diff *diff, const struct settings *before, const struct destination_settings *new) {
    size_t at = settings_destination(before, new->name);
    for (size_t i = 0; at == SIZE_MAX && i < new->was.count; i++) {
        at = settings_destination(before, new->was.items[i]);
        if (at != SIZE_MAX)
            diff_add(diff, "destination %.*s renamed to %.*s", STR_ARG(new->was.items[i]), STR_ARG(new->name));
    }
    return at;
}

void diff_destinations(struct diff *diff, const struct key *key, struct str subject, const void *was, const void *is) {
    const struct settings *before = was, *after = is;
    (void)key;
    (void)subject;
    for (size_t i = 0; i < after->destination_count; i++) {
        const struct destination_settings *new = &after->destinations[i];
        size_t at = find_before(diff, before, new);
        if (at == SIZE_MAX) {
            diff_add(diff, "destination %.*s added", STR_ARG(new->name));
            continue;
        }
        struct str name = str_fmt(diff->arena, "destination %.*s: ", STR_ARG(new->name));
        diff_section(diff, SECTION_DESTINATION, name, &before->destinations[at], new);
        compare_fields(diff, name, &before->destinations[at].fields, &new->fields);
    }
    for (size_t i = 0; i < before->destination_count; i++)
        if (settings_destination(after, before->destinations[i].name) == SIZE_MAX &&
            settings_heir(after, before->destinations[i].name) == SIZE_MAX)
            diff_add(diff, "destination %.*s removed", STR_ARG(before->destinations[i].name));
}
