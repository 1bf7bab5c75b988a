/* SPDX-License-Identifier: ISC */
/*
 * response.c - headers by name, checked before they are kept, and written in
 * one piece; after them only body.
 */
#include "server/response.h"

#include <string.h>

#include "base/limits.h"
#include "codec/json_text.h"
#include "http/cookie.h"
#include "http/redirect.h"

struct phrase {
    int status;
    const char *text;
};

static const struct phrase phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const struct pst_text SET_COOKIE = {"Set-Cookie", 10};

static const char *const class_phrases[] = {"Success", "Redirection",
                                            "Client Error", "Server Error"};

static const char *
phrase_of(int status)
{
    for (size_t i = 0; i < PST_COUNT(phrases); i++) {
        if (phrases[i].status == status)
            return phrases[i].text;
    }
    return class_phrases[status / 100 - 2];
}

/* The place of a header, or header_count when it is not set. */
static size_t
place_of(const struct reply *rep, struct pst_text name)
{
    size_t i = 0;

    while (i < rep->header_count &&
           !pst_text_equal_nocase(rep->headers[i].name, name))
        i++;
    return i;
}

/* Bytes of all headers but the one at `without`, line ends included. */
static size_t
size_of_others(const struct reply *rep, size_t without)
{
    size_t size = 0;

    for (size_t i = 0; i < rep->header_count; i++) {
        if (i != without)
            size += rep->headers[i].name.len + rep->headers[i].value.len + 4;
    }
    return size;
}

/* Look before anything is copied: may this header be set at that place? */
static enum pst_err
check(const struct reply *rep, const struct reply_header *header, size_t at)
{
    size_t room = PST_HEADERS_MAX - size_of_others(rep, at);

    if (!pst_text_is_token(header->name) || pst_text_is_absent(header->value) ||
        !pst_text_is_field_value(header->value))
        return PST_MALFORMED;
    /* One after the other, so that no sum can wrap. */
    if (at == REPLY_HEADERS_MAX || room < 4 || header->name.len > room - 4 ||
        header->value.len > room - 4 - header->name.len)
        return PST_TOO_LARGE;
    return PST_OK;
}

static void
keep(struct reply *rep, size_t place, const struct reply_header *header)
{
    rep->headers[place] = *header;
    if (place == rep->header_count)
        rep->header_count++;
}

/* Set a header whose texts outlive the reply: nothing is copied. */
static enum pst_err
set_lasting(struct reply *rep, struct pst_text name, struct pst_text value)
{
    struct reply_header header = {name, value};
    size_t place = place_of(rep, name);
    enum pst_err e = check(rep, &header, place);

    if (e)
        return e;
    keep(rep, place, &header);
    return PST_OK;
}

static void
refuse(struct reply *rep, enum pst_err e)
{
    if (rep->refused == PST_OK)
        rep->refused = e;
}

static void
set_default(struct reply *rep, struct pst_text name, struct pst_text value)
{
    if (place_of(rep, name) == rep->header_count)
        refuse(rep, set_lasting(rep, name, value));
}

void
reply_init(struct reply *rep, struct pst_arena *arena,
           const struct reply_sink *sink)
{
    memset(rep, 0, sizeof(*rep));
    /* No browser asks for a password because of a scheme it does not know. */
    rep->challenge = PST_TEXT("Postern realm=\"session\"");
    rep->arena = arena;
    rep->sink = *sink;
    reply_reset(rep, NULL);
}

static bool
is_among(const struct pst_text *names, struct pst_text name)
{
    for (; names && !pst_text_is_absent(*names); names++) {
        if (pst_text_equal_nocase(*names, name))
            return true;
    }
    return false;
}

void
reply_reset(struct reply *rep, const struct pst_text *keep_names)
{
    size_t kept = 0;

    PST_REQUIRE(!rep->begun);
    for (size_t i = 0; i < rep->header_count; i++) {
        if (is_among(keep_names, rep->headers[i].name))
            rep->headers[kept++] = rep->headers[i];
    }
    rep->header_count = kept;
    rep->status = 200;
    rep->refused = PST_OK;
    set_default(rep, PST_TEXT("Cache-Control"), PST_TEXT("no-store"));
    set_default(rep, PST_TEXT("X-Content-Type-Options"), PST_TEXT("nosniff"));
}

