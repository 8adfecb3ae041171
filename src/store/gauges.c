/* store/gauges.c - the numbers of the store: what it takes on the disk. A database on a server of its own is measured
 * there; here it shows nothing. */
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

static const struct gauge gauges[] = {
    {"drumbeat_store_bytes", "gauge", "Size of the store's file.", NULL, read_bytes},
    {"drumbeat_store_free_bytes", "gauge",
     "Room in the store's file that removed events left: later ones use it, `drumbeat vacuum` gives it back.", NULL,
     read_free_bytes},
    {"drumbeat_store_log_bytes", "gauge", "Size of the write-ahead log beside the store's file.", NULL, read_log_bytes},
};

struct gauge_set store_gauges(const struct store *store) {
    return GAUGE_SET(gauges, store);
}
