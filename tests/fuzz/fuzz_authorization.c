/* SPDX-License-Identifier: ISC */
/*
 * fuzz_authorization.c - read any bytes as an Authorization header: a token is
 * the only word behind the scheme, and has only the bytes of a b64token.
 */
#include "base/str.h"
#include "http/bearer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_b64token_byte(char c)
{
    return pst_is_alpha(c) || pst_is_digit(c) ||
           (c != '\0' && strchr("-._~+/=", c));
}

static void
check_token(struct pst_str header, struct pst_str token)
{
    size_t padding = pst_str_index(token, '=');

    for (size_t i = 0; i < token.len; i++)
        PST_REQUIRE(is_b64token_byte(token.ptr[i]));
    for (size_t i = padding; i < token.len; i++)
        PST_REQUIRE(token.ptr[i] == '=');
    PST_REQUIRE(pst_str_starts_nocase(header, PST_STR("bearer")));
    PST_REQUIRE(token.len == 0 || token.ptr > header.ptr + 6);
    /* Spaces before and behind it. */
    for (size_t i = 6; i < header.len; i++) {
        const char *at = header.ptr + i;

        if (token.len == 0 || at < token.ptr || at >= token.ptr + token.len)
            PST_REQUIRE(*at == ' ' || *at == '\t');
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    struct pst_str token = PST_STR("untouched");
    const enum pst_err e = pst_bearer_parse(input, &token);

    PST_REQUIRE(e == PST_OK || e == PST_NOT_FOUND || e == PST_FORGED);
    if (e)
        PST_REQUIRE(pst_str_equal(token, PST_STR("untouched")));
    else
        check_token(input, token);
    return 0;
}
