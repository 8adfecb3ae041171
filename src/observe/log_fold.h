/* observe/log_fold.h - lines that were seen within a span, and how often again. Private to the log; a pure table, and
 * bounded: LOG_FOLDS_MAX lines, LOG_FOLD_BYTES of each. */
#ifndef OBSERVE_LOG_FOLD_H
#define OBSERVE_LOG_FOLD_H

#include "observe/log.h"

#define LOG_FOLDS_MAX  64
#define LOG_FOLD_BYTES 1024

struct log_fold {
    uint64_t kind;  /* 0 = free */
    int64_t end_us; /* the span is over then, by wall time */
    int64_t span_us;
    uint64_t count; /* lines that were not written in it */
    enum log_level level;
    bool json;                   /* how `fields` are written */
    char event[64];              /* cut */
    char fields[LOG_FOLD_BYTES]; /* of the last line, as they stand in a line; those that did not fit are left out */
    size_t bytes;
};
struct log_folds {
    struct log_fold folds[LOG_FOLDS_MAX];
    size_t used;
    int64_t lost; /* lines that nobody took */
    bool torn;    /* the last one that was taken has no end */
};

/* What makes two lines the same: the level, the event, and the fields that tell lines apart. Never 0. */
uint64_t log_fold_kind(enum log_level level, const char *event, const struct log_field *fields, size_t count);
/* The line's fold; NULL where it is the first of its span. Those that are over must have been taken out before. */
struct log_fold *log_fold_find(struct log_folds *folds, uint64_t kind);
/* Begins a span. All folds are in use: *ret_evicted is the one that ends soonest, which makes way. */
struct log_fold *log_fold_begin(struct log_folds *folds, uint64_t kind, int64_t wall_us, int64_t span_us,
                                struct log_fold *ret_evicted);
/* The next fold whose span is over, or that lies further ahead than a span (the clock went back); NULL = none. */
struct log_fold *log_fold_over(struct log_folds *folds, int64_t wall_us);
void log_fold_end(struct log_folds *folds, struct log_fold *fold);
int64_t log_fold_due(const struct log_folds *folds); /* the end of the first span in which something is unsaid */

#endif
