#include "http/probe.h"

#include "base/when.h"
#include "http/wake.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_METRICS "application/openmetrics-text"
#define PROBES_MAX   5
#define STALLED_US   (5 * US_PER_S) /* while a turn lasts longer than this, the server takes nothing */

struct probe {
    char path[32]; /* "" = this one is free */
    char content_type[64];
    int status;
    char *text;
    size_t bytes;
};

struct probes {
    struct clock clock;
    struct wake *wake;
    pthread_mutex_t lock;
    struct probe probes[PROBES_MAX];
    atomic_int_fast64_t turn_us; /* since when a turn lasts; 0 = none does */
    atomic_bool asked;           /* for /metrics */
};

/* Read by probes_answer: whoever reads the tables gets nothing here. */
static void read_nothing(const void *self, struct gauge_sink *sink) {
    (void)self;
    (void)sink;
}

const struct gauge probe_gauge = {"drumbeat_loop_turn_age_seconds", "gauge",
                                  "How long the turn at hand has lasted; 0 between turns.", NULL, read_nothing};

struct probes *probes_new(const struct clock *clock, struct wake *wake) {
    struct probes *probes = calloc(1, sizeof *probes);
    assert(probes);
    probes->clock = *clock;
    probes->wake = wake;
    int failed = pthread_mutex_init(&probes->lock, NULL);
    assert(!failed);
    return probes;
}

void probes_free(struct probes *probes) {
    for (size_t i = 0; i < PROBES_MAX; i++) free(probes->probes[i].text);
    pthread_mutex_destroy(&probes->lock);
    free(probes);
}

static struct probe *probe_of(struct probes *probes, struct str path, bool make) {
    for (size_t i = 0; i < PROBES_MAX; i++) {
        struct probe *probe = &probes->probes[i];
        if (make && !*probe->path) snprintf(probe->path, sizeof probe->path, "%.*s", STR_ARG(path));
        if (*probe->path && str_eq(str_from(probe->path), path)) return probe;
    }
    return NULL;
}

void probes_publish(struct probes *probes, struct str path, const struct probe_answer *answer) {
    char *text = strndup(answer->text.p, answer->text.n);
    if (!text) return; /* out of memory: the last text stands */
    pthread_mutex_lock(&probes->lock);
    struct probe *probe = probe_of(probes, path, true);
    assert(probe); /* the paths are the program's own */
    char *old = probe->text;
    probe->status = answer->status;
    probe->text = text;
    probe->bytes = answer->text.n;
    snprintf(probe->content_type, sizeof probe->content_type, "%.*s", STR_ARG(answer->content_type));
    pthread_mutex_unlock(&probes->lock);
    free(old);
}

void probes_turn(struct probes *probes, bool at_work) {
    atomic_store(&probes->turn_us, at_work ? probes->clock.now_us(probes->clock.self) : 0);
}

static int64_t turn_age_us(struct probes *probes) {
    int64_t turn_us = atomic_load(&probes->turn_us);
    return turn_us ? probes->clock.now_us(probes->clock.self) - turn_us : 0;
}

bool probes_were_asked(struct probes *probes) {
    return atomic_exchange(&probes->asked, false);
}

static void add_turn_age(struct arena *arena, int64_t age_us, struct str end, struct probe_answer *answer) {
    answer->text = str_fmt(arena, "%.*s# HELP %s %s\n# TYPE %s %s\n%s %.3f\n%.*s", STR_ARG(answer->text),
                           probe_gauge.name, probe_gauge.help, probe_gauge.name, probe_gauge.type, probe_gauge.name,
                           (double)age_us / US_PER_S, STR_ARG(end));
}

bool probes_answer(struct probes *probes, struct str path, struct str accept, struct arena *arena,
                   struct probe_answer *ret_answer) {
    bool is_metrics = str_eq(path, STR("/metrics"));
    bool is_open = is_metrics && accept.n && memmem(accept.p, accept.n, OPEN_METRICS, sizeof OPEN_METRICS - 1);
    pthread_mutex_lock(&probes->lock);
    const struct probe *probe = probe_of(probes, is_open ? STR(PROBE_OPEN_METRICS) : path, false);
    if (probe)
        *ret_answer = (struct probe_answer){.status = probe->status,
                                            .content_type = str_dup(arena, str_from(probe->content_type)),
                                            .text = str_dup(arena, (struct str){probe->text, probe->bytes})};
    pthread_mutex_unlock(&probes->lock);
    int64_t age_us = turn_age_us(probes);
    if (probe && str_eq(path, STR("/readyz")) && age_us > STALLED_US) {
        ret_answer->status = err_http(ERR_STALLED);
        ret_answer->text = str_fmt(arena, "{\"ready\":false,\"code\":\"%s\",\"detail\":\"%s\"}\n",
                                   err_code(ERR_STALLED), err_text(ERR_STALLED));
    } else if (probe && is_metrics) {
        add_turn_age(arena, age_us, is_open ? STR("# EOF\n") : STR_NONE, ret_answer);
        if (!atomic_exchange(&probes->asked, true)) wake_raise(probes->wake);
    }
    return probe != NULL;
}
