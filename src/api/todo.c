/* api/todo.c - what waits for a person, by cause: for each cause the command that solves it, and what that would do.
 *
 * What goes on by itself is not listed, unless a person can do it sooner. `status` counts the same things; here they
 * are told apart. Each rule is a row of a table, and its texts are filled in by `say`. */
#include "api/todo.h"

#include "base/json.h"
#include "base/when.h"
#include "deliver/heir.h"
#include "deliver/settle.h"
#include "model/alert.h"
#include "model/chore.h"
#include "store/chore.h"

#include <string.h>

#define PIECE_MIN 4 /* characters of an error that are worth looking for */

/* ---- texts ---- */

/* Where an error names the status that was answered: there its digits are those of its whole group. */
static struct str status_span(const struct matter *matter, struct arena *arena) {
    struct str words = str_fmt(arena, "answered %d", (int)matter->last_status);
    for (size_t i = 0; matter->last_status && i + words.n <= matter->error.n; i++)
        if (str_starts(str_sub(matter->error, i, words.n), words)) return str_sub(matter->error, i, words.n);
    return STR_NONE;
}

/* Whether another group of the same name has these characters in its errors too: a command that goes by them would act
 * on both. */
static bool is_of_others(const struct matter *matter, struct str run) {
    for (size_t i = 0; i < matter->rival_count; i++) {
        const struct todo_group *rival = &matter->rivals[i];
        if (!str_eq(rival->place, matter->name) || str_eq(rival->error, matter->error)) continue;
        for (size_t at = 0; at + run.n <= rival->error.n; at++)
            if (str_starts(str_sub(rival->error, at, rival->error.n), run)) return true;
    }
    return false;
}

/* The longest run of characters that all errors of the group have and no other group's, and that a shell takes between
 * quotes. Nor has it what chat programs read as a mark: an alert would have to write that otherwise, and its command
 * would find nothing. */
static struct str common_piece(const struct matter *matter, struct arena *arena) {
    struct str error = matter->error, best = STR_NONE, span = status_span(matter, arena);
    size_t from = 0;
    for (size_t i = 0; i <= error.n; i++) {
        const char *at = error.p + i;
        bool digit = i < error.n && *at >= '0' && *at <= '9' && !(span.n && at >= span.p && at < span.p + span.n);
        bool odd = i < error.n && (*at == '\'' || *at == '<' || *at == '>' || (unsigned char)*at < 0x20 || *at == 0x7f);
        if (i < error.n && !digit && !odd) continue;
        struct str run = str_trim(str_sub(error, from, i - from));
        if (run.n >= PIECE_MIN && run.n > best.n && !is_of_others(matter, run)) best = run;
        from = i + 1;
    }
    return best;
}

struct filling {
    struct str name, filter, these, at;
};

static struct str say(const char *text, const struct filling *fill, struct arena *arena) {
    const struct {
        struct str mark, value;
    } marks[] = {{STR("{name}"), fill->name},
                 {STR("{filter}"), fill->filter},
                 {STR("{these}"), fill->these},
                 {STR("{at}"), fill->at}};
    struct buf buf = {.arena = arena};
    struct str rest = str_from(text);
    while (rest.n) {
        size_t taken = 1;
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
            if (!str_starts(rest, marks[i].mark)) continue;
            buf_add(&buf, marks[i].value);
            taken = marks[i].mark.n;
        }
        if (taken == 1) buf_byte(&buf, rest.p[0]);
        rest = str_sub(rest, taken, rest.n);
    }
    return buf_str(&buf);
}

/* By the place alone where all that stands there has the same error. *ret_exact: those that it finds are those of the
 * matter. */
static struct str filter_text(const struct matter *matter, struct arena *arena, bool *ret_exact) {
    bool alone = !is_of_others(matter, STR(""));
    struct str piece = alone ? STR_NONE : common_piece(matter, arena);
    *ret_exact = piece.n || alone;
    if (!piece.n) return str_fmt(arena, "--destination %.*s", STR_ARG(matter->name));
    return str_fmt(arena, "--destination %.*s --error '%.*s'", STR_ARG(matter->name), STR_ARG(piece));
}

