# SPDX-License-Identifier: ISC
"""POSTERN_REFRESH_DOCUMENT: a backend with short-lived tokens. Both stores.

The backend rotates its refresh tokens, and ends all tokens of a login when a
refresh token comes a second time. The programs run as they do behind a web
server; the test is the web server (fcgi.py).
"""
import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import canary
import fcgi
import gateway as gateways
import pytest
from gateway import BUILD, COOKIE, POSTERN, wait_until
from redis_server import Redis
from scripted_backend import ScriptedBackend
from test_engine import body_of, code_of, params_of
from test_serve import Program, environment

LOGIN = """mutation ($email: String!, $password: String!) {
    login(email: $email, password: $password) {
        secret ttl email ownerId refreshToken }}"""
REFRESH = """mutation ($refreshToken: String!) {
    renew(refreshToken: $refreshToken) { secret ttl refreshToken }}"""
REFRESH_WITH_OWNER = REFRESH.replace("ttl", "ttl ownerId")
LATE = 600  # seconds


class Family:
    """What one login has led to."""

    def __init__(self, email):
        self.email = email
        self.is_alive = True
        self.tokens = 0


class RefreshBackend(ScriptedBackend):
    """
    ttls     how many seconds the next access tokens live; then LATE
    fill     added to each access token
    answer   what the refresh does instead: a function of (writer)
    """

    def __init__(self, ttls=(), fill="", in_header=False, **options):
        self.ttls, self.fill, self.in_header = list(ttls), fill, in_header
        self.access = {}         # token: (family, its end)
        self.refresh = {}        # token: family
        self.spent = set()
        self.reused = 0
        self.answer = None
        self.owner = None        # whose tokens a refresh gives instead
        self.held = 0            # refreshes that wait for may_answer
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.dropped = []        # tokens that were logged out
        super().__init__(**options)

    def begin_tokens(self, family):
        family.tokens += 1
        name = f"{family.email}-{family.tokens}-{os.urandom(6).hex()}"
        access, refresh = "access-" + name + self.fill, "refresh-" + name
        ttl = self.ttls.pop(0) if self.ttls else LATE
        self.access[access] = (family, time.monotonic() + ttl)
        self.refresh[refresh] = family
        return {"secret": access, "ttl": ttl, "refreshToken": refresh}

    def user_of(self, token):
        family, end = self.access.get(token, (None, 0))
        if not family or not family.is_alive or time.monotonic() >= end:
            return None
        return {"email": family.email, "ownerId": family.email.partition("@")[0]}

    def refuse(self, writer, status=200):
        body = json.dumps({"data": None, "errors": [{
            "message": "who are you?",
            "extensions": {"code": "UNAUTHENTICATED"}}]}).encode()
        return self.send_raw(writer, body, status)

    @staticmethod
    def send_raw(writer, body, status=200, more=b"", kind=b"application/json"):
        writer.write(b"HTTP/1.1 %d X\r\nContent-Type: %b\r\n%b"
                     b"Content-Length: %d\r\n\r\n%b"
                     % (status, kind, more, len(body), body))
        return True

    def give(self, writer, field, tokens, family):
        if self.owner:
            family = Family(self.owner)
        tokens = {**tokens, "email": family.email,
                  "ownerId": family.email.partition("@")[0]}
        more = b""
        if self.in_header:
            more = b"x-token: %b\r\n" % tokens.pop("secret").encode()
        return self.send_raw(
            writer, json.dumps({"data": {field: tokens}}).encode(), more=more)

    async def _login(self, reader, writer, request, body):
        family = Family(json.loads(body)["variables"]["email"])
        return self.give(writer, "login", self.begin_tokens(family), family)

    async def _renew(self, reader, writer, request, body):
        """Rotation, and detection of reuse."""
        self.held += 1
        while not self.may_answer.is_set():
            await asyncio.sleep(0.005)
        self.held -= 1
        if self.answer:
            return self.answer(writer)
        token = json.loads(body)["variables"]["refreshToken"]
        family = self.refresh.get(token)
        if token in self.spent:
            self.reused += 1
            family.is_alive = False
        if not family or not family.is_alive:
            return self.refuse(writer)
        self.spent.add(token)
        return self.give(writer, "renew", self.begin_tokens(family), family)

    async def _me(self, reader, writer, request, body):
        user = self.user_of(request.token)
        if request.token and not user:
            return self.refuse(writer)
        return self._send(writer, {"me": user})

    async def _logout(self, reader, writer, request, body):
        if not self.user_of(request.token):
            return self.refuse(writer)
        self.dropped.append(request.token)
        self.access[request.token][0].is_alive = False
        return self._send(writer, {"logout": True})

    def secrets(self):
        return [*self.access, *self.refresh]


