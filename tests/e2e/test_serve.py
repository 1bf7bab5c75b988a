# SPDX-License-Identifier: ISC
"""The server side of a program: sockets, connections, signals, CGI.

The tests run tests/unit/echo_handler, which has no sessions and no backend.
fcgi.py is the web server's side of FastCGI.
"""
import concurrent.futures
import os
import pty
import re
import resource
import signal
import socket
import stat
import subprocess
import tempfile
import time

import canary
import fcgi
import pytest

BUILD = os.environ.get("POSTERN_BUILD", ".")
ECHO = os.path.join(BUILD, "tests/unit/echo_handler")

# The programs inherit these variables, for sanitizers and coverage.
INHERITED = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
             "TSAN_OPTIONS", "LD_LIBRARY_PATH")


def environment(**more):
    values = {name: os.environ[name] for name in INHERITED
              if name in os.environ}
    values["COOKIE_SESSION_SECRET"] = canary.SECRET + os.urandom(32).hex()
    values["POSTERN_UPSTREAM"] = "http://127.0.0.1:9/"
    values["POSTERN_STORE"] = "none"
    values.update(more)
    return {name: value for name, value in values.items() if value is not None}


class Program:
    """A running echo_handler. Its log is a file: what was logged before an answer
    is there when the answer is."""

    def __init__(self, arguments=(), stdin=subprocess.DEVNULL, command=None,
                 pass_fds=(), wait=True, **variables):
        # pylint: disable-next=consider-using-with
        self.log_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command or [ECHO, *arguments], stdin=stdin, pass_fds=pass_fds,
            stdout=subprocess.PIPE, stderr=self.log_file,
            env=environment(**variables))
        try:
            if wait:
                self.wait_for("event=ready")
        except AssertionError:
            self.process.kill()
            raise

    def wait_for(self, text, count=1, timeout=20):
        """The count-th line with text. Fails if the log ends before it."""
        end = time.monotonic() + timeout
        while True:
            has_ended = self.process.poll() is not None
            lines = [line for line in self.log.splitlines(keepends=True)
                     if text in line]
            if len(lines) >= count:
                return lines[count - 1]
            assert not has_ended and time.monotonic() < end, self.log
            time.sleep(0.005)

    @property
    def log(self):
        size = os.fstat(self.log_file.fileno()).st_size
        text = os.pread(self.log_file.fileno(), size, 0)
        return text.decode("utf-8", "replace")

    @property
    def socket_name(self):
        line = self.wait_for("event=listening")
        return re.search(r'socket="?([^\s"]+)', line).group(1)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def status(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(rf"^{name}:\s*(\d+)", file.read(), re.M)[1])

    def is_sanitized(self):
        with open(f"/proc/{self.process.pid}/maps", encoding="utf-8") as file:
            return "libasan" in file.read() or "__asan" in self.log

    def stop(self, number=signal.SIGTERM):
        """Stop the process and return its exit status."""
        name = os.path.basename(self.process.args[0])
        faults = canary.search_process(
            self.process.pid, name) if name in canary.PROGRAMS else []
        self.process.send_signal(number)
        status = self.wait()
        searched = canary.search("log", name, self.log.encode(), canary.ALL)
        assert not faults + searched, faults + searched
        return status

    def wait(self, timeout=30):
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.process.stdout.close()
        return status


@pytest.fixture(name="start")
def start_fixture(tmp_path):
    """start(NAME=value…) returns a Program and the path of its socket."""
    programs = []

    def start(*arguments, **options):
        path = str(tmp_path / f"{len(programs)}.sock")
        if not arguments and "stdin" not in options:
            arguments = ("--listen", "unix:" + path)
        program = Program(arguments, **options)
        programs.append(program)
        return program, path

    yield start
    for program in programs:
        if program.process.poll() is None:
            assert program.stop() == 0, program.log
        assert "Sanitizer" not in program.log
        assert "runtime error" not in program.log


def parse_echo(answer):
    """What the handler echoes: a dict of its first lines, and the body."""
    lines = answer.text.split("\n", 3)
    head = dict(line.split("=", 1) for line in lines[:3])
    return head, lines[3]


def in_threads(count, call):
    with concurrent.futures.ThreadPoolExecutor(count) as executor:
        return list(executor.map(call, range(count)))


# Requests and answers.


