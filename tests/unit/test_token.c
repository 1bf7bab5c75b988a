/* SPDX-License-Identifier: ISC */
/*
 * test_token.c - a sealed token opens, and nothing else does (R9 to R11, R13,
 * R36, L1, L27).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "codec/base64url.h"
#include "crypto/crypto.h"
#include "crypto/token.h"
#include "vectors.h"

#define SECRET "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
#define SECRET_2 "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"
#define AUDIENCE "__Host-session"
#define NOW INT64_C(1728012345) /* in day 20000 */
#define KID "JH9cHH0K.20000"    /* id of SECRET at AUDIENCE, and that day */

#define CLAIMS "{\"hello\":\"world\"}"

static const uint8_t nonce[PST_NONCE_LEN] = {0, 1, 2, 3, 4,  5,
                                             6, 7, 8, 9, 10, 11};

/* The examples of postern-token(5). Another program made them. */
static const char sealed_example[] =
    "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiSkg5Y0hIMEsuMjAwMDAifQ."
    ".AAECAwQFBgcICQoL.tTLNvTfzqm_fgEk0vXK1chU.KNwsjoYxTfAZ6mOhln0zUw";
static const char signed_example[] =
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IkpIOWNISDBLLjIwMDAwIiwidHlwIjoiSldUIn0."
    "eyJoZWxsbyI6IndvcmxkIn0.Ve8LmrBQoWasKqtO9UOOhMoC1SCiRqrxcnhj4t6RdzA";

static struct pst_arena *arena;
static struct pst_keyring *ring;

static struct pst_token_use
use_of(enum pst_purpose purpose, enum pst_token_format format)
{
    return (struct pst_token_use){ring, purpose, format};
}

static struct pst_keyring *
ring_for(const char *secrets, const char *audience)
{
    struct pst_keyring *made = NULL;
    const char *reason = "";

    if (pst_keyring_new(&made, pst_str_from(secrets), pst_str_from(audience),
                        &reason) != PST_OK)
        fail_msg("no ring: %s", reason);
    return made;
}

static struct pst_str
seal(const struct pst_token_use *use, struct pst_str claims)
{
    static char storage[PST_TOKEN_MAX];
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    if (pst_token_seal(use, NOW, nonce, claims, &buf) != PST_OK)
        fail_msg("%zu bytes of claims are not sealed", claims.len);
    return pst_buf_str(&buf);
}

/* Open a token. The outputs must be set on success only. */
static enum pst_err
open_token(const struct pst_token_use *use, struct pst_str token)
{
    static const struct pst_kid no_kid = {"????????", -7};
    struct pst_str claims = PST_STR("untouched");
    struct pst_kid kid = no_kid;
    enum pst_err e;

    pst_arena_reset(arena);
    e = pst_token_open(use, arena, token, &claims, &kid);
    if (e) {
        assert_true(pst_str_equal(claims, PST_STR("untouched")));
        assert_memory_equal(kid.id, no_kid.id, sizeof(kid.id));
        assert_int_equal(kid.day, no_kid.day);
    } else {
        assert_memory_equal(kid.id, KID, sizeof(kid.id));
    }
    return e;
}

static void
check_refused(const char *name, const struct pst_token_use *use,
              struct pst_str token)
{
    enum pst_err e = open_token(use, token);

    if (e != PST_FORGED)
        fail_msg("%s: %s for %.*s", name, pst_err_code(e), (int)token.len,
                 token.ptr ? token.ptr : "");
}

static void
test_examples(void **state)
{
    const struct pst_token_use sealed =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SEALED);
    const struct pst_token_use checked =
        use_of(PST_PURPOSE_BEARER, PST_TOKEN_SIGNED);

    (void)state;
    assert_true(pst_str_equal(seal(&sealed, PST_STR(CLAIMS)),
                              pst_str_from(sealed_example)));
    assert_true(pst_str_equal(seal(&checked, PST_STR(CLAIMS)),
                              pst_str_from(signed_example)));
}

static void
round_trip(const struct pst_token_use *use, struct pst_str claims)
{
    struct pst_str token = seal(use, claims);
    struct pst_str opened;
    struct pst_kid kid;

    pst_arena_reset(arena);
    if (pst_token_open(use, arena, token, &opened, &kid) != PST_OK ||
        !pst_str_equal(opened, claims))
        fail_msg("%zu bytes do not come back", claims.len);
    assert_int_equal(kid.day, NOW / 86400);
    assert_memory_equal(kid.id, KID, sizeof(kid.id));
    /* R36: a token has only cookie-octets (RFC 6265), for all claims. */
    for (size_t i = 0; i < token.len; i++)
        assert_true(pst_is_alpha(token.ptr[i]) || pst_is_digit(token.ptr[i]) ||
                    memchr("-_.", token.ptr[i], 3));
}

