/* SPDX-License-Identifier: ISC */
/*
 * store.c - the interface of every store: it checks arguments, hashes names,
 * and calls the implementation that the URL selects (LMDB or Redis).
 */
#include "store/store.h"

#include <stdarg.h>
#include <string.h>

#include "crypto/crypto.h"
#include "store/store_operations.h"

/* Bytes of a name that is hashed. */
#define STORE_NAME_MAX 2048

/* NULL: this build does not have it. */
static const struct store_operations *const backends[] = {
    [STORE_NONE] = NULL,
#if POSTERN_WITH_LMDB
    [STORE_LMDB] = &store_lmdb,
#endif
#if POSTERN_WITH_REDIS
    [STORE_REDIS] = &store_redis,
#endif
};

enum pst_err
store_set_error(struct store *store, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(store->error, sizeof(store->error), format, values);
    va_end(values);
    return PST_STORE_DOWN;
}

const char *
store_error(const struct store *store)
{
    return store->error;
}

static void
store_set_audience(struct store *store, struct pst_str audience)
{
    uint8_t hash[PST_HASH_LEN];

    pst_crypto_sha256(pst_str_bytes(audience), hash);
    memcpy(store->audience, audience.ptr, audience.len);
    store->audience_len = audience.len;
    memcpy(store->tag, hash, sizeof(store->tag));
}

enum pst_err
store_open(struct store **out, const struct store_url *url,
           struct pst_str audience)
{
    const struct store_operations *backend;
    struct store *store;
    enum pst_err e;

    PST_REQUIRE(url->kind < PST_COUNT(backends) && backends[url->kind]);
    PST_REQUIRE(audience.len > 0 && audience.len <= PST_AUDIENCE_MAX);
    backend = backends[url->kind];
    e = backend->open(&store, url);
    if (e)
        return e;
    store->backend = backend;
    store_set_audience(store, audience);
    *out = store;
    return PST_OK;
}

void
store_close(struct store **store)
{
    if (!*store)
        return;
    (*store)->backend->close(*store);
    *store = NULL;
}

enum pst_err
store_ping(struct store *store, int64_t now)
{
    return store->backend->ping(store, now);
}

void
store_id_sid(const uint8_t sid[static PST_SID_LEN], struct store_id *out)
{
    pst_crypto_sha256((struct pst_bytes){sid, PST_SID_LEN}, out->bytes);
}

enum pst_err
store_id_name(const struct store *store, const char *purpose,
              struct pst_str name, struct store_id *out)
{
    char storage[STORE_NAME_MAX + PST_AUDIENCE_MAX + 64];
    struct pst_str whole;
    struct pst_buf buf;
    enum pst_err e;

    if (name.len > STORE_NAME_MAX)
        return PST_TOO_LARGE;
    /* The audience comes after its length, and no purpose has a space: so two
     * different triples are different texts. */
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add_string(&buf, purpose);
    pst_buf_add_char(&buf, ' ');
    pst_buf_add_number(&buf, (int64_t)store->audience_len);
    pst_buf_add_char(&buf, ' ');
    pst_buf_add(&buf, (struct pst_str){store->audience, store->audience_len});
    pst_buf_add(&buf, name);
    e = pst_buf_finish(&buf, &whole);
    if (e)
        return e;
    pst_crypto_sha256(pst_str_bytes(whole), out->bytes);
    return PST_OK;
}

enum pst_err
store_id_subject(const struct store *store, struct pst_str subject,
                 struct store_id *out)
{
    return store_id_name(store, "subject", subject, out);
}

