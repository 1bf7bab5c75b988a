/* SPDX-License-Identifier: ISC */
/*
 * test_cipher_cache.c - a kept cipher works as a new one of the same key.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <gcrypt.h>
#include <pthread.h>
#include <string.h>

#include "crypto/cipher_cache.h"

#define SECRET "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
#define DAY 20000

static struct pst_keyring *ring;
static struct pst_kid today;
static bool setkey_fails;

/* In the place of libgcrypt's. */
gcry_error_t
gcry_cipher_setkey(gcry_cipher_hd_t handle, const void *key, size_t len)
{
    gcry_error_t (*setkey)(gcry_cipher_hd_t, const void *, size_t);
    void *found = dlsym(RTLD_NEXT, "gcry_cipher_setkey");

    assert_non_null(found);
    memcpy(&setkey, &found, sizeof(setkey));
    return setkey_fails ? gcry_error(GPG_ERR_ENOMEM) : setkey(handle, key, len);
}

/* A message, and where it goes. */
struct message {
    uint8_t nonce[PST_NONCE_LEN];
    uint8_t text[40];
    uint8_t tag[PST_TAG_LEN];
};

static const uint8_t plain[40] = "forty bytes, that are two blocks and ...";

static struct pst_cipher *
acquire(const struct pst_kid *kid, enum pst_purpose purpose)
{
    struct pst_cipher *cipher;

    assert_int_equal(cipher_acquire(ring, kid, purpose, &cipher), PST_OK);
    return cipher;
}

static struct message
seal(struct pst_cipher *cipher, uint8_t nonce)
{
    struct message message = {.nonce = {nonce}};

    assert_int_equal(pst_cipher_seal(cipher, message.nonce,
                                     pst_str_bytes(PST_STR("header")),
                                     (struct pst_bytes){plain, sizeof(plain)},
                                     message.text, message.tag),
                     PST_OK);
    return message;
}

static enum pst_err
unseal(struct pst_cipher *cipher, const struct message *message)
{
    uint8_t out[sizeof(plain)];
    enum pst_err e = pst_cipher_unseal(
        cipher, message->nonce, pst_str_bytes(PST_STR("header")),
        (struct pst_bytes){message->text, sizeof(message->text)},
        (struct pst_bytes){message->tag, sizeof(message->tag)}, out);

    if (!e)
        assert_memory_equal(out, plain, sizeof(plain));
    return e;
}

/* What the key seals, without any cipher that was kept. */
static struct message
seal_alone(const struct pst_kid *kid, enum pst_purpose purpose, uint8_t nonce)
{
    struct message message = {.nonce = {nonce}};
    struct pst_key key;

    assert_int_equal(pst_keyring_key(ring, kid, PST_A256GCM, purpose, &key),
                     PST_OK);
    assert_int_equal(pst_crypto_seal(key.bytes, message.nonce,
                                     pst_str_bytes(PST_STR("header")),
                                     (struct pst_bytes){plain, sizeof(plain)},
                                     message.text, message.tag),
                     PST_OK);
    return message;
}

static void
test_is_kept(void **state)
{
    struct pst_cipher *first = acquire(&today, PST_PURPOSE_COOKIE);
    struct pst_cipher *second = acquire(&today, PST_PURPOSE_COOKIE);

    (void)state;
    assert_ptr_not_equal(first, second); /* each for one user at a time */
    assert_true(pst_cipher_is_secure(first));
    cipher_release(ring, &today, PST_PURPOSE_COOKIE, first);
    cipher_release(ring, &today, PST_PURPOSE_COOKIE, second);
    assert_ptr_equal(acquire(&today, PST_PURPOSE_COOKIE), second);
    assert_ptr_equal(acquire(&today, PST_PURPOSE_COOKIE), first);
    cipher_release(ring, &today, PST_PURPOSE_COOKIE, first);
    cipher_release(ring, &today, PST_PURPOSE_COOKIE, second);
}

/* Nothing of a message is left: not a wrong tag, nor the nonce before. */
static void
test_messages_are_independent(void **state)
{
    struct pst_cipher *cipher = acquire(&today, PST_PURPOSE_COOKIE);
    struct message good = seal(cipher, 1);
    struct message bad = good;
    struct message want = seal_alone(&today, PST_PURPOSE_COOKIE, 2);
    struct message again;

    (void)state;
    bad.tag[0] ^= 1;
    assert_int_equal(unseal(cipher, &bad), PST_FORGED);
    assert_int_equal(unseal(cipher, &good), PST_OK);
    assert_int_equal(unseal(cipher, &bad), PST_FORGED);
    again = seal(cipher, 2);
    assert_memory_equal(&again, &want, sizeof(want));
    assert_int_equal(unseal(cipher, &good), PST_OK);
    cipher_release(ring, &today, PST_PURPOSE_COOKIE, cipher);
}

