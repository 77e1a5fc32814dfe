"""The hard set: its rows have the form that its README says, scripts/hard-set judges as it claims, and the code meets it."""

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest

from gate import binary

ROOT = Path(__file__).resolve().parent.parent.parent
CLASSES = {
    "rename", "value-form", "default", "id-prefix", "several-pairs", "parts-elsewhere", "not-knowable", "api-gateway",
    "pass-role", "tags", "other-name", "star",
}
KEYS = {"service", "operation", "parameters", "account", "region", "pairs", "class", "page"}


def load():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("hard_set", str(ROOT / "scripts/hard-set"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("hard_set", loader))
    loader.exec_module(module)
    return module


hard_set = load()
ROWS = list(hard_set.rows_of(ROOT / "fixtures/hard"))


def test_every_row_has_its_form_and_its_page():
    session, calls = botocore.session.get_session(), set()
    for place, _, row in ROWS:
        assert set(row) - {"why"} == KEYS, place
        assert row["class"] in CLASSES and row["page"].endswith(".html"), place
        assert row["operation"] in session.get_service_model(row["service"]).operation_names, place
        assert row["pairs"] and len({tuple(pair) for pair in row["pairs"]}) == len(row["pairs"]), place
        for action, resource in row["pairs"]:
            prefix, _, name = action.partition(":")
            assert prefix and name, place
            assert resource in ("*", "<unknown>") or resource.startswith("arn:"), place
        call = (row["service"], row["operation"], repr(row["parameters"]), row["region"], row["account"])
        assert call not in calls, f"{place} is there twice"
        calls.add(call)


def test_it_is_as_large_as_was_asked():
    assert len(ROWS) >= 400
    assert len({row["service"] for _, _, row in ROWS}) >= 100


ARN = "arn:aws:x:us-east-1:111122223333:"
ROW = {"pairs": [["x:Get", ARN + "thing/a/<unknown>"], ["x:Put", ARN + "other"]]}


@pytest.mark.parametrize(
    "found, verdict",
    [
        ([("x:Put", "other"), ("x:Get", "thing/a/<unknown>")], "exact"),
        ([("x:Put", "other"), ("X:get", "thing/a/<unknown>")], "exact"),
        ([("x:Put", "other"), ("x:Get", "thing/<unknown>")], "unknown"),
        ([("x:Put", "other"), ("x:Get", "thing/a/<unknown>"), ("x:Get", "<unknown>")], "unknown"),
        # Says more than the request does.
        ([("x:Put", "other"), ("x:Get", "thing/a/b")], "wrong"),
        ([("x:Put", "other"), ("x:Get", "thing/a/<unknown 6>")], "wrong"),
        ([("x:Put", "other"), ("x:Get", "thing/b/<unknown>")], "wrong"),
        # Lacks an action, a resource; has one too many.
        ([("x:Get", "thing/a/<unknown>")], "wrong"),
        ([("x:Put", "else"), ("x:Get", "thing/a/<unknown>")], "wrong"),
        ([("x:Put", "other"), ("x:Get", "thing/a/<unknown>"), ("x:Get", "thing/z/<unknown>")], "wrong"),
        ([("x:Put", "other"), ("x:Get", "thing/a/<unknown>"), ("x:List", "<unknown>")], "wrong"),
    ],
)
def test_a_row_is_judged(found, verdict):
    pairs = [{"action": action, "resource": r if r == "<unknown>" else ARN + r} for action, r in found]
    assert hard_set.judge(ROW, {"pairs": pairs}) == verdict


def test_an_error_is_a_refusal():
    assert hard_set.judge(ROW, {"error": {"code": "Ambiguous", "message": "m"}}) == "refused"


@pytest.mark.parametrize(
    "weak, strong, covered",
    [
        ("secret:a-<unknown 6>", "secret:a-<unknown 6>", True),
        ("secret:a-<unknown>", "secret:a-<unknown 6>", True),
        ("secret:a-<unknown 6>", "secret:a-<unknown>", False),
        ("secret:a-<unknown 6>", "secret:a-AbCdEf", True),
        ("secret:a-<unknown 6>", "secret:a-AbCdE", False),
        ("<unknown>", "*", True),
        ("*", "<unknown>", False),
        ("a.c", "abc", False),
    ],
)
def test_one_resource_covers_another(weak, strong, covered):
    assert hard_set.covers(weak, strong) == covered


def test_no_call_names_a_wrong_resource_and_nearly_all_are_exact():
    """What issue 3 asks of the code: none wrong, 95 % exact; the rest says less than it might."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/hard-set"), "--show", "50", "--command", f"{binary()} debug recognize --jsonl --region us-east-1"],
        capture_output=True, text=True, check=False, timeout=300)
    found = re.search(r"^([0-9.]+) % of (\d+) exact, (\d+) wrong$", done.stdout, re.M)
    assert found and done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    exact, rows, wrong = float(found[1]), int(found[2]), int(found[3])
    assert wrong == 0 and exact >= 95 and rows == len(ROWS), done.stdout[-6000:]
