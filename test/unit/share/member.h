/* member.h - one process of drumbeat at a test's Redis, and what a person sees there. After cmocka.h. */
#ifndef TEST_SHARE_MEMBER_H
#define TEST_SHARE_MEMBER_H

#include "base/arena.h"
#include "model/sharing.h"
#include "server.h"
#include "share/share.h"

/* The number or the text that a command answers; -1 for nothing. */
static inline long long server_number(struct server *server, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->eye, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s", reply->str);
    long long number = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
                       : reply->type == REDIS_REPLY_STRING ? atoll(reply->str)
                                                           : -1;
    freeReplyObject(reply);
    return number;
}

struct member {
    struct arena arena;
    struct share *share;
    struct shared_limits limits; /* the seam */
    uint64_t losses;             /* takes that found something forgotten */
    int64_t ahead_us;            /* of the real clock */
};

static inline int64_t member_now_us(void *self) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000 + ((struct member *)self)->ahead_us;
}

/* A second of patience: the machine may be busy, and what is tested is not how fast it is. */
static inline void member_open(struct member *member, const char *url) {
    *member = (struct member){0};
    const struct share_options options = {.url = str_from(url),
                                          .deadline_us = US_PER_S,
                                          .instance = STR("here"),
                                          .clock = {.now_us = member_now_us, .self = member}};
    struct str problem = STR_NONE;
    if (share_open(&options, &member->arena, &member->share, &problem)) fail_msg("%.*s", STR_ARG(problem));
    member->limits = share_limits(member->share);
}

static inline void member_close(struct member *member) {
    share_close(member->share);
    arena_free(&member->arena);
}

/* A loss is like a failure, and counted. */
static inline enum err member_try(struct member *member, const struct limit_ask *ask, struct limit_grant *ret_grant) {
    struct limit_grant grant = {0};
    enum err err = member->limits.take(member->limits.self, ask, 1, &grant);
    if (err) return err;
    member->losses += grant.lost;
    if (grant.lost) return ERR_IO;
    *ret_grant = grant;
    return ERR_NONE;
}

static inline struct limit_grant member_take(struct member *member, const struct limit_ask *ask) {
    struct limit_grant grant = {0};
    if (member_try(member, ask, &grant)) fail_msg("%s", share_trouble(member->share));
    return grant;
}

static inline void member_started(struct member *member, struct str limit, size_t started) {
    const struct limit_use use = {limit, started, false};
    member->limits.started(member->limits.self, &use, 1);
}

static inline void member_flying(struct member *member, struct str limit, size_t flying) {
    const struct limit_use use = {limit, flying, true};
    member->limits.started(member->limits.self, &use, 1);
}

static inline void member_began(struct member *member, struct limit_ticket ticket, size_t flew) {
    member->limits.began(member->limits.self, ticket, flew);
}

static inline void member_quiet(struct member *member, struct str limit, int64_t for_us) {
    member->limits.quiet(member->limits.self, limit, for_us);
}

static inline void member_teach(struct member *member, const struct limit_ask *ask, const int64_t *ages_us,
                                size_t count) {
    if (member->limits.teach(member->limits.self, ask, ages_us, count)) fail_msg("%s", share_trouble(member->share));
}

/* What is left, without taking any of it. */
static inline enum err member_look(struct member *member, const struct limit_ask *ask, size_t *ret_remaining) {
    struct limit_ask look = *ask;
    struct limit_grant grant;
    look.want = 0;
    TRY(member_try(member, &look, &grant));
    *ret_remaining = grant.remaining;
    return ERR_NONE;
}

static inline size_t member_remaining(struct member *member, const struct limit_ask *ask) {
    size_t remaining = 0;
    if (member_look(member, ask, &remaining)) fail_msg("%s", share_trouble(member->share));
    return remaining;
}

/* A take that must fail as the world's. */
static inline void member_fails(struct member *member, const struct limit_ask *ask) {
    struct limit_grant grant = {.granted = 77};
    assert_int_equal(member_try(member, ask, &grant), ERR_IO);
    assert_int_equal(grant.granted, 77);
    assert_true(*share_trouble(member->share));
}

#endif
