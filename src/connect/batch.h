/* connect/batch.h - many deliveries in one call, and the answer of each.
 * Private to this room.
 *
 * A delivery whose part cannot be filled, or is larger than the provider takes,
 * is left out and FAILED; so that a provider never sees one key twice in a call,
 * a later delivery of the same key is left out and unsent, and so is what makes
 * the call too large. All is worked out again when the answer is read: the same
 * deliveries give the same parts. */
#ifndef CONNECT_BATCH_H
#define CONNECT_BATCH_H

#include "connect/connector.h"

/* Whether these deliveries go out in the action's batch form. */
bool batch_takes(const struct action *action, const struct call_context *context);

struct batch_part {
    bool sent;
    struct str problem; /* why it cannot be filled; "" and not sent: it waits for another call */
    struct str key;     /* where items are matched by key */
};
MUST_USE enum err batch_request(struct fill *fill, const struct action *action, struct outgoing *ret_outgoing);
/* One for each delivery; appends the items that are sent, as a JSON list. */
void batch_parts(struct fill *fill, const struct action *action, struct batch_part *ret_parts, struct buf *items);

#endif
