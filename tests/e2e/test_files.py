# SPDX-License-Identifier: ISC
"""Requests with files (multipart/form-data): written anew, the files byte for
byte, and with nothing in them that some backend takes for the request but we
did not (L67)."""

import json
import os
import re
import subprocess

import pytest
import urllib3
from gateway import LOGIN, wait_until
from test_edges import check_octets

MIB = 1 << 20
TYPE = "multipart/form-data; boundary=----Boundary7MA4YWxk"
MARK = b"------Boundary7MA4YWxk"
UPLOAD = b'{"query":"mutation($f:Upload!){save(f:$f){id}}",' \
         b'"variables":{"f":null}}'
HIDDEN = b'{"query":"mutation{a:login(email:\\"x\\",password:\\"1\\"){secret}' \
         b' b:login(email:\\"x\\",password:\\"2\\"){secret}}"}'
SAVED = '{"data":{"save":null}}'


def part(content, name="operations", more="", disposition=None, mark=MARK):
    disposition = disposition or f'form-data; name="{name}"{more}'
    return (mark + b"\r\nContent-Disposition: " + disposition.encode()
            + b"\r\n\r\n" + content + b"\r\n")


def file_of(content, name="0"):
    return part(content, name, '; filename="a.bin"\r\n'
                "Content-Type: application/octet-stream")


