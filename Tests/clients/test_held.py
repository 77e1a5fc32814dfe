"""Calls that wait for a human: sent once when approved, never when denied, abandoned or changed."""

import json
import subprocess
import threading
import time

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from agents import WAYS
from stand import approval_id
from test_services import KEY, TABLE

DELETE = {"service": "dynamodb", "operation": "DeleteItem", "method": "POST", "path": "/"}
QUICK = TABLE | {"TableName": "quick-orders"}
CLI_DELETE = ("dynamodb", "delete-item", "--table-name", "journey-orders", "--key", json.dumps(KEY))
QUICK_DELETE = ("dynamodb", "delete-item", "--table-name", "quick-orders", "--key", json.dumps(KEY))


@pytest.fixture
def orders(moto):
    """The two tables with one order each; gives a client that looks straight into moto."""
    direct = moto.client("dynamodb")
    for table in (TABLE, QUICK):
        direct.create_table(**table)
        direct.put_item(TableName=table["TableName"], Item=KEY)
    return direct


def count(direct, table: str = "journey-orders") -> int:
    return direct.scan(TableName=table)["Count"]


def ended(child: subprocess.Popen, seconds: float = 30) -> tuple[int, str, str]:
    output, errors = child.communicate(timeout=seconds)
    return child.returncode, output, errors


@pytest.mark.parametrize("way", WAYS)
def test_a_held_delete_is_approved_and_sent_once_and_then_asks_anew(orders, verifier, gate, agent, way):
    verifier.expect("delete", times=1, body={"TableName": "journey-orders", "Key": KEY}, **DELETE)
    agent = agent.using(way)
    child = agent.aws_started(*CLI_DELETE)
    waiting = gate.wait_inbox()[0]
    assert verifier.seen() == [] and count(orders) == 1, "nothing may arrive before the approval"
    gate.approve(waiting["id"])
    code, _, errors = ended(child)
    assert code == 0, errors
    assert count(orders) == 0 and gate.inbox() == []

    # The same again is a new question: the grant was for one use.
    orders.put_item(TableName="journey-orders", Item=KEY)
    child = agent.aws_started(*CLI_DELETE)
    again = gate.wait_inbox()[0]
    assert again["id"] != waiting["id"]
    gate.deny(again["id"])
    code, _, errors = ended(child)
    assert code != 0 and "ApprovalDenied" in errors and again["id"] in errors, errors
    assert count(orders) == 1


def test_the_card_says_who_what_and_why(orders, verifier, gate, agent):
    verifier.expect("delete", times=0, **DELETE)
    child = agent.aws_started(*CLI_DELETE)
    waiting = gate.wait_inbox()[0]
    shown = json.dumps(gate.show(waiting["id"]))
    for fact in ("support-7", "dynamodb:DeleteItem", "table/journey-orders", "o-91", "DeletesAsk", "oncall"):
        assert fact in shown, f"{fact} is not on the card: {shown}"
    gate.deny(waiting["id"])
    assert ended(child)[0] != 0


def test_a_denied_delete_is_not_sent_and_stays_denied_in_the_record(orders, verifier, gate, agent):
    verifier.expect("delete", times=0, **DELETE)
    child = agent.aws_started(*CLI_DELETE)
    waiting = gate.wait_inbox()[0]
    gate.deny(waiting["id"])
    code, _, errors = ended(child)
    assert code != 0 and waiting["id"] in errors
    late = gate.run("approve", waiting["id"], "--yes", "--control-socket", str(gate.control), check=False)
    assert late.returncode != 0, "any deny is final"
    assert count(orders) == 1


def test_the_refusal_names_the_approval_and_the_repeat_goes_through(orders, verifier, gate, agent):
    """The hold is a second: the CLI prints the id, the human approves at leisure, the same command runs once."""
    verifier.expect("delete", times=1, body={"TableName": "quick-orders"}, **DELETE)
    first = agent.aws(*QUICK_DELETE, check=False)
    approval = approval_id(first.stderr)
    assert first.returncode != 0 and "ApprovalRequired" in first.stderr and "nothing was sent to AWS" in first.stderr
    second = agent.aws(*QUICK_DELETE, check=False)
    assert approval_id(second.stderr) == approval, "the same call joins the same approval"
    assert len(gate.inbox()) == 1 and verifier.seen() == []
    gate.approve(approval)
    agent.aws(*QUICK_DELETE)
    assert count(orders, "quick-orders") == 0
    third = agent.aws(*QUICK_DELETE, check=False)
    assert approval_id(third.stderr) != approval