class Site:
    """The programs of one site, started when they are first needed."""

    def __init__(self, folder, backend, variables):
        self.folder, self.backend, self.variables = folder, backend, variables
        self.programs = {}
        self.seen = []  # what clients got

    def path(self, program="query", number=0):
        if (program, number) not in self.programs:
            path = str(self.folder / f"{program}-{number}.sock")
            self.programs[program, number] = Program(
                command=[os.path.join(BUILD, "cgi-bin", program),
                         "--listen", "unix:" + path],
                **{"POSTERN_LOOPS": "2", **self.variables}), path
        return self.programs[program, number][1]

    def log(self, program="query", number=0):
        return self.programs[program, number][0]

    def begin(self, name="me", cookie=None, program="query", number=0,
              bearer=None, **more):
        """A connection with one request; read() its answer."""
        body = name if isinstance(name, bytes) else body_of(name)
        if bearer:
            more["HTTP_AUTHORIZATION"] = "Bearer " + bearer
        connection = fcgi.Connection(self.path(program, number))
        connection.start(params_of(body, cookie, **more))
        connection.feed(body)
        return connection

    def read(self, connection):
        with connection:
            answer = connection.answer()
        self.seen.append(answer.stdout)
        return answer

    def send(self, *arguments, **more):
        return self.read(self.begin(*arguments, **more))

    def log_in(self, email="mine@b.example", **more):
        """The cookie's value, or the bearer token."""
        answer = self.send(json.dumps({
            "email": email, "password": "x", **more}).encode(),
            program="login")
        assert answer.status == 200, answer.stdout
        return cookie_in(answer) or answer.header("vendure-auth-token")

    def claims(self, token):
        """With the tokens hidden."""
        done = subprocess.run(
            [POSTERN, "open", "-"], input=token.encode(), timeout=30,
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment(**self.variables))
        self.seen.append(done.stdout)
        return json.loads(done.stdout)

    def close(self):
        for program, _ in self.programs.values():
            if program.process.poll() is None:
                assert program.stop() == 0, program.log
        text = b"".join(self.seen)
        for program, _ in self.programs.values():
            text += program.log.encode()
            for word in "Sanitizer", "runtime error", "PST_REQUIRE":
                assert word not in program.log
        for secret in self.backend.secrets():
            for form in canary.encodings_of(secret.encode()):
                assert form not in text, secret


def cookie_in(answer):
    """The session's cookie in an answer: None, or "" where it is cleared."""
    values = [value.partition("=")[2].partition(";")[0]
              for value in answer.all("Set-Cookie")
              if value.startswith(COOKIE + "=")]
    return values[-1] if values else None


def email_of(answer):
    assert answer.status == 200, answer.stdout
    user = json.loads(answer.body)["data"]["me"]
    return user and user["email"]


