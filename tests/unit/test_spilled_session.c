/* SPDX-License-Identifier: ISC */
/*
 * test_spilled_session.c - sessions that are too large for a token: sealed in
 * the store, and gone when they are revoked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "sealing.h"

static bool
contains_bytes(struct pst_bytes blob, const uint8_t *bytes, size_t len)
{
    return pst_str_contains(pst_str_from_bytes(blob),
                            pst_str_from_bytes((struct pst_bytes){bytes, len}));
}

/* Neither a name nor a piece of the token can be read in the store, and what
 * opens it, the key and the id, is only in what the client carries. */
static void
test_sealed_in_the_store(void **state)
{
    struct pst_session session = session_of(LARGE);
    struct pst_session got;
    struct transport issued;
    struct store_id id;
    struct pst_bytes blob;

    (void)state;
    place_init(NULL);
    assert_int_equal(transport_issue(&place.f.ctx, place.f.arena,
                                     TOKEN_METHOD_COOKIE, &session, &issued),
                     PST_OK);
    assert_int_equal(open_cookie(issued.cookie, &got), PST_REVOKED);
    assert_int_equal(open_cookie(seal(&session, true).cookie, &got), PST_OK);
    assert_int_equal(got.spilled_key.len, PST_KEY_LEN);
    store_id_sid(session.sid, &id);
    assert_int_equal(store_spill_get(place.f.ctx.store, &id, FIXTURE_NOW,
                                     place.f.arena, &blob),
                     PST_OK);
    assert_true(blob.len > LARGE);
    assert_false(
        pst_str_contains(pst_str_from_bytes(blob), PST_STR("ABCDEFGH")));
    assert_false(pst_str_contains(pst_str_from_bytes(blob), PST_STR("alice")));
    assert_false(
        contains_bytes(blob, got.spilled_key.ptr, got.spilled_key.len));
    assert_false(contains_bytes(blob, session.sid, PST_SID_LEN));
    place_fini();
}

/* An older copy of the cookie opens what a renewal wrote. */
static void
test_renewal(void **state)
{
    struct pst_session session = session_of(LARGE);
    struct pst_session opened;
    struct pst_session again;
    struct transport first;

    (void)state;
    place_init(NULL);
    first = seal(&session, true);
    assert_int_equal(open_cookie(first.cookie, &opened), PST_OK);
    opened.seen += 1000;
    opened.upstream = PST_STR("\"small now\"");
    (void)seal(&opened, false);
    assert_int_equal(open_cookie(first.cookie, &again), PST_OK);
    assert_same("the first cookie", &again, &opened);
    place_fini();
}

/* A small session with a large new token. */
static void
test_growing(void **state)
{
    struct pst_session session = session_of(40);
    struct pst_session got;

    (void)state;
    place_init(NULL);
    (void)seal(&session, true);
    session.upstream = token_of(LARGE);
    assert_int_equal(open_cookie(seal(&session, false).cookie, &got), PST_OK);
    assert_same("grown", &got, &session);
    place_fini();
}

/* Two requests at once have it grow, in two processes: whichever writes last,
 * the cookie of neither may be a forgery from then on. */
static void
test_growing_twice_at_once(void **state)
{
    static const char *const *const settings[] = {both, both_signed};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        struct pst_session session = session_of(40);
        struct pst_session other;
        struct pst_session got;
        struct transport first;
        struct transport second;

        place_init(settings[i]);
        session.upstream = token_of(LARGE);
        first = seal(&session, false);
        second = seal(&session, false);
        assert_int_equal(open_cookie(first.cookie, &got), PST_OK);
        assert_same("the first", &got, &session);
        assert_int_equal(open_cookie(second.cookie, &got), PST_OK);
        assert_same("the second", &got, &session);
        /* Another session has another key: two are not one secret. */
        other = session;
        other.sid[0] ^= 1;
        assert_int_equal(open_cookie(seal(&other, true).cookie, &other),
                         PST_OK);
        assert_memory_not_equal(other.spilled_key.ptr, got.spilled_key.ptr,
                                PST_KEY_LEN);
        place_fini();
    }
}

