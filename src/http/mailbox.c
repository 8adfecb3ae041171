/* http/mailbox.c - what a request owns while it is here, and two lists under a lock that is held for the moving of
 * pointers alone. */
#include "http/mailbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BODY_START_BYTES ((size_t)65536) /* a longer body is believed as its bytes come, not when it is announced */

/* Copies text to *at with a NUL behind it and moves *at. */
static struct str put_text(char **at, struct str text) {
    char *p = *at;
    if (text.n) memcpy(p, text.p, text.n);
    p[text.n] = '\0';
    *at = p + text.n + 1;
    return (struct str){p, text.n};
}

static size_t head_bytes(const struct framing *head, struct str address, struct str request_id) {
    size_t bytes = head->method.n + 1 + head->target.n + 1 + address.n + 1 + request_id.n + 1;
    for (size_t i = 0; i < head->header_count; i++) bytes += head->headers[i].name.n + head->headers[i].value.n + 2;
    return bytes;
}

struct stay *stay_new(const struct framing *head, struct str address, struct str request_id, int64_t now_us) {
    size_t headers = head->header_count * sizeof(struct header);
    struct stay *stay = malloc(sizeof *stay + headers + head_bytes(head, address, request_id));
    assert(stay);
    *stay = (struct stay){.request = {.arrived_us = now_us}};
    struct request *request = &stay->request;
    request->headers = (struct header *)(stay + 1);
    request->header_count = head->header_count;
    char *at = (char *)(request->headers + head->header_count);
    request->peer = put_text(&at, address);
    request->id = put_text(&at, request_id);
    request->method = put_text(&at, head->method);
    framing_target(put_text(&at, head->target), &request->path, &request->query);
    for (size_t i = 0; i < head->header_count; i++) {
        struct str name = put_text(&at, head->headers[i].name);
        request->headers[i] = (struct header){name, put_text(&at, str_trim(head->headers[i].value))};
    }
    return stay;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

void stay_add(struct stay *stay, const char *bytes, size_t count, size_t expected_bytes) {
    size_t used = stay->request.body.n;
    if (count > stay->body_room - used) {
        size_t first = expected_bytes < BODY_START_BYTES ? expected_bytes : BODY_START_BYTES;
        stay->body_room = larger(larger(first, used + count), stay->body_room * 2);
        stay->body = realloc(stay->body, stay->body_room);
        assert(stay->body);
    }
    memcpy(stay->body + used, bytes, count);
    stay->request.body = (struct str){stay->body, used + count};
}

void stay_free(struct stay *stay) {
    if (!stay) return;
    free(stay->body);
    parcel_free(stay->parcel);
    free(stay);
}

static size_t reply_bytes(const struct reply *reply) {
    size_t bytes = sizeof "content-type" + reply->content_type.n + 1 + reply->body.n + 1;
    for (size_t i = 0; i < reply->header_count; i++) bytes += reply->headers[i].name.n + reply->headers[i].value.n + 2;
    return bytes;
}

static struct parcel *parcel_new(const struct reply *reply) {
    struct parcel *parcel = malloc(sizeof *parcel + reply_bytes(reply));
    assert(parcel);
    parcel->status = reply->status;
    parcel->close = reply->close;
    parcel->header_count = 0;
    char *at = (char *)(parcel + 1);
    if (reply->content_type.n) {
        struct str name = put_text(&at, STR("Content-Type"));
        parcel->headers[parcel->header_count++] = (struct header){name, put_text(&at, reply->content_type)};
    }
    for (size_t i = 0; i < reply->header_count; i++) {
        struct str name = put_text(&at, reply->headers[i].name);
        parcel->headers[parcel->header_count++] = (struct header){name, put_text(&at, reply->headers[i].value)};
    }
    parcel->body = put_text(&at, reply->body);
    return parcel;
}

void parcel_free(void *parcel) {
    free(parcel);
}

void stays_add(struct stays *stays, struct stay *stay) {
    if (!stays->count) stays->last = &stays->first;
    stay->next = NULL;
    *stays->last = stay;
    stays->last = &stay->next;
    stays->count++;
}

static struct stays stays_all(struct stays *stays) {
    struct stays all = *stays;
    *stays = (struct stays){0};
    return all;
}

static void stays_join(struct stays *to, struct stays *from) {
    struct stays all = stays_all(from);
    if (!all.count) return;
    if (!to->count) to->last = &to->first;
    *to->last = all.first;
    to->last = all.last;
    to->count += all.count;
}

/* ---- the way between the threads ---- */

enum err mailbox_open(struct mailbox *mailbox, struct wake *wake) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return ERR_IO;
    *mailbox = (struct mailbox){.wake = wake, .kick_fd = fd};
    int failed = pthread_mutex_init(&mailbox->lock, NULL);
    assert(!failed);
    return ERR_NONE;
}

