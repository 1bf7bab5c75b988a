/* SPDX-License-Identifier: ISC */
/*
 * handler.h - handle one request: parse it, call the program's handler,
 * complete the answer, and log it.
 */
#ifndef POSTERN_GATEWAY_HANDLER_H
#define POSTERN_GATEWAY_HANDLER_H

#include "gateway/context.h"

/*
 * Parse a request, call the handler, and complete the answer. An error of the
 * handler becomes an answer, and HEAD gets no body. Writes one line to the log.
 *   arena  reset before and after
 * Returns false when the answer was cut off: the connection must not be used
 * again.
 */
bool handler_run(struct context *ctx, struct pst_arena *arena,
                 const struct request_input *input,
                 const struct response_sink *sink, handler_fn *handler);

#endif
