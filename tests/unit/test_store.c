/* SPDX-License-Identifier: ISC */
/*
 * test_store.c - the promises of store.h, tested with each store by the same
 * functions (L28, L29, U19: ids are hashes; a revoked session stays revoked).
 */
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "store/lmdb_expiry.h"
#include "store/lmdb_handle.h"
#include "store/store_copy.h"
#include "stores.h"

#define PROCESSES 8

static struct stores stores;
static struct store *store;
static struct pst_arena *arena;
static unsigned fresh; /* no two tests use the same ids */

static struct store_id
new_id(void)
{
    return stores_id(++fresh);
}

static void
expect(const char *what, enum pst_err got, enum pst_err want)
{
    stores_expect(store, what, got, want);
}

#define SEALED_NAME "\0\xff\r\n sealed"

static struct store_session
session_of(struct store_id subject, int64_t created)
{
    return (struct store_session){
        .sid = new_id(),
        .subject = subject,
        .created = created,
        .seen = created,
        .expires = created + 3600,
        .user = PST_STR("ada"),
        .browser = PST_STR("Firefox"),
        .address = PST_STR("192.0.2.1"),
        .sealed_name = {(const uint8_t *)SEALED_NAME, sizeof(SEALED_NAME) - 1}};
}

static size_t
count_of(const struct store_id *subject, int64_t now)
{
    size_t count = 99;

    expect("count", store_session_count(store, subject, now, &count), PST_OK);
    return count;
}

/* Revocation. */

static void
test_end(void **state)
{
    struct store_id one = new_id();
    struct store_id other = new_id();
    struct store_id subject = new_id();
    struct store *site = stores_open(&stores, "another site");

    (void)state;
    expect("before", store_check(store, &one, &subject, NOW), PST_OK);
    expect("end", store_revoke(store, &one, &subject, NOW + 3600, NOW), PST_OK);
    expect("after", store_check(store, &one, &subject, NOW), PST_REVOKED);
    expect("without subject", store_check(store, &one, NULL, NOW), PST_REVOKED);
    expect("again", store_revoke(store, &one, NULL, NOW + 3600, NOW), PST_OK);
    expect("after both", store_check(store, &one, &subject, NOW), PST_REVOKED);
    expect("another", store_check(store, &other, &subject, NOW), PST_OK);
    expect("another site", store_check(site, &one, &subject, NOW), PST_OK);
    store_close(&site);
}

/* Revoking is idempotent: a second time neither fails nor keeps the record for
 * a shorter time. */
static void
test_end_times(void **state)
{
    static const struct {
        const char *name;
        int64_t first;
        int64_t second;
    } rows[] = {
        {"later", NOW + 60, NOW + 3600},
        {"earlier", NOW + 3600, NOW + 60},
        {"the same", NOW + 60, NOW + 60},
        {"over already", NOW - 10, NOW - 5},
        {"as long as any", NOW + PST_LIFETIME_MAX, NOW + PST_LIFETIME_MAX},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct store_id sid = new_id();

        expect(rows[i].name,
               store_revoke(store, &sid, NULL, rows[i].first, NOW), PST_OK);
        expect(rows[i].name,
               store_revoke(store, &sid, NULL, rows[i].second, NOW), PST_OK);
        expect(rows[i].name, store_check(store, &sid, NULL, NOW), PST_REVOKED);
    }
}

static void
test_end_all(void **state)
{
    static const struct {
        const char *name;
        int64_t iat;
        enum pst_err want;
    } rows[] = {
        {"long before", NOW - 10000, PST_REVOKED},
        {"the second before", NOW - 1, PST_REVOKED},
        {"the same second", NOW, PST_REVOKED},
        {"the next second", NOW + 1, PST_OK},
    };
    struct store_id sid = new_id();
    struct store_id subject = new_id();
    struct store_id other = new_id();
    int64_t since = -1;

    (void)state;
    expect("all", store_revoke_all(store, &subject, NOW, &since), PST_OK);
    assert_int_equal(since, NOW);
    expect("without", store_revoke_all(store, &subject, NOW, NULL), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        expect(rows[i].name, store_check(store, &sid, &subject, rows[i].iat),
               rows[i].want);
    expect("another user", store_check(store, &sid, &other, NOW), PST_OK);
    expect("a guest", store_check(store, &sid, NULL, NOW), PST_OK);
}

/* The time never moves back. It covers sessions that a machine whose clock is
 * ahead began, but not more than a clock may be ahead. */
static void
test_end_all_clocks(void **state)
{
    static const struct {
        const char *name;
        int64_t created; /* of a listed session; 0: none */
        int64_t before;  /* an earlier store_revoke_all; 0: none */
        int64_t want;
    } rows[] = {
        {"alone", 0, 0, NOW},
        {"after an earlier one", 0, NOW - 5, NOW},
        {"after a later one", 0, NOW + 5, NOW + 5},
        {"an older session", NOW - 9, 0, NOW},
        {"a session ahead", NOW + 30, 0, NOW + 30},
        {"a session as far ahead as may be", NOW + PST_CLOCK_SKEW_MAX, 0,
         NOW + PST_CLOCK_SKEW_MAX},
        {"a session too far ahead", NOW + 9999, 0, NOW + PST_CLOCK_SKEW_MAX},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct store_id subject = new_id();
        struct store_session session = session_of(subject, rows[i].created);
        int64_t since = 0;

        if (rows[i].created)
            expect(rows[i].name, stores_add(store, &session, 0, NOW), PST_OK);
        if (rows[i].before)
            expect(rows[i].name,
                   store_revoke_all(store, &subject, rows[i].before, NULL),
                   PST_OK);
        expect(rows[i].name, store_revoke_all(store, &subject, NOW, &since),
               PST_OK);
        if (since != rows[i].want)
            fail_msg("row '%s': got %ld", rows[i].name, (long)(since - NOW));
        expect(rows[i].name, store_check(store, &session.sid, &subject, since),
               PST_REVOKED);
        expect(rows[i].name,
               store_check(store, &session.sid, &subject, since + 1), PST_OK);
    }
}

#if POSTERN_WITH_LMDB
/* A record of another length, as a newer program may write it. */
static int
apply_newer_since(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    struct lmdb_key key = lmdb_key_make(txn, change->what, NULL);
    uint8_t record[RECORD_SINCE_LEN];
    const struct pst_bytes parts[2] = {{record, sizeof(record)},
                                       pst_str_bytes(PST_STR("more"))};

    record_emit_since(record, (struct record_since){NOW, NOW});
    return lmdb_put(txn, RECORD_SINCE, &key, parts);
}

static void
overwrite_since_lmdb(const struct store_id *subject)
{
    struct lmdb_change change = {
        .apply = apply_newer_since,
        .now = NOW,
        .what = store_copy_bytes(subject, sizeof(*subject))};

    expect("overwrite", lmdb_write(lmdb_handle_from_base(store), &change),
           PST_OK);
}
#else
static void
overwrite_since_lmdb(const struct store_id *subject)
{
    (void)subject;
    fail();
}
#endif

/* Overwrite the since record of a user, as a newer program would. */
static void
overwrite_since(const struct store_id *subject)
{
    char command[160];
    char answer[64];
    struct pst_buf buf;

    if (stores.redis == 0) {
        overwrite_since_lmdb(subject);
        return;
    }
    pst_buf_init(&buf, command, sizeof(command) - 1);
    pst_buf_add_string(&buf, "SETRANGE postern:{shop}:since:");
    pst_buf_add_hex(&buf, (struct pst_bytes){subject->bytes, PST_HASH_LEN});
    pst_buf_add_string(&buf, " 0 \"\\x02\"");
    command[buf.len] = '\0';
    stores_say(&stores, command, answer, sizeof(answer));
    assert_string_equal(answer, ":17\r\n");
}

/* store_check() refused sessions because of a newer program's record, until the
 * next login took that for no record and overwrote it: then revoked sessions
 * were valid again. */
static void
test_unreadable_since(void **state)
{
    struct store_session old = session_of(new_id(), NOW);
    struct store_session next = session_of(old.subject, NOW + 1);
    int64_t since = 7;

    (void)state;
    expect("add", stores_add(store, &old, 0, NOW), PST_OK);
    expect("all", store_revoke_all(store, &old.subject, NOW, NULL), PST_OK);
    overwrite_since(&old.subject);
    expect("check", store_check(store, &old.sid, &old.subject, NOW),
           PST_REVOKED);
    assert_int_equal(count_of(&old.subject, NOW), 0);
    expect("a login", stores_add(store, &next, 0, NOW + 1), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "newer program"));
    expect("all again", store_revoke_all(store, &old.subject, NOW + 2, &since),
           PST_STORE_DOWN);
    assert_int_equal(since, 7);
    expect("still ended", store_check(store, &old.sid, &old.subject, NOW),
           PST_REVOKED);
    expect("the other too", store_check(store, &next.sid, &next.subject, NOW),
           PST_REVOKED);
    assert_int_equal(count_of(&old.subject, NOW), 0);
}

