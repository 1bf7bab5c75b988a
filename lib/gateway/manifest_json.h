/* SPDX-License-Identifier: ISC */
/*
 * manifest_json.h - the JSON of a manifest: ids and texts of documents.
 *
 * Read are {"id": "text"}, as relay-compiler, GraphQL Code Generator's client
 * preset and gql.tada write it, and Apollo's persisted query manifest of
 * version 1. Knows nothing of GraphQL.
 */
#ifndef POSTERN_GATEWAY_MANIFEST_JSON_H
#define POSTERN_GATEWAY_MANIFEST_JSON_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* Gets each document; both texts are gone when it returns. What it returns
 * other than PST_OK ends the reading. */
typedef enum pst_err manifest_json_add(void *context, struct pst_str id,
                                       struct pst_str text);

/* What is wrong with a manifest, and where: counted in bytes, from 1. */
struct manifest_json_error {
    const char *message; /* what follows "the file …" */
    size_t line;
    size_t column;
};

/*
 * Read a manifest.
 *   json   the file's text
 *   error  set on PST_BAD_CONFIG, but where that came from add()
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, or what add() returned.
 */
PST_MUST_USE enum pst_err
manifest_json_parse(struct pst_str json, manifest_json_add *add, void *context,
                    struct manifest_json_error *error);

#endif
