/* SPDX-License-Identifier: ISC */
/*
 * upload.c - read a GraphQL multipart request, and stream its files into a new
 * multipart body.
 */
#include "gateway/upload.h"

#include <string.h>

#include "base/buffer.h"
#include "codec/percent.h"
#include "http/media_type.h"
#include "server/request_body.h"

#define INPUT_SIZE                                                 \
    ((size_t)16 * 1024) /* bytes to read from the client at a time \
                         */

static enum pst_err
refuse_upload(const char **reason, enum pst_err e, const char *text)
{
    *reason = e == PST_MALFORMED || e == PST_TOO_LARGE ? text : pst_err_text(e);
    return e;
}

/* Read the next bytes of the client's body. */
static enum pst_err
upload_fill_input(struct request *req, struct upload *upload,
                  const char **reason)
{
    size_t len;
    enum pst_err e = request_read_body(req, upload->piece, INPUT_SIZE, &len);

    if (e)
        return refuse_upload(reason, e,
                             e == PST_TOO_LARGE
                                 ? "the request is larger than POSTERN_MAX_BODY"
                                 : "the body is shorter than announced");
    upload->in = (struct pst_str){upload->piece, len};
    upload->is_ended = len == 0;
    if (upload->is_ended && upload->reader.state != PST_MULTIPART_EPILOGUE)
        return refuse_upload(
            reason, PST_MALFORMED,
            "the multipart body ends before its last delimiter");
    return PST_OK;
}

static enum pst_err
upload_next_event(struct upload *upload, enum pst_multipart_event *event,
                  struct pst_str *piece, const char **reason)
{
    enum pst_err e =
        pst_multipart_next(&upload->reader, &upload->in, event, piece);

    return e ? refuse_upload(reason, e, upload->reader.part.reason) : PST_OK;
}

/* Reading up to the first file. */

/* The parts that are kept in memory: "operations" and "map". */
struct buffered {
    struct pst_buf bufs[2];
    size_t remaining; /* bytes that may still be added */
};

static enum pst_err
buffer_part_piece(const struct upload *upload, struct buffered *buffered,
                  struct pst_str piece, const char **reason)
{
    struct pst_buf *buf = &buffered->bufs[upload->reader.parts - 1];

    if (piece.len > buffered->remaining)
        return refuse_upload(reason, PST_TOO_LARGE,
                             "\"operations\" and \"map\" are larger than "
                             "POSTERN_MAX_JSON");
    buffered->remaining -= piece.len;
    pst_buf_add(buf, piece);
    return buf->err ? refuse_upload(reason, PST_NO_MEMORY, "") : PST_OK;
}

static enum pst_err
begin_buffered_part(struct upload *upload, const char **reason)
{
    const struct pst_multipart *reader = &upload->reader;
    bool is_map =
        pst_str_is_absent(reader->part.filename) && reader->parts == 2;

    if (reader->parts == 2 && !is_map)
        return refuse_upload(reason, PST_MALFORMED,
                             "the second part of a multipart request must be "
                             "\"map\"");
    upload->has_part = reader->parts == 3;
    return PST_OK;
}

static enum pst_err
read_buffered_parts(struct request *req, struct upload *upload,
                    struct buffered *buffered, const char **reason)
{
    enum pst_err e = PST_OK;

    while (!e && !upload->has_part &&
           upload->reader.state != PST_MULTIPART_EPILOGUE) {
        enum pst_multipart_event event;
        struct pst_str piece;

        e = upload_next_event(upload, &event, &piece, reason);
        if (e)
            return e;
        if (event == PST_MULTIPART_PART_BEGIN)
            e = begin_buffered_part(upload, reason);
        else if (event == PST_MULTIPART_DATA)
            e = buffer_part_piece(upload, buffered, piece, reason);
        else if (event == PST_MULTIPART_NEED_INPUT)
            e = upload_fill_input(req, upload, reason);
    }
    return e;
}

static struct upload *
upload_alloc(struct request *req)
{
    struct upload *upload = pst_arena_alloc(req->arena, sizeof(*upload));
    struct pst_buf buf;

    if (!upload)
        return NULL;
    upload->piece = pst_arena_alloc(req->arena, INPUT_SIZE);
    upload->head = pst_arena_alloc(req->arena, UPLOAD_PART_HEAD_MAX);
    pst_buf_init(&buf, upload->boundary, sizeof(upload->boundary));
    pst_buf_add_string(&buf, UPLOAD_BOUNDARY_PREFIX);
    pst_buf_add_string(&buf, req->id);
    return upload->piece && upload->head ? upload : NULL;
}

