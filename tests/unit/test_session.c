/* SPDX-License-Identifier: ISC */
/*
 * test_session.c - claims read strictly, and every clock one second before,
 * at, and after its limit. The time is always passed in; nothing sleeps.
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
#define GUEST 31536000

static const struct pst_session_timeouts timeouts = {IDLE, LIFETIME, REMEMBER,
                                                     GUEST};

/* One for all tests of this file. */
static struct pst_arena *arena;

enum who { NAMED, REMEMBERED, VISITOR, REMEMBERED_VISITOR };

static const char *const who_names[] = {"named", "remembered", "guest",
                                        "remembered guest"};
static const int64_t who_lifetimes[] = {LIFETIME, REMEMBER, GUEST, GUEST};

static struct pst_session
make(enum who who)
{
    struct pst_session session = {
        .sid = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255},
        .sub = who >= VISITOR ? T("") : T("42"),
        .name = T("ann@shop.example"),
        .remember = who == REMEMBERED || who == REMEMBERED_VISITOR,
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

/* Clocks. */

static void
test_kinds(void **state)
{
    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_VISITOR; who++) {
        struct pst_session session = make(who);

        assert_int_equal(pst_session_is_guest(&session), who >= VISITOR);
        assert_int_equal(pst_session_is_persistent(&session), who != NAMED);
    }
}