void
reply_set_status(struct reply *rep, int status)
{
    if (status < 200 || status > 599)
        refuse(rep, PST_INTERNAL);
    else
        rep->status = status;
}

/*
 * Status is the server's own word in CGI; Location and Set-Cookie have one way
 * in each: reply_redirect(), which checks it (L14), and reply_put_cookie().
 */
static bool
is_reserved(struct pst_text name)
{
    return pst_text_equal_nocase(name, PST_TEXT("Status")) ||
           pst_text_equal_nocase(name, PST_TEXT("Location")) ||
           pst_text_equal_nocase(name, SET_COOKIE);
}

enum pst_err
reply_set(struct reply *rep, struct pst_text name, struct pst_text value)
{
    struct reply_header header = {name, value};
    size_t place;
    enum pst_err e;

    if (is_reserved(name))
        return PST_MALFORMED;
    place = place_of(rep, name);
    e = check(rep, &header, place);
    if (e)
        return e;
    e = pst_arena_text(rep->arena, name, &header.name);
    if (e)
        return e;
    e = pst_arena_text(rep->arena, value, &header.value);
    if (e)
        return e;
    keep(rep, place, &header);
    return PST_OK;
}

void
reply_put(struct reply *rep, struct pst_text name, struct pst_text value)
{
    refuse(rep, reply_set(rep, name, value));
}

/* The others keep their order. */
static void
remove_at(struct reply *rep, size_t place)
{
    rep->header_count--;
    for (; place < rep->header_count; place++)
        rep->headers[place] = rep->headers[place + 1];
}

static enum pst_err
add_cookie(struct reply *rep, struct pst_text line)
{
    struct reply_header header = {SET_COOKIE, line};
    enum pst_err e = check(rep, &header, rep->header_count);

    if (!e)
        e = pst_arena_text(rep->arena, line, &header.value);
    if (!e)
        keep(rep, rep->header_count, &header);
    return e;
}

void
reply_put_cookie(struct reply *rep, struct pst_text line)
{
    for (size_t i = rep->header_count; i-- > 0;) {
        if (pst_text_equal(rep->headers[i].name, SET_COOKIE) &&
            pst_cookie_is_same(rep->headers[i].value, line))
            remove_at(rep, i);
    }
    refuse(rep, add_cookie(rep, line));
}

void
reply_unset(struct reply *rep, struct pst_text name)
{
    size_t place = place_of(rep, name);

    if (place < rep->header_count)
        remove_at(rep, place);
}

struct pst_text
reply_get(const struct reply *rep, struct pst_text name)
{
    size_t place = place_of(rep, name);

    return place < rep->header_count ? rep->headers[place].value : PST_NO_TEXT;
}

/* Is name one of those in the list so far, or swallowed by its "*"? */
static bool
is_listed(struct pst_text list, struct pst_text name)
{
    struct pst_text word;

    while (pst_text_word(&list, ", \t", &word)) {
        if (pst_text_equal(word, PST_TEXT("*")) ||
            pst_text_equal_nocase(word, name))
            return true;
    }
    return false;
}

void
reply_vary(struct reply *rep, struct pst_text names)
{
    struct pst_text vary = PST_TEXT("Vary");
    struct pst_text list;
    struct pst_text name;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, rep->arena, PST_HEADERS_MAX);
    pst_buf_add(&buf, reply_get(rep, vary));
    while (pst_text_word(&names, ", \t", &name)) {
        if (!pst_text_is_token(name) || is_listed(pst_buf_text(&buf), name))
            continue;
        if (pst_text_equal(name, PST_TEXT("*")))
            pst_buf_cut(&buf, 0);
        if (buf.len > 0)
            pst_buf_add_string(&buf, ", ");
        pst_buf_add(&buf, name);
    }
    e = pst_buf_end(&buf, &list);
    if (e == PST_OK && list.len > 0)
        e = set_lasting(rep, vary, list);
    refuse(rep, e);
}

/* RFC 9110 sections 15.3.5 and 15.4.5: these end with their headers. */
static bool
is_bodiless(const struct reply *rep)
{
    return rep->status == 204 || rep->status == 304;
}

