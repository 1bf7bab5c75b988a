/* SPDX-License-Identifier: ISC */
/*
 * test_graphql.c - where a name is a field, and where it only looks like one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "graphql.h"
#include "limits.h"

#define T(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }
#define Q3 "\"\"\""

enum verdict {
    NONE = 0,
    FIELD = 1, /* pst_graphql_has_field() */
    ALIAS = 2, /* pst_graphql_has_alias() */
    BOTH = FIELD | ALIAS,
    UNREAD = BOTH, /* what cannot be read is taken for the worst */
};

struct row {
    const char *name;
    struct pst_text in;
    enum verdict want;
};

/* The name looked for is always "login". */
static const struct row fields[] = {
    {"shorthand", T("{login}"), FIELD},
    {"shorthand with space", T(" { login } "), FIELD},
    {"mutation", T("mutation{login}"), FIELD},
    {"named mutation", T("mutation OwnerLogin { login { secret } }"), FIELD},
    {"with arguments and variables",
     T("mutation($email:String!,$password:String!){login(email:$email,"
       "password:$password){secret ttl email ownerId}}"),
     FIELD},
    {"second field", T("{ a login }"), FIELD},
    {"second operation", T("query A { a } mutation B { login }"), FIELD},
    {"nested", T("{ x { login } }"), FIELD},
    {"deeply nested", T("{a{b{c{d{e(x:{y:[1]}){login}}}}}}"), FIELD},
    {"in an inline fragment", T("{ ... on Mutation { login } }"), FIELD},
    {"in a bare inline fragment", T("{ ... { login } }"), FIELD},
    {"in a conditional fragment", T("{ ... @include(if: true) { login } }"),
     FIELD},
    {"behind a conditional fragment", T("{ ...F@skip(if:true) login }"), FIELD},
    {"in a fragment", T("{...F} fragment F on Mutation { login }"), FIELD},
    {"behind a spread", T("{ ...F login }"), FIELD},
    {"behind a fragment that looks like on", T("{ ...onX login }"), FIELD},
    {"behind a directive", T("{ a @x login }"), FIELD},
    {"behind a directive's arguments", T("{ a @x(if: $b) login }"), FIELD},
    {"before a directive", T("{ login @x }"), FIELD},
    {"behind arguments", T("{ a(x: 1) login }"), FIELD},
    {"behind a field named on", T("{ on login }"), FIELD},
    {"behind a list argument", T("{ a(x: [1, [2]]) login }"), FIELD},
    {"behind an object argument", T("{ a(x: {b: {c: 1}}) login }"), FIELD},
    {"behind a string", T("{ a(x: \"}\") login }"), FIELD},
    {"behind a hash in a string", T("{ a(x: \"#\") login }"), FIELD},
    {"behind a quote in a string", T("{ a(x: \"\\\"\") login }"), FIELD},
    {"behind a backslash in a string", T("{ a(x: \"\\\\\") login }"), FIELD},
    {"behind an empty string", T("{ a(x: \"\") login }"), FIELD},
    {"behind a block string", T("{ a(x: " Q3 " ) } " Q3 ") login }"), FIELD},
    {"behind an empty block string", T("{ a(x: " Q3 Q3 ") login }"), FIELD},
    {"behind an escaped block end",
     T("{ a(x: " Q3 "\n\\" Q3 ")\n" Q3 ") login }"), FIELD},
    {"behind a block string of lines", T("{ a(x: " Q3 "\n#\"\n" Q3 ") login }"),
     FIELD},
    {"behind a comment and a line feed", T("{ # {\n login }"), FIELD},
    {"behind a comment and a return", T("{ # {\r login }"), FIELD},
    {"behind a quote in a comment", T("{ # \"\n login }"), FIELD},
    {"between commas", T("{,,a,,login,,}"), FIELD},
    {"between byte order marks",
     T("\xEF\xBB\xBF{\xEF\xBB\xBFlogin\xEF\xBB\xBF}"), FIELD},
    {"between tabs and returns", T("{\ta\r\nlogin\t}"), FIELD},
    {"behind default values", T("query($a: I = {x: \"}\"}) { login }"), FIELD},
    {"behind numbers", T("{ a(x: -1.5e+3, y: 0) login }"), FIELD},
    {"behind an escaped character", T("{ a(x: \"\\u0022\\u{1F600}\") login }"),
     FIELD},
    {"behind other characters",
     T("{ a(x: \"\xC3\xA9\") login # \xE2\x82\xAC\n}"), FIELD},
    {"response key", T("{ login: me { id } }"), BOTH},
    {"response key of itself", T("{ login: login }"), FIELD},
    {"of a type definition", T("type A { login: X }"), BOTH},
    {"subscription", T("subscription { login }"), FIELD},
    {"no operation of that kind", T("whatever { login }"), FIELD},

    {"alias", T("{ a: login }"), BOTH},
    {"alias, tight", T("{a:login(x:1){secret}}"), BOTH},
    {"alias with ignored between", T("{ a ,: # x\n , login }"), BOTH},
    {"alias in a fragment", T("fragment F on M { a: login }"), BOTH},
    {"one plain, one alias", T("{ login a: login }"), BOTH},
    {"alias of a longer name", T("{ loginX: login }"), BOTH},
    {"both ways round", T("{ login: me me: login }"), BOTH},
    {"alias behind an alias", T("{ a: b c: login }"), BOTH},
    {"alias behind a directive", T("{ a @login b: login }"), BOTH},
};

