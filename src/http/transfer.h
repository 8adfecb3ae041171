/* http/transfer.h - one request through libcurl: a kept easy handle with its buffers. Private to the client, which has
 * the threads, the lists and the kept connections. */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "http/passage.h"
#include "http/reading.h"

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
    struct arena texts; /* NUL-ended copies for the library */
    struct curl_slist nodes[EXCHANGE_HEADERS_MAX + OWN_HEADERS_MAX];
    size_t node_count;
    struct reading reading;
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

#endif
