/* connect/request.h - a request as described, filled for a delivery or a batch.
 * Private to this room. */
#ifndef CONNECT_REQUEST_H
#define CONNECT_REQUEST_H

#include "connect/connector.h"

#define REQUEST_HEADERS_MAX 12                 /* of a connector and a request together */
#define REQUEST_BODY_MAX    ((size_t)16 << 20) /* bytes */

MUST_USE enum err request_fill(struct fill *fill, const struct request_form *request, struct outgoing *ret_outgoing);
/* The delivery's parameters, parsed; BAD_FIELD when a required one is missing. json_free ends them. */
MUST_USE enum err request_params(struct fill *fill, const struct action *action, struct json **ret_params);

#endif
