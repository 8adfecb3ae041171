/* ingest/mapping.c - see mapping.h.
 *
 * WHAT  Asks jq for the type, the key and the moment of a request's events, and says what is done where it cannot tell.
 *
 * PROMISE  What jq says of a body is the same in each try of a sender: the value, or that there is none. Where it
 * cannot be known (the program ran away, no process runs it) the request is not taken at all and may be sent again, so
 * no event is ever stored under two keys. A program that runs away costs the line at most DEADLINE_US of processor time
 *   for a request, on three different requests, and then one in a spell that grows to an hour.
 *
 * WHY IT HOLDS  An error of jq, and a value that is no text, belong to the body and come again with it: the caller
 * falls back on what it does where a place is not there. All events of a request go through one call, whose deadline is
 * the request's. A body that ran away is known by its digest, so that a sender that tries it again and again strikes
 * once (model/guard.c). The guard is not staged: a run is over, whatever becomes of its turn.
 *
 * WHAT BREAKS IT  An evaluator that does not keep the deadline. Expressions that look at `now`: a key must not.
 *
 * HOW TO SEE IT  The log lines source_refused (E0138) and key_missing, `drumbeat sources show NAME`.
 *
 * TESTED BY  test/unit/ingest/test_mapping.c, test/e2e/test_map.py
 */
#include "ingest/mapping.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/jq.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/place.h"
#include "model/code.h"
#include "model/guard.h"

#define DEADLINE_US (50 * US_PER_MS)
#define EXACT_MAX   9007199254740991.0 /* beyond this jq's numbers are rounded */

static const char *const part_names[MAP_COUNT] = {
    [MAP_TYPE] = "type",
    [MAP_KEY] = "key",
    [MAP_AT] = "at",
};

struct mapping {
    const struct source_settings *source;
    struct str texts[MAP_COUNT]; /* "" = not by jq */
    size_t function;
    struct guard guard;
};
struct mappings {
    struct str file;
    struct mapping *items;
    size_t count;
};

/* ---- compiling ---- */

static void blame(struct str file, const struct mapping *mapping, enum map_part part, struct str problem,
                  struct findings *findings) {
    struct str text = mapping->texts[part];
    bool is_name = text.n && ((text.p[0] >= 'a' && text.p[0] <= 'z') || (text.p[0] >= 'A' && text.p[0] <= 'Z'));
    finding_add(findings, file, mapping->source->webhook.map_marks[part], code_text(CODE_SOURCE_MAP),
                "jq: %.*s, in '%s' in 'map' of source '%.*s'%s", STR_ARG(problem), part_names[part],
                STR_ARG(mapping->source->name), is_name ? " (a place in the body begins with '/' or '.')" : "");
}

static bool compile(const struct settings *settings, const struct source_settings *source, struct jq_source *jq,
                    struct findings *findings, struct mapping *ret_mapping) {
    const struct webhook_settings *webhook = &source->webhook;
    const struct str texts[MAP_COUNT] = {webhook->map_type, webhook->map_key, webhook->map_at};
    struct mapping mapping = {.source = source};
    struct buf buf = {.arena = jq->arena};
    bool has_jq = false, is_sound = true;
    buf_add(&buf, STR("def drumbeat_place(f): try drumbeat_one(f) catch {\"e\": (if type == \"string\" then . else "
                      "tojson end)};\nmap(["));
    for (enum map_part part = 0; part < MAP_COUNT; part++) {
        mapping.texts[part] = webhook_map_is_jq(texts[part]) ? texts[part] : STR("");
        if (part) buf_add(&buf, STR(", "));
        buf_fmt(&buf, "drumbeat_place((%.*s\n))", STR_ARG(mapping.texts[part].n ? mapping.texts[part] : STR("null")));
        if (!mapping.texts[part].n) continue;
        has_jq = true;
        const char *problem = jq_lex_problem(findings->arena, mapping.texts[part]);
        if (problem) blame(settings->file, &mapping, part, str_from(problem), findings);
        is_sound &= !problem;
    }
    buf_add(&buf, STR("])"));
    *ret_mapping = mapping;
    if (!has_jq || !is_sound) return false;
    ret_mapping->function = jq_add(jq, buf_str(&buf));
    if (ret_mapping->function == SIZE_MAX)
        finding_add(findings, settings->file, source->mark, code_text(CODE_ROUTE_FULL),
                    "more than %d jq programs, from source '%.*s' on", JQ_FUNCTIONS_MAX, STR_ARG(source->name));
    return true;
}

struct mappings *mappings_compile(const struct settings *settings, struct jq_source *source, struct findings *findings,
                                  struct arena *arena) {
    struct mappings *mappings = arena_new(arena, struct mappings);
    *mappings = (struct mappings){settings->file, arena_array(arena, struct mapping, settings->source_count), 0};
    for (size_t i = 0; i < settings->source_count; i++)
        if (settings->sources[i].kind == SOURCE_WEBHOOK)
            mappings->count +=
                compile(settings, &settings->sources[i], source, findings, &mappings->items[mappings->count]);
    return mappings;
}

