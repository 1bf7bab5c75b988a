/* SPDX-License-Identifier: ISC */
/*
 * json.c - the only file that calls json-c: parsed JSON as json-c values.
 *
 * json-c never sees the text: pst_json_check() checks it, and the values are
 * built in a second pass. For json-c's own parser (0.16, strict, validating
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
    struct pst_json_scan scan; /* of a checked text: no step can fail */
    size_t values;             /* built so far */
    struct pst_buf scratch; /* the newest text that json-c wants with a NUL */
};

static enum pst_err json_build_value(struct json_builder *builder, size_t depth,
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
json_build_string(struct json_builder *builder, struct json_object **out)
{
    struct pst_str string;
    enum pst_err e = PST_OK;

    PST_REQUIRE(pst_json_scan_string(&builder->scan, &string));
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
json_build_number(struct json_builder *builder, struct json_object **out)
{
    struct pst_str text;
    int64_t value;
    enum pst_err e;
    bool whole;

    PST_REQUIRE(pst_json_scan_number(&builder->scan, &text, &whole));
    if (whole && pst_json_slice_integer(text, &value) == PST_OK)
        return json_check_created(builder, json_object_new_int64(value), out);
    e = json_decode(builder, text, &text);
    return e ? e
             : json_check_created(builder,
                                  json_object_new_double_s(0.0, text.ptr), out);
}

static enum pst_err
json_build_literal(struct json_builder *builder, struct json_object **out)
{
    bool is_true = pst_json_scan_literal(&builder->scan, PST_STR("true"));

    if (!is_true && pst_json_scan_literal(&builder->scan, PST_STR("null")))
        return PST_OK; /* *out is NULL */
    PST_REQUIRE(is_true ||
                pst_json_scan_literal(&builder->scan, PST_STR("false")));
    return json_check_created(builder, json_object_new_boolean(is_true), out);
}

/*
 * Add a value to a container.
 *   name  of the member, not decoded; ignored for an array
 */
static enum pst_err
json_add_value(struct json_builder *builder, struct json_object *container,
               struct pst_str name, struct json_object *value)
{
    enum pst_err e;

    if (!pst_arena_may_alloc(builder->arena))
        return PST_NO_MEMORY;
    if (json_object_is_type(container, json_type_array))
        return json_object_array_add(container, value) ? PST_NO_MEMORY : PST_OK;
    e = json_decode(builder, name, &name);
    if (!e && json_object_object_add_ex(container, name.ptr, value,
                                        JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0)
        e = PST_NO_MEMORY;
    return e;
}

static enum pst_err
json_build_item(struct json_builder *builder, size_t depth,
                struct json_object *container)
{
    struct json_object *value = NULL;
    struct pst_str name = PST_STR_NONE;
    enum pst_err e;

    if (json_object_is_type(container, json_type_object)) {
        PST_REQUIRE(pst_json_scan_string(&builder->scan, &name));
        pst_json_scan_skip_space(&builder->scan);
        PST_REQUIRE(pst_json_scan_accept(&builder->scan, ':'));
        pst_json_scan_skip_space(&builder->scan);
    }
    e = json_build_value(builder, depth, &value);
    if (!e)
        e = json_add_value(builder, container, name, value);
    if (e)
        json_release_value(value);
    return e;
}

/* Build an object or an array, after its opening bracket. */
static enum pst_err
json_build_container(struct json_builder *builder, char close, size_t depth,
                     struct json_object **out)
{
    enum pst_err e;

    if (depth == PST_JSON_DEPTH)
        return PST_MALFORMED;
    e = json_check_created(
        builder,
        close == '}' ? json_object_new_object() : json_object_new_array(), out);
    pst_json_scan_skip_space(&builder->scan);
    while (!e && !pst_json_scan_accept(&builder->scan, close)) {
        e = json_build_item(builder, depth + 1, *out);
        pst_json_scan_skip_space(&builder->scan);
        if (pst_json_scan_accept(&builder->scan, ','))
            pst_json_scan_skip_space(&builder->scan);
    }
    return e;
}

/*
 * Build the next value.
 *   depth  how many containers it is in
 *   out    NULL at first; the caller releases it, also on failure
 */
static enum pst_err
json_build_value(struct json_builder *builder, size_t depth,
                 struct json_object **out)
{
    int c = pst_json_scan_peek(&builder->scan);

    if (builder->values++ == PST_JSON_VALUES)
        return PST_TOO_LARGE;
    if (pst_json_scan_accept(&builder->scan, '{'))
        return json_build_container(builder, '}', depth, out);
    if (pst_json_scan_accept(&builder->scan, '['))
        return json_build_container(builder, ']', depth, out);
    if (c == '"')
        return json_build_string(builder, out);
    if (c == '-' || (c >= '0' && c <= '9'))
        return json_build_number(builder, out);
    return json_build_literal(builder, out);
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
    builder.scan.text = value;
    pst_buf_init_heap(&builder.scratch, arena, value.len + 1);
    e = json_build_value(&builder, 0, &root);
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
