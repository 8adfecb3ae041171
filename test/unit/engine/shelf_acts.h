/* test/unit/engine/shelf_acts.h - time goes on around a shelf, and what came of its files. Include after house_acts.h.
 */
#ifndef ENGINE_SHELF_ACTS_H
#define ENGINE_SHELF_ACTS_H

#include "shelf.h"

/* So many rounds of looks later, each as many turns long as it needs. */
static inline void shelf_rounds(struct shelf *shelf, int rounds) {
    for (int i = 0; i < rounds; i++) {
        house_pass(shelf->house, SHELF_LOOK);
        size_t looks;
        do {
            looks = shelf->looks;
            house_turn(shelf->house);
        } while (shelf->looks > looks);
    }
}

static inline const struct folder_file *shelf_file(const struct shelf *shelf, const char *name) {
    size_t count;
    const struct folder_view *view = folders_view(shelf->house->loop, &count);
    assert_int_equal(count, 1);
    for (size_t i = 0; i < view->count; i++)
        if (str_eq(view->files[i].name, str_from(name))) return &view->files[i];
    fail_msg("%s is not listed", name);
    return NULL;
}

#define assert_file(shelf, name, expected) assert_int_equal(shelf_file(shelf, name)->state, FILE_##expected)

static inline size_t shelf_read_events(const struct shelf *shelf, struct event **ret_events) {
    const struct event_query query = {.status = -1, .limit = 100};
    size_t count;
    OK(store_begin(shelf->house->store));
    OK(store_event_list(shelf->house->store, &query, &shelf->house->arena, ret_events, &count));
    store_rollback(shelf->house->store);
    return count;
}

static inline size_t shelf_events(const struct shelf *shelf) {
    struct event *events;
    return shelf_read_events(shelf, &events);
}

static inline struct event shelf_newest(const struct shelf *shelf) {
    struct event *events;
    assert_true(shelf_read_events(shelf, &events) > 0);
    return events[0];
}

#endif
