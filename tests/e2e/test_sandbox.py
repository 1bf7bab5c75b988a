# SPDX-License-Identifier: ISC
"""The sandbox (POSTERN_SANDBOX): what a program gives up once it has started.

echo_handler tries to break out from inside its handler: the system calls of
tests/unit/break_out.c. The five programs run as a web server starts them.
"""
import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess

import fcgi
import gateway
import pytest
# pylint: disable=unused-import
from test_check import NOBODY, folder_fixture, needs_root  # noqa: F401
from test_serve import ECHO, environment, start_fixture  # noqa: F401

# With a sanitizer, programs have no sandbox.
pytestmark = pytest.mark.uninstrumented

PROGRAMS = ("login", "query", "logout", "session", "authorize")
SECRET = "9f2Kw7Lq3Xz8Vb1Nc6Mt4Rj5Hd0Gs2Pe"
PASSWORD = "s3cr3t-of-the-store"
MIB = 1 << 20

# Name: errno inside, outside. Those of Landlock are EACCES.
ATTEMPTS = dict(
    (row[0], row[1:]) for row in re.findall(
        r'^    \{"([\w-]+)", (\w+), (\w+), \w+\},$',
        open(os.path.join(os.path.dirname(__file__),
                          "../unit/break_out.c"), encoding="ascii").read(),
        re.M))


def attempts(address, path):
    """{name: errno or "done"} of all attempts in the handler."""
    answer = fcgi.request(address, "GET", "break=1", HTTP_X_ECHO=path)
    assert answer.status == 200
    found = dict(line.split("=", 1) for line in answer.body.decode().split())
    return {name: found[name] for name in ATTEMPTS}


@pytest.fixture(name="file")
def file_fixture(tmp_path_factory):
    """A file that no program has to do with, nor with its folder."""
    path = tmp_path_factory.mktemp("other") / "file"
    path.write_text("something")
    (path.parent / "file.gone").write_text("")
    return path


def missing(program):
    """What this kernel cannot limit, as the program has logged it."""
    found = re.search(r"event=sandbox-partial missing=(\S+)", program.log)
    return found[1].split(",") if found else []


def expected(inside, outside, lacks):
    """What an attempt ends with in a sandbox that may lack Landlock."""
    wanted = outside if inside == "EACCES" and "files" in lacks else inside
    return "done" if wanted == "0" else wanted


def test_no_way_out_of_the_handler(start, file):
    assert len(ATTEMPTS) > 30
    program, address = start()
    lacks = missing(program)
    assert attempts(address, str(file)) == {
        name: expected(*row, lacks) for name, row in ATTEMPTS.items()}
    assert file.read_text() == "something" or "files" in lacks
    # The program still serves.
    assert fcgi.request(address, "GET", HTTP_X_ECHO="abc").status == 200
    assert program.stop() == 0


def test_no_way_out_of_plain_cgi(start, file):
    lacks = missing(start()[0])  # plain CGI does not log it
    done = subprocess.run(
        [ECHO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=30,
        check=True, env={
            **environment(), "REQUEST_METHOD": "GET",
            "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1",
            "SCRIPT_NAME": "/echo", "QUERY_STRING": "break=1",
            "HTTP_X_ECHO": str(file)})
    assert done.stdout.startswith(b"Status: 200 OK\r\n")
    found = dict(line.split("=", 1) for line in
                 done.stdout.decode().partition("\r\n\r\n")[2].splitlines())
    assert {name: found[name] for name in ATTEMPTS} == {
        name: expected(*row, lacks) for name, row in ATTEMPTS.items()}


def test_the_attempts_work_without_a_sandbox(start, file):
    """So the tests above are tests of the sandbox."""
    program, address = start(POSTERN_SANDBOX="off")
    assert attempts(address, str(file)) == {
        name: "done" if outside == "0" else outside
        for name, (_, outside) in ATTEMPTS.items()}
    assert file.read_text() == ""  # "truncate"
    assert program.stop() == 0


def test_only_the_port_of_the_backend(start):
    with socket.create_server(("127.0.0.1", 0)) as ours, \
            socket.create_server(("127.0.0.1", 0)) as other:
        for sandbox in ("on", "off"):
            program, address = start(
                ECHO_USES_BACKEND="1", POSTERN_SANDBOX=sandbox,
                POSTERN_UPSTREAM=f"http://127.0.0.1:{ours.getsockname()[1]}/")
            is_open = sandbox == "off" or "ports" in missing(program)
            for server, want in ((ours, "done"),
                                 (other, "done" if is_open else "EACCES")):
                port = server.getsockname()[1]
                answer = fcgi.request(address, "GET", f"port={port}")
                assert f"port={want}\n" in answer.body.decode()
            # Landlock would let it connect in this way.
            answer = fcgi.request(address, "GET", f"port={port}&fast=1")
            assert (b"port=ENOSYS\n" in answer.body) == (sandbox == "on")
            assert program.stop() == 0


def allow_core():
    """Whoever starts a program may allow it to leave a core file."""
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (MIB, MIB))
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] > 0


