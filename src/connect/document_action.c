/* connect/document_action.c - actions, and the rules that read their answers; see document.h. */
#include "connect/document.h"

#include "base/when.h"

#define BATCH_MAX       500
#define BATCH_BYTES_MIN ((size_t)1024)
#define BATCH_BYTES_MAX ((size_t)16 << 20) /* what a body may have at all */
#define SETTLE_MAX      US_PER_DAY
#define KEEP_MAX        (365 * US_PER_DAY)

/* ---- rules ---- */

/* 200, 4xx, 500-504 */
static bool status_parse(struct str text, struct status_range *ret_range) {
    struct str first = text, last;
    uint64_t from, to;
    if (text.n == 3 && text.p[0] >= '1' && text.p[0] <= '5' && str_eq(str_sub(text, 1, 2), STR("xx"))) {
        *ret_range = (struct status_range){(text.p[0] - '0') * 100, (text.p[0] - '0') * 100 + 99};
        return true;
    }
    last = text;
    str_next(&last, '-', &first);
    if (!last.n) last = first;
    if (!str_to_u64(first, &from) || !str_to_u64(last, &to) || from < 100 || to > 599 || from > to) return false;
    *ret_range = (struct status_range){(int32_t)from, (int32_t)to};
    return true;
}

static void add_status(struct document_reader *reader, const struct tree *tree, struct status_set *set) {
    struct status_range range;
    if (tree->kind != TREE_SCALAR || !status_parse(tree->text, &range))
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_VALUE, "'%.*s' is no status such as 200, 4xx or 500-504",
                        STR_ARG(tree->text));
    else if (set->count == STATUS_RANGES)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_FULL, "more than %d statuses in one rule",
                        STATUS_RANGES);
    else
        set->ranges[set->count++] = range;
}

void read_status(struct document_reader *reader, const struct tree *tree, struct status_set *ret_set) {
    if (tree->kind == TREE_SCALAR) add_status(reader, tree, ret_set);
    for (size_t i = 0; tree->kind == TREE_LIST && i < tree->count; i++) add_status(reader, tree->items[i], ret_set);
    if (tree->kind == TREE_LIST && !tree->count)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_VALUE, "the list of statuses is empty");
}

static bool read_verdict(struct document_reader *reader, const struct tree *tree, unsigned where,
                         enum verdict *ret_verdict) {
    const char *words[VERDICT_COUNT];
    enum verdict verdicts[VERDICT_COUNT];
    size_t count = 0;
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        if (!verdict_may_stand(verdict, where)) continue;
        words[count] = verdict_word(verdict);
        verdicts[count++] = verdict;
    }
    size_t at = reader_word(reader, tree, words, count);
    if (at == count) return false;
    *ret_verdict = verdicts[at];
    return true;
}

static const struct key_rule answer_keys[] = {{"is", KEY_TEXT, true},    {"when", KEY_TEXT, false},
                                              {"id", KEY_TEXT, false},   {"error", KEY_TEXT, false},
                                              {"wait", KEY_TEXT, false}, {"status", KEY_TEXT | KEY_LIST, false}};
/* An item has no status of its own. */
static const struct key_rule item_keys[] = {{"is", KEY_TEXT, true},
                                            {"when", KEY_TEXT, false},
                                            {"id", KEY_TEXT, false},
                                            {"error", KEY_TEXT, false},
                                            {"wait", KEY_TEXT, false}};

static bool is_success(enum verdict verdict) {
    return verdict == VERDICT_DONE || verdict == VERDICT_ALREADY || verdict == VERDICT_ITEMS ||
           verdict == VERDICT_FOUND;
}

