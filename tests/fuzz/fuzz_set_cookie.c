/* SPDX-License-Identifier: ISC */
/*
 * fuzz_set_cookie.c - read any bytes as a Set-Cookie line of the backend, and
 * write a cookie of any bytes: the name and value that pst_cookie_check()
 * allows are read back without a change, and deleted by the line that clears
 * them.
 */
#include "base/buffer.h"
#include "base/limits.h"
#include "base/str.h"
#include "http/cookie.h"
#include "upstream/set_cookie.h"

#define NOW 1750000000
#define LINE_MAX 16384
/* The empty session of the package cookie-session: a deletion. */
#define EMPTY_SESSION PST_STR("eyJ0b2tlbiI6IiJ9")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_parsed(struct pst_str text)
{
    struct set_cookie line;

    if (!set_cookie_parse(text, NOW, &line))
        return;
    PST_REQUIRE(line.name.ptr >= text.ptr &&
                line.name.ptr + line.name.len <= text.ptr + text.len);
    if (pst_str_is_absent(line.value))
        return;
    PST_REQUIRE(line.value.len > 0);
    PST_REQUIRE(line.value.ptr > line.name.ptr);
    PST_REQUIRE(line.value.ptr + line.value.len <= text.ptr + text.len);
    PST_REQUIRE(pst_str_index(line.value, ';') == line.value.len);
}

/* Pieces of the input, one a line; the last bits are switches. */
static struct pst_cookie
make_cookie(struct pst_str input)
{
    struct pst_cookie cookie = {0};
    struct pst_str flags = PST_STR_NONE;
    unsigned bits;

    (void)(pst_str_split(&input, '\n', &cookie.name) &&
           pst_str_split(&input, '\n', &cookie.value) &&
           pst_str_split(&input, '\n', &cookie.path) &&
           pst_str_split(&input, '\n', &cookie.domain) &&
           pst_str_split(&input, '\n', &flags));
    bits = flags.len > 1
               ? (unsigned)((uint8_t)flags.ptr[0] << 8 | (uint8_t)flags.ptr[1])
               : 0;
    cookie.has_max_age = bits & 1;
    cookie.max_age = (int64_t)input.len;
    cookie.has_expires = bits & 2;
    cookie.expires = NOW + (int64_t)(bits >> 7) * 1000000;
    cookie.secure = bits & 4;
    cookie.http_only = bits & 8;
    cookie.partitioned = bits & 16;
    cookie.same_site = (enum pst_same_site)((bits >> 5) & 3);
    if (pst_str_equal(cookie.path, PST_STR("-")))
        cookie.path = PST_STR_NONE;
    if (pst_str_equal(cookie.domain, PST_STR("-")))
        cookie.domain = PST_STR_NONE;
    return cookie;
}

static void
check_line(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++)
        PST_REQUIRE((uint8_t)text.ptr[i] >= ' ' && (uint8_t)text.ptr[i] < 0x7F);
    PST_REQUIRE(pst_cookie_is_same(text, text));
}

static void
check_written(const struct pst_cookie *cookie)
{
    static char storage[2][LINE_MAX];
    struct pst_buf set;
    struct pst_buf clear;
    struct pst_str text;
    struct pst_str cleared;
    struct set_cookie line;
    const char *reason = NULL;
    const enum pst_err e = pst_cookie_check(cookie, &reason);

    PST_REQUIRE((e == PST_OK) == (reason == NULL));
    pst_buf_init(&set, storage[0], sizeof(storage[0]));
    pst_cookie_emit(&set, cookie);
    PST_REQUIRE((pst_buf_finish(&set, &text) == PST_OK) == (e == PST_OK));
    if (e)
        return;
    check_line(text);
    PST_REQUIRE(set_cookie_parse(text, NOW, &line));
    PST_REQUIRE(pst_str_equal(line.name, cookie->name));
    PST_REQUIRE(line.is_http_only == cookie->http_only);
    /* Max-Age counts more than Expires. */
    if (cookie->value.len > 0 &&
        (cookie->has_max_age ? cookie->max_age > 0
                             : !cookie->has_expires || cookie->expires > NOW))
        PST_REQUIRE(pst_str_equal(line.value, cookie->value) ||
                    pst_str_equal(cookie->value, EMPTY_SESSION));
    pst_buf_init(&clear, storage[1], sizeof(storage[1]));
    pst_cookie_emit_clear(&clear, cookie);
    PST_REQUIRE(pst_buf_finish(&clear, &cleared) == PST_OK);
    check_line(cleared);
    PST_REQUIRE(pst_cookie_is_same(text, cleared));
    PST_REQUIRE(set_cookie_parse(cleared, NOW, &line));
    PST_REQUIRE(pst_str_is_absent(line.value));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    const struct pst_cookie cookie = make_cookie(input);

    check_parsed(input);
    check_written(&cookie);
    return 0;
}
