/* ingest/certified.c - see signature.h.
 *
 * WHAT  A row of schemes.def with PROOF_CERTIFICATE against a request: whose topic it is, what was signed, with the key
 *   of a certificate that lies at a place where only the sender can put one.
 *
 * PROMISE  A request is taken only if its values were signed with the key of a certificate that was fetched over https
 *   from the row's host in the topic's region, and if its topic is the one that the source names: anybody can have
 *   Amazon sign messages of a topic of his own. One that was signed longer ago than the tolerance is refused. Nothing
 * is fetched for a request of another topic, nor from any other place, and no URL is called that was not signed.
 *
 * WHY IT HOLDS  Amazon signs a topic's messages with a certificate at the host of the topic's region (its Java SDK
 * takes no other:
 * docs.aws.amazon.com/AWSJavaSDK/latest/javadoc/com/amazonaws/services/sns/message/SnsMessageManager.html). What is
 * signed are names and values, each with a line break behind it, so a value with line breaks could be read as several.
 * Only the last line that is cut can be shifted so: the message stands first, all others may have no line break, and
 * their number is known. The body is read strictly (a name that stands twice is refused), so that whoever reads the
 * event sees the values that were signed. The URL must begin with https:// and a host of the row, letter by letter: no
 * user, no port, no other characters that a URL could hide a host behind; one star stands for one label.
 *
 * WHAT BREAKS IT  Other members (MessageAttributes, UnsubscribeURL) are not signed, by Amazon's design: whoever
 * recorded a message could change them. A stranger who knows the topic can have certificates asked for that are not
 * there; the engine bounds how many, and keeps for long only those that a message proved (engine/certificates.c).
 *
 * HOW TO SEE IT  The log lines source_refused, certificate_fetched, certificate_refused, subscription_confirmed.
 *
 * TESTED BY  test/unit/ingest/test_certified.c, test/e2e/test_sns.py (two other implementations agree)
 */
#include "ingest/signature.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/signing.h"
#include "base/when.h"
#include "model/scheme.h"

struct certified {
    const struct intake_context *context;
    const struct source_settings *source;
    const struct scheme *scheme;
    const struct json *body;
    struct str *ret_words;
};

static enum err unsigned_for(const struct certified *certified, struct str words) {
    *certified->ret_words = words;
    return ERR_UNSIGNED;
}

/* A member's text; STR_NONE where it is none. */
static struct str member(const struct certified *certified, struct str name) {
    const struct json *value = json_get(certified->body, name);
    return value && json_type(value) == JSON_STRING ? json_text(value) : STR_NONE;
}

static struct str member_at(const struct certified *certified, const char *pointer) {
    return member(certified, str_from(pointer + 1));
}

/* "sns.*.amazonaws.com": the star is one label of letters, digits and '-'; it is the region. */
static bool host_fits(struct str pattern, struct str host, struct str *ret_region) {
    size_t star = str_find(pattern, '*');
    struct str head = str_sub(pattern, 0, star), tail = str_sub(pattern, star + 1, pattern.n);
    if (host.n <= head.n + tail.n || !str_starts(host, head) || !str_ends(host, tail)) return false;
    *ret_region = str_sub(host, head.n, host.n - tail.n - head.n);
    for (size_t i = 0; i < ret_region->n; i++) {
        char c = ret_region->p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
    }
    return true;
}

/* Whether the URL leads to a host of the row. ret_path: what stands behind the host. */
static bool is_at_host(const struct scheme *scheme, struct str url, struct str *ret_region, struct str *ret_path) {
    static const char https[] = "https://";
    if (url.n > CERTIFICATE_URL_MAX * 8 || !str_starts(url, str_from(https))) return false;
    struct str rest = str_sub(url, sizeof https - 1, url.n), hosts = str_from(scheme->hosts), pattern;
    size_t slash = str_find(rest, '/');
    if (slash == SIZE_MAX) return false;
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 127 || rest.p[i] == '\\') return false;
    *ret_path = str_sub(rest, slash, rest.n);
    while (str_next(&hosts, ' ', &pattern))
        if (host_fits(pattern, str_sub(rest, 0, slash), ret_region)) return true;
    return false;
}

/* No segment is empty or begins with a dot: one file has one address. */
static bool is_plain_path(struct str path) {
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '?' || path.p[i] == '#' || path.p[i] == '%') return false;
        if (path.p[i] == '/' && (i + 1 == path.n || path.p[i + 1] == '/' || path.p[i + 1] == '.')) return false;
    }
    return true;
}

/* arn:aws:sns:REGION:ACCOUNT:NAME */
static struct str region_of(struct str topic) {
    struct str region = STR("");
    for (int i = 0; i < 4; i++)
        if (!str_next(&topic, ':', &region)) return STR("");
    return region;
}

/* ret_region: of its host. */
static bool is_certificate_url(const struct scheme *scheme, struct str url, struct str *ret_region) {
    struct str path;
    return url.n <= CERTIFICATE_URL_MAX && is_at_host(scheme, url, ret_region, &path) && str_ends(path, STR(".pem")) &&
           is_plain_path(path);
}

/* Names and values, each with a line break behind it; false, with words, where one is missing or may not be so. */
static bool add_lines(const struct certified *certified, const char *members, struct buf *message) {
    struct arena *arena = certified->context->arena;
    for (struct str rest = str_from(members), name; str_next(&rest, ' ', &name);) {
        bool may_lack = str_ends(name, STR("?"));
        if (may_lack) name = str_sub(name, 0, name.n - 1);
        struct str value = member(certified, name);
        if (!value.p && may_lack && !json_get(certified->body, name)) continue;
        bool is_first = message->n == 0;
        if (!value.p || (!is_first && str_find(value, '\n') != SIZE_MAX)) {
            *certified->ret_words =
                str_fmt(arena, "'%.*s' is %s", STR_ARG(name), value.p ? "of several lines" : "missing, or no text");
            return false;
        }
        buf_fmt(message, "%.*s\n", STR_ARG(name));
        buf_add(message, value);
        buf_byte(message, '\n');
    }
    return true;
}

