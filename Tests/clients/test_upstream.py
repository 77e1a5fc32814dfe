"""An upstream that fails: a write is never sent twice, an unknown outcome is called one, TLS is verified."""

import json
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from agents import Agent
from gate import GATEWAY_KEYS, Gate
from policies import FILES
from test_held import CLI_DELETE, DELETE, count, ended, orders  # noqa: F401
from test_services import KEY, TABLE
from verifier import Verifier

PUT = {"service": "dynamodb", "operation": "PutItem"}
GET = {"service": "dynamodb", "operation": "GetItem"}


def put(agent, number: int):
    return agent.client("dynamodb").put_item(TableName="journey-orders", Item={"id": {"S": str(number)}})


@pytest.mark.parametrize("fault", ["close", "partial", "lose"])
def test_a_write_is_not_sent_again_when_a_reused_connection_dies(orders, verifier, agent, fault):
    verifier.expect("put", times=3, **PUT)
    for number in (1, 2):
        put(agent, number)
    verifier.fault(fault)
    with pytest.raises(ClientError) as failed:
        put(agent, 3)
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 503)
    time.sleep(0.5)
    assert len(verifier.seen("put")) == 3


@pytest.mark.parametrize("fault", ["close", "partial", "lose"])
def test_an_approved_delete_with_an_unknown_outcome_is_not_repeated(orders, verifier, gate, agent, fault):
    verifier.expect("delete", times=1, **DELETE)
    verifier.fault(fault)
    child = agent.aws_started(*CLI_DELETE)
    gate.approve(gate.wait_inbox()[0]["id"])
    code, _, errors = ended(child, 60)
    assert code != 0 and "OutcomeUnknown" in errors, errors
    # The grant is spent: the same command is a new question.
    child = agent.aws_started(*CLI_DELETE)
    gate.deny(gate.wait_inbox()[0]["id"])
    assert ended(child)[0] != 0


def test_an_idle_close_does_not_burn_a_grant(orders, verifier, gate, agent):
    verifier.expect("put", times=1, **PUT)
    verifier.expect("delete", times=1, **DELETE)
    verifier.fault("idle-close", seconds=0.5)
    put(agent, 1)
    child = agent.aws_started(*CLI_DELETE)
    waiting = gate.wait_inbox()[0]
    time.sleep(1)
    gate.approve(waiting["id"])
    assert ended(child)[0] == 0


@pytest.mark.parametrize("code", [500, 503])
def test_an_upstream_error_comes_back_and_is_not_repeated_by_the_gate(orders, verifier, agent, code):
    verifier.expect("put", times=1, **PUT)
    verifier.fault("status", code=code)
    client = agent.client("dynamodb", retries={"mode": "standard", "total_max_attempts": 1})
    with pytest.raises(ClientError) as failed:
        client.put_item(TableName="journey-orders", Item=KEY)
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == code


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 2xx OK\r\nContent-Length: 2\r\n\r\n{}",
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
    b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Odd: a\r\n" + b"X-Fill: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
], ids=["two-lengths", "length-and-chunked", "bad-status", "nonsense", "cut-body", "redirect", "huge-head"])
def test_a_broken_reply_is_reframed_or_refused(orders, verifier, gate, agent, data):
    """Whatever the upstream says, the agent's connection stays well framed and the next call works."""
    verifier.expect("first", times=1, body={"Item": {"id": {"S": "1"}}}, **PUT)
    verifier.expect("second", times=1, body={"Item": {"id": {"S": "2"}}}, **PUT)
    verifier.fault("raw", data=data)
    client = agent.client("dynamodb", retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=10)
    try:
        client.put_item(TableName="journey-orders", Item={"id": {"S": "1"}})
    except Exception as failed:  # noqa: BLE001  any error of botocore's will do; a hang or a second request will not
        assert "timed out" not in str(failed).lower(), failed
    client.put_item(TableName="journey-orders", Item={"id": {"S": "2"}})


def test_an_upstream_that_is_down_is_a_503_and_comes_back(orders, gate_folder, tmp_path, moto):
    with Verifier(GATEWAY_KEYS, moto=moto.address) as verifier:
        pass  # its port is free again
    gate = Gate(gate_folder, verifier.url)
    gate.write_policies(**FILES)
    gate.start()
    try:
        with pytest.raises(ClientError) as failed:
            Agent(gate.url, tmp_path).client("dynamodb").get_item(TableName="journey-orders", Key=KEY)
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert gate.verify_log().returncode == 0
    finally:
        gate.stop()


def tls_gate(folder, verifier, *options: str) -> Gate:
    gate = Gate(folder, verifier.url, options=options)
    gate.write_policies(**FILES)
    return gate.start()


def test_tls_to_a_known_authority_passes_and_to_another_is_refused(moto, gate_folder, tmp_path):
    moto.client("dynamodb").create_table(**TABLE)
    with Verifier(GATEWAY_KEYS, moto=moto.address, tls_folder=tmp_path) as verifier:
        verifier.expect("get", times=1, **GET)
        gate = tls_gate(gate_folder, verifier, "--ca-bundle", str(verifier.ca_file))
        try:
            Agent(gate.url, tmp_path).client("dynamodb").get_item(TableName="journey-orders", Key=KEY)
        finally:
            gate.stop()
        gate = tls_gate(gate_folder, verifier)
        try:
            with pytest.raises(ClientError) as failed:
                Agent(gate.url, tmp_path).client("dynamodb").get_item(TableName="journey-orders", Key=KEY)
            assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        finally:
            gate.stop()
        verifier.assert_expected()


def test_plain_http_goes_to_loopback_only(gate_folder):
    gate = Gate(gate_folder, "http://192.0.2.1:80")
    gate.write_policies(**FILES)
    done = subprocess.run(gate.command(), env=gate.environment(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "loopback" in done.stderr, (done.returncode, done.stderr)


def test_a_session_token_is_signed_and_sent(moto, gate_folder, tmp_path):
    from sigv4check import Keys
    keys = Keys(GATEWAY_KEYS.access_key, GATEWAY_KEYS.secret_key, "the/gateway's+session=token")
    moto.client("dynamodb").create_table(**TABLE)
    with Verifier(keys, moto=moto.address) as verifier:
        verifier.expect("get", times=1, **GET)
        # With keys of a role the gate would first ask STS for narrower ones.
        gate = Gate(gate_folder, verifier.url, keys=keys, options=("--downscope", "off"))
        gate.write_policies(**FILES)
        gate.start()
        try:
            Agent(gate.url, tmp_path).client("dynamodb").get_item(TableName="journey-orders", Key=KEY)
        finally:
            gate.stop()
        verifier.assert_expected()


def test_the_secret_is_in_no_output(orders, verifier, gate, agent):
    verifier.expect("get", times=1, **GET)
    agent.client("dynamodb").get_item(TableName="journey-orders", Key=KEY)
    done = agent.aws("dynamodb", "delete-table", "--table-name", "journey-orders", "--debug", check=False)
    story = gate.run("log", "tail", "--state", str(gate.state), "--json", check=False)
    for text in (done.stdout, done.stderr, story.stdout, story.stderr, gate.process.said()):
        assert GATEWAY_KEYS.secret_key not in text
    assert json.dumps(gate.entries())