static void
test_round_trips(void **state)
{
    static char claims[PST_CLAIMS_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(claims); i++)
        claims[i] = (char)(i * 7 + i / 256); /* every byte, also NUL */
    for (enum pst_token_format f = PST_TOKEN_SEALED; f <= PST_TOKEN_SIGNED;
         f++) {
        const struct pst_token_use use = use_of(PST_PURPOSE_BEARER, f);

        for (size_t len = 1; len <= 200; len++)
            round_trip(&use, (struct pst_str){claims, len});
        for (size_t len = 201; len < PST_CLAIMS_MAX; len += 61)
            round_trip(&use, (struct pst_str){claims, len});
        for (size_t len = PST_CLAIMS_MAX - 5; len <= PST_CLAIMS_MAX; len++)
            round_trip(&use, (struct pst_str){claims, len});
    }
}

static void
test_claims_too_large(void **state)
{
    static char claims[PST_CLAIMS_MAX + 1];
    static char storage[2 * PST_TOKEN_MAX];

    (void)state;
    for (enum pst_token_format f = PST_TOKEN_SEALED; f <= PST_TOKEN_SIGNED;
         f++) {
        const struct pst_token_use use = use_of(PST_PURPOSE_COOKIE, f);
        struct pst_buf buf;
        struct pst_str text;

        pst_buf_init(&buf, storage, sizeof(storage));
        assert_int_equal(
            pst_token_seal(&use, NOW, nonce,
                           (struct pst_str){claims, sizeof(claims)}, &buf),
            PST_TOO_LARGE);
        assert_int_equal(pst_buf_finish(&buf, &text), PST_TOO_LARGE);
    }
}

/* A buffer that is too small has an error, and no part of a token. */
static void
test_small_builders(void **state)
{
    static char storage[PST_TOKEN_MAX];

    (void)state;
    for (enum pst_token_format f = PST_TOKEN_SEALED; f <= PST_TOKEN_SIGNED;
         f++) {
        const struct pst_token_use use = use_of(PST_PURPOSE_COOKIE, f);
        const size_t need = seal(&use, PST_STR(CLAIMS)).len;

        for (size_t size = 0; size <= need + 1; size++) {
            struct pst_buf buf;
            enum pst_err e;

            memset(storage, 0x55, sizeof(storage));
            pst_buf_init(&buf, storage, size);
            e = pst_token_seal(&use, NOW, nonce, PST_STR(CLAIMS), &buf);
            if (e != (size < need ? PST_TOO_LARGE : PST_OK))
                fail_msg("%zu of %zu bytes: %s", size, need, pst_err_code(e));
            assert_int_equal(storage[size], 0x55);
        }
    }
}

/* What was in the buffer before stays, and is not part of the token. */
static void
test_after_other_text(void **state)
{
    static const struct {
        enum pst_purpose purpose;
        enum pst_token_format format;
        const char *want;
    } rows[] = {
        {PST_PURPOSE_COOKIE, PST_TOKEN_SEALED, sealed_example},
        {PST_PURPOSE_BEARER, PST_TOKEN_SIGNED, signed_example},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_token_use use =
            use_of(rows[i].purpose, rows[i].format);
        struct pst_buf buf;
        struct pst_str text;

        pst_arena_reset(arena);
        pst_buf_init_arena(&buf, arena, 4096); /* it is moved when it grows */
        pst_buf_add_string(&buf, "session=");
        assert_int_equal(
            pst_token_seal(&use, NOW, nonce, PST_STR(CLAIMS), &buf), PST_OK);
        assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
        assert_true(pst_str_starts(text, PST_STR("session=")));
        if (!pst_str_equal(pst_str_skip(text, 8), pst_str_from(rows[i].want)))
            fail_msg("row %zu: another token", i);
    }
}

/* The bytes to which a place of a token is changed. */
static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    "\0 \t\r\n\v.=+/%\",;\\{}\x7F\x80\xC2\xFF";
#define ALPHABET_LEN (sizeof(alphabet) - 1)

/*
 * Each single byte changed, removed and inserted, and each truncation, of one
 * token (issue: "every single-byte change, every truncation").
 */
