/* SPDX-License-Identifier: ISC */
/*
 * check_backend.c - send the configured documents to the backend for `postern
 * check`, and say what is wrong with them.
 */
#include "check_backend.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "backend_probe.h"
#include "base/limits.h"
#include "check_settings.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "place.h"
#include "print.h"
#include "upstream/backend_login.h"
#include "upstream/backend_request.h"
#include "upstream/http_client.h"

/* A name that no operation has. A document that is sent with it is validated,
 * but nothing of it runs. */
#define NO_OPERATION "PosternCheck"

#define LOGOUT_VARIABLE "POSTERN_LOGOUT_DOCUMENT"

/* The login document. */

/* Make a name and a password that no user has. */
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

/* Was the login refused by something that is not a GraphQL server? A 401 and a
 * 403 without JSON may be the answer to a wrong password. */
static bool
is_not_graphql_server(const struct backend_probe *probe)
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
        return !backend_probe_response(probe);
    }
}

/* Tell a refused password from refused variables. Both may have the code
 * BAD_USER_INPUT, but refused variables have no path, because nothing ran. */
static int
check_login_refusal(const struct backend_probe *probe,
                    const struct backend_outcome *outcome)
{
    struct pst_str message;

    if (is_not_graphql_server(probe))
        return backend_probe_report_no_graphql(probe);
    if (pst_str_equal(outcome->code, PST_STR("BAD_USER_INPUT")) &&
        !pst_json_at(outcome->root, PST_STR("/errors/0/path"))) {
        backend_probe_report_message(
            "POSTERN_LOGIN_DOCUMENT",
            "the backend does not accept the document's variables; correct "
            "their types",
            outcome->root);
        return EX_CONFIG;
    }
    puts("the login document is understood: the backend refuses a wrong "
         "password");
    message = pst_json_string(
        pst_json_at(outcome->root, PST_STR("/errors/0/message")));
    if (message.len > 0) {
        fputs("its answer to a made-up name and password: ", stdout);
        print_escaped(stdout, message);
        putchar('\n');
    }
    return 0;
}

static int
check_login_response(const struct config *config,
                     const struct backend_probe *probe)
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
        fputs("POSTERN_LOGIN_DOCUMENT: the backend accepted a login with a "
              "made-up name and password: check that the document is a login\n",
              stderr);
        return EX_CONFIG;
    case BACKEND_SCHEMA_MISMATCH:
        backend_probe_report_message(
            "POSTERN_LOGIN_DOCUMENT",
            "the login document does not fit the backend's schema; correct it",
            outcome.root);
        return EX_CONFIG;
    case BACKEND_INVALID:
        break;
    }
    if (!backend_probe_response(probe))
        return backend_probe_report_no_graphql(probe);
    print_error_line("POSTERN_LOGIN_DOCUMENT: %s (status %d)", outcome.reason,
                     probe->status);
    return EX_CONFIG;
}

static int
probe_login_document(const struct config *config, struct backend_probe *probe)
{
    struct pst_str body;
    int status;

    if (build_login_request(config, probe->arena, &body) != PST_OK)
        return EX_SOFTWARE;
    status = backend_probe_send(probe, body);
    if (status)
        return status;
    printf("the backend is reachable: status %d\n", probe->status);
    fflush(stdout);
    check_clock(time(NULL), probe->date);
    return check_login_response(config, probe);
}

/* The other documents. */

/* Was the document refused, and not only its unknown operation name? */
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

/*
 * Let the backend validate a document, without running it.
 *   name  such as "logout", for the message that it fits
 */
static int
probe_other_document(struct backend_probe *probe, const char *variable,
                     const char *name, struct pst_str document)
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
    status = backend_probe_send(probe, body);
    if (status)
        return status;
    root = backend_probe_response(probe);
    if (!root)
        return backend_probe_report_no_graphql(probe);
    if (!is_document_refused(root)) {
        printf("the %s document fits the backend's schema\n", name);
        return 0;
    }
    backend_probe_report_message(
        variable,
        strcmp(variable, LOGOUT_VARIABLE) == 0
            ? "the document does not fit the backend's schema; correct it, or "
              "set POSTERN_UPSTREAM_LOGOUT=never if there is no logout"
            : "the document does not fit the backend's schema; correct it",
        root);
    return EX_CONFIG;
}

static int
probe_who_document(const struct config *config, struct backend_probe *probe)
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
    status = backend_probe_send(probe, body);
    if (status)
        return status;
    answer =
        (struct backend_response){probe->status, pst_buf_str(&probe->answer)};
    if (backend_parse_who(probe->arena, config, 0, &answer, &identity) !=
        PST_OK)
        return EX_SOFTWARE;
    if (identity.known == PST_IDENTITY_GUEST) {
        puts("the who document is understood: without a token there is no "
             "user");
        return 0;
    }
    if (identity.known == PST_IDENTITY_KNOWN)
        print_error_line("POSTERN_WHO_DOCUMENT: without a token, the backend "
                         "names the user %.*s: use a query about the token's "
                         "user, such as {me{id}}",
                         (int)identity.sub.len, identity.sub.ptr);
    else
        print_error_line("POSTERN_WHO_DOCUMENT: without a token, the answer "
                         "must be null, FORBIDDEN or UNAUTHENTICATED; use a "
                         "query about the token's user, such as {me{id}}: %.*s",
                         (int)identity.reason.len, identity.reason.ptr);
    return EX_CONFIG;
}

static int
probe_all_documents(const struct config *config, struct backend_probe *probe)
{
    const struct config_backend *backend = &config->backend;
    int status = probe_login_document(config, probe);

    for (size_t i = 1; i < backend->login_count && !status; i++)
        status = probe_other_document(probe, "POSTERN_LOGIN_DOCUMENT",
                                      "other login", backend->logins[i].text);
    if (!status && backend->who.field)
        status = probe_who_document(config, probe);
    if (!status && backend->refresh.field)
        status = probe_other_document(probe, "POSTERN_REFRESH_DOCUMENT",
                                      "refresh", backend->refresh.text);
    if (!status && config->upstream_logout != LOGOUT_NEVER)
        status = probe_other_document(probe, LOGOUT_VARIABLE, "logout",
                                      backend->logout_text);
    return status;
}

/* Of "unix:/run/api.sock:/graphql", check the socket. "Permission denied" would
 * not say whether a folder is missing. */
static bool
check_backend_socket(const struct config *config, struct pst_arena *arena)
{
    struct pst_str path = config->upstream;
    char reason[PLACE_REASON_MAX];
    const char *name;

    if (!pst_str_starts(path, PST_STR("unix:")))
        return true;
    path = pst_str_skip(path, strlen("unix:"));
    path = pst_str_first(path, pst_str_index(path, ':'));
    if (pst_arena_c_string(arena, path, &name) ||
        place_check_socket(name, reason))
        return true;
    print_error_line("POSTERN_UPSTREAM: %s", reason);
    return false;
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
        .total_timeout = config->total_timeout,
    };
    struct backend_probe probe = {.arena = arena};
    enum pst_err e = http_client_new(&probe.client, &options);
    int status;

    if (e) {
        fprintf(stderr, "POSTERN_UPSTREAM: %s\n", pst_err_text(e));
        return EX_UNAVAILABLE;
    }
    if (!check_backend_socket(config, arena)) {
        http_client_free(&probe.client);
        return EX_UNAVAILABLE;
    }
    status = probe_all_documents(config, &probe);
    http_client_free(&probe.client);
    return status;
}
