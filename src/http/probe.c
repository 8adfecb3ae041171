/* http/probe.c - a few texts under a lock. */
#include "http/probe.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void probes_init(struct probes *probes) {
    *probes = (struct probes){0};
    int failed = pthread_mutex_init(&probes->lock, NULL);
    assert(!failed);
}

void probes_free(struct probes *probes) {
    for (size_t i = 0; i < probes->count; i++) free(probes->all[i].body);
    pthread_mutex_destroy(&probes->lock);
}

static char *copy_bytes(const char *bytes, size_t count) {
    char *copy = malloc(count + 1);
    assert(copy);
    if (count) memcpy(copy, bytes, count);
    return copy;
}

static struct probe *find(struct probes *probes, struct str path) {
    for (size_t i = 0; i < probes->count; i++)
        if (str_eq(path, str_from(probes->all[i].path))) return &probes->all[i];
    return NULL;
}

void probes_set(struct probes *probes, struct str path, int status, struct str content_type, struct str body) {
    struct probe fresh = {.status = status, .body = copy_bytes(body.p, body.n), .body_bytes = body.n};
    snprintf(fresh.path, sizeof fresh.path, "%.*s", STR_ARG(path));
    snprintf(fresh.content_type, sizeof fresh.content_type, "%.*s", STR_ARG(content_type));
    pthread_mutex_lock(&probes->lock);
    struct probe *probe = find(probes, path);
    assert(probe || probes->count < PROBES_MAX); /* the paths are the program's own */
    if (!probe) probe = &probes->all[probes->count++];
    char *old = probe->body;
    *probe = fresh;
    pthread_mutex_unlock(&probes->lock);
    free(old);
}

bool probes_find(struct probes *probes, struct str path, struct probe *ret_probe) {
    pthread_mutex_lock(&probes->lock);
    const struct probe *probe = find(probes, path);
    if (probe) {
        *ret_probe = *probe;
        ret_probe->body = copy_bytes(probe->body, probe->body_bytes);
    }
    pthread_mutex_unlock(&probes->lock);
    return probe;
}
