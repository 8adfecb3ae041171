/* share/redis.c - see redis.h. The one file that knows hiredis: it writes commands and reads replies; sockets,
 * deadlines and what is remembered between calls are ours. */
#include "share/redis.h"

#include "os/deadline.h"
#include "share/wire.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES 4096
/* Replies are numbers and one digest, so whatever sends more than this for one reply is not a Redis. */
#define REPLY_BYTES_MAX ((size_t)64 << 10)
#define SHA_DIGITS      40
/* EVALSHA, the script's name, the number of keys */
#define HEAD_PARTS 3
/* How many notes may be without an answer: a Redis that answers none of so many is gone. */
#define OWED_MAX 1000

struct redis {
    struct redis_options options;
    struct wire *wire;
    redisReader *reader; /* NULL while there is no connection */
    size_t owed;         /* replies to come that nobody waits for */
    size_t read_bytes;   /* since the last whole reply */
    char sha[SHA_DIGITS + 1];
    uint64_t breaks;
    int64_t until_us; /* of the call that redis_reach began */
    bool dialed, up;
    int64_t next_dial_us; /* options.clock's */
    char trouble[200];
};

struct redis *redis_new(const struct redis_options *options) {
    struct redis *redis = calloc(1, sizeof *redis);
    assert(redis);
    redis->options = *options;
    redis->wire = wire_new(options->url);
    return redis;
}

static void redis_drop(struct redis *redis) {
    if (redis->reader) redisReaderFree(redis->reader);
    redis->reader = NULL;
    redis->owed = redis->read_bytes = 0;
    redis->breaks++;
    wire_close(redis->wire);
}

void redis_free(struct redis *redis) {
    if (!redis) return;
    redis_drop(redis);
    wire_free(redis->wire);
    free(redis);
}

uint64_t redis_breaks(const struct redis *redis) {
    return redis->breaks;
}

bool redis_is_up(const struct redis *redis) {
    return redis->up;
}

const char *redis_trouble(const struct redis *redis) {
    return redis->trouble;
}

/* ---- trouble ---- */

/* Keeps words for the trouble. The detail comes from a stranger, so only printable bytes of it are kept, and no more
 * than there is room for. */
static void note_trouble(struct redis *redis, const char *what, const char *detail, size_t length) {
    if (length > sizeof redis->trouble / 2) length = sizeof redis->trouble / 2;
    snprintf(redis->trouble, sizeof redis->trouble, "%s%s%.*s", what, length ? ": " : "", (int)length, detail);
    for (char *at = redis->trouble; *at; at++)
        if (*at < ' ' || *at > '~') *at = '?';
}

enum err redis_fail(struct redis *redis, const char *what, const char *detail) {
    note_trouble(redis, what, detail, strlen(detail));
    redis_drop(redis);
    redis->up = false;
    return ERR_IO;
}

static enum err redis_refused(struct redis *redis, const char *what, const redisReply *reply) {
    note_trouble(redis, what, reply->str, reply->len);
    redis_drop(redis);
    return ERR_IO;
}

static bool is_error(const redisReply *reply, const char *code) {
    size_t n = strlen(code);
    return reply->type == REDIS_REPLY_ERROR && reply->len >= n && memcmp(reply->str, code, n) == 0;
}

/* ---- replies ---- */

/* The next whole reply of what was received, or NULL in *ret_reply. */
static enum err reply_parse(struct redis *redis, redisReply **ret_reply) {
    void *reply = NULL;
    if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK)
        return redis_fail(redis, "what Redis sent is not its protocol", redis->reader->errstr);
    if (reply) redis->read_bytes = 0;
    *ret_reply = reply;
    return ERR_NONE;
}

/* Sends and receives without waiting. */
static enum err redis_move(struct redis *redis, bool *ret_came) {
    char bytes[READ_BYTES];
    const char *trouble = NULL;
    ssize_t received = wire_move(redis->wire, bytes, sizeof bytes, &trouble);
    if (received < 0) return redis_fail(redis, "the connection to Redis broke", trouble);
    redis->read_bytes += (size_t)received;
    if (redis->read_bytes > REPLY_BYTES_MAX) return redis_fail(redis, "a reply of Redis is too long", "");
    if (received && redisReaderFeed(redis->reader, bytes, (size_t)received) != REDIS_OK)
        return redis_fail(redis, "what Redis sent is not its protocol", redis->reader->errstr);
    *ret_came = received > 0;
    return ERR_NONE;
}

