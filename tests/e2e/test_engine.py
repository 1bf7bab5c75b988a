# SPDX-License-Identifier: ISC
"""Many requests at once in one program: what waits delays nothing but itself.

The program is cgi-bin/query, whose event loop is mostly a single one, so that
whatever blocks it blocks everybody. The test is the web server (fcgi.py) and the
backend (scripted_backend.py). The bounds of time are generous: they tell waiting
from working, and say nothing about speed.
"""
import contextlib
import json
import os
import platform
import resource
import select
import signal
import socket
import statistics
import subprocess
import threading
import time

import fcgi
import gateway as gateways
import http_client
import pytest
import servers
from gateway import BUILD, COOKIE, LOGIN, is_sanitized, wait_until
from scripted_backend import ScriptedBackend
from test_serve import Program, in_threads

QUERY = os.path.join(BUILD, "cgi-bin/query")
MIB = 1 << 20
BOUNDARY = "----a7MA4YWxk"


@pytest.fixture(name="scripted")
def scripted_fixture():
    """scripted(NAME=value…) starts a ScriptedBackend for this test."""
    backends = []

    def start(**options):
        backends.append(ScriptedBackend(**options))
        return backends[-1]

    yield start
    for backend in backends:
        backend.close()


@pytest.fixture(name="start")
def start_fixture(tmp_path):
    """start(backend, NAME=value…) returns a running `query` and its socket."""
    programs = []

    def start(backend, command=(), stdin=None, wait=True, **variables):
        path = str(tmp_path / f"{len(programs)}.sock")
        options = {"stdin": stdin} if stdin else {}
        program = Program(
            command=[*command, QUERY,
                     *([] if stdin else ["--listen", "unix:" + path])],
            wait=wait, **options, **{"POSTERN_UPSTREAM": backend.url,
                          "POSTERN_LOOPS": "1",
                          "POSTERN_STORE": f"lmdb:{tmp_path}/store",
                          "POSTERN_LOGIN_FLOOR": "0", "POSTERN_DRAIN": "5s",
                          "POSTERN_LOGIN_PER_ADDRESS": "off", **variables})
        programs.append(program)
        return program, path

    yield start
    for program in programs:
        if program.process.poll() is None:
            assert program.stop() == 0, program.log
        for word in ("Sanitizer", "runtime error", "PST_REQUIRE"):
            assert word not in program.log


@pytest.fixture(name="descriptors")
def descriptors_fixture():
    """Thousands of descriptors, for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192:
        pytest.skip("needs 8,192 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Requests.


def body_of(name, variables=None):
    query = name if "{" in name else "{ %s }" % name
    return json.dumps({"query": query, "variables": variables or {}}).encode()


def params_of(body, cookie=None, **more):
    more.setdefault("CONTENT_TYPE", "application/json")
    if cookie:
        more["HTTP_COOKIE"] = f"{COOKIE}={cookie}"
    return fcgi.params("POST", "", body, **more)


def send(connection, name, cookie=None, keep=False):
    """Send a whole request; its answer is not read."""
    body = body_of(name)
    connection.start(params_of(body, cookie), keep=keep)
    connection.feed(body)


def query(address, name="me", cookie=None):
    with fcgi.Connection(address) as connection:
        send(connection, name, cookie)
        return connection.answer()


def open_and_send(path, name, count=1, cookie=None):
    connections = [fcgi.Connection(path) for _ in range(count)]
    for connection in connections:
        send(connection, name, cookie)
    return connections


def log_in(address, email):
    """Returns the cookie's value."""
    body = body_of(LOGIN, {"email": email, "password": "x"})
    with fcgi.Connection(address) as connection:
        answer = connection.request(params_of(body), body)
    assert answer.status == 200, answer.stdout
    value, = [value for value in answer.all("Set-Cookie")
              if value.startswith(COOKIE + "=")]
    return value.partition("=")[2].partition(";")[0]


def me_of(answer):
    assert answer.status == 200, answer.stdout
    return json.loads(answer.body)["data"]["me"]["email"]


def code_of(answer):
    return json.loads(answer.body)["errors"][0]["extensions"]["code"]


def assert_others_are_served(path, email="other@b.example"):
    """A login and a query by somebody else, each within a second."""
    begin = time.monotonic()
    cookie = log_in(path, email)
    between = time.monotonic()
    assert me_of(query(path, "me", cookie)) == email
    end = time.monotonic()
    assert between - begin < 1 and end - between < 1, (begin, between, end)


