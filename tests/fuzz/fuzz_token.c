/* SPDX-License-Identifier: ISC */
/*
 * fuzz_token.c - open any bytes as a token (L1, R9, R11): none opens but what
 * was sealed. And seal them as claims: what comes back is what went in.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "crypto/keyring.h"
#include "crypto/token.h"

#define ARENA_SIZE (256 * 1024)
#define NOW 1750000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pst_arena *arena;
static struct pst_keyring *ring;

/* A token is an answer that was known before: nobody can make one. */
static const struct pst_str claims = {"{\"sub\":\"7\"}", 11};

static const struct pst_token_use uses[] = {
    {NULL, PST_PURPOSE_COOKIE, PST_TOKEN_SEALED},
    {NULL, PST_PURPOSE_BEARER, PST_TOKEN_SIGNED},
};

static struct pst_str
seal(const struct pst_token_use *use, struct pst_str text)
{
    static const uint8_t nonce[PST_NONCE_LEN] = {1, 2, 3};
    struct pst_buf buf;
    struct pst_str token;

    pst_buf_init_arena(&buf, arena, 2 * PST_TOKEN_MAX);
    PST_REQUIRE(pst_token_seal(use, NOW, nonce, text, &buf) == PST_OK);
    PST_REQUIRE(pst_buf_finish(&buf, &token) == PST_OK);
    return token;
}

static void
check_open(const struct pst_token_use *use, struct pst_str input)
{
    struct pst_str got;
    const struct pst_str known = seal(use, claims);
    const enum pst_err e = pst_token_open(use, arena, input, &got, NULL);

    PST_REQUIRE(e == (pst_str_equal(input, known) ? PST_OK : PST_FORGED));
}

/* The known token, with a few of its bytes exchanged by the input. */
static void
check_changed(const struct pst_token_use *use, struct pst_str input)
{
    struct pst_str token;
    struct pst_str got;
    bool is_changed = false;
    char *bytes;

    PST_REQUIRE(pst_arena_copy(arena, seal(use, claims), &token) == PST_OK);
    bytes = (char *)(uintptr_t)token.ptr;
    for (size_t i = 0; i + 1 < input.len; i += 2)
        bytes[(uint8_t)input.ptr[i] * token.len / 256] = input.ptr[i + 1];
    is_changed = !pst_str_equal(token, seal(use, claims));
    PST_REQUIRE(pst_token_open(use, arena, token, &got, NULL) ==
                (is_changed ? PST_FORGED : PST_OK));
}

static void
check_sealed(const struct pst_token_use *use, struct pst_str text)
{
    const struct pst_str token = seal(use, text);
    struct pst_str got;
    struct pst_kid kid;

    PST_REQUIRE(pst_token_open(use, arena, token, &got, &kid) == PST_OK);
    PST_REQUIRE(pst_str_equal(got, text));
    PST_REQUIRE(kid.day == NOW / 86400);
}

/* The secure memory of libgcrypt is not searched for leaks. */
static void
free_ring(void)
{
    pst_keyring_free(&ring);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    const char *reason;

    if (!ring) {
        PST_REQUIRE(pst_crypto_init() == PST_OK);
        PST_REQUIRE(pst_arena_new(&arena, ARENA_SIZE) == PST_OK);
        PST_REQUIRE(
            pst_keyring_new(
                &ring,
                PST_STR("hex:8d3f5a6b7c9e0f1122334455667788996f1e2d3c4b5a69788"
                        "796a5b4c3d2e1f0"),
                PST_STR("fuzz"), &reason) == PST_OK);
        PST_REQUIRE(atexit(free_ring) == 0);
    }
    for (size_t i = 0; i < PST_COUNT(uses); i++) {
        struct pst_token_use use = uses[i];

        use.ring = ring;
        check_open(&use, input);
        check_changed(&use, input);
        if (input.len > 0 && input.len <= PST_CLAIMS_MAX)
            check_sealed(&use, input);
        pst_arena_reset(arena);
    }
    return 0;
}