/* Revoked during a request: the session is not restored. */
static void
test_revoked_stays_revoked(void **state)
{
    struct context *ctx = &place.f.ctx;
    struct pst_session session = session_of(LARGE);
    struct pst_session opened;
    struct transport issued;
    struct transport other = {.cookie = PST_STR("untouched")};
    struct store_id id;

    (void)state;
    place_init(NULL);
    issued = seal(&session, true);
    assert_int_equal(open_cookie(issued.cookie, &opened), PST_OK);
    store_id_sid(session.sid, &id);
    assert_int_equal(
        store_revoke(ctx->store, &id, NULL, session.exp, FIXTURE_NOW), PST_OK);
    assert_int_equal(open_cookie(issued.cookie, &session), PST_REVOKED);
    assert_int_equal(transport_reissue(ctx, place.f.arena, TOKEN_METHOD_COOKIE,
                                       &opened, &other),
                     PST_REVOKED);
    assert_string_equal(other.cookie.ptr, "untouched");
    assert_int_equal(open_cookie(issued.cookie, &session), PST_REVOKED);
    place_fini();
}

/* What is stored for one session does not open as another's. */
static void
test_blob_of_another_session(void **state)
{
    struct context *ctx = &place.f.ctx;
    struct pst_session session = session_of(LARGE);
    struct pst_session opened;
    struct pst_session other;
    struct transport issued;
    struct pst_bytes blob;
    struct store_id id;

    (void)state;
    place_init(NULL);
    issued = seal(&session, true);
    assert_int_equal(open_cookie(issued.cookie, &opened), PST_OK);
    store_id_sid(session.sid, &id);
    assert_int_equal(
        store_spill_get(ctx->store, &id, FIXTURE_NOW, place.f.arena, &blob),
        PST_OK);
    /* The same key, another id: only the id differs. */
    other = opened;
    other.sid[0] ^= 1;
    issued = seal(&other, true);
    store_id_sid(other.sid, &id);
    assert_int_equal(
        store_spill_put(ctx->store, &id, blob, session.exp, FIXTURE_NOW),
        PST_OK);
    assert_int_equal(open_cookie(issued.cookie, &other), PST_FORGED);
    /* Cut short: without claims, and within the tag. */
    for (size_t cut = 0; cut < 2; cut++) {
        blob.len = PST_NONCE_LEN + PST_TAG_LEN - cut;
        assert_int_equal(
            store_spill_put(ctx->store, &id, blob, session.exp, FIXTURE_NOW),
            PST_OK);
        assert_int_equal(open_cookie(issued.cookie, &other), PST_FORGED);
    }
    place_fini();
}

static void
test_no_store(void **state)
{
    struct pst_session session = session_of(LARGE);
    struct pst_session got;
    struct transport issued = {.cookie = PST_STR("untouched")};
    struct store *store;
    struct pst_str line;

    (void)state;
    place_init(NULL);
    line = seal(&session, true).cookie;
    store = place.f.ctx.store;
    place.f.ctx.store = NULL;
    assert_int_equal(transport_issue(&place.f.ctx, place.f.arena,
                                     TOKEN_METHOD_COOKIE, &session, &issued),
                     PST_TOO_LARGE);
    assert_string_equal(issued.cookie.ptr, "untouched");
    assert_int_equal(open_cookie(line, &got), PST_REVOKED);
    place.f.ctx.store = store;
    place_fini();
}

/* Over what even the store keeps. */
static void
test_too_large(void **state)
{
    struct pst_session session = session_of(PST_UPSTREAM_MAX);
    struct transport issued;

    (void)state;
    place_init(NULL);
    assert_int_equal(transport_issue(&place.f.ctx, place.f.arena,
                                     TOKEN_METHOD_COOKIE, &session, &issued),
                     PST_TOO_LARGE);
    place_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sealed_in_the_store),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_growing_twice_at_once),
        cmocka_unit_test(test_revoked_stays_revoked),
        cmocka_unit_test(test_blob_of_another_session),
        cmocka_unit_test(test_no_store),
        cmocka_unit_test(test_too_large),
    };

    return cmocka_run_group_tests_name("spilled_session", tests, NULL, NULL);
}
