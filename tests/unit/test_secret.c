/* SPDX-License-Identifier: ISC */
/*
 * test_secret.c - weak secrets are refused, and the reason says why (R11, L39).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "crypto/secret.h"

/* Secrets that are strong enough. */
#define SECRET "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
#define SECRET_2 "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"

static void
test_secret_check(void **state)
{
    /* A part of the reason, or NULL: it is accepted. */
    static const struct {
        const char *secret;
        const char *says;
    } rows[] = {
        {SECRET, NULL},
        {SECRET_2, NULL},
        /* 32 bytes of hex from `openssl rand -hex 16` */
        {"9f86d081884c7d659a2feaa0c55ad015", NULL},
        {"correct battery horse staple: words are fine", NULL},
        {"\xE2\x82\xAC-caf\xC3\xA9-\xF0\x9F\x8D\x89-0x8sQz9LmW4kd7bVtY", NULL},
        /* a sequence is accepted if it is the smaller part */
        {"0123456789Kq3vX0c7mJ2yR9tLw5ZbN8d", NULL},
        /* only steps of one make a sequence */
        {"acegikmoqsuwyACEGIKMOQSUWY13579x", NULL},
        {"ywusqomkigecaYWUSQOMKIGECA97531x", NULL},
        {"", "shorter than 32"},
        {"short", "shorter than 32"},
        {"Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuE", "shorter than 32"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "fewer than 10"},
        {"abcabdacbadbcdabdcabdbcabdacbdab", "fewer than 10"},
        {"122333444455555666666777777788888888", "fewer than 10"},
        /* nine different bytes, then ten */
        {"a9f3k2x7qf9ak3x2q7fkx9a2f7k3qx9f", "fewer than 10"},
        {"a9f3k2x7qf9ak3x2q7fkx9a2f7k3qx9Z", NULL},
        {"q7Zp2Xw9Lk4Mq7Zp2Xw9Lk4Mq7Zp2Xw9Lk4M", "one block repeated"},
        {"q7Zp2Xw9Lk4Mq7Zp2Xw9Lk4Mq7Zp2Xw9", "one block repeated"},
        {"q7Zp2Xw9Lk4MhT5cq7Zp2Xw9Lk4MhT5c", "one block repeated"},
        {"0123456789abcdefghijklmnopqrstuv", "a sequence"},
        {"zyxwvutsrqponmlkjihgfedcba987654", "a sequence"},
        {"abcdefghijklmnopqX9q!Zt7@Lm2$Vw5", "a sequence"},
        {"aaaaaaaaaaaaaaaaaX9q!Zt7@Lm2$Vw5", "a sequence"},
        {"change-me-please-this-is-32-bytes!!", "placeholder"},
        {"CHANGE_ME_1f9a7c3e5b2d8f6a4c0e7b9d", "placeholder"},
        {"keyboard cat keyboard dog and bird", "placeholder"},
        {"your-secret-goes-here-make-it-long!", "placeholder"},
        {"my-super-secret-cookie-session-key!", "placeholder"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *reason = NULL;
        enum pst_err e =
            pst_secret_check(pst_str_from(rows[i].secret), &reason);

        if (e != (rows[i].says ? PST_BAD_CONFIG : PST_OK))
            fail_msg("%s: %s (%s)", rows[i].secret, pst_err_code(e),
                     reason ? reason : "-");
        if (rows[i].says ? !reason || !strstr(reason, rows[i].says)
                         : reason != NULL)
            fail_msg("%s: it says %s", rows[i].secret,
                     reason ? reason : "nothing");
    }
}

static void
test_secret_lengths(void **state)
{
    char secret[PST_SECRET_MAX + 1];
    const char *reason = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (char)('!' + i * i % 89);
    assert_int_equal(
        pst_secret_check((struct pst_str){secret, PST_SECRET_MIN - 1}, &reason),
        PST_BAD_CONFIG);
    reason = NULL;
    assert_int_equal(
        pst_secret_check((struct pst_str){secret, PST_SECRET_MIN}, &reason),
        PST_OK);
    secret[PST_SECRET_MAX - 1] = '~'; /* i*i repeats itself; this does not */
    assert_int_equal(
        pst_secret_check((struct pst_str){secret, PST_SECRET_MAX}, &reason),
        PST_OK);
    assert_null(reason);
    assert_int_equal(
        pst_secret_check((struct pst_str){secret, PST_SECRET_MAX + 1}, &reason),
        PST_BAD_CONFIG);
    assert_non_null(strstr(reason, "longer than 1024"));
}

/* What follows the secret in memory does not count: half of this one is a
 * sequence, and the next byte would make it more. */
static void
test_end_of_secret(void **state)
{
    static const char text[] = "X9q!Zt7@Lm2$Vw5kabcdefghijklmnopq";
    const char *reason = NULL;

    (void)state;
    assert_int_equal(pst_secret_check((struct pst_str){text, 32}, &reason),
                     PST_OK);
    assert_int_equal(pst_secret_check((struct pst_str){text, 33}, &reason),
                     PST_BAD_CONFIG);
}

/* The text names the place of the secret, and says what to do. */
static void
test_fault_text(void **state)
{
    (void)state;
    assert_string_equal(
        secret_fault_text(SECRET_SHORT, 0),
        "the secret is shorter than 32 bytes: make one with `postern secret`");
    assert_string_equal(secret_fault_text(SECRET_DUPLICATE, 3),
                        "secret 3 is the same as an earlier one: remove it");
    for (int fault = 0; fault < SECRET_FAULT_COUNT; fault++) {
        for (size_t place = 0; place <= PST_SECRETS_MAX; place++)
            assert_non_null(strstr(
                secret_fault_text((enum secret_fault)fault, place), ": "));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_check),
        cmocka_unit_test(test_secret_lengths),
        cmocka_unit_test(test_end_of_secret),
        cmocka_unit_test(test_fault_text),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
