/* What a damaged file and a failing disk mean. */
#include "files.h"

/* The C library's, called by SQLite through these: a disk whose sync fails. */
static bool syncs_fail;

int fdatasync(int fd) {
    if (syncs_fail) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
    return fdatasync(fd);
}

/* ---- damage ---- */

static struct str make_closed(struct disk *disk, int events) {
    OK(open_store(disk));
    for (int i = 0; i < events; i++) OK(append_in_turn(disk, i, 400));
    close_store(disk);
    return read_whole(disk, "");
}

static void a_file_cut_short_is_refused(void **state) {
    struct disk *disk = *state;
    struct str whole = make_closed(disk, 20);
    for (size_t bytes = 0; bytes < whole.n; bytes += 512) {
        write_whole(disk->path, str_sub(whole, 0, bytes));
        enum err err = open_store(disk);
        if (err != ERR_STORE_CORRUPT) fail_msg("%zu of %zu bytes: %s", bytes, whole.n, err_text(err));
        assert_true(says(disk, "damaged"));
        assert_int_equal(bytes_of(disk, ""), bytes);
    }
    write_whole(disk->path, whole);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 20);
    close_store(disk);
}

/* One bit in the head of each page, where the kind and the counts of its cells are. */
static void a_flipped_bit_is_refused(void **state) {
    struct disk *disk = *state;
    struct str whole = make_closed(disk, 20);
    for (size_t page = 0; page < whole.n / 4096; page++) {
        char *bytes = arena_copy(&disk->arena, whole.p, whole.n);
        size_t at = page * 4096 + (page ? 0 : 100);
        bytes[at] = (char)(bytes[at] ^ 0x04);
        write_whole(disk->path, (struct str){bytes, whole.n});
        enum err err = open_store(disk);
        if (err != ERR_STORE_CORRUPT) fail_msg("page %zu: %s", page, err_text(err));
        assert_true(says(disk, "damaged"));
    }
    char *bytes = arena_copy(&disk->arena, whole.p, whole.n);
    bytes[3] = (char)(bytes[3] ^ 1);
    write_whole(disk->path, (struct str){bytes, whole.n});
    assert_int_equal(open_store(disk), ERR_STORE_CORRUPT);
}

static void a_log_without_its_file_is_refused(void **state) {
    struct disk *disk = *state;
    die_after(disk, 3);
    int64_t log_bytes = bytes_of(disk, "-wal");
    unlink(disk->path);
    assert_int_equal(open_store(disk), ERR_STORE_CORRUPT);
    assert_true(says(disk, "log"));
    assert_int_equal(bytes_of(disk, "-wal"), log_bytes);
}

/* A crash of the very first start may leave an empty file. */
static void an_empty_file_that_never_was_a_store_becomes_one(void **state) {
    struct disk *disk = *state;
    write_whole(disk->path, STR_NONE);
    OK(open_store(disk));
    close_store(disk);
    write_whole(disk->path, STR_NONE);
    assert_int_equal(open_store(disk), ERR_STORE_CORRUPT);
    unlink(disk->path);
    OK(open_store(disk));
    close_store(disk);
}

/* ---- a failing disk ---- */

static void a_full_disk_refuses_and_heals(void **state) {
    struct disk *disk = *state;
    char limit[64];
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    snprintf(limit, sizeof limit, "PRAGMA max_page_count = %d;", (int)number_of(disk, "PRAGMA page_count") + 4);
    number_of(disk, limit);
    int kept = 1;
    enum err err = ERR_NONE;
    while (!err && kept < 100) {
        err = append_in_turn(disk, kept, 4000);
        if (!err) kept++;
    }
    assert_int_equal(err, ERR_STORE_FULL);
    assert_int_equal(append_in_turn(disk, kept, 40000), ERR_STORE_FULL);
    assert_int_equal(events_in(disk), kept);
    number_of(disk, "PRAGMA max_page_count = 100000;");
    OK(append_in_turn(disk, kept, 4000));
    OK(store_tidy(disk->store, true));
    assert_int_equal(events_in(disk), kept + 1);
    close_store(disk);
}

/* Bounded by the system, not by SQLite: the log may not grow. */
static void a_file_size_limit_is_a_full_disk(void **state) {
    struct disk *disk = *state;
    struct rlimit before, tight = {0};
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = (struct rlimit){(rlim_t)bytes_of(disk, "-wal") + 5000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum err err = append_in_turn(disk, 1, 40000), again = append_in_turn(disk, 1, 40000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err, ERR_STORE_FULL);
    assert_int_equal(again, ERR_STORE_FULL);
    assert_int_equal(events_in(disk), 1);
    OK(append_in_turn(disk, 1, 40000));
    close_store(disk);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 2);
    close_store(disk);
}

