"""A recorded day: real clients make a log, and `policy simulate`, `learn` and `diff --replay` say what it teaches.

`test_a_recorded_day` reads as a manual: a command, then what it prints. Moments, days and entries' numbers are left out.
"""
import hashlib
import json
import re
import shutil
import subprocess

import pytest

import policies
from agents import Agent
from gate import Gate, binary
from stand import ACCOUNT, clean_environment

TABLE = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST",
         "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}

# What the team would like: deletes without a question, and no order read but the first.
WISHED = f"""\
Countersign: 1
Id: wished
Agents: ["support-*"]
Statement:
  - Sid: DeletesPass
    Effect: Allow
    Action: dynamodb:DeleteItem
    Resource: "{policies.table('*')}"
  - Sid: OtherOrders
    Effect: Deny
    Action: dynamodb:GetItem
    Resource: "*"
    Condition: {{StringNotEquals: {{dynamodb:LeadingKeys: o-1}}}}
"""
MANUAL = f"""\
$ countersign policy simulate policies --replay state/log
day  agent      allow  ask  questions  deny  cannot tell
DAY  support-7     19    2          2     3            0

questions for
  oncall       2  2.0 a day  at most 2, on DAY

statements that ask
  asks/DeletesAsk       1
  asks/QuickDeletesAsk  1

denied, with no statement about it
  support-7  iam:CreateGroup  1  by default

24 calls, TIME
exit 0

$ countersign policy diff policies wished --replay state/log
LOST GATE  ask -> allow
  dynamodb:DeleteItem for support-7: 1 call, TIME
  was by asks/DeletesAsk
  now by wished/DeletesPass
  such as dynamodb:DeleteItem on arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/journey-orders, entry N

LOST GATE  ask -> allow
  dynamodb:DeleteItem for support-7: 1 call, TIME
  was by asks/QuickDeletesAsk
  now by wished/DeletesPass
  such as dynamodb:DeleteItem on arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/quick-orders, entry N

lost access  allow -> deny
  dynamodb:GetItem for support-7: 2 calls, TIME
  was by journeys/Tables
  now by wished/OtherOrders
  such as dynamodb:GetItem on arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/journey-orders, entry N

24 calls, TIME: 4 decided otherwise, 2 get through more easily
exit 1

$ countersign policy learn --replay state/log --agent support-* --since 7d
# Drafted by `countersign policy learn` from 20 calls, TIME.
# A draft opens what was done and no more: read it before you load it.
# It does not load yet: name a group of approvers.yaml for `NAME A GROUP`.
Countersign: 1
Id: learned-support
Agents: ["support-*"]
Statement:
  # 1 call, TIME
  - Sid: DynamodbRead
    Effect: Allow
    Action: dynamodb:DescribeTable
    Resource: "arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/journey-orders"
    Condition: {{StringEquals: {{countersign:Sensitivity: "metadata"}}, Bool: {{countersign:Mutates: "false"}}}}
  # 3 calls, TIME
  - Sid: DynamodbReadData
    Effect: Allow
    Action: dynamodb:GetItem
    Resource: "arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/journey-orders"
    Condition: {{Bool: {{countersign:Mutates: "false"}}}}
  # 4 calls, TIME
  - Sid: DynamodbAsks
    Effect: AllowWithApproval
    Action:
      - dynamodb:DeleteItem
      - dynamodb:PutItem
    Resource: "arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/journey-orders"
    Approval: {{Approvers: ["NAME A GROUP"]}}
  # 1 call, TIME
  - Sid: S3Read
    Effect: Allow
    Action: s3:GetObject
    Resource: "arn:aws:s3:::journey-lake/in/2026-11-10/part-0.csv"
    Condition: {{StringEquals: {{countersign:Sensitivity: "metadata"}}, Bool: {{countersign:Mutates: "false"}}}}
  # 1 call, TIME
  - Sid: S3Read2
    Effect: Allow
    Action: s3:ListBucket
    Resource: "arn:aws:s3:::journey-lake"
    Condition: {{StringEquals: {{countersign:Sensitivity: "metadata"}}, Bool: {{countersign:Mutates: "false"}}}}
  # 1 call, TIME
  - Sid: S3ReadData
    Effect: Allow
    Action: s3:GetObject
    Resource: "arn:aws:s3:::journey-lake/in/2026-11-10/part-0.csv"
    Condition: {{Bool: {{countersign:Mutates: "false"}}}}
  # 7 calls, TIME
  - Sid: S3Asks
    Effect: AllowWithApproval
    Action: s3:PutObject
    Resource: "arn:aws:s3:::journey-lake/in/*/*"
    Approval: {{Approvers: ["NAME A GROUP"]}}
  # 1 call, TIME
  - Sid: SecretsmanagerAsks
    Effect: AllowWithApproval
    Action: secretsmanager:CreateSecret
    Resource: "arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:journey-db-??????"
    Approval: {{Approvers: ["NAME A GROUP"]}}
# Not drafted:
#   asked, and nobody has answered yet: dynamodb:DeleteItem on arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/quick-orders, 1 call, TIME
#   refused by policy: dynamodb:DeleteTable on arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/journey-orders, 2 calls, TIME
#   refused by policy: iam:CreateGroup on arn:aws:iam::{ACCOUNT}:group/mine, 1 call, TIME
#   the reply holds credentials: secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:journey-db-<unknown>, 1 call, TIME
exit 0
"""


