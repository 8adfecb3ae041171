/* engine/folders.c - folders of Markdown files make events.
 *
 * WHAT. A chore: looks at the files of each folder every LOOK_US, reads those that are new or changed, and appends the
 * event of each whose time has come.
 * PROMISE. A file is published once, at its publish_at, as it stands at that moment. What is wrong with a file is that
 * file's own trouble. A file that is being written is not read by halves. A folder costs a turn one step, and an idle
 * server one look at its stamps every LOOK_US.
 * WHY IT HOLDS.
 * 1. Nothing is stored before a file is due. Until then memory knows its time alone, and the text is read at that
 *    moment, so that whoever edits it before needs no way to change an event.
 * 2. The event's key is the source's name and the file's, and the store takes a key once. After a restart the files
 *    whose time has just been are appended again and found to be there.
 * 3. Keys are known for keep.events. A file whose time lies back by more than `late`, which is never longer, is not
 *    published: whether it was, the store may not know any more.
 * 4. A file is read when two looks in a row found the same stamp, and its text counts only if it has that stamp still.
 * 5. A state that follows from an append is set when the turn has committed (POSTING until then). After a turn that did
 *    not, the file is read again.
 * 6. When the store meets a folder, it notes the moment. Old files that were there by then are passed over without a
 *    word; one that comes later and is too old is told, and the mark then says how far that was.
 * 7. A step looks at LOOK_STEP stamps and reads READ_STEP files of server.max_event at most.
 * WHAT BREAKS IT. A disk that hangs (a share of the network that is away) holds up the loop. A program that writes a
 * file in place, pauses for longer than two looks and goes on: the first part may be published if it is due.
 * HOW TO SEE IT. `drumbeat sources show NAME`; drumbeat_source_requests_total; the log's post_* and folder_* lines.
 * TESTED BY. test/unit/engine/test_folders.c; the scenarios folder*; test/e2e/test_folders.py.
 */
#include "engine/folders.h"
#include "engine/loop_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/post.h"
#include "schedule/schedules.h"
#include "store/query.h"
#include "store/shared.h"

#define LOOK_US   (2 * US_PER_S)
#define AGAIN_US  US_PER_S /* while there is no room for events, or another process is at it */
#define LOOK_STEP ((size_t)64)
#define READ_STEP 4
#define ROUND_END SIZE_MAX
#define GONE_MAX  ((size_t)16)
#define TOLD_MAX  20 /* lines of the log for one round of one folder */

struct folder {
    const struct folder_entry *entry;
    struct arena arena; /* of the list: names and problems */
    size_t arena_bytes; /* as the list was made */
    struct folder_file *files;
    size_t count, posting;
    struct file_stamp stamp;
    struct str problem;
    bool more;
    size_t at; /* of the round; ROUND_END = none is under way */
    int64_t look_us;
    int told;
    /* As its mark in the store has it: files that came until first_us were there when the store met the folder; missed
     * ones that came until told_us were told before this process began, until newest_us by now. marked: the store has
     * the mark for certain. */
    int64_t first_us, told_us, newest_us;
    bool marked;
    struct gone {
        char name[256];
        struct file_stamp stamp;
    } gone[GONE_MAX]; /* published files whose names went away, a ring */
    size_t gone_next;
};
struct folders {
    size_t count;
    struct folder *list;
    struct folder_view *views;
};
struct posted {
    struct posted *next;
    struct folder *folder;
    struct folder_file *file;
    struct file_stamp stamp;
    enum file_state state;
    char fingerprint[65];
};

void folders_open(struct loop *loop) {
    const struct schedules *schedules = loop->in_force.schedules;
    folders_close(loop);
    struct folders *folders = calloc(1, sizeof *folders);
    assert(folders);
    folders->list = calloc(schedules->folder_count + 1, sizeof *folders->list);
    folders->views = calloc(schedules->folder_count + 1, sizeof *folders->views);
    assert(folders->list && folders->views);
    for (size_t i = 0; i < schedules->folder_count; i++)
        folders->list[folders->count++] = (struct folder){.entry = &schedules->folders[i], .at = ROUND_END};
    loop->folders = folders;
}

