/* engine/exports.c - see exports.h.
 *
 * WHAT. Sends spans and numbers to a collector as OTLP, over HTTP or gRPC.
 * PROMISE. Whatever the collector does, no turn waits for it and nothing is kept without a bound.
 * WHY IT HOLDS.
 * 1. A body leaves as an errand of the reserve, which takes no slot from a delivery, and its owner may have one for
 * each kind at a time.
 * 2. There is one body for each kind. Spans that come while it is under way wait in the tracer, whose queue is bounded.
 * 3. A body is dropped when it was taken, when the collector says that it never will take it, or after EXPORT_TRIES.
 * 4. Nothing is written to the store. A crash loses what was not sent; a dropped turn takes back the errand and not the
 *    body, and the next turn starts it again.
 * 5. What an answer means is staged in `verdict` and taken in after the commit, once.
 * WHAT BREAKS IT. Gathering that takes long: it is part of the loop's time, and bounded by TRACE_QUEUE_MAX spans.
 * HOW TO SEE IT. drumbeat_spans_total, drumbeat_exports_total; the log lines export_failing and export_back.
 * TESTED BY. test/unit/observe/test_otel.c; test/e2e/test_traces.py.
 */
#include "engine/exports.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/turn.h"

#define RETRY_FIRST_US   US_PER_S
#define RETRY_LONGEST_US (30 * US_PER_S)
#define STOP_TRY_US      (2 * US_PER_S) /* what is sent at a stop is not waited for longer */
#define GRPC_PREFIX      5

enum export_verdict { VERDICT_NONE, VERDICT_TAKEN, VERDICT_AGAIN, VERDICT_LOST };

struct export {
    enum otel_signal signal;
    struct arena arena; /* of the body */
    struct str body;    /* n 0 = none waits */
    size_t spans;       /* in the body */
    int tries;
    int64_t next_us; /* of the body: when it is tried next; else when the numbers are gathered next */
    uint64_t tag;    /* of the errand that carries it */
    enum export_verdict verdict;
    int64_t wait_us; /* with VERDICT_AGAIN: what the collector asked for; 0 = nothing */
    char words[160]; /* of the last failure */
    bool failing;    /* the log says so */
    struct export_counts counts;
};
struct exports {
    const struct otel_options *options;
    struct tracer *tracer;
    int64_t started_us; /* wall time of the first look; counters count from there */
    int64_t spans_us;   /* since when the oldest span waits; 0 = none does */
    struct export exports[OTEL_SIGNALS];
};

struct exports *exports_new(const struct otel_options *options, int64_t now_us) {
    if (!options || (!options->ways[OTEL_TRACES].on && !options->ways[OTEL_METRICS].on)) return NULL;
    struct exports *exports = calloc(1, sizeof *exports);
    assert(exports);
    exports->options = options;
    if (options->ways[OTEL_TRACES].on) exports->tracer = tracer_new(&options->sampler);
    for (int i = 0; i < OTEL_SIGNALS; i++) exports->exports[i].signal = (enum otel_signal)i;
    exports->exports[OTEL_METRICS].next_us = now_us + options->metrics_every_us;
    return exports;
}

void exports_free(struct exports *exports) {
    if (!exports) return;
    tracer_free(exports->tracer);
    for (int i = 0; i < OTEL_SIGNALS; i++) arena_free(&exports->exports[i].arena);
    free(exports);
}

struct tracer *exports_tracer(const struct exports *exports) {
    return exports ? exports->tracer : NULL;
}

struct export_counts exports_counts(const struct exports *exports, enum otel_signal signal) {
    return exports->exports[signal].counts;
}

/* ---- gathering ---- */

static size_t spans_waiting(const struct exports *exports) {
    size_t count;
    (void)tracer_spans(exports->tracer, &count);
    return count;
}

/* A message of gRPC has its length before it. */
static struct str framed(struct arena *arena, struct str message, bool grpc) {
    if (!grpc) return message;
    char *bytes = arena_alloc(arena, message.n + GRPC_PREFIX);
    bytes[0] = 0; /* not compressed */
    for (size_t i = 0; i < 4; i++) bytes[1 + i] = (char)(message.n >> 8 * (3 - i));
    memcpy(bytes + GRPC_PREFIX, message.p, message.n);
    return (struct str){bytes, message.n + GRPC_PREFIX};
}

static void put_body(const struct exports *exports, struct export *it, struct str message, int64_t now_us) {
    it->body = framed(&it->arena, message, exports->options->ways[it->signal].grpc);
    it->tries = 0;
    it->next_us = now_us;
}

static bool spans_are_due(const struct loop *loop, const struct exports *exports, int64_t now_us) {
    size_t count = spans_waiting(exports);
    if (!count || exports->exports[OTEL_TRACES].body.n) return false;
    return count >= EXPORT_BATCH || loop->stopping || now_us >= exports->spans_us + exports->options->spans_every_us;
}

