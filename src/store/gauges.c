/* store/gauges.c - the numbers of the store: what a file takes on the disk; what passed between this process and a
 * database on a server of its own, which is measured there. */
#include <stddef.h>
#include <string.h>

#include "base/gauge.h"
#include "store/row.h"
#include "store/sqlite.h"

static void read_bytes(const void *self, struct gauge_sink *sink) {
    const struct store *store = self;
    int64_t file_bytes, log_bytes;
    if (store->driver->measure && store->driver->measure(store->driver->self, &file_bytes, &log_bytes))
        sink->put(sink, STR_NONE, (double)file_bytes);
}

static void read_log_bytes(const void *self, struct gauge_sink *sink) {
    const struct store *store = self;
    int64_t file_bytes, log_bytes;
    if (store->driver->measure && store->driver->measure(store->driver->self, &file_bytes, &log_bytes))
        sink->put(sink, STR_NONE, (double)log_bytes);
}

/* Asked of SQLite between transactions: two numbers of the file's first page. */
static void read_free_bytes(const void *self, struct gauge_sink *sink) {
    const struct store *store = self;
    struct arena arena = ARENA_EMPTY;
    struct sqlite_room room;
    if (store->driver->dialect == SQL_SQLITE && !sqlite_measure(store->driver, &arena, &room))
        sink->put(sink, STR_NONE, (double)room.free_bytes);
    arena_free(&arena);
}

/* ---- a server ---- */

static void put_traffic(const void *self, struct gauge_sink *sink, size_t offset) {
    const struct sql_driver *driver = ((const struct store *)self)->driver;
    if (!driver->traffic) return;
    uint64_t count;
    memcpy(&count, (const char *)driver->traffic(driver->self) + offset, sizeof count);
    sink->put(sink, STR_NONE, (double)count);
}

static void read_rounds(const void *self, struct gauge_sink *sink) {
    put_traffic(self, sink, offsetof(struct sql_traffic, rounds));
}

static void read_connections(const void *self, struct gauge_sink *sink) {
    put_traffic(self, sink, offsetof(struct sql_traffic, connections));
}

static void read_races(const void *self, struct gauge_sink *sink) {
    put_traffic(self, sink, offsetof(struct sql_traffic, races));
}

static void read_lock_waits(const void *self, struct gauge_sink *sink) {
    put_traffic(self, sink, offsetof(struct sql_traffic, lock_waits));
}

static const struct gauge gauges[] = {
    {"drumbeat_store_bytes", "gauge", "Size of the store's file.", NULL, read_bytes},
    {"drumbeat_store_free_bytes", "gauge",
     "Room in the store's file that removed events left: later ones use it, `drumbeat vacuum` gives it back.", NULL,
     read_free_bytes},
    {"drumbeat_store_log_bytes", "gauge", "Size of the write-ahead log beside the store's file.", NULL, read_log_bytes},
    {"drumbeat_store_rounds_total", "counter", "Times that an answer of PostgreSQL was waited for.", NULL, read_rounds},
    {"drumbeat_store_connections_total", "counter",
     "Connections to PostgreSQL that were made: one, and one more each time it was lost.", NULL, read_connections},
    {"drumbeat_store_races_total", "counter",
     "Transactions that another one was in the way of: they are run again at once.", NULL, read_races},
    {"drumbeat_store_lock_waits_total", "counter",
     "Locks of somebody else's transaction that were not given within 100 ms.", NULL, read_lock_waits},
};

struct gauge_set store_gauges(const struct store *store) {
    return GAUGE_SET(gauges, store);
}
