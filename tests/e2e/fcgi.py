# SPDX-License-Identifier: ISC
"""A FastCGI client: sends requests to a program as a web server does.

Speaks FastCGI 1.0 (sections 3 and 5) over a unix or a TCP socket, with
FCGI_KEEP_CONN and several consecutive requests on one connection. A test can also
send malformed records.

    with Connection("/run/postern/query.sock") as connection:
        answer = connection.request({"REQUEST_METHOD": "GET"})
        print(answer.status, answer.headers, answer.body)
"""
import socket
import struct

import canary

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN = 1, 2, 3, 4, 5
CUT = 12  # no type of FastCGI: the sign of an answer that breaks off
STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT = 6, 7, 8, 9, 10
UNKNOWN_TYPE = 11
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP_CONN = 1
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = 0, 1, 2, 3
CONTENT_MAX = 0xFFFF


class IncompleteResponse(Exception):
    """The program closed the connection before the end of its answer."""

    def __init__(self, stdout=b"", stderr=b""):
        super().__init__(f"connection closed after {len(stdout)} bytes of STDOUT")
        self.stdout = stdout
        self.stderr = stderr


def record(kind, request_id, content=b"", padding=0, version=1):
    """One record, valid or not."""
    header = struct.pack(
        ">BBHHBx", version, kind, request_id, len(content), padding
    )
    return header + content + bytes(padding)


def stream(kind, request_id, content, piece=CONTENT_MAX, end=True):
    """Records of at most `piece` bytes, and the empty record that ends it."""
    pieces = [content[i : i + piece] for i in range(0, len(content), piece)]
    if end:
        pieces.append(b"")
    return b"".join(record(kind, request_id, p, -len(p) % 8) for p in pieces)


def begin(request_id=1, role=RESPONDER, keep=False):
    body = struct.pack(">HB5x", role, KEEP_CONN if keep else 0)
    return record(BEGIN_REQUEST, request_id, body)


def _length(number):
    if number < 0x80:
        return bytes([number])
    return struct.pack(">I", number | 0x80000000)


def pairs(values):
    """Name-value pairs (section 3.4) of a dictionary or a list of pairs."""
    out = []
    for name, value in values.items() if hasattr(values, "items") else values:
        name = name.encode("latin-1") if isinstance(name, str) else name
        value = value.encode("latin-1") if isinstance(value, str) else value
        out += [_length(len(name)), _length(len(value)), name, value]
    return b"".join(out)


def read_pairs(data):
    """Parse what pairs() returns."""
    values = {}
    at = 0

    def length():
        nonlocal at
        number = data[at]
        at += 1
        if number & 0x80:
            number = struct.unpack(">I", data[at - 1 : at + 3])[0]
            number &= 0x7FFFFFFF
            at += 3
        return number

    while at < len(data):
        name_length, value_length = length(), length()
        name = data[at : at + name_length]
        at += name_length
        values[name.decode("latin-1")] = data[at : at + value_length]
        at += value_length
    return values


class Answer:
    """The parsed CGI response, and the statuses of END_REQUEST."""

    def __init__(self, stdout, stderr, app_status, protocol_status):
        self.stdout = stdout
        self.stderr = stderr
        self.app_status = app_status
        self.protocol_status = protocol_status
        head, _, self.body = stdout.partition(b"\r\n\r\n")
        canary.note_response("by FastCGI", head, self.body[:canary.KEPT_MAX])
        canary.note_response("by FastCGI, STDERR", b"", stderr)
        self.headers = []
        for line in head.split(b"\r\n") if head else []:
            name, _, value = line.partition(b":")
            self.headers.append(
                (name.decode("latin-1"), value.strip().decode("latin-1"))
            )
        self.status = int((self.header("Status") or "200").split()[0])

    def all(self, name):
        """Every value of a header, in order."""
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name):
        """The value of a header, or None; fails if there are two."""
        values = self.all(name)
        assert len(values) < 2, f"{len(values)} {name} headers"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode("utf-8")


