"""`countersign policy test` as a security team's build runs it."""
import json
import shutil
import subprocess
from pathlib import Path

import gate

ROOT = Path(__file__).resolve().parents[2]


def policy_test(*arguments):
    return subprocess.run([gate.binary(), "policy", "test", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_the_shipped_policies_pass_with_every_statement_reached():
    run = policy_test(ROOT / "policies", "--min-coverage", "100")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "none fails" in run.stdout and "(100 %)" in run.stdout


def test_a_widened_policy_fails_the_build_and_says_where(tmp_path):
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    (folder / "50-team.yaml").write_text('Countersign: 1\nId: team\nAgents: ["*"]\nStatement:\n'
                                         '  - {Sid: All, Effect: Allow, Action: "s3:*", Resource: "*"}\n')
    run = policy_test(folder)
    assert run.returncode == 1
    assert "must be  ask baseline/DataReadsAsk" in run.stdout and "but is   allow team/All" in run.stdout
    report = json.loads(policy_test(folder, "--json").stdout)
    failed = [c for c in report["cases"] if not c["passed"]]
    assert report["failed"] == len(failed) > 0 and all(c["found"] == "allow team/All" for c in failed)


def test_a_statement_that_no_case_reaches_is_counted(tmp_path):
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    (folder / "50-team.yaml").write_text('Countersign: 1\nId: team\nAgents: [someone]\nStatement:\n'
                                         '  - {Sid: Own, Effect: Allow, Action: "sqs:*", Resource: "*"}\n')
    assert policy_test(folder).returncode == 0
    run = policy_test(folder, "--min-coverage", "100")
    assert run.returncode == 1 and "50-team.yaml:5: team/Own decides no case" in run.stdout


def test_what_cannot_be_read_is_two_and_told_with_its_place(tmp_path):
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    (folder / "cases" / "wrong.yaml").write_text("Cases:\n  - {Action: s3:GetObjct, Says: deny byDefault}\n")
    run = policy_test(folder)
    assert run.returncode == 2 and run.stdout == ""
    assert "wrong.yaml:2:14: `s3:GetObjct` is no IAM action: did you mean `s3:GetObject`?" in run.stderr
    assert policy_test(tmp_path / "nowhere").returncode == 2
    assert policy_test(folder, "--min-coverage", "101").returncode == 2
