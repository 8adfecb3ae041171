/* test/unit/base/check.h - what every unit test of base includes: cmocka with
 * the headers it needs, and a comparison of texts that shows both. */
#ifndef TEST_BASE_CHECK_H
#define TEST_BASE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/str.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define assert_str(s, expected) check_str((s), str_from(expected), __FILE__, __LINE__)

static inline void check_str(struct str s, struct str expected, const char *file, int line) {
    if (str_eq(s, expected)) return;
    print_error("'%.*s' is not '%.*s'\n", STR_ARG(s), STR_ARG(expected));
    _fail(file, line);
}

#endif
