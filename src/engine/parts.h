/* engine/parts.h - a turn that the database refused finds the one input that it is about. Private to the loop. */
#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include "base/err.h"
#include "base/str.h"

struct turn;

/* Whether a turn that failed with err can be divided by its inputs, and the division. */
bool turn_is_divisible(const struct turn *turn, enum err err);
MUST_USE enum err turn_in_parts(struct turn *turn, enum err cause);
/* Of a turn that was undone because nothing can be written: who only asks is answered, and leaves turn->visits. */
void turn_answer_questions(struct turn *turn);
/* The database refused what the turn made of due events or of unmade deliveries: the next one makes fewer, or refuses
 * the one that it is. */
void turn_route_fewer(struct turn *turn, struct str words);
void turn_route_more(struct turn *turn); /* after a commit */

#endif