class Running:
    """One of the five programs, on a socket in a folder."""

    def __init__(self, folder, name, user=None, **variables):
        self.address = str(folder / f"{name}.sock")
        self.log_path = folder / f"{name}.log"
        self.process = subprocess.Popen(
            [os.path.join(gateway.BUILD, "cgi-bin", name), "--listen",
             f"unix:{self.address}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.log_path, "wb"), user=user, group=user,
            extra_groups=None if user is None else [], preexec_fn=allow_core,
            env={"COOKIE_SESSION_SECRET": SECRET,
                 "POSTERN_UPSTREAM": "http://127.0.0.1:9/",
                 "POSTERN_STORE": f"lmdb:{folder}/store", **variables})
        try:
            gateway.wait_until(
                lambda: b"event=ready" in self.log_path.read_bytes(), 20)
        except AssertionError:
            self.process.kill()
            raise

    def proc(self, name):
        with open(f"/proc/{self.process.pid}/{name}", "rb") as file:
            return file.read()

    def status(self, name):
        return re.search(rf"^{name}:\s*(\d+)".encode(), self.proc("status"),
                         re.M)[1].decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        return self.log_path.read_text()


@pytest.fixture(name="run")
def run_fixture(tmp_path):
    programs = []

    def run(name, **variables):
        programs.append(Running(tmp_path, name, **variables))
        return programs[-1]
    yield run
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_has_it(run, name):
    """L68: no new privileges, a filter, and no core dump; and each thread has
    them."""
    program = run(name, POSTERN_LOOPS="2")
    assert fcgi.request(program.address, "GET").status in (200, 400, 401, 405)
    assert program.status("NoNewPrivs") == "1"
    assert program.status("Seccomp") == "2"
    tasks = os.listdir(f"/proc/{program.process.pid}/task")
    assert len(tasks) >= 2
    for task in tasks:
        assert re.search(rb"^Seccomp:\s*2$",
                         program.proc(f"task/{task}/status"), re.M)
    assert re.search(rb"^Max core file size +0 +0 ", program.proc("limits"),
                     re.M)
    program.stop()


@needs_root
@pytest.mark.parametrize("name", PROGRAMS)
def test_memory_is_not_the_users(folder, name):
    """L68: not dumpable, so the files in /proc are not the user's, but root's."""
    os.chown(folder, NOBODY, NOBODY)
    program = Running(pathlib.Path(folder), name, user=NOBODY)
    try:
        assert os.stat(f"/proc/{program.process.pid}").st_uid == NOBODY
        assert os.stat(f"/proc/{program.process.pid}/mem").st_uid == 0
    finally:
        program.stop()


@pytest.mark.parametrize("name", PROGRAMS)
def test_off(run, name):
    program = run(name, POSTERN_SANDBOX="off")
    assert program.status("Seccomp") == "0"
    program.stop()


def test_secrets_are_gone_from_the_environment(run):
    """L68."""
    program = run("session",
                  POSTERN_STORE=f"redis://:{PASSWORD}@127.0.0.1:9")
    variables = program.proc("environ")
    assert b"COOKIE_SESSION_SECRET=" in variables
    assert SECRET.encode() not in variables
    assert PASSWORD.encode() not in variables
    assert b"POSTERN_UPSTREAM=http://127.0.0.1:9/" in variables
    program.stop()
