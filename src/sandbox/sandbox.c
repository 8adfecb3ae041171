/* sandbox/sandbox.c - the parent's side: keeps a worker alive and runs batches of calls through it. See sandbox.h and
 * frame.h.
 *
 * WHAT  Each call of a batch gets an answer, an error of its own, or the word that it was not run.
 * PROMISE  Only a call that used more processor time than its deadline, or under which two workers died one after the
 *   other, is said to have run away. A machine that stands still, a worker that is kept from the processor, a worker
 *   that somebody else kills and one that cannot be started are our trouble: the calls get ERR_IO and may be asked
 *   again later.
 * WHY IT HOLDS  Calls are written ahead as far as the socket takes them and answers are read as they come, both in one
 *   poll, so that neither side can block the other. Answers come in order, so the call that was being run is the first
 *   one without an answer. Its time is the worker's processor time since the last answer. The wall clock only says
 *   when waiting has no more sense (BATCH_STARVED); it is counted in short waits of our own, so that a spell in which
 *   we stood still too counts as one such wait. A dead worker is replaced and the call is sent to the new one once.
 * WHAT BREAKS IT  A libjq that keeps state from one call to the next: the second worker would not die of the call.
 * HOW TO SEE IT  sandbox_restarts; the words in a failed delivery's last_error.
 * TESTED BY  test/unit/sandbox/test_sandbox.c, and test_builtins.c for what libc needs under the filter.
 */
#include "sandbox/sandbox.h"

#include "base/arena.h"
#include "base/when.h"
#include "sandbox/child.h"
#include "sandbox/frame.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A call is waited for this many deadlines by the wall clock: enough for a worker that gets 5 % of a processor. */
#define WALL_FACTOR 20
/* Compiling takes 20 ms; on a machine that swaps, a thousand times that. */
#define START_US    (30 * US_PER_S)
#define START_TRIES 3

struct sandbox {
    struct sandbox_options options; /* executable ends in NUL */
    struct arena arena;             /* the options' and program's texts */
    struct str program;
    struct child worker;
    uint64_t restarts;
};

/* One batch on its way through the worker. Positions count in queue: answered <= sent <= queued. */
struct batch {
    struct sandbox *sandbox;
    struct jq_call *calls;
    struct arena *arena;
    size_t *queue; /* calls to run, by index */
    size_t queued, sent, answered;
    size_t sent_bytes; /* of the call at sent */
    struct frame_answer head;
    char *text;
    size_t got_bytes;  /* of the answer at answered: head, then text */
    int64_t cpu_us;    /* the worker's, when the last answer came */
    int64_t waited_us; /* by us, since the last answer came */
    int deaths;        /* of workers, since the last answer came */
};
enum batch_end { BATCH_DONE, BATCH_LATE, BATCH_DEAD, BATCH_STARVED };

static int64_t mono_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int poll_ms(int64_t left_us) {
    return left_us <= 0 ? 0 : (int)((left_us + US_PER_MS - 1) / US_PER_MS);
}

/* ---- starting ---- */

