/* SPDX-License-Identifier: ISC */
/*
 * test_credentials.c - the backend's token or cookies through its responses,
 * row by row, as Vendure sends them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/credentials.h"

#define NOW 1700000000
#define OLD "{\"session\":\"s1\",\"session.sig\":\"g1\"}"
#define ATTRIBUTES "; path=/; samesite=lax; httponly"

static struct pst_arena *arena;

static int
setup(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK;
}

static int
cleanup(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static void
assert_text(const char *row, struct pst_str got, const char *want)
{
    if (pst_str_is_absent(got) != (want == NULL) ||
        !pst_str_equal(got, pst_str_from(want)))
        fail_msg("%s: \"%.*s\"", row, (int)got.len, got.ptr ? got.ptr : "");
}

static void
test_emit(void **state)
{
    static const struct {
        const char *upstream;
        const char *name;
        const char *value;
    } rows[] = {
        {NULL, NULL, NULL},
        {"\"t\"", "Authorization", "Bearer t"},
        {OLD, "Cookie", "session=s1; session.sig=g1"},
        {"{\"a\":\"\"}", "Cookie", "a="},
        {"{\"a\":\" x\",\"b\":\" \"}", "Cookie", "a=x; b="},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str name;
        struct pst_str value;

        assert_int_equal(credentials_emit_header(arena,
                                                 pst_str_from(rows[i].upstream),
                                                 &name, &value),
                         PST_OK);
        assert_text("name", name, rows[i].name);
        assert_text("value", value, rows[i].value);
    }
}

static enum pst_err
apply_update(const struct config *config, struct pst_str upstream,
             const struct credentials_update *update,
             enum credentials_change *change, struct pst_str *out)
{
    const struct credentials_response answer = {NOW, upstream, update};

    return credentials_apply_update(arena, config, &answer, change, out);
}

static void
test_apply_token(void **state)
{
    static const struct {
        const char *name;
        const char *upstream;
        const char *token;
        enum credentials_change change;
        const char *out;
    } rows[] = {
        {"nothing said, no session", NULL, NULL, CREDENTIALS_SAME, NULL},
        {"nothing said", "\"a\"", NULL, CREDENTIALS_SAME, "\"a\""},
        {"the same", "\"a\"", "a", CREDENTIALS_SAME, "\"a\""},
        {"a guest's first", NULL, "b", CREDENTIALS_REPLACED, "\"b\""},
        {"another", "\"a\"", "b", CREDENTIALS_REPLACED, "\"b\""},
        {"ended", "\"a\"", "", CREDENTIALS_ENDED, NULL},
        {"nothing to end", NULL, "", CREDENTIALS_SAME, NULL},
        /* devise-jwt: "Authorization: Bearer abc" in a response. */
        {"a scheme", NULL, "Bearer b", CREDENTIALS_REPLACED, "\"b\""},
        {"a scheme, the same", "\"a\"", "bearer a", CREDENTIALS_SAME, "\"a\""},
        {"a scheme alone", "\"a\"", "Bearer ", CREDENTIALS_ENDED, NULL},
        {"a scheme alone, trimmed", "\"a\"", "Bearer", CREDENTIALS_ENDED, NULL},
        {"two spaces", NULL, "Bearer  b", CREDENTIALS_REPLACED, "\"b\""},
        {"a tab", NULL, "Bearer\tb", CREDENTIALS_REPLACED, "\"b\""},
        {"no scheme", NULL, "Bearerb", CREDENTIALS_REPLACED, "\"Bearerb\""},
    };
    static const struct config config = {.backend.token_location =
                                             TOKEN_IN_HEADER};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct credentials_update update = {
            .token = pst_str_from(rows[i].token)};
        enum credentials_change change;
        struct pst_str out;

        assert_int_equal(apply_update(&config, pst_str_from(rows[i].upstream),
                                      &update, &change, &out),
                         PST_OK);
        if (change != rows[i].change)
            fail_msg("%s: %d", rows[i].name, (int)change);
        assert_text(rows[i].name, out, rows[i].out);
    }
}

