# SPDX-License-Identifier: ISC
"""A FastCGI client: what a web server says to a program, and its answer.

Speaks FastCGI 1.0 (sections 3 and 5) over a unix or a TCP socket, with
keep-connection, several requests on one connection one after another, and
records of any shape for those who want to send nonsense.

    with Connection("/run/postern/query.sock") as connection:
        answer = connection.request({"REQUEST_METHOD": "GET"})
        print(answer.status, answer.headers, answer.body)
"""
import socket
import struct

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN = 1, 2, 3, 4, 5
STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT = 6, 7, 8, 9, 10
UNKNOWN_TYPE = 11
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP_CONN = 1
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = 0, 1, 2, 3
CONTENT_MAX = 0xFFFF


class IncompleteResponse(Exception):
    """The program closed the connection before its answer was whole."""

    def __init__(self, stdout=b"", stderr=b""):
        super().__init__(f"cut off after {len(stdout)} octets")
        self.stdout = stdout
        self.stderr = stderr


def record(kind, request_id, content=b"", padding=0, version=1):
    """One record, whatever it may mean."""
    header = struct.pack(
        ">BBHHBx", version, kind, request_id, len(content), padding
    )
    return header + content + bytes(padding)


def stream(kind, request_id, content, piece=CONTENT_MAX, end=True):
    """A stream in records of at most `piece` octets, and its end."""
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


def read_pairs(octets):
    """The reverse of pairs()."""
    values = {}
    at = 0

    def length():
        nonlocal at
        number = octets[at]
        at += 1
        if number & 0x80:
            number = struct.unpack(">I", octets[at - 1 : at + 3])[0]
            number &= 0x7FFFFFFF
            at += 3
        return number

    while at < len(octets):
        name_length, value_length = length(), length()
        name = octets[at : at + name_length]
        at += name_length
        values[name.decode("latin-1")] = octets[at : at + value_length]
        at += value_length
    return values


class Answer:
    """What came back: CGI head taken apart, and how the request ended."""

    def __init__(self, stdout, stderr, app_status, protocol_status):
        self.stdout = stdout
        self.stderr = stderr
        self.app_status = app_status
        self.protocol_status = protocol_status
        head, _, self.body = stdout.partition(b"\r\n\r\n")
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
        """A header's only value, or None; two are a mistake."""
        values = self.all(name)
        assert len(values) < 2, f"{name} stands {len(values)} times"
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

    def send(self, octets):
        """Raw octets."""
        self.socket.sendall(octets)

    def _exactly(self, size):
        while len(self.pending) < size:
            some = self.socket.recv(65536)
            if not some:
                raise IncompleteResponse()
            self.pending += some
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

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
        """Wait for the other end to close; False when it sends instead."""
        if self.pending:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    # A request: send() it at once, or in parts.

    def start(self, params, request_id=1, role=RESPONDER, keep=False,
              piece=CONTENT_MAX):
        """BEGIN_REQUEST and all of PARAMS, in records of `piece` octets."""
        self.send(
            begin(request_id, role, keep)
            + stream(PARAMS, request_id, pairs(params), piece)
        )

    def feed(self, body, request_id=1, piece=CONTENT_MAX, end=True):
        """STDIN, and its end."""
        self.send(stream(STDIN, request_id, body, piece, end))

    def answer(self, request_id=1):
        """Read until END_REQUEST; Cut when there is none."""
        stdout, stderr = [], []
        ended = set()
        while True:
            try:
                kind, got_id, content = self.read_record()
            except (IncompleteResponse, ConnectionResetError) as error:
                raise IncompleteResponse(b"".join(stdout), b"".join(stderr)) from error
            assert got_id == request_id, f"record for request {got_id}"
            if kind in (STDOUT, STDERR):
                assert kind not in ended, "a stream goes on after its end"
                (stdout if kind == STDOUT else stderr).append(content)
                if not content:
                    ended.add(kind)
            elif kind == END_REQUEST:
                assert STDOUT in ended, "STDOUT was not ended"
                app, protocol = struct.unpack(">IB3x", content)
                return Answer(
                    b"".join(stdout), b"".join(stderr), app, protocol
                )
            else:
                raise AssertionError(f"record of type {kind}")

    def request(self, params, body=b"", request_id=1, role=RESPONDER,
                keep=False, stdin=True, piece=CONTENT_MAX):
        """One whole request; returns its Answer."""
        self.start(params, request_id, role, keep, piece)
        if stdin:
            self.feed(body, request_id, piece)
        return self.answer(request_id)

    def abort(self, request_id=1):
        self.send(record(ABORT_REQUEST, request_id))

    def get_values(self, *names):
        """FCGI_GET_VALUES, for which a request need not be open."""
        self.send(record(GET_VALUES, 0, pairs({name: "" for name in names})))
        kind, request_id, content = self.read_record()
        assert (kind, request_id) == (GET_VALUES_RESULT, 0)
        return read_pairs(content)


def params(method="GET", query="", body=b"", **more):
    """The variables that every web server sets, and `more`."""
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
    """One request on a connection of its own."""
    with Connection(address) as connection:
        return connection.request(params(method, query, body, **more), body)
