/* SPDX-License-Identifier: ISC */
/*
 * test_session_registry.c - a session's state in the store: revoked or not, the
 * user's list, and a store that is down.
 */
#include "gateway/session_registry.h"

#include <string.h>

#include "base/clock.h"
#include "fixture.h"
#include "gateway/confirmed_sessions.h"
#include "store/store_operations.h"
#include "stores.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0"

static struct fixture f;
static struct stores stores;

static int
begin(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=GET",
                                            "REMOTE_ADDR=192.0.2.7",
                                            "HTTP_USER_AGENT=" FIREFOX, NULL};

    (void)state;
    fixture_init(&f, NULL);
    stores_start(&stores, STORE_LMDB, NULL);
    f.ctx.store = stores_open(&stores, "test");
    fixture_request(&f, variables, NULL);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    store_close(&f.ctx.store);
    stores_stop(&stores);
    fixture_fini(&f);
    return 0;
}

/* The n-th session of a user, or of a guest if sub is "". */
static struct pst_session
session_of(uint8_t n, const char *sub)
{
    struct pst_session session = {
        .sub = pst_str_from(sub),
        .name = PST_STR("name"),
        .iat = f.ctx.now,
        .exp = f.ctx.now + 3600,
        .seen = f.ctx.now,
        .who = PST_STR("{}"),
        .upstream = PST_STR("\"t\""),
    };

    memset(session.sid, n, sizeof(session.sid));
    return session;
}

static void
expect(const char *what, enum pst_err got, enum pst_err want)
{
    stores_expect(f.ctx.store, what, got, want);
}

/* A session that replaces no other. */
static enum pst_err
begin_session(struct pst_session *session)
{
    const struct registry_replacement none = {.old = NULL};
    enum pst_err e = registry_replace(&f.ctx, &f.req, &none, session);

    return e == PST_EXPIRED ? registry_replace(&f.ctx, &f.req, &none, session)
                            : e;
}

/* A new session, on its list. */
static struct pst_session
add(uint8_t n, const char *sub)
{
    struct pst_session session = session_of(n, sub);

    expect("add", begin_session(&session), PST_OK);
    return session;
}

static enum pst_err
check(const struct pst_session *session)
{
    return registry_check(&f.ctx, &f.req, session);
}

/* The user's list, as JSON. */
static const char *
list_of(const struct pst_session *session)
{
    static char text[16 * 1024];
    struct pst_buf buf;
    struct pst_str list;

    pst_buf_init(&buf, text, sizeof(text) - 1);
    expect("list", registry_list(&f.ctx, &f.req, session, &buf), PST_OK);
    assert_int_equal(pst_buf_finish(&buf, &list), PST_OK);
    text[list.len] = '\0';
    return text;
}

static size_t
count_of(const struct pst_session *session)
{
    size_t count = 0;

    for (const char *at = list_of(session); (at = strstr(at, "\"id\":")); at++)
        count++;
    return count;
}

/* The name of a session in lists. */
static struct pst_str
name_of(const struct pst_session *session)
{
    static char text[REGISTRY_NAME_LEN];
    struct store_id id;
    struct pst_buf buf;

    store_id_sid(session->sid, &id);
    pst_buf_init(&buf, text, sizeof(text));
    pst_buf_add_hex(&buf, (struct pst_bytes){id.bytes, PST_HASH_LEN});
    return pst_buf_str(&buf);
}

/* Revoked, or not. */

static void
test_revoke_one(void **state)
{
    struct pst_session one = add(1, "7");
    struct pst_session two = add(2, "7");
    struct pst_session guest = session_of(3, "");

    (void)state;
    expect("one", check(&one), PST_OK);
    expect("guest", check(&guest), PST_OK);
    expect("end one", registry_revoke(&f.ctx, &f.req, &one), PST_OK);
    expect("end it again", registry_revoke(&f.ctx, &f.req, &one), PST_OK);
    expect("end guest", registry_revoke(&f.ctx, &f.req, &guest), PST_OK);
    expect("one, ended", check(&one), PST_REVOKED);
    expect("guest, ended", check(&guest), PST_REVOKED);
    expect("two", check(&two), PST_OK);
    assert_int_equal(count_of(&two), 1);
}

/* L63: a guest's logout is stored for a day, because a client can make any
 * number of them. If a login replaced the session, the revocation is stored as
 * long as a copy of the cookie is valid, even a renewed copy. */
