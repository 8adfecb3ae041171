/* test/unit/deliver/check.h - cmocka with the headers it needs, and short names for what these tests say often. */
#ifndef TEST_DELIVER_CHECK_H
#define TEST_DELIVER_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/when.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* A moment in 2027: every time in these tests counts from here. */
#define T0 ((int64_t)1800000000 * US_PER_S)

#define assert_us(a, b) check_us((a), (b), __FILE__, __LINE__)

static inline void check_us(int64_t a, int64_t b, const char *file, int line) {
    if (a == b) return;
    print_error("%lld us is not %lld us (off by %lld)\n", (long long)a, (long long)b, (long long)(a - b));
    _fail(file, line);
}

/* Uniform in [low, high]. */
static inline int64_t draw(struct rng *rng, int64_t low, int64_t high) {
    return low + (int64_t)rng_below(rng, (uint64_t)(high - low) + 1);
}

#endif
