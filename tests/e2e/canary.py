# SPDX-License-Identifier: ISC
"""The secrets of the tests begin with marks. This module searches for the marks
in whatever a test leaves behind: responses, URLs, logs, store files, and /proc
and the memory of the programs.

The classes that own these places call it: http_client and fcgi for responses,
gateway.Gateway, servers.Site, test_serve.Program and redis_server.Redis for the
others. So a new test is searched without a change.
"""
import array
import base64
import collections
import contextlib
import glob
import itertools
import os
import re
import resource
import time
import urllib.parse
import zlib

PASSWORD, SECRET, TOKEN = "CanaryPassword", "CanarySecret", "CanaryToken"
# How each of our own tokens begins: {"alg":"dir","enc":… and {"alg":"HS256",…
SESSIONS = ("eyJhbGciOiJkaXIiLCJl", "eyJhbGciOiJIUzI1NiIs")
PROGRAMS = ("login", "query", "logout", "session", "authorize")
DATA_MAX = 1 << 24    # bytes of a log or file that are unescaped and unpacked
UNPACKED_MAX = 1 << 20
PAGE = resource.getpagesize()
KEPT_MAX = 1 << 20     # bytes of a response's body

searched = collections.Counter()  # {kind of place: places that were searched}
faults = []  # in responses, since the last test
backends = set()  # ports whose responses have tokens
_sent = set()  # URLs of requests: a test may write a secret there itself
_allowed = []  # what the running test lets responses have


def encodings_of(secret):
    """A secret unencoded, in hexadecimal, and in base64 at any offset."""
    forms = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        inner = text[4 if shift else 0:-4]
        forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return forms


def _forms(*marks):
    return {form for mark in marks for form in encodings_of(mark.encode())}


# A backend of Vendure's kind has hexadecimal tokens.
MARKS = {"a password": _forms(PASSWORD), "the secret": _forms(SECRET),
         "a backend's token": _forms(TOKEN, TOKEN.encode().hex())}
SESSION = {"a session's token": _forms(*SESSIONS)}
ALL = {**MARKS, **SESSION}


def views(data):
    """The data, and what it becomes without percent signs and backslashes and
    without compression."""
    yield data
    if len(data) > DATA_MAX:
        return
    if b"%" in data:
        yield urllib.parse.unquote_to_bytes(data)
    if b"\\u00" in data or b"\\x" in data:
        yield re.sub(rb"\\(?:u00|x)([0-9A-Fa-f]{2})",
                     lambda found: bytes([int(found[1], 16)]), data)
    for found in re.finditer(rb"\x1f\x8b\x08", data):
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(data[found.start():],
                                                    UNPACKED_MAX)


def find(data, wanted):
    """The names of what the data has. wanted: {name: its forms}"""
    return {name for view in views(data) for name, forms in wanted.items()
            if any(form in view for form in forms)}


def search(kind, where, data, wanted=None):
    """Search one place; returns a list of faults."""
    searched[kind] += 1
    return [f"{kind} {where}: {name}"
            for name in sorted(find(data, wanted or MARKS))]


def exact(values):
    """Values without a mark, in the form that search() takes."""
    return {f"{value[:12]}…": encodings_of(value.encode())
            for value in values if len(value) > 8}


# Requests and responses.

@contextlib.contextmanager
def allowed(*names):
    """Let responses have these, such as `a backend's token`."""
    _allowed.append(names)
    try:
        yield
    finally:
        _allowed.remove(names)


def note_request(target):
    """A test may write anything into a URL, and the web server logs it."""
    _sent.add(target.encode("latin-1"))


def note_response(what, head, body, port=None):
    """Search a response. Its own tokens may be only in two kinds of header."""
    if port in backends:
        return
    passed = {name for names in _allowed for name in names}
    others = re.sub(rb"(?mi)^(set-cookie|[a-z-]*token):.*", b"", head)
    # A form has a CSRF token, which looks the same. A login by GraphQL may ask
    # for the token that is in the header.
    text = re.sub(rb'<input type="hidden" name="csrf_token" value="[^"]*">',
                  b"", body)
    for value in re.findall(rb"(?mi)^[a-z-]*token: *(\S+)", head):
        text = text.replace(value, b"")
    others += b"\r\n\r\n" + text
    for found in (search("response", what, head + b"\r\n\r\n" + body)
                  + search("response", what, others, SESSION)):
        if not any(found.endswith(": " + name) for name in passed):
            faults.append(found)


