/* test_sandbox.c - calls in another process: what they may do to it, and that
 * nobody else notices. The worker is this very program, as in production. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/when.h"
#include "sandbox/frame.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))

/* Under a sanitizer the worker sets itself no limits. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

enum { ECHO, SPIN, GROW, FAIL, EVENT, BIG, SPIN_IF };
static const char *const functions[] = {
    [ECHO] = ".",
    [SPIN] = "def f: f; f",
    [GROW] = "reduce range(100) as $i (.; tojson + tojson)",
    [FAIL] = "error(\"no\")",
    [EVENT] = "$event.type",
    [BIG] = "\"x\" * 300000",
    [SPIN_IF] = "if . == 7 then last(range(1e9)) else . end",
};

struct fixture {
    struct arena arena;
    struct sandbox *sandbox;
    struct evaluator evaluator;
};

static const struct sandbox_options usual = {
    .executable = {"/proc/self/exe", 14}, .deadline_us = 250 * US_PER_MS, .memory_bytes = 256 << 20};

static struct fixture *fixture_open(const struct sandbox_options *options) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    struct jq_source source = {.arena = &fixture->arena};
    for (size_t i = 0; i < ARRAY_COUNT(functions); i++) jq_add(&source, str_from(functions[i]));
    struct str problem = STR_NONE;
    enum err err =
        sandbox_open(options, jq_program(&source, &fixture->arena), &fixture->arena, &fixture->sandbox, &problem);
    if (err) fail_msg("%.*s", STR_ARG(problem));
    fixture->evaluator = sandbox_evaluator(fixture->sandbox);
    return fixture;
}

static void fixture_close(struct fixture *fixture) {
    sandbox_close(fixture->sandbox);
    arena_free(&fixture->arena);
    free(fixture);
}

static void run(struct fixture *fixture, struct jq_call *calls, size_t count) {
    fixture->evaluator.run(fixture->evaluator.self, calls, count, &fixture->arena);
}

static void assert_answer(const struct jq_call *call, enum err err, const char *result) {
    assert_int_equal(call->err, err);
    if (!str_eq(call->result, str_from(result))) fail_msg("%.*s is not %s", STR_ARG(call->result), result);
}

/* The worker's pid, as the kernel lists it. */
static pid_t worker_pid(void) {
    char path[64];
    int pid = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    (void)fclose(file);
    return pid;
}

static void a_batch_is_answered_in_order(void **state) {
    (void)state;
    struct fixture *fixture = fixture_open(&usual);
    struct jq_call calls[] = {{.function = ECHO, .input = STR("{\"a\":1}")},
                              {.function = FAIL},
                              {.function = ECHO, .input = STR("2")},
                              {.function = EVENT, .event = STR("{\"type\":\"LEAD\"}")},
                              {.function = ECHO, .input = STR("{")}};
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_answer(&calls[0], ERR_NONE, "{\"a\":1}");
    assert_answer(&calls[1], ERR_JQ_RUN, "no");
    assert_answer(&calls[2], ERR_NONE, "2");
    assert_answer(&calls[3], ERR_NONE, "\"LEAD\"");
    assert_answer(&calls[4], ERR_JQ_RUN, "the input is not JSON");
    run(fixture, calls, 0);
    assert_int_equal(sandbox_restarts(fixture->sandbox), 0);
    fixture_close(fixture);
}

/* More than both sockets hold, in both directions. */
static void neither_side_blocks_the_other(void **state) {
    (void)state;
    struct fixture *fixture = fixture_open(&usual);
    static struct jq_call calls[200];
    char *input = malloc(300002);
    assert_non_null(input);
    memset(input, 'y', 300002);
    input[0] = input[300001] = '"';
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++)
        calls[i] = (struct jq_call){.function = i % 2 ? BIG : ECHO, .input = {input, 300002}};
    run(fixture, calls, ARRAY_COUNT(calls));
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        assert_int_equal(calls[i].err, ERR_NONE);
        assert_int_equal(calls[i].result.n, 300002);
        assert_int_equal(calls[i].result.p[1], i % 2 ? 'x' : 'y');
    }
    free(input);
    fixture_close(fixture);
}

static void one_that_runs_away_is_stopped_alone(void **state) {
    (void)state;
    struct fixture *fixture = fixture_open(&usual);
    struct jq_call calls[] = {{.function = SPIN_IF, .input = STR("1")},
                              {.function = ECHO, .input = STR("2")},
                              {.function = SPIN_IF, .input = STR("7")},
                              {.function = EVENT},
                              {.function = ECHO, .input = STR("4")}};
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_answer(&calls[0], ERR_NONE, "1");
    assert_answer(&calls[1], ERR_NONE, "2");
    assert_answer(&calls[2], ERR_JQ_RUNAWAY, "stopped: it ran longer than 250ms");
    assert_answer(&calls[3], ERR_NONE, "null");
    assert_answer(&calls[4], ERR_NONE, "4");
    assert_int_equal(sandbox_restarts(fixture->sandbox), 1);
    fixture_close(fixture);
}

