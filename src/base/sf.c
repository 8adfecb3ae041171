#include "base/sf.h"

#include "base/arena.h"

bool sf_string_or_bare(struct arena *arena, struct str value, struct str *ret_text) {
    value = str_trim(value);
    if (value.n == 0 || value.p[0] != '"') {
        *ret_text = value;
        return true;
    }
    char *out = arena_alloc(arena, value.n);
    size_t n = 0;
    for (size_t i = 1; i < value.n; i++) {
        char c = value.p[i];
        if (c == '"') {
            if (i + 1 != value.n) return false;
            *ret_text = (struct str){out, n};
            return true;
        }
        if (c == '\\') {
            if (++i == value.n) return false;
            c = value.p[i];
            if (c != '"' && c != '\\') return false;
        }
        out[n++] = c;
    }
    return false;
}
