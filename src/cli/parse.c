#include "cli/parse.h"

#include <string.h>

#include "base/when.h"
#include "config/keys.h"

#define TIMEOUT_FALLBACK_US (30 * US_PER_S)

/* ---- the table ---- */

const struct command *command_find(struct str noun, struct str verb) {
    for (size_t i = 0; i < command_count; i++)
        if (str_eq(str_from(commands[i].noun), noun) && str_eq(str_from(commands[i].verb), verb)) return &commands[i];
    return NULL;
}

bool command_has_noun(struct str noun) {
    for (size_t i = 0; i < command_count; i++)
        if (str_eq(str_from(commands[i].noun), noun)) return true;
    return false;
}

struct str command_name(struct arena *arena, const struct command *command) {
    return str_fmt(arena, "%s%s%s", command->noun, command->verb ? " " : "", command->verb ? command->verb : "");
}

struct str command_unknown(struct arena *arena, struct str noun, struct str verb) {
    struct suggestion near = {.wrong = verb.n ? verb : noun};
    for (size_t i = 0; i < command_count; i++) {
        if (commands[i].traits & COMMAND_HIDDEN) continue;
        if (!verb.n)
            suggestion_consider(&near, str_from(commands[i].noun));
        else if (str_eq(str_from(commands[i].noun), noun))
            suggestion_consider(&near, str_from(commands[i].verb));
    }
    struct str suggestion = suggestion_text(arena, &near);
    if (!verb.n) return str_fmt(arena, "there is no command '%.*s'%.*s", STR_ARG(noun), STR_ARG(suggestion));
    return str_fmt(arena, "'%.*s' has no '%.*s'%.*s", STR_ARG(noun), STR_ARG(verb), STR_ARG(suggestion));
}

/* How many arguments a command takes: "ROUTE [FILE]" is 1 to 2, "[ID...]" any number. */
static void command_arguments(const struct command *command, size_t *ret_least, size_t *ret_most) {
    struct str rest = str_from(command->arguments), word;
    *ret_least = *ret_most = 0;
    while (str_next(&rest, ' ', &word)) {
        *ret_least += word.p[0] != '[';
        *ret_most += str_find(word, '.') == SIZE_MAX ? 1 : CLI_ARGUMENTS_MAX;
    }
}

/* ---- options ---- */

static const struct option *find_long(const struct option *options, struct str name) {
    for (; options && options->name; options++)
        if (str_eq(str_from(options->name), name)) return options;
    return NULL;
}

static const struct option *find_letter(const struct option *options, char letter) {
    for (; options && options->name; options++)
        if (options->letter == letter) return options;
    return NULL;
}

static struct str unknown_option(struct cli *cli, struct str name) {
    struct suggestion near = {.wrong = str_fmt(cli->arena, "--%.*s", STR_ARG(name))};
    const struct option *own = cli->command ? cli->command->options : NULL;
    for (const struct option *option = own; option && option->name; option++)
        suggestion_consider(&near, str_fmt(cli->arena, "--%s", option->name));
    for (const struct option *option = global_options; option->name; option++)
        suggestion_consider(&near, str_fmt(cli->arena, "--%s", option->name));
    struct str suggestion = suggestion_text(cli->arena, &near);
    return str_fmt(cli->arena, "unknown option --%.*s%.*s", STR_ARG(name), STR_ARG(suggestion));
}

static bool is_choice(const char *choices, struct str value) {
    struct str rest = str_from(choices), choice;
    while (str_next(&rest, '|', &choice))
        if (str_eq(choice, value)) return true;
    return false;
}

static struct str wrong_choice(struct cli *cli, const struct option *option, struct str value) {
    struct suggestion near = {.wrong = value};
    struct str rest = str_from(option->choices), choice;
    struct buf list = {.arena = cli->arena};
    while (str_next(&rest, '|', &choice)) {
        suggestion_consider(&near, choice);
        buf_fmt(&list, "%s%.*s", list.n ? ", " : "", STR_ARG(choice));
    }
    struct str listed = buf_str(&list), suggestion = suggestion_text(cli->arena, &near);
    return str_fmt(cli->arena, "--%s takes %.*s, not '%.*s'%.*s", option->name, STR_ARG(listed), STR_ARG(value),
                   STR_ARG(suggestion));
}

