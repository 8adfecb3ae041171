/* engine/parts.c - a turn that the database refused, in parts.
 *
 * WHAT      Finds the one request or the one answer for which the database refused a whole turn, or at which it would
 *           have had to wait for somebody else's transaction, and lets all others through.
 * PROMISE   One input costs one input. A request is answered 422 with the database's words, or 503 where a foreign lock
 *           stood in the way; a delivery is HELD with those words, or settled as soon as the lock is gone.
 * WHY IT HOLDS
 *           A turn that failed so was rolled back, and nothing of it happened. Its inputs are tried again, half as many
 *           at a time, each part in a transaction of its own, until one that fails is alone. After a part that went
 *           well twice as many are tried. So with k bad ones among n there are about 2 k log n transactions.
 *           Where no input was at fault but what is routed, fewer are routed by the next turns (stuck.c).
 *           A part settles, takes requests in and appends; it neither routes nor claims, so what it is refused for is
 *           what came in. Events that it stored are PENDING, and the next turn routes them.
 *           Locks are waited for briefly (store/driver_postgres.c), and all parts together for PARTS_US. What is left
 *           then is answered 503, and answers stay for a later turn, which begins with parts as small as this one ended
 *           with. One that is alone is dealt with however late it is. So each turn comes further.
 *           Chores are no inputs: chore_refused.c goes around what they want. Nor are claims: a desk for which one is
 *           refused waits for CLAIM_US, and the others go on. On PostgreSQL an answer may come when something else has
 *           been begun. So a turn that was refused is run again carefully, and hears each before it goes on.
 *           An answer that a lock keeps out, or of which nothing can be written, is set aside, and its destination goes
 *           on. Each second one of them is tried again, alone, so that no other input waits for its lock.
 *           A table, a column or a right that is missing may be missing for one input alone, in a trigger. Its request
 *           is answered 503: where all lack it, nobody's event may be turned away for good.
 * WHAT BREAKS IT
 *           A delivery that cannot be claimed holds up its own destination. TURN_COMPLETIONS_MAX answers of which
 *           nothing can be written hold up all others; from ASIDE_FREE_MAX on they hold up their destinations.
 * HOW TO SEE IT
 *           The log lines input_refused, input_locked_out and claim_refused; drumbeat_inputs_refused_total; `drumbeat
 *           todo`, cause claim.
 * TESTED BY test/unit/engine/test_parts.c, test/e2e/test_refused.py
 */
#include "engine/parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "engine/turn.h"
#include "store/memory.h"

#define PARTS_US       (2 * US_PER_S)
#define CLAIM_US       (5 * US_PER_S) /* a desk whose claim is refused claims again after this */
#define ASIDE_US       US_PER_S       /* an answer that a foreign lock keeps out is tried again after this */
#define ASIDE_TRIES    16             /* in a turn, while they go through, */
#define ASIDE_FAILURES 2              /* but for so many */
#define ASIDE_FREE_MAX 256

bool turn_is_of_one(enum err err) {
    return err == ERR_STORE_REFUSED || err == ERR_STORE_HELD || err == ERR_STORE_UNFIT;
}

static bool routing_fails(const struct turn *turn) {
    return turn->place.careful && turn->place.phase == PHASE_ROUTING;
}

bool turn_is_divisible(const struct turn *turn, enum err err) {
    return turn_is_of_one(err) && (turn->visit_count + turn->loop->finished_count > 0 || routing_fails(turn));
}

/* ---- desks and chores ---- */

enum err turn_enter(struct turn *turn, enum turn_phase phase, size_t of) {
    if (turn->place.careful) TRY(store_hear(turn->loop->options.store));
    turn->place.phase = phase;
    turn->place.of = of;
    return ERR_NONE;
}

static void note_claim(const struct turn *turn, enum err err, size_t desk) {
    struct loop *loop = turn->loop;
    struct claim_refusal *refused = &loop->claim_refused;
    refused->desk = desk;
    refused->until_us = turn->now_us + 2 * CLAIM_US;
    snprintf(refused->words, sizeof refused->words, "%s", store_trouble(loop->options.store));
    log_event(loop->options.log, LOG_WARN, turn->wall_us, "claim_refused",
              LOG_TEXT("destination", deliver_view(loop->deliver, desk, turn->now_us).name),
              LOG_TEXT("code", str_from(err_code(err))), LOG_ABOUT("reason", str_from(refused->words)));
}

bool turn_goes_without(struct turn *turn, enum err err, size_t *ret_desk) {
    bool claims = turn->place.phase == PHASE_CLAIMS;
    *ret_desk = claims ? turn->place.of : SIZE_MAX;
    if (claims) note_claim(turn, err, *ret_desk);
    return claims || chores_refuse(turn, err);
}

void turn_put_off_desk(const struct turn *turn, size_t desk) {
    deliver_wait(turn->loop->deliver, desk, turn->now_us + CLAIM_US);
    deliver_commit(turn->loop->deliver);
}

/* ---- a part ---- */

