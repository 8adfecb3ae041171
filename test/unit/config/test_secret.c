/* The real lookup, in a folder of its own. /run/secrets is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include "config/secret.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct house {
    struct arena arena;
    char folder[PATH_MAX];
    struct secret_source source;
};

static void write_file(struct house *house, const char *name, mode_t mode, struct str text) {
    struct str path = str_fmt(&house->arena, "%s/%s", house->folder, name);
    int fd = open(path.p, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.p, text.n), text.n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void make_folder(struct house *house, const char *name) {
    assert_int_equal(mkdir(str_fmt(&house->arena, "%s/%s", house->folder, name).p, 0700), 0);
}

static int setup(void **state) {
    struct house *house = calloc(1, sizeof *house);
    const char *temporary = getenv("TMPDIR");
    snprintf(house->folder, sizeof house->folder, "%s/secret-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(house->folder));
    make_folder(house, "secrets");
    make_folder(house, "credentials");
    setenv("CREDENTIALS_DIRECTORY", str_fmt(&house->arena, "%s/credentials", house->folder).p, 1);
    unsetenv("DB_TEST_SECRET");
    house->source = secret_source_real(&house->arena, str_from(house->folder));
    *state = house;
    return 0;
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)stat, (void)kind, (void)walk;
    return remove(path);
}

static int teardown(void **state) {
    struct house *house = *state;
    nftw(house->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    arena_free(&house->arena);
    free(house);
    return 0;
}

/* What was found, or NULL; *ret_note ends in NUL. */
static const char *look_up(struct house *house, const char **ret_note) {
    struct str value = STR_NONE, note = STR("");
    bool found = house->source.lookup(house->source.self, STR("DB_TEST_SECRET"), &house->arena, &value, &note);
    *ret_note = str_dup(&house->arena, note).p;
    return found ? str_dup(&house->arena, value).p : NULL;
}

static void test_the_places_in_their_order(void **state) {
    struct house *house = *state;
    const char *note;
    setenv("DB_TEST_SECRET", "from-environment", 1);
    assert_string_equal(look_up(house, &note), "from-environment");
    assert_string_equal(note, "from the environment");
    write_file(house, "secrets/DB_TEST_SECRET", 0600, STR("from-folder\n"));
    assert_string_equal(look_up(house, &note), "from-folder");
    assert_string_equal(note, "");
    write_file(house, "credentials/drumbeat_DB_TEST_SECRET", 0444, STR("from-a-folder-of-credentials"));
    assert_string_equal(look_up(house, &note), "from-a-folder-of-credentials");
    write_file(house, "credentials/DB_TEST_SECRET", 0444, STR("from-credentials"));
    assert_string_equal(look_up(house, &note), "from-credentials");
    assert_string_equal(note, "");
}

static void test_one_that_is_nowhere_says_where_was_looked(void **state) {
    struct house *house = *state;
    const char *note;
    assert_null(look_up(house, &note));
    assert_non_null(strstr(note, "/credentials/"));
    assert_non_null(strstr(note, "/run/secrets/"));
    assert_non_null(strstr(note, "/secrets/, and the environment"));
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_null(look_up(house, &note));
    assert_null(strstr(note, "/credentials/"));
}

static void test_a_file_open_to_others_is_refused(void **state) {
    struct house *house = *state;
    static const mode_t modes[] = {0640, 0604, 0660, 0644};
    setenv("DB_TEST_SECRET", "from-environment", 1);
    for (size_t i = 0; i < COUNT(modes); i++) {
        const char *note;
        write_file(house, "secrets/DB_TEST_SECRET", modes[i], STR("open"));
        assert_null(look_up(house, &note)); /* and the environment does not step in */
        assert_non_null(strstr(note, "may be read by others"));
    }
}

static void test_one_line_end_is_cut_off(void **state) {
    struct house *house = *state;
    static const struct {
        const char *file, *value;
    } cases[] = {{"a\n", "a"}, {"a\r\n", "a"}, {"a\n\n", "a\n"}, {" a ", " a "}, {"a\nb", "a\nb"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *note;
        write_file(house, "secrets/DB_TEST_SECRET", 0600, str_from(cases[i].file));
        assert_string_equal(look_up(house, &note), cases[i].value);
    }
}

static void test_nothing_is_no_secret(void **state) {
    struct house *house = *state;
    const char *note;
    setenv("DB_TEST_SECRET", "", 1);
    assert_null(look_up(house, &note));
    assert_non_null(strstr(note, "empty"));
    write_file(house, "secrets/DB_TEST_SECRET", 0600, STR("\n"));
    assert_null(look_up(house, &note));
    assert_non_null(strstr(note, "is empty"));
}

static void test_the_size_is_bounded(void **state) {
    struct house *house = *state;
    const char *note;
    char *large = calloc(1, 65537);
    memset(large, 'x', 65537);
    write_file(house, "secrets/DB_TEST_SECRET", 0600, (struct str){large, 65536});
    assert_int_equal(strlen(look_up(house, &note)), 65536);
    write_file(house, "secrets/DB_TEST_SECRET", 0600, (struct str){large, 65537});
    assert_null(look_up(house, &note));
    assert_non_null(strstr(note, "larger than 64 KiB"));
    free(large);
}

static void test_links_and_folders_are_refused(void **state) {
    struct house *house = *state;
    const char *note;
    struct str path = str_fmt(&house->arena, "%s/secrets/DB_TEST_SECRET", house->folder);
    write_file(house, "secret", 0600, STR("elsewhere"));
    assert_int_equal(symlink("../secret", path.p), 0);
    assert_null(look_up(house, &note));
    assert_non_null(strstr(note, "cannot be opened"));
    assert_int_equal(unlink(path.p), 0);
    make_folder(house, "secrets/DB_TEST_SECRET");
    assert_null(look_up(house, &note));
    assert_non_null(strstr(note, "no regular file"));
}

/* Mounted credentials are links to where they lie. */
static void test_a_link_among_credentials_is_followed(void **state) {
    struct house *house = *state;
    const char *note;
    write_file(house, "secret", 0444, STR("elsewhere"));
    assert_int_equal(symlink("../secret", str_fmt(&house->arena, "%s/credentials/DB_TEST_SECRET", house->folder).p), 0);
    assert_string_equal(look_up(house, &note), "elsewhere");
}

static void the_machines_list_of_zones_is_asked(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct secret_source source = secret_source_real(&arena, STR("."));
    assert_true(source.zone_known(source.self, STR("UTC")));
    assert_true(source.zone_known(source.self, STR("Europe/Berlin")));
    if (!access("/usr/share/zoneinfo/UTC", R_OK)) {
        assert_false(source.zone_known(source.self, STR("Europe/Berln")));
        assert_false(source.zone_known(source.self, STR("Europe")));
        assert_false(source.zone_known(source.self, STR("tzdata.zi")));
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machines_list_of_zones_is_asked),
        cmocka_unit_test_setup_teardown(test_the_places_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_nowhere_says_where_was_looked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_open_to_others_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_line_end_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_no_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_size_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_and_folders_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_link_among_credentials_is_followed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
