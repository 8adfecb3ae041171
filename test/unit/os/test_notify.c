/* What a service manager hears, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/notify.h"

/* A manager's socket under an abstract name, which needs no file. */
static int listen_at(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *heard(int fd) {
    static char text[256];
    ssize_t length = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[length > 0 ? length : 0] = 0;
    return text;
}

static int forget(void **state) {
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static void says_what_it_is_given(void **state) {
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@drumbeat-test-%d", getpid());
    int fd = listen_at(name);
    struct notify notify = notify_open();
    notify_send(&notify, "READY=1\nSTATUS=words");
    assert_string_equal(heard(fd), "READY=1\nSTATUS=words");
    notify_reloading(&notify, 4711);
    assert_string_equal(heard(fd), "RELOADING=1\nMONOTONIC_USEC=4711");
    assert_int_equal(notify_beat(&notify, 0, 1000), 1000); /* nobody asked for beats */
    assert_string_equal(heard(fd), "");
    notify_close(&notify);
    notify_send(&notify, "READY=1");
    assert_string_equal(heard(fd), "");
    close(fd);
}

static void beats_three_times_in_the_time_of_the_watchdog(void **state) {
    (void)state;
    char name[64], pid[16];
    snprintf(name, sizeof name, "@drumbeat-beat-%d", getpid());
    int fd = listen_at(name);
    setenv("WATCHDOG_USEC", "3000", 1);
    struct notify notify = notify_open();
    assert_int_equal(notify_beat(&notify, 5000, 60000), 1000);
    assert_string_equal(heard(fd), "WATCHDOG=1");
    assert_int_equal(notify_beat(&notify, 5400, 60000), 600);
    assert_string_equal(heard(fd), "");
    assert_int_equal(notify_beat(&notify, 5400, 100), 100); /* who wants to wake earlier does */
    assert_int_equal(notify_beat(&notify, 6000, 60000), 1000);
    assert_string_equal(heard(fd), "WATCHDOG=1");
    notify_close(&notify);
    snprintf(pid, sizeof pid, "%d", getppid());
    setenv("WATCHDOG_PID", pid, 1); /* another process is watched */
    notify = notify_open();
    assert_int_equal(notify_beat(&notify, 5000, 60000), 60000);
    assert_string_equal(heard(fd), "");
    notify_close(&notify);
    close(fd);
}

static void a_manager_that_is_not_there_holds_up_nobody(void **state) {
    (void)state;
    static const char *const names[] = {"", "/", "relative", "/nowhere/notify", "@nobody-listens"};
    struct notify notify = notify_open();
    assert_int_equal(notify.fd, -1);
    setenv("WATCHDOG_USEC", "3000", 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify = notify_open();
        assert_int_equal(notify.fd, -1);
        notify_send(&notify, "READY=1");
        assert_int_equal(notify_beat(&notify, 0, 77), 77);
        notify_close(&notify);
    }
}

static void a_watchdog_without_sense_is_none(void **state) {
    (void)state;
    static const char *const times[] = {"", "-3000", "3000x", "99999999999999999999", "two"};
    char name[64];
    snprintf(name, sizeof name, "@drumbeat-sense-%d", getpid());
    int fd = listen_at(name);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        setenv("WATCHDOG_USEC", times[i], 1);
        struct notify notify = notify_open();
        assert_true(notify.fd >= 0);
        assert_int_equal(notify.every_us, 0);
        notify_close(&notify);
    }
    close(fd);
}

static void a_full_socket_is_not_waited_for(void **state) {
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@drumbeat-full-%d", getpid());
    int fd = listen_at(name), count = 0;
    struct notify notify = notify_open();
    for (int i = 0; i < 10000; i++) notify_send(&notify, "STATUS=nobody reads this");
    while (*heard(fd)) count++;
    assert_in_range(count, 1, 9999);
    notify_close(&notify);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(says_what_it_is_given, forget),
        cmocka_unit_test_teardown(beats_three_times_in_the_time_of_the_watchdog, forget),
        cmocka_unit_test_teardown(a_manager_that_is_not_there_holds_up_nobody, forget),
        cmocka_unit_test_teardown(a_watchdog_without_sense_is_none, forget),
        cmocka_unit_test_teardown(a_full_socket_is_not_waited_for, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
