/* SPDX-License-Identifier: ISC */
/*
 * test_login_match.c - the account of a login is found however the login is
 * written (L54 to L58): rows of document and variables, and what they bind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/login_match.h"

#define ARENA_SIZE (256 * 1024)

static struct pst_arena *arena;

static const char secret[] = "COOKIE_SESSION_SECRET="
                             "dGhpcyBpcyBhIHNlY3JldCBvZiBtb3JlIHRoYW4gMzI";
static const char upstream[] = "POSTERN_UPSTREAM=http://127.0.0.1:9/";

static const char *const fauna[] = {secret, upstream, "POSTERN_STORE=none",
                                    NULL};
static const char *const vendure[] = {secret, upstream, "POSTERN_STORE=none",
                                      "POSTERN_BACKEND=vendure", NULL};

struct row {
    const char *name;
    const char *document;
    const char *variables; /* NULL: none */
    const char *bound;     /* the bound variables; NULL: refused */
    const char *account;   /* the account's name, or part of the reason */
};

/* Match one login; fail the test unless it has the row's result. */
static void
expect_row(const struct config *config, const struct row *row)
{
    struct login_operation request = {.operation = NULL};
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;
    struct login_match match;
    struct login_reason reason = {""};
    enum pst_err e;

    if (pst_graphql_parse(arena, pst_str_from(row->document), &document,
                          &error) != PST_OK)
        fail_msg("%s: %s", row->name, error.message);
    request.operation = document->operations;
    request.variables = pst_str_from(row->variables);
    e = login_operation_find_field(&request, &reason);
    if (!e)
        e = login_match(arena, config, &request, &match, &reason);
    if (!row->bound) {
        if (e != PST_LOGIN_SHAPE || !strstr(reason.text, row->account))
            fail_msg("%s: %s, %s", row->name, pst_err_code(e), reason.text);
    } else {
        struct pst_str account = pst_str_from(row->account);

        if (e)
            fail_msg("%s: %s, %s", row->name, pst_err_code(e), reason.text);
        if (!pst_str_equal(match.variables, pst_str_from(row->bound)))
            fail_msg("%s: bound %.*s", row->name, (int)match.variables.len,
                     match.variables.ptr);
        if (!pst_str_equal(match.name, account) ||
            pst_str_is_absent(match.name) != pst_str_is_absent(account))
            fail_msg("%s: counted as %.*s", row->name, (int)match.name.len,
                     match.name.ptr);
    }
    pst_arena_reset(arena);
}

static void
expect_rows(const char *const *environment, const struct row *rows,
            size_t count)
{
    struct config *config = NULL;

    assert_int_equal(config_new(&config, environment, NULL), PST_OK);
    for (size_t i = 0; i < count; i++)
        expect_row(config, &rows[i]);
    config_free(&config);
}

#define BOUND "{\"email\":\"a@x\",\"password\":\"p\"}"
#define FIELDS "{secret}"

