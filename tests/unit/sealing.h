/* SPDX-License-Identifier: ISC */
/*
 * sealing.h - a worker with a store, to seal and open sessions of any size.
 */
#ifndef TESTS_SEALING_H
#define TESTS_SEALING_H

#include "fixture.h"
#include "gateway/token_transport.h"
#include "stores.h"

/* Bytes of credentials that are too large for a cookie. */
#define LARGE 6000

/* Settings of both methods, in each format. */
extern const char *const both[];
extern const char *const both_signed[];

struct place {
    struct fixture f;
    struct stores stores;
};

extern struct place place;

void place_init(const char *const *settings);
void place_fini(void);

/* Credentials of that many bytes. */
struct pst_str token_of(size_t size);

/* A session with such credentials. */
struct pst_session session_of(size_t size);

/* Issue it by every method, and store what is to be stored. */
struct transport seal(const struct pst_session *session, bool is_new);

/* The token in a Set-Cookie value. */
struct pst_str value_of(struct pst_str line);

/* Open that token as a user's cookie. */
enum pst_err open_cookie(struct pst_str line, struct pst_session *out);

void assert_same(const char *name, const struct pst_session *got,
                 const struct pst_session *want);

#endif
