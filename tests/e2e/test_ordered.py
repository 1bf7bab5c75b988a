# SPDX-License-Identifier: ISC
"""POSTERN_ORDERED=on: the POSTs of one session reach the backend one after
another, whichever program and process they come to. Both stores.

The programs run as they do behind a web server; the test is the web server
(fcgi.py) and the backend, which notes what overlaps.
"""
import asyncio
import contextlib
import json
import os
import re
import subprocess
import threading
import time

import fcgi
import gateway as gateways
import pytest
import servers
from gateway import BUILD, COOKIE, wait_until
from http_client import Connection
from scripted_backend import ScriptedBackend
from test_engine import (MULTIPART_END, body_of, code_of, log_in, me_of,
                         multipart_head, multipart_params, open_and_send,
                         params_of, query, send)
from test_serve import Program, environment

LEASE = 1.0     # seconds: store/store_lock.h
SOON = 0.5      # seconds: of a machine that is busy


class OrderedBackend(ScriptedBackend):
    """A backend that counts the requests at work, by token.

    With `guests`, the token is in a header, as Vendure's: { guest } begins a
    session, and a login takes some time, too.
    """

    def __init__(self, guests=False, **options):
        self.guests = guests
        self.at_work = []       # tokens
        self.peak = {}          # token: most at work at a time
        self.peak_of_all = 0
        self.tokens = 0
        super().__init__(**options)

    @contextlib.contextmanager
    def working(self, token):
        self.at_work.append(token)
        self.peak[token] = max(self.peak.get(token, 0),
                               self.at_work.count(token))
        self.peak_of_all = max(self.peak_of_all, len(self.at_work))
        try:
            yield
        finally:
            self.at_work.remove(token)

    async def _me(self, reader, writer, request, body):
        with self.working(request.token):
            if not self.guests:
                return await super()._me(reader, writer, request, body)
            name = (request.token or "").partition(" of ")[2]
            return self._send(writer, {"me": name and {
                "id": name, "identifier": name} or None})

    async def _slow(self, reader, writer, request, body):
        with self.working(request.token):
            await asyncio.sleep(self.pause)
        return await super()._me(reader, writer, request, body)

    async def _events(self, reader, writer, request, body):
        with self.working(request.token):
            return await super()._events(reader, writer, request, body)

    async def _half(self, reader, writer, request, body):
        with self.working(request.token):
            return await super()._half(reader, writer, request, body)

    async def _logout(self, reader, writer, request, body):
        with self.working(request.token):
            return self._send(writer, {"logout": True})

    def _send_token(self, writer, data, token):
        body = json.dumps({"data": data}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"vendure-auth-token: %b\r\nContent-Length: %d\r\n\r\n%b"
                     % (token.encode(), len(body), body))
        return True

    async def _guest(self, reader, writer, request, body):
        self.tokens += 1
        return self._send_token(writer, {"guest": 1}, f"{self.tokens}")

    async def _login(self, reader, writer, request, body):
        if not self.guests:
            return await super()._login(reader, writer, request, body)
        with self.working(request.token):
            await asyncio.sleep(self.pause)
        self.tokens += 1
        name = json.loads(body)["variables"]["username"]
        return self._send_token(
            writer, {"login": {"__typename": "CurrentUser", "id": name,
                               "identifier": name}},
            f"{self.tokens} of {name}")


@pytest.fixture(name="scripted")
def scripted_fixture():
    """scripted(NAME=value…) starts an OrderedBackend for this test."""
    backends = []

    def start(**options):
        backends.append(OrderedBackend(**options))
        return backends[-1]

    yield start
    for backend in backends:
        backend.close()


@pytest.fixture(name="variables")
def variables_fixture(store, tmp_path):
    """What all programs of a test share."""
    return {"COOKIE_SESSION_SECRET": gateways.make_secret().strip(),
            "POSTERN_ORDERED": "on", "POSTERN_LOGIN_FLOOR": "0",
            "POSTERN_LOGIN_PER_ADDRESS": "off",
            "POSTERN_STORE": f"lmdb:{tmp_path}/store", **store}


