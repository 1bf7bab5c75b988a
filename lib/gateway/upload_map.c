/* SPDX-License-Identifier: ISC */
/*
 * upload_map.c - the map of a multipart request, checked against what it
 * points into.
 */
#include "gateway/upload_map.h"

#include <assert.h>

#include "codec/json_check.h"
#include "codec/json_slice.h"

static_assert(UPLOAD_FILES_MAX == 64 && UPLOAD_PATHS_MAX == 256,
              "messages below name them");

#define KEY_MAX 200 /* bytes of a key or path with escapes, in the arena */

static enum pst_err
refuse(const char **why, enum pst_err e, const char *text)
{
    *why = e == PST_NO_MEMORY ? pst_err_text(e) : text;
    return e;
}

/* Read. */

/* A key or a path: a string that is not empty. */
static enum pst_err
read_string(struct pst_arena *arena, struct pst_text value,
            struct pst_text *out, const char **why)
{
    enum pst_err e = pst_json_slice_text(arena, value, KEY_MAX, out);

    if (e || out->len == 0)
        return refuse(why, e ? e : PST_MALFORMED,
                      "\"map\" needs texts as its keys and paths");
    return PST_OK;
}

/* The whole path is kept in `steps` until it is checked. */
static enum pst_err
add_path(struct pst_arena *arena, struct upload_map *map, struct pst_text value,
         const char **why)
{
    struct upload_path *path = &map->paths[map->path_count];

    if (map->path_count == UPLOAD_PATHS_MAX)
        return refuse(why, PST_TOO_LARGE, "\"map\" has more than 256 paths");
    map->path_count++;
    *path = (struct upload_path){.file = map->file_count};
    return read_string(arena, value, &path->steps, why);
}

static enum pst_err
add_file(struct pst_arena *arena, struct upload_map *map, struct pst_text key,
         struct pst_text paths, const char **why)
{
    struct upload_file *file = &map->files[map->file_count];
    size_t before = map->path_count;
    /* The key without its quotes is no string: with them it is. */
    struct pst_text quoted = {key.ptr - 1, key.len + 2};
    struct pst_text path;
    enum pst_err e;

    if (map->file_count == UPLOAD_FILES_MAX)
        return refuse(why, PST_TOO_LARGE, "\"map\" has more than 64 files");
    *file = (struct upload_file){.number = map->file_count};
    e = read_string(arena, quoted, &file->key, why);
    while (!e && pst_json_slice_next_element(&paths, &path))
        e = add_path(arena, map, path, why);
    if (e)
        return e;
    if (map->path_count == before)
        return refuse(why, PST_MALFORMED,
                      "each file in \"map\" needs an array of paths");
    map->file_count++;
    return PST_OK;
}

enum pst_err
upload_map_read(struct pst_arena *arena, struct pst_text json,
                struct upload_map *map, const char **why)
{
    struct pst_json_fault fault;
    struct pst_text key, paths;
    enum pst_err e = pst_json_check(arena, json, &json, &fault);

    if (e)
        return refuse(why, e,
                      e == PST_NO_MEMORY ? "" : call_json_why(arena, &fault));
    if (pst_json_slice_kind(json) != PST_JSON_OBJECT)
        return refuse(why, PST_MALFORMED, "\"map\" must be an object");
    map->file_count = map->path_count = 0;
    map->paths = pst_arena_alloc(arena, UPLOAD_PATHS_MAX * sizeof(*map->paths));
    if (!map->paths)
        return refuse(why, PST_NO_MEMORY, "");
    while (!e && pst_json_slice_next_member(&json, &key, &paths))
        e = add_file(arena, map, key, paths, why);
    return e;
}

/* Check. */

/* From a value to what a step names in it. */
static bool
take_step(struct pst_text *value, struct pst_text step)
{
    int64_t index;

    if (pst_json_slice_kind(*value) == PST_JSON_OBJECT)
        return pst_json_slice_member(*value, step, value);
    return pst_text_number(step, &index) == PST_OK &&
           pst_json_slice_element(*value, (size_t)index, value);
}

/* walked: counts the bytes looked at, at each step those of the value again. */
static bool
points_to_null(struct pst_text variables, struct pst_text steps, size_t *walked)
{
    struct pst_text value = variables;
    struct pst_text step;

    while (pst_text_cut(&steps, '.', &step)) {
        *walked += value.len;
        if (*walked > UPLOAD_WALK_MAX || !take_step(&value, step))
            return false;
    }
    return pst_json_slice_kind(value) == PST_JSON_NULL;
}

/* Take the call's number and "variables." off the path. */
static bool
take_start(struct upload_path *path, size_t count, bool is_batch)
{
    static const struct pst_text start = {"variables.", 10};
    struct pst_text number;
    int64_t call = 0;

    if (is_batch) {
        if (!pst_text_cut(&path->steps, '.', &number) ||
            pst_text_number(number, &call) != PST_OK || (size_t)call >= count)
            return false;
    }
    path->call = (size_t)call;
    if (!pst_text_starts(path->steps, start))
        return false;
    path->steps = pst_text_from_octet(path->steps, start.len);
    path->variable =
        pst_text_first(path->steps, pst_text_index(path->steps, '.'));
    return true;
}

static bool
is_twice(const struct upload_map *map, size_t index)
{
    const struct upload_path *path = &map->paths[index];

    for (size_t i = 0; i < index; i++) {
        if (map->paths[i].call == path->call &&
            pst_text_equal(map->paths[i].steps, path->steps))
            return true;
    }
    return false;
}

enum pst_err
upload_map_check(struct upload_map *map, const struct call *calls, size_t count,
                 bool is_batch, const char **why)
{
    size_t walked = 0;

    for (size_t i = 0; i < map->path_count; i++) {
        struct upload_path *path = &map->paths[i];
        bool is_null;

        if (!take_start(path, count, is_batch))
            return refuse(why, PST_MALFORMED,
                          is_batch
                              ? "a path in \"map\" must begin with the number "
                                "of a request and \"variables.\""
                              : "a path in \"map\" must begin with "
                                "\"variables.\"");
        is_null =
            points_to_null(calls[path->call].variables, path->steps, &walked);
        if (walked > UPLOAD_WALK_MAX)
            return refuse(why, PST_TOO_LARGE,
                          "\"map\" has too many paths for variables of this "
                          "size");
        if (!is_null)
            return refuse(why, PST_MALFORMED,
                          "a path in \"map\" points to no null in the "
                          "variables");
        if (is_twice(map, i))
            return refuse(why, PST_DUPLICATE,
                          "\"map\" puts two files in one place");
    }
    return PST_OK;
}

struct upload_file *
upload_map_find(struct upload_map *map, struct pst_text key)
{
    for (size_t i = 0; i < map->file_count; i++) {
        if (pst_text_equal(map->files[i].key, key))
            return &map->files[i];
    }
    return NULL;
}
