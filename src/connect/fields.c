/* connect/fields.c - see fields.h. */
#include "connect/fields.h"

#include "base/when.h"
#include "connect/structured.h"

#include <string.h>

#define NUMBER_IS_EPOCH_MS 1e11
#define NUMBER_IS_EPOCH_S  1e9
/* The end of the year 9999: a larger number names no moment. */
#define MOMENT_MAX_S 253402300800.0
/* Below one request, nothing remains. */
#define REMAINING_NONE 1.0
#define DATE_BYTES_MAX 64
#define GUESS_MAX_US   (15 * US_PER_MIN)

/* GMT as some write it instead. */
static const struct str zones_of_gmt[] = {{" UTC", 4}, {" +0000", 6}, {" -0000", 6}};

static bool date_read(struct str value, int64_t *ret_at_us) {
    char text[DATE_BYTES_MAX];
    if (when_parse(value, ret_at_us) || when_parse_http(value, ret_at_us)) return true;
    for (size_t i = 0; i < sizeof zones_of_gmt / sizeof *zones_of_gmt; i++) {
        if (!str_ends(value, zones_of_gmt[i]) || value.n > sizeof text) continue;
        size_t n = value.n - zones_of_gmt[i].n;
        memcpy(text, value.p, n);
        memcpy(text + n, " GMT", 4);
        return when_parse_http((struct str){text, n + 4}, ret_at_us);
    }
    return false;
}

struct field_clock field_clock(const struct answer *answer, int64_t now_us) {
    struct field_clock clock = {.now_us = now_us};
    if (!date_read(str_trim(answer_header(answer, STR("date"))), &clock.date_us)) clock.date_us = 0;
    return clock;
}

/* A moment of the provider's clock on ours. */
static int64_t from_their_clock(struct field_clock clock, bool guessed, int64_t at_us) {
    if (clock.date_us) return clock.now_us + (at_us - clock.date_us);
    return guessed && at_us > clock.now_us + GUESS_MAX_US ? clock.now_us + GUESS_MAX_US : at_us;
}

/* Seconds since 1970, or from now. */
static bool moment_from(double seconds, int64_t base_us, int64_t *ret_at_us) {
    if (!(seconds >= 0 && seconds < MOMENT_MAX_S)) return false;
    *ret_at_us = base_us + (int64_t)(seconds * (double)US_PER_S);
    return true;
}

static enum reset_unit number_unit(double number) {
    if (number > NUMBER_IS_EPOCH_MS) return RESET_EPOCH_MS;
    return number > NUMBER_IS_EPOCH_S ? RESET_EPOCH_S : RESET_DELTA_S;
}

bool field_reset(struct str value, enum reset_unit unit, struct field_clock clock, int64_t *ret_at_us) {
    double number;
    int64_t at_us;
    bool guessed = unit == RESET_AUTO;
    value = str_trim(value);
    bool numeric = str_to_double(value, &number);
    if (unit == RESET_DATE || (guessed && !numeric)) {
        if (!date_read(value, &at_us)) return false;
        *ret_at_us = from_their_clock(clock, guessed, at_us);
        return true;
    }
    if (!numeric) return false;
    if (guessed) unit = number_unit(number);
    bool delta = unit == RESET_DELTA_S || unit == RESET_DELTA_MS;
    bool milliseconds = unit == RESET_EPOCH_MS || unit == RESET_DELTA_MS;
    if (!moment_from(milliseconds ? number / 1000 : number, delta ? clock.now_us : 0, &at_us)) return false;
    *ret_at_us = delta ? at_us : from_their_clock(clock, guessed, at_us);
    return true;
}

int64_t field_clamp(int64_t at_us, int64_t now_us) {
    if (at_us < now_us + US_PER_S) return now_us + US_PER_S;
    return at_us > now_us + US_PER_DAY ? now_us + US_PER_DAY : at_us;
}

/* Keeps the later of two moments. */
static void later(bool *found, int64_t *at_us, int64_t candidate_us) {
    if (!*found || candidate_us > *at_us) *at_us = candidate_us;
    *found = true;
}

/* Reads one value, or several that proxies joined with commas. A date has a comma too, so the whole is tried first. */
static bool retry_after_read(struct str value, struct field_clock clock, int64_t *ret_at_us) {
    struct str part;
    bool found = false;
    int64_t latest_us = 0, at_us;
    if (field_reset(value, RESET_AUTO, clock, ret_at_us)) return true;
    while (str_next(&value, ',', &part)) {
        double number;
        if (!str_to_double(str_trim(part), &number) || !field_reset(part, RESET_AUTO, clock, &at_us)) return false;
        later(&found, &latest_us, at_us);
    }
    if (found) *ret_at_us = latest_us;
    return found;
}

