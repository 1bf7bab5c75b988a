/* SPDX-License-Identifier: ISC */
/*
 * json_names.c - detect two members of the same name in an object of a JSON
 * text.
 */
#include "codec/json_names.h"

#include <string.h>

#include "base/siphash.h"
#include "base/sort.h"
#include "codec/json_scan.h"

/* Bytes of the shortest member, `"":0,`: so a text has at most this many. */
#define MEMBER_MIN 4

/* Names are distributed by so many bits of their hashes at a time. */
#define BUCKET_BITS 8
#define BUCKETS (1 << BUCKET_BITS)
#define HASH_BITS 32

/* Names of up to so many bytes, among few, have a quick hash: that it is easy
 * to find equal ones costs little then. */
#define QUICK_MAX 16

/* The key is not secret. It costs a client 4 billion hashes for each name whose
 * hash is to be that of another: a slower sort is not worth that. */
static const struct pst_siphash_key names_key = {{0, 0}};

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

/* With any names, equal hashes are rare. */
static uint32_t
json_names_strong_hash(struct pst_str raw)
{
    size_t plain = pst_str_index(raw, '\\'); /* bytes before an escape */
    struct pst_json_unescape string = {.rest = pst_str_skip(raw, plain)};
    struct pst_siphash_state hash;
    struct pst_str run;

    pst_siphash_init(&hash, &names_key);
    pst_siphash_add(&hash, pst_str_bytes(pst_str_first(raw, plain)));
    while (string.rest.len > 0) {
        PST_REQUIRE(pst_json_unescape_next(&string, &run));
        pst_siphash_add(&hash, pst_str_bytes(run));
    }
    return (uint32_t)pst_siphash_finish(&hash);
}

/* The hash of a decoded name. */
static uint32_t
json_names_quick_hash(struct pst_str name)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < name.len; i++)
        hash = hash * 31 + (unsigned char)name.ptr[i];
    return hash;
}

/* The hash of a name among few ones. */
static uint32_t
json_names_hash(struct pst_str raw)
{
    char storage[QUICK_MAX];
    struct pst_buf name;
    bool lone;

    if (pst_str_index(raw, '\\') == raw.len)
        return raw.len <= QUICK_MAX ? json_names_quick_hash(raw)
                                    : json_names_strong_hash(raw);
    pst_buf_init(&name, storage, sizeof(storage));
    PST_REQUIRE(pst_json_unescape_all(&name, raw, &lone));
    return name.err ? json_names_strong_hash(raw)
                    : json_names_quick_hash(pst_buf_str(&name));
}

/* Are there so few names that they have quick hashes? */
static bool
json_names_is_inline(const struct pst_json_names *names)
{
    return names->names == names->inline_names;
}

/* Move the names to twice as much memory, on the heap. There, all have strong
 * hashes. */
static enum pst_err
json_names_grow(struct pst_json_names *names)
{
    bool is_inline = json_names_is_inline(names);
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
    for (size_t i = 0; is_inline && i < names->count; i++)
        names->names[i].hash =
            json_names_strong_hash(json_names_rest(names, names->names[i].at));
    return PST_OK;
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
        json_names_is_inline(names) ? json_names_hash(raw)
                                    : json_names_strong_hash(raw),
        (uint32_t)(raw.ptr - names->text.ptr)};
    return PST_OK;
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

/* Names of one object, to be sorted. */
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

/* Are two of these names equal? Compares each with each if they are not
 * sorted. */
static bool
json_names_find_equal(const struct json_names_object *object, size_t count,
                      bool is_sorted, size_t *at)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = is_sorted ? i - 1 : 0; j < i; j++) {
            struct pst_json_name a = object->names[i];
            struct pst_json_name b = object->names[j];

            if (a.hash == b.hash &&
                json_names_compare(object->all, a.at, b.at) == 0) {
                *at = a.at > b.at ? a.at : b.at;
                return true;
            }
        }
    }
    return false;
}

/*
 * Move each name to the bucket of one byte of its hash, in place ("American
 * flag sort").
 *   ends  set to where each bucket ends
 */
static void
json_names_distribute(struct pst_json_name *names, size_t count, unsigned shift,
                      uint32_t ends[static BUCKETS])
{
    uint32_t next[BUCKETS] = {0}; /* where each bucket's next name goes */
    uint32_t begin = 0;

    for (size_t i = 0; i < count; i++)
        next[names[i].hash >> shift & (BUCKETS - 1)]++;
    for (size_t i = 0; i < BUCKETS; i++) {
        uint32_t size = next[i];

        next[i] = begin;
        begin += size;
        ends[i] = begin;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (next[i] < ends[i]) {
            struct pst_json_name name = names[next[i]];
            size_t bucket = name.hash >> shift & (BUCKETS - 1);

            names[next[i]] = names[next[bucket]];
            names[next[bucket]++] = name;
        }
    }
}

/*
 * Are two of these names equal? A few are compared each with each. Many are
 * distributed over buckets by one byte of their hashes, and those of a bucket
 * by the next byte. Those with equal hashes are sorted by their texts.
 *   shift  of the byte; negative: all hashes are equal
 */
static bool
json_names_search(const struct json_names_object *object, size_t count,
                  int shift, size_t *at)
{
    const struct pst_sort sort = {(void *)(uintptr_t)object, count,
                                  json_names_is_less, json_names_swap};
    uint32_t ends[BUCKETS];
    uint32_t begin = 0;

    if (count <= PST_JSON_NAMES_INLINE)
        return json_names_find_equal(object, count, false, at);
    if (shift < 0) {
        pst_sort(&sort);
        return json_names_find_equal(object, count, true, at);
    }
    json_names_distribute(object->names, count, (unsigned)shift, ends);
    for (size_t i = 0; i < BUCKETS; i++) {
        const struct json_names_object bucket = {object->all,
                                                 object->names + begin};

        if (json_names_search(&bucket, ends[i] - begin, shift - BUCKET_BITS,
                              at))
            return true;
        begin = ends[i];
    }
    return false;
}

bool
pst_json_names_close(struct pst_json_names *names, size_t first, size_t *at)
{
    const struct json_names_object object = {names, names->names + first};
    size_t count = names->count - first;

    names->count = first;
    return json_names_search(&object, count, HASH_BITS - BUCKET_BITS, at);
}