/* Live sessions. */

static enum pst_err
copy_one(void *context, const struct store_session *session)
{
    struct store_session *copy = context;

    assert_true(pst_str_equal(session->user, PST_STR("ada")));
    assert_true(pst_str_equal(session->browser, PST_STR("Firefox")));
    assert_true(pst_str_equal(session->address, PST_STR("192.0.2.1")));
    assert_int_equal(session->sealed_name.len, sizeof(SEALED_NAME) - 1);
    assert_memory_equal(session->sealed_name.ptr, SEALED_NAME,
                        sizeof(SEALED_NAME) - 1);
    *copy = *session;
    return PST_OK;
}

static void
test_sessions(void **state)
{
    struct store_session session = session_of(new_id(), NOW);
    struct store_session second = session_of(session.subject, NOW + 1);
    struct store_session found = {.created = 0};

    (void)state;
    assert_int_equal(count_of(&session.subject, NOW), 0);
    expect("add", stores_add(store, &session, 0, NOW), PST_OK);
    expect("walk",
           store_session_walk(store, &session.subject, NOW, copy_one, &found),
           PST_OK);
    assert_memory_equal(&found.sid, &session.sid, sizeof(found.sid));
    assert_memory_equal(&found.subject, &session.subject,
                        sizeof(found.subject));
    assert_int_equal(found.created, NOW);
    assert_int_equal(found.seen, NOW);
    assert_int_equal(found.expires, NOW + 3600);

    expect("add", stores_add(store, &second, 0, NOW + 1), PST_OK);
    assert_int_equal(count_of(&session.subject, NOW + 1), 2);
    assert_int_equal(count_of(&session.subject, NOW + 3599), 2);
    assert_int_equal(count_of(&session.subject, NOW + 3600), 1);
    assert_int_equal(count_of(&session.subject, NOW + 3601), 0);
}

static void
test_touch(void **state)
{
    static const struct {
        const char *name;
        int64_t now;
        int64_t expires;
        enum pst_err want;
        int64_t seen; /* what is stored afterwards */
        int64_t ends;
    } rows[] = {
        {"seen later", NOW + 100, NOW + 3600, PST_OK, NOW + 100, NOW + 3600},
        {"seen earlier", NOW + 50, NOW + 3600, PST_OK, NOW + 100, NOW + 3600},
        {"ends later", NOW + 100, NOW + 9000, PST_OK, NOW + 100, NOW + 9000},
        {"ends earlier", NOW + 200, NOW + 300, PST_OK, NOW + 200, NOW + 9000},
        {"over", NOW + 9000, NOW + 9999, PST_NOT_FOUND, NOW + 200, NOW + 9000},
    };
    struct store_session session = session_of(new_id(), NOW);

    (void)state;
    expect("add", stores_add(store, &session, 0, NOW), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct store_session found = {.created = 0};

        expect(rows[i].name,
               stores_touch(store, &session, rows[i].expires, rows[i].now),
               rows[i].want);
        expect(
            rows[i].name,
            store_session_walk(store, &session.subject, NOW, copy_one, &found),
            PST_OK);
        if (found.seen != rows[i].seen || found.expires != rows[i].ends ||
            found.created != NOW)
            fail_msg("row '%s': seen +%ld, expires +%ld", rows[i].name,
                     (long)(found.seen - NOW), (long)(found.expires - NOW));
    }
}

/* L28, U19: a concurrent request cannot bring back a revoked session. */
static void
test_no_revival(void **state)
{
    const struct pst_bytes blob = pst_str_bytes(PST_STR("sealed"));
    struct store_session session = session_of(new_id(), NOW);
    struct pst_bytes got;

    (void)state;
    expect("add", stores_add(store, &session, 0, NOW), PST_OK);
    expect("spill", store_spill_put(store, &session.sid, blob, NOW + 3600, NOW),
           PST_OK);
    expect("end",
           store_revoke(store, &session.sid, &session.subject, NOW + 3600, NOW),
           PST_OK);
    expect("touch", stores_touch(store, &session, NOW + 7200, NOW + 1),
           PST_NOT_FOUND);
    expect("replace",
           store_spill_replace(store, &session.sid, blob, NOW + 3600, NOW),
           PST_NOT_FOUND);
    expect("get", store_spill_get(store, &session.sid, NOW, arena, &got),
           PST_NOT_FOUND);
    assert_int_equal(count_of(&session.subject, NOW), 0);
    expect("check", store_check(store, &session.sid, &session.subject, NOW),
           PST_REVOKED);
}

/* store_revoke_all() empties the list of the user. */
static void
test_list_after_end_all(void **state)
{
    struct store_session session = session_of(new_id(), NOW);
    struct store_session later = session_of(session.subject, NOW + 1);

    (void)state;
    expect("add", stores_add(store, &session, 0, NOW), PST_OK);
    expect("all", store_revoke_all(store, &session.subject, NOW, NULL), PST_OK);
    assert_int_equal(count_of(&session.subject, NOW), 0);
    expect("add", stores_add(store, &later, 1, NOW + 1), PST_OK);
    assert_int_equal(count_of(&session.subject, NOW + 1), 1);
}

