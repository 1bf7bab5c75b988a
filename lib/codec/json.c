/* SPDX-License-Identifier: ISC */
/*
 * json.c - the door to json-c: parsed JSON as json-c values.
 *
 * json-c never sees the text: pst_json_check() checks it, and the values are
 * built from its slices. For json-c's own parser (0.16, strict, validating
 * UTF-8) accepts NaN, Infinity, 00, -01, -.5, 1., names in single quotes, raw
 * control characters, overlong UTF-8 and anything after a NUL. It keeps the
 * last of two members of the same name, cuts a name at a NUL and clamps large
 * integers. When memory runs out, it crashes or returns a cut string.
 */
#include "codec/json.h"

#include <json-c/json.h>
#include <string.h>

#include "base/limits.h"
#include "codec/json_check.h"
#include "codec/json_scan.h"

/*
 * json-c represents null by a NULL pointer, so the address of json_null_value
 * is our null. Every other struct pst_json is a struct json_object.
 */
struct pst_json {
    char mark;
};

static const struct pst_json json_null_value;

static const struct pst_json *
json_wrap(const struct json_object *value)
{
    return value ? (const void *)value : &json_null_value;
}

/* json-c wants a pointer to non-const even where it only reads. */
static struct json_object *
json_unwrap(const struct pst_json *value)
{
    return value == &json_null_value ? NULL
                                     : (struct json_object *)(uintptr_t)value;
}

