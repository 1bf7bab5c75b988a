/* SPDX-License-Identifier: ISC */
/*
 * curl_library.c - load libcurl and find its functions.
 */
#include "upstream/curl_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct curl_library curl;

/* Where the pointer to each function is. */
static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define CURL_FUNCTION(name) \
    {"curl_" #name, offsetof(struct curl_library, name)},
    CURL_FUNCTIONS(CURL_FUNCTION)
#undef CURL_FUNCTION
};

/* dlopen() does not tell that a file is missing from that none can be opened.
 */
static bool
can_open_file(void)
{
    int descriptor = open("/", O_RDONLY | O_CLOEXEC);

    if (descriptor >= 0)
        close(descriptor);
    return descriptor >= 0;
}

enum pst_err
curl_library_load(void)
{
    static bool is_loaded;
    void *library;

    if (is_loaded)
        return PST_OK;
    library = dlopen(POSTERN_CURL_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return can_open_file() ? PST_INTERNAL : PST_NO_MEMORY;
    for (size_t i = 0; i < PST_COUNT(functions); i++) {
        void *function = dlsym(library, functions[i].name);

        if (!function)
            return PST_INTERNAL;
        memcpy((char *)&curl + functions[i].offset, &function,
               sizeof(function));
    }
    is_loaded = true;
    return PST_OK;
}
