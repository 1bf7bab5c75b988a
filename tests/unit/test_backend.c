/* SPDX-License-Identifier: ISC */
/*
 * test_backend.c - login and logout documents, and what is read of an answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend.h"
#include "crypt.h"

static const char *const fauna[] = {
    "COOKIE_SESSION_SECRET=Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe",
    "POSTERN_UPSTREAM=http://127.0.0.1:9/graphql", "POSTERN_STORE=none", NULL};
static const char *const renamed[] = {
    "COOKIE_SESSION_SECRET=Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe",
    "POSTERN_UPSTREAM=http://127.0.0.1:9/graphql",
    "POSTERN_UPSTREAM_TOKEN=json:/data/loginUser/secret",
    "POSTERN_SUBJECT=/data/loginUser/id",
    "POSTERN_NAME=/data/loginUser/mail",
    "POSTERN_TTL=/data/loginUser/ttl",
    "POSTERN_STORE=none",
    NULL};
static const char *const vendure[] = {
    "COOKIE_SESSION_SECRET=Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe",
    "POSTERN_UPSTREAM=http://127.0.0.1:9/shop-api", "POSTERN_BACKEND=vendure",
    NULL};

#define NOW 1700000000

static const struct jar_news no_news;

static struct pst_arena *arena;
static struct config *config;

static void
complain(void *context, const char *variable, const char *why)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", variable, why);
}

static void
configure(const char *const *environment)
{
    const struct config_complaint complaint = {complain, NULL};

    config_free(&config);
    assert_int_equal(pst_crypt_init(), PST_OK);
    assert_int_equal(config_new(&config, environment, &complaint), PST_OK);
    if (!arena)
        assert_int_equal(pst_arena_new(&arena, PST_ARENA_SIZE), PST_OK);
    pst_arena_reset(arena);
}

static int
cleanup(void **state)
{
    (void)state;
    config_free(&config);
    pst_arena_free(&arena);
    return 0;
}

static void
assert_text(const char *row, struct pst_text got, const char *want)
{
    if (!pst_text_equal(got, pst_text_from(want)))
        fail_msg("%s: got \"%.*s\", want \"%s\"", row, (int)got.len,
                 got.ptr ? got.ptr : "", want);
}

/* R69: the password passes unchanged, whatever is in it. */
static void
test_login_request(void **state)
{
    const struct backend_credentials credentials = {
        PST_TEXT("a\"b@example.com"), PST_TEXT(" p\\\"\n\xC3\xA9 "), true};
    struct pst_text body;
    struct pst_buf buf;

    (void)state;
    configure(fauna);
    pst_buf_init_arena(&buf, arena, 8192);
    backend_emit_login(&buf, config, &credentials);
    assert_int_equal(pst_buf_end(&buf, &body), PST_OK);
    assert_true(pst_text_starts(body, PST_TEXT("{\"query\":\"mutation")));
    assert_true(pst_text_ends(
        body, PST_TEXT("\"variables\":{\"email\":\"a\\\"b@example.com\","
                       "\"password\":\" p\\\\\\\"\\n\xC3\xA9 \"}}")));
    configure(vendure);
    pst_buf_init_arena(&buf, arena, 8192);
    backend_emit_login(&buf, config, &credentials);
    assert_int_equal(pst_buf_end(&buf, &body), PST_OK);
    assert_true(pst_text_contains(
        body, PST_TEXT("\"username\":\"a\\\"b@example.com\"")));
    assert_true(pst_text_ends(body, PST_TEXT("\"rememberMe\":true}}")));
    assert_false(pst_text_contains(body, PST_TEXT("\"email\":")));
}

#define LOGIN(members) "{\"data\":{\"login\":{" members "}}}"

