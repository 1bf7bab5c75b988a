/* SPDX-License-Identifier: ISC */
/*
 * test_token_transport.c - a session sealed and opened again: in the cookie, in
 * the bearer token, and, where it is too large for these, in the store.
 */
#include "gateway/token_transport.h"

#include <string.h>

#include "crypto/crypto.h"
#include "crypto/token.h"
#include "fixture.h"
#include "session/claims.h"
#include "stores.h"

#define LARGE 6000
#define HUGE_TOKEN 12000

static const char *const both[] = {"POSTERN_TOKEN_METHOD=cookie,bearer", NULL};
static const char *const both_signed[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                          "POSTERN_TOKEN_FORMAT=signed", NULL};

/* A worker with a store of its own. */
struct place {
    struct fixture f;
    struct stores stores;
};

static struct place place;

static void
place_init(const char *const *settings)
{
    fixture_init(&place.f, settings);
    stores_start(&place.stores, STORE_LMDB, NULL);
    place.f.ctx.store = stores_open(&place.stores, "test");
}

static void
place_fini(void)
{
    store_close(&place.f.ctx.store);
    stores_stop(&place.stores);
    fixture_fini(&place.f);
}

/* A backend's token of that many bytes, none like its neighbour. */
static struct pst_str
token_of(size_t size)
{
    static char text[32 * 1024];

    PST_REQUIRE(size + 2 < sizeof(text));
    text[0] = '"';
    for (size_t i = 0; i < size; i++)
        text[i + 1] = (char)('A' + i % 26);
    text[size + 1] = '"';
    return (struct pst_str){text, size + 2};
}

static struct pst_session
session_of(size_t size)
{
    struct pst_session session = {
        .sid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .sub = PST_STR("7"),
        .name = PST_STR("alice@example.com"),
        .iat = FIXTURE_NOW,
        .exp = FIXTURE_NOW + 3600,
        .seen = FIXTURE_NOW,
        .who = PST_STR("{\"email\":\"alice@example.com\"}"),
        .upstream = token_of(size),
    };

    return session;
}

static struct transport
seal(const struct pst_session *session, bool is_new)
{
    struct context *ctx = &place.f.ctx;
    struct transport issued = {.cookie = PST_STR_NONE};
    struct store_id id;
    enum pst_err e = transport_issue(ctx, place.f.arena, ctx->config->methods,
                                     session, is_new, &issued);

    if (e)
        fail_msg("sealing: %s", pst_err_code(e));
    store_id_sid(session->sid, &id);
    if (issued.blob.len > 0 &&
        store_spill_put(ctx->store, &id, issued.blob, session->exp,
                        FIXTURE_NOW) != PST_OK)
        fail_msg("storing: %s", store_error(ctx->store));
    return issued;
}

/* The token in a Set-Cookie line. */
static struct pst_str
value_of(struct pst_str line)
{
    struct pst_str rest = pst_str_skip(line, pst_str_index(line, '=') + 1);

    return pst_str_first(rest, pst_str_index(rest, ';'));
}

static enum pst_err
open_cookie(struct pst_str line, struct pst_session *out)
{
    bool is_stale = true;
    enum pst_err e =
        transport_verify(&place.f.ctx, place.f.arena, PST_PURPOSE_COOKIE,
                         value_of(line), out, &is_stale);

    assert_true(e || !is_stale);
    return e;
}

static void
assert_same(const char *name, const struct pst_session *got,
            const struct pst_session *want)
{
    if (memcmp(got->sid, want->sid, PST_SID_LEN) != 0 ||
        !pst_str_equal(got->sub, want->sub) ||
        !pst_str_equal(got->name, want->name) ||
        !pst_str_equal(got->who, want->who) ||
        !pst_str_equal(got->upstream, want->upstream) ||
        got->iat != want->iat || got->exp != want->exp ||
        got->seen != want->seen || got->remember != want->remember)
        fail_msg("%s: another session came back", name);
}

