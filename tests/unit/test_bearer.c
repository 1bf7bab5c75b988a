/* SPDX-License-Identifier: ISC */
/*
 * test_bearer.c - one token from the Authorization header (R6, R61).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "http/bearer.h"

static void
check(const char *row, struct pst_str in, enum pst_err want,
      struct pst_str want_token)
{
    struct pst_str got = PST_STR("untouched");
    enum pst_err e = pst_bearer_parse(in, &got);

    if (want)
        want_token = PST_STR("untouched");
    if (e != want || !pst_str_equal(got, want_token))
        fail_msg("row '%s': %s, '%.*s'", row, pst_err_code(e), (int)got.len,
                 got.ptr);
}

static void
test_tokens(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {"Bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM"}, /* RFC 6750 2.1 */
        {"Bearer", ""}, /* a client without a token (design 2.1) */
        {"bearer", ""},
        {"Bearer ", ""},
        {"Bearer    ", ""},
        {"Bearer a", "a"},
        {"bearer a", "a"},
        {"BEARER a", "a"},
        {"bEaReR a", "a"},
        {"Bearer    a", "a"},
        {"Bearer a ", "a"},
        {"Bearer a   ", "a"},
        {"Bearer a=", "a="},
        {"Bearer a===", "a==="},
        {"Bearer -._~+/", "-._~+/"},
        {"Bearer Bearer", "Bearer"},
        {"Bearer 0", "0"},
        {"Bearer eyJ.eyJ..x-_.Q", "eyJ.eyJ..x-_.Q"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check(rows[i].in, pst_str_from(rows[i].in), PST_OK,
              pst_str_from(rows[i].want));
}

static const struct {
    const char *in;
    enum pst_err want;
} no_tokens[] = {
    {NULL, PST_NOT_FOUND},
    {"", PST_NOT_FOUND},
    {"Bear", PST_NOT_FOUND},
    {"Basic x", PST_NOT_FOUND},
    {"Basic Bearer x", PST_NOT_FOUND},
    {"Basic x, Bearer y", PST_NOT_FOUND},
    {"Bearerx", PST_NOT_FOUND},
    {"Bearerx y", PST_NOT_FOUND},
    {"Bearer-Token y", PST_NOT_FOUND},
    {"DPoP x", PST_NOT_FOUND},
    {"Token Bearer", PST_NOT_FOUND},
    {" Bearer x", PST_NOT_FOUND},
    {"Bearer a b", PST_FORGED},
    {"Bearer a,Bearer b", PST_FORGED},
    {"Bearer a, Bearer b", PST_FORGED},
    {"Bearer a,", PST_FORGED},
    {"Bearer ,a", PST_FORGED},
    {"Bearer\ta", PST_FORGED},
    {"Bearer \ta", PST_FORGED},
    {"Bearer a\t", PST_FORGED},
    {"Bearer\t", PST_FORGED},
    {"Bearer=a", PST_FORGED},
    {"Bearer:a", PST_FORGED},
    {"Bearer/a", PST_FORGED},
    {"Bearer,a", PST_FORGED},
    {"Bearer =", PST_FORGED},
    {"Bearer ==", PST_FORGED},
    {"Bearer =a", PST_FORGED},
    {"Bearer a=b", PST_FORGED},
    {"Bearer a= =", PST_FORGED},
    {"Bearer \"a\"", PST_FORGED},
    {"Bearer token=\"a\"", PST_FORGED},
    {"Bearer a\r\nX: y", PST_FORGED},
    {"Bearer a;b", PST_FORGED},
    {"Bearer a%20b", PST_FORGED},
    {"Bearer {{token}}", PST_FORGED},
    {"Bearer \xC3\xBC", PST_FORGED},
    {"Bearer a\xA0", PST_FORGED},
};

static void
test_no_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(no_tokens); i++)
        check(no_tokens[i].in ? no_tokens[i].in : "absent",
              pst_str_from(no_tokens[i].in), no_tokens[i].want, PST_STR_NONE);
    check("NUL inside", PST_STR("Bearer a\0b"), PST_FORGED, PST_STR_NONE);
    check("NUL after", PST_STR("Bearer a\0"), PST_FORGED, PST_STR_NONE);
    check("NUL before", PST_STR("Bearer\0 a"), PST_FORGED, PST_STR_NONE);
}

/* RFC 6750 2.1: 68 bytes may begin a b64token, and "=" may only end it. */
static void
test_every_byte(void **state)
{
    size_t good = 0;

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char header[] = "Bearer a?b";
        struct pst_str token;
        struct pst_str text = {header, sizeof(header) - 1};
        bool wanted;

        header[8] = (char)byte;
        wanted = pst_is_alpha(header[8]) || pst_is_digit(header[8]) ||
                 pst_str_index(PST_STR("-._~+/"), header[8]) < 6;
        good += wanted;
        if ((pst_bearer_parse(text, &token) == PST_OK) != wanted)
            fail_msg("byte 0x%02X", (unsigned)byte);
    }
    assert_int_equal(good, 68);
}

/* The length of a token is not limited here. */
static void
test_long_token(void **state)
{
    static char header[7 + 12000];
    struct pst_str token;

    (void)state;
    memset(header, 'x', sizeof(header));
    memcpy(header, "Bearer ", 7);
    assert_int_equal(
        pst_bearer_parse((struct pst_str){header, sizeof(header)}, &token),
        PST_OK);
    assert_int_equal(token.len, 12000);
    assert_ptr_equal(token.ptr, header + 7);
}

/* RFC 6750 section 3: an error only when the request had a token. */
static void
test_challenge(void **state)
{
    char storage[64];
    struct pst_buf buf;
    struct pst_str got;

    (void)state;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_bearer_emit_challenge(&buf, true);
    assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
    assert_true(pst_str_equal(got, PST_STR("Bearer error=\"invalid_token\"")));
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_bearer_emit_challenge(&buf, false);
    assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
    assert_true(pst_str_equal(got, PST_STR("Bearer realm=\"postern\"")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),     cmocka_unit_test(test_no_token),
        cmocka_unit_test(test_every_byte), cmocka_unit_test(test_long_token),
        cmocka_unit_test(test_challenge),
    };

    return cmocka_run_group_tests_name("bearer", tests, NULL, NULL);
}
