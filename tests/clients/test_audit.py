# SPDX-License-Identifier: ISC
"""graphql-http's audit of GraphQL over HTTP: through the gateway the verdicts
are those of the backend itself, but for two rules of ours (issue 8)."""

import json

import pytest

# By the audit's id: what is ours to say. 9C48 asks with a mutation by GET,
# which is our own 405 (design 2.7); the others send a document that does not
# parse, which is our own answer: 200 for application/json, 400 for
# application/graphql-response+json, without data (design 2.5).
OURS = {"9C48", "572B", "865D", "556A", "D586", "FDE2", "51FE", "74FF", "5E5B"}


def verdicts(programs, url):
    done = programs.node("audit.js", url)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["id"]: one for one in found}


@pytest.mark.parametrize("served", ["/graphql", "/audit"],
                         ids=["graphql-yoga", "graphql-http"])
def test_audit(server, programs, gate_of, served):
    backend = f"http://127.0.0.1:{server.port}{served}"
    gate = gate_of("cookie", POSTERN_UPSTREAM=backend)
    alone = verdicts(programs, backend)
    through = verdicts(programs, f"http://localhost:{gate.port}/query")
    assert len(alone) > 50 and alone.keys() == through.keys() >= OURS
    different = {one: (alone[one], through[one]) for one in alone
                 if one not in OURS and alone[one] != through[one]}
    assert not different
    for one in OURS:
        assert through[one]["status"] == "ok", through[one]
