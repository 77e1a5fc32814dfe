"""Mutated requests, read by the gate and by a strict second reading in Python (scripts/differential): never two meanings."""

import os

from gate import binary
from test_digest import load

SECONDS = 20


def test_no_request_is_read_in_two_ways():
    # Always the same requests, so that a commit is judged by what it changes; scripts/differential digs with others.
    seed = int(os.environ.get("SEED", 20261124))
    differential = load("differential")
    counts, findings = differential.run(f"{binary()} debug recognize --jsonl", seed, SECONDS)
    assert not findings, f"SEED={seed}\n" + "\n".join(differential.shown(*row) for row in findings[:5])
    # Where nothing is compared, nothing can differ.
    assert counts["seed equal"] >= 0.95 * sum(n for name, n in counts.items() if name.startswith("seed "))
    judged = counts["equal"] + counts["refused"] + counts["stricter"] + counts["open"] + counts["unjudged"]
    assert counts["equal"] >= 0.1 * judged and counts["unjudged"] <= 0.05 * judged, dict(counts)
