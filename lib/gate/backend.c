/* SPDX-License-Identifier: ISC */
/*
 * backend.c - logging in at a GraphQL backend, and reading what it says.
 */
#include "backend.h"

#include "config_read.h"
#include "date.h"
#include "json.h"

/* Where a login's result stands when its token is not in the body. */
static const struct pst_text LOGIN_RESULT = {CONFIG_LOGIN_RESULT,
                                             sizeof(CONFIG_LOGIN_RESULT) - 1};
static const struct pst_text OTHER_RESULT = {"/data/authenticate", 18};

/* Members of a login's result that are looked at: more are never public. */
#define WHO_MEMBERS 64

/* Requests that we make. */

/* Does the document declare the variable $name? */
static bool
declares(struct pst_text document, struct pst_text name)
{
    struct pst_text rest = document;
    size_t dollar;

    for (dollar = pst_text_index(rest, '$'); dollar < rest.len;
         dollar = pst_text_index(rest, '$')) {
        char after;

        rest = pst_text_from_octet(rest, dollar + 1);
        if (!pst_text_starts(rest, name))
            continue;
        after = rest.len > name.len ? rest.ptr[name.len] : ' ';
        if (!pst_is_alpha(after) && !pst_is_digit(after) && after != '_')
            return true;
    }
    return false;
}

/*
 * Write "name": where the document asks for it, and say whether it did: a
 * variable that is not declared makes some servers refuse the request.
 */
static bool
emit_name(struct pst_buf *buf, const struct config *config, const char *name)
{
    if (!declares(config->login_document, pst_text_from(name)))
        return false;
    if (!pst_text_ends(pst_buf_text(buf), PST_TEXT("{")))
        pst_buf_add_char(buf, ',');
    pst_json_emit_string(buf, pst_text_from(name));
    pst_buf_add_char(buf, ':');
    return true;
}

void
backend_emit_login(struct pst_buf *buf, const struct config *config,
                   const struct backend_credentials *credentials)
{
    pst_buf_add_string(buf, "{\"query\":");
    pst_json_emit_string(buf, config->login_document);
    pst_buf_add_string(buf, ",\"variables\":{");
    if (emit_name(buf, config, "email"))
        pst_json_emit_string(buf, credentials->username);
    if (emit_name(buf, config, "username"))
        pst_json_emit_string(buf, credentials->username);
    if (emit_name(buf, config, "password"))
        pst_json_emit_string(buf, credentials->password);
    if (emit_name(buf, config, "rememberMe"))
        pst_buf_add_string(buf, credentials->remember ? "true" : "false");
    pst_buf_add_string(buf, "}}");
}

void
backend_emit_logout(struct pst_buf *buf, const struct config *config)
{
    pst_buf_add_string(buf, "{\"query\":");
    pst_json_emit_string(buf, config->logout_document);
    pst_buf_add_char(buf, '}');
}

/* The answer to a login. */

/* What is read of an answer, piece by piece. */
struct reading {
    struct pst_arena *arena;
    const struct config *config;
    const struct pst_json *root;
    const struct pst_json *result; /* the object that holds the public part */
    bool has_result;               /* it is there, be it null */
    struct pst_text secret_name;   /* the token's member in it, or absent */
    bool is_own;                   /* the document was ours */
    struct backend_outcome *out;
};

/* Split "/data/login/secret" into "/data/login" and "secret". */
static struct pst_text
split_pointer(struct pst_text whole, struct pst_text *last)
{
    size_t slash = pst_text_last_index(whole, '/');

    *last = pst_text_from_octet(whole, slash < whole.len ? slash + 1 : 0);
    return pst_text_first(whole, slash < whole.len ? slash : 0);
}

struct pst_text
backend_login_field(const struct config *config)
{
    struct pst_text rest = config->token_name;
    struct pst_text piece = PST_TEXT("login");

    if (config->token_place != PLACE_JSON)
        return piece;
    pst_text_cut(&rest, '/', &piece); /* "" */
    pst_text_cut(&rest, '/', &piece); /* "data" */
    pst_text_cut(&rest, '/', &piece);
    return piece;
}

struct pst_text
backend_last_segment(struct pst_text pointer)
{
    struct pst_text last;

    (void)split_pointer(pointer, &last);
    return last;
}