static void
test_cap(void **state)
{
    static const int64_t created[] = {NOW + 2, NOW, NOW + 3, NOW + 1, NOW + 4};
    static const enum pst_err want[] = {PST_OK, PST_REVOKED, PST_OK,
                                        PST_REVOKED, PST_OK};
    struct store_session sessions[PST_COUNT(created)];
    struct store_id subject = new_id();

    (void)state;
    for (size_t i = 0; i < PST_COUNT(created); i++) {
        sessions[i] = session_of(subject, created[i]);
        expect("add", stores_add(store, &sessions[i], 3, NOW + 5), PST_OK);
    }
    expect("the same again", stores_add(store, &sessions[4], 3, NOW + 5),
           PST_OK);
    assert_int_equal(count_of(&subject, NOW + 5), 3);
    for (size_t i = 0; i < PST_COUNT(created); i++) {
        if (store_check(store, &sessions[i].sid, &subject, created[i]) !=
            want[i])
            fail_msg("session %zu is not what the cap makes of it", i);
    }
    sessions[0] = session_of(subject, NOW + 9);
    expect("a smaller cap", stores_add(store, &sessions[0], 1, NOW + 9),
           PST_OK);
    assert_int_equal(count_of(&subject, NOW + 9), 1);
}

static void
test_session_limits(void **state)
{
    static const char bytes[PST_NAME_MAX + 1];
    struct store_session session = session_of(new_id(), NOW);

    (void)state;
    session.user = (struct pst_str){bytes, PST_NAME_MAX};
    session.browser = (struct pst_str){bytes, STORE_BROWSER_MAX};
    session.address = (struct pst_str){bytes, STORE_ADDRESS_MAX};
    expect("full", stores_add(store, &session, 0, NOW), PST_OK);
    session.user.len++;
    expect("user", stores_add(store, &session, 0, NOW), PST_TOO_LARGE);
    session.user.len = 0;
    session.browser.len++;
    expect("browser", stores_add(store, &session, 0, NOW), PST_TOO_LARGE);
    session.browser.len = 0;
    session.address.len++;
    expect("address", stores_add(store, &session, 0, NOW), PST_TOO_LARGE);
    assert_int_equal(count_of(&session.subject, NOW), 1);
}

static enum pst_err
stop_at_once(void *context, const struct store_session *session)
{
    (void)session;
    (*(unsigned *)context)++;
    return PST_REFUSED;
}

/* An audience that looks like a pattern is not used as one. */
static void
test_walk_all(void **state)
{
    struct store *mine = stores_open(&stores, "[m*]:?\\");
    struct store *other = stores_open(&stores, "m:x\\");
    struct store_session session = {.expires = 0};
    unsigned walked = 0;
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        session = session_of(stores_id(i % 2), NOW + i);
        expect("add", stores_add(mine, &session, 0, NOW), PST_OK);
        expect("other", stores_add(other, &session, 0, NOW), PST_OK);
    }
    expect("end one",
           store_revoke(mine, &session.sid, &session.subject, session.expires,
                        NOW),
           PST_OK);
    expect("all", store_session_count(mine, NULL, NOW, &count), PST_OK);
    assert_int_equal(count, 5);
    expect("all of the other", store_session_count(other, NULL, NOW, &count),
           PST_OK);
    assert_int_equal(count, 6);
    expect("one", store_session_count(mine, &session.subject, NOW, &count),
           PST_OK);
    assert_int_equal(count, 2);
    expect("stopped",
           store_session_walk(mine, NULL, NOW, stop_at_once, &walked),
           PST_REFUSED);
    assert_int_equal(walked, 1);
    store_close(&mine);
    store_close(&other);
}

/* Spilled sessions. */

static void
expect_spill(const char *what, const struct store_id *sid, int64_t now,
             struct pst_bytes want)
{
    struct pst_bytes got = {NULL, 0};

    pst_arena_reset(arena);
    expect(what, store_spill_get(store, sid, now, arena, &got), PST_OK);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr, want.ptr, want.len);
}

static void
test_spill(void **state)
{
    static uint8_t large[STORE_SPILL_MAX + 1];
    const struct pst_bytes first = pst_str_bytes(PST_STR("one\0\r\n"));
    const struct pst_bytes second = pst_str_bytes(PST_STR("second"));
    struct pst_bytes whole = {large, STORE_SPILL_MAX};
    struct pst_bytes got = {NULL, 0};
    struct store_id sid = new_id();

    (void)state;
    memset(large, 0xa5, sizeof(large));
    expect("nothing", store_spill_get(store, &sid, NOW, arena, &got),
           PST_NOT_FOUND);
    expect("replace nothing",
           store_spill_replace(store, &sid, first, NOW + 60, NOW),
           PST_NOT_FOUND);
    expect("put", store_spill_put(store, &sid, first, NOW + 60, NOW), PST_OK);
    expect_spill("get", &sid, NOW + 59, first);
    expect("over", store_spill_get(store, &sid, NOW + 60, arena, &got),
           PST_NOT_FOUND);
    expect("replace when over",
           store_spill_replace(store, &sid, second, NOW + 99, NOW + 60),
           PST_NOT_FOUND);
    expect("replace", store_spill_replace(store, &sid, second, NOW + 90, NOW),
           PST_OK);
    expect_spill("get", &sid, NOW + 89, second);
    expect("put again", store_spill_put(store, &sid, whole, NOW + 60, NOW),
           PST_OK);
    expect_spill("get", &sid, NOW, whole);
    whole.len++;
    expect("too large", store_spill_put(store, &sid, whole, NOW + 60, NOW),
           PST_TOO_LARGE);
    expect("end", store_revoke(store, &sid, NULL, NOW + 60, NOW), PST_OK);
    expect("gone", store_spill_get(store, &sid, NOW, arena, &got),
           PST_NOT_FOUND);
}

