/* SPDX-License-Identifier: ISC */
/*
 * keyring.c - derive keys from the configured secrets (HKDF, RFC 5869).
 */
#include "crypto/keyring.h"

#include <pthread.h>
#include <string.h>

#include "codec/base64url.h"
#include "crypto/cipher_cache.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"

#define SALT "postern v1"
#define DAY_SECONDS 86400
#define DAY_MAX 9999999 /* days since 1970: 7 digits */

/* Derived keys that a keyring keeps: a power of two. */
#define KEPT_KEYS 32

/* Algorithm, purpose, audience and day, with a NUL between them. */
#define INFO_MAX (16 + 1 + 16 + 1 + PST_AUDIENCE_MAX + 1 + 8)

/* Bytes that a key id encodes in base64url. */
#define ID_BYTES (PST_KID_ID_LEN / 4 * 3)

static_assert(PST_KID_ID_LEN % 4 == 0, "an id has no bits left over");
static_assert(PST_KID_MAX == PST_KID_ID_LEN + 1 + 7, "DAY_MAX has 7 digits");
static_assert(PST_SECRETS_MAX == 16 && PST_AUDIENCE_MAX == 255,
              "messages below name these numbers");

/* One secret. */
struct entry {
    uint8_t prk[PST_HASH_LEN]; /* extracted from it: RFC 5869 2.2 */
    char id[PST_KID_ID_LEN];
};

/* A derived key, kept because HKDF costs more than what a key is used for. */
struct kept_key {
    const struct entry *entry; /* NULL: none */
    int64_t day;
    enum pst_algorithm algorithm;
    enum pst_purpose purpose;
    struct pst_key key;
};

struct kept_keys {
    pthread_mutex_t lock;
    struct kept_key at[KEPT_KEYS];
};

struct pst_keyring {
    struct kept_keys *kept;       /* in secure memory, too */
    struct cipher_cache *ciphers; /* all else is constant */
    size_t count;
    size_t audience_len;
    char audience[PST_AUDIENCE_MAX];
    struct entry entries[PST_SECRETS_MAX];
};

static const char *const purpose_names[] = {
#define PURPOSE_NAME(purpose, name) [purpose] = (name),
    PST_PURPOSES(PURPOSE_NAME)
#undef PURPOSE_NAME
};

/* The names of RFC 7518 5.1 and 3.1. They are part of the derivation. */
static const char *const algorithm_names[PST_ALGORITHM_COUNT] = {
    [PST_A256GCM] = "A256GCM",
    [PST_HS256] = "HS256",
};

const char *
pst_purpose_name(enum pst_purpose purpose)
{
    PST_REQUIRE(purpose < PST_PURPOSE_COUNT);
    return purpose_names[purpose];
}

/* Derive the public id of a secret for this audience; it reveals nothing. */
static enum pst_err
keyring_make_id(struct pst_keyring *ring, struct entry *entry)
{
    uint8_t bytes[ID_BYTES];
    char storage[INFO_MAX];
    struct pst_buf buf;
    struct pst_str info;
    struct pst_str id;
    enum pst_err e;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add(&buf, PST_STR("kid\0"));
    pst_buf_add(&buf, (struct pst_str){ring->audience, ring->audience_len});
    e = pst_buf_finish(&buf, &info);
    if (e)
        return e;
    e = pst_crypto_hkdf_expand(entry->prk, pst_str_bytes(info), bytes,
                               sizeof(bytes));
    if (e)
        return e;
    pst_buf_init(&buf, entry->id, sizeof(entry->id));
    pst_base64url_encode(&buf, (struct pst_bytes){bytes, sizeof(bytes)});
    return pst_buf_finish(&buf, &id);
}

static const struct entry *
keyring_find_entry(const struct pst_keyring *ring, const char *id)
{
    for (size_t i = 0; i < ring->count; i++)
        if (memcmp(ring->entries[i].id, id, PST_KID_ID_LEN) == 0)
            return &ring->entries[i];
    return NULL;
}

/*
 * Check one secret and add it to the ring.
 *   fault  set when PST_BAD_CONFIG is returned
 */
static enum pst_err
keyring_add_secret(struct pst_keyring *ring, struct pst_str secret,
                   enum secret_fault *fault)
{
    struct entry *entry = &ring->entries[ring->count];
    const struct entry *same_id;
    enum pst_err e;

