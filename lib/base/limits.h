/* SPDX-License-Identifier: ISC */
/*
 * limits.h - every limit, with its unit and where it comes from.
 */
#ifndef POSTERN_BASE_LIMITS_H
#define POSTERN_BASE_LIMITS_H

#include <assert.h>

/* Cookies (RFC 6265bis 5.6 and 6.1): bytes, seconds. */
#define PST_COOKIE_MAX 4096               /* name and value together */
#define PST_COOKIE_ATTRIBUTE_MAX 1024     /* one attribute's value */
#define PST_COOKIE_AGE_MAX (400L * 86400) /* Max-Age beyond is cut */
#define PST_COOKIE_HEADER_MAX (64 * 1024) /* the line we write is far below */

/* Tokens: bytes. A bearer token may be longer than a cookie can. */
#define PST_TOKEN_MAX 8192
#define PST_CLAIMS_MAX 5900 /* the JSON inside, before sealing */
#define PST_SID_LEN 16      /* 128 random bits: ASVS 7.2.3 */
#define PST_NONCE_LEN 12    /* A256GCM: RFC 7518 5.3 */
#define PST_TAG_LEN 16
#define PST_KEY_LEN 32   /* A256GCM, and HS256's minimum */
#define PST_HASH_LEN 32  /* SHA-256 */
#define PST_KID_ID_LEN 8 /* characters before the dot */
#define PST_KID_MAX 16   /* id, dot, at most 7 digits */

/* Secrets: bytes each, and how many. */
#define PST_SECRET_MIN 32
#define PST_SECRET_MAX 1024
#define PST_SECRETS_MAX 16
#define PST_AUDIENCE_MAX 255

/* Clocks: seconds. */
#define PST_CLOCK_SKEW_MAX 60 /* iat and seen may be ahead by */
#define PST_LIFETIME_MAX PST_COOKIE_AGE_MAX
#define PST_GUEST_REVOKED_TTL                      \
    86400 /* a guest's logout is kept (design 2.4) \
           */

/*
 * Wrong passwords for one account with no right one between them: so many,
 * then one more for each share of the seconds. NIST SP 800-63B-4 3.2.2 has a
 * verifier stop at 100 in a row.
 */
#define PST_LOGIN_FAILURES_MAX 100
#define PST_LOGIN_FAILURES_PERIOD (30L * 86400)

/*
 * Wrong passwords for one account from all the devices that know it: so many
 * in PST_LOGIN_FAILURES_PERIOD. Each device has its own PST_LOGIN_FAILURES_MAX;
 * who collected devices while he had the password gets no more than this.
 */
#define PST_LOGIN_DEVICE_FAILURES_MAX 1000

/* Bytes of a folded account name; longer ones are cut, and share. */
#define PST_NAME_FOLD_MAX 1024

/* JSON and GraphQL. */
#define PST_JSON_DEPTH 32
#define PST_JSON_VALUES 32768   /* of one text; in json-c 100 bytes each */
#define PST_JSON_TEXT_DEPTH 256 /* of one that is read as slices */
#define PST_GRAPHQL_DEPTH 200   /* levels, through fragments; and of values */
#define PST_GRAPHQL_BYTES_MAX (1024 * 1024)
#define PST_GRAPHQL_TOKENS_MAX 15000 /* as Apollo Router */
/* What stands at the roots of a document's operations, those of fragments
 * once for each operation: selections, and bytes of names. */
#define PST_GRAPHQL_ROOTS_MAX 10000
#define PST_GRAPHQL_ROOT_NAMES_MAX (1024 * 1024)

/* Forms: fields in one body; 64 KiB of arena, a quarter of the budget. */
#define PST_FORM_FIELDS_MAX 2048

/* Identity, bytes each, as kept in a session. */
#define PST_SUBJECT_MAX 256
#define PST_NAME_MAX 256
#define PST_WHO_MAX 1024
#define PST_UPSTREAM_MAX (24 * 1024)
#define PST_SPILL_MAX (32 * 1024) /* claims kept in the store */

/* A request: bytes. */
#define PST_ARENA_SIZE (256 * 1024)         /* its whole memory budget */
#define PST_BUFFERED_BODY_MAX (1024 * 1024) /* a body held whole */
#define PST_LOGIN_BODY_MAX (64 * 1024)
#define PST_HEADERS_MAX (32 * 1024) /* reply headers */
#define PST_PAGE_MAX (32 * 1024)    /* an HTML page of ours */
#define PST_RETURN_TO_MAX 2048
#define PST_URL_MAX 4096

static_assert(PST_CLAIMS_MAX * 4 / 3 + 256 <= PST_TOKEN_MAX,
              "the largest claims must fit the largest token");
static_assert(PST_COOKIE_MAX <= PST_TOKEN_MAX,
              "a cookie's token must be readable");
static_assert(PST_UPSTREAM_MAX + PST_WHO_MAX + 2048 < PST_SPILL_MAX,
              "a session's parts must fit what the store keeps");
static_assert(PST_LOGIN_BODY_MAX <= PST_BUFFERED_BODY_MAX,
              "a login is read whole");

#endif
