/* SPDX-License-Identifier: ISC */
/*
 * trace_context.c - check and make the traceparent header (W3C Trace Context,
 * section 3.2).
 */
#include "gateway/trace_context.h"

#include <string.h>

#include "base/buffer.h"

#define VERSION "00-"
#define PARENT_LEN 55 /* bytes */

/* Where the parts of a traceparent begin. */
#define TRACE_ID_AT 3
#define SPAN_ID_AT 36
#define FLAGS_AT 53

static bool
is_lower_hex_id(struct pst_str text)
{
    bool all_zero = true;

    for (size_t i = 0; i < text.len; i++) {
        if (pst_hex_value(text.ptr[i]) < 0 ||
            pst_lower(text.ptr[i]) != text.ptr[i])
            return false;
        all_zero = all_zero && text.ptr[i] == '0';
    }
    return !all_zero;
}

static struct pst_str
get_part(struct pst_str text, size_t at, size_t len)
{
    return pst_str_first(pst_str_skip(text, at), len);
}

bool
trace_context_is_parent(struct pst_str text)
{
    return text.len == PARENT_LEN && pst_str_starts(text, PST_STR(VERSION)) &&
           text.ptr[SPAN_ID_AT - 1] == '-' && text.ptr[FLAGS_AT - 1] == '-' &&
           is_lower_hex_id(get_part(text, TRACE_ID_AT, 2 * TRACE_ID_LEN)) &&
           is_lower_hex_id(get_part(text, SPAN_ID_AT, 2 * SPAN_ID_LEN)) &&
           pst_hex_value(text.ptr[FLAGS_AT]) >= 0 &&
           pst_hex_value(text.ptr[FLAGS_AT + 1]) >= 0;
}

enum pst_err
trace_context_make_parent(struct pst_arena *arena,
                          const uint8_t ids[static TRACE_CONTEXT_IDS_LEN],
                          struct pst_str *out)
{
    uint8_t used[TRACE_CONTEXT_IDS_LEN];
    struct pst_buf buf;

    memcpy(used, ids, sizeof(used));
    used[0] |= 1; /* neither id may be all zeros */
    used[TRACE_ID_LEN] |= 1;
    pst_buf_init_arena(&buf, arena, PARENT_LEN);
    pst_buf_add_string(&buf, VERSION);
    pst_buf_add_hex(&buf, (struct pst_bytes){used, TRACE_ID_LEN});
    pst_buf_add_char(&buf, '-');
    pst_buf_add_hex(&buf, (struct pst_bytes){used + TRACE_ID_LEN, SPAN_ID_LEN});
    pst_buf_add_string(&buf, "-00");
    return pst_buf_finish(&buf, out);
}
