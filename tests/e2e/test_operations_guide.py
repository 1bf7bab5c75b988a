# SPDX-License-Identifier: ISC
"""Every command in a block of doc/operations.md is run, with the paths of a test.

systemctl talks to a real systemd, as a user's manager: it reads the units of
etc/systemd/ without the settings that need process 1 (User=, the sandbox,
credentials), which test_systemd.py has systemd-analyze read."""
import contextlib
import json
import os
import re
import subprocess

import fcgi
import pytest
import test_log
import test_readme
from gateway import (BUILD, POSTERN, ROOT, SANITIZER_ENVIRONMENT, make_secret,
                     wait_until)
from namespace import Namespace
from redis_server import Server, free_ports

# Commands that another test runs.
IN_OTHER_TESTS = {
    "make install": test_readme.test_install_commands_work,
    # Its ExecReload= is kill -USR1.
    "systemctl reload lighttpd":
        test_log.test_logrotate_loses_no_line_of_the_breakage_log,
}
PROGRAMS = ("login", "query", "logout", "session")

# Settings of a service or socket that a user's manager refuses.
OF_PROCESS_1 = re.compile(
    r"^(DynamicUser|User|Group|SocketUser|SocketGroup|StateDirectory\w*|Protect\w+"
    r"|Private\w+|RestrictSUIDSGID|RestrictAddressFamilies|RestrictNamespaces"
    r"|RemoveIPC|LockPersonality|MemoryDenyWriteExecute|SystemCall\w+"
    r"|CapabilityBoundingSet|NoNewPrivileges|LoadCredential)=.*\n", re.M)


def text_of_guide():
    with open(os.path.join(ROOT, "doc/operations.md"), encoding="utf-8") as file:
        return file.read()


def guide():
    """{heading: its commands in their order}, of the blocks of shell."""
    found, heading = {}, None
    for title, language, block in re.findall(
            r"^#+ ([^\n]*)$|^```(\w*)\n(.*?)^```$", text_of_guide(),
            re.M | re.S):
        if title:
            heading = title
        elif language == "sh":
            found.setdefault(heading, []).extend(
                re.sub(r"\s+", " ", line) for line in
                block.replace("\\\n", " ").splitlines())
        else:
            assert not re.search(r"^(postern|systemctl|sudo) ", block, re.M)
    return found


def redis_settings():
    """The lines for redis.conf."""
    (block,) = re.findall(r"^```conf\n(.*?)^```$", text_of_guide(), re.M | re.S)
    return block


def store_file_settings():
    """The lines of the drop-in, and the variable of commands."""
    (found,) = re.findall(
        r"`(LoadCredential=store:\S+)` and\s+`(Environment=[^`]+)` into a drop-in"
        r"[^`]+`(POSTERN_STORE_FILE=\S+)`", text_of_guide())
    credential, environment, variable = found
    return f"[Service]\n{credential}\n{environment}\n", variable


