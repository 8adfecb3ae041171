/* bench/bench_intake.c - what it costs to take in what a sender posts: from a request's headers and 2 KB of body to an
 * event that could be appended, the signature judged, nothing stored. Prints a line for each sender: its name and
 * microseconds of CPU.
 *
 *   bench_intake [ROUNDS [NAME]]
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/signing.h"
#include "base/when.h"
#include "ingest/submission.h"
#include "ingest/webhook.h"
#include "server/setup.h"
#include "test/unit/ingest/certificates.h"

#define NOW_S      ((int64_t)1795526439) /* 2026-11-24T13:20:39Z */
#define FILL_BYTES 1900
#define TOPIC      "arn:aws:sns:us-east-1:123456789012:bounces"
#define PEM_URL    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"

static const char config[] =
    "version: 1\n"
    "sources:\n"
    "  stripe: {secret: '${PLAIN}'}\n"
    "  standard-webhooks: {secret: '${STANDARD}'}\n"
    "  github: {secret: '${PLAIN}'}\n"
    "  sendgrid: {secret: '${SENDGRID}'}\n"
    "  sns: {topic: '" TOPIC "'}\n"
    "  contact: {type: form, fields: {email: required, name: optional, message: {kind: area}}}\n"
    "destinations:\n"
    "  hook: {url: 'http://127.0.0.1:8129/', allow_private: true}\n"
    "routes:\n"
    "  all: {from: '*', to: [hook]}\n";

/* Of a key that was made for this file and thrown away, over the time and the body that sendgrid_request writes. */
#define SENDGRID_KEY                                                                                                   \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9EOLYem1l7lh2Dhw2qay3w8xfbDEuIxeHLZ9anDL9OhY0ZBvTbZIGt4DQk3hmeP5qkrHRthydJJY" \
    "odj"                                                                                                              \
    "wBD79RA=="
#define SENDGRID_SIGNATURE                                                                                             \
    "MEUCIFDV5qSzA3Z5rDufpJ3XqLUzM/kMRxhPupO9TOW+bi6ZAiEAlzyWeJu+zJOB1MKbgJSDPyhLmuZmb3QDWC4RW2baKiM="

static const struct {
    const char *name, *value;
} secrets[] = {{"PLAIN", "a-secret-of-the-benchmark"},
               {"STANDARD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
               {"SENDGRID", SENDGRID_KEY}};

static bool a_secret(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note) {
    (void)self;
    (void)arena;
    *ret_note = STR("");
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (str_eq(name, str_from(secrets[i].name))) *ret_value = str_from(secrets[i].value);
    return true;
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* ---- requests ---- */

static struct str fill(struct arena *arena) {
    char *text = arena_alloc(arena, FILL_BYTES);
    memset(text, 'x', FILL_BYTES);
    return (struct str){text, FILL_BYTES};
}

static bool post(struct arena *arena, struct request *ret_request, struct str body, const struct header *headers,
                 size_t count) {
    *ret_request = (struct request){.method = STR("POST"),
                                    .path = STR("/in/it"),
                                    .body = body,
                                    .peer = STR("192.0.2.1"),
                                    .headers = arena_copy(arena, headers, count * sizeof *headers),
                                    .header_count = count};
    return true;
}

static bool sample_request(const struct source_settings *source, const struct server_settings *server,
                           struct arena *arena, struct request *ret_request) {
    struct json *fields = json_object();
    struct str problem = STR("");
    json_set(fields, STR("filler"), json_str(fill(arena)));
    const struct sample_wish wish = {fields, STR("order.paid"), STR("evt_1PkRZ2"), NOW_S * US_PER_S};
    bool made = webhook_sample(source, server, &wish, arena, ret_request, &problem);
    json_free(fields);
    if (!made) fprintf(stderr, "bench_intake: %.*s\n", STR_ARG(problem));
    return made;
}

static bool sendgrid_request(struct arena *arena, struct request *ret_request) {
    const struct header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("X-Twilio-Email-Event-Webhook-Timestamp"), str_fmt(arena, "%lld", (long long)NOW_S)},
        {STR("X-Twilio-Email-Event-Webhook-Signature"), STR(SENDGRID_SIGNATURE)}};
    struct str body = str_fmt(arena,
                              "[{\"email\":\"ada@example.com\",\"timestamp\":%lld,\"event\":\"delivered\","
                              "\"sg_event_id\":\"ZXZlbnQtMQ\",\"reason\":\"%.*s\"}]",
                              (long long)NOW_S, STR_ARG(fill(arena)));
    return post(arena, ret_request, body, headers, 3);
}

static bool sns_request(struct arena *arena, struct request *ret_request) {
    static const char *const names[] = {"Message", "MessageId", "Timestamp", "TopicArn", "Type"};
    const struct str values[] = {str_fmt(arena, "{\"eventType\":\"Bounce\",\"mail\":\"%.*s\"}", STR_ARG(fill(arena))),
                                 STR("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"), STR("2026-11-24T13:20:39.000Z"),
                                 STR(TOPIC), STR("Notification")};
    struct buf lines = {.arena = arena}, body = {.arena = arena};
    struct str signature;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        buf_fmt(&lines, "%s\n%.*s\n", names[i], STR_ARG(values[i]));
        buf_fmt(&body, "%s\"%s\":", i ? "," : "{", names[i]);
        json_quote(&body, values[i]);
    }
    if (!signing_sign_rsa(STR(TEST_KEY), buf_str(&lines), arena, &signature)) return false;
    buf_fmt(&body, ",\"SignatureVersion\":\"2\",\"SigningCertURL\":\"" PEM_URL "\",\"Signature\":\"%.*s\"}",
            STR_ARG(base64_encode(arena, signature)));
    const struct header headers[] = {{STR("Content-Type"), STR("text/plain; charset=UTF-8")}};
    return post(arena, ret_request, buf_str(&body), headers, 1);
}

