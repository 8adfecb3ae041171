/* model/exchange.h - a call outward as values: made by connect or an errand's owner, carried by a transport, read by
 * its maker. Texts are borrowed. */
#ifndef MODEL_EXCHANGE_H
#define MODEL_EXCHANGE_H

#include "base/str.h"
#define EXCHANGE_HEADERS_MAX 48
#define EXCHANGE_ANSWER_MAX  ((size_t)65536)   /* of a body, unless the call asks for more */
#define EXCHANGE_ANSWER_MOST ((size_t)1 << 20) /* that a call may ask for */

struct header {
    struct str name, value;
};

/* What the far end speaks. A transport that does not speak it sends nothing and answers BAD_URL, with words. */
enum outgoing_scheme { OUTGOING_HTTP, OUTGOING_SMTP, OUTGOING_GRPC }; /* GRPC: over HTTP/2; trailers count as headers */

/* SMTP: what the server is told beside the mail. One recipient: the refusal of one among several could pass unseen. */
struct envelope {
    struct str from, to;             /* addresses; to "" = no mail, the server is only asked whether it works */
    struct str user, password, helo; /* "" = none; helo: the machine's own name */
    bool plain;                      /* without TLS, which only a loopback address is spoken to */
};

/* What is sent. It must stay as it is until the completion was released. */
struct outgoing {
    enum outgoing_scheme scheme;
    struct str method, url;
    struct header headers[EXCHANGE_HEADERS_MAX];
    size_t header_count;
    struct str body;          /* SMTP: the mail as in RFC 5322, each line with CRLF at its end */
    struct envelope envelope; /* SMTP */
    int64_t timeout_us;       /* for the whole exchange, connecting included */
    size_t answer_max;        /* so much of the answer's body is kept; 0 = EXCHANGE_ANSWER_MAX */
    bool allow_private;
    struct str ca;          /* certificates in PEM that are trusted beside the system's; "" = none */
    struct str proxy;       /* what carries it there, as http://name:password@host:3128; "" = nothing */
    bool tell_start;        /* the moment it begins to leave is wanted before the answer */
    int64_t idle_max_us;    /* a kept connection that rested for longer is not used; 0 = as the receiver says */
    struct str unix_socket; /* "" = TCP; the CLI's way to the server */
};

/* X(NAME, text): how far an exchange came. */
#define EXCHANGE_LIST(X)                                                                                               \
    X(ANSWERED, "answered")          /* full status line and headers were read */                                      \
    X(REFUSED, "address refused")    /* the address is private and not allowed */                                      \
    X(NO_CONNECT, "no connection")   /* DNS, connect, TLS handshake: nothing was sent */                               \
    X(NO_TRUST, "not trusted")       /* no TLS that can be verified, or no way to log in: nothing was sent */          \
    X(NO_ROOM, "no room here")       /* this machine had no descriptor, port or memory left: nothing sent */           \
    X(BAD_URL, "not a URL to call")  /* the same URL can never be called: nothing sent */                              \
    X(MISFIT, "not for this server") /* SMTP: it cannot take such a mail, now or later: nothing of it was sent */      \
    X(BROKEN_OFF, "broken off")      /* SMTP: trouble before the mail was whole, so that nobody has taken it on */     \
    X(CUT, "no complete answer")     /* the request began to leave, then trouble */                                    \
    X(TIMED_OUT, "timed out")        /* the request began to leave, then too late */                                   \
    X(CANCELLED, "cancelled")        /* by us, after it may have begun to leave */
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
    struct str body;                 /* at most what the call asked for, the rest was dropped */
    bool body_complete;              /* the body ended as its framing said and was not cut */
    int64_t started_us, finished_us; /* on the loop's clock; started: the request began to leave, if it ever did */
    int64_t holds_until_us;          /* calendar time, of the server's certificate; 0 = not known */
    char trouble[160];               /* the transport's words when not ANSWERED */
};

const char *exchange_text(enum exchange_end end);
struct str answer_header(const struct answer *answer, struct str name); /* the first, any case; STR_NONE = absent */
/* Adds to outgoing; asserts that there is room. Values with CR, LF or NUL must have been refused before. */
void outgoing_header(struct outgoing *outgoing, struct str name, struct str value);
/* The same, but a header of that name, in any case, is given the new value. */
void outgoing_put(struct outgoing *outgoing, struct str name, struct str value);
bool header_name_valid(struct str name);   /* RFC 9110, 5.6.2 */
bool header_value_valid(struct str value); /* no control character but the tab: a CR or LF would begin another header */

/* ---- outcomes: what an attempt came to, as the connector language reads it and the settling rules take it ---- */
/* X(NAME, text): the four classes of attempts, then the answers to a lookup. */
#define OUTCOME_LIST(X)                                                                                                \
    X(DONE, "done")       /* the effect exists */                                                                      \
    X(RETRY, "retry")     /* no effect; the same again later */                                                        \
    X(FAILED, "failed")   /* no effect; the same again is useless */                                                   \
    X(UNKNOWN, "unknown") /* bytes were sent, no complete answer: the effect may or may not exist */                   \
    X(ABSENT, "absent")   /* a lookup: the effect does not exist */
enum outcome_class {
#define OUTCOME_ENUM(name, text) OUTCOME_##name,
    OUTCOME_LIST(OUTCOME_ENUM)
#undef OUTCOME_ENUM
        OUTCOME_COUNT
};
struct outcome {
    enum outcome_class class;
    bool pause;             /* the account is refused (401, ...): pause the destination, spend no retry */
    bool expired;           /* what it was refused for is its token, if it has one */
    bool renews;            /* ... so that another is fetched, and the destination is not paused */
    bool refused;           /* the account or this one delivery is (403, 410): a second delivery will tell which */
    bool repeat;            /* done, and the provider says it had it already */
    bool throttled;         /* the provider's limit, not trouble: the breaker does not count it */
    bool hold;              /* when no try is left a person decides: HELD, not FAILED */
    bool joint;             /* of a call for several it is the answer to all: which of them it means is not said */
    bool unsent;            /* nothing left the process (a lease handed back): spends nothing, no attempt is kept */
    int32_t http_status;    /* 0 = no answer */
    int64_t not_before_us;  /* 0, or the moment the provider named for this delivery */
    int64_t quiet_until_us; /* 0, or the moment until which the whole account must send nothing */
    int64_t started_us, finished_us;
    struct str error;     /* a sentence for a person, "" when done */
    struct str answer;    /* the body's first bytes */
    struct str remote_id; /* the provider's id of the effect, "" = not known */
};

const char *outcome_text(enum outcome_class class);

#endif
