/* connect/mime.c - see mime.h. Sources: RFC 5322 (the head), 2045 (quoted-printable), 2046 (alternatives), 2047 (words
 * of other letters in the head), 6532 (addresses with them), 8058 (unsubscribing by one click). */
#include "connect/mime.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/when.h"

#include <string.h>

#define LINE_MAX_BYTES 76
#define HEADER_MAX     900 /* of a header that is not folded; a line has 998 (RFC 5322, 2.1.1) */
#define WORD_MARKS     12  /* =?UTF-8?B? and ?= */

/* ---- what must not be sent ---- */

static bool is_ascii(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0x7f || ((unsigned char)text.p[i] < ' ' && text.p[i] != '\t')) return false;
    return true;
}

static const char *header_problem(const struct header *header) {
    if (!mail_header_allowed(header->name)) return "a header has a name that is none, or that the mail makes itself";
    if (!header_value_valid(header->value)) return "a header holds a line break or another control character";
    return header->value.n > HEADER_MAX ? "a header is longer than 900 bytes" : NULL;
}

static bool unsubscribes(struct str url) {
    bool known = str_starts(url, STR("https://")) || str_starts(url, STR("http://")) || str_starts(url, STR("mailto:"));
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] >= 0x7f || strchr("<>,", url.p[i])) return false;
    return known && url.n <= HEADER_MAX;
}

const char *mail_problem(const struct mail *mail) {
    if (!header_value_valid(mail->subject)) return "the subject holds a line break or another control character";
    if (mail->subject.n > HEADER_MAX) return "the subject is longer than 900 bytes";
    if (!mail->text.n && !mail->html.n) return "there is neither a text nor an html";
    if (mail->unsubscribe.n && !unsubscribes(mail->unsubscribe))
        return "'unsubscribe' is no address that begins with https:// or mailto:";
    for (size_t i = 0; i < mail->header_count; i++) {
        const char *problem = header_problem(&mail->headers[i]);
        if (problem) return problem;
    }
    return NULL;
}

/* ---- the head ---- */

static void end_line(struct buf *buf) {
    buf_add(buf, STR("\r\n"));
}

/* Words of base64, each of whole characters, so that each can be read alone (RFC 2047, 5). */
static void put_words(struct buf *buf, struct str text, size_t column) {
    while (text.n) {
        size_t room = column + WORD_MARKS + 8 < LINE_MAX_BYTES ? (LINE_MAX_BYTES - WORD_MARKS - column) / 4 * 3 : 0;
        size_t end = 0, length = 0;
        while (end < text.n && (length = str_utf8_length(text, end), end + (length ? length : 1) <= room))
            end += length ? length : 1;
        if (end) {
            struct str word = base64_encode(buf->arena, str_sub(text, 0, end));
            buf_fmt(buf, "=?UTF-8?B?%.*s?=", STR_ARG(word));
            text = str_sub(text, end, text.n);
        }
        if (text.n) buf_add(buf, STR("\r\n "));
        column = 1;
    }
}

/* A reader would take "=?" for the beginning of such a word. */
static bool reads_plain(struct str text, size_t column) {
    return is_ascii(text) && column + text.n <= LINE_MAX_BYTES && !(text.n && memmem(text.p, text.n, "=?", 2));
}

static void put_text_header(struct buf *buf, const char *name, struct str text) {
    size_t column = strlen(name) + 2;
    buf_fmt(buf, "%s: ", name);
    if (reads_plain(text, column))
        buf_add(buf, text);
    else
        put_words(buf, text, column);
    end_line(buf);
}

/* Values of other headers may have a grammar of their own, so they are left as they are while they are ASCII. */
static void put_header(struct buf *buf, const struct header *header) {
    buf_fmt(buf, "%.*s: ", STR_ARG(header->name));
    if (is_ascii(header->value))
        buf_add(buf, header->value);
    else
        put_words(buf, header->value, header->name.n + 2);
    end_line(buf);
}

static void put_party(struct buf *buf, const char *header, const struct party *party) {
    size_t start = buf->n;
    struct str quoted = party_quoted(buf->arena, party);
    buf_fmt(buf, "%s: ", header);
    if (!party->name.n) {
        buf_add(buf, party->address);
    } else if (reads_plain(quoted, strlen(header) + 2)) {
        buf_add(buf, quoted);
    } else {
        put_words(buf, party_name(buf->arena, party), strlen(header) + 2);
    }
    if (party->name.n) {
        size_t line = buf->n;
        while (line > start && buf->p[line - 1] != '\n') line--;
        bool fits = buf->n - line + party->address.n + 3 <= LINE_MAX_BYTES;
        buf_fmt(buf, "%s<%.*s>", fits ? " " : "\r\n ", STR_ARG(party->address));
    }
    end_line(buf);
}

struct str mime_party(struct arena *arena, struct str text) {
    struct party party;
    struct buf words = {.arena = arena}, flat = {.arena = arena};
    if (!party_parse(text, &party) || is_ascii(party.name)) return party_text(arena, text);
    put_words(&words, party_name(arena, &party), 0);
    for (size_t i = 0; i < words.n; i++)
        if (words.p[i] != '\r' && words.p[i] != '\n') buf_byte(&flat, words.p[i]);
    buf_fmt(&flat, " <%.*s>", STR_ARG(party.address));
    return buf_str(&flat);
}

