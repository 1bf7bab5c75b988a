/* SPDX-License-Identifier: ISC */
/*
 * curl_library.h - libcurl, loaded only for a backend whose URL is https://.
 *
 * It is linked with thirty libraries. Loading them takes several times as long
 * as all else that a plain CGI program does at its start.
 */
#ifndef POSTERN_UPSTREAM_CURL_LIBRARY_H
#define POSTERN_UPSTREAM_CURL_LIBRARY_H

#include <curl/curl.h>

#include "base/base.h"
#include "base/error.h"

/* X(name): the functions of libcurl that are used, without "curl_". */
#define CURL_FUNCTIONS(X)  \
    X(easy_cleanup)        \
    X(easy_getinfo)        \
    X(easy_init)           \
    X(easy_pause)          \
    X(easy_reset)          \
    X(easy_setopt)         \
    X(easy_strerror)       \
    X(global_cleanup)      \
    X(global_init)         \
    X(multi_add_handle)    \
    X(multi_cleanup)       \
    X(multi_info_read)     \
    X(multi_init)          \
    X(multi_remove_handle) \
    X(multi_setopt)        \
    X(multi_socket_action) \
    X(url)                 \
    X(url_cleanup)         \
    X(url_set)

struct curl_library {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a name that is declared */
#define CURL_POINTER(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(CURL_POINTER)
#undef CURL_POINTER
};

/* Set by curl_library_load(). */
extern struct curl_library curl;

/*
 * Load libcurl for the life of the process, unless it is loaded. No other
 * thread may be running at the first call. Returns PST_OK, PST_NO_MEMORY (or no
 * descriptors), or PST_INTERNAL: it is not installed.
 */
PST_MUST_USE enum pst_err curl_library_load(void);

#endif
