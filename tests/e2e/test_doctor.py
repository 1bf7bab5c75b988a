# SPDX-License-Identifier: ISC
"""`postern doctor` finds each fault of a site, and none behind the servers of
etc/."""
import http.server
import subprocess
import threading
import time

import pytest
import servers
from gateway import POSTERN, SANITIZER_ENVIRONMENT, closed_port
from tls_proxy import Certificates, TlsProxy


def doctor(*arguments):
    return subprocess.run(
        [POSTERN, "doctor", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=120, check=False,
        env=SANITIZER_ENVIRONMENT)


def faults_of(done):
    return [line[7:] for line in done.stdout.decode().splitlines()
            if line.startswith("FAULT")]


@pytest.mark.parametrize("kind", [servers.Lighttpd, servers.ApacheProxy,
                                  servers.Nginx], ids=lambda kind: kind.name)
def test_no_fault_behind_a_server_of_etc(backend, kind):
    """It is http://localhost, where some browsers keep Secure cookies."""
    site = kind(backend, with_pages=True, POSTERN_TOKEN_METHOD="cookie,bearer")
    try:
        done = doctor(f"http://localhost:{site.port}/", "--page",
                      "/members/index.html")
        assert (done.returncode, faults_of(done)) == (0, []), (
            done.stdout.decode())
        assert (b"\n-      the site is http:// on this machine: Chrome and "
                b"Firefox keep Secure cookies there, Safari does not\n"
                ) in done.stdout
        assert b"not tried" not in done.stdout
        assert done.stdout.count(b"\nok ") >= 18
        # Nothing was tried as a login.
        assert "event=login" not in site.log
    finally:
        site.close()


# --- a site that is wrong ----------------------------------------------------

LOGIN_PAGE = b'<form method=post><input type="password"></form>'
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}
CLEARED = ("__Host-Http-session=; Path=/; HttpOnly; Secure; SameSite=Lax; "
           "Max-Age=0")


class Good:
    """A site as it should be; a test replaces one method. It records what was
    asked."""

    def login(self, _):
        return 200, {"Content-Type": "text/html", "Cache-Control": "no-store",
                     "Content-Security-Policy":
                     "default-src 'none'; frame-ancestors 'none'",
                     "X-Content-Type-Options": "nosniff",
                     "Strict-Transport-Security": "max-age=1"}, LOGIN_PAGE

    def session(self, request):
        cookie = request.headers.get("Cookie", "")
        return 200, {**JSON, **({"Set-Cookie": CLEARED} if "dead" in cookie
                                else {})}, b'{"data":{"session":null}}'

    def refuse(self, _):
        return 403, JSON, b'{"errors":[]}'

    def query(self, request):
        if request.command == "GET":
            return 405, JSON, b"{}"
        if request.headers.get("Origin", "").endswith(".invalid"):
            return self.refuse(request)
        return 200, JSON, b'{"data":{}}'

    def page(self, _):
        return 401, JSON, b"{}"

    def answer(self, request):
        path = request.path.partition("?")[0]
        if path == "/login":
            return self.login(request) if request.command == "GET" else (
                self.refuse(request))
        return {"/session": self.session, "/query": self.query,
                "/logout": self.refuse, "/members/": self.page}.get(
                    path, self.missing)(request)

    def missing(self, _):
        return 404, JSON, b"{}"


