/* SPDX-License-Identifier: ISC */
/*
 * test_session.c - every clock one second before, at, and after its limit. The
 * time is always passed in; nothing sleeps.
 */
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define T PST_STR
#define T0 INT64_C(1700000000) /* 2023-11-14T22:13:20Z */
#define IDLE 1800
#define LIFETIME 43200
#define REMEMBER 2592000
#define GUEST_LIFETIME 31536000

static const struct pst_session_timeouts timeouts = {IDLE, LIFETIME, REMEMBER,
                                                     GUEST_LIFETIME};

/* One arena for all tests of this file. */
static struct pst_arena *arena;

enum who { NAMED, REMEMBERED, GUEST, REMEMBERED_GUEST };

static const char *const who_names[] = {"named", "remembered", "guest",
                                        "remembered guest"};
static const int64_t who_lifetimes[] = {LIFETIME, REMEMBER, GUEST_LIFETIME,
                                        GUEST_LIFETIME};

static struct pst_session
make(enum who who)
{
    struct pst_session session = {
        .sid = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255},
        .sub = who >= GUEST ? T("") : T("42"),
        .name = T("ann@shop.example"),
        .remember = who == REMEMBERED || who == REMEMBERED_GUEST,
        .who = T("{\"email\":\"ann@shop.example\"}"),
        .upstream = T("\"fnEE\""),
    };

    return session;
}

static struct pst_session
started(enum who who)
{
    struct pst_session session = make(who);

    assert_int_equal(pst_session_start(&session, &timeouts, T0, 0), PST_OK);
    return session;
}

static void
test_kinds(void **state)
{
    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_GUEST; who++) {
        struct pst_session session = make(who);

        assert_int_equal(pst_session_is_guest(&session), who >= GUEST);
        assert_int_equal(pst_session_is_persistent(&session), who != NAMED);
    }
}

/* R20: the backend's end limits each kind of session, and never extends it. */
static void
test_start(void **state)
{
    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_GUEST; who++) {
        int64_t life = who_lifetimes[who];
        /* A guest's is one second shorter, so that renewals keep it. */
        int64_t longest = who >= GUEST ? life - 1 : life;
        const struct {
            const char *name;
            int64_t backend_end;
            int64_t exp; /* 0: refused */
        } rows[] = {
            {"unknown", 0, T0 + life},
            {"long past", 1, 0},
            {"before the epoch", -1, 0},
            {"over a second ago", T0 - 1, 0},
            {"over now", T0, 0},
            {"over in a second", T0 + 1, T0 + 1},
            {"a second sooner", T0 + life - 1, T0 + life - 1},
            {"at the same time", T0 + life, T0 + longest},
            {"a second later", T0 + life + 1, T0 + longest},
            {"the greatest time", INT64_MAX, T0 + longest},
        };

        for (size_t i = 0; i < PST_COUNT(rows); i++) {
            struct pst_session session = make(who);
            enum pst_err e =
                pst_session_start(&session, &timeouts, T0, rows[i].backend_end);
            bool refused = rows[i].exp == 0;

            if (e != (refused ? PST_EXPIRED : PST_OK))
                fail_msg("%s, %s: %s", who_names[who], rows[i].name,
                         pst_err_code(e));
            if (session.exp != rows[i].exp ||
                session.iat != (refused ? 0 : T0) ||
                session.seen != session.iat)
                fail_msg("%s, %s: exp is T0%+lld", who_names[who], rows[i].name,
                         (long long)(session.exp - T0));
        }
    }
}

/* A guest's lifetime of one second cannot be shorter. */
static void
test_shortest_guest_lifetimes(void **state)
{
    struct pst_session_timeouts shortest = timeouts;
    struct pst_session session = make(GUEST);

    (void)state;
    for (int64_t life = 1; life <= 3; life++) {
        shortest.guest = life;
        assert_int_equal(pst_session_start(&session, &shortest, T0, INT64_MAX),
                         PST_OK);
        assert_int_equal(session.exp, T0 + (life > 1 ? life - 1 : 1));
    }
}

