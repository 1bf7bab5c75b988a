/* SPDX-License-Identifier: ISC */
/*
 * sessions.c - `postern sessions`, `revoke` and `gc`: what is in the store.
 */
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "codec/date.h"
#include "commands.h"
#include "crypto/crypto.h"
#include "gateway/session_registry.h"
#include "gateway/token_transport.h"

/* The digits by which a log names a session, and the fewest that we take. */
#define SESSION_NAME_MIN 8

/* What one sweep looks at: short enough to keep no writer waiting. */
#define SWEEP_STEP 1000

/* One run: everything a subcommand needs. */
struct job {
    struct context ctx;
    struct pst_arena *arena;
};

/* What the command line asks for. */
struct arguments {
    struct pst_str subject; /* absent: not asked */
    struct pst_str session; /* absent: not asked */
    int64_t limit;          /* 0: none */
};

static int
report_store_error(const struct job *job, enum pst_err e)
{
    const char *reason =
        e == PST_STORE_DOWN ? store_error(job->ctx.store) : pst_err_text(e);

    fprintf(stderr, "postern: %s%s\n",
            e == PST_STORE_DOWN ? "the store does not answer: " : "", reason);
    return e == PST_STORE_DOWN ? EX_UNAVAILABLE : EX_SOFTWARE;
}

/* Listing. */

/* Is it a control character: one byte, or the two of a C1 in UTF-8? */
static size_t
control_character_len(struct pst_str text, size_t i)
{
    unsigned char c = (unsigned char)text.ptr[i];
    unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;

    if (c == 0xC2 && next >= 0x80 && next < 0xA0)
        return 2;
    return c < ' ' || c == 0x7F || c == '\\' ? 1 : 0;
}

/* Foreign bytes, none of which may move the cursor or split a line. */
static void
print_escaped(struct pst_str text)
{
    size_t escaped = 0;

    if (text.len == 0)
        putchar('-');
    for (size_t i = 0; i < text.len; i++) {
        if (escaped == 0)
            escaped = control_character_len(text, i);
        if (escaped == 0) {
            putchar((unsigned char)text.ptr[i]);
        } else {
            printf("\\x%02x", (unsigned)(unsigned char)text.ptr[i]);
            escaped--;
        }
    }
}

static void
print_date_column(int64_t when)
{
    char storage[64];
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_rfc3339(&buf, when);
    if (pst_buf_finish(&buf, &text) != PST_OK)
        text = PST_STR("-");
    printf("\t%.*s", (int)text.len, text.ptr);
}

static enum pst_err
print_session_row(void *context, const struct store_session *listed)
{
    size_t *count = context;

    (*count)++;
    for (size_t i = 0; i < PST_HASH_LEN; i++)
        printf("%02x", listed->sid.bytes[i]);
    print_date_column(listed->created);
    print_date_column(listed->seen);
    putchar('\t');
    print_escaped(listed->browser);
    putchar('\t');
    print_escaped(listed->address);
    putchar('\t');
    print_escaped(listed->user);
    putchar('\n');
    return PST_OK;
}

static int
list_sessions(struct job *job, const struct arguments *arguments)
{
    struct store *store = job->ctx.store;
    const bool is_all = pst_str_is_absent(arguments->subject);
    struct store_id subject;
    size_t count = 0;
    enum pst_err e = PST_OK;

    if (!is_all)
        e = store_id_subject(store, arguments->subject, &subject);
    if (!e)
        e = store_session_walk(store, is_all ? NULL : &subject, job->ctx.now,
                               print_session_row, &count);
    if (e)
        return report_store_error(job, e);
    fflush(stdout);
    fprintf(stderr, "%zu live session%s\n", count, count == 1 ? "" : "s");
    return 0;
}

/* Ending. */

static int
revoke_by_subject(struct job *job, struct pst_str subject)
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
        return report_store_error(job, e);
    /* Ended they are even where none was listed: a list may be shorter. */
    printf("every session of this user is ended; %zu %s listed\n", count,
           count == 1 ? "was" : "were");
    return 0;
}

/* A search through every list for a name, or the beginning of one. */
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
    /* Redis may tell one session twice. */
    if (search->is_found && !store_id_equal(&search->sid, &listed->sid))
        search->is_ambiguous = true;
    search->sid = listed->sid;
    search->subject = listed->subject;
    search->expires = listed->expires;
    search->is_found = true;
    return PST_OK;
}

static int
revoke_by_name(struct job *job, struct pst_str name)
{
    struct search search = {.len = name.len};
    enum pst_err e;

    for (size_t i = 0; i < name.len; i++)
        search.wanted[i] = pst_lower(name.ptr[i]);
    e = store_session_walk(job->ctx.store, NULL, job->ctx.now,
                           compare_session_name, &search);
    if (e)
        return report_store_error(job, e);
    if (!search.is_found || search.is_ambiguous) {
        fprintf(stderr, "postern: %s\n",
                search.is_found ? "several listed sessions begin with that"
                                : "no such session is listed");
        return COMMAND_NEGATIVE;
    }
    e = store_revoke(job->ctx.store, &search.sid, &search.subject,
                     search.expires, job->ctx.now);
    if (e)
        return report_store_error(job, e);
    puts("the session is ended");
    return 0;
}

