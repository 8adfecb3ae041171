/* api/serve.c - which handler answers, who may ask, and what handlers say in one voice. */
#include "api/serve.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/key_ring.h"
#include "api/notes.h"
#include "api/throttle.h"
#include "base/when.h"
#include "ingest/intake.h"
#include "observe/log.h"

#define PARAMETERS_MAX 16
#define COPY_RETRY_US  (30 * US_PER_S)
#define COPY_DIAL_US   (100 * US_PER_MS) /* between two looks at a connection to the replica that is not there yet */

struct api {
    struct api_options options;
    struct key_ring *keys;
    int64_t copy_retry_us;     /* the replica failed: it is not asked before this */
    struct notes *notes;       /* of requests to sources */
    struct throttle *throttle; /* of those to forms */
};

/* ---- for handlers ---- */

size_t serve_key_count(const struct call *call) {
    const struct api *api = call->service;
    return key_ring_count(api->keys);
}

bool serve_is_exposed(const struct call *call) {
    return ((const struct api *)call->service)->options.exposed;
}

static void json_reply(struct reply *reply, int status, struct str content_type, struct str body) {
    *reply = (struct reply){.status = status, .content_type = content_type, .body = body};
}

void serve_refuse(struct call *call, const struct refusal *refusal) {
    struct reply *reply = &call->reply;
    json_reply(reply, err_http(refusal->err), STR("application/problem+json"),
               problem_json(call->arena, refusal, call->request_id));
    if (reply->status == 503) reply_header(reply, STR("Retry-After"), STR("1"));
    if (reply->status == 401) reply_header(reply, STR("WWW-Authenticate"), STR("Bearer"));
    if (reply->status == 400) reply_header(reply, STR("X-Event-Status"), STR("INVALID"));
    if (refusal->err == ERR_CONFLICT) reply_header(reply, STR("X-Event-Status"), STR("CONFLICT"));
}

enum err serve_problem(struct call *call, enum err err, struct str detail, const char *pointer) {
    const struct refusal refusal = {err, detail, str_from(pointer)};
    serve_refuse(call, &refusal);
    return ERR_NONE;
}

enum err serve_json(struct call *call, int status, struct str body) {
    json_reply(&call->reply, status, STR("application/json"), body);
    return ERR_NONE;
}

bool serve_number(struct call *call, const char *name, int64_t fallback, int64_t min, int64_t max, int64_t *ret_value) {
    struct str text = request_query(call->request, str_from(name), call->arena);
    int64_t value = fallback;
    if (text.n && (!str_to_i64(text, &value) || value < min || value > max)) {
        (void)serve_problem(
            call, ERR_BAD_REQUEST,
            str_fmt(call->arena, "'%s' must be a number from %lld to %lld", name, (long long)min, (long long)max),
            NULL);
        return false;
    }
    *ret_value = value;
    return true;
}

bool serve_truth(struct call *call, const char *name, bool *ret_value) {
    struct str text = request_query(call->request, str_from(name), call->arena);
    if (text.p && !str_eq(text, STR("true")) && !str_eq(text, STR("false"))) {
        (void)serve_problem(call, ERR_BAD_REQUEST, str_fmt(call->arena, "'%s' is true or false", name), NULL);
        return false;
    }
    *ret_value = str_eq(text, STR("true"));
    return true;
}

bool serve_instant(struct call *call, const char *name, int64_t *ret_us) {
    struct str text = request_query(call->request, str_from(name), call->arena);
    int64_t at = 0, span;
    if (!text.n) {
        *ret_us = 0;
        return true;
    }
    if (span_parse(text, &span))
        at = call->wall_us - span;
    else if (!when_parse(text, &at)) {
        (void)serve_problem(call, ERR_BAD_REQUEST,
                            str_fmt(call->arena, "'%s' must be RFC 3339, or a length of time as 2h", name), NULL);
        return false;
    }
    *ret_us = at;
    return true;
}