def test_request_is_echoed_and_logged(start):
    program, path = start()
    answer = fcgi.request(path, "POST", "", b"hello", HTTP_X_ECHO="abc")
    head, body = parse_echo(answer)
    assert answer.status == 200
    assert head == {"method": "POST", "role": "responder", "echo": "abc"}
    assert body == "hello"
    assert (answer.app_status, answer.protocol_status) == (0, 0)
    line = program.wait_for("event=request")
    assert re.search(r"request=[0-9a-f]{16} method=POST status=200 ms=\d+ "
                     r"bytes=\d+$", line.strip()), line


@pytest.mark.parametrize("piece", [1, 7, 8, 127, 8184, 65535])
def test_records_of_any_size_are_read(start, piece):
    _, path = start()
    long = "v" * (2000 if piece == 1 else 20000) + "end"
    body = bytes(range(256)) * (4 if piece == 1 else 300)
    body = body.decode("latin-1").encode("utf-8")
    with fcgi.Connection(path) as connection:
        answer = connection.request(
            fcgi.params("POST", body=body, HTTP_X_ECHO=long), body,
            piece=piece)
    head, echoed = parse_echo(answer)
    assert head["echo"] == long
    assert echoed.encode("utf-8") == body


def test_body_is_read_as_it_arrives(start):
    _, path = start()
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params("POST", "flush=1", b"x" * 10))
        for piece in (b"one", b"two", b"four"):
            connection.feed(piece, end=False)
            got = b""
            while piece not in got:
                got += connection.read_record()[2]
        connection.feed(b"")
        assert connection.answer().protocol_status == 0


def test_answer_to_head_has_no_body(start):
    program, path = start()
    answer = fcgi.request(path, "HEAD")
    assert answer.status == 200 and answer.header("Content-Type")
    assert answer.body == b""
    assert " bytes=0" in program.wait_for("event=request")


def test_authorizer_role_is_served(start):
    _, path = start()
    with fcgi.Connection(path) as connection:
        answer = connection.request(fcgi.params(), role=fcgi.AUTHORIZER,
                                    stdin=False)
        assert parse_echo(answer)[0]["role"] == "authorizer"
        assert connection.is_closed()


def test_filter_role_is_refused(start):
    program, path = start()
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params(), role=fcgi.FILTER)
        kind, request_id, content = connection.read_record()
        assert (kind, request_id) == (fcgi.END_REQUEST, 1)
        assert content[4] == 3, "FCGI_UNKNOWN_ROLE"
        # The connection can still be used.
        assert connection.request(fcgi.params(), request_id=2).status == 200
    program.wait_for("event=request ")
    assert program.stop() == 0
    assert program.log.count("event=request ") == 1


def test_large_answer_arrives_complete(start):
    _, path = start()
    answer = fcgi.request(path, query="size=5000000")
    assert len(answer.body) > 5000000


def test_error_is_answered_and_logged_without_the_query(start):
    program, path = start()
    answer = fcgi.request(path, query="fail=1&token=sesame")
    assert answer.status == 400
    assert b'"BAD_REQUEST"' in answer.body
    assert "error=PST_MALFORMED" in program.wait_for("event=request")
    assert "sesame" not in program.log and "fail=" not in program.log


def test_truncated_answer_has_no_end_record(start):
    program, path = start()
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params(query="size=10000&late=1&cut=1"),
                         keep=True)
        connection.feed(b"")
        with pytest.raises(fcgi.IncompleteResponse) as cut:
            connection.answer()
    assert b"Status: 200" in cut.value.stdout
    assert "error=PST_UPSTREAM_BROKEN" in program.wait_for("event=request")


# Connections.


def test_kept_connection_serves_many_requests(start):
    program, path = start()
    with fcgi.Connection(path) as connection:
        for number in range(1, 51):
            answer = connection.request(
                fcgi.params("POST", body=b"n%d" % number), b"n%d" % number,
                request_id=number, keep=True)
            assert parse_echo(answer)[1] == f"n{number}"
        answer = connection.request(fcgi.params())
        assert answer.status == 200
        assert connection.is_closed()
    program.wait_for("event=request ", 51)


@pytest.mark.quick
def test_interleaved_kept_connections_do_not_mix(start):
    _, path = start(POSTERN_LOOPS="2")
    connections = [fcgi.Connection(path) for _ in range(8)]
    for turn in range(10):
        for number, connection in enumerate(connections):
            connection.start(
                fcgi.params("POST", body=b"12345678",
                            HTTP_X_ECHO=f"user-{number}"), keep=True)
        for number, connection in reversed(list(enumerate(connections))):
            connection.feed(b"%04d%04d" % (number, turn))
        for number, connection in enumerate(connections):
            head, body = parse_echo(connection.answer())
            assert head["echo"] == f"user-{number}"
            assert body == f"{number:04}{turn:04}"
    for connection in connections:
        connection.close()


