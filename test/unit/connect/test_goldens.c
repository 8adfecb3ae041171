/* The connectors that come with the program, each against its golden file test/connectors/NAME.json: sample parameters
 * with the exact request they make, and answers of the provider, restated from its documentation, with what is made of
 * them. The real reader, renderer and rules run; only the network is missing.
 *
 * {"fields": {NAME: TEXT},                       what the destination sets
 *  "actions": {NAME: {
 *    "settles": {"on_unknown", "keep", "lookup"}, what is done with an unknown outcome
 *    "requests": [{"params", "method", "url", "headers", "body"}], of a mail "envelope" too
 *    "answers": [[STATUS, BODY, CLASS, MORE]],
 *    "lookup": {"params", "method", "url", "headers", "body", "answers"},
 *    "batch": {"params": [...], "method", "url", "headers", "body", "answers": [[STATUS, BODY, [CLASS...], MORE]]}}}}
 *
 * In place of a secret stands ${NAME}; what basic authorisation hides in base64 is written open. BODY is JSON, or the
 * text as sent. MORE may have headers, attempts, id (of a batch: ids), wait and quiet in seconds, error; an id, a wait
 * or a silence that it does not name must not be there. */
#include "kit_connector.h"

#include "base/json.h"
#include "base/when.h"
#include "os/file.h"

#define FOLDER     "test/connectors/"
#define GOLDEN_MAX ((size_t)262144)

/* What is looked at now, for messages. */
struct golden {
    struct kit *kit;
    const struct json *fields;
    struct str name, action;
};

static const struct json *member(const struct json *object, const char *name) {
    return json_get(object, str_from(name));
}

static struct json *read_json(struct arena *arena, struct str path) {
    struct str text, problem;
    struct json *json;
    struct json_error error;
    if (file_read(path, GOLDEN_MAX, arena, &text, &problem)) fail_msg("%.*s", STR_ARG(problem));
    if (json_parse(text, JSON_DEPTH_MAX, &json, &error))
        fail_msg("%.*s:%zu:%zu %s", STR_ARG(path), error.line, error.column, error.text);
    return json;
}

static void open_golden(struct golden *golden, struct str name, const struct json *root) {
    struct kit *kit = kit_new();
    void *cursor = NULL;
    struct str field;
    *golden = (struct golden){.kit = kit, .fields = member(root, "fields"), .name = name};
    kit_add_file(kit, str_fmt(&kit->arena, "connectors/%.*s.yaml", STR_ARG(name)).p);
    kit_no_findings(kit);
    kit_compile(kit);
    kit->destination.name = kit->destination.type = name;
    kit->destination.url = STR_NONE;
    for (const struct json *value; (value = json_next(golden->fields, &cursor, &field));) {
        struct str text = str_dup(&kit->arena, json_text(value));
        if (str_eq(field, STR("url"))) kit->destination.url = text;
        kit_set_field(kit, str_dup(&kit->arena, field).p, text.p);
    }
    kit_bind(kit);
    kit_no_findings(kit);
}

/* ---- requests ---- */

static struct str replace(struct arena *arena, struct str text, struct str from, struct str to) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < text.n;) {
        bool found = from.n && str_starts(str_sub(text, i, text.n), from);
        if (found)
            buf_add(&buf, to);
        else
            buf_byte(&buf, text.p[i]);
        i += found ? from.n : 1;
    }
    return buf_str(&buf);
}

/* The text with the destination's secrets as ${NAME}. */
static struct str open_text(const struct golden *golden, struct str text) {
    struct arena *arena = &golden->kit->arena;
    const struct catalog_entry *entry = catalog_find(connectors_catalog(golden->kit->connectors), golden->name);
    struct str basic = STR("Basic "), pair;
    if (str_starts(text, basic) && base64_decode(arena, str_sub(text, basic.n, text.n), &pair))
        text = str_fmt(arena, "Basic %.*s", STR_ARG(pair));
    for (size_t i = 0; i < entry->field_count; i++) {
        struct str name = entry->fields[i].name, value = json_text(json_get(golden->fields, name));
        if (entry->fields[i].secret) text = replace(arena, text, value, str_fmt(arena, "${%.*s}", STR_ARG(name)));
    }
    return text;
}

