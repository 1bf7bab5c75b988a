/* SPDX-License-Identifier: ISC */
/*
 * origin.c - prevent cross-site request forgery: decide by Origin and
 * Sec-Fetch-Site whether a request may change something.
 */
#include "http/origin.h"

#include "http/cookie.h"

#define IPV6_GROUPS 8 /* of 16 bits, in an IPv6 address */

/* A group of an IPv6 address: 1 to 4 lower-case digits, no leading zero. */
static bool
origin_is_ipv6_group(struct pst_str group)
{
    if (group.len == 0 || group.len > 4)
        return false;
    for (size_t i = 0; i < group.len; i++)
        if (pst_hex_value(group.ptr[i]) < 0 ||
            pst_lower(group.ptr[i]) != group.ptr[i])
            return false;
    return group.len == 1 || group.ptr[0] != '0';
}

/*
 * Parse groups of an IPv6 address.
 *   count  how many there are so far, and afterwards
 *   zero   set for each one: is it 0?
 */
static bool
origin_parse_ipv6_groups(struct pst_str text, size_t *count,
                         bool zero[static IPV6_GROUPS])
{
    struct pst_str group;

    if (text.len == 0)
        return true;
    while (pst_str_split(&text, ':', &group)) {
        if (*count == IPV6_GROUPS || !origin_is_ipv6_group(group))
            return false;
        zero[(*count)++] = pst_str_equal(group, PST_STR("0"));
    }
    return true;
}

/* How many groups the longest run of zeros in [from, to) has. */
static size_t
origin_longest_zero_run(const bool *zero, size_t from, size_t to)
{
    size_t longest = 0;
    size_t run = 0;

    for (size_t i = from; i < to; i++) {
        run = zero[i] ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/*
 * Is it an IPv6 address as URLs are serialized (WHATWG URL 3.5)? "::" replaces
 * the first of the longest runs of two or more zero groups, and there is no
 * dotted IPv4 part.
 */
static bool
origin_is_ipv6(struct pst_str text)
{
    bool zero[IPV6_GROUPS] = {false};
    size_t head = 0;
    size_t count;
    size_t gap = 0;
    size_t hidden;

    while (gap < text.len &&
           !pst_str_starts(pst_str_skip(text, gap), PST_STR("::")))
        gap++;
    if (!origin_parse_ipv6_groups(pst_str_first(text, gap), &head, zero))
        return false;
    if (gap == text.len)
        return head == IPV6_GROUPS &&
               origin_longest_zero_run(zero, 0, head) < 2;
    count = head;
    if (!origin_parse_ipv6_groups(pst_str_skip(text, gap + 2), &count, zero) ||
        count > IPV6_GROUPS - 2)
        return false;
    hidden = IPV6_GROUPS - count;
    if ((head > 0 && zero[head - 1]) || (head < count && zero[head]))
        return false;
    return origin_longest_zero_run(zero, 0, head) < hidden &&
           origin_longest_zero_run(zero, head, count) <= hidden;
}

/* Is it a domain in the spelling of browsers, which allow "_"? */
static bool
origin_is_domain(struct pst_str host)
{
    struct pst_str rest = host;
    struct pst_str label = PST_STR_NONE;

    while (pst_str_split(&rest, '.', &label)) {
        if (label.len == 0)
            return false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.ptr[i];

            if (!(pst_is_alpha(c) && pst_lower(c) == c) && !pst_is_digit(c) &&
                c != '-' && c != '_')
                return false;
        }
    }
    /* A last label that begins with a digit may be read as a number. */
    return label.len > 0 &&
           (!pst_is_digit(label.ptr[0]) || pst_cookie_is_domain(host));
}

static bool
origin_is_host(struct pst_str host)
{
    if (pst_str_starts(host, PST_STR("[")) && pst_str_ends(host, PST_STR("]")))
        return origin_is_ipv6(
            pst_str_skip(pst_str_first(host, host.len - 1), 1));
    return origin_is_domain(host);
}

bool
pst_origin_is_canonical(struct pst_str origin)
{
    struct pst_str http = PST_STR("http://");
    struct pst_str https = PST_STR("https://");
    bool secure = pst_str_starts(origin, https);
    struct pst_str host;
    size_t colon;
    int64_t port;

    if (!secure && !pst_str_starts(origin, http))
        return false;
    host = pst_str_skip(origin, secure ? https.len : http.len);
    colon = host.len;
    while (colon > 0 && pst_is_digit(host.ptr[colon - 1]))
        colon--;
    /* "host:" has an empty port. The "]" of an address is before the port. */
    if (colon == 0 || host.ptr[colon - 1] != ':')
        return origin_is_host(host);
    if (pst_str_parse_port(pst_str_skip(host, colon), &port) != PST_OK ||
        port == (secure ? 443 : 80))
        return false;
    return origin_is_host(pst_str_first(host, colon - 1));
}

/* The length of the scheme before "://", or 0 when there is none. */
static size_t
origin_app_scheme_length(struct pst_str origin)
{
    size_t len = pst_str_index(origin, ':');

    if (len == 0 || !pst_str_starts(pst_str_skip(origin, len), PST_STR("://")))
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = origin.ptr[i];
        bool is_letter = pst_is_alpha(c) && pst_lower(c) == c;

        if (!is_letter &&
            (i == 0 || (!pst_is_digit(c) && c != '+' && c != '-' && c != '.')))
            return 0;
    }
    return len;
}

