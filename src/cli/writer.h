/* cli/writer.h - text on its way to one descriptor. A reader that went away
 * ends it quietly: what follows is dropped. Thread: one. */
#ifndef CLI_WRITER_H
#define CLI_WRITER_H

#include "base/str.h"

#define WRITER_ROOM 8192

enum weight { WEIGHT_TALK, WEIGHT_WARNING, WEIGHT_ERROR };

struct writer {
    int fd;
    size_t n;
    bool closed;        /* nobody reads any more */
    int trouble;        /* errno of a write that failed otherwise, 0 = none */
    bool journal;       /* each line begins with its priority */
    enum weight weight; /* of what is written now */
    bool within;        /* a line that is begun */
    char p[WRITER_ROOM];
};

/* Writes our own text as it is, colours too. */
void writer_add(struct writer *writer, struct str text);
/* Likewise, but for what str_safe escapes: whatever stands in it may be somebody else's. */
void writer_fmt(struct writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes somebody else's text, or JSON, so that it steers no terminal. */
void writer_safe(struct writer *writer, struct str text);
void writer_flush(struct writer *writer);

#endif