static const struct row others[] = {
    {"empty", T(""), NONE},
    {"absent", {NULL, 0}, NONE},
    {"comment only", T("# { login }"), NONE},
    {"another field", T("{ logout }"), NONE},
    {"longer name", T("{ loginX }"), NONE},
    {"longer name before", T("{ xlogin }"), NONE},
    {"with a digit", T("{ login2 }"), NONE},
    {"with an underscore", T("{ _login login_ }"), NONE},
    {"other case", T("{ Login LOGIN }"), NONE},
    {"alias of another", T("{ a: logout }"), NONE},
    {"in a string", T("{ a(x: \"login\") }"), NONE},
    {"in a string with brackets", T("{ a(x: \") { login\") }"), NONE},
    {"behind an escaped quote", T("{ a(x: \"\\\") login\") }"), NONE},
    {"in a block string", T("{ a(x: " Q3 ") login (" Q3 ") }"), NONE},
    {"in a block string with quotes",
     T("{ a(x: " Q3 "\n\"login\" ) login (\n" Q3 ") }"), NONE},
    {"behind an escaped block end",
     T("{ a(x: " Q3 "\n\\" Q3 ") login (" Q3 ") }"), NONE},
    {"escaped block ends on one line",
     T("{ a(x: " Q3 " \\" Q3 " login " Q3 ") }"), NONE},
    {"in a description", T(Q3 "{ login }" Q3 " type A { b: C }"), NONE},
    {"in a comment", T("{ a # login\n }"), NONE},
    {"in a comment to the return", T("{ a # login\r }"), NONE},
    {"in a comment at the end", T("{ a } # login"), NONE},
    {"in a comment behind a quote", T("{ a # \"\n # login \"\n }"), NONE},
    {"argument", T("{ a(login: 1) }"), NONE},
    {"argument's value", T("{ a(x: login) }"), NONE},
    {"argument's variable", T("{ a(x: $login) }"), NONE},
    {"in a list", T("{ a(x: [login, {login: login}]) }"), NONE},
    {"in an object", T("{ a(x: {login: {login: 1}}) }"), NONE},
    {"directive", T("{ a @login }"), NONE},
    {"directive with space", T("{ a @ # x\n login b }"), NONE},
    {"directive's argument", T("{ a @x(login: login) }"), NONE},
    {"directive of an operation", T("query @login { a }"), NONE},
    {"directive of a fragment", T("{ ... @login { a } }"), NONE},
    {"operation's name", T("query login { a }"), NONE},
    {"fragment's name", T("{ ...login } fragment login on T { a }"), NONE},
    {"spread with space", T("{ ... # x\n , login }"), NONE},
    {"type condition", T("{ ... on login { a } }"), NONE},
    {"type condition named on", T("{ ... on on { a } ...on login{a}}"), NONE},
    {"fragment's type", T("{ ...F } fragment F on login { a }"), NONE},
    {"variable", T("query($login: T) { a }"), NONE},
    {"variable's type", T("query($a: [login!]!) { a }"), NONE},
    {"variable's default", T("query($a: I = {login: login}) { a }"), NONE},
    {"variable's directive", T("query($a: I @login) { a }"), NONE},
    {"type", T("type login { a: B }"), NONE},
    {"unicode around", T("{ a(x: \"\xC3\xA9 login \xF0\x9F\x98\x80\") }"),
     NONE},
    {"nothing in braces", T("{}"), NONE},
};

