/* api/backup.c - a copy of the store: how far it is, and that one is wanted. */
#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "store/copy.h"

static enum err reply_backup(struct call *call, int status, bool running) {
    const struct copy_view *view = call->standing->backup;
    struct buf buf = {.arena = call->arena};
    double share = view->running && view->pages ? 1 - (double)view->left / (double)view->pages : 0;
    bool fresh = running && !view->running;
    buf_fmt(&buf, "{\"running\":%s,\"progress\":%.3f", running ? "true" : "false", running ? share : 1.0);
    encode_text(&buf, "file", fresh ? STR("") : str_from(view->file));
    encode_text(&buf, "problem", fresh ? STR("") : str_from(view->problem));
    encode_time(&buf, "started_at", fresh ? call->wall_us : view->started_us);
    encode_time(&buf, "finished_at", fresh ? 0 : view->finished_us);
    buf_fmt(&buf, ",\"bytes\":%lld}", fresh ? 0LL : (long long)view->pages * 4096);
    return serve_json(call, status, buf_str(&buf));
}

static bool refuses(struct call *call, enum err *ret_err) {
    if (call->standing->backup) return false;
    *ret_err =
        serve_problem(call, ERR_NOT_NOW,
                      STR("the store is PostgreSQL, which has its own tools for this: pg_dump, or archiving"), NULL);
    return true;
}

enum err api_backup_show(struct call *call) {
    enum err err = ERR_NONE;
    return refuses(call, &err) ? err : reply_backup(call, 200, call->standing->backup->running);
}

/* Joins one that is under way. */
enum err api_backup_begin(struct call *call) {
    enum err err = ERR_NONE;
    if (!body_empty(call) || refuses(call, &err)) return err;
    if (!call->standing->backup->running) {
        call->wishes |= WISH_BACKUP;
        TRY(store_audit(call->store, call->actor, STR("backup"), STR("store"), STR(""), call->now_us));
    }
    return reply_backup(call, 202, true);
}
