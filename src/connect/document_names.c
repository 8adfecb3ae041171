/* connect/document_names.c - fields and parameters; see document.h. */
#include "connect/document.h"

#define NAMES_MAX 128

/* Words that mean something to every destination; `url` is one that a connector may take over. */
static const char *const destination_words[] = {"type",    "headers",     "signing_secret", "limit",
                                                "account", "concurrency", "timeout",        "retry",
                                                "give_up", "breaker",     "on_unknown",     "allow_private"};
/* Words that mean something in every delivery of a route. */
static const char *const delivery_words[] = {"after", "when", "unless", "key", "order_by", "late", "batch"};

static bool names_fit(struct reader *reader, const struct tree *map, const char *what) {
    if (map->count <= NAMES_MAX) return true;
    reader_complain(reader, map, map->mark, CODE_CONNECT_FULL, "more than %d %s", NAMES_MAX, what);
    return false;
}

static void check_name(struct reader *reader, const struct tree *map, size_t at, const char *what,
                       const char *const *words, size_t count) {
    struct str name = map->names[at];
    if (!name_valid(name, STR("_")))
        reader_complain(reader, map, map->name_marks[at], CODE_CONNECT_NAME,
                        "'%.*s' is no name for a %s: a small letter, then small letters, digits and '_'", STR_ARG(name),
                        what);
    else if (name_reserved(name, words, count))
        reader_complain(reader, map, map->name_marks[at], CODE_CONNECT_NAME,
                        "a %s cannot be called '%.*s': the word has a meaning", what, STR_ARG(name));
}

static void read_field(struct reader *reader, const struct tree *spec, struct str name, struct field *field,
                       struct catalog_name *catalog) {
    static const struct key_rule keys[] = {{"secret", KEY_TEXT, false},
                                           {"required", KEY_TEXT, false},
                                           {"default", KEY_TEXT, false},
                                           {"help", KEY_TEXT, false}};
    struct str where = str_fmt(reader->arena, "field '%.*s'", STR_ARG(name));
    *catalog = (struct catalog_name){.name = name};
    *field = (struct field){.name = name};
    if (!READER_KEYS(reader, spec, keys, where)) return;
    catalog->secret = field->secret = reader_truth(reader, spec, "secret");
    catalog->help = tree_text(spec, STR("help"));
    field->required = reader_truth(reader, spec, "required");
    field->fallback = tree_text(spec, STR("default"));
    if (field->required && field->fallback.n)
        reader_complain(reader, spec, spec->mark, CODE_CONNECT_CLASH, "%.*s has a default, so it is not required",
                        STR_ARG(where));
    catalog->required = field->required;
}

void read_fields(struct reader *reader, const struct tree *map, struct catalog_entry *entry) {
    struct connector *connector = reader->connector;
    if (!names_fit(reader, map, "fields")) return;
    connector->fields = arena_array(reader->arena, struct field, map->count);
    entry->fields = arena_array(reader->arena, struct catalog_name, map->count);
    for (size_t i = 0; i < map->count; i++) {
        check_name(reader, map, i, "field", destination_words, sizeof destination_words / sizeof *destination_words);
        read_field(reader, map->items[i], map->names[i], &connector->fields[i], &entry->fields[i]);
    }
    connector->field_count = entry->field_count = map->count;
}

/* `required`, `optional`, or a map with help. */
static void read_param(struct reader *reader, const struct tree *spec, struct catalog_name *param) {
    static const char *const words[] = {"optional", "required"};
    static const struct key_rule keys[] = {{"required", KEY_TEXT, false}, {"help", KEY_TEXT, false}};
    if (spec->kind == TREE_SCALAR) {
        param->required = reader_word(reader, spec, words, 2) == 1;
        return;
    }
    if (!READER_KEYS(reader, spec, keys, str_fmt(reader->arena, "parameter '%.*s'", STR_ARG(param->name)))) return;
    param->required = reader_truth(reader, spec, "required");
    param->help = tree_text(spec, STR("help"));
}

void read_params(struct reader *reader, const struct tree *map, struct catalog_action *action) {
    if (!names_fit(reader, map, "parameters")) return;
    action->params = arena_array(reader->arena, struct catalog_name, map->count);
    action->param_count = map->count;
    for (size_t i = 0; i < map->count; i++) {
        check_name(reader, map, i, "parameter", delivery_words, sizeof delivery_words / sizeof *delivery_words);
        action->params[i].name = map->names[i];
        read_param(reader, map->items[i], &action->params[i]);
    }
}