def have_answers(connections):
    """The number of connections with something to read."""
    poll = select.poll()
    for connection in connections:
        poll.register(connection.socket, select.POLLIN)
    return len(poll.poll(0))


def multipart_head():
    operations = {"query": "mutation($f:Upload!){save(f:$f)}",
                  "variables": {"f": None}}
    parts = [("operations", "", json.dumps(operations)),
             ("map", "", '{"0":["variables.f"]}'),
             ("0", '; filename="a"\r\nContent-Type: text/plain', "")]
    return "\r\n".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}'
        f"\r\n\r\n{value}" for name, more, value in parts).encode()


def multipart_params(size):
    """Variables of a multipart request whose file has so many bytes."""
    length = len(multipart_head()) + size + len(MULTIPART_END)
    return params_of(b"", CONTENT_LENGTH=str(length),
                     CONTENT_TYPE=f"multipart/form-data; boundary={BOUNDARY}",
                     HTTP_APOLLO_REQUIRE_PREFLIGHT="1")


MULTIPART_END = f"\r\n--{BOUNDARY}--\r\n".encode()


def start_upload(path, size):
    connection = fcgi.Connection(path)
    connection.start(multipart_params(size))
    connection.feed(multipart_head(), end=False)
    return connection


def read_count(connection):
    """Read an answer of any length: (bytes of STDOUT, the first of them)."""
    count, first = 0, b""
    with connection.socket.makefile("rb", 1 << 18) as file:
        while True:
            header = file.read(8)
            assert len(header) == 8, "the answer was cut off"
            content = file.read(int.from_bytes(header[4:6], "big"))
            file.read(header[6])
            if header[1] == fcgi.END_REQUEST:
                return count, first
            if header[1] == fcgi.STDOUT:
                count += len(content)
                first = first or content


def close_all(connections):
    for connection in connections:
        connection.close()


def peak_memory(program, reset=False):
    """The program's peak resident memory in bytes, optionally reset first."""
    pid = program.process.pid
    if reset:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    return program.status("VmHWM") * 1024


