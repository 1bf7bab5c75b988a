/* SPDX-License-Identifier: ISC */
/*
 * trace_context.h - check and make the traceparent header (W3C Trace Context,
 * section 3.2). Pure.
 */
#ifndef POSTERN_GATEWAY_TRACE_CONTEXT_H
#define POSTERN_GATEWAY_TRACE_CONTEXT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#define TRACE_ID_LEN 16 /* bytes */
#define SPAN_ID_LEN 8
#define TRACE_CONTEXT_IDS_LEN (TRACE_ID_LEN + SPAN_ID_LEN)

/* Is this a traceparent of version 00: "00-<32 hex>-<16 hex>-<2 hex>", in
 * lower case, neither id all zeros? */
bool trace_context_is_parent(struct pst_str text);

/*
 * Make a traceparent that is not sampled.
 *   ids  random bytes: trace id, span id
 *   out  set on PST_OK; lives in the arena
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
trace_context_make_parent(struct pst_arena *arena,
                          const uint8_t ids[static TRACE_CONTEXT_IDS_LEN],
                          struct pst_str *out);

#endif
