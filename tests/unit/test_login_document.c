/* SPDX-License-Identifier: ISC */
/*
 * test_login_document.c - accepted and refused documents of the configuration,
 * and what is found in them (L53, L56).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/login_document.h"

#define ARENA_SIZE (1024 * 1024)

static struct pst_arena *arena;

static void
check_text(const char *row, struct pst_str got, const char *want)
{
    if (pst_str_is_absent(got) != !want ||
        (want && !pst_str_equal(got, pst_str_from(want))))
        fail_msg("%s: got %.*s, want %s", row, (int)got.len,
                 got.ptr ? got.ptr : "(nothing)", want ? want : "(nothing)");
}

#define BOTH "$email:String!,$password:String!"
#define BIND "email:$email,password:$password"
#define DIRECTIVE "with a directive: remove it"
#define BELOW "in the arguments of b, below the root field login"
#define ONE_FIELD "just one field, the login, at its root"

struct refused {
    const char *name;
    const char *document;
    const char *reason; /* part of the message */
};

/* Documents that are refused at any place in the list. */
static const struct refused always[] = {
    {"empty", "", "cannot be parsed at line 1, column 1: "},
    {"cut short", "mutation{\n login(", "cannot be parsed at line 2, column "},
    {"a type", "type A{b:C}", "cannot be parsed at line 1, column 1: "},
    {"two operations", "mutation A{login{b}} mutation C{login{d}}",
     "several operations"},
    {"query", "query{login{secret}}", "is not a mutation"},
    {"shorthand", "{login{secret}}", "is not a mutation"},
    {"subscription", "subscription{login{secret}}", "is not a mutation"},
    {"two root fields", "mutation{login{secret} poke{a}}", ONE_FIELD},
    {"one root field, twice", "mutation{a:login{b} c:login{d}}", ONE_FIELD},
    {"no field but __typename", "mutation{__typename}", ONE_FIELD},
    {"in a fragment", "mutation{...F} fragment F on M{login{secret}}",
     ONE_FIELD},
    {"in an inline fragment", "mutation{...on M{login{secret}}}", ONE_FIELD},
    {"a fragment beside it",
     "mutation{login{secret}...F} fragment F on M{login{email}}", ONE_FIELD},
    {"namespace", "mutation(" BOTH "){auth{login(" BIND "){secret}}}",
     "in the arguments of login, below the root field auth: a login must be"},
    {"a variable deep in an argument",
     "mutation($a:I){login{b(c:[{d:$a}]){e}}}", BELOW},
    {"a variable in a fragment",
     "mutation($a:I){login{...F}} fragment F on U{b(c:$a)}", BELOW},
    {"a variable in an inline fragment",
     "mutation($a:I){login{...on U{b(c:$a)}}}", BELOW},
    {"directive of the operation", "mutation@live{login{secret}}", DIRECTIVE},
    {"directive of the field", "mutation{login@skip(if:false){secret}}",
     DIRECTIVE},
    {"directive below", "mutation{login{secret@include(if:true)}}", DIRECTIVE},
    {"directive of a spread", "mutation{login{...F@a}} fragment F on U{secret}",
     DIRECTIVE},
    {"directive of an inline fragment", "mutation{login{...@a{secret}}}",
     DIRECTIVE},
    {"directive of a fragment",
     "mutation{login{...F}} fragment F on U@a{secret}", DIRECTIVE},
    {"directive in a fragment",
     "mutation{login{...F}} fragment F on U{secret@a}", DIRECTIVE},
    {"no selection set", "mutation(" BOTH "){login(" BIND ")}",
     "no selection set"},
    {"an unused variable", "mutation(" BOTH ",$x:Int){login(" BIND "){secret}}",
     "declares $x"},
    {"both names",
     "mutation($email:String,$username:String,$password:String){login(a:"
     "$email,b:$username,c:$password){secret}}",
     "both $email and $username"},
};