static void
test_apply_cookies(void **state)
{
    static const struct {
        const char *name;
        const char *upstream;
        const char *lines[4];
        enum credentials_change change;
        const char *out;
    } rows[] = {
        {"nothing said", OLD, {NULL}, CREDENTIALS_SAME, OLD},
        {"a guest's first pair",
         NULL,
         {"session=s1" ATTRIBUTES, "session.sig=g1" ATTRIBUTES},
         CREDENTIALS_REPLACED,
         OLD},
        {"the same pair again",
         OLD,
         {"session=s1" ATTRIBUTES, "session.sig=g1" ATTRIBUTES},
         CREDENTIALS_SAME,
         OLD},
        {"a login's pair",
         OLD,
         {"session=s2" ATTRIBUTES, "session.sig=g2" ATTRIBUTES},
         CREDENTIALS_REPLACED,
         "{\"session\":\"s2\",\"session.sig\":\"g2\"}"},
        {"logout: {\"token\":\"\"}",
         OLD,
         {"session=eyJ0b2tlbiI6IiJ9" ATTRIBUTES,
          "session.sig=-7akqVtP" ATTRIBUTES},
         CREDENTIALS_ENDED,
         NULL},
        {"emptied", OLD, {"session=; httponly"}, CREDENTIALS_ENDED, NULL},
        {"Max-Age=0",
         OLD,
         {"session=x; HttpOnly; Max-Age=0"},
         CREDENTIALS_ENDED,
         NULL},
        {"Max-Age=-1",
         OLD,
         {"session=x; HttpOnly; max-age=-1"},
         CREDENTIALS_ENDED,
         NULL},
        {"expired",
         OLD,
         {"session=x; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly"},
         CREDENTIALS_ENDED,
         NULL},
        {"expired, with dashes",
         OLD,
         {"session=x; expires=Thu, 01-Jan-1970 00:00:00 GMT; httponly"},
         CREDENTIALS_ENDED,
         NULL},
        {"Max-Age counts, not Expires",
         OLD,
         {"session=s2; Max-Age=60; expires=Thu, 01 Jan 1970 00:00:00 GMT; "
          "httponly"},
         CREDENTIALS_REPLACED,
         "{\"session\":\"s2\",\"session.sig\":\"g1\"}"},
        {"expires later",
         OLD,
         {"session=s2; expires=Sun, 21 Nov 2027 23:41:47 GMT; httponly"},
         CREDENTIALS_REPLACED,
         "{\"session\":\"s2\",\"session.sig\":\"g1\"}"},
        {"only the signature goes",
         OLD,
         {"session.sig=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; "
          "httponly"},
         CREDENTIALS_UPDATED,
         "{\"session\":\"s1\"}"},
        {"a cookie for scripts is kept",
         OLD,
         {"lang=de; path=/"},
         CREDENTIALS_UPDATED,
         "{\"session\":\"s1\",\"session.sig\":\"g1\",\"lang\":\" de\"}"},
        {"and deleted without an end",
         "{\"session\":\"s1\",\"lang\":\" de\"}",
         {"lang=; path=/; max-age=0"},
         CREDENTIALS_UPDATED,
         "{\"session\":\"s1\"}"},
        {"and stays what it is",
         "{\"session\":\"s1\",\"lang\":\" de\"}",
         {"lang=de; path=/", "other=x"},
         CREDENTIALS_UPDATED,
         "{\"session\":\"s1\",\"lang\":\" de\",\"other\":\" x\"}"},
        {"the session's, set again without HttpOnly",
         "{\"session\":\"s1\",\"lang\":\" de\"}",
         {"session=s2; path=/"},
         CREDENTIALS_REPLACED,
         "{\"session\":\"s2\",\"lang\":\" de\"}"},
        {"deleting what is not there",
         OLD,
         {"other=; Max-Age=0; httponly"},
         CREDENTIALS_SAME,
         OLD},
        {"ended and begun again in one response",
         OLD,
         {"session=; httponly", "session=s3; httponly"},
         CREDENTIALS_REPLACED,
         "{\"session\":\"s3\",\"session.sig\":\"g1\"}"},
        /* Many backends repeat neither HttpOnly nor anything but the path when
         * they delete. The session lived on with an empty object, which
         * nothing can read back. */
        {"deleted without HttpOnly",
         "{\"session\":\"s1\"}",
         {"session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
         CREDENTIALS_ENDED,
         NULL},
        {"deleted without HttpOnly, another one left",
         "{\"session\":\"s1\",\"lang\":\" de\"}",
         {"session=x; Max-Age=0"},
         CREDENTIALS_ENDED,
         NULL},
        {"the last one goes, be it a signature",
         "{\"session.sig\":\"g1\"}",
         {"session.sig=; Max-Age=0"},
         CREDENTIALS_ENDED,
         NULL},
        {"set and deleted in one response",
         OLD,
         {"lang=de", "lang=; Max-Age=0"},
         CREDENTIALS_SAME,
         OLD},
        {"replaced and then deleted in one response",
         "{\"session\":\"s1\"}",
         {"session=s2; httponly", "session=; httponly"},
         CREDENTIALS_ENDED,
         NULL},
        {"a guest's first, taken back at once",
         NULL,
         {"session=s2; httponly", "session=; httponly"},
         CREDENTIALS_SAME,
         NULL},
        {"one session ends and another begins",
         "{\"guest\":\"s1\"}",
         {"user=s2; httponly", "guest=; Max-Age=0"},
         CREDENTIALS_REPLACED,
         "{\"user\":\"s2\"}"},
        {"no cookie at all",
         OLD,
         {"=x", "x", "a b=c", ""},
         CREDENTIALS_SAME,
         OLD},
    };
    static const struct config config = {.backend.token_location =
                                             TOKEN_IN_COOKIE};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct credentials_update update = {.cookie_count = 0};
        enum credentials_change change;
        struct pst_str out;

        for (size_t j = 0; j < 4 && rows[i].lines[j]; j++)
            update.cookies[update.cookie_count++] =
                pst_str_from(rows[i].lines[j]);
        assert_int_equal(apply_update(&config, pst_str_from(rows[i].upstream),
                                      &update, &change, &out),
                         PST_OK);
        if (change != rows[i].change)
            fail_msg("%s: %d", rows[i].name, (int)change);
        assert_text(rows[i].name, out, rows[i].out);
    }
}

