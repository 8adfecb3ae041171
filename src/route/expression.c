/* route/expression.c - see expression.h. */
#include "route/expression.h"

#include "base/arena.h"
#include "base/jq.h"
#include "model/code.h"

#include <string.h>

static void blame_one(const struct expressions *expressions, const struct expression *expression, struct str problem,
                      struct findings *findings) {
    finding_add(findings, expressions->file, expression->mark, code_text(CODE_ROUTE_JQ), "jq: %.*s, in %.*s",
                STR_ARG(problem), STR_ARG(expression->where));
}

bool expression_add(struct expressions *expressions, struct expression expression, struct findings *findings) {
    const char *problem = jq_lex_problem(findings->arena, expression.text);
    if (problem) {
        blame_one(expressions, &expression, str_from(problem), findings);
        return false;
    }
    if (expressions->count == expressions->room) {
        size_t room = expressions->room ? expressions->room * 2 : 16;
        struct expression *grown = arena_array(expressions->arena, struct expression, room);
        if (expressions->count) memcpy(grown, expressions->items, expressions->count * sizeof *grown);
        expressions->items = grown;
        expressions->room = room;
    }
    expressions->items[expressions->count++] = expression;
    return true;
}

void expressions_blame(const struct expressions *expressions, struct findings *findings) {
    struct arena scratch = ARENA_EMPTY;
    struct str *texts = arena_array(&scratch, struct str, expressions->count);
    struct str *problems = arena_array(&scratch, struct str, expressions->count);
    for (size_t i = 0; i < expressions->count; i++) texts[i] = expressions->items[i].text;
    jq_check_all(&scratch, texts, expressions->count, problems);
    for (size_t i = 0; i < expressions->count; i++)
        if (problems[i].n) blame_one(expressions, &expressions->items[i], problems[i], findings);
    arena_free(&scratch);
}

/* It looks for the words alone: `$event` may also be written `$ event`, and `now` is made from the event too. */
bool expressions_want_event(const struct expressions *expressions, size_t from) {
    for (size_t i = from; i < expressions->count; i++) {
        struct str text = expressions->items[i].text;
        if (memmem(text.p, text.n, "event", 5) || memmem(text.p, text.n, "now", 3)) return true;
    }
    return false;
}