def note_upstream(target):
    """Search a URL that a program sent to the backend."""
    faults.extend(search("url", "at the backend", target.encode("latin-1"),
                         ALL))


def note_command(arguments, done):
    """Search what `postern` printed."""
    if not {"--reveal", "secret", "jwk"} & set(arguments):
        faults.extend(search("command", f"postern {arguments[0]}", done.stdout))
    faults.extend(search("command", f"postern {arguments[0]}", done.stderr,
                         ALL))


def take_faults():
    taken = faults[:]
    faults.clear()
    return taken


# Files.

def read(path):
    with open(path, "rb") as file:
        return file.read()


def search_log(kind, path, more=()):
    """A log, or an access log without the URLs of the tests themselves."""
    data = re.sub(rb"(?<=[A-Z] )[^ \"]+(?= HTTP/)", lambda found: (
        b"" if found[0] in _sent else found[0]), read(path))
    return search(kind, path, data, {**ALL, **exact(more)})


def search_store(address, more=()):
    """The files of a store lmdb:FOLDER."""
    found = []
    if address and address.startswith("lmdb:"):
        for path in glob.glob(os.path.join(address[5:], "*")):
            found += search("store", path, read(path),
                            {**ALL, **exact(more)})
    return found


# Processes.

def descendants(pid):
    """{id: name} of the programs that this process has started."""
    parents, found = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            text = read(f"/proc/{entry}/stat").decode("latin-1")
            name, rest = text.partition("(")[2].rpartition(") ")[::2]
            parents.setdefault(int(rest.split()[1]), []).append(
                (int(entry), name))
    todo = [pid]
    while todo:
        for child, name in parents.get(todo.pop(), ()):
            todo.append(child)
            if name in PROGRAMS:
                found[child] = name
    return found


def memory_of(pid):
    """Each writable piece of a process's memory: (its name, its bytes), without
    the pages that were never written."""
    maps = read(f"/proc/{pid}/maps").decode().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory, \
            open(f"/proc/{pid}/pagemap", "rb", 0) as pagemap:
        for line in maps:
            found = re.match(r"(\w+)-(\w+) .w\S+ \S+ \S+ \S+ *(.*)", line)
            if not found or found[3] == "[vvar]":
                continue
            begin, end = (int(found[n], 16) for n in (1, 2))
            pagemap.seek(begin // PAGE * 8)
            pages = array.array("Q", pagemap.read((end - begin) // PAGE * 8))
            pieces, at = [], 0
            for is_used, run in itertools.groupby(pages, lambda p: p >> 62 > 0):
                size = len(list(run)) * PAGE
                if is_used:
                    memory.seek(begin + at)
                    pieces.append(memory.read(size))
                at += size
            yield found[3], b"".join(pieces)


def is_sanitized(pid):
    """A sanitizer keeps what was freed, and has terabytes of its own memory."""
    program = read(f"/proc/{pid}/exe")
    return b"__asan_" in program or b"__tsan_" in program


def search_memory(pid, name):
    """What is left of the requests that a program has answered, and of the
    secret from which it has derived its keys."""
    searched["memory"] += 1
    for _ in range(50):  # an answer arrives before its request is wiped
        found = sorted({f"memory {name} {where}: {kind}"
                        for where, data in memory_of(pid)
                        for kind, forms in ALL.items()
                        if any(form in data for form in forms)})
        if not found:
            break
        time.sleep(0.05)
    return found


def search_process(pid, name, more=(), is_wiped=True):
    """/proc and the memory of a program, and whether it may leave a core
    file. is_wiped: it has not used libcurl, which does not wipe its memory."""
    found, wanted = [], {**ALL, **exact(more)}
    # It may end meanwhile. Only root may read the memory.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError,
                             PermissionError):
        # The request of a plain CGI program is its environment.
        if b"\0GATEWAY_INTERFACE=" in b"\0" + read(f"/proc/{pid}/environ"):
            return []
        for file in ("environ", "cmdline", "maps"):
            found += search(file, name, read(f"/proc/{pid}/{file}"), wanted)
        limits = read(f"/proc/{pid}/limits")
        searched["core"] += 1
        if not re.search(rb"^Max core file size +0 +0 ", limits, re.M):
            found.append(f"core {name}: its size has no limit")
        if is_wiped and not is_sanitized(pid):
            found += search_memory(pid, name)
    return found