/* L6, L7: what a backend may put into a session has an end. */
static void
test_bounds(void **state)
{
    static const struct config config = {.backend.token_location =
                                             TOKEN_IN_COOKIE};
    static const struct config by_header = {.backend.token_location =
                                                TOKEN_IN_HEADER};
    static char big[PST_UPSTREAM_MAX + 16];
    static struct credentials_update update = {.cookie_count = 1};
    enum credentials_change change = CREDENTIALS_ENDED;
    struct pst_str out = PST_STR("untouched");
    struct pst_str name = out;

    (void)state;
    memset(big, 'x', sizeof(big));
    big[1] = '=';
    update.cookies[0] = (struct pst_str){big, sizeof(big)};
    assert_int_equal(
        apply_update(&config, PST_STR_NONE, &update, &change, &out),
        PST_TOO_LARGE);
    assert_int_equal(change, CREDENTIALS_ENDED);
    assert_text("out", out, "untouched");
    update.token = (struct pst_str){big, sizeof(big)};
    assert_int_equal(
        apply_update(&by_header, PST_STR_NONE, &update, &change, &out),
        PST_TOO_LARGE);
    assert_int_equal(change, CREDENTIALS_ENDED);
    assert_text("out", out, "untouched");
    assert_int_equal(credentials_emit_header(arena, PST_STR("{"), &name, &out),
                     PST_MALFORMED);
    assert_text("name", name, "untouched");
    assert_text("value", out, "untouched");
}

