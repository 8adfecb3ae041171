/* http/guard.c - base/address.h applied to one call. */
#include "http/guard.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/address.h"

bool guard_allows(const struct outgoing *outgoing, int family, const void *bytes) {
    if (outgoing->unix_socket.n || family == AF_UNIX) return outgoing->unix_socket.n && family == AF_UNIX;
    return outgoing->allow_private || address_is_public(family, bytes);
}

bool guard_allows_text(const struct outgoing *outgoing, const char *address) {
    static const int families[] = {AF_INET, AF_INET6};
    uint8_t bytes[16];
    if (outgoing->unix_socket.n || !address[0]) /* the text is then the socket's path; the socket itself was judged */
        return guard_allows(outgoing, AF_UNIX, NULL);
    for (size_t i = 0; i < 2; i++)
        if (inet_pton(families[i], address, bytes) == 1) return guard_allows(outgoing, families[i], bytes);
    return false;
}