static void read_rule(struct document_reader *reader, const struct tree *map, unsigned where,
                      struct answer_rule *rule) {
    *rule = (struct answer_rule){
        .when = JQ_NONE, .id = JQ_NONE, .error = JQ_NONE, .wait = JQ_NONE, .verdict = VERDICT_UNKNOWN};
    bool read = where == VERDICT_OF_ITEM ? READER_KEYS(reader, map, item_keys, STR("an answer of an item"))
                                         : READER_KEYS(reader, map, answer_keys, STR("an answer"));
    if (!read) return;
    const struct tree *is = reader_get(map, "is", KEY_TEXT);
    const struct tree *status = reader_get(map, "status", KEY_TEXT | KEY_LIST);
    if (is) read_verdict(reader, is, where, &rule->verdict);
    if (status && where != VERDICT_OF_ITEM) read_status(reader, status, &rule->status);
    rule->when = reader_jq(reader, map, "when");
    rule->id = reader_jq(reader, map, "id");
    rule->error = reader_jq(reader, map, "error");
    rule->wait = reader_jq(reader, map, "wait");
    bool refuses = !is_success(rule->verdict) && rule->verdict != VERDICT_ABSENT;
    if (refuses && rule->error == JQ_NONE) rule->error = reader->connector->error;
}

static void read_rules(struct document_reader *reader, const struct tree *list, unsigned where,
                       struct answer_rules *ret_rules) {
    if (!list->count || list->count > RULES_MAX) {
        reader_complain(reader, list, list->mark, CODE_CONNECT_FULL, "'answers' has 1 to %d rules", RULES_MAX);
        return;
    }
    ret_rules->items = arena_array(reader->arena, struct answer_rule, list->count);
    ret_rules->count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        read_rule(reader, list->items[i], where, &ret_rules->items[i]);
        ret_rules->knows_success |= is_success(ret_rules->items[i].verdict);
    }
}

/* ---- actions ---- */

static const struct key_rule action_keys[] = {
    {"help", KEY_TEXT, false},       {"params", KEY_MAP, false}, {"request", KEY_MAP, false},
    {"answers", KEY_LIST, false},    {"lookup", KEY_MAP, false}, {"idempotency", KEY_MAP, false},
    {"on_unknown", KEY_TEXT, false}, {"batch", KEY_MAP, false},  {"any_of", KEY_LIST, false},
};

/* ---- lookup ---- */

static void read_lookup(struct document_reader *reader, const struct tree *map, struct action *action) {
    static const struct key_rule keys[] = {
        {"request", KEY_MAP, true}, {"answers", KEY_LIST, true}, {"settle", KEY_TEXT, true}};
    struct lookup *lookup = arena_new(reader->arena, struct lookup);
    if (!READER_KEYS(reader, map, keys, STR("'lookup'"))) return;
    const struct tree *request = reader_get(map, "request", KEY_MAP), *answers = reader_get(map, "answers", KEY_LIST);
    if (request) lookup->request = read_request(reader, request, SCOPE_LOOKUP);
    if (answers) read_rules(reader, answers, VERDICT_OF_LOOKUP, &lookup->answers);
    if (answers && !lookup->answers.knows_success)
        reader_complain(reader, answers, answers->mark, CODE_CONNECT_CLASH, "no answer of the lookup is 'found'");
    lookup->settle_us = reader_span(reader, map, "settle", 0, SETTLE_MAX, 0);
    action->lookup = lookup;
}

/* ---- batch ---- */

static void read_items(struct document_reader *reader, const struct tree *map, struct batch_form *batch) {
    static const struct key_rule keys[] = {{"list", KEY_TEXT, true},    {"by", KEY_TEXT, true},
                                           {"key", KEY_TEXT, false},    {"sent", KEY_TEXT, false},
                                           {"answers", KEY_LIST, true}, {"missing", KEY_TEXT, false}};
    static const char *const words[] = {"position", "key"};
    if (!READER_KEYS(reader, map, keys, STR("'items'"))) return;
    const struct tree *by = reader_get(map, "by", KEY_TEXT), *sent = reader_get(map, "sent", KEY_TEXT);
    const struct tree *answers = reader_get(map, "answers", KEY_LIST), *missing = reader_get(map, "missing", KEY_TEXT);
    batch->match = by && reader_word(reader, by, words, 2) == 1 ? MATCH_KEY : MATCH_POSITION;
    batch->list = reader_jq(reader, map, "list");
    batch->key = reader_jq(reader, map, "key");
    if (sent) text_read(reader, sent, SCOPE_ITEM, &batch->sent);
    if (answers) read_rules(reader, answers, VERDICT_OF_ITEM, &batch->item_answers);
    if (missing) read_verdict(reader, missing, VERDICT_OF_ITEM, &batch->missing);
    bool keyed = batch->key != JQ_NONE && sent;
    if (batch->match == MATCH_KEY ? !keyed : batch->key != JQ_NONE || sent)
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH, "'key' and 'sent' belong to 'by: key', both");
}

