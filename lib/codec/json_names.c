/* SPDX-License-Identifier: ISC */
/*
 * json_names.c - detect two members of the same name in an object of a JSON
 * text.
 */
#include "codec/json_names.h"

#include <string.h>

#include "base/sort.h"
#include "codec/json_scan.h"

/* Bytes of the shortest member, `"":0,`: so a text has at most this many. */
#define MEMBER_MIN 4

/* FNV-1a, 32 bits. */
#define FNV_START 2166136261U
#define FNV_PRIME 16777619U

void
pst_json_names_init(struct pst_json_names *names, struct pst_arena *arena,
                    struct pst_str text)
{
    names->arena = arena;
    names->text = text;
    names->names = names->inline_names;
    names->count = 0;
    names->size = PST_JSON_NAMES_INLINE;
}

/* Move the names to twice as much memory, on the heap. */
static enum pst_err
json_names_grow(struct pst_json_names *names)
{
    bool is_inline = names->names == names->inline_names;
    size_t most = names->text.len / MEMBER_MIN + 1;
    size_t size = names->size <= most / 2 ? names->size * 2 : most;
    struct pst_buf *heap = &names->heap;
    char *room;

    if (size <= names->size)
        return PST_NO_MEMORY;
    if (is_inline)
        pst_buf_init_heap(heap, names->arena, most * sizeof(*names->names));
    room = pst_buf_reserve(heap, size * sizeof(*names->names) - heap->len);
    if (!room)
        return PST_NO_MEMORY;
    if (is_inline)
        memcpy(room, names->inline_names, sizeof(names->inline_names));
    names->names = (void *)heap->ptr;
    names->size = size;
    return PST_OK;
}

static uint32_t
json_names_hash(struct pst_str raw)
{
    struct pst_json_unescape string = {.rest = PST_STR_NONE};
    uint32_t hash = FNV_START;
    struct pst_str run;
    size_t plain = 0; /* bytes before the first escape */

    for (; plain < raw.len && raw.ptr[plain] != '\\'; plain++)
        hash = (hash ^ (unsigned char)raw.ptr[plain]) * FNV_PRIME;
    string.rest = pst_str_skip(raw, plain);
    while (string.rest.len > 0) {
        PST_REQUIRE(pst_json_unescape_next(&string, &run));
        for (size_t i = 0; i < run.len; i++)
            hash = (hash ^ (unsigned char)run.ptr[i]) * FNV_PRIME;
    }
    return hash;
}

enum pst_err
pst_json_names_add(struct pst_json_names *names, struct pst_str raw)
{
    enum pst_err e;

    if (names->count == names->size) {
        e = json_names_grow(names);
        if (e)
            return e;
    }
    names->names[names->count++] = (struct pst_json_name){
        json_names_hash(raw), (uint32_t)(raw.ptr - names->text.ptr)};
    return PST_OK;
}

/* The rest of a name from `at` on, up to its closing quote. */
static struct pst_str
json_names_rest(const struct pst_json_names *names, size_t at)
{
    const char *text = names->text.ptr + at;
    size_t len = 0;

    while (text[len] != '"')
        len += text[len] == '\\' ? 2 : 1;
    return (struct pst_str){text, len};
}

/* When *run is used up, decode the next run; empty at the string's end. */
static void
json_names_next_run(struct pst_json_unescape *string, struct pst_str *run)
{
    if (run->len == 0 && string->rest.len > 0)
        PST_REQUIRE(pst_json_unescape_next(string, run));
}

/* Compare two strings by what they decode to; the result is memcmp()'s. */
static int
json_names_compare_decoded(struct pst_str a, struct pst_str b)
{
    struct pst_json_unescape string_a = {.rest = a};
    struct pst_json_unescape string_b = {.rest = b};
    struct pst_str run_a = PST_STR("");
    struct pst_str run_b = PST_STR("");

    for (;;) {
        size_t len;
        int order;

        json_names_next_run(&string_a, &run_a);
        json_names_next_run(&string_b, &run_b);
        if (run_a.len == 0 || run_b.len == 0)
            return (run_a.len > 0) - (run_b.len > 0);
        len = run_a.len < run_b.len ? run_a.len : run_b.len;
        order = memcmp(run_a.ptr, run_b.ptr, len);
        if (order != 0)
            return order;
        run_a = pst_str_skip(run_a, len);
        run_b = pst_str_skip(run_b, len);
    }
}

/* Compare the names at two places, and decode only from an escape on. */
static int
json_names_compare(const struct pst_json_names *names, size_t a, size_t b)
{
    const char *text = names->text.ptr;

    while (text[a] == text[b] && text[a] != '"' && text[a] != '\\') {
        a++;
        b++;
    }
    if (text[a] == '\\' || text[b] == '\\')
        return json_names_compare_decoded(json_names_rest(names, a),
                                          json_names_rest(names, b));
    if (text[a] == '"' || text[b] == '"')
        return (text[b] == '"') - (text[a] == '"');
    return (unsigned char)text[a] < (unsigned char)text[b] ? -1 : 1;
}

/* The names of one object, to be sorted. */
struct json_names_object {
    const struct pst_json_names *all;
    struct pst_json_name *names;
};

static bool
json_names_is_less(void *context, size_t a, size_t b)
{
    const struct json_names_object *object = context;
    struct pst_json_name name_a = object->names[a];
    struct pst_json_name name_b = object->names[b];

    if (name_a.hash != name_b.hash)
        return name_a.hash < name_b.hash;
    return json_names_compare(object->all, name_a.at, name_b.at) < 0;
}

static void
json_names_swap(void *context, size_t a, size_t b)
{
    const struct json_names_object *object = context;
    struct pst_json_name name = object->names[a];

    object->names[a] = object->names[b];
    object->names[b] = name;
}

/*
 * A few names are compared each with each. Many are sorted: a hash table could
 * be made slow by a client that chooses names with equal hashes.
 */
bool
pst_json_names_close(struct pst_json_names *names, size_t first, size_t *at)
{
    size_t count = names->count - first;
    struct json_names_object object = {names, names->names + first};
    const struct pst_sort sort = {&object, count, json_names_is_less,
                                  json_names_swap};
    bool is_sorted = count > PST_JSON_NAMES_INLINE;

    names->count = first;
    if (is_sorted)
        pst_sort(&sort);
    for (size_t i = 1; i < count; i++) {
        for (size_t j = is_sorted ? i - 1 : 0; j < i; j++) {
            struct pst_json_name a = object.names[i];
            struct pst_json_name b = object.names[j];

            if (a.hash == b.hash &&
                json_names_compare(names, a.at, b.at) == 0) {
                *at = a.at > b.at ? a.at : b.at;
                return true;
            }
        }
    }
    return false;
}
