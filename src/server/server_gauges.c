/* server/server_gauges.c - the numbers of the process and of its disk, and who brings which: the engine's own, then
 * those of the rooms that only the composition knows. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/gauge.h"
#include "base/when.h"
#include "http/listener.h"
#include "sandbox/sandbox.h"
#include "server/server_private.h"

/* ---- the process ---- */

/* Resident pages from /proc: the second number of statm. Not put where the system does not tell. */
static void read_resident(const void *self, struct gauge_sink *sink) {
    FILE *file = fopen("/proc/self/statm", "re");
    long long pages = 0;
    (void)self;
    if (!file) return;
    if (fscanf(file, "%*s %lld", &pages) == 1) sink->put(sink, STR_NONE, (double)(pages * sysconf(_SC_PAGESIZE)));
    fclose(file);
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / US_PER_S;
}

static void read_cpu(const void *self, struct gauge_sink *sink) {
    struct rusage usage;
    (void)self;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        sink->put(sink, STR_NONE, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
}

static void read_started(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct server *)self)->started_wall_us / US_PER_S);
}

static void read_descriptors(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct server *)self)->descriptors);
}

static void read_build(const void *self, struct gauge_sink *sink) {
    (void)self;
    sink->put(sink, STR(DRUMBEAT_VERSION), 1);
}

/* ---- the configuration ---- */

static void read_reloads(const void *self, struct gauge_sink *sink) {
    const struct server *server = self;
    sink->put(sink, STR("applied"), (double)server->reloads_applied);
    sink->put(sink, STR("refused"), (double)server->reloads_refused);
}

static void read_reloaded(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)((const struct server *)self)->reloaded_wall_us / US_PER_S);
}

/* ---- the disk that the store's file is on; of a database on a server its own tools tell ---- */

static bool disk_of(const struct server *server, struct statvfs *ret_disk) {
    struct arena arena = ARENA_EMPTY;
    bool told = !place_is_shared(&server->place) &&
                statvfs(str_dup(&arena, file_folder(server->place.store, &arena)).p, ret_disk) == 0;
    arena_free(&arena);
    return told;
}

static void read_disk_free(const void *self, struct gauge_sink *sink) {
    struct statvfs disk;
    if (disk_of(self, &disk)) sink->put(sink, STR_NONE, (double)disk.f_bavail * (double)disk.f_frsize);
}

static void read_disk_size(const void *self, struct gauge_sink *sink) {
    struct statvfs disk;
    if (disk_of(self, &disk)) sink->put(sink, STR_NONE, (double)disk.f_blocks * (double)disk.f_frsize);
}

static const struct gauge gauges[] = {
    {"drumbeat_config_reloads_total", "counter", "Configurations that were put in force, or refused.", "result",
     read_reloads},
    {"drumbeat_config_last_applied_seconds", "gauge",
     "When a configuration was put in force last, in seconds since 1970; at the start, or later.", NULL, read_reloaded},
    {"drumbeat_disk_free_bytes", "gauge", "Room on the disk that the store's file is on.", NULL, read_disk_free},
    {"drumbeat_disk_size_bytes", "gauge", "Size of that disk.", NULL, read_disk_size},
    {"drumbeat_build_info", "gauge", "1, with the version.", "version", read_build},
    {"process_resident_memory_bytes", "gauge", "Resident memory.", NULL, read_resident},
    {"process_cpu_seconds_total", "counter", "Processor time of all threads.", NULL, read_cpu},
    {"process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", NULL, read_started},
    {"process_max_fds", "gauge", "Files and sockets that the process may have open.", NULL, read_descriptors},
};

size_t server_gauges(void *self, struct gauge_set *ret_sets) {
    struct server *server = self;
    size_t count = 0;
    ret_sets[count++] = GAUGE_SET(gauges, server);
    ret_sets[count++] = listener_gauges(server->listener);
    if (server->sandbox) ret_sets[count++] = sandbox_gauges(server->sandbox);
    return count;
}

size_t server_gauge_sets(struct gauge_set ret_sets[SERVER_GAUGE_SETS]) {
    size_t count = loop_gauge_sets(NULL, ret_sets);
    ret_sets[count++] = GAUGE_SET(gauges, NULL);
    ret_sets[count++] = listener_gauges(NULL);
    ret_sets[count++] = sandbox_gauges(NULL);
    ret_sets[count++] = listener_own_gauges();
    return count;
}
