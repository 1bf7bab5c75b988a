/* SPDX-License-Identifier: ISC */
/*
 * test_keyring.c - which lists of secrets are accepted, and keys that differ by
 * algorithm, purpose, audience, day and secret (R11, R13, R75, L39, U1, U29).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <gcrypt.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/keyring.h"
#include "vectors.h"

/* Secrets that are strong enough. */
#define SECRET "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
#define SECRET_2 "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"
#define SECRET_3 "v4NwC6yGk1ZsJ8rQfT0bLm3XpHd7UeIa9oKxR2tYq5W"

/* Two secrets with the same id at AUDIENCE, found by a search. */
#define TWIN_1 "another-pair-of-9f3c71d2b8-0060d609"
#define TWIN_2 "another-pair-of-9f3c71d2b8-0125a544"

#define AUDIENCE "__Host-session"
#define DAY INT64_C(20000)

static unsigned hash_fails_at; /* 1: the next hash; 0: none */

/* In the place of libgcrypt's. */
gcry_error_t
gcry_md_hash_buffers(int algorithm, unsigned flags, void *digest,
                     const gcry_buffer_t *buffers, int count)
{
    gcry_error_t (*hash)(int, unsigned, void *, const gcry_buffer_t *, int);
    void *found = dlsym(RTLD_NEXT, "gcry_md_hash_buffers");

    assert_non_null(found);
    memcpy(&hash, &found, sizeof(hash));
    if (hash_fails_at > 0 && --hash_fails_at == 0)
        return gcry_error(GPG_ERR_ENOMEM);
    return hash(algorithm, flags, digest, buffers, count);
}

static struct pst_keyring *
ring_for(const char *secrets, const char *audience)
{
    struct pst_keyring *ring = NULL;
    const char *reason = "";

    if (pst_keyring_new(&ring, pst_str_from(secrets), pst_str_from(audience),
                        &reason) != PST_OK)
        fail_msg("no ring: %s", reason);
    return ring;
}

static void
test_purpose_names(void **state)
{
    (void)state;
    assert_string_equal(pst_purpose_name(PST_PURPOSE_COOKIE), "cookie");
    assert_string_equal(pst_purpose_name(PST_PURPOSE_BEARER), "bearer");
    assert_string_equal(pst_purpose_name(PST_PURPOSE_GUEST), "guest");
    assert_string_equal(pst_purpose_name(PST_PURPOSE_CSRF), "csrf");
    assert_string_equal(pst_purpose_name(PST_PURPOSE_UPSTREAM), "upstream");
    assert_string_equal(pst_purpose_name(PST_PURPOSE_STORE), "store");
}

static void
test_new(void **state)
{
    static const struct {
        const char *name;
        const char *secrets;
        const char *says; /* a part of the reason; NULL: it is accepted */
    } rows[] = {
        {"one", SECRET, NULL},
        {"white space round it (U29)", " \t\r\n" SECRET "\r\n", NULL},
        {"two lines", SECRET "\n" SECRET_2 "\n", NULL},
        {"a tab between", SECRET "\t" SECRET_2, NULL},
        {"none", "", "no secret"},
        {"only white space", " \r\n\t ", "no secret"},
        {"absent", NULL, "no secret"},
        {"short", "hunter2hunter2", "the secret is shorter"},
        {"a good one, then a short one", SECRET " hunter2",
         "secret 2 is shorter"},
        {"a short one first", "hunter2 " SECRET, "secret 1 is shorter"},
        {"twice", SECRET " " SECRET_2 " " SECRET,
         "secret 3 is the same as an earlier one"},
        {"the same id", TWIN_1 "\n" TWIN_2, "secret 2 has, by chance"},
        {"one of those", TWIN_2, NULL},
        {"a vertical tab does not separate", SECRET "\v" SECRET_2, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_keyring *ring = NULL;
        const char *reason = NULL;
        enum pst_err e = pst_keyring_new(&ring, pst_str_from(rows[i].secrets),
                                         PST_STR(AUDIENCE), &reason);

        if (e != (rows[i].says ? PST_BAD_CONFIG : PST_OK))
            fail_msg("%s: %s (%s)", rows[i].name, pst_err_code(e),
                     reason ? reason : "-");
        if (rows[i].says && (ring || !reason || !strstr(reason, rows[i].says)))
            fail_msg("%s: it says %s", rows[i].name,
                     reason ? reason : "nothing");
        if (reason && (strstr(reason, "hunter2") || strstr(reason, SECRET)))
            fail_msg("%s: the reason shows the secret", rows[i].name);
        pst_keyring_free(&ring);
        assert_null(ring);
    }
}

/* `count` different secrets. */
static char *
many_secrets(size_t count)
{
    char *text = malloc(count * (sizeof(SECRET) + 1) + 1);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        char *at = text + i * sizeof(SECRET);

        memcpy(at, SECRET, sizeof(SECRET));
        at[7] = (char)('A' + i);
        at[sizeof(SECRET) - 1] = ' ';
    }
    text[count * sizeof(SECRET)] = '\0';
    return text;
}