/* The tokens of a session are apart from its spilled part, and end with it. */
static void
test_tokens(void **state)
{
    const struct pst_bytes first = pst_str_bytes(PST_STR("one\0\r\n"));
    const struct pst_bytes second = pst_str_bytes(PST_STR("second"));
    struct pst_bytes got = {NULL, 0};
    struct store_id sid = new_id();
    struct store_id subject = new_id();

    (void)state;
    expect("nothing", store_tokens_get(store, &sid, NOW, arena, &got),
           PST_NOT_FOUND);
    expect("replace nothing",
           store_tokens_replace(store, &sid, first, NOW + 60, NOW),
           PST_NOT_FOUND);
    expect("spill", store_spill_put(store, &sid, second, NOW + 60, NOW),
           PST_OK);
    expect("still nothing",
           store_tokens_replace(store, &sid, first, NOW + 60, NOW),
           PST_NOT_FOUND);
    expect("put", store_tokens_put(store, &sid, first, NOW + 60, NOW), PST_OK);
    expect_spill("the spilled part", &sid, NOW, second);
    expect("get", store_tokens_get(store, &sid, NOW + 59, arena, &got), PST_OK);
    assert_int_equal(got.len, first.len);
    assert_memory_equal(got.ptr, first.ptr, first.len);
    expect("over", store_tokens_get(store, &sid, NOW + 60, arena, &got),
           PST_NOT_FOUND);
    expect("replace", store_tokens_replace(store, &sid, second, NOW + 90, NOW),
           PST_OK);
    expect("get", store_tokens_get(store, &sid, NOW + 89, arena, &got), PST_OK);
    assert_memory_equal(got.ptr, second.ptr, second.len);
    expect("end", store_revoke(store, &sid, &subject, NOW + 60, NOW), PST_OK);
    expect("gone", store_tokens_get(store, &sid, NOW, arena, &got),
           PST_NOT_FOUND);
    expect("they stay so",
           store_tokens_replace(store, &sid, second, NOW + 90, NOW),
           PST_NOT_FOUND);
}

/* A session that is revoked because of the cap loses its tokens. */
static void
test_tokens_and_cap(void **state)
{
    const struct pst_bytes blob = pst_str_bytes(PST_STR("sealed"));
    struct pst_bytes got = {NULL, 0};
    struct store_session session = {.sid = new_id(),
                                    .subject = new_id(),
                                    .created = NOW,
                                    .seen = NOW,
                                    .expires = NOW + 60};
    struct store_id first = session.sid;

    (void)state;
    expect("first", stores_add(store, &session, 1, NOW), PST_OK);
    expect("put", store_tokens_put(store, &first, blob, NOW + 60, NOW), PST_OK);
    session.sid = new_id();
    session.created++;
    expect("second", stores_add(store, &session, 1, NOW + 1), PST_OK);
    expect("gone", store_tokens_get(store, &first, NOW + 1, arena, &got),
           PST_NOT_FOUND);
}

static void
test_spill_without_memory(void **state)
{
    const struct pst_bytes blob = pst_str_bytes(PST_STR("sealed"));
    struct pst_bytes got = {NULL, 0};
    struct store_id sid = new_id();

    (void)state;
    expect("put", store_spill_put(store, &sid, blob, NOW + 60, NOW), PST_OK);
    pst_arena_fail_at(arena, 1);
    expect("get", store_spill_get(store, &sid, NOW, arena, &got),
           PST_NO_MEMORY);
    assert_null(got.ptr);
    pst_arena_reset(arena);
    expect_spill("then", &sid, NOW, blob);
}

/* Replacing a session. */

enum old_kind { NO_OLD, OLD_GUEST, OLD_USER };

/* A replacement of the old session. */
static struct store_replacement
replacement_of(enum old_kind kind, const struct store_session *old,
               const struct store_session *session, int64_t now)
{
    struct store_replacement replacement = {.session = session, .now = now};

    if (kind == NO_OLD)
        return replacement;
    replacement.old = &old->sid;
    replacement.old_subject = kind == OLD_USER ? &old->subject : NULL;
    replacement.old_iat = old->created;
    replacement.old_expires = old->expires;
    replacement.requires_old = true;
    return replacement;
}

static enum pst_err
replace(struct store *in, const struct store_replacement *replacement)
{
    int64_t since;

    return store_session_replace(in, replacement, &since);
}

static bool
is_spilled(const struct store_id *sid, int64_t now)
{
    struct pst_bytes got;

    pst_arena_reset(arena);
    return store_spill_get(store, sid, now, arena, &got) == PST_OK;
}

/* L28: all of it, or nothing when the old session was revoked before. */
static void
test_replace(void **state)
{
    enum ended { NOT_ENDED, ENDED, ALL_ENDED };
    static const struct {
        const char *name;
        enum old_kind old;
        enum ended ended;
        bool is_guest; /* the new one */
        enum pst_err want;
    } rows[] = {
        {"nothing by a user", NO_OLD, NOT_ENDED, false, PST_OK},
        {"nothing by a guest", NO_OLD, NOT_ENDED, true, PST_OK},
        {"a guest by a user", OLD_GUEST, NOT_ENDED, false, PST_OK},
        {"a guest by a guest", OLD_GUEST, NOT_ENDED, true, PST_OK},
        {"a user by a user", OLD_USER, NOT_ENDED, false, PST_OK},
        {"a user by a guest", OLD_USER, NOT_ENDED, true, PST_OK},
        {"a guest, ended", OLD_GUEST, ENDED, false, PST_REVOKED},
        {"a guest, ended, by a guest", OLD_GUEST, ENDED, true, PST_REVOKED},
        {"a user, ended", OLD_USER, ENDED, false, PST_REVOKED},
        {"a user, ended, by a guest", OLD_USER, ENDED, true, PST_REVOKED},
        {"a user, all ended", OLD_USER, ALL_ENDED, false, PST_REVOKED},
        {"the same, by a guest", OLD_USER, ALL_ENDED, true, PST_REVOKED},
    };
    const struct pst_bytes blob = pst_str_bytes(PST_STR("sealed"));

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct store_session old = session_of(new_id(), NOW);
        struct store_session session = session_of(new_id(), NOW + 1);
        struct store_replacement replacement =
            replacement_of(rows[i].old, &old, &session, NOW + 1);
        const struct store_id *owner = replacement.old_subject;
        bool is_done = rows[i].want == PST_OK;
        bool was_there = rows[i].old != NO_OLD && rows[i].ended != ENDED;

        replacement.is_guest = rows[i].is_guest;
        replacement.blob = blob;
        if (owner)
            expect(rows[i].name, stores_add(store, &old, 0, NOW), PST_OK);
        if (rows[i].old != NO_OLD)
            expect(rows[i].name,
                   store_spill_put(store, &old.sid, blob, old.expires, NOW),
                   PST_OK);
        if (rows[i].ended == ENDED)
            expect(rows[i].name,
                   store_revoke(store, &old.sid, owner, old.expires, NOW),
                   PST_OK);
        if (rows[i].ended == ALL_ENDED)
            expect(rows[i].name, store_revoke_all(store, owner, NOW, NULL),
                   PST_OK);
        expect(rows[i].name, replace(store, &replacement), rows[i].want);

        expect(rows[i].name, store_check(store, &old.sid, owner, NOW),
               rows[i].old != NO_OLD ? PST_REVOKED : PST_OK);
        expect(rows[i].name, store_check(store, &session.sid, NULL, NOW + 1),
               PST_OK);
        assert_int_equal(count_of(&old.subject, NOW + 1), 0);
        if (count_of(&session.subject, NOW + 1) !=
                (size_t)(is_done && !rows[i].is_guest) ||
            is_spilled(&session.sid, NOW + 1) != is_done ||
            is_spilled(&old.sid, NOW + 1) != (was_there && !is_done))
            fail_msg("%s: neither all of it nor nothing", rows[i].name);
        if (is_done) {
            assert_true(is_spilled(&session.sid, session.expires - 1));
            assert_false(is_spilled(&session.sid, session.expires));
        }
        /* Repeated: the first call has revoked the old session. */
        if (rows[i].old != NO_OLD)
            expect(rows[i].name, replace(store, &replacement), PST_REVOKED);
    }
}