@pytest.fixture(name="make_site")
def make_site_fixture(tmp_path):
    """make_site(store, backend options…, NAME=value…) returns a Site."""
    with contextlib.ExitStack() as stack:
        def make(store, login=LOGIN, refresh=REFRESH, ttls=(), fill="",
                 in_header=False, **variables):
            backend = RefreshBackend(ttls, fill, in_header)
            stack.callback(backend.close)
            folder = tmp_path / str(len(os.listdir(tmp_path)))
            folder.mkdir()
            (folder / "login").write_text(login)
            (folder / "refresh").write_text(refresh)
            site = Site(folder, backend, {
                "COOKIE_SESSION_SECRET": gateways.make_secret().strip(),
                "POSTERN_UPSTREAM": backend.url,
                "POSTERN_LOGIN_DOCUMENT": str(folder / "login"),
                "POSTERN_REFRESH_DOCUMENT": str(folder / "refresh"),
                "POSTERN_REFRESH_TOKEN": "refreshToken",
                "POSTERN_LOGIN_FLOOR": "0", "POSTERN_DRAIN": "5s",
                "POSTERN_LOGIN_PER_ADDRESS": "off",
                "POSTERN_STORE": f"lmdb:{folder}/store", **store,
                **variables})
            stack.callback(site.close)
            return site
        yield make


@pytest.fixture(name="site")
def site_fixture(make_site, store):
    """The first token must be refreshed at once; the next one lasts."""
    return make_site(store, ttls=[1])


def refreshes(site):
    assert site.backend.reused == 0
    return len(site.backend.named("renew"))


def test_a_user_stays_logged_in(make_site):
    """For longer than two tokens live. Nothing else is sent to the backend."""
    site = make_site({}, ttls=[5] * 9)
    cookie = site.log_in()
    end = time.monotonic() + 12
    while time.monotonic() < end:
        answer = site.send(cookie=cookie)
        assert email_of(answer) == "mine@b.example"
        cookie = cookie_in(answer) or cookie
        time.sleep(0.25)
    assert 2 <= refreshes(site) <= 4
    assert len({request.token for request in site.backend.named("me")}) \
        == 1 + refreshes(site)
    assert "event=token-refreshed" in site.log().log


def test_parallel_requests_refresh_once(site):
    """Fifty, to two processes of two loops each."""
    cookie = site.log_in()
    site.backend.may_answer.clear()
    connections = [site.begin(cookie=cookie, number=i % 2) for i in range(50)]
    assert wait_until(lambda: site.backend.named("renew"))
    time.sleep(0.5)  # the others wait
    site.backend.may_answer.set()
    answers = [site.read(connection) for connection in connections]
    assert {email_of(answer) for answer in answers} == {"mine@b.example"}
    assert refreshes(site) == 1
    # All of them got the new token, and none was sent the old one.
    assert all(cookie_in(answer) for answer in answers)
    assert len({request.token for request in site.backend.named("me")}) == 1
    # A cookie of any answer has the new token: nothing is due.
    assert email_of(site.send(cookie=cookie_in(answers[7]))) == "mine@b.example"
    assert refreshes(site) == 1


def test_plain_cgi_refreshes_once(site):
    """Each request is a process."""
    cookie = site.log_in()
    text = body_of("me")
    processes = [subprocess.Popen(
        [os.path.join(BUILD, "cgi-bin/query")], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(**{**site.variables, **params_of(text, cookie)}))
        for _ in range(8)]
    for process in processes:
        process.stdin.write(text)
        process.stdin.close()
    for process in processes:
        with process:
            got = process.stdout.read()
            assert b'"mine@b.example"' in got, process.stderr.read()
            site.seen.append(got)
    assert refreshes(site) == 1


def test_old_cookies_keep_working(make_site, store):
    """Six tokens later, too, and in another process."""
    site = make_site(store, ttls=[1] * 7)
    first = site.log_in()
    for count in range(1, 7):
        answer = site.send(cookie=first, number=count % 2)
        assert email_of(answer) == "mine@b.example"
        assert cookie_in(answer) not in (None, "", first)
        assert refreshes(site) == count
        time.sleep(1)
    assert email_of(site.send(cookie=first)) == "mine@b.example"


def test_a_token_that_has_ended_is_refreshed(site):
    cookie = site.log_in()
    time.sleep(1.2)
    answer = site.send(cookie=cookie)
    assert email_of(answer) == "mine@b.example"
    assert refreshes(site) == 1