/* What stands behind a colon and a blank may repeat the body, as jq's words do: it is left out, and `sources show` has
 * the whole. Our own words have no such colon: what explains them stands in brackets. */
static struct str log_words(struct str words) {
    size_t end = 0;
    while (end < words.n && !str_starts(str_sub(words, end, words.n), STR(": "))) end++;
    return str_sub(words, 0, end);
}

void serve_log_refused(struct call *call, struct str source, enum err err, struct str words) {
    struct api *api = call->service;
    struct note *note = notes_of(api->notes, call->standing->settings, source);
    int64_t unsaid;
    if (!note_may_speak(&note->refused, call->now_us, &unsaid)) return;
    log_event(api->options.log, LOG_WARN, call->wall_us, "source_refused", LOG_TEXT("source", source),
              LOG_ABOUT("peer", call->request->peer), LOG_TEXT("code", str_from(err_code(err))),
              LOG_TEXT("why", log_words(words)), LOG_NUMBER("not_written", unsaid),
              LOG_ABOUT("request_id", call->request_id));
}

void serve_note_refused(struct call *call, struct str source, enum err err, struct str words) {
    struct notes *notes = ((struct api *)call->service)->notes;
    note_refused(notes_of(notes, call->standing->settings, source), err_code(err), words, call->wall_us);
    serve_log_refused(call, source, err, words);
}

void serve_note_taken(struct call *call, struct str source) {
    struct notes *notes = ((struct api *)call->service)->notes;
    note_taken(notes_of(notes, call->standing->settings, source), call->wall_us);
}

void serve_log_unmapped(struct call *call, struct str source, const char *what, struct str map, struct str why) {
    bool is_key = !strcmp(what, "key");
    const char *then = is_key ? "a digest is the key, so a second try that differs is another event"
                              : "the event's type is NAME.event";
    struct api *api = call->service;
    struct note *note = notes_of(api->notes, call->standing->settings, source);
    int64_t unsaid;
    if (!note_may_speak(&note->unkeyed, call->now_us, &unsaid)) return;
    if (!why.n) why = str_fmt(call->arena, "the body has not all of what 'map' says of the %s", what);
    log_event(api->options.log, LOG_WARN, call->wall_us, is_key ? "key_missing" : "type_missing",
              LOG_TEXT("source", source), LOG_TEXT(what, map),
              LOG_TEXT("why", str_fmt(call->arena, "%.*s: %s", STR_ARG(log_words(why)), then)),
              LOG_NUMBER("not_written", unsaid), LOG_ABOUT("request_id", call->request_id));
}

void serve_log_unkept(struct call *call, struct str source, const struct str *fields, size_t count) {
    struct api *api = call->service;
    struct note *note = notes_of(api->notes, call->standing->settings, source);
    struct buf names = {.arena = call->arena};
    int64_t unsaid;
    if (!note_may_speak(&note->unkeyed, call->now_us, &unsaid)) return;
    for (size_t i = 0; i < count; i++) buf_fmt(&names, "%s%.*s", i ? ", " : "", STR_ARG(fields[i]));
    log_event(api->options.log, LOG_WARN, call->wall_us, "field_unknown", LOG_TEXT("source", source),
              LOG_TEXT("field", buf_str(&names)),
              LOG_TEXT("why", STR("the form's 'fields' do not name it, so it is not kept")),
              LOG_NUMBER("not_written", unsaid), LOG_ABOUT("request_id", call->request_id));
}

void serve_note_unkept(struct call *call, struct str source, const struct str *fields, size_t count) {
    struct notes *notes = ((struct api *)call->service)->notes;
    for (size_t i = 0; i < count; i++)
        note_unkept(notes_of(notes, call->standing->settings, source), fields[i], call->wall_us);
}

struct throttle *serve_throttle(const struct call *call) {
    return ((const struct api *)call->service)->throttle;
}

