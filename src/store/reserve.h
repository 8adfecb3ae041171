/* store/reserve.h - room on the disk that is kept for what must go on.
 *
 * A file of RESERVE_BYTES beside an embedded store, which holds nothing. When
 * the disk is full it is emptied: then deliveries and their outcomes have room,
 * while new events are refused. It is made again when there is space for it
 * twice. It may be left out of backups. Private to this room. Thread: one. */
#ifndef STORE_RESERVE_H
#define STORE_RESERVE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

#define RESERVE_BYTES ((long long)8 << 20)

struct reserve {
    const char *store, *path; /* NULL = none is kept */
    bool held;                /* the file is there */
    bool tight;               /* it was given up, and there was no space to make it again yet */
};

/* Takes over what an earlier run left, held or given up; makes none yet. */
void reserve_open(struct reserve *reserve, struct str store, struct arena *arena);
/* The disk is full. */
void reserve_give_up(struct reserve *reserve);
/* Between turns: makes it where there is none and there is space for it. */
void reserve_restore(struct reserve *reserve);

#endif