class Connection:
    """One connection to a program."""

    def __init__(self, address, timeout=20):
        """address: a path, or (host, port)."""
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(address))
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Send raw bytes."""
        self.socket.sendall(data)

    def _exactly(self, size):
        while len(self.pending) < size:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise IncompleteResponse()
            self.pending += chunk
        content, self.pending = self.pending[:size], self.pending[size:]
        return content

    def read_record(self):
        """(type, request id, content) of the next record."""
        header = self._exactly(8)
        version, kind, request_id, length, padding = struct.unpack(
            ">BBHHBx", header
        )
        assert version == 1, f"version {version}"
        content = self._exactly(length)
        self._exactly(padding)
        return kind, request_id, content

    def is_closed(self):
        """Wait until the program closes; False if it sends data instead."""
        if self.pending:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    # A request: request() sends it whole; start() and feed() in parts.

    def start(self, params, request_id=1, role=RESPONDER, keep=False,
              piece=CONTENT_MAX):
        """Send BEGIN_REQUEST and all PARAMS, in records of `piece` bytes."""
        self.send(
            begin(request_id, role, keep)
            + stream(PARAMS, request_id, pairs(params), piece)
        )

    def feed(self, body, request_id=1, piece=CONTENT_MAX, end=True):
        """Send STDIN, and its end."""
        self.send(stream(STDIN, request_id, body, piece, end))

    def answer(self, request_id=1):
        """Read until END_REQUEST.

        Raises IncompleteResponse if the connection is closed before.
        """
        stdout, stderr = [], []
        ended = set()
        while True:
            try:
                kind, got_id, content = self.read_record()
            except (IncompleteResponse, ConnectionResetError) as error:
                raise IncompleteResponse(
                    b"".join(stdout), b"".join(stderr)) from error
            assert got_id == request_id, f"record for request {got_id}"
            if kind in (STDOUT, STDERR):
                assert kind not in ended, "a record of a stream that had ended"
                (stdout if kind == STDOUT else stderr).append(content)
                if not content:
                    ended.add(kind)
            elif kind == END_REQUEST:
                assert STDOUT in ended, "STDOUT was not ended"
                app, protocol = struct.unpack(">IB3x", content)
                return Answer(
                    b"".join(stdout), b"".join(stderr), app, protocol
                )
            elif kind == CUT:  # the web servers skip it, or see an error
                continue
            else:
                raise AssertionError(f"record of type {kind}")

    def request(self, params, body=b"", request_id=1, role=RESPONDER,
                keep=False, stdin=True, piece=CONTENT_MAX):
        """Send one complete request; returns its Answer."""
        self.start(params, request_id, role, keep, piece)
        if stdin:
            self.feed(body, request_id, piece)
        return self.answer(request_id)

    def abort(self, request_id=1):
        self.send(record(ABORT_REQUEST, request_id))

    def get_values(self, *names):
        """Send FCGI_GET_VALUES, which needs no open request."""
        self.send(record(GET_VALUES, 0, pairs({name: "" for name in names})))
        kind, request_id, content = self.read_record()
        assert (kind, request_id) == (GET_VALUES_RESULT, 0)
        return read_pairs(content)


def params(method="GET", query="", body=b"", **more):
    """The variables that every web server sets, and `more`; None removes one."""
    values = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "test",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": method,
        "REQUEST_URI": "/" + ("?" + query if query else ""),
        "SCRIPT_NAME": "/",
        "QUERY_STRING": query,
        "HTTP_HOST": "localhost",
    }
    if method not in ("GET", "HEAD", "OPTIONS"):
        values["CONTENT_LENGTH"] = str(len(body))
    values.update(more)
    return {name: value for name, value in values.items() if value is not None}


def request(address, method="GET", query="", body=b"", **more):
    """Send one request on its own connection."""
    with Connection(address) as connection:
        return connection.request(params(method, query, body, **more), body)
