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
/* ... and none that was made longer ago: the certificate and the address that count are those of its beginning. */
#define PASSAGE_LIFE_S 3600

struct arena;
struct lines;
struct passage {
    bool talked;           /* SMTP: the server spoke */
    bool began;            /* the request began to leave; SMTP: all of the mail did */
    bool sent_again;       /* it would have left a second time and was stopped */
    bool refused, tried;   /* an address was refused; one was tried */
    bool bare;             /* an address was refused because it is not loopback and there would be no TLS */
    const char *unfit;     /* SMTP: why this server is not spoken to any further; NULL = it may be */
    const char *misfit;    /* SMTP: why this mail is not for this server; NULL = it is */
    bool no_room;          /* the operating system had no socket for it */
    bool answered;         /* a full status line and headers came */
    atomic_bool cancelled; /* by the loop */
};

/* What the library complains of, as far as it matters here. */
enum complaint { COMPLAINT_TIME, COMPLAINT_TRUST, COMPLAINT_URL, COMPLAINT_ROOM, COMPLAINT_OTHER };

void passage_reset(struct passage *passage); /* before it is begun; a cancel that came already stays */
enum exchange_end passage_end(const struct passage *passage, enum complaint complaint);
/* Words for the end: our own where we know better than the library. */
void passage_trouble(const struct passage *passage, const char *library_words, struct answer *answer);
/* What is wrong with a certificate that was refused, at which host, and who helps; for the library's words. */
struct str passage_distrust(const struct outgoing *outgoing, const char *library_words, struct arena *arena);
/* Whether an errno speaks of this process or machine rather than of the other side. */
bool passage_is_own_trouble(int number);
/* Whether no descriptor can be had at this moment. The library's complaint is then about that, whatever it says. */
bool passage_is_out_of_descriptors(void);

/* ---- where it may go ----
 * This is asked twice: for the address to which a socket is about to connect, and for the address of a kept connection,
 * which another call may have opened. */

/* A socket to connect to that address, or -1: it may not go there, or there is none to be had. bytes: 4 of AF_INET or
 * 16 of AF_INET6; not looked at for AF_UNIX. lines NULL = nothing is kept. */
int passage_socket(struct passage *passage, struct lines *lines, const struct outgoing *outgoing, int family, int type,
                   int protocol, const void *bytes);
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

void lines_closed(struct lines *lines, int fd); /* fine for one that was not opened here */
/* An answer is read, and the connection rests from now on, for at most keep_us as its receiver said; WHEN_NEVER where
 * it said nothing. */
void lines_rest(struct lines *lines, int fd, int64_t now_us, int64_t keep_us);
/* How long the receiver keeps the connection, less a second for what is on its way: "Keep-Alive: timeout=5, max=100".
 * WHEN_NEVER where it says nothing, or more than PASSAGE_KEPT_S. */
int64_t passage_kept_us(const struct answer *answer);
/* Until when the certificate holds that was shown when the connection was made, for all calls that go over it; 0 =
 * none.
 */
void lines_show(struct lines *lines, int fd, int64_t holds_until_us);
int64_t lines_shown(const struct lines *lines, int fd);
/* A kept connection that is of no more use: bytes wait on it already, or it rested for so long that the receiver may be
 * about to close it, and a request over it could be lost on the way (idle_max_us 0 = only the receiver's word counts).
 * A mail server's is after LINES_MAILS_MAX mails: servers refuse more on one connection, 100 by custom. Nothing was
 * sent over it yet, and nothing will be. */
#define LINES_MAILS_MAX 50
bool lines_used_up(const struct lines *lines, int fd, int64_t now_us, const struct outgoing *outgoing);
/* Nothing more is read from any of them: whoever waits for a last word has its end at once. */
void lines_deafen(const struct lines *lines);
/* The socket with these ends, or -1. */
int lines_find(struct lines *lines, const struct line_ends *ends);
void lines_free(struct lines *lines);

#endif
