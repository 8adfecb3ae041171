/* store/list.c - see list.h. A list without an index of its own looks at windows of seqs, newest first, and gives up
 * after a bounded number of rows: the loop must not stand still for a rare filter over a long history. */
#include "store/list.h"

#include "base/when.h"
#include "store/query.h"

#define WINDOW_SEQS  ((int64_t)4096)
#define LOOK_SEQS    ((int64_t)32768) /* about 30 ms */
#define CHUNK_ROWS   ((size_t)64)
#define BYTES_MAX    ((size_t)8 << 20) /* a page ends behind the chunk that passes this */
#define COLUMNS_READ 8

/* Seqs follow the time of creation, except for how far a clock may have been set back. */
#define CLOCK_SLACK_US US_PER_HOUR

struct span {
    int64_t from, below;
};

enum err list_made(struct store *store, enum sql_statement made, int64_t from, int64_t below, int64_t at_us,
                   int64_t *ret_seq) {
    while (from < below) {
        int64_t middle = from + (below - from) / 2, made_us;
        const struct sql_value param = sql_int(middle);
        TRY(store_ask(store, made, &param, WHEN_NEVER, &made_us));
        if (made_us >= at_us)
            below = middle;
        else
            from = middle + 1;
    }
    *ret_seq = from;
    return ERR_NONE;
}

static enum err find_span(struct store *store, const struct list *list, struct span *ret_span) {
    struct span span = {.from = 1};
    TRY(store_ask(store, list->last, NULL, 0, &span.below));
    span.below++;
    if (list->cursor > 0 && list->cursor < span.below) span.below = list->cursor;
    if (list->until_us && !list->made_later)
        TRY(list_made(store, list->made, span.from, span.below, list->until_us + CLOCK_SLACK_US, &span.below));
    if (list->since_us)
        TRY(list_made(store, list->made, span.from, span.below, list->since_us - CLOCK_SLACK_US, &span.from));
    *ret_span = span;
    return ERR_NONE;
}

static enum err read_chunk(struct store *store, const struct list *list, struct span span, size_t rows,
                           struct arena *arena, struct sql_result *ret_result) {
    const struct sql_value params[COLUMNS_READ] = {
        sql_int(span.from),
        sql_int(span.below),
        list->filters[0],
        list->filters[1],
        list->filters[2],
        sql_int(list->since_us),
        sql_int(list->until_us ? list->until_us : WHEN_NEVER),
        sql_int((int64_t)rows),
    };
    return store_run(store, list->statement, params, 1, arena, ret_result);
}

static size_t row_bytes(const struct sql_value *values, size_t columns) {
    size_t bytes = 0;
    for (size_t i = 0; i < columns; i++) bytes += values[i].text.n;
    return bytes;
}

enum err list_rows(struct store *store, const struct list *list, struct arena *arena,
                   const struct sql_value ***ret_rows, size_t *ret_count) {
    size_t limit = list->limit < QUERY_LIMIT_MAX ? list->limit : QUERY_LIMIT_MAX, count = 0, bytes = 0;
    const struct sql_value **rows = arena_array(arena, const struct sql_value *, limit);
    int64_t looked = 0;
    struct span span;
    TRY(find_span(store, list, &span));
    while (count < limit && span.from < span.below && looked < LOOK_SEQS && bytes < BYTES_MAX) {
        struct span window = span;
        struct sql_result result;
        size_t chunk = limit - count < CHUNK_ROWS ? limit - count : CHUNK_ROWS;
        if (!list->indexed && span.below - span.from > WINDOW_SEQS) window.from = span.below - WINDOW_SEQS;
        TRY(read_chunk(store, list, window, chunk, arena, &result));
        for (size_t i = 0; i < result.count; i++) {
            rows[count] = result.rows[i].values;
            bytes += row_bytes(rows[count++], result.columns);
        }
        span.below = result.count == chunk ? rows[count - 1][0].number : window.from;
        looked += list->indexed ? 0 : window.below - span.below;
    }
    store->next_cursor = span.from < span.below ? span.below : 0;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_NONE;
}
