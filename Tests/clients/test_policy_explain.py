"""`countersign policy explain`: the real clients against the dry run. The first test reads as a manual."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gate

BIN = Path(sys.executable).parent
ACCOUNT = "111122223333"
ORDERS = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders"

TEAM = f"""\
Countersign: 1
Id: team
Agents: ["support-*"]
Statement:
  - Sid: Read
    Effect: Allow
    Action: [dynamodb:GetItem, dynamodb:Query]
    Resource: "{ORDERS}"
  - Sid: OwnFolder
    Effect: Allow
    Action: s3:DeleteObject
    Resource: "arn:aws:s3:::home/${{countersign:Agent}}/*"
    Condition:
      StringEquals: {{countersign:Task: cleanup}}
      DateLessThan: {{aws:CurrentTime: "2027-01-01T00:00:00Z"}}
  - Sid: WritesAsk
    Effect: AllowWithApproval
    Action: [dynamodb:DeleteItem, dynamodb:BatchWriteItem]
    Resource: "{ORDERS}"
    Approval: {{Approvers: [alice], GrantTTL: 10m}}
  - Sid: NotTheirs
    Effect: Deny
    Action: dynamodb:DeleteItem
    Resource: "*"
    Condition: {{StringEquals: {{"aws:ResourceTag/owner": finance}}}}
    Agents: ["support-9"]
"""
PEOPLE = "Countersign: 1\nPeople:\n  - {Name: alice, Uids: [1001]}\n"
MANUAL = """\
agent support-7, task `cleanup`, at 2026-11-25T08:30:00.000Z, under 4 statements of `policies`