static void
test_how_many(void **state)
{
    struct pst_keyring *ring = NULL;
    const char *reason = NULL;
    char *text = many_secrets(PST_SECRETS_MAX);

    (void)state;
    assert_int_equal(
        pst_keyring_new(&ring, pst_str_from(text), PST_STR(AUDIENCE), &reason),
        PST_OK);
    pst_keyring_free(&ring);
    text[(PST_SECRETS_MAX - 1) * sizeof(SECRET) + 9] = ' ';
    assert_int_equal(
        pst_keyring_new(&ring, pst_str_from(text), PST_STR(AUDIENCE), &reason),
        PST_BAD_CONFIG);
    assert_non_null(strstr(reason, "more than 16"));
    free(text);

    text = many_secrets(PST_SECRETS_MAX);
    memset(text + (PST_SECRETS_MAX - 1) * sizeof(SECRET), 'x',
           sizeof(SECRET) - 1);
    assert_int_equal(
        pst_keyring_new(&ring, pst_str_from(text), PST_STR(AUDIENCE), &reason),
        PST_BAD_CONFIG);
    assert_non_null(strstr(reason, "secret 16 has fewer"));
    assert_null(ring);
    free(text);
}

static void
test_audience_length(void **state)
{
    char audience[PST_AUDIENCE_MAX + 1];
    static const struct {
        size_t len;
        enum pst_err want;
    } rows[] = {
        {0, PST_BAD_CONFIG},
        {1, PST_OK},
        {PST_AUDIENCE_MAX, PST_OK},
        {PST_AUDIENCE_MAX + 1, PST_BAD_CONFIG},
    };

    (void)state;
    memset(audience, 'a', sizeof(audience));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_keyring *ring = NULL;
        const char *reason = NULL;
        enum pst_err e =
            pst_keyring_new(&ring, PST_STR(SECRET),
                            (struct pst_str){audience, rows[i].len}, &reason);
        struct pst_kid kid;
        struct pst_key key;

        if (e != rows[i].want)
            fail_msg("%zu bytes: %s", rows[i].len, pst_err_code(e));
        if (e)
            continue;
        kid = pst_keyring_kid(ring, INT64_C(9999999) * 86400);
        assert_int_equal(pst_keyring_key(ring, &kid, PST_A256GCM,
                                         PST_PURPOSE_UPSTREAM, &key),
                         PST_OK);
        pst_keyring_free(&ring);
    }
}

/*
 * The derivation that postern-token(5) describes. Another program (hmac and
 * hashlib of Python) computed these values from that page.
 */
