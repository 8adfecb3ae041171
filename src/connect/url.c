/* connect/url.c - see url.h. */
#include "connect/url.h"

#include "connect/connector.h"
#include "connect/reader.h"
#include "connect/value.h"

/* ---- reading ---- */

/* How far into the URL a place is. */
enum stretch { STRETCH_HOST, STRETCH_PATH, STRETCH_QUERY };

/* The stretch behind a literal. With a scheme the host ends at the third slash, behind a field at the first. */
static enum stretch stretch_after(enum stretch stretch, struct str literal, bool first) {
    size_t scheme = first ? (str_starts(literal, STR("https://")) ? 8 : 7) : 0;
    struct str rest = str_sub(literal, scheme, literal.n);
    if (str_find(rest, '?') != SIZE_MAX) return STRETCH_QUERY;
    return stretch == STRETCH_HOST && str_find(rest, '/') != SIZE_MAX ? STRETCH_PATH : stretch;
}

static void check_ref(struct document_reader *reader, const struct tree *tree, const struct ref *ref,
                      enum stretch stretch) {
    if (stretch != STRETCH_HOST) return;
    if (ref->kind != REF_FIELD)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_URL,
                        "values of a delivery may stand behind the host only, in the path or the query");
    else if (ref->step_count)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_URL, "a field in the host has no transforms");
}

static bool literal_is_clean(struct str literal) {
    for (size_t i = 0; i < literal.n; i++)
        if ((unsigned char)literal.p[i] <= ' ' || (unsigned char)literal.p[i] >= 0x7f || literal.p[i] == '#')
            return false;
    return true;
}

static bool begins_well(const struct text *url) {
    if (!url->count) return false;
    const struct text_part *part = &url->parts[0];
    if (part->ref) return part->ref->kind == REF_FIELD;
    return str_starts(part->text, STR("https://")) || str_starts(part->text, STR("http://"));
}

void url_read(struct document_reader *reader, const struct tree *tree, enum scope scope, struct text *ret_url) {
    enum stretch stretch = STRETCH_HOST;
    size_t before = reader->findings->errors;
    text_read(reader, tree, scope, ret_url);
    if (reader->findings->errors != before) return;
    if (!begins_well(ret_url)) {
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_URL,
                        "a URL begins with https://, http:// or a ${field.NAME}");
        return;
    }
    for (size_t i = 0; i < ret_url->count; i++) {
        struct text_part *part = &ret_url->parts[i];
        if (!part->ref && !literal_is_clean(part->text))
            reader_complain(reader, tree, tree->mark, CODE_CONNECT_URL, "a URL holds no blanks, no '#' and only ASCII");
        if (part->ref) check_ref(reader, tree, part->ref, stretch);
        if (!part->ref) stretch = stretch_after(stretch, part->text, i == 0);
        if (part->ref && stretch != STRETCH_HOST) part->place = stretch == STRETCH_PATH ? PLACE_PATH : PLACE_QUERY;
    }
}

/* ---- filling ---- */

/* RFC 3986, 2.3 and 3.3: unreserved everywhere, ':' and '@' in a path. */
static bool may_stand(char c, enum part_place place) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    bool mark = c == '-' || c == '.' || c == '_' || c == '~';
    return plain || mark || (place == PLACE_PATH && (c == ':' || c == '@'));
}

void url_escape(struct buf *buf, struct str text, enum part_place place) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (may_stand(text.p[i], place)) {
            buf_byte(buf, text.p[i]);
            continue;
        }
        buf_byte(buf, '%');
        buf_byte(buf, digits[c >> 4]);
        buf_byte(buf, digits[c & 15]);
    }
}

/* A segment of dots alone would mean another path, to the client as well as to the provider. */
static bool has_dot_segment(struct str url) {
    struct str path = STR_NONE, segment;
    str_next(&url, '?', &path);
    for (int i = 0; i < 3; i++) str_next(&path, '/', &segment); /* scheme, nothing, host */
    while (str_next(&path, '/', &segment))
        if (str_eq(segment, STR(".")) || str_eq(segment, STR(".."))) return true;
    return false;
}

/* Takes off the last slash of a base when the path behind it begins with one, or there would be two. */
static struct str without_slash(struct str base, const struct text_part *next) {
    bool doubled = str_ends(base, STR("/")) && next && !next->ref && str_starts(next->text, STR("/"));
    return doubled ? str_sub(base, 0, base.n - 1) : base;
}

static enum err part_fill(struct fill *fill, const struct text_part *part, const struct text_part *next,
                          struct buf *url) {
    struct value value;
    struct str text = part->text;
    if (part->ref) {
        TRY(value_of(fill, part->ref, &value));
        TRY(value_text(fill, part->ref, &value, &text));
    }
    if (part->place == PLACE_PATH && !text.n)
        return fill_fail(fill, "%.*s is missing", STR_ARG(ref_name(fill->context->arena, part->ref)));
    if (part->place == PLACE_PLAIN)
        buf_add(url, without_slash(text, next));
    else
        url_escape(url, text, part->place);
    return ERR_NONE;
}

enum err url_fill(struct fill *fill, const struct text *url, struct buf *ret_url) {
    for (size_t i = 0; i < url->count; i++)
        TRY(part_fill(fill, &url->parts[i], i + 1 < url->count ? &url->parts[i + 1] : NULL, ret_url));
    if (has_dot_segment(buf_str(ret_url)))
        return fill_fail(fill, "a value of nothing but dots cannot stand in the path of a URL");
    return ERR_NONE;
}

struct str url_beginning(const struct text *url, const struct connector *connector,
                         const struct destination_settings *destination, struct arena *arena) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < url->count; i++) {
        const struct text_part *part = &url->parts[i];
        if (part->ref && part->place != PLACE_PLAIN) break;
        buf_add(&buf, part->ref ? connector_field(connector, destination, part->ref->path[0]) : part->text);
    }
    return buf_str(&buf);
}