const struct note *serve_note(const struct call *call, struct str source) {
    return notes_find(((const struct api *)call->service)->notes, source);
}

/* "/v1/events/{id}/cancel" against a path; the part that stood for {…} goes to *ret_part. */
static bool path_matches(struct str pattern, struct str path, struct str *ret_part) {
    struct str want, have;
    for (;;) {
        bool more = str_next(&pattern, '/', &want), also = str_next(&path, '/', &have);
        if (!more || !also) return more == also;
        if (want.n && want.p[0] == '{') {
            if (have.n == 0) return false;
            *ret_part = have;
        } else if (!str_eq(want, have)) {
            return false;
        }
    }
}

/* NULL: no such path (*ret_path_known false) or not with this method. */
static const struct endpoint *find_endpoint(const struct request *request, struct str *ret_part, bool *ret_path_known) {
    bool head = str_eq(request->method, STR("HEAD"));
    for (size_t i = 0; i < endpoint_count; i++) {
        if (!path_matches(str_from(endpoints[i].path), request->path, ret_part)) continue;
        *ret_path_known = true;
        struct str method = str_from(endpoints[i].method);
        if (str_eq(method, request->method) || (head && str_eq(method, STR("GET")))) return &endpoints[i];
    }
    return NULL;
}

/* "GET, HEAD, POST": what the path takes. */
static struct str methods_of(struct str path, struct arena *arena) {
    struct buf buf = {.arena = arena};
    struct str part;
    for (size_t i = 0; i < endpoint_count; i++) {
        if (!path_matches(str_from(endpoints[i].path), path, &part)) continue;
        const char *method = endpoints[i].method;
        buf_fmt(&buf, "%s%s%s", buf.n ? ", " : "", method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
    }
    return buf_str(&buf);
}

/* ---- query parameters ---- */

/* "; did you mean 'limit'?", or which there are. */
static struct str other_parameters(struct call *call, const char *parameters, struct str wrong) {
    struct str rest = str_from(parameters), name, nearest = STR_NONE;
    size_t best = wrong.n > 3 ? 3 : 2; /* so many letters may differ */
    if (!rest.n) return STR("; this path takes none");
    while (str_next(&rest, ' ', &name)) {
        size_t distance = str_distance(wrong, name, best);
        if (distance >= best && nearest.p) continue;
        if (distance > best || distance >= name.n) continue;
        best = distance;
        nearest = name;
    }
    if (nearest.p) return str_fmt(call->arena, "; did you mean '%.*s'?", STR_ARG(nearest));
    return str_fmt(call->arena, "; there are: %s", parameters);
}

static bool is_parameter(const char *parameters, struct str name) {
    struct str rest = str_from(parameters), one;
    while (str_next(&rest, ' ', &one))
        if (one.n && str_eq(one, name)) return true;
    return false;
}

/* A filter that is misspelt must not widen what is asked for, nor one that is given twice name what was not meant. */
static bool parameters_fit(struct call *call, const struct endpoint *endpoint) {
    struct str rest = call->request->query, name, seen[PARAMETERS_MAX];
    size_t count = 0;
    while (request_query_next(&rest, call->arena, &name)) {
        struct str words = STR_NONE;
        if (!is_parameter(endpoint->parameters, name))
            words = str_fmt(call->arena, "unknown parameter '%.*s'%.*s", STR_ARG(name),
                            STR_ARG(other_parameters(call, endpoint->parameters, name)));
        for (size_t i = 0; i < count; i++)
            if (str_eq(seen[i], name)) words = str_fmt(call->arena, "'%.*s' is given twice", STR_ARG(name));
        if (words.p) {
            (void)serve_problem(call, ERR_BAD_REQUEST, words, NULL);
            return false;
        }
        assert(count < PARAMETERS_MAX);
        seen[count++] = name;
    }
    return true;
}

/* ---- from the path to the handler ---- */

/* Without a listener, as on the command line, the request has none yet. */
static struct str request_id(struct call *call) {
    if (call->request->id.n) return call->request->id;
    return str_fmt(call->arena, "%016llx", (unsigned long long)rng_u64(call->rng));
}

/* False when the replica cannot answer this or is in trouble; then the store does. A replica in trouble is left alone
 * for a while, because the loop waits for each try. One that is being connected to is not in trouble yet: the driver
 * says BUSY until it has the connection, or says after some seconds that the replica is away. */
static bool take_from_copy(struct api *api, struct call *call, const struct endpoint *endpoint) {
    struct store *copy = api->options.copy, *store = call->store;
    if (!copy || !endpoint->from_copy || call->now_us < api->copy_retry_us) return false;
    call->store = copy;
    enum err begun = store_begin(copy), err = begun;
    if (!err) err = endpoint->take(call);
    store_rollback(copy);
    call->store = store;
    if (!err) return true;
    if (begun == ERR_STORE_BUSY) {
        api->copy_retry_us = call->now_us + COPY_DIAL_US;
        return false;
    }
    api->copy_retry_us = call->now_us + COPY_RETRY_US;
    log_event(api->options.log, LOG_WARN, call->wall_us, "read_copy_failed",
              LOG_TEXT("trouble", str_from(store_trouble(copy))));
    return false;
}

static enum err serve_request(void *self, struct call *call) {
    struct api *api = self;
    bool path_known = false;
    call->request_id = request_id(call);
    const struct endpoint *endpoint = find_endpoint(call->request, &call->part, &path_known);
    if (endpoint) call->place = str_from(endpoint->path);
    enum key_role role = endpoint ? endpoint->role : KEY_READ;
    enum err err = ERR_NONE;
    if (endpoint && endpoint->open)
        call->actor = STR("source");
    else
        err = key_ring_check(api->keys, call->request, role, call->hasher, call->arena, &call->actor);
    if (err) return serve_problem(call, err, STR_NONE, NULL);
    if (!endpoint && path_known) {
        (void)serve_problem(call, ERR_BAD_METHOD, STR_NONE, NULL);
        reply_header(&call->reply, STR("Allow"), methods_of(call->request->path, call->arena));
        return ERR_NONE;
    }
    if (!endpoint) return serve_problem(call, ERR_NOT_FOUND, STR("no such path"), NULL);
    if (!endpoint->open && !parameters_fit(call, endpoint)) return ERR_NONE;
    call->answer = endpoint->answer;
    return take_from_copy(api, call, endpoint) ? ERR_NONE : endpoint->take(call);
}

static void refuse(void *self, struct call *call, enum err err, struct str words) {
    (void)self;
    if (!call->request_id.n) call->request_id = request_id(call); /* the turn ended before it was taken */
    (void)serve_problem(call, err, words, NULL);
}

static enum err learn(void *self, struct store *store) {
    return key_ring_load(((struct api *)self)->keys, store);
}

static void learned(void *self) {
    struct api *api = self;
    if (!key_ring_news(api->keys) || !api->options.keys_read) return;
    struct arena arena = ARENA_EMPTY;
    struct key_digest *digests;
    size_t count = key_ring_digests(api->keys, &arena, &digests);
    const struct api_keys keys = {digests, count, key_ring_keyless(api->keys)};
    api->options.keys_read(api->options.keys_self, &keys);
    arena_free(&arena);
}

/* ---- the service ---- */

struct api *api_new(const struct api_options *options) {
    struct api *api = calloc(1, sizeof *api);
    if (!api) abort();
    api->options = *options;
    api->keys = key_ring_new(options->exposed);
    api->notes = notes_new();
    api->throttle = throttle_new();
    return api;
}

void api_free(struct api *api) {
    key_ring_free(api->keys);
    notes_free(api->notes);
    throttle_free(api->throttle);
    free(api);
}

struct service api_service(struct api *api) {
    return (struct service){learn, learned, serve_request, refuse, api_alerts_look, api};
}