/* A session that store_revoke_all() covers does not begin, and the old one
 * stays valid: the since record is read in the same step. */
static void
test_replace_after_end_all(void **state)
{
    struct store_session old = session_of(new_id(), NOW - 9);
    struct store_session session = session_of(new_id(), NOW);
    struct store_replacement replacement =
        replacement_of(OLD_GUEST, &old, &session, NOW);
    int64_t since = 7;

    (void)state;
    expect("all", store_revoke_all(store, &session.subject, NOW, NULL), PST_OK);
    expect("dead at birth", store_session_replace(store, &replacement, &since),
           PST_EXPIRED);
    assert_int_equal(since, NOW);
    assert_int_equal(count_of(&session.subject, NOW), 0);
    expect("the old one", store_check(store, &old.sid, NULL, NOW), PST_OK);
    session.created = since + 1;
    since = 7;
    expect("moved past it", store_session_replace(store, &replacement, &since),
           PST_OK);
    assert_int_equal(since, 7);
    assert_int_equal(count_of(&session.subject, NOW), 1);
    expect("then", store_check(store, &old.sid, NULL, NOW), PST_REVOKED);
    /* A revoked old session is reported first. */
    session.created = NOW;
    expect("both", store_session_replace(store, &replacement, &since),
           PST_REVOKED);
}

/* A session that replaces one of the list revokes no third one. */
static void
test_replace_within_cap(void **state)
{
    struct store_session first = session_of(new_id(), NOW);
    struct store_session old = session_of(first.subject, NOW + 1);
    struct store_session session = session_of(first.subject, NOW + 2);
    struct store_session more = session_of(first.subject, NOW + 3);
    struct store_replacement replacement =
        replacement_of(OLD_USER, &old, &session, NOW + 2);

    (void)state;
    expect("first", stores_add(store, &first, 2, NOW), PST_OK);
    expect("second", stores_add(store, &old, 2, NOW + 1), PST_OK);
    replacement.cap = 2;
    expect("replace", replace(store, &replacement), PST_OK);
    expect("the first lives",
           store_check(store, &first.sid, &first.subject, first.created),
           PST_OK);
    assert_int_equal(count_of(&first.subject, NOW + 3), 2);
    expect("one more", stores_add(store, &more, 2, NOW + 3), PST_OK);
    expect("over the cap",
           store_check(store, &first.sid, &first.subject, first.created),
           PST_REVOKED);
}

/* L28: a logout that arrives after the replacement revokes the old session, and
 * not the new one. */
static void
test_end_after_replace(void **state)
{
    struct store_session old = session_of(new_id(), NOW);
    struct store_session session = session_of(old.subject, NOW + 1);
    struct store_replacement replacement =
        replacement_of(OLD_USER, &old, &session, NOW + 1);

    (void)state;
    expect("add", stores_add(store, &old, 0, NOW), PST_OK);
    expect("replace", replace(store, &replacement), PST_OK);
    expect("end the old",
           store_revoke(store, &old.sid, &old.subject, old.expires, NOW + 1),
           PST_OK);
    expect("the old", store_check(store, &old.sid, &old.subject, NOW),
           PST_REVOKED);
    expect("the new one",
           store_check(store, &session.sid, &session.subject, NOW + 1), PST_OK);
    assert_int_equal(count_of(&old.subject, NOW + 1), 1);
}

/* Without requires_old, a session begins although the old one was revoked,
 * which stays revoked. */
static void
test_replace_what_was_ended(void **state)
{
    struct store_session old = session_of(new_id(), NOW);
    struct store_session session = session_of(old.subject, NOW + 2);
    struct store_replacement replacement =
        replacement_of(OLD_USER, &old, &session, NOW + 2);

    (void)state;
    expect("all", store_revoke_all(store, &old.subject, NOW, NULL), PST_OK);
    expect("end", store_revoke(store, &old.sid, &old.subject, NOW + 9999, NOW),
           PST_OK);
    expect("follows", replace(store, &replacement), PST_REVOKED);
    replacement.requires_old = false;
    expect("does not", replace(store, &replacement), PST_OK);
    assert_int_equal(count_of(&old.subject, NOW + 2), 1);
    expect("sweep", store_sweep(store, 1000, NOW + 9000, NULL), PST_OK);
    expect("the old", store_check(store, &old.sid, NULL, NOW), PST_REVOKED);
}

/* The guest session is revoked with the old one, or not at all. */
static void
test_replace_with_guest(void **state)
{
    static const struct {
        const char *name;
        enum old_kind old;
        bool is_ended; /* the old one */
        enum pst_err want;
    } rows[] = {
        {"alone", NO_OLD, false, PST_OK},
        {"beside a user's", OLD_USER, false, PST_OK},
        {"beside one that was ended", OLD_USER, true, PST_REVOKED},
    };
    const struct pst_bytes blob = pst_str_bytes(PST_STR("sealed"));

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct store_session old = session_of(new_id(), NOW);
        struct store_session session = session_of(old.subject, NOW + 1);
        struct store_replacement replacement =
            replacement_of(rows[i].old, &old, &session, NOW + 1);
        struct store_id guest = new_id();
        bool is_done = rows[i].want == PST_OK;

        replacement.guest = &guest;
        replacement.guest_expires = NOW + 3600;
        expect(rows[i].name,
               store_spill_put(store, &guest, blob, NOW + 3600, NOW), PST_OK);
        if (rows[i].is_ended)
            expect(rows[i].name,
                   store_revoke(store, &old.sid, NULL, NOW + 3600, NOW),
                   PST_OK);
        expect(rows[i].name, replace(store, &replacement), rows[i].want);
        expect(rows[i].name, store_check(store, &guest, NULL, NOW + 1),
               is_done ? PST_REVOKED : PST_OK);
        if (is_spilled(&guest, NOW + 1) == is_done)
            fail_msg("%s: the guest's blob", rows[i].name);
        assert_int_equal(count_of(&old.subject, NOW + 1), is_done);
    }
}

static void
test_replace_limits(void **state)
{
    static uint8_t large[STORE_SPILL_MAX + 1];
    static const char name[PST_NAME_MAX + 1];
    struct store_session session = session_of(new_id(), NOW);
    struct store_replacement replacement =
        replacement_of(NO_OLD, NULL, &session, NOW);

    (void)state;
    memset(large, 0xa5, sizeof(large));
    replacement.blob = (struct pst_bytes){large, sizeof(large)};
    expect("a larger blob", replace(store, &replacement), PST_TOO_LARGE);
    assert_int_equal(count_of(&session.subject, NOW), 0);
    replacement.blob.len--;
    expect("the largest", replace(store, &replacement), PST_OK);
    expect_spill("get", &session.sid, NOW, replacement.blob);
    session = session_of(new_id(), NOW);
    session.user = (struct pst_str){name, sizeof(name)};
    expect("a longer name", replace(store, &replacement), PST_TOO_LARGE);
    replacement.is_guest = true;
    expect("which is not listed", replace(store, &replacement), PST_OK);
}