static const struct row unread[] = {
    {"unknown octet", T("{ a ? }"), UNREAD},
    {"semicolon", T("{ a; }"), UNREAD},
    {"letter of another script", T("{ \xC3\xA9 }"), UNREAD},
    {"full-width name", T("{ \xEF\xBD\x8Cogin }"), UNREAD},
    {"no-break space",
     T("{\xC2\xA0"
       "a }"),
     UNREAD},
    {"line separator",
     T("{\xE2\x80\xA8"
       "a }"),
     UNREAD},
    {"NUL", T("{ a \0 }"), UNREAD},
    {"NUL at the end", T("{ a }\0"), UNREAD},
    {"NUL in a comment", T("{ a } # \0"), UNREAD},
    {"NUL in a string", T("{ a(x: \"\0\") }"), UNREAD},
    {"NUL in a block string", T("{ a(x: " Q3 "\0" Q3 ") }"), UNREAD},
    {"form feed", T("{\f a }"), UNREAD},
    {"control character in a comment", T("{ a # \x01\n }"), UNREAD},
    {"half a byte order mark", T("\xEF\xBB{ a }"), UNREAD},
    {"no UTF-8 in a string", T("{ a(x: \"\xFF\") }"), UNREAD},
    {"no UTF-8 in a comment", T("{ a } # \xC0\xAF"), UNREAD},
    {"open brace", T("{ a "), UNREAD},
    {"open parenthesis", T("{ a(x: 1 }"), UNREAD},
    {"open square bracket", T("{ a(x: [1) }"), UNREAD},
    {"a brace too many", T("{ a } }"), UNREAD},
    {"a brace first", T("} { a"), UNREAD},
    {"closed by another bracket", T("{ a(x: 1] }"), UNREAD},
    {"brackets crossed", T("{ a(x: {b) }"), UNREAD},
    {"open string", T("{ a(x: \"b) }"), UNREAD},
    {"string over two lines", T("{ a(x: \"b\n\") }"), UNREAD},
    {"string ends in a backslash", T("{ a(x: \"b\\"), UNREAD},
    {"open block string", T("{ a(x: " Q3 "b) }"), UNREAD},
    {"block string ends escaped", T("{ a(x: " Q3 "b\\" Q3 ") }"), UNREAD},
    {"block string ends early", T("{ a(x: " Q3 "b\"\") }"), UNREAD},
    {"unknown escape", T("{ a(x: \"\\q\") }"), UNREAD},
    {"short escape", T("{ a(x: \"\\u12\") }"), UNREAD},
    {"short escape in a long string", T("{ a(x: \"\\u12 xyz\") }"), UNREAD},
    {"empty escape", T("{ a(x: \"\\u{}\") }"), UNREAD},
    {"open escape", T("{ a(x: \"\\u{12\") }"), UNREAD},
    {"escaped line end", T("{ a(x: \"\\\n\") }"), UNREAD},
    {"single quotes", T("{ a(x: 'b') }"), UNREAD},
    {"one dot", T("{ a.b }"), UNREAD},
    {"two dots", T("{ ..F }"), UNREAD},
    {"four dots", T("{ ....F }"), UNREAD},
    {"minus only", T("{ a(x: -) }"), UNREAD},
    {"leading zero", T("{ a(x: 01) }"), UNREAD},
    {"number and name", T("{ a(x: 1b) }"), UNREAD},
    {"fraction without digits", T("{ a(x: 1.) }"), UNREAD},
    {"exponent without digits", T("{ a(x: 1e+) }"), UNREAD},
    {"two fractions", T("{ a(x: 1.2.3) }"), UNREAD},
};

