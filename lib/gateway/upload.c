/* SPDX-License-Identifier: ISC */
/*
 * upload.c - files on their way from one multipart body into another.
 */
#include "gateway/upload.h"

#include <string.h>

#include "base/buffer.h"
#include "codec/percent.h"
#include "http/media_type.h"

#define PIECE ((size_t)16 * 1024) /* bytes asked of the client at a time */

static const char why_parts[] = "the multipart body cannot be understood";

static enum pst_err
refuse(const char **why, enum pst_err e, const char *text)
{
    *why = e == PST_NO_MEMORY || e == PST_CLIENT_GONE ? pst_err_text(e) : text;
    return e;
}

/* Bytes of the client for the reader. */
static enum pst_err
fill(struct request *req, struct upload *upload, const char **why)
{
    size_t len;
    enum pst_err e = request_read(req, upload->piece, PIECE, &len);

    if (e)
        return refuse(why, e,
                      e == PST_TOO_LARGE
                          ? "the request is larger than POSTERN_MAX_BODY"
                          : "the body is shorter than announced");
    upload->in = (struct pst_text){upload->piece, len};
    upload->is_ended = len == 0;
    if (upload->is_ended && upload->reader.place != PST_MULTIPART_END)
        return refuse(why, PST_MALFORMED,
                      "the multipart body ends before its last delimiter");
    return PST_OK;
}

static enum pst_err
next_event(struct upload *upload, enum pst_multipart_event *event,
           struct pst_text *piece, const char **why)
{
    enum pst_err e =
        pst_multipart_next(&upload->reader, &upload->in, event, piece);

    return e ? refuse(why, e, why_parts) : PST_OK;
}

/* Reading up to the first file. */

/* The parts that are held: "operations" and "map". */
struct held {
    struct pst_buf bufs[2];
    size_t left; /* bytes that may still be held */
};

static enum pst_err
hold_piece(const struct upload *upload, struct held *held,
           struct pst_text piece, const char **why)
{
    struct pst_buf *buf = &held->bufs[upload->reader.parts - 1];

    if (piece.len > held->left)
        return refuse(why, PST_TOO_LARGE,
                      "\"operations\" and \"map\" are larger than "
                      "POSTERN_MAX_JSON");
    held->left -= piece.len;
    pst_buf_add(buf, piece);
    return buf->err ? refuse(why, PST_NO_MEMORY, "") : PST_OK;
}

static enum pst_err
begin_part(struct upload *upload, const char **why)
{
    const struct pst_multipart *reader = &upload->reader;
    bool is_map =
        pst_text_is_absent(reader->part.filename) && reader->parts == 2;

    if (reader->parts == 2 && !is_map)
        return refuse(why, PST_MALFORMED,
                      "the second part of a multipart request must be "
                      "\"map\"");
    upload->has_part = reader->parts == 3;
    return PST_OK;
}

static enum pst_err
read_held(struct request *req, struct upload *upload, struct held *held,
          const char **why)
{
    enum pst_err e = PST_OK;

    while (!e && !upload->has_part &&
           upload->reader.place != PST_MULTIPART_END) {
        enum pst_multipart_event event;
        struct pst_text piece;

        e = next_event(upload, &event, &piece, why);
        if (e)
            return e;
        if (event == PST_MULTIPART_PART)
            e = begin_part(upload, why);
        else if (event == PST_MULTIPART_PIECE)
            e = hold_piece(upload, held, piece, why);
        else if (event == PST_MULTIPART_MORE)
            e = fill(req, upload, why);
    }
    return e;
}

static struct upload *
make_upload(struct request *req)
{
    struct upload *upload = pst_arena_alloc(req->arena, sizeof(*upload));
    struct pst_buf buf;

    if (!upload)
        return NULL;
    upload->piece = pst_arena_alloc(req->arena, PIECE);
    upload->head = pst_arena_alloc(req->arena, UPLOAD_PART_HEAD_MAX);
    pst_buf_init(&buf, upload->boundary, sizeof(upload->boundary));
    pst_buf_add_string(&buf, UPLOAD_BOUNDARY_START);
    pst_buf_add_string(&buf, req->id);
    return upload->piece && upload->head ? upload : NULL;
}

