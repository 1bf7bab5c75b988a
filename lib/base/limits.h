/* SPDX-License-Identifier: ISC */
/*
 * limits.h - constants: the largest sizes, counts and times, each with its unit
 * and its source.
 */
#ifndef POSTERN_BASE_LIMITS_H
#define POSTERN_BASE_LIMITS_H

#include <assert.h>

/* Cookies: bytes, and seconds for the age. */
#define PST_COOKIE_MAX 4096               /* name + value: RFC 6265bis 5.6 */
#define PST_COOKIE_ATTRIBUTE_MAX 1024     /* one value: RFC 6265bis 5.6 */
#define PST_COOKIE_AGE_MAX (400L * 86400) /* Max-Age: RFC 6265bis 5.6.2 */
#define PST_COOKIE_HEADER_MAX (64 * 1024) /* a Set-Cookie line: our choice */

/* Tokens: bytes, unless another unit is named. */
#define PST_TOKEN_MAX 8192  /* a bearer token: fits a header line of servers */
#define PST_CLAIMS_MAX 5900 /* the JSON in it: what fits PST_TOKEN_MAX */
#define PST_SID_LEN 16      /* 128 random bits: OWASP ASVS 7.2.3 */
#define PST_NONCE_LEN 12    /* A256GCM: RFC 7518 5.3 */
#define PST_TAG_LEN 16      /* A256GCM: RFC 7518 5.3 */
#define PST_KEY_LEN 32      /* A256GCM and HS256: RFC 7518 5.3 and 3.2 */
#define PST_HASH_LEN 32     /* SHA-256: FIPS 180-4 */
#define PST_SHA1_LEN 20     /* SHA-1: FIPS 180-4 */
#define PST_KID_ID_LEN 8    /* characters before the dot: 48 bits, our choice */
#define PST_KID_MAX 16      /* characters: id, dot, a day of up to 7 digits */

/* Secrets: our choice. */
#define PST_SECRET_MIN 32    /* bytes: as long as the key that is derived */
#define PST_SECRET_MAX 1024  /* bytes */
#define PST_SECRETS_MAX 16   /* secrets in one list, for rotation */
#define PST_AUDIENCE_MAX 255 /* bytes */

/* Sessions: seconds. */
#define PST_CLOCK_SKEW_MAX 60               /* between servers: our choice */
#define PST_LIFETIME_MAX PST_COOKIE_AGE_MAX /* no cookie lives longer */
#define PST_GUEST_REVOKED_TTL 86400 /* keep a guest's logout: our choice */

/*
 * Wrong passwords for one account without a right one in between: this many,
 * then one more each time that an equal share of the period has passed. The
 * number is from NIST SP 800-63B-4 3.2.2, the period is our choice.
 */
#define PST_LOGIN_FAILURES_MAX 100              /* attempts */
#define PST_LOGIN_FAILURES_PERIOD (30L * 86400) /* seconds */

/*
 * Wrong passwords in that period for one account from all known devices
 * together: our choice. Each known device has a PST_LOGIN_FAILURES_MAX of its
 * own, so an attacker who once had the password could register many devices,
 * and guess with each.
 */
#define PST_LOGIN_DEVICE_FAILURES_MAX 1000 /* attempts */

/* Bytes of a folded account name: our choice. Longer names are cut. */
#define PST_NAME_FOLD_MAX 1024

/* JSON and GraphQL: our choice unless another source is named. */
#define PST_JSON_DEPTH 32       /* levels, of a text parsed with json-c */
#define PST_JSON_VALUES 32768   /* values of one text: about 100 bytes each */
#define PST_JSON_SECRET_MIN 16  /* bytes: less is part of other words, too */
#define PST_JSON_TEXT_DEPTH 256 /* levels, of a text that is read as slices */
#define PST_GRAPHQL_DEPTH 200   /* levels, of selections and of values */
#define PST_GRAPHQL_BYTES_MAX (1024 * 1024) /* bytes of a document */
#define PST_GRAPHQL_TOKENS_MAX 15000        /* as in Apollo Router */
/* At the roots of all operations, a fragment counted once per operation. */
#define PST_GRAPHQL_ROOTS_MAX 10000              /* selections */
#define PST_GRAPHQL_ROOT_NAMES_MAX (1024 * 1024) /* bytes of their names */

/* Forms: fields in one body; 64 KiB of arena, a quarter of the budget. */
#define PST_FORM_FIELDS_MAX 2048

/* Fields of a session: bytes, our choice. */
#define PST_SUBJECT_MAX 256          /* user id */
#define PST_NAME_MAX 256             /* name of the user */
#define PST_WHO_MAX 1024             /* public part of the login answer */
#define PST_UPSTREAM_MAX (24 * 1024) /* credentials of the backend */
#define PST_SPILL_MAX (32 * 1024)    /* claims that the store keeps */

/* A request: bytes, our choice. */
#define PST_ARENA_SIZE (256 * 1024)         /* its whole memory budget */
#define PST_BUFFERED_BODY_MAX (1024 * 1024) /* a body held in memory */
#define PST_LOGIN_BODY_MAX (64 * 1024)      /* body of a login */
#define PST_HEADERS_MAX (32 * 1024)         /* header lines of a response */
#define PST_HEADER_COUNT_MAX 512            /* header lines of a response */
#define PST_INTERIM_MAX 16       /* 1xx responses before a final one */
#define PST_PAGE_MAX (32 * 1024) /* an HTML page of ours */
#define PST_RETURN_TO_MAX 2048   /* path after a login */
#define PST_URL_MAX 4096         /* a configured URL */

static_assert(PST_CLAIMS_MAX * 4 / 3 + 256 <= PST_TOKEN_MAX,
              "the largest claims must fit the largest token");
static_assert(PST_COOKIE_MAX <= PST_TOKEN_MAX,
              "a token from a cookie must be accepted");
static_assert(PST_UPSTREAM_MAX + PST_WHO_MAX + 2048 < PST_SPILL_MAX,
              "the fields of a session must fit what the store keeps");
static_assert(PST_LOGIN_BODY_MAX <= PST_BUFFERED_BODY_MAX,
              "the body of a login is held in memory");

#endif
