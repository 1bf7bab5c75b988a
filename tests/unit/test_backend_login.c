/* SPDX-License-Identifier: ISC */
/*
 * test_backend_login.c - which responses are a login, and of which user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend_config.h"
#include "base/limits.h"
#include "upstream/backend_login.h"

/* Logins. */

struct login_row {
    const char *name;
    int status;
    const char *body; /* NULL: absent */
    enum backend_result result;
    const char *reason; /* part of the sentence; NULL: none */
};

static enum pst_err
read_login(const struct config *config, int status, const char *body,
           struct backend_outcome *out)
{
    const struct backend_response answer = {status, pst_str_from(body)};

    return backend_parse_login(arena, config, &config->backend.logins[0], NOW,
                               &answer, out);
}

static void
expect_results(const struct setting *setting, const struct login_row *rows,
               size_t count)
{
    struct config *config = configured(setting);

    for (size_t i = 0; i < count; i++) {
        const struct login_row *row = &rows[i];
        struct backend_outcome out;

        pst_arena_reset(arena);
        assert_int_equal(read_login(config, row->status, row->body, &out),
                         PST_OK);
        if (out.result != row->result)
            fail_msg("%s: result %d, %s", row->name, (int)out.result,
                     out.reason);
        if (!row->reason != !*out.reason ||
            (row->reason && !strstr(out.reason, row->reason)))
            fail_msg("%s: says \"%s\"", row->name, out.reason);
        if (out.result != BACKEND_GRANTED &&
            out.identity.known != PST_IDENTITY_UNKNOWN)
            fail_msg("%s: names somebody", row->name);
    }
    config_free(&config);
}

#define LOGIN(members) "{\"data\":{\"login\":{" members "}}}"
#define GOOD "\"secret\":\"fn1\",\"ownerId\":\"7\""
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define NOT_JSON "expected a JSON object with data or errors"
#define NO_ID "expected the user's id at POSTERN_SUBJECT"
#define NO_TOKEN "the token, at POSTERN_UPSTREAM_TOKEN, cannot be sent in a"
#define PLACE "\"locations\":[{\"line\":1,\"column\":2}]"

static void
test_granted(void **state)
{
    static const struct login_row rows[] = {
        {"all", 200, LOGIN(GOOD), BACKEND_GRANTED, NULL},
        {"201", 201, LOGIN(GOOD), BACKEND_GRANTED, NULL},
        {"no errors", 200, "{\"errors\":[],\"data\":{\"login\":{" GOOD "}}}",
         BACKEND_GRANTED, NULL},
        {"errors that are null", 200,
         "{\"errors\":null,\"data\":{\"login\":{" GOOD "}}}", BACKEND_GRANTED,
         NULL},
        {"extensions", 200,
         "{\"data\":{\"login\":{" GOOD "}},\"extensions\":{\"a\":1}}",
         BACKEND_GRANTED, NULL},
    };

    (void)state;
    expect_results(&fauna, rows, PST_COUNT(rows));
}

