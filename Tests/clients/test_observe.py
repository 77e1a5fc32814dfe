"""`serve --mode observe`: what policy would stop is sent and marked; what nobody may let through is refused."""

import json
import socket

import pytest
from botocore.exceptions import ClientError

from gate import AGENT
from policies import AGENTS, APPROVERS, table
from test_services import KEY, TABLE

POLICY = f"""\
Countersign: 1
Id: plan
Agents: ["*"]
Statement:
  - {{Sid: Read, Effect: Allow, Action: "dynamodb:GetItem", Resource: "{table('journey*')}"}}
  - Sid: DeletesAsk
    Effect: AllowWithApproval
    Action: dynamodb:DeleteItem
    Resource: "*"
    Approval: {{Approvers: [oncall], Hold: 1s}}
  - {{Sid: DropsNeverPass, Effect: Deny, Action: "dynamodb:DeleteTable", Resource: "*"}}
  - Sid: ThisHost
    Effect: Allow
    Action: dynamodb:DescribeTable
    Resource: "*"
    Condition: {{StringEquals: {{countersign:Host: {json.dumps(socket.gethostname())}}}}}
  - Sid: OtherHosts
    Effect: Allow
    Action: dynamodb:ListTables
    Resource: "*"
    Condition: {{StringNotEquals: {{countersign:Host: {json.dumps(socket.gethostname())}}}}}
"""


@pytest.fixture
def planned(gate, moto):
    """Starts the gate under the plan, in the mode that the test names, with a table to work on."""
    moto.client("dynamodb").create_table(**TABLE)
    moto.client("dynamodb").put_item(TableName="journey-orders", Item=KEY)
    gate.stop()
    for path in gate.policies.iterdir():
        path.unlink()
    gate.write_policies(plan=POLICY, agents=AGENTS, approvers=APPROVERS)

    def start(*options: str):
        gate.options = options
        return gate.start()

    return start


def requests(gate) -> dict[str, dict]:
    return {entry["operation"]: entry for entry in gate.entries() if entry["type"] == "request"}


def refused(call, **arguments) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value


def test_what_policy_would_stop_is_sent_and_marked(planned, gate, agent, verifier):
    verifier.expect("all", times=4, service="dynamodb", method="POST", path="/")
    planned("--mode", "observe")
    client = agent.client("dynamodb")
    client.get_item(TableName="journey-orders", Key=KEY)
    client.put_item(TableName="journey-orders", Item=KEY)
    client.delete_item(TableName="journey-orders", Key=KEY)
    client.delete_table(TableName="journey-orders")
    found = requests(gate)
    assert all(entry["mode"] == "observe" for entry in found.values())
    assert "would" not in found["GetItem"] and found["GetItem"]["statements"] == ["plan/Read"]
    assert found["PutItem"]["would"] == "deny" and found["PutItem"]["reasons"] == ["by default"]
    assert found["DeleteItem"]["would"] == "ask" and found["DeleteItem"]["statements"] == ["plan/DeletesAsk"]
    assert found["DeleteTable"]["would"] == "deny" and found["DeleteTable"]["reasons"] == ["plan/DropsNeverPass"]
    assert not any("uses" in entry for entry in found.values())
    assert not any(entry["type"] in ("approval", "grant") for entry in gate.entries()) and gate.inbox() == []
    start = [entry for entry in gate.entries() if entry["type"] == "start"][-1]
    assert start["mode"] == "observe"

    said = gate.process.said()
    assert "WARNING: --mode observe: POLICY IS NOT ENFORCED" in said, said
    inbox = gate.run("inbox", "--control-socket", str(gate.control)).stdout
    assert inbox.startswith("WARNING: the gate only observes"), inbox
    tail = gate.run("log", "tail", "--state", str(gate.state)).stdout
    assert "MODE OBSERVE" in tail and "[observe: WOULD DENY: plan/DropsNeverPass]" in tail, tail
    assert "[observe: WOULD ASK: plan/DeletesAsk]" in tail, tail
    shown = gate.run("show", found["DeleteTable"]["req"], "--control-socket", str(gate.control)).stdout
    assert "nobody: the gate only observed. Policy would deny: plan/DropsNeverPass" in shown, shown
    assert gate.verify_log().returncode == 0


def test_credentials_strangers_and_what_is_not_understood_are_refused(planned, gate, agent, verifier):
    verifier.expect("none", times=0, method="POST")
    planned("--mode", "observe")
    role = {"RoleArn": "arn:aws:iam::123456789012:role/app", "RoleSessionName": "session"}
    told = refused(agent.client("sts").assume_role, **role)
    assert told.response["ResponseMetadata"]["HTTPStatusCode"] == 403, told
    assert refused(agent.client("iam").create_access_key, UserName="mia").response["Error"]["Code"] == "AccessDenied"

    def raw(*fields: str, body: bytes = b"{}") -> bytes:
        head = "\r\n".join(["POST / HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/x-amz-json-1.0",
                            f"Content-Length: {len(body)}", "Connection: close", *fields])
        with socket.create_connection(("127.0.0.1", gate.port), timeout=10) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode() + body)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer

    real = ("Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261125/us-east-1/dynamodb/aws4_request, "
            f"SignedHeaders=host, Signature={'0' * 64}")
    target = "X-Amz-Target: DynamoDB_20120810."
    assert raw(f"{target}ListTables", real).startswith(b"HTTP/1.1 403 ")
    assert raw(f"{target}EmptyTable").startswith(b"HTTP/1.1 403 ")
    assert raw(f"{target}GetItem", body=b'{"TableName":').startswith(b"HTTP/1.1 400 ")
    assert raw(f"{target}GetItem", "Host: two", body=b"{}").startswith(b"HTTP/1.1 400 ")


def test_enforcing_is_what_it_was_and_knows_its_host(planned, gate, agent, verifier):
    verifier.expect("all", times=2, service="dynamodb", method="POST", path="/")
    planned()
    client = agent.client("dynamodb")
    client.get_item(TableName="journey-orders", Key=KEY)
    client.describe_table(TableName="journey-orders")
    assert "AccessDenied" in str(refused(client.put_item, TableName="journey-orders", Item=KEY))
    assert "ApprovalRequired" in str(refused(client.delete_item, TableName="journey-orders", Key=KEY))
    assert "DropsNeverPass" in str(refused(client.delete_table, TableName="journey-orders"))
    assert "AccessDenied" in str(refused(client.list_tables))
    assert not any("mode" in entry or "would" in entry for entry in gate.entries())
    assert "observe" not in gate.process.said() and gate.inbox()[0]["requester"]["agent"] == AGENT


@pytest.mark.parametrize("mode", ["Observe", "", "monitor"])
def test_no_other_word_turns_enforcing_off(gate, verifier, mode):
    verifier.expect("none", times=0, method="POST")
    gate.stop()
    done = gate.run(*gate.command()[1:], "--mode", mode, check=False)
    assert done.returncode == 2 and "is neither enforce nor observe" in done.stderr, done
