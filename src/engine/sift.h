/* engine/sift.h - the jq of a plan to send again: which events it lets through.
 *
 * The expression is a person's and the payloads are hostile, so it runs in an evaluator of its own (evaluator_maker of
 * base/evaluator.h), which is kept while one plan is made. Private to the loop's own files; thread: the loop's. */
#ifndef ENGINE_SIFT_H
#define ENGINE_SIFT_H

#include "base/arena.h"
#include "base/evaluator.h"

struct event;
struct loop;

/* Zeros are ready for use. */
struct sift {
    struct arena arena; /* of text */
    struct str text;    /* what the evaluator was made of; "" = there is none */
    struct evaluator evaluator;
};

enum sift_verdict {
    SIFT_IN,
    SIFT_OUT,     /* it gave false, null or nothing */
    SIFT_FAILED,  /* an error of its own on this event */
    SIFT_RUNAWAY, /* it was stopped on this event */
    SIFT_LATER,   /* it was not run: ask again */
};
struct sifted {
    enum sift_verdict verdict;
    struct str words; /* of FAILED, RUNAWAY and LATER */
};
/* Asks the expression of each event that is wanted: `.` is its payload, $event all of it. ret_sifted[i] is of
 * events[i], and OUT where it is not wanted. */
void sift_events(struct loop *loop, struct str expression, const struct event *events, const bool *wanted, size_t count,
                 struct arena *arena, struct sifted *ret_sifted);
/* The plan is made, or will not be: the evaluator ends. */
void sift_close(struct loop *loop);

#endif