static void assert_same(const struct golden *golden, const char *what, struct str actual, struct str expected) {
    if (!str_eq(actual, expected))
        fail_msg("%.*s.%.*s: the %s is\n%.*s\nand not\n%.*s", STR_ARG(golden->name), STR_ARG(golden->action), what,
                 STR_ARG(actual), STR_ARG(expected));
}

static void assert_headers(const struct golden *golden, const struct json *expected) {
    struct kit *kit = golden->kit;
    struct json *headers = json_object();
    for (size_t i = 0; i < kit->outgoing.header_count; i++) {
        struct header header = kit->outgoing.headers[i];
        if (!str_eq(header.name, STR("User-Agent")))
            json_set(headers, header.name, json_str(open_text(golden, header.value)));
    }
    assert_same(golden, "head", json_dump(&kit->arena, headers), json_dump(&kit->arena, expected));
    json_free(headers);
}

static void assert_envelope(const struct golden *golden, const struct json *expected) {
    const struct envelope *envelope = &golden->kit->outgoing.envelope;
    assert_true((golden->kit->outgoing.scheme == OUTGOING_SMTP) == (expected != NULL));
    if (!expected) return;
    assert_same(golden, "sender", envelope->from, json_text(member(expected, "from")));
    assert_same(golden, "recipient", envelope->to, json_text(member(expected, "to")));
    assert_same(golden, "user", envelope->user, json_text(member(expected, "user")));
    assert_same(golden, "password", open_text(golden, envelope->password), json_text(member(expected, "password")));
    assert_true(!envelope->plain);
}

/* JSON is compared by value, so that the golden file may be laid out for reading; members must stand in one order. A
 * mail is a list of its lines. */
static void assert_body(const struct golden *golden, const struct json *expected) {
    struct kit *kit = golden->kit;
    struct str body = open_text(golden, kit->outgoing.body);
    struct json *json;
    struct json_error error;
    if (!expected || json_type(expected) == JSON_STRING) {
        assert_same(golden, "body", body, json_text(expected));
        return;
    }
    if (kit->outgoing.scheme == OUTGOING_SMTP) {
        struct buf lines = {.arena = &kit->arena};
        for (size_t i = 0; i < json_size(expected); i++)
            buf_fmt(&lines, "%.*s\r\n", STR_ARG(json_text(json_at(expected, i))));
        assert_same(golden, "mail", body, buf_str(&lines));
        return;
    }
    if (json_parse(body, JSON_DEPTH_MAX, &json, &error)) fail_msg("no JSON: %.*s", STR_ARG(body));
    assert_same(golden, "body", json_dump(&kit->arena, json), json_dump(&kit->arena, expected));
    json_free(json);
}

static void assert_request(const struct golden *golden, enum err err, const struct json *expected) {
    struct kit *kit = golden->kit;
    struct str problem = json_text(member(expected, "problem"));
    if (problem.n) {
        assert_int_equal(err, ERR_BAD_FIELD);
        assert_same(golden, "problem", kit->problem, problem);
        return;
    }
    if (err) fail_msg("%.*s.%.*s: %.*s", STR_ARG(golden->name), STR_ARG(golden->action), STR_ARG(kit->problem));
    assert_same(golden, "method", kit->outgoing.method, json_text(member(expected, "method")));
    assert_same(golden, "URL", open_text(golden, kit->outgoing.url), json_text(member(expected, "url")));
    assert_headers(golden, member(expected, "headers"));
    assert_envelope(golden, member(expected, "envelope"));
    assert_body(golden, member(expected, "body"));
}

/* ---- answers ---- */

static const char *class_word(const struct outcome *outcome, bool lookup) {
    switch (outcome->class) {
    case OUTCOME_DONE:
        return lookup ? "found" : outcome->repeat ? "already" : "done";
    case OUTCOME_RETRY:
        return outcome->pause ? "pause" : outcome->throttled ? "limit" : outcome->refused ? "refused" : "retry";
    default:
        return outcome_text(outcome->class);
    }
}

