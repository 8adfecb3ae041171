/* test/unit/store/disk.h - a folder with one SQLite store in it, and ways to
 * open, fill, read and spoil it. */
#ifndef STORE_TEST_DISK_H
#define STORE_TEST_DISK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "store/migrate.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define T0     ((int64_t)1764000000000000)
#define OK(it) assert_int_equal((it), ERR_NONE)

struct disk {
    struct arena arena;
    struct sql_driver driver;
    struct store *store;
    struct str problem;
    char folder[64], path[80];
};

static inline int setup(void **state) {
    struct disk *disk = calloc(1, sizeof *disk);
    snprintf(disk->folder, sizeof disk->folder, "%s/drumbeat-disk-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(disk->folder));
    snprintf(disk->path, sizeof disk->path, "%s/s.db", disk->folder);
    *state = disk;
    return 0;
}

static inline int teardown(void **state) {
    struct disk *disk = *state;
    DIR *folder = opendir(disk->folder);
    for (struct dirent *entry; (entry = readdir(folder));) unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(disk->folder);
    arena_free(&disk->arena);
    free(disk);
    return 0;
}

static inline enum err open_as(struct disk *disk, bool read_only, int64_t wal_bound_bytes) {
    const struct sqlite_options options = {
        .path = str_from(disk->path), .read_only = read_only, .wal_bound_bytes = wal_bound_bytes};
    disk->problem = STR_NONE;
    enum err err = sqlite_open(&options, &disk->arena, &disk->driver, &disk->problem);
    if (err) return err;
    err = store_open(&disk->driver, T0, &disk->arena, &disk->store, &disk->problem);
    if (err) disk->driver.close(disk->driver.self);
    return err;
}

static inline enum err open_store(struct disk *disk) {
    return open_as(disk, false, 0);
}

static inline void close_store(struct disk *disk) {
    store_close(disk->store);
    disk->driver.close(disk->driver.self);
}

static inline bool says(const struct disk *disk, const char *words) {
    return disk->problem.n && memmem(disk->problem.p, disk->problem.n, words, strlen(words));
}

static inline enum err append_in_turn(struct disk *disk, int number, size_t payload_bytes) {
    char key[32], *payload = malloc(payload_bytes + 2);
    struct append_result result;
    snprintf(key, sizeof key, "k%d", number);
    memset(payload, ' ', payload_bytes + 2);
    memcpy(payload, "{}", 2);
    const struct event event = {.id = {{(uint8_t)(number >> 8), (uint8_t)number, 1}},
                                .key = str_from(key),
                                .type = STR("T"),
                                .source = STR("s"),
                                .payload = {payload, payload_bytes + 2},
                                .fingerprint = STR("f"),
                                .scheduled_us = T0,
                                .created_us = T0,
                                .updated_us = T0};
    enum err err = store_begin(disk->store);
    if (!err) err = store_append(disk->store, &event, 1, &disk->arena, &result);
    if (!err) err = store_commit(disk->store);
    if (err) store_rollback(disk->store);
    free(payload);
    return err;
}

static inline int64_t number_of(struct disk *disk, const char *sql) {
    struct sql_result result;
    OK(disk->driver.script(disk->driver.self, str_from(sql), &disk->arena, &result));
    return result.rows[0].values[0].number;
}

static inline int64_t events_in(struct disk *disk) {
    return number_of(disk, "SELECT count(*) FROM marketing_events");
}

#endif
