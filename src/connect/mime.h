/* connect/mime.h - a mail as its bytes: RFC 5322 with MIME, a text, an HTML page, or both as alternatives. Pure, and
 * private to this room.
 *
 * The same mail gives the same bytes, in each attempt and on each machine: the boundary follows from the id, nothing is
 * drawn by lot and no clock is read. All lines are ASCII of at most 78 bytes, addresses with other letters and headers
 * that cannot be folded aside, end in CRLF, and none begins with a dot. */
#ifndef CONNECT_MIME_H
#define CONNECT_MIME_H

#include "model/exchange.h"
#include "model/party.h"

struct arena;

#define MIME_HEADERS_MAX 20

struct mail {
    struct party from, to, reply_to; /* reply_to without an address = none */
    struct str subject, text, html;  /* UTF-8; text or html may be "" */
    struct str unsubscribe;          /* a URL, "" = none */
    struct header headers[MIME_HEADERS_MAX];
    size_t header_count;
    int64_t date_us;
    struct str id; /* what Message-ID has before its '@': unique, and the same in each attempt */
};

/* What makes it a mail that must not be sent, as a sentence; NULL when nothing does. */
const char *mail_problem(const struct mail *mail);
struct str mail_write(const struct mail *mail, struct arena *arena); /* of one without a problem */
/* The mailbox on one line of ASCII, its name as words where it has other letters; any other text as party_text. */
struct str mime_party(struct arena *arena, struct str text);

#endif
