/* SPDX-License-Identifier: ISC */
/*
 * test_operation.c - which of a client's requests are logins, and whom they
 * may be for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "operation.h"

static const char *const vendure[] = {"POSTERN_BACKEND=vendure", NULL};

static struct fixture f;

static void
configure(const char *const *settings)
{
    if (f.config)
        fixture_fini(&f);
    fixture_init(&f, settings);
}

static int
cleanup(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

#define QUERY(document) "{\"query\":\"" document "\"}"

static void
test_read_request(void **state)
{
    static const struct {
        const char *name;
        const char *body;
        enum pst_err e;
        enum operation_kind kind;
    } rows[] = {
        {"a query", QUERY("{me{id}}"), PST_OK, OPERATION_PLAIN},
        {"a login", QUERY("mutation{login(a:1){secret}}"), PST_OK,
         OPERATION_LOGIN},
        {"login in a string", QUERY("{x(a:\\\"login\\\")}"), PST_OK,
         OPERATION_PLAIN},
        {"spelt with an escape", QUERY("mutation{log\\u0069n{secret}}"), PST_OK,
         OPERATION_LOGIN},
        {"persisted", "{\"extensions\":{\"persistedQuery\":{}}}", PST_OK,
         OPERATION_UNSURE},
        {"nothing", "{}", PST_OK, OPERATION_UNSURE},
        {"query is no string", "{\"query\":1}", PST_OK, OPERATION_UNSURE},
        {"a renamed login", QUERY("mutation{a:login{secret}}"), PST_MALFORMED,
         OPERATION_PLAIN},
        {"two renamed logins", QUERY("mutation{a:login{x} b:login{x}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"the secret's name for another", QUERY("mutation{login{secret:x}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"the owner's id renamed", QUERY("mutation{login{secret o:ownerId}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"another for the owner's id",
         QUERY("mutation{login{secret ownerId:email}}"), PST_MALFORMED,
         OPERATION_PLAIN},
        {"Query beside query",
         "{\"query\":\"{a}\",\"Query\":\"mutation{login{secret}}\"}",
         PST_MALFORMED, OPERATION_PLAIN},
        {"a stored document beside query", "{\"query\":\"{a}\",\"id\":\"x\"}",
         PST_OK, OPERATION_UNSURE},
        {"a login for whom?", QUERY("mutation{login(e:\\\"\\\\u0061\\\"){x}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"a renamed secret", QUERY("mutation{login{s:secret}}"), PST_MALFORMED,
         OPERATION_PLAIN},
        {"renamed in a query only", QUERY("{viewer{name:login}}"), PST_OK,
         OPERATION_LOGIN},
        {"a batch", "[" QUERY("{a}") "," QUERY("{b}") "]", PST_OK,
         OPERATION_PLAIN},
        {"a batch with a login",
         "[" QUERY("{a}") "," QUERY("mutation{login{secret}}") "]",
         PST_MALFORMED, OPERATION_PLAIN},
        {"a batch with a persisted one", "[{}]", PST_MALFORMED,
         OPERATION_PLAIN},
        /* Each of these once ended the whole program. */
        {"a batch in a batch", "[[1]]", PST_MALFORMED, OPERATION_PLAIN},
        {"a batch of numbers", "[1]", PST_MALFORMED, OPERATION_PLAIN},
        {"a batch of strings", "[\"query\"]", PST_MALFORMED, OPERATION_PLAIN},
        {"a batch of nothing", "[null]", PST_MALFORMED, OPERATION_PLAIN},
        {"an empty batch", "[]", PST_OK, OPERATION_PLAIN},
        {"null", "null", PST_MALFORMED, OPERATION_PLAIN},
        {"no JSON", "query={a}", PST_MALFORMED, OPERATION_PLAIN},
        {"a string", "\"x\"", PST_MALFORMED, OPERATION_PLAIN},
        {"two documents", "{\"query\":\"{a}\",\"query\":\"{b}\"}",
         PST_DUPLICATE, OPERATION_PLAIN},
    };

    (void)state;
    configure(NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct operation out;
        enum pst_err e;

        pst_arena_reset(f.arena);
        e = operation_read_body(f.arena, f.config, pst_text_from(rows[i].body),
                                &out);
        if (e != rows[i].e || (!e && out.kind != rows[i].kind))
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
    }
}

