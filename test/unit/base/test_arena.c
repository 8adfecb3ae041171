#include "check.h"

#include <string.h>

static void memory_is_zeroed_and_aligned(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (size_t size = 1; size < 3000; size += 37) {
        unsigned char *bytes = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(bytes[i], 0);
        memset(bytes, 0xaa, size);
    }
    arena_reset(&arena);
    const unsigned char *again = arena_alloc(&arena, 2000);
    for (size_t i = 0; i < 2000; i++) assert_int_equal(again[i], 0);
    arena_free(&arena);
}

static void pieces_do_not_overlap(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    unsigned char *pieces[500];
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        size_t size = i * 31 % 700;
        pieces[i] = arena_alloc(&arena, size);
        memset(pieces[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t j = 0; j < i * 31 % 700; j++) assert_int_equal(pieces[i][j], i & 0xff);
    arena_free(&arena);
}

static void nothing_still_has_a_place_of_its_own(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const void *a = arena_alloc(&arena, 0), *b = arena_alloc(&arena, 0);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    assert_non_null(arena_copy(&arena, NULL, 0));
    arena_free(&arena);
}

static void copy_is_the_same_bytes_elsewhere(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char from[] = "as received";
    const char *copy = arena_copy(&arena, from, sizeof from);
    assert_ptr_not_equal(copy, from);
    assert_memory_equal(copy, from, sizeof from);
    arena_free(&arena);
}

static void used_bytes_count_since_the_last_reset(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    arena_alloc(&arena, 100);
    assert_in_range(arena.used_bytes, 100, 112);
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    arena_free(&arena);
    assert_null(arena.head);
}

static void reset_keeps_one_block_for_the_next_use(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    arena_alloc(&arena, 3000);
    const void *large = arena_alloc(&arena, 200000);
    arena_reset(&arena);
    assert_non_null(arena.head);
    assert_ptr_equal(arena_alloc(&arena, 200000), large);
    arena_free(&arena);
}

static void reset_gives_a_huge_block_back(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    arena_alloc(&arena, (size_t)2 << 20);
    arena_reset(&arena);
    assert_null(arena.head);
    arena_free(&arena);
}

static void a_huge_piece_does_not_waste_the_block_in_use(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *small = arena_alloc(&arena, 16);
    arena_alloc(&arena, (size_t)1 << 21);
    assert_ptr_equal(arena_alloc(&arena, 16), small + 16);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(nothing_still_has_a_place_of_its_own),
        cmocka_unit_test(copy_is_the_same_bytes_elsewhere),
        cmocka_unit_test(used_bytes_count_since_the_last_reset),
        cmocka_unit_test(reset_keeps_one_block_for_the_next_use),
        cmocka_unit_test(reset_gives_a_huge_block_back),
        cmocka_unit_test(a_huge_piece_does_not_waste_the_block_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
