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
 *           Where no input was at fault it is an event that is due, or a delivery that its route makes late: fewer are
 *           routed by the next turns, until one that fails is alone. That one is FAILED with the words.
 *           A part settles, takes requests in and appends; it neither routes nor claims, so what it is refused for is
 *           what came in. Events that it stored are PENDING, and the next turn routes them.
 *           Locks are waited for briefly (store/driver_postgres.c), and all parts together for PARTS_US. What is left
 *           then is answered 503, and answers stay for a later turn.
 *           Chores are no inputs: chore_refused.c goes around what they want. Nor are claims: a desk for which one is
 *           refused waits for CLAIM_US, and the others go on. On PostgreSQL an answer may come when something else has
 *           been begun. So a turn that was refused is run again carefully, and hears each before it goes on.
 *           A table, a column or a right that is missing may be missing for one input alone, in a trigger. Its request
 *           is answered 503: where all lack it, nobody's event may be turned away for good.
 * WHAT BREAKS IT
 *           A delivery that cannot be claimed holds up its own destination.
 * HOW TO SEE IT
 *           The log lines input_refused, input_locked_out and claim_refused; drumbeat_inputs_refused_total; `drumbeat
 *           todo`, cause claim.
 * TESTED BY test/unit/engine/test_parts.c, test/e2e/test_refused.py
 */
#include "engine/parts.h"

#include <assert.h>
#include <stdio.h>

#include "engine/turn.h"
#include "store/memory.h"

#define PARTS_US      (2 * US_PER_S)
#define PARTS_DUE_MAX 500
#define CLAIM_US      (5 * US_PER_S) /* a desk whose claim is refused claims again after this */
#define ASIDE_US      US_PER_S       /* an answer that a foreign lock keeps out is tried again after this */

bool turn_is_of_one(enum err err) {
    return err == ERR_STORE_REFUSED || err == ERR_STORE_HELD || err == ERR_STORE_UNFIT;
}

bool turn_is_divisible(const struct turn *turn, enum err err) {
    return turn_is_of_one(err) && turn->visit_count + turn->loop->finished_count > 0;
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
                         .only_inputs = true};
}

static enum err part_try(struct turn *part) {
    enum err err = turn_try(part);
    if (err)
        turn_undo(part);
    else
        turn_apply(part);
    return err;
}

static void say(const struct turn *part, enum err err, struct str what, struct str words) {
    log_event(part->loop->options.log, LOG_WARN, part->wall_us,
              err == ERR_STORE_HELD ? "input_locked_out" : "input_refused", LOG_TEXT("input", what),
              LOG_TEXT("reason", words));
    metrics_input(part->loop->metrics, err == ERR_STORE_HELD);
}

static struct str words_of(const struct turn *part, enum err err) {
    const char *words = store_trouble(part->loop->options.store);
    return str_dup(part->arena, str_from(*words ? words : err_text(err)));
}

/* The size of the next part: half as many inputs after one that failed, twice as many after one that went well. */
static size_t next_size(size_t size, enum err err, size_t left) {
    if (err) return (size + 1) / 2;
    return 2 * size < left ? 2 * size : left;
}

/* ---- what is routed ---- */

static struct str keep_words(struct turn *turn, const char *what, struct str words) {
    struct loop *loop = turn->loop;
    say(turn, ERR_STORE_REFUSED, str_from(what), words);
    snprintf(loop->refused_words, sizeof loop->refused_words, "the database refused it: %.*s", STR_ARG(words));
    return str_from(loop->refused_words);
}

/* Unmade deliveries come first. Until they have passed, no due event is routed in a turn that makes some, so that it is
 * known what was refused. */
static void make_fewer(struct turn *turn, struct str words) {
    struct loop *loop = turn->loop;
    bool alone = loop->unmade_max == 1 && turn->made_count == 1;
    loop->unmade_max = (turn->made_count + 1) / 2;
    if (!alone) return;
    loop->refused_unmade = keep_words(turn, "a delivery that its route makes late", words);
    loop->refused_unmade_seq = turn->made[0].seq;
}

void turn_route_fewer(struct turn *turn, struct str words) {
    struct loop *loop = turn->loop;
    if (!turn->place.careful || turn->place.phase != PHASE_ROUTING) return; /* it is, or may be, about something else */
    if (turn->made_count) make_fewer(turn, words);
    if (turn->made_count || !turn->due_count) return;
    loop->next_scheduled_us = turn->wall_us;
    loop->due_max = (turn->due_count + 1) / 2;
    if (turn->due_count == 1) loop->refused_due = keep_words(turn, "what an event is routed to", words);
}

