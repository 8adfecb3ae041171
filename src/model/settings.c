/* model/settings.c - lookups in a configuration; see settings.h. */
#include "model/settings.h"

#include "base/when.h"

#include <string.h>

size_t settings_destination(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->destination_count; i++)
        if (str_eq(settings->destinations[i].name, name)) return i;
    return SIZE_MAX;
}

size_t settings_heir(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->destination_count; i++)
        if (str_list_has(settings->destinations[i].was, name)) return i;
    return SIZE_MAX;
}

const struct action_traits *destination_action(const struct destination_settings *destination, struct str action) {
    for (size_t i = 0; i < destination->action_count; i++)
        if (str_eq(destination->actions[i].name, action)) return &destination->actions[i];
    return NULL;
}

bool limit_rule_parse(struct str text, struct limit_rule *ret_rule, struct str *ret_meter) {
    struct str rate = text, meter = STR("");
    size_t space = str_find(text, ' '), slash = str_find(text, '/');
    if (space != SIZE_MAX) {
        rate = str_sub(text, 0, space);
        meter = str_sub(text, space, text.n);
        if (!str_starts(meter, STR(" per ")) || meter.n == 5) return false;
        meter = str_sub(meter, 5, meter.n);
        if (str_find(meter, ' ') != SIZE_MAX) return false;
    }
    if (slash == SIZE_MAX || slash >= rate.n) return false;
    struct str window = str_sub(rate, slash + 1, rate.n);
    char one[24] = "1"; /* a bare unit is one of it */
    bool bare = window.n && window.n < sizeof one && (window.p[0] < '0' || window.p[0] > '9');
    if (bare) {
        memcpy(one + 1, window.p, window.n);
        window = (struct str){one, window.n + 1};
    }
    struct limit_rule rule;
    if (!str_to_i64(str_sub(rate, 0, slash), &rule.count) || !span_parse(window, &rule.window_us)) return false;
    *ret_rule = rule;
    *ret_meter = meter;
    return true;
}

struct str limit_rule_text(struct arena *arena, const struct limit_rule *rule, struct str meter) {
    struct str window = span_str(arena, rule->window_us);
    bool one = window.n == 2 && window.p[0] == '1'; /* "10/s", as it is written */
    return str_fmt(arena, "%lld/%.*s%s%.*s", (long long)rule->count, STR_ARG(one ? str_sub(window, 1, 2) : window),
                   meter.n ? " per " : "", STR_ARG(meter));
}

/* ---- where the store is ---- */

bool settings_store_is_postgres(struct str store) {
    return str_starts(store, STR("postgres://")) || str_starts(store, STR("postgresql://"));
}

/* Whether the text looks like libpq's keywords: host=db dbname=x. */
static bool has_keyword(struct str text) {
    static const char *const keywords[] = {
        "host=", "hostaddr=", "port=", "dbname=", "user=", "password=", "service=", "sslmode="};
    for (size_t i = 0; i < text.n; i++)
        for (size_t j = 0; j < sizeof keywords / sizeof *keywords; j++)
            if ((i == 0 || text.p[i - 1] == ' ') && str_starts(str_sub(text, i, text.n), str_from(keywords[j])))
                return true;
    return false;
}

/* "postgres:/db", "sqlite:x.db": a scheme, as far as anybody can tell. A file of such a name is written as ./a:b. */
static bool has_scheme(struct str store) {
    struct str first = str_sub(store, 0, str_find(store, '/'));
    return first.n && first.p[0] != '.' && str_find(first, ':') != SIZE_MAX;
}

/* "postgres": the name of a program and no place; a file of that name is nobody's wish. */
static bool is_program(struct str store) {
    static const char *const programs[] = {"postgres", "postgresql", "pg",      "psql",  "sqlite",
                                           "sqlite3",  "mysql",      "mariadb", "redis", "memory"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (str_eq_nocase(store, str_from(programs[i]))) return true;
    return false;
}

const char *settings_store_problem(struct str store) {
    if (settings_store_is_postgres(store)) return NULL;
    if (memmem(store.p, store.n, "://", 3)) return "takes a path or a postgres:// URL, no other scheme";
    if (has_keyword(store)) return "takes a database as postgres://user@host:5432/name, not as keywords";
    if (str_starts(store, STR("~"))) return "takes a path as it is: ~ stands for a home only in a shell";
    if (str_eq(store, STR(":memory:")) || str_starts(store, STR("file:")))
        return "takes the path of a file: events that are only in memory would be lost";
    if (has_scheme(store)) return "takes a URL with its two slashes, as postgres://user@host:5432/name, or a path";
    if (is_program(store))
        return "takes a path or a postgres:// URL, and this names neither: postgres://user@host:5432/name, or a file "
               "as ./NAME.db";
    return NULL;
}