static void
change_everywhere(const struct pst_token_use *use, const char *token)
{
    const size_t len = strlen(token);
    char bad[512];
    size_t tried = 0;

    assert_in_range(len, 1, sizeof(bad) - 1);
    assert_int_equal(open_token(use, (struct pst_str){token, len}), PST_OK);
    for (size_t at = 0; at < len; at++) {
        memcpy(bad, token, len);
        for (size_t i = 0; i < ALPHABET_LEN; i++) {
            bad[at] = alphabet[i];
            if (bad[at] == token[at])
                continue;
            check_refused("changed", use, (struct pst_str){bad, len});
            tried++;
        }
        memmove(bad + at, token + at + 1, len - at - 1);
        check_refused("taken out", use, (struct pst_str){bad, len - 1});
        check_refused("cut off", use, (struct pst_str){token, at});
        check_refused("begun late", use,
                      (struct pst_str){token + at + 1, len - at - 1});
    }
    for (size_t at = 0; at <= len; at++) {
        memcpy(bad, token, at);
        memcpy(bad + at + 1, token + at, len - at);
        for (size_t i = 0; i < ALPHABET_LEN; i++) {
            bad[at] = alphabet[i];
            check_refused("put in", use, (struct pst_str){bad, len + 1});
        }
    }
    assert_int_equal(tried, len * (ALPHABET_LEN - 1));
}

static void
test_every_byte_counts(void **state)
{
    const struct pst_token_use sealed =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SEALED);
    const struct pst_token_use checked =
        use_of(PST_PURPOSE_BEARER, PST_TOKEN_SIGNED);

    (void)state;
    change_everywhere(&sealed, sealed_example);
    change_everywhere(&checked, signed_example);
}

/* Parts of two valid tokens, combined at every dot, do not open. */
static void
test_spliced(void **state)
{
    static const uint8_t other_nonce[PST_NONCE_LEN] = {9};

    (void)state;
    for (enum pst_token_format f = PST_TOKEN_SEALED; f <= PST_TOKEN_SIGNED;
         f++) {
        const struct pst_token_use use = use_of(PST_PURPOSE_COOKIE, f);
        const char *one;
        char storage[2][512];
        char glued[512];
        struct pst_str texts[2];
        struct pst_buf buf;

        for (size_t i = 0; i < 2; i++) {
            pst_buf_init(&buf, storage[i], sizeof(storage[i]));
            assert_int_equal(pst_token_seal(&use, NOW, i ? other_nonce : nonce,
                                            i ? PST_STR("{\"hello\":\"there\"}")
                                              : PST_STR(CLAIMS),
                                            &buf),
                             PST_OK);
            texts[i] = pst_buf_str(&buf);
        }
        assert_int_equal(texts[0].len, texts[1].len);
        one = strchr(texts[0].ptr, '.') + 1; /* their headers are equal */
        for (size_t at = (size_t)(one - texts[0].ptr); at < texts[0].len;
             at++) {
            if (texts[0].ptr[at] != '.' || at + 1 == texts[0].len ||
                texts[0].ptr[at - 1] == '.')
                continue;
            memcpy(glued, texts[0].ptr, at);
            memcpy(glued + at, texts[1].ptr + at, texts[1].len - at);
            check_refused("spliced", &use,
                          (struct pst_str){glued, texts[0].len});
        }
    }
}

