/* SPDX-License-Identifier: ISC */
/*
 * pieces.c - the pieces of work that one query consists of, with fixed input.
 */
#include "pieces.h"

#include <gcrypt.h>
#include <stdio.h>
#include <string.h>

#include "codec/json_check.h"
#include "crypto/crypto.h"
#include "crypto/token.h"
#include "fixture.h"
#include "graphql/parser.h"
#include "http/cookie.h"
#include "session/claims.h"
#include "stores.h"

#define REVOKED 1000 /* sessions in the store */

/* A request of 192 bytes, and its document. */
#define DOCUMENT                                                          \
    "query ActiveOrder($id: ID!) { activeOrder(id: $id) { id code state " \
    "lines { id sku name price { amount currency } inStock } } }"
#define BODY                                                   \
    "{\"operationName\":\"ActiveOrder\",\"query\":\"" DOCUMENT \
    "\",\"variables\":{\"id\":\"42\"}}"

static const char *const settings[] = {"POSTERN_TOKEN_METHOD=cookie", NULL};
static const struct auth_grant grant = {
    .sub = {"4711", 4},
    .name = {"someone@example.com", 19},
    .who = {"{\"email\":\"someone@example.com\",\"ownerId\":\"4711\"}", 48},
    .upstream = {"\"tok_0123456789abcdef0123456789ab\"", 34}};

static struct {
    struct fixture fixture;
    struct fixture_session tokens;
    struct stores stores;
    struct pst_arena *arena; /* reset by each piece that uses it */
    struct document_lookup *uncached;
    struct pst_str cookies;   /* the value of the header Cookie */
    char variable[8400];      /* HTTP_COOKIE=… */
    struct pst_str token;     /* the session's */
    struct pst_token_use use; /* how it opens */
    char claims[PST_CLAIMS_MAX];
    size_t claims_len;
    uint8_t hash[PST_HASH_LEN]; /* of DOCUMENT */
    struct store_id sid;
    struct store_id subject;

    /* For libgcrypt alone. */
    gcry_cipher_hd_t cipher;
    uint8_t sealed[PST_CLAIMS_MAX];
    uint8_t tag[PST_TAG_LEN];
    size_t header_len; /* of the token: authenticated, not encrypted */
} input;

static const uint8_t key[PST_KEY_LEN] = "a key of 32 bytes, for tests onl";
static const uint8_t nonce[PST_NONCE_LEN] = "12 bytes....";

static void
begin_gcrypt(gcry_cipher_hd_t cipher)
{
    PST_REQUIRE(gcry_cipher_setiv(cipher, nonce, sizeof(nonce)) == 0);
    PST_REQUIRE(gcry_cipher_authenticate(cipher, input.token.ptr,
                                         input.header_len) == 0);
}

static void
decrypt(gcry_cipher_hd_t cipher)
{
    static uint8_t out[PST_CLAIMS_MAX];

    begin_gcrypt(cipher);
    PST_REQUIRE(gcry_cipher_decrypt(cipher, out, input.claims_len, input.sealed,
                                    input.claims_len) == 0);
    PST_REQUIRE(gcry_cipher_checktag(cipher, input.tag, PST_TAG_LEN) == 0);
}

static void
run_gcrypt(void)
{
    decrypt(input.cipher);
}

static void
run_gcrypt_new(void)
{
    gcry_cipher_hd_t cipher;

    PST_REQUIRE(gcry_cipher_open(&cipher, GCRY_CIPHER_AES256,
                                 GCRY_CIPHER_MODE_GCM, 0) == 0);
    PST_REQUIRE(gcry_cipher_setkey(cipher, key, sizeof(key)) == 0);
    decrypt(cipher);
    gcry_cipher_close(cipher);
}

static void
run_token_open(void)
{
    struct pst_str claims;

    PST_REQUIRE(pst_token_open(&input.use, input.arena, input.token, &claims,
                               NULL) == PST_OK);
    pst_arena_reset(input.arena);
}