@pytest.fixture(name="start")
def start_fixture(tmp_path, variables):
    """start(backend, program, NAME=value…) returns it running, and its socket."""
    programs = []

    def start(backend, program="query", **more):
        path = str(tmp_path / f"{len(programs)}.sock")
        programs.append(Program(
            command=[os.path.join(BUILD, "cgi-bin", program),
                     "--listen", "unix:" + path],
            **{**variables, "POSTERN_UPSTREAM": backend.url,
               "POSTERN_LOOPS": "2", "POSTERN_DRAIN": "5s", **more}))
        return programs[-1], path

    yield start
    for program in programs:
        if program.process.poll() is None:
            assert program.stop() == 0, program.log
        for word in ("Sanitizer", "runtime error", "PST_REQUIRE"):
            assert word not in program.log


def query_by_get(path, name, cookie):
    return fcgi.request(path, "GET", f"query=%7B{name}%7D",
                        HTTP_COOKIE=f"{COOKIE}={cookie}")


@contextlib.contextmanager
def waiting(*requests):
    """Connections with one request each, (socket, name, cookie)."""
    with contextlib.ExitStack() as stack:
        connections = []
        for path, name, cookie in requests:
            connections.append(stack.enter_context(fcgi.Connection(path)))
            send(connections[-1], name, cookie)
        yield connections


def holds(backend, name="half"):
    """Wait until a request is at work, and so has its session's lock."""
    assert wait_until(lambda: backend.named(name))


@pytest.mark.quick
def test_posts_of_one_session_go_one_after_another(scripted, start):
    """Ten, to two processes of two loops each; another session is not held."""
    backend = scripted(pause=0.05)
    paths = [start(backend)[1] for _ in range(2)]
    mine, other = (log_in(paths[0], f"{n}@b.example") for n in ("mine", "other"))
    with waiting(*[(paths[i % 2], "slow", cookie) for i in range(10)
                   for cookie in (mine, other)]) as connections:
        for connection in connections:
            assert connection.answer().status == 200
    assert len(backend.named("slow")) == 20
    assert backend.peak["secret-of-mine@b.example"] == 1
    assert backend.peak["secret-of-other@b.example"] == 1
    assert backend.peak_of_all > 1


def test_without_it_they_overlap(scripted, start):
    backend = scripted(pause=0.2)
    _, path = start(backend, POSTERN_ORDERED="off")
    cookie = log_in(path, "mine@b.example")
    with waiting(*[(path, "slow", cookie)] * 4) as connections:
        for connection in connections:
            assert connection.answer().status == 200
    assert backend.peak["secret-of-mine@b.example"] > 1


def test_what_has_no_session_is_not_held(scripted, start):
    backend = scripted(pause=0.2)
    _, path = start(backend)
    with waiting(*[(path, "slow", None)] * 4) as connections:
        for connection in connections:
            assert connection.answer().status == 200
    assert backend.peak[None] == 4


def test_gets_and_refusals_are_not_held(scripted, start):
    backend = scripted()
    _, path = start(backend)
    cookie = log_in(path, "mine@b.example")
    with waiting((path, "half", cookie)):
        holds(backend)
        begin = time.monotonic()
        assert me_of(query_by_get(path, "me", cookie)) == "mine@b.example"
        assert code_of(query(path, "{ secret", cookie)) == "GRAPHQL_PARSE_FAILED"
        assert time.monotonic() - begin < SOON