/* White space, padding and dots around a token and in it. */
static void
test_shapes(void **state)
{
    static const struct {
        const char *name;
        const char *before;
        const char *after;
    } rows[] = {
        {"a space before", " ", ""},    {"a space after", "", " "},
        {"a line end", "", "\n"},       {"CR LF", "", "\r\n"},
        {"padding", "", "="},           {"more padding", "", "=="},
        {"a dot after", "", "."},       {"a dot before", ".", ""},
        {"two dots after", "", ".."},   {"a part after", "", ".AAAA"},
        {"a part before", "AAAA.", ""}, {"quoted", "\"", "\""},
        {"its scheme", "Bearer ", ""},  {"a comma", "", ","},
        {"percent", "", "%3D"},         {"four dots", "....", ""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        for (enum pst_token_format f = PST_TOKEN_SEALED; f <= PST_TOKEN_SIGNED;
             f++) {
            const struct pst_token_use use = use_of(PST_PURPOSE_COOKIE, f);
            char storage[1024];
            struct pst_buf buf;

            pst_buf_init(&buf, storage, sizeof(storage));
            pst_buf_add_string(&buf, rows[i].before);
            assert_int_equal(
                pst_token_seal(&use, NOW, nonce, PST_STR(CLAIMS), &buf),
                PST_OK);
            pst_buf_add_string(&buf, rows[i].after);
            check_refused(rows[i].name, &use, pst_buf_str(&buf));
        }
}

static void
test_lengths(void **state)
{
    static char dots[PST_TOKEN_MAX + 4];

    (void)state;
    memset(dots, 'A', sizeof(dots));
    for (enum pst_token_format f = PST_TOKEN_SEALED; f <= PST_TOKEN_SIGNED;
         f++) {
        const struct pst_token_use use = use_of(PST_PURPOSE_COOKIE, f);

        check_refused("absent", &use, PST_STR_NONE);
        check_refused("empty", &use, PST_STR(""));
        check_refused("two dots", &use, PST_STR(".."));
        check_refused("four dots", &use, PST_STR("...."));
        check_refused("the longest", &use,
                      (struct pst_str){dots, PST_TOKEN_MAX});
        check_refused("one too long", &use,
                      (struct pst_str){dots, PST_TOKEN_MAX + 1});
    }
}

/* The parts of a token, from which anyone who has the key could build one. */
struct recipe {
    const struct pst_token_use *key_of; /* the kid of the key */
    struct pst_str header;              /* decoded */
    struct pst_str encrypted_key;       /* not encoded further */
    struct pst_str claims;
    bool is_signed;
};

/* Build a token with the right key and any header. */
static struct pst_str
cook(const struct recipe *recipe)
{
    static char storage[2 * PST_TOKEN_MAX];
    static uint8_t sealed[PST_TOKEN_MAX];
    const struct pst_kid kid = pst_keyring_kid(recipe->key_of->ring, NOW);
    struct pst_key key;
    uint8_t tag[PST_HASH_LEN];
    size_t tag_len = recipe->is_signed ? PST_HASH_LEN : PST_TAG_LEN;
    struct pst_buf buf;
    enum pst_err e;

    assert_int_equal(
        pst_keyring_key(recipe->key_of->ring, &kid,
                        recipe->is_signed ? PST_HS256 : PST_A256GCM,
                        recipe->key_of->purpose, &key),
        PST_OK);
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_base64url_encode(&buf, pst_str_bytes(recipe->header));
    if (recipe->is_signed) {
        pst_buf_add_char(&buf, '.');
        pst_base64url_encode(&buf, pst_str_bytes(recipe->claims));
        e = pst_crypto_hmac((struct pst_bytes){key.bytes, sizeof(key.bytes)},
                            pst_str_bytes(pst_buf_str(&buf)), tag);
    } else {
        e = pst_crypto_seal(key.bytes, nonce, pst_str_bytes(pst_buf_str(&buf)),
                            pst_str_bytes(recipe->claims), sealed, tag);
        pst_buf_add_char(&buf, '.');
        pst_buf_add(&buf, recipe->encrypted_key);
        pst_buf_add_char(&buf, '.');
        pst_base64url_encode(&buf, (struct pst_bytes){nonce, sizeof(nonce)});
        pst_buf_add_char(&buf, '.');
        pst_base64url_encode(&buf,
                             (struct pst_bytes){sealed, recipe->claims.len});
    }
    assert_int_equal(e, PST_OK);
    pst_buf_add_char(&buf, '.');
    pst_base64url_encode(&buf, (struct pst_bytes){tag, tag_len});
    return pst_buf_str(&buf);
}

/* Members of the headers below. */
#define ALG(alg) "\"alg\":\"" alg "\""
#define ENC(enc) "\"enc\":\"" enc "\""
#define KEY(kid) "\"kid\":\"" kid "\""
#define TYP(typ) "\"typ\":\"" typ "\""

struct header_row {
    const char *name;
    struct pst_str header;
    enum pst_err want;
};

#define ROW(name, text, want)                   \
    {                                           \
        name, {"" text, sizeof(text) - 1}, want \
    }

static void
check_headers(const struct pst_token_use *use, const struct header_row *rows,
              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct recipe recipe = {use, rows[i].header, PST_STR(""),
                                      PST_STR(CLAIMS),
                                      use->format == PST_TOKEN_SIGNED};
        enum pst_err e = open_token(use, cook(&recipe));

        if (e != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
    }
}

/* R10, R11: the key and the tag are right, but the header is wrong. */
static void
test_sealed_headers(void **state)
{
#define OURS ALG("dir") "," ENC("A256GCM") "," KEY(KID)
#define BAD(name, text) ROW(name, text, PST_FORGED)
    static const struct header_row rows[] = {
        ROW("ours", "{" OURS "}", PST_OK),
        BAD("alg none", "{" ALG("none") "," ENC("A256GCM") "," KEY(KID) "}"),
        BAD("alg A256KW",
            "{" ALG("A256KW") "," ENC("A256GCM") "," KEY(KID) "}"),
        BAD("alg DIR", "{" ALG("DIR") "," ENC("A256GCM") "," KEY(KID) "}"),
        BAD("A128GCM", "{" ALG("dir") "," ENC("A128GCM") "," KEY(KID) "}"),
        BAD("CBC", "{" ALG("dir") "," ENC("A128CBC-HS256") "," KEY(KID) "}"),
        BAD("no alg", "{" ENC("A256GCM") "," KEY(KID) "}"),
        BAD("no enc", "{" ALG("dir") "," KEY(KID) "}"),
        BAD("no kid", "{" ALG("dir") "," ENC("A256GCM") "}"),
        BAD("an empty object", "{}"),
        BAD("nothing", ""),
        BAD("zip", "{" OURS ",\"zip\":\"DEF\"}"),
        BAD("zip first", "{\"zip\":\"DEF\"," OURS "}"),
        BAD("crit", "{" OURS ",\"crit\":[\"x\"]}"),
        BAD("jwk", "{" OURS ",\"jwk\":{\"kty\":\"oct\"}}"),
        BAD("typ", "{" OURS "," TYP("JWT") "}"),
        BAD("kid twice", "{" OURS "," KEY(KID) "}"),
        BAD("alg twice", "{" ALG("dir") "," OURS "}"),
        BAD("enc first", "{" ENC("A256GCM") "," ALG("dir") "," KEY(KID) "}"),
        BAD("kid first", "{" KEY(KID) "," ALG("dir") "," ENC("A256GCM") "}"),
        BAD("a space in it",
            "{" ALG("dir") ", " ENC("A256GCM") "," KEY(KID) "}"),
        BAD("a space after it", "{" OURS "} "),
        BAD("a line end before it", "\n{" OURS "}"),
        BAD("a NUL after it", "{" OURS "}\0"),
        BAD("an escape",
            "{" ALG("\\u0064ir") "," ENC("A256GCM") "," KEY(KID) "}"),
        BAD("empty kid", "{" ALG("dir") "," ENC("A256GCM") "," KEY("") "}"),
        BAD("day with a zero",
            "{" ALG("dir") "," ENC("A256GCM") "," KEY("JH9cHH0K.020000") "}"),
        BAD("another day",
            "{" ALG("dir") "," ENC("A256GCM") "," KEY("JH9cHH0K.20001") "}"),
        BAD("another id",
            "{" ALG("dir") "," ENC("A256GCM") "," KEY("JH9cHH0L.20000") "}"),
        BAD("a longer id",
            "{" ALG("dir") "," ENC("A256GCM") "," KEY("JH9cHH0KA.2000") "}"),
        BAD("its ends overlap",
            "{" ALG("dir") "," ENC("A256GCM") ",\"kid\":\"}"),
        BAD("a long one", "{" OURS ",\"x\":\"0123456789012345678901234567\"}"),
        BAD("the signed form's",
            "{" ALG("HS256") "," KEY(KID) "," TYP("JWT") "}"),
    };
    const struct pst_token_use use =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SEALED);

    (void)state;
    check_headers(&use, rows, PST_COUNT(rows));
#undef OURS
}

static void
test_signed_headers(void **state)
{
#define OURS ALG("HS256") "," KEY(KID) "," TYP("JWT")
    static const struct header_row rows[] = {
        ROW("ours", "{" OURS "}", PST_OK),
        BAD("alg none", "{" ALG("none") "," KEY(KID) "," TYP("JWT") "}"),
        BAD("alg HS512", "{" ALG("HS512") "," KEY(KID) "," TYP("JWT") "}"),
        BAD("alg RS256", "{" ALG("RS256") "," KEY(KID) "," TYP("JWT") "}"),
        BAD("no typ", "{" ALG("HS256") "," KEY(KID) "}"),
        BAD("typ jwt", "{" ALG("HS256") "," KEY(KID) "," TYP("jwt") "}"),
        BAD("typ first", "{" TYP("JWT") "," ALG("HS256") "," KEY(KID) "}"),
        BAD("b64", "{" OURS ",\"b64\":false,\"crit\":[\"b64\"]}"),
        BAD("jku", "{" ALG("HS256") ",\"jku\":\"http://x\"," KEY(KID) "}"),
        BAD("a space in it", "{" OURS " }"),
        BAD("another day",
            "{" ALG("HS256") "," KEY("JH9cHH0K.1") "," TYP("JWT") "}"),
        BAD("the sealed form's",
            "{" ALG("dir") "," ENC("A256GCM") "," KEY(KID) "}"),
    };
    const struct pst_token_use use =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SIGNED);

    (void)state;
    check_headers(&use, rows, PST_COUNT(rows));
#undef OURS
#undef BAD
#undef ROW
}

