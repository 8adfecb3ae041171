#include "check.h"

#include <string.h>

#include "base/arena.h"
#include "base/seal.h"

static struct arena arena;

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static const struct str key = {"0123456789abcdef0123456789abcdef", SEAL_KEY_BYTES};
static const struct str other_key = {"0123456789abcdef0123456789abcdeF", SEAL_KEY_BYTES};

static void what_is_sealed_can_be_opened(void **state) {
    (void)state;
    const struct str texts[] = {STR(""), STR("x"), STR("a refresh token"), {"\0\xff\0", 3}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct str opened, sealed = seal_text(key, STR("tokens/x"), texts[i], &arena);
        assert_true(seal_open(key, STR("tokens/x"), sealed, &arena, &opened));
        assert_true(str_eq(opened, texts[i]));
        assert_true(str_eq(sealed, seal_text(key, STR("tokens/x"), texts[i], &arena)));
        assert_null(memmem(sealed.p, sealed.n, "refresh", 7));
    }
}

static void only_with_the_key_and_at_the_place(void **state) {
    (void)state;
    struct str opened, sealed = seal_text(key, STR("tokens/x"), STR("a refresh token"), &arena);
    assert_false(seal_open(other_key, STR("tokens/x"), sealed, &arena, &opened));
    assert_false(seal_open(key, STR("tokens/y"), sealed, &arena, &opened));
    assert_false(seal_open(STR("short"), STR("tokens/x"), sealed, &arena, &opened));
    assert_false(str_eq(sealed, seal_text(key, STR("tokens/y"), STR("a refresh token"), &arena)));
}

static void every_change_is_noticed(void **state) {
    (void)state;
    struct str opened, sealed = seal_text(key, STR("tokens/x"), STR("a refresh token"), &arena);
    for (size_t i = 0; i < sealed.n; i++) {
        char *changed = arena_alloc(&arena, sealed.n);
        memcpy(changed, sealed.p, sealed.n);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(seal_open(key, STR("tokens/x"), (struct str){changed, sealed.n}, &arena, &opened));
        assert_false(seal_open(key, STR("tokens/x"), str_sub(sealed, 0, i), &arena, &opened));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_can_be_opened),
        cmocka_unit_test(only_with_the_key_and_at_the_place),
        cmocka_unit_test(every_change_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
