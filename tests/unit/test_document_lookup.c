/* SPDX-License-Identifier: ISC */
/*
 * test_document_lookup.c - the summary of a document from the parser, the
 * cache, an automatic persisted query or the manifest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "failing.h"
#include "gateway/document_lookup.h"

#define SIZE (256 * 1024)
#define ME "query Me { me { id } }"
#define LOGIN "mutation { login(email: \"a\", password: \"b\") { id } }"
#define PASSWORD "mutation { changePassword(new: \"b\") { id } }"

static const struct pst_graphql_root_field logins[] = {
    {{"login", 5}, PST_GRAPHQL_MUTATION, false}};
static const struct pst_graphql_root_field passwords[] = {
    {{"changePassword", 14}, PST_GRAPHQL_MUTATION, false}};
static const struct pst_graphql_rules rules = {
    .logins = logins,
    .login_count = 1,
    .passwords = passwords,
    .password_count = 1,
};

struct fixture {
    struct document_lookup *documents;
    struct pst_arena *arena;
    struct pst_graphql_error error;
    char reason[256];
};

static struct fixture fix;

static void
open_documents(const struct document_lookup_options *options)
{
    if (document_lookup_new(&fix.documents, options, fix.reason,
                            sizeof(fix.reason)) != PST_OK)
        fail_msg("%s", fix.reason);
    assert_int_equal(pst_arena_new(&fix.arena, 256 * 1024), PST_OK);
}

static int
fixture_open(void **state)
{
    const struct document_lookup_options options = {
        .rules = &rules, .size_max = SIZE, .is_persistent = true};

    (void)state;
    open_documents(&options);
    return 0;
}

static int
fixture_close(void **state)
{
    (void)state;
    document_lookup_free(&fix.documents);
    pst_arena_free(&fix.arena);
    return 0;
}

/* Read a document; fail the test unless it has the wanted result. */
static const struct pst_graphql_summary *
read_text(struct pst_str text, enum pst_err want)
{
    const struct pst_graphql_summary *summary = NULL;
    enum pst_err e = document_lookup_read(fix.documents, fix.arena, text,
                                          &summary, &fix.error);

    if (e != want)
        fail_msg("%.60s: %s, want %s", text.ptr, pst_err_code(e),
                 pst_err_code(want));
    assert_true((e == PST_OK) == (summary != NULL));
    return summary;
}

static const struct pst_graphql_summary *
persist(struct pst_str text, const uint8_t *hash, enum pst_err want)
{
    const struct pst_graphql_summary *summary = NULL;
    uint8_t own[PST_HASH_LEN];
    enum pst_err e;

    pst_crypto_sha256(pst_str_bytes(text), own);
    e = document_lookup_persist(fix.documents, fix.arena, text,
                                hash ? hash : own, &summary, &fix.error);
    if (e != want)
        fail_msg("%.60s: %s, want %s", text.ptr, pst_err_code(e),
                 pst_err_code(want));
    assert_true((e == PST_OK) == (summary != NULL));
    return summary;
}

/* Find a text by its SHA-256. NULL: not found. */
static const struct pst_graphql_summary *
find_hash_of(struct pst_str text)
{
    const struct pst_graphql_summary *summary = NULL;
    uint8_t hash[PST_HASH_LEN];
    enum pst_err e;

    pst_crypto_sha256(pst_str_bytes(text), hash);
    e = document_lookup_find_hash(fix.documents, fix.arena, hash, &summary);
    assert_int_equal(e, summary ? PST_OK : PST_NOT_FOUND);
    return summary;
}

static const struct pst_graphql_summary *
find_id(struct pst_str id)
{
    const struct pst_graphql_summary *summary = NULL;
    enum pst_err e =
        document_lookup_find_id(fix.documents, fix.arena, id, &summary);

    assert_int_equal(e, summary ? PST_OK : PST_NOT_FOUND);
    return summary;
}

static void
test_remembered(void **state)
{
    const struct pst_graphql_summary *first = read_text(PST_STR(ME), PST_OK);

    (void)state;
    assert_true(document_lookup_is_persistent(fix.documents));
    assert_ptr_equal(read_text(PST_STR(ME), PST_OK), first);
    assert_ptr_not_equal(read_text(PST_STR(ME " "), PST_OK), first);
    pst_arena_reset(fix.arena);
    assert_ptr_equal(read_text(PST_STR(ME), PST_OK), first);
    assert_true(pst_str_equal(first->text, PST_STR(ME)));
    /* found only by text: it is not registered */
    assert_null(find_hash_of(PST_STR(ME)));
}