/* "Tue, 24 Nov 2026 12:00:00 +0000", out of "2026-11-24T12:00:00Z". */
static void put_date(struct buf *buf, int64_t us) {
    static const char days[] = "ThuFriSatSunMonTueWed", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[WHEN_TEXT_ROOM];
    when_format(us, text);
    int month = (text[5] - '0') * 10 + text[6] - '0';
    buf_fmt(buf, "Date: %.3s, %.2s %.3s %.4s %.8s +0000\r\n", days + us / US_PER_DAY % 7 * 3, text + 8,
            months + (month - 1) * 3, text, text + 11);
}

static void put_head(struct buf *buf, const struct mail *mail) {
    struct str address = mail->from.address;
    put_date(buf, mail->date_us);
    put_party(buf, "From", &mail->from);
    put_party(buf, "To", &mail->to);
    if (mail->reply_to.address.n) put_party(buf, "Reply-To", &mail->reply_to);
    put_text_header(buf, "Subject", mail->subject);
    buf_fmt(buf, "Message-ID: <%.*s%.*s>\r\n", STR_ARG(mail->id),
            STR_ARG(str_sub(address, str_find(address, '@'), address.n)));
    if (mail->unsubscribe.n) buf_fmt(buf, "List-Unsubscribe: <%.*s>\r\n", STR_ARG(mail->unsubscribe));
    if (str_starts(mail->unsubscribe, STR("https://")))
        buf_add(buf, STR("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
    for (size_t i = 0; i < mail->header_count; i++) put_header(buf, &mail->headers[i]);
    buf_add(buf, STR("MIME-Version: 1.0\r\n"));
}

/* ---- the body ---- */

/* The next line, without what ends it: CR LF, LF or CR. */
static bool next_line(struct str *rest, struct str *ret_line) {
    size_t end = 0;
    if (!rest->n) return false;
    while (end < rest->n && rest->p[end] != '\r' && rest->p[end] != '\n') end++;
    *ret_line = str_sub(*rest, 0, end);
    size_t mark = str_starts(str_sub(*rest, end, 2), STR("\r\n")) ? 2 : 1;
    *rest = str_sub(*rest, end + mark, rest->n);
    return true;
}

/* Programs on the way take a dot or "From " at a line's front for something else. */
static bool is_fragile(struct str line, size_t at) {
    return line.p[at] == '.' || str_starts(str_sub(line, at, line.n), STR("From "));
}

static bool is_safe(struct str line) {
    if (!line.n) return true;
    bool blank_end = line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t';
    return is_ascii(line) && line.n <= LINE_MAX_BYTES && !blank_end && !is_fragile(line, 0);
}

static void put_quoted(struct buf *buf, struct str line) {
    size_t column = 0;
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        bool last = i + 1 == line.n, blank = c == ' ' || c == '\t';
        bool plain = blank ? !last : c > ' ' && c < 0x7f && c != '=';
        if (column + (plain ? 1 : 3) > LINE_MAX_BYTES - (last ? 0 : 1)) {
            buf_add(buf, STR("=\r\n"));
            column = 0;
        }
        plain = plain && (column || !is_fragile(line, i));
        if (plain)
            buf_byte(buf, (char)c);
        else
            buf_fmt(buf, "=%02X", c);
        column += plain ? 1 : 3;
    }
}

/* quoted: even where the text needs it not, so that no line of it can look like a boundary. */
static void put_part(struct buf *buf, const char *type, struct str text, bool quoted) {
    struct str rest = text, line;
    while (!quoted && next_line(&rest, &line)) quoted = !is_safe(line);
    buf_fmt(buf, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
            quoted ? "quoted-printable" : "7bit");
    for (rest = text; next_line(&rest, &line);) {
        if (quoted)
            put_quoted(buf, line);
        else
            buf_add(buf, line);
        end_line(buf);
    }
}

/* "=_" cannot stand in quoted-printable, so the boundary cannot. The last part is the one that readers prefer. */
struct str mail_write(const struct mail *mail, struct arena *arena) {
    struct buf buf = {.arena = arena};
    put_head(&buf, mail);
    if (!mail->text.n || !mail->html.n) {
        put_part(&buf, mail->html.n ? "html" : "plain", mail->html.n ? mail->html : mail->text, false);
        return buf_str(&buf);
    }
    buf_fmt(&buf, "Content-Type: multipart/alternative;\r\n boundary=\"=_%.*s\"\r\n\r\n--=_%.*s\r\n", STR_ARG(mail->id),
            STR_ARG(mail->id));
    put_part(&buf, "plain", mail->text, true);
    buf_fmt(&buf, "\r\n--=_%.*s\r\n", STR_ARG(mail->id));
    put_part(&buf, "html", mail->html, true);
    buf_fmt(&buf, "\r\n--=_%.*s--\r\n", STR_ARG(mail->id));
    return buf_str(&buf);
}
