/* cli/backup.c - asks the server for a copy of its store, follows it, syncs it, checks it and gives it its name. The
 * server's loop does none of that: reading a copy through takes as long as the store is large. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/bar.h"
#include "cli/commands.h"
#include "cli/copies.h"
#include "cli/show.h"
#include "os/file.h"

#define KEEP_DEFAULT 7
#define KEEP_MOST    100000

static bool sync_path(struct str path, int flags, struct arena *arena) {
    int fd = open(str_dup(arena, path).p, flags | O_CLOEXEC);
    bool fine = fd >= 0 && !fsync(fd);
    if (fd >= 0) close(fd);
    return fine;
}

/* "…/drumbeat-2026-11-28T091500Z.db.part" is synced, read through, and becomes "….db". */
static int check_and_name(struct cli *cli, struct str part, struct str file, struct verification *ret_found) {
    if (!sync_path(part, O_RDONLY, cli->arena))
        return cli_fail(cli, EXIT_FAILED, "error: %.*s: %s", STR_ARG(part), strerror(errno));
    int code = copies_check(cli, part, ret_found);
    if (code) return code;
    if (rename(str_dup(cli->arena, part).p, str_dup(cli->arena, file).p) ||
        !sync_path(file_folder(file, cli->arena), O_RDONLY | O_DIRECTORY, cli->arena))
        return cli_fail(cli, EXIT_FAILED, "error: %.*s cannot be named: %s", STR_ARG(part), strerror(errno));
    return EXIT_DONE;
}

/* Of two who asked at once the second waits here for the first, and finds the copy named. While the lock is held, the
 * server does not take the copy for one that was left over (store/copy.c). */
static int finish(struct cli *cli, struct str part, struct str *ret_file, struct verification *ret_found) {
    struct str file = str_dup(cli->arena, str_sub(part, 0, part.n - strlen(".part")));
    struct stat info;
    int code, fd = open(part.p, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) (void)!flock(fd, LOCK_EX);
    if (!stat(part.p, &info))
        code = check_and_name(cli, part, file, ret_found);
    else if (!stat(file.p, &info))
        code = copies_check(cli, file, ret_found);
    else
        code = cli_fail(cli, EXIT_FAILED,
                        "error: there is no %.*s; the copy is a file of the machine where the server "
                        "runs",
                        STR_ARG(part));
    if (fd >= 0) close(fd);
    *ret_file = file;
    return code;
}

/* Removes the oldest beyond `keep`; their names are in the order of their moments. */
static size_t prune(struct cli *cli, struct str folder, size_t keep) {
    struct str *names;
    size_t count = file_list(folder, STR("Z.db"), cli->arena, &names), ours = 0;
    for (size_t i = 0; i < count; i++)
        if (str_starts(names[i], STR("drumbeat-"))) names[ours++] = names[i];
    for (size_t i = 0; keep && i + keep < ours; i++)
        unlink(str_fmt(cli->arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(names[i])).p);
    return keep && ours > keep ? keep : ours;
}

static int say(struct cli *cli, struct str file, int64_t bytes, const struct verification *found, size_t kept) {
    struct json *result = json_object();
    int code;
    json_set_str(result, "file", file);
    json_set_int(result, "bytes", bytes);
    json_set_int(result, "events", found->events);
    json_set_int(result, "deliveries", found->deliveries);
    json_set_int(result, "kept", (int64_t)kept);
    struct str text = json_dump(cli->arena, result);
    json_free(result);
    if (show_machine(cli, text, "file", &code)) return code;
    writer_fmt(&cli->out, "%.*s: %.1f MiB, %.*s, %.*s, verified; %zu kept\n", STR_ARG(file), (double)bytes / (1 << 20),
               STR_ARG(show_count(cli, found->events, "event", "events")),
               STR_ARG(show_count(cli, found->deliveries, "delivery", "deliveries")), kept);
    return EXIT_DONE;
}

int command_backup(struct cli *cli) {
    struct asked asked;
    struct verification found;
    struct str file;
    struct str given = cli_value(cli, "keep");
    int64_t keep = KEEP_DEFAULT;
    if (given.p && (!str_to_i64(given, &keep) || keep < 0 || keep > KEEP_MOST))
        return cli_fail(cli, EXIT_USAGE, "error: '%.*s' is no number of backups: --keep takes 0 (all) to %d",
                        STR_ARG(str_safe(cli->arena, given, true)), KEEP_MOST);
    int code = ask(cli, "POST", STR("/v1/backup"), STR("{}"), &asked);
    if (!code) code = bar_follow(cli, "backup", STR("/v1/backup"), "", &asked);
    if (code) return code;
    struct str part = str_dup(cli->arena, show_member(cli, asked.json, "file"));
    struct str problem = str_dup(cli->arena, show_member(cli, asked.json, "problem"));
    int64_t bytes = json_integer(json_get(asked.json, STR("bytes")), 0);
    asked_free(&asked);
    if (problem.n) return cli_fail(cli, EXIT_FAILED, "error: no backup was made: %.*s", STR_ARG(problem));
    if (!str_ends(part, STR(".part")))
        return cli_fail(cli, EXIT_FAILED,
                        "error: no backup was made: the server was started anew meanwhile. Ask again");
    code = finish(cli, part, &file, &found);
    return code ? code : say(cli, file, bytes, &found, prune(cli, file_folder(file, cli->arena), (size_t)keep));
}
