"""`serve --laptop`: one person, sole approver, with a starter policy if they have none."""

import os
import stat
import subprocess

from gate import Gate


def laptop(gate_folder, verifier, *options) -> Gate:
    gate = Gate(gate_folder, verifier.url, same_uid=False, options=("--laptop", *options))
    gate.policies.rmdir()
    return gate


def test_it_makes_a_starter_policy_and_says_what_it_cannot_protect(gate_folder, verifier):
    gate = laptop(gate_folder, verifier)
    gate.start()
    said = (gate_folder / "gate.txt").read_text()
    assert "made a starter policy" in said and "WARNING: --laptop" in said and "not from intent" in said
    for path in [gate.policies, *gate.policies.iterdir()]:
        assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path
    assert gate.run("policy", "check", str(gate.policies), check=False).returncode in (0, 1)
    gate.stop()
    (gate.policies / "mine.yaml").write_text("Countersign: 1\nId: mine\nAgents: ['*']\nStatement: []\n")
    (gate.policies / "mine.yaml").chmod(0o600)
    gate.start()
    assert (gate.policies / "mine.yaml").exists(), "what is there stays"
    gate.stop()


def test_other_approvers_are_refused(gate_folder, verifier):
    gate = laptop(gate_folder, verifier)
    gate.policies.mkdir(mode=0o700)
    for people in ["  - {Name: bob, Uids: [61002]}", f"  - {{Name: a, Uids: [{os.getuid()}]}}\n  - {{Name: b, Uids: [61002]}}"]:
        (gate.policies / "approvers.yaml").write_text(f"Countersign: 1\nPeople:\n{people}\n")
        (gate.policies / "approvers.yaml").chmod(0o600)
        done = subprocess.run(gate.command(), env=gate.environment(), capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and "--laptop is for one person" in done.stderr, done
