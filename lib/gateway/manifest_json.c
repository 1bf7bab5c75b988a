/* SPDX-License-Identifier: ISC */
/*
 * manifest_json.c - parse the manifest formats of the common generators:
 * @apollo/generate-persisted-query-manifest 1, relay-compiler 20,
 * @graphql-codegen/client-preset 5, gql.tada 1.
 */
#include "gateway/manifest_json.h"

#include <string.h>

#include "codec/json_check.h"
#include "codec/json_scan.h"

#define APOLLO_FORMAT "apollo-persisted-query-manifest"

struct reader {
    struct pst_json_scan scan;
    char *strings; /* decoded strings of one document; as large as the file */
    size_t string_bytes;
    manifest_json_add *add;
    void *context;
    struct manifest_json_error *error;
};

typedef enum pst_err parse_element_fn(struct reader *reader, void *context);

static enum pst_err
refuse_manifest_json(const struct reader *reader, const char *message)
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

/* Skip a punctuator with the white space around it. Returns whether it is
 * there. */
static bool
skip_punctuator(struct reader *reader, char punctuator)
{
    bool found;

    pst_json_scan_skip_space(&reader->scan);
    found = pst_json_scan_accept(&reader->scan, punctuator);
    pst_json_scan_skip_space(&reader->scan);
    return found;
}

/* Parse and decode a string. */
static enum pst_err
parse_manifest_string(struct reader *reader, struct pst_str *out)
{
    struct pst_json_unescape string = {.rest = PST_STR_NONE};
    size_t start = reader->string_bytes;

    if (!pst_json_scan_string(&reader->scan, &string.rest))
        return refuse_manifest_json(
            reader, "is not JSON: expected a string, or it is not "
                    "terminated");
    while (string.rest.len > 0) {
        struct pst_str run;

        if (!pst_json_unescape_next(&string, &run) || string.lone)
            return refuse_manifest_json(
                reader, "is not JSON: the string that ends here has an "
                        "invalid escape");
        memcpy(reader->strings + reader->string_bytes, run.ptr, run.len);
        reader->string_bytes += run.len;
    }
    *out =
        (struct pst_str){reader->strings + start, reader->string_bytes - start};
    return PST_OK;
}

/* Parse a member's name and the colon. */
static enum pst_err
parse_member_name(struct reader *reader, struct pst_str *name)
{
    enum pst_err e = parse_manifest_string(reader, name);

    if (!e && !skip_punctuator(reader, ':'))
        e = refuse_manifest_json(reader, "is not JSON: expected \":\"");
    return e;
}

static enum pst_err
skip_manifest_value(struct reader *reader)
{
    if (!pst_json_scan_skip_value(&reader->scan))
        return refuse_manifest_json(reader,
                                    "is not JSON: invalid or truncated value");
    return PST_OK;
}

/* Parse an object or array. `brackets` are its two brackets; parse_element() is
 * called at each element. */
static enum pst_err
parse_manifest_elements(struct reader *reader, const char *brackets,
                        parse_element_fn *parse_element, void *context)
{
    bool has_more = true;

    if (!skip_punctuator(reader, brackets[0]))
        return refuse_manifest_json(reader, brackets[0] == '{'
                                                ? "must have an object"
                                                : "must have an array");
    if (skip_punctuator(reader, brackets[1]))
        return PST_OK;
    while (has_more) {
        enum pst_err e = parse_element(reader, context);

        if (e)
            return e;
        has_more = skip_punctuator(reader, ',');
    }
    if (!skip_punctuator(reader, brackets[1]))
        return refuse_manifest_json(
            reader, brackets[0] == '{'
                        ? "is not JSON: expected \",\" or \"}\""
                        : "is not JSON: expected \",\" or \"]\"");
    return PST_OK;
}

static enum pst_err
report_manifest_document(struct reader *reader, struct pst_str id,
                         struct pst_str text)
{
    if (id.len == 0)
        return refuse_manifest_json(
            reader, "has a document with an empty id that ends here");
    return reader->add(reader->context, id, text);
}

