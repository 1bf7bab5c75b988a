/* SPDX-License-Identifier: ISC */
/*
 * keyring.c - secrets from the configuration, and the keys made of them.
 */
#include "crypto/keyring.h"

#include <string.h>

#include "codec/base64url.h"
#include "crypto/crypto.h"

#define SALT "postern v1"
#define DAY_SECONDS 86400
#define DAY_MAX 9999999

#define DISTINCT_BYTES_MIN \
    10            /* bytes a secret must have that are not the same */
#define RUN_MIN 4 /* bytes that step evenly, before we call it a run */

/* Algorithm, purpose, audience and day, with a NUL between them. */
#define INFO_MAX (16 + 1 + 16 + 1 + PST_AUDIENCE_MAX + 1 + 8)

/* Bytes of which an id is the base64url spelling. */
#define ID_BYTES (PST_KID_ID_LEN / 4 * 3)

static_assert(PST_KID_ID_LEN % 4 == 0, "an id has no bits left over");
static_assert(PST_KID_MAX == PST_KID_ID_LEN + 1 + 7, "DAY_MAX has 7 digits");

struct entry {
    uint8_t prk[PST_HASH_LEN];
    char id[PST_KID_ID_LEN];
};

struct pst_keyring {
    size_t count;
    size_t audience_len;
    char audience[PST_AUDIENCE_MAX];
    struct entry entries[PST_SECRETS_MAX];
};

/*
 * One sentence for each fault and each place a secret can have, because the
 * words must outlive the call and must not be put together from a secret.
 * Place 0 is for a secret that stands alone.
 */
#define MESSAGES_BY_PLACE(what)                                      \
    {                                                                \
        "the secret " what, "secret 1 " what, "secret 2 " what,      \
            "secret 3 " what, "secret 4 " what, "secret 5 " what,    \
            "secret 6 " what, "secret 7 " what, "secret 8 " what,    \
            "secret 9 " what, "secret 10 " what, "secret 11 " what,  \
            "secret 12 " what, "secret 13 " what, "secret 14 " what, \
            "secret 15 " what, "secret 16 " what                     \
    }

static_assert(PST_SECRETS_MAX == 16, "SENTENCES() has 16 places");

/* X(fault, words) */
#define FAULTS(X)                                                       \
    X(FAULT_SHORT, "is shorter than 32 octets")                         \
    X(FAULT_LONG, "is longer than 1024 octets")                         \
    X(FAULT_FEW_DISTINCT, "has fewer than 10 different octets")         \
    X(FAULT_REPEATED, "is one block repeated")                          \
    X(FAULT_SEQUENCE, "is mostly a run such as 0123456789 or abcdefgh") \
    X(FAULT_PLACEHOLDER, "is a placeholder from somebody's manual")     \
    X(FAULT_DUPLICATE, "is the same as an earlier one")                 \
    X(FAULT_ID_COLLISION, "has by chance the key id of an earlier one")

static_assert(PST_SECRET_MIN == 32 && PST_SECRET_MAX == 1024,
              "FAULTS() says these numbers");

#define FAULT_ENUM(fault, words) fault,
enum fault { FAULTS(FAULT_ENUM) FAULT_COUNT, FAULT_NONE = FAULT_COUNT };
#undef FAULT_ENUM

#define FAULT_MESSAGES_ROW(fault, words) MESSAGES_BY_PLACE(words),
static const char *const fault_messages[FAULT_COUNT][1 + PST_SECRETS_MAX] = {
    FAULTS(FAULT_MESSAGES_ROW)};
#undef FAULT_MESSAGES_ROW

/* Found in a secret, once its letters are small and all but a-z0-9 is gone. */
static const char *const placeholders[] = {
    "changeme",       "changethis",       "replaceme",     "replacethis",
    "yoursecret",     "yoursuper",        "yourown",       "mysecret",
    "supersecret",    "thisisasecret",    "sessionsecret", "cookiesecret",
    "secretkey",      "notasecret",       "notsosecret",   "keyboardcat",
    "correcthorse",   "passwordpassword", "placeholder",   "donotuse",
    "insecuresecret", "examplesecret",    "secretsecret",  "loremipsum",
    "32characters",   "32bytes",
};

static const char *const purpose_names[] = {
#define PURPOSE_NAME(purpose, name) [purpose] = name,
    PST_PURPOSES(PURPOSE_NAME)
#undef PURPOSE_NAME
};

/* RFC 7518 5.1 and 3.1; part of the derivation. */
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

static size_t
secret_count_distinct_bytes(struct pst_str text)
{
    bool met[256] = {false};
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];

        count += !met[byte];
        met[byte] = true;
    }
    pst_crypto_wipe(met, sizeof(met));
    return count;
}

/* Is it a shorter block, two times or more, the last one perhaps cut off? */
static bool
secret_is_repeated_block(struct pst_str text)
{
    for (size_t period = 1; period <= text.len / 2; period++)
        if (memcmp(text.ptr, text.ptr + period, text.len - period) == 0)
            return true;
    return false;
}

