/* connect/document_rules.c - how answers are classed; see document.h. */
#include "connect/document.h"

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

static void add_status(struct reader *reader, const struct tree *tree, struct status_set *set) {
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

void read_status(struct reader *reader, const struct tree *tree, struct status_set *ret_set) {
    if (tree->kind == TREE_SCALAR) add_status(reader, tree, ret_set);
    for (size_t i = 0; tree->kind == TREE_LIST && i < tree->count; i++) add_status(reader, tree->items[i], ret_set);
    if (tree->kind == TREE_LIST && !tree->count)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_VALUE, "the list of statuses is empty");
}

bool read_verdict(struct reader *reader, const struct tree *tree, unsigned where, enum verdict *ret_verdict) {
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

static void read_rule(struct reader *reader, const struct tree *map, unsigned where, struct rule *rule) {
    *rule =
        (struct rule){.when = JQ_NONE, .id = JQ_NONE, .error = JQ_NONE, .wait = JQ_NONE, .verdict = VERDICT_UNKNOWN};
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

void read_rules(struct reader *reader, const struct tree *list, unsigned where, struct rules *ret_rules) {
    if (!list->count || list->count > RULES_MAX) {
        reader_complain(reader, list, list->mark, CODE_CONNECT_FULL, "'answers' has 1 to %d rules", RULES_MAX);
        return;
    }
    ret_rules->items = arena_array(reader->arena, struct rule, list->count);
    ret_rules->count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        read_rule(reader, list->items[i], where, &ret_rules->items[i]);
        ret_rules->knows_success |= is_success(ret_rules->items[i].verdict);
    }
}
