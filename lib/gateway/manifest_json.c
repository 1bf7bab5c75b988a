/* SPDX-License-Identifier: ISC */
/*
 * manifest_json.c - read the JSON that makers of manifests write:
 * @apollo/generate-persisted-query-manifest 1, relay-compiler 20,
 * @graphql-codegen/client-preset 5, gql.tada 1.
 */
#include "gateway/manifest_json.h"

#include <string.h>

#include "codec/json_scan.h"

#define APOLLO_FORMAT "apollo-persisted-query-manifest"

struct reader {
    struct pst_scan scan;
    char *strings; /* decoded ones of one document; room for the whole file */
    size_t string_bytes;
    manifest_json_add *add;
    void *context;
    struct manifest_json_error *error;
};

typedef enum pst_err take_element(struct reader *reader, void *context);

static enum pst_err
refuse(const struct reader *reader, const char *message)
{
    size_t line = 1;
    size_t column = 1;

    for (size_t i = 0; i < reader->scan.at && i < reader->scan.text.len; i++) {
        column++;
        if (reader->scan.text.ptr[i] == '\n') {
            line++;
            column = 1;
        }
    }
    *reader->error = (struct manifest_json_error){message, line, column};
    return PST_BAD_CONFIG;
}

/* Take what is punctuation between values, and white space around it. */
static bool
take_mark(struct reader *reader, char mark)
{
    bool taken;

    pst_scan_space(&reader->scan);
    taken = pst_scan_take(&reader->scan, mark);
    pst_scan_space(&reader->scan);
    return taken;
}

/* Take a string and decode it. */
static enum pst_err
take_string(struct reader *reader, struct pst_text *out)
{
    struct pst_unescape string = {.rest = PST_NO_TEXT};
    size_t start = reader->string_bytes;

    if (!pst_scan_string(&reader->scan, &string.rest))
        return refuse(reader, "is not JSON: a string must stand here, or does "
                              "not end");
    while (string.rest.len > 0) {
        struct pst_text run;

        if (!pst_unescape_next(&string, &run) || string.lone)
            return refuse(reader, "is not JSON: a broken escape is in the "
                                  "string that ends here");
        memcpy(reader->strings + reader->string_bytes, run.ptr, run.len);
        reader->string_bytes += run.len;
    }
    *out = (struct pst_text){reader->strings + start,
                             reader->string_bytes - start};
    return PST_OK;
}

/* Take a member's name and the colon. */
static enum pst_err
take_name(struct reader *reader, struct pst_text *name)
{
    enum pst_err e = take_string(reader, name);

    if (!e && !take_mark(reader, ':'))
        e = refuse(reader, "is not JSON: \":\" must stand here");
    return e;
}

static enum pst_err
skip_value(struct reader *reader)
{
    if (!pst_scan_value(&reader->scan))
        return refuse(reader, "is not JSON: a value does not end");
    return PST_OK;
}

/* Take an object or array (`ends` are its brackets), each element by `take`. */
static enum pst_err
take_elements(struct reader *reader, const char *ends, take_element *take,
              void *context)
{
    bool is_more = true;

    if (!take_mark(reader, ends[0]))
        return refuse(reader, ends[0] == '{' ? "has no object here"
                                             : "has no array here");
    if (take_mark(reader, ends[1]))
        return PST_OK;
    while (is_more) {
        enum pst_err e = take(reader, context);

        if (e)
            return e;
        is_more = take_mark(reader, ',');
    }
    if (!take_mark(reader, ends[1]))
        return refuse(reader,
                      ends[0] == '{'
                          ? "is not JSON: \",\" or \"}\" must stand here"
                          : "is not JSON: \",\" or \"]\" must stand "
                            "here");
    return PST_OK;
}

static enum pst_err
add_document(struct reader *reader, struct pst_text id, struct pst_text text)
{
    if (id.len == 0)
        return refuse(reader, "has a document with an empty id that ends here");
    return reader->add(reader->context, id, text);
}

/* {"id": "text"} */
static enum pst_err
take_pair(struct reader *reader, void *context)
{
    struct pst_text id;
    struct pst_text text;
    enum pst_err e;

    (void)context;
    reader->string_bytes = 0;
    e = take_name(reader, &id);
    if (e)
        return e;
    if (pst_scan_peek(&reader->scan) != '"')
        return refuse(reader, "has no document's text here: known are "
                              "{\"id\": \"text\"} and Apollo's manifest");
    e = take_string(reader, &text);
    return e ? e : add_document(reader, id, text);
}

