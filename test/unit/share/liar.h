/* liar.h - something at Redis's place that says what it is told to say. After member.h. */
#ifndef TEST_SHARE_LIAR_H
#define TEST_SHARE_LIAR_H

#include <pthread.h>
#include <sys/un.h>

#define LIES_MAX   4
#define READ_BYTES 65536
#define SHA        "0123456789012345678901234567890123456789"
#define LOADED     "$40\r\n" SHA "\r\n"

/* After each thing it reads it says the next; then it is silent, or hangs up. */
struct liar {
    char folder[64], socket[96], url[112];
    int listener;
    pthread_t thread;
    struct str lies[LIES_MAX];
    bool hangs_up;
};

static inline void liar_serve(const struct liar *liar, int fd) {
    static const struct str silence = {0};
    char *bytes = malloc(READ_BYTES);
    const struct str *lie = liar->lies;
    while (read(fd, bytes, READ_BYTES) > 0) {
        const struct str said = lie < liar->lies + LIES_MAX ? *lie++ : silence;
        if (!said.n && liar->hangs_up) break;
        if (said.n && send(fd, said.p, said.n, MSG_NOSIGNAL) < 0) break;
    }
    free(bytes);
}

static inline void *liar_run(void *cls) {
    const struct liar *liar = cls;
    int fd;
    while ((fd = accept(liar->listener, NULL, NULL)) >= 0) {
        liar_serve(liar, fd);
        close(fd);
    }
    return NULL;
}

static inline void liar_start(struct liar *liar) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *place = getenv("TMPDIR");
    snprintf(liar->folder, sizeof liar->folder, "%s/share-XXXXXX", place ? place : "/tmp");
    assert_non_null(mkdtemp(liar->folder));
    snprintf(liar->socket, sizeof liar->socket, "%s/redis.sock", liar->folder);
    snprintf(liar->url, sizeof liar->url, "unix://%s", liar->socket);
    memcpy(address.sun_path, liar->socket, strlen(liar->socket));
    liar->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(liar->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(liar->listener, 8), 0);
    assert_int_equal(pthread_create(&liar->thread, NULL, liar_run, liar), 0);
}

/* When no client is connected any more. */
static inline void liar_stop(struct liar *liar) {
    shutdown(liar->listener, SHUT_RDWR);
    pthread_join(liar->thread, NULL);
    close(liar->listener);
    unlink(liar->socket);
    rmdir(liar->folder);
}

#endif
