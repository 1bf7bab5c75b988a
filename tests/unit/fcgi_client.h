/* SPDX-License-Identifier: ISC */
/*
 * fcgi_client.h - for tests: the web server's end of a FastCGI connection. In a
 * fiber of the server's own loop its waits let the server go on; elsewhere they
 * wait in poll(2).
 */
#ifndef TESTS_FCGI_CLIENT_H
#define TESTS_FCGI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TYPE_END_REQUEST 3
#define TYPE_STDOUT 6
#define ANSWER_MAX 256
#define KEEP "\1"
#define CLOSE "\0"

/* Records of a request with id 1. */
#define BEGIN(keep) "\1\1\0\1\0\10\0\0\0\1" keep "\0\0\0\0\0"
#define BEGIN_AUTHORIZER(keep) "\1\1\0\1\0\10\0\0\0\2" keep "\0\0\0\0\0"
#define ABORT "\1\2\0\1\0\0\0\0"
#define PARAMS_END "\1\4\0\1\0\0\0\0"
#define STDIN_END "\1\5\0\1\0\0\0\0"
/* The variable DO, whose value has four bytes: orders for a handler. */
#define DO(what) "\1\4\0\1\0\10\0\0\2\4DO" what

/* Send a literal, which may contain NULs. */
#define SEND(descriptor, literal) \
    fcgi_client_send(descriptor, literal, sizeof(literal) - 1)

void fcgi_client_send(int descriptor, const void *bytes, size_t len);

/* Send a body of so many bytes, in records of 10,000, and its end. */
void fcgi_client_send_body(int descriptor, size_t len);

/* Receive exactly so many bytes; false when the connection has ended. */
bool fcgi_client_receive(int descriptor, void *out, size_t len);

/* Receive the answer to a request. Returns whether it has an END_REQUEST. */
bool fcgi_client_receive_answer(int descriptor, char out[static ANSWER_MAX]);

/* Receive an answer, which must be this. */
void fcgi_client_expect(int descriptor, const char *want);

/* The connection must have ended; close it. */
void fcgi_client_expect_closed(int descriptor);

#endif
