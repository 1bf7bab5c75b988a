/* SPDX-License-Identifier: ISC */
/*
 * test_claims.c - claims written, and read strictly.
 */
#include "session/claims.h"

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

static struct pst_str
emit(const struct pst_session *session)
{
    struct pst_buf buf;
    struct pst_str text = PST_STR_NONE;

    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_claims_emit(&buf, session);
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

static void
test_refresh(void **state)
{
    struct pst_session session = started(NAMED);
    struct pst_session out;
    struct pst_session other;
    static char large[PST_UPSTREAM_MAX];
    struct pst_buf buf;
    struct pst_str text;

    (void)state;
    session.refresh = PST_STR("\"r-1\"");
    session.token_begun = T0;
    session.token_end = T0 + 60;
    text = emit(&session);
    assert_true(pst_str_ends(
        text, PST_STR(",\"upstream\":\"fnEE\",\"refresh\":{\"token\":"
                      "\"r-1\",\"begun\":1700000000,\"end\":1700000060}}")));
    assert_int_equal(pst_claims_parse(arena, text, &out), PST_OK);
    assert_same("refresh", &out, &session);
    assert_true(pst_str_equal(out.refresh, session.refresh));
    assert_true(out.token_begun == T0 && out.token_end == T0 + 60);
    assert_int_equal(pst_session_verify_claims(arena, text, &session), PST_OK);
    for (unsigned i = 0; i < 3; i++) {
        other = session;
        if (i == 0)
            other.refresh = PST_STR("\"r-2\"");
        other.token_begun += i == 1;
        other.token_end += i == 2;
        assert_int_equal(pst_session_verify_claims(arena, text, &other),
                         PST_FORGED);
    }
    /* Both tokens together have one limit. */
    memset(large, 'x', sizeof(large));
    large[0] = '"';
    large[sizeof(large) - 7] = '"';
    session.refresh = (struct pst_str){large, sizeof(large) - 6};
    assert_int_equal(session.upstream.len, 6);
    (void)emit(&session);
    session.upstream = T("\"fnEE5\"");
    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_claims_emit(&buf, &session);
    assert_int_equal(pst_buf_finish(&buf, &text), PST_TOO_LARGE);
    pst_arena_reset(arena);
}

/* A session of an unknown user, and a guest's without credentials. */
static void
test_unknown_and_nobody(void **state)
{
    struct pst_session session = started(GUEST);
    struct pst_session out;
    struct pst_str text;

    (void)state;
    session.known = PST_IDENTITY_UNKNOWN;
    session.asked = T0;
    assert_false(pst_session_is_guest(&session));
    assert_false(pst_session_is_persistent(&session));
    text = emit(&session);
    assert_int_equal(pst_claims_parse(arena, text, &out), PST_OK);
    assert_int_equal(out.known, PST_IDENTITY_UNKNOWN);
    assert_true(out.asked == T0);

    session.known = PST_IDENTITY_GUEST;
    session.upstream = PST_STR_NONE;
    text = emit(&session);
    assert_int_equal(pst_claims_parse(arena, text, &out), PST_OK);
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
        {"reserved names inside who", T("42"), T("ann"),
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
        e = pst_claims_parse(arena, emit(&session), &back);
        if (e)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
        assert_same(rows[i].name, &session, &back);
        pst_arena_reset(arena);
    }
}

/* Each field at its limit is written and read; one byte more is refused. */
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
            pst_claims_emit(&buf, &session);
            if (pst_buf_finish(&buf, &out) != (over ? PST_TOO_LARGE : PST_OK))
                fail_msg("%s of %zu bytes", rows[i].name, len);
            if (!over && pst_claims_parse(arena, out, &back))
                fail_msg("%s of %zu bytes is not read", rows[i].name, len);
            pst_arena_reset(arena);
        }
    }
}