static void
make_needle(struct upload *upload)
{
    char delimiter[2 + UPLOAD_BOUNDARY_LEN] = "--";

    memcpy(delimiter + 2, upload->boundary, UPLOAD_BOUNDARY_LEN);
    pst_needle_init(&upload->needle,
                    (struct pst_text){delimiter, sizeof(delimiter)});
}

enum pst_err
upload_open(struct request *req, size_t max, struct upload **out,
            const char **why)
{
    struct upload *upload = make_upload(req);
    struct held held = {.left = max};
    enum pst_err e;

    if (!upload)
        return refuse(why, PST_NO_MEMORY, "");
    if (pst_multipart_init(&upload->reader, req->content_type) != PST_OK)
        return refuse(why, PST_MALFORMED,
                      "the Content-Type has no boundary that all readers "
                      "take for the same");
    make_needle(upload);
    for (size_t i = 0; i < PST_COUNT(held.bufs); i++)
        pst_buf_init_hold(&held.bufs[i], req->arena, max);
    e = read_held(req, upload, &held, why);
    if (e)
        return e;
    if (upload->reader.parts == 0)
        return refuse(why, PST_MALFORMED, "the multipart body has no part");
    upload->operations = pst_buf_text(&held.bufs[0]);
    upload->map_json = upload->reader.parts == 1 ? PST_TEXT("{}")
                                                 : pst_buf_text(&held.bufs[1]);
    *out = upload;
    return PST_OK;
}

/* Part heads. */

/*
 * The name in filename* (RFC 8187), where it is UTF-8 and could not be taken
 * for another parameter of the part; else absent.
 */
static struct pst_text
extended_name(struct pst_text extended, struct pst_buf *buf)
{
    struct pst_text charset, language;
    struct pst_text name = PST_NO_TEXT;

    if (!pst_text_cut(&extended, '\'', &charset) ||
        !pst_text_equal_nocase(charset, PST_TEXT("utf-8")) ||
        !pst_text_cut(&extended, '\'', &language))
        return PST_NO_TEXT;
    pst_percent_decode(buf, extended, false);
    if (pst_buf_end(buf, &name) != PST_OK || name.len == 0 ||
        pst_text_index(name, '=') < name.len)
        return PST_NO_TEXT;
    return name;
}

static void
add_file_name(struct pst_buf *buf, struct pst_text name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            pst_buf_add_string(buf, "%22"); /* as browsers do */
        else
            pst_buf_add_char(buf, name.ptr[i]);
    }
}

static bool
is_file_name(struct pst_text name)
{
    return pst_text_is_utf8(name) && pst_text_is_field_value(name) &&
           pst_text_index(name, '\\') == name.len &&
           pst_text_index(name, '\t') == name.len;
}

static void
add_disposition(struct pst_buf *buf, const struct upload_file *file,
                struct pst_text name)
{
    pst_buf_add_string(buf, "Content-Disposition: form-data; name=\"");
    pst_buf_add_number(buf, (int64_t)file->number);
    pst_buf_add_string(buf, "\"; filename=\"");
    add_file_name(buf, name);
    pst_buf_add_string(buf, "\"\r\n");
}

static void
add_type(struct pst_buf *buf, struct pst_text type)
{
    struct pst_media_type parsed;

    if (pst_media_type_parse(type, &parsed) != PST_OK)
        type = PST_TEXT("application/octet-stream");
    pst_buf_add_string(buf, "Content-Type: ");
    pst_buf_add(buf, type);
    pst_buf_add_string(buf, "\r\n\r\n");
}

/* Our delimiter is not to be guessed; should it stand there, it is no part. */
static bool
has_delimiter(const struct upload *upload, struct pst_text text)
{
    return pst_text_contains(text, pst_text_from(upload->boundary));
}

