/* SPDX-License-Identifier: ISC */
/*
 * postern_caller.c - copy structs from the callers of the public library and
 * texts to them, and translate error codes.
 */
#include "library/postern_caller.h"

#include <string.h>

/* Bytes: no public struct is larger, in any version. */
#define STRUCT_MAX 4096

int
caller_code(enum pst_err e)
{
    static const struct {
        enum pst_err err;
        int code;
    } codes[] = {
        {PST_OK, PST_E_OK},
        {PST_NO_SESSION, PST_E_NO_SESSION},
        {PST_STALE_FORM, PST_E_BAD_CSRF},
        {PST_BAD_CONFIG, PST_E_BAD_SETTING},
        {PST_MALFORMED, PST_E_BAD_ARGUMENT},
        {PST_EXPIRED, PST_E_BAD_ARGUMENT},
        {PST_TOO_LARGE, PST_E_TOO_LARGE},
        {PST_NO_MEMORY, PST_E_NO_MEMORY},
        {PST_NO_RANDOM, PST_E_NO_RANDOM},
    };

    for (size_t i = 0; i < PST_COUNT(codes); i++) {
        if (codes[i].err == e)
            return codes[i].code;
    }
    return PST_E_INTERNAL;
}

bool
caller_read_struct(void *copy, size_t known, size_t oldest, const void *given)
{
    const unsigned char *bytes = given;
    size_t size;

    if (!given)
        return false;
    memcpy(&size, given, sizeof(size));
    if (size < oldest || size > STRUCT_MAX)
        return false;
    for (size_t i = known; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    memset(copy, 0, known);
    memcpy(copy, given, size < known ? size : known);
    return true;
}

int
caller_copy(char *out, size_t size, struct pst_str text)
{
    if (size <= text.len)
        return PST_E_TOO_SMALL;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return PST_E_OK;
}

int
caller_finish(char *out, size_t size, int code)
{
    if (code && out && size > 0)
        out[0] = '\0';
    return code;
}

const char *
pst_strerror(int code)
{
    static const char *const sentences[] = {
        [PST_E_OK] = "no error",
        [PST_E_NO_SESSION] = "there is no session",
        [PST_E_IN_STORE] = "the session is in the store of Postern's "
                           "programs, which this library cannot read",
        [PST_E_UNCONFIRMED] = "the backend has not yet confirmed whose "
                              "session this is",
        [PST_E_NOT_TEXT] = "the session's subject contains a NUL byte",
        [PST_E_NOT_DUE] = "the session is not due for renewal",
        [PST_E_NO_MORE] = "there is no line with this index",
        [PST_E_BAD_CSRF] = "the CSRF token is missing, expired, or not "
                           "made for this form and session",
        [PST_E_BAD_SETTING] = "a setting is invalid",
        [PST_E_BAD_ARGUMENT] = "an argument is invalid",
        [PST_E_TOO_SMALL] = "the buffer is too small",
        [PST_E_TOO_LARGE] = "the session does not fit in a cookie",
        [PST_E_NO_MEMORY] = "out of memory",
        [PST_E_NO_RANDOM] = "the system provides no random bytes",
        [PST_E_INTERNAL] = "libgcrypt failed, or the clock is wrong",
    };

    if (code < 0 || (size_t)code >= PST_COUNT(sentences))
        return "unknown error code";
    return sentences[code];
}
