/* engine/lines.h - what a turn did, as lines of the log: one for each request, and one for each step of an event and of
 * a delivery. Called after the commit, so a line tells of what is true.
 *
 * All of them are of level debug but the ends that a person wants to know of: a delivery that failed or is held, and a
 * destination that changed. At info a walk writes no line. Private to the loop's own files. Thread: the loop's.
 */
#ifndef ENGINE_LINES_H
#define ENGINE_LINES_H

#include <stdbool.h>

struct call;
struct desk_view;
struct flight;
struct turn;

/* Before the replies: what was taken in, what was routed, and what could not be made. */
void lines_came(const struct turn *turn);
void lines_answered(const struct turn *turn, const struct call *call);
void lines_sent(const struct turn *turn, const struct flight *flight);
void lines_settled(const struct turn *turn);
void lines_limits(const struct turn *turn, bool lost); /* Redis does not answer, or does again */
/* What of a desk changed (enum desk_aspect), as far as an operator wants to know of it at once. */
void lines_desk(const struct turn *turn, const struct desk_view *view, unsigned aspects);

#endif
