/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_upload.c - the multipart body for the backend: operations and
 * map written anew, and the files behind them.
 */
#include "gateway/graphql_request.h"

#include "codec/json_text.h"
#include "gateway/upload.h"

#define TYPE_START "multipart/form-data; boundary="

/* Bytes of the new body's beginning but for documents and what came. */
#define HEAD_MAX ((size_t)64 * 1024)

static bool
is_planned(const struct call_plan *plan, struct pst_text variable)
{
    for (size_t i = 0; i < plan->variable_count; i++) {
        if (pst_text_equal(plan->variables[i], variable))
            return true;
    }
    return false;
}

/* Where a call is in what the backend is sent. */
static size_t
number_sent(const struct call_plan *plans, size_t call)
{
    size_t number = 0;

    for (size_t i = 0; i < call; i++)
        number += !plans[i].is_left_out;
    return number;
}

static void
emit_path(struct pst_buf *buf, const struct call_list *list,
          const struct call_plan *plans, const struct upload_path *path)
{
    struct pst_text steps;
    struct pst_buf text;

    pst_buf_init_arena(&text, buf->arena, path->steps.len + 40);
    if (list->is_batch) {
        pst_buf_add_number(&text, (int64_t)number_sent(plans, path->call));
        pst_buf_add_char(&text, '.');
    }
    pst_buf_add_string(&text, "variables.");
    pst_buf_add(&text, path->steps);
    if (pst_buf_end(&text, &steps) != PST_OK)
        pst_buf_spoil(buf, PST_NO_MEMORY);
    else
        pst_json_emit_string(buf, steps);
}

/* The map, with our own numbers for the files, and what passes on of it. */
static void
emit_map(struct pst_buf *buf, const struct call_list *list,
         const struct call_plan *plans)
{
    struct upload_map *map = &list->upload->map;
    const struct upload_file *last = NULL;

    pst_buf_add_char(buf, '{');
    for (size_t i = 0; i < map->path_count; i++) {
        const struct upload_path *path = &map->paths[i];
        struct upload_file *file = &map->files[path->file];

        if ((list->is_batch && plans[path->call].is_left_out) ||
            !is_planned(&plans[path->call], path->variable))
            continue;
        if (file == last) {
            pst_buf_add_char(buf, ',');
        } else {
            pst_buf_add_string(buf, last ? "],\"" : "\"");
            pst_buf_add_number(buf, (int64_t)file->number);
            pst_buf_add_string(buf, "\":[");
        }
        file->is_passed = true;
        last = file;
        emit_path(buf, list, plans, path);
    }
    pst_buf_add_string(buf, last ? "]}" : "}");
}

/*
 * The beginning of a part, and what it holds. Our delimiter is not to be
 * guessed; should it stand there all the same, nothing is sent.
 */
static void
emit_part(struct pst_buf *buf, const struct call_list *list,
          const struct call_plan *plans, struct pst_text name,
          void (*emit)(struct pst_buf *buf, const struct call_list *list,
                       const struct call_plan *plans))
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
    if (pst_text_contains(pst_text_from_octet(pst_buf_text(buf), start),
                          pst_text_from(boundary)))
        pst_buf_spoil(buf, PST_MALFORMED);
}

/* Escapes make six bytes of one, both in documents and in paths. */
static size_t
head_size(const struct call_list *list, const struct call_plan *plans)
{
    size_t size = list->upload->operations.len + list->upload->map_json.len;

    for (size_t i = 0; i < list->count; i++)
        size += plans[i].document.len + plans[i].id.len;
    return 6 * size + HEAD_MAX;
}

enum pst_err
call_multipart_begin(struct request *req, struct call_list *list,
                     const struct call_plan *plans, struct pst_text *type)
{
    struct upload *upload = list->upload;
    struct pst_text head, written;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, req->arena,
                       sizeof(TYPE_START) + UPLOAD_BOUNDARY_LEN);
    pst_buf_add_string(&buf, TYPE_START);
    pst_buf_add_string(&buf, upload->boundary);
    e = pst_buf_end(&buf, &written);
    if (e) {
        list->why = pst_err_text(e);
        return e;
    }
    pst_buf_init_hold(&buf, req->arena, head_size(list, plans));
    emit_part(&buf, list, plans, PST_TEXT("operations"), call_emit);
    pst_buf_add_string(&buf, "\r\n");
    emit_part(&buf, list, plans, PST_TEXT("map"), emit_map);
    e = pst_buf_end(&buf, &head);
    if (e) {
        list->why = e == PST_MALFORMED
                        ? "the request has the delimiter of the request to "
                          "the backend, please send it again"
                        : pst_err_text(e);
        return e;
    }
    upload_begin(upload, head);
    *type = written;
    return PST_OK;
}

enum pst_err
call_multipart_read(struct request *req, struct call_list *list, char *out,
                    size_t size, size_t *len)
{
    enum pst_err e = upload_read(req, list->upload, out, size, len);

    if (e)
        list->why = list->upload->why;
    return e;
}
