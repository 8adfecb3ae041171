/* http/client.h - the real transport: HTTP calls out, by libcurl's multi
 * interface on a thread of its own, and mails, each on one of its own (mailer.h).
 *
 * HTTP/1.1 only, TLS verified (1.2 and later), no redirects, no proxy from the
 * environment, http and https only, kept connections. The address is checked
 * at the socket (base/address.h), after name resolution, and again for a kept
 * connection. Of an answer's body 64 KiB are kept, or what the call
 * asks for, and 1 MiB is read, of its
 * headers 16 KiB are kept and 64 KiB read (more is CUT). A connection on which
 * anything went wrong, or on which bytes wait before a request, is not used
 * again. A request that began to leave never leaves a second time: when a kept
 * connection turns out to be dead the end is CUT.
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
 * max_body_bytes is kept. Its times are 0. Trusts as the server does, also the file that SSL_CERT_FILE names. */
void client_call(const struct outgoing *outgoing, size_t max_body_bytes, struct arena *arena,
                 struct answer *ret_answer);

#endif
