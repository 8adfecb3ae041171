#include "check.h"

#include "base/map.h"

static void an_empty_map_has_nothing(void **state) {
    (void)state;
    struct map map = {0};
    assert_null(map_get(&map, STR("a")));
}

static void values_are_found_and_replaced(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct map map = {.arena = &arena};
    int one, two, three;
    map_set(&map, STR("a"), &one);
    map_set(&map, STR(""), &two);
    assert_ptr_equal(map_get(&map, STR("a")), &one);
    assert_ptr_equal(map_get(&map, STR_NONE), &two);
    assert_null(map_get(&map, STR("b")));
    map_set(&map, STR("a"), &three);
    assert_ptr_equal(map_get(&map, STR("a")), &three);
    assert_int_equal(map.count, 2);
    arena_free(&arena);
}

static void many_keys_keep_their_order(void **state) {
    (void)state;
    enum { MANY = 5000 };
    struct arena arena = ARENA_EMPTY;
    struct map map = {.arena = &arena};
    static int values[MANY];
    for (int i = 0; i < MANY; i++) map_set(&map, str_fmt(&arena, "key-%d", i * 7919 % MANY), &values[i]);
    assert_int_equal(map.count, MANY);
    for (int i = 0; i < MANY; i++) {
        struct str key = str_fmt(&arena, "key-%d", i * 7919 % MANY);
        assert_ptr_equal(map_get(&map, key), &values[i]);
        assert_true(str_eq(map.slots[i].key, key));
    }
    assert_null(map_get(&map, STR("key-5000")));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(values_are_found_and_replaced),
        cmocka_unit_test(many_keys_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