/* Is there such a member, be its value null? */
static bool
has_member(const struct pst_json *root, struct pst_text pointer)
{
    struct pst_text last;
    const struct pst_json *parent =
        pst_json_at(root, split_pointer(pointer, &last));
    size_t count =
        pst_json_kind(parent) == PST_JSON_OBJECT ? pst_json_count(parent) : 0;

    for (size_t i = 0; i < count && i < WHO_MEMBERS; i++) {
        struct pst_text name;

        (void)pst_json_member(parent, i, &name);
        if (pst_text_equal(name, last))
            return true;
    }
    return false;
}

static void
find_result(struct reading *reading)
{
    const struct config *config = reading->config;
    struct pst_text pointer = LOGIN_RESULT;

    reading->secret_name = PST_NO_TEXT;
    if (config->token_place == PLACE_JSON)
        pointer = split_pointer(config->token_name, &reading->secret_name);
    reading->result = pst_json_at(reading->root, pointer);
    reading->has_result = has_member(reading->root, pointer);
    if (!reading->result && config->preset == PRESET_VENDURE) {
        reading->result = pst_json_at(reading->root, OTHER_RESULT);
        reading->has_result |= has_member(reading->root, OTHER_RESULT);
    }
}

/* Does an error say that it is of the login field? */
static bool
is_error_of_login(const struct reading *reading)
{
    struct pst_text field =
        pst_json_text(pst_json_at(reading->root, PST_TEXT("/errors/0/path/0")));

    return field.len > 0 &&
           (pst_text_equal(field, backend_login_field(reading->config)) ||
            (reading->config->preset == PRESET_VENDURE &&
             pst_text_equal(field, PST_TEXT("authenticate"))));
}

/* A pointer into the login's result, also where it is authenticate's. */
static const struct pst_json *
at(const struct reading *reading, struct pst_text pointer)
{
    struct pst_text rest = pst_text_from_octet(pointer, LOGIN_RESULT.len);

    if (pst_text_is_absent(pointer))
        return NULL;
    /* "/data/loginUser/id" only begins like it. */
    if (pst_text_starts(pointer, LOGIN_RESULT) &&
        (rest.len == 0 || rest.ptr[0] == '/'))
        return pst_json_at(reading->result, rest);
    return pst_json_at(reading->root, pointer);
}

/* The secret in the body, be it of use or not: it has to be taken out. */
static struct pst_text
find_secret(const struct reading *reading)
{
    if (reading->config->token_place != PLACE_JSON)
        return PST_NO_TEXT;
    return pst_json_text(
        pst_json_at(reading->root, reading->config->token_name));
}

/*
 * What a session of this answer would hold. A token in a header has to come
 * with the answer; cookies may be those that were there before. A secret has
 * to survive as a header's value: what could not be sent back is of no use.
 */
static enum pst_err
find_upstream(const struct reading *reading, int64_t now,
              const struct backend_answer *answer, struct pst_text *out)
{
    const struct jar_answer heard = {now, answer->upstream, answer->news};
    enum jar_change change;
    struct pst_buf buf;
    enum pst_err e;

    *out = PST_NO_TEXT;
    if (reading->config->token_place == PLACE_JSON) {
        if (reading->out->token.len == 0 ||
            !pst_text_is_field_value(reading->out->token))
            return PST_OK;
        pst_buf_init_arena(&buf, reading->arena, PST_UPSTREAM_MAX);
        pst_json_emit_string(&buf, reading->out->token);
        return pst_buf_end(&buf, out);
    }
    e = jar_follow(reading->arena, reading->config, &heard, &change, out);
    if (!e &&
        (change == JAR_ENDED ||
         (change == JAR_SAME && reading->config->token_place == PLACE_HEADER)))
        *out = PST_NO_TEXT;
    return e;
}

static bool
has_errors(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_at(root, PST_TEXT("/errors"));
    enum pst_json_kind kind = pst_json_kind(errors);

    return kind != PST_JSON_ABSENT && kind != PST_JSON_NULL &&
           !(kind == PST_JSON_ARRAY && pst_json_count(errors) == 0);
}

/* A string or an integer, as text: ids come as either. */
static enum pst_err
scalar(const struct reading *reading, struct pst_text pointer, size_t max,
       struct pst_text *out)
{
    const struct pst_json *value;
    struct pst_buf buf;