    *fault = secret_find_fault(secret);
    if (*fault != SECRET_NONE)
        return PST_BAD_CONFIG;
    e = pst_crypto_hkdf_extract(pst_str_bytes(PST_STR(SALT)),
                                pst_str_bytes(secret), entry->prk);
    if (e)
        return e;
    e = keyring_make_id(ring, entry);
    if (e)
        return e;
    same_id = keyring_find_entry(ring, entry->id);
    if (same_id) {
        *fault = pst_crypto_equal(
                     (struct pst_bytes){same_id->prk, sizeof(same_id->prk)},
                     (struct pst_bytes){entry->prk, sizeof(entry->prk)})
                     ? SECRET_DUPLICATE
                     : SECRET_ID_COLLISION;
        return PST_BAD_CONFIG;
    }
    ring->count++;
    return PST_OK;
}

static size_t
keyring_count_secrets(struct pst_str text)
{
    struct pst_str secret;
    size_t count = 0;

    while (pst_str_next_token(&text, PST_SECRET_SEPARATORS, &secret))
        count++;
    return count;
}

static enum pst_err
keyring_add_secrets(struct pst_keyring *ring, struct pst_str secrets,
                    const char **reason)
{
    size_t count = keyring_count_secrets(secrets);
    struct pst_str secret;

    if (count == 0) {
        *reason = "there is no secret: make one with `postern secret`";
        return PST_BAD_CONFIG;
    }
    if (count > PST_SECRETS_MAX) {
        *reason = "there are more than 16 secrets: remove the oldest";
        return PST_BAD_CONFIG;
    }
    while (pst_str_next_token(&secrets, PST_SECRET_SEPARATORS, &secret)) {
        enum secret_fault fault = SECRET_NONE;
        enum pst_err e = keyring_add_secret(ring, secret, &fault);

        if (e) {
            size_t place = count == 1 ? 0 : ring->count + 1;

            *reason = fault == SECRET_NONE ? "libgcrypt failed to derive a key"
                                           : secret_fault_text(fault, place);
            return e;
        }
    }
    return PST_OK;
}

static struct kept_keys *
kept_keys_new(void)
{
    struct kept_keys *kept = pst_crypto_secure_alloc(sizeof(*kept));

    if (!kept)
        return NULL;
    memset(kept, 0, sizeof(*kept));
    pthread_mutex_init(&kept->lock, NULL);
    return kept;
}

static void
kept_keys_free(struct kept_keys *kept)
{
    if (!kept)
        return;
    pthread_mutex_destroy(&kept->lock);
    pst_crypto_wipe(kept, sizeof(*kept));
    pst_crypto_secure_free(kept);
}

enum pst_err
pst_keyring_new(struct pst_keyring **out, struct pst_str secrets,
                struct pst_str audience, const char **reason)
{
    struct pst_keyring *ring;
    enum pst_err e;

    if (audience.len == 0 || audience.len > PST_AUDIENCE_MAX) {
        *reason = "the audience must have 1 to 255 bytes";
        return PST_BAD_CONFIG;
    }
    ring = pst_crypto_secure_alloc(sizeof(*ring));
    if (!ring) {
        *reason = "libgcrypt has no secure memory left";
        return PST_NO_MEMORY;
    }
    memset(ring, 0, sizeof(*ring));
    ring->kept = kept_keys_new();
    ring->ciphers = cipher_cache_new();
    if (!ring->kept || !ring->ciphers) {
        *reason = "libgcrypt has no secure memory left";
        pst_keyring_free(&ring);
        return PST_NO_MEMORY;
    }
    ring->audience_len = audience.len;
    memcpy(ring->audience, audience.ptr, audience.len);
    e = keyring_add_secrets(ring, secrets, reason);
    if (e) {
        pst_keyring_free(&ring);
        return e;
    }
    *out = ring;
    return PST_OK;
}

void
pst_keyring_free(struct pst_keyring **ring)
{
    if (!*ring)
        return;
    cipher_cache_free(&(*ring)->ciphers);
    kept_keys_free((*ring)->kept);
    pst_crypto_wipe(*ring, sizeof(**ring));
    pst_crypto_secure_free(*ring);
    *ring = NULL;
}

struct pst_kid
pst_keyring_kid(const struct pst_keyring *ring, int64_t now)
{
    struct pst_kid kid;

    PST_REQUIRE(now >= 0 && now / DAY_SECONDS <= DAY_MAX);
    memcpy(kid.id, ring->entries[0].id, sizeof(kid.id));
    kid.day = now / DAY_SECONDS;
    return kid;
}

