/* SPDX-License-Identifier: ISC */
/*
 * test_crypto.c - the primitives compute what their standards say (R71 to R73).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "vectors.h"

#define NONCES 1000000
#define EXPAND_MAX (255 * PST_HASH_LEN)

/* What the replaced getrandom() below does. */
static enum {
    RANDOM_GOOD,
    RANDOM_HESITANT,
    RANDOM_BROKEN,
    RANDOM_EMPTY
} random_mode;
static unsigned random_calls;

/* Replaces the function of the C library, so that a test can make it fail. */
ssize_t
getrandom(void *out, size_t len, unsigned flags)
{
    random_calls++;
    if (random_mode == RANDOM_BROKEN) {
        errno = ENOSYS;
        return -1;
    }
    if (random_mode == RANDOM_EMPTY) {
        errno = EINTR; /* of an earlier call */
        return 0;
    }
    if (random_mode == RANDOM_HESITANT && random_calls % 2 == 1) {
        errno = EINTR;
        return -1;
    }
    if (random_mode == RANDOM_HESITANT && len > 5)
        len = 5;
    return syscall(SYS_getrandom, out, len, flags);
}

/* The bytes of a hex string; every test frees them. */
struct hex_bytes {
    uint8_t *storage;
    struct pst_bytes bytes;
};

static struct hex_bytes
hex(const char *digits)
{
    struct hex_bytes bytes;

    bytes.bytes = vectors_hex(digits, &bytes.storage);
    return bytes;
}

static void
check_bytes(const char *row, const uint8_t *got, struct pst_bytes want)
{
    if (want.len > 0 && memcmp(got, want.ptr, want.len) != 0)
        fail_msg("%s: differs from the standard", row);
}

static void
check_err(const char *row, enum pst_err got, enum pst_err want)
{
    if (got != want)
        fail_msg("%s: %s where %s was due", row, pst_err_code(got),
                 pst_err_code(want));
}

static bool
is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void
test_init_twice(void **state)
{
    (void)state;
    assert_int_equal(pst_crypto_init(), PST_OK);
    assert_int_equal(pst_crypto_init(), PST_OK);
}

static void
test_sha256(void **state)
{
    /* RFC 6234 section 8.5, and the empty message. */
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {"",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct hex_bytes want = hex(rows[i].want);
        uint8_t got[PST_HASH_LEN];

        pst_crypto_sha256(pst_str_bytes(pst_str_from(rows[i].in)), got);
        check_bytes(rows[i].in, got, want.bytes);
        free(want.storage);
    }
}

static void
test_hmac(void **state)
{
    /* RFC 4231 sections 4.2 to 4.8; section 4.6 has only 128 bits. */
    static const struct {
        const char *name;
        const char *key;
        const char *data;
        const char *want;
    } rows[] = {
        {"4.2", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4.3", "4a656665",
         "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"4.4", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dddddddddddddddddddddddddddddddddddddddddddddddddd"
         "dddddddddddddddddddddddddddddddddddddddddddddddddd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"4.5", "0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"4.6", "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c",
         "546573742057697468205472756e636174696f6e",
         "a3b6167473100ee06e0c796c2955552b"},
        {"4.7",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaa",
         "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
         "65204b6579202d2048617368204b6579204669727374",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"4.8",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaa",
         "5468697320697320612074657374207573696e672061206c6172676572207468"
         "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
         "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
         "647320746f20626520686173686564206265666f7265206265696e6720757365"
         "642062792074686520484d414320616c676f726974686d2e",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct hex_bytes key = hex(rows[i].key);
        struct hex_bytes data = hex(rows[i].data);
        struct hex_bytes want = hex(rows[i].want);
        uint8_t got[PST_HASH_LEN];

        check_err(rows[i].name, pst_crypto_hmac(key.bytes, data.bytes, got),
                  PST_OK);
        check_bytes(rows[i].name, got, want.bytes);
        free(key.storage);
        free(data.storage);
        free(want.storage);
    }
}

static void
test_hmac_wycheproof(void **state)
{
    struct json_object *root = vectors_open("wycheproof/hmac_sha256_test.json");
    struct json_object *groups;
    size_t run = 0;

    (void)state;
    assert_true(json_object_object_get_ex(root, "testGroups", &groups));
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *tests;

        assert_true(json_object_object_get_ex(
            json_object_array_get_idx(groups, g), "tests", &tests));
        for (size_t t = 0; t < json_object_array_length(tests); t++) {
            struct json_object *test = json_object_array_get_idx(tests, t);
            struct hex_bytes key = hex(vectors_string(test, "key"));
            struct hex_bytes data = hex(vectors_string(test, "msg"));
            struct hex_bytes tag = hex(vectors_string(test, "tag"));
            bool valid = strcmp(vectors_string(test, "result"), "valid") == 0;
            uint8_t got[PST_HASH_LEN];

            check_err("hmac", pst_crypto_hmac(key.bytes, data.bytes, got),
                      PST_OK);
            /* Some tags are only the first 128 bits. */
            assert_in_range(tag.bytes.len, 16, sizeof(got));
            if (valid != pst_crypto_equal(
                             tag.bytes, (struct pst_bytes){got, tag.bytes.len}))
                fail_msg("tcId %s", vectors_string(test, "tcId"));
            run++;
            free(key.storage);
            free(data.storage);
            free(tag.storage);
        }
    }
    json_object_put(root);
    printf("wycheproof HMAC-SHA-256: %zu ran\n", run);
    assert_int_equal(run, 174);
}

