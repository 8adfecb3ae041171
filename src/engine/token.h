/* engine/token.h - the tokens of destinations: who has one, who waits for one, and the errand that fetches the next.
 * Private to the loop's own files.
 *
 * A destination whose connector says so sends with a token. While there is none that is good, its desk claims nothing.
 * One that is not renewed lives in memory, and each process has its own; one that is renewed lies in the store, sealed,
 * and one process fetches the next for all. Owned by the loop. Times are the loop's clock. Thread: the loop's.
 */
#ifndef ENGINE_TOKEN_H
#define ENGINE_TOKEN_H

#include "base/err.h"
#include "base/map.h"
#include "engine/errand.h"

struct destination_settings;
struct flight;
struct loop;
struct outcome;
struct turn;

struct tokens {
    struct arena arena;
    struct map all; /* destination's name -> struct token */
    struct arena wanted_arena;
    struct map wanted; /* by name: those that can have no token before a person logs in */
    bool looked;       /* wanted is as the store and the configuration are */
};

void tokens_close(struct tokens *tokens);
/* Another configuration is in force, another process wrote, or somebody logged in: what the store has is read anew. */
void tokens_reread(struct loop *loop);
/* Finds tokens.wanted, where something changed: in the turn's transaction, before anybody asks for it. */
MUST_USE enum err logins_look(struct turn *turn);
/* What helps where no token can be had. */
struct str login_hint(struct turn *turn, const struct destination_settings *settings);
/* Whether the desk may send as far as its token goes. If not, one is on its way, or the desk waits or pauses. */
MUST_USE enum err tokens_gate(struct turn *turn, size_t desk, const struct destination_settings *settings,
                              bool *ret_open);
/* Whether it may send at once, with nothing to be asked for. */
bool tokens_ready(struct loop *loop, const struct destination_settings *settings, int64_t now_us);
/* Gives the flight the token that is in force, if its destination has any. */
void tokens_lend(struct loop *loop, struct flight *flight, struct arena *arena);
/* The account was refused. True when that may have been for the token alone: then another one is fetched, and the same
 * goes out again. */
bool tokens_expired(struct turn *turn, const struct flight *flight, const struct outcome *outcome);
void tokens_accepted(struct turn *turn, const struct flight *flight);
void tokens_rollback(struct loop *loop); /* the turn was dropped */
/* For metrics: in how many seconds each known login ends. */
struct gauge_sink;
void tokens_put_logins(const struct loop *loop, struct gauge_sink *sink);
void tokens_tell(const struct turn *turn); /* after the commit: whose login ends soon */

/* What the owner of the errand does (errand_owners). */
enum err token_settle(struct turn *turn, const struct errand *errand, const struct answer *answer);
void token_settled(struct turn *turn, const struct errand *errand);

#endif
