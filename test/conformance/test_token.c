#include "work.h"

#include "store/token.h"

static struct token_row get(struct fixture *f, const char *destination) {
    struct token_row row;
    OK(store_token_get(f->store, str_from(destination), &f->arena, &row));
    return row;
}

static bool ask(struct fixture *f, const char *owner, int64_t now_us, int64_t until_us, bool others_too) {
    bool ours;
    OK(store_token_ask(f->store, STR("x"), str_from(owner), now_us, until_us, others_too, &ours));
    return ours;
}

static bool make(struct fixture *f, int64_t generation, const char *sealed) {
    const struct token_row row = {.destination = STR("x"),
                                  .generation = generation,
                                  .sealed = str_from(sealed),
                                  .expires_us = T0 + 9,
                                  .refresh_expires_us = T0 + 99,
                                  .seed = STR("digest")};
    bool applied;
    OK(store_token_made(f->store, &row, T0 + 1, &applied));
    return applied;
}

static void the_right_to_ask_is_one_process_alone(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    assert_int_equal(get(f, "x").generation, 0);
    assert_true(ask(f, "a", T0, T0 + 60, false));
    assert_text(get(f, "x").asked_by, "a");
    assert_false(ask(f, "b", T0 + 1, T0 + 61, false));
    assert_true(ask(f, "a", T0 + 1, T0 + 61, false));
    assert_false(ask(f, "b", T0 + 60, T0 + 90, false));
    assert_true(ask(f, "b", T0 + 61, T0 + 90, false));
    assert_int_equal(get(f, "x").in_doubt, 3);
    assert_true(ask(f, "c", T0 + 62, T0 + 90, true));
    fixture_commit(f);
}

static void a_token_replaces_the_one_it_was_asked_from(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    assert_true(ask(f, "a", T0, T0 + 60, false));
    assert_true(make(f, 0, "sealed-1"));
    assert_false(make(f, 0, "sealed-2"));
    struct token_row row = get(f, "x");
    assert_int_equal(row.generation, 1);
    assert_text(row.sealed, "sealed-1");
    assert_text(row.seed, "digest");
    assert_int_equal(row.expires_us, T0 + 9);
    assert_int_equal(row.refresh_expires_us, T0 + 99);
    assert_int_equal(row.asked_by.n + (size_t)row.asked_until_us + (size_t)row.in_doubt, 0);
    fixture_commit(f);
}

static void what_came_to_nothing_may_be_in_doubt(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    assert_true(ask(f, "a", T0, T0 + 60, false));
    OK(store_token_not_made(f->store, STR("x"), STR("b"), 0, false, T0));
    assert_text(get(f, "x").asked_by, "a");
    OK(store_token_not_made(f->store, STR("x"), STR("a"), T0 + 5, false, T0));
    assert_int_equal(get(f, "x").in_doubt, 0);
    assert_false(ask(f, "a", T0 + 4, T0 + 60, false));
    assert_true(ask(f, "b", T0 + 5, T0 + 60, false));
    OK(store_token_not_made(f->store, STR("x"), STR("b"), 0, true, T0));
    assert_int_equal(get(f, "x").in_doubt, 1);
    fixture_commit(f);
}

static void a_login_wins_over_what_is_there(void **state) {
    struct fixture *f = *state;
    struct token_row *rows;
    size_t count;
    const struct token_row login = {.destination = STR("x"), .sealed = STR("by hand"), .expires_us = T0 + 7};
    fixture_begin(f);
    OK(store_token_put(f->store, &login, T0));
    assert_int_equal(get(f, "x").generation, 1);
    assert_true(ask(f, "a", T0, T0 + 60, false));
    OK(store_token_put(f->store, &login, T0));
    assert_false(make(f, 1, "late"));
    struct token_row row = get(f, "x");
    assert_int_equal(row.generation, 2);
    assert_text(row.sealed, "by hand");
    assert_int_equal(row.asked_by.n + row.seed.n + (size_t)row.in_doubt, 0);
    OK(store_token_list(f->store, &f->arena, &rows, &count));
    assert_int_equal(count, 1);
    assert_text(rows[0].destination, "x");
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(the_right_to_ask_is_one_process_alone),
        ON_EVERY_DRIVER(a_token_replaces_the_one_it_was_asked_from),
        ON_EVERY_DRIVER(what_came_to_nothing_may_be_in_doubt),
        ON_EVERY_DRIVER(a_login_wins_over_what_is_there),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
