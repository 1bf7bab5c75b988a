# SPDX-License-Identifier: ISC
"""Faults of everything around the programs but the backend (test_faults.py): the
client, the web server, disks, descriptors, the clock, the store. What the client
sees and what the log says is in the second table of doc/operations.md, "Faults";
every row there has a test here."""

import asyncio
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import threading
import time

import fcgi
import gateway as gateways
import http_client
import pytest
import servers
from faulty_backend import OK, FaultyBackend, hang
from gateway import BUILD, COOKIE, wait_until
from namespace import Namespace
from redis_server import Redis
from test_faults import LONG, PROGRAMS, WHO, lines_of, read_table
# pylint: disable-next=unused-import
from test_redis import servers_fixture, start_sentinels
from test_serve import Program

ROWS = read_table("other faults")
STORE_DOWN = (503, "STORE_UNAVAILABLE")
LENGTH_CHECK_EACH = 1.1  # seconds
FORBIDDEN = (403, "STORE_UNAVAILABLE")  # of authorize
NAMES = (*PROGRAMS, "authorize")
PAGE = 4096


@pytest.fixture(name="faulty", scope="module")
def faulty_fixture():
    faulty = FaultyBackend()
    yield faulty
    faulty.close()


def check_row(name, answers, words):
    """What was seen is what the row says: (status, code) of answers, and events
    and causes of the log."""
    client, log = ROWS[name]
    assert {f"{status} `{code}`" for status, code in answers} == set(
        re.findall(r"\d{3} `[A-Z_]+`", client))
    assert set(words) == set(re.findall(r"`([a-z-]+|PST_[A-Z_]+)`", log))


def test_every_row_has_a_test():
    with open(__file__, encoding="utf-8") as file:
        names = re.findall(r'check_row\(\s*"([^"]+)"', file.read())
    assert set(names) == set(ROWS)


# Programs without a web server ---------------------------------------------------


class Own:
    """Programs on sockets of their own: start(name), ask(name, …)."""

    def __init__(self, folder, backend, enter=(), **variables):
        self.folder, self.enter = str(folder), list(enter)
        self.variables = {
            "COOKIE_SESSION_SECRET": os.urandom(32).hex(),
            "POSTERN_UPSTREAM": backend.url, "POSTERN_LOOPS": "1",
            "POSTERN_LOGIN_FLOOR": "0", "POSTERN_LOGIN_PER_ADDRESS": "off",
            "POSTERN_LOGIN_PER_ACCOUNT": "off", **variables}
        self.programs, self.paths = {}, {}

    def start(self, name, **variables):
        path = os.path.join(self.folder, f"{name}-{os.urandom(3).hex()}")
        program = Program(
            command=[*self.enter, os.path.join(BUILD, "cgi-bin", name),
                     "--listen", "unix:" + path],
            **{**self.variables, **variables})
        self.programs[name], self.paths[name] = program, path
        return program

    def start_all(self):
        for name in NAMES:
            self.start(name)
        return self

    def ask(self, name, method="POST", body=b"", cookie=None, **more):
        if body:
            more["CONTENT_TYPE"] = "application/json"
        if cookie:
            more["HTTP_COOKIE"] = f"{COOKIE}={cookie}"
        return fcgi.request(self.paths[name], method, body=body, **more)

    def log_in(self):
        return self.ask("login", body=json.dumps(WHO).encode())

    def cookie(self):
        answer = self.log_in()
        assert answer.status == 200, answer.stdout
        return cookie_of(answer)

    def query(self, cookie):
        return self.ask("query", body=b'{"query":"{ me { email } }"}',
                        cookie=cookie)

    def session(self, cookie):
        answer = self.ask("session", "GET", cookie=cookie)
        assert answer.status == 200, answer.stdout
        return json.loads(answer.body)["data"]["session"]

    def authorize(self, cookie):
        return self.ask("authorize", "GET", cookie=cookie)

    def log(self, name):
        return self.programs[name].log

    def stop(self):
        for program in self.programs.values():
            if program.process.poll() is None:
                assert program.stop() == 0, program.log
            assert "PST_REQUIRE" not in program.log
            assert "Sanitizer" not in program.log


def cookie_of(answer):
    value, = [value for value in answer.all("Set-Cookie")
              if value.startswith(COOKIE + "=") and "Max-Age=0" not in value]
    return value.partition("=")[2].partition(";")[0]


def code_of(answer):
    return answer.status, json.loads(answer.body)["errors"][0][
        "extensions"]["code"]


@pytest.fixture(name="own")
def own_fixture(tmp_path, faulty):
    """own(NAME=value…) gives the programs, not yet started."""
    made = []

    def make(enter=(), **variables):
        variables.setdefault("POSTERN_STORE", f"lmdb:{tmp_path}/store")
        made.append(Own(tmp_path, faulty, enter, **variables))
        return made[-1]

    yield make
    for one in made:
        one.stop()


