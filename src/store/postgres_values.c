/* store/postgres_values.c - see postgres_values.h. */
#include "store/postgres_values.h"

#include "base/str.h"
#include "base/when.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* Seconds from 1970 to 2000, where PostgreSQL's time begins. */
#define POSTGRES_EPOCH_US ((int64_t)946684800 * 1000000)
/* The year 294276, after which PostgreSQL knows only infinity. */
#define POSTGRES_TIME_MAX_US (INT64_MAX - POSTGRES_EPOCH_US - (int64_t)86400 * 1000000)

#define ID_BYTES 16

/* Oids from src/include/catalog/pg_type.dat; they are fixed. */
static const struct kind {
    char letter;
    Oid oid, array_oid;
} kinds[] = {
    {'i', 20, 1016},
    {'t', 25, 1009},
    {'b', 2950, 2951},
    {'w', 1184, 1185},
};

static const struct kind *kind_of(char letter) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].letter == letter) return &kinds[i];
    assert(!"a kind of tools/sql.py");
    return NULL;
}

struct postgres_types postgres_types(const struct sql_text *statement) {
    struct postgres_types types = {0};
    for (; statement->params[types.count]; types.count++) {
        const struct kind *kind = kind_of(statement->params[types.count]);
        assert(types.count < LINK_PARAMS_MAX);
        types.oids[types.count] = statement->batched ? kind->array_oid : kind->oid;
    }
    return types;
}

/* ---- parameters ---- */

