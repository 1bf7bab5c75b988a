/* SPDX-License-Identifier: ISC */
/*
 * check.c - `postern check`: is the environment right, and are the store and
 * the backend there?
 */
#include <string.h>
#include <time.h>

#include "arena.h"
#include "buf.h"
#include "commands.h"
#include "limits.h"
#include "store.h"
#include "upstream.h"

/* Every GraphQL schema has this, and it changes nothing. */
#define QUESTION "{\"query\":\"{__typename}\"}"

#define VALUE_MAX (64 * 1024) /* octets of a value that we print */

/* One exchange with the backend, of which only the status matters. */
struct question {
    size_t sent; /* octets */
    int status;
};

static enum pst_err
read_question(void *context, char *out, size_t size, size_t *len)
{
    struct question *question = context;
    const struct pst_text rest =
        pst_text_from_octet(PST_TEXT(QUESTION), question->sent);
    const struct pst_text piece = pst_text_first(rest, size);

    memcpy(out, piece.ptr, piece.len);
    question->sent += piece.len;
    *len = piece.len;
    return PST_OK;
}

static enum pst_err
ignore_header(void *context, struct pst_text name, struct pst_text value)
{
    (void)context;
    (void)name;
    (void)value;
    return PST_OK;
}

static enum pst_err
note_status(void *context, int status)
{
    struct question *question = context;

    question->status = status;
    return PST_OK;
}

static enum pst_err
ignore_body(void *context, struct pst_text piece)
{
    (void)context;
    (void)piece;
    return PST_OK;
}

static enum pst_err
ask(struct upstream *upstream, struct pst_arena *arena,
    struct question *question)
{
    static const struct upstream_header headers[] = {
        {{"Content-Type", 12}, {"application/json", 16}},
        {{"Accept", 6}, {"application/json", 16}},
    };
    const struct upstream_exchange exchange = {
        .method = PST_TEXT("POST"),
        .headers = headers,
        .header_count = PST_COUNT(headers),
        .body_length = sizeof(QUESTION) - 1,
        .context = question,
        .read = read_question,
        .header = ignore_header,
        .head = note_status,
        .body = ignore_body,
        .client = -1,
    };

    return upstream_run(upstream, arena, &exchange);
}

/* The backend answered; a status that no GraphQL server gives is told. */
static int
report_status(int status)
{
    printf("the backend is reachable: status %d\n", status);
    if (status > 299)
        printf("(a GraphQL server would have answered 200: does the path of "
               "POSTERN_UPSTREAM lead to one?)\n");
    return 0;
}

static int
check_backend(const struct config *config, struct pst_arena *arena)
{
    const struct upstream_options options = {
        .url = config->upstream,
        .ca = config->upstream_ca,
        .connect_timeout = config->connect_timeout,
        .first_byte_timeout = config->first_byte_timeout,
        .between_bytes_timeout = config->between_bytes_timeout,
    };
    struct question question = {0};
    struct upstream *upstream = NULL;
    enum pst_err e = upstream_new(&upstream, &options);

    if (!e)
        e = ask(upstream, arena, &question);
    if (e) {
        const char *why = upstream ? upstream_why(upstream) : "";

        fprintf(stderr, "postern: %s%s%s\n", pst_err_text(e), *why ? ": " : "",
                why);
    }
    upstream_free(&upstream);
    return e ? EX_UNAVAILABLE : report_status(question.status);
}

/* A round trip that writes and reads; what it warns of goes with it. */
static int
try_store(const struct config *config)
{
    struct store *store = NULL;
    enum pst_err e = store_open(&store, &config->store, config->audience);

    if (!e)
        e = store_ping(store, time(NULL));
    if (!e)
        puts("the store answers");
    if (store && *store_why(store))
        fprintf(stderr, "POSTERN_STORE: %s\n", store_why(store));
    else if (e)
        fprintf(stderr, "POSTERN_STORE: %s\n", pst_err_text(e));
    store_close(&store);
    return e ? EX_UNAVAILABLE : 0;
}

static int
check_store(const struct config *config)
{
    if (config->store.kind == STORE_NONE) {
        puts("there is no store: a session that was copied outlives its "
             "logout, and passwords may be guessed without limit");
        return 0;
    }
    return try_store(config);
}

/* Every variable with its value, and nothing of a secret. */
static int
print_table(const struct config *config, struct pst_arena *arena)
{
    for (size_t i = 0; i < config_row_count(); i++) {
        struct pst_text value;
        struct pst_buf buf;

        pst_arena_reset(arena);
        pst_buf_init_arena(&buf, arena, VALUE_MAX);
        config_emit_value(&buf, config, i);
        if (pst_buf_end(&buf, &value) != PST_OK)
            return EX_SOFTWARE;
        printf("%-30s %.*s\n", config_row(i)->name, (int)value.len, value.ptr);
    }
    return 0;
}

static int
check(const struct config *config)
{
    struct pst_arena *arena = NULL;
    int status = EX_SOFTWARE;
    int store = 0;

    if (pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK)
        status = print_table(config, arena);
    if (status == 0) {
        fflush(stdout); /* store and backend may keep us waiting */
        store = check_store(config);
        fflush(stdout);
        pst_arena_reset(arena);
        status = check_backend(config, arena);
    }
    pst_arena_free(&arena);
    return status ? status : store;
}

int
command_check(int argc, char **argv)
{
    struct config *config = NULL;
    int status;

    if (argc > 1)
        return command_misused(argv[0], "takes no arguments");
    status = command_config(&config);
    if (status)
        return status;
    if (upstream_start() == PST_OK) {
        status = check(config);
        upstream_stop();
    } else {
        fputs("postern: libcurl does not start\n", stderr);
        status = EX_SOFTWARE;
    }
    config_free(&config);
    return status;
}
