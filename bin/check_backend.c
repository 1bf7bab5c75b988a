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
#include "upstream/backend.h"
#include "upstream/http_client.h"

/* No operation has this name: what is sent under it is validated, and then
 * nothing runs. */
#define NO_OPERATION "PosternCheck"

/* Bytes of an answer that are looked at. */
#define ANSWER_MAX ((size_t)64 * 1024)

/* One exchange, and what came back. */
struct trial {
    struct upstream *upstream;
    struct pst_arena *arena;
    struct pst_text body;
    size_t sent;
    int status;
    struct pst_text type;     /* Content-Type */
    struct pst_text location; /* of a redirect */
    struct pst_buf answer;
};

static enum pst_err
read_body(void *context, char *out, size_t size, size_t *len)
{
    struct trial *trial = context;
    struct pst_text piece =
        pst_text_first(pst_text_from_octet(trial->body, trial->sent), size);

    memcpy(out, piece.ptr, piece.len);
    trial->sent += piece.len;
    *len = piece.len;
    return PST_OK;
}

static enum pst_err
note_header(void *context, struct pst_text name, struct pst_text value)
{
    struct trial *trial = context;

    if (pst_text_equal_nocase(name, PST_TEXT("Content-Type")))
        return pst_arena_text(trial->arena, value, &trial->type);
    if (pst_text_equal_nocase(name, PST_TEXT("Location")))
        return pst_arena_text(trial->arena, value, &trial->location);
    return PST_OK;
}

static enum pst_err
note_status(void *context, int status)
{
    struct trial *trial = context;

    trial->status = status;
    return PST_OK;
}

static enum pst_err
note_body(void *context, struct pst_text piece)
{
    struct trial *trial = context;

    if (trial->answer.len + piece.len <= ANSWER_MAX)
        pst_buf_add(&trial->answer, piece);
    return PST_OK;
}

/* Send a body; 0, or EX_UNAVAILABLE with the cause printed. */
static int
send_body(struct trial *trial, struct pst_text body)
{
    static const struct upstream_header headers[] = {
        {{"Content-Type", 12}, {"application/json", 16}},
        {{"Accept", 6}, {"application/json", 16}},
        {{"Accept-Encoding", 15}, {"identity", 8}},
    };
    const struct upstream_exchange exchange = {
        .method = PST_TEXT("POST"),
        .headers = headers,
        .header_count = PST_COUNT(headers),
        .body_length = (int64_t)body.len,
        .context = trial,
        .read = read_body,
        .header = note_header,
        .head = note_status,
        .body = note_body,
        .client = -1,
    };
    enum pst_err e;

    trial->body = body;
    trial->sent = 0;
    trial->type = trial->location = PST_NO_TEXT;
    pst_buf_init_hold(&trial->answer, trial->arena, ANSWER_MAX);
    e = upstream_run(trial->upstream, trial->arena, &exchange);
    if (!e)
        return 0;
    fprintf(stderr, "POSTERN_UPSTREAM: %s: %s\n", pst_err_text(e),
            upstream_why(trial->upstream));
    return EX_UNAVAILABLE;
}

/* Say what is wrong with an answer that is none of GraphQL's. */
static int
blame_server(const struct trial *trial)
{
    if (trial->status >= 300 && trial->status < 400)
        fprintf(stderr,
                "POSTERN_UPSTREAM: the backend redirects (status %d) to "
                "%.*s: set that address, if it is the GraphQL server's; "
                "redirects are never followed\n",
                trial->status, (int)trial->location.len, trial->location.ptr);
    else if (pst_text_starts_nocase(trial->type, PST_TEXT("text/html")))
        fprintf(stderr,
                "POSTERN_UPSTREAM: an HTML page came back (status %d): its "
                "path does not lead to a GraphQL server\n",
                trial->status);
    else
        fprintf(stderr,
                "POSTERN_UPSTREAM: no answer of a GraphQL server came back "
                "(status %d, Content-Type %.*s): does its path lead to one?\n",
                trial->status, (int)trial->type.len, trial->type.ptr);
    return EX_CONFIG;
}

static const struct pst_json *
parse_answer(const struct trial *trial)
{
    const struct pst_json *root = NULL;

    if (pst_json_parse(trial->arena, pst_buf_text(&trial->answer), &root) !=
            PST_OK ||
        pst_json_kind(root) != PST_JSON_OBJECT ||
        (!pst_json_get(root, PST_TEXT("data")) &&
         !pst_json_get(root, PST_TEXT("errors"))))
        return NULL;
    return root;
}

