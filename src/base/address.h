/* base/address.h - which addresses and hosts may be called.
 *
 * A destination must not reach into the operator's own network unless it says
 * allow_private: true. The address that counts is the one the socket connects
 * to, so the same rule runs in the HTTP client's socket callback. Embedded
 * forms (IPv4-mapped, 6to4, Teredo, NAT64) are unwrapped first.
 * Source: IANA special-purpose address registries (RFC 6890 and updates).
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/str.h"

/* family AF_INET (4 bytes) or AF_INET6 (16); false for anything else than globally reachable unicast. */
bool address_is_public(int family, const uint8_t *bytes);
bool address_is_loopback(int family, const uint8_t *bytes); /* 127.0.0.0/8 and ::1 */
/* An http or https URL of up to 8000 characters of ASCII whose host is a name of [a-z0-9.-], a strict dotted quad or a
 * bracketed IPv6 address, without user info, control characters, blanks or backslashes. *ret_host is a slice of url
 * (an IPv6 address without its brackets). *ret_literal_private: the host is an address literal and not public. A name
 * says nothing about its address: the socket guard does. *ret_reason (NULL when fine) is a sentence for a person. */
bool url_check(struct str url, struct str *ret_host, bool *ret_literal_private, const char **ret_reason);
/* The same of a mail server's: smtp or smtps, and nothing behind host and port. */
bool mail_url_check(struct str url, struct str *ret_host, bool *ret_literal_private, const char **ret_reason);
/* localhost, or an address literal that is loopback. */
bool host_is_loopback(struct str host);

/* ---- whose address it is ----
 * IPv4 counts as the part of IPv6 that is mapped for it (RFC 4291, 2.5.5.2). */

struct network {
    uint8_t bytes[16];
    int bits; /* how many of them count; 128 = one address */
};

/* "192.0.2.7", "2001:db8::1", "10.0.0.0/8". False: it is none. */
bool network_parse(struct str text, struct network *ret_network);
bool network_has(const struct network *network, const struct network *other);
/* The first bits of an address, the others zero: a host of IPv6 has all of a /64. */
struct network network_of(const struct network *address, int bits);

#endif
