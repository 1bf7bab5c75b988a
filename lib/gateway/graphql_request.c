/* SPDX-License-Identifier: ISC */
/*
 * graphql_request.c - read the GraphQL requests of an HTTP request: from the
 * URL of a GET, or from the JSON or multipart body of a POST.
 */
#include "gateway/graphql_request.h"

#include <assert.h>

#include "codec/gunzip.h"
#include "codec/json_check.h"
#include "codec/json_slice.h"
#include "gateway/graphql_parameters.h"
#include "gateway/upload.h"
#include "http/media_type.h"
#include "server/request_body.h"

/* Bytes of the arena for decoded strings, for all requests of a batch. */
#define DECODED_MAX ((size_t)32 * 1024)

#define REASON_MAX 100

static_assert(GRAPHQL_REQUEST_BATCH_MAX == 50, "a message below names it");

struct reader {
    struct request *req;
    const struct config *config;
    struct graphql_request_list *out;
};

static enum pst_err
refuse_graphql_request(const struct reader *reader, enum pst_err e,
                       const char *reason)
{
    reader->out->reason = reason;
    return e;
}

/* The same, but an error that says more than that keeps its own text. */
static enum pst_err
refuse_read_error(const struct reader *reader, enum pst_err e,
                  const char *reason)
{
    return refuse_graphql_request(
        reader, e, e == PST_MALFORMED ? reason : pst_err_text(e));
}

static size_t
max_json(const struct reader *reader)
{
    return (size_t)reader->config->max_json;
}

static enum pst_err
refuse_json_size(const struct reader *reader)
{
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reader->req->arena, REASON_MAX);
    pst_buf_add_string(&buf, "the request's JSON is larger than ");
    pst_buf_add_number(&buf, reader->config->max_json);
    pst_buf_add_string(&buf, " bytes (POSTERN_MAX_JSON)");
    pst_buf_add_char(&buf, '\0');
    return refuse_graphql_request(reader, PST_TOO_LARGE,
                                  pst_buf_finish(&buf, &text) == PST_OK
                                      ? text.ptr
                                      : "the request's JSON is too large");
}

/* Content-Type. */

/* JSON is always UTF-8, but some backends obey a charset parameter and would
 * then read another text than we do. */
static enum pst_err
parse_content_type(const struct reader *reader, struct pst_media_type *type)
{
    enum pst_err e = pst_media_type_parse(reader->req->content_type, type);
    struct pst_str charset;

    if (e)
        return refuse_graphql_request(reader, PST_BAD_TYPE,
                                      "the Content-Type is malformed");
    charset = pst_media_type_parameter(type, PST_STR("charset"));
    if (!pst_str_is_absent(charset) &&
        !pst_str_equal_nocase(charset, PST_STR("utf-8")) &&
        !pst_str_equal_nocase(charset, PST_STR("utf8")))
        return refuse_graphql_request(reader, PST_MALFORMED,
                                      "the charset must be UTF-8");
    return PST_OK;
}

static bool
content_type_is(const struct pst_media_type *type, struct pst_str name)
{
    return pst_str_equal_nocase(type->name, name);
}

/* GET. */

static enum pst_err
check_get_has_no_body(const struct reader *reader)
{
    const struct request *req = reader->req;
    struct pst_media_type type;
    enum pst_err e;

    if (req->content_length > 0 ||
        (req->content_length < 0 &&
         !pst_str_is_absent(request_header(req, PST_STR("Transfer-Encoding")))))
        return refuse_graphql_request(reader, PST_MALFORMED,
                                      "a GET must not have a body");
    /* With other types browsers have sent such requests across origins without
     * a preflight. */
    if (req->content_type.len == 0)
        return PST_OK;
    e = parse_content_type(reader, &type);
    if (e)
        return e;
    return content_type_is(&type, PST_STR("application/json"))
               ? PST_OK
               : refuse_graphql_request(reader, PST_BAD_TYPE,
                                        "the Content-Type of a GET must be "
                                        "application/json or absent");
}

static enum pst_err
read_get_request(const struct reader *reader)
{
    struct graphql_request_list *out = reader->out;
    struct graphql_parameters parameters;
    enum pst_err e = check_get_has_no_body(reader);

    if (!e)
        e = graphql_parameters_parse(reader->req, reader->config, true,
                                     &parameters, &out->reason);
    if (e)
        return e;
    out->parameters = parameters.forwarded;
    out->form = GRAPHQL_REQUEST_GET;
    out->count = 1;
    out->requests = pst_arena_alloc(reader->req->arena, sizeof(*out->requests));
    if (!out->requests)
        return refuse_read_error(reader, PST_NO_MEMORY, NULL);
    return graphql_request_parse_values(reader->req->arena, parameters.values,
                                        out->requests, &out->reason);
}

/* JSON. */

static enum pst_err
count_batch_requests(const struct reader *reader, struct pst_str array,
                     size_t *count)
{
    struct pst_str value;

    *count = 0;
    while (pst_json_slice_next_element(&array, &value)) {
        if (*count == GRAPHQL_REQUEST_BATCH_MAX)
            return refuse_graphql_request(
                reader, PST_MALFORMED, "a batch may have 50 requests at most");
        if (pst_json_slice_kind(value) != PST_JSON_OBJECT)
            return refuse_graphql_request(reader, PST_MALFORMED,
                                          "a batch must consist of objects");
        ++*count;
    }
    return *count > 0 ? PST_OK
                      : refuse_graphql_request(reader, PST_MALFORMED,
                                               "the batch is empty");
}

