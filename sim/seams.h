/* sim/seams.h - the simulated ends of two more seams: jq in the process, and
 * limits that this process shares with others that only exist here.
 *
 * The limits are exact windows in virtual time. They live outside the process,
 * so a crash of it leaves what it took. Two moods: crowded, where others take
 * places too and every call is answered, and troubled, where calls are slow,
 * fail before or after they did something, and everything may be forgotten.
 * What others started is known, so that the oracle can count it beside what the
 * receivers saw.
 */
#ifndef SIM_SEAMS_H
#define SIM_SEAMS_H

#include "sim/world.h"

struct jq;
struct evaluator seam_evaluator(struct jq *jq);
struct evaluator_maker seam_evaluators(void);

struct seam_limits;
enum seam_mood { SEAM_CROWDED, SEAM_TROUBLED };
/* Others act, and trouble comes, until that moment. */
struct seam_limits *seam_limits_new(struct world *world, enum seam_mood mood, int64_t until_us);
void seam_limits_free(struct seam_limits *limits);
struct shared_limits seam_shared_limits(struct seam_limits *limits);
/* Starts of others in the window that ends now. */
size_t seam_limits_others(const struct seam_limits *limits, struct str limit, int64_t window_us);

#endif
