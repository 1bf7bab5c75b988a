/* SPDX-License-Identifier: ISC */
/*
 * upload_map.h - which file of a multipart request stands in the place of
 * which variable (GraphQL multipart request specification, "map").
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

/* Bytes that may be passed over to follow all paths: JSON times paths. */
#define UPLOAD_WALK_MAX (64 * 1024 * 1024)

/* One place, such as "variables.a.0.b", in a batch "1.variables.a". */
struct upload_path {
    size_t file;
    size_t request_index;    /* which request of the batch; 0 without one */
    struct pst_str steps;    /* "a.0.b" */
    struct pst_str variable; /* "a" */
};

struct upload_file {
    struct pst_str key; /* the part's name */
    size_t number;      /* what we call it */
    bool is_forwarded;  /* one of its paths passes on */
    bool is_seen;       /* its part has come */
};

struct upload_map {
    struct upload_file files[UPLOAD_FILES_MAX];
    size_t file_count;
    struct upload_path *paths; /* file by file */
    size_t path_count;
};

/*
 * Read a map, and check that each of its paths points below the variables of
 * one of the calls, to a null, and none of them twice.
 *   json      a text that is to be checked yet
 *   is_batch  a path begins with the number of its call
 *   map       set on PST_OK
 *   reason       set on any other: a literal or in the arena
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE (files, paths,
 * UPLOAD_WALK_MAX), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err upload_map_parse(struct pst_arena *arena,
                                           struct pst_str json,
                                           struct upload_map *map,
                                           const char **reason);

PST_MUST_USE enum pst_err
upload_map_check(struct upload_map *map, const struct graphql_request *requests,
                 size_t count, bool is_batch, const char **reason);

/* The file whose part has this name, or NULL. */
struct upload_file *upload_map_find(struct upload_map *map, struct pst_str key);

#endif