static enum pst_err
parse_batch_requests(const struct reader *reader, struct pst_str array)
{
    struct graphql_request_list *out = reader->out;
    size_t max_decoded = DECODED_MAX / out->count;

    for (size_t i = 0; i < out->count; i++) {
        struct graphql_request *gql = &out->requests[i];
        struct pst_str object = PST_STR_NONE;

        PST_REQUIRE(pst_json_slice_next_element(&array, &object));
        gql->error = graphql_request_parse_object(
            reader->req->arena, object, max_decoded, gql, &gql->reason);
        if (gql->error == PST_NO_MEMORY)
            return refuse_graphql_request(reader, gql->error, gql->reason);
    }
    return PST_OK;
}

/* Parse one request, or a batch. */
static enum pst_err
parse_operations_json(const struct reader *reader, struct pst_str json)
{
    struct graphql_request_list *out = reader->out;
    struct pst_arena *arena = reader->req->arena;
    enum pst_json_kind kind = pst_json_slice_kind(json);
    enum pst_err e = PST_OK;

    out->is_batch = kind == PST_JSON_ARRAY;
    out->count = 1;
    if (out->is_batch)
        e = count_batch_requests(reader, json, &out->count);
    else if (kind != PST_JSON_OBJECT)
        e = refuse_graphql_request(
            reader, PST_MALFORMED,
            "a GraphQL request must be an object or an array of them");
    if (e)
        return e;
    out->requests = pst_arena_alloc(arena, out->count * sizeof(*out->requests));
    if (!out->requests)
        return refuse_read_error(reader, PST_NO_MEMORY, NULL);
    if (out->is_batch)
        return parse_batch_requests(reader, json);
    return graphql_request_parse_object(arena, json, DECODED_MAX, out->requests,
                                        &out->reason);
}

static enum pst_err
parse_request_json(const struct reader *reader, struct pst_str text)
{
    struct pst_json_error error;
    struct pst_str json;
    enum pst_err e;

    e = pst_json_check(reader->req->arena, pst_json_skip_mark(text), &json,
                       &error);
    if (e == PST_NO_MEMORY)
        return refuse_read_error(reader, e, NULL);
    if (e)
        return refuse_graphql_request(
            reader, e, graphql_request_json_error(reader->req->arena, &error));
    return parse_operations_json(reader, json);
}

static enum pst_err
read_json_request(const struct reader *reader,
                  enum request_content_coding coding)
{
    struct pst_str body;
    enum pst_err e =
        request_read_whole_body(reader->req, max_json(reader), &body);

    if (!e && coding == CONTENT_CODING_GZIP) {
        e = gunzip_body(reader->req->arena, body, max_json(reader), &body);
        if (e == PST_MALFORMED)
            return refuse_graphql_request(
                reader, e, "the body is not one complete gzip member");
    }
    if (e == PST_TOO_LARGE)
        return refuse_json_size(reader);
    if (e)
        return refuse_read_error(reader, e,
                                 "the body is shorter than announced");
    e = parse_request_json(reader, body);
    reader->out->form =
        reader->out->is_batch ? GRAPHQL_REQUEST_BATCH : GRAPHQL_REQUEST_SINGLE;
    return e;
}

/* Read "operations" and "map". The files are read later, while forwarding. */
static enum pst_err
read_multipart_request(const struct reader *reader)
{
    struct pst_arena *arena = reader->req->arena;
    struct graphql_request_list *out = reader->out;
    struct upload *upload;
    enum pst_err e =
        upload_open(reader->req, max_json(reader), &upload, &out->reason);

    if (!e)
        e = parse_request_json(reader, upload->operations);
    if (!e)
        e = upload_map_parse(arena, upload->map_json, &upload->map,
                             &out->reason);
    if (!e)
        e = upload_map_check(&upload->map, out->requests, out->count,
                             out->is_batch, &out->reason);
    if (e)
        return e;
    out->form = GRAPHQL_REQUEST_MULTIPART;
    out->upload = upload;
    return PST_OK;
}

static enum pst_err
read_post_request(const struct reader *reader)
{
    enum request_content_coding coding = request_content_coding(reader->req);
    struct pst_media_type type;
    struct graphql_parameters parameters;
    enum pst_err e = graphql_parameters_parse(
        reader->req, reader->config, false, &parameters, &reader->out->reason);

    if (e)
        return e;
    reader->out->parameters = parameters.forwarded;
    if (reader->req->content_type.len == 0)
        return refuse_graphql_request(
            reader, PST_BAD_TYPE,
            "the Content-Type is missing: send application/json");
    e = parse_content_type(reader, &type);
    if (e)
        return e;
    if (coding == CONTENT_CODING_OTHER)
        return refuse_graphql_request(
            reader, PST_BAD_TYPE,
            "the only supported Content-Encoding is gzip");
    if (content_type_is(&type, PST_STR("application/json")) ||
        content_type_is(&type, PST_STR("application/graphql-response+json")))
        return read_json_request(reader, coding);
    if (content_type_is(&type, PST_STR("multipart/form-data")))
        return coding == CONTENT_CODING_NONE
                   ? read_multipart_request(reader)
                   : refuse_graphql_request(
                         reader, PST_BAD_TYPE,
                         "a multipart request must not be compressed");
    return refuse_graphql_request(
        reader, PST_BAD_TYPE,
        "the Content-Type must be application/json or "
        "multipart/form-data");
}

enum pst_err
graphql_request_read(struct request *req, const struct config *config,
                     struct graphql_request_list *out)
{
    struct reader reader = {req, config, out};

    *out = (struct graphql_request_list){.reason = ""};
    return request_has_method(req, "GET, HEAD") ? read_get_request(&reader)
                                                : read_post_request(&reader);
}