/* What a verb of `drumbeat deliveries` takes to act on those of the matter and on no other. */
static struct str these_text(const struct matter *matter, struct str filter, bool exact, struct arena *arena) {
    if (!matter->status || !exact) return STR("ID...");
    return str_fmt(arena, "--status %s %.*s", matter->status, STR_ARG(filter));
}

static struct cause *next_place(struct todo *todo) {
    if (todo->count == todo->room) {
        todo->room = todo->room ? todo->room * 2 : 16;
        struct cause *grown = arena_array(todo->call->arena, struct cause, todo->room);
        if (todo->count) memcpy(grown, todo->causes, todo->count * sizeof *grown);
        todo->causes = grown;
    }
    return &todo->causes[todo->count++];
}

/* What is held may hold others up, which have the same order key. */
static struct str with_others(const struct matter *matter, struct str does, struct arena *arena) {
    if (!matter->behind) return does;
    return str_fmt(arena, "%.*s; %lld %s in order behind what is open for %.*s", STR_ARG(does),
                   (long long)matter->behind, matter->behind == 1 ? "other waits" : "others wait",
                   STR_ARG(matter->name));
}

/* No words of an error tell these from those of another cause. */
static const struct advice one_by_one = {
    "", "", "drumbeat deliveries list --destination {name}",
    "lists them beside others whose errors have the same words: act on these by their ids, with drumbeat deliveries "
    "retry, resolve or cancel"};

void todo_add(struct todo *todo, const struct advice *advice, const struct matter *matter, int64_t until_us) {
    struct arena *arena = todo->call->arena;
    bool exact;
    struct str filter = filter_text(matter, arena, &exact);
    const struct filling fill = {
        .name = matter->name,
        .filter = filter,
        .these = these_text(matter, filter, exact, arena),
        .at = until_us ? when_str(arena, until_us - until_us % US_PER_S) : STR("when told to"),
    };
    bool by_error = strstr(advice->command, "{filter}") != NULL;
    const struct advice *says = by_error && !exact ? &one_by_one : advice;
    *next_place(todo) = (struct cause){.cause = str_from(advice->cause),
                                       .kind = str_from(advice->kind),
                                       .name = *advice->kind ? matter->name : STR_NONE,
                                       .error = matter->error,
                                       .command = say(says->command, &fill, arena),
                                       .does = with_others(matter, say(says->does, &fill, arena), arena),
                                       .count = matter->count,
                                       .oldest_us = matter->oldest_us};
}

/* ---- deliveries ---- */

/* What is held, by the first rule that fits. Errors are known by how they begin, doubts and unmade ones by their
 * columns. */
static const struct held_rule {
    const char *begins, *ends;
    bool doubt, unmade;
    struct advice advice; /* command NULL = it goes on by itself */
} held_rules[] = {
    {OVERFLOW_ERROR, "", false, false, {NULL, NULL, NULL, NULL}},
    {DELIVERY_RERUN, "", false, true, {NULL, NULL, NULL, NULL}},
    {STRAY_ERROR,
     "",
     false,
     false,
     {"gone", "destination", "drumbeat apply",
      "once {name} is in the configuration again, or another destination says 'was: {name}', they go on; drumbeat "
      "deliveries cancel {these} drops them"}},
    {STRAY_DOUBT,
     "",
     false,
     false,
     {"gone", "destination", "drumbeat apply",
      "once {name} is in the configuration again they are looked up there; drumbeat deliveries resolve {these} --as "
      "delivered says that they arrived"}},
    {"late: ",
     "",
     false,
     false,
     {"late", "destination", "drumbeat deliveries retry --status HELD {filter}",
      "sends them now although they are late; drumbeat deliveries cancel with the same filters drops them"}},
    {"",
     "",
     true,
     false,
     {"doubt", "destination", "drumbeat deliveries resolve --status HELD {filter} --as not-delivered",
      "records what the provider's own page tells, so look there first: that they did not arrive, which makes them "
      "FAILED; --as delivered says that they did, --as retry sends them again, which may double them"}},
    {"",
     "",
     false,
     true,
     {"unmade", "destination", "drumbeat apply",
      "once their route is mended they are made and sent by themselves; drumbeat deliveries cancel {these} drops "
      "them"}},
    {"",
     SETTLE_LONE,
     false,
     false,
     {"refused", "destination", "drumbeat deliveries retry --status HELD {filter}",
      "sends them again; look first at what they send: drumbeat deliveries list --status HELD --destination {name}"}},
    {"",
     "",
     false,
     false,
     {"held", "destination", "drumbeat deliveries retry --status HELD {filter}",
      "sends them now; drumbeat deliveries cancel with the same filters drops them"}},
};