static void
test_derivation(void **state)
{
    static const struct {
        enum pst_algorithm algorithm;
        enum pst_purpose purpose;
        int64_t day;
        const char *want;
    } rows[] = {
        {PST_A256GCM, PST_PURPOSE_COOKIE, DAY,
         "4b4e5e40a835994010375806ebe72b175f79bc8d5c255e1990c99d30f7d103c6"},
        {PST_A256GCM, PST_PURPOSE_BEARER, DAY,
         "386150895ed5a686cf83115f69ec9b0623b8f4b54cdf08884289d0e925cba0ab"},
        {PST_A256GCM, PST_PURPOSE_GUEST, DAY,
         "ef73d50d64a42afa8dd3e1201b265a40f97961e6985a1bd2be41699c18e801d2"},
        {PST_A256GCM, PST_PURPOSE_CSRF, DAY,
         "68a07a720c172b640b584673da7b522ca6cd6747a5e333b6661673307c7bff4e"},
        {PST_A256GCM, PST_PURPOSE_UPSTREAM, DAY,
         "1163d86e70019caf3311dbfa10d43f93b7c0fecf2262e80ac751bc1e33483232"},
        {PST_A256GCM, PST_PURPOSE_STORE, DAY,
         "eec62e53e3ceeb68d50e3019fb7befa9c527197aaaa85e7872c333b950140706"},
        {PST_HS256, PST_PURPOSE_COOKIE, DAY,
         "6391592d437048ea25b9230fcc4294776b5efafdc6e2f3c76b0c12e05bb949cc"},
        {PST_HS256, PST_PURPOSE_BEARER, DAY,
         "872dea29acfdad32d5ecce37b1bdd3f7736db92c64f66959c906a0ce69ebfb21"},
        {PST_A256GCM, PST_PURPOSE_COOKIE, 0,
         "dab42b60a3d35f50bfebbdd2a13d772af2eca7cfba0edd954a116c902131b4ed"},
        {PST_A256GCM, PST_PURPOSE_COOKIE, 1,
         "816a564202b2a1d031fbdaa5d396153848a6a8235df053f6a946a11eb00e9319"},
        {PST_A256GCM, PST_PURPOSE_COOKIE, 9999999,
         "1a8033a032da7c4bea25f930febdc709dc7b9612668450c44ba79e2718afdae9"},
    };
    struct pst_keyring *ring = ring_for(SECRET, AUDIENCE);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_kid kid = pst_keyring_kid(ring, rows[i].day * 86400);
        struct pst_key key;
        uint8_t *storage;
        struct pst_bytes want = vectors_hex(rows[i].want, &storage);

        assert_memory_equal(kid.id, "JH9cHH0K", sizeof(kid.id));
        assert_int_equal(kid.day, rows[i].day);
        if (pst_keyring_key(ring, &kid, rows[i].algorithm, rows[i].purpose,
                            &key) != PST_OK ||
            memcmp(key.bytes, want.ptr, sizeof(key.bytes)) != 0)
            fail_msg("row %zu: another key", i);
        free(storage);
    }
    pst_keyring_free(&ring);
}

/*
 * Each input of the derivation changes the key, and inputs do not run together.
 */
static void
test_keys_differ(void **state)
{
    static const char *const audiences[] = {AUDIENCE, "__Host-sessio", "a"};
    static const char *const secrets[] = {SECRET, SECRET_2};
    static struct pst_key
        keys[3 * 2 * PST_ALGORITHM_COUNT * PST_PURPOSE_COUNT * 3];
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct pst_keyring *ring = ring_for(secrets[i % 2], audiences[i / 2]);

        for (unsigned use = 0; use < PST_ALGORITHM_COUNT * PST_PURPOSE_COUNT;
             use++)
            for (int64_t day = DAY; day < DAY + 3; day++) {
                struct pst_kid kid = pst_keyring_kid(ring, day * 86400);

                assert_int_equal(
                    pst_keyring_key(
                        ring, &kid,
                        (enum pst_algorithm)(use % PST_ALGORITHM_COUNT),
                        (enum pst_purpose)(use / PST_ALGORITHM_COUNT),
                        &keys[count++]),
                    PST_OK);
            }
        pst_keyring_free(&ring);
    }
    assert_int_equal(count, PST_COUNT(keys));
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(keys[i].bytes, keys[j].bytes, PST_KEY_LEN);
}