/* Parse one member of {"id": "text"}. */
static enum pst_err
parse_id_text_pair(struct reader *reader, void *context)
{
    struct pst_str id;
    struct pst_str text;
    enum pst_err e;

    (void)context;
    reader->string_bytes = 0;
    e = parse_member_name(reader, &id);
    if (e)
        return e;
    if (pst_json_scan_peek(&reader->scan) != '"')
        return refuse_manifest_json(
            reader, "must have a document's text: supported are "
                    "{\"id\": \"text\"} and Apollo's manifest");
    e = parse_manifest_string(reader, &text);
    return e ? e : report_manifest_document(reader, id, text);
}

/* The members of an operation that are used in Apollo's format. */
struct operation {
    struct pst_str id;
    struct pst_str body;
};

static enum pst_err
parse_apollo_member(struct reader *reader, void *context)
{
    struct operation *operation = context;
    struct pst_str *value = NULL;
    struct pst_str name;
    enum pst_err e = parse_member_name(reader, &name);

    if (e)
        return e;
    if (pst_str_equal(name, PST_STR("id")))
        value = &operation->id;
    if (pst_str_equal(name, PST_STR("body")))
        value = &operation->body;
    if (!value)
        return skip_manifest_value(reader);
    if (!pst_str_is_absent(*value))
        return refuse_manifest_json(reader,
                                    "has a member twice in one operation");
    return parse_manifest_string(reader, value);
}

static enum pst_err
parse_apollo_operation(struct reader *reader, void *context)
{
    struct operation operation = {PST_STR_NONE, PST_STR_NONE};
    enum pst_err e;

    (void)context;
    reader->string_bytes = 0;
    e = parse_manifest_elements(reader, "{}", parse_apollo_member, &operation);
    if (e)
        return e;
    if (pst_str_is_absent(operation.id) || pst_str_is_absent(operation.body))
        return refuse_manifest_json(
            reader, "has an operation without \"id\" or \"body\" "
                    "that ends here");
    return report_manifest_document(reader, operation.id, operation.body);
}

/* What the top-level members show about the format. */
struct format {
    size_t operations; /* byte offset of the "operations" array; 0: none */
    bool has_format;   /* "format" is Apollo's */
    bool has_version;  /* "version" is 1 */
};

static enum pst_err
detect_manifest_format(struct reader *reader, void *context)
{
    struct format *format = context;
    struct pst_str name;
    struct pst_str value;
    size_t start;
    enum pst_err e;

    reader->string_bytes = 0;
    e = parse_member_name(reader, &name);
    if (e)
        return e;
    start = reader->scan.at;
    e = skip_manifest_value(reader);
    if (e)
        return e;
    value = pst_json_scan_since(&reader->scan, start);
    if (pst_str_equal(name, PST_STR("operations")) &&
        pst_str_starts(value, PST_STR("[")))
        format->operations = start;
    if (pst_str_equal(name, PST_STR("format")))
        format->has_format =
            pst_str_equal(value, PST_STR("\"" APOLLO_FORMAT "\""));
    if (pst_str_equal(name, PST_STR("version")))
        format->has_version = pst_str_equal(value, PST_STR("1"));
    return PST_OK;
}

/* Two passes: detect the format, then parse the documents. */
static enum pst_err
parse_manifest_file(struct reader *reader)
{
    struct format format = {.operations = 0};
    size_t start;
    enum pst_err e;

    if (!pst_str_is_utf8(reader->scan.text))
        return refuse_manifest_json(reader, "is not UTF-8");
    start = reader->scan.text.len - pst_json_skip_mark(reader->scan.text).len;
    reader->scan.at = start;
    e = parse_manifest_elements(reader, "{}", detect_manifest_format, &format);
    if (e)
        return e;
    if (reader->scan.at < reader->scan.text.len)
        return refuse_manifest_json(reader,
                                    "is not JSON: there is text after its end");
    reader->scan.at = start;
    if (format.operations == 0)
        return parse_manifest_elements(reader, "{}", parse_id_text_pair, NULL);
    reader->scan.at = format.operations;
    if (!format.has_format || !format.has_version)
        return refuse_manifest_json(reader,
                                    "has \"operations\", but not \"format\": "
                                    "\"" APOLLO_FORMAT "\" and \"version\": 1");
    return parse_manifest_elements(reader, "[]", parse_apollo_operation, NULL);
}

enum pst_err
manifest_json_parse(struct pst_str json, manifest_json_add *add, void *context,
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
    e = parse_manifest_file(&reader);
    free(reader.strings);
    return e;
}
