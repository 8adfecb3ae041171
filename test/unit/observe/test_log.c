/* Log lines: one write each, parseable whatever is in the fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/when.h"
#include "observe/log_fold.h"

#define WHEN_US 1795526439123456 /* 2026-11-24T13:20:39.123456Z */

struct pipe_log {
    int ends[2];
    struct log log;
    char text[20000];
};

static struct pipe_log open_pipe(bool json, bool colour, enum log_level level) {
    struct pipe_log log = {.text = ""};
    assert_int_equal(pipe2(log.ends, O_CLOEXEC | O_NONBLOCK), 0);
    log.log = (struct log){.fd = log.ends[1], .json = json, .colour = colour, .level = level};
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
    assert_string_equal(read_all(&log), "{\"time\":\"2026-11-24T13:20:39.123456Z\",\"level\":\"warn\",\"event\":"
                                        "\"delivery_failed\",\"destination\":\"crm\",\"status\":-503}\n");
    close_pipe(&log);
}

static void writes_text(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(false, false, LOG_DEBUG);
    log_event(&log.log, LOG_ERROR, WHEN_US, "stopped", LOG_TEXT("why", STR("no space left")),
              LOG_TEXT("path", STR("/a/b")), LOG_NUMBER("bytes", 7));
    assert_string_equal(
        read_all(&log),
        "time=2026-11-24T13:20:39Z level=error event=stopped why=\"no space left\" path=/a/b bytes=7\n");
    log.log.colour = true;
    log_write(&log.log, LOG_INFO, WHEN_US, "ready", NULL, 0);
    assert_string_equal(read_all(&log), "time=2026-11-24T13:20:39Z level=\033[32minfo\033[0m event=ready\n");
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
         "\"\\u009b2J\""}, /* a control sequence of one character */
        {STR("pay\u202eesle\u2028\u200b"), "\"pay\\u202eesle\\u2028\\u200b\""},
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
    assert_string_equal(text + strlen(text) - 7, " cut=1\n");
    close_pipe(&log);
}

/* ---- where it goes ---- */

static void is_json_where_nobody_looks(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(false, false, LOG_INFO);
    const struct log opened = log_open(log.ends[1], LOG_WARN, NULL);
    assert_true(opened.json && !opened.colour && !opened.journal && opened.level == LOG_WARN);
    close_pipe(&log);
    const struct log closed = log_open(log.ends[1], LOG_INFO, NULL);
    log_write(&closed, LOG_INFO, WHEN_US, "lost", NULL, 0); /* a log that is gone stops nothing */
}

static void is_logfmt_on_a_terminal_unless_told(void **state) {
    (void)state;
    int main_end, terminal;
    assert_int_equal(openpty(&main_end, &terminal, NULL, NULL, NULL), 0);
    struct log log = log_open(terminal, LOG_INFO, NULL);
    assert_false(log.json);
    log_set(&log, LOG_WARN, LOG_JSON, 0);
    assert_true(log.json && log.level == LOG_WARN);
    log_set(&log, LOG_WARN, LOG_AUTO, 0);
    assert_false(log.json);
    log_close(&log, WHEN_US);
    close(main_end);
    close(terminal);
}

static void begins_with_the_priority_in_the_journal(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(true, false, LOG_INFO);
    struct stat stream;
    char own[64];
    assert_int_equal(fstat(log.ends[1], &stream), 0);
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)stream.st_dev, (uintmax_t)stream.st_ino);
    log.log = log_open(log.ends[1], LOG_DEBUG, own);
    static const struct {
        enum log_level level;
        const char *line;
    } cases[] = {{LOG_ERROR, "<3>{\"level\":\"error\",\"event\":\"e\"}\n"},
                 {LOG_WARN, "<4>{\"level\":\"warn\",\"event\":\"e\"}\n"},
                 {LOG_INFO, "<6>{\"level\":\"info\",\"event\":\"e\"}\n"},
                 {LOG_DEBUG, "<7>{\"level\":\"debug\",\"event\":\"e\"}\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        log_write(&log.log, cases[i].level, WHEN_US, "e", NULL, 0);
        assert_string_equal(read_all(&log), cases[i].line);
    }
    log_set(&log.log, LOG_INFO, LOG_LOGFMT, 0);
    log_write(&log.log, LOG_INFO, WHEN_US, "e", NULL, 0);
    assert_string_equal(read_all(&log), "<6>level=info event=e\n");
    /* The variable is inherited; whoever put another stream in stderr's place is no journal. */
    own[0] = own[0] == '9' ? '8' : '9';
    assert_false(log_open(log.ends[1], LOG_DEBUG, own).journal);
    log_close(&log.log, WHEN_US);
    close_pipe(&log);
}

