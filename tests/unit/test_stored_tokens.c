/* SPDX-License-Identifier: ISC */
/*
 * test_stored_tokens.c - the newest tokens of a session in the store: sealed,
 * bound to the session, gone when it is revoked, and opened after a change of
 * the secret.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "gateway/session_registry.h"
#include "gateway/stored_tokens.h"
#include "sealing.h"

static struct pst_session
refreshable(void)
{
    struct pst_session session = session_of(100);

    session.refresh = PST_STR("\"refresh-1\"");
    session.token_begun = FIXTURE_NOW;
    session.token_end = FIXTURE_NOW + 60;
    return session;
}

static struct pst_bytes
stored_record(const struct pst_session *session)
{
    struct pst_bytes blob;
    struct store_id id;

    store_id_sid(session->sid, &id);
    assert_int_equal(store_tokens_get(place.f.ctx.store, &id, FIXTURE_NOW,
                                      place.f.arena, &blob),
                     PST_OK);
    return blob;
}

static enum pst_err
get(const struct pst_session *session, struct pst_session *stored)
{
    int64_t sent;

    return stored_tokens_get(&place.f.ctx, place.f.arena, session, stored,
                             &sent);
}

static void
test_put_and_get(void **state)
{
    struct pst_session old = refreshable();
    struct pst_session fresh = refreshable();
    struct pst_session stored;
    struct pst_str text;
    int64_t sent;

    (void)state;
    place_init(NULL);
    assert_int_equal(get(&old, &stored), PST_NOT_FOUND);
    /* Nothing comes back that a revocation deleted. */
    assert_int_equal(stored_tokens_replace(&place.f.ctx, place.f.arena, &fresh),
                     PST_REVOKED);
    assert_int_equal(stored_tokens_put(&place.f.ctx, place.f.arena, &old, 0),
                     PST_OK);
    fresh.upstream = PST_STR("\"access-2\"");
    fresh.refresh = PST_STR("\"refresh-2\"");
    fresh.token_end += 60;
    assert_int_equal(stored_tokens_replace(&place.f.ctx, place.f.arena, &fresh),
                     PST_OK);
    assert_int_equal(get(&old, &stored), PST_OK);
    assert_true(pst_str_equal(stored.upstream, fresh.upstream));
    assert_true(pst_str_equal(stored.refresh, fresh.refresh));
    assert_int_equal(stored.token_end, fresh.token_end);
    /* A mark, which the next tokens take away. */
    assert_int_equal(
        stored_tokens_put(&place.f.ctx, place.f.arena, &fresh, FIXTURE_NOW),
        PST_OK);
    assert_int_equal(
        stored_tokens_get(&place.f.ctx, place.f.arena, &old, &stored, &sent),
        PST_OK);
    assert_int_equal(sent, FIXTURE_NOW);
    assert_int_equal(stored_tokens_replace(&place.f.ctx, place.f.arena, &fresh),
                     PST_OK);
    assert_int_equal(
        stored_tokens_get(&place.f.ctx, place.f.arena, &old, &stored, &sent),
        PST_OK);
    assert_int_equal(sent, 0);
    text = pst_str_from_bytes(stored_record(&old));
    assert_false(pst_str_contains(text, PST_STR("access")));
    assert_false(pst_str_contains(text, PST_STR("refresh")));
    assert_false(pst_str_contains(
        text, pst_str_from_bytes((struct pst_bytes){old.sid, PST_SID_LEN})));
    place_fini();
}

/* A revocation deletes them; so does the end of the session. */
static void
test_end(void **state)
{
    struct pst_session session = refreshable();
    struct pst_session stored;

    (void)state;
    place_init(NULL);
    assert_int_equal(
        stored_tokens_put(&place.f.ctx, place.f.arena, &session, 0), PST_OK);
    place.f.ctx.now = session.exp;
    assert_int_equal(get(&session, &stored), PST_NOT_FOUND);
    place.f.ctx.now = session.exp - 1;
    assert_int_equal(get(&session, &stored), PST_OK);
    place.f.ctx.now = FIXTURE_NOW;
    assert_int_equal(registry_revoke(&place.f.ctx, &place.f.req, &session),
                     PST_OK);
    assert_int_equal(get(&session, &stored), PST_NOT_FOUND);
    place_fini();
}

/* The attack: who can write to the store gives a session the record of another
 * one, or a spilled session for tokens. */
