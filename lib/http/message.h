/* SPDX-License-Identifier: ISC */
/*
 * message.h - the text of an exchange with the backend: what may be sent,
 * and how an answer's head is read (RFC 9112). Knows nothing of curl.
 */
#ifndef POSTERN_HTTP_MESSAGE_H
#define POSTERN_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/*
 * base with a query string after it.
 *   base   the configured URL; may bring a query string of its own
 *   query  the client's, without "?"; absent or empty: none
 *   out    set on PST_OK to a NUL-terminated string in the arena
 * Returns PST_OK, PST_NO_MEMORY, or PST_MALFORMED for a query with a control
 * byte, a space, "#", or an byte that is not ASCII: one that could end the
 * address or the request line early.
 */
PST_MUST_USE enum pst_err message_url(struct pst_arena *arena, const char *base,
                                      struct pst_str query, const char **out);

/*
 * May this header be sent? Name a token, value a field value, and none of
 * those that say where a message ends or whom it is for: Connection,
 * Content-Length, Expect, Host, Keep-Alive, TE, Trailer, Transfer-Encoding,
 * Upgrade.
 */
bool message_may_send(struct pst_str name, struct pst_str value);

/* The head of an answer, read line by line. */
struct message_head {
    int status;    /* 100..599; 0: a status line is due */
    bool complete; /* the final head was read; what follows is no part of it */
    size_t bytes;  /* of all heads, interim ones included */
    struct pst_buf lines;
};

void message_head_init(struct message_head *head, struct pst_arena *arena);

/*
 * Take the next line.
 *   line  with or without its line end; an empty one ends a head
 * An interim answer (1xx, RFC 9110 section 15.2) is forgotten when it ends.
 * Returns PST_OK; PST_UPSTREAM_BROKEN (no status line, a status outside
 * 100..599, a folded line, a blank before the colon, a control byte, a
 * Content-Length that is no number or contradicts another, more than
 * PST_HEADERS_MAX bytes); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err message_head_add(struct message_head *head,
                                           struct pst_str line);

/*
 * Hand each header of a complete head to `header`, in order; not
 * Content-Length where there is a Transfer-Encoding, for then it means
 * nothing. Returns PST_OK or what `header` returned first.
 */
PST_MUST_USE enum pst_err
message_head_walk(const struct message_head *head,
                  enum pst_err (*header)(void *context, struct pst_str name,
                                         struct pst_str value),
                  void *context);

#endif
