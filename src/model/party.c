/* model/party.c - see party.h. */
#include "model/party.h"

#include "base/arena.h"
#include "model/exchange.h"

#include <string.h>

#define ADDRESS_BYTES_MAX 254 /* RFC 5321, 4.5.3.1.3, without the brackets of a path */
#define NAME_BYTES_MAX    200

/* What is wrong with an address; NULL when nothing is. Of a mark that cannot stand in it, the sentence is a format. */
static const char *address_fault(struct str text, char *ret_mark) {
    size_t marks = 0, at = str_find(text, '@');
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
            return "the address has a line break or another control character in it";
        if (text.p[i] == ' ') return "the address has a blank in it";
        *ret_mark = text.p[i];
        if (strchr("<>()[]\\,;:\"", text.p[i])) return "'%c' cannot stand in an address";
        marks += text.p[i] == '@';
    }
    if (!text.n) return "it is empty";
    if (!marks) return "it has no '@'";
    if (marks > 1) return "the address has more than one '@'";
    if (!at) return "nothing stands before its '@'";
    if (at + 1 == text.n) return "nothing stands behind its '@'";
    if (text.n > ADDRESS_BYTES_MAX) return "the address is longer than 254 bytes";
    return str_is_utf8(text) ? NULL : "the address is not valid UTF-8";
}

bool address_valid(struct str text) {
    char mark;
    return !address_fault(text, &mark);
}

/* The place of the last byte of this kind; SIZE_MAX when there is none. */
static size_t find_last(struct str text, char byte) {
    size_t at = text.n;
    while (at > 0 && text.p[at - 1] != byte) at--;
    return at ? at - 1 : SIZE_MAX;
}

/* "Lovelace, Ada" has a comma and is one name; "Ada <a@x>, Bob" has a mailbox before the comma, so that its text is a
 * list, of which the last would get the mail and nobody would miss the others. */
static bool names_another(struct str name) {
    size_t start = 0;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != ',' && name.p[i] != ';') continue;
        struct str piece = str_trim(str_sub(name, start, i - start));
        size_t open = str_ends(piece, STR(">")) ? find_last(piece, '<') : SIZE_MAX;
        if (open != SIZE_MAX) piece = str_sub(piece, open + 1, piece.n - open - 2);
        if (address_valid(piece)) return true;
        start = i + 1;
    }
    return false;
}

/* Whether it is a quoted-string (RFC 5322, 3.2.4) from end to end. */
static bool is_quoted(struct str text) {
    if (text.n < 2 || text.p[0] != '"' || text.p[text.n - 1] != '"') return false;
    for (size_t i = 1; i + 1 < text.n; i++) {
        if (text.p[i] == '"') return false;
        if (text.p[i] == '\\' && ++i + 1 == text.n) return false;
    }
    return true;
}

static const char *name_fault(struct str text, struct party *party) {
    bool quoted = is_quoted(text);
    party->name = quoted ? str_sub(text, 1, text.n - 2) : text;
    party->escaped = quoted && str_find(text, '\\') != SIZE_MAX;
    if (!header_value_valid(text)) return "the name has a line break or another control character in it";
    if (text.n > NAME_BYTES_MAX) return "the name is longer than 200 bytes";
    if (!str_is_utf8(text)) return "the name is not valid UTF-8";
    return !quoted && names_another(text) ? "it has more than one address" : NULL;
}

static const char *party_fault(struct str text, struct party *party, char *ret_mark) {
    text = str_trim(text);
    *party = (struct party){.address = text};
    if (str_ends(text, STR(">"))) {
        size_t open = find_last(text, '<');
        if (open == SIZE_MAX) return "it has a '>' without its '<'";
        const char *fault = name_fault(str_trim(str_sub(text, 0, open)), party);
        if (fault) return fault;
        party->address = str_sub(text, open + 1, text.n - open - 2);
    }
    return address_fault(party->address, ret_mark);
}

bool party_parse(struct str text, struct party *ret_party) {
    struct party party;
    char mark;
    if (party_fault(text, &party, &mark)) return false;
    *ret_party = party;
    return true;
}

static struct str sentence(struct arena *arena, const char *fault, char mark) {
    struct str text = str_from(fault ? fault : "");
    size_t at = str_find(text, '%');
    if (at == SIZE_MAX) return text;
    return str_fmt(arena, "%.*s%c%s", (int)at, fault, mark, fault + at + 2);
}

struct str address_problem(struct arena *arena, struct str text) {
    char mark = 0;
    return sentence(arena, address_fault(text, &mark), mark);
}

struct str party_problem(struct arena *arena, struct str text) {
    struct party party;
    char mark = 0;
    const char *fault = party_fault(text, &party, &mark);
    return sentence(arena, fault, mark);
}

struct str party_name(struct arena *arena, const struct party *party) {
    struct buf name = {.arena = arena};
    if (!party->escaped) return party->name;
    for (size_t i = 0; i < party->name.n; i++) {
        if (party->name.p[i] == '\\') i++;
        buf_byte(&name, party->name.p[i]);
    }
    return buf_str(&name);
}

struct str party_quoted(struct arena *arena, const struct party *party) {
    struct str name = party_name(arena, party);
    struct buf quoted = {.arena = arena};
    buf_byte(&quoted, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"' || name.p[i] == '\\') buf_byte(&quoted, '\\');
        buf_byte(&quoted, name.p[i]);
    }
    buf_byte(&quoted, '"');
    return buf_str(&quoted);
}

struct str party_text(struct arena *arena, struct str text) {
    struct party party;
    if (!party_parse(text, &party)) return text;
    bool plain = true;
    for (size_t i = 0; i < party.name.n; i++) plain = plain && !strchr("\"\\,;:<>()[]@.", party.name.p[i]);
    if (plain) return text;
    struct str name = party_quoted(arena, &party);
    return str_fmt(arena, "%.*s <%.*s>", STR_ARG(name), STR_ARG(party.address));
}

bool mail_header_allowed(struct str name) {
    static const char *const own[] = {"bcc",
                                      "cc",
                                      "content-disposition",
                                      "content-transfer-encoding",
                                      "content-type",
                                      "date",
                                      "from",
                                      "message-id",
                                      "mime-version",
                                      "received",
                                      "reply-to",
                                      "return-path",
                                      "sender",
                                      "subject",
                                      "to",
                                      "list-unsubscribe",
                                      "resent-to",
                                      "resent-cc",
                                      "resent-bcc",
                                      "list-unsubscribe-post"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (str_eq_nocase(name, str_from(own[i]))) return false;
    return header_name_valid(name) && name.n <= 60;
}
