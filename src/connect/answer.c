/* connect/answer.c - an answer becomes outcomes; see connect.h and answer.h.
 *
 * WHAT  Reads what came back from a call, by a connector's rules, into one outcome for each delivery of the call.
 * PROMISE  An outcome never says more than the answer does. DONE needs a status that somebody knows as a success;
 *   RETRY and FAILED mean that there was no effect; everything else is UNKNOWN.
 * WHY IT HOLDS  Three readings, each of which may only be refined by the next:
 *   1. verdict_default: how far the exchange came. Once bytes of the request left, no trouble of the network can be
 *      RETRY. With a status line, the status decides.
 *   2. The action's rules (rules.c), the first that fits. Where the body was cut, a rule that would have to look at
 *      it makes the answer UNKNOWN, and one that goes by the status alone still counts. Where a connector says what
 *      success is, a 2xx that fits none of its rules is UNKNOWN.
 *   3. Of a batch, the rules of the items (items.c). A delivery that the provider's list does not name gets the
 *      connector's word for that; a list that cannot be matched leaves all of them UNKNOWN.
 *   Then the headers' limits (fields.c), which say when and never whether; and the masks, last, over every text that
 *   goes to the store.
 * WHAT BREAKS IT  Running a rule on a body that was cut. Taking a jq error for an answer: a rule whose jq fails does
 *   not fit, and the next one is asked.
 * HOW TO SEE IT  `drumbeat connectors test` and `deliveries show`: the attempt keeps the answer's beginning.
 * TESTED BY  test/unit/connect/test_answers.c, test_batch.c, test_fields.c; test/scenario.
 */
#include "connect/answer.h"

#include "base/json.h"
#include "base/when.h"
#include "connect/batch.h"
#include "connect/mask.h"

/* ---- the body and the variables, as JSON ---- */

/* The body as JSON. A body that is not JSON becomes one text, without the blanks around it; an empty one becomes null.
 */
static struct str body_json(const struct answer *answer, struct arena *arena) {
    struct json *root;
    struct json_error error;
    struct str body = str_trim(answer->body);
    if (!body.n) return STR("null");
    if (!json_parse(body, JSON_DEPTH_MAX, &root, &error)) {
        json_free(root);
        return body;
    }
    struct buf buf = {.arena = arena};
    json_quote(&buf, body);
    return buf_str(&buf);
}

static struct str lower_case(struct arena *arena, struct str text) {
    char *lower = arena_alloc(arena, text.n + 1);
    for (size_t i = 0; i < text.n; i++)
        lower[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] - 'A' + 'a') : text.p[i];
    return (struct str){lower, text.n};
}

/* Puts the headers with their names in small letters. When several have the same name, the first one counts. */
static void put_headers(struct buf *buf, const struct answer *answer) {
    for (size_t i = 0; i < answer->header_count; i++) {
        struct str name = answer->headers[i].name;
        if (answer_header(answer, name).p != answer->headers[i].value.p) continue;
        if (buf->p[buf->n - 1] != '{') buf_byte(buf, ',');
        json_quote(buf, lower_case(buf->arena, name));
        buf_byte(buf, ':');
        json_quote(buf, answer->headers[i].value);
    }
}

static void put_delivery(struct buf *buf, const struct delivery *delivery) {
    struct str id = uuid_str(buf->arena, delivery->key);
    buf_fmt(buf, ",\"delivery\":{\"id\":\"%.*s\",\"attempts\":%d,\"sent_at\":", STR_ARG(id), delivery->attempts);
    if (delivery->first_sent_us)
        json_quote(buf, when_str(buf->arena, delivery->first_sent_us));
    else
        buf_add(buf, STR("null"));
    buf_add(buf, STR("},\"params\":"));
    buf_add(buf, delivery->params.n ? delivery->params : delivery->event->payload);
}

/* What $status, $headers, $delivery and $params are taken from. A batch has no single delivery, so it has no $delivery.
 */
static struct str call_json(const struct answer_reading *reading) {
    struct buf buf = {.arena = reading->context->arena};
    buf_fmt(&buf, "{\"status\":%d,\"headers\":{", reading->answer->status);
    put_headers(&buf, reading->answer);
    buf_byte(&buf, '}');
    if (reading->context->count == 1) put_delivery(&buf, reading->context->deliveries[0]);
    buf_byte(&buf, '}');
    return buf_str(&buf);
}