static void
emit_head(struct pst_buf *buf, const struct reply *rep)
{
    pst_buf_add_string(buf, "Status: ");
    pst_buf_add_number(buf, rep->status);
    pst_buf_add_char(buf, ' ');
    pst_buf_add_string(buf, phrase_of(rep->status));
    pst_buf_add_string(buf, "\r\n");
    for (size_t i = 0; i < rep->header_count; i++) {
        pst_buf_add(buf, rep->headers[i].name);
        pst_buf_add_string(buf, ": ");
        pst_buf_add(buf, rep->headers[i].value);
        pst_buf_add_string(buf, "\r\n");
    }
    pst_buf_add_string(buf, "\r\n");
}

enum pst_err
reply_begin(struct reply *rep)
{
    char small[1024];
    struct pst_text head;
    struct pst_buf buf;
    enum pst_err e;

    PST_REQUIRE(!rep->begun);
    if (rep->status == 401)
        set_default(rep, PST_TEXT("WWW-Authenticate"), rep->challenge);
    if (rep->refused)
        return rep->refused;
    if (is_bodiless(rep)) {
        reply_unset(rep, PST_TEXT("Content-Length"));
        if (rep->status == 204)
            reply_unset(rep, PST_TEXT("Content-Type"));
    }
    /* Without the arena if it can be: a spent one must not stop a 503. */
    pst_buf_init(&buf, small, sizeof(small));
    emit_head(&buf, rep);
    e = pst_buf_end(&buf, &head);
    if (e) {
        pst_buf_init_arena(&buf, rep->arena, PST_HEADERS_MAX + sizeof(small));
        emit_head(&buf, rep);
        e = pst_buf_end(&buf, &head);
    }
    if (e)
        return e;
    rep->begun = true;
    return rep->sink.write(rep->sink.context, head);
}

enum pst_err
reply_write(struct reply *rep, struct pst_text piece)
{
    PST_REQUIRE(rep->begun);
    /* An empty piece would end a FastCGI stream. */
    if (piece.len == 0 || is_bodiless(rep))
        return PST_OK;
    return rep->sink.write(rep->sink.context, piece);
}

enum pst_err
reply_flush(struct reply *rep)
{
    PST_REQUIRE(rep->begun);
    return rep->sink.flush(rep->sink.context);
}

enum pst_err
reply_whole(struct reply *rep, int status, struct pst_text type,
            struct pst_text body)
{
    struct pst_text length;
    struct pst_buf digits;
    enum pst_err e;

    pst_buf_init(&digits, rep->length, sizeof(rep->length));
    pst_buf_add_number(&digits, (int64_t)body.len);
    e = pst_buf_end(&digits, &length);
    if (e)
        return e;
    reply_set_status(rep, status);
    refuse(rep, set_lasting(rep, PST_TEXT("Content-Type"), type));
    refuse(rep, set_lasting(rep, PST_TEXT("Content-Length"), length));
    e = reply_begin(rep);
    if (e)
        return e;
    return reply_write(rep, body);
}

enum pst_err
reply_json(struct reply *rep, int status, struct pst_text body)
{
    return reply_whole(rep, status, PST_TEXT("application/json; charset=utf-8"),
                       body);
}

enum pst_err
reply_redirect(struct reply *rep, struct pst_text target,
               struct pst_text fallback)
{
    struct pst_text location;
    enum pst_err e;

    e = pst_arena_text(rep->arena, pst_redirect_choose(target, fallback),
                       &location);
    if (e)
        return e;
    reply_set_status(rep, 303);
    refuse(rep, set_lasting(rep, PST_TEXT("Location"), location));
    reply_unset(rep, PST_TEXT("Content-Type"));
    reply_unset(rep, PST_TEXT("Content-Length"));
    return reply_begin(rep);
}

void
reply_emit_error(struct pst_buf *buf, const struct request *req, enum pst_err e)
{
    pst_buf_add_string(buf, "{\"errors\":[{\"message\":");
    pst_json_emit_string(buf, pst_text_from(pst_err_text(e)));
    pst_buf_add_string(buf, ",\"extensions\":{\"code\":");
    pst_json_emit_string(buf, pst_text_from(pst_err_name(e)));
    pst_buf_add_string(buf, ",\"requestId\":");
    pst_json_emit_string(buf, pst_text_from(req->id));
    pst_buf_add_string(buf, "}}]}");
}
