/* SPDX-License-Identifier: ISC */
/*
 * config_read.h - the kinds of variables: each reads one value into the
 * place, and of the type, that its entry in the table tells.
 */
#ifndef POSTERN_SERVER_CONFIG_READ_H
#define POSTERN_SERVER_CONFIG_READ_H

#include "server/config_table.h"

/* To int64_t, within the entry's bounds. */
config_read_fn config_read_duration;
config_read_fn config_read_size;
config_read_fn config_read_milliseconds;      /* "500ms", or a duration */
config_read_fn config_read_optional_duration; /* "off" is 0 */
config_read_fn config_read_number;

/* One of the entry's words, in any case: to an enum, and to a bool. */
config_read_fn config_read_keyword;
config_read_fn config_read_bool;

/* Several of them: to unsigned, the values or-ed together. */
config_read_fn config_read_flags;

/* "word:text", which the entry's check has split alike: to an enum, and to a
 * struct pst_str in the second place. */
config_read_fn config_read_token_location;

/* To struct pst_str; the same in lower case; to const char *. */
config_read_fn config_read_text;
config_read_fn config_read_lower_case;
config_read_fn config_read_string;

/* To struct pst_str: "a/b" as the RFC 6901 pointer "/a/b". */
config_read_fn config_read_pointer;

/* To struct pst_str: the GraphQL document in the file of this name. To an
 * array of them, and its count in the second place: those of several files. */
config_read_fn config_read_document;
config_read_fn config_read_documents;

/* To const char *: the name of a file that can be read. */
config_read_fn config_read_file_name;

/* To an array of struct pst_str, and its count in the second place. */
config_read_fn config_read_list;

/* To struct store_url, and to struct rate. */
config_read_fn config_read_store_url;
config_read_fn config_read_rate;

/* To POSTERN_STORE's place, which is not set itself: the URL in the file of
 * this name. Its entry comes after POSTERN_STORE's, whose default it undoes. */
config_read_fn config_read_store_file;

#endif
