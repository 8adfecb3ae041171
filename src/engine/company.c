/* engine/company.c - see company.h.
 *
 * WHAT. Keeps this process's memory in step with what other processes do on the same store, and tells them what it did.
 * PROMISE. Whatever another process made or changed is seen here within LOOK_US, also when its notification was lost.
 * A turn that does not commit has learned nothing and told nothing. A process that died is no longer counted after
 * COMPANY_LIVING_US.
 * WHY IT HOLDS.
 * 1. A notification only says what kind of thing is new (enum sql_news). The flag stays in company.news until a turn
 *    that learned it has committed, so a dropped turn learns it again.
 * 2. Notifications may be lost, so each process also looks every LOOK_US, as if it had heard everything.
 * 3. What is learned replaces what was known instead of adding to it: each desk's next due moment comes from the store
 *    anew. A desk's state is taken over except for what this process changed and has not yet told (deliver_adopt).
 * 4. store_tell is part of the turn's transaction, and the database sends the notification when it commits. Whoever is
 *    woken by it finds what it speaks of.
 * 5. Work is told only when this turn leaves some of it undone (leaves_work). Otherwise every turn of one process would
 *    wake all others for nothing.
 * 6. Only one process routes at a time. One that found another at it waits until patient_us before it learns news of
 *    work, because the other finds the same work.
 * 7. A process shows itself every SEEN_US. It always counts itself, seen or not, so the count is never zero. A process
 *    that only takes events in sends nothing and is not counted.
 * WHAT BREAKS IT. A process that stands still for longer than COMPANY_LIVING_US is no longer counted and does not know
 * it; engine/quota.c and the fence of each lease are made for that. A change of state that no one tells is seen by the
 * others only at their next look.
 * HOW TO SEE IT. `instances` in GET /v1/status; the log line no_notifications.
 * TESTED BY. test/conformance/test_peers.c, test_fleet_work.c, test_fleet_state.c; test/e2e/test_processes.py and
 * test_failover.py.
 */
#include "engine/company.h"
#include "deliver/hold.h"

#include "engine/loop_memory.h"
#include "store/shared.h"

#include <unistd.h>

#define LOOK_US      (2 * US_PER_S)
#define SEEN_US      (5 * US_PER_S)
#define COUNT_OLD_US (4 * US_PER_S)

static const char *const role_texts[] = {
    [LOOP_ALL] = "all",
    [LOOP_INGEST] = "ingest",
    [LOOP_WORKER] = "worker",
};

struct str loop_role_text(enum loop_role role) {
    return str_from(role_texts[role]);
}

void company_open(struct loop *loop, int64_t now_us) {
    bool shared = store_is_shared(loop->options.store);
    loop->company = (struct company){.look_us = shared ? now_us : WHEN_NEVER,
                                     .seen_us = shared ? now_us : WHEN_NEVER,
                                     .count_us = -COUNT_OLD_US,
                                     .count = 1};
}

/* The news that this turn learns. While another process routes, it finds the same work, so news of work can wait. */
static unsigned news_to_learn(const struct loop *loop, int64_t now_us) {
    const struct company *company = &loop->company;
    return now_us < company->patient_us ? company->news & ~(unsigned)SQL_NEWS_WORK : company->news;
}

bool company_are_due(struct loop *loop, int64_t now_us) {
    struct company *company = &loop->company;
    company->news |= store_news(loop->options.store);
    if (!turn_routes(loop)) /* a process that only takes events in has nothing to do with work */
        company->news &= ~(unsigned)SQL_NEWS_WORK;
    return news_to_learn(loop, now_us) || company->look_us <= now_us;
}

int64_t company_next(const struct loop *loop) {
    const struct company *company = &loop->company;
    return company->news && company->patient_us < company->look_us ? company->patient_us : company->look_us;
}

/* ---- learning ---- */

/* Others may have made what is due now, and may have done what was due here, so all due moments are read anew. */
static enum err learn_work(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct next_due *next;
    size_t count;
    TRY(store_next_scheduled(loop->options.store, &loop->next_scheduled_us));
    TRY(store_next_due_all(loop->options.store, turn->arena, &next, &count));
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) deliver_set_due(loop->deliver, i, WHEN_NEVER);
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(loop->deliver, next[i].destination);
        if (desk != SIZE_MAX) deliver_set_due(loop->deliver, desk, next[i].due_us);
    }
    return ERR_NONE;
}

