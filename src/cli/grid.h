/* cli/grid.h - rows of cells as aligned text, cut to a width. Pure. */
#ifndef CLI_GRID_H
#define CLI_GRID_H

#include "base/arena.h"
#include "base/str.h"

struct grid_column {
    const char *title;
    bool right;  /* numbers */
    bool whole;  /* ids: never cut */
    bool status; /* coloured by what it says */
    bool spare;  /* left out where the table would be too wide otherwise, one of nothing but zeros or blanks first */
    bool wraps;  /* the last column: goes on in the next line instead of being cut */
};

struct grid {
    struct arena *arena;
    const struct grid_column *columns;
    size_t column_count;
    struct str *cells;
    size_t cell_count, cell_room;
};

/* Row after row, cell after cell; each becomes one line that steers no terminal. */
void grid_cell(struct grid *grid, struct str text);
/* width 0 = as wide as it gets. The title line is there only with rows. */
struct str grid_text(struct grid *grid, size_t width, bool colour);

/* Columns a text takes on a terminal: wide characters two, combining ones none. */
size_t text_columns(struct str text);
/* At most so many columns, "…" where it was cut. */
struct str text_cut(struct arena *arena, struct str text, size_t columns);
/* Adds the text to what ends in column `at`, broken between words so that no line passes the width; each further line
 * begins with indent blanks. A word that is too long for a line stays whole, and so does a
 * command ("drumbeat ..." up to a ';' or two blanks, or in backquotes): it can be copied. width 0 = nothing is broken.
 */
void text_wrap(struct buf *buf, struct str text, size_t at, size_t indent, size_t width);
/* The text in the colour of its status word, as it is when there is none. */
struct str status_coloured(struct arena *arena, struct str word, bool colour);

#endif
