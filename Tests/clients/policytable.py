"""fixtures/policies/semantics.txt, read."""
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = {"y": True, "n": False, "u": None}
FIXED = {"v:one": ["a"], "v:star": ["*"], "v:two": ["a", "b"], "v:none": [], "v:empty": [""], "v:open": None}


def table():
    """Each cell of fixtures/policies/semantics.txt: its source, condition, values of `x:k`, and truth."""
    source, columns = "", []
    for line in (ROOT / "fixtures/policies/semantics.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            source = line[2:]
        elif line.startswith(": "):
            columns = [{"missing": [], "empty": [], "?": None}[c] if c in ("missing", "empty", "?") else json.loads(c) for c in line[2:].split(" | ")]
        elif line and not line.startswith("#"):
            condition, truths = line.split(" => ")
            for values, truth in zip(columns, truths.split(), strict=True):
                yield source, json.loads(condition), values, WORDS[truth]