/* ---- folding ---- */

static void fail_to(struct pipe_log *log, int64_t at_us, const char *destination, int64_t status,
                    const char *event_id) {
    log_event(&log->log, LOG_WARN, at_us, "delivery_failed", LOG_TEXT("destination", str_from(destination)),
              LOG_CODE("http_status", status), LOG_ABOUT("event_id", str_from(event_id)));
}

static size_t lines_of(const char *text) {
    size_t count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

static void a_change_is_written_each_time_and_in_its_order(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(true, false, LOG_INFO);
    log_set(&log.log, LOG_INFO, LOG_LOGFMT, US_PER_MIN);
    for (int i = 0; i < 2; i++) {
        log_change(&log.log, LOG_ERROR, WHEN_US + i, "disk_full", LOG_TEXT("effect", STR("refused")));
        log_change(&log.log, LOG_INFO, WHEN_US + i, "disk_has_space", LOG_TEXT("effect", STR("taken")));
    }
    log_change(&log.log, LOG_DEBUG, WHEN_US, "none", LOG_TEXT("effect", STR("below the level")));
    const char *text = read_all(&log);
    assert_int_equal(lines_of(text), 4);
    const char *again = strstr(strstr(text, "disk_has_space"), "disk_full");
    assert_non_null(again);
    assert_non_null(strstr(again, "disk_has_space"));
    assert_true(log_due(&log.log) == WHEN_NEVER);
    log_close(&log.log, WHEN_US);
}

static void folds_what_says_the_same_again(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(true, false, LOG_DEBUG);
    log_set(&log.log, LOG_DEBUG, LOG_JSON, US_PER_MIN);
    fail_to(&log, WHEN_US, "crm", 422, "one");
    assert_int_equal(lines_of(read_all(&log)), 1);
    fail_to(&log, WHEN_US + 1, "crm", 422, "two");
    fail_to(&log, WHEN_US + 2, "crm", 422, "three");
    assert_string_equal(read_all(&log), "");
    fail_to(&log, WHEN_US + 3, "crm", 410, "four"); /* another kind of trouble, another destination: other lines */
    fail_to(&log, WHEN_US + 3, "mail", 422, "five");
    for (int i = 0; i < 3; i++) log_event(&log.log, LOG_INFO, WHEN_US, "config_applied", LOG_TEXT("file", STR("f")));
    assert_int_equal(lines_of(read_all(&log)), 5); /* what is no warning is never folded */

    assert_int_equal(log_due(&log.log), WHEN_US + US_PER_MIN);
    log_tick(&log.log, WHEN_US + US_PER_MIN - 1);
    assert_string_equal(read_all(&log), "");
    log_tick(&log.log, WHEN_US + US_PER_MIN);
    assert_string_equal(read_all(&log),
                        "{\"time\":\"2026-11-24T13:21:39.123456Z\",\"level\":\"warn\",\"event\":\"delivery_failed\","
                        "\"destination\":\"crm\",\"http_status\":422,\"event_id\":\"three\",\"repeated\":2}\n");
    fail_to(&log, WHEN_US + US_PER_MIN + 1, "crm", 422, "six"); /* it lasts: counted in the next span */
    assert_string_equal(read_all(&log), "");
    log_tick(&log.log, WHEN_US + 2 * US_PER_MIN);
    assert_non_null(strstr(read_all(&log), "\"six\",\"repeated\":1}"));
    log_tick(&log.log, WHEN_US + 3 * US_PER_MIN); /* nothing came: it is over */
    assert_string_equal(read_all(&log), "");
    assert_true(log_due(&log.log) == WHEN_NEVER);
    fail_to(&log, WHEN_US + 3 * US_PER_MIN, "crm", 422, "seven");
    assert_int_equal(lines_of(read_all(&log)), 1);
    log_close(&log.log, WHEN_US);
    close_pipe(&log);
}

/* How many lines the text stands for. */
static int64_t told_of(const char *text) {
    int64_t told = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n'), *repeated = strstr(line, "\"repeated\":");
        told += repeated && repeated < end ? atoll(repeated + strlen("\"repeated\":")) : 1;
    }
    return told;
}

