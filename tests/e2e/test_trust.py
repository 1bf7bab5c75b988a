# SPDX-License-Identifier: ISC
"""Three invariants hold for every request (design 2.5, L53 to L59, L67): no
client receives a secret of the backend; a session has only the user that the
backend authenticated in that request (R7); no account gets more login attempts than
the limit. The test generates thousands of requests; at least half of them reach
the backend. It runs again with a backend that parses as leniently as possible.

POSTERN_TRUST_REQUESTS is the number of requests for each setting (300).
POSTERN_TRUST_SEED selects other requests.
"""
import os
import zlib

import canary
import hostile
import hostile_documents
import hostile_requests
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies

REQUESTS = int(os.environ.get("POSTERN_TRUST_REQUESTS", "300"))
SEED = os.environ.get("POSTERN_TRUST_SEED", "")
INTEGERS = {}  # n: a strategy for 0..n-1

# The preset, where the backend's token is, the token method, how the backend
# compares names, and how complete its errors are.
VARIANTS = [
    ("fauna", "json:secret", "cookie", "coarse", "full"),
    ("fauna", "json:session/secret", "bearer", "exact", "bare"),
    ("fauna", "header:vendure-auth-token", "cookie", "exact", "full"),
    ("fauna", "header:x-api-token", "bearer", "coarse", "bare"),
    ("fauna", "cookie", "cookie", "coarse", "bare"),
    ("fauna", "cookie", "bearer", "exact", "full"),
    ("vendure", "json:token", "cookie", "coarse", "bare"),
    ("vendure", "json:secret", "bearer", "exact", "full"),
    ("vendure", "header:vendure-auth-token", "cookie", "coarse", "full"),
    ("vendure", "header:vendure-auth-token", "bearer", "exact", "bare"),
    ("vendure", "cookie", "cookie,bearer", "exact", "full"),
    ("vendure", "cookie", "bearer", "coarse", "bare"),
]
SETTINGS = [
    hostile.Setting(preset, place, method, worst, fold, errors)
    for worst in (False, True)
    for preset, place, method, fold, errors in VARIANTS]


def chooser(data):
    def draw(n):
        if n not in INTEGERS:
            INTEGERS[n] = strategies.integers(0, n - 1)
        return data.draw(INTEGERS[n])
    return hostile_documents.Chooser(draw)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_trust_invariants_hold(setting):
    """L53 to L59 and L67, for a strict and for a lenient backend."""
    checker = hostile.Checker(setting)
    try:
        world = hostile_documents.World(checker)
        sent = [0]

        @seed(zlib.crc32((SEED + str(setting)).encode()))
        @settings(max_examples=REQUESTS, deadline=None, database=None,
                  phases=(Phase.generate, Phase.shrink),
                  suppress_health_check=list(HealthCheck))
        @given(strategies.data())
        def send_request(data):
            sent[0] += 1
            checker.check(*hostile_requests.request(chooser(data), world))

        # Documents have passwords anywhere, and the backend's errors quote them.
        with canary.allowed("a password"):
            send_request()
        checker.check_limit()
        assert sent[0] >= REQUESTS * 9 // 10, sent
        assert checker.reached * 2 >= sent[0], (checker.reached, sent)
        assert checker.named > 0 and checker.logins > 0, vars(checker)
    finally:
        checker.close()
