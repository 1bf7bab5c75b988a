/* SPDX-License-Identifier: ISC */
/*
 * test_proxy_rules.c - which documents and operations are refused, and how,
 * through the query and login programs (design 2.5, 2.6).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy_rows.h"

static struct fixture fix;

static void
check_all(handler_fn *program, const struct flow *flows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        flow_check(&fix, program, &flows[i]);
}

/* A blank document is an absent one, however it is spelled (L55). */
static void
test_blank(void **state)
{
    static const char *const blank[] = {
        "{}",
        "{\"query\":null}",
        "{\"query\":\"\"}",
        "{\"query\":\" \\t\\n\"}",
        "{\"query\":\"\",\"operationName\":\"Login\"}",
        "[{\"query\":\"\"}]",
    };
    static const struct flow persisted = {
        .body = "{\"query\":\" \"," PERSISTED(STORED_HASH) "}",
        .answers = ANSWER,
        .status = 200,
        .out = {"\"message\":\"PersistedQueryNotFound\"",
                "\"code\":\"PERSISTED_QUERY_NOT_FOUND\""}};
    static const struct flow get = {
        .variables = {FLOW_GET, "CONTENT_TYPE=", "QUERY_STRING=query="},
        .answers = ANSWER,
        .status = 400,
        .out = {"\"code\":\"BAD_REQUEST\""}};

    (void)state;
    fixture_init(&fix, NULL);
    for (size_t i = 0; i < PST_COUNT(blank); i++) {
        const struct flow flow = {
            .body = blank[i],
            .answers = ANSWER,
            .status = blank[i][0] == '[' ? 200 : 400,
            .out = {"there is no document", "\"code\":\"BAD_REQUEST\""}};

        flow_check(&fix, program_query, &flow);
    }
    flow_check(&fix, program_query, &persisted);
    flow_check(&fix, program_query, &get);
    fixture_fini(&fix);
}

/* Automatic persisted queries: in this order, for the text is remembered. */
static void
test_persisted(void **state)
{
    static const struct flow rows[] = {
        {.body = "{" PERSISTED(STORED_HASH) "}",
         .answers = ANSWER,
         .status = 200,
         .out = {"PersistedQueryNotFound"}},
        /* Another text's hash is not remembered. */
        {.body = "{\"query\":\"{other}\"," PERSISTED(STORED_HASH) "}",
         .answers = ANSWER,
         .status = 400,
         .out = {"provided sha does not match query"}},
        {.body = "{" PERSISTED(STORED_HASH) "}",
         .answers = ANSWER,
         .status = 200,
         .out = {"PersistedQueryNotFound"}},
        {.body = "{\"query\":\"{stored}\"," PERSISTED(STORED_HASH) "}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{stored}\"}"},
         .exchanges = 1},
        {.body = "{" PERSISTED(STORED_HASH) "}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{stored}\"}"},
         .unsent = {STORED_HASH},
         .exchanges = 1},
        {.variables = {FLOW_GET, "CONTENT_TYPE=",
                       "QUERY_STRING=extensions=%7B%22persistedQuery%22:%7B%22"
                       "version%22:1,%22sha256Hash%22:%22" STORED_HASH
                       "%22%7D%7D"},
         .answers = ANSWER,
         .status = 200,
         .sent = {"GET ?query=%7Bstored%7D\n"},
         .exchanges = 1},
        /* Of another version we know nothing, and do not pass it on. */
        {.body = "{\"extensions\":{\"persistedQuery\":{\"version\":2,"
                 "\"sha256Hash\":\"" STORED_HASH "\"}}}",
         .answers = ANSWER,
         .status = 200,
         .out = {"PersistedQueryNotSupported"}},
    };

    (void)state;
    fixture_init(&fix, NULL);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* In plain CGI nothing is cached, and the response says this. */