static enum err reply_await(struct redis *redis, int64_t until_us, redisReply **ret_reply) {
    for (;;) {
        redisReply *reply = NULL;
        bool came = false;
        TRY(reply_parse(redis, &reply));
        if (reply) {
            *ret_reply = reply;
            return ERR_NONE;
        }
        TRY(redis_move(redis, &came));
        if (came) continue;
        if (!wire_wait(redis->wire, until_us)) return redis_fail(redis, "Redis did not answer in time", "");
    }
}

/* Drops the reply to a note, even when it is an error. The sender has nothing more to do: what a lost note may cost is
 * bounded by what the note is about. */
static void owed_settle(struct redis *redis, redisReply *reply) {
    if (reply->type == REDIS_REPLY_ERROR) note_trouble(redis, "Redis refused a note", reply->str, reply->len);
    freeReplyObject(reply);
    redis->owed--;
}

/* Reads the replies that are owed for notes, which come before the reply to the next call. */
static enum err owed_await(struct redis *redis, int64_t until_us) {
    while (redis->owed) {
        redisReply *reply = NULL;
        TRY(reply_await(redis, until_us, &reply));
        owed_settle(redis, reply);
    }
    return ERR_NONE;
}

/* Finds out whether a connection was closed, or speaks without being asked, before anything is asked on it. */
static enum err redis_look(struct redis *redis) {
    bool came = true;
    while (came) {
        redisReply *reply = NULL;
        TRY(redis_move(redis, &came));
        for (;;) {
            TRY(reply_parse(redis, &reply));
            if (!reply) break;
            if (!redis->owed) {
                freeReplyObject(reply);
                return redis_fail(redis, "Redis spoke unasked", "");
            }
            owed_settle(redis, reply);
        }
    }
    return ERR_NONE;
}

/* ---- commands ---- */

static enum err command_put(struct redis *redis, const struct str *parts, size_t count) {
    const char *texts[HEAD_PARTS + REDIS_PARTS_MAX];
    size_t lengths[HEAD_PARTS + REDIS_PARTS_MAX];
    assert(count <= HEAD_PARTS + REDIS_PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        texts[i] = parts[i].n ? parts[i].p : "";
        lengths[i] = parts[i].n;
    }
    char *command = NULL;
    int bytes = redisFormatCommandArgv(&command, (int)count, texts, lengths);
    assert(bytes > 0);
    bool put = wire_put(redis->wire, command, (size_t)bytes);
    free(command);
    return put ? ERR_NONE : redis_fail(redis, "Redis takes nothing", "");
}

/* Puts the call of the script: by its digest, or with its whole text when Redis does not know the digest. */
static enum err script_put(struct redis *redis, const struct redis_call *call, bool whole) {
    struct str parts[HEAD_PARTS + REDIS_PARTS_MAX];
    char keys[24];
    assert(call->count <= REDIS_PARTS_MAX && call->key_count <= call->count);
    int digits = snprintf(keys, sizeof keys, "%zu", call->key_count);
    parts[0] = whole ? STR("EVAL") : STR("EVALSHA");
    parts[1] = whole ? redis->options.script : str_from(redis->sha);
    parts[2] = (struct str){keys, (size_t)digits};
    memcpy(parts + HEAD_PARTS, call->parts, call->count * sizeof *parts);
    return command_put(redis, parts, HEAD_PARTS + call->count);
}

/* ---- connecting ---- */

static bool reply_is_ok(struct redis *redis, const redisReply *reply) {
    (void)redis;
    return reply->type == REDIS_REPLY_STATUS;
}

static bool reply_is_sha(struct redis *redis, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_STRING || reply->len != SHA_DIGITS) return false;
    memcpy(redis->sha, reply->str, SHA_DIGITS);
    return true;
}

/* The length of an error's first word. What follows it may repeat the command, and with it the password. */
static size_t code_length(const redisReply *reply) {
    size_t n = 0;
    while (n < reply->len && reply->str[n] >= 'A' && reply->str[n] <= 'Z') n++;
    return n;
}

struct step {
    struct str parts[3];
    size_t count; /* 0 = not needed */
    bool (*check)(struct redis *redis, const redisReply *reply);
    const char *refused;
};

