/* SPDX-License-Identifier: ISC */
/*
 * json.c - JSON (RFC 8259) read into json-c's values, and written again.
 *
 * The text is read here, and json-c only keeps what was read. Its own
 * tokener (0.16, strict and validating UTF-8) takes NaN, Infinity, 00, -01,
 * -.5, 1., names in single quotes, raw control characters, overlong UTF-8 and
 * anything after a NUL; keeps the last of two members; cuts a name at a NUL;
 * clamps large integers; and, where memory runs out, crashes or reports
 * success for a string that lacks its end.
 */
#include "codec/json.h"

#include <json-c/json.h>
#include <string.h>

#include "base/limits.h"
#include "codec/json_scan.h"

/*
 * json-c's null is no object at all, so ours is the address of this one.
 * Every other struct pst_json is a struct json_object under another name.
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

/* json-c asks for a writable object even where it only reads. */
static struct json_object *
json_unwrap(const struct pst_json *value)
{
    return value == &json_null_value ? NULL
                                     : (struct json_object *)(uintptr_t)value;
}

static const struct lh_entry *
json_first_member(const struct json_object *object)
{
    return lh_table_head(json_object_get_object(object));
}

static struct pst_str
json_member_name(const struct lh_entry *member)
{
    return pst_str_from(lh_entry_k(member));
}

static struct json_object *
json_member_value(const struct lh_entry *member)
{
    return (struct json_object *)lh_entry_v(member);
}