static void free_stays(struct stays *stays) {
    struct stay *next;
    for (struct stay *stay = stays_all(stays).first; stay; stay = next) {
        next = stay->next;
        stay_free(stay);
    }
}

void mailbox_close(struct mailbox *mailbox) {
    free_stays(&mailbox->waiting);
    free_stays(&mailbox->replied);
    close(mailbox->kick_fd);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_kick(struct mailbox *mailbox) {
    uint64_t one = 1;
    ssize_t written = write(mailbox->kick_fd, &one, sizeof one); /* fails only when it is raised already */
    (void)written;
}

void mailbox_hush(struct mailbox *mailbox) {
    uint64_t kicks;
    ssize_t taken = read(mailbox->kick_fd, &kicks, sizeof kicks); /* fails only when it was not raised */
    (void)taken;
}

void mailbox_post(struct mailbox *mailbox, struct stays *stays) {
    if (!stays->count) return;
    pthread_mutex_lock(&mailbox->lock);
    bool first = !mailbox->waiting.count;
    stays_join(&mailbox->waiting, stays);
    atomic_store(&mailbox->waiting_count, mailbox->waiting.count);
    pthread_mutex_unlock(&mailbox->lock);
    if (first) wake_raise(mailbox->wake);
}

struct stays mailbox_replies(struct mailbox *mailbox) {
    pthread_mutex_lock(&mailbox->lock);
    struct stays all = stays_all(&mailbox->replied);
    pthread_mutex_unlock(&mailbox->lock);
    return all;
}

void mailbox_leave(struct mailbox *mailbox, struct stay *stay) {
    pthread_mutex_lock(&mailbox->lock);
    stay->left = true;
    pthread_mutex_unlock(&mailbox->lock);
}

static struct stay *take_first(struct stays *stays) {
    struct stay *stay = stays->first;
    stays->first = stay->next;
    stays->count--;
    return stay;
}

size_t mailbox_collect(struct mailbox *mailbox, struct request **ret_requests, size_t max) {
    if (!atomic_load(&mailbox->waiting_count)) return 0;
    size_t count = 0;
    pthread_mutex_lock(&mailbox->lock);
    while (mailbox->waiting.count && count < max) {
        struct stay *stay = take_first(&mailbox->waiting);
        if (stay->left)
            stays_add(&mailbox->replied, stay); /* answered already; freed at the next replies */
        else
            ret_requests[count++] = &stay->request;
    }
    atomic_store(&mailbox->waiting_count, mailbox->waiting.count);
    pthread_mutex_unlock(&mailbox->lock);
    return count;
}

void mailbox_reply(struct mailbox *mailbox, struct request *request, const struct reply *reply) {
    struct stay *stay = (struct stay *)(void *)request;
    stay->parcel = parcel_new(reply);
    pthread_mutex_lock(&mailbox->lock);
    bool first = !mailbox->replied.count;
    stays_add(&mailbox->replied, stay);
    pthread_mutex_unlock(&mailbox->lock);
    if (first) mailbox_kick(mailbox);
}
