"""docs/policy.md, "In ten minutes": its files are written, its commands run, and what they print is what the page says."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from gate import binary

PAGE = Path(__file__).resolve().parents[2] / "docs/policy.md"
# A file that the reader writes, under its name, or a block of commands with what they print.
PIECE = re.compile(r"^`([a-z./-]+)`[^\n]*:\n\n```\w*\n(.*?)^```$|^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_first_ten_minutes_are_as_the_page_says(tmp_path):
    part = PAGE.read_text(encoding="utf-8").split("## In ten minutes\n")[1].split("\n## ")[0]
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "countersign").symlink_to(Path(binary()).resolve())
    environment = dict(os.environ, PATH=f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    commands = 0
    for name, text, console in (piece.groups() for piece in PIECE.finditer(part)):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
            continue
        for command, expected in re.findall(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", console, re.MULTILINE):
            run = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
            assert run.stdout == expected, f"$ {command}"
            commands += 1
    assert commands >= 8


def test_each_error_that_the_page_quotes_is_one():
    part = PAGE.read_text(encoding="utf-8").split("## What is refused, and why\n")[1].split("\n## ")[0]
    quoted = [cell.strip() for cell in re.findall(r"^\| `` ?(.*?)`` \|", part, re.MULTILINE)]
    people = "Countersign: 1\nPeople:\n  - {Name: alice, Uids: [1001]}\n  - {Name: bob, Uids: [1002]}\nGroups:\n  oncall: [alice, bob]\n"
    lines = []
    for path in sorted((PAGE.parents[1] / "fixtures/policies/refused").glob("*.yaml")):
        files = {path.name: path.read_bytes().decode("utf-8", "replace"), "approvers.yaml": people}
        lines.append(json.dumps({"files": files, "calls": []}))
    run = subprocess.run([binary(), "debug", "decide", "--jsonl"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60)
    said = [error for line in run.stdout.splitlines() for error in json.loads(line).get("errors", [])]
    assert len(quoted) >= 12 and not [text for text in quoted if not any(text in error for error in said)]
