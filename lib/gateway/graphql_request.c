/* SPDX-License-Identifier: ISC */
/*
 * graphql_request.c - what an HTTP request asks of GraphQL, read once and as a
 * whole.
 */
#include "gateway/graphql_request.h"

#include <assert.h>

#include "codec/gunzip.h"
#include "codec/json_slice.h"
#include "codec/percent.h"
#include "gateway/upload.h"
#include "http/form.h"
#include "http/media_type.h"

/* Bytes of decoded strings, all calls together, that the arena may take. */
#define DECODED_MAX ((size_t)32 * 1024)

#define WHY_MAX 100

static_assert(CALL_BATCH_MAX == 50, "a message below names it");

struct reader {
    struct request *req;
    const struct config *config;
    struct call_list *out;
};

static enum pst_err
refuse(const struct reader *reader, enum pst_err e, const char *why)
{
    reader->out->why = why;
    return e;
}

/* As refuse(), but errors that are not in what was sent have their own text. */
static enum pst_err
refuse_fault(const struct reader *reader, enum pst_err e, const char *why)
{
    return refuse(reader, e,
                  e == PST_NO_MEMORY || e == PST_CLIENT_GONE ? pst_err_text(e)
                                                             : why);
}

static size_t
max_json(const struct reader *reader)
{
    return (size_t)reader->config->max_json;
}

static enum pst_err
refuse_size(const struct reader *reader)
{
    struct pst_text text;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reader->req->arena, WHY_MAX);
    pst_buf_add_string(&buf, "the request's JSON is larger than ");
    pst_buf_add_number(&buf, reader->config->max_json);
    pst_buf_add_string(&buf, " bytes (POSTERN_MAX_JSON)");
    pst_buf_add_char(&buf, '\0');
    return refuse(reader, PST_TOO_LARGE,
                  pst_buf_end(&buf, &text) == PST_OK
                      ? text.ptr
                      : "the request's JSON is too large");
}

/* The query string. */

static bool
is_listed(const struct config *config, struct pst_text name)
{
    for (size_t i = 0; i < config->forward_parameter_count; i++) {
        if (pst_text_equal(config->forward_parameters[i], name))
            return true;
    }
    return false;
}

/* Backends put such values into SQL (L65). */
static bool
is_plain_value(struct pst_text value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!pst_is_alpha(value.ptr[i]) && !pst_is_digit(value.ptr[i]) &&
            value.ptr[i] != '-' && value.ptr[i] != '_')
            return false;
    }
    return true;
}

static bool
stands_before(const struct pst_form *form, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (pst_text_equal(form->fields[i].name, form->fields[index].name))
            return true;
    }
    return false;
}

/* Write the parameters that pass on anew, each once. */
static enum pst_err
read_parameters(const struct reader *reader, const struct pst_form *form)
{
    struct pst_text written;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, reader->req->arena, 3 * reader->req->query.len);
    for (size_t i = 0; i < form->count; i++) {
        const struct pst_form_field *field = &form->fields[i];

        if (!is_listed(reader->config, field->name))
            continue;
        if (!is_plain_value(field->value))
            return refuse(reader, PST_MALFORMED,
                          "a parameter that is passed on may consist of "
                          "letters, digits, - and _ only");
        if (stands_before(form, i))
            return refuse(reader, PST_DUPLICATE,
                          "a parameter that is passed on is given twice");
        if (buf.len > 0)
            pst_buf_add_char(&buf, '&');
        pst_percent_encode(&buf, field->name);
        pst_buf_add_char(&buf, '=');
        pst_buf_add(&buf, field->value);
    }
    if (buf.len == 0)
        return PST_OK;
    e = pst_buf_end(&buf, &written);
    if (e)
        return refuse(reader, PST_NO_MEMORY, pst_err_text(PST_NO_MEMORY));
    reader->out->parameters = written;
    return PST_OK;
}

/*
 * GraphQL's own parameters.
 *   values  set by name; NULL: there may be none, since the request is in the
 *           body, and a backend could take what is in the URL (L67)
 */
static enum pst_err
read_fields(const struct reader *reader, const struct pst_form *form,
            struct pst_text *values)
{
    for (size_t i = 0; i < form->count; i++) {
        struct pst_text name = form->fields[i].name;
        bool is_alike;
        enum call_field field = call_field_find(name, &is_alike);

        if (!values && (is_alike || field != CALL_FIELD_COUNT))
            return refuse(reader, PST_MALFORMED,
                          "the URL of a POST may not have GraphQL's own "
                          "parameters");
        if (is_alike)
            return refuse(reader, PST_DUPLICATE, call_field_why_alike(name));
        if (field == CALL_FIELD_COUNT)
            continue;
        if (!pst_text_is_absent(values[field]))
            return refuse(reader, PST_DUPLICATE,
                          "a parameter of GraphQL is given twice");
        values[field] = form->fields[i].value;
    }
    return PST_OK;
}