/* Documents that are refused as the first one. */
static const struct refused first_only[] = {
    {"no name", "mutation($password:String!){login(a:$password){secret}}",
     "has no $email or $username"},
    {"no password", "mutation($email:String!){login(a:$email){secret}}",
     "or no $password"},
    {"nothing bound", "mutation{login{secret}}", "is the first document, and"},
    {"a further requirement",
     "mutation(" BOTH ",$otp:String!){login(" BIND ",otp:$otp){secret}}",
     "requires $otp"},
};

static enum pst_err
read_login(const char *document, bool is_first, struct login_document *out,
           struct config_error *reason)
{
    return login_document_parse(arena, pst_str_from(document), is_first, out,
                                reason);
}

static void
expect_refused(const struct refused *row, bool is_first)
{
    struct login_document login = {.text = PST_STR("untouched")};
    struct config_error reason = {""};
    enum pst_err e;

    pst_arena_reset(arena);
    e = read_login(row->document, is_first, &login, &reason);
    if (e != PST_BAD_CONFIG || !strstr(reason.message, row->reason))
        fail_msg("%s: %s, %s", row->name, pst_err_code(e), reason.message);
    check_text(row->name, login.text, "untouched");
}

static void
test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(always); i++) {
        expect_refused(&always[i], true);
        expect_refused(&always[i], false);
    }
    for (size_t i = 0; i < PST_COUNT(first_only); i++) {
        struct config_error reason = {""};
        struct login_document login;

        expect_refused(&first_only[i], true);
        if (read_login(first_only[i].document, false, &login, &reason) !=
            PST_OK)
            fail_msg("%s, second: %s", first_only[i].name, reason.message);
    }
}

struct taken {
    const char *name;
    const char *document;
    bool is_second;
    const char *field;
    const char *name_variable; /* NULL: none */
    bool has_password;
    bool has_remember;
    const char *text; /* as sent; NULL: not compared */
};

static const struct taken taken[] = {
    {"e-mail", "mutation L(" BOTH "){login(" BIND "){secret}}", false, "login",
     "email", true, false,
     "mutation L(" BOTH ") {__typename login(" BIND ") {__typename secret}}"},
    {"user name",
     "mutation($username:ID!,$password:P!,$rememberMe:Boolean){logIn(input:{"
     "native:[{u:$username,p:$password}]},r:$rememberMe){id}}",
     false, "logIn", "username", true, true, NULL},
    {"behind an alias, beside __typename (L56)",
     "mutation(" BOTH "){__typename login:signIn(" BIND "){secret}}", false,
     "signIn", "email", true, false, NULL},
    {"a further variable with a default",
     "mutation(" BOTH ",$otp:String!=\"\"){login(" BIND ",otp:$otp){a}}", false,
     "login", "email", true, false, NULL},
    {"a further variable that may be null",
     "mutation(" BOTH ",$otp:String){login(" BIND ",otp:$otp){a}}", false,
     "login", "email", true, false, NULL},
    {"fragments, and literal arguments in them",
     "mutation(" BOTH "){login(" BIND "){...F ...on U{a(b:[{c:1}])}}}"
     "fragment F on T{secret}",
     false, "login", "email", true, false,
     "mutation (" BOTH ") {__typename login(" BIND ") {__typename ...F ...on "
     "U {__typename postern_U:__typename a(b:[{c:1}])}}} fragment F on T "
     "{__typename postern_T:__typename secret}"},
    {"refresh", "mutation{refresh{secret}}", true, "refresh", NULL, false,
     false, NULL},
    {"register",
     "mutation($username:String!,$age:Int!){register(u:$username,"
     "a:$age){secret}}",
     true, "register", "username", false, false, NULL},
};

