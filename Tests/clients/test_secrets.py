"""Canaries of every kind of secret, looked for in everything that the gate says, writes or answers."""

import http.client
import json
import os
import subprocess

import pytest

import desk
from gate import Gate
from policies import AGENTS, table
from sigv4check import Keys
from stand import ACCOUNT
from test_races import APPROVERS
from verifier import Verifier

KEYS = Keys("AKIAGATEWAYKEY000002", "canary-secret/of+the/gateway/7Rt5Zk3v9Qw1Xy", "canary-token-of-the-gateway//Hq==")
AGENTS_SECRET = "canary-signature-of-the-client"
VALUE = "canary-value-that-the-call-stores"
POLICY = f"""\
Countersign: 1
Id: asks
Agents: ["*"]
Statement:
  - {{Sid: Reads, Effect: Allow, Action: dynamodb:GetItem, Resource: "{table('quick*')}"}}
  - Sid: Ask
    Effect: AllowWithApproval
    Action: [dynamodb:DeleteItem, secretsmanager:PutSecretValue]
    Resource: ["{table('quick*')}", "arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:*"]
    Approval: {{Approvers: [oncall], Scope: exact, Hold: 0s}}
"""
ECHO = f"<CanonicalRequest>x-amz-security-token:{KEYS.session_token}</CanonicalRequest>"


