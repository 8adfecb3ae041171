/* fuzz/fuzz_webhook.c - any bytes as a request to a source of each scheme: nobody is believed without the secret, and
 * what is believed makes events that keep the rules, the same ones each time. */
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"
#include "ingest/webhook.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 16
#define NOW_US      (1795526439 * US_PER_S)
#define SECRET      "the fuzzer does not know this one"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What every input shares; made once. */
struct world {
    struct arena arena;
    struct settings settings;
    struct hasher *hasher;
    struct rng rng;
    struct uuid last_id;
};

static struct world *world_open(void) {
    static struct world world;
    if (world.hasher) return &world;
    world.hasher = hasher_new();
    world.settings.server = (struct server_settings){.max_event_bytes = 65536, .url = STR("https://h.example")};
    rng_seed(&world.rng, 7);
    return &world;
}

/* "POST /in/x?query", lines `Name: value`, an empty line, the body. */
static struct request read_request(struct arena *arena, struct str text) {
    struct request request = {.headers = arena_array(arena, struct header, HEADERS_MAX + 1)};
    struct str line = STR(""), target;
    (void)str_next(&text, '\n', &line);
    size_t space = str_find(line, ' ');
    request.method = str_sub(line, 0, space);
    target = space == SIZE_MAX ? STR("/") : str_sub(line, space + 1, line.n);
    size_t question = str_find(target, '?');
    request.path = str_sub(target, 0, question);
    if (question != SIZE_MAX) request.query = str_sub(target, question + 1, target.n);
    while (str_next(&text, '\n', &line) && line.n) {
        size_t colon = str_find(line, ':');
        if (colon == SIZE_MAX || request.header_count == HEADERS_MAX) continue;
        request.headers[request.header_count++] =
            (struct header){str_sub(line, 0, colon), str_trim(str_sub(line, colon + 1, line.n))};
    }
    request.body = text;
    return request;
}

static struct source_settings source_of(const struct scheme *scheme) {
    static const char base64_key[] = "whsec_dGhlIGZ1enplciBkb2VzIG5vdCBrbm93IHRoaXM=";
    static const char ed25519_key[] = "whpk_AofyM1zT9ypc2IXkGHdWouhYZE4uzAK6/vUq/VK4HE0=";
    static const char public_key[] =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsYMHWQYwLiYQUn/d6jeKjI8a+koar4PNZjr3Ig4cselOmRfW"
        "PeUJxum8tI3tvzqFd618b4UAN9qO2SB0e3aNZg==";
    const char *secret = scheme->secret == SECRET_STANDARD ? base64_key
                         : scheme->secret == SECRET_PUBLIC ? public_key
                                                           : SECRET;
    struct str old = scheme->secret == SECRET_STANDARD ? str_from(ed25519_key) : STR("");
    return (struct source_settings){
        .name = str_from(scheme->name),
        .type = str_from(scheme->name),
        .webhook = {.secret = str_from(secret), .old_secret = old, .tolerance_us = 300 * US_PER_S, .scheme = scheme}};
}

static enum err take(struct world *world, const struct source_settings *source, const struct request *request,
                     struct posting *ret_posting) {
    const struct intake_context context = {&world->settings, NOW_US, world->hasher, &world->rng, &world->last_id,
                                           &world->arena,    NULL,   NULL,          NULL};
    struct refusal refusal = {0};
    struct str words = STR("");
    enum err err = webhook_take(&context, source, request, ret_posting, &refusal, &words);
    assert(err == refusal.err || !err);
    if (err == ERR_UNSIGNED) assert(!refusal.detail.n && !refusal.pointer.p && words.n);
    return err;
}

static void check_event(const struct intake_item *item, const struct source_settings *source) {
    const struct event *event = &item->event;
    struct json *payload;
    if (!item->valid) {
        assert(item->refusal.err && item->refusal.detail.n);
        return;
    }
    assert(event_type_valid(event->type) && event_key_valid(event->key) && str_eq(event->source, source->name));
    assert(str_starts(event->type, source->name) && str_starts(event->key, source->name));
    enum err err = json_parse(event->payload, JSON_DEPTH_MAX, &payload, NULL);
    assert(!err && json_type(payload) == JSON_OBJECT);
    json_free(payload);
}

/* The sender is believed for a header that the fuzzer is given, so that the body is read. */
static void check_believed(struct world *world, const struct scheme *scheme, struct request request, bool maps) {
    struct scheme open = *scheme;
    struct posting first, again;
    open.proof = PROOF_BEARER;
    struct source_settings source = source_of(&open);
    source.webhook.secret = STR(SECRET);
    if (maps) source.webhook.map_type = source.webhook.map_at = request.path, source.webhook.map_key = request.query;
    for (size_t i = request.header_count++; i > 0; i--) request.headers[i] = request.headers[i - 1];
    request.headers[0] = (struct header){STR("Authorization"), STR("Bearer " SECRET)};
    if (take(world, &source, &request, &first)) return;
    enum err err = take(world, &source, &request, &again);
    assert(!err && first.greeted == again.greeted && first.intake.count == again.intake.count);
    for (size_t i = 0; i < first.intake.count; i++) {
        check_event(&first.intake.items[i], &source);
        assert(str_eq(first.intake.items[i].event.key, again.intake.items[i].event.key));
        assert(str_eq(first.intake.items[i].event.fingerprint, again.intake.items[i].event.fingerprint));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct world *world = world_open();
    struct posting posting;
    struct str text = {(const char *)data, size};
    for (size_t i = 0; i < scheme_count; i++) {
        struct source_settings source = source_of(&schemes[i]);
        struct request request = read_request(&world->arena, text);
        bool knows = memmem(text.p ? text.p : "", text.n, SECRET, strlen(SECRET)) != NULL;
        enum err err = take(world, &source, &request, &posting);
        assert(knows || err == ERR_UNSIGNED);
        check_believed(world, &schemes[i], read_request(&world->arena, text), false);
        check_believed(world, &schemes[i], read_request(&world->arena, text), true);
        arena_reset(&world->arena);
    }
    return 0;
}
