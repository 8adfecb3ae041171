/* sim/scenario.c - plays scenario files; docs/scenarios.md is the language. */
#include "sim/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "os/file.h"
#include "sim/scenario_player.h"

#define FILE_MAX   ((size_t)65536)
#define TRIES_MAX  100 /* of a post that is not answered */
#define TRY_US     (2 * US_PER_S)
#define DEATHS_MAX 4000 /* calls of the outside at which `crash at every call` lets the process die */
#define SEED       1

bool player_fail(struct player *player, const char *format, ...) {
    va_list args;
    if (player->problem[0]) return false;
    va_start(args, format);
    vsnprintf(player->problem, sizeof player->problem, format, args);
    va_end(args);
    return false;
}

/* ---- reading a line ---- */

bool line_word(struct str *rest, struct str *ret_word) {
    struct str line = str_trim(*rest);
    size_t blank = str_find(line, ' ');
    if (!line.n) return false;
    *ret_word = str_sub(line, 0, blank);
    *rest = str_trim(str_sub(line, ret_word->n, line.n));
    return true;
}

bool line_take(struct str *rest, struct str phrase) {
    if (!str_starts(*rest, phrase)) return false;
    if (rest->n > phrase.n && rest->p[phrase.n] != ' ') return false;
    *rest = str_trim(str_sub(*rest, phrase.n, rest->n));
    return true;
}

bool line_holds(struct str text, struct str part) {
    return part.n == 0 || (text.n >= part.n && memmem(text.p, text.n, part.p, part.n));
}

bool line_number(struct str *rest, size_t *ret_number) {
    struct str after = *rest, word;
    uint64_t number;
    if (!line_word(&after, &word) || !str_to_u64(word, &number)) return false;
    *rest = after;
    *ret_number = (size_t)number;
    return true;
}

struct str line_until(struct str *rest, struct str phrase) {
    struct str all = *rest;
    for (size_t i = 0; i + phrase.n <= all.n; i++)
        if (str_eq(str_sub(all, i, phrase.n), phrase)) {
            *rest = str_trim(str_sub(all, i + phrase.n, all.n));
            return str_trim(str_sub(all, 0, i));
        }
    *rest = STR("");
    return all;
}

bool line_span(struct player *player, struct str word, int64_t *ret_us) {
    bool back = str_starts(word, STR("-"));
    int64_t span_us;
    if (!span_parse(str_sub(word, back, word.n), &span_us))
        return player_fail(player, "not a length of time: %.*s", STR_ARG(word));
    *ret_us = back ? -span_us : span_us;
    return true;
}

/* ---- steps ---- */

static bool advance(struct player *player, int64_t until_us) {
    if (plant_run(&player->plant, until_us)) return true;
    return player_fail(player, "%.*s (%s)", STR_ARG(player->plant.problem), err_code(player->plant.refused));
}

static void hear_reply(void *self, uint64_t tag, const struct reply *reply) {
    struct player *player = self;
    (void)tag;
    player->answered = true;
    player->status = reply->status;
    player->body = str_dup(&player->arena, reply->body);
    player->event_status = STR("");
    for (size_t i = 0; i < reply->header_count; i++)
        if (str_eq(reply->headers[i].name, STR("X-Event-Status")))
            player->event_status = str_dup(&player->arena, reply->headers[i].value);
}

/* Posts a request. A player that insists repeats it until there is an answer that does not ask to come again later. */
static bool ask(struct player *player, struct str method, struct str path, struct str body) {
    for (int i = 0; i < TRIES_MAX; i++) {
        player->answered = false;
        world_post(player->world, 0, method, path, body);
        if (!advance(player, player->world->now_us)) return false;
        if (!player->insists || (player->answered && player->status != 503)) return true;
        if (!advance(player, player->world->now_us + TRY_US)) return false;
    }
    return player_fail(player, "it is never answered");
}

