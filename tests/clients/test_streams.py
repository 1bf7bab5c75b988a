# SPDX-License-Identifier: ISC
"""Streamed answers, large answers and uploads of stock clients through the
gateway (issue 8; U33)."""

import pytest

METHODS = {"cookie": "cookie", "secret": "bearer"}
KIND = pytest.mark.parametrize("kind", METHODS)
STREAMS = ["urql-ticks", "urql-ticks-persisted", "urql-slow",
           "urql-slow-persisted", "apollo-slow", "apollo-slow-persisted",
           "sse-ticks"]
LARGE = 2 << 20  # bytes


@KIND
@pytest.mark.parametrize("client", STREAMS)
def test_parts_of_an_answer_are_not_buffered(server, programs, gateway_for,
                                             client, kind):
    """U33: the backend sends a part only after the client has the one before.
    SSE and multipart/mixed, by text and by hash."""
    control = f"http://127.0.0.1:{server.port}"
    direct, _ = programs.run("streams.js", server.url, server.register(),
                             "secret", None, client, CONTROL=control)
    assert len(direct) >= 2
    server.seen()
    through, _ = programs.run(
        "streams.js",
        f"http://localhost:{gateway_for(METHODS[kind]).port}/query",
        server.register(), kind, None, client, CONTROL=control)
    assert through == direct
    assert "authorization" in server.seen()[-1]["header"]


def test_large_answer_by_hash(server, programs, gateway_for):
    """U33: 2 MiB, compressed because fetch accepts gzip."""
    direct, _ = programs.run("large.js", server.url, server.register(),
                             SIZE=str(LARGE))
    through, _ = programs.run(
        "large.js", f"http://localhost:{gateway_for('cookie').port}/query",
        server.register(), SIZE=str(LARGE))
    assert through == direct
    assert through[-2:] == [
        {"client": client, "method": "GET", "status": 200, "encoding": "gzip",
         "size": LARGE, "right": True} for client in ("apollo", "urql")]


@KIND
def test_uploads_give_the_same_results(server, programs, gateway_for, kind):
    direct, _ = programs.run("uploads.js", server.url, server.register())
    through, _ = programs.run(
        "uploads.js",
        f"http://localhost:{gateway_for(METHODS[kind]).port}/query",
        server.register(), kind)
    assert through == direct
    assert [line for line in direct if line.get("error")] == []
    kinds = [request["header"].get("content-type", "").partition(";")[0]
             for request in server.seen()]
    assert kinds.count("multipart/form-data") == 16  # eight each