static void
test_refused(void **state)
{
    static const struct login_row rows[] = {
        {"errors", 200,
         "{\"errors\":[{\"message\":\"no\",\"path\":[\"login\"]}],\"data\":"
         "null}",
         BACKEND_REFUSED, NULL},
        {"errors and a secret", 200,
         "{\"errors\":[{}],\"data\":{\"login\":{" GOOD "}}}", BACKEND_REFUSED,
         NULL},
        {"errors that are not a list", 200,
         "{\"errors\":{},\"data\":{\"login\":{" GOOD "}}}", BACKEND_REFUSED,
         NULL},
        {"null", 200, "{\"data\":{\"login\":null}}", BACKEND_REFUSED, NULL},
        {"an error as a result", 200,
         LOGIN("\"errorCode\":\"INVALID_CREDENTIALS_ERROR\""), BACKEND_REFUSED,
         NULL},
        {"an error as a result, and a secret", 200,
         LOGIN(GOOD ",\"errorCode\":\"X\""), BACKEND_REFUSED, NULL},
        {"no secret", 200, LOGIN("\"ownerId\":\"7\""), BACKEND_REFUSED, NULL},
        {"a secret that is null", 200,
         LOGIN("\"secret\":null,\"ownerId\":\"7\""), BACKEND_REFUSED, NULL},
        {"401", 401, "{\"errors\":[{}]}", BACKEND_REFUSED, NULL},
        {"401 with a session", 401, LOGIN(GOOD), BACKEND_REFUSED, NULL},
        {"L59: 401 in plain text", 401, "wrong", BACKEND_REFUSED, NULL},
        {"L59: 403 in HTML", 403, "<html>", BACKEND_REFUSED, NULL},
        {"L59: 400 without anything", 400, "", BACKEND_REFUSED, NULL},
        {"L59: 499 encoded", 499, NULL, BACKEND_REFUSED, NULL},
        {"L59: 401 with a list", 401, "[]", BACKEND_REFUSED, NULL},
    };

    (void)state;
    expect_results(&fauna, rows, PST_COUNT(rows));
}

static void
test_invalid(void **state)
{
    static const struct login_row rows[] = {
        {"HTML", 200, "<html>", BACKEND_INVALID, NOT_JSON},
        {"a redirect", 302, "<a>", BACKEND_INVALID, "with status 302"},
        {"500 in HTML", 500, "<html>", BACKEND_INVALID, "with status 500"},
        {"500 with errors", 500, "{\"errors\":[{}],\"data\":null}",
         BACKEND_INVALID, "5xx"},
        {"503 with a session", 503, LOGIN(GOOD), BACKEND_INVALID, "5xx"},
        {"nothing", 200, "", BACKEND_INVALID, NOT_JSON},
        {"encoded", 200, NULL, BACKEND_INVALID, NOT_JSON},
        {"an array", 200, "[" LOGIN(GOOD) "]", BACKEND_INVALID, NOT_JSON},
        {"two secrets", 200, LOGIN(GOOD ",\"secret\":\"fn2\""), BACKEND_INVALID,
         NOT_JSON},
        {"cut short", 200, "{\"data\":{\"login\":{" GOOD "}}", BACKEND_INVALID,
         NOT_JSON},
        {"neither data nor errors", 200, "{}", BACKEND_INVALID,
         "expected the login field in data"},
        {"no errors, no data", 200, "{\"errors\":[]}", BACKEND_INVALID,
         "expected the login field in data"},
        {"another field", 200, "{\"data\":{\"signIn\":{" GOOD "}}}",
         BACKEND_INVALID, "expected the login field in data"},
        {"U42: a page for a 404", 404, "<html>", BACKEND_INVALID,
         "no GraphQL server answers at POSTERN_UPSTREAM: expected JSON, and "
         "got status 404"},
        {"U42: POST is not allowed", 405, "no", BACKEND_INVALID,
         "got status 405"},
        {"U42: gone", 410, "", BACKEND_INVALID, "got status 410"},
        {"U42: another type", 415, NULL, BACKEND_INVALID, "got status 415"},
        {"data that is a list", 200, "{\"data\":[{" GOOD "}]}", BACKEND_INVALID,
         "expected the login field in data"},
        {"a list of logins", 200, "{\"data\":{\"login\":[{" GOOD "}]}}",
         BACKEND_INVALID, "expected an object"},
        {"a string", 200, "{\"data\":{\"login\":\"fn1\"}}", BACKEND_INVALID,
         "expected an object"},
        {"an empty secret", 200, LOGIN("\"secret\":\"\",\"ownerId\":\"7\""),
         BACKEND_INVALID, NO_TOKEN},
        {"a secret with a line's end", 200,
         LOGIN("\"secret\":\"a\\r\\nb\",\"ownerId\":\"7\""), BACKEND_INVALID,
         NO_TOKEN},
        {"a secret that is a number", 200,
         LOGIN("\"secret\":1,\"ownerId\":\"7\""), BACKEND_INVALID, NO_TOKEN},
        {"L54: no id", 200, LOGIN("\"secret\":\"fn1\""), BACKEND_INVALID,
         "POSTERN_SUBJECT, and it is missing"},
        {"an id that is null", 200,
         LOGIN("\"secret\":\"fn1\",\"ownerId\":null"), BACKEND_INVALID,
         "POSTERN_SUBJECT, and got null"},
        {"an empty id", 200, LOGIN("\"secret\":\"fn1\",\"ownerId\":\"\""),
         BACKEND_INVALID, NO_ID},
        {"an id that is an object", 200,
         LOGIN("\"secret\":\"fn1\",\"ownerId\":{\"a\":\"7\"}"), BACKEND_INVALID,
         NO_ID},
        {"an id that is true", 200,
         LOGIN("\"secret\":\"fn1\",\"ownerId\":true"), BACKEND_INVALID, NO_ID},
        {"an id that is a fraction", 200,
         LOGIN("\"secret\":\"fn1\",\"ownerId\":7.5"), BACKEND_INVALID, NO_ID},
        {"an id of 257 bytes", 200,
         LOGIN("\"secret\":\"fn1\",\"ownerId\":\"" HUNDRED HUNDRED TEN TEN TEN
                   TEN TEN "1234567\""),
         BACKEND_INVALID, "the user's id, at POSTERN_SUBJECT, is too long"},
        {"a name of 257 bytes", 200,
         LOGIN(GOOD ",\"email\":\"" HUNDRED HUNDRED TEN TEN TEN TEN TEN
                    "1234567\""),
         BACKEND_INVALID, "the user's name, at POSTERN_NAME, is too long"},
        {"a ttl in words", 200, LOGIN(GOOD ",\"ttl\":\"soon\""),
         BACKEND_INVALID,
         "the value at POSTERN_TTL is neither a time nor a number"},
        {"a ttl that is an object", 200, LOGIN(GOOD ",\"ttl\":{}"),
         BACKEND_INVALID,
         "the value at POSTERN_TTL is neither a time nor a number"},
    };

    (void)state;
    expect_results(&fauna, rows, PST_COUNT(rows));
}