static bool expect_reply(struct player *player, struct str expected) {
    if (!expected.n) return true;
    return player_expect_reply(player, expected);
}

static bool step_post(struct player *player, struct str rest) {
    struct str given = line_until(&rest, STR(" expect ")), type, key;
    struct str source = STR("test");
    int64_t after_us = 0;
    if (!line_word(&given, &type)) return player_fail(player, "post what?");
    struct buf body = {.arena = &player->arena};
    buf_fmt(&body, "{\"type\":\"%.*s\"", STR_ARG(type));
    while (given.n && given.p[0] != '{' && given.p[0] != '[' && line_word(&given, &key)) {
        if (str_starts(key, STR("key=")))
            buf_fmt(&body, ",\"idempotency_key\":\"%.*s\"", STR_ARG(str_sub(key, 4, key.n)));
        else if (str_starts(key, STR("source=")))
            source = str_sub(key, 7, key.n);
        else if (!str_starts(key, STR("at=")) || !line_span(player, str_sub(key, 3, key.n), &after_us))
            return player_fail(player, "what is '%.*s'?", STR_ARG(key));
    }
    int64_t wall_us = player->world->now_us + player->world->wall_offset_us;
    if (after_us) buf_fmt(&body, ",\"scheduled_at\":\"%.*s\"", STR_ARG(when_str(&player->arena, wall_us + after_us)));
    buf_fmt(&body, ",\"source\":\"%.*s\",\"payload\":%.*s}", STR_ARG(source), STR_ARG(given));
    return ask(player, STR("POST"), STR("/v1/events"), buf_str(&body)) && expect_reply(player, rest);
}

/* {event a} and {crm a} in a path are ids. */
static bool fill_path(struct player *player, struct str given, struct str *ret_path) {
    size_t open = str_find(given, '{'), close = str_find(given, '}');
    *ret_path = given;
    if (open == SIZE_MAX || close == SIZE_MAX || close < open) return true;
    struct str inside = str_sub(given, open + 1, close - open - 1), word;
    struct event event = {0};
    struct delivery delivery;
    if (!line_word(&inside, &word)) return player_fail(player, "whose id?");
    if (str_eq(word, STR("event"))) {
        if (!player_find_event(player, inside, &event)) return false;
    } else {
        if (!player_find_delivery(player, word, inside, &delivery)) return false;
        event.id = delivery.id;
    }
    struct str id = uuid_str(&player->arena, event.id);
    *ret_path = str_fmt(&player->arena, "%.*s%.*s%.*s", STR_ARG(str_sub(given, 0, open)), STR_ARG(id),
                        STR_ARG(str_sub(given, close + 1, given.n)));
    return true;
}

/* Makes the two characters \n a line's end. */
static struct str lines_of(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < text.n; i++) {
        bool end = text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == 'n';
        buf_byte(&buf, end ? '\n' : text.p[i]);
        i += end;
    }
    return buf_str(&buf);
}

static bool step_request(struct player *player, struct str rest) {
    struct str given = line_until(&rest, STR(" expect ")), method, path;
    if (!line_word(&given, &method)) return player_fail(player, "which method?");
    size_t brace = str_find(given, '}'), blank = str_find(given, ' ');
    bool filled = str_find(given, '{') < blank && brace != SIZE_MAX; /* "/v1/events/{event a}/cancel" holds a blank */
    if (filled) {
        size_t after = str_find(str_sub(given, brace, given.n), ' ');
        blank = after == SIZE_MAX ? SIZE_MAX : brace + after;
    }
    struct str body = blank == SIZE_MAX ? STR("") : str_trim(str_sub(given, blank, given.n));
    if (!fill_path(player, str_sub(given, 0, blank), &path)) return false;
    return ask(player, method, path, lines_of(&player->arena, body)) && expect_reply(player, rest);
}