void turn_route_more(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (turn->made_count) {
        loop->unmade_max = 2 * loop->unmade_max < PARTS_DUE_MAX ? 2 * loop->unmade_max : 0;
        if (turn->made[0].seq == loop->refused_unmade_seq) loop->refused_unmade_seq = 0;
    }
    if (!turn->due_count) return;
    loop->due_max = 2 * loop->due_max < PARTS_DUE_MAX ? 2 * loop->due_max : 0;
    loop->refused_due = STR_NONE;
}

/* ---- requests ---- */

static void refuse_one(struct turn *part, enum err err) {
    struct str words = words_of(part, err);
    say(part, err, part->visits[0].request->path, words);
    turn_refuse(part, err, err == ERR_STORE_REFUSED ? words : STR_NONE);
}

/* Answers all requests in parts. An error of another kind, or the end of the time, ends this: all requests that are
 * left are refused together. */
static enum err visits_in_parts(const struct turn *whole, int64_t end_us) {
    const struct clock *clock = &whole->loop->options.clock;
    size_t done = 0, size = (whole->visit_count + 1) / 2;
    enum err err = ERR_NONE;
    while (done < whole->visit_count) {
        size_t left = whole->visit_count - done;
        struct turn part = part_of(whole, whole->visits + done, size < left ? size : left);
        err = part_try(&part);
        bool late = clock->now_us(clock->self) > end_us;
        if (err && (late || !turn_is_of_one(err))) {
            part.visit_count = left;
            turn_refuse(&part, err_http(err) == 503 ? err : ERR_STORE_FAILED, STR_NONE);
            return err;
        }
        if (err && part.visit_count == 1) refuse_one(&part, err);
        if (!err || part.visit_count == 1) done += part.visit_count;
        if (part.event_count && !err) whole->loop->next_scheduled_us = whole->wall_us; /* the next turn routes them */
        size = err && part.visit_count == 1 ? 1 : next_size(part.visit_count, err, whole->visit_count - done);
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

static void set_aside(const struct turn *whole) {
    struct loop *loop = whole->loop;
    assert(loop->aside_count + loop->finished_count <= TURN_COMPLETIONS_MAX); /* turn_collect leaves room for them */
    loop->aside[loop->aside_count++] = loop->finished[0];
    loop->aside_until_us = whole->now_us + ASIDE_US;
    loop->finished_count = 0;
}

/* A delivery whose answer was refused becomes HELD instead of what it came to. If the database refuses that too, its
 * lease runs out and it is settled as lost. An answer that a foreign lock keeps out is set aside for a later turn; so
 * is one for which something is missing, where nothing can be written of it. */
static void hold_one(const struct turn *whole, enum err err) {
    struct turn part = part_of(whole, NULL, 0);
    struct str words = words_of(&part, err);
    say(&part, err, STR("an answer"), words);
    part.refused = words;
    if (err == ERR_STORE_HELD)
        set_aside(whole);
    else if (!part_try(&part))
        return;
    else if (err == ERR_STORE_UNFIT)
        set_aside(whole);
    else
        turn_release_finished(&part);
}

/* Settles all answers in parts. turn_try reads loop->finished, so that points to the part's answers meanwhile. */
static enum err answers_in_parts(const struct turn *whole, int64_t end_us) {
    struct loop *loop = whole->loop;
    const struct clock *clock = &loop->options.clock;
    struct completion *all = loop->finished;
    size_t count = loop->finished_count, done = 0, size = (count + 1) / 2;
    enum err err = ERR_NONE;
    while (done < count) {
        size_t left = count - done, now = size < left ? size : left;
        loop->finished = all + done;
        loop->finished_count = now;
        struct turn part = part_of(whole, NULL, 0);
        err = part_try(&part);
        bool late = clock->now_us(clock->self) > end_us;
        if (err && (late || !turn_is_of_one(err))) break;
        if (err && now == 1) hold_one(whole, err);
        if (!err || now == 1) done += now;
        size = err && now == 1 ? 1 : next_size(now, err, count - done);
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
    struct completion *all = loop->finished;
    size_t count = loop->finished_count;
    loop->finished_count = 0;
    enum err err = visits_in_parts(turn, end_us);
    loop->finished = all;
    loop->finished_count = count;
    turn->visit_count = 0; /* all were replied to */
    if (cause != ERR_STORE_HELD) turn_route_fewer(turn, words);
    if (!err) err = answers_in_parts(turn, end_us);
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) deliver_due(loop->deliver, i, turn->now_us);
    loop->store_retry_us = turn->now_us + (err ? US_PER_S : 0);
    return err_class(err) == ERR_CLASS_FATAL ? err : ERR_NONE;
}
