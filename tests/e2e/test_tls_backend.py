# SPDX-License-Identifier: ISC
"""A backend behind https://, which libcurl reaches: a real nginx with TLS, by
HTTP/1.1 and HTTP/2 (design 2.8, 3.1)."""

import contextlib
import json
import os
import re
import socket
import ssl
import struct
import threading
import time

import fcgi
import gateway as gateways
import http_client
import pytest
from gateway import ME, closed_port, wait_until
from http_client import cookie_of
from tls_proxy import Certificates, TlsProxy

MIB = 1 << 20
JSON = "application/json"
MUTATION = "mutation { logout }"
VERSIONS = {"http1": "HTTP/1.1", "http2": "HTTP/2.0"}
UPLOAD = b'{"query":"mutation($f:Upload!){save(f:$f){id}}",' \
         b'"variables":{"f":null}}'


@pytest.fixture(name="certificates", scope="module")
def certificates_fixture():
    certificates = Certificates()
    yield certificates
    certificates.close()


@pytest.fixture(name="proxies", scope="module")
def proxies_fixture(certificates):
    """proxies(backend's port, option…) starts an nginx until the module ends."""
    with contextlib.ExitStack() as stack:
        def start(port, certificate=None, **options):
            proxy = TlsProxy(certificate or certificates.good, port, **options)
            stack.callback(proxy.close)
            return proxy
        yield start


@pytest.fixture(name="proxy", scope="module", params=VERSIONS)
def proxy_fixture(request, proxies, backend):
    proxy = proxies(backend.port, http2=request.param == "http2")
    proxy.protocol = VERSIONS[request.param]
    return proxy


@pytest.fixture(name="variables", scope="module")
def variables_fixture(proxy, certificates):
    return {"POSTERN_UPSTREAM": proxy.url, "POSTERN_LOOPS": "1",
            "POSTERN_UPSTREAM_CA": certificates.ca + ".pem"}


@pytest.fixture(name="tls", scope="module")
def tls_fixture(start, variables):
    """A gateway in front of nginx, by FastCGI."""
    return start(**variables)


@pytest.fixture(name="both", scope="module", params=["fastcgi", "cgi"])
def both_fixture(request, start, variables, tls):
    return tls if request.param == "fastcgi" else start("cgi", **variables)


# --- requests straight to a program, without lighttpd ------------------------


def parameters(length, kind=JSON):
    return fcgi.params("POST", CONTENT_TYPE=kind, CONTENT_LENGTH=str(length),
                       HTTP_APOLLO_REQUIRE_PREFLIGHT="true")


def open_request(gateway, body, program="query", kind=JSON):
    connection = fcgi.Connection(gateway.socket_of(program), timeout=30)
    connection.start(parameters(len(body), kind))
    connection.feed(body)
    return connection


def ask(gateway, value=None, program="query"):
    body = json.dumps(value or {"query": ME}).encode()
    with open_request(gateway, body, program) as connection:
        return connection.answer()


def in_threads(count, call):
    """The results of count calls at once."""
    results = [None] * count

    def run(number):
        results[number] = call()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def resident(gateway, program="query"):
    """KiB of memory that a program has."""
    with open(f"/proc/{gateway.pid_of(program)}/status",
              encoding="ascii") as file:
        return int(re.search(r"^VmRSS:\s*(\d+)", file.read(), re.M)[1])


def processor(gateway, program="query"):
    """Seconds of processor time that a program has used."""
    with open(f"/proc/{gateway.pid_of(program)}/stat",
              encoding="latin-1") as file:
        fields = file.read().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def libraries(gateway, program="query"):
    """The shared libraries that a program has loaded."""
    with open(f"/proc/{gateway.pid_of(program)}/maps",
              encoding="utf-8") as file:
        return set(re.findall(r"/(lib[^/.\n]*)\.so", file.read()))


# --- the basic exchanges -----------------------------------------------------


