"""`countersign policy diff` as a security team's build runs it."""
import json
import shutil
import subprocess
from pathlib import Path

import gate

ROOT = Path(__file__).resolve().parents[2]


def policy_diff(*arguments):
    return subprocess.run([gate.binary(), "policy", "diff", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def folders(tmp_path, statements):
    """The shipped policies, and the same with a team's file of `statements`."""
    shutil.copytree(ROOT / "policies", tmp_path / "old")
    shutil.copytree(ROOT / "policies", tmp_path / "new")
    (tmp_path / "new" / "50-team.yaml").write_text('Countersign: 1\nId: team\nAgents: ["etl-*"]\nStatement:\n' + statements)
    return tmp_path / "old", tmp_path / "new"


def test_the_shipped_policies_and_their_copy_are_alike():
    run = policy_diff(ROOT / "policies", ROOT / "policies")
    assert run.returncode == 0 and run.stdout.startswith("no change: both decide every call alike"), run.stdout


def test_an_allow_that_a_team_adds_is_a_lost_gate_and_fails_either_way(tmp_path):
    old, new = folders(tmp_path, '  - {Sid: Own, Effect: Allow, Action: "s3:DeleteObject", Resource: "arn:aws:s3:::lake/*"}\n')
    run = policy_diff(old, new)
    assert run.returncode == 1
    assert "LOST GATE  ask -> allow\n  s3:DeleteObject for etl-*\n  on arn:aws:s3:::lake/*\n" in run.stdout
    assert "was by baseline/WritesAsk (10-baseline.yaml:28)\n  now by team/Own (50-team.yaml:5)" in run.stdout
    assert policy_diff(old, new, "--no-new-access").returncode == 1
    told = json.loads(policy_diff(old, new, "--json").stdout)
    assert told["widens"] and not told["same"]
    assert [(c["kind"], c["actions"], c["agents"]) for c in told["changes"]] == [("lost gate", ["s3:DeleteObject"], ["etl-*"])]


def test_what_only_takes_away_passes_where_no_new_access_is_asked(tmp_path):
    old, new = folders(tmp_path, '  - {Sid: None, Effect: Deny, Action: "s3:*", Resource: "*"}\n')
    run = policy_diff(old, new, "--no-new-access")
    assert run.returncode == 0 and "lost access" in run.stdout
    assert policy_diff(old, new).returncode == 1


def test_what_is_not_decided_is_not_passed(tmp_path):
    tied = ('  - {Sid: Deny, Effect: Deny, Action: "s3:GetObject", Resource: "arn:aws:s3:::home/${aws:PrincipalTag/team}/*"}\n')
    old, new = folders(tmp_path, tied)
    run = policy_diff(old, new, "--no-new-access")
    assert run.returncode == 1 and "NOT DECIDED" in run.stdout and "policy variable" in run.stdout


def test_what_cannot_be_read_is_two(tmp_path):
    old, new = folders(tmp_path, "  - {Sid: A}\n")
    run = policy_diff(old, new)
    assert run.returncode == 2 and run.stdout == "" and "50-team.yaml:5" in run.stderr
    assert policy_diff(old, tmp_path / "nowhere").returncode == 2


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], check=True, capture_output=True)


def test_a_folder_is_compared_with_what_git_has_of_it(tmp_path):
    repository = tmp_path / "repository"
    shutil.copytree(ROOT / "policies", repository / "deploy" / "policies")
    policies = repository / "deploy" / "policies"
    git(tmp_path, "init", "-q", "-b", "main", str(repository))
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "as they are")
    assert policy_diff("--base", "main", policies).returncode == 0
    team = policies / "50-team.yaml"
    team.write_text('Countersign: 1\nId: team\nAgents: ["etl-*"]\nStatement:\n'
                    '  - {Sid: Own, Effect: Allow, Action: "s3:DeleteObject", Resource: "arn:aws:s3:::lake/*"}\n')
    run = policy_diff("--base", "HEAD", policies, "--no-new-access")
    assert run.returncode == 1 and "LOST GATE  ask -> allow" in run.stdout and "now by team/Own (50-team.yaml:5)" in run.stdout
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "as they shall be")
    assert policy_diff("--base", "HEAD", policies).returncode == 0
    assert policy_diff("--base", "HEAD~1", policies).returncode == 1
    # A build's own variables of git lead to another repository.
    elsewhere = subprocess.run([gate.binary(), "policy", "diff", "--base", "HEAD~1", str(policies)], capture_output=True, text=True,
                               timeout=120, env={"PATH": "/usr/bin:/bin", "GIT_DIR": str(tmp_path / "nowhere")})
    assert elsewhere.returncode == 1, elsewhere.stderr

    def fault(*arguments):
        run = policy_diff(*arguments)
        assert run.returncode == 2 and run.stdout == ""
        return run.stderr
    assert "`nobranch` is no revision of the repository" in fault("--base", "nobranch", policies)
    assert "`--upload-pack=x` is no revision of git" in fault("--base=--upload-pack=x", policies)
    assert "is in no git repository" in fault("--base", "main", bare(tmp_path))
    assert "with --base one folder is given" in fault("--base", "main", policies, policies)
    assert "two folders are compared" in fault(policies)
    fresh = repository / "fresh"
    shutil.copytree(policies, fresh)
    assert "`HEAD` has no folder" in fault("--base", "HEAD", fresh)
    team.write_text("Countersign: 1\nId: team\n")
    git(repository, "commit", "-q", "-am", "broken")
    assert "at HEAD:\n50-team.yaml:1:1" in fault("--base", "HEAD", policies)
    (policies / "60-link.yaml").symlink_to("10-baseline.yaml")
    team.unlink()
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "a link")
    assert "`60-link.yaml` is no file at HEAD" in fault("--base", "HEAD", policies)


def bare(tmp_path):
    """A folder of policies that no repository holds."""
    folder = tmp_path / "bare"
    shutil.copytree(ROOT / "policies", folder)
    return folder
