/* test/unit/ingest/kit.h - requests to sources: the samples of samples.def, signed, and what webhook_take makes of
 * them. */
#ifndef TEST_INGEST_KIT_H
#define TEST_INGEST_KIT_H

#include "../base/check.h"
#include "samples.h"

#include <stdlib.h>
#include <string.h>

#include "base/evaluator.h"
#include "base/hash.h"
#include "base/when.h"
#include "ingest/webhook.h"

#define KIT_NOW_S   ((int64_t)1795526439)
#define KIT_HEADERS 12

struct kit {
    struct arena arena;
    struct settings settings;
    struct source_settings source;
    struct hasher *hasher;
    struct rng rng;
    struct uuid last_id;
    struct request request;
    struct header headers[KIT_HEADERS];
    int64_t wall_us;
    struct posting posting;
    struct refusal refusal;
    struct str words;
    struct mappings *mappings; /* NULL, and no evaluator, but for tests of jq */
    struct evaluator evaluator;
    const struct certificate_shelf *certificates; /* NULL but for tests of them */
};

static inline int kit_setup(void **state) {
    struct kit *kit = calloc(1, sizeof *kit);
    kit->settings.server.max_event_bytes = 65536;
    kit->settings.server.url = STR("https://hooks.example.com");
    kit->hasher = hasher_new();
    rng_seed(&kit->rng, 7);
    *state = kit;
    return 0;
}

static inline int kit_teardown(void **state) {
    struct kit *kit = *state;
    hasher_free(kit->hasher);
    arena_free(&kit->arena);
    free(kit);
    return 0;
}

static inline struct str kit_replaced(struct kit *kit, struct str text, const char *what, struct str with) {
    char *text_c = (char *)(uintptr_t)str_dup(&kit->arena, text).p, *at = strstr(text_c, what);
    if (!at) return text;
    return str_fmt(&kit->arena, "%.*s%.*s%s", (int)(at - text_c), text_c, STR_ARG(with), at + strlen(what));
}

static inline struct str kit_code(struct kit *kit, const struct sample *sample, const char *key, struct str message) {
    struct str code =
        signing_mac(sample->sha1 ? SIGNING_HMAC_SHA1 : SIGNING_HMAC_SHA256, str_from(key), message, &kit->arena);
    return sample->base64 ? base64_encode(&kit->arena, code) : hex_encode(&kit->arena, code.p, code.n);
}

/* Lines `Name: value`. The values are copies, which a test may change. */
static inline void kit_headers(struct kit *kit, struct str lines) {
    for (struct str line; str_next(&lines, '\n', &line);) {
        size_t colon = str_find(line, ':');
        struct str value = str_dup(&kit->arena, str_trim(str_sub(line, colon + 1, line.n)));
        assert_true(kit->request.header_count < KIT_HEADERS);
        kit->headers[kit->request.header_count++] = (struct header){str_sub(line, 0, colon), value};
    }
}

/* The sample as the request, its source with the sample's secret. */
static inline void kit_load(struct kit *kit, const struct sample *sample) {
    struct str type = str_from(sample->type), signature = STR(""), body = str_from(sample->body);
    kit->wall_us = KIT_NOW_S * US_PER_S;
    kit->source = (struct source_settings){.name = type,
                                           .type = type,
                                           .webhook = {.secret = str_from(sample->secret),
                                                       .old_secret = STR(""),
                                                       .tolerance_us = 300 * US_PER_S,
                                                       .scheme = scheme_find(type)}};
    assert_non_null(kit->source.webhook.scheme);
    if (sample->message)
        signature = kit_code(kit, sample, sample->key ? sample->key : sample->secret,
                             kit_replaced(kit, str_from(sample->message), "{body}", body));
    kit->request = (struct request){.method = STR("POST"), .query = str_from(sample->query), .headers = kit->headers};
    kit->request.path = sample->path ? str_from(sample->path) : str_fmt(&kit->arena, "/in/%s", sample->type);
    kit_headers(kit, kit_replaced(kit, str_from(sample->headers), "{sig}", signature));
    kit_headers(kit, str_from(sample->loose));
    kit->request.body = str_dup(&kit->arena, kit_replaced(kit, body, "{sig}", signature));
}

static inline struct intake_context kit_context(struct kit *kit) {
    return (struct intake_context){&kit->settings, kit->wall_us,  kit->hasher,     &kit->rng,        &kit->last_id,
                                   &kit->arena,    kit->mappings, &kit->evaluator, kit->certificates};
}

static inline enum err kit_take(struct kit *kit) {
    const struct intake_context context = kit_context(kit);
    kit->refusal = (struct refusal){0};
    return webhook_take(&context, &kit->source, &kit->request, &kit->posting, &kit->refusal, &kit->words);
}

static inline const struct sample *kit_sample(const char *type) {
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        if (!strcmp(samples[i].type, type)) return &samples[i];
    fail_msg("there is no sample of %s", type);
    return NULL;
}

#endif
