/* SPDX-License-Identifier: ISC */
/*
 * test_page.c - our own pages and error answers: what they show, what they
 * keep, and that nothing in them was not escaped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "crypto/crypto.h"
#include "gateway/page.h"

static struct pst_arena *arena;
static char out[2 * PST_PAGE_MAX];
static size_t out_len;
static struct response res;
static const struct config plain = {
    .auth_token_header = {"vendure-auth-token", 18}};
static const struct config adorned = {
    .auth_token_header = {"vendure-auth-token", 18},
    .site_name = {"Fish & <Chips>", 14},
    .stylesheet = {"/our.css?a=1&b=\"", 16}};

static enum pst_err
sink_write(void *context, struct pst_str piece)
{
    (void)context;
    assert_true(piece.len < sizeof(out) - out_len);
    memcpy(out + out_len, piece.ptr, piece.len);
    out_len += piece.len;
    out[out_len] = '\0';
    return PST_OK;
}

static enum pst_err
sink_flush(void *context)
{
    (void)context;
    return PST_OK;
}

static void
init(void)
{
    const struct response_sink to = {sink_write, sink_flush, NULL, NULL, NULL};

    pst_arena_reset(arena);
    out_len = 0;
    out[0] = '\0';
    response_init(&res, arena, &to);
}

static int
set_up(void **state)
{
    (void)state;
    if (pst_crypto_init() != PST_OK)
        return -1;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static void
check_has(const char *row, const char *piece)
{
    if (!strstr(out, piece))
        fail_msg("row '%s': no '%s' in:\n%s", row, piece, out);
}

static void
check_has_not(const char *row, const char *piece)
{
    if (strstr(out, piece))
        fail_msg("row '%s': '%s' in:\n%s", row, piece, out);
}

/* The bytes between two marks. */
static struct pst_str
between(const char *before, const char *after)
{
    const char *start = strstr(out, before);
    const char *end;

    assert_non_null(start);
    start += strlen(before);
    end = strstr(start, after);
    assert_non_null(end);
    return (struct pst_str){start, (size_t)(end - start)};
}

static enum pst_err
send_login(const struct page_login_form *page)
{
    init();
    return page_send_login(&res, &plain, 200, page);
}

static void
test_escaped(void **state)
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
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct page_login_form page = {.email = rows[i].in};
        struct pst_str got;

        assert_int_equal(send_login(&page), PST_OK);
        got = between("spellcheck=\"false\" required value=\"", "\"");
        if (!pst_str_equal(got, pst_str_from(rows[i].want)))
            fail_msg("row %zu '%s': got '%.*s'", i, rows[i].want, (int)got.len,
                     got.ptr);
    }
}

static enum pst_err
send_logout(void)
{
    const struct page_logout_form page = {.action = PST_STR("/logout"),
                                          .return_to = PST_STR("/b?x=1&y=2")};

    init();
    return page_send_logout(&res, &plain, 200, &page);
}

/* What every page has (R77, R78). */
static void
check_page(const char *row)
{
    static const char *const pieces[] = {
        "\r\nContent-Type: text/html; charset=utf-8\r\n",
        "\r\nCache-Control: no-store\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nReferrer-Policy: same-origin\r\n",
        "\r\nX-Frame-Options: DENY\r\n",
        "\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-",
        "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n",
        "\r\n\r\n<!DOCTYPE html>\n<html lang=\"en\">",
        "<meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width, ",
        "<title>",
        "color-scheme:light dark",
        "<h1>",
        "</html>\n",
    };

    for (size_t i = 0; i < PST_COUNT(pieces); i++)
        check_has(row, pieces[i]);
    check_has_not(row, "unsafe-inline");
    check_has_not(row, "<script");
    check_has_not(row, " style=");
    check_has_not(row, "http://");
    check_has_not(row, "https://");
    check_has_not(row, "url(");
}

