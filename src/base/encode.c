/* base/encode.c - hexadecimal and base64 (RFC 4648); see hash.h. */
#include "base/arena.h"
#include "base/hash.h"

struct str hex_encode(struct arena *arena, const void *data, size_t bytes) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;
    char *text = arena_alloc(arena, bytes * 2 + 1);
    for (size_t i = 0; i < bytes; i++) {
        text[i * 2] = digits[from[i] >> 4];
        text[i * 2 + 1] = digits[from[i] & 15];
    }
    return (struct str){text, bytes * 2};
}

/* -1 when it is no digit. */
static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct str text, uint8_t *ret_data, size_t bytes) {
    if (text.n != bytes * 2) return false;
    for (size_t i = 0; i < text.n; i++)
        if (hex_digit(text.p[i]) < 0) return false;
    for (size_t i = 0; i < bytes; i++)
        ret_data[i] = (uint8_t)(hex_digit(text.p[i * 2]) << 4 | hex_digit(text.p[i * 2 + 1]));
    return true;
}

struct str base64_encode(struct arena *arena, struct str data) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = (const uint8_t *)data.p;
    size_t length = (data.n + 2) / 3 * 4;
    char *text = arena_alloc(arena, length + 1), *to = text;
    for (size_t i = 0; i < data.n; i += 3) {
        size_t left = data.n - i;
        uint32_t group = (uint32_t)from[i] << 16;
        if (left > 1) group |= (uint32_t)from[i + 1] << 8;
        if (left > 2) group |= from[i + 2];
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *to++ = left > 2 ? alphabet[group & 63] : '=';
    }
    return (struct str){text, length};
}

struct str base64url_encode(struct arena *arena, struct str data) {
    struct str plain = base64_encode(arena, data);
    char *text = arena_alloc(arena, plain.n + 1);
    size_t length = 0;
    for (; length < plain.n && plain.p[length] != '='; length++) {
        char c = plain.p[length];
        text[length] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    return (struct str){text, length};
}

/* -1 when it is not of the alphabet. */
static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bits left over in the last digit must be zero (RFC 4648, 3.5), so that each value has one text. */
bool base64_decode(struct arena *arena, struct str text, struct str *ret_data) {
    size_t digits = text.n;
    while (digits && text.n - digits < 2 && text.p[digits - 1] == '=') digits--;
    if (text.n % 4 || digits % 4 == 1) return false;
    size_t length = digits * 3 / 4, done = 0;
    uint8_t *data = arena_alloc(arena, length + 1);
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(text.p[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        data[done++] = (uint8_t)(bits >> held);
    }
    if (bits & ((1U << held) - 1)) return false;
    *ret_data = (struct str){(const char *)data, length};
    return true;
}
