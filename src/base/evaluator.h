/* base/evaluator.h - the seam through which the pure rooms have jq run for them
 * (one of those of world.h; it stands here because pure rooms see no other).
 *
 * The programs are the operator's, the inputs are hostile, and libjq can
 * neither be interrupted nor trusted. So the real end is sandbox/sandbox.h,
 * which runs them in a process of its own; the simulated one and the tests run
 * them in the process (base/jq.h). Thread: the loop's.
 */
#ifndef BASE_EVALUATOR_H
#define BASE_EVALUATOR_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

/* One call of a numbered function. input and event are JSON texts ("" = null). The first output is the result; no
 * output is "". err is ERR_NONE, ERR_JQ_RUN (the result is jq's message), ERR_JQ_RUNAWAY (it was stopped) or ERR_IO (it
 * was not run, for a reason that is not its own: ask again later). */
struct jq_call {
    size_t function;
    struct str input, event;
    enum err err;
    struct str result;   /* JSON text, in the arena given to run */
    int64_t deadline_us; /* of processor time, where it is less than the evaluator's own; 0 = that one */
};

/* Runs a batch of calls, each of which gets an err of its own; the batch never fails as a whole. A call that is stopped
 * for running away gets ERR_JQ_RUNAWAY. Later calls of the same function in the batch are then not run (ERR_IO); calls
 * of other functions are. */
struct evaluator {
    void (*run)(void *self, struct jq_call *calls, size_t count, struct arena *arena);
    void *self;
};

/* Starts evaluators beside the configuration's, for a program that a person asks with. */
struct evaluator_maker {
    /* JQ_COMPILE with libjq's words; IO: none can be had now, with the reason. */
    MUST_USE enum err (*open)(void *self, struct str program, struct arena *arena, struct evaluator *ret_evaluator,
                              struct str *ret_problem);
    void (*close)(void *self, struct evaluator evaluator);
    void *self;
};

#endif
