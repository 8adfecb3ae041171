/* sandbox/frame.h - what goes over the socket pair. Both ends are the same
 * program, so structs travel as they lie in memory.
 *
 *   to the worker:    one hello, the program; then call, input, event, ...
 *   from the worker:  one answer to the hello and one to each call, in order,
 *                     each with its text behind it, each sent as soon as known
 */
#ifndef SANDBOX_FRAME_H
#define SANDBOX_FRAME_H

#include <stdint.h>

struct frame_hello {
    int64_t memory_bytes;
    uint64_t program_bytes;
};
struct frame_call {
    uint64_t function;
    uint64_t input_bytes, event_bytes;
};
struct frame_answer {
    uint32_t err;        /* ERR_NONE, ERR_JQ_COMPILE (hello only) or ERR_JQ_RUN */
    uint32_t text_bytes; /* at most JQ_RESULT_MAX; a worker that says more is not believed */
};

#endif
