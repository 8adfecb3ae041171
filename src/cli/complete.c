/* cli/complete.c - completion scripts for shells, from the table of commands. */
#include "cli/complete.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/parse.h"

/* ---- word lists ---- */

static void add_word(struct buf *list, struct str word) {
    buf_fmt(list, "%s%.*s", list->n ? " " : "", STR_ARG(word));
}

static void add_option_words(struct buf *list, const struct option *options) {
    for (const struct option *option = options; option && option->name; option++)
        add_word(list, str_fmt(list->arena, "--%s", option->name));
}

/* Gives each noun that is wanted once, in the table's order. */
static struct str nouns(struct arena *arena, bool (*wanted)(const struct command *command)) {
    struct buf list = {.arena = arena};
    const char *last = "";
    for (size_t i = 0; i < command_count; i++) {
        if (commands[i].traits & COMMAND_HIDDEN || !wanted(&commands[i]) || !strcmp(commands[i].noun, last)) continue;
        last = commands[i].noun;
        add_word(&list, str_from(last));
    }
    return buf_str(&list);
}

static bool any_command(const struct command *command) {
    (void)command;
    return true;
}

static bool has_verb(const struct command *command) {
    return command->verb != NULL;
}

static struct str verbs(struct arena *arena, struct str noun) {
    struct buf list = {.arena = arena};
    for (size_t i = 0; i < command_count; i++)
        if (commands[i].verb && str_eq(str_from(commands[i].noun), noun)) add_word(&list, str_from(commands[i].verb));
    return buf_str(&list);
}

static struct str spaced(struct arena *arena, const char *choices) {
    struct buf list = {.arena = arena};
    struct str rest = str_from(choices), choice;
    while (str_next(&rest, '|', &choice)) add_word(&list, choice);
    return buf_str(&list);
}

/* ---- shared by the two shells: functions that print words ---- */

static void add_value_case(struct buf *buf, const struct option *option, const char *command) {
    if (!option->choices) return;
    struct str choices = spaced(buf->arena, option->choices);
    buf_fmt(buf, "    '%s --%s'", command, option->name);
    if (option->letter) buf_fmt(buf, "|'%s -%c'", command, option->letter);
    buf_fmt(buf, ") echo '%.*s' ;;\n", STR_ARG(choices));
}

/* `_drumbeat_values COMMAND OPTION`: the values an option takes. */
static void add_values(struct buf *buf) {
    buf_add(buf, STR("_drumbeat_values() {\n    case \"$1 $2\" in\n"));
    for (size_t i = 0; i < command_count; i++) {
        struct str name = command_name(buf->arena, &commands[i]);
        if (commands[i].traits & COMMAND_HIDDEN) continue;
        for (const struct option *option = commands[i].options; option && option->name; option++)
            add_value_case(buf, option, name.p);
    }
    buf_add(buf, STR("    esac\n    case \"$2\" in\n"));
    for (const struct option *option = global_options; option->name; option++) {
        if (!option->choices) continue;
        struct str choices = spaced(buf->arena, option->choices);
        buf_fmt(buf, "    --%s", option->name);
        if (option->letter) buf_fmt(buf, "|-%c", option->letter);
        buf_fmt(buf, ") echo '%.*s' ;;\n", STR_ARG(choices));
    }
    buf_add(buf, STR("    esac\n}\n"));
}

/* `_drumbeat_options COMMAND`: the options it takes. */
static void add_options(struct buf *buf) {
    struct buf global = {.arena = buf->arena};
    add_option_words(&global, global_options);
    buf_add(buf, STR("_drumbeat_options() {\n    case \"$1\" in\n"));
    for (size_t i = 0; i < command_count; i++) {
        if (!commands[i].options || commands[i].traits & COMMAND_HIDDEN) continue;
        struct buf own = {.arena = buf->arena};
        struct str name = command_name(buf->arena, &commands[i]);
        add_option_words(&own, commands[i].options);
        buf_fmt(buf, "    '%.*s') echo '%.*s' ;;\n", STR_ARG(name), STR_ARG(buf_str(&own)));
    }
    buf_fmt(buf, "    esac\n    echo '%.*s'\n}\n", STR_ARG(buf_str(&global)));
}

