/* engine/chore_refused.c - see chore_refused.h.
 *
 * WHAT. What a chore wants of the database may be refused for one row: a foreign key of somebody's table points at an
 * event that is old enough to go, a trigger objects, a transaction holds the row locked.
 * PROMISE. That costs the chore some time, and the line nothing: the same turn is done again without it.
 * WHY IT HOLDS.
 * 1. A turn that is refused is run again carefully (turn_enter): then the chore at fault is known.
 * 2. Each try puts one chore off, or makes the step of retirement smaller, or passes over one event; and tries have a
 *    number and a time at which they end (turn_try).
 * 3. Retirement halves its step until one event is left. That one is passed over until the next round, which begins at
 *    the front again. After each RETIRE_STUCK_MAX of them it pauses.
 * 4. A start does not wait for leases that cannot be settled: what is under them is open, so nothing overtakes it.
 * WHAT BREAKS IT. One lease that cannot be settled keeps the others of its step, until it is mended.
 * HOW TO SEE IT. The log line chore_refused; `drumbeat todo`, cause chore.
 * TESTED BY test/unit/engine/test_chore_refused.c, test/e2e/test_refused.py. */
#include "engine/chore_refused.h"

#include <stdio.h>

#include "base/when.h"
#include "engine/turn.h"
#include "store/chore.h"

#define AGAIN_US         US_PER_MIN
#define RETIRE_STUCK_US  (10 * US_PER_MIN) /* between two rounds of retirement in which events stay */
#define RETIRE_STUCK_MAX 16                /* events that retirement passes over in one go */
#define RETIRE_STEP      ((size_t)32)

/* False: so many events stood in its way that it pauses. */
static bool go_around(struct chores_refused *refused, int64_t event_seq) {
    size_t most = refused->retire_most ? refused->retire_most : RETIRE_STEP;
    if (most > 1) {
        refused->retire_most = most / 2;
        return true;
    }
    refused->retire_after = event_seq;
    return ++refused->retire_stuck % RETIRE_STUCK_MAX != 0;
}

bool chores_refuse(struct turn *turn, enum err err) {
    struct loop *loop = turn->loop;
    struct chores_refused *refused = &loop->chores.refused;
    if (turn->place.phase != PHASE_CHORES) return false;
    enum chore_name name = (enum chore_name)turn->place.of;
    snprintf(refused->words, sizeof refused->words, "%s", store_trouble(loop->options.store));
    log_event(loop->options.log, LOG_WARN, turn->wall_us, "chore_refused", LOG_TEXT("chore", chore_text(name)),
              LOG_TEXT("code", str_from(err_code(err))), LOG_ABOUT("reason", str_from(refused->words)));
    refused->put_off[name] = true;
    if (name == CHORE_RETIREMENT && go_around(refused, turn->chores.refused.retire_at)) return true;
    if (name == CHORE_LEASES) loop->recovering = false;
    loop->chores.due_us[name] = turn->now_us + AGAIN_US;
    return true;
}

/* While its step is small a turn makes one, so that it is known which events were refused. */
enum err chores_retire(struct turn *turn, int64_t before_us, int64_t after_seq, struct retirement *ret_done) {
    struct chores_refused *refused = &turn->chores.refused;
    size_t most = refused->retire_most ? refused->retire_most : RETIRE_STEP;
    bool again = refused->retire_most && refused->retire_turn == turn->loop->turns;
    if (refused->retire_after > after_seq) after_seq = refused->retire_after;
    *ret_done = (struct retirement){.last_seq = after_seq, .more = true};
    if (again) return ERR_NONE;
    if (refused->retire_most) refused->retire_turn = turn->loop->turns;
    enum err err = store_retire(turn->loop->options.store, before_us, most, after_seq, ret_done);
    refused->retire_at = ret_done->last_seq;
    if (!err && refused->retire_most) refused->retire_most = most < RETIRE_STEP ? 2 * most : 0;
    return err;
}

void chores_round_ended(struct turn *turn, enum chore_name name) {
    struct chores_refused *refused = &turn->chores.refused;
    bool stuck = name == CHORE_RETIREMENT && refused->retire_stuck;
    refused->put_off[name] = stuck;
    if (stuck) turn->chores.due_us[name] = turn->now_us + RETIRE_STUCK_US;
    if (name != CHORE_RETIREMENT) return;
    refused->retire_after = 0;
    refused->retire_stuck = 0;
}

struct str chores_refused_name(const struct chores_refused *refused) {
    for (int i = 0; i < CHORE_COUNT; i++)
        if (refused->put_off[i]) return chore_text((enum chore_name)i);
    return STR_NONE;
}
