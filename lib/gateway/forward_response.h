/* SPDX-License-Identifier: ISC */
/*
 * forward_response.h - filter a backend's response: keep the headers that pass
 * to the client or are about its session, and a buffered body.
 */
#ifndef POSTERN_GATEWAY_FORWARD_RESPONSE_H
#define POSTERN_GATEWAY_FORWARD_RESPONSE_H

#include "gateway/context.h"
#include "upstream/credentials.h"

/* How many headers of the backend may pass to the client. */
#define FORWARD_RESPONSE_HEADERS 9

/* Slices live as long as the request's arena. */
struct forward_response {
    int status;
    struct credentials_update update; /* about the backend's session */
    bool encoded;                     /* Content-Encoding other than identity */
    struct pst_str location;          /* of a redirect, for the log */
    struct response_header
        headers[FORWARD_RESPONSE_HEADERS]; /* those that may pass */
    size_t header_count;
    struct pst_str body; /* where it was buffered */
};

/*
 * Keep one header of the backend, if it is on the list of those that pass, or
 * says something about the backend's session. All others are dropped.
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
forward_keep_header(struct pst_arena *arena,
                    const struct config_backend *backend,
                    struct forward_response *response, struct pst_str name,
                    struct pst_str value);

/*
 * Make a buffered body readable: without a byte order mark, and without gzip,
 * which some backends use although we ask for no encoding.
 *   max  bytes of the decoded body
 * Returns PST_OK, also if it stays encoded; PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err forward_decode_body(struct pst_arena *arena,
                                              struct forward_response *response,
                                              size_t max);

/* The Content-Encoding, or absent. */
struct pst_str
forward_content_encoding(const struct forward_response *response);

/* Copy the status and the kept headers to the client's response. */
void forward_copy_head(struct response *res,
                       const struct forward_response *response);

/*
 * Send a buffered response to the client: its status and kept headers.
 *   body  sent in the place of the backend's. Where it is another one, ETag
 *         is removed; a body that is encoded must be sent unchanged
 * Returns PST_OK or what response_begin() and response_write() return.
 */
PST_MUST_USE enum pst_err
forward_send_response(struct response *res,
                      const struct forward_response *response,
                      struct pst_str body);

#endif
