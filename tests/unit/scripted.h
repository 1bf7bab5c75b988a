/* SPDX-License-Identifier: ISC */
/*
 * scripted.h - a small server for tests: one thread that follows a script,
 * and keeps what clients sent to it.
 */
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum act {
    END,       /* close everything */
    ACCEPT,    /* a new connection; the one before is closed */
    ANOTHER,   /* a new connection; the one before stays open, forgotten */
    READ_HEAD, /* up to an empty line */
    READ_TEXT, /* up to this text */
    SEND,      /* this text */
    SEND_MANY, /* a long header, again and again */
    SYNC,      /* until the client says go, once */
    TELL,      /* the test, which waits for it in server_await() */
    DRAIN,     /* until the client closes */
    CLOSE,     /* the connection, at once */
};

struct step {
    enum act act;
    const char *text;
    size_t len; /* of a text with a NUL in it, else 0 */
};

struct server {
    pthread_t thread;
    const struct step *script;
    int listener;
    int connection;
    int forgotten;
    int go[2];   /* the test writes to say go */
    int stop[2]; /* the test closes to say stop */
    int told[2]; /* TELL writes, the test reads */
    int port;
    int accepted;
    char *got; /* all that clients sent */
    size_t got_len;
    size_t seen; /* of it, what READ_ steps are done with */
};

/* Listen on a port of 127.0.0.1 that the system chooses. */
void server_listen(struct server *server);

/* Listen, and begin the script, which ends at the first step that fails. */
void server_start(struct server *server, const struct step *script);

/* Wait until the script has come to its next TELL. */
void server_await(struct server *server);

/* Say stop, and wait. After this, what the server got may be looked at. */
void server_join(struct server *server);

/* Forget what it got. */
void server_free(struct server *server);

#endif