class Site:
    """A machine with the paths of the guide in a folder of its own: programs that
    systemd starts, their settings, a store."""

    def __init__(self, folder, backend):
        self.folder, self.backend = folder, backend
        self.namespace = Namespace(folder)
        for name in ("bin", "etc", "units", "sockets", "var"):
            (folder / name).mkdir()
        (folder / "var/lib").mkdir(mode=0o700)
        self.write("etc/secret", make_secret())
        self.write("etc/postern.env", f"POSTERN_UPSTREAM={backend.url}\n"
                   "POSTERN_ORIGIN=http://localhost\n"
                   "POSTERN_COOKIE_SECURE=off\n"
                   "POSTERN_COOKIE_NAME=session\n")
        (folder / "bin/postern").symlink_to(POSTERN)
        self.write("bin/systemctl", "#!/bin/sh\n"
                   'exec /bin/systemctl --user --no-pager "$@"\n', 0o755)
        for name in ("postern@.socket", "postern@.service"):
            self.write(f"units/{name}", self.unit(name), 0o644)
        self.variables = {
            "POSTERN_STORE": f"lmdb:{folder}/var/lib",
            "COOKIE_SESSION_SECRET_FILE": f"{folder}/etc/secret",
            **self.namespace.systemd(folder / "units")}

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text, encoding="ascii")
        path.chmod(mode)

    def unit(self, name):
        text = subprocess.run(
            [POSTERN, "config", "systemd", name, "--programs",
             os.path.join(BUILD, "cgi-bin"), "--sockets",
             str(self.folder / "sockets"), "--env",
             str(self.folder / "etc/postern.env")],
            stdout=subprocess.PIPE, check=True, timeout=30,
            env={**SANITIZER_ENVIRONMENT}).stdout.decode()
        return self.adapt(text).replace(
            "[Service]\n",
            f"[Service]\nStandardError=append:{self.folder}/log\n")

    def adapt(self, text):
        """A unit or a drop-in for a user's manager: a credential is its file."""
        for name, path in re.findall(r"^LoadCredential=(\w+):(\S+)$", text, re.M):
            text = text.replace(f"%d/{name}", path)
        text, count = OF_PROCESS_1.subn("", text)
        assert count > 0
        return self.adapt_paths(text)

    def adapt_paths(self, text):
        for old, new in (("/etc/postern/", f"{self.folder}/etc/"),
                         ("lmdb:%S/postern", f"lmdb:{self.folder}/var/lib")):
            text = text.replace(old, new)
        return text

    def share(self, secret, url):
        """Make it one of several machines: with the secret of all, and the URL of
        their store in a file."""
        drop_in, variable = store_file_settings()
        self.write("etc/secret", secret)
        self.write("etc/store", url + "\n", 0o640)
        (self.folder / "units/postern@.service.d").mkdir()
        self.write("units/postern@.service.d/store.conf", self.adapt(drop_in),
                   0o644)
        self.run("systemctl daemon-reload")
        del self.variables["POSTERN_STORE"]
        name, _, path = self.adapt_paths(variable).partition("=")
        self.variables[name] = path

    def run(self, command, *replaced, status=0):
        """Run a command of the guide; gives its output."""
        self.command = command
        for old, new in (
                *replaced,
                (r"runuser -u \S+ -- ", ""),  # who may not read the build
                (r'PATH="\$PATH" ', 'PATH="$PATH" POSTERN_STORE=$POSTERN_STORE '),
                ("http://127.0.0.1:3000/graphql", self.backend.url),
                ("/etc/postern", f"{self.folder}/etc"),
                ("/var/lib/postern", f"{self.folder}/var/lib"),
                ("/var/backups", f"{self.folder}/var")):
            command = re.sub(old, new, command)
        path = f"{self.folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
        return self.namespace.run("bash", "-euc", f"exec 2>&1\n{command}",
                                  status=status, **self.variables,
                                  **{"PATH": path})

    def socket(self, name):
        return str(self.folder / f"sockets/{name}.sock")

    def session(self, cookie):
        """The session that the programs find, or None."""
        answer = fcgi.request(self.socket("session"), HTTP_COOKIE=cookie)
        assert answer.status == 200, answer.text
        return json.loads(answer.text)["data"]["session"]

    def log_in(self, account):
        body = (f'{{"email": "{account.email}", '
                f'"password": "{account.password}"}}').encode()
        answer = fcgi.request(
            self.socket("login"), "POST", body=body,
            CONTENT_TYPE="application/json", HTTP_ORIGIN="http://localhost")
        assert answer.status == 200, answer.text
        (cookie,) = (value.partition(";")[0] for value in
                     answer.all("Set-Cookie") if value.startswith("session="))
        return cookie

    def start(self):
        self.namespace.run(
            f"{self.folder}/bin/systemctl", "start",
            *(f"postern@{name}.socket" for name in PROGRAMS), **self.variables)

    def stop(self):
        self.namespace.run(f"{self.folder}/bin/systemctl", "stop", "postern*",
                           **self.variables)

    def close(self):
        self.stop()
        self.namespace.close()


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory, backend):
    site = Site(tmp_path_factory.mktemp("site"), backend)
    yield site
    site.close()


