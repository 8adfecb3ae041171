#include "sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct under_way {
    uint64_t tag;
    struct receiver *receiver;
    size_t send; /* index in receiver->sends */
    int64_t due_us;
    bool cancelled;
};

/* What a completion owns. */
struct kept {
    struct header headers[4];
    struct arena arena;
};

void world_trace(struct world *world, const char *what, uint64_t value) {
    for (; *what; what++) world->hash = (world->hash ^ (uint8_t)*what) * 1099511628211u;
    for (int i = 0; i < 8; i++) world->hash = (world->hash ^ ((value >> (8 * i)) & 255)) * 1099511628211u;
}

/* Counts a call of a seam. From the fatal one on nothing reaches the outside any more. */
static bool step(struct world *world) {
    world->calls++;
    if (world->die_at && world->calls >= world->die_at) world->dead = true;
    return !world->dead;
}

static bool disk_is_alive(void *self) {
    struct world *world = self;
    if (world->slow_chance && rng_below(&world->rng, 1000) < world->slow_chance)
        world->now_us += (int64_t)rng_below(&world->rng, (rng_below(&world->rng, 50) ? 2 : 120) * US_PER_S);
    return step(world);
}

struct world *world_new(uint64_t seed) {
    struct world *world = calloc(1, sizeof *world);
    assert(world);
    rng_seed(&world->rng, seed);
    world->disk = disk_new(&world->rng);
    disk_watch(world->disk, (struct disk_watch){disk_is_alive, world});
    world->shelf = shelf_new();
    world->now_us = WORLD_START_US;
    world->horizon_us = WHEN_NEVER;
    world->hash = 14695981039346656037u;
    world->under_way = calloc(WORLD_FLIGHT_MAX, sizeof *world->under_way);
    assert(world->under_way);
    return world;
}

static void drop_request(struct request *request) {
    free((void *)request->method.p);
    free((void *)request->path.p);
    free((void *)request->query.p);
    free((void *)request->body.p);
    free(request->headers);
    free(request);
}

void world_free(struct world *world) {
    disk_free(world->disk);
    shelf_free(world->shelf);
    for (size_t i = 0; i < world->waiting_count; i++) drop_request(world->waiting[i]);
    for (size_t i = 0; i < world->open_count; i++) drop_request(world->open[i]);
    for (size_t i = 0; i < world->receiver_count; i++) free(world->receivers[i].sends);
    free(world->under_way);
    free(world);
}

struct receiver *world_receiver(struct world *world, struct str name) {
    for (size_t i = 0; i < world->receiver_count; i++)
        if (str_eq(str_from(world->receivers[i].name), name)) return &world->receivers[i];
    assert(world->receiver_count < RECEIVERS_MAX && name.n < sizeof world->receivers[0].name);
    struct receiver *receiver = &world->receivers[world->receiver_count++];
    memcpy(receiver->name, name.p, name.n);
    return receiver;
}

bool world_effect(const struct receiver *receiver, struct str key) {
    for (size_t i = 0; i < receiver->send_count; i++)
        if (receiver->sends[i].effect && str_eq(str_from(receiver->sends[i].key), key)) return true;
    return false;
}

size_t world_effects(const struct receiver *receiver, const char *event) {
    size_t count = 0;
    for (size_t i = 0; i < receiver->send_count; i++)
        count += receiver->sends[i].effect && strcmp(receiver->sends[i].event, event) == 0;
    return count;
}

/* ---- clock ---- */

static int64_t clock_now(void *self) {
    const struct world *world = self;
    return world->now_us + world->start_offset_us;
}

static int64_t clock_wall(void *self) {
    const struct world *world = self;
    return world->now_us + world->wall_offset_us;
}

int64_t world_next(const struct world *world) {
    int64_t next_us = world->waiting_count ? world->now_us : WHEN_NEVER;
    for (size_t i = 0; i < world->under_way_count; i++)
        if (world->under_way[i].due_us < next_us) next_us = world->under_way[i].due_us;
    return next_us;
}

