/* api/todo_server.c - what waits for a person and is known to a server that runs alone. */
#include "api/notes.h"
#include "api/todo.h"
#include "base/when.h"
#include "model/settings.h"
#include "model/source.h"

#define REFUSED_US US_PER_HOUR /* a source whose last refusal is older is not worth a look any more */

static void add_sources(struct todo *todo) {
    static const struct advice advice = {"source", "source", "drumbeat sources show {name}",
                                         "shows what was refused and why; a wrong secret is mended at the sender, or "
                                         "here under sources"};
    struct call *call = todo->call;
    const struct settings *settings = call->standing->settings;
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct note *note = serve_note(call, settings->sources[i].name);
        if (settings->sources[i].kind == SOURCE_FORM) continue; /* anybody may send nonsense to it */
        if (!note || !note->code || call->wall_us - note->at_us >= REFUSED_US) continue;
        const struct matter matter = {
            .name = settings->sources[i].name, .error = str_from(note->why), .count = 1, .oldest_us = note->at_us};
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

void todo_server(struct todo *todo) {
    add_conditions(todo);
    todo_troubled(todo);
    add_sources(todo);
    todo_folders(todo);
}
