/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_summary.c - the summary of documents under the rules: root
 * fields through fragments, login, password and secret fields.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "failing.h"
#include "graphql/summary.h"

static const struct pst_graphql_root_field logins[] = {
    {{"login", 5}, PST_GRAPHQL_MUTATION, false},
    {{"refresh", 7}, PST_GRAPHQL_MUTATION, false},
};
static const struct pst_graphql_root_field passwords[] = {
    {{"changePassword", 14}, PST_GRAPHQL_MUTATION, false},
    {{"verify", 6}, PST_GRAPHQL_QUERY, true},
};
static const struct pst_str secrets[] = {{"token", 5}, {"secret", 6}};
static const struct pst_graphql_root_field allowed[] = {
    {{"checkout", 8}, PST_GRAPHQL_QUERY, true},
    {{"cart", 4}, PST_GRAPHQL_QUERY, false},
};
static const struct pst_graphql_rules rules = {
    logins,  PST_COUNT(logins),  passwords, PST_COUNT(passwords),
    secrets, PST_COUNT(secrets), allowed,   PST_COUNT(allowed),
};

/* A text buffer. */
struct printed {
    char text[8192];
    size_t len;
};

static void print_text(struct printed *printed, const char *format, ...)
    PST_PRINTF(2, 3);

static void
print_text(struct printed *printed, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    printed->len +=
        (size_t)vsnprintf(printed->text + printed->len,
                          sizeof(printed->text) - printed->len, format, values);
    va_end(values);
    assert_true(printed->len < sizeof(printed->text));
}

static void
print_list(struct printed *printed, const char *ends,
           const struct pst_str *texts, size_t count)
{
    print_text(printed, "%c", ends[0]);
    for (size_t i = 0; i < count; i++)
        print_text(printed, "%s%.*s", i > 0 ? "," : "", (int)texts[i].len,
                   texts[i].ptr);
    print_text(printed, "%c", ends[1]);
}

/* "kind name(variables){roots} login password; … secret 1:2 login secret 3:4",
 * without what is absent. */
static void
print_summary(struct printed *printed,
              const struct pst_graphql_summary *summary)
{
    static const char kinds[] = {'q', 'm', 's'};
    bool has_login = false;
    bool has_password = false;

    printed->len = 0;
    for (size_t i = 0; i < summary->operation_count; i++) {
        const struct pst_graphql_summary_operation *o = &summary->operations[i];

        print_text(printed, "%s%c", i > 0 ? "; " : "", kinds[o->kind]);
        if (!pst_str_is_absent(o->name))
            print_text(printed, " %.*s", (int)o->name.len, o->name.ptr);
        if (o->variable_count > 0)
            print_list(printed, "()", o->variables, o->variable_count);
        print_list(printed, "{}", o->roots, o->root_count);
        print_text(printed, "%s%s", o->has_login ? " login" : "",
                   o->has_password ? " password" : "");
        has_login |= o->has_login;
        has_password |= o->has_password;
    }
    assert_int_equal(summary->has_login, has_login);
    assert_int_equal(summary->has_password, has_password);
    if (!pst_str_is_absent(summary->secret))
        print_text(printed, " %.*s %u:%u", (int)summary->secret.len,
                   summary->secret.ptr, summary->secret_location.line,
                   summary->secret_location.column);
    if (!pst_str_is_absent(summary->login_secret))
        print_text(printed, " login's %.*s %u:%u",
                   (int)summary->login_secret.len, summary->login_secret.ptr,
                   summary->login_secret_location.line,
                   summary->login_secret_location.column);
}

static struct pst_graphql_summary *
parse(const char *name, struct pst_str text)
{
    struct pst_graphql_summary *summary = NULL;
    struct pst_graphql_error error = {.message = ""};
    enum pst_err e = pst_graphql_summary_parse(text, &rules, &summary, &error);

    if (e)
        fail_msg("%s: %s %s (%u:%u)", name, pst_err_code(e), error.message,
                 error.location.line, error.location.column);
    return summary;
}

struct row {
    const char *text;
    const char *want;
};

static void
check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(rows[i].text);
        char *copy = malloc(len); /* freed before the summary is read */
        struct pst_graphql_summary *summary;
        static struct printed printed;

        assert_non_null(copy);
        memcpy(copy, rows[i].text, len);
        summary = parse(rows[i].text, (struct pst_str){copy, len});
        memset(copy, '#', len);
        free(copy);
        print_summary(&printed, summary);
        if (strcmp(printed.text, rows[i].want) != 0)
            fail_msg("%s:\n got %s\nwant %s", rows[i].text, printed.text,
                     rows[i].want);
        pst_graphql_summary_free(&summary);
        assert_null(summary);
    }
}