/*
 * A backend whose lexer does not know block strings (graphql-core 2, which
 * Debian 12 has) reads these otherwise, and would log somebody in by a field
 * that is inside a block string to everyone else.
 */
static const struct row older[] = {
    {"a field to the older lexer alone",
     T("{ a(x: [" Q3 "\\\"" Q3 "]) login #" Q3 "])\n b }"), FIELD},
    {"an alias to the older lexer alone",
     T("{ a(x: [" Q3 "\\\"" Q3 "]) b: login #" Q3 "])\n b }"), BOTH},
    {"the same without the trick",
     T("{ a(x: [" Q3 "\"" Q3 "]) b #" Q3 "])\n b }"), NONE},
    {"a field to the newer lexer alone", T("{ a(x: " Q3 "\n" Q3 ") login }"),
     FIELD},
    {"the older lexer stops at a line's end",
     T("{ a(x: " Q3 "\"\n) { login }\n" Q3 ") }"), NONE},
    {"what the older cannot read for another reason",
     T("{ a(x: [" Q3 "\\\"" Q3 "]) ? #" Q3 "])\n b }"), UNREAD},
};

static void
check_rows(const struct row *rows, size_t count)
{
    const struct pst_text field = PST_TEXT("login");

    for (size_t i = 0; i < count; i++) {
        bool has_field = pst_graphql_has_field(rows[i].in, field);
        bool has_alias = pst_graphql_has_alias(rows[i].in, field);

        if (has_field != ((rows[i].want & FIELD) != 0))
            fail_msg("%s: has_field is %d", rows[i].name, has_field);
        if (has_alias != ((rows[i].want & ALIAS) != 0))
            fail_msg("%s: has_alias is %d", rows[i].name, has_alias);
    }
}

static void
test_fields(void **state)
{
    (void)state;
    check_rows(fields, PST_COUNT(fields));
}

static void
test_others(void **state)
{
    (void)state;
    check_rows(others, PST_COUNT(others));
}

static void
test_unread(void **state)
{
    (void)state;
    check_rows(unread, PST_COUNT(unread));
}

static void
test_older(void **state)
{
    (void)state;
    check_rows(older, PST_COUNT(older));
}

static void
test_depth(void **state)
{
    static const char pairs[][2] = {{'{', '}'}, {'(', ')'}, {'[', ']'}};
    char text[2 * PST_GRAPHQL_DEPTH + 2];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(pairs); i++) {
        for (size_t depth = PST_GRAPHQL_DEPTH - 1;
             depth <= PST_GRAPHQL_DEPTH + 1; depth++) {
            struct pst_text document = {text, 2 * depth};
            bool want = depth > PST_GRAPHQL_DEPTH;

            memset(text, pairs[i][0], depth);
            memset(text + depth, pairs[i][1], depth);
            if (pst_graphql_has_field(document, PST_TEXT("login")) != want)
                fail_msg("%zu of %c", depth, pairs[i][0]);
        }
    }
}

/* Cut anywhere within its braces, a document cannot be read. */
static void
test_truncated(void **state)
{
    const struct pst_text whole =
        PST_TEXT("{a(x:\"s\",y:[{z:-1.5}])@b{...on C{d}}}");
    char exact[64];

    (void)state;
    assert_false(pst_graphql_has_field(whole, PST_TEXT("login")));
    for (size_t len = 1; len < whole.len; len++) {
        struct pst_text text = {memcpy(exact, whole.ptr, len), len};

        if (!pst_graphql_has_field(text, PST_TEXT("login")))
            fail_msg("the first %zu octets are read", len);
    }
}

