#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/when.h"
#include "cli/demo.h"
#include "http/client.h"
#include "os/thread.h"

#define WATCHED_MAX    64
#define DELIVERIES_MAX 8
#define LOOK_US        (20 * US_PER_MS)
#define STEP_US        (30 * US_PER_S)
#define ANSWER_MAX     ((size_t)1 << 20)

struct watched {
    char id[64];
    size_t told[DELIVERIES_MAX]; /* attempts told of each delivery */
    bool settled;
};

struct demo_visitor {
    struct cli *cli;
    struct demo_world *world;
    uint16_t port;
    bool script, done_well, stop;
    pthread_t thread;
    pthread_mutex_t lock; /* over stop */
    int64_t began_us;
    struct watched watched[WATCHED_MAX];
    size_t watched_count, watched_next; /* a ring once it is full */
};

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static bool stopped(struct demo_visitor *visitor) {
    pthread_mutex_lock(&visitor->lock);
    bool stop = visitor->stop;
    pthread_mutex_unlock(&visitor->lock);
    return stop;
}

static void tell(struct demo_visitor *visitor, const char *word, struct str what, struct str detail) {
    double seconds = (double)(now_us() - visitor->began_us) / (double)US_PER_S;
    struct writer *out = &visitor->cli->out;
    writer_fmt(out, " %06.3f  %-9s %-22.*s  ", seconds, word, STR_ARG(what));
    writer_safe(out, detail);
    writer_add(out, STR("\n"));
    writer_flush(out);
}

/* ---- the server, as a client sees it ---- */

static struct answer call(struct demo_visitor *visitor, struct arena *arena, const char *method, struct str path,
                          struct str key, struct str body) {
    struct outgoing outgoing = {.method = str_from(method),
                                .url = str_fmt(arena, "http://127.0.0.1:%u%.*s", visitor->port, STR_ARG(path)),
                                .body = body,
                                .timeout_us = STEP_US,
                                .allow_private = true};
    struct answer answer;
    if (body.n) outgoing_header(&outgoing, STR("Content-Type"), STR("application/json"));
    if (key.n) outgoing_header(&outgoing, STR("Idempotency-Key"), key);
    client_call(&outgoing, ANSWER_MAX, arena, &answer);
    return answer;
}

/* Watches an event from now on; false when it is watched already. */
static bool remember(struct demo_visitor *visitor, struct str id) {
    for (size_t i = 0; i < visitor->watched_count; i++)
        if (str_eq(str_from(visitor->watched[i].id), id)) return false;
    struct watched *watched = &visitor->watched[visitor->watched_next++ % WATCHED_MAX];
    if (id.n >= sizeof watched->id) return false;
    if (visitor->watched_count < WATCHED_MAX) visitor->watched_count++;
    *watched = (struct watched){0};
    for (size_t i = 0; i < id.n; i++) watched->id[i] = id.p[i];
    return true;
}

/* Posts a lead; the event is watched from then on. Gives X-Event-Status. */
static struct str post_lead(struct demo_visitor *visitor, struct arena *arena, const char *name, struct str key) {
    struct str body = str_fmt(arena,
                              "{\"type\":\"landing.submitted\",\"source\":\"landing\",\"payload\":{\"email\":"
                              "\"%s@example.com\",\"name\":\"%s\"}}",
                              name, name);
    struct answer answer = call(visitor, arena, "POST", STR("/v1/events"), key, body);
    struct str verdict = answer_header(&answer, STR("X-Event-Status"));
    struct json *root;
    if (!str_eq(verdict, STR("ACCEPTED")) || json_parse(answer.body, 8, &root, NULL)) return verdict;
    struct str id = json_text(json_get(root, STR("eventId")));
    if (remember(visitor, id))
        tell(visitor, "event", STR("landing.submitted"),
             str_fmt(arena, "%s@example.com, key %.*s", name, STR_ARG(key)));
    json_free(root);
    return verdict;
}

/* ---- watching ---- */

