/* SPDX-License-Identifier: ISC */
/*
 * operation.h - what a client's GraphQL request asks the backend for, as far
 * as logging in goes (design 2.6: a login is one wherever it is sent).
 */
#ifndef GATE_OPERATION_H
#define GATE_OPERATION_H

#include "arena.h"
#include "config.h"
#include "err.h"
#include "text.h"

/* What kind of request a client's GraphQL body is. */
enum operation_kind {
    OPERATION_PLAIN,  /* names no login field: may stream */
    OPERATION_LOGIN,  /* names one */
    OPERATION_UNSURE, /* brings no document: hold the answer */
};

#define OPERATION_NAMES_MAX 8 /* strings that may name the account */

/*
 * Watches a request that is too long to be read while it passes: its octets,
 * not its meaning, since it need not be held for that.
 */
struct operation_watch {
    struct pst_text names[2]; /* fields that log in; empty: none */
    bool fits[2];             /* the word so far begins that name */
    size_t word;              /* octets of name characters in a row */
    bool has_begun;           /* white space is over */
    unsigned escape;          /* octets of an escape so far */
    unsigned code;            /* what the digits of \u stand for */
    unsigned left;            /* octets of a UTF-8 sequence to come */
    unsigned char low, high;  /* the next one's range */
    size_t again;             /* octets to come that were looked at already */
};

struct operation {
    enum operation_kind kind;
    bool remember;    /* variables.rememberMe is true */
    bool is_mutation; /* a login whose document speaks of a mutation */
    bool is_partial;  /* it may bring more strings than there are names */

    /* What is to see the body as it passes, as in struct forward_request, and
     * its context; NULL: all of it was read. */
    enum pst_err (*watch)(void *watching, struct pst_text piece);
    void *watching;

    /* Whatever string the request brings may be the name of the account that
     * it logs into: all of them are counted as one. */
    struct pst_text names[OPERATION_NAMES_MAX];
    size_t name_count;
};

/*
 * Read a client's GraphQL request.
 *   body  one JSON object, or an array of them (a batch)
 * Returns PST_OK; PST_MALFORMED (no JSON; a member that is "query" but for
 * case; a login in a batch, with more than OPERATION_NAMES_MAX strings, or with
 * strings that cannot be read; a field that we rely on under another name, so
 * that the secret would not be found again, or a name that is not the
 * backend's would be); PST_DUPLICATE; PST_TOO_LARGE; PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err operation_read_body(struct pst_arena *arena,
                                              const struct config *config,
                                              struct pst_text body,
                                              struct operation *out);

/*
 * The same for a body that is too long to be read: it can be sent on while
 * out->watch sees all of it, from its first octet; out->watching is its
 * struct operation_watch.
 *   head  as much of it as is held
 * Returns PST_OK; PST_HIDDEN_LOGIN (as operation_watch_piece()); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err operation_read_head(struct pst_arena *arena,
                                              const struct config *config,
                                              struct pst_text head,
                                              struct operation *out);

/*
 * Look at the next piece of a body that is too long to be read. Nothing of a
 * piece that is refused may be sent, nor anything after it: what the backend
 * has then is cut, and no JSON.
 * Returns PST_OK; PST_HIDDEN_LOGIN when it may hold a login, or what some
 * backend could take for one: the name of a field that logs in, a JSON escape
 * for a letter, digit or "_" of a name, a batch, or what is no JSON in UTF-8
 * and may be read as anything. Source: RFC 8259 sections 2, 7 and 8.1.
 */
PST_MUST_USE enum pst_err operation_watch_piece(struct operation_watch *watch,
                                                struct pst_text piece);

/*
 * The same for a document in a query string (GET).
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err operation_read_query(struct pst_arena *arena,
                                               const struct config *config,
                                               struct pst_text query,
                                               struct operation *out);

/*
 * Nothing in this query string may be what some backend takes for a document:
 * that of a POST is the one in its body, or we read another than it runs.
 * Returns PST_OK, PST_MALFORMED (there is, or it cannot be read),
 * PST_TOO_LARGE, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err operation_check_query(struct pst_arena *arena,
                                                struct pst_text query);

#endif
