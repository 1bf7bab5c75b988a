/* SPDX-License-Identifier: ISC */
/*
 * token.c - `postern open` and `postern jwk`: print the claims of a token, or
 * the key that opens it.
 */
#include "crypto/token.h"

#include <string.h>
#include <time.h>

#include "codec/date.h"
#include "codec/json.h"
#include "commands.h"
#include "print.h"
#include "session/claims.h"
#include "session/hidden_claims.h"

#define HIDDEN_TOKEN PST_STR("\"(hidden)\"")

#define CLAIMS_PRINTED_MAX (64 * 1024) /* bytes, with indentation */
#define WHITE_SPACE " \t\r\n"

/* The options and arguments. */
struct arguments {
    struct pst_str token;
    bool reveal;
    bool has_purpose;
    enum pst_purpose purpose;
};

/* What a subcommand needs to open a token. */
struct job {
    const struct config *config;
    struct pst_arena *arena;
    const struct arguments *arguments;
};

static bool
find_token_purpose(const char *name, enum pst_purpose *out)
{
    for (unsigned i = 0; i < PST_PURPOSE_COUNT; i++)
        if (strcmp(pst_purpose_name((enum pst_purpose)i), name) == 0) {
            *out = (enum pst_purpose)i;
            return true;
        }
    return false;
}

enum pst_err
command_read_stdin_token(struct pst_arena *arena, struct pst_str *out)
{
    const size_t size = PST_TOKEN_MAX + 64;
    char *storage = pst_arena_alloc(arena, size);
    struct pst_str rest;
    struct pst_str second;

    if (!storage)
        return PST_NO_MEMORY;
    rest = (struct pst_str){storage, fread(storage, 1, size, stdin)};
    if (!pst_str_next_token(&rest, WHITE_SPACE, out) ||
        pst_str_next_token(&rest, WHITE_SPACE, &second))
        *out = PST_STR("");
    return PST_OK;
}

/* Every token that does not open has the same message, whatever the cause. */
static int
report_token_error(enum pst_err e)
{
    if (e == PST_NO_MEMORY || e == PST_INTERNAL) {
        fprintf(stderr, "postern: %s\n", pst_err_text(e));
        return EX_SOFTWARE;
    }
    fputs("postern: this token does not open with the secrets, the audience "
          "and the format of this environment\n",
          stderr);
    return COMMAND_NEGATIVE;
}

/* Session tokens have the configured format; all others are sealed. */
static struct pst_token_use
make_token_use(const struct config *config, enum pst_purpose purpose)
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
open_token_of_any_purpose(const struct job *job, enum pst_purpose last,
                          struct pst_token_use *use, struct pst_str *claims)
{
    const struct arguments *arguments = job->arguments;
    enum pst_err e = PST_FORGED;

    for (unsigned i = 0; i <= last && e == PST_FORGED; i++) {
        if (arguments->has_purpose && i != arguments->purpose)
            continue;
        *use = make_token_use(job->config, (enum pst_purpose)i);
        e = pst_token_open(use, job->arena, arguments->token, claims, NULL);
    }
    return e;
}

static void
emit_indent(struct pst_buf *buf, unsigned depth)
{
    pst_buf_add_char(buf, '\n');
    while (depth-- > 0)
        pst_buf_add_string(buf, "  ");
}

static void
emit_indented_value(struct pst_buf *buf, const struct pst_json *value,
                    unsigned depth)
{
    const size_t count = pst_json_count(value);
    const bool is_object = pst_json_kind(value) == PST_JSON_OBJECT;

    /* Arrays are rare in claims, and stay on one line. */
    if (!is_object || count == 0) {
        pst_json_emit(buf, value);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct pst_json *member;
        struct pst_str name;

        member = pst_json_member(value, i, &name);
        pst_buf_add_char(buf, i == 0 ? '{' : ',');
        emit_indent(buf, depth + 1);
        pst_json_emit_string(buf, name);
        pst_buf_add_string(buf, ": ");
        emit_indented_value(buf, member, depth + 1);
    }
    emit_indent(buf, depth);
    pst_buf_add_char(buf, '}');
}

/* Print the session as JSON, each member on a line of its own. */
static enum pst_err
print_claims(const struct job *job, const struct pst_session *session)
{
    const struct pst_json *value;
    struct pst_str text;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, job->arena, CLAIMS_PRINTED_MAX);
    pst_claims_emit(&buf, session);
    e = pst_buf_finish(&buf, &text);
    if (e)
        return e;
    e = pst_json_parse(job->arena, text, &value);
    if (e)
        return e;
    pst_buf_init_arena(&buf, job->arena, CLAIMS_PRINTED_MAX);
    emit_indented_value(&buf, value, 0);
    pst_buf_add_char(&buf, '\n');
    e = pst_buf_finish(&buf, &text);
    if (e)
        return e;
    print_json(stdout, text);
    return PST_OK;
}

static void
print_labeled_time(const char *label, int64_t when)
{
    char storage[64];
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_rfc3339(&buf, when);
    if (pst_buf_finish(&buf, &text) != PST_OK)
        text = PST_STR("an impossible time");
    fprintf(stderr, "%s %.*s\n", label, (int)text.len, text.ptr);
}

