/* connect/headers.h - header fields of a request that is being made: what may
 * stand in them (RFC 9110, 5.5 and 5.6.2), and one field per name. Pure. */
#ifndef CONNECT_HEADERS_H
#define CONNECT_HEADERS_H

#include "model/exchange.h"

bool header_name_valid(struct str name);
/* No control character but the tab: a CR or LF would begin another header. */
bool header_value_valid(struct str value);
/* Adds the header, or gives the one of that name, any case, the new value. Asserts that there is room. */
void headers_put(struct outgoing *outgoing, struct str name, struct str value);

#endif
