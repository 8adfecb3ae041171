#include "cli/demo.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/when.h"
#include "os/thread.h"

#define CALLS_MAX  4096
#define EMAIL_MAX  96
#define SILENT_MAX 16
#define LOOK_US    (200 * US_PER_MS)

enum call_kind { CRM_POST, CRM_LOOKUP, MAIL_POST, CHAT_POST };
struct heard {
    enum call_kind kind;
    bool effect;
    char email[EMAIL_MAX];
};

struct demo_world {
    struct wake *wake;
    struct clock clock;
    struct listener *listener;
    pthread_t thread;
    pthread_mutex_t lock; /* over what follows */
    bool stop;
    struct heard heard[CALLS_MAX];
    size_t heard_count;
    struct request *silent[SILENT_MAX]; /* taken in and never answered in time */
    size_t silent_count;
};

static bool same_email(const struct heard *heard, struct str email) {
    return str_eq(str_from(heard->email), email);
}

/* Whether this kind of call had an effect before for the address. */
static bool has_effect(const struct demo_world *world, enum call_kind kind, struct str email) {
    for (size_t i = 0; i < world->heard_count; i++)
        if (world->heard[i].kind == kind && world->heard[i].effect && same_email(&world->heard[i], email)) return true;
    return false;
}

static size_t count_calls(const struct demo_world *world, enum call_kind kind, struct str email, bool effects) {
    size_t count = 0;
    for (size_t i = 0; i < world->heard_count; i++)
        count +=
            world->heard[i].kind == kind && same_email(&world->heard[i], email) && (!effects || world->heard[i].effect);
    return count;
}

static void hear(struct demo_world *world, enum call_kind kind, struct str email, bool effect) {
    if (world->heard_count == CALLS_MAX) return;
    struct heard *heard = &world->heard[world->heard_count++];
    heard->kind = kind;
    heard->effect = effect;
    for (size_t i = 0; i < email.n && i < EMAIL_MAX - 1; i++) heard->email[i] = email.p[i];
}

/* The CRM stores the contact, but whoever is called grace gets no answer: the line goes dead after the effect. */
static int crm_post(struct demo_world *world, struct str email) {
    hear(world, CRM_POST, email, !has_effect(world, CRM_POST, email));
    return str_starts(email, STR("grace")) ? 0 : 201;
}

static int crm_lookup(struct demo_world *world, struct str email) {
    bool exists = has_effect(world, CRM_POST, email);
    hear(world, CRM_LOOKUP, email, false);
    return exists ? 200 : 404;
}

/* The mail service is overloaded the first time it hears of anybody. */
static int mail_post(struct demo_world *world, struct str email) {
    bool first = count_calls(world, MAIL_POST, email, false) == 0;
    hear(world, MAIL_POST, email, !first);
    return first ? 503 : 200;
}

static int chat_post(struct demo_world *world, struct str email) {
    hear(world, CHAT_POST, email, true);
    return 200;
}

static struct str posted_email(struct arena *arena, const struct request *request) {
    struct json *root;
    struct str email = STR("");
    if (json_parse(request->body, JSON_DEPTH_MAX, &root, NULL)) return email;
    email = str_dup(arena, json_text(json_get(root, STR("email"))));
    json_free(root);
    return email;
}

/* The status to answer, 0 = none. */
static int respond(struct demo_world *world, const struct request *request, struct arena *arena) {
    struct str path = request->path;
    if (str_eq(path, STR("/crm/contacts")) && str_eq(request->method, STR("GET")))
        return crm_lookup(world, request_query(request, STR("email"), arena));
    struct str email = posted_email(arena, request);
    if (str_eq(path, STR("/crm/contacts"))) return crm_post(world, email);
    if (str_eq(path, STR("/mail"))) return mail_post(world, email);
    if (str_eq(path, STR("/chat"))) return chat_post(world, email);
    return 404;
}