static bool says_items(const struct answer_rules *rules) {
    for (size_t i = 0; i < rules->count; i++)
        if (rules->items[i].verdict == VERDICT_ITEMS) return true;
    return false;
}

/* Reads what a delivery adds to ${items}: what is written, else the body of its own request. */
static void read_item(struct document_reader *reader, const struct tree *map, const struct action *action,
                      struct batch_form *batch) {
    const struct tree *item = reader_get(map, "item", KEY_ANY);
    if (item)
        batch->item = node_read(reader, item, SCOPE_ITEM);
    else if (action->request && action->request->json)
        batch->item = action->request->json;
    else
        reader_complain(reader, map, map->mark, CODE_CONNECT_MISSING,
                        "'item' is missing in 'batch': the request has no json");
}

static bool uses_items(const struct request_form *request) {
    return request->body == BODY_JSON && node_uses(request->json, REF_ITEMS);
}

static void read_batch(struct document_reader *reader, const struct tree *map, struct action *action) {
    static const struct key_rule keys[] = {{"max", KEY_TEXT, true},
                                           {"bytes", KEY_TEXT, false},
                                           {"item_bytes", KEY_TEXT, false},
                                           {"request", KEY_MAP, true},
                                           {"item", KEY_ANY, false},
                                           {"answers", KEY_LIST, false},
                                           {"items", KEY_MAP | KEY_TEXT, false}};
    static const char *const words[] = {"all"};
    struct batch_form *batch = arena_new(reader->arena, struct batch_form);
    *batch =
        (struct batch_form){.list = JQ_NONE, .key = JQ_NONE, .missing = VERDICT_UNKNOWN, .answers = action->answers};
    action->batch = batch;
    if (!READER_KEYS(reader, map, keys, STR("'batch'"))) return;
    const struct tree *request = reader_get(map, "request", KEY_MAP), *answers = reader_get(map, "answers", KEY_LIST);
    const struct tree *items = reader_get(map, "items", KEY_MAP | KEY_TEXT);
    batch->max = reader_count(reader, map, "max", 2, BATCH_MAX, 2);
    batch->bytes = reader_size(reader, map, "bytes", BATCH_BYTES_MIN, BATCH_BYTES_MAX, 0);
    batch->item_bytes = reader_size(reader, map, "item_bytes", BATCH_BYTES_MIN, BATCH_BYTES_MAX, 0);
    if (request) batch->request = read_request(reader, request, SCOPE_BATCH);
    if (batch->request && !uses_items(batch->request))
        reader_complain(reader, request, request->mark, CODE_CONNECT_CLASH, "the batch's json does not hold ${items}");
    read_item(reader, map, action, batch);
    if (answers) read_rules(reader, answers, VERDICT_OF_BATCH, &batch->answers);
    if (items && items->kind == TREE_MAP) read_items(reader, items, batch);
    if (items && items->kind == TREE_SCALAR) reader_word(reader, items, words, 1);
    if (says_items(&batch->answers) != (batch->match != MATCH_ALL))
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH,
                        "'is: items' in the answers and a map of 'items' belong together");
}

/* ---- idempotency ---- */