/* Token in JSON: the login must match the configured document. */
static void
test_json(void **state)
{
    static const struct row rows[] = {
        {"ours",
         "mutation($email:String!,$password:String!){login(email:$email,"
         "password:$password)" FIELDS "}",
         "{\"email\":\"a@x\",\"password\":\"p\"}", BOUND, "a@x"},
        {"literals", "mutation{login(email:\"a@x\",password:\"p\")" FIELDS "}",
         NULL, BOUND, "a@x"},
        {"the other order",
         "mutation{login(password:\"p\",email:\"a@x\")" FIELDS "}", NULL, BOUND,
         "a@x"},
        {"an alias",
         "mutation{x:login(email:\"a@x\",password:\"p\")" FIELDS "}", NULL,
         BOUND, "a@x"},
        {"other variables",
         "mutation($p:String!,$e:String!){login(email:$e,password:$p)" FIELDS
         "}",
         "{\"e\":\"a@x\",\"p\":\"p\",\"x\":\"junk\"}", BOUND, "a@x"},
        {"a default",
         "mutation($e:String=\"a@x\"){login(email:$e,password:\"p\")" FIELDS
         "}",
         "{}", BOUND, "a@x"},
        {"a default that is not used",
         "mutation($e:String=\"b@x\"){login(email:$e,password:\"p\")" FIELDS
         "}",
         "{\"e\":\"a@x\"}", BOUND, "a@x"},
        {"an escape",
         "mutation{login(email:\"\\u0061@x\",password:\"p\")" FIELDS "}", NULL,
         BOUND, "a@x"},
        {"beside __typename",
         "mutation{__typename login(email:\"a@x\",password:\"p\")" FIELDS "}",
         NULL, BOUND, "a@x"},
        {"in a fragment",
         "mutation{...F} fragment F on Mutation{login(email:\"a@x\","
         "password:\"p\")" FIELDS "}",
         NULL, BOUND, "a@x"},
        {"in an inline fragment",
         "mutation{...{...on "
         "Mutation{login(email:\"a@x\",password:\"p\")" FIELDS "}}}",
         NULL, BOUND, "a@x"},
        {"an empty name is a name",
         "mutation{login(email:\"\",password:\"p\")" FIELDS "}", NULL,
         "{\"email\":\"\",\"password\":\"p\"}", ""},
        {"two logins",
         "mutation{a:login(email:\"a\",password:\"p\")" FIELDS
         "b:login(email:\"b\",password:\"q\")" FIELDS "}",
         NULL, NULL, "alone"},
        {"another field",
         "mutation{login(email:\"a\",password:\"p\")" FIELDS " poke}", NULL,
         NULL, "alone: send the field poke"},
        {"a directive",
         "mutation{login(email:\"a\",password:\"p\")@skip(if:false)" FIELDS "}",
         NULL, NULL, "leave out @skip"},
        {"a directive around it",
         "mutation{...@include(if:true){login(email:\"a\",password:"
         "\"p\")" FIELDS "}}",
         NULL, NULL, "leave out @include"},
        {"a directive of the operation",
         "mutation@live{login(email:\"a\",password:\"p\")" FIELDS "}", NULL,
         NULL, "directives"},
        {"another argument",
         "mutation{login(email:\"a\",password:\"p\",otp:\"1\")" FIELDS "}",
         NULL, NULL, "has otp"},
        {"no password", "mutation{login(email:\"a\")" FIELDS "}", NULL, NULL,
         "password is not a string"},
        {"a name that is a number",
         "mutation{login(email:7,password:\"p\")" FIELDS "}", NULL, NULL,
         "($email) is not a string"},
        {"a name that is null",
         "mutation($e:String){login(email:$e,password:\"p\")" FIELDS "}",
         "{\"e\":null}", NULL, "($email) is not a string"},
        {"a name that is a list",
         "mutation($e:String){login(email:$e,password:\"p\")" FIELDS "}",
         "{\"e\":[\"a@x\"]}", NULL, "($email) is not a string"},
        {"a name with an unpaired surrogate",
         "mutation($e:String){login(email:$e,password:\"p\")" FIELDS "}",
         "{\"e\":\"\\ud800a@x\"}", NULL, "surrogate"},
        {"a password that is an object",
         "mutation($p:P){login(email:\"a\",password:$p)" FIELDS "}",
         "{\"p\":{\"a\":1}}", NULL, "password is not a string"},
        {"an undeclared variable",
         "mutation{login(email:$e,password:\"p\")" FIELDS "}",
         "{\"e\":\"a@x\"}", NULL, "($email) is not a string"},
    };

    (void)state;
    expect_rows(fauna, rows, PST_COUNT(rows));
}

#define NATIVE "{\"username\":\"a\",\"password\":\"p\"}"