/* Moves all bytes one way before the deadline. */
static bool worker_move(int fd, void *bytes, size_t count, bool out, int64_t deadline_us) {
    struct pollfd wanted = {.fd = fd, .events = out ? POLLOUT : POLLIN};
    for (size_t done = 0; done < count;) {
        if (poll(&wanted, 1, poll_ms(deadline_us - mono_us())) == 0) return false;
        char *at = (char *)bytes + done;
        ssize_t n =
            out ? send(fd, at, count - done, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(fd, at, count - done, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
        if (n > 0) done += (size_t)n;
    }
    return true;
}

static bool worker_greet(struct sandbox *sandbox, struct arena *arena, struct frame_answer *ret_answer,
                         struct str *ret_text) {
    int64_t deadline_us = mono_us() + START_US;
    struct frame_hello hello = {.memory_bytes = sandbox->options.memory_bytes, .program_bytes = sandbox->program.n};
    int fd = sandbox->worker.fd;
    if (!worker_move(fd, &hello, sizeof hello, true, deadline_us)) return false;
    if (!worker_move(fd, (void *)sandbox->program.p, sandbox->program.n, true, deadline_us)) return false;
    if (!worker_move(fd, ret_answer, sizeof *ret_answer, false, deadline_us)) return false;
    if (ret_answer->text_bytes > JQ_RESULT_MAX) return false;
    char *text = arena_alloc(arena, ret_answer->text_bytes);
    if (!worker_move(fd, text, ret_answer->text_bytes, false, deadline_us)) return false;
    *ret_text = (struct str){text, ret_answer->text_bytes};
    return true;
}

static enum err worker_start(struct sandbox *sandbox, struct arena *arena, struct str *ret_problem) {
    struct frame_answer answer;
    struct str text;
    if (child_start(sandbox->options.executable.p, &sandbox->worker) != ERR_NONE) {
        *ret_problem = str_fmt(arena, "the jq worker cannot be started: %s", strerror(errno));
        return ERR_IO;
    }
    bool greeted = worker_greet(sandbox, arena, &answer, &text);
    if (greeted && answer.err == ERR_NONE) return ERR_NONE;
    child_end(&sandbox->worker);
    *ret_problem = greeted ? text : STR("the jq worker ended before it had compiled the program");
    return greeted ? ERR_JQ_COMPILE : ERR_IO;
}

enum err sandbox_open(const struct sandbox_options *options, struct str program, struct arena *arena,
                      struct sandbox **ret_sandbox, struct str *ret_problem) {
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox) abort();
    assert(options->deadline_us > 0 && options->memory_bytes > 0);
    sandbox->options = *options;
    sandbox->options.executable = str_dup(&sandbox->arena, options->executable);
    sandbox->program = str_dup(&sandbox->arena, program);
    enum err err = worker_start(sandbox, arena, ret_problem);
    if (err)
        sandbox_close(sandbox);
    else
        *ret_sandbox = sandbox;
    return err;
}

void sandbox_close(struct sandbox *sandbox) {
    if (!sandbox) return;
    child_end(&sandbox->worker);
    arena_free(&sandbox->arena);
    free(sandbox);
}

static void read_restarts(const void *self, struct gauge_sink *sink) {
    sink->put(sink, STR_NONE, (double)sandbox_restarts(self));
}

struct gauge_set sandbox_gauges(const struct sandbox *sandbox) {
    static const struct gauge gauges[] = {
        {"drumbeat_jq_restarts_total", "counter", "Times that the process jq runs in was ended and started again.",
         NULL, read_restarts},
    };
    return GAUGE_SET(gauges, sandbox);
}

uint64_t sandbox_restarts(const struct sandbox *sandbox) {
    return sandbox->restarts;
}

static enum err worker_restart(struct sandbox *sandbox, struct arena *arena, struct str *ret_problem) {
    enum err err = ERR_IO;
    child_end(&sandbox->worker);
    for (int i = 0; err && i < START_TRIES; i++) {
        sandbox->restarts++;
        err = worker_start(sandbox, arena, ret_problem);
    }
    return err;
}

/* ---- a batch ---- */

static struct jq_call *batch_current(const struct batch *batch) {
    return &batch->calls[batch->queue[batch->answered]];
}

static int64_t batch_deadline_us(const struct batch *batch) {
    int64_t own_us = batch->sandbox->options.deadline_us, asked_us = batch_current(batch)->deadline_us;
    return asked_us && asked_us < own_us ? asked_us : own_us;
}

static void batch_clock(struct batch *batch) {
    batch->waited_us = 0;
    batch->cpu_us = child_cpu_us(&batch->sandbox->worker);
}

/* The parts of one call that are not sent yet. */
static size_t call_parts(const struct jq_call *call, struct frame_call *frame, size_t sent_bytes,
                         struct iovec ret_parts[3]) {
    *frame = (struct frame_call){call->function, call->input.n, call->event.n};
    const struct iovec whole[3] = {
        {frame, sizeof *frame}, {(void *)call->input.p, call->input.n}, {(void *)call->event.p, call->event.n}};
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t skipped = sent_bytes < whole[i].iov_len ? sent_bytes : whole[i].iov_len;
        sent_bytes -= skipped;
        if (skipped == whole[i].iov_len) continue;
        ret_parts[count++] = (struct iovec){(char *)whole[i].iov_base + skipped, whole[i].iov_len - skipped};
    }
    return count;
}

