/* observe/log.c - a line is built on the stack and leaves in one write. What does not fit is cut and marked.
 *
 * WHAT. Lines for people and for the programs that read them, and the folding of those that say the same again.
 * PROMISE. A line that warns is written, or counted in one that is written: within fold_us, when another kind of line
 * needs its place, or when the log is closed. Memory is bounded whatever comes. No line can be forged by what is in a
 * field.
 * WHY IT HOLDS.
 * 1. Only warnings and errors are folded, and of these only what a caller said is the same (LOG_TEXT, LOG_CODE).
 * 2. The first line of a span is written at once. What follows is kept as the fields of the last one and a count; a
 *    span with a count goes on as the next span when it is over, so that trouble that lasts is one line a span.
 * 3. A full table gives up the span that ends soonest, and says what it had.
 * 4. A clock that goes back ends each span that it makes lie in the future.
 * 5. Nothing is written that would wait for a reader; such lines are counted, and told by `log_lost` once one is taken.
 * WHAT BREAKS IT. A field that differs in each line of a storm and is no LOG_ABOUT: then each line is its own.
 * HOW TO SEE IT. `repeated` in a line.
 * TESTED BY. test/unit/observe/test_log.c, test/e2e/test_log_lines.py.
 */
#include "observe/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/when.h"
#include "observe/log_fold.h"

#define LINE_MAX_BYTES 8192
#define TAIL_BYTES     16 /* kept free for the mark of a cut line and its end */
#define TEXT_MAX_BYTES 2048

struct log_line {
    char p[LINE_MAX_BYTES];
    size_t n, most;
    bool json, cut;
};

/* priority: of syslog, as the journal reads it at the beginning of a line. */
static const struct {
    const char *word, *colour, *priority;
} levels[] = {
    [LOG_DEBUG] = {"debug", "\033[2m", "<7>"},
    [LOG_INFO] = {"info", "\033[32m", "<6>"},
    [LOG_WARN] = {"warn", "\033[33m", "<4>"},
    [LOG_ERROR] = {"error", "\033[31m", "<3>"},
};

/* Adds all of the text or nothing of it, so that an escape is never halved. */
static void line_add(struct log_line *line, const char *text, size_t bytes) {
    if (line->cut || bytes > line->most - line->n) {
        line->cut = true;
        return;
    }
    memcpy(line->p + line->n, text, bytes);
    line->n += bytes;
}

static void line_text(struct log_line *line, const char *text) {
    line_add(line, text, strlen(text));
}

/* One character as JSON may hold it; bytes that are no UTF-8 become \ufffd. Returns how many bytes it took. */
static size_t line_character(struct log_line *line, struct str text, size_t at) {
    char escape[ESCAPE_ROOM];
    size_t length = str_utf8_length(text, at);
    if (!length) {
        line_text(line, "\\ufffd");
        return 1;
    }
    if (str_is_hidden(text, at, length)) {
        line_add(line, escape, str_escape(str_point(text, at, length), escape));
        return length;
    }
    if (text.p[at] == '"' || text.p[at] == '\\') line_text(line, "\\");
    line_add(line, text.p + at, length);
    return length;
}