/* U42: no password was checked, and the log names what does not fit. */
static void
test_schema_mismatch(void **state)
{
    static const struct login_row rows[] = {
        {"400", 400,
         "{\"errors\":[{\"message\":\"Cannot query field \\\"ttl\\\"\"," PLACE
         "}]}",
         BACKEND_SCHEMA_MISMATCH, "schema: Cannot query field \"ttl\""},
        {"200", 200,
         "{\"errors\":[{\"message\":\"Unknown type \\\"X\\\".\"," PLACE "}]}",
         BACKEND_SCHEMA_MISMATCH, "schema: Unknown type"},
        {"500", 500,
         "{\"errors\":[{\"message\":\"Unknown type \\\"X\\\".\"," PLACE "}]}",
         BACKEND_SCHEMA_MISMATCH, "schema: Unknown type"},
        {"by its class", 200,
         "{\"errors\":[{\"message\":\"x\",\"extensions\":{\"classification\":"
         "\"ValidationError\"}}]}",
         BACKEND_SCHEMA_MISMATCH, "schema: x"},
        {"a class of something that ran", 200,
         "{\"errors\":[{\"message\":\"x\"," PLACE ",\"extensions\":{"
         "\"classification\":\"DataFetchingException\"}}]}",
         BACKEND_REFUSED, NULL},
        {"a place alone, in words that are no validator's", 200,
         "{\"errors\":[{\"message\":\"Wrong password.\"," PLACE "}]}",
         BACKEND_REFUSED, NULL},
        {"one of two in a validator's words", 200,
         "{\"errors\":[{\"message\":\"Unknown type \\\"X\\\".\"," PLACE
         "},{\"message\":\"Wrong password.\"," PLACE "}]}",
         BACKEND_REFUSED, NULL},
        {"a validator's words without a place", 200,
         "{\"errors\":[{\"message\":\"Unknown type \\\"X\\\".\"}]}",
         BACKEND_REFUSED, NULL},
        {"by its code", 400,
         "{\"errors\":[{\"message\":\"x\",\"extensions\":{\"code\":"
         "\"GRAPHQL_VALIDATION_FAILED\"}},{\"extensions\":{\"code\":"
         "\"GRAPHQL_PARSE_FAILED\"}}]}",
         BACKEND_SCHEMA_MISMATCH, "schema: x"},
        {"without a message", 400, "{\"errors\":[{" PLACE "}]}",
         BACKEND_REFUSED, NULL},
        {"a long message is cut", 400,
         "{\"errors\":[{\"message\":\"Field \\\"" HUNDRED HUNDRED "\"," PLACE
         "}]}",
         BACKEND_SCHEMA_MISMATCH, "Field \"" HUNDRED TEN},
        {"it ran: a path", 400,
         "{\"errors\":[{" PLACE ",\"path\":[\"login\"]}]}", BACKEND_REFUSED,
         NULL},
        {"it ran: one of two has a path", 400,
         "{\"errors\":[{" PLACE "},{" PLACE ",\"path\":[]}]}", BACKEND_REFUSED,
         NULL},
        {"it ran: data", 200, "{\"errors\":[{" PLACE "}],\"data\":null}",
         BACKEND_REFUSED, NULL},
        {"the input is not an e-mail address", 400,
         "{\"errors\":[{\"message\":\"x\"," PLACE ",\"extensions\":{"
         "\"code\":\"BAD_USER_INPUT\"}}]}",
         BACKEND_REFUSED, NULL},
        {"a message that repeats a password", 400,
         "{\"errors\":[{\"message\":\"Variable \\\"$password\\\" got invalid "
         "value \\\"hunter2\\\"; too short\"," PLACE "}]}",
         BACKEND_REFUSED, NULL},
        {"neither a place nor a code of those", 400,
         "{\"errors\":[{\"extensions\":{\"code\":\"UNAUTHENTICATED\"}}]}",
         BACKEND_REFUSED, NULL},
        {"a message alone", 200, "{\"errors\":[{\"message\":\"no\"}]}",
         BACKEND_REFUSED, NULL},
        {"no list", 400, "{\"errors\":{\"message\":\"no\"}}", BACKEND_REFUSED,
         NULL},
    };

    (void)state;
    expect_results(&fauna, rows, PST_COUNT(rows));
}

