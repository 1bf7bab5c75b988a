/* SPDX-License-Identifier: ISC */
/*
 * backend_identity.h - read who a user is from the backend's response to one of
 * our own documents: id, name, public fields, and when the token ends.
 *
 * A response to a client's document is never read: the client chose what its
 * fields mean.
 */
#ifndef POSTERN_UPSTREAM_BACKEND_IDENTITY_H
#define POSTERN_UPSTREAM_BACKEND_IDENTITY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"
#include "server/config.h"

/* The backend's response to one of our documents. */
struct backend_response {
    int status;
    struct pst_str body; /* absent: it is encoded and cannot be read */
};

/* Who a user is, as the backend says. */
struct backend_identity {
    enum pst_identity known;
    struct pst_str sub;    /* PST_IDENTITY_KNOWN: not empty; else "" */
    struct pst_str name;   /* to display; sub where the backend gives none */
    struct pst_str who;    /* JSON object: the fields that may be public */
    int64_t end;           /* unix seconds: when the token ends; 0: unknown */
    struct pst_str reason; /* of backend_parse_who(), UNKNOWN: what came
                              instead, for the log */
};

/* PST_IDENTITY_UNKNOWN and no fields. */
extern const struct backend_identity backend_identity_unknown;

/* Where an identity is read from. */
struct backend_identity_source {
    struct pst_arena *arena;
    const struct config_backend *backend;
    int64_t now;                               /* unix seconds */
    const struct pst_json *value;              /* of the root field */
    const struct pst_graphql_selection *field; /* the root field */
};

/*
 * Read the identity, or only when the token ends, from one root field.
 *   out     set on PST_OK; UNKNOWN where it cannot be read
 *   reason  set on PST_OK: why it cannot be read, for the log; or NULL
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_read_identity(const struct backend_identity_source *source,
                      struct backend_identity *out, const char **reason);
PST_MUST_USE enum pst_err
backend_read_token_end(const struct backend_identity_source *source,
                       struct backend_identity *out, const char **reason);

/*
 * Read the response to the who document.
 *   out  set on PST_OK; its slices live as long as arena
 * PST_IDENTITY_GUEST needs a clear answer: null for the root field or for an
 * object between it and the user's id, or only errors of the code FORBIDDEN or
 * UNAUTHENTICATED. Any other response without a user is
 * PST_IDENTITY_UNKNOWN.
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
backend_parse_who(struct pst_arena *arena, const struct config *config,
                  int64_t now, const struct backend_response *response,
                  struct backend_identity *out);

/*
 * Write the public fields of a session: {…fields…,"expiresAt":"…"}, the
 * response to a login that was not GraphQL.
 *   who      a JSON object
 *   expires  unix seconds
 */
void backend_emit_public_fields(struct pst_buf *buf, struct pst_str who,
                                int64_t expires);

#endif
