/* sandbox/sandbox.h - jq in a process of its own.
 *
 * libjq cannot be interrupted, and hostile input may make it abort or corrupt memory. So the engine runs in a child
 * with limits on memory (RLIMIT_AS) and without rights that it does not need (seccomp lets it read, write, allocate,
 * ask for the time and end). A batch of calls goes over a socket pair. A call that uses more processor time than its
 * deadline, or under which two workers die, is marked ERR_JQ_RUNAWAY; the rest of its function's calls in the batch are
 * not run (ERR_IO), all others are. The child holds no secrets: it is this program, executed anew with an empty
 * environment (`drumbeat jq-worker`, a hidden command), and reads the jq program from its input.
 * Thread: one. The simulator uses base/jq.h directly instead.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/gauge.h"
#include "base/jq.h"

struct sandbox;

struct sandbox_options {
    struct str executable; /* "/proc/self/exe" but for tests */
    int64_t deadline_us;   /* of processor time, for one call; 250 ms */
    int64_t memory_bytes;  /* RLIMIT_AS of the child; 256 MiB */
};
/* Starts the child and compiles the program in it. JQ_COMPILE with the words of libjq. */
MUST_USE enum err sandbox_open(const struct sandbox_options *options, struct str program, struct arena *arena,
                               struct sandbox **ret_sandbox, struct str *ret_problem);
void sandbox_close(struct sandbox *sandbox);
struct evaluator sandbox_evaluator(struct sandbox *sandbox);
uint64_t sandbox_restarts(const struct sandbox *sandbox);
struct gauge_set sandbox_gauges(const struct sandbox *sandbox);

/* The child's main: serves calls on descriptor 0 until it ends. */
int sandbox_worker_main(void);

#endif