static void
test_bound_to_the_session(void **state)
{
    struct pst_session mine = refreshable();
    struct pst_session other = refreshable();
    struct pst_session stored;
    struct store_id id;

    (void)state;
    place_init(NULL);
    other.sid[0] ^= 1;
    assert_int_equal(stored_tokens_put(&place.f.ctx, place.f.arena, &other, 0),
                     PST_OK);
    store_id_sid(mine.sid, &id);
    assert_int_equal(store_tokens_put(place.f.ctx.store, &id,
                                      stored_record(&other), mine.exp,
                                      FIXTURE_NOW),
                     PST_OK);
    assert_int_equal(get(&mine, &stored), PST_NOT_FOUND);
    assert_int_equal(get(&other, &stored), PST_OK);
    /* The same id, and another user. */
    other.sub = PST_STR("somebody else");
    assert_int_equal(get(&other, &stored), PST_NOT_FOUND);
    place_fini();
}

static void
test_changed_record(void **state)
{
    struct pst_session session = refreshable();
    struct pst_session stored;
    struct pst_bytes record;
    struct store_id id;

    (void)state;
    place_init(NULL);
    assert_int_equal(
        stored_tokens_put(&place.f.ctx, place.f.arena, &session, 0), PST_OK);
    store_id_sid(session.sid, &id);
    record = stored_record(&session);
    for (size_t i = 0; i < record.len; i++) {
        uint8_t *copy = pst_arena_alloc(place.f.arena, record.len);

        memcpy(copy, record.ptr, record.len);
        copy[i] ^= 0x20;
        assert_int_equal(store_tokens_put(place.f.ctx.store, &id,
                                          (struct pst_bytes){
                                              copy, i % 2 ? record.len : i + 1},
                                          session.exp, FIXTURE_NOW),
                         PST_OK);
        if (i % 8 < 2 && get(&session, &stored) != PST_NOT_FOUND)
            fail_msg("byte %zu of %zu", i, record.len);
    }
    place_fini();
}

/* A new first secret: the record of the older one opens as long as that is
 * kept. */
static void
test_secrets_change(void **state)
{
    static const char older[] = "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe";
    static const char both_secrets[] =
        "aN5tQ8jVx2KfW7rEy4HbMc9pZs3DgUu6 Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe";
    static const char newer[] = "aN5tQ8jVx2KfW7rEy4HbMc9pZs3DgUu6";
    const struct pst_keyring *before;
    struct pst_session session = refreshable();
    struct pst_keyring *rings[3];
    struct pst_session stored;
    const char *const secrets[] = {older, both_secrets, newer};
    const enum pst_err want[] = {PST_OK, PST_OK, PST_NOT_FOUND};
    const char *reason;

    (void)state;
    place_init(NULL);
    before = place.f.ctx.ring;
    for (size_t i = 0; i < PST_COUNT(rings); i++)
        assert_int_equal(pst_keyring_new(&rings[i], pst_str_from(secrets[i]),
                                         PST_STR("test"), &reason),
                         PST_OK);
    place.f.ctx.ring = rings[0];
    assert_int_equal(
        stored_tokens_put(&place.f.ctx, place.f.arena, &session, 0), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rings); i++) {
        place.f.ctx.ring = rings[i];
        assert_int_equal(get(&session, &stored), want[i]);
        pst_keyring_free(&rings[i]);
    }
    place.f.ctx.ring = before;
    place_fini();
}

static void
test_no_store(void **state)
{
    struct pst_session session = refreshable();
    struct pst_session stored;
    struct store *store;

    (void)state;
    place_init(NULL);
    store = place.f.ctx.store;
    place.f.ctx.store = stores_open_url(STORES_DOWN_URL, "test");
    assert_int_equal(
        stored_tokens_put(&place.f.ctx, place.f.arena, &session, 0),
        PST_STORE_DOWN);
    assert_int_equal(
        stored_tokens_replace(&place.f.ctx, place.f.arena, &session),
        PST_STORE_DOWN);
    assert_int_equal(get(&session, &stored), PST_STORE_DOWN);
    store_close(&place.f.ctx.store);
    place.f.ctx.store = store;
    fixture_break_random(&place.f);
    assert_int_equal(
        stored_tokens_put(&place.f.ctx, place.f.arena, &session, 0),
        PST_NO_RANDOM);
    place_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_and_get),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_bound_to_the_session),
        cmocka_unit_test(test_changed_record),
        cmocka_unit_test(test_secrets_change),
        cmocka_unit_test(test_no_store),
    };

    if (!stores_can_start(STORE_LMDB))
        return STORES_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
