/* SPDX-License-Identifier: ISC */
/*
 * test_config_names.c - names and pointers that variables may and may not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config_names.h"

struct row {
    const char *name;
    config_check_fn *check;
    const char *value;
    const char *error; /* part of the error message; NULL: accepted */
};

static const struct row rows[] = {
    {"token header", config_check_token_header, "X-Auth-Token", NULL},
    {"token header like a reserved one", config_check_token_header, "locations",
     NULL},
    {"empty token header", config_check_token_header, "",
     "not the name of a header"},
    {"token header of lighttpd", config_check_token_header, "X-Sendfile2",
     "another meaning"},
    {"header", config_check_header, "X-Anything", NULL},
    {"header with CR", config_check_header, "a\rb", "not the name of a header"},
    {"forwarded header", config_check_forward_header, "X-Request-Reason", NULL},
    {"L3: our identity header", config_check_forward_header, "X-Session-User",
     "never forwarded"},
    {"pointer", config_check_pointer, "secret", NULL},
    {"pointer of two steps", config_check_pointer, "session/secret", NULL},
    {"pointer with escapes", config_check_pointer, "a~0b~1c/~1", NULL},
    {"empty pointer", config_check_pointer, "", "empty step"},
    {"pointer from the root", config_check_pointer, "/data/login/id",
     "must not begin with a slash"},
    {"pointer with an empty step", config_check_pointer, "a//b", "empty step"},
    {"pointer that ends with a slash", config_check_pointer, "a/",
     "empty step"},
    {"pointer with half an escape", config_check_pointer, "a~",
     "write ~0 for ~"},
    {"pointer with half an escape at a step's end", config_check_pointer,
     "a~/b", "write ~0 for ~"},
    {"field", config_check_field_name, "refreshToken", NULL},
    {"field with an underscore", config_check_field_name, "_a_9", NULL},
    {"field with a digit first", config_check_field_name, "9a",
     "not the name of"},
    {"field with a hyphen", config_check_field_name, "a-b",
     "'a-b' is not the name of"},
    {"field with a dot", config_check_field_name, "query.a", "not the name of"},
    {"field with a letter beyond ASCII", config_check_field_name, "\xC3\xBC",
     "not the name of"},
    {"empty field", config_check_field_name, "", "not the name of"},
    {"root field", config_check_root_field, "checkout", NULL},
    {"root field of queries", config_check_root_field, "query.a", NULL},
    {"root field of mutations", config_check_root_field, "mutation.a", NULL},
    {"root field of subscriptions", config_check_root_field, "subscription.a",
     NULL},
    {"root field of another type", config_check_root_field, "Query.a",
     "'Query.a' must begin with query."},
    {"root field of no type", config_check_root_field, ".a",
     "must begin with query."},
    {"root field without a field", config_check_root_field, "query.",
     "not the name of"},
    {"root field with two types", config_check_root_field, "query.query.a",
     "'query.a' is not the name"},
    {"parameter", config_check_url_parameter, "languageCode", NULL},
    {"L67: parameter of GraphQL", config_check_url_parameter, "query",
     "part of the GraphQL request itself"},
    {"L67: variables", config_check_url_parameter, "variables", "itself"},
    {"L67: operationName in another case", config_check_url_parameter,
     "OPERATIONNAME", "itself"},
    {"L67: extensions", config_check_url_parameter, "extensions", "itself"},
    {"L67: id", config_check_url_parameter, "id", "itself"},
    {"L67: documentId", config_check_url_parameter, "documentId", "itself"},
    {"L67: doc_id", config_check_url_parameter, "doc_id", "itself"},
    {"parameter with &", config_check_url_parameter, "a&b", NULL},
    {"parameter with =", config_check_url_parameter, "a=b",
     "not the name of a URL parameter"},
    {"parameter with brackets", config_check_url_parameter, "a[]",
     "not the name of a URL parameter"},
    {"empty parameter", config_check_url_parameter, "",
     "not the name of a URL parameter"},
    {"token in JSON", config_check_token_location, "json:session/secret", NULL},
    {"token in a header", config_check_token_location, "header:X-Token", NULL},
    {"token in cookies", config_check_token_location, "cookie", NULL},
    {"token in a named cookie", config_check_token_location, "cookie:a",
     "not one of"},
    {"token in a header without a name", config_check_token_location, "header",
     "not one of: json:POINTER, header:NAME"},
    {"token header with a space", config_check_token_header, "a b",
     "not the name of a header"},
    {"token header with a colon", config_check_token_header,
     "a:", "not the name of a header"},
    {"token header Set-Cookie", config_check_token_header, "Set-Cookie",
     "another meaning"},
    {"token header with an underscore", config_check_token_header, "set_cookie",
     "another meaning"},
    {"token header Status", config_check_token_header, "status",
     "another meaning"},
    {"token header Content-Type", config_check_token_header, "content-type",
     "another meaning"},
    {"token header of CORS", config_check_token_header,
     "access-control-allow-origin", "another meaning"},
    {"token header that sends files", config_check_token_header, "X-Sendfile",
     "another meaning"},
    {"token nowhere", config_check_token_location, "body", "json:POINTER"},
    {"token from the root", config_check_token_location,
     "json:/data/login/secret", "must not begin with a slash"},
    {"token is the whole answer", config_check_token_location,
     "json:", "empty step"},
    {"token in no header", config_check_token_location,
     "header:", "not the name of a header"},
    {"bad pointer", config_check_pointer, "data/~2", "write ~0 for ~"},
    {"forwarding no token", config_check_forward_header, "a:b",
     "not the name of a header"},
    {"forwarding a cookie", config_check_forward_header, "Cookie",
     "'Cookie' is a header that is never"},
    {"forwarding authorization", config_check_forward_header, "authorization",
     "never forwarded"},
    {"L47: forwarding Proxy", config_check_forward_header, "Proxy",
     "never forwarded"},
    {"forwarding proxy-authorization", config_check_forward_header,
     "proxy-authorization", "never forwarded"},
    {"forwarding host", config_check_forward_header, "host", "never forwarded"},
    {"forwarding te", config_check_forward_header, "te", "never forwarded"},
    {"forwarding a length", config_check_forward_header, "content-length",
     "never forwarded"},
    {"R57: forwarding X-Forwarded-For", config_check_forward_header,
     "x-forwarded-for", "never forwarded"},
    {"L16: the same with underscores", config_check_forward_header,
     "X_Forwarded-User", "never forwarded"},
    {"forwarding Forwarded", config_check_forward_header, "Forwarded",
     "never forwarded"},
    {"forwarding traceparent", config_check_forward_header, "traceparent",
     "never forwarded"},
};

