#include "cli/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

/* Bytes of the control character at this place, 0 when it is none: C0, DEL, C1, or a byte that is no UTF-8. */
static size_t control_length(struct str text, size_t at) {
    uint8_t byte = (uint8_t)text.p[at];
    size_t length = str_utf8_length(text, at);
    if (byte < 0x20 || byte == 0x7f || length == 0) return 1;
    return length == 2 && byte == 0xc2 && (uint8_t)text.p[at + 1] < 0xa0 ? 2 : 0;
}

void writer_flush(struct writer *writer) {
    size_t done = 0;
    while (done < writer->n && !writer->closed && !writer->trouble) {
        ssize_t n = write(writer->fd, writer->p + done, writer->n - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EPIPE)
            writer->closed = true;
        else if (n < 0 && errno != EINTR)
            writer->trouble = errno;
    }
    writer->n = 0;
}

void writer_add(struct writer *writer, struct str text) {
    while (text.n) {
        size_t part = WRITER_ROOM - writer->n < text.n ? WRITER_ROOM - writer->n : text.n;
        memcpy(writer->p + writer->n, text.p, part);
        writer->n += part;
        text = str_sub(text, part, text.n);
        if (writer->n == WRITER_ROOM) writer_flush(writer);
    }
}

void writer_fmt(struct writer *writer, const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    assert(length >= 0);
    writer_add(writer, (struct str){text, (size_t)length});
    free(text);
}

struct str text_safe(struct arena *arena, struct str text, bool one_line) {
    struct buf safe = {.arena = arena};
    for (size_t at = 0; at < text.n;) {
        size_t control = control_length(text, at), length = control ? control : str_utf8_length(text, at);
        bool blank = text.p[at] == '\n' || text.p[at] == '\t';
        if (!control || (blank && !one_line))
            buf_add(&safe, str_sub(text, at, length));
        else
            buf_byte(&safe, blank || text.p[at] == '\r' ? ' ' : '?');
        at += length;
    }
    return buf_str(&safe);
}

void writer_safe(struct writer *writer, struct str text) {
    struct arena arena = ARENA_EMPTY;
    writer_add(writer, text_safe(&arena, text, false));
    arena_free(&arena);
}
