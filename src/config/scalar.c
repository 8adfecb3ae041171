/* config/scalar.c - one text to one value, by the type of its key; see check.h. */
#include "config/check.h"

#include "base/when.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t bytes;
} size_units[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};
#define SIZE_UNIT_COUNT (sizeof size_units / sizeof *size_units)

static size_t digits_of(struct str text) {
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') digits++;
    return digits;
}

static bool size_parse(struct str text, int64_t *ret_bytes) {
    size_t digits = digits_of(text);
    struct str unit = str_sub(text, digits, text.n);
    int64_t number;
    if (!str_to_i64(str_sub(text, 0, digits), &number)) return false;
    for (size_t i = 0; i < SIZE_UNIT_COUNT; i++) {
        int64_t bytes;
        if (!str_eq(unit, str_from(size_units[i].name))) continue;
        if (__builtin_mul_overflow(number, size_units[i].bytes, &bytes)) return false;
        *ret_bytes = bytes;
        return true;
    }
    return false;
}

struct str size_str(struct arena *arena, int64_t bytes) {
    size_t unit = 0;
    while (bytes % size_units[unit].bytes || (!bytes && unit + 1 < SIZE_UNIT_COUNT)) unit++;
    return str_fmt(arena, "%lld%s", (long long)(bytes / size_units[unit].bytes), size_units[unit].name);
}

static bool percent_parse(struct str text, int64_t *ret_percent) {
    return str_ends(text, STR("%")) && str_to_i64(str_sub(text, 0, text.n - 1), ret_percent);
}

/* The types that are a number within bounds. */
struct number_type {
    enum key_type type;
    bool (*parse)(struct str text, int64_t *ret_value);
    struct str (*show)(struct arena *arena, int64_t value);
};

static struct str whole_str(struct arena *arena, int64_t value) {
    return str_fmt(arena, "%lld", (long long)value);
}
static struct str percent_str(struct arena *arena, int64_t value) {
    return str_fmt(arena, "%lld%%", (long long)value);
}

static const struct number_type number_types[] = {
    {KEY_WHOLE, str_to_i64, whole_str},
    {KEY_SPAN, span_parse, span_str},
    {KEY_SIZE, size_parse, size_str},
    {KEY_PERCENT, percent_parse, percent_str},
};

/* Refuses a number without a unit, and says what it should have been. */
static void refuse_bare_number(struct checker *checker, const struct key *key, const struct tree *value) {
    struct str subject = check_subject(checker, key->name);
    int64_t number;
    if (key->type == KEY_SPAN) {
        const char *fallback = key->fallback ? key->fallback : "";
        char unit = *fallback ? fallback[strlen(fallback) - 1] : 's';
        check_report(checker, value->mark, CODE_UNIT, "%.*s needs a unit: write '%.*s%c'", STR_ARG(subject),
                     STR_ARG(value->text), unit);
    } else if (key->type == KEY_PERCENT) {
        check_report(checker, value->mark, CODE_UNIT, "%.*s needs a unit: write '%.*s%%'", STR_ARG(subject),
                     STR_ARG(value->text));
    } else if (str_to_i64(value->text, &number)) {
        struct str size = size_str(checker->arena, number);
        check_report(checker, value->mark, CODE_UNIT, "%.*s needs a unit: write '%.*s'", STR_ARG(subject),
                     STR_ARG(size));
    } else {
        scalar_refuse(checker, key, value, CODE_VALUE);
    }
}

void scalar_refuse(struct checker *checker, const struct key *key, const struct tree *value, enum code code) {
    struct str subject = check_subject(checker, key->name);
    struct str got = STR("");
    bool show = value->kind == TREE_SCALAR && !key_is_hidden(key->type);
    if (show) {
        struct str shown = check_shown(checker, value->text);
        got = str_fmt(checker->arena, ", got '%.*s'", STR_ARG(shown));
    }
    check_report(checker, value->mark, code, "%.*s takes %s%.*s", STR_ARG(subject), key_what(key), STR_ARG(got));
}

static const struct number_type *number_type(enum key_type type) {
    for (size_t i = 0; i < sizeof number_types / sizeof *number_types; i++)
        if (number_types[i].type == type) return &number_types[i];
    return NULL;
}

struct str scalar_bounds(struct arena *arena, const struct key *key) {
    const struct number_type *type = number_type(key->type);
    if (!type) return STR("");
    struct str min = type->show(arena, key->min), max = type->show(arena, key->max);
    return str_fmt(arena, "from %.*s to %.*s", STR_ARG(min), STR_ARG(max));
}

static void refuse_bounds(struct checker *checker, const struct key *key, const struct tree *value) {
    struct str subject = check_subject(checker, key->name), shown = check_shown(checker, value->text);
    struct str bounds = scalar_bounds(checker->arena, key);
    check_report(checker, value->mark, CODE_BOUNDS, "%.*s must be %.*s, got '%.*s'", STR_ARG(subject), STR_ARG(bounds),
                 STR_ARG(shown));
}

static void read_number(struct checker *checker, const struct number_type *type, const struct key *key,
                        const struct tree *value, void *place) {
    struct str text;
    int64_t number;
    if (!scalar_text(checker, key, value, &text)) return;
    if (!type->parse(text, &number)) {
        bool bare = key->type != KEY_WHOLE && text.n && digits_of(value->text) == value->text.n;
        if (bare)
            refuse_bare_number(checker, key, value);
        else
            scalar_refuse(checker, key, value, CODE_VALUE);
    } else if (number < key->min || number > key->max) {
        refuse_bounds(checker, key, value);
    } else if (key->type == KEY_WHOLE || key->type == KEY_PERCENT) {
        *(int32_t *)place = (int32_t)number;
    } else {
        *(int64_t *)place = number;
    }
}