static void clock_wait(void *self, int64_t until_us) {
    struct world *world = self;
    int64_t next_us = world_next(world);
    if (until_us != WHEN_NEVER) until_us -= world->start_offset_us;
    if (until_us < next_us) next_us = until_us;
    if (world->horizon_us < next_us) next_us = world->horizon_us;
    if (next_us > world->now_us) world->now_us = next_us;
    world_trace(world, "wait", (uint64_t)world->now_us);
}

struct clock world_clock(struct world *world) {
    return (struct clock){clock_wall, clock_now, clock_wait, world};
}

/* ---- inlet ---- */

static struct str keep(struct str text) {
    char *copy = calloc(1, text.n + 1);
    assert(copy);
    if (text.n) memcpy(copy, text.p, text.n);
    return (struct str){copy, text.n};
}

void world_post(struct world *world, uint64_t tag, struct str method, struct str path, struct str body) {
    assert(world->waiting_count < REQUESTS_MAX);
    struct request *request = calloc(1, sizeof *request);
    assert(request);
    size_t question = str_find(path, '?');
    request->tag = tag;
    request->method = keep(method);
    request->path = keep(question == SIZE_MAX ? path : str_sub(path, 0, question));
    request->query = keep(question == SIZE_MAX ? STR("") : str_sub(path, question + 1, path.n));
    request->body = keep(body);
    request->headers = calloc(1, sizeof *request->headers);
    assert(request->headers);
    struct str first = str_trim(body);
    bool lines = first.n && first.p[0] == '{' && str_find(first, '\n') != SIZE_MAX;
    request->headers[0] =
        (struct header){STR("Content-Type"), lines ? STR("application/x-ndjson") : STR("application/json")};
    request->header_count = 1;
    request->peer = STR("simulated");
    request->trusted = true;
    request->arrived_us = clock_now(world);
    world->waiting[world->waiting_count++] = request;
    world_trace(world, "post", tag);
}

static size_t inlet_collect(void *self, struct request **ret_requests, size_t max) {
    struct world *world = self;
    size_t count = world->waiting_count < max ? world->waiting_count : max;
    for (size_t i = 0; i < count; i++) ret_requests[i] = world->open[world->open_count++] = world->waiting[i];
    world->waiting_count -= count;
    memmove(world->waiting, world->waiting + count, world->waiting_count * sizeof *world->waiting);
    return count;
}

static void inlet_reply(void *self, struct request *request, const struct reply *reply) {
    struct world *world = self;
    for (size_t i = 0; i < world->open_count; i++)
        if (world->open[i] == request) world->open[i] = world->open[--world->open_count];
    if (step(world)) {
        world_trace(world, "reply", request->tag * 1000 + (uint64_t)reply->status);
        if (world->reply) world->reply(world->self, request->tag, reply);
    }
    drop_request(request);
}

struct inlet world_inlet(struct world *world) {
    return (struct inlet){inlet_collect, inlet_reply, world};
}

/* ---- transport ---- */

static struct str outgoing_value(const struct outgoing *outgoing, struct str name) {
    for (size_t i = 0; i < outgoing->header_count; i++)
        if (str_eq_nocase(outgoing->headers[i].name, name)) return outgoing->headers[i].value;
    return STR("");
}

static void copy_text(char *to, size_t room, struct str from) {
    size_t n = from.n < room - 1 ? from.n : room - 1;
    if (n) memcpy(to, from.p, n);
    to[n] = 0;
}

struct str world_key(const struct outgoing *outgoing) {
    if (outgoing->scheme == OUTGOING_HTTP) return outgoing_value(outgoing, STR("Idempotency-Key"));
    struct str mark = STR("\r\nMessage-ID: <");
    const char *id = memmem(outgoing->body.p, outgoing->body.n, mark.p, mark.n);
    assert(id); /* each mail has one */
    struct str rest = str_sub(outgoing->body, (size_t)(id - outgoing->body.p) + mark.n, SIZE_MAX);
    return str_sub(rest, 0, str_find(rest, '@'));
}