static void
test_read_fauna(void **state)
{
    static const struct {
        const char *name;
        int status;
        const char *body;
        enum backend_verdict verdict;
        const char *sub;
        const char *user;
        const char *who;
        int64_t end;
    } rows[] = {
        {"all there", 200,
         LOGIN("\"secret\":\"fn1\",\"ttl\":\"2023-11-14T23:13:20Z\","
               "\"email\":\"a@b\",\"ownerId\":\"7\""),
         BACKEND_GRANTED, "7", "a@b", "{\"email\":\"a@b\",\"ownerId\":\"7\"}",
         NOW + 3600},
        {"seconds and a number as id", 200,
         LOGIN("\"secret\":\"fn1\",\"ttl\":60,\"email\":\"a@b\",\"ownerId\":7"),
         BACKEND_GRANTED, "7", "a@b", "{\"email\":\"a@b\",\"ownerId\":7}",
         NOW + 60},
        {"only the secret", 200, LOGIN("\"secret\":\"fn1\""), BACKEND_GRANTED,
         "typed", "typed", "{}", 0},
        {"the secret twice is told once", 200,
         LOGIN("\"secret\":\"fn1\",\"again\":\"fn1\",\"x\":null"),
         BACKEND_GRANTED, "typed", "typed", "{\"x\":null}", 0},
        {"nested things are not public", 200,
         LOGIN("\"secret\":\"fn1\",\"o\":{\"p\":1},\"l\":[1]"), BACKEND_GRANTED,
         "typed", "typed", "{}", 0},
        {"empty errors", 200,
         "{\"errors\":[],\"data\":{\"login\":{\"secret\":\"fn1\"}}}",
         BACKEND_GRANTED, "typed", "typed", "{}", 0},
        {"errors and a secret", 200,
         "{\"errors\":[{}],\"data\":{\"login\":{\"secret\":\"fn1\"}}}",
         BACKEND_REFUSED, "", "", "", 0},
        {"errors", 200, "{\"errors\":[{\"message\":\"no\"}],\"data\":null}",
         BACKEND_REFUSED, "", "", "", 0},
        {"no secret", 200, LOGIN("\"email\":\"a@b\""), BACKEND_REFUSED, "", "",
         "", 0},
        {"empty secret", 200, LOGIN("\"secret\":\"\""), BACKEND_REFUSED, "", "",
         "", 0},
        {"a secret with a line in it", 200, LOGIN("\"secret\":\"a\\r\\nb\""),
         BACKEND_REFUSED, "", "", "", 0},
        {"a secret that is a number", 200, LOGIN("\"secret\":1"),
         BACKEND_REFUSED, "", "", "", 0},
        {"401", 401, "{\"errors\":[{}]}", BACKEND_REFUSED, "", "", "", 0},
        {"500", 500, "{\"errors\":[{}]}", BACKEND_BROKEN, "", "", "", 0},
        {"no JSON", 200, "<html>", BACKEND_BROKEN, "", "", "", 0},
        {"two secrets", 200, LOGIN("\"secret\":\"a\",\"secret\":\"b\""),
         BACKEND_BROKEN, "", "", "", 0},
        {"an array", 200, "[]", BACKEND_BROKEN, "", "", "", 0},
        {"a bad ttl", 200, LOGIN("\"secret\":\"fn1\",\"ttl\":\"soon\""),
         BACKEND_BROKEN, "", "", "", 0},
    };

    (void)state;
    configure(fauna);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct backend_answer answer = {.status = rows[i].status,
                                              .body =
                                                  pst_text_from(rows[i].body),
                                              .news = &no_news,
                                              .typed = PST_TEXT("typed")};
        struct backend_outcome out;

        pst_arena_reset(arena);
        assert_int_equal(backend_read_login(arena, config, NOW, &answer, &out),
                         PST_OK);
        if (out.verdict != rows[i].verdict)
            fail_msg("%s: verdict %d", rows[i].name, (int)out.verdict);
        if (out.verdict != BACKEND_GRANTED)
            continue;
        assert_text(rows[i].name, out.token, "fn1");
        assert_text(rows[i].name, out.grant.upstream, "\"fn1\"");
        assert_text(rows[i].name, out.grant.sub, rows[i].sub);
        assert_text(rows[i].name, out.grant.name, rows[i].user);
        assert_text(rows[i].name, out.grant.who, rows[i].who);
        if (out.grant.backend_end != rows[i].end)
            fail_msg("%s: end %lld", rows[i].name,
                     (long long)out.grant.backend_end);
    }
}

/* A refused login that has a secret all the same: it must be taken out. */
static void
test_refused_with_secret(void **state)
{
    const struct backend_answer answer = {
        .status = 200,
        .body = PST_TEXT("{\"errors\":[{\"extensions\":{\"code\":\"X\"}}],"
                         "\"data\":{\"login\":{\"secret\":\"fn1\"}}}"),
        .news = &no_news};
    struct backend_outcome out;

    (void)state;
    configure(fauna);
    assert_int_equal(backend_read_login(arena, config, NOW, &answer, &out),
                     PST_OK);
    assert_int_equal(out.verdict, BACKEND_REFUSED);
    assert_text("token", out.token, "fn1");
    assert_text("code", out.code, "X");
}