void folders_close(struct loop *loop) {
    if (!loop->folders) return;
    for (size_t i = 0; i < loop->folders->count; i++) arena_free(&loop->folders->list[i].arena);
    free(loop->folders->list);
    free(loop->folders->views);
    free(loop->folders);
    loop->folders = NULL;
}

const struct folder_view *folders_view(const struct loop *loop, size_t *ret_count) {
    const struct folders *folders = loop->folders;
    for (size_t i = 0; i < folders->count; i++) {
        const struct folder *folder = &folders->list[i];
        folders->views[i] = (struct folder_view){.source = folder->entry->source->name,
                                                 .path = folder->entry->source->folder.path,
                                                 .problem = folder->problem,
                                                 .more = folder->more,
                                                 .files = folder->files,
                                                 .count = folder->count};
    }
    *ret_count = folders->count;
    return folders->views;
}

/* ---- what is said ---- */

static void tell(struct turn *turn, struct folder *folder, const char *event, struct str file, struct str why) {
    if (folder->told++ >= TOLD_MAX) return;
    log_event(turn->loop->options.log, LOG_WARN, turn->wall_us, event, LOG_TEXT("source", folder->entry->source->name),
              LOG_TEXT("file", file), LOG_TEXT("why", why));
}

static void break_file(struct turn *turn, struct folder *folder, struct folder_file *file, struct str problem) {
    if (file->state == FILE_BROKEN && str_eq(file->problem, problem)) return;
    file->state = FILE_BROKEN;
    file->problem = str_dup(&folder->arena, problem);
    metrics_source(turn->loop->metrics, folder->entry->source->name, SOURCE_INVALID, 1);
    tell(turn, folder, "post_broken", file->name, problem);
}

/* ---- the mark ---- */

static struct mark mark_of(const struct folder *folder, int64_t told_us) {
    const struct source_settings *source = folder->entry->source;
    return (struct mark){source->name, folder->first_us, source->folder.path, told_us};
}

/* Reads the mark, or makes it where the store never met this folder. One that a turn lost is made again. */
static enum err meet_folder(struct turn *turn, struct folder *folder) {
    struct store *store = turn->loop->options.store;
    struct mark mark;
    bool found;
    if (folder->marked) return ERR_NONE;
    TRY(store_mark(store, folder->entry->source->name, turn->arena, &mark, &found));
    folder->marked = found && str_eq(mark.said, folder->entry->source->folder.path);
    if (folder->marked) {
        folder->first_us = mark.position;
        folder->told_us = folder->newest_us = mark.at_us;
        return ERR_NONE;
    }
    if (!folder->first_us) folder->first_us = folder->told_us = folder->newest_us = turn->wall_us;
    mark = mark_of(folder, folder->told_us);
    return store_set_mark(store, &mark);
}

/* ---- a file ---- */

static struct str first_error(const struct findings *findings, struct arena *arena) {
    const struct finding *at = findings->first;
    while (at && at->warning) at = at->next;
    if (!at) return STR("its front matter is not YAML");
    return str_fmt(arena, "line %u, column %u: %.*s", at->mark.line + 1, at->mark.column, STR_ARG(at->text));
}

/* From its text to what is to be published of it; false: it was found to be broken. */
static bool parse(struct turn *turn, struct folder *folder, struct folder_file *file, struct str text,
                  struct post *ret_post) {
    struct findings findings = {.arena = turn->arena};
    struct str front, body, problem;
    const struct tree *tree = NULL;
    bool good = post_split(text, &front, &body, &problem);
    if (good && front.n) {
        tree = turn->loop->options.parse(turn->arena, file->name, front, &findings);
        good = tree && !findings.errors;
        if (!good) problem = first_error(&findings, turn->arena);
    }
    if (good) good = post_read(file->name, tree, body, folder->entry->zone, turn->arena, ret_post, &problem);
    if (!good) break_file(turn, folder, file, problem);
    return good;
}

/* The name under which this file was published before it was renamed, as far as this process saw it; "" = none. */
static struct str name_before(const struct folder *folder, const struct folder_file *file) {
    for (size_t i = 0; i < GONE_MAX; i++)
        if (folder->gone[i].name[0] && file_stamp_eq(folder->gone[i].stamp, file->seen))
            return str_from(folder->gone[i].name);
    return STR("");
}