static void
test_every_page(void **state)
{
    const struct page_login_form page = {.action = PST_STR("/login")};
    struct request req = {.id = "0123456789abcdef",
                          .accept = PST_STR("text/html")};

    (void)state;
    assert_int_equal(send_login(&page), PST_OK);
    check_page("login");
    assert_int_equal(send_logout(), PST_OK);
    check_page("logout");
    init();
    assert_int_equal(page_send_error(&res, &req, &plain, PST_CROSS_SITE),
                     PST_OK);
    check_page("error");
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
    const struct page_login_form page = {.action = PST_STR("/login")};
    uint8_t hash[PST_HASH_LEN];
    struct pst_str style;
    struct pst_str named;
    char want[45];

    (void)state;
    assert_int_equal(send_login(&page), PST_OK);
    style = between("<style>", "</style>");
    named = between("style-src 'sha256-", "'");
    assert_true(style.len > 100);
    pst_crypto_sha256(pst_str_bytes(style), hash);
    base64(hash, want);
    if (!pst_str_equal(named, pst_str_from(want)))
        fail_msg("STYLE_HASH in page.c must be %s", want);
}

static void
test_login(void **state)
{
    const struct page_login_form fresh = {.action = PST_STR("/login")};
    const struct page_login_form again = {
        .action = PST_STR("/log\"in"),
        .email = PST_STR("a<b>'@example.org"),
        .return_to = PST_STR("/cart?a=\"><script>"),
        .message = PST_STR("no <i>such</i> luck"),
        .remember = true,
    };

    (void)state;
    assert_int_equal(send_login(&fresh), PST_OK);
    check_has("fresh", "Status: 200 OK\r\n");
    check_has("fresh", "<form method=\"post\" action=\"/login\">");
    check_has("fresh", "<label for=\"email\">");
    check_has("fresh", "<label for=\"password\">");
    check_has("fresh", "<label for=\"remember\">");
    check_has("fresh", "autocomplete=\"username\"");
    check_has("fresh", "autocomplete=\"current-password\"");
    check_has("fresh", "spellcheck=\"false\" required autofocus>\n"
                       "<label for=\"password\">");
    check_has("fresh", "value=\"true\">");
    check_has("fresh", "<title>Log in</title>");
    check_has_not("fresh", "<p");
    check_has_not("fresh", "role=\"alert\"");
    check_has_not("fresh", "aria-describedby");
    check_has_not("fresh", "return_to");
    check_has_not("fresh", " checked");
    check_has_not("fresh", "maxlength");

    assert_int_equal(send_login(&again), PST_OK);
    check_has("again", "action=\"/log&quot;in\"");
    check_has("again", " value=\"a&lt;b&gt;&#39;@example.org\">");
    check_has("again", "name=\"return_to\" "
                       "value=\"/cart?a=&quot;&gt;&lt;script&gt;\">");
    check_has("again", "<p id=\"message\" role=\"alert\">"
                       "no &lt;i&gt;such&lt;/i&gt; luck</p>");
    check_has("again", "<title>Error: Log in</title>");
    check_has("again", "current-password\" required "
                       "aria-describedby=\"message\" autofocus>");
    check_has("again", "value=\"true\" checked>");
    check_has_not("again", "<i>");
}

/* The password is never given back, and there is one autofocus at a time. */
static void
test_one_focus(void **state)
{
    static const struct {
        const char *name;
        struct pst_str email;
    } rows[] = {
        {"absent", {NULL, 0}}, {"empty", {"", 0}}, {"typed", {"a@b", 3}}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct page_login_form page = {.action = PST_STR("/login"),
                                             .email = rows[i].email};
        const char *first;

        assert_int_equal(send_login(&page), PST_OK);
        first = strstr(out, " autofocus");
        assert_non_null(first);
        assert_null(strstr(first + 1, " autofocus"));
    }
}

static void
test_login_status(void **state)
{
    const struct page_login_form page = {.action = PST_STR("/login")};

    (void)state;
    init();
    response_set_header(&res, PST_STR("Cache-Control"), PST_STR("public"));
    assert_int_equal(page_send_login(&res, &plain, 401, &page), PST_OK);
    check_has("401", "Status: 401 Unauthorized\r\n");
    check_has("401", "Cache-Control: no-store\r\n");
    check_has_not("401", "public");
}

