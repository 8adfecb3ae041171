/* sim/seeds.c - see seeds.h. Each lane is a process, because a simulated server that breaks an assertion takes its
 * process with it, and because nothing of the program is made for threads. A lane takes the next seed that nobody has
 * taken, because some seeds take many times as long as others, and tells how far it is; both stand in memory that the
 * lanes share with the process that started them. After a crash another process goes on in the lane's place. */
#include "sim/seeds.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/run.h"

#define REPEAT_EACH 20 /* one seed in so many is run twice: the same seed must give the same hash */
#define LANES_MAX   64

struct lane {
    pid_t pid;
    uint64_t seed; /* that it plays */
    uint64_t done, failed;
};

struct shared {
    _Atomic uint64_t next; /* seed that nobody has taken */
    struct lane lanes[LANES_MAX];
};

struct seeds {
    uint64_t from, end;
    size_t lanes;
    bool lying_disk;
    struct shared *shared; /* with the lanes */
};

static bool passes(uint64_t seed, bool lying_disk, struct ready *ready) {
    struct verdict verdict = run_seed(seed, lying_disk, ready);
    if (verdict.failed) {
        printf("seed %llu: %s violated: %s     again: ./dev simulate %llu\n", (unsigned long long)seed, verdict.rule,
               verdict.text, (unsigned long long)seed);
        return false;
    }
    if (seed % REPEAT_EACH) return true;
    struct ready alone = {0};
    bool same = run_seed(seed, lying_disk, &alone).hash == verdict.hash;
    ready_free(&alone);
    if (!same) printf("seed %llu: I22 violated: a second run has another hash\n", (unsigned long long)seed);
    return same;
}

static bool take(const struct seeds *seeds, struct lane *lane) {
    lane->seed = atomic_fetch_add(&seeds->shared->next, 1);
    return lane->seed < seeds->end;
}

static void play(const struct seeds *seeds, struct lane *lane) {
    struct ready ready = {0};
    do {
        lane->failed += !passes(lane->seed, seeds->lying_disk, &ready);
        lane->done++;
        fflush(stdout);
    } while (take(seeds, lane));
    ready_free(&ready);
}

/* With its first seed in hand, so that whatever becomes of the lane becomes of a seed. */
static bool start(const struct seeds *seeds, struct lane *lane) {
    pid_t parent = getpid();
    if (!take(seeds, lane)) return true;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        play(seeds, lane);
        exit(0);
    }
    lane->pid = pid;
    return pid > 0;
}

/* What a lane died of is that seed's failure. */
static void ended(const struct seeds *seeds, struct lane *lane, int status) {
    lane->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    printf("seed %llu: crashed (%s)     again: ./dev simulate %llu\n", (unsigned long long)lane->seed,
           WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it ended its process", (unsigned long long)lane->seed);
    lane->failed++;
    lane->done++;
    if (!start(seeds, lane)) perror("fork");
}

static struct lane sum(const struct seeds *seeds) {
    struct lane all = {0};
    for (size_t i = 0; i < seeds->lanes; i++) {
        all.done += seeds->shared->lanes[i].done;
        all.failed += seeds->shared->lanes[i].failed;
    }
    return all;
}

static void show_progress(const struct seeds *seeds) {
    struct lane all = sum(seeds);
    fprintf(stderr, "\r%llu of %llu seeds, %llu failed ", (unsigned long long)all.done,
            (unsigned long long)(seeds->end - seeds->from), (unsigned long long)all.failed);
}

static void await_lanes(const struct seeds *seeds) {
    bool terminal = isatty(2);
    const struct timespec moment = {.tv_nsec = 100000000};
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, terminal ? WNOHANG : 0)) >= 0;) {
        for (size_t i = 0; pid && i < seeds->lanes; i++)
            if (seeds->shared->lanes[i].pid == pid) ended(seeds, &seeds->shared->lanes[i], status);
        if (terminal) show_progress(seeds);
        if (!pid) nanosleep(&moment, NULL);
    }
    if (terminal) fputs("\n", stderr);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool seeds_play(uint64_t from, uint64_t count, bool lying_disk) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t lanes = processors < 1 ? 1 : processors > LANES_MAX ? LANES_MAX : (size_t)processors;
    struct seeds seeds = {from, from + count, lanes < count ? lanes : (size_t)count, lying_disk, NULL};
    seeds.shared = mmap(NULL, sizeof *seeds.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seeds.shared == MAP_FAILED) abort();
    seeds.shared->next = from;
    double began_s = seconds_now();
    for (size_t i = 0; i < seeds.lanes; i++)
        if (!start(&seeds, &seeds.shared->lanes[i])) perror("fork");
    await_lanes(&seeds);
    struct lane all = sum(&seeds);
    uint64_t passed = all.done - all.failed;
    double took_s = seconds_now() - began_s;
    printf("simulated %llu seeds, %llu failed, %.1f seeds/s\n", (unsigned long long)all.done,
           (unsigned long long)all.failed, took_s > 0 ? (double)all.done / took_s : 0);
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)(count - passed));
    munmap(seeds.shared, sizeof *seeds.shared);
    return passed == count && !all.failed;
}
