/* SPDX-License-Identifier: ISC */
/*
 * token.c - `postern open` and `postern jwk`: what is in a token, and which
 * key opens it.
 */
#include "crypto/token.h"

#include <string.h>
#include <time.h>

#include "codec/date.h"
#include "codec/json.h"
#include "commands.h"
#include "session/session.h"

#define HIDDEN PST_TEXT("\"(hidden)\"")

#define CLAIMS_PRINTED_MAX (64 * 1024) /* bytes, with their white space */
#define WHITE_SPACE " \t\r\n"

/* What the command line asks for. */
struct asked {
    struct pst_text token;
    bool reveal;
    bool has_purpose;
    enum pst_purpose purpose;
};

/* One run: everything a subcommand needs. */
struct bench {
    const struct config *config;
    struct pst_arena *arena;
    const struct asked *asked;
};

static bool
find_purpose(const char *name, enum pst_purpose *out)
{
    for (unsigned i = 0; i < PST_PURPOSE_COUNT; i++)
        if (strcmp(pst_purpose_name((enum pst_purpose)i), name) == 0) {
            *out = (enum pst_purpose)i;
            return true;
        }
    return false;
}

enum pst_err
command_read_word(struct pst_arena *arena, struct pst_text *out)
{
    const size_t size = PST_TOKEN_MAX + 64;
    char *storage = pst_arena_alloc(arena, size);
    struct pst_text rest;
    struct pst_text second;

    if (!storage)
        return PST_NO_MEMORY;
    rest = (struct pst_text){storage, fread(storage, 1, size, stdin)};
    if (!pst_text_word(&rest, WHITE_SPACE, out) ||
        pst_text_word(&rest, WHITE_SPACE, &second))
        *out = PST_TEXT("");
    return PST_OK;
}

/* What every failure to open looks like, whatever its cause. */
static int
refuse(enum pst_err e)
{
    if (e == PST_NO_MEMORY || e == PST_INTERNAL) {
        fprintf(stderr, "postern: %s\n", pst_err_text(e));
        return EX_SOFTWARE;
    }
    fputs("postern: this token does not open\n", stderr);
    return COMMAND_NO;
}

/* Only what carries a session has a choice of format; the rest is sealed. */
static struct pst_token_use
use_of(const struct config *config, enum pst_purpose purpose)
{
    bool is_session = purpose == PST_PURPOSE_COOKIE ||
                      purpose == PST_PURPOSE_GUEST ||
                      purpose == PST_PURPOSE_BEARER;

    return (struct pst_token_use){
        config->ring, purpose, is_session ? config->format : PST_TOKEN_SEALED};
}

/*
 * Open the token with the first purpose that fits.
 *   last  the last purpose to try
 */
static enum pst_err
open_any(const struct bench *bench, enum pst_purpose last,
         struct pst_token_use *use, struct pst_text *claims)
{
    const struct asked *asked = bench->asked;
    enum pst_err e = PST_FORGED;

    for (unsigned i = 0; i <= last && e == PST_FORGED; i++) {
        if (asked->has_purpose && i != asked->purpose)
            continue;
        *use = use_of(bench->config, (enum pst_purpose)i);
        e = pst_token_open(use, bench->arena, asked->token, claims, NULL);
    }
    return e;
}

static void
indent(struct pst_buf *buf, unsigned depth)
{
    pst_buf_add_char(buf, '\n');
    while (depth-- > 0)
        pst_buf_add_string(buf, "  ");
}

static void
print_value(struct pst_buf *buf, const struct pst_json *value, unsigned depth)
{
    const size_t count = pst_json_count(value);
    const bool is_object = pst_json_kind(value) == PST_JSON_OBJECT;

    /* Arrays, of which our claims have few, stay on one line. */
    if (!is_object || count == 0) {
        pst_json_emit(buf, value);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct pst_json *member;
        struct pst_text name;

        member = pst_json_member(value, i, &name);
        pst_buf_add_char(buf, i == 0 ? '{' : ',');
        indent(buf, depth + 1);
        pst_json_emit_string(buf, name);
        pst_buf_add_string(buf, ": ");
        print_value(buf, member, depth + 1);
    }
    indent(buf, depth);
    pst_buf_add_char(buf, '}');
}

/* The session as JSON, a member a line. */
static enum pst_err
print_session(const struct bench *bench, const struct pst_session *session)
{
    const struct pst_json *value;
    struct pst_text text;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, bench->arena, CLAIMS_PRINTED_MAX);
    pst_session_emit(&buf, session);
    e = pst_buf_end(&buf, &text);
    if (e)
        return e;
    e = pst_json_parse(bench->arena, text, &value);
    if (e)
        return e;
    pst_buf_init_arena(&buf, bench->arena, CLAIMS_PRINTED_MAX);
    print_value(&buf, value, 0);
    pst_buf_add_char(&buf, '\n');
    e = pst_buf_end(&buf, &text);
    if (e)
        return e;
    fwrite(text.ptr, 1, text.len, stdout);
    return PST_OK;
}