/* The key as a text of its own: ${key}, or what `value` says. */
static struct text key_text(struct document_reader *reader, const struct tree *map, enum scope scope) {
    const struct tree *value = reader_get(map, "value", KEY_TEXT);
    struct tree own = *map;
    struct text text;
    own.kind = TREE_SCALAR;
    own.text = STR("${key}");
    text_read(reader, value ? value : &own, scope, &text);
    return text;
}

static void key_to_header(struct document_reader *reader, const struct tree *map, struct str name,
                          struct action *action) {
    struct pair pair = {.name = name};
    pair.value = key_text(reader, map, SCOPE_SEND);
    if (action->request) add_pair(reader->arena, &action->request->headers, pair);
    if (!action->batch || !action->batch->request) return;
    pair.value = key_text(reader, map, SCOPE_BATCH);
    add_pair(reader->arena, &action->batch->request->headers, pair);
}

static bool key_to_node(struct document_reader *reader, const struct tree *map, struct body_node *root,
                        struct str pointer, enum scope scope) {
    struct body_node **place = root ? node_place(reader->arena, root, pointer) : NULL;
    if (!place) return false;
    *place = arena_new(reader->arena, struct body_node);
    **place = (struct body_node){.kind = NODE_TEXT, .text = key_text(reader, map, scope)};
    return true;
}

/* Puts the key into the body of the request, and into the batch's items where these have a form of their own. */
static void key_to_field(struct document_reader *reader, const struct tree *map, const struct tree *field,
                         struct action *action) {
    struct request_form *request = action->request;
    struct body_node *own_item =
        action->batch && (!request || action->batch->item != request->json) ? action->batch->item : NULL;
    bool placed = true;
    if (request && request->body == BODY_FORM) {
        struct pair pair = {.name = field->text};
        pair.value = key_text(reader, map, SCOPE_SEND);
        add_pair(reader->arena, &request->form, pair);
    } else if (request) {
        placed = key_to_node(reader, map, request->json, field->text, SCOPE_SEND);
    }
    if (own_item) placed = key_to_node(reader, map, own_item, field->text, SCOPE_ITEM) && placed;
    if (!placed)
        reader_complain(
            reader, field, field->mark, CODE_CONNECT_VALUE,
            "'%.*s' is no free place in the json: a pointer such as /nonce to a member that is not there yet",
            STR_ARG(field->text));
}

static void read_idempotency(struct document_reader *reader, const struct tree *map, struct action *action,
                             struct catalog_action *catalog) {
    static const struct key_rule keys[] = {{"header", KEY_TEXT, false},  {"field", KEY_TEXT, false},
                                           {"natural", KEY_TEXT, false}, {"overwrites", KEY_TEXT, false},
                                           {"value", KEY_TEXT, false},   {"keep", KEY_TEXT, true}};
    if (!READER_KEYS(reader, map, keys, STR("'idempotency'"))) return;
    const struct tree *header = reader_get(map, "header", KEY_TEXT), *field = reader_get(map, "field", KEY_TEXT);
    const struct tree *keep = reader_get(map, "keep", KEY_TEXT), *value = reader_get(map, "value", KEY_TEXT);
    bool natural = reader_truth(reader, map, "natural");
    if (!!header + !!field + natural != 1 || (natural && value))
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH,
                        "'idempotency' has one of header, field and 'natural: true'; 'value' belongs to the first two");
    catalog->overwrites = reader_truth(reader, map, "overwrites");
    if (catalog->overwrites && !natural)
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH, "'overwrites' belongs to 'natural: true'");
    if (header && !header_name_valid(header->text))
        reader_complain(reader, header, header->mark, CODE_CONNECT_NAME, "'%.*s' is no name of a header",
                        STR_ARG(header->text));
    if (header) key_to_header(reader, map, header->text, action);
    if (field) key_to_field(reader, map, field, action);
    catalog->key_place = header ? KEY_IN_HEADER : field ? KEY_IN_FIELD : KEY_NATURAL;
    catalog->key_name = header ? header->text : field ? field->text : STR_NONE;
    bool for_ever = keep && str_eq(keep->text, STR("forever"));
    action->natural = natural;
    action->key_life_us = for_ever ? WHEN_NEVER : reader_span(reader, map, "keep", US_PER_S, KEEP_MAX, US_PER_S);
}

