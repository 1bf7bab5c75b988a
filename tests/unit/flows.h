/* SPDX-License-Identifier: ISC */
/*
 * flows.h - check one request to one program, given as a row of a table: the
 * request, the answers of the backend, and the expected response.
 */
#ifndef TESTS_FLOWS_H
#define TESTS_FLOWS_H

#include "fixture.h"

#define FLOW_GET "REQUEST_METHOD=GET"
#define FLOW_GRAPHQL "HTTP_ACCEPT=application/graphql-response+json"

/* Answers to the who document of the vendure preset. */
#define FLOW_ME "{\"data\":{\"me\":{\"id\":\"7\",\"identifier\":\"a\"}}}"
#define FLOW_NOBODY "{\"data\":{\"me\":null}}"

/* A row. */
struct flow {
    const char *body;         /* NULL: there is none */
    const char *variables[4]; /* added to those of a same-origin POST of JSON;
                                 they replace ones of the same name */
    struct fixture_answer answers[4];
    int status;
    const char *out[5];    /* texts in the response */
    const char *never[3];  /* texts that are not in the response */
    const char *sent[5];   /* texts that the backend got */
    const char *unsent[3]; /* texts that the backend did not get */
    size_t exchanges;      /* how many requests the backend got */
};

/* Run the program. Returns the status, also of an error whose body
 * gateway/handler.c would write. */
int flow_ask(struct fixture *f, handler_fn *program, const struct flow *flow);

/* Run the program, and fail the test unless all is as the row expects. */
void flow_check(struct fixture *f, handler_fn *program,
                const struct flow *flow);

/*
 * Run a request without a failure, and then with each allocation failing. Fails
 * the test unless each time PST_NO_MEMORY is returned, nothing was sent and no
 * user's session begins, or all is as without a failure.
 *   variables  "NAME=value", NULL at the end
 *   want       the result without a failure
 * Returns the number of allocations.
 */
size_t flow_check_memory(struct fixture *f, handler_fn *program,
                         const char *const *variables, const char *body,
                         enum pst_err want);

#endif
