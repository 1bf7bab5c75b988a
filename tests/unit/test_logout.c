/* SPDX-License-Identifier: ISC */
/*
 * test_logout.c - which bodies a logout may have, and where it needs the form's
 * token (design 2.6, 2.7 and 4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "formtoken.h"
#include "programs.h"
#include "visit.h"

#define TYPE "CONTENT_TYPE="
#define FORM TYPE "application/x-www-form-urlencoded"
#define JSON TYPE "application/json"

/* In the place of "%s" stands the token of the session's form. */
#define TOKEN "form_token=%s"

static struct fixture fix;
static char by_cookie[8192];
static char by_bearer[8192];
static char token[600];

static int
set_up_with(const char *form_token)
{
    const char *const settings[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                    form_token, NULL};
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    static const struct visit_grant grant = {.sub = {"7", 1},
                                             .name = {"a", 1},
                                             .who = {"{}", 2},
                                             .upstream = {"\"secret\"", 8}};
    struct visit visit = {.carrier = VISIT_BY_NOTHING};
    struct pst_text sealed;
    const char *line;

    fixture_init(&fix, settings);
    fix.answer = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"data\":{\"logout\":true}}",
    };
    fixture_request(&fix, variables, NULL);
    if (visit_begin(&fix.gate, &fix.req, &fix.rep, &visit, &grant) != PST_OK ||
        formtoken_make(&fix.gate, fix.arena, &visit, FORMTOKEN_LOGOUT,
                       &sealed) != PST_OK)
        return -1;
    snprintf(token, sizeof(token), "%.*s", (int)sealed.len, sealed.ptr);
    line = fixture_header(&fix, "Set-Cookie");
    snprintf(by_cookie, sizeof(by_cookie), "HTTP_COOKIE=%.*s",
             (int)strcspn(line, ";"), line);
    line = fixture_header(&fix, "vendure-auth-token");
    snprintf(by_bearer, sizeof(by_bearer), "HTTP_AUTHORIZATION=Bearer %s",
             line);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    return set_up_with("POSTERN_FORM_TOKEN=checked");
}

static int
set_up_required(void **state)
{
    (void)state;
    return set_up_with("POSTERN_FORM_TOKEN=required");
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

struct row {
    const char *carrier;
    const char *type; /* NULL: none is told */
    const char *body;
    enum pst_err want;
};

static void
ask(const struct row *row)
{
    const char *variables[] = {"REQUEST_METHOD=POST",
                               row->carrier ? row->carrier : "NO=carrier",
                               row->type, NULL};
    bool has_token = strcmp(row->body, TOKEN) == 0;
    char body[sizeof(token) + 16];
    enum pst_err e;

    snprintf(body, sizeof(body), "%s%s", has_token ? "form_token=" : row->body,
             has_token ? token : "");
    fixture_request(&fix, variables, body);
    fix.exchanges = 0;
    e = program_logout(&fix.gate, &fix.req, &fix.rep);
    if (e != row->want)
        fail_msg("%.20s, %s, '%s': %s", variables[1],
                 row->type ? row->type : "no type", row->body, pst_err_code(e));
    /* What is refused ends nothing. */
    if (e && (fix.exchanges > 0 || fixture_header(&fix, "Set-Cookie")))
        fail_msg("%s, '%s': refused and done", row->type, row->body);
    if (!e)
        assert_int_equal(fix.rep.status, 200);
}

/* L9: a type that is there and is not one of ours is refused, body or not. */
static void
test_types(void **state)
{
    static const char *const wrong[] = {
        TYPE "text/plain",
        TYPE "multipart/form-data; boundary=x",
        TYPE "nonsense",
        TYPE ";;",
        TYPE ";application/json",
        TYPE "application/jsonx",
        TYPE "application/x-www-form-urlencoded, text/plain",
    };
    static const char *const bodies[] = {"", "everywhere=1", "{}"};
    static const struct row rows[] = {
        {by_cookie, NULL, "", PST_OK},
        {by_cookie, TYPE "", "", PST_OK},
        {by_cookie, NULL, "everywhere=1", PST_BAD_TYPE},
        {by_cookie, JSON, "", PST_OK},
        {by_cookie, JSON, "{}", PST_OK},
        {by_cookie, JSON "; charset=utf-8", "{}", PST_OK},
        {by_cookie, JSON, "[", PST_MALFORMED},
        {by_cookie, FORM, "", PST_OK},
        {by_cookie, FORM, TOKEN, PST_OK},
        {by_cookie, FORM, "form_token=x", PST_STALE_FORM},
        {NULL, NULL, "", PST_OK},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        ask(&rows[i]);
    for (size_t i = 0; i < PST_COUNT(wrong); i++) {
        for (size_t k = 0; k < PST_COUNT(bodies); k++) {
            const struct row cookie = {by_cookie, wrong[i], bodies[k],
                                       PST_BAD_TYPE};
            const struct row nobody = {NULL, wrong[i], bodies[k], PST_BAD_TYPE};

            ask(&cookie);
            ask(&nobody);
        }
    }
}

/* A form of another site can send what has no type, or a form's; not JSON. */
static void
test_required(void **state)
{
    static const struct row rows[] = {
        {by_cookie, FORM, TOKEN, PST_OK},
        {by_cookie, FORM, "", PST_STALE_FORM},
        {by_cookie, FORM, "form_token=", PST_STALE_FORM},
        {by_cookie, FORM, "form_token=x", PST_STALE_FORM},
        {by_cookie, NULL, "", PST_STALE_FORM},
        {by_cookie, TYPE "", "", PST_STALE_FORM},
        {by_cookie, TYPE "text/plain", "", PST_BAD_TYPE},
        {by_cookie, JSON, "", PST_OK},
        {by_cookie, JSON, "{}", PST_OK},
        {by_bearer, NULL, "", PST_OK},
        {by_bearer, JSON, "{}", PST_OK},
        {NULL, NULL, "", PST_OK},
        {NULL, FORM, "", PST_OK},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        ask(&rows[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_required, set_up_required,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("logout", tests, NULL, NULL);
}