def cpu_seconds(program):
    with open(f"/proc/{program.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Slow clients.


def drip(connections, stop, byte):
    """Send one byte a second on each connection, until `stop` is set."""
    left = list(connections)
    while not stop.wait(1):
        for connection in list(left):
            try:
                connection.send(byte)
            except OSError:
                left.remove(connection)


@contextlib.contextmanager
def dripping(connections, byte):
    stop = threading.Event()
    thread = threading.Thread(target=drip, args=(connections, stop, byte))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def login_times(paths, count=15):
    """The median of so many logins at each program, in seconds. The programs
    take turns, so that what delays this process delays all of them."""
    times = [[] for _ in paths]
    for number in range(count):
        for path, found in zip(paths, times):
            begin = time.monotonic()
            log_in(path, f"timed{number}@b.example")
            found.append(time.monotonic() - begin)
    return [statistics.median(found) for found in times]


def test_login_beside_1000_slow_bodies_is_as_fast_as_at_an_idle_program(
        start, scripted, descriptors):
    """Each sends a byte a second. The bound is generous: one byte that cost
    each body a millisecond would make the loop busy all the time."""
    backend = scripted()
    _, path = start(backend, POSTERN_BODY_TIMEOUT="60s")
    _, quiet = start(backend)
    slow = [fcgi.Connection(path) for _ in range(1000)]
    for connection in slow:
        connection.start(params_of(bytes(100000)))
        connection.feed(b'{"query":', end=False)
    with dripping(slow, fcgi.stream(fcgi.STDIN, 1, b" ", end=False)):
        for _ in range(3):
            time.sleep(0.7)
            busy, idle = login_times((path, quiet))
            assert busy < 4 * idle, (busy, idle)
        assert not have_answers(slow)
    close_all(slow)


def test_1000_slow_bodies_delay_nobody_and_end(start, scripted, descriptors):
    """L61: a body has a time limit as a whole, whatever keeps coming."""
    backend = scripted()
    _, path = start(backend, POSTERN_BODY_TIMEOUT="12s")
    slow = [start_upload(path, 100000) for _ in range(300)]
    for _ in range(700):
        connection = fcgi.Connection(path)
        connection.start(params_of(bytes(100000)))
        connection.feed(b'{"query":', end=False)
        slow.append(connection)
    begin = time.monotonic()
    assert wait_until(lambda: len(backend.named("upload")) == 300)
    with dripping(slow, fcgi.stream(fcgi.STDIN, 1, b" ", end=False)):
        for number in range(10):
            assert_others_are_served(path, f"user{number}@b.example")
            time.sleep(0.25)
        assert time.monotonic() - begin < 11.9, "the test ran too slowly"
        assert not have_answers(slow)
        answers = [connection.answer() for connection in slow]
        assert time.monotonic() - begin < 24
    assert [answer.status for answer in answers] == [408] * 1000
    assert {code_of(answer) for answer in answers} == {"REQUEST_TIMEOUT"}
    assert wait_until(lambda: all(
        one.gone_at for one in backend.named("upload")), 2)
    close_all(slow)


def test_slow_heads_delay_nobody_and_end(start, scripted):
    """A head has ten seconds, whatever keeps coming."""
    _, path = start(scripted())
    slow = []
    for _ in range(100):
        slow.append(fcgi.Connection(path))
        slow[-1].send(fcgi.begin())
    begin = time.monotonic()
    with dripping(slow, fcgi.stream(fcgi.PARAMS, 1, b"\0\0", end=False)):
        for _ in range(3):
            assert_others_are_served(path)
        assert all(connection.is_closed() for connection in slow)
        assert 9 < time.monotonic() - begin < 13
    assert_others_are_served(path)
    close_all(slow)


def test_reader_that_stops_delays_nobody(start, scripted):
    """The backend can send no more than what fits into the sockets; later the
    answer arrives whole."""
    backend = scripted(big=64 * MIB)
    _, path = start(backend)
    stopped = open_and_send(path, "big", 5)
    assert wait_until(lambda: len(backend.named("big")) == 5)
    assert_others_are_served(path)
    time.sleep(0.5)
    sent = [one.sent for one in backend.named("big")]
    assert max(sent) < 8 * MIB
    assert_others_are_served(path)
    time.sleep(0.5)
    assert [one.sent for one in backend.named("big")] == sent
    count, first = read_count(stopped[0])
    assert first.startswith(b"Status: 200") and count > 64 * MIB
    close_all(stopped)
    assert wait_until(lambda: all(
        one.gone_at for one in backend.named("big")
        if one.sent < 64 * MIB), 2)


def send_until_full(connections, piece):
    """Send pieces on all connections until none has taken one for half a
    second. Returns the bytes that each has taken."""
    sent = {}
    poll = select.poll()
    for connection in connections:
        connection.socket.setblocking(False)
        poll.register(connection.socket, select.POLLOUT)
        sent[connection.socket.fileno()] = 0
    sockets = {c.socket.fileno(): c.socket for c in connections}
    while ready := poll.poll(500):
        for descriptor, events in ready:
            assert events == select.POLLOUT
            sent[descriptor] += sockets[descriptor].send(piece)
            assert sent[descriptor] < 8 * MIB
    return list(sent.values())


def test_backend_that_does_not_read_holds_up_its_clients(start, scripted):
    """A body goes no further than into the sockets."""
    backend = scripted(reads_files=False)
    _, path = start(backend, POSTERN_FIRST_BYTE_TIMEOUT="3s")
    stuck = [start_upload(path, 32 * MIB - 10000) for _ in range(5)]
    assert wait_until(lambda: len(backend.named("upload")) == 5)
    record = fcgi.record(fcgi.STDIN, 1, bytes(32768))
    assert min(send_until_full(stuck, record)) > 10 * len(record)
    assert_others_are_served(path)
    for connection in stuck:
        connection.socket.settimeout(10)
        answer = connection.answer()
        assert (answer.status, code_of(answer)) == (504, "UPSTREAM_TIMEOUT")
    close_all(stuck)


# Files that do not answer.


def test_log_that_nobody_reads_delays_nobody(start, scripted, tmp_path):
    """A FIFO has room for 64 KiB. Lines that are lost are counted."""
    log = tmp_path / "log"
    os.mkfifo(log)
    _, path = start(scripted(), POSTERN_LOG=str(log), wait=False)
    assert wait_until(lambda: os.path.exists(path), 10)
    for number in range(5):
        for _ in range(150):
            assert query(path).status == 200
        assert_others_are_served(path, f"user{number}@b.example")
    with open(os.open(log, os.O_RDONLY | os.O_NONBLOCK), "rb",
              buffering=0) as reader:
        read = reader.read(1 << 20)
        assert b"event=ready" in read and len(read) > 60000
        assert query(path).status == 200
        after = []

        def is_logged():
            after.append(reader.read(1 << 20) or b"")
            return b" event=request " in b"".join(after)
        assert wait_until(is_logged, 10)  # the answer comes first
    assert b" event=log-lines-lost count=" in b"".join(after).partition(b"\n")[0]


@contextlib.contextmanager
def hung_disk(program, path, trace):
    """strace(1) holds every look of the program at this file for four seconds.
    """
    calls = "stat,newfstatat,statx"
    tracer = subprocess.Popen([
        "strace", "-f", "-o", str(trace), "-P", str(path),
        "-e", f"trace={calls}", "-e", f"inject={calls}:delay_enter=4000000",
        "-p", str(program.process.pid)], stderr=subprocess.PIPE)
    try:
        if b"attached" not in tracer.stderr.readline():
            pytest.skip("strace cannot attach to the program")
        yield
    finally:
        tracer.terminate()
        tracer.wait(20)
        tracer.stderr.close()


def test_secret_file_on_a_hung_disk_delays_nobody(start, scripted, tmp_path):
    """Neither when it is checked nor on SIGHUP. (The end of a process waits for
    its system calls.)"""
    secret = tmp_path / "secret"
    secret.write_text("Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe")
    secret.chmod(0o600)
    program, path = start(scripted(), COOKIE_SESSION_SECRET=None,
                          COOKIE_SESSION_SECRET_FILE=str(secret))
    with hung_disk(program, secret, tmp_path / "trace"):
        for number in range(6):
            assert_others_are_served(path, f"user{number}@b.example")
            if number == 3:
                program.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
        assert str(secret) in (tmp_path / "trace").read_text()
        assert program.stop() == 0


# Slow backends.


def answer_or_none(connection):
    """The answer, or None if it was cut off after its head."""
    try:
        return connection.answer()
    except fcgi.IncompleteResponse as cut:
        assert cut.stdout.startswith(b"Status: 200")
        return None


@pytest.mark.parametrize("name, status, seconds, variable", [
    ("silent", 504, 1, "POSTERN_FIRST_BYTE_TIMEOUT"),
    ("half", None, 1, "POSTERN_BETWEEN_BYTES_TIMEOUT"),
    ("drip", None, 2, "POSTERN_TOTAL_TIMEOUT"),
    ("silent", 504, 2, "POSTERN_TOTAL_TIMEOUT")])
def test_slow_backend_delays_only_its_own_requests(
        start, scripted, name, status, seconds, variable):
    backend = scripted(pause=0.3)
    _, path = start(backend, **{variable: f"{seconds}s"})
    slow = open_and_send(path, name, 200)
    begin = time.monotonic()
    assert wait_until(lambda: len(backend.named(name)) == 200, 5)
    arrived = time.monotonic()
    assert_others_are_served(path)
    answers = [answer_or_none(connection) for connection in slow]
    end = time.monotonic()
    assert end - begin > seconds - 0.5 and end - arrived < seconds + 3
    if status:
        assert {(one.status, code_of(one)) for one in answers} == {
            (504, "UPSTREAM_TIMEOUT")}
    else:
        assert answers == [None] * 200
    assert_others_are_served(path)
    close_all(slow)


def test_stray_answer_is_nobodys(start, scripted):
    """It arrives on a kept connection at the same time as the next request,
    and before anybody knows of it."""
    backend = scripted()
    program, path = start(backend)
    cookie = log_in(path, "ann@b.example")
    with fcgi.Connection(path) as connection:
        for _ in range(5):
            send(connection, "stray", cookie, keep=True)
            assert me_of(connection.answer()) == "ann@b.example"
            connections = backend.connections
            program.process.send_signal(signal.SIGSTOP)
            send(connection, "me", cookie, keep=True)
            time.sleep(0.05)
            backend.send_stray({"me": {"email": "evil", "ownerId": "evil"}})
            time.sleep(0.05)
            program.process.send_signal(signal.SIGCONT)
            assert me_of(connection.answer()) == "ann@b.example"
            assert backend.connections == connections + 1


# Memory.


def test_1_gib_each_way_uses_bounded_memory(start, scripted):
    size = 1024 * MIB
    backend = scripted(big=size)
    program, path = start(backend, POSTERN_MAX_BODY="1100M")

    def upload(size):
        connection = start_upload(path, size)
        with connection:
            piece = fcgi.record(fcgi.STDIN, 1, bytes(32768)) * 32
            for _ in range(size // MIB):
                connection.send(piece)
            connection.feed(MULTIPART_END)
            answer = connection.answer()
        assert answer.status == 200
        assert json.loads(answer.body)["data"]["upload"] > size

    upload(MIB)
    assert me_of(query(path)) == ""
    before = peak_memory(program, reset=True)
    upload(size)
    with fcgi.Connection(path) as connection:
        send(connection, "big")
        count, first = read_count(connection)
    assert first.startswith(b"Status: 200") and count > size
    if not is_sanitized():
        assert peak_memory(program) - before < MIB


def start_json(path, size):
    """A query of so many bytes, whose last byte has not come."""
    body = body_of("me", {"padding": "x" * size})
    connection = fcgi.Connection(path)
    connection.start(params_of(body))
    connection.feed(body[:-1], end=False)
    connection.rest = body[-1:]
    return connection


def send_or_read(path, size):
    """The answer to a long query; None if the connection was closed."""
    body = body_of("me", {"padding": "x" * size})
    with fcgi.Connection(path) as connection:
        try:
            connection.start(params_of(body))
            connection.feed(body)
        except OSError:
            pass
        try:
            return connection.answer()
        except fcgi.IncompleteResponse:
            return None


def held_memory(program):
    return program.status("VmRSS") * 1024


def test_bodies_over_max_held_are_503_and_it_passes(start, scripted):
    """All bodies that a process holds together; others are served."""
    program, path = start(scripted(), POSTERN_MAX_HELD="3M",
                          POSTERN_MAX_JSON="1M")
    before = held_memory(program)
    for _ in range(2):
        held = [start_json(path, MIB - 1000) for _ in range(3)]
        assert wait_until(lambda: held_memory(program) > before + 2 * MIB, 5)
        assert not have_answers(held)
        with start_json(path, MIB // 2) as refused:
            answer = refused.answer()
        assert (answer.status, code_of(answer)) == (503, "OVERLOADED")
        assert b"too busy" in answer.body
        assert int(answer.header("Retry-After")) >= 1
        assert query(path).status == 200
        for connection in held:
            connection.feed(connection.rest)
        assert [one.answer().status for one in held] == [200] * 3
        close_all(held)


@pytest.mark.uninstrumented  # a sanitizer ends a program that has no memory
def test_exhausted_memory_fails_requests_and_passes(start, scripted):
    """The address space of the program cannot grow. A request that has no
    memory is told so, also one for which there is not even a fiber."""
    program, path = start(scripted(), POSTERN_MAX_JSON="4M")
    assert query(path).status == 200
    pid = program.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_AS)
    size = program.status("VmSize") * 1024
    resource.prlimit(pid, resource.RLIMIT_AS, (size + MIB, limits[1]))
    try:
        for _ in range(5):
            answer = send_or_read(path, 3 * MIB)
            assert (answer.status, code_of(answer)) == (503, "OVERLOADED")
            assert int(answer.header("Retry-After")) >= 1
            assert query(path).status == 200
        crowd = [fcgi.Connection(path) for _ in range(300)]
        for connection in crowd:
            with contextlib.suppress(OSError):
                send(connection, "silent")
        refused = [send_or_read(path, 100) for _ in range(20)]
        for answer in refused:
            assert (answer.status, code_of(answer)) == (503, "OVERLOADED")
            assert int(answer.header("Retry-After")) >= 1
        close_all(crowd)
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, limits)
    assert program.process.poll() is None
    with start_json(path, 3 * MIB) as connection:
        connection.feed(connection.rest)
        assert connection.answer().status == 200
    assert_others_are_served(path)


WAITING = {"between two events": "events", "for the backend": "silent"}


@pytest.mark.uninstrumented  # each part needs more
@pytest.mark.parametrize("what", WAITING)
def test_1000_waiting_requests_hold_little(start, scripted, descriptors, what):
    """A stack, an arena, libfcgi's buffers: no zeros, and no buffer for what
    has not come. In a process that has had many requests before, too: malloc()
    changes its ways then."""
    backend = scripted(pause=60, parts=1)
    program, path = start(backend)
    cookie = log_in(path, "a@b.example")
    close_all(open_and_send(path, "me", 50, cookie))
    assert me_of(query(path, "me", cookie)) == "a@b.example"
    before = program.status("RssAnon")
    waiting = open_and_send(path, WAITING[what], 1000, cookie)
    assert wait_until(
        lambda: len(backend.named(WAITING[what])) == len(waiting))
    for connection in waiting if WAITING[what] == "events" else ():
        assert b"part-0" in connection.read_record()[2]
    each = (program.status("RssAnon") - before) / len(waiting)
    assert_others_are_served(path)
    close_all(waiting)
    pages = 11  # of 4 KiB
    assert 4 < each < pages * resource.getpagesize() / 1024, "KiB"


# Clients that leave.


LEAVING = {"before the head": "silent", "in the answer": "half",
           "in an endless answer": "drip", "in the body": "upload"}


@pytest.mark.parametrize("where", LEAVING)
@pytest.mark.parametrize("aborts", [False, True])
def test_backend_request_ends_with_its_client(start, scripted, where, aborts):
    """Within a second. aborts: the web server keeps its connection open, and
    sends ABORT_REQUEST."""
    name = LEAVING[where]
    backend = scripted()
    _, path = start(backend)
    if name == "upload":
        connection = start_upload(path, 100000)
    else:
        connection = fcgi.Connection(path)
        send(connection, name, keep=True)
    assert wait_until(lambda: backend.named(name), 5)
    if name in ("half", "drip"):
        assert connection.read_record()[0] == fcgi.STDOUT
    time.sleep(0.1)
    assert backend.requests[-1].gone_at is None
    begin = time.monotonic()
    if aborts:
        connection.abort()
    else:
        connection.close()
    assert wait_until(lambda: backend.requests[-1].gone_at, 3)
    assert backend.requests[-1].gone_at - begin < 1
    connection.close()
    assert_others_are_served(path)


@pytest.mark.parametrize("name", ["silent", "upload"])
def test_abort_together_with_the_end_of_the_body(start, scripted, name):
    """In one write, so that one read brings both."""
    backend = scripted(reads_files=name == "silent")
    _, path = start(backend)
    end = (fcgi.stream(fcgi.STDIN, 1, MULTIPART_END)
           + fcgi.record(fcgi.ABORT_REQUEST, 1))
    if name == "upload":
        connection = start_upload(path, 0)
        assert wait_until(lambda: backend.named("upload"), 5)
    else:
        connection = fcgi.Connection(path)
        body = body_of(name)
        connection.start(params_of(body), keep=True)
        end = (fcgi.stream(fcgi.STDIN, 1, body)
               + fcgi.record(fcgi.ABORT_REQUEST, 1))
    begin = time.monotonic()
    connection.send(end)
    while connection.read_record()[0] != fcgi.END_REQUEST:
        pass
    assert time.monotonic() - begin < 1
    assert not backend.named("silent")
    if name == "silent":
        send(connection, "me", keep=True)
        assert me_of(connection.answer()) == ""
    connection.close()


# Streams behind web servers.


@pytest.fixture(name="site", scope="module", params=servers.ALL,
                ids=lambda kind: kind.name)
def site_fixture(request):
    """A web server with the configuration of etc/, before a backend whose
    streams have a part every 0.3 s."""
    backend = ScriptedBackend(pause=0.3, parts=5)
    site = request.param(backend)
    yield site
    site.close(check=False)
    backend.close()


@contextlib.contextmanager
def streaming(site, name, accept="*/*"):
    """A client's connection on which a query has been sent."""
    body = body_of(name)
    with http_client.Connection(site.port) as line:
        time.sleep(0.1)  # lighttpd watches who is there before the request
        line.send(b"POST /query HTTP/1.1\r\nHost: localhost\r\nAccept: %b\r\n"
                  b"Content-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n%b"
                  % (accept.encode(), len(body), body))
        yield line


@pytest.mark.parametrize("name, accept", [
    ("events", "text/event-stream"), ("deferred", "multipart/mixed")])
def test_parts_of_a_stream_arrive_one_by_one(site, name, accept):
    """Each within 50 ms; one may be late on a busy machine."""
    arrived = []
    with streaming(site, name, accept) as line:
        for number in range(5):
            while b"part-%d." % number not in line.pending:
                assert line._more(), line.pending
            arrived.append(time.monotonic())
        answer = line.read("POST")
    assert answer.whole and answer.get("content-type").startswith(accept)
    sent = site.backend.named(name)[-1].sent_at
    late = sorted(got - begun for got, begun in zip(arrived, sent))
    assert len(late) == 5 and late[2] < 0.05 and late[4] < 0.25, late


@pytest.mark.parametrize("name", ["silent", "half", "drip"])
def test_client_that_leaves_aborts_the_request_through_the_server(site, name):
    """Within a second. Apache notices only when it has sent two parts more, of
    which the first brings the client's reset, and never while the backend is
    silent: doc/deploy.md."""
    looks = not site.name.startswith("apache")
    before = len(site.backend.named(name))
    with streaming(site, name) as line:
        assert wait_until(
            lambda: len(site.backend.named(name)) == before + 1, 5)
        while name != "silent" and b"\r\n\r\n" not in line.pending:
            assert line._more()
        time.sleep(0.2)
        request = site.backend.named(name)[-1]
        assert request.gone_at is None
        begin = time.monotonic()
    if not looks and name != "drip":
        assert not wait_until(lambda: request.gone_at, 1.5)
        return
    assert wait_until(lambda: request.gone_at, 5)
    assert request.gone_at - begin < (1 if looks else 2)


# Programs that end.


def listen(path):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(1000)
    return listening


class Load:
    """Threads that send queries, each on a connection of its own."""

    def __init__(self, path, threads=4):
        self.path, self.stop = path, threading.Event()
        self.served, self.failed = 0, []
        self.threads = [threading.Thread(target=self._run)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self.stop.is_set():
            try:
                assert query(self.path).status == 200
                self.served += 1
            except (OSError, AssertionError,
                    fcgi.IncompleteResponse) as problem:
                self.failed.append(problem)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)

    def goes_on(self):
        served = self.served
        return wait_until(lambda: self.served > served + 50, 5)


def test_killed_program_fails_only_what_it_held(start, scripted, tmp_path):
    """The socket is a supervisor's: what waits in it is served by the next."""
    backend = scripted()
    path = str(tmp_path / "shared")
    with listen(path) as listening:
        program, _ = start(backend, stdin=listening)
        with Load(path) as load:
            held = open_and_send(path, "silent", 20)
            assert wait_until(lambda: len(backend.named("silent")) == 20)
            assert load.goes_on()
            program.process.kill()
            waiting = open_and_send(path, "me", 20)
            for connection in held:
                with pytest.raises(fcgi.IncompleteResponse):
                    connection.answer()
            assert program.wait() == -signal.SIGKILL
            start(backend, stdin=listening)
            assert [one.answer().status for one in waiting] == [200] * 20
            assert load.goes_on()
        assert len(load.failed) <= len(load.threads), load.failed
        assert_others_are_served(path)
        close_all(held + waiting)


def test_lighttpd_replaces_a_killed_program(backend):
    gateway = gateways.Gateway(backend)
    try:
        assert gateway.query().status == 200
        pid = gateway.pid_of("query")
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: gateway.query().status == 200, 10, 0.2)
        assert gateway.pid_of("query") != pid
        assert in_threads(20, lambda _: gateway.query(keep=False).status
                          ) == [200] * 20
    finally:
        gateway.close(check=False)


