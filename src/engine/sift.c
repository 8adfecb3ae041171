/* engine/sift.c - see sift.h. */
#include "engine/sift.h"

#include "base/jq.h"
#include "engine/loop_state.h"

void sift_close(struct loop *loop) {
    struct sift *sift = &loop->sift;
    if (!sift->text.n) return;
    loop->options.evaluators.close(loop->options.evaluators.self, sift->evaluator);
    arena_free(&sift->arena);
    *sift = (struct sift){0};
}

static bool sift_open(struct loop *loop, struct str expression, struct arena *arena, struct str *ret_problem) {
    const struct evaluator_maker *maker = &loop->options.evaluators;
    struct sift *sift = &loop->sift;
    struct jq_source source = {.arena = arena};
    if (str_eq(sift->text, expression)) return true;
    sift_close(loop);
    (void)jq_add(&source, expression);
    *ret_problem = STR("there is no jq here");
    if (!maker->open ||
        maker->open(maker->self, jq_program(&source, arena), arena, &sift->evaluator, ret_problem) != ERR_NONE)
        return false;
    sift->text = str_dup(&sift->arena, expression);
    return true;
}

/* PostgreSQL keeps no U+0000 in a text. */
static struct str without_nul(struct str words, struct arena *arena) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < words.n; i++) buf_byte(&buf, words.p[i] ? words.p[i] : ' ');
    return buf_str(&buf);
}

static struct sifted verdict_of(const struct jq_call *call, struct arena *arena) {
    bool out = !call->result.n || str_eq(call->result, STR("null")) || str_eq(call->result, STR("false"));
    switch (call->err) {
    case ERR_NONE:
        return (struct sifted){.verdict = out ? SIFT_OUT : SIFT_IN};
    case ERR_JQ_RUN:
        return (struct sifted){SIFT_FAILED, without_nul(call->result, arena)};
    case ERR_JQ_RUNAWAY:
        return (struct sifted){SIFT_RUNAWAY, call->result};
    default:
        return (struct sifted){SIFT_LATER, call->result};
    }
}

void sift_events(struct loop *loop, struct str expression, const struct event *events, const bool *wanted, size_t count,
                 struct arena *arena, struct sifted *ret_sifted) {
    struct jq_call *calls = arena_array(arena, struct jq_call, count);
    struct str problem;
    size_t asked = 0;
    for (size_t i = 0; i < count; i++)
        if (wanted[i])
            calls[asked++] = (struct jq_call){.input = events[i].payload, .event = event_json(arena, &events[i])};
    bool open = asked && sift_open(loop, expression, arena, &problem);
    if (open) loop->sift.evaluator.run(loop->sift.evaluator.self, calls, asked, arena);
    asked = 0;
    for (size_t i = 0; i < count; i++) {
        ret_sifted[i] = (struct sifted){.verdict = SIFT_OUT};
        if (wanted[i]) ret_sifted[i] = open ? verdict_of(&calls[asked++], arena) : (struct sifted){SIFT_LATER, problem};
    }
}
