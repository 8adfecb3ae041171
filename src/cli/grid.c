#include "cli/grid.h"

#include <assert.h>
#include <string.h>

#include "cli/writer.h"

#define CUT_COLUMNS_LEAST 8 /* a column is not made narrower than this */
#define GAP               2

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

static uint32_t code_point(struct str text, size_t at, size_t length) {
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = (uint8_t)text.p[at] & first_bits[length];
    for (size_t i = 1; i < length; i++) point = point << 6 | ((uint8_t)text.p[at + i] & 0x3f);
    return point;
}

/* The columns of the character at a place, and its bytes; a byte that is no UTF-8 counts as one of each. */
static size_t character_columns(struct str text, size_t at, size_t *ret_bytes) {
    size_t length = str_utf8_length(text, at);
    *ret_bytes = length ? length : 1;
    if (length < 2) return 1;
    uint32_t point = code_point(text, at, length);
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
    grid->cells[grid->cell_count++] = text_safe(grid->arena, text, true);
}

static void measure(const struct grid *grid, size_t *widths) {
    for (size_t i = 0; i < grid->column_count; i++) widths[i] = text_columns(str_from(grid->columns[i].title));
    for (size_t i = 0; i < grid->cell_count; i++) {
        size_t columns = text_columns(grid->cells[i]);
        if (columns > widths[i % grid->column_count]) widths[i % grid->column_count] = columns;
    }
}

/* Makes the widest column that may be cut narrower, until all columns fit or none can give more. */
static void shrink(const struct grid *grid, size_t *widths, size_t width) {
    for (;;) {
        size_t total = GAP * (grid->column_count - 1), widest = SIZE_MAX;
        for (size_t i = 0; i < grid->column_count; i++) {
            total += widths[i];
            if (grid->columns[i].whole || widths[i] <= CUT_COLUMNS_LEAST) continue;
            if (widest == SIZE_MAX || widths[i] > widths[widest]) widest = i;
        }
        if (total <= width || widest == SIZE_MAX) return;
        widths[widest]--;
    }
}

static void add_blanks(struct buf *buf, size_t count) {
    for (size_t i = 0; i < count; i++) buf_byte(buf, ' ');
}

static void add_cell(struct buf *buf, const struct grid *grid, size_t column, struct str text, size_t width,
                     bool colour) {
    const struct grid_column *how = &grid->columns[column];
    bool last = column + 1 == grid->column_count;
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

#define COLUMNS_MAX 16

struct str grid_text(struct grid *grid, size_t width, bool colour) {
    size_t widths[COLUMNS_MAX];
    struct buf buf = {.arena = grid->arena};
    assert(grid->column_count && grid->column_count <= COLUMNS_MAX);
    assert(grid->cell_count % grid->column_count == 0);
    measure(grid, widths);
    if (width) shrink(grid, widths, width);
    for (size_t i = 0; grid->cell_count && i < grid->column_count; i++)
        add_cell(&buf, grid, i, str_from(grid->columns[i].title), widths[i], false);
    for (size_t i = 0; i < grid->cell_count; i++) {
        size_t column = i % grid->column_count;
        add_cell(&buf, grid, column, grid->cells[i], widths[column], colour);
    }
    return buf_str(&buf);
}