def test_restart_under_load_loses_nothing(start, scripted, tmp_path):
    """A second program takes over the socket that it inherits too."""
    backend = scripted(pause=0.3)
    path = str(tmp_path / "shared")
    with listen(path) as listening:
        program, _ = start(backend, stdin=listening)
        with Load(path) as load:
            assert load.goes_on()
            for _ in range(3):
                running = open_and_send(path, "slow", 20)
                other, _ = start(backend, stdin=listening)
                assert program.stop() == 0
                assert "how=drained" in program.log
                assert [one.answer().status for one in running] == [200] * 20
                assert load.goes_on()
                program = other
        assert load.failed == [] and load.served > 200


def test_sockets_of_systemd_and_of_a_spawner_serve_the_same(
        start, scripted, tmp_path):
    """With --listen, as descriptor 0 (lighttpd, spawn-fcgi) and as LISTEN_FDS.
    Plain CGI and mod_fcgid are in test_servers.py."""
    backend = scripted()
    paths = [str(tmp_path / "zero"), str(tmp_path / "systemd")]
    with listen(paths[0]) as zero, listen(paths[1]) as systemd:
        secret = {"COOKIE_SESSION_SECRET": os.urandom(32).hex()}
        start(backend, stdin=zero, **secret)
        script = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" 3<&{systemd.fileno()}'
        start(backend, ["bash", "-c", script], pass_fds=[systemd.fileno()],
              **secret)
        _, path = start(backend, **secret)
        cookies = [log_in(where, "ann@b.example") for where in (*paths, path)]
        for where in (*paths, path):
            for cookie in cookies:
                assert me_of(query(where, "me", cookie)) == "ann@b.example"