def test_the_backend_refuses(site):
    for answer in (site.backend.refuse,
                   lambda writer: site.backend.refuse(writer, 401),
                   lambda writer: site.backend._send(writer, {"renew": None}),
                   lambda writer: site.backend.send_raw(
                       writer, b"no", 401, kind=b"text/plain")):
        site.backend.ttls = [1]
        site.backend.answer = answer
        cookie = site.log_in()
        before = len(site.backend.named("me"))
        got = site.send(cookie=cookie)
        assert (got.status, code_of(got)) == (401, "UNAUTHENTICATED")
        assert cookie_in(got) == ""
        site.log().wait_for("event=token-refresh-refused")
        # The session is revoked; nothing was sent with its token.
        assert email_of(site.send(cookie=cookie)) is None
        assert site.backend.named("me")[-1].token is None
        assert len(site.backend.named("me")) == before + 1


def test_a_login_without_password_goes_on(make_site):
    """Whatever becomes of the token of the session before it."""
    site = make_site({})
    (site.folder / "second").write_text(LOGIN.replace(
        "$email: String!, $password: String!", "$code: String!").replace(
        "login(email: $email, password: $password)", "redeem(code: $code)"))
    site.variables["POSTERN_LOGIN_DOCUMENT"] += f" {site.folder}/second"

    async def redeem(reader, writer, request, body):
        assert not request.token
        family = Family("other@b.example")
        return site.backend.give(writer, "redeem",
                                 site.backend.begin_tokens(family), family)

    site.backend._redeem = redeem
    for answer in (site.backend.refuse, lambda writer: site.backend.send_raw(
            writer, b"<html>", 502)):
        site.backend.ttls = [1]
        cookie = site.log_in()
        time.sleep(1.2)
        site.backend.answer = answer
        got = site.send(json.dumps({
            "query": "mutation ($c: String!) { redeem(code: $c) { email } }",
            "variables": {"c": "x"}}).encode(), cookie=cookie)
        assert got.status == 200, got.stdout
        site.backend.answer = None
        assert email_of(site.send(cookie=cookie_in(got))) == "other@b.example"


def test_the_backend_refuses_a_bearer(make_site):
    site = make_site({}, ttls=[1], POSTERN_TOKEN_METHOD="bearer")
    bearer = site.log_in()
    site.backend.answer = site.backend.refuse
    answer = site.send(bearer=bearer)
    assert (answer.status, code_of(answer)) == (401, "UNAUTHENTICATED")
    assert answer.header("vendure-auth-token") == ""
    assert answer.header("WWW-Authenticate").startswith("Bearer")


def test_the_backend_is_down(make_site):
    """The old token is used while it is valid; the session stays."""
    site = make_site({}, ttls=[12], POSTERN_FIRST_BYTE_TIMEOUT="1s")
    cookie = site.log_in()
    end = site.claims(cookie)["refresh"]["end"]

    def fail(status):
        site.backend.answer = lambda writer: site.backend.send_raw(
            writer, b"<html>", status)
        return site.send(cookie=cookie)

    assert email_of(fail(500)) == "mine@b.example"
    assert not site.backend.named("renew")
    time.sleep(end - 2.9 - time.time())  # due three seconds before its end
    assert email_of(fail(500)) == email_of(fail(404)) == "mine@b.example"
    assert len(site.backend.named("renew")) == 2
    time.sleep(end + 0.02 - time.time())
    for status in 503, 429:
        answer = fail(status)
        assert (answer.status, code_of(answer)) == (502, "UPSTREAM_INVALID")
        assert cookie_in(answer) is None
    site.backend.may_answer.clear()
    # The others do not try again after the one for which they waited.
    connections = [site.begin(cookie=cookie) for _ in range(5)]
    answers = [site.read(connection) for connection in connections]
    assert {answer.status for answer in answers} <= {502, 504}
    assert len(site.backend.named("renew")) == 5
    # The one that was not answered in time fails, too: nothing is spent.
    site.backend.may_answer.set()
    assert wait_until(lambda: site.backend.held == 0)
    site.backend.answer = None
    assert email_of(site.send(cookie=cookie)) == "mine@b.example"
    assert "event=token-refresh-failed" in site.log().log


