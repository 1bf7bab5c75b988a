/* SPDX-License-Identifier: ISC */
/*
 * test_hidden_claims.c - the backend's tokens in a signed session token: each
 * is sealed, under the first secret, and opens again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "crypto/crypto.h"
#include "session/hidden_claims.h"

#define NOW 1767225600
#define OLD "9kq2Vx7LmZr4Tw8BnYc1Hd6JpSf3Gs5A-old"
#define NEW "Qe5Ru8Ty1Ui4Op7As0Df3Gh6Jk9Lz2Xc-new"

static struct pst_arena *arena;
static uint8_t nonces[PST_HIDDEN_CLAIM_COUNT][PST_NONCE_LEN] = {{1}, {2}};

static int
set_up(void **state)
{
    (void)state;
    if (pst_crypto_init() != PST_OK)
        return -1;
    return pst_arena_new(&arena, 64L * 1024) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static struct pst_keyring *
ring_of(const char *secrets)
{
    struct pst_keyring *ring = NULL;
    const char *reason = NULL;

    if (pst_keyring_new(&ring, pst_str_from(secrets), PST_STR("session"),
                        &reason) != PST_OK)
        fail_msg("no ring: %s", reason);
    return ring;
}

static void
expect_claim(struct pst_str got, struct pst_str want)
{
    if (!pst_str_equal(got, want) ||
        pst_str_is_absent(got) != pst_str_is_absent(want))
        fail_msg("got '%.*s', not '%.*s'", (int)got.len, got.ptr, (int)want.len,
                 want.ptr);
}

static void
test_both_ways(void **state)
{
    static const struct pst_session rows[] = {
        /* Each has a nonce of its own: the same text is sealed differently. */
        {.upstream = {"\"a\"", 3}, .refresh = {"\"a\"", 3}},
        {.upstream = {"{\"c\":\"1\"}", 9}},
        {.refresh = {"\"r\"", 3}},
        {.remember = true},
    };
    struct pst_keyring *ring = ring_of(OLD);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = rows[i];

        assert_int_equal(
            pst_hidden_claims_seal(ring, arena, NOW, nonces, &session), PST_OK);
        if (rows[i].upstream.len > 0)
            assert_true(pst_str_starts(session.upstream, PST_STR("\"eyJ")));
        if (rows[i].upstream.len > 0 && rows[i].refresh.len > 0)
            assert_false(pst_str_equal(session.upstream, session.refresh));
        assert_int_equal(pst_hidden_claims_open(ring, arena, &session), PST_OK);
        expect_claim(session.upstream, rows[i].upstream);
        expect_claim(session.refresh, rows[i].refresh);
    }
    pst_keyring_free(&ring);
}

/* After a rotation, what is sealed again does not need the old secret. */
static void
test_rotation(void **state)
{
    struct pst_session session = {.upstream = {"\"a\"", 3},
                                  .refresh = {"\"r\"", 3}};
    struct pst_keyring *before = ring_of(OLD);
    struct pst_keyring *both = ring_of(NEW " " OLD);
    struct pst_keyring *after = ring_of(NEW);
    struct pst_session sealed;

    (void)state;
    assert_int_equal(
        pst_hidden_claims_seal(before, arena, NOW, nonces, &session), PST_OK);
    sealed = session;
    assert_int_equal(pst_hidden_claims_open(after, arena, &sealed), PST_FORGED);
    assert_int_equal(pst_hidden_claims_open(both, arena, &session), PST_OK);
    assert_int_equal(pst_hidden_claims_seal(both, arena, NOW, nonces, &session),
                     PST_OK);
    assert_int_equal(pst_hidden_claims_open(after, arena, &session), PST_OK);
    expect_claim(session.refresh, PST_STR("\"r\""));
    pst_keyring_free(&before);
    pst_keyring_free(&both);
    pst_keyring_free(&after);
}

/* A claim that is no token, or a token for something else. */
static void
test_refused(void **state)
{
    static const struct pst_str rows[] = {
        {"\"\"", 2}, {"\"a\"", 3}, {"1", 1}, {"{}", 2}, {"{", 1}};
    struct pst_keyring *ring = ring_of(OLD);
    const struct pst_token_use use = {ring, PST_PURPOSE_COOKIE,
                                      PST_TOKEN_SEALED};
    struct pst_buf buf;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session first = {.upstream = rows[i]};
        struct pst_session second = {.refresh = rows[i]};

        assert_int_equal(pst_hidden_claims_open(ring, arena, &first),
                         PST_FORGED);
        assert_int_equal(pst_hidden_claims_open(ring, arena, &second),
                         PST_FORGED);
    }
    pst_buf_init_arena(&buf, arena, PST_TOKEN_MAX);
    pst_buf_add_char(&buf, '"');
    assert_int_equal(
        pst_token_seal(&use, NOW, nonces[0], PST_STR("\"a\""), &buf), PST_OK);
    pst_buf_add_char(&buf, '"');
    assert_int_equal(
        pst_hidden_claims_open(
            ring, arena, &(struct pst_session){.upstream = pst_buf_str(&buf)}),
        PST_FORGED);
    pst_keyring_free(&ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
