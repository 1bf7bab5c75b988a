/* SPDX-License-Identifier: ISC */
/*
 * backend_config.c - configurations for tests that read a backend's responses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend_config.h"

#define ARENA_SIZE ((size_t)256 * 1024)

#define SECRET "COOKIE_SESSION_SECRET=Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe"
#define UPSTREAM "POSTERN_UPSTREAM=http://127.0.0.1:9/graphql"

struct pst_arena *arena;

#define BOTH "$email:String!,$password:String!"
#define BIND "email:$email,password:$password"

const struct setting fauna = {NULL, NULL, {NULL}};
const struct setting vendure = {NULL, NULL, {"POSTERN_BACKEND=vendure"}};
/* Everything renamed, and further down; secrets behind aliases. */
const struct setting renamed = {
    "mutation(" BOTH "){login:signIn(" BIND "){session{secret:accessToken ttl:"
    "until}refresh:refreshToken role ...F}}"
    "fragment F on Result{user{id mail}level}",
    NULL,
    {"POSTERN_UPSTREAM_TOKEN=json:session/secret", "POSTERN_SUBJECT=user/id",
     "POSTERN_NAME=user/mail", "POSTERN_TTL=session/ttl",
     "POSTERN_SECRET_FIELDS=refreshToken"}};
/* Token in JSON, and another document that returns the user. */
const struct setting asked = {
    NULL,
    "{me:self{__typename ownerId:id email role secret other:token ttl "
    "expiresAt ...on Admin{level}}}",
    {"POSTERN_SECRET_FIELDS=token"}};
/* The same with the token's end in neither. */
const struct setting endless = {
    "mutation(" BOTH "){login(" BIND "){secret}}", "{me{ownerId}}", {NULL}};
/* The user's id further down in the who document. */
const struct setting nested = {"mutation(" BOTH "){login(" BIND "){secret}}",
                               "{me{user{id}}}",
                               {"POSTERN_SUBJECT=user/id"}};
/* A cookie for a token: no pointer is followed for it. */
const struct setting cookie = {"mutation(" BOTH "){login(" BIND "){ok}}",
                               "{me{ownerId}}",
                               {"POSTERN_UPSTREAM_TOKEN=cookie"}};

static void
report_variable(void *context, const char *variable, const char *reason)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", variable, reason);
}

/* NAME=path of a new file with this document; the caller unlinks it. */
static void
write_document(char *variable, size_t size, const char *name,
               const char *document)
{
    size_t start = strlen(name) + 1;
    size_t len = strlen(document);
    int descriptor;

    snprintf(variable, size, "%s=/tmp/postern-test-backend-XXXXXX", name);
    descriptor = mkstemp(variable + start);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, document, len), len);
    close(descriptor);
}

struct config *
configured(const struct setting *setting)
{
    static const char *const names[] = {"POSTERN_LOGIN_DOCUMENT",
                                        "POSTERN_WHO_DOCUMENT"};
    const char *const documents[] = {setting->login, setting->who};
    const struct config_reporter reporter = {report_variable, NULL};
    const char *environment[11] = {SECRET, UPSTREAM, "POSTERN_STORE=none"};
    struct config *config = NULL;
    char files[2][100] = {"", ""};
    size_t count = 3;

    for (size_t i = 0; i < 5 && setting->variables[i]; i++)
        environment[count++] = setting->variables[i];
    for (size_t i = 0; i < 2; i++)
        if (documents[i]) {
            write_document(files[i], sizeof(files[i]), names[i], documents[i]);
            environment[count++] = files[i];
        }
    assert_int_equal(config_new(&config, environment, &reporter), PST_OK);
    for (size_t i = 0; i < 2; i++)
        if (documents[i])
            unlink(files[i] + strlen(names[i]) + 1);
    return config;
}

void
expect_text(const char *row, struct pst_str got, const char *want)
{
    if (pst_str_is_absent(got) != !want ||
        (want && !pst_str_equal(got, pst_str_from(want))))
        fail_msg("%s: got %.*s, want %s", row, (int)got.len,
                 got.ptr ? got.ptr : "(absent)", want ? want : "(absent)");
}

int
open_arena(void)
{
    return pst_arena_new(&arena, ARENA_SIZE) != PST_OK;
}

int
close_arena(int failed)
{
    pst_arena_free(&arena);
    return failed;
}
