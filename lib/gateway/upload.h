/* SPDX-License-Identifier: ISC */
/*
 * upload.h - read a GraphQL multipart request, and stream its files into a new
 * multipart body in bounded memory.
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

/* The boundary of the new body: this prefix and the request's id. */
#define UPLOAD_BOUNDARY_PREFIX "postern-"
#define UPLOAD_BOUNDARY_LEN \
    (sizeof(UPLOAD_BOUNDARY_PREFIX) - 1 + REQUEST_ID_LEN)

#define UPLOAD_PART_HEAD_MAX 4096 /* bytes; escapes make names longer */

struct upload {
    struct pst_multipart reader;
    struct pst_str operations; /* unchecked JSON, as sent */
    struct pst_str map_json;   /* unchecked JSON, as sent; "{}" if absent */
    struct upload_map map;     /* the caller parses and checks it */

    char *piece;       /* buffer for bytes of the client's body */
    struct pst_str in; /* bytes in it that are not parsed yet */
    bool has_part;     /* a file's header is parsed, and not yet written */
    bool is_dropped;   /* the current file is not forwarded */
    bool is_ended;     /* the client's body is read to its end */

    char boundary[UPLOAD_BOUNDARY_LEN + 1];
    struct pst_search
        boundary_search; /* finds our boundary in files: refused */
    char *head;          /* buffer for part headers */
    struct pst_str out;  /* bytes for upload_read() to return next */
    const char *reason;  /* set if upload_read() fails: a literal */
};

/*
 * Read the body up to the first file.
 *   max     limit of "operations" and "map" together, in bytes
 *   upload  set on PST_OK; in the request's arena
 *   reason  set on errors: what is wrong, a literal
 * Returns PST_OK; PST_MALFORMED (as pst_multipart_next(), or the second part is
 * not "map"); PST_TOO_LARGE (max, or the whole body); PST_CLIENT_GONE;
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err upload_open(struct request *req, size_t max,
                                      struct upload **upload,
                                      const char **reason);

/* Begin the new body.
 *   head  the parts before the first file; must stay valid until it is read */
void upload_begin(struct upload *upload, struct pst_str head);

/*
 * Read the next bytes of the new body. It contains the files whose is_forwarded
 * is set in the map; each part is named by the file's number.
 *   out, size  where to write, and how many bytes at most
 *   len        set on PST_OK; 0 at the end of the body
 * Returns as request_read_body(); PST_DUPLICATE (a file sent twice);
 * PST_MALFORMED (as pst_multipart_next(), a file that is not in the map, a bad
 * file name, our boundary in a file, a truncated body). On errors
 * upload->reason is set.
 */
PST_MUST_USE enum pst_err upload_read(struct request *req,
                                      struct upload *upload, char *out,
                                      size_t size, size_t *len);

#endif
