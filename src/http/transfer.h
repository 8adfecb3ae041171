/* http/transfer.h - one request through libcurl: a kept easy handle with its buffers. Private to the client, which has
 * the threads, the lists and the kept connections. */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "http/passage.h"
#include "http/talk.h"

/* ---- an answer as it comes in, and what is kept of it ----
 * Of the headers 16 KiB and 100 lines are kept, of the body what the caller allows; a peer that sends without end is
 * stopped. Interim answers (1xx) are read over. Buffers are kept between answers. */

#define READING_HEADERS_MAX 100
#define READING_HEAD_MAX    ((size_t)16384)   /* kept */
#define READING_HEADS_MAX   ((size_t)65536)   /* read, interim answers too */
#define READING_BODY_MAX    ((size_t)1 << 20) /* read */

struct reading {
    char *head; /* the header lines of the last block, each ending in LF */
    size_t head_bytes, head_room;
    size_t lines, heads_bytes;
    int32_t status;
    bool trailers; /* lines behind the body count as headers */
    bool final;    /* a status line of 200 or more, and all of its headers */
    char *body;
    size_t body_bytes, body_room, body_seen;
    size_t keep_max, seen_max;
    struct header headers[READING_HEADERS_MAX];
};

/* For a new answer. Bodies are kept up to keep_max bytes (0 = EXCHANGE_ANSWER_MAX) and read up to seen_max. */
void reading_reset(struct reading *reading, size_t keep_max, size_t seen_max);
/* Copies the answer's texts to the arena, so that it no longer needs the reading. */
void reading_keep(struct arena *arena, struct answer *answer);
void reading_trim(struct reading *reading); /* gives back what is too large to be kept between answers */

/* ---- the request ---- */

#define OWN_HEADERS_MAX 4

struct transfer;
/* What a transfer asks of whoever runs it. */
struct transfer_host {
    struct lines *lines;
    int64_t (*now_us)(void *self);
    void (*began)(void *self, struct transfer *transfer); /* it is about to leave */
    void *self;
};

struct transfer {
    STAILQ_ENTRY(transfer) queue;     /* in the one that has it: starting, ended, idle or round */
    LIST_ENTRY(transfer) active;      /* from start to collect, under the client's lock */
    const struct transfer_host *host; /* NULL = a transfer by itself */
    bool running;                     /* the library has it; the client's thread only */
    bool stray;                       /* its kept connection was of no use, another one must be made; likewise */
    int fd;                           /* of the connection it went over, -1 = not known; likewise */
    bool untold;                      /* it began to leave, and the loop does not know; under the lock */
    uint64_t tag;
    const struct outgoing *outgoing;
    CURL *easy;
    enum outgoing_scheme spoke; /* what its handle is for */
    struct arena texts;         /* NUL-ended copies for the library */
    struct curl_slist nodes[EXCHANGE_HEADERS_MAX + OWN_HEADERS_MAX];
    size_t node_count;
    struct reading reading;
    struct talk talk; /* SMTP */
    size_t given;     /* SMTP: bytes of the mail that the library has */
    void *porter;     /* SMTP: the mailer's; NULL = the client's own */
    struct answer answer;
    struct passage passage;
    char trouble[CURL_ERROR_SIZE];
};

struct transfer *transfer_new(const struct transfer_host *host);
void transfer_free(struct transfer *transfer);
/* Makes the handle ready for transfer->outgoing. ca_file NULL = the system's. */
void transfer_set(struct transfer *transfer, const char *user_agent, const char *ca_file);
/* Fills transfer->answer. */
void transfer_end(struct transfer *transfer, CURLcode code);

/* ---- of a mail: transfer_smtp.c ---- */

void transfer_new_smtp(struct transfer *transfer);
void transfer_set_smtp(struct transfer *transfer);
bool transfer_fits_smtp(struct transfer *transfer); /* the server that was greeted may have the mail */
void transfer_end_smtp(struct transfer *transfer, CURLcode code);

#endif
