/* SPDX-License-Identifier: ISC */
/*
 * handler.h - one request, whichever way it came.
 */
#ifndef POSTERN_GATEWAY_HANDLER_H
#define POSTERN_GATEWAY_HANDLER_H

#include "gateway/context.h"

/*
 * One request from its variables to the end of its answer: what serve does
 * for each, and what tests call without a server. Never fails: a handler's
 * error becomes an answer, and HEAD gets no body. Leaves one line in the log.
 *   arena  reset before and after
 * Returns false when the answer was cut off and the connection must not be
 * used again.
 */
bool handler_run(struct context *ctx, struct pst_arena *arena,
                 const struct request_input *origin,
                 const struct response_sink *sink, handler_fn *handler);

#endif