static int64_t took_ms(const struct json *attempt) {
    int64_t began = 0, ended = 0;
    if (!when_parse(json_text(json_get(attempt, STR("started_at"))), &began)) return 0;
    if (!when_parse(json_text(json_get(attempt, STR("finished_at"))), &ended)) return 0;
    return (ended - began) / US_PER_MS;
}

static void tell_attempt(struct demo_visitor *visitor, struct arena *arena, const struct json *delivery, size_t index) {
    const struct json *attempts = json_get(delivery, STR("attempts"));
    const struct json *attempt = json_at(attempts, index), *before = index ? json_at(attempts, index - 1) : NULL;
    struct str destination = json_text(json_get(delivery, STR("destination")));
    struct str outcome = json_text(json_get(attempt, STR("outcome")));
    struct str error = json_text(json_get(attempt, STR("error")));
    int64_t status = json_integer(json_get(attempt, STR("http_status")), 0);
    bool looked_up = str_eq(json_text(json_get(before, STR("outcome"))), STR("unknown"));
    if (str_eq(outcome, STR("done")) && looked_up)
        tell(visitor, "found", destination, STR("looked up: it had arrived - settled, not sent again"));
    else if (str_eq(outcome, STR("done")))
        tell(visitor, "delivered", destination,
             str_fmt(arena, "%lld in %lld ms", (long long)status, (long long)took_ms(attempt)));
    else if (str_eq(outcome, STR("retry")))
        tell(visitor, "retry", destination, str_fmt(arena, "%lld, tried again after a pause", (long long)status));
    else
        tell(visitor, outcome.p, destination, error);
}

static bool is_open(struct str status) {
    return str_eq(status, STR("PENDING")) || str_eq(status, STR("PROCESSING")) || str_eq(status, STR("UNKNOWN"));
}

static void look_at(struct demo_visitor *visitor, struct watched *watched) {
    struct arena arena = ARENA_EMPTY;
    struct json *root;
    struct str path = str_fmt(&arena, "/v1/events/%s", watched->id);
    struct answer answer = call(visitor, &arena, "GET", path, STR_NONE, STR_NONE);
    if (!json_parse(answer.body, JSON_DEPTH_MAX, &root, NULL)) {
        const struct json *deliveries = json_get(root, STR("deliveries"));
        size_t open = 0;
        for (size_t i = 0; i < json_size(deliveries) && i < DELIVERIES_MAX; i++) {
            const struct json *delivery = json_at(deliveries, i);
            size_t attempts = json_size(json_get(delivery, STR("attempts")));
            while (watched->told[i] < attempts) tell_attempt(visitor, &arena, delivery, watched->told[i]++);
            open += is_open(json_text(json_get(delivery, STR("status"))));
        }
        watched->settled = open == 0 && json_size(deliveries) > 0;
        json_free(root);
    }
    arena_free(&arena);
}

/* Watches until everything is settled; false when the time is over first. */
static bool watch(struct demo_visitor *visitor) {
    int64_t by_us = now_us() + STEP_US;
    while (!stopped(visitor) && now_us() < by_us) {
        size_t open = 0;
        for (size_t i = 0; i < visitor->watched_count; i++) {
            if (!visitor->watched[i].settled) look_at(visitor, &visitor->watched[i]);
            open += !visitor->watched[i].settled;
        }
        if (open == 0) return true;
        cli_sleep(visitor->cli, LOOK_US);
    }
    return false;
}

/* ---- the story ---- */

static bool step(struct demo_visitor *visitor, bool happened, const char *what) {
    if (!happened) cli_fail(visitor->cli, EXIT_FAILED, "did not happen: %s", what);
    return happened;
}

