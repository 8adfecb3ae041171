/* observe/log.c - a line is built on the stack and leaves in one write, so
 * lines of several threads never mix. What does not fit is cut and marked. */
#include "observe/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/when.h"

#define LINE_MAX_BYTES 8192
#define TAIL_BYTES     16 /* kept free for the mark of a cut line and its end */
#define TEXT_MAX_BYTES 2048

struct log_line {
    char p[LINE_MAX_BYTES];
    size_t n;
    bool cut;
};

static const struct {
    const char *word, *colour;
} levels[] = {
    [LOG_DEBUG] = {"debug", "\033[2m"},
    [LOG_INFO] = {"info", "\033[32m"},
    [LOG_WARN] = {"warn", "\033[33m"},
    [LOG_ERROR] = {"error", "\033[31m"},
};

/* Adds all of the text or nothing of it, so that an escape is never halved. */
static void line_add(struct log_line *line, const char *text, size_t bytes) {
    if (line->cut || bytes > LINE_MAX_BYTES - TAIL_BYTES - line->n) {
        line->cut = true;
        return;
    }
    memcpy(line->p + line->n, text, bytes);
    line->n += bytes;
}

static void line_text(struct log_line *line, const char *text) {
    line_add(line, text, strlen(text));
}

static size_t step_length(struct str text, size_t at) {
    size_t length = str_utf8_length(text, at);
    /* U+0080..U+009F are control characters too: a terminal may obey them. */
    bool control = length == 2 && (uint8_t)text.p[at] == 0xc2 && (uint8_t)text.p[at + 1] < 0xa0;
    return control ? 0 : length;
}

/* One character as JSON may hold it; bytes that are no UTF-8 become \ufffd. Returns how many bytes it took. */
static size_t line_character(struct log_line *line, struct str text, size_t at) {
    uint8_t byte = (uint8_t)text.p[at];
    char escape[8];
    if (byte == '"' || byte == '\\') {
        escape[0] = '\\', escape[1] = (char)byte;
        line_add(line, escape, 2);
        return 1;
    }
    if (byte < 0x20 || byte == 0x7f) {
        snprintf(escape, sizeof escape, "\\u%04x", byte);
        line_add(line, escape, 6);
        return 1;
    }
    size_t length = step_length(text, at);
    if (length) {
        line_add(line, text.p + at, length);
        return length;
    }
    line_text(line, "\\ufffd");
    return 1;
}

static void line_quoted(struct log_line *line, struct str text) {
    struct str kept = str_sub(text, 0, TEXT_MAX_BYTES);
    line_text(line, "\"");
    for (size_t at = 0; at < kept.n;) at += line_character(line, kept, at);
    line_text(line, text.n > kept.n ? "...\"" : "\"");
}

static bool is_plain(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte = (uint8_t)text.p[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '=') return false;
    }
    return text.n > 0 && text.n <= TEXT_MAX_BYTES;
}

static void line_number(struct log_line *line, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    line_text(line, text);
}

static void build_json(struct log_line *line, enum log_level level, const char *when, const char *event,
                       const struct log_field *fields, size_t count) {
    line_text(line, "{\"time\":\"");
    line_text(line, when);
    line_text(line, "\",\"level\":\"");
    line_text(line, levels[level].word);
    line_text(line, "\",\"event\":");
    line_quoted(line, str_from(event));
    for (size_t i = 0; i < count && !line->cut; i++) {
        size_t before = line->n;
        line_text(line, ",");
        line_quoted(line, str_from(fields[i].name));
        line_text(line, ":");
        fields[i].text.p ? line_quoted(line, fields[i].text) : line_number(line, fields[i].number);
        if (line->cut) line->n = before; /* the whole field is dropped, so that the line stays JSON */
    }
    memcpy(line->p + line->n, line->cut ? ",\"cut\":1}\n" : "}\n", line->cut ? 10 : 2);
    line->n += line->cut ? 10 : 2;
}

static void build_text(struct log_line *line, const struct log *log, enum log_level level, const char *when,
                       const char *event, const struct log_field *fields, size_t count) {
    char head[64];
    snprintf(head, sizeof head, "%.19s %s%-5s%s ", when, log->colour ? levels[level].colour : "", levels[level].word,
             log->colour ? "\033[0m" : "");
    line_text(line, head);
    line_text(line, event);
    for (size_t i = 0; i < count; i++) {
        line_text(line, " ");
        line_text(line, fields[i].name);
        line_text(line, "=");
        if (!fields[i].text.p)
            line_number(line, fields[i].number);
        else if (is_plain(fields[i].text))
            line_add(line, fields[i].text.p, fields[i].text.n);
        else
            line_quoted(line, fields[i].text);
    }
    memcpy(line->p + line->n, line->cut ? " ...\n" : "\n", line->cut ? 5 : 1);
    line->n += line->cut ? 5 : 1;
}

struct log log_open(int fd, enum log_level level) {
    bool terminal = isatty(fd) == 1;
    return (struct log){.fd = fd, .json = !terminal, .colour = terminal, .level = level};
}

void log_write(const struct log *log, enum log_level level, int64_t wall_us, const char *event,
               const struct log_field *fields, size_t count) {
    assert(level <= LOG_ERROR);
    if (level < log->level) return;
    struct log_line line;
    line.n = 0, line.cut = false;
    char when[WHEN_TEXT_ROOM];
    when_format(wall_us, when);
    if (log->json)
        build_json(&line, level, when, event, fields, count);
    else
        build_text(&line, log, level, when, event, fields, count);
    /* A log that cannot be written must not stop the work; there is nobody to tell. */
    while (write(log->fd, line.p, line.n) < 0 && errno == EINTR) continue;
}
