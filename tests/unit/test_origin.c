/* SPDX-License-Identifier: ISC */
/*
 * test_origin.c - which origin may change something: every combination of what
 * a request can say about itself (design 2.7 and section 4).
 */
#include "http/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define OWN "https://shop.example"

/* The kinds of values of a header. NONE: there is no such header. */
enum kind { NONE, OURS, LISTED, FOREIGN, OPAQUE, NAVIGATED };

struct sample {
    const char *text;
    enum kind kind;
};

/* OURS: this value alone would allow the request. */
static const struct sample sites[] = {
    {NULL, NONE},
    {"same-origin", OURS},
    {"none", NAVIGATED},
    {"same-site", FOREIGN},
    {"cross-site", FOREIGN},
    {"junk", FOREIGN},
    {"", FOREIGN},
    {"Same-Origin", FOREIGN},
    {"same-origin ", FOREIGN},
    {"same-origin, same-origin", FOREIGN},
};

static const struct sample origins[] = {
    {NULL, NONE},
    {OWN, OURS},
    {"https://app.example", LISTED},
    {"http://localhost:5173", LISTED},
    {"https://other.example", FOREIGN},
    {"capacitor://localhost", LISTED},
    {"app://-", LISTED},
    {"capacitor://localhost:1", FOREIGN},
    {"Capacitor://localhost", FOREIGN},
    {"capacitor://LOCALHOST", FOREIGN},
    {"capacitor://localhost/", FOREIGN},
    {"http://localhost", FOREIGN},
    {"null", OPAQUE},
    {"NULL", FOREIGN},
    {"", FOREIGN},
    {OWN ".evil.example", FOREIGN},
    {"https://evil-shop.example", FOREIGN},
    {"https://app.example.evil.example", FOREIGN},
    {OWN ":444", FOREIGN},
    {OWN ":443", FOREIGN},
    {"http://shop.example", FOREIGN},
    {"http://app.example", FOREIGN},
    {OWN "/", FOREIGN},
    {"https://app.example/", FOREIGN},
    {"HTTPS://SHOP.EXAMPLE", FOREIGN},
    {"https://Shop.example", FOREIGN},
    {" " OWN, FOREIGN},
    {OWN ", https://evil.example", FOREIGN},
    {"https://user@shop.example", FOREIGN},
};

static const struct sample referers[] = {
    {NULL, NONE},
    {OWN, OURS},
    {OWN "/", OURS},
    {OWN "/cart?x=https://evil.example", OURS},
    {OWN "?q", OURS},
    {OWN "#f", OURS},
    {"https://evil.example/", FOREIGN},
    {"https://evil.example/?" OWN "/", FOREIGN},
    {OWN ".evil.example/", FOREIGN},
    {OWN ":444/", FOREIGN},
    {OWN "@evil.example/", FOREIGN},
    {OWN "\\evil.example/", FOREIGN},
    {"http://shop.example/", FOREIGN},
    {"https://app.example/",
     FOREIGN}, /* listed, but it is not a serialized origin */
    {"HTTPS://SHOP.EXAMPLE/", FOREIGN},
    {"https://shop.exampl", FOREIGN},
    {"/cart", FOREIGN},
    {"about:blank", FOREIGN},
    {"", FOREIGN},
    {"null", FOREIGN},
};

static const struct pst_str listed[] = {
    {"https://app.example", 19},
    {"http://localhost:5173", 21},
    {"capacitor://localhost", 21},
    {"app://-", 7},
    {"null", 4}, /* a mistake that must not allow every sandboxed frame */
};

static const struct pst_origin_rules rules = {
    .own = {OWN, sizeof(OWN) - 1},
    .listed = listed,
    .listed_count = PST_COUNT(listed),
};

/* The other facts, as bits. */
enum { SAFE = 1, BEARER = 2, FORM = 4, PREFLIGHTED = 8, BITS = 16 };