#define SEALED_HEADER "{" ALG("dir") "," ENC("A256GCM") "," KEY(KID) "}"
#define SIGNED_HEADER "{" ALG("HS256") "," KEY(KID) "," TYP("JWT") "}"

/* One part is wrong: an encrypted key, no claims, or too many. */
static void
test_cooked(void **state)
{
    static char many[PST_CLAIMS_MAX + 1];
    const struct pst_token_use sealed =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SEALED);
    const struct pst_token_use checked =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SIGNED);
    const struct pst_str all = {many, sizeof(many)};
    const struct recipe rows[] = {
        {&sealed, PST_STR(SEALED_HEADER), PST_STR("AA"), PST_STR(CLAIMS), 0},
        {&sealed, PST_STR(SEALED_HEADER), PST_STR(""), PST_STR(""), 0},
        {&sealed, PST_STR(SEALED_HEADER), PST_STR(""), all, 0},
        {&checked, PST_STR(SIGNED_HEADER), PST_STR(""), PST_STR(""), 1},
        {&checked, PST_STR(SIGNED_HEADER), PST_STR(""), all, 1},
        /* A complete token of the other format, with the right key for it. */
        {&sealed, PST_STR(SIGNED_HEADER), PST_STR(""), PST_STR(CLAIMS), 1},
        {&checked, PST_STR(SEALED_HEADER), PST_STR(""), PST_STR(CLAIMS), 0},
    };

    (void)state;
    memset(many, 'x', sizeof(many));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str token = cook(&rows[i]);
        enum pst_err e = open_token(rows[i].key_of, token);

        if (e != PST_FORGED)
            fail_msg("row %zu: %s", i, pst_err_code(e));
    }
}