/* Sends as much as the socket takes; false when the worker is gone. */
static bool batch_send(struct batch *batch) {
    while (batch->sent < batch->queued) {
        const struct jq_call *call = &batch->calls[batch->queue[batch->sent]];
        struct frame_call frame;
        struct iovec parts[3];
        struct msghdr message = {.msg_iov = parts};
        message.msg_iovlen = call_parts(call, &frame, batch->sent_bytes, parts);
        ssize_t n = sendmsg(batch->sandbox->worker.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        batch->sent_bytes += (size_t)n;
        if (batch->sent_bytes < sizeof frame + call->input.n + call->event.n) continue;
        batch->sent++;
        batch->sent_bytes = 0;
    }
    return true;
}

/* Takes the answer that is complete; false when it is none that a sound worker gives. */
static bool batch_take(struct batch *batch) {
    struct jq_call *call = batch_current(batch);
    if (batch->answered >= batch->sent) return false;
    call->err = batch->head.err == ERR_NONE ? ERR_NONE : ERR_JQ_RUN;
    call->result = (struct str){batch->text, batch->head.text_bytes};
    batch->answered++;
    batch->got_bytes = 0;
    batch->deaths = 0;
    batch_clock(batch);
    return true;
}

/* Reads what is there; false when the worker is gone or talks nonsense. */
static bool batch_receive(struct batch *batch) {
    while (batch->answered < batch->queued) {
        bool in_head = batch->got_bytes < sizeof batch->head;
        char *into =
            in_head ? (char *)&batch->head + batch->got_bytes : batch->text + (batch->got_bytes - sizeof batch->head);
        size_t wanted = (in_head ? 0 : batch->head.text_bytes) + sizeof batch->head - batch->got_bytes;
        ssize_t n = recv(batch->sandbox->worker.fd, into, wanted, MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        if (n == 0) return false;
        batch->got_bytes += (size_t)n;
        if ((size_t)n < wanted) continue;
        if (in_head) {
            if (batch->head.text_bytes > JQ_RESULT_MAX) return false;
            batch->text = arena_alloc(batch->arena, batch->head.text_bytes + 1);
        }
        if (batch->got_bytes == sizeof batch->head + batch->head.text_bytes && !batch_take(batch)) return false;
    }
    return true;
}

/* Waits until the worker takes or gives something, at most until the present call may have used up its time. */
static bool batch_wait(struct batch *batch, int64_t left_us, short *ret_events) {
    short out = batch->sent < batch->queued ? POLLOUT : 0;
    struct pollfd wanted = {.fd = batch->sandbox->worker.fd, .events = (short)(POLLIN | out)};
    int64_t from_us = mono_us();
    int ready = poll(&wanted, 1, poll_ms(left_us));
    int64_t took_us = mono_us() - from_us;
    batch->waited_us += took_us < 2 * left_us ? took_us : 2 * left_us;
    *ret_events = wanted.revents;
    return ready > 0;
}

static enum batch_end batch_pump(struct batch *batch) {
    while (batch->answered < batch->queued) {
        short events;
        int64_t deadline_us = batch_deadline_us(batch);
        int64_t left_us = batch->cpu_us + deadline_us - child_cpu_us(&batch->sandbox->worker);
        if (left_us <= 0) left_us = 0; /* it may have answered all the same: look once more */
        if (!batch_wait(batch, left_us, &events)) {
            if (left_us == 0) return BATCH_LATE;
            if (batch->waited_us >= deadline_us * WALL_FACTOR) return BATCH_STARVED;
            continue;
        }
        if ((events & POLLOUT) && !batch_send(batch)) return BATCH_DEAD;
        if ((events & ~POLLOUT) && !batch_receive(batch)) return BATCH_DEAD;
    }
    return BATCH_DONE;
}

static void call_stop(struct jq_call *call, enum err err, struct str why) {
    call->err = err;
    call->result = why;
}

/* Gives up: none of the calls that are still to come is run. */
static void batch_give_up(struct batch *batch, struct str why) {
    for (; batch->answered < batch->queued; batch->answered++) call_stop(batch_current(batch), ERR_IO, why);
}

/* Takes every call of this function that is still to come out of the queue: where one call ran away the next ones may
 * do so too, and each costs its whole deadline. */
static void batch_drop(struct batch *batch, size_t function) {
    size_t kept = batch->answered;
    for (size_t i = batch->answered; i < batch->queued; i++) {
        struct jq_call *call = &batch->calls[batch->queue[i]];
        if (call->function == function)
            call_stop(call, ERR_IO, STR("not run: this program was stopped just before"));
        else
            batch->queue[kept++] = batch->queue[i];
    }
    batch->queued = kept;
}

/* Blames the call that was being run. */
static void batch_blame(struct batch *batch, enum batch_end end) {
    const struct sandbox_options *options = &batch->sandbox->options;
    struct jq_call *call = batch_current(batch);
    const char *what =
        end == BATCH_LATE ? "stopped: it ran longer than" : "stopped: it crashed or needed more memory than";
    struct str limit = end == BATCH_LATE ? span_str(batch->arena, batch_deadline_us(batch))
                                         : str_fmt(batch->arena, "%lld MiB", (long long)(options->memory_bytes >> 20));
    call_stop(call, ERR_JQ_RUNAWAY, str_fmt(batch->arena, "%s %.*s", what, STR_ARG(limit)));
    batch->answered++;
    batch->deaths = 0;
    batch_drop(batch, call->function);
}

/* A worker that died was perhaps killed by somebody else, such as a kernel that is short of memory. */
static void batch_ended(struct batch *batch, enum batch_end end) {
    if (end == BATCH_DONE) return;
    child_end(&batch->sandbox->worker);
    if (end == BATCH_STARVED)
        batch_give_up(batch, STR("not run: the jq worker is not given the processor"));
    else if (end == BATCH_LATE || ++batch->deaths > 1)
        batch_blame(batch, end);
}

static void sandbox_run(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    struct sandbox *sandbox = self;
    struct batch batch = {.sandbox = sandbox, .calls = calls, .arena = arena, .queued = count};
    batch.queue = arena_array(arena, size_t, count);
    for (size_t i = 0; i < count; i++) batch.queue[i] = i;
    while (batch.answered < batch.queued) {
        struct str problem;
        /* A worker that ended between two batches is no call's fault. */
        if (!child_is_quiet(&sandbox->worker) && worker_restart(sandbox, arena, &problem) != ERR_NONE) {
            batch_give_up(&batch, problem);
            return;
        }
        batch.sent = batch.answered;
        batch.sent_bytes = batch.got_bytes = 0;
        batch_clock(&batch);
        batch_ended(&batch, batch_pump(&batch));
    }
}

struct evaluator sandbox_evaluator(struct sandbox *sandbox) {
    return (struct evaluator){.run = sandbox_run, .self = sandbox};
}