def test_idle_connections_do_not_block_requests(start):
    program, path = start(POSTERN_LOOPS="4")
    idle = [fcgi.Connection(path) for _ in range(300)]
    for connection in idle[:150]:
        assert connection.request(fcgi.params(), keep=True).status == 200
    begin = time.monotonic()
    for _ in range(20):
        assert fcgi.request(path).status == 200
    assert time.monotonic() - begin < 5
    for connection in idle:
        assert connection.request(fcgi.params(), keep=True).status == 200
    assert program.status("Threads") <= 5
    for connection in idle:
        connection.close()


def test_unread_body_leaves_the_connection_usable(start):
    _, path = start()
    with fcgi.Connection(path) as connection:
        body = b"z" * 300000
        for _ in range(3):
            answer = connection.request(
                fcgi.params("POST", "skip=1", body), body, keep=True)
            assert answer.status == 200
        answer = connection.request(fcgi.params("POST", body=b"ok"), b"ok",
                                    keep=True)
        assert parse_echo(answer)[1] == "ok"


@pytest.mark.parametrize("is_tcp", [False, True])
def test_request_with_a_huge_unread_body_is_answered(start, is_tcp):
    """If the program closed the connection while the web server still sends,
    the web server would report a failure."""
    program, address = start(*(["--listen=127.0.0.1:0"] if is_tcp else []))
    if is_tcp:
        address = ("127.0.0.1", int(program.socket_name.split(":")[1]))
    body = b"z" * 4000000
    with fcgi.Connection(address) as connection:
        connection.start(fcgi.params("POST", "skip=1", body), keep=True)
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            fed = executor.submit(connection.feed, body)
            assert connection.answer().status == 200
            fed.result()
        answer = connection.request(fcgi.params("POST", body=b"ok"), b"ok")
        assert parse_echo(answer)[1] == "ok"


def ignore_os_error(call):
    try:
        call()
    except OSError:
        pass