# Disks ---------------------------------------------------------------------------


class Disk:
    """A small file system of a test's own."""

    def __init__(self, folder):
        self.namespace = Namespace(folder)
        self.path = str(folder / "disk")
        os.mkdir(self.path)
        self.namespace.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700",
                           "none", self.path)
        self.seen = f"/proc/{self.namespace.holder.pid}/root{self.path}"

    def fill(self):
        with open(self.seen + "/fill", "wb", 0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def free(self):
        os.unlink(self.seen + "/fill")


@pytest.fixture(name="disk")
def disk_fixture(tmp_path):
    disk = Disk(tmp_path)
    yield disk
    disk.namespace.close()


def assert_goes_on(programs, cookie):
    assert programs.session(cookie)
    assert programs.query(cookie).status == 200
    assert programs.authorize(cookie).status == 200


def store_down_of(programs, name):
    """The last line about the store."""
    line = lines_of(programs.log(name), event="store-down")[-1]
    assert line["level"] == "error" and line["request"], line
    return line


def test_disk_of_the_store_is_full(own, disk):
    """Sessions go on, and logins and logouts as long as the file has free
    pages."""
    programs = own(disk.namespace.enter,
                   POSTERN_STORE=f"lmdb:{disk.path}/store").start_all()
    cookies = [programs.cookie() for _ in range(2)]
    others = [programs.cookie() for _ in range(60)]
    disk.fill()
    answer = programs.log_in()
    for _ in range(1000):
        if answer.status != 200:
            break
        answer = programs.log_in()
    for cookie in others:
        logout = programs.ask("logout", cookie=cookie)
        if logout.status != 200:
            break
    assert not answer.all("Set-Cookie")
    assert COOKIE + "=;" in logout.all("Set-Cookie")[0]
    for name in ("login", "logout"):  # LMDB says EIO of a short write
        assert store_down_of(programs, name)["reason"].endswith(
            ("No space left on device", "Input/output error"))
    for cookie in cookies:
        assert_goes_on(programs, cookie)
    check_row("the disk of the LMDB store is full",
              [code_of(answer), code_of(logout)], ["store-down"])
    disk.free()
    assert programs.session(programs.cookie())
    assert programs.ask("logout", cookie=cookies[0]).status == 200
    assert programs.session(cookies[0]) is None


@pytest.mark.parametrize("is_new", [True, False])
def test_program_starts_on_a_full_disk(own, disk, is_new):
    """LMDB maps its lock file, which is a hole at first. Writing into it would
    be a SIGBUS."""
    os.mkdir(disk.seen + "/store", 0o700)
    programs = own(disk.namespace.enter,
                   POSTERN_STORE=f"lmdb:{disk.path}/store")
    if not is_new:  # but its lock file has no pages
        programs.start("login").stop()
        size = os.path.getsize(disk.seen + "/store/lock.mdb")
        os.truncate(disk.seen + "/store/lock.mdb", 0)
        os.truncate(disk.seen + "/store/lock.mdb", size)
    disk.fill()
    program = programs.start("login")
    for _ in range(3):
        answer = programs.log_in()
        assert code_of(answer) == STORE_DOWN
    assert "No space left on device" in store_down_of(
        programs, "login")["reason"]
    assert program.process.poll() is None
    disk.free()
    assert wait_until(lambda: programs.log_in().status == 200)


def test_disk_of_the_log_is_full(own, disk):
    programs = own(disk.namespace.enter, POSTERN_LOG=f"{disk.path}/log")
    for name in PROGRAMS:
        programs.start(name, wait=False)
    assert wait_until(lambda: all(map(os.path.exists, programs.paths.values())))
    cookie = programs.cookie()
    disk.fill()
    for _ in range(100):  # beyond what the last page has room for
        assert programs.session(cookie)
    assert programs.query(cookie).status == 200
    other = programs.cookie()
    assert programs.ask("logout", cookie=other).status == 200
    disk.free()
    assert programs.session(other) is None
    with open(disk.seen + "/log", encoding="utf-8") as file:
        log = file.read()
    lost, = lines_of(log, event="log-lines-lost", program="session")
    assert lost["level"] == "warning" and int(lost["count"]) > 0
    refused, = lines_of(log, event="token-refused")
    assert refused["cause"] == "PST_REVOKED"
    check_row("the disk of the log is full", [], ["log-lines-lost"])


# The clock -----------------------------------------------------------------------

CLOCK = """
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile long *offset;

__attribute__((constructor)) static void
map_offset(void)
{
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);

    offset = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, file, 0);
    close(file);
}

time_t
time(time_t *out)
{
    time_t now = syscall(SYS_time, NULL) + *offset;

    if (out)
        *out = now;
    return now;
}
"""


class Clock:
    """Seconds by which the wall clock of programs is ahead of this machine's."""

    def __init__(self, folder):
        source, library = folder / "clock.c", folder / "clock.so"
        source.write_text(CLOCK, encoding="ascii")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source],
                       check=True, timeout=60)
        self.file = folder / "offset"
        self.set(0)
        self.variables = {"LD_PRELOAD": str(library),
                          "CLOCK_OFFSET": str(self.file)}

    def set(self, seconds):
        with open(self.file, "r+b" if self.file.exists() else "wb", 0) as file:
            file.write(struct.pack("l", seconds))