static void line_quoted(struct log_line *line, struct str text) {
    struct str kept = str_head(text, TEXT_MAX_BYTES);
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

static void line_field(struct log_line *line, const struct log_field *field) {
    size_t before = line->n;
    line_text(line, line->json ? "," : " ");
    if (line->json)
        line_quoted(line, str_from(field->name));
    else
        line_text(line, field->name);
    line_text(line, line->json ? ":" : "=");
    if (!field->text.p)
        line_number(line, field->number);
    else if (!line->json && is_plain(field->text))
        line_add(line, field->text.p, field->text.n);
    else
        line_quoted(line, field->text);
    if (line->cut) line->n = before; /* the whole field is dropped, so that the line stays what it is */
}

static void line_fields(struct log_line *line, const struct log_field *fields, size_t count) {
    for (size_t i = 0; i < count && !line->cut; i++)
        if (!fields[i].text.p || fields[i].text.n) line_field(line, &fields[i]);
}

/* "time" comes first, and not where the journal has it anyway. */
static void line_begin(struct log_line *line, const struct log *log, enum log_level level, int64_t wall_us,
                       const char *event) {
    char when[WHEN_TEXT_ROOM], head[128];
    when_format(wall_us, when);
    line->n = 0, line->most = LINE_MAX_BYTES - TAIL_BYTES, line->cut = false, line->json = log->json;
    if (log->journal) line_text(line, levels[level].priority);
    if (log->json) {
        line_text(line, log->journal ? "{\"level\":\"" : "{\"time\":\"");
        if (!log->journal) line_text(line, when), line_text(line, "\",\"level\":\"");
        line_text(line, levels[level].word);
        line_text(line, "\",\"event\":");
        line_quoted(line, str_from(event));
        return;
    }
    if (!log->journal) snprintf(head, sizeof head, "time=%.19sZ ", when), line_text(line, head);
    snprintf(head, sizeof head, "level=%s%s%s event=", log->colour ? levels[level].colour : "", levels[level].word,
             log->colour ? "\033[0m" : "");
    line_text(line, head);
    line_text(line, event);
}

/* Whether a write of PIPE_BUF bytes would not wait. A log that nobody reads must not stop the work: a pipe whose reader
 * sleeps, a terminal that is stopped. */
static bool is_taken(int fd) {
    struct pollfd end = {.fd = fd, .events = POLLOUT};
    return poll(&end, 1, 0) == 1;
}

/* Writes as much as is taken, and gives how much that was. Other troubles of the log have nobody who could be told. */
static size_t write_taken(int fd, const char *bytes, size_t count) {
    size_t written = 0;
    while (written < count && is_taken(fd)) {
        ssize_t n = write(fd, bytes + written, count - written < PIPE_BUF ? count - written : PIPE_BUF);
        if (n < 0 && errno != EINTR) return errno == EAGAIN ? written : count;
        if (n > 0) written += (size_t)n;
    }
    return written;
}

static void line_end(struct log_line *line) {
    const char *end = !line->cut ? "" : line->json ? ",\"cut\":1" : " cut=1";
    line->most = LINE_MAX_BYTES, line->cut = false;
    line_text(line, end);
    line_text(line, line->json ? "}\n" : "\n");
}

/* A line that is not taken is counted, and the number is told by the next one that is. */
static void line_leave(struct log_line *line, const struct log *log, int64_t wall_us) {
    struct log_folds *folds = log->folds;
    line_end(line);
    if (folds && folds->torn && write_taken(log->fd, "\n", 1)) folds->torn = false;
    if (folds && folds->lost && is_taken(log->fd)) {
        struct log_line lost;
        line_begin(&lost, log, LOG_WARN, wall_us, "log_lost");
        line_field(&lost, &LOG_NUMBER("lines", folds->lost));
        line_end(&lost);
        if (write_taken(log->fd, lost.p, lost.n) == lost.n) folds->lost = 0;
    }
    size_t written = folds && (folds->lost || folds->torn) ? 0 : write_taken(log->fd, line->p, line->n);
    if (!folds || written == line->n) return;
    folds->lost++;
    folds->torn |= written > 0;
}

/* ---- folding ---- */

static void keep(struct log_fold *fold, const struct log *log, enum log_level level, const char *event,
                 const struct log_field *fields, size_t count) {
    struct log_line line;
    line.n = 0, line.most = sizeof fold->fields, line.cut = false, line.json = log->json;
    line_fields(&line, fields, count);
    memcpy(fold->fields, line.p, line.n);
    fold->bytes = line.n;
    fold->json = log->json;
    fold->level = level;
    snprintf(fold->event, sizeof fold->event, "%s", event);
}

/* The last of the lines that were folded, with their number. */
static void say(const struct log *log, const struct log_fold *fold, int64_t wall_us) {
    struct log_line line;
    if (!fold->kind || !fold->count) return;
    line_begin(&line, log, fold->level, wall_us, fold->event);
    if (fold->json == log->json) line_add(&line, fold->fields, fold->bytes); /* else it changed its format meanwhile */
    line_field(&line, &LOG_NUMBER("repeated", (int64_t)fold->count));
    line_leave(&line, log, wall_us);
}

/* Whether the line need not be written: it was said within the span. */
static bool folded(const struct log *log, enum log_level level, int64_t wall_us, const char *event,
                   const struct log_field *fields, size_t count) {
    struct log_fold evicted;
    if (!log->folds || !log->fold_us || level < LOG_WARN) return false;
    log_tick(log, wall_us);
    uint64_t kind = log_fold_kind(level, event, fields, count);
    struct log_fold *fold = log_fold_find(log->folds, kind);
    if (fold) {
        fold->count++;
        keep(fold, log, level, event, fields, count);
        return true;
    }
    (void)log_fold_begin(log->folds, kind, wall_us, log->fold_us, &evicted);
    say(log, &evicted, wall_us);
    return false;
}

void log_tick(const struct log *log, int64_t wall_us) {
    struct log_fold *fold;
    while (log->folds && (fold = log_fold_over(log->folds, wall_us))) {
        say(log, fold, wall_us);
        if (!fold->count || !log->fold_us) {
            log_fold_end(log->folds, fold);
            continue;
        }
        fold->count = 0; /* it lasts: the next span begins */
        fold->span_us = log->fold_us;
        fold->end_us = wall_us + fold->span_us;
    }
}

int64_t log_due(const struct log *log) {
    return log->folds ? log_fold_due(log->folds) : WHEN_NEVER;
}

/* ---- doors ---- */

bool log_is_journal(int fd, const char *journal) {
    struct stat stream;
    char own[64];
    if (!journal || fstat(fd, &stream) != 0) return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)stream.st_dev, (uintmax_t)stream.st_ino);
    return strcmp(own, journal) == 0;
}

const char *log_priority(enum log_level level) {
    return levels[level].priority;
}

struct log log_open(int fd, enum log_level level, const char *journal) {
    bool terminal = isatty(fd) == 1;
    return (struct log){
        .fd = fd, .json = !terminal, .colour = terminal, .journal = log_is_journal(fd, journal), .level = level};
}

void log_set(struct log *log, enum log_level level, enum log_format format, int64_t fold_us) {
    log->level = level;
    log->json = format == LOG_AUTO ? isatty(log->fd) != 1 : format == LOG_JSON;
    log->fold_us = fold_us;
    if (!log->folds) log->folds = calloc(1, sizeof *log->folds);
}

void log_close(struct log *log, int64_t wall_us) {
    for (size_t i = 0; log->folds && i < log->folds->used; i++) say(log, &log->folds->folds[i], wall_us);
    free(log->folds);
    log->folds = NULL;
}

void log_write_change(const struct log *log, enum log_level level, int64_t wall_us, const char *event,
                      const struct log_field *fields, size_t count) {
    struct log_line line;
    assert(level <= LOG_ERROR);
    if (!log_wants(log, level)) return;
    line_begin(&line, log, level, wall_us, event);
    line_fields(&line, fields, count);
    line_leave(&line, log, wall_us);
}

void log_write(const struct log *log, enum log_level level, int64_t wall_us, const char *event,
               const struct log_field *fields, size_t count) {
    if (log_wants(log, level) && !folded(log, level, wall_us, event, fields, count))
        log_write_change(log, level, wall_us, event, fields, count);
}
