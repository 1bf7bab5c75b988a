/* SPDX-License-Identifier: ISC */
/*
 * sandbox.h - give up what a program does not need after its start: files
 * (Landlock), system calls and kinds of sockets (seccomp), new privileges.
 *
 * What is open already stays open. The sandbox can only become tighter, and
 * threads inherit it from the thread that starts them.
 */
#ifndef POSTERN_SERVER_SANDBOX_H
#define POSTERN_SERVER_SANDBOX_H

#include "base/base.h"
#include "base/error.h"

/* What may be done with a file, or with all files below a folder; flags. */
enum sandbox_access {
    SANDBOX_READ = 1 << 0,
    SANDBOX_WRITE = 1 << 1, /* write and make files */
    SANDBOX_REMOVE = 1 << 2
};

struct sandbox_path {
    const char *path; /* one that does not exist is left out */
    unsigned access;  /* enum sandbox_access flags */
};

/* What the program may connect to; flags. */
enum sandbox_peers {
    SANDBOX_LOCAL = 1 << 0, /* Unix sockets */
    SANDBOX_TCP = 1 << 1,
    /* Look up host names, with the files, sockets and shared libraries that
     * nsswitch.conf(5) may ask for. */
    SANDBOX_NAMES = 1 << 2
};

struct sandbox_rules {
    const struct sandbox_path *paths;
    size_t path_count;
    unsigned peers;    /* enum sandbox_peers flags */
    uint16_t tcp_port; /* the only one of SANDBOX_TCP; 0: any */
};

/* What this kernel cannot do; flags. */
enum sandbox_gap {
    SANDBOX_NO_FILES = 1 << 0, /* no Landlock: Linux before 5.13, or off */
    SANDBOX_NO_PORTS = 1 << 1  /* any TCP port: Linux before 6.7 */
};

/* Can this build have a sandbox? The sanitizers and coverage
 * (-DPOSTERN_COVERAGE) need more than it leaves; 32-bit systems and s390x have
 * other system calls. */
bool sandbox_is_built(void);

/*
 * Enter the sandbox. Call it once, before threads start.
 *   gaps  set on PST_OK: enum sandbox_gap flags
 * Returns PST_OK; PST_INTERNAL (errno says why): the kernel refuses, and
 * what was given up before stays so. The program must end then.
 */
PST_MUST_USE enum pst_err sandbox_enter(const struct sandbox_rules *rules,
                                        unsigned *gaps);

#endif
