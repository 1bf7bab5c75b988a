/* SPDX-License-Identifier: ISC */
/*
 * crypto.c - the only file that calls libgcrypt: random bytes, SHA-256, HMAC,
 * HKDF and AES-GCM.
 *
 * Only what lives long is in secure memory: the secrets of a keyring, and the
 * few ciphers that it keeps. Other working state exists for microseconds in
 * libgcrypt's handles, which wipe it when they are closed. In secure memory,
 * the state of a few hundred busy threads would exceed what an unprivileged
 * process may lock.
 */
#include "crypto/crypto.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define GCRYPT_OLDEST "1.8.0"
#define SECURE_POOL_SIZE (64 * 1024) /* bytes */

/* Ciphers in secure memory, 2 KiB each. The rest is for keyrings, 3 KiB each: a
 * request that takes long, such as a stream, keeps the keyring it began with.
 */
#define SECURE_CIPHERS_MAX 12

static atomic_uint secure_cipher_count;

#define HASH_BLOCK_LEN 64 /* bytes that SHA-256 reads at a time */
#define HASH_PIECES_MAX 4
#define HMAC_INNER_PAD 0x36 /* RFC 2104 section 2 */
#define HMAC_OUTER_PAD 0x5c

#define EXPAND_MAX ((size_t)255 * PST_HASH_LEN) /* bytes: RFC 5869 2.3 */

enum pst_err
pst_crypto_init(void)
{
    if (!gcry_check_version(GCRYPT_OLDEST))
        return PST_INTERNAL;
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
        return PST_OK; /* by an earlier call, or by another library */

    /*
     * Where the system does not let us lock memory, the pool is still wiped. So
     * we start anyway, without libgcrypt's warning on stderr.
     */
    gcry_control(GCRYCTL_DISABLE_SECMEM_WARN);
    gcry_control(GCRYCTL_INIT_SECMEM, SECURE_POOL_SIZE, 0);
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0))
        return PST_INTERNAL;
    return PST_OK;
}

enum pst_err
pst_crypto_random(void *out, size_t len)
{
    uint8_t *at = out;
    size_t done = 0;

    while (done < len) {
        ssize_t n = getrandom(at + done, len - done, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            pst_crypto_wipe(out, len);
            return PST_NO_RANDOM;
        }
        done += (size_t)n;
    }
    return PST_OK;
}

void *
pst_crypto_secure_alloc(size_t len)
{
    return gcry_malloc_secure(len);
}

void
pst_crypto_secure_free(void *ptr)
{
    gcry_free(ptr);
}

void
pst_crypto_wipe(void *ptr, size_t len)
{
    if (len > 0)
        explicit_bzero(ptr, len);
}

bool
pst_crypto_equal(struct pst_bytes a, struct pst_bytes b)
{
    volatile uint8_t difference = 0;

    if (a.len != b.len || a.len == 0)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.ptr[i] ^ b.ptr[i]));
    return difference == 0;
}

/*
 * SHA-256 of several pieces, as if they were one text.
 *   out  set on PST_OK
 */
static enum pst_err
crypto_hash_pieces(const struct pst_bytes *pieces, size_t count,
                   uint8_t out[static PST_HASH_LEN])
{
    gcry_buffer_t buffers[HASH_PIECES_MAX];
    int filled = 0;

    PST_REQUIRE(count <= HASH_PIECES_MAX);
    for (size_t i = 0; i < count; i++) {
        /* libgcrypt does not write to them, but its type has no const. */
        if (pieces[i].len > 0)
            buffers[filled++] = (gcry_buffer_t){
                .data = (void *)(uintptr_t)pieces[i].ptr, .len = pieces[i].len};
    }
    return gcry_md_hash_buffers(GCRY_MD_SHA256, 0, out, buffers, filled) == 0
               ? PST_OK
               : PST_INTERNAL;
}

/*
 * HMAC over several pieces, as if they were one text (RFC 2104 section 2): the
 * hash of a padded key and of the hash of another padded key and the text.
 * libgcrypt's own HMAC aborts the program when it gets no memory.
 *   out  set on PST_OK
 */
