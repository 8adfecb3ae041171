#include "disk.h"

#include <sqlite3.h>

#include "store/log_file.h"

/* ---- a disk that counts, and fails when told ---- */

static struct {
    char bytes[200000];
    sqlite3_int64 size;
    int writes, syncs;
    bool fails;
} tape;

static int tape_close(sqlite3_file *file) {
    (void)file;
    return SQLITE_OK;
}

static int tape_read(sqlite3_file *file, void *to, int count, sqlite3_int64 at) {
    (void)file;
    memcpy(to, tape.bytes + at, (size_t)count);
    return SQLITE_OK;
}

static int tape_write(sqlite3_file *file, const void *from, int count, sqlite3_int64 at) {
    (void)file;
    if (tape.fails) return SQLITE_FULL;
    memcpy(tape.bytes + at, from, (size_t)count);
    if (at + count > tape.size) tape.size = at + count;
    tape.writes++;
    return SQLITE_OK;
}

static int tape_truncate(sqlite3_file *file, sqlite3_int64 size) {
    (void)file;
    tape.size = size;
    return SQLITE_OK;
}

static int tape_sync(sqlite3_file *file, int flags) {
    (void)file, (void)flags;
    tape.syncs++;
    return SQLITE_OK;
}

static int tape_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
    (void)file;
    *ret_size = tape.size;
    return SQLITE_OK;
}

static const sqlite3_io_methods tape_methods = {.iVersion = 1,
                                                .xClose = tape_close,
                                                .xRead = tape_read,
                                                .xWrite = tape_write,
                                                .xTruncate = tape_truncate,
                                                .xSync = tape_sync,
                                                .xFileSize = tape_size};

static int tape_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    (void)vfs, (void)name, (void)flags, (void)ret_flags;
    file->pMethods = &tape_methods;
    return SQLITE_OK;
}

struct taped {
    sqlite3_vfs base;
    struct log_vfs *log_vfs;
    sqlite3_file *log;
};

static int tape_setup(void **state) {
    struct taped *taped = calloc(1, sizeof *taped);
    memset(&tape, 0, sizeof tape);
    taped->base = (sqlite3_vfs){
        .iVersion = 1, .szOsFile = sizeof(sqlite3_file), .mxPathname = 64, .zName = "tape", .xOpen = tape_open};
    assert_int_equal(sqlite3_vfs_register(&taped->base, 0), SQLITE_OK);
    taped->log_vfs = log_vfs_new("tape");
    sqlite3_vfs *vfs = sqlite3_vfs_find(log_vfs_name(taped->log_vfs));
    assert_non_null(vfs);
    taped->log = calloc(1, (size_t)vfs->szOsFile);
    assert_int_equal(vfs->xOpen(vfs, "x-wal", taped->log, SQLITE_OPEN_WAL, NULL), SQLITE_OK);
    *state = taped;
    return 0;
}

static int tape_teardown(void **state) {
    struct taped *taped = *state;
    taped->log->pMethods->xClose(taped->log);
    log_vfs_free(taped->log_vfs);
    sqlite3_vfs_unregister(&taped->base);
    free(taped->log);
    free(taped);
    return 0;
}

static int put(const struct taped *taped, const char *text, sqlite3_int64 at) {
    return taped->log->pMethods->xWrite(taped->log, text, (int)strlen(text), at);
}

static int synced(const struct taped *taped) {
    return taped->log->pMethods->xSync(taped->log, SQLITE_SYNC_NORMAL);
}

static void what_follows_is_written_at_once_by_the_sync(void **state) {
    struct taped *taped = *state;
    assert_int_equal(put(taped, "head", 0), SQLITE_OK);
    assert_int_equal(put(taped, "page", 4), SQLITE_OK);
    assert_int_equal(tape.writes, 0);
    assert_int_equal(synced(taped), SQLITE_OK);
    assert_int_equal(tape.writes, 1);
    assert_int_equal(tape.syncs, 1);
    assert_string_equal(tape.bytes, "headpage");
    assert_int_equal(synced(taped), SQLITE_OK);
    assert_int_equal(tape.writes, 1);
}