/* Passwords and tokens are strings: they are not left lying in the heap. */
static void
json_wipe_value(struct json_object *value)
{
    const struct lh_entry *member;

    if (json_object_is_type(value, json_type_string)) {
        explicit_bzero((void *)(uintptr_t)json_object_get_string(value),
                       (size_t)json_object_get_string_len(value));
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_wipe_value(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        for (member = json_first_member(value); member;
             member = lh_entry_next(member))
            json_wipe_value(json_member_value(member));
    }
}

static void
json_release_value(void *handle)
{
    json_wipe_value(handle);
    json_object_put(handle);
}

/* What parsing needs: `scratch` is a stack of decoded, NUL-ended texts. */
struct reader {
    struct pst_arena *arena;
    struct pst_json_scan scan;
    size_t values; /* read so far */
    struct pst_buf scratch;
};

static enum pst_err json_parse_value(struct reader *reader, size_t depth,
                                     struct json_object **out);

/* What was pushed onto the scratch since `start`, without its NUL. */
static struct pst_str
json_scratch_since(const struct reader *reader, size_t start)
{
    struct pst_str all = pst_buf_str(&reader->scratch);

    return (struct pst_str){all.ptr + start, all.len - start - 1};
}

/* Decode raw onto the scratch; *lone as in struct pst_json_unescape. */
static enum pst_err
json_scratch_push_string(struct reader *reader, struct pst_str raw, bool *lone)
{
    struct pst_json_unescape string = {.rest = raw};
    struct pst_str run;

    while (string.rest.len > 0) {
        if (!pst_json_unescape_next(&string, &run))
            return PST_MALFORMED;
        pst_buf_add(&reader->scratch, run);
    }
    pst_buf_add_char(&reader->scratch, '\0');
    *lone = string.lone;
    return reader->scratch.err;
}

/* Give out what json-c has made, if it could. */
static enum pst_err
json_check_created(struct reader *reader, struct json_object *value,
                   struct json_object **out)
{
    if (!value || !pst_arena_may_alloc(reader->arena)) {
        json_release_value(value);
        return PST_NO_MEMORY;
    }
    *out = value;
    return PST_OK;
}

static enum pst_err
json_parse_string(struct reader *reader, struct json_object **out)
{
    size_t start = reader->scratch.len;
    struct pst_str text;
    enum pst_err e;
    bool lone;

    if (!pst_json_scan_string(&reader->scan, &text))
        return PST_MALFORMED;
    if (pst_str_index(text, '\\') < text.len) {
        e = json_scratch_push_string(reader, text, &lone);
        if (e)
            return e;
        text = json_scratch_since(reader, start);
        pst_buf_truncate(&reader->scratch, start);
    }
    return json_check_created(
        reader, json_object_new_string_len(text.ptr, (int)text.len), out);
}

/*
 * A number that is no int64_t keeps its spelling. Nobody here asks for its
 * value, so none is computed: that would depend on the locale.
 */
static enum pst_err
json_parse_number(struct reader *reader, struct json_object **out)
{
    size_t start = reader->scratch.len;
    struct pst_str text;
    int64_t value;
    bool whole;

    if (!pst_json_scan_number(&reader->scan, &text, &whole))
        return PST_MALFORMED;
    /* "-0" is kept as it was spelled, too. */
    if (whole && !pst_str_equal(text, PST_STR("-0")) &&
        pst_json_slice_integer(text, &value) == PST_OK)
        return json_check_created(reader, json_object_new_int64(value), out);
    pst_buf_add(&reader->scratch, text);
    pst_buf_add_char(&reader->scratch, '\0');
    if (reader->scratch.err)
        return reader->scratch.err;
    text = json_scratch_since(reader, start);
    pst_buf_truncate(&reader->scratch, start);
    return json_check_created(reader, json_object_new_double_s(0.0, text.ptr),
                              out);
}

static enum pst_err
json_parse_literal(struct reader *reader, struct json_object **out)
{
    if (pst_json_scan_literal(&reader->scan, PST_STR("true")))
        return json_check_created(reader, json_object_new_boolean(true), out);
    if (pst_json_scan_literal(&reader->scan, PST_STR("false")))
        return json_check_created(reader, json_object_new_boolean(false), out);
    if (!pst_json_scan_literal(&reader->scan, PST_STR("null")))
        return PST_MALFORMED;
    *out = NULL;
    return PST_OK;
}

/*
 * A member's name onto the scratch. json-c would cut it at a NUL, and lone
 * halves of different surrogate pairs would become one and the same name.
 */
static enum pst_err
json_scratch_push_name(struct reader *reader, const struct json_object *object)
{
    size_t start = reader->scratch.len;
    struct pst_str raw, name;
    enum pst_err e;
    bool lone;

    if (!pst_json_scan_string(&reader->scan, &raw))
        return PST_MALFORMED;
    e = json_scratch_push_string(reader, raw, &lone);
    if (e)
        return e;
    name = json_scratch_since(reader, start);
    if (lone || pst_str_index(name, '\0') < name.len)
        return PST_MALFORMED;
    if (json_object_object_get_ex(object, name.ptr, NULL))
        return PST_DUPLICATE;
    return PST_OK;
}

static enum pst_err
json_parse_member(struct reader *reader, size_t depth,
                  struct json_object *object)
{
    size_t start = reader->scratch.len;
    struct json_object *value = NULL;
    enum pst_err e;

    pst_json_scan_skip_space(&reader->scan);
    e = json_scratch_push_name(reader, object);
    if (e)
        return e;
    pst_json_scan_skip_space(&reader->scan);
    if (!pst_json_scan_accept(&reader->scan, ':'))
        return PST_MALFORMED;
    e = json_parse_value(reader, depth, &value);
    if (e)
        return e;
    if (!pst_arena_may_alloc(reader->arena) ||
        json_object_object_add_ex(object, json_scratch_since(reader, start).ptr,
                                  value, JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0) {
        json_release_value(value);
        return PST_NO_MEMORY;
    }
    pst_buf_truncate(&reader->scratch, start);
    return PST_OK;
}

static enum pst_err
json_parse_element(struct reader *reader, size_t depth,
                   struct json_object *array)
{
    struct json_object *value = NULL;
    enum pst_err e = json_parse_value(reader, depth, &value);

    if (e)
        return e;
    if (!pst_arena_may_alloc(reader->arena) ||
        json_object_array_add(array, value) != 0) {
        json_release_value(value);
        return PST_NO_MEMORY;
    }
    return PST_OK;
}

/* What tells an object from an array. */
struct container {
    char close;
    struct json_object *(*make)(void);
    enum pst_err (*read)(struct reader *reader, size_t depth,
                         struct json_object *container);
};

static const struct container containers[] = {
    {'}', json_object_new_object, json_parse_member},
    {']', json_object_new_array, json_parse_element},
};

static enum pst_err
json_parse_items(struct reader *reader, const struct container *container,
                 size_t depth, struct json_object *value)
{
    enum pst_err e;

    pst_json_scan_skip_space(&reader->scan);
    if (pst_json_scan_accept(&reader->scan, container->close))
        return PST_OK;
    do {
        e = container->read(reader, depth, value);
        if (e)
            return e;
    } while (pst_json_scan_accept(&reader->scan, ','));
    return pst_json_scan_accept(&reader->scan, container->close)
               ? PST_OK
               : PST_MALFORMED;
}

static enum pst_err
json_parse_container(struct reader *reader, const struct container *container,
                     size_t depth, struct json_object **out)
{
    struct json_object *value;
    enum pst_err e;

    if (depth == PST_JSON_DEPTH)
        return PST_MALFORMED;
    e = json_check_created(reader, container->make(), &value);
    if (e)
        return e;
    e = json_parse_items(reader, container, depth + 1, value);
    if (e) {
        json_release_value(value);
        return e;
    }
    *out = value;
    return PST_OK;
}

/* One value, `depth` boxes deep, and the white space around it. */
static enum pst_err
json_parse_value(struct reader *reader, size_t depth, struct json_object **out)
{
    enum pst_err e;
    int c;

    if (reader->values++ == PST_JSON_VALUES)
        return PST_TOO_LARGE;
    pst_json_scan_skip_space(&reader->scan);
    c = pst_json_scan_peek(&reader->scan);
    if (pst_json_scan_accept(&reader->scan, '{'))
        e = json_parse_container(reader, &containers[0], depth, out);
    else if (pst_json_scan_accept(&reader->scan, '['))
        e = json_parse_container(reader, &containers[1], depth, out);
    else if (c == '"')
        e = json_parse_string(reader, out);
    else if (c == '-' || (c >= '0' && c <= '9'))
        e = json_parse_number(reader, out);
    else
        e = json_parse_literal(reader, out);
    pst_json_scan_skip_space(&reader->scan);
    return e;
}

enum pst_err
pst_json_parse(struct pst_arena *arena, struct pst_str text,
               const struct pst_json **out)
{
    struct reader reader = {.arena = arena, .scan = {.text = text}};
    struct json_object *root = NULL;
    enum pst_err e;

    if (text.len > INT32_MAX || !pst_str_is_utf8(text))
        return PST_MALFORMED;
    pst_buf_init_heap(&reader.scratch, arena, text.len + PST_JSON_DEPTH + 1);
    e = json_parse_value(&reader, 0, &root);
    if (!e && pst_json_scan_peek(&reader.scan) >= 0)
        e = PST_MALFORMED;
    if (!e && root)
        e = pst_arena_defer(arena, json_release_value, root);
    if (e) {
        json_release_value(root);
        return e;
    }
    *out = json_wrap(root);
    return PST_OK;
}

static const struct pst_json *
json_resolve_token(const struct json_object *value, struct pst_str token)
{
    const struct lh_entry *member;
    size_t index;

    if (json_object_is_type(value, json_type_array)) {
        if (!pst_json_pointer_token_index(token, &index) ||
            index >= json_object_array_length(value))
            return NULL;
        return json_wrap(json_object_array_get_idx(value, index));
    }
    if (!json_object_is_type(value, json_type_object))
        return NULL;
    for (member = json_first_member(value); member;
         member = lh_entry_next(member)) {
        if (pst_json_pointer_token_is(token, json_member_name(member)))
            return json_wrap(json_member_value(member));
    }
    return NULL;
}

const struct pst_json *
pst_json_at(const struct pst_json *value, struct pst_str pointer)
{
    struct pst_str rest = pst_json_pointer_tokens(pointer);
    struct pst_str token;

    if (!pst_json_is_pointer(pointer))
        return NULL;
    while (value && pst_str_split(&rest, '/', &token))
        value = json_resolve_token(json_unwrap(value), token);
    return value;
}

const struct pst_json *
pst_json_get(const struct pst_json *value, struct pst_str name)
{
    const struct lh_entry *member;

    if (pst_json_kind(value) != PST_JSON_OBJECT)
        return NULL;
    for (member = json_first_member(json_unwrap(value)); member;
         member = lh_entry_next(member))
        if (pst_str_equal(json_member_name(member), name))
            return json_wrap(json_member_value(member));
    return NULL;
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

const struct pst_json *
pst_json_member(const struct pst_json *value, size_t index,
                struct pst_str *name)
{
    const struct lh_entry *member;

    PST_REQUIRE(pst_json_kind(value) == PST_JSON_OBJECT);
    PST_REQUIRE(index < pst_json_count(value));
    member = json_first_member(json_unwrap(value));
    while (index-- > 0)
        member = lh_entry_next(member);
    *name = json_member_name(member);
    return json_wrap(json_member_value(member));
}

static void
json_emit_members(struct pst_buf *buf, const struct json_object *object)
{
    const struct lh_entry *member = json_first_member(object);

    pst_buf_add_char(buf, '{');
    while (member) {
        pst_json_emit_string(buf, json_member_name(member));
        pst_buf_add_char(buf, ':');
        pst_json_emit(buf, json_wrap(json_member_value(member)));
        member = lh_entry_next(member);
        if (member)
            pst_buf_add_char(buf, ',');
    }
    pst_buf_add_char(buf, '}');
}

static void
json_emit_elements(struct pst_buf *buf, const struct json_object *array)
{
    pst_buf_add_char(buf, '[');
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        if (i > 0)
            pst_buf_add_char(buf, ',');
        pst_json_emit(buf, json_wrap(json_object_array_get_idx(array, i)));
    }
    pst_buf_add_char(buf, ']');
}

void
pst_json_emit(struct pst_buf *buf, const struct pst_json *value)
{
    struct json_object *json = json_unwrap(value);

    if (buf->err)
        return; /* it does not fit any more */
    switch (pst_json_kind(value)) {
    case PST_JSON_ABSENT:
    case PST_JSON_NULL:
        pst_buf_add_string(buf, "null");
        break;
    case PST_JSON_BOOL:
        pst_buf_add_string(buf,
                           json_object_get_boolean(json) ? "true" : "false");
        break;
    case PST_JSON_INTEGER:
        pst_buf_add_number(buf, json_object_get_int64(json));
        break;
    case PST_JSON_NUMBER: /* its spelling: see json_parse_number() */
        pst_buf_add_string(buf, json_object_get_userdata(json));
        break;
    case PST_JSON_STRING:
        pst_json_emit_string(buf, pst_json_string(value));
        break;
    case PST_JSON_ARRAY:
        json_emit_elements(buf, json);
        break;
    case PST_JSON_OBJECT:
        json_emit_members(buf, json);
        break;
    }
}
