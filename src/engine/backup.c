/* engine/backup.c - see backup.h. */
#include "engine/backup.h"

#include <stdio.h>

#include "engine/turn.h"

#define STEP_PAGES 64                /* 256 KiB */
#define STEP_US    (2 * US_PER_MS)   /* for copying at a time, ... */
#define PAUSE_US   (4 * US_PER_MS)   /* ... and for the line in between */
#define AGAIN_US   (100 * US_PER_MS) /* a step that could copy nothing */
#define SPARED_US  (10 * US_PER_S)   /* a copy that nobody has come for yet */

static void end(const struct turn *turn, struct str problem) {
    struct loop *loop = turn->loop;
    struct backup *backup = &loop->backup;
    copy_end(backup->copy);
    backup->copy = NULL;
    backup->next_us = WHEN_NEVER;
    backup->view.running = false;
    backup->view.finished_us = turn->wall_us;
    snprintf(backup->view.problem, sizeof backup->view.problem, "%.*s", STR_ARG(problem));
    if (problem.n)
        log_event(loop->options.log, LOG_ERROR, turn->wall_us, "backup_failed",
                  LOG_TEXT("file", str_from(backup->view.file)), LOG_TEXT("problem", problem));
    else
        log_event(loop->options.log, LOG_INFO, turn->wall_us, "backup_finished",
                  LOG_TEXT("file", str_from(backup->view.file)), LOG_NUMBER("bytes", backup->view.pages * 4096));
}

void backup_begin(const struct turn *turn) {
    struct loop *loop = turn->loop;
    struct backup *backup = &loop->backup;
    struct str file = STR(""), problem = STR_NONE, spared = STR("");
    /* Whoever asked for the last one looks for it now and then, and comes for it. */
    if (!backup->view.problem[0] && turn->wall_us - backup->view.finished_us < SPARED_US)
        spared = str_dup(turn->arena, str_from(backup->view.file));
    backup->view = (struct copy_view){.running = true, .started_us = turn->wall_us};
    enum err err = copy_begin(loop->options.store, loop->options.backups, spared, turn->wall_us, turn->arena,
                              &backup->copy, &file, &problem);
    snprintf(backup->view.file, sizeof backup->view.file, "%.*s", STR_ARG(file));
    backup->next_us = turn->now_us;
    if (!err) return;
    backup->copy = NULL;
    end(turn, problem);
}

void backup_step(const struct turn *turn) {
    struct loop *loop = turn->loop;
    struct backup *backup = &loop->backup;
    const struct clock *clock = &loop->options.clock;
    int64_t now_us = clock->now_us(clock->self), until_us = now_us + STEP_US, before = backup->view.left;
    if (!backup->copy || now_us < backup->next_us) return;
    do {
        if (copy_step(backup->copy, STEP_PAGES, &backup->view.left, &backup->view.pages)) {
            end(turn, str_from(copy_trouble(backup->copy)));
            return;
        }
        now_us = clock->now_us(clock->self);
    } while (backup->view.left && now_us < until_us);
    if (!backup->view.left)
        end(turn, STR_NONE);
    else
        backup->next_us = now_us + (backup->view.left == before ? AGAIN_US : PAUSE_US);
}

void backup_close(struct loop *loop) {
    copy_end(loop->backup.copy);
    loop->backup.copy = NULL;
}