static void what_does_not_follow_comes_after(void **state) {
    struct taped *taped = *state;
    assert_int_equal(put(taped, "abcdef", 0), SQLITE_OK);
    assert_int_equal(put(taped, "XY", 2), SQLITE_OK);
    assert_int_equal(put(taped, "Z", 4), SQLITE_OK);
    assert_int_equal(synced(taped), SQLITE_OK);
    assert_string_equal(tape.bytes, "abXYZf");
    assert_int_equal(tape.writes, 2);
}

static void any_length_is_written_in_order(void **state) {
    struct taped *taped = *state;
    static char large[150000];
    memset(large, 'l', sizeof large);
    assert_int_equal(put(taped, "first", 0), SQLITE_OK);
    assert_int_equal(taped->log->pMethods->xWrite(taped->log, large, sizeof large, 5), SQLITE_OK);
    assert_int_equal(put(taped, "last", 5 + (sqlite3_int64)sizeof large), SQLITE_OK);
    assert_int_equal(synced(taped), SQLITE_OK);
    assert_memory_equal(tape.bytes, "firstl", 6);
    assert_string_equal(tape.bytes + sizeof large, "lllll"
                                                   "last");
    for (int i = 0; i < 30; i++) assert_int_equal(taped->log->pMethods->xWrite(taped->log, large, 4000, i * 4000), 0);
    assert_true(tape.writes > 3); /* there was no more room */
}

static void reads_and_sizes_see_what_is_gathered(void **state) {
    struct taped *taped = *state;
    char seen[5] = {0};
    sqlite3_int64 size = 0;
    assert_int_equal(put(taped, "abcd", 0), SQLITE_OK);
    assert_int_equal(taped->log->pMethods->xFileSize(taped->log, &size), SQLITE_OK);
    assert_int_equal(size, 4);
    assert_int_equal(taped->log->pMethods->xRead(taped->log, seen, 2, 1), SQLITE_OK);
    assert_string_equal(seen, "bc");
    assert_int_equal(put(taped, "efgh", 4), SQLITE_OK);
    assert_int_equal(taped->log->pMethods->xTruncate(taped->log, 6), SQLITE_OK);
    assert_int_equal(taped->log->pMethods->xFileSize(taped->log, &size), SQLITE_OK);
    assert_int_equal(size, 6);
    assert_string_equal(tape.bytes, "abcdefgh");
}

/* Some of it may be of an earlier commit. */
static void what_cannot_be_written_is_kept(void **state) {
    struct taped *taped = *state;
    char seen[5] = {0};
    assert_int_equal(put(taped, "told", 0), SQLITE_OK);
    assert_int_equal(synced(taped), SQLITE_OK);
    assert_int_equal(put(taped, "tail", 4), SQLITE_OK);
    tape.fails = true;
    assert_int_equal(put(taped, "next", 100), SQLITE_FULL);
    assert_int_equal(synced(taped), SQLITE_FULL);
    assert_int_equal(tape.syncs, 1);
    assert_int_equal(taped->log->pMethods->xRead(taped->log, seen, 4, 4), SQLITE_FULL);
    assert_int_equal(taped->log->pMethods->xRead(taped->log, seen, 4, 0), SQLITE_OK);
    assert_string_equal(seen, "told");
    tape.fails = false;
    assert_int_equal(put(taped, "more", 8), SQLITE_OK);
    assert_int_equal(synced(taped), SQLITE_OK);
    assert_string_equal(tape.bytes, "toldtailmore");
}

static void only_the_log_is_wrapped(void **state) {
    const struct taped *taped = *state;
    sqlite3_vfs *vfs = sqlite3_vfs_find(log_vfs_name(taped->log_vfs));
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    assert_int_equal(vfs->xOpen(vfs, "x", file, SQLITE_OPEN_MAIN_DB, NULL), SQLITE_OK);
    assert_ptr_equal(file->pMethods, &tape_methods);
    assert_ptr_not_equal(taped->log->pMethods, &tape_methods);
    assert_null(log_vfs_new("there is none of this name"));
    free(file);
}

