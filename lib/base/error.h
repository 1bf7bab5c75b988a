/* SPDX-License-Identifier: ISC */
/*
 * error.h - the error codes, each with its HTTP status, a name for JSON, and a
 * text for clients.
 *
 * Clients read the text. So it never says why a token was refused, nor what a
 * backend answered: an attacker could learn from that.
 */
#ifndef POSTERN_BASE_ERROR_H
#define POSTERN_BASE_ERROR_H

#include "base/base.h"

/* X(code, status, name, text). The names are part of the interface. */
#define PST_ERRORS(X)                                                     \
    X(PST_OK, 200, "OK", "done")                                          \
    X(PST_MALFORMED, 400, "BAD_REQUEST", "the request is malformed")      \
    X(PST_DUPLICATE, 400, "BAD_REQUEST", "a field is given twice")        \
    X(PST_LOGIN_SHAPE, 400, "LOGIN_SHAPE",                                \
      "this form of login mutation is not supported")                     \
    X(PST_SECRET_FIELD, 400, "SECRET_FIELD",                              \
      "the document selects a field that holds a secret")                 \
    X(PST_DOCUMENT_NOT_ALLOWED, 400, "DOCUMENT_NOT_ALLOWED",              \
      "only documents of the manifest are allowed")                       \
    X(PST_HASH_MISMATCH, 400, "BAD_REQUEST",                              \
      "provided sha does not match query")                                \
    X(PST_PARSE_FAILED, 400, "GRAPHQL_PARSE_FAILED",                      \
      "the GraphQL document cannot be parsed")                            \
    X(PST_PERSISTED_NOT_FOUND, 200, "PERSISTED_QUERY_NOT_FOUND",          \
      "PersistedQueryNotFound")                                           \
    X(PST_PERSISTED_NOT_SUPPORTED, 200, "PERSISTED_QUERY_NOT_SUPPORTED",  \
      "PersistedQueryNotSupported")                                       \
    X(PST_FORGED, 401, "UNAUTHENTICATED", "the session is not valid")     \
    X(PST_EXPIRED, 401, "UNAUTHENTICATED", "the session is not valid")    \
    X(PST_REVOKED, 401, "UNAUTHENTICATED", "the session is not valid")    \
    X(PST_REFUSED, 401, "UNAUTHENTICATED",                                \
      "the e-mail address or the password is wrong")                      \
    X(PST_NO_SESSION, 401, "UNAUTHENTICATED", "there is no session")      \
    X(PST_CROSS_SITE, 403, "CROSS_SITE",                                  \
      "the request comes from a site that is not allowed")                \
    X(PST_STALE_FORM, 403, "CROSS_SITE",                                  \
      "the form is out of date, please send it again")                    \
    X(PST_FORBIDDEN, 403, "FORBIDDEN", "this account has no access here") \
    X(PST_STORE_FORBIDS, 403, "STORE_UNAVAILABLE",                        \
      "sessions cannot be checked at the moment")                         \
    X(PST_NOT_FOUND, 404, "NOT_FOUND", "there is nothing at this path")   \
    X(PST_BAD_METHOD, 405, "METHOD_NOT_ALLOWED",                          \
      "this method is not allowed here")                                  \
    X(PST_BODY_LATE, 408, "REQUEST_TIMEOUT",                              \
      "the request did not arrive in time")                               \
    X(PST_TOO_LARGE, 413, "TOO_LARGE", "the request is too large")        \
    X(PST_BAD_TYPE, 415, "UNSUPPORTED_TYPE",                              \
      "the content type is missing or not supported here")                \
    X(PST_THROTTLED, 429, "TOO_MANY_ATTEMPTS",                            \
      "too many attempts, please wait")                                   \
    X(PST_INTERNAL, 500, "INTERNAL", "internal error of this server")     \
    X(PST_NO_RANDOM, 500, "INTERNAL", "internal error of this server")    \
    X(PST_BAD_CONFIG, 500, "INTERNAL", "internal error of this server")   \
    X(PST_UPSTREAM_DOWN, 502, "UPSTREAM_UNREACHABLE",                     \
      "the backend cannot be reached")                                    \
    X(PST_UPSTREAM_BROKEN, 502, "UPSTREAM_INVALID",                       \
      "the backend sent an invalid answer")                               \
    X(PST_UPSTREAM_TIMEOUT, 504, "UPSTREAM_TIMEOUT",                      \
      "the backend did not answer in time")                               \
    X(PST_STORE_DOWN, 503, "STORE_UNAVAILABLE",                           \
      "sessions cannot be checked at the moment")                         \
    X(PST_UNCONFIRMED, 503, "STORE_UNAVAILABLE",                          \
      "the user of this session cannot be confirmed at the moment")       \
    X(PST_NO_MEMORY, 503, "OVERLOADED", "too busy, please try again")     \
    X(PST_OVERLOADED, 503, "OVERLOADED", "too busy, please try again")    \
    X(PST_CLIENT_GONE, 499, "CLIENT_GONE", "the client closed the connection")

#define PST_ERROR_ENUM(code, status, name, text) code,
enum pst_err { PST_ERRORS(PST_ERROR_ENUM) PST_ERR_COUNT };
#undef PST_ERROR_ENUM

/* The HTTP status of e, 200..599. */
int pst_err_status(enum pst_err e);

/* The name in errors[].extensions.code, such as "BAD_REQUEST". */
const char *pst_err_name(enum pst_err e);

/* An English sentence without a full stop, for clients. */
const char *pst_err_text(enum pst_err e);

/* The name of the enumerator, such as "PST_FORGED", for logs and tests. */
const char *pst_err_code(enum pst_err e);

#endif