static int
revoke_by_token(struct job *job, struct pst_str token)
{
    static const struct request nobody = {.id = ""};
    static const enum pst_purpose purposes[] = {
        PST_PURPOSE_COOKIE, PST_PURPOSE_GUEST, PST_PURPOSE_BEARER};
    struct pst_session session;
    bool is_stale;
    enum pst_err e = PST_FORGED;

    for (size_t i = 0; i < PST_COUNT(purposes) && e == PST_FORGED; i++)
        e = transport_verify(&job->ctx, job->arena,
                             (struct transport_token){purposes[i], token},
                             &session, &is_stale);
    if (e == PST_FORGED) {
        fputs("postern: this token does not open\n", stderr);
        return COMMAND_NEGATIVE;
    }
    if (e == PST_REVOKED) {
        puts("the session was ended already");
        return 0;
    }
    if (!e)
        e = registry_revoke(&job->ctx, &nobody, &session);
    if (e)
        return report_store_error(job, e);
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
revoke_sessions(struct job *job, const struct arguments *arguments)
{
    struct pst_str session = arguments->session;
    enum pst_err e = PST_OK;

    if (!pst_str_is_absent(arguments->subject))
        return revoke_by_subject(job, arguments->subject);
    if (pst_str_equal(session, PST_STR("-")))
        e = command_read_stdin_token(job->arena, &session);
    if (e)
        return report_store_error(job, e);
    if (is_session_name(session))
        return revoke_by_name(job, session);
    return revoke_by_token(job, session);
}

/* Sweeping. */

static int
sweep_store(struct job *job, const struct arguments *arguments)
{
    int64_t remaining = arguments->limit > 0 ? arguments->limit : INT64_MAX;
    struct store_sweep_result swept;
    size_t total = 0;
    enum pst_err e = PST_OK;
    size_t step;

    /* Redis has nothing to sweep, so it would not be missed. */
    if (job->ctx.config->store.kind == STORE_REDIS)
        e = store_ping(job->ctx.store, job->ctx.now);
    if (e)
        return report_store_error(job, e);
    do {
        step = remaining < SWEEP_STEP ? (size_t)remaining : SWEEP_STEP;
        e = store_sweep(job->ctx.store, step, job->ctx.now, &swept);
        if (e)
            return report_store_error(job, e);
        total += swept.removed;
        remaining -= (int64_t)step;
    } while (remaining > 0 && swept.examined == step);
    printf("%zu record%s removed\n", total, total == 1 ? "" : "s");
    if (job->ctx.config->store.kind == STORE_REDIS)
        fputs("(Redis removes what has ended by itself)\n", stderr);
    return 0;
}

/* Being called. */

static int
open_store_job(struct job *job, const struct config *config)
{
    enum pst_err e;

    job->ctx.config = config;
    job->ctx.ring = config->ring;
    job->ctx.now = time(NULL);
    job->ctx.random = pst_crypto_random;
    if (config->store.kind == STORE_NONE) {
        fputs("postern: POSTERN_STORE is none: nothing is kept there\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    e = pst_arena_new(&job->arena, PST_ARENA_SIZE);
    if (!e)
        e = store_open(&job->ctx.store, &config->store, config->audience);
    if (e)
        fprintf(stderr, "postern: %s\n", pst_err_text(e));
    return e ? EX_SOFTWARE : 0;
}

static int
run_store_command(const struct arguments *arguments,
                  int (*work)(struct job *, const struct arguments *))
{
    struct job job = {.arena = NULL};
    struct config *config = NULL;
    int status = command_load_config(&config);

    if (status)
        return status;
    status = open_store_job(&job, config);
    if (!status)
        status = work(&job, arguments);
    store_close(&job.ctx.store);
    pst_arena_free(&job.arena);
    config_free(&config);
    return status;
}

/* Take the value of an option that may stand once. */
static bool
set_option_once(struct pst_str *out, const char *value)
{
    if (!value || !*value || !pst_str_is_absent(*out))
        return false;
    *out = pst_str_from(value);
    return true;
}

int
command_sessions(int argc, char **argv)
{
    struct arguments arguments = {.subject = PST_STR_NONE};

    for (int i = 1; i < argc; i += 2)
        if (strcmp(argv[i], "--subject") != 0 ||
            !set_option_once(&arguments.subject, argv[i + 1]))
            return command_usage_error(argv[0], "takes --subject SUBJECT");
    return run_store_command(&arguments, list_sessions);
}

int
command_revoke(int argc, char **argv)
{
    static const char reason[] = "takes --subject SUBJECT or --session SESSION";
    struct arguments arguments = {.subject = PST_STR_NONE,
                                  .session = PST_STR_NONE};

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
    return run_store_command(&arguments, revoke_sessions);
}

static bool
parse_sweep_limit(const char *value, int64_t *out)
{
    int64_t number = 0;

    for (; *value; value++) {
        if (*value < '0' || *value > '9' || number > 100000000)
            return false;
        number = number * 10 + (*value - '0');
    }
    *out = number;
    return number > 0;
}

int
command_gc(int argc, char **argv)
{
    struct arguments arguments = {.subject = PST_STR_NONE};

    if (argc == 3 && strcmp(argv[1], "--limit") == 0) {
        if (!parse_sweep_limit(argv[2], &arguments.limit))
            return command_usage_error(argv[0], "takes a number above 0");
    } else if (argc > 1) {
        return command_usage_error(argv[0], "takes --limit NUMBER");
    }
    return run_store_command(&arguments, sweep_store);
}
