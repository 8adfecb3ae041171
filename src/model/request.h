/* model/request.h - a request that came in over HTTP, and the reply to it, as
 * values. A request belongs to the inlet until it was replied to. */
#ifndef MODEL_REQUEST_H
#define MODEL_REQUEST_H

#include "model/exchange.h"

#define REPLY_HEADERS_MAX 8

struct request {
    uint64_t tag;           /* the inlet's own */
    struct str method;      /* GET POST PUT DELETE */
    struct str path;        /* as sent, before '?', percent-decoding is the handler's */
    struct str query;       /* after '?', raw */
    struct header *headers; /* every header in order; framing was checked */
    size_t header_count;
    struct str body;
    struct str peer; /* "127.0.0.1", or "unix" */
    struct str
        id; /* the sender's own X-Request-Id where it can be said back as it is, else one of ours; "" = none yet */
    bool trusted; /* came over the unix socket: needs no key */
    int64_t arrived_us;
};

struct reply {
    int status;
    struct str content_type; /* "" = none */
    struct header headers[REPLY_HEADERS_MAX];
    size_t header_count;
    struct str body; /* borrowed until the inlet's reply() returns */
    bool close;      /* close the connection after it */
};

struct str request_header(const struct request *request, struct str name); /* first, any case */
/* Percent-decoded value of a query parameter, or STR_NONE. */
struct str request_query(const struct request *request, struct str name, struct arena *arena);
/* Takes the next parameter off a query and gives its decoded name; false at the end. */
bool request_query_next(struct str *query, struct arena *arena, struct str *ret_name);
void reply_header(struct reply *reply, struct str name, struct str value);

#endif