/* ---- deciding ---- */

void reading_run(const struct answer_reading *reading, struct questions *questions) {
    const struct evaluator *evaluator = reading->evaluator;
    if (questions->count) evaluator->run(evaluator->self, questions->calls, questions->count, reading->context->arena);
}

static struct decision reading_decide(const struct answer_reading *reading, const struct answer_rules *rules) {
    struct arena *arena = reading->context->arena;
    struct questions questions = {.room = rules->count * RULE_CALLS};
    questions.calls = arena_array(arena, struct jq_call, questions.room);
    size_t next = 0;
    rules_ask(rules, &reading->subject, &questions);
    reading_run(reading, &questions);
    return rules_decide(rules, &reading->subject, &questions, &next, arena);
}

/* The provider's own words for a refusal that no rule names. */
static struct str words_for_refusal(const struct answer_reading *reading) {
    const struct answer_rule ask_error = {
        .when = JQ_NONE, .id = JQ_NONE, .error = reading->connector->error, .wait = JQ_NONE};
    struct answer_rule rule = ask_error;
    const struct answer_rules only = {.items = &rule, .count = 1};
    return reading->connector->error == JQ_NONE ? STR_NONE : reading_decide(reading, &only).error;
}

static struct str sentence(const struct answer_reading *reading, struct str words) {
    struct arena *arena = reading->context->arena;
    return words.n ? str_fmt(arena, "answered %d: %.*s", reading->answer->status, STR_ARG(words))
                   : verdict_text(reading->answer, arena);
}

/* The outcome without a rule. A success by status counts as one only if the connector does not say what success is. */
static void default_outcome(const struct answer_reading *reading, const struct answer_rules *rules,
                            struct outcome *outcome) {
    if (outcome->class == OUTCOME_DONE && !rules->knows_success) return;
    bool strange = outcome->class == OUTCOME_DONE;
    if (strange) outcome->class = OUTCOME_UNKNOWN;
    outcome->error = sentence(reading, words_for_refusal(reading));
    if (strange)
        outcome->error =
            str_fmt(reading->context->arena, "%.*s (the connector does not know this answer)", STR_ARG(outcome->error));
}

static void obey_limits(const struct answer_reading *reading, struct str wait, struct outcome *outcome) {
    const struct connector *connector = reading->connector;
    int64_t now_us = verdict_now_us(reading->answer, reading->context->now_us), at_us;
    if (wait.n && field_reset(wait, RESET_AUTO, field_clock(reading->answer, now_us), &at_us))
        outcome->not_before_us = field_clamp(at_us, now_us);
    verdict_limits(reading->answer, connector->limit_fields, connector->limit_field_count, now_us, outcome);
    bool punished = connector->penalty_us && status_in(&connector->penalty_after, reading->answer->status);
    if (punished && outcome->quiet_until_us < now_us + connector->penalty_us)
        outcome->quiet_until_us = now_us + connector->penalty_us;
}

struct outcome reading_outcome(const struct answer_reading *reading, const struct answer_rules *rules,
                               const struct decision *decision, struct str said) {
    struct outcome outcome = reading->start;
    if (decision->verdict == VERDICT_COUNT) {
        default_outcome(reading, rules, &outcome);
    } else {
        verdict_apply(decision->verdict, &outcome);
        bool clear = outcome.class == OUTCOME_DONE || outcome.class == OUTCOME_ABSENT;
        outcome.error = clear ? STR_NONE : sentence(reading, decision->error.n ? decision->error : said);
        outcome.remote_id = decision->id;
    }
    obey_limits(reading, decision->wait, &outcome);
    return outcome;
}

/* ---- doors ---- */

static enum outgoing_scheme scheme_of(const struct connector *connector, struct str name) {
    const struct action *action = connector->webhook ? NULL : connector_action(connector, name);
    return action && action->request && action->request->mail ? OUTGOING_SMTP : OUTGOING_HTTP;
}