/* Any name can be asked for. */
static void
test_other_names(void **state)
{
    const struct pst_text text =
        PST_TEXT("mutation { authenticate(input: {native: {username: \"a\"}}) "
                 "{ t: token __typename } on }");

    (void)state;
    assert_true(pst_graphql_has_field(text, PST_TEXT("authenticate")));
    assert_true(pst_graphql_has_field(text, PST_TEXT("__typename")));
    assert_true(pst_graphql_has_field(text, PST_TEXT("on")));
    assert_true(pst_graphql_has_field(text, PST_TEXT("t")));
    assert_true(pst_graphql_has_alias(text, PST_TEXT("token")));
    assert_true(pst_graphql_has_alias(text, PST_TEXT("t")));
    assert_false(pst_graphql_has_alias(text, PST_TEXT("__typename")));
    assert_false(pst_graphql_has_field(text, PST_TEXT("native")));
    assert_false(pst_graphql_has_field(text, PST_TEXT("mutation")));
    assert_false(pst_graphql_has_field(text, PST_TEXT("")));
}

/* Of which argument a variable is the value, and nothing else. */
static void
test_is_only(void **state)
{
    static const struct {
        const char *document;
        bool want;
    } rows[] = {
        {"mutation($p:String!){login(password:$p)}", true},
        {"mutation($p:String!){login(password : $p)}", true},
        {"mutation($p:String!){login(i:{password:$p})}", true},
        {"mutation($p:String=\"x\"){a(password:$p) b(password:$p)}", true},
        {"mutation($p:String!){login(email:$p)}", false},
        {"mutation($p:String!){login(email:$q)}", false},
        {"mutation($p:String!){login(email:$p,password:$p)}", false},
        {"mutation($p:String!){login(passwords:[$p])}", false},
        {"mutation($p:String!){login(password:[$p])}", false},
        {"mutation($p:String!,$q:String!){login(password:$q,email:$p)}", false},
        {"mutation($p:String!){login(a:\"password:\" email:$p)}", false},
        {"mutation($p:String!){login(password:#\n$p)}", true},
        {"mutation($p:String!){login(password:$p", true},
        {"mutation($p:String!){login(password:$p \"", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        if (pst_graphql_is_only(pst_text_from(rows[i].document), PST_TEXT("p"),
                                PST_TEXT("password")) != rows[i].want)
            fail_msg("%s", rows[i].document);
}

struct told {
    char text[200];
    size_t len;
};

static bool
tell(void *context, struct pst_text argument, struct pst_text string)
{
    struct told *told = context;

    told->len += (size_t)snprintf(
        told->text + told->len, sizeof(told->text) - told->len, "%.*s=%.*s;",
        (int)argument.len, argument.len ? argument.ptr : "", (int)string.len,
        string.ptr);
    return string.len < 9;
}

static void
test_strings(void **state)
{
    static const struct {
        const char *document;
        bool all;
        const char *want;
    } rows[] = {
        {"{a}", true, ""},
        {"{a(b:\"c\" d:[\"e\"] f:{g:\"h\"})}", true, "b=c;=e;g=h;"},
        {"{a(b:\"\")}", true, "b=;"},
        {"{a #\"x\"\n}", true, ""},
        {"{a(b:\"ninechars\" c:\"d\")}", false, "b=ninechars;"},
        {"{a(b:\"\\u0061\")}", false, ""},
        {"{a(b:\"\"\"c\"\"\")}", false, ""},
        {"{a(b:\"c", false, ""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct told told = {.len = 0};

        if (pst_graphql_strings(pst_text_from(rows[i].document), tell, &told) !=
                rows[i].all ||
            strcmp(told.text, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].document, told.text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_is_only),
        cmocka_unit_test(test_strings),     cmocka_unit_test(test_others),
        cmocka_unit_test(test_unread),      cmocka_unit_test(test_older),
        cmocka_unit_test(test_depth),       cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_other_names),
    };

    return cmocka_run_group_tests_name("graphql", tests, NULL, NULL);
}
