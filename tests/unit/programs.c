/* SPDX-License-Identifier: ISC */
/*
 * programs.c - the sources of the programs, each with its main() renamed.
 */
#include "programs.h"

int main_of_login(int argc, char **argv);
int main_of_logout(int argc, char **argv);
int main_of_query(int argc, char **argv);
int main_of_authorize(int argc, char **argv);
int main_of_session(int argc, char **argv);

#define main main_of_login
#include "../../cgi-bin/login.c"
#undef main
#define main main_of_logout
#include "../../cgi-bin/logout.c"
#undef main
#define main main_of_query
#include "../../cgi-bin/query.c"
#undef main
#define main main_of_authorize
#include "../../cgi-bin/authorize.c"
#undef main

#define main main_of_session
#include "../../cgi-bin/session.c"
#undef main

handler_fn *const program_login = login;
handler_fn *const program_logout = logout;
handler_fn *const program_query = query;
handler_fn *const program_authorize = authorize;
handler_fn *const program_session = session;
