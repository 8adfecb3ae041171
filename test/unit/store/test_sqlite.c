/* Who may open a file, and what housekeeping writes. */
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

/* ---- one process at a time ---- */

static void a_second_server_is_refused_by_name(void **state) {
    struct disk *disk = *state;
    char pid[32];
    OK(open_store(disk));
    struct disk second = {.folder = {0}};
    memcpy(second.path, disk->path, sizeof second.path);
    assert_int_equal(open_store(&second), ERR_STORE_LOCKED);
    snprintf(pid, sizeof pid, "process %d", getpid());
    assert_true(says(&second, pid));
    assert_true(says(&second, disk->path));
    OK(append_in_turn(disk, 1, 400));
    close_store(disk);
    OK(open_store(&second));
    assert_int_equal(events_in(&second), 1);
    close_store(&second);
    arena_free(&second.arena);
}

/* Somebody with another program: SQLite's own lock holds him off too. */
static void a_file_held_without_our_lock_is_refused(void **state) {
    struct disk *disk = *state;
    char lock[96];
    OK(open_store(disk));
    snprintf(lock, sizeof lock, "%s.lock", disk->path);
    unlink(lock);
    pid_t pid = fork();
    if (pid == 0) {
        struct disk other = {.folder = {0}};
        memcpy(other.path, disk->path, sizeof other.path);
        _exit(open_store(&other) == ERR_STORE_LOCKED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(append_in_turn(disk, 1, 400), ERR_STORE_FAILED); /* another server would find no lock */
    assert_true(strstr(store_trouble(disk->store), "(.lock) was removed"));
    close_store(disk);
}

static void a_killed_server_leaves_no_lock(void **state) {
    struct disk *disk = *state;
    die_after(disk, 3);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 3);
    assert_int_equal(bytes_of(disk, "-wal"), 0);
    close_store(disk);
}

/* ---- reading beside nobody ---- */

static void a_reader_sees_what_a_killed_server_left_and_changes_nothing(void **state) {
    struct disk *disk = *state;
    die_after(disk, 3);
    struct str file = read_whole(disk, ""), log = read_whole(disk, "-wal"), lock = read_whole(disk, ".lock");
    assert_true(log.n > 0);
    OK(open_as(disk, true, 0));
    assert_int_equal(events_in(disk), 3);
    OK(store_begin(disk->store));
    assert_int_equal(events_in(disk), 3);
    OK(store_commit(disk->store));
    assert_int_equal(append_in_turn(disk, 9, 10), ERR_STORE_BUSY);
    close_store(disk);
    assert_true(str_eq(read_whole(disk, ""), file));
    assert_true(str_eq(read_whole(disk, "-wal"), log));
    assert_true(str_eq(read_whole(disk, ".lock"), lock));
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 3);
    close_store(disk);
}

static void a_reader_of_a_closed_store_needs_no_log(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 1, 400));
    close_store(disk);
    struct str file = read_whole(disk, "");
    OK(open_as(disk, true, 0));
    assert_int_equal(events_in(disk), 1);
    close_store(disk);
    assert_true(str_eq(read_whole(disk, ""), file));
}

static void a_reader_is_refused_while_a_server_runs(void **state) {
    struct disk *disk = *state;
    int ready[2];
    char word, pid_text[32];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool opened = !open_store(disk) && !append_in_turn(disk, 1, 400);
        ssize_t written = write(ready[1], opened ? "y" : "n", 1);
        (void)written;
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &word, 1), 1);
    assert_int_equal(word, 'y');
    enum err err = open_as(disk, true, 0);
    snprintf(pid_text, sizeof pid_text, "process %d", pid);
    assert_int_equal(err, ERR_STORE_LOCKED);
    assert_true(says(disk, pid_text));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
}

static void a_reader_finds_no_file(void **state) {
    struct disk *disk = *state;
    assert_int_equal(open_as(disk, true, 0), ERR_IO);
    assert_true(says(disk, "No such file"));
    assert_int_equal(bytes_of(disk, ""), -1);
}

/* ---- whose file ---- */

static void a_new_store_is_made_and_marked(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    assert_int_equal(number_of(disk, "PRAGMA application_id"), STORE_APPLICATION_ID);
    assert_int_equal(number_of(disk, "PRAGMA user_version"), SCHEMA_SQLITE_STEPS);
    assert_int_equal(number_of(disk, "SELECT count(*) FROM schema_steps WHERE taken_at = 1764000000000000"),
                     SCHEMA_SQLITE_STEPS);
    assert_int_equal(number_of(disk, "PRAGMA synchronous"), 2);
    assert_int_equal(number_of(disk, "PRAGMA page_size"), 4096);
    close_store(disk);
    OK(open_store(disk));
    assert_int_equal(number_of(disk, "SELECT count(*) FROM schema_steps"), SCHEMA_SQLITE_STEPS);
    close_store(disk);
}

