/* cli/version.c - which build this is. */
#include "base/assets.h"
#include "cli/commands.h"
#include "cli/show.h"

int command_version(struct cli *cli) {
    int code;
    struct str json = str_fmt(cli->arena, "{\"version\":\"" DRUMBEAT_VERSION "\",\"commit\":\"%s\"}", builtin_commit);
    if (!show_machine(cli, json, "version", &code))
        writer_fmt(&cli->out, "drumbeat " DRUMBEAT_VERSION " (%s)\n", builtin_commit);
    return code;
}
