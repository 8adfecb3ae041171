/* cli/metrics_page.c - docs/metrics.md, from the tables of numbers that rooms bring. */
#include <stdlib.h>
#include <string.h>

#include "base/gauge.h"
#include "cli/help.h"
#include "server/server.h"

static const char preface[] =
    "# Metrics\n\n"
    "This page is made from the tables of gauges of all rooms by `drumbeat reference metrics`.\n\n"
    "`GET /metrics` is the Prometheus text format, or OpenMetrics with a trace as example at the buckets of times "
    "where\n"
    "`Accept` asks for it. It is answered by a thread of its own, also while the store stalls. Numbers are made anew "
    "once\n"
    "a second while there is work; without work a look is answered with the last ones and has new ones made for the "
    "next.\n"
    "Counters begin at 0 with each start of the process. Every process shows its own numbers; those of the store\n"
    "(`queue_depth`, `event_processing_lag`, `drumbeat_deliveries`, ...) are the same in all processes that share "
    "it.\n\n"
    "Label values are names from the configuration or words of the program: no payload, no key, no address. Their "
    "number\n"
    "is bounded: destinations and sources at 4096 names in the life of a process, everything else by the program.\n\n"
    "| name | type | labels | |\n| --- | --- | --- | --- |\n";

static int by_name(const void *a, const void *b) {
    const struct gauge *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

struct str metrics_reference(struct arena *arena) {
    struct gauge_set sets[SERVER_GAUGE_SETS];
    size_t set_count = server_gauge_sets(sets), total = 0, n = 0;
    for (size_t i = 0; i < set_count; i++) total += sets[i].count;
    const struct gauge **gauges = arena_array(arena, const struct gauge *, total);
    for (size_t i = 0; i < set_count; i++)
        for (size_t j = 0; j < sets[i].count; j++) gauges[n++] = &sets[i].gauges[j];
    qsort(gauges, total, sizeof *gauges, by_name);
    struct buf buf = {.arena = arena};
    buf_add(&buf, str_from(preface));
    for (size_t i = 0; i < total; i++)
        buf_fmt(&buf, "| `%s` | %s | %s | %s |\n", gauges[i]->name, gauges[i]->type,
                gauges[i]->label ? gauges[i]->label : "", gauges[i]->help);
    return buf_str(&buf);
}