/* An IV or a tag of another length, and spellings that are not canonical. */
static void
test_part_lengths(void **state)
{
#define IV "AAECAwQFBgcICQoL"
#define TEXT "tTLNvTfzqm_fgEk0vXK1chU"
#define TAG "KNwsjoYxTfAZ6mOhln0zUw"
    static const struct {
        const char *name;
        const char *after_header;
    } rows[] = {
        {"no iv", "..." TEXT "." TAG},
        {"iv of 11", "..AAECAwQFBgcICQo." TEXT "." TAG},
        {"iv of 13", ".." IV "AA." TEXT "." TAG},
        {"iv of 16", ".." IV "AAAAAA." TEXT "." TAG},
        {"no text", ".." IV ".." TAG},
        {"no tag", ".." IV "." TEXT "."},
        {"tag of 12", ".." IV "." TEXT ".KNwsjoYxTfAZ6mOh"},
        {"tag of 15", ".." IV "." TEXT ".KNwsjoYxTfAZ6mOhln0z"},
        {"tag of 17", ".." IV "." TEXT "." TAG "A"},
        {"a bit left over in the tag",
         ".." IV "." TEXT ".KNwsjoYxTfAZ6mOhln0zUx"},
        {"a bit left over in the text",
         ".." IV ".tTLNvTfzqm_fgEk0vXK1chV." TAG},
        {"standard alphabet", ".." IV ".tTLNvTfzqm/fgEk0vXK1chU." TAG},
        {"padded text", ".." IV "." TEXT "=." TAG},
        {"padded tag", ".." IV "." TEXT "." TAG "=="},
    };
#undef IV
#undef TEXT
#undef TAG
    const struct pst_token_use use =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SEALED);
    const size_t header_len =
        (size_t)(strchr(sealed_example, '.') - sealed_example);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char storage[512];
        struct pst_buf buf;

        pst_buf_init(&buf, storage, sizeof(storage));
        pst_buf_add(&buf, (struct pst_str){sealed_example, header_len});
        pst_buf_add_string(&buf, rows[i].after_header);
        check_refused(rows[i].name, &use, pst_buf_str(&buf));
    }
}

/* R13: purposes, formats, audiences and secrets cannot be exchanged. */
static void
test_swapped(void **state)
{
    struct pst_keyring *other_audience = ring_for(SECRET, "__Host-sessiom");
    struct pst_keyring *other_secret = ring_for(SECRET_2, AUDIENCE);
    struct pst_keyring *rotated = ring_for(SECRET_2 " " SECRET, AUDIENCE);
    unsigned opened = 0;

    (void)state;
    for (unsigned made = 0; made < 2 * PST_PURPOSE_COUNT; made++) {
        const struct pst_token_use maker = use_of(
            (enum pst_purpose)(made / 2), (enum pst_token_format)(made % 2));
        struct pst_str token = seal(&maker, PST_STR(CLAIMS));
        struct pst_token_use stranger = maker;

        for (unsigned as = 0; as < 2 * PST_PURPOSE_COUNT; as++) {
            const struct pst_token_use opener = use_of(
                (enum pst_purpose)(as / 2), (enum pst_token_format)(as % 2));
            enum pst_err e = open_token(&opener, token);

            if (e != (as == made ? PST_OK : PST_FORGED))
                fail_msg("made as %u, opened as %u: %s", made, as,
                         pst_err_code(e));
            opened += e == PST_OK;
        }
        stranger.ring = other_audience;
        check_refused("another audience", &stranger, token);
        stranger.ring = other_secret;
        check_refused("another secret", &stranger, token);
        stranger.ring = rotated;
        if (open_token(&stranger, token) != PST_OK)
            fail_msg("made as %u: the old secret does not open it", made);
    }
    assert_int_equal(opened, 2 * PST_PURPOSE_COUNT);
    pst_keyring_free(&other_audience);
    pst_keyring_free(&other_secret);
    pst_keyring_free(&rotated);
}

