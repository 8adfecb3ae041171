/* base/jq.h - all jq of a configuration, as one compiled program of numbered
 * functions. The pure rooms call it through base/evaluator.h.
 *
 * The only file that knows libjq (which is treated as untrusted code: see
 * sandbox/sandbox.h, which runs an engine in a process of its own). Programs
 * are written by the operator; inputs are hostile. A function sees `.` (its
 * input) and `$event` (the whole event, or null). env, $ENV, input, debug,
 * halt, include, import and friends are taken away; `now` is the event's
 * scheduled_at in seconds, so that a replay gives the same answer; localtime is
 * UTC. `drumbeat_one(f)` is the first output of f or null, `drumbeat_text` what
 * a value looks like inside a text: both for texts that are made by the rooms.
 * Numbers are doubles: integers past 2^53 are rounded.
 * Thread: an engine belongs to one thread. Compiling costs about 20 ms, and 1 ms
 * more for each function.
 */
#ifndef BASE_JQ_H
#define BASE_JQ_H

#include "base/evaluator.h"

#define JQ_FUNCTIONS_MAX 4096
#define JQ_TEXT_MAX      ((size_t)16384)    /* one expression, bytes */
#define JQ_RESULT_MAX    ((size_t)4 << 20)  /* one result; more is ERR_JQ_RUN */
#define JQ_MESSAGE_MAX   ((size_t)500)      /* longer messages of programs are cut */
#define JQ_OUTPUT_MAX    ((size_t)64 << 20) /* of jq_filter, all outputs */

/* Collects functions; zeros with .arena set are ready for use. */
struct jq_source {
    struct arena *arena;
    struct str *texts;
    size_t count, room;
};
/* Adds an expression, gives its number. The same text added twice gets the same number; the text is borrowed. SIZE_MAX
 * when there are JQ_FUNCTIONS_MAX others; calling that number gives an error, not a crash. */
size_t jq_add(struct jq_source *source, struct str expression);
/* A lexical look at one expression: balanced brackets and strings, length, no include/import.
 * NULL when fine, else a sentence in arena. Cheap; no compile. */
const char *jq_lex_problem(struct arena *arena, struct str expression);
/* Index of the first '}' that closes no '{' of the text, by jq's lexical rules; SIZE_MAX when there is none. What
 * stands before it may be wrong in other ways. */
size_t jq_closing_brace(struct str text);
/* Whether what the expression gives is surely the outcome of = or of |=, += and the like: the whole input, changed, and
 * so true for every object. False where it cannot be told. */
bool jq_assigns(struct str text);
/* The same look at an expression of which only true or false is wanted, and a sentence too for one that jq_assigns
 * finds, with its place. */
const char *jq_condition_problem(struct arena *arena, struct str expression);
/* Compiles one expression alone, in this process. On failure *ret_problem is a sentence for a person without
 * libjq's "at <top-level>" noise. */
MUST_USE enum err jq_check(struct arena *arena, struct str expression, struct str *ret_problem);
/* The same for many, fast when few are bad: ret_problems[i] is "" when expressions[i] compiles. */
void jq_check_all(struct arena *arena, const struct str *expressions, size_t count, struct str *ret_problems);
/* The whole program's text. */
struct str jq_program(const struct jq_source *source, struct arena *arena);

struct jq; /* an engine: one compiled program */
MUST_USE enum err jq_open(struct str program, struct jq **ret_jq, struct arena *arena, struct str *ret_problem);
void jq_close(struct jq *jq);

/* Runs one call in this process; nothing bounds its time or memory. */
void jq_run(struct jq *jq, struct jq_call *call, struct arena *arena);

/* `drumbeat --jq EXPR`: all outputs of one expression over one JSON text, one a line (texts raw when raw is set).
 * JQ_COMPILE, JQ_RUN or LIMIT with *ret_problem; what was put out before the trouble is dropped. */
MUST_USE enum err jq_filter(struct arena *arena, struct str expression, struct str input, bool raw,
                            struct str *ret_output, struct str *ret_problem);

#endif