static void
test_revoked_guest(void **state)
{
    static const struct {
        const char *name;
        const char *fresh; /* sub of the new session; NULL: revoked */
        int64_t later;
        enum pst_err want;
    } rows[] = {
        {"ended, a day less a second", NULL, 86399, PST_REVOKED},
        {"ended, two days", NULL, 2 * 86400, PST_OK},
        {"its token changed, a day less a second", "", 86399, PST_REVOKED},
        {"its token changed, two days", "", 2 * 86400, PST_OK},
        {"a login, 29 days", "7", 29 * 86400, PST_REVOKED},
        {"a login, 31 days", "7", 31 * 86400, PST_OK},
    };
    int64_t now = f.ctx.now;

    (void)state;
    for (uint8_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session old = session_of((uint8_t)(2 * i), "");
        struct pst_session fresh = session_of(
            (uint8_t)(2 * i + 1), rows[i].fresh ? rows[i].fresh : "");
        const struct registry_replacement replaced = {.old = &old};

        f.ctx.now = now;
        expect(rows[i].name,
               rows[i].fresh
                   ? registry_replace(&f.ctx, &f.req, &replaced, &fresh)
                   : registry_revoke(&f.ctx, &f.req, &old),
               PST_OK);
        if (rows[i].want == PST_OK && !POSTERN_WITH_LMDB)
            continue; /* Redis removes records by its own clock */
        f.ctx.now += rows[i].later;
        expect("sweep", store_sweep(f.ctx.store, 1000, f.ctx.now, NULL),
               PST_OK);
        old.exp = f.ctx.now + 86400; /* a renewed copy */
        expect(rows[i].name, check(&old), rows[i].want);
    }
}

static void
test_revoke_all(void **state)
{
    struct pst_session one = add(1, "7");
    struct pst_session two = add(2, "7");
    struct pst_session other = add(3, "8");
    struct pst_session guest = session_of(4, "");
    struct pst_session fresh;

    (void)state;
    expect("all", registry_revoke_all(&f.ctx, &f.req, &one), PST_OK);
    expect("a guest has no others", registry_revoke_all(&f.ctx, &f.req, &guest),
           PST_OK);
    expect("one", check(&one), PST_REVOKED);
    expect("two", check(&two), PST_REVOKED);
    expect("other", check(&other), PST_OK);
    expect("guest", check(&guest), PST_OK);

    /* A login in the same second gets a later iat. */
    fresh = add(5, "7");
    assert_true(fresh.iat > one.iat);
    assert_int_equal(fresh.seen, fresh.iat);
    expect("fresh", check(&fresh), PST_OK);
    assert_int_equal(count_of(&fresh), 1);
}

/* If one machine's clock is ahead, "log out everywhere" may store an instant in
 * the future. A session must begin after it. Such a session once began, but the
 * next request refused its cookie as from the future. */
static void
test_clock_behind(void **state)
{
    static const struct {
        const char *name;
        int64_t ahead; /* the other machine's clock, seconds */
        enum pst_err want;
    } rows[] = {
        {"the same clock", 0, PST_OK},
        {"as far as may be", PST_CLOCK_SKEW_MAX - 1, PST_OK},
        {"one second more", PST_CLOCK_SKEW_MAX, PST_OVERLOADED},
        {"an hour", 3600, PST_OVERLOADED},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char sub[] = {(char)('a' + i), '\0'};
        struct pst_session session = session_of(1, sub);

        f.ctx.now += rows[i].ahead;
        expect("all", registry_revoke_all(&f.ctx, &f.req, &session), PST_OK);
        f.ctx.now -= rows[i].ahead;
        expect(rows[i].name, begin_session(&session), rows[i].want);
        if (rows[i].want)
            continue;
        expect(rows[i].name,
               pst_session_check(&session, &f.config->timeouts, f.ctx.now),
               PST_OK);
        expect(rows[i].name, check(&session), PST_OK);
    }
}