/* http://NAME.test/..., smtp://NAME.test:25 */
static struct receiver *receiver_of(struct world *world, const struct outgoing *outgoing) {
    struct str rest = str_sub(outgoing->url, 7, SIZE_MAX);
    return world_receiver(world, str_sub(rest, 0, str_find(rest, '.')));
}

static struct behaviour next_behaviour(struct world *world, struct receiver *receiver, const struct outgoing *outgoing,
                                       bool lookup) {
    if (world->behave) return world->behave(world->self, receiver, outgoing, lookup);
    if (receiver->script_count == 0)
        return (struct behaviour){.kind = ANSWER, .status = 200, .effect = !lookup, .latency_us = 10 * US_PER_MS};
    struct behaviour behaviour = receiver->script[receiver->script_next];
    if (receiver->script_next + 1 < receiver->script_count) receiver->script_next++;
    return behaviour;
}

/* The items of a batch name their rooms in its body: {"all": [{"room": "7"}, ...]}. */
static void read_rooms(struct send *send, const struct outgoing *outgoing) {
    struct json *root;
    copy_text(send->room, sizeof send->room, outgoing_value(outgoing, STR("X-Room")));
    if (outgoing->scheme != OUTGOING_HTTP || json_parse(outgoing->body, 8, &root, NULL)) return;
    const struct json *all = json_get(root, STR("all"));
    for (size_t i = 0; i < json_size(all); i++) {
        const struct json *named = json_get(json_at(all, i), STR("room"));
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)json_integer(named, 0));
        struct str room = json_type(named) == JSON_NUMBER ? str_from(number) : json_text(named);
        if (i == 0) copy_text(send->room, sizeof send->room, room);
        if (!str_eq(room, str_from(send->room))) send->mixed = true;
    }
    json_free(root);
}

static struct send *next_send(struct receiver *receiver) {
    assert(receiver->send_count < SENDS_MAX);
    if (receiver->send_count == receiver->send_room) {
        receiver->send_room = receiver->send_room ? 2 * receiver->send_room : 64;
        receiver->sends = realloc(receiver->sends, receiver->send_room * sizeof *receiver->sends);
        assert(receiver->sends);
    }
    return &receiver->sends[receiver->send_count];
}

size_t world_facts(struct str body, int32_t ret_facts[SEND_FACTS_MAX]) {
    static const char mark[] = "\"n ";
    size_t count = 0;
    for (size_t i = 0; i + sizeof mark < body.n && count < SEND_FACTS_MAX; i++)
        if (!memcmp(body.p + i, mark, sizeof mark - 1))
            ret_facts[count++] = (int32_t)strtol(body.p + i + sizeof mark - 1, NULL, 10);
    return count;
}

static void transport_start(void *self, uint64_t tag, const struct outgoing *outgoing) {
    struct world *world = self;
    if (!step(world)) return;
    struct receiver *receiver = receiver_of(world, outgoing);
    bool lookup = str_eq(outgoing->method, STR("GET"));
    assert(world->under_way_count < WORLD_FLIGHT_MAX);
    struct send *send = next_send(receiver);
    *send = (struct send){.started_us = world->now_us, .lookup = lookup, .number = receiver->send_count++};
    send->fact_count = world_facts(outgoing->body, send->facts);
    copy_text(send->key, sizeof send->key, world_key(outgoing));
    copy_text(send->event, sizeof send->event, outgoing_value(outgoing, STR("X-Drumbeat-Event")));
    uint64_t attempt = 0;
    (void)str_to_u64(outgoing_value(outgoing, STR("X-Drumbeat-Attempt")), &attempt);
    send->attempt = (int32_t)attempt;
    read_rooms(send, outgoing);
    send->behaviour = next_behaviour(world, receiver, outgoing, lookup);
    send->effect = send->behaviour.effect && !lookup;
    if (++receiver->in_flight > receiver->in_flight_max) receiver->in_flight_max = receiver->in_flight;
    int64_t latency_us = send->behaviour.kind == TIMEOUT ? outgoing->timeout_us : send->behaviour.latency_us;
    if (latency_us > outgoing->timeout_us) {
        latency_us = outgoing->timeout_us;
        send->behaviour.kind = TIMEOUT;
    }
    world->under_way[world->under_way_count++] =
        (struct under_way){tag, receiver, send->number, world->now_us + latency_us, false};
    world_trace(world, "start", (uint64_t)send->behaviour.kind * 1000 + (uint64_t)send->behaviour.status);
    world_trace(world, send->key, (uint64_t)world->now_us);
    if (world->hear) world->hear(world->self, receiver, send);
}

