# SPDX-License-Identifier: ISC
"""Where the lines of the log go: a real syslogd and a real systemd-journald, each
with a /dev and a /run of its own; and files that a real logrotate rotates."""
import concurrent.futures
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import fcgi
import http_client
import pytest
from gateway import (BUILD, POSTERN, SANITIZER_ENVIRONMENT, Gateway,
                     children_of, make_secret, wait_until)
from namespace import Namespace
from test_serve import Program

SESSION = os.path.join(BUILD, "cgi-bin/session")

@pytest.fixture(name="namespace")
def namespace_fixture(tmp_path):
    namespace = Namespace(tmp_path)
    yield namespace
    namespace.close()


def accepts(path):
    """Whether a program listens on this socket."""
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0


@contextlib.contextmanager
def running(namespace, target, **variables):
    """(program, socket) of a `session` on that namespace."""
    path = namespace.folder / "session.sock"
    program = Program(command=[*namespace.enter, SESSION, "--listen",
                               f"unix:{path}"],
                      wait=False, POSTERN_LOG=target, **variables)
    try:
        assert wait_until(lambda: accepts(path)), program.log
        yield program, path
    finally:
        assert program.stop() == 0, program.log


def refused(path):
    """A request that is logged with the level warning."""
    answer = fcgi.request(path, "DELETE", query="id=0",
                          HTTP_ORIGIN="https://other.example")
    assert answer.status == 403, answer.text


def test_syslog_gets_each_line_with_its_priority(namespace):
    namespace.syslogd()
    with running(namespace, "syslog") as (program, path):
        refused(path)
        assert wait_until(lambda: "event=request " in namespace.messages())
    assert wait_until(lambda: "event=stopped" in namespace.messages())
    tag = rf"postern-session\[{program.process.pid}\]: "
    for text in (r"daemon\.info " + tag + r"level=info event=ready socket=",
                 r"daemon\.warn " + tag + r"level=warning "
                 r"event=cross-site-refused request=\w+ "
                 r"origin=https://other\.example ",
                 r"daemon\.info " + tag + r"level=info event=request "):
        assert re.search(rf"^\w{{3}} [ \d]\d \d\d:\d\d:\d\d \S+ {text}",
                         namespace.messages(), re.M), namespace.messages()
    assert "\n\n" not in namespace.messages()
    assert program.log == ""  # nothing on stderr


def test_syslog_with_json(namespace):
    namespace.syslogd()
    with running(namespace, "syslog", POSTERN_LOG_FORMAT="json") as (_, path):
        refused(path)
        assert wait_until(lambda: '"event":"request"' in namespace.messages())
    for line in namespace.messages().splitlines():
        if "postern-session" in line:
            assert json.loads(line.partition("]: ")[2])["event"]


def test_syslogd_that_ends_or_hangs_delays_nobody(namespace):
    """It gets the lines again after a restart, and their lost number."""
    namespace.syslogd()
    with running(namespace, "syslog") as (_, path):
        assert wait_until(lambda: "event=ready" in namespace.messages())
        namespace.stop()
        for _ in range(20):
            refused(path)
        namespace.syslogd()
        refused(path)
        assert wait_until(lambda: "event=cross-site-refused"
                          in namespace.messages())
        # Each of the 20 requests has two lines.
        assert "level=warning event=log-lines-lost count=40" in namespace.messages()
        namespace.daemons[0].send_signal(signal.SIGSTOP)
        for _ in range(400):  # more than a socket's queue has room for
            refused(path)
        namespace.daemons[0].send_signal(signal.SIGCONT)

        def is_counted():
            refused(path)
            return namespace.messages().count("event=log-lines-lost") > 1
        assert wait_until(is_counted), namespace.messages()[-500:]


@pytest.mark.parametrize("target, daemon_socket", [
    ("syslog", "/dev/log"), ("journald", "/run/systemd/journal/socket")])
