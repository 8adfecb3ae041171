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
