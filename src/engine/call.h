/* engine/call.h - one request in the turn that answers it, as its handler sees it.
 *
 * A handler has two phases. `take` runs inside the turn's transaction: it reads the request, asks and changes the
 * store, stages what desks shall do, and leaves events to be appended and wishes that come true after the commit.
 * `answer` runs after the commit, where take made no reply, and knows the verdicts on those events. No reply leaves
 * before the commit. A turn that is dropped never happened: what was staged is undone, wishes are forgotten, and the
 * caller hears 503. A turn that another process raced is done again: take runs anew, from the request alone.
 *
 * A handler has what stands here and nothing else of the engine. Who answers without a server (cli/offline.c) fills
 * the same struct. Thread: the loop's. Texts live in the call's arena, until the reply was sent.
 */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include "engine/service.h"
#include "model/request.h"

struct append_result;
struct certificate_shelf;
struct copy_view;
struct deliver;
struct evaluator_maker;
struct folder_view;
struct event;
struct evaluator;
struct fetch_wish;
struct hasher;
struct map;
struct mappings;
struct metrics;
struct rates;
struct rng;
struct routes;
struct schedules;
struct settings;
struct uuid;
struct verify_look;

/* How the process stands that answers. Without a server only the texts are set, and running is false. */
struct standing {
    bool running;
    struct str version, store, role; /* the store's name, without a password; all, ingest, worker */
    bool takes_events;               /* by its role */
    bool tight;                      /* the disk was full: what room is left is not for new events */
    bool clock_waits;                /* the clock was ahead, and what it wrote cannot be moved back yet */
    bool hold, stopping, config_ok;  /* config_ok: the last try to read the configuration succeeded */
    struct str hold_reason;
    struct str chore_refused, chore_words, claim_refused, claim_words; /* the database refuses it; "" = nothing */
    struct str stuck, stuck_words;   /* of the events that it does not let be routed, the oldest; "" = none */
    const struct copy_view *backup;  /* NULL where the store is not a file of this server's */
    int64_t started_us;              /* the loop's clock */
    int64_t open_deliveries;         /* that wait, as far as this process knows */
    uint64_t unrouted;               /* events since the start that no route wanted */
    uint64_t resent;                 /* sends since the start while an earlier try was in doubt */
    uint64_t unsent;                 /* sends since the start that this machine had no room for */
    size_t in_flight, stuck_count;   /* sends on their way; events that the database does not let be routed */
    const char *limits_way;          /* how limits are shared: none, store, redis */
    bool limits_up;                  /* the last try to ask worked */
    size_t limit_parts;              /* processes that share the limits out, each a part; 1 = nothing is shared out */
    const struct settings *settings; /* in force; NULL without a server */
    const struct routes *routes;
    const struct schedules *schedules;
    struct mappings *mappings; /* NULL without a server, as the next */
    const struct evaluator *evaluator;
    const struct certificate_shelf *certificates;
    const struct map *logins_wanted; /* destinations that send nothing before a person logged in, by their names */
    const struct map *expiries;      /* what the servers of destinations showed: struct expiries, by their names */
    const struct folder_view *folders;
    size_t folder_count;
    const int64_t *looked_us; /* at each chore, by enum chore_name: wall time, 0 = not yet; NULL without a server */
};

/* What a call wants to come true once the turn has committed. */
enum wish {
    WISH_CONFIG = 1,   /* what reload.prepare kept is adopted */
    WISH_KEYS = 2,     /* API keys changed: they are read anew, here and in other processes */
    WISH_VERIFY = 8,   /* a round of verify stands in the store and has not begun */
    WISH_REPORT = 16,  /* likewise a round of report */
    WISH_BACKUP = 64,  /* a copy of the store begins */
    WISH_STATE = 32,   /* what the store says of all destinations changed: other processes are told */
    WISH_REPLAY = 256, /* a plan to send again stands in the store and wants a step */
    WISH_TOKENS = 128, /* a token was put into the store: it is read, here and in other processes */
    WISH_WORK = 4,     /* deliveries may leave that could not before: other processes are told */
};

struct call {
    const struct request *request;
    struct str request_id;
    struct str
        place; /* the path as the endpoint has it, with {…} for what may be a secret; "" = there is no such one */
    struct str part;  /* what stood for {…} in the path, as sent: ids and names need no encoding */
    struct str actor; /* "unix", "loopback" or the key's id; for audit rows */
    int64_t now_us, wall_us;
    /* what a handler may use */
    void *service; /* the service's own */
    struct arena *arena;
    struct store *store;   /* a replica's, where the endpoint allows it */
    struct deliver *desks; /* staged until the commit */
    struct metrics *metrics;
    struct rates *rates; /* NULL without a server */
    struct hasher *hasher;
    struct rng *rng;
    struct uuid *last_id; /* of the event made last */
    const struct standing *standing;
    const struct reload *reload;
    const struct evaluator_maker *evaluators; /* NULL without a server */
    const struct verify_look *look; /* without a server a round of verify is done at once: it sees each step */
    /* what take leaves */
    struct reply reply;   /* status 0 = answer makes it */
    struct event *events; /* to be appended in this order */
    size_t event_count;
    unsigned wishes;                /* enum wish */
    const struct fetch_wish *fetch; /* after the commit; NULL = nothing */
    void *own;                      /* the handler's, from take to answer */
    /* for answer */
    const struct append_result *verdicts; /* one for each event */
    void (*answer)(struct call *call);
};

#endif
