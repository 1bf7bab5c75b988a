/* SPDX-License-Identifier: ISC */
/*
 * sessions.c - `postern sessions` and `postern gc`: list the live sessions in
 * the store, and remove what has ended.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/date.h"
#include "codec/json_emit.h"
#include "commands.h"
#include "gateway/listed_name.h"
#include "print.h"
#include "store_job.h"

/* Records that one sweep reads: few, so that no writer waits for long. */
#define SWEEP_STEP 1000

/* Bytes of a session as JSON: a byte of a text can become six. */
#define SESSION_JSON_MAX 4096

/* The options. */
struct sessions_arguments {
    struct pst_str subject; /* absent: every subject */
    bool is_json;
};

/* Rows are collected first and printed afterwards: who reads them may be slow,
 * and while the store is read, LMDB cannot reuse its pages. */
struct session_rows {
    FILE *out;                      /* to memory */
    const struct pst_keyring *ring; /* NULL: names stay sealed */
    struct pst_arena *arena;        /* for one row */
    size_t count;
    size_t sealed_count; /* names that did not open */
};

/* The name of a listed session; absent if there is none, or it does not
 * open. */
static enum pst_err
open_session_name(struct session_rows *rows, const struct store_session *listed,
                  struct pst_str *name)
{
    enum pst_err e = PST_FORGED;

    pst_arena_reset(rows->arena);
    *name = PST_STR_NONE;
    if (rows->ring || listed->sealed_name.len == 0)
        e = listed_name_open(rows->ring, rows->arena, listed, name);
    if (e == PST_FORGED)
        rows->sealed_count++;
    return e == PST_FORGED || e == PST_NOT_FOUND ? PST_OK : e;
}

static void
print_column(FILE *out, struct pst_str text)
{
    putc('\t', out);
    print_escaped(out, text.len > 0 ? text : PST_STR("-"));
}

static void
print_date_column(FILE *out, int64_t when)
{
    char storage[64];
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_rfc3339(&buf, when);
    if (pst_buf_finish(&buf, &text) != PST_OK)
        text = PST_STR("-");
    fprintf(out, "\t%.*s", (int)text.len, text.ptr);
}

/* The first headings are as wide as the values below them. */
static void
print_session_headings(FILE *out)
{
    fprintf(out, "%-*s\t%-20s\t%-20s\tBROWSER\tADDRESS\tSUBJECT\tNAME\n",
            STORE_ID_HEX_LEN, "SESSION", "CREATED", "LAST SEEN");
}

static enum pst_err
print_session_row(void *context, const struct store_session *listed)
{
    struct session_rows *rows = context;
    struct pst_str name;
    enum pst_err e = open_session_name(rows, listed, &name);

    if (e)
        return e;
    if (rows->count++ == 0)
        print_session_headings(rows->out);
    for (size_t i = 0; i < PST_HASH_LEN; i++)
        fprintf(rows->out, "%02x", listed->sid.bytes[i]);
    print_date_column(rows->out, listed->created);
    print_date_column(rows->out, listed->seen);
    print_column(rows->out, listed->browser);
    print_column(rows->out, listed->address);
    print_column(rows->out, listed->user);
    print_column(rows->out, name);
    putc('\n', rows->out);
    return PST_OK;
}

/* The members have the names of GET /session?list=1. */
static enum pst_err
print_session_json(void *context, const struct store_session *listed)
{
    const struct {
        const char *name;
        int64_t when;
    } dates[] = {{"created", listed->created},
                 {"lastSeen", listed->seen},
                 {"expiresAt", listed->expires}};
    const struct {
        const char *name;
        struct pst_str text;
    } texts[] = {{"browser", listed->browser},
                 {"address", listed->address},
                 {"subject", listed->user}};
    struct session_rows *rows = context;
    struct pst_str name;
    struct pst_str json;
    struct pst_buf buf;
    enum pst_err e = open_session_name(rows, listed, &name);

    if (e)
        return e;
    pst_buf_init_arena(&buf, rows->arena, SESSION_JSON_MAX);
    pst_buf_add_string(&buf,
                       rows->count++ == 0 ? "{\"id\":\"" : ",\n {\"id\":\"");
    pst_buf_add_hex(&buf, (struct pst_bytes){listed->sid.bytes, PST_HASH_LEN});
    pst_buf_add_char(&buf, '"');
    for (size_t i = 0; i < PST_COUNT(dates); i++) {
        pst_buf_add_string(&buf, ",\"");
        pst_buf_add_string(&buf, dates[i].name);
        pst_buf_add_string(&buf, "\":\"");
        pst_date_emit_rfc3339(&buf, dates[i].when);
        pst_buf_add_char(&buf, '"');
    }
    for (size_t i = 0; i < PST_COUNT(texts); i++) {
        pst_buf_add_string(&buf, ",\"");
        pst_buf_add_string(&buf, texts[i].name);
        pst_buf_add_string(&buf, "\":");
        pst_json_emit_string(&buf, texts[i].text);
    }
    pst_buf_add_string(&buf, ",\"name\":");
    if (pst_str_is_absent(name))
        pst_buf_add_string(&buf, "null");
    else
        pst_json_emit_string(&buf, name);
    pst_buf_add_char(&buf, '}');
    e = pst_buf_finish(&buf, &json);
    if (!e)
        print_json(rows->out, json);
    return e;
}

