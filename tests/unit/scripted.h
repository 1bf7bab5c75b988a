/* SPDX-License-Identifier: ISC */
/*
 * scripted.h - a small server for tests: one thread that follows a script and
 * keeps what clients send.
 */
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* What a step of the script does. */
enum act {
    END,       /* close all connections; the last step */
    ACCEPT,    /* accept a connection; the one before is closed */
    ANOTHER,   /* accept a connection; the one before stays open, unused */
    READ_HEAD, /* read up to an empty line */
    READ_TEXT, /* read up to this text */
    SEND,      /* send this text */
    SEND_MANY, /* send a long header many times */
    SYNC,      /* wait until the test writes a byte to server.go */
    REPORT,    /* report to the test, see server_wait_for_report() */
    DRAIN,     /* read until the client closes */
    CLOSE,     /* close the connection at once */
    SHUT,      /* send the end of the connection, but go on reading */
};

struct step {
    enum act act;
    const char *text;
    size_t len; /* of a text that has a NUL, else 0 */
};

struct server {
    pthread_t thread;
    const struct step *script;
    int listener;
    int connection;
    int forgotten; /* the connection before ANOTHER */
    int go[2];     /* a pipe: the test writes a byte to continue after SYNC */
    int stop[2];   /* a pipe: the test closes its end to stop the server */
    int report[2]; /* a pipe: REPORT writes a byte for the test */
    int port;
    int accepted;
    char *got; /* all that clients have sent */
    size_t got_len;
    size_t seen; /* how much of it the READ_ steps have read */
};

/* Listen on a port of 127.0.0.1 that the system chooses. */
void server_listen(struct server *server);

/* Listen and start the script. It ends at the first step that fails. */
void server_start(struct server *server, const struct step *script);

/* The same on a Unix socket; NULL: on a port. */
void server_start_at_path(struct server *server, const struct step *script,
                          const char *path);

/* Wait until the script has done its next REPORT. */
void server_wait_for_report(struct server *server);

/* Stop the server and wait for it. server->got may be read afterwards. */
void server_join(struct server *server);

/* Free server->got. */
void server_free(struct server *server);

#endif
