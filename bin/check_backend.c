/* SPDX-License-Identifier: ISC */
/*
 * check_backend.c - try the configured documents on the backend.
 */
#include "check_backend.h"

#include <string.h>
#include <sysexits.h>

#include "base/limits.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "upstream/backend_login.h"
#include "upstream/backend_request.h"
#include "upstream/http_client.h"

/* No operation has this name: what is sent under it is validated, and then
 * nothing runs. */
#define NO_OPERATION "PosternCheck"

/* Bytes of an answer that are looked at. */
#define ANSWER_MAX ((size_t)64 * 1024)

/* One exchange, and what came back. */
struct probe {
    struct http_client *upstream;
    struct pst_arena *arena;
    struct pst_str body;
    size_t sent;
    int status;
    struct pst_str type;     /* Content-Type */
    struct pst_str location; /* of a redirect */
    struct pst_buf answer;
};

static enum pst_err
probe_read_body(void *context, char *out, size_t size, size_t *len)
{
    struct probe *probe = context;
    struct pst_str piece =
        pst_str_first(pst_str_skip(probe->body, probe->sent), size);

    memcpy(out, piece.ptr, piece.len);
    probe->sent += piece.len;
    *len = piece.len;
    return PST_OK;
}

static enum pst_err
probe_on_header(void *context, struct pst_str name, struct pst_str value)
{
    struct probe *probe = context;

    if (pst_str_equal_nocase(name, PST_STR("Content-Type")))
        return pst_arena_copy(probe->arena, value, &probe->type);
    if (pst_str_equal_nocase(name, PST_STR("Location")))
        return pst_arena_copy(probe->arena, value, &probe->location);
    return PST_OK;
}

static enum pst_err
probe_on_status(void *context, int status)
{
    struct probe *probe = context;

    probe->status = status;
    return PST_OK;
}

static enum pst_err
probe_on_body(void *context, struct pst_str piece)
{
    struct probe *probe = context;

    if (probe->answer.len + piece.len <= ANSWER_MAX)
        pst_buf_add(&probe->answer, piece);
    return PST_OK;
}

/* Send a body; 0, or EX_UNAVAILABLE with the cause printed. */
static int
probe_send(struct probe *probe, struct pst_str body)
{
    static const struct http_header headers[] = {
        {{"Content-Type", 12}, {"application/json", 16}},
        {{"Accept", 6}, {"application/json", 16}},
        {{"Accept-Encoding", 15}, {"identity", 8}},
    };
    const struct http_exchange exchange = {
        .method = PST_STR("POST"),
        .headers = headers,
        .header_count = PST_COUNT(headers),
        .body_length = (int64_t)body.len,
        .context = probe,
        .read = probe_read_body,
        .header = probe_on_header,
        .head = probe_on_status,
        .body = probe_on_body,
        .client = -1,
    };
    enum pst_err e;

    probe->body = body;
    probe->sent = 0;
    probe->type = probe->location = PST_STR_NONE;
    pst_buf_init_heap(&probe->answer, probe->arena, ANSWER_MAX);
    e = http_client_run(probe->upstream, probe->arena, &exchange);
    if (!e)
        return 0;
    fprintf(stderr, "POSTERN_UPSTREAM: %s: %s\n", pst_err_text(e),
            http_client_error(probe->upstream));
    return EX_UNAVAILABLE;
}

/* Say what is wrong with an answer that is none of GraphQL's. */
static int
report_no_graphql_server(const struct probe *probe)
{
    if (probe->status >= 300 && probe->status < 400)
        fprintf(stderr,
                "POSTERN_UPSTREAM: the backend redirects (status %d) to "
                "%.*s: set that address, if it is the GraphQL server's; "
                "redirects are never followed\n",
                probe->status, (int)probe->location.len, probe->location.ptr);
    else if (pst_str_starts_nocase(probe->type, PST_STR("text/html")))
        fprintf(stderr,
                "POSTERN_UPSTREAM: an HTML page came back (status %d): its "
                "path does not lead to a GraphQL server\n",
                probe->status);
    else
        fprintf(stderr,
                "POSTERN_UPSTREAM: no answer of a GraphQL server came back "
                "(status %d, Content-Type %.*s): does its path lead to one?\n",
                probe->status, (int)probe->type.len, probe->type.ptr);
    return EX_CONFIG;
}

