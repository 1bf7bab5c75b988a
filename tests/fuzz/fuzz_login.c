/* SPDX-License-Identifier: ISC */
/*
 * fuzz_login.c - a client's login in any GraphQL document, and any answer of
 * the backend (L53 to L57). The input has three parts, with a line "---"
 * between them: the document, its variables, the answer. What is bound for the
 * configured document is JSON that names the account; what the client gets is
 * JSON without the backend's secrets.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"
#include "codec/json.h"
#include "gateway/login_match.h"
#include "gateway/login_shape.h"
#include "graphql/parser.h"
#include "login_config.h"

#define ARENA_SIZE (1024 * 1024)
#define SECRET PST_STR("s3cr3t-7f1e-0c44")
#define REFRESH PST_STR("r3fr3sh-9a2b-61d0")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pst_arena *arena;
static struct config *config;

/* The secure memory of libgcrypt is not searched for leaks. */
static void
free_config(void)
{
    config_free(&config);
}

/* Split off the text before a line "---". */
static struct pst_str
next_part(struct pst_str *rest)
{
    static const char line[] = "\n---\n";
    const char *end = rest->len > 0
                          ? memmem(rest->ptr, rest->len, line, sizeof(line) - 1)
                          : NULL;
    const size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    const struct pst_str part = pst_str_first(*rest, len);

    *rest = pst_str_skip(*rest, end ? len + sizeof(line) - 1 : len);
    return part;
}

/* What is sent to the backend, and what is counted. */
static void
check_match(const struct login_match *match)
{
    const struct pst_json *variables;
    const struct pst_json *name;

    PST_REQUIRE(pst_json_parse(arena, match->variables, &variables) == PST_OK);
    PST_REQUIRE(pst_json_kind(variables) == PST_JSON_OBJECT);
    if (!match->login)
        return;
    name = pst_json_get(variables, PST_STR("email"));
    PST_REQUIRE(pst_json_kind(name) == PST_JSON_STRING);
    PST_REQUIRE(pst_str_equal(pst_json_string(name), match->name));
}

static void
check_shape(const struct login_operation *theirs, struct pst_str text)
{
    struct login_reason reason = {""};
    const struct login_shape shape = {.arena = arena,
                                      .config = config,
                                      .ours = &config->backend.logins[0],
                                      .theirs = theirs,
                                      .reason = &reason};
    struct login_answer answer = {.secret = SECRET, .refresh = REFRESH};
    const struct pst_json *parsed;
    struct pst_str out;
    enum pst_err e = login_shape_check(&shape);

    PST_REQUIRE(e == PST_OK || e == PST_LOGIN_SHAPE || e == PST_NO_MEMORY);
    if (e || pst_json_parse(arena, text, &answer.root))
        return;
    e = login_shape_emit(&shape, &answer, &out);
    PST_REQUIRE(e == PST_OK || e == PST_LOGIN_SHAPE || e == PST_NO_MEMORY);
    if (e)
        return;
    PST_REQUIRE(!pst_str_contains(out, SECRET));
    PST_REQUIRE(!pst_str_contains(out, REFRESH));
    e = pst_json_parse(arena, out, &parsed);
    PST_REQUIRE(e == PST_OK || e == PST_NO_MEMORY || e == PST_TOO_LARGE);
}

static void
check_login(struct pst_str text, struct pst_str variables,
            struct pst_str answer)
{
    const struct pst_graphql_document *parsed;
    struct pst_graphql_error error;
    struct login_operation theirs = {.variables = variables};
    struct login_match match;
    struct login_reason reason = {""};
    enum pst_err e;

    if (pst_graphql_parse(arena, text, &parsed, &error) || !parsed->operations)
        return;
    theirs.operation = parsed->operations;
    e = login_operation_find_field(&theirs, &reason);
    PST_REQUIRE((e == PST_OK) == (reason.text[0] == '\0'));
    if (e)
        return;
    e = login_match(arena, config, &theirs, &match, &reason);
    PST_REQUIRE(e == PST_OK || e == PST_LOGIN_SHAPE || e == PST_MALFORMED ||
                e == PST_NO_MEMORY);
    if (!e)
        check_match(&match);
    check_shape(&theirs, answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_str rest = pst_str_from_bytes((struct pst_bytes){data, size});
    const struct pst_str text = next_part(&rest);
    const struct pst_str variables = next_part(&rest);

    if (!config) {
        PST_REQUIRE(pst_arena_new(&arena, ARENA_SIZE) == PST_OK);
        config = login_config();
        PST_REQUIRE(atexit(free_config) == 0);
    }
    /* A client's own alias would look like a leak. */
    if (!pst_str_contains(text, SECRET) && !pst_str_contains(text, REFRESH))
        check_login(text,
                    pst_str_equal(variables, PST_STR("")) ? PST_STR_NONE
                                                          : variables,
                    rest);
    pst_arena_reset(arena);
    return 0;
}
