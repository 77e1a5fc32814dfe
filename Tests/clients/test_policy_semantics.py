"""The semantics table against the reference reading, and a short run of both readings against each other."""
import subprocess
import sys
from pathlib import Path

import pytest

import policyreference as reference
from policytable import FIXED, table

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_reads_the_table_as_documentation_does():
    cells = list(table())
    assert len(cells) >= 600
    wrong = [(source, condition, values, truth) for source, condition, values, truth in cells
             if reference.condition_holds(condition, FIXED | {"x:k": values}) is not truth]
    assert not wrong


@pytest.mark.parametrize("seed", [1, 2])
def test_both_readings_agree_on_random_policies(seed):
    run = subprocess.run([sys.executable, ROOT / "scripts/policy-differential", "2000", "--calls", "50", "--seed", str(seed)],
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert " 0 differences" in run.stdout
