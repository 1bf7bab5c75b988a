# SPDX-License-Identifier: ISC
"""`postern check` tries what the programs need from this machine, as the user
it runs as, and says what is wrong and what to do."""
import email.utils
import http.server
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest
from gateway import POSTERN, SANITIZER_ENVIRONMENT, closed_port, make_secret

NOBODY = 65534
MAKE_IT = ("make it for the programs' user "
           "(install -d -m 700 -o USER FOLDER)")


def can_run_as_nobody():
    """Only root can, and only a build in a folder that others may enter."""
    try:
        return subprocess.run([POSTERN, "version"], stdout=subprocess.DEVNULL,
                              user=NOBODY, group=NOBODY, extra_groups=[],
                              check=False, timeout=30).returncode == 0
    except OSError:
        return False


needs_root = pytest.mark.skipif(not can_run_as_nobody(),
                                reason="needs another user")


@pytest.fixture(name="graphql", scope="module")
def graphql_fixture():
    """A backend that refuses every login. `date` is its Date header."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps({"errors": [{
                "message": "unknown operation" if "operationName" in body
                else "wrong password", "path": ["login"]}]}).encode()
            self.send_response_only(200)
            if self.server.date:
                self.send_header("Date", self.server.date)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.date = None
    server.url = f"http://127.0.0.1:{server.server_port}/graphql"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(name="folder")
def folder_fixture():
    """A folder that other users may enter."""
    path = tempfile.mkdtemp(prefix="postern-check-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def postern(*arguments, user=None, **variables):
    return subprocess.run(
        [POSTERN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=60, check=False, user=user, group=user,
        extra_groups=None if user is None else [], cwd="/",
        env={**SANITIZER_ENVIRONMENT, **variables})


def check(graphql, *arguments, user=None, **variables):
    done = postern("check", *arguments, user=user, **{
        "COOKIE_SESSION_SECRET": make_secret().strip(),
        "POSTERN_UPSTREAM": graphql.url, "POSTERN_STORE": "none", **variables})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_messages_in_a_pipe_come_in_their_order(folder):
    """`postern check 2>&1 | less` shows what is wrong after the variables."""
    done = subprocess.run(
        [POSTERN, "check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=60, check=False, cwd="/", env={
            **SANITIZER_ENVIRONMENT, "POSTERN_STORE": "none",
            "COOKIE_SESSION_SECRET": make_secret().strip(),
            "POSTERN_LOG": f"{folder}/none/log",
            "POSTERN_UPSTREAM": f"http://127.0.0.1:{closed_port()}/"})
    lines = [line.split()[0] for line in done.stdout.decode().splitlines()]
    assert lines.index("POSTERN_LOG:") > lines.index("POSTERN_LOG_FORMAT")
    assert lines[-1] == "POSTERN_UPSTREAM:", lines


def test_no_sandbox(graphql):
    assert "POSTERN_SANDBOX" not in check(graphql)[2]
    status, _, errors = check(graphql, POSTERN_SANDBOX="off")
    assert (status, errors) == (0, (
        "warning: POSTERN_SANDBOX: is off: somebody who takes over a program "
        "can use all files and networks that its user can\n"))


# --- log, sockets, store -----------------------------------------------------


def test_log_that_can_be_written(graphql, folder):
    """Nothing is made: a file of root's would be of no use to the programs."""
    path = os.path.join(folder, "log")
    status, out, err = check(graphql, POSTERN_LOG=path)
    assert (status, err) == (0, "") and "the log can be written\n" in out
    assert not os.path.exists(path)
    with open(path, "w", encoding="ascii") as file:
        file.write("line\n")
    assert check(graphql, POSTERN_LOG=path)[::2] == (0, "")
    assert os.path.getsize(path) == 5


@pytest.mark.parametrize("path, words", [
    ("missing/deeper/log", "POSTERN_LOG: the folder {}/missing is missing: "
     + MAKE_IT),
    ("file/log", "POSTERN_LOG: {}/file is not a folder"),
    ("", "POSTERN_LOG: {}/ is a folder")])
def test_log_that_cannot_be_written(graphql, folder, path, words):
    with open(os.path.join(folder, "file"), "w", encoding="ascii"):
        pass
    status, _, err = check(graphql, POSTERN_LOG=f"{folder}/{path}")
    assert status == 78 and err == words.format(folder) + "\n", err


