/* Bodies of multipart/form-data: what browsers and curl send is read, and all else is refused with its reason. */
#include "kit.h"

#include "ingest/multipart.h"

#define TYPE       "multipart/form-data; boundary=XY"
#define PART(name) "--XY\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE(given)                                                                                                    \
    "--XY\r\nContent-Disposition: form-data; name=\"doc\"; " given "\r\nContent-Type: text/plain\r\n\r\n"
#define END "\r\n--XY--\r\n"

/* "name=value\n…" of what was read, or "! why" and the file's field. */
static struct str shown(struct kit *kit, const char *type, struct str body) {
    struct form form;
    struct str file = STR(""), problem = STR("");
    struct buf text = {.arena = &kit->arena};
    if (!multipart_read(str_from(type), body, &kit->arena, &form, &file, &problem)) {
        buf_fmt(&text, "! %.*s %.*s", STR_ARG(problem), STR_ARG(file));
        return buf_str(&text);
    }
    for (size_t i = 0; i < form.count; i++)
        buf_fmt(&text, "%.*s=%.*s\n", STR_ARG(form.members[i].name), STR_ARG(form.members[i].value));
    return buf_str(&text);
}

static const struct {
    const char *type, *body, *shown;
} bodies[] = {
    {TYPE, PART("a") "1\r\n" PART("b") "two\r\nlines" END, "a=1\nb=two\r\nlines\n"},
    {TYPE, PART("a") "\r\n--XY--", "a=\n"},
    {TYPE, PART("a") "--X\r\n-XY\r\n--X" END, "a=--X\r\n-XY\r\n--X\n"},
    {TYPE, "--XY--\r\n", ""},
    {"multipart/form-data;charset=utf-8; boundary=\"XY\"", PART("a") "1" END, "a=1\n"},
    {"multipart/form-data; x=\"; boundary=no\"; BOUNDARY=XY", PART("a") "1" END, "a=1\n"},
    {TYPE, PART("a%22b%0D%0A%25") "1" END, "a\"b\r\n%25=1\n"},
    {TYPE, "--XY\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION:form-data;name=a\r\n\r\n1" END, "a=1\n"},
    {TYPE, PART("a") "1\r\n" FILE("filename=\"\"") END, "a=1\n"},
    {TYPE, PART("a") "1\r\n" FILE("filename=\"cv.pdf\"") "x" END, "! files are not taken doc"},
    {TYPE, FILE("filename*=UTF-8''cv.pdf") "x" END, "! files are not taken doc"},
    {TYPE, FILE("FileName=cv.pdf") "\xff\xfe" END, "! files are not taken doc"},
    {"multipart/form-data", PART("a") "1" END, "! Content-Type names no boundary "},
    {"multipart/form-data; boundary=", PART("a") "1" END, "! Content-Type names no boundary "},
    {"multipart/form-data; boundary=\"XY", PART("a") "1" END, "! Content-Type names no boundary "},
    {"multipart/form-data; boundary=\"X\tY\"", PART("a") "1" END, "! Content-Type names no boundary "},
    {TYPE, "", "! the body does not begin with its boundary "},
    {TYPE, "hello\r\n" PART("a") "1" END, "! the body does not begin with its boundary "},
    {TYPE, "--XYZ\r\n", "! a boundary in the body is not followed by a new line "},
    {TYPE, PART("a") "1\r\n--XY-\r\n", "! a boundary in the body is not followed by a new line "},
    {TYPE, PART("a") "1\n--XY--", "! the last part of the body does not end "},
    {TYPE, PART("a") "1", "! the last part of the body does not end "},
    {TYPE, PART("a") "1" END "more", "! something stands behind the body's last boundary "},
    {TYPE, "--XY\r\n\r\n1" END, "! a part of the body has no name "},
    {TYPE, "--XY\r\nContent-Disposition: form-data\r\n\r\n1" END, "! a part of the body has no name, or two "},
    {TYPE, "--XY\r\nContent-Disposition: attachment; name=a\r\n\r\n1" END, "! a part of the body is no form-data "},
    {TYPE, "--XY\r\nX\r\n\r\n1" END, "! a part of the body has a line that is no header "},
    {TYPE, "--XY\r\nX: y", "! a part of the body ends within its headers "},
    {TYPE, "--XY\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==" END,
     "! Content-Transfer-Encoding is not taken; send parts as they are "},
    {TYPE, PART("a") "\xff" END, "! a form's names and values must be UTF-8 "},
};

static void test_each_body(void **state) {
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct str text = shown(kit, bodies[i].type, str_from(bodies[i].body));
        if (!str_eq(text, str_from(bodies[i].shown)))
            fail_msg("%s\n%s\ngives '%.*s'", bodies[i].type, bodies[i].body, STR_ARG(text));
    }
}

/* Whatever is cut off, the rest is refused or read, and nothing behind its end is looked at. */
static void test_every_beginning_of_a_body(void **state) {
    struct kit *kit = *state;
    static const char body[] = PART("a") "1\r\n" PART("b") "2" END;
    for (size_t n = 0; n + 2 < sizeof body - 1; n++) {
        char *copy = malloc(n + 1); /* so that a sanitizer sees what is read behind it */
        memcpy(copy, body, n);
        assert_true(str_starts(shown(kit, TYPE, (struct str){copy, n}), STR("!")));
        free(copy);
    }
}

static void test_members_are_bounded(void **state) {
    struct kit *kit = *state;
    struct buf body = {.arena = &kit->arena};
    for (int i = 0; i < FORM_MEMBERS_MAX; i++) buf_add(&body, STR(PART("a") "1\r\n"));
    size_t fine = body.n;
    buf_add(&body, STR("--XY--"));
    assert_int_equal(shown(kit, TYPE, buf_str(&body)).n, FORM_MEMBERS_MAX * 4);
    body.n = fine;
    buf_add(&body, STR(PART("a") "1" END));
    assert_true(str_starts(shown(kit, TYPE, buf_str(&body)), STR("! a form may have 1000 members")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_body, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_every_beginning_of_a_body, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_members_are_bounded, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
