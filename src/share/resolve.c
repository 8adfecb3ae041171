/* share/resolve.c - see resolve.h. */
#include "share/resolve.h"

#include "base/when.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolver {
    char *host, port[8];
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t ended;
    bool searching, done; /* done: an answer waits to be taken */
    bool orphaned;        /* the owner has gone: the search frees the resolver */
    int code;             /* getaddrinfo's */
    struct addrinfo *addresses;
};

struct resolver *resolver_new(const char *host, uint16_t port) {
    struct resolver *resolver = calloc(1, sizeof *resolver);
    assert(resolver);
    resolver->host = strdup(host);
    assert(resolver->host);
    snprintf(resolver->port, sizeof resolver->port, "%u", port);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&resolver->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&resolver->lock, NULL);
    return resolver;
}

static void resolver_destroy(struct resolver *resolver) {
    if (resolver->addresses) freeaddrinfo(resolver->addresses);
    pthread_cond_destroy(&resolver->ended);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver->host);
    free(resolver);
}

void resolver_free(struct resolver *resolver) {
    if (!resolver) return;
    pthread_mutex_lock(&resolver->lock);
    resolver->orphaned = true;
    bool searching = resolver->searching;
    pthread_mutex_unlock(&resolver->lock);
    if (!searching) resolver_destroy(resolver);
}

static void *search(void *cls) {
    struct resolver *resolver = cls;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int code = getaddrinfo(resolver->host, resolver->port, &wanted, &addresses);
    pthread_mutex_lock(&resolver->lock);
    resolver->code = code;
    resolver->addresses = code ? NULL : addresses;
    resolver->searching = false;
    resolver->done = true;
    bool orphaned = resolver->orphaned;
    pthread_cond_signal(&resolver->ended);
    pthread_mutex_unlock(&resolver->lock);
    if (orphaned) resolver_destroy(resolver);
    return NULL;
}

/* Starts the search on a thread without signals, because the process's signals are for its other threads. */
static bool search_start(struct resolver *resolver) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    resolver->searching = true;
    if (pthread_create(&thread, &attributes, search, resolver) != 0) resolver->searching = false;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return resolver->searching;
}

/* Waits for the search. The caller holds the lock. */
static const char *search_wait(struct resolver *resolver, int64_t until_us) {
    if (!resolver->done && !resolver->searching && !search_start(resolver)) return "no thread is left";
    struct timespec until = {.tv_sec = until_us / US_PER_S, .tv_nsec = until_us % US_PER_S * 1000};
    int waited = 0;
    while (!resolver->done && waited == 0) waited = pthread_cond_timedwait(&resolver->ended, &resolver->lock, &until);
    if (!resolver->done) return "its name has not been resolved yet";
    resolver->done = false;
    return resolver->code ? gai_strerror(resolver->code) : NULL;
}

enum err resolver_find(struct resolver *resolver, int64_t until_us, struct addrinfo **ret_addresses,
                       const char **ret_trouble) {
    pthread_mutex_lock(&resolver->lock);
    const char *trouble = search_wait(resolver, until_us);
    struct addrinfo *addresses = NULL;
    if (!trouble) {
        addresses = resolver->addresses;
        resolver->addresses = NULL;
    }
    pthread_mutex_unlock(&resolver->lock);
    if (trouble) {
        *ret_trouble = trouble;
        return ERR_IO;
    }
    *ret_addresses = addresses;
    return ERR_NONE;
}
