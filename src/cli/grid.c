#include "cli/grid.h"

#include <assert.h>
#include <string.h>

#include "cli/writer.h"

#define CUT_COLUMNS_LEAST  8  /* a column is not made narrower than this */
#define WRAP_COLUMNS_LEAST 20 /* nor one that wraps than this */
#define GAP                2

/* ---- how wide a text is ---- */

/* Code points that take no column, or two (UAX #11, the ranges that occur in names). */
static const struct {
    uint32_t first, last;
    size_t columns;
} ranges[] = {
    {0x0300, 0x036f, 0}, {0x200b, 0x200f, 0}, {0xfe00, 0xfe0f, 0},   {0x1100, 0x115f, 2},
    {0x2e80, 0xa4cf, 2}, {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2},
    {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
};

/* The columns of the character at a place, and its bytes; a byte that is no UTF-8 counts as one of each. */
static size_t character_columns(struct str text, size_t at, size_t *ret_bytes) {
    size_t length = str_utf8_length(text, at);
    *ret_bytes = length ? length : 1;
    if (length < 2) return 1;
    uint32_t point = str_point(text, at, length);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (point >= ranges[i].first && point <= ranges[i].last) return ranges[i].columns;
    return 1;
}

size_t text_columns(struct str text) {
    size_t columns = 0, bytes;
    for (size_t at = 0; at < text.n; at += bytes) columns += character_columns(text, at, &bytes);
    return columns;
}

struct str text_cut(struct arena *arena, struct str text, size_t columns) {
    if (text_columns(text) <= columns) return text;
    size_t at = 0, used = 0, bytes;
    while (at < text.n) {
        size_t next = character_columns(text, at, &bytes);
        if (used + next + 1 > columns) break;
        used += next;
        at += bytes;
    }
    return str_fmt(arena, "%.*s…", STR_ARG(str_sub(text, 0, at)));
}

static void add_blanks(struct buf *buf, size_t count) {
    for (size_t i = 0; i < count; i++) buf_byte(buf, ' ');
}

/* What is not broken at the beginning of a text: a word, or a command. */
static size_t piece_length(struct str text) {
    size_t end = str_find(text, ' ');
    if (str_starts(text, STR("`drumbeat "))) {
        size_t close = str_find(str_sub(text, 1, text.n), '`');
        if (close == SIZE_MAX) return end;
        size_t behind = str_find(str_sub(text, close + 2, text.n), ' ');
        return behind == SIZE_MAX ? text.n : close + 2 + behind;
    }
    if (end == SIZE_MAX || !str_starts(text, STR("drumbeat "))) return end;
    while (end < text.n && text.p[end] != ';' && !str_starts(str_sub(text, end, 2), STR("  "))) end++;
    size_t behind = str_find(str_sub(text, end, text.n), ' '); /* the ';' is not torn off */
    return behind == SIZE_MAX ? text.n : end + behind;
}

void text_wrap(struct buf *buf, struct str text, size_t at, size_t indent, size_t width) {
    while (text.n) {
        size_t blanks = 0;
        while (blanks < text.n && text.p[blanks] == ' ') blanks++;
        struct str rest = str_sub(text, blanks, text.n), word = str_sub(rest, 0, piece_length(rest));
        size_t columns = text_columns(word);
        if (width && at > indent && at + blanks + columns > width) {
            buf_byte(buf, '\n');
            add_blanks(buf, indent);
            at = indent;
        } else {
            add_blanks(buf, blanks);
            at += blanks;
        }
        buf_add(buf, word);
        at += columns;
        text = str_sub(rest, word.n, rest.n);
    }
}

/* ---- colours ---- */

static const struct {
    const char *word, *colour;
} status_colours[] = {
    {"COMPLETED", "32"}, {"FAILED", "31"},    {"UNKNOWN", "33"}, {"HELD", "33"},   {"PROCESSING", "36"},
    {"PENDING", "36"},   {"SKIPPED", "2"},    {"done", "32"},    {"retry", "33"},  {"failed", "31"},
    {"unknown", "33"},   {"open", "31"},      {"half", "33"},    {"paused", "33"}, {"revoked", "2"},
    {"delivered", "32"}, {"duplicate", "33"}, {"held", "33"},    {"skipped", "2"}, {"waiting", "36"},
};

struct str status_coloured(struct arena *arena, struct str word, bool colour) {
    for (size_t i = 0; colour && i < sizeof status_colours / sizeof *status_colours; i++)
        if (str_eq(word, str_from(status_colours[i].word)))
            return str_fmt(arena, "\033[%sm%.*s\033[0m", status_colours[i].colour, STR_ARG(word));
    return word;
}

/* ---- the grid ---- */

void grid_cell(struct grid *grid, struct str text) {
    if (grid->cell_count == grid->cell_room) {
        grid->cell_room = grid->cell_room ? grid->cell_room * 2 : 64;
        struct str *grown = arena_array(grid->arena, struct str, grid->cell_room);
        if (grid->cell_count) memcpy(grown, grid->cells, grid->cell_count * sizeof *grown);
        grid->cells = grown;
    }
    grid->cells[grid->cell_count++] = str_safe(grid->arena, text, true);
}

#define COLUMNS_MAX 16

/* Which columns are shown, and how wide each is. */
struct layout {
    bool out[COLUMNS_MAX], empty[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    size_t width; /* of the terminal; 0 = none */
};

static void measure(const struct grid *grid, struct layout *layout) {
    for (size_t i = 0; i < grid->column_count; i++) {
        layout->widths[i] = text_columns(str_from(grid->columns[i].title));
        layout->empty[i] = true;
    }
    for (size_t i = 0; i < grid->cell_count; i++) {
        size_t columns = text_columns(grid->cells[i]), column = i % grid->column_count;
        if (columns > layout->widths[column]) layout->widths[column] = columns;
        bool says_nothing = !columns || (grid->columns[column].right && str_eq(grid->cells[i], STR("0")));
        if (!says_nothing) layout->empty[column] = false;
    }
}

static size_t total_width(const struct grid *grid, const struct layout *layout) {
    size_t total = 0;
    for (size_t i = 0; i < grid->column_count; i++)
        if (!layout->out[i]) total += layout->widths[i] + (total ? GAP : 0);
    return total;
}

/* Makes the widest column that may be cut narrower, until all columns fit or none can give more. */
static bool shrink(const struct grid *grid, struct layout *layout, size_t width) {
    for (;;) {
        size_t widest = SIZE_MAX;
        for (size_t i = 0; i < grid->column_count; i++) {
            size_t least = grid->columns[i].wraps ? WRAP_COLUMNS_LEAST : CUT_COLUMNS_LEAST;
            if (layout->out[i] || grid->columns[i].whole || layout->widths[i] <= least) continue;
            if (widest == SIZE_MAX || layout->widths[i] > layout->widths[widest]) widest = i;
        }
        if (total_width(grid, layout) <= width) return true;
        if (widest == SIZE_MAX) return false;
        layout->widths[widest]--;
    }
}

/* Leaves out the last spare column, of those that are empty where asked; false when there is none. */
static bool spare_one(const struct grid *grid, struct layout *layout, bool empty) {
    for (size_t i = grid->column_count; i-- > 0;) {
        if (!grid->columns[i].spare || layout->out[i] || (empty && !layout->empty[i])) continue;
        layout->out[i] = true;
        return true;
    }
    return false;
}

/* Cutting texts comes before leaving out what is spare, and after leaving out what says nothing. */
static void fit(const struct grid *grid, struct layout *layout, size_t width) {
    while (total_width(grid, layout) > width && spare_one(grid, layout, true)) continue;
    struct layout cut = *layout;
    while (!shrink(grid, &cut, width) && spare_one(grid, layout, false)) cut = *layout;
    *layout = cut;
}

/* Where a column begins. */
static size_t column_at(const struct grid *grid, const struct layout *layout, size_t column) {
    size_t at = 0;
    for (size_t i = 0; i < column && i < grid->column_count; i++)
        if (!layout->out[i]) at += layout->widths[i] + GAP;
    return at;
}

static void add_cell(struct buf *buf, const struct grid *grid, const struct layout *layout, size_t column,
                     struct str text, bool colour) {
    const struct grid_column *how = &grid->columns[column];
    size_t width = layout->widths[column], next = column + 1;
    while (next < grid->column_count && layout->out[next]) next++;
    bool last = next == grid->column_count;
    if (last && how->wraps) {
        size_t at = column_at(grid, layout, column);
        text_wrap(buf, text, at, at, layout->width ? at + width : 0);
        buf_byte(buf, '\n');
        return;
    }
    struct str shown = how->whole ? text : text_cut(grid->arena, text, width);
    size_t used = text_columns(shown), blanks = used < width ? width - used : 0;
    if (how->right) add_blanks(buf, blanks);
    buf_add(buf, status_coloured(grid->arena, shown, colour && how->status));
    if (!how->right && !last) add_blanks(buf, blanks);
    if (last)
        buf_byte(buf, '\n');
    else
        add_blanks(buf, GAP);
}

struct str grid_text(struct grid *grid, size_t width, bool colour) {
    struct layout layout = {.width = width};
    struct buf buf = {.arena = grid->arena};
    assert(grid->column_count && grid->column_count <= COLUMNS_MAX);
    assert(grid->cell_count % grid->column_count == 0);
    measure(grid, &layout);
    if (width) fit(grid, &layout, width);
    for (size_t i = 0; grid->cell_count && i < grid->column_count; i++)
        if (!layout.out[i]) add_cell(&buf, grid, &layout, i, str_from(grid->columns[i].title), false);
    for (size_t i = 0; i < grid->cell_count; i++)
        if (!layout.out[i % grid->column_count])
            add_cell(&buf, grid, &layout, i % grid->column_count, grid->cells[i], colour);
    return buf_str(&buf);
}