static enum pst_err
crypto_hmac_pieces(struct pst_bytes key, const struct pst_bytes *pieces,
                   size_t count, uint8_t out[static PST_HASH_LEN])
{
    uint8_t padded[HASH_BLOCK_LEN] = {0};
    uint8_t inner[PST_HASH_LEN];
    struct pst_bytes text[HASH_PIECES_MAX] = {{padded, sizeof(padded)}};
    const struct pst_bytes outer[] = {{padded, sizeof(padded)},
                                      {inner, sizeof(inner)}};
    enum pst_err e = PST_OK;

    PST_REQUIRE(count < HASH_PIECES_MAX);
    if (key.len > sizeof(padded))
        e = crypto_hash_pieces(&key, 1, padded);
    else if (key.len > 0)
        memcpy(padded, key.ptr, key.len);
    memcpy(text + 1, pieces, count * sizeof(*pieces));
    for (size_t i = 0; i < sizeof(padded); i++)
        padded[i] ^= HMAC_INNER_PAD;
    if (!e)
        e = crypto_hash_pieces(text, 1 + count, inner);
    for (size_t i = 0; i < sizeof(padded); i++)
        padded[i] ^= HMAC_INNER_PAD ^ HMAC_OUTER_PAD;
    if (!e)
        e = crypto_hash_pieces(outer, PST_COUNT(outer), out);
    pst_crypto_wipe(padded, sizeof(padded));
    pst_crypto_wipe(inner, sizeof(inner));
    return e;
}

void
pst_crypto_sha256(struct pst_bytes data, uint8_t out[static PST_HASH_LEN])
{
    static_assert(PST_HASH_LEN == 32, "a SHA-256 hash has 32 bytes");

    gcry_md_hash_buffer(GCRY_MD_SHA256, out, data.ptr, data.len);
}

void
pst_crypto_sha1(struct pst_bytes data, uint8_t out[static PST_SHA1_LEN])
{
    gcry_md_hash_buffer(GCRY_MD_SHA1, out, data.ptr, data.len);
}

enum pst_err
pst_crypto_hmac(struct pst_bytes key, struct pst_bytes data,
                uint8_t out[static PST_HASH_LEN])
{
    return crypto_hmac_pieces(key, &data, 1, out);
}

enum pst_err
pst_crypto_hkdf_extract(struct pst_bytes salt, struct pst_bytes secret,
                        uint8_t prk[static PST_HASH_LEN])
{
    static const uint8_t zeros[PST_HASH_LEN];

    if (salt.len == 0)
        salt = (struct pst_bytes){zeros, sizeof(zeros)};
    return crypto_hmac_pieces(salt, &secret, 1, prk);
}

enum pst_err
pst_crypto_hkdf_expand(const uint8_t prk[static PST_HASH_LEN],
                       struct pst_bytes info, uint8_t *out, size_t len)
{
    const struct pst_bytes key = {prk, PST_HASH_LEN};
    uint8_t block[PST_HASH_LEN];
    uint8_t counter = 0;
    size_t done = 0;
    enum pst_err e = PST_OK;

    PST_REQUIRE(len > 0);
    if (len > EXPAND_MAX)
        return PST_TOO_LARGE;
    while (done < len && !e) {
        size_t take = len - done < PST_HASH_LEN ? len - done : PST_HASH_LEN;
        size_t before = counter > 0 ? PST_HASH_LEN : 0; /* T(0) is empty */
        struct pst_bytes pieces[] = {{block, before}, info, {&counter, 1}};

        counter++;
        e = crypto_hmac_pieces(key, pieces, PST_COUNT(pieces), block);
        if (!e)
            memcpy(out + done, block, take);
        done += take;
    }
    pst_crypto_wipe(block, sizeof(block));
    if (e)
        pst_crypto_wipe(out, len);
    return e;
}

static gcry_cipher_hd_t
crypto_cipher_handle(struct pst_cipher *cipher)
{
    return (gcry_cipher_hd_t)(void *)cipher;
}

static enum pst_err
crypto_open_cipher(const uint8_t *key, unsigned flags, struct pst_cipher **out)
{
    gcry_cipher_hd_t handle;

    if (gcry_cipher_open(&handle, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM,
                         flags))
        return PST_INTERNAL;
    if (gcry_cipher_setkey(handle, key, PST_KEY_LEN)) {
        gcry_cipher_close(handle);
        return PST_INTERNAL;
    }
    *out = (struct pst_cipher *)(void *)handle;
    return PST_OK;
}

