/* deliver/reason.h - why something stands still, in words that somebody else said and that outlive him: kept by value,
 * cut between two characters of UTF-8 where they are too long. Pure. A reason of zeros is "". */
#ifndef DELIVER_REASON_H
#define DELIVER_REASON_H

#include <string.h>

#include "base/str.h"

#define DELIVER_REASON_MAX ((size_t)200) /* bytes that are kept */

struct reason {
    char text[DELIVER_REASON_MAX];
    size_t bytes;
};

static inline void reason_set(struct reason *reason, struct str words) {
    reason->bytes = str_head(words, DELIVER_REASON_MAX).n;
    if (reason->bytes) memmove(reason->text, words.p, reason->bytes);
}

/* Lives until the reason changes. */
static inline struct str reason_words(const struct reason *reason) {
    return (struct str){reason->text, reason->bytes};
}

#endif