def test_daemon_that_does_not_run(namespace, target, daemon_socket):
    """`postern check` says so. A program starts, and says it on stderr."""
    variables = {"POSTERN_LOG": target, "POSTERN_STORE": "none",
                 "COOKIE_SESSION_SECRET": make_secret().strip(),
                 "POSTERN_UPSTREAM": "http://127.0.0.1:9/"}
    done = subprocess.run(
        [*namespace.enter, POSTERN, "check"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, check=False,
        env={**SANITIZER_ENVIRONMENT, **variables})
    assert (f"POSTERN_LOG: {target}: no daemon reads from {daemon_socket} (No such "
            "file or directory): start it, or set POSTERN_LOG=stderr\n"
            ) in done.stderr.decode()
    with running(namespace, target) as (program, path):
        line = program.wait_for("event=log-unread")
        assert f"level=warning program=session pid={program.process.pid} " in line
        assert f'target={target} socket={daemon_socket} reason="No such' in line
        refused(path)
    assert program.log.count("\n") == 1
    (namespace.syslogd if target == "syslog" else namespace.journald)()
    done = namespace.run(POSTERN, "check", status=69, **variables)
    assert "the log's daemon runs\n" in done


def test_journald_gets_the_level_and_the_event(namespace):
    namespace.journald()
    with running(namespace, "journald") as (program, path):
        refused(path)
        # journald has what was sent before the answer to this.
        assert wait_until(
            lambda: namespace.journal("POSTERN_EVENT=request"))
    pid = str(program.process.pid)
    (entry,) = namespace.journal("POSTERN_EVENT=cross-site-refused")
    assert entry["PRIORITY"] == "4" and entry["_PID"] == pid
    assert entry["SYSLOG_IDENTIFIER"] == "postern-session"
    assert entry["SYSLOG_FACILITY"] == "3"
    assert re.fullmatch(r"level=warning event=cross-site-refused request=\w+ "
                        r"origin=https://other\.example .*", entry["MESSAGE"])
    (entry,) = namespace.journal("-p", "warning", "-t", "postern-session")
    assert entry["POSTERN_EVENT"] == "cross-site-refused"
    assert wait_until(lambda: {entry["POSTERN_EVENT"] for entry in namespace.journal(
        "-t", "postern-session")} >= {"listening", "ready", "request", "stopped"})
    assert program.log == ""


def test_journald_gets_no_field_of_a_client(namespace):
    """A line break in a value would begin another field."""
    namespace.journald()
    with running(namespace, "journald") as (_, path):
        assert fcgi.request(
            path, "DELETE", query="id=0",
            HTTP_ORIGIN="https://o\nPRIORITY=0\nFORGED=1").status == 403
        assert wait_until(lambda: namespace.journal("POSTERN_EVENT=request"))
    (entry,) = namespace.journal("POSTERN_EVENT=cross-site-refused")
    assert entry["PRIORITY"] == "4" and "FORGED" not in entry
    assert r"https://o\nPRIORITY=0\nFORGED=1" in entry["MESSAGE"]


# --- logrotate ---------------------------------------------------------------


class Rotation:
    """logrotate with etc/logrotate/postern, as `postern config` prints it for
    programs in `folder`."""

    def __init__(self, folder, *replaced):
        self.folder = folder
        self.programs = folder / "programs"  # pkill must find no others
        self.programs.mkdir()
        text = subprocess.run(
            [POSTERN, "config", "logrotate", "postern", "--programs",
             str(self.programs)], stdout=subprocess.PIPE, timeout=30,
            check=True, env={**SANITIZER_ENVIRONMENT}).stdout.decode()
        for path, own in replaced:
            assert path in text
            text = text.replace(path, own)
        # What is not replaced is not there, as on a machine without it.
        assert "missingok" in text
        (folder / "logrotate.conf").write_text(text, encoding="utf-8")

    def program(self, name):
        return shutil.copy(os.path.join(BUILD, "cgi-bin", name), self.programs)

    def rotate(self):
        done = subprocess.run(
            [shutil.which("logrotate", path=os.environ["PATH"] + ":/usr/sbin"),
             "--force", "--state", str(self.folder / "state"),
             str(self.folder / "logrotate.conf")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            check=False)
        assert (done.returncode, done.stdout) == (0, b"")


@contextlib.contextmanager
def load(request, threads=3):
    """Call request() in some threads; gives the list of its results, which is
    complete afterwards."""
    results, end = [], threading.Event()

    def work():
        while not end.is_set():
            results.append(request())
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work) for _ in range(threads)]
        try:
            yield results
        finally:
            end.set()
        for future in futures:
            future.result()


def lines_of(path):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        text = file.read().decode("utf-8")
    assert text == "" or text.endswith("\n"), path
    for line in text.splitlines():
        assert re.match("time=.* event=|.*: [(]server.c", line), line
    return text.splitlines()