@needs_root
@pytest.mark.parametrize("name, mode, words", [
    ("log", 0o755, "{}/log belongs to the user root (mode 0644), and nobody may "
                   "not write there: run this as the user of the programs"),
    ("new", 0o755, "{} belongs to the user root (mode 0755), and nobody may not "
                   "write there"),
    ("in/log", 0o700, "the folder {}/in cannot be entered"),
    ("none/log", 0o755, "the folder {}/none is missing")])
def test_log_of_another_user(graphql, folder, name, mode, words):
    """The missing folder is missing, also for a user who may not make it."""
    os.mkdir(os.path.join(folder, "in"), mode)
    with open(os.path.join(folder, "log"), "w", encoding="ascii"):
        os.chmod(os.path.join(folder, "log"), 0o644)
    status, _, err = check(graphql, user=NOBODY, POSTERN_LOG=f"{folder}/{name}")
    assert status == 78 and words.format(folder) in err, err


@needs_root
def test_sockets_folder(graphql, folder):
    status, out, err = check(graphql, "--sockets", folder)
    assert (status, err) == (0, "") and "sockets can be made\n" in out
    assert os.listdir(folder) == []
    status, _, err = check(graphql, "--sockets", folder, user=NOBODY)
    assert status == 78 and err.startswith(
        f"--sockets: {folder} belongs to the user root"), err
    status, _, err = check(graphql, "--sockets", folder + "/none")
    assert status == 78 and err == (
        f"--sockets: the folder {folder}/none is missing: {MAKE_IT}\n")
    os.chmod(folder, 0o777)
    status, _, err = check(graphql, "--sockets", folder)
    assert status == 0 and err.startswith("warning: --sockets: everybody")
    long = os.path.join(folder, "x" * 80)
    os.mkdir(long)
    status, _, err = check(graphql, "--sockets", long)
    assert status == 78 and "shorter than 108" in err
    for arguments in (["--sockets"], ["x"], ["--sockets", "a", "b"]):
        assert check(graphql, *arguments)[0] == 64


STORE_COMMANDS = [["check"], ["sessions"], ["gc"], ["unlock", "a"],
                  ["revoke", "--subject", "a"], ["whoami"]]


@needs_root
@pytest.mark.parametrize("arguments", STORE_COMMANDS, ids=" ".join)
def test_root_makes_no_store(graphql, folder, arguments):
    """The programs, as another user, could not open it."""
    store = os.path.join(folder, "store")
    done = postern(*arguments, COOKIE_SESSION_SECRET=make_secret().strip(),
                   POSTERN_UPSTREAM=graphql.url, POSTERN_STORE=f"lmdb:{store}")
    assert done.returncode == (1 if arguments == ["whoami"] else 69), done
    assert f"the folder {store} is missing".encode() in done.stderr
    assert b"install -d -m 700 -o USER" in done.stderr
    assert b"install -d -m 2770 -o USER -g GROUP" in done.stderr
    assert os.listdir(folder) == []


@needs_root
@pytest.mark.parametrize("arguments", STORE_COMMANDS, ids=" ".join)
def test_store_of_another_user(graphql, folder, arguments):
    store = os.path.join(folder, "store")
    os.mkdir(store, 0o700)
    variables = {"COOKIE_SESSION_SECRET": make_secret().strip(),
                 "POSTERN_UPSTREAM": graphql.url,
                 "POSTERN_STORE": f"lmdb:{store}"}
    done = postern(*arguments, user=NOBODY, **variables)
    assert done.returncode == (1 if arguments == ["whoami"] else 69), done
    assert (f"the folder {store} belongs to the user root, and this is nobody"
            ).encode() in done.stderr
    # The programs' own user makes the folder.
    os.rmdir(store)
    os.chown(folder, NOBODY, NOBODY)
    variables["POSTERN_STORE"] += "/"
    done = postern(*arguments, user=NOBODY, **variables)
    assert done.returncode in (0, 1) and os.stat(store).st_uid == NOBODY, done


