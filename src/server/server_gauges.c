/* server/server_gauges.c - the numbers of the process, and who brings which: the engine's own, then those of the rooms
 * that only the composition knows. */
#include <stdio.h>
#include <unistd.h>

#include "base/gauge.h"
#include "http/listener.h"
#include "sandbox/sandbox.h"
#include "server/server_private.h"

/* Resident pages from /proc: the second number of statm. Not put where the system does not tell. */
static void read_resident(const void *self, struct gauge_sink *sink) {
    FILE *file = fopen("/proc/self/statm", "re");
    long long pages = 0;
    (void)self;
    if (!file) return;
    if (fscanf(file, "%*s %lld", &pages) == 1) sink->put(sink, STR_NONE, (double)(pages * sysconf(_SC_PAGESIZE)));
    fclose(file);
}

static void read_reloads(const void *self, struct gauge_sink *sink) {
    const struct server *server = self;
    sink->put(sink, STR("applied"), (double)server->reloads_applied);
    sink->put(sink, STR("refused"), (double)server->reloads_refused);
}

static const struct gauge gauges[] = {
    {"drumbeat_config_reloads_total", "counter", "Configurations that were put in force, or refused.", "result",
     read_reloads},
    {"process_resident_memory_bytes", "gauge", "Resident memory.", NULL, read_resident},
};

struct str server_metrics(struct server *server, struct arena *arena) {
    struct gauge_set sets[3] = {GAUGE_SET(gauges, server), listener_gauges(server->listener)};
    size_t count = 2;
    if (server->sandbox) sets[count++] = sandbox_gauges(server->sandbox);
    return loop_metrics(server->loop, sets, count, arena);
}