static void
test_login_too_large(void **state)
{
    static char big[PST_PAGE_MAX];
    const struct page_login_form page = {.action = PST_STR("/login"),
                                         .email = {big, sizeof(big)}};

    (void)state;
    memset(big, '<', sizeof(big));
    init();
    assert_int_equal(page_send_login(&res, &plain, 401, &page), PST_TOO_LARGE);
    assert_int_equal(out_len, 0);
}

static void
test_logout(void **state)
{
    (void)state;
    assert_int_equal(send_logout(), PST_OK);
    check_has("logout", "Status: 200 OK\r\n");
    check_has("logout", "<form method=\"post\" action=\"/logout\">\n"
                        "<input type=\"hidden\" name=\"return_to\" "
                        "value=\"/b?x=1&amp;y=2\">\n<button type=\"submit\"");
    check_has("logout", "<title>Log out?</title>");
    check_has_not("logout", "everywhere");
    init();
    assert_int_equal(
        page_send_logout(&res, &plain, 200,
                         &(const struct page_logout_form){.everywhere = true}),
        PST_OK);
    check_has("everywhere", "<title>Log out everywhere?</title>");
    check_has("everywhere", "name=\"everywhere\" value=\"1\">");
}

/* The owner's name and style sheet, in every page, and nothing unescaped. */
static void
test_adorned(void **state)
{
    const struct page_login_form login = {.action = PST_STR("/login"),
                                          .token = PST_STR("ab.cd")};
    const struct page_logout_form logout = {.action = PST_STR("/logout"),
                                            .token = PST_STR("ab.cd"),
                                            .message = PST_STR("<again>")};
    struct request req = {.id = "0123456789abcdef",
                          .accept = PST_STR("text/html")};
    static const char *const names[] = {"login", "logout", "error"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(names); i++) {
        enum pst_err e;

        init();
        e = i == 0   ? page_send_login(&res, &adorned, 200, &login)
            : i == 1 ? page_send_logout(&res, &adorned, 403, &logout)
                     : page_send_error(&res, &req, &adorned, PST_CROSS_SITE);
        assert_int_equal(e, PST_OK);
        check_has(names[i], " - Fish &amp; &lt;Chips&gt;</title>");
        check_has(names[i], "<p class=\"site\">Fish &amp; &lt;Chips&gt;</p>");
        check_has(names[i], "</style>\n<link rel=\"stylesheet\" "
                            "href=\"/our.css?a=1&amp;b=&quot;\">\n</head>");
        check_has(names[i], "style-src 'sha256-");
        check_has(names[i], "=' 'self'; img-src 'self'; font-src 'self'; "
                            "form-action 'self'; frame-ancestors 'none'; ");
        if (i < 2)
            check_has(names[i], "<input type=\"hidden\" name=\"csrf_token\" "
                                "value=\"ab.cd\">");
    }
    assert_int_equal(send_login(&login), PST_OK);
    check_has_not("plain", "<link");
    check_has_not("plain", "class=\"site\"");
    check_has_not("plain", "img-src");
    init();
    assert_int_equal(page_send_logout(&res, &plain, 403, &logout), PST_OK);
    check_has("again", "Status: 403 Forbidden\r\n");
    check_has("again", "<title>Error: Log out?</title>");
    check_has("again", "role=\"alert\">&lt;again&gt;</p>");
}

/* L26: no error is sent as a 2xx or 3xx, in either form. */
static void
test_error_status(void **state)
{
    (void)state;
    for (int i = PST_OK; i < PST_ERR_COUNT; i++) {
        enum pst_err e = (enum pst_err)i;
        int status = pst_err_status(e) < 400 ? 500 : pst_err_status(e);
        struct request api = {.id = "0123456789abcdef"};
        struct request page = {.id = "0123456789abcdef",
                               .sec_fetch_mode = PST_STR("navigate")};
        char want[32];

        (void)snprintf(want, sizeof(want), "Status: %d ", status);
        init();
        assert_int_equal(page_send_error(&res, &api, &plain, e), PST_OK);
        assert_ptr_equal(strstr(out, want), out);
        check_has(pst_err_code(e), "Content-Type: application/json");
        check_has(pst_err_code(e), "\"requestId\":\"0123456789abcdef\"");
        check_has(pst_err_code(e), "\"code\":");
        check_has_not(pst_err_code(e), "\"OK\"");

        init();
        assert_int_equal(page_send_error(&res, &page, &plain, e), PST_OK);
        assert_ptr_equal(strstr(out, want), out);
        check_has(pst_err_code(e), "Content-Type: text/html");
        check_has(pst_err_code(e), "<code>0123456789abcdef</code>");
    }
}

