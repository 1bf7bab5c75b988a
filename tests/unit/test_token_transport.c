/* SPDX-License-Identifier: ISC */
/*
 * test_token_transport.c - a session sealed and opened again: in the cookie,
 * and in the bearer token.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/token.h"
#include "sealing.h"
#include "session/claims.h"

#define HUGE_TOKEN 12000

/* Cookie and bearer, both formats, small and large: claims are unchanged. */
static void
test_round_trip(void **state)
{
    static const struct {
        const char *name;
        const char *const *settings;
        size_t size;
        bool in_store;
    } rows[] = {
        {"small, sealed", both, 40, false},
        {"small, signed", both_signed, 40, false},
        {"large, sealed", both, LARGE, true},
        {"large, signed", both_signed, LARGE, true},
        {"huge, sealed", both, HUGE_TOKEN, true},
        {"huge, signed", both_signed, HUGE_TOKEN, true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = session_of(rows[i].size);
        struct pst_session got;
        struct transport issued;
        bool is_from_older_secret;

        place_init(rows[i].settings);
        issued = seal(&session, true);
        if (issued.cookie.len > 4096)
            fail_msg("%s: the cookie has %zu bytes", rows[i].name,
                     issued.cookie.len);
        assert_int_equal(open_cookie(issued.cookie, &got), PST_OK);
        assert_same(rows[i].name, &got, &session);
        if ((got.spilled_key.len > 0) != rows[i].in_store)
            fail_msg("%s: is not where it should be", rows[i].name);
        assert_int_equal(
            transport_verify(
                &place.f.ctx, place.f.arena,
                (struct transport_token){PST_PURPOSE_BEARER, issued.bearer},
                &got, &is_from_older_secret),
            PST_OK);
        assert_same(rows[i].name, &got, &session);
        /* A bearer token planted as a cookie, and the other way round. */
        assert_int_equal(
            transport_verify(
                &place.f.ctx, place.f.arena,
                (struct transport_token){PST_PURPOSE_COOKIE, issued.bearer},
                &got, &is_from_older_secret),
            PST_FORGED);
        assert_int_equal(
            transport_verify(&place.f.ctx, place.f.arena,
                             (struct transport_token){PST_PURPOSE_BEARER,
                                                      value_of(issued.cookie)},
                             &got, &is_from_older_secret),
            PST_FORGED);
        place_fini();
    }
}

static void
test_no_random(void **state)
{
    static const size_t sizes[] = {40, LARGE};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(sizes); i++) {
        struct pst_session session = session_of(sizes[i]);
        struct transport issued;

        place_init(NULL);
        fixture_break_random(&place.f);
        assert_int_equal(transport_issue(&place.f.ctx, place.f.arena,
                                         TOKEN_METHOD_COOKIE, &session,
                                         &issued),
                         PST_NO_RANDOM);
        place_fini();
    }
}

