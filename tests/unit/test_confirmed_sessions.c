/* SPDX-License-Identifier: ISC */
/*
 * test_confirmed_sessions.c - how long a session counts as confirmed, and what
 * makes it forgotten.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "failing.h"
#include "gateway/confirmed_sessions.h"

#define NOW 100000
#define GRACE 10000

static struct confirmed_sessions *sessions;

static int
begin(void **state)
{
    (void)state;
    assert_int_equal(confirmed_sessions_new(&sessions), PST_OK);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    confirmed_sessions_free(&sessions);
    assert_null(sessions);
    confirmed_sessions_free(&sessions);
    return 0;
}

/* An id; those with the same `set` share a set of the table. */
static struct store_id
id_of(uint16_t set, uint8_t n)
{
    struct store_id id = {{0}};

    memcpy(id.bytes, &set, sizeof(set));
    id.bytes[PST_HASH_LEN - 1] = n;
    return id;
}

static struct session_confirmation
ask(const struct store_id *sid, const struct store_id *subject, int64_t now)
{
    struct session_confirmation confirmation = {
        .sid = sid, .subject = subject, .asked_ms = now};

    confirmed_sessions_begin(sessions, &confirmation);
    return confirmation;
}

static void
confirm(const struct store_id *sid, const struct store_id *subject, int64_t now)
{
    struct session_confirmation confirmation = ask(sid, subject, now);

    confirmed_sessions_put(sessions, &confirmation);
}

static bool
is_confirmed(const struct store_id *sid, const struct store_id *subject,
             int64_t now)
{
    struct session_confirmation confirmation = ask(sid, subject, now);

    return confirmed_sessions_has(sessions, &confirmation, GRACE);
}

static void
test_grace(void **state)
{
    static const struct {
        const char *name;
        int64_t later;
        int64_t grace;
        bool want;
    } rows[] = {
        {"at once", 0, GRACE, true},
        {"the last millisecond", GRACE - 1, GRACE, true},
        {"just over", GRACE, GRACE, false},
        {"long over", 1000 * GRACE, GRACE, false},
        {"no grace", 0, 0, false},
    };
    struct store_id sid = id_of(1, 1);
    struct store_id never = id_of(1, 2);
    struct store_id subject = id_of(2, 1);

    (void)state;
    confirm(&sid, &subject, NOW);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct session_confirmation one =
            ask(&sid, &subject, NOW + rows[i].later);
        struct session_confirmation other =
            ask(&never, &subject, NOW + rows[i].later);

        if (confirmed_sessions_has(sessions, &one, rows[i].grace) !=
            rows[i].want)
            fail_msg("%s", rows[i].name);
        if (confirmed_sessions_has(sessions, &other, rows[i].grace))
            fail_msg("%s: one that was never confirmed", rows[i].name);
    }
    confirm(&sid, &subject, NOW + 5000);
    assert_true(is_confirmed(&sid, &subject, NOW + GRACE + 4999));
    assert_false(is_confirmed(&sid, &subject, NOW + GRACE + 5000));
}

static void
test_forget(void **state)
{
    struct store_id one = id_of(1, 1);
    struct store_id two = id_of(2, 1);
    struct store_id guest = id_of(3, 1);
    struct store_id stranger = id_of(4, 1);
    struct store_id user = id_of(5, 1);
    struct store_id other = id_of(6, 1);

    (void)state;
    confirm(&one, &user, NOW);
    confirm(&two, &user, NOW);
    confirm(&guest, NULL, NOW);
    confirm(&stranger, &other, NOW);

    confirmed_sessions_forget(sessions, NULL);
    assert_true(is_confirmed(&one, &user, NOW));

    confirmed_sessions_forget(sessions, &one);
    assert_false(is_confirmed(&one, &user, NOW));
    assert_true(is_confirmed(&two, &user, NOW));
    confirm(&one, &user, NOW);
    assert_true(is_confirmed(&one, &user, NOW));

    confirmed_sessions_forget(sessions, &user);
    assert_false(is_confirmed(&one, &user, NOW));
    assert_false(is_confirmed(&two, &user, NOW));
    assert_true(is_confirmed(&guest, NULL, NOW));
    assert_true(is_confirmed(&stranger, &other, NOW));

    confirmed_sessions_forget(sessions, &guest);
    assert_false(is_confirmed(&guest, NULL, NOW));
    assert_true(is_confirmed(&stranger, &other, NOW));
}

/* The store confirmed a session, and somebody revoked it before the answer was
 * read. */
static void
test_late_answer(void **state)
{
    struct store_id sid = id_of(1, 1);
    struct store_id user = id_of(2, 1);
    const struct store_id *const revoked[] = {&sid, &user};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(revoked); i++) {
        struct session_confirmation late = ask(&sid, &user, NOW);

        confirmed_sessions_forget(sessions, revoked[i]);
        confirmed_sessions_put(sessions, &late);
        assert_false(is_confirmed(&sid, &user, NOW));
        confirm(&sid, &user, NOW);
        assert_true(is_confirmed(&sid, &user, NOW));
    }
}

/* A fifth session of a set takes the place of the one whose confirmation is
 * the oldest. */
static void
test_full_set(void **state)
{
    struct store_id sids[5];

    (void)state;
    for (uint8_t i = 0; i < 4; i++) {
        sids[i] = id_of(7, (uint8_t)(i + 1));
        confirm(&sids[i], NULL, NOW + i);
    }
    confirm(&sids[0], NULL, NOW + 4); /* has a place already */
    sids[4] = id_of(7, 5);
    confirm(&sids[4], NULL, NOW + 5);
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(is_confirmed(&sids[i], NULL, NOW + 5), i != 1);
}

/* POSTERN_STORE_GRACE is not set. */
static void
test_no_table(void **state)
{
    struct confirmed_sessions *saved = sessions;
    struct store_id sid = id_of(1, 1);

    (void)state;
    sessions = NULL;
    confirm(&sid, NULL, NOW);
    assert_false(is_confirmed(&sid, NULL, NOW));
    confirmed_sessions_forget(sessions, &sid);
    sessions = saved;
}

/* All threads use the same sets and the same user; a session belongs to one of
 * them. Returns its argument if it saw no session that it had forgotten. */
static void *
use_table(void *argument)
{
    const uint8_t *number = argument;
    struct store_id user = id_of(9, 1);

    for (uint16_t i = 0; i < 5000; i++) {
        struct store_id sid = id_of(i % 16, *number);

        confirm(&sid, &user, NOW + i);
        (void)is_confirmed(&sid, &user, NOW + i);
        confirmed_sessions_forget(sessions, i % 64 == 0 ? &user : &sid);
        if (is_confirmed(&sid, &user, NOW + i))
            return NULL;
    }
    return argument;
}

static void
test_threads(void **state)
{
    uint8_t numbers[4];
    pthread_t threads[4];

    (void)state;
    for (uint8_t i = 0; i < 4; i++) {
        numbers[i] = (uint8_t)(i + 1);
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_table, &numbers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &numbers[i]);
    }
}

static void
test_no_memory(void **state)
{
    struct confirmed_sessions *none = NULL;

    (void)state;
    failing_at(1);
    assert_int_equal(confirmed_sessions_new(&none), PST_NO_MEMORY);
    assert_true(failing_has_failed());
    assert_null(none);
}

#define TABLE_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(test_grace),           TABLE_TEST(test_forget),
        TABLE_TEST(test_late_answer),     TABLE_TEST(test_full_set),
        TABLE_TEST(test_no_table),        TABLE_TEST(test_threads),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("confirmed_sessions", tests, NULL, NULL);
}
