/* SPDX-License-Identifier: ISC */
/*
 * upload_map.c - parse the "map" of a GraphQL multipart request, and check its
 * paths against the variables.
 */
#include "gateway/upload_map.h"

#include <assert.h>

#include "codec/json_check.h"
#include "codec/json_slice.h"

static_assert(UPLOAD_FILES_MAX == 64 && UPLOAD_PATHS_MAX == 256,
              "messages below name them");

#define KEY_MAX 200 /* bytes of a key or path with escapes, in the arena */

static enum pst_err
refuse_upload_map(const char **reason, enum pst_err e, const char *text)
{
    *reason = e == PST_NO_MEMORY ? pst_err_text(e) : text;
    return e;
}

/* Parsing. */

/* Parse a key or a path: a string that is not empty. */
static enum pst_err
parse_map_string(struct pst_arena *arena, struct pst_str value,
                 struct pst_str *out, const char **reason)
{
    enum pst_err e = pst_json_slice_string(arena, value, KEY_MAX, out);

    if (e || out->len == 0)
        return refuse_upload_map(
            reason, e ? e : PST_MALFORMED,
            "the keys and paths of \"map\" must be strings "
            "that are not empty");
    return PST_OK;
}

/* `steps` holds the whole path until upload_map_check(). */
static enum pst_err
upload_map_add_path(struct pst_arena *arena, struct upload_map *map,
                    struct pst_str value, const char **reason)
{
    struct upload_path *path = &map->paths[map->path_count];

    if (map->path_count == UPLOAD_PATHS_MAX)
        return refuse_upload_map(reason, PST_TOO_LARGE,
                                 "\"map\" has more than 256 paths");
    map->path_count++;
    *path = (struct upload_path){.file = map->file_count};
    return parse_map_string(arena, value, &path->steps, reason);
}

static enum pst_err
upload_map_add_file(struct pst_arena *arena, struct upload_map *map,
                    struct pst_str key, struct pst_str paths,
                    const char **reason)
{
    struct upload_file *file = &map->files[map->file_count];
    size_t before = map->path_count;
    /* pst_json_slice_string() needs the quotes around the key. */
    struct pst_str quoted = {key.ptr - 1, key.len + 2};
    struct pst_str path;
    enum pst_err e;

    if (map->file_count == UPLOAD_FILES_MAX)
        return refuse_upload_map(reason, PST_TOO_LARGE,
                                 "\"map\" has more than 64 files");
    *file = (struct upload_file){.number = map->file_count};
    e = parse_map_string(arena, quoted, &file->key, reason);
    while (!e && pst_json_slice_next_element(&paths, &path))
        e = upload_map_add_path(arena, map, path, reason);
    if (e)
        return e;
    if (map->path_count == before)
        return refuse_upload_map(
            reason, PST_MALFORMED,
            "each file in \"map\" needs an array of paths");
    map->file_count++;
    return PST_OK;
}

enum pst_err
upload_map_parse(struct pst_arena *arena, struct pst_str json,
                 struct upload_map *map, const char **reason)
{
    struct pst_json_error error;
    struct pst_str key, paths;
    enum pst_err e =
        pst_json_check(arena, pst_json_skip_mark(json), &json, &error);

    if (e)
        return refuse_upload_map(
            reason, e,
            e == PST_NO_MEMORY ? ""
                               : graphql_request_json_error(arena, &error));
    if (pst_json_slice_kind(json) != PST_JSON_OBJECT)
        return refuse_upload_map(reason, PST_MALFORMED,
                                 "\"map\" must be an object");
    map->file_count = map->path_count = 0;
    map->paths = pst_arena_alloc(arena, UPLOAD_PATHS_MAX * sizeof(*map->paths));
    if (!map->paths)
        return refuse_upload_map(reason, PST_NO_MEMORY, "");
    while (!e && pst_json_slice_next_member(&json, &key, &paths))
        e = upload_map_add_file(arena, map, key, paths, reason);
    return e;
}

/* Checking. */

/* Move from a value to its member or element that a step names. */
static bool
follow_path_step(struct pst_str *value, struct pst_str step)
{
    int64_t index;

    if (pst_json_slice_kind(*value) == PST_JSON_OBJECT)
        return pst_json_slice_member(*value, step, value);
    return pst_str_parse_number(step, &index) == PST_OK &&
           pst_json_slice_element(*value, (size_t)index, value);
}

/* bytes_walked counts the bytes scanned: each step scans its value again. */
static bool
path_points_to_null(struct pst_str variables, struct pst_str steps,
                    size_t *bytes_walked)
{
    struct pst_str value = variables;
    struct pst_str step;

    while (pst_str_split(&steps, '.', &step)) {
        *bytes_walked += value.len;
        if (*bytes_walked > UPLOAD_WALK_MAX || !follow_path_step(&value, step))
            return false;
    }
    return pst_json_slice_kind(value) == PST_JSON_NULL;
}

/* Remove the request's index and "variables." from the path. */
static bool
strip_path_prefix(struct upload_path *path, size_t count, bool is_batch)
{
    static const struct pst_str start = {"variables.", 10};
    struct pst_str number;
    int64_t request_index = 0;

    if (is_batch) {
        if (!pst_str_split(&path->steps, '.', &number) ||
            pst_str_parse_number(number, &request_index) != PST_OK ||
            (size_t)request_index >= count)
            return false;
    }
    path->request_index = (size_t)request_index;
    if (!pst_str_starts(path->steps, start))
        return false;
    path->steps = pst_str_skip(path->steps, start.len);
    path->variable =
        pst_str_first(path->steps, pst_str_index(path->steps, '.'));
    return true;
}

static bool
path_is_duplicate(const struct upload_map *map, size_t index)
{
    const struct upload_path *path = &map->paths[index];

    for (size_t i = 0; i < index; i++) {
        if (map->paths[i].request_index == path->request_index &&
            pst_str_equal(map->paths[i].steps, path->steps))
            return true;
    }
    return false;
}

enum pst_err
upload_map_check(struct upload_map *map, const struct graphql_request *requests,
                 size_t count, bool is_batch, const char **reason)
{
    size_t bytes_walked = 0;

    for (size_t i = 0; i < map->path_count; i++) {
        struct upload_path *path = &map->paths[i];
        bool is_null;

        if (!strip_path_prefix(path, count, is_batch))
            return refuse_upload_map(
                reason, PST_MALFORMED,
                is_batch ? "a path in \"map\" must begin with the index "
                           "of a request and \"variables.\""
                         : "a path in \"map\" must begin with "
                           "\"variables.\"");
        is_null = path_points_to_null(requests[path->request_index].variables,
                                      path->steps, &bytes_walked);
        if (bytes_walked > UPLOAD_WALK_MAX)
            return refuse_upload_map(
                reason, PST_TOO_LARGE,
                "\"map\" has too many paths for variables of this "
                "size");
        if (!is_null)
            return refuse_upload_map(
                reason, PST_MALFORMED,
                "a path in \"map\" does not point to a null in the variables");
        if (path_is_duplicate(map, i))
            return refuse_upload_map(reason, PST_DUPLICATE,
                                     "\"map\" has the same path twice");
    }
    return PST_OK;
}

struct upload_file *
upload_map_find(struct upload_map *map, struct pst_str key)
{
    for (size_t i = 0; i < map->file_count; i++) {
        if (pst_str_equal(map->files[i].key, key))
            return &map->files[i];
    }
    return NULL;
}