static bool fits(const struct held_rule *rule, const struct todo_group *group) {
    return str_starts(group->error, str_from(rule->begins)) && str_ends(group->error, str_from(rule->ends)) &&
           (!rule->doubt || group->in_doubt) && (!rule->unmade || group->unmade.n);
}

static struct matter matter_of(const struct todo *todo, const struct todo_group *group, const char *status) {
    return (struct matter){.name = group->place,
                           .status = status,
                           .error = group->error,
                           .rivals = todo->groups,
                           .rival_count = todo->group_count,
                           .last_status = group->last_status,
                           .count = group->count,
                           .oldest_us = group->oldest_us};
}

/* Nothing can be sent where the configuration has no such destination; without a server that is not known. */
static bool is_gone(const struct call *call, struct str destination) {
    return call->standing->running && deliver_known(call->desks, destination) == SIZE_MAX;
}

/* What helps in the place of a command that sends, where nothing can be sent. */
static void add_gone(struct todo *todo, const char *cause, const struct matter *matter, bool doubt) {
    const struct advice drop = {cause, "destination", "drumbeat apply",
                                "once {name} is in the configuration again, or another destination says 'was: {name}', "
                                "drumbeat deliveries retry {these} sends them; drumbeat deliveries cancel {these} puts "
                                "them aside"};
    const struct advice record = {
        cause, "destination", "drumbeat deliveries resolve {these} --as not-delivered",
        "records what the provider's own page tells, so look there first: that they did not arrive, which makes them "
        "FAILED; --as delivered says that they did. {name} is gone from the configuration: nothing is sent to it"};
    todo_add(todo, doubt ? &record : &drop, matter, 0);
}

static void add_held(struct todo *todo, const struct todo_group *group) {
    struct matter matter = matter_of(todo, group, "HELD");
    for (size_t j = 0; j < todo->counts_count; j++)
        if (str_eq(todo->counts[j].destination, group->place)) matter.behind = todo->counts[j].blocked;
    size_t i = 0;
    while (!fits(&held_rules[i], group)) i++; /* the last one fits all */
    const struct advice *advice = &held_rules[i].advice;
    if (!advice->command) return;
    if (is_gone(todo->call, group->place) && strcmp(advice->cause, "gone") != 0)
        add_gone(todo, advice->cause, &matter, held_rules[i].doubt);
    else
        todo_add(todo, advice, &matter, 0);
}

static void add_failed(struct todo *todo, const struct todo_group *group) {
    static const struct advice failed = {"failed", "destination", "drumbeat deliveries retry --status FAILED {filter}",
                                         "sends them again in a run of their own, made by the configuration in force; "
                                         "mend first what their error says. drumbeat deliveries cancel with the same "
                                         "filters puts them aside"};
    static const struct advice unroutable = {
        "unroutable", "destination", "drumbeat deliveries retry --status FAILED {filter}",
        "lets their route make them again, which then sends them; mend the route first and put it in force with "
        "drumbeat apply. drumbeat deliveries cancel with the same filters puts them aside"};
    const struct matter matter = matter_of(todo, group, "FAILED");
    const struct advice *advice = group->unmade.n ? &unroutable : &failed;
    if (is_gone(todo->call, group->place))
        add_gone(todo, advice->cause, &matter, false);
    else
        todo_add(todo, advice, &matter, 0);
}