static void leaves_nothing_unsaid(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(true, false, LOG_INFO);
    log_set(&log.log, LOG_INFO, LOG_JSON, US_PER_MIN);
    int64_t said = 0, kinds = 3 * LOG_FOLDS_MAX;
    for (int64_t round = 0; round < 3; round++)
        for (int64_t kind = 0; kind < kinds; kind++) { /* more kinds than there is room for, each twice in a row */
            fail_to(&log, WHEN_US + round, "crm", kind, "e");
            fail_to(&log, WHEN_US + round, "crm", kind, "e");
            said += told_of(read_all(&log));
        }
    log_close(&log.log, WHEN_US + 3);
    const char *rest = read_all(&log);
    assert_int_equal(lines_of(rest), LOG_FOLDS_MAX); /* all that is kept of what came */
    assert_int_equal(said + told_of(rest), 2 * 3 * kinds);

    log_set(&log.log, LOG_INFO, LOG_JSON, US_PER_MIN);
    fail_to(&log, WHEN_US, "crm", 1, "e");
    fail_to(&log, WHEN_US, "crm", 1, "e");
    (void)read_all(&log);
    log_tick(&log.log, WHEN_US - US_PER_HOUR); /* the clock was set back: nobody waits an hour for the word */
    assert_non_null(strstr(read_all(&log), "\"repeated\":1}"));
    fail_to(&log, WHEN_US - US_PER_HOUR, "crm", 1, "e");
    log_set(&log.log, LOG_INFO, LOG_LOGFMT, 0); /* a reload that ends the folding and changes the format */
    log_tick(&log.log, WHEN_US);
    assert_string_equal(read_all(&log), "time=2026-11-24T13:20:39Z level=warn event=delivery_failed repeated=1\n");
    fail_to(&log, WHEN_US, "crm", 1, "e");
    fail_to(&log, WHEN_US, "crm", 1, "e");
    assert_int_equal(lines_of(read_all(&log)), 2);
    log_close(&log.log, WHEN_US);
    close_pipe(&log);
}

/* A pipe of two pages whose reader sleeps: the writer does not wait for it, and says afterwards how much was lost. */
static void waits_for_no_reader(void **state) {
    (void)state;
    struct pipe_log log = open_pipe(true, false, LOG_INFO);
    assert_int_equal(fcntl(log.ends[1], F_SETFL, 0), 0);
    assert_int_equal(fcntl(log.ends[1], F_SETPIPE_SZ, 8192), 8192);
    log_set(&log.log, LOG_INFO, LOG_JSON, 0);
    for (int i = 0; i < 100; i++) log_event(&log.log, LOG_INFO, WHEN_US, "ready", LOG_NUMBER("number", i));
    size_t written = lines_of(read_all(&log));
    assert_in_range(written, 1, 99);
    log_event(&log.log, LOG_INFO, WHEN_US, "ready", LOG_NUMBER("number", 100));
    const char *told = read_all(&log);
    char lost[32];
    snprintf(lost, sizeof lost, "\"lines\":%zu}\n", 100 - written);
    assert_non_null(strstr(told, "\"event\":\"log_lost\""));
    assert_non_null(strstr(told, lost));
    assert_non_null(strstr(told, "\"number\":100}\n"));
    log_close(&log.log, WHEN_US);
    close_pipe(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_json),
        cmocka_unit_test(writes_text),
        cmocka_unit_test(leaves_out_what_is_below_its_level),
        cmocka_unit_test(escapes_what_could_forge_a_line),
        cmocka_unit_test(bounds_a_line),
        cmocka_unit_test(is_json_where_nobody_looks),
        cmocka_unit_test(is_logfmt_on_a_terminal_unless_told),
        cmocka_unit_test(begins_with_the_priority_in_the_journal),
        cmocka_unit_test(a_change_is_written_each_time_and_in_its_order),
        cmocka_unit_test(folds_what_says_the_same_again),
        cmocka_unit_test(leaves_nothing_unsaid),
        cmocka_unit_test(waits_for_no_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
