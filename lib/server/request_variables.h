/* SPDX-License-Identifier: ISC */
/*
 * request_variables.h - find the CGI variables of a request by their names.
 */
#ifndef POSTERN_SERVER_REQUEST_VARIABLES_H
#define POSTERN_SERVER_REQUEST_VARIABLES_H

#include "base/base.h"
#include "base/str.h"

/* Variables that are found by their hash; those after them are searched. */
#define REQUEST_VARIABLES_INDEXED 128

/* Lists of variables whose names have the same hash. A power of two. */
#define REQUEST_VARIABLES_LISTS 64

/* The names of a request's variables. Made once, then only read. */
struct request_variables {
    const char *const *list;                 /* NAME=value, NULL at the end */
    size_t indexed;                          /* how many of them are below */
    uint8_t next[REQUEST_VARIABLES_INDEXED]; /* place + 1 of a later variable
                                                with the same hash; 0: none */
    uint8_t first[REQUEST_VARIABLES_LISTS];  /* likewise */
};

/* The variables of one name, which a search has not come to yet. */
struct request_variable_search {
    const struct request_variables *variables;
    struct pst_str name;
    bool is_header; /* name is a header's: "Accept" for "HTTP_ACCEPT" */
    size_t next;    /* place + 1 in the index; 0: the index is searched */
    size_t rest;    /* place of the next variable after the index */
};

/*
 * Make the index.
 *   list  NAME=value, NULL at the end; not copied
 */
void request_variables_init(struct request_variables *variables,
                            const char *const *list);

/*
 * Begin to search the variables of a name. The search points to both.
 *   is_header  the name is that of a header, a token: its variable is called
 *              HTTP_ and the name in upper case, with "_" for each "-" (RFC
 *              3875 section 4.1.18)
 */
struct request_variable_search
request_variables_search(const struct request_variables *variables,
                         struct pst_str name, bool is_header);

/* The value of the next variable of that name, in the order of the list;
 * absent when there is none. */
struct pst_str request_variables_next(struct request_variable_search *search);

#endif