/* L28: one session replaces another in one step, or not at all. */
static void
test_replace(void **state)
{
    static const struct {
        const char *name;
        const char *old; /* sub */
        const char *fresh;
        bool is_ended; /* before */
        enum pst_err want;
        size_t listed; /* of user 7 */
    } rows[] = {
        {"a guest logs in", "", "7", false, PST_OK, 1},
        {"a user logs in again", "7", "7", false, PST_OK, 1},
        {"another user", "8", "7", false, PST_OK, 1},
        {"a guest's token changed", "", "", false, PST_OK, 0},
        {"a guest logged out", "", "7", true, PST_REVOKED, 0},
        {"a user logged out", "7", "7", true, PST_REVOKED, 0},
        {"a user logged out, a guest", "7", "", true, PST_REVOKED, 0},
    };
    struct pst_session seven = session_of(99, "7");

    (void)state;
    for (uint8_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session old = add((uint8_t)(2 * i), rows[i].old);
        struct pst_session fresh =
            session_of((uint8_t)(2 * i + 1), rows[i].fresh);
        struct pst_session guest = session_of((uint8_t)(100 + i), "");
        const struct registry_replacement replaced = {
            &old, &guest, true, pst_str_bytes(PST_STR("sealed"))};

        if (rows[i].is_ended)
            expect(rows[i].name, registry_revoke(&f.ctx, &f.req, &old), PST_OK);
        expect(rows[i].name,
               registry_replace(&f.ctx, &f.req, &replaced, &fresh),
               rows[i].want);
        expect(rows[i].name, check(&guest),
               rows[i].want ? PST_OK : PST_REVOKED);
        expect(rows[i].name, check(&old), PST_REVOKED);
        if (count_of(&seven) != rows[i].listed)
            fail_msg("%s: %zu are listed", rows[i].name, count_of(&seven));
        expect(rows[i].name, check(&fresh), PST_OK);
        expect(rows[i].name, registry_revoke(&f.ctx, &f.req, &fresh), PST_OK);
    }
}

/* A session that is moved past a "log out everywhere" must be sealed again. */
static void
test_replace_after_revoke_all(void **state)
{
    struct pst_session old = add(1, "");
    struct pst_session fresh = session_of(2, "7");
    const struct registry_replacement replaced = {.old = &old};

    (void)state;
    expect("all", registry_revoke_all(&f.ctx, &f.req, &fresh), PST_OK);
    expect("once", registry_replace(&f.ctx, &f.req, &replaced, &fresh),
           PST_EXPIRED);
    assert_int_equal(fresh.iat, f.ctx.now + 1);
    assert_int_equal(fresh.seen, fresh.iat);
    expect("nothing happened", check(&old), PST_OK);
    expect("twice", registry_replace(&f.ctx, &f.req, &replaced, &fresh),
           PST_OK);
    expect("the old one", check(&old), PST_REVOKED);
    expect("the new one", check(&fresh), PST_OK);
}

static void
test_no_store(void **state)
{
    struct pst_session session = session_of(1, "7");
    struct store *store = f.ctx.store;
    bool is_own;

    (void)state;
    f.ctx.store = NULL;
    expect("add", begin_session(&session), PST_OK);
    expect("end", registry_revoke(&f.ctx, &f.req, &session), PST_OK);
    expect("all", registry_revoke_all(&f.ctx, &f.req, &session), PST_OK);
    expect("touch", registry_touch(&f.ctx, &f.req, &session), PST_OK);
    expect("check", check(&session), PST_OK);
    assert_string_equal(list_of(&session), "[]");
    expect("by name",
           registry_revoke_by_name(&f.ctx, &f.req, &session, name_of(&session),
                                   &is_own),
           PST_NOT_FOUND);
    f.ctx.store = store;
}

/* The list. */

static void
test_list(void **state)
{
    struct pst_session one = add(1, "7");
    struct pst_session two;
    char want[512];

    (void)state;
    snprintf(want, sizeof(want),
             "[{\"id\":\"%.*s\",\"created\":\"2023-11-14T22:13:20Z\","
             "\"lastSeen\":\"2023-11-14T22:13:20Z\","
             "\"expiresAt\":\"2023-11-14T23:13:20Z\",\"browser\":\"Firefox\","
             "\"address\":\"192.0.2.7\",\"current\":true}]",
             REGISTRY_NAME_LEN, name_of(&one).ptr);
    assert_string_equal(list_of(&one), want);
    two = add(2, "7");
    assert_non_null(strstr(list_of(&two), "\"current\":true"));
    assert_non_null(strstr(list_of(&two), "\"current\":false"));
    assert_int_equal(count_of(&two), 2);
}

static void
test_guest_is_not_listed(void **state)
{
    struct pst_session guest = add(1, "");

    (void)state;
    assert_string_equal(list_of(&guest), "[]");
}

