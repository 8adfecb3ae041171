/* sim/main.c - `simulate`: seeds, or scenarios. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/run.h"
#include "sim/scenario.h"
#include "sim/seeds.h"

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
    printf("seed %llu  hash %016llx  %llu events  %llu sends  %llu deaths  %llu seam calls  "
           "%llu replays  %llu runs of them  %.1f h of virtual time\n",
           (unsigned long long)seed, (unsigned long long)verdict.hash, (unsigned long long)verdict.events,
           (unsigned long long)verdict.sends, (unsigned long long)verdict.deaths, (unsigned long long)verdict.calls,
           (unsigned long long)verdict.plans, (unsigned long long)verdict.runs,
           (double)verdict.virtual_us / (double)US_PER_HOUR);
    if (verdict.failed) printf("%s violated: %s\n", verdict.rule, verdict.text);
    return verdict.failed;
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
    return count ? !seeds_play(from, count, lying_disk) : one_seed(seed, lying_disk);
}
