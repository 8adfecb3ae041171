/* connect/verdict.c - see verdict.h. */
#include "connect/verdict.h"

#include "base/arena.h"
#include "base/when.h"
#include "model/delivery.h"

/* How much of a body stands in a sentence for a person. */
#define EXCERPT_BYTES 200

static const struct word {
    const char *word;
    enum outcome_class class;
    unsigned adds, where;
} words[VERDICT_COUNT] = {
#define VERDICT_ROW(name, word, class, adds, where) {word, OUTCOME_##class, VERDICT_ADDS_##adds, VERDICT_OF_##where},
    VERDICT_LIST(VERDICT_ROW)
#undef VERDICT_ROW
};

const char *verdict_word(enum verdict verdict) {
    return words[verdict].word;
}

bool verdict_may_stand(enum verdict verdict, unsigned where) {
    return words[verdict].where & where;
}

void verdict_apply(enum verdict verdict, struct outcome *outcome) {
    const struct word *word = &words[verdict];
    outcome->class = word->class;
    outcome->repeat = word->adds & VERDICT_ADDS_REPEAT;
    outcome->pause = word->adds & (VERDICT_ADDS_PAUSE | VERDICT_ADDS_EXPIRED);
    outcome->refused = word->adds & VERDICT_ADDS_REFUSED;
    outcome->expired = word->adds & VERDICT_ADDS_EXPIRED;
    outcome->throttled =
        word->adds & VERDICT_ADDS_THROTTLED || (word->class == OUTCOME_RETRY && outcome->http_status == 429);
}

/* As long as nothing of the request left, sending it again is safe. Once bytes left, the effect may exist. */
static const struct end_rule {
    enum outcome_class class;
    bool pause;  /* a refused certificate is no trouble that passes by itself: no retry storm */
    bool hold;   /* a name that leads to a private address may be a passing fault of DNS, or want allow_private */
    bool unsent; /* our own trouble: no retry is spent and nobody is blamed */
} end_rules[EXCHANGE_COUNT] = {
    [EXCHANGE_REFUSED] = {.class = OUTCOME_RETRY, .hold = true},
    [EXCHANGE_NO_CONNECT] = {.class = OUTCOME_RETRY},
    [EXCHANGE_NO_TRUST] = {.class = OUTCOME_RETRY, .pause = true},
    [EXCHANGE_NO_ROOM] = {.class = OUTCOME_RETRY, .unsent = true},
    [EXCHANGE_BAD_URL] = {.class = OUTCOME_FAILED},
    [EXCHANGE_MISFIT] = {.class = OUTCOME_FAILED},
    [EXCHANGE_BROKEN_OFF] = {.class = OUTCOME_RETRY},
    [EXCHANGE_CUT] = {.class = OUTCOME_UNKNOWN},
    [EXCHANGE_TIMED_OUT] = {.class = OUTCOME_UNKNOWN},
    [EXCHANGE_CANCELLED] = {.class = OUTCOME_UNKNOWN},
};
#define NO_ROOM_US US_PER_S /* then it is tried again */

/* The first range that holds the status counts. */
static const struct status_rule {
    int32_t from, to;
    enum outcome_class class;
    bool pause, throttled, refused;
} status_rules[] = {
    {200, 299, .class = OUTCOME_DONE},
    {300, 399, .class = OUTCOME_FAILED},
    {401, 401, .class = OUTCOME_RETRY, .pause = true},
    {407, 407, .class = OUTCOME_RETRY, .pause = true},   /* by the proxy */
    {403, 403, .class = OUTCOME_RETRY, .refused = true}, /* the account's rights, or a firewall that dislikes a text */
    {408, 408, .class = OUTCOME_RETRY},
    {410, 410, .class = OUTCOME_RETRY, .refused = true}, /* the receiver is gone for good, or this one thing is */
    {425, 425, .class = OUTCOME_RETRY},
    {429, 429, .class = OUTCOME_RETRY, .throttled = true},
    {400, 499, .class = OUTCOME_FAILED},
    {500, 599, .class = OUTCOME_RETRY},
};