static void
test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(taken); i++) {
        const struct taken *row = &taken[i];
        struct login_document login = {.text = PST_STR_NONE};
        struct config_error reason = {""};

        pst_arena_reset(arena);
        if (read_login(row->document, !row->is_second, &login, &reason) !=
            PST_OK)
            fail_msg("%s: %s", row->name, reason.message);
        check_text(row->name, login.field->name, row->field);
        check_text(row->name, login.name_variable, row->name_variable);
        if (login.has_password != row->has_password ||
            login.has_remember != row->has_remember)
            fail_msg("%s: password %d, remember %d", row->name,
                     login.has_password, login.has_remember);
        if (row->text)
            check_text(row->name, login.text, row->text);
        /* The tree belongs to the text that is sent. */
        check_text(row->name, login.field->selections->name, "__typename");
        assert_true(login.field->name.ptr > login.text.ptr &&
                    login.field->name.ptr < login.text.ptr + login.text.len);
        check_text(row->name, login.operation->selections->name, "__typename");
    }
}

static void
test_refresh(void **state)
{
    static const struct refused bad[] = {
        {"empty", "", "cannot be parsed at line 1, column 1: "},
        {"a query", "query($refreshToken:S){renew(t:$refreshToken){secret}}",
         "is not a mutation; a refresh must be one"},
        {"two root fields",
         "mutation($refreshToken:S){renew(t:$refreshToken){a} poke{b}}",
         "just one field, the refresh, at its root"},
        {"no selection set",
         "mutation($refreshToken:S){renew(t:$refreshToken)}",
         "refresh field has no selection set"},
        {"no variable", "mutation{renew{secret}}", "without $refreshToken"},
        {"a variable that is not used",
         "mutation($refreshToken:S){renew{secret}}", "without $refreshToken"},
        {"used below the root field",
         "mutation($refreshToken:S){renew{secret(t:$refreshToken)}}",
         "a refresh must be the root field itself"},
        {"another variable",
         "mutation($refreshToken:S,$x:I=1){renew(t:$refreshToken,x:$x){secret}"
         "}",
         "declares $x: its one variable must be called $refreshToken"},
        {"another variable before it",
         "mutation($x:I=1,$refreshToken:S){renew(t:$refreshToken,x:$x){secret}"
         "}",
         "declares $x: its one variable must be called $refreshToken"},
        {"another name", "mutation($token:S){renew(t:$token){secret}}",
         "declares $token"},
    };
    struct login_document refresh = {.text = PST_STR_NONE};
    struct config_error reason = {""};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(bad); i++) {
        enum pst_err e;

        pst_arena_reset(arena);
        e = refresh_document_parse(arena, pst_str_from(bad[i].document),
                                   &refresh, &reason);
        if (e != PST_BAD_CONFIG || !strstr(reason.message, bad[i].reason) ||
            refresh.field)
            fail_msg("%s: %s, %s", bad[i].name, pst_err_code(e),
                     reason.message);
    }
    pst_arena_reset(arena);
    assert_int_equal(
        refresh_document_parse(
            arena,
            PST_STR("mutation($refreshToken:S!){a:renew(in:[{t:$refreshToken}]"
                    "){secret}}"),
            &refresh, &reason),
        PST_OK);
    check_text("field", refresh.field->name, "renew");
    check_text("text", refresh.text,
               "mutation ($refreshToken:S!) {__typename "
               "a:renew(in:[{t:$refreshToken}]) {__typename secret}}");
}

static void
test_who(void **state)
{
    static const struct refused bad[] = {
        {"empty", "", "cannot be parsed at line 1, column 1: "},
        {"mutation", "mutation{me{id}}", "is not one query"},
        {"subscription", "subscription{me{id}}", "is not one query"},
        {"two", "query A{me{id}} query B{me{id}}", "is not one query"},
        {"two root fields", "{me{id} you{id}}", "is not one query"},
        {"in a fragment", "{...F} fragment F on Q{me{id}}", "is not one query"},
        {"no selection set", "{me}", "is not one query"},
        {"a required variable", "query($a:I!){me(b:$a){id}}",
         "requires $a, but it is sent without variables"},
    };
    static const char *const good[] = {
        "{me{id}}",
        "query Who{__typename you:me{id}}",
        "query($a:I!=1,$b:I){me(c:$a,d:$b){id@include(if:true)}}",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(bad); i++) {
        struct who_document who = {.text = PST_STR_NONE};
        struct config_error reason = {""};
        enum pst_err e;

        pst_arena_reset(arena);
        e = who_document_parse(arena, pst_str_from(bad[i].document), &who,
                               &reason);
        if (e != PST_BAD_CONFIG || !strstr(reason.message, bad[i].reason) ||
            who.field)
            fail_msg("%s: %s, %s", bad[i].name, pst_err_code(e),
                     reason.message);
    }
    for (size_t i = 0; i < PST_COUNT(good); i++) {
        struct who_document who = {.text = PST_STR_NONE};
        struct config_error reason = {""};

        pst_arena_reset(arena);
        if (who_document_parse(arena, pst_str_from(good[i]), &who, &reason) !=
            PST_OK)
            fail_msg("%s: %s", good[i], reason.message);
        check_text(good[i], who.text, good[i]);
        check_text(good[i], who.field->name, "me");
    }
}

