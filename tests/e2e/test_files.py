# SPDX-License-Identifier: ISC
"""File uploads (multipart/form-data). The gateway serializes the request anew
and forwards the files byte for byte. A backend must not find another request in
them (L67)."""

import json
import os
import re
import subprocess

import pytest
import urllib3
from gateway import LOGIN, wait_until
from test_edges import check_received

MIB = 1 << 20
TYPE = "multipart/form-data; boundary=----Boundary7MA4YWxk"
DELIMITER = b"------Boundary7MA4YWxk"
UPLOAD = b'{"query":"mutation($f:Upload!){save(f:$f){id}}",' \
         b'"variables":{"f":null}}'
HIDDEN_LOGIN = \
    b'{"query":"mutation{a:login(email:\\"x\\",password:\\"1\\"){secret}' \
    b' b:login(email:\\"x\\",password:\\"2\\"){secret}}"}'
SAVED = '{"data":{"save":null}}'


def part(content, name="operations", more="", disposition=None, mark=DELIMITER):
    disposition = disposition or f'form-data; name="{name}"{more}'
    return (mark + b"\r\nContent-Disposition: " + disposition.encode()
            + b"\r\n\r\n" + content + b"\r\n")


def file_of(content, name="0"):
    return part(content, name, '; filename="a.bin"\r\n'
                "Content-Type: application/octet-stream")