/* Keys are kept in a few places, by day: that of another day is not used, even
 * on day 0, which a place has that holds none. */
static void
test_kept_keys(void **state)
{
    struct pst_keyring *ring = ring_for(SECRET, AUDIENCE);

    (void)state;
    for (unsigned use = 0; use < PST_ALGORITHM_COUNT * PST_PURPOSE_COUNT; use++)
        for (int64_t day = 256; day >= 0; day--) {
            struct pst_keyring *fresh = ring_for(SECRET, AUDIENCE);
            struct pst_kid kid = pst_keyring_kid(ring, day * 86400);
            enum pst_algorithm algorithm =
                (enum pst_algorithm)(use % PST_ALGORITHM_COUNT);
            enum pst_purpose purpose =
                (enum pst_purpose)(use / PST_ALGORITHM_COUNT);
            struct pst_key kept;
            struct pst_key derived;

            assert_int_equal(
                pst_keyring_key(ring, &kid, algorithm, purpose, &kept), PST_OK);
            assert_int_equal(
                pst_keyring_key(fresh, &kid, algorithm, purpose, &derived),
                PST_OK);
            assert_memory_equal(kept.bytes, derived.bytes, PST_KEY_LEN);
            pst_keyring_free(&fresh);
        }
    pst_keyring_free(&ring);
}

/* U1: a new secret in front seals, the old one after it still opens. */
static void
test_rotation(void **state)
{
    struct pst_keyring *before = ring_for(SECRET, AUDIENCE);
    struct pst_keyring *after = ring_for(SECRET_2 " " SECRET, AUDIENCE);
    struct pst_keyring *stranger = ring_for(SECRET_3, AUDIENCE);
    struct pst_kid old = pst_keyring_kid(before, DAY * 86400);
    struct pst_kid new = pst_keyring_kid(after, DAY * 86400);
    struct pst_key a;
    struct pst_key b;

    (void)state;
    assert_memory_not_equal(old.id, new.id, sizeof(old.id));
    assert_true(pst_keyring_is_first(before, &old));
    assert_false(pst_keyring_is_first(after, &old));
    assert_true(pst_keyring_is_first(after, &new));
    assert_int_equal(
        pst_keyring_key(before, &old, PST_A256GCM, PST_PURPOSE_COOKIE, &a),
        PST_OK);
    assert_int_equal(
        pst_keyring_key(after, &old, PST_A256GCM, PST_PURPOSE_COOKIE, &b),
        PST_OK);
    assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
    assert_int_equal(
        pst_keyring_key(before, &new, PST_A256GCM, PST_PURPOSE_COOKIE, &a),
        PST_FORGED);
    assert_int_equal(
        pst_keyring_key(stranger, &old, PST_A256GCM, PST_PURPOSE_COOKIE, &a),
        PST_FORGED);
    assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes)); /* unchanged */
    pst_keyring_free(&before);
    pst_keyring_free(&after);
    pst_keyring_free(&stranger);
}

/* L39: the ids of one secret at two audiences differ. */
static void
test_ids_per_audience(void **state)
{
    struct pst_keyring *one = ring_for(SECRET, "shop.example");
    struct pst_keyring *two = ring_for(SECRET, "blog.example");
    struct pst_kid kid = pst_keyring_kid(one, 0);
    struct pst_key key;

    (void)state;
    assert_int_equal(
        pst_keyring_key(two, &kid, PST_HS256, PST_PURPOSE_COOKIE, &key),
        PST_FORGED);
    pst_keyring_free(&one);
    pst_keyring_free(&two);
}

