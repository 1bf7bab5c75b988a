/* SPDX-License-Identifier: ISC */
/*
 * test_manifest.c - documents of a manifest are found by id, text and hash;
 * errors name file, document, line and column.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "failing.h"
#include "gateway/manifest.h"

#define ME "query Me { me { id } }"

static const struct pst_siphash_key key = {{1, 2}};
static const struct pst_graphql_root_field logins[] = {
    {{"login", 5}, PST_GRAPHQL_MUTATION, false}};
static const struct pst_graphql_rules rules = {.logins = logins,
                                               .login_count = 1};

/* A directory for each test, with a file. */
struct fixture {
    char folder[64];
    char path[80];
    struct config_error reason;
};

static int
fixture_open(void **state)
{
    static struct fixture f;

    (void)snprintf(f.folder, sizeof(f.folder), "/tmp/postern-test-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof(f.path), "%s/manifest.json", f.folder);
    f.reason.message[0] = '\0';
    *state = &f;
    return 0;
}

static int
fixture_close(void **state)
{
    struct fixture *f = *state;

    (void)unlink(f->path);
    return rmdir(f->folder);
}

static void
write_file(const struct fixture *f, struct pst_str text)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static struct manifest *
load(struct fixture *f, const char *json)
{
    struct manifest *manifest = NULL;

    write_file(f, pst_str_from(json));
    if (manifest_new(&manifest, f->path, &rules, &key, &f->reason) != PST_OK)
        fail_msg("%s: %s", json, f->reason.message);
    return manifest;
}

static void
test_found(void **state)
{
    struct manifest *manifest =
        load(*state, "{\"1\":\"" ME "\",\"sha256:2\":\"mutation L { login }\","
                     "\"again\":\"" ME "\"}");
    const struct pst_graphql_summary *me =
        manifest_find_id(manifest, PST_STR("1"));
    const struct pst_graphql_summary *login =
        manifest_find_id(manifest, PST_STR("sha256:2"));
    uint8_t hash[PST_HASH_LEN];

    assert_non_null(me);
    assert_true(pst_str_equal(me->text, PST_STR(ME)));
    assert_true(login && login->has_login);
    assert_non_null(manifest_find_id(manifest, PST_STR("again")));
    assert_null(manifest_find_id(manifest, PST_STR("2")));
    assert_null(manifest_find_id(manifest, PST_STR("")));
    assert_null(manifest_find_id(manifest, PST_STR(ME)));
    assert_ptr_equal(manifest_find_text(manifest, PST_STR(ME)), me);
    assert_null(manifest_find_text(manifest, PST_STR(ME " ")));
    assert_null(manifest_find_text(manifest, PST_STR("")));
    pst_crypto_sha256(pst_str_bytes(PST_STR(ME)), hash);
    assert_ptr_equal(manifest_find_hash(manifest, hash), me);
    hash[31] ^= 1;
    assert_null(manifest_find_hash(manifest, hash));
    manifest_free(&manifest);
    assert_null(manifest);
    manifest_free(&manifest);
}

/* Texts are compared as in the file, also if another text is forwarded. */
static void
test_text_as_in_file(void **state)
{
    struct manifest *manifest =
        load(*state, "{\"1\":\"\\ufeff{ a }\",\"2\":\"{ b }\"}");
    const struct pst_graphql_summary *summary =
        manifest_find_text(manifest, PST_STR("\xEF\xBB\xBF{ a }"));

    assert_non_null(summary);
    assert_true(pst_str_equal(summary->text, PST_STR("{ a }")));
    assert_null(manifest_find_text(manifest, PST_STR("{ a }")));
    manifest_free(&manifest);
}

static void
test_none(void **state)
{
    static const uint8_t hash[PST_HASH_LEN];
    struct manifest *manifest = load(*state, "{}");

    assert_null(manifest_find_id(manifest, PST_STR("a")));
    assert_null(manifest_find_text(manifest, PST_STR("{a}")));
    assert_null(manifest_find_hash(manifest, hash));
    manifest_free(&manifest);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *json; /* NULL: there is no file */
        const char
            *want; /* the message after the file's name, or its beginning */
    } rows[] = {
        {NULL, "cannot be read: No such file or directory"},
        {"", "is empty"},
        {"{\"a\":\n1}",
         "which at line 2, column 1 must have a document's text"},
        {"{\"ok\":\"{a}\",\"b\":\"{\\n  a {\"}",
         "whose document \"b\" is refused: line 2, column "},
        {"{\"b\":\"\"}", "whose document \"b\" is refused: line 1, column 1: "},
        {"{\"b\":\"type T { a: B }\"}",
         "whose document \"b\" is refused: line 1, column 1: "},
        {"{\"b\":\"{a}\",\"c\":\"{c}\",\"b\":\"{b}\"}",
         "where two documents have the id \"b\""},
        {"{\"format\":\"apollo-persisted-query-manifest\",\"version\":1,"
         "\"operations\":[{\"id\":\"x\",\"body\":\"{\"}]}",
         "whose document \"x\" is refused: line 1, column "},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct manifest *manifest = NULL;
        char want[256];
        enum pst_err e;

        if (rows[i].json)
            write_file(f, pst_str_from(rows[i].json));
        e = manifest_new(&manifest, f->path, &rules, &key, &f->reason);
        assert_null(manifest);
        if (e != PST_BAD_CONFIG)
            fail_msg("row %zu: %s", i, pst_err_code(e));
        (void)snprintf(want, sizeof(want),
                       rows[i].json && *rows[i].json ? "names %s, %s" : "%s %s",
                       f->path, rows[i].want);
        if (strncmp(f->reason.message, want, strlen(want)) != 0)
            fail_msg("row %zu: got %s", i, f->reason.message);
    }
}