static void set_answer(const struct golden *golden, const struct json *row) {
    struct kit *kit = golden->kit;
    const struct json *body = json_at(row, 1), *more = json_at(row, 3), *value;
    struct buf lines = {.arena = &kit->arena};
    void *cursor = NULL;
    struct str name;
    while ((value = json_next(member(more, "headers"), &cursor, &name)))
        buf_fmt(&lines, "%s%.*s: %.*s", lines.n ? "\n" : "", STR_ARG(name), STR_ARG(json_text(value)));
    kit_answer(kit, (int32_t)json_integer(json_at(row, 0), 0), buf_str(&lines).p, "");
    kit->answer.body = json_type(body) == JSON_STRING ? json_text(body)
                       : json_type(body) == JSON_NULL ? STR("")
                                                      : json_dump(&kit->arena, body);
    kit->delivery.attempts = (int32_t)json_integer(member(more, "attempts"), 0);
}

static int64_t seconds_to(int64_t at_us) {
    return at_us ? (at_us - NOW) / US_PER_S : 0;
}

static void assert_outcome(const struct golden *golden, const struct json *row, const struct outcome *outcome,
                           const struct json *class, const struct json *id, bool lookup) {
    const struct json *more = json_at(row, 3);
    struct str shown = json_dump(&golden->kit->arena, row), error = json_text(member(more, "error"));
    const char *word = class_word(outcome, lookup);
    struct str name = golden->name, action = golden->action;
    if (!str_eq(str_from(word), json_text(class)))
        fail_msg("%.*s.%.*s: %.*s is %s", STR_ARG(name), STR_ARG(action), STR_ARG(shown), word);
    if (!str_eq(outcome->remote_id, json_text(id)))
        fail_msg("%.*s.%.*s: %.*s has the id '%.*s'", STR_ARG(name), STR_ARG(action), STR_ARG(shown),
                 STR_ARG(outcome->remote_id));
    if (seconds_to(outcome->not_before_us) != json_integer(member(more, "wait"), 0))
        fail_msg("%.*s.%.*s: %.*s waits %lld s", STR_ARG(name), STR_ARG(action), STR_ARG(shown),
                 (long long)seconds_to(outcome->not_before_us));
    if (seconds_to(outcome->quiet_until_us) != json_integer(member(more, "quiet"), 0))
        fail_msg("%.*s.%.*s: %.*s is silent for %lld s", STR_ARG(name), STR_ARG(action), STR_ARG(shown),
                 (long long)seconds_to(outcome->quiet_until_us));
    if (error.n) assert_same(golden, "error", outcome->error, error);
}

static void check_answers(const struct golden *golden, const struct json *rows, bool lookup) {
    struct kit *kit = golden->kit;
    assert_true(json_size(rows) > 0);
    for (size_t i = 0; i < json_size(rows); i++) {
        const struct json *row = json_at(rows, i);
        struct outcome outcome = {0};
        set_answer(golden, row);
        if (lookup)
            connect_lookup_answer(&kit->context, &kit->answer, &kit->evaluator, &outcome);
        else
            outcome = kit_outcome(kit);
        assert_outcome(golden, row, &outcome, json_at(row, 2), member(json_at(row, 3), "id"), lookup);
    }
}

/* ---- the parts of an action ---- */

static void check_requests(const struct golden *golden, const struct json *requests) {
    struct kit *kit = golden->kit;
    assert_true(json_size(requests) > 0);
    for (size_t i = json_size(requests); i-- > 0;) { /* the first stays set for the answers */
        const struct json *request = json_at(requests, i);
        kit->delivery.params = json_dump(&kit->arena, member(request, "params"));
        assert_request(golden, kit_request(kit), request);
    }
}

static void check_lookup(const struct golden *golden, const struct json *lookup) {
    struct kit *kit = golden->kit;
    assert_true(kit_traits(kit)->has_lookup == (lookup != NULL));
    if (!lookup) return;
    assert_request(golden, connect_lookup(&kit->context, &kit->outgoing, &kit->problem), lookup);
    check_answers(golden, member(lookup, "answers"), true);
}

