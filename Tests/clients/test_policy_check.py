"""`countersign policy check` as a security team's build runs it, and its SARIF as code scanning reads it."""
import json
import shutil
import subprocess
from pathlib import Path

import gate

ROOT = Path(__file__).resolve().parents[2]
TEAM = 'Countersign: 1\nId: team\nAgents: ["*"]\nStatement:\n'
ALL = TEAM + '  - {Sid: All, Effect: Allow, Action: "*", Resource: "*"}\n'
LEVELS = ("none", "note", "warning", "error")


def policy_check(*arguments, cwd=ROOT):
    return subprocess.run([gate.binary(), "policy", "check", *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd)


def shipped(tmp_path, **files):
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def check_sarif(log):
    """What the schema of SARIF 2.1.0 requires, by hand: members, their types, and the values of enumerations."""
    assert log["version"] == "2.1.0" and isinstance(log["runs"], list)
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        assert isinstance(driver["name"], str)
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(set(ids)) == len(ids)
        for rule in driver["rules"]:
            assert rule["shortDescription"]["text"] and rule["help"]["text"]
            assert rule["defaultConfiguration"]["level"] in LEVELS
        for invocation in run["invocations"]:
            assert isinstance(invocation["executionSuccessful"], bool)
        for result in run["results"]:
            assert result["message"]["text"] and result["level"] in LEVELS
            assert ids[result["ruleIndex"]] == result["ruleId"]
            assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
            for location in result["locations"]:
                place = location["physicalLocation"]
                assert " " not in place["artifactLocation"]["uri"]
                assert place["region"]["startLine"] >= 1 and place["region"]["startColumn"] >= 1
                for logical in location.get("logicalLocations", []):
                    assert logical["fullyQualifiedName"]
            for suppression in result.get("suppressions", []):
                assert suppression["kind"] in ("inSource", "external") and suppression["justification"]
    return log["runs"][0]


def test_the_shipped_policies_are_clean_at_the_usual_level_and_only_there():
    run = policy_check()
    assert run.returncode == 0, run.stdout
    assert "0 errors, 0 warnings" in run.stdout
    strict = policy_check("--fail-on", "note", "--all")
    assert strict.returncode == 1 and "[vending-by-wildcard]" in strict.stdout
    assert "ignored: " in strict.stdout and "because: one person tries the gate out" in strict.stdout


def test_a_wide_policy_fails_the_build_with_its_place(tmp_path):
    folder = shipped(tmp_path, team=ALL)
    run = policy_check(folder)
    assert run.returncode == 1
    assert f"{folder}/team.yaml:5:39: error: `team/All` allows every action on every resource [allow-everything]" in run.stdout
    report = json.loads(policy_check(folder, "--json").stdout)
    assert report["loaded"] and not report["passed"] and report["errors"] == 1 and report["fail_on"] == "warning"
    found = next(f for f in report["findings"] if f["rule"] == "allow-everything")
    assert (found["line"], found["column"], found["statement"], found["text"]) == (5, 39, "team/All", "*")
    assert found["suggestion"] and found["ignored"] is None


def test_a_level_decides_what_fails(tmp_path):
    folder = shipped(tmp_path, team=TEAM + "  - {Sid: Q, Effect: Allow, Action: sqs:ReceiveMessage, Resource: \"*\"}\n")
    assert policy_check(folder).returncode == 1
    assert policy_check(folder, "--fail-on", "error").returncode == 0
    assert policy_check(folder, "--fail-on", "fatal").returncode == 2
    assert policy_check(folder, "--json", "--format", "sarif").returncode == 2


def test_a_finding_is_ignored_with_a_reason_and_counts_again_without(tmp_path):
    folder = shipped(tmp_path, team=ALL)
    entries = (folder / "check" / "ignore.yaml").read_text()
    (folder / "check" / "ignore.yaml").write_text(
        entries + "  - {Rule: allow-everything, Statement: team/All, Reason: a sandbox account}\n"
        + "".join(f"  - {{Rule: {rule}, Reason: a sandbox account}}\n" for rule in ("ask-never-asks", "duplicate", "gate-bypassed")))
    run = policy_check(folder)
    assert run.returncode == 0, run.stdout
    sarif = check_sarif(json.loads(policy_check(folder, "--format", "sarif").stdout))
    ignored = next(r for r in sarif["results"] if r["ruleId"] == "allow-everything")
    assert ignored["suppressions"] == [{"kind": "external", "justification": "a sandbox account"}]
    (folder / "check" / "ignore.yaml").unlink()
    assert policy_check(folder).returncode == 1


def test_sarif_says_what_json_says(tmp_path):
    folder = shipped(tmp_path, team=ALL)
    (tmp_path / "policies").rename(tmp_path / "my policies")
    run = policy_check("my policies", "--format", "sarif", cwd=tmp_path)
    assert run.returncode == 1
    sarif = check_sarif(json.loads(run.stdout))
    report = json.loads(policy_check("my policies", "--json", cwd=tmp_path).stdout)
    assert [r["ruleId"] for r in sarif["results"]] == [f["rule"] for f in report["findings"]]
    assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in sarif["results"]} >= {"my%20policies/team.yaml"}
    assert sarif["invocations"] == [{"executionSuccessful": True}]
    assert folder.name == "policies"


def test_what_does_not_load_is_two_and_a_finding_in_every_form(tmp_path):
    folder = shipped(tmp_path, team=ALL.replace('"*", R', "s3:GetObjct, R"))
    run = policy_check(folder)
    assert run.returncode == 2
    assert "team.yaml:5:39: error: action `s3:GetObjct`: no IAM action matches: did you mean `s3:GetObject`? [unknown-action-pattern]" in run.stdout
    report = json.loads(policy_check(folder, "--json").stdout)
    assert not report["loaded"] and [f["rule"] for f in report["findings"]] == ["unknown-action-pattern"]
    run = policy_check(folder, "--format", "sarif")
    assert run.returncode == 2
    sarif = check_sarif(json.loads(run.stdout))
    assert sarif["invocations"] == [{"executionSuccessful": False}]
    region = sarif["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"]) == (5, 39)


def test_a_folder_that_cannot_be_read_is_two_and_a_finding(tmp_path):
    run = policy_check(tmp_path / "nowhere", "--format", "sarif")
    assert run.returncode == 2 and check_sarif(json.loads(run.stdout))["results"][0]["ruleId"] == "does-not-load"
    folder = shipped(tmp_path)
    (folder / "10-baseline.yaml").chmod(0o666)
    run = policy_check(folder)
    assert run.returncode == 2 and "10-baseline.yaml" in run.stdout
