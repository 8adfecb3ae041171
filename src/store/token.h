/* store/token.h - the tokens of destinations, as they lie in the store: sealed (base/seal.h), with the right to ask for
 * the next one. Same rules as store/store.h.
 *
 * Who wants a token asks for the right first (store_token_ask), and the request leaves after that commit. The answer is
 * written by the turn that takes it: a refresh token that a provider gave in place of another is never held in memory
 * alone for longer than that turn. The right ends by itself, later than any answer can come.
 */
#ifndef STORE_TOKEN_H
#define STORE_TOKEN_H

#include "store/store.h"

struct token_row {
    struct str destination;
    int64_t generation;                     /* one more with each token; 0 = none was made yet */
    struct str sealed;                      /* "" = none */
    int64_t expires_us, refresh_expires_us; /* 0 = not known */
    struct str seed;                        /* what the first one was made from, as a digest; "" = a login */
    struct str asked_by;                    /* who asks for the next one; "" = nobody */
    int64_t asked_until_us;                 /* nobody else asks before */
    int64_t in_doubt; /* how often one was asked for without an end that is known; the ask under way is counted */
    int64_t updated_us;
};
/* All zeros when there is none. */
MUST_USE enum err store_token_get(struct store *store, struct str destination, struct arena *arena,
                                  struct token_row *ret_row);
MUST_USE enum err store_token_list(struct store *store, struct arena *arena, struct token_row **ret_rows,
                                   size_t *ret_count);
/* Takes the right to ask until then. others_too: nobody else works on this store, so that a foreign right is the
 * past's.
 */
MUST_USE enum err store_token_ask(struct store *store, struct str destination, struct str owner, int64_t now_us,
                                  int64_t until_us, bool others_too, bool *ret_ours);
/* The token that was asked for; row->generation is the one it was asked from. Not applied where that is not there any
 * more. */
MUST_USE enum err store_token_made(struct store *store, const struct token_row *row, int64_t now_us, bool *ret_applied);
/* Nothing came of it; nobody asks before until_us. in_doubt: the provider may have made one. */
MUST_USE enum err store_token_not_made(struct store *store, struct str destination, struct str owner, int64_t until_us,
                                       bool in_doubt, int64_t now_us);
/* What a person's login came to: sealed, expires_us and refresh_expires_us of the row count. */
MUST_USE enum err store_token_put(struct store *store, const struct token_row *row, int64_t now_us);

#endif