/* Both ways, both formats, small and large: what goes in comes out. */
static void
comes_back_as_it_was(void **state)
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
        bool is_stale;

        place_init(rows[i].settings);
        issued = seal(&session, true);
        if (issued.cookie.len > 4096)
            fail_msg("%s: the cookie has %zu octets", rows[i].name,
                     issued.cookie.len);
        assert_int_equal(open_cookie(issued.cookie, &got), PST_OK);
        assert_same(rows[i].name, &got, &session);
        if ((got.spilled_key.len > 0) != rows[i].in_store)
            fail_msg("%s: is not where it should be", rows[i].name);
        assert_int_equal(transport_verify(&place.f.ctx, place.f.arena,
                                          PST_PURPOSE_BEARER, issued.bearer,
                                          &got, &is_stale),
                         PST_OK);
        assert_same(rows[i].name, &got, &session);
        /* A bearer token planted as a cookie, and the other way round. */
        assert_int_equal(transport_verify(&place.f.ctx, place.f.arena,
                                          PST_PURPOSE_COOKIE, issued.bearer,
                                          &got, &is_stale),
                         PST_FORGED);
        assert_int_equal(
            transport_verify(&place.f.ctx, place.f.arena, PST_PURPOSE_BEARER,
                             value_of(issued.cookie), &got, &is_stale),
            PST_FORGED);
        place_fini();
    }
}

static bool
has_octets(struct pst_bytes blob, const uint8_t *octets, size_t len)
{
    return pst_str_contains(
        pst_str_from_bytes(blob),
        pst_str_from_bytes((struct pst_bytes){octets, len}));
}

/* Neither a name nor a piece of the token can be read in the store, and what
 * opens it, the key and the id, is only in what the client carries. */
static void
the_store_keeps_it_sealed(void **state)
{
    struct pst_session session = session_of(LARGE);
    struct pst_session got;
    struct transport issued;
    struct store_id id;
    struct pst_bytes blob;

    (void)state;
    place_init(NULL);
    assert_int_equal(transport_issue(&place.f.ctx, place.f.arena,
                                     TOKEN_METHOD_COOKIE, &session, true,
                                     &issued),
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
    assert_false(has_octets(blob, got.spilled_key.ptr, got.spilled_key.len));
    assert_false(has_octets(blob, session.sid, PST_SID_LEN));
    place_fini();
}

/* An older copy of the cookie opens what a renewal wrote. */
static void
a_renewal_replaces_what_is_stored(void **state)
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

/* A session that was small, and whose new token is not. */
static void
one_that_grows_moves_into_the_store(void **state)
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
two_that_grow_it_at_once_agree(void **state)
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

/* Ended while a request was on its way: nothing comes back. */
static void
what_is_gone_stays_gone(void **state)
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
    assert_int_equal(transport_issue(ctx, place.f.arena, TOKEN_METHOD_COOKIE,
                                     &opened, false, &other),
                     PST_REVOKED);
    assert_string_equal(other.cookie.ptr, "untouched");
    assert_int_equal(open_cookie(issued.cookie, &session), PST_REVOKED);
    place_fini();
}

/* What is stored for one session does not open as another's. */
static void
a_blob_belongs_to_its_session(void **state)
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
    /* The same key, another id: only the id tells them apart. */
    other = opened;
    other.sid[0] ^= 1;
    issued = seal(&other, true);
    store_id_sid(other.sid, &id);
    assert_int_equal(
        store_spill_put(ctx->store, &id, blob, session.exp, FIXTURE_NOW),
        PST_OK);
    assert_int_equal(open_cookie(issued.cookie, &other), PST_FORGED);
    /* Cut short, and turned over. */
    blob.len = PST_NONCE_LEN + PST_TAG_LEN - 1;
    assert_int_equal(
        store_spill_put(ctx->store, &id, blob, session.exp, FIXTURE_NOW),
        PST_OK);
    assert_int_equal(open_cookie(issued.cookie, &other), PST_FORGED);
    place_fini();
}

static void
without_a_store_a_large_one_is_refused(void **state)
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
                                     TOKEN_METHOD_COOKIE, &session, true,
                                     &issued),
                     PST_TOO_LARGE);
    assert_string_equal(issued.cookie.ptr, "untouched");
    assert_int_equal(open_cookie(line, &got), PST_REVOKED);
    place.f.ctx.store = store;
    place_fini();
}

/* Over what even the store keeps. */
static void
there_is_an_end_to_it(void **state)
{
    struct pst_session session = session_of(PST_UPSTREAM_MAX);
    struct transport issued;

    (void)state;
    place_init(NULL);
    assert_int_equal(transport_issue(&place.f.ctx, place.f.arena,
                                     TOKEN_METHOD_COOKIE, &session, true,
                                     &issued),
                     PST_TOO_LARGE);
    place_fini();
}