def test_logrotate_loses_no_line_of_a_file(tmp_path):
    """Two programs with one file, while they answer."""
    log = tmp_path / "postern.log"
    rotation = Rotation(tmp_path, ("/var/log/postern/", f"{tmp_path}/"))
    programs, paths = [], []
    try:
        for name in ("session", "logout"):
            paths.append(tmp_path / f"{name}.sock")
            programs.append(Program(
                command=[rotation.program(name), "--listen",
                         f"unix:{paths[-1]}"],
                wait=False, POSTERN_LOG=str(log), POSTERN_LOOPS="2"))
            assert wait_until(lambda: accepts(paths[-1])), programs[-1].log
        os.chmod(log, 0o620)
        with load(lambda: [fcgi.request(path).status for path in paths]) as done:
            for number in range(1, 4):
                rotation.rotate()
                # Both programs use the new file.
                assert wait_until(lambda: all(
                    log.read_text().count(f" program={name} ") > 10
                    for name in ("session", "logout"))), number
                assert os.stat(log).st_mode & 0o777 == 0o620
    finally:
        assert [program.stop() for program in programs] == [0, 0]
    assert set(map(tuple, done)) == {(200, 200)}
    files = sorted(tmp_path.glob("postern.log*"))
    assert [file.name for file in files] == [
        "postern.log", "postern.log.1", "postern.log.2.gz", "postern.log.3.gz"]
    lines = [line for file in files for line in lines_of(file)]
    assert sum(" event=request " in line for line in lines) == 2 * len(done)
    assert not [line for line in lines if "level=error" in line]
    # Nothing goes to the old file after the rotation.
    assert " event=stopped " in files[0].read_text()
    assert " event=stopped " not in files[1].read_text()


def test_sighup_does_not_end_a_cgi_program(tmp_path):
    """logrotate's pkill finds it too; its request goes on."""
    rotation = Rotation(tmp_path)
    with subprocess.Popen(
            [rotation.program("query")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**SANITIZER_ENVIRONMENT, **fcgi.params(
                "POST", CONTENT_LENGTH="16", CONTENT_TYPE="application/json",
                COOKIE_SESSION_SECRET=make_secret().strip(),
                POSTERN_STORE="none",
                POSTERN_UPSTREAM="http://127.0.0.1:9/")}) as process:
        def is_reading():
            with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                status = file.read()
            blocked = int(re.search(r"^SigBlk:\s*(\w+)", status, re.M)[1], 16)
            return "State:\tS" in status and not blocked
        assert wait_until(is_reading)
        subprocess.run(["pkill", "-HUP", "-f", f"^{rotation.programs}/"],
                       check=True)
        out, err = process.communicate(b'{"query": "{a}"}', timeout=30)
    assert process.returncode == 0, err
    assert b"UPSTREAM_UNREACHABLE" in out, out


class BreakageGateway(Gateway):
    """With the breakage log of postern-settings.conf."""

    def _write_settings(self):
        super()._write_settings()
        with open(os.path.join(self.folder, "settings.conf"), "a",
                  encoding="utf-8") as file:
            file.write(f'server.breakagelog = "{self.folder}/breakage"\n')


def test_logrotate_loses_no_line_of_the_breakage_log(tmp_path, backend):
    """lighttpd starts its programs again, and all requests are answered."""
    gateway = BreakageGateway(backend)
    try:
        folder = tmp_path / "folder"
        folder.symlink_to(gateway.folder)
        log = folder / "breakage"
        # What ExecReload= of Debian's lighttpd.service does.
        rotation = Rotation(
            tmp_path, ("/var/log/lighttpd/breakage", str(log)),
            ("systemctl reload lighttpd", f"kill -USR1 {gateway.process.pid}"))
        # The requests by which Gateway waits for lighttpd have lines too.
        count = log.read_text().count(" event=request ")

        def request():
            with http_client.Connection(gateway.port) as connection:
                return connection.request("GET", "/session").status
        with load(request) as done:
            assert wait_until(lambda: len(done) > 20)
            for _ in range(2):
                rotation.rotate()
                assert wait_until(
                    lambda: " event=request " in log.read_text())
        assert set(done) == {200}
        files = [log, folder / "breakage.1", folder / "breakage.2.gz"]
        assert wait_until(lambda: sum(
            " event=request " in line for file in files
            for line in lines_of(file)) == count + len(done))
        # SIGHUP alone would not do: the programs keep the old file.
        log.rename(folder / "renamed")
        gateway.process.send_signal(signal.SIGHUP)
        assert wait_until(log.exists)
        request()
        (pid,) = (pid for pid, name in children_of(gateway.process.pid).items()
                  if name == "session")
        assert os.readlink(f"/proc/{pid}/fd/2").endswith("/renamed")
    finally:
        gateway.close(check=False)
