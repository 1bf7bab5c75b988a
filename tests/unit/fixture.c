/* SPDX-License-Identifier: ISC */
/*
 * fixture.c - handlers without a server or a network: this file replaces
 * lib/upstream/http_client.c by a backend that answers from a script.
 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "gateway/confirmed_sessions.h"

static struct fixture *current;

/* The backend. */

static void
record_sent(const char *ptr, size_t len)
{
    PST_REQUIRE(current->sent_len + len < sizeof(current->sent));
    if (len > 0)
        memcpy(current->sent + current->sent_len, ptr, len);
    current->sent_len += len;
}

static void
record_sent_text(struct pst_str text)
{
    record_sent(text.ptr, text.len);
}

static enum pst_err
record_sent_request(const struct http_exchange *exchange)
{
    char piece[1000];
    size_t len = 0;
    enum pst_err e = PST_OK;

    record_sent_text(exchange->method);
    record_sent_text(PST_STR(" ?"));
    record_sent_text(exchange->query);
    record_sent_text(PST_STR("\n"));
    for (size_t i = 0; i < exchange->header_count; i++) {
        record_sent_text(exchange->headers[i].name);
        record_sent_text(PST_STR(": "));
        record_sent_text(exchange->headers[i].value);
        record_sent_text(PST_STR("\n"));
    }
    record_sent_text(PST_STR("\n"));
    if (exchange->body_length == 0)
        return PST_OK;
    if (!pst_str_is_absent(exchange->whole_body)) {
        record_sent_text(exchange->whole_body);
        return PST_OK;
    }
    do {
        e = exchange->read(exchange->context, piece, sizeof(piece), &len);
        if (!e)
            record_sent(piece, len);
    } while (!e && len > 0);
    return e;
}

enum pst_err
http_client_run(struct http_client *upstream, struct pst_arena *arena,
                const struct http_exchange *exchange, struct http_error *error)
{
    const struct fixture_answer *answer = &current->answer;
    enum pst_err e;

    for (size_t i = 0; i < current->exchanges && i < PST_COUNT(current->later);
         i++)
        if (current->later[i].status > 0)
            answer = &current->later[i];
    (void)arena;
    (void)snprintf(error->text, sizeof(error->text), "%s",
                   "the script has no answer");
    if (current->exchanges < PST_COUNT(current->used)) {
        current->used[current->exchanges] = upstream;
        current->body_lengths[current->exchanges] = exchange->body_length;
        current->repeatable[current->exchanges] = exchange->is_repeatable;
        current->clients[current->exchanges] = exchange->client;
    }
    if (exchange->connected) {
        e = exchange->connected(exchange->context);
        if (e)
            return e;
    }
    current->exchanges++;
    e = record_sent_request(exchange);
    if (e)
        return e;
    if (answer->status == 0)
        return PST_UPSTREAM_DOWN;
    for (size_t i = 0; answer->headers[i]; i++) {
        struct pst_str line = pst_str_from(answer->headers[i]);
        size_t colon = pst_str_index(line, ':');

        e = exchange->header(exchange->context, pst_str_first(line, colon),
                             pst_str_trim(pst_str_skip(line, colon + 1)));
        if (e)
            return e;
    }
    e = exchange->head(exchange->context, answer->status);
    if (e || !answer->body)
        return e;
    e = exchange->body(exchange->context, pst_str_from(answer->body));
    return e || !exchange->flush ? e : exchange->flush(exchange->context);
}

enum pst_err
http_client_start(void)
{
    return PST_OK;
}

void
http_client_stop(void)
{
}

enum pst_err
http_client_new(struct http_client **out,
                const struct http_client_options *options)
{
    (void)options;
    *out = NULL;
    return PST_OK;
}

void
http_client_close_idle(struct http_client *http)
{
    (void)http;
}

void
http_client_free(struct http_client **upstream)
{
    *upstream = NULL;
}

/* The client. */

static enum pst_err
write_response(void *context, struct pst_str piece)
{
    struct fixture *f = context;

    PST_REQUIRE(f->out_len + piece.len < sizeof(f->out));
    memcpy(f->out + f->out_len, piece.ptr, piece.len);
    f->out_len += piece.len;
    return PST_OK;
}

static enum pst_err
flush_response(void *context)
{
    struct fixture *f = context;

    f->flushes++;
    return PST_OK;
}