/* The rule again, as a matrix. */
static bool
may(enum kind site, enum kind origin, enum kind referer, unsigned bits)
{
    static const bool table[5][6] = {
        /* site:     NONE   OURS  LISTED FOREIGN OPAQUE NAVIGATED    origin */
        [NONE] = {false, true, false, false, false, true},
        [OURS] = {true, true, false, false, false, true},
        [LISTED] = {true, true, false, true, false, true},
        [FOREIGN] = {false, false, false, false, false, false},
        [OPAQUE] = {false, true, false, false, false, false},
    };

    if (bits & (SAFE | BEARER))
        return true;
    if (site == NONE && origin == NONE)
        return referer != FOREIGN && (bits & (FORM | PREFLIGHTED)) != FORM;
    return table[origin][site];
}

static size_t
check_one(const struct sample *site, const struct sample *origin,
          const struct sample *referer)
{
    for (unsigned bits = 0; bits < BITS; bits++) {
        struct pst_origin_facts facts = {
            .origin = pst_str_from(origin->text),
            .sec_fetch_site = pst_str_from(site->text),
            .referer = pst_str_from(referer->text),
            .safe = bits & SAFE,
            .bearer = bits & BEARER,
            .form_with_cookie = bits & FORM,
            .preflighted = bits & PREFLIGHTED,
        };
        bool want = may(site->kind, origin->kind, referer->kind, bits);
        enum pst_err e = pst_origin_check(&rules, &facts);

        if (e != (want ? PST_OK : PST_CROSS_SITE))
            fail_msg("site %s, origin %s, referer %s, bits %u: %s",
                     site->text ? site->text : "-",
                     origin->text ? origin->text : "-",
                     referer->text ? referer->text : "-", bits,
                     pst_err_code(e));
    }
    return BITS;
}

/* R45, R48, R50, L41: every combination. */
static void
test_every_combination(void **state)
{
    size_t count = 0;

    (void)state;
    for (size_t s = 0; s < PST_COUNT(sites); s++)
        for (size_t o = 0; o < PST_COUNT(origins); o++)
            for (size_t r = 0; r < PST_COUNT(referers); r++)
                count += check_one(&sites[s], &origins[o], &referers[r]);
    assert_int_equal(count, BITS * PST_COUNT(sites) * PST_COUNT(origins) *
                                PST_COUNT(referers));
}

