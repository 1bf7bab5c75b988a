/* SPDX-License-Identifier: ISC */
/*
 * test_backend_identity.c - who a user is, by the response to the who
 * document.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend_config.h"
#include "upstream/backend_identity.h"

/* Who it is. */

struct who_row {
    const char *name;
    int status;
    const char *body; /* NULL: absent */
    enum pst_identity known;
};

#define ME(value) "{\"data\":{\"me\":" value "}}"
#define DENIED(code) \
    "{\"message\":\"no\",\"extensions\":{\"code\":\"" code "\"}}"
#define SOMEBODY "{\"id\":\"3\",\"identifier\":\"a@b\"}"

static enum pst_err
read_who(const struct config *config, int status, const char *body,
         struct backend_identity *out)
{
    const struct backend_response answer = {status, pst_str_from(body)};

    return backend_parse_who(arena, config, NOW, &answer, out);
}

/* NOBODY is an explicit response. Any other response without a user is
 * UNKNOWN. */
static void
test_who(void **state)
{
    static const struct who_row rows[] = {
        {"somebody", 200, ME(SOMEBODY), PST_IDENTITY_KNOWN},
        {"no errors", 200, "{\"errors\":[],\"data\":{\"me\":" SOMEBODY "}}",
         PST_IDENTITY_KNOWN},
        {"null", 200, ME("null"), PST_IDENTITY_GUEST},
        {"null with 401", 401, ME("null"), PST_IDENTITY_GUEST},
        {"FORBIDDEN", 200,
         "{\"errors\":[" DENIED("FORBIDDEN") "],\"data\":{\"me\":null}}",
         PST_IDENTITY_GUEST},
        {"UNAUTHENTICATED", 401, "{\"errors\":[" DENIED("UNAUTHENTICATED") "]}",
         PST_IDENTITY_GUEST},
        {"both", 200,
         "{\"errors\":[" DENIED("FORBIDDEN") "," DENIED(
             "UNAUTHENTICATED") "],\"data\":null}",
         PST_IDENTITY_GUEST},
        {"another code", 200,
         "{\"errors\":[" DENIED(
             "INTERNAL_SERVER_ERROR") "],\"data\":{\"me\":null}}",
         PST_IDENTITY_UNKNOWN},
        {"another code beside it", 200,
         "{\"errors\":[" DENIED("FORBIDDEN") "," DENIED("X") "]}",
         PST_IDENTITY_UNKNOWN},
        {"no code", 200,
         "{\"errors\":[{\"message\":\"FORBIDDEN\"}],\"data\":{\"me\":null}}",
         PST_IDENTITY_UNKNOWN},
        {"errors that are not a list", 200,
         "{\"errors\":" DENIED("FORBIDDEN") "}", PST_IDENTITY_UNKNOWN},
        {"FORBIDDEN, and somebody", 200,
         "{\"errors\":[" DENIED("FORBIDDEN") "],\"data\":{\"me\":" SOMEBODY
                                             "}}",
         PST_IDENTITY_UNKNOWN},
        {"errors, and somebody", 200,
         "{\"errors\":[{}],\"data\":{\"me\":" SOMEBODY "}}",
         PST_IDENTITY_UNKNOWN},
        {"500, and null", 500, ME("null"), PST_IDENTITY_UNKNOWN},
        {"500, and FORBIDDEN", 500, "{\"errors\":[" DENIED("FORBIDDEN") "]}",
         PST_IDENTITY_UNKNOWN},
        {"399, and somebody", 399, ME(SOMEBODY), PST_IDENTITY_KNOWN},
        {"400, and somebody", 400, ME(SOMEBODY), PST_IDENTITY_UNKNOWN},
        {"401, and somebody", 401, ME(SOMEBODY), PST_IDENTITY_UNKNOWN},
        {"401 in plain text", 401, "no", PST_IDENTITY_UNKNOWN},
        {"HTML", 200, "<html>", PST_IDENTITY_UNKNOWN},
        {"nothing", 200, "", PST_IDENTITY_UNKNOWN},
        {"encoded", 200, NULL, PST_IDENTITY_UNKNOWN},
        {"a list", 200, "[" ME("null") "]", PST_IDENTITY_UNKNOWN},
        {"no data", 200, "{}", PST_IDENTITY_UNKNOWN},
        {"data that is null", 200, "{\"data\":null}", PST_IDENTITY_UNKNOWN},
        {"another field", 200, "{\"data\":{\"you\":" SOMEBODY "}}",
         PST_IDENTITY_UNKNOWN},
        {"no id", 200, ME("{\"identifier\":\"a@b\"}"), PST_IDENTITY_UNKNOWN},
        {"an id that is null", 200, ME("{\"id\":null}"), PST_IDENTITY_UNKNOWN},
        {"a list of them", 200, ME("[" SOMEBODY "]"), PST_IDENTITY_UNKNOWN},
        {"a string", 200, ME("\"3\""), PST_IDENTITY_UNKNOWN},
        {"two ids", 200, ME("{\"id\":\"3\",\"id\":\"4\"}"),
         PST_IDENTITY_UNKNOWN},
    };
    struct config *config = configured(&vendure);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        bool is_known = rows[i].known == PST_IDENTITY_KNOWN;
        struct backend_identity out;

        pst_arena_reset(arena);
        assert_int_equal(read_who(config, rows[i].status, rows[i].body, &out),
                         PST_OK);
        if (out.known != rows[i].known)
            fail_msg("%s: %d", rows[i].name, (int)out.known);
        expect_text(rows[i].name, out.sub, is_known ? "3" : "");
        expect_text(rows[i].name, out.name, is_known ? "a@b" : "");
        expect_text(rows[i].name, out.who, is_known ? SOMEBODY : "{}");
        assert_int_equal(out.end, 0);
    }
    config_free(&config);
}

