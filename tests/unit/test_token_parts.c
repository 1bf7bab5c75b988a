/* SPDX-License-Identifier: ISC */
/*
 * test_token_parts.c - only the header that we write is read.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "codec/base64url.h"
#include "crypto/token_parts.h"

#define KID "abcdEF-_.20000"

static struct pst_arena *arena;

static const struct {
    const char *json;
    enum pst_err sealed; /* as the header of a sealed token */
    enum pst_err as_signed;
} headers[] = {
    {"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"" KID "\"}", PST_OK,
     PST_FORGED},
    {"{\"alg\":\"HS256\",\"kid\":\"" KID "\",\"typ\":\"JWT\"}", PST_FORGED,
     PST_OK},
    {"{\"alg\":\"none\",\"kid\":\"" KID "\",\"typ\":\"JWT\"}", PST_FORGED,
     PST_FORGED},
    {"{\"alg\":\"dir\",\"enc\":\"A128GCM\",\"kid\":\"" KID "\"}", PST_FORGED,
     PST_FORGED},
    {"{\"alg\":\"dir\", \"enc\":\"A256GCM\",\"kid\":\"" KID "\"}", PST_FORGED,
     PST_FORGED},
    {"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"abcdEF-_.020000\"}",
     PST_FORGED, PST_FORGED},
    {"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"\"}", PST_FORGED,
     PST_FORGED},
    {"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"}", PST_FORGED,
     PST_FORGED},
    {"", PST_FORGED, PST_FORGED},
};

static struct pst_str
encode(char *storage, size_t size, struct pst_str text)
{
    struct pst_buf buf;

    pst_buf_init(&buf, storage, size);
    pst_base64url_encode(&buf, pst_str_bytes(text));
    return pst_buf_str(&buf);
}

static void
check(enum pst_token_format format, struct pst_str encoded, enum pst_err want)
{
    struct pst_kid kid = {.day = -1};
    char storage[100];
    struct pst_buf buf;

    assert_int_equal(token_parse_header(format, arena, encoded, &kid), want);
    if (want) {
        assert_int_equal(kid.day, -1);
        return;
    }
    assert_memory_equal(kid.id, KID, sizeof(kid.id));
    assert_int_equal(kid.day, 20000);
    pst_buf_init(&buf, storage, sizeof(storage));
    token_emit_header(&buf, format, &kid);
    assert_true(pst_str_equal(pst_buf_str(&buf), encoded));
}

static void
test_headers(void **state)
{
    char storage[200];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(headers); i++) {
        struct pst_str encoded =
            encode(storage, sizeof(storage), pst_str_from(headers[i].json));

        check(PST_TOKEN_SEALED, encoded, headers[i].sealed);
        check(PST_TOKEN_SIGNED, encoded, headers[i].as_signed);
    }
}

/* What base64url_decode() calls malformed is a forged token. */
static void
test_decode(void **state)
{
    struct pst_bytes out;

    (void)state;
    assert_int_equal(token_decode_part(arena, PST_STR("YWJj"), &out), PST_OK);
    assert_memory_equal(out.ptr, "abc", 3);
    assert_int_equal(token_decode_part(arena, PST_STR("YWJ="), &out),
                     PST_FORGED);
    assert_int_equal(token_decode_part(arena, PST_STR("Y"), &out), PST_FORGED);
}

static int
start(void **state)
{
    (void)state;
    return pst_arena_new(&arena, 65536) == PST_OK ? 0 : -1;
}

static int
stop(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_decode),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