def test_a_holder_that_is_killed_frees_the_next(scripted, start, store):
    backend = scripted()
    (first, path), (_, other) = start(backend), start(backend)
    cookie = log_in(path, "mine@b.example")
    with waiting((path, "half", cookie)):
        holds(backend)
        with waiting((other, "me", cookie)) as (next_one,):
            time.sleep(2 * LEASE)  # a lease is renewed
            assert not backend.named("me")
            first.process.kill()
            begin = time.monotonic()
            assert next_one.answer().status == 200
            assert time.monotonic() - begin < SOON + (LEASE if store else 0)
    first.wait()


def test_a_client_that_leaves_leaves_the_queue(scripted, start):
    backend = scripted(pause=0.5)
    (_, path), (_, other) = start(backend), start(backend)
    cookie = log_in(path, "mine@b.example")
    for place in path, other:
        with waiting((path, "slow", cookie)) as (first,):
            assert wait_until(lambda: backend.at_work)
            with waiting((place, "silent", cookie),
                         (place, "me", cookie)) as (second, third):
                second.close()
                assert first.answer().status == 200
                assert third.answer().status == 200
    assert not backend.named("silent")


def test_waiting_has_a_deadline(scripted, start):
    backend = scripted()
    (_, path), (_, other) = (
        start(backend, POSTERN_FIRST_BYTE_TIMEOUT="1s") for _ in range(2))
    cookie = log_in(path, "mine@b.example")
    with waiting((path, "half", cookie)):
        holds(backend)
        begin = time.monotonic()
        with waiting((path, "me", cookie), (other, "me", cookie)) as both:
            for answer in [connection.answer() for connection in both]:
                assert answer.status == 503 and code_of(answer) == "OVERLOADED"
                assert answer.header("Retry-After")
        assert 0.9 < time.monotonic() - begin < 1 + SOON
    assert not backend.named("me")
    assert wait_until(lambda: not backend.at_work)
    assert query(other, "me", cookie).status == 200


def test_a_stream_of_events_holds_nobody(scripted, start):
    backend = scripted(pause=0.1, parts=20)
    (_, path), (_, other) = start(backend), start(backend)
    cookie = log_in(path, "mine@b.example")
    for name in "events", "subscription { events }":
        with waiting((path, name, cookie)) as (stream,):
            assert wait_until(lambda: backend.at_work)
            begin = time.monotonic()
            assert query(other, "me", cookie).status == 200
            assert time.monotonic() - begin < SOON
            assert b"part-19." in stream.answer().body
    # A mutation may take effect with its last part.
    backend.peak.clear()
    with waiting((path, "mutation { events }", cookie)) as (stream,):
        assert wait_until(lambda: backend.at_work)
        assert query(other, "me", cookie).status == 200
        assert backend.peak["secret-of-mine@b.example"] == 1


def test_a_session_that_ended_meanwhile_sends_nothing(scripted, start):
    """Its client may have another one by now, so it should try again."""
    backend = scripted(pause=2)
    _, path = start(backend)
    _, logout = start(backend, "logout", POSTERN_UPSTREAM_LOGOUT="never")
    cookie = log_in(path, "mine@b.example")
    with waiting((path, "slow", cookie)) as (first,):
        holds(backend, "slow")
        second = open_and_send(path, "me", cookie=cookie)[0]
        time.sleep(SOON)  # its session is opened, and it waits
        assert fcgi.request(
            logout, "POST", "", b"{}", CONTENT_TYPE="application/json",
            HTTP_COOKIE=f"{COOKIE}={cookie}").status == 200
        assert first.answer().status == 200
        answer = second.answer()
        assert answer.status == 503 and answer.header("Retry-After")
    assert not backend.named("me")


def test_a_logout_waits_for_what_runs(scripted, start):
    backend = scripted(pause=0.3)
    (_, path), (_, logout) = start(backend), start(backend, "logout")
    cookie = log_in(path, "mine@b.example")
    with waiting((path, "slow", cookie)) as (first,):
        holds(backend, "slow")
        assert fcgi.request(
            logout, "POST", "", b"{}", CONTENT_TYPE="application/json",
            HTTP_COOKIE=f"{COOKIE}={cookie}").status == 200
        assert first.answer().status == 200
    assert len(backend.named("logout")) == 1
    assert backend.peak["secret-of-mine@b.example"] == 1


