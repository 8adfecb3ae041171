/* Log lines: one write each, parseable whatever is in the fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "observe/log.h"

#define WHEN_US 1795526439123456 /* 2026-11-24T13:20:39.123456Z */

struct pipe_log {
    int ends[2];
    struct log log;
    char text[20000];
};

static struct pipe_log open_pipe(bool json, bool colour, enum log_level level) {
    struct pipe_log log = {.text = ""};
    assert_int_equal(pipe2(log.ends, O_CLOEXEC | O_NONBLOCK), 0);
    log.log = (struct log){log.ends[1], json, colour, level};
    return log;
}

static const char *read_all(struct pipe_log *log) {
    size_t n = 0;
    ssize_t got;
    while ((got = read(log->ends[0], log->text + n, sizeof log->text - 1 - n)) > 0) n += (size_t)got;
    log->text[n] = '\0';
    return log->text;
}

static void close_pipe(struct pipe_log *log) {
    close(log->ends[0]);
    close(log->ends[1]);
}

static void writes_json(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(true, false, LOG_INFO);
    log_event(&log.log, LOG_WARN, WHEN_US, "delivery_failed", LOG_TEXT("destination", STR("crm")),
              LOG_NUMBER("status", -503), LOG_TEXT("error", STR("")));
    assert_string_equal(read_all(&log),
                        "{\"time\":\"2026-11-24T13:20:39.123456Z\",\"level\":\"warn\",\"event\":"
                        "\"delivery_failed\",\"destination\":\"crm\",\"status\":-503,\"error\":\"\"}\n");
    close_pipe(&log);
}

static void writes_text(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(false, false, LOG_DEBUG);
    log_event(&log.log, LOG_ERROR, WHEN_US, "stopped", LOG_TEXT("why", STR("no space left")),
              LOG_TEXT("path", STR("/a/b")), LOG_NUMBER("bytes", 7));
    assert_string_equal(read_all(&log), "2026-11-24T13:20:39 error stopped why=\"no space left\" path=/a/b bytes=7\n");
    log.log.colour = true;
    log_write(&log.log, LOG_INFO, WHEN_US, "ready", NULL, 0);
    assert_string_equal(read_all(&log), "2026-11-24T13:20:39 \033[32minfo \033[0m ready\n");
    close_pipe(&log);
}

static void leaves_out_what_is_below_its_level(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(true, false, LOG_WARN);
    log_write(&log.log, LOG_INFO, WHEN_US, "no", NULL, 0);
    assert_string_equal(read_all(&log), "");
    log_write(&log.log, LOG_WARN, WHEN_US, "yes", NULL, 0);
    assert_non_null(strstr(read_all(&log), "\"yes\""));
    close_pipe(&log);
}

static void escapes_what_could_forge_a_line(void **state) {
    (void)state;
    static const struct {
        struct str text;
        const char *json;
    } cases[] = {
        {STR("a\nb\r\tc"), "\"a\\u000ab\\u000d\\u0009c\""},
        {STR("\"\\"), "\"\\\"\\\\\""},
        {STR("\x1b[2J\x7f"), "\"\\u001b[2J\\u007f\""},
        {STR("a\0b"), "\"a\\u0000b\""},
        {STR("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\""},
        {STR("\xc2\x9b"
             "2J"),
         "\"\\ufffd\\ufffd2J\""}, /* a control sequence of one character */
        {STR("\xff\xc3"), "\"\\ufffd\\ufffd\""},
        {STR("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int json = 0; json < 2; json++) {
            struct pipe_log log = open_pipe(json, false, LOG_INFO);
            log_event(&log.log, LOG_INFO, WHEN_US, "e", LOG_TEXT("t", cases[i].text));
            const char *text = read_all(&log);
            if (!strstr(text, cases[i].json)) fail_msg("case %zu: %s", i, text);
            assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
            close_pipe(&log);
        }
    }
}

static void bounds_a_line(void **state) {
    (void)state;
    static char large[100000];
    memset(large, 'x', sizeof large - 1);
    struct pipe_log log = open_pipe(true, false, LOG_INFO);
    log_event(&log.log, LOG_INFO, WHEN_US, "e", LOG_TEXT("t", str_from(large)), LOG_NUMBER("after", 1));
    const char *text = read_all(&log);
    assert_true(strlen(text) < 4096);
    assert_non_null(strstr(text, "xxx...\",\"after\":1}\n"));
    memset(large, '\x01', sizeof large - 1); /* six bytes each as JSON: more than a line holds */
    log_event(&log.log, LOG_INFO, WHEN_US, "e", LOG_NUMBER("before", 1), LOG_TEXT("t", str_from(large)));
    assert_non_null(strstr(read_all(&log), "\"event\":\"e\",\"before\":1,\"cut\":1}\n"));
    log.log.json = false;
    log_event(&log.log, LOG_INFO, WHEN_US, "e", LOG_NUMBER("before", 1), LOG_TEXT("t", str_from(large)));
    text = read_all(&log);
    assert_string_equal(text + strlen(text) - 5, " ...\n");
    close_pipe(&log);
}

static void is_json_where_nobody_looks(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(false, false, LOG_INFO);
    const struct log opened = log_open(log.ends[1], LOG_WARN);
    assert_true(opened.json && !opened.colour && opened.level == LOG_WARN);
    close_pipe(&log);
    const struct log closed = log_open(log.ends[1], LOG_INFO);
    log_write(&closed, LOG_INFO, WHEN_US, "lost", NULL, 0); /* a log that is gone stops nothing */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_json),
        cmocka_unit_test(writes_text),
        cmocka_unit_test(leaves_out_what_is_below_its_level),
        cmocka_unit_test(escapes_what_could_forge_a_line),
        cmocka_unit_test(bounds_a_line),
        cmocka_unit_test(is_json_where_nobody_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