# Users.


def test_500_queries_of_20_users_do_not_mix(start, scripted):
    """Every answer belongs to the session of its request, while other clients
    leave in the middle of theirs."""
    backend = scripted(pause=0.05)
    _, path = start(backend, POSTERN_LOOPS="2")
    users = [f"user{number}@b.example" for number in range(20)]
    cookies = [log_in(path, user) for user in users]
    connections = [fcgi.Connection(path) for _ in range(500)]
    for turn in range(3):
        leaving = []
        for number, connection in enumerate(connections):
            send(connection, ("me", "slow")[(number + turn) % 2],
                 cookies[(number + turn) % 20], keep=True)
            if number % 10 == 0:
                leaving += open_and_send(path, "slow", cookie=cookies[
                    (number + 7) % 20])
            if number % 50 == 49:
                close_all(leaving)
        for number, connection in reversed(list(enumerate(connections))):
            assert me_of(connection.answer()) == users[(number + turn) % 20]
    close_all(connections)


# Descriptors.


def test_64_descriptors_suffice_in_the_end(start, scripted):
    """Who finds no descriptor waits, or is told so."""
    backend = scripted(pause=0.1)
    program, path = start(backend, command=[
        "sh", "-c", 'ulimit -n 64 && exec "$0" "$@"'])
    answers = in_threads(150, lambda _: query(path, "slow"))
    assert {answer.status for answer in answers} <= {200, 503}
    assert {code_of(answer) for answer in answers
            if answer.status == 503} <= {"OVERLOADED"}
    assert sum(answer.status == 200 for answer in answers) >= 50
    for _ in range(20):
        assert query(path).status == 200
    assert program.descriptors() <= 64


