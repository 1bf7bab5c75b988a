/* SPDX-License-Identifier: ISC */
/*
 * fixture.h - handlers without a server or a network: the test sets the clock
 * and the random bytes, the response goes into memory, and the backend answers
 * from a script.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "gateway/document_lookup.h"

#define FIXTURE_NOW 1700000000 /* 2023-11-14T22:13:20Z */

/* An answer of the backend; status 0: it cannot be reached. */
struct fixture_answer {
    int status;
    const char *headers[8]; /* "Name: value", NULL at the end */
    const char *body;
};

/* The context, the request and its response, and what the backend got. */
struct fixture {
    struct context ctx;
    struct config *config;
    struct pst_arena *arena;
    struct pst_arena *documents; /* of fixture_set_refresh(); or NULL */
    struct request req;
    struct response res;
    struct fixture_answer answer;   /* to the first exchange */
    struct fixture_answer later[3]; /* to the next ones; status 0: the answer
                                       before is repeated */

    char out[256 * 1024]; /* the response as it was sent */
    size_t out_len;
    size_t flushes;        /* of the response */
    char sent[256 * 1024]; /* all requests that the backend got: lines, an empty
                              line, the body */
    size_t sent_len;
    size_t exchanges; /* how many requests the backend got */
    const struct http_client
        *used[4];            /* the client of each of the first ones */
    int64_t body_lengths[4]; /* the body length of each of them */
    bool repeatable[4];      /* whether each is_repeatable */
    int clients[4];          /* whose going away ends each of them */
    size_t draws;            /* how often random bytes were taken */

    char log_path[40]; /* "": no log */

    struct pst_str body; /* of the request */
    size_t body_read;
    bool is_client_gone; /* while it sends the body */
    const char *variables[80];
    size_t variable_count;
};

/*
 * Make a context.
 *   settings  "NAME=value", NULL at the end; added to a secret, a backend and
 *             POSTERN_STORE=none. May be NULL
 */
void fixture_init(struct fixture *f, const char *const *settings);
void fixture_fini(struct fixture *f);

/* Refresh tokens with this document and with /refreshToken, as if the store
 * that this needs were configured. */
void fixture_set_refresh(struct fixture *f, const char *document);

/*
 * Begin a request. The request before it ends, and its arena is reset.
 *   variables  "NAME=value", NULL at the end
 *   body       NULL: none; else CONTENT_LENGTH is added
 */
void fixture_request(struct fixture *f, const char *const *variables,
                     const char *body);

/* The same, for handler_run(): only the two ends of the connection. */
void fixture_connect(struct fixture *f, const char *const *variables,
                     const char *body, struct request_input *input,
                     struct response_sink *sink);

/* A session, and its tokens as variables for requests. */
struct fixture_session {
    struct auth auth;
    char cookie[8192]; /* HTTP_COOKIE=… */
    char bearer[8192]; /* HTTP_AUTHORIZATION=Bearer …; "" when none is issued */
};

/* Begin a session of user "7" with the name "a", or of a guest. */
void fixture_begin(struct fixture *f, bool is_guest,
                   struct fixture_session *session);

/* Begin a session with the result of a login. */
void fixture_begin_with(struct fixture *f, const struct auth_grant *grant,
                        struct fixture_session *session);

/* Replace the tokens by those of the response. */
void fixture_take_tokens(struct fixture *f, struct fixture_session *session);

/*
 * Begin a request and authenticate it, as a handler of GET and POST does.
 *   method  "REQUEST_METHOD=GET" or "REQUEST_METHOD=POST"
 *   a, b    more variables; NULL: none
 */
enum pst_err fixture_enter(struct fixture *f, struct auth *auth,
                           const char *method, const char *a, const char *b);

/* How many headers of this name has the response? Is this one of them? */
size_t fixture_count(const struct fixture *f, const char *name);
bool fixture_has(const struct fixture *f, const char *name, const char *value);

/* The value of a header of the response, of several the last one, or NULL;
 * valid until the next call. */
const char *fixture_header(struct fixture *f, const char *name);

/* Is `needle` anywhere in the response, or in what the backend got? */
bool fixture_is_out(const struct fixture *f, const char *needle);
bool fixture_was_sent(const struct fixture *f, const char *needle);

/* From now on, the random generator fails. */
void fixture_break_random(struct fixture *f);

/* From now on, the log is written, at level info. */
void fixture_open_log(struct fixture *f);

/* The log since fixture_open_log() or the last call; valid until the next. */
const char *fixture_read_log(struct fixture *f);

#endif
