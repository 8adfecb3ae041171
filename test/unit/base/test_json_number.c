#include "check.h"

#include "base/json.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static struct str number_text(struct arena *arena, double value) {
    struct buf buf = {.arena = arena};
    json_write_number(&buf, value);
    return buf_str(&buf);
}

/* RFC 8785, appendix B, all that is a number. */
static void the_vectors_of_rfc_8785(void **state) {
    (void)state;
    static const struct {
        uint64_t bits;
        const char *text;
    } vectors[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        assert_str(number_text(&arena, double_of(vectors[i].bits)), vectors[i].text);
    arena_free(&arena);
}

static void numbers_that_people_write(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {1234567890123, "1234567890123"},
        {49.99, "49.99"},
        {-0.5, "-0.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {100.25, "100.25"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {1e-5, "0.00001"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {1.25e-7, "1.25e-7"},
        {123456.789e3, "123456789"},
        {9007199254740994, "9007199254740994"},
        {12345678901234567890.0, "12345678901234567000"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_str(number_text(&arena, cases[i].value), cases[i].text);
    arena_free(&arena);
}

/* Doubles just below a power of two lie closer together than those above it, which is where a printed form that is
 * merely the nearest of its length would be too long. Computed with David Gay's algorithm. */
static void powers_of_two_are_shortest_too(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0x1p-1022, "2.2250738585072014e-308"},
        {0x1p-44, "5.684341886080802e-14"},
        {0x1p89, "6.189700196426902e+26"},
        {0x1p-24, "5.960464477539063e-8"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_str(number_text(&arena, cases[i].value), cases[i].text);
    arena_free(&arena);
}

static void every_text_reads_back_as_the_same_double(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct rng rng;
    rng_seed(&rng, 8785);
    for (int i = 0; i < 20000; i++) {
        double value = double_of(rng_u64(&rng)), again = 0;
        if (!isfinite(value)) continue;
        struct str text = number_text(&arena, value);
        assert_true(str_to_double(text, &again));
        assert_true(again == value);
        assert_true(text.n <= 25);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_8785),
        cmocka_unit_test(numbers_that_people_write),
        cmocka_unit_test(powers_of_two_are_shortest_too),
        cmocka_unit_test(every_text_reads_back_as_the_same_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
