/* model/party.h - who a mail is from and to, and what else may stand in its head: what can be checked before there is
 * a mail. Pure. Sources: RFC 5322, 3.4; RFC 6532 for letters beyond ASCII. */
#ifndef MODEL_PARTY_H
#define MODEL_PARTY_H

#include "base/str.h"

struct party {
    struct str name, address; /* name "" = none; without its quotes */
};

/* An address: what stands on both sides of one '@', without blanks, control characters and marks that would make more
 * than one thing of it. Whether the mailbox exists only its server knows. */
bool address_valid(struct str text);
/* "ada@example.com", "Ada <ada@example.com>" or "\"Lovelace, Ada\" <ada@example.com>": one, never a list. Slices of the
 * text. */
bool party_parse(struct str text, struct party *ret_party);
/* Whether a mail may be given this header from outside: its name is one, and is none of those that are made of the
 * mail's own parts. */
bool mail_header_allowed(struct str name);

#endif
