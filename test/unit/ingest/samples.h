/* test/unit/ingest/samples.h - a request of each sender (samples.def), before it is signed. */
#ifndef TEST_INGEST_SAMPLES_H
#define TEST_INGEST_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

struct sample {
    const char *type, *secret, *key; /* key: what the secret stands for, NULL = its own bytes */
    const char *other;               /* another secret of the same kind; NULL = any text */
    bool base64, sha1;
    const char *path, *query, *headers, *loose, *body, *tied, *tied_end, *message, *events;
    size_t word;
};

static const struct sample samples[] = {
#include "samples.def"
};

#endif