static const struct pst_json *
probe_parse_response(const struct probe *probe)
{
    const struct pst_json *root = NULL;

    if (pst_json_parse(probe->arena, pst_buf_str(&probe->answer), &root) !=
            PST_OK ||
        pst_json_kind(root) != PST_JSON_OBJECT ||
        (!pst_json_get(root, PST_STR("data")) &&
         !pst_json_get(root, PST_STR("errors"))))
        return NULL;
    return root;
}

static void
report_backend_message(const char *variable, const char *sentence,
                       const struct pst_json *root)
{
    struct pst_str message =
        pst_json_string(pst_json_at(root, PST_STR("/errors/0/message")));

    fprintf(stderr, "%s: %s: %.*s\n", variable, sentence, (int)message.len,
            message.ptr);
}

/* The login document. */

/* A name and a password that nobody has. */
static enum pst_err
make_unknown_credentials(struct pst_arena *arena,
                         struct login_credentials *credentials)
{
    uint8_t random[16];
    struct pst_buf buf;
    enum pst_err e = pst_crypto_random(random, sizeof(random));

    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, 80);
    pst_buf_add_string(&buf, "postern-check-");
    pst_buf_add_hex(&buf, (struct pst_bytes){random, sizeof(random)});
    pst_buf_add_string(&buf, "@invalid.example");
    credentials->remember = false;
    e = pst_buf_finish(&buf, &credentials->username);
    credentials->password = credentials->username;
    return e;
}

static enum pst_err
build_login_request(const struct config *config, struct pst_arena *arena,
                    struct pst_str *body)
{
    const struct login_document *login = &config->backend.logins[0];
    struct login_credentials credentials;
    struct pst_str variables;
    struct pst_buf buf;
    enum pst_err e = make_unknown_credentials(arena, &credentials);

    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, 1024);
    backend_emit_login_variables(&buf, login, &credentials);
    e = pst_buf_finish(&buf, &variables);
    if (e)
        return e;
    pst_buf_init_heap(&buf, arena, PST_BUFFERED_BODY_MAX);
    backend_emit_request(&buf, login->text, variables);
    return pst_buf_finish(&buf, body);
}

/* Is this a refusal by whoever knows nothing of logins? A 401 and a 403 may be
 * a wrong password without any JSON. */
static bool
is_not_graphql_server(const struct probe *probe)
{
    switch (probe->status) {
    case 401:
    case 403:
        return false;
    case 404:
    case 405:
    case 410:
    case 415:
        return true;
    default:
        return !probe_parse_response(probe);
    }
}

/* A refusal of the variables themselves is none of the password. It has no
 * path, for nothing ran: some resolvers say by the same code that the password
 * is wrong. */
static int
check_login_refusal(const struct probe *probe,
                    const struct backend_outcome *outcome)
{
    if (is_not_graphql_server(probe))
        return report_no_graphql_server(probe);
    if (pst_str_equal(outcome->code, PST_STR("BAD_USER_INPUT")) &&
        !pst_json_at(outcome->root, PST_STR("/errors/0/path"))) {
        report_backend_message(
            "POSTERN_LOGIN_DOCUMENT",
            "the backend cannot read the document's variables", outcome->root);
        return EX_CONFIG;
    }
    puts("the login document is understood: the backend refuses a wrong "
         "password");
    return 0;
}

static int
check_login_response(const struct config *config, const struct probe *probe)
{
    const struct backend_response answer = {probe->status,
                                            pst_buf_str(&probe->answer)};
    struct backend_outcome outcome;

    if (backend_parse_login(probe->arena, config, &config->backend.logins[0], 0,
                            &answer, &outcome) != PST_OK)
        return EX_SOFTWARE;
    switch (outcome.result) {
    case BACKEND_REFUSED:
        return check_login_refusal(probe, &outcome);
    case BACKEND_GRANTED:
        fputs("POSTERN_LOGIN_DOCUMENT: the backend has let in somebody with a "
              "made-up name and password\n",
              stderr);
        return EX_CONFIG;
    case BACKEND_SCHEMA_MISMATCH:
        report_backend_message(
            "POSTERN_LOGIN_DOCUMENT",
            "the login document does not fit the backend's schema",
            outcome.root);
        return EX_CONFIG;
    case BACKEND_INVALID:
        break;
    }
    if (!probe_parse_response(probe))
        return report_no_graphql_server(probe);
    fprintf(stderr, "POSTERN_LOGIN_DOCUMENT: %s (status %d)\n", outcome.reason,
            probe->status);
    return EX_CONFIG;
}