static void one_that_takes_the_memory_is_stopped_alone(void **state) {
    (void)state;
    if (IS_SANITIZED) skip();
    struct sandbox_options options = usual;
    options.deadline_us = 60 * US_PER_S;
    struct fixture *fixture = fixture_open(&options);
    struct jq_call calls[] = {{.function = GROW, .input = STR("\"xxxxxxxx\"")}, {.function = ECHO, .input = STR("1")}};
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_answer(&calls[0], ERR_JQ_RUNAWAY, "stopped: it crashed or needed more memory than 256 MiB");
    assert_answer(&calls[1], ERR_NONE, "1");
    assert_int_equal(sandbox_restarts(fixture->sandbox), 1);
    fixture_close(fixture);
}

/* Each costs its whole deadline, and a turn waits for the batch. The others were not run, which is not their fault. */
static void one_function_is_stopped_once_a_batch(void **state) {
    (void)state;
    struct fixture *fixture = fixture_open(&usual);
    struct jq_call calls[40] = {0};
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++)
        calls[i] = (struct jq_call){.function = i % 2 ? SPIN : ECHO, .input = STR("1")};
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_int_equal(calls[1].err, ERR_JQ_RUNAWAY);
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++)
        if (i != 1) assert_int_equal(calls[i].err, i % 2 ? ERR_IO : ERR_NONE);
    assert_int_equal(sandbox_restarts(fixture->sandbox), 1);
    assert_true(str_starts(calls[39].result, STR("not run")));
    run(fixture, calls, 2); /* another batch, another chance */
    assert_answer(&calls[1], ERR_JQ_RUNAWAY, "stopped: it ran longer than 250ms");
    fixture_close(fixture);
}

/* ---- a worker that dies of something else ---- */

/* As many workers as there are marks die by SIGKILL while they read their first call, as the kernel ends one when
 * memory is short. */
static void mark_path(int i, pid_t parent, char ret_path[64]) {
    (void)snprintf(ret_path, 64, "/tmp/drumbeat-test-%d.die-%d", (int)parent, i);
}

static void mark_deaths(int count) {
    char path[64];
    for (int i = 0; i < count; i++) {
        mark_path(i, getpid(), path);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
    }
}

static bool take_mark(void) {
    char path[64];
    for (int i = 0; i < 2; i++) {
        mark_path(i, getppid(), path);
        if (unlink(path) == 0) return true;
    }
    return false;
}

static bool swallow(uint64_t bytes) {
    char byte;
    for (; bytes; bytes--)
        if (read(STDIN_FILENO, &byte, 1) != 1) return false;
    return true;
}

static int die_at_the_first_call(void) {
    struct frame_hello hello;
    const struct frame_answer fine = {0};
    if (read(STDIN_FILENO, &hello, sizeof hello) != sizeof hello || !swallow(hello.program_bytes)) return 1;
    if (write(STDIN_FILENO, &fine, sizeof fine) != sizeof fine || !swallow(sizeof(struct frame_call))) return 1;
    return raise(SIGKILL);
}

static void a_worker_that_is_killed_in_a_call_is_tried_once_more(void **state) {
    (void)state;
    mark_deaths(1);
    struct fixture *fixture = fixture_open(&usual);
    struct jq_call calls[] = {{.function = ECHO, .input = STR("1")}, {.function = ECHO, .input = STR("2")}};
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_answer(&calls[0], ERR_NONE, "1");
    assert_answer(&calls[1], ERR_NONE, "2");
    assert_int_equal(sandbox_restarts(fixture->sandbox), 1);
    fixture_close(fixture);
}

static void two_workers_that_die_of_one_call_blame_it(void **state) {
    (void)state;
    mark_deaths(2);
    struct fixture *fixture = fixture_open(&usual);
    struct jq_call calls[] = {{.function = ECHO, .input = STR("1")}, {.function = EVENT}};
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_int_equal(calls[0].err, ERR_JQ_RUNAWAY);
    assert_int_equal(calls[1].err, ERR_NONE);
    assert_int_equal(sandbox_restarts(fixture->sandbox), 2);
    fixture_close(fixture);
}

