/* sim/scenario_player.h - what the parts of the scenario player share: one
 * scenario being played. Private to sim/scenario*.c. */
#ifndef SIM_SCENARIO_PLAYER_H
#define SIM_SCENARIO_PLAYER_H

#include "sim/plant.h"

#define WORDS_MAX 32 /* of one receiver's script */

/* What a receiver does with the next `times` calls. */
struct word {
    struct behaviour behaviour;
    size_t times;
};
struct script {
    struct word words[WORDS_MAX];
    size_t count, at, used; /* used: calls that words[at] has had */
};
/* A receiver's part in the play. */
struct actor {
    const struct receiver *receiver;
    struct script sends, lookups;
    bool knows_no_keys;
    struct str bad_text; /* what holds it is refused whole, with bad_status; "" = none */
    int32_t bad_status;
    int64_t sees_after_us; /* how long after the call its effect shows in lookups */
    struct str last_body;
};

struct player {
    struct plant plant;
    struct ready *ready;
    struct world *world;
    struct arena arena;
    struct actor actors[RECEIVERS_MAX];
    struct str connector;
    struct hasher *hasher;
    bool insists; /* posts are repeated until they are answered */
    /* the reply that is waited for */
    bool answered;
    int status;
    struct str event_status, body;
    char problem[400];
};

/* Keeps the first problem; always false. */
bool player_fail(struct player *player, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- reading a line ---- */
bool line_word(struct str *rest, struct str *ret_word);     /* the next word; false at the end */
bool line_take(struct str *rest, struct str phrase);        /* the phrase, if the line goes on with it */
bool line_holds(struct str text, struct str part);          /* "" is in every text */
bool line_number(struct str *rest, size_t *ret_number);     /* the next word, if it is a number */
struct str line_until(struct str *rest, struct str phrase); /* what stands before the phrase, which is taken too */
bool line_span(struct player *player, struct str word, int64_t *ret_us); /* with its sign; false: not a span */

/* ---- scenario_world.c: receivers ---- */
struct actor *player_actor(struct player *player, struct str name);
bool player_set_world(struct player *player, struct str rest); /* "crm: answer 503; answer 200" */
struct behaviour player_behave(void *self, struct receiver *receiver, const struct outgoing *outgoing, bool lookup);

/* ---- scenario_expect.c: what must hold ---- */
bool player_expect(struct player *player, struct str rest);
/* The status, then ACCEPTED, `contains TEXT` or `lacks TEXT`; or `no answer`. */
bool player_expect_reply(struct player *player, struct str rest);
bool player_verify(struct player *player);
bool player_find_event(struct player *player, struct str key, struct event *ret_event);
/* The newest of the event's deliveries to a destination. */
bool player_find_delivery(struct player *player, struct str destination, struct str key, struct delivery *ret_delivery);

#endif