static bool give(struct cli *cli, const struct option *option, struct str value, struct str *ret_problem) {
    if (option->choices && !is_choice(option->choices, value)) {
        *ret_problem = wrong_choice(cli, option, value);
        return false;
    }
    if (cli->given_count == CLI_OPTIONS_MAX) {
        *ret_problem = str_fmt(cli->arena, "more than %d options", CLI_OPTIONS_MAX);
        return false;
    }
    cli->given[cli->given_count++] = (struct option_value){option, value};
    return true;
}

struct words {
    char *const *at;
    size_t count, next;
};

/* The value behind an option that takes one: attached, or the next word, whatever it begins with. */
static bool take_value(struct cli *cli, struct words *words, const struct option *option, struct str attached,
                       struct str *ret_problem) {
    if (attached.p) return give(cli, option, attached, ret_problem);
    if (words->next < words->count) return give(cli, option, str_from(words->at[words->next++]), ret_problem);
    *ret_problem = str_fmt(cli->arena, "--%s needs a value: %s", option->name, option->value);
    return false;
}

/* --name, --name=value, --name value */
static bool take_long(struct cli *cli, struct words *words, struct str word, struct str *ret_problem) {
    size_t equals = str_find(word, '=');
    struct str name = str_sub(word, 0, equals), attached = STR_NONE;
    if (equals != SIZE_MAX) attached = str_sub(word, equals + 1, word.n);
    const struct option *option = cli->command ? find_long(cli->command->options, name) : NULL;
    if (!option) option = find_long(global_options, name);
    if (!option) {
        *ret_problem = unknown_option(cli, name);
        return false;
    }
    if (option->value) return take_value(cli, words, option, attached, ret_problem);
    if (!attached.p) return give(cli, option, STR(""), ret_problem);
    *ret_problem = str_fmt(cli->arena, "--%s takes no value", option->name);
    return false;
}

/* -q, -qn, -ojson, -o json */
static bool take_letters(struct cli *cli, struct words *words, struct str letters, struct str *ret_problem) {
    for (size_t i = 0; i < letters.n; i++) {
        const struct option *option = cli->command ? find_letter(cli->command->options, letters.p[i]) : NULL;
        if (!option) option = find_letter(global_options, letters.p[i]);
        if (!option) {
            *ret_problem = str_fmt(cli->arena, "unknown option -%c", letters.p[i]);
            return false;
        }
        if (option->value) {
            struct str rest = str_sub(letters, i + 1, letters.n);
            return take_value(cli, words, option, rest.n ? rest : STR_NONE, ret_problem);
        }
        if (!give(cli, option, STR(""), ret_problem)) return false;
    }
    return true;
}

/* ---- words ---- */

/* The first word or two name the command, the others are its arguments. */
static bool take_word(struct cli *cli, struct str word, struct str *ret_problem) {
    if (cli->command) {
        if (cli->argument_count < CLI_ARGUMENTS_MAX) {
            cli->arguments[cli->argument_count++] = word;
            return true;
        }
        *ret_problem = str_fmt(cli->arena, "too many arguments, from '%.*s' on", STR_ARG(word));
        return false;
    }
    bool first = cli->noun.n == 0;
    cli->command = first ? command_find(word, STR("")) : command_find(cli->noun, word);
    if (first && (cli->command || command_has_noun(word))) {
        cli->noun = word;
        return true;
    }
    if (!cli->command) *ret_problem = command_unknown(cli->arena, first ? word : cli->noun, first ? STR("") : word);
    return cli->command != NULL;
}

