/* SPDX-License-Identifier: ISC */
/*
 * test_config_check.c - the texts that variables may and may not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config_check.h"

struct row {
    const char *name;
    config_check_fn *check;
    const char *value;
    const char *error; /* part of the sentence; NULL: taken */
};

static const struct row rows[] = {
    {"URL", config_check_url, "http://127.0.0.1:4000/graphql", NULL},
    {"URL without a path", config_check_url, "https://shop.example", NULL},
    {"URL of the last port", config_check_url, "http://a:65535", NULL},
    {"URL with IPv6", config_check_url, "https://[2001:db8::1]:8443/a", NULL},
    {"URL with @ in its path", config_check_url, "http://a/b@c:d", NULL},
    {"URL with a percent sign", config_check_url, "http://a/%20", NULL},
    {"URL in upper case", config_check_url, "HTTP://a/", "http:// or https://"},
    {"URL without anything", config_check_url, "http://", "no host"},
    {"URL with empty brackets", config_check_url, "http://[]/", "no host"},
    {"URL with a dot alone", config_check_url, "http://./", "no host"},
    {"URL with two ports", config_check_url, "http://a:1:2/", "no host"},
    {"URL with a password after the path began", config_check_url,
     "http://a:b@/", "user name or password"},
    {"origin", config_check_origin, "https://shop.example", NULL},
    {"origin with a port", config_check_origin, "http://localhost:8080", NULL},
    {"origin with a query", config_check_origin, "https://a.example?b",
     "write https://a.example"},
    {"origin of a file", config_check_origin, "file://a",
     "is no origin such as"},
    {"our own origin is no app's", config_check_origin, "capacitor://localhost",
     "no origin"},
    {"listed origin", config_check_listed_origin, "https://shop.example", NULL},
    {"listed app", config_check_listed_origin, "capacitor://localhost", NULL},
    {"listed app with a port", config_check_listed_origin,
     "ionic://localhost:1", NULL},
    {"listed app with a path", config_check_listed_origin, "app://a/",
     "no origin"},
    {"listed file", config_check_listed_origin, "file://", "no origin"},
    {"any listed", config_check_listed_origin, "*", "any page"},
    {"null listed", config_check_listed_origin, "null", "any page"},
    {"origin null in upper case", config_check_origin, "NULL", "any page"},
    {"local path", config_check_local_path, "/login?next=1", NULL},
    {"site's name", config_check_site_name, "Kn\xC3\xB6pfe & <Co>", NULL},
    {"site's name in Latin-1", config_check_site_name, "Kn\xF6pfe", "no UTF-8"},
    {"token header", config_check_token_header, "X-Auth-Token", NULL},
    {"token header like a reserved one", config_check_token_header, "locations",
     NULL},
    {"empty token header", config_check_token_header, "", "no header name"},
    {"token header of lighttpd", config_check_token_header, "X-Sendfile2",
     "another meaning"},
    {"header", config_check_header, "X-Anything", NULL},
    {"header with CR", config_check_header, "a\rb", "no header name"},
    {"forwarded header", config_check_forward_header, "X-Request-Reason", NULL},
    {"L3: identity of ours", config_check_forward_header, "X-Session-User",
     "never passed on"},
    {"pointer", config_check_pointer, "secret", NULL},
    {"pointer of two steps", config_check_pointer, "session/secret", NULL},
    {"pointer with escapes", config_check_pointer, "a~0b~1c/~1", NULL},
    {"empty pointer", config_check_pointer, "", "empty step"},
    {"pointer from the root", config_check_pointer, "/data/login/id",
     "begins with a slash; it is relative"},
    {"pointer with an empty step", config_check_pointer, "a//b", "empty step"},
    {"pointer that ends with a slash", config_check_pointer, "a/",
     "empty step"},
    {"pointer with half an escape", config_check_pointer, "a~",
     "neither ~0 nor ~1"},
    {"pointer with half an escape at a step's end", config_check_pointer,
     "a~/b", "neither ~0 nor ~1"},
    {"field", config_check_field_name, "refreshToken", NULL},
    {"field with an underscore", config_check_field_name, "_a_9", NULL},
    {"field with a digit first", config_check_field_name, "9a", "no name of"},
    {"field with a hyphen", config_check_field_name, "a-b", "names a-b, which"},
    {"field with a dot", config_check_field_name, "query.a", "no name of"},
    {"field with a letter beyond ASCII", config_check_field_name, "\xC3\xBC",
     "no name of"},
    {"empty field", config_check_field_name, "", "no name of"},
    {"root field", config_check_root_field, "checkout", NULL},
    {"root field of queries", config_check_root_field, "query.a", NULL},
    {"root field of mutations", config_check_root_field, "mutation.a", NULL},
    {"root field of subscriptions", config_check_root_field, "subscription.a",
     NULL},
    {"root field of another type", config_check_root_field, "Query.a",
     "names Query.a, whose type is none of"},
    {"root field of no type", config_check_root_field, ".a",
     "whose type is none of"},
    {"root field without a field", config_check_root_field, "query.",
     "no name of"},
    {"root field with two types", config_check_root_field, "query.query.a",
     "names query.a, which is no name"},
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
     "no parameter's name"},
    {"parameter with brackets", config_check_url_parameter, "a[]",
     "no parameter's name"},
    {"empty parameter", config_check_url_parameter, "", "no parameter's name"},
    {"address", config_check_network, "192.0.2.1", NULL},
    {"IPv6 address", config_check_network, "2001:db8::1", NULL},
    {"network", config_check_network, "10.0.0.0/8", NULL},
    {"every IPv4 address", config_check_network, "0.0.0.0/0", NULL},
    {"one IPv4 address", config_check_network, "10.0.0.1/32", NULL},
    {"IPv6 network", config_check_network, "2001:db8::/32", NULL},
    {"one IPv6 address", config_check_network, "::1/128", NULL},
    {"network of 33 bits", config_check_network, "10.0.0.0/33",
     "names 10.0.0.0/33, which is no address"},
    {"IPv6 network of 129 bits", config_check_network, "::1/129", "no address"},
    {"network without bits", config_check_network, "10.0.0.0/", "no address"},
    {"network with a mask", config_check_network, "10.0.0.0/255.0.0.0",
     "no address"},
    {"network with a sign", config_check_network, "10.0.0.0/-1", "no address"},
    {"network without an address", config_check_network, "/8", "no address"},
    {"short address", config_check_network, "10.1", "no address"},
    {"address of a number too large", config_check_network, "10.0.0.256",
     "no address"},
    {"IPv6 address in brackets", config_check_network, "[::1]", "no address"},
    {"IPv6 address with a zone", config_check_network, "fe80::1%eth0",
     "no address"},
    {"address with a port", config_check_network, "10.0.0.1:80", "no address"},
    {"host", config_check_network, "localhost", "no address"},
    {"a very long address", config_check_network,
     "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", "no address"},
    {"empty address", config_check_network, "", "no address"},
    {"token in JSON", config_check_token_location, "json:session/secret", NULL},
    {"token in a header", config_check_token_location, "header:X-Token", NULL},
    {"token in cookies", config_check_token_location, "cookie", NULL},
    {"token in a named cookie", config_check_token_location, "cookie:a",
     "none of"},
    {"token in a header without a name", config_check_token_location, "header",
     "none of json:POINTER, header:NAME"},
    {"audience", config_check_audience, "shop.example", NULL},
    {"cookie name", config_check_cookie_name, "session", NULL},
    {"cookie name with a prefix", config_check_cookie_name, "__Host-a", NULL},
    {"cookie name beyond ASCII", config_check_cookie_name, "\xc3\xbc", "token"},
    {"cookie domain", config_check_cookie_domain, "shop.example", NULL},
    {"cookie domain that is a number", config_check_cookie_domain, "10.1",
     "host name"},
    {"cookie path", config_check_cookie_path, "/shop", NULL},
    {"L31: cookie path with CR", config_check_cookie_path, "/\r",
     "must begin with /"},
    {"log on stderr", config_check_log_target, "stderr", NULL},
    {"log in a file", config_check_log_target, "/var/log/a", NULL},
    {"log at a relative path", config_check_log_target, "a/b", "absolute path"},
    {"token header with a space", config_check_token_header, "a b",
     "no header name"},
    {"token header with a colon", config_check_token_header,
     "a:", "no header name"},
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
    {"upstream with another scheme", config_check_url, "ftp://a/",
     "http:// or https://"},
    {"upstream that is a file", config_check_url, "file:///etc/passwd",
     "http:// or https://"},
    {"upstream without a scheme", config_check_url, "localhost:4000",
     "http:// or https://"},
    {"upstream without a host", config_check_url, "http:///graphql", "no host"},
    {"upstream with a password", config_check_url, "http://u:p@a.example/",
     "user name or password"},
    {"upstream with a fragment", config_check_url, "http://a.example/#b",
     "fragment"},
    {"upstream with a query", config_check_url, "http://a.example/?b", "query"},
    {"upstream with a query and no path", config_check_url,
     "http://a.example?b", "query"},
    {"upstream with a space", config_check_url, "http://a.example/a b",
     "percent-encode"},
    {"upstream with a backslash", config_check_url, "http://a.example\\b",
     "percent-encode"},
    {"upstream beyond ASCII", config_check_url, "http://a.example/\xc3\xbc",
     "percent-encode"},
    {"upstream with port 0", config_check_url, "http://a.example:0/", "port"},
    {"upstream with port 65536", config_check_url, "http://a.example:65536/",
     "port"},
    {"upstream with an empty port", config_check_url, "http://a.example:/",
     "port"},
    {"upstream with a bad host", config_check_url, "http://a,b/", "host"},
    {"upstream with half a bracket", config_check_url, "http://[::1/", "host"},
    {"token nowhere", config_check_token_location, "body", "json:POINTER"},
    {"token from the root", config_check_token_location,
     "json:/data/login/secret", "begins with a slash"},
    {"token is the whole answer", config_check_token_location,
     "json:", "empty step"},
    {"token in no header", config_check_token_location,
     "header:", "no header name"},
    {"bad pointer", config_check_pointer, "data/~2", "neither ~0 nor ~1"},
    {"forwarding no token", config_check_forward_header, "a:b",
     "no header name"},
    {"forwarding a cookie", config_check_forward_header, "Cookie",
     "Cookie, which is never"},
    {"forwarding authorization", config_check_forward_header, "authorization",
     "never passed on"},
    {"L47: forwarding Proxy", config_check_forward_header, "Proxy",
     "never passed on"},
    {"forwarding proxy-authorization", config_check_forward_header,
     "proxy-authorization", "never passed on"},
    {"forwarding host", config_check_forward_header, "host", "never passed on"},
    {"forwarding te", config_check_forward_header, "te", "never passed on"},
    {"forwarding a length", config_check_forward_header, "content-length",
     "never passed on"},
    {"R57: forwarding X-Forwarded-For", config_check_forward_header,
     "x-forwarded-for", "never passed on"},
    {"L16: the same with underscores", config_check_forward_header,
     "X_Forwarded-User", "never passed on"},
    {"forwarding Forwarded", config_check_forward_header, "Forwarded",
     "never passed on"},
    {"forwarding traceparent", config_check_forward_header, "traceparent",
     "never passed on"},
    {"origin with a slash", config_check_origin, "https://shop.example/",
     "write https://shop.example"},
    {"origin with a path", config_check_origin, "https://shop.example/a/b",
     "write https://shop.example"},
    {"origin in upper case", config_check_origin, "HTTPS://Shop.Example",
     "write https://shop.example"},
    {"origin with the port of https", config_check_origin,
     "https://shop.example:443", "write https://shop.example"},
    {"origin with the port of http", config_check_origin, "http://[::1]:80/",
     "write http://[::1]"},
    {"origin without a scheme", config_check_origin, "shop.example:8443",
     "write https://shop.example:8443"},
    {"origin with a password", config_check_origin, "https://a:b@shop.example",
     "is no origin such as"},
    {"origin null", config_check_origin, "null", "any page"},
    {"L11: login URL elsewhere", config_check_local_path,
     "https://evil.example/", "no path on this site"},
};