static void
names_are_taken_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct config_error error = {""};
        enum pst_err e = row->check(pst_str_from(row->value), &error);

        if (row->error
                ? e != PST_BAD_CONFIG || !strstr(error.message, row->error)
                : e != PST_OK)
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.message);
    }
}

/* An error message never contains a password from the value. */
static void
sentences_do_not_repeat_passwords(void **state)
{
    static config_check_fn *const checks[] = {
        config_check_header,
        config_check_token_header,
        config_check_forward_header,
        config_check_token_location,
    };
    struct pst_str value = PST_STR("https://me:pa55word@shop.example/a b");

    (void)state;
    for (size_t i = 0; i < PST_COUNT(checks); i++) {
        struct config_error error = {""};

        if (checks[i](value, &error) != PST_BAD_CONFIG || !*error.message ||
            strstr(error.message, "pa55word"))
            fail_msg("check %zu: %s", i, error.message);
    }
}

/* L16, L17: names that CGI maps to the same variable are one name. */
static void
header_names_meet(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } pairs[] = {
        {"X-User", "x_user", true},
        {"X-User", "X-Users", false},
        {"a*", "ab", false},
        {"a*", "a*", true},
        {"", "", true},
        {"x-a", "x-b", false},
        {"a*", "a-", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(pairs); i++)
        if (config_is_same_header(pst_str_from(pairs[i].a),
                                  pst_str_from(pairs[i].b)) != pairs[i].same)
            fail_msg("%s and %s", pairs[i].a, pairs[i].b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_or_refused),
        cmocka_unit_test(sentences_do_not_repeat_passwords),
        cmocka_unit_test(header_names_meet),
    };

    return cmocka_run_group_tests_name("config_names", tests, NULL, NULL);
}
