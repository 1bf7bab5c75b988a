/* SPDX-License-Identifier: ISC */
/*
 * fuzz_json.c - read any bytes as JSON, by the checker, by json-c, and as
 * slices. They agree on what is JSON, and on every value.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/json_check.h"
#include "codec/json_emit.h"
#include "codec/json_slice.h"

#define ARENA_SIZE (1024 * 1024)
#define SECRET PST_STR("sixteen bytes 16")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct pst_arena *arena, const struct pst_json *value,
                        struct pst_str slice);

static void
check_object(struct pst_arena *arena, const struct pst_json *object,
             struct pst_str slice)
{
    struct pst_json_members members = pst_json_members(object);
    const struct pst_json *value;
    struct pst_str rest = slice;
    struct pst_str name;
    struct pst_str raw;
    struct pst_str slice_value;
    size_t count = 0;

    while (pst_json_next_member(&members, &name, &value)) {
        PST_REQUIRE(pst_json_slice_next_member(&rest, &raw, &slice_value));
        PST_REQUIRE(pst_json_slice_equal(raw, name));
        PST_REQUIRE(pst_json_slice_compare(raw, name) == 0);
        PST_REQUIRE(pst_json_get(object, name) == value);
        check_value(arena, value, slice_value);
        count++;
    }
    PST_REQUIRE(!pst_json_slice_next_member(&rest, &raw, &slice_value));
    PST_REQUIRE(count == pst_json_count(object));
}

static void
check_array(struct pst_arena *arena, const struct pst_json *array,
            struct pst_str slice)
{
    struct pst_str rest = slice;
    struct pst_str element;

    for (size_t i = 0; i < pst_json_count(array); i++) {
        PST_REQUIRE(pst_json_slice_next_element(&rest, &element));
        check_value(arena, pst_json_element(array, i), element);
    }
    PST_REQUIRE(!pst_json_slice_next_element(&rest, &element));
}

static void
check_scalar(struct pst_arena *arena, const struct pst_json *value,
             struct pst_str slice)
{
    struct pst_str text;
    int64_t number;
    int64_t slice_number;
    bool is_true;
    enum pst_err e;

    switch (pst_json_kind(value)) {
    case PST_JSON_INTEGER:
        PST_REQUIRE(pst_json_integer(value, &number) == PST_OK);
        PST_REQUIRE(pst_json_slice_integer(slice, &slice_number) == PST_OK);
        PST_REQUIRE(number == slice_number);
        break;
    case PST_JSON_NUMBER:
        PST_REQUIRE(pst_str_equal(pst_json_number(value), slice));
        break;
    case PST_JSON_BOOL:
        PST_REQUIRE(pst_json_bool(value, &is_true) == PST_OK);
        PST_REQUIRE(
            pst_str_equal(slice, is_true ? PST_STR("true") : PST_STR("false")));
        break;
    case PST_JSON_STRING:
        e = pst_json_slice_string(arena, slice, 64, &text);
        PST_REQUIRE(e == PST_OK || e == PST_MALFORMED);
        if (!e)
            PST_REQUIRE(pst_str_equal(text, pst_json_string(value)));
        break;
    default:
        break;
    }
}

static void
check_value(struct pst_arena *arena, const struct pst_json *value,
            struct pst_str slice)
{
    PST_REQUIRE(pst_json_kind(value) == pst_json_slice_kind(slice));
    switch (pst_json_kind(value)) {
    case PST_JSON_OBJECT:
        check_object(arena, value, slice);
        break;
    case PST_JSON_ARRAY:
        check_array(arena, value, slice);
        break;
    default:
        check_scalar(arena, value, slice);
        break;
    }
}

static bool
has_secret(const struct pst_json *value)
{
    struct pst_json_members members = pst_json_members(value);
    const struct pst_json *member;
    struct pst_str name;

    if (pst_str_contains(pst_json_string(value), SECRET))
        return true;
    while (pst_json_next_member(&members, &name, &member)) {
        if (pst_str_contains(name, SECRET) || has_secret(member))
            return true;
    }
    for (size_t i = 0;
         pst_json_kind(value) == PST_JSON_ARRAY && i < pst_json_count(value);
         i++) {
        if (has_secret(pst_json_element(value, i)))
            return true;
    }
    return false;
}

/* A secret is removed, however it is spelled, and nothing else changes. */
static void
check_redacted(struct pst_arena *arena, const struct pst_json *value,
               struct pst_str text)
{
    const struct pst_json *redacted;
    struct pst_buf buf;
    struct pst_str out;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, ARENA_SIZE / 4);
    pst_json_redact(&buf, text, SECRET, PST_STR("null"));
    PST_REQUIRE(pst_buf_finish(&buf, &out) == PST_OK);
    PST_REQUIRE(has_secret(value) || pst_str_equal(out, text));
    /* Two members with the secret in their names get the same name. */
    e = pst_json_parse(arena, out, &redacted);
    PST_REQUIRE(e == PST_OK || e == PST_DUPLICATE);
    PST_REQUIRE(e || !has_secret(redacted));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pst_arena *arena;
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    struct pst_json_split_member storage[4];
    struct pst_json_split split = {storage, PST_COUNT(storage), 0};
    struct pst_json_error error;
    const struct pst_json *value;
    struct pst_str text;
    enum pst_err e;
    enum pst_err small;

    PST_REQUIRE(arena || pst_arena_new(&arena, ARENA_SIZE) == PST_OK);
    e = pst_json_check(arena, input, &text, &error);
    PST_REQUIRE(e != PST_NO_MEMORY);
    PST_REQUIRE(e == PST_OK || error.at <= size);
    small = pst_json_check_object(arena, input, &split, &error);
    /* The second takes what the first takes, but for large texts. */
    PST_REQUIRE(e == small || small == PST_TOO_LARGE);
    PST_REQUIRE((pst_json_parse(arena, input, &value) == PST_OK) == !small);
    if (!small) {
        PST_REQUIRE(split.count == (pst_json_kind(value) == PST_JSON_OBJECT
                                        ? pst_json_count(value)
                                        : 0));
        check_value(arena, value, text);
        check_redacted(arena, value, text);
    }
    pst_arena_reset(arena);
    return 0;
}