static void
texts_are_taken_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct config_error error = {""};
        enum pst_err e = row->check(pst_str_from(row->value), &error);

        if (row->error ? e != PST_BAD_CONFIG || !strstr(error.text, row->error)
                       : e != PST_OK)
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.text);
    }
}

static void
long_texts_are_refused(void **state)
{
    static const struct {
        const char *name;
        config_check_fn *check;
        const char *start;
        size_t good; /* bytes at most */
    } longest[] = {
        {"URL", config_check_url, "http://a/", 4096},
        {"audience", config_check_audience, "a", 255},
        {"cookie domain", config_check_cookie_domain, "", 63},
        {"local path", config_check_local_path, "/", 2048},
        {"site's name", config_check_site_name, "", 100},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(longest); i++) {
        static char storage[5000];
        struct config_error error;

        memset(storage, 'a', sizeof(storage));
        memcpy(storage, longest[i].start, strlen(longest[i].start));
        if (longest[i].check((struct pst_str){storage, longest[i].good},
                             &error) != PST_OK)
            fail_msg("%s: %s", longest[i].name, error.text);
        if (longest[i].check((struct pst_str){storage, longest[i].good + 1},
                             &error) != PST_BAD_CONFIG)
            fail_msg("%s: one octet more is taken", longest[i].name);
    }
}

/* A password in a value never comes out in a sentence about it. */
static void
sentences_do_not_repeat_passwords(void **state)
{
    static config_check_fn *const checks[] = {
        config_check_url,
        config_check_origin,
        config_check_listed_origin,
        config_check_local_path,
        config_check_token_header,
        config_check_header,
        config_check_forward_header,
        config_check_token_location,
        config_check_cookie_name,
        config_check_cookie_domain,
        config_check_cookie_path,
        config_check_log_target,
    };
    struct pst_str value = PST_STR("https://me:pa55word@shop.example/a b");

    (void)state;
    for (size_t i = 0; i < PST_COUNT(checks); i++) {
        struct config_error error = {""};

        if (checks[i](value, &error) != PST_BAD_CONFIG || !*error.text ||
            strstr(error.text, "pa55word"))
            fail_msg("check %zu: %s", i, error.text);
    }
}

/* L16, L17: names that meet in CGI are one name. */
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
        cmocka_unit_test(texts_are_taken_or_refused),
        cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(sentences_do_not_repeat_passwords),
        cmocka_unit_test(header_names_meet),
    };

    return cmocka_run_group_tests_name("config_check", tests, NULL, NULL);
}