/* A frozen machine, or one on which others take all time: the program did nothing wrong. */
static void a_worker_that_is_kept_from_the_processor_blames_nobody(void **state) {
    (void)state;
    struct sandbox_options options = usual;
    options.deadline_us = 20 * US_PER_MS;
    struct fixture *fixture = fixture_open(&options);
    struct jq_call calls[] = {{.function = ECHO, .input = STR("1")}, {.function = EVENT}};
    assert_int_equal(kill(worker_pid(), SIGSTOP), 0);
    run(fixture, calls, ARRAY_COUNT(calls));
    for (size_t i = 0; i < 2; i++)
        assert_answer(&calls[i], ERR_IO, "not run: the jq worker is not given the processor");
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_answer(&calls[0], ERR_NONE, "1");
    assert_int_equal(sandbox_restarts(fixture->sandbox), 1);
    fixture_close(fixture);
}

static void a_worker_that_ended_in_between_is_nobodys_fault(void **state) {
    (void)state;
    struct fixture *fixture = fixture_open(&usual);
    pid_t pid = worker_pid();
    assert_int_equal(kill(pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    struct jq_call call = {.function = ECHO, .input = STR("1")};
    run(fixture, &call, 1);
    assert_answer(&call, ERR_NONE, "1");
    assert_int_equal(sandbox_restarts(fixture->sandbox), 1);
    fixture_close(fixture);
}

static void a_worker_that_does_not_come_back_ends_the_batch(void **state) {
    (void)state;
    char path[] = "/tmp/drumbeat-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = 0;
    assert_int_equal(symlink(self, path), 0);
    struct sandbox_options options = usual;
    options.executable = str_from(path);
    struct fixture *fixture = fixture_open(&options);
    struct jq_call calls[] = {{.function = ECHO}, {.function = SPIN}, {.function = ECHO}, {.function = ECHO}};
    assert_int_equal(unlink(path), 0);
    run(fixture, calls, ARRAY_COUNT(calls));
    assert_int_equal(calls[0].err, ERR_NONE);
    assert_int_equal(calls[1].err, ERR_JQ_RUNAWAY);
    for (size_t i = 2; i < 4; i++)
        assert_answer(&calls[i], ERR_IO, "the jq worker cannot be started: No such file or directory");
    assert_int_equal(sandbox_restarts(fixture->sandbox), 3);
    assert_int_equal(symlink("/bin/true", path), 0); /* starts, and says nothing */
    run(fixture, calls, 1);
    assert_answer(&calls[0], ERR_IO, "the jq worker ended before it had compiled the program");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(self, path), 0);
    run(fixture, calls, 1);
    assert_answer(&calls[0], ERR_NONE, "null");
    assert_int_equal(unlink(path), 0);
    fixture_close(fixture);
}

static void opening_says_what_is_wrong(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct sandbox *sandbox = NULL;
    struct str problem = STR_NONE;
    assert_int_equal(sandbox_open(&usual, STR("nope"), &arena, &sandbox, &problem), ERR_JQ_COMPILE);
    assert_true(str_eq(problem, STR("nope/0 is not defined")));
    struct sandbox_options options = usual;
    options.executable = STR("/nowhere/drumbeat");
    assert_int_equal(sandbox_open(&options, STR("."), &arena, &sandbox, &problem), ERR_IO);
    assert_true(str_eq(problem, STR("the jq worker cannot be started: No such file or directory")));
    assert_null(sandbox);
    sandbox_close(NULL);
    arena_free(&arena);
}

/* The number in one line of /proc/PID/status. */
static int status_number(pid_t pid, const char *name) {
    char path[64], line[256];
    int number = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0) number = atoi(line + strlen(name));
    (void)fclose(file);
    return number;
}

static void the_worker_has_nothing(void **state) {
    (void)state;
    assert_int_equal(setenv("DRUMBEAT_TEST_SECRET", "canary", 1), 0);
    int kept_open = open("/dev/null", O_RDONLY); /* not close-on-exec */
    assert_true(kept_open > 2);
    struct fixture *fixture = fixture_open(&usual);
    pid_t pid = worker_pid();
    char path[64], byte;
    assert_int_equal(status_number(pid, "NoNewPrivs:"), 1);
    if (!IS_SANITIZED)
        assert_int_equal(status_number(pid, "Seccomp_filters:"), status_number(getpid(), "Seccomp_filters:") + 1);
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, kept_open);
    assert_int_equal(access(path, F_OK), -1);
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(&byte, 1, 1, file), 0);
    (void)fclose(file);
    (void)close(kept_open);
    fixture_close(fixture);
}