/* Sessions of unknown users do not belong to one user: none may list or revoke
 * another. */
static void
test_unknown_is_not_listed(void **state)
{
    struct pst_session unknown = add(1, "");
    struct pst_session other = add(2, "");

    (void)state;
    unknown.known = PST_IDENTITY_UNKNOWN;
    other.known = PST_IDENTITY_UNKNOWN;
    expect("touch", registry_touch(&f.ctx, &f.req, &other), PST_OK);
    assert_string_equal(list_of(&unknown), "[]");
    expect("end all", registry_revoke_all(&f.ctx, &f.req, &unknown), PST_OK);
    expect("the other", check(&other), PST_OK);
}

/* A listed session is updated. A late request does not list it again. */
static void
test_touch_does_not_add(void **state)
{
    struct pst_session one = add(1, "7");
    struct pst_session two = add(2, "7");

    (void)state;
    f.ctx.now += 1000;
    one.exp += 1000;
    expect("touch", registry_touch(&f.ctx, &f.req, &one), PST_OK);
    expect("written", store_ping(f.ctx.store, f.ctx.now), PST_OK);
    assert_non_null(
        strstr(list_of(&one), "\"lastSeen\":\"2023-11-14T22:30:00Z\""));
    assert_non_null(
        strstr(list_of(&one), "\"expiresAt\":\"2023-11-14T23:30:00Z\""));
    expect("end", registry_revoke(&f.ctx, &f.req, &one), PST_OK);
    expect("touch it", registry_touch(&f.ctx, &f.req, &one), PST_OK);
    assert_int_equal(count_of(&two), 1);
    expect("it is dead", check(&one), PST_REVOKED);
}

static void
test_too_many_sessions(void **state)
{
    struct pst_session sessions[3];

    (void)state;
    f.config->max_sessions = 2; /* none, by the fixture, has no cap */
    for (uint8_t i = 0; i < 3; i++) {
        sessions[i] = add((uint8_t)(i + 1), "7");
        f.ctx.now++;
    }
    expect("the oldest", check(&sessions[0]), PST_REVOKED);
    expect("the second", check(&sessions[1]), PST_OK);
    expect("the newest", check(&sessions[2]), PST_OK);
    assert_int_equal(count_of(&sessions[2]), 2);
}

/* By its name. */

static void
test_revoke_by_name(void **state)
{
    struct pst_session here = add(1, "7");
    struct pst_session there = add(2, "7");
    struct pst_session stranger = add(3, "8");
    struct pst_session guest = session_of(4, "");
    bool is_own = true;

    (void)state;
    expect("a stranger's",
           registry_revoke_by_name(&f.ctx, &f.req, &here, name_of(&stranger),
                                   &is_own),
           PST_NOT_FOUND);
    expect("by a guest",
           registry_revoke_by_name(&f.ctx, &f.req, &guest, name_of(&there),
                                   &is_own),
           PST_NOT_FOUND);
    expect("stranger", check(&stranger), PST_OK);
    expect("there", check(&there), PST_OK);
    expect("another of mine",
           registry_revoke_by_name(&f.ctx, &f.req, &here, name_of(&there),
                                   &is_own),
           PST_OK);
    assert_false(is_own);
    expect("there, ended", check(&there), PST_REVOKED);
    expect("twice",
           registry_revoke_by_name(&f.ctx, &f.req, &here, name_of(&there),
                                   &is_own),
           PST_NOT_FOUND);
    expect("here", check(&here), PST_OK);
    expect(
        "this one",
        registry_revoke_by_name(&f.ctx, &f.req, &here, name_of(&here), &is_own),
        PST_OK);
    assert_true(is_own);
    expect("here, ended", check(&here), PST_REVOKED);
}