/* L67 */
static void
test_malformed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fix.error.message[0] = '\0';
        (void)read_text(PST_STR("{ me "), PST_MALFORMED);
        assert_true(fix.error.message[0] != '\0');
        (void)persist(PST_STR("{ me "), NULL, PST_MALFORMED);
        assert_null(find_hash_of(PST_STR("{ me ")));
    }
}

/* L55: an empty text cannot be registered. */
static void
test_blank(void **state)
{
    (void)state;
    (void)read_text(PST_STR(""), PST_MALFORMED);
    (void)read_text(PST_STR(" \n"), PST_MALFORMED);
    (void)persist(PST_STR(""), NULL, PST_MALFORMED);
    assert_null(find_hash_of(PST_STR("")));
}

/* Documents whose text can contain a password are not cached. */
static void
test_passwords_are_forgotten(void **state)
{
    static const struct pst_str rows[] = {{LOGIN, sizeof(LOGIN) - 1},
                                          {PASSWORD, sizeof(PASSWORD) - 1}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_graphql_summary *first = read_text(rows[i], PST_OK);

        assert_true(first->has_login || first->has_password);
        assert_ptr_not_equal(read_text(rows[i], PST_OK), first);
        assert_ptr_not_equal(persist(rows[i], NULL, PST_OK), first);
        assert_null(find_hash_of(rows[i]));
    }
}

static void
test_long_ones_are_forgotten(void **state)
{
    static char text[DOCUMENTS_TEXT_MAX + 1];
    const struct pst_graphql_summary *first;

    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text, "{a}", 3);
    for (size_t len = DOCUMENTS_TEXT_MAX; len <= sizeof(text); len++) {
        struct pst_str all = {text, len};

        first = persist(all, NULL, PST_OK);
        assert_int_equal(read_text(all, PST_OK) == first,
                         len == DOCUMENTS_TEXT_MAX);
        assert_int_equal(find_hash_of(all) != NULL, len == DOCUMENTS_TEXT_MAX);
    }
}

static void
test_automatic_persisted_queries(void **state)
{
    static const uint8_t wrong[PST_HASH_LEN] = {1};
    const struct pst_graphql_summary *first;
    uint8_t hash[PST_HASH_LEN];

    (void)state;
    assert_null(find_hash_of(PST_STR(ME)));
    pst_crypto_sha256(pst_str_bytes(PST_STR("{other}")), hash);
    (void)persist(PST_STR(ME), wrong, PST_HASH_MISMATCH);
    (void)persist(PST_STR(ME), hash, PST_HASH_MISMATCH);
    assert_null(find_hash_of(PST_STR(ME)));
    assert_null(find_hash_of(PST_STR("{other}")));
    first = persist(PST_STR(ME), NULL, PST_OK);
    assert_ptr_equal(find_hash_of(PST_STR(ME)), first);
    assert_ptr_equal(read_text(PST_STR(ME), PST_OK), first);
    assert_ptr_equal(persist(PST_STR(ME), NULL, PST_OK), first);
    /* a text that was read before it is registered */
    first = read_text(PST_STR("{b}"), PST_OK);
    assert_ptr_equal(persist(PST_STR("{b}"), NULL, PST_OK), first);
    assert_ptr_equal(find_hash_of(PST_STR("{b}")), first);
}

/* A registered query that was used once is not evicted by many others. */
static void
test_flood(void **state)
{
    const struct pst_graphql_summary *first =
        persist(PST_STR(ME), NULL, PST_OK);
    char text[64];

    (void)state;
    assert_ptr_equal(find_hash_of(PST_STR(ME)), first);
    for (size_t i = 0; i < 10000; i++) {
        (void)snprintf(text, sizeof(text), "{ a%zu(b: %zu) }", i, i);
        (void)persist(pst_str_from(text), NULL, PST_OK);
        pst_arena_reset(fix.arena);
    }
    assert_ptr_equal(find_hash_of(PST_STR(ME)), first);
    assert_null(find_hash_of(PST_STR("{ a1(b: 1) }")));
}

/* Plain CGI: nothing is cached; the rest is the same. */
static void
test_not_lasting(void **state)
{
    const struct document_lookup_options options = {.rules = &rules,
                                                    .size_max = SIZE};
    const struct pst_graphql_summary *first;

    (void)state;
    open_documents(&options);
    assert_false(document_lookup_is_persistent(fix.documents));
    first = read_text(PST_STR(ME), PST_OK);
    assert_ptr_not_equal(read_text(PST_STR(ME), PST_OK), first);
    (void)persist(PST_STR(ME), NULL, PST_OK);
    assert_null(find_hash_of(PST_STR(ME)));
    assert_null(find_id(PST_STR("1")));
    (void)fixture_close(NULL);
}

