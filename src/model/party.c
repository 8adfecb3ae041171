/* model/party.c - see party.h. */
#include "model/party.h"

#include "model/exchange.h"

#include <string.h>

#define ADDRESS_BYTES_MAX 254 /* RFC 5321, 4.5.3.1.3, without the brackets of a path */
#define NAME_BYTES_MAX    200

bool address_valid(struct str text) {
    size_t marks = 0, at = str_find(text, '@');
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f || strchr("<>()[]\\,;:\"", text.p[i])) return false;
        marks += text.p[i] == '@';
    }
    return marks == 1 && at > 0 && at + 1 < text.n && text.n <= ADDRESS_BYTES_MAX && str_is_utf8(text);
}

/* Quotes allow what would otherwise end the name or begin another one. */
static bool name_parse(struct str text, struct str *ret_name) {
    bool quoted = text.n > 1 && str_starts(text, STR("\"")) && str_ends(text, STR("\""));
    if (quoted) text = str_sub(text, 1, text.n - 2);
    for (size_t i = 0; i < text.n; i++)
        if (strchr(quoted ? "\"\\" : "\"\\,;:<>()[]@", text.p[i])) return false;
    *ret_name = text;
    return text.n <= NAME_BYTES_MAX && header_value_valid(text) && str_is_utf8(text);
}

bool party_parse(struct str text, struct party *ret_party) {
    text = str_trim(text);
    struct party party = {.address = text};
    bool named = str_ends(text, STR(">"));
    size_t open = text.n;
    while (named && open > 0 && text.p[open - 1] != '<') open--;
    if (named && (!open || !name_parse(str_trim(str_sub(text, 0, open - 1)), &party.name))) return false;
    if (named) party.address = str_sub(text, open, text.n - open - 1);
    if (!address_valid(party.address)) return false;
    *ret_party = party;
    return true;
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