/* No secret is public, under any response key. Our own secret is not either. */
static void
test_who_without_secrets(void **state)
{
    struct config *config = configured(&asked);
    struct backend_identity out;

    (void)state;
    pst_arena_reset(arena);
    assert_int_equal(
        read_who(config, 200,
                 ME("{\"__typename\":\"Admin\",\"ownerId\":\"7\",\"email\":"
                    "\"a@b\",\"role\":null,\"secret\":\"s1\",\"other\":\"t1\","
                    "\"ttl\":60,\"expiresAt\":\"never\",\"level\":3,"
                    "\"token\":\"t2\"}"),
                 &out),
        PST_OK);
    assert_int_equal(out.known, PST_IDENTITY_KNOWN);
    expect_text("sub", out.sub, "7");
    expect_text("who", out.who,
                "{\"ownerId\":\"7\",\"email\":\"a@b\",\"role\":null,"
                "\"level\":3}");
    assert_int_equal(out.end, NOW + 60);
    assert_int_equal(
        read_who(config, 200, ME("{\"ownerId\":\"7\",\"ttl\":\"soon\"}"), &out),
        PST_OK);
    assert_int_equal(out.known, PST_IDENTITY_UNKNOWN);
    assert_int_equal(out.end, 0);
    config_free(&config);
}

/* R66: out of memory is an error of its own, never UNKNOWN. */
static void
test_no_memory(void **state)
{
    struct config *who_config = configured(&asked);
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        struct backend_identity out = {.end = 4711};

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = read_who(who_config, 200,
                     ME("{\"ownerId\":7,\"email\":\"a@b\",\"ttl\":60}"), &out);
        assert_int_equal(out.end, e ? 4711 : NOW + 60);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 10, 999);
    config_free(&who_config);
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
    pst_arena_reset(arena);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_buf buf;

        pst_buf_init_arena(&buf, arena, 1000);
        backend_emit_public_fields(&buf, pst_str_from(rows[i].who), NOW);
        expect_text(rows[i].who, pst_buf_str(&buf), rows[i].want);
    }
}

/* The words for the log: what came in place of a user. */
static void
test_who_reason(void **state)
{
    static const struct {
        int status;
        const char *body;
        const char *reason; /* absent: not unknown */
    } rows[] = {
        {200, ME("null"), NULL},
        {200, ME(SOMEBODY), NULL},
        {200, ME("{\"identifier\":\"a@b\"}"),
         "expected the user's id at POSTERN_SUBJECT, and it is missing"},
        {200, ME("{\"id\":null}"),
         "expected the user's id at POSTERN_SUBJECT, and got null"},
        {200, "{\"errors\":[" DENIED("X") "]}",
         "the backend answered with an error: X"},
        {401, "{\"errors\":[{\"message\":\"bad token TOKEN\"}]}",
         "the backend answered with an error: no extensions.code"},
        {400,
         "{\"errors\":[{\"message\":\"Cannot query field 'me' on type "
         "'Query'.\",\"locations\":[]}]}",
         "it does not fit the backend's schema: Cannot query field 'me' on "
         "type 'Query'."},
        {200, "<html>", "the backend's answer has no user; its status is 200"},
        {500, "{\"data\":{}}",
         "the backend's answer has no user; its status is 500"},
    };
    struct config *config = configured(&vendure);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct backend_identity out;

        pst_arena_reset(arena);
        assert_int_equal(read_who(config, rows[i].status, rows[i].body, &out),
                         PST_OK);
        expect_text(rows[i].body, out.reason, rows[i].reason);
    }
    config_free(&config);
}

/* {session{user{id}}}: null above the id is nobody, a null id is not. */
static void
test_who_further_down(void **state)
{
    static const struct who_row rows[] = {
        {"somebody", 200, ME("{\"user\":{\"id\":\"3\"}}"), PST_IDENTITY_KNOWN},
        {"no session", 200, ME("null"), PST_IDENTITY_GUEST},
        {"no user", 200, ME("{\"user\":null}"), PST_IDENTITY_GUEST},
        {"no user, and an error", 200,
         "{\"errors\":[{}],\"data\":{\"me\":{\"user\":null}}}",
         PST_IDENTITY_UNKNOWN},
        {"no id", 200, ME("{\"user\":{\"id\":null}}"), PST_IDENTITY_UNKNOWN},
        {"no field", 200, ME("{}"), PST_IDENTITY_UNKNOWN},
    };
    struct config *config = configured(&nested);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct backend_identity out;

        pst_arena_reset(arena);
        assert_int_equal(read_who(config, rows[i].status, rows[i].body, &out),
                         PST_OK);
        if (out.known != rows[i].known)
            fail_msg("%s: %d", rows[i].name, (int)out.known);
    }
    config_free(&config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who),
        cmocka_unit_test(test_who_reason),
        cmocka_unit_test(test_who_further_down),
        cmocka_unit_test(test_who_without_secrets),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_public),
    };

    return RUN_WITH_ARENA(tests);
}