static void
test_hkdf(void **state)
{
    /* RFC 5869 appendix A. */
    static const struct {
        const char *name;
        const char *secret;
        const char *salt;
        const char *info;
        const char *prk;
        const char *want;
    } rows[] = {
        {"A.1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
         "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
         "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
         "34007208d5b887185865"},
        {"A.2",
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
         "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
         "404142434445464748494a4b4c4d4e4f",
         "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
         "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
         "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
         "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
         "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
         "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
         "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
         "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
         "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
         "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
        {"A.3", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
         "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
         "9d201395faa4b61a96c8"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct hex_bytes secret = hex(rows[i].secret);
        struct hex_bytes salt = hex(rows[i].salt);
        struct hex_bytes info = hex(rows[i].info);
        struct hex_bytes prk = hex(rows[i].prk);
        struct hex_bytes want = hex(rows[i].want);
        uint8_t got_prk[PST_HASH_LEN];
        uint8_t got[128];

        check_err(rows[i].name,
                  pst_crypto_hkdf_extract(salt.bytes, secret.bytes, got_prk),
                  PST_OK);
        check_bytes(rows[i].name, got_prk, prk.bytes);
        check_err(
            rows[i].name,
            pst_crypto_hkdf_expand(got_prk, info.bytes, got, want.bytes.len),
            PST_OK);
        check_bytes(rows[i].name, got, want.bytes);
        free(secret.storage);
        free(salt.storage);
        free(info.storage);
        free(prk.storage);
        free(want.storage);
    }
}

/* RFC 5869 2.3: L <= 255*HashLen. */
static void
test_hkdf_limit(void **state)
{
    static uint8_t out[EXPAND_MAX + 1];
    static const uint8_t prk[PST_HASH_LEN] = {1};
    const struct pst_bytes info = {NULL, 0};

    (void)state;
    memset(out, 0x55, sizeof(out));
    assert_int_equal(pst_crypto_hkdf_expand(prk, info, out, EXPAND_MAX + 1),
                     PST_TOO_LARGE);
    assert_int_equal(pst_crypto_hkdf_expand(prk, info, out, SIZE_MAX),
                     PST_TOO_LARGE);
    for (size_t i = 0; i < sizeof(out); i++)
        assert_int_equal(out[i], 0x55);
    assert_int_equal(pst_crypto_hkdf_expand(prk, info, out, EXPAND_MAX),
                     PST_OK);
    assert_int_equal(out[EXPAND_MAX], 0x55);
}

static void
hkdf_vector(struct json_object *test)
{
    static uint8_t got[EXPAND_MAX];
    struct hex_bytes secret = hex(vectors_string(test, "ikm"));
    struct hex_bytes salt = hex(vectors_string(test, "salt"));
    struct hex_bytes info = hex(vectors_string(test, "info"));
    struct hex_bytes want = hex(vectors_string(test, "okm"));
    bool valid = strcmp(vectors_string(test, "result"), "valid") == 0;
    const char *name = vectors_string(test, "tcId");
    size_t size = (size_t)strtoul(vectors_string(test, "size"), NULL, 10);
    uint8_t prk[PST_HASH_LEN];

    check_err(name, pst_crypto_hkdf_extract(salt.bytes, secret.bytes, prk),
              PST_OK);
    check_err(name, pst_crypto_hkdf_expand(prk, info.bytes, got, size),
              valid ? PST_OK : PST_TOO_LARGE);
    if (valid) {
        assert_int_equal(size, want.bytes.len);
        check_bytes(name, got, want.bytes);
    }
    free(secret.storage);
    free(salt.storage);
    free(info.storage);
    free(want.storage);
}

static void
test_hkdf_wycheproof(void **state)
{
    struct json_object *root = vectors_open("wycheproof/hkdf_sha256_test.json");
    struct json_object *groups;
    size_t run = 0;

    (void)state;
    assert_true(json_object_object_get_ex(root, "testGroups", &groups));
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *tests;

        assert_true(json_object_object_get_ex(
            json_object_array_get_idx(groups, g), "tests", &tests));
        for (size_t t = 0; t < json_object_array_length(tests); t++, run++)
            hkdf_vector(json_object_array_get_idx(tests, t));
    }
    json_object_put(root);
    printf("wycheproof HKDF-SHA-256: %zu ran\n", run);
    assert_int_equal(run, 86);
}

/* One AES-256-GCM case, in hex; invalid ones must not open. */
struct gcm_row {
    const char *name;
    const char *key;
    const char *nonce;
    const char *aad;
    const char *plain;
    const char *sealed;
    const char *tag;
    bool valid;
};

static void
check_gcm(const struct gcm_row *row)
{
    struct hex_bytes key = hex(row->key);
    struct hex_bytes nonce = hex(row->nonce);
    struct hex_bytes aad = hex(row->aad);
    struct hex_bytes plain = hex(row->plain);
    struct hex_bytes sealed = hex(row->sealed);
    struct hex_bytes tag = hex(row->tag);
    uint8_t *out = malloc(plain.bytes.len + 1);
    uint8_t got_tag[PST_TAG_LEN];
    enum pst_err e;

    assert_non_null(out);
    assert_int_equal(key.bytes.len, PST_KEY_LEN);
    assert_int_equal(nonce.bytes.len, PST_NONCE_LEN);
    e = pst_crypto_open(key.storage, nonce.storage, aad.bytes, sealed.bytes,
                        tag.bytes, out);
    check_err(row->name, e, row->valid ? PST_OK : PST_FORGED);
    if (row->valid) {
        check_bytes(row->name, out, plain.bytes);
        e = pst_crypto_seal(key.storage, nonce.storage, aad.bytes, plain.bytes,
                            out, got_tag);
        check_err(row->name, e, PST_OK);
        check_bytes(row->name, out, sealed.bytes);
        check_bytes(row->name, got_tag, tag.bytes);
    } else if (!is_zero(out, sealed.bytes.len)) {
        fail_msg("%s: the plaintext is still there", row->name);
    }
    free(key.storage);
    free(nonce.storage);
    free(aad.storage);
    free(plain.storage);
    free(sealed.storage);
    free(tag.storage);
    free(out);
}

#define ZERO_KEY                       \
    "00000000000000000000000000000000" \
    "00000000000000000000000000000000"
#define CASE_KEY                       \
    "feffe9928665731c6d6a8f9467308308" \
    "feffe9928665731c6d6a8f9467308308"

static void
test_gcm(void **state)
{
    /*
     * McGrew and Viega's GCM specification, cases 13 to 16; the last one with
     * the tag of another message.
     */
    static const struct gcm_row rows[] = {
        {"case 13", ZERO_KEY, "000000000000000000000000", "", "", "",
         "530f8afbc74536b9a963b4f1c4cb738b", true},
        {"case 14", ZERO_KEY, "000000000000000000000000", "",
         "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
         "d0d1c8a799996bf0265b98b5d48ab919", true},
        {"case 15", CASE_KEY, "cafebabefacedbaddecaf888", "",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
         "b094dac5d93471bdec1a502270e3cc6c", true},
        {"case 16", CASE_KEY, "cafebabefacedbaddecaf888",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
         "76fc6ece0f4e1768cddf8853bb2d551b", true},
        {"case 15's tag on case 16", CASE_KEY, "cafebabefacedbaddecaf888",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
         "b094dac5d93471bdec1a502270e3cc6c", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_gcm(&rows[i]);
}

static void
gcm_vector(struct json_object *test)
{
    const struct gcm_row row = {
        .name = vectors_string(test, "tcId"),
        .key = vectors_string(test, "key"),
        .nonce = vectors_string(test, "iv"),
        .aad = vectors_string(test, "aad"),
        .plain = vectors_string(test, "msg"),
        .sealed = vectors_string(test, "ct"),
        .tag = vectors_string(test, "tag"),
        .valid = strcmp(vectors_string(test, "result"), "valid") == 0,
    };

    check_gcm(&row);
}

static void
test_gcm_wycheproof(void **state)
{
    struct json_object *root = vectors_open("wycheproof/aes_gcm_test.json");
    struct json_object *groups;
    size_t run = 0;

    (void)state;
    assert_true(json_object_object_get_ex(root, "testGroups", &groups));
    for (size_t g = 0; g < json_object_array_length(groups); g++) {
        struct json_object *group = json_object_array_get_idx(groups, g);
        struct json_object *tests;

        if (strcmp(vectors_string(group, "keySize"), "256") != 0 ||
            strcmp(vectors_string(group, "ivSize"), "96") != 0 ||
            strcmp(vectors_string(group, "tagSize"), "128") != 0)
            continue;
        assert_true(json_object_object_get_ex(group, "tests", &tests));
        for (size_t t = 0; t < json_object_array_length(tests); t++, run++)
            gcm_vector(json_object_array_get_idx(tests, t));
    }
    json_object_put(root);
    printf("wycheproof AES-256-GCM, 96-bit nonce: %zu ran\n", run);
    assert_int_equal(run, 66);
}

/* A sealed message and all its inputs, to be changed bit by bit. */
struct sealed {
    uint8_t key[PST_KEY_LEN];
    uint8_t nonce[PST_NONCE_LEN];
    uint8_t aad[7];
    uint8_t text[21];
    uint8_t tag[PST_TAG_LEN];
};

static enum pst_err
open_sealed(const struct sealed *it, uint8_t *out)
{
    return pst_crypto_open(it->key, it->nonce,
                           (struct pst_bytes){it->aad, sizeof(it->aad)},
                           (struct pst_bytes){it->text, sizeof(it->text)},
                           (struct pst_bytes){it->tag, sizeof(it->tag)}, out);
}

static void
test_every_bit_counts(void **state)
{
    static const uint8_t plain[21] = "twenty-one bytes.....";
    struct sealed good = {.key = {1}, .nonce = {2}, .aad = {3}};
    uint8_t out[sizeof(good.text)];

    (void)state;
    assert_int_equal(
        pst_crypto_seal(good.key, good.nonce,
                        (struct pst_bytes){good.aad, sizeof(good.aad)},
                        (struct pst_bytes){plain, sizeof(plain)}, good.text,
                        good.tag),
        PST_OK);
    assert_int_equal(open_sealed(&good, out), PST_OK);
    assert_memory_equal(out, plain, sizeof(plain));
    for (size_t bit = 0; bit < sizeof(good) * 8; bit++) {
        struct sealed bad = good;
        uint8_t *bytes = (uint8_t *)&bad;

        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1U << bit % 8);
        memset(out, 0x55, sizeof(out));
        if (open_sealed(&bad, out) != PST_FORGED)
            fail_msg("bit %zu of the message may be changed", bit);
        if (!is_zero(out, sizeof(out)))
            fail_msg("bit %zu: the plaintext is still there", bit);
    }
}

static void
test_tag_lengths(void **state)
{
    static const uint8_t key[PST_KEY_LEN], nonce[PST_NONCE_LEN];
    static const uint8_t plain[4] = "text";
    uint8_t text[sizeof(plain)], out[sizeof(plain)] = {0};
    uint8_t tag[2 * PST_TAG_LEN] = {0};
    const struct pst_bytes aad = {NULL, 0};

    (void)state;
    assert_int_equal(pst_crypto_seal(key, nonce, aad,
                                     (struct pst_bytes){plain, sizeof(plain)},
                                     text, tag),
                     PST_OK);
    for (size_t len = 0; len <= sizeof(tag); len++) {
        enum pst_err e = pst_crypto_open(key, nonce, aad,
                                         (struct pst_bytes){text, sizeof(text)},
                                         (struct pst_bytes){tag, len}, out);

        if (e != (len == PST_TAG_LEN ? PST_OK : PST_FORGED))
            fail_msg("a tag of %zu bytes: %s", len, pst_err_code(e));
    }
}

static void
test_equal(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool want;
    } rows[] = {
        {"a", "a", true},
        {"secret", "secret", true},
        {"", "", false}, /* empty never equals empty */
        {NULL, NULL, false},
        {NULL, "", false},
        {"a", "", false},
        {"a", NULL, false},
        {"a", "b", false},
        {"secret", "secreT", false},
        {"secret", "Secret", false},
        {"secret", "secrets", false},
        {"secrets", "secret", false},
        {"\x80", "\x00", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        if (pst_crypto_equal(pst_str_bytes(pst_str_from(rows[i].a)),
                             pst_str_bytes(pst_str_from(rows[i].b))) !=
            rows[i].want)
            fail_msg("row %zu", i);
}

static int
compare_nonces(const void *a, const void *b)
{
    return memcmp(a, b, PST_NONCE_LEN);
}

/* L5, L50: the nonces of a million tokens are all different. */
static void
test_random_never_repeats(void **state)
{
    uint8_t(*nonces)[PST_NONCE_LEN] = calloc(NONCES, PST_NONCE_LEN);

    (void)state;
    assert_non_null(nonces);
    for (size_t i = 0; i < NONCES; i++)
        if (pst_crypto_random(nonces[i], PST_NONCE_LEN) != PST_OK)
            fail_msg("no random bytes at nonce %zu", i);
    qsort(nonces, NONCES, PST_NONCE_LEN, compare_nonces);
    for (size_t i = 1; i < NONCES; i++)
        if (compare_nonces(nonces[i - 1], nonces[i]) == 0)
            fail_msg("a nonce came twice");
    free(nonces);
}

/* After a signal or a short read it goes on: every byte is written. */
static void
test_random_hesitates(void **state)
{
    uint8_t out[64] = {0};
    unsigned differing = 0;

    (void)state;
    random_mode = RANDOM_HESITANT;
    random_calls = 0;
    assert_int_equal(pst_crypto_random(out, sizeof(out) - 1), PST_OK);
    random_mode = RANDOM_GOOD;
    assert_int_equal(random_calls, 2 * 13); /* ceil(63/5), each interrupted */
    assert_int_equal(out[sizeof(out) - 1], 0);
    for (size_t i = 1; i < sizeof(out); i++)
        differing += out[i] != out[i - 1];
    assert_in_range(differing, 40, sizeof(out));
    assert_false(is_zero(out + 58, 5)); /* fails by chance once in 2^40 runs */
}

/* R3: a failing generator is an error. */
static void
test_random_fails(void **state)
{
    uint8_t out[PST_NONCE_LEN];

    (void)state;
    for (random_mode = RANDOM_BROKEN; random_mode <= RANDOM_EMPTY;
         random_mode++) {
        memset(out, 0x55, sizeof(out));
        assert_int_equal(pst_crypto_random(out, sizeof(out)), PST_NO_RANDOM);
        assert_true(is_zero(out, sizeof(out)));
    }
    random_mode = RANDOM_GOOD;
    assert_int_equal(pst_crypto_random(out, 0), PST_OK);
}

static void
test_secure_memory(void **state)
{
    void *pieces[128];
    size_t count = 0;

    (void)state;
    while (count < PST_COUNT(pieces)) {
        pieces[count] = pst_crypto_secure_alloc(1024);
        if (!pieces[count])
            break;
        memset(pieces[count++], 0xAA, 1024);
    }
    /* A keyring takes about one of these; the pool is small. */
    assert_in_range(count, 16, PST_COUNT(pieces) - 1);
    while (count > 0)
        pst_crypto_secure_free(pieces[--count]);
    pieces[0] = pst_crypto_secure_alloc(1024);
    assert_non_null(pieces[0]);
    pst_crypto_secure_free(pieces[0]);
    pst_crypto_secure_free(NULL);
}

static void
test_wipe(void **state)
{
    uint8_t bytes[5] = {1, 2, 3, 4, 5};

    (void)state;
    pst_crypto_wipe(bytes, 4);
    assert_true(is_zero(bytes, 4));
    assert_int_equal(bytes[4], 5);
    pst_crypto_wipe(NULL, 0);
}

static int
start(void **state)
{
    (void)state;
    return pst_crypto_init() == PST_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_twice),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hmac_wycheproof),
        cmocka_unit_test(test_hkdf),
        cmocka_unit_test(test_hkdf_limit),
        cmocka_unit_test(test_hkdf_wycheproof),
        cmocka_unit_test(test_gcm),
        cmocka_unit_test(test_gcm_wycheproof),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_tag_lengths),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_random_never_repeats),
        cmocka_unit_test(test_random_hesitates),
        cmocka_unit_test(test_random_fails),
        cmocka_unit_test(test_secure_memory),
        cmocka_unit_test(test_wipe),
    };

    return cmocka_run_group_tests_name("crypt", tests, start, NULL);
}
