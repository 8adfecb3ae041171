/* sim/shelf.h - the simulated end of the seam to folders (base/folder.h): files in
 * memory, which outlive the process. */
#ifndef SIM_SHELF_H
#define SIM_SHELF_H

#include "base/folder.h"

struct shelf;
struct shelf *shelf_new(void);
void shelf_free(struct shelf *shelf);
/* Writes a file whole, or removes it where text.p is NULL; path as in "posts/a.md". Its folder is there from then on.
 */
void shelf_put(struct shelf *shelf, struct str path, struct str text, int64_t now_us);
struct folder_seam shelf_seam(struct shelf *shelf);

#endif
