/* config/section_webhook.c - a source whose sender signs its webhooks; see section_source.h. */
#include "config/section_source.h"

#include <string.h>

#include "base/arena.h"
#include "base/path.h"
#include "base/when.h"
#include "model/exchange.h"
#include "model/scheme.h"

/* Amazon tries a message again for an hour at most, under the time of the first try. */
#define CERTIFIED_TOLERANCE_US (2 * US_PER_HOUR)

static const struct str hmac = {"hmac", 4};

/* ---- type ---- */

/* type: as it stands in the file, which may name a secret; NULL = it does not. */
static void refuse_type(struct checker *checker, const struct source_settings *source, const struct tree *type) {
    struct tree_mark mark = type ? type->mark : source->mark;
    struct buf types = {.arena = checker->arena};
    struct suggestion near = {.wrong = type ? type->text : source->name};
    for (enum source_kind kind = SOURCE_WEBHOOK + 1; kind < SOURCE_KIND_COUNT; kind++) {
        buf_fmt(&types, "%s, ", source_kind_type(kind));
        suggestion_consider(&near, str_from(source_kind_type(kind)));
    }
    for (size_t i = 0; i < scheme_count; i++) {
        buf_fmt(&types, "%s, ", schemes[i].name);
        suggestion_consider(&near, str_from(schemes[i].name));
    }
    suggestion_consider(&near, hmac);
    struct str hint = suggestion_text(checker->arena, &near), shown = check_shown(checker, near.wrong);
    if (type)
        check_report(checker, mark, CODE_SOURCE_TYPE,
                     "source '%.*s' has the unknown type '%.*s'; there are %.*shmac%.*s", STR_ARG(source->name),
                     STR_ARG(shown), STR_ARG(buf_str(&types)), STR_ARG(hint));
    else
        check_report(checker, mark, CODE_SOURCE_TYPE,
                     "source '%.*s' needs a 'type', because its name is none; there are %.*shmac%.*s",
                     STR_ARG(source->name), STR_ARG(buf_str(&types)), STR_ARG(hint));
}

/* What is signed is written with names in braces. A wrong one would make every request refused, and one that is missing
 * would let anybody write what it stands for. Judged, and shown, as it stands in the file: no secret belongs there. */
static void check_signed(struct checker *checker, const struct tree *map, const struct source_settings *source) {
    static const char *const parts[] = {"{body}", "{time}", "{method}", "{url}"};
    bool has[sizeof parts / sizeof *parts] = {false};
    struct tree_mark mark = check_key_mark(map, STR("signed"));
    struct str rest = source->webhook.hmac.message.n ? tree_text(map, STR("signed")) : STR("{body}");
    for (size_t open; (open = str_find(rest, '{')) != SIZE_MAX;) {
        size_t part = 0;
        rest = str_sub(rest, open, rest.n);
        while (part < sizeof parts / sizeof *parts && !str_starts(rest, str_from(parts[part]))) part++;
        if (part == sizeof parts / sizeof *parts) {
            struct str shown = check_shown(checker, rest);
            check_report(checker, mark, CODE_VALUE,
                         "'signed'%.*s: '%.*s' begins with none of {body}, {time}, {method}, {url}",
                         STR_ARG(checker->where), STR_ARG(shown));
            return;
        }
        has[part] = true;
        rest = str_sub(rest, strlen(parts[part]), rest.n);
    }
    if (!has[0])
        check_report(checker, mark, CODE_VALUE, "'signed'%.*s must have {body}: what is not signed anybody could write",
                     STR_ARG(checker->where));
    if (has[1] && !source->webhook.hmac.time.n)
        check_report(checker, mark, CODE_VALUE, "'signed'%.*s has {time}: name its header, as in time: X-Time",
                     STR_ARG(checker->where));
    if (!has[1] && source->webhook.hmac.time.n)
        check_report(checker, check_key_mark(map, STR("time")), CODE_VALUE,
                     "'time'%.*s is not signed: put {time} into 'signed', or leave 'time' out",
                     STR_ARG(checker->where));
}

/* Elsewhere a '/' or a '#' in a place means more; here the value of a header is all. */
static void check_header(struct checker *checker, const struct tree *map, const char *name, struct str value) {
    if (value.n && (!header_name_valid(value) || str_find(value, '#') != SIZE_MAX))
        check_report(checker, check_key_mark(map, str_from(name)), CODE_VALUE, "'%s'%.*s takes the name of a header",
                     name, STR_ARG(checker->where));
}

