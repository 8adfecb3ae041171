#include "check.h"

#include "base/rng.h"

/* From the authors' xoshiro256starstar.c, with state 1, 2, 3, 4. */
static void it_is_xoshiro256_starstar(void **state) {
    (void)state;
    struct rng rng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < COUNT_OF(expected); i++) assert_true(rng_u64(&rng) == expected[i]);
}

/* From the authors' splitmix64.c, with state 0. */
static void the_seed_is_spread_by_splitmix64(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 0);
    assert_true(rng.s[0] == 0xe220a8397b1dcdafU);
    assert_true(rng.s[1] == 0x6e789e6aa1b965f4U);
    assert_true(rng.s[2] == 0x06c45d188009454fU);
    assert_true(rng.s[3] == 0xf88bb8a8724c81ecU);
}

static void the_same_seed_gives_the_same_numbers(void **state) {
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 41);
    rng_seed(&b, 41);
    rng_seed(&c, 42);
    assert_true(rng_u64(&a) == rng_u64(&b));
    assert_true(rng_u64(&a) != rng_u64(&c));
}

static void below_stays_below_and_reaches_all(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    int seen[6] = {0};
    for (int i = 0; i < 6000; i++) {
        uint64_t drawn = rng_below(&rng, 6);
        assert_in_range(drawn, 0, 5);
        seen[drawn]++;
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++) assert_in_range(seen[i], 800, 1200);
    assert_int_equal(rng_below(&rng, 0), 0);
    assert_int_equal(rng_below(&rng, 1), 0);
    for (int i = 0; i < 100; i++) assert_true(rng_below(&rng, (1UL << 63) + 1) <= 1UL << 63);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_xoshiro256_starstar),
        cmocka_unit_test(the_seed_is_spread_by_splitmix64),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(below_stays_below_and_reaches_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