/* R80: if a backend repeats the password in an error, the log names what does
 * not fit, without the password. */
static void
test_schema_mismatch_without_values(void **state)
{
    static const char *const messages[] = {
        "Variable \\\"$password\\\" expected value of type 'P!' but got: "
        "hunter2",
        "Variable \\\"$password\\\": the Value was hunter2",
    };
    struct config *config = configured(&fauna);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(messages); i++) {
        struct backend_outcome out;
        char body[256];

        pst_arena_reset(arena);
        (void)snprintf(body, sizeof(body),
                       "{\"errors\":[{\"message\":\"%s\"," PLACE "}]}",
                       messages[i]);
        assert_int_equal(read_login(config, 400, body, &out), PST_OK);
        assert_int_equal(out.result, BACKEND_SCHEMA_MISMATCH);
        assert_non_null(strstr(out.reason, "schema: Variable \"$password\""));
        assert_null(strstr(out.reason, "hunter2"));
    }
    config_free(&config);
}

/* The contents of a granted login. */
static void
test_identity(void **state)
{
    static const struct {
        const char *name;
        const struct setting *setting;
        const char *body;
        const char *sub;
        const char *user;
        const char *who;
        int64_t end;
    } rows[] = {
        {"all", &fauna,
         LOGIN(GOOD ",\"ttl\":\"2023-11-14T23:13:20Z\",\"email\":\"a@b\""), "7",
         "a@b", "{\"ownerId\":\"7\",\"email\":\"a@b\"}", NOW + 3600},
        {"seconds, and a number as id", &fauna,
         LOGIN(
             "\"secret\":\"fn1\",\"ttl\":60,\"email\":\"a@b\",\"ownerId\":-7"),
         "-7", "a@b", "{\"email\":\"a@b\",\"ownerId\":-7}", NOW + 60},
        {"no name, no ttl", &fauna, LOGIN(GOOD), "7", "7",
         "{\"ownerId\":\"7\"}", 0},
        {"both null", &fauna, LOGIN(GOOD ",\"email\":null,\"ttl\":null"), "7",
         "7", "{\"ownerId\":\"7\",\"email\":null}", 0},
        {"CR, LF, NUL are kept", &fauna,
         LOGIN("\"secret\":\"fn1\",\"ownerId\":\"a\\r\\n\""), "a\r\n", "a\r\n",
         "{\"ownerId\":\"a\\r\\n\"}", 0},
        {"what was not asked for is not public", &fauna,
         LOGIN(GOOD ",\"role\":\"admin\",\"again\":\"fn1\""), "7", "7",
         "{\"ownerId\":\"7\"}", 0},
        {"L53, L56: behind aliases, further down", &renamed,
         LOGIN("\"__typename\":\"Result\",\"session\":{\"secret\":\"fn1\","
               "\"ttl\":60},\"refresh\":\"r1\",\"role\":\"x\",\"user\":{"
               "\"id\":\"7\",\"mail\":\"a@b\"},\"level\":1.50,\"id\":\"8\","
               "\"ownerId\":\"9\",\"secret\":\"fn2\""),
         "7", "a@b", "{\"role\":\"x\",\"level\":1.50}", NOW + 60},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct config *config = configured(rows[i].setting);
        struct backend_outcome out;

        pst_arena_reset(arena);
        assert_int_equal(read_login(config, 200, rows[i].body, &out), PST_OK);
        if (out.result != BACKEND_GRANTED ||
            out.identity.known != PST_IDENTITY_KNOWN)
            fail_msg("%s: result %d, %s", rows[i].name, (int)out.result,
                     out.reason);
        assert_non_null(out.root);
        expect_text(rows[i].name, out.secret, "fn1");
        expect_text(rows[i].name, out.identity.sub, rows[i].sub);
        expect_text(rows[i].name, out.identity.name, rows[i].user);
        expect_text(rows[i].name, out.identity.who, rows[i].who);
        if (out.identity.end != rows[i].end)
            fail_msg("%s: end %lld", rows[i].name, (long long)out.identity.end);
        config_free(&config);
    }
}

