/* http/reading.h - an answer as it comes in, and what is kept of it.
 *
 * Of the headers 16 KiB and 100 lines are kept, of the body what the caller
 * allows; a peer that sends without end is stopped. Interim answers (1xx) are
 * read over. Buffers are kept between answers.
 */
#ifndef HTTP_READING_H
#define HTTP_READING_H

#include "model/exchange.h"

#define READING_HEADERS_MAX 100
#define READING_HEAD_MAX    ((size_t)16384)   /* kept */
#define READING_HEADS_MAX   ((size_t)65536)   /* read, interim answers too */
#define READING_BODY_MAX    ((size_t)1 << 20) /* read */

struct reading {
    char *head; /* the header lines of the last block, each ending in LF */
    size_t head_bytes, head_room;
    size_t lines, heads_bytes;
    int32_t status;
    bool final; /* a status line of 200 or more, and all of its headers */
    char *body;
    size_t body_bytes, body_room, body_seen;
    size_t keep_max, seen_max;
    struct header headers[READING_HEADERS_MAX];
};

/* For a new answer. Bodies are kept up to keep_max bytes (0 = EXCHANGE_ANSWER_MAX) and read up to seen_max. */
void reading_reset(struct reading *reading, size_t keep_max, size_t seen_max);
/* Takes in one line of a head, its end included; false when the head has become too large. */
bool reading_line(struct reading *reading, struct str line);
bool reading_body(struct reading *reading, struct str bytes);
bool reading_dropped(const struct reading *reading); /* the body is larger than what was kept */
/* Sets status, headers and body of the answer; they live in the reading. */
void reading_answer(struct reading *reading, struct answer *ret_answer);
/* Copies the answer's texts to the arena, so that it no longer needs the reading. */
void reading_keep(struct arena *arena, struct answer *answer);
void reading_trim(struct reading *reading); /* gives back what is too large to be kept between answers */
void reading_free(struct reading *reading);

#endif
