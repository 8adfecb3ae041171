#include "model/trace.h"

#include <string.h>

#include "base/hash.h"

static const struct trace_sampler always = {.kind = TRACE_ALWAYS, .parent_based = true};

static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Only lower case is a traceparent's; all zeros mean that there is none. */
static bool read_hex(const char *text, uint8_t *ret_bytes, size_t count) {
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
        any = any || ret_bytes[i];
    }
    return any;
}

bool trace_parent_parse(struct str text, struct trace_place *ret_place) {
    struct trace_place place = {.has_parent = true};
    if (text.n < TRACE_PARENT_TEXT || text.p[2] != '-' || text.p[35] != '-' || text.p[52] != '-') return false;
    int high = digit_of(text.p[0]), low = digit_of(text.p[1]);
    int flag_high = digit_of(text.p[53]), flag_low = digit_of(text.p[54]);
    if (high < 0 || low < 0 || (high == 15 && low == 15) || flag_high < 0 || flag_low < 0) return false;
    bool ours = high == 0 && low == 0;
    if (text.n > TRACE_PARENT_TEXT && (ours || text.p[TRACE_PARENT_TEXT] != '-')) return false;
    if (!read_hex(text.p + 3, place.trace, TRACE_ID_BYTES)) return false;
    if (!read_hex(text.p + 36, place.parent.b, TRACE_SPAN_BYTES)) return false;
    place.parent_sampled = flag_low & 1;
    *ret_place = place;
    return true;
}

struct trace_place trace_place_of(const struct event *event) {
    struct trace_place place = {0};
    if (event->trace_parent.n && trace_parent_parse(event->trace_parent, &place)) return place;
    place = (struct trace_place){0};
    memcpy(place.trace, event->id.b, TRACE_ID_BYTES);
    return place;
}

/* Ids of one millisecond follow one another, so their last bits are mixed first (the finalizer of splitmix64). */
static bool is_in_ratio(double ratio, const uint8_t trace[TRACE_ID_BYTES]) {
    uint64_t random = 0;
    for (size_t i = 0; i < TRACE_ID_BYTES; i++) random = (random << 8 | random >> 56) ^ trace[i];
    random = (random ^ random >> 30) * 0xbf58476d1ce4e5b9u;
    random = (random ^ random >> 27) * 0x94d049bb133111ebu;
    random ^= random >> 31;
    return (double)(random >> 11) < ratio * (double)((uint64_t)1 << 53);
}

bool trace_is_sampled(const struct trace_sampler *sampler, const struct trace_place *place) {
    if (sampler->parent_based && place->has_parent) return place->parent_sampled;
    if (sampler->kind == TRACE_RATIO) return is_in_ratio(sampler->ratio, place->trace);
    return sampler->kind == TRACE_ALWAYS;
}

/* ---- ids of spans ---- */

/* The last half of an id is random; `part` tells apart what belongs to one. All zeros would mean no span. */
static struct trace_span_id span_of(const uint8_t *random, uint32_t part, uint8_t mark) {
    struct trace_span_id span;
    memcpy(span.b, random, TRACE_SPAN_BYTES);
    for (size_t i = 0; i < sizeof part; i++) span.b[TRACE_SPAN_BYTES - 1 - i] ^= (uint8_t)(part >> 8 * i);
    span.b[0] ^= mark;
    static const struct trace_span_id none = {{0}};
    if (memcmp(&span, &none, sizeof span) == 0) span.b[0] = 1;
    return span;
}

struct trace_span_id trace_event_span(const struct event *event, uint8_t part) {
    return span_of(event->id.b + TRACE_ID_BYTES - TRACE_SPAN_BYTES, part, 0);
}

struct trace_span_id trace_attempt_span(const struct delivery *delivery, int32_t attempt) {
    return span_of(delivery->key.b, (uint32_t)attempt - 1, 0);
}

struct trace_span_id trace_settle_span(const struct delivery *delivery, int32_t attempt) {
    return span_of(delivery->key.b, (uint32_t)attempt - 1, 0xff);
}

struct str trace_parent_text(struct arena *arena, const struct trace_sampler *sampler,
                             const struct delivery *delivery) {
    struct trace_place place = trace_place_of(delivery->event);
    struct trace_span_id span = trace_attempt_span(delivery, delivery->attempts + 1);
    bool sampled = trace_is_sampled(sampler ? sampler : &always, &place);
    struct str trace_text = hex_encode(arena, place.trace, sizeof place.trace);
    struct str span_text = hex_encode(arena, span.b, sizeof span.b);
    return str_fmt(arena, "00-%.*s-%.*s-%s", STR_ARG(trace_text), STR_ARG(span_text), sampled ? "01" : "00");
}
