/* SPDX-License-Identifier: ISC */
/*
 * token_tool.c - seal and open tokens on the command line, for tests that
 * exchange tokens with other programs.
 *
 *   token_tool seal|open PURPOSE sealed|signed NOW
 *
 * Reads claims (seal) or a token (open) to the end of standard input; the
 * secrets come from COOKIE_SESSION_SECRET, the audience from
 * POSTERN_AUDIENCE. Exits 1 when the token does not open, 2 when the arguments
 * are wrong.
 */
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/token.h"

#define DEFAULT_AUDIENCE "session"

enum { FAILED = 1, MISUSED = 2 };

static char input[PST_TOKEN_MAX + 2];
static char output[PST_TOKEN_MAX];

static int
report_misuse(const char *reason)
{
    fprintf(stderr, "token_tool: %s\n", reason);
    return MISUSED;
}

static bool
read_purpose(const char *name, enum pst_purpose *out)
{
    for (unsigned i = 0; i < PST_PURPOSE_COUNT; i++)
        if (strcmp(pst_purpose_name((enum pst_purpose)i), name) == 0) {
            *out = (enum pst_purpose)i;
            return true;
        }
    return false;
}

static enum pst_err
seal(const struct pst_token_use *use, int64_t now, struct pst_str claims,
     struct pst_str *out)
{
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_buf buf;
    enum pst_err e = pst_crypto_random(nonce, sizeof(nonce));

    if (e)
        return e;
    pst_buf_init(&buf, output, sizeof(output));
    e = pst_token_seal(use, now, nonce, claims, &buf);
    if (e)
        return e;
    return pst_buf_finish(&buf, out);
}

/* Seal or open the standard input, and print the result. */
static int
convert(const struct pst_token_use *use, struct pst_arena *arena, bool is_seal,
        int64_t now)
{
    struct pst_str in = {input, fread(input, 1, sizeof(input), stdin)};
    struct pst_str out;
    enum pst_err e;

    if (is_seal && in.len == 0)
        return report_misuse(
            "standard input is empty: it must contain the claims");
    e = is_seal ? seal(use, now, in, &out)
                : pst_token_open(use, arena, in, &out, NULL);
    if (e) {
        fprintf(stderr, "token_tool: %s\n", pst_err_code(e));
        return FAILED;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    return fflush(stdout) == 0 ? 0 : FAILED;
}

static int
run_with_keyring(struct pst_token_use *use, bool is_seal, int64_t now)
{
    const char *audience = getenv("POSTERN_AUDIENCE");
    struct pst_keyring *ring = NULL;
    struct pst_arena *arena = NULL;
    const char *reason = "out of memory";
    int status;

    if (pst_keyring_new(&ring, pst_str_from(getenv("COOKIE_SESSION_SECRET")),
                        pst_str_from(audience ? audience : DEFAULT_AUDIENCE),
                        &reason) != PST_OK)
        return report_misuse(reason);
    use->ring = ring;
    if (pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK)
        status = convert(use, arena, is_seal, now);
    else
        status = report_misuse("out of memory");
    pst_arena_free(&arena);
    pst_keyring_free(&ring);
    return status;
}

int
main(int argc, char **argv)
{
    struct pst_token_use use = {.format = PST_TOKEN_SEALED};
    bool is_seal;
    int64_t now;

    if (argc != 5)
        return report_misuse("usage: seal|open PURPOSE sealed|signed NOW");
    is_seal = strcmp(argv[1], "seal") == 0;
    if (!is_seal && strcmp(argv[1], "open") != 0)
        return report_misuse("the first argument must be seal or open");
    if (!read_purpose(argv[2], &use.purpose))
        return report_misuse("unknown PURPOSE");
    if (strcmp(argv[3], "signed") == 0)
        use.format = PST_TOKEN_SIGNED;
    else if (strcmp(argv[3], "sealed") != 0)
        return report_misuse("the format must be sealed or signed");
    if (pst_str_parse_number(pst_str_from(argv[4]), &now) != PST_OK)
        return report_misuse("NOW must be a number of seconds");
    if (pst_crypto_init() != PST_OK)
        return report_misuse("libgcrypt cannot be started");
    return run_with_keyring(&use, is_seal, now);
}
