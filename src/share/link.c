/* share/link.c - see link.h. The one file that knows hiredis: it writes commands and reads replies; sockets, deadlines
 * and what is remembered between calls are ours. */
#include "share/link.h"

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

struct link {
    struct link_options options;
    struct wire *wire;
    redisReader *reader; /* NULL while there is no connection */
    size_t owed;         /* replies to come that nobody waits for */
    size_t read_bytes;   /* since the last whole reply */
    char sha[SHA_DIGITS + 1];
    uint64_t breaks;
    int64_t until_us; /* of the call that link_reach began */
    bool dialed, up;
    int64_t next_dial_us; /* options.clock's */
    char trouble[200];
};

struct link *link_new(const struct link_options *options) {
    struct link *link = calloc(1, sizeof *link);
    assert(link);
    link->options = *options;
    link->wire = wire_new(options->url);
    return link;
}

static void link_drop(struct link *link) {
    if (link->reader) redisReaderFree(link->reader);
    link->reader = NULL;
    link->owed = link->read_bytes = 0;
    link->breaks++;
    wire_close(link->wire);
}

void link_free(struct link *link) {
    if (!link) return;
    link_drop(link);
    wire_free(link->wire);
    free(link);
}

uint64_t link_breaks(const struct link *link) {
    return link->breaks;
}

bool link_is_up(const struct link *link) {
    return link->up;
}

const char *link_trouble(const struct link *link) {
    return link->trouble;
}

/* ---- trouble ---- */

/* Keeps words for the trouble. The detail comes from a stranger, so only printable bytes of it are kept, and no more
 * than there is room for. */
static void note_trouble(struct link *link, const char *what, const char *detail, size_t length) {
    if (length > sizeof link->trouble / 2) length = sizeof link->trouble / 2;
    snprintf(link->trouble, sizeof link->trouble, "%s%s%.*s", what, length ? ": " : "", (int)length, detail);
    for (char *at = link->trouble; *at; at++)
        if (*at < ' ' || *at > '~') *at = '?';
}

enum err link_fail(struct link *link, const char *what, const char *detail) {
    note_trouble(link, what, detail, strlen(detail));
    link_drop(link);
    link->up = false;
    return ERR_IO;
}

static enum err link_refused(struct link *link, const char *what, const redisReply *reply) {
    note_trouble(link, what, reply->str, reply->len);
    link_drop(link);
    return ERR_IO;
}

static bool is_error(const redisReply *reply, const char *code) {
    size_t n = strlen(code);
    return reply->type == REDIS_REPLY_ERROR && reply->len >= n && memcmp(reply->str, code, n) == 0;
}

/* ---- replies ---- */

/* The next whole reply of what was received, or NULL in *ret_reply. */
static enum err reply_parse(struct link *link, redisReply **ret_reply) {
    void *reply = NULL;
    if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
        return link_fail(link, "what Redis sent is not its protocol", link->reader->errstr);
    if (reply) link->read_bytes = 0;
    *ret_reply = reply;
    return ERR_NONE;
}

/* Sends and receives without waiting. */
static enum err link_move(struct link *link, bool *ret_came) {
    char bytes[READ_BYTES];
    const char *trouble = NULL;
    ssize_t received = wire_move(link->wire, bytes, sizeof bytes, &trouble);
    if (received < 0) return link_fail(link, "the connection to Redis broke", trouble);
    link->read_bytes += (size_t)received;
    if (link->read_bytes > REPLY_BYTES_MAX) return link_fail(link, "a reply of Redis is too long", "");
    if (received && redisReaderFeed(link->reader, bytes, (size_t)received) != REDIS_OK)
        return link_fail(link, "what Redis sent is not its protocol", link->reader->errstr);
    *ret_came = received > 0;
    return ERR_NONE;
}

static enum err reply_await(struct link *link, int64_t until_us, redisReply **ret_reply) {
    for (;;) {
        redisReply *reply = NULL;
        bool came = false;
        TRY(reply_parse(link, &reply));
        if (reply) {
            *ret_reply = reply;
            return ERR_NONE;
        }
        TRY(link_move(link, &came));
        if (came) continue;
        if (!wire_wait(link->wire, until_us)) return link_fail(link, "Redis did not answer in time", "");
    }
}

/* Drops the reply to a note, even when it is an error. The sender has nothing more to do: what a lost note may cost is
 * bounded by what the note is about. */
static void owed_settle(struct link *link, redisReply *reply) {
    if (reply->type == REDIS_REPLY_ERROR) note_trouble(link, "Redis refused a note", reply->str, reply->len);
    freeReplyObject(reply);
    link->owed--;
}

/* Reads the replies that are owed for notes, which come before the reply to the next call. */
static enum err owed_await(struct link *link, int64_t until_us) {
    while (link->owed) {
        redisReply *reply = NULL;
        TRY(reply_await(link, until_us, &reply));
        owed_settle(link, reply);
    }
    return ERR_NONE;
}

/* Finds out whether a connection was closed, or speaks without being asked, before anything is asked on it. */
static enum err link_look(struct link *link) {
    bool came = true;
    while (came) {
        redisReply *reply = NULL;
        TRY(link_move(link, &came));
        for (;;) {
            TRY(reply_parse(link, &reply));
            if (!reply) break;
            if (!link->owed) {
                freeReplyObject(reply);
                return link_fail(link, "Redis spoke unasked", "");
            }
            owed_settle(link, reply);
        }
    }
    return ERR_NONE;
}

/* ---- commands ---- */

