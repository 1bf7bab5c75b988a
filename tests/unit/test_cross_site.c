/* SPDX-License-Identifier: ISC */
/*
 * test_cross_site.c - the rules of design 2.7, every combination of headers
 * that name a request's origin, through the programs (R45, R47, R48, L41).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "programs.h"

#define OWN "https://shop.example"
#define SITE "HTTP_SEC_FETCH_SITE="
#define MODE "HTTP_SEC_FETCH_MODE="
#define ORIGIN "HTTP_ORIGIN="
#define TYPE "CONTENT_TYPE="

static struct fixture fix;
static struct fixture_session known;

static const char *const methods[] = {"GET", "POST"};
static const struct {
    const char *variable; /* NULL: no such header */
    bool good;
} sites[] = {
    {NULL, true},
    {SITE "same-origin", true},
    {SITE "none", true},
    {SITE "same-site", false},
    {SITE "cross-site", false},
    {SITE "", false},
    {SITE "Same-Origin", false},
    {SITE "same-origin, cross-site", false},
};
static const char *const modes[] = {NULL, MODE "navigate", MODE "cors",
                                    MODE "no-cors", MODE "same-origin"};
static const struct {
    const char *variable;
    enum { NONE, OURS, LISTED, FOREIGN, OPAQUE } kind;
} origins[] = {
    {NULL, NONE},
    {ORIGIN OWN, OURS},
    {ORIGIN "https://listed.example", LISTED},
    {ORIGIN "https://listed.example:8443", LISTED},
    {ORIGIN "https://evil.example", FOREIGN},
    {ORIGIN "capacitor://localhost", LISTED},
    {ORIGIN "capacitor://localhost:1", FOREIGN},
    {ORIGIN "null", OPAQUE},
    {ORIGIN "", FOREIGN},
    {ORIGIN "http://shop.example", FOREIGN},
    {ORIGIN "https://shop.example:8443", FOREIGN},
    {ORIGIN "https://shop.example:443", FOREIGN},
    {ORIGIN "https://shop.example.evil.example", FOREIGN},
    {ORIGIN "https://evil-shop.example", FOREIGN},
    {ORIGIN "https://shop.example@evil.example", FOREIGN},
    {ORIGIN "https://shop.example/", FOREIGN},
    {ORIGIN "https://SHOP.example", FOREIGN},
    {ORIGIN "https://sub.shop.example", FOREIGN},
    {ORIGIN "https://shop.example, https://evil.example", FOREIGN},
    {ORIGIN "https://listed.example.evil.example", FOREIGN},
};
static const char *const carriers[] = {NULL, known.cookie, known.bearer};
static const struct {
    const char *variable;
    const char *body;
} types[] = {
    {TYPE "application/json", "{\"email\":\"a\",\"password\":\"b\"}"},
    {TYPE "application/x-www-form-urlencoded", "email=a&password=b"},
    {TYPE "text/plain", "{\"query\":\"{me}\"}"},
    {TYPE "nonsense", "x"},
    {NULL, "x"},
    {NULL, ""},
};

static int
set_up(void **state)
{
    static const char *const settings[] = {
        "POSTERN_TOKEN_METHOD=cookie,bearer", "POSTERN_ORIGIN=" OWN,
        "POSTERN_ORIGINS=https://listed.example https://listed.example:8443 "
        "capacitor://localhost",
        NULL};

    (void)state;
    fixture_init(&fix, settings);
    fix.answer = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"data\":{\"login\":{\"secret\":\"fnEDsecret\",\"ttl\":null,"
                "\"email\":\"a\",\"ownerId\":\"7\"}}}",
    };
    fixture_begin(&fix, false, &known);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

/* One combination, by the indexes of its parts. */
struct request_of {
    size_t method;
    size_t site;
    size_t mode;
    size_t origin;
    size_t carrier;
    size_t type;
};

/* The expected result, written from the design, not from the code. */
static bool
may_change(const struct request_of *r)
{
    if (strcmp(methods[r->method], "GET") == 0 ||
        carriers[r->carrier] == known.bearer)
        return true;
    if (origins[r->origin].kind == LISTED)
        return true;
    if (origins[r->origin].kind == OPAQUE)
        return sites[r->site].variable == sites[1].variable;
    return origins[r->origin].kind != FOREIGN && sites[r->site].good;
}

