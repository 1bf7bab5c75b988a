/* SPDX-License-Identifier: ISC */
/*
 * login_config.c - a configuration whose login document has a result of two
 * types, one of them an interface, and a nested secret.
 */
#include "login_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char document[] =
    "mutation($email:String!,$password:String!){"
    "in:login(email:$email,password:$password){"
    "...on Owner{session{secret:token ttl}mail:email ownerId stores{id name}"
    "refreshToken avatar(size:2)}"
    "...on Failure{code message}}}";

struct config *
login_config(void)
{
    struct config *config = NULL;
    char path[] = "/tmp/postern-login-XXXXXX";
    char file[64];
    int fd = mkstemp(path);
    const char *const environment[] = {
        "COOKIE_SESSION_SECRET=dGhpcyBpcyBhIHNlY3JldCBvZiBtb3JlIHRoYW4gMzI",
        "POSTERN_UPSTREAM=http://127.0.0.1:9/",
        "POSTERN_STORE=none",
        "POSTERN_UPSTREAM_TOKEN=json:session/secret",
        "POSTERN_NAME=mail",
        "POSTERN_TTL=session/ttl",
        "POSTERN_SECRET_FIELDS=refreshToken",
        file,
        NULL};

    PST_REQUIRE(fd >= 0);
    PST_REQUIRE(write(fd, document, sizeof(document) - 1) > 0);
    (void)close(fd);
    (void)snprintf(file, sizeof(file), "POSTERN_LOGIN_DOCUMENT=%s", path);
    PST_REQUIRE(config_new(&config, environment, NULL) == PST_OK);
    PST_REQUIRE(unlink(path) == 0);
    return config;
}
