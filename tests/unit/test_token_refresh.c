/* SPDX-License-Identifier: ISC */
/*
 * test_token_refresh.c - the request that refreshes a token, and what is read
 * from its answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/token_refresh.h"

#define DOCUMENT                                          \
    "mutation($refreshToken:String!){renew(refreshToken:" \
    "$refreshToken){secret ttl ownerId refreshToken}}"
#define RENEW(fields) "{\"data\":{\"renew\":{" fields "}}}"
#define GOOD "\"secret\":\"access-2\",\"refreshToken\":\"refresh-2\""
#define LATER (FIXTURE_NOW + 100)

static struct fixture fix;

static const struct pst_session before = {
    .sid = {1},
    .sub = {"7", 1},
    .name = {"a", 1},
    .iat = FIXTURE_NOW,
    .exp = FIXTURE_NOW + 3600,
    .who = {"{}", 2},
    .upstream = {"\"access-1\"", 10},
    .refresh = {"\"refresh-1\"", 11},
    .token_begun = FIXTURE_NOW,
    .token_end = FIXTURE_NOW + 60,
};

static void
init(const char *const *settings)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST",
                                            "HTTP_AUTHORIZATION=Bearer client",
                                            "HTTP_ACCEPT_LANGUAGE=de", NULL};

    fixture_init(&fix, settings);
    fixture_set_refresh(&fix, DOCUMENT);
    fixture_request(&fix, variables, NULL);
    fix.req.source.descriptor = 77;
    fixture_open_log(&fix);
}

static enum pst_err
run(const struct fixture_answer *answer, struct token_refresh *out)
{
    fix.answer = *answer;
    return token_refresh_run(&fix.ctx, &fix.req, &before, LATER, out);
}

static void
test_request(void **state)
{
    struct token_refresh got;

    (void)state;
    init(NULL);
    assert_int_equal(
        run(&(struct fixture_answer){.status = 200, .body = RENEW(GOOD)}, &got),
        PST_OK);
    assert_int_equal(fix.exchanges, 1);
    assert_true(fixture_was_sent(
        &fix, "\"variables\":{\"refreshToken\":\"refresh-1\"}"));
    assert_true(fixture_was_sent(&fix, "Accept-Language: de"));
    assert_false(fixture_was_sent(&fix, "access-1"));
    assert_false(fixture_was_sent(&fix, "Authorization"));
    /* It is sent once, and goes on without the client. */
    assert_false(fix.repeatable[0]);
    assert_int_equal(fix.clients[0], -1);
    fixture_fini(&fix);
}