static enum pst_err
read_request(void *context, char *out, size_t size, size_t *len)
{
    struct fixture *f = context;
    struct pst_str rest = pst_str_skip(f->body, f->body_read);
    struct pst_str piece = pst_str_first(rest, size);

    if (f->is_client_gone)
        return PST_CLIENT_GONE;
    if (piece.len > 0)
        memcpy(out, piece.ptr, piece.len);
    f->body_read += piece.len;
    *len = piece.len;
    return PST_OK;
}

/* Different bytes at each call, the same in each run. */
static enum pst_err
counting_random(void *out, size_t len)
{
    static uint8_t next = 1;

    current->draws++;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)(next + i);
    next++;
    return PST_OK;
}

static enum pst_err
broken_random(void *out, size_t len)
{
    (void)out;
    (void)len;
    return PST_NO_RANDOM;
}

static void
report_setting(void *context, const char *variable, const char *reason)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", variable, reason);
}

void
fixture_init(struct fixture *f, const char *const *settings)
{
    const char *list[32] = {
        "COOKIE_SESSION_SECRET=Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe",
        "POSTERN_UPSTREAM=http://127.0.0.1:9/graphql",
        "POSTERN_STORE=none",
    };
    const struct config_reporter reporter = {report_setting, NULL};
    size_t count = 3;
    char reason[256];

    memset(f, 0, sizeof(*f));
    for (size_t i = 0; settings && settings[i]; i++)
        list[count++] = settings[i];
    PST_REQUIRE(count < PST_COUNT(list));
    PST_REQUIRE(pst_crypto_init() == PST_OK);
    PST_REQUIRE(config_new(&f->config, list, &reporter) == PST_OK);
    PST_REQUIRE(pst_arena_new(&f->arena, PST_ARENA_SIZE) == PST_OK);
    f->ctx.config = f->config;
    f->ctx.ring = f->config->ring;
    f->ctx.now = FIXTURE_NOW;
    f->ctx.random = counting_random;
    if (f->config->store_grace > 0)
        PST_REQUIRE(confirmed_sessions_new(&f->ctx.confirmed) == PST_OK);
    PST_REQUIRE(
        document_lookup_new(&f->ctx.documents,
                            &(struct document_lookup_options){
                                .rules = &f->config->backend.rules,
                                .size_max = (size_t)1024 * 1024,
                                .is_persistent = true,
                                .manifest = f->config->documents,
                                .is_manifest_only = f->config->documents_only,
                            },
                            reason, sizeof(reason)) == PST_OK);
    current = f;
}

void
fixture_fini(struct fixture *f)
{
    if (f->log_path[0]) {
        log_close(&f->ctx.log);
        unlink(f->log_path);
    }
    pst_arena_free(&f->arena);
    pst_arena_free(&f->documents);
    document_lookup_free(&f->ctx.documents);
    confirmed_sessions_free(&f->ctx.confirmed);
    config_free(&f->config);
    current = NULL;
}

void
fixture_set_refresh(struct fixture *f, const char *document)
{
    struct config_error error = {""};

    if (!f->documents)
        PST_REQUIRE(pst_arena_new(&f->documents, PST_ARENA_SIZE) == PST_OK);
    PST_REQUIRE(refresh_document_parse(f->documents, pst_str_from(document),
                                       &f->config->backend.refresh,
                                       &error) == PST_OK);
    f->config->backend.refresh_token = PST_STR("/refreshToken");
}

void
fixture_connect(struct fixture *f, const char *const *variables,
                const char *body, struct request_input *input,
                struct response_sink *sink)
{
    static char length[40];

    current = f;
    pst_arena_reset(f->arena);
    f->out_len = 0;
    f->flushes = 0;
    f->exchanges = 0;
    f->sent_len = 0;
    f->body = pst_str_from(body ? body : "");
    f->body_read = 0;
    f->is_client_gone = false;
    f->variable_count = 0;
    for (size_t i = 0; variables[i]; i++)
        f->variables[f->variable_count++] = variables[i];
    PST_REQUIRE(f->variable_count + 2 < PST_COUNT(f->variables));
    if (body) {
        snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", f->body.len);
        f->variables[f->variable_count++] = length;
    }
    f->variables[f->variable_count] = NULL;
    *input = (struct request_input){.source = {read_request, f, -1},
                                    .max_body = f->config->max_body,
                                    .variables = f->variables};
    *sink =
        (struct response_sink){write_response, flush_response, f, NULL, NULL};
}