static bool numbers_are_due(const struct exports *exports, int64_t now_us) {
    const struct export *it = &exports->exports[OTEL_METRICS];
    return exports->options->ways[OTEL_METRICS].on && !it->body.n && now_us >= it->next_us;
}

void exports_gather(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct exports *exports = loop->exports;
    if (!exports) return;
    if (!exports->started_us) exports->started_us = turn->wall_us;
    if (spans_waiting(exports) && !exports->spans_us) exports->spans_us = turn->now_us;
    if (spans_are_due(loop, exports, turn->now_us)) {
        struct export *it = &exports->exports[OTEL_TRACES];
        const struct trace_span *spans = tracer_spans(exports->tracer, &it->spans);
        put_body(exports, it, otlp_spans(&exports->options->resource, spans, it->spans, &it->arena), turn->now_us);
        tracer_clear(exports->tracer);
        exports->spans_us = 0;
    }
    if (numbers_are_due(exports, turn->now_us)) {
        struct export *it = &exports->exports[OTEL_METRICS];
        struct gauge_set sets[LOOP_SETS_MAX];
        size_t count = loop_look(loop, sets, turn->arena);
        put_body(exports, it,
                 otlp_metrics(&exports->options->resource, sets, count, turn->now_us, turn->wall_us,
                              exports->started_us, &it->arena),
                 turn->now_us);
    }
}

/* ---- sending ---- */

static bool is_under_way(const struct loop *loop, const struct export *it) {
    return it->tag && errand_find(loop->errands, it->tag);
}

static void fill_outgoing(const struct otel_way *way, struct str body, struct outgoing *outgoing) {
    *outgoing = (struct outgoing){.scheme = way->grpc ? OUTGOING_GRPC : OUTGOING_HTTP,
                                  .method = STR("POST"),
                                  .url = way->url,
                                  .body = body,
                                  .allow_private = true}; /* the operator named it, and it is mostly on this machine */
    outgoing_header(outgoing, STR("Content-Type"), way->grpc ? STR("application/grpc") : STR("application/x-protobuf"));
    outgoing_header(outgoing, STR("User-Agent"), STR("OTel-OTLP-Exporter-drumbeat/" DRUMBEAT_VERSION));
    if (way->grpc) outgoing_header(outgoing, STR("TE"), STR("trailers"));
    for (size_t i = 0; i < way->header_count; i++) outgoing_put(outgoing, way->headers[i].name, way->headers[i].value);
}

void exports_run(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct exports *exports = loop->exports;
    for (int i = 0; exports && i < OTEL_SIGNALS; i++) {
        struct export *it = &exports->exports[i];
        const struct otel_way *way = &exports->options->ways[i];
        if (!it->body.n || is_under_way(loop, it) || turn->now_us < it->next_us) continue;
        int64_t most_us = loop->stopping && STOP_TRY_US < way->timeout_us ? STOP_TRY_US : way->timeout_us;
        struct errand *errand = errand_start(turn, &errand_owners[ERRAND_EXPORT], turn->now_us + most_us);
        if (!errand) continue;
        fill_outgoing(way, it->body, &errand->outgoing);
        errand->keeps = it;
        errand->whose = STR(EXPIRY_COLLECTOR);
        it->tag = errand->tag;
    }
}

int64_t exports_next(const struct loop *loop) {
    const struct exports *exports = loop->exports;
    int64_t next_us = WHEN_NEVER;
    for (int i = 0; exports && i < OTEL_SIGNALS; i++) {
        const struct export *it = &exports->exports[i];
        int64_t own_us = WHEN_NEVER;
        if (is_under_way(loop, it)) continue; /* its answer wakes the loop */
        if (it->body.n || (i == OTEL_METRICS && exports->options->ways[i].on && !loop->stopping))
            own_us = it->next_us;
        else if (i == OTEL_TRACES && spans_waiting(exports))
            own_us = spans_waiting(exports) >= EXPORT_BATCH || loop->stopping || !exports->spans_us
                         ? 0
                         : exports->spans_us + exports->options->spans_every_us;
        if (own_us < next_us) next_us = own_us;
    }
    return next_us;
}

bool exports_are_left(const struct loop *loop) {
    const struct exports *exports = loop->exports;
    if (!exports) return false;
    const struct export *spans = &exports->exports[OTEL_TRACES];
    if (spans->failing || spans->tries) return false; /* the collector was asked and did not take it */
    return spans->body.n || spans_waiting(exports);
}

/* ---- answers ---- */

