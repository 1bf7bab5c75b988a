# SPDX-License-Identifier: ISC
"""The command `postern`: `secret`, `check`, `open` and `jwk` (design 2.12)."""

import base64
import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

BUILD = os.environ.get("POSTERN_BUILD", ".")
POSTERN = os.path.join(BUILD, "bin/postern")
TOOL = os.path.join(BUILD, "tests/unit/token_tool")

SECRET = "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
OTHER_SECRET = "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"
CANARY = "fnEFz-canary-of-the-backends-token"
NOT_OPEN = (b"postern: this token does not open with the secrets, the audience "
            b"and the format of this environment\n")


def environment(**more):
    return {"PATH": os.environ["PATH"], "COOKIE_SESSION_SECRET": SECRET,
            "POSTERN_UPSTREAM": "http://127.0.0.1:9/graphql",
            "POSTERN_STORE": "none", **more}


def run(*arguments, stdin="", **env):
    return subprocess.run(arguments, input=stdin.encode(), timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(**env))


def postern(*arguments, stdin="", **env):
    return run(POSTERN, *arguments, stdin=stdin, **env)


def seal(claims, purpose="cookie", form="sealed", **env):
    done = run(TOOL, "seal", purpose, form, str(int(time.time())),
               stdin=claims, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def session(**changes):
    now = int(time.time())
    claims = {"v": 2, "sid": "AAECAwQFBgcICQoLDA0ODw", "sub": "42",
              "name": "Ada", "iat": now - 10, "exp": now + 3600,
              "seen": now - 5, "remember": False,
              "who": {"email": "ada@example.com", "ownerId": "42"},
              "upstream": CANARY, **changes}
    return json.dumps(claims, separators=(",", ":"))


def signed_session(purpose="cookie", upstream=json.dumps(CANARY)):
    return seal(session(upstream=seal(upstream, "upstream")), purpose,
                "signed")


# --- arguments ---------------------------------------------------------------


def test_help_lists_the_commands():
    done = postern("--help")
    assert done.returncode == 0 and done.stderr == b""
    for command in (b"secret", b"check", b"open", b"jwk"):
        assert command in done.stdout
        own = postern(command.decode(), "--help")
        assert own.returncode == 0 and own.stderr == b""
        assert own.stdout.startswith(b"usage: postern " + command)
    assert b"- " in postern("open", "--help").stdout


def test_help_command_prints_the_same():
    for word in ("--help", "-h", "help"):
        assert postern(word).stdout == postern("--help").stdout
        assert postern(word).returncode == 0
    for command in ("config", "check"):
        done = postern("help", command)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == postern(command, "--help").stdout
    assert b"help" in postern("--help").stdout


def test_version_is_printed():
    for word in ("--version", "version"):
        done = postern(word)
        assert done.returncode == 0
        assert re.fullmatch(rb"postern \S+\n", done.stdout)


WRONG_ARGUMENTS = [
    [], ["nonsense"], ["help", "nonsense"], ["help", "check", "open"],
    ["--nonsense"], [""], ["secret", "x"], ["check", "x"], ["open"],
    ["open", "a", "b"], ["open", "--all", "a"], ["open", "-", "-"], ["jwk"],
    ["jwk", "--reveal", "a"], ["jwk", "--purpose"],
    ["jwk", "--purpose", "session", "a"], ["jwk", "--purpose", "csrf"]]


@pytest.mark.parametrize("arguments", WRONG_ARGUMENTS, ids=" ".join)
def test_wrong_arguments_are_refused(arguments):
    done = postern(*arguments)
    assert done.returncode == 64  # EX_USAGE
    assert done.stdout == b"" and done.stderr != b""


def test_failure_of_the_output_sets_the_exit_status():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([POSTERN, "secret"], stdout=full,
                              stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 74  # EX_IOERR
    assert b"standard output" in done.stderr


# --- secret ------------------------------------------------------------------


def test_secrets_are_random_and_accepted():
    """R3, R76: a secret has 256 random bits. `postern check` accepts it
    (U29)."""
    seen = set()
    for _ in range(50):
        done = postern("secret", COOKIE_SESSION_SECRET="")
        assert done.returncode == 0 and done.stderr == b""
        assert re.fullmatch(rb"[A-Za-z0-9_-]{43}\n", done.stdout)
        assert len(base64.urlsafe_b64decode(done.stdout.strip() + b"=")) == 32
        seen.add(done.stdout)
    assert len(seen) == 50
    done = postern("check", COOKIE_SESSION_SECRET=seen.pop().decode().strip())
    assert b"COOKIE_SESSION_SECRET:" not in done.stderr


# --- check -------------------------------------------------------------------


REFUSED = {"data": {"login": None}, "errors": [{
    "message": "Wrong.", "path": ["login"]}]}
UNKNOWN_OPERATION = {"errors": [{
    "message": 'Unknown operation named "PosternCheck".'}]}


@pytest.fixture
def backend():
    """A backend that records its requests. It refuses all logins and does not
    know the operation PosternCheck. `answers` overrides this: it maps a word of
    the document to a status, headers and a body."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            self.server.seen.append((self.path, dict(self.headers.items()),
                                     body))
            is_probe = "operationName" in json.loads(body)
            status, headers, answer = next(
                (canned for word, canned in self.server.answers.items()
                 if word in body.decode()),
                (200, {"Content-Type": "application/json"},
                 UNKNOWN_OPERATION if is_probe else REFUSED))
            if not isinstance(answer, bytes):
                answer = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.answers = [], {}
    server.url = f"http://127.0.0.1:{server.server_port}/graphql"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


UNDERSTOOD = ("the login document is understood: the backend refuses a wrong"
              " password")


def test_check_prints_the_settings_and_tests_the_backend(backend):
    done = postern("check", POSTERN_UPSTREAM=backend.url,
                   POSTERN_IDLE_TIMEOUT="1h")
    assert done.returncode == 0 and done.stderr == b"", done
    lines = done.stdout.decode().splitlines()
    table = dict(line.split(None, 1) for line in lines[:-3])
    assert table["POSTERN_UPSTREAM"] == backend.url
    assert table["POSTERN_IDLE_TIMEOUT"] == "1h"
    assert table["POSTERN_COOKIE_NAME"] == "__Host-Http-session"
    assert table["POSTERN_LIFETIME"] == "12h"  # a default
    assert lines[-4:] == [
        "the backend is reachable: status 200", UNDERSTOOD,
        "its answer to a made-up name and password: "
        + REFUSED["errors"][0]["message"],
        "the logout document fits the backend's schema"]
    assert SECRET not in done.stdout.decode()
    # A login of an unknown user, and a logout that is not executed.
    login, logout = [json.loads(body) for _, _, body in backend.seen]
    name = login["variables"]["email"]
    assert re.fullmatch(r"postern-check-[0-9a-f]{32}@invalid\.example", name)
    assert login["variables"] == {"email": name, "password": name}
    assert "secret" in login["query"] and "operationName" not in login
    assert logout["operationName"] == "PosternCheck"
    assert "logout" in logout["query"]
    for path, headers, _ in backend.seen:
        assert path == "/graphql"
        assert headers["Content-Type"] == "application/json"
        assert "Authorization" not in headers and "Cookie" not in headers
    postern("check", POSTERN_UPSTREAM=backend.url)
    assert name.encode() not in backend.seen[2][2]  # a new name each time


HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
SCHEMA_ERROR = {"errors": [{"message": 'Cannot query field "x" on type "Y".',
                            "locations": [{"line": 1, "column": 2}]}]}
# For each case: a word of the document, the backend's answer to it, the
# variable that check names, and words of its message.
MISCONFIGURATIONS = {
    "a page": ("login", (200, HTML, b"<h1>Welcome</h1>"),
               "POSTERN_UPSTREAM", ["the answer is an HTML page (status 200)",
                                    "correct the path"]),
    "a page for a 404": ("login", (404, HTML, b"<h1>Not found</h1>"),
                         "POSTERN_UPSTREAM",
                         ["the answer is an HTML page (status 404)"]),
    "a page for a 500": ("login", (500, HTML, b"<h1>Oops</h1>"),
                         "POSTERN_UPSTREAM", ["HTML page", "status 500"]),
    "wrong path": ("login", (404, JSON, {"errors": [
        {"message": "no such path"}]}), "POSTERN_UPSTREAM",
                   ["status 404", "not from a GraphQL server",
                    "check the host and the path"]),
    "POST not allowed": ("login", (405, {"Content-Type": "text/plain"}, b"no"),
                         "POSTERN_UPSTREAM", ["status 405", "text/plain"]),
    "not a GraphQL API": ("login", (200, JSON, {"status": "ok"}),
                          "POSTERN_", ["status 200"]),
    "a redirect": ("login", (301, {"Location": "https://shop.example/api"},
                             b""), "POSTERN_UPSTREAM",
                   ["https://shop.example/api", "redirects (status 301)",
                    "never followed"]),
    "another schema": ("login", (400, JSON, SCHEMA_ERROR),
                       "POSTERN_LOGIN_DOCUMENT",
                       ["does not fit the backend's schema",
                        'Cannot query field "x" on type "Y".']),
    "other variables": ("login", (400, JSON, {"errors": [{
        "message": "Variable $email of type Email", "extensions": {
            "code": "BAD_USER_INPUT"}}]}), "POSTERN_LOGIN_DOCUMENT",
        ["Variable $email of type Email"]),
    "any login accepted": ("login", (200, JSON, {"data": {"login": {
        "secret": "s" * 43, "email": "a", "ownerId": 1, "ttl": 60}}}),
        "POSTERN_LOGIN_DOCUMENT", ["accepted a login", "made-up"]),
    "another logout": ("logout", (200, JSON, SCHEMA_ERROR),
                       "POSTERN_LOGOUT_DOCUMENT",
                       ["does not fit the backend's schema",
                        'Cannot query field "x"']),
    "another logout, by code": ("logout", (400, JSON, {"errors": [{
        "message": "no field of this operation", "extensions": {
            "code": "GRAPHQL_VALIDATION_FAILED"}}]}),
        "POSTERN_LOGOUT_DOCUMENT", ["no field of this operation"]),
}


@pytest.mark.parametrize("name", MISCONFIGURATIONS)
def test_check_explains_a_misconfiguration(backend, name):
    """U42, design 2.6: one line has the variable, the answer, and what to do.
    The answer is not taken for a wrong password."""
    word, answer, variable, words = MISCONFIGURATIONS[name]
    backend.answers = {"logout": (200, JSON, UNKNOWN_OPERATION), word: answer}
    done = postern("check", POSTERN_UPSTREAM=backend.url)
    assert done.returncode == 78, done  # EX_CONFIG
    line = done.stderr.decode()
    assert line.startswith(variable) and line.count("\n") == 1, line
    for part in words:
        assert part in line, line
    assert (UNDERSTOOD in done.stdout.decode()) == (word == "logout")
    assert b"the backend is reachable: status" in done.stdout


@pytest.mark.parametrize("status, body", [
    (401, b"no"), (403, b""), (401, REFUSED), (400, REFUSED),
    (200, {"errors": [{"message": "Wrong.", "path": ["login"], "extensions": {
        "code": "BAD_USER_INPUT"}}]})])
def test_check_accepts_every_kind_of_refusal(backend, status, body):
    """L59: some backends refuse a login with a status only."""
    backend.answers = {"PosternCheck": (200, JSON, UNKNOWN_OPERATION),
                       "login": (status, {}, body)}
    done = postern("check", POSTERN_UPSTREAM=backend.url)
    assert done.returncode == 0 and done.stderr == b"", done
    assert UNDERSTOOD in done.stdout.decode()


def test_check_tests_all_documents(backend, tmp_path):
    """All login documents, the refresh and logout documents, and the who
    document: without a token there must be no user."""
    files = {}
    for name, text in {
            "login": "mutation($email:String!,$password:String!){login(email:"
                     "$email,password:$password){secret ownerId email ttl "
                     "refreshToken}}",
            "refresh": "mutation{again{secret ownerId email ttl refreshToken}}",
            "renew": "mutation($refreshToken:String!){renew(refreshToken:"
                     "$refreshToken){secret ttl refreshToken}}",
            "who": "{me{ownerId email ttl}}"}.items():
        files[name] = tmp_path / name
        files[name].write_text(text, encoding="ascii")
    variables = {"POSTERN_UPSTREAM": backend.url,
                 "POSTERN_WHO_DOCUMENT": str(files["who"]),
                 "POSTERN_LOGIN_DOCUMENT":
                 f"{files['login']} {files['refresh']}",
                 "POSTERN_REFRESH_DOCUMENT": str(files["renew"]),
                 "POSTERN_REFRESH_TOKEN": "refreshToken",
                 "POSTERN_STORE": f"lmdb:{tmp_path}"}
    no_user = (200, JSON, {"data": {"me": None}})
    backend.answers = {"{me{": no_user}
    done = postern("check", **variables)
    assert done.returncode == 0 and done.stderr == b"", done
    assert done.stdout.decode().splitlines()[-4:] == [
        "the other login document fits the backend's schema",
        "the who document is understood: without a token there is no user",
        "the refresh document fits the backend's schema",
        "the logout document fits the backend's schema"]
    for word, answer, variable in (
            ("again", (400, JSON, SCHEMA_ERROR), "POSTERN_LOGIN_DOCUMENT"),
            ("renew", (400, JSON, SCHEMA_ERROR), "POSTERN_REFRESH_DOCUMENT"),
            ("logout", (400, JSON, SCHEMA_ERROR), "POSTERN_LOGOUT_DOCUMENT"),
            ("{me{", (400, JSON, SCHEMA_ERROR), "POSTERN_WHO_DOCUMENT"),
            ("{me{", (200, JSON, {"data": {"me": {
                "ownerId": 1, "email": "a"}}}), "POSTERN_WHO_DOCUMENT")):
        backend.answers = {"{me{": no_user, word: answer}
        done = postern("check", **variables)
        assert done.returncode == 78, (word, done)
        assert done.stderr.decode().startswith(variable + ": "), done
        assert done.stderr.count(b"\n") == 1, done


def test_check_reports_an_unreachable_backend():
    """U15: the message has the variable and the reason."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # no process listens
        url = "http://127.0.0.1:%d/" % unused.getsockname()[1]
        done = postern("check", POSTERN_UPSTREAM=url)
    assert done.returncode == 69  # EX_UNAVAILABLE
    assert done.stderr.startswith(
        b"POSTERN_UPSTREAM: the backend cannot be reached: ")
    assert b"POSTERN_UPSTREAM" in done.stdout  # the settings are printed too


def test_check_reports_the_error_of_the_store(backend):
    done = postern("check", POSTERN_UPSTREAM=backend.url,
                   POSTERN_STORE="lmdb:/nonexistent/x")
    assert done.returncode == 69
    assert done.stderr.startswith(b"POSTERN_STORE: the folder /nonexistent")
    assert b"is missing" in done.stderr and done.stderr.count(b"\n") == 1
    assert b"the backend is reachable" in done.stdout


def test_check_reports_all_wrong_variables():
    done = postern("check", COOKIE_SESSION_SECRET="hunter2hunter2",
                   POSTERN_UPSTREAM="ftp://x", POSTERN_LIFETIMES="1h",
                   POSTERN_DRAIN="soon")
    assert done.returncode == 78  # EX_CONFIG
    assert done.stdout == b""
    names = [line.split(": ", 1)[0]
             for line in done.stderr.decode().splitlines()]
    assert sorted(names) == ["COOKIE_SESSION_SECRET", "POSTERN_DRAIN",
                             "POSTERN_LIFETIMES", "POSTERN_UPSTREAM"]
    assert b"shorter than 32 bytes" in done.stderr
    assert b"hunter2" not in done.stderr


@pytest.mark.parametrize("command", ["open", "jwk"])
def test_open_and_jwk_refuse_a_wrong_environment(command):
    done = postern(command, "-", stdin=seal(session()), POSTERN_NONSENSE="1")
    assert done.returncode == 78
    assert done.stdout == b""
    assert done.stderr.startswith(b"POSTERN_NONSENSE: ")


# --- open --------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["cookie", "bearer"])
@pytest.mark.parametrize("form", ["sealed", "signed"])
@pytest.mark.parametrize("source", ["argument", "stdin"])
def test_open_prints_the_claims_and_hides_the_backend_token(
        purpose, form, source):
    token = (seal(session(), purpose) if form == "sealed"
             else signed_session(purpose))
    arguments = [token] if source == "argument" else ["-"]
    stdin = "" if source == "argument" else f"  {token}\r\n"
    done = postern("open", *arguments, stdin=stdin, POSTERN_TOKEN_FORMAT=form)
    assert done.returncode == 0, done.stderr
    claims = json.loads(done.stdout)
    assert claims["upstream"] == "(hidden)"
    assert claims["who"] == {"email": "ada@example.com", "ownerId": "42"}
    assert list(claims) == ["v", "sid", "sub", "name", "iat", "exp", "seen",
                            "remember", "who", "upstream"]
    assert CANARY.encode() not in done.stdout + done.stderr
    assert SECRET.encode() not in done.stdout + done.stderr
    assert b"valid; expires at 20" in done.stderr

    done = postern("open", "--reveal", *arguments, stdin=stdin,
                   POSTERN_TOKEN_FORMAT=form)
    assert done.returncode == 0
    assert json.loads(done.stdout)["upstream"] == CANARY


def test_open_prints_one_member_per_line():
    done = postern("open", "-", stdin=seal(session()))
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "{" and lines[-1] == "}"
    assert lines[1] == '  "v": 2,'
    assert '  "who": {' in lines
    assert '    "email": "ada@example.com",' in lines


def test_open_prints_backend_cookies_with_reveal_only():
    cookies = {"session": "s3cret", "session.sig": "s1g"}
    for form, token in (("sealed", seal(session(upstream=cookies))),
                        ("signed", signed_session(
                            upstream=json.dumps(cookies)))):
        done = postern("open", "-", stdin=token, POSTERN_TOKEN_FORMAT=form)
        assert b"s3cret" not in done.stdout
        done = postern("open", "-", "--reveal", stdin=token,
                       POSTERN_TOKEN_FORMAT=form)
        assert json.loads(done.stdout)["upstream"] == cookies


def test_open_escapes_control_characters():
    """C0, DEL and C1 (to a terminal, U+009B is ESC and [); in a member's name
    too. The JSON has the same value."""
    text = "a" + "".join(map(chr, [*range(1, 32), *range(127, 160)])) + "\u00a0\u00c2"
    done = postern("open", "-", stdin=seal(session(
        name=text, who={"email": text, text: "x"})))
    assert done.returncode == 0
    printed = done.stdout.decode()
    assert not [c for c in printed if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")]
    assert json.loads(printed)["name"] == text
    assert json.loads(printed)["who"] == {"email": text, text: "x"}


# Times of the claims in seconds from now, the environment, and the message.
TIMES = {
    "good": ({}, {}, b"valid; expires at 20"),
    "good until idle": ({}, {}, b"without a request, it expires at 20"),
    "expired": ({"iat": -7200, "exp": -1}, {}, b"expired at 20"),
    "idle": ({"iat": -7200, "seen": -1801}, {},
             b"expired: unused for too long, since 20"),
    "idle elsewhere": ({"iat": -7200, "seen": -1801},
                       {"POSTERN_IDLE_TIMEOUT": "1h"}, b"valid; expires at 20"),
    "too old": ({"iat": -7200}, {"POSTERN_LIFETIME": "1h"},
                b"expired: older than its lifetime allows"),
    "future": ({"iat": 500, "seen": 500}, {}, b"refused: it is from the future"),
}


@pytest.mark.parametrize("name", TIMES)
def test_open_reports_the_expiry(name):
    seconds, env, message = TIMES[name]
    now = int(time.time())
    claims = session(**{k: now + v for k, v in seconds.items()})
    done = postern("open", "-", stdin=seal(claims), **env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sub"] == "42"
    assert message in done.stderr
    assert done.stderr.count(b"\n") == (1 if b"valid; " not in done.stderr else 2)


def changed_token():
    good = seal(session())
    return good[:-1] + ("A" if good[-1] != "A" else "B")


INVALID_TOKENS = {
    "nothing": lambda: "",
    "white space": lambda: " \n",
    "not a token": lambda: "hello",
    "two tokens": lambda: f"{seal(session())} {seal(session())}",
    "very long": lambda: "A" * 100000,
    "changed": changed_token,
    "another secret": lambda: seal(session(),
                                   COOKIE_SESSION_SECRET=OTHER_SECRET),
    "another audience": lambda: seal(session(), POSTERN_AUDIENCE="shop"),
    "signed": signed_session,
}
NOT_SESSIONS = {
    "CSRF token": lambda: seal(session(), "csrf"),
    "upstream token": lambda: seal(session(), "upstream"),
    "no claims": lambda: seal("{}"),
    "not JSON": lambda: seal("{"),
    "another version": lambda: seal(session(v=1)),
}


@pytest.mark.parametrize("name", [*INVALID_TOKENS, *NOT_SESSIONS])
def test_all_invalid_tokens_give_the_same_message(name):
    token = {**INVALID_TOKENS, **NOT_SESSIONS}[name]()
    done = postern("open", "--reveal", "-", stdin=token)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", NOT_OPEN)


def test_signed_token_with_an_invalid_upstream_does_not_open():
    for upstream in (CANARY, seal(session()),
                     seal('"x"', "upstream", COOKIE_SESSION_SECRET=OTHER_SECRET)):
        token = seal(session(upstream=upstream), form="signed")
        done = postern("open", "-", stdin=token, POSTERN_TOKEN_FORMAT="signed")
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", NOT_OPEN)


# --- jwk ---------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["cookie", "guest", "bearer", "csrf",
                                     "upstream", "store"])
def test_jwk_finds_the_purpose_of_a_token(purpose):
    token = seal("{}", purpose)
    found = postern("jwk", "-", stdin=token)
    asked = postern("jwk", "--purpose", purpose, token)
    assert found.returncode == asked.returncode == 0
    assert found.stdout == asked.stdout
    assert json.loads(found.stdout)["kty"] == "oct"
    for other in ("cookie", "store"):
        if other != purpose:
            done = postern("jwk", "--purpose", other, "-", stdin=token)
            assert (done.returncode, done.stdout, done.stderr) == (
                1, b"", NOT_OPEN)


def test_jwk_works_for_a_signed_token_and_its_upstream():
    token = signed_session()
    done = postern("jwk", "-", stdin=token, POSTERN_TOKEN_FORMAT="signed")
    assert json.loads(done.stdout)["alg"] == "HS256"
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(
        payload + "=" * (-len(payload) % 4)))
    done = postern("jwk", claims["upstream"], POSTERN_TOKEN_FORMAT="signed")
    assert json.loads(done.stdout)["alg"] == "A256GCM"


@pytest.mark.parametrize("name", INVALID_TOKENS)
def test_jwk_refuses_invalid_tokens(name):
    done = postern("jwk", "-", stdin=INVALID_TOKENS[name]())
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", NOT_OPEN)