static void
test_roots(void **state)
{
    static const struct row rows[] = {
        {"{a}", "q{a}"},
        {"query Q($id: ID!, $n: Int = 1) { a(id: $id) { b } x: c __typename }",
         "q Q(id,n){a,c,__typename}"},
        {"subscription S { a { b } }", "s S{a}"},
        {"query A {a} mutation B {b} query C {c a}",
         "q A{a}; m B{b}; q C{c,a}"},
        {"{ a ... { b } ... on Query { c ... { d } } a }", "q{a,b,c,d,a}"},
        {"{ ...F a } fragment F on Query { b ...G } fragment G on Query { c }",
         "q{a,b,c}"},
        /* once at the root, as in execution (6.3.2) */
        {"{ ...F a ...F } fragment F on Query { b b }", "q{a,b,b}"},
        {"query A{...F} mutation B{...F x ...F} fragment F on Query{b}",
         "q A{b}; m B{x,b}"},
        {"{ a { ...F } } fragment F on T { b }", "q{a}"},
        {"{ a @include(if: false) ...F @skip(if: true) } "
         "fragment F on Query { b }",
         "q{a,b}"},
    };

    (void)state;
    check_rows(rows, PST_COUNT(rows));
}

/* L53, L56: a login is a pair of kind and root field, with any alias, in
 * fragments too; the same name deeper or in another kind is not a login. */
static void
test_logins(void **state)
{
    static const struct row rows[] = {
        {"mutation { login(a: 1) { id } }", "m{login} login"},
        {"mutation { x: login(a: 1) { id } }", "m{login} login"},
        {"mutation { login: other { id } }", "m{other}"},
        {"{ login(a: 1) { id } }", "q{login}"},
        {"{ login: __type(name: \"Query\") { name } }", "q{__type}"},
        {"subscription { login { id } }", "s{login}"},
        {"mutation { other { login { id } } }", "m{other}"},
        {"mutation { Login { id } logins { id } }", "m{Login,logins}"},
        {"mutation { ...F } fragment F on Mutation { ...G } "
         "fragment G on Mutation { ... { y: refresh { id } } }",
         "m{refresh} login"},
        {"query A { a } mutation B { login(a: 1) { id } }",
         "q A{a}; m B{login} login"},
        {"query A { ...F } mutation B { ...F } "
         "fragment F on Mutation { login(a: 1) { id } }",
         "q A{login}; m B{login} login"},
        {"mutation { changePassword(a: 1) { id } }",
         "m{changePassword} password"},
        {"{ changePassword { id } verify { id } }",
         "q{changePassword,verify} password"},
        {"mutation { verify { id } login(a: 1) { id } }",
         "m{verify,login} login password"},
        {"{ a { verify { id } } }", "q{a}"},
    };

    (void)state;
    check_rows(rows, PST_COUNT(rows));
}

/* L57: whether a secret field is refused depends on its place. */
static void
test_secrets(void **state)
{
    static const struct row rows[] = {
        {"{ a { token } }", "q{a} token 1:7"},
        {"{ token }", "q{token} token 1:3"},
        {"{ a { x: token } }", "q{a} token 1:7"},
        {"{ a { token: id } }", "q{a}"},
        {"{ a(token: 1) { b @c(secret: 2) Token tokens } }", "q{a}"},
        {"{ a {\n b { ... on T { secret } } token } }", "q{a} secret 2:17"},
        {"mutation { login(a: 1) { secret } }",
         "m{login} login login's secret 1:26"},
        {"mutation { login(a: 1) { u { token } } a { secret } }",
         "m{login,a} login secret 1:44 login's token 1:30"},
        /* not a login */
        {"{ login(a: 1) { secret } }", "q{login} secret 1:17"},
        {"mutation { a { login { secret } } }", "m{a} secret 1:24"},
        {"mutation { register { secret } }", "m{register} secret 1:23"},
        /* allowed below a root field, and as one */
        {"{ checkout { token } cart { a { secret } } }", "q{checkout,cart}"},
        {"mutation { checkout { token } }", "m{checkout}"},
        {"mutation { cart { token } }", "m{cart} token 1:19"},
        {"{ a { checkout { token } } }", "q{a} token 1:18"},
        {"{ x: checkout { token } checkout: a { token } }",
         "q{checkout,a} token 1:39"},
    };

    (void)state;
    check_rows(rows, PST_COUNT(rows));
}

