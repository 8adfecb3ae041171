/* connect/items.c - a batch's answer, item by item; see answer.h. */
#include "base/json.h"
#include "base/map.h"
#include "connect/answer.h"
#include "connect/batch.h"

/* Items beyond what a batch can hold are not looked at. */
#define ITEMS_MAX 2000

struct answer_list {
    struct str texts[ITEMS_MAX]; /* JSON, in the order of the answer */
    size_t count;
};

/* One jq function over one input; "" when it gives nothing. */
static struct str ask_one(const struct answer_reading *reading, size_t function, struct str input) {
    struct jq_call call = {.function = function, .input = input, .event = reading->subject.call};
    struct questions questions = {.calls = &call, .count = 1, .room = 1};
    reading_run(reading, &questions);
    return call.err == ERR_NONE ? call.result : STR_NONE;
}

/* Lists the body's items; false when there is no list where one should be. */
static bool list_items(const struct answer_reading *reading, const struct batch_form *batch,
                       struct answer_list *items) {
    struct str list = ask_one(reading, batch->list, reading->subject.body), item;
    size_t cursor = 0;
    if (!str_starts(list, STR("["))) return false;
    while (items->count < ITEMS_MAX && json_slice_item(list, &cursor, &item)) items->texts[items->count++] = item;
    return true;
}

static struct str bare(struct str result, struct arena *arena) {
    struct json *node;
    struct json_error error;
    if (json_parse(result, JSON_DEPTH_MAX, &node, &error)) return STR_NONE;
    struct str text = json_type(node) == JSON_STRING ? str_dup(arena, json_text(node)) : result;
    bool nothing = json_type(node) == JSON_NULL;
    json_free(node);
    return nothing ? STR_NONE : text;
}

/* Finds each sent delivery's item by its key in the answer. Of two items with one key the first counts. */
static void match_by_key(const struct answer_reading *reading, const struct batch_form *batch,
                         struct answer_list *items, const struct batch_part *parts, const struct str **ret_matches) {
    struct arena *arena = reading->context->arena;
    struct map by_key = {.arena = arena};
    struct questions questions = {
        .calls = arena_array(arena, struct jq_call, items->count), .count = items->count, .room = items->count};
    for (size_t i = 0; i < items->count; i++)
        questions.calls[i] =
            (struct jq_call){.function = batch->key, .input = items->texts[i], .event = reading->subject.call};
    reading_run(reading, &questions);
    for (size_t i = 0; i < items->count; i++) {
        if (questions.calls[i].err) continue;
        struct str key = bare(questions.calls[i].result, arena);
        if (key.n && !map_get(&by_key, key)) map_set(&by_key, key, &items->texts[i]);
    }
    for (size_t i = 0; i < reading->context->count; i++)
        ret_matches[i] = parts[i].sent ? map_get(&by_key, parts[i].key) : NULL;
}

/* Positions can be trusted only when there are as many items as were sent. */
static bool match_by_position(const struct answer_reading *reading, const struct answer_list *items,
                              const struct batch_part *parts, const struct str **ret_matches) {
    size_t sent = 0;
    for (size_t i = 0; i < reading->context->count; i++) {
        ret_matches[i] = parts[i].sent && sent < items->count ? &items->texts[sent] : NULL;
        sent += parts[i].sent;
    }
    return sent == items->count;
}

/* All items belong to one account, so what silences it in one item's answer holds for all. */
static void share_silence(struct outcome *outcomes, size_t count) {
    int64_t latest_us = 0;
    for (size_t i = 0; i < count; i++)
        if (outcomes[i].quiet_until_us > latest_us) latest_us = outcomes[i].quiet_until_us;
    for (size_t i = 0; i < count; i++) outcomes[i].quiet_until_us = latest_us;
}

static struct subject subject_of(const struct answer_reading *reading, struct str item) {
    return (struct subject){reading->subject.status, item, reading->subject.call, true};
}

/* Judges all items in one run of the evaluator. */
static void judge_items(const struct answer_reading *reading, const struct batch_form *batch,
                        const struct str **matches, struct outcome *ret_outcomes) {
    size_t count = reading->context->count, next = 0;
    struct arena *arena = reading->context->arena;
    struct questions questions = {.room = count * batch->item_answers.count * RULE_CALLS};
    questions.calls = arena_array(arena, struct jq_call, questions.room);
    for (size_t i = 0; i < count; i++) {
        if (!matches[i]) continue;
        struct subject subject = subject_of(reading, *matches[i]);
        rules_ask(&batch->item_answers, &subject, &questions);
    }
    reading_run(reading, &questions);
    for (size_t i = 0; i < count; i++) {
        struct decision decision = {.verdict = batch->missing, .error = STR("the answer has no item for it")};
        if (matches[i]) {
            struct subject subject = subject_of(reading, *matches[i]);
            decision = rules_decide(&batch->item_answers, &subject, &questions, &next, arena);
        }
        if (decision.verdict == VERDICT_COUNT) decision.verdict = VERDICT_UNKNOWN;
        ret_outcomes[i] = reading_outcome(reading, &batch->item_answers, &decision,
                                          matches[i] ? str_sub(*matches[i], 0, 200) : STR_NONE);
    }
    share_silence(ret_outcomes, count);
}

static void all_unknown(const struct answer_reading *reading, const struct answer_rules *rules, struct str why,
                        struct outcome *ret_outcomes) {
    const struct decision decision = {.verdict = VERDICT_UNKNOWN, .error = why};
    for (size_t i = 0; i < reading->context->count; i++)
        ret_outcomes[i] = reading_outcome(reading, rules, &decision, STR_NONE);
}

void answer_items(const struct answer_reading *reading, const struct action *action, struct outcome *ret_outcomes) {
    const struct batch_form *batch = action->batch;
    const struct call_context *context = reading->context;
    struct answer_list *items = arena_new(context->arena, struct answer_list);
    struct batch_part *parts = arena_array(context->arena, struct batch_part, context->count);
    const struct str **matches = arena_array(context->arena, const struct str *, context->count);
    struct fill fill = {.context = context, .connector = reading->connector};
    struct buf sent = {.arena = context->arena};
    if (!list_items(reading, batch, items)) {
        all_unknown(reading, &batch->item_answers, STR("the answer lists no items"), ret_outcomes);
        return;
    }
    batch_parts(&fill, action, parts, &sent);
    if (batch->match == MATCH_KEY) {
        match_by_key(reading, batch, items, parts, matches);
    } else if (!match_by_position(reading, items, parts, matches)) {
        struct str why =
            str_fmt(context->arena, "the answer lists %zu items, another number than was sent", items->count);
        all_unknown(reading, &batch->item_answers, why, ret_outcomes);
        return;
    }
    judge_items(reading, batch, matches, ret_outcomes);
}