static enum err verify(const struct certified *certified, const char *members, struct fetch_need *ret_fetch) {
    const struct scheme *scheme = certified->scheme;
    const struct certificate_shelf *shelf = certified->context->certificates;
    struct arena *arena = certified->context->arena;
    struct buf message = {.arena = arena};
    struct str version = member(certified, STR("SignatureVersion")), signature, key, why = STR("");
    struct str url = member_at(certified, scheme->certificate), region;
    bool is_old = false;
    if (!str_eq(version, STR("1")) && !str_eq(version, STR("2")))
        return unsigned_for(certified, STR("SignatureVersion is neither 1 nor 2"));
    if (!add_lines(certified, members, &message)) return ERR_UNSIGNED;
    if (!is_certificate_url(scheme, url, &region))
        return unsigned_for(certified,
                            str_fmt(arena, "%s is no certificate at %s", scheme->certificate + 1, scheme->hosts));
    if (!str_eq(region, region_of(certified->source->webhook.topic)))
        return unsigned_for(certified,
                            str_fmt(arena, "%s is in another region than the topic", scheme->certificate + 1));
    if (!base64_decode(arena, member_at(certified, scheme->signature), &signature))
        return unsigned_for(certified, STR("the signature is not base64"));
    if (!shelf || !shelf->find(shelf->self, url, &key, &is_old, &why)) {
        *ret_fetch = (struct fetch_need){FETCH_CERTIFICATE, str_dup(arena, url)};
        *certified->ret_words = why.n ? why : STR("its certificate is not here yet and is being fetched");
        return ERR_UNVOUCHED;
    }
    if (is_old) *ret_fetch = (struct fetch_need){FETCH_CERTIFICATE, str_dup(arena, url)};
    enum signing signing = str_eq(version, STR("1")) ? SIGNING_RSA_SHA1 : SIGNING_RSA_SHA256;
    if (signing_verify(signing, key, buf_str(&message), signature)) return ERR_NONE;
    return unsigned_for(certified, STR("the signature does not fit (something changed the request on its way)"));
}

static enum err check_moment(const struct certified *certified) {
    struct arena *arena = certified->context->arena;
    int64_t tolerance_us = certified->source->webhook.tolerance_us, signed_us;
    if (!when_parse(member_at(certified, certified->scheme->time), &signed_us)) {
        *certified->ret_words = STR("the time is not RFC 3339");
        return ERR_STALE;
    }
    int64_t age_us = certified->context->wall_us - signed_us;
    if (age_us <= tolerance_us && age_us >= -tolerance_us) return ERR_NONE;
    *certified->ret_words = str_fmt(arena, "it was signed %.*s %s (an old request, or a clock that is wrong)",
                                    STR_ARG(span_str(arena, (age_us < 0 ? -age_us : age_us) / US_PER_S * US_PER_S)),
                                    age_us < 0 ? "from now" : "ago");
    return ERR_STALE;
}

static enum err judge_body(const struct certified *certified, struct fetch_need *ret_fetch, bool *ret_notice) {
    const struct scheme *scheme = certified->scheme;
    const struct certificate_shelf *shelf = certified->context->certificates;
    struct arena *arena = certified->context->arena;
    struct str kind = member(certified, STR("Type")), topic = member(certified, STR("TopicArn")), region, path;
    bool subscribes = str_eq(kind, STR("SubscriptionConfirmation"));
    bool is_notice = subscribes || str_eq(kind, STR("UnsubscribeConfirmation"));
    if (!topic.n || !str_eq(topic, certified->source->webhook.topic))
        return unsigned_for(certified,
                            topic.n ? str_fmt(arena, "TopicArn is %.*s, and the source's topic is %.*s",
                                              STR_ARG(str_head(topic, 200)), STR_ARG(certified->source->webhook.topic))
                                    : STR("there is no TopicArn; raw message delivery must be off"));
    if (!is_notice && !str_eq(kind, STR("Notification")))
        return unsigned_for(certified, STR("Type is none of Amazon SNS"));
    TRY(verify(certified, is_notice ? scheme->notice : scheme->message, ret_fetch));
    TRY(check_moment(certified));
    if (shelf) shelf->prove(shelf->self, member_at(certified, scheme->certificate));
    *ret_notice = is_notice;
    if (!subscribes) return ERR_NONE;
    struct str url = member(certified, STR("SubscribeURL"));
    if (!is_at_host(scheme, url, &region, &path))
        return unsigned_for(certified, str_fmt(arena, "SubscribeURL is not at %s", scheme->hosts));
    if (!shelf || !shelf->confirmed(shelf->self, url))
        *ret_fetch = (struct fetch_need){FETCH_CONFIRMATION, str_dup(arena, url)};
    return ERR_NONE;
}

enum err certified_check(const struct intake_context *context, const struct source_settings *source,
                         const struct request *request, struct fetch_need *ret_fetch, bool *ret_notice,
                         struct str *ret_words) {
    struct json *body;
    struct str words = STR("");
    if (json_parse(request->body, JSON_DEPTH_MAX, &body, NULL)) {
        *ret_words = STR("the body is no JSON, so it has no signature");
        return ERR_UNSIGNED;
    }
    const struct certified certified = {context, source, source->webhook.scheme, body, &words};
    *ret_notice = false;
    enum err err = judge_body(&certified, ret_fetch, ret_notice);
    json_free(body);
    if (err) *ret_words = words;
    return err;
}
