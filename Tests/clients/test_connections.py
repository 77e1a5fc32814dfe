"""Kept and closed connections, answers without a body, early answers: by boto3, the CLI and a raw client."""

import re
import socket
import threading
import time

import pytest
from botocore.exceptions import ClientError

from agents import Agent
from gate import GATEWAY_KEYS, Gate
from policies import FILES
from test_hostile import exchange, status
from verifier import Verifier

BUCKET = "journey-bucket"
POLICY = """\
Countersign: 1
Id: objects
Agents: ["*"]
Statement:
  - Sid: All
    Effect: Allow
    Action: ["s3:DeleteObject", "s3:GetObject", "s3:PutObject", "sts:AssumeRole", "ssm:GetParameter"]
    Resource: "*"
"""


@pytest.fixture
def objects(moto, verifier, gate_folder, tmp_path):
    moto.client("s3").create_bucket(Bucket=BUCKET)
    moto.client("s3").put_object(Bucket=BUCKET, Key="k", Body=b"hello")
    gate = Gate(gate_folder, verifier.url)
    gate.write_policies(**FILES, objects=POLICY)
    gate.start()
    yield gate, Agent(gate.url, tmp_path)
    gate.stop()


def raw(method: str, key: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} /{BUCKET}/{key} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def answers(text: bytes, methods: list[str]) -> list[tuple[int, bytes]]:
    """Status and body of each answer, by nothing but the framing that HTTP defines."""
    found = []
    for method in methods:
        head, end, text = text.partition(b"\r\n\r\n")
        assert end, f"no head in {head[:200]!r}"
        match = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        code = int(head[9:12])
        length = 0 if method == "HEAD" or code in (204, 304) else int(match.group(1))
        found.append((code, text[:length]))
        text = text[length:]
    assert text == b"", f"bytes that belong to no answer: {text[:200]!r}"
    return found


def test_answers_without_a_body_keep_a_raw_connection_in_step(objects, verifier, moto):
    gate, _ = objects
    etag = moto.client("s3").head_object(Bucket=BUCKET, Key="k")["ETag"]
    verifier.expect("any", least=6, most=6, service="s3")
    asked = [raw("HEAD", "k"), raw("HEAD", "missing"), raw("GET", "k", f"If-None-Match: {etag}"),
             raw("DELETE", "gone"), raw("GET", "missing"), raw("GET", "k", "Connection: close"),
             # Behind a close nothing is read.
             raw("DELETE", "k")]
    reply, closed = exchange(gate.port, b"".join(asked), seconds=10)
    found = answers(reply, ["HEAD", "HEAD", "GET", "DELETE", "GET", "GET"])
    assert [code for code, _ in found] == [200, 404, 304, 204, 404, 200]
    assert found[-1][1] == b"hello" and closed
    assert reply.count(b"connection: close") == 1


