/* The unix socket: who may use it, what it replaces, and a call through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "house.h"
#include "http/client.h"
#include "http/socket.h"

struct place {
    char folder[64], path[96];
};

static int make_place(void **state) {
    struct place *place = calloc(1, sizeof *place);
    const char *temporary = getenv("TMPDIR");
    snprintf(place->folder, sizeof place->folder, "%.40s/socketXXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof place->path, "%s/server.sock", place->folder);
    *state = place;
    return 0;
}

static int remove_place(void **state) {
    struct place *place = *state;
    unlink(place->path);
    rmdir(place->folder);
    free(place);
    return 0;
}

static struct house *open_local(const struct place *place) {
    struct listener_options options = default_options();
    options.host = STR("");
    options.socket_path = str_from(place->path);
    return new_house(&options, true);
}

static void is_for_its_owner_alone_and_trusted(void **state) {
    const struct place *place = *state;
    struct house *house = open_local(place);
    struct stat there;
    assert_int_equal(stat(place->path, &there), 0);
    assert_int_equal(there.st_mode & 07777, 0600);
    int fd = wire_connect_unix(place->path);
    wire_send(fd, STR(POST("/x", "Content-Length: 2\r\n", "ab")));
    wire_answer(fd, &house->text);
    assert_non_null(strstr(house->text.p, "X-Echo: POST /x? unix 1 3\r\n"));
    close(fd);
    end_house(house);
    assert_int_equal(stat(place->path, &there), -1); /* nothing is left behind */
}

static void replaces_a_dead_socket(void **state) {
    const struct place *place = *state;
    struct arena arena = ARENA_EMPTY;
    struct str problem = STR_NONE;
    int fd = -1;
    assert_int_equal(socket_unix(str_from(place->path), &arena, &fd, &problem), 0);
    close(fd); /* as a killed server leaves it */
    assert_int_equal(access(place->path, F_OK), 0);
    end_house(open_local(place));
    arena_free(&arena);
}

static void leaves_a_living_socket_alone(void **state) {
    const struct place *place = *state;
    struct house *house = open_local(place);
    struct listener_options options = default_options();
    options.host = STR("");
    options.socket_path = str_from(place->path);
    struct listener *other = NULL;
    struct str problem = STR_NONE;
    assert_int_equal(listener_open(&options, &house->clock, house->wake, &house->arena, &other, &problem), ERR_IO);
    assert_non_null(strstr(problem.p, "another process listens on it"));
    int fd = wire_connect_unix(place->path);
    wire_send(fd, STR("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wire_answer(fd, &house->text);
    assert_int_equal(wire_status(&house->text), 200);
    close(fd);
    end_house(house);
}

static void leaves_other_files_alone(void **state) {
    const struct place *place = *state;
    struct arena arena = ARENA_EMPTY;
    struct str problem = STR_NONE;
    int fd = open(place->path, O_CREAT | O_WRONLY, 0600), listening = -1;
    close(fd);
    assert_int_equal(socket_unix(str_from(place->path), &arena, &listening, &problem), ERR_IO);
    assert_non_null(strstr(problem.p, "something else"));
    assert_int_equal(access(place->path, F_OK), 0);
    unlink(place->path);
    static char path[200];
    memset(path, 'x', sizeof path - 1);
    assert_int_equal(socket_unix(str_from(path), &arena, &listening, &problem), ERR_IO);
    assert_non_null(strstr(problem.p, "too long"));
    assert_int_equal(socket_unix(STR("/nonexistent/x"), &arena, &listening, &problem), ERR_IO);
    assert_int_equal(listening, -1);
    arena_free(&arena);
}

static void is_how_a_command_reaches_the_server(void **state) {
    const struct place *place = *state;
    struct house *house = open_local(place);
    struct answer answer;
    struct outgoing outgoing = {.method = STR("POST"),
                                .url = STR("http://localhost/v1/status"),
                                .body = STR("abc"),
                                .timeout_us = 30 * US_PER_S,
                                .unix_socket = str_from(place->path)};
    client_call(&outgoing, 1000, &house->arena, &answer);
    assert_int_equal(answer.end, EXCHANGE_ANSWERED);
    assert_true(str_eq(answer.body, STR("abc")) && answer.body_complete);
    end_house(house);
    struct arena arena = ARENA_EMPTY;
    client_call(&outgoing, 1000, &arena, &answer);
    assert_int_equal(answer.end, EXCHANGE_NO_CONNECT);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_for_its_owner_alone_and_trusted),  cmocka_unit_test(replaces_a_dead_socket),
        cmocka_unit_test(leaves_a_living_socket_alone),        cmocka_unit_test(leaves_other_files_alone),
        cmocka_unit_test(is_how_a_command_reaches_the_server),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
