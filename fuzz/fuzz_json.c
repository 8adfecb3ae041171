/* fuzz/fuzz_json.c - any bytes as a JSON text. What parses must survive being
 * written and read again, and its slices must be its values. */
#include "base/arena.h"
#include "base/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str canonical(struct arena *arena, const struct json *node) {
    struct buf buf = {.arena = arena};
    json_canonical(&buf, node);
    return buf_str(&buf);
}

/* The text is the same document as the node. */
static void check_same(struct arena *arena, const struct json *node, struct str text) {
    struct json *again = NULL;
    assert(json_parse(text, JSON_DEPTH_MAX, &again, NULL) == ERR_NONE);
    assert(!json_first_difference(arena, node, again).p);
    assert(!json_first_difference(arena, again, node).p);
    assert(str_eq(canonical(arena, node), canonical(arena, again)));
    json_free(again);
}

/* Built anew, member by member, it is still the same. */
static void check_copy(struct arena *arena, const struct json *root) {
    struct json *copy = json_copy(root), *around = json_object();
    json_set(around, STR("copy"), copy);
    assert(str_eq(json_dump(arena, root), json_dump(arena, json_get(around, STR("copy")))));
    json_free(around);
}

/* Each member is found under its name. */
static void check_members(const struct json *root) {
    struct str name;
    const struct json *child;
    for (void *cursor = NULL; (child = json_next(root, &cursor, &name));) assert(json_get(root, name) == child);
}

static void check_slices(struct arena *arena, const struct json *root, struct str text) {
    struct str name, slice;
    const struct json *child;
    for (void *cursor = NULL; (child = json_next(root, &cursor, &name));) {
        assert(json_slice(text, name, &slice));
        check_same(arena, child, slice);
    }
    size_t cursor = 0, count = 0;
    while (json_slice_item(text, &cursor, &slice)) check_same(arena, json_at(root, count++), slice);
    assert(json_type(root) != JSON_ARRAY || count == json_size(root));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = ARENA_EMPTY;
    struct str text = {(const char *)data, size}, slice;
    struct json *root = NULL;
    struct json_error error;
    size_t cursor = 0;
    json_slice(text, STR("payload"), &slice);
    while (json_slice_item(text, &cursor, &slice)) assert(slice.n > 0);
    if (json_parse(text, JSON_DEPTH_MAX, &root, &error) == ERR_NONE) {
        check_same(&arena, root, canonical(&arena, root));
        check_same(&arena, root, json_dump(&arena, root));
        check_same(&arena, root, json_dump_pretty(&arena, root));
        check_slices(&arena, root, text);
        check_members(root);
        check_copy(&arena, root);
        json_point(root, text);
        json_free(root);
    } else
        assert(error.line >= 1 && error.offset <= size);
    arena_free(&arena);
    return 0;
}