@pytest.fixture(name="serve")
def serve_fixture():
    """serve(site) starts a server; .url and .seen, the requests."""
    started = []

    def serve(site, host="127.0.0.1"):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.server.seen.append((self.command, self.path,
                                         dict(self.headers.items()), body))
                status, headers, answer = site.answer(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer((host, 0), Handler)
        server.seen = []
        server.url = f"http://{host}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        return server

    yield serve
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def changed(method, **headers):
    """The same answer with other headers; None removes one."""
    def answer(self, request):
        status, old, body = getattr(Good, method)(self, request)
        new = {**old, **{name.replace("_", "-"): value
                         for name, value in headers.items()}}
        return status, {n: v for n, v in new.items() if v is not None}, body
    return {method: answer}


def cleared(line):
    def session(self, request):
        status, headers, body = Good.session(self, request)
        if "Set-Cookie" in headers:
            headers["Set-Cookie"] = line
        return status, headers, body
    return {"session": session}


def fixed(method, status, body=b"{}"):
    return {method: lambda self, request: (status, JSON, body)}


def believes_headers(self, request):
    user = request.headers.get("X_Session_User")
    return (200, JSON, f"Hello {user}".encode()) if user else (401, JSON, b"")


def cross_site_query(self, request):
    return (405, JSON, b"{}") if request.command == "GET" else (200, JSON, b"{}")


# The site's fault, and the lines that name it.
FAULTS = {
    "no form": (fixed("login", 200), ["/login: a login form"]),
    "login missing": (fixed("login", 404), ["/login: a login form"]),
    "login kept": (changed("login", Cache_Control="public"),
                   ["/login: Cache-Control"]),
    "frames": (changed("login", Content_Security_Policy="default-src 'none'"),
               ["/login: Content-Security-Policy"]),
    "sniffing": (changed("login", X_Content_Type_Options=None),
                 ["/login: X-Content-Type-Options"]),
    "session kept": (changed("session", Cache_Control=None),
                     ["/session: Cache-Control"]),
    "somebody": (fixed("session", 200, b'{"data":{"session":{"subject":"1"}}}'),
                 ["/session: nobody is logged in"]),
    "session missing": (fixed("session", 404), ["/session: nobody is logged in"]),
    "open CORS": (changed("session", Access_Control_Allow_Origin="*"),
                  ["/session: another site's pages cannot read"]),
    "CORS echo": (changed("session", Access_Control_Allow_Origin=
                          "https://postern-doctor.invalid"),
                  ["/session: another site's pages cannot read"]),
    "script reads": (cleared(CLEARED.replace("HttpOnly; ", "")),
                     ["cookie __Host-Http-session: HttpOnly"]),
    "over http": (cleared(CLEARED.replace("Secure; ", "")),
                  ["cookie __Host-Http-session: Secure"]),
    "any site": (cleared(CLEARED.replace("SameSite=Lax; ", "")),
                 ["cookie __Host-Http-session: SameSite"]),
    "no prefix": (cleared(CLEARED.replace("__Host-Http-", "")),
                  ["cookie session: the prefix"]),
    "cross-site": (fixed("refuse", 200),
                   ["/login: another site cannot log",
                    "/logout: another site cannot log",
                    "/query: another site cannot send"]),
    "cross-site query": ({"query": cross_site_query},
                         ["/query: another site cannot send"]),
    "mutation by link": (fixed("query", 200),
                         ["/query: another site cannot send",
                          "/query?query=mutation%7Bdoctor%7D: a link cannot"]),
    "own pages refused": (fixed("query", 403),
                          ["/query?query=mutation%7Bdoctor%7D: a link cannot",
                           "/query: the site's own pages"]),
    "backend down": (fixed("query", 502),
                     ["/query: another site cannot send",
                      "/query?query=mutation%7Bdoctor%7D: a link cannot",
                      "/query: the backend answers"]),
    "token leaks": (changed("query", vendure_auth_token="secret-token"),
                    ["/query: the header vendure-auth-token reaches",
                     "/query?query=mutation%7Bdoctor%7D: the header",
                     "/query: the header vendure-auth-token reaches"]),
    "name leaks": (changed("page", X_Session_User="7"),
                   ["/members/: the header X-Session-User reaches"]),
    "backend's token leaks": (
        changed("page", X_Session_Authorization="Bearer x"),
        ["/members/: the header X-Session-Authorization reaches"]),
    "open page": (fixed("page", 200), ["/members/: refused without a session",
                                       "/members/: refused with forged"]),
    "backend in the open": (
        {"missing": lambda self, request: (200, JSON, b'{"data":{}}')},
        [f"/{path}: the backend's GraphQL is not reachable around /query"
         for path in ("graphql", "api/graphql", "shop-api", "admin-api")]),
    "forged": ({"page": believes_headers}, ["/members/: refused with forged"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found(serve, name):
    methods, wanted = FAULTS[name]
    server = serve(type("Site", (Good,), methods)())
    done = doctor(server.url, "--page", "/members/")
    faults = faults_of(done)
    assert len(faults) == len(wanted), faults
    for fault, want in zip(faults, wanted):
        assert fault.startswith(want), faults
    assert done.returncode == 1


def test_http_is_a_fault_of_another_machine(serve):
    """Browsers make an exception for localhost, 127.0.0.1 and [::1] only."""
    done = doctor(serve(Good(), "127.0.0.2").url, "--page", "/members/")
    assert faults_of(done) == [
        "the site is not https: passwords can be read on the way, and browsers "
        "drop Secure cookies"], done.stdout.decode()


def test_only_the_site_is_contacted(serve):
    """A redirect to another host is not followed, and no password is sent."""
    other = serve(Good())
    redirect = {method: lambda self, request: (
        302, {"Location": other.url + "/login"}, b"")
        for method in ("login", "session", "query", "page", "refuse",
                       "missing")}
    server = serve(type("Site", (Good,), redirect)())
    done = doctor(server.url, "--page", "/members/")
    assert done.returncode == 1 and other.seen == []
    assert {path.partition("?")[0] for _, path, _, _ in server.seen} == {
        "/login", "/session", "/query", "/logout", "/members/", "/graphql",
        "/api/graphql", "/shop-api", "/admin-api"}
    bodies = [body for method, path, _, body in server.seen if method == "POST"]
    assert all(b"password" not in body or b"@invalid.example" in body
               for body in bodies)


def test_paths_and_names_can_be_given(serve):
    class Site(Good):
        def session(self, request):
            status, headers, body = Good.session(self, request)
            headers.pop("Set-Cookie", None)
            if "mine=dead" in request.headers.get("Cookie", ""):
                headers["Set-Cookie"] = CLEARED
            return status, headers, body

        def query(self, request):
            status, headers, body = Good.query(self, request)
            return status, {**headers, "x-token": "leaks"}, body

        def answer(self, request):
            request.path = request.path.replace("/auth", "")
            return Good.answer(self, request)

    server = serve(Site())
    done = doctor(server.url, "--cookie", "mine", "--token-header", "X-Token",
                  "--login", "/auth/login", "--session", "/auth/session",
                  "--query", "/auth/query", "--logout", "/auth/logout")
    assert {path for _, path, _, _ in server.seen if "/auth/" not in path} == {
        "/graphql", "/api/graphql", "/shop-api", "/admin-api"}
    assert {fault.split(": ")[1].split(" reaches")[0]
            for fault in faults_of(done)[1:]} == {"the header x-token"}
    assert b"not tried: whether X-Session-*" in done.stdout


def test_site_with_tls(serve):
    server = serve(Good())
    certificates = Certificates()
    proxy = TlsProxy(certificates.good, server.server_port, "")
    try:
        url = f"https://localhost:{proxy.port}"
        done = doctor(url, "--page", "/members/", "--ca",
                      certificates.ca + ".pem")
        assert (done.returncode, faults_of(done)) == (0, []), done
        assert done.stderr == b"0 faults\n"
        # The certificate is checked.
        done = doctor(url)
        assert done.returncode == 69 and b"no answer" in done.stdout
    finally:
        proxy.close()
        certificates.close()


def test_site_with_tls_and_without_hsts(serve):
    server = serve(type("Site", (Good,), changed(
        "login", Strict_Transport_Security=None))())
    certificates = Certificates()
    proxy = TlsProxy(certificates.good, server.server_port, "")
    try:
        done = doctor(f"https://localhost:{proxy.port}", "--page", "/members/",
                      "--ca", certificates.ca + ".pem")
        assert done.returncode == 1
        (fault,) = faults_of(done)
        assert "Strict-Transport-Security" in fault
    finally:
        proxy.close()
        certificates.close()


def test_site_that_does_not_answer():
    done = doctor(f"http://127.0.0.1:{closed_port()}")
    assert done.returncode == 69
    assert (b"/login: no answer: cannot connect: Connection refused\n"
            in done.stdout), done


def test_answer_cannot_move_the_cursor(serve):
    server = serve(type("Site", (Good,), cleared(
        CLEARED.replace("__Host-", "a\x9b2J")))())
    done = doctor(server.url)
    assert b"\x1b" not in done.stdout and b"\x9b" not in done.stdout


def test_bodies_without_an_end_do_not_hold_it_up():
    """Each of them would otherwise take the whole timeout of an answer."""
    class Endless(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            try:
                self.wfile.write(LOGIN_PAGE)
                while True:
                    self.wfile.write(bytes(65536))
            except OSError:
                pass

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        begin = time.monotonic()
        done = doctor(f"http://127.0.0.1:{server.server_port}")
        assert time.monotonic() - begin < 20
        assert done.returncode == 1
        assert b"ok     /login: a login form" in done.stdout
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("arguments", [
    [], ["shop.example"], ["https://shop.example/path"], ["ftp://a.example"],
    ["http://a.example", "http://b.example"], ["http://a.example", "--page"],
    ["http://a.example", "--page", "members"], ["http://a.example", "--x", "y"],
    ["http://u:p@a.example"], ["http://a.example/#x"]], ids=" ".join)
def test_wrong_arguments_are_refused(arguments):
    done = doctor(*arguments)
    assert (done.returncode, done.stdout) == (64, b"")