def noise(size):
    """Octets of all kinds; parts of the delimiter and of lines among them."""
    some = (os.urandom(60000) + b"--" + MARK[:-1] + b"\r\n" + MARK[:-1]
            + b"\r\n--\r\n" + MARK[1:] + b"\n\n" + b"-" * 100)
    assert MARK not in some
    return (some * (size // len(some) + 1))[:size]


MAP = part(b'{"0":["variables.f"]}', "map")
END = MARK + b"--\r\n"


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(gateway, user):
    return gateway.cookie_for(user)


def upload(gateway, body, kind=TYPE, **options):
    """With a header that no form can add, as upload clients send it (2.7)."""
    return gateway.post("/query", body, headers=[
        ("Content-Type", kind), ("Apollo-Require-Preflight", "true")],
                        **options)


def check_arrived(backend, *files, operations=UPLOAD,
                  paths=b'{"0":["variables.f"]}'):
    """What the backend got: our delimiter, our part heads, the same files.

    files: (name, type, content), numbered by their place in the map.
    """
    kind = backend.seen()[-1]["header"]["content-type"]
    found = re.fullmatch(r"multipart/form-data; boundary=(postern-[0-9a-f]{16})",
                         kind)
    mark = b"--" + found[1].encode()
    body = (part(operations, "operations", mark=mark)
            + part(paths, "map", mark=mark))
    for number, (name, type_of, content) in enumerate(files):
        body += part(content, str(number), f'; filename="{name}"\r\n'
                     f"Content-Type: {type_of}", mark=mark)
    check_octets(backend, body + mark + b"--\r\n")


def binary(content):
    return ("a.bin", "application/octet-stream", content)


@pytest.mark.parametrize("size", [0, 1000, MIB, 3 * MIB])
def test_files_pass_unchanged(gateway, backend, cookie, size):
    content = noise(size)
    body = part(UPLOAD) + MAP + file_of(content) + END
    for who in ({}, {"cookie": cookie}):
        backend.next(body=SAVED)
        answer = upload(gateway, body, **who)
        assert answer.status == 200 and answer.text == SAVED, answer
        check_arrived(backend, binary(content))


def test_files_with_a_cookie_alone(gateway, backend, cookie):
    """Design 2.7: a plain form of another site could send that."""
    backend.forget()
    answer = gateway.post(
        "/query", part(UPLOAD) + MAP + file_of(b"x") + END, cookie=cookie,
        headers=[("Content-Type", TYPE)])
    assert answer.status == 403 and answer.code == "CROSS_SITE"
    assert backend.seen() == []


def test_endings(gateway, backend):
    """What stands behind the last part is nobody's; and what is cut in a file
    is never a whole request to the backend."""
    content = noise(1000)
    whole = part(UPLOAD) + MAP + file_of(content) + END
    for body in (whole, whole[:-2], whole + b"\r\nThe end.\n"):
        backend.next(body=SAVED)
        assert upload(gateway, body).text == SAVED
        check_arrived(backend, binary(content))
    backend.next(body=SAVED)
    assert upload(gateway, part(UPLOAD) + END).text == SAVED
    check_arrived(backend, paths=b"{}")
    backend.forget()
    for body in (b"", END, part(UPLOAD), part(UPLOAD)[:-2], whole[:-200],
                 part(UPLOAD) + MAP + file_of(noise(2 * MIB))):
        answer = upload(gateway, body)
        assert answer.status == 400, (body[:100], answer)
        assert answer.code == "BAD_REQUEST"
    assert backend.seen() == []


def test_what_the_map_does_not_name(gateway, backend):
    """No backend gets a file that we cannot say the place of."""
    backend.forget()
    for after in (file_of(b"x") + file_of(b"y"),
                  MAP + file_of(b"x") + file_of(b"y"),
                  MAP + part(b"y", "1", '; filename="b"'),
                  part(b'{"0":["query"]}', "map") + file_of(b"x"),
                  part(b'{"0":["operations.0.query"]}', "map") + file_of(b"x"),
                  MAP + MAP + file_of(b"x")):
        answer = upload(gateway, part(UPLOAD) + after + END)
        assert answer.status == 400, (after, answer)
        assert answer.code == "BAD_REQUEST", after
    assert backend.seen() == []


def test_answer_to_files_streams(gateway, backend):
    """It is no login: its answer may be longer than what is held."""
    body = part(UPLOAD) + MAP + file_of(noise(2 * MIB)) + END
    text = '{"data":"%s"}' % ("x" * 2 * MIB)
    backend.next(body=text)
    answer = upload(gateway, body, keep=False)
    assert answer.status == 200 and answer.text == text


SECOND = {
    "plain": part(HIDDEN),
    "in capitals": part(HIDDEN, "OPERATIONS"),
    "without quotes": part(HIDDEN, disposition="form-data; name=operations"),
    "an array to PHP": part(HIDDEN, "operations[]"),
    "in brackets": part(HIDDEN, "[operations]"),
    "with a space": part(HIDDEN, " operations"),
    "with a NUL": part(HIDDEN, "operations\0x"),
    "as a file": part(HIDDEN, more='; filename="a"'),
    "in a file's name": part(HIDDEN, "1", '; filename="a; name=operations"'),
    "in a type": part(HIDDEN, "1", '; filename="a"\r\nContent-Type: a/b; '
                      'name="operations"'),
    "in RFC 5987's spelling": part(HIDDEN, "1", "; name*=utf-8''operations"),
    "in a folded line": part(HIDDEN, disposition="form-data;\r\n"
                             ' name="operations"'),
    "in MIME's spelling": part(HIDDEN, "=?utf-8?B?b3BlcmF0aW9ucw==?="),
    "with LF only": part(HIDDEN).replace(b"\r\n", b"\n"),
    "behind an LF": b"\n" + part(HIDDEN),
    "behind a CR": b"\r" + part(HIDDEN),
    "in the middle of a line": b"x" + part(HIDDEN),
    "behind a fake end": END + part(HIDDEN),
    "in a longer delimiter": part(HIDDEN, mark=b"--" + MARK),
    "as a text for the map": part(HIDDEN, "1"),
}


def late(second, before):
    """A second request behind some octets of a file."""
    body = part(UPLOAD) + MAP
    if before is not None:
        body += file_of(noise(before))
    return body + second + END


@pytest.mark.parametrize("before", [None, 1000, MIB, 2 * MIB])
def test_second_operations(gateway, backend, cookie, before):
    """The backend never gets a whole request, whoever sends it."""
    backend.forget()
    for name, second in SECOND.items():
        if before is not None and name in (
                "behind an LF", "behind a CR", "in the middle of a line"):
            # Not behind the end of a file's last line, but in the file.
            body = late(b"", before)[:-len(END) - 2] + second + END
        else:
            body = late(second, before)
        for who in ({}, {"cookie": cookie}):
            answer = upload(gateway, body, **who)
            assert answer.status == 400, (name, answer)
            assert answer.code == "BAD_REQUEST", name
    assert wait_until(lambda: backend.seen() == [], 1)
    if gateway.kind == "fastcgi":
        assert "backend-failed" not in gateway.log
    # There is no trace of it in the next one.
    content = noise(2 * MIB)
    backend.next(body=SAVED)
    body = part(UPLOAD) + MAP + file_of(content) + END
    assert upload(gateway, body).text == SAVED
    check_arrived(backend, binary(content))


def test_second_operations_without_a_length(fastcgi, backend):
    """Nor does it get a last chunk."""
    backend.forget()
    for name, second in SECOND.items():
        for before in (1000, 2 * MIB):
            told = fastcgi.direct("query", "POST", body=late(second, before),
                               CONTENT_LENGTH=None, CONTENT_TYPE=TYPE)
            assert told.status == 400, (name, told.stdout)
    assert backend.seen() == []


def test_second_operations_across_pieces(fastcgi, backend):
    """Of what we hold, of what we read, of what is sent."""
    backend.forget()
    second = part(HIDDEN)
    for border in (MIB, MIB + 65536, 2 * MIB):
        for inside in range(0, 90, 3):
            size = border - inside - len(late(b"", 0)) + len(END)
            body = late(second, size)
            assert body[border - inside:].startswith(second)
            told = fastcgi.direct("query", "POST", body=body,
                               CONTENT_LENGTH=str(len(body)),
                               CONTENT_TYPE=TYPE)
            assert told.status == 400, (border, inside)
    assert backend.seen() == []


def test_login_with_files(fastcgi, backend, user):
    """Design 2.5: a login has no files, and is refused whatever stands beside
    it."""
    login = json.dumps({"query": LOGIN, "variables": {
        "email": user.email, "password": user.password}}).encode()
    backend.forget()
    for operations in (login, b"[" + login + b"]",
                       b"[" + UPLOAD + b"," + login + b"]"):
        for after in (b"", part(b"{}", "map"), MAP, MAP + part(HIDDEN),
                      part(b"{}", "map") + file_of(noise(2 * MIB))):
            told = fastcgi.direct("query", "POST",
                               body=part(operations) + after + END,
                               CONTENT_TYPE=TYPE)
            assert told.status == 400, told.stdout
            assert b"et-Cookie" not in told.stdout
    assert backend.seen() == []


# Real bytes: as programs write them that people use.

FIELDS = {"operations": UPLOAD.decode(), "map": '{"0":["variables.f"]}'}
NAME = "Ärger -- \u6c34 (1).png"


def test_urllib3s_files(gateway, backend):
    content = noise(MIB)
    for name in ("a.png", NAME, 'a"b;c.png'):
        body, kind = urllib3.encode_multipart_formdata({
            **FIELDS, "0": (name, content, "image/png")})
        backend.next(body=SAVED)
        answer = upload(gateway, body, kind)
        assert answer.status == 200 and answer.text == SAVED, (name, answer)
        check_arrived(backend, (name.replace('"', "%22"), "image/png",
                                content))


def test_curls_files(gateway, backend, tmp_path):
    content = noise(2 * MIB)
    path = tmp_path / NAME
    path.write_bytes(content)
    backend.next(body=SAVED)
    done = subprocess.run(
        ["curl", "-sS", f"http://127.0.0.1:{gateway.port}/query",
         *(f"-F{name}={text}" for name, text in FIELDS.items()),
         f"-F0=@{path}"], stdout=subprocess.PIPE, timeout=60, check=True,
        text=True)
    assert done.stdout == SAVED
    check_arrived(backend, (NAME, "image/png", content))


UNDICI = """
const form = new FormData();
const [url, operations, map, name] = process.argv.slice(1);
form.append('operations', operations);
form.append('map', map);
form.append('0', new Blob([new Uint8Array(2 << 20)], {type: 'video/webm;\
codecs=vp8,opus'}), name);
form.append('1', new Blob(['--']));
fetch(url, {method: 'POST', body: form}).then((answer) => answer.text())
    .then((text) => process.stdout.write(text));
"""


def test_undicis_files(gateway, backend):
    operations = UPLOAD.replace(b"$f:Upload!", b"$f:Upload!,$g:Upload").replace(
        b"f:$f", b"f:$f,g:$g").replace(b'"f":null', b'"f":null,"g":null')
    paths = b'{"0":["variables.f"],"1":["variables.g"]}'
    for name in ("a.png", NAME, 'a"b.png', "line\nbreak"):
        backend.next(body=SAVED)
        done = subprocess.run(
            ["node", "-e", UNDICI, f"http://127.0.0.1:{gateway.port}/query",
             operations, paths, name], stdout=subprocess.PIPE, timeout=60,
            check=True, text=True)
        assert done.stdout == SAVED, name
        check_arrived(
            backend, (name.replace('"', "%22").replace("\n", "%0A"),
                      # A comma is in no token (RFC 9110 section 5.6.6).
                      "application/octet-stream", bytes(2 * MIB)),
            ("blob", "application/octet-stream", b"--"),
            operations=operations, paths=paths)
