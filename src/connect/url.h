/* connect/url.h - URLs of requests: where values may stand, and how they are
 * written there (RFC 3986). Private to this room.
 *
 * Values of a delivery fill path segments after the host and query values,
 * percent-encoded; fields of the destination may also stand in the host or be
 * the URL's beginning, and are checked when a destination is bound. */
#ifndef CONNECT_URL_H
#define CONNECT_URL_H

#include "connect/text.h"

#define URL_BYTES_MAX ((size_t)8000)

/* Reads like text_read, and also settles how each value is written. */
void url_read(struct document_reader *reader, const struct tree *tree, enum scope scope, struct text *ret_url);
/* Appends the bytes a place may hold as they are, the others as %XX. */
void url_escape(struct buf *buf, struct str text, enum part_place place);
MUST_USE enum err url_fill(struct fill *fill, const struct text *url, struct buf *ret_url);
/* What stands before the first value of a delivery, with the destination's fields filled in. Scheme and host are in it.
 */
struct str url_beginning(const struct text *url, const struct connector *connector,
                         const struct destination_settings *destination, struct arena *arena);

#endif