static void
test_answers(void **state)
{
    static const struct {
        struct fixture_answer answer;
        enum token_refresh_result want;
        const char *upstream;
        const char *refresh;
        int64_t end;
        const char *sub;
        enum pst_err error;
    } rows[] = {
        {{200, {NULL}, RENEW(GOOD ",\"ttl\":30,\"ownerId\":\"7\"")},
         TOKEN_REFRESH_GRANTED,
         "\"access-2\"",
         "\"refresh-2\"",
         LATER + 30,
         "7",
         PST_OK},
        /* No new refresh token, no end, an end in the past. */
        {{200, {NULL}, RENEW("\"secret\":\"b\",\"ownerId\":8")},
         TOKEN_REFRESH_GRANTED,
         "\"b\"",
         "\"refresh-1\"",
         LATER + 60,
         "8",
         PST_OK},
        {{200, {NULL}, RENEW(GOOD ",\"ttl\":1500000000,\"ownerId\":\"7\"")},
         TOKEN_REFRESH_GRANTED,
         "\"access-2\"",
         "\"refresh-2\"",
         LATER + 60,
         "7",
         PST_OK},
        {{200, {NULL}, RENEW("\"secret\":null,\"ownerId\":\"7\"")},
         TOKEN_REFRESH_REFUSED,
         NULL,
         NULL,
         0,
         NULL,
         PST_OK},
        {{200, {NULL}, "{\"data\":{\"renew\":null}}"},
         TOKEN_REFRESH_REFUSED,
         NULL,
         NULL,
         0,
         NULL,
         PST_OK},
        {{200, {NULL}, "{\"errors\":[{\"message\":\"x\"}],\"data\":null}"},
         TOKEN_REFRESH_REFUSED,
         NULL,
         NULL,
         0,
         NULL,
         PST_OK},
        {{401, {NULL}, "go away"},
         TOKEN_REFRESH_REFUSED,
         NULL,
         NULL,
         0,
         NULL,
         PST_OK},
        {{403, {NULL}, "{\"errors\":[{\"message\":\"x\"}]}"},
         TOKEN_REFRESH_REFUSED,
         NULL,
         NULL,
         0,
         NULL,
         PST_OK},
        {{400, {NULL}, "{\"errors\":[{\"message\":\"x\"}]}"},
         TOKEN_REFRESH_REFUSED,
         NULL,
         NULL,
         0,
         NULL,
         PST_OK},
        /* Not about the token. */
        {{0, {NULL}, NULL},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_DOWN},
        {{302, {"Location: /"}, NULL},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{500, {NULL}, "{\"errors\":[{\"message\":\"x\"}]}"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{503, {NULL}, RENEW(GOOD ",\"ownerId\":\"7\"")},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{429, {NULL}, "{\"errors\":[{\"message\":\"x\"}]}"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{408, {NULL}, "slow"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{425, {NULL}, "early"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{404, {NULL}, "<html>"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{200, {NULL}, "<html>"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{200, {NULL}, "{\"data\":{}}"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{200, {NULL}, RENEW("\"secret\":\"\",\"ownerId\":\"7\"")},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{200, {"Content-Encoding: gzip"}, RENEW(GOOD)},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
        {{400,
          {NULL},
          "{\"errors\":[{\"message\":\"x\",\"extensions\":{\"code\":"
          "\"GRAPHQL_VALIDATION_FAILED\"}}]}"},
         TOKEN_REFRESH_FAILED,
         NULL,
         NULL,
         0,
         NULL,
         PST_UPSTREAM_BROKEN},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct token_refresh got;

        init(NULL);
        assert_int_equal(run(&rows[i].answer, &got), PST_OK);
        if (got.result != rows[i].want)
            fail_msg("row %zu: %d", i, (int)got.result);
        if (got.result == TOKEN_REFRESH_FAILED) {
            assert_int_equal(got.error, rows[i].error);
            assert_non_null(
                strstr(fixture_read_log(&fix), "event=token-refresh-failed"));
        }
        if (got.result == TOKEN_REFRESH_GRANTED) {
            assert_true(pst_str_equal(got.session.upstream,
                                      pst_str_from(rows[i].upstream)));
            assert_true(pst_str_equal(got.session.refresh,
                                      pst_str_from(rows[i].refresh)));
            assert_int_equal(got.session.token_begun, LATER);
            assert_int_equal(got.session.token_end, rows[i].end);
            assert_true(pst_str_equal(got.sub, pst_str_from(rows[i].sub)));
            assert_true(pst_str_equal(got.session.name, before.name));
            assert_int_equal(got.session.exp, before.exp);
        }
        fixture_fini(&fix);
    }
}

/* The token in a header: the answer must have it. */
static void
test_header(void **state)
{
    static const char *const settings[] = {"POSTERN_BACKEND=vendure", NULL};
    static const struct fixture_answer with = {
        200, {"vendure-auth-token: access-2"}, RENEW("\"ownerId\":\"7\"")};
    static const struct fixture_answer without = {
        200, {NULL}, RENEW("\"ownerId\":\"7\"")};
    static const struct fixture_answer same = {
        200, {"vendure-auth-token: access-1"}, RENEW("\"ownerId\":\"7\"")};
    struct token_refresh got;

    (void)state;
    init(settings);
    assert_int_equal(run(&with, &got), PST_OK);
    assert_int_equal(got.result, TOKEN_REFRESH_GRANTED);
    assert_true(pst_str_equal(got.session.upstream, PST_STR("\"access-2\"")));
    assert_true(pst_str_is_absent(got.sub)); /* the who document says it */
    assert_int_equal(run(&without, &got), PST_OK);
    assert_int_equal(got.result, TOKEN_REFRESH_FAILED);
    assert_int_equal(run(&same, &got), PST_OK);
    assert_int_equal(got.result, TOKEN_REFRESH_FAILED);
    fixture_fini(&fix);
}

/* Each token fits a session, and both together do not. */
static void
test_too_large(void **state)
{
    static char body[2 * 12500 + 100];
    struct token_refresh got;

    (void)state;
    (void)snprintf(body, sizeof(body),
                   RENEW("\"secret\":\"%012500d\",\"refreshToken\":"
                         "\"%012500d\",\"ownerId\":\"7\""),
                   1, 1);
    init(NULL);
    assert_int_equal(
        run(&(struct fixture_answer){.status = 200, .body = body}, &got),
        PST_OK);
    assert_int_equal(got.result, TOKEN_REFRESH_FAILED);
    assert_int_equal(got.error, PST_UPSTREAM_BROKEN);
    fixture_fini(&fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
