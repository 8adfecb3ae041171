/* Where a store is: the place outlives the configuration that named it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "server/place.h"

#define SAME(text, expected)                                                                                           \
    do {                                                                                                               \
        struct str text_ = (text);                                                                                     \
        assert_int_equal(text_.n, strlen(expected));                                                                   \
        assert_memory_equal(text_.p, (expected), text_.n);                                                             \
    } while (0)

/* As the arena of a configuration that is no longer in force: given back and used for something else. */
static void a_place_keeps_its_texts_when_the_configuration_is_gone(void **state) {
    (void)state;
    char store[] = "./data/a.db", listen[] = "postgres://a/listen", read[] = "postgres://a/read";
    struct arena arena = ARENA_EMPTY;
    struct settings settings = {.store = str_from(store)};
    settings.postgres = (struct postgres_settings){.listen_dsn = str_from(listen), .read_dsn = str_from(read)};
    unsetenv("DB_DSN");
    struct place place = place_of(&settings, STR("./drumbeat.yaml"), &arena);
    struct str name = place_name(&place, &arena);
    memset(store, 'x', sizeof store);
    memset(listen, 'x', sizeof listen);
    memset(read, 'x', sizeof read);
    SAME(place.store, "./data/a.db");
    SAME(name, "./data/a.db");
    SAME(place.socket, "./data/a.db.sock");
    SAME(place.listen_dsn, "postgres://a/listen");
    SAME(place.read_dsn, "postgres://a/read");
    arena_free(&arena);
}

static void a_place_keeps_the_path_it_was_given(void **state) {
    (void)state;
    char path[] = "./b.db";
    struct arena arena = ARENA_EMPTY;
    struct place place = place_at(str_from(path), &arena);
    memset(path, 'x', sizeof path);
    SAME(place.store, "./b.db");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_keeps_its_texts_when_the_configuration_is_gone),
        cmocka_unit_test(a_place_keeps_the_path_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