bool
store_id_parse(struct pst_str hex, struct store_id *id)
{
    struct store_id parsed;

    if (hex.len != STORE_ID_HEX_LEN)
        return false;
    for (size_t i = 0; i < PST_HASH_LEN; i++) {
        int high = pst_hex_value(hex.ptr[2 * i]);
        int low = pst_hex_value(hex.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        parsed.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *id = parsed;
    return true;
}

bool
store_id_equal(const struct store_id *a, const struct store_id *b)
{
    return memcmp(a->bytes, b->bytes, PST_HASH_LEN) == 0;
}

enum pst_err
store_check(struct store *store, const struct store_id *sid,
            const struct store_id *subject, int64_t iat)
{
    return store->backend->check(store, sid, subject, iat);
}

enum pst_err
store_revoke(struct store *store, const struct store_id *sid,
             const struct store_id *subject, int64_t expires, int64_t now)
{
    const struct store_revocation revocation = {sid, subject, expires, now};

    return store->backend->revoke(store, &revocation);
}

enum pst_err
store_revoke_all(struct store *store, const struct store_id *subject,
                 int64_t now, int64_t *since)
{
    int64_t ignored;

    return store->backend->revoke_all(store, subject, now,
                                      since ? since : &ignored);
}

static bool
store_session_fits(const struct store_session *session)
{
    return session->user.len <= PST_NAME_MAX &&
           session->browser.len <= STORE_BROWSER_MAX &&
           session->address.len <= STORE_ADDRESS_MAX &&
           session->sealed_name.len <= STORE_SEALED_NAME_MAX;
}

enum pst_err
store_session_replace(struct store *store,
                      const struct store_replacement *replacement,
                      int64_t *since)
{
    PST_REQUIRE(replacement->cap >= 0);
    if (replacement->blob.len > STORE_SPILL_MAX ||
        (!replacement->is_guest && !store_session_fits(replacement->session)))
        return PST_TOO_LARGE;
    return store->backend->replace(store, replacement, since);
}

enum pst_err
store_session_touch(struct store *store, const struct store_use *use)
{
    return store->backend->session_touch(store, use);
}

enum pst_err
store_session_walk(struct store *store, const struct store_id *subject,
                   int64_t now, store_session_fn *callback, void *context)
{
    const struct store_walk walk = {subject, now, callback, context};

    return store->backend->session_walk(store, &walk);
}

static enum pst_err
store_count_session(void *context, const struct store_session *session)
{
    size_t *count = context;

    (void)session;
    (*count)++;
    return PST_OK;
}

enum pst_err
store_session_count(struct store *store, const struct store_id *subject,
                    int64_t now, size_t *count)
{
    size_t found = 0;
    enum pst_err e =
        store_session_walk(store, subject, now, store_count_session, &found);

    if (e)
        return e;
    *count = found;
    return PST_OK;
}

static struct store_spill
make_spill(const struct store_id *sid, int64_t now, struct pst_bytes blob,
           int64_t expires)
{
    return (struct store_spill){
        .sid = sid, .now = now, .blob = blob, .expires = expires};
}

static enum pst_err
store_put_spill(struct store *store, const struct store_spill *spill)
{
    PST_REQUIRE(spill->blob.len > 0);
    if (spill->blob.len > STORE_SPILL_MAX)
        return PST_TOO_LARGE;
    return store->backend->spill_put(store, spill);
}

enum pst_err
store_spill_put(struct store *store, const struct store_id *sid,
                struct pst_bytes blob, int64_t expires, int64_t now)
{
    const struct store_spill spill = make_spill(sid, now, blob, expires);

    return store_put_spill(store, &spill);
}

enum pst_err
store_spill_replace(struct store *store, const struct store_id *sid,
                    struct pst_bytes blob, int64_t expires, int64_t now)
{
    struct store_spill spill = make_spill(sid, now, blob, expires);

    spill.only_replace = true;
    return store_put_spill(store, &spill);
}

enum pst_err
store_spill_get(struct store *store, const struct store_id *sid, int64_t now,
                struct pst_arena *arena, struct pst_bytes *blob)
{
    const struct store_spill spill = {.sid = sid, .now = now};

    return store->backend->spill_get(store, &spill, arena, blob);
}

enum pst_err
store_tokens_put(struct store *store, const struct store_id *sid,
                 struct pst_bytes blob, int64_t expires, int64_t now)
{
    struct store_spill spill = make_spill(sid, now, blob, expires);

    spill.is_tokens = true;
    return store_put_spill(store, &spill);
}

enum pst_err
store_tokens_replace(struct store *store, const struct store_id *sid,
                     struct pst_bytes blob, int64_t expires, int64_t now)
{
    struct store_spill spill = make_spill(sid, now, blob, expires);

    spill.is_tokens = spill.only_replace = true;
    return store_put_spill(store, &spill);
}

enum pst_err
store_tokens_get(struct store *store, const struct store_id *sid, int64_t now,
                 struct pst_arena *arena, struct pst_bytes *blob)
{
    const struct store_spill spill = {
        .sid = sid, .now = now, .is_tokens = true};

    return store->backend->spill_get(store, &spill, arena, blob);
}

static void
store_require_counters(const struct store_counters *counters)
{
    PST_REQUIRE(counters->count >= 1 && counters->count <= STORE_COUNTERS_MAX);
    for (size_t i = 0; i < counters->count; i++) {
        PST_REQUIRE(counters->items[i].rate.limit >= 1 &&
                    counters->items[i].rate.limit <= RATE_LIMIT_MAX);
        PST_REQUIRE(counters->items[i].rate.period >= 1 &&
                    counters->items[i].rate.period <= RATE_PERIOD_MAX);
    }
}

enum pst_err
store_counter_acquire(struct store *store,
                      const struct store_counters *counters,
                      int64_t *retry_after)
{
    store_require_counters(counters);
    return store->backend->acquire(store, counters, retry_after);
}

enum pst_err
store_counter_refund(struct store *store, const struct store_counters *counters)
{
    int64_t in_use;

    store_require_counters(counters);
    PST_REQUIRE(!counters->items[0].as_previous);
    return store->backend->refund(store, counters, &in_use);
}

enum pst_err
store_counter_reset(struct store *store, const struct store_counters *counters,
                    int64_t *in_use)
{
    struct store_counter items[STORE_COUNTERS_MAX];
    const struct store_counters all = {items, counters->count, counters->now};

    store_require_counters(counters);
    for (size_t i = 0; i < counters->count; i++) {
        items[i] = counters->items[i];
        items[i].reset_all = true;
        items[i].as_previous = false;
    }
    return store->backend->refund(store, &all, in_use);
}

enum pst_err
store_sweep(struct store *store, size_t limit, int64_t now,
            struct store_sweep_result *swept)
{
    struct store_sweep_result ignored;

    return store->backend->sweep(store, limit, now, swept ? swept : &ignored);
}