def test_login_query_logout(both, backend, proxy):
    account = backend.register()
    cookie = both.cookie_for(account)
    answer = both.query(cookie=cookie)
    assert answer.status == 200
    assert answer.json["data"]["me"]["email"] == account.email
    assert backend.seen()[-1]["header"]["x-seen-protocol"] == proxy.protocol
    answer = both.post("/logout", cookie=cookie)
    assert answer.status == 200 and cookie_of(answer)[1] == ""
    assert "logout" in backend.seen()[-1]["body"]
    assert both.query(cookie=cookie).json["data"]["me"] is None


def test_libcurl_is_loaded_only_for_tls(tls, start):
    """It makes the start of a plain CGI program several times as long."""
    assert "libcurl" in libraries(tls)
    plain = libraries(start())
    assert "libgcrypt" in plain
    assert not plain & {"libcurl", "libssl", "libgnutls"}


def test_query_by_get(both):
    answer = both.get("/query?query=%7Bme%7BownerId%7D%7D")
    assert answer.status == 200 and answer.json == {"data": {"me": None}}


def test_connection_is_kept(tls, backend):
    backend.forget()
    for _ in range(5):
        assert ask(tls).status == 200
    numbers = {one["header"]["x-seen-connection"] for one in backend.seen()}
    assert len(numbers) == 1


def multipart(content):
    mark = b"--mark\r\nContent-Disposition: form-data; name="
    return (mark + b'"operations"\r\n\r\n' + UPLOAD + b"\r\n" + mark
            + b'"map"\r\n\r\n{"0":["variables.f"]}\r\n' + mark
            + b'"0"; filename="a.bin"\r\nContent-Type: text/plain\r\n\r\n'
            + content + b"\r\n--mark--\r\n")


def check_upload(backend, content):
    seen = backend.seen()[-1]
    assert seen["header"]["content-type"].startswith("multipart/form-data")
    assert len(content) < seen["length"] < len(content) + 2000


KIND = "multipart/form-data; boundary=mark"


def test_large_upload(both, backend):
    backend.next(body='{"data":{"save":null}}')
    content = os.urandom(20 * MIB)
    answer = both.post("/query", multipart(content), headers=[
        ("Content-Type", KIND), ("Apollo-Require-Preflight", "true")])
    assert answer.status == 200 and answer.json == {"data": {"save": None}}
    check_upload(backend, content)


