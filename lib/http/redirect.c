/* SPDX-License-Identifier: ISC */
/*
 * redirect.c - prevent open redirects: refuse targets that could lead to
 * another site.
 *
 * Browsers drop tabs and newlines, read "\" as "/", and resolve dot segments
 * before they look at the first two bytes. Old proxies decode "%2f" first. So
 * the path is checked after decoding it once.
 */
#include "http/redirect.h"

#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/percent.h"

/* Is it a byte that a URL may only have percent-encoded, or a quote? */
static bool
redirect_is_forbidden_char(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte <= 0x20 || byte >= 0x7F || strchr("\\\"<>", c) != NULL;
}

/* No forbidden byte, and two hex digits after each "%"? */
static bool
redirect_is_well_formed(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (redirect_is_forbidden_char(text.ptr[i]))
            return false;
        if (text.ptr[i] != '%')
            continue;
        if (text.len - i < 3 || pst_hex_value(text.ptr[i + 1]) < 0 ||
            pst_hex_value(text.ptr[i + 2]) < 0)
            return false;
    }
    return true;
}

/* Decoded, spaces and bytes >= 0x80 are allowed, but no control bytes. */
static bool
redirect_is_safe_decoded(struct pst_str decoded)
{
    for (size_t i = 0; i < decoded.len; i++) {
        unsigned char byte = (unsigned char)decoded.ptr[i];

        if (byte < 0x20 || byte == 0x7F || byte == '\\')
            return false;
    }
    return true;
}

/*
 * May this segment follow `before`? An empty segment may end the path, or be
 * between two others ("/a//b"). It may not begin the path ("//evil") nor follow
 * a scheme ("/https://evil").
 *   before  the segment to the left; absent: this is the first
 *   last    this is the last segment
 */
static bool
redirect_segment_may_follow(struct pst_str before, struct pst_str segment,
                            bool last)
{
    if (pst_str_equal(segment, PST_STR(".")) ||
        pst_str_equal(segment, PST_STR("..")))
        return false;
    if (segment.len > 0)
        return true;
    if (pst_str_is_absent(before))
        return last;
    return before.len > 0 && (last || !pst_str_ends(before, PST_STR(":")));
}

static bool
redirect_has_safe_segments(struct pst_str path)
{
    struct pst_str rest = pst_str_skip(path, 1);
    struct pst_str before = PST_STR_NONE;
    struct pst_str segment;

    while (pst_str_split(&rest, '/', &segment)) {
        if (!redirect_segment_may_follow(before, segment,
                                         pst_str_is_absent(rest)))
            return false;
        before = segment;
    }
    return true;
}

/*
 * Only the decoded path is checked: a segment that is empty or dots before
 * decoding is so afterwards.
 */
static bool
redirect_is_local_path(struct pst_str path)
{
    char storage[PST_RETURN_TO_MAX];
    struct pst_str decoded;
    struct pst_buf buf;

    if (!pst_str_starts(path, PST_STR("/")))
        return false;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_percent_decode(&buf, path, false);
    return pst_buf_finish(&buf, &decoded) == PST_OK &&
           redirect_is_safe_decoded(decoded) &&
           redirect_has_safe_segments(decoded);
}

bool
pst_redirect_is_local(struct pst_str target)
{
    size_t query = pst_str_index(target, '?');
    size_t fragment = pst_str_index(target, '#');
    size_t end = query < fragment ? query : fragment;

    return target.len <= PST_RETURN_TO_MAX && redirect_is_well_formed(target) &&
           redirect_is_local_path(pst_str_first(target, end));
}

struct pst_str
pst_redirect_choose(struct pst_str target, struct pst_str fallback)
{
    return pst_redirect_is_local(target) ? target : fallback;
}
