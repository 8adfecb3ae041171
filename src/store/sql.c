/* store/sql.c - see sql.h. */
#include "store/sql.h"

#include <assert.h>
#include <string.h>

const struct sql_text *sql_text(enum sql_statement statement) {
    assert(statement < SQL_STATEMENT_COUNT);
    return &sql_texts[statement];
}

struct sql_value sql_int(int64_t number) {
    return (struct sql_value){.kind = SQL_INT, .number = number};
}

struct sql_value sql_str(struct str text) {
    return (struct sql_value){.kind = SQL_TEXT, .text = text};
}

struct sql_value sql_str_or_null(struct str text) {
    return text.n ? sql_str(text) : (struct sql_value){.kind = SQL_NULL};
}

struct sql_value sql_uuid(const struct uuid *id) {
    return (struct sql_value){.kind = SQL_BLOB, .text = {(const char *)id->b, sizeof id->b}};
}

struct sql_value sql_uuid_or_null(const struct uuid *id) {
    if (uuid_is_zero(*id)) return (struct sql_value){.kind = SQL_NULL};
    return sql_uuid(id);
}

struct uuid sql_to_uuid(const struct sql_value *value) {
    struct uuid id = {0};
    if (value->text.n == sizeof id.b) memcpy(id.b, value->text.p, sizeof id.b);
    return id;
}

int32_t sql_to_i32(const struct sql_value *value) {
    if (value->number > INT32_MAX) return INT32_MAX;
    return value->number < INT32_MIN ? INT32_MIN : (int32_t)value->number;
}
