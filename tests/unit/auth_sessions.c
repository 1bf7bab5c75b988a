/* SPDX-License-Identifier: ISC */
/*
 * auth_sessions.c - sessions of one user and of a guest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth_sessions.h"

const char *const cookie_only[] = {NULL};
const char *const both[] = {"POSTERN_TOKEN_METHOD=cookie,bearer", NULL};

const struct auth_grant alice = {
    .sub = {"7", 1},
    .name = {"alice@example.com", 17},
    .who = {"{\"email\":\"alice@example.com\"}", 29},
    .upstream = {"\"fnEDsecret\"", 12},
};

const struct auth_grant cart = {
    .sub = {"", 0},
    .name = {"", 0},
    .who = {"{}", 2},
    .upstream = {"\"cart\"", 6},
};

enum pst_err
enter(struct fixture *f, struct auth *auth, const char *variable)
{
    enum pst_err e = fixture_enter(f, auth, GET, variable, NULL);

    return e ? e : auth_renew_if_due(&f->ctx, &f->req, &f->res, auth);
}

bool
is_alice(const struct auth *auth)
{
    return auth->has_session && pst_str_equal(auth->session.sub, alice.sub) &&
           pst_str_equal(auth->session.upstream, alice.upstream);
}

struct stores stores;

void
init_with_store(struct fixture *f, const char *const *settings)
{
    fixture_init(f, settings);
    stores_start(&stores, STORE_LMDB, NULL);
    f->ctx.store = stores_open(&stores, "test");
}

void
fini_with_store(struct fixture *f)
{
    store_close(&f->ctx.store);
    stores_stop(&stores);
    fixture_fini(f);
}
