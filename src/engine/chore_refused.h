/* engine/chore_refused.h - chores whose steps the database refuses, or somebody's lock keeps out: the turn goes on
 * without them. Private to the loop. Thread: the loop's. */
#ifndef ENGINE_CHORE_REFUSED_H
#define ENGINE_CHORE_REFUSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "model/chore.h"

struct retirement;
struct turn;

/* What a process remembers of them; a part of struct chores. */
struct chores_refused {
    bool put_off[CHORE_COUNT]; /* it was refused last, and nothing of it was done since */
    char words[200];           /* the database's, of the last */
    /* Retirement goes around the events that it may not remove. */
    size_t retire_most;   /* events of a step; 0 = as many as it likes */
    int64_t retire_after; /* it goes on behind this one; 0 = where its round stands */
    int64_t retire_at;    /* the last that this turn's step removed, or wanted to */
    size_t retire_stuck;  /* events of this round that stayed */
    uint64_t retire_turn; /* in which a step was made that is not as large as it likes */
};

/* Call it of a careful turn that was refused, before it is undone. True: a chore was at fault; it is put off, and the
 * turn is to be done again. */
bool chores_refuse(struct turn *turn, enum err err);
/* One step of retirement, as large as the database lets it be. */
MUST_USE enum err chores_retire(struct turn *turn, int64_t before_us, int64_t after_seq, struct retirement *ret_done);
void chores_round_ended(struct turn *turn, enum chore_name name); /* nothing stood in its way, or some events did */
/* The first chore that is put off; STR_NONE = there is none. */
struct str chores_refused_name(const struct chores_refused *refused);

#endif