/* Only a persistent cookie has a Max-Age, that of its own session. */
static void
test_max_age(void **state)
{
    static const struct {
        const char *name;
        bool remember;
        const char *sub;
        bool has_age;
    } rows[] = {
        {"a user", false, "7", false},
        {"a remembered user", true, "7", true},
        {"a guest", false, "", true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = session_of(40);
        struct pst_str line;

        place_init(NULL);
        session.remember = rows[i].remember;
        session.sub = pst_str_from(rows[i].sub);
        line = seal(&session, true).cookie;
        if (pst_str_contains(line, PST_STR("Max-Age=3600")) != rows[i].has_age)
            fail_msg("%s: %.*s", rows[i].name, (int)line.len, line.ptr);
        place_fini();
    }
}

/* Seal claims under a purpose without the checks of the transport. */
static struct pst_str
seal_as(enum pst_purpose purpose, const struct pst_session *session)
{
    const struct pst_token_use use = {place.f.ctx.ring, purpose,
                                      PST_TOKEN_SEALED};
    static const uint8_t nonce[PST_NONCE_LEN] = {1};
    struct pst_buf claims;
    struct pst_buf token;

    pst_buf_init_arena(&claims, place.f.arena, PST_CLAIMS_MAX);
    pst_claims_emit(&claims, session);
    pst_buf_init_arena(&token, place.f.arena, PST_TOKEN_MAX);
    assert_int_equal(
        pst_token_seal(&use, FIXTURE_NOW, nonce, pst_buf_str(&claims), &token),
        PST_OK);
    return pst_buf_str(&token);
}

/* R13: a guest's cookie never names a user, and a user's cookie never names a
 * guest. A bearer token may be either. */
static void
test_purposes(void **state)
{
    static const struct {
        enum pst_purpose purpose;
        const char *sub;
        enum pst_identity known;
        enum pst_err want;
    } rows[] = {
        {PST_PURPOSE_COOKIE, "7", PST_IDENTITY_KNOWN, PST_OK},
        {PST_PURPOSE_COOKIE, "", PST_IDENTITY_UNKNOWN, PST_OK},
        {PST_PURPOSE_COOKIE, "", PST_IDENTITY_GUEST, PST_FORGED},
        {PST_PURPOSE_GUEST, "", PST_IDENTITY_GUEST, PST_OK},
        {PST_PURPOSE_GUEST, "7", PST_IDENTITY_KNOWN, PST_FORGED},
        {PST_PURPOSE_GUEST, "", PST_IDENTITY_UNKNOWN, PST_FORGED},
        {PST_PURPOSE_BEARER, "7", PST_IDENTITY_KNOWN, PST_OK},
        {PST_PURPOSE_BEARER, "", PST_IDENTITY_GUEST, PST_OK},
    };

    (void)state;
    place_init(both);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = session_of(40);
        struct pst_session got;
        bool is_from_older_secret;
        enum pst_err e;

        session.sub = pst_str_from(rows[i].sub);
        session.known = rows[i].known;
        e = transport_verify(
            &place.f.ctx, place.f.arena,
            (struct transport_token){rows[i].purpose,
                                     seal_as(rows[i].purpose, &session)},
            &got, &is_from_older_secret);
        if (e != rows[i].want)
            fail_msg("row %zu: %s", i, pst_err_code(e));
    }
    place_fini();
}

/* A session without a user and upstream credentials, in both formats. */
static void
test_no_credentials(void **state)
{
    static const char *const *const settings[] = {both, both_signed};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        struct pst_session session = session_of(40);
        struct pst_session got;

        place_init(settings[i]);
        session.upstream = PST_STR_NONE;
        assert_int_equal(open_cookie(seal(&session, true).cookie, &got),
                         PST_OK);
        assert_true(pst_str_is_absent(got.upstream));
        assert_int_equal(got.spilled_key.len, 0);
        place_fini();
    }
}

/* A token of the second secret opens, and is reported as older. */
static void
test_older_secret(void **state)
{
    static const char secrets[] = "another-Secret-of-43-characters-0123456789x "
                                  "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe";
    struct pst_session session = session_of(40);
    struct pst_keyring *ring = NULL;
    struct pst_session got;
    struct pst_str line;
    const char *reason = "";
    bool is_from_older_secret = false;

    (void)state;
    place_init(NULL);
    line = seal(&session, true).cookie;
    if (pst_keyring_new(&ring, pst_str_from(secrets), place.f.config->audience,
                        &reason))
        fail_msg("%s", reason);
    place.f.ctx.ring = ring;
    assert_int_equal(transport_verify(&place.f.ctx, place.f.arena,
                                      (struct transport_token){
                                          PST_PURPOSE_COOKIE, value_of(line)},
                                      &got, &is_from_older_secret),
                     PST_OK);
    assert_true(is_from_older_secret);
    assert_int_equal(open_cookie(seal(&got, false).cookie, &got), PST_OK);
    pst_keyring_free(&ring);
    place_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_random),
        cmocka_unit_test(test_max_age),
        cmocka_unit_test(test_purposes),
        cmocka_unit_test(test_no_credentials),
        cmocka_unit_test(test_older_secret),
    };

    return cmocka_run_group_tests_name("token_transport", tests, NULL, NULL);
}
