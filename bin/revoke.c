/* SPDX-License-Identifier: ISC */
/*
 * revoke.c - `postern revoke`: end a session, or all sessions of a user.
 */
#include <string.h>

#include "commands.h"
#include "gateway/session_registry.h"
#include "gateway/token_transport.h"
#include "print.h"
#include "store_job.h"

/* Digits by which the log names a session: the fewest that are accepted. */
#define SESSION_NAME_MIN 8

/* Bytes to read a token from standard input. */
#define STDIN_ARENA_SIZE (PST_TOKEN_MAX + 4096)

/* The options; exactly one is present. */
struct revoke_arguments {
    struct pst_str subject;
    struct pst_str session;
};

/* Sessions that are not listed are ended, too: the list may be cut, and one may
 * have begun a moment ago. So the subject is revoked even if none is listed,
 * and only the exit status says that it may be misspelled. */
static int
revoke_by_subject(struct store_job *job, struct pst_str subject)
{
    struct store *store = job->ctx.store;
    size_t count = 0;
    struct store_id id;
    enum pst_err e = store_id_subject(store, subject, &id);

    if (!e)
        e = store_session_count(store, &id, job->ctx.now, &count);
    if (!e)
        e = store_revoke_all(store, &id, job->ctx.now, NULL);
    if (e)
        return store_job_report_error(job, e);
    if (count == 0) {
        print_error_line("postern: no session of %.*s is listed: is this the "
                         "subject that `postern sessions` prints?",
                         (int)subject.len, subject.ptr);
        return COMMAND_NEGATIVE;
    }
    printf("every session of this user is ended; %zu %s listed\n", count,
           count == 1 ? "was" : "were");
    return 0;
}

/* A search in all lists for a session by its name or the first digits. */
struct search {
    char wanted[REGISTRY_NAME_LEN];
    size_t len;
    struct store_id sid;
    struct store_id subject;
    int64_t expires;
    bool is_found;
    bool is_ambiguous;
};

static enum pst_err
compare_session_name(void *context, const struct store_session *listed)
{
    struct search *search = context;
    char name[REGISTRY_NAME_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, name, sizeof(name));
    pst_buf_add_hex(&buf, (struct pst_bytes){listed->sid.bytes, PST_HASH_LEN});
    if (memcmp(name, search->wanted, search->len) != 0)
        return PST_OK;
    /* Redis may list one session twice. */
    if (search->is_found && !store_id_equal(&search->sid, &listed->sid))
        search->is_ambiguous = true;
    search->sid = listed->sid;
    search->subject = listed->subject;
    search->expires = listed->expires;
    search->is_found = true;
    return PST_OK;
}

static int
revoke_by_name(struct store_job *job, struct pst_str name)
{
    struct search search = {.len = name.len};
    enum pst_err e;

    for (size_t i = 0; i < name.len; i++)
        search.wanted[i] = pst_lower(name.ptr[i]);
    e = store_session_walk(job->ctx.store, NULL, job->ctx.now,
                           compare_session_name, &search);
    if (e)
        return store_job_report_error(job, e);
    if (!search.is_found || search.is_ambiguous) {
        print_error_line("postern: %s: %.*s",
                         search.is_found
                             ? "several listed sessions begin so, give more "
                               "digits"
                             : "no such session is listed",
                         (int)name.len, name.ptr);
        return COMMAND_NEGATIVE;
    }
    e = store_revoke(job->ctx.store, &search.sid, &search.subject,
                     search.expires, job->ctx.now);
    if (e)
        return store_job_report_error(job, e);
    puts("the session is ended");
    return 0;
}

static int
revoke_by_token(struct store_job *job, struct pst_str token)
{
    static const struct request nobody = {.id = ""};
    static const enum pst_purpose purposes[] = {
        PST_PURPOSE_COOKIE, PST_PURPOSE_GUEST, PST_PURPOSE_BEARER};
    struct pst_session session;
    bool is_from_older_secret;
    enum pst_err e = PST_FORGED;

    for (size_t i = 0; i < PST_COUNT(purposes) && e == PST_FORGED; i++)
        e = transport_verify(&job->ctx, job->arena,
                             (struct transport_token){purposes[i], token},
                             &session, &is_from_older_secret);
    if (e == PST_FORGED) {
        fputs("postern: this token does not open: it is not a token of this "
              "secret and audience\n",
              stderr);
        return COMMAND_NEGATIVE;
    }
    if (e == PST_REVOKED) {
        puts("the session was ended already");
        return 0;
    }
    if (!e)
        e = registry_revoke(&job->ctx, &nobody, &session);
    if (e)
        return store_job_report_error(job, e);
    puts("the session is ended");
    return 0;
}

static bool
is_session_name(struct pst_str text)
{
    if (text.len < SESSION_NAME_MIN || text.len > REGISTRY_NAME_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (pst_hex_value(text.ptr[i]) < 0)
            return false;
    return true;
}

static int
revoke_sessions(struct store_job *job, const void *context)
{
    const struct revoke_arguments *arguments = context;

    if (!pst_str_is_absent(arguments->subject))
        return revoke_by_subject(job, arguments->subject);
    if (is_session_name(arguments->session))
        return revoke_by_name(job, arguments->session);
    return revoke_by_token(job, arguments->session);
}

/* Only a token needs the secret. */
static int
run_revoke(struct pst_arena *arena, struct revoke_arguments *arguments)
{
    bool needs_secret;

    if (pst_str_equal(arguments->session, PST_STR("-")) &&
        command_read_stdin_token(arena, &arguments->session) != PST_OK)
        return EX_SOFTWARE;
    needs_secret = pst_str_is_absent(arguments->subject) &&
                   !is_session_name(arguments->session);
    if (needs_secret &&
        pst_str_index(arguments->session, '.') == arguments->session.len) {
        fputs("postern: this is no token, and no hash of 8 to 64 hex digits: "
              "`postern sessions` lists the hashes\n",
              stderr);
        return COMMAND_NEGATIVE;
    }
    return store_job_run(needs_secret ? CONFIG_PART_SECRET : 0, revoke_sessions,
                         arguments);
}

/* Set an option to its value. False: it has none, or is there twice. */
static bool
set_option_once(struct pst_str *out, const char *value)
{
    if (!value || !*value || !pst_str_is_absent(*out))
        return false;
    *out = pst_str_from(value);
    return true;
}

int
command_revoke(int argc, char **argv)
{
    static const char reason[] = "takes --subject SUBJECT or --session SESSION";
    struct revoke_arguments arguments = {.subject = PST_STR_NONE,
                                         .session = PST_STR_NONE};
    struct pst_arena *arena = NULL;
    int status = EX_SOFTWARE;

    for (int i = 1; i < argc; i += 2) {
        struct pst_str *option = NULL;

        if (strcmp(argv[i], "--subject") == 0)
            option = &arguments.subject;
        else if (strcmp(argv[i], "--session") == 0)
            option = &arguments.session;
        if (!option || !set_option_once(option, argv[i + 1]))
            return command_usage_error(argv[0], reason);
    }
    if (pst_str_is_absent(arguments.subject) ==
        pst_str_is_absent(arguments.session))
        return command_usage_error(argv[0], reason);
    if (pst_arena_new(&arena, STDIN_ARENA_SIZE) == PST_OK)
        status = run_revoke(arena, &arguments);
    pst_arena_free(&arena);
    return status;
}