static void
print_message(const char *variable, const char *sentence,
              const struct pst_json *root)
{
    struct pst_text message =
        pst_json_text(pst_json_at(root, PST_TEXT("/errors/0/message")));

    fprintf(stderr, "%s: %s: %.*s\n", variable, sentence, (int)message.len,
            message.ptr);
}

/* The login document. */

/* A name and a password that nobody has. */
static enum pst_err
make_credentials(struct pst_arena *arena,
                 struct backend_credentials *credentials)
{
    uint8_t random[16];
    struct pst_buf buf;
    enum pst_err e = pst_crypt_random(random, sizeof(random));

    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, 80);
    pst_buf_add_string(&buf, "postern-check-");
    pst_buf_add_hex(&buf, (struct pst_bytes){random, sizeof(random)});
    pst_buf_add_string(&buf, "@invalid.example");
    credentials->remember = false;
    e = pst_buf_end(&buf, &credentials->username);
    credentials->password = credentials->username;
    return e;
}

static enum pst_err
write_login(const struct config *config, struct pst_arena *arena,
            struct pst_text *body)
{
    const struct login_document *login = &config->backend.logins[0];
    struct backend_credentials credentials;
    struct pst_text variables;
    struct pst_buf buf;
    enum pst_err e = make_credentials(arena, &credentials);

    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, 1024);
    backend_emit_credentials(&buf, login, &credentials);
    e = pst_buf_end(&buf, &variables);
    if (e)
        return e;
    pst_buf_init_hold(&buf, arena, PST_HOLD_MAX);
    backend_emit_request(&buf, login->text, variables);
    return pst_buf_end(&buf, body);
}

/* Is this a refusal by whoever knows nothing of logins? A 401 and a 403 may be
 * a wrong password without any JSON. */
static bool
is_elsewhere(const struct trial *trial)
{
    switch (trial->status) {
    case 401:
    case 403:
        return false;
    case 404:
    case 405:
    case 410:
    case 415:
        return true;
    default:
        return !parse_answer(trial);
    }
}

/* A refusal of the variables themselves is none of the password. It has no
 * path, for nothing ran: some resolvers say by the same code that the password
 * is wrong. */
static int
judge_refusal(const struct trial *trial, const struct backend_outcome *outcome)
{
    if (is_elsewhere(trial))
        return blame_server(trial);
    if (pst_text_equal(outcome->code, PST_TEXT("BAD_USER_INPUT")) &&
        !pst_json_at(outcome->root, PST_TEXT("/errors/0/path"))) {
        print_message("POSTERN_LOGIN_DOCUMENT",
                      "the backend cannot read the document's variables",
                      outcome->root);
        return EX_CONFIG;
    }
    puts("the login document is understood: the backend refuses a wrong "
         "password");
    return 0;
}

static int
judge_login(const struct config *config, const struct trial *trial)
{
    const struct backend_answer answer = {trial->status,
                                          pst_buf_text(&trial->answer)};
    struct backend_outcome outcome;

    if (backend_read_login(trial->arena, config, &config->backend.logins[0], 0,
                           &answer, &outcome) != PST_OK)
        return EX_SOFTWARE;
    switch (outcome.verdict) {
    case BACKEND_REFUSED:
        return judge_refusal(trial, &outcome);
    case BACKEND_GRANTED:
        fputs("POSTERN_LOGIN_DOCUMENT: the backend has let in somebody with a "
              "made-up name and password\n",
              stderr);
        return EX_CONFIG;
    case BACKEND_UNFIT:
        print_message("POSTERN_LOGIN_DOCUMENT",
                      "the login document does not fit the backend's schema",
                      outcome.root);
        return EX_CONFIG;
    case BACKEND_INVALID:
        break;
    }
    if (!parse_answer(trial))
        return blame_server(trial);
    fprintf(stderr, "POSTERN_LOGIN_DOCUMENT: %s (status %d)\n", outcome.why,
            trial->status);
    return EX_CONFIG;
}

