# SPDX-License-Identifier: ISC
"""Requests and answers that are rare, but right: bodies of other clients, answers
of other backends, an answer that breaks off."""
import json
import subprocess

import pytest
import servers

# --- an answer that breaks off ------------------------------------------------

HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
LENGTH = HEAD + b"Content-Length: 500000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNSENT = {
    "no head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "only a head": LENGTH,
    "only a head of chunks": CHUNKED,
    "little of a length": LENGTH + b'{"data":',
}
SENT = {
    "length": dict(raw=LENGTH + b"x" * 200_000),
    "chunks": dict(raw=CHUNKED + b"30d40\r\n" + b"x" * 200_000 + b"\r\n"),
    "one chunk": dict(raw=CHUNKED + b"1\r\n{\r\n"),
    "events": dict(chunks=["data: 1\n\n", 0.2, "data: 2\n\n"], cut=True,
                   headers=[["Content-Type", "text/event-stream"]]),
}
PARTIAL = 18  # curl: it got a part of the response


@pytest.fixture(name="cut_site", scope="module", params=[
    servers.Lighttpd, servers.ApacheProxy, servers.ApacheFcgid, servers.Nginx],
                ids=lambda kind: kind.name)
def cut_site_fixture(request, backend):
    site = request.param(backend)
    yield site
    site.close()


def ask_by_curl(site):
    """(exit code, status, body). Apache waits for a next request on a connection
    whose answer broke off, unless it may not."""
    done = subprocess.run(
        ["curl", "-sS", "-m", "20", "-w", "\n%{http_code}", "-d",
         '{"query":"{ a }"}', "-H", "Content-Type: application/json",
         *(["-H", "Connection: close"] * site.name.startswith("apache")),
         f"http://127.0.0.1:{site.port}/query"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=30, check=False)
    body, _, status = done.stdout.rpartition(b"\n")
    return done.returncode, int(status), body


@pytest.mark.parametrize("name", UNSENT)
def test_answer_that_breaks_off_is_502_while_nothing_was_sent(
        cut_site, backend, name):
    """Not a 5xx of the web server's own, which no GraphQL client can read."""
    backend.next(raw=UNSENT[name], close=True)
    code, status, body = ask_by_curl(cut_site)
    assert (code, status) == (0, 502), body
    error, = json.loads(body)["errors"]
    assert error["extensions"]["code"] in ("UPSTREAM_INVALID",
                                           "UPSTREAM_UNREACHABLE")


@pytest.mark.parametrize("name", SENT)
def test_client_notices_an_answer_that_breaks_off(cut_site, backend, name):
    """Design 2.8. nginx took the end of the program's connection for the end of
    the answer: it completed the chunks, or waited for ever for the length. With
    mod_fcgid, only a Content-Length shows it (doc/deploy.md)."""
    if cut_site.name == "apache-fcgid" and name != "length":
        pytest.skip("mod_fcgid completes the chunks")
    backend.next(**SENT[name], close=True)
    code, status, _ = ask_by_curl(cut_site)
    assert (code, status) == (PARTIAL, 200)
    # The next request is not affected.
    backend.next(body='{"data":{}}')
    assert ask_by_curl(cut_site) == (0, 200, b'{"data":{}}')
