/* http/mailbox.c - two lists under a lock that is held for the moving of
 * pointers alone. */
#include "http/mailbox.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

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