def test_2000_connections_are_served(start):
    """L46: descriptors above FD_SETSIZE, the limit of select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 5000:
        pytest.skip("needs 5,000 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        program, path = start(POSTERN_LOOPS="1")
        connections = [fcgi.Connection(path) for _ in range(2000)]
        for connection in connections:
            assert connection.request(fcgi.params(), keep=True).status == 200
        assert program.descriptors() > 2000
        for connection in reversed(connections):
            assert connection.request(fcgi.params(), keep=True).status == 200
            connection.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_descriptor_limit_closes_the_longest_idle_connection(start):
    command = ["sh", "-c", 'ulimit -n 100 && exec "$0" "$@"', ECHO]
    program, _ = start(command=command + ["--listen", "127.0.0.1:0"],
                       POSTERN_LOOPS="1")
    host, port = program.socket_name.split(":")
    connections = []
    for _ in range(200):
        connection = fcgi.Connection((host, int(port)))
        assert connection.request(fcgi.params(), keep=True).status == 200
        connections.append(connection)
    assert connections[0].is_closed()
    assert connections[-1].request(fcgi.params(), keep=True).status == 200
    assert program.descriptors() <= 100
    for connection in connections:
        connection.close()
    assert program.stop() == 0


# Many requests at once.


@pytest.mark.quick
def test_requests_that_wait_cost_no_thread(start):
    program, path = start(POSTERN_LOOPS="1")
    begin = time.monotonic()
    answers = in_threads(300, lambda _: fcgi.request(path, query="sleep=500"))
    assert time.monotonic() - begin < 10
    assert [answer.status for answer in answers] == [200] * 300
    assert program.status("Threads") == 1


def test_loops_are_threads(start):
    program, path = start(POSTERN_LOOPS="3")
    assert in_threads(30, lambda _: fcgi.request(path, query="sleep=10"))
    assert program.status("Threads") == 3
    program, path = start()
    assert fcgi.request(path).status == 200
    assert program.status("Threads") == len(os.sched_getaffinity(0))


def test_overload_is_an_answer(start):
    program, path = start(POSTERN_LOOPS="2", POSTERN_MAX_REQUESTS="4")
    running = [fcgi.Connection(path) for _ in range(4)]
    for connection in running:
        connection.start(fcgi.params("POST", body=b"12"))
        connection.feed(b"1", end=False)
    time.sleep(0.2)
    for _ in range(3):
        answer = fcgi.request(path)
        assert answer.status == 503
        assert int(answer.header("Retry-After")) >= 1
        assert '"OVERLOADED"' in answer.text
    for connection in running:
        connection.feed(b"2")
        assert parse_echo(connection.answer())[1] == "12"
    assert fcgi.request(path).status == 200


def test_incomplete_requests_do_not_block_others(start):
    _, path = start(POSTERN_LOOPS="4")
    incomplete = [fcgi.Connection(path) for _ in range(3)]
    incomplete[0].send(fcgi.begin()[:5])
    incomplete[1].send(fcgi.begin())
    incomplete[2].start(fcgi.params("POST", body=b"12345678"))
    incomplete[2].feed(b"1234", end=False)
    for _ in range(10):
        assert fcgi.request(path).status == 200
    incomplete[2].feed(b"5678")
    assert parse_echo(incomplete[2].answer())[1] == "12345678"
    for connection in incomplete:
        connection.close()


def test_descriptors_threads_and_memory_do_not_grow(start):
    program, path = start(POSTERN_LOOPS="4")

    def send_requests(number):
        with fcgi.Connection(path) as connection:
            for i in range(10):
                body = b"b" * (i * 1000)
                answer = connection.request(
                    fcgi.params("POST", f"sleep={number % 2}", body), body,
                    keep=i < 9)
                assert answer.status == 200
    in_threads(50, send_requests)
    descriptors = program.descriptors()
    threads = program.status("Threads")
    memory = program.status("VmRSS")
    in_threads(200, send_requests)
    assert program.descriptors() <= descriptors + 1
    assert program.status("Threads") <= max(threads, 5)
    if not program.is_sanitized():
        assert program.status("VmRSS") < memory + 2000, "KiB"


# Malformed input.


MALFORMED = {
    "bad version": fcgi.record(fcgi.BEGIN_REQUEST, 1, bytes(8), version=7),
    "zeros": bytes(64),
    "noise": bytes(range(255, -1, -1)) * 40,
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "end of a header": fcgi.begin()[:3],
    "begin of a wrong length": fcgi.record(fcgi.BEGIN_REQUEST, 1, bytes(3)),
    "begin with id 0": fcgi.begin(0),
    "unknown role": fcgi.begin(role=99),
    "params without begin": fcgi.stream(
        fcgi.PARAMS, 1, fcgi.pairs(fcgi.params())),
    "name longer than the stream": fcgi.begin() + fcgi.stream(
        fcgi.PARAMS, 1, b"\x7f\x01AB"),
    "value longer than the stream": fcgi.begin() + fcgi.stream(
        fcgi.PARAMS, 1, b"\x01\x7fAB"),
    "lengths that overflow (CVE-2025-23016, L44)": fcgi.begin() + fcgi.stream(
        fcgi.PARAMS, 1, b"\xff\xff\xff\xff\xff\xff\xff\xffAB"),
    "a gigabyte's length": fcgi.begin() + fcgi.stream(
        fcgi.PARAMS, 1, b"\xc0\x00\x00\x00\xc0\x00\x00\x00AB"),
    "length cut off": fcgi.begin() + fcgi.stream(fcgi.PARAMS, 1, b"\xff\xff"),
    "stdin instead of params": fcgi.begin() + fcgi.stream(
        fcgi.STDIN, 1, b"body"),
    "abort before params": fcgi.begin() + fcgi.record(fcgi.ABORT_REQUEST, 1),
    "a head without end": fcgi.begin() + fcgi.stream(
        fcgi.PARAMS, 1, fcgi.pairs({"HTTP_COOKIE": "x" * 100000}), end=False),
    "values asked for without end": fcgi.record(
        fcgi.GET_VALUES, 0, b"\x7f\x7f"),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("closes", [True, False])
def test_malformed_records_are_survived(start, name, closes):
    program, path = start(POSTERN_LOOPS="2")
    for _ in range(3):
        connection = fcgi.Connection(path)
        ignore_os_error(lambda: connection.send(MALFORMED[name]))
        if closes:
            ignore_os_error(
                lambda: connection.socket.shutdown(socket.SHUT_WR))
            ignore_os_error(lambda: connection.socket.recv(1000))
        else:
            connection.socket.settimeout(0.1)
            ignore_os_error(lambda: connection.socket.recv(1000))
        connection.close()
    fcgi.Connection(path).close()
    assert fcgi.request(path).status == 200
    assert program.process.poll() is None
    # Only the valid request was handled.
    assert program.stop() == 0
    assert program.log.count("event=request ") == 1, program.log


@pytest.mark.parametrize("tail", [b"", b"\x0b"])
def test_truncated_params_are_not_served(start, tail):
    """If the connection ends within PARAMS, libfcgi takes the variables so far
    for all: the request would lack its Origin or its Cookie."""
    program, path = start()
    with fcgi.Connection(path) as connection:
        connection.send(fcgi.begin() + fcgi.stream(
            fcgi.PARAMS, 1, fcgi.pairs(fcgi.params("POST")) + tail, end=False))
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.is_closed()
    assert program.stop() == 0
    assert "event=request " not in program.log


def test_client_that_disconnects_is_survived(start):
    program, path = start(POSTERN_LOOPS="4")
    for query, sent in (("size=3000000", 0), ("", 4), ("sleep=50", 0),
                        ("late=50&size=100000", 0)):
        for _ in range(4):
            connection = fcgi.Connection(path)
            connection.start(fcgi.params("POST", query, b"12345678"))
            connection.feed(b"12345678"[:sent], end=False)
            if sent == 0:
                connection.feed(b"12345678")
            connection.close()
    for _ in range(4):
        with fcgi.Connection(path) as connection:
            connection.start(fcgi.params("POST", "", b"12345678"))
            connection.feed(b"12", end=False)
            connection.abort()
            kind = None
            while kind != fcgi.END_REQUEST:
                kind, _, _ = connection.read_record()
    assert fcgi.request(path).status == 200
    program.wait_for("event=request ", 17)
    assert "error=PST_CLIENT_GONE" in program.log


@pytest.mark.parametrize("query", ["", "skip=1"])
def test_aborted_request_frees_its_worker(start, query):
    """Also if the web server keeps the connection open."""
    _, path = start(POSTERN_LOOPS="1")
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params("POST", query, b"12345678"))
        connection.feed(b"12", end=False)
        connection.abort()
        begin = time.monotonic()
        assert fcgi.request(path).status == 200
        assert time.monotonic() - begin < 1.5


def test_management_records_are_answered(start):
    _, path = start()
    with fcgi.Connection(path) as connection:
        values = connection.get_values("NO_SUCH", "FCGI_MPXS_CONNS")
        assert values == {"FCGI_MPXS_CONNS": b"0"}
        assert connection.get_values("FCGI_MAX_CONNS") == {}
        connection.send(fcgi.record(42, 0))
        kind, number, content = connection.read_record()
        assert (kind, number, content[0]) == (fcgi.UNKNOWN_TYPE, 0, 42)
        assert connection.request(fcgi.params()).status == 200


def test_late_records_of_a_finished_request_are_ignored(start):
    """A web server may abort a request that the program has just ended."""
    _, path = start()
    with fcgi.Connection(path) as connection:
        assert connection.request(fcgi.params(), keep=True).status == 200
        connection.abort()
        connection.feed(b"late")
        assert connection.request(fcgi.params(), keep=True).status == 200
        connection.abort()
        assert connection.request(fcgi.params(), request_id=2).status == 200


def test_request_head_in_many_pieces_is_read(start):
    """Apache sends BEGIN_REQUEST, PARAMS and STDIN one by one."""
    _, path = start()
    with fcgi.Connection(path) as connection:
        head = fcgi.begin() + fcgi.stream(
            fcgi.PARAMS, 1, fcgi.pairs(fcgi.params(HTTP_X_ECHO="abc")))
        for i in range(0, len(head), 5):
            connection.send(head[i:i + 5])
            time.sleep(0.001)
        connection.feed(b"")
        assert parse_echo(connection.answer())[0]["echo"] == "abc"


def test_second_request_on_a_busy_connection_is_refused(start):
    _, path = start()
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params("POST", body=b"abcd"), request_id=1)
        connection.send(fcgi.begin(2))
        connection.feed(b"abcd", request_id=1)
        kind, number, content = connection.read_record()
        assert (kind, number) == (fcgi.END_REQUEST, 2)
        assert content[4] == fcgi.CANT_MPX_CONN
        assert parse_echo(connection.answer(1))[1] == "abcd"


# Signals.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT,
                                    signal.SIGUSR1])
def test_drain_finishes_running_and_queued_requests(start, number):
    program, path = start(POSTERN_LOOPS="2")
    idle = fcgi.Connection(path)
    assert idle.request(fcgi.params(), keep=True).status == 200
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        running = [executor.submit(fcgi.request, path, "GET", "sleep=700")
                   for _ in range(3)]
        time.sleep(0.3)
        program.process.send_signal(number)
        program.wait_for("event=draining")
        assert idle.is_closed()
        # The last loop that stops accepting closes the socket.
        deadline = time.monotonic() + 5
        while os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(OSError):
            fcgi.Connection(path)
        assert [one.result().status for one in running] == [200] * 3
    assert program.wait() == 0
    assert "how=drained" in program.log


def test_hangup_opens_the_log_anew(tmp_path):
    """For logrotate: rename the file, then send SIGHUP."""
    log, path = tmp_path / "log", tmp_path / "s"
    program = Program(["--listen", f"unix:{path}"], wait=False,
                      POSTERN_LOG=str(log))

    def has(file, text):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if file.exists() and text in file.read_text():
                return True
            time.sleep(0.01)
        return False
    try:
        assert has(log, "event=ready")
        log.rename(tmp_path / "log.1")
        program.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert fcgi.request(path).status == 200
        assert has(log, "event=request ")
        assert "event=request " not in (tmp_path / "log.1").read_text()
    finally:
        assert program.stop() == 0


def test_drain_closes_a_kept_connection_after_its_request(start):
    program, path = start()
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params(query="sleep=500"), keep=True)
        connection.feed(b"")
        time.sleep(0.2)
        program.process.send_signal(signal.SIGTERM)
        assert connection.answer().status == 200
        assert connection.is_closed()
    assert program.wait() == 0


def test_drain_ends_at_its_timeout(start):
    program, path = start(POSTERN_DRAIN="1s")
    begin = time.monotonic()
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params("POST", body=b"12345678"))
        program.wait_for("event=ready")
        time.sleep(0.2)
        program.process.send_signal(signal.SIGTERM)
        with pytest.raises(fcgi.IncompleteResponse):
            connection.answer()
    assert program.wait() == 0
    assert 0.9 < time.monotonic() - begin < 3


def test_second_signal_ends_the_drain(start):
    program, path = start(POSTERN_DRAIN="30s")
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params(query="sleep=20000"))
        connection.feed(b"")
        time.sleep(0.2)
        program.process.send_signal(signal.SIGTERM)
        program.wait_for("event=draining")
        begin = time.monotonic()
        assert program.stop() == 0
    assert time.monotonic() - begin < 4
    assert "how=aborted" in program.log


def test_sighup_does_not_end_the_program(start):
    program, path = start()
    program.process.send_signal(signal.SIGHUP)
    program.wait_for("event=hangup")
    assert fcgi.request(path).status == 200


# Sockets.


def test_unix_socket_has_mode_660_and_is_removed(start):
    program, path = start()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert program.socket_name == "unix:" + path
    assert program.stop() == 0
    assert not os.path.exists(path)


def test_stale_socket_is_replaced(start, tmp_path):
    path = str(tmp_path / "stale")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
        stale.listen(1)
    start("--listen", "unix:" + path)
    assert fcgi.request(path).status == 200


def test_socket_in_use_is_not_replaced(start):
    _, path = start()
    second = Program(["--listen", "unix:" + path], wait=False)
    assert second.wait() == 71
    assert path in second.log and "use" in second.log
    assert fcgi.request(path).status == 200


def test_other_file_at_the_path_is_not_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious", encoding="ascii")
    program = Program(["--listen", f"unix:{path}"], wait=False)
    assert program.wait() == 71
    assert path.read_text(encoding="ascii") == "precious"


def test_socket_of_another_process_is_not_removed(start):
    program, path = start()
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        assert program.stop() == 0
        assert os.path.exists(path)


def test_request_that_arrived_before_the_signal_is_served(start):
    program, path = start()
    program.process.send_signal(signal.SIGSTOP)
    program.process.send_signal(signal.SIGTERM)
    with fcgi.Connection(path) as connection:
        connection.start(fcgi.params())
        connection.feed(b"")
        program.process.send_signal(signal.SIGCONT)
        assert connection.answer().status == 200
    assert program.wait() == 0


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
def test_tcp_socket_is_served(start, address):
    if "::1" in address and not has_ipv6():
        pytest.skip("no IPv6 here")
    program, _ = start(f"--listen={address}")
    host, port = program.socket_name.rsplit(":", 1)
    assert port != "0"
    assert fcgi.request((host.strip("[]"), int(port))).status == 200


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.parametrize("allowed, is_served", [
    ("127.0.0.1", True), ("192.0.2.1, 127.0.0.1", True), ("192.0.2.1", False),
    ("::ffff:127.0.0.1", True)])
def test_only_allowed_peers_are_served(start, allowed, is_served):
    program, _ = start("--listen", "127.0.0.1:0",
                       FCGI_WEB_SERVER_ADDRS=allowed)
    host, port = program.socket_name.split(":")
    if is_served:
        assert fcgi.request((host, int(port))).status == 200
    else:
        with fcgi.Connection((host, int(port))) as connection:
            assert connection.is_closed()


def test_invalid_list_of_peers_is_refused(tmp_path):
    program = Program(["--listen", f"unix:{tmp_path}/s"], wait=False,
                      FCGI_WEB_SERVER_ADDRS="localhost")
    assert program.wait() == 78
    assert "FCGI_WEB_SERVER_ADDRS" in program.log


def test_descriptor_0_is_served_and_its_socket_stays(start, tmp_path):
    path = str(tmp_path / "zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(10)
        program, _ = start(stdin=listening)
    assert program.socket_name == "unix:" + path
    assert fcgi.request(path).status == 200
    assert program.stop() == 0
    assert os.path.exists(path), "not controller to remove"


def test_sockets_from_systemd_are_served(start, tmp_path):
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    listening = [socket.socket(socket.AF_UNIX) for _ in paths]
    for one, path in zip(listening, paths):
        one.bind(path)
        one.listen(10)
    # Above 4: the redirections to 3 and 4 must not overwrite one of them.
    moved = [os.dup2(one.fileno(), 50 + i) for i, one in enumerate(listening)]
    script = 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" 3<&50 4<&51'
    program, _ = start(command=["bash", "-c", script, ECHO], pass_fds=moved)
    for descriptor in moved:
        os.close(descriptor)
    for one in listening:
        one.close()
    for path in paths:
        assert fcgi.request(path).status == 200
    with open(f"/proc/{program.process.pid}/environ", "rb") as file:
        assert b"LISTEN_FDS=2" in file.read()
    assert program.stop() == 0


def test_listen_fds_of_another_process_is_ignored(tmp_path):
    """LISTEN_PID names another process."""
    result = run_cgi(REQUEST_METHOD="GET", LISTEN_PID="1", LISTEN_FDS="1")
    assert result.returncode == 0 and b"Status: 200" in result.stdout


@pytest.mark.parametrize("address", [
    "unix:relative", "unix:", "unix:/" + "x" * 200, "nonsense", ":", "a:b",
    "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "127.0.0.1:080", ""])
def test_invalid_address_is_refused(address):
    program = Program(["--listen", address], wait=False)
    assert program.wait() == 64
    assert 'program=echo pid=' in program.log
    assert 'event=start-failed reason="cannot listen: ' in program.log


def test_unavailable_address_is_refused(tmp_path):
    program = Program(["--listen", f"unix:{tmp_path}/no/such"], wait=False)
    assert program.wait() == 71
    program = Program(["--listen", "192.0.2.1:80"], wait=False)
    assert program.wait() == 71


# Starting.


@pytest.mark.parametrize("variables, named", [
    ({"COOKIE_SESSION_SECRET": None}, "COOKIE_SESSION_SECRET"),
    ({"COOKIE_SESSION_SECRET": "short"}, "COOKIE_SESSION_SECRET"),
    ({"POSTERN_LOOPS": "many"}, "POSTERN_LOOPS"),
    ({"POSTERN_WROKERS": "4"}, "POSTERN_WROKERS"),
    ({"POSTERN_LOG": "/no/such/folder/log"}, "POSTERN_LOG")])
def test_invalid_configuration_is_refused_and_logged(
        tmp_path, variables, named):
    program = Program(["--listen", f"unix:{tmp_path}/s"], wait=False,
                      **variables)
    assert program.wait() == 78
    assert re.search(rf"^time=\S+Z level=error program=echo pid=\d+ "
                     rf'event=start-failed reason="{named}: .+"$',
                     program.log, re.M), program.log
    assert "short" not in program.log.replace("too short", "").replace(
        "shorter", "")
    assert not os.path.exists(f"{tmp_path}/s")


def test_start_on_a_terminal_prints_the_usage():
    """There is no web server to serve."""
    controller, terminal = pty.openpty()
    program = Program(stdin=terminal, wait=False)
    os.close(terminal)
    assert program.wait() == 64
    os.close(controller)
    assert "Usage: echo" in program.log and "--listen" in program.log


@pytest.mark.parametrize("arguments, status, said", [
    (["--help"], 0, b"Usage: echo"), (["--version"], 0, b"echo (postern) "),
    (["--listen"], 64, b""), (["--nonsense"], 64, b""), (["x"], 64, b"")])
def test_command_line_arguments(arguments, status, said):
    result = subprocess.run([ECHO, *arguments], env=environment(),
                            capture_output=True, check=False, timeout=20,
                            stdin=subprocess.DEVNULL)
    assert result.returncode == status
    assert result.stdout.startswith(said)
    assert status == 0 or b"Usage: echo" in result.stderr


# CGI.


def run_cgi(body=b"", arguments=(), **variables):
    return subprocess.run([ECHO, *arguments], input=body, timeout=20,
                          env=environment(**variables), capture_output=True,
                          check=False)


def test_cgi_request_is_served():
    body = b"hello" * 10000
    variables = fcgi.params("POST", "", body, HTTP_X_ECHO="abc")
    result = run_cgi(body, **variables)
    answer = fcgi.Answer(result.stdout, result.stderr, 0, 0)
    assert result.returncode == 0 and answer.status == 200
    head, echoed = parse_echo(answer)
    assert head["echo"] == "abc" and head["role"] == "responder"
    assert echoed.encode() == body


def test_cgi_body_ends_at_content_length():
    """RFC 3875 section 4.2: the server need not close the input."""
    read, write = os.pipe()
    os.write(write, b"12345 and more")
    variables = fcgi.params("POST", "", b"12345")
    result = subprocess.run([ECHO], stdin=read, timeout=20, check=False,
                            env=environment(**variables), capture_output=True)
    os.close(read)
    os.close(write)
    assert result.stdout.endswith(b"\n12345")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("missing", [*fcgi.params("POST"), "all"])
def test_cgi_without_a_variable(method, missing):
    """L9: every variable may be absent."""
    variables = fcgi.params(method, "", b"body")
    if missing == "all":
        variables = {}
    variables.pop(missing, None)
    result = run_cgi(b"body", **variables)
    answer = fcgi.Answer(result.stdout, result.stderr, 0, 0)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(b"Status: ")
    expected = 400 if missing in ("REQUEST_METHOD", "all") else 200
    assert answer.status == expected


@pytest.mark.parametrize("missing", [*fcgi.params("POST"), "all"])
def test_fastcgi_without_a_variable(start, missing):
    """L9: every variable may be absent."""
    _, path = start()
    variables = fcgi.params("POST", "", b"body")
    if missing == "all":
        variables = {}
    variables.pop(missing, None)
    with fcgi.Connection(path) as connection:
        answer = connection.request(variables, b"body")
    expected = 400 if missing in ("REQUEST_METHOD", "all") else 200
    assert answer.status == expected


def test_query_string_cannot_become_an_argument(tmp_path):
    """RFC 3875 section 4.4: a server may pass "?--listen+unix:/x" as
    arguments. The client must not choose the socket."""
    path = str(tmp_path / "planted")
    query = f"--listen+unix:{path}"
    result = run_cgi(arguments=query.split("+"),
                     **fcgi.params("GET", query))
    assert result.returncode == 0
    assert result.stdout.startswith(b"Status: 200")
    assert not os.path.exists(path)


def test_cgi_truncated_answer_sets_the_exit_status():
    result = run_cgi(**fcgi.params("GET", "size=1000000&late=1&cut=1"))
    assert result.returncode == 74
    assert result.stdout.startswith(b"Status: 200")
    # Nothing was sent yet: an answer takes its place.
    result = run_cgi(**fcgi.params("GET", "cut=1"))
    assert result.returncode == 0
    assert result.stdout.startswith(b"Status: 502")


def test_cgi_with_closed_output_fails_and_is_logged():
    process = subprocess.Popen(
        [ECHO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**fcgi.params("GET", "sleep=200&size=1000000")))
    process.stdout.close()
    assert b"PST_CLIENT_GONE" in process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 74


def test_cgi_ends_on_sigterm():
    """A web server may stop a CGI program."""
    process = subprocess.Popen(
        [ECHO], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(**fcgi.params("GET", "sleep=20000")))
    time.sleep(0.5)
    process.terminate()
    assert process.wait(5) == -signal.SIGTERM
