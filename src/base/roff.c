#include "base/roff.h"

/* A full stop or a quote at the beginning of a line would be a request: a zero-width character comes before it. */
static void guard_line(struct buf *buf, char byte) {
    if ((!buf->n || buf->p[buf->n - 1] == '\n') && (byte == '.' || byte == '\'')) buf_add(buf, STR("\\&"));
}

static void add_byte(struct buf *buf, char byte, bool code) {
    guard_line(buf, byte);
    switch (byte) {
    case '\\':
        buf_add(buf, STR("\\e"));
        return;
    case '-':
        buf_add(buf, code ? STR("\\-") : STR("-"));
        return;
    case '\'':
        buf_add(buf, code ? STR("\\(aq") : STR("'"));
        return;
    case '^':
        buf_add(buf, STR("\\(ha"));
        return;
    case '~':
        buf_add(buf, STR("\\(ti"));
        return;
    default:
        buf_byte(buf, byte);
    }
}

void roff_code(struct buf *buf, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '`')
            buf_add(buf, STR("\\(ga"));
        else
            add_byte(buf, text.p[i], true);
    }
}

void roff_words(struct buf *buf, struct str text) {
    bool code = false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '`') {
            add_byte(buf, text.p[i], code);
            continue;
        }
        code = !code;
        buf_add(buf, code ? STR("\\fB") : STR("\\fR"));
    }
    if (code) buf_add(buf, STR("\\fR"));
}

void roff_request(struct buf *buf, const char *request, struct str argument) {
    buf_fmt(buf, "%s", request);
    if (argument.n) buf_byte(buf, ' ');
    roff_code(buf, argument);
    buf_byte(buf, '\n');
}

void roff_item(struct buf *buf, struct str code, struct str argument) {
    buf_add(buf, STR(".TP\n\\fB"));
    roff_code(buf, code);
    buf_add(buf, STR("\\fR"));
    if (argument.n) buf_add(buf, STR(" \\fI"));
    roff_code(buf, argument);
    buf_add(buf, argument.n ? STR("\\fR\n") : STR("\n"));
}
