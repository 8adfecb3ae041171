#include "deliver/backlog.h"

#include "deliver/desk.h"

#define ROOM_MAX      256 /* at a time */
#define SPARE_PERCENT 50

void backlog_change(struct deliver *deliver, size_t desk, int64_t change) {
    if (desk == SIZE_MAX) return;
    struct desk_state *state = desk_stage(desk_at(deliver, desk));
    state->waiting = state->waiting + change > 0 ? state->waiting + change : 0;
}

void backlog_overflow(struct deliver *deliver, size_t desk) {
    if (!desk_at(deliver, desk)->now.overflows) desk_stage(desk_at(deliver, desk))->overflows = true;
}

void backlog_look_begin(struct deliver *deliver) {
    for (size_t i = 0; i < deliver->desks.count; i++) {
        struct desk *desk = desk_at(deliver, i);
        if (desk->now.overflow_met || desk->now.overflow_asked)
            desk_stage(desk)->overflow_met = desk_stage(desk)->overflow_asked = false;
    }
}

void backlog_look_meets(struct deliver *deliver, size_t desk) {
    if (!desk_at(deliver, desk)->now.overflow_met) desk_stage(desk_at(deliver, desk))->overflow_met = true;
}

bool backlog_look_asks(struct deliver *deliver, size_t desk) {
    if (desk_at(deliver, desk)->now.overflow_asked) return false;
    return desk_stage(desk_at(deliver, desk))->overflow_asked = true;
}

void backlog_look_end(struct deliver *deliver) {
    for (size_t i = 0; i < deliver->desks.count; i++) {
        bool met = desk_at(deliver, i)->now.overflow_met;
        if (desk_at(deliver, i)->now.overflows != met) desk_stage(desk_at(deliver, i))->overflows = met;
    }
}

void backlog_read(struct deliver *deliver, size_t desk_number, int64_t waiting) {
    struct desk *desk = desk_at(deliver, desk_number);
    desk->now.waiting = desk->committed.waiting = waiting;
}

void backlog_read_overflow(struct deliver *deliver, size_t desk_number) {
    struct desk *desk = desk_at(deliver, desk_number);
    desk->now.overflows = desk->committed.overflows = true;
}

void backlog_forget(struct deliver *deliver) {
    for (size_t i = 0; i < deliver->desks.count; i++) backlog_read(deliver, i, 0);
}

bool backlog_is_full(const struct deliver *deliver, size_t desk_number) {
    const struct desk *desk = desk_at(deliver, desk_number);
    return desk->queue_max && (desk->now.overflows || desk->now.waiting >= desk->queue_max);
}

size_t backlog_room(const struct deliver *deliver, size_t desk_number) {
    const struct desk *desk = desk_at(deliver, desk_number);
    if (!desk->settings) return 0;
    int64_t waiting = desk->now.waiting, most = desk->queue_max;
    if (!most) return ROOM_MAX;
    if (waiting > most - (most + 3) / 4) return 0;
    return most - waiting < ROOM_MAX ? (size_t)(most - waiting) : ROOM_MAX;
}

int64_t backlog_total(const struct deliver *deliver) {
    int64_t total = 0;
    for (size_t i = 0; i < deliver->desks.count; i++) total += desk_at(deliver, i)->now.waiting;
    return total;
}

struct backlog backlog_of(const struct deliver *deliver, size_t desk_number) {
    const struct desk *desk = desk_at(deliver, desk_number);
    return (struct backlog){desk->now.waiting, desk->queue_max, desk->now.overflows};
}

size_t backlog_spare(const struct deliver *deliver, size_t desk_number, int64_t now_us) {
    const struct desk *desk = desk_at(deliver, desk_number);
    struct desk_view view = deliver_view(deliver, desk_number, now_us);
    if (!desk->settings || view.paused || view.breaker.state != BREAKER_CLOSED) return 0;
    if (deliver_is_due(deliver, desk_number, now_us)) return 0; /* others wait already */
    size_t places = desk->settings->concurrency > 1 ? (size_t)desk->settings->concurrency / 2 : 1;
    size_t spare = limiter_spare(desk->limiter, now_us, SPARE_PERCENT);
    if (spare > places) spare = places;
    return spare > desk->now.in_flight ? spare - desk->now.in_flight : 0;
}
