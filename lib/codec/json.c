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

static const struct pst_json the_null;

static const struct pst_json *
outer(const struct json_object *value)
{
    return value ? (const void *)value : &the_null;
}

/* json-c asks for a writable object even where it only reads. */
static struct json_object *
inner(const struct pst_json *value)
{
    return value == &the_null ? NULL : (struct json_object *)(uintptr_t)value;
}

static const struct lh_entry *
first_member(const struct json_object *object)
{
    return lh_table_head(json_object_get_object(object));
}

static struct pst_text
member_name(const struct lh_entry *member)
{
    return pst_text_from(lh_entry_k(member));
}

static struct json_object *
member_value(const struct lh_entry *member)
{
    return (struct json_object *)lh_entry_v(member);
}

/* Passwords and tokens are strings: they are not left lying in the heap. */
static void
wipe(struct json_object *value)
{
    const struct lh_entry *member;

    if (json_object_is_type(value, json_type_string)) {
        explicit_bzero((void *)(uintptr_t)json_object_get_string(value),
                       (size_t)json_object_get_string_len(value));
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            wipe(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        for (member = first_member(value); member;
             member = lh_entry_next(member))
            wipe(member_value(member));
    }
}

static void
release(void *handle)
{
    wipe(handle);
    json_object_put(handle);
}

/* What parsing needs: `scratch` is a stack of decoded, NUL-ended texts. */
struct reader {
    struct pst_arena *arena;
    struct pst_scan scan;
    size_t values; /* read so far */
    struct pst_buf scratch;
};

static enum pst_err read_value(struct reader *reader, size_t depth,
                               struct json_object **out);

/* What was pushed onto the scratch since `start`, without its NUL. */
static struct pst_text
pushed(const struct reader *reader, size_t start)
{
    struct pst_text all = pst_buf_text(&reader->scratch);

    return (struct pst_text){all.ptr + start, all.len - start - 1};
}

/* Decode raw onto the scratch; *lone as in struct pst_unescape. */
static enum pst_err
push_string(struct reader *reader, struct pst_text raw, bool *lone)
{
    struct pst_unescape string = {.rest = raw};
    struct pst_text run;

    while (string.rest.len > 0) {
        if (!pst_unescape_next(&string, &run))
            return PST_MALFORMED;
        pst_buf_add(&reader->scratch, run);
    }
    pst_buf_add_char(&reader->scratch, '\0');
    *lone = string.lone;
    return reader->scratch.err;
}

/* Give out what json-c has made, if it could. */
static enum pst_err
made(struct reader *reader, struct json_object *value, struct json_object **out)
{
    if (!value || !pst_arena_may_alloc(reader->arena)) {
        release(value);
        return PST_NO_MEMORY;
    }
    *out = value;
    return PST_OK;
}

static enum pst_err
read_string(struct reader *reader, struct json_object **out)
{
    size_t start = reader->scratch.len;
    struct pst_text text;
    enum pst_err e;
    bool lone;

    if (!pst_scan_string(&reader->scan, &text))
        return PST_MALFORMED;
    if (pst_text_index(text, '\\') < text.len) {
        e = push_string(reader, text, &lone);
        if (e)
            return e;
        text = pushed(reader, start);
        pst_buf_cut(&reader->scratch, start);
    }
    return made(reader, json_object_new_string_len(text.ptr, (int)text.len),
                out);
}

/*
 * A number that is no int64_t keeps its spelling. Nobody here asks for its
 * value, so none is computed: that would depend on the locale.
 */
static enum pst_err
read_number(struct reader *reader, struct json_object **out)
{
    size_t start = reader->scratch.len;
    struct pst_text text;
    int64_t value;
    bool whole;

    if (!pst_scan_number(&reader->scan, &text, &whole))
        return PST_MALFORMED;
    /* "-0" is kept as it was spelled, too. */
    if (whole && !pst_text_equal(text, PST_TEXT("-0")) &&
        pst_json_slice_integer(text, &value) == PST_OK)
        return made(reader, json_object_new_int64(value), out);
    pst_buf_add(&reader->scratch, text);
    pst_buf_add_char(&reader->scratch, '\0');
    if (reader->scratch.err)
        return reader->scratch.err;
    text = pushed(reader, start);
    pst_buf_cut(&reader->scratch, start);
    return made(reader, json_object_new_double_s(0.0, text.ptr), out);
}

static enum pst_err
read_word(struct reader *reader, struct json_object **out)
{
    if (pst_scan_word(&reader->scan, PST_TEXT("true")))
        return made(reader, json_object_new_boolean(true), out);
    if (pst_scan_word(&reader->scan, PST_TEXT("false")))
        return made(reader, json_object_new_boolean(false), out);
    if (!pst_scan_word(&reader->scan, PST_TEXT("null")))
        return PST_MALFORMED;
    *out = NULL;
    return PST_OK;
}

/*
 * A member's name onto the scratch. json-c would cut it at a NUL, and lone
 * halves of different surrogate pairs would become one and the same name.
 */
static enum pst_err
push_name(struct reader *reader, const struct json_object *object)
{
    size_t start = reader->scratch.len;
    struct pst_text raw, name;
    enum pst_err e;
    bool lone;

    if (!pst_scan_string(&reader->scan, &raw))
        return PST_MALFORMED;
    e = push_string(reader, raw, &lone);
    if (e)
        return e;
    name = pushed(reader, start);
    if (lone || pst_text_index(name, '\0') < name.len)
        return PST_MALFORMED;
    if (json_object_object_get_ex(object, name.ptr, NULL))
        return PST_DUPLICATE;
    return PST_OK;
}

static enum pst_err
read_member(struct reader *reader, size_t depth, struct json_object *object)
{
    size_t start = reader->scratch.len;
    struct json_object *value = NULL;
    enum pst_err e;

    pst_scan_space(&reader->scan);
    e = push_name(reader, object);
    if (e)
        return e;
    pst_scan_space(&reader->scan);
    if (!pst_scan_take(&reader->scan, ':'))
        return PST_MALFORMED;
    e = read_value(reader, depth, &value);
    if (e)
        return e;
    if (!pst_arena_may_alloc(reader->arena) ||
        json_object_object_add_ex(object, pushed(reader, start).ptr, value,
                                  JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0) {
        release(value);
        return PST_NO_MEMORY;
    }
    pst_buf_cut(&reader->scratch, start);
    return PST_OK;
}

static enum pst_err
read_element(struct reader *reader, size_t depth, struct json_object *array)
{
    struct json_object *value = NULL;
    enum pst_err e = read_value(reader, depth, &value);

    if (e)
        return e;
    if (!pst_arena_may_alloc(reader->arena) ||
        json_object_array_add(array, value) != 0) {
        release(value);
        return PST_NO_MEMORY;
    }
    return PST_OK;
}

/* What tells an object from an array. */
struct box {
    char close;
    struct json_object *(*make)(void);
    enum pst_err (*read)(struct reader *reader, size_t depth,
                         struct json_object *box);
};

static const struct box boxes[] = {
    {'}', json_object_new_object, read_member},
    {']', json_object_new_array, read_element},
};

static enum pst_err
fill(struct reader *reader, const struct box *box, size_t depth,
     struct json_object *value)
{
    enum pst_err e;

    pst_scan_space(&reader->scan);
    if (pst_scan_take(&reader->scan, box->close))
        return PST_OK;
    do {
        e = box->read(reader, depth, value);
        if (e)
            return e;
    } while (pst_scan_take(&reader->scan, ','));
    return pst_scan_take(&reader->scan, box->close) ? PST_OK : PST_MALFORMED;
}

static enum pst_err
read_box(struct reader *reader, const struct box *box, size_t depth,
         struct json_object **out)
{
    struct json_object *value;
    enum pst_err e;

    if (depth == PST_JSON_DEPTH)
        return PST_MALFORMED;
    e = made(reader, box->make(), &value);
    if (e)
        return e;
    e = fill(reader, box, depth + 1, value);
    if (e) {
        release(value);
        return e;
    }
    *out = value;
    return PST_OK;
}

/* One value, `depth` boxes deep, and the white space around it. */
static enum pst_err
read_value(struct reader *reader, size_t depth, struct json_object **out)
{
    enum pst_err e;
    int c;

    if (reader->values++ == PST_JSON_VALUES)
        return PST_TOO_LARGE;
    pst_scan_space(&reader->scan);
    c = pst_scan_peek(&reader->scan);
    if (pst_scan_take(&reader->scan, '{'))
        e = read_box(reader, &boxes[0], depth, out);
    else if (pst_scan_take(&reader->scan, '['))
        e = read_box(reader, &boxes[1], depth, out);
    else if (c == '"')
        e = read_string(reader, out);
    else if (c == '-' || (c >= '0' && c <= '9'))
        e = read_number(reader, out);
    else
        e = read_word(reader, out);
    pst_scan_space(&reader->scan);
    return e;
}

enum pst_err
pst_json_parse(struct pst_arena *arena, struct pst_text text,
               const struct pst_json **out)
{
    struct reader reader = {.arena = arena, .scan = {.text = text}};
    struct json_object *root = NULL;
    enum pst_err e;

    if (text.len > INT32_MAX || !pst_text_is_utf8(text))
        return PST_MALFORMED;
    pst_buf_init_hold(&reader.scratch, arena, text.len + PST_JSON_DEPTH + 1);
    e = read_value(&reader, 0, &root);
    if (!e && pst_scan_peek(&reader.scan) >= 0)
        e = PST_MALFORMED;
    if (!e && root)
        e = pst_arena_defer(arena, release, root);
    if (e) {
        release(root);
        return e;
    }
    *out = outer(root);
    return PST_OK;
}

static const struct pst_json *
step_into(const struct json_object *value, struct pst_text step)
{
    const struct lh_entry *member;
    size_t index;

    if (json_object_is_type(value, json_type_array)) {
        if (!pst_step_index(step, &index) ||
            index >= json_object_array_length(value))
            return NULL;
        return outer(json_object_array_get_idx(value, index));
    }
    if (!json_object_is_type(value, json_type_object))
        return NULL;
    for (member = first_member(value); member; member = lh_entry_next(member)) {
        if (pst_step_is(step, member_name(member)))
            return outer(member_value(member));
    }
    return NULL;
}

const struct pst_json *
pst_json_at(const struct pst_json *value, struct pst_text pointer)
{
    struct pst_text rest = pst_pointer_steps(pointer);
    struct pst_text step;

    if (!pst_json_is_pointer(pointer))
        return NULL;
    while (value && pst_text_cut(&rest, '/', &step))
        value = step_into(inner(value), step);
    return value;
}

const struct pst_json *
pst_json_get(const struct pst_json *value, struct pst_text name)
{
    const struct lh_entry *member;

    if (pst_json_kind(value) != PST_JSON_OBJECT)
        return NULL;
    for (member = first_member(inner(value)); member;
         member = lh_entry_next(member))
        if (pst_text_equal(member_name(member), name))
            return outer(member_value(member));
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

    return value ? kinds[json_object_get_type(inner(value))] : PST_JSON_ABSENT;
}

struct pst_text
pst_json_text(const struct pst_json *value)
{
    if (pst_json_kind(value) != PST_JSON_STRING)
        return PST_NO_TEXT;
    return (struct pst_text){
        json_object_get_string(inner(value)),
        (size_t)json_object_get_string_len(inner(value)),
    };
}

enum pst_err
pst_json_integer(const struct pst_json *value, int64_t *out)
{
    if (pst_json_kind(value) != PST_JSON_INTEGER)
        return PST_MALFORMED;
    *out = json_object_get_int64(inner(value));
    return PST_OK;
}

enum pst_err
pst_json_bool(const struct pst_json *value, bool *out)
{
    if (pst_json_kind(value) != PST_JSON_BOOL)
        return PST_MALFORMED;
    *out = json_object_get_boolean(inner(value));
    return PST_OK;
}

size_t
pst_json_count(const struct pst_json *value)
{
    if (pst_json_kind(value) == PST_JSON_OBJECT)
        return (size_t)json_object_object_length(inner(value));
    if (pst_json_kind(value) == PST_JSON_ARRAY)
        return json_object_array_length(inner(value));
    return 0;
}

const struct pst_json *
pst_json_element(const struct pst_json *value, size_t index)
{
    PST_REQUIRE(pst_json_kind(value) == PST_JSON_ARRAY);
    PST_REQUIRE(index < pst_json_count(value));
    return outer(json_object_array_get_idx(inner(value), index));
}

const struct pst_json *
pst_json_member(const struct pst_json *value, size_t index,
                struct pst_text *name)
{
    const struct lh_entry *member;

    PST_REQUIRE(pst_json_kind(value) == PST_JSON_OBJECT);
    PST_REQUIRE(index < pst_json_count(value));
    member = first_member(inner(value));
    while (index-- > 0)
        member = lh_entry_next(member);
    *name = member_name(member);
    return outer(member_value(member));
}

static void
emit_members(struct pst_buf *buf, const struct json_object *object)
{
    const struct lh_entry *member = first_member(object);

    pst_buf_add_char(buf, '{');
    while (member) {
        pst_json_emit_string(buf, member_name(member));
        pst_buf_add_char(buf, ':');
        pst_json_emit(buf, outer(member_value(member)));
        member = lh_entry_next(member);
        if (member)
            pst_buf_add_char(buf, ',');
    }
    pst_buf_add_char(buf, '}');
}

static void
emit_elements(struct pst_buf *buf, const struct json_object *array)
{
    pst_buf_add_char(buf, '[');
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        if (i > 0)
            pst_buf_add_char(buf, ',');
        pst_json_emit(buf, outer(json_object_array_get_idx(array, i)));
    }
    pst_buf_add_char(buf, ']');
}

void
pst_json_emit(struct pst_buf *buf, const struct pst_json *value)
{
    struct json_object *json = inner(value);

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
    case PST_JSON_NUMBER: /* its spelling: see read_number() */
        pst_buf_add_string(buf, json_object_get_userdata(json));
        break;
    case PST_JSON_STRING:
        pst_json_emit_string(buf, pst_json_text(value));
        break;
    case PST_JSON_ARRAY:
        emit_elements(buf, json);
        break;
    case PST_JSON_OBJECT:
        emit_members(buf, json);
        break;
    }
}