static int
check_login(const struct config *config, struct trial *trial)
{
    struct pst_text body;
    int status;

    if (write_login(config, trial->arena, &body) != PST_OK)
        return EX_SOFTWARE;
    status = send_body(trial, body);
    if (status)
        return status;
    printf("the backend is reachable: status %d\n", trial->status);
    fflush(stdout);
    return judge_login(config, trial);
}

/* The others. */

/* Is this a refusal of the document, and not of what we did with it? */
static bool
is_misfit(const struct pst_json *root)
{
    struct pst_text message =
        pst_json_text(pst_json_at(root, PST_TEXT("/errors/0/message")));
    struct pst_text code =
        pst_json_text(pst_json_at(root, PST_TEXT("/errors/0/extensions/code")));

    if (pst_text_equal(code, PST_TEXT("GRAPHQL_VALIDATION_FAILED")))
        return true;
    return pst_json_get(root, PST_TEXT("errors")) &&
           !pst_text_contains(message, PST_TEXT(NO_OPERATION)) &&
           !pst_text_contains(message, PST_TEXT("operation"));
}

/* Have a document validated, under a name that none of its operations has. */
static int
check_document(struct trial *trial, const char *variable,
               struct pst_text document)
{
    const struct pst_json *root;
    struct pst_text body;
    struct pst_buf buf;
    int status;

    pst_buf_init_hold(&buf, trial->arena, PST_HOLD_MAX);
    pst_buf_add_string(&buf,
                       "{\"operationName\":\"" NO_OPERATION "\",\"query\":");
    pst_json_emit_string(&buf, document);
    pst_buf_add_char(&buf, '}');
    if (pst_buf_end(&buf, &body) != PST_OK)
        return EX_SOFTWARE;
    status = send_body(trial, body);
    if (status)
        return status;
    root = parse_answer(trial);
    if (!root)
        return blame_server(trial);
    if (!is_misfit(root))
        return 0;
    print_message(variable, "the document does not fit the backend's schema",
                  root);
    return EX_CONFIG;
}

static int
check_who(const struct config *config, struct trial *trial)
{
    struct backend_identity identity;
    struct backend_answer answer;
    struct pst_text body;
    struct pst_buf buf;
    int status;

    pst_buf_init_hold(&buf, trial->arena, PST_HOLD_MAX);
    backend_emit_request(&buf, config->backend.who.text, PST_NO_TEXT);
    if (pst_buf_end(&buf, &body) != PST_OK)
        return EX_SOFTWARE;
    status = send_body(trial, body);
    if (status)
        return status;
    answer =
        (struct backend_answer){trial->status, pst_buf_text(&trial->answer)};
    if (backend_read_who(trial->arena, config, 0, &answer, &identity) != PST_OK)
        return EX_SOFTWARE;
    if (identity.known == PST_IDENTITY_NOBODY) {
        puts("the who document is understood: without a token it is nobody");
        return 0;
    }
    print_message("POSTERN_WHO_DOCUMENT",
                  "without a token the backend must answer null, FORBIDDEN or "
                  "UNAUTHENTICATED, and did not",
                  parse_answer(trial));
    return EX_CONFIG;
}

static int
check_documents(const struct config *config, struct trial *trial)
{
    const struct config_backend *backend = &config->backend;
    int status = check_login(config, trial);

    for (size_t i = 1; i < backend->login_count && !status; i++)
        status = check_document(trial, "POSTERN_LOGIN_DOCUMENT",
                                backend->logins[i].text);
    if (!status && backend->who.field)
        status = check_who(config, trial);
    if (!status && config->upstream_logout != LOGOUT_NEVER)
        status = check_document(trial, "POSTERN_LOGOUT_DOCUMENT",
                                backend->logout_text);
    return status;
}

int
check_backend(const struct config *config, struct pst_arena *arena)
{
    const struct upstream_options options = {
        .url = config->upstream,
        .ca = config->upstream_ca,
        .connect_timeout = config->connect_timeout,
        .first_byte_timeout = config->first_byte_timeout,
        .between_bytes_timeout = config->between_bytes_timeout,
    };
    struct trial trial = {.arena = arena};
    enum pst_err e = upstream_new(&trial.upstream, &options);
    int status;

    if (e) {
        fprintf(stderr, "POSTERN_UPSTREAM: %s\n", pst_err_text(e));
        return EX_UNAVAILABLE;
    }
    status = check_documents(config, &trial);
    upstream_free(&trial.upstream);
    return status;
}