static void add_event(struct todo *todo, const struct todo_group *group) {
    static const struct advice advice = {"unroutable", "type", "drumbeat events retry --status FAILED --type {name}",
                                         "routes them again, in a run of their own"};
    const struct matter matter = matter_of(todo, group, NULL);
    todo_add(todo, &advice, &matter, 0);
}

static enum err add_groups(struct todo *todo, enum todo_kind kind,
                           void (*add_group)(struct todo *, const struct todo_group *)) {
    struct todo_group *groups;
    size_t count;
    TRY(store_todo(todo->call->store, kind, todo->call->arena, &groups, &count));
    todo->groups = groups;
    todo->group_count = count;
    for (size_t i = 0; i < count; i++) add_group(todo, &groups[i]);
    return ERR_NONE;
}

/* What is being looked up, and what is looked up at a place that is not served. */
static void add_unknown(struct todo *todo, const struct destination_counts *counts, size_t count) {
    static const struct advice advice = {"unknown", "destination", "drumbeat reconcile --destination {name}",
                                         "looks them up now; by themselves they are looked up at their time"};
    for (size_t i = 0; i < count; i++) {
        const struct matter matter = {.name = counts[i].destination, .count = counts[i].by_status[DELIVERY_UNKNOWN]};
        if (matter.count) todo_add(todo, &advice, &matter, 0);
    }
}

/* The last sheet does not add up, or the last round of verify found something. */
static enum err add_rounds(struct todo *todo) {
    static const struct {
        enum chore_name name;
        struct advice advice;
    } rounds[] = {
        {CHORE_VERIFY, {"store", "", "drumbeat verify", "looks again, and names what breaks the store's rules"}},
        {CHORE_REPORT,
         {"report", "", "drumbeat verify",
          "names the events and deliveries that contradict one another: the last sheet of a day does not add up"}},
    };
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        struct chore_round round;
        TRY(store_chore_get(todo->call->store, chore_text(rounds[i].name), todo->call->arena, &round));
        const struct matter matter = {.count = round.found, .oldest_us = round.started_us};
        if (round.found) todo_add(todo, &rounds[i].advice, &matter, 0);
    }
    return ERR_NONE;
}

enum err todo_find(struct call *call, struct todo *ret_todo) {
    struct destination_counts *counts;
    size_t count;
    *ret_todo = (struct todo){.call = call};
    TRY(store_counts(call->store, false, call->arena, &counts, &count));
    ret_todo->counts = counts;
    ret_todo->counts_count = count;
    todo_hold(ret_todo);
    if (call->standing->running) TRY(todo_server(ret_todo));
    TRY(add_rounds(ret_todo));
    TRY(add_groups(ret_todo, TODO_EVENTS, add_event));
    TRY(add_groups(ret_todo, TODO_HELD, add_held));
    add_unknown(ret_todo, counts, count);
    return add_groups(ret_todo, TODO_FAILED, add_failed);
}

/* ---- the answer ---- */

static void encode_or_null(struct buf *buf, const char *name, struct str text) {
    if (text.n)
        encode_text(buf, name, text);
    else
        buf_fmt(buf, ",\"%s\":null", name);
}

static void encode_cause(struct buf *buf, const struct cause *cause) {
    buf_add(buf, STR("{\"cause\":"));
    json_quote(buf, cause->cause);
    encode_or_null(buf, "kind", cause->kind);
    encode_or_null(buf, "name", cause->name);
    encode_or_null(buf, "error", cause->error);
    buf_fmt(buf, ",\"count\":%lld", (long long)cause->count);
    encode_time(buf, "oldest_at", cause->oldest_us);
    encode_text(buf, "command", cause->command);
    encode_text(buf, "does", cause->does);
    buf_byte(buf, '}');
}

enum err api_todo(struct call *call) {
    struct todo todo;
    struct buf buf = {.arena = call->arena};
    TRY(todo_find(call, &todo));
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < todo.count; i++) {
        if (i) buf_byte(&buf, ',');
        encode_cause(&buf, &todo.causes[i]);
    }
    return reply_list(call, &buf, 0);
}