/* Wipe all strings: passwords and tokens must not stay in freed memory. */
static void
json_wipe_value(struct json_object *value)
{
    const struct lh_entry *entry;

    if (json_object_is_type(value, json_type_string)) {
        explicit_bzero((void *)(uintptr_t)json_object_get_string(value),
                       (size_t)json_object_get_string_len(value));
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_wipe_value(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        for (entry = lh_table_head(json_object_get_object(value)); entry;
             entry = lh_entry_next(entry))
            json_wipe_value(lh_entry_v(entry));
    }
}

static void
json_release_value(void *handle)
{
    json_wipe_value(handle);
    json_object_put(handle);
}

/* What building values needs. */
struct json_builder {
    struct pst_arena *arena;
    size_t values;          /* built so far */
    struct pst_buf scratch; /* the newest text that json-c wants with a NUL */
};

static enum pst_err json_build_value(struct json_builder *builder,
                                     struct pst_str text, size_t depth,
                                     struct json_object **out);

/* Pass on a value that json-c has made: NULL where memory ran out. */
static enum pst_err
json_check_created(const struct json_builder *builder,
                   struct json_object *value, struct json_object **out)
{
    *out = value;
    return value && pst_arena_may_alloc(builder->arena) ? PST_OK
                                                        : PST_NO_MEMORY;
}

/*
 * Decode a string into scratch, with a NUL after it.
 *   raw  the bytes between its quotes
 *   out  valid until the next use of scratch
 */
static enum pst_err
json_decode(struct json_builder *builder, struct pst_str raw,
            struct pst_str *out)
{
    enum pst_err e;
    bool lone;

    pst_buf_truncate(&builder->scratch, 0);
    PST_REQUIRE(pst_json_unescape_all(&builder->scratch, raw, &lone));
    pst_buf_add_char(&builder->scratch, '\0');
    e = pst_buf_finish(&builder->scratch, out);
    if (!e)
        out->len--;
    return e;
}

static enum pst_err
json_build_string(struct json_builder *builder, struct pst_str text,
                  struct json_object **out)
{
    struct pst_str string = {text.ptr + 1, text.len - 2};

    enum pst_err e = PST_OK;

    if (pst_str_index(string, '\\') < string.len)
        e = json_decode(builder, string, &string);
    if (e)
        return e;
    return json_check_created(
        builder, json_object_new_string_len(string.ptr, (int)string.len), out);
}

/*
 * A number that does not fit int64_t keeps its spelling, and so does "-0". Its
 * value is never needed, and computing it would depend on the locale.
 */
static enum pst_err
json_build_number(struct json_builder *builder, struct pst_str text,
                  struct json_object **out)
{
    struct pst_str spelling;
    int64_t value;
    enum pst_err e;

    if (!pst_str_equal(text, PST_STR("-0")) &&
        pst_json_slice_integer(text, &value) == PST_OK)
        return json_check_created(builder, json_object_new_int64(value), out);
    e = json_decode(builder, text, &spelling);
    if (e)
        return e;
    return json_check_created(builder,
                              json_object_new_double_s(0.0, spelling.ptr), out);
}

static enum pst_err
json_add_member(struct json_builder *builder, struct json_object *object,
                struct pst_str raw_name, struct json_object *value)
{
    struct pst_str name;
    enum pst_err e = json_decode(builder, raw_name, &name);

    if (e)
        return e;
    if (!pst_arena_may_alloc(builder->arena) ||
        json_object_object_add_ex(object, name.ptr, value,
                                  JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0)
        return PST_NO_MEMORY;
    return PST_OK;
}

static enum pst_err
json_add_element(struct json_builder *builder, struct json_object *array,
                 struct json_object *value)
{
    return pst_arena_may_alloc(builder->arena) &&
                   json_object_array_add(array, value) == 0
               ? PST_OK
               : PST_NO_MEMORY;
}

static enum pst_err
json_build_values(struct json_builder *builder, struct pst_str text,
                  size_t depth, struct json_object *container)
{
    bool is_object = json_object_is_type(container, json_type_object);
    struct pst_str name = PST_STR_NONE;
    struct pst_str slice;

    while (is_object ? pst_json_slice_next_member(&text, &name, &slice)
                     : pst_json_slice_next_element(&text, &slice)) {
        struct json_object *value = NULL;
        enum pst_err e = json_build_value(builder, slice, depth, &value);

        if (!e)
            e = is_object ? json_add_member(builder, container, name, value)
                          : json_add_element(builder, container, value);
        if (e) {
            json_release_value(value);
            return e;
        }
    }
    return PST_OK;
}

static enum pst_err
json_build_container(struct json_builder *builder, struct pst_str text,
                     size_t depth, struct json_object **out)
{
    enum pst_err e;

    if (depth == PST_JSON_DEPTH)
        return PST_MALFORMED;
    e = json_check_created(builder,
                           pst_json_slice_kind(text) == PST_JSON_OBJECT
                               ? json_object_new_object()
                               : json_object_new_array(),
                           out);
    return e ? e : json_build_values(builder, text, depth + 1, *out);
}

/*
 * Build the value of a checked text.
 *   depth  how many containers it is in
 *   out    NULL, or the caller's to release: also on failure
 */
static enum pst_err
json_build_value(struct json_builder *builder, struct pst_str text,
                 size_t depth, struct json_object **out)
{
    if (builder->values++ == PST_JSON_VALUES)
        return PST_TOO_LARGE;
    switch (pst_json_slice_kind(text)) {
    case PST_JSON_OBJECT:
    case PST_JSON_ARRAY:
        return json_build_container(builder, text, depth, out);
    case PST_JSON_STRING:
        return json_build_string(builder, text, out);
    case PST_JSON_INTEGER:
    case PST_JSON_NUMBER:
        return json_build_number(builder, text, out);
    case PST_JSON_BOOL:
        return json_check_created(
            builder, json_object_new_boolean(text.ptr[0] == 't'), out);
    case PST_JSON_NULL:
    case PST_JSON_ABSENT:
        break;
    }
    *out = NULL;
    return PST_OK;
}

enum pst_err
pst_json_parse(struct pst_arena *arena, struct pst_str text,
               const struct pst_json **out)
{
    struct json_builder builder = {.arena = arena};
    struct json_object *root = NULL;
    struct pst_json_error error;
    struct pst_str value;
    enum pst_err e;

    if (text.len > INT32_MAX) /* json-c takes an int */
        return PST_MALFORMED;
    e = pst_json_check(arena, text, &value, &error);
    if (e) /* too large: deeper than PST_JSON_TEXT_DEPTH */
        return e == PST_TOO_LARGE ? PST_MALFORMED : e;
    pst_buf_init_heap(&builder.scratch, arena, value.len + 1);
    e = json_build_value(&builder, value, 0, &root);
    if (!e && root)
        e = pst_arena_defer(arena, json_release_value, root);
    if (e) {
        json_release_value(root);
        return e;
    }
    *out = json_wrap(root);
    return PST_OK;
}

enum pst_json_kind
pst_json_kind(const struct pst_json *value)
{
    static const enum pst_json_kind kinds[] = {
        [json_type_null] = PST_JSON_NULL,
        [json_type_boolean] = PST_JSON_BOOL,
        [json_type_int] = PST_JSON_INTEGER,
        [json_type_double] = PST_JSON_NUMBER,
        [json_type_string] = PST_JSON_STRING,
        [json_type_array] = PST_JSON_ARRAY,
        [json_type_object] = PST_JSON_OBJECT,
    };

    return value ? kinds[json_object_get_type(json_unwrap(value))]
                 : PST_JSON_ABSENT;
}

struct pst_str
pst_json_string(const struct pst_json *value)
{
    if (pst_json_kind(value) != PST_JSON_STRING)
        return PST_STR_NONE;
    return (struct pst_str){
        json_object_get_string(json_unwrap(value)),
        (size_t)json_object_get_string_len(json_unwrap(value)),
    };
}

enum pst_err
pst_json_integer(const struct pst_json *value, int64_t *out)
{
    if (pst_json_kind(value) != PST_JSON_INTEGER)
        return PST_MALFORMED;
    *out = json_object_get_int64(json_unwrap(value));
    return PST_OK;
}

struct pst_str
pst_json_number(const struct pst_json *value)
{
    if (pst_json_kind(value) != PST_JSON_NUMBER)
        return PST_STR_NONE;
    return pst_str_from(json_object_get_userdata(json_unwrap(value)));
}

enum pst_err
pst_json_bool(const struct pst_json *value, bool *out)
{
    if (pst_json_kind(value) != PST_JSON_BOOL)
        return PST_MALFORMED;
    *out = json_object_get_boolean(json_unwrap(value));
    return PST_OK;
}

size_t
pst_json_count(const struct pst_json *value)
{
    if (pst_json_kind(value) == PST_JSON_OBJECT)
        return (size_t)json_object_object_length(json_unwrap(value));
    if (pst_json_kind(value) == PST_JSON_ARRAY)
        return json_object_array_length(json_unwrap(value));
    return 0;
}

const struct pst_json *
pst_json_element(const struct pst_json *value, size_t index)
{
    PST_REQUIRE(pst_json_kind(value) == PST_JSON_ARRAY);
    PST_REQUIRE(index < pst_json_count(value));
    return json_wrap(json_object_array_get_idx(json_unwrap(value), index));
}

struct pst_json_members
pst_json_members(const struct pst_json *value)
{
    struct json_object *object =
        pst_json_kind(value) == PST_JSON_OBJECT ? json_unwrap(value) : NULL;

    return (struct pst_json_members){
        object ? lh_table_head(json_object_get_object(object)) : NULL};
}

bool
pst_json_next_member(struct pst_json_members *rest, struct pst_str *name,
                     const struct pst_json **value)
{
    const struct lh_entry *entry = rest->next;

    if (!entry)
        return false;
    *name = pst_str_from(lh_entry_k(entry));
    *value = json_wrap(lh_entry_v(entry));
    rest->next = lh_entry_next(entry);
    return true;
}

const struct pst_json *
pst_json_get(const struct pst_json *value, struct pst_str name)
{
    struct pst_json_members members = pst_json_members(value);
    const struct pst_json *member;
    struct pst_str found;

    while (pst_json_next_member(&members, &found, &member)) {
        if (pst_str_equal(found, name))
            return member;
    }
    return NULL;
}

const struct pst_json *
pst_json_member(const struct pst_json *value, size_t index,
                struct pst_str *name)
{
    struct pst_json_members members = pst_json_members(value);
    const struct pst_json *member;

    do {
        PST_REQUIRE(pst_json_next_member(&members, name, &member));
    } while (index-- > 0);
    return member;
}