/* The row that the keys of type hmac make. */
static const struct scheme *own_scheme(struct checker *checker, const struct source_settings *source,
                                       const struct tree *map) {
    static const enum signing signings[] = {SIGNING_HMAC_SHA256, SIGNING_HMAC_SHA256, SIGNING_HMAC_SHA1,
                                            SIGNING_HMAC_SHA512};
    struct scheme *scheme = arena_new(checker->arena, struct scheme);
    struct str message = source->webhook.hmac.message.n ? source->webhook.hmac.message : STR("{body}");
    if (!source->webhook.hmac.header.n)
        check_report(checker, source->mark, CODE_MISSING,
                     "'header' is missing%.*s: the header that holds the signature", STR_ARG(checker->where));
    check_header(checker, map, "header", source->webhook.hmac.header);
    check_header(checker, map, "time", source->webhook.hmac.time);
    check_signed(checker, map, source);
    *scheme = (struct scheme){.name = hmac.p,
                              .whose = "a sender of signed requests",
                              .signing = signings[source->webhook.hmac.algorithm],
                              .base64 = source->webhook.hmac.encoding == 2,
                              .secret_least = 8,
                              .signature = str_dup(checker->arena, source->webhook.hmac.header).p,
                              .prefix = str_dup(checker->arena, source->webhook.hmac.prefix).p,
                              .time = source->webhook.hmac.time.n ? str_dup(checker->arena, source->webhook.hmac.time).p
                                                                  : NULL,
                              .message = str_dup(checker->arena, message).p,
                              .key = "",
                              .type = "/type",
                              .source = "drumbeat.yaml"};
    return scheme;
}

/* Keys that only some types have. */
static void check_own_keys(struct checker *checker, const struct tree *map, const struct scheme *scheme) {
    static const struct {
        const char *key, *words;
        enum { OF_HMAC, OF_CERTIFICATES, OF_SECRETS } of;
    } keys[] = {
        {"header", "is for type hmac: the other types know how they sign", OF_HMAC},
        {"algorithm", "is for type hmac: the other types know how they sign", OF_HMAC},
        {"encoding", "is for type hmac: the other types know how they sign", OF_HMAC},
        {"prefix", "is for type hmac: the other types know how they sign", OF_HMAC},
        {"signed", "is for type hmac: the other types know how they sign", OF_HMAC},
        {"time", "is for type hmac: the other types know how they sign", OF_HMAC},
        {"topic", "is for type sns", OF_CERTIFICATES},
        {"ca", "is for type sns: nothing is fetched for the others", OF_CERTIFICATES},
        {"proxy", "is for type sns: nothing is fetched for the others", OF_CERTIFICATES},
        {"secret", "is not for this type: its sender signs with a certificate", OF_SECRETS},
        {"old_secret", "is not for this type: its sender signs with a certificate", OF_SECRETS},
    };
    bool certificates = scheme->proof == PROOF_CERTIFICATE;
    const bool fits[] = {
        [OF_HMAC] = scheme->name == hmac.p, [OF_CERTIFICATES] = certificates, [OF_SECRETS] = !certificates};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!fits[keys[i].of] && tree_get(map, str_from(keys[i].key)))
            check_report(checker, check_key_mark(map, str_from(keys[i].key)), CODE_SOURCE_KEY, "'%s'%.*s %s",
                         keys[i].key, STR_ARG(checker->where), keys[i].words);
}

/* arn:aws:sns:eu-central-1:123456789012:name; the part behind aws is another one in China and for governments. */
static bool is_topic(struct str topic) {
    struct str rest = topic, part;
    for (int i = 0; i < 6; i++) {
        if (!str_next(&rest, ':', &part) || !part.n) return false;
        if ((i == 0 && !str_eq(part, STR("arn"))) || (i == 1 && !str_starts(part, STR("aws"))) ||
            (i == 2 && !str_eq(part, STR("sns"))))
            return false;
    }
    return !rest.n;
}

static void check_certified(struct checker *checker, const struct tree *map, struct source_settings *source) {
    struct webhook_settings *webhook = &source->webhook;
    if (!webhook->topic.n && !tree_get(map, STR("topic")))
        check_report(checker, source->mark, CODE_MISSING,
                     "'topic' is missing%.*s: anybody can have %s sign messages of a topic of his own",
                     STR_ARG(checker->where), webhook->scheme->whose);
    else if (!is_topic(webhook->topic))
        check_report(checker, check_key_mark(map, STR("topic")), CODE_VALUE,
                     "'topic'%.*s is no ARN of a topic, as in arn:aws:sns:eu-central-1:123456789012:bounces",
                     STR_ARG(checker->where));
    if (!tree_get(map, STR("tolerance"))) webhook->tolerance_us = CERTIFIED_TOLERANCE_US;
    check_way(checker, map, webhook->ca, webhook->proxy);
}

/* ---- secrets ---- */

/* Whether a text may stand in a path as it is (RFC 3986, 3.3): what would have to be escaped there would never fit. */
static bool is_path_part(struct str text) {
    static const char others[] = "-._~!$&'()*+,;=:@";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (!c || !strchr(others, c))) return false;
    }
    return true;
}

