# SPDX-License-Identifier: ISC
"""tests/bench/run measures something. The figures themselves are not
tested: they depend on the machine, and on what else it does. And a short run of
tests/bench/soak, whose figures are."""

import json
import os
import subprocess

import gateway as gateways
import pytest

BENCH = os.path.join(gateways.ROOT, "tests/bench")

# One target of each kind: the others differ from these in a line or two.
SOME = ("floor-kept", "query-kept", "query-redis", "authorize",
        "query-lighttpd", "openidc", "query-apache")


def run(*arguments):
    return subprocess.run(
        [os.path.join(BENCH, "run"), "--quick", *arguments], timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "POSTERN_BUILD": gateways.BUILD})


@pytest.mark.uninstrumented  # it tests the script, not the programs
def test_every_kind_of_target(tmp_path):
    file = tmp_path / "figures"
    done = run("--json", str(file), "--only", *SOME)
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    assert set(figures["loads"]) == set(SOME)
    for name, row in figures["loads"].items():
        assert row["rate"] > 0 and row["tree"] > 0, name
        assert row["refused"] == row["broken"] == 0, name
    assert figures["loads"]["query-kept"]["own"] > 0
    assert figures["calls"]["query-kept"]["read"] >= 1
    assert figures["many"]["query-kept"]["memory"] > 0
    assert figures["many"]["query-kept"]["slow"]["p50"] >= 50000
    assert figures["waiting"]["count"] == 100
    assert figures["waiting"]["each"] > 1
    assert figures["starts"]["query"] > 0
    assert "| program of query to that of the floor, kept |" in done.stdout


@pytest.mark.uninstrumented  # a sanitizer keeps what was freed
@pytest.mark.parametrize("store", ["lmdb", "redis"])
def test_soak(store):
    """A short one: every answer is the expected one, and nothing grows."""
    done = subprocess.run(
        [os.path.join(BENCH, "soak"), "--store", store, "8000"], timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "POSTERN_BUILD": gateways.BUILD})
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 wrong answers\n" in done.stdout


def test_a_target_that_checks_nothing_is_not_measured(monkeypatch):
    """A figure counts only if a changed cookie is refused."""
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.setenv("POSTERN_BUILD", gateways.BUILD)
    import targets

    class Bench:
        ports = {"query": 1}
        body_file = __file__

        def ask_backend(self, path):
            return "tok_x" if path == "/seen" else ""

    class Open(targets.Target):
        def log_in(self):
            return "session=" + "a" * 40, "tok_x"

        def is_served(self, cookie):
            return True

    try:
        Open(Bench(), "query").check()
    except targets.CheckFailed as fault:
        assert "a changed cookie gets an answer" in str(fault)
    else:
        raise AssertionError("measured all the same")