/* The day chooses the key; a token opens on any later day. */
static void
test_days(void **state)
{
    const struct pst_token_use use =
        use_of(PST_PURPOSE_COOKIE, PST_TOKEN_SEALED);
    static const int64_t times[] = {0, 86400, NOW,
                                    INT64_C(9999999) * 86400 + 86399};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(times); i++) {
        char storage[512];
        struct pst_buf buf;
        struct pst_str claims;
        struct pst_kid kid;

        pst_buf_init(&buf, storage, sizeof(storage));
        assert_int_equal(
            pst_token_seal(&use, times[i], nonce, PST_STR(CLAIMS), &buf),
            PST_OK);
        pst_arena_reset(arena);
        if (pst_token_open(&use, arena, pst_buf_str(&buf), &claims, &kid) !=
            PST_OK)
            fail_msg("row %zu does not open", i);
        assert_int_equal(kid.day, times[i] / 86400);
    }
}

/* When memory runs out while opening, there are no claims. */
static void
test_no_memory(void **state)
{
    static const char *const tokens[] = {sealed_example, signed_example};

    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        const struct pst_token_use use =
            use_of(f ? PST_PURPOSE_BEARER : PST_PURPOSE_COOKIE,
                   (enum pst_token_format)f);
        enum pst_err e = PST_NO_MEMORY;
        size_t n = 0;

        while (e == PST_NO_MEMORY) {
            struct pst_str claims = PST_STR_NONE;

            pst_arena_reset(arena);
            pst_arena_fail_at(arena, ++n);
            e = pst_token_open(&use, arena, pst_str_from(tokens[f]), &claims,
                               NULL);
            assert_int_equal(pst_str_is_absent(claims), e != PST_OK);
        }
        assert_int_equal(e, PST_OK);
        assert_in_range(n, 3, 8);
        pst_arena_reset(arena);
    }
}