HOUR = 3600


@pytest.mark.uninstrumented  # a sanitizer must be the first library
def test_clock_that_moves(own, tmp_path):
    clock = Clock(tmp_path)
    programs = own(**clock.variables).start_all()
    cookie, ended = programs.cookie(), programs.cookie()
    assert programs.ask("logout", cookie=ended).status == 200
    for offset, is_valid in ((HOUR // 4, True), (-50, True), (11 * HOUR, False),
                             (-2 * HOUR, False), (0, True)):
        clock.set(offset)
        begin = len(programs.log("session"))
        assert bool(programs.session(cookie)) == is_valid, offset
        assert programs.authorize(cookie).status == (
            200 if is_valid else 401), offset
        lines = lines_of(programs.log("session")[begin:],
                         event="token-refused")
        assert len(lines) == (not is_valid)
        if lines:
            check_row("the clock jumps",
                      [], [lines[0]["event"], lines[0]["cause"]])
        assert programs.session(ended) is None
        # Who logs in meanwhile has a session.
        another = programs.cookie()
        assert programs.session(another)
        assert programs.query(another).status == 200
        assert programs.ask("logout", cookie=another).status == 200
        assert programs.session(another) is None
    assert programs.query(cookie).status == 200


# Descriptors ---------------------------------------------------------------------


def test_no_descriptor_is_left(own):
    """accept(2) succeeds, and socket(2) for the backend does not."""
    programs = own().start_all()
    cookie = programs.cookie()
    fresh = own(**programs.variables)  # without connections to the backend
    answers = {}
    for name, act in (("login", fresh.log_in),
                      ("query", lambda: fresh.query(cookie)),
                      ("logout", lambda: fresh.ask("logout", cookie=cookie))):
        program = fresh.start(name)
        with fcgi.Connection(fresh.paths[name]) as connection:
            connection.request(fcgi.params("HEAD"))
            assert connection.is_closed()
        pid, count = program.process.pid, program.descriptors()
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        taken = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
        free = min(set(range(1000)) - taken)
        limit = next(n for n in range(free + 1, 1001) if n not in taken)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
        try:
            answers[name] = act()
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        full, = lines_of(program.log, event="connections-full")
        failed, = lines_of(program.log, event="backend-failed")
        assert (full["level"], failed["level"]) == ("warning", "warning")
        assert failed["reason"] == "Too many open files"
        assert act().status == 200
        assert wait_until(lambda: program.descriptors() <= count + 1)
    assert answers.pop("logout").status == 200
    assert programs.session(cookie) is None
    check_row("a program has no descriptor left",
              map(code_of, answers.values()),
              [full["event"], failed["event"], failed["cause"]])


# The store -----------------------------------------------------------------------


def ask_all(programs, cookie):
    return [programs.log_in(), programs.query(cookie),
            programs.ask("session", "GET", cookie=cookie),
            programs.authorize(cookie), programs.ask("logout", cookie=cookie)]


def assert_nobody_gets_in(answers):
    """What ask_all() gets while nothing can be read."""
    assert [code_of(answer) for answer in answers] == [
        STORE_DOWN, STORE_DOWN, STORE_DOWN, FORBIDDEN, STORE_DOWN]


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_redis_is_gone(own, how):
    redis = Redis()
    try:
        programs = own(POSTERN_STORE=redis.url).start_all()
        cookie = programs.cookie()
        if how == "killed":
            redis.kill()
        else:
            redis.pause()
        answers = ask_all(programs, cookie)
        assert_nobody_gets_in(answers)
        lines = [store_down_of(programs, name) for name in NAMES]
        assert all(redis.path in line["reason"] for line in lines)
        check_row("Redis is gone, or does not answer within a second",
                  map(code_of, answers), {line["event"] for line in lines})
        if how == "killed":
            redis.start()
        else:
            redis.resume()
        assert wait_until(lambda: all(
            answer.status in (200, 401)  # it has ended
            for answer in ask_all(programs, cookie)))
        assert [answer.status for answer in ask_all(
            programs, programs.cookie())] == [200] * 5
    finally:
        redis.close()


def test_authorize_within_the_grace(own):
    """A store that does not answer means no, but for POSTERN_STORE_GRACE: then a
    session that was confirmed to authorize passes."""
    redis = Redis()
    try:
        programs = own(POSTERN_STORE=redis.url, POSTERN_STORE_GRACE="2s")
        programs.start_all()
        cookie, unseen, ended = (programs.cookie() for _ in range(3))
        assert programs.authorize(ended).status == 200
        assert programs.ask("logout", cookie=ended).status == 200
        assert programs.authorize(ended).status != 200
        assert programs.authorize(cookie).status == 200
        redis.kill()
        assert programs.authorize(cookie).status == 200
        for other in (unseen, ended):
            assert code_of(programs.authorize(other)) == FORBIDDEN
        assert wait_until(
            lambda: programs.authorize(cookie).status != 200, 10)
        for _ in range(5):
            assert code_of(programs.authorize(cookie)) == FORBIDDEN
        redis.start()
        assert wait_until(lambda: programs.authorize(cookie).status == 200)
    finally:
        redis.close()


# A damaged store -----------------------------------------------------------------


def overwrite(path, kinds, content):
    """Overwrite the pages of these kinds: the flags in the head of a page, which
    are 1 of a branch, 2 of a leaf and 8 of a meta page."""
    with open(path, "r+b", 0) as file:
        data = file.read()
        for at in range(0, len(data), PAGE):
            if struct.unpack_from("<H", data, at + 10)[0] in kinds:
                file.seek(at)
                file.write(content())


DAMAGE = {
    "the head is empty": lambda path: overwrite(path, {8}, lambda: bytes(PAGE)),
    "the head is of ones": lambda path: overwrite(
        path, {8}, lambda: b"\xff" * PAGE),
    "all is random": lambda path: overwrite(
        path, range(1 << 16), lambda: os.urandom(PAGE)),
    "the leaves are empty": lambda path: overwrite(
        path, {2}, lambda: bytes(PAGE)),
    "cut within the head": lambda path: os.truncate(path, 100),
    "cut behind the first page": lambda path: os.truncate(path, PAGE),
    "cut behind the head": lambda path: os.truncate(path, 2 * PAGE),
}


class Damaged:
    """A store with some pages, whose programs have run; a session that lives and
    one that has ended."""

    def __init__(self, own, folder):
        self.own, self.path = own, folder / "store/data.mdb"
        self.programs = own().start_all()
        cookies = [self.programs.cookie() for _ in range(80)]
        for cookie in cookies[:40]:
            assert self.programs.ask("logout", cookie=cookie).status == 200
        self.ended, self.live = cookies[20], cookies[60]
        assert self.programs.authorize(self.live).status == 200

    def stop(self):
        self.programs.stop()
        self.good = self.path.read_bytes()

    def start(self, wait=True):
        self.programs = self.own(**self.programs.variables)
        for name in NAMES:
            self.programs.start(name, wait=wait)

    def check_restored(self):
        self.path.write_bytes(self.good)
        self.start()
        assert self.programs.authorize(self.ended).status == 401
        assert [answer.status for answer in ask_all(
            self.programs, self.live)] == [200] * 5


@pytest.fixture(name="damaged")
def damaged_fixture(own, tmp_path):
    return Damaged(own, tmp_path)


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_store(damaged, name, is_running):
    """No program ends, as it would by SIGBUS where the file has no page. One that
    runs checks the length once in a second."""
    damaged.stop()
    if is_running:
        damaged.start()
        assert damaged.programs.authorize(damaged.live).status == 200
        time.sleep(LENGTH_CHECK_EACH)
    DAMAGE[name](damaged.path)
    if not is_running:
        damaged.start()
    programs = damaged.programs
    for _ in range(2):
        assert code_of(programs.authorize(damaged.ended)) == FORBIDDEN
        answers = ask_all(programs, damaged.live)
        assert_nobody_gets_in(answers)
    lines = [store_down_of(programs, name) for name in NAMES]
    assert all("data.mdb is damaged" in line["reason"] for line in lines), lines
    check_row("the file of the LMDB store is damaged",
              map(code_of, answers), {line["event"] for line in lines})
    programs.stop()
    damaged.check_restored()


def status_of(act):
    """None if the program has ended."""
    try:
        return act().status
    except (OSError, fcgi.IncompleteResponse):
        return None


def end_all(programs):
    """Returns the logs of those that a signal has ended."""
    logs = {}
    for program in programs.programs.values():
        if program.process.poll() is None:
            program.process.terminate()
        status = program.process.wait(60)
        if status:
            logs.setdefault(status, []).append(program.log)
    programs.programs.clear()
    return logs


@pytest.mark.parametrize("is_running", [True, False])
def test_store_that_was_cut_short(damaged, is_running):
    """What is in the rest of the file can be used. LMDB may end a program that
    writes, but a read beyond the end does not."""
    damaged.stop()
    size = len(damaged.good)
    for length in range(3 * PAGE, size, size // 5 // PAGE * PAGE + 100):
        damaged.path.write_bytes(damaged.good)
        if is_running:
            damaged.start()
        os.truncate(damaged.path, length)
        if not is_running:
            damaged.start()
        programs = damaged.programs
        for cookie in (damaged.ended, damaged.live):
            for answer in (programs.authorize(cookie), programs.query(cookie)):
                assert answer.status == 200 or answer.status == 401 or (
                    code_of(answer) in (STORE_DOWN, FORBIDDEN))
        assert programs.authorize(damaged.ended).status in (401, 403)
        assert status_of(programs.log_in) in (200, 503, None)
        assert status_of(lambda: programs.ask(
            "logout", cookie=damaged.live)) in (200, 503, None)
        assert set(end_all(programs)) <= {-signal.SIGSEGV, -signal.SIGABRT}
    damaged.check_restored()


@pytest.mark.uninstrumented  # LMDB reads what a sanitizer would refuse
def test_damaged_pages(damaged):
    """LMDB has no checksums: pages of random bytes may end a program. No session
    that has ended comes back."""
    damaged.stop()

    def write():
        with open(damaged.path, "r+b", 0) as file:
            file.seek(2 * PAGE)
            file.write(os.urandom(len(damaged.good) - 2 * PAGE))

    for is_running in [True, False] * 4:
        damaged.path.write_bytes(damaged.good)
        damaged.start()
        if not is_running:
            damaged.programs.stop()
        write()
        if not is_running:
            damaged.start(wait=False)
            wait_until(lambda: all(
                os.path.exists(damaged.programs.paths[name]) or
                program.process.poll() is not None
                for name, program in damaged.programs.programs.items()))
        programs = damaged.programs
        for _ in range(3):
            assert status_of(lambda: programs.authorize(
                damaged.ended)) in (401, 403, None)
        answer = status_of(lambda: programs.ask(
            "session", "GET", cookie=damaged.ended))
        assert answer in (503, None) or not programs.session(damaged.ended)
        logs = end_all(programs)
        assert set(logs) <= {-signal.SIGBUS, -signal.SIGSEGV, -signal.SIGABRT}
        for log in logs.get(-signal.SIGBUS, []):
            assert "postern: SIGBUS: a file of the LMDB store is damaged" in log
        for log in logs.get(-signal.SIGABRT, []):
            assert "mdb.c" in log
    damaged.check_restored()


# A file system that becomes read-only --------------------------------------------


class FailingDisk:
    """An ext4 of a test's own. break_down() makes it read-only, as the kernel
    does after an error; `mount -o remount,ro` is refused while files are open."""

    def __init__(self, folder):
        # pylint: disable-next=consider-using-with
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "bash", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"\n"
        self.enter = ["nsenter", "-t", str(self.holder.pid), "--mount"]
        self.variables = {}
        self.path, self.image = str(folder / "disk"), str(folder / "image")
        os.mkdir(self.path)
        with open(self.image, "wb") as file:
            file.truncate(16 << 20)
        try:
            self.run("mkfs.ext4", "-q", self.image)
            self.mount()
            device = self.run("findmnt", "-n", "-o", "SOURCE", self.path)
            self.trigger = (f"/sys/fs/ext4/{os.path.basename(device.strip())}/"
                            "trigger_fs_error")
            assert os.access(self.trigger, os.W_OK)
        except AssertionError:
            self.close()
            raise

    def run(self, *command, status=0):
        done = subprocess.run([*self.enter, *command], stdout=subprocess.PIPE,
                              timeout=60, check=False)
        assert done.returncode == status, done
        return done.stdout.decode()

    def mount(self):
        self.run("mount", "-o", "loop,errors=remount-ro", self.image, self.path)

    def break_down(self):
        with open(self.trigger, "w", encoding="ascii") as file:
            file.write("1")

    def repair(self):
        self.run("umount", self.path)
        self.run("e2fsck", "-f", "-y", self.image, status=1)
        self.mount()

    def close(self):
        self.holder.communicate(timeout=20)


READ_ONLY = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* Fails while the file exists. */
static int
is_read_only(void)
{
    return access(getenv("READ_ONLY"), F_OK) == 0;
}

int
fdatasync(int file)
{
    static int (*real)(int);

    if (!real)
        real = dlsym(RTLD_NEXT, "fdatasync");
    errno = EROFS;
    return is_read_only() ? -1 : real(file);
}

int
open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    va_list more;
    mode_t mode;

    if (!real)
        real = dlsym(RTLD_NEXT, "open");
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
    if ((flags & O_ACCMODE) == O_RDWR && is_read_only()) {
        errno = EROFS;
        return -1;
    }
    return real(path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
    return open(path, flags, mode);
}
"""


class ReadOnlyFiles:
    """As FailingDisk, for machines where no disk can be made: the calls of the C
    library fail, until repair()."""

    def __init__(self, folder):
        self.path, self.mark = str(folder), folder / "mark"
        source, library = folder / "read_only.c", folder / "read_only.so"
        source.write_text(READ_ONLY, encoding="ascii")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source],
                       check=True, timeout=60)
        self.enter = []
        self.variables = {"LD_PRELOAD": str(library), "POSTERN_SANDBOX": "off",
                          "READ_ONLY": str(self.mark)}

    def break_down(self):
        self.mark.touch()

    def repair(self):
        self.mark.unlink()

    def close(self):
        pass


def make_disk(folder):
    try:
        return FailingDisk(folder)
    except AssertionError:  # no rights, no loop devices, or no ext4
        return ReadOnlyFiles(folder)


@pytest.mark.uninstrumented  # a sanitizer must be the first library
def test_disk_of_the_store_becomes_read_only(own, tmp_path):
    disk = make_disk(tmp_path)
    try:
        programs = own(disk.enter, POSTERN_STORE=f"lmdb:{disk.path}/store",
                       **disk.variables).start_all()
        cookie, ended = programs.cookie(), programs.cookie()
        assert programs.ask("logout", cookie=ended).status == 200
        disk.break_down()
        for _ in range(3):
            answers = [programs.log_in(), programs.ask("logout", cookie=cookie)]
            lines = [store_down_of(programs, name)
                     for name in ("login", "logout")]
            assert all(line["reason"].endswith("Read-only file system")
                       for line in lines), lines
            assert [code_of(answer) for answer in answers] == [STORE_DOWN] * 2
            assert_goes_on(programs, cookie)
            assert programs.authorize(ended).status == 401
        # Who starts now cannot open the store.
        fresh = own(disk.enter, **programs.variables).start_all()
        answers += ask_all(fresh, cookie)
        assert_nobody_gets_in(answers[2:])
        check_row("the disk of the LMDB store becomes read-only",
                  map(code_of, answers), {line["event"] for line in lines})
        fresh.stop()
        programs.stop()
        disk.repair()
        programs = own(disk.enter, **programs.variables).start_all()
        assert programs.authorize(ended).status == 401
        assert [answer.status
                for answer in ask_all(programs, cookie)] == [200] * 5
        programs.stop()
    finally:
        disk.close()


@pytest.mark.uninstrumented  # a sanitizer must be the first library
def test_writes_fail_for_a_while(own, tmp_path):
    """Without a restart, programs write again as soon as they can."""
    disk = ReadOnlyFiles(tmp_path)
    programs = own(**disk.variables).start_all()
    cookie = programs.cookie()
    for _ in range(3):
        disk.break_down()
        assert code_of(programs.log_in()) == STORE_DOWN
        logout = programs.ask("logout", cookie=cookie)
        assert code_of(logout) == STORE_DOWN
        assert "Read-only" in store_down_of(programs, "logout")["reason"]
        assert_goes_on(programs, cookie)
        disk.repair()
        other = programs.cookie()
        assert programs.ask("logout", cookie=other).status == 200
        assert programs.authorize(other).status == 401
    assert_goes_on(programs, cookie)


def test_store_folder_is_removed(own, tmp_path):
    programs = own().start_all()
    cookie, ended = programs.cookie(), programs.cookie()
    assert programs.ask("logout", cookie=ended).status == 200
    shutil.rmtree(tmp_path / "store")
    assert programs.session(cookie) and programs.session(ended) is None
    assert programs.authorize(cookie).status == 200
    assert programs.authorize(ended).status == 401
    other = programs.cookie()
    assert programs.ask("logout", cookie=other).status == 200
    assert programs.session(other) is None
    logs = "".join(programs.log(name) for name in PROGRAMS)
    assert not lines_of(logs, level="error")
    programs.stop()
    programs = own(**programs.variables).start_all()
    for one in (cookie, ended):  # as the guide says of a lost store
        assert programs.session(one)
        assert programs.authorize(one).status == 200
    check_row("the folder of the LMDB store is removed", [], [])


def test_records_of_a_newer_version(own):
    redis = Redis()
    try:
        programs = own(POSTERN_STORE=redis.url).start_all()
        assert programs.ask("logout", query="everywhere=1",
                            cookie=programs.cookie()).status == 200
        cookie = programs.cookie()
        change = (
            "EVAL \"for _,k in ipairs(redis.call('KEYS','*:since:*')) do "
            "redis.call('SETRANGE',k,0,string.char(%d)) end "
            "return #redis.call('KEYS','*:since:*')\" 0")
        assert redis.command(change % 2) == b":1\r\n"
        answer = programs.log_in()
        assert programs.session(cookie) is None  # it may be revoked
        assert programs.authorize(cookie).status == 401
        line = store_down_of(programs, "login")
        assert "a newer program wrote the record" in line["reason"]
        refused, = lines_of(programs.log("session"), event="token-refused")
        check_row("the store has records of a newer version",
                  [code_of(answer)],
                  [line["event"], refused["event"], refused["cause"]])
        assert redis.command(change % 1) == b":1\r\n"
        assert programs.session(cookie)
        assert programs.log_in().status == 200
    finally:
        redis.close()


def login_during(programs, faulty, act):
    """The answer to a login; act() runs while the backend works on it."""
    begun, go_on = threading.Event(), threading.Event()

    async def hold(_, writer):
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        body = json.dumps({"data": {"login": {
            "secret": "token-of-mid-login", "ttl": None, "email": "a@b.example",
            "ownerId": "7"}}}).encode()
        writer.write(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(programs.log_in()))
    faulty.fault = hold
    thread.start()
    try:
        assert begun.wait(20)
        faulty.fault = None
        act()
    finally:
        faulty.fault = None
        go_on.set()
        thread.join(60)
    return answers[0]


def test_redis_fails_over_in_mid_login(own, faulty, servers):
    """The backend's answer comes when there is no master, and when there is
    another one."""
    master, replica, url = start_sentinels(servers, 1)
    sentinel = servers[-1]
    programs = own(POSTERN_STORE=url).start_all()
    cookie = programs.cookie()
    assert wait_until(lambda: re.search(
        b"lag=[01]", master.command("INFO replication")))
    logouts = len(faulty.named("logout"))
    answers = []

    def kill():
        master.kill()
        answers.append(programs.authorize(cookie))

    answer = login_during(programs, faulty, kill)
    answers.append(answer)
    assert not answer.all("Set-Cookie")
    line = store_down_of(programs, "login")
    ended, = lines_of(programs.log("login"), event="orphaned-session-ended")
    assert ended["request"] == line["request"] and ended["backend"] == "PST_OK"
    assert len(faulty.named("logout")) == logouts + 1
    check_row("Redis fails over in mid-login", map(code_of, answers),
              [line["event"], ended["event"]])
    assert wait_until(lambda: b"role:master" in replica.command(
        "INFO replication"), 60)
    assert wait_until(lambda: programs.log_in().status == 200)
    assert programs.session(cookie)
    assert programs.authorize(cookie).status == 200
    # Back to the first one, which lives.
    master.start()

    def fail_over():
        assert wait_until(lambda: b"num-slaves\r\n$1\r\n1" in sentinel.command(
            "SENTINEL master mymaster") and b"master_link_status:up" in
            master.command("INFO replication"), 60)
        assert wait_until(lambda: sentinel.command(
            "SENTINEL failover mymaster").startswith(b"+OK"), 30, 0.5)
        assert wait_until(lambda: b"role:master" in master.command(
            "INFO replication") and str(master.port).encode() in
            sentinel.command("SENTINEL get-master-addr-by-name mymaster"), 60)

    answer = login_during(programs, faulty, fail_over)
    if answer.status == 200:
        assert wait_until(
            lambda: programs.query(cookie_of(answer)).status == 200)
        assert programs.session(cookie_of(answer))
    else:
        assert code_of(answer) == STORE_DOWN and not answer.all("Set-Cookie")
    assert wait_until(lambda: programs.log_in().status == 200)
    assert wait_until(lambda: programs.query(cookie).status == 200)


# Clients, web servers and programs that go ---------------------------------------


STAGES = ("in the head", "in the body", "while the backend works",
          "in the answer")


@pytest.mark.parametrize("name", ["query", "login"])
@pytest.mark.parametrize("stage", STAGES)
def test_client_leaves(own, faulty, name, stage):
    programs = own().start_all()
    cookie = programs.cookie()
    assert programs.query(cookie).status == 200
    program = programs.programs[name]
    program.wait_for("event=request ")
    begin, hits, count = len(program.log), faulty.hits, program.descriptors()
    body = (b'{"query":"{ me { email } }"}' if name == "query" else
            json.dumps(WHO).encode())
    params = fcgi.params("POST", "", body, CONTENT_TYPE="application/json",
                         HTTP_COOKIE=f"{COOKIE}={cookie}")
    faulty.fault = hang(LONG if stage == STAGES[3] else b"")
    try:
        with fcgi.Connection(programs.paths[name]) as connection:
            if stage == STAGES[0]:
                connection.send(fcgi.begin() + fcgi.record(
                    fcgi.PARAMS, 1, fcgi.pairs(params)))
            else:
                connection.start(params)
                connection.feed(body[:9], end=False)
            if stage in STAGES[2:]:
                connection.feed(body[9:])
                assert wait_until(lambda: faulty.hits > hits)
            if stage == STAGES[3] and name == "query":
                connection.read_record()
    finally:
        faulty.fault = None
    if stage != STAGES[0]:
        assert wait_until(
            lambda: lines_of(program.log[begin:], event="request"))
        line, = lines_of(program.log[begin:], event="request")
        assert line["level"] == "info"
        check_row("the client leaves", [], [line["event"], line["error"]])
    assert programs.query(cookie).status == 200
    assert programs.log_in().status == 200
    assert wait_until(lambda: program.descriptors() <= count)


class Visitors:
    """Threads that log in, ask who they are, and log out, as long as programs
    are killed. What they were told stays true."""

    def __init__(self, gateway):
        self.gateway, self.done = gateway, threading.Event()
        self.live, self.ended, self.wrong = [], [], []
        self.threads = [threading.Thread(target=self._run) for _ in range(4)]

    def _ask(self, *arguments, **named):
        """The answer, or None where the program was killed."""
        try:
            answer = self.gateway.post(*arguments, **named)
        except (OSError, AssertionError):
            return None
        if answer.status == 200:
            return answer if answer.whole else None
        if answer.status not in (500, 502, 503):
            self.wrong.append(answer)
        return None

    def _run(self):
        while not self.done.is_set():
            answer = self._ask("/login", WHO)
            if not answer:
                continue
            cookie = http_client.cookie_of(answer)[1]
            answer = self._ask("/query", {"query": "{ me }"}, cookie=cookie)
            if answer and answer.json["data"]["me"]["email"] != WHO["email"]:
                self.wrong.append(answer)
            if len(self.live) < 50:
                self.live.append(cookie)
            elif self._ask("/logout", cookie=cookie):
                self.ended.append(cookie)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(60)


def test_program_is_killed_under_load(backend, faulty):
    """LMDB's lock and the store survive."""
    gateway = gateways.Gateway(backend, POSTERN_UPSTREAM=faulty.url)
    try:
        assert gateway.session() is None
        with Visitors(gateway) as visitors:
            assert wait_until(lambda: len(visitors.ended) > 5, 60)
            for name in ("login", "logout", "query", "login", "logout"):
                ended, pid = len(visitors.ended), gateway.pid_of(name)
                os.kill(pid, signal.SIGKILL)
                assert wait_until(lambda: name in [
                    other for number, other in gateways.children_of(
                        gateway.process.pid).items() if number != pid], 60)
                assert wait_until(lambda: len(visitors.ended) > ended + 5, 60)
        assert not visitors.wrong
        for cookie in visitors.live:
            assert gateway.session(cookie=cookie), cookie
        for cookie in visitors.ended:
            assert gateway.session(cookie=cookie) is None
        assert not lines_of(gateway.log, level="error")
    finally:
        gateway.close(check=False)
    check_row("a program is killed", [], [])


@pytest.mark.parametrize("kind", [
    servers.Lighttpd, servers.ApacheProxy, servers.ApacheFcgid, servers.Nginx],
    ids=lambda kind: kind.name)
def test_web_server_is_restarted(faulty, kind):
    """While a request waits for the backend. What the server starts, it stops;
    other programs run on."""
    site = kind(faulty)
    try:
        answer = site.post("/login", WHO)
        assert answer.status == 200, answer
        cookie = http_client.cookie_of(answer)[1]
        begin, hits = len(site.log), faulty.hits
        faulty.fault = hang()
        with http_client.Connection(site.port) as connection:
            body = b'{"query":"{ me }"}'
            connection.send(
                b"POST /query HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nCookie: %b=%b\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (
                    COOKIE.encode(), cookie.encode(), len(body), body))
            assert wait_until(lambda: faulty.hits > hits)
            site.process.terminate()
            site.process.wait(30)
            held = connection.read()
        faulty.fault = None
        assert held is None or held.status >= 500 or not held.whole, held
        assert wait_until(lambda: lines_of(
            site.log[begin:], event="request", error="PST_CLIENT_GONE")
            or kind is servers.ApacheFcgid), site.log[begin:]
        site.process = site.spawn(site.command())
        assert wait_until(site._answers_or_ends, 30)
        answer = site.query("{ me }", cookie=cookie)
        assert answer.status == 200 and answer.json["data"]["me"], answer
        assert site.post("/logout", cookie=cookie).status == 200
        assert site.session(cookie=cookie) is None
    finally:
        faulty.fault = None
        site.close(check=False)
    check_row("the web server is stopped", [], ["request", "PST_CLIENT_GONE"])
