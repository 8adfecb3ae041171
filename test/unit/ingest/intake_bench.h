/* A request that is taken in, for the tests of intake and of what it reads. */
#ifndef TEST_INTAKE_BENCH_H
#define TEST_INTAKE_BENCH_H

#include "../base/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "ingest/intake.h"

#define NOW_US ((int64_t)1795526439000000)

struct fixture {
    struct arena arena;
    struct settings settings;
    struct hasher *hasher;
    struct rng rng;
    struct uuid last_id;
    struct request request;
    struct header headers[8];
    struct intake intake;
    struct refusal refusal;
};

static inline int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->settings.server.max_event_bytes = 1024;
    f->hasher = hasher_new();
    rng_seed(&f->rng, 7);
    f->request.headers = f->headers;
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    hasher_free(f->hasher);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static inline void add_header(struct fixture *f, const char *name, const char *value) {
    f->headers[f->request.header_count++] = (struct header){str_from(name), str_from(value)};
}

static inline enum err post(struct fixture *f, const char *media, const char *body) {
    const struct intake_context context = {&f->settings, NOW_US, f->hasher, &f->rng, &f->last_id,
                                           &f->arena,    NULL,   NULL,      NULL};
    if (media) add_header(f, "Content-Type", media);
    f->request.body = str_from(body);
    return intake_request(&context, &f->request, &f->intake, &f->refusal);
}

#endif
