# SPDX-License-Identifier: ISC
"""Where the lines of the log go: a real syslogd and a real systemd-journald, each
with a /dev and a /run of its own."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess

import fcgi
import pytest
from gateway import BUILD, POSTERN, SANITIZER_ENVIRONMENT, make_secret, wait_until
from test_serve import Program

SESSION = os.path.join(BUILD, "cgi-bin/session")

# A /dev and a /run for the processes of one test: other tests, and this machine,
# have other daemons, or none.
NAMESPACE = """
mount -t tmpfs none "$1"
mkdir "$1/dev" "$1/run"
for name in null zero full random urandom; do
    touch "$1/dev/$name"
    mount --bind "/dev/$name" "$1/dev/$name"
done
mount --rbind "$1/dev" /dev
mount --rbind "$1/run" /run
mkdir -p /run/systemd/journal /run/log/journal
echo ready
exec cat
"""


class Machine:
    """A mount namespace, and the daemons in it. Where that is not allowed, the
    paths of the machine itself, which must be free."""

    def __init__(self, folder):
        self.folder, self.daemons, self.enter = folder, [], []
        os.mkdir(folder / "mounts")
        more = [] if os.geteuid() == 0 else ["--map-root-user"]
        self.holder = subprocess.Popen(
            ["unshare", "--mount", *more, "bash", "-ec", NAMESPACE, "-",
             str(folder / "mounts")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        if self.holder.stdout.readline() == b"ready\n":
            self.enter = ["nsenter", "-t", str(self.holder.pid), "--mount", *(
                ["--user", "--preserve-credentials"] if more else [])]
            return
        reason = self.holder.stderr.read().decode()
        assert os.geteuid() == 0 and not os.path.exists("/dev/log") and (
            not os.path.exists("/run/systemd/journal/socket")), reason
        os.makedirs("/run/systemd/journal", exist_ok=True)
        os.makedirs("/run/log/journal", exist_ok=True)

    def run(self, *command, status=0, **variables):
        done = subprocess.run(
            [*self.enter, *command], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, check=False,
            env={"PATH": os.environ["PATH"], **SANITIZER_ENVIRONMENT,
                 **variables})
        assert done.returncode == status, done
        return done.stdout.decode()

    def has(self, path):
        return subprocess.run([*self.enter, "test", "-e", path],
                              check=False).returncode == 0

    def daemon(self, *command, path):
        """Start a daemon, and wait until it has its socket."""
        self.stop()
        self.run("rm", "-f", path)
        self.daemons.append(subprocess.Popen(
            [*self.enter, *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        assert wait_until(lambda: self.has(path))

    def syslogd(self):
        self.daemon("busybox", "syslogd", "-n", "-O",
                    str(self.folder / "messages"), path="/dev/log")

    def messages(self):
        path = self.folder / "messages"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def journald(self):
        self.daemon("/lib/systemd/systemd-journald",
                    path="/run/systemd/journal/socket")

    def journal(self, *matches):
        return [json.loads(line) for line in self.run(
            "journalctl", "--no-pager", "-q", "-o", "json",
            *matches).splitlines()]

    def stop(self):
        for process in self.daemons:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.communicate(timeout=20)
        self.daemons = []

    def close(self):
        self.stop()
        if not self.enter:
            for path in ("/dev/log", "/run/systemd/journal", "/run/log/journal"):
                subprocess.run(["rm", "-rf", path], check=False)
        self.holder.communicate(timeout=20)


@pytest.fixture(name="machine")
def machine_fixture(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def accepts(path):
    """Whether a program listens on this socket."""
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0


@contextlib.contextmanager
def running(machine, target, **variables):
    """(program, socket) of a `session` on that machine."""
    path = machine.folder / "session.sock"
    program = Program(command=[*machine.enter, SESSION, "--listen",
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


def test_syslog_gets_each_line_with_its_priority(machine):
    machine.syslogd()
    with running(machine, "syslog") as (program, path):
        refused(path)
        assert wait_until(lambda: "event=request " in machine.messages())
    assert wait_until(lambda: "event=stopped" in machine.messages())
    tag = rf"postern-session\[{program.process.pid}\]: "
    for text in (r"daemon\.info " + tag + r"level=info event=ready socket=",
                 r"daemon\.warn " + tag + r"level=warning "
                 r"event=cross-site-refused request=\w+ "
                 r"origin=https://other\.example ",
                 r"daemon\.info " + tag + r"level=info event=request "):
        assert re.search(rf"^\w{{3}} [ \d]\d \d\d:\d\d:\d\d \S+ {text}",
                         machine.messages(), re.M), machine.messages()
    assert "\n\n" not in machine.messages()
    assert program.log == "(end)"  # nothing on stderr


def test_syslog_with_json(machine):
    machine.syslogd()
    with running(machine, "syslog", POSTERN_LOG_FORMAT="json") as (_, path):
        refused(path)
        assert wait_until(lambda: '"event":"request"' in machine.messages())
    for line in machine.messages().splitlines():
        if "postern-session" in line:
            assert json.loads(line.partition("]: ")[2])["event"]


def test_syslogd_that_ends_or_hangs_delays_nobody(machine):
    """It gets the lines again after a restart, and their lost number."""
    machine.syslogd()
    with running(machine, "syslog") as (_, path):
        assert wait_until(lambda: "event=ready" in machine.messages())
        machine.stop()
        for _ in range(20):
            refused(path)
        machine.syslogd()
        refused(path)
        assert wait_until(lambda: "event=cross-site-refused"
                          in machine.messages())
        # Each of the 20 requests has two lines.
        assert "level=warning event=log-lines-lost count=40" in machine.messages()
        machine.daemons[0].send_signal(signal.SIGSTOP)
        for _ in range(400):  # more than a socket's queue has room for
            refused(path)
        machine.daemons[0].send_signal(signal.SIGCONT)

        def is_counted():
            refused(path)
            return machine.messages().count("event=log-lines-lost") == 2
        assert wait_until(is_counted), machine.messages()[-500:]


@pytest.mark.parametrize("target, daemon_socket", [
    ("syslog", "/dev/log"), ("journald", "/run/systemd/journal/socket")])
def test_daemon_that_does_not_run(machine, target, daemon_socket):
    """`postern check` says so. A program starts, and says it on stderr."""
    variables = {"POSTERN_LOG": target, "POSTERN_STORE": "none",
                 "COOKIE_SESSION_SECRET": make_secret().strip(),
                 "POSTERN_UPSTREAM": "http://127.0.0.1:9/"}
    done = subprocess.run(
        [*machine.enter, POSTERN, "check"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, check=False,
        env={**SANITIZER_ENVIRONMENT, **variables})
    assert (f"POSTERN_LOG: {target}: no daemon reads from {daemon_socket} (No such "
            "file or directory): start it, or set POSTERN_LOG=stderr\n"
            ) in done.stderr.decode()
    with running(machine, target) as (program, path):
        line = program.wait_for("event=log-unread")
        assert f"level=warning program=session pid={program.process.pid} " in line
        assert f'target={target} socket={daemon_socket} reason="No such' in line
        refused(path)
    assert program.log.count("\n") == 1
    (machine.syslogd if target == "syslog" else machine.journald)()
    done = machine.run(POSTERN, "check", status=69, **variables)
    assert "the log's daemon runs\n" in done


def test_journald_gets_the_level_and_the_event(machine):
    machine.journald()
    with running(machine, "journald") as (program, path):
        refused(path)
        # journald has what was sent before the answer to this.
        assert wait_until(
            lambda: machine.journal("POSTERN_EVENT=request"))
    pid = str(program.process.pid)
    (entry,) = machine.journal("POSTERN_EVENT=cross-site-refused")
    assert entry["PRIORITY"] == "4" and entry["_PID"] == pid
    assert entry["SYSLOG_IDENTIFIER"] == "postern-session"
    assert entry["SYSLOG_FACILITY"] == "3"
    assert re.fullmatch(r"level=warning event=cross-site-refused request=\w+ "
                        r"origin=https://other\.example .*", entry["MESSAGE"])
    (entry,) = machine.journal("-p", "warning", "-t", "postern-session")
    assert entry["POSTERN_EVENT"] == "cross-site-refused"
    assert wait_until(lambda: {entry["POSTERN_EVENT"] for entry in machine.journal(
        "-t", "postern-session")} >= {"listening", "ready", "request", "stopped"})
    assert program.log == "(end)"


def test_journald_gets_no_field_of_a_client(machine):
    """A line break in a value would begin another field."""
    machine.journald()
    with running(machine, "journald") as (_, path):
        assert fcgi.request(
            path, "DELETE", query="id=0",
            HTTP_ORIGIN="https://o\nPRIORITY=0\nFORGED=1").status == 403
        assert wait_until(lambda: machine.journal("POSTERN_EVENT=request"))
    (entry,) = machine.journal("POSTERN_EVENT=cross-site-refused")
    assert entry["PRIORITY"] == "4" and "FORGED" not in entry
    assert r"https://o\nPRIORITY=0\nFORGED=1" in entry["MESSAGE"]
