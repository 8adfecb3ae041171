/* model/exchange.c - see exchange.h. */
#include "model/exchange.h"

#include <assert.h>

static const char *const end_texts[EXCHANGE_COUNT] = {
#define EXCHANGE_TEXT(name, text) text,
    EXCHANGE_LIST(EXCHANGE_TEXT)
#undef EXCHANGE_TEXT
};

const char *exchange_text(enum exchange_end end) {
    return end_texts[end];
}

struct str answer_header(const struct answer *answer, struct str name) {
    for (size_t i = 0; i < answer->header_count; i++)
        if (str_eq_nocase(answer->headers[i].name, name)) return answer->headers[i].value;
    return STR_NONE;
}

void outgoing_header(struct outgoing *outgoing, struct str name, struct str value) {
    assert(outgoing->header_count < EXCHANGE_HEADERS_MAX);
    outgoing->headers[outgoing->header_count++] = (struct header){name, value};
}

void outgoing_put(struct outgoing *outgoing, struct str name, struct str value) {
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (!str_eq_nocase(outgoing->headers[i].name, name)) continue;
        outgoing->headers[i].value = value;
        return;
    }
    outgoing_header(outgoing, name, value);
}

static bool is_token(char c) {
    static const struct str marks = {"!#$%&'*+-.^_`|~", 15};
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || str_find(marks, c) != SIZE_MAX;
}

bool header_name_valid(struct str name) {
    for (size_t i = 0; i < name.n; i++)
        if (!is_token(name.p[i])) return false;
    return name.n > 0;
}

bool header_value_valid(struct str value) {
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f) return false;
    return true;
}

/* ---- outcomes ---- */

static const char *const class_texts[OUTCOME_COUNT] = {
#define OUTCOME_TEXT(name, text) text,
    OUTCOME_LIST(OUTCOME_TEXT)
#undef OUTCOME_TEXT
};

const char *outcome_text(enum outcome_class class) {
    return class_texts[class];
}
