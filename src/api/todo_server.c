/* api/todo_server.c - what waits for a person and is known to a server that runs alone; the brake, which a store knows
 * too. */
#include <string.h>

#include "api/notes.h"
#include "api/todo.h"
#include "base/when.h"
#include "model/settings.h"
#include "model/source.h"
#include "observe/rates.h"
#include "store/query.h"

#define RATES_LASTING_US (5 * US_PER_MIN) /* above its bound for less, it may pass */
#define SILENCE_EVENTS   10               /* an hour with no more is not one in which something usually comes */

static void add_sources(struct todo *todo) {
    static const struct advice advice = {"source", "source", "drumbeat sources show {name}",
                                         "shows what was refused and why; a wrong secret is mended at the sender, or "
                                         "here under sources. It is over when something good comes, or a day after the "
                                         "last refusal"};
    struct call *call = todo->call;
    const struct settings *settings = call->standing->settings;
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct note *note = serve_note(call, settings->sources[i].name);
        if (settings->sources[i].kind == SOURCE_FORM) continue; /* anybody may send nonsense to it */
        if (!note_weighs(note, call->wall_us)) continue;
        const struct matter matter = {.name = settings->sources[i].name,
                                      .error = str_from(note->why),
                                      .count = note->refusals,
                                      .oldest_us = note->first_us};
        todo_add(todo, &advice, &matter, 0);
    }
}

#define FIELD_SHOWN 40 /* bytes of a name that anybody may have made up */

/* A field's name as it stands in a message: anybody may post one, so that it is no address and no sentence of its own.
 * `drumbeat sources show` has it as it came. */
static struct str plain_name(struct arena *arena, const char *name) {
    struct str safe = str_head(str_safe(arena, str_from(name), true), FIELD_SHOWN);
    struct buf text = {.arena = arena};
    for (size_t i = 0; i < safe.n; i++) buf_byte(&text, strchr(" .:/\\<>@'\"", safe.p[i]) ? '_' : safe.p[i]);
    return buf_str(&text);
}

/* Fields in which people wrote something that no event has. */
static void add_unkept(struct todo *todo) {
    static const struct advice advice = {
        "fields", "source", "drumbeat sources show {name}",
        "lists such fields; write each under 'fields' of the source, then drumbeat apply, or take it out of the page, "
        "where a name that begins with _ is the page's own. What came before is not kept. It is over then, or a week "
        "after it came last"};
    struct call *call = todo->call;
    const struct settings *settings = call->standing->settings;
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct source_settings *source = &settings->sources[i];
        const struct note *note = source->kind == SOURCE_FORM ? serve_note(call, source->name) : NULL;
        struct matter matter = {.name = source->name};
        struct buf names = {.arena = call->arena};
        for (size_t j = 0; note && j < UNKEPT_MAX; j++) {
            const struct unkept *unkept = &note->unkept[j];
            if (!unkept_weighs(unkept, call->wall_us) || form_declares(source, str_from(unkept->name))) continue;
            buf_fmt(&names, "%s'%.*s'", names.n ? ", " : "", STR_ARG(plain_name(call->arena, unkept->name)));
            if (unkept->count > matter.count) matter.count = unkept->count;
            if (!matter.oldest_us || unkept->first_us < matter.oldest_us) matter.oldest_us = unkept->first_us;
        }
        if (!names.n) continue;
        matter.error =
            str_fmt(call->arena, "not kept, because 'fields' does not name it: %.*s", STR_ARG(buf_str(&names)));
        todo_add(todo, &advice, &matter, 0);
    }
}

void todo_hold(struct todo *todo) {
    const struct standing *standing = todo->call->standing;
    static const struct advice served = {
        "hold", "", "drumbeat release",
        "shows what is due, asks, and lets it go; until then events are taken in and nothing is sent"};
    static const struct advice alone = {
        "hold", "", "drumbeat release -n",
        "shows what waits; a server that starts on this store sends nothing before drumbeat release"};
    const struct matter matter = {.error = standing->hold_reason};
    if (standing->hold) todo_add(todo, standing->running ? &served : &alone, &matter, 0);
}

static struct str room_wanted(const struct call *call) {
    return str_fmt(call->arena, "less than %d MiB are free on the disk of %.*s", STORE_ROOM_MIB,
                   STR_ARG(call->standing->store));
}

