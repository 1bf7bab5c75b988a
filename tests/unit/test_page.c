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

#include "gateway/page.h"
#include "pages.h"
#include "server/config_texts.h"

static struct request req;

static enum pst_err
send_login(const struct page_login_form *form)
{
    pages_init();
    pages_request(&req, NULL);
    return page_send_login(&res, &req, &plain, form);
}

static enum pst_err
send_logout(void)
{
    const struct page_logout_form page = {.action = PST_STR("/logout"),
                                          .return_to = PST_STR("/b?x=1&y=2")};

    pages_init();
    pages_request(&req, NULL);
    return page_send_logout(&res, &req, &plain, &page);
}

/* What every page has (R77, R78). */
static void
check_page(const char *row)
{
    static const char *const pieces[] = {
        "\r\nContent-Type: text/html; charset=utf-8\r\n",
        "\r\nCache-Control: no-store\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nCross-Origin-Resource-Policy: same-origin\r\n",
        "\r\nReferrer-Policy: same-origin\r\n",
        "\r\nX-Frame-Options: DENY\r\n",
        "\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-",
        "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n",
        "\r\n\r\n<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">",
        "\r\nContent-Language: en\r\n",
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

    (void)state;
    assert_int_equal(send_login(&page), PST_OK);
    check_page("login");
    assert_int_equal(send_logout(), PST_OK);
    check_page("logout");
    pages_init();
    pages_request(&req, NULL);
    req.accept = PST_STR("text/html");
    assert_int_equal(page_send_error(&res, &req, &plain, PST_CROSS_SITE),
                     PST_OK);
    check_page("error");
}

static void
test_login(void **state)
{
    const struct page_login_form fresh = {.action = PST_STR("/login")};
    const struct page_login_form again = {
        .action = PST_STR("/log\"in"),
        .email = PST_STR("a<b>'@example.org"),
        .return_to = PST_STR("/cart?a=\"><script>"),
        .error = PST_REFUSED,
        .remember = true,
    };
    const struct page_login_form down = {.error = PST_STORE_DOWN};

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
    check_has_not("fresh", "aria-invalid=\"");
    check_has_not("fresh", "<a ");
    check_has_not("fresh", "placeholder");
    check_has_not("fresh", "return_to");
    check_has_not("fresh", " checked");
    check_has_not("fresh", "maxlength");

    assert_int_equal(send_login(&again), PST_OK);
    check_has("again", "action=\"/log&quot;in\"");
    check_has("again", " value=\"a&lt;b&gt;&#39;@example.org\">");
    check_has("again", "name=\"return_to\" "
                       "value=\"/cart?a=&quot;&gt;&lt;script&gt;\">");
    check_has("again", "<p id=\"message\" role=\"alert\">"
                       "The e-mail address or the password is wrong.</p>");
    check_has("again", "Status: 401 Unauthorized\r\n");
    check_has_not("again", "Retry-After");
    check_has("again", "<title>Error: Log in</title>");
    check_has("again", "spellcheck=\"false\" required aria-invalid=\"true\" "
                       "aria-describedby=\"message\" value=");
    check_has("again", "current-password\" required aria-invalid=\"true\" "
                       "aria-describedby=\"message\" autofocus>");
    check_has("again", "value=\"true\" checked>");
    check_has_not("again", "<i>");

    /* What was typed need not be wrong. */
    assert_int_equal(send_login(&down), PST_OK);
    check_has("down", "Status: 503 Service Unavailable\r\n");
    check_has("down", "\r\nRetry-After: 1\r\n");
    check_has("down", "current-password\" required "
                      "aria-describedby=\"message\">");
    check_has_not("down", "aria-invalid=\"");
}

/* The links of the login form, escaped, in the page's language. */
static void
test_login_links(void **state)
{
    const struct page_login_form form = {.action = PST_STR("/login")};
    static struct config config;

    (void)state;
    config = adorned;
    pages_init();
    pages_request(&req, "de");
    assert_int_equal(page_send_login(&res, &req, &config, &form), PST_OK);
    check_has("both", "</form>\n<p class=\"links\">\n"
                      "<a href=\"https://shop.example/reset#&#39;\">"
                      "Passwort vergessen?</a>\n"
                      "<a href=\"/register?a=1&amp;b=2\">Konto anlegen</a>\n"
                      "</p>\n</main>");
    config.reset_url = PST_STR_NONE;
    pages_init();
    assert_int_equal(page_send_login(&res, &req, &config, &form), PST_OK);
    check_has("one", "<p class=\"links\">\n<a href=\"/register?");
    check_has_not("one", "vergessen");
    config.register_url = PST_STR_NONE;
    pages_init();
    assert_int_equal(page_send_login(&res, &req, &config, &form), PST_OK);
    check_has_not("none", "<p class=\"links\">");
    check_has_not("none", "<a ");
}

/* Whatever the texts are, the pages fit into PST_PAGE_MAX. */
static void
test_longest_texts(void **state)
{
    static char quotes[2000];
    struct page_language longest = {.tag = PST_STR("en")};
    static struct config config;
    const struct page_login_form login = {
        .action = PST_STR("/login"),
        .email = {quotes, 254},
        .error = PST_THROTTLED,
        .is_cookie_dropped = true,
    };
    const struct page_logout_form logout = {.error = PST_STALE_FORM,
                                            .everywhere = true};

    (void)state;
    config = adorned;
    memset(quotes, '"', sizeof(quotes));
    for (size_t i = 0; i < PAGE_TEXT_COUNT; i++)
        longest.texts[i] = (struct pst_str){quotes, PAGE_TEXT_MAX};
    config.texts = (struct page_texts){&longest, 1};
    config.site_name = (struct pst_str){quotes, CONFIG_SITE_NAME_MAX};
    pages_init();
    pages_request(&req, NULL);
    assert_int_equal(page_send_login(&res, &req, &config, &login), PST_OK);
    pages_init();
    assert_int_equal(page_send_logout(&res, &req, &config, &logout), PST_OK);
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

/* A page whose parts are too large is not sent in part. */
static void
test_login_too_large(void **state)
{
    static char big[PST_PAGE_MAX];
    const struct page_login_form page = {.action = {big, sizeof(big)}};

    (void)state;
    memset(big, '<', sizeof(big));
    pages_init();
    pages_request(&req, NULL);
    assert_int_equal(page_send_login(&res, &req, &plain, &page), PST_TOO_LARGE);
    assert_int_equal(out_len, 0);
}

/* What a client sends can make no page too large, nor can the links. */
static void
test_long_fields(void **state)
{
    static char quotes[PAGE_EMAIL_MAX + 1];
    static char big[PST_RETURN_TO_MAX + 1];
    static struct config config;
    struct page_login_form form = {.action = PST_STR("/login"),
                                   .email = {quotes, PAGE_EMAIL_MAX},
                                   .return_to = {big, PST_RETURN_TO_MAX},
                                   .error = PST_REFUSED};

    (void)state;
    memset(quotes, '"', sizeof(quotes));
    memset(big, '&', sizeof(big));
    config = adorned;
    config.register_url = (struct pst_str){big, CONFIG_LINK_MAX};
    config.reset_url = config.register_url;
    pages_init();
    pages_request(&req, NULL);
    assert_int_equal(page_send_login(&res, &req, &config, &form), PST_OK);
    check_has("longest", " value=\"&quot;");
    check_has("longest", "name=\"return_to\" value=\"&amp;&amp;");
    form.email.len = PAGE_EMAIL_MAX + 1;
    form.return_to.len = PST_RETURN_TO_MAX + 1;
    pages_init();
    assert_int_equal(page_send_login(&res, &req, &config, &form), PST_OK);
    check_has("too long", "Status: 401 Unauthorized\r\n");
    check_has("too long", "aria-describedby=\"message\" autofocus>\n"
                          "<label for=\"password\">");
    check_has_not("too long", " value=\"&quot;");
    check_has_not("too long", "return_to");
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
    pages_init();
    assert_int_equal(
        page_send_logout(&res, &req, &plain,
                         &(const struct page_logout_form){.everywhere = true}),
        PST_OK);
    check_has_not("everywhere", "Retry-After");
    check_has("everywhere", "</h1>\n<p>This ends your sessions in all browsers "
                            "and on all devices.</p>\n<form");
    check_has("everywhere", "<title>Log out everywhere?</title>");
    check_has("everywhere", "name=\"everywhere\" value=\"1\">");
    pages_init();
    assert_int_equal(page_send_logout(&res, &req, &plain,
                                      &(const struct page_logout_form){
                                          .error = PST_STORE_DOWN}),
                     PST_OK);
    check_has("down", "Status: 503 Service Unavailable\r\n");
    check_has("down", "\r\nRetry-After: 1\r\n");
}

/* The owner's name and style sheet, in every page, and nothing unescaped. */
static void
test_adorned(void **state)
{
    const struct page_login_form login = {.action = PST_STR("/login"),
                                          .token = PST_STR("ab.cd")};
    const struct page_logout_form logout = {.action = PST_STR("/logout"),
                                            .token = PST_STR("ab.cd"),
                                            .error = PST_STALE_FORM};
    static const char *const names[] = {"login", "logout", "error"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(names); i++) {
        enum pst_err e;

        pages_init();
        pages_request(&req, NULL);
        req.accept = PST_STR("text/html");
        e = i == 0   ? page_send_login(&res, &req, &adorned, &login)
            : i == 1 ? page_send_logout(&res, &req, &adorned, &logout)
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
    pages_init();
    assert_int_equal(page_send_logout(&res, &req, &plain, &logout), PST_OK);
    check_has("again", "Status: 403 Forbidden\r\n");
    check_has("again", "<title>Error: Log out?</title>");
    check_has("again", "role=\"alert\">This form was out of date. "
                       "Please send it again.</p>");
}

/* L26: no error is sent as a 2xx or 3xx, in either form. */
static void
test_error_status(void **state)
{
    (void)state;
    for (int i = PST_OK; i < PST_ERR_COUNT; i++) {
        enum pst_err e = (enum pst_err)i;
        int status = pst_err_status(e) < 400 ? 500 : pst_err_status(e);
        char want[64];

        (void)snprintf(want, sizeof(want), "Status: %d ", status);
        pages_init();
        pages_request(&req, "de");
        assert_int_equal(page_send_error(&res, &req, &plain, e), PST_OK);
        assert_ptr_equal(strstr(out, want), out);
        check_has(pst_err_code(e), "Content-Type: application/json");
        check_has(pst_err_code(e), "\"requestId\":\"0123456789abcdef\"");
        check_has(pst_err_code(e), "\"code\":");
        check_has_not(pst_err_code(e), "\"OK\"");
        check_has_not(pst_err_code(e), "Content-Language");

        pages_init();
        req.sec_fetch_mode = PST_STR("navigate");
        assert_int_equal(page_send_error(&res, &req, &plain, e), PST_OK);
        assert_ptr_equal(strstr(out, want), out);
        check_has(pst_err_code(e), "Content-Type: text/html");
        check_has(pst_err_code(e), "<code>0123456789abcdef</code>");
        check_has(pst_err_code(e), "<h1>Fehler</h1>");
        check_has_not(pst_err_code(e), "Anmelden</p>");
        (void)snprintf(want, sizeof(want), "\n<code>%s</code>\n",
                       status == 500 ? "INTERNAL" : pst_err_name(e));
        check_has(pst_err_code(e), want);
    }
}

/* What pages say; why a token was refused looks the same. */
static void
test_error_texts(void **state)
{
    static const struct {
        enum pst_err e;
        const char *want;
    } rows[] = {
        {PST_NOT_FOUND, "There is nothing at this address."},
        {PST_REFUSED, "The e-mail address or the password is wrong."},
        {PST_FORGED, "Your session is not valid. Please log in again."},
        {PST_EXPIRED, "Your session is not valid. Please log in again."},
        {PST_REVOKED, "Your session is not valid. Please log in again."},
        {PST_THROTTLED,
         "Too many attempts. Please wait a few minutes, then try again."},
        {PST_STORE_DOWN,
         "Sessions cannot be checked at the moment. Please try again later."},
        {PST_BAD_CONFIG, "An error occurred in this server."},
        {PST_OK, "An error occurred in this server."},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        pages_init();
        pages_request(&req, NULL);
        req.accept = PST_STR("text/html");
        assert_int_equal(page_send_error(&res, &req, &plain, rows[i].e),
                         PST_OK);
        check_has(pst_err_code(rows[i].e), rows[i].want);
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
        "ETag", "Content-Encoding", "Last-Modified", "X-Leaked", "Set-Cookie2",
    };

    (void)state;
    for (unsigned page = 0; page < 2; page++) {
        char line[64];

        pages_init();
        pages_request(&req, NULL);
        req.accept = page ? PST_STR("text/html") : PST_STR_NONE;
        response_set_status(&res, 200);
        for (size_t i = 0; i < PST_COUNT(kept); i++)
            response_set_header(&res, pst_str_from(kept[i]), PST_STR("kept"));
        for (size_t i = 0; i < PST_COUNT(dropped); i++)
            response_set_header(&res, pst_str_from(dropped[i]),
                                PST_STR("dropped"));
        response_set_cookie(&res, PST_STR("kept"));
        response_set_cookie(&res, PST_STR("also=kept"));
        response_set_header(&res, PST_STR("Content-Language"),
                            PST_STR("dropped"));
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
        check_has("vary", page
                              ? "\r\nVary: Origin, Accept, Sec-Fetch-Mode, "
                                "Accept-Language\r\n"
                              : "\r\nVary: Origin, Accept, Sec-Fetch-Mode\r\n");
        check_has_not("value", "dropped");
    }
}

/* If the arena is full at any point, there is still a response. */
static void
test_error_without_memory(void **state)
{
    (void)state;
    for (size_t n = 1; n < 30; n++) {
        pages_init();
        pages_request(&req, NULL);
        req.accept = PST_STR("text/html");
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
        cmocka_unit_test(test_every_page),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_one_focus),
        cmocka_unit_test(test_login_links),
        cmocka_unit_test(test_longest_texts),
        cmocka_unit_test(test_login_too_large),
        cmocka_unit_test(test_long_fields),
        cmocka_unit_test(test_logout),
        cmocka_unit_test(test_error_status),
        cmocka_unit_test(test_error_texts),
        cmocka_unit_test(test_error_keeps),
        cmocka_unit_test(test_adorned),
        cmocka_unit_test(test_error_without_memory),
    };

    return cmocka_run_group_tests_name("page", tests, pages_set_up,
                                       pages_tear_down);
}
