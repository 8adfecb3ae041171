/* observe/log.h - one line per thing that happened, to stderr: JSON when it is
 * no terminal, else short text. Control bytes are escaped, secrets are never
 * given to it. Only composition rooms log. Thread: any (one write per line). */
#ifndef OBSERVE_LOG_H
#define OBSERVE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
    int fd;
    bool json, colour;
    enum log_level level;
};
struct log_field {
    const char *name;
    struct str text; /* used when text.p is not NULL */
    int64_t number;
};
#define LOG_TEXT(name, value)   ((struct log_field){(name), (value).p ? (value) : STR(""), 0})
#define LOG_NUMBER(name, value) ((struct log_field){(name), STR_NONE, (value)})

struct log log_open(int fd, enum log_level level);
/* event is a stable word ("delivery_failed"), then fields; wall_us is the caller's. */
void log_write(const struct log *log, enum log_level level, int64_t wall_us, const char *event,
               const struct log_field *fields, size_t count);
#define log_event(log, level, wall_us, event, ...)                                                                     \
    log_write((log), (level), (wall_us), (event), (const struct log_field[]){__VA_ARGS__},                             \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