static void fail(struct export *it, enum export_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(struct export *it, enum export_verdict verdict, const char *format, ...) {
    va_list args;
    it->verdict = verdict;
    va_start(args, format);
    vsnprintf(it->words, sizeof it->words, format, args);
    va_end(args);
}

/* Which may be tried again, by OTLP's own list. */
static bool http_may_again(int32_t status) {
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static bool grpc_may_again(int64_t code) {
    static const int64_t codes[] = {1, 4, 8, 10, 11, 14, 15};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code) return true;
    return false;
}

static bool is_grpc_message(struct str body) {
    if (body.n < GRPC_PREFIX || body.p[0]) return false;
    size_t length = 0;
    for (size_t i = 1; i < GRPC_PREFIX; i++) length = length << 8 | (uint8_t)body.p[i];
    return length == body.n - GRPC_PREFIX;
}

static void judge_grpc(struct export *it, const struct answer *answer) {
    struct str text = answer_header(answer, STR("grpc-status")), words = answer_header(answer, STR("grpc-message"));
    int64_t code;
    if (!text.n || !str_to_i64(text, &code))
        fail(it, VERDICT_LOST, "answered %d without a grpc-status: that is no collector", answer->status);
    else if (code)
        fail(it, grpc_may_again(code) ? VERDICT_AGAIN : VERDICT_LOST, "grpc-status %lld %.*s", (long long)code,
             STR_ARG(str_head(words, 80)));
    else if (!is_grpc_message(answer->body))
        fail(it, VERDICT_LOST, "grpc-status 0 with a body that is no message");
    else
        it->verdict = VERDICT_TAKEN;
}

static void judge(struct export *it, const struct answer *answer, bool grpc, struct arena *arena) {
    it->wait_us = 0;
    if (answer->end != EXCHANGE_ANSWERED) {
        fail(it, VERDICT_AGAIN, "%s: %s", exchange_text(answer->end), answer->trouble);
        return;
    }
    if (answer->status < 200 || answer->status > 299) {
        uint64_t seconds;
        if (str_to_u64(answer_header(answer, STR("retry-after")), &seconds) && seconds <= 3600)
            it->wait_us = (int64_t)seconds * US_PER_S;
        fail(it, http_may_again(answer->status) ? VERDICT_AGAIN : VERDICT_LOST, "answered %d", answer->status);
        return;
    }
    if (grpc)
        judge_grpc(it, answer);
    else
        it->verdict = VERDICT_TAKEN;
    if (it->verdict != VERDICT_TAKEN) return;
    int64_t refused;
    struct str words;
    struct str message = grpc ? str_sub(answer->body, GRPC_PREFIX, SIZE_MAX) : answer->body;
    if (!answer->body_complete || !otlp_refused(message, &refused, &words, arena))
        fail(it, VERDICT_LOST, "answered %d with what no collector says", answer->status);
    else if (refused > 0)
        fail(it, VERDICT_LOST, "%lld were refused: %.*s", (long long)refused, STR_ARG(str_head(words, 80)));
}

enum err exports_settle(struct turn *turn, const struct errand *errand, const struct answer *answer) {
    struct export *it = errand->keeps;
    judge(it, answer, errand->outgoing.scheme == OUTGOING_GRPC, turn->arena);
    return ERR_NONE;
}

static int64_t wait_before_again(const struct export *it) {
    int64_t wait_us = RETRY_FIRST_US << (it->tries - 1);
    if (wait_us > RETRY_LONGEST_US) wait_us = RETRY_LONGEST_US;
    return it->wait_us > wait_us ? it->wait_us : wait_us;
}

/* A trouble is told once, and its end. */
static void tell(struct turn *turn, struct export *it, bool failed) {
    struct loop *loop = turn->loop;
    struct str signal = str_from(otel_signal_text(it->signal));
    if (failed && !it->failing)
        log_event(
            loop->options.log, LOG_WARN, turn->wall_us, "export_failing", LOG_TEXT("signal", signal),
            LOG_TEXT("reason", str_from(it->words)),
            LOG_TEXT("effect", STR("what does not fit until it works again is dropped and counted; no event waits")));
    if (!failed && it->failing)
        log_event(loop->options.log, LOG_INFO, turn->wall_us, "export_back", LOG_TEXT("signal", signal));
    it->failing = failed;
}

void exports_settled(struct turn *turn, const struct errand *errand) {
    struct export *it = errand->keeps;
    struct exports *exports = turn->loop->exports;
    bool taken = it->verdict == VERDICT_TAKEN;
    it->tries++;
    tell(turn, it, !taken);
    it->tag = 0;
    if (it->verdict == VERDICT_AGAIN && it->tries < EXPORT_TRIES) {
        it->next_us = turn->now_us + wait_before_again(it);
        return;
    }
    *(taken ? &it->counts.sent : &it->counts.failed) += 1;
    if (!taken && exports->tracer) tracer_lost(exports->tracer, it->spans);
    it->body = STR_NONE;
    it->spans = 0;
    it->tries = taken ? 0 : it->tries;
    it->next_us = turn->now_us + (it->signal == OTEL_METRICS ? exports->options->metrics_every_us : 0);
    arena_reset(&it->arena);
}
