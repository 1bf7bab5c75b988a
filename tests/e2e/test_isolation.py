# SPDX-License-Identifier: ISC
"""Sessions are isolated: on one worker, on one kept connection, and with foreign
or modified cookies (L32, L34, L39, L45; design 2.1, 2.2)."""

import base64
import itertools
import json
import random
import re
import threading

import fcgi
import http_client
import pytest
from gateway import COOKIE, LOGIN, ME, wait_until
from http_client import cookie_of

pytestmark = pytest.mark.quick

ROUNDS = 45  # requests of each of the threads below
SECRET_A = "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
SECRET_B = "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"


# --- two users, one worker ---------------------------------------------------


class Client:
    """Sends requests of one user (None: without a session) and checks that the
    answers contain only that user's data."""

    def __init__(self, gateway, account, seed):
        self.gateway = gateway
        self.account = account
        self.random = random.Random(seed)
        self.cookie = gateway.cookie_for(account) if account else None
        self.renewals = self.checked = 0

    def expected(self):
        """The data of a query."""
        if not self.account:
            return None
        return {"ownerId": self.account.owner, "email": self.account.email}

    def renew(self, set_cookie):
        """Check that a renewed cookie belongs to this user, and keep it."""
        assert self.account, set_cookie
        value = set_cookie.partition("=")[2].partition(";")[0]
        claims = self.gateway.open_token(value)
        assert claims["sub"] == self.account.owner
        self.gateway.private.add(value)
        self.cookie = value
        self.renewals += 1

    def check(self, program, body, cookies):
        answer = json.loads(body)
        self.checked += 1
        if program == "query":
            assert answer == {"data": {"me": self.expected()}}
        else:
            session = answer["data"]["session"]
            assert (session and session["name"]) == (
                self.account and self.account.email)
        for line in cookies:
            self.renew(line)

    def body(self):
        """A query of varying length, to leave buffers in different states."""
        filler = "#" + "x" * self.random.choice((0, 10, 3000, 20000))
        return json.dumps({"query": ME + filler}).encode()


def over_http(client):
    """On one kept HTTP connection to lighttpd."""
    gateway = client.gateway
    with http_client.Connection(gateway.port) as connection:
        for _ in range(ROUNDS):
            program = client.random.choice(("query", "query", "session"))
            if program == "query":
                answer = gateway.post("/query", client.body(),
                                      cookie=client.cookie,
                                      connection=connection)
            else:
                answer = gateway.get("/session", cookie=client.cookie,
                                     connection=connection)
            client.check(program, answer.body, answer.all("set-cookie"))


def over_fastcgi(client):
    """On one kept FastCGI connection to each program. A web server that keeps
    connections shares them between users."""
    gateway = client.gateway
    lines = {name: fcgi.Connection(gateway.socket_of(name))
             for name in ("query", "session")}
    for number in range(ROUNDS):
        program = client.random.choice(("query", "query", "session"))
        body = client.body() if program == "query" else b""
        more = {"CONTENT_TYPE": "application/json"}
        if client.cookie:
            more["HTTP_COOKIE"] = f"{COOKIE}={client.cookie}"
        params = fcgi.params("POST" if body else "GET", "", body, **more)
        for attempt in (1, 2):
            try:
                answer = lines[program].request(params, body, keep=True)
                break
            except (fcgi.IncompleteResponse, OSError):
                # A program at its connection limit may close idle ones.
                assert attempt == 1, number
                lines[program] = fcgi.Connection(gateway.socket_of(program))
        gateway.received.append(answer.stdout)
        assert answer.status == 200
        client.check(program, answer.body, answer.all("set-cookie"))
    for line in lines.values():
        line.close()


def disconnect_early(gateway, cookie, stop):
    """A client with a session that closes before the answer."""
    body = json.dumps({"query": ME}).encode()
    more = {"CONTENT_TYPE": "application/json",
            "HTTP_COOKIE": f"{COOKIE}={cookie}"}
    while not stop.wait(0.02):
        with fcgi.Connection(gateway.socket_of("query")) as connection:
            connection.start(fcgi.params("POST", "", body, **more), keep=True)
            connection.feed(body[:5], end=False)
        with fcgi.Connection(gateway.socket_of("query")) as connection:
            connection.start(fcgi.params("POST", "", body, **more), keep=True)
            connection.feed(body)