/*
 * R12, R15, R16: each limit at -1, 0 and +1. All times are relative to T0. An
 * exp of 0 means the whole lifetime of the kind.
 */
static const struct {
    const char *name;
    enum who who;
    int64_t iat;
    int64_t seen;
    int64_t exp;
    int64_t now;
    enum pst_err want;
} edges[] = {
    {"at once", NAMED, 0, 0, LIFETIME, 0, PST_OK},
    {"idle -1", NAMED, 0, 0, LIFETIME, IDLE - 1, PST_OK},
    {"idle 0", NAMED, 0, 0, LIFETIME, IDLE, PST_EXPIRED},
    {"idle +1", NAMED, 0, 0, LIFETIME, IDLE + 1, PST_EXPIRED},
    {"idle from seen -1", NAMED, 0, 500, LIFETIME, 500 + IDLE - 1, PST_OK},
    {"idle from seen 0", NAMED, 0, 500, LIFETIME, 500 + IDLE, PST_EXPIRED},
    {"lifetime -1", NAMED, 0, LIFETIME - 9, LIFETIME, LIFETIME - 1, PST_OK},
    {"lifetime 0", NAMED, 0, LIFETIME - 9, LIFETIME, LIFETIME, PST_EXPIRED},
    {"lifetime +1", NAMED, 0, LIFETIME - 9, LIFETIME, LIFETIME + 1,
     PST_EXPIRED},
    {"lifetime, exp later, -1", NAMED, 0, LIFETIME - 9, GUEST_LIFETIME,
     LIFETIME - 1, PST_OK},
    {"lifetime, exp later, 0", NAMED, 0, LIFETIME - 9, GUEST_LIFETIME, LIFETIME,
     PST_EXPIRED},
    {"lifetime, exp later, +1", NAMED, 0, LIFETIME - 9, GUEST_LIFETIME,
     LIFETIME + 1, PST_EXPIRED},
    {"backend end -1", NAMED, 0, 0, 100, 99, PST_OK},
    {"backend end 0", NAMED, 0, 0, 100, 100, PST_EXPIRED},
    {"backend end +1", NAMED, 0, 0, 100, 101, PST_EXPIRED},
    {"remembered, idle does not apply", REMEMBERED, 0, 0, REMEMBER, IDLE,
     PST_OK},
    {"remembered, nor lifetime", REMEMBERED, 0, 0, REMEMBER, LIFETIME, PST_OK},
    {"remember -1", REMEMBERED, 0, 0, GUEST_LIFETIME, REMEMBER - 1, PST_OK},
    {"remember 0", REMEMBERED, 0, 0, GUEST_LIFETIME, REMEMBER, PST_EXPIRED},
    {"remember +1", REMEMBERED, 0, 0, GUEST_LIFETIME, REMEMBER + 1,
     PST_EXPIRED},
    {"remembered, backend end -1", REMEMBERED, 0, 0, 100, 99, PST_OK},
    {"remembered, backend end 0", REMEMBERED, 0, 0, 100, 100, PST_EXPIRED},
    {"guest, idle does not apply", GUEST, 0, 0, GUEST_LIFETIME, IDLE, PST_OK},
    {"guest, nor lifetime", GUEST, 0, 0, GUEST_LIFETIME, LIFETIME, PST_OK},
    {"guest, nor remember", GUEST, 0, 0, GUEST_LIFETIME, REMEMBER, PST_OK},
    {"guest -1", GUEST, 0, 0, 2 * GUEST_LIFETIME, GUEST_LIFETIME - 1, PST_OK},
    {"guest 0", GUEST, 0, 0, 2 * GUEST_LIFETIME, GUEST_LIFETIME, PST_EXPIRED},
    {"guest +1", GUEST, 0, 0, 2 * GUEST_LIFETIME, GUEST_LIFETIME + 1,
     PST_EXPIRED},
    {"guest, backend end -1", GUEST, 0, 0, 100, 99, PST_OK},
    {"guest, backend end 0", GUEST, 0, 0, 100, 100, PST_EXPIRED},
    {"remembered guest is a guest", REMEMBERED_GUEST, 0, 0, GUEST_LIFETIME,
     REMEMBER, PST_OK},
    {"iat ahead 59", NAMED, 59, 59, LIFETIME, 0, PST_OK},
    {"iat ahead 60", NAMED, 60, 60, LIFETIME, 0, PST_OK},
    {"iat ahead 61", NAMED, 61, 61, LIFETIME, 0, PST_EXPIRED},
    {"seen ahead 59", NAMED, 0, 59, LIFETIME, 0, PST_OK},
    {"seen ahead 60", NAMED, 0, 60, LIFETIME, 0, PST_OK},
    {"seen ahead 61", NAMED, 0, 61, LIFETIME, 0, PST_EXPIRED},
    {"guest, seen ahead 60", GUEST, 0, 60, GUEST_LIFETIME, 0, PST_OK},
    {"guest, seen ahead 61", GUEST, 0, 61, GUEST_LIFETIME, 0, PST_EXPIRED},
    {"remembered, iat ahead 61", REMEMBERED, 61, 61, GUEST_LIFETIME, 0,
     PST_EXPIRED},
    {"seen before iat", NAMED, 100, 99, LIFETIME, 100, PST_EXPIRED},
    {"guest, seen before iat", GUEST, 100, 99, LIFETIME, 100, PST_EXPIRED},
    {"the clock went back", NAMED, 0, 0, LIFETIME, -60, PST_OK},
    {"the clock went back too far", NAMED, 0, 0, LIFETIME, -61, PST_EXPIRED},
};

