/* SPDX-License-Identifier: ISC */
/*
 * http_error.c - write the text that says why an exchange failed.
 */
#include "upstream/http_error.h"

#include <stdarg.h>

enum pst_err
http_error_set(struct http_error *error, enum pst_err e, const char *format,
               ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, values);
    va_end(values);
    return e;
}
