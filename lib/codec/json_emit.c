/* SPDX-License-Identifier: ISC */
/*
 * json_emit.c - write strings and parsed values as JSON, and copy a JSON text
 * with a secret replaced.
 */
#include "codec/json_emit.h"

#include <string.h>

#include "base/limits.h"
#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/json_slice.h"

/* One bit for each byte that can be written without an escape: ASCII from the
 * space on, except "&<>\ and DEL. */
static const uint32_t json_emit_plain_bits[8] = {
    [1] = 0xAFFFFFBB, [2] = 0xEFFFFFFF, [3] = 0x7FFFFFFF};

static bool
json_emit_is_plain(char c)
{
    unsigned char byte = (unsigned char)c;

    return (json_emit_plain_bits[byte / 32] >> byte % 32 & 1) != 0;
}

static void
json_emit_escape(struct pst_buf *buf, char c)
{
    static const char control[] = "\b\f\n\r\t";
    static const char letter[] = "bfnrt";
    const char *found = memchr(control, c, sizeof(control) - 1);

    pst_buf_add_char(buf, '\\');
    if (c == '"' || c == '\\') {
        pst_buf_add_char(buf, c);
    } else if (found) {
        pst_buf_add_char(buf, letter[found - control]);
    } else {
        pst_buf_add_string(buf, "u00");
        pst_buf_add_hex(buf, (struct pst_bytes){(const uint8_t *)&c, 1});
    }
}

/*
 * Write the character above ASCII that text begins with, or U+FFFD for a byte
 * that begins none. Returns how many bytes of text were written.
 */
static size_t
json_emit_utf8(struct pst_buf *buf, struct pst_str text)
{
    unsigned char lead = (unsigned char)text.ptr[0];
    size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    struct pst_str character = pst_str_first(text, len);

    if (!pst_str_is_utf8(character)) {
        pst_buf_add_string(buf, "\xEF\xBF\xBD");
        return 1;
    }
    pst_buf_add(buf, character);
    return len;
}

void
pst_json_emit_string(struct pst_buf *buf, struct pst_str text)
{
    pst_buf_add_char(buf, '"');
    while (text.len > 0 && !buf->err) {
        size_t len = 0;

        while (len < text.len && json_emit_is_plain(text.ptr[len]))
            len++;
        if (len > 0) {
            pst_buf_add(buf, pst_str_first(text, len));
        } else if ((unsigned char)text.ptr[0] >= 0x80) {
            len = json_emit_utf8(buf, text);
        } else {
            json_emit_escape(buf, text.ptr[0]);
            len = 1;
        }
        text = pst_str_skip(text, len);
    }
    pst_buf_add_char(buf, '"');
}

static void
json_emit_members(struct pst_buf *buf, const struct pst_json *object)
{
    struct pst_json_members members = pst_json_members(object);
    const struct pst_json *value;
    struct pst_str name;
    bool is_first = true;

    pst_buf_add_char(buf, '{');
    while (pst_json_next_member(&members, &name, &value)) {
        if (!is_first)
            pst_buf_add_char(buf, ',');
        is_first = false;
        pst_json_emit_string(buf, name);
        pst_buf_add_char(buf, ':');
        pst_json_emit(buf, value);
    }
    pst_buf_add_char(buf, '}');
}

static void
json_emit_elements(struct pst_buf *buf, const struct pst_json *array)
{
    size_t count = pst_json_count(array);

    pst_buf_add_char(buf, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            pst_buf_add_char(buf, ',');
        pst_json_emit(buf, pst_json_element(array, i));
    }
    pst_buf_add_char(buf, ']');
}

void
pst_json_emit(struct pst_buf *buf, const struct pst_json *value)
{
    bool is_true = false;
    int64_t integer = 0;

    if (buf->err)
        return; /* no time is spent on what does not fit any more */
    switch (pst_json_kind(value)) {
    case PST_JSON_ABSENT:
    case PST_JSON_NULL:
        pst_buf_add_string(buf, "null");
        break;
    case PST_JSON_BOOL:
        PST_REQUIRE(pst_json_bool(value, &is_true) == PST_OK);
        pst_buf_add_string(buf, is_true ? "true" : "false");
        break;
    case PST_JSON_INTEGER:
        PST_REQUIRE(pst_json_integer(value, &integer) == PST_OK);
        pst_buf_add_number(buf, integer);
        break;
    case PST_JSON_NUMBER:
        pst_buf_add(buf, pst_json_number(value));
        break;
    case PST_JSON_STRING:
        pst_json_emit_string(buf, pst_json_string(value));
        break;
    case PST_JSON_ARRAY:
        json_emit_elements(buf, value);
        break;
    case PST_JSON_OBJECT:
        json_emit_members(buf, value);
        break;
    }
}

/* Decode one character: a byte as it is, or an escape. */
static bool
json_next_character(struct pst_json_unescape *string, struct pst_str *character)
{
    if (string->rest.ptr[0] == '\\')
        return pst_json_unescape_next(string, character);
    *character = pst_str_first(string->rest, 1);
    string->rest = pst_str_skip(string->rest, 1);
    return true;
}

/* Does what raw decodes to begin with text? */
static bool
json_string_starts(struct pst_str raw, struct pst_str text)
{
    struct pst_json_unescape string = {.rest = raw};
    struct pst_str character;

    while (text.len > 0) {
        if (string.rest.len == 0 || !json_next_character(&string, &character) ||
            !pst_str_starts(text, character))
            return false;
        text = pst_str_skip(text, character.len);
    }
    return true;
}

static bool
json_string_contains(struct pst_str raw, struct pst_str text)
{
    struct pst_json_unescape string = {.rest = raw};
    struct pst_str character;

    while (string.rest.len >= text.len) {
        if (json_string_starts(string.rest, text))
            return true;
        if (!json_next_character(&string, &character))
            return false;
    }
    return false;
}

static bool
json_is_secret(struct pst_str raw, struct pst_str secret)
{
    return secret.len < PST_JSON_SECRET_MIN ? pst_json_slice_equal(raw, secret)
                                            : json_string_contains(raw, secret);
}

void
pst_json_redact(struct pst_buf *buf, struct pst_str text, struct pst_str secret,
                struct pst_str replacement)
{
    struct pst_json_scan scan = {.text = text};
    size_t copied = 0;

    PST_REQUIRE(secret.len > 0);
    while (scan.at < text.len) {
        size_t start = scan.at;
        struct pst_str raw;

        if (!pst_json_scan_string(&scan, &raw)) {
            scan.at = start + 1;
        } else if (json_is_secret(raw, secret)) {
            pst_buf_add(buf,
                        (struct pst_str){text.ptr + copied, start - copied});
            copied = scan.at;
            pst_json_scan_skip_space(&scan);
            pst_buf_add(buf, pst_json_scan_peek(&scan) == ':'
                                 ? PST_STR("\"secret\"")
                                 : replacement);
        }
    }
    pst_buf_add(buf, pst_str_skip(text, copied));
}
