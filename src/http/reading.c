/* http/reading.c - heads and bodies in two buffers. */
#include "http/reading.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define TRIM_BYTES ((size_t)8192)

void reading_reset(struct reading *reading, size_t keep_max, size_t seen_max) {
    reading->head_bytes = reading->lines = reading->heads_bytes = 0;
    reading->status = 0;
    reading->final = false;
    reading->body_bytes = reading->body_seen = 0;
    reading->keep_max = keep_max ? keep_max : EXCHANGE_ANSWER_MAX;
    reading->seen_max = seen_max;
}

static void append(char **p, size_t *n, size_t *room, struct str bytes) {
    if (bytes.n > *room - *n) {
        *room = (*n + bytes.n) * 2;
        *p = realloc(*p, *room);
        assert(*p);
    }
    if (bytes.n) memcpy(*p + *n, bytes.p, bytes.n);
    *n += bytes.n;
}

/* "HTTP/1.1 200 OK" */
static int32_t status_of(struct str line) {
    size_t blank = str_find(line, ' ');
    uint64_t status = 0;
    return blank != SIZE_MAX && str_to_u64(str_sub(line, blank + 1, 3), &status) ? (int32_t)status : 0;
}

bool reading_line(struct reading *reading, struct str line) {
    reading->heads_bytes += line.n;
    if (reading->heads_bytes > READING_HEADS_MAX) return false;
    if (reading->final) return true; /* trailers */
    struct str text = str_trim(line);
    if (!text.n) {
        reading->final = reading->status >= 200;
    } else if (str_starts(line, STR("HTTP/"))) {
        reading->status = status_of(text);
        reading->head_bytes = reading->lines = 0;
    } else if (reading->lines < READING_HEADERS_MAX && reading->head_bytes + text.n < READING_HEAD_MAX) {
        append(&reading->head, &reading->head_bytes, &reading->head_room, text);
        append(&reading->head, &reading->head_bytes, &reading->head_room, STR("\n"));
        reading->lines++;
    }
    return true;
}

bool reading_body(struct reading *reading, struct str bytes) {
    reading->body_seen += bytes.n;
    size_t room = reading->keep_max - reading->body_bytes;
    append(&reading->body, &reading->body_bytes, &reading->body_room, str_sub(bytes, 0, room));
    return reading->body_seen <= reading->seen_max;
}

bool reading_dropped(const struct reading *reading) {
    return reading->body_seen > reading->body_bytes;
}

void reading_answer(struct reading *reading, struct answer *ret_answer) {
    struct str rest = {reading->head, reading->head_bytes}, line;
    size_t count = 0;
    while (rest.n && str_next(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        if (colon == SIZE_MAX) continue;
        struct str value = str_trim(str_sub(line, colon + 1, line.n));
        reading->headers[count++] = (struct header){str_trim(str_sub(line, 0, colon)), value};
    }
    ret_answer->status = reading->status;
    ret_answer->headers = reading->headers;
    ret_answer->header_count = count;
    ret_answer->body = (struct str){reading->body, reading->body_bytes};
}

void reading_keep(struct arena *arena, struct answer *answer) {
    struct header *headers = arena_array(arena, struct header, answer->header_count);
    for (size_t i = 0; i < answer->header_count; i++)
        headers[i] = (struct header){str_dup(arena, answer->headers[i].name), str_dup(arena, answer->headers[i].value)};
    answer->headers = headers;
    answer->body = str_dup(arena, answer->body);
}

void reading_trim(struct reading *reading) {
    if (reading->head_room + reading->body_room > TRIM_BYTES) reading_free(reading);
}

void reading_free(struct reading *reading) {
    free(reading->head);
    free(reading->body);
    reading->head = reading->body = NULL;
    reading->head_room = reading->body_room = reading->head_bytes = reading->body_bytes = 0;
}
