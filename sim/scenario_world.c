/* sim/scenario_world.c - receivers that do as the scenario says. */
#include "sim/scenario_player.h"

#define LATENCY_US (10 * US_PER_MS)

struct actor *player_actor(struct player *player, struct str name) {
    const struct receiver *receiver = world_receiver(player->world, name);
    struct actor *actor = &player->actors[receiver - player->world->receivers];
    actor->receiver = receiver;
    return actor;
}

/* ---- what is said of a receiver ---- */

/* Takes " in 3s", " with effect" and " without effect" off the end. */
static bool take_endings(struct player *player, struct str *word, struct behaviour *behaviour, int *effect) {
    static const struct str with = {" with effect", 12}, without = {" without effect", 15};
    for (;;) {
        size_t blank = word->n;
        if (str_ends(*word, without) || str_ends(*word, with)) {
            *effect = str_ends(*word, with);
            word->n -= *effect ? with.n : without.n;
            continue;
        }
        while (blank > 0 && word->p[blank - 1] != ' ') blank--;
        struct str before = str_sub(*word, 0, blank);
        if (!str_ends(before, STR(" in "))) return true;
        if (!line_span(player, str_sub(*word, blank, word->n), &behaviour->latency_us)) return false;
        *word = str_sub(before, 0, before.n - 4);
    }
}

static bool read_answer(struct player *player, struct str rest, struct behaviour *behaviour) {
    size_t status;
    if (!line_number(&rest, &status)) return player_fail(player, "answer needs a status");
    behaviour->kind = ANSWER;
    behaviour->status = (int32_t)status;
    if (rest.n && (rest.p[0] == '{' || rest.p[0] == '[')) {
        behaviour->body = str_dup(&player->arena, rest);
        return true;
    }
    if (!rest.n) return true;
    size_t colon = str_find(rest, ':');
    if (colon == SIZE_MAX) return player_fail(player, "neither a header nor a body: %.*s", STR_ARG(rest));
    behaviour->header_name = str_dup(&player->arena, str_sub(rest, 0, colon));
    behaviour->header_value = str_dup(&player->arena, str_trim(str_sub(rest, colon + 1, rest.n)));
    return true;
}

static const struct {
    struct str text;
    enum behaviour_kind kind;
} silences[] = {
    {{"times out", 9}, TIMEOUT}, {{"cut", 3}, CUT}, {{"unreachable", 11}, NO_CONNECT}, {{"untrusted", 9}, NO_TRUST}};

static bool read_kind(struct player *player, struct str text, struct behaviour *behaviour) {
    if (line_take(&text, STR("answer"))) return read_answer(player, text, behaviour);
    for (size_t i = 0; i < sizeof silences / sizeof silences[0]; i++)
        if (str_eq(text, silences[i].text)) {
            behaviour->kind = silences[i].kind;
            return true;
        }
    return player_fail(player, "no receiver can: %.*s", STR_ARG(text));
}

static bool has_effect(const struct behaviour *behaviour) {
    if (behaviour->kind == ANSWER) return behaviour->status / 100 == 2;
    return behaviour->kind == TIMEOUT || behaviour->kind == CUT;
}

static bool read_word(struct player *player, struct str text, struct word *ret_word) {
    struct word word = {.times = 1, .behaviour = {.latency_us = LATENCY_US}};
    struct str rest = text;
    int effect = -1; /* not said */
    size_t times;
    if (line_number(&rest, &times) && line_take(&rest, STR("x"))) {
        word.times = times;
        text = rest;
    }
    if (!take_endings(player, &text, &word.behaviour, &effect)) return false;
    if (!read_kind(player, text, &word.behaviour)) return false;
    word.behaviour.effect = effect < 0 ? has_effect(&word.behaviour) : effect;
    *ret_word = word;
    return true;
}

static bool read_script(struct player *player, struct str rest, struct script *script) {
    *script = (struct script){0};
    while (rest.n) {
        if (script->count == WORDS_MAX) return player_fail(player, "more than %d words", WORDS_MAX);
        if (!read_word(player, line_until(&rest, STR("; ")), &script->words[script->count++])) return false;
    }
    return true;
}

/* refuses 422 "bad" */
static bool read_refusal(struct player *player, struct str rest, struct actor *actor) {
    size_t status;
    bool named = line_number(&rest, &status) && rest.n > 2 && str_starts(rest, STR("\"")) && str_ends(rest, STR("\""));
    if (!named) return player_fail(player, "refuses needs a status and a text in quotes");
    actor->bad_status = (int32_t)status;
    actor->bad_text = str_dup(&player->arena, str_sub(rest, 1, rest.n - 1));
    return true;
}

bool player_set_world(struct player *player, struct str rest) {
    struct str name;
    if (!line_word(&rest, &name)) return player_fail(player, "whose world?");
    bool script = str_ends(name, STR(":"));
    struct actor *actor = player_actor(player, str_sub(name, 0, name.n - script));
    if (script) return read_script(player, rest, &actor->sends);
    if (line_take(&rest, STR("lookups:"))) return read_script(player, rest, &actor->lookups);
    if (line_take(&rest, STR("refuses"))) return read_refusal(player, rest, actor);
    if (line_take(&rest, STR("sees after"))) return line_span(player, rest, &actor->sees_after_us);
    actor->knows_no_keys = line_take(&rest, STR("knows no keys"));
    return actor->knows_no_keys || player_fail(player, "no world is: %.*s", STR_ARG(rest));
}

/* ---- what a receiver does ---- */

static bool next_word(struct script *script, struct behaviour *ret_behaviour) {
    if (!script->count) return false;
    if (script->used == script->words[script->at].times && script->at + 1 < script->count) {
        script->at++;
        script->used = 0;
    }
    script->used += script->used < script->words[script->at].times;
    *ret_behaviour = script->words[script->at].behaviour;
    return true;
}

static bool sees(const struct player *player, const struct actor *actor, struct str key) {
    for (size_t i = 0; i < actor->receiver->send_count; i++) {
        const struct send *send = &actor->receiver->sends[i];
        bool shown = send->effect && send->started_us + actor->sees_after_us <= player->world->now_us;
        if (shown && str_eq(str_from(send->key), key)) return true;
    }
    return false;
}

struct behaviour player_behave(void *self, struct receiver *receiver, const struct outgoing *outgoing, bool lookup) {
    struct player *player = self;
    struct actor *actor = player_actor(player, str_from(receiver->name));
    struct behaviour behaviour = {.kind = ANSWER, .status = 200, .effect = !lookup, .latency_us = LATENCY_US};
    struct str key = world_key(outgoing);
    bool told = next_word(lookup ? &actor->lookups : &actor->sends, &behaviour);
    if (lookup && !told) behaviour.body = sees(player, actor, key) ? STR("{\"found\":true}") : STR("{\"found\":false}");
    if (!lookup && !actor->knows_no_keys && world_effect(receiver, key)) behaviour.effect = false;
    if (!lookup && actor->bad_text.n && line_holds(outgoing->body, actor->bad_text)) {
        behaviour.status = actor->bad_status;
        behaviour.effect = false;
    }
    if (!lookup) actor->last_body = str_dup(&player->arena, outgoing->body);
    return behaviour;
}
