/* SPDX-License-Identifier: ISC */
/*
 * test_page_html.c - the parts that every page has: its language, its headers,
 * its style and its hash, and that every text is escaped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/crypto.h"
#include "gateway/page_html.h"
#include "pages.h"

static struct page page;

/* Begin the response, and a page for this Accept-Language. */
static void
start(const struct config *config, const char *accept_language, bool has_error)
{
    static struct request req;

    pages_init();
    pages_request(&req, accept_language);
    page_start(&page, &res, &req, config, PAGE_TEXT_LOGIN_TITLE, has_error);
}

static void
test_text_is_escaped(void **state)
{
    static const struct {
        struct pst_str in;
        const char *want;
    } rows[] = {
        {{"plain", 5}, "plain"},
        {{"<script>", 8}, "&lt;script&gt;"},
        {{"\"'&", 3}, "&quot;&#39;&amp;"},
        {{"&lt;", 4}, "&amp;lt;"},
        {{"a\0b\x01\n\r\t\x1f\x7f.", 10}, "ab."},
        {{"\xc3\xa9", 2}, "\xc3\xa9"},
        {{"", 0}, ""},
        {{NULL, 0}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char want[64];

        start(&plain, NULL, false);
        page_emit_between(&page, "<i>", rows[i].in, "</i>");
        page_emit(&page, "<b>&</b>");
        assert_int_equal(page_send(&page, 200), PST_OK);
        (void)snprintf(want, sizeof(want), "</h1>\n%s%s%s<b>&</b></main>",
                       rows[i].want ? "<i>" : "",
                       rows[i].want ? rows[i].want : "",
                       rows[i].want ? "</i>" : "");
        check_has(want, want);
    }
}

static void
test_headers(void **state)
{
    (void)state;
    start(&plain, NULL, false);
    response_set_header(&res, PST_STR("Cache-Control"), PST_STR("public"));
    response_set_header(&res, PST_STR("Content-Language"), PST_STR("fr"));
    response_add_vary(&res, PST_STR("Origin"));
    assert_int_equal(page_send(&page, 403), PST_OK);
    check_has("status", "Status: 403 Forbidden\r\n");
    check_has("cache", "\r\nCache-Control: no-store\r\n");
    check_has("language", "\r\nContent-Language: en\r\n");
    check_has("vary", "\r\nVary: Origin, Accept-Language\r\n");
    check_has_not("cache", "public");
    check_has_not("language", "fr\r");
}

static void
test_language(void **state)
{
    static const struct {
        const char *accept; /* NULL: none */
        const char *want;
        const char *title;
    } rows[] = {
        {NULL, "en", "Log in"},
        {"de-CH,de;q=0.9,en;q=0.8", "de", "Anmelden"},
        {"fr,de;q=0.1", "de", "Anmelden"},
        {"fr", "en", "Log in"},
        {"de;q=0", "en", "Log in"},
        {"\"><script>", "en", "Log in"},
    };
    char want[128];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        start(&plain, rows[i].accept, false);
        assert_int_equal(page_send(&page, 200), PST_OK);
        (void)snprintf(want, sizeof(want),
                       "\n<!DOCTYPE html>\n<html lang=\"%s\" dir=\"ltr\">\n",
                       rows[i].want);
        check_has("lang", want);
        (void)snprintf(want, sizeof(want), "\r\nContent-Language: %s\r\n",
                       rows[i].want);
        check_has("header", want);
        (void)snprintf(want, sizeof(want), "<title>%s</title>", rows[i].title);
        check_has("title", want);
        (void)snprintf(want, sizeof(want), "<h1>%s</h1>", rows[i].title);
        check_has("heading", want);
        check_has_not("hostile", "<script");
    }
}

/* Decisions are not made by a header that came twice. */
static void
test_language_is_given_twice(void **state)
{
    const char *const variables[] = {"HTTP_ACCEPT_LANGUAGE=de",
                                     "HTTP_ACCEPT_LANGUAGE=de", NULL};
    struct request req = {.id = "0123456789abcdef"};

    (void)state;
    pages_init();
    request_variables_init(&req.variables, variables);
    page_start(&page, &res, &req, &plain, PAGE_TEXT_LOGIN_TITLE, false);
    assert_int_equal(page_send(&page, 200), PST_OK);
    check_has("twice", "<html lang=\"en\"");
}

