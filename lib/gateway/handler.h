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
bool gate_handle(struct gate *gate, struct pst_arena *arena,
                 const struct request_origin *origin,
                 const struct reply_sink *sink, gate_handler *handler);

#endif