def test_large_answer(both, backend):
    big = "".join("%08x\n" % n for n in range(30 * MIB // 9))
    backend.next(body=big)
    answer = both.query("{ a }", keep=False)
    assert answer.whole and answer.body == big.encode()


# --- streams -----------------------------------------------------------------


def test_large_answer_needs_little_memory(tls, backend):
    """The client reads slowly: what it has not read waits at the backend."""
    big = "".join("%08x\n" % n for n in range(30 * MIB // 9))
    assert ask(tls).status == 200
    before = resident(tls)
    backend.next(body=big)
    with open_request(tls, b'{"query":"{ a }"}') as connection:
        peak = before
        for _ in range(5):
            for _ in range(20):
                connection.read_record()
            time.sleep(0.1)
            peak = max(peak, resident(tls))
        received = len(connection.answer().stdout)
        peak = max(peak, resident(tls))
    assert received > 25 * MIB
    if not gateways.is_sanitized():
        assert peak < before + 2048, "KiB"


def test_answer_that_the_client_does_not_read_costs_nothing(tls, backend):
    backend.next(body="x" * (30 * MIB))
    with open_request(tls, b'{"query":"{ a }"}') as connection:
        connection.read_record()
        time.sleep(0.3)
        before = processor(tls)
        time.sleep(1)
        assert processor(tls) - before < 0.1


def test_slow_upload(start_own, backend, variables):
    """The time that a client takes is not the backend's: no timeout."""
    gateway = start_own(**variables, POSTERN_FIRST_BYTE_TIMEOUT="1s",
                        POSTERN_BETWEEN_BYTES_TIMEOUT="1s")
    content = os.urandom(3 * MIB)
    body = multipart(content)
    backend.next(body='{"data":{"save":null}}')
    with fcgi.Connection(gateway.socket_of("query")) as connection:
        connection.start(parameters(len(body), KIND))
        begin = processor(gateway)
        for at in range(0, len(body), MIB):
            connection.feed(body[at:at + MIB], end=False)
            time.sleep(1.3)
        used = processor(gateway) - begin
        connection.feed(b"")
        answer = connection.answer()
    assert answer.status == 200 and answer.text == '{"data":{"save":null}}'
    assert used < 1
    check_upload(backend, content)


class Server:
    """Serves each connection with a function, in a thread. wrap: with TLS."""

    def __init__(self, serve, wrap=None):
        self.serve, self.wrap = serve, wrap
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        self.requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(connection,),
                             daemon=True).start()

    def _run(self, connection):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(60)
            if self.wrap:
                connection = self.wrap(connection, server_side=True)
            with connection:
                self.serve(self, connection)

    def read_request(self, connection):
        """Read a request; add it to the list. False at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return True

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture(name="server")
def server_fixture():
    """server(function, wrap) starts a Server until the test ends."""
    with contextlib.ExitStack() as stack:
        def start(serve, wrap=None):
            server = Server(serve, wrap)
            stack.callback(server.close)
            return server
        yield start


@pytest.mark.parametrize("kind", ["text/event-stream",
                                  "multipart/mixed; boundary=x"])
@pytest.mark.parametrize("http2", [False, True], ids=VERSIONS)
def test_part_is_passed_on_at_once(server, proxies, start_own, certificates,
                                   kind, http2):
    """Each part is the time at which it was sent."""
    def serve(self, connection):
        self.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                           b"Content-Type: %b\r\n\r\n" % kind.encode())
        for _ in range(10):
            time.sleep(0.1)
            part = b"@%.6f@" % time.monotonic()
            connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        connection.sendall(b"0\r\n\r\n")

    proxy = proxies(server(serve).port, http2=http2)
    gateway = start_own(POSTERN_UPSTREAM=proxy.url,
                        POSTERN_UPSTREAM_CA=certificates.ca + ".pem")
    late = []
    with open_request(gateway, b'{"query":"{ a }"}') as connection:
        ended = False
        while not ended:
            record, _, content = connection.read_record()
            ended = record == fcgi.END_REQUEST
            if record == fcgi.STDOUT:
                late += [time.monotonic() - float(sent)
                         for sent in re.findall(rb"@([\d.]+)@", content)]
    assert len(late) == 10
    assert sorted(late)[-2] < 0.05 and late[-1] < 0.5, late


# --- many at once ------------------------------------------------------------


def test_slow_queries_run_in_parallel(tls, backend):
    for number in range(50):
        backend.next(delay=0.3, body='{"data":{"a":1}}')
    begin = time.monotonic()
    answers = in_threads(50, lambda: ask(tls, {"query": "{ a }"}))
    took = time.monotonic() - begin
    assert [answer.status for answer in answers] == [200] * 50
    assert took < 50 * 0.3 / 2


def test_client_that_does_not_read_stops_nobody_else(tls, backend):
    """With HTTP/2, too, its answer has a connection of its own."""
    backend.next(body="x" * (30 * MIB))
    with open_request(tls, b'{"query":"{ a }"}') as connection:
        connection.read_record()
        time.sleep(0.3)
        begin = time.monotonic()
        for _ in range(20):
            assert ask(tls).status == 200
        assert time.monotonic() - begin < 2
        assert len(connection.answer().stdout) > 29 * MIB


def test_first_burst_reads_the_authorities_once(start_own, backend, proxies,
                                                certificates, tmp_path):
    """Those of a system are 150, and take 15 ms to parse."""
    ca = tmp_path / "ca.pem"
    with open(certificates.ca + ".pem", encoding="ascii") as file:
        one = file.read()
    with open(certificates.other_ca + ".pem", encoding="ascii") as file:
        ca.write_text(file.read() * 1000 + one)
    gateway = start_own(POSTERN_UPSTREAM=proxies(backend.port).url,
                        POSTERN_UPSTREAM_CA=str(ca), POSTERN_LOOPS="1")
    assert ask(gateway).status == 200
    for _ in range(30):
        backend.next(delay=0.3, body='{"data":{"a":1}}')
    before = processor(gateway)
    answers = in_threads(30, lambda: ask(gateway, {"query": "{ a }"}))
    assert [answer.status for answer in answers] == [200] * 30
    if not gateways.is_sanitized():
        assert processor(gateway) - before < 0.3


def test_login_while_others_hang(tls, backend):
    """Fifty logins wait for the backend, all of them in one loop."""
    account = backend.register()
    backend.forget()
    for _ in range(50):
        backend.next(delay=8, status=500, body="{}")
    somebody = json.dumps({"email": "a@example.com", "password": "b"}).encode()
    with contextlib.ExitStack() as stack:
        hanging = [stack.enter_context(open_request(tls, somebody, "login"))
                   for _ in range(50)]
        assert wait_until(lambda: len(backend.seen()) == 50, 10)
        begin = time.monotonic()
        answer = ask(tls, {"email": account.email,
                           "password": account.password}, "login")
        took = time.monotonic() - begin
        assert answer.status == 200 and answer.header("Set-Cookie")
        assert took < 5
        for connection in hanging:
            assert connection.answer().status == 502


@pytest.mark.parametrize("plan", [
    dict(delay=0.6, chunks=[0.05, "a"] * 60),
    dict(chunks=["a", 0.05] * 100),
    dict(body="x" * (60 * MIB)),
], ids=["before the head", "in the answer", "unread answer"])
def test_client_that_leaves_aborts_the_request(tls, backend, plan):
    backend.forget()
    backend.next(**plan)
    with open_request(tls, b'{"query":"{ a }"}') as connection:
        assert wait_until(lambda: len(backend.seen()) == 1)
        if "delay" not in plan:
            connection.read_record()
        else:
            time.sleep(0.2)
    assert wait_until(lambda: backend.seen()[-1]["gone"], 1.5)
    assert ask(tls).status == 200


def test_client_that_leaves_in_an_upload(tls, backend):
    body = multipart(bytes(4 * MIB))
    for _ in range(3):
        with fcgi.Connection(tls.socket_of("query")) as connection:
            connection.start(parameters(len(body), KIND))
            connection.feed(body[:2 * MIB], end=False)
    assert ask(tls).status == 200


# --- failures ----------------------------------------------------------------


def test_timeouts(start_own, backend, variables):
    gateway = start_own(**variables, POSTERN_FIRST_BYTE_TIMEOUT="1s",
                        POSTERN_BETWEEN_BYTES_TIMEOUT="1s")
    account = {"email": "a@example.com", "password": "b"}
    rows = [
        ("first-byte", dict(delay=8, body="{}")),
        ("between-bytes", dict(chunks=['{"data":', 8, "null}"])),
    ]
    for text, plan in rows:
        backend.next(**plan)
        begin = time.monotonic()
        answer = ask(gateway, account, "login")
        assert 0.9 < time.monotonic() - begin < 8, text
        assert answer.status == 504, text
        assert text in gateway.log
    # The head of a query's answer was sent: it is cut off.
    backend.next(**rows[1][1])
    with pytest.raises(fcgi.IncompleteResponse):
        ask(gateway, {"query": "{ a }"})
    # nginx sends data all the time, but slowly.
    backend.next(chunks=["a", 0.4] * 6)
    assert ask(gateway, {"query": "{ a }"}).body == b"a" * 6


FAULTS = {
    "other name": r"no alternative certificate subject name matches",
    "expired": r"certificate has expired",
    "other authority": r"unable to get local issuer certificate",
    "system authorities": r"unable to get local issuer certificate",
    "no TLS": r"wrong version number",
    "refused": r"[Cc]onnect",
    "silent": r"timed out|timeout",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_backend_that_cannot_be_reached(start_own, backend, proxies, server,
                                        certificates, fault):
    url, ca = None, certificates.ca
    if fault in ("other name", "expired"):
        url = proxies(backend.port, getattr(certificates,
                                            fault.replace(" ", "_"))).url
    elif fault == "other authority":
        url, ca = proxies(backend.port).url, certificates.other_ca
    elif fault == "system authorities":
        url, ca = proxies(backend.port).url, None
    elif fault == "no TLS":
        url = f"https://localhost:{backend.port}/graphql"
    elif fault == "refused":
        url = f"https://localhost:{closed_port()}/graphql"
    else:
        silent = server(lambda self, connection: connection.recv(1) and
                        time.sleep(20))
        url = f"https://localhost:{silent.port}/graphql"
    gateway = start_own(POSTERN_UPSTREAM=url, POSTERN_CONNECT_TIMEOUT="1s",
                        POSTERN_UPSTREAM_CA=ca and ca + ".pem")
    backend.forget()
    for program in ("query", "login"):
        begin = time.monotonic()
        answer = ask(gateway, {"query": ME} if program == "query" else
                     {"email": "a@example.com", "password": "b"}, program)
        assert answer.status == (504 if fault == "silent" else 502)
        assert time.monotonic() - begin < 3
    assert len(re.findall(FAULTS[fault], gateway.log)) >= 2, gateway.log
    assert backend.seen() == []


def test_host_name_is_looked_up(start_own, backend, proxies, certificates):
    """By a thread of libcurl's, but for localhost: in the sandbox, too. The
    machine's own name is in /etc/hosts; the certificate is for another."""
    url = proxies(backend.port).url.replace("localhost", socket.gethostname())
    gateway = start_own(POSTERN_UPSTREAM=url,
                        POSTERN_UPSTREAM_CA=certificates.ca + ".pem")
    assert gateway.query(ME).status == 502
    assert "no alternative certificate subject name matches" in gateway.log


def test_redirect_is_not_followed(tls, backend):
    backend.forget()
    backend.next(status=307, headers=[["Location", "/graphql"]], body="")
    assert ask(tls).status == 502
    assert len(backend.seen()) == 1
    assert "/graphql" in tls.log


class TlsHead:
    """A TLS server that answers each connection's first request with a head of
    these lines, and {}."""

    def __init__(self, certificate, lines):
        self.head = b"".join(b"%b\r\n" % line for line in [
            b"HTTP/1.1 200 OK", b"Content-Type: application/json",
            b"Content-Length: 2", b"Connection: close", *lines, b""])
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate + ".pem", certificate + ".key")
        self.listener = context.wrap_socket(
            socket.create_server(("127.0.0.1", 0)), server_side=True)
        self.url = f"https://localhost:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except ssl.SSLError:
                continue
            except OSError:
                return
            with contextlib.suppress(OSError), client:
                request = b""
                while not request.endswith(b"}"):
                    request += client.recv(65536)
                client.sendall(self.head + b"{}")
                while client.recv(65536):
                    pass

    def close(self):
        self.listener.close()


@pytest.mark.parametrize("lines, status", [
    ([b"X-%d: y" % n for n in range(100)], 200),
    ([b"X-%d: " % n + b"y" * 4000 for n in range(20)], 502),
    ([b"X-%d: y" % n for n in range(600)], 502),
    ([b"X: " + b"y" * 1000000], 502)],
    ids=["fits", "too long", "too many", "one of 1 MB"])
def test_head_that_does_not_fit(start_own, certificates, lines, status):
    """The log says what is wrong."""
    server = TlsHead(certificates.good, lines)
    try:
        gateway = start_own(POSTERN_UPSTREAM=server.url,
                            POSTERN_UPSTREAM_CA=certificates.ca + ".pem")
        answer = ask(gateway, {"query": "{ a }"})
        assert answer.status == status
        if status == 502:
            assert b"UPSTREAM_INVALID" in answer.stdout
            assert "head" in gateway.log.partition("reason=")[2]
    finally:
        server.close()


@pytest.mark.parametrize("http2", [False, True], ids=VERSIONS)
def test_restarted_backend_is_reached_again(backend, proxies, start_own,
                                            certificates, http2):
    proxy = proxies(backend.port, http2=http2)
    gateway = start_own(POSTERN_UPSTREAM=proxy.url, POSTERN_LOOPS="1",
                        POSTERN_UPSTREAM_CA=certificates.ca + ".pem")
    for query in (ME, MUTATION):
        answers = in_threads(5, lambda: ask(gateway))
        assert [answer.status for answer in answers] == [200] * 5
        proxy.stop()
        proxy.start()
        for _ in range(5):
            assert ask(gateway, {"query": query}).status == 200
    proxy.stop()
    assert ask(gateway).status == 502
    proxy.start()
    assert ask(gateway).status == 200


def test_kept_connection_that_closes_unanswered(server, start_own,
                                                certificates):
    """A query is sent again. A mutation may have taken effect: it is not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.good + ".pem",
                            certificates.good + ".key")

    def serve(self, connection):
        self.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
                           b"Content-Type: application/json\r\n\r\nnull")
        self.read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))

    backend = server(serve, context.wrap_socket)
    gateway = start_own(
        POSTERN_UPSTREAM=f"https://localhost:{backend.port}/graphql",
        POSTERN_UPSTREAM_CA=certificates.ca + ".pem", POSTERN_LOOPS="1")
    assert ask(gateway).status == 200
    assert ask(gateway).status == 200
    assert len(backend.requests) == 3
    assert ask(gateway, {"query": MUTATION}).status == 502
    assert len(backend.requests) == 4
    assert ask(gateway, {"query": MUTATION}).status == 200
    assert len(backend.requests) == 5


def test_mutation_does_not_use_a_connection_that_was_idle(
        server, start_own, certificates):
    """Its server may be about to close it, and then nobody knows whether the
    mutation took effect. A query can be sent again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.good + ".pem",
                            certificates.good + ".key")
    connections = []

    def serve(self, connection):
        connections.append(connection)
        while self.read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
                               b"Content-Type: application/json\r\n\r\nnull")

    backend = server(serve, context.wrap_socket)
    gateway = start_own(
        POSTERN_UPSTREAM=f"https://localhost:{backend.port}/graphql",
        POSTERN_UPSTREAM_CA=certificates.ca + ".pem", POSTERN_LOOPS="1")
    for query, idle, want in ((ME, 0, 1), (MUTATION, 2, 1), (ME, 4.2, 1),
                              (MUTATION, 4.2, 2)):
        time.sleep(idle)
        assert ask(gateway, {"query": query}).status == 200
        assert len(connections) == want, (query, idle)


def test_cut_answer_does_not_look_complete(tls, backend):
    part = '{"data":' + " " * 200_000
    for plan in (dict(headers=[["Content-Length", "500000"]], body=part,
                      close=True),
                 dict(chunks=[part], cut=True)):
        backend.next(**plan)
        with pytest.raises(fcgi.IncompleteResponse):
            ask(tls, {"query": "{ a }"})
    # Nothing was sent yet: an answer takes its place.
    backend.next(headers=[["Content-Length", "5000"]], body="{", close=True)
    assert ask(tls, {"query": "{ a }"}).status == 502
    assert ask(tls).status == 200