static const char manifest_json[] =
    "{\"me\":\"" ME "\",\"in\":\"mutation L($p: S) { login(p: $p) { id } }\"}";

static void
open_manifest(const char *json, bool is_manifest_only, bool is_persistent)
{
    char path[] = "/tmp/postern-test-XXXXXX";
    int descriptor = mkstemp(path);
    const struct document_lookup_options options = {
        .rules = &rules,
        .size_max = SIZE,
        .is_persistent = is_persistent,
        .manifest = path,
        .is_manifest_only = is_manifest_only};

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, json, strlen(json)), strlen(json));
    assert_int_equal(close(descriptor), 0);
    open_documents(&options);
    assert_int_equal(unlink(path), 0);
}

static void
test_manifest(void **state)
{
    const struct pst_str login =
        PST_STR("mutation L($p: S) { login(p: $p) { id } }");
    const struct pst_graphql_summary *me;

    (void)state;
    for (int is_persistent = 0; is_persistent < 2; is_persistent++) {
        open_manifest(manifest_json, false, is_persistent);
        me = find_id(PST_STR("me"));
        assert_non_null(me);
        assert_ptr_equal(find_hash_of(PST_STR(ME)), me);
        assert_ptr_equal(read_text(PST_STR(ME), PST_OK), me);
        assert_ptr_equal(persist(PST_STR(ME), NULL, PST_OK), me);
        assert_true(find_id(PST_STR("in"))->has_login);
        assert_ptr_equal(read_text(login, PST_OK), find_id(PST_STR("in")));
        assert_null(find_id(PST_STR("ME")));
        (void)read_text(PST_STR("{other}"), PST_OK);
        (void)fixture_close(NULL);
    }
}

/* L55, L67: with a manifest only, texts must be listed byte for byte. */
static void
test_manifest_only(void **state)
{
    static const uint8_t wrong[PST_HASH_LEN] = {1};
    static const char *const rows[] = {
        "",
        "{other}",
        ME " ",
        " " ME,
        "query Me { me { id }}",
        "{ me { ",
        LOGIN,
        "query Me { me { Id } }",
    };
    const struct pst_graphql_summary *me;

    (void)state;
    open_manifest(manifest_json, true, true);
    me = find_id(PST_STR("me"));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str text = pst_str_from(rows[i]);

        (void)read_text(text, PST_DOCUMENT_NOT_ALLOWED);
        (void)persist(text, NULL, PST_DOCUMENT_NOT_ALLOWED);
        (void)read_text(text, PST_DOCUMENT_NOT_ALLOWED);
        assert_null(find_hash_of(text));
    }
    assert_ptr_equal(read_text(PST_STR(ME), PST_OK), me);
    assert_ptr_equal(persist(PST_STR(ME), NULL, PST_OK), me);
    (void)persist(PST_STR(ME), wrong, PST_HASH_MISMATCH);
    assert_ptr_equal(find_hash_of(PST_STR(ME)), me);
    (void)fixture_close(NULL);
}

static void
test_bad_manifest(void **state)
{
    struct document_lookup *documents = NULL;
    const struct document_lookup_options options = {
        .rules = &rules, .size_max = SIZE, .manifest = "/nowhere/x.json"};

    (void)state;
    assert_int_equal(document_lookup_new(&documents, &options, fix.reason,
                                         sizeof(fix.reason)),
                     PST_BAD_CONFIG);
    assert_string_equal(fix.reason,
                        "/nowhere/x.json cannot be read: No such file or "
                        "directory");
    assert_null(documents);
}

/* A summary is valid until the arena's reset, also after eviction. */
static void
test_held(void **state)
{
    const struct pst_graphql_summary *held = read_text(PST_STR(ME), PST_OK);
    struct pst_arena *others = NULL;
    struct pst_arena *ours = fix.arena;
    char text[64];

    (void)state;
    assert_int_equal(pst_arena_new(&others, 256 * 1024), PST_OK);
    fix.arena = others;
    for (size_t i = 0; i < 3000; i++) {
        (void)snprintf(text, sizeof(text), "{ a%zu(b: %zu) }", i, i);
        (void)read_text(pst_str_from(text), PST_OK);
        pst_arena_reset(fix.arena);
    }
    assert_ptr_not_equal(read_text(PST_STR(ME), PST_OK), held);
    document_lookup_free(&fix.documents);
    assert_true(pst_str_equal(held->text, PST_STR(ME)));
    pst_arena_free(&others);
    fix.arena = ours;
}

