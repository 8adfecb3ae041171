/* test/unit/engine/shelf.h - a house with a source whose folder is in memory: what lies in it, and how often it was
 * asked. Include after house_acts.h. */
#ifndef ENGINE_SHELF_H
#define ENGINE_SHELF_H

#include "engine/folders.h"
#include "engine/loop_state.h"

#define SHELF_ROOM   300
#define SHELF_CONFIG "version: 1\nstore: ./x.db\nsources:\n  blog: {type: folder, path: posts}\n"
#define SHELF_LOOK   (2 * US_PER_S)
/* T0 is 2025-11-24T16:00:00Z. */
#define SHELF_AT(time) "---\npublish_at: 2025-11-24T" time "Z\n---\nhello\n"

struct shelf_file {
    char name[16];
    const char *text;
    struct file_stamp stamp;
};
struct shelf {
    struct house *house;
    struct shelf_file files[SHELF_ROOM]; /* in the order of their names */
    size_t count;
    int64_t changes;             /* of the folder itself */
    const char *changes_in_read; /* the text of the next file that is read, once its old text was read */
    bool away;                   /* it cannot be listed */
    int lists, reads;
    size_t looks; /* at files */
    /* Of one step: it looks first, and then reads. */
    size_t looks_max;
    int step_reads, reads_max;
};

static inline void shelf_change(struct shelf *shelf, struct shelf_file *file, const char *text) {
    file->text = text;
    file->stamp.node = (uint64_t)(file - shelf->files) + 2;
    file->stamp.size_bytes = (int64_t)strlen(text);
    file->stamp.changed_ns++;
    file->stamp.came_us = shelf->house->wall_us;
}

/* Names must come in their order. */
static inline struct shelf_file *shelf_put(struct shelf *shelf, const char *name, const char *text) {
    assert_true(shelf->count < SHELF_ROOM);
    struct shelf_file *file = &shelf->files[shelf->count++];
    snprintf(file->name, sizeof file->name, "%s", name);
    shelf_change(shelf, file, text);
    shelf->changes++;
    return file;
}

static inline struct shelf_file *shelf_find(struct shelf *shelf, struct str name) {
    for (size_t i = 0; i < shelf->count; i++)
        if (str_eq(str_from(shelf->files[i].name), name)) return &shelf->files[i];
    return NULL;
}

static inline enum err shelf_list(void *self, struct str path, struct arena *arena, struct str **ret_names,
                                  size_t *ret_count, bool *ret_more, struct str *ret_problem) {
    struct shelf *shelf = self;
    (void)path;
    shelf->lists++;
    *ret_problem = STR("there is no folder");
    if (shelf->away) return ERR_NOT_FOUND;
    *ret_names = arena_array(arena, struct str, shelf->count);
    for (size_t i = 0; i < shelf->count; i++) (*ret_names)[i] = str_dup(arena, str_from(shelf->files[i].name));
    *ret_count = shelf->count;
    *ret_more = false;
    return ERR_NONE;
}

static inline void shelf_look(void *self, struct str path, const struct str *names, size_t count,
                              struct file_stamp *ret_stamps) {
    struct shelf *shelf = self;
    (void)path;
    for (size_t i = 0; i < count; i++) {
        const struct shelf_file *file = shelf_find(shelf, names[i]);
        ret_stamps[i] = file ? file->stamp : (struct file_stamp){0};
        if (str_eq(names[i], STR(".")) && !shelf->away)
            ret_stamps[i] = (struct file_stamp){.node = 1, .changed_ns = shelf->changes};
        if (file) shelf->looks++;
    }
    if (count > shelf->looks_max) shelf->looks_max = count;
    shelf->step_reads = 0;
}

static inline enum err shelf_read(void *self, struct str path, struct str name, size_t max_bytes, struct arena *arena,
                                  struct str *ret_text, struct file_stamp *ret_stamp, struct str *ret_problem) {
    struct shelf *shelf = self;
    struct shelf_file *file = shelf_find(shelf, name);
    (void)path, (void)max_bytes, (void)ret_problem;
    shelf->reads++;
    if (++shelf->step_reads > shelf->reads_max) shelf->reads_max = shelf->step_reads;
    if (!file) return ERR_NOT_FOUND;
    *ret_text = str_dup(arena, str_from(file->text));
    if (shelf->changes_in_read) shelf_change(shelf, file, shelf->changes_in_read);
    shelf->changes_in_read = NULL;
    *ret_stamp = file->stamp;
    return ERR_NONE;
}

/* The house is opened behind it, once the first files lie there. */
static inline struct shelf *shelf_new(struct house *house) {
    struct shelf *shelf = arena_new(&house->arena, struct shelf);
    shelf->house = house;
    house->folders = (struct folder_seam){shelf_list, shelf_look, shelf_read, shelf};
    return shelf;
}

#endif
