/* api/todo_server.c - what waits for a person and is known to a server that runs alone. */
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

/* Conditions of the whole server. */
static void add_conditions(struct todo *todo) {
    const struct standing *standing = todo->call->standing;
    int64_t most = standing->settings->server.queue_max;
    const struct {
        bool holds;
        struct advice advice;
    } conditions[] = {
        {!standing->config_ok,
         {"configuration", "", "drumbeat check",
          "finds what is wrong in the file that was refused; drumbeat apply puts it in force"}},
        {standing->hold,
         {"hold", "", "drumbeat release",
          "shows what is due, asks, and lets it go; until then events are taken in and nothing is sent"}},
        {standing->tight,
         {"disk", "", "drumbeat vacuum -n",
          "says how much room removed events left in the store; the disk was full, and new events are refused"}},
        {standing->clock_waits,
         {"clock", "", "drumbeat status",
          "shows who else works on the store: the clock was ahead, and what it wrote is moved back when those that "
          "started before this process have stopped"}},
        {!standing->limits_up,
         {"limits", "", "drumbeat status",
          "shows how limits are shared: Redis does not answer, and redis.on_failure holds until it does"}},
        {most && standing->open_deliveries >= (most + 1) / 2,
         {"queue", "", "drumbeat destinations list",
          "shows what waits for whom: half of server.queue is taken, and when all is, new events are refused"}},
    };
    const struct matter nothing = {.count = 0};
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (conditions[i].holds) todo_add(todo, &conditions[i].advice, &nothing, 0);
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
    const struct matter retried = {.count = 1, .oldest_us = call->wall_us - view.retries_for_us},
                        erred = {.count = 1, .oldest_us = call->wall_us - view.errors_for_us};
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
    TRY(todo_troubled(todo));
    add_rates(todo);
    if (todo->call->standing->takes_events) TRY(add_silence(todo));
    add_sources(todo);
    todo_folders(todo);
    todo_collector(todo);
    return ERR_NONE;
}
