# SPDX-License-Identifier: ISC
"""Whatever a client asks for, three sentences hold (design 2.5, L53 to L59,
L67): no secret of the backend's reaches it; a session names nobody but the
account that the backend granted in that request; no account gets more guesses
than the limit. Thousands of generated requests, of which at least half reach
the backend; then the same behind the worst reader.

POSTERN_TRUST_REQUESTS is how many each way to set both up gets (300), and
POSTERN_TRUST_SEED chooses others.
"""
import os
import zlib

import hostile
import hostile_documents
import hostile_requests
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies

REQUESTS = int(os.environ.get("POSTERN_TRUST_REQUESTS", "300"))
SEED = os.environ.get("POSTERN_TRUST_SEED", "")
DRAWS = {}  # n: a strategy for 0..n-1

# A preset, the token's place, how ours travels, and how names are compared.
WAYS = [
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
    for preset, place, method, fold, errors in WAYS]


def chooser(data):
    def draw(n):
        if n not in DRAWS:
            DRAWS[n] = strategies.integers(0, n - 1)
        return data.draw(DRAWS[n])
    return hostile_documents.Chooser(draw)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_three_sentences_hold(setting):
    """L53 to L59 and L67, whoever reads what we pass on."""
    checker = hostile.Checker(setting)
    try:
        world = hostile_documents.World(checker)
        sent = [0]

        @seed(zlib.crc32((SEED + str(setting)).encode()))
        @settings(max_examples=REQUESTS, deadline=None, database=None,
                  phases=(Phase.generate, Phase.shrink),
                  suppress_health_check=list(HealthCheck))
        @given(strategies.data())
        def attack(data):
            sent[0] += 1
            checker.check(*hostile_requests.request(chooser(data), world))

        attack()
        checker.check_limit()
        assert sent[0] >= REQUESTS * 9 // 10, sent
        assert checker.reached * 2 >= sent[0], (checker.reached, sent)
        assert checker.named > 0 and checker.logins > 0, vars(checker)
    finally:
        checker.close()
