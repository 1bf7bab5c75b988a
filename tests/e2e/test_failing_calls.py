# SPDX-License-Identifier: ISC
"""Every allocation and every system call of a request fails once: the n-th, for
every n. Nothing crashes, but for libfcgi's own assertion that it gets memory; no
success is answered that is not one; no session begins or lives that should not;
nothing leaks.
"""
import contextlib
import os

import pytest
from failing_calls import (ALL, CASES, MEMORY, ONE, SYSTEM, WRITES, Case,
                           FailingCalls, Served, Site, run_cgi, sweep)

# A sanitizer has calls of its own.
pytestmark = pytest.mark.uninstrumented

# Without a store, a cookie that was logged out still works.
WITHOUT_STORE = ("login", "query", "session", "authorize")


@pytest.fixture(name="sites", scope="module")
def sites_fixture(tmp_path_factory):
    """The site with a store, and the one without."""
    sites = {}

    def get(name, **variables):
        if name not in sites:
            sites[name] = Site(str(tmp_path_factory.mktemp("site")),
                               **variables)
        return sites[name]

    yield get
    for site in sites.values():
        site.close()


@pytest.fixture(name="case", params=[
    *CASES, *(f"{name} without store" for name in WITHOUT_STORE)])
def case_fixture(request, sites):
    name, _, is_without = request.param.partition(" ")
    site = (sites("none", POSTERN_STORE="none") if is_without
            else sites("lmdb"))
    return Case(site, name)


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
    assert run_every_cgi(case, calls, ONE, MEMORY | SYSTEM, variants=False,
                         from_request=True) > 20


def test_fastcgi_with_one_failure(case, calls):
    assert run_every_fastcgi(case, calls, ONE, MEMORY | SYSTEM,
                             variants=False) > 20


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
