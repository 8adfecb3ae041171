/* test/unit/engine/shop.h - a house whose one destination `it` sends with a token, and what goes out. Include after
 * house_acts.h; shop_acts.h has the rest. */
#ifndef ENGINE_SHOP_H
#define ENGINE_SHOP_H

#define SHOP_FORM(way, grant)                                                                                          \
    "    " way ": {url: \"https://shop.test/token\", form: {secret: \"${field.secret}\", " grant "}}\n"
#define SHOP_REFRESH SHOP_FORM("refresh", "refresh_token: \"${token.refresh}\"")
#define SHOP_GET     SHOP_FORM("get", "grant_type: client_credentials")
#define SHOP(ways)                                                                                                     \
    "version: 1\nname: shop\nfields: {first: {}, secret: {}}\n"                                                        \
    "auth:\n  bearer: \"${token}\"\n  token:\n" ways "error: .error\n"                                                 \
    "actions: {send: {params: {k: {}}, request: {url: \"https://shop.test/send\", json: {k: \"${.k}\"}}}}\n"
/* Renewed, beginning with a refresh token that the configuration names. */
#define SHOP_LOGIN SHOP("    seed: \"${field.first}\"\n" SHOP_REFRESH)
/* Made from the credentials each time, and kept in memory alone. */
#define SHOP_CREDENTIALS SHOP(SHOP_GET)
/* Made from the credentials, renewed, and made anew where that is refused. */
#define SHOP_SESSION SHOP(SHOP_GET SHOP_REFRESH)

#define SHOP_CONFIG(name, more)                                                                                        \
    "version: 1\nstore: ./x.db\ndestinations:\n  " name ": {type: shop, timeout: 5s, " more "}\n"                      \
    "routes:\n  lead: {from: LEAD, to: [{" name ".send: {k: \"${.k}\"}}]}\n"
#define SHOP_FIRST SHOP_CONFIG("it", "first: r-1, secret: s")

static inline void shop_open(struct house *house, const char *connector, const char *config) {
    house->connector = connector;
    house_open(house, config);
}

/* ---- what goes out ---- */

static inline const struct outgoing *shop_call(const struct house *house, size_t nth) {
    assert_true(nth >= 1 && nth <= house->call_count);
    return house->calls[nth - 1].outgoing;
}

/* The nth call asks for a token, with this in its form. */
static inline void shop_asks(const struct house *house, size_t nth, const char *with) {
    const struct outgoing *call = shop_call(house, nth);
    assert_true(str_eq(call->url, STR("https://shop.test/token")));
    assert_has(call->body, with);
}

/* The nth call sends with this access token. */
static inline void shop_sends(const struct house *house, size_t nth, const char *access) {
    const struct outgoing *call = shop_call(house, nth);
    assert_true(str_eq(call->url, STR("https://shop.test/send")));
    for (size_t i = 0; i < call->header_count; i++)
        if (str_eq_nocase(call->headers[i].name, STR("Authorization"))) {
            assert_has(call->headers[i].value, access);
            return;
        }
    fail_msg("it is sent without a token");
}

static inline void shop_last_asks(const struct house *house, size_t count, const char *with) {
    assert_int_equal(house->call_count, count);
    shop_asks(house, count, with);
}

static inline void shop_last_sends(const struct house *house, size_t count, const char *access) {
    assert_int_equal(house->call_count, count);
    shop_sends(house, count, access);
}

#endif
