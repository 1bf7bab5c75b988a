/* SPDX-License-Identifier: ISC */
/*
 * message.h - build the URL and check the headers of a request to the backend,
 * and parse the head of its response (RFC 9112).
 */
#ifndef POSTERN_HTTP_MESSAGE_H
#define POSTERN_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/*
 * Append the client's query string to a URL.
 *   base   the configured URL; may have a query string
 *   query  without "?"; absent or empty: none
 *   out    set on PST_OK to a NUL-terminated string in the arena
 * Returns PST_OK, PST_NO_MEMORY, or PST_MALFORMED for a query with a control
 * byte, a space, "#" or a byte that is not ASCII: these could end the URL or
 * the request line early.
 */
PST_MUST_USE enum pst_err message_url(struct pst_arena *arena, const char *base,
                                      struct pst_str query, const char **out);

/*
 * The same into a buffer, without a NUL. Returns PST_OK, PST_MALFORMED; the
 * buffer keeps its own errors.
 */
PST_MUST_USE enum pst_err message_add_url(struct pst_buf *buf, const char *base,
                                          struct pst_str query);

/*
 * May this header be sent to the backend? The name must be a token, and the
 * value a field value. The headers that frame or route a message are refused,
 * since only we set them: Connection, Content-Length, Expect, Host, Keep-Alive,
 * TE, Trailer, Transfer-Encoding, Upgrade.
 */
bool message_may_send(struct pst_str name, struct pst_str value);

/* Parse a status line without its line end, such as "HTTP/1.1 200 OK". Returns
 * the status, 100..599, or 0: invalid. */
int message_parse_status(struct pst_str line);

/*
 * Split a header line without its line end. A folded line, or one with spaces
 * before its colon, is refused: programs read these differently (RFC 9112
 * sections 5.1 and 5.2).
 *   name, value  slices of the line; the value without spaces at its ends
 * Returns PST_OK or PST_UPSTREAM_BROKEN.
 */
PST_MUST_USE enum pst_err message_split_header(struct pst_str line,
                                               struct pst_str *name,
                                               struct pst_str *value);

/* The head of a response, read line by line. */
struct message_head {
    int status;           /* 100..599; 0: the status line is not read yet */
    bool complete;        /* the final head is read */
    size_t bytes;         /* of all heads, including interim ones */
    size_t count;         /* header lines, likewise */
    struct pst_buf lines; /* the header lines, each with a LF */
    const char *reason;   /* why it was refused, a literal; NULL: it was not */
};

/* Begin to read a head. */
void message_head_init(struct message_head *head, struct pst_arena *arena);

/*
 * Read the next line. At the end of an interim response (1xx, RFC 9110 15.2)
 * everything of it is dropped.
 *   line  with or without its line end; an empty line ends the head
 * Returns PST_OK; PST_UPSTREAM_BROKEN (the status line is missing or its status
 * is outside 100..599, a line is folded or has a space before its colon or a
 * control byte, a Content-Length is not a number or differs from another, or
 * there are more than PST_HEADERS_MAX bytes or PST_HEADER_COUNT_MAX lines),
 * with head->reason; PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err message_head_add(struct message_head *head,
                                           struct pst_str line);

/*
 * Call `header` for each header of a complete head, in order. Content-Length is
 * left out when there is a Transfer-Encoding, which overrides it (RFC 9112
 * 6.3). Stops at the first error, and returns it; else PST_OK.
 */
PST_MUST_USE enum pst_err
message_head_walk(const struct message_head *head,
                  enum pst_err (*header)(void *context, struct pst_str name,
                                         struct pst_str value),
                  void *context);

#endif