/* A refused login that has a secret all the same: it must be taken out. */
static void
test_refused_with_secret(void **state)
{
    struct config *config = configured(&fauna);
    struct backend_outcome out;

    (void)state;
    pst_arena_reset(arena);
    assert_int_equal(
        read_login(config, 200,
                   "{\"errors\":[{\"extensions\":{\"code\":\"X\"}}],"
                   "\"data\":{\"login\":{\"secret\":\"fn1\"}}}",
                   &out),
        PST_OK);
    assert_int_equal(out.result, BACKEND_REFUSED);
    expect_text("secret", out.secret, "fn1");
    expect_text("code", out.code, "X");
    assert_int_equal(read_login(config, 401, "no", &out), PST_OK);
    assert_null(out.root);
    expect_text("secret", out.secret, NULL);
    expect_text("code", out.code, NULL);
    config_free(&config);
}

/* The fields about a user that fit into a session, and one byte more. */
static void
test_large_public_part(void **state)
{
    struct config *config = configured(&renamed);
    struct backend_outcome out;
    char role[PST_WHO_MAX + 1] = "";
    char body[2 * PST_WHO_MAX];

    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        pst_arena_reset(arena);
        memset(role, 'r', PST_WHO_MAX - strlen("{\"role\":\"\"}") + more);
        snprintf(body, sizeof(body),
                 LOGIN("\"session\":{\"secret\":\"fn1\"},\"user\":{\"id\":"
                       "\"7\"},\"role\":\"%s\""),
                 role);
        assert_int_equal(read_login(config, 200, body, &out), PST_OK);
        assert_int_equal(out.result, more ? BACKEND_INVALID : BACKEND_GRANTED);
    }
    assert_non_null(strstr(out.reason, "the user's fields are too long"));
    config_free(&config);
}