static bool step_crash(struct player *player, struct str rest) {
    size_t calls;
    if (!rest.n) {
        plant_crash(&player->plant);
        return true;
    }
    if (!line_take(&rest, STR("in")) || !line_number(&rest, &calls) || !line_take(&rest, STR("calls")))
        return player_fail(player, "crash when?");
    player->world->die_at = player->world->calls + calls;
    return true;
}

static bool step_disk(struct player *player, struct str rest) {
    struct world *world = player->world;
    bool full = line_take(&rest, STR("full"));
    if (full || line_take(&rest, STR("free"))) {
        world->full_until_us = full ? WHEN_NEVER : 0;
        disk_limit(world->disk, full ? disk_bytes(world->disk) : SIZE_MAX);
    } else if (line_take(&rest, STR("fails"))) {
        disk_fail_syncs(world->disk, 1);
    }
    return !rest.n || player_fail(player, "a disk cannot: %.*s", STR_ARG(rest));
}

static bool step_clock(struct player *player, struct str rest) {
    int64_t jump_us;
    if (!line_span(player, rest, &jump_us)) return false;
    player->world->wall_offset_us += jump_us;
    return true;
}

static bool step_remove(struct player *player, struct str rest) {
    shelf_put(player->world->shelf, rest, STR_NONE, player->world->now_us);
    return true;
}

/* Somebody deletes the event of this key by SQL. */
static bool step_delete(struct player *player, struct str key) {
    struct plant *plant = &player->plant;
    struct sql_result result;
    struct buf sql = {.arena = &player->arena};
    buf_add(&sql, STR("DELETE FROM marketing_events WHERE idempotency_key = '"));
    buf_add(&sql, key);
    buf_byte(&sql, '\'');
    bool done = plant->store && !store_begin(plant->store);
    done = done && !plant->driver.script(plant->driver.self, buf_str(&sql), &player->arena, &result);
    return (done && !store_commit(plant->store)) || player_fail(player, "nothing could be deleted");
}

static const struct {
    struct str phrase;
    bool (*play)(struct player *player, struct str rest);
} steps[] = {
    {{"post", 4}, step_post},       {{"request", 7}, step_request}, {{"world", 5}, player_set_world},
    {{"crash", 5}, step_crash},     {{"disk", 4}, step_disk},       {{"clock jumps", 11}, step_clock},
    {{"expect", 6}, player_expect}, {{"remove", 6}, step_remove},   {{"delete", 6}, step_delete},
};

