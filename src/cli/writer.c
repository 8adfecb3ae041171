#include "cli/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "observe/log.h"

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

static const enum log_level levels[] = {
    [WEIGHT_TALK] = LOG_INFO, [WEIGHT_WARNING] = LOG_WARN, [WEIGHT_ERROR] = LOG_ERROR};

static void put(struct writer *writer, struct str text) {
    while (text.n) {
        size_t part = WRITER_ROOM - writer->n < text.n ? WRITER_ROOM - writer->n : text.n;
        memcpy(writer->p + writer->n, text.p, part);
        writer->n += part;
        text = str_sub(text, part, text.n);
        if (writer->n == WRITER_ROOM) writer_flush(writer);
    }
}

void writer_add(struct writer *writer, struct str text) {
    while (writer->journal && text.n) {
        size_t end = str_find(text, '\n'), length = end == SIZE_MAX ? text.n : end + 1;
        if (!writer->within) put(writer, str_from(log_priority(levels[writer->weight])));
        put(writer, str_sub(text, 0, length));
        writer->within = end == SIZE_MAX;
        text = str_sub(text, length, text.n);
    }
    put(writer, text);
}

void writer_fmt(struct writer *writer, const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    assert(length >= 0);
    writer_safe(writer, (struct str){text, (size_t)length});
    free(text);
}

void writer_safe(struct writer *writer, struct str text) {
    struct arena arena = ARENA_EMPTY;
    writer_add(writer, str_safe(&arena, text, false));
    arena_free(&arena);
}
