/* SPDX-License-Identifier: ISC */
/*
 * authorize.c - may this visitor have a page that is not ours? Yes, and who
 * it is; or no, and where to log in. Which pages are asked about is the web
 * server's affair: there are no path rules here (L22).
 */
#include "base/buffer.h"
#include "base/limits.h"
#include "codec/date.h"
#include "codec/percent.h"
#include "gateway/auth_session.h"
#include "gateway/serve.h"
#include "http/redirect.h"

/*
 * Set by a web server's configuration (never by a client: no header becomes a
 * variable without HTTP_) where the question is asked by a subrequest. Its
 * value is the URI that the browser asked for, and its presence says that the
 * server understands 2xx, 401 and 403 only, as nginx's auth_request does.
 */
#define SUBREQUEST "AUTH_REQUEST"

/* What is told of an allowed visitor, in either role. */
struct fact {
    struct pst_text variable; /* to a FastCGI authorizer's server */
    struct pst_text header;   /* to whoever asked a responder */
    struct pst_text value;
};

/* A header can carry it, and a program behind it reads what we wrote. */
static bool
is_portable(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char octet = (unsigned char)text.ptr[i];

        if (octet < 0x20 || octet == 0x7F)
            return false;
    }
    return true;
}

/* White space around it would be lost on the way: " 7" would become "7". */
static bool
is_whole_when_trimmed(struct pst_text text)
{
    return pst_text_trim(text).len == text.len;
}

/* A name that would become another one on the way is not told at all. */
static struct pst_text
told_name(const struct pst_session *session)
{
    return is_whole_when_trimmed(session->name) ? session->name : PST_TEXT("");
}

/*
 * The one way in. PST_FORBIDDEN where an identity cannot be told without
 * being changed: a page behind us must not take one user for another.
 */
static enum pst_err
allow(struct request *req, struct reply *rep, const struct pst_session *session)
{
    struct fact facts[] = {
        {PST_TEXT("Variable-REMOTE_USER"), PST_TEXT("X-Session-User"),
         session->sub},
        {PST_TEXT("Variable-SESSION_SUBJECT"), PST_TEXT("X-Session-Subject"),
         session->sub},
        {PST_TEXT("Variable-SESSION_NAME"), PST_TEXT("X-Session-Name"),
         told_name(session)},
        {PST_TEXT("Variable-SESSION_EXPIRES"), PST_TEXT("X-Session-Expires"),
         PST_NO_TEXT},
    };
    struct pst_text *expires = &facts[PST_COUNT(facts) - 1].value;
    char date[32];
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init(&buf, date, sizeof(date));
    pst_date_emit_rfc3339(&buf, session->exp);
    *expires = pst_buf_text(&buf);
    if (!is_whole_when_trimmed(session->sub))
        return PST_FORBIDDEN;
    for (size_t i = 0; i < PST_COUNT(facts); i++) {
        if (!is_portable(facts[i].value))
            return PST_FORBIDDEN;
        e = reply_set(rep,
                      req->authorizer ? facts[i].variable : facts[i].header,
                      facts[i].value);
        if (e)
            return e;
    }
    return reply_whole(rep, 200, PST_TEXT("text/plain; charset=utf-8"),
                       PST_TEXT(""));
}

/* Who it is was confirmed by the backend, within two of the intervals in which
 * query asks it (L37): a session that nobody uses is not asked for. */
static bool
is_confirmed(const struct gate *gate, const struct pst_session *session)
{
    int64_t since =
        session->asked > session->iat ? session->asked : session->iat;

    return gate->config->backend.revalidate == 0 ||
           gate->now - since < 2 * gate->config->backend.revalidate;
}

/*
 * PST_OK for a visitor with a name, from a place that may ask for this. A
 * guest is nobody in particular, and would be let in under no name at all;
 * whose name is not known yet may ask again.
 */
static enum pst_err
judge(struct gate *gate, struct request *req, struct reply *rep,
      struct visit *visit)
{
    enum pst_err e = visit_open(gate, req, rep, visit);

    if (e)
        return e;
    visit_clear_dead(gate, rep, visit);
    if (!visit->has_session || pst_session_is_guest(&visit->session))
        return PST_ABSENT;
    if (visit->session.known == PST_IDENTITY_UNKNOWN)
        return PST_UNCONFIRMED;
    if (!is_confirmed(gate, &visit->session))
        return PST_ABSENT;
    return visit_check_site(gate, req, visit);
}