static const enum exchange_end ends[] = {[ANSWER] = EXCHANGE_ANSWERED,
                                         [TIMEOUT] = EXCHANGE_TIMED_OUT,
                                         [CUT] = EXCHANGE_CUT,
                                         [NO_CONNECT] = EXCHANGE_NO_CONNECT,
                                         [NO_TRUST] = EXCHANGE_NO_TRUST};

static struct completion complete(struct world *world, const struct under_way *under_way) {
    struct send *send = &under_way->receiver->sends[under_way->send];
    const struct behaviour *behaviour = &send->behaviour;
    struct kept *kept = calloc(1, sizeof *kept);
    assert(kept);
    struct completion completion = {.tag = under_way->tag, .own = kept};
    struct answer *answer = &completion.answer;
    answer->end = under_way->cancelled ? EXCHANGE_CANCELLED : ends[behaviour->kind];
    answer->started_us = send->started_us + world->start_offset_us;
    answer->finished_us = clock_now(world);
    if (answer->end == EXCHANGE_ANSWERED) {
        answer->status = behaviour->status;
        answer->headers = kept->headers;
        kept->headers[0] = (struct header){STR("Content-Type"), STR("application/json")};
        kept->headers[1] = (struct header){behaviour->header_name, behaviour->header_value};
        answer->header_count = behaviour->header_name.n ? 2 : 1;
        answer->body = str_dup(&kept->arena, behaviour->body.n ? behaviour->body : STR("{}"));
        answer->body_complete = true;
    } else {
        snprintf(answer->trouble, sizeof answer->trouble, "simulated");
    }
    send->ended_us = world->now_us;
    under_way->receiver->in_flight--;
    world_trace(world, "end", (uint64_t)answer->end * 1000 + (uint64_t)answer->status);
    return completion;
}

static size_t transport_collect(void *self, struct completion *ret_completions, size_t max) {
    struct world *world = self;
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < world->under_way_count; i++) {
        if (count < max && world->under_way[i].due_us <= world->now_us)
            ret_completions[count++] = complete(world, &world->under_way[i]);
        else
            world->under_way[kept++] = world->under_way[i];
    }
    world->under_way_count = kept;
    return count;
}

static void transport_release(void *self, struct completion *completion) {
    struct kept *kept = completion->own;
    (void)self;
    arena_free(&kept->arena);
    free(kept);
}

static void transport_cancel(void *self, uint64_t tag) {
    struct world *world = self;
    for (size_t i = 0; i < world->under_way_count; i++)
        if (world->under_way[i].tag == tag) {
            world->under_way[i].cancelled = true;
            world->under_way[i].due_us = world->now_us;
        }
}

struct transport world_transport(struct world *world) {
    return (struct transport){transport_start, transport_collect, transport_release, transport_cancel, NULL, world};
}

void world_crash(struct world *world) {
    for (size_t i = 0; i < world->under_way_count; i++) world->under_way[i].receiver->in_flight--;
    world->under_way_count = 0;
    for (size_t i = 0; i < world->waiting_count; i++) drop_request(world->waiting[i]);
    for (size_t i = 0; i < world->open_count; i++) drop_request(world->open[i]);
    world->waiting_count = world->open_count = 0;
    disk_crash(world->disk);
    world->dead = false;
    world->die_at = 0;
    world_trace(world, "crash", world->calls);
}