/* A turn of its own for the next `count` inputs: the visits given, or the answers that loop->finished points to. */
static struct turn part_of(const struct turn *whole, struct visit *visits, size_t count) {
    struct loop *loop = whole->loop;
    for (size_t i = 0; i < count; i++) visits[i] = (struct visit){.request = visits[i].request};
    loop->service_stale = true;
    return (struct turn){.loop = loop,
                         .arena = whole->arena,
                         .now_us = whole->now_us,
                         .wall_us = whole->wall_us,
                         .visits = visits,
                         .visit_count = count,
                         .only_inputs = true,
                         .place = {.careful = true}}; /* what clashes was tried often enough */
}

static enum err part_try(struct turn *part) {
    enum err err = turn_try(part);
    if (err)
        turn_undo(part);
    else
        turn_apply(part);
    return err;
}

void turn_say_refused(const struct turn *part, enum err err, struct str what, struct str words) {
    log_event(part->loop->options.log, LOG_WARN, part->wall_us,
              err == ERR_STORE_HELD ? "input_locked_out" : "input_refused", LOG_TEXT("input", what),
              LOG_TEXT("reason", words));
    metrics_input(part->loop->metrics, err == ERR_STORE_HELD);
}

static struct str words_of(const struct turn *part, enum err err) {
    const char *words = store_trouble(part->loop->options.store);
    return str_dup(part->arena, str_from(*words ? words : err_text(err)));
}

/* The size of the first part: a half, or what the last turn came down to when its time was over. */
static size_t first_size(const struct loop *loop, size_t count) {
    size_t half = (count + 1) / 2;
    return loop->parts_max && loop->parts_max < half ? loop->parts_max : half;
}

/* The size of the next part: half as many inputs after one that failed, twice as many after one that went well. */
static size_t next_size(size_t size, enum err err, size_t left) {
    if (err) return (size + 1) / 2;
    return 2 * size < left ? 2 * size : left;
}

/* ---- requests ---- */

static void refuse_one(struct turn *part, enum err err) {
    struct str words = words_of(part, err);
    turn_say_refused(part, err, part->visits[0].request->path, words);
    turn_refuse(part, err, err == ERR_STORE_REFUSED ? words : STR_NONE);
}

static enum err refuse_rest(const struct turn *whole, size_t done, enum err err) {
    struct turn rest = part_of(whole, whole->visits + done, whole->visit_count - done);
    turn_refuse(&rest, err_http(err) == 503 ? err : ERR_STORE_FAILED, STR_NONE);
    return err;
}

/* Answers all requests in parts. An error of another kind, or the end of the time, ends this: all requests that are
 * left are refused together. */
static enum err visits_in_parts(const struct turn *whole, int64_t end_us) {
    const struct clock *clock = &whole->loop->options.clock;
    size_t done = 0, size = first_size(whole->loop, whole->visit_count);
    enum err err = ERR_NONE;
    while (done < whole->visit_count) {
        size_t left = whole->visit_count - done;
        struct turn part = part_of(whole, whole->visits + done, size < left ? size : left);
        err = part_try(&part);
        bool found = turn_is_of_one(err) && part.visit_count == 1;
        if (found) refuse_one(&part, err);
        if (found || !err) done += part.visit_count;
        if (err && (!turn_is_of_one(err) || clock->now_us(clock->self) > end_us)) {
            whole->loop->parts_max = (part.visit_count + 1) / 2;
            return refuse_rest(whole, done, err);
        }
        if (part.event_count && !err) whole->loop->next_scheduled_us = whole->wall_us; /* the next turn routes them */
        size = found ? 1 : next_size(part.visit_count, err, whole->visit_count - done);
    }
    return ERR_NONE;
}

/* ---- questions ---- */

static bool asks_only(const struct visit *visit) {
    return str_eq(visit->request->method, STR("GET")) || str_eq(visit->request->method, STR("HEAD"));
}

/* Answers of destinations stay for the turn in which they can be stored. */
void turn_answer_questions(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct visit *questions = arena_array(turn->arena, struct visit, turn->visit_count);
    size_t asked = 0, others = 0, finished_count = loop->finished_count;
    enum err trouble = loop->trouble;
    for (size_t i = 0; i < turn->visit_count; i++) asked += asks_only(&turn->visits[i]);
    if (!asked) return;
    asked = 0;
    for (size_t i = 0; i < turn->visit_count; i++)
        if (asks_only(&turn->visits[i]))
            questions[asked++] = turn->visits[i];
        else
            turn->visits[others++] = turn->visits[i];
    loop->finished_count = 0;
    struct turn part = part_of(turn, questions, asked);
    enum err err = part_try(&part);
    loop->finished_count = finished_count;
    loop->trouble = trouble;
    if (err) turn_refuse(&part, err_http(err) == 503 ? err : ERR_STORE_FAILED, STR_NONE);
    turn->visit_count = others;
}

/* ---- answers ---- */

