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
    while (text.len > 0) {
        uint32_t character = 0;
        size_t len = pst_escape_decode(text, &character);

        if (pst_escape_is_deceptive(character)) {
            fprintf(out, "\\u%04x", (unsigned)character);
        } else {
            len = len > 0 ? len : 1;
            fwrite(text.ptr, 1, len, out);
        }
        text = pst_str_skip(text, len);
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
