/* SPDX-License-Identifier: ISC */
/*
 * string_value.c - decode UTF-8 characters, escapes, strings and block strings.
 */
#include "graphql/string_value.h"

#include <string.h>

static const char escape_letters[] = "\"\\/bfnrt";
static const char escape_values[] = "\"\\/\b\f\n\r\t";

size_t
graphql_decode_character(const char *at, const char *end, uint32_t *out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = (uint8_t)*at;
    const size_t len = first < 0x80   ? 1
                       : first < 0xE0 ? 2
                       : first < 0xF0 ? 3
                                      : 4;
    uint32_t code = len == 1 ? first : first & (0xFFu >> (len + 1));

    if ((size_t)(end - at) < len || (first >= 0x80 && first < 0xC2) ||
        first > 0xF4)
        return 0;
    for (size_t i = 1; i < len; i++) {
        const uint8_t next = (uint8_t)at[i];

        if ((next & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (next & 0x3Fu);
    }
    if (code < smallest[len] || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *out = code;
    return len;
}

/* Read four hex digits at `at`. Returns false if they are not there. */
static bool
read_escape_hex4(const char *at, const char *end, uint32_t *out)
{
    uint32_t code = 0;

    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        const int digit = pst_hex_value(at[i]);

        if (digit < 0)
            return false;
        code = code << 4 | (uint32_t)digit;
    }
    *out = code;
    return true;
}

/* Read the escape of a low surrogate at `at`. */
static bool
read_low_surrogate(const char *at, const char *end, uint32_t *out)
{
    return end - at >= 6 && at[0] == '\\' && at[1] == 'u' &&
           read_escape_hex4(at + 2, end, out) && *out >= 0xDC00 &&
           *out <= 0xDFFF;
}

/* Read what follows "\u". */
static enum graphql_escape
read_unicode_escape(const char **at, const char *end, uint32_t *out)
{
    const char *digits = *at;
    uint32_t high;
    uint32_t low;

    if (digits < end && *digits == '{')
        return GRAPHQL_ESCAPE_BRACED;
    if (!read_escape_hex4(digits, end, &high))
        return GRAPHQL_ESCAPE_TRUNCATED;
    if (high < 0xD800 || high > 0xDFFF) {
        *at = digits + 4;
        *out = high;
        return GRAPHQL_ESCAPE_VALID;
    }
    if (high > 0xDBFF || !read_low_surrogate(digits + 4, end, &low))
        return GRAPHQL_ESCAPE_LONE_SURROGATE;
    *at = digits + 10;
    *out = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return GRAPHQL_ESCAPE_VALID;
}

enum graphql_escape
graphql_escape_read(const char **at, const char *end, uint32_t *out)
{
    const char *letter = *at + 1;
    const char *found;

    if (letter < end && *letter == 'u') {
        const char *digits = letter + 1;
        enum graphql_escape escape = read_unicode_escape(&digits, end, out);

        if (escape == GRAPHQL_ESCAPE_VALID)
            *at = digits;
        return escape;
    }
    if (letter >= end || *letter == '\0')
        return GRAPHQL_ESCAPE_UNKNOWN;
    found = strchr(escape_letters, *letter);
    if (!found)
        return GRAPHQL_ESCAPE_UNKNOWN;
    *at = letter + 1;
    *out = (uint8_t)escape_values[found - escape_letters];
    return GRAPHQL_ESCAPE_VALID;
}

/* Write a character as UTF-8 (RFC 3629 section 3). Returns its length. */
static size_t
encode_utf8(uint32_t code, char *out)
{
    const size_t len = code < 0x80      ? 1
                       : code < 0x800   ? 2
                       : code < 0x10000 ? 3
                                        : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};

    for (size_t i = len; i > 1; i--) {
        out[i - 1] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(lead[len] | code);
    return len;
}

size_t
graphql_string_value(struct pst_str raw, char *out)
{
    const char *at = raw.ptr;
    const char *end = raw.ptr + raw.len;
    size_t len = 0;

    while (at < end) {
        uint32_t code;

        if (*at != '\\') {
            out[len++] = *at++;
            continue;
        }
        PST_REQUIRE(graphql_escape_read(&at, end, &code) ==
                    GRAPHQL_ESCAPE_VALID);
        len += encode_utf8(code, out + len);
    }
    return len;
}

/* Take a line off *rest, without its LF or CR LF. */
static bool
next_string_line(struct pst_str *rest, struct pst_str *line)
{
    if (!pst_str_split(rest, '\n', line))
        return false;
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* The number of spaces and tabs at the start of a line. */
static size_t
line_indent(struct pst_str line)
{
    size_t indent = 0;

    while (indent < line.len &&
           (line.ptr[indent] == ' ' || line.ptr[indent] == '\t'))
        indent++;
    return indent;
}

/* The indentation to remove from all lines but the first. */
static size_t
block_string_indent(struct pst_str raw)
{
    size_t common = SIZE_MAX;
    struct pst_str line;

    (void)next_string_line(&raw, &line);
    while (next_string_line(&raw, &line)) {
        const size_t indent = line_indent(line);

        if (indent < line.len && indent < common)
            common = indent;
    }
    return common == SIZE_MAX ? 0 : common;
}

size_t
graphql_block_string_value(struct pst_str raw, char *out)
{
    const size_t common = block_string_indent(raw);
    bool is_first = true;
    bool has_begun = false;
    size_t len = 0;
    size_t kept_len = 0; /* up to the end of the last line that is not blank */
    struct pst_str line;

    while (next_string_line(&raw, &line)) {
        const bool is_blank = line_indent(line) == line.len;

        if (!is_first)
            line = pst_str_skip(line, common);
        is_first = false;
        if (is_blank && !has_begun)
            continue;
        if (has_begun)
            out[len++] = '\n';
        has_begun = true;
        if (line.len > 0)
            memcpy(out + len, line.ptr, line.len);
        len += line.len;
        if (!is_blank)
            kept_len = len;
    }
    return kept_len;
}