def test_a_logout_ends_the_session_before_it_waits(scripted, start):
    """The attack: whoever stole a cookie holds its session's order, so that the
    owner's logout waits, and goes on to use the session."""
    backend = scripted()
    (_, path), (_, logout) = start(backend), start(backend, "logout")
    cookie = log_in(path, "mine@b.example")
    with waiting((path, "half", cookie)) as (thief,), \
            fcgi.Connection(logout) as owner:
        holds(backend)
        owner.start(params_of(b"{}", cookie))
        owner.feed(b"{}")
        assert wait_until(
            lambda: me_of(query_by_get(path, "me", cookie)) == "", SOON)
        assert not backend.named("logout")
        thief.close()
        assert owner.answer().status == 200
    assert len(backend.named("logout")) == 1


def guest_cookie(path):
    answer = query(path, "guest")
    value, = [value for value in answer.all("Set-Cookie")
              if value.startswith(COOKIE + "-guest=")]
    return value.partition("=")[2].partition(";")[0]


def test_logins_of_one_guest_go_one_after_another(scripted, start):
    """Five, between queries of the same guest; each login succeeds."""
    backend = scripted(guests=True, pause=0.1)
    _, path = start(backend, POSTERN_BACKEND="vendure")
    _, login = start(backend, "login", POSTERN_BACKEND="vendure")
    cookie = guest_cookie(path)
    body = json.dumps({"username": "mine", "password": "x"}).encode()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(fcgi.Connection(place))
                       for place in [path, login] * 5]
        for connection, text in zip(connections, [body_of("me"), body] * 5):
            connection.start(params_of(
                text, HTTP_COOKIE=f"{COOKIE}-guest={cookie}"))
            connection.feed(text)
        answers = [connection.answer() for connection in connections]
    assert [answer.status for answer in answers[1::2]] == [200] * 5
    # A query that comes after the first login is asked to try again.
    assert {answer.status for answer in answers[::2]} <= {200, 503}
    assert len(backend.named("login")) == 5
    assert backend.peak_of_all == 1


def test_wrong_passwords_take_their_time_one_after_another(scripted, start):
    """How long the earlier ones took at the backend shows in no time."""
    backend = scripted(pause=0.1)
    _, login = start(backend, "login", POSTERN_LOGIN_FLOOR="300ms",
                     POSTERN_BACKEND="vendure")
    _, path = start(backend, POSTERN_BACKEND="vendure")
    backend.guests = True
    cookie = guest_cookie(path)

    async def refuse(reader, writer, request, body):
        return backend._send(writer, {"login": {
            "__typename": "InvalidCredentialsError",
            "errorCode": "INVALID_CREDENTIALS_ERROR", "message": ""}})

    backend._login = refuse
    body = json.dumps({"username": "mine", "password": "x"}).encode()
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(fcgi.Connection(login))
                       for _ in range(3)]
        for connection in connections:
            connection.start(params_of(
                body, HTTP_COOKIE=f"{COOKIE}-guest={cookie}"))
            connection.feed(body)
        assert [connection.answer().status
                for connection in connections] == [401] * 3
    assert time.monotonic() - begin > 0.85


def run_cgi(text, cookie, **variables):
    return subprocess.Popen(
        [os.path.join(BUILD, "cgi-bin/query")], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment(**{**variables, **params_of(text, cookie)}))