/* subject: NULL for all of them */
static enum pst_err
print_sessions(const struct store_job *job, const struct store_id *subject,
               bool is_json, struct session_rows *rows)
{
    char *text = NULL;
    size_t len = 0;
    enum pst_err e;

    rows->out = open_memstream(&text, &len);
    if (!rows->out)
        return PST_NO_MEMORY;
    e = store_session_walk(job->ctx.store, subject, job->ctx.now,
                           is_json ? print_session_json : print_session_row,
                           rows);
    if (fclose(rows->out) != 0 && !e)
        e = PST_NO_MEMORY;
    if (!e) {
        fputs(is_json ? "[" : "", stdout);
        fwrite(text, 1, len, stdout);
        fputs(is_json ? "]\n" : "", stdout);
    }
    free(text);
    return e;
}

static bool
is_variable_set(const char *name)
{
    const char *value = getenv(name);

    return value && *value;
}

/* The secret opens the names. Without it, or if it cannot be read, which is
 * then printed, everything else is listed all the same. */
static struct config *
load_secret_if_given(void)
{
    struct config *config = NULL;

    if ((is_variable_set("COOKIE_SESSION_SECRET") ||
         is_variable_set("COOKIE_SESSION_SECRET_FILE")) &&
        command_load_config(&config, CONFIG_PART_SECRET) != 0)
        return NULL;
    return config;
}

static void
report_sessions(const struct session_rows *rows)
{
    fflush(stdout);
    if (rows->sealed_count > 0)
        fprintf(stderr,
                "postern: %zu name%s sealed%s: set COOKIE_SESSION_SECRET_FILE "
                "as for the programs to see names\n",
                rows->sealed_count, rows->sealed_count == 1 ? " is" : "s are",
                rows->ring ? " with another secret" : "");
    fprintf(stderr, "%zu live session%s\n", rows->count,
            rows->count == 1 ? "" : "s");
}

static int
list_sessions(struct store_job *job, const void *context)
{
    const struct sessions_arguments *arguments = context;
    const bool is_all = pst_str_is_absent(arguments->subject);
    struct config *secret = load_secret_if_given();
    struct session_rows rows = {.ring = secret ? secret->ring : NULL,
                                .arena = job->arena};
    struct store_id subject;
    enum pst_err e = PST_OK;

    if (!is_all)
        e = store_id_subject(job->ctx.store, arguments->subject, &subject);
    if (!e)
        e = print_sessions(job, is_all ? NULL : &subject, arguments->is_json,
                           &rows);
    if (!e)
        report_sessions(&rows);
    config_free(&secret);
    return e ? store_job_report_error(job, e) : 0;
}

int
command_sessions(int argc, char **argv)
{
    struct sessions_arguments arguments = {.subject = PST_STR_NONE};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && !arguments.is_json)
            arguments.is_json = true;
        else if (strcmp(argv[i], "--subject") == 0 && argv[i + 1] &&
                 *argv[i + 1] && pst_str_is_absent(arguments.subject))
            arguments.subject = pst_str_from(argv[++i]);
        else
            return command_usage_error(argv[0],
                                       "takes --subject SUBJECT and --json");
    }
    return store_job_run(0, list_sessions, &arguments);
}

static int
sweep_store(struct store_job *job, const void *arguments)
{
    const int64_t *limit = arguments; /* records; 0: all */
    int64_t remaining = *limit > 0 ? *limit : INT64_MAX;
    struct store_sweep_result swept;
    size_t total = 0;
    enum pst_err e = PST_OK;
    size_t step;

    /* Redis is not asked for a sweep, so check that it answers. */
    if (job->ctx.config->store.kind == STORE_REDIS)
        e = store_ping(job->ctx.store, job->ctx.now);
    if (e)
        return store_job_report_error(job, e);
    do {
        step = remaining < SWEEP_STEP ? (size_t)remaining : SWEEP_STEP;
        e = store_sweep(job->ctx.store, step, job->ctx.now, &swept);
        if (e)
            return store_job_report_error(job, e);
        total += swept.removed;
        remaining -= (int64_t)step;
    } while (remaining > 0 && swept.examined == step);
    printf("%zu record%s removed\n", total, total == 1 ? "" : "s");
    if (job->ctx.config->store.kind == STORE_REDIS)
        fputs("(Redis itself removes the records that have ended)\n", stderr);
    return 0;
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
    int64_t limit = 0;

    if (argc == 3 && strcmp(argv[1], "--limit") == 0) {
        if (!parse_sweep_limit(argv[2], &limit))
            return command_usage_error(argv[0], "needs a NUMBER above 0");
    } else if (argc > 1) {
        return command_usage_error(argv[0], "takes --limit NUMBER");
    }
    return store_job_run(0, sweep_store, &limit);
}
