/* SPDX-License-Identifier: ISC */
/*
 * origin.c - which site a request comes from, and whether it may (Fetch;
 * RFC 6454; design 2.7).
 */
#include "http/origin.h"

#include "http/cookie.h"

#define PIECES 8 /* of 16 bits, in an IPv6 address */

/* One group of an IPv6 address: 1 to 4 lower-case digits, no leading zero. */
static bool
is_piece(struct pst_text piece)
{
    if (piece.len == 0 || piece.len > 4)
        return false;
    for (size_t i = 0; i < piece.len; i++)
        if (pst_hex_value(piece.ptr[i]) < 0 ||
            pst_lower(piece.ptr[i]) != piece.ptr[i])
            return false;
    return piece.len == 1 || piece.ptr[0] != '0';
}

/* Colon-separated groups: is each one well spelt; how many, which are 0? */
static bool
read_pieces(struct pst_text text, size_t *count, bool zero[static PIECES])
{
    struct pst_text piece;

    if (text.len == 0)
        return true;
    while (pst_text_cut(&text, ':', &piece)) {
        if (*count == PIECES || !is_piece(piece))
            return false;
        zero[(*count)++] = pst_text_equal(piece, PST_TEXT("0"));
    }
    return true;
}

/* The longest run of written zero groups in [from, to). */
static size_t
longest_run(const bool *zero, size_t from, size_t to)
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
 * An IPv6 address in the one spelling that URLs are serialized with (WHATWG
 * URL 3.5): "::" stands for the first of the longest runs of two or more
 * zero groups, and there is no dotted tail.
 */
static bool
is_ipv6(struct pst_text text)
{
    bool zero[PIECES] = {false};
    size_t head = 0;
    size_t count;
    size_t gap = 0;
    size_t hidden;

    while (gap < text.len &&
           !pst_text_starts(pst_text_from_octet(text, gap), PST_TEXT("::")))
        gap++;
    if (!read_pieces(pst_text_first(text, gap), &head, zero))
        return false;
    if (gap == text.len)
        return head == PIECES && longest_run(zero, 0, head) < 2;
    count = head;
    if (!read_pieces(pst_text_from_octet(text, gap + 2), &count, zero) ||
        count > PIECES - 2)
        return false;
    hidden = PIECES - count;
    if ((head > 0 && zero[head - 1]) || (head < count && zero[head]))
        return false;
    return longest_run(zero, 0, head) < hidden &&
           longest_run(zero, head, count) <= hidden;
}

/* A domain as browsers take it: underscores, which DNS allows, included. */
static bool
is_domain(struct pst_text host)
{
    struct pst_text rest = host;
    struct pst_text label = PST_NO_TEXT;

    while (pst_text_cut(&rest, '.', &label)) {
        if (label.len == 0)
            return false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.ptr[i];

            if (!(pst_is_alpha(c) && pst_lower(c) == c) && !pst_is_digit(c) &&
                c != '-' && c != '_')
                return false;
        }
    }
    /* Only what begins with a digit can be a number in disguise. */
    return label.len > 0 &&
           (!pst_is_digit(label.ptr[0]) || pst_cookie_is_domain(host));
}

static bool
is_host(struct pst_text host)
{
    if (pst_text_starts(host, PST_TEXT("[")) &&
        pst_text_ends(host, PST_TEXT("]")))
        return is_ipv6(
            pst_text_from_octet(pst_text_first(host, host.len - 1), 1));
    return is_domain(host);
}

bool
pst_origin_is_canonical(struct pst_text origin)
{
    struct pst_text http = PST_TEXT("http://");
    struct pst_text https = PST_TEXT("https://");
    bool secure = pst_text_starts(origin, https);
    struct pst_text host;
    size_t colon;
    int64_t port;

    if (!secure && !pst_text_starts(origin, http))
        return false;
    host = pst_text_from_octet(origin, secure ? https.len : http.len);
    colon = host.len;
    while (colon > 0 && pst_is_digit(host.ptr[colon - 1]))
        colon--;
    /* "host:" has an empty port, and an address's "]" stands before any. */
    if (colon == 0 || host.ptr[colon - 1] != ':')
        return is_host(host);
    if (pst_text_port(pst_text_from_octet(host, colon), &port) != PST_OK ||
        port == (secure ? 443 : 80))
        return false;
    return is_host(pst_text_first(host, colon - 1));
}

/* The scheme's length, 0 where the text does not begin with one and "://". */
static size_t
app_scheme_length(struct pst_text origin)
{
    size_t len = pst_text_index(origin, ':');

    if (len == 0 ||
        !pst_text_starts(pst_text_from_octet(origin, len), PST_TEXT("://")))
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
is_app_host(struct pst_text host)
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
pst_origin_is_app(struct pst_text origin)
{
    static const struct pst_text others[] = {
        {"http", 4}, {"https", 5}, {"file", 4}};
    size_t len = app_scheme_length(origin);
    struct pst_text host;
    size_t colon;
    int64_t port;

    if (len == 0)
        return false;
    for (size_t i = 0; i < PST_COUNT(others); i++) {
        if (pst_text_equal(pst_text_first(origin, len), others[i]))
            return false;
    }
    host = pst_text_from_octet(origin, len + 3);
    colon = pst_text_index(host, ':');
    if (colon < host.len &&
        pst_text_port(pst_text_from_octet(host, colon + 1), &port) != PST_OK)
        return false;
    return is_app_host(pst_text_first(host, colon));
}

/* Nothing missing, empty or opaque is ever the same site as anything. */
static bool
is_same(struct pst_text known, struct pst_text origin)
{
    return origin.len > 0 && !pst_text_equal(origin, PST_TEXT("null")) &&
           pst_text_equal(known, origin);
}

bool
pst_origin_is_listed(const struct pst_origin_rules *rules,
                     struct pst_text origin)
{
    for (size_t i = 0; i < rules->listed_count; i++)
        if (is_same(rules->listed[i], origin))
            return true;
    return false;
}

/* What follows our own origin must end it: "https://own.evil" is not ours. */
static bool
is_own_page(struct pst_text own, struct pst_text referer)
{
    struct pst_text rest;

    if (!is_same(own, pst_text_first(referer, own.len)))
        return false;
    rest = pst_text_from_octet(referer, own.len);
    return rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == '?' ||
           rest.ptr[0] == '#';
}

enum pst_err
pst_origin_check(const struct pst_origin_rules *rules,
                 const struct pst_origin_facts *facts)
{
    const struct pst_text same_origin = PST_TEXT("same-origin");
    bool has_origin = !pst_text_is_absent(facts->origin);
    bool allow = false;

    if (facts->safe || facts->bearer)
        allow = true;
    else if (has_origin && pst_origin_is_listed(rules, facts->origin))
        allow = true;
    else if (has_origin && pst_text_equal(facts->origin, PST_TEXT("null")))
        allow = pst_text_equal(facts->sec_fetch_site, same_origin);
    else if (has_origin && !is_same(rules->own, facts->origin))
        allow = false; /* a page elsewhere, whatever else it managed to send */
    else if (!pst_text_is_absent(facts->sec_fetch_site))
        allow = pst_text_equal(facts->sec_fetch_site, same_origin) ||
                pst_text_equal(facts->sec_fetch_site, PST_TEXT("none"));
    else if (has_origin)
        allow = true; /* our own, by what came before */
    else if (!pst_text_is_absent(facts->referer) &&
             !is_own_page(rules->own, facts->referer))
        allow = false;
    else
        allow = !facts->form_with_cookie || facts->preflighted;
    return allow ? PST_OK : PST_CROSS_SITE;
}