/* ---- the store's log ---- */

static const int64_t payload_bytes = 3000;

static int64_t calls_to_write(void) {
    char text[512] = {0};
    FILE *file = fopen("/proc/self/io", "r");
    assert_non_null(file);
    size_t count = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_true(count > 0);
    return atoll(strstr(text, "syscw:") + sizeof "syscw:");
}

/* One transaction; it is left open. */
static void append_many(struct disk *disk, int count) {
    char *payload = malloc((size_t)payload_bytes);
    memset(payload, ' ', (size_t)payload_bytes);
    memcpy(payload, "{}", 2);
    OK(store_begin(disk->store));
    for (int i = 0; i < count; i++) {
        char key[32];
        struct append_result result;
        struct arena arena = ARENA_EMPTY;
        snprintf(key, sizeof key, "many-%d", i);
        const struct event event = {.id = {{(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 7}},
                                    .key = str_from(key),
                                    .type = STR("T"),
                                    .source = STR("s"),
                                    .payload = {payload, (size_t)payload_bytes},
                                    .fingerprint = STR("f"),
                                    .scheduled_us = T0,
                                    .created_us = T0,
                                    .updated_us = T0};
        OK(store_append(disk->store, &event, 1, &arena, &result));
        arena_free(&arena);
    }
    free(payload);
}

static void a_commit_is_written_in_few_pieces(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    append_many(disk, 200);
    int64_t before = calls_to_write();
    OK(store_commit(disk->store));
    int64_t calls = calls_to_write() - before;
    assert_true(calls >= 1);
    assert_true(calls <= 40); /* more than 200 pages */
    assert_int_equal(events_in(disk), 200);
    close_store(disk);
}

/* More than the page cache holds, so that pages go to the log and come back before there is a commit. */
static void a_transaction_past_the_cache_is_whole(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    append_many(disk, 12000);
    assert_int_equal(number_of(disk, "SELECT sum(length(payload)) FROM marketing_events"), 12000 * payload_bytes);
    OK(disk->driver.script(disk->driver.self, STR("UPDATE marketing_events SET last_error = 'e' WHERE seq % 7 = 0"),
                           &disk->arena, NULL));
    OK(store_commit(disk->store));
    close_store(disk);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 12000);
    assert_int_equal(number_of(disk, "SELECT count(*) FROM marketing_events WHERE last_error = 'e'"), 12000 / 7);
    assert_int_equal(number_of(disk, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    close_store(disk);
}

/* What went to the log before belongs to no commit, and a later commit is not disturbed by it. */
static void a_transaction_past_the_cache_may_be_rolled_back(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 1, 100));
    append_many(disk, 12000);
    store_rollback(disk->store);
    assert_int_equal(events_in(disk), 1);
    OK(append_in_turn(disk, 2, 100));
    close_store(disk);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 2);
    assert_int_equal(number_of(disk, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    close_store(disk);
}

/* A commit that was told is in the log's file: another process finds it when this one is gone at once. */
static void a_commit_outlives_its_process(void **state) {
    struct disk *disk = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool done = !open_store(disk) && !append_in_turn(disk, 1, 9000) && !append_in_turn(disk, 2, 100);
        _exit(done ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 2);
    close_store(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_follows_is_written_at_once_by_the_sync, tape_setup, tape_teardown),
        cmocka_unit_test_setup_teardown(what_does_not_follow_comes_after, tape_setup, tape_teardown),
        cmocka_unit_test_setup_teardown(any_length_is_written_in_order, tape_setup, tape_teardown),
        cmocka_unit_test_setup_teardown(reads_and_sizes_see_what_is_gathered, tape_setup, tape_teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_kept, tape_setup, tape_teardown),
        cmocka_unit_test_setup_teardown(only_the_log_is_wrapped, tape_setup, tape_teardown),
        cmocka_unit_test_setup_teardown(a_commit_is_written_in_few_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_past_the_cache_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_past_the_cache_may_be_rolled_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_commit_outlives_its_process, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
