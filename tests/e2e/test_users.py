# SPDX-License-Identifier: ISC
"""The programs of one site run as two users: Apache's mod_fcgid or mod_cgid runs
them as www-data, and systemd runs `authorize` as postern. They share the secret
and the store by the group that etc/systemd/ makes. All files of etc/ and the
commands of README.md are used unchanged."""
import os
import re
import shlex
import shutil
import stat
import subprocess

import gateway
import pytest
import servers
import test_readme
from http_client import cookie_of
from machine import Machine, needs_machine

pytestmark = needs_machine

STORE = "/var/lib/postern"
CREDENTIALS = "/var/lib/credentials"
CHECK = ("env", "COOKIE_SESSION_SECRET_FILE=/etc/postern/secret",
         "POSTERN_ORIGIN=https://shop.example")


def make_machine():
    """As README.md says, up to the check."""
    machine = Machine()
    machine.shell(test_readme.CONFIGURE[:-1])
    return machine


@pytest.fixture(name="machine")
def machine_fixture():
    machine = make_machine()
    yield machine
    machine.close()


class Users:
    """For a Site: the paths and users are those of the shipped files."""

    has_origin = True
    is_authorizer_first = False

    def __init__(self, backend, **variables):
        self.machine = make_machine()
        super().__init__(backend, POSTERN_STORE=None,
                         COOKIE_SESSION_SECRET_FILE="/etc/postern/secret",
                         **variables)

    def etc_file(self, name):
        text = self.machine.run(
            "postern", "config", "apache", name, "--upstream",
            self.backend.url, "--origin", f"http://localhost:{self.port}")
        return text.replace("127.0.0.1:9700",
                            f"127.0.0.1:{self.authorizer_port}")

    def settings(self):
        return super().settings().replace(f"{self.folder}/programs",
                                          "/usr/local/libexec/postern")

    def spawn(self, command, **options):
        return super().spawn(self.machine.command(*command), **options)

    def start_helpers(self):
        if self.is_authorizer_first:
            self.start_authorizer()

    def start_authorizer(self):
        """With the settings of postern-authorizer.service."""
        unit = self.machine.run("postern", "config", "systemd",
                                "postern-authorizer.service")

        def setting(name):
            return re.search(rf"^{name}=(.*)$", unit, re.M)[1]

        environment = dict(
            line.replace("%S", "/var/lib").replace("%d", CREDENTIALS)
            .split("=", 1)
            for line in re.findall("^Environment=(.*)$", unit, re.M))
        assert environment["POSTERN_STORE"] == f"lmdb:{STORE}"
        # The copy of the secret that LoadCredential= makes.
        source = re.search("^LoadCredential=secret:(.*)$", unit, re.M)[1]
        self.machine.run("install", "-D", "-m", "400", "-o", setting("User"),
                         source, environment["COOKIE_SESSION_SECRET_FILE"])
        address = f"127.0.0.1:{self.authorizer_port}"
        umask, user = setting("UMask"), setting("User")
        self.helpers.append(self.spawn(
            ["sh", "-c", f'umask {umask} && exec setpriv --reuid {user} '
             f'--regid {setting("Group")} --init-groups "$@"', "-",
             *shlex.split(setting("ExecStart")), "--listen", address],
            environment={**self.environment, **environment,
                         "POSTERN_UPSTREAM": self.backend.url,
                         "POSTERN_ORIGIN": f"http://localhost:{self.port}"}))
        assert gateway.wait_until(lambda: servers.is_listening(address), 20), (
            self.log)
        return self.helpers[-1]

    def owners(self):
        """{user} of the files of the store, whose modes are right."""
        folder = self.machine.path(STORE)
        group = os.stat(folder).st_gid
        owners = set()
        for name in os.listdir(folder):
            found = os.stat(os.path.join(folder, name))
            assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group)
            owners.add(found.st_uid)
        return owners

    def id_of(self, user):
        return int(self.machine.run("id", "-u", user))

    def close(self, check=True):
        super().close(check)
        self.machine.close()


class Fcgid(Users, servers.ApacheFcgid):
    pass


class Cgid(Users, servers.ApacheCgid):
    pass


class FcgidSecond(Fcgid):
    is_authorizer_first = True


class CgidSecond(Cgid):
    is_authorizer_first = True


@pytest.mark.parametrize("kind", [Fcgid, FcgidSecond, Cgid, CgidSecond])
def test_programs_of_two_users_share_a_store(kind, backend, user):
    site = kind(backend, POSTERN_LOG_LEVEL="debug")
    try:
        if not site.is_authorizer_first:
            # Apache's program makes the store.
            assert site.log_in(user).status == 200
            assert site.owners() == {site.id_of("www-data")}
            site.start_authorizer()
        else:
            assert site.owners() == {site.id_of("postern")}
        running = subprocess.run(["ps", "-eo", "user:20,args"], check=True,
                                 stdout=subprocess.PIPE, timeout=30)
        assert re.search(rb"authorize --listen 127.0.0.1:%d\n"
                         % site.authorizer_port, running.stdout)
        check_logout_is_seen(site, user)
        check_a_kill_is_survived(site, user)
        site.owners()
        assert "store" not in re.findall("event=(store[a-z-]*)", site.log)
    finally:
        site.close()


