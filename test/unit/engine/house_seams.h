/* test/unit/engine/house_seams.h - the ends of the seams of a house. */
#ifndef ENGINE_HOUSE_SEAMS_H
#define ENGINE_HOUSE_SEAMS_H

#include "house.h"

#include <string.h>

static inline int64_t read_now(void *self) {
    return ((struct house *)self)->now_us;
}

static inline int64_t read_wall(void *self) {
    return ((struct house *)self)->wall_us;
}

static inline void note_wait(void *self, int64_t until_us) {
    ((struct house *)self)->waited_until_us = until_us;
}

static inline size_t collect_requests(void *self, struct request **ret_requests, size_t max) {
    struct house *house = self;
    size_t count = house->request_count < max ? house->request_count : max;
    for (size_t i = 0; i < count; i++) ret_requests[i] = &house->requests[i];
    house->request_count = 0;
    if (!house->endless) return count;
    for (count = 0; count < max; count++) ret_requests[count] = &house->requests[0];
    return count;
}

static inline void take_reply(void *self, struct request *request, const struct reply *reply) {
    struct house *house = self;
    (void)request;
    if (house->endless) return;
    assert_true(house->reply_count < HOUSE_ROOM);
    struct house_reply *kept = &house->replies[house->reply_count++];
    *kept = (struct house_reply){.status = reply->status, .body = str_dup(&house->arena, reply->body)};
    for (size_t i = 0; i < reply->header_count; i++)
        if (str_eq(reply->headers[i].name, STR("X-Event-Status")))
            kept->event_status = str_dup(&house->arena, reply->headers[i].value);
}

static inline void start_call(void *self, uint64_t tag, const struct outgoing *outgoing) {
    struct house *house = self;
    assert_true(house->call_count < HOUSE_ROOM);
    house->calls[house->call_count++] = (struct house_call){tag, outgoing};
}

static inline size_t collect_done(void *self, struct completion *ret_completions, size_t max) {
    struct house *house = self;
    assert_true(house->done_count <= max);
    size_t count = house->done_count;
    memcpy(ret_completions, house->done, count * sizeof *ret_completions);
    house->done_count = 0;
    return count;
}

static inline void release_done(void *self, struct completion *completion) {
    (void)completion, ((struct house *)self)->released++;
}

static inline void cancel_call(void *self, uint64_t tag) {
    struct house *house = self;
    house->done[house->done_count++] =
        (struct completion){.tag = tag, .answer = {.end = EXCHANGE_CANCELLED, .finished_us = house->now_us}};
}

static inline enum err begin_turn(void *self) {
    struct house *house = self;
    if (house->begin_fails) return house->begin_fails;
    house->in_turn = true;
    return house->real.begin(house->real.self);
}

static inline enum err commit_turn(void *self) {
    struct house *house = self;
    if (house->commit_races > 0 && house->commit_races--) return ERR_STORE_RACED;
    if (house->commit_fails) return house->commit_fails;
    house->in_turn = false;
    house->now_us += house->commit_takes_us;
    return house->real.commit(house->real.self);
}

static inline enum err run_batch(void *self, const struct sql_batch *batch, struct arena *arena,
                                 struct sql_result *result) {
    struct house *house = self;
    return house->real.run(house->real.self, batch, arena, result);
}

static inline enum err run_script(void *self, struct str sql, struct arena *arena, struct sql_result *result) {
    struct house *house = self;
    return house->real.script(house->real.self, sql, arena, result);
}

static inline void roll_back(void *self) {
    struct house *house = self;
    house->in_turn = false;
    house->real.rollback(house->real.self);
}

static inline enum err tidy_up(void *self, bool idle) {
    struct house *house = self;
    return house->real.tidy(house->real.self, idle);
}

static inline const char *trouble(void *self) {
    struct house *house = self;
    return house->real.trouble(house->real.self);
}

/* In this process; a payload that says RUNAWAY is stopped. */
static inline void run_calls(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    for (size_t i = 0; i < count; i++)
        if (memmem(calls[i].input.p, calls[i].input.n, "RUNAWAY", 7))
            calls[i].err = ERR_JQ_RUNAWAY;
        else
            jq_run(self, &calls[i], arena);
}

#endif
