/* SPDX-License-Identifier: ISC */
/*
 * upload_map.h - the "map" of a GraphQL multipart request: which file is the
 * value of which variables (GraphQL multipart request specification).
 */
#ifndef POSTERN_GATEWAY_UPLOAD_MAP_H
#define POSTERN_GATEWAY_UPLOAD_MAP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "gateway/graphql_request_fields.h"

#define UPLOAD_FILES_MAX 64
#define UPLOAD_PATHS_MAX 256 /* of all files together */

/* Bytes of JSON that may be scanned to follow all paths. Without a limit the
 * work is the size of the JSON times the number of paths. */
#define UPLOAD_WALK_MAX (64 * 1024 * 1024)

/* One path, such as "variables.a.0.b", or in a batch "1.variables.a". */
struct upload_path {
    size_t file;             /* index in upload_map.files */
    size_t request_index;    /* in the batch; 0 without a batch */
    struct pst_str steps;    /* "a.0.b" */
    struct pst_str variable; /* "a" */
};

struct upload_file {
    struct pst_str key; /* the part's name */
    size_t number;      /* its part's name in the new body */
    bool is_forwarded;  /* at least one of its paths is forwarded */
    bool is_seen;       /* its part has been read */
};

struct upload_map {
    struct upload_file files[UPLOAD_FILES_MAX];
    size_t file_count;
    struct upload_path *paths; /* in the order of files */
    size_t path_count;
};

/*
 * Parse a map. Its paths are checked by upload_map_check().
 *   json    unchecked JSON
 *   map     set on PST_OK
 *   reason  set on errors: what is wrong, a literal or in the arena
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE
 * (UPLOAD_FILES_MAX, UPLOAD_PATHS_MAX), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err upload_map_parse(struct pst_arena *arena,
                                           struct pst_str json,
                                           struct upload_map *map,
                                           const char **reason);

/*
 * Check that each path points to a null in the variables of a request, and that
 * no two paths are equal; split the paths into their fields.
 *   requests, count  what the paths point into
 *   is_batch         a path begins with the index of its request
 *   reason           set on errors: a literal
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE
 * (UPLOAD_WALK_MAX).
 */
PST_MUST_USE enum pst_err
upload_map_check(struct upload_map *map, const struct graphql_request *requests,
                 size_t count, bool is_batch, const char **reason);

/* Find a file by the name of its part. Returns NULL if there is none. */
struct upload_file *upload_map_find(struct upload_map *map, struct pst_str key);

#endif
