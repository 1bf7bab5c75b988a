/* SPDX-License-Identifier: ISC */
/*
 * exchange.h - run HTTP exchanges with the scripted server (scripted.h), and
 * record what they bring.
 */
#ifndef TESTS_EXCHANGE_H
#define TESTS_EXCHANGE_H

#include "scripted.h"
#include "upstream/http_client.h"

/* What the functions of an exchange do, and what they got. */
struct client {
    /* to be sent */
    struct pst_str body;
    size_t sent;
    size_t step; /* bytes at a time; 0: as many as fit */
    size_t reads;
    int delay; /* milliseconds that pass in each function */
    enum pst_err read_err;
    size_t err_at; /* bytes that are read before read_err */
    enum pst_err connected_err;
    enum pst_err header_err;
    enum pst_err head_err;
    enum pst_err body_err;
    /* received */
    int connects;
    int status;
    int heads;
    char headers[2048];
    size_t headers_len;
    char got[4096];
    size_t got_len;
    size_t pieces;
    size_t flushes;
    int go;            /* written to after each piece; -1: not */
    int go_waiting;    /* written to when we wait after a piece; -1: not */
    bool is_piece_new; /* we have not waited since the last piece */
};

extern struct pst_arena *arena;
extern struct server server;
extern struct client client;

/*
 * Set by a test whose server sends nothing after its REPORT: from then on
 * poll(2) does not wait, and the clock advances at once.
 */
extern bool ends_in_silence;

/* How often the test's thread called poll(2) in this test. */
extern size_t waits;

/* Of the last run(). */
extern struct http_error run_error;

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

/* One request, answered with OK_HEAD "{}". */
extern const struct step plain[];

/* Set up and tear down one test. */
int set_up(void **state);
int tear_down(void **state);

void client_init(void);

/* An exchange whose functions are those of `client`. */
struct http_exchange exchange(const char *method, int64_t body_length);

/* A client for the server's address, all of its timeouts at `timeout` s. */
struct http_client *open_upstream(const char *scheme, const char *path,
                                  int64_t timeout);

/* Run an exchange. It must have an error text if it fails, and else none. */
enum pst_err run(struct http_client *upstream,
                 const struct http_exchange *what);

/* Start a server and run one exchange with it. */
enum pst_err run_once(const struct step *script,
                      const struct http_exchange *what, int64_t timeout);

void check_err(const char *row, enum pst_err got, enum pst_err want);

/* What the server got is `format`, with the port in the place of %d. */
void check_got(const char *row, const char *format);

/* Run a group of tests between http_client_start() and http_client_stop(). */
#define RUN_TESTS(tests)           \
    (http_client_start() != PST_OK \
         ? 1                       \
         : stop_after(cmocka_run_group_tests((tests), NULL, NULL)))
int stop_after(int failed);

#endif
