/* SPDX-License-Identifier: ISC */
/*
 * request_variables.c - find the CGI variables of a request by their names.
 *
 * A request has some thirty variables, and looks up as many, most of which are
 * not set. So their names are hashed, once. A client that sends headers with
 * the same hash gains nothing but that their list is searched.
 */
#include "server/request_variables.h"

#include <assert.h>
#include <string.h>

#define HEADER_PREFIX "HTTP_"
#define HEADER_PREFIX_LEN (sizeof(HEADER_PREFIX) - 1)

static_assert(REQUEST_VARIABLES_INDEXED < UINT8_MAX, "places fit a byte");

/* A character of a header's name as it is in the variable's name. */
static inline char
cgi_variable_char(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c == '-' ? '_' : c;
}

/*
 * Which list the variable of a name belongs to: by its length, its last
 * character and one in the middle.
 *   name  without the prefix
 *   len   of the variable's name: with the prefix, if it has one
 */
static inline size_t
find_list(struct pst_str name, size_t len, bool is_header)
{
    char middle = name.len > 0 ? name.ptr[name.len / 2] : '\0';
    char last = name.len > 0 ? name.ptr[name.len - 1] : '\0';

    if (is_header) {
        middle = cgi_variable_char(middle);
        last = cgi_variable_char(last);
    }
    return (len * 7 + (unsigned char)middle * 3U + (unsigned char)last) %
           REQUEST_VARIABLES_LISTS;
}

/* Add a variable to the front of its list. One without "=" has no name. */
static void
index_variable(struct request_variables *variables, size_t place)
{
    const char *text = variables->list[place];
    const char *end = strchr(text, '=');
    struct pst_str name;
    uint8_t *first;

    if (!end)
        return;
    name = (struct pst_str){text, (size_t)(end - text)};
    if (pst_str_starts(name, PST_STR(HEADER_PREFIX)))
        name = pst_str_skip(name, HEADER_PREFIX_LEN);
    first = &variables->first[find_list(name, (size_t)(end - text), false)];
    variables->next[place] = *first;
    *first = (uint8_t)(place + 1);
}

void
request_variables_init(struct request_variables *variables,
                       const char *const *list)
{
    size_t count = 0;

    variables->list = list;
    memset(variables->first, 0, sizeof(variables->first));
    while (count < REQUEST_VARIABLES_INDEXED && list[count])
        count++;
    variables->indexed = count;
    /* Backwards, because each goes to the front of its list. */
    while (count > 0)
        index_variable(variables, --count);
}

struct request_variable_search
request_variables_search(const struct request_variables *variables,
                         struct pst_str name, bool is_header)
{
    struct pst_str hashed = name;
    size_t len = name.len;

    if (is_header)
        len += HEADER_PREFIX_LEN;
    else if (pst_str_starts(name, PST_STR(HEADER_PREFIX)))
        hashed = pst_str_skip(name, HEADER_PREFIX_LEN);
    return (struct request_variable_search){
        .variables = variables,
        .name = name,
        .is_header = is_header,
        .next = variables->first[find_list(hashed, len, is_header)],
        .rest = variables->indexed,
    };
}

/* Does a variable have the name that is searched? One that is too short differs
 * at its NUL. */
static bool
variable_has_name(const char *variable,
                  const struct request_variable_search *search)
{
    struct pst_str name = search->name;

    if (!search->is_header)
        return strncmp(variable, name.ptr, name.len) == 0 &&
               variable[name.len] == '=';
    if (strncmp(variable, HEADER_PREFIX, HEADER_PREFIX_LEN) != 0)
        return false;
    variable += HEADER_PREFIX_LEN;
    for (size_t i = 0; i < name.len; i++) {
        if (variable[i] != cgi_variable_char(name.ptr[i]))
            return false;
    }
    return variable[name.len] == '=';
}

struct pst_str
request_variables_next(struct request_variable_search *search)
{
    const struct request_variables *variables = search->variables;
    size_t len = search->name.len + (search->is_header ? HEADER_PREFIX_LEN : 0);

    while (search->next > 0) {
        size_t place = search->next - 1;
        const char *variable = variables->list[place];

        search->next = variables->next[place];
        if (variable_has_name(variable, search))
            return pst_str_from(variable + len + 1);
    }
    while (variables->list[search->rest]) {
        const char *variable = variables->list[search->rest++];

        if (variable_has_name(variable, search))
            return pst_str_from(variable + len + 1);
    }
    return PST_STR_NONE;
}
