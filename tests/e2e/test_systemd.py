# SPDX-License-Identifier: ISC
"""The units of etc/systemd/, without systemd as process 1: systemd-analyze
accepts them, and each program runs with the command, environment and socket of
its units. The sandbox settings (SystemCallFilter and so on) are parsed only."""
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
    """A folder with the files that `postern config` prints; a template has one
    copy for each program."""
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


def test_systemd_accepts_the_units(folder):
    names = [name for name in os.listdir(folder)
             if name.endswith((".socket", ".service"))]
    assert len(names) == 2 * len(PROGRAMS) + 2
    done = verify(folder, *names)
    assert (done.returncode, done.stdout) == (0, b"")
    # It reports an error if there is one.
    path = folder / "postern@login.service"
    path.write_text(path.read_text().replace("StateDirectory=", "StateDir="))
    done = verify(folder, path.name)
    assert b"StateDir" in done.stdout


@pytest.mark.parametrize("name", [name for name in (*TEMPLATES, *UNITS)
                                  if name.endswith(".service")])
def test_exposure(folder, name):
    """What a service could do to the system, as systemd rates it."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=12",
         str(folder / name.replace("@", "@login"))],
        stdout=subprocess.PIPE, timeout=60, check=False)
    rating = re.search(rb"exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(rating[1]) <= 1.2
    assert done.returncode == 0


def setting(folder, unit, name, instance, found=r"(.+)"):
    """The value of a setting, with its specifiers replaced."""
    text = (folder / unit).read_text()
    value = re.search(rf"^{name}={found}$", text, re.M)[1]
    return value.replace("%i", instance).replace("%d", str(folder))


def listen(address):
    if address.startswith("/"):
        one = socket.socket(socket.AF_UNIX)
        one.bind(address)
    else:
        # 9700 may be in use: take another port of the same address.
        one = socket.socket()
        one.bind((address.rpartition(":")[0], 0))
    one.listen(10)
    return one, one.getsockname()


@pytest.mark.parametrize("unit, program", [
    *(("postern@%i", program) for program in PROGRAMS),
    ("postern-authorizer", "authorize")])
def test_program_runs_with_the_settings_of_its_units(folder, unit, program):
    unit = unit.replace("%i", program)
    service = f"{unit}.service"
    listening, address = listen(setting(folder, f"{unit}.socket",
                                        "ListenStream", program))
    variables = {"POSTERN_STORE": f"lmdb:{folder}/store", "PATH": "/bin",
                 **gateway.SANITIZER_ENVIRONMENT}
    assert setting(folder, service, "EnvironmentFile", program) == str(
        folder / "postern.env")
    for line in (setting(folder, service, "Environment", program),
                 *(folder / "postern.env").read_text().splitlines()):
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            variables[name] = value
    command = shlex.split(setting(folder, service, "ExecStart", program))
    # The secret is where LoadCredential= puts it for the service.
    assert variables["COOKIE_SESSION_SECRET_FILE"] == str(folder / "secret")
    assert setting(folder, service, "LoadCredential", program) == (
        f"secret:{folder}/secret")
    moved = os.dup2(listening.fileno(), 50)  # bash does not use it
    process = subprocess.Popen(
        ["bash", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&50 50<&-',
         "-", *command], pass_fds=[moved], env=variables,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(moved)
    listening.close()
    try:
        # The request has no session and no document.
        assert fcgi.request(address, "GET").status == {
            "authorize": 401, "query": 400}.get(program, 200)
    finally:
        process.terminate()
        log = process.communicate(timeout=20)[1]
    assert process.returncode == 0, log


def test_both_authorizer_services_have_the_same_settings(folder):
    """postern@authorize.service and postern-authorizer.service."""
    one, other = ((folder / name).read_text().partition("[Service]")[2]
                  .partition("[Install]")[0]
                  for name in ("postern@authorize.service", UNITS[1]))
    assert one.replace("%i", "authorize") == other


def test_folder_of_the_log(folder):
    """ProtectSystem=strict forbids all others: one more than the store's."""
    for name in ("postern@login.service", UNITS[1]):
        assert setting(folder, name, "ProtectSystem", "login") == "strict"
        assert setting(folder, name, "LogsDirectory", "login") == "postern"
        assert setting(folder, name, "LogsDirectoryMode", "login") == "0750"
