/* engine/doubt.c - a part of the chores: what is held because nobody knows whether it arrived is looked up now and
 * then, where the provider can be asked. A step looks at a page of what is held; the lookups keep to the limits of
 * their destination as sends do. */
#include "store/doubt.h"
#include "deliver/backlog.h"
#include "deliver/heir.h"
#include "deliver/settle.h"
#include "engine/turn.h"
#include "store/chore.h"

#define DOUBT_STEP    ((size_t)256)
#define DOUBT_MIN_US  (15 * US_PER_MIN) /* between two times that one is looked up ... */
#define DOUBT_SHARE   8                 /* ... or this part of its age ... */
#define DOUBT_LIFE_US (7 * US_PER_DAY)  /* ... until it is so old */

/* When a delivery that is held in doubt is looked up again: soon at first, then ever less often, in the end not at all.
 */
static bool is_to_be_looked_up(const struct turn *turn, const struct doubtful *held) {
    int64_t age_us = turn->now_us - held->first_sent_us, wait_us = age_us / DOUBT_SHARE;
    if (!held->in_doubt || age_us > DOUBT_LIFE_US) return false;
    if (wait_us < DOUBT_MIN_US) wait_us = DOUBT_MIN_US;
    size_t desk = deliver_known(turn->loop->deliver, held->destination);
    return turn->now_us - held->updated_us >= wait_us && desk != SIZE_MAX &&
           settle_can_look_up(deliver_settings(turn->loop->deliver, desk), held->action, false);
}

/* What is held because nobody knows whether it arrived is looked up now and then, where the provider can be asked. A
 * step looks at a page of what is held; the lookups keep to the limits of their destination as sends do. */
enum err doubt_step(struct turn *turn, struct chore_round *round, bool *ret_more) {
    struct loop *loop = turn->loop;
    struct doubtful *held;
    int64_t seqs[DOUBT_STEP];
    size_t count, picked = 0, done;
    TRY(store_doubtful(loop->options.store, round->last_seq, DOUBT_STEP, turn->arena, &held, &count));
    for (size_t i = 0; i < count; i++) {
        turn->chores.doubts |= held[i].in_doubt;
        if (!is_to_be_looked_up(turn, &held[i])) continue;
        size_t desk = deliver_known(loop->deliver, held[i].destination);
        backlog_change(loop->deliver, desk, 1);
        deliver_due(loop->deliver, desk, turn->now_us);
        seqs[picked++] = held[i].seq;
    }
    TRY(store_look_up(loop->options.store, seqs, picked, turn->now_us, turn->arena, &done));
    round->found += (int64_t)done;
    *ret_more = count == DOUBT_STEP;
    if (count) round->last_seq = held[count - 1].seq;
    return ERR_NONE;
}
