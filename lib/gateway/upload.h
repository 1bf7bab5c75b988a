/* SPDX-License-Identifier: ISC */
/*
 * upload.h - a multipart request: its "operations" and "map" are read, its
 * files pass in bounded memory, below part heads of our own.
 */
#ifndef POSTERN_GATEWAY_UPLOAD_H
#define POSTERN_GATEWAY_UPLOAD_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "gateway/upload_map.h"
#include "http/multipart.h"
#include "http/stream_search.h"
#include "server/request.h"

/* What begins a boundary of ours, and the request's id. */
#define UPLOAD_BOUNDARY_PREFIX "postern-"
#define UPLOAD_BOUNDARY_LEN \
    (sizeof(UPLOAD_BOUNDARY_PREFIX) - 1 + REQUEST_ID_LEN)

#define UPLOAD_PART_HEAD_MAX 4096 /* bytes: names grow by escapes */

struct upload {
    struct pst_multipart reader;
    struct pst_str operations; /* as they came; JSON that nobody checked */
    struct pst_str map_json;   /* likewise; "{}" when there is none */
    struct upload_map map;     /* for the caller to read and check */

    char *piece;       /* of the client's body */
    struct pst_str in; /* of it, what the reader has not seen */
    bool has_part;     /* a file's head was read, and not yet written */
    bool is_dropped;   /* the file that comes passes to nobody */
    bool is_ended;     /* all of the client's body was read */

    char boundary[UPLOAD_BOUNDARY_LEN + 1];
    struct pst_search
        boundary_search; /* our delimiter, which no file may have */
    char *head;          /* of a part, as we write it */
    struct pst_str out;  /* written, and not yet given out */
    const char *reason;  /* set when upload_read() fails: a literal */
};

/*
 * Read up to the first file.
 *   max     bytes of operations and map together
 *   upload  set on PST_OK; lives as long as the request
 *   reason     set on any other: a literal
 * Returns PST_OK; PST_MALFORMED (as pst_multipart_next(), another second part
 * than "map"); PST_TOO_LARGE (max; the request's body); PST_CLIENT_GONE;
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err upload_open(struct request *req, size_t max,
                                      struct upload **upload,
                                      const char **reason);

/* Begin the new body with what comes before the first file. */
void upload_begin(struct upload *upload, struct pst_str head);

/*
 * The new body's next piece; *len 0 is its end. Only files of the map whose
 * is_forwarded is set are in it, each by its number.
 * Returns as request_read_body(), and PST_MALFORMED: as pst_multipart_next(), a
 * file that is not in the map or comes twice, a name that is not UTF-8, our
 * own delimiter, a body that ends too early.
 */
PST_MUST_USE enum pst_err upload_read(struct request *req,
                                      struct upload *upload, char *out,
                                      size_t size, size_t *len);

#endif