static int
probe_login_document(const struct config *config, struct probe *probe)
{
    struct pst_str body;
    int status;

    if (build_login_request(config, probe->arena, &body) != PST_OK)
        return EX_SOFTWARE;
    status = probe_send(probe, body);
    if (status)
        return status;
    printf("the backend is reachable: status %d\n", probe->status);
    fflush(stdout);
    return check_login_response(config, probe);
}

/* The others. */

/* Is this a refusal of the document, and not of what we did with it? */
static bool
is_document_refused(const struct pst_json *root)
{
    struct pst_str message =
        pst_json_string(pst_json_at(root, PST_STR("/errors/0/message")));
    struct pst_str code = pst_json_string(
        pst_json_at(root, PST_STR("/errors/0/extensions/code")));

    if (pst_str_equal(code, PST_STR("GRAPHQL_VALIDATION_FAILED")))
        return true;
    return pst_json_get(root, PST_STR("errors")) &&
           !pst_str_contains(message, PST_STR(NO_OPERATION)) &&
           !pst_str_contains(message, PST_STR("operation"));
}

/* Have a document validated, under a name that none of its operations has. */
static int
probe_other_document(struct probe *probe, const char *variable,
                     struct pst_str document)
{
    const struct pst_json *root;
    struct pst_str body;
    struct pst_buf buf;
    int status;

    pst_buf_init_heap(&buf, probe->arena, PST_BUFFERED_BODY_MAX);
    pst_buf_add_string(&buf,
                       "{\"operationName\":\"" NO_OPERATION "\",\"query\":");
    pst_json_emit_string(&buf, document);
    pst_buf_add_char(&buf, '}');
    if (pst_buf_finish(&buf, &body) != PST_OK)
        return EX_SOFTWARE;
    status = probe_send(probe, body);
    if (status)
        return status;
    root = probe_parse_response(probe);
    if (!root)
        return report_no_graphql_server(probe);
    if (!is_document_refused(root))
        return 0;
    report_backend_message(
        variable, "the document does not fit the backend's schema", root);
    return EX_CONFIG;
}

static int
probe_who_document(const struct config *config, struct probe *probe)
{
    struct backend_identity identity;
    struct backend_response answer;
    struct pst_str body;
    struct pst_buf buf;
    int status;

    pst_buf_init_heap(&buf, probe->arena, PST_BUFFERED_BODY_MAX);
    backend_emit_request(&buf, config->backend.who.text, PST_STR_NONE);
    if (pst_buf_finish(&buf, &body) != PST_OK)
        return EX_SOFTWARE;
    status = probe_send(probe, body);
    if (status)
        return status;
    answer =
        (struct backend_response){probe->status, pst_buf_str(&probe->answer)};
    if (backend_parse_who(probe->arena, config, 0, &answer, &identity) !=
        PST_OK)
        return EX_SOFTWARE;
    if (identity.known == PST_IDENTITY_GUEST) {
        puts("the who document is understood: without a token it is nobody");
        return 0;
    }
    report_backend_message(
        "POSTERN_WHO_DOCUMENT",
        "without a token the backend must answer null, FORBIDDEN or "
        "UNAUTHENTICATED, and did not",
        probe_parse_response(probe));
    return EX_CONFIG;
}

static int
probe_all_documents(const struct config *config, struct probe *probe)
{
    const struct config_backend *backend = &config->backend;
    int status = probe_login_document(config, probe);

    for (size_t i = 1; i < backend->login_count && !status; i++)
        status = probe_other_document(probe, "POSTERN_LOGIN_DOCUMENT",
                                      backend->logins[i].text);
    if (!status && backend->who.field)
        status = probe_who_document(config, probe);
    if (!status && config->upstream_logout != LOGOUT_NEVER)
        status = probe_other_document(probe, "POSTERN_LOGOUT_DOCUMENT",
                                      backend->logout_text);
    return status;
}

int
check_backend(const struct config *config, struct pst_arena *arena)
{
    const struct http_client_options options = {
        .url = config->upstream,
        .ca = config->upstream_ca,
        .connect_timeout = config->connect_timeout,
        .first_byte_timeout = config->first_byte_timeout,
        .between_bytes_timeout = config->between_bytes_timeout,
    };
    struct probe probe = {.arena = arena};
    enum pst_err e = http_client_new(&probe.upstream, &options);
    int status;

    if (e) {
        fprintf(stderr, "POSTERN_UPSTREAM: %s\n", pst_err_text(e));
        return EX_UNAVAILABLE;
    }
    status = probe_all_documents(config, &probe);
    http_client_free(&probe.upstream);
    return status;
}
