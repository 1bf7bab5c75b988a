/* SPDX-License-Identifier: ISC */
/*
 * fuzz_redirect.c - read any bytes as the target of a redirect (L11 to L14).
 * What is allowed must stay on this site for a browser, which drops tabs and
 * line ends and reads "\" as "/", and for a server that decodes the path once.
 */
#include "base/limits.h"
#include "base/str.h"
#include "http/redirect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where a URL parser gets to from https://site/: does it find another host? */
static bool
leaves_site(const char *text, size_t len)
{
    static char kept[PST_RETURN_TO_MAX];
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\t' || text[i] == '\r' || text[i] == '\n')
            continue;
        if ((uint8_t)text[i] <= ' ' && count == 0)
            continue;
        kept[count++] = text[i] == '\\' ? '/' : text[i];
    }
    return count == 0 || kept[0] != '/' || (count > 1 && kept[1] == '/');
}

static size_t
decode(struct pst_str text, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = text.ptr[i] == '%' && i + 2 < text.len
                       ? pst_hex_value(text.ptr[i + 1])
                       : -1;
        int low = high >= 0 ? pst_hex_value(text.ptr[i + 2]) : -1;

        if (low >= 0) {
            out[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[len++] = text.ptr[i];
        }
    }
    return len;
}

/* No segment of the path may be "." or "..". */
static void
check_segments(struct pst_str path)
{
    struct pst_str segment;

    while (pst_str_split(&path, '/', &segment))
        PST_REQUIRE(!pst_str_equal(segment, PST_STR(".")) &&
                    !pst_str_equal(segment, PST_STR("..")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    const struct pst_str other = PST_STR("/other");
    const bool is_local = pst_redirect_is_local(input);
    const struct pst_str chosen = pst_redirect_choose(input, other);
    static char decoded[PST_RETURN_TO_MAX];
    size_t end;

    PST_REQUIRE(pst_str_equal(chosen, is_local ? input : other));
    if (!is_local)
        return 0;
    PST_REQUIRE(input.len >= 1 && input.len <= PST_RETURN_TO_MAX);
    PST_REQUIRE(pst_str_is_field_value(input));
    PST_REQUIRE(!leaves_site(input.ptr, input.len));
    end = pst_str_index(input, '?');
    end = pst_str_index(pst_str_first(input, end), '#');
    end = decode(pst_str_first(input, end), decoded);
    PST_REQUIRE(!leaves_site(decoded, end));
    check_segments((struct pst_str){decoded, end});
    return 0;
}
