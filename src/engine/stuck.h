/* engine/stuck.h - events that the database does not let be routed, and deliveries that it does not let be made. The
 * others go around them, but for those that must not overtake. Private to the loop's own files. */
#ifndef ENGINE_STUCK_H
#define ENGINE_STUCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

struct delivery;
struct loop;
struct turn;

#define STUCK_MAX  1024
#define STUCK_KEYS 4

struct stuck_one {
    int64_t seq; /* an event's; or a delivery's, with its sign turned */
    struct uuid event_id;
    uint64_t keys[STUCK_KEYS]; /* the orders that it keeps, hashed */
    size_t key_count;          /* more than STUCK_KEYS: it may keep any */
};

/* The one that was refused, and with which words it is given up. */
struct stuck_refusal {
    struct stuck_one one; /* .seq 0 = none */
    char words[256];
};

struct stuck {
    size_t due_max;    /* how many events a turn routes at most, after the database refused more; 0 = no bound */
    size_t unmade_max; /* as due_max, of deliveries that their routes had not made */
    struct stuck_refusal due, unmade;
    struct stuck_one ones[STUCK_MAX]; /* in the order in which they are tried again */
    size_t count;
    size_t behind;            /* due events that the last look left, because they must not overtake them */
    int64_t next_us, wait_us; /* when the first of them is tried again, alone */
    bool rests;               /* the next turn does not route, so that the rest of the line comes further */
    int64_t rest_until_us;    /* nor does any before this */
    char words[200];          /* the database's, of the last one */
};

/* In one turn. */
struct stuck_turn {
    int64_t retried; /* the one that it tries again, alone; 0 = none */
    size_t behind;   /* due events that wait behind a stuck one */
    bool all_made;   /* what was unmade and could be made */
    bool looked;     /* for stored events that are due */
    bool *locked;    /* parallel to turn->due: somebody's transaction has it; NULL = none */
};

bool stuck_rests(struct turn *turn);  /* whether this turn does not route */
void stuck_forget(struct loop *loop); /* the configuration changed: they are found anew */
/* Where routing begins: whether a stuck one is tried again in this turn (turn->stuck.retried). */
void stuck_begin(struct turn *turn);
int64_t stuck_next(const struct loop *loop);             /* when one is, or WHEN_NEVER */
void stuck_not_now(struct turn *turn, int64_t again_us); /* another process routes: not in this turn */
/* How many due events are to be read, where `most` would be. Then leaves what this turn may route of them. */
size_t stuck_due_max(const struct turn *turn, size_t most);
void stuck_pass_over(struct turn *turn);
/* Gives up the event that the database refuses, and puts off those that keep an order with one that is stuck, or with
 * one that waits behind it. */
void stuck_plans(struct turn *turn);
/* Whether a delivery that was made late is not to be written in this turn. */
bool stuck_leaves_out(const struct turn *turn, const struct delivery *delivery);
/* The database refused what a careful turn made of due events or of unmade deliveries: the next one makes fewer, or
 * gives the one up that it is, or passes over it. Where that does not help, routing rests for a second. */
void stuck_route_fewer(struct turn *turn, enum err err, struct str words);
void stuck_route_more(struct turn *turn); /* after a commit */

#endif