static enum pst_err
read_query(const struct reader *reader, struct pst_text *values)
{
    struct pst_form form;
    enum pst_err e =
        pst_form_parse(reader->req->arena, reader->req->query, &form);

    if (e)
        return refuse_fault(reader, e,
                            e == PST_TOO_LARGE
                                ? "the URL has too many parameters"
                                : "the URL's parameters are not UTF-8, or "
                                  "have a NUL");
    e = read_fields(reader, &form, values);
    return e ? e : read_parameters(reader, &form);
}

/* The body's type. */

/*
 * JSON has no other charset, but some backends decode what they are sent, and
 * a reader on the way could have another text.
 */
static enum pst_err
read_type(const struct reader *reader, struct pst_media_type *type)
{
    enum pst_err e = pst_media_type_parse(reader->req->content_type, type);
    struct pst_text charset;

    if (e)
        return refuse(reader, PST_BAD_TYPE,
                      "the Content-Type cannot be understood");
    charset = pst_media_type_parameter(type, PST_TEXT("charset"));
    if (!pst_text_is_absent(charset) &&
        !pst_text_equal_nocase(charset, PST_TEXT("utf-8")) &&
        !pst_text_equal_nocase(charset, PST_TEXT("utf8")))
        return refuse(reader, PST_MALFORMED, "the charset must be UTF-8");
    return PST_OK;
}

static bool
is_type(const struct pst_media_type *type, struct pst_text name)
{
    return pst_text_equal_nocase(type->name, name);
}

/* GET. */

static enum pst_err
check_no_body(const struct reader *reader)
{
    const struct request *req = reader->req;
    struct pst_media_type type;
    enum pst_err e;

    if (req->content_length > 0 ||
        (req->content_length < 0 && !pst_text_is_absent(request_header(
                                        req, PST_TEXT("Transfer-Encoding")))))
        return refuse(reader, PST_MALFORMED, "a GET may not have a body");
    /* An odd type is how a browser was once made to skip its preflight (L42).
     */
    if (req->content_type.len == 0)
        return PST_OK;
    e = read_type(reader, &type);
    if (e)
        return e;
    return is_type(&type, PST_TEXT("application/json"))
               ? PST_OK
               : refuse(reader, PST_BAD_TYPE,
                        "a GET has no Content-Type but application/json");
}

static enum pst_err
read_get(const struct reader *reader)
{
    struct call_list *out = reader->out;
    struct pst_text values[CALL_FIELD_COUNT] = {PST_NO_TEXT};
    enum pst_err e = check_no_body(reader);

    if (!e)
        e = read_query(reader, values);
    if (e)
        return e;
    out->form = CALL_GET;
    out->count = 1;
    out->calls = pst_arena_alloc(reader->req->arena, sizeof(*out->calls));
    if (!out->calls)
        return refuse_fault(reader, PST_NO_MEMORY, NULL);
    return call_read_values(reader->req->arena, values, out->calls, &out->why);
}

/* JSON. */

static enum pst_err
count_batch(const struct reader *reader, struct pst_text array, size_t *count)
{
    struct pst_text value;

    *count = 0;
    while (pst_json_slice_next_element(&array, &value)) {
        if (*count == CALL_BATCH_MAX)
            return refuse(reader, PST_MALFORMED,
                          "a batch may have 50 requests at most");
        if (pst_json_slice_kind(value) != PST_JSON_OBJECT)
            return refuse(reader, PST_MALFORMED,
                          "a batch must consist of objects");
        ++*count;
    }
    return *count > 0 ? PST_OK
                      : refuse(reader, PST_MALFORMED, "the batch is empty");
}

static enum pst_err
read_batch(const struct reader *reader, struct pst_text array)
{
    struct call_list *out = reader->out;
    size_t most = DECODED_MAX / out->count;

    for (size_t i = 0; i < out->count; i++) {
        struct call *call = &out->calls[i];
        struct pst_text object = PST_NO_TEXT;

        PST_REQUIRE(pst_json_slice_next_element(&array, &object));
        call->error = call_read_object(reader->req->arena, object, most, call,
                                       &call->why);
        if (call->error == PST_NO_MEMORY)
            return refuse(reader, call->error, call->why);
    }
    return PST_OK;
}