static void
test_days(void **state)
{
    static const struct {
        int64_t now;
        int64_t day;
    } rows[] = {
        {0, 0},
        {86399, 0},
        {86400, 1},
        {INT64_C(1728000000), 20000},
        {INT64_C(1728086399), 20000},
        {INT64_C(1728086400), 20001},
        {INT64_C(9999999) * 86400 + 86399, 9999999},
    };
    struct pst_keyring *ring = ring_for(SECRET, AUDIENCE);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        if (pst_keyring_kid(ring, rows[i].now).day != rows[i].day)
            fail_msg("row %zu: day %lld", i,
                     (long long)pst_keyring_kid(ring, rows[i].now).day);
    pst_keyring_free(&ring);
}

static void
test_kid_text(void **state)
{
    static const struct {
        struct pst_str in;
        int64_t day; /* -1: refused */
    } rows[] = {
#define ROW(text, day) {{"" text, sizeof(text) - 1}, day}
        ROW("JH9cHH0K.20000", 20000),
        ROW("-_-_-_-_.0", 0),
        ROW("AAAAAAAA.9999999", 9999999),
        ROW("JH9cHH0K.10000000", -1),
        ROW("JH9cHH0K.99999999999999999999", -1),
        ROW("JH9cHH0K.020000", -1),
        ROW("JH9cHH0K.00", -1),
        ROW("JH9cHH0K.+1", -1),
        ROW("JH9cHH0K.-1", -1),
        ROW("JH9cHH0K. 1", -1),
        ROW("JH9cHH0K.1 ", -1),
        ROW("JH9cHH0K.1\n", -1),
        ROW("JH9cHH0K.1\0", -1),
        ROW("JH9cHH0K.0x1", -1),
        ROW("JH9cHH0K.1.1", -1),
        ROW("JH9cHH0K..1", -1),
        ROW("JH9cHH0K.", -1),
        ROW("JH9cHH0K", -1),
        ROW("JH9cHH0K20000", -1),
        ROW("JH9cHH0K-20000", -1),
        ROW("JH9cHH0KA20000", -1),
        ROW("JH9cHH0.20000", -1),
        ROW("JH9cHH0KK.2000", -1),
        ROW(".20000", -1),
        ROW("", -1),
        ROW("JH9cHH0=.20000", -1),
        ROW("JH9c+H0K.20000", -1),
        ROW("JH9c/H0K.20000", -1),
        ROW("JH9c\0H0K.20000", -1),
        ROW("JH9c\"H0K.20000", -1),
        ROW("JH9c\xC3\xA9K.20000", -1),
#undef ROW
    };
    static const struct pst_kid untouched = {"????????", -7};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_kid kid = untouched;
        char storage[PST_KID_MAX];
        struct pst_buf buf;
        enum pst_err e = pst_kid_parse(rows[i].in, &kid);

        if (e != (rows[i].day < 0 ? PST_FORGED : PST_OK))
            fail_msg("row %zu, %s: %s", i, rows[i].in.ptr, pst_err_code(e));
        if (e) {
            assert_memory_equal(kid.id, untouched.id, sizeof(kid.id));
            assert_int_equal(kid.day, untouched.day);
            continue;
        }
        assert_int_equal(kid.day, rows[i].day);
        pst_buf_init(&buf, storage, sizeof(storage));
        pst_kid_emit(&buf, &kid);
        if (!pst_str_equal(pst_buf_str(&buf), rows[i].in))
            fail_msg("row %zu, %s: it is written otherwise", i, rows[i].in.ptr);
    }
}

static void
test_secure_memory_runs_out(void **state)
{
    static void *pieces[1024];
    struct pst_keyring *ring = NULL;
    const char *reason = NULL;
    size_t count = 0;

    (void)state;
    while (count < PST_COUNT(pieces)) {
        pieces[count] = pst_crypto_secure_alloc(256);
        if (!pieces[count])
            break;
        count++;
    }
    assert_in_range(count, 1, PST_COUNT(pieces) - 1);
    assert_int_equal(
        pst_keyring_new(&ring, PST_STR(SECRET), PST_STR(AUDIENCE), &reason),
        PST_NO_MEMORY);
    assert_null(ring);
    assert_non_null(reason);
    while (count > 0)
        pst_crypto_secure_free(pieces[--count]);
    ring = ring_for(SECRET, AUDIENCE);
    pst_keyring_free(&ring);
    pst_keyring_free(&ring); /* freeing twice is allowed */
}