def test_exhausted_descriptors_are_503_and_pass(start, scripted):
    """The limit is lowered until accept(2) succeeds, and socket(2) does not."""
    program, path = start(scripted())
    pid = program.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = min(set(range(1000)) - taken)
    # The lowest free number is for the connection, and there is no other.
    assert set(range(free)) <= taken
    limit = next(n for n in range(free + 1, 1001) if n not in taken)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
    try:
        answer = query(path)
        assert (answer.status, code_of(answer)) == (503, "OVERLOADED")
        assert int(answer.header("Retry-After")) >= 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, limits[1]))
        waiting = open_and_send(path, "me", 3)
        before = cpu_seconds(program)
        time.sleep(0.5)
        assert not have_answers(waiting)
        assert cpu_seconds(program) - before < 0.2, "it tries all the time"
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert [one.answer().status for one in waiting] == [200] * 3
    close_all(waiting)
    assert_others_are_served(path)


# Traps.


@pytest.mark.skipif(platform.machine() != "x86_64",
                    reason="has no shadow stacks")
def test_fibers_are_not_marked_for_a_shadow_stack():
    """One object without the mark is enough: the program has none then. With
    one, the first jump to a fiber would end the process."""
    archive = os.path.join(BUILD, "lib/.libs/libprograms.a")
    notes = subprocess.run(["readelf", "-n", archive], stdout=subprocess.PIPE,
                           check=True, text=True).stdout
    fiber, = [text for text in notes.split("File: ")
              if "-fiber.o)" in text.splitlines()[0]]
    assert "SHSTK" not in fiber


