/* model/settings.c - lookups in a configuration; see settings.h. */
#include "model/settings.h"

#include "base/when.h"

#include <string.h>

size_t settings_destination(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->destination_count; i++)
        if (str_eq(settings->destinations[i].name, name)) return i;
    return SIZE_MAX;
}

const struct action_traits *destination_action(const struct destination_settings *destination, struct str action) {
    for (size_t i = 0; i < destination->action_count; i++)
        if (str_eq(destination->actions[i].name, action)) return &destination->actions[i];
    return NULL;
}

const struct catalog_entry *catalog_find(const struct catalog *catalog, struct str name) {
    for (size_t i = 0; i < catalog->count; i++)
        if (str_eq(catalog->entries[i].name, name)) return &catalog->entries[i];
    return NULL;
}

const struct catalog_action *catalog_action(const struct catalog_entry *entry, struct str name) {
    for (size_t i = 0; i < entry->action_count; i++)
        if (str_eq(entry->actions[i].name, name)) return &entry->actions[i];
    return NULL;
}

bool limit_rule_parse(struct str text, struct limit_rule *ret_rule) {
    size_t slash = str_find(text, '/');
    if (slash == SIZE_MAX) return false;
    struct str window = str_sub(text, slash + 1, text.n);
    char one[24] = "1"; /* a bare unit is one of it */
    bool bare = window.n && window.n < sizeof one && (window.p[0] < '0' || window.p[0] > '9');
    if (bare) {
        memcpy(one + 1, window.p, window.n);
        window = (struct str){one, window.n + 1};
    }
    struct limit_rule rule;
    if (!str_to_i64(str_sub(text, 0, slash), &rule.count) || !span_parse(window, &rule.window_us)) return false;
    *ret_rule = rule;
    return true;
}
