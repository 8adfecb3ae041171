#include "cli/command.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/when.h"

bool cli_flag(const struct cli *cli, const char *name) {
    return cli_value(cli, name).p != NULL;
}

struct str cli_value(const struct cli *cli, const char *name) {
    for (size_t i = cli->given_count; i-- > 0;)
        if (!strcmp(cli->given[i].option->name, name)) return cli->given[i].value;
    return STR_NONE;
}

struct str cli_argument(const struct cli *cli, size_t index) {
    return index < cli->argument_count ? cli->arguments[index] : STR_NONE;
}

bool cli_stopped(const struct cli *cli) {
    return (cli->signals && cli->signals->stop) || cli->out.closed;
}

/* A signal that comes just before the call is only noticed after one more wait, so waits are short. */
void cli_sleep(const struct cli *cli, int64_t us) {
    if (cli_stopped(cli)) return;
    struct timespec wait = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
    ppoll(NULL, 0, &wait, NULL);
}

int64_t cli_wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t cli_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

size_t cli_width(void) {
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)) return 0;
    return size.ws_col ? size.ws_col : 80; /* a line that does not know is taken for what most have */
}

void cli_say(struct cli *cli, const char *format, ...) {
    if (cli->quiet || cli->mute) return;
    va_list args;
    va_start(args, format);
    struct str text = str_vfmt(cli->arena, format, args);
    va_end(args);
    writer_flush(&cli->out);
    writer_safe(&cli->err, text);
    writer_add(&cli->err, STR("\n"));
    writer_flush(&cli->err);
}

int cli_fail(struct cli *cli, int code, const char *format, ...) {
    if (cli->mute) return code;
    va_list args;
    va_start(args, format);
    struct str text = str_vfmt(cli->arena, format, args);
    va_end(args);
    writer_flush(&cli->out);
    cli->err.weight = WEIGHT_ERROR;
    writer_safe(&cli->err, text);
    if (!str_ends(text, STR("\n"))) writer_add(&cli->err, STR("\n"));
    cli->err.weight = WEIGHT_TALK;
    writer_flush(&cli->err);
    return code;
}

bool cli_interactive(const struct cli *cli) {
    return !cli->yes && !cli->no_input && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

struct str cli_question(struct cli *cli, const char *question, struct str fallback) {
    char line[512];
    writer_flush(&cli->out);
    writer_fmt(&cli->err, "%s%s%.*s%s ", question, fallback.n ? " [" : "", STR_ARG(fallback), fallback.n ? "]" : "");
    writer_flush(&cli->err);
    if (!fgets(line, sizeof line, stdin)) return fallback;
    struct str answer = str_trim(str_from(line));
    return answer.n ? str_dup(cli->arena, answer) : fallback;
}

bool cli_confirm(struct cli *cli, const char *question) {
    if (!cli_interactive(cli)) return true;
    struct str answer = cli_question(cli, question, STR("y/N"));
    return str_eq_nocase(answer, STR("y")) || str_eq_nocase(answer, STR("yes"));
}