/* Counters. */

static enum pst_err
take(const struct store_counter *counter, int64_t now, int64_t *retry_after)
{
    const struct store_counters counters = {counter, 1, now};

    *retry_after = 0;
    return store_counter_acquire(store, &counters, retry_after);
}

static void
test_counter(void **state)
{
    static const struct {
        const char *name;
        int64_t now;
        enum pst_err want;
        int64_t retry_after;
    } rows[] = {
        {"1", NOW, PST_OK, 0},
        {"2", NOW, PST_OK, 0},
        {"3", NOW, PST_OK, 0},
        {"full", NOW, PST_THROTTLED, 30},
        {"refusals do not count", NOW, PST_THROTTLED, 30},
        {"one second early", NOW + 29, PST_THROTTLED, 1},
        {"one has drained", NOW + 30, PST_OK, 0},
        {"only one", NOW + 30, PST_THROTTLED, 30},
        {"two have drained", NOW + 90, PST_OK, 0},
        {"the second", NOW + 90, PST_OK, 0},
        {"no third", NOW + 90, PST_THROTTLED, 30},
        {"empty again", NOW + 9000, PST_OK, 0},
        {"a burst", NOW + 9000, PST_OK, 0},
        {"of three", NOW + 9000, PST_OK, 0},
        {"and no more", NOW + 9000, PST_THROTTLED, 30},
        {"the clock went back a year", NOW - 31536000, PST_THROTTLED, 30},
    };
    struct store_counter counter = {.id = new_id(), .rate = {3, 90}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int64_t retry_after;

        expect(rows[i].name, take(&counter, rows[i].now, &retry_after),
               rows[i].want);
        if (retry_after != rows[i].retry_after)
            fail_msg("row '%s': retry after %ld", rows[i].name,
                     (long)retry_after);
    }
}

static void
test_counter_uneven(void **state)
{
    static const struct rate rates[] = {{7, 900},   {1, 1},       {10, 900},
                                        {100, 900}, {1, 2592000}, {9, 1}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rates); i++) {
        struct store_counter counter = {.id = new_id(), .rate = rates[i]};
        int64_t retry_after;

        for (int64_t n = 0; n < rates[i].limit; n++)
            expect("within", take(&counter, NOW, &retry_after), PST_OK);
        expect("beyond", take(&counter, NOW, &retry_after), PST_THROTTLED);
        assert_true(retry_after >= 1 && retry_after <= rates[i].period);
        expect("later", take(&counter, NOW + retry_after, &retry_after),
               PST_OK);
    }
}

static void
test_give(void **state)
{
    struct store_counter counter = {.id = new_id(), .rate = {2, 60}};
    const struct store_counters counters = {&counter, 1, NOW};
    int64_t retry_after;

    (void)state;
    expect("give to an empty one", store_counter_refund(store, &counters),
           PST_OK);
    expect("1", take(&counter, NOW, &retry_after), PST_OK);
    expect("2", take(&counter, NOW, &retry_after), PST_OK);
    expect("full", take(&counter, NOW, &retry_after), PST_THROTTLED);
    expect("give", store_counter_refund(store, &counters), PST_OK);
    expect("one", take(&counter, NOW, &retry_after), PST_OK);
    expect("not two", take(&counter, NOW, &retry_after), PST_THROTTLED);
    assert_int_equal(retry_after, 30);
    counter.reset_all = true;
    expect("forget", store_counter_refund(store, &counters), PST_OK);
    expect("1", take(&counter, NOW, &retry_after), PST_OK);
    expect("2", take(&counter, NOW, &retry_after), PST_OK);
    expect("full", take(&counter, NOW, &retry_after), PST_THROTTLED);
}

/* How many more can be acquired from a counter at once. */
static unsigned
count_room(const struct store_counter *counter)
{
    unsigned count = 0;
    int64_t retry_after;

    while (take(counter, NOW, &retry_after) == PST_OK)
        count++;
    return count;
}

/* L58: two names share a counter, and one gives back its own share. */
static void
test_give_as_before(void **state)
{
    struct store_counter name = {
        .id = new_id(), .rate = {10, 900}, .is_count_only = true};
    struct store_counter other = {
        .id = new_id(), .rate = {10, 900}, .is_count_only = true};
    struct store_counter pair[2] = {name, {.id = new_id(), .rate = {10, 900}}};
    const struct store_counters counters = {pair, 2, NOW};
    int64_t retry_after;

    (void)state;
    for (int i = 0; i < 3; i++)
        expect("own", store_counter_acquire(store, &counters, &retry_after),
               PST_OK);
    pair[0] = other;
    for (int i = 0; i < 4; i++)
        expect("other", store_counter_acquire(store, &counters, &retry_after),
               PST_OK);
    pair[0] = name;
    pair[0].reset_all = true;
    pair[1].as_previous = true;
    expect("give", store_counter_refund(store, &counters), PST_OK);
    expect("again", store_counter_refund(store, &counters), PST_OK);
    assert_int_equal(count_room(&pair[1]), 6);
    /* More than it holds: then it is empty. */
    pair[1].as_previous = false;
    pair[1].reset_all = true;
    expect("forget", store_counter_refund(store, &counters), PST_OK);
    pair[1].reset_all = false;
    pair[1].as_previous = true;
    pair[0] = other;
    pair[0].reset_all = true;
    expect("give", store_counter_refund(store, &counters), PST_OK);
    assert_int_equal(count_room(&pair[1]), 10);
}

/* A counter that only counts never refuses. */
static void
test_tally(void **state)
{
    struct store_counter pair[2] = {
        {.id = new_id(), .rate = {2, 60}, .is_count_only = true},
        {.id = new_id(), .rate = {5, 60}},
    };
    const struct store_counters counters = {pair, 2, NOW};
    int64_t retry_after = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        expect("take", store_counter_acquire(store, &counters, &retry_after),
               PST_OK);
    expect("full", store_counter_acquire(store, &counters, &retry_after),
           PST_THROTTLED);
    assert_int_equal(retry_after, 12);
    pair[0].is_count_only = false;
    expect("no room in it", take(&pair[0], NOW, &retry_after), PST_THROTTLED);
    assert_int_equal(retry_after, 30);
}