/* A fragment counts at each spread. Without a spread it counts as refused. */
static void
test_secrets_in_fragments(void **state)
{
    static const struct row rows[] = {
        {"{ a { ...F } } fragment F on T { token }", "q{a} token 1:34"},
        {"mutation { login(a: 1) { ...F } } fragment F on T { token }",
         "m{login} login login's token 1:53"},
        {"{ checkout { ...F } } fragment F on T { b { ...G } } "
         "fragment G on T { token }",
         "q{checkout}"},
        {"{ checkout { ...F } a { ...F } } fragment F on T { token }",
         "q{checkout,a} token 1:52"},
        {"mutation { login(a: 1) { ...F } b { ...F } } "
         "fragment F on T { token }",
         "m{login,b} login token 1:64 login's token 1:64"},
        /* not spread */
        {"{ a } fragment F on T { token }", "q{a} token 1:25"},
        {"{ a } fragment F on Mutation { login(a: 1) { token } }",
         "q{a} token 1:46"},
        {"{ a } fragment F on T { ...G } fragment G on T { token }",
         "q{a} token 1:50"},
        {"{ checkout { ...G } } fragment F on T { ...G } "
         "fragment G on T { token }",
         "q{checkout} token 1:66"},
        /* at the root, of each kind */
        {"mutation { ...F } fragment F on Mutation { login(a: 1) { token } }",
         "m{login} login login's token 1:58"},
        {"query A { ...F } mutation B { ...F } "
         "fragment F on Mutation { login(a: 1) { token } }",
         "q A{login}; m B{login} login token 1:77 login's token 1:77"},
        {"mutation B { ...F } query A { ...F } "
         "fragment F on Query { cart { token } }",
         "m B{cart}; q A{cart} token 1:67"},
        {"query A { ...F } query B { ...F b { ...F } } "
         "fragment F on Query { cart { token } }",
         "q A{cart}; q B{b,cart} token 1:75"},
        /* the first in the text, in any order of fragments */
        {"{ a { ...F } } fragment G on T {\n token } fragment F on T { ...G\n"
         "secret }",
         "q{a} token 2:2"},
    };

    (void)state;
    check_rows(rows, PST_COUNT(rows));
}

static void
test_text_and_size(void **state)
{
    struct pst_str bom = PST_STR("\xEF\xBB\xBF{ a }");
    struct pst_str text = PST_STR("query A($b: C) { d }");
    struct pst_graphql_summary *summary = parse("BOM", bom);

    (void)state;
    assert_true(pst_str_equal(summary->text, PST_STR("{ a }")));
    pst_graphql_summary_free(&summary);
    summary = parse("size", text);
    assert_true(pst_str_equal(summary->text, text));
    assert_int_equal(summary->size,
                     sizeof(*summary) + sizeof(*summary->operations) +
                         2 * sizeof(struct pst_str) + text.len + 3);
    pst_graphql_summary_free(&summary);
    pst_graphql_summary_free(&summary);
}

static void
test_find(void **state)
{
    struct pst_graphql_summary *one = parse("one", PST_STR("query A {a}"));
    struct pst_graphql_summary *two =
        parse("two", PST_STR("query A {a} query B {b}"));
    struct pst_str empty = PST_STR("");

    (void)state;
    assert_ptr_equal(pst_graphql_summary_find(one, PST_STR_NONE),
                     one->operations);
    assert_ptr_equal(pst_graphql_summary_find(one, empty), one->operations);
    assert_ptr_equal(pst_graphql_summary_find(one, PST_STR("A")),
                     one->operations);
    assert_null(pst_graphql_summary_find(one, PST_STR("B")));
    assert_null(pst_graphql_summary_find(two, PST_STR_NONE));
    assert_null(pst_graphql_summary_find(two, empty)); /* L55 */
    assert_ptr_equal(pst_graphql_summary_find(two, PST_STR("B")),
                     two->operations + 1);
    pst_graphql_summary_free(&one);
    pst_graphql_summary_free(&two);
}

/* Fragments that expand to 2^60 fields at the root, and 2^60 below it, are read
 * once each. */
static void
test_exponential_fragments(void **state)
{
    static struct printed text;
    struct pst_graphql_summary *summary;

    (void)state;
    print_text(&text, "{ ...A0 x { ...B0 } }");
    for (int i = 0; i < 60; i++)
        print_text(&text,
                   " fragment A%d on Q { ...A%d ...A%d }"
                   " fragment B%d on T { ...B%d ...B%d }",
                   i, i + 1, i + 1, i, i + 1, i + 1);
    print_text(&text, " fragment A60 on Q { a } fragment B60 on T {\n token }");
    summary = parse("doubling", (struct pst_str){text.text, text.len});
    print_summary(&text, summary);
    assert_string_equal(text.text, "q{x,a} token 2:2");
    pst_graphql_summary_free(&summary);
}