static void
test_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(edges); i++) {
        struct pst_session session = make(edges[i].who);
        enum pst_err e;

        session.iat = T0 + edges[i].iat;
        session.seen = T0 + edges[i].seen;
        session.exp = T0 + edges[i].exp;
        e = pst_session_check(&session, &timeouts, T0 + edges[i].now);
        if (e != edges[i].want)
            fail_msg("%s: %s", edges[i].name, pst_err_code(e));
    }
}

/* No time that claims can have may overflow to a valid session. */
static void
test_extremes(void **state)
{
    static const int64_t times[] = {INT64_MIN, -1, INT64_MAX - 1, INT64_MAX};

    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_GUEST; who++) {
        for (size_t i = 0; i < PST_COUNT(times); i++) {
            struct pst_session session = started(who);

            session.iat = times[i];
            assert_int_equal(pst_session_check(&session, &timeouts, T0),
                             PST_EXPIRED);
            session = started(who);
            session.seen = times[i];
            assert_int_equal(pst_session_check(&session, &timeouts, T0),
                             PST_EXPIRED);
            assert_int_equal(
                pst_session_is_renewal_due(&session, &timeouts, T0),
                times[i] < 0);
            if (times[i] > 0)
                assert_true(pst_session_idle_expiry(&session, &timeouts) ==
                            session.exp);
        }
    }
}

/* The epoch is a time like any other. */
static void
test_epoch(void **state)
{
    struct pst_session session = make(NAMED);

    (void)state;
    assert_int_equal(pst_session_start(&session, &timeouts, 0, 0), PST_OK);
    assert_true(session.exp == LIFETIME);
    assert_int_equal(pst_session_check(&session, &timeouts, 0), PST_OK);
    assert_int_equal(pst_session_check(&session, &timeouts, IDLE), PST_EXPIRED);
}