static void
upload_init_search(struct upload *upload)
{
    char delimiter[2 + UPLOAD_BOUNDARY_LEN] = "--";

    memcpy(delimiter + 2, upload->boundary, UPLOAD_BOUNDARY_LEN);
    pst_search_init(&upload->boundary_search,
                    (struct pst_str){delimiter, sizeof(delimiter)});
}

enum pst_err
upload_open(struct request *req, size_t max, struct upload **out,
            const char **reason)
{
    struct upload *upload = upload_alloc(req);
    struct buffered buffered = {.remaining = max};
    enum pst_err e;

    if (!upload)
        return refuse_upload(reason, PST_NO_MEMORY, "");
    if (pst_multipart_init(&upload->reader, req->content_type) != PST_OK)
        return refuse_upload(
            reason, PST_MALFORMED,
            "the Content-Type has no boundary, or one that parsers read "
            "differently");
    upload_init_search(upload);
    for (size_t i = 0; i < PST_COUNT(buffered.bufs); i++)
        pst_buf_init_heap(&buffered.bufs[i], req->arena, max);
    e = read_buffered_parts(req, upload, &buffered, reason);
    if (e)
        return e;
    if (upload->reader.parts == 0)
        return refuse_upload(reason, PST_MALFORMED,
                             "the multipart body has no part");
    upload->operations = pst_buf_str(&buffered.bufs[0]);
    upload->map_json = upload->reader.parts == 1
                           ? PST_STR("{}")
                           : pst_buf_str(&buffered.bufs[1]);
    *out = upload;
    return PST_OK;
}

/* Part headers. */

/*
 * Decode filename* (RFC 8187). Returns an absent string if it is not UTF-8 or
 * contains "=": some parsers could take the rest for another parameter.
 */
static struct pst_str
decode_extended_filename(struct pst_str extended, struct pst_buf *buf)
{
    struct pst_str charset, language;
    struct pst_str name = PST_STR_NONE;

    if (!pst_str_split(&extended, '\'', &charset) ||
        !pst_str_equal_nocase(charset, PST_STR("utf-8")) ||
        !pst_str_split(&extended, '\'', &language))
        return PST_STR_NONE;
    pst_percent_decode(buf, extended, false);
    if (pst_buf_finish(buf, &name) != PST_OK || name.len == 0 ||
        pst_str_index(name, '=') < name.len)
        return PST_STR_NONE;
    return name;
}

static void
emit_file_name(struct pst_buf *buf, struct pst_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            pst_buf_add_string(buf, "%22"); /* as browsers do */
        else
            pst_buf_add_char(buf, name.ptr[i]);
    }
}

static bool
is_valid_file_name(struct pst_str name)
{
    return pst_str_is_utf8(name) && pst_str_is_field_value(name) &&
           pst_str_index(name, '\\') == name.len &&
           pst_str_index(name, '\t') == name.len;
}

static void
emit_part_disposition(struct pst_buf *buf, const struct upload_file *file,
                      struct pst_str name)
{
    pst_buf_add_string(buf, "Content-Disposition: form-data; name=\"");
    pst_buf_add_number(buf, (int64_t)file->number);
    pst_buf_add_string(buf, "\"; filename=\"");
    emit_file_name(buf, name);
    pst_buf_add_string(buf, "\"\r\n");
}

static void
emit_part_type(struct pst_buf *buf, struct pst_str type)
{
    struct pst_media_type parsed;

    if (pst_media_type_parse(type, &parsed) != PST_OK)
        type = PST_STR("application/octet-stream");
    pst_buf_add_string(buf, "Content-Type: ");
    pst_buf_add(buf, type);
    pst_buf_add_string(buf, "\r\n\r\n");
}

/* A client cannot guess our boundary. If a text contains it all the same, it is
 * refused: it could add parts to the new body. */
static bool
text_has_own_boundary(const struct upload *upload, struct pst_str text)
{
    return pst_str_contains(text, pst_str_from(upload->boundary));
}