static void
test_not_lasting(void **state)
{
    static const struct flow rows[] = {
        {.body = "{\"query\":\"{stored}\"," PERSISTED(STORED_HASH) "}",
         .answers = ANSWER,
         .status = 200,
         .exchanges = 1},
        {.body = "{" PERSISTED(STORED_HASH) "}",
         .answers = ANSWER,
         .status = 200,
         .out = {"\"message\":\"PersistedQueryNotSupported\"",
                 "\"code\":\"PERSISTED_QUERY_NOT_SUPPORTED\""}},
    };
    char reason[256];

    (void)state;
    fixture_init(&fix, NULL);
    document_lookup_free(&fix.ctx.documents);
    assert_int_equal(
        document_lookup_new(&fix.ctx.documents,
                            &(struct document_lookup_options){
                                .rules = &fix.config->backend.rules,
                                .size_max = (size_t)1024 * 1024},
                            reason, sizeof(reason)),
        PST_OK);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* A manifest of one document, "{held}" under the id "d1". */
static void
init_with_manifest(char *path, const char *more)
{
    static const char text[] = "{\"d1\":\"{held}\"}";
    static char setting[64];
    const char *const settings[] = {setting, more, NULL};
    int descriptor;

    (void)snprintf(path, 64, "/tmp/postern-proxy-XXXXXX");
    descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, sizeof(text) - 1),
                     sizeof(text) - 1);
    close(descriptor);
    snprintf(setting, sizeof(setting), "POSTERN_DOCUMENTS=%s", path);
    fixture_init(&fix, settings);
}

static void
test_manifest(void **state)
{
    static const struct flow by_id[] = {
        {.body = "{\"id\":\"d1\"}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{held}\"}"},
         .unsent = {"d1"},
         .exchanges = 1},
        {.body = "{\"documentId\":\"d1\"}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{held}\"}"},
         .exchanges = 1},
        {.body = "{\"doc_id\":\"d1\",\"variables\":{\"a\":1}}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{held}\"}"},
         .exchanges = 1},
        {.variables = {FLOW_GET, "CONTENT_TYPE=", "QUERY_STRING=documentId=d1"},
         .answers = ANSWER,
         .status = 200,
         .sent = {"GET ?query=%7Bheld%7D\n"},
         .exchanges = 1},
        {.body = "{\"id\":\"d2\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"no document of the manifest has this id",
                 "\"code\":\"BAD_REQUEST\""}},
        {.body = "{\"id\":\"d1\",\"query\":\"{held}\"}",
         .answers = ANSWER,
         .status = 400},
        {.body = "{" PERSISTED(HELD_HASH) "}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{held}\"}"},
         .exchanges = 1},
    };
    static const struct flow open[] = {
        {.body = "{\"query\":\"{a}\"}",
         .answers = ANSWER,
         .status = 200,
         .exchanges = 1},
    };
    static const struct flow trusted[] = {
        {.body = "{\"query\":\"{held}\"}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{held}\"}"},
         .exchanges = 1},
        {.body = "{\"query\":\"{a}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"\"code\":\"DOCUMENT_NOT_ALLOWED\""}},
        {.body = "{\"query\":\"{ held }\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"\"code\":\"DOCUMENT_NOT_ALLOWED\""}},
        {.body = "[{\"query\":\"{a}\"}]",
         .answers = ANSWER,
         .status = 200,
         .out = {"[{\"errors\":[{", "\"code\":\"DOCUMENT_NOT_ALLOWED\""}},
    };
    char path[64];

    (void)state;
    init_with_manifest(path, NULL);
    check_all(program_query, by_id, PST_COUNT(by_id));
    check_all(program_query, open, PST_COUNT(open));
    fixture_fini(&fix);
    unlink(path);
    init_with_manifest(path, "POSTERN_DOCUMENTS_ONLY=on");
    check_all(program_query, by_id, PST_COUNT(by_id));
    check_all(program_query, trusted, PST_COUNT(trusted));
    fixture_fini(&fix);
    unlink(path);
}

/* The one exception to "written from what we read": the manifest's ids. */
static void
test_send_id(void **state)
{
    static const struct flow rows[] = {
        {.body = "{\"id\":\"d1\"}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"documentId\":\"d1\"}"},
         .unsent = {"held"},
         .exchanges = 1},
        {.body = "{\"id\":\"d2\"}", .answers = ANSWER, .status = 400},
        {.body = "{\"query\":\"{a}\"}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{a}\"}"},
         .exchanges = 1},
    };
    char path[64];

    (void)state;
    init_with_manifest(path, "POSTERN_DOCUMENTS_SEND=id");
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
    unlink(path);
}