static bool
origin_is_app_host(struct pst_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];

        if (!pst_is_alpha(c) && !pst_is_digit(c) && c != '-' && c != '.' &&
            c != '_' && c != '~')
            return false;
    }
    return host.len > 0;
}

bool
pst_origin_is_app(struct pst_str origin)
{
    static const struct pst_str others[] = {
        {"http", 4}, {"https", 5}, {"file", 4}};
    size_t len = origin_app_scheme_length(origin);
    struct pst_str host;
    size_t colon;
    int64_t port;

    if (len == 0)
        return false;
    for (size_t i = 0; i < PST_COUNT(others); i++) {
        if (pst_str_equal(pst_str_first(origin, len), others[i]))
            return false;
    }
    host = pst_str_skip(origin, len + 3);
    colon = pst_str_index(host, ':');
    if (colon < host.len &&
        pst_str_parse_port(pst_str_skip(host, colon + 1), &port) != PST_OK)
        return false;
    return origin_is_app_host(pst_str_first(host, colon));
}

/* Equal, byte for byte? An absent, empty or opaque origin equals nothing. */
static bool
origin_is_same(struct pst_str known, struct pst_str origin)
{
    return origin.len > 0 && !pst_str_equal(origin, PST_STR("null")) &&
           pst_str_equal(known, origin);
}

bool
pst_origin_is_listed(const struct pst_origin_rules *rules,
                     struct pst_str origin)
{
    for (size_t i = 0; i < rules->listed_count; i++)
        if (origin_is_same(rules->listed[i], origin))
            return true;
    return false;
}

/* Is it a page of ours? Our origin must end there: not "https://own.evil". */
static bool
origin_is_own_page(struct pst_str own, struct pst_str referer)
{
    struct pst_str rest;

    if (!origin_is_same(own, pst_str_first(referer, own.len)))
        return false;
    rest = pst_str_skip(referer, own.len);
    return rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == '?' ||
           rest.ptr[0] == '#';
}

enum pst_err
pst_origin_check(const struct pst_origin_rules *rules,
                 const struct pst_origin_facts *facts)
{
    const struct pst_str same_origin = PST_STR("same-origin");
    bool has_origin = !pst_str_is_absent(facts->origin);
    bool allow = false;

    if (facts->safe || facts->bearer)
        allow = true;
    else if (has_origin && pst_origin_is_listed(rules, facts->origin))
        allow = true;
    else if (has_origin && pst_str_equal(facts->origin, PST_STR("null")))
        allow = pst_str_equal(facts->sec_fetch_site, same_origin);
    else if (has_origin && !origin_is_same(rules->own, facts->origin))
        allow = false; /* from another site, whatever Sec-Fetch-Site says */
    else if (!pst_str_is_absent(facts->sec_fetch_site))
        allow = pst_str_equal(facts->sec_fetch_site, same_origin) ||
                pst_str_equal(facts->sec_fetch_site, PST_STR("none"));
    else if (has_origin)
        allow = true; /* our own, as checked above */
    else if (!pst_str_is_absent(facts->referer) &&
             !origin_is_own_page(rules->own, facts->referer))
        allow = false;
    else
        allow = !facts->form_with_cookie || facts->preflighted;
    return allow ? PST_OK : PST_CROSS_SITE;
}