def key(name: str) -> str:
    return json.dumps({"id": {"S": name}})


@pytest.fixture(scope="module")
def day(moto_process, tmp_path_factory):
    """A day of `support-7`, its AWS CLI and boto3, under the policies of `policies.py`; the gate has stopped."""
    moto_process.reset()
    tables = moto_process.client("dynamodb")
    for name in ("journey-orders", "quick-orders"):
        tables.create_table(TableName=name, **TABLE)
    moto_process.client("s3").create_bucket(Bucket="journey-lake")
    folder = tmp_path_factory.mktemp("day")
    (folder / "gate").mkdir(mode=0o700)
    (folder / "agent").mkdir()
    gate = Gate(folder / "gate", moto_process.url)
    gate.write_policies(**policies.FILES)
    gate.start()
    try:
        live(gate, Agent(gate.url, folder / "agent"))
    finally:
        gate.stop()
    return gate.folder


def live(gate: Gate, agent: Agent) -> None:
    orders, lake = agent.client("dynamodb"), agent.client("s3")
    orders.describe_table(TableName="journey-orders")
    for name in ("o-1", "o-2", "o-3"):
        orders.put_item(TableName="journey-orders", Item={"id": {"S": name}})
        orders.get_item(TableName="journey-orders", Key={"id": {"S": name}})
    for number in range(7):
        lake.put_object(Bucket="journey-lake", Key=f"in/2026-11-{10 + number}/part-{number}.csv", Body=b"a,b\n")
    agent.aws("s3", "ls", "s3://journey-lake/in/")
    agent.aws("s3", "cp", "s3://journey-lake/in/2026-11-10/part-0.csv", "down.csv")
    # A delete that a human approves, and one that nobody answers.
    child = agent.aws_started("dynamodb", "delete-item", "--table-name", "journey-orders", "--key", key("o-3"))
    gate.approve(gate.wait_inbox()[0]["id"])
    assert child.wait(30) == 0
    done = agent.aws("dynamodb", "delete-item", "--table-name", "quick-orders", "--key", key("o-9"), check=False)
    assert "ApprovalRequired" in done.stderr
    # What policy refuses: by a statement, and because no statement is about it.
    for _ in range(2):
        assert agent.aws("dynamodb", "delete-table", "--table-name", "journey-orders", check=False).returncode
    assert agent.aws("iam", "create-group", "--group-name", "mine", check=False).returncode
    secrets = agent.client("secretsmanager")
    secrets.create_secret(Name="journey-db", SecretString="canary-of-the-day")
    secrets.get_secret_value(SecretId="journey-db")


@pytest.fixture
def folder(day, tmp_path):
    """A copy of the day to work in: `policies`, `state/log`, and the policies that the team wishes for."""
    for name in ("policies", "state"):
        shutil.copytree(day / name, tmp_path / name)
    shutil.copytree(day / "policies", tmp_path / "wished")
    (tmp_path / "wished" / "wished.yaml").write_text(WISHED)
    # Nobody is asked about deletes any more.
    asking = policies.ASKS.index("  - Sid: DeletesAsk"), policies.ASKS.index("  - Sid: SecretObjectsAsk")
    (tmp_path / "wished" / "asks.yaml").write_text(policies.ASKS[:asking[0]] + policies.ASKS[asking[1]:])
    return tmp_path