static bool story(struct demo_visitor *visitor, struct arena *arena) {
    struct str ada = STR("ada@example.com"), grace = STR("grace@example.com"), key = STR("landing:ada");
    bool well = step(visitor, str_eq(post_lead(visitor, arena, "ada", key), STR("ACCEPTED")), "the event is accepted");
    well &= step(visitor, watch(visitor), "every delivery of the first event settles");
    struct demo_tally once = demo_world_tally(visitor->world, ada);
    well &= step(visitor, once.crm_effects == 1 && once.chat_effects == 1, "the contact and the message arrive once");
    well &= step(visitor, once.mail_posts == 2 && once.mail_effects == 1, "the mail is tried again after its 503");

    well &=
        step(visitor, str_eq(post_lead(visitor, arena, "ada", key), STR("DUPLICATE")), "the duplicate is recognised");
    tell(visitor, "duplicate", STR("same key, same body"), STR("answered 200 DUPLICATE, nothing sent"));
    well &= step(visitor, str_eq(post_lead(visitor, arena, "bob", key), STR("CONFLICT")), "the conflict is refused");
    tell(visitor, "conflict", STR("same key, other body"), STR("answered 422, nothing sent"));

    struct str accepted = post_lead(visitor, arena, "grace", STR("landing:grace"));
    well &= step(visitor, str_eq(accepted, STR("ACCEPTED")), "the second event is accepted");
    well &= step(visitor, watch(visitor), "every delivery of the second event settles");
    struct demo_tally after = demo_world_tally(visitor->world, grace);
    well &= step(visitor, after.crm_posts == 1 && after.crm_effects == 1 && after.crm_lookups >= 1,
                 "the unknown outcome is looked up and not sent again");
    struct demo_tally last = demo_world_tally(visitor->world, ada);
    well &= step(visitor,
                 last.crm_posts == once.crm_posts && last.mail_posts == once.mail_posts &&
                     last.chat_effects == once.chat_effects,
                 "duplicate and conflict send nothing");
    return well;
}

/* As a person would: the handler runs in the server's thread, because this one takes no signals. */
static void end_server(void) {
    (void)kill(getpid(), SIGTERM);
}

/* Finds new events in the list, so that what others post is told too. */
static void find_new(struct demo_visitor *visitor) {
    struct arena arena = ARENA_EMPTY;
    struct json *root;
    struct answer answer = call(visitor, &arena, "GET", STR("/v1/events?since=10s&limit=20"), STR_NONE, STR_NONE);
    if (!json_parse(answer.body, JSON_DEPTH_MAX, &root, NULL)) {
        const struct json *items = json_get(root, STR("items"));
        for (size_t i = json_size(items); i-- > 0;) {
            struct str id = json_text(json_get(json_at(items, i), STR("id")));
            if (!remember(visitor, id)) continue;
            tell(visitor, "event", json_text(json_get(json_at(items, i), STR("type"))), id);
        }
        json_free(root);
    }
    arena_free(&arena);
}

static void *visit(void *self) {
    struct demo_visitor *visitor = self;
    struct arena arena = ARENA_EMPTY;
    visitor->done_well = story(visitor, &arena);
    while (!visitor->script && !stopped(visitor)) {
        find_new(visitor);
        (void)watch(visitor);
        cli_sleep(visitor->cli, US_PER_S / 2);
    }
    if (visitor->script) end_server();
    arena_free(&arena);
    return NULL;
}

struct demo_visitor *demo_visitor_start(struct cli *cli, struct demo_world *world, uint16_t port, bool script) {
    struct demo_visitor *visitor = calloc(1, sizeof *visitor);
    assert(visitor);
    visitor->cli = cli;
    visitor->world = world;
    visitor->port = port;
    visitor->script = script;
    visitor->began_us = now_us();
    pthread_mutex_init(&visitor->lock, NULL);
    bool started = thread_start("visitor", visit, visitor, &visitor->thread);
    assert(started);
    return visitor;
}

bool demo_visitor_end(struct demo_visitor *visitor) {
    pthread_mutex_lock(&visitor->lock);
    visitor->stop = true;
    pthread_mutex_unlock(&visitor->lock);
    pthread_join(visitor->thread, NULL);
    bool done_well = visitor->done_well;
    pthread_mutex_destroy(&visitor->lock);
    free(visitor);
    return done_well;
}
