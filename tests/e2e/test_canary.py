# SPDX-License-Identifier: ISC
"""The search for secrets (canary.py) finds what is planted, in each kind of
place and in each form, and each kind of place is searched (L34, L68, R80)."""
import base64
import collections
import gzip
import json
import os
import resource
import shutil
import subprocess
import urllib.parse

import canary
import fcgi
import gateway as gateways
import http_client
import pytest
import servers
from redis_server import Redis

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root reads the memory of a program")
MARKS = {"a password": canary.PASSWORD, "the secret": canary.SECRET,
         "a backend's token": canary.TOKEN,
         "a session's token": canary.SESSIONS[0]}


def percent(data):
    return b"".join(b"%%%02x" % byte for byte in data)


FORMS = {
    "plain": lambda data: data,
    "hexadecimal": lambda data: data.hex().encode(),
    "upper case hexadecimal": lambda data: data.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64 at 1": lambda data: base64.b64encode(b"\xff" + data),
    "base64 at 2": lambda data: base64.b64encode(b"\xff\xfe" + data),
    "base64url at 1": lambda data: base64.urlsafe_b64encode(b"\xff" + data),
    "percent": percent,
    "a part as percent": lambda data: data[:3] + percent(data[3:5]) + data[5:],
    "percent of base64": lambda data: percent(base64.b64encode(data)),
    "JSON": lambda data: data[:2] + b"\\u00%02X" % data[2] + data[3:],
    "log": lambda data: b"\\x%02x" % data[0] + data[1:],
    "gzip": gzip.compress,
    "gzip of base64": lambda data: gzip.compress(base64.b64encode(data)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MARKS)
def test_every_form_is_found(name, form):
    value = (MARKS[name] + " and more: 0123456789").encode()
    data = b"before " + FORMS[form](value) + b" after"
    assert canary.find(data, canary.ALL) == {name}
    assert canary.find(data.replace(FORMS[form](value), b""),
                       canary.ALL) == set()


def test_values_without_a_mark_are_found():
    value = "0cbf5e8e1a7d4b37"
    wanted = canary.exact([value])
    for form in FORMS.values():
        assert canary.find(form(value.encode()), wanted)


def test_tokens_of_both_kinds_of_backends_have_the_mark(backend, user):
    """The token of Vendure's kind is hexadecimal."""
    token = backend.graphql(gateways.LOGIN, {
        "email": user.email, "password": user.password})[
            "data"]["login"]["secret"]
    assert canary.find(token.encode(), canary.MARKS) == {"a backend's token"}
    token = canary.TOKEN.encode().hex() + "0123"
    for form in FORMS.values():
        assert canary.find(form(token.encode()),
                           canary.MARKS) == {"a backend's token"}


# --- planted in a place ------------------------------------------------------


def plant_in_response(gateway):
    canary.note_response("planted", b"HTTP/1.1 200 OK",
                         canary.PASSWORD.encode())
    return canary.take_faults()


def plant_in_header(gateway):
    head = b"HTTP/1.1 200 OK\r\nVary: %b" % canary.SESSIONS[0].encode()
    canary.note_response("planted", head, b"")
    return canary.take_faults()


def plant_in_packed_response(gateway):
    canary.note_response("planted", b"HTTP/1.1 200 OK", gzip.compress(
        json.dumps({"x": canary.TOKEN}).encode()))
    return canary.take_faults()


def plant_in_url(gateway):
    canary.note_upstream("/graphql?query=" + urllib.parse.quote(
        canary.SESSIONS[0]))
    return canary.take_faults()


def plant_in_command(gateway):
    done = subprocess.CompletedProcess([], 0, b"", canary.SECRET.encode())
    canary.note_command(["check"], done)
    return canary.take_faults()


def append(path):
    with open(path, "ab") as file:
        file.write(b"line\n" + canary.SESSIONS[0].encode() + b"\n")


def plant_in_log(gateway):
    append(gateway.log_file.name)
    return gateway.faults()


def plant_in_access_log(gateway):
    append(gateway.access_log)
    return gateway.faults()


def plant_in_store(gateway):
    append(gateway.environment["POSTERN_STORE"][5:] + "/data.mdb.copy")
    return gateway.faults()


PLACES = [
    plant_in_response, plant_in_header, plant_in_packed_response, plant_in_url,
    plant_in_command, plant_in_log, plant_in_access_log, plant_in_store]


@pytest.mark.parametrize("plant", PLACES, ids=lambda plant: plant.__name__)
def test_a_planted_secret_is_found(backend, user, plant):
    gateway = gateways.Gateway(backend)
    try:
        gateway.cookie_for(user)
        assert gateway.faults() == [] and gateway.program_faults() == []
        found = plant(gateway)
        assert len(found) == 1, found
    finally:
        gateway.close(check=False)


def test_a_secret_in_a_real_response_is_found(fastcgi):
    """The form shows the e-mail address that was typed, so this is one that
    looks like a password."""
    with http_client.Connection(fastcgi.port) as connection:
        answer = connection.request("POST", "/login", [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate"),
            ("Origin", f"http://localhost:{fastcgi.port}")],
            f"email={canary.PASSWORD}&password=x".encode())
    assert answer.status == 401 and canary.PASSWORD in answer.text
    found, = canary.take_faults()
    assert found.endswith(": a password")
    with canary.allowed("a password"):
        canary.note_response("planted", b"", canary.PASSWORD.encode())
        assert canary.take_faults() == []


def test_a_secret_in_an_answer_by_fastcgi_is_found():
    fcgi.Answer(b"X: y\r\n\r\n" + canary.TOKEN.encode(), b"", 0, 0)
    fcgi.Answer(b"X: y\r\n\r\n", canary.SECRET.encode(), 0, 0)
    first, second = canary.take_faults()
    assert first.endswith(": a backend's token")
    assert second.endswith(": the secret")


def test_a_secret_in_redis_is_found():
    redis = Redis()
    redis.command(f"SET key {canary.SESSIONS[0]}")
    with pytest.raises(AssertionError, match="a session's token"):
        redis.close()


@needs_root
def test_a_secret_of_a_process_is_found(tmp_path):
    """/bin/sleep, by the name of a program and in a folder with a mark."""
    os.mkdir(tmp_path / canary.TOKEN)
    program = str(tmp_path / canary.TOKEN / "query")
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "300"], env={"X": canary.PASSWORD}) as child:
        resource.prlimit(child.pid, resource.RLIMIT_CORE, (4096, 4096))
        try:
            assert canary.descendants(os.getpid())[child.pid] == "query"
            found = canary.search_process(child.pid, "query")
        finally:
            child.kill()
    assert found == [
        "environ query: a password", "cmdline query: a backend's token",
        "maps query: a backend's token", "core query: its size has no limit",
        "memory query [stack]: a backend's token",
        "memory query [stack]: a password"]


