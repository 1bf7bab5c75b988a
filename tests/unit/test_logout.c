/* SPDX-License-Identifier: ISC */
/*
 * test_logout.c - which bodies a logout may have, and when it needs a CSRF
 * token (design 2.6, 2.7 and 4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "flows.h"
#include "gateway/csrf_token.h"
#include "programs.h"

#define TYPE "CONTENT_TYPE="
#define FORM TYPE "application/x-www-form-urlencoded"
#define JSON TYPE "application/json"

/* "%s" is replaced by the CSRF token of the session. */
#define TOKEN "csrf_token=%s"

static struct fixture fix;
static struct fixture_session known;
static char token[600];

static int
set_up_with(const char *csrf_token)
{
    const char *const settings[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                    csrf_token, NULL};
    struct pst_str sealed;

    fixture_init(&fix, settings);
    fix.answer = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"data\":{\"logout\":true}}",
    };
    fixture_begin(&fix, false, &known);
    if (csrf_token_make(&fix.ctx, fix.arena, &known.auth, CSRF_TOKEN_LOGOUT,
                        &sealed) != PST_OK)
        return -1;
    snprintf(token, sizeof(token), "%.*s", (int)sealed.len, sealed.ptr);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    return set_up_with("POSTERN_CSRF_TOKEN=checked");
}

static int
set_up_required(void **state)
{
    (void)state;
    return set_up_with("POSTERN_CSRF_TOKEN=required");
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
    const char *type; /* NULL: no Content-Type */
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

    snprintf(body, sizeof(body), "%s%s", has_token ? "csrf_token=" : row->body,
             has_token ? token : "");
    fixture_request(&fix, variables, body);
    fix.exchanges = 0;
    e = program_logout(&fix.ctx, &fix.req, &fix.res);
    if (e != row->want)
        fail_msg("%.20s, %s, '%s': %s", variables[1],
                 row->type ? row->type : "no type", row->body, pst_err_code(e));
    /* A refused logout does not end the session. */
    if (e && (fix.exchanges > 0 || fixture_header(&fix, "Set-Cookie")))
        fail_msg("%s, '%s': refused, but done", row->type, row->body);
    if (!e)
        assert_int_equal(fix.res.status, 200);
}