/* Do runs (bytes that all step by 0, by 1 or by -1) make up most of it? */
static bool
secret_is_mostly_sequences(struct pst_str text)
{
    size_t in_runs = 0;
    size_t start = 0;

    while (start < text.len) {
        size_t end = start + 1;
        int step = 0;

        if (end < text.len)
            step = text.ptr[end] - text.ptr[start];
        if (step >= -1 && step <= 1)
            while (end < text.len && text.ptr[end] - text.ptr[end - 1] == step)
                end++;
        if (end - start >= RUN_MIN)
            in_runs += end - start;
        start = end;
    }
    return in_runs > text.len / 2;
}

static bool
secret_is_placeholder(struct pst_str text)
{
    char plain[PST_SECRET_MAX];
    size_t len = 0;
    bool found = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = pst_lower(text.ptr[i]);

        if (pst_is_alpha(c) || pst_is_digit(c))
            plain[len++] = c;
    }
    for (size_t i = 0; i < PST_COUNT(placeholders) && !found; i++)
        found = pst_str_contains((struct pst_str){plain, len},
                                 pst_str_from(placeholders[i]));
    pst_crypto_wipe(plain, sizeof(plain));
    return found;
}

static enum fault
secret_find_fault(struct pst_str secret)
{
    if (secret.len < PST_SECRET_MIN)
        return FAULT_SHORT;
    if (secret.len > PST_SECRET_MAX)
        return FAULT_LONG;
    if (secret_count_distinct_bytes(secret) < DISTINCT_BYTES_MIN)
        return FAULT_FEW_DISTINCT;
    if (secret_is_repeated_block(secret))
        return FAULT_REPEATED;
    if (secret_is_mostly_sequences(secret))
        return FAULT_SEQUENCE;
    if (secret_is_placeholder(secret))
        return FAULT_PLACEHOLDER;
    return FAULT_NONE;
}

enum pst_err
pst_secret_check(struct pst_str secret, const char **reason)
{
    enum fault fault = secret_find_fault(secret);

    if (fault == FAULT_NONE)
        return PST_OK;
    *reason = fault_messages[fault][0];
    return PST_BAD_CONFIG;
}

/* The public name of a secret at this audience; it tells nothing about it. */
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

/* Put one checked secret into the ring's next place. */
static enum pst_err
keyring_add_secret(struct pst_keyring *ring, struct pst_str secret,
                   enum fault *fault)
{
    struct entry *entry = &ring->entries[ring->count];
    const struct entry *same_id;
    enum pst_err e;

    *fault = secret_find_fault(secret);
    if (*fault != FAULT_NONE)
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
                     ? FAULT_DUPLICATE
                     : FAULT_ID_COLLISION;
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
        *reason = "there are more than 16 secrets";
        return PST_BAD_CONFIG;
    }
    while (pst_str_next_token(&secrets, PST_SECRET_SEPARATORS, &secret)) {
        enum fault fault = FAULT_NONE;
        enum pst_err e = keyring_add_secret(ring, secret, &fault);

        if (e) {
            size_t place = count == 1 ? 0 : ring->count + 1;

            *reason = fault == FAULT_NONE ? "no key could be made of the secret"
                                          : fault_messages[fault][place];
            return e;
        }
    }
    return PST_OK;
}

enum pst_err
pst_keyring_new(struct pst_keyring **out, struct pst_str secrets,
                struct pst_str audience, const char **reason)
{
    struct pst_keyring *ring;
    enum pst_err e;

    if (audience.len == 0 || audience.len > PST_AUDIENCE_MAX) {
        *reason = "the audience does not have 1 to 255 octets";
        return PST_BAD_CONFIG;
    }
    ring = pst_crypto_secure_alloc(sizeof(*ring));
    if (!ring) {
        *reason = "there is no secure memory left";
        return PST_NO_MEMORY;
    }
    memset(ring, 0, sizeof(*ring));
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

enum pst_err
pst_keyring_key(const struct pst_keyring *ring, const struct pst_kid *kid,
                enum pst_algorithm algorithm, enum pst_purpose purpose,
                struct pst_key *out)
{
    const struct entry *entry = keyring_find_entry(ring, kid->id);
    char storage[INFO_MAX];
    struct pst_buf buf;
    struct pst_str info;
    enum pst_err e;

    PST_REQUIRE(algorithm < PST_ALGORITHM_COUNT);
    PST_REQUIRE(kid->day >= 0 && kid->day <= DAY_MAX);
    if (!entry)
        return PST_FORGED;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add_string(&buf, algorithm_names[algorithm]);
    pst_buf_add_char(&buf, '\0');
    pst_buf_add_string(&buf, pst_purpose_name(purpose));
    pst_buf_add_char(&buf, '\0');
    pst_buf_add(&buf, (struct pst_str){ring->audience, ring->audience_len});
    pst_buf_add_char(&buf, '\0');
    pst_buf_add_number(&buf, kid->day);
    e = pst_buf_finish(&buf, &info);
    if (e)
        return e;
    return pst_crypto_hkdf_expand(entry->prk, pst_str_bytes(info), out->bytes,
                                  sizeof(out->bytes));
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