/* What cannot be parsed is answered here: by the older type 200, by the newer
 * 400 (GraphQL over HTTP), with the place (L67). */
static void
test_parse_errors(void **state)
{
    static const struct {
        const char *body;
        const char *reason;
    } rows[] = {
        {"{\"query\":\"{a\\n  !}\"}",
         "\"locations\":[{\"line\":2,\"column\":3}]"},
        {"{\"query\":\"query A{a} query B{b}\"}", "several operations"},
        {"{\"query\":\"query A{a} query B{b}\",\"operationName\":\"\"}",
         "several operations"},
        {"{\"query\":\"query A{a}\",\"operationName\":\"C\"}",
         "no operation with the name"},
        {"{\"query\":\"query A{a} query A{b}\",\"operationName\":\"A\"}",
         "\"locations\":[{\"line\":1,"},
        {"{\"query\":\"{...F}\"}", "\"locations\":[{\"line\":1,"},
        {"{\"query\":\"type A{a:B}\"}", "\"locations\":[{\"line\":1,"},
    };

    (void)state;
    fixture_init(&fix, NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct flow flow = {.body = rows[i].body,
                            .answers = ANSWER,
                            .status = 200,
                            .out = {rows[i].reason, "\"GRAPHQL_PARSE_FAILED\"",
                                    "Content-Type: application/json"}};

        flow_check(&fix, program_query, &flow);
        flow.variables[0] = FLOW_GRAPHQL;
        flow.status = 400;
        flow.out[2] = "Content-Type: application/graphql-response+json";
        flow_check(&fix, program_query, &flow);
    }
    fixture_fini(&fix);
}