static void
test_title(void **state)
{
    (void)state;
    start(&plain, "de", true);
    assert_int_equal(page_send(&page, 401), PST_OK);
    check_has("error", "<title>Fehler: Anmelden</title>");
    check_has("error", "<h1>Anmelden</h1>");
    check_has_not("plain", "<link");
    check_has_not("plain", "class=\"site\"");
    check_has_not("plain", "img-src");
    start(&adorned, "de", true);
    assert_int_equal(page_send(&page, 401), PST_OK);
    check_has("site", "<title>Fehler: Anmelden - Fish &amp; &lt;Chips&gt;"
                      "</title>");
    check_has("site", "<p class=\"site\">Fish &amp; &lt;Chips&gt;</p>\n<h1>");
}

/* Each text of a site's own is escaped, in an attribute too. */
static void
test_own_texts(void **state)
{
    static struct page_language hostile = {.tag = {"x-y", 3}};
    static const struct config config = {.texts = {&hostile, 1}};

    (void)state;
    for (size_t i = 0; i < PAGE_TEXT_COUNT; i++)
        hostile.texts[i] = PST_STR("<b a=\"'&");
    hostile.texts[PAGE_TEXT_DIRECTION] = PST_STR("rtl");
    start(&config, NULL, true);
    page_emit_text(&page, "<i>", PAGE_TEXT_LOGIN_EMAIL, "</i>");
    assert_int_equal(page_send(&page, 200), PST_OK);
    check_has("lang", "<html lang=\"x-y\" dir=\"rtl\">");
    check_has("title", "<title>&lt;b a=&quot;&#39;&amp;: &lt;b ");
    check_has("text", "<i>&lt;b a=&quot;&#39;&amp;</i>");
    check_has_not("text", "<b ");
}

/* Base64 with padding (RFC 4648 section 4), for 32 bytes. */
static void
base64(const uint8_t in[static PST_HASH_LEN], char to[static 45])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t bytes[33] = {0};

    memcpy(bytes, in, PST_HASH_LEN);
    for (size_t i = 0; i < 11; i++) {
        const uint8_t *o = bytes + 3 * i;

        to[4 * i] = alphabet[o[0] >> 2];
        to[4 * i + 1] = alphabet[(o[0] & 3) << 4 | o[1] >> 4];
        to[4 * i + 2] = alphabet[(o[1] & 15) << 2 | o[2] >> 6];
        to[4 * i + 3] = alphabet[o[2] & 63];
    }
    to[43] = '=';
    to[44] = '\0';
}

/* The policy names the very style sheet that is in the page. */
static void
test_style_hash(void **state)
{
    uint8_t hash[PST_HASH_LEN];
    struct pst_str style;
    struct pst_str named;
    char want[45];

    (void)state;
    start(&plain, NULL, false);
    assert_int_equal(page_send(&page, 200), PST_OK);
    style = between("<style>", "</style>");
    named = between("style-src 'sha256-", "'");
    assert_true(style.len > 100);
    assert_true(style.len < 4096);
    pst_crypto_sha256(pst_str_bytes(style), hash);
    base64(hash, want);
    if (!pst_str_equal(named, pst_str_from(want)))
        fail_msg("STYLE_HASH in page_html.c must be %s", want);
}

static void
test_too_large(void **state)
{
    static char big[PST_PAGE_MAX];

    (void)state;
    memset(big, '<', sizeof(big));
    start(&plain, NULL, false);
    page_emit_between(&page, "", (struct pst_str){big, sizeof(big)}, "");
    assert_int_equal(page_send(&page, 200), PST_TOO_LARGE);
    assert_int_equal(out_len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_escaped),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_language_is_given_twice),
        cmocka_unit_test(test_title),
        cmocka_unit_test(test_own_texts),
        cmocka_unit_test(test_style_hash),
        cmocka_unit_test(test_too_large),
    };

    return cmocka_run_group_tests_name("page_html", tests, pages_set_up,
                                       pages_tear_down);
}
