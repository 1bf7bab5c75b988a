/* SPDX-License-Identifier: ISC */
/*
 * backend_probe.h - send one GraphQL request to the backend for `postern
 * check`, and say what is wrong if no GraphQL server answers.
 */
#ifndef POSTERN_BACKEND_PROBE_H
#define POSTERN_BACKEND_PROBE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "codec/json.h"
#include "upstream/http_client.h"

/* The exchange with the backend, and its last answer. */
struct backend_probe {
    struct http_client *client;
    struct pst_arena *arena;
    int status;
    struct pst_str type;     /* Content-Type */
    struct pst_str location; /* of a redirect */
    int64_t date;            /* of its Date header; -1: none */
    struct pst_buf answer;   /* at most 64 KiB of it */
};

/* Send a JSON body. Returns 0, or EX_UNAVAILABLE with the cause printed. */
int backend_probe_send(struct backend_probe *probe, struct pst_str body);

/* The answer if it is a GraphQL response: an object with data or errors. NULL:
 * it is not. Lives as long as the arena. */
const struct pst_json *
backend_probe_response(const struct backend_probe *probe);

/* Print that no GraphQL server answered, and what came. Returns EX_CONFIG. */
int backend_probe_report_no_graphql(const struct backend_probe *probe);

/* Print "VARIABLE: SENTENCE: " and the message of the response's first error.
 * root may be NULL. */
void backend_probe_report_message(const char *variable, const char *sentence,
                                  const struct pst_json *root);

#endif
