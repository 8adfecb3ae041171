/* test/unit/engine/house_file.h - a house whose configuration stands in a file,
 * so that another one can be put in force by a request. */
#ifndef ENGINE_HOUSE_FILE_H
#define ENGINE_HOUSE_FILE_H

#include "house_acts.h"

static inline bool prepare_config(void *self, bool dry, struct arena *arena, struct str *ret_json) {
    struct house *house = self;
    (void)arena;
    house->prepared += !dry;
    *ret_json = STR("{\"valid\":true}");
    return true;
}

static inline void adopt_config(void *self) {
    ((struct house *)self)->adopted++;
}

static inline void forget_config(void *self) {
    ((struct house *)self)->forgotten++;
}

static inline void house_open_with_file(struct house *house, const char *config) {
    house->reload = (struct reload){prepare_config, adopt_config, forget_config, house};
    house_open(house, config);
    house->trusted = true;
}

#endif
