/* SPDX-License-Identifier: ISC */
/*
 * whoami.c - `postern whoami`: tell a CGI script who the user is, as JSON or
 * as shell variables, escaped so that no name can inject code.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codec/date.h"
#include "codec/json_emit.h"
#include "commands.h"
#include "crypto/crypto.h"
#include "gateway/auth.h"
#include "place.h"
#include "print.h"

/* Bytes of the output at most: a byte of a name can become six. */
#define OUTPUT_MAX (8 * 1024)

/* A user; the texts are absent if there is no session. */
struct person {
    struct pst_str subject;
    struct pst_str name;
    struct pst_str expires; /* RFC 3339 */
};

/* Read what `authorize` found, which the web server has set: no client can. */
static bool
whoami_read_variables(struct person *person)
{
    person->subject = pst_str_from(getenv("SESSION_SUBJECT"));
    person->name = pst_str_from(getenv("SESSION_NAME"));
    person->expires = pst_str_from(getenv("SESSION_EXPIRES"));
    if (pst_str_is_absent(person->name))
        person->name = PST_STR("");
    if (pst_str_is_absent(person->expires))
        person->expires = PST_STR("");
    return person->subject.len > 0;
}

/* Open the request's own token with the secret of the environment. */
static enum pst_err
whoami_open_session(const struct config *config, struct store *store,
                    struct pst_arena *arena, struct pst_session *session)
{
    static const uint8_t no_random[REQUEST_RANDOM_LEN];
    const struct request_input input = {
        .variables = (const char *const *)environ, .max_body = INT64_MAX};
    const struct response_sink no_sink = {.write = NULL};
    struct context ctx = {.config = config,
                          .ring = config->ring,
                          .store = store,
                          .now = (int64_t)time(NULL),
                          .random = pst_crypto_random};
    struct response *res = pst_arena_alloc(arena, sizeof(*res));
    struct request req;
    struct auth auth;
    enum pst_err e;

    if (!res)
        return PST_NO_MEMORY;
    e = request_init(&req, arena, &input, no_random);
    if (e)
        return e;
    response_init(res, arena, &no_sink);
    e = auth_open_session(&ctx, &req, res, &auth);
    if (e)
        return e;
    /* A session without a known user (sub is empty) does not count. */
    if (!auth.has_session || auth.session.sub.len == 0)
        return PST_NO_SESSION;
    *session = auth.session;
    return PST_OK;
}

static enum pst_err
whoami_read_token(const struct config *config, struct pst_arena *arena,
                  struct person *person)
{
    char reason[PLACE_REASON_MAX];
    struct pst_session session;
    struct store *store = NULL;
    struct pst_buf buf;
    enum pst_err e = PST_OK;

    /* A script that is tried by hand has no REQUEST_METHOD. */
    if (setenv("REQUEST_METHOD", "GET", 0) != 0)
        return PST_NO_MEMORY;
    /* A revoked session does not count, nor one that cannot be checked. */
    if (!place_enter_store(&config->store, reason)) {
        print_error_line("postern: POSTERN_STORE: %s", reason);
        return PST_STORE_DOWN;
    }
    if (config->store.kind != STORE_NONE)
        e = store_open(&store, &config->store, config->audience);
    if (!e)
        e = whoami_open_session(config, store, arena, &session);
    store_close(&store);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, 64);
    pst_date_emit_rfc3339(&buf, session.exp);
    person->subject = session.sub;
    person->name = session.name;
    return pst_buf_finish(&buf, &person->expires);
}

/* NAME='value': between these quotes, only ' is special to a shell. */
static void
emit_shell_assignment(struct pst_buf *buf, const char *name,
                      struct pst_str value)
{
    pst_buf_add_string(buf, name);
    pst_buf_add_string(buf, "='");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'')
            pst_buf_add_string(buf, "'\\''");
        else if (value.ptr[i] == '\0')
            pst_buf_set_error(buf, PST_MALFORMED); /* not possible in a shell */
        else
            pst_buf_add_char(buf, value.ptr[i]);
    }
    pst_buf_add_string(buf, "'\n");
}

/* Without a session all are set to "": the environment may have old values. */
static void
emit_person_shell(struct pst_buf *buf, const struct person *person)
{
    emit_shell_assignment(buf, "REMOTE_USER", person->subject);
    emit_shell_assignment(buf, "SESSION_SUBJECT", person->subject);
    emit_shell_assignment(buf, "SESSION_NAME", person->name);
    emit_shell_assignment(buf, "SESSION_EXPIRES", person->expires);
}

static void
emit_person_json(struct pst_buf *buf, const struct person *person)
{
    if (pst_str_is_absent(person->subject)) {
        pst_buf_add_string(buf, "null\n");
        return;
    }
    pst_buf_add_string(buf, "{\"subject\":");
    pst_json_emit_string(buf, person->subject);
    pst_buf_add_string(buf, ",\"name\":");
    pst_json_emit_string(buf, person->name);
    pst_buf_add_string(buf, ",\"expiresAt\":");
    pst_json_emit_string(buf, person->expires);
    pst_buf_add_string(buf, "}\n");
}

static int
print_person(struct pst_arena *arena, bool sh, const struct person *person)
{
    static const struct person nobody; /* all absent */
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, OUTPUT_MAX);
    (sh ? emit_person_shell : emit_person_json)(&buf, person);
    if (pst_buf_finish(&buf, &text) == PST_OK) {
        if (sh)
            fwrite(text.ptr, 1, text.len, stdout);
        else
            print_json(stdout, text);
        return person->subject.len > 0 ? 0 : COMMAND_NEGATIVE;
    }
    /* A name that cannot be printed exactly is not printed at all. */
    fputs("postern: the user's name cannot be printed: it is too long, or has "
          "a NUL in it\n",
          stderr);
    return person == &nobody ? EX_SOFTWARE : print_person(arena, sh, &nobody);
}

static int
whoami_print(struct pst_arena *arena, bool sh)
{
    struct config *config = NULL;
    struct person person;
    int status;

    if (whoami_read_variables(&person))
        return print_person(arena, sh, &person);
    person = (struct person){PST_STR_NONE, PST_STR_NONE, PST_STR_NONE};
    if (!getenv("COOKIE_SESSION_SECRET") &&
        !getenv("COOKIE_SESSION_SECRET_FILE"))
        return print_person(arena, sh, &person);
    status = command_load_config(&config, CONFIG_PART_SECRET);
    if (status == 0) {
        if (whoami_read_token(config, arena, &person) != PST_OK)
            person = (struct person){PST_STR_NONE, PST_STR_NONE, PST_STR_NONE};
        status = print_person(arena, sh, &person);
    } else {
        (void)print_person(arena, sh, &person);
    }
    config_free(&config);
    return status;
}

int
command_whoami(int argc, char **argv)
{
    struct pst_arena *arena = NULL;
    bool sh = argc == 2 && strcmp(argv[1], "--sh") == 0;
    int status = EX_SOFTWARE;

    if (argc > 2 || (argc == 2 && !sh && strcmp(argv[1], "--json") != 0))
        return command_usage_error(argv[0], "takes --sh or --json");
    if (pst_crypto_init() != PST_OK)
        return EX_SOFTWARE;
    if (pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK)
        status = whoami_print(arena, sh);
    pst_arena_free(&arena);
    return status;
}
