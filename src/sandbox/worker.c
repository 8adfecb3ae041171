/* sandbox/worker.c - the child's side: gives up the rights that it does not need, then answers calls until the socket
 * ends. See sandbox.h and frame.h. */
#include "base/arena.h"
#include "sandbox/frame.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))

/* A sanitizer maps terabytes and makes system calls of its own, so under one neither memory nor calls are limited. */
#if defined(__has_feature)
#define WORKER_HAS(feature) __has_feature(feature)
#else
#define WORKER_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || WORKER_HAS(address_sanitizer) ||                  \
    WORKER_HAS(thread_sanitizer) || WORKER_HAS(memory_sanitizer)
#define WORKER_IS_SANITIZED true
#else
#define WORKER_IS_SANITIZED false
#endif

/* The filter knows the numbers of calls on these machines. On others it is left out. */
#if defined(__x86_64__)
#define WORKER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define WORKER_ARCH AUDIT_ARCH_AARCH64
#else
#define WORKER_ARCH 0
#endif

/* What jq needs: to talk, memory, the time, to end. libc asks some of the others when input is large: qsort() looks at
 * the size of memory, abort() at its own ids. */
static const unsigned allowed_calls[] = {
    SYS_read,
    SYS_write,
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_futex,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_sysinfo,
    SYS_getpid,
    SYS_gettid,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sched_yield,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
};

/* Any other call fails with ENOSYS and does not kill. libc asks for more than it needs, another libc asks for other
 * things, and a worker that died of such a question would look like a program that ran away. When the kernel refuses
 * the filter, the limits alone hold the worker. */
static void worker_filter(void) {
    struct sock_filter code[ARRAY_COUNT(allowed_calls) + 6];
    unsigned short n = 0;
    const unsigned char count = ARRAY_COUNT(allowed_calls);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORKER_ARCH, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned char i = 0; i < count; i++) {
        unsigned char to_the_end = (unsigned char)(count - i);
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed_calls[i], to_the_end, 0);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = code};
    if (WORKER_ARCH != 0) (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static void limit_set(__rlimit_resource_t resource, rlim_t most) {
    struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    (void)setrlimit(resource, &limit);
}

/* Gives up rights before the program is compiled, because the program is not trusted either. */
static void worker_confine(int64_t memory_bytes) {
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE}; /* the worker ends when its socket does */
    for (size_t i = 0; i < ARRAY_COUNT(ignored); i++) (void)signal(ignored[i], SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit_set(RLIMIT_CORE, 0);
    limit_set(RLIMIT_FSIZE, 0);
    if (!WORKER_IS_SANITIZED) limit_set(RLIMIT_AS, (rlim_t)memory_bytes);
    (void)setenv("TZ", "UTC0", 1); /* looked up now, since the filter keeps its file out of reach later */
    tzset();
}

static bool read_whole(void *into, size_t bytes) {
    for (size_t got = 0; got < bytes;) {
        ssize_t n = read(STDIN_FILENO, (char *)into + got, bytes - got);
        if (n == 0 || (n < 0 && errno != EINTR)) return false;
        if (n > 0) got += (size_t)n;
    }
    return true;
}

static bool write_whole(const void *from, size_t bytes) {
    for (size_t put = 0; put < bytes;) {
        ssize_t n = write(STDIN_FILENO, (const char *)from + put, bytes - put);
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) put += (size_t)n;
    }
    return true;
}

static bool read_text(struct arena *arena, uint64_t bytes, struct str *ret_text) {
    char *text = arena_alloc(arena, (size_t)bytes);
    if (!read_whole(text, (size_t)bytes)) return false;
    *ret_text = (struct str){text, (size_t)bytes};
    return true;
}

/* Sends head and text in one write, so that the parent wakes once. */
static bool answer_send(struct arena *arena, enum err err, struct str text) {
    struct frame_answer answer = {.err = (uint32_t)err, .text_bytes = (uint32_t)text.n};
    struct buf buf = {.arena = arena};
    buf_add(&buf, (struct str){(const char *)&answer, sizeof answer});
    buf_add(&buf, text);
    return write_whole(buf.p, buf.n);
}

static bool worker_open(struct arena *arena, struct jq **ret_jq) {
    struct frame_hello hello;
    struct str program, problem = STR("");
    if (!read_whole(&hello, sizeof hello)) return false;
    worker_confine(hello.memory_bytes);
    if (!read_text(arena, hello.program_bytes, &program)) return false;
    enum err err = jq_open(program, ret_jq, arena, &problem);
    if (!err && !WORKER_IS_SANITIZED) worker_filter();
    return answer_send(arena, err, problem) && !err;
}

static bool worker_answer(struct jq *jq, struct arena *arena) {
    struct frame_call frame;
    struct jq_call call = {0};
    if (!read_whole(&frame, sizeof frame)) return false;
    if (!read_text(arena, frame.input_bytes, &call.input)) return false;
    if (!read_text(arena, frame.event_bytes, &call.event)) return false;
    call.function = (size_t)frame.function;
    jq_run(jq, &call, arena);
    return answer_send(arena, call.err, call.result);
}

int sandbox_worker_main(void) {
    struct arena arena = ARENA_EMPTY;
    struct jq *jq = NULL;
    bool goes_on = worker_open(&arena, &jq);
    while (goes_on) {
        arena_reset(&arena);
        goes_on = worker_answer(jq, &arena);
    }
    jq_close(jq);
    arena_free(&arena);
    return 0;
}
