/* sim/scenario.h - plays text files under virtual time; docs/scenarios.md is
 * the language. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "base/str.h"

/* One file, or every *.txt of a folder: a line each, then `N passed, N failed`. Gives the exit code. */
int scenarios_play(struct str path);

#endif
