/* member.h - one process of drumbeat at a test's Redis, and what a person sees there. After cmocka.h. */
#ifndef TEST_SHARE_MEMBER_H
#define TEST_SHARE_MEMBER_H

#include "base/arena.h"
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
    int64_t ahead_us; /* of the real clock */
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
}

static inline void member_close(struct member *member) {
    share_close(member->share);
    arena_free(&member->arena);
}

static inline struct share_grant member_take(struct member *member, const struct share_ask *ask) {
    struct share_grant grant = {0};
    if (share_take(member->share, ask, &grant)) fail_msg("%s", share_trouble(member->share));
    return grant;
}

static inline size_t member_remaining(struct member *member, const struct share_ask *ask) {
    size_t remaining = 0;
    if (share_remaining(member->share, ask, &remaining)) fail_msg("%s", share_trouble(member->share));
    return remaining;
}

/* A take that must fail as the world's. */
static inline void member_fails(struct member *member, const struct share_ask *ask) {
    struct share_grant grant = {.granted = 77};
    assert_int_equal(share_take(member->share, ask, &grant), ERR_IO);
    assert_int_equal(grant.granted, 77);
    assert_true(*share_trouble(member->share));
}

#endif