def test_a_changed_call_is_a_new_question(orders, verifier, gate, agent):
    verifier.expect("delete", times=0, **DELETE)
    first = approval_id(agent.aws(*QUICK_DELETE, check=False).stderr)
    gate.approve(first)
    other = ("dynamodb", "delete-item", "--table-name", "quick-orders", "--key", '{"id": {"S": "o-92"}}')
    assert approval_id(agent.aws(*other, check=False).stderr) != first
    assert count(orders, "quick-orders") == 1


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_retries_while_held_make_one_approval_and_one_request(orders, verifier, gate, agent, mode):
    verifier.expect("delete", times=1, body={"TableName": "journey-orders"}, **DELETE)
    client = agent.client("dynamodb", read_timeout=1, retries={"mode": mode, "max_attempts": 20})
    answers: list = []
    thread = threading.Thread(
        target=lambda: answers.append(client.delete_item(TableName="journey-orders", Key=KEY)))
    thread.start()
    waiting = gate.wait_inbox()[0]
    time.sleep(4.5)  # several attempts have come and gone by now
    assert [a["id"] for a in gate.inbox()] == [waiting["id"]] and verifier.seen() == []
    gate.approve(waiting["id"])
    thread.join(60)
    assert answers and count(orders) == 0
    time.sleep(1)
    assert len(verifier.seen("delete")) == 1


def test_an_attempt_after_the_send_gets_the_stored_outcome(orders, verifier, gate, agent):
    """The upstream is slower than the client's patience: its retry must not delete twice."""
    verifier.expect("delete", times=1, **DELETE)
    verifier.fault("delay", seconds=3)
    client = agent.client("dynamodb", read_timeout=1.5, retries={"mode": "standard", "max_attempts": 8})
    answers: list = []
    thread = threading.Thread(target=lambda: answers.append(
        client.delete_item(TableName="journey-orders", Key=KEY, ReturnValues="ALL_OLD")))
    thread.start()
    gate.approve(gate.wait_inbox()[0]["id"])
    thread.join(60)
    assert answers and answers[0]["Attributes"] == KEY


def test_two_agents_calls_with_one_approval_make_one_request(orders, verifier, gate, agent):
    """Two invocations join one approval; the grant has one use, so the other is decided again and asks."""
    verifier.expect("delete", times=1, **DELETE)
    children = [agent.aws_started(*CLI_DELETE) for _ in range(2)]
    first = gate.wait_inbox()[0]
    time.sleep(2)
    assert len(gate.inbox()) == 1
    gate.approve(first["id"])
    verifier.wait_seen("delete", 1)
    second = gate.wait_inbox()[0]
    assert second["id"] != first["id"]
    gate.deny(second["id"])
    codes = sorted(ended(child)[0] != 0 for child in children)
    assert codes == [False, True]


def test_a_client_that_is_gone_has_nothing_sent(orders, verifier, gate, agent):
    verifier.expect("delete", times=1, **DELETE)
    child = agent.aws_started(*CLI_DELETE)
    waiting = gate.wait_inbox()[0]
    child.kill()
    child.communicate()
    time.sleep(0.5)
    gate.approve(waiting["id"])
    time.sleep(1.5)
    assert verifier.seen() == [] and count(orders) == 1
    # The approval was for exactly this call: repeating it uses the grant.
    agent.aws(*CLI_DELETE)
    assert count(orders) == 0