def test_plain_cgi(scripted, start, variables):
    """Each request is a process. One takes longer than a lease."""
    backend = scripted(pause=0.05)
    variables = {**variables, "POSTERN_UPSTREAM": backend.url}
    _, path = start(backend)
    cookie = log_in(path, "mine@b.example")
    for count, pause in (8, 0.05), (2, 2 * LEASE):
        backend.pause = pause
        text = body_of("slow")
        processes = [run_cgi(text, cookie, **variables) for _ in range(count)]
        for process in processes:
            process.stdin.write(text)
            process.stdin.close()
        for process in processes:
            assert b'"mine@b.example"' in process.stdout.read()
            process.stdout.close()
            assert process.wait(20) == 0
    assert len(backend.named("slow")) == 10
    assert backend.peak["secret-of-mine@b.example"] == 1


def test_an_upload_takes_its_turn(scripted, start):
    backend = scripted(pause=0.3)
    _, path = start(backend)
    cookie = log_in(path, "mine@b.example")
    with waiting((path, "slow", cookie)) as (first,):
        holds(backend, "slow")
        with fcgi.Connection(path) as upload:
            upload.start({**multipart_params(10),
                          "HTTP_COOKIE": f"{COOKIE}={cookie}"})
            upload.feed(multipart_head() + bytes(10) + MULTIPART_END)
            assert first.answer().status == 200
            assert upload.answer().status == 200
    assert [request.name for request in backend.requests[1:]] == ["slow", "upload"]


def test_an_upload_ends_when_its_lease_is_lost(scripted, start, store, redis):
    """Redis lost its data in a fail-over: somebody else has the order now. The
    locks of a machine cannot be lost."""
    backend = scripted()
    _, path = start(backend)
    cookie = log_in(path, "mine@b.example")
    size = 200000
    with fcgi.Connection(path) as upload:
        upload.start({**multipart_params(size),
                      "HTTP_COOKIE": f"{COOKIE}={cookie}"})
        upload.feed(multipart_head() + bytes(size // 2), end=False)
        holds(backend, "upload")
        if store:
            redis.command("FLUSHALL")
        time.sleep(LEASE)
        upload.feed(bytes(size // 2) + MULTIPART_END)
        answer = upload.answer()
    if store:
        assert answer.status == 503 and code_of(answer) == "OVERLOADED"
    else:
        assert answer.status == 200


class TwoOfLighttpd(servers.Lighttpd):
    """Two processes of each program."""

    def etc_file(self, name):
        return super().etc_file(name).replace('"max-procs" => 1',
                                              '"max-procs" => 2')


class TwoOfNginx(servers.Nginx):
    def etc_file(self, name):
        one = f"server unix:{self.folder}/query.sock;"
        text = super().etc_file(name)
        assert name != "postern-http.conf" or one in text
        return text.replace(one, one + one.replace("query", "query2"))

    def start_helpers(self):
        super().start_helpers()
        self.start_program("query", f"unix:{self.folder}/query2.sock")


@pytest.mark.parametrize("kind", [TwoOfLighttpd, TwoOfNginx])
def test_behind_a_web_server(scripted, kind):
    backend = scripted(pause=0.05)
    site = kind(backend, POSTERN_ORDERED="on", POSTERN_LOGIN_PER_ADDRESS="off")
    try:
        def log_in_as(name):
            answer = site.post("/login", {"email": name, "password": "x"})
            value, = [value for value in answer.all("Set-Cookie")
                      if value.startswith(COOKIE + "=")]
            return value.partition(";")[0]

        def ask(cookie):
            with Connection(site.port) as connection:
                statuses.append(connection.request(
                    "POST", "/query", [("Cookie", cookie), ("Content-Type",
                                                            "application/json")],
                    body_of("slow")).status)

        statuses = []
        threads = [threading.Thread(target=ask, args=(cookie,))
                   for cookie in [log_in_as("mine"), log_in_as("other")] * 10]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert statuses == [200] * 20, site.log
        pids = set(re.findall(r"program=query pid=(\d+) event=request", site.log))
        assert len(pids) == 2, site.log
    finally:
        site.close(check=False)
    assert backend.peak["secret-of-mine"] == 1
    assert backend.peak["secret-of-other"] == 1
    assert backend.peak_of_all == 2
