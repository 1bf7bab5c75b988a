/* SPDX-License-Identifier: ISC */
/*
 * redis_peer.h - for tests: servers that answer commands as Redis does, but
 * with what the test says; each in a process of its own.
 */
#ifndef TESTS_REDIS_PEER_H
#define TESTS_REDIS_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* The answer to commands that begin with these words. */
struct redis_peer_row {
    const char *command; /* "": any. NULL ends the table */
    const char *reply;   /* "": none. NULL: the connection is closed */
    unsigned times;      /* it is used so often; 0: always */
};

/* A server. */
struct redis_peer {
    char port[6];
    int listener;
    int log;    /* one line for each command that came */
    int writer; /* the other end of it */
    int pid;    /* 0: it is not running */
};

/* Choose a port, which goes into the replies of others. It does not answer
 * before redis_peer_start(). */
void redis_peer_init(struct redis_peer *peer);

/* Answer the commands: by the first row that fits, and was not used up. */
void redis_peer_start(struct redis_peer *peer,
                      const struct redis_peer_row *rows);

/* Fail unless exactly these commands came, one a line: the beginning of each.
 * The server must have been stopped. */
void redis_peer_expect(const struct redis_peer *peer, const char *want);

/* Stop the server. It can be called twice. */
void redis_peer_stop(struct redis_peer *peer);

/* Stop it, and forget what came. */
void redis_peer_fini(struct redis_peer *peer);

#endif