bool
pst_keyring_is_first(const struct pst_keyring *ring, const struct pst_kid *kid)
{
    return memcmp(ring->entries[0].id, kid->id, sizeof(kid->id)) == 0;
}

/* Expand the key that *wanted describes. */
static enum pst_err
keyring_derive(const struct pst_keyring *ring, const struct kept_key *wanted,
               struct pst_key *out)
{
    char storage[INFO_MAX];
    struct pst_buf buf;
    struct pst_str info;
    enum pst_err e;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add_string(&buf, algorithm_names[wanted->algorithm]);
    pst_buf_add_char(&buf, '\0');
    pst_buf_add_string(&buf, pst_purpose_name(wanted->purpose));
    pst_buf_add_char(&buf, '\0');
    pst_buf_add(&buf, (struct pst_str){ring->audience, ring->audience_len});
    pst_buf_add_char(&buf, '\0');
    pst_buf_add_number(&buf, wanted->day);
    e = pst_buf_finish(&buf, &info);
    if (e)
        return e;
    return pst_crypto_hkdf_expand(wanted->entry->prk, pst_str_bytes(info),
                                  out->bytes, sizeof(out->bytes));
}

/* Where a key is kept: the keys of successive days do not displace each other.
 */
static struct kept_key *
keyring_place(const struct pst_keyring *ring, const struct kept_key *wanted)
{
    size_t entry = (size_t)(wanted->entry - ring->entries);
    size_t place = (size_t)wanted->day + 8 * (size_t)wanted->purpose +
                   16 * (size_t)wanted->algorithm + 4 * entry;

    return &ring->kept->at[place % KEPT_KEYS];
}

static bool
kept_key_is(const struct kept_key *kept, const struct kept_key *wanted)
{
    return kept->entry == wanted->entry && kept->day == wanted->day &&
           kept->algorithm == wanted->algorithm &&
           kept->purpose == wanted->purpose;
}

enum pst_err
pst_keyring_key(const struct pst_keyring *ring, const struct pst_kid *kid,
                enum pst_algorithm algorithm, enum pst_purpose purpose,
                struct pst_key *out)
{
    const struct kept_key wanted = {.entry = keyring_find_entry(ring, kid->id),
                                    .day = kid->day,
                                    .algorithm = algorithm,
                                    .purpose = purpose};
    struct kept_key *kept;
    enum pst_err e = PST_OK;

    PST_REQUIRE(algorithm < PST_ALGORITHM_COUNT);
    PST_REQUIRE(kid->day >= 0 && kid->day <= DAY_MAX);
    if (!wanted.entry)
        return PST_FORGED;
    kept = keyring_place(ring, &wanted);
    pthread_mutex_lock(&ring->kept->lock);
    if (!kept_key_is(kept, &wanted)) {
        kept->entry = NULL;
        e = keyring_derive(ring, &wanted, &kept->key);
        if (!e) {
            kept->entry = wanted.entry;
            kept->day = wanted.day;
            kept->algorithm = algorithm;
            kept->purpose = purpose;
        }
    }
    if (!e)
        *out = kept->key;
    pthread_mutex_unlock(&ring->kept->lock);
    return e;
}

struct cipher_cache *
pst_keyring_ciphers(const struct pst_keyring *ring)
{
    return ring->ciphers;
}

void
pst_kid_emit(struct pst_buf *buf, const struct pst_kid *kid)
{
    pst_buf_add(buf, (struct pst_str){kid->id, sizeof(kid->id)});
    pst_buf_add_char(buf, '.');
    pst_buf_add_number(buf, kid->day);
}

static bool
keyring_is_base64url_char(char c)
{
    return pst_is_alpha(c) || pst_is_digit(c) || c == '-' || c == '_';
}

enum pst_err
pst_kid_parse(struct pst_str text, struct pst_kid *out)
{
    int64_t day;

    if (text.len <= PST_KID_ID_LEN + 1 || text.len > PST_KID_MAX)
        return PST_FORGED;
    for (size_t i = 0; i < PST_KID_ID_LEN; i++)
        if (!keyring_is_base64url_char(text.ptr[i]))
            return PST_FORGED;
    if (text.ptr[PST_KID_ID_LEN] != '.')
        return PST_FORGED;
    if (pst_str_parse_number(pst_str_skip(text, PST_KID_ID_LEN + 1), &day) ||
        day > DAY_MAX)
        return PST_FORGED;
    memcpy(out->id, text.ptr, sizeof(out->id));
    out->day = day;
    return PST_OK;
}
