# SPDX-License-Identifier: ISC
"""Answers in parts, large answers and uploads through the gateway, as stock
clients ask for them (issue 8; U33)."""

import pytest

METHODS = {"cookie": "cookie", "secret": "bearer"}
KIND = pytest.mark.parametrize("kind", METHODS)
STREAMS = ["urql-ticks", "urql-ticks-persisted", "urql-slow",
           "urql-slow-persisted", "apollo-slow", "apollo-slow-persisted",
           "sse-ticks"]
LARGE = 2 << 20  # bytes


@KIND
@pytest.mark.parametrize("client", STREAMS)
def test_each_part_at_once(server, programs, gate_of, client, kind):
    """The backend sends a part when the client has the one before: SSE and
    multipart/mixed, by text and by hash (U33)."""
    control = f"http://127.0.0.1:{server.port}"
    alone, _ = programs.run("streams.js", server.url, server.register(),
                            "secret", None, client, CONTROL=control)
    assert len(alone) >= 2
    server.seen()
    through, _ = programs.run(
        "streams.js", f"http://localhost:{gate_of(METHODS[kind]).port}/query",
        server.register(), kind, None, client, CONTROL=control)
    assert through == alone
    assert "authorization" in server.seen()[-1]["header"]


def test_a_large_answer_by_hash(server, programs, gate_of):
    """2 MiB, compressed because fetch takes that (U33)."""
    alone, _ = programs.run("large.js", server.url, server.register(),
                            SIZE=str(LARGE))
    through, _ = programs.run(
        "large.js", f"http://localhost:{gate_of('cookie').port}/query",
        server.register(), SIZE=str(LARGE))
    assert through == alone
    assert through[-2:] == [
        {"client": client, "method": "GET", "status": 200, "encoding": "gzip",
         "size": LARGE, "right": True} for client in ("apollo", "urql")]


@KIND
def test_uploads(server, programs, gate_of, kind):
    alone, _ = programs.run("uploads.js", server.url, server.register())
    through, _ = programs.run(
        "uploads.js", f"http://localhost:{gate_of(METHODS[kind]).port}/query",
        server.register(), kind)
    assert through == alone
    assert [line for line in alone if line.get("error")] == []
    kinds = [request["header"].get("content-type", "").partition(";")[0]
             for request in server.seen()]
    assert kinds.count("multipart/form-data") == 16  # both times eight