static void check_secret(struct checker *checker, const struct tree *map, const struct scheme *scheme, const char *name,
                         struct str secret) {
    struct tree_mark mark = check_key_mark(map, str_from(name));
    if ((int64_t)secret.n < scheme->secret_least)
        check_report(checker, mark, CODE_SOURCE_SECRET, "'%s'%.*s has %zu characters; a secret of %s has at least %d",
                     name, STR_ARG(checker->where), secret.n, scheme->name, scheme->secret_least);
    else if (scheme->proof == PROOF_BASIC && str_find(secret, ':') == SIZE_MAX)
        check_report(checker, mark, CODE_SOURCE_SECRET, "'%s'%.*s must be user:password", name,
                     STR_ARG(checker->where));
    else if (scheme->proof == PROOF_PATH && !is_path_part(secret))
        check_report(checker, mark, CODE_SOURCE_SECRET,
                     "'%s'%.*s stands in a path: letters, digits and -._~ do, and no '/', '%%' or blank", name,
                     STR_ARG(checker->where));
    else if (!scheme_secret_valid(scheme, secret, checker->arena))
        check_report(checker, mark, CODE_SOURCE_SECRET, "'%s'%.*s is no key of %s: it takes %s", name,
                     STR_ARG(checker->where), scheme->whose,
                     scheme->secret == SECRET_PUBLIC ? "a public key in base64, or PEM" : "whsec_ and base64");
}

static void check_secrets(struct checker *checker, const struct tree *map, const struct source_settings *source) {
    const struct scheme *scheme = source->webhook.scheme;
    bool was_refused = tree_get(map, STR("secret")) && !source->webhook.secret.n; /* that was reported */
    if (!source->webhook.secret.n && !was_refused)
        check_report(checker, source->mark, CODE_SOURCE_SECRET,
                     "'secret' is missing%.*s: write secret: ${NAME} and put the secret into secrets/NAME or the "
                     "environment",
                     STR_ARG(checker->where));
    if (source->webhook.secret.n) check_secret(checker, map, scheme, "secret", source->webhook.secret);
    if (source->webhook.old_secret.n) check_secret(checker, map, scheme, "old_secret", source->webhook.old_secret);
    bool signs_url = scheme->message && strstr(scheme->message, "{url}");
    if (signs_url && !checker->settings->server.url.n)
        check_report(checker, source->mark, CODE_MISSING,
                     "'url' is missing in 'server': %s signs the address that it calls, so it must be known",
                     scheme->whose);
}

/* ---- map ---- */

/* A path of jq that only names a place, as .order.id does, is that place: it is read without jq, by its bytes, so that
 * an id of 18 digits is not rounded. */
static struct str place_of(struct checker *checker, struct str map) {
    struct path path;
    struct buf pointer = {.arena = checker->arena};
    if (!path_parse(checker->arena, map, &path)) return map;
    for (size_t i = 0; i < path.count; i++)
        if (path.steps[i].name.n)
            buf_fmt(&pointer, "/%.*s", STR_ARG(path.steps[i].name));
        else
            buf_fmt(&pointer, "/%zu", path.steps[i].index);
    return path.count ? buf_str(&pointer) : map;
}

/* What begins with '/' is places, all of them; anything else is jq, which ingest/mapping.c compiles. */
static void check_places(struct checker *checker, const struct tree *map, const char *name, struct str *places,
                         struct tree_mark *mark) {
    const struct tree *value = tree_get(map, str_from(name));
    if (!value) return;
    *mark = value->mark;
    *places = place_of(checker, *places);
    if (webhook_map_is_jq(*places)) return;
    for (struct str rest = *places, place; places->n && str_next(&rest, '+', &place);) {
        struct str shown = check_shown(checker, place);
        if (str_starts(place, STR("/"))) continue;
        check_report(checker, *mark, CODE_VALUE,
                     "'%s' in 'map'%.*s: the place '%.*s' does not begin with '/': write '/%.*s'", name,
                     STR_ARG(checker->where), STR_ARG(shown), STR_ARG(shown));
    }
}

static void check_map(struct checker *checker, const struct tree *map, struct webhook_settings *webhook) {
    check_places(checker, map, "type", &webhook->map_type, &webhook->map_marks[0]);
    check_places(checker, map, "key", &webhook->map_key, &webhook->map_marks[1]);
    check_places(checker, map, "at", &webhook->map_at, &webhook->map_marks[2]);
}

/* ---- the source ---- */

void check_webhook(struct checker *checker, const struct tree *map, struct source_settings *source) {
    const struct tree *type = tree_get(map, STR("type")), *places = tree_get(map, STR("map"));
    struct webhook_settings *webhook = &source->webhook;
    bool is_own = str_eq(source->type, hmac);
    if (places) check_map(checker, places, webhook);
    webhook->scheme = is_own ? own_scheme(checker, source, map) : scheme_find(source->type);
    if (!webhook->scheme)
        refuse_type(checker, source, type);
    else
        check_own_keys(checker, map, webhook->scheme);
    if (webhook->scheme && webhook->scheme->proof == PROOF_CERTIFICATE)
        check_certified(checker, map, source);
    else if (webhook->scheme)
        check_secrets(checker, map, source);
}
