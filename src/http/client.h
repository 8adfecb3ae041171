/* http/client.h - the real transport: HTTP calls out, by libcurl's multi
 * interface on a thread of its own.
 *
 * HTTP/1.1 only, TLS verified (1.2 and later), no redirects, no proxy from the
 * environment, http and https only, kept connections. The address is checked
 * at the socket (base/address.h), after name resolution. Answers are kept to
 * 64 KiB, the rest is dropped; headers to 16 KiB. A connection on which
 * anything went wrong is never used again.
 * Thread: the transport's calls from the loop's thread.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http/wake.h"
#include "world.h"

struct client;

struct client_options {
    struct str ca_file; /* "" = the system's certificates; tests name their own */
    struct str user_agent;
    size_t connections_max; /* kept open in all */
};
MUST_USE enum err client_open(const struct client_options *options, const struct clock *clock, struct wake *wake,
                              struct client **ret_client);
struct transport client_transport(struct client *client);
void client_close(struct client *client); /* cancels what runs, joins the thread */

/* One call, waited for: the CLI's way to the server. The answer's memory is in the arena; a body of any size up to
 * max_body_bytes is kept. */
void client_call(const struct outgoing *outgoing, size_t max_body_bytes, struct arena *arena,
                 struct answer *ret_answer);

#endif
