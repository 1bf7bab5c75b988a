/* SPDX-License-Identifier: ISC */
/*
 * env_file.h - read a file of variables into the environment (--env-file).
 *
 * The file has the form of systemd's EnvironmentFile: a NAME=value on each
 * line; empty lines and those that begin with # or ; are skipped. A value, or a
 * part of it, may be between single or double quotes. Outside of quotes, a
 * backslash quotes the next character; between double quotes only " \ $ and `,
 * and stays before others. At the end of a line, it joins the next one to it.
 */
#ifndef POSTERN_ENV_FILE_H
#define POSTERN_ENV_FILE_H

/*
 * Set each variable of the file, whether it is set already or not. Returns 0;
 * or EX_NOINPUT (the file cannot be read), EX_DATAERR (a line is wrong) or
 * EX_OSERR, with the file and the reason printed.
 */
int env_file_load(const char *path);

#endif