/* RFC 5321, 4.2.1: the first digit says it all, and it is the other way round. */
static const struct status_rule mail_rules[] = {
    {200, 299, .class = OUTCOME_DONE},
    {400, 499, .class = OUTCOME_RETRY},
    {500, 599, .class = OUTCOME_FAILED},
};

int64_t verdict_now_us(const struct answer *answer, int64_t now_us) {
    return answer->finished_us ? answer->finished_us : now_us;
}

/* The body's beginning on one line, cut between characters. */
static struct str excerpt(struct str body, struct arena *arena) {
    struct buf buf = {.arena = arena};
    body = str_trim(body);
    for (size_t at = 0, length; at < body.n; at += length) {
        length = str_utf8_length(body, at);
        if (at + length > EXCERPT_BYTES) break;
        bool control = (unsigned char)body.p[at] < ' ' || body.p[at] == 0x7f;
        buf_add(&buf, !length ? STR("?") : control ? STR(" ") : str_sub(body, at, length));
        if (!length) length = 1;
    }
    return buf_str(&buf);
}

struct str verdict_text(const struct answer *answer, struct arena *arena) {
    struct str beginning = excerpt(answer->body, arena);
    const char *note = answer->status / 100 == 3 ? " (redirects are not followed)" : "";
    return str_fmt(arena, "answered %d%s%s%.*s", answer->status, note, beginning.n ? ": " : "", STR_ARG(beginning));
}

static struct str trouble_text(const struct answer *answer, struct arena *arena) {
    const char *what = exchange_text(answer->end);
    return answer->trouble[0] ? str_fmt(arena, "%s: %s", what, answer->trouble) : str_from(what);
}

static void judge_status(const struct answer *answer, enum outgoing_scheme scheme, struct outcome *outcome) {
    bool mail = scheme == OUTGOING_SMTP;
    const struct status_rule *rules = mail ? mail_rules : status_rules;
    size_t count = mail ? sizeof mail_rules / sizeof *mail_rules : sizeof status_rules / sizeof *status_rules;
    outcome->class = OUTCOME_UNKNOWN;
    for (size_t i = 0; i < count; i++) {
        const struct status_rule *rule = &rules[i];
        if (answer->status < rule->from || answer->status > rule->to) continue;
        outcome->class = rule->class;
        outcome->pause = rule->pause;
        outcome->throttled = rule->throttled;
        outcome->refused = rule->refused;
        return;
    }
}

struct outcome verdict_default(const struct answer *answer, enum outgoing_scheme scheme, struct arena *arena) {
    struct outcome outcome = {.started_us = answer->started_us, .finished_us = answer->finished_us};
    if (answer->end != EXCHANGE_ANSWERED) {
        outcome.class = end_rules[answer->end].class;
        outcome.pause = end_rules[answer->end].pause;
        outcome.hold = end_rules[answer->end].hold;
        outcome.unsent = end_rules[answer->end].unsent;
        if (outcome.unsent) outcome.not_before_us = answer->finished_us + NO_ROOM_US;
        outcome.error = trouble_text(answer, arena);
        return outcome;
    }
    outcome.http_status = answer->status;
    outcome.answer = str_dup(arena, str_sub(answer->body, 0, DELIVERY_ANSWER_MAX));
    judge_status(answer, scheme, &outcome);
    if (outcome.class != OUTCOME_DONE) outcome.error = verdict_text(answer, arena);
    return outcome;
}

void verdict_limits(const struct answer *answer, const struct limit_field *fields, size_t count, int64_t now_us,
                    struct outcome *outcome) {
    int64_t at_us;
    if (answer->end != EXCHANGE_ANSWERED) return;
    now_us = verdict_now_us(answer, now_us);
    if (outcome->class == OUTCOME_RETRY && !outcome->not_before_us && field_retry_after(answer, now_us, &at_us))
        outcome->not_before_us = at_us;
    bool limited = count ? field_limit(answer, fields, count, outcome->throttled, now_us, &at_us)
                         : field_quiet_until(answer, now_us, &at_us);
    if (limited) outcome->quiet_until_us = at_us;
    /* An account that is over its limit with one delivery is over it with the next one too. */
    if (outcome->throttled && outcome->not_before_us > outcome->quiet_until_us)
        outcome->quiet_until_us = outcome->not_before_us;
}