/* Two users whose ids differ only in invalid bytes must not become one. */
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
        pst_claims_emit(&buf, &session);
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
    {"upstream", "\"t\""}, /* the rest is optional */
    {"asked", "1700000000"},
    {"refresh", "{\"token\":\"r\",\"begun\":1,\"end\":2}"},
};

#define NEEDED 9 /* how many claims are required */

/* The claims above with the value of one changed, or left out for NULL. */
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
    e = pst_claims_parse(arena, claims, &out);
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
 * A value of each kind in every claim. `fits` names the claims that it fits,
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
        {"{\"token\":\"s\",\"begun\":5,\"end\":9}", "who,refresh,"},
        {"{\"token\":\"s\",\"begun\":5,\"end\":9,\"end\":9}", ""},
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
        {"sid of 15 bytes", 1, "\"AAECAwQFBgcICQoLDA0O\"", PST_FORGED},
        {"sid of 17 bytes", 1, "\"AAECAwQFBgcICQoLDA0O_w8\"", PST_FORGED},
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
        {"unknown beside a short subject", 2, "\"4\",\"known\":\"unknown\"",
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

/* L49: the size is checked before anything else. */
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

/* Each allocation fails once: out of memory is never reported as forged. */
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
        e = pst_claims_parse(arena, (struct pst_str){storage, good.len}, &out);
        pst_arena_reset(arena);
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 2);
}

/* A who with more than one object once added its own members. */
static void
test_verify(void **state)
{
    const struct {
        struct pst_str who;
        struct pst_str upstream;
        enum pst_err want;
    } rows[] = {
        {T("{}"), {NULL, 0}, PST_OK},
        {T("{\"a\": [1]}"), {NULL, 0}, PST_OK},
        {T("{}"), T("\"tok\""), PST_OK},
        {T("{}"), T("{\"a\":\"b\"}"), PST_OK},
        {T("{\"email\":\"x\"},\"upstream\":{\"admin\":\"1\"}"),
         {NULL, 0},
         PST_FORGED},
        {T("{},\"asked\":9999999999"), {NULL, 0}, PST_FORGED},
        {T("{},\"upstream\":\"tok\""), {NULL, 0}, PST_FORGED},
        {T("{},\"upstream\":[\"AAAA\"]"), {NULL, 0}, PST_FORGED},
        {T("{},\"known\":\"unknown\""), {NULL, 0}, PST_FORGED},
        {T("{}"), T("\"tok\",\"asked\":1"), PST_FORGED},
        {T("{},\"refresh\":{\"token\":\"r\",\"begun\":1,\"end\":2}"),
         {NULL, 0},
         PST_FORGED},
        {T("{} "), {NULL, 0}, PST_FORGED},
        {T("{"), {NULL, 0}, PST_FORGED},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = started(GUEST);
        enum pst_err e;

        session.known = PST_IDENTITY_GUEST;
        session.who = rows[i].who;
        session.upstream = rows[i].upstream;
        e = pst_session_verify_claims(arena, emit(&session), &session);
        if (e != rows[i].want)
            fail_msg("%s: %s", rows[i].who.ptr, pst_err_code(e));
        pst_arena_reset(arena);
    }
}

/* Claims of which one thing about the user's identity differs. */
static void
test_verify_identity(void **state)
{
    struct pst_session session = started(GUEST);
    struct pst_session other;
    struct pst_str claims;

    (void)state;
    session.known = PST_IDENTITY_GUEST;
    claims = emit(&session);
    assert_int_equal(pst_session_verify_claims(arena, claims, &session),
                     PST_OK);
    other = session;
    other.known = PST_IDENTITY_UNKNOWN;
    assert_int_equal(pst_session_verify_claims(arena, claims, &other),
                     PST_FORGED);
    other = session;
    other.asked++;
    assert_int_equal(pst_session_verify_claims(arena, claims, &other),
                     PST_FORGED);
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
        cmocka_unit_test(test_emit),
        cmocka_unit_test(test_refresh),
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
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_verify_identity),
    };

    return cmocka_run_group_tests_name("claims", tests, set_up, tear_down);
}