static void
test_bad_names(void **state)
{
    static const char *const rows[] = {
        "",
        "0",
        "zz",
        "gg00000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "00000000000000000000000000000000000000000000000000000000000000000"};
    struct pst_session session = add(1, "7");
    bool is_own;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        expect(rows[i],
               registry_revoke_by_name(&f.ctx, &f.req, &session,
                                       pst_str_from(rows[i]), &is_own),
               PST_NOT_FOUND);
    expect("session", check(&session), PST_OK);
}

/* A store that is down. */

static void
start_grace(void)
{
    f.config->store_grace = 10;
    expect("grace", confirmed_sessions_new(&f.ctx.confirmed), PST_OK);
}

/* From now on, the store does not answer. */
static void
stop_store(void)
{
    store_close(&f.ctx.store);
    f.ctx.store = stores_open_url(STORES_DOWN_URL, "test");
}

/* The store confirmed the session to this process, so long ago. */
static void
confirm(const struct pst_session *session, int64_t age)
{
    struct store_id sid;
    struct store_id subject;
    struct session_confirmation confirmation = {
        .sid = &sid, .subject = &subject, .asked_ms = clock_ms() - age * 1000};

    store_id_sid(session->sid, &sid);
    expect("subject", store_id_subject(f.ctx.store, session->sub, &subject),
           PST_OK);
    confirmed_sessions_begin(f.ctx.confirmed, &confirmation);
    confirmed_sessions_put(f.ctx.confirmed, &confirmation);
}

static void
test_grace(void **state)
{
    static const struct {
        const char *name;
        int64_t grace;
        int64_t confirmed; /* seconds ago; -1: never */
        enum pst_err want;
    } rows[] = {
        {"no grace", 0, 0, PST_STORE_DOWN},
        {"a moment ago", 10, 0, PST_OK},
        {"within it", 10, 9, PST_OK},
        {"just over", 10, 10, PST_STORE_DOWN},
        {"it was never confirmed", 10, -1, PST_STORE_DOWN},
    };
    struct pst_session guest = session_of(0, "");

    (void)state;
    start_grace();
    stop_store();
    for (uint8_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session session = session_of((uint8_t)(i + 1), "7");

        f.config->store_grace = rows[i].grace;
        if (rows[i].confirmed >= 0)
            confirm(&session, rows[i].confirmed);
        expect(rows[i].name, check(&session), rows[i].want);
        /* A new guest's session is not stored. */
        expect("guest", begin_session(&guest), PST_OK);
        expect("guest", check(&guest), PST_STORE_DOWN);
        /* The grace period is for reading: it begins and revokes no session. */
        expect("add", begin_session(&session), PST_STORE_DOWN);
        expect(rows[i].name, check(&session), rows[i].want);
        expect("end", registry_revoke(&f.ctx, &f.req, &session),
               PST_STORE_DOWN);
        expect("all", registry_revoke_all(&f.ctx, &f.req, &session),
               PST_STORE_DOWN);
        /* They may happen all the same. */
        expect("ended", check(&session), PST_STORE_DOWN);
    }
}

/* What happens to a session that the store has confirmed. The second one is of
 * the same user. */
typedef void grace_action(const struct pst_session *session,
                          const struct pst_session *second);

static void
do_nothing(const struct pst_session *session, const struct pst_session *second)
{
    (void)session;
    (void)second;
}

static void
revoke(const struct pst_session *session, const struct pst_session *second)
{
    (void)second;
    expect("revoke", registry_revoke(&f.ctx, &f.req, session), PST_OK);
}

static void
revoke_second(const struct pst_session *session,
              const struct pst_session *second)
{
    revoke(second, session);
}

static void
revoke_all(const struct pst_session *session, const struct pst_session *second)
{
    (void)second;
    expect("revoke all", registry_revoke_all(&f.ctx, &f.req, session), PST_OK);
}

static void
revoke_by_name(const struct pst_session *session,
               const struct pst_session *second)
{
    bool is_own;

    expect("revoke by name",
           registry_revoke_by_name(&f.ctx, &f.req, second, name_of(session),
                                   &is_own),
           PST_OK);
}

static void
revoke_while_down(const struct pst_session *session,
                  const struct pst_session *second)
{
    (void)second;
    stop_store();
    expect("revoke", registry_revoke(&f.ctx, &f.req, session), PST_STORE_DOWN);
}

static void
revoke_all_while_down(const struct pst_session *session,
                      const struct pst_session *second)
{
    (void)session;
    stop_store();
    expect("revoke all", registry_revoke_all(&f.ctx, &f.req, second),
           PST_STORE_DOWN);
}

/* By another process: this one has no part in it. */
static void
act_elsewhere(grace_action *action, const struct pst_session *session,
              const struct pst_session *second)
{
    struct confirmed_sessions *confirmed = f.ctx.confirmed;

    f.ctx.confirmed = NULL;
    action(session, second);
    f.ctx.confirmed = confirmed;
}

static void
revoke_elsewhere(const struct pst_session *session,
                 const struct pst_session *second)
{
    act_elsewhere(revoke, session, second);
}

static void
be_refused(const struct pst_session *session, const struct pst_session *second)
{
    act_elsewhere(revoke, session, second);
    expect("refused", check(session), PST_REVOKED);
}

static void
be_refused_with_all(const struct pst_session *session,
                    const struct pst_session *second)
{
    act_elsewhere(revoke_all, session, second);
    expect("refused", check(second), PST_REVOKED);
}

static void
replace(const struct pst_session *session, const struct pst_session *second)
{
    const struct registry_replacement replaced = {.old = session};
    struct pst_session fresh = session_of(3, "7");

    (void)second;
    expect("replace", registry_replace(&f.ctx, &f.req, &replaced, &fresh),
           PST_OK);
}

static void
replace_second(const struct pst_session *session,
               const struct pst_session *second)
{
    replace(second, session);
}

/* More than one user may have: the oldest one ends. */
static void
begin_one_too_many(const struct pst_session *session,
                   const struct pst_session *second)
{
    (void)session;
    (void)second;
    f.config->max_sessions = 2;
    (void)add(3, "7");
}

/* A new session is refused, since the one before it was revoked. */
static void
fail_to_replace(const struct pst_session *session,
                const struct pst_session *second)
{
    const struct registry_replacement replaced = {.old = second,
                                                  .requires_old = true};
    struct pst_session fresh = session_of(3, "7");

    act_elsewhere(revoke_all, session, second);
    expect("replace", registry_replace(&f.ctx, &f.req, &replaced, &fresh),
           PST_REVOKED);
}

/* A new session must begin later, since all were revoked. */
static void
begin_after_revoke_all(const struct pst_session *session,
                       const struct pst_session *second)
{
    const struct registry_replacement none = {.old = NULL};
    struct pst_session fresh = session_of(3, "7");

    act_elsewhere(revoke_all, session, second);
    expect("begin", registry_replace(&f.ctx, &f.req, &none, &fresh),
           PST_EXPIRED);
}

/* The design (2.4): while the store is down, a process lets a session pass that
 * the store confirmed to it, never one that it has seen revoked. Every session
 * once passed. */
static void
test_grace_after_revocation(void **state)
{
    static const struct {
        const char *name;
        grace_action *action;
        enum pst_err want;
    } rows[] = {
        {"valid", do_nothing, PST_OK},
        {"another one revoked", revoke_second, PST_OK},
        {"another one replaced", replace_second, PST_OK},
        {"revoked elsewhere, unseen", revoke_elsewhere, PST_OK},
        {"revoked", revoke, PST_STORE_DOWN},
        {"revoked by its name", revoke_by_name, PST_STORE_DOWN},
        {"all revoked", revoke_all, PST_STORE_DOWN},
        {"revoked while down", revoke_while_down, PST_STORE_DOWN},
        {"all revoked while down", revoke_all_while_down, PST_STORE_DOWN},
        {"refused", be_refused, PST_STORE_DOWN},
        {"another one refused", be_refused_with_all, PST_STORE_DOWN},
        {"replaced", replace, PST_STORE_DOWN},
        {"one too many", begin_one_too_many, PST_STORE_DOWN},
        {"not replaced", fail_to_replace, PST_STORE_DOWN},
        {"begun after it", begin_after_revoke_all, PST_STORE_DOWN},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_session one;
        struct pst_session two;

        if (i > 0) {
            (void)end(state);
            (void)begin(state);
        }
        start_grace();
        one = add(1, "7");
        f.ctx.now++; /* the oldest one is known */
        two = add(2, "7");
        expect("one", check(&one), PST_OK);
        expect("two", check(&two), PST_OK);
        rows[i].action(&one, &two);
        stop_store();
        expect(rows[i].name, check(&one), rows[i].want);
    }
}

/* A session that begins is confirmed, and the guest's beside it forgotten. */
static void
test_grace_after_login(void **state)
{
    struct pst_session old = session_of(1, "");
    struct pst_session guest = session_of(2, "");
    struct pst_session fresh = session_of(3, "7");
    const struct registry_replacement replaced = {.old = &old, .guest = &guest};

    (void)state;
    start_grace();
    expect("old", check(&old), PST_OK);
    expect("guest", check(&guest), PST_OK);
    expect("login", registry_replace(&f.ctx, &f.req, &replaced, &fresh),
           PST_OK);
    stop_store();
    expect("fresh", check(&fresh), PST_OK);
    expect("old", check(&old), PST_STORE_DOWN);
    expect("guest", check(&guest), PST_STORE_DOWN);
}

/* A guest has no user whose sessions could be forgotten. */
static void
test_grace_of_a_refused_guest(void **state)
{
    struct pst_session guest = session_of(1, "");
    struct pst_session other = session_of(2, "");

    (void)state;
    start_grace();
    expect("guest", check(&guest), PST_OK);
    expect("other", check(&other), PST_OK);
    be_refused(&guest, &other);
    stop_store();
    expect("guest, refused", check(&guest), PST_STORE_DOWN);
    expect("the other", check(&other), PST_OK);
}

static struct pst_session revoked_meanwhile;

/* The store finds the session valid; another request revokes it before the
 * answer is read. */
static enum pst_err
check_before_revocation(struct store *store, const struct store_id *sid,
                        const struct store_id *subject, int64_t iat)
{
    (void)store;
    (void)sid;
    (void)subject;
    (void)iat;
    expect("end", registry_revoke(&f.ctx, &f.req, &revoked_meanwhile), PST_OK);
    return PST_OK;
}

static void
test_grace_after_late_answer(void **state)
{
    const struct store_operations *real = f.ctx.store->backend;
    struct store_operations late = *real;

    (void)state;
    start_grace();
    revoked_meanwhile = session_of(1, "7");
    late.check = check_before_revocation;
    f.ctx.store->backend = &late;
    expect("valid", check(&revoked_meanwhile), PST_OK);
    f.ctx.store->backend = real;
    stop_store();
    expect("ended", check(&revoked_meanwhile), PST_STORE_DOWN);
}

/* A subject that the store has no id for is an error: nothing is revoked for
 * another one instead. */
static void
test_overlong_subject(void **state)
{
    static char subject[4096];
    struct pst_session session;
    struct pst_str list;
    char text[100];
    struct pst_buf buf;
    bool is_own;

    (void)state;
    memset(subject, 's', sizeof(subject) - 1);
    session = session_of(1, subject);
    pst_buf_init(&buf, text, sizeof(text));
    expect("add", begin_session(&session), PST_TOO_LARGE);
    expect("check", check(&session), PST_TOO_LARGE);
    expect("touch", registry_touch(&f.ctx, &f.req, &session), PST_TOO_LARGE);
    expect("end", registry_revoke(&f.ctx, &f.req, &session), PST_TOO_LARGE);
    expect("all", registry_revoke_all(&f.ctx, &f.req, &session), PST_TOO_LARGE);
    expect("list", registry_list(&f.ctx, &f.req, &session, &buf),
           PST_TOO_LARGE);
    expect("by name",
           registry_revoke_by_name(&f.ctx, &f.req, &session, name_of(&session),
                                   &is_own),
           PST_TOO_LARGE);
    assert_int_equal(pst_buf_finish(&buf, &list), PST_OK);
    assert_true(pst_str_equal(list, PST_STR("[")));
}

#define REGISTRY_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        REGISTRY_TEST(test_revoke_one),
        REGISTRY_TEST(test_revoked_guest),
        REGISTRY_TEST(test_revoke_all),
        REGISTRY_TEST(test_clock_behind),
        REGISTRY_TEST(test_replace),
        REGISTRY_TEST(test_replace_after_revoke_all),
        REGISTRY_TEST(test_no_store),
        REGISTRY_TEST(test_list),
        REGISTRY_TEST(test_guest_is_not_listed),
        REGISTRY_TEST(test_unknown_is_not_listed),
        REGISTRY_TEST(test_touch_does_not_add),
        REGISTRY_TEST(test_too_many_sessions),
        REGISTRY_TEST(test_revoke_by_name),
        REGISTRY_TEST(test_bad_names),
        REGISTRY_TEST(test_grace),
        REGISTRY_TEST(test_grace_after_revocation),
        REGISTRY_TEST(test_grace_after_login),
        REGISTRY_TEST(test_grace_of_a_refused_guest),
        REGISTRY_TEST(test_grace_after_late_answer),
        REGISTRY_TEST(test_overlong_subject),
    };

    return cmocka_run_group_tests_name("session_registry", tests, NULL, NULL);
}