/* `_drumbeat_words COMMAND`: what may come next, files aside. */
static void add_words(struct buf *buf) {
    struct str all = nouns(buf->arena, any_command), with_verbs = nouns(buf->arena, has_verb), noun;
    buf_fmt(buf, "_drumbeat_words() {\n    case \"$1\" in\n    '') echo '%.*s' ;;\n", STR_ARG(all));
    struct str rest = with_verbs;
    while (str_next(&rest, ' ', &noun)) {
        struct str list = verbs(buf->arena, noun);
        buf_fmt(buf, "    '%.*s') echo '%.*s' ;;\n", STR_ARG(noun), STR_ARG(list));
    }
    buf_fmt(buf, "    'help') echo '%.*s' ;;\n    'completion') echo 'bash zsh' ;;\n    esac\n}\n", STR_ARG(all));
}

/* `_drumbeat_command WORD...`: the command that the words before the cursor name. Options that take a value are
 * followed by it. */
static void add_command(struct buf *buf) {
    struct str with_verbs = nouns(buf->arena, has_verb);
    buf_add(buf, STR("_drumbeat_command() {\n    local word noun='' skip=''\n    for word in \"$@\"; do\n"
                     "        if [ -n \"$skip\" ]; then skip=''; continue; fi\n        case \"$word\" in\n        "));
    for (const struct option *option = global_options, *first = NULL; option->name; option++) {
        if (!option->value) continue;
        buf_fmt(buf, "%s--%s", first ? "|" : "", option->name);
        if (option->letter) buf_fmt(buf, "|-%c", option->letter);
        first = option;
    }
    buf_add(buf, STR(") skip=1 ;;\n        -*) ;;\n        *)\n"
                     "            if [ -n \"$noun\" ]; then echo \"$noun $word\"; return; fi\n"
                     "            noun=$word\n            case \" "));
    buf_add(buf, with_verbs);
    buf_add(buf, STR(" \" in *\" $word \"*) ;; *) echo \"$word\"; return ;; esac ;;\n"
                     "        esac\n    done\n    echo \"$noun\"\n}\n"));
}

static const char bash_end[] =
    "_drumbeat() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command words\n"
    "    command=$(_drumbeat_command \"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
    "    words=$(_drumbeat_values \"$command\" \"$prev\")\n"
    "    if [ -z \"$words\" ]; then\n"
    "        case \"$cur\" in\n"
    "        -*) words=$(_drumbeat_options \"$command\") ;;\n"
    "        *) words=$(_drumbeat_words \"$command\") ;;\n"
    "        esac\n"
    "    fi\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "}\n"
    "complete -o default -F _drumbeat drumbeat\n";

static const char zsh_end[] =
    "_drumbeat() {\n"
    "    local command=\"$(_drumbeat_command \"${(@)words[2,CURRENT-1]}\")\" list\n"
    "    list=\"$(_drumbeat_values \"$command\" \"${words[CURRENT-1]}\")\"\n"
    "    if [[ -z $list && ${words[CURRENT]} == -* ]]; then\n"
    "        list=\"$(_drumbeat_options \"$command\")\"\n"
    "    elif [[ -z $list ]]; then\n"
    "        list=\"$(_drumbeat_words \"$command\")\"\n"
    "    fi\n"
    "    if [[ -n $list ]]; then compadd -- ${=list}; else _files; fi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = \"_drumbeat\" ]; then _drumbeat \"$@\"; else compdef _drumbeat drumbeat; fi\n";

static struct str script(struct arena *arena, const char *head, const char *end) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, str_from(head));
    add_values(&buf);
    add_options(&buf);
    add_words(&buf);
    add_command(&buf);
    buf_add(&buf, str_from(end));
    return buf_str(&buf);
}

struct str complete_script(struct arena *arena, struct str shell) {
    if (str_eq(shell, STR("bash"))) return script(arena, "# bash completion for drumbeat\n", bash_end);
    if (str_eq(shell, STR("zsh"))) return script(arena, "#compdef drumbeat\n", zsh_end);
    return STR_NONE;
}

int command_completion(struct cli *cli) {
    struct str text = complete_script(cli->arena, cli_argument(cli, 0));
    if (!text.p) return cli_fail(cli, EXIT_USAGE, "error: there is a script for bash and one for zsh");
    writer_add(&cli->out, text);
    return EXIT_DONE;
}
