/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_multipart.c - write the multipart body for the backend: new
 * "operations" and "map", then the client's files.
 */
#include "gateway/graphql_request.h"

#include "codec/json_emit.h"
#include "gateway/upload.h"

#define CONTENT_TYPE_PREFIX "multipart/form-data; boundary="

/* Bytes for "operations" and "map", besides documents and the client's JSON. */
#define PREAMBLE_MAX ((size_t)64 * 1024)

static bool
plan_has_variable(const struct graphql_request_plan *plan,
                  struct pst_str variable)
{
    for (size_t i = 0; i < plan->variable_count; i++) {
        if (pst_str_equal(plan->variables[i], variable))
            return true;
    }
    return false;
}

/* The index of a request in the batch that the backend gets. */
static size_t
sent_request_index(const struct graphql_request_plan *plans,
                   size_t request_index)
{
    size_t number = 0;

    for (size_t i = 0; i < request_index; i++)
        number += !plans[i].is_omitted;
    return number;
}

static void
emit_upload_path(struct pst_buf *buf, const struct graphql_request_list *list,
                 const struct graphql_request_plan *plans,
                 const struct upload_path *path)
{
    struct pst_str steps;
    struct pst_buf text;

    pst_buf_init_arena(&text, buf->arena, path->steps.len + 40);
    if (list->is_batch) {
        pst_buf_add_number(
            &text, (int64_t)sent_request_index(plans, path->request_index));
        pst_buf_add_char(&text, '.');
    }
    pst_buf_add_string(&text, "variables.");
    pst_buf_add(&text, path->steps);
    if (pst_buf_finish(&text, &steps) != PST_OK)
        pst_buf_set_error(buf, PST_NO_MEMORY);
    else
        pst_json_emit_string(buf, steps);
}

/* Write the map: files are renamed to numbers, and paths that are not forwarded
 * are omitted. */
static void
emit_upload_map(struct pst_buf *buf, const struct graphql_request_list *list,
                const struct graphql_request_plan *plans)
{
    struct upload_map *map = &list->upload->map;
    const struct upload_file *last = NULL;

    pst_buf_add_char(buf, '{');
    for (size_t i = 0; i < map->path_count; i++) {
        const struct upload_path *path = &map->paths[i];
        struct upload_file *file = &map->files[path->file];

        if ((list->is_batch && plans[path->request_index].is_omitted) ||
            !plan_has_variable(&plans[path->request_index], path->variable))
            continue;
        if (file == last) {
            pst_buf_add_char(buf, ',');
        } else {
            pst_buf_add_string(buf, last ? "],\"" : "\"");
            pst_buf_add_number(buf, (int64_t)file->number);
            pst_buf_add_string(buf, "\":[");
        }
        file->is_forwarded = true;
        last = file;
        emit_upload_path(buf, list, plans, path);
    }
    pst_buf_add_string(buf, last ? "]}" : "}");
}

/*
 * Write a part. A client cannot guess our boundary; if a part contains it all
 * the same, the request is refused, because it could add parts of its own.
 */
static void
emit_form_part(struct pst_buf *buf, const struct graphql_request_list *list,
               const struct graphql_request_plan *plans, struct pst_str name,
               void (*emit)(struct pst_buf *buf,
                            const struct graphql_request_list *list,
                            const struct graphql_request_plan *plans))
{
    const char *boundary = list->upload->boundary;
    size_t start;

    pst_buf_add_string(buf, "--");
    pst_buf_add_string(buf, boundary);
    pst_buf_add_string(buf, "\r\nContent-Disposition: form-data; name=\"");
    pst_buf_add(buf, name);
    pst_buf_add_string(buf, "\"\r\n\r\n");
    start = buf->len;
    emit(buf, list, plans);
    if (pst_str_contains(pst_str_skip(pst_buf_str(buf), start),
                         pst_str_from(boundary)))
        pst_buf_set_error(buf, PST_MALFORMED);
}

/* Escapes can make six bytes of one, in documents and in paths. */
static size_t
preamble_size(const struct graphql_request_list *list,
              const struct graphql_request_plan *plans)
{
    size_t size = list->upload->operations.len + list->upload->map_json.len;

    for (size_t i = 0; i < list->count; i++)
        size += plans[i].document.len + plans[i].id.len;
    return 6 * size + PREAMBLE_MAX;
}

enum pst_err
graphql_request_multipart_begin(struct request *req,
                                struct graphql_request_list *list,
                                const struct graphql_request_plan *plans,
                                struct pst_str *type)
{
    struct upload *upload = list->upload;
    struct pst_str head, written;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, req->arena,
                       sizeof(CONTENT_TYPE_PREFIX) + UPLOAD_BOUNDARY_LEN);
    pst_buf_add_string(&buf, CONTENT_TYPE_PREFIX);
    pst_buf_add_string(&buf, upload->boundary);
    e = pst_buf_finish(&buf, &written);
    if (e) {
        list->reason = pst_err_text(e);
        return e;
    }
    pst_buf_init_heap(&buf, req->arena, preamble_size(list, plans));
    emit_form_part(&buf, list, plans, PST_STR("operations"),
                   graphql_request_emit);
    pst_buf_add_string(&buf, "\r\n");
    emit_form_part(&buf, list, plans, PST_STR("map"), emit_upload_map);
    e = pst_buf_finish(&buf, &head);
    if (e) {
        list->reason = e == PST_MALFORMED
                           ? "the request contains the boundary that was "
                             "chosen for the backend: send it again"
                           : pst_err_text(e);
        return e;
    }
    upload_begin(upload, head);
    *type = written;
    return PST_OK;
}

enum pst_err
graphql_request_multipart_read(struct request *req,
                               struct graphql_request_list *list, char *out,
                               size_t size, size_t *len)
{
    enum pst_err e = upload_read(req, list->upload, out, size, len);

    if (e)
        list->reason = list->upload->reason;
    return e;
}
