/* observe/log.h - one line per thing that happened, to stderr: logfmt on a terminal, else JSON, unless it is told
 * which.
 *
 * What a terminal would obey or hide is escaped (str_is_hidden); secrets, payloads and what providers answered are
 * never given to it. Warnings and errors that say the same again are folded: the first is written, those that follow
 * within a span are counted, and the last of them is written with their number when the span is over. Where stderr is
 * the journal, a line begins with its priority as sd-daemon(3) has it and carries no time, which the journal keeps
 * itself. Only composition rooms log. Thread: the loop's.
 */
#ifndef OBSERVE_LOG_H
#define OBSERVE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_LOGFMT, LOG_JSON };
#define LOG_LEVELS  "debug|info|warn|error" /* in the order of the enums */
#define LOG_FORMATS "auto|logfmt|json"

struct log_folds;
struct log {
    int fd; /* -1 = it is not written */
    enum log_level level;
    bool json, colour, journal;
    int64_t fold_us;         /* what is the same within this span is folded; 0 = nothing is */
    struct log_folds *folds; /* and the lines that nobody took; NULL before log_set */
};

struct log_field {
    const char *name;
    struct str text; /* used when text.p is not NULL */
    int64_t number;
    bool apart; /* two lines that differ in it may be the same line */
};
/* LOG_TEXT and LOG_CODE tell lines apart; LOG_ABOUT (whom one line is about) and LOG_NUMBER (a count) do not. */
#define LOG_TEXT(name, value)   ((struct log_field){(name), (value).p ? (value) : STR(""), 0, false})
#define LOG_ABOUT(name, value)  ((struct log_field){(name), (value).p ? (value) : STR(""), 0, true})
#define LOG_CODE(name, value)   ((struct log_field){(name), STR_NONE, (value), false})
#define LOG_NUMBER(name, value) ((struct log_field){(name), STR_NONE, (value), true})

/* sd-daemon(3): whether the journal is at the other end: journal, what JOURNAL_STREAM says or NULL, names the device
 * and inode of the stream. */
bool log_is_journal(int fd, const char *journal);
const char *log_priority(enum log_level level); /* "<3>" */

/* journal: as above. Nothing is folded before log_set. */
struct log log_open(int fd, enum log_level level, const char *journal);
/* From now on; the format AUTO is what the log's end asks for. A colour is only for a terminal. */
void log_set(struct log *log, enum log_level level, enum log_format format, int64_t fold_us);
/* Writes what is folded and not yet said. The log can be used after it, and folds nothing. */
void log_close(struct log *log, int64_t wall_us);

static inline bool log_wants(const struct log *log, enum log_level level) {
    return level >= log->level && log->fd >= 0;
}
/* event is a stable word ("delivery_failed"), then fields, of which empty texts are left out; wall_us is the caller's.
 */
void log_write(const struct log *log, enum log_level level, int64_t wall_us, const char *event,
               const struct log_field *fields, size_t count);
#define log_event(log, level, wall_us, event, ...)                                                                     \
    log_write((log), (level), (wall_us), (event), (const struct log_field[]){__VA_ARGS__},                             \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* For a line that tells that a state began or ended: it is never folded, or the beginning would stand after the end. */
void log_write_change(const struct log *log, enum log_level level, int64_t wall_us, const char *event,
                      const struct log_field *fields, size_t count);
#define log_change(log, level, wall_us, event, ...)                                                                    \
    log_write_change((log), (level), (wall_us), (event), (const struct log_field[]){__VA_ARGS__},                      \
                     sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Writes what was folded in spans that are over by now; the caller asks now and then, and at log_due at the latest. */
void log_tick(const struct log *log, int64_t wall_us);
int64_t log_due(const struct log *log); /* wall time; WHEN_NEVER where nothing is folded */

#endif