static void a_failed_sync_ends_all_trust(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    syncs_fail = true;
    assert_int_equal(append_in_turn(disk, 1, 400), ERR_STORE_FAILED);
    assert_true(strstr(store_trouble(disk->store), "Input/output error"));
    syncs_fail = false;
    assert_int_equal(store_begin(disk->store), ERR_STORE_FAILED);
    assert_int_equal(store_tidy(disk->store, true), ERR_STORE_FAILED);
    int64_t bytes = bytes_of(disk, "");
    close_store(disk);
    assert_int_equal(bytes_of(disk, ""), bytes);
    OK(open_store(disk));
    int64_t events = events_in(disk);
    assert_in_range(events, 1, 2);
    OK(append_in_turn(disk, 7, 400));
    close_store(disk);
}

static void a_failed_sync_of_a_checkpoint_ends_all_trust(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    syncs_fail = true;
    assert_int_equal(store_tidy(disk->store, true), ERR_STORE_FAILED);
    syncs_fail = false;
    assert_int_equal(store_begin(disk->store), ERR_STORE_FAILED);
    close_store(disk);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 1);
    close_store(disk);
}

static void a_removed_file_is_noticed(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    OK(store_tidy(disk->store, false));
    unlink(disk->path);
    assert_int_equal(store_tidy(disk->store, false), ERR_STORE_FAILED);
    assert_true(strstr(store_trouble(disk->store), "removed"));
    assert_int_equal(store_begin(disk->store), ERR_STORE_FAILED);
    close_store(disk);
}

static void remove_beside(struct disk *disk, const char *suffix) {
    char path[96];
    snprintf(path, sizeof path, "%s%s", disk->path, suffix);
    assert_int_equal(unlink(path), 0);
}

/* What the log held is still there for who has it open. */
static void a_removed_log_is_noticed_and_costs_nothing(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    OK(append_in_turn(disk, 1, 40000));
    remove_beside(disk, "-wal");
    assert_int_equal(append_in_turn(disk, 2, 400), ERR_STORE_FAILED);
    assert_true(strstr(store_trouble(disk->store), "(-wal) was removed"));
    close_store(disk);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 2);
    close_store(disk);
}

static void a_replaced_log_is_noticed(void **state) {
    struct disk *disk = *state;
    char path[96];
    snprintf(path, sizeof path, "%s-wal", disk->path);
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    struct str log = read_whole(disk, "-wal");
    remove_beside(disk, "-wal");
    write_whole(path, log);
    assert_int_equal(store_tidy(disk->store, true), ERR_STORE_FAILED);
    assert_true(strstr(store_trouble(disk->store), "replaced"));
    close_store(disk);
}

/* Written on behind its end, it would have its old length again. */
static void an_emptied_log_is_noticed_before_it_is_written(void **state) {
    struct disk *disk = *state;
    char path[96];
    snprintf(path, sizeof path, "%s-wal", disk->path);
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(append_in_turn(disk, 1, 400), ERR_STORE_FAILED);
    assert_true(strstr(store_trouble(disk->store), "(-wal) was cut short"));
    assert_int_equal(bytes_of(disk, "-wal"), 0);
    close_store(disk);
}

static void a_store_cut_under_a_server_is_noticed(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    OK(store_tidy(disk->store, true));
    assert_int_equal(truncate(disk->path, 4096), 0);
    assert_int_equal(store_tidy(disk->store, false), ERR_STORE_FAILED);
    assert_true(strstr(store_trouble(disk->store), "cut short"));
    close_store(disk);
}

static void a_file_too_short_for_a_database_is_refused(void **state) {
    struct disk *disk = *state;
    write_whole(disk->path, STR("x"));
    assert_int_equal(open_store(disk), ERR_STORE_FOREIGN);
    assert_int_equal(bytes_of(disk, ""), 1);
    unlink(disk->path);
    struct str whole = make_closed(disk, 3);
    for (size_t bytes = 1; bytes < 512; bytes += 255) {
        write_whole(disk->path, str_sub(whole, 0, bytes));
        assert_int_equal(open_store(disk), ERR_STORE_CORRUPT);
        assert_int_equal(open_as(disk, true, 0), ERR_STORE_FOREIGN);
        assert_int_equal(bytes_of(disk, ""), bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        ON_DISK(a_file_cut_short_is_refused),
        ON_DISK(a_flipped_bit_is_refused),
        ON_DISK(a_log_without_its_file_is_refused),
        ON_DISK(an_empty_file_that_never_was_a_store_becomes_one),
        ON_DISK(a_full_disk_refuses_and_heals),
        ON_DISK(a_file_size_limit_is_a_full_disk),
        ON_DISK(a_failed_sync_ends_all_trust),
        ON_DISK(a_failed_sync_of_a_checkpoint_ends_all_trust),
        ON_DISK(a_removed_file_is_noticed),
        ON_DISK(a_removed_log_is_noticed_and_costs_nothing),
        ON_DISK(a_replaced_log_is_noticed),
        ON_DISK(an_emptied_log_is_noticed_before_it_is_written),
        ON_DISK(a_store_cut_under_a_server_is_noticed),
        ON_DISK(a_file_too_short_for_a_database_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
