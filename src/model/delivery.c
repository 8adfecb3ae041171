#include "model/delivery.h"

#include <stdio.h>

#include "base/hash.h"

static const char *const status_texts[DELIVERY_STATUS_COUNT] = {
#define DELIVERY_STATUS_TEXT(name) #name,
    DELIVERY_STATUS_LIST(DELIVERY_STATUS_TEXT)
#undef DELIVERY_STATUS_TEXT
};

const char *delivery_status_text(enum delivery_status status) {
    return status_texts[status];
}

bool delivery_status_parse(struct str text, enum delivery_status *ret_status) {
    for (int i = 0; i < DELIVERY_STATUS_COUNT; i++)
        if (str_eq(text, str_from(status_texts[i]))) {
            *ret_status = (enum delivery_status)i;
            return true;
        }
    return false;
}

#define TO(name) (1u << DELIVERY_##name)
/* Row: from. A claim takes PENDING or UNKNOWN to PROCESSING; only a settle or a handed-back lease leaves PROCESSING; a
 * person moves PENDING, UNKNOWN and HELD. The final rows are empty. */
static const unsigned legal[DELIVERY_STATUS_COUNT] = {
    [DELIVERY_PENDING] = TO(PROCESSING) | TO(HELD) | TO(SKIPPED) | TO(FAILED),
    [DELIVERY_PROCESSING] = TO(PENDING) | TO(COMPLETED) | TO(FAILED) | TO(UNKNOWN) | TO(HELD),
    [DELIVERY_UNKNOWN] = TO(PROCESSING) | TO(PENDING) | TO(COMPLETED) | TO(FAILED) | TO(HELD) | TO(SKIPPED),
    [DELIVERY_HELD] = TO(PENDING) | TO(COMPLETED) | TO(FAILED) | TO(SKIPPED),
};

bool delivery_may(enum delivery_status from, enum delivery_status to) {
    return legal[from] & (1u << to);
}

bool delivery_is_final(enum delivery_status status) {
    return legal[status] == 0;
}

struct uuid delivery_derive_id(struct hasher *hasher, struct str key, struct str destination, struct str step,
                               int32_t run) {
    char run_text[16];
    int run_length = snprintf(run_text, sizeof run_text, "%d", run);
    const struct str parts[] = {key, destination, step, {run_text, (size_t)run_length}};
    return uuid_derive(hasher, parts, sizeof parts / sizeof parts[0]);
}