def test_a_logout_meanwhile(site):
    """The new tokens are dropped, and end at the backend."""
    cookie = site.log_in()
    site.backend.may_answer.clear()
    waiting = site.begin(cookie=cookie)
    assert wait_until(lambda: site.backend.named("renew"))
    logout = site.send(b"{}", cookie=cookie, program="logout")
    assert logout.status == 200 and cookie_in(logout) == ""
    site.backend.may_answer.set()
    answer = site.read(waiting)
    assert (answer.status, code_of(answer)) == (401, "UNAUTHENTICATED")
    assert cookie_in(answer) is None  # the browser may have a new session
    newest = list(site.backend.access)[-1]
    assert site.backend.dropped[-1] == newest
    assert not site.backend.named("me")
    assert email_of(site.send(cookie=cookie)) is None
    assert refreshes(site) == 1


def test_a_logout_everywhere_meanwhile(site):
    cookie = site.log_in()
    site.backend.may_answer.clear()
    waiting = site.begin(cookie=cookie)
    assert wait_until(lambda: site.backend.named("renew"))
    other = site.log_in()
    assert site.send(b'{"everywhere":1}', cookie=other,
                     program="logout").status == 200
    site.backend.may_answer.set()
    assert site.read(waiting).status == 401
    assert not site.backend.named("me")
    assert email_of(site.send(cookie=cookie)) is None


def test_a_logout_with_a_dead_token(site):
    """The backend's logout gets a token that it accepts."""
    cookie = site.log_in()
    time.sleep(1.2)
    assert site.send(b"{}", cookie=cookie, program="logout").status == 200
    assert refreshes(site) == 1
    assert site.backend.dropped == [list(site.backend.access)[-1]]


def test_a_logout_with_an_old_cookie(site):
    """It takes the newest token before it deletes it."""
    cookie = site.log_in()
    assert email_of(site.send(cookie=cookie)) == "mine@b.example"
    time.sleep(1.2)
    assert site.send(b"{}", cookie=cookie, program="logout").status == 200
    assert refreshes(site) == 1
    assert site.backend.dropped == [list(site.backend.access)[-1]]


def test_a_client_that_leaves_loses_nothing(site):
    cookie = site.log_in()
    site.backend.may_answer.clear()
    waiting = site.begin(cookie=cookie)
    assert wait_until(lambda: site.backend.named("renew"))
    waiting.close()
    time.sleep(0.2)  # the program has noticed, if it looks
    site.backend.may_answer.set()
    assert site.log().wait_for("event=token-refreshed")
    assert email_of(site.send(cookie=cookie)) == "mine@b.example"
    assert refreshes(site) == 1
    assert not site.backend.named("renew")[0].gone_at