/* A limit that is lowered ends sessions that began under a longer one. */
static void
test_lowered(void **state)
{
    static const struct pst_session_timeouts one_less[] = {
        [NAMED] = {IDLE, 600, REMEMBER, GUEST_LIFETIME},
        [REMEMBERED] = {IDLE, LIFETIME, 600, GUEST_LIFETIME},
        [GUEST] = {IDLE, LIFETIME, REMEMBER, 600},
        [REMEMBERED_GUEST] = {IDLE, LIFETIME, REMEMBER, 600},
    };
    static const struct pst_session_timeouts less_idle = {
        100, LIFETIME, REMEMBER, GUEST_LIFETIME};
    static const struct pst_session_timeouts more = {
        GUEST_LIFETIME, GUEST_LIFETIME, GUEST_LIFETIME, 2 * GUEST_LIFETIME};
    struct pst_session session;

    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_GUEST; who++) {
        session = started(who);
        assert_int_equal(pst_session_check(&session, &timeouts, T0 + 600),
                         PST_OK);
        assert_int_equal(pst_session_check(&session, &one_less[who], T0 + 599),
                         PST_OK);
        assert_int_equal(pst_session_check(&session, &one_less[who], T0 + 600),
                         PST_EXPIRED);
        /* A limit that is raised does not move the end that was sealed. */
        pst_session_touch(&session, &timeouts, session.exp - 1);
        assert_int_equal(pst_session_check(&session, &more, session.exp - 1),
                         PST_OK);
        assert_int_equal(pst_session_check(&session, &more, session.exp),
                         PST_EXPIRED);
    }
    session = started(NAMED);
    assert_int_equal(pst_session_check(&session, &less_idle, T0 + 99), PST_OK);
    assert_int_equal(pst_session_check(&session, &less_idle, T0 + 100),
                     PST_EXPIRED);
}

/* R16, R18: use of a user's session does not move its beginning and its end. */
static void
test_touch(void **state)
{
    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_GUEST; who++) {
        struct pst_session session = started(who);
        int64_t life = who_lifetimes[who];
        int64_t now = T0;

        for (; now < T0 + life; now += IDLE - 1) {
            assert_int_equal(pst_session_check(&session, &timeouts, now),
                             PST_OK);
            pst_session_touch(&session, &timeouts, now);
            assert_true(session.seen == now);
        }
        pst_session_touch(&session, &timeouts, T0);
        assert_true(session.seen == now - (IDLE - 1)); /* never goes back */
        if (pst_session_is_guest(&session)) {
            /* A guest's session that is used begins anew. */
            assert_true(session.iat == session.seen);
            assert_true(session.exp == session.seen + life);
            continue;
        }
        assert_true(session.iat == T0 && session.exp == T0 + life);
        assert_int_equal(pst_session_check(&session, &timeouts, now),
                         PST_EXPIRED);
    }
}

/* A second use in the same second changes nothing. */
static void
test_touch_twice_at_once(void **state)
{
    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_GUEST; who++) {
        struct pst_session session = started(who);

        session.seen = T0 + 10;
        pst_session_touch(&session, &timeouts, T0 + 10);
        assert_true(session.seen == T0 + 10);
        assert_true(session.iat == T0);
        assert_true(session.exp == T0 + who_lifetimes[who]);
        pst_session_touch(&session, &timeouts, T0 + 11);
        assert_true(session.seen == T0 + 11);
    }
}

/*
 * A fixed bug: a guest's renewal raised the end that the backend's token had
 * set. A day later the session was valid for another month, but the token had
 * expired.
 */
static void
test_touch_keeps_backend_end(void **state)
{
    struct pst_session session = started(GUEST);
    int64_t end = T0 + GUEST_LIFETIME / 2;

    (void)state;
    assert_int_equal(pst_session_start(&session, &timeouts, T0, end), PST_OK);
    for (int64_t now = T0 + 1; now < end; now += GUEST_LIFETIME / 10) {
        assert_int_equal(pst_session_check(&session, &timeouts, now), PST_OK);
        pst_session_touch(&session, &timeouts, now);
        assert_true(session.seen == now);
        assert_true(session.exp == end);
    }
    assert_int_equal(pst_session_check(&session, &timeouts, end - 1), PST_OK);
    assert_int_equal(pst_session_check(&session, &timeouts, end), PST_EXPIRED);
    /* The end may be after one lifetime, but not after all of them. */
    assert_int_equal(
        pst_session_start(&session, &timeouts, T0, T0 + GUEST_LIFETIME + 1),
        PST_OK);
    for (int64_t now = T0 + 1; now < session.exp; now += GUEST_LIFETIME / 10)
        pst_session_touch(&session, &timeouts, now);
    assert_true(session.exp == T0 + GUEST_LIFETIME - 1);
}

