/* sim/main.c - `simulate`: seeds, or scenarios. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/run.h"
#include "sim/scenario.h"

#define REPEAT_EACH 20 /* one seed in so many is run twice: the same seed must give the same hash */

static int usage(void) {
    fputs("simulate SEED | --seeds N [--from S] [--lying-disk] | --hash SEED | --scenarios FOLDER_OR_FILE\n", stderr);
    return 2;
}

static struct verdict run_alone(uint64_t seed, bool lying_disk) {
    struct ready ready = {0};
    struct verdict verdict = run_seed(seed, lying_disk, &ready);
    ready_free(&ready);
    return verdict;
}

static int one_seed(uint64_t seed, bool lying_disk) {
    struct verdict verdict = run_alone(seed, lying_disk);
    fputs(verdict.drawn, stdout);
    printf("seed %llu  hash %016llx  %llu events  %llu sends  %llu deaths  %llu seam calls  %.1f h of virtual time\n",
           (unsigned long long)seed, (unsigned long long)verdict.hash, (unsigned long long)verdict.events,
           (unsigned long long)verdict.sends, (unsigned long long)verdict.deaths, (unsigned long long)verdict.calls,
           (double)verdict.virtual_us / (double)US_PER_HOUR);
    if (verdict.failed) printf("%s violated: %s\n", verdict.rule, verdict.text);
    return verdict.failed;
}

static bool passes(uint64_t seed, bool lying_disk, struct ready *ready) {
    struct verdict verdict = run_seed(seed, lying_disk, ready);
    if (verdict.failed) {
        printf("seed %llu: %s violated: %s     again: ./dev simulate %llu\n", (unsigned long long)seed, verdict.rule,
               verdict.text, (unsigned long long)seed);
        return false;
    }
    if (seed % REPEAT_EACH == 0 && run_alone(seed, lying_disk).hash != verdict.hash) {
        printf("seed %llu: I22 violated: a second run has another hash\n", (unsigned long long)seed);
        return false;
    }
    return true;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int many_seeds(uint64_t from, uint64_t count, bool lying_disk) {
    struct ready ready = {0};
    uint64_t failed = 0;
    double began_s = seconds_now();
    bool terminal = isatty(2);
    for (uint64_t seed = from; seed < from + count; seed++) {
        failed += !passes(seed, lying_disk, &ready);
        if (terminal)
            fprintf(stderr, "\r%llu of %llu seeds, %llu failed ", (unsigned long long)(seed - from + 1),
                    (unsigned long long)count, (unsigned long long)failed);
        fflush(stdout);
    }
    if (terminal) fputs("\n", stderr);
    ready_free(&ready);
    double took_s = seconds_now() - began_s;
    printf("simulated %llu seeds, %llu failed, %.1f seeds/s\n", (unsigned long long)count, (unsigned long long)failed,
           took_s > 0 ? (double)count / took_s : 0);
    printf("%llu passed, %llu failed\n", (unsigned long long)(count - failed), (unsigned long long)failed);
    return failed > 0;
}

int main(int argc, char **argv) {
    uint64_t seed = 1, from = 1, count = 0;
    bool lying_disk = false;
    unsetenv("HOME"); /* jq would read a file there */
    for (int i = 1; i < argc; i++) {
        struct str word = str_from(argv[i]), value = str_from(i + 1 < argc ? argv[i + 1] : "");
        if (str_eq(word, STR("--scenarios"))) return value.n ? scenarios_play(value) : usage();
        if (str_eq(word, STR("--lying-disk")))
            lying_disk = true;
        else if (str_eq(word, STR("--seeds")) && str_to_u64(value, &count))
            i++;
        else if (str_eq(word, STR("--from")) && str_to_u64(value, &from))
            i++;
        else if (str_eq(word, STR("--hash")) && str_to_u64(value, &seed)) {
            printf("%016llx\n", (unsigned long long)run_alone(seed, false).hash);
            return 0;
        } else if (!str_to_u64(word, &seed))
            return usage();
    }
    return count ? many_seeds(from, count, lying_disk) : one_seed(seed, lying_disk);
}
