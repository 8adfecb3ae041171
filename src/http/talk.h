/* http/talk.h - a conversation with a mail server as it is overheard: which command was answered, and how. Private to
 * this room. It takes lines and keeps no connection, so that it can be tested alone.
 *
 * A reply is one or more lines "250-text" and a last one "250 text" (RFC 5321, 4.2.1). */
#ifndef HTTP_TALK_H
#define HTTP_TALK_H

#include "model/exchange.h"

#define TALK_TEXT_MAX ((size_t)2000) /* of a reply; the rest is dropped */

/* X(NAME, text, command): what a reply can be to, in the order in which it happens. */
#define TALK_LIST(X)                                                                                                   \
    X(CONNECT, "connect", "")                                                                                          \
    X(EHLO, "EHLO", "EHLO")                                                                                            \
    X(HELO, "HELO", "HELO")                                                                                            \
    X(STARTTLS, "STARTTLS", "STARTTLS")                                                                                \
    X(AUTH, "AUTH", "AUTH")                                                                                            \
    X(MAIL, "MAIL FROM", "MAIL")                                                                                       \
    X(RCPT, "RCPT TO", "RCPT")                                                                                         \
    X(DATA, "DATA", "DATA")                                                                                            \
    X(MESSAGE, "message", "") /* the mail as a whole */                                                                \
    X(NOOP, "NOOP", "NOOP")                                                                                            \
    X(QUIT, "QUIT", "QUIT")
enum talk_stage {
#define TALK_ENUM(name, text, command) TALK_##name,
    TALK_LIST(TALK_ENUM)
#undef TALK_ENUM
        TALK_STAGES
};

struct talk {
    enum talk_stage stage; /* what was said last */
    bool greeted, secret;  /* EHLO was said; AUTH was */
    bool utf8;  /* the server takes addresses beyond ASCII (RFC 6531); of the connection, kept by talk_reset */
    bool whole; /* the reply is whole */
    int32_t code;
    enum talk_stage replied; /* what the reply is to */
    char text[TALK_TEXT_MAX];
    size_t text_bytes;
    struct header header; /* Stage */
};

void talk_reset(struct talk *talk);
void talk_say(struct talk *talk, struct str bytes); /* as they were sent; an unknown one goes on with what was said */
void talk_hear(struct talk *talk, struct str line);
void talk_end_message(struct talk *talk);
/* There is a reply that ends the matter: a refusal, or the yes to the mail or the question. */
bool talk_is_decided(const struct talk *talk);
void talk_answer(struct talk *talk, struct answer *ret_answer);
const char *talk_stage_text(enum talk_stage stage);

#endif