static void visit(struct demo_world *world, struct request *request, const struct inlet *inlet) {
    struct arena arena = ARENA_EMPTY;
    pthread_mutex_lock(&world->lock);
    int status = respond(world, request, &arena);
    bool silent = status == 0 && world->silent_count < SILENT_MAX;
    if (silent) world->silent[world->silent_count++] = request;
    pthread_mutex_unlock(&world->lock);
    struct reply reply = {.status = status ? status : 504, .content_type = STR("application/json"), .body = STR("{}")};
    if (!silent) inlet->reply(inlet->self, request, &reply);
    arena_free(&arena);
}

static bool stopped(struct demo_world *world) {
    pthread_mutex_lock(&world->lock);
    bool stop = world->stop;
    pthread_mutex_unlock(&world->lock);
    return stop;
}

static void *serve(void *self) {
    struct demo_world *world = self;
    const struct inlet inlet = listener_inlet(world->listener);
    struct request *requests[16];
    while (!stopped(world)) {
        size_t count = inlet.collect(inlet.self, requests, 16);
        for (size_t i = 0; i < count; i++) visit(world, requests[i], &inlet);
        if (count == 0) world->clock.wait(world->clock.self, world->clock.now_us(world->clock.self) + LOOK_US);
    }
    const struct reply reply = {.status = 504};
    for (size_t i = 0; i < world->silent_count; i++) inlet.reply(inlet.self, world->silent[i], &reply);
    return NULL;
}

enum err demo_listen(uint16_t port, struct clock *clock, struct wake *wake, struct arena *arena,
                     struct listener **ret_listener, struct str *ret_problem) {
    const struct listener_options options = {.host = STR("127.0.0.1"),
                                             .port = port,
                                             .max_body_bytes = 1 << 20,
                                             .max_header_bytes = 16384,
                                             .header_timeout_us = 10 * US_PER_S,
                                             .body_timeout_us = 10 * US_PER_S,
                                             .idle_timeout_us = US_PER_MIN,
                                             .stall_us = US_PER_MIN,
                                             .connections = 64,
                                             .connections_per_address = 64,
                                             .queue_max = 64};
    const struct door_keys keyless = {.keyless = true, .any_key = true};
    TRY(listener_open(&options, clock, wake, arena, ret_listener, ret_problem));
    listener_publish_keys(*ret_listener, &keyless);
    return ERR_NONE;
}

enum err demo_world_open(struct arena *arena, struct demo_world **ret_world, struct str *ret_problem) {
    struct demo_world *world = calloc(1, sizeof *world);
    assert(world);
    pthread_mutex_init(&world->lock, NULL);
    world->wake = wake_new();
    world->clock = wake_clock(world->wake);
    enum err err = demo_listen(0, &world->clock, world->wake, arena, &world->listener, ret_problem);
    if (!err && !thread_start("world", serve, world, &world->thread)) err = ERR_IO;
    if (err) {
        if (world->listener) listener_close(world->listener);
        wake_free(world->wake);
        free(world);
        return err;
    }
    *ret_world = world;
    return ERR_NONE;
}

uint16_t demo_world_port(const struct demo_world *world) {
    return listener_port(world->listener);
}

struct demo_tally demo_world_tally(struct demo_world *world, struct str email) {
    pthread_mutex_lock(&world->lock);
    const struct demo_tally tally = {.crm_posts = count_calls(world, CRM_POST, email, false),
                                     .crm_lookups = count_calls(world, CRM_LOOKUP, email, false),
                                     .crm_effects = count_calls(world, CRM_POST, email, true),
                                     .mail_posts = count_calls(world, MAIL_POST, email, false),
                                     .mail_effects = count_calls(world, MAIL_POST, email, true),
                                     .chat_effects = count_calls(world, CHAT_POST, email, true)};
    pthread_mutex_unlock(&world->lock);
    return tally;
}

void demo_world_close(struct demo_world *world) {
    pthread_mutex_lock(&world->lock);
    world->stop = true;
    pthread_mutex_unlock(&world->lock);
    wake_raise(world->wake);
    pthread_join(world->thread, NULL);
    listener_close(world->listener);
    wake_free(world->wake);
    pthread_mutex_destroy(&world->lock);
    free(world);
}
