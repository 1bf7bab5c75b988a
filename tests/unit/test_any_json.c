/* SPDX-License-Identifier: ISC */
/*
 * test_any_json.c - the gateway responds to any JSON from a client and a
 * backend. A batch within a batch once ended the whole program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "fixture.h"
#include "programs.h"

#define ROUNDS 6000
#define DEPTH_MAX 5
#define MEMBERS_MAX 3

/* Names and strings that something is made of in a request or an answer. */
static const char *const words[] = {
    "query",
    "variables",
    "rememberMe",
    "extensions",
    "persistedQuery",
    "id",
    "operationName",
    "email",
    "username",
    "password",
    "data",
    "login",
    "me",
    "secret",
    "ttl",
    "ownerId",
    "identifier",
    "errors",
    "errorCode",
    "path",
    "code",
    "__typename",
    "",
    "{me{id}}",
    "mutation{login(email:\\\"a\\\",password:\\\"b\\\"){secret ownerId}}",
    "mutation($a:X){login(input:$a){__typename ...on CurrentUser{id}}}",
    "mutation{a:login{secret}}",
    "\\u0000",
    "2099-01-01T00:00:00Z",
};
static const char *const scalars[] = {"null", "true", "false",     "0",
                                      "-1",   "1e9",  "4102444800"};

static struct fixture fix;
static struct fixture_session guest;
static uint64_t state_of_chance;

/* The same numbers at every run (a 64-bit linear congruential generator). */
static size_t
chance(size_t below)
{
    state_of_chance =
        state_of_chance * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (size_t)(state_of_chance >> 33) % below;
}

static void
emit_word(struct pst_buf *buf)
{
    pst_buf_add_char(buf, '"');
    pst_buf_add_string(buf, words[chance(PST_COUNT(words))]);
    pst_buf_add_char(buf, '"');
}

static void
emit_any(struct pst_buf *buf, int depth)
{
    size_t kind = depth == DEPTH_MAX ? 0 : chance(8);
    size_t members = chance(MEMBERS_MAX + 1);
    bool is_object = kind < 6;

    if (kind == 0)
        pst_buf_add_string(buf, scalars[chance(PST_COUNT(scalars))]);
    else if (kind < 3)
        emit_word(buf);
    if (kind < 3)
        return;
    pst_buf_add_char(buf, is_object ? '{' : '[');
    for (size_t i = 0; i < members; i++) {
        if (i > 0)
            pst_buf_add_char(buf, ',');
        if (is_object) {
            emit_word(buf);
            pst_buf_add_char(buf, ':');
        }
        emit_any(buf, depth + 1);
    }
    pst_buf_add_char(buf, is_object ? '}' : ']');
}

/* An object with this member, beside one of any kind. */
static void
emit_object_with(struct pst_buf *buf, const char *name)
{
    pst_buf_add_string(buf, "{\"");
    pst_buf_add_string(buf, name);
    pst_buf_add_string(buf, "\":");
    emit_any(buf, 1);
    pst_buf_add_string(buf, ",\"x\":");
    emit_any(buf, 1);
    pst_buf_add_char(buf, '}');
}

static const char *
any_json(char *storage, size_t size, const char *likely)
{
    struct pst_buf buf;

    pst_buf_init(&buf, storage, size - 1);
    if (chance(3) == 0)
        emit_any(&buf, 0);
    else
        emit_object_with(&buf, likely);
    if (buf.err)
        return "[]";
    storage[pst_buf_str(&buf).len] = '\0';
    return storage;
}

static int
set_up(const char *const *settings)
{
    fixture_init(&fix, settings);
    fixture_begin(&fix, true, &guest);
    return 0;
}

static int
set_up_fauna(void **state)
{
    (void)state;
    return set_up(NULL);
}

static int
set_up_vendure(void **state)
{
    static const char *const settings[] = {"POSTERN_BACKEND=vendure", NULL};

    (void)state;
    return set_up(settings);
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

static void
test_any_json(void **state)
{
    static handler_fn *const *const programs[] = {
        &program_login, &program_query, &program_logout};
    static char request[16 * 1024];
    static char answer[16 * 1024];
    size_t good = 0;
    size_t bad = 0;

    (void)state;
    state_of_chance = 1;
    for (size_t i = 0; i < ROUNDS; i++) {
        const char *variables[] = {"REQUEST_METHOD=POST",
                                   "CONTENT_TYPE=application/json",
                                   "HTTP_SEC_FETCH_SITE=same-origin",
                                   chance(2) == 0 ? guest.cookie : NULL, NULL};
        const char *body = any_json(request, sizeof(request), "query");
        handler_fn *const *program = programs[chance(PST_COUNT(programs))];
        enum pst_err e;
        int status;

        fix.answer = (struct fixture_answer){
            .status = chance(4) == 0 ? 500 : 200,
            .headers = {"Content-Type: application/json",
                        chance(4) == 0 ? "vendure-auth-token: new" : NULL},
            .body = any_json(answer, sizeof(answer), "data"),
        };
        fixture_request(&fix, variables, body);
        e = (*program)(&fix.ctx, &fix.req, &fix.res);
        status = e ? pst_err_status(e) : fix.res.status;
        if (status < 200 || status > 504 || e == PST_INTERNAL ||
            (!e && !fix.res.begun))
            fail_msg("%s answered with %s: status %d", body, fix.answer.body,
                     status);
        good += e == PST_OK;
        bad += e != PST_OK;
    }
    /* Neither is all refused, nor all taken. */
    assert_true(good > ROUNDS / 20 && bad > ROUNDS / 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_json, set_up_fauna, tear_down),
        cmocka_unit_test_setup_teardown(test_any_json, set_up_vendure,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("any JSON", tests, NULL, NULL);
}