/* If the who document returns the user, the login response does not. */
static void
test_login_with_who(void **state)
{
    static const struct {
        const char *name;
        const struct setting *setting;
        const char *body;
        enum backend_result result;
        const char *secret;
        int64_t end;
    } rows[] = {
        {"L53: the login response has no user", &asked, LOGIN(GOOD),
         BACKEND_GRANTED, "fn1", 0},
        {"no id", &asked, LOGIN("\"secret\":\"fn1\""), BACKEND_GRANTED, "fn1",
         0},
        /* The token lived on after its end, as only who was asked for it. */
        {"its end all the same", &asked, LOGIN(GOOD ",\"ttl\":60"),
         BACKEND_GRANTED, "fn1", NOW + 60},
        {"an end in words", &asked, LOGIN(GOOD ",\"ttl\":\"soon\""),
         BACKEND_INVALID, "fn1", 0},
        {"an end nobody asked for", &endless, LOGIN(GOOD ",\"ttl\":60"),
         BACKEND_GRANTED, "fn1", 0},
        {"token in a header", &vendure,
         LOGIN("\"__typename\":\"CurrentUser\",\"id\":\"3\""), BACKEND_GRANTED,
         NULL, 0},
        {"a wrong password", &vendure,
         LOGIN("\"__typename\":\"InvalidCredentialsError\",\"errorCode\":"
               "\"INVALID_CREDENTIALS_ERROR\""),
         BACKEND_REFUSED, NULL, 0},
        {"token in a cookie", &cookie, LOGIN("\"ok\":true"), BACKEND_GRANTED,
         NULL, 0},
        {"a string is not a token in a cookie", &cookie,
         "{\"data\":{\"login\":\"fn1\"}}", BACKEND_INVALID, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct config *config = configured(rows[i].setting);
        struct backend_outcome out;

        pst_arena_reset(arena);
        assert_int_equal(read_login(config, 200, rows[i].body, &out), PST_OK);
        if (out.result != rows[i].result || out.identity.end != rows[i].end)
            fail_msg("%s: result %d, end %lld, %s", rows[i].name,
                     (int)out.result, (long long)out.identity.end, out.reason);
        assert_int_equal(out.identity.known, PST_IDENTITY_UNKNOWN);
        expect_text(rows[i].name, out.identity.sub, "");
        expect_text(rows[i].name, out.identity.who, "{}");
        expect_text(rows[i].name, out.secret, rows[i].secret);
        config_free(&config);
    }
}

/* R66: out of memory is an error of its own, never a result. */
static void
test_no_memory(void **state)
{
    static const char login[] =
        LOGIN(GOOD ",\"ttl\":60,\"email\":\"a@b\",\"ownerId2\":7");
    struct config *login_config = configured(&fauna);
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        struct backend_outcome out = {.code = PST_STR("untouched")};

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = read_login(login_config, 200, login, &out);
        if (e) {
            expect_text("outcome", out.code, "untouched");
            continue;
        }
        assert_int_equal(out.result, BACKEND_GRANTED);
        assert_int_equal(out.identity.known, PST_IDENTITY_KNOWN);
        expect_text("subject", out.identity.sub, "7");
        expect_text("token", out.secret, "fn1");
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 10, 999);
    config_free(&login_config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_granted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_schema_mismatch),
        cmocka_unit_test(test_schema_mismatch_without_values),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_refused_with_secret),
        cmocka_unit_test(test_large_public_part),
        cmocka_unit_test(test_login_with_who),
        cmocka_unit_test(test_no_memory),
    };

    return RUN_WITH_ARENA(tests);
}
