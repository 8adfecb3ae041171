/* connect/rules.h - answers classed by status and by jq. Private to this room.
 *
 * Rules are tried in order; the first whose status fits and whose `when` is
 * true counts. What they ask of a body is put to the evaluator in one batch:
 * first rules_ask for each answer, then one run, then rules_decide. */
#ifndef CONNECT_RULES_H
#define CONNECT_RULES_H

#include "connect/verdict.h"

#include "base/jq.h"

#define RULES_MAX     24
#define RULE_CALLS    4 /* when, id, error, wait */
#define STATUS_RANGES 8
#define JQ_NONE       SIZE_MAX

struct status_set {
    struct status_range {
        int32_t from, to;
    } ranges[STATUS_RANGES];
    size_t count; /* 0 = every status */
};
bool status_in(const struct status_set *set, int32_t status);

struct answer_rule {
    struct status_set status;
    size_t when, id, error, wait; /* numbers of jq functions */
    enum verdict verdict;
};
struct answer_rules {
    struct answer_rule *items;
    size_t count;
    bool knows_success; /* a rule of its own says what success is: another 2xx is none */
};

/* Calls to the evaluator, collected. */
struct questions {
    struct jq_call *calls;
    size_t count, room;
};
/* What is asked about: a body that was read whole, or not. */
struct subject {
    int32_t status;
    struct str body, call; /* JSON; `.` and what the variables are taken from */
    bool whole;
};
/* Adds what the rules that fit the status ask. At most RULE_CALLS for each rule. */
void rules_ask(const struct answer_rules *rules, const struct subject *subject, struct questions *questions);

struct decision {
    enum verdict verdict;       /* VERDICT_COUNT: no rule fits */
    struct str id, error, wait; /* "" = not said; wait is a number of seconds, an epoch or a date */
};
/* Reads the results from *next on, which must be where rules_ask began. A `when` cannot be decided on a body that was
 * cut, so the verdict is then UNKNOWN. */
struct decision rules_decide(const struct answer_rules *rules, const struct subject *subject,
                             const struct questions *questions, size_t *next, struct arena *arena);

#endif
