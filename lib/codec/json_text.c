/* SPDX-License-Identifier: ISC */
/*
 * json_text.c - strings written, places found, a secret taken out: all on the
 * bytes themselves, with no value made of them.
 */
#include "codec/json_text.h"

#include <string.h>

#include "codec/json_scan.h"
#include "codec/json_slice.h"

/* Stands in a string as it is. */
static bool
json_text_is_plain(char c)
{
    return c >= ' ' && c < 0x7F && !memchr("\"\\<>&", c, 5);
}

static void
json_text_emit_escape(struct pst_buf *buf, char c)
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

/* One character above ASCII, or U+FFFD for an byte that begins none. */
static size_t
json_text_emit_utf8(struct pst_buf *buf, struct pst_str text)
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

        while (len < text.len && json_text_is_plain(text.ptr[len]))
            len++;
        if (len > 0) {
            pst_buf_add(buf, pst_str_first(text, len));
        } else if ((unsigned char)text.ptr[0] >= 0x80) {
            len = json_text_emit_utf8(buf, text);
        } else {
            json_text_emit_escape(buf, text.ptr[0]);
            len = 1;
        }
        text = pst_str_skip(text, len);
    }
    pst_buf_add_char(buf, '"');
}

bool
pst_json_is_pointer(struct pst_str pointer)
{
    if (pointer.len > 0 && pointer.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < pointer.len; i++) {
        if (pointer.ptr[i] != '~')
            continue;
        i++;
        if (i == pointer.len ||
            (pointer.ptr[i] != '0' && pointer.ptr[i] != '1'))
            return false;
    }
    return true;
}

/* Whether a string decodes to a step of a pointer. */
static bool
json_text_name_is_token(struct pst_str raw, struct pst_str token)
{
    struct pst_json_unescape name = {.rest = raw};
    struct pst_str run;

    while (name.rest.len > 0) {
        if (!pst_json_unescape_next(&name, &run) ||
            !pst_json_pointer_token_accept(&token, run))
            return false;
    }
    return token.len == 0;
}

static bool
json_text_enter_object(struct pst_str *value, struct pst_str token)
{
    struct pst_str rest = *value;
    struct pst_str raw;

    while (pst_json_slice_next_member(&rest, &raw, value)) {
        if (json_text_name_is_token(raw, token))
            return true;
    }
    return false;
}

/* From an object or array to what is in it. */
static bool
json_text_enter_value(struct pst_str *value, struct pst_str token)
{
    size_t index;

    if (pst_str_starts(*value, PST_STR("{")))
        return json_text_enter_object(value, token);
    return pst_json_pointer_token_index(token, &index) &&
           pst_json_slice_element(*value, index, value);
}

enum pst_err
pst_json_locate(struct pst_str text, struct pst_str pointer,
                struct pst_str *slice)
{
    struct pst_json_scan scan = {.text = text};
    struct pst_str rest = pst_json_pointer_tokens(pointer);
    struct pst_str value, token;
    size_t start;

    pst_json_scan_skip_space(&scan);
    start = scan.at;
    if (!pst_json_is_pointer(pointer) || !pst_json_scan_skip_value(&scan))
        return PST_NOT_FOUND;
    value = pst_json_scan_since(&scan, start);
    while (pst_str_split(&rest, '/', &token)) {
        if (!json_text_enter_value(&value, token))
            return PST_NOT_FOUND;
    }
    *slice = value;
    return PST_OK;
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
        } else if (pst_json_slice_equal(raw, secret)) {
            pst_buf_add(buf,
                        (struct pst_str){text.ptr + copied, start - copied});
            pst_buf_add(buf, replacement);
            copied = scan.at;
        }
    }
    pst_buf_add(buf, pst_str_skip(text, copied));
}