enum pst_err
pst_cipher_open(struct pst_cipher **out, const uint8_t key[static PST_KEY_LEN])
{
    bool has_room =
        atomic_fetch_add(&secure_cipher_count, 1) < SECURE_CIPHERS_MAX;

    if (has_room && crypto_open_cipher(key, GCRY_CIPHER_SECURE, out) == PST_OK)
        return PST_OK;
    atomic_fetch_sub(&secure_cipher_count, 1);
    return crypto_open_cipher(key, 0, out);
}

void
pst_cipher_close(struct pst_cipher **cipher)
{
    if (!*cipher)
        return;
    if (pst_cipher_is_secure(*cipher))
        atomic_fetch_sub(&secure_cipher_count, 1);
    gcry_cipher_close(crypto_cipher_handle(*cipher));
    *cipher = NULL;
}

bool
pst_cipher_is_secure(const struct pst_cipher *cipher)
{
    return gcry_is_secure(cipher);
}

/* Begin a new message: nothing is left of the one before. */
static gcry_error_t
crypto_gcm_begin(gcry_cipher_hd_t handle, const uint8_t *nonce,
                 struct pst_bytes aad)
{
    gcry_error_t failed = gcry_cipher_setiv(handle, nonce, PST_NONCE_LEN);

    return failed ? failed : gcry_cipher_authenticate(handle, aad.ptr, aad.len);
}

enum pst_err
pst_cipher_seal(struct pst_cipher *cipher,
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes plain, uint8_t *out,
                uint8_t tag[static PST_TAG_LEN])
{
    gcry_cipher_hd_t handle = crypto_cipher_handle(cipher);
    gcry_error_t failed = crypto_gcm_begin(handle, nonce, aad);

    if (!failed && plain.len > 0)
        failed =
            gcry_cipher_encrypt(handle, out, plain.len, plain.ptr, plain.len);
    if (!failed)
        failed = gcry_cipher_gettag(handle, tag, PST_TAG_LEN);
    return failed ? PST_INTERNAL : PST_OK;
}

enum pst_err
pst_cipher_unseal(struct pst_cipher *cipher,
                  const uint8_t nonce[static PST_NONCE_LEN],
                  struct pst_bytes aad, struct pst_bytes sealed,
                  struct pst_bytes tag, uint8_t *out)
{
    gcry_cipher_hd_t handle = crypto_cipher_handle(cipher);
    gcry_error_t failed;

    if (tag.len != PST_TAG_LEN)
        return PST_FORGED;
    failed = crypto_gcm_begin(handle, nonce, aad);
    if (failed)
        return PST_INTERNAL;
    if (sealed.len > 0)
        failed = gcry_cipher_decrypt(handle, out, sealed.len, sealed.ptr,
                                     sealed.len);
    if (!failed)
        failed = gcry_cipher_checktag(handle, tag.ptr, tag.len);
    if (!failed)
        return PST_OK;
    pst_crypto_wipe(out, sealed.len);
    return gcry_err_code(failed) == GPG_ERR_CHECKSUM ? PST_FORGED
                                                     : PST_INTERNAL;
}

enum pst_err
pst_crypto_seal(const uint8_t key[static PST_KEY_LEN],
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes plain, uint8_t *out,
                uint8_t tag[static PST_TAG_LEN])
{
    struct pst_cipher *cipher;
    enum pst_err e = crypto_open_cipher(key, 0, &cipher);

    if (e)
        return e;
    e = pst_cipher_seal(cipher, nonce, aad, plain, out, tag);
    pst_cipher_close(&cipher);
    return e;
}

enum pst_err
pst_crypto_open(const uint8_t key[static PST_KEY_LEN],
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes sealed, struct pst_bytes tag, uint8_t *out)
{
    struct pst_cipher *cipher;
    enum pst_err e = crypto_open_cipher(key, 0, &cipher);

    if (e)
        return e;
    e = pst_cipher_unseal(cipher, nonce, aad, sealed, tag, out);
    pst_cipher_close(&cipher);
    return e;
}