static void
test_jwk(void **state)
{
    static const struct {
        enum pst_purpose purpose;
        enum pst_token_format format;
        const char *token;
        const char *want; /* NULL: refused */
    } rows[] = {
        {PST_PURPOSE_COOKIE, PST_TOKEN_SEALED, sealed_example,
         "{\"kty\":\"oct\",\"alg\":\"A256GCM\",\"kid\":\"" KID "\","
         "\"k\":\"S05eQKg1mUAQN1gG6-crF195vI1cJV4ZkMmdMPfRA8Y\"}"},
        {PST_PURPOSE_BEARER, PST_TOKEN_SIGNED, signed_example,
         "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"" KID "\","
         "\"k\":\"hy3qKaz9rTLV7M43sb3T93NtuSxk9mlZyQagzmnr-yE\"}"},
        {PST_PURPOSE_COOKIE, PST_TOKEN_SIGNED, sealed_example, NULL},
        {PST_PURPOSE_COOKIE, PST_TOKEN_SEALED, signed_example, NULL},
        {PST_PURPOSE_COOKIE, PST_TOKEN_SEALED, "a.b.c.d.e", NULL},
        {PST_PURPOSE_COOKIE, PST_TOKEN_SEALED, "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_token_use use =
            use_of(rows[i].purpose, rows[i].format);
        char storage[256];
        struct pst_buf buf;
        enum pst_err e;

        pst_arena_reset(arena);
        pst_buf_init(&buf, storage, sizeof(storage));
        e = pst_token_jwk(&use, arena, pst_str_from(rows[i].token), &buf);
        if (e != (rows[i].want ? PST_OK : PST_FORGED))
            fail_msg("row %zu: %s", i, pst_err_code(e));
        if (!pst_str_equal(pst_buf_str(&buf),
                           pst_str_from(rows[i].want ? rows[i].want : "")))
            fail_msg("row %zu: %.*s", i, (int)buf.len, buf.ptr);
    }
}

static struct pst_bytes
unbase64(const char *text)
{
    struct pst_bytes bytes = {NULL, 0};

    if (pst_base64url_decode(arena, pst_str_from(text), &bytes) != PST_OK)
        fail_msg("not base64url: %s", text);
    return bytes;
}

/* RFC 7515 appendix A.1: HS256 over the input of the RFC. */
static void
test_rfc7515_a1(void **state)
{
    static const char input[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    uint8_t mac[PST_HASH_LEN];

    (void)state;
    pst_arena_reset(arena);
    assert_int_equal(
        pst_crypto_hmac(unbase64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
                                 "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"),
                        pst_str_bytes(pst_str_from(input)), mac),
        PST_OK);
    assert_true(pst_crypto_equal(
        (struct pst_bytes){mac, sizeof(mac)},
        unbase64("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
}

/* RFC 7515 appendix C: base64url without padding. */
static void
test_rfc7515_c(void **state)
{
    static const uint8_t bytes[] = {3, 236, 255, 224, 193};
    char storage[8];
    struct pst_buf buf;

    (void)state;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_base64url_encode(&buf, (struct pst_bytes){bytes, sizeof(bytes)});
    assert_true(pst_str_equal(pst_buf_str(&buf), PST_STR("A-z_4ME")));
}

/* RFC 7516 appendix A.1: the content encryption is A256GCM. */
static void
test_rfc7516_a1(void **state)
{
    static const uint8_t cek[PST_KEY_LEN] = {
        177, 161, 244, 128, 84,  143, 225, 115, 63, 180, 3,
        255, 107, 154, 212, 246, 138, 7,   110, 91, 112, 46,
        34,  105, 47,  130, 203, 46,  122, 234, 64, 252};
    struct pst_bytes sealed;
    uint8_t plain[64] = {0};

    (void)state;
    pst_arena_reset(arena);
    sealed = unbase64("5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_"
                      "EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A");
    assert_in_range(sealed.len, 1, sizeof(plain));
    assert_int_equal(
        pst_crypto_open(cek, unbase64("48V1_ALb6US04U3b").ptr,
                        pst_str_bytes(PST_STR(
                            "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ")),
                        sealed, unbase64("XFBoMYUZodetZdvTiFvSkQ"), plain),
        PST_OK);
    assert_true(pst_str_equal(
        (struct pst_str){(const char *)plain, sealed.len},
        PST_STR("The true sign of intelligence is not knowledge but "
                "imagination.")));
}

/* No JWE of wycheproof, valid or invalid, opens as our token. */
static void
test_jwe_wycheproof(void **state)
{
    struct json_object *root =
        vectors_open("wycheproof/json_web_encryption_test.json");
    struct json_object *groups;
    size_t run = 0;

    (void)state;
    assert_true(json_object_object_get_ex(root, "testGroups", &groups));
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *tests;

        assert_true(json_object_object_get_ex(
            json_object_array_get_idx(groups, g), "tests", &tests));
        for (size_t t = 0; t < json_object_array_length(tests); t++, run++) {
            struct json_object *test = json_object_array_get_idx(tests, t);

            assert_true(strlen(vectors_string(test, "jwe")) > 0);
            for (unsigned use = 0; use < 2 * PST_PURPOSE_COUNT; use++) {
                const struct pst_token_use opener =
                    use_of((enum pst_purpose)(use / 2),
                           (enum pst_token_format)(use % 2));

                check_refused(vectors_string(test, "tcId"), &opener,
                              pst_str_from(vectors_string(test, "jwe")));
            }
        }
    }
    json_object_put(root);
    printf("wycheproof JWE: %zu ran\n", run);
    assert_int_equal(run, 139);
}

static int
start(void **state)
{
    (void)state;
    if (pst_crypto_init() != PST_OK ||
        pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK)
        return -1;
    ring = ring_for(SECRET, AUDIENCE);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    pst_keyring_free(&ring);
    pst_arena_free(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_claims_too_large),
        cmocka_unit_test(test_small_builders),
        cmocka_unit_test(test_after_other_text),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_spliced),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_sealed_headers),
        cmocka_unit_test(test_signed_headers),
        cmocka_unit_test(test_cooked),
        cmocka_unit_test(test_part_lengths),
        cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_jwk),
        cmocka_unit_test(test_rfc7515_a1),
        cmocka_unit_test(test_rfc7515_c),
        cmocka_unit_test(test_rfc7516_a1),
        cmocka_unit_test(test_jwe_wycheproof),
    };

    return cmocka_run_group_tests_name("token", tests, start, stop);
}
