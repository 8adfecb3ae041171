/* http/probe.h - the texts that the listener's own thread answers, so that
 * they are there while the loop is busy or the store stalls. Thread:
 * probes_set from the loop's, probes_find from the listener's.
 */
#ifndef HTTP_PROBE_H
#define HTTP_PROBE_H

#include <pthread.h>

#include "base/str.h"

#define PROBES_MAX 4

struct probe {
    char path[32], content_type[64];
    int status;
    char *body; /* of malloc */
    size_t body_bytes;
};

struct probes {
    pthread_mutex_t lock;
    struct probe all[PROBES_MAX];
    size_t count;
};

void probes_init(struct probes *probes);
void probes_free(struct probes *probes);
/* What the path answers from now on. Copied; there are at most PROBES_MAX paths. */
void probes_set(struct probes *probes, struct str path, int status, struct str content_type, struct str body);
/* A copy whose body is the caller's to free; false where the path has none. */
bool probes_find(struct probes *probes, struct str path, struct probe *ret_probe);

#endif
