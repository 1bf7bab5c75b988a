/* A CGI program for users who have logged in; libpostern checks the session.
 * cc cgi.c $(pkg-config --cflags --libs postern) */
#include <postern.h>
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
    struct pst_settings settings = {.size = sizeof(settings), .secrets = getenv("COOKIE_SESSION_SECRET")};
    struct pst_visitor visitor = {.size = sizeof(visitor)};
    struct pst_sessions *sessions;

    if (pst_sessions_new(&sessions, &settings, NULL))
        printf("Status: 500 Internal Server Error\r\n\r\n");
    else if (pst_check(sessions, getenv("HTTP_COOKIE"), &visitor))
        printf("Status: 303 See Other\r\nLocation: /login\r\n\r\n");
    else
        printf("Content-Type: text/plain; charset=utf-8\r\nCache-Control: private, no-cache\r\n\r\nHello, %s\n", visitor.name);
    pst_sessions_free(&sessions);
}
