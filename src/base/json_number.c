/* base/json_number.c - a double as the shortest decimal that reads back as the
 * same double, in the form of ECMAScript's Number::toString, as RFC 8785,
 * 3.2.2.3 asks. */
#include "base/json.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_ROOM 24
#define EXACT_MAX   0x1p53 /* up to here a double misses no integer */
#define POWERS_MAX  22     /* 10^22 is the last power of ten that a double holds exactly */

/* digits x 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* The quick way for what people write: up to 15 digits and a point. Two different decimals of 15 digits never round to
 * the same double, so the first one found that gives the value is the shortest. m / 10^k is rounded once, as a reader
 * would round it. */
static bool decimal_short(double value, struct decimal *ret_decimal) {
    static const double powers[POWERS_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    for (int k = 1; k <= POWERS_MAX; k++) {
        double scaled = value * powers[k];
        if (scaled >= 1e15) return false;
        uint64_t digits = (uint64_t)(scaled + 0.5);
        if ((double)digits / powers[k] != value) continue;
        *ret_decimal = (struct decimal){digits, -k};
        return true;
    }
    return false;
}

static bool decimal_is(struct decimal decimal, double value) {
    char text[DIGITS_ROOM * 2];
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)decimal.digits, decimal.exponent);
    return strtod(text, NULL) == value;
}

/* The best decimal of so many digits, if one reads back as the value. At a power of two the doubles below lie closer
 * than those above, so the nearest decimal may miss the value where the next one up does not. */
static bool decimal_of_length(double value, int length, struct decimal *ret_decimal) {
    char text[DIGITS_ROOM * 2];
    snprintf(text, sizeof text, "%.*e", length - 1, value);
    struct decimal decimal = {0};
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at != '.') decimal.digits = decimal.digits * 10 + (uint64_t)(*at - '0');
    decimal.exponent = atoi(at + 1) - (length - 1);
    if (!decimal_is(decimal, value)) decimal.digits++;
    if (!decimal_is(decimal, value)) return false;
    *ret_decimal = decimal;
    return true;
}

/* The shortest decimal of a value above 0. It has at most 17 digits, mostly 15 or fewer, and for a subnormal number it
 * may be a single one. */
static struct decimal decimal_of(double value) {
    struct decimal decimal;
    if (decimal_short(value, &decimal)) return decimal;
    int length = value < DBL_MIN ? 1 : DBL_DIG;
    while (!decimal_of_length(value, length, &decimal)) length++;
    for (; decimal.digits % 10 == 0; decimal.exponent++) decimal.digits /= 10;
    return decimal;
}

static struct str digits_text(uint64_t digits, char room[DIGITS_ROOM]) {
    char *end = room + DIGITS_ROOM, *at = end;
    do *--at = (char)('0' + digits % 10);
    while (digits /= 10);
    return (struct str){at, (size_t)(end - at)};
}

static void write_zeros(struct buf *buf, int count) {
    while (count-- > 0) buf_byte(buf, '0');
}

/* ECMA-262, 6.1.6.1.20; point is the specification's n: the value is 0.digits x 10^point. */
static void write_decimal(struct buf *buf, struct decimal decimal) {
    char room[DIGITS_ROOM];
    struct str digits = digits_text(decimal.digits, room);
    int length = (int)digits.n, point = length + decimal.exponent;
    if (length <= point && point <= 21) {
        buf_add(buf, digits);
        write_zeros(buf, point - length);
    } else if (0 < point && point <= 21) {
        buf_add(buf, str_sub(digits, 0, (size_t)point));
        buf_byte(buf, '.');
        buf_add(buf, str_sub(digits, (size_t)point, digits.n));
    } else if (-6 < point && point <= 0) {
        buf_add(buf, STR("0."));
        write_zeros(buf, -point);
        buf_add(buf, digits);
    } else {
        buf_add(buf, str_sub(digits, 0, 1));
        if (length > 1) buf_byte(buf, '.');
        buf_add(buf, str_sub(digits, 1, digits.n));
        buf_fmt(buf, "e%+d", point - 1);
    }
}

void json_write_number(struct buf *buf, double value) {
    assert(isfinite(value));
    double size = fabs(value);
    if (value < 0) buf_byte(buf, '-');
    if (size <= EXACT_MAX && size == (double)(uint64_t)size) {
        char room[DIGITS_ROOM];
        buf_add(buf, digits_text((uint64_t)size, room));
    } else
        write_decimal(buf, decimal_of(size));
}