def test_a_cgi_program_that_is_to_end_loses_nothing(site):
    """A web server sends SIGTERM when the client has gone."""
    cookie = site.log_in()
    site.backend.may_answer.clear()
    text = body_of("me")
    with subprocess.Popen(
            [os.path.join(BUILD, "cgi-bin/query")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment(**{**site.variables,
                               **params_of(text, cookie)})) as process:
        process.stdin.write(text)
        process.stdin.close()
        assert wait_until(lambda: site.backend.named("renew"))
        process.terminate()
        time.sleep(0.2)
        site.backend.may_answer.set()
        assert process.wait(10) == -15
    assert email_of(site.send(cookie=cookie)) == "mine@b.example"
    assert refreshes(site) == 1


def test_a_remembered_session_stays_so(site):
    cookie = site.log_in(rememberMe=True)
    answer = site.send(cookie=cookie)
    assert email_of(answer) == "mine@b.example"
    line, = answer.all("Set-Cookie")
    assert "; Max-Age=2591" in line or "; Max-Age=2592000" in line


def test_a_bearer_session(make_site, store):
    site = make_site(store, ttls=[1], POSTERN_TOKEN_METHOD="bearer")
    bearer = site.log_in()
    answer = site.send(bearer=bearer)
    assert email_of(answer) == "mine@b.example"
    newer = answer.header("vendure-auth-token")
    assert newer and newer != bearer
    for token in bearer, newer:
        assert email_of(site.send(bearer=token)) == "mine@b.example"
    assert refreshes(site) == 1


def test_a_session_in_the_store(make_site, store):
    """Its cookie has only a key; a late renewal with the old tokens does not
    bring them back."""
    site = make_site(store, ttls=[1], fill="x" * 6000)
    cookie = site.log_in()
    assert len(cookie) < 1000
    connections = [site.begin(cookie=cookie, number=i % 2) for i in range(10)]
    for connection in connections:
        assert email_of(site.read(connection)) == "mine@b.example"
    assert email_of(site.send(cookie=cookie)) == "mine@b.example"
    assert refreshes(site) == 1


def test_a_signed_token_hides_both(make_site):
    site = make_site({}, ttls=[1], POSTERN_TOKEN_FORMAT="signed")
    cookie = site.log_in()
    answer = site.send(cookie=cookie)
    assert email_of(answer) == "mine@b.example"
    for token in cookie, cookie_in(answer):
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        assert claims["refresh"]["token"].count(".") == 4  # a JWE
        assert set(claims["refresh"]) == {"token", "begun", "end"}
    assert email_of(site.send(cookie=cookie)) == "mine@b.example"
    assert refreshes(site) == 1
    assert site.claims(cookie)["refresh"]["token"] == "(hidden)"


def test_the_session_outlives_the_token(site):
    """Its end is that of POSTERN_LIFETIME."""
    cookie = site.log_in()
    answer = fcgi.request(site.path("session"), "GET", "",
                          HTTP_COOKIE=f"{COOKIE}={cookie}")
    site.seen.append(answer.stdout)
    session = json.loads(answer.body)["data"]["session"]
    assert session["secondsLeft"] > 1000
    assert session["who"] == {"email": "mine@b.example", "ownerId": "mine"}


def test_a_token_without_refresh_token_ends_the_session(make_site):
    site = make_site({}, ttls=[1])
    site.backend.begin_tokens = lambda family, begin=site.backend.begin_tokens: {
        **begin(family), "refreshToken": None}
    cookie = site.log_in()
    site.log("login").wait_for("event=token-not-refreshable")
    time.sleep(1.2)
    assert email_of(site.send(cookie=cookie)) is None
    assert refreshes(site) == 0


def test_a_refresh_token_that_is_not_rotated(make_site):
    """And a new token without an end: it lives as long as the one before."""
    site = make_site({}, ttls=[1])
    cookie = site.log_in()
    sent = []

    def answer(writer):
        sent.append(time.monotonic())
        token = f"access-again-{len(sent)}"
        site.backend.access[token] = (Family("mine@b.example"),
                                      time.monotonic() + 60)
        return site.backend._send(writer, {"renew": {
            "secret": token, "ttl": None, "refreshToken": None}})

    site.backend.answer = answer
    for count in 1, 2:
        assert email_of(site.send(cookie=cookie)) == "mine@b.example"
        assert len(sent) == count
        time.sleep(1.2)


def test_clients_see_no_token(make_site):
    site = make_site({})
    login = json.dumps({"query": LOGIN, "variables": {
        "email": "mine@b.example", "password": "x"}}).encode()
    answer = site.send(login)
    assert answer.status == 200
    assert json.loads(answer.body)["data"]["login"] == {
        "secret": None, "refreshToken": None, "email": "mine@b.example",
        "ownerId": "mine", "ttl": LATE}
    cookie = cookie_in(answer)
    for document in ("{ me { refreshToken } }", "{ a: refreshToken }",
                     'mutation { renew(refreshToken: "x") { refreshToken } }',
                     'mutation { renew(refreshToken: "x") { secret } }'):
        answer = site.send(document, cookie=cookie)
        assert (answer.status, code_of(answer)) == (400, "SECRET_FIELD")
    assert refreshes(site) == 0


def test_authorize_hands_out_a_good_token(site):
    site.variables["POSTERN_AUTHORIZE_UPSTREAM"] = "on"
    cookie = site.log_in()

    def authorize(**more):
        answer = fcgi.request(site.path("authorize"), "GET", "",
                              HTTP_COOKIE=f"{COOKIE}={cookie}", **more)
        assert answer.status == 200, answer.stdout
        return answer

    # Without a subrequest no token is handed out, and none is needed.
    assert not authorize().header("X-Session-Authorization")
    assert refreshes(site) == 0
    for _ in range(2):
        answer = authorize(AUTH_REQUEST="/page")
        token = answer.header("X-Session-Authorization")
        assert token == "Bearer " + list(site.backend.access)[-1]
        assert cookie_in(answer) not in (None, "", cookie)
    assert refreshes(site) == 1
    site.backend.ttls = [1]
    cookie = site.log_in()
    site.backend.answer = site.backend.refuse
    answer = fcgi.request(site.path("authorize"), "GET", "",
                          HTTP_COOKIE=f"{COOKIE}={cookie}", AUTH_REQUEST="/a")
    assert answer.status == 401


def test_ordered_requests(make_site, store):
    """A request holds both locks, and a GET waits for the other one only."""
    site = make_site(store, ttls=[1, 1], POSTERN_ORDERED="on")
    cookie = site.log_in()
    connections = [site.begin(cookie=cookie, number=i % 2) for i in range(8)]
    answers = [site.read(connection) for connection in connections]
    assert {email_of(answer) for answer in answers} == {"mine@b.example"}
    assert 1 <= refreshes(site) <= 8
    site.backend.ttls = []
    answer = fcgi.request(site.path(), "GET", "query=%7Bme%7D",
                          HTTP_COOKIE=f"{COOKIE}={cookie}")
    assert email_of(answer) == "mine@b.example"
    assert site.send(b"{}", cookie=cookie, program="logout").status == 200
    assert site.backend.dropped


def test_another_users_tokens_end_the_session(make_site):
    site = make_site({}, refresh=REFRESH_WITH_OWNER, ttls=[1])
    cookie = site.log_in()
    site.backend.owner = "other@b.example"
    answer = site.send(cookie=cookie)
    assert answer.status == 401 and cookie_in(answer) == ""
    site.log().wait_for("event=identity-changed")
    assert not site.backend.named("me")
    assert site.backend.dropped == [list(site.backend.access)[-1]]


def test_a_token_in_a_header(make_site, store):
    """The login's and the refresh's; the backend is asked whose it is."""
    site = make_site(store, login=LOGIN.replace("secret", ""), ttls=[1],
                     refresh=REFRESH.replace("secret", ""), in_header=True,
                     POSTERN_UPSTREAM_TOKEN="header:x-token")
    (site.folder / "who").write_text("{ me { ownerId email } }")
    site.variables["POSTERN_WHO_DOCUMENT"] = str(site.folder / "who")
    cookie = site.log_in()
    connections = [site.begin(cookie=cookie, number=i % 2) for i in range(10)]
    answers = [site.read(connection) for connection in connections]
    assert {email_of(answer) for answer in answers} == {"mine@b.example"}
    assert refreshes(site) == 1
    # A GraphQL client's login has a refresh token, too.
    site.backend.ttls = [1]
    answer = site.send(json.dumps({
        "query": LOGIN.replace("secret", ""),
        "variables": {"email": "two@b.example", "password": "x"}}).encode())
    assert answer.status == 200, answer.stdout
    assert json.loads(answer.body)["data"]["login"]["refreshToken"] is None
    assert email_of(site.send(cookie=cookie_in(answer))) == "two@b.example"
    assert refreshes(site) == 2


def test_nobody_confirms_the_new_token(make_site):
    """The tokens stay; the next request asks first."""
    site = make_site({}, ttls=[1])
    (site.folder / "who").write_text("{ me { ownerId email } }")
    site.variables["POSTERN_WHO_DOCUMENT"] = str(site.folder / "who")
    cookie = site.log_in()
    me = site.backend._me

    async def broken(reader, writer, request, body):
        return site.backend.send_raw(writer, b"<html>", 500)

    site.backend._me = broken
    for _ in range(2):
        answer = site.send(cookie=cookie)
        assert (answer.status, code_of(answer)) == (502, "UPSTREAM_INVALID")
        assert cookie_in(answer) is None
    site.backend._me = me
    assert email_of(site.send(cookie=cookie)) == "mine@b.example"
    assert refreshes(site) == 1


def test_the_store_is_down(make_site):
    redis = Redis()
    try:
        site = make_site({"POSTERN_STORE": redis.url}, ttls=[1])
        cookie = site.log_in()
        redis.kill()
        answer = site.send(cookie=cookie)
        assert (answer.status, code_of(answer)) == (503, "STORE_UNAVAILABLE")
        assert refreshes(site) == 0
    finally:
        redis.close()


def test_a_lease_is_lost(make_site):
    """Redis stands still while the backend answers: nobody else sends the same
    refresh token, and the new tokens are stored."""
    redis = Redis()
    try:
        site = make_site({"POSTERN_STORE": redis.url}, ttls=[1])
        cookie = site.log_in()
        site.path(number=1)
        site.backend.may_answer.clear()
        first = site.begin(cookie=cookie)
        assert wait_until(lambda: site.backend.named("renew"))
        os.kill(redis.process.pid, signal.SIGSTOP)
        time.sleep(2)  # a lease is one second
        os.kill(redis.process.pid, signal.SIGCONT)
        assert site.send(cookie=cookie, number=1).status == 502
        assert "another request has just sent" in site.log(number=1).log
        site.backend.may_answer.set()
        assert email_of(site.read(first)) == "mine@b.example"
        assert email_of(site.send(cookie=cookie, number=1)) == "mine@b.example"
        assert refreshes(site) == 1
    finally:
        redis.close()


def test_the_store_fails_after_a_refresh(make_site):
    """The client has newer tokens than the store."""
    redis = Redis()
    try:
        site = make_site({"POSTERN_STORE": redis.url}, ttls=[1, 4],
                         POSTERN_STORE_GRACE="60s")
        cookie = site.log_in()
        site.backend.may_answer.clear()
        first = site.begin(cookie=cookie)
        assert wait_until(lambda: site.backend.named("renew"))
        os.kill(redis.process.pid, signal.SIGSTOP)
        site.backend.may_answer.set()
        cookie = cookie_in(site.read(first))
        os.kill(redis.process.pid, signal.SIGCONT)
        assert "event=token-refresh-not-stored" in site.log().log
        time.sleep(4.5)  # until that token has ended, too
        assert wait_until(lambda: site.send(cookie=cookie).status == 200)
        assert email_of(site.send(cookie=cookie)) == "mine@b.example"
        assert refreshes(site) == 2
    finally:
        redis.close()


@pytest.mark.parametrize("size", [10000, 11500])
def test_large_tokens(make_site, size):
    """Both of them, and never lost for lack of memory."""
    site = make_site({}, ttls=[1] * 3, fill="x" * size)
    begin = site.backend.begin_tokens

    def begin_large(family):
        tokens = begin(family)
        large = tokens["refreshToken"] + "y" * size
        site.backend.refresh[large] = site.backend.refresh.pop(
            tokens["refreshToken"])
        return {**tokens, "refreshToken": large}

    site.backend.begin_tokens = begin_large
    cookie = site.log_in()
    for _ in range(4):
        assert email_of(site.send(cookie=cookie)) == "mine@b.example"
        time.sleep(1)
    assert refreshes(site) == 3


def test_tokens_that_are_too_large(make_site):
    site = make_site({}, fill="x" * 12500)
    begin = site.backend.begin_tokens
    site.backend.begin_tokens = lambda family: {
        **begin(family), "refreshToken": "y" * 12500}
    answer = site.send(b'{"email":"a@b.example","password":"x"}',
                       program="login")
    assert (answer.status, code_of(answer)) == (502, "UPSTREAM_INVALID")
    assert "event=session-too-large" in site.log("login").log


def test_check_does_not_refresh(make_site):
    site = make_site({})
    done = subprocess.run(
        [POSTERN, "check"], env=environment(**site.variables), timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert b"POSTERN_REFRESH_DOCUMENT" in done.stdout
    assert b"POSTERN_REFRESH_TOKEN" in done.stdout
    assert not site.backend.spent
