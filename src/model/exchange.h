/* model/exchange.h - a call outward, as values: what is sent and what came back.
 * Made by connect or by the owner of an errand, carried by a transport, read by
 * whoever made it. */
#ifndef MODEL_EXCHANGE_H
#define MODEL_EXCHANGE_H

#include "base/str.h"

#define EXCHANGE_HEADERS_MAX 48
#define EXCHANGE_ANSWER_MAX  ((size_t)65536)

struct header {
    struct str name, value;
};

/* What the far end speaks. A transport that does not speak it sends nothing and answers BAD_URL, with words. */
enum outgoing_scheme { OUTGOING_HTTP, OUTGOING_SMTP };

/* Must stay as it is until the completion was released. */
struct outgoing {
    enum outgoing_scheme scheme;
    struct str method, url;
    struct header headers[EXCHANGE_HEADERS_MAX];
    size_t header_count;
    struct str body;
    int64_t timeout_us; /* for the whole exchange, connecting included */
    bool allow_private;
    int64_t idle_max_us;    /* a kept connection that rested for longer is not used; 0 = as the receiver says */
    struct str unix_socket; /* "" = TCP; the CLI's way to the server */
};

/* X(NAME, text): how far an exchange came. */
#define EXCHANGE_LIST(X)                                                                                               \
    X(ANSWERED, "answered")            /* full status line and headers were read */                                    \
    X(REFUSED, "address refused")      /* the address is private and not allowed */                                    \
    X(NO_CONNECT, "no connection")     /* DNS, connect, TLS handshake: nothing was sent */                             \
    X(NO_TRUST, "certificate refused") /* verification failed: nothing sent */                                         \
    X(NO_ROOM, "no room here")         /* this machine had no descriptor, port or memory left: nothing sent */         \
    X(BAD_URL, "not a URL to call")    /* the same URL can never be called: nothing sent */                            \
    X(CUT, "no complete answer")       /* the request began to leave, then trouble */                                  \
    X(TIMED_OUT, "timed out")          /* the request began to leave, then too late */                                 \
    X(CANCELLED, "cancelled")          /* by us, after it may have begun to leave */
enum exchange_end {
#define EXCHANGE_ENUM(name, text) EXCHANGE_##name,
    EXCHANGE_LIST(EXCHANGE_ENUM)
#undef EXCHANGE_ENUM
        EXCHANGE_COUNT
};

struct answer {
    enum exchange_end end;
    int32_t status;                  /* when ANSWERED */
    struct header *headers;          /* names as received */
    size_t header_count;             /* at most 100, 16 KiB together; the rest is dropped */
    struct str body;                 /* at most EXCHANGE_ANSWER_MAX, the rest was dropped */
    bool body_complete;              /* the body ended as its framing said and was not cut */
    int64_t started_us, finished_us; /* on the loop's clock */
    char trouble[160];               /* the transport's words when not ANSWERED */
};

const char *exchange_text(enum exchange_end end);
/* First header of that name, any case; STR_NONE when absent. */
struct str answer_header(const struct answer *answer, struct str name);
/* Adds to outgoing; asserts that there is room. Values with CR, LF or NUL must have been refused before. */
void outgoing_header(struct outgoing *outgoing, struct str name, struct str value);

#endif