/* R20: the backend's end bounds each kind of session, and never extends it. */
static void
test_start(void **state)
{
    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_VISITOR; who++) {
        int64_t life = who_lifetimes[who];
        /* A guest's is a second short, so that renewals know of it. */
        int64_t longest = who >= VISITOR ? life - 1 : life;
        const struct {
            const char *name;
            int64_t backend_end;
            int64_t exp; /* 0: refused */
        } rows[] = {
            {"not told", 0, T0 + life},
            {"over since long", 1, 0},
            {"before the epoch", -1, 0},
            {"over a second ago", T0 - 1, 0},
            {"over now", T0, 0},
            {"over in a second", T0 + 1, T0 + 1},
            {"a second sooner", T0 + life - 1, T0 + life - 1},
            {"at the same time", T0 + life, T0 + longest},
            {"a second later", T0 + life + 1, T0 + longest},
            {"never, as it were", INT64_MAX, T0 + longest},
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

/*
 * R12, R15, R16: each limit at -1, 0 and +1. All times are relative to T0;
 * a life of 0 stands for the whole lifetime of the kind.
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
    {"lifetime, exp later, -1", NAMED, 0, LIFETIME - 9, GUEST, LIFETIME - 1,
     PST_OK},
    {"lifetime, exp later, 0", NAMED, 0, LIFETIME - 9, GUEST, LIFETIME,
     PST_EXPIRED},
    {"lifetime, exp later, +1", NAMED, 0, LIFETIME - 9, GUEST, LIFETIME + 1,
     PST_EXPIRED},
    {"backend end -1", NAMED, 0, 0, 100, 99, PST_OK},
    {"backend end 0", NAMED, 0, 0, 100, 100, PST_EXPIRED},
    {"backend end +1", NAMED, 0, 0, 100, 101, PST_EXPIRED},
    {"remembered, idle does not apply", REMEMBERED, 0, 0, REMEMBER, IDLE,
     PST_OK},
    {"remembered, nor lifetime", REMEMBERED, 0, 0, REMEMBER, LIFETIME, PST_OK},
    {"remember -1", REMEMBERED, 0, 0, GUEST, REMEMBER - 1, PST_OK},
    {"remember 0", REMEMBERED, 0, 0, GUEST, REMEMBER, PST_EXPIRED},
    {"remember +1", REMEMBERED, 0, 0, GUEST, REMEMBER + 1, PST_EXPIRED},
    {"remembered, backend end -1", REMEMBERED, 0, 0, 100, 99, PST_OK},
    {"remembered, backend end 0", REMEMBERED, 0, 0, 100, 100, PST_EXPIRED},
    {"guest, idle does not apply", VISITOR, 0, 0, GUEST, IDLE, PST_OK},
    {"guest, nor lifetime", VISITOR, 0, 0, GUEST, LIFETIME, PST_OK},
    {"guest, nor remember", VISITOR, 0, 0, GUEST, REMEMBER, PST_OK},
    {"guest -1", VISITOR, 0, 0, 2 * GUEST, GUEST - 1, PST_OK},
    {"guest 0", VISITOR, 0, 0, 2 * GUEST, GUEST, PST_EXPIRED},
    {"guest +1", VISITOR, 0, 0, 2 * GUEST, GUEST + 1, PST_EXPIRED},
    {"guest, backend end -1", VISITOR, 0, 0, 100, 99, PST_OK},
    {"guest, backend end 0", VISITOR, 0, 0, 100, 100, PST_EXPIRED},
    {"remembered guest is a guest", REMEMBERED_VISITOR, 0, 0, GUEST, REMEMBER,
     PST_OK},
    {"iat ahead 59", NAMED, 59, 59, LIFETIME, 0, PST_OK},
    {"iat ahead 60", NAMED, 60, 60, LIFETIME, 0, PST_OK},
    {"iat ahead 61", NAMED, 61, 61, LIFETIME, 0, PST_EXPIRED},
    {"seen ahead 59", NAMED, 0, 59, LIFETIME, 0, PST_OK},
    {"seen ahead 60", NAMED, 0, 60, LIFETIME, 0, PST_OK},
    {"seen ahead 61", NAMED, 0, 61, LIFETIME, 0, PST_EXPIRED},
    {"guest, seen ahead 60", VISITOR, 0, 60, GUEST, 0, PST_OK},
    {"guest, seen ahead 61", VISITOR, 0, 61, GUEST, 0, PST_EXPIRED},
    {"remembered, iat ahead 61", REMEMBERED, 61, 61, GUEST, 0, PST_EXPIRED},
    {"seen before iat", NAMED, 100, 99, LIFETIME, 100, PST_EXPIRED},
    {"guest, seen before iat", VISITOR, 100, 99, LIFETIME, 100, PST_EXPIRED},
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

/* No time that claims can hold may wrap into a yes. */
static void
test_extremes(void **state)
{
    static const int64_t times[] = {INT64_MIN, -1, INT64_MAX - 1, INT64_MAX};

    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_VISITOR; who++) {
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

/* A limit made shorter ends sessions that were begun under a longer one. */
static void
test_lowered(void **state)
{
    static const struct pst_session_timeouts one_less[] = {
        [NAMED] = {IDLE, 600, REMEMBER, GUEST},
        [REMEMBERED] = {IDLE, LIFETIME, 600, GUEST},
        [VISITOR] = {IDLE, LIFETIME, REMEMBER, 600},
        [REMEMBERED_VISITOR] = {IDLE, LIFETIME, REMEMBER, 600},
    };
    static const struct pst_session_timeouts less_idle = {100, LIFETIME,
                                                          REMEMBER, GUEST};
    static const struct pst_session_timeouts more = {GUEST, GUEST, GUEST,
                                                     2 * GUEST};
    struct pst_session session;

    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_VISITOR; who++) {
        session = started(who);
        assert_int_equal(pst_session_check(&session, &timeouts, T0 + 600),
                         PST_OK);
        assert_int_equal(pst_session_check(&session, &one_less[who], T0 + 599),
                         PST_OK);
        assert_int_equal(pst_session_check(&session, &one_less[who], T0 + 600),
                         PST_EXPIRED);
        /* A limit made longer does not move the end that was sealed. */
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

/* R16, R18: however busy the session, its beginning and its end stand. */
static void
test_touch(void **state)
{
    (void)state;
    for (enum who who = NAMED; who <= REMEMBERED_VISITOR; who++) {
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
            /* A cart that is used does not vanish: it begins anew. */
            assert_true(session.iat == session.seen);
            assert_true(session.exp == session.seen + life);
            continue;
        }
        assert_true(session.iat == T0 && session.exp == T0 + life);
        assert_int_equal(pst_session_check(&session, &timeouts, now),
                         PST_EXPIRED);
    }
}

/*
 * A guest's renewal lifted the end that the backend's token had set: a day
 * later the session was good for another month, and the token long dead.
 */
static void
test_touch_keeps_backend_end(void **state)
{
    struct pst_session session = started(VISITOR);
    int64_t end = T0 + GUEST / 2;

    (void)state;
    assert_int_equal(pst_session_start(&session, &timeouts, T0, end), PST_OK);
    for (int64_t now = T0 + 1; now < end; now += GUEST / 10) {
        assert_int_equal(pst_session_check(&session, &timeouts, now), PST_OK);
        pst_session_touch(&session, &timeouts, now);
        assert_true(session.seen == now);
        assert_true(session.exp == end);
    }
    assert_int_equal(pst_session_check(&session, &timeouts, end - 1), PST_OK);
    assert_int_equal(pst_session_check(&session, &timeouts, end), PST_EXPIRED);
    /* It may well lie beyond one lifetime, but not beyond all of them. */
    assert_int_equal(pst_session_start(&session, &timeouts, T0, T0 + GUEST + 1),
                     PST_OK);
    for (int64_t now = T0 + 1; now < session.exp; now += GUEST / 10)
        pst_session_touch(&session, &timeouts, now);
    assert_true(session.exp == T0 + GUEST - 1);
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
        {"guest", VISITOR, 4, 86400},
        {"remembered guest", REMEMBERED_VISITOR, 4, 86400},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session_timeouts mine = {rows[i].idle, LIFETIME, REMEMBER,
                                            GUEST};
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
    for (enum who who = REMEMBERED; who <= REMEMBERED_VISITOR; who++) {
        session = started(who);
        assert_true(pst_session_idle_expiry(&session, &timeouts) ==
                    session.exp);
    }
    /* What it says is what pst_session_check() does. */
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

/* Claims. */

static struct pst_str
emit(const struct pst_session *session)
{
    struct pst_buf buf;
    struct pst_str text = PST_STR_NONE;

    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_session_emit(&buf, session);
    assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
    return text;
}

static void
assert_same(const char *name, const struct pst_session *a,
            const struct pst_session *b)
{
    if (memcmp(a->sid, b->sid, sizeof(a->sid)) != 0 ||
        !pst_str_equal(a->sub, b->sub) || !pst_str_equal(a->name, b->name) ||
        a->iat != b->iat || a->exp != b->exp || a->seen != b->seen ||
        a->remember != b->remember || !pst_str_equal(a->who, b->who) ||
        !pst_str_equal(a->upstream, b->upstream))
        fail_msg("%s: it did not come back as it was", name);
}

static void
test_emit(void **state)
{
    struct pst_session session = started(REMEMBERED);
    struct pst_str text;

    (void)state;
    session.upstream = T("{\"s\":\"x\",\"s.sig\":\"y\"}");
    text = emit(&session);
    assert_true(pst_str_equal(
        text, T("{\"v\":2,\"sid\":\"AAECAwQFBgcICQoLDA0O_w\",\"sub\":\"42\","
                "\"name\":\"ann@shop.example\",\"iat\":1700000000,"
                "\"exp\":1702592000,\"seen\":1700000000,\"remember\":true,"
                "\"who\":{\"email\":\"ann@shop.example\"},"
                "\"upstream\":{\"s\":\"x\",\"s.sig\":\"y\"}}")));
}

/* Whose it is may be unknown, or nobody's without a token of the backend. */
static void
test_unknown_and_nobody(void **state)
{
    struct pst_session session = started(VISITOR);
    struct pst_session out;
    struct pst_str text;

    (void)state;
    session.known = PST_IDENTITY_UNKNOWN;
    session.asked = T0;
    assert_false(pst_session_is_guest(&session));
    assert_false(pst_session_is_persistent(&session));
    text = emit(&session);
    assert_int_equal(pst_session_parse(arena, text, &out), PST_OK);
    assert_int_equal(out.known, PST_IDENTITY_UNKNOWN);
    assert_true(out.asked == T0);

    session.known = PST_IDENTITY_GUEST;
    session.upstream = PST_STR_NONE;
    text = emit(&session);
    assert_int_equal(pst_session_parse(arena, text, &out), PST_OK);
    assert_int_equal(out.known, PST_IDENTITY_GUEST);
    assert_true(pst_str_is_absent(out.upstream));
    assert_true(pst_session_is_guest(&out));
}

/* Section 4: CR, LF and NUL are kept in claims; R58 is for headers. */
static void
test_round_trip(void **state)
{
    static char long_text[PST_UPSTREAM_MAX];
    const struct {
        const char *name;
        struct pst_str sub;
        struct pst_str display;
        struct pst_str who;
        struct pst_str upstream;
    } rows[] = {
        {"plain", T("42"), T("ann"), T("{}"), T("\"t\"")},
        {"guest", T(""), T(""), T("{}"), T("\"t\"")},
        {"CR, LF, NUL", T("a\r\nb\0c"), T("\0\r\n"), T("{}"), T("\"t\"")},
        {"JSON inside", T("\",\"v\":2,\"x\":\""), T("\\\"}"), T("{}"),
         T("\"t\"")},
        {"markup", T("<script>&"), T("'\x7F\x01"), T("{}"), T("\"t\"")},
        {"UTF-8", T("\xC3\xA9"), T("\xF0\x9F\x94\x91"),
         T("{\"\xC3\xA9\":[1.50,1e3,null]}"), T("\"\xC3\xA9\"")},
        {"spelling kept", T("42"), T("ann"), T("{ \"a\" : \"\\u0041\" }"),
         T("\"\\u0041\"")},
        {"names of ours inside who", T("42"), T("ann"),
         T("{\"upstream\":1,\"sid\":{\"v\":2}}"), T("\"t\"")},
        {"cookies", T("42"), T("ann"), T("{}"),
         T("{\"session\":\"x\",\"who\":\"\"}")},
        {"largest sub and name",
         {long_text, PST_SUBJECT_MAX},
         {long_text, PST_NAME_MAX},
         T("{}"),
         T("\"t\"")},
    };

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = started(NAMED);
        struct pst_session back;
        enum pst_err e;

        session.sub = rows[i].sub;
        session.name = rows[i].display;
        session.who = rows[i].who;
        session.upstream = rows[i].upstream;
        e = pst_session_parse(arena, emit(&session), &back);
        if (e)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
        assert_same(rows[i].name, &session, &back);
        pst_arena_reset(arena);
    }
}

/* Each part at its limit is written and read; one byte more is neither. */
static void
test_limits(void **state)
{
    static char text[PST_UPSTREAM_MAX + 1];
    static const struct {
        const char *name;
        size_t max;
        size_t at;
    } rows[] = {
        {"sub", PST_SUBJECT_MAX, offsetof(struct pst_session, sub)},
        {"name", PST_NAME_MAX, offsetof(struct pst_session, name)},
        {"who", PST_WHO_MAX, offsetof(struct pst_session, who)},
        {"upstream", PST_UPSTREAM_MAX, offsetof(struct pst_session, upstream)},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (size_t over = 0; over < 2; over++) {
            struct pst_session session = started(NAMED);
            struct pst_session back;
            size_t len = rows[i].max + over;
            struct pst_str part = {text, len};
            struct pst_str out;
            struct pst_buf buf;

            memset(text, 'x', sizeof(text));
            if (i == 2) {
                memcpy(text, "{\"a\":\"", 6);
                memcpy(text + len - 2, "\"}", 2);
            } else if (i == 3) {
                text[0] = '"';
                text[len - 1] = '"';
            }
            memcpy((char *)&session + rows[i].at, &part, sizeof(part));
            pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
            pst_session_emit(&buf, &session);
            if (pst_buf_finish(&buf, &out) != (over ? PST_TOO_LARGE : PST_OK))
                fail_msg("%s of %zu octets", rows[i].name, len);
            if (!over && pst_session_parse(arena, out, &back))
                fail_msg("%s of %zu octets is not read", rows[i].name, len);
            pst_arena_reset(arena);
        }
    }
}

/* Two users whose ids differ in bad bytes only must not become one. */
static void
test_emit_bad_utf8(void **state)
{
    static const struct pst_str bad = {"a\xFF", 2};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pst_session session = started(NAMED);
        struct pst_str out;
        struct pst_buf buf;

        session.sub = i ? T("42") : bad;
        session.name = i ? bad : T("ann");
        pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
        pst_session_emit(&buf, &session);
        assert_int_equal(pst_buf_finish(&buf, &out), PST_MALFORMED);
        pst_arena_reset(arena);
    }
}

#define SID "\"AAECAwQFBgcICQoLDA0O_w\""

static const struct {
    const char *name;
    const char *value;
} members[] = {
    {"v", "2"},
    {"sid", SID},
    {"sub", "\"42\""},
    {"name", "\"ann\""},
    {"iat", "1700000000"},
    {"exp", "1700043200"},
    {"seen", "1700000000"},
    {"remember", "false"},
    {"who", "{}"},
    {"upstream", "\"t\""}, /* from here on, optional */
    {"asked", "1700000000"},
};

#define NEEDED 9 /* so many of them must be there */

/* The claims above with one member's value changed, or left out for NULL. */
static struct pst_str
build(size_t changed, const char *value)
{
    struct pst_buf buf;
    struct pst_str text = PST_STR_NONE;
    bool first = true;

    pst_buf_init_arena(&buf, arena, 2 * PST_SPILL_MAX);
    pst_buf_add_char(&buf, '{');
    for (size_t i = 0; i < PST_COUNT(members); i++) {
        const char *mine = i == changed ? value : members[i].value;

        if (!mine)
            continue;
        pst_buf_add_string(&buf, first ? "\"" : ",\"");
        pst_buf_add_string(&buf, members[i].name);
        pst_buf_add_string(&buf, "\":");
        pst_buf_add_string(&buf, mine);
        first = false;
    }
    pst_buf_add_char(&buf, '}');
    assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
    return text;
}

static void
assert_parse(const char *name, const char *detail, struct pst_str claims,
             enum pst_err want)
{
    struct pst_session untouched;
    struct pst_session out;
    enum pst_err e;

    memset(&out, 0x5A, sizeof(out));
    memset(&untouched, 0x5A, sizeof(untouched));
    e = pst_session_parse(arena, claims, &out);
    if (e != want)
        fail_msg("%s, %s: %s", name, detail, pst_err_code(e));
    if (want && memcmp(&out, &untouched, sizeof(out)) != 0)
        fail_msg("%s, %s: out was touched", name, detail);
    pst_arena_reset(arena);
}

static void
test_each_member_needed(void **state)
{
    (void)state;
    assert_parse("all", "there", build(SIZE_MAX, NULL), PST_OK);
    for (size_t i = 0; i < PST_COUNT(members); i++)
        assert_parse(members[i].name, "left out", build(i, NULL),
                     i < NEEDED ? PST_FORGED : PST_OK);
}

/*
 * One value of each kind in every member; `fits` names the members it fits,
 * each with a comma after it.
 */
static void
test_each_member_typed(void **state)
{
    static const struct {
        const char *value;
        const char *fits;
    } values[] = {
        {"null", ""},
        {"true", "remember,"},
        {"false", "remember,"},
        {"0", "iat,seen,asked,"},
        {"1", "iat,seen,asked,"},
        {"2", "v,iat,seen,asked,"},
        {"-1", ""},
        {"1700000001", "iat,exp,seen,asked,"},
        {"1700000001.0", ""},
        {"1.0", ""},
        {"1e0", ""},
        {"17e8", ""},
        {"9223372036854775807", "exp,seen,asked,"},
        {"9223372036854775808", ""},
        {"-9223372036854775808", ""},
        {"99999999999999999999999999", ""},
        {"\"\"", "sub,name,"},
        {"\"1\"", "sub,name,upstream,"},
        {"\"true\"", "sub,name,upstream,"},
        {"[]", ""},
        {"[\"t\"]", "upstream,"},
        {"[\"t\",\"u\"]", ""},
        {"[\"\"]", ""},
        {"{}", "who,"},
        {"{\"a\":\"b\"}", "who,upstream,"},
        {"{\"a\":\"\",\"b\":\"c\"}", "who,upstream,"},
        {"{\"a\":1}", "who,"},
        {"{\"a\":null}", "who,"},
        {"{\"a\":\"b\",\"c\":{}}", "who,"},
        {"{\"a\":1,\"a\":2}", ""},
        {SID, "sid,sub,name,upstream,"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(members); i++) {
        struct pst_buf buf;
        char needle[16];

        pst_buf_init(&buf, needle, sizeof(needle) - 1);
        pst_buf_add_string(&buf, members[i].name);
        pst_buf_add_string(&buf, ",");
        needle[pst_buf_str(&buf).len] = '\0';
        for (size_t k = 0; k < PST_COUNT(values); k++)
            assert_parse(members[i].name, values[k].value,
                         build(i, values[k].value),
                         strstr(values[k].fits, needle) ? PST_OK : PST_FORGED);
    }
}

static void
test_parse_rows(void **state)
{
    static const struct {
        const char *name;
        size_t member;
        const char *value;
        enum pst_err want;
    } rows[] = {
        {"sid of 21 characters", 1, "\"AAECAwQFBgcICQoLDA0O_\"", PST_FORGED},
        {"sid of 23", 1, "\"AAECAwQFBgcICQoLDA0O_wA\"", PST_FORGED},
        {"sid of 15 octets", 1, "\"AAECAwQFBgcICQoLDA0O\"", PST_FORGED},
        {"sid of 17 octets", 1, "\"AAECAwQFBgcICQoLDA0O_w8\"", PST_FORGED},
        {"sid padded", 1, "\"AAECAwQFBgcICQoLDA0O_w==\"", PST_FORGED},
        {"sid with bits left over", 1, "\"AAECAwQFBgcICQoLDA0O_x\"",
         PST_FORGED},
        {"sid in the other alphabet", 1, "\"AAECAwQFBgcICQoLDA0O/w\"",
         PST_FORGED},
        {"sid with a space", 1, "\"AAECAwQFBgcICQoLDA0O_w \"", PST_FORGED},
        {"sid with an escape", 1, "\"AAECAwQFBgcICQoLDA0O\\u005fw\"", PST_OK},
        {"exp at iat", 5, "1700000000", PST_FORGED},
        {"exp before iat", 5, "1699999999", PST_FORGED},
        {"exp just after iat", 5, "1700000001", PST_OK},
        {"seen before iat is check's affair", 6, "5", PST_OK},
        {"a member after", 9, "\"t\",\"x\":1", PST_FORGED},
        {"a member before", 0, "2,\"x\":1", PST_FORGED},
        {"a member twice", 9, "\"t\",\"sub\":\"43\"", PST_FORGED},
        {"the same twice", 0, "2,\"v\":2", PST_FORGED},
        {"two, one of them not ours", 7, "true,\"Remember\":false", PST_FORGED},
        {"twice under an escape", 2, "\"42\",\"\\u0073ub\":\"43\"", PST_FORGED},
        {"white space", 0, " 2 ", PST_OK},
        {"a comma at the end", 9, "\"t\",", PST_FORGED},
        {"half a surrogate pair reads as U+FFFD (json.h)", 3, "\"\\ud800\"",
         PST_OK},
        {"bad UTF-8", 3, "\"\xFF\"", PST_FORGED},
        {"who nested in bounds", 8, "{\"a\":[[[{}]]]}", PST_OK},
        {"who as text", 8, "\"{}\"", PST_FORGED},
        {"version 1, of which none are in use", 0, "1", PST_FORGED},
        {"unknown beside a subject", 9, "\"t\",\"known\":\"unknown\"",
         PST_FORGED},
        {"another word for it", 9, "\"t\",\"known\":\"nobody\"", PST_FORGED},
        {"not a number", 4, "NaN", PST_FORGED},
        {"single quotes", 3, "'ann'", PST_FORGED},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        assert_parse(rows[i].name, rows[i].value,
                     build(rows[i].member, rows[i].value), rows[i].want);
}

static void
test_parse_whole(void **state)
{
    static const struct pst_str wholes[] = {
        {NULL, 0},   {"", 0},   {" ", 1},    {"{}", 2},
        {"[]", 2},   {"1", 1},  {"{", 1},    {"null", 4},
        {"\"\"", 2}, {"\0", 1}, {"{}{}", 4}, {"[{}]", 4},
    };
    static const struct pst_str tails[] = {
        {"x", 1}, {"}", 1}, {"{}", 2}, {"\0", 1}, {",", 1}, {"/**/", 4},
    };
    static char storage[1024];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(wholes); i++)
        assert_parse("whole", wholes[i].ptr ? wholes[i].ptr : "absent",
                     wholes[i], PST_FORGED);
    for (size_t i = 0; i < PST_COUNT(tails); i++) {
        struct pst_str good = build(SIZE_MAX, NULL);

        assert_true(good.len + tails[i].len < sizeof(storage));
        memcpy(storage, good.ptr, good.len);
        memcpy(storage + good.len, tails[i].ptr, tails[i].len);
        assert_parse("trailing", tails[i].ptr,
                     (struct pst_str){storage, good.len + tails[i].len},
                     PST_FORGED);
    }
    for (size_t len = 0;; len++) {
        struct pst_str good = build(SIZE_MAX, NULL);

        if (len == good.len)
            break;
        assert_parse("cut short", "", pst_str_first(good, len), PST_FORGED);
    }
}

/* L49: the size is looked at before anything else is. */
static void
test_parse_size(void **state)
{
    static char storage[PST_SPILL_MAX + 1];

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct pst_str good = build(SIZE_MAX, NULL);

        memset(storage, ' ', sizeof(storage));
        memcpy(storage, good.ptr, good.len);
        assert_parse("size", over ? "over" : "at the limit",
                     (struct pst_str){storage, PST_SPILL_MAX + over},
                     over ? PST_FORGED : PST_OK);
    }
}

/* Each allocation fails once: out of memory is never taken for forged. */
static void
test_parse_memory(void **state)
{
    struct pst_session out;
    size_t n = 1;
    enum pst_err e = PST_NO_MEMORY;

    (void)state;
    for (; e == PST_NO_MEMORY && n < 1000; n++) {
        static char storage[1024];
        struct pst_str good = build(SIZE_MAX, NULL);

        memcpy(storage, good.ptr, good.len);
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = pst_session_parse(arena, (struct pst_str){storage, good.len}, &out);
        pst_arena_reset(arena);
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 2);
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
    {"the epoch is not \"not told\"", "\"1970-01-01T00:00:00Z\"", 1},
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

/* From ttl to the end of the session: R20 in one go. */
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
        cmocka_unit_test(test_touch_keeps_backend_end),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_idle_end),
        cmocka_unit_test(test_emit),
        cmocka_unit_test(test_unknown_and_nobody),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_emit_bad_utf8),
        cmocka_unit_test(test_each_member_needed),
        cmocka_unit_test(test_each_member_typed),
        cmocka_unit_test(test_parse_rows),
        cmocka_unit_test(test_parse_whole),
        cmocka_unit_test(test_parse_size),
        cmocka_unit_test(test_parse_memory),
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_ttl_bounds_session),
    };

    return cmocka_run_group_tests_name("session", tests, set_up, tear_down);
}