static void
test_check(void **state)
{
    struct config_error reason = {""};

    (void)state;
    pst_arena_reset(arena);
    assert_int_equal(
        logout_document_check(arena, PST_STR("mutation{logout}"), &reason),
        PST_OK);
    assert_int_equal(
        logout_document_check(arena, PST_STR("{a}\n\n {"), &reason),
        PST_BAD_CONFIG);
    assert_non_null(
        strstr(reason.message, "cannot be parsed at line 3, column "));
}

/* The name of the field that a pointer leads to, or an empty string. */
static void
test_find(void **state)
{
    static const char document[] =
        "{me{id s:session{...F t:token}...on U{mail...on V{...G}}...{loose}}}"
        "fragment F on S{secret inner{deep}}"
        "fragment G on W{far{away:gone}}";
    static const struct {
        const char *pointer;
        const char *name;
    } pointers[] = {
        {"/id", "id"},
        {"/s", "session"},
        {"/session", NULL},
        {"/s/secret", "secret"},
        {"/s/inner/deep", "deep"},
        {"/s/t", "token"},
        {"/s/token", NULL},
        {"/mail", "mail"},
        {"/loose", "loose"},
        {"/far/away", "gone"},
        {"/away", NULL},
        {"/F", NULL},
        {"/id/x", NULL},
        {"/me", NULL},
        {"", NULL},
        {"/", NULL},
        {"id", NULL},
        {"/id/", NULL},
        {"//id", NULL},
        {"/s//secret", NULL},
    };
    struct who_document who;
    struct config_error reason;

    (void)state;
    pst_arena_reset(arena);
    assert_int_equal(
        who_document_parse(arena, pst_str_from(document), &who, &reason),
        PST_OK);
    for (size_t i = 0; i < PST_COUNT(pointers); i++) {
        const struct pst_graphql_selection *found =
            document_find_field(who.field, pst_str_from(pointers[i].pointer));

        check_text(pointers[i].pointer, found ? found->name : PST_STR_NONE,
                   pointers[i].name);
    }
    assert_null(document_find_field(who.field, PST_STR_NONE));
}

/* Each allocation fails in turn: an error, and no output. */
static void
test_memory(void **state)
{
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        struct login_document login = {.text = PST_STR_NONE};
        struct config_error reason = {""};

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = read_login(taken[5].document, true, &login, &reason);
        assert_true(pst_str_is_absent(login.text) == (e != PST_OK));
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 10, 999);
    e = PST_NO_MEMORY;
    for (n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        struct who_document who;
        struct config_error reason;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = who_document_parse(arena, PST_STR("{me{id}}"), &who, &reason);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 3, 999);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused), cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refresh), cmocka_unit_test(test_who),
        cmocka_unit_test(test_check),   cmocka_unit_test(test_find),
        cmocka_unit_test(test_memory),
    };
    int failed;

    if (pst_arena_new(&arena, ARENA_SIZE) != PST_OK)
        return 1;
    failed = cmocka_run_group_tests_name("login_document", tests, NULL, NULL);
    pst_arena_free(&arena);
    return failed;
}