static enum pst_err
ask(handler_fn *program, const struct request_of *r)
{
    const char *parts[] = {sites[r->site].variable, modes[r->mode],
                           origins[r->origin].variable, carriers[r->carrier],
                           types[r->type].variable};
    const char *variables[8] = {r->method == 0 ? "REQUEST_METHOD=GET"
                                               : "REQUEST_METHOD=POST"};
    size_t count = 1;

    for (size_t i = 0; i < PST_COUNT(parts); i++)
        if (parts[i])
            variables[count++] = parts[i];
    fixture_request(&fix, variables,
                    r->method == 0 ? NULL : types[r->type].body);
    fix.exchanges = 0;
    return program(&fix.ctx, &fix.req, &fix.res);
}

static void
check_response(const char *name, const struct request_of *r, enum pst_err e)
{
    bool refused = !may_change(r);
    bool quiet = fix.exchanges == 0 && fix.out_len == 0 &&
                 !fixture_header(&fix, "Set-Cookie") &&
                 !fixture_header(&fix, "vendure-auth-token");

    if ((e == PST_CROSS_SITE) == refused && (!refused || quiet))
        return;
    fail_msg(
        "%s by %s, %s, %s, %s, carrier %zu, %s: %s", name, methods[r->method],
        sites[r->site].variable ? sites[r->site].variable : "no site",
        modes[r->mode] ? modes[r->mode] : "no mode",
        origins[r->origin].variable ? origins[r->origin].variable : "no origin",
        r->carrier,
        types[r->type].variable ? types[r->type].variable : "no type",
        pst_err_code(e));
}

/* Count up, as an odometer does; false after the last combination. */
static bool
next(struct request_of *r)
{
    size_t *const digits[] = {&r->method, &r->site,    &r->mode,
                              &r->origin, &r->carrier, &r->type};
    const size_t sizes[] = {PST_COUNT(methods),  PST_COUNT(sites),
                            PST_COUNT(modes),    PST_COUNT(origins),
                            PST_COUNT(carriers), PST_COUNT(types)};

    for (size_t i = 0; i < PST_COUNT(digits); i++) {
        if (++*digits[i] < sizes[i])
            return true;
        *digits[i] = 0;
    }
    return false;
}

static void
test_program(const char *name, handler_fn *program)
{
    struct request_of r = {0};
    size_t allowed = 0;
    size_t refused = 0;

    do {
        check_response(name, &r, ask(program, &r));
        *(may_change(&r) ? &allowed : &refused) += 1;
    } while (next(&r));
    /* The table must have allowed and refused requests. */
    assert_true(allowed > 10000 && refused > 5000);
}

static void
test_login(void **state)
{
    (void)state;
    test_program("login", program_login);
}

static void
test_logout(void **state)
{
    (void)state;
    test_program("logout", program_logout);
}

static void
test_query(void **state)
{
    (void)state;
    test_program("query", program_query);
}

/* Without Fetch metadata and Origin, a foreign Referer is refused (2.7). */
static void
test_referer(void **state)
{
    static const struct {
        const char *referer;
        bool refused;
    } rows[] = {
        {"HTTP_REFERER=" OWN "/a", false},
        {"HTTP_REFERER=" OWN, false},
        {"HTTP_REFERER=https://evil.example/", true},
        {"HTTP_REFERER=" OWN ".evil.example/", true},
        {"HTTP_REFERER=http://shop.example/", true},
        {"HTTP_REFERER=", true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const variables[] = {"REQUEST_METHOD=POST", known.cookie,
                                         rows[i].referer, NULL};
        enum pst_err e;

        fixture_request(&fix, variables, NULL);
        e = program_logout(&fix.ctx, &fix.req, &fix.res);
        if ((e == PST_CROSS_SITE) != rows[i].refused)
            fail_msg("%s: %s", rows[i].referer, pst_err_code(e));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_logout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_query, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_referer, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("cross_site", tests, NULL, NULL);
}
