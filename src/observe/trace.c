#include "observe/trace.h"

#include <assert.h>
#include <stdlib.h>

struct tracer {
    struct trace_sampler sampler;
    struct arena texts; /* of the spans that wait */
    struct trace_span *spans;
    size_t count;
    struct trace_counts counts;
};

struct tracer *tracer_new(const struct trace_sampler *sampler) {
    struct tracer *tracer = calloc(1, sizeof *tracer);
    assert(tracer);
    tracer->sampler = *sampler;
    tracer->spans = calloc(TRACE_QUEUE_MAX, sizeof *tracer->spans);
    assert(tracer->spans);
    return tracer;
}

void tracer_free(struct tracer *tracer) {
    if (!tracer) return;
    arena_free(&tracer->texts);
    free(tracer->spans);
    free(tracer);
}

const struct trace_sampler *tracer_sampler(const struct tracer *tracer) {
    return tracer ? &tracer->sampler : NULL;
}

bool tracer_wants(const struct tracer *tracer, const struct trace_place *place, bool failed) {
    return tracer && (failed || trace_is_sampled(&tracer->sampler, place));
}

static void add_attr(struct trace_span *span, struct trace_attr attr) {
    assert(span->attr_count < TRACE_ATTRS_MAX);
    span->attrs[span->attr_count++] = attr;
}

void trace_attr_text(struct trace_span *span, const char *name, struct str text) {
    if (text.n) add_attr(span, (struct trace_attr){name, text, 0});
}

void trace_attr_number(struct trace_span *span, const char *name, int64_t number) {
    add_attr(span, (struct trace_attr){name, STR_NONE, number});
}

/* At most TRACE_TEXT_MAX bytes, and no half of a character: a text of protobuf is UTF-8. What is none becomes '?'. */
static struct str kept(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    for (size_t at = 0; at < text.n;) {
        size_t length = str_utf8_length(text, at);
        if (buf.n + (length ? length : 1) > TRACE_TEXT_MAX) break;
        buf_add(&buf, length ? str_sub(text, at, length) : STR("?"));
        at += length ? length : 1;
    }
    return buf_str(&buf);
}

void tracer_add(struct tracer *tracer, const struct trace_span *from) {
    tracer->counts.made++;
    if (tracer->count == TRACE_QUEUE_MAX) {
        tracer->counts.dropped++;
        return;
    }
    struct trace_span *span = &tracer->spans[tracer->count++];
    *span = *from;
    span->error = from->error.n ? kept(&tracer->texts, from->error) : STR_NONE;
    for (size_t i = 0; i < span->attr_count; i++)
        if (span->attrs[i].text.p) span->attrs[i].text = kept(&tracer->texts, span->attrs[i].text);
}

const struct trace_span *tracer_spans(const struct tracer *tracer, size_t *ret_count) {
    *ret_count = tracer ? tracer->count : 0;
    return tracer ? tracer->spans : NULL;
}

void tracer_clear(struct tracer *tracer) {
    tracer->count = 0;
    arena_reset(&tracer->texts);
}

void tracer_lost(struct tracer *tracer, size_t count) {
    tracer->counts.dropped += count;
}

struct trace_counts tracer_counts(const struct tracer *tracer) {
    return tracer ? tracer->counts : (struct trace_counts){0};
}