static enum pst_err
write_head(struct upload *upload, const struct upload_file *file,
           const char **why)
{
    const struct pst_multipart *reader = &upload->reader;
    char storage[PST_PART_HEAD_MAX];
    struct pst_buf decoded;
    struct pst_text name;
    struct pst_buf buf;

    pst_buf_init(&decoded, storage, sizeof(storage));
    name = extended_name(reader->part.extended, &decoded);
    if (pst_text_is_absent(name) || !is_file_name(name))
        name = reader->part.filename;
    if (!is_file_name(name) || has_delimiter(upload, name) ||
        has_delimiter(upload, reader->part.type))
        return refuse(why, PST_MALFORMED, "a file's name must be UTF-8");
    pst_buf_init(&buf, upload->head, UPLOAD_PART_HEAD_MAX);
    pst_buf_add_string(&buf, "\r\n--");
    pst_buf_add_string(&buf, upload->boundary);
    pst_buf_add_string(&buf, "\r\n");
    add_disposition(&buf, file, name);
    add_type(&buf, reader->part.type);
    PST_REQUIRE(pst_buf_end(&buf, &upload->out) == PST_OK);
    return PST_OK;
}

/* A file begins: is it in the map, and is it to pass on? */
static enum pst_err
begin_file(struct upload *upload, const char **why)
{
    struct upload_file *file =
        upload_map_find(&upload->map, upload->reader.part.name);

    if (pst_text_is_absent(upload->reader.part.filename))
        return refuse(why, PST_MALFORMED,
                      "a multipart request has one \"map\" only");
    if (!file)
        return refuse(why, PST_MALFORMED, "a file is not in \"map\"");
    if (file->is_seen)
        return refuse(why, PST_DUPLICATE, "a file comes twice");
    file->is_seen = true;
    upload->is_dropped = !file->is_passed;
    upload->needle.matched = 0;
    return upload->is_dropped ? PST_OK : write_head(upload, file, why);
}

static enum pst_err
pass_piece(struct upload *upload, struct pst_text piece, const char **why)
{
    if (upload->is_dropped)
        return PST_OK;
    if (pst_needle_find(&upload->needle, piece))
        return refuse(why, PST_MALFORMED,
                      "a file has the delimiter of the request to the "
                      "backend, please send it again");
    upload->out = piece;
    return PST_OK;
}

/* The new body. */

static void
write_end(struct upload *upload)
{
    struct pst_buf buf;

    pst_buf_init(&buf, upload->head, UPLOAD_PART_HEAD_MAX);
    pst_buf_add_string(&buf, "\r\n--");
    pst_buf_add_string(&buf, upload->boundary);
    pst_buf_add_string(&buf, "--\r\n");
    upload->out = pst_buf_text(&buf);
}

/* What comes next into upload->out, if there is anything to come. */
static enum pst_err
go_on(struct request *req, struct upload *upload, const char **why)
{
    enum pst_multipart_event event;
    struct pst_text piece;
    enum pst_err e;

    if (upload->has_part) {
        upload->has_part = false;
        return begin_file(upload, why);
    }
    e = next_event(upload, &event, &piece, why);
    if (e)
        return e;
    if (event == PST_MULTIPART_PART)
        return begin_file(upload, why);
    if (event == PST_MULTIPART_PIECE)
        return pass_piece(upload, piece, why);
    if (event != PST_MULTIPART_MORE)
        return PST_OK;
    e = fill(req, upload, why);
    if (!e && upload->is_ended)
        write_end(upload);
    return e;
}

void
upload_begin(struct upload *upload, struct pst_text head)
{
    upload->out = head;
}

enum pst_err
upload_read(struct request *req, struct upload *upload, char *out, size_t size,
            size_t *len)
{
    PST_REQUIRE(size > 0);
    while (upload->out.len == 0 && !upload->is_ended) {
        enum pst_err e = go_on(req, upload, &upload->why);

        if (e)
            return e;
    }
    *len = upload->out.len < size ? upload->out.len : size;
    if (*len > 0)
        memcpy(out, upload->out.ptr, *len);
    upload->out = pst_text_from_octet(upload->out, *len);
    return PST_OK;
}