/* Print whether the programs would accept the session now. */
static void
print_session_state(const struct config *config,
                    const struct pst_session *session)
{
    const int64_t now = time(NULL);
    const int64_t idle_end =
        pst_session_idle_expiry(session, &config->timeouts);

    if (pst_session_check(session, &config->timeouts, now) == PST_OK) {
        print_labeled_time("valid; expires at", session->exp);
        if (idle_end < session->exp)
            print_labeled_time("without a request, it expires at", idle_end);
    } else if (now >= session->exp) {
        print_labeled_time("expired at", session->exp);
    } else if (session->iat > now + PST_CLOCK_SKEW_MAX ||
               session->seen > now + PST_CLOCK_SKEW_MAX) {
        print_labeled_time("refused: it is from the future, used at",
                           session->seen);
    } else if (now >= idle_end) {
        print_labeled_time("expired: unused for too long, since", idle_end);
    } else {
        print_labeled_time("expired: older than its lifetime allows; begun at",
                           session->iat);
    }
}

static int
print_opened_token(const struct job *job)
{
    struct pst_token_use use;
    struct pst_session session;
    struct pst_str claims;
    enum pst_err e;

    e = open_token_of_any_purpose(job, PST_PURPOSE_BEARER, &use, &claims);
    if (e)
        return report_token_error(e);
    e = pst_claims_parse(job->arena, claims, &session);
    if (e)
        return report_token_error(e);
    if (job->config->format == PST_TOKEN_SIGNED)
        e = pst_hidden_claims_open(job->config->ring, job->arena, &session);
    if (e)
        return report_token_error(e);
    if (!job->arguments->reveal && !pst_str_is_absent(session.upstream))
        session.upstream = HIDDEN_TOKEN;
    if (!job->arguments->reveal && !pst_str_is_absent(session.refresh))
        session.refresh = HIDDEN_TOKEN;
    e = print_claims(job, &session);
    if (e)
        return report_token_error(e);
    fflush(stdout);
    print_session_state(job->config, &session);
    return 0;
}

static int
print_token_jwk(const struct job *job)
{
    struct pst_token_use use;
    struct pst_str text;
    struct pst_buf buf;
    enum pst_err e;

    e = open_token_of_any_purpose(job, PST_PURPOSE_STORE, &use, &text);
    if (e)
        return report_token_error(e);
    pst_buf_init_arena(&buf, job->arena, PST_TOKEN_MAX);
    e = pst_token_jwk(&use, job->arena, job->arguments->token, &buf);
    if (e)
        return report_token_error(e);
    text = pst_buf_str(&buf);
    printf("%.*s\n", (int)text.len, text.ptr);
    return 0;
}

/* Load the configuration, read the token if it is "-", and call work. */
static int
run_token_command(struct arguments *arguments,
                  int (*work)(const struct job *job))
{
    struct job job = {.arguments = arguments};
    struct config *config = NULL;
    enum pst_err e = PST_OK;
    int status = command_load_config(&config, CONFIG_PART_SECRET);

    if (status)
        return status;
    job.config = config;
    e = pst_arena_new(&job.arena, PST_ARENA_SIZE);
    if (!e && pst_str_equal(arguments->token, PST_STR("-")))
        e = command_read_stdin_token(job.arena, &arguments->token);
    status = e ? report_token_error(e) : work(&job);
    pst_arena_free(&job.arena);
    config_free(&config);
    return status;
}

/* Set the token. False: the argument is an option, or the second token. */
static bool
set_token_argument(struct arguments *arguments, const char *argument)
{
    bool is_first = pst_str_is_absent(arguments->token);

    if (argument[0] == '-' && argument[1] != '\0')
        return false;
    arguments->token = pst_str_from(argument);
    return is_first;
}

int
command_open(int argc, char **argv)
{
    struct arguments arguments = {.reveal = false};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--reveal") == 0)
            arguments.reveal = true;
        else if (!set_token_argument(&arguments, argv[i]))
            return command_usage_error(argv[0], "takes one TOKEN, or -");
    }
    if (pst_str_is_absent(arguments.token))
        return command_usage_error(argv[0], "needs a TOKEN, or -");
    return run_token_command(&arguments, print_opened_token);
}

int
command_jwk(int argc, char **argv)
{
    struct arguments arguments = {.has_purpose = false};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--purpose") == 0 && i + 1 < argc) {
            if (!find_token_purpose(argv[++i], &arguments.purpose))
                return command_usage_error(
                    argv[0], "the PURPOSE must be cookie, guest, bearer, csrf, "
                             "device or upstream");
            arguments.has_purpose = true;
        } else if (!set_token_argument(&arguments, argv[i])) {
            return command_usage_error(argv[0], "takes one TOKEN, or -");
        }
    }
    if (pst_str_is_absent(arguments.token))
        return command_usage_error(argv[0], "needs a TOKEN, or -");
    return run_token_command(&arguments, print_token_jwk);
}