@needs_root
@pytest.mark.parametrize("mode", [0o700, 0o2770])
@pytest.mark.parametrize("arguments", STORE_COMMANDS, ids=" ".join)
def test_root_becomes_the_owner_of_the_store(graphql, folder, arguments, mode):
    """So the files are the owner's, and a link leads to no file of root."""
    store = os.path.join(folder, "store")
    os.mkdir(store)
    os.chown(store, NOBODY, NOBODY)
    os.chmod(store, mode)
    variables = {"COOKIE_SESSION_SECRET": make_secret().strip(),
                 "POSTERN_UPSTREAM": graphql.url,
                 "POSTERN_STORE": f"lmdb:{store}"}
    roots = os.path.join(folder, "roots")
    with open(roots, "wb") as file:
        os.chmod(roots, 0o600)
        file.write(b"R" * 300)
    for name in ("lock.mdb", "data.mdb"):
        link = os.path.join(store, name)
        os.symlink(roots, link)
        done = postern(*arguments, **variables)
        assert done.returncode == (1 if arguments == ["whoami"] else 69), done
        os.unlink(link)
        with open(roots, "rb") as file:
            assert file.read() == b"R" * 300
        found = os.stat(roots)
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o600, 0)
    done = postern(*arguments, **variables)
    assert done.returncode in (0, 1), done
    assert b"tore" not in done.stderr, done
    files = [os.stat(os.path.join(store, name)) for name in os.listdir(store)]
    assert len(files) >= 2
    for found in files:
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (
            mode & 0o660, NOBODY, NOBODY)


@needs_root
@pytest.mark.parametrize("arguments", STORE_COMMANDS, ids=" ".join)
def test_root_opens_no_store_of_its_own_that_a_group_shares(graphql, folder,
                                                            arguments):
    store = os.path.join(folder, "store")
    os.mkdir(store)
    os.chown(store, 0, NOBODY)
    os.chmod(store, 0o2770)
    variables = {"COOKIE_SESSION_SECRET": make_secret().strip(),
                 "POSTERN_UPSTREAM": graphql.url,
                 "POSTERN_STORE": f"lmdb:{store}"}
    done = postern(*arguments, **variables)
    assert done.returncode == (1 if arguments == ["whoami"] else 69), done
    assert (f"the folder {store} belongs to root, who does not open a store "
            "that others may write to: chown it").encode() in done.stderr
    assert os.listdir(store) == []
    done = postern(*arguments, user=NOBODY, **variables)
    assert done.returncode in (0, 1) and len(os.listdir(store)) >= 2, done


@needs_root
@pytest.mark.parametrize("path, words", [
    ("none/x.sock", "{}/none/x.sock is missing: start the server that listens"),
    ("x.sock", "{}/x.sock is missing: start the server that listens there"),
    ("file", "{}/file is not a socket"),
    ("in/x.sock", "the folder {}/in cannot be entered"),
    ("live", "{}/live belongs to the user root (mode 0700)")])
def test_unix_socket_of_backend_or_store(graphql, folder, path, words):
    """"Permission denied" does not say what is missing."""
    os.mkdir(os.path.join(folder, "in"), 0o700)
    with open(os.path.join(folder, "file"), "w", encoding="ascii"):
        pass
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(os.path.join(folder, "live"))
        os.chmod(os.path.join(folder, "live"), 0o700)
        status, _, err = check(graphql, user=NOBODY,
                               POSTERN_UPSTREAM=f"unix:{folder}/{path}:/g")
        assert status == 69
        assert err.startswith("POSTERN_UPSTREAM: " + words.format(folder)), err
        status, _, err = check(graphql, user=NOBODY,
                               POSTERN_STORE=f"unix:{folder}/{path}")
        assert status == 69
        assert err.startswith("POSTERN_STORE: " + words.format(folder)), err


def test_secret_that_is_missing_is_named(graphql):
    for path, words in (
            ("/etc/postern/secret-x", "/etc/postern/secret-x cannot be read"),
            ("/no/" + "x" * 40, "the file cannot be read")):
        status, _, err = check(graphql, COOKIE_SESSION_SECRET="",
                               COOKIE_SESSION_SECRET_FILE=path)
        assert status == 78
        assert err.startswith(f"COOKIE_SESSION_SECRET_FILE: {words}"), err


# --- settings that are probably not meant ------------------------------------

SECURE = "warning: POSTERN_ORIGIN: is http://shop.example, and POSTERN_COOKIE_SECURE is on"
UNKNOWN = ("warning: COOKIE_SESSION_SECRETS: is unknown: did you mean "
           "COOKIE_SESSION_SECRET or COOKIE_SESSION_SECRET_FILE?")


