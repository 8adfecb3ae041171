/* api/folders.c - what is known of a folder's files. */
#include "api/todo.h"
#include "base/json.h"
#include "model/folder.h"

#define FILES_MAX 200 /* of a folder that are shown: what is published, or was old when it was found, needs nobody */

static const struct folder_view *folder_of(const struct call *call, struct str source) {
    for (size_t i = 0; i < call->standing->folder_count; i++)
        if (str_eq(call->standing->folders[i].source, source)) return &call->standing->folders[i];
    return NULL;
}

void encode_folder(const struct call *call, struct buf *buf, struct str source, bool whole) {
    const struct folder_view *folder = folder_of(call, source);
    if (!folder) return;
    size_t counts[FILE_STATE_COUNT] = {0}, shown = 0;
    for (size_t i = 0; i < folder->count; i++) counts[folder->files[i].state]++;
    encode_text(buf, "path", folder->path);
    encode_text(buf, "trouble", folder->problem);
    buf_fmt(buf, ",\"too_many\":%s,\"files\":{\"all\":%zu", folder->more ? "true" : "false", folder->count);
    for (size_t i = 0; i < FILE_STATE_COUNT; i++)
        buf_fmt(buf, ",\"%.*s\":%zu", STR_ARG(file_state_text((enum file_state)i)), counts[i]);
    buf_byte(buf, '}');
    if (!whole) return;
    buf_add(buf, STR(",\"open\":["));
    for (size_t i = 0; i < folder->count && shown < FILES_MAX; i++) {
        const struct folder_file *file = &folder->files[i];
        bool has_problem = file->state != FILE_EDITED;
        if (file->state == FILE_PUBLISHED || (file->state == FILE_PAST && !file->problem.n)) continue;
        buf_add(buf, shown++ ? STR(",{\"file\":") : STR("{\"file\":"));
        json_quote(buf, file->name);
        encode_text(buf, "state", file_state_text(file->state));
        encode_time(buf, "publish_at", file->due_us);
        encode_text(buf, "problem", has_problem ? file->problem : STR(""));
        buf_byte(buf, '}');
    }
    buf_byte(buf, ']');
}

/* Files that cannot be published as they are, and such as were changed after they were. */
void todo_folders(struct todo *todo) {
    static const struct advice unreadable = {"folder", "source", "drumbeat sources show {name}",
                                             "names the folder; it is looked for again every two seconds"};
    static const struct advice broken = {"posts", "source", "drumbeat sources show {name}",
                                         "lists the files that cannot be published as they are, and why; each is read "
                                         "again when it was changed"};
    static const struct advice edited = {"edited", "source", "drumbeat sources show {name}",
                                         "lists the files that were changed after they were published, which changes "
                                         "nothing: a new file is published anew"};
    for (size_t i = 0; i < todo->call->standing->folder_count; i++) {
        const struct folder_view *folder = &todo->call->standing->folders[i];
        int64_t counts[FILE_STATE_COUNT] = {0};
        for (size_t j = 0; j < folder->count; j++) counts[folder->files[j].state]++;
        struct matter matter = {.name = folder->source, .error = folder->problem, .count = 1};
        if (folder->problem.n) todo_add(todo, &unreadable, &matter, 0);
        matter.error = STR("");
        matter.count = counts[FILE_BROKEN];
        if (matter.count) todo_add(todo, &broken, &matter, 0);
        matter.count = counts[FILE_EDITED];
        if (matter.count) todo_add(todo, &edited, &matter, 0);
    }
}