static void
test_due(void **state)
{
    static const struct {
        const char *name;
        enum who who;
        int64_t idle;
        int64_t every;
    } rows[] = {
        {"named", NAMED, 1800, 450},
        {"idle 1", NAMED, 1, 1},
        {"idle 3", NAMED, 3, 1},
        {"idle 4", NAMED, 4, 1},
        {"idle 7", NAMED, 7, 1},
        {"idle 8", NAMED, 8, 2},
        {"remembered", REMEMBERED, 4, 86400},
        {"guest", GUEST, 4, 86400},
        {"remembered guest", REMEMBERED_GUEST, 4, 86400},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session_timeouts mine = {rows[i].idle, LIFETIME, REMEMBER,
                                            GUEST_LIFETIME};
        struct pst_session session = started(rows[i].who);
        int64_t every = rows[i].every;

        if (pst_session_is_renewal_due(&session, &mine, T0 + every - 1) ||
            !pst_session_is_renewal_due(&session, &mine, T0 + every) ||
            !pst_session_is_renewal_due(&session, &mine, T0 + every + 1) ||
            pst_session_is_renewal_due(&session, &mine, T0) ||
            pst_session_is_renewal_due(&session, &mine, T0 - 2 * every))
            fail_msg("%s", rows[i].name);
        pst_session_touch(&session, &timeouts, T0 + every);
        if (pst_session_is_renewal_due(&session, &mine, T0 + 2 * every - 1) ||
            !pst_session_is_renewal_due(&session, &mine, T0 + 2 * every))
            fail_msg("%s, after a request", rows[i].name);
    }
}

static void
test_idle_end(void **state)
{
    struct pst_session session = started(NAMED);

    (void)state;
    assert_true(pst_session_idle_expiry(&session, &timeouts) == T0 + IDLE);
    pst_session_touch(&session, &timeouts, T0 + LIFETIME - IDLE - 1);
    assert_true(pst_session_idle_expiry(&session, &timeouts) ==
                T0 + LIFETIME - 1);
    pst_session_touch(&session, &timeouts, T0 + LIFETIME - IDLE + 1);
    assert_true(pst_session_idle_expiry(&session, &timeouts) == T0 + LIFETIME);
    for (enum who who = REMEMBERED; who <= REMEMBERED_GUEST; who++) {
        session = started(who);
        assert_true(pst_session_idle_expiry(&session, &timeouts) ==
                    session.exp);
    }
    /* The result agrees with pst_session_check(). */
    for (int64_t seen = 0; seen < LIFETIME; seen += 777) {
        int64_t end;

        session = started(NAMED);
        pst_session_touch(&session, &timeouts, T0 + seen);
        end = pst_session_idle_expiry(&session, &timeouts);
        assert_int_equal(pst_session_check(&session, &timeouts, end - 1),
                         PST_OK);
        assert_int_equal(pst_session_check(&session, &timeouts, end),
                         PST_EXPIRED);
    }
}

/* The backend's ttl. */