/* Whoever may be meant is counted: variables however deep, and literals. */
static void
test_read_names(void **state)
{
    static const char *const want[] = {"u", "in", "lit"};
    struct operation out;

    (void)state;
    configure(vendure);
    assert_int_equal(
        operation_read_body(
            f.arena, f.config,
            PST_TEXT(
                "{\"query\":\"mutation($p:String){authenticate(x:\\\"lit\\\","
                "password:$p,input:{password:\\\"lp\\\"}){id}}\","
                "\"variables\":{\"username\":\"u\",\"p\":\"pw\","
                "\"input\":{\"a\":\"in\",\"b\":1,\"password\":\"ip\"},"
                "\"rememberMe\":true}}"),
            &out),
        PST_OK);
    assert_int_equal(out.kind, OPERATION_LOGIN);
    assert_true(out.remember);
    assert_int_equal(out.name_count, PST_COUNT(want));
    for (size_t i = 0; i < PST_COUNT(want); i++)
        assert_true(pst_text_equal(out.names[i], pst_text_from(want[i])));
}

/* One string more than can be counted, and the login is refused. */
static void
test_too_many_names(void **state)
{
    struct operation out;

    (void)state;
    configure(NULL);
    assert_int_equal(
        operation_read_body(
            f.arena, f.config,
            PST_TEXT("{\"query\":\"mutation{login{secret}}\",\"variables\":{"
                     "\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\","
                     "\"e\":\"5\",\"f\":\"6\",\"g\":\"7\",\"h\":\"8\","
                     "\"i\":\"9\"}}"),
            &out),
        PST_MALFORMED);
    assert_int_equal(
        operation_read_body(f.arena, f.config,
                            PST_TEXT("{\"query\":\"mutation{login{secret}}\","
                                     "\"variables\":{\"a\":[\"1\"]}}"),
                            &out),
        PST_MALFORMED);
}

/* The field that logs in is the one whose token we look for. */
static void
test_another_login_field(void **state)
{
    static const char *const saleor[] = {
        "POSTERN_UPSTREAM_TOKEN=json:/data/tokenCreate/token", NULL};
    struct operation out;

    (void)state;
    configure(saleor);
    assert_int_equal(operation_read_body(
                         f.arena, f.config,
                         PST_TEXT(QUERY("mutation{tokenCreate{token}}")), &out),
                     PST_OK);
    assert_int_equal(out.kind, OPERATION_LOGIN);
    assert_int_equal(
        operation_read_body(f.arena, f.config,
                            PST_TEXT(QUERY("mutation{tokenCreate{t:token}}")),
                            &out),
        PST_MALFORMED);
}

/* The document of a POST stands in its body, and nowhere else. */
static void
test_document_free(void **state)
{
    static const char *const free_of[] = {"", "languageCode=de",
                                          "everywhere=1"};
    static const char *const not [] = {"query=x",      "Query=x",   "a=1&id=x",
                                       "documentId=x", "%71uery=x", "x=%FF"};

    (void)state;
    configure(NULL);
    assert_int_equal(operation_check_query(f.arena, PST_NO_TEXT), PST_OK);
    for (size_t i = 0; i < PST_COUNT(free_of); i++)
        assert_int_equal(
            operation_check_query(f.arena, pst_text_from(free_of[i])), PST_OK);
    for (size_t i = 0; i < PST_COUNT(not ); i++)
        assert_int_equal(operation_check_query(f.arena, pst_text_from(not [i])),
                         PST_MALFORMED);
}

static void
test_read_query(void **state)
{
    static const struct {
        const char *query;
        enum pst_err e;
        enum operation_kind kind;
    } rows[] = {
        {"query=%7Bme%7Bid%7D%7D", PST_OK, OPERATION_PLAIN},
        {"query=mutation%7Blog%69n%7Bsecret%7D%7D", PST_OK, OPERATION_LOGIN},
        {"extensions=%7B%7D", PST_OK, OPERATION_UNSURE},
        {"", PST_OK, OPERATION_UNSURE},
        {"query=a&query=b", PST_DUPLICATE, OPERATION_PLAIN},
        {"query=%FF", PST_MALFORMED, OPERATION_PLAIN},
    };

    (void)state;
    configure(NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct operation out;
        enum pst_err e = operation_read_query(
            f.arena, f.config, pst_text_from(rows[i].query), &out);

        if (e != rows[i].e || (!e && out.kind != rows[i].kind))
            fail_msg("%s: %s", rows[i].query, pst_err_code(e));
    }
}

