/* SPDX-License-Identifier: ISC */
/*
 * log_line.c - format a log line, with control characters escaped. Pure.
 */
#include "server/log_line.h"

#include <string.h>

#include "base/buffer.h"
#include "base/escape.h"
#include "codec/json_emit.h"

/* The same without "}" and newline. */
#define BODY_MAX_BYTES (LOG_LINE_MAX - 2)

/* No value is truncated below this many bytes; then fields are dropped. */
#define VALUE_MIN_BYTES 8

/* Appended to a truncated value. */
#define TRUNCATION_MARK "..."

/* A line under construction. */
struct line {
    struct pst_buf buf;
    enum log_format format;
    bool is_first;    /* it has no field yet */
    size_t value_max; /* longer values are truncated to this many bytes */
};

static void
logfmt_emit_escaped_byte(struct pst_buf *buf, char c)
{
    static const char special[] = "\n\r\t\"\\";
    static const char letters[] = "nrt\"\\";
    const char *found = memchr(special, c, sizeof(special) - 1);
    uint8_t byte = (uint8_t)c;

    pst_buf_add_char(buf, '\\');
    if (found) {
        pst_buf_add_char(buf, letters[found - special]);
        return;
    }
    pst_buf_add_char(buf, 'x');
    pst_buf_add_hex(buf, (struct pst_bytes){&byte, 1});
}

/* How many bytes at the beginning of a text need no escape in logfmt. */
static size_t
logfmt_plain_length(struct pst_str text)
{
    size_t at = 0;

    while (at < text.len) {
        uint32_t character = 0;
        size_t len = pst_escape_decode(pst_str_skip(text, at), &character);

        if (len == 0 || character < 0x20 || character == 0x7F ||
            character == '"' || character == '\\' ||
            pst_escape_is_deceptive(character))
            break;
        at += len;
    }
    return at;
}

static bool
logfmt_needs_quotes(struct pst_str text)
{
    return text.len == 0 || pst_str_index(text, ' ') < text.len ||
           pst_str_index(text, '=') < text.len ||
           logfmt_plain_length(text) < text.len;
}

static void
logfmt_emit_value(struct pst_buf *buf, struct pst_str text, bool is_truncated)
{
    bool quoted = logfmt_needs_quotes(text);

    if (quoted)
        pst_buf_add_char(buf, '"');
    while (text.len > 0) {
        size_t plain = logfmt_plain_length(text);
        size_t len;
        uint32_t character = 0;

        pst_buf_add(buf, pst_str_first(text, plain));
        text = pst_str_skip(text, plain);
        if (text.len == 0)
            break;
        len = pst_escape_decode(text, &character);
        if (len == 0)
            len = 1;
        for (size_t i = 0; i < len; i++)
            logfmt_emit_escaped_byte(buf, text.ptr[i]);
        text = pst_str_skip(text, len);
    }
    if (is_truncated)
        pst_buf_add_string(buf, TRUNCATION_MARK);
    if (quoted)
        pst_buf_add_char(buf, '"');
}

/* Copy a JSON string, with deceptive characters as \uXXXX. */
static void
log_emit_json_escaped(struct pst_buf *buf, struct pst_str json)
{
    while (json.len > 0) {
        uint32_t character = 0;
        size_t len = pst_escape_decode(json, &character);

        if (len > 0 && pst_escape_is_deceptive(character)) {
            uint8_t unit[2] = {(uint8_t)(character >> 8), (uint8_t)character};

            pst_buf_add_string(buf, "\\u");
            pst_buf_add_hex(buf, (struct pst_bytes){unit, sizeof(unit)});
        } else {
            len = len > 0 ? len : 1;
            pst_buf_add(buf, pst_str_first(json, len));
        }
        json = pst_str_skip(json, len);
    }
}

static void
log_emit_json_value(struct pst_buf *buf, struct pst_str text, bool is_truncated)
{
    char storage[LOG_LINE_MAX];
    struct pst_buf string;
    struct pst_str json;

    pst_buf_init(&string, storage, sizeof(storage));
    pst_json_emit_string(&string, text);
    if (is_truncated) {
        pst_buf_truncate(&string, string.len > 0 ? string.len - 1 : 0);
        pst_buf_add_string(&string, TRUNCATION_MARK "\"");
    }
    if (pst_buf_finish(&string, &json) != PST_OK) {
        pst_buf_set_error(buf, PST_TOO_LARGE);
        return;
    }
    log_emit_json_escaped(buf, json);
}

static void
log_emit_name(struct pst_buf *buf, enum log_format format, const char *name)
{
    bool is_json = format == LOG_JSON;

    if (is_json)
        pst_buf_add_char(buf, '"');
    pst_buf_add_string(buf, name);
    pst_buf_add_string(buf, is_json ? "\":" : "=");
}

static void
log_emit_field(struct pst_buf *buf, enum log_format format, size_t value_max,
               const struct log_field *field)
{
    struct pst_str text = pst_str_truncate(field->text, value_max);
    bool is_truncated = text.len < field->text.len;

    log_emit_name(buf, format, field->name);
    if (field->is_number)
        pst_buf_add_number(buf, field->number);
    else if (format == LOG_JSON)
        log_emit_json_value(buf, text, is_truncated);
    else
        logfmt_emit_value(buf, text, is_truncated);
}

/* Add fields in order. Returns false when one does not fit. */
static bool
log_emit_fields(struct line *line, const struct log_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct log_field *field = &fields->ptr[i];
        const struct pst_buf before = line->buf;
        struct pst_str whole;

        if (!field->is_number && pst_str_is_absent(field->text))
            continue;
        if (!line->is_first)
            pst_buf_add_char(&line->buf, line->format == LOG_JSON ? ',' : ' ');
        log_emit_field(&line->buf, line->format, line->value_max, field);
        if (pst_buf_finish(&line->buf, &whole) != PST_OK) {
            line->buf = before;
            return false;
        }
        line->is_first = false;
    }
    return true;
}

static void
log_line_init(struct line *line, char *storage, enum log_format format,
              size_t value_max)
{
    *line = (struct line){.format = format, .value_max = value_max};
    line->is_first = true;
    pst_buf_init(&line->buf, storage, BODY_MAX_BYTES);
    if (format == LOG_JSON)
        pst_buf_add_char(&line->buf, '{');
}

size_t
log_line_format(char *storage, enum log_format format,
                const struct log_fields *standard_fields,
                const struct log_fields *event_fields)
{
    size_t value_max = LOG_LINE_MAX;
    struct line line;
    size_t len;

    log_line_init(&line, storage, format, value_max);
    while (!(log_emit_fields(&line, standard_fields) &&
             log_emit_fields(&line, event_fields))) {
        if (value_max <= VALUE_MIN_BYTES)
            break;
        value_max /= 2;
        log_line_init(&line, storage, format, value_max);
    }
    len = pst_buf_str(&line.buf).len;
    if (format == LOG_JSON)
        storage[len++] = '}';
    storage[len++] = '\n';
    return len;
}
