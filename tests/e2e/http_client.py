# SPDX-License-Identifier: ISC
"""An HTTP/1.1 client that sends requests unchanged, byte for byte.

It keeps no cookies, follows no redirects and repairs nothing. It detects
truncated responses.

    with Connection(8080) as connection:
        answer = connection.request("GET", "/session", [("Cookie", "a=b")])
"""
import json
import select
import socket

import canary

HEAD_MAX = 256 * 1024


class Answer:
    """Status, headers and body.

    head   status line and headers as received
    whole  the body is complete
    """

    def __init__(self, head):
        self.head = head
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and name and name == name.strip(), head
            self.headers.append((name.lower(), value.strip(" \t")))
        self.body = b""
        self.whole = False

    def __repr__(self):
        return f"<{self.head!r} {self.body[:2000]!r} whole={self.whole}>"

    def all(self, name):
        """Every value of a header, in order."""
        return [v for n, v in self.headers if n == name.lower()]

    def get(self, name):
        """The value of a header, or None; fails if there are two."""
        values = self.all(name)
        assert len(values) < 2, f"{len(values)} {name} headers: {self}"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of the first error in a JSON body, or None."""
        try:
            return self.json["errors"][0]["extensions"]["code"]
        except (ValueError, LookupError, TypeError):
            return None

    @property
    def vary(self):
        return {part.strip().lower() for value in self.all("vary")
                for part in value.split(",")}


class Connection:
    def __init__(self, port, host="127.0.0.1", timeout=30):
        self.host, self.port = f"localhost:{port}", port
        self.socket = socket.create_connection((host, port), timeout)
        self.pending = b""
        self.received = 0  # bytes, of all answers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Send all of it, or as much as the server reads before it answers."""
        view = memoryview(data)
        while view:
            readable, writable, _ = select.select(
                [self.socket], [self.socket], [], self.socket.gettimeout())
            assert readable or writable, "the server neither reads nor writes"
            if not writable:
                return
            try:
                view = view[self.socket.send(view[:1 << 18]):]
            except (BrokenPipeError, ConnectionResetError):
                return

    def request(self, method, target, headers=(), body=None, last=True):
        """Send one request; add Host and, for a body, Content-Length."""
        canary.note_request(target)
        headers = list(headers)
        names = {name.lower() for name, _ in headers}
        if "host" not in names:
            headers.insert(0, ("Host", self.host))
        if body is not None and not names & {"content-length",
                                             "transfer-encoding"}:
            headers.append(("Content-Length", str(len(body))))
        if last:
            headers.append(("Connection", "close"))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1")
                  + (body or b""))
        return self.read(method)

    def _more(self):
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        self.pending += data
        self.received += len(data)
        return bool(data)

    def _until(self, end):
        """The bytes before `end`; None if the connection closes first."""
        while end not in self.pending:
            if len(self.pending) > HEAD_MAX or not self._more():
                return None
        before, _, self.pending = self.pending.partition(end)
        return before

    def _exactly(self, size):
        """(bytes, whether there are that many before the connection closes)."""
        parts, missing = [], size
        while missing > 0:
            if not self.pending and not self._more():
                break
            part, self.pending = (self.pending[:missing],
                                  self.pending[missing:])
            parts.append(part)
            missing -= len(part)
        return b"".join(parts), missing == 0

    def read(self, method="GET"):
        """The next final answer; None if the connection is closed."""
        while True:
            head = self._until(b"\r\n\r\n")
            if head is None:
                return None
            answer = Answer(head)
            if answer.status >= 200:
                break
        length = answer.get("content-length")
        if method == "HEAD" or answer.status in (204, 304):
            answer.whole = True
        elif (answer.get("transfer-encoding") or "").lower() == "chunked":
            answer.body, answer.whole = self._chunks()
        elif length is not None:
            answer.body, answer.whole = self._exactly(int(length))
        else:  # until the connection closes; truncation is not detectable
            answer.body, _ = self._exactly(1 << 40)
            answer.whole = True
        canary.note_response(f"of port {self.port}", answer.head,
                             answer.body[:canary.KEPT_MAX], self.port)
        return answer

    def _chunks(self):
        parts = []
        while True:
            line = self._until(b"\r\n")
            if line is None:
                return b"".join(parts), False
            size = int(line.partition(b";")[0], 16)
            part, whole = self._exactly(size)
            parts.append(part)
            if not whole or self._until(b"\r\n") is None:
                return b"".join(parts), False
            if size == 0:
                return b"".join(parts), True


def parse_set_cookie(line):
    """(name, value, [attributes]) of a Set-Cookie line."""
    pair, *attributes = line.split("; ")
    name, equals, value = pair.partition("=")
    assert equals, line
    return name, value, attributes


def cookies_of(answer):
    """All cookies of an answer. Checks that each occurs once (R37: a Set-Cookie
    line is not repeated), and that cleared cookies come before set ones."""
    found = [parse_set_cookie(line) for line in answer.all("set-cookie")]
    seen = [(name, sorted(part for part in attributes if part.startswith(
        ("Path=", "Domain=", "Partitioned")))) for name, _, attributes in found]
    for index, one in enumerate(seen):
        assert one not in seen[:index], answer
    values = [bool(value) for _, value, _ in found]
    assert values == sorted(values), answer
    return found


def device_of(answer):
    """The value of the device cookie; None if it is not set."""
    return next((value for name, value, _ in cookies_of(answer)
                 if name.endswith("-device")), None)


def cookie_of(answer):
    """The session cookie that is set, or else the first that is cleared. Ignores
    the device cookie."""
    found = [one for one in cookies_of(answer)
             if not one[0].endswith("-device")]
    assert found, answer
    set_cookies = [one for one in found if one[1]]
    assert len(set_cookies) < 2, answer
    return set_cookies[0] if set_cookies else found[0]