def of(heading, *wanted):
    """The commands of a section, one for each word that they must begin with."""
    found = [command for command in guide()[heading]
             if command not in IN_OTHER_TESTS]
    assert len(found) == len(wanted), found
    for command, word in zip(found, wanted):
        assert command.startswith(word), (command, word)
    return found


CHECK = "postern check"


def test_operations(site):
    first, second = of("Operations", "runuser", ("env", "runuser"))
    for command in (first, second):
        output = site.run(command)
        assert "the store answers" in output
        assert site.backend.url in output


def test_changing_the_secret(site, user):
    restart, rotate, again, force = of(
        "Changing the secret", "systemctl try-restart", "postern secret --rotate",
        "postern secret --rotate", "postern secret --retire")
    site.start()
    cookie = site.log_in(user)
    path = site.folder / "etc/secret"
    old = path.read_text().split()
    assert "retire the last one after" in site.run(rotate)
    assert path.read_text().split()[1:] == old
    site.run(restart)
    assert site.session(cookie)["subject"] == user.owner
    site.run(again)
    # Retiring asks for --force so soon.
    site.run(force.replace(" --force", ""), status=75)
    site.run(force)
    site.run(force)
    site.run(restart)
    assert site.session(cookie) is None
    assert len(path.read_text().split()) == 1


def test_revoking_sessions(site, user):
    listed, revoke, named = of(
        "Revoking sessions", "postern sessions", "postern revoke --subject",
        "COOKIE_SESSION_SECRET_FILE=/etc/postern/secret postern sessions")
    site.start()
    cookie = site.log_in(user)
    assert user.owner in site.run(listed)
    sealed = site.run(listed, ("^", "unset COOKIE_SESSION_SECRET_FILE; "))
    assert user.owner in sealed and user.email not in sealed
    assert user.email in site.run(named)
    site.run(revoke, ("SUBJECT", user.owner))
    assert site.session(cookie) is None
    assert user.owner not in site.run(listed)


def test_an_account_that_cannot_log_in(site):
    (unlock,) = of("An account that cannot log in", "postern unlock")
    site.run(unlock, status=1)  # there is nothing to free


def test_store_growth(site, user):
    stat, collect = of("LMDB: one machine", "runuser", "postern gc")
    site.start()
    site.log_in(user)
    output = site.run(stat)
    for words in (r"Map size: 268435456$", r"Page size: \d+$",
                  r"Number of pages used: \d+$"):
        assert re.search(words, output, re.M), output
    assert re.search(r"Free pages: \d+", site.run(stat.replace("-e", "-f")))
    assert "records removed" in site.run(collect)


def test_upgrade(site, user):
    check, restart = of("Upgrades", CHECK, "systemctl try-restart")
    site.start()
    cookie = site.log_in(user)
    before = site.run("systemctl show -P MainPID postern@session.service")
    assert site.session(cookie)["subject"] == user.owner
    assert "the store answers" in site.run(check)
    before = site.run("systemctl show -P MainPID postern@session.service")
    site.run(restart)
    assert site.session(cookie)["subject"] == user.owner
    after = site.run("systemctl show -P MainPID postern@session.service")
    assert int(after) not in (0, int(before))


def test_backup_and_restore(site, user):
    *backup, stop, one, two, store, lock, start, check = of(
        "Backup", "install -d", "install -m", "runuser", "systemctl stop", "cp",
        "cp", "runuser", "rm -f", "systemctl start", CHECK)
    site.start()
    revoked, later = site.log_in(user), site.log_in(user)
    assert fcgi.request(site.socket("logout"), "POST", HTTP_COOKIE=revoked,
                        HTTP_ORIGIN="http://localhost").status == 200
    for command in backup:  # while programs use the store
        site.run(command)
    assert os.stat(site.folder / "var/postern").st_mode & 0o777 == 0o700
    assert fcgi.request(site.socket("logout"), "POST", HTTP_COOKIE=later,
                        HTTP_ORIGIN="http://localhost").status == 200
    site.run(stop)
    assert os.listdir(site.folder / "sockets") == []
    for name in ("etc/secret", "etc/postern.env", "var/lib/data.mdb"):
        (site.folder / name).write_bytes(b"")  # lost, but for their names
    for command in (one, two, store, lock, start):
        site.run(command)
    assert "the store answers" in site.run(check)
    assert os.stat(site.folder / "etc/secret").st_mode & 0o777 == 0o600
    assert site.session(revoked) is None
    # As the guide says: what was revoked after the backup is forgotten.
    assert site.session(later)["subject"] == user.owner