static bool form_request(struct arena *arena, struct request *ret_request) {
    const struct header headers[] = {{STR("Content-Type"), STR("application/x-www-form-urlencoded")},
                                     {STR("Referer"), STR("https://shop.example/contact?utm_source=news")},
                                     {STR("Accept"), STR("text/html")}};
    struct buf body = {.arena = arena};
    buf_add(&body, STR("email=ada%40example.com&name=Ada+Lovelace&message="));
    for (size_t i = 0; i < FILL_BYTES; i += 10) buf_add(&body, STR("word+more+"));
    return post(arena, ret_request, buf_str(&body), headers, 3);
}

static bool make(const struct source_settings *source, const struct server_settings *server, struct arena *arena,
                 struct request *ret_request) {
    if (str_eq(source->name, STR("sendgrid"))) return sendgrid_request(arena, ret_request);
    if (str_eq(source->name, STR("sns"))) return sns_request(arena, ret_request);
    if (str_eq(source->name, STR("contact"))) return form_request(arena, ret_request);
    return sample_request(source, server, arena, ret_request);
}

/* ---- the certificate that SNS names: it was fetched before ---- */

static bool find(void *self, struct str url, struct str *ret_key, bool *ret_old, struct str *ret_why) {
    *ret_key = *(const struct str *)self;
    *ret_old = false;
    *ret_why = STR("");
    return str_eq(url, STR(PEM_URL));
}

static void prove(void *self, struct str url) {
    (void)self;
    (void)url;
}

static bool confirmed(void *self, struct str url) {
    (void)self;
    (void)url;
    return true;
}

/* ---- rounds ---- */

/* How many events it became. */
static size_t take(const struct intake_context *context, const struct source_settings *source,
                   const struct request *request) {
    struct posting posting = {0};
    struct refusal refusal = {0};
    struct submission submission;
    struct str words = STR("");
    if (source->kind == SOURCE_FORM) {
        if (submission_read(context, source, request, &submission, &refusal)) return 0;
        (void)submission_key(context, &submission, 1); /* what the handler looks for in the store */
        return submission_event(context, request, &submission).valid && !submission.problem_count;
    }
    if (webhook_take(context, source, request, &posting, &refusal, &words)) return 0;
    return posting.intake.count && posting.intake.items[0].valid ? posting.intake.count : 0;
}

/* CPU of one request; negative when it could not be taken. */
static double measure(const struct setup *setup, const struct source_settings *source, uint64_t rounds,
                      const struct certificate_shelf *shelf, struct hasher *hasher) {
    struct arena arena = ARENA_EMPTY, made = ARENA_EMPTY;
    struct rng rng;
    struct uuid last = {0};
    struct request request = {0};
    double took_us = -1;
    rng_seed(&rng, 7);
    const struct intake_context context = {.settings = setup->settings,
                                           .wall_us = NOW_S * US_PER_S,
                                           .hasher = hasher,
                                           .rng = &rng,
                                           .last_id = &last,
                                           .arena = &arena,
                                           .mappings = setup->mappings,
                                           .certificates = shelf};
    if (make(source, &setup->settings->server, &made, &request)) {
        double began_us = cpu_us();
        for (uint64_t i = 0; i < rounds; i++) {
            if (!take(&context, source, &request)) break;
            arena_reset(&arena);
            if (i + 1 == rounds) took_us = (cpu_us() - began_us) / (double)rounds;
        }
    }
    if (took_us < 0) fprintf(stderr, "bench_intake: %.*s was not taken\n", STR_ARG(source->name));
    arena_free(&arena);
    arena_free(&made);
    return took_us;
}

int main(int argc, char **argv) {
    uint64_t rounds = 20000;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    const struct secret_source source = {.lookup = a_secret};
    const struct setup_input input = {.file = STR("bench.yaml"), .text = STR(config), .secrets = &source};
    struct str key, only = str_from(argc > 2 ? argv[2] : "");
    int64_t from_us, until_us;
    const char *problem;
    if (argc > 1 && !str_to_u64(str_from(argv[1]), &rounds)) {
        fprintf(stderr, "usage: bench_intake [ROUNDS [NAME]]\n");
        return 2;
    }
    struct setup *setup = setup_load(&input, &findings);
    if (!setup || !signing_certificate(STR(TEST_CERTIFICATE), &arena, &key, &from_us, &until_us, &problem)) {
        fprintf(stderr, "%.*s", STR_ARG(findings_text(&arena, &findings)));
        return 1;
    }
    const struct certificate_shelf shelf = {find, prove, confirmed, &key};
    struct hasher *hasher = hasher_new();
    bool all = true;
    for (size_t i = 0; i < setup->settings->source_count; i++) {
        const struct source_settings *one = &setup->settings->sources[i];
        if (only.n && !str_eq(only, one->name)) continue;
        double took_us = measure(setup, one, rounds, &shelf, hasher);
        printf("%.*s %.2f\n", STR_ARG(one->name), took_us);
        all = all && took_us >= 0;
    }
    hasher_free(hasher);
    setup_free(setup);
    arena_free(&arena);
    return !all;
}
