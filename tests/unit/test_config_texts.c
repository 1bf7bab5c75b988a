/* SPDX-License-Identifier: ISC */
/*
 * test_config_texts.c - texts that variables may and may not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config_texts.h"

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
    {"Unix socket", config_check_url, "unix:/run/api.sock:/graphql", NULL},
    {"Unix socket without a path", config_check_url, "unix:/run/a", NULL},
    {"Unix socket, relative", config_check_url, "unix:a:/g", "absolute path"},
    {"Unix socket, none", config_check_url, "unix:", "absolute path"},
    {"Unix socket, then no path", config_check_url, "unix:/a:g",
     "the path of the URL"},
    {"Unix socket and a query", config_check_url, "unix:/a:/g?x", "query"},
    {"Unix socket and a fragment", config_check_url, "unix:/a:/g#x",
     "fragment"},
    {"Unix socket with a space", config_check_url, "unix:/a b:/g",
     "percent-encode"},
    {"URL without anything", config_check_url, "http://", "no host"},
    {"URL with empty brackets", config_check_url, "http://[]/", "no host"},
    {"URL with a dot alone", config_check_url, "http://./", "no host"},
    {"URL with two ports", config_check_url, "http://a:1:2/", "no host"},
    {"URL with a password after the path began", config_check_url,
     "http://a:b@/", "user name or password"},
    {"origin", config_check_origin, "https://shop.example", NULL},
    {"origin with a port", config_check_origin, "http://localhost:8080", NULL},
    {"origin with a query", config_check_origin, "https://a.example?b",
     "set it to https://a.example"},
    {"origin of a file", config_check_origin, "file://a", "is not an origin"},
    {"our own origin is not an app's", config_check_origin,
     "capacitor://localhost", "not an origin"},
    {"listed origin", config_check_listed_origin, "https://shop.example", NULL},
    {"listed app", config_check_listed_origin, "capacitor://localhost", NULL},
    {"listed app with a port", config_check_listed_origin,
     "ionic://localhost:1", NULL},
    {"listed app with a path", config_check_listed_origin, "app://a/",
     "not an origin"},
    {"listed file", config_check_listed_origin, "file://", "not an origin"},
    {"any listed", config_check_listed_origin, "*", "allow every page"},
    {"null listed", config_check_listed_origin, "null", "allow every page"},
    {"origin null in upper case", config_check_origin, "NULL",
     "allow every page"},
    {"local path", config_check_local_path, "/login?next=1", NULL},
    {"link on this site", config_check_link, "/register?from=login#top", NULL},
    {"link elsewhere", config_check_link, "https://shop.example", NULL},
    {"link with everything", config_check_link,
     "https://shop.example:8443/a/b?c=d&e#f", NULL},
    {"link to a script", config_check_link, "javascript:alert(1)",
     "'javascript:alert(1)' is neither a path on this site nor an https://"},
    {"link to a script below a URL", config_check_link,
     "https:javascript:alert(1)", "neither a path"},
    {"link to data", config_check_link, "data:text/html,x", "neither a path"},
    {"link by http", config_check_link, "http://shop.example/register",
     "neither a path"},
    {"link in upper case", config_check_link, "HTTPS://shop.example/",
     "neither a path"},
    {"link to another site's path", config_check_link, "//shop.example/",
     "neither a path"},
    {"link with a backslash", config_check_link, "/\\shop.example/",
     "neither a path"},
    {"link with a relative path", config_check_link, "register",
     "neither a path"},
    {"link without a host", config_check_link, "https://", "neither a path"},
    {"link with a user", config_check_link, "https://a@shop.example/",
     "the value is neither a path"},
    {"link with a space", config_check_link, "https://shop.example/a b",
     "neither a path"},
    {"link with quotes", config_check_link, "https://shop.example/\"><script>",
     "neither a path"},
    {"link beyond ASCII", config_check_link, "https://shop.example/\xC3\xA4",
     "neither a path"},
    {"site's name", config_check_site_name, "Kn\xC3\xB6pfe & <Co>", NULL},
    {"site's name in Latin-1", config_check_site_name, "Kn\xF6pfe",
     "not UTF-8 text"},
    {"address", config_check_network, "192.0.2.1", NULL},
    {"IPv6 address", config_check_network, "2001:db8::1", NULL},
    {"network", config_check_network, "10.0.0.0/8", NULL},
    {"every IPv4 address", config_check_network, "0.0.0.0/0", NULL},
    {"one IPv4 address", config_check_network, "10.0.0.1/32", NULL},
    {"IPv6 network", config_check_network, "2001:db8::/32", NULL},
    {"one IPv6 address", config_check_network, "::1/128", NULL},
    {"network of 33 bits", config_check_network, "10.0.0.0/33",
     "'10.0.0.0/33' is not an IP address"},
    {"IPv6 network of 129 bits", config_check_network, "::1/129",
     "not an IP address"},
    {"network without bits", config_check_network, "10.0.0.0/",
     "not an IP address"},
    {"network with a mask", config_check_network, "10.0.0.0/255.0.0.0",
     "not an IP address"},
    {"network with a sign", config_check_network, "10.0.0.0/-1",
     "not an IP address"},
    {"network without an address", config_check_network, "/8",
     "not an IP address"},
    {"short address", config_check_network, "10.1", "not an IP address"},
    {"address of a number too large", config_check_network, "10.0.0.256",
     "not an IP address"},
    {"IPv6 address in brackets", config_check_network, "[::1]",
     "not an IP address"},
    {"IPv6 address with a zone", config_check_network, "fe80::1%eth0",
     "not an IP address"},
    {"address with a port", config_check_network, "10.0.0.1:80",
     "not an IP address"},
    {"host", config_check_network, "localhost", "not an IP address"},
    {"a very long address", config_check_network,
     "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", "not an IP address"},
    {"empty address", config_check_network, "", "not an IP address"},
    {"audience", config_check_audience, "shop.example", NULL},
    {"log on stderr", config_check_log_target, "stderr", NULL},
    {"log in a file", config_check_log_target, "/var/log/a", NULL},
    {"log at a relative path", config_check_log_target, "a/b", "absolute path"},
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
    {"origin with a slash", config_check_origin, "https://shop.example/",
     "set it to https://shop.example"},
    {"origin with a path", config_check_origin, "https://shop.example/a/b",
     "set it to https://shop.example"},
    {"origin in upper case", config_check_origin, "HTTPS://Shop.Example",
     "set it to https://shop.example"},
    {"origin with the port of https", config_check_origin,
     "https://shop.example:443", "set it to https://shop.example"},
    {"origin with the port of http", config_check_origin, "http://[::1]:80/",
     "set it to http://[::1]"},
    {"origin without a scheme", config_check_origin, "shop.example:8443",
     "set it to https://shop.example:8443"},
    {"origin with a password", config_check_origin, "https://a:b@shop.example",
     "is not an origin"},
    {"origin null", config_check_origin, "null", "allow every page"},
    {"L11: login URL elsewhere", config_check_local_path,
     "https://evil.example/", "not a path on this site"},
};

static void
texts_are_taken_or_refused(void **state)
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
        {"local path", config_check_local_path, "/", 2048},
        {"site's name", config_check_site_name, "", 100},
        {"link", config_check_link, "https://a/", 1024},
        {"link on this site", config_check_link, "/", 1024},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(longest); i++) {
        static char storage[5000];
        struct config_error error;

        memset(storage, 'a', sizeof(storage));
        memcpy(storage, longest[i].start, strlen(longest[i].start));
        if (longest[i].check((struct pst_str){storage, longest[i].good},
                             &error) != PST_OK)
            fail_msg("%s: %s", longest[i].name, error.message);
        if (longest[i].check((struct pst_str){storage, longest[i].good + 1},
                             &error) != PST_BAD_CONFIG)
            fail_msg("%s: one byte more is allowed", longest[i].name);
    }
}

/* A password in a value never comes out in a sentence about it. */
static void
sentences_do_not_repeat_passwords(void **state)
{
    static config_check_fn *const checks[] = {
        config_check_url,           config_check_origin,
        config_check_listed_origin, config_check_local_path,
        config_check_log_target,    config_check_link,
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_or_refused),
        cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(sentences_do_not_repeat_passwords),
    };

    return cmocka_run_group_tests_name("config_texts", tests, NULL, NULL);
}