static void
test_reset(void **state)
{
    struct store_counter pair[2] = {{.id = new_id(), .rate = {1, 60}},
                                    {.id = new_id(), .rate = {2, 600}}};
    const struct store_counters both = {pair, 2, NOW};
    const struct store_counters later = {pair, 2, NOW + 600};
    int64_t retry_after;
    int64_t held = -1;

    (void)state;
    expect("nothing", store_counter_reset(store, &both, &held), PST_OK);
    assert_int_equal(held, 0);
    expect("take", take(&pair[1], NOW, &retry_after), PST_OK);
    expect("one", store_counter_reset(store, &both, &held), PST_OK);
    assert_int_equal(held, 1);
    expect("take", store_counter_acquire(store, &both, &retry_after), PST_OK);
    expect("take", take(&pair[1], NOW, &retry_after), PST_OK);
    expect("both", store_counter_reset(store, &both, &held), PST_OK);
    assert_int_equal(held, 2);
    expect("again", store_counter_acquire(store, &both, &retry_after), PST_OK);
    expect("drained", store_counter_reset(store, &later, &held), PST_OK);
    assert_int_equal(held, 0);
}

/* When one of two counters refuses, nothing is taken from the other. */
static void
test_all_or_none(void **state)
{
    struct store_counter pair[2] = {{.id = new_id(), .rate = {1, 60}},
                                    {.id = new_id(), .rate = {2, 600}}};
    const struct store_counters both = {pair, 2, NOW};
    int64_t retry_after = 0;

    (void)state;
    expect("both", store_counter_acquire(store, &both, &retry_after), PST_OK);
    expect("the first is spent",
           store_counter_acquire(store, &both, &retry_after), PST_THROTTLED);
    assert_int_equal(retry_after, 60);
    expect("the second kept its own", take(&pair[1], NOW, &retry_after),
           PST_OK);
    expect("both are spent", store_counter_acquire(store, &both, &retry_after),
           PST_THROTTLED);
    assert_int_equal(retry_after, 300);
}

/* Many processes at once. */

#define EACH 25

/* The handle is closed before processes start: a child can neither use nor free
 * what it inherits. */
static unsigned
crowd(unsigned (*child)(unsigned index))
{
    unsigned sum;

    store_close(&store);
    sum = stores_fork(PROCESSES, child);
    store = stores_open(&stores, "shop");
    return sum;
}

/* Revokes its own sessions one by one, and checks all sessions. */
static unsigned
end_and_read(unsigned index)
{
    struct store *own = stores_open(&stores, "crowd");
    unsigned wrong = 0;

    for (unsigned i = 0; i < EACH; i++) {
        struct store_id sid = stores_id(1000 * (index + 1) + i);
        struct store_id foreign = stores_id(1000 * ((index + 1) % 8 + 1) + i);
        enum pst_err e = store_check(own, &foreign, NULL, NOW);

        wrong += store_check(own, &sid, NULL, NOW) != PST_OK;
        wrong += e != PST_OK && e != PST_REVOKED;
        wrong += store_revoke(own, &sid, NULL, NOW + 3600, NOW) != PST_OK;
        for (unsigned k = 0; k <= i; k++) {
            sid = stores_id(1000 * (index + 1) + k);
            wrong += store_check(own, &sid, NULL, NOW) != PST_REVOKED;
        }
    }
    store_close(&own);
    return wrong > 100 ? 100 : wrong;
}

static void
test_crowd(void **state)
{
    struct store *own;

    (void)state;
    assert_int_equal(crowd(end_and_read), 0);
    own = stores_open(&stores, "crowd");
    for (unsigned i = 0; i < PROCESSES; i++) {
        for (unsigned k = 0; k < EACH; k++) {
            struct store_id sid = stores_id(1000 * (i + 1) + k);

            stores_expect(own, "all", store_check(own, &sid, NULL, NOW),
                          PST_REVOKED);
        }
    }
    store_close(&own);
}

static unsigned
guess(unsigned index)
{
    struct store *own = stores_open(&stores, "guesses");
    struct store_counter counter = {.id = stores_id(1), .rate = {10, 900}};
    const struct store_counters counters = {&counter, 1, NOW};
    unsigned allowed = 0;

    (void)index;
    for (unsigned i = 0; i < 5; i++) {
        int64_t retry_after;
        enum pst_err e = store_counter_acquire(own, &counters, &retry_after);

        if (e != PST_OK && e != PST_THROTTLED)
            return 101;
        allowed += e == PST_OK;
    }
    store_close(&own);
    return allowed;
}

static void
test_crowd_of_guesses(void **state)
{
    (void)state;
    assert_int_equal(crowd(guess), 10);
}

static unsigned
log_in(unsigned index)
{
    struct store *own = stores_open(&stores, "logins");
    unsigned wrong = 0;

    for (unsigned i = 0; i < 5; i++) {
        struct store_session session = {.sid = stores_id(100 * index + i),
                                        .subject = stores_id(1),
                                        .created = NOW + i,
                                        .expires = NOW + 3600};

        wrong += stores_add(own, &session, 4, NOW) != PST_OK;
    }
    store_close(&own);
    return wrong;
}

/* The cap holds for concurrent logins. */
static void
test_crowd_of_logins(void **state)
{
    struct store *own;
    struct store_id subject = stores_id(1);
    size_t count = 0;

    (void)state;
    assert_int_equal(crowd(log_in), 0);
    own = stores_open(&stores, "logins");
    stores_expect(own, "count", store_session_count(own, &subject, NOW, &count),
                  PST_OK);
    assert_int_equal(count, 4);
    store_close(&own);
}

/* L28: a session is replaced and revoked concurrently. */

#define ROUNDS 40

/* Shared by the processes of the race. */
struct race {
    atomic_uint ready[ROUNDS];
    atomic_uint replaced[ROUNDS];
    atomic_uint seen[ROUNDS]; /* successors, a bit each, after a revocation */
};

static struct race *race;

/* Wait until all processes are here. */
static void
wait_for_all(unsigned round)
{
    atomic_fetch_add(&race->ready[round], 1);
    while (atomic_load(&race->ready[round]) < PROCESSES)
        (void)sched_yield();
}

/* The session of a round; in odd rounds, of a guest. */
static struct store_session
contested(unsigned round)
{
    return (struct store_session){.sid = stores_id(10000 + round),
                                  .subject = stores_id(20000 + round),
                                  .created = NOW,
                                  .expires = NOW + 3600};
}

static bool
is_of_guest(unsigned round)
{
    return round % 2 == 1;
}

/* Every fourth round has a "log out everywhere". */
static bool
ends_everywhere(unsigned round)
{
    return round % 4 == 2;
}

static unsigned
replace_in_race(struct store *own, unsigned round, unsigned index)
{
    struct store_session old = contested(round);
    struct store_session session = old;
    struct store_replacement replacement = replacement_of(
        is_of_guest(round) ? OLD_GUEST : OLD_USER, &old, &session, NOW);
    enum pst_err e;

    session.sid = stores_id(30000 + 100 * round + index);
    session.created = NOW + 1;
    e = replace(own, &replacement);
    if (e == PST_OK)
        atomic_fetch_add(&race->replaced[round], 1);
    return e != PST_OK && e != PST_REVOKED;
}