static void read_flag(struct checker *checker, const struct key *key, const struct tree *value, void *place) {
    struct str text;
    if (!scalar_text(checker, key, value, &text)) return;
    bool flag = str_eq(text, STR("true"));
    if (!flag && !str_eq(text, STR("false")))
        scalar_refuse(checker, key, value, CODE_VALUE);
    else
        *(bool *)place = flag;
}

/* The n-th word of the choices, from 1, is n in the enum. */
static void read_choice(struct checker *checker, const struct key *key, const struct tree *value, void *place) {
    struct str text, word, rest = key->choices;
    if (!scalar_text(checker, key, value, &text)) return;
    struct suggestion near = {.wrong = text};
    for (unsigned number = 1; str_next(&rest, '|', &word); number++) {
        if (str_eq(word, text)) {
            *(unsigned *)place = number;
            return;
        }
        suggestion_consider(&near, word);
    }
    struct str subject = check_subject(checker, key->name), hint = suggestion_text(checker->arena, &near);
    struct str shown = check_shown(checker, value->text);
    check_report(checker, value->mark, CODE_VALUE, "%.*s takes one of %.*s, got '%.*s'%.*s", STR_ARG(subject),
                 STR_ARG(key->choices), STR_ARG(shown), STR_ARG(hint));
}

/* Characters are counted as bytes here: the bounds are only there so that nothing grows. */
static bool within_length(struct checker *checker, const struct key *key, const struct tree *value, struct str text) {
    if ((int64_t)text.n >= key->min && (int64_t)text.n <= key->max) return true;
    struct str subject = check_subject(checker, key->name);
    if (!text.n)
        check_report(checker, value->mark, CODE_VALUE, "%.*s is empty", STR_ARG(subject));
    else
        check_report(checker, value->mark, CODE_BOUNDS, "%.*s is longer than %lld characters", STR_ARG(subject),
                     (long long)key->max);
    return false;
}

static bool is_account(struct str text) {
    if (!text.n || text.p[0] < 'a' || text.p[0] > 'z') return false;
    for (size_t i = 0; i < text.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", text.p[i]) || !text.p[i]) return false;
    return true;
}

static void read_text(struct checker *checker, const struct key *key, const struct tree *value, void *place) {
    struct str text;
    if (!scalar_text(checker, key, value, &text) || !within_length(checker, key, value, text)) return;
    if (key->type == KEY_SECRET && !expand_refuse_plain(checker, check_subject(checker, key->name), value)) return;
    if (key->type == KEY_ACCOUNT && !is_account(text))
        scalar_refuse(checker, key, value, CODE_VALUE);
    else
        *(struct str *)place = text;
}

void scalar_read_list(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str_list *list = (void *)((char *)owner + key->place);
    bool several = value->kind == TREE_LIST;
    size_t count = several ? value->count : 1;
    if (!count) {
        scalar_refuse(checker, key, value, CODE_SHAPE);
        return;
    }
    list->items = arena_array(checker->arena, struct str, count);
    for (size_t i = 0; i < count; i++) {
        const struct tree *item = several ? value->items[i] : value;
        struct str text;
        if (scalar_text(checker, key, item, &text) && within_length(checker, key, item, text))
            list->items[list->count++] = text;
    }
}

/* The expression itself is compiled with all others, by the routes. */
static void read_jq(struct checker *checker, const struct key *key, const struct tree *value, void *place) {
    struct str subject = check_subject(checker, key->name);
    if (value->kind != TREE_SCALAR) {
        scalar_refuse(checker, key, value, CODE_SHAPE);
    } else if (str_starts(str_trim(value->text), STR("${"))) {
        check_report(checker, value->mark, CODE_REFERENCE, "%.*s is jq as it stands: leave out the '${' and '}'",
                     STR_ARG(subject));
    } else if (within_length(checker, key, value, str_trim(value->text))) {
        *(struct str *)place = value->text;
    }
}

bool scalar_text(struct checker *checker, const struct key *key, const struct tree *value, struct str *ret_text) {
    struct str subject = check_subject(checker, key->name);
    if (value->kind == TREE_NULL) {
        check_report(checker, value->mark, CODE_SHAPE, "%.*s has no value: it takes %s", STR_ARG(subject),
                     key_what(key));
        return false;
    }
    if (value->kind != TREE_SCALAR) {
        scalar_refuse(checker, key, value, CODE_SHAPE);
        return false;
    }
    if (checker->takes_secrets || key->type == KEY_STORE) return expand_secrets(checker, subject, value, ret_text);
    if (!expand_refuse(checker, subject, value)) return false;
    *ret_text = value->text;
    return true;
}

void scalar_read(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    void *place = (char *)owner + key->place;
    const struct number_type *number = number_type(key->type);
    if (number)
        read_number(checker, number, key, value, place);
    else if (key->type == KEY_FLAG)
        read_flag(checker, key, value, place);
    else if (key->type == KEY_CHOICE)
        read_choice(checker, key, value, place);
    else if (key->type == KEY_JQ)
        read_jq(checker, key, value, place);
    else
        read_text(checker, key, value, place);
}
