#include "cli/where.h"

#include "base/jq.h"
#include "base/json.h"

struct where {
    struct jq *jq;
    size_t function;
};

int where_open(struct cli *cli, struct where **ret_where) {
    struct str expression = cli_value(cli, "where"), problem;
    struct jq_source source = {.arena = cli->arena};
    *ret_where = NULL;
    if (!expression.p) return EXIT_DONE;
    if (jq_check(cli->arena, expression, &problem))
        return cli_fail(cli, EXIT_USAGE, "error: --where: %.*s", STR_ARG(problem));
    struct where *where = arena_new(cli->arena, struct where);
    where->function = jq_add(&source, expression);
    if (jq_open(jq_program(&source, cli->arena), &where->jq, cli->arena, &problem))
        return cli_fail(cli, EXIT_FAILED, "error: --where: %.*s", STR_ARG(problem));
    *ret_where = where;
    return EXIT_DONE;
}

void where_close(struct where *where) {
    if (where) jq_close(where->jq);
}

bool where_holds(struct cli *cli, const struct where *where, struct str event) {
    struct jq_call call = {.event = event};
    if (!where) return true;
    call.function = where->function;
    if (!json_slice(event, STR("payload"), &call.input)) return false;
    jq_run(where->jq, &call, cli->arena);
    return !call.err && call.result.n && !str_eq(call.result, STR("null")) && !str_eq(call.result, STR("false"));
}