/* A directory instead of a file, and a file that is too large. */
static void
test_refused_files(void **state)
{
    struct fixture *f = *state;
    struct manifest *manifest = NULL;

    assert_int_equal(
        manifest_new(&manifest, f->folder, &rules, &key, &f->reason),
        PST_BAD_CONFIG);
    assert_non_null(strstr(f->reason.message, "not a regular file"));
    write_file(f, PST_STR("{}"));
    assert_int_equal(truncate(f->path, MANIFEST_MAX + 1), 0);
    assert_int_equal(manifest_new(&manifest, f->path, &rules, &key, &f->reason),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(f->reason.message, "larger than 16777216"));
    assert_null(manifest);
}

/* Thousands of documents, each of which is found. */
static void
test_many(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->path, "w");
    struct manifest *manifest = NULL;
    char text[256];

    assert_non_null(file);
    for (size_t i = 0; i < 5000; i++)
        (void)fprintf(file,
                      "%s\n\"id-%zu\": \"query Q%zu($id: ID!) { product(id: "
                      "$id) { id name } }\"",
                      i > 0 ? "," : "{", i, i);
    assert_true(fprintf(file, "\n}\n") > 0 && fclose(file) == 0);
    assert_int_equal(manifest_new(&manifest, f->path, &rules, &key, &f->reason),
                     PST_OK);
    for (size_t i = 0; i < 5000; i++) {
        const struct pst_graphql_summary *summary;

        (void)snprintf(text, sizeof(text), "id-%zu", i);
        summary = manifest_find_id(manifest, pst_str_from(text));
        assert_non_null(summary);
        (void)snprintf(text, sizeof(text), "Q%zu", i);
        assert_true(
            pst_str_equal(summary->operations->name, pst_str_from(text)));
        assert_ptr_equal(manifest_find_text(manifest, summary->text), summary);
    }
    manifest_free(&manifest);
}

/* Each allocation fails in turn. */
static void
test_no_memory(void **state)
{
    struct fixture *f = *state;
    bool has_failed = true;

    write_file(f, PST_STR("{\"1\":\"{ a { ...F } } fragment F on T { b }\","
                          "\"2\":\"\\ufeff{ b }\"}"));
    for (size_t n = 1; has_failed; n++) {
        struct manifest *manifest = NULL;
        enum pst_err e;

        assert_true(n < 200);
        failing_at(n);
        e = manifest_new(&manifest, f->path, &rules, &key, &f->reason);
        has_failed = failing_has_failed();
        if (e != (has_failed ? PST_NO_MEMORY : PST_OK))
            fail_msg("allocation %zu: %s", n, pst_err_code(e));
        assert_true(has_failed == (manifest == NULL));
        manifest_free(&manifest);
    }
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_found),     TEST(test_text_as_in_file), TEST(test_none),
        TEST(test_refused),   TEST(test_refused_files),   TEST(test_many),
        TEST(test_no_memory),
    };

    if (pst_crypto_init() != PST_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