/* L9: an unknown Content-Type is refused, with a body or without. */
static void
test_types(void **state)
{
    static const char *const wrong[] = {
        TYPE "text/plain",
        TYPE "nonsense",
        TYPE ";;",
        TYPE ";application/json",
        TYPE "application/jsonx",
        TYPE "application/x-www-form-urlencoded, text/plain",
    };
    static const char *const bodies[] = {"", "everywhere=1", "{}"};
    static const struct row rows[] = {
        {known.cookie, NULL, "", PST_OK},
        {known.cookie, TYPE "", "", PST_OK},
        {known.cookie, NULL, "everywhere=1", PST_BAD_TYPE},
        {known.cookie, JSON, "", PST_OK},
        {known.cookie, JSON, "{}", PST_OK},
        {known.cookie, JSON "; charset=utf-8", "{}", PST_OK},
        {known.cookie, JSON, "[", PST_MALFORMED},
        {known.cookie, FORM, "", PST_OK},
        {known.cookie, FORM, TOKEN, PST_OK},
        {known.cookie, FORM, "csrf_token=x", PST_STALE_FORM},
        {known.cookie, FORM, "everywhere=1&everywhere=1", PST_DUPLICATE},
        {known.cookie, FORM, "return_to=/a&return_to=/b", PST_DUPLICATE},
        {known.cookie, FORM, "csrf_token=&csrf_token=x", PST_DUPLICATE},
        {known.cookie, FORM, "everywhere=%00", PST_MALFORMED},
        {known.cookie, TYPE "x", "", PST_BAD_TYPE},
        {NULL, NULL, "", PST_OK},
        {NULL, TYPE "multipart/form-data; boundary=x", "", PST_BAD_TYPE},
        {known.cookie, TYPE "multipart/form-data; boundary=x", "",
         PST_CROSS_SITE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        ask(&rows[i]);
    for (size_t i = 0; i < PST_COUNT(wrong); i++) {
        for (size_t k = 0; k < PST_COUNT(bodies); k++) {
            const struct row cookie = {known.cookie, wrong[i], bodies[k],
                                       PST_BAD_TYPE};
            const struct row nobody = {NULL, wrong[i], bodies[k], PST_BAD_TYPE};

            ask(&cookie);
            ask(&nobody);
        }
    }
}

/* A form of another site can send a form type or none, but not JSON. */
static void
test_required(void **state)
{
    static const struct row rows[] = {
        {known.cookie, FORM, TOKEN, PST_OK},
        {known.cookie, FORM, "", PST_STALE_FORM},
        {known.cookie, FORM, "csrf_token=", PST_STALE_FORM},
        {known.cookie, FORM, "csrf_token=x", PST_STALE_FORM},
        {known.cookie, NULL, "", PST_STALE_FORM},
        {known.cookie, TYPE "", "", PST_STALE_FORM},
        {known.cookie, TYPE "text/plain", "", PST_BAD_TYPE},
        {known.cookie, JSON, "", PST_OK},
        {known.cookie, JSON, "{}", PST_OK},
        {known.bearer, NULL, "", PST_OK},
        {known.bearer, JSON, "{}", PST_OK},
        {NULL, NULL, "", PST_OK},
        {NULL, FORM, "", PST_OK},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        ask(&rows[i]);
}

/* Whether the backend is asked to log out, and with which token. The session
 * ends after every response. Without a store, only the backend can end the
 * other ones: then its failure is an error. */
static void
test_backend_is_told(void **state)
{
    static const struct {
        const char *settings[3];
        const char *body;
        int status; /* of the backend */
        size_t exchanges;
        const char *logged;
        enum pst_err err;
    } rows[] = {
        {{NULL}, "{}", 200, 1, "everywhere=no backend=PST_OK\n", PST_OK},
        {{NULL},
         "{}",
         0,
         1,
         "everywhere=no backend=PST_UPSTREAM_DOWN\n",
         PST_OK},
        {{NULL}, "{}", 500, 1, "everywhere=no backend=PST_OK\n", PST_OK},
        {{"POSTERN_UPSTREAM_LOGOUT=never"},
         "{}",
         200,
         0,
         "everywhere=no backend=PST_OK\n",
         PST_OK},
        {{"POSTERN_UPSTREAM_LOGOUT=everywhere"},
         "{}",
         200,
         0,
         "everywhere=no backend=PST_OK\n",
         PST_OK},
        {{"POSTERN_UPSTREAM_LOGOUT=everywhere"},
         "{\"everywhere\":true}",
         0,
         1,
         "everywhere=yes backend=PST_UPSTREAM_DOWN\n",
         PST_UPSTREAM_DOWN},
        {{"POSTERN_BACKEND=vendure"},
         "{}",
         200,
         0,
         "everywhere=no backend=PST_OK\n",
         PST_OK},
        {{"POSTERN_BACKEND=vendure"},
         "{\"everywhere\":true}",
         0,
         1,
         "everywhere=yes backend=PST_UPSTREAM_DOWN\n",
         PST_UPSTREAM_DOWN},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", JSON, known.cookie,
                                   "HTTP_SEC_FETCH_SITE=same-origin", NULL};
        const char *log;

        fixture_init(&fix, rows[i].settings);
        fixture_begin(&fix, false, &known);
        fix.answer =
            (struct fixture_answer){.status = rows[i].status, .body = "<html>"};
        fixture_request(&fix, variables, rows[i].body);
        fixture_open_log(&fix);
        if (program_logout(&fix.ctx, &fix.req, &fix.res) != rows[i].err ||
            fix.exchanges != rows[i].exchanges)
            fail_msg("row %zu: asked %zu times", i, fix.exchanges);
        log = fixture_read_log(&fix);
        if (!strstr(log, rows[i].logged) || !strstr(log, "subject=7 "))
            fail_msg("row %zu: logged '%s'", i, log);
        assert_int_equal(
            fixture_was_sent(&fix, "\nAuthorization: Bearer secret\n"),
            rows[i].exchanges);
        assert_int_equal(fixture_was_sent(&fix, "Logout"), rows[i].exchanges);
        assert_non_null(strstr(fixture_header(&fix, "Set-Cookie"),
                               "__Host-Http-session=; Path=/; Max-Age=0"));
        fixture_fini(&fix);
    }
}

/* Without a store only the backend can end all sessions. If it does not, that
 * is an error, but this session ends. */
static void
test_everywhere_without_store(void **state)
{
    static const struct {
        const char *setting;
        enum pst_err want;
    } rows[] = {
        {"POSTERN_UPSTREAM_LOGOUT=always", PST_STORE_DOWN},
        {"POSTERN_UPSTREAM_LOGOUT=never", PST_STORE_DOWN},
        {"POSTERN_UPSTREAM_LOGOUT=everywhere", PST_OK},
    };
    static const char *const types[] = {JSON, FORM};
    static const char *const bodies[] = {"{\"everywhere\":true}",
                                         "everywhere=1"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows) * PST_COUNT(types); i++) {
        const char *const settings[] = {rows[i / 2].setting, NULL};
        const char *const variables[] = {
            "REQUEST_METHOD=POST", types[i % 2], known.cookie,
            "HTTP_SEC_FETCH_SITE=same-origin", NULL};

        fixture_init(&fix, settings);
        fixture_begin(&fix, false, &known);
        fix.answer = (struct fixture_answer){.status = 200, .body = "{}"};
        fixture_request(&fix, variables, bodies[i % 2]);
        assert_int_equal(program_logout(&fix.ctx, &fix.req, &fix.res),
                         rows[i / 2].want);
        assert_non_null(strstr(fixture_header(&fix, "Set-Cookie"),
                               "__Host-Http-session=; Path=/; Max-Age=0"));
        fixture_fini(&fix);
    }
}

static void
test_large_body(void **state)
{
    static char body[PST_LOGIN_BODY_MAX + 2];
    const char *const variables[] = {"REQUEST_METHOD=POST", known.cookie, JSON,
                                     NULL};

    (void)state;
    memset(body, ' ', sizeof(body) - 1);
    fixture_request(&fix, variables, body);
    assert_int_equal(program_logout(&fix.ctx, &fix.req, &fix.res),
                     PST_TOO_LARGE);
    assert_null(fixture_header(&fix, "Set-Cookie"));
}

/* Out of memory at every place, with a cookie and with a bearer token. */
static void
test_no_memory(void **state)
{
    static const char *const settings[][3] = {
        {"POSTERN_UPSTREAM_LOGOUT=always", NULL},
        {"POSTERN_BACKEND=vendure", "POSTERN_UPSTREAM_LOGOUT=always", NULL}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", JSON, known.cookie,
                                   "HTTP_SEC_FETCH_SITE=same-origin", NULL};

        fixture_init(&fix, settings[i]);
        fixture_begin(&fix, false, &known);
        fix.answer = (struct fixture_answer){.status = 200, .body = "{}"};
        assert_true(flow_check_memory(&fix, program_logout, variables, "{}",
                                      PST_OK) > 5);
        fixture_fini(&fix);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_required, set_up_required,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_large_body, set_up, tear_down),
        cmocka_unit_test(test_backend_is_told),
        cmocka_unit_test(test_everywhere_without_store),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("logout", tests, NULL, NULL);
}
