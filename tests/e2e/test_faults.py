# SPDX-License-Identifier: ISC
"""Faults of everything around the programs: what the client sees, and what the
log says. Both are read from the tables of doc/operations.md, "Faults"; every row
there has a test here. After each fault the programs serve as before, with as many
descriptors and threads."""

import collections
import configparser
import os
import re

import fcgi
import gateway as gateways
import http_client
import pytest
from faulty_backend import (
    BOMB, OK, FaultyBackend, bomb, hang, reset, send, send_much)
from gateway import wait_until
from test_engine import body_of, params_of, read_count
# pylint: disable-next=unused-import
from test_tls_backend import certificates_fixture
from tls_proxy import TlsProxy

MIB = 1 << 20
PROGRAMS = ("login", "query", "logout", "session")
WHO = {"email": "a@b.example", "password": "a password"}
ABOUT = 8 * MIB  # what a request may use for a while

# What the tables say -----------------------------------------------------------

Sight = collections.namedtuple("Sight", "status code breaks_off event")


def sight_of(text):
    """502 `CODE`, `event`; 200, breaks off."""
    status, code, breaks_off, event = re.fullmatch(
        r"(\d{3})(?: `([A-Z_]+)`)?(, breaks off)?(?:, `([a-z-]+)`)?",
        text).groups()
    return Sight(int(status), code, bool(breaks_off), event)


