# SPDX-License-Identifier: ISC
"""Nothing secret of a request stays in a program's memory: neither its cookie
and password nor the backend's token, in whatever block of memory they were."""
import json
import os
import secrets
import time

import canary
import fcgi
import pytest
from gateway import BUILD, COOKIE, LOGIN, wait_until
from scripted_backend import ScriptedBackend
from test_engine import body_of, me_of, params_of, query
from test_serve import Program

PART = 40  # bytes of a cookie that are searched for


class SecretBackend(ScriptedBackend):
    """A backend whose token nobody else could have written."""

    token = "backends-token-" + secrets.token_hex(16)

    async def _login(self, reader, writer, request, body):
        return self._send(writer, {"login": {
            "secret": self.token, "ttl": 3600, "email": "a@b.example",
            "ownerId": "7"}})

    async def _me(self, reader, writer, request, body):
        assert request.token == self.token
        return self._send(writer, {"me": {"email": "a@b.example"}})

    async def _cut(self, reader, writer, request, body):
        """The connection ends before the answer does."""
        self._begin(writer, length=100)
        writer.write(b'{"data":')
        return False


def found_in(program, wanted):
    """Where the program has which of the wanted texts."""
    return [(name, where, data[max(0, data.find(text) - 40):][:200])
            for where, data in canary.memory_of(program.process.pid)
            for name, text in wanted.items() if text in data]


def cookie_of(answer):
    assert answer.status == 200, answer.stdout
    value, = [value for value in answer.all("Set-Cookie")
              if value.startswith(COOKIE + "=")]
    return value.partition("=")[2].partition(";")[0]


def request(path, body, cookie=None):
    with fcgi.Connection(path) as connection:
        return connection.request(params_of(body, cookie), body)


@pytest.mark.uninstrumented  # a sanitizer keeps what was freed
def test_secrets_of_requests_do_not_stay_in_memory(tmp_path):
    """The attack: a core dump, or a bug that reads another request's memory.
    libfcgi frees its buffers and its copies of variables as they are."""
    backend = SecretBackend()
    programs = {}
    password = "a-password-" + secrets.token_hex(16)
    key = secrets.token_hex(32)
    try:
        for name in ("query", "login", "session"):
            path = str(tmp_path / name)
            programs[path] = Program(
                command=[os.path.join(BUILD, "cgi-bin", name), "--listen",
                         "unix:" + path],
                COOKIE_SESSION_SECRET=key, POSTERN_UPSTREAM=backend.url,
                POSTERN_LOOPS="1", POSTERN_LOGIN_FLOOR="0",
                POSTERN_STORE=f"lmdb:{tmp_path}/store")
        at = {os.path.basename(path): path for path in programs}
        who = {"email": "a@b.example", "password": password}
        cookie = cookie_of(request(at["query"], body_of(LOGIN, who)))
        other = cookie_of(request(at["login"], json.dumps(who).encode()))
        assert me_of(query(at["query"], "me", cookie)) == "a@b.example"
        with fcgi.Connection(at["session"]) as connection:
            answer = connection.request(fcgi.params(
                "GET", "", HTTP_COOKIE=f"{COOKIE}={cookie}"))
        assert b'"subject":"7"' in answer.body
        wanted = {"password": password, "backend's token": backend.token,
                  "cookie": cookie[-PART:], "other cookie": other[-PART:]}
        for path, program in programs.items():
            # The search finds what is there.
            assert found_in(program, {"path": path.encode()}), path
            assert not found_in(program, {
                name: text.encode() for name, text in wanted.items()}), path
    except PermissionError:
        pytest.skip("not allowed to read the memory of another process")
    finally:
        for program in programs.values():
            program.stop()
        backend.close()


@pytest.mark.uninstrumented  # a sanitizer keeps what was freed
def test_no_token_of_an_answer_that_was_not_sent_stays_in_memory(tmp_path):
    """The backend breaks its answer off when its head, with a renewed cookie, is
    in libfcgi's buffer."""
    backend = SecretBackend()
    path = str(tmp_path / "query")
    program = Program(
        command=[os.path.join(BUILD, "cgi-bin", "query"), "--listen",
                 "unix:" + path],
        COOKIE_SESSION_SECRET=secrets.token_hex(32),
        POSTERN_UPSTREAM=backend.url, POSTERN_LOOPS="1",
        POSTERN_LOGIN_FLOOR="0", POSTERN_IDLE_TIMEOUT="8",
        POSTERN_STORE=f"lmdb:{tmp_path}/store")
    try:
        who = {"email": "a@b.example", "password": "a password"}
        cookie = cookie_of(request(path, body_of(LOGIN, who)))
        time.sleep(3.1)
        with fcgi.Connection(path) as connection:
            body = body_of("cut")
            connection.start(params_of(body, cookie))
            connection.feed(body)
            assert connection.answer().status == 502
        assert len(backend.named("cut")) == 1
        assert found_in(program, {"path": path.encode()})
        # The client has the answer before the program has tidied up.
        found = {"cookie": f"Set-Cookie: {COOKIE}=ey".encode()}
        assert wait_until(lambda: not found_in(program, found), 10)
    except PermissionError:
        pytest.skip("not allowed to read the memory of another process")
    finally:
        program.stop()
        backend.close()