@pytest.mark.parametrize("method", [over_http, over_fastcgi])
def test_two_users_on_one_worker(start_own, backend, user, method):
    """L32, L45: 540 requests of two users and without a session, from twelve
    threads, through one worker and its one connection to the backend."""
    gateway = start_own(POSTERN_LOOPS="1", POSTERN_IDLE_TIMEOUT="6s")
    other = backend.register("Otto")
    clients = [Client(gateway, account, seed) for seed, account in
                enumerate(itertools.islice(itertools.cycle(
                    (user, other, None)), 12))]
    problems, stop = [], threading.Event()

    def run(client):
        try:
            method(client)
        except BaseException as problem:  # reported in the main thread
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(v,)) for v in clients]
    disconnecting = threading.Thread(target=disconnect_early, args=(
        gateway, clients[1].cookie, stop))
    for thread in threads + [disconnecting]:
        thread.start()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()
    stop.set()
    disconnecting.join(30)
    assert not problems, problems[0]
    assert sum(c.checked for c in clients) == 12 * ROUNDS >= 500


def test_login_leaves_no_session_on_the_connection(start_own, backend):
    """L32, L45: a query after a login, on the same worker and connection, has no
    session. The next login gets its own account."""
    gateway = start_own(POSTERN_LOOPS="1")
    with fcgi.Connection(gateway.socket_of("query")) as connection:
        for number in range(40):
            secret = f"{number:03}-" + "s" * 40
            backend.next(body=json.dumps({"data": {"login": {
                "secret": secret, "ttl": "2199-01-01T00:00:00Z",
                "email": f"user{number}@b.example", "ownerId": str(number)}}}))
            body = json.dumps({"query": LOGIN, "variables": {
                "email": "a@b.example", "password": "x"}}).encode()
            more = {"CONTENT_TYPE": "application/json"}
            answer = connection.request(fcgi.params("POST", "", body, **more),
                                        body, keep=True)
            value = answer.header("set-cookie").partition("=")[2]
            claims = gateway.open_token(value.partition(";")[0])
            assert (claims["sub"], claims["upstream"]) == (str(number), secret)
            body = json.dumps({"query": ME}).encode()
            answer = connection.request(fcgi.params("POST", "", body, **more),
                                        body, keep=True)
            assert json.loads(answer.body) == {"data": {"me": None}}
            assert "authorization" not in backend.seen()[-1]["names"]
            assert answer.all("set-cookie") == []


# --- foreign and modified cookies --------------------------------------------


def check_no_session(gateway, cookie):
    """U2: /session answers without a session and clears the cookie."""
    answer = gateway.get("/session", cookie=cookie)
    assert answer.status == 200, cookie
    assert answer.body == b'{"data":{"session":null}}', cookie
    name, value, attributes = cookie_of(answer)
    assert (name, value) == (COOKIE, "") and "Max-Age=0" in attributes
    return answer


def test_cookie_of_another_secret_or_audience(start_own, backend, user):
    """R13, L39: the same secret with another audience gives another key."""
    first = start_own(secret=SECRET_A)
    for other in (start_own(secret=SECRET_B),
                  start_own(secret=SECRET_A, POSTERN_AUDIENCE="elsewhere"),
                  start_own(secret=SECRET_B + "\n" + SECRET_B[::-1])):
        cookie = other.cookie_for(user)
        assert other.session(cookie=cookie)["name"] == user.email
        check_no_session(first, cookie)
        backend.forget()
        answer = first.query(cookie=cookie)
        assert answer.status == 200
        assert answer.json == {"data": {"me": None}}
        assert answer.all("set-cookie") == []  # /query clears no cookie (U35)
        assert "authorization" not in backend.seen()[-1]["names"]


def test_secret_rotation(start_own, user):
    """U1: the first secret seals new tokens; all secrets open tokens."""
    old = start_own(secret=SECRET_A)
    cookie = old.cookie_for(user)
    new = start_own(secret=SECRET_B + "\n" + SECRET_A)
    assert new.session(cookie=cookie)["name"] == user.email
    check_no_session(old, new.cookie_for(user))


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(fastcgi, user):
    return fastcgi.cookie_for(user)


def test_several_cookies_with_the_session_name(fastcgi, cookie, user):
    """R40: two different sessions are no session, in any order. U32: an invalid
    cookie or a copy next to a valid one does no harm. R41: the name is compared
    byte for byte."""
    pair = f"{COOKIE}={cookie}"
    other = f"{COOKIE}={fastcgi.cookie_for(user)}"
    for value in (f"{pair}; {other}", f"{other}; {pair}",
                  f"{pair}; {other}; {pair}", f"a=b; {pair}; c=d; {other}",
                  "; ".join([pair] * 9)):
        check_no_session(fastcgi, value)
        assert fastcgi.query(cookie=value).json == {"data": {"me": None}}
    for value in (f"{pair}; {pair}", f"{pair}; {COOKIE}=x",
                  f"{COOKIE}=; {pair}", f"a=b; {pair}; c=d; {pair}"):
        assert fastcgi.session(cookie=value)["name"] == user.email
    for value in (f"{COOKIE.lower()}=x; {pair}", f"session=x; {pair}",
                  f"a=b; {pair}; c", f"{COOKIE}X=x; {pair}", f"  {pair}  ;"):
        assert fastcgi.session(cookie=value)["name"] == user.email
    # Two Cookie headers; lighttpd joins them.
    answer = fastcgi.get("/session", headers=[("Cookie", pair),
                                           ("Cookie", other)])
    assert answer.json == {"data": {"session": None}}
    answer = fastcgi.get("/session", headers=[("Cookie", "a=b"),
                                           ("Cookie", pair)])
    assert answer.json["data"]["session"]["name"] == user.email


