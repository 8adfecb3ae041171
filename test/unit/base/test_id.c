#include "check.h"

#include "base/hash.h"
#include "base/id.h"
#include "base/when.h"

#include <string.h>

#define NOW_US ((int64_t)1795521600123456)

static int id_cmp(struct uuid a, struct uuid b) {
    return memcmp(a.b, b.b, sizeof a.b);
}

static uint64_t id_ms(struct uuid id) {
    uint64_t ms = 0;
    for (size_t i = 0; i < 6; i++) ms = ms << 8 | id.b[i];
    return ms;
}

static void a_v7_has_its_time_version_and_variant(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; i < 100; i++) {
        struct uuid last = {0}, id = uuid_v7(NOW_US, &rng, &last);
        assert_int_equal(id_ms(id), NOW_US / US_PER_MS);
        assert_int_equal(id.b[6] >> 4, 7);
        assert_int_equal(id.b[8] >> 6, 2);
        assert_true(uuid_eq(id, last));
    }
}

/* RFC 9562, A.6: 2022-02-22T19:22:22Z */
static void the_example_of_the_rfc(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    struct uuid example, last = {0}, made = uuid_v7((int64_t)0x017f22e279b0 * US_PER_MS, &rng, &last);
    assert_true(uuid_parse(STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &example));
    assert_int_equal(id_ms(made), id_ms(example));
}

static void ids_increase_within_a_millisecond(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 2);
    struct uuid last = {0}, before = uuid_v7(NOW_US, &rng, &last);
    for (int i = 0; i < 20000; i++) {
        struct uuid id = uuid_v7(NOW_US, &rng, &last);
        assert_true(id_cmp(before, id) < 0);
        assert_int_equal(id.b[6] >> 4, 7);
        assert_int_equal(id.b[8] >> 6, 2);
        before = id;
    }
    assert_int_equal(id_ms(before), NOW_US / US_PER_MS);
}

static void ids_increase_when_the_clock_steps_back(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 3);
    struct uuid last = {0}, first = uuid_v7(NOW_US, &rng, &last);
    struct uuid second = uuid_v7(NOW_US - US_PER_HOUR, &rng, &last);
    struct uuid third = uuid_v7(-5, &rng, &last);
    struct uuid later = uuid_v7(NOW_US + US_PER_MS, &rng, &last);
    assert_true(id_cmp(first, second) < 0 && id_cmp(second, third) < 0 && id_cmp(third, later) < 0);
    assert_int_equal(id_ms(later), NOW_US / US_PER_MS + 1);
}

static void a_counter_that_runs_over_carries_into_the_time(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 4);
    struct uuid last;
    memset(&last, 0xff, sizeof last);
    memcpy(last.b, (uint8_t[]){0, 0, 0, 0, 0, 5, 0x7f, 0xff, 0xbf}, 9);
    struct uuid before = last, id = uuid_v7(0, &rng, &last);
    assert_true(id_cmp(before, id) < 0);
    assert_int_equal(id_ms(id), 6);
    assert_int_equal(id.b[6], 0x70);
    assert_int_equal(id.b[8] >> 6, 2);
}

static void the_same_seed_gives_the_same_ids(void **state) {
    (void)state;
    struct rng a, b;
    rng_seed(&a, 6);
    rng_seed(&b, 6);
    struct uuid last_a = {0}, last_b = {0};
    assert_true(uuid_eq(uuid_v7(NOW_US, &a, &last_a), uuid_v7(NOW_US, &b, &last_b)));
}

/* The expected value is the first 16 bytes of SHA-256 over 0000000000000003 "key" 0000000000000003 "crm"
 * 0000000000000001 "0", with version and variant set. */
static void a_derived_id_depends_on_its_parts_alone(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct hasher *hasher = hasher_new();
    const struct str parts[] = {STR("key"), STR("crm"), STR("0")};
    struct uuid id = uuid_derive(hasher, parts, 3);
    assert_str(uuid_str(&arena, id), "93613541-df6a-8e4c-9802-0845b950bc0c");
    assert_true(uuid_eq(id, uuid_derive(hasher, parts, 3)));
    const struct str moved[] = {STR("keyc"), STR("rm"), STR("0")};
    assert_false(uuid_eq(id, uuid_derive(hasher, moved, 3)));
    const struct str fewer[] = {STR("key"), STR("crm0")};
    assert_false(uuid_eq(id, uuid_derive(hasher, fewer, 2)));
    hasher_free(hasher);
    arena_free(&arena);
}

static void a_dated_id_ends_as_the_derived_one(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct uuid key, id, other;
    assert_true(uuid_parse(STR("93613541-df6a-8e4c-9802-0845b950bc0c"), &key));
    id = uuid_dated(key, (int64_t)0x0193a0b1c2d3 * US_PER_MS + 999);
    assert_str(uuid_str(&arena, id), "0193a0b1-c2d3-7e4c-9802-0845b950bc0c");
    assert_str(uuid_str(&arena, uuid_dated(key, -1)), "00000000-0000-7e4c-9802-0845b950bc0c");
    assert_true(uuid_is_of(id, key));
    assert_true(uuid_is_of(key, key));
    for (size_t i = 6; i < sizeof id.b; i++) {
        other = id;
        other.b[i] ^= 1;
        assert_false(uuid_is_of(other, key));
    }
    other = key;
    other.b[0] ^= 1; /* no time: its version is that of a key */
    assert_false(uuid_is_of(other, key));
    arena_free(&arena);
}

static void texts_both_ways(void **state) {
    (void)state;
    struct uuid id, again;
    char text[UUID_TEXT_LENGTH + 1];
    assert_true(uuid_parse(STR("0193A0b1-c2d3-7e4f-8a5b-6c7d8e9fA0b1"), &id));
    uuid_format(id, text);
    assert_string_equal(text, "0193a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b1");
    assert_true(uuid_parse(str_from(text), &again));
    assert_true(uuid_eq(id, again));
    assert_false(uuid_is_zero(id));
    assert_true(uuid_parse(STR("00000000-0000-0000-0000-000000000000"), &again));
    assert_true(uuid_is_zero(again));
}

static void other_texts_are_refused(void **state) {
    (void)state;
    const char *bad[] = {
        "",
        "0193a0b1c2d37e4f8a5b6c7d8e9fa0b1",
        "0193a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b",
        "0193a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b11",
        "{0193a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b1}",
        "0193a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0g1",
        "0193a0b1-c2d37-e4f-8a5b-6c7d8e9fa0b1",
        "0193a0b1_c2d3_7e4f_8a5b_6c7d8e9fa0b1",
        " 193a0b1-c2d3-7e4f-8a5b-6c7d8e9fa0b1",
    };
    struct uuid id = {{42}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(uuid_parse(str_from(bad[i]), &id));
    assert_int_equal(id.b[0], 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_v7_has_its_time_version_and_variant),
        cmocka_unit_test(the_example_of_the_rfc),
        cmocka_unit_test(ids_increase_within_a_millisecond),
        cmocka_unit_test(ids_increase_when_the_clock_steps_back),
        cmocka_unit_test(a_counter_that_runs_over_carries_into_the_time),
        cmocka_unit_test(the_same_seed_gives_the_same_ids),
        cmocka_unit_test(a_derived_id_depends_on_its_parts_alone),
        cmocka_unit_test(a_dated_id_ends_as_the_derived_one),
        cmocka_unit_test(texts_both_ways),
        cmocka_unit_test(other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
