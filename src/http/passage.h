/* http/passage.h - what the client knows of a call's passage that the library
 * does not tell: whether it may go to an address, over which of the open
 * connections it goes, and how far it came. Thread: the client's.
 */
#ifndef HTTP_PASSAGE_H
#define HTTP_PASSAGE_H

#include <stdatomic.h>

#include "model/exchange.h"

/* ---- how far it came ----
 * The one question that matters: had the request begun to leave? If not, nothing happened and it may be sent again; if
 * so, the effect may exist. */
/* A connection idle for longer is never used again: most servers close at 60 s or 75 s. */
#define PASSAGE_KEPT_S 50

struct passage {
    bool foreign;          /* its scheme is none of this client's: it was not even begun */
    bool began;            /* the request began to leave */
    bool sent_again;       /* it would have left a second time and was stopped */
    bool refused, tried;   /* an address was refused; one was tried */
    bool no_room;          /* the operating system had no socket for it */
    bool answered;         /* a full status line and headers came */
    atomic_bool cancelled; /* by the loop */
};

/* What the library complains of, as far as it matters here. */
enum complaint { COMPLAINT_TIME, COMPLAINT_TRUST, COMPLAINT_URL, COMPLAINT_ROOM, COMPLAINT_OTHER };

enum exchange_end passage_end(const struct passage *passage, enum complaint complaint);
/* Our own words for the end, where they are better than the library's; else NULL. */
const char *passage_words(const struct passage *passage);
/* Whether an errno speaks of this process or machine rather than of the other side. */
bool passage_is_own_trouble(int number);
/* Whether no descriptor can be had at this moment. The library's complaint is then about that, whatever it says. */
bool passage_is_out_of_descriptors(void);

/* ---- where it may go ----
 * This is asked twice: for the address to which a socket is about to connect, and for the address of a kept connection,
 * which another call may have opened. */

/* bytes: 4 of AF_INET or 16 of AF_INET6; not looked at for AF_UNIX. */
bool passage_allows(const struct outgoing *outgoing, int family, const void *bytes);
/* The same for an address as text; "" is a unix socket's. */
bool passage_allows_text(const struct outgoing *outgoing, const char *address);

/* ---- over which connection ----
 * The library does not say which socket a request is about to use, only the addresses and ports of its ends. The
 * socket is needed to see whether bytes wait on a kept connection before anything was asked: the library would take
 * them for the answer. */
struct line_ends {
    const char *address, *own_address;
    int port, own_port;
};

struct line;
struct lines {
    struct line *all;
    size_t count, room;
};

void lines_opened(struct lines *lines, int fd);
void lines_closed(struct lines *lines, int fd); /* fine for one that was not opened here */
/* An answer is read, and the connection rests from now on, for at most keep_us as its receiver said; WHEN_NEVER where
 * it said nothing. */
void lines_rest(struct lines *lines, int fd, int64_t now_us, int64_t keep_us);
/* How long the receiver keeps the connection, less a second for what is on its way: "Keep-Alive: timeout=5, max=100".
 * WHEN_NEVER where it says nothing, or more than PASSAGE_KEPT_S. */
int64_t passage_kept_us(const struct answer *answer);
/* Whether it rested for so long that the receiver may be about to close it; a request over it could then be lost on the
 * way. idle_max_us 0 = only the receiver's word counts. */
bool lines_is_stale(const struct lines *lines, int fd, int64_t now_us, int64_t idle_max_us);
/* The socket with these ends, or -1. */
int lines_find(struct lines *lines, const struct line_ends *ends);
void lines_free(struct lines *lines);

/* Whether nothing is there to be read, not even an end. */
bool line_is_quiet(int fd);

#endif
