"""`countersign policy test` as a security team's build runs it."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
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


ORDERS = """\
Countersign: 1
Id: orders
Agents: ["support-*"]
Statement:
  - {Sid: Read, Effect: Allow, Action: "dynamodb:GetItem", Resource: "arn:aws:dynamodb:us-east-1:111122223333:table/orders"}
  - Sid: DeletesAsk
    Effect: AllowWithApproval
    Action: [dynamodb:DeleteItem, dynamodb:BatchWriteItem]
    Resource: "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
    Approval: {Approvers: [alice]}
  - {Sid: Copies, Effect: Allow, Action: ["s3:GetObject", "s3:PutObject"], Resource: "arn:aws:s3:::lake/${countersign:Agent}/*"}
"""

MADE = """\
Cases:
  - Run: aws dynamodb delete-item --table-name orders --key '{"id":{"S":"o 91"}}'
    Agent: support-7
    Says: ask orders/DeletesAsk
  - Run: aws dynamodb get-item --table-name orders --key '{"id":{"S":"1"}}'
    Agent: support-7
    Says: allow orders/Read
  - {Run: 'aws dynamodb get-item --table-name orders --key "{}"', Agent: support-7, Region: eu-west-1, Says: deny byDefault}
  - {Run: aws s3api copy-object --bucket lake --key support-8/b --copy-source lake/support-7/a, Agent: support-7, Says: deny byDefault}
  - {Request: raw/copy.http, Agent: support-7, Says: deny byDefault}
  - {Request: raw/copy.http, Agent: support-8, Says: allow orders/Copies}
"""
COPY = """\
PUT /lake/support-8/b HTTP/1.1
Host: s3.us-east-1.amazonaws.com
X-Amz-Copy-Source: /lake/support-8/a
Content-Length: 0

"""


def orders(tmp_path, cases):
    """A folder of policies with `cases` and a raw request beside them."""
    folder = tmp_path / "policies"
    (folder / "cases" / "raw").mkdir(parents=True)
    (folder / "orders.yaml").write_text(ORDERS)
    (folder / "approvers.yaml").write_text("Countersign: 1\nPeople:\n  - {Name: alice, Uids: [1001]}\n")
    (folder / "cases" / "orders.yaml").write_text(cases)
    (folder / "cases" / "raw" / "copy.http").write_text(COPY)
    return folder


def with_clients(*arguments, path=None):
    own = dict(os.environ, PATH=path or f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return subprocess.run([gate.binary(), "policy", "test", *map(str, arguments)], env=own, capture_output=True, text=True, timeout=180)


def test_command_lines_and_raw_requests_are_made_and_judged_with_all_their_pairs(tmp_path):
    folder = orders(tmp_path, MADE)
    run = with_clients(folder, "--min-coverage", "100", "--all")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "orders.yaml:2: support-7: aws dynamodb delete-item --table-name orders --key {\"id\":{\"S\":\"o 91\"}}: ask orders/DeletesAsk" \
        in run.stdout
    assert run.stdout.endswith("6 cases, none fails; 3 of 3 statements decide one (100 %)\n")
    report = json.loads(with_clients(folder, "--json").stdout)
    assert [c.get("run", ["", c.get("request")])[1] for c in report["cases"]] == ["dynamodb"] * 3 + ["s3api"] + ["raw/copy.http"] * 2
    assert report["untried"] == report["failed"] == 0


def test_a_made_case_that_fails_says_what_is_said_instead(tmp_path):
    folder = orders(tmp_path, MADE.replace("Says: allow orders/Copies", "Says: ask orders/Copies"))
    run = with_clients(folder)
    assert run.returncode == 1
    assert "orders.yaml:11: support-8: the request in raw/copy.http\n  must be  ask orders/Copies\n  but is   allow orders/Copies" in run.stdout
    assert "6 cases, 1 failed; " in run.stdout


def test_a_case_that_cannot_be_tried_is_no_case_that_is_skipped(tmp_path):
    cases = ("Cases:\n  - {Run: aws s3 ls, Says: deny byDefault}\n  - {Request: raw/none.http, Says: deny byDefault}\n"
             "  - {Request: raw/half.http, Says: deny byDefault}\n  - {Run: aws s3 rm, Says: deny byDefault}\n"
             "  - {Action: s3:GetObject, Says: deny byDefault}\n")
    folder = orders(tmp_path, cases)
    (folder / "cases" / "raw" / "half.http").write_text(COPY.replace("0", "9"))
    run = with_clients(folder)
    assert run.returncode == 2 and "5 cases, none fails, 3 could not be tried" in run.stdout
    assert "untried  " in run.stdout and "none.http: cannot be opened" in run.stdout and "ends before it is whole" in run.stdout
    assert "its client made no call" in run.stdout
    nothing = tmp_path / "bin"
    nothing.mkdir()
    run = with_clients(folder, path=str(nothing))
    assert run.returncode == 2 and "`aws` cannot be run: No such file or directory" in run.stdout


def test_a_client_of_a_case_ends_in_time_and_at_an_interrupt(tmp_path):
    folder = orders(tmp_path, "Cases:\n" + "  - {Run: aws s3 ls, Says: deny byDefault}\n" * 3)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "aws").write_text(f"#!/bin/sh\ntouch {tmp_path}/begun\nsleep 8\ntouch {tmp_path}/alive\n")
    (programs / "aws").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    start = time.monotonic()
    run = with_clients(folder, "--timeout", "1", path=path)
    assert run.returncode == 2 and run.stdout.count("its client still ran after 1 s") == 3
    (tmp_path / "begun").unlink()
    process = subprocess.Popen([gate.binary(), "policy", "test", folder], env=dict(os.environ, PATH=path), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    while not (tmp_path / "begun").exists():
        assert time.monotonic() - start < 30
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=5)
    assert process.returncode == 2 and b"interrupted" in error and out == b""
    time.sleep(9)
    assert not (tmp_path / "alive").exists()