/* Refuse a tag and a MAC of which one byte is wrong. */
static void
refuse_tag(size_t wrong)
{
    static uint8_t out[PST_CLAIMS_MAX];
    const struct pst_bytes header = {(const uint8_t *)input.token.ptr,
                                     input.header_len};
    const struct pst_bytes sealed = {input.sealed, input.claims_len};
    uint8_t tag[PST_TAG_LEN];

    memcpy(tag, input.tag, sizeof(tag));
    tag[wrong] ^= 1;
    PST_REQUIRE(pst_crypto_open(key, nonce, header, sealed,
                                (struct pst_bytes){tag, sizeof(tag)},
                                out) == PST_FORGED);
}

static void
refuse_mac(size_t wrong)
{
    uint8_t mac[PST_HASH_LEN];

    memcpy(mac, input.hash, sizeof(mac));
    mac[wrong] ^= 1;
    PST_REQUIRE(
        !pst_crypto_equal((struct pst_bytes){mac, sizeof(mac)},
                          (struct pst_bytes){input.hash, sizeof(input.hash)}));
}

static void
run_tag_first(void)
{
    refuse_tag(0);
}

static void
run_tag_last(void)
{
    refuse_tag(PST_TAG_LEN - 1);
}

static void
run_mac_first(void)
{
    refuse_mac(0);
}

static void
run_mac_last(void)
{
    refuse_mac(PST_HASH_LEN - 1);
}

static void
run_claims_parse(void)
{
    struct pst_session session;

    PST_REQUIRE(
        pst_claims_parse(input.arena,
                         (struct pst_str){input.claims, input.claims_len},
                         &session) == PST_OK);
    pst_arena_reset(input.arena);
}

static void
run_cookie_scan(void)
{
    struct pst_str rest = input.cookies;
    struct pst_str name;
    struct pst_str value;
    size_t count = 0;

    while (pst_cookie_next(&rest, &name, &value))
        count++;
    PST_REQUIRE(count == 4);
}

static void
run_json_check(void)
{
    struct pst_json_error error;
    struct pst_str value;

    PST_REQUIRE(pst_json_check(input.arena, PST_STR(BODY), &value, &error) ==
                PST_OK);
    pst_arena_reset(input.arena);
}

static void
run_graphql_parse(void)
{
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;

    PST_REQUIRE(pst_graphql_parse(input.arena, PST_STR(DOCUMENT), &document,
                                  &error) == PST_OK);
    pst_arena_reset(input.arena);
}

static void
find_text(struct document_lookup *documents)
{
    const struct pst_graphql_summary *summary;
    struct pst_graphql_error error;

    PST_REQUIRE(document_lookup_read(documents, input.arena, PST_STR(DOCUMENT),
                                     &summary, &error) == PST_OK);
    pst_arena_reset(input.arena);
}

static void
run_document_new(void)
{
    find_text(input.uncached);
}

static void
run_document_text(void)
{
    find_text(input.fixture.ctx.documents);
}

static void
run_document_hash(void)
{
    const struct pst_graphql_summary *summary;

    PST_REQUIRE(document_lookup_find_hash(input.fixture.ctx.documents,
                                          input.arena, input.hash,
                                          &summary) == PST_OK);
    pst_arena_reset(input.arena);
}

static void
run_store_check(void)
{
    PST_REQUIRE(store_check(input.fixture.ctx.store, &input.sid, &input.subject,
                            FIXTURE_NOW) == PST_OK);
}

static void
run_authenticate(void)
{
    struct auth auth;

    PST_REQUIRE(fixture_enter(&input.fixture, &auth, "REQUEST_METHOD=POST",
                              input.variable,
                              "HTTP_SEC_FETCH_SITE=same-origin") == PST_OK);
    PST_REQUIRE(auth.has_session);
}

const struct piece pieces[] = {
    {"gcrypt", "libgcrypt alone: AES-256-GCM of the session", run_gcrypt},
    {"gcrypt-new", "the same with a new handle and key", run_gcrypt_new},
    {"token-open", "open the token", run_token_open},
    {"claims-parse", "read its claims", run_claims_parse},
    {"cookie-scan", "scan four cookies", run_cookie_scan},
    {"json-check", "check a JSON body of 192 bytes", run_json_check},
    {"graphql-parse", "parse its document, 126 bytes", run_graphql_parse},
    {"document-new", "parse and analyze it", run_document_new},
    {"document-text", "find the document by its text", run_document_text},
    {"document-hash", "find it by its hash", run_document_hash},
    {"store-check", "is the session revoked? (LMDB)", run_store_check},
    {"authenticate", "read the request, and all of that for its session",
     run_authenticate},
    {"tag-first", "refuse a tag for its first byte", run_tag_first},
    {"tag-last", "refuse a tag for its last byte", run_tag_last},
    {"mac-first", "refuse a MAC for its first byte", run_mac_first},
    {"mac-last", "refuse a MAC for its last byte", run_mac_last},
};
const size_t piece_count = PST_COUNT(pieces);

