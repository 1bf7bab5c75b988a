/* SPDX-License-Identifier: ISC */
/*
 * test_listed_name.c - the user's name on the list of sessions: sealed, bound
 * to the session, kept when the session is used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/listed_name.h"
#include "gateway/session_registry.h"
#include "sealing.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define MOST HUNDRED TEN TEN "01234567" /* 128 bytes */

static void
test_names(void **state)
{
    static const struct {
        const char *name;
        const char *want; /* NULL: none */
    } rows[] = {
        {"", NULL},
        {"Ada", "Ada"},
        {"\x1b[2J\xc3\xa9\xff", "\x1b[2J\xc3\xa9\xff"},
        {MOST, MOST},
        {MOST "x", MOST},
        {HUNDRED TEN TEN "0123456\xc3\xa9", HUNDRED TEN TEN "0123456"},
    };

    (void)state;
    place_init(NULL);
    assert_int_equal(sizeof(MOST) - 1, LISTED_NAME_MAX);
    for (unsigned i = 0; i < PST_COUNT(rows); i++) {
        struct store_session listed = {.sid = stores_id(i)};
        struct store_session other = {.sid = stores_id(i + 1)};
        struct pst_session session = {.name = pst_str_from(rows[i].name)};
        enum pst_err want = rows[i].want ? PST_OK : PST_NOT_FOUND;
        struct pst_str name = PST_STR_NONE;

        assert_int_equal(
            listed_name_seal(&place.f.ctx, place.f.arena, &session, &listed),
            PST_OK);
        assert_true(listed.sealed_name.len <= STORE_SEALED_NAME_MAX);
        if (rows[i].want)
            assert_false(
                pst_str_contains(pst_str_from_bytes(listed.sealed_name),
                                 pst_str_from(rows[i].want)));
        if (listed_name_open(place.f.ctx.ring, place.f.arena, &listed, &name) !=
                want ||
            !pst_str_equal(name, pst_str_from(rows[i].want)))
            fail_msg("row %u: %.*s", i, (int)name.len, name.ptr);
        /* The attack: who can write to the store moves it to another one. */
        other.sealed_name = listed.sealed_name;
        assert_int_equal(
            listed_name_open(place.f.ctx.ring, place.f.arena, &other, &name),
            rows[i].want ? PST_FORGED : PST_NOT_FOUND);
    }
    place_fini();
}

static const char *const variables[] = {"REQUEST_METHOD=GET",
                                        "REMOTE_ADDR=192.0.2.7", NULL};

/* What a walk found: one session, and its sealed name. */
struct found {
    size_t count;
    int64_t seen;
    uint8_t sealed_name[STORE_SEALED_NAME_MAX];
    size_t len;
    struct pst_str name;
};

static enum pst_err
open_found(void *context, const struct store_session *listed)
{
    struct found *found = context;

    found->count++;
    found->seen = listed->seen;
    found->len = listed->sealed_name.len;
    memcpy(found->sealed_name, listed->sealed_name.ptr, found->len);
    return listed_name_open(place.f.ctx.ring, place.f.arena, listed,
                            &found->name);
}

static struct found
walk(void)
{
    struct found found = {.count = 0};

    assert_int_equal(store_ping(place.f.ctx.store, place.f.ctx.now), PST_OK);
    assert_int_equal(store_session_walk(place.f.ctx.store, NULL,
                                        place.f.ctx.now, open_found, &found),
                     PST_OK);
    assert_int_equal(found.count, 1);
    return found;
}

/* The registry seals it once: a use of the session keeps the bytes. */
static void
test_kept_when_used(void **state)
{
    const struct registry_replacement none = {.old = NULL};
    struct pst_session session = session_of(100);
    struct found before;
    struct found after;

    (void)state;
    place_init(NULL);
    fixture_request(&place.f, variables, NULL);
    session.name = PST_STR("Ad\xc3\xa9le");
    assert_int_equal(
        registry_replace(&place.f.ctx, &place.f.req, &none, &session), PST_OK);
    before = walk();
    assert_true(pst_str_equal(before.name, session.name));
    place.f.ctx.now += place.f.config->timeouts.idle / 2;
    assert_int_equal(registry_touch(&place.f.ctx, &place.f.req, &session),
                     PST_OK);
    after = walk();
    assert_int_equal(after.seen, place.f.ctx.now);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.sealed_name, before.sealed_name, before.len);
    place_fini();
}

/* No session begins without its name. */
static void
test_no_random(void **state)
{
    const struct registry_replacement none = {.old = NULL};
    struct pst_session session = session_of(100);

    (void)state;
    place_init(NULL);
    fixture_request(&place.f, variables, NULL);
    fixture_break_random(&place.f);
    assert_int_equal(
        registry_replace(&place.f.ctx, &place.f.req, &none, &session),
        PST_NO_RANDOM);
    place_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_kept_when_used),
        cmocka_unit_test(test_no_random),
    };

    return cmocka_run_group_tests_name("listed_name", tests, NULL, NULL);
}