static enum err command_put(struct link *link, const struct str *parts, size_t count) {
    const char *texts[HEAD_PARTS + LINK_PARTS_MAX];
    size_t lengths[HEAD_PARTS + LINK_PARTS_MAX];
    assert(count <= HEAD_PARTS + LINK_PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        texts[i] = parts[i].n ? parts[i].p : "";
        lengths[i] = parts[i].n;
    }
    char *command = NULL;
    int bytes = redisFormatCommandArgv(&command, (int)count, texts, lengths);
    assert(bytes > 0);
    bool put = wire_put(link->wire, command, (size_t)bytes);
    free(command);
    return put ? ERR_NONE : link_fail(link, "Redis takes nothing", "");
}

/* Puts the call of the script: by its digest, or with its whole text when Redis does not know the digest. */
static enum err script_put(struct link *link, const struct link_call *call, bool whole) {
    struct str parts[HEAD_PARTS + LINK_PARTS_MAX];
    char keys[24];
    assert(call->count <= LINK_PARTS_MAX && call->key_count <= call->count);
    int digits = snprintf(keys, sizeof keys, "%zu", call->key_count);
    parts[0] = whole ? STR("EVAL") : STR("EVALSHA");
    parts[1] = whole ? link->options.script : str_from(link->sha);
    parts[2] = (struct str){keys, (size_t)digits};
    memcpy(parts + HEAD_PARTS, call->parts, call->count * sizeof *parts);
    return command_put(link, parts, HEAD_PARTS + call->count);
}

/* ---- connecting ---- */

static bool reply_is_ok(struct link *link, const redisReply *reply) {
    (void)link;
    return reply->type == REDIS_REPLY_STATUS;
}

static bool reply_is_sha(struct link *link, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_STRING || reply->len != SHA_DIGITS) return false;
    memcpy(link->sha, reply->str, SHA_DIGITS);
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
    bool (*check)(struct link *link, const redisReply *reply);
    const char *refused;
};

static enum err step_end(struct link *link, const struct step *step, int64_t until_us) {
    redisReply *reply = NULL;
    TRY(reply_await(link, until_us, &reply));
    enum err err = ERR_NONE;
    if (reply->type == REDIS_REPLY_ERROR) {
        note_trouble(link, step->refused, reply->str, code_length(reply));
        link_drop(link);
        err = ERR_IO;
    } else if (!step->check(link, reply)) {
        err = link_fail(link, "an answer of Redis makes no sense", "");
    }
    freeReplyObject(reply);
    return err;
}

/* Sends all steps of the greeting at once, and then reads their answers. */
static enum err link_greet(struct link *link, int64_t until_us) {
    const struct redis_url *url = link->options.url;
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
        {.parts = {STR("SCRIPT"), STR("LOAD"), link->options.script},
         .count = 3,
         .check = reply_is_sha,
         .refused = "Redis refused the script"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].count) TRY(command_put(link, steps[i].parts, steps[i].count));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].count) TRY(step_end(link, &steps[i], until_us));
    return ERR_NONE;
}

static enum err link_dial(struct link *link, int64_t until_us) {
    int64_t now_us = link->options.clock.now_us(link->options.clock.self);
    if (link->dialed && now_us < link->next_dial_us) return ERR_IO; /* the trouble is known */
    link->dialed = true;
    link->next_dial_us = now_us + LINK_PAUSE_US;
    const char *trouble = NULL;
    if (wire_open(link->wire, until_us, &trouble)) return link_fail(link, "no connection to Redis", trouble);
    link->reader = redisReaderCreate();
    assert(link->reader);
    return link_greet(link, until_us);
}

enum err link_reach(struct link *link) {
    link->until_us = deadline_now_us() + link->options.deadline_us;
    if (wire_is_open(link->wire) && link_look(link) == ERR_NONE) return ERR_NONE;
    return link_dial(link, link->until_us);
}

/* ---- calls ---- */

static enum err script_run(struct link *link, const struct link_call *call, redisReply **ret_reply) {
    redisReply *reply = NULL;
    TRY(script_put(link, call, false));
    TRY(owed_await(link, link->until_us));
    TRY(reply_await(link, link->until_us, &reply));
    if (is_error(reply, "NOSCRIPT")) {
        freeReplyObject(reply);
        TRY(script_put(link, call, true));
        TRY(reply_await(link, link->until_us, &reply));
    }
    *ret_reply = reply;
    return ERR_NONE;
}

static enum err numbers_read(struct link *link, const redisReply *reply, int64_t *ret_numbers, size_t count) {
    if (reply->type == REDIS_REPLY_ERROR) return link_refused(link, "Redis refused", reply);
    bool right = reply->type == REDIS_REPLY_ARRAY && reply->elements == count;
    for (size_t i = 0; right && i < count; i++) right = reply->element[i]->type == REDIS_REPLY_INTEGER;
    if (!right) return link_fail(link, "an answer of Redis makes no sense", "");
    for (size_t i = 0; i < count; i++) ret_numbers[i] = reply->element[i]->integer;
    return ERR_NONE;
}

enum err link_ask(struct link *link, const struct link_call *call, int64_t *ret_numbers, size_t count) {
    redisReply *reply = NULL;
    assert(wire_is_open(link->wire));
    TRY(script_run(link, call, &reply));
    enum err err = numbers_read(link, reply, ret_numbers, count);
    freeReplyObject(reply);
    link->up = !err;
    return err;
}

bool link_tell(struct link *link, const struct link_call *call) {
    bool came = false;
    if (!wire_is_open(link->wire)) return false;
    if (link->owed == OWED_MAX) {
        link_fail(link, "Redis does not answer", "");
        return false;
    }
    if (link_look(link) || script_put(link, call, false)) return false;
    link->owed++;
    return link_move(link, &came) == ERR_NONE;
}