static char *put_u32(char *to, uint32_t value) {
    value = htobe32(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static char *put_i64(char *to, int64_t value) {
    uint64_t big = htobe64((uint64_t)value);
    memcpy(to, &big, sizeof big);
    return to + sizeof big;
}

static int64_t to_timestamp(int64_t us) {
    return us >= POSTGRES_TIME_MAX_US ? INT64_MAX : us - POSTGRES_EPOCH_US;
}

static int64_t from_timestamp(int64_t value) {
    return value >= POSTGRES_TIME_MAX_US - POSTGRES_EPOCH_US ? WHEN_NEVER : value + POSTGRES_EPOCH_US;
}

static struct str clean_text(struct str text, struct arena *arena) {
    if (str_is_utf8(text) && !(text.n && memchr(text.p, 0, text.n))) return text;
    struct buf buf = {.arena = arena};
    for (size_t at = 0; at < text.n;) {
        size_t length = text.p[at] ? str_utf8_length(text, at) : 0;
        buf_add(&buf, length ? str_sub(text, at, length) : STR("\xef\xbf\xbd"));
        at += length ? length : 1;
    }
    return buf_str(&buf);
}

/* The bytes of one value; numbers are written to `room`. */
static struct str value_bytes(const struct sql_value *value, char letter, char room[8], struct arena *arena) {
    switch (value->kind) {
    case SQL_INT:
        put_i64(room, letter == 'w' ? to_timestamp(value->number) : value->number);
        return (struct str){room, 8};
    case SQL_TEXT:
        return clean_text(value->text, arena);
    case SQL_BLOB:
        assert(value->text.n == ID_BYTES);
        return value->text;
    case SQL_NULL:
        break;
    }
    return STR_NONE;
}

/* Writes a one-dimensional array: the number of dimensions, whether it may hold NULLs, the type, the count, the lower
 * bound 1, and then each value. */
static void encode_array(const struct sql_batch *batch, size_t column, char letter, struct arena *arena,
                         struct postgres_params *params) {
    struct str *texts = arena_array(arena, struct str, batch->rows);
    char(*numbers)[8] = arena_alloc(arena, batch->rows * sizeof *numbers);
    size_t bytes = 20;
    for (size_t i = 0; i < batch->rows; i++) {
        texts[i] = value_bytes(&batch->params[i * batch->columns + column], letter, numbers[i], arena);
        bytes += 4 + texts[i].n;
    }
    assert(bytes <= INT32_MAX);
    char *array = arena_alloc(arena, bytes), *to = array;
    to = put_u32(put_u32(put_u32(to, 1), 1), kind_of(letter)->oid);
    to = put_u32(put_u32(to, (uint32_t)batch->rows), 1);
    for (size_t i = 0; i < batch->rows; i++) {
        bool null = batch->params[i * batch->columns + column].kind == SQL_NULL;
        to = put_u32(to, null ? UINT32_MAX : (uint32_t)texts[i].n);
        if (texts[i].n) memcpy(to, texts[i].p, texts[i].n);
        to += texts[i].n;
    }
    params->values[column] = array;
    params->lengths[column] = (int)bytes;
}

static void encode_single(const struct sql_batch *batch, size_t column, char letter, struct arena *arena,
                          struct postgres_params *params) {
    const struct sql_value *value = &batch->params[column];
    struct str bytes = value_bytes(value, letter, arena_alloc(arena, 8), arena);
    params->values[column] = value->kind == SQL_NULL ? NULL : bytes.p ? bytes.p : "";
    params->lengths[column] = (int)bytes.n;
}

void postgres_encode(const struct sql_text *statement, const struct sql_batch *batch, struct arena *arena,
                     struct postgres_params *ret_params) {
    assert(batch->columns == strlen(statement->params) && (statement->batched || batch->rows == 1));
    for (size_t i = 0; i < batch->columns; i++)
        if (statement->batched)
            encode_array(batch, i, statement->params[i], arena, ret_params);
        else
            encode_single(batch, i, statement->params[i], arena, ret_params);
}

/* ---- results ---- */

static int64_t get_i64(const char *from) {
    uint64_t big;
    memcpy(&big, from, sizeof big);
    return (int64_t)be64toh(big);
}

static struct sql_value decode_value(const PGresult *result, int row, int column, char letter, char **to) {
    const char *from = PQgetvalue(result, row, column);
    size_t length = (size_t)PQgetlength(result, row, column);
    if (PQgetisnull(result, row, column)) return (struct sql_value){.kind = SQL_NULL};
    if (letter == 'i') return sql_int(get_i64(from));
    if (letter == 'w') return sql_int(from_timestamp(get_i64(from)));
    struct sql_value value = {.kind = letter == 't' ? SQL_TEXT : SQL_BLOB, .text = {*to, length}};
    memcpy(*to, from, length);
    *to += length;
    return value;
}

/* The row's texts lie behind its values, in one piece. */
static const struct sql_value *decode_row(const PGresult *result, int row, int first, const char *letters,
                                          struct arena *arena) {
    size_t columns = strlen(letters), bytes = 0;
    for (size_t i = 0; i < columns; i++) bytes += (size_t)PQgetlength(result, row, first + (int)i);
    struct sql_value *values = arena_alloc(arena, columns * sizeof *values + bytes);
    char *to = (char *)(values + columns);
    for (size_t i = 0; i < columns; i++) values[i] = decode_value(result, row, first + (int)i, letters[i], &to);
    return values;
}

static bool columns_fit(const PGresult *result, int first, const char *letters) {
    if (PQnfields(result) != first + (int)strlen(letters)) return false;
    if (first && PQftype(result, 0) != kind_of('i')->oid) return false;
    for (int i = 0; letters[i]; i++)
        if (PQftype(result, first + i) != kind_of(letters[i])->oid) return false;
    return true;
}

enum err postgres_decode(const struct sql_text *statement, const PGresult *result, struct arena *arena,
                         struct sql_result *ret_result) {
    bool tells_changes = statement->results[0] == '+';
    const char *letters = tells_changes ? "i" : statement->results, *changed = PQcmdTuples((PGresult *)result);
    int count = PQntuples(result), first = statement->batched || tells_changes;
    struct sql_result rows = {.columns = strlen(letters)};
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        if (!columns_fit(result, first, letters)) return ERR_INTERNAL;
        rows.rows = arena_array(arena, struct sql_row, (size_t)count);
        for (int i = 0; i < count; i++)
            rows.rows[i] = (struct sql_row){first ? (size_t)get_i64(PQgetvalue(result, i, 0)) - 1 : 0,
                                            decode_row(result, i, first, letters, arena)};
        rows.count = (size_t)count;
    }
    if (tells_changes || !str_to_i64(str_from(changed), &rows.changes)) rows.changes = count;
    *ret_result = rows;
    return ERR_NONE;
}

void postgres_decode_script(const PGresult *result, struct arena *arena, struct sql_result *ret_result) {
    size_t count = (size_t)PQntuples(result), columns = (size_t)PQnfields(result);
    struct sql_result rows = {arena_array(arena, struct sql_row, count), count, columns, 0};
    for (size_t i = 0; i < count; i++) {
        struct sql_value *values = arena_array(arena, struct sql_value, columns);
        for (size_t j = 0; j < columns; j++) {
            int64_t number;
            struct str text = str_dup(arena, str_from(PQgetvalue(result, (int)i, (int)j)));
            if (PQgetisnull(result, (int)i, (int)j)) continue;
            values[j] = str_to_i64(text, &number) ? sql_int(number) : sql_str(text);
        }
        rows.rows[i] = (struct sql_row){0, values};
    }
    *ret_result = rows;
}