/* Its destination goes on meanwhile, unless very many are set aside: what they keep is not without end. */
static void set_aside(struct turn *part) {
    struct loop *loop = part->loop;
    assert(loop->aside_count + loop->finished_count <= TURN_COMPLETIONS_MAX); /* turn_collect leaves room for them */
    if (loop->aside_count < ASIDE_FREE_MAX) turn_free_slot(part, &loop->finished[0]);
    if (!loop->aside_count) loop->aside_until_us = part->now_us + ASIDE_US;
    loop->aside[loop->aside_count++] = loop->finished[0];
    loop->finished_count = 0;
}

/* A delivery whose answer was refused becomes HELD instead of what it came to. */
static bool hold(const struct turn *whole, enum err err, struct str words) {
    struct turn part = part_of(whole, NULL, 0);
    part.refused = words;
    return err != ERR_STORE_HELD && !part_try(&part);
}

/* An answer that a foreign lock keeps out is set aside; so is one for which something is missing, where nothing can be
 * written of it. If the database refuses even to hold one, its lease runs out and it is settled as lost. */
static void hold_one(const struct turn *whole, enum err err) {
    struct turn part = part_of(whole, NULL, 0);
    struct str words = words_of(&part, err);
    turn_say_refused(&part, err, STR("an answer"), words);
    if (hold(whole, err, words)) return;
    if (err == ERR_STORE_REFUSED)
        turn_release_finished(&part);
    else
        set_aside(&part);
}

/* One after the other, until some do not go through: these are the last from now on. Each is alone in its
 * transaction, so that nobody else waits for its lock with it. */
void turn_retry_aside(const struct turn *whole) {
    struct loop *loop = whole->loop;
    struct completion *finished = loop->finished;
    size_t count = loop->finished_count;
    int failures = 0;
    if (whole->now_us < loop->aside_until_us || whole->now_us < loop->store_retry_us) return;
    for (int tries = 0; tries < ASIDE_TRIES && loop->aside_count && failures < ASIDE_FAILURES; tries++) {
        struct completion first = loop->aside[0];
        loop->finished = &first;
        loop->finished_count = 1;
        struct turn part = part_of(whole, NULL, 0);
        enum err err = part_try(&part);
        if (turn_is_of_one(err) && hold(whole, err, words_of(&part, err))) err = ERR_NONE;
        if (err == ERR_STORE_REFUSED) turn_release_finished(&part);
        bool over = !err || err == ERR_STORE_REFUSED;
        failures += over ? 0 : turn_is_of_one(err) ? 1 : ASIDE_FAILURES;
        memmove(loop->aside, loop->aside + 1, (loop->aside_count - 1) * sizeof *loop->aside);
        if (over)
            loop->aside_count--;
        else
            loop->aside[loop->aside_count - 1] = first;
    }
    loop->finished = finished;
    loop->finished_count = count;
    loop->aside_until_us = whole->now_us + (failures ? ASIDE_US : 0);
}

/* Settles all answers in parts. turn_try reads loop->finished, so that points to the part's answers meanwhile. */
static enum err answers_in_parts(const struct turn *whole, int64_t end_us) {
    struct loop *loop = whole->loop;
    const struct clock *clock = &loop->options.clock;
    struct completion *all = loop->finished;
    size_t count = loop->finished_count, done = 0, size = first_size(loop, count);
    enum err err = ERR_NONE;
    while (done < count) {
        size_t left = count - done, now = size < left ? size : left;
        loop->finished = all + done;
        loop->finished_count = now;
        struct turn part = part_of(whole, NULL, 0);
        err = part_try(&part);
        bool found = turn_is_of_one(err) && now == 1;
        if (found) hold_one(whole, err);
        if (found || !err) done += now;
        if (err && (!turn_is_of_one(err) || clock->now_us(clock->self) > end_us)) {
            loop->parts_max = (now + 1) / 2;
            break;
        }
        size = found ? 1 : next_size(now, err, count - done);
    }
    for (size_t i = done; i < count; i++) all[i - done] = all[i];
    loop->finished = all;
    loop->finished_count = count - done;
    return done < count ? err : ERR_NONE;
}

/* Requests go first, with all answers put out of the way, because each part also settles what loop->finished holds. An
 * error in the answers leaves them for a later turn, while every request has been replied to by then. */
enum err turn_in_parts(struct turn *turn, enum err cause) {
    struct loop *loop = turn->loop;
    const struct clock *clock = &loop->options.clock;
    int64_t end_us = clock->now_us(clock->self) + PARTS_US;
    struct str words = words_of(turn, cause);
    turn_undo(turn);
    quota_end(turn, false);
    loop->next_scheduled_us = turn->wall_us; /* what it routed is due again */
    struct completion *all = loop->finished;
    size_t count = loop->finished_count;
    loop->finished_count = 0;
    enum err err = visits_in_parts(turn, end_us);
    loop->finished = all;
    loop->finished_count = count;
    turn->visit_count = 0; /* all were replied to */
    if (routing_fails(turn)) stuck_route_fewer(turn, cause, words);
    if (!err) err = answers_in_parts(turn, end_us);
    if (!err) loop->parts_max = 0;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) deliver_due(loop->deliver, i, turn->now_us);
    loop->store_retry_us = turn->now_us + (err ? US_PER_S : 0);
    return err_class(err) == ERR_CLASS_FATAL ? err : ERR_NONE;
}
