/* base/err.c - the list of err.h as tables. */
#include "base/err.h"

#include <assert.h>

struct err_row {
    const char *code, *label, *text;
    int http;
    enum err_class class;
};

static const struct err_row rows[ERR_COUNT] = {
#define ERR_ROW(name, code, class, http, label, text) [ERR_##name] = {code, label, text, http, ERR_CLASS_##class},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *row_of(enum err err) {
    assert(err < ERR_COUNT);
    return &rows[err];
}

const char *err_code(enum err err) {
    return row_of(err)->code;
}

const char *err_label(enum err err) {
    return row_of(err)->label;
}

const char *err_text(enum err err) {
    return row_of(err)->text;
}

int err_http(enum err err) {
    return row_of(err)->http;
}

enum err_class err_class(enum err err) {
    return row_of(err)->class;
}
