#include "sim/shelf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 200 /* files that there were */

struct item {
    struct str folder, name, text; /* text.p NULL: it is gone */
    struct file_stamp stamp;
};
struct shelf {
    struct arena arena;
    struct item items[ITEMS_MAX];
    size_t count;
    uint64_t changes;
};

struct shelf *shelf_new(void) {
    struct shelf *shelf = calloc(1, sizeof *shelf);
    assert(shelf);
    return shelf;
}

void shelf_free(struct shelf *shelf) {
    arena_free(&shelf->arena);
    free(shelf);
}

/* "./posts" is "posts" */
static bool is_folder(struct str folder, struct str path) {
    if (str_starts(path, STR("./"))) path = str_sub(path, 2, path.n);
    return str_eq(folder, path);
}

static struct item *find(struct shelf *shelf, struct str folder, struct str name) {
    for (size_t i = 0; i < shelf->count; i++)
        if (is_folder(shelf->items[i].folder, folder) && str_eq(shelf->items[i].name, name)) return &shelf->items[i];
    return NULL;
}

void shelf_put(struct shelf *shelf, struct str path, struct str text, int64_t now_us) {
    size_t slash = path.n;
    while (slash && path.p[slash - 1] != '/') slash--;
    assert(slash > 1);
    struct str folder = str_sub(path, 0, slash - 1), name = str_sub(path, slash, path.n);
    struct item *item = find(shelf, folder, name);
    if (!item) {
        assert(shelf->count < ITEMS_MAX);
        item = &shelf->items[shelf->count++];
        *item = (struct item){.folder = str_dup(&shelf->arena, folder), .name = str_dup(&shelf->arena, name)};
    }
    item->text = text.p ? str_dup(&shelf->arena, text) : STR_NONE;
    item->stamp = (struct file_stamp){++shelf->changes, (int64_t)text.n, now_us * 1000, now_us};
}

static int compare_names(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum err list(void *self, struct str path, struct arena *arena, struct str **ret_names, size_t *ret_count,
                     bool *ret_more, struct str *ret_problem) {
    struct shelf *shelf = self;
    struct str *names = arena_array(arena, struct str, shelf->count);
    size_t count = 0;
    bool there = false;
    for (size_t i = 0; i < shelf->count; i++) {
        if (!is_folder(shelf->items[i].folder, path)) continue;
        there = true;
        if (shelf->items[i].text.p) names[count++] = str_dup(arena, shelf->items[i].name);
    }
    if (!there) {
        *ret_problem = str_fmt(arena, "there is no folder %.*s", STR_ARG(path));
        return ERR_NOT_FOUND;
    }
    qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    *ret_more = false;
    return ERR_NONE;
}

static void look(void *self, struct str path, const struct str *names, size_t count, struct file_stamp *ret_stamps) {
    struct shelf *shelf = self;
    for (size_t i = 0; i < count; i++) {
        const struct item *item = find(shelf, path, names[i]);
        ret_stamps[i] = item && item->text.p ? item->stamp : (struct file_stamp){0};
        if (str_eq(names[i], STR("."))) ret_stamps[i] = (struct file_stamp){.node = shelf->changes};
    }
}

static enum err read_whole(void *self, struct str path, struct str name, size_t max_bytes, struct arena *arena,
                           struct str *ret_text, struct file_stamp *ret_stamp, struct str *ret_problem) {
    const struct item *item = find(self, path, name);
    *ret_problem = STR("it is larger than may be");
    if (!item || !item->text.p) return ERR_NOT_FOUND;
    if (item->text.n > max_bytes) return ERR_TOO_LARGE;
    *ret_text = str_dup(arena, item->text);
    *ret_stamp = item->stamp;
    return ERR_NONE;
}

struct folder_seam shelf_seam(struct shelf *shelf) {
    return (struct folder_seam){list, look, read_whole, shelf};
}