static void
test_read_vendure(void **state)
{
    static const struct {
        const char *name;
        const char *header;
        const char *body;
        enum backend_verdict verdict;
    } rows[] = {
        {"granted", "75637b6b",
         LOGIN("\"__typename\":\"CurrentUser\",\"id\":\"3\","
               "\"identifier\":\"a@b\""),
         BACKEND_GRANTED},
        {"no header", NULL, LOGIN("\"id\":\"3\",\"identifier\":\"a@b\""),
         BACKEND_REFUSED},
        {"empty header", "", LOGIN("\"id\":\"3\",\"identifier\":\"a@b\""),
         BACKEND_REFUSED},
        {"wrong password", NULL,
         LOGIN("\"__typename\":\"InvalidCredentialsError\","
               "\"errorCode\":\"INVALID_CREDENTIALS_ERROR\""),
         BACKEND_REFUSED},
        {"wrong password, but a guest's token", "75637b6b",
         LOGIN("\"errorCode\":\"INVALID_CREDENTIALS_ERROR\""), BACKEND_REFUSED},
    };

    (void)state;
    configure(vendure);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct jar_news news = {.token = pst_text_from(rows[i].header)};
        const struct backend_answer answer = {.status = 200,
                                              .body =
                                                  pst_text_from(rows[i].body),
                                              .news = &news,
                                              .typed = PST_TEXT("typed")};
        struct backend_outcome out;

        assert_int_equal(backend_read_login(arena, config, NOW, &answer, &out),
                         PST_OK);
        if (out.verdict != rows[i].verdict)
            fail_msg("%s: verdict %d", rows[i].name, (int)out.verdict);
        if (out.verdict != BACKEND_GRANTED)
            continue;
        assert_text(rows[i].name, out.grant.sub, "3");
        assert_text(rows[i].name, out.grant.name, "a@b");
        assert_text(rows[i].name, out.grant.upstream, "\"75637b6b\"");
    }
}

/*
 * A login field that only begins with "login" was taken for the login itself:
 * then nothing in it was found, the session outlived the backend's token, and
 * the name typed stood for the user's id.
 */
static void
test_longer_field(void **state)
{
    const struct backend_answer answer = {
        .status = 200,
        .body = PST_TEXT("{\"data\":{\"loginUser\":{\"secret\":\"fn1\","
                         "\"id\":\"7\",\"mail\":\"a@b\",\"ttl\":60}}}"),
        .news = &no_news,
        .typed = PST_TEXT("typed")};
    struct backend_outcome out;

    (void)state;
    configure(renamed);
    assert_int_equal(backend_read_login(arena, config, NOW, &answer, &out),
                     PST_OK);
    assert_int_equal(out.verdict, BACKEND_GRANTED);
    assert_text("sub", out.grant.sub, "7");
    assert_text("name", out.grant.name, "a@b");
    assert_text("who", out.grant.who, "{\"id\":\"7\",\"mail\":\"a@b\"}");
    assert_int_equal(out.grant.backend_end, NOW + 60);
}

/* A client's own document names nobody but by what cannot be renamed. */
static void
test_clients_document(void **state)
{
    static const struct {
        const char *name;
        const char *body;
        const char *sub;
        const char *user;
        const char *who;
    } rows[] = {
        {"all",
         LOGIN("\"secret\":\"s\",\"email\":\"a@b\",\"ownerId\":\"7\","
               "\"role\":\"admin\""),
         "7", "a@b", "{\"email\":\"a@b\",\"ownerId\":\"7\"}"},
        {"only the secret", LOGIN("\"secret\":\"s\""), "", "", "{}"},
        {"no id", LOGIN("\"secret\":\"s\",\"email\":\"a@b\""), "", "",
         "{\"email\":\"a@b\"}"},
    };

    (void)state;
    configure(fauna);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct backend_answer answer = {.status = 200,
                                              .body =
                                                  pst_text_from(rows[i].body),
                                              .news = &no_news};
        struct backend_outcome out;

        assert_int_equal(backend_read_login(arena, config, NOW, &answer, &out),
                         PST_OK);
        assert_int_equal(out.verdict, BACKEND_GRANTED);
        assert_text(rows[i].name, out.grant.sub, rows[i].sub);
        assert_text(rows[i].name, out.grant.name, rows[i].user);
        assert_text(rows[i].name, out.grant.who, rows[i].who);
    }
}

static void
test_public(void **state)
{
    static const struct {
        const char *who;
        const char *want;
    } rows[] = {
        {"{}", "{\"expiresAt\":\"2023-11-14T22:13:20Z\"}"},
        {"{\"a\":1}", "{\"a\":1,\"expiresAt\":\"2023-11-14T22:13:20Z\"}"},
    };

    (void)state;
    configure(fauna);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_buf buf;

        pst_buf_init_arena(&buf, arena, 1000);
        backend_emit_public(&buf, pst_text_from(rows[i].who), NOW);
        assert_text(rows[i].who, pst_buf_text(&buf), rows[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_request),
        cmocka_unit_test(test_read_fauna),
        cmocka_unit_test(test_refused_with_secret),
        cmocka_unit_test(test_read_vendure),
        cmocka_unit_test(test_longer_field),
        cmocka_unit_test(test_clients_document),
        cmocka_unit_test(test_public),
    };

    return cmocka_run_group_tests_name("backend", tests, NULL, cleanup);
}