# Records.


@pytest.mark.quick
def test_management_records_within_a_request(start, scripted):
    """L62: libfcgi aborts the process on them, and overflows its stack when
    FCGI_MAX_CONNS is asked for four times."""
    program, path = start(scripted())
    names = [("FCGI_MAX_CONNS", "")] * 4 + [("FCGI_MPXS_CONNS", "")]
    records = (fcgi.record(fcgi.GET_VALUES, 0, fcgi.pairs(names))
               + fcgi.record(42, 0, b"12345678"))

    def read_results(connection):
        kind, number, content = connection.read_record()
        assert (kind, number) == (fcgi.GET_VALUES_RESULT, 0)
        assert fcgi.read_pairs(content) == {"FCGI_MPXS_CONNS": b"0"}
        kind, number, content = connection.read_record()
        assert (kind, number, content[0]) == (fcgi.UNKNOWN_TYPE, 0, 42)

    body = body_of("me")
    head = fcgi.stream(fcgi.PARAMS, 1, fcgi.pairs(params_of(body)), 100)
    with fcgi.Connection(path) as connection:
        for _ in range(2):
            for piece in (fcgi.begin(keep=True), head,
                          fcgi.stream(fcgi.STDIN, 1, body[:7], end=False)):
                connection.send(piece + records)
                read_results(connection)
            connection.feed(body[7:])
            assert me_of(connection.answer()) == ""
        # While the backend works on it, too: then they wait for its answer.
        send(connection, "me", keep=True)
        connection.send(records)
        assert me_of(connection.answer()) == ""
        read_results(connection)
    assert program.process.poll() is None
