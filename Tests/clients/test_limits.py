"""Statements with a `Limit`: what a runaway agent gets to send, through kills, reloads, retries and races."""

import signal
import threading
import time

import pytest
from botocore.exceptions import ClientError

from policies import AGENTS, APPROVERS, table
from test_services import KEY, TABLE

GET = {"service": "dynamodb", "operation": "GetItem", "method": "POST", "path": "/"}
PUT = {"service": "dynamodb", "operation": "PutItem", "method": "POST", "path": "/"}
GETS = {"TableName": "journey-orders", "Key": KEY}
REACHED = "limit of 3 calls an hour of limits/Read reached for this agent"
THROTTLED = b'HTTP/1.1 400 Bad\r\nContent-Length: 32\r\n\r\n{"__type":"ThrottlingException"}'
BROKEN = b'HTTP/1.1 500 Oh\r\nContent-Length: 34\r\n\r\n{"__type":"InternalServerError"}  '


def limits(limit: str, approval: str = "", more: str = "") -> str:
    return f"""\
Countersign: 1
Id: limits
Agents: ["*"]
Statement:
  - Sid: Read
    Effect: Allow
    Action: dynamodb:GetItem
    Resource: "{table('journey*')}"
    Limit: {{{limit}}}
{approval}  - Sid: Writes
    Effect: Allow
    Action: [dynamodb:PutItem, dynamodb:BatchWriteItem]
    Resource: "{table('journey*')}"
    Limit: {{Items: 10, Bytes: 4KiB, Per: 1h, By: session}}
{more}"""


@pytest.fixture
def limited(gate, agent, moto):
    """The gate under a limit of three reads an hour, and a client that does not retry."""
    moto.client("dynamodb").create_table(**TABLE)
    moto.client("dynamodb").put_item(TableName="journey-orders", Item=KEY)
    gate.stop()
    write(gate, limits("Calls: 3, Per: 1h"))
    gate.start()
    return agent.client("dynamodb")


def write(gate, text: str) -> None:
    for path in gate.policies.iterdir():
        path.unlink()
    gate.write_policies(limits=text, agents=AGENTS, approvers=APPROVERS)