static bool play_step(struct player *player, struct str line) {
    int64_t at_us;
    struct str word;
    if (line_take(&line, STR("at"))) {
        if (!line_word(&line, &word) || !line_span(player, word, &at_us)) return player_fail(player, "at which time?");
        if (!advance(player, WORLD_START_US + at_us)) return false;
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (line_take(&line, steps[i].phrase)) return steps[i].play(player, line);
    return !line.n || player_fail(player, "no step is: %.*s", STR_ARG(line));
}

/* ---- blocks ---- */

static bool play_block(struct player *player, struct str name, struct str text) {
    struct str config = str_fmt(&player->arena, "version: 1\nstore: drumbeat.db\n%.*s", STR_ARG(text));
    bool good;
    if (str_starts(name, STR("file "))) {
        shelf_put(player->world->shelf, str_sub(name, 5, name.n), text, player->world->now_us);
        return true;
    }
    if (str_eq(name, STR("connector"))) {
        player->connector = text;
        return true;
    }
    if (str_eq(name, STR("config")))
        good = plant_load_once(&player->plant, player->ready, config, player->connector);
    else if (str_eq(name, STR("apply")))
        good = plant_apply(&player->plant, config, player->connector);
    else
        return player_fail(player, "no block is: %.*s", STR_ARG(name));
    return good || player_fail(player, "%.*s", STR_ARG(player->plant.problem));
}

/* The lines up to `>>`. */
static struct str read_block(struct str *rest, size_t *line) {
    struct str start = *rest, one;
    while (str_next(rest, '\n', &one)) {
        ++*line;
        if (str_eq(str_trim(one), STR(">>"))) return (struct str){start.p, (size_t)(one.p - start.p)};
    }
    return start;
}

static bool play_lines(struct player *player, struct str text, size_t *ret_line) {
    struct str line;
    for (*ret_line = 1; str_next(&text, '\n', &line); ++*ret_line) {
        line = str_trim(line);
        if (!line.n || line.p[0] == '#' || str_eq(line, STR("crash at every call"))) continue;
        if (!str_ends(line, STR(" <<"))) {
            if (!play_step(player, line)) return false;
            continue;
        }
        size_t end = *ret_line;
        if (!play_block(player, str_sub(line, 0, line.n - 3), read_block(&text, &end))) return false;
        *ret_line = end;
    }
    return player_verify(player);
}

/* ---- plays ---- */

/* Plays the scenario once. die_at 0 = the process lives. *ret_calls is how many calls of the outside there were. */
static bool play_once(struct str text, uint64_t die_at, bool insists, struct ready *ready, struct arena *arena,
                      uint64_t *ret_calls, struct str *ret_problem) {
    struct player *player = calloc(1, sizeof *player);
    if (!player) abort();
    size_t line;
    player->world = player->plant.world = world_new(SEED);
    player->hasher = hasher_new();
    player->insists = insists;
    player->ready = ready;
    player->world->behave = player_behave;
    player->world->reply = hear_reply;
    player->world->self = player;
    player->world->die_at = die_at;
    bool good = play_lines(player, text, &line);
    *ret_calls = player->world->calls;
    if (!good && die_at)
        *ret_problem =
            str_fmt(arena, "line %zu, dying at call %llu: %s", line, (unsigned long long)die_at, player->problem);
    else if (!good)
        *ret_problem = str_fmt(arena, "line %zu: %s", line, player->problem);
    plant_keep(&player->plant, ready);
    plant_end(&player->plant);
    world_free(player->world);
    hasher_free(player->hasher);
    arena_free(&player->arena);
    free(player);
    return good;
}

static bool play_text(struct str text, struct arena *arena, struct str *ret_problem) {
    struct str rest = text, line;
    struct ready ready = {0};
    bool everywhere = false;
    uint64_t calls, ignored;
    while (str_next(&rest, '\n', &line)) everywhere = everywhere || str_eq(line, STR("crash at every call"));
    bool good = play_once(text, 0, everywhere, &ready, arena, &calls, ret_problem);
    for (uint64_t i = 1; good && everywhere && i <= calls && i <= DEATHS_MAX; i++)
        good = play_once(text, i, true, &ready, arena, &ignored, ret_problem);
    ready_free(&ready);
    return good;
}

static bool play_file(struct str path) {
    struct arena arena = ARENA_EMPTY;
    struct str text, problem = STR(""), name = path, part;
    while (str_find(name, '/') != SIZE_MAX && str_next(&name, '/', &part)) continue;
    if (str_ends(name, STR(".txt"))) name.n -= 4;
    bool good = !file_read(path, FILE_MAX, &arena, &text, &problem) && play_text(text, &arena, &problem);
    if (good)
        printf("ok %.*s\n", STR_ARG(name));
    else
        printf("not ok %.*s: %.*s\n", STR_ARG(name), STR_ARG(problem));
    fflush(stdout);
    arena_free(&arena);
    return good;
}

int scenarios_play(struct str path) {
    struct arena arena = ARENA_EMPTY;
    struct str *names;
    size_t passed = 0, failed = 0;
    size_t count = str_ends(path, STR(".txt")) ? 0 : file_list(path, STR(".txt"), &arena, &names);
    for (size_t i = 0; i < count; i++)
        *(play_file(str_fmt(&arena, "%.*s/%.*s", STR_ARG(path), STR_ARG(names[i]))) ? &passed : &failed) += 1;
    if (!count) *(play_file(path) ? &passed : &failed) += 1;
    arena_free(&arena);
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0;
}