@pytest.fixture(name="redis")
def redis_of_the_guide_fixture():
    # With a limit, Postern warns of a policy that evicts.
    redis = Server(free_ports(1)[0], "maxmemory 100mb",
                   persistence=redis_settings())
    yield redis
    redis.close()


@pytest.fixture(name="machines")
def machines_fixture(tmp_path_factory, backend, redis):
    """Two machines that share a Redis and the secret. Their systemds use the same
    control groups: stopping the programs of one stops those of the other."""
    secret, sites = make_secret(), []
    with contextlib.ExitStack() as stack:
        for name in ("first", "second"):
            sites.append(Site(tmp_path_factory.mktemp(name), backend))
            stack.callback(sites[-1].close)
            sites[-1].share(secret, f"redis://127.0.0.1:{redis.port}")
            sites[-1].start()
        yield sites


def test_two_machines(machines, user):
    check, listed = of("Two machines", CHECK, "postern sessions")
    first, second = machines
    cookie = first.log_in(user)
    for site in machines:
        assert "the store answers" in site.run(check)
        # Only the errors and warnings: there are none.
        assert site.run(check, ("$", " >/dev/null")) == ""
    sessions = first.run(listed)
    assert user.owner in sessions and "1 live session\n" in sessions
    assert second.run(listed) == sessions
    assert second.session(cookie)["subject"] == user.owner
    assert fcgi.request(second.socket("logout"), "POST", HTTP_COOKIE=cookie,
                        HTTP_ORIGIN="http://localhost").status == 200
    assert first.session(cookie) is None
    for site in machines:  # nothing went into a store of its own
        assert os.listdir(site.folder / "var/lib") == []


def test_socket_unit_that_failed(site):
    status, check, reset, start = of(
        "A socket unit that failed", "systemctl status", CHECK,
        "systemctl reset-failed", "systemctl start")
    settings = (site.folder / "etc/postern.env").read_text()
    site.stop()
    site.write("etc/postern.env", "POSTERN_UPSTREAM=nowhere\n")
    site.start()
    with pytest.raises(fcgi.IncompleteResponse):
        fcgi.request(site.socket("session"))
    result = "systemctl show -P Result postern@session.socket"
    assert wait_until(
        lambda: site.run(result) == "service-start-limit-hit\n")
    assert not os.path.exists(site.socket("session"))
    assert site.run("systemctl show -P ExecMainStatus "
                    "postern@session.service") == "78\n"
    output = site.run(status, status=3)
    assert "(Result: service-start-limit-hit)" in output
    assert "POSTERN_UPSTREAM" in site.run(check, status=78)
    site.write("etc/postern.env", settings)
    # It does not come back by itself.
    assert site.run(result) == "service-start-limit-hit\n"
    site.run(reset)
    site.run(start)
    assert fcgi.request(site.socket("session")).status == 200
    assert site.run(result) == "success\n"


def test_every_section_with_commands_has_a_test():
    """of() compares the commands of a section; these are the sections."""
    assert set(guide()) == {
        "Operations", "Changing the secret", "Revoking sessions",
        "An account that cannot log in", "LMDB: one machine", "Upgrades",
        "Backup", "Two machines", "A socket unit that failed"}
    commands = {command for found in guide().values() for command in found}
    assert set(IN_OTHER_TESTS) <= commands  # none is out of date
