/* connect/headers.c - see headers.h. */
#include "connect/headers.h"

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

void headers_put(struct outgoing *outgoing, struct str name, struct str value) {
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (!str_eq_nocase(outgoing->headers[i].name, name)) continue;
        outgoing->headers[i].value = value;
        return;
    }
    outgoing_header(outgoing, name, value);
}