struct answer_reading reading_begin(const struct call_context *context, const struct answer *answer,
                                    const struct evaluator *evaluator) {
    const struct connector *connector = context->destination->connector;
    enum outgoing_scheme scheme = context->count ? scheme_of(connector, context->deliveries[0]->action) : OUTGOING_HTTP;
    struct answer_reading reading = {.context = context,
                                     .connector = connector,
                                     .answer = answer,
                                     .evaluator = evaluator,
                                     .start = verdict_default(answer, scheme, context->arena)};
    if (answer->end != EXCHANGE_ANSWERED || reading.connector->webhook) return reading;
    reading.subject = (struct subject){.status = answer->status, .whole = answer->body_complete};
    if (!answer->body_complete) return reading;
    reading.subject.body = body_json(answer, context->arena);
    reading.subject.call = call_json(&reading);
    return reading;
}

/* For a batch: deliveries that were left out of the call have no part in its outcome. `shared` says that the others
 * have one between them. */
static void answer_parts(const struct answer_reading *reading, const struct action *action, bool shared,
                         struct outcome *outcomes) {
    const struct call_context *context = reading->context;
    struct fill fill = {.context = context, .connector = reading->connector};
    struct batch_part *parts = arena_array(context->arena, struct batch_part, context->count);
    struct buf items = {.arena = context->arena};
    size_t sent = 0;
    batch_parts(&fill, action, parts, &items);
    for (size_t i = 0; i < context->count; i++) sent += parts[i].sent;
    for (size_t i = 0; i < context->count; i++) {
        outcomes[i].joint = shared && sent > 1;
        if (parts[i].sent) continue;
        outcomes[i] = (struct outcome){.class = parts[i].problem.n ? OUTCOME_FAILED : OUTCOME_RETRY,
                                       .unsent = !parts[i].problem.n,
                                       .started_us = reading->answer->started_us,
                                       .finished_us = reading->answer->finished_us,
                                       .error = parts[i].problem};
    }
}

static void answer_connector(const struct answer_reading *reading, const struct action *action,
                             struct outcome *ret_outcomes) {
    const struct call_context *context = reading->context;
    bool many = batch_takes(action, context);
    const struct answer_rules *rules = many ? &action->batch->answers : &action->answers;
    struct outcome all = reading->start;
    if (reading->answer->end == EXCHANGE_ANSWERED) {
        struct decision decision = reading_decide(reading, rules);
        if (many && decision.verdict == VERDICT_ITEMS) {
            answer_items(reading, action, ret_outcomes);
            answer_parts(reading, action, false, ret_outcomes);
            return;
        }
        all = reading_outcome(reading, rules, &decision, STR_NONE);
    }
    for (size_t i = 0; i < context->count; i++) ret_outcomes[i] = all;
    if (many) answer_parts(reading, action, true, ret_outcomes);
}

static void read_answer(const struct call_context *context, const struct answer *answer,
                        const struct evaluator *evaluator, struct outcome *ret_outcomes) {
    const struct connector *connector = context->destination->connector;
    const struct answer_reading reading = reading_begin(context, answer, evaluator);
    const struct action *action =
        connector->webhook ? NULL : connector_action(connector, context->deliveries[0]->action);
    if (action) {
        answer_connector(&reading, action, ret_outcomes);
        return;
    }
    struct outcome outcome = reading.start;
    verdict_limits(answer, NULL, 0, context->now_us, &outcome);
    for (size_t i = 0; i < context->count; i++) ret_outcomes[i] = outcome;
}

void connect_answer(const struct call_context *context, const struct answer *answer, const struct evaluator *evaluator,
                    struct outcome *ret_outcomes) {
    read_answer(context, answer, evaluator, ret_outcomes);
    for (size_t i = 0; i < context->count; i++) mask_outcome(context, &ret_outcomes[i]);
}

/* A lookup has no effect: when its answer is lost it is asked again. */
void connect_lookup_answer(const struct call_context *context, const struct answer *answer,
                           const struct evaluator *evaluator, struct outcome *ret_outcome) {
    const struct answer_reading reading = reading_begin(context, answer, evaluator);
    const struct action *action = connector_action(reading.connector, context->deliveries[0]->action);
    struct outcome outcome = reading.start;
    if (answer->end == EXCHANGE_ANSWERED && action && action->lookup) {
        struct decision decision = reading_decide(&reading, &action->lookup->answers);
        outcome = reading_outcome(&reading, &action->lookup->answers, &decision, STR_NONE);
    }
    if (outcome.class == OUTCOME_UNKNOWN) outcome.class = OUTCOME_RETRY;
    mask_outcome(context, &outcome);
    *ret_outcome = outcome;
}