/* The part before the query string. */
static struct pst_text
path_of(struct pst_text uri)
{
    return pst_text_first(uri, pst_text_index(uri, '?'));
}

/*
 * What the browser asked for, as far as that is known. A client may have
 * chosen it: it decides nothing but where a login leads to (L21), and there it
 * is not believed either (http/redirect.h).
 */
static struct pst_text
wanted_uri(const struct request *req)
{
    struct pst_text uri = request_variable(req, SUBREQUEST);

    if (pst_text_is_absent(uri) && !req->authorizer)
        uri = request_header(req, PST_TEXT("X-Forwarded-Uri"));
    if (!pst_text_is_absent(uri))
        return uri;
    uri = request_variable(req, "REQUEST_URI");
    /* A responder that was asked about itself was not told of the page. */
    if (!req->authorizer &&
        pst_text_equal(path_of(uri), request_variable(req, "SCRIPT_NAME")))
        return PST_NO_TEXT;
    return uri;
}

/*
 * The login page's address, with return_to where the wanted page can be asked
 * for again. Absent when the login page itself is what was asked for: sending
 * the browser there would send it in a circle.
 */
static enum pst_err
login_address(const struct gate *gate, const struct request *req,
              struct pst_text *out)
{
    struct pst_text login = gate->config->login_url;
    struct pst_text uri = wanted_uri(req);
    struct pst_buf buf;

    login = pst_text_first(login, pst_text_index(login, '#'));
    *out = PST_NO_TEXT;
    if (pst_text_equal(path_of(uri), path_of(login)))
        return PST_OK;
    *out = login;
    if (!request_is_safe(req) || !pst_redirect_is_local(uri))
        return PST_OK;
    pst_buf_init_arena(&buf, req->arena, 4 * PST_RETURN_TO_MAX);
    pst_buf_add(&buf, login);
    pst_buf_add_string(&buf, path_of(login).len < login.len ? "&" : "?");
    pst_buf_add_string(&buf, "return_to=");
    pst_percent_encode(&buf, uri);
    if (buf.len > PST_RETURN_TO_MAX)
        return PST_OK;
    return pst_buf_end(&buf, out);
}

/* 401 for a server that turns it into a redirect itself. */
static enum pst_err
tell_server(const struct gate *gate, struct request *req, struct reply *rep,
            struct pst_text login)
{
    struct pst_text body;
    struct pst_buf buf;
    enum pst_err e;

    e = reply_set(rep, PST_TEXT("X-Login-Location"),
                  pst_redirect_choose(login, gate->config->login_url));
    if (e)
        return e;
    pst_buf_init_arena(&buf, req->arena, 512);
    reply_emit_error(&buf, req, PST_ABSENT);
    e = pst_buf_end(&buf, &body);
    if (e)
        return e;
    return reply_json(rep, pst_err_status(PST_ABSENT), body);
}

/* No, and why; to a page's reader: no, and please log in. */
static enum pst_err
refuse(const struct gate *gate, struct request *req, struct reply *rep,
       enum pst_err why)
{
    struct pst_text login;
    enum pst_err e;

    /* Sessions that cannot be checked are no way in, and no reason to have
     * people type their password. Not 503, which is an error to some servers.
     */
    if (why == PST_STORE_DOWN)
        return PST_STORE_FORBIDS;
    if (why != PST_ABSENT)
        return why;
    reply_vary(rep, PST_TEXT("Accept, Sec-Fetch-Mode"));
    if (!request_is_navigation(req))
        return why;
    e = login_address(gate, req, &login);
    if (e)
        return e;
    if (pst_text_is_absent(login))
        return why;
    if (!pst_text_is_absent(request_variable(req, SUBREQUEST)))
        return tell_server(gate, req, rep, login);
    return reply_redirect(rep, login, gate->config->login_url);
}

static enum pst_err
authorize(struct gate *gate, struct request *req, struct reply *rep)
{
    struct visit visit;
    enum pst_err e = judge(gate, req, rep, &visit);

    /* Not every server passes an authorizer's cookie on (R65); those that do
     * not lose nothing by it. */
    if (!e)
        e = visit_finish(gate, req, rep, &visit);
    if (!e && !visit.has_session) /* it ended while we looked */
        e = PST_ABSENT;
    if (!e)
        e = allow(req, rep, &visit.session);
    return e && !rep->begun ? refuse(gate, req, rep, e) : e;
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "authorize", authorize);
}