def noise(size):
    """Random bytes, with parts of the delimiter and line ends between them."""
    block = (os.urandom(60000) + b"--" + DELIMITER[:-1] + b"\r\n"
             + DELIMITER[:-1] + b"\r\n--\r\n" + DELIMITER[1:] + b"\n\n"
             + b"-" * 100)
    assert DELIMITER not in block
    return (block * (size // len(block) + 1))[:size]


MAP = part(b'{"0":["variables.f"]}', "map")
END = DELIMITER + b"--\r\n"


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(gateway, user):
    return gateway.cookie_for(user)


def upload(gateway, body, kind=TYPE, **options):
    """POST with a header that an HTML form cannot send; upload clients send it
    (design 2.7)."""
    return gateway.post("/query", body, headers=[
        ("Content-Type", kind), ("Apollo-Require-Preflight", "true")],
                        **options)


def check_arrived(backend, *files, operations=UPLOAD,
                  paths=b'{"0":["variables.f"]}'):
    """The backend received our delimiter, our part headers and the same files.

    files: (name, type, content), in the order of the map.
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
    check_received(backend, body + mark + b"--\r\n")


def binary(content):
    return ("a.bin", "application/octet-stream", content)


@pytest.mark.parametrize("size", [0, 1000, MIB, 3 * MIB])
def test_files_are_forwarded_unchanged(gateway, backend, cookie, size):
    content = noise(size)
    body = part(UPLOAD) + MAP + file_of(content) + END
    for who in ({}, {"cookie": cookie}):
        backend.next(body=SAVED)
        answer = upload(gateway, body, **who)
        assert answer.status == 200 and answer.text == SAVED, answer
        check_arrived(backend, binary(content))


def test_upload_with_a_cookie_needs_a_preflight_header(
        gateway, backend, cookie):
    """Design 2.7: an HTML form of another site can send a cookie and files."""
    backend.forget()
    answer = gateway.post(
        "/query", part(UPLOAD) + MAP + file_of(b"x") + END, cookie=cookie,
        headers=[("Content-Type", TYPE)])
    assert answer.status == 403 and answer.code == "CROSS_SITE"
    assert backend.seen() == []


def test_end_of_the_body(gateway, backend):
    """Bytes after the last delimiter are ignored. The backend never gets a
    truncated request as a complete one."""
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


def test_files_and_map_must_agree(gateway, backend):
    """Each file needs a valid path in the map."""
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


def test_answer_to_an_upload_is_streamed(gateway, backend):
    """An upload is not a login, so the length of its answer has no limit."""
    body = part(UPLOAD) + MAP + file_of(noise(2 * MIB)) + END
    text = '{"data":"%s"}' % ("x" * 2 * MIB)
    backend.next(body=text)
    answer = upload(gateway, body, keep=False)
    assert answer.status == 200 and answer.text == text


SECOND_OPERATIONS = {
    "plain": part(HIDDEN_LOGIN),
    "in upper case": part(HIDDEN_LOGIN, "OPERATIONS"),
    "without quotes": part(HIDDEN_LOGIN,
                           disposition="form-data; name=operations"),
    "an array for PHP": part(HIDDEN_LOGIN, "operations[]"),
    "in brackets": part(HIDDEN_LOGIN, "[operations]"),
    "with a space": part(HIDDEN_LOGIN, " operations"),
    "with a NUL": part(HIDDEN_LOGIN, "operations\0x"),
    "as a file": part(HIDDEN_LOGIN, more='; filename="a"'),
    "in a file's name": part(HIDDEN_LOGIN, "1",
                             '; filename="a; name=operations"'),
    "in a type": part(HIDDEN_LOGIN, "1", '; filename="a"\r\nContent-Type: a/b; '
                      'name="operations"'),
    "in RFC 5987 syntax": part(HIDDEN_LOGIN, "1", "; name*=utf-8''operations"),
    "in a folded line": part(HIDDEN_LOGIN, disposition="form-data;\r\n"
                             ' name="operations"'),
    "in a MIME encoded word": part(HIDDEN_LOGIN, "=?utf-8?B?b3BlcmF0aW9ucw==?="),
    "with LF only": part(HIDDEN_LOGIN).replace(b"\r\n", b"\n"),
    "after an LF": b"\n" + part(HIDDEN_LOGIN),
    "after a CR": b"\r" + part(HIDDEN_LOGIN),
    "in the middle of a line": b"x" + part(HIDDEN_LOGIN),
    "after a false end": END + part(HIDDEN_LOGIN),
    "in a longer delimiter": part(HIDDEN_LOGIN, mark=b"--" + DELIMITER),
    "as a map entry without a file name": part(HIDDEN_LOGIN, "1"),
}


def body_with_second(second, before):
    """A body with a second request after `before` bytes of a file; None: no
    file."""
    body = part(UPLOAD) + MAP
    if before is not None:
        body += file_of(noise(before))
    return body + second + END


@pytest.mark.parametrize("before", [None, 1000, MIB, 2 * MIB])
def test_second_operations_are_rejected(gateway, backend, cookie, before):
    """The backend never gets a complete request."""
    backend.forget()
    for name, second in SECOND_OPERATIONS.items():
        if before is not None and name in (
                "after an LF", "after a CR", "in the middle of a line"):
            # Inside the file's content, not after it.
            body = body_with_second(b"", before)[:-len(END) - 2] + second + END
        else:
            body = body_with_second(second, before)
        for who in ({}, {"cookie": cookie}):
            answer = upload(gateway, body, **who)
            assert answer.status == 400, (name, answer)
            assert answer.code == "BAD_REQUEST", name
    assert wait_until(lambda: backend.seen() == [], 1)
    if gateway.kind == "fastcgi":
        assert "backend-failed" not in gateway.log
    # The next request is not affected.
    content = noise(2 * MIB)
    backend.next(body=SAVED)
    body = part(UPLOAD) + MAP + file_of(content) + END
    assert upload(gateway, body).text == SAVED
    check_arrived(backend, binary(content))


def test_second_operations_without_content_length(fastcgi, backend):
    """The backend gets no last chunk either."""
    backend.forget()
    for name, second in SECOND_OPERATIONS.items():
        for before in (1000, 2 * MIB):
            answer = fastcgi.direct(
                "query", "POST", body=body_with_second(second, before),
                CONTENT_LENGTH=None, CONTENT_TYPE=TYPE)
            assert answer.status == 400, (name, answer.stdout)
    assert backend.seen() == []


def test_second_operations_across_buffer_boundaries(fastcgi, backend):
    backend.forget()
    second = part(HIDDEN_LOGIN)
    for boundary in (MIB, MIB + 65536, 2 * MIB):
        for inside in range(0, 90, 3):
            size = boundary - inside - len(body_with_second(b"", 0)) + len(END)
            body = body_with_second(second, size)
            assert body[boundary - inside:].startswith(second)
            answer = fastcgi.direct("query", "POST", body=body,
                               CONTENT_LENGTH=str(len(body)),
                               CONTENT_TYPE=TYPE)
            assert answer.status == 400, (boundary, inside)
    assert backend.seen() == []


def test_login_in_multipart_is_rejected(fastcgi, backend, user):
    """Design 2.5: a login has no files."""
    login = json.dumps({"query": LOGIN, "variables": {
        "email": user.email, "password": user.password}}).encode()
    backend.forget()
    for operations in (login, b"[" + login + b"]",
                       b"[" + UPLOAD + b"," + login + b"]"):
        for after in (b"", part(b"{}", "map"), MAP, MAP + part(HIDDEN_LOGIN),
                      part(b"{}", "map") + file_of(noise(2 * MIB))):
            answer = fastcgi.direct("query", "POST",
                               body=part(operations) + after + END,
                               CONTENT_TYPE=TYPE)
            assert answer.status == 400, answer.stdout
            assert b"et-Cookie" not in answer.stdout
    assert backend.seen() == []


# Uploads of real HTTP clients.

FIELDS = {"operations": UPLOAD.decode(), "map": '{"0":["variables.f"]}'}
NAME = "Ärger -- \u6c34 (1).png"


def test_upload_by_urllib3(gateway, backend):
    content = noise(MIB)
    for name in ("a.png", NAME, 'a"b;c.png'):
        body, kind = urllib3.encode_multipart_formdata({
            **FIELDS, "0": (name, content, "image/png")})
        backend.next(body=SAVED)
        answer = upload(gateway, body, kind)
        assert answer.status == 200 and answer.text == SAVED, (name, answer)
        check_arrived(backend, (name.replace('"', "%22"), "image/png",
                                content))


def test_upload_by_curl(gateway, backend, tmp_path):
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


def test_upload_by_undici(gateway, backend):
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
                      # The codecs parameter is not a token (RFC 9110 section
                      # 5.6.6): it contains a comma.
                      "application/octet-stream", bytes(2 * MIB)),
            ("blob", "application/octet-stream", b"--"),
            operations=operations, paths=paths)
