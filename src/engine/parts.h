/* engine/parts.h - a turn that the database refused finds the one input that it is about. Private to the loop. */
#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct turn;

/* Where a turn stands: what an error is about. Where statements are sent without waiting for their answers, that is
 * only known of a careful turn, which waits for all of them before it goes on. */
enum turn_phase { PHASE_INPUTS, PHASE_ROUTING, PHASE_CLAIMS, PHASE_CHORES, PHASE_END };
struct turn_place {
    enum turn_phase phase;
    size_t of; /* CLAIMS: the desk; CHORES: the enum chore_name */
    bool careful;
};
MUST_USE enum err turn_enter(struct turn *turn, enum turn_phase phase, size_t of);
/* Whether the careful turn, which failed so, is to be done again without what is at fault: a chore, which is put off,
 * or a desk, else SIZE_MAX. */
bool turn_goes_without(struct turn *turn, enum err err, size_t *ret_desk);
void turn_put_off_desk(const struct turn *turn, size_t desk); /* of a turn that has only just begun again */
/* Whether the error may be about one input, or one row: what it wants of the database may not be there, either. */
bool turn_is_of_one(enum err err);
/* Whether a turn that failed with err can be divided by its inputs, and the division. */
bool turn_is_divisible(const struct turn *turn, enum err err);
MUST_USE enum err turn_in_parts(struct turn *turn, enum err cause);
/* Before a turn: tries the answers that were set aside, once their time has come. */
void turn_retry_aside(const struct turn *whole);
/* Of a turn that was undone because nothing can be written: who only asks is answered, and leaves turn->visits. */
void turn_answer_questions(struct turn *turn);
/* Logs and counts what the database refuses, or what a lock keeps out (HELD). */
void turn_say_refused(const struct turn *turn, enum err err, struct str what, struct str words);

#endif