static enum pst_err
upload_write_part_head(struct upload *upload, const struct upload_file *file,
                       const char **reason)
{
    const struct pst_multipart *reader = &upload->reader;
    char storage[PST_MULTIPART_PART_HEAD_MAX];
    struct pst_buf decoded;
    struct pst_str name;
    struct pst_buf buf;

    pst_buf_init(&decoded, storage, sizeof(storage));
    name = decode_extended_filename(reader->part.extended, &decoded);
    if (pst_str_is_absent(name) || !is_valid_file_name(name))
        name = reader->part.filename;
    if (!is_valid_file_name(name) || text_has_own_boundary(upload, name) ||
        text_has_own_boundary(upload, reader->part.type))
        return refuse_upload(reason, PST_MALFORMED,
                             "a file name must be UTF-8 without control "
                             "characters and backslashes");
    pst_buf_init(&buf, upload->head, UPLOAD_PART_HEAD_MAX);
    pst_buf_add_string(&buf, "\r\n--");
    pst_buf_add_string(&buf, upload->boundary);
    pst_buf_add_string(&buf, "\r\n");
    emit_part_disposition(&buf, file, name);
    emit_part_type(&buf, reader->part.type);
    PST_REQUIRE(pst_buf_finish(&buf, &upload->out) == PST_OK);
    return PST_OK;
}

/* Begin a file: look it up in the map, and write its header if it is forwarded.
 */
static enum pst_err
upload_begin_file(struct upload *upload, const char **reason)
{
    struct upload_file *file =
        upload_map_find(&upload->map, upload->reader.part.name);

    if (pst_str_is_absent(upload->reader.part.filename))
        return refuse_upload(
            reason, PST_MALFORMED,
            "after \"map\" a multipart request must contain only "
            "files");
    if (!file)
        return refuse_upload(reason, PST_MALFORMED, "a file is not in \"map\"");
    if (file->is_seen)
        return refuse_upload(reason, PST_DUPLICATE, "a file is sent twice");
    file->is_seen = true;
    upload->is_dropped = !file->is_forwarded;
    upload->boundary_search.matched = 0;
    return upload->is_dropped ? PST_OK
                              : upload_write_part_head(upload, file, reason);
}

static enum pst_err
upload_forward_piece(struct upload *upload, struct pst_str piece,
                     const char **reason)
{
    if (upload->is_dropped)
        return PST_OK;
    if (pst_search_find(&upload->boundary_search, piece))
        return refuse_upload(reason, PST_MALFORMED,
                             "a file contains the boundary that was chosen for "
                             "the backend: send the request again");
    upload->out = piece;
    return PST_OK;
}

/* The new body. */

static void
upload_write_end(struct upload *upload)
{
    struct pst_buf buf;

    pst_buf_init(&buf, upload->head, UPLOAD_PART_HEAD_MAX);
    pst_buf_add_string(&buf, "\r\n--");
    pst_buf_add_string(&buf, upload->boundary);
    pst_buf_add_string(&buf, "--\r\n");
    upload->out = pst_buf_str(&buf);
}

/* Set upload->out to the next bytes of the new body, if any are ready. */
static enum pst_err
upload_next_output(struct request *req, struct upload *upload,
                   const char **reason)
{
    enum pst_multipart_event event;
    struct pst_str piece;
    enum pst_err e;

    if (upload->has_part) {
        upload->has_part = false;
        return upload_begin_file(upload, reason);
    }
    e = upload_next_event(upload, &event, &piece, reason);
    if (e)
        return e;
    if (event == PST_MULTIPART_PART_BEGIN)
        return upload_begin_file(upload, reason);
    if (event == PST_MULTIPART_DATA)
        return upload_forward_piece(upload, piece, reason);
    if (event != PST_MULTIPART_NEED_INPUT)
        return PST_OK;
    e = upload_fill_input(req, upload, reason);
    if (!e && upload->is_ended)
        upload_write_end(upload);
    return e;
}

void
upload_begin(struct upload *upload, struct pst_str head)
{
    upload->out = head;
}

enum pst_err
upload_read(struct request *req, struct upload *upload, char *out, size_t size,
            size_t *len)
{
    PST_REQUIRE(size > 0);
    while (upload->out.len == 0 && !upload->is_ended) {
        enum pst_err e = upload_next_output(req, upload, &upload->reason);

        if (e)
            return e;
    }
    *len = upload->out.len < size ? upload->out.len : size;
    if (*len > 0)
        memcpy(out, upload->out.ptr, *len);
    upload->out = pst_str_skip(upload->out, *len);
    return PST_OK;
}