void
fixture_request(struct fixture *f, const char *const *variables,
                const char *body)
{
    static const uint8_t random[REQUEST_RANDOM_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct request_input input;
    struct response_sink sink;

    fixture_connect(f, variables, body, &input, &sink);
    response_init(&f->res, f->arena, &sink);
    PST_REQUIRE(request_init(&f->req, f->arena, &input, random) == PST_OK);
}

/* Also finds headers that are set but not sent yet. Of several cookies it takes
 * the last: earlier ones are cleared. */
const char *
fixture_header(struct fixture *f, const char *name)
{
    static char value[16 * 1024];
    struct pst_str found = PST_STR_NONE;

    for (size_t i = 0; i < f->res.header_count; i++) {
        if (pst_str_equal_nocase(f->res.headers[i].name, pst_str_from(name)))
            found = f->res.headers[i].value;
    }
    if (pst_str_is_absent(found))
        return NULL;
    PST_REQUIRE(found.len < sizeof(value));
    memcpy(value, found.ptr, found.len);
    value[found.len] = '\0';
    return value;
}

size_t
fixture_count(const struct fixture *f, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < f->res.header_count; i++)
        count +=
            pst_str_equal_nocase(f->res.headers[i].name, pst_str_from(name));
    return count;
}

bool
fixture_has(const struct fixture *f, const char *name, const char *value)
{
    for (size_t i = 0; i < f->res.header_count; i++) {
        if (pst_str_equal_nocase(f->res.headers[i].name, pst_str_from(name)) &&
            pst_str_equal(f->res.headers[i].value, pst_str_from(value)))
            return true;
    }
    return false;
}

void
fixture_begin_with(struct fixture *f, const struct auth_grant *grant,
                   struct fixture_session *session)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};

    *session = (struct fixture_session){.auth.carrier = AUTH_BY_NOTHING};
    fixture_request(f, variables, NULL);
    PST_REQUIRE(auth_begin_session(&f->ctx, &f->req, &f->res, &session->auth,
                                   grant) == PST_OK);
    fixture_take_tokens(f, session);
}

void
fixture_take_tokens(struct fixture *f, struct fixture_session *session)
{
    const char *line = fixture_header(f, "Set-Cookie");

    if (line)
        snprintf(session->cookie, sizeof(session->cookie), "HTTP_COOKIE=%.*s",
                 (int)strcspn(line, ";"), line);
    line = fixture_header(f, "vendure-auth-token");
    if (line)
        snprintf(session->bearer, sizeof(session->bearer),
                 "HTTP_AUTHORIZATION=Bearer %s", line);
}

void
fixture_begin(struct fixture *f, bool is_guest, struct fixture_session *session)
{
    const struct auth_grant grant = {
        .sub = is_guest ? PST_STR("") : PST_STR("7"),
        .name = is_guest ? PST_STR("") : PST_STR("a"),
        .who = PST_STR("{}"),
        .upstream = PST_STR("\"secret\"")};

    fixture_begin_with(f, &grant, session);
    PST_REQUIRE(session->cookie[0] != '\0');
}

enum pst_err
fixture_enter(struct fixture *f, struct auth *auth, const char *method,
              const char *a, const char *b)
{
    static const struct auth_rules rules = {.methods = "GET, POST"};
    const char *const variables[] = {method, a ? a : b, a ? b : NULL, NULL};

    fixture_request(f, variables, NULL);
    return authenticate(&f->ctx, &f->req, &f->res, &rules, auth);
}

bool
fixture_is_out(const struct fixture *f, const char *needle)
{
    return pst_str_contains((struct pst_str){f->out, f->out_len},
                            pst_str_from(needle));
}

bool
fixture_was_sent(const struct fixture *f, const char *needle)
{
    return pst_str_contains((struct pst_str){f->sent, f->sent_len},
                            pst_str_from(needle));
}

void
fixture_break_random(struct fixture *f)
{
    f->ctx.random = broken_random;
}

void
fixture_open_log(struct fixture *f)
{
    int descriptor;

    snprintf(f->log_path, sizeof(f->log_path), "/tmp/postern-fixture-XXXXXX");
    descriptor = mkstemp(f->log_path);
    PST_REQUIRE(descriptor >= 0);
    close(descriptor);
    PST_REQUIRE(log_open(&f->ctx.log, f->log_path, LOG_LOGFMT, LEVEL_INFO,
                         "test") == PST_OK);
}

const char *
fixture_read_log(struct fixture *f)
{
    static char text[16 * 1024];
    FILE *file = fopen(f->log_path, "r");
    size_t len;

    PST_REQUIRE(file != NULL);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    PST_REQUIRE(truncate(f->log_path, 0) == 0);
    return text;
}
