/* SPDX-License-Identifier: ISC */
/*
 * print.c - print text from outside so that it cannot move the cursor or begin
 * another line.
 */
#include "print.h"

#include <stdarg.h>

#include "base/escape.h"

#define LINE_MAX_BYTES 2048
#define PIECE_SIZE 256

void
print_escaped(FILE *out, struct pst_str text)
{
    char piece[PIECE_SIZE];

    while (text.len > 0) {
        text = pst_str_skip(text, pst_escape_copy(piece, sizeof(piece), text));
        fputs(piece, out);
    }
}

void
print_json(FILE *out, struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        unsigned char next =
            i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;

        if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
            fprintf(out, "\\u%04x", (unsigned)next);
            i++;
        } else {
            putc(byte, out);
        }
    }
}

void
print_error_line(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(line, sizeof(line), format, values);
    va_end(values);
    print_escaped(stderr, pst_str_from(line));
    fputc('\n', stderr);
}
