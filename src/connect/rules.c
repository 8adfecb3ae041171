/* connect/rules.c - see rules.h. */
#include "connect/rules.h"

#include "base/arena.h"
#include "base/json.h"

#include <assert.h>

/* How much of a provider's words and ids is kept. */
#define SAID_BYTES_MAX 500

bool status_in(const struct status_set *set, int32_t status) {
    for (size_t i = 0; i < set->count; i++)
        if (status >= set->ranges[i].from && status <= set->ranges[i].to) return true;
    return set->count == 0;
}

/* The rules that may count, in order: those that fit the status, to the first that asks nothing. */
static const struct answer_rule *next_rule(const struct answer_rules *rules, const struct subject *subject,
                                           size_t *at) {
    while (*at < rules->count) {
        const struct answer_rule *rule = &rules->items[(*at)++];
        if (!status_in(&rule->status, subject->status)) continue;
        if (rule->when == JQ_NONE) *at = rules->count;
        return rule;
    }
    return NULL;
}

static void ask(struct questions *questions, const struct subject *subject, size_t function) {
    if (function == JQ_NONE) return;
    assert(questions->count < questions->room);
    questions->calls[questions->count++] =
        (struct jq_call){.function = function, .input = subject->body, .event = subject->call};
}

void rules_ask(const struct answer_rules *rules, const struct subject *subject, struct questions *questions) {
    const struct answer_rule *rule;
    if (!subject->whole) return;
    for (size_t at = 0; (rule = next_rule(rules, subject, &at));) {
        ask(questions, subject, rule->when);
        ask(questions, subject, rule->id);
        ask(questions, subject, rule->error);
        ask(questions, subject, rule->wait);
    }
}

/* Takes the result of the next question. A jq call that failed says nothing, so a rule whose `when` fails on this body
 * does not fit. */
static struct str take(const struct questions *questions, size_t *next, size_t function) {
    if (function == JQ_NONE) return STR_NONE;
    assert(*next < questions->count);
    const struct jq_call *call = &questions->calls[(*next)++];
    return call->err == ERR_NONE ? call->result : STR_NONE;
}

static bool is_true(struct str result) {
    return result.n && !str_eq(result, STR("false")) && !str_eq(result, STR("null"));
}

/* A jq result as text: strings bare, null and false as nothing. */
static struct str said(struct arena *arena, struct str result) {
    struct json *node;
    struct json_error error;
    if (!is_true(result) || json_parse(result, JSON_DEPTH_MAX, &node, &error)) return STR_NONE;
    struct str text = json_type(node) == JSON_STRING ? json_text(node) : result;
    text = str_dup(arena, str_head(text, SAID_BYTES_MAX));
    json_free(node);
    return text;
}

/* What a rule decides about an answer whose body was cut. */
static struct decision without_body(const struct answer_rule *rule) {
    bool needs_it = rule->when != JQ_NONE || rule->verdict == VERDICT_ITEMS;
    if (!needs_it) return (struct decision){.verdict = rule->verdict};
    return (struct decision){.verdict = VERDICT_UNKNOWN,
                             .error = STR("the answer was cut, so it cannot be told what it means")};
}

struct decision rules_decide(const struct answer_rules *rules, const struct subject *subject,
                             const struct questions *questions, size_t *next, struct arena *arena) {
    struct decision decision = {.verdict = VERDICT_COUNT};
    const struct answer_rule *rule;
    for (size_t at = 0; (rule = next_rule(rules, subject, &at));) {
        bool open = decision.verdict == VERDICT_COUNT;
        if (!subject->whole) return without_body(rule);
        struct str when = take(questions, next, rule->when), id = take(questions, next, rule->id);
        struct str error = take(questions, next, rule->error), wait = take(questions, next, rule->wait);
        if (!open || (rule->when != JQ_NONE && !is_true(when))) continue;
        decision = (struct decision){rule->verdict, said(arena, id), said(arena, error), said(arena, wait)};
    }
    return decision;
}