@pytest.mark.parametrize("variables, warning", [
    ({}, None),
    ({"POSTERN_ORIGIN": "https://shop.example",
      "POSTERN_TRUSTED_PROXIES": "10.0.0.0/8"}, None),
    ({"POSTERN_ORIGIN": "http://shop.example"}, SECURE),
    ({"POSTERN_ORIGIN": "http://shop.example",
      "POSTERN_COOKIE_SECURE": "off"}, None),
    ({"POSTERN_ORIGIN": "http://shop.example",
      "POSTERN_TOKEN_METHOD": "bearer"}, None),
    ({"POSTERN_ORIGIN": "http://localhost"}, None),
    ({"POSTERN_ORIGIN": "http://127.0.0.1:8080"}, None),
    ({"POSTERN_ORIGIN": "http://localhost.example"},
     "warning: POSTERN_ORIGIN: is http://localhost.example"),
    ({"POSTERN_TRUSTED_PROXIES": "10.0.0.0/8"},
     "warning: POSTERN_ORIGIN: is not set, but POSTERN_TRUSTED_PROXIES is"),
    ({"COOKIE_SESSION_SECRETS": "x"}, UNKNOWN),
    ({"COOKIE_SESSIONS": "x"}, None)])
def test_warning_of_a_setting(graphql, variables, warning):
    """A warning does not change the exit status."""
    status, out, err = check(graphql, **variables)
    assert status == 0, err
    assert err.startswith(warning) if warning else err == "", err
    assert err.count("\n") == (1 if warning else 0)
    assert ("Safari does not" in out) == (
        variables.get("POSTERN_ORIGIN", "").partition("://")[2].split(":")[0]
        in ("localhost", "127.0.0.1"))


@pytest.mark.parametrize("variables, named", [
    ({}, None), ({"POSTERN_COOKIE_SECURE": "off"}, None),
    ({"POSTERN_COOKIE_DOMAIN": "shop.example"}, "POSTERN_COOKIE_DOMAIN"),
    ({"POSTERN_COOKIE_PATH": "/shop"}, "POSTERN_COOKIE_PATH"),
    ({"POSTERN_COOKIE_PARTITIONED": "on", "POSTERN_COOKIE_SAMESITE": "None"},
     "POSTERN_COOKIE_PARTITIONED"),
    ({"POSTERN_COOKIE_PATH": "/shop", "POSTERN_TOKEN_METHOD": "bearer"}, None)])
def test_older_cookies_of_the_same_name(graphql, tmp_path, variables, named):
    """U32: without a store nothing ends them, so this is a warning. That a
    store ends them, test_page.py shows."""
    status, _, err = check(graphql, **variables)
    assert status == 0
    assert re.findall("^warning: ([A-Z_]+): is set, and there is no store", err,
                      re.M) == ([named] if named else [])
    assert err.count("\n") == (1 if named else 0)
    variables = {"POSTERN_STORE": f"lmdb:{tmp_path}", **variables}
    status, out, err = check(graphql, **variables)
    assert (status, err) == (0, "")
    assert re.findall("^if ([A-Z_]+) was changed .* an older cookie", out,
                      re.M) == ([named] if named else [])


@pytest.mark.parametrize("offset, words", [
    (0, ""), (-50, ""), (50, ""), (None, ""),
    (-120, "differ by 1"), (3600, "differ by 3")])
def test_clocks_are_compared(graphql, offset, words):
    graphql.date = None if offset is None else email.utils.formatdate(
        time.time() + offset, usegmt=True)
    try:
        status, _, err = check(graphql)
    finally:
        graphql.date = None
    assert status == 0
    assert words in err if words else err == "", err


# --- a site without https ----------------------------------------------------


def test_login_form_over_http_says_so(start_own, user):
    """Browsers drop the Secure cookie without a word. The log says so once."""
    text = "because this page did not come over https"
    site = start_own(POSTERN_ORIGIN="http://shop.example")
    browser = [("User-Agent", "Mozilla/5.0 Firefox/140.0")]
    for _ in range(3):
        assert text in site.get("/login", headers=browser).text
    assert site.log_in(user).status == 200
    assert site.log.count("event=secure-cookie-dropped") == 1
    for variables, headers in (
            ({"POSTERN_ORIGIN": "https://shop.example"}, browser),
            ({"POSTERN_ORIGIN": "http://localhost"}, browser),
            ({"POSTERN_ORIGIN": "http://shop.example"},
             [*browser, ("Sec-Fetch-Site", "none")]),
            ({"POSTERN_ORIGIN": "http://shop.example",
              "POSTERN_COOKIE_SECURE": "off"}, browser)):
        site = start_own(**variables)
        assert text not in site.get("/login", headers=headers).text
        assert "secure-cookie-dropped" not in site.log
    safari = [("User-Agent", "Mozilla/5.0 Version/18.0 Safari/605.1.15")]
    site = start_own(POSTERN_ORIGIN="http://localhost")
    assert text in site.get("/login", headers=safari).text
