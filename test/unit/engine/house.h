/* test/unit/engine/house.h - the loop in a small world: a real store in a
 * temporary folder, requests and answers by script, a clock set by hand.
 * house_seams.h, house_start.h and house_acts.h say what may happen in it;
 * tests include the last. */
#ifndef ENGINE_HOUSE_H
#define ENGINE_HOUSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api.h"
#include "base/when.h"
#include "engine/loop.h"
#include "observe/log.h"
#include "server/setup.h"
#include "store/query.h"

#define T0         ((int64_t)1764000000000000)
#define HOUSE_ROOM 64
#define OK(it)     assert_int_equal((it), ERR_NONE)

/* One plain destination and one route to it. */
#define HOUSE_PLAIN                                                                                                    \
    "version: 1\nstore: ./x.db\ndestinations:\n  crm:\n    type: http\n    url: https://crm.example.com/in\n"          \
    "routes:\n  lead:\n    from: LEAD\n    to: [crm]\n"

struct house_call { /* a send on its way */
    uint64_t tag;
    const struct outgoing *outgoing;
};
struct house_reply {
    int status;
    struct str body, event_status;
};
struct house {
    struct arena arena;
    char folder[64];
    int64_t now_us, wall_us, waited_until_us;
    /* store */
    struct sql_driver real, driver;
    struct store *store;
    int commit_races;                   /* so many commits are raced by another process */
    int64_t commit_takes_us;            /* the clock moves on so far in each */
    bool in_turn;                       /* a transaction is open */
    enum err commit_fails, begin_fails; /* what the next ones come to; NONE = they work */
    /* requests */
    struct request requests[HOUSE_ROOM];
    size_t request_count;
    struct house_reply replies[HOUSE_ROOM]; /* in order, since the house was made */
    size_t reply_count;
    /* calls outward */
    struct house_call calls[HOUSE_ROOM]; /* in order, since the house was made */
    size_t call_count;
    struct completion done[HOUSE_ROOM];
    size_t done_count, released;
    struct beginning begun[HOUSE_ROOM]; /* requests that began to leave, for the next turn to see */
    size_t begun_count;
    bool tells_starts; /* the transport says when: set before the house is opened */
    /* the loop */
    struct setup *setup, *old_setup;
    struct jq *jq, *old_jq;
    struct evaluator evaluator;
    struct api *api;
    struct loop *loop;
    struct shared_limits limits; /* .take NULL = none */
    enum redis_failure redis_failure;
    const char *connector;      /* one more, as text; set before the house is opened */
    struct folder_seam folders; /* likewise */
    bool beside;                /* other processes may work on its store; likewise */
    int starts;
    struct reload reload; /* .self NULL = there is no file to read */
    int prepared, adopted, forgotten;
    bool exposed, trusted; /* the door can be reached by others; requests come over the unix socket */
    bool endless;          /* the last request is there again and again, as many times as a turn takes */
};

/* What its configuration comes to, for the loop. */
static inline struct in_force house_in_force(const struct house *house) {
    const struct setup *setup = house->setup;
    return setup_in_force(setup, &house->evaluator);
}

#endif