/* In the signed form `upstream` is a token of its own: open it in place. */
static enum pst_err
open_upstream(const struct bench *bench, struct pst_session *session)
{
    const struct pst_token_use use =
        use_of(bench->config, PST_PURPOSE_UPSTREAM);
    const struct pst_json *value;
    enum pst_err e;

    if (bench->config->format == PST_TOKEN_SEALED ||
        pst_text_is_absent(session->upstream))
        return PST_OK;
    e = pst_json_parse(bench->arena, session->upstream, &value);
    if (e)
        return e;
    return pst_token_open(&use, bench->arena, pst_json_text(value),
                          &session->upstream, NULL);
}

static void
print_instant(const char *words, int64_t when)
{
    char storage[64];
    struct pst_text text;
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_rfc3339(&buf, when);
    if (pst_buf_end(&buf, &text) != PST_OK)
        text = PST_TEXT("a time without a date");
    fprintf(stderr, "%s %.*s\n", words, (int)text.len, text.ptr);
}

/* What the clocks make of it, as the programs would see it now. */
static void
print_clocks(const struct config *config, const struct pst_session *session)
{
    const int64_t now = time(NULL);
    const int64_t idle_end = pst_session_idle_end(session, &config->clocks);

    if (pst_session_check(session, &config->clocks, now) == PST_OK) {
        print_instant("good; ends at", session->exp);
        if (idle_end < session->exp)
            print_instant("without a request, it ends at", idle_end);
    } else if (now >= session->exp) {
        print_instant("expired at", session->exp);
    } else if (session->iat > now + PST_SKEW ||
               session->seen > now + PST_SKEW) {
        print_instant("not good: from the future, seen at", session->seen);
    } else if (now >= idle_end) {
        print_instant("ended by idleness at", idle_end);
    } else {
        print_instant("expired: older than is allowed now; begun at",
                      session->iat);
    }
}

static int
open_token(const struct bench *bench)
{
    struct pst_token_use use;
    struct pst_session session;
    struct pst_text claims;
    enum pst_err e;

    e = open_any(bench, PST_PURPOSE_BEARER, &use, &claims);
    if (e)
        return refuse(e);
    e = pst_session_parse(bench->arena, claims, &session);
    if (e)
        return refuse(e);
    e = open_upstream(bench, &session);
    if (e)
        return refuse(e);
    if (!bench->asked->reveal && !pst_text_is_absent(session.upstream))
        session.upstream = HIDDEN;
    e = print_session(bench, &session);
    if (e)
        return refuse(e);
    fflush(stdout);
    print_clocks(bench->config, &session);
    return 0;
}

static int
print_jwk(const struct bench *bench)
{
    struct pst_token_use use;
    struct pst_text text;
    struct pst_buf buf;
    enum pst_err e;

    e = open_any(bench, PST_PURPOSE_STORE, &use, &text);
    if (e)
        return refuse(e);
    pst_buf_init_arena(&buf, bench->arena, PST_TOKEN_MAX);
    e = pst_token_jwk(&use, bench->arena, bench->asked->token, &buf);
    if (e)
        return refuse(e);
    text = pst_buf_text(&buf);
    printf("%.*s\n", (int)text.len, text.ptr);
    return 0;
}

/* Read what is left to read, and do the work. */
static int
run(struct asked *asked, int (*work)(const struct bench *bench))
{
    struct bench bench = {.asked = asked};
    struct config *config = NULL;
    enum pst_err e = PST_OK;
    int status = command_config(&config);

    if (status)
        return status;
    bench.config = config;
    e = pst_arena_new(&bench.arena, PST_ARENA_SIZE);
    if (!e && pst_text_equal(asked->token, PST_TEXT("-")))
        e = command_read_word(bench.arena, &asked->token);
    status = e ? refuse(e) : work(&bench);
    pst_arena_free(&bench.arena);
    config_free(&config);
    return status;
}

/* Take the token, which must be the one argument that is no option. */
static bool
take_token(struct asked *asked, const char *argument)
{
    bool is_first = pst_text_is_absent(asked->token);

    if (argument[0] == '-' && argument[1] != '\0')
        return false;
    asked->token = pst_text_from(argument);
    return is_first;
}

int
command_open(int argc, char **argv)
{
    struct asked asked = {.reveal = false};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--reveal") == 0)
            asked.reveal = true;
        else if (!take_token(&asked, argv[i]))
            return command_misused(argv[0], "takes one token, or -");
    }
    if (pst_text_is_absent(asked.token))
        return command_misused(argv[0], "needs a token, or -");
    return run(&asked, open_token);
}

int
command_jwk(int argc, char **argv)
{
    struct asked asked = {.has_purpose = false};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--purpose") == 0 && i + 1 < argc) {
            if (!find_purpose(argv[++i], &asked.purpose))
                return command_misused(argv[0], "there is no such purpose");
            asked.has_purpose = true;
        } else if (!take_token(&asked, argv[i])) {
            return command_misused(argv[0], "takes one token, or -");
        }
    }
    if (pst_text_is_absent(asked.token))
        return command_misused(argv[0], "needs a token, or -");
    return run(&asked, print_jwk);
}
