/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_shares.c - L63: nobody without an account can fill the store. Each
 * flood goes on until nothing more of it is taken; then users still log in,
 * log out and are listed.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "stores.h"

#define FLOOD_MAX 20000
#define DAY 86400

static struct stores stores;
static struct store *store;

static int
set_up(void **state)
{
    char url[160];

    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    (void)snprintf(url, sizeof(url), "%s?size=1M", stores.url);
    store = stores_open_url(url, "shop");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&store);
    stores_stop(&stores);
    return 0;
}

static uint8_t blob[8000];

/* The n-th user logs in, also in the place of a guest session, with a session
 * that is too large for a cookie or not. */
static enum pst_err
log_in(unsigned n, bool is_large, int64_t now)
{
    const struct store_id guest = stores_id(1000000 + n);
    const struct store_session session = {.sid = stores_id(2000000 + n),
                                          .subject = stores_id(3000000 + n),
                                          .created = now,
                                          .expires = now + 3600};
    const struct store_replacement replacement = {
        .guest = &guest,
        .guest_expires = now + 30 * DAY,
        .session = &session,
        .blob = {blob, is_large ? sizeof(blob) : 0},
        .now = now};
    int64_t since;

    return store_session_replace(store, &replacement, &since);
}

static enum pst_err
log_out(unsigned n, int64_t now)
{
    const struct store_id sid = stores_id(2000000 + n);
    const struct store_id subject = stores_id(3000000 + n);

    return store_revoke(store, &sid, &subject, now + 3600, now);
}

static void
expect_users_are_served(int64_t now)
{
    struct store_counter counter = {.id = stores_id(0), .rate = {10, 900}};
    const struct store_counters counters = {&counter, 1, now};
    int64_t retry_after;

    for (unsigned n = 0; n < 20; n++) {
        stores_expect(store, "an attempt",
                      store_counter_acquire(store, &counters, &retry_after),
                      n < 10 ? PST_OK : PST_THROTTLED);
        stores_expect(store, "a login", log_in(n, n % 2 == 0, now), PST_OK);
    }
    for (unsigned n = 0; n < 20; n++)
        stores_expect(store, "a logout", log_out(n, now), PST_OK);
}

/* What somebody without an account can do. */

static enum pst_err
end_guest(unsigned n)
{
    const struct store_id sid = stores_id(n);

    return store_revoke(store, &sid, NULL, NOW + DAY, NOW);
}

static enum pst_err
replace_guest(unsigned n)
{
    const struct store_id old = stores_id(n);
    const struct store_session session = {.sid = stores_id(n + FLOOD_MAX),
                                          .expires = NOW + 30 * DAY};
    const struct store_replacement replacement = {.old = &old,
                                                  .old_expires = NOW + DAY,
                                                  .session = &session,
                                                  .is_guest = true,
                                                  .now = NOW};
    int64_t since;

    return store_session_replace(store, &replacement, &since);
}

static enum pst_err
begin_large_guest(unsigned n)
{
    const struct store_session session = {.sid = stores_id(n),
                                          .expires = NOW + 30 * DAY};
    const struct store_replacement replacement = {.session = &session,
                                                  .is_guest = true,
                                                  .blob = {blob, sizeof(blob)},
                                                  .now = NOW};
    int64_t since;

    return store_session_replace(store, &replacement, &since);
}

/* Its spilled part goes, so it must leave nothing else for so long. */
static enum pst_err
begin_and_end_guest(unsigned n)
{
    enum pst_err e = begin_large_guest(n);

    return e ? e : end_guest(n);
}

static enum pst_err
grow_guest(unsigned n)
{
    const struct store_id sid = stores_id(n);

    return store_spill_put(store, &sid, (struct pst_bytes){blob, sizeof(blob)},
                           NOW + 30 * DAY, NOW);
}

static enum pst_err
guess(unsigned n)
{
    const struct store_counter items[] = {
        {.id = stores_id(2 * n + 1), .rate = {10, 900}},
        {.id = stores_id(2 * n + 2), .rate = {100, 30 * DAY}},
    };
    const struct store_counters counters = {items, PST_COUNT(items), NOW};
    int64_t retry_after;

    return store_counter_acquire(store, &counters, &retry_after);
}

static const struct row {
    const char *name;
    enum pst_err (*flood)(unsigned n);
    unsigned least; /* so many are taken */
    bool has_end;   /* then no more are */
} rows[] = {
    {"guests' logouts", end_guest, 400, true},
    {"guest sessions", replace_guest, 400, true},
    {"large guest sessions", begin_large_guest, 25, true},
    {"large ones that end", begin_and_end_guest, 200, true},
    {"guest sessions that grow", grow_guest, 25, true},
    {"made-up names", guess, FLOOD_MAX / 4, false},
};

static void
flood(const struct row *row)
{
    unsigned n = 0;

    while (n < FLOOD_MAX / 4 && row->flood(n) == PST_OK)
        n++;
    if (n < row->least || (n < FLOOD_MAX / 4) != row->has_end)
        fail_msg("%s: %u, then %s", row->name, n, store_error(store));
    if (row->has_end)
        assert_non_null(strstr(store_error(store), "the share of guests"));
}

static void
test_each(void **state)
{
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        tear_down(state);
        set_up(state);
        flood(&rows[i]);
        expect_users_are_served(NOW);
    }
}

/* One after the other, and then all of it expires. */
static void
test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        unsigned n = 0;

        while (n < FLOOD_MAX / 4 && rows[i].flood(n + 100000) == PST_OK)
            n++;
    }
    expect_users_are_served(NOW);
    expect_users_are_served(NOW + 31 * DAY);
}

/* A guest can end his session again when others have expired, and what was
 * revoked stays so until then. */
static void
test_room_again(void **state)
{
    const struct store_id first = stores_id(0);
    const struct store_id later = stores_id(FLOOD_MAX);

    (void)state;
    flood(&rows[0]);
    stores_expect(store, "the first one", store_check(store, &first, NULL, NOW),
                  PST_REVOKED);
    stores_expect(store, "too early",
                  store_revoke(store, &later, NULL, NOW + DAY, NOW + DAY / 2),
                  PST_STORE_DOWN);
    stores_expect(
        store, "in time",
        store_revoke(store, &later, NULL, NOW + 3 * DAY, NOW + 2 * DAY),
        PST_OK);
}

/* Of a large session that ended, only its revocation is left. */
static void
test_nothing_left(void **state)
{
    struct store_sweep_result swept;

    (void)state;
    for (unsigned n = 0; n < 5; n++)
        stores_expect(store, "guest", begin_and_end_guest(n), PST_OK);
    stores_expect(store, "sweep", store_sweep(store, 99, NOW + 2 * DAY, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 5);
    stores_expect(store, "sweep",
                  store_sweep(store, 99, NOW + 40 * DAY, &swept), PST_OK);
    assert_int_equal(swept.examined, 0);
}

/* A session that is stored already keeps its place in a full share. */
static void
test_replace_in_full_share(void **state)
{
    const struct store_id sid = stores_id(0);

    (void)state;
    flood(&rows[2]);
    stores_expect(store, "again",
                  store_spill_replace(store, &sid,
                                      (struct pst_bytes){blob, sizeof(blob)},
                                      NOW + 30 * DAY, NOW),
                  PST_OK);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_each),
        TEST(test_all),
        TEST(test_room_again),
        TEST(test_nothing_left),
        TEST(test_replace_in_full_share),
    };

    return cmocka_run_group_tests_name("lmdb_shares", tests, NULL, NULL);
}