/* What is asked for: one request, or a batch of them. */
static enum pst_err
read_operations(const struct reader *reader, struct pst_text json)
{
    struct call_list *out = reader->out;
    struct pst_arena *arena = reader->req->arena;
    enum pst_json_kind kind = pst_json_slice_kind(json);
    enum pst_err e = PST_OK;

    out->is_batch = kind == PST_JSON_ARRAY;
    out->count = 1;
    if (out->is_batch)
        e = count_batch(reader, json, &out->count);
    else if (kind != PST_JSON_OBJECT)
        e = refuse(reader, PST_MALFORMED,
                   "a GraphQL request must be an object or an array of them");
    if (e)
        return e;
    out->calls = pst_arena_alloc(arena, out->count * sizeof(*out->calls));
    if (!out->calls)
        return refuse_fault(reader, PST_NO_MEMORY, NULL);
    if (out->is_batch)
        return read_batch(reader, json);
    return call_read_object(arena, json, DECODED_MAX, out->calls, &out->why);
}

static enum pst_err
read_text(const struct reader *reader, struct pst_text text)
{
    struct pst_json_fault fault;
    struct pst_text json;
    enum pst_err e;

    /* RFC 8259 8.1: a reader may pass over it, and some clients write it. */
    if (pst_text_starts(text, PST_TEXT("\xEF\xBB\xBF")))
        text = pst_text_from_octet(text, 3);
    e = pst_json_check(reader->req->arena, text, &json, &fault);
    if (e == PST_NO_MEMORY)
        return refuse_fault(reader, e, NULL);
    if (e)
        return refuse(reader, e, call_json_why(reader->req->arena, &fault));
    return read_operations(reader, json);
}

static enum pst_err
read_json(const struct reader *reader, enum request_coding coding)
{
    struct pst_text body;
    enum pst_err e = request_body(reader->req, max_json(reader), &body);

    if (!e && coding == CODING_GZIP) {
        e = gunzip_body(reader->req->arena, body, max_json(reader), &body);
        if (e == PST_MALFORMED)
            return refuse(reader, e,
                          "the body is not one whole member of gzip");
    }
    if (e == PST_TOO_LARGE)
        return refuse_size(reader);
    if (e)
        return refuse_fault(reader, e, "the body is shorter than announced");
    e = read_text(reader, body);
    reader->out->form = reader->out->is_batch ? CALL_BATCH : CALL_SINGLE;
    return e;
}

/* Files: what is asked for, and where they belong. */
static enum pst_err
read_multipart(const struct reader *reader)
{
    struct pst_arena *arena = reader->req->arena;
    struct call_list *out = reader->out;
    struct upload *upload;
    enum pst_err e =
        upload_open(reader->req, max_json(reader), &upload, &out->why);

    if (!e)
        e = read_text(reader, upload->operations);
    if (!e)
        e = upload_map_read(arena, upload->map_json, &upload->map, &out->why);
    if (!e)
        e = upload_map_check(&upload->map, out->calls, out->count,
                             out->is_batch, &out->why);
    if (e)
        return e;
    out->form = CALL_MULTIPART;
    out->upload = upload;
    return PST_OK;
}

static enum pst_err
read_post(const struct reader *reader)
{
    enum request_coding coding = request_coding(reader->req);
    struct pst_media_type type;
    enum pst_err e = read_query(reader, NULL);

    if (e)
        return e;
    if (reader->req->content_type.len == 0)
        return refuse(reader, PST_BAD_TYPE,
                      "the Content-Type is missing: application/json is what "
                      "a GraphQL request has");
    e = read_type(reader, &type);
    if (e)
        return e;
    if (coding == CODING_OTHER)
        return refuse(reader, PST_BAD_TYPE,
                      "of all Content-Encodings only gzip is understood");
    if (is_type(&type, PST_TEXT("application/json")) ||
        is_type(&type, PST_TEXT("application/graphql-response+json")))
        return read_json(reader, coding);
    if (is_type(&type, PST_TEXT("multipart/form-data")))
        return coding == CODING_NONE
                   ? read_multipart(reader)
                   : refuse(reader, PST_BAD_TYPE,
                            "a multipart request may not be compressed");
    return refuse(reader, PST_BAD_TYPE,
                  "the Content-Type must be application/json or "
                  "multipart/form-data");
}

enum pst_err
call_read(struct request *req, const struct config *config,
          struct call_list *out)
{
    struct reader reader = {req, config, out};

    *out = (struct call_list){.why = ""};
    return request_is_one_of(req, "GET, HEAD") ? read_get(&reader)
                                               : read_post(&reader);
}