static enum err append(struct turn *turn, struct folder *folder, struct folder_file *file, const struct event *event) {
    struct append_result verdict;
    struct str was = name_before(folder, file);
    if (was.n)
        tell(turn, folder, "post_renamed", file->name,
             str_fmt(turn->arena, "it was published as '%.*s', and is published again under its new name",
                     STR_ARG(was)));
    TRY(made_append(turn, folder->entry->source->name, event, 1, &verdict));
    struct posted *posted = arena_new(turn->arena, struct posted);
    *posted = (struct posted){.next = turn->chores.posted,
                              .folder = folder,
                              .file = file,
                              .stamp = file->seen,
                              .state = verdict.verdict == APPEND_CONFLICT ? FILE_EDITED : FILE_PUBLISHED};
    memcpy(posted->fingerprint, event->fingerprint.p, 64);
    turn->chores.posted = posted;
    file->state = FILE_POSTING;
    folder->posting++;
    return ERR_NONE;
}

/* A file that is published already says once that its new text is not. */
static void meet_published(struct turn *turn, struct folder *folder, struct folder_file *file,
                           const struct event *event) {
    bool same = str_eq(event->fingerprint, str_from(file->fingerprint));
    if (!same && file->state != FILE_EDITED)
        tell(turn, folder, "post_edited_after", file->name,
             STR("it was published before, and what it says now is not: name a new file to publish it"));
    file->state = same ? FILE_PUBLISHED : FILE_EDITED;
}

/* Whether a file whose time is over was never published. What the store knows was; what it would know and does not was
 * not, nor was what came when it was too late. Of what is older than that nobody knows, and nothing is said. */
static enum err was_missed(struct turn *turn, const struct folder *folder, const struct folder_file *file,
                           const struct event *event, bool *ret_missed) {
    const struct event_query query = {.status = -1, .key = event->key, .limit = 1};
    int64_t keep_us = turn->loop->in_force.settings->keep_events_us, came_us = file->seen.came_us;
    struct event *events;
    size_t count;
    *ret_missed = false;
    if (came_us <= folder->first_us) return ERR_NONE;
    TRY(store_event_list(turn->loop->options.store, &query, turn->arena, &events, &count));
    bool came_late = came_us - file->due_us > folder->entry->source->folder.late_us;
    *ret_missed = !count && (came_late || !keep_us || turn->wall_us - file->due_us < keep_us);
    return ERR_NONE;
}

/* The time of a file is over. One that was not published is told once, also over a restart. */
static enum err pass(struct turn *turn, struct folder *folder, struct folder_file *file, const struct event *event) {
    bool fresh = file->state == FILE_SETTLING, missed;
    TRY(was_missed(turn, folder, file, event, &missed));
    missed |= file->state == FILE_WAITING;
    file->state = FILE_PAST;
    file->problem =
        missed ? STR("its publish_at lies back by more than the source's 'late': nothing is made of it") : STR_NONE;
    if (!missed || (fresh && file->seen.came_us <= folder->told_us)) return ERR_NONE;
    tell(turn, folder, "post_past", file->name, file->problem);
    if (file->seen.came_us <= folder->newest_us) return ERR_NONE;
    folder->newest_us = file->seen.came_us;
    const struct mark mark = mark_of(folder, folder->newest_us);
    return store_set_mark(turn->loop->options.store, &mark);
}

/* What a file that was read is to become. */
static enum err decide(struct turn *turn, struct folder *folder, struct folder_file *file, const struct post *post) {
    const struct source_settings *source = folder->entry->source;
    bool ours;
    struct event event = post_event(source, file->name, post, turn->arena);
    struct refusal refusal;
    if (post->draft && !*file->fingerprint) {
        file->state = FILE_DRAFT;
    } else if (!made_finish(turn, &event, &refusal)) {
        break_file(turn, folder, file, refusal.detail);
    } else if (*file->fingerprint) {
        meet_published(turn, folder, file, &event);
    } else if (post->due_us > turn->wall_us) {
        file->state = FILE_WAITING;
    } else if (turn->wall_us - post->due_us > source->folder.late_us) {
        TRY(pass(turn, folder, file, &event));
    } else {
        TRY(store_try_task(turn->loop->options.store, TASK_SCHEDULES, &ours));
        file->state = FILE_WAITING;
        if (ours && made_has_room(turn)) return append(turn, folder, file, &event);
        folder->look_us = turn->now_us + AGAIN_US;
        return ERR_NONE;
    }
    file->read = file->seen;
    return ERR_NONE;
}

