/* schedule/zone.h - a time zone: which instant the clocks on its walls show what. Private to this room; pure.
 *
 * A zone is read from the bytes of its file in the IANA list as compiled by zic (TZif, RFC 9636), so no library's
 * state, environment variable or setting of the machine has a part in it (docs/decisions). Instants are seconds since
 * 1970 UTC, local times are minutes or seconds since 1970-01-01T00:00 on the zone's own clocks.
 */
#ifndef SCHEDULE_ZONE_H
#define SCHEDULE_ZONE_H

#include "base/arena.h"
#include "base/str.h"

struct zone;

/* NULL when the bytes are no zone. It lives in the arena and borrows nothing. */
const struct zone *zone_read(struct arena *arena, struct str tzif);
const struct zone *zone_utc(void);
/* How far its clocks are ahead of UTC, in seconds. */
int32_t zone_offset(const struct zone *zone, int64_t utc_s);
/* The first instant at which its clocks show this time or a later one: of a time that comes twice the first one, of a
 * time that is skipped the moment of the skip. */
int64_t zone_instant(const struct zone *zone, int64_t local_s);
/* The latest local time that its clocks have shown so far. After they were put back it is ahead of what they show. */
int64_t zone_reached(const struct zone *zone, int64_t utc_s);

#endif