static void a_newer_store_is_left_alone(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    number_of(disk, "PRAGMA user_version = 99; SELECT 1;");
    close_store(disk);
    assert_int_equal(open_store(disk), ERR_STORE_NEWER);
    assert_true(says(disk, "99"));
}

static void a_file_of_another_kind_is_left_alone(void **state) {
    struct disk *disk = *state;
    char text[9000];
    memset(text, 'x', sizeof text);
    write_whole(disk->path, (struct str){text, sizeof text});
    assert_int_equal(open_store(disk), ERR_STORE_FOREIGN);
    assert_true(says(disk, disk->path));
    assert_int_equal(bytes_of(disk, ""), sizeof text);
    assert_int_equal(open_as(disk, true, 0), ERR_STORE_FOREIGN);
}

static void a_database_of_another_program_is_left_alone(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    number_of(disk, "PRAGMA application_id = 7; SELECT 1;");
    close_store(disk);
    struct str file = read_whole(disk, "");
    assert_int_equal(open_store(disk), ERR_STORE_FOREIGN);
    assert_true(str_eq(read_whole(disk, ""), file));
}

static void a_folder_that_is_missing_is_named(void **state) {
    struct disk *disk = *state;
    snprintf(disk->path, sizeof disk->path, "%s/none/s.db", disk->folder);
    assert_int_equal(open_store(disk), ERR_IO);
    assert_true(says(disk, "No such file"));
    assert_true(says(disk, disk->path));
}

/* ---- housekeeping ---- */

static void an_idle_store_empties_its_log_once(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    OK(store_tidy(disk->store, false));
    assert_true(bytes_of(disk, "-wal") > 0);
    OK(store_tidy(disk->store, true));
    assert_int_equal(bytes_of(disk, "-wal"), 0);
    syncs_fail = true; /* whoever writes now is found out */
    for (int i = 0; i < 3; i++) OK(store_tidy(disk->store, true));
    OK(store_begin(disk->store));
    OK(store_commit(disk->store));
    OK(store_tidy(disk->store, true));
    syncs_fail = false;
    close_store(disk);
}

static void a_busy_log_stays_within_its_bound(void **state) {
    struct disk *disk = *state;
    const int64_t bound = 64 * 4096;
    OK(open_as(disk, false, bound));
    int64_t largest = 0;
    for (int i = 0; i < 100; i++) {
        OK(append_in_turn(disk, i, 8000));
        OK(store_tidy(disk->store, false));
        int64_t bytes = bytes_of(disk, "-wal");
        if (bytes > largest) largest = bytes;
    }
    assert_in_range(largest, bound, bound * 2);
    assert_int_equal(events_in(disk), 100);
    close_store(disk);
}

static void it_needs_no_shared_memory(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    OK(append_in_turn(disk, 0, 400));
    assert_int_equal(bytes_of(disk, "-shm"), -1);
    close_store(disk);
}

/* As in the simulator: files that know neither shared memory nor our lock. */
static void a_named_vfs_needs_neither_lock_nor_shared_memory(void **state) {
    struct disk *disk = *state;
    const struct sqlite_options options = {.path = str_from(disk->path), .vfs = "unix-dotfile"};
    OK(sqlite_open(&options, &disk->arena, &disk->driver, &disk->problem));
    OK(store_open(&disk->driver, T0, &disk->arena, &disk->store, &disk->problem));
    OK(append_in_turn(disk, 0, 400));
    OK(store_tidy(disk->store, true));
    assert_int_equal(bytes_of(disk, "-shm"), -1);
    close_store(disk);
    assert_int_equal(bytes_of(disk, ".lock"), -1);
    OK(open_store(disk));
    assert_int_equal(events_in(disk), 1);
    close_store(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        ON_DISK(a_second_server_is_refused_by_name),
        ON_DISK(a_file_held_without_our_lock_is_refused),
        ON_DISK(a_killed_server_leaves_no_lock),
        ON_DISK(a_reader_sees_what_a_killed_server_left_and_changes_nothing),
        ON_DISK(a_reader_of_a_closed_store_needs_no_log),
        ON_DISK(a_reader_is_refused_while_a_server_runs),
        ON_DISK(a_reader_finds_no_file),
        ON_DISK(a_new_store_is_made_and_marked),
        ON_DISK(a_newer_store_is_left_alone),
        ON_DISK(a_file_of_another_kind_is_left_alone),
        ON_DISK(a_database_of_another_program_is_left_alone),
        ON_DISK(a_folder_that_is_missing_is_named),
        ON_DISK(an_idle_store_empties_its_log_once),
        ON_DISK(a_busy_log_stays_within_its_bound),
        ON_DISK(it_needs_no_shared_memory),
        ON_DISK(a_named_vfs_needs_neither_lock_nor_shared_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