/* Reads a file that two looks found the same, or whose time has come. */
static enum err take(struct turn *turn, struct folder *folder, struct folder_file *file) {
    const struct folder_seam *seam = &turn->loop->options.folders;
    const struct source_settings *source = folder->entry->source;
    size_t most = (size_t)turn->loop->in_force.settings->server.max_event_bytes;
    struct str text, problem = STR("it cannot be read");
    struct file_stamp stamp;
    struct post post;
    enum err err = seam->read(seam->self, source->folder.path, file->name, most, turn->arena, &text, &stamp, &problem);
    if (err == ERR_NOT_FOUND) return ERR_NONE;       /* the next list has it no more */
    if (!err && !file_stamp_eq(stamp, file->seen)) { /* it is being written */
        file->seen = stamp;
        file->read = (struct file_stamp){0};
        return ERR_NONE;
    }
    if (err) break_file(turn, folder, file, problem);
    if (err || !parse(turn, folder, file, text, &post)) {
        file->read = file->seen;
        return ERR_NONE;
    }
    file->due_us = post.due_us;
    if (post.doubt.n && !str_eq(post.doubt, file->problem)) tell(turn, folder, "post_doubtful", file->name, post.doubt);
    file->problem = str_dup(&folder->arena, post.doubt);
    return decide(turn, folder, file, &post);
}

/* ---- a round ---- */

static struct folder_file *find_file(struct folder_file *files, size_t count, struct str name) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp(files[middle].name, name);
        if (!order) return &files[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void note_gone(struct folder *folder, const struct folder_file *file) {
    struct gone *gone = &folder->gone[folder->gone_next++ % GONE_MAX];
    size_t n = file->name.n < sizeof gone->name - 1 ? file->name.n : sizeof gone->name - 1;
    *gone = (struct gone){.stamp = file->seen};
    memcpy(gone->name, file->name.p, n);
}

/* The list anew: what is known of a file stays with its name. */
static void list_anew(struct turn *turn, struct folder *folder, struct file_stamp stamp) {
    const struct folder_seam *seam = &turn->loop->options.folders;
    struct arena arena = ARENA_EMPTY;
    struct str *names, problem;
    size_t count;
    bool more;
    if (seam->list(seam->self, folder->entry->source->folder.path, &arena, &names, &count, &more, &problem)) {
        if (!folder->problem.n) tell(turn, folder, "folder_unreadable", STR(""), problem);
        if (!folder->problem.n) folder->problem = str_dup(&folder->arena, problem);
        arena_free(&arena);
        return;
    }
    if (more && !folder->more) tell(turn, folder, "folder_too_full", STR(""), STR("only 10000 files are looked at"));
    struct folder_file *files = arena_array(&arena, struct folder_file, count);
    for (size_t i = 0; i < count; i++) {
        const struct folder_file *known = find_file(folder->files, folder->count, names[i]);
        if (known) files[i] = *known;
        files[i].name = names[i];
        files[i].problem = str_dup(&arena, files[i].problem);
    }
    for (size_t i = 0; i < folder->count; i++)
        if (*folder->files[i].fingerprint && !find_file(files, count, folder->files[i].name))
            note_gone(folder, &folder->files[i]);
    arena_free(&folder->arena);
    folder->arena = arena;
    folder->arena_bytes = arena.used_bytes;
    folder->files = files;
    folder->count = count;
    folder->more = more;
    folder->problem = STR_NONE;
    folder->stamp = stamp;
}

static void begin_round(struct turn *turn, struct folder *folder) {
    const struct folder_seam *seam = &turn->loop->options.folders;
    struct str self = STR(".");
    struct file_stamp stamp;
    seam->look(seam->self, folder->entry->source->folder.path, &self, 1, &stamp);
    bool grown = folder->arena.used_bytes > 2 * folder->arena_bytes + 65536;
    folder->told = 0;
    folder->at = 0;
    folder->look_us = turn->now_us + LOOK_US;
    if (!folder->files || folder->problem.n || grown || !file_stamp_eq(stamp, folder->stamp))
        list_anew(turn, folder, stamp);
}

static enum err look_at(struct turn *turn, struct folder *folder, struct folder_file *file, struct file_stamp stamp,
                        int *reads) {
    if (!file_stamp_eq(stamp, file->seen)) {
        file->seen = stamp;
        return ERR_NONE;
    }
    if (file_stamp_eq(stamp, file->read) || file->state == FILE_POSTING) return ERR_NONE;
    ++*reads;
    return take(turn, folder, file);
}

static enum err look_on(struct turn *turn, struct folder *folder) {
    const struct folder_seam *seam = &turn->loop->options.folders;
    size_t count = folder->count - folder->at;
    struct str names[LOOK_STEP];
    struct file_stamp stamps[LOOK_STEP];
    int reads = 0;
    if (count > LOOK_STEP) count = LOOK_STEP;
    struct folder_file *files = folder->files + folder->at;
    for (size_t i = 0; i < count; i++) names[i] = files[i].name;
    if (count) seam->look(seam->self, folder->entry->source->folder.path, names, count, stamps);
    for (size_t i = 0; i < count && reads < READ_STEP; i++, folder->at++)
        TRY(look_at(turn, folder, &files[i], stamps[i], &reads));
    if (folder->at == folder->count) folder->at = ROUND_END;
    return ERR_NONE;
}

/* ---- what is due ---- */

static bool is_due(const struct folder_file *file, int64_t wall_us) {
    return file->state == FILE_WAITING && file->due_us <= wall_us && file_stamp_eq(file->seen, file->read);
}

/* Of a turn that did not commit nothing was published. */
static void forget_posting(struct turn *turn, struct folder *folder) {
    if (!folder->posting || turn->chores.posted) return;
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].state == FILE_POSTING) folder->files[i].state = FILE_SETTLING;
    folder->posting = 0;
}

