/* connect/structured.c - see structured.h. Lenient in one point: names may have
 * capitals, as providers write them. */
#include "connect/structured.h"

/* RFC 8941, 3.3.1 and 3.3.2: no number has more digits. */
#define NUMBER_DIGITS_MAX 15

static bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* RFC 8941, 3.3.4: tchar, ':' and '/'. */
static bool is_token(char c) {
    static const struct str marks = {"!#$%&'*+-.^_`|~:/", 17};
    return is_alpha(c) || is_digit(c) || str_find(marks, c) != SIZE_MAX;
}

static bool is_base64(char c) {
    return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

static bool at(struct str rest, char c) {
    return rest.n && rest.p[0] == c;
}

static bool take(struct str *rest, char c) {
    if (!at(*rest, c)) return false;
    *rest = str_sub(*rest, 1, rest->n);
    return true;
}

static void skip_blanks(struct str *rest, bool tabs) {
    while (at(*rest, ' ') || (tabs && at(*rest, '\t'))) *rest = str_sub(*rest, 1, rest->n);
}

/* Takes the run of bytes that belong; may be empty. */
static struct str take_run(struct str *rest, bool (*belongs)(char)) {
    size_t length = 0;
    while (length < rest->n && belongs(rest->p[length])) length++;
    struct str run = str_sub(*rest, 0, length);
    *rest = str_sub(*rest, length, rest->n);
    return run;
}

/* A bare item: its text, and its number where it is one. */
struct bare_item {
    struct str text;
    double number;
    bool is_number;
};

static bool take_number(struct str *rest, struct bare_item *item) {
    struct str start = *rest;
    bool negative = take(rest, '-');
    struct str whole = take_run(rest, is_digit), fraction = STR_NONE;
    bool decimal = whole.n && take(rest, '.');
    if (decimal) fraction = take_run(rest, is_digit);
    if (!whole.n || (decimal && !fraction.n) || whole.n + fraction.n > NUMBER_DIGITS_MAX) return false;
    double number = 0, weight = 1;
    for (size_t i = 0; i < whole.n; i++) number = number * 10 + (whole.p[i] - '0');
    for (size_t i = 0; i < fraction.n; i++) number += (fraction.p[i] - '0') * (weight /= 10);
    *item = (struct bare_item){str_sub(start, 0, start.n - rest->n), negative ? -number : number, true};
    return true;
}

/* What stands between quotes, escapes in place. */
static bool take_string(struct str *rest, struct bare_item *item) {
    for (size_t i = 1; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '"') {
            *item = (struct bare_item){.text = str_sub(*rest, 1, i - 1)};
            *rest = str_sub(*rest, i + 1, rest->n);
            return true;
        }
        if (c == '\\' && (++i == rest->n || (rest->p[i] != '"' && rest->p[i] != '\\'))) return false;
        if (c < ' ' || c > '~') return false;
    }
    return false;
}

/* :base64: and ?1 are read so that what follows them is found. */
static bool take_bytes(struct str *rest, struct bare_item *item) {
    take(rest, ':');
    *item = (struct bare_item){.text = take_run(rest, is_base64)};
    return take(rest, ':');
}

static bool take_boolean(struct str *rest, struct bare_item *item) {
    take(rest, '?');
    *item = (struct bare_item){.text = str_sub(*rest, 0, 1)};
    return take(rest, '0') || take(rest, '1');
}

static bool take_item(struct str *rest, struct bare_item *item) {
    if (at(*rest, '"')) return take_string(rest, item);
    if (at(*rest, ':')) return take_bytes(rest, item);
    if (at(*rest, '?')) return take_boolean(rest, item);
    if (at(*rest, '-') || (rest->n && is_digit(rest->p[0]))) return take_number(rest, item);
    if (!at(*rest, '*') && !(rest->n && is_alpha(rest->p[0]))) return false;
    *item = (struct bare_item){.text = take_run(rest, is_token)};
    return true;
}

static bool take_params(struct str *rest, struct sf_member *member) {
    while (take(rest, ';')) {
        skip_blanks(rest, false);
        struct sf_param param = {.name = take_run(rest, is_token)};
        struct bare_item item = {0};
        if (!param.name.n || (take(rest, '=') && !take_item(rest, &item))) return false;
        param.number = item.number;
        param.text = item.text;
        if (member->param_count < SF_PARAMS_MAX) member->params[member->param_count++] = param;
    }
    return true;
}

/* The item of a list, or `key`, `key=item` of a dictionary: a token before '=' is a key. */
static bool take_member(struct str *rest, struct sf_member *member) {
    struct bare_item item;
    bool may_be_key = !at(*rest, '"');
    if (!take_item(rest, &item)) return false;
    if (!item.is_number) member->key = item.text;
    if (may_be_key && !item.is_number && take(rest, '=') && !take_item(rest, &item)) return false;
    member->value = item.number;
    return take_params(rest, member);
}

bool sf_next(struct str *rest, struct sf_member *ret_member) {
    struct sf_member member = {0};
    struct str after = *rest;
    skip_blanks(&after, true);
    if (!after.n || !take_member(&after, &member)) return false;
    skip_blanks(&after, true);
    if (after.n && !take(&after, ',')) return false;
    *rest = after;
    *ret_member = member;
    return true;
}

const struct sf_param *sf_param(const struct sf_member *member, struct str name) {
    for (size_t i = 0; i < member->param_count; i++)
        if (str_eq_nocase(member->params[i].name, name)) return &member->params[i];
    return NULL;
}