def read_table(title):
    """{first cell: the other cells} of a table of doc/operations.md."""
    with open(os.path.join(gateways.ROOT, "doc/operations.md"),
              encoding="utf-8") as file:
        text = file.read().partition(f"<!-- {title} -->\n\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.partition("\n\n")[0].splitlines()]
    assert len(rows) > 3, title
    return {row[0]: row[1:] for row in rows[2:]}


def levels():
    events = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    events.optionxform = str
    events.read(os.path.join(gateways.ROOT, "doc/log-events.ini"), "utf-8")
    return {name: re.split(", *", events[name]["level"])
            for name in events.sections() if "level" in events[name]}


BACKEND = read_table("faults of the backend")
LEVELS = levels()
CAUSES = {"UPSTREAM_UNREACHABLE": "PST_UPSTREAM_DOWN",
          "UPSTREAM_INVALID": "PST_UPSTREAM_BROKEN",
          "UPSTREAM_TIMEOUT": "PST_UPSTREAM_TIMEOUT"}

# What the log says -------------------------------------------------------------


def fields_of(line):
    return {name: quoted or plain for name, quoted, plain in re.findall(
        r'([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line)}


def lines_of(log, **wanted):
    """The lines with these fields, each as a dictionary."""
    found = [fields_of(line) for line in log.splitlines()]
    return [line for line in found if line.items() >= wanted.items()]


def wait_for_line(gateway, begin, **wanted):
    """The only line with these fields that was logged since."""
    assert wait_until(lambda: lines_of(gateway.log[begin:], **wanted)), (
        wanted, gateway.log[begin:])
    line, = lines_of(gateway.log[begin:], **wanted)
    assert line["level"] in LEVELS[line["event"]], line
    return line


def check_log(gateway, begin, program, sight, reason=None, request=None):
    """The line of the fault and that of its request, with the same id."""
    last = wait_for_line(gateway, begin, event="request", program=program)
    assert last["status"] == str(sight.status), last
    assert last["request"] == (request or last["request"])
    lines = [line for line in lines_of(gateway.log[begin:], program=program)
             if line["level"] in ("warning", "error")
             and line.get("request") == last["request"]]
    if not sight.event:
        assert not lines and "error" not in last, lines
        return
    assert lines and lines[0]["event"] == sight.event, lines
    line = lines[0]
    assert line["level"] in LEVELS[sight.event]
    assert (reason or "") in line.get("reason", ""), line
    cause = line.get("cause", CAUSES.get(sight.code))
    assert last["error"] == cause == CAUSES.get(sight.code, cause)


# The state of the programs ------------------------------------------------------


class Programs:
    """How many descriptors and threads the programs of a gateway have."""

    def __init__(self, gateway, names=PROGRAMS):
        self.gateway = gateway
        self.names = names if gateway.kind == "fastcgi" else ()
        self.pids = self.ids()
        self.before = self.count()

    def ids(self):
        return {name: self.gateway.pid_of(name) for name in self.names}

    def count(self):
        return {(name, what): len(os.listdir(f"/proc/{pid}/{what}"))
                for name, pid in self.pids.items() for what in ("fd", "task")}

    def check(self):
        """The same processes, and no more descriptors and threads."""
        assert self.ids() == self.pids

        def is_as_before():
            now = self.count()
            return all(now[key] <= self.before[key] for key in now)
        assert wait_until(is_as_before), (self.before, self.count())


def peak(gateway, program):
    with open(f"/proc/{gateway.pid_of(program)}/status",
              encoding="ascii") as file:
        return int(re.search(r"^VmHWM:\s*(\d+)", file.read(), re.M)[1]) * 1024


# The backend --------------------------------------------------------------------

LONG = OK + b"Content-Length: 500000\r\n\r\n" + b" " * 200_000
GIB = 1 << 30
FAULTS = {
    "does not begin to answer": [hang()],
    "stops within the head of its answer": [hang(b"HTTP/1.1 200 OK\r\nCo")],
    "stops within the body": [hang(LONG)],
    "closes the connection unanswered": [send(b"")],
    "closes it within the head": [send(b"HTTP/1.1 200 OK\r\nContent-Ty")],
    "closes it within the body": [send(LONG)],
    "closes it after a few bytes of a body with a length": [
        send(OK + b'Content-Length: 500\r\n\r\n{"data":')],
    "resets the connection": [reset(), reset(b"HTTP/1.1 200 OK\r\nCo"),
                              reset(OK + b'Content-Length: 50\r\n\r\n{"da')],
    "resets it within the body": [reset(LONG)],
    "sends something else than HTTP": [
        send(b"SSH-2.0-OpenSSH_9.2\r\n"), send(bytes(range(256)) * 40)],
    "sends a body that is not JSON": [
        send(OK + b"Content-Length: 9\r\n\r\nnot JSON!")],
    "sends 1 GB": [send_much(OK + b"Content-Length: %d\r\n\r\n" % GIB, GIB)],
    "sends 100,000 headers": [send(OK + b"".join(
        b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n")],
    "sends a header of 1 MB": [
        send(OK + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n")],
    "sends two lengths": [
        send(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ")],
    "sends a length that is no number": [
        send(OK + b"Content-Length: %b\r\n\r\n{}" % length)
        for length in (b"-2", b"+2", b"2x", b"9" * 30)],
    "sends more than its length": [
        send(OK + b'Content-Length: 11\r\n\r\n{"data":{}}HTTP/1.1 200 OK\r\n')],
    "sends chunks that are not valid": [
        send(OK + b"Transfer-Encoding: chunked\r\n\r\n%b" % chunks)
        for chunks in (b"zz\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n",
                       b"f" * 20 + b"\r\n{}")],
    "sends 200 KB of gzip that unpack to 200 MB": [
        send(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
             % (len(bomb()), bomb()))],
    "redirects": [
        send(b"HTTP/1.1 %d X\r\nLocation: http://other.example/\r\n"
             b"Content-Length: 0\r\n\r\n" % status) for status in (301, 308)],
}
OTHER_FAULTS = {  # those of the connection
    "refuses the connection", "has the certificate of another name",
    "has a certificate that has expired",
    "has a certificate of an unknown authority"}


def test_every_fault_of_the_backend_is_tested():
    assert set(BACKEND) == {*FAULTS, *OTHER_FAULTS}


@pytest.fixture(name="faulty", scope="module")
def faulty_fixture():
    faulty = FaultyBackend()
    yield faulty
    faulty.close()


@pytest.fixture(name="site", scope="module", params=["fastcgi", "cgi"])
def site_fixture(request, start, faulty):
    return start(request.param, POSTERN_UPSTREAM=faulty.url, POSTERN_LOOPS="1",
                 POSTERN_FIRST_BYTE_TIMEOUT="1s",
                 POSTERN_BETWEEN_BYTES_TIMEOUT="1s")


def assert_serves(gateway, cookie):
    """The next good requests."""
    answer = gateway.query("{ me }", cookie=cookie)
    assert answer.status == 200 and answer.json["data"]["me"], answer
    assert gateway.session(cookie=cookie) is not None
    own = log_in(gateway)
    assert gateway.post("/logout", cookie=own).status == 200
    assert gateway.session(cookie=own) is None


def log_in(gateway):
    answer = gateway.post("/login", WHO)
    assert answer.status == 200, answer
    return http_client.cookie_of(answer)[1]


def check_answer(gateway, answer, sight):
    """What the client sees. Returns the id that the answer names."""
    assert (answer.status, answer.whole) == (
        sight.status, not sight.breaks_off), answer
    if sight.status == 200:
        return None
    assert answer.code == sight.code
    assert answer.get("content-type").startswith("application/json")
    assert answer.get("cache-control") == "no-store"
    assert not answer.all("set-cookie")
    assert answer.get(gateway.token_header) is None
    error, = answer.json["errors"]
    assert set(error) == {"message", "extensions"}
    assert "http" not in answer.text and "Connection" not in answer.text
    return error["extensions"]["requestId"]


class Fault:
    """One fault at a gateway: begin() causes it, end() mends it."""

    def __init__(self, name, gateway, begin, end):
        query, login, self.reason = BACKEND[name]
        self.query = sight_of(query)
        self.login = self.query if login == "the same" else sight_of(login)
        self.gateway, self.begin, self.end = gateway, begin, end

    def cause(self, act):
        """Returns act()'s answer, and where the log began."""
        begin = len(self.gateway.log)
        self.begin()
        try:
            return act(), begin
        finally:
            self.end()

    def check_query(self, cookie):
        answer, begin = self.cause(lambda: self.gateway.query(
            "{ me }", cookie=cookie, keep=False))
        request = check_answer(self.gateway, answer, self.query)
        check_log(self.gateway, begin, "query", self.query, self.reason
                  if self.query.event else None, request)

    def check_login(self):
        answer, begin = self.cause(
            lambda: self.gateway.post("/login", WHO))
        request = check_answer(self.gateway, answer, self.login)
        check_log(self.gateway, begin, "login", self.login, self.reason,
                  request)

    def check_form(self):
        answer, begin = self.cause(lambda: self.gateway.form("/login", WHO))
        assert answer.status == self.login.status and answer.whole
        assert answer.get("content-type").startswith("text/html")
        assert not answer.all("set-cookie")
        assert b"<form" in answer.body and WHO["email"] in answer.text
        assert "does not answer as it should" in answer.text
        check_log(self.gateway, begin, "login", self.login, self.reason)

    def check_logout(self, cookie):
        answer, begin = self.cause(
            lambda: self.gateway.post("/logout", cookie=cookie))
        assert answer.status == 200, answer
        assert answer.json == {"data": {"logout": {"success": True}}}
        assert http_client.cookie_of(answer)[1] == ""
        line = wait_for_line(self.gateway, begin, event="logout")
        unanswered = self.login.event in ("backend-failed", "backend-redirects")
        assert line["backend"] == (
            CAUSES[self.login.code] if unanswered else "PST_OK"), line
        assert self.gateway.session(cookie=cookie) is None


def check_fault(fault, cookie):
    gateway = fault.gateway
    programs = Programs(gateway)
    fault.check_query(cookie)
    fault.check_login()
    fault.check_form()
    fault.check_logout(log_in(gateway))
    session, _ = fault.cause(lambda: gateway.session(cookie=cookie))
    assert session["subject"] == "7"
    assert_serves(gateway, cookie)
    programs.check()


@pytest.fixture(name="cookie")
def cookie_fixture(site):
    cookie = log_in(site)
    assert_serves(site, cookie)  # each program has its connections
    return cookie


@pytest.mark.parametrize("name", [name for name in FAULTS
                                  if name != "sends 1 GB"])
def test_fault_of_the_backend(site, faulty, cookie, name):
    for act in FAULTS[name]:
        fault = Fault(name, site, lambda: setattr(faulty, "fault", act),
                      lambda: setattr(faulty, "fault", None))
        hits = faulty.hits
        check_fault(fault, cookie)
        assert faulty.hits >= hits + 4


def test_backend_refuses(site, faulty, cookie):
    check_fault(Fault("refuses the connection", site, faulty.refuse,
                      lambda: faulty.accept(faulty.port)), cookie)


def test_much_of_the_backend_uses_little_memory(start_own, faulty):
    """1 GB, and what unpacks to 200 MB. A query's answer passes."""
    gateway = start_own(POSTERN_UPSTREAM=faulty.url, POSTERN_LOOPS="1")
    cookie = log_in(gateway)
    assert_serves(gateway, cookie)
    programs = Programs(gateway)
    before = {name: peak(gateway, name) for name in ("query", "login")}
    for name in ("sends 1 GB", "sends 200 KB of gzip that unpack to 200 MB"):
        act, = FAULTS[name]
        fault = Fault(name, gateway, lambda: setattr(faulty, "fault", act),
                      lambda: setattr(faulty, "fault", None))
        fault.check_login()
        fault.check_form()
        fault.check_logout(log_in(gateway))
        if name != "sends 1 GB":
            fault.check_query(cookie)
            continue
        # lighttpd would take minutes.
        begin, body = len(gateway.log), body_of("me")
        faulty.fault = act
        with fcgi.Connection(gateway.socket_of("query"), 60) as connection:
            connection.start(params_of(body, cookie))
            connection.feed(body)
            count, _ = read_count(connection)
        faulty.fault = None
        assert GIB < count < GIB + 4096
        check_log(gateway, begin, "query", fault.query)
    for name, bytes_before in before.items():
        assert peak(gateway, name) - bytes_before < ABOUT < BOMB
    assert_serves(gateway, cookie)
    programs.check()


CERTIFICATES = {"has the certificate of another name": "other_name",
                "has a certificate that has expired": "expired",
                "has a certificate of an unknown authority": "foreign"}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificate_of_the_backend(start_own, faulty, certificates, name):
    proxy = TlsProxy(certificates.good, faulty.port)
    path = os.path.join(proxy.folder, "nginx.conf")
    with open(path, encoding="utf-8") as file:
        good = file.read()

    def use(config):
        proxy.stop()
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        proxy.start()

    def begin():
        use(good.replace(certificates.good,
                         getattr(certificates, CERTIFICATES[name])))
        faulty.hits = len(faulty.requests)

    def end():
        assert len(faulty.requests) == faulty.hits
        use(good)

    try:
        gateway = start_own(POSTERN_UPSTREAM=proxy.url, POSTERN_LOOPS="1",
                            POSTERN_UPSTREAM_CA=certificates.ca + ".pem")
        cookie = log_in(gateway)
        assert_serves(gateway, cookie)
        check_fault(Fault(name, gateway, begin, end), cookie)
    finally:
        proxy.close()
