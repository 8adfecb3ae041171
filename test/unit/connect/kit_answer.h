/* test/unit/connect/kit_answer.h - answers, what becomes of them, and texts
 * compared, for the tests of this room. */
#ifndef KIT_ANSWER_H
#define KIT_ANSWER_H

#include "kit.h"

#define assert_text(actual, expected)                                                                                  \
    do {                                                                                                               \
        struct str text_ = (actual);                                                                                   \
        if (!str_eq(text_, str_from(expected))) fail_msg("'%.*s' is not '%s'", STR_ARG(text_), (expected));            \
    } while (0)
#define assert_begins(actual, expected)                                                                                \
    do {                                                                                                               \
        struct str text_ = (actual);                                                                                   \
        if (!str_starts(text_, str_from(expected))) fail_msg("'%.*s' begins not '%s'", STR_ARG(text_), (expected));    \
    } while (0)

/* An answer with "name: value" lines. */
static inline void kit_answer(struct kit *kit, int32_t status, const char *lines, const char *body) {
    struct str rest = str_from(lines), line;
    kit->answer = (struct answer){.end = EXCHANGE_ANSWERED,
                                  .status = status,
                                  .headers = kit->headers,
                                  .body = str_from(body),
                                  .body_complete = true,
                                  .started_us = NOW - US_PER_MS,
                                  .finished_us = NOW};
    while (str_next(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        assert_true(colon != SIZE_MAX && kit->answer.header_count < KIT_HEADERS_MAX);
        kit->headers[kit->answer.header_count++] =
            (struct header){str_sub(line, 0, colon), str_trim(str_sub(line, colon + 1, line.n))};
    }
}

static inline struct outcome kit_outcome(struct kit *kit) {
    struct outcome outcome;
    connect_answer(&kit->context, &kit->answer, &kit->evaluator, &outcome);
    return outcome;
}

#endif
