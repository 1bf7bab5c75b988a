/* SPDX-License-Identifier: ISC */
/*
 * chunked.c - decode a chunked body that comes in pieces of any size (RFC 9112
 * section 7.1).
 */
#include "http/chunked.h"

#include "base/limits.h"

#define DIGITS_MAX 15      /* 60 bits: a sum of sizes cannot overflow */
#define EXTENSION_MAX 4096 /* bytes of one line: our choice */

static bool
chunked_is_text(char c)
{
    return pst_str_is_field_value((struct pst_str){&c, 1});
}

/* A digit of the size, or what comes after it. */
static bool
chunked_read_size(struct chunked *chunked, char c)
{
    int value = pst_hex_value(c);

    if (value >= 0) {
        if (chunked->digits == 0)
            chunked->left = 0;
        chunked->left = chunked->left * 16 + (uint64_t)value;
        return ++chunked->digits <= DIGITS_MAX;
    }
    if (chunked->digits == 0)
        return false;
    chunked->line_len = 0;
    chunked->state = c == '\r'               ? CHUNKED_SIZE_LF
                     : c == ';'              ? CHUNKED_EXTENSION
                     : c == ' ' || c == '\t' ? CHUNKED_BLANK
                                             : CHUNKED_DONE;
    return chunked->state != CHUNKED_DONE;
}

/* After the size: blanks, and then an extension or the end of the line. */
static bool
chunked_read_extension(struct chunked *chunked, char c)
{
    if (c == '\r') {
        chunked->state = CHUNKED_SIZE_LF;
        return true;
    }
    if (chunked->state == CHUNKED_BLANK) {
        if (c == ';')
            chunked->state = CHUNKED_EXTENSION;
        else if (c != ' ' && c != '\t')
            return false;
    }
    return chunked_is_text(c) && ++chunked->line_len <= EXTENSION_MAX;
}

/* A line feed, and then the next part. */
static bool
chunked_read_lf(struct chunked *chunked, char c, enum chunked_state next)
{
    chunked->state = next;
    return c == '\n';
}

/* The first byte of a line after the last chunk. */
static bool
chunked_begin_trailer(struct chunked *chunked, char c)
{
    if (c == '\r') {
        chunked->state = CHUNKED_LAST_LF;
        return true;
    }
    chunked->state = CHUNKED_TRAILER_NAME;
    return pst_str_is_token((struct pst_str){&c, 1});
}

static bool
chunked_read_trailer(struct chunked *chunked, char c)
{
    if (++chunked->trailer_len > PST_HEADERS_MAX)
        return false;
    switch (chunked->state) {
    case CHUNKED_TRAILER:
        return chunked_begin_trailer(chunked, c);
    case CHUNKED_TRAILER_NAME:
        if (c == ':')
            chunked->state = CHUNKED_TRAILER_VALUE;
        return c == ':' || pst_str_is_token((struct pst_str){&c, 1});
    case CHUNKED_TRAILER_VALUE:
        if (c == '\r')
            chunked->state = CHUNKED_TRAILER_LF;
        return c == '\r' || chunked_is_text(c);
    case CHUNKED_TRAILER_LF:
        return chunked_read_lf(chunked, c, CHUNKED_TRAILER);
    default:
        return chunked_read_lf(chunked, c, CHUNKED_DONE);
    }
}

/* Any byte but data. Returns false when it is not valid there. */
static bool
chunked_read_byte(struct chunked *chunked, char c)
{
    switch (chunked->state) {
    case CHUNKED_SIZE:
        return chunked_read_size(chunked, c);
    case CHUNKED_BLANK:
    case CHUNKED_EXTENSION:
        return chunked_read_extension(chunked, c);
    case CHUNKED_SIZE_LF:
        chunked->digits = 0;
        return chunked_read_lf(
            chunked, c, chunked->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER);
    case CHUNKED_DATA_CR:
        chunked->state = CHUNKED_DATA_LF;
        return c == '\r';
    case CHUNKED_DATA_LF:
        return chunked_read_lf(chunked, c, CHUNKED_SIZE);
    default:
        return chunked_read_trailer(chunked, c);
    }
}

enum pst_err
chunked_decode(struct chunked *chunked, struct pst_str *bytes,
               struct pst_str *piece, const char **reason)
{
    *piece = PST_STR("");
    while (bytes->len > 0 && chunked->state != CHUNKED_DONE) {
        if (chunked->state == CHUNKED_DATA) {
            *piece = chunked->left < bytes->len
                         ? pst_str_first(*bytes, (size_t)chunked->left)
                         : *bytes;
            *bytes = pst_str_skip(*bytes, piece->len);
            chunked->left -= piece->len;
            if (chunked->left == 0)
                chunked->state = CHUNKED_DATA_CR;
            return PST_OK;
        }
        if (!chunked_read_byte(chunked, bytes->ptr[0])) {
            *reason = "the chunks of the body are not valid";
            return PST_UPSTREAM_BROKEN;
        }
        *bytes = pst_str_skip(*bytes, 1);
    }
    return PST_OK;
}
