/* http/lines.h - the client's open connections, by their two ends.
 *
 * The library does not say which socket a request is about to use, only the
 * addresses and ports of its ends. The socket is needed to see whether bytes
 * wait on a kept connection before anything was asked: the library would take
 * them for the answer. Thread: the client's.
 */
#ifndef HTTP_LINES_H
#define HTTP_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct line_ends {
    const char *address, *own_address;
    int port, own_port;
};

struct line;
struct lines {
    struct line *all;
    size_t count, room;
};

void lines_opened(struct lines *lines, int fd);
void lines_closed(struct lines *lines, int fd); /* fine for one that was not opened here */
/* The socket with these ends, or -1. */
int lines_find(struct lines *lines, const struct line_ends *ends);
void lines_free(struct lines *lines);

/* Nothing is there to be read, not even an end. */
bool line_is_quiet(int fd);

#endif