/* What programs may do must not need anything that was taken away. */
static void the_usual_functions_work_in_the_worker(void **state) {
    (void)state;
    static const struct {
        const char *text, *result;
    } cases[] = {
        {"\"ada@example.com\" | test(\"^[^@]+@example\")", "true"},
        {"\"a,b\" | gsub(\",\"; \"-\") | ascii_upcase", "\"A-B\""},
        {"\"2026-11-24T13:20:39Z\" | fromdate | strftime(\"%A %d %B %Y %Z\")", "\"Tuesday 24 November 2026 UTC\""},
        {"\"24.11.2026\" | strptime(\"%d.%m.%Y\") | mktime", "1795478400"},
        {"0 | localtime | strflocaltime(\"%H:%M %Z\")", "\"00:00 UTC\""},
        {"[3, 1, 2] | sort | map(pow(.; 2)) | add", "14"},
        {"{a: [1, {b: 2}]} | tojson | @base64 | @base64d | fromjson | .a[1].b", "2"},
        {"[range(100000)] | length", "100000"},
        {"\"<\\(\"a&b\" | @html)>\" | @uri", "\"%3Ca%26amp%3Bb%3E\""},
        {"try error(\"x\") catch .", "\"x\""},
    };
    struct arena arena = ARENA_EMPTY;
    struct jq_source source = {.arena = &arena};
    struct jq_call calls[ARRAY_COUNT(cases)] = {0};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) calls[i].function = jq_add(&source, str_from(cases[i].text));
    struct sandbox *sandbox;
    struct str problem;
    assert_int_equal(sandbox_open(&usual, jq_program(&source, &arena), &arena, &sandbox, &problem), ERR_NONE);
    struct evaluator evaluator = sandbox_evaluator(sandbox);
    evaluator.run(evaluator.self, calls, ARRAY_COUNT(calls), &arena);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) assert_answer(&calls[i], ERR_NONE, cases[i].result);
    assert_int_equal(sandbox_restarts(sandbox), 0);
    sandbox_close(sandbox);
    arena_free(&arena);
}

/* A stop is sent to the whole group: the worker goes on, since the parent still has work for it. */
static void a_polite_signal_does_not_end_the_worker(void **state) {
    (void)state;
    struct fixture *fixture = fixture_open(&usual);
    assert_int_equal(kill(worker_pid(), SIGTERM), 0);
    assert_int_equal(kill(worker_pid(), SIGINT), 0);
    struct jq_call call = {.function = ECHO, .input = STR("1")};
    run(fixture, &call, 1);
    assert_answer(&call, ERR_NONE, "1");
    assert_int_equal(sandbox_restarts(fixture->sandbox), 0);
    fixture_close(fixture);
}

static void the_worker_does_not_outlive_its_parent(void **state) {
    (void)state;
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct fixture *fixture = fixture_open(&usual);
        pid_t worker = worker_pid();
        if (write(told[1], &worker, sizeof worker) != sizeof worker) _exit(1);
        struct jq_call call = {.function = SPIN};
        for (;;) run(fixture, &call, 1);
    }
    pid_t worker;
    assert_int_equal(read(told[0], &worker, sizeof worker), sizeof worker);
    int ended = (int)syscall(SYS_pidfd_open, worker, 0);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    struct pollfd wanted = {.fd = ended, .events = POLLIN};
    if (ended >= 0)
        assert_int_equal(poll(&wanted, 1, 30000), 1); /* it may have been replaced before, then it has ended */
    (void)close(ended);
    (void)close(told[0]);
    (void)close(told[1]);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "jq-worker") == 0)
        return take_mark() ? die_at_the_first_call() : sandbox_worker_main();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_answered_in_order),
        cmocka_unit_test(neither_side_blocks_the_other),
        cmocka_unit_test(one_that_runs_away_is_stopped_alone),
        cmocka_unit_test(one_that_takes_the_memory_is_stopped_alone),
        cmocka_unit_test(one_function_is_stopped_once_a_batch),
        cmocka_unit_test(a_worker_that_is_killed_in_a_call_is_tried_once_more),
        cmocka_unit_test(two_workers_that_die_of_one_call_blame_it),
        cmocka_unit_test(a_worker_that_is_kept_from_the_processor_blames_nobody),
        cmocka_unit_test(a_worker_that_ended_in_between_is_nobodys_fault),
        cmocka_unit_test(a_worker_that_does_not_come_back_ends_the_batch),
        cmocka_unit_test(opening_says_what_is_wrong),
        cmocka_unit_test(the_worker_has_nothing),
        cmocka_unit_test(the_usual_functions_work_in_the_worker),
        cmocka_unit_test(a_polite_signal_does_not_end_the_worker),
        cmocka_unit_test(the_worker_does_not_outlive_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