    *out = PST_TEXT("");
    value = at(reading, pointer);
    switch (pst_json_kind(value)) {
    case PST_JSON_STRING:
        *out = pst_json_text(value);
        return out->len > max ? PST_TOO_LARGE : PST_OK;
    case PST_JSON_INTEGER:
        pst_buf_init_arena(&buf, reading->arena, max);
        pst_json_emit(&buf, value);
        return pst_buf_end(&buf, out);
    default:
        return PST_OK;
    }
}

/*
 * Does this member of the login's result belong to the public part? Of a
 * client's document only what cannot have been renamed in it.
 */
static bool
is_public(const struct reading *reading, struct pst_text name,
          const struct pst_json *value)
{
    const struct config *config = reading->config;
    enum pst_json_kind kind = pst_json_kind(value);

    if (kind == PST_JSON_ARRAY || kind == PST_JSON_OBJECT)
        return false;
    if (!reading->is_own)
        return pst_text_equal(name, backend_last_segment(config->subject)) ||
               pst_text_equal(name, backend_last_segment(config->name));
    if (value != NULL && value == at(reading, config->ttl))
        return false;
    if (pst_text_equal(name, reading->secret_name) ||
        pst_text_equal(name, PST_TEXT("__typename")) ||
        pst_text_equal(name, PST_TEXT("expiresAt")))
        return false;
    return !(kind == PST_JSON_STRING &&
             pst_text_equal(pst_json_text(value), reading->out->token));
}

/* {"email":…,"ownerId":…}: what may be told to anyone who holds the session. */
static enum pst_err
read_who(const struct reading *reading, struct pst_text *out)
{
    size_t count = pst_json_kind(reading->result) == PST_JSON_OBJECT
                       ? pst_json_count(reading->result)
                       : 0;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reading->arena, PST_WHO_MAX);
    pst_buf_add_char(&buf, '{');
    for (size_t i = 0; i < count && i < WHO_MEMBERS; i++) {
        struct pst_text name;
        const struct pst_json *value =
            pst_json_member(reading->result, i, &name);

        if (!is_public(reading, name, value))
            continue;
        if (pst_buf_text(&buf).len > 1)
            pst_buf_add_char(&buf, ',');
        pst_json_emit_string(&buf, name);
        pst_buf_add_char(&buf, ':');
        pst_json_emit(&buf, value);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_end(&buf, out);
}

static enum pst_err
read_end(const struct reading *reading, int64_t now, int64_t *out)
{
    const struct pst_json *value;
    struct pst_text text;
    struct pst_buf buf;
    enum pst_err e;

    *out = 0;
    value = at(reading, reading->config->ttl);
    if (!value)
        return PST_OK;
    pst_buf_init_arena(&buf, reading->arena, 256);
    pst_json_emit(&buf, value);
    e = pst_buf_end(&buf, &text);
    if (e)
        return e;
    return pst_session_ttl(reading->arena, text, now, out);
}

/*
 * Who it is. A backend that does not repeat it has accepted what was typed;
 * but in a client's document nothing tells what was, so that names nobody.
 */
static enum pst_err
read_identity(const struct reading *reading, struct pst_text typed)
{
    struct visit_grant *grant = &reading->out->grant;
    enum pst_err e;

    e = scalar(reading, reading->config->subject, PST_SUBJECT_MAX, &grant->sub);
    if (e)
        return e;
    e = scalar(reading, reading->config->name, PST_NAME_MAX, &grant->name);
    if (e)
        return e;
    reading->out->is_nameless = grant->sub.len == 0 || !reading->is_own;
    if (reading->is_own && grant->sub.len == 0)
        grant->sub = grant->name.len > 0 ? grant->name : typed;
    if (reading->is_own && grant->name.len == 0)
        grant->name = typed.len > 0 ? typed : grant->sub;
    if (grant->sub.len == 0)
        grant->name = PST_TEXT("");
    return grant->sub.len > PST_SUBJECT_MAX || grant->name.len > PST_NAME_MAX
               ? PST_TOO_LARGE
               : PST_OK;
}

static enum pst_err
read_grant(const struct reading *reading, int64_t now, struct pst_text typed)
{
    struct visit_grant *grant = &reading->out->grant;
    enum pst_err e;

    e = read_identity(reading, typed);
    if (e)
        return e;
    e = read_end(reading, now, &grant->backend_end);
    if (e)
        return e;
    return read_who(reading, &grant->who);
}

