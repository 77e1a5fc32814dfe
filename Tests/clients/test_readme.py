"""Every command of the README is run: its ```sh blocks, in order, as one shell; `# refused` marks one that must fail."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from gate import binary
from stand import REPOSITORY, clean_environment

LINES_MAX = 120


def commands(text: str) -> str:
    """One script of the `sh` blocks. A command whose line ends in `# refused` must end with an error."""
    script = ["set -eu", "refused() { echo \"README: not refused: $1\"; exit 1; }"]
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M):
        for command in re.sub(r"\\\n\s*", " ", block).splitlines():
            if match := re.match(r"(.*\S)\s+#\s*refused\b.*", command):
                script.append(f"if {match.group(1)}; then refused '{match.group(1).replace(chr(39), '')}'; fi")
            else:
                script.append(command)
    return "\n".join(script)


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= LINES_MAX


def test_every_command_of_the_readme_runs(tmp_path):
    script = commands((REPOSITORY / "README.md").read_text())
    assert script.count("\n") > 3, "the README has no ```sh block"
    programs = [str(Path(sys.executable).parent), str(Path(binary()).parent), os.environ["PATH"]]
    environment = clean_environment(tmp_path) | {"PATH": ":".join(programs), "XDG_RUNTIME_DIR": str(tmp_path)}
    output = tmp_path / "output.txt"
    with open(output, "wb") as sink:
        # To a file: what the README leaves running would keep a pipe open.
        child = subprocess.Popen(["bash", "-c", script], cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL,
                                 stdout=sink, stderr=sink, start_new_session=True)
    try:
        assert child.wait(600) == 0, output.read_text()[-4000:]
    finally:
        # What the README starts in the background belongs to this session alone.
        try:
            os.killpg(child.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass


def test_a_refusal_is_marked_and_must_be_one():
    script = commands("```sh\ntrue\nfalse \\\n  a   # refused: because\n```\n```console\nfalse\n```\n")
    assert subprocess.run(["bash", "-c", script]).returncode == 0
    assert subprocess.run(["bash", "-c", commands("```sh\ntrue  # refused\n```\n")]).returncode == 1
    assert subprocess.run(["bash", "-c", commands("```sh\nfalse\n```\n")]).returncode == 1