/* Each allocation fails in turn: of the heap, and of the arena. */
static void
test_no_memory(void **state)
{
    const struct pst_graphql_summary *summary = NULL;
    const struct document_lookup_options options = {
        .rules = &rules, .size_max = SIZE, .is_persistent = true};
    struct document_lookup *documents = NULL;
    bool has_failed = true;

    (void)state;
    for (size_t n = 1; has_failed; n++) {
        enum pst_err e;

        assert_true(n < 20);
        failing_at(n);
        e = document_lookup_new(&documents, &options, fix.reason,
                                sizeof(fix.reason));
        has_failed = failing_has_failed();
        assert_int_equal(e, has_failed ? PST_NO_MEMORY : PST_OK);
        document_lookup_free(&documents);
    }
    has_failed = true;
    for (size_t n = 1; has_failed; n++) {
        uint8_t hash[PST_HASH_LEN];
        enum pst_err e;

        assert_true(n < 50);
        pst_crypto_sha256(pst_str_bytes(PST_STR(ME)), hash);
        failing_at(n);
        e = document_lookup_persist(fix.documents, fix.arena, PST_STR(ME), hash,
                                    &summary, &fix.error);
        has_failed = failing_has_failed();
        assert_int_equal(e, has_failed ? PST_NO_MEMORY : PST_OK);
        assert_int_equal(find_hash_of(PST_STR(ME)) == NULL, has_failed);
        pst_arena_reset(fix.arena);
    }
    pst_arena_fail_at(fix.arena, 1);
    (void)read_text(PST_STR(ME), PST_NO_MEMORY);
    (void)persist(PST_STR(ME), NULL, PST_NO_MEMORY);
}

struct job {
    pthread_t thread;
    size_t number;
    bool is_right;
};

/* Threads read some documents in common and many others; all are right. */
static void *
work(void *context)
{
    struct job *job = context;
    struct pst_arena *arena = NULL;
    bool is_right = pst_arena_new(&arena, 64 * 1024) == PST_OK;

    for (size_t i = 0; i < 2000 && is_right; i++) {
        size_t n = i % 3 > 0 ? i % 50 : job->number * 1000000 + i;
        const struct pst_graphql_summary *summary = NULL;
        struct pst_graphql_error error;
        uint8_t hash[PST_HASH_LEN];
        char text[64];
        enum pst_err e;

        (void)snprintf(text, sizeof(text), "query Q%zu { a b }", n);
        pst_crypto_sha256(pst_str_bytes(pst_str_from(text)), hash);
        e = document_lookup_find_hash(fix.documents, arena, hash, &summary);
        if (e == PST_NOT_FOUND && i % 2)
            e = document_lookup_persist(fix.documents, arena,
                                        pst_str_from(text), hash, &summary,
                                        &error);
        else if (e == PST_NOT_FOUND)
            e = document_lookup_read(fix.documents, arena, pst_str_from(text),
                                     &summary, &error);
        is_right = e == PST_OK &&
                   pst_str_equal(summary->text, pst_str_from(text)) &&
                   summary->operations->root_count == 2;
        if (i % 4 == 0)
            pst_arena_reset(arena);
    }
    pst_arena_free(&arena);
    job->is_right = is_right;
    return NULL;
}

static void
test_threads(void **state)
{
    const struct document_lookup_options options = {
        .rules = &rules, .size_max = 64 * 1024, .is_persistent = true};
    struct job jobs[8];

    (void)state;
    open_documents(&options);
    for (size_t i = 0; i < PST_COUNT(jobs); i++) {
        jobs[i].number = i + 1;
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]),
                         0);
    }
    for (size_t i = 0; i < PST_COUNT(jobs); i++) {
        assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
        assert_true(jobs[i].is_right);
    }
    (void)fixture_close(NULL);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_remembered),
        TEST(test_malformed),
        TEST(test_blank),
        TEST(test_passwords_are_forgotten),
        TEST(test_long_ones_are_forgotten),
        TEST(test_automatic_persisted_queries),
        TEST(test_flood),
        cmocka_unit_test(test_not_lasting),
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_manifest_only),
        cmocka_unit_test(test_bad_manifest),
        TEST(test_held),
        TEST(test_no_memory),
        cmocka_unit_test(test_threads),
    };

    if (pst_crypto_init() != PST_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
