# SPDX-License-Identifier: ISC
"""Every allocation and every system call of a request, and of the start, fails
once: the n-th, for every n; or all from the n-th on; or each transfer is of half
the bytes. Nothing crashes, but for libfcgi's own assertion that it gets memory; no
success is answered that is not one; no session begins or lives that should not;
nothing leaks.
"""
import contextlib
import functools
import os

import pytest
from failing_calls import (ALL, CASES, MEMORY, ONE, PROGRAMS, SHORT, SHORT_ALL,
                           SYSTEM, TRANSFERS, WRITES, Case, FailingCalls,
                           Served, Site, run_cgi, run_start, sweep)
from redis_server import Redis
from tls_proxy import Certificates

# A sanitizer has calls of its own.
pytestmark = pytest.mark.uninstrumented

STORES = {
    "lmdb": CASES,
    # Without a store, a cookie that was logged out still works.
    "none": ("login", "query", "session", "authorize"),
    "redis": ("login", "query", "logout", "ended-session", "delete-session",
              "ended-authorize")}


@pytest.fixture(name="sites", scope="module")
def sites_fixture(tmp_path_factory):
    """get(STORE) returns the site with this store. Where it has none, each
    request also connects to the backend: by https:// if STORE is "https"."""
    with contextlib.ExitStack() as ending:
        @functools.cache
        def get(store):
            variables = {}
            if store == "https":
                certificates = Certificates()
                ending.callback(certificates.close)
                variables["certificates"] = certificates
            if store in ("none", "https"):
                variables["POSTERN_STORE"] = "none"
            elif store == "redis":
                redis = Redis()
                ending.callback(redis.close)
                variables["POSTERN_STORE"] = redis.url
            site = Site(str(tmp_path_factory.mktemp("site")),
                        keeps=store not in ("none", "https"), **variables)
            ending.callback(site.close)
            return site

        yield get


@pytest.fixture(name="case", ids="-".join, params=[
    (store, name) for store, names in STORES.items() for name in names])
def case_fixture(request, sites):
    store, name = request.param
    return Case(sites(store), name)


@pytest.fixture(name="calls")
def calls_fixture(tmp_path):
    return FailingCalls(tmp_path / "calls")


def run_every_cgi(case, calls, mode, classes, **options):
    """How often a call was made to fail."""
    def run():
        run_cgi(case, calls)
        case.site.expect_to_work()

    return sweep(calls, run, mode, classes, **options)


def run_every_fastcgi(case, calls, mode, classes, **options):
    def run():
        served.run_without_leak()
        case.site.expect_to_work()

    with Served(case, calls) as served:
        return sweep(calls, run, mode, classes, **options)


def test_cgi_with_one_failure(case, calls):
    assert run_every_cgi(case, calls, ONE, MEMORY | SYSTEM,
                         from_request=True) > 20


@pytest.mark.parametrize("mode", [SHORT, SHORT_ALL])
def test_cgi_with_short_transfers(case, calls, mode):
    assert run_every_cgi(case, calls, mode, TRANSFERS, from_request=True) > 0


@pytest.mark.parametrize("mode", [SHORT, SHORT_ALL])
def test_fastcgi_with_short_transfers(case, calls, mode):
    assert run_every_fastcgi(case, calls, mode, TRANSFERS) > 0


def test_cgi_from_one_failure_on(case, calls):
    assert run_every_cgi(case, calls, ALL, MEMORY | SYSTEM, variants=False,
                         from_request=True) > 20


def test_fastcgi_without_memory_from_one_allocation_on(case, calls):
    """Memory only: while every system call fails, a program does not answer."""
    assert run_every_fastcgi(case, calls, ALL, MEMORY) > 10


def test_fastcgi_with_one_failure(case, calls):
    assert run_every_fastcgi(case, calls, ONE, MEMORY | SYSTEM,
                             variants=False) > 20


# A backend behind https://.


@pytest.mark.parametrize("name", ["query", "login"])
def test_cgi_with_one_failed_system_call_and_https_backend(sites, calls, name):
    """Not memory: to start, libcurl and OpenSSL allocate 10,000 times. What an
    exchange allocates fails by FastCGI."""
    case = Case(sites("https"), name)
    assert run_every_cgi(case, calls, ONE, SYSTEM, variants=False,
                         from_request=True) > 20


@pytest.mark.parametrize("name", ["query", "login"])
def test_fastcgi_with_one_failure_and_https_backend(sites, calls, name):
    case = Case(sites("https"), name)
    assert run_every_fastcgi(case, calls, ONE, MEMORY | SYSTEM,
                             variants=False) > 500


@pytest.mark.parametrize("name", PROGRAMS)
def test_start_with_one_failure(sites, calls, name):
    """Of a folder that it may not open, a program knows nothing until it is
    started again: so only the first error of each call. Without memory,
    libseccomp may load a filter with which a program can only be killed."""
    case = Case(sites("lmdb"), name)
    assert sweep(calls, lambda: run_start(case, calls), ONE, SYSTEM,
                 variants=False) > 80
    assert sweep(calls, lambda: run_start(case, calls, "off"), ONE,
                 MEMORY) > 80


# The log.


@contextlib.contextmanager
def full_pipe():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("log", ["closed", "full pipe", "full disk",
                                 "full disk as stderr"])
def test_log_that_cannot_be_written_spoils_no_answer(case, calls, log):
    variables = {"POSTERN_LOG_LEVEL": "debug"}
    with full_pipe() as pipe, open("/dev/full", "wb") as full:
        if log == "closed":
            run_cgi(case, calls, variables, stderr=None,
                    preexec_fn=lambda: os.close(2))
        elif log == "full disk":
            run_cgi(case, calls, {**variables, "POSTERN_LOG": "/dev/full"})
        else:
            run_cgi(case, calls, variables,
                    stderr=pipe if log == "full pipe" else full)


@pytest.mark.parametrize("mode", [ONE, ALL])
def test_line_that_cannot_be_written_spoils_no_answer(
        case, calls, mode, tmp_path):
    variables = {"POSTERN_LOG_LEVEL": "debug",
                 "POSTERN_LOG": str(tmp_path / "log")}

    def run():
        task, answer = run_cgi(case, calls, variables)
        case.check_good(task, answer)

    # EINTR each time would be no error of the log.
    assert sweep(calls, run, mode, WRITES, variants=mode == ONE) > 0