static enum err learn_desks(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct destination_state *states;
    size_t count;
    TRY(store_destination_states(loop->options.store, turn->arena, &states, &count));
    for (size_t i = 0; i < count; i++) {
        if (str_eq(states[i].name, STR(HOLD_NAME)))
            deliver_hold_read(loop->deliver, states[i].paused, states[i].pause_reason);
        size_t desk = deliver_desk(loop->deliver, states[i].name);
        const struct destination_settings *settings = desk == SIZE_MAX ? NULL : deliver_settings(loop->deliver, desk);
        if (!settings) continue;
        struct desk_view view = loop_desk_view(&states[i], settings, turn->now_us);
        deliver_adopt(loop->deliver, desk, &view, turn->now_us);
    }
    return ERR_NONE;
}

static enum err learn_state(struct turn *turn) {
    struct loop *loop = turn->loop;
    tokens_reread(loop);
    TRY(learn_desks(turn));
    TRY(loop_read_stops(loop, turn->now_us, turn->arena));
    return loop->options.service.learn(loop->options.service.self, loop->options.store);
}

enum err company_show(struct store *store, enum loop_role role) {
    char host[65] = "";
    gethostname(host, sizeof host - 1);
    return store_seen(store, loop_role_text(role), str_from(host));
}

static enum err say_that_we_live(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (turn->now_us < loop->company.seen_us) return ERR_NONE;
    TRY(company_show(loop->options.store, loop->options.role));
    return loop_count_open(loop, turn->arena);
}

enum err company_learn(struct turn *turn) {
    struct company *company = &turn->loop->company;
    bool look = company->look_us <= turn->now_us;
    unsigned news = news_to_learn(turn->loop, turn->now_us);
    company->kept = company->news & ~news;
    if ((look && turn_routes(turn->loop)) || news & SQL_NEWS_WORK) TRY(learn_work(turn));
    if (look || news & SQL_NEWS_STATE) TRY(learn_state(turn));
    return look ? say_that_we_live(turn) : ERR_NONE;
}

void company_learned(struct turn *turn) {
    struct company *company = &turn->loop->company;
    company->news &= company->kept;
    company->tell = 0;
    if (company->look_us > turn->now_us) return;
    company->look_us = turn->now_us + LOOK_US;
    if (company->seen_us > turn->now_us) return;
    company->seen_us = turn->now_us + SEEN_US;
    if (!company->first_us) company->first_us = turn->now_us;
}

enum err company_count(struct turn *turn, size_t *ret_count) {
    struct loop *loop = turn->loop;
    struct company *company = &loop->company;
    if (turn->now_us - company->count_us >= COUNT_OLD_US) {
        struct instance *instances;
        size_t count, others = 0;
        TRY(store_instances(loop->options.store, COMPANY_LIVING_US, turn->arena, &instances, &count));
        for (size_t i = 0; i < count; i++)
            others += !str_eq(instances[i].token, loop->options.instance) && !str_eq(instances[i].role, STR("ingest"));
        company->count = others + 1;
        company->count_us = turn->now_us;
    }
    *ret_count = company->count;
    return ERR_NONE;
}

/* ---- telling ---- */

/* Whether this turn leaves work that another process could do: because its own budget is used up, or because its role
 * does not do such work. */
static bool leaves_work(const struct turn *turn) {
    const struct loop *loop = turn->loop;
    bool made = turn->planned_count > 0 || turn->wishes & WISH_WORK;
    for (size_t i = 0; i < turn->event_count && !made; i++) made = turn->verdicts[i].verdict == APPEND_FRESH;
    if (!made || loop->options.role == LOOP_INGEST) return made;
    bool waits = loop->next_scheduled_us <= turn->wall_us;
    for (size_t i = 0; i < deliver_desks(loop->deliver) && !waits; i++)
        waits = deliver_is_due(loop->deliver, i, turn->now_us);
    return waits;
}

enum err company_tell(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (!store_is_shared(loop->options.store)) return ERR_NONE;
    if (leaves_work(turn)) loop->company.tell |= SQL_NEWS_WORK;
    if (turn->wishes & (WISH_KEYS | WISH_STATE | WISH_TOKENS)) loop->company.tell |= SQL_NEWS_STATE;
    return loop->company.tell ? store_tell(loop->options.store, loop->company.tell) : ERR_NONE;
}

/* An error is not reported: if the store does not take this, the others miss the process by its silence. */
void company_leave(struct store *store) {
    if (!store_is_shared(store) || store_begin(store)) return;
    enum err err = store_gone(store);
    if (!err) err = store_commit(store);
    if (err) store_rollback(store);
}