def run(folder, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([binary(), "policy", *arguments], cwd=folder, env=clean_environment(folder),
                          capture_output=True, text=True, timeout=120)


def told(folder, *arguments: str) -> str:
    """The command, what it prints, and its exit code; DAY, TIME and N stand for what differs from day to day."""
    done = run(folder, *arguments)
    assert not done.stderr, done.stderr
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z"
    text = re.sub(rf"{moment}( to {moment})?", "TIME", done.stdout)
    text = re.sub(r"^day         ", "day  ", re.sub(r"20\d\d-\d\d-\d\d(?=  )|(?<=, on )20\d\d-\d\d-\d\d", "DAY", text))
    text = re.sub(r"entry \d+", "entry N", text)
    return f"$ countersign policy {' '.join(arguments)}\n{text}exit {done.returncode}\n"


def test_a_recorded_day(folder):
    transcript = "\n".join([
        told(folder, "simulate", "policies", "--replay", "state/log"),
        told(folder, "diff", "policies", "wished", "--replay", "state/log"),
        told(folder, "learn", "--replay", "state/log", "--agent", "support-*", "--since", "7d"),
    ])
    assert transcript == MANUAL


def test_the_draft_does_for_the_day_what_it_says(folder):
    log = ("--replay", "state/log")
    unnamed = run(folder, "learn", *log, "--agent", "support-*").stdout
    (folder / "learned").mkdir(mode=0o700)
    for name in ("approvers", "agents"):
        shutil.copy(folder / "policies" / f"{name}.yaml", folder / "learned")
    (folder / "learned" / "learned.yaml").write_text(unnamed)
    refused = run(folder, "simulate", "learned", *log)
    assert refused.returncode == 2 and "NAME A GROUP" in refused.stderr, refused
    draft = run(folder, "learn", *log, "--agent", "support-*", "--approvers", "oncall")
    (folder / "learned" / "learned.yaml").write_text(draft.stdout)
    counts = json.loads(run(folder, "simulate", "learned", *log, "--json").stdout)
    # Allowed: 6 reads. Asked: 3 puts, 7 uploads, the approved delete, the secret. Denied: what was not drafted.
    assert {name: counts[name] for name in ("allow", "ask", "deny", "cannot_tell", "calls")} == {
        "allow": 7, "ask": 12, "deny": 5, "cannot_tell": 0, "calls": 24}, counts
    as_json = json.loads(run(folder, "learn", *log, "--agent", "support-*", "--approvers", "oncall", "--json").stdout)
    assert [one["Sid"] for one in as_json["policy"]["Statement"]] == [
        "DynamodbRead", "DynamodbReadData", "DynamodbAsks", "S3Read", "S3Read2", "S3ReadData", "S3Asks", "SecretsmanagerAsks"]


def test_the_diff_fails_a_build_on_what_widens_and_on_nothing_else(folder):
    log = ("--replay", "state/log")
    assert run(folder, "diff", "policies", "policies", *log).returncode == 0
    assert run(folder, "diff", "policies", "wished", *log, "--no-new-access").returncode == 1
    back = run(folder, "diff", "wished", "policies", *log, "--no-new-access")
    # The other way about: the deletes ask again, but what was denied of orders is read.
    assert back.returncode == 1 and "NEW ACCESS" in back.stdout
    (folder / "wished" / "wished.yaml").write_text(WISHED.replace("Effect: Allow", "Effect: Deny"))
    narrower = run(folder, "diff", "policies", "wished", *log, "--no-new-access")
    assert narrower.returncode == 0 and "lost access" in narrower.stdout, narrower
    assert run(folder, "diff", "policies", "wished", *log).returncode == 1
    groups = json.loads(run(folder, "diff", "policies", "wished", *log, "--json").stdout)["groups"]
    assert {(one["kind"], one["count"]) for one in groups} == {("lost access", 1), ("lost access", 2)}
    entry = next(one for one in groups if one["count"] == 2)["entry"]
    lines = (folder / "state" / "log" / "000001.jsonl").read_text().splitlines()
    assert json.loads(lines[entry - 1])["keys"]["dynamodb:leadingkeys"] == "o-2"
    assert run(folder, "diff", "policies", "wished", "--since", "7d").returncode == 2


def test_only_the_calls_that_are_asked_for_are_judged(folder):
    def calls(*arguments):
        return json.loads(run(folder, "simulate", "policies", "--replay", "state/log", "--json", *arguments).stdout)["calls"]
    assert calls() == calls("--agent", "support-*") == calls("--since", "1d") == calls("--since", "2026-01-01") == 24
    assert calls("--agent", "etl-*") == calls("--since", "2261-01-01") == calls("--since", "0s") == 0
    nothing = run(folder, "learn", "--replay", "state/log", "--agent", "etl-*")
    assert nothing.returncode == 2 and "no call of `etl-*`" in nothing.stderr and not nothing.stdout
    for wrong in (("--agent", "UPPER"), ("--since", "yesterday")):
        assert run(folder, "simulate", "policies", "--replay", "state/log", *wrong).returncode == 2


def test_a_log_that_is_not_what_was_written_teaches_nothing(folder):
    path = folder / "state" / "log" / "000001.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if '"o-2"' in line)
    path.write_text("".join(lines[:at] + [lines[at].replace('"o-2"', '"o-1"')] + lines[at + 1:]))
    for command in (("simulate", "policies"), ("learn",), ("diff", "policies", "wished")):
        done = run(folder, *command, "--replay", "state/log")
        assert done.returncode == 2 and not done.stdout, done
        assert f"(000001.jsonl, line {at + 1})" in done.stderr and "changed" in done.stderr, done.stderr
    path.write_text("".join(lines[:at]) + "{no json\n")
    done = run(folder, "simulate", "policies", "--replay", "state/log")
    assert done.returncode == 2 and f"(000001.jsonl, line {at + 1})" in done.stderr, done.stderr


def test_an_entry_without_what_it_must_hold_is_named(tmp_path):
    log = tmp_path / "log"
    log.mkdir(mode=0o700)
    (log / "000001.jsonl").write_text(
        '{"v":1,"seq":1,"prev":"sha256:' + "0" * 64 + '","t":"2026-11-22T09:12:03.000Z","type":"request","agent":"a"}\n')
    done = run(tmp_path, "learn", "--replay", "log")
    assert done.returncode == 2 and not done.stdout
    assert "(000001.jsonl, line 1)" in done.stderr and "`session`" in done.stderr, done.stderr


def test_entries_of_a_version_without_keys_are_read_and_nothing_is_made_up(folder):
    """The day as an earlier version would have written it, with a chain of its own."""
    path = folder / "state" / "log" / "000001.jsonl"
    prev, old = "sha256:" + "0" * 64, []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        for holder in (entry, entry.get("what", {})):
            for name in ("protocol", "keys", "absent_keys", "families", "vends_credentials", "other_pairs"):
                holder.pop(name, None)
        entry["prev"] = prev
        old.append(json.dumps(entry, separators=(",", ":"), ensure_ascii=False))
        prev = "sha256:" + hashlib.sha256(old[-1].encode()).hexdigest()
    path.write_text("\n".join(old) + "\n")
    # Without a condition nothing is missing, but of refused calls and of the secret's unknown ending.
    counts = json.loads(run(folder, "simulate", "policies", "--replay", "state/log", "--json").stdout)
    assert counts["calls"] == 24 and counts["allow"] + counts["ask"] + counts["deny"] + counts["cannot_tell"] == 24
    assert (counts["allow"], counts["ask"]) == (17, 2), counts
    assert (counts["deny"], counts["cannot_tell"]) == (3, 2), counts
    # A condition on a key of the request is what the log cannot tell.
    diff = run(folder, "diff", "policies", "wished", "--replay", "state/log", "--no-new-access")
    assert "dynamodb:leadingkeys is not recorded" in diff.stdout and "cannot tell" in diff.stdout, diff.stdout


def test_no_secret_and_no_key_of_a_refused_reader_is_in_a_draft(folder):
    draft = run(folder, "learn", "--replay", "state/log").stdout
    assert "canary-of-the-day" not in draft
    assert "canary-of-the-day" not in (folder / "state" / "log" / "000001.jsonl").read_text()