static const struct {
    const char *name;
    const char *ttl;
    int64_t want; /* -1: PST_MALFORMED */
} ttls[] = {
    {"absent", NULL, 0},
    {"null", "null", 0},
    {"seconds from now", "3600", T0 + 3600},
    {"no time at all", "0", T0},
    {"the last of them", "999999999", T0 + 999999999},
    {"unix seconds", "1000000000", 1000000000},
    {"unix seconds later", "1700003600", 1700003600},
    {"the last of these", "999999999999", 999999999999},
    {"unix milliseconds", "1000000000000", 1000000000},
    {"milliseconds cut, not rounded", "1700003600999", 1700003600},
    {"the largest", "9223372036854775807", 9223372036854775},
    {"one more", "9223372036854775808", -1},
    {"negative", "-1", -1},
    {"negative and large", "-1700003600", -1},
    {"a fraction, cut", "3600.5", T0 + 3600},
    {"a fraction of nothing", "3600.0", T0 + 3600},
    {"an exponent", "36e2", -1},
    {"digits in a string", "\"3600\"", T0 + 3600},
    {"unix seconds in a string", "\"1700003600\"", 1700003600},
    {"milliseconds in a string", "\"1700003600999\"", 1700003600},
    {"negative in a string", "\"-1\"", -1},
    {"a fraction in a string", "\"3600.5\"", T0 + 3600},
    {"a fraction without digits in a string", "\"3600.\"", -1},
    {"two fractions in a string", "\"3600.5.5\"", -1},
    {"white space around it", " 3600 ", T0 + 3600},
    {"a leading zero in a string", "\"03600\"", -1},
    {"a plus in a string", "\"+3600\"", -1},
    {"a space in a string", "\" 3600\"", -1},
    {"too large in a string", "\"9223372036854775808\"", -1},
    {"RFC 3339", "\"2023-11-14T22:13:20Z\"", T0},
    {"with an offset", "\"2023-11-15T00:13:20+02:00\"", T0},
    {"with a fraction, cut", "\"2023-11-14T22:13:20.999999Z\"", T0},
    {"the epoch is not \"no ttl\"", "\"1970-01-01T00:00:00Z\"", 1},
    {"a date alone", "\"2023-11-14\"", -1},
    {"without an offset", "\"2023-11-14T22:13:20\"", -1},
    {"an HTTP date", "\"Tue, 14 Nov 2023 22:13:20 GMT\"", -1},
    {"an empty string", "\"\"", -1},
    {"a word", "\"never\"", -1},
    {"null in a string", "\"null\"", -1},
    {"true", "true", -1},
    {"an array", "[3600]", -1},
    {"an object", "{\"@ts\":\"2023-11-14T22:13:20Z\"}", -1},
    {"no JSON", "3600s", -1},
    {"nothing", "", -1},
    {"a NUL in the string", "\"3600\\u0000\"", -1},
};

static void
test_ttl(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(ttls); i++) {
        int64_t out = -7;
        enum pst_err e =
            pst_session_parse_ttl(arena, pst_str_from(ttls[i].ttl), T0, &out);

        if (e != (ttls[i].want == -1 ? PST_MALFORMED : PST_OK))
            fail_msg("%s: %s", ttls[i].name, pst_err_code(e));
        if (out != (ttls[i].want == -1 ? -7 : ttls[i].want))
            fail_msg("%s: %lld", ttls[i].name, (long long)out);
        pst_arena_reset(arena);
    }
}

/* R20 as a whole: from the ttl to the end of the session. */
static void
test_ttl_bounds_session(void **state)
{
    static const struct {
        const char *ttl;
        int64_t exp; /* 0: PST_EXPIRED */
    } rows[] = {
        {"60", T0 + 60},
        {"\"2023-11-14T22:14:20Z\"", T0 + 60},
        {"\"2023-11-14T22:13:20Z\"", 0},
        {"\"1970-01-01T00:00:00Z\"", 0},
        {"\"1969-12-31T23:59:59Z\"", 0},
        {"0", 0},
        {"null", T0 + LIFETIME},
        {"\"9999-12-31T23:59:59Z\"", T0 + LIFETIME},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = make(NAMED);
        int64_t end = -7;
        enum pst_err e;

        assert_int_equal(
            pst_session_parse_ttl(arena, pst_str_from(rows[i].ttl), T0, &end),
            PST_OK);
        e = pst_session_start(&session, &timeouts, T0, end);
        if (e != (rows[i].exp ? PST_OK : PST_EXPIRED) ||
            session.exp != rows[i].exp)
            fail_msg("%s: %s", rows[i].ttl, pst_err_code(e));
        pst_arena_reset(arena);
    }
}

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_lowered),
        cmocka_unit_test(test_touch),
        cmocka_unit_test(test_touch_twice_at_once),
        cmocka_unit_test(test_touch_keeps_backend_end),
        cmocka_unit_test(test_shortest_guest_lifetimes),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_idle_end),
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_ttl_bounds_session),
    };

    return cmocka_run_group_tests_name("session", tests, set_up, tear_down);
}
