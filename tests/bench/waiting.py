# SPDX-License-Identifier: ISC
"""Requests that wait: many clients of a stream of events in one new process of
query, each after its first event. What does one hold, and do others notice?"""

import os
import resource
import socket
import statistics
import sys
import time

import configurations
import measure

# At the end: the e2e tests have modules of other names only, but many.
sys.path.append(os.path.join(configurations.ROOT, "tests/e2e"))
import fcgi  # noqa: E402

COUNT = 9000
LEFT_OVER = 600  # files for everything else
EVENTS = b'{"query":"subscription { events }"}'
FIRST = b"data: first"
QUERY = b'{"query":"{ order { id } }"}'
ANSWER = b'"order"'


def ask(path, cookie, body, until):
    """Send a request; returns its connection when the answer contains `until`."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(path)
    variables = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/query",
                 "REQUEST_URI": "/query", "QUERY_STRING": "",
                 "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
                 "CONTENT_TYPE": "application/json",
                 "CONTENT_LENGTH": str(len(body)), "HTTP_HOST": "localhost",
                 "HTTP_ACCEPT": "text/event-stream", "HTTP_COOKIE": cookie}
    client.sendall(fcgi.begin()
                   + fcgi.stream(fcgi.PARAMS, 1, fcgi.pairs(variables))
                   + fcgi.stream(fcgi.STDIN, 1, body))
    got = b""
    while until not in got:
        more = client.recv(65536)
        if not more:
            raise RuntimeError(f"the answer ended: {got!r}")
        got += more
    return client


def query_time(path, cookie):
    """Milliseconds of one query: the median of many."""
    times = []
    for _ in range(50):
        start = time.monotonic()
        ask(path, cookie, QUERY, ANSWER).close()
        times.append((time.monotonic() - start) * 1000)
    return statistics.median(times)


def measure_waiting(target, wanted=COUNT):
    """{count, KiB of each, milliseconds of a query before and meanwhile}"""
    # The program has two sockets for each.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    count = min(wanted, (files - LEFT_OVER) // 2)
    path, pid = target.bench.start_query("waiting")
    cookie, _ = target.log_in()
    alone = query_time(path, cookie)
    before, clients = measure.memory(pid), []
    try:
        for _ in range(count):
            clients.append(ask(path, cookie, EVENTS, FIRST))
        held = measure.memory(pid) - before
        meanwhile = query_time(path, cookie)
    finally:
        for client in clients:
            client.close()
    return {"count": count, "each": held / count, "alone": alone,
            "meanwhile": meanwhile}