/* More keys than ciphers are kept, and each gets its own, again and again. */
static void
test_keys_have_their_own(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (uint8_t day = 0; day < 12; day++) {
            for (enum pst_purpose p = 0; p < PST_PURPOSE_COUNT; p++) {
                struct pst_kid kid = today;
                struct pst_cipher *cipher;
                struct message got;
                struct message want;

                kid.day += day;
                cipher = acquire(&kid, p);
                got = seal(cipher, day);
                want = seal_alone(&kid, p, day);
                assert_memory_equal(&got, &want, sizeof(want));
                cipher_release(ring, &kid, p, cipher);
            }
        }
    }
}

static void
test_unknown_secret(void **state)
{
    struct pst_kid kid = today;
    struct pst_cipher *cipher;

    (void)state;
    kid.id[0] = kid.id[0] == 'A' ? 'B' : 'A';
    assert_int_equal(cipher_acquire(ring, &kid, PST_PURPOSE_COOKIE, &cipher),
                     PST_FORGED);
}

static void
test_libgcrypt_fails(void **state)
{
    struct pst_kid kid = today;
    struct pst_cipher *cipher;

    (void)state;
    kid.day += 100; /* no cipher of this day is kept */
    setkey_fails = true;
    assert_int_equal(cipher_acquire(ring, &kid, PST_PURPOSE_COOKIE, &cipher),
                     PST_INTERNAL);
    setkey_fails = false;
    cipher = acquire(&kid, PST_PURPOSE_COOKIE);
    cipher_release(ring, &kid, PST_PURPOSE_COOKIE, cipher);
}

static void *
use_ciphers(void *argument)
{
    const struct message *message = argument;
    size_t failed = 0;

    for (int i = 0; i < 2000; i++) {
        struct pst_cipher *cipher;

        if (cipher_acquire(ring, &today, PST_PURPOSE_COOKIE, &cipher)) {
            failed++;
            continue;
        }
        failed += unseal(cipher, message) != PST_OK;
        cipher_release(ring, &today, PST_PURPOSE_COOKIE, cipher);
    }
    return (void *)failed;
}

static void
test_threads(void **state)
{
    struct message message = seal_alone(&today, PST_PURPOSE_COOKIE, 1);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(threads); i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_ciphers, &message), 0);
    for (size_t i = 0; i < PST_COUNT(threads); i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

/* Many users at once: some ciphers are not in secure memory, which is small.
 * They work, and are not kept. */
static void
test_no_secure_memory(void **state)
{
    struct pst_cipher *ciphers[64];
    struct message message = seal_alone(&today, PST_PURPOSE_COOKIE, 1);
    bool was_full = false;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(ciphers); i++) {
        ciphers[i] = acquire(&today, PST_PURPOSE_COOKIE);
        was_full = was_full || !pst_cipher_is_secure(ciphers[i]);
        assert_int_equal(unseal(ciphers[i], &message), PST_OK);
    }
    assert_true(was_full);
    for (size_t i = 0; i < PST_COUNT(ciphers); i++)
        cipher_release(ring, &today, PST_PURPOSE_COOKIE, ciphers[i]);
    ciphers[0] = acquire(&today, PST_PURPOSE_COOKIE);
    assert_true(pst_cipher_is_secure(ciphers[0]));
    cipher_release(ring, &today, PST_PURPOSE_COOKIE, ciphers[0]);
}

/* Keyrings that are in use for long, for one stream each: the ciphers that they
 * keep leave room for a new one. */
static void
test_room_for_keyrings(void **state)
{
    struct pst_keyring *rings[10];
    struct pst_keyring *first = ring;
    const char *reason;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rings); i++) {
        assert_int_equal(pst_keyring_new(&rings[i], PST_STR(SECRET),
                                         PST_STR("test"), &reason),
                         PST_OK);
        ring = rings[i];
        test_keys_have_their_own(NULL);
    }
    for (size_t i = 0; i < PST_COUNT(rings); i++)
        pst_keyring_free(&rings[i]);
    ring = first;
}

static int
start(void **state)
{
    const char *reason;

    (void)state;
    if (pst_crypto_init() != PST_OK ||
        pst_keyring_new(&ring, PST_STR(SECRET), PST_STR("test"), &reason))
        return -1;
    today = pst_keyring_kid(ring, (int64_t)DAY * 86400);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    pst_keyring_free(&ring);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_kept),
        cmocka_unit_test(test_messages_are_independent),
        cmocka_unit_test(test_keys_have_their_own),
        cmocka_unit_test(test_unknown_secret),
        cmocka_unit_test(test_libgcrypt_fails),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_secure_memory),
        cmocka_unit_test(test_room_for_keyrings),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