/* Did the backend say yes? */
static enum pst_err
read_verdict(struct reading *reading, int64_t now,
             const struct backend_answer *answer)
{
    struct backend_outcome *out = reading->out;
    enum pst_json_kind result;
    enum pst_err e;

    find_result(reading);
    out->token = find_secret(reading);
    out->code = pst_json_text(
        pst_json_at(reading->root, PST_TEXT("/errors/0/extensions/code")));
    out->verdict = answer->status >= 500 ? BACKEND_BROKEN : BACKEND_REFUSED;
    out->has_failed =
        has_errors(reading->root) ||
        pst_text_contains(answer->body, PST_TEXT("\"errorCode\"")) ||
        pst_text_contains(answer->body, PST_TEXT("Error\""));
    out->is_login = reading->has_result || is_error_of_login(reading);
    e = find_upstream(reading, now, answer, &out->grant.upstream);
    if (e)
        return e;
    result = pst_json_kind(reading->result);
    if (answer->status < 500 && out->grant.upstream.len > 0 &&
        result != PST_JSON_ABSENT && result != PST_JSON_NULL &&
        !has_errors(reading->root) &&
        !pst_json_at(reading->result, PST_TEXT("/errorCode")))
        out->verdict = BACKEND_GRANTED;
    return PST_OK;
}

enum pst_err
backend_read_login(struct pst_arena *arena, const struct config *config,
                   int64_t now, const struct backend_answer *answer,
                   struct backend_outcome *out)
{
    struct backend_outcome outcome = {.verdict = BACKEND_BROKEN};
    struct reading reading = {
        .arena = arena,
        .config = config,
        .is_own = !pst_text_is_absent(answer->typed),
        .out = &outcome,
    };
    enum pst_err e;

    e = pst_json_parse(arena, answer->body, &reading.root);
    if (!e && pst_json_kind(reading.root) == PST_JSON_OBJECT)
        e = read_verdict(&reading, now, answer);
    if (!e && outcome.verdict == BACKEND_GRANTED)
        e = read_grant(&reading, now, answer->typed);
    if (e == PST_NO_MEMORY)
        return e;
    if (e)
        outcome.verdict = BACKEND_BROKEN;
    *out = outcome;
    return PST_OK;
}

bool
backend_knows_identity(const struct config *config)
{
    return config->preset == PRESET_VENDURE;
}

void
backend_emit_identity(struct pst_buf *buf)
{
    pst_buf_add_string(buf, "{\"query\":\"{me{id identifier}}\"}");
}

/* The public part, in the words of a login's own result. */
static enum pst_err
emit_who(struct pst_arena *arena, struct visit_grant *grant)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, 2 * PST_WHO_MAX);
    pst_buf_add_string(&buf, "{\"id\":");
    pst_json_emit_string(&buf, grant->sub);
    pst_buf_add_string(&buf, ",\"identifier\":");
    pst_json_emit_string(&buf, grant->name);
    pst_buf_add_char(&buf, '}');
    return pst_buf_end(&buf, &grant->who);
}

enum pst_err
backend_read_identity(struct pst_arena *arena, struct pst_text body,
                      struct visit_grant *grant)
{
    struct reading reading = {.arena = arena};
    struct pst_text name;
    struct pst_text sub;
    enum pst_err e;

    e = pst_json_parse(arena, body, &reading.root);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_MALFORMED;
    e = scalar(&reading, PST_TEXT("/data/me/id"), PST_SUBJECT_MAX, &sub);
    if (e)
        return e;
    e = scalar(&reading, PST_TEXT("/data/me/identifier"), PST_NAME_MAX, &name);
    if (e || sub.len == 0)
        return e ? e : PST_MALFORMED;
    grant->sub = sub;
    grant->name = name.len > 0 ? name : sub;
    return emit_who(arena, grant);
}

void
backend_emit_public(struct pst_buf *buf, struct pst_text who, int64_t expires)
{
    PST_REQUIRE(pst_text_ends(who, PST_TEXT("}")));
    pst_buf_add(buf, pst_text_first(who, who.len - 1));
    if (who.len > 2)
        pst_buf_add_char(buf, ',');
    pst_buf_add_string(buf, "\"expiresAt\":\"");
    pst_date_emit_rfc3339(buf, expires);
    pst_buf_add_string(buf, "\"}");
}