/* Conditions of the whole server. */
static void add_conditions(struct todo *todo) {
    const struct standing *standing = todo->call->standing;
    int64_t most = standing->settings->server.queue_max;
    const struct {
        bool holds;
        struct advice advice;
        struct str error;
    } conditions[] = {
        {!standing->config_ok,
         {"configuration", "", "drumbeat check",
          "finds what is wrong in the file that was refused; drumbeat apply puts it in force"},
         STR_NONE},
        {standing->tight,
         {"disk", "", "drumbeat explain E0121",
          "says what makes room; until then new events are refused, and what is stored goes on being delivered"},
         room_wanted(todo->call)},
        {standing->clock_waits,
         {"clock", "", "drumbeat status",
          "shows who else works on the store: the clock was ahead, and what it wrote is moved back when those that "
          "started before this process have stopped"},
         STR_NONE},
        {!standing->limits_up,
         {"limits", "", "drumbeat status",
          "shows how limits are shared: Redis does not answer, and redis.on_failure holds until it does"},
         STR_NONE},
        {most && standing->open_deliveries >= (most + 1) / 2,
         {"queue", "", "drumbeat destinations list",
          "shows what waits for whom: half of server.queue is taken, and when all is, new events are refused"},
         STR_NONE},
    };
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        const struct matter matter = {.error = conditions[i].error};
        if (conditions[i].holds) todo_add(todo, &conditions[i].advice, &matter, 0);
    }
}

static struct str share_of_minute(const struct call *call, double share) {
    return str_fmt(call->arena, "%.0f %% of the last minute's attempts", share * 100);
}

static void add_refused(struct todo *todo) {
    static const struct advice advice = {
        "chore", "chore", "drumbeat chores list",
        "shows how far it is: the database refuses what it wants, in these words, and all else goes on. It is tried "
        "again by itself"};
    static const struct advice claim = {"claim", "destination", "drumbeat destinations show {name}",
                                        "shows what waits: the database refuses to let its deliveries leave, in these "
                                        "words, and asks again by itself. A "
                                        "trigger, a right or a table of the database is to be mended"};
    static const struct advice routing = {"routing", "event", "drumbeat events show {name}",
                                          "shows one of them: the database refuses to store what it is routed to, in "
                                          "these words, or a lock keeps it out. It is tried again by itself, and the "
                                          "others go around it"};
    const struct standing *standing = todo->call->standing;
    const struct matter stuck = {
        .name = standing->stuck, .error = standing->stuck_words, .count = (int64_t)standing->stuck_count};
    const struct matter chore = {.name = standing->chore_refused, .error = standing->chore_words, .count = 1};
    const struct matter claimed = {.name = standing->claim_refused, .error = standing->claim_words, .count = 1};
    if (chore.name.n) todo_add(todo, &advice, &chore, 0);
    if (claimed.name.n) todo_add(todo, &claim, &claimed, 0);
    if (stuck.count) todo_add(todo, &routing, &stuck, 0);
}

/* Numbers that are bad for longer than a moment, as deploy/prometheus has them. */
static void add_rates(struct todo *todo) {
    static const struct advice retries = {"retries", "", "drumbeat destinations list",
                                          "shows who does not take what it is sent: of the attempts of each minute, "
                                          "more than 5 % were to be tried again"};
    static const struct advice errors = {
        "errors", "", "drumbeat destinations list",
        "shows who does not take what it is sent: of the attempts of each minute, more "
        "than 2 % did not end as done"};
    struct call *call = todo->call;
    const struct rates_view view = rates_look(call->rates, call->now_us);
    const struct matter retried = {.error = share_of_minute(call, view.retries),
                                   .count = 1,
                                   .oldest_us = call->wall_us - view.retries_for_us},
                        erred = {.error = share_of_minute(call, view.errors),
                                 .count = 1,
                                 .oldest_us = call->wall_us - view.errors_for_us};
    if (view.retries_for_us >= RATES_LASTING_US) todo_add(todo, &retries, &retried, 0);
    if (view.errors_for_us >= RATES_LASTING_US) todo_add(todo, &errors, &erred, 0);
}

/* Nothing came in for an hour, and in the same hour of a day and of a week ago something did. */
static enum err add_silence(struct todo *todo) {
    static const struct advice advice = {"silence", "", "drumbeat sources list",
                                         "shows when each source was heard last: nothing came in for an hour in which "
                                         "events came a day ago and a week ago"};
    static const struct {
        int64_t ago_us, most;
    } hours[] = {{0, 1}, {US_PER_DAY, SILENCE_EVENTS + 1}, {7 * US_PER_DAY, SILENCE_EVENTS + 1}};
    struct call *call = todo->call;
    int64_t counts[3];
    for (size_t i = 0; i < 3; i++) {
        int64_t until_us = call->wall_us - hours[i].ago_us;
        TRY(store_events_between(call->store, until_us - US_PER_HOUR, until_us, hours[i].most, &counts[i]));
        if (i ? counts[i] <= SILENCE_EVENTS : counts[i] > 0) return ERR_NONE;
    }
    const struct matter silent = {.count = 1, .oldest_us = call->wall_us - US_PER_HOUR};
    todo_add(todo, &advice, &silent, 0);
    return ERR_NONE;
}

enum err todo_server(struct todo *todo) {
    add_conditions(todo);
    add_refused(todo);
    TRY(todo_troubled(todo));
    add_rates(todo);
    if (todo->call->standing->takes_events) TRY(add_silence(todo));
    add_sources(todo);
    add_unkept(todo);
    todo_folders(todo);
    todo_collector(todo);
    return ERR_NONE;
}
