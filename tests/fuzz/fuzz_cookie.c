/* SPDX-License-Identifier: ISC */
/*
 * fuzz_cookie.c - read any bytes as a Cookie header (L4, L8), and check that
 * each cookie in it comes back from a header that has only this one.
 */
#include "base/limits.h"
#include "base/str.h"
#include "http/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
has_only_field_bytes(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = (uint8_t)text.ptr[i];

        if ((byte < ' ' && byte != '\t') || byte == 0x7F || byte == ';')
            return false;
    }
    return true;
}

/* `pair` is a slice of the header, from the name to the end of the value. */
static void
check_pair(struct pst_str pair, struct pst_str name, struct pst_str value)
{
    struct pst_str again_name;
    struct pst_str again_value;

    PST_REQUIRE(pst_str_is_token(name));
    PST_REQUIRE(has_only_field_bytes(value));
    PST_REQUIRE(pst_str_equal(pst_str_trim(value), value));
    PST_REQUIRE(pst_cookie_next(&pair, &again_name, &again_value));
    PST_REQUIRE(pst_str_equal(again_name, name));
    PST_REQUIRE(pst_str_equal(again_value, value));
    PST_REQUIRE(!pst_cookie_next(&pair, &again_name, &again_value));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    const char *last = input.ptr;
    struct pst_str rest = input;
    struct pst_str name;
    struct pst_str value;

    while (pst_cookie_next(&rest, &name, &value)) {
        struct pst_str pair = {name.ptr,
                               (size_t)(value.ptr - name.ptr) + value.len};
        struct pst_str prefix = pst_cookie_prefix(name);

        PST_REQUIRE(name.ptr >= last && value.ptr > name.ptr);
        PST_REQUIRE(value.ptr + value.len <= input.ptr + input.len);
        check_pair(pair, name, value);
        PST_REQUIRE(pst_str_starts_nocase(name, prefix));
        last = value.ptr + value.len;
    }
    PST_REQUIRE(pst_str_is_absent(rest));
    return 0;
}