# --- every place is searched -------------------------------------------------


KINDS = {"response", "url", "command", "log", "access log", "store", "environ",
         "cmdline", "maps", "core", "memory"}


def use_all_programs(gateway, user):
    cookie = gateway.cookie_for(user)
    assert gateway.query(cookie=cookie).json["data"]["me"]
    assert gateway.session(cookie=cookie)
    if isinstance(gateway, servers.Site):
        assert gateway.get("/members/", cookie=cookie).status == 200
    assert gateway.post("/logout", cookie=cookie).status == 200
    assert gateway.postern("check").returncode == 0
    gateway.backend.forget()


@needs_root
def test_every_kind_of_place_is_searched(backend, user):
    """L68: and none of the five programs leaves a core file."""
    before = collections.Counter(canary.searched)
    gateway = servers.Lighttpd(backend)
    try:
        use_all_programs(gateway, user)
        programs = canary.descendants(gateway.process.pid)
        assert sorted(programs.values()) == sorted(canary.PROGRAMS)
    finally:
        gateway.close()
    counts = canary.searched - before
    wanted = KINDS - ({"memory"} if gateways.is_sanitized() else set())
    assert wanted <= set(counts), counts
    assert counts["environ"] == counts["core"] == len(programs)


def test_redis_is_searched(backend, user):
    """Redis is searched when it is stopped."""
    redis = Redis()
    gateway = gateways.Gateway(backend, POSTERN_STORE=redis.url)
    try:
        use_all_programs(gateway, user)
    finally:
        gateway.close()
        before = canary.searched["store"]
        redis.close()
    assert canary.searched["store"] == before + 1