static enum err step_end(struct redis *redis, const struct step *step, int64_t until_us) {
    redisReply *reply = NULL;
    TRY(reply_await(redis, until_us, &reply));
    enum err err = ERR_NONE;
    if (reply->type == REDIS_REPLY_ERROR) {
        note_trouble(redis, step->refused, reply->str, code_length(reply));
        redis_drop(redis);
        err = ERR_IO;
    } else if (!step->check(redis, reply)) {
        err = redis_fail(redis, "an answer of Redis makes no sense", "");
    }
    freeReplyObject(reply);
    return err;
}

/* Sends all steps of the greeting at once, and then reads their answers. */
static enum err redis_greet(struct redis *redis, int64_t until_us) {
    const struct redis_url *url = redis->options.url;
    char number[16];
    int digits = snprintf(number, sizeof number, "%d", url->database);
    const struct step steps[] = {
        {.parts = {STR("AUTH"), url->user.n ? url->user : url->password, url->password},
         .count = !url->password.p ? 0
                  : url->user.n    ? 3
                                   : 2,
         .check = reply_is_ok,
         .refused = "Redis refused the login"},
        {.parts = {STR("SELECT"), {number, (size_t)digits}},
         .count = url->database ? 2 : 0,
         .check = reply_is_ok,
         .refused = "Redis refused the database"},
        {.parts = {STR("SCRIPT"), STR("LOAD"), redis->options.script},
         .count = 3,
         .check = reply_is_sha,
         .refused = "Redis refused the script"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].count) TRY(command_put(redis, steps[i].parts, steps[i].count));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].count) TRY(step_end(redis, &steps[i], until_us));
    return ERR_NONE;
}

static enum err redis_dial(struct redis *redis, int64_t until_us) {
    int64_t now_us = redis->options.clock.now_us(redis->options.clock.self);
    if (redis->dialed && now_us < redis->next_dial_us) return ERR_IO; /* the trouble is known */
    redis->dialed = true;
    redis->next_dial_us = now_us + REDIS_PAUSE_US;
    const char *trouble = NULL;
    if (wire_open(redis->wire, until_us, &trouble)) return redis_fail(redis, "no connection to Redis", trouble);
    redis->reader = redisReaderCreate();
    assert(redis->reader);
    return redis_greet(redis, until_us);
}

enum err redis_reach(struct redis *redis) {
    redis->until_us = deadline_now_us() + redis->options.deadline_us;
    if (wire_is_open(redis->wire) && redis_look(redis) == ERR_NONE) return ERR_NONE;
    return redis_dial(redis, redis->until_us);
}

/* ---- calls ---- */

static enum err script_run(struct redis *redis, const struct redis_call *call, redisReply **ret_reply) {
    redisReply *reply = NULL;
    TRY(script_put(redis, call, false));
    TRY(owed_await(redis, redis->until_us));
    TRY(reply_await(redis, redis->until_us, &reply));
    if (is_error(reply, "NOSCRIPT")) {
        freeReplyObject(reply);
        TRY(script_put(redis, call, true));
        TRY(reply_await(redis, redis->until_us, &reply));
    }
    *ret_reply = reply;
    return ERR_NONE;
}

static enum err numbers_read(struct redis *redis, const redisReply *reply, int64_t *ret_numbers, size_t count) {
    if (reply->type == REDIS_REPLY_ERROR) return redis_refused(redis, "Redis refused", reply);
    bool right = reply->type == REDIS_REPLY_ARRAY && reply->elements == count;
    for (size_t i = 0; right && i < count; i++) right = reply->element[i]->type == REDIS_REPLY_INTEGER;
    if (!right) return redis_fail(redis, "an answer of Redis makes no sense", "");
    for (size_t i = 0; i < count; i++) ret_numbers[i] = reply->element[i]->integer;
    return ERR_NONE;
}

enum err redis_ask(struct redis *redis, const struct redis_call *call, int64_t *ret_numbers, size_t count) {
    redisReply *reply = NULL;
    assert(wire_is_open(redis->wire));
    TRY(script_run(redis, call, &reply));
    enum err err = numbers_read(redis, reply, ret_numbers, count);
    freeReplyObject(reply);
    redis->up = !err;
    return err;
}

bool redis_tell(struct redis *redis, const struct redis_call *call) {
    bool came = false;
    if (!wire_is_open(redis->wire)) return false;
    if (redis->owed == OWED_MAX) {
        redis_fail(redis, "Redis does not answer", "");
        return false;
    }
    if (redis_look(redis) || script_put(redis, call, false)) return false;
    redis->owed++;
    return redis_move(redis, &came) == ERR_NONE;
}