def modified(cookie):
    head, key, nonce, text, tag = cookie.split(".")
    rebuilt = base64.urlsafe_b64encode(json.dumps(
        {"alg": "none"}).encode()).decode().rstrip("=")
    flipped = text[:50] + ("A" if text[50] != "A" else "B") + text[51:]
    return {
        "empty": "", "a word": "x", "dots": "....", "many dots": "." * 4000,
        "truncated": cookie[:-1], "half": cookie[:len(cookie) // 2],
        "longer": cookie + "A", "a fifth dot": cookie + ".",
        "padding": cookie + "=", "quotes": f'"{cookie}"',
        "percent": cookie.replace(".", "%2E"),
        "flipped": f"{head}.{key}.{nonce}.{flipped}.{tag}",
        "no tag": f"{head}.{key}.{nonce}.{text}.",
        "alg none": f"{rebuilt}.{key}.{nonce}.{text}.{tag}",
        "alg none signed": f"{rebuilt}.{text}.",
        "swapped": f"{head}.{key}.{tag}.{text}.{nonce}",
        "key": f"{head}.AAAA.{nonce}.{text}.{tag}",
        "upper case": cookie.upper(), "huge": "A" * 7000,
        "non-ASCII bytes": "\xe9" * 20,
    }


def test_modified_cookies_are_no_session(fastcgi, backend, cookie, user):
    """R9, R73, L1, L27, U2: no session, the cookie is cleared, and all answers
    are equal."""
    backend.forget()
    first = None
    for name, value in modified(cookie).items():
        answer = check_no_session(fastcgi, f"{COOKIE}={value}")
        seen = [(n, v) for n, v in answer.headers if n != "date"]
        assert first in (None, seen), name
        first = seen
    assert backend.seen() == []
    assert fastcgi.session(cookie=cookie)["name"] == user.email


def test_invalid_cookie_does_not_block_other_programs(
        fastcgi, backend, cookie):
    """/login, /logout and /query work with an invalid cookie."""
    bad = f"{COOKIE}={cookie[:-1]}"
    answer = fastcgi.get("/login", cookie=bad,
                      headers=[("Sec-Fetch-Mode", "navigate")])
    assert answer.status == 200 and "<form" in answer.text
    assert cookie_of(answer)[1] == ""
    answer = fastcgi.post("/logout", cookie=bad)
    assert answer.status == 200 and cookie_of(answer)[1] == ""
    answer = fastcgi.query(cookie=bad)
    assert answer.json == {"data": {"me": None}}
    assert answer.all("set-cookie") == []
    assert "authorization" not in backend.seen()[-1]["names"]


def test_invalid_cookie_does_not_block_a_login(fastcgi, cookie, user):
    """The new cookie is the last Set-Cookie and the only one of its variant
    (R37). The one that Postern did not make is logged and replaced (R5)."""
    def refusals():
        return len(re.findall("program=login .*event=token-refused .*carrier=cookie "
                              "cause=PST_FORGED", fastcgi.log))

    before = refusals()
    answer = fastcgi.post("/login", {"email": user.email,
                                  "password": user.password},
                       cookie=cookie[:-1])
    assert answer.status == 200
    value = cookie_of(answer)[1]
    assert fastcgi.session(cookie=value)["name"] == user.email
    assert fastcgi.open_token(value)["sid"] != fastcgi.open_token(cookie)["sid"]
    assert wait_until(lambda: refusals() == before + 1, 5)


def test_backend_token_never_reaches_client_or_log(fastcgi, backend, cookie):
    """L34: searches all responses and the log of this module's tests, and shows
    that the search would find the token."""
    fastcgi.query(cookie=cookie)
    token = backend.seen()[-1]["header"]["authorization"][7:].encode()
    assert backend.tokens_in(b"x" + token + b"y") == {token}
    assert backend.tokens_in(base64.b64encode(b"ab" + token)) == {token}
    assert backend.tokens_in(token.hex().encode()) == {token}
    assert fastcgi.received and len(fastcgi.log) > 1000
    assert fastcgi.faults() == []
    # The search finds a token in a response.
    fastcgi.received.append(b"{" + token + b"}")
    assert fastcgi.faults() == ["a client received a token of the backend"]
    fastcgi.received.pop()
