/* The process's descriptors: raised, and shared out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <sys/resource.h>

#include "os/descriptor.h"

static void raises_the_soft_limit(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int64_t raised = descriptors_raise();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
    assert_true(raised > 100);
}

static void leaves_room_for_the_door(void **state) {
    (void)state;
    static const int64_t limits[] = {1, 130, 256, 1024, 4096, 1 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct descriptor_shares shares = descriptors_share(limits[i], 1024, 1024);
        assert_true(shares.connections >= 1 && shares.connections <= 1024);
        assert_true(shares.sends >= 1 && shares.sends <= 1024);
        if (limits[i] < 200) continue;
        assert_true(shares.connections + (int64_t)shares.sends * 2 + 64 <= limits[i]);
    }
    struct descriptor_shares all = descriptors_share(1 << 20, 1000, 500);
    assert_int_equal(all.connections, 1000);
    assert_int_equal(all.sends, 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raises_the_soft_limit),
        cmocka_unit_test(leaves_room_for_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