static void
prepare_token(void)
{
    static const char *const before = "HTTP_COOKIE=theme=dark; visits=17; ";
    const char *pair = strchr(input.tokens.cookie, '=') + 1;
    struct pst_str claims;

    (void)snprintf(input.variable, sizeof(input.variable), "%s%s; language=en",
                   before, pair);
    input.cookies = pst_str_from(strchr(input.variable, '=') + 1);
    input.token = pst_str_from(strchr(pair, '=') + 1);
    input.use = (struct pst_token_use){input.fixture.ctx.ring,
                                       PST_PURPOSE_COOKIE, PST_TOKEN_SEALED};
    PST_REQUIRE(pst_token_open(&input.use, input.arena, input.token, &claims,
                               NULL) == PST_OK);
    memcpy(input.claims, claims.ptr, claims.len);
    input.claims_len = claims.len;
    pst_arena_reset(input.arena);
}

static void
prepare_gcrypt(void)
{
    input.header_len = pst_str_index(input.token, '.');
    PST_REQUIRE(gcry_cipher_open(&input.cipher, GCRY_CIPHER_AES256,
                                 GCRY_CIPHER_MODE_GCM, 0) == 0);
    PST_REQUIRE(gcry_cipher_setkey(input.cipher, key, sizeof(key)) == 0);
    begin_gcrypt(input.cipher);
    PST_REQUIRE(gcry_cipher_encrypt(input.cipher, input.sealed,
                                    input.claims_len, input.claims,
                                    input.claims_len) == 0);
    PST_REQUIRE(gcry_cipher_gettag(input.cipher, input.tag, PST_TAG_LEN) == 0);
}

static void
prepare_store(void)
{
    struct store *store;

    stores_start(&input.stores, STORE_LMDB, NULL);
    store = input.fixture.ctx.store = stores_open(&input.stores, "bench");
    for (unsigned i = 0; i < REVOKED; i++) {
        struct store_id id = stores_id(i);

        PST_REQUIRE(store_revoke(store, &id, NULL, FIXTURE_NOW + 86400,
                                 FIXTURE_NOW) == PST_OK);
    }
    input.sid = stores_id(REVOKED);
    input.subject = stores_id(REVOKED + 1);
}

static void
prepare_documents(void)
{
    const struct document_lookup_options options = {
        .rules = &input.fixture.config->backend.rules};
    const struct pst_graphql_summary *summary;
    struct pst_graphql_error error;
    char reason[256];

    PST_REQUIRE(document_lookup_new(&input.uncached, &options, reason,
                                    sizeof(reason)) == PST_OK);
    pst_crypto_sha256(pst_str_bytes(PST_STR(DOCUMENT)), input.hash);
    PST_REQUIRE(document_lookup_persist(
                    input.fixture.ctx.documents, input.arena, PST_STR(DOCUMENT),
                    input.hash, &summary, &error) == PST_OK);
    pst_arena_reset(input.arena);
}

void
pieces_init(void)
{

    fixture_init(&input.fixture, settings);
    PST_REQUIRE(pst_arena_new(&input.arena, PST_ARENA_SIZE) == PST_OK);
    prepare_store();
    fixture_begin_with(&input.fixture, &grant, &input.tokens);
    prepare_token();
    prepare_gcrypt();
    prepare_documents();
}

void
pieces_fini(void)
{
    gcry_cipher_close(input.cipher);
    store_close(&input.fixture.ctx.store);
    stores_stop(&input.stores);
    pst_arena_free(&input.arena);
    document_lookup_free(&input.uncached);
    fixture_fini(&input.fixture);
}