/* Some sentences of the design, to check the matrix itself. */
static void
test_sentences(void **state)
{
    static const struct {
        const char *name;
        const char *site;
        const char *origin;
        const char *referer;
        enum pst_err want;
    } rows[] = {
        {"curl", NULL, NULL, NULL, PST_OK},
        {"our page", "same-origin", OWN, OWN "/", PST_OK},
        {"typed address", "none", NULL, NULL, PST_OK},
        {"a listed site", "cross-site", "https://app.example",
         "https://app.example/", PST_OK},
        {"an older browser on our page", NULL, OWN, OWN "/", PST_OK},
        {"an older browser elsewhere", NULL, "https://evil.example", NULL,
         PST_CROSS_SITE},
        {"same-origin with a foreign Origin", "same-origin",
         "https://evil.example", NULL, PST_CROSS_SITE},
        {"another scheme on our host", NULL, "http://shop.example", NULL,
         PST_CROSS_SITE},
        {"another port on our host", "same-site", OWN ":8443", NULL,
         PST_CROSS_SITE},
        {"only a foreign Referer", NULL, NULL, "https://evil.example/",
         PST_CROSS_SITE},
        {"an empty Origin", NULL, "", NULL, PST_CROSS_SITE},
        {"our Origin but cross-site", "cross-site", OWN, NULL, PST_CROSS_SITE},
        {"a sandboxed frame", "cross-site", "null", NULL, PST_CROSS_SITE},
        {"our form under no-referrer (U30)", "same-origin", "null", NULL,
         PST_OK},
        {"null from a navigation that no page began", "none", "null", NULL,
         PST_CROSS_SITE},
        {"null without Fetch metadata", NULL, "null", OWN "/", PST_CROSS_SITE},
        {"an app", NULL, "capacitor://localhost", NULL, PST_OK},
        {"an app, as a web view says it", "cross-site", "capacitor://localhost",
         NULL, PST_OK},
        {"a subdomain", "same-site", "https://blog.shop.example", NULL,
         PST_CROSS_SITE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_origin_facts facts = {
            .origin = pst_str_from(rows[i].origin),
            .sec_fetch_site = pst_str_from(rows[i].site),
            .referer = pst_str_from(rows[i].referer),
        };
        enum pst_err e = pst_origin_check(&rules, &facts);

        if (e != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
    }
}

/* With an unknown own origin, no origin equals it. */
static void
test_own_unknown(void **state)
{
    static const char *const owns[] = {NULL, "", "null"};
    static const char *const said[] = {"", "null", OWN, "/", "#", "null/"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(owns); i++) {
        struct pst_origin_rules unknown = {.own = pst_str_from(owns[i])};

        for (size_t k = 0; k < PST_COUNT(said); k++) {
            struct pst_origin_facts origin = {.origin = pst_str_from(said[k])};
            struct pst_origin_facts page = {.referer = pst_str_from(said[k])};

            if (pst_origin_check(&unknown, &origin) != PST_CROSS_SITE)
                fail_msg("own %zu, Origin \"%s\"", i, said[k]);
            if (pst_origin_check(&unknown, &page) != PST_CROSS_SITE)
                fail_msg("own %zu, Referer \"%s\"", i, said[k]);
        }
    }
}

static void
test_listed(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(origins); i++)
        if (pst_origin_is_listed(&rules, pst_str_from(origins[i].text)) !=
            (origins[i].kind == LISTED))
            fail_msg("\"%s\"", origins[i].text ? origins[i].text : "absent");
    assert_false(pst_origin_is_listed(
        &(struct pst_origin_rules){.listed = &(struct pst_str){"", 0},
                                   .listed_count = 1},
        PST_STR_NONE));
    assert_false(pst_origin_is_listed(
        &(struct pst_origin_rules){.own = rules.own}, rules.own));
}

static const char *const canonical[] = {
    "https://shop.example",
    "http://shop.example",
    "https://shop.example:8443",
    "http://shop.example:443",
    "https://shop.example:80",
    "http://localhost",
    "http://localhost:5173",
    "http://a:1",
    "http://a:65535",
    "https://xn--n3h.example",
    "https://a_b.example",
    "https://3com.example",
    "https://a.3com",
    "http://127.0.0.1",
    "http://127.0.0.1:8080",
    "http://255.255.255.255",
    "http://[::]",
    "http://[::1]",
    "http://[::1]:8080",
    "http://[fe80::1]",
    "http://[1::]",
    "http://[1:2:3:4:5:6:7:8]",
    "http://[2001:db8::1:0:0:1]",
    "http://[1:0:2:3:4:5:6:7]",
    "http://[1::2:3:0:0:4]",
    "http://[1:0:0:2::3]",
    "http://[::ffff:7f00:1]",
};

static const char *const not_canonical[] = {
    "",
    "null",
    "shop.example",
    "//shop.example",
    "https:",
    "https:/",
    "https://",
    "https://:443",
    "https:// ",
    "ftp://shop.example",
    "HTTPS://shop.example",
    "https://Shop.example",
    "https://shop.example/",
    "https://shop.example?",
    "https://shop.example#",
    "https://shop.example:",
    "https://shop.example:443",
    "http://shop.example:80",
    "https://shop.example:0",
    "https://shop.example:08443",
    "https://shop.example:65536",
    "https://shop.example:99999999999999999999",
    "https://shop.example:-1",
    "https://shop.example:8443:8443",
    "https://user@shop.example",
    "https://shop.example.",
    "https://.shop.example",
    "https://shop..example",
    "https://*.shop.example",
    "https://*",
    "*",
    "https://sh op.example",
    " https://shop.example",
    "https://shop.example ",
    "https://shop.example\n",
    "https://\xC3\xA9.example",
    "https://shop%2Eexample",
    "https://shop\\example",
    "https://shop.example,https://b.example",
    "http://127.1",
    "http://127.0.0.01",
    "http://127.0.0.256",
    "http://0x7f",
    "http://0x7f.1",
    "http://2130706433",
    "http://a.1",
    "http://[",
    "http://[]",
    "http://[::1",
    "http://[::a",
    "http://::a]",
    "http://[1:0:0:2:3:4:5:6]",
    "http://::1",
    "http://[::1]]",
    "http://[::1]a",
    "http://[::1]80",
    "http://[:::]",
    "http://[1::2::3]",
    "http://[::A]",
    "http://[::01]",
    "http://[::12345]",
    "http://[::g]",
    "http://[0:0:0:0:0:0:0:1]",
    "http://[1:2:3:4:5:6:7]",
    "http://[1:2:3:4:5:6:7:8:9]",
    "http://[1::2:3:4:5:6:7]",
    "http://[1:2:3:4:5:6:7::]",
    "http://[::0]",
    "http://[0::1]",
    "http://[1::0:2]",
    "http://[1:0:0:2:3::4]",
    "http://[1::2:0:0:0:3]",
    "http://[::ffff:127.0.0.1]",
    "http://[fe80::1%25eth0]",
    "http://[:1:2:3:4:5:6:7]",
    "http://[1:]",
};

static void
test_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(canonical); i++)
        if (!pst_origin_is_canonical(pst_str_from(canonical[i])))
            fail_msg("\"%s\" is canonical", canonical[i]);
    for (size_t i = 0; i < PST_COUNT(not_canonical); i++)
        if (pst_origin_is_canonical(pst_str_from(not_canonical[i])))
            fail_msg("\"%s\" is not canonical", not_canonical[i]);
    assert_false(pst_origin_is_canonical(PST_STR_NONE));
    assert_false(pst_origin_is_canonical(PST_STR("https://a\0.example")));
}