void mappings_blame(const struct mappings *mappings, struct findings *findings) {
    struct str problem;
    for (size_t i = 0; i < mappings->count; i++)
        for (enum map_part part = 0; part < MAP_COUNT; part++)
            if (mappings->items[i].texts[part].n && jq_check(findings->arena, mappings->items[i].texts[part], &problem))
                blame(mappings->file, &mappings->items[i], part, problem, findings);
}

/* ---- running ---- */

struct mapping *mapping_find(const struct intake_context *context, const struct source_settings *source) {
    const struct mappings *mappings = context->mappings;
    for (size_t i = 0; mappings && i < mappings->count; i++)
        if (mappings->items[i].source == source) return &mappings->items[i];
    return NULL;
}

static struct str list_of(const struct str *events, size_t count, struct arena *arena) {
    struct buf list = {.arena = arena};
    buf_byte(&list, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) buf_byte(&list, ',');
        buf_add(&list, events[i]);
    }
    buf_byte(&list, ']');
    return buf_str(&list);
}

/* A part as jq gave it: null, a text, a number, jq's words in an object, or what is no text. */
static void read_part(struct str given, struct arena *arena, struct str *ret_value, struct str *ret_problem) {
    struct str text = place_text_of(given, arena), error;
    bool is_number = text.n && given.p[0] != '"';
    if (str_eq(given, STR("null"))) return;
    if (is_number &&
        !(strtod(str_dup(arena, text).p, NULL) <= EXACT_MAX && strtod(str_dup(arena, text).p, NULL) >= -EXACT_MAX))
        *ret_problem = STR("jq rounds numbers of more than 15 digits; name the place alone, as in /id");
    else if (text.p)
        *ret_value = text;
    else if (str_starts(given, STR("{")) && json_slice(given, STR("e"), &error))
        *ret_problem = str_fmt(arena, "jq: %.*s", STR_ARG(place_text_of(error, arena)));
    else
        *ret_problem = str_fmt(arena, "jq gave %s, which is no text",
                               given.p[0] == '['   ? "a list"
                               : given.p[0] == '{' ? "an object"
                                                   : "true or false");
}

static void read_all(const struct mapping *mapping, const struct jq_call *call, size_t count, struct arena *arena,
                     struct mapped *ret_mapped) {
    size_t list = 0;
    for (size_t i = 0; i < count; i++) {
        struct str item, given;
        size_t parts = 0;
        ret_mapped[i] = (struct mapped){0};
        bool is_there = !call->err && json_slice_item(call->result, &list, &item);
        for (enum map_part part = 0; part < MAP_COUNT; part++) {
            if (is_there && json_slice_item(item, &parts, &given))
                read_part(given, arena, &ret_mapped[i].values[part], &ret_mapped[i].problems[part]);
            else if (mapping->texts[part].n)
                ret_mapped[i].problems[part] = str_fmt(arena, "jq: %.*s", STR_ARG(call->result));
        }
    }
}

static struct uuid strike_of(const struct intake_context *context, struct str input) {
    uint8_t digest[SHA256_BYTES];
    struct uuid id;
    hash_sha256(context->hasher, input, digest);
    for (size_t i = 0; i < sizeof id.b; i++) id.b[i] = digest[i];
    return id;
}

enum err mapping_run(struct mapping *mapping, const struct intake_context *context, const struct str *events,
                     size_t count, struct mapped *ret_mapped, struct str *ret_words) {
    struct arena *arena = context->arena;
    struct guard *guard = &mapping->guard;
    if (guard->stopped && !guard_may_probe(guard, context->wall_us)) {
        *ret_words = str_fmt(arena, "the jq of 'map' ran away and is tried again in %.*s: %s",
                             STR_ARG(span_human(arena, guard->until_us - context->wall_us)), guard->why);
        return ERR_MAP_STOPPED;
    }
    struct buf event = {.arena = arena};
    buf_add(&event, STR("{\"source\":"));
    json_quote(&event, mapping->source->name);
    buf_fmt(&event, ",\"scheduled_at\":\"%.*s\"}", STR_ARG(when_str(arena, context->wall_us)));
    struct jq_call call = {.function = mapping->function,
                           .input = list_of(events, count, arena),
                           .event = buf_str(&event),
                           .deadline_us = DEADLINE_US};
    if (guard->strike_count && guard_knows(guard, strike_of(context, call.input), context->wall_us)) {
        *ret_words = STR("the jq of 'map' ran away on this body a moment ago; it is tried again a minute later");
        return ERR_MAP_STOPPED;
    }
    context->evaluator->run(context->evaluator->self, &call, 1, arena);
    if (call.err == ERR_JQ_RUNAWAY) guard_strike(guard, strike_of(context, call.input), call.result, context->wall_us);
    if (call.err == ERR_JQ_RUNAWAY || call.err == ERR_IO) {
        *ret_words = str_fmt(arena, "the jq of 'map': %.*s", STR_ARG(call.result));
        return ERR_MAP_STOPPED;
    }
    if (guard->stopped) guard_heal(guard);
    read_all(mapping, &call, count, arena, ret_mapped);
    return ERR_NONE;
}
