/* test/unit/engine/house_begun.h - the house's transport, which may say when requests began to leave. */
#ifndef ENGINE_HOUSE_BEGUN_H
#define ENGINE_HOUSE_BEGUN_H

#include "house_seams.h"

static inline size_t tell_begun(void *self, struct beginning *ret_begun, size_t max) {
    struct house *house = self;
    size_t count = house->begun_count;
    assert_true(count <= max);
    if (count) memcpy(ret_begun, house->begun, count * sizeof *ret_begun);
    house->begun_count = 0;
    return count;
}

/* The call's request begins to leave now. */
static inline void house_begin(struct house *house, size_t call) {
    house->begun[house->begun_count++] = (struct beginning){house->calls[call].tag, house->now_us};
}

static inline struct transport house_transport(struct house *house) {
    return (struct transport){
        start_call, collect_done, release_done, cancel_call, house->tells_starts ? tell_begun : NULL, house};
}

#endif
