/* SPDX-License-Identifier: ISC */
/*
 * fixture.h - one worker of a gateway without a server or a network: the
 * clock and the random bytes are set by the test, the reply goes into
 * memory, and the backend answers from a script.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "gateway/documents.h"

#define FIXTURE_NOW 1700000000 /* 2023-11-14T22:13:20Z */

/* The next answer of the backend; zero status: it cannot be reached. */
struct fixture_answer {
    int status;
    const char *headers[8]; /* "Name: value", NULL at the end */
    const char *body;
};

struct fixture {
    struct context ctx;
    struct config *config;
    struct pst_arena *arena;
    struct request req;
    struct response res;
    struct fixture_answer answer;
    struct fixture_answer later[3]; /* for the exchanges after; one without a
                                       status: the one before again */

    char out[256 * 1024]; /* the reply as it went out */
    size_t out_len;
    char sent[256 * 1024]; /* what the backend got: lines, empty line, body;
                              each time */
    size_t sent_len;
    size_t exchanges;                  /* how often it was asked */
    const struct http_client *used[4]; /* the handle of each of the first */
    int64_t body_lengths[4];           /* what each said of its body's length */
    size_t copies;                     /* how many handles were copied */
    size_t draws;                      /* how often random bytes were */

    struct pst_str body; /* of the client's request */
    size_t body_read;
    const char *variables[80];
    size_t variable_count;
};

/*
 * Make one; `settings` (NAME=value, NULL at the end) are added to a secret
 * and an upstream.
 */
void fixture_init(struct fixture *f, const char *const *settings);
void fixture_fini(struct fixture *f);

/*
 * Begin a request: variables are "NAME=value" strings, NULL at the end; the
 * body's length is told. A request before it is over and its arena wiped.
 */
void fixture_request(struct fixture *f, const char *const *variables,
                     const char *body);

/* A session that fixture_begin() has begun, as variables of requests. */
struct fixture_session {
    struct auth auth;
    char cookie[8192]; /* HTTP_COOKIE=… */
    char bearer[8192]; /* HTTP_AUTHORIZATION=Bearer …; "" without the method */
};

/* Begin the session of user "7", called "a"; of a guest where it is one. */
void fixture_begin(struct fixture *f, bool is_guest,
                   struct fixture_session *session);

/* The same with what a login found out. */
void fixture_begin_with(struct fixture *f, const struct auth_grant *grant,
                        struct fixture_session *session);

/* Keep the tokens that the reply hands out in the place of older ones. */
void fixture_take_tokens(struct fixture *f, struct fixture_session *session);

/*
 * Begin a GET or POST with up to two more variables (NULL: none), and let it
 * enter a program that clears dead cookies.
 */
enum pst_err fixture_enter(struct fixture *f, struct auth *auth,
                           const char *method, const char *a, const char *b);

/* How many header lines of that name the reply has, and is this one of them? */
size_t fixture_count(const struct fixture *f, const char *name);
bool fixture_has(const struct fixture *f, const char *name, const char *value);

/* The reply's header line's value, of several the last, or NULL; valid until
 * the next call. */
const char *fixture_header(struct fixture *f, const char *name);

/* Is `needle` anywhere in what went out, or in what the backend got? */
bool fixture_is_out(const struct fixture *f, const char *needle);
bool fixture_was_sent(const struct fixture *f, const char *needle);

/* From now on random bytes are not to be had. */
void fixture_break_random(struct fixture *f);

#endif
