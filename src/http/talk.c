/* http/talk.c - see talk.h. */
#include "http/talk.h"

#include <string.h>

static const struct stage {
    const char *text, *command;
} stages[TALK_STAGES] = {
#define TALK_ROW(name, text, command) {text, command},
    TALK_LIST(TALK_ROW)
#undef TALK_ROW
};

const char *talk_stage_text(enum talk_stage stage) {
    return stages[stage].text;
}

void talk_reset(struct talk *talk) {
    talk->stage = talk->replied = TALK_CONNECT;
    talk->greeted = talk->secret = talk->whole = false;
    talk->code = 0;
    talk->text_bytes = 0;
}

/* Whether these bytes begin a command, and which. Between AUTH and its end come lines in base64, which could look like
 * anything. */
void talk_say(struct talk *talk, struct str bytes) {
    struct str word = str_trim(str_sub(bytes, 0, str_find(bytes, ' ')));
    bool inside = talk->stage == TALK_AUTH && talk->whole && talk->code == 334;
    for (enum talk_stage stage = 0; stage < TALK_STAGES && !inside; stage++) {
        if (!*stages[stage].command || !str_eq_nocase(word, str_from(stages[stage].command))) continue;
        talk->stage = stage;
        talk->greeted = talk->greeted || stage == TALK_EHLO;
        if (stage == TALK_EHLO || stage == TALK_HELO) talk->utf8 = false;
        talk->secret = talk->secret || stage == TALK_AUTH;
    }
}

void talk_end_message(struct talk *talk) {
    talk->stage = TALK_MESSAGE;
}

static void keep(struct talk *talk, struct str text) {
    size_t left = TALK_TEXT_MAX - talk->text_bytes, n = text.n < left ? text.n : left;
    if (n) memcpy(talk->text + talk->text_bytes, text.p, n);
    talk->text_bytes += n;
}

/* What comes after QUIT is a farewell and decides nothing. */
void talk_hear(struct talk *talk, struct str line) {
    uint64_t code;
    line = str_trim(line);
    bool fits = line.n >= 3 && str_to_u64(str_sub(line, 0, 3), &code) && code >= 200 && code < 600;
    char mark = line.n > 3 ? line.p[3] : ' ';
    if (!fits || (mark != ' ' && mark != '-') || talk->stage == TALK_QUIT) return;
    if (talk->whole || talk->replied != talk->stage) talk->text_bytes = 0;
    if (talk->text_bytes) keep(talk, STR("\n"));
    keep(talk, str_trim(str_sub(line, 4, line.n)));
    struct str offer = str_trim(str_sub(line, 4, line.n));
    if (talk->stage == TALK_EHLO && code == 250 && str_eq_nocase(offer, STR("SMTPUTF8"))) talk->utf8 = true;
    talk->code = (int32_t)code;
    talk->replied = talk->stage;
    talk->whole = mark == ' ';
}

bool talk_is_decided(const struct talk *talk) {
    bool last = talk->replied == TALK_MESSAGE || talk->replied == TALK_NOOP;
    return talk->whole && (talk->code >= 400 || (last && talk->code < 300));
}

void talk_answer(struct talk *talk, struct answer *ret_answer) {
    talk->header = (struct header){STR("Stage"), str_from(talk_stage_text(talk->replied))};
    ret_answer->status = talk->code;
    ret_answer->headers = &talk->header;
    ret_answer->header_count = 1;
    ret_answer->body = (struct str){talk->text, talk->text_bytes};
}
