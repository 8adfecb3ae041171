/* connect/token.h - the ways to a token, as compiled, and the JWT with which some providers are asked for one. Private
 * to this room; the rest of token.c stands in connect.h. */
#ifndef CONNECT_TOKEN_H
#define CONNECT_TOKEN_H

#include "connect/text.h"

struct body_node;
struct request_form;

/* A token, and the ways to one. */
struct token_form {
    struct request_form *ways[TOKEN_WAYS]; /* NULL = there is no such way */
    struct text key;                       /* of ${jwt}: an RSA key in PEM */
    struct body_node *claims;              /* NULL = no ${jwt} */
    struct text seed;
    size_t answer;   /* jq on the answer: {access, life, refresh, refresh_life, error} */
    int64_t life_us; /* where the answer does not say; 0 = it is good until it is refused */
};

/* Makes ${jwt}: the connector's claims, signed with RS256 (RFC 7519, RFC 7515). */
MUST_USE enum err token_jwt(struct fill *fill, struct str *ret_text);

#endif
