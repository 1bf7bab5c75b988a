/* SPDX-License-Identifier: ISC */
/*
 * flows.h - one request through one program, as a row of a table: what is
 * asked, what the backend answers, and what must come of it.
 */
#ifndef TESTS_FLOWS_H
#define TESTS_FLOWS_H

#include "fixture.h"

#define FLOW_GET "REQUEST_METHOD=GET"
#define FLOW_GRAPHQL "HTTP_ACCEPT=application/graphql-response+json"

/* What the vendure preset's who document is answered. */
#define FLOW_ME "{\"data\":{\"me\":{\"id\":\"7\",\"identifier\":\"a\"}}}"
#define FLOW_NOBODY "{\"data\":{\"me\":null}}"

struct flow {
    const char *body;         /* NULL: there is none */
    const char *variables[4]; /* more than those of a same-origin POST of JSON;
                                 of one that stands twice the last counts */
    struct fixture_answer answers[4];
    int status;
    const char *out[5];    /* what is in the reply */
    const char *never[3];  /* and what is not */
    const char *sent[5];   /* what the backend got */
    const char *unsent[3]; /* and did not */
    size_t exchanges;
};

/* Ask; returns the status of the answer. The reply's error body is left to
 * gateway/handler.c. */
int flow_ask(struct fixture *f, handler_fn *program, const struct flow *flow);

/* The same, and fail unless everything came as the row says. */
void flow_check(struct fixture *f, handler_fn *program,
                const struct flow *flow);

#endif