/* A GET changes nothing, here or there (L60, R51). */
static void
test_get(void **state)
{
    static const struct flow rows[] = {
        {.variables = {GET_OF("mutation%7Bx%7D")},
         .answers = ANSWER,
         .status = 405,
         .out = {"Allow: POST\r\n", "METHOD_NOT_ALLOWED"}},
        {.variables = {GET_OF("query%20A%7Ba%7D%20mutation%20B%7Bx%7D"
                              "&operationName=B")},
         .answers = ANSWER,
         .status = 405,
         .out = {"Allow: POST\r\n"}},
        {.variables = {GET_OF("query%20A%7Ba%7D%20mutation%20B%7Bx%7D"
                              "&operationName=A")},
         .answers = ANSWER,
         .status = 200,
         .exchanges = 1},
        {.variables = {GET_OF("mutation%7Blogin(email:%22a%22,password:%22b%22)"
                              "%7BownerId%7D%7D")},
         .answers = ANSWER,
         .status = 405,
         .out = {"Allow: POST\r\n"}},
        {.variables = {"REQUEST_METHOD=HEAD",
                       "CONTENT_TYPE=", "QUERY_STRING=query=mutation%7Bx%7D"},
         .answers = ANSWER,
         .status = 405},
        {.variables = {GET_OF("%7Bme%7Bsecret%7D%7D")},
         .answers = ANSWER,
         .status = 400,
         .out = {"SECRET_FIELD"}},
    };

    (void)state;
    fixture_init(&fix, NULL);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* A login comes alone, by POST, as JSON; nothing is asked of the backend. */
static void
test_login_alone(void **state)
{
    static const struct flow rows[] = {
        {.body = "{\"query\":\"mutation L{login(email:\\\"a\\\",password:"
                 "\\\"b\\\"){ownerId}} query Q{a}\",\"operationName\":\"L\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"LOGIN_SHAPE", "in a document of its own"}},
        {.body = "{\"query\":\"mutation L{login(email:\\\"a\\\",password:"
                 "\\\"b\\\"){ownerId}} query Q{a}\",\"operationName\":\"Q\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"LOGIN_SHAPE"}},
        {.body = UPLOAD("variables.f",
                        "{\"query\":\"" LOGIN "\",\"variables\":{\"f\":null}}"),
         .variables = {MULTIPART},
         .answers = ANSWER,
         .status = 400,
         .out = {"LOGIN_SHAPE", "multipart/form-data"}},
        {.body = "[{\"query\":\"" LOGIN "\"},{\"query\":\"" LOGIN "\"}]",
         .answers = ANSWER,
         .status = 200,
         .out = {"LOGIN_SHAPE", "part of a batch"}},
        {.body = "[{\"query\":\"" LOGIN "\"},{\"query\":\"{a}\"}]",
         .answers = OK("[{\"data\":{\"a\":1}}]"),
         .status = 200,
         .out = {"[{\"errors\":[{\"message\":\"a login cannot be part",
                 ",{\"data\":{\"a\":1}}]"},
         .sent = {"\n\n[{\"query\":\"{a}\"}]"},
         .unsent = {"login"},
         .exchanges = 1},
        {.body = "{\"query\":\"mutation{x ...F} fragment F on M{l:login(email:"
                 "\\\"a\\\",password:\\\"b\\\"){ownerId}}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"LOGIN_SHAPE"}},
        /* No login: deeper down, and another kind of operation. */
        {.body = "{\"query\":\"mutation{x{login{id}}}\"}",
         .answers = ANSWER,
         .status = 200,
         .exchanges = 1},
        {.body = "{\"query\":\"query{login{id}}\"}",
         .answers = ANSWER,
         .status = 200,
         .exchanges = 1},
    };

    (void)state;
    fixture_init(&fix, NULL);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* The token's field, at any place in a document (L53, L57). */
static void
test_secret_fields(void **state)
{
    static const struct flow rows[] = {
        {.body = "{\"query\":\"{me{id\\n secret}}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"\"code\":\"SECRET_FIELD\"", "secret holds a secret",
                 "\"locations\":[{\"line\":2,\"column\":2}]"}},
        {.body = "{\"query\":\"{me{x:secret}}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"SECRET_FIELD"}},
        {.body = "{\"query\":\"mutation{refresh{secret}}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"SECRET_FIELD"}},
        {.body = "{\"query\":\"{me{...F}} fragment F on U{refreshToken}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"refreshToken holds a secret"}},
        {.body = "{\"query\":\"query A{a} query B{me{secret}}\","
                 "\"operationName\":\"A\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"SECRET_FIELD"}},
        {.body = "{\"query\":\"{checkout{secret}}\"}",
         .answers = ANSWER,
         .status = 200,
         .exchanges = 1},
        {.body = "{\"query\":\"{x:checkout{secret}}\"}",
         .answers = ANSWER,
         .status = 200,
         .exchanges = 1},
        {.body = "{\"query\":\"{checkout:me{secret}}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"SECRET_FIELD"}},
        /* A response in the form of a login begins no session. */
        {.body = "{\"query\":\"{login:me{secret:id ownerId:id email:name}}\"}",
         .answers = OK("{\"data\":{\"login\":{\"secret\":\"s\",\"ownerId\":"
                       "\"1\",\"email\":\"e\"}}}"),
         .status = 200,
         .never = {"Set-Cookie", "vendure-auth-token"},
         .exchanges = 1},
    };
    static const char *const settings[] = {
        "POSTERN_SECRET_FIELDS=refreshToken",
        "POSTERN_SECRET_FIELDS_ALLOWED=query.checkout",
        "POSTERN_TOKEN_METHOD=cookie,bearer", NULL};

    (void)state;
    fixture_init(&fix, settings);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* The login program carries out logins, and nothing else. */
static void
test_login_program(void **state)
{
    static const struct flow rows[] = {
        {.body = "{\"query\":\"{me{id}}\"}",
         .answers = ANSWER,
         .status = 400,
         .out = {"LOGIN_SHAPE", "this is not a login"}},
        {.body = "[{\"query\":\"{me{id}}\"}]",
         .answers = ANSWER,
         .status = 200,
         .out = {"[{\"errors\":[", "this is not a login"}},
        {.body = "{\"id\":\"d1\"}", .answers = ANSWER, .status = 400},
        {.body = "{\"query\":\"\"}", .answers = ANSWER, .status = 400},
    };

    (void)state;
    fixture_init(&fix, NULL);
    check_all(program_login, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blank),
        cmocka_unit_test(test_persisted),
        cmocka_unit_test(test_not_lasting),
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_send_id),
        cmocka_unit_test(test_parse_errors),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_login_alone),
        cmocka_unit_test(test_secret_fields),
        cmocka_unit_test(test_login_program),
    };

    return cmocka_run_group_tests_name("proxy_rules", tests, NULL, NULL);
}