/* A successor that has not begun when the revocation returns never begins. */
static unsigned
end_in_race(struct store *own, unsigned round, unsigned index)
{
    struct store_session old = contested(round);
    const struct store_id *subject = is_of_guest(round) ? NULL : &old.subject;
    bool everywhere = ends_everywhere(round) && index == 1;
    size_t count = 0;
    enum pst_err e;

    if (everywhere)
        e = store_revoke_all(own, subject, NOW, NULL);
    else
        e = store_revoke(own, &old.sid, subject, old.expires, NOW);
    if (e == PST_OK)
        e = store_session_count(own, &old.subject, NOW, &count);
    atomic_fetch_or(&race->seen[round], 1u << count);
    return e != PST_OK || (everywhere && count > 0);
}

static unsigned
run_race(unsigned index)
{
    struct store *own = stores_open(&stores, "race");
    unsigned wrong = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        wait_for_all(round);
        wrong += index < 2 ? end_in_race(own, round, index)
                           : replace_in_race(own, round, index);
    }
    store_close(&own);
    return wrong;
}

/* Users' old sessions are listed before the race begins. */
static void
list_contested(void)
{
    struct store *own = stores_open(&stores, "race");

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct store_session old = contested(round);

        if (!is_of_guest(round))
            stores_expect(own, "add", stores_add(own, &old, 0, NOW), PST_OK);
    }
    store_close(&own);
}

static void
expect_of_race(struct store *own, unsigned round)
{
    struct store_session old = contested(round);
    unsigned replaced = atomic_load(&race->replaced[round]);
    size_t count = 9;

    stores_expect(own, "the old one",
                  store_check(own, &old.sid, NULL, old.created), PST_REVOKED);
    stores_expect(own, "count",
                  store_session_count(own, &old.subject, NOW, &count), PST_OK);
    if (replaced > 1)
        fail_msg("round %u: %u successors", round, replaced);
    if (ends_everywhere(round) ? count != 0 : count != replaced)
        fail_msg("round %u: %u began, %zu live", round, replaced, count);
    if (count == 1 && (atomic_load(&race->seen[round]) & 1u) != 0)
        fail_msg("round %u: one began after the old one was ended", round);
}

static void
test_race(void **state)
{
    struct store *own;

    (void)state;
    race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(race, MAP_FAILED);
    list_contested();
    assert_int_equal(crowd(run_race), 0);
    own = stores_open(&stores, "race");
    for (unsigned round = 0; round < ROUNDS; round++)
        expect_of_race(own, round);
    store_close(&own);
    assert_int_equal(munmap(race, sizeof(*race)), 0);
}

/* Ids, ping, close. */

static void
test_ids(void **state)
{
    const uint8_t sid[PST_SID_LEN] = {0};
    struct store *site = stores_open(&stores, "another site");
    struct store_id ids[6];

    (void)state;
    /* SHA-256 of sixteen zero bytes. */
    store_id_sid(sid, &ids[0]);
    assert_int_equal(ids[0].bytes[0], 0x37);
    assert_int_equal(ids[0].bytes[31], 0xbb);
    assert_int_equal(store_id_subject(store, PST_STR("1"), &ids[0]), PST_OK);
    assert_int_equal(store_id_subject(store, PST_STR("2"), &ids[1]), PST_OK);
    assert_int_equal(store_id_subject(site, PST_STR("1"), &ids[2]), PST_OK);
    assert_int_equal(store_id_name(store, "a", PST_STR("1"), &ids[3]), PST_OK);
    assert_int_equal(store_id_name(store, "a", PST_STR(""), &ids[4]), PST_OK);
    assert_int_equal(store_id_name(store, "ab", PST_STR(""), &ids[5]), PST_OK);
    for (size_t i = 0; i < PST_COUNT(ids); i++) {
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(&ids[i], &ids[k], sizeof(ids[i]));
    }
    store_close(&site);
}

static void
test_id_in_hex(void **state)
{
    static const struct {
        const char *hex;
        bool want;
    } rows[] = {
        {"000102030405060708090a0b0c0d0e0f10111213141516171819aAbBcCdDeEfF",
         true},
        {"000102030405060708090a0b0c0d0e0f10111213141516171819aAbBcCdDeEfg",
         false},
        {"000102030405060708090a0b0c0d0e0f10111213141516171819aAbBcCdDeEf",
         false},
        {"000102030405060708090a0b0c0d0e0f10111213141516171819aAbBcCdDeEfF0",
         false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct store_id before = new_id();
        struct store_id id = before;

        if (store_id_parse(pst_str_from(rows[i].hex), &id) != rows[i].want ||
            store_id_equal(&id, &before) == rows[i].want)
            fail_msg("row '%s'", rows[i].hex);
        if (rows[i].want)
            assert_true(id.bytes[9] == 9 && id.bytes[31] == 0xff);
    }
}

static void
test_ping_and_sweep(void **state)
{
    struct store_sweep_result swept = {99, 99};

    (void)state;
    expect("ping", store_ping(store, NOW), PST_OK);
    expect("sweep", store_sweep(store, 10, NOW, &swept), PST_OK);
    assert_true(swept.removed <= swept.examined && swept.examined <= 10);
    expect("sweep", store_sweep(store, 10, NOW, NULL), PST_OK);
}

static void
test_close_nothing(void **state)
{
    struct store *none = NULL;

    (void)state;
    store_close(&none);
    assert_null(none);
}

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORES_KIND, NULL);
    store = stores_open(&stores, "shop");
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    store_close(&store);
    stores_stop(&stores);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_end_times),
        cmocka_unit_test(test_end_all),
        cmocka_unit_test(test_end_all_clocks),
        cmocka_unit_test(test_unreadable_since),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_touch),
        cmocka_unit_test(test_no_revival),
        cmocka_unit_test(test_list_after_end_all),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_session_limits),
        cmocka_unit_test(test_walk_all),
        cmocka_unit_test(test_spill),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_tokens_and_cap),
        cmocka_unit_test(test_spill_without_memory),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_replace_after_end_all),
        cmocka_unit_test(test_replace_within_cap),
        cmocka_unit_test(test_end_after_replace),
        cmocka_unit_test(test_replace_what_was_ended),
        cmocka_unit_test(test_replace_with_guest),
        cmocka_unit_test(test_replace_limits),
        cmocka_unit_test(test_counter),
        cmocka_unit_test(test_counter_uneven),
        cmocka_unit_test(test_give),
        cmocka_unit_test(test_give_as_before),
        cmocka_unit_test(test_tally),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_crowd_of_guesses),
        cmocka_unit_test(test_crowd_of_logins),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_id_in_hex),
        cmocka_unit_test(test_ping_and_sweep),
        cmocka_unit_test(test_close_nothing),
    };

    if (!stores_can_start(STORES_KIND))
        return STORES_SKIPPED;
    return cmocka_run_group_tests_name("store", tests, set_up, tear_down);
}