def refused(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    return caught.value.response["Error"]["Message"]


def wait_denied(gate) -> list[dict]:
    """The refusals in the log; they are written behind the answer."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [entry for entry in gate.entries() if entry["type"] == "denied"]
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("no refusal is in the log")


def standings(gate) -> list[int]:
    return [entry["limits"][0]["calls"]["used"] for entry in gate.entries()
            if entry["type"] == "request" and "limits" in entry]


def test_the_call_beyond_the_limit_is_refused_and_told_why(limited, gate, verifier):
    verifier.expect("reads", times=3, **GET)
    for _ in range(3):
        limited.get_item(**GETS)
    told = refused(limited.get_item, **GETS)
    assert REACHED in told and "room again in 36" in told, told
    assert standings(gate) == [1, 2, 3]
    denied = wait_denied(gate)
    assert denied[0]["reasons"] == [REACHED] and "limits" not in denied[0]
    record = [entry for entry in gate.entries() if entry["type"] == "request"][0]["limits"]
    assert record == [{"statement": "limits/Read", "by": "agent", "per_s": 3600, "calls": {"used": 1, "of": 3}}]
    assert gate.verify_log().returncode == 0
    tail = gate.run("log", "tail", "--state", str(gate.state)).stdout
    assert REACHED in tail.replace("…", ""), tail


def test_a_kill_or_a_stop_gives_no_new_allowance(limited, gate, verifier):
    verifier.expect("reads", times=3, **GET)
    limited.get_item(**GETS)
    gate.kill()
    gate.start()
    limited.get_item(**GETS)
    gate.stop()
    gate.start()
    limited.get_item(**GETS)
    assert REACHED in refused(limited.get_item, **GETS)
    gate.kill()
    gate.start()
    assert REACHED in refused(limited.get_item, **GETS)
    assert standings(gate) == [1, 2, 3]


def test_a_reload_keeps_the_counts_of_what_keeps_its_name_and_window(limited, gate, verifier):
    verifier.expect("reads", times=5, **GET)
    for _ in range(3):
        limited.get_item(**GETS)

    def reload(text: str) -> None:
        loaded = sum(entry["type"] == "policy" for entry in gate.entries())
        write(gate, text)
        gate.process.child.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while sum(entry["type"] == "policy" for entry in gate.entries()) == loaded:
            assert time.monotonic() < deadline, "no reload"
            time.sleep(0.02)

    drops = f'  - {{Sid: Drops, Effect: Deny, Action: "dynamodb:DeleteTable", Resource: "{table("*")}"}}\n'
    reload(limits("Calls: 3, Per: 1h", more=drops))
    assert REACHED in refused(limited.get_item, **GETS)
    reload(limits("Calls: 4, Per: 60m"))
    limited.get_item(**GETS)
    assert "limit of 4 calls an hour" in refused(limited.get_item, **GETS)
    reload(limits("Calls: 1, Per: 2h"))
    limited.get_item(**GETS)
    assert "limit of 1 call in 2 h" in refused(limited.get_item, **GETS)


def test_of_many_calls_at_once_exactly_as_many_pass_as_there_is_room(limited, gate, verifier, agent):
    verifier.expect("reads", times=3, **GET)
    client = agent.client("dynamodb", max_pool_connections=32)
    passed, start = [], threading.Barrier(32)

    def call() -> None:
        start.wait()
        try:
            client.get_item(**GETS)
            passed.append(True)
        except ClientError as error:
            assert REACHED in str(error)
            passed.append(False)

    threads = [threading.Thread(target=call) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(passed) == [False] * 29 + [True] * 3
    assert standings(gate) == [1, 2, 3]


def test_a_call_and_its_retries_count_once(limited, gate, verifier, agent):
    """AWS throttles one attempt and fails at another: the SDK's third is the call that counts."""
    verifier.expect("reads", times=6, **GET)
    verifier.fault("raw", data=THROTTLED)
    verifier.fault("raw", data=BROKEN)
    client = agent.client("dynamodb", retries={"mode": "standard", "max_attempts": 3})
    client.get_item(**GETS)
    assert standings(gate) == [1, 1, 1]
    verifier.fault("raw", data=BROKEN)
    verifier.fault("raw", data=BROKEN)
    with pytest.raises(ClientError):
        limited.get_item(**GETS)
    gate.kill()
    gate.start()
    # Another invocation is another call, also after a failed one.
    limited.get_item(**GETS)
    assert REACHED in refused(limited.get_item, **GETS)
    assert standings(gate) == [1, 1, 1, 2, 2, 3]


def test_beyond_a_limit_that_asks_a_human_lets_one_more_call_go(limited, gate, verifier):
    verifier.expect("reads", times=2, **GET)
    gate.stop()
    approval = "    Approval: {Approvers: [oncall], Hold: 1s}\n"
    write(gate, limits("Calls: 1, Per: 1h, Beyond: ask", approval))
    gate.start()
    limited.get_item(**GETS)
    with pytest.raises(ClientError) as caught:
        limited.get_item(**GETS)
    assert caught.value.response["Error"]["Code"] == "ApprovalRequired"
    told = caught.value.response["Error"]["Message"]
    reached = "limit of 1 call an hour of limits/Read reached for this agent"
    assert f"asked by limits/Read ({reached}), decided by oncall" in told, told
    waiting = gate.wait_inbox()[0]
    shown = gate.run("show", waiting["id"], "--control-socket", str(gate.control)).stdout
    assert f"since {reached}" in shown, shown
    gate.approve(waiting["id"])
    limited.get_item(**GETS)
    assert standings(gate) == [1, 2]


def test_items_and_bytes_of_a_session_are_counted(limited, gate, verifier):
    verifier.expect("writes", times=2, service="dynamodb", method="POST", path="/")

    def batch(count: int, text: str = "x"):
        items = [{"PutRequest": {"Item": {"id": {"S": f"i-{number}"}, "text": {"S": text}}}} for number in range(count)]
        return {"RequestItems": {"journey-orders": items}}

    assert "11 items at once are over the limit of 10 items an hour of limits/Writes" in refused(
        limited.batch_write_item, **batch(11))
    limited.batch_write_item(**batch(8))
    assert "limit of 10 items an hour of limits/Writes reached for this session" in refused(
        limited.batch_write_item, **batch(3))
    assert "bytes at once are over the limit of 4096 bytes an hour" in refused(
        limited.batch_write_item, **batch(1, "x" * 4096))
    limited.put_item(TableName="journey-orders", Item=KEY)