static const char *const apps[] = {
    "capacitor://localhost",
    "ionic://localhost",
    "app://-",
    "app://obsidian.md",
    "a://b",
    "web+a.b-1://Host_~.x",
    "capacitor://localhost:1",
    "chrome-extension://abcdefgh",
};

static const char *const no_apps[] = {
    "",
    "null",
    "://a",
    "app",
    "app:",
    "app:/",
    "app://",
    "app://a/",
    "app://a?",
    "app://a#",
    "app://u@a",
    "app://a:",
    "app://a:0",
    "app://a:x",
    "app://a:1:2",
    "app://[::1]",
    "app:// a",
    "app://a b",
    "app://a,b",
    "app://a\\b",
    "app://\xC3\xA9",
    "App://a",
    "1app://a",
    "-app://a",
    "ap_p://a",
    " app://a",
    "http://a.example",
    "https://a.example",
    "https://a.example/",
    "file://a",
    "file://",
    "*://a",
    "app://*",
};

static void
test_apps(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(apps); i++)
        if (!pst_origin_is_app(pst_str_from(apps[i])) ||
            pst_origin_is_canonical(pst_str_from(apps[i])))
            fail_msg("\"%s\" is an app's", apps[i]);
    for (size_t i = 0; i < PST_COUNT(no_apps); i++)
        if (pst_origin_is_app(pst_str_from(no_apps[i])))
            fail_msg("\"%s\" is not an app's", no_apps[i]);
    assert_false(pst_origin_is_app(PST_STR_NONE));
    assert_false(pst_origin_is_app(PST_STR("app://a\0b")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_own_unknown),
        cmocka_unit_test(test_listed),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_apps),
    };

    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
