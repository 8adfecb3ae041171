/* base/path.c - see path.h. Its answers and its words are those of jq. */
#include "base/path.h"

#include "base/json.h"

#define INDEX_DIGITS_MAX 9

static bool is_name_byte(char c, bool first) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && c >= '0' && c <= '9');
}

/* The name at the front of rest; rest moves behind it. */
static bool read_name(struct str *rest, struct path_step *ret_step) {
    size_t n = 0;
    while (n < rest->n && is_name_byte(rest->p[n], n == 0)) n++;
    *ret_step = (struct path_step){.name = str_sub(*rest, 0, n)};
    *rest = str_sub(*rest, n, rest->n);
    return n > 0;
}

/* "[12]" at the front of rest. */
static bool read_index(struct str *rest, struct path_step *ret_step) {
    size_t n = 1, index = 0;
    for (; n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9'; n++) index = index * 10 + (size_t)(rest->p[n] - '0');
    if (n == 1 || n > 1 + INDEX_DIGITS_MAX || n == rest->n || rest->p[n] != ']') return false;
    *ret_step = (struct path_step){.index = index};
    *rest = str_sub(*rest, n + 1, rest->n);
    return true;
}

bool path_parse(struct arena *arena, struct str expression, struct path *ret_path) {
    struct path_step steps[PATH_STEPS_MAX];
    struct str rest = str_trim(expression);
    size_t count = 0;
    if (!str_starts(rest, STR("."))) return false;
    if (rest.n == 1 || rest.p[1] == '[') rest = str_sub(rest, 1, rest.n);
    while (rest.n) {
        if (count == PATH_STEPS_MAX) return false;
        bool item = rest.p[0] == '[';
        if (!item && rest.p[0] != '.') return false;
        if (!item) rest = str_sub(rest, 1, rest.n);
        if (item ? !read_index(&rest, &steps[count]) : !read_name(&rest, &steps[count])) return false;
        count++;
    }
    *ret_path = (struct path){arena_array(arena, struct path_step, count), count};
    for (size_t i = 0; i < count; i++) ret_path->steps[i] = steps[i];
    return true;
}

static const char *kind_of(struct str value) {
    switch (value.p[0]) {
    case '{':
        return "object";
    case '[':
        return "array";
    case '"':
        return "string";
    case 't':
    case 'f':
        return "boolean";
    default:
        return "number";
    }
}

static struct str find_item(struct str array, size_t index) {
    struct str item = STR("null");
    size_t cursor = 0;
    for (size_t i = 0; i <= index; i++)
        if (!json_slice_item(array, &cursor, &item)) return STR("null");
    return item;
}

bool path_find(const struct path *path, struct str payload, struct arena *arena, struct str *ret_value,
               struct str *ret_problem) {
    struct str value = str_trim(payload);
    for (size_t i = 0; i < path->count; i++) {
        const struct path_step *step = &path->steps[i];
        if (str_eq(value, STR("null"))) break;
        if (value.p[0] != (step->name.n ? '{' : '[')) {
            *ret_problem = step->name.n ? str_fmt(arena, "Cannot index %s with string \"%.*s\"", kind_of(value),
                                                  STR_ARG(step->name))
                                        : str_fmt(arena, "Cannot index %s with number", kind_of(value));
            return false;
        }
        if (!step->name.n)
            value = find_item(value, step->index);
        else if (!json_slice(value, step->name, &value))
            value = STR("null");
    }
    *ret_value = value;
    return true;
}
