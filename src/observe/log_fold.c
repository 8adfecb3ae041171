/* observe/log_fold.c - see log_fold.h. Sixty-four are searched one by one: only what warns comes here. */
#include "observe/log_fold.h"

#include <stdio.h>
#include <string.h>

#include "base/when.h"

/* FNV-1a, 64 bits. Two lines that meet by chance would be counted as one; nobody gains by making them meet. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < count; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return (hash ^ 0xff) * 0x100000001b3u; /* so that "a" "bc" is not "ab" "c" */
}

uint64_t log_fold_kind(enum log_level level, const char *event, const struct log_field *fields, size_t count) {
    uint64_t hash = mix(0xcbf29ce484222325u, &level, sizeof level);
    hash = mix(hash, event, strlen(event));
    for (size_t i = 0; i < count; i++) {
        if (fields[i].apart) continue;
        hash = mix(hash, fields[i].name, strlen(fields[i].name));
        hash = fields[i].text.p ? mix(hash, fields[i].text.p, fields[i].text.n)
                                : mix(hash, &fields[i].number, sizeof fields[i].number);
    }
    return hash ? hash : 1;
}

struct log_fold *log_fold_find(struct log_folds *folds, uint64_t kind) {
    for (size_t i = 0; i < folds->used; i++)
        if (folds->folds[i].kind == kind) return &folds->folds[i];
    return NULL;
}

struct log_fold *log_fold_begin(struct log_folds *folds, uint64_t kind, int64_t wall_us, int64_t span_us,
                                struct log_fold *ret_evicted) {
    ret_evicted->kind = 0;
    struct log_fold *fold = &folds->folds[0];
    if (folds->used < LOG_FOLDS_MAX) {
        fold = &folds->folds[folds->used++];
    } else {
        for (size_t i = 1; i < folds->used; i++)
            if (folds->folds[i].end_us < fold->end_us) fold = &folds->folds[i];
        *ret_evicted = *fold;
    }
    fold->kind = kind;
    fold->end_us = wall_us + span_us;
    fold->span_us = span_us;
    fold->count = fold->bytes = 0;
    return fold;
}

struct log_fold *log_fold_over(struct log_folds *folds, int64_t wall_us) {
    for (size_t i = 0; i < folds->used; i++) {
        struct log_fold *fold = &folds->folds[i];
        if (fold->end_us <= wall_us || fold->end_us - fold->span_us > wall_us) return fold;
    }
    return NULL;
}

void log_fold_end(struct log_folds *folds, struct log_fold *fold) {
    *fold = folds->folds[--folds->used];
}

int64_t log_fold_due(const struct log_folds *folds) {
    int64_t due_us = WHEN_NEVER;
    for (size_t i = 0; i < folds->used; i++)
        if (folds->folds[i].count && folds->folds[i].end_us < due_us) due_us = folds->folds[i].end_us;
    return due_us;
}
