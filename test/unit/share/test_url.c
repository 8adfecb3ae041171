/* test_url.c - which urls lead to a Redis, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "share/share.h"
#include "share/url.h"

#include <string.h>

#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))

static void assert_text(struct str text, const char *wanted) {
    if (!str_eq(text, str_from(wanted))) fail_msg("'%.*s' is not '%s'", STR_ARG(text), wanted ? wanted : "");
}

static void test_urls_are_read(void **state) {
    (void)state;
    static const struct {
        const char *url, *host;
        uint16_t port;
        const char *path, *user, *password;
        int database;
    } cases[] = {
        {"redis://localhost", "localhost", 6379, "", "", NULL, 0},
        {"redis://localhost/", "localhost", 6379, "", "", NULL, 0},
        {"REDIS://r.example.com:7000/3", "r.example.com", 7000, "", "", NULL, 3},
        {"redis://:secret@10.0.0.1:1", "10.0.0.1", 1, "", "", "secret", 0},
        {"redis://ana:p%40ss%2Fw%3Aord%00@h:65535/15", "h", 65535, "", "ana", "p@ss/w:ord\0", 15},
        {"redis://ana:a@b:c@h", "h", 6379, "", "ana", "a@b:c", 0},
        {"redis://:@h", "h", 6379, "", "", "", 0},
        {"redis://[::1]:6380/1", "::1", 6380, "", "", NULL, 1},
        {"redis://[fe80::1]", "fe80::1", 6379, "", "", NULL, 0},
        {"unix:///run/redis/redis.sock", "", 0, "/run/redis/redis.sock", "", NULL, 0},
        {"unix://:secret@/tmp/a%20b%3f", "", 0, "/tmp/a b?", "", "secret", 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        struct redis_url url = {0};
        struct str problem = STR_NONE;
        if (redis_url_parse(str_from(cases[i].url), &arena, &url, &problem))
            fail_msg("%s: %.*s", cases[i].url, STR_ARG(problem));
        assert_text(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_text(url.path, cases[i].path);
        assert_text(url.user, cases[i].user);
        assert_int_equal(url.password.p != NULL, cases[i].password != NULL);
        if (cases[i].password) assert_int_equal(strncmp(url.password.p, cases[i].password, url.password.n), 0);
        assert_int_equal(url.database, cases[i].database);
        arena_free(&arena);
    }
}

static void test_other_urls_are_refused_in_words(void **state) {
    (void)state;
    static const struct {
        const char *url, *words;
    } cases[] = {
        {"", "redis:// or unix://"},
        {"localhost:6379", "redis:// or unix://"},
        {"http://localhost", "redis:// or unix://"},
        {"redis:/localhost", "redis:// or unix://"},
        {"rediss://:hunter2@localhost", "TLS"},
        {"redis://", "names no host"},
        {"redis:///0", "names no host"},
        {"redis://:6379", "names no host"},
        {"redis://:hunter2@", "names no host"},
        {"redis://a b", "names no host"},
        {"redis://a%20b", "names no host"},
        {"redis://h?x=hunter2", "names no host"},
        {"redis://[::1", "without ']'"},
        {"redis://[]", "names no host"},
        {"redis://[::1]6379", "the port"},
        {"redis://h:", "the port"},
        {"redis://h:0", "the port"},
        {"redis://h:65536", "the port"},
        {"redis://h:port", "the port"},
        {"redis://h:-1", "the port"},
        {"redis://h/x", "the number of the database"},
        {"redis://h/-1", "the number of the database"},
        {"redis://h/0?db=hunter2", "the number of the database"},
        {"redis://h/99999999999", "the number of the database"},
        {"redis://hunter2@h", ":password"},
        {"redis://:hunter2%@h", "two hexadecimal digits"},
        {"redis://:%zzhunter2@h", "two hexadecimal digits"},
        {"unix://", "names no socket"},
        {"unix:///", "names no socket"},
        {"unix://relative/path", "names no socket"},
        {"unix:///a%00b", "names no socket"},
        {"unix:///a?db=1", "may follow the path"},
        {"unix:///a%", "two hexadecimal digits"},
        {"unix:///0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567",
         "107 bytes"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        const struct share_options options = {.url = str_from(cases[i].url)};
        struct share *share = NULL;
        struct str problem = STR_NONE;
        if (share_open(&options, &arena, &share, &problem) != ERR_CONFIG) fail_msg("%s", cases[i].url);
        assert_null(share);
        assert_non_null(problem.p);
        if (!strstr(problem.p, cases[i].words)) fail_msg("%s: %s", cases[i].url, problem.p);
        assert_null(strstr(problem.p, "hunter2"));
        arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_are_read),
        cmocka_unit_test(test_other_urls_are_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
