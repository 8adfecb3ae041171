/* sim/bulk.h - the receiver that takes many in one call: what it refuses, and
 * what must hold of what it heard. */
#ifndef SIM_BULK_H
#define SIM_BULK_H

#include "sim/oracle.h"

/* One bad item, and the call is refused as a whole. */
bool bulk_refuses(struct str body);
/* I7: under one key the same items, in each call. */
void bulk_hear(struct oracle *oracle, const struct receiver *receiver, const struct send *send);
/* At the end. I7: each item has one effect. I8: what is COMPLETED has it. I27: what is refused was refused alone, so
 * that no item fails for another's sake; but not where that call was made again, because an answer was lost. */
void bulk_check(struct oracle *oracle, struct arena *arena);

#endif