static void
without_random_octets_there_is_no_session(void **state)
{
    static const size_t sizes[] = {40, LARGE};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(sizes); i++) {
        struct pst_session session = session_of(sizes[i]);
        struct transport issued;

        place_init(NULL);
        fixture_break_random(&place.f);
        assert_int_equal(transport_issue(&place.f.ctx, place.f.arena,
                                         TOKEN_METHOD_COOKIE, &session, true,
                                         &issued),
                         PST_NO_RANDOM);
        place_fini();
    }
}

/* Only what is to outlive the browser gets an age, and its own. */
static void
an_age_for_those_that_stay(void **state)
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

/* Seal claims under a purpose as nobody of us would. */
static struct pst_str
seal_as(enum pst_purpose purpose, const struct pst_session *session)
{
    const struct pst_token_use use = {place.f.ctx.ring, purpose,
                                      PST_TOKEN_SEALED};
    static const uint8_t nonce[PST_NONCE_LEN] = {1};
    struct pst_buf claims;
    struct pst_buf token;

    pst_buf_init_arena(&claims, place.f.arena, PST_CLAIMS_MAX);
    pst_session_emit(&claims, session);
    pst_buf_init_arena(&token, place.f.arena, PST_TOKEN_MAX);
    assert_int_equal(
        pst_token_seal(&use, FIXTURE_NOW, nonce, pst_buf_str(&claims), &token),
        PST_OK);
    return pst_buf_str(&token);
}

/* R13: whatever a guest's cookie holds, it names nobody; and a user's names
 * somebody. By bearer both travel. */
static void
a_cookie_holds_its_own_kind(void **state)
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
        bool is_stale;
        enum pst_err e;

        session.sub = pst_str_from(rows[i].sub);
        session.known = rows[i].known;
        e = transport_verify(&place.f.ctx, place.f.arena, rows[i].purpose,
                             seal_as(rows[i].purpose, &session), &got,
                             &is_stale);
        if (e != rows[i].want)
            fail_msg("row %zu: %s", i, pst_err_code(e));
    }
    place_fini();
}

/* A session of nobody without a token of the backend, in both forms. */
static void
nothing_of_the_backends(void **state)
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

/* A second secret opens, and says that it is not the first. */
static void
an_older_secret_makes_it_stale(void **state)
{
    static const char secrets[] = "another-Secret-of-43-characters-0123456789x "
                                  "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe";
    struct pst_session session = session_of(40);
    struct pst_keyring *ring = NULL;
    struct pst_session got;
    struct pst_str line;
    const char *reason = "";
    bool is_stale = false;

    (void)state;
    place_init(NULL);
    line = seal(&session, true).cookie;
    if (pst_keyring_new(&ring, pst_str_from(secrets), place.f.config->audience,
                        &reason))
        fail_msg("%s", reason);
    place.f.ctx.ring = ring;
    assert_int_equal(transport_verify(&place.f.ctx, place.f.arena,
                                      PST_PURPOSE_COOKIE, value_of(line), &got,
                                      &is_stale),
                     PST_OK);
    assert_true(is_stale);
    assert_int_equal(open_cookie(seal(&got, false).cookie, &got), PST_OK);
    pst_keyring_free(&ring);
    place_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(the_store_keeps_it_sealed),
        cmocka_unit_test(a_renewal_replaces_what_is_stored),
        cmocka_unit_test(one_that_grows_moves_into_the_store),
        cmocka_unit_test(two_that_grow_it_at_once_agree),
        cmocka_unit_test(what_is_gone_stays_gone),
        cmocka_unit_test(a_blob_belongs_to_its_session),
        cmocka_unit_test(without_a_store_a_large_one_is_refused),
        cmocka_unit_test(there_is_an_end_to_it),
        cmocka_unit_test(without_random_octets_there_is_no_session),
        cmocka_unit_test(an_age_for_those_that_stay),
        cmocka_unit_test(a_cookie_holds_its_own_kind),
        cmocka_unit_test(nothing_of_the_backends),
        cmocka_unit_test(an_older_secret_makes_it_stale),
    };

    return cmocka_run_group_tests_name("carry", tests, NULL, NULL);
}