/* Token in a header: a login without name and password is a social login. */
static void
test_header(void **state)
{
    static const struct row rows[] = {
        {"login", "mutation{login(username:\"a\",password:\"p\"){__typename}}",
         NULL, NATIVE, "a"},
        {"remembered",
         "mutation($r:Boolean){login(username:\"a\",password:\"p\","
         "rememberMe:$r){__typename}}",
         "{\"r\":true}",
         "{\"username\":\"a\",\"password\":\"p\",\"rememberMe\":true}", "a"},
        {"native, literal",
         "mutation{authenticate(input:{native:{username:\"a\",password:"
         "\"p\"}}){__typename}}",
         NULL, NATIVE, "a"},
        {"native, a variable",
         "mutation($i:I!){authenticate(input:$i){__typename}}",
         "{\"i\":{\"native\":{\"password\":\"p\",\"username\":\"a\"}}}", NATIVE,
         "a"},
        {"native, variables inside",
         "mutation($n:N!){authenticate(input:{native:$n}){__typename}}",
         "{\"n\":{\"password\":\"p\",\"username\":\"a\"}}", NATIVE, "a"},
        {"native, the name in another variable",
         "mutation($u:String!){authenticate(input:{native:{username:$u,"
         "password:\"p\"}}){__typename}}",
         "{\"u\":\"a\"}", NATIVE, "a"},
        {"social",
         "mutation{authenticate(input:{google:{token:\"t\"}}){__typename}}",
         NULL, "", NULL},
        {"social, and an unused native that is null",
         "mutation($i:I!){authenticate(input:$i){__typename}}",
         "{\"i\":{\"native\":null,\"google\":{\"token\":\"t\"}}}", "", NULL},
        {"both", "mutation($i:I!){authenticate(input:$i){__typename}}",
         "{\"i\":{\"native\":{\"username\":\"a\",\"password\":\"p\"},"
         "\"google\":{\"token\":\"t\"}}}",
         NULL, "has google"},
        {"a list of one object, which backends accept for the object",
         "mutation($i:I!){authenticate(input:$i){__typename}}",
         "{\"i\":[{\"native\":{\"username\":\"a\",\"password\":\"p\"}}]}", NULL,
         "a different value"},
        {"native that is a list",
         "mutation{authenticate(input:{native:[{username:\"a\",password:"
         "\"p\"}]}){__typename}}",
         NULL, NULL, "a different value"},
        {"a name without a password",
         "mutation{login(username:\"a\"){__typename}}", NULL, NULL,
         "password is not a string"},
        {"a name under a long variable",
         "mutation($uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         ":String!){login(username:$uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         "uuuuuuuuuuuuuuuu,password:\"p\"){__typename}}",
         "{\"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
         "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu\":"
         "\"a\"}",
         NATIVE, "a"},
    };

    (void)state;
    expect_rows(vendure, rows, PST_COUNT(rows));
}

/* R66: out of memory is an error, not a login that is not counted. */
static void
test_memory(void **state)
{
    static const char text[] =
        "mutation($i:I!){authenticate(input:$i){__typename}}";
    struct config *config = NULL;
    bool is_done = false;

    (void)state;
    assert_int_equal(config_new(&config, vendure, NULL), PST_OK);
    for (size_t n = 1; !is_done; n++) {
        struct login_operation request = {
            .variables = PST_STR("{\"i\":{\"native\":{\"username\":\"a\","
                                 "\"password\":\"p\"}}}")};
        const struct pst_graphql_document *document;
        struct pst_graphql_error error;
        struct login_match match;
        struct login_reason reason;
        enum pst_err e;

        assert_int_equal(
            pst_graphql_parse(arena, pst_str_from(text), &document, &error),
            PST_OK);
        request.operation = document->operations;
        assert_int_equal(login_operation_find_field(&request, &reason), PST_OK);
        pst_arena_fail_at(arena, n);
        e = login_match(arena, config, &request, &match, &reason);
        is_done = e == PST_OK;
        assert_true(is_done || e == PST_NO_MEMORY);
        pst_arena_reset(arena);
        assert_true(n < 1000);
    }
    config_free(&config);
}

/* Each use of a variable searches all of them: their number is limited. */
static void
test_many_variables(void **state)
{
    struct row row = {
        "many variables",
        "mutation($v0:String){login(email:$v0,password:\"p\")" FIELDS "}", NULL,
        "{\"email\":\"a\",\"password\":\"p\"}", "a"};
    static char variables[8192];

    (void)state;
    for (int count = 256; count <= 257; count++) {
        size_t len = 0;

        for (int i = 0; i < count; i++)
            len += (size_t)snprintf(variables + len, 20, "%c\"v%d\":\"a\"",
                                    i ? ',' : '{', i);
        (void)snprintf(variables + len, 2, "}");
        row.variables = variables;
        if (count > 256) {
            row.bound = NULL;
            row.account = "at most 256 variables";
        }
        expect_rows(fauna, &row, 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_many_variables),
    };
    int failed;

    if (pst_arena_new(&arena, ARENA_SIZE) != PST_OK)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pst_arena_free(&arena);
    return failed;
}
