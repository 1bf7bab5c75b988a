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
is_plain(char c)
{
    return c >= ' ' && c < 0x7F && !memchr("\"\\<>&", c, 5);
}

static void
emit_escape(struct pst_buf *buf, char c)
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
emit_character(struct pst_buf *buf, struct pst_text text)
{
    unsigned char lead = (unsigned char)text.ptr[0];
    size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    struct pst_text character = pst_text_first(text, len);

    if (!pst_text_is_utf8(character)) {
        pst_buf_add_string(buf, "\xEF\xBF\xBD");
        return 1;
    }
    pst_buf_add(buf, character);
    return len;
}

void
pst_json_emit_string(struct pst_buf *buf, struct pst_text text)
{
    pst_buf_add_char(buf, '"');
    while (text.len > 0 && !buf->err) {
        size_t len = 0;

        while (len < text.len && is_plain(text.ptr[len]))
            len++;
        if (len > 0) {
            pst_buf_add(buf, pst_text_first(text, len));
        } else if ((unsigned char)text.ptr[0] >= 0x80) {
            len = emit_character(buf, text);
        } else {
            emit_escape(buf, text.ptr[0]);
            len = 1;
        }
        text = pst_text_from_octet(text, len);
    }
    pst_buf_add_char(buf, '"');
}

bool
pst_json_is_pointer(struct pst_text pointer)
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
name_is_step(struct pst_text raw, struct pst_text step)
{
    struct pst_unescape name = {.rest = raw};
    struct pst_text run;

    while (name.rest.len > 0) {
        if (!pst_unescape_next(&name, &run) || !pst_step_take(&step, run))
            return false;
    }
    return step.len == 0;
}

static bool
enter_object(struct pst_text *value, struct pst_text step)
{
    struct pst_text rest = *value;
    struct pst_text raw;

    while (pst_json_slice_next_member(&rest, &raw, value)) {
        if (name_is_step(raw, step))
            return true;
    }
    return false;
}

/* From an object or array to what is in it. */
static bool
enter(struct pst_text *value, struct pst_text step)
{
    size_t index;

    if (pst_text_starts(*value, PST_TEXT("{")))
        return enter_object(value, step);
    return pst_step_index(step, &index) &&
           pst_json_slice_element(*value, index, value);
}

enum pst_err
pst_json_locate(struct pst_text text, struct pst_text pointer,
                struct pst_text *slice)
{
    struct pst_scan scan = {.text = text};
    struct pst_text rest = pst_pointer_steps(pointer);
    struct pst_text value, step;
    size_t start;

    pst_scan_space(&scan);
    start = scan.at;
    if (!pst_json_is_pointer(pointer) || !pst_scan_value(&scan))
        return PST_ABSENT;
    value = pst_scan_since(&scan, start);
    while (pst_text_cut(&rest, '/', &step)) {
        if (!enter(&value, step))
            return PST_ABSENT;
    }
    *slice = value;
    return PST_OK;
}

void
pst_json_redact(struct pst_buf *buf, struct pst_text text,
                struct pst_text secret, struct pst_text replacement)
{
    struct pst_scan scan = {.text = text};
    size_t copied = 0;

    PST_REQUIRE(secret.len > 0);
    while (scan.at < text.len) {
        size_t start = scan.at;
        struct pst_text raw;

        if (!pst_scan_string(&scan, &raw)) {
            scan.at = start + 1;
        } else if (pst_json_slice_decodes_to(raw, secret)) {
            pst_buf_add(buf,
                        (struct pst_text){text.ptr + copied, start - copied});
            pst_buf_add(buf, replacement);
            copied = scan.at;
        }
    }
    pst_buf_add(buf, pst_text_from_octet(text, copied));
}
