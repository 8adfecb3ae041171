/* fuzz/fuzz_answer.c - any bytes as a provider's answer, read by rules, as a
 * lookup and as a batch; and as a delivery's parameters. In place of jq stands
 * an evaluator that may say anything, as the bytes have it. */
#include "base/jq.h"
#include "base/json.h"
#include "base/when.h"
#include "config/config.h"
#include "connect/connect.h"

#include <assert.h>
#include <stdlib.h>

#define NOW_US (1795521600 * US_PER_S)
#define COUNT  3

static const char document[] =
    "version: 1\n"
    "name: shop\n"
    "limits_from: {remaining: x-left, reset: x-reset}\n"
    "penalty: {after: 5xx, wait: 30s}\n"
    "error: .error.message // .message\n"
    "actions:\n"
    "  send:\n"
    "    params: {to: optional, text: optional, tags: optional}\n"
    "    request:\n"
    "      url: \"https://a.example/${delivery.id}\"\n"
    "      query: {tags: \"${.tags}\"}\n"
    "      headers: {X-To: \"${.to}\"}\n"
    "      json: {text: \"${.text | first 9}\", title: \"to ${.to}\", \"...\": \"${.tags}\"}\n"
    "    answers:\n"
    "      - {status: 2xx, when: .ok, is: done, id: .id, wait: .wait}\n"
    "      - {status: 2xx, when: '.code == $delivery.attempts', is: already}\n"
    "      - {status: 429, is: limit, wait: .wait}\n"
    "    lookup:\n"
    "      request: {url: \"https://a.example/\"}\n"
    "      settle: 1m\n"
    "      answers: [{status: 200, when: .items, is: found, id: '.items[0]'}, {status: 404, is: absent}]\n"
    "    batch:\n"
    "      max: 5\n"
    "      request: {url: \"https://a.example/\", json: \"${items}\"}\n"
    "      item: {text: \"${.text}\"}\n"
    "      answers: [{status: 200, is: items}]\n"
    "      items: {list: .items, by: key, key: .key, sent: \"${item.index}\", answers: [{when: .ok, is: done, id: "
    ".id}]}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What every input shares; made once. */
struct world {
    struct arena arena;
    struct findings findings;
    struct jq_source source;
    struct destination_settings destination;
    struct settings settings;
    struct event event;
};

/* Says what its bytes pick; each is used in turn. */
struct oracle {
    struct str bytes;
    size_t next;
};

static void check_json(struct str text) {
    struct json *root;
    enum err err = json_parse(text, JSON_DEPTH_MAX + 2, &root, NULL);
    assert(!err);
    json_free(root);
}

static void say(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    static const char *const results[] = {"true", "false", "null", "\"0\"", "7.5",  "[{\"key\":0},1]",
                                          "",     "[]",    "\"\"", "-1",    "1e300"};
    struct oracle *oracle = self;
    (void)arena;
    for (size_t i = 0; i < count; i++) {
        check_json(calls[i].input);
        check_json(calls[i].event);
        size_t pick = oracle->bytes.n ? (uint8_t)oracle->bytes.p[oracle->next++ % oracle->bytes.n] & 15 : 0;
        bool known = pick < sizeof results / sizeof *results;
        calls[i].result = known ? str_from(results[pick]) : calls[i].input;
        calls[i].err = pick == 15 ? ERR_JQ_RUN : pick == 14 ? ERR_JQ_RUNAWAY : ERR_NONE;
    }
}

static struct world *world_new(void) {
    struct world *world = calloc(1, sizeof *world);
    assert(world);
    world->findings.arena = world->source.arena = &world->arena;
    struct connectors *connectors = connectors_new(&world->arena, &world->source);
    const struct tree *tree =
        config_parse(&world->arena, STR("shop.yaml"), (struct str){document, sizeof document - 1}, &world->findings);
    assert(tree);
    connectors_add(connectors, tree, &world->findings);
    world->destination = (struct destination_settings){
        .name = STR("shop"), .type = STR("shop"), .fields = {.arena = &world->arena}, .concurrency = 1};
    world->settings = (struct settings){.destinations = &world->destination, .destination_count = 1};
    connectors_bind(connectors, &world->settings, &world->findings);
    assert(!world->findings.errors);
    world->event = (struct event){.type = STR("A"), .source = STR("s"), .payload = STR("{\"text\":\"t\"}")};
    return world;
}

static void check(const struct outcome *outcome, bool lookup) {
    bool absent = outcome->class == OUTCOME_ABSENT;
    assert(outcome->class < OUTCOME_COUNT && (!absent || lookup));
    assert(!outcome->not_before_us ||
           (outcome->not_before_us >= NOW_US + US_PER_S && outcome->not_before_us <= NOW_US + US_PER_DAY));
    assert(outcome->quiet_until_us <= NOW_US + US_PER_DAY);
    assert(outcome->answer.n <= DELIVERY_ANSWER_MAX);
}

static void read_answer(const struct call_context *context, const struct answer *answer) {
    struct oracle oracle = {.bytes = answer->body};
    const struct evaluator evaluator = {say, &oracle};
    struct call_context one = *context;
    struct outcome outcomes[COUNT];
    connect_answer(context, answer, &evaluator, outcomes);
    for (size_t i = 0; i < COUNT; i++) check(&outcomes[i], false);
    one.count = 1;
    connect_answer(&one, answer, &evaluator, outcomes);
    check(&outcomes[0], false);
    connect_lookup_answer(&one, answer, &evaluator, outcomes);
    check(&outcomes[0], true);
}

/* Whatever the parameters are: the request is made or refused with a sentence, and no header gets a second line. */
static void fill_request(const struct call_context *context) {
    struct outgoing outgoing;
    struct str problem = STR_NONE;
    if (connect_request(context, &outgoing, &problem)) {
        assert(problem.n);
        return;
    }
    for (size_t i = 0; i < outgoing.header_count; i++) assert(str_find(outgoing.headers[i].value, '\n') == SIZE_MAX);
    assert(str_starts(outgoing.url, STR("https://a.example/")) && str_find(outgoing.url, ' ') == SIZE_MAX);
}

/* The first byte picks the status and whether the body was cut; a line is the limit's reset; the rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int32_t statuses[] = {200, 202, 404, 429, 503, 400, 302, 207};
    static struct world *world;
    if (!world) world = world_new();
    if (!size) return 0;
    struct arena arena = ARENA_EMPTY;
    struct str body = {(const char *)data + 1, size - 1}, reset = STR_NONE;
    str_next(&body, '\n', &reset);
    struct header headers[] = {{STR("x-left"), STR("0")}, {STR("X-Reset"), reset}, {STR("Retry-After"), reset}};
    const struct answer answer = {.end = EXCHANGE_ANSWERED,
                                  .status = statuses[data[0] & 7],
                                  .headers = headers,
                                  .header_count = 3,
                                  .body = body,
                                  .body_complete = data[0] & 8,
                                  .finished_us = NOW_US};
    struct delivery delivery = {.action = STR("send"), .event = &world->event, .first_sent_us = NOW_US};
    const struct delivery *const deliveries[COUNT] = {&delivery, &delivery, &delivery};
    struct call_context context = {.destination = &world->destination,
                                   .deliveries = deliveries,
                                   .count = COUNT,
                                   .now_us = NOW_US,
                                   .arena = &arena};
    read_answer(&context, &answer);
    delivery.params = body;
    context.count = 1;
    fill_request(&context);
    arena_free(&arena);
    return 0;
}
