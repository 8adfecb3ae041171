/* bench/message.h - where an HTTP/1.1 message with a Content-Length ends. For
 * programs that talk to drumbeat alone, which sends no other kind. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* The length of the first whole message, or 0; *ret_first is its first line, *ret_body its body. */
static inline size_t message_length(struct str bytes, struct str *ret_first, struct str *ret_body) {
    const char *end = memmem(bytes.p, bytes.n, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - bytes.p) + 4, body = 0;
    struct str rest = {bytes.p, head}, line, first = STR_NONE;
    while (str_next(&rest, '\n', &line)) {
        if (!first.p) first = line;
        if (str_eq_nocase(str_sub(line, 0, 15), STR("content-length:"))) body = (size_t)strtoul(line.p + 15, NULL, 10);
    }
    if (bytes.n < head + body) return 0;
    *ret_first = first;
    *ret_body = (struct str){bytes.p + head, body};
    return head + body;
}

#endif
