/* SPDX-License-Identifier: ISC */
/*
 * fuzz_origin.c - read any bytes as Origin, Sec-Fetch-Site and Referer: who may
 * change something is decided by a list, never by a likeness.
 */
#include "base/str.h"
#include "http/origin.h"

#define OWN PST_STR("https://shop.example")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pst_str listed[] = {
    {"https://app.example", sizeof("https://app.example") - 1},
    {"capacitor://localhost", sizeof("capacitor://localhost") - 1},
};

static void
check_spelling(struct pst_str text)
{
    const bool is_app = pst_origin_is_app(text);
    const size_t colon = pst_str_index(text, ':');
    const struct pst_str scheme = pst_str_first(text, colon);
    struct pst_str host = pst_str_skip(text, colon + 3);

    if (!pst_origin_is_canonical(text) && !is_app)
        return;
    PST_REQUIRE(pst_str_starts(pst_str_skip(text, colon), PST_STR("://")));
    PST_REQUIRE(is_app != (pst_str_equal(scheme, PST_STR("http")) ||
                           pst_str_equal(scheme, PST_STR("https"))));
    PST_REQUIRE(host.len > 0 && pst_str_is_field_value(host));
    for (size_t i = 0; i < host.len; i++) {
        const char c = host.ptr[i];

        PST_REQUIRE(c != '\0' && !strchr("/\\?#@ ,", c));
        PST_REQUIRE(is_app || c < 'A' || c > 'Z');
    }
}

/* What is decided for a request that changes something, without a token. */
static void
check_decision(const struct pst_origin_rules *rules,
               struct pst_origin_facts facts)
{
    const enum pst_err e = pst_origin_check(rules, &facts);
    const bool is_own = pst_str_equal(facts.origin, OWN);
    const bool is_listed = pst_origin_is_listed(rules, facts.origin);
    struct pst_origin_facts other = facts;

    PST_REQUIRE(e == PST_OK || e == PST_CROSS_SITE);
    PST_REQUIRE(is_listed == (pst_str_equal(facts.origin, listed[0]) ||
                              pst_str_equal(facts.origin, listed[1])));
    if (!e && !pst_str_is_absent(facts.origin) && !is_own && !is_listed)
        PST_REQUIRE(
            pst_str_equal(facts.origin, PST_STR("null")) &&
            pst_str_equal(facts.sec_fetch_site, PST_STR("same-origin")));
    if (!e && !is_listed && !pst_str_is_absent(facts.sec_fetch_site))
        PST_REQUIRE(
            pst_str_equal(facts.sec_fetch_site, PST_STR("same-origin")) ||
            pst_str_equal(facts.sec_fetch_site, PST_STR("none")));
    other.bearer = true;
    PST_REQUIRE(pst_origin_check(rules, &other) == PST_OK);
    other = facts;
    other.safe = true;
    PST_REQUIRE(pst_origin_check(rules, &other) == PST_OK);
    /* A form with a cookie is never allowed where the same without is not. */
    facts.form_with_cookie = true;
    PST_REQUIRE(e == PST_OK ||
                pst_origin_check(rules, &facts) == PST_CROSS_SITE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_origin_rules rules = {OWN, listed, PST_COUNT(listed)};
    struct pst_origin_facts facts = {0};
    struct pst_str rest = pst_str_from_bytes((struct pst_bytes){data, size});

    check_spelling(rest);
    (void)(pst_str_split(&rest, '\n', &facts.origin) &&
           pst_str_split(&rest, '\n', &facts.sec_fetch_site) &&
           pst_str_split(&rest, '\n', &facts.referer));
    if (pst_str_equal(facts.origin, PST_STR("-")))
        facts.origin = PST_STR_NONE;
    if (pst_str_equal(facts.sec_fetch_site, PST_STR("-")))
        facts.sec_fetch_site = PST_STR_NONE;
    if (pst_str_equal(facts.referer, PST_STR("-")))
        facts.referer = PST_STR_NONE;
    check_decision(&rules, facts);
    return 0;
}