def check_logout_is_seen(site, user):
    """Login and logout by www-data; the page by postern."""
    for _ in range(3):
        cookie = site.cookie_for(user)
        answer = site.get("/members/greet.js", cookie=cookie)
        assert answer.status == 200, answer
        assert site.post("/logout", cookie=cookie).status == 200
        answer = site.get("/members/greet.js", cookie=cookie)
        assert answer.status == 401, answer
        assert site.session(cookie=cookie) is None
    # The other direction: the command of the user postern ends a session.
    cookie = site.cookie_for(user)
    subject = site.session(cookie=cookie)["subject"]
    out = site.machine.run(
        "runuser", "-u", "postern", "--", *CHECK,
        f"POSTERN_UPSTREAM={site.backend.url}", "postern", "revoke",
        "--subject", subject)
    assert "revoked" in out or "ended" in out, out
    assert site.session(cookie=cookie) is None
    assert site.get("/members/greet.js", cookie=cookie).status == 401


def check_a_kill_is_survived(site, user):
    """kill -9 of a process that holds LMDB's lock for writing, of each user."""
    for name in ("postern", "www-data"):
        holder = subprocess.Popen(
            site.machine.command(
                "setpriv", "--reuid", name, "--regid", name, "--init-groups",
                "/usr/local/bin/lock_tool", STORE, str(256 << 20)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert holder.stdout.readline() == b"locked\n"
            holder.kill()
        finally:
            holder.communicate(timeout=20)
        cookie = site.cookie_for(user)
        assert site.get("/members/greet.js", cookie=cookie).status == 200
        assert site.post("/logout", cookie=cookie).status == 200


# --- postern check -----------------------------------------------------------


def check_as(machine, user, backend, **variables):
    """The exit status, and the lines about the store."""
    words = [f"{name}={value}" for name, value in variables.items()]
    status, out = machine.run(
        "runuser", "-u", user, "--", *CHECK, *words,
        f"POSTERN_UPSTREAM={backend.url}", "postern", "check", check=False)
    return status, "\n".join(line for line in out.splitlines() if re.match(
        "the store answers|[A-Z_]+: ", line))


@pytest.mark.parametrize("first, second", [("www-data", "postern"),
                                           ("postern", "www-data")])
def test_check_as_each_user(machine, backend, first, second):
    for user in (first, second, first):
        assert check_as(machine, user, backend) == (0, "the store answers")
    # A file as a program of another version, or a copy, would leave it.
    path = machine.path(f"{STORE}/data.mdb")
    os.chmod(path, 0o600)
    status, out = check_as(machine, second, backend)
    assert (status, out) == (69, (
        f"POSTERN_STORE: {STORE}/data.mdb belongs to the user {first} (mode "
        "0600), and not to the group postern of its folder: chgrp postern and "
        "chmod 660 it"))
    # Root becomes the owner of the folder. The owner of the file repairs it.
    assert check_as(machine, "root", backend) == (
        (0, "the store answers") if first == "postern" else (status, out))
    assert check_as(machine, first, backend) == (0, "the store answers")
    assert check_as(machine, second, backend) == (0, "the store answers")


def test_check_as_a_user_who_is_not_in_the_group(machine, backend):
    shutil.copy(machine.path("/etc/postern/secret"),
                machine.path("/etc/nobody-secret"))
    machine.run("chown", "nobody", "/etc/nobody-secret")
    status, out = check_as(machine, "nobody", backend,
                           COOKIE_SESSION_SECRET_FILE="/etc/nobody-secret")
    assert (status, out) == (69, (
        f"POSTERN_STORE: the folder {STORE} is for the group postern, and "
        "nobody is not in it: usermod -aG postern nobody, and restart what "
        "this user runs"))
    machine.run("usermod", "-aG", "postern", "nobody")
    assert check_as(machine, "nobody", backend) == (0, "the store answers")


def test_folder_of_one_user_becomes_the_folder_of_a_group(machine, backend):
    """The messages and doc/deploy.md lead there."""
    machine.run("rmdir", STORE)
    machine.run("install", "-d", "-m", "700", "-o", "www-data", STORE)
    assert check_as(machine, "www-data", backend) == (0, "the store answers")
    status, out = check_as(machine, "postern", backend)
    assert status == 69 and out.endswith(
        "let a group of both share it: chgrp GROUP and chmod 2770 it"), out
    machine.run("chgrp", "postern", STORE)
    machine.run("chmod", "770", STORE)
    for user in ("postern", "www-data"):
        status, out = check_as(machine, user, backend)
        assert status == 69 and "chmod 2770 it" in out, out
    with open(os.path.join(gateway.ROOT, "doc/deploy.md"),
              encoding="utf-8") as file:
        commands = re.search("To share a store that belonged to one user, stop "
                             "the programs and run (.*?)\\. ",
                             " ".join(file.read().split()))[1]
    for command in re.findall("`([^`]+)`", commands):
        machine.run("sh", "-c", command)
    for user in ("postern", "www-data"):
        assert check_as(machine, user, backend) == (0, "the store answers")


def test_same_without_systemd(backend):
    """The commands of doc/deploy.md make what sysusers and tmpfiles make."""
    machine = Machine()
    try:
        with open(os.path.join(gateway.ROOT, "doc/deploy.md"),
                  encoding="utf-8") as file:
            block = re.search("```sh\n(useradd .*?)```", file.read(), re.S)[1]
        machine.shell([block, *test_readme.CONFIGURE[2:-1]])
        for folder, mode, owner in (("/etc/postern", 0o750, "root"),
                                    (STORE, 0o2770, "postern")):
            found = os.stat(machine.path(folder))
            assert stat.S_IMODE(found.st_mode) == mode
            assert found.st_uid == int(machine.run("id", "-u", owner))
            assert found.st_gid == int(machine.run("id", "-g", "postern"))
        assert check_as(machine, "postern", backend) == (0, "the store answers")
    finally:
        machine.close()
