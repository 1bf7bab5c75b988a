# SPDX-License-Identifier: ISC
"""etc/systemd/ without systemd as the first process: it reads the units and
finds nothing to complain of, and each program runs from what its units say, on
the socket that they name. What confines a service (SystemCallFilter and so on)
is read, but not put to use here."""
import os
import re
import shlex
import socket
import subprocess

import fcgi
import gateway
import pytest

TEMPLATES = ("postern@.socket", "postern@.service")
UNITS = ("postern-authorizer.socket", "postern-authorizer.service")
PROGRAMS = ("login", "query", "logout", "session", "authorize")


@pytest.fixture(name="folder")
def folder_fixture(tmp_path, backend):
    """The files as `postern config` prints them, each template once for each
    program."""
    programs = os.path.join(gateway.BUILD, "cgi-bin")
    for name in (*TEMPLATES, *UNITS, "postern.env"):
        done = subprocess.run(
            [gateway.POSTERN, "config", "systemd", name, "--programs", programs,
             "--sockets", str(tmp_path), "--env", str(tmp_path / "postern.env"),
             "--secret", str(tmp_path / "secret"), "--upstream", backend.url],
            stdout=subprocess.PIPE, check=True, timeout=30)
        names = [name.replace("@", f"@{program}") for program in PROGRAMS
                 ] if "@" in name else [name]
        for each in names:
            (tmp_path / each).write_bytes(done.stdout)
    (tmp_path / "secret").write_text(gateway.make_secret(), encoding="ascii")
    (tmp_path / "secret").chmod(0o600)
    return tmp_path


def verify(folder, *names):
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
         *(str(folder / name) for name in names)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
        check=False)


def test_units_are_sound(folder):
    names = [name for name in os.listdir(folder)
             if name.endswith((".socket", ".service"))]
    assert len(names) == 2 * len(PROGRAMS) + 2
    done = verify(folder, *names)
    assert (done.returncode, done.stdout) == (0, b"")
    # It would have complained.
    path = folder / "postern@login.service"
    path.write_text(path.read_text().replace("DynamicUser", "DynamicUsr"))
    done = verify(folder, path.name)
    assert b"DynamicUsr" in done.stdout


def value_of(folder, unit, name, instance, found=r"(.+)"):
    """A setting's value, with its specifiers filled in."""
    text = (folder / unit).read_text()
    value = re.search(rf"^{name}={found}$", text, re.M)[1]
    return value.replace("%i", instance).replace("%d", str(folder))


def listen(address):
    if address.startswith("/"):
        one = socket.socket(socket.AF_UNIX)
        one.bind(address)
    else:
        # 9700 may be taken: another port of the same address.
        one = socket.socket()
        one.bind((address.rpartition(":")[0], 0))
    one.listen(10)
    return one, one.getsockname()


@pytest.mark.parametrize("unit, program", [
    *(("postern@%i", program) for program in PROGRAMS),
    ("postern-authorizer", "authorize")])
def test_a_program_runs_as_its_units_say(folder, unit, program):
    unit = unit.replace("%i", program)
    service = f"{unit}.service"
    listening, address = listen(value_of(folder, f"{unit}.socket",
                                         "ListenStream", program))
    variables = {"POSTERN_STORE": f"lmdb:{folder}/store", "PATH": "/bin",
                 **gateway.SANITIZER_ENVIRONMENT}
    assert value_of(folder, service, "EnvironmentFile", program) == str(
        folder / "postern.env")
    for line in (value_of(folder, service, "Environment", program),
                 *(folder / "postern.env").read_text().splitlines()):
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            variables[name] = value
    command = shlex.split(value_of(folder, service, "ExecStart", program))
    # The secret is where LoadCredential= puts it for the service.
    assert variables["COOKIE_SESSION_SECRET_FILE"] == str(folder / "secret")
    assert value_of(folder, service, "LoadCredential", program) == (
        f"secret:{folder}/secret")
    moved = os.dup2(listening.fileno(), 50)  # no number that bash may use
    process = subprocess.Popen(
        ["bash", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&50 50<&-',
         "-", *command], pass_fds=[moved], env=variables,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(moved)
    listening.close()
    try:
        # Without a session, and without a document.
        assert fcgi.request(address, "GET").status == {
            "authorize": 401, "query": 400}.get(program, 200)
    finally:
        process.terminate()
        log = process.communicate(timeout=20)[1]
    assert process.returncode == 0, log


def test_every_setting_of_the_pair_is_the_same(folder):
    """The two services differ in what they start, and in nothing else."""
    one, other = ((folder / name).read_text().partition("[Service]")[2]
                  .partition("[Install]")[0]
                  for name in ("postern@authorize.service", UNITS[1]))
    assert one.replace("%i", "authorize") == other
