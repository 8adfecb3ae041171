/* fuzz/fuzz_fields.c - any bytes as the headers of an answer: what a provider
 * may ask for stays within a day, and reading ends. */
#include "base/when.h"
#include "connect/fields.h"
#include "connect/structured.h"

#include <assert.h>

#define HEADERS_MAX 16
#define NOW_US      (1795521600 * US_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reset(struct str value) {
    int64_t at_us;
    for (enum reset_unit unit = 0; unit < RESET_COUNT; unit++)
        if (field_reset(value, unit, (struct field_clock){NOW_US, 0}, &at_us)) assert(at_us >= 0);
}

static void check_members(struct str value) {
    struct sf_member member;
    for (size_t before = value.n; sf_next(&value, &member); before = value.n) {
        assert(value.n < before);
        assert(member.param_count <= SF_PARAMS_MAX);
    }
}

static void check_bounds(bool found, int64_t at_us) {
    assert(!found || (at_us >= NOW_US + US_PER_S && at_us <= NOW_US + US_PER_DAY));
}

/* Lines `name: value`. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct header headers[HEADERS_MAX];
    struct answer answer = {.headers = headers};
    struct str rest = {(const char *)data, size}, line;
    while (answer.header_count < HEADERS_MAX && str_next(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        struct str value = colon == SIZE_MAX ? line : str_sub(line, colon + 1, line.n);
        headers[answer.header_count++] = (struct header){str_sub(line, 0, colon), value};
        check_reset(value);
        check_members(value);
    }
    int64_t at_us = 0;
    bool found = field_retry_after(&answer, NOW_US, &at_us);
    check_bounds(found, at_us);
    found = field_quiet_until(&answer, NOW_US, &at_us);
    check_bounds(found, at_us);
    return 0;
}