def test_an_old_client_is_answered_and_closed(objects, verifier):
    gate, _ = objects
    verifier.expect("get", times=1, method="GET")
    asked = raw("GET", "k", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
    reply, closed = exchange(gate.port, asked + raw("GET", "k"))
    assert answers(reply, ["GET"]) == [(200, b"hello")] and closed


def test_boto3_goes_on_over_one_connection(objects, verifier):
    _, agent = objects
    verifier.expect("any", least=8, most=8, service="s3")
    client = agent.client("s3", max_pool_connections=1)
    for _ in range(2):
        etag = client.head_object(Bucket=BUCKET, Key="k")["ETag"]
        for call, code in (
            (lambda: client.head_object(Bucket=BUCKET, Key="missing"), 404),
            (lambda: client.get_object(Bucket=BUCKET, Key="k", IfNoneMatch=etag), 304),
        ):
            with pytest.raises(ClientError) as answered:
                call()
            assert answered.value.response["ResponseMetadata"]["HTTPStatusCode"] == code
        assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"hello"


def test_a_bad_second_request_spoils_neither_the_first_nor_the_third(objects, verifier):
    gate, _ = objects
    verifier.expect("get", times=2, method="GET", path=f"/{BUCKET}/k")
    reply, _ = exchange(gate.port, raw("GET", "k") + raw("GET", "k#x") + raw("GET", "k"))
    assert [code for code, _ in answers(reply, ["GET"] * 3)] == [200, 400, 200]
    with_body = raw("PUT", "k#x", "Content-Length: 60") + raw("DELETE", "k").ljust(60)
    reply, closed = exchange(gate.port, with_body + raw("GET", "k"))
    assert [code for code, _ in answers(reply, ["PUT"])] == [400] and closed


def test_a_slow_body_is_408_and_counts_for_nothing(objects, verifier):
    gate, _ = objects
    with socket.create_connection(("127.0.0.1", gate.port), timeout=20) as sock:
        begun = time.monotonic()
        sock.sendall(raw("PUT", "k", "Content-Length: 1000000") + b"x" * 1000)
        reply = b""
        while chunk := sock.recv(65536):
            reply += chunk
    assert status(reply) == 408 and 5 < time.monotonic() - begun < 18, reply[:300]
    assert b"RequestTimeout" in reply


class EarlyUpstream:
    """Reads the head of each request and answers at once, whatever is still to come."""

    def __init__(self, answer: bytes):
        self.answer, self.heads = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head and (byte := sock.recv(1)):
                head += byte
            self.heads.append(head)
            sock.sendall(self.answer)
            time.sleep(0.3)
            sock.close()


def test_an_early_refusal_of_an_upload_reaches_boto3_and_is_not_repeated(gate_folder, tmp_path):
    text = b"<Error><Code>EntityTooLarge</Code><Message>m</Message></Error>"
    upstream = EarlyUpstream(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Type: application/xml\r\n"
                             b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
    gate = Gate(gate_folder, upstream.url)
    gate.write_policies(**FILES, objects=POLICY)
    gate.start()
    try:
        client = Agent(gate.url, tmp_path).client("s3", retries={"mode": "standard", "total_max_attempts": 1})
        with pytest.raises(ClientError) as refused:
            client.put_object(Bucket=BUCKET, Key="k", Body=b"x" * (8 << 20))
        assert refused.value.response["Error"]["Code"] == "EntityTooLarge"
        assert len(upstream.heads) == 1
    finally:
        gate.stop()
        upstream.listener.close()


def over_unix(path, raw_request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(path))
        sock.sendall(raw_request)
        reply = b""
        while chunk := sock.recv(65536):
            reply += chunk
        return reply


def test_an_agents_own_unix_socket_serves_as_loopback_does(moto, verifier, gate_folder):
    moto.client("s3").create_bucket(Bucket=BUCKET)
    moto.client("s3").put_object(Bucket=BUCKET, Key="k", Body=b"hello")
    verifier.expect("get", times=1, method="GET", path=f"/{BUCKET}/k")
    path = gate_folder / "support.sock"
    gate = Gate(gate_folder, verifier.url, options=("--listen", f"support-7=unix:{path}"))
    gate.write_policies(**FILES, objects=POLICY)
    gate.start()
    try:
        assert path.stat().st_mode & 0o777 == 0o660
        assert answers(over_unix(path, raw("GET", "k", "Connection: close")), ["GET"]) == [(200, b"hello")]
        assert status(over_unix(path, raw("GET", "k", "Connection: close", "Content-Length: 0", "Content-Length: 0"))) == 400
        assert status(over_unix(path, b"GET /v1/approvals HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) in (400, 403)
        [request] = [entry for entry in gate.entries() if entry["type"] == "request"]
        assert request["peer"].startswith("uid ") and request["agent"] == "support-7"
    finally:
        gate.stop()
    assert not path.exists()


def canned(folder, tmp_path, head: list[tuple[str, str]], body: bytes, code: int = 200):
    """A verifier that answers everything so, and the gate before it."""
    verifier = Verifier(GATEWAY_KEYS, responder=lambda request: (code, head, body))
    gate = Gate(folder, verifier.url)
    gate.write_policies(**FILES, objects=POLICY)
    return verifier, gate


def test_what_an_error_echoes_of_the_gateways_keys_is_taken_out(gate_folder, tmp_path):
    key = GATEWAY_KEYS.access_key
    body = (f'{{"__type":"ValidationException","message":"{key} \\u0041{key[1:]} &#65;{key[1:]} %41{key[1:]}"}}').encode()
    verifier, gate = canned(gate_folder, tmp_path, [("x-amzn-ErrorMessage", f"key {key}")], body, 400)
    with verifier:
        gate.start()
        try:
            for method in ("GET", "HEAD"):
                reply, _ = exchange(gate.port, raw(method, "k"))
                assert status(reply) == 400 and key[1:].encode() not in reply, reply
                assert b"key [redacted]" in reply
        finally:
            gate.stop()


@pytest.mark.parametrize("call", ["vending", "other"])
def test_a_reply_that_holds_credentials_is_flagged_unless_its_operation_vends(gate_folder, tmp_path, call):
    document = (b"<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
                b"<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
                b"<Expiration>2027-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>")
    verifier, gate = canned(gate_folder, tmp_path, [("Content-Type", "text/xml")], document)
    with verifier:
        gate.start()
        try:
            agent = Agent(gate.url, tmp_path)
            if call == "vending":
                found = agent.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="session")
                assert found["Credentials"]["SecretAccessKey"] == "s"
            else:
                assert agent.client("s3").get_object(Bucket=BUCKET, Key="k")["Body"].read() == document
            # The outcome is written after the answer.
            deadline = time.monotonic() + 5
            outcomes = []
            while not outcomes and time.monotonic() < deadline:
                outcomes = [entry for entry in gate.entries() if entry["type"] == "outcome"]
            [outcome] = outcomes
            assert outcome.get("holds_credentials", False) == (call == "other")
            # The terminal has a thread of its own.
            warning = "holds what AWS calls credentials"
            while call == "other" and warning not in gate.process.said() and time.monotonic() < deadline:
                time.sleep(0.02)
            assert (warning in gate.process.said()) == (call == "other")
            assert gate.verify_log().returncode == 0
        finally:
            gate.stop()