call 1: s3:DeleteObject in us-east-1, account 111122223333

  s3:DeleteObject on arn:aws:s3:::home/support-7/old.csv  [Write, data]
    decides  Allow team/OwnFolder (team.yaml:9)
             resource   true     arn:aws:s3:::home/${countersign:Agent}/* (${countersign:Agent} is `support-7`)
             condition  true     StringEquals countersign:Task `cleanup`; it is `cleanup`
             condition  true     DateLessThan aws:CurrentTime `2027-01-01T00:00:00Z`; it is `2026-11-25T08:30:00.000Z`
    not tried further: 3 about other actions (--all lists them)

  decision   allow, by team/OwnFolder (team.yaml:9)

Nothing was sent to AWS. aws got no answer to s3:DeleteObject, so calls that depend on it are not here.
The call is allowed.
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with `policies` in it, to work in."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "team.yaml").write_text(TEAM)
    (tmp_path / "policies" / "approvers.yaml").write_text(PEOPLE)
    return tmp_path


def explain(folder, *arguments, stdin=None, environment=None, usual=True):
    flags = ["--account", ACCOUNT, "--region", "us-east-1", "--agent", "support-7"] if usual else []
    own = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}", **(environment or {}))
    return subprocess.run([gate.binary(), "policy", "explain", *flags, *map(str, arguments)], cwd=folder, env=own,
                          input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, timeout=120)


def report(folder, *arguments, code, **more):
    run = explain(folder, "--json", *arguments, **more)
    assert run.returncode == code, run.stdout + run.stderr
    return json.loads(run.stdout)


def test_the_journey_of_one_delete(folder):
    run = explain(folder, "--task", "cleanup", "--at", "2026-11-25T08:30:00Z", "--", "aws", "s3", "rm", "s3://home/support-7/old.csv")
    assert run.stdout.decode() == MANUAL and run.returncode == 0 and run.stderr == b""
    assert MANUAL in (gate.REPOSITORY / "docs/policy.md").read_text(), "the page shows what is printed"


def test_a_condition_that_does_not_hold_is_told_with_what_the_key_is(folder):
    said = report(folder, "--at", "2027-01-01T00:00:00Z", "--", "aws", "s3", "rm", "s3://home/support-7/old.csv", code=1)
    [call] = said["calls"]
    assert (call["service"], call["operation"], call["decision"], call["says"]) == ("s3", "DeleteObject", "deny", "deny byDefault")
    [pair] = call["pairs"]
    assert pair["why"] == "no statement allows it" and pair["resource"] == "arn:aws:s3:::home/support-7/old.csv"
    own = {s["statement"]: s for s in pair["statements"]}["team/OwnFolder"]
    assert (own["agent"], own["action"], own["resource"], own["applies"]) == (True, True, "true", False)
    task, before = own["conditions"]
    assert (task["truth"], task["state"], task["why"]) == ("false", "absent", "the agent states no task")
    assert (before["truth"], before["holds"]) == ("false", ["2027-01-01T00:00:00.000Z"])
    other = {s["statement"]: s for s in pair["statements"]}["team/NotTheirs"]
    assert (other["agent"], other["action"], other["resource"]) == (False, False, "true")


def test_a_delete_asks_and_says_whom_and_what_an_approval_allows(folder):
    command = ["aws", "dynamodb", "delete-item", "--table-name", "orders", "--key", '{"id": {"S": "o-91"}}']
    run = explain(folder, "--", *command)
    text = run.stdout.decode()
    assert run.returncode == 1 and "\nThe call asks.\n" in text
    assert "decides  AllowWithApproval team/WritesAsk (team.yaml:16)" in text
    assert "  decision   ask, by team/WritesAsk (team.yaml:16)\n  approvers  alice\n" in text
    assert "exactly this call, once, within 10 min" in text and "waits      30 min for an answer" in text
    assert "2 about other actions and 1 for other agents" in text
    assert "agent      false    support-7 is none of its agents" in explain(folder, "--all", "--", *command).stdout.decode()


def test_what_the_gate_cannot_know_counts_against_the_caller(folder):
    said = report(folder, "--agent", "support-9", "--", "aws", "dynamodb", "delete-item", "--table-name", "orders",
                  "--key", '{"id": {"S": "o-91"}}', code=1)
    [pair] = said["calls"][0]["pairs"]
    assert said["verdict"] == "denied" and pair["decided_by"] == ["team/NotTheirs"]
    [condition] = [s for s in pair["statements"] if s["statement"] == "team/NotTheirs"][0]["conditions"]
    assert (condition["truth"], condition["state"]) == ("unknown", "unknown") and "cannot know" in condition["why"]


def test_every_pair_of_a_batch_is_told_strictest_first(folder):
    items = {table: [{"DeleteRequest": {"Key": {"id": {"S": "1"}}}}] for table in ("orders", "lines")}
    command = ["aws", "dynamodb", "batch-write-item", "--request-items", json.dumps(items)]
    run = explain(folder, "--", *command)
    text = run.stdout.decode()
    assert run.returncode == 1
    assert text.index(f"BatchWriteItem on {ORDERS[:-6]}lines") < text.index("-> deny: no statement allows it") \
        < text.index(f"BatchWriteItem on {ORDERS}") < text.index("-> ask, by team/WritesAsk (team.yaml:16)") < text.index("decision   deny")


def test_a_recursive_delete_stops_at_its_first_read_and_says_so(folder):
    said = explain(folder, "--", "aws", "s3", "rm", "--recursive", "s3://home/support-7/")
    text = said.stdout.decode()
    assert "call 1: s3:ListObjectsV2" in text and "call 2" not in text
    assert "aws got no answer to s3:ListObjectsV2, so calls that depend on it are not here" in text
    assert text.count("said:") == 0, "the client ended as it was told to"


def test_who_am_i_is_answered_and_nothing_leads_past_the_dry_run(folder):
    real = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "s" * 40, "AWS_PROFILE": "prod",
            "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}
    (folder / ".aws").mkdir()
    (folder / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n")
    run = explain(folder, "--verbose", "--", "aws", "sts", "get-caller-identity", environment=dict(real, HOME=str(folder)))
    text = run.stdout.decode()
    assert run.returncode == 0 and f'"Account": "{ACCOUNT}"' in text and "The call is allowed." in text
    assert "got no answer" not in text and "no statement has a say" in text and "(team.yaml" not in text
    said = report(folder, "--", "python", "-c", "import os; print(sorted(k for k in os.environ if k.startswith('AWS_')))", code=2,
                  environment=real)
    assert said["calls"] == []


def test_the_client_has_only_the_agents_environment(folder):
    real = {"AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "prod", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_SECRET_ACCESS_KEY": "real"}
    show = "import os; [print(k, os.environ[k]) for k in sorted(os.environ) if k.startswith('AWS_')]"
    text = explain(folder, "--verbose", "--", "python", "-c", show, environment=real).stdout.decode()
    lines = dict(line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  AWS_") and len(line.split()) > 1)
    assert lines.pop("AWS_ENDPOINT_URL").startswith("http://127.0.0.1:")
    assert lines == {"AWS_ACCESS_KEY_ID": "unsigned", "AWS_SECRET_ACCESS_KEY": "unsigned", "AWS_CONFIG_FILE": "/dev/null",
                     "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
                     "AWS_DISABLE_HOST_PREFIX_INJECTION": "true", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": "true",
                     "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}


def test_boto3_a_call_in_a_loop_is_one_with_its_count(folder):
    script = """
import boto3, botocore
client = boto3.client("dynamodb")
for name in ["orders", "lines", "orders"]:
    try: client.get_item(TableName=name, Key={"id": {"S": "1"}})
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "CountersignDryRun", error
        assert error.response["ResponseMetadata"]["RetryAttempts"] == 0
"""
    said = report(folder, "--", "python", "-c", script, code=1)
    assert [(c["pairs"][0]["resource"].split("/")[-1], c["count"], c["decision"]) for c in said["calls"]] \
        == [("orders", 2, "allow"), ("lines", 1, "deny")]
    assert said["client"]["exit"] == 0 and said["verdict"] == "denied"
    assert explain(folder, "--", "python", "-c", script).stdout.decode().endswith(
        "got no answer to dynamodb:GetItem, so calls that depend on it are not here.\n"
        "call 1  dynamodb:GetItem  allow team/Read\ncall 2  dynamodb:GetItem  deny byDefault\nAt least one of 2 calls is denied.\n")


RAW = "POST / HTTP/1.1\nHost: dynamodb.us-east-1.amazonaws.com\nX-Amz-Target: DynamoDB_20120810.GetItem\n" \
      "Content-Type: application/x-amz-json-1.0\nContent-Length: {}\n\n{}"
BODY = '{"TableName":"orders","Key":{"id":{"S":"1"}}}'


def test_a_raw_request_from_a_file_and_from_standard_input(folder):
    raw = RAW.format(len(BODY), BODY)
    (folder / "get.http").write_text(raw)
    at = ["--at", "2026-11-25T08:30:00Z"]
    said = report(folder, *at, "--request", "get.http", code=0)
    assert said["calls"][0]["pairs"][0]["decided_by"] == ["team/Read"] and said["client"] is None
    with_line_ends = raw.replace("\n", "\r\n").encode()
    assert report(folder, *at, "--request", "-", code=0, stdin=with_line_ends)["calls"] == said["calls"]


@pytest.mark.parametrize("raw, code, message", [
    ("POST / HTTP/1.1\nHost: localhost\nContent-Type: application/x-amz-json-1.0\nX-Amz-Target: Nothing_20120810.GetIt\nContent-Length: 2\n\n{}", "unrecognized", "UnknownOperation"),
    ("GET / HTTP/1.1\n\n", "unrecognized", "BadRequest"),
    (RAW.format(len(BODY) + 1, BODY), "unrecognized", "BadRequest"),
    ("GET /home/k HTTP/1.1\nHost: localhost\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261125/us-east-1/s3/aws4_request, "
     "SignedHeaders=host, Signature=" + "0" * 64 + "\n\n", "refused", "AccessDenied"),
])
def test_a_request_that_the_gate_does_not_take(folder, raw, code, message):
    said = report(folder, "--request", "-", code=1 if code == "refused" else 2, stdin=raw.encode())
    [call] = said["calls"]
    assert (call["decision"], call["error"]["code"]) == (code, message) and call["error"]["message"]


def test_an_operation_that_its_service_does_not_have_is_denied(folder):
    raw = RAW.replace("GetItem", "GetIt").format(2, "{}")
    said = report(folder, "--request", "-", code=1, stdin=raw.encode())
    assert said["calls"][0]["says"] == "deny barred: unknown operation"


def test_without_an_account_it_says_that_arns_are_not_whole(folder):
    run = explain(folder, "--region", "us-east-1", "--agent", "support-7", "--", "aws", "dynamodb", "get-item", "--table-name",
                  "orders", "--key", "{}", usual=False)
    text = run.stdout.decode()
    assert run.returncode == 1 and "No account is given (--account)" in text and "us-east-1:<unknown>:table/orders" in text


def test_the_agent_is_the_one_that_is_named_whatever_the_configuration_listens_for(folder):
    (folder / "config.yaml").write_text("listen: [etl=127.0.0.1:8990]\naccount: '111122223333'\nregion: us-east-1\n")
    (folder / "config.yaml").chmod(0o600)
    command = ["--config", "config.yaml", "--", "aws", "s3", "rm", "s3://home/k"]
    assert report(folder, *command, code=1, usual=False)["agent"] == "etl"
    assert report(folder, "--agent", "support-7", *command, code=1, usual=False)["agent"] == "support-7"


def test_a_call_over_a_limit_says_so(folder):
    (folder / "policies" / "team.yaml").write_text(
        'Countersign: 1\nId: team\nAgents: ["*"]\nStatement:\n  - {Sid: Few, Effect: Allow, Action: "dynamodb:*", Resource: "*", '
        "Limit: {Items: 2, Per: 1m}}\n")

    def batch(count):
        keys = [{"id": {"S": str(n)}} for n in range(count)]
        return ["--", "aws", "dynamodb", "batch-get-item", "--request-items", json.dumps({"orders": {"Keys": keys}})]
    [few] = report(folder, *batch(2), code=0)["calls"][0]["pairs"][0]["statements"]
    assert few["limit"] == {"text": "2 items a minute per agent, then deny", "binds": True, "reached": None}
    text = explain(folder, *batch(3)).stdout.decode()
    assert "limit      reached  2 items a minute per agent, then deny: 3 items at once are over the limit" in text
    assert "decision   deny: 3 items at once are over the limit of 2 items a minute of team/Few, by team/Few (team.yaml:5)" in text


def test_of_many_statements_those_about_the_resource_are_shown(folder):
    rows = "".join(f'  - {{Sid: S{n}, Effect: Allow, Action: "s3:*", Resource: "arn:aws:s3:::home/{n}"}}\n' for n in range(100))
    (folder / "policies" / "team.yaml").write_text(f'Countersign: 1\nId: team\nAgents: ["*"]\nStatement:\n{rows}'
                                                   '  - {Sid: Z, Effect: Allow, Action: "s3:*", Resource: "*", Agents: [local, support-7], '
                                                   'Condition: {StringEquals: {countersign:Task: a}}}\n')
    command = ["--", "aws", "s3", "rm", "s3://home/77"]
    text = explain(folder, *command).stdout.decode()
    assert "decides  Allow team/S77 (team.yaml:82)" in text and text.count("    no       Allow") == 20
    assert text.index("no       Allow team/Z") < text.index("no       Allow team/S0") and "    no       80 more (--all lists them)" in text
    assert explain(folder, "--all", *command).stdout.decode().count("    no       Allow") == 100


def test_strength_is_what_it_is_told_to_be(folder):
    (folder / "policies" / "team.yaml").write_text(
        'Countersign: 1\nId: team\nAgents: ["*"]\nStatement:\n  - Sid: Signed\n    Effect: Allow\n    Action: "*"\n    Resource: "*"\n'
        "    Condition: {StringEquals: {countersign:Strength: signed}}\n")
    command = ["--", "aws", "s3", "rm", "s3://home/k"]
    assert report(folder, *command, code=1)["verdict"] == "denied"
    assert report(folder, "--strength", "signed", *command, code=0)["strength"] == "signed"


@pytest.mark.parametrize("arguments, message", [
    ((), "--request FILE"), (("--request", "-", "--", "true"), "one of both"), (("--strength", "weak", "--", "true"), "--strength"),
    (("--at", "soon", "--", "true"), "--at"), (("--timeout", "0", "--", "true"), "--timeout"), (("--agent", "A", "--", "true"), "agent"),
    (("--policies", "nowhere", "--", "true"), "nowhere"), (("--request", "nowhere"), "nowhere"),
    (("--", "no-such-program"), "`no-such-program` cannot be run"),
])
def test_what_cannot_be_done_is_two_and_told(folder, arguments, message):
    run = explain(folder, *arguments)
    assert run.returncode == 2 and message in run.stderr.decode() and run.stdout == b""


def test_a_client_that_does_not_call_is_two_and_its_words_are_shown(folder):
    run = explain(folder, "--", "aws", "s3", "rm")
    assert run.returncode == 2 and "No call came." in run.stdout.decode() and "aws ended with code" in run.stdout.decode()
    assert any("usage" in line for line in report(folder, "--", "aws", "s3", "rm", code=2)["client"]["said"])
    escape = explain(folder, "--", "printf", "\\033[2Jgone\\n").stdout.decode()
    assert "\\u{1b}[2Jgone" in escape and "\x1b" not in escape


def test_a_client_that_does_not_end_is_ended_with_its_children(folder):
    mark = str(folder / "alive")
    start = time.monotonic()
    run = explain(folder, "--timeout", "2", "--", "sh", "-c", f"(sleep 6; touch {mark}) & (sleep 6; touch {mark}); true")
    assert run.returncode == 2 and "sh was ended after 2 s" in run.stdout.decode() and time.monotonic() - start < 6
    run = explain(folder, "--", "sh", "-c", f"(sleep 3; touch {mark}) & true")
    assert run.returncode == 2
    time.sleep(max(0, start + 9 - time.monotonic()))
    assert not Path(mark).exists()


def test_a_client_that_calls_without_end_is_ended(folder):
    script = f"""
import os, http.client
gate = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
number = 0
connection = http.client.HTTPConnection(gate)
while True:
    number += 1
    connection.request("DELETE", f"/home/{{number}}", headers={{"Host": "s3.us-east-1.amazonaws.com"}})
    connection.getresponse().read()
"""
    said = report(folder, "--", "python", "-c", script, code=1)
    assert len(said["calls"]) == 500 and said["client"]["ended"] == "too many calls"


def test_a_client_that_writes_without_end_is_ended_and_its_words_are_bounded(folder):
    run = explain(folder, "--timeout", "1", "--verbose", "--", "yes", "x" * 100)
    assert run.returncode == 2 and len(run.stdout) < 200_000


def test_an_interrupt_ends_the_client_too(folder):
    mark = folder / "alive"
    own = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")
    process = subprocess.Popen([gate.binary(), "policy", "explain", "--", "sh", "-c", f"touch {mark}.begun; sleep 4; touch {mark}"],
                               cwd=folder, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    start = time.monotonic()
    while not Path(f"{mark}.begun").exists():
        assert time.monotonic() - start < 20
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=5)
    assert process.returncode == 2 and b"interrupted" in error and out == b""
    time.sleep(5)
    assert not mark.exists()