/* Apollo's, without what it writes beside: the name, "query". */
struct operation {
    struct pst_text id;
    struct pst_text body;
};

static enum pst_err
take_operation_member(struct reader *reader, void *context)
{
    struct operation *operation = context;
    struct pst_text *value = NULL;
    struct pst_text name;
    enum pst_err e = take_name(reader, &name);

    if (e)
        return e;
    if (pst_text_equal(name, PST_TEXT("id")))
        value = &operation->id;
    if (pst_text_equal(name, PST_TEXT("body")))
        value = &operation->body;
    if (!value)
        return skip_value(reader);
    if (!pst_text_is_absent(*value))
        return refuse(reader, "has a member twice in one operation");
    return take_string(reader, value);
}

static enum pst_err
take_operation(struct reader *reader, void *context)
{
    struct operation operation = {PST_NO_TEXT, PST_NO_TEXT};
    enum pst_err e;

    (void)context;
    reader->string_bytes = 0;
    e = take_elements(reader, "{}", take_operation_member, &operation);
    if (e)
        return e;
    if (pst_text_is_absent(operation.id) || pst_text_is_absent(operation.body))
        return refuse(reader, "has an operation without \"id\" or \"body\" "
                              "that ends here");
    return add_document(reader, operation.id, operation.body);
}

/* What the members of the whole file's object say of its form. */
struct form {
    size_t operations; /* where "operations" begins, an array; 0: nowhere */
    bool has_format;   /* "format" is Apollo's */
    bool has_version;  /* "version" is 1 */
};

static enum pst_err
look_at_member(struct reader *reader, void *context)
{
    struct form *form = context;
    struct pst_text name;
    struct pst_text value;
    size_t start;
    enum pst_err e;

    reader->string_bytes = 0;
    e = take_name(reader, &name);
    if (e)
        return e;
    start = reader->scan.at;
    e = skip_value(reader);
    if (e)
        return e;
    value = pst_scan_since(&reader->scan, start);
    if (pst_text_equal(name, PST_TEXT("operations")) &&
        pst_text_starts(value, PST_TEXT("[")))
        form->operations = start;
    if (pst_text_equal(name, PST_TEXT("format")))
        form->has_format =
            pst_text_equal(value, PST_TEXT("\"" APOLLO_FORMAT "\""));
    if (pst_text_equal(name, PST_TEXT("version")))
        form->has_version = pst_text_equal(value, PST_TEXT("1"));
    return PST_OK;
}

/* Twice: first what form it has, then its documents. */
static enum pst_err
read_file(struct reader *reader)
{
    struct form form = {.operations = 0};
    size_t start = 0;
    enum pst_err e;

    if (!pst_text_is_utf8(reader->scan.text))
        return refuse(reader, "is not UTF-8");
    if (pst_text_starts(reader->scan.text, PST_TEXT("\xEF\xBB\xBF")))
        start = 3;
    reader->scan.at = start;
    e = take_elements(reader, "{}", look_at_member, &form);
    if (e)
        return e;
    if (reader->scan.at < reader->scan.text.len)
        return refuse(reader, "is not JSON: something stands behind its end");
    reader->scan.at = start;
    if (form.operations == 0)
        return take_elements(reader, "{}", take_pair, NULL);
    reader->scan.at = form.operations;
    if (!form.has_format || !form.has_version)
        return refuse(reader, "has \"operations\", but not \"format\": "
                              "\"" APOLLO_FORMAT "\" and \"version\": 1");
    return take_elements(reader, "[]", take_operation, NULL);
}

enum pst_err
manifest_json_read(struct pst_text json, manifest_json_add *add, void *context,
                   struct manifest_json_error *error)
{
    struct reader reader = {
        .scan = {.text = json},
        .strings = malloc(json.len + 1),
        .add = add,
        .context = context,
        .error = error,
    };
    enum pst_err e;

    if (!reader.strings)
        return PST_NO_MEMORY;
    e = read_file(&reader);
    free(reader.strings);
    return e;
}
