/* base/sf.h - the one structured field the door reads: an sf-string (RFC 8941,
 * 3.3.3), or the same text bare, as clients really write Idempotency-Key. */
#ifndef BASE_SF_H
#define BASE_SF_H

#include "base/str.h"

/* `"a\"b"` gives a"b (copied to arena), anything without a leading quote is taken as it stands (trimmed).
 * false: a quote that does not end, an escape that is none, or anything after the string. */
bool sf_string_or_bare(struct arena *arena, struct str value, struct str *ret_text);

#endif
