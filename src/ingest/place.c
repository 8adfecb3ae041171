/* ingest/place.c - see place.h. */
#include "ingest/place.h"

#include "base/arena.h"
#include "base/json.h"

struct str place_step(struct str step, char room[PLACE_STEP_MAX]) {
    size_t n = 0;
    if (str_find(step, '~') == SIZE_MAX || step.n > PLACE_STEP_MAX) return step;
    for (size_t i = 0; i < step.n; i++) {
        bool escape = step.p[i] == '~' && i + 1 < step.n && (step.p[i + 1] == '0' || step.p[i + 1] == '1');
        room[n++] = !escape ? step.p[i] : step.p[i + 1] == '0' ? '~' : '/';
        i += escape;
    }
    return (struct str){room, n};
}

struct str place_text_of(struct str json, struct arena *arena) {
    struct json *value;
    struct json_error error;
    struct str text = STR_NONE;
    if (!json.n || json.p[0] == '{' || json.p[0] == '[') return STR_NONE;
    if ((json.p[0] >= '0' && json.p[0] <= '9') || json.p[0] == '-') return json;
    if (json.p[0] != '"' || json_parse(json, 1, &value, &error)) return STR_NONE;
    text = str_dup(arena, json_text(value));
    json_free(value);
    return text;
}

struct str place_json(struct str json, struct str pointer, struct arena *arena) {
    struct str value = str_trim(json), step;
    char room[PLACE_STEP_MAX];
    for (struct str rest = str_sub(pointer, 1, pointer.n); pointer.n && str_next(&rest, '/', &step);) {
        int64_t index;
        step = place_step(step, room);
        if (str_starts(value, STR("\""))) value = str_trim(place_text_of(value, arena));
        if (str_starts(value, STR("[")) && str_to_i64(step, &index) && index >= 0) {
            size_t cursor = 0;
            for (struct str list = value; index >= 0; index--)
                if (!json_slice_item(list, &cursor, &value)) return STR_NONE;
        } else if (!json_slice(value, step, &value)) {
            return STR_NONE;
        }
    }
    return value;
}

size_t place_list(const struct scheme *scheme, const struct request *request, struct str header, struct str name,
                  struct str *ret_values, size_t max) {
    struct str rest = request_header(request, header), member;
    size_t count = 0;
    while (count < max && str_next(&rest, scheme->between, &member)) {
        size_t end = str_find(member, scheme->behind);
        if (end == SIZE_MAX || !str_eq(str_trim(str_sub(member, 0, end)), name)) continue;
        ret_values[count++] = str_trim(str_sub(member, end + 1, member.n));
    }
    return count;
}

struct str place_text(const struct scheme *scheme, const struct request *request, struct str json, const char *place,
                      struct arena *arena) {
    struct str at = str_from(place), value = STR_NONE;
    size_t hash = str_find(at, '#');
    if (str_starts(at, STR("/"))) return place_text_of(place_json(json, at, arena), arena);
    if (hash == SIZE_MAX) return request_header(request, at);
    return place_list(scheme, request, str_sub(at, 0, hash), str_sub(at, hash + 1, at.n), &value, 1) ? value : STR_NONE;
}