/* `operations` operations that all spread one fragment of `fields` fields,
 * whose names have `len` letters. */
static struct pst_str
make_many(size_t operations, size_t fields, size_t len)
{
    static char text[256 * 1024];
    size_t at = 0;

    for (size_t i = 0; i < operations; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "query Q%zu {...F} ", i);
    at +=
        (size_t)snprintf(text + at, sizeof(text) - at, "fragment F on Query {");
    for (size_t i = 0; i < fields; i++) {
        assert_true(at + len + 2 < sizeof(text));
        text[at++] = ' ';
        memset(text + at, 'a', len);
        at += len;
    }
    text[at++] = '}';
    return (struct pst_str){text, at};
}

/* Operations times fragment fields is bounded, and so is the size of names. */
static void
test_many_roots(void **state)
{
    static const struct {
        size_t operations;
        size_t fields;
        size_t len;
        enum pst_err want;
    } rows[] = {
        /* each operation counts its fields and the spread */
        {190, 50, 1, PST_OK},
        {PST_GRAPHQL_ROOTS_MAX / 50, 49, 1, PST_OK},
        {PST_GRAPHQL_ROOTS_MAX / 50 + 1, 49, 1, PST_TOO_LARGE},
        {1, 5000, 1, PST_OK},
        {32, 1, PST_GRAPHQL_ROOT_NAMES_MAX / 32, PST_OK},
        {33, 1, PST_GRAPHQL_ROOT_NAMES_MAX / 32, PST_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str text =
            make_many(rows[i].operations, rows[i].fields, rows[i].len);
        struct pst_graphql_summary *summary = NULL;
        struct pst_graphql_error error = {.message = ""};
        enum pst_err e =
            pst_graphql_summary_parse(text, &rules, &summary, &error);

        if (e != rows[i].want)
            fail_msg("row %zu: %s %s", i, pst_err_code(e), error.message);
        if (e) {
            assert_non_null(strstr(error.message, "roots"));
            continue;
        }
        assert_int_equal(summary->operation_count, rows[i].operations);
        assert_int_equal(summary->operations[rows[i].operations - 1].root_count,
                         rows[i].fields);
        pst_graphql_summary_free(&summary);
    }
}

/* L67: a document that the parser refuses has no summary. */
static void
test_refused(void **state)
{
    struct pst_graphql_summary *summary = NULL;
    struct pst_graphql_error error = {.message = ""};

    (void)state;
    assert_int_equal(
        pst_graphql_summary_parse(PST_STR("{ a"), &rules, &summary, &error),
        PST_MALFORMED);
    assert_true(error.message[0] != '\0' && error.location.line == 1);
    assert_int_equal(
        pst_graphql_summary_parse(PST_STR(""), &rules, &summary, &error),
        PST_MALFORMED); /* L55 */
    assert_null(summary);
}

static void
test_no_rules(void **state)
{
    static const struct pst_graphql_rules none = {.logins = NULL};
    struct pst_graphql_summary *summary = NULL;
    struct pst_graphql_error error;
    static struct printed printed;

    (void)state;
    assert_int_equal(
        pst_graphql_summary_parse(PST_STR("mutation{login{token}}"), &none,
                                  &summary, &error),
        PST_OK);
    print_summary(&printed, summary);
    assert_string_equal(printed.text, "m{login}");
    pst_graphql_summary_free(&summary);
}

/* Each allocation fails in turn. */
static void
test_no_memory(void **state)
{
    struct pst_str text =
        PST_STR("mutation A($a: B) { ...F ...G } query C { a b c d e f g h i "
                "j k l m n o p q r } fragment F on M { x { token } } "
                "fragment G on M { y }");
    bool has_failed = true;

    (void)state;
    for (size_t n = 1; has_failed; n++) {
        struct pst_graphql_summary *summary = NULL;
        struct pst_graphql_error error;
        enum pst_err e;

        assert_true(n < 100);
        failing_at(n);
        e = pst_graphql_summary_parse(text, &rules, &summary, &error);
        has_failed = failing_has_failed();
        if (e != (has_failed ? PST_NO_MEMORY : PST_OK))
            fail_msg("allocation %zu: %s", n, pst_err_code(e));
        assert_true(has_failed == (summary == NULL));
        pst_graphql_summary_free(&summary);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_secrets_in_fragments),
        cmocka_unit_test(test_text_and_size),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_exponential_fragments),
        cmocka_unit_test(test_many_roots),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
