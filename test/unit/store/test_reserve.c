/* The room that is kept on the disk: held, given up, and made again. */
#include "files.h"

#include "store/reserve.h"

static int64_t allocated(struct disk *disk) {
    char path[96];
    struct stat info;
    snprintf(path, sizeof path, "%s.reserve", disk->path);
    return stat(path, &info) ? -1 : (int64_t)info.st_blocks * 512;
}

static struct reserve opened(struct disk *disk) {
    struct reserve reserve;
    reserve_open(&reserve, str_from(disk->path), &disk->arena);
    return reserve;
}

static void it_holds_blocks_and_gives_them_up(void **state) {
    struct disk *disk = *state;
    write_whole(disk->path, STR("x"));
    struct reserve reserve = opened(disk);
    assert_false(reserve.held);
    assert_false(reserve.tight);
    reserve_restore(&reserve);
    assert_true(reserve.held);
    assert_true(allocated(disk) >= RESERVE_BYTES);
    reserve_give_up(&reserve);
    assert_true(reserve.tight);
    assert_int_equal(allocated(disk), 0);
    reserve_restore(&reserve);
    assert_true(reserve.held);
    assert_false(reserve.tight);
    assert_true(allocated(disk) >= RESERVE_BYTES);
}

/* The room that was given up is not for new events, whoever starts on it. */
static void a_restart_finds_it_as_it_was_left(void **state) {
    struct disk *disk = *state;
    write_whole(disk->path, STR("x"));
    struct reserve first = opened(disk);
    reserve_restore(&first);
    struct reserve second = opened(disk);
    assert_true(second.held);
    assert_false(second.tight);
    reserve_give_up(&second);
    struct reserve third = opened(disk);
    assert_false(third.held);
    assert_true(third.tight);
}

static void a_store_that_is_not_on_a_disk_of_ours_has_none(void **state) {
    (void)state;
    struct reserve none = {0};
    reserve_restore(&none);
    reserve_give_up(&none);
    assert_false(none.held);
    assert_false(none.tight);
}

static void an_open_store_has_one(void **state) {
    struct disk *disk = *state;
    OK(open_store(disk));
    assert_true(allocated(disk) >= RESERVE_BYTES);
    assert_false(store_is_tight(disk->store));
    close_store(disk);
    assert_true(allocated(disk) >= RESERVE_BYTES);
}

static void who_only_reads_makes_none(void **state) {
    struct disk *disk = *state;
    char path[96];
    OK(open_store(disk));
    close_store(disk);
    snprintf(path, sizeof path, "%s.reserve", disk->path);
    assert_int_equal(unlink(path), 0);
    OK(open_as(disk, true, 0));
    close_store(disk);
    assert_int_equal(allocated(disk), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        ON_DISK(it_holds_blocks_and_gives_them_up),
        ON_DISK(a_restart_finds_it_as_it_was_left),
        ON_DISK(a_store_that_is_not_on_a_disk_of_ours_has_none),
        ON_DISK(an_open_store_has_one),
        ON_DISK(who_only_reads_makes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