def call(port: int, target: str, body: dict, **headers: str) -> bytes:
    """Everything that the gate answers, head and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/", json.dumps(body), {
            "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0",
            **{name.replace("_", "-"): value for name, value in headers.items()}})
        answer = connection.getresponse()
        return f"{answer.status} {answer.getheaders()} ".encode() + answer.read()
    finally:
        connection.close()


def refusal(status: int, kind: str, padding: int) -> bytes:
    """What AWS says of a signature that it does not accept: it quotes what was signed, the token with it."""
    if kind == "json":
        body = json.dumps({"__type": "InvalidSignatureException", "message": ECHO + "x" * padding}).encode()
    else:
        body = f"<Error><Code>SignatureDoesNotMatch</Code>{ECHO}<P>{'x' * padding}</P></Error>".encode()
    return f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture(params=["environment", "process", "file"])
def place(request, gate_folder):
    """A gate whose keys come by each of the three ways."""
    options, extra = (), {}
    if request.param == "process":
        script = gate_folder / "keys"
        script.write_text("#!/bin/sh\necho canary-on-standard-error >&2\ncat <<'END'\n" + json.dumps(
            {"Version": 1, "AccessKeyId": KEYS.access_key, "SecretAccessKey": KEYS.secret_key,
             "SessionToken": KEYS.session_token}) + "\nEND\n")
        script.chmod(0o700)
        options = ("--credential-process", str(script))
    elif request.param == "file":
        file = gate_folder / "credentials"
        file.write_text(f"[default]\naws_access_key_id = {KEYS.access_key}\naws_secret_access_key = {KEYS.secret_key}\n"
                        f"aws_session_token = {KEYS.session_token}\n")
        file.chmod(0o600)
        extra["AWS_SHARED_CREDENTIALS_FILE"] = str(file)
    if request.param != "environment":
        extra |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    with Verifier(KEYS, responder=lambda _: (200, [], b"{}")) as verifier:
        verifier.expect("all", least=0, most=99)
        # Its own keys sign here; those of sessions are searched for by test_downscope.py.
        gate = Gate(gate_folder, verifier.url, keys=KEYS, options=(*options, "--downscope", "off"), environment=extra)
        gate.write_policies(asks=POLICY, agents=AGENTS, approvers=APPROVERS)
        gate.start()
        yield gate, verifier
        if gate.process:
            gate.stop()


def test_no_secret_is_in_anything_that_is_said_written_or_answered(place):
    gate, verifier = place
    said = {}
    get = "DynamoDB_20120810.GetItem"
    item = {"TableName": "quick-orders", "Key": {"id": {"S": "o-1"}}}
    said["allowed"] = call(gate.port, get, item)
    assert b"200 " in said["allowed"] and len(verifier.seen()) == 1
    for kind in ("json", "xml"):
        for padding in (0, 200_000):
            verifier.fault("raw", data=refusal(403 if kind == "xml" else 400, kind, padding))
            said[f"{kind} {padding}"] = answer = call(gate.port, get, item)
            assert answer.startswith(b"503 ") and b"renew" in answer, (kind, padding, answer[:300])
    signed = (f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261124/us-east-1/dynamodb/aws4_request, "
              f"SignedHeaders=host, Signature={AGENTS_SECRET}")
    said["foreign"] = call(gate.port, get, item, Authorization=signed, X_Amz_Security_Token=AGENTS_SECRET)
    assert said["foreign"].startswith(b"403 ")
    said["held"] = call(gate.port, "secretsmanager.PutSecretValue", {
        "SecretId": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:journey-AbCdEf", "SecretString": VALUE,
        "ClientRequestToken": "11111111-2222-3333-4444-555555555555"})
    assert b"ApprovalRequired" in said["held"]
    approval = desk.waiting(gate.control)[0]["approval"]
    said["malformed"] = call(gate.port, "DynamoDB_20120810.Nothing", item)
    socket = ("--control-socket", str(gate.control))
    log = ("--state", str(gate.state))
    for arguments in [("inbox", *socket), ("inbox", "--json", *socket), ("show", approval, *socket),
                      ("show", approval, "--json", *socket), ("approve", approval, "--yes", *socket),
                      ("grants", *socket), ("grants", "--json", *socket), ("show", approval, *socket),
                      ("log", "tail", *log), ("log", "tail", "--json", *log), ("log", "show", approval, *log),
                      ("log", "show", approval, "--json", *log), ("log", "verify", *log)]:
        done = gate.run(*arguments)
        said[" ".join(arguments[:3])] = (done.stdout + done.stderr).encode()
    with open(f"/proc/{gate.process.child.pid}/cmdline", "rb") as line:
        said["command line"] = line.read()
    gate.stop()
    said |= {str(path): path.read_bytes() for path in [gate.folder / "gate.txt", *gate.state.rglob("*")]
             if path.is_file()}
    for where, text in said.items():
        assert b"canary" not in text, f"{where}: {text[max(0, text.index(b'canary') - 200):][:400]}"


def test_credentials_that_are_gone_stop_the_start_without_a_word_of_them(gate_folder):
    script = gate_folder / "keys"
    script.write_text("#!/bin/sh\necho canary-out\necho canary-err >&2\nexit 3\n")
    script.chmod(0o700)
    gate = Gate(gate_folder, "http://127.0.0.1:1", keys=KEYS, options=("--credential-process", str(script)))
    gate.write_policies(asks=POLICY, agents=AGENTS, approvers=APPROVERS)
    done = subprocess.run(gate.command(), env=gate.environment(), capture_output=True, timeout=20)
    assert done.returncode == 2 and b"ended with code 3" in done.stderr
    assert b"canary" not in done.stdout + done.stderr and set(os.listdir(gate.state)) <= {"log", "keys"}


def test_no_file_of_tls_keys_is_written(gate_folder):
    """libcurl writes the keys of its connections to SSLKEYLOGFILE, if that stands in the environment."""
    keys = gate_folder / "tls-keys"
    with Verifier(KEYS, responder=lambda arrival: (200, {}, b"{}"), tls_folder=gate_folder) as verifier:
        verifier.expect("read", operation="GetItem")
        gate = Gate(gate_folder, verifier.url, keys=KEYS, options=("--ca-bundle", str(verifier.ca_file)),
                    environment={"SSLKEYLOGFILE": str(keys)})
        gate.write_policies(asks=POLICY, agents=AGENTS, approvers=APPROVERS)
        gate.start()
        answer = call(gate.port, "DynamoDB_20120810.GetItem", {"TableName": "quick-1", "Key": {"id": {"S": "a"}}})
        gate.stop()
    assert answer.startswith(b"200 ") and not keys.exists(), answer[:300]