def test_a_read_timeout_without_retries_sends_nothing(orders, verifier, gate, agent):
    verifier.expect("delete", times=0, **DELETE)
    client = agent.client("dynamodb", read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
    with pytest.raises(ReadTimeoutError):
        client.delete_item(TableName="journey-orders", Key=KEY)
    gate.approve(gate.wait_inbox()[0]["id"])
    time.sleep(1)
    assert count(orders) == 1


def test_approvals_survive_a_restart_and_a_kill(orders, verifier, gate, agent):
    verifier.expect("delete", times=1, **DELETE)
    approval = approval_id(agent.aws(*QUICK_DELETE, check=False).stderr)
    gate.stop()
    gate.start()
    assert [a["id"] for a in gate.inbox()] == [approval]
    gate.approve(approval)
    gate.kill()
    gate.start()
    agent.aws(*QUICK_DELETE)
    assert count(orders, "quick-orders") == 0
    gate.kill()
    gate.start()
    assert approval_id(agent.aws(*QUICK_DELETE, check=False).stderr) != approval


def test_a_policy_deny_is_aws_shaped_and_says_who_refused(orders, verifier, agent):
    verifier.expect("drop", times=0, service="dynamodb")
    done = agent.aws("dynamodb", "delete-table", "--table-name", "journey-orders", check=False)
    assert done.returncode != 0 and "AccessDeniedException" in done.stderr
    assert "Countersign" in done.stderr and "dynamodb:DeleteTable" in done.stderr
    # What no statement names is denied as well.
    done = agent.aws("dynamodb", "describe-endpoints", check=False)
    assert done.returncode != 0 and "Countersign" in done.stderr


@pytest.mark.parametrize("call,arguments", [
    (("s3api", "list-objects-v2", "--bucket", "payroll"), "AccessDenied"),
    (("iam", "create-access-key", "--user-name", "journey-mia"), "AccessDenied"),
    (("sns", "delete-topic", "--topic-arn", "arn:aws:sns:us-east-1:123456789012:journey-t"), "AccessDenied"),
    (("lambda", "delete-function", "--function-name", "journey-f"), "AccessDeniedException"),
    (("kms", "schedule-key-deletion", "--key-id", "1234abcd-12ab-34cd-56ef-1234567890ab"), "AccessDeniedException"),
    (("ec2", "describe-instances"), "UnauthorizedOperation"),
], ids=lambda value: value[0] if isinstance(value, tuple) else value)
def test_a_deny_speaks_each_protocol(verifier, agent, call, arguments):
    done = agent.aws(*call, check=False)
    assert done.returncode != 0 and arguments in done.stderr and "Countersign" in done.stderr, done.stderr


def test_an_unknown_operation_is_refused(verifier, gate, agent):
    import urllib.error
    import urllib.request
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for target in ("DynamoDB_20120810.EmptyTable", "NoSuchService_20200101.Do"):
        request = urllib.request.Request(gate.url + "/", data=b"{}", method="POST", headers={
            "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener.open(request, timeout=10)
        assert refused.value.code in (400, 403)


@pytest.mark.parametrize("key_id", ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "CSAKabcdefgh12345678", "nobody"])
def test_other_credentials_are_refused_and_recorded(orders, verifier, gate, key_id):
    import boto3
    client = boto3.client("dynamodb", endpoint_url=gate.url, region_name="us-east-1", aws_access_key_id=key_id,
                          aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    with pytest.raises(ClientError) as refused:
        client.get_item(TableName="journey-orders", Key=KEY)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_head_keeps_the_approval_id_in_headers(moto, verifier, gate, agent):
    direct = moto.client("s3")
    direct.create_bucket(Bucket="journey-bucket")
    direct.put_object(Bucket="journey-bucket", Key="secret/a", Body=b"1")
    with pytest.raises(ClientError) as refused:
        agent.client("s3").head_object(Bucket="journey-bucket", Key="secret/a")
    metadata = refused.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 403
    approval = approval_id(metadata["HTTPHeaders"]["x-countersign-approval-id"])
    assert metadata["HTTPHeaders"]["x-amz-request-id"] == approval
    assert [a["id"] for a in gate.inbox()] == [approval]


def test_s3_errors_are_in_xml_and_boto3_reads_the_id(moto, verifier, gate, agent):
    moto.client("s3").create_bucket(Bucket="journey-bucket")
    client = agent.client("s3")
    with pytest.raises(ClientError) as refused:
        client.delete_object(Bucket="journey-bucket", Key="secret/a")
    error = refused.value.response
    assert error["Error"]["Code"] == "ApprovalRequired"
    assert error["ResponseMetadata"]["RequestId"] == approval_id(error["Error"]["Message"])


def test_the_task_of_a_dummy_token_is_on_the_card(orders, verifier, gate, agent):
    import boto3
    client = boto3.client("dynamodb", endpoint_url=gate.url, region_name="us-east-1",
                          aws_access_key_id="unsigned", aws_secret_access_key="unsigned",
                          aws_session_token="task=JIRA-42;reason=erase%20order%20o-91")
    with pytest.raises(ClientError):
        client.delete_item(TableName="quick-orders", Key=KEY)
    shown = json.dumps(gate.show(gate.wait_inbox()[0]["id"]))
    assert "JIRA-42" in shown and "erase order o-91" in shown


def test_show_tells_the_whole_story_of_an_approval(orders, verifier, gate, agent):
    verifier.expect("delete", times=1, **DELETE)
    child = agent.aws_started(*CLI_DELETE)
    approval = gate.wait_inbox()[0]["id"]
    gate.approve(approval)
    assert ended(child)[0] == 0
    told = gate.run("show", approval, "--control-socket", str(gate.control)).stdout
    for fact in ("support-7", "dynamodb:DeleteItem", "checked by the test", "grt-"):
        assert fact in told, told
    assert gate.verify_log().returncode == 0
