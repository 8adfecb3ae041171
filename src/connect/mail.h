/* connect/mail.h - the `mail` of a request: what a mail and its envelope are made of. Private to this room.
 *
 * A request with it goes to a mail server: its URL is smtp:// or smtps://, it has no method and no headers of HTTP. The
 * mail's Message-ID is the delivery's key, its Date the moment the delivery was first due, so that all attempts send
 * the same bytes and a mailbox can drop a double. */
#ifndef CONNECT_MAIL_H
#define CONNECT_MAIL_H

#include "connect/text.h"

struct document_reader;

/* X(NAME, word, shared): its keys; what is shared is the destination's, not the delivery's. */
#define MAIL_PART_LIST(X)                                                                                              \
    X(FROM, "from", false)                                                                                             \
    X(TO, "to", false)                                                                                                 \
    X(REPLY_TO, "reply_to", false)                                                                                     \
    X(SUBJECT, "subject", false)                                                                                       \
    X(TEXT, "text", false)                                                                                             \
    X(HTML, "html", false)                                                                                             \
    X(UNSUBSCRIBE, "unsubscribe", false)                                                                               \
    X(HEADERS, "headers", false) /* one reference, to an object */                                                     \
    X(USER, "user", true)                                                                                              \
    X(PASSWORD, "password", true)                                                                                      \
    X(HELO, "helo", true)                                                                                              \
    X(STARTTLS, "starttls", true) /* required, or off */
enum mail_part {
#define MAIL_PART_ENUM(name, word, shared) MAIL_##name,
    MAIL_PART_LIST(MAIL_PART_ENUM)
#undef MAIL_PART_ENUM
        MAIL_PARTS
};

/* Each part may be said in several ways; the first that gives something counts. */
#define MAIL_WAYS_MAX 3
struct mail_form {
    struct text ways[MAIL_PARTS][MAIL_WAYS_MAX];
    size_t counts[MAIL_PARTS];
};

struct mail_form *mail_read(struct document_reader *reader, const struct tree *map);
/* Sets scheme, envelope and body. */
MUST_USE enum err mail_fill(struct fill *fill, const struct mail_form *form, struct outgoing *outgoing);
/* What is wrong with the destination's own settings for mail, as a sentence; NULL when nothing is. ret_field: the one
 * at fault, "" where it is the URL. */
const char *mail_settings_problem(const struct call_context *context, const struct connector *connector,
                                  const struct mail_form *form, struct str url, struct str *ret_field);

#endif
