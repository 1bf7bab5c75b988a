/* SPDX-License-Identifier: ISC */
/*
 * manifest_json.h - parse the JSON of a manifest into ids and texts of
 * documents.
 *
 * Supported are {"id": "text"}, as relay-compiler, GraphQL Code Generator's
 * client preset and gql.tada write it, and Apollo's persisted query manifest of
 * version 1. Knows nothing of GraphQL.
 */
#ifndef POSTERN_GATEWAY_MANIFEST_JSON_H
#define POSTERN_GATEWAY_MANIFEST_JSON_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* Called for each document; id and text are valid only during the call. An
 * error it returns ends the parsing. */
typedef enum pst_err manifest_json_add(void *context, struct pst_str id,
                                       struct pst_str text);

/* An error in a manifest. Line and column count from 1, columns in bytes. */
struct manifest_json_error {
    const char *message; /* follows "the file …", such as "is not UTF-8" */
    size_t line;
    size_t column;
};

/*
 * Parse a manifest.
 *   json     the file's text
 *   add      called for each document, with context
 *   error    set on PST_BAD_CONFIG, unless add() returned that
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, or the error of add().
 */
PST_MUST_USE enum pst_err
manifest_json_parse(struct pst_str json, manifest_json_add *add, void *context,
                    struct manifest_json_error *error);

#endif
