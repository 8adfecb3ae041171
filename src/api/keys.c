#include "api/body.h"
#include "api/handlers.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/when.h"

static void encode_key(struct buf *buf, const struct api_key *key) {
    buf_add(buf, STR("{\"id\":"));
    json_quote(buf, key->id);
    encode_text(buf, "name", key->name);
    buf_fmt(buf, ",\"role\":\"%s\"", key_role_text(key->role));
    encode_time(buf, "created_at", key->created_us);
    encode_time(buf, "revoked_at", key->revoked_us);
}

enum err api_keys_list(struct call *call) {
    struct api_key *keys;
    size_t count;
    TRY(store_key_list(call->store, call->arena, &keys, &count));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count; i++) {
        if (i) buf_byte(&buf, ',');
        encode_key(&buf, &keys[i]);
        buf_byte(&buf, '}');
    }
    return reply_list(call, &buf, 0);
}

/* A key's text is db_<role>_<8 hex: its handle><32 hex: 128 bits>. It is shown once, and only its hash is kept. */
enum err api_keys_create(struct call *call) {
    struct str role_text = STR_NONE, name = STR_NONE;
    const struct body_member members[] = {{"role", BODY_TEXT, &role_text}, {"name", BODY_TEXT, &name}};
    if (!body_read(call, members, 2)) return ERR_NONE;
    struct api_key key = {.name = name, .created_us = call->wall_us};
    if (!key_role_parse(role_text, &key.role))
        return serve_problem(call, ERR_BAD_FIELD, STR("'role' must be ingest, read, operate or owner"), "/role");
    if (name.n && !event_source_valid(name))
        return serve_problem(call, ERR_BAD_FIELD, STR("'name' must be at most 64 printable characters"), "/name");
    if (str_eq(call->actor, STR("loopback"))) /* whoever reaches the listener could shut out all others */
        return serve_problem(call, ERR_FORBIDDEN,
                             STR("the first key is made on the server's machine: drumbeat keys create --role owner"),
                             NULL);
    uint8_t bytes[20], digest[SHA256_BYTES];
    hash_random(bytes, sizeof bytes);
    struct str secret = hex_encode(call->arena, bytes, sizeof bytes);
    struct str text = str_fmt(call->arena, "db_%s_%.*s", key_role_text(key.role), STR_ARG(secret));
    hash_sha256(call->hasher, text, digest);
    key.id = str_sub(secret, 0, 8);
    key.hash = hex_encode(call->arena, digest, sizeof digest);
    TRY(store_key_add(call->store, &key, call->actor));
    call->wishes |= WISH_KEYS;
    struct buf buf = {.arena = call->arena};
    encode_key(&buf, &key);
    encode_text(&buf, "key", text);
    buf_byte(&buf, '}');
    return serve_json(call, 201, buf_str(&buf));
}

/* Whether nobody would need a key any more who reaches the listener, because this one is the last. */
static enum err would_open(struct call *call, bool *ret_opens, int64_t *ret_revoked_us) {
    struct api_key *keys;
    size_t count, others = 0;
    bool valid = false;
    *ret_revoked_us = 0;
    TRY(store_key_list(call->store, call->arena, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        bool meant = str_eq(keys[i].id, call->part);
        if (meant) *ret_revoked_us = keys[i].revoked_us;
        if (keys[i].revoked_us) continue;
        if (meant)
            valid = true;
        else
            others++;
    }
    *ret_opens = valid && !others && !serve_is_exposed(call);
    return ERR_NONE;
}

enum err api_keys_revoke(struct call *call) {
    bool open = false, opens;
    const struct body_member members[] = {{"open", BODY_FLAG, &open}};
    if (!body_read(call, members, 1)) return ERR_NONE;
    int64_t revoked_us;
    TRY(would_open(call, &opens, &revoked_us));
    if (revoked_us)
        return serve_problem(call, ERR_NOT_NOW,
                             str_fmt(call->arena, "this key is revoked already, since %.*s",
                                     STR_ARG(when_str(call->arena, revoked_us - revoked_us % US_PER_S))),
                             NULL);
    if (opens && !open)
        return serve_problem(
            call, ERR_NOT_NOW,
            str_fmt(call->arena,
                    "this is the last key: without it whoever reaches the listener on this machine may "
                    "do everything. Make another one first (drumbeat keys create), or say that it shall "
                    "be open: drumbeat keys revoke %.*s --open",
                    STR_ARG(call->part)),
            NULL);
    enum err err = store_key_revoke(call->store, call->part, call->actor, call->wall_us);
    if (err == ERR_NOT_FOUND) return serve_problem(call, err, STR("no such key"), NULL);
    TRY(err);
    call->wishes |= WISH_KEYS;
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"id\":"));
    json_quote(&buf, call->part);
    buf_fmt(&buf, ",\"revoked\":true,\"open\":%s}", opens ? "true" : "false");
    return serve_json(call, 200, buf_str(&buf));
}