static enum err post_due(struct turn *turn, struct folder *folder, bool *ret_more) {
    int reads = 0;
    for (size_t i = 0; i < folder->count; i++) {
        if (!is_due(&folder->files[i], turn->wall_us)) continue;
        if (reads++ == READ_STEP) {
            *ret_more = true;
            return ERR_NONE;
        }
        TRY(take(turn, folder, &folder->files[i]));
    }
    return ERR_NONE;
}

enum err folders_step(struct turn *turn, struct chore_round *round, bool *ret_more) {
    (void)round;
    struct folders *folders = turn->loop->folders;
    *ret_more = false;
    for (size_t i = 0; i < folders->count; i++) {
        struct folder *folder = &folders->list[i];
        forget_posting(turn, folder);
        if (made_has_room(turn)) TRY(post_due(turn, folder, ret_more));
        if (folder->at == ROUND_END && folder->look_us > turn->now_us) continue;
        if (folder->at == ROUND_END) TRY(meet_folder(turn, folder));
        if (folder->at == ROUND_END) begin_round(turn, folder);
        TRY(look_on(turn, folder));
        *ret_more |= folder->at != ROUND_END;
    }
    return ERR_NONE;
}

int64_t folders_next(const struct turn *turn) {
    const struct folders *folders = turn->loop->folders;
    int64_t next_us = WHEN_NEVER;
    for (size_t i = 0; i < folders->count; i++) {
        const struct folder *folder = &folders->list[i];
        if (folder->look_us < next_us) next_us = folder->look_us;
        for (size_t j = 0; j < folder->count; j++) {
            const struct folder_file *file = &folder->files[j];
            int64_t due_us = file->due_us - (turn->wall_us - turn->now_us);
            if (file->state == FILE_WAITING && due_us > turn->now_us && due_us < next_us) next_us = due_us;
        }
    }
    return next_us;
}

void folders_apply(struct turn *turn) {
    for (struct posted *posted = turn->chores.posted; posted; posted = posted->next) {
        struct folder_file *file = posted->file;
        if (posted->state == FILE_EDITED)
            tell(turn, posted->folder, "post_edited_after", file->name,
                 STR("it was published before, and what it says now is not: name a new file to publish it"));
        file->state = posted->state;
        file->read = posted->stamp;
        memcpy(file->fingerprint, posted->fingerprint, sizeof file->fingerprint);
        posted->folder->posting--;
    }
    turn->loop->chores.posted = NULL;
}