/* ---- the action ---- */

static enum on_unknown default_policy(const struct action *action) {
    if (action->lookup) return ON_UNKNOWN_LOOKUP;
    return action->key_life_us ? ON_UNKNOWN_RETRY : ON_UNKNOWN_HOLD;
}

static void read_policy(struct document_reader *reader, const struct tree *map, struct action *action) {
    static const char *const words[] = {"lookup", "retry", "hold"};
    static const enum on_unknown policies[] = {ON_UNKNOWN_LOOKUP, ON_UNKNOWN_RETRY, ON_UNKNOWN_HOLD};
    const struct tree *value = reader_get(map, "on_unknown", KEY_TEXT);
    size_t at = value ? reader_word(reader, value, words, 3) : 3;
    action->on_unknown = at < 3 ? policies[at] : default_policy(action);
    if (action->on_unknown == ON_UNKNOWN_LOOKUP && !action->lookup)
        reader_complain(reader, value, value->mark, CODE_CONNECT_CLASH, "'on_unknown: lookup' needs a 'lookup'");
    if (action->on_unknown == ON_UNKNOWN_RETRY && !action->key_life_us)
        reader_complain(reader, value, value->mark, CODE_CONNECT_CLASH, "'on_unknown: retry' needs an 'idempotency'");
}

static struct action_traits action_traits(const struct action *action) {
    return (struct action_traits){
        .name = action->name,
        .has_lookup = action->lookup,
        .lookup_settle_us = action->lookup ? action->lookup->settle_us : 0,
        .key_life_us = action->key_life_us,
        .natural = action->natural,
        .batch_max = action->batch ? action->batch->max : 1,
        .on_unknown = action->on_unknown,
    };
}

void read_action(struct document_reader *reader, const struct tree *tree, struct str name, struct action *ret_action,
                 struct catalog_action *ret_catalog) {
    *ret_catalog = (struct catalog_action){.name = name};
    *ret_action = (struct action){.name = name, .catalog = ret_catalog};
    if (!READER_KEYS(reader, tree, action_keys, str_fmt(reader->arena, "action '%.*s'", STR_ARG(name)))) return;
    const struct tree *params = reader_get(tree, "params", KEY_MAP), *request = reader_get(tree, "request", KEY_MAP);
    const struct tree *answers = reader_get(tree, "answers", KEY_LIST), *lookup = reader_get(tree, "lookup", KEY_MAP);
    const struct tree *batch = reader_get(tree, "batch", KEY_MAP), *any_of = reader_get(tree, "any_of", KEY_LIST);
    const struct tree *idempotency = reader_get(tree, "idempotency", KEY_MAP);
    ret_catalog->help = tree_text(tree, STR("help"));
    if (params) read_params(reader, params, ret_catalog);
    if (any_of) read_any_of(reader, any_of, ret_catalog);
    reader->action = ret_catalog;
    if (!request && !batch)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_MISSING,
                        "action '%.*s' has neither 'request' nor 'batch'", STR_ARG(name));
    if (request) ret_action->request = read_request(reader, request, SCOPE_SEND);
    if (answers) read_rules(reader, answers, VERDICT_OF_CALL, &ret_action->answers);
    if (lookup) read_lookup(reader, lookup, ret_action);
    if (batch) read_batch(reader, batch, ret_action);
    if (idempotency) read_idempotency(reader, idempotency, ret_action, ret_catalog);
    read_policy(reader, tree, ret_action);
    ret_catalog->traits = action_traits(ret_action);
    ret_catalog->batch_by_item = batch && ret_action->batch->match != MATCH_ALL;
    reader->action = NULL;
}