/* Feed it in pieces of `step` octets, as one that is too long. */
static enum pst_err
watch(struct pst_text head, struct pst_text body, size_t step)
{
    struct operation what;
    enum pst_err e;

    pst_arena_reset(f.arena);
    e = operation_read_head(f.arena, f.config, head, &what);
    if (e)
        return e;
    assert_int_equal(what.kind, OPERATION_UNSURE);
    assert_int_equal(what.name_count, 0);
    for (size_t at = 0; at < body.len && !e; at += step)
        e = operation_watch_piece(
            what.watching, pst_text_first(pst_text_from_octet(body, at), step));
    return e;
}

/* However it is cut, and however much of it was looked at beforehand. */
static void
check_watch(const char *name, struct pst_text body, enum pst_err want)
{
    for (size_t step = 1; step <= body.len; step++) {
        for (size_t head = 0; head <= body.len; head++) {
            enum pst_err e = watch(pst_text_first(body, head), body, step);

            if (e != want)
                fail_msg("%s, %zu at a time behind %zu: %s", name, step, head,
                         pst_err_code(e));
        }
    }
}

#define PASS PST_OK
#define STOP PST_HIDDEN_LOGIN

static void
test_watch(void **state)
{
    static const struct {
        const char *name;
        struct pst_text body;
        enum pst_err e;
    } rows[] = {
#define ROW(name, body, e) {name, {body, sizeof(body) - 1}, e}
        ROW("none", QUERY("mutation{save(a:1){b}}"), PASS),
        ROW("a login", QUERY("mutation{login(a:1){b}}"), STOP),
        ROW("renamed", QUERY("mutation{a:login{b}c:login{b}}"), STOP),
        ROW("in a string", "{\"a\":\"please login here\"}", STOP),
        ROW("a member's name", "{\"login\":1}", STOP),
        ROW("first of all", "{login", PASS), /* is no JSON so far */
        ROW("first of all, and ended", "{login}", STOP),
        ROW("behind all", "{\"a\":1}login ", STOP),
        ROW("another word's end", QUERY("{blogin _login 1login}"), PASS),
        ROW("another word's beginning", QUERY("{loginn login_ login1}"), PASS),
        ROW("almost", QUERY("{logi ogin lo gin LOGIN Login lologin}"), PASS),
        ROW("in another alphabet", QUERY("{a\xC3\xA9login\xC3\xA9}"), STOP),
        ROW("behind an escape", QUERY("mutation{\\nlogin{b}}"), STOP),
        ROW("before an escape", QUERY("mutation{login\\n{b}}"), STOP),
        ROW("behind a long escape", QUERY("{\\u000alogin {b}}"), STOP),
        ROW("an escape's letter", QUERY("{a\\nogin{b}}"), PASS),
        ROW("its first letter escaped", QUERY("{\\u006cogin}"), STOP),
        ROW("its last", QUERY("{logi\\u006E}"), STOP),
        ROW("a capital", QUERY("{\\u004c}"), STOP),
        ROW("a digit", QUERY("{\\u0039}"), STOP),
        ROW("an underscore", QUERY("{\\u005F}"), STOP),
        ROW("their neighbours",
            QUERY("{\\u002f\\u003a\\u0040\\u005b\\u005e\\u0060\\u007b}"), PASS),
        ROW("what is escaped in HTML", QUERY("{\\u003c\\u003e\\u0026\\u0027}"),
            PASS),
        ROW("not ASCII", QUERY("\\u00e9\\u016c\\u6c6c\\ud83d\\ude00"), PASS),
        ROW("short escapes", QUERY("\\\"\\\\\\/\\b\\f\\n\\r\\t"), PASS),
        ROW("an escaped backslash", QUERY("\\\\u006c"), PASS),
        ROW("and an escape", QUERY("\\\\\\u006c"), STOP),
        ROW("an escape that JSON does not have", QUERY("l\\ogin"), STOP),
        ROW("one of other languages", QUERY("\\x6cogin"), STOP),
        ROW("a NUL escaped by a NUL", QUERY("\\\0"), STOP),
        ROW("digits that are none", QUERY("\\u00 6c"), STOP),
        ROW("digits in braces", QUERY("\\u{6c}ogin"), STOP),
        ROW("a batch", "[" QUERY("{a}") "]", STOP),
        ROW("a batch behind white space", " \t\r\n[" QUERY("{a}") "]", STOP),
        ROW("white space", " \t\r\n" QUERY("{a}"), PASS),
        ROW("white space alone", " \n ", PASS),
        ROW("a byte order mark", "\xEF\xBB\xBF" QUERY("{a}"), STOP),
        ROW("a string", "\"{\"", STOP),
        ROW("white space that JSON does not have", "\f{}", STOP),
        ROW("UTF-16", "{\0\"\0q\0", STOP),
        ROW("UTF-16, the other way", "\0{\0\"\0q", STOP),
        ROW("a control character", QUERY("lo\x01gin"), STOP),
        ROW("sound UTF-8",
            QUERY("\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80"
                  "\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
            PASS),
        ROW("two octets for a letter", QUERY("\xC1\xACogin"), STOP),
        ROW("three", QUERY("\xE0\x81\xACogin"), STOP),
        ROW("four", QUERY("\xF0\x80\x81\xACogin"), STOP),
        ROW("half a surrogate", QUERY("\xED\xA0\x80"), STOP),
        ROW("beyond Unicode", QUERY("\xF4\x90\x80\x80"), STOP),
        ROW("far beyond", QUERY("\xF5\x80\x80\x80"), STOP),
        ROW("no UTF-8", QUERY("lo\xFFgin"), STOP),
        ROW("a sequence's end alone", QUERY("lo\x80gin"), STOP),
        ROW("its beginning alone", QUERY("lo\xE2gin"), STOP),
        ROW("Vendure's other one", QUERY("{authenticate}"), PASS),
        ROW("nothing", "", PASS),
#undef ROW
    };

    (void)state;
    configure(NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_watch(rows[i].name, rows[i].body, rows[i].e);
}

static void
test_watch_other_fields(void **state)
{
    static const char *const saleor[] = {
        "POSTERN_UPSTREAM_TOKEN=json:/data/tokenCreate/token", NULL};

    (void)state;
    configure(vendure);
    check_watch("login", PST_TEXT(QUERY("{login}")), STOP);
    check_watch("authenticate", PST_TEXT(QUERY("{authenticate}")), STOP);
    check_watch("both begun", PST_TEXT(QUERY("{authentic logi}")), PASS);
    configure(saleor);
    check_watch("login", PST_TEXT(QUERY("{login}")), PASS);
    check_watch("tokenCreate", PST_TEXT(QUERY("{tokenCreate}")), STOP);
}

/* It is the piece that ends the word which is refused: there is no JSON text
 * without one. */
static void
test_watch_piece(void **state)
{
    struct operation what;

    (void)state;
    configure(NULL);
    assert_int_equal(operation_read_head(f.arena, f.config,
                                         PST_TEXT("{\"query\":\"{login "),
                                         &what),
                     PST_HIDDEN_LOGIN);
    assert_int_equal(operation_read_head(f.arena, f.config,
                                         PST_TEXT("{\"query\":\"{lo"), &what),
                     PST_OK);
    assert_int_equal(
        operation_watch_piece(what.watching, PST_TEXT("{\"query\":\"{log")),
        PST_OK);
    assert_int_equal(operation_watch_piece(what.watching, PST_TEXT("")),
                     PST_OK);
    assert_int_equal(operation_watch_piece(what.watching, PST_TEXT("in")),
                     PST_OK);
    assert_int_equal(operation_watch_piece(what.watching, PST_TEXT("}\"}")),
                     PST_HIDDEN_LOGIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_request),
        cmocka_unit_test(test_read_names),
        cmocka_unit_test(test_too_many_names),
        cmocka_unit_test(test_another_login_field),
        cmocka_unit_test(test_document_free),
        cmocka_unit_test(test_read_query),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_watch_other_fields),
        cmocka_unit_test(test_watch_piece),
    };

    return cmocka_run_group_tests_name("operation", tests, NULL, cleanup);
}
