/* SPDX-License-Identifier: ISC */
/*
 * redirect.c - refuse every target that a browser could take to another site.
 *
 * Browsers drop tabs and newlines, read "\" as "/", and resolve dot segments
 * before they look at the first two bytes; old front ends decode "%2f" first.
 * So the path is judged as it is and as it reads after one decoding.
 */
#include "http/redirect.h"

#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/percent.h"

/* Bytes that stand in a URL only when percent-encoded, or that mislead. */
static bool
is_banned(char c)
{
    unsigned char octet = (unsigned char)c;

    return octet <= 0x20 || octet >= 0x7F || strchr("\\\"<>", c) != NULL;
}

/* Nothing banned, and after each "%" two hex digits. */
static bool
is_spelt_well(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_banned(text.ptr[i]))
            return false;
        if (text.ptr[i] != '%')
            continue;
        if (text.len - i < 3 || pst_hex_value(text.ptr[i + 1]) < 0 ||
            pst_hex_value(text.ptr[i + 2]) < 0)
            return false;
    }
    return true;
}

/* What was hidden by percent-encoding: spaces and bytes >= 0x80 may be. */
static bool
is_harmless(struct pst_text decoded)
{
    for (size_t i = 0; i < decoded.len; i++) {
        unsigned char octet = (unsigned char)decoded.ptr[i];

        if (octet < 0x20 || octet == 0x7F || octet == '\\')
            return false;
    }
    return true;
}

/*
 * May this segment stand after `before`? An empty one may end the path, or
 * stand alone between two others ("/a//b"), but not begin it ("//evil") nor
 * follow a scheme ("/https://evil").
 *   before  the segment to the left; absent for the first
 *   last    nothing follows
 */
static bool
may_follow(struct pst_text before, struct pst_text segment, bool last)
{
    if (pst_text_equal(segment, PST_TEXT(".")) ||
        pst_text_equal(segment, PST_TEXT("..")))
        return false;
    if (segment.len > 0)
        return true;
    if (pst_text_is_absent(before))
        return last;
    return before.len > 0 && (last || !pst_text_ends(before, PST_TEXT(":")));
}

static bool
has_good_segments(struct pst_text path)
{
    struct pst_text rest = pst_text_from_octet(path, 1);
    struct pst_text before = PST_NO_TEXT;
    struct pst_text segment;

    while (pst_text_cut(&rest, '/', &segment)) {
        if (!may_follow(before, segment, pst_text_is_absent(rest)))
            return false;
        before = segment;
    }
    return true;
}

/* A raw segment that is empty or dots is so when decoded: one look does. */
static bool
is_local_path(struct pst_text path)
{
    char storage[PST_RETURN_TO_MAX];
    struct pst_text decoded;
    struct pst_buf buf;

    if (!pst_text_starts(path, PST_TEXT("/")))
        return false;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_percent_decode(&buf, path, false);
    return pst_buf_end(&buf, &decoded) == PST_OK && is_harmless(decoded) &&
           has_good_segments(decoded);
}

bool
pst_redirect_is_local(struct pst_text target)
{
    size_t query = pst_text_index(target, '?');
    size_t fragment = pst_text_index(target, '#');
    size_t end = query < fragment ? query : fragment;

    return target.len <= PST_RETURN_TO_MAX && is_spelt_well(target) &&
           is_local_path(pst_text_first(target, end));
}

struct pst_text
pst_redirect_choose(struct pst_text target, struct pst_text fallback)
{
    return pst_redirect_is_local(target) ? target : fallback;
}