static bool take_all(struct cli *cli, struct words *words, struct str *ret_problem) {
    bool options_end = false;
    while (words->next < words->count) {
        struct str word = str_from(words->at[words->next++]);
        bool fine = true;
        if (options_end || word.n < 2 || word.p[0] != '-')
            fine = take_word(cli, word, ret_problem);
        else if (str_eq(word, STR("--")))
            options_end = true;
        else if (word.p[1] == '-')
            fine = take_long(cli, words, str_sub(word, 2, word.n), ret_problem);
        else
            fine = take_letters(cli, words, str_sub(word, 1, word.n), ret_problem);
        if (!fine) return false;
    }
    return true;
}

/* ---- what was given, as a whole ---- */

static bool check_arguments(struct cli *cli, struct str *ret_problem) {
    size_t least, most;
    command_arguments(cli->command, &least, &most);
    struct str name = command_name(cli->arena, cli->command);
    if (cli->argument_count < least)
        *ret_problem = str_fmt(cli->arena, "'%.*s' needs %s", STR_ARG(name), cli->command->arguments);
    else if (cli->argument_count > most)
        *ret_problem = str_fmt(cli->arena, "'%.*s' takes no '%.*s'", STR_ARG(name), STR_ARG(cli->arguments[most]));
    else
        return true;
    return false;
}

static bool check_options(struct cli *cli, struct str *ret_problem) {
    const struct command *command = cli->command;
    struct str name = command_name(cli->arena, command);
    for (const struct option *option = command->options; option && option->name; option++)
        if (option->required && !cli_flag(cli, option->name)) {
            *ret_problem = str_fmt(cli->arena, "'%.*s' needs --%s %s", STR_ARG(name), option->name, option->value);
            return false;
        }
    if (!(command->traits & COMMAND_JSON) && (cli_flag(cli, "output") || cli_flag(cli, "jq"))) {
        *ret_problem =
            str_fmt(cli->arena, "'%.*s' has one form of output: it takes no --output and no --jq", STR_ARG(name));
        return false;
    }
    if (!(command->traits & COMMAND_CHANGES) && cli_flag(cli, "dry-run")) {
        *ret_problem = str_fmt(cli->arena, "'%.*s' takes no --dry-run", STR_ARG(name));
        return false;
    }
    return true;
}

static bool read_globals(struct cli *cli, struct str *ret_problem) {
    static const char *const outputs[] = {"table", "json", "ndjson", "id"};
    struct str output = cli_value(cli, "output"), timeout = cli_value(cli, "timeout");
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (str_eq(output, str_from(outputs[i]))) cli->output = (enum output)i;
    cli->quiet = cli_flag(cli, "quiet");
    cli->verbose = cli_flag(cli, "verbose");
    cli->yes = cli_flag(cli, "yes");
    cli->no_input = cli_flag(cli, "no-input");
    cli->dry_run = cli_flag(cli, "dry-run");
    cli->jq = cli_value(cli, "jq");
    cli->timeout_us = TIMEOUT_FALLBACK_US;
    if (!timeout.p || (span_parse(timeout, &cli->timeout_us) && cli->timeout_us > 0)) return true;
    *ret_problem = str_fmt(cli->arena, "--timeout takes a length of time as 30s or 5m, not '%.*s'", STR_ARG(timeout));
    return false;
}

enum parsed parse_words(struct cli *cli, char *const *words, size_t count, struct str *ret_problem) {
    struct words list = {words, count, 0};
    bool fine = take_all(cli, &list, ret_problem);
    if (cli_flag(cli, "help")) return PARSED_HELP;
    if (!fine || !read_globals(cli, ret_problem)) return PARSED_WRONG;
    if (!cli->command && cli_flag(cli, "version")) return PARSED_VERSION;
    if (!cli->noun.n) return PARSED_NOTHING;
    if (!cli->command) {
        *ret_problem = str_fmt(cli->arena, "'%.*s' needs a verb", STR_ARG(cli->noun));
        return PARSED_WRONG;
    }
    return check_arguments(cli, ret_problem) && check_options(cli, ret_problem) ? PARSED_RUN : PARSED_WRONG;
}