/* `count` cookies, as a session holds them: {"c0":"v",…} */
static struct pst_str
held_cookies(size_t count)
{
    static char text[20 * (CREDENTIALS_COOKIES_MAX + 2)];
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%s\"c%zu\":\"v\"", i ? "," : "{", i);
    text[len++] = '}';
    return (struct pst_str){text, len};
}

/* More cookies than a session holds are not sent or changed in part. */
static void
test_many_cookies(void **state)
{
    static const struct config config = {.backend.token_location =
                                             TOKEN_IN_COOKIE};
    static struct credentials_update update = {
        .cookies = {{"c0=x; httponly", 14}}, .cookie_count = 1};
    enum credentials_change change = CREDENTIALS_ENDED;
    struct pst_str out = PST_STR("untouched");
    struct pst_str name = out;
    struct pst_str many = held_cookies(CREDENTIALS_COOKIES_MAX + 1);

    (void)state;
    assert_int_equal(credentials_emit_header(arena, many, &name, &out),
                     PST_TOO_LARGE);
    assert_int_equal(apply_update(&config, many, &update, &change, &out),
                     PST_TOO_LARGE);
    assert_int_equal(change, CREDENTIALS_ENDED);
    assert_text("name", name, "untouched");
    assert_text("value", out, "untouched");
    many = held_cookies(CREDENTIALS_COOKIES_MAX);
    assert_int_equal(credentials_emit_header(arena, many, &name, &out), PST_OK);
    assert_text("name", name, "Cookie");
    assert_int_equal(apply_update(&config, many, &update, &change, &out),
                     PST_OK);
    assert_int_equal(change, CREDENTIALS_REPLACED);
    /* One more cannot be kept. */
    update.cookies[0] = PST_STR("new=x; httponly");
    assert_int_equal(apply_update(&config, many, &update, &change, &out),
                     PST_TOO_LARGE);
}

/* The longest token that a session holds can be sent: it was seven bytes too
 * long for its header, and no request could be made with it. */
static void
test_longest_token(void **state)
{
    static const struct config config = {.backend.token_location =
                                             TOKEN_IN_HEADER};
    static char longest[PST_UPSTREAM_MAX - 2];
    static struct credentials_update update;
    enum credentials_change change;
    struct pst_str value;
    struct pst_str name;
    struct pst_str out;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    update.token = (struct pst_str){longest, sizeof(longest)};
    assert_int_equal(
        apply_update(&config, PST_STR_NONE, &update, &change, &out), PST_OK);
    assert_int_equal(out.len, PST_UPSTREAM_MAX);
    assert_int_equal(credentials_emit_header(arena, out, &name, &value),
                     PST_OK);
    assert_int_equal(value.len, strlen("Bearer ") + sizeof(longest));
}

/* If the backend's token is in the body, the headers are ignored. */
static void
test_json_backend(void **state)
{
    static const struct config config = {.backend.token_location =
                                             TOKEN_IN_JSON};
    const struct credentials_update update = {.token = PST_STR("x")};
    enum credentials_change change;
    struct pst_str out;

    (void)state;
    assert_int_equal(
        apply_update(&config, PST_STR("\"a\""), &update, &change, &out),
        PST_OK);
    assert_int_equal(change, CREDENTIALS_SAME);
    assert_text("kept", out, "\"a\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emit),
        cmocka_unit_test(test_apply_token),
        cmocka_unit_test(test_apply_cookies),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_many_cookies),
        cmocka_unit_test(test_longest_token),
        cmocka_unit_test(test_json_backend),
    };

    return cmocka_run_group_tests_name("credentials", tests, setup, cleanup);
}
