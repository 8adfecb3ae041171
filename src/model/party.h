/* model/party.h - who a mail is from and to, and what else may stand in its head: what can be checked before there is
 * a mail. Pure. Sources: RFC 5322, 3.4; RFC 6532 for letters beyond ASCII. */
#ifndef MODEL_PARTY_H
#define MODEL_PARTY_H

#include "base/str.h"

struct arena;

struct party {
    struct str name, address; /* name "" = none; without its quotes */
    bool escaped;             /* the name has a backslash before what it protects: party_name has it without */
};

/* An address: what stands on both sides of one '@', without blanks, control characters and marks that would make more
 * than one thing of it. Whether the mailbox exists only its server knows. */
bool address_valid(struct str text);
/* "ada@example.com", "Ada <ada@example.com>" or "\"Lovelace, Ada\" <ada@example.com>": one, never a list. What stands
 * before the last '<' is the name, whatever marks it has, quoted or not: names come out of forms. Line breaks and other
 * control characters are refused. Slices of the text. */
bool party_parse(struct str text, struct party *ret_party);
/* What is wrong with a text that is none, as a sentence's end. */
struct str address_problem(struct arena *arena, struct str text);
struct str party_problem(struct arena *arena, struct str text);
struct str party_name(struct arena *arena, const struct party *party);
struct str party_quoted(struct arena *arena, const struct party *party); /* the name as a quoted-string */
/* The mailbox with its name in quotes where its marks need them; any other text as it is. */
struct str party_text(struct arena *arena, struct str text);
/* Whether a mail may be given this header from outside: its name is one, and is none of those that are made of the
 * mail's own parts. */
bool mail_header_allowed(struct str name);

#endif