/* L10: an error carries nothing of the answer that was being made. */
static void
test_error_keeps(void **state)
{
    static const char *const kept[] = {
        "WWW-Authenticate",
        "Allow",
        "Retry-After",
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials",
        "Access-Control-Expose-Headers",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Headers",
        "Access-Control-Max-Age",
        "vendure-auth-token",
    };
    static const char *const dropped[] = {
        "ETag",     "Content-Encoding", "Last-Modified",
        "X-Leaked", "Content-Language", "Set-Cookie2",
    };

    (void)state;
    for (unsigned page = 0; page < 2; page++) {
        struct request req = {.id = "0123456789abcdef",
                              .accept =
                                  page ? PST_STR("text/html") : PST_STR_NONE};
        char line[64];

        init();
        response_set_status(&res, 200);
        for (size_t i = 0; i < PST_COUNT(kept); i++)
            response_set_header(&res, pst_str_from(kept[i]), PST_STR("kept"));
        for (size_t i = 0; i < PST_COUNT(dropped); i++)
            response_set_header(&res, pst_str_from(dropped[i]),
                                PST_STR("dropped"));
        response_set_cookie(&res, PST_STR("kept"));
        response_set_cookie(&res, PST_STR("also=kept"));
        response_add_vary(&res, PST_STR("Origin"));
        response_set_header(&res, PST_STR("Broken"), PST_STR("\r\n"));
        assert_int_equal(page_send_error(&res, &req, &plain, PST_FORGED),
                         PST_OK);
        check_has("form", page ? "\r\nContent-Type: text/html"
                               : "\r\nContent-Type: application/json");
        for (size_t i = 0; i < PST_COUNT(kept); i++) {
            (void)snprintf(line, sizeof(line), "\r\n%s: kept\r\n", kept[i]);
            check_has(kept[i], line);
        }
        check_has("cookies", "\r\nSet-Cookie: kept\r\n"
                             "Set-Cookie: also=kept\r\n");
        for (size_t i = 0; i < PST_COUNT(dropped); i++)
            check_has_not(dropped[i], dropped[i]);
        check_has("vary", "\r\nVary: Origin, Accept, Sec-Fetch-Mode\r\n");
        check_has_not("value", "dropped");
    }
}

/* If the arena is full at any point, there is still a response. */
static void
test_error_without_memory(void **state)
{
    (void)state;
    for (size_t n = 1; n < 30; n++) {
        struct request req = {.id = "0123456789abcdef",
                              .accept = PST_STR("text/html")};

        init();
        pst_arena_fail_at(arena, n);
        assert_int_equal(page_send_error(&res, &req, &plain, PST_NO_MEMORY),
                         PST_OK);
        assert_ptr_equal(strstr(out, "Status: 503 "), out);
        assert_null(strstr(out + 1, "Status:"));
        check_has("whole", "0123456789abcdef");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escaped),
        cmocka_unit_test(test_every_page),
        cmocka_unit_test(test_style_hash),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_one_focus),
        cmocka_unit_test(test_login_status),
        cmocka_unit_test(test_login_too_large),
        cmocka_unit_test(test_logout),
        cmocka_unit_test(test_error_status),
        cmocka_unit_test(test_error_keeps),
        cmocka_unit_test(test_adorned),
        cmocka_unit_test(test_error_without_memory),
    };

    return cmocka_run_group_tests_name("page", tests, set_up, tear_down);
}
