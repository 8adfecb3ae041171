/* http/framing.h - whether a request's head is framed as RFC 9112 demands.
 *
 * Two servers that see two different requests in the same bytes are how
 * requests are smuggled past a proxy. So whatever could be read in two ways is
 * refused, never repaired. Pure.
 * Sources: RFC 9112 (2.2, 3.2, 5, 6, 7), RFC 9110 5.5 and 5.6.2.
 */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "model/exchange.h"

struct framing {
    /* Slices of the receive buffer where they were received, except the target, which is as it was sent. The headers
     * in order, blanks before a value skipped. */
    struct str method, target, version;
    struct header *headers;
    size_t header_count;
    size_t bytes; /* of all that, up to and with the empty line */
};

/* NULL when all is well, else a sentence for the sender. */
const char *framing_trouble(const struct framing *head);

/* The path and the query of a target in origin or absolute form. The target must have passed framing_trouble. */
void framing_target(struct str target, struct str *ret_path, struct str *ret_query);

/* The first header of that name, trimmed; STR_NONE when there is none. */
struct str framing_header(const struct framing *head, struct str name);

/* Content-Length of a head without trouble; -1 when there is none. */
int64_t framing_length(const struct framing *head);

/* What is wrong with a line behind a chunked body, as framing_trouble says it. */
const char *framing_trailer_trouble(const struct header *trailer);

#endif