bool field_retry_after(const struct answer *answer, int64_t now_us, int64_t *ret_at_us) {
    const struct field_clock clock = field_clock(answer, now_us);
    bool found = false;
    int64_t latest_us = 0, at_us;
    for (size_t i = 0; i < answer->header_count; i++)
        if (str_eq_nocase(answer->headers[i].name, STR("retry-after")) &&
            retry_after_read(answer->headers[i].value, clock, &at_us))
            later(&found, &latest_us, at_us);
    if (found) *ret_at_us = field_clamp(latest_us, now_us);
    return found;
}

/* draft-ietf-httpapi-ratelimit-headers: since 08 a list of `"name";r=0;t=30`, before it one dictionary
 * `limit=100, remaining=0, reset=30`. */
static bool structured_limit(struct str value, int64_t now_us, int64_t *ret_at_us) {
    struct sf_member member;
    bool found = false, none_remains = false, has_reset = false;
    int64_t latest_us = 0, at_us;
    double reset = 0;
    while (sf_next(&value, &member)) {
        const struct sf_param *left = sf_param(&member, STR("r")), *to_go = sf_param(&member, STR("t"));
        if (left && to_go && left->text.n && to_go->text.n && left->number < REMAINING_NONE &&
            moment_from(to_go->number, now_us, &at_us))
            later(&found, &latest_us, at_us);
        if (str_eq_nocase(member.key, STR("remaining"))) none_remains = member.value < REMAINING_NONE;
        if (str_eq_nocase(member.key, STR("reset"))) {
            has_reset = true;
            reset = member.value;
        }
    }
    if (none_remains && has_reset && moment_from(reset, now_us, &at_us)) later(&found, &latest_us, at_us);
    if (found) *ret_at_us = latest_us;
    return found;
}

static bool every_structured(const struct answer *answer, struct str name, int64_t now_us, int64_t *ret_at_us) {
    bool found = false;
    int64_t latest_us = 0, at_us;
    for (size_t i = 0; i < answer->header_count; i++)
        if (str_eq_nocase(answer->headers[i].name, name) && structured_limit(answer->headers[i].value, now_us, &at_us))
            later(&found, &latest_us, at_us);
    if (found) *ret_at_us = latest_us;
    return found;
}

static bool nothing_remains(struct str value) {
    double remaining;
    return str_to_double(str_trim(value), &remaining) && remaining >= 0 && remaining < REMAINING_NONE;
}

static bool one_limit(const struct answer *answer, const struct limit_field *field, bool refused, int64_t now_us,
                      int64_t *ret_at_us) {
    if (!field->reset.n) return every_structured(answer, field->remaining, now_us, ret_at_us);
    bool spent = field->remaining.n ? nothing_remains(answer_header(answer, field->remaining)) : refused;
    return spent &&
           field_reset(answer_header(answer, field->reset), field->unit, field_clock(answer, now_us), ret_at_us);
}

bool field_limit(const struct answer *answer, const struct limit_field *fields, size_t count, bool refused,
                 int64_t now_us, int64_t *ret_at_us) {
    bool found = false;
    int64_t latest_us = 0, at_us;
    struct str told = STR_NONE; /* what an earlier entry read: of two names for one reset the first counts */
    for (size_t i = 0; i < count; i++) {
        struct str remaining = fields[i].remaining;
        if ((remaining.n && str_eq(remaining, told)) || !one_limit(answer, &fields[i], refused, now_us, &at_us))
            continue;
        told = remaining;
        if (at_us > now_us) later(&found, &latest_us, at_us);
    }
    if (found) *ret_at_us = field_clamp(latest_us, now_us);
    return found;
}

/* When a provider writes both, the seconds to go come first, because they need no common clock. */
static const struct limit_field usual_fields[] = {
    {{"ratelimit", 9}, {0}, RESET_AUTO},
    {{"ratelimit-remaining", 19}, {"ratelimit-reset", 15}, RESET_AUTO},
    {{"x-ratelimit-remaining", 21}, {"x-ratelimit-reset-after", 23}, RESET_DELTA_S},
    {{"x-ratelimit-remaining", 21}, {"x-ratelimit-reset", 17}, RESET_AUTO},
    {{"x-rate-limit-remaining", 22}, {"x-rate-limit-reset", 18}, RESET_AUTO},
};

bool field_quiet_until(const struct answer *answer, int64_t now_us, int64_t *ret_at_us) {
    return field_limit(answer, usual_fields, sizeof usual_fields / sizeof *usual_fields, false, now_us, ret_at_us);
}