/* A keyring that is refused leaves nothing in the secure memory. */
static void
test_refused_leaves_no_memory(void **state)
{
    static const char *const refused[] = {"", "hunter2", SECRET " " SECRET};
    struct pst_keyring *ring = NULL;

    (void)state;
    for (size_t i = 0; i < 100 * PST_COUNT(refused); i++) {
        const char *reason = NULL;

        assert_int_equal(
            pst_keyring_new(&ring,
                            pst_str_from(refused[i % PST_COUNT(refused)]),
                            PST_STR(AUDIENCE), &reason),
            PST_BAD_CONFIG);
    }
    ring = ring_for(SECRET, AUDIENCE);
    pst_keyring_free(&ring);
}

/* Nor does one for which the memory is too small, wherever it runs out. */
static void
test_little_secure_memory(void **state)
{
    static void *pieces[1024];
    struct pst_keyring *ring = NULL;
    const char *reason = NULL;
    enum pst_err e = PST_NO_MEMORY;
    size_t count = 0;
    size_t left = 0; /* how many of the pieces are free */

    (void)state;
    while (count < PST_COUNT(pieces)) {
        pieces[count] = pst_crypto_secure_alloc(256);
        if (!pieces[count])
            break;
        count++;
    }
    while (e == PST_NO_MEMORY && left < count) {
        left++;
        for (size_t i = count - left; i < count; i++)
            pst_crypto_secure_free(pieces[i]);
        e = pst_keyring_new(&ring, PST_STR(SECRET), PST_STR(AUDIENCE), &reason);
        pst_keyring_free(&ring);
        for (size_t i = count - left; i < count; i++) {
            pieces[i] = pst_crypto_secure_alloc(256);
            assert_non_null(pieces[i]);
        }
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(left, 5, 20);
    while (count > 0)
        pst_crypto_secure_free(pieces[--count]);
}

/* When libgcrypt fails, there is no keyring, and no key. */
static void
test_libgcrypt_fails(void **state)
{
    struct pst_keyring *ring = NULL;
    struct pst_kid kid;
    struct pst_key key;
    const char *reason = NULL;
    unsigned n;

    (void)state;
    for (n = 1; n < 10; n++) {
        enum pst_err e;

        hash_fails_at = n;
        e = pst_keyring_new(&ring, PST_STR(SECRET), PST_STR(AUDIENCE), &reason);
        if (hash_fails_at > 0)
            break; /* the n-th call was not made */
        assert_int_equal(e, PST_INTERNAL);
        assert_null(ring);
        assert_string_equal(reason, "libgcrypt failed to derive a key");
    }
    assert_int_equal(n, 5); /* two for the extraction and two for the id */
    hash_fails_at = 1;
    assert_non_null(ring);
    kid = pst_keyring_kid(ring, DAY * 86400);
    assert_int_equal(
        pst_keyring_key(ring, &kid, PST_A256GCM, PST_PURPOSE_COOKIE, &key),
        PST_INTERNAL);
    assert_int_equal(
        pst_keyring_key(ring, &kid, PST_A256GCM, PST_PURPOSE_COOKIE, &key),
        PST_OK);
    pst_keyring_free(&ring);
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
        cmocka_unit_test(test_purpose_names),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_how_many),
        cmocka_unit_test(test_audience_length),
        cmocka_unit_test(test_derivation),
        cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_kept_keys),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_ids_per_audience),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_kid_text),
        cmocka_unit_test(test_secure_memory_runs_out),
        cmocka_unit_test(test_refused_leaves_no_memory),
        cmocka_unit_test(test_little_secure_memory),
        cmocka_unit_test(test_libgcrypt_fails),
    };

    return cmocka_run_group_tests_name("keyring", tests, start, NULL);
}