static void check_batch(const struct golden *golden, const struct json *batch) {
    struct kit *kit = golden->kit;
    const struct json *params = member(batch, "params"), *rows = member(batch, "answers");
    struct delivery deliveries[8];
    assert_true((kit_traits(kit)->batch_max > 1) == (batch != NULL));
    if (!batch) return;
    kit->context.count = json_size(params);
    assert_in_range(kit->context.count, 2, 8);
    for (size_t i = 0; i < kit->context.count; i++) {
        deliveries[i] = kit->delivery;
        deliveries[i].key.b[15] = (uint8_t)i;
        deliveries[i].batch = (struct uuid){{0xba, 0x7c, [15] = 1}};
        deliveries[i].params = json_dump(&kit->arena, json_at(params, i));
        kit->deliveries[i] = &deliveries[i];
    }
    assert_request(golden, kit_request(kit), batch);
    for (size_t i = 0; i < json_size(rows); i++) {
        const struct json *row = json_at(rows, i);
        struct outcome outcomes[8];
        set_answer(golden, row);
        connect_answer(&kit->context, &kit->answer, &kit->evaluator, outcomes);
        assert_int_equal(json_size(json_at(row, 2)), kit->context.count);
        for (size_t j = 0; j < kit->context.count; j++)
            assert_outcome(golden, row, &outcomes[j], json_at(json_at(row, 2), j),
                           json_at(member(json_at(row, 3), "ids"), j), false);
    }
    kit->context.count = 1;
    kit->deliveries[0] = &kit->delivery;
}

static void check_settling(const struct golden *golden, const struct json *settles) {
    static const char *const words[] = {
        [ON_UNKNOWN_LOOKUP] = "lookup", [ON_UNKNOWN_RETRY] = "retry", [ON_UNKNOWN_HOLD] = "hold"};
    const struct action_traits *traits = kit_traits(golden->kit);
    struct arena *arena = &golden->kit->arena;
    struct str keep = traits->key_life_us == WHEN_NEVER ? STR("forever")
                      : traits->key_life_us             ? span_str(arena, traits->key_life_us)
                                                        : STR("");
    struct str settle = traits->has_lookup ? span_str(arena, traits->lookup_settle_us) : STR("");
    assert_same(golden, "policy", str_from(words[traits->on_unknown]), json_text(member(settles, "on_unknown")));
    assert_same(golden, "key's life", keep, json_text(member(settles, "keep")));
    assert_same(golden, "lookup's wait", settle, json_text(member(settles, "lookup")));
}

/* ---- the tests ---- */

static void check_golden(struct str name, const struct json *root) {
    struct golden golden;
    open_golden(&golden, name, root);
    const struct catalog_entry *entry = catalog_find(connectors_catalog(golden.kit->connectors), name);
    for (size_t i = 0; i < entry->action_count; i++) {
        const struct json *action = json_get(member(root, "actions"), entry->actions[i].name);
        golden.action = golden.kit->delivery.action = entry->actions[i].name;
        if (!action) fail_msg("%.*s.%.*s has no golden", STR_ARG(name), STR_ARG(golden.action));
        check_settling(&golden, member(action, "settles"));
        check_requests(&golden, member(action, "requests"));
        if (member(action, "answers")) check_answers(&golden, member(action, "answers"), false);
        check_lookup(&golden, member(action, "lookup"));
        check_batch(&golden, member(action, "batch"));
    }
    kit_free(golden.kit);
}

static void every_connector_is_as_its_golden(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str *names, one = str_from(getenv("GOLDEN") ? getenv("GOLDEN") : "");
    size_t count = file_list(STR("connectors"), STR(".yaml"), &arena, &names);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct str name = str_sub(names[i], 0, names[i].n - STR(".yaml").n);
        if (one.n && !str_eq(name, one)) continue;
        struct json *root = read_json(&arena, str_fmt(&arena, FOLDER "%.*s.json", STR_ARG(name)));
        check_golden(name, root);
        json_free(root);
    }
    arena_free(&arena);
}

/* Facts age: each file says where they are from and when they were compared. */
static void every_connector_names_its_sources(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str *names;
    size_t count = file_list(STR("connectors"), STR(".yaml"), &arena, &names);
    for (size_t i = 0; i < count; i++) {
        struct kit *kit = kit_new();
        kit_add_file(kit, str_fmt(&arena, "connectors/%.*s", STR_ARG(names[i])).p);
        kit_no_findings(kit);
        const struct catalog *catalog = connectors_catalog(kit->connectors);
        const struct catalog_entry *entry = &catalog->entries[catalog->count - 1];
        if (!entry->about.n || !entry->checked.n || !entry->docs) fail_msg("%.*s", STR_ARG(names[i]));
        for (size_t j = 0; j < entry->action_count; j++) assert_true(entry->actions[j].help.n);
        kit_free(kit);
    }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_connector_is_as_its_golden),
        cmocka_unit_test(every_connector_names_its_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
