"""Where a call belongs: every form that says so, what says it wrongly, and clients that would go elsewhere."""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

import policies
from gate import binary
from test_services import KEY, TABLE

DISCOVERY = """\
Countersign: 1
Id: discovery
Agents: ["*"]
Statement:
  - Sid: Timestream
    Effect: Allow
    Action: ["timestream:DescribeEndpoints", "timestream:ListDatabases", "dynamodb:DescribeEndpoints"]
    Resource: "*"
  - Sid: Everything
    Effect: Allow
    Action: ["dynamodb:*", "codecatalyst:*", "sdb:*"]
    Resource: "*"
"""
ROOT = Path(__file__).resolve().parents[2]
SCOPE = ("AWS4-HMAC-SHA256 Credential=unsigned/20261124/us-east-1/{}/aws4_request, SignedHeaders=host, "
         "Signature=" + 64 * "0")


def told(gate, method: str, target: str, headers: dict, body: bytes = b"") -> tuple[int, dict, bytes]:
    """The gate's answer to one plain request."""
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=30)
    try:
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def dynamodb(operation: str) -> dict:
    return {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}


@pytest.fixture
def discovering(gate, verifier, monkeypatch):
    """A maker of boto3 clients that know the gate from the environment alone, so that they run endpoint discovery."""
    gate.write_policies(**policies.FILES, discovery=DISCOVERY)
    gate.stop()
    gate.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)

    def make(service: str):
        session = boto3.session.Session(aws_access_key_id="unsigned", aws_secret_access_key="unsigned")
        config = Config(endpoint_discovery_enabled=True, retries={"total_max_attempts": 1})
        return session.client(service, region_name="us-east-1", config=config)

    return make


def test_timestream_discovery_keeps_the_client_here(gate, verifier, discovering):
    verifier.expect("discovery", times=1, operation="DescribeEndpoints", service="timestream")
    verifier.expect("list", times=1, operation="ListDatabases", service="timestream")
    client = discovering("timestream-write")
    # The answer names the gate; with the host that the upstream names, the second call would leave for AWS.
    assert client.list_databases()["Databases"] == []
    verifier.assert_expected()
    outcomes = [entry for entry in gate.entries() if entry["type"] == "request"]
    assert [entry["operation"] for entry in outcomes] == ["DescribeEndpoints", "ListDatabases"]


def test_dynamodb_discovery_keeps_the_client_here(moto, verifier, discovering):
    # moto has no such operation: what AWS answers is given here.
    moto.client("dynamodb").create_table(**TABLE)
    verifier.expect("discovery", times=1, operation="DescribeEndpoints", service="dynamodb")
    verifier.expect("get", times=1, operation="GetItem", service="dynamodb")
    answer = {"Endpoints": [{"Address": "dynamodb.us-east-1.amazonaws.com", "CachePeriodInMinutes": 1440}]}
    verifier.fault("raw", data=raw(answer), matches=lambda arrival: arrival.operation == "DescribeEndpoints")
    client = discovering("dynamodb")
    assert client.get_item(TableName="journey-orders", Key=KEY)["ResponseMetadata"]["HTTPStatusCode"] == 200


def raw(answer: dict) -> bytes:
    body = json.dumps(answer).encode()
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amz-crc32: 1\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)) + body


def test_an_operation_that_the_catalog_does_not_know_is_named_and_denied(gate, verifier, discovering):
    # `dynamodb:*` is allowed, and would cover it.
    status, headers, body = told(gate, "POST", "/", {"Host": "127.0.0.1"} | dynamodb("FlyToTheMoon"), b"{}")
    assert (status, headers["x-countersign-code"]) == (403, "AccessDeniedException")
    assert json.loads(body)["__type"] == "countersign#AccessDeniedException"
    assert "dynamodb:FlyToTheMoon" in json.loads(body)["message"]
    form = {"Host": "127.0.0.1", "Content-Type": "application/x-www-form-urlencoded"}
    status, headers, body = told(gate, "POST", "/", form, b"Action=FlyToTheMoon&Version=2010-05-08")
    assert (status, headers["x-countersign-code"]) == (403, "AccessDenied") and b"iam:FlyToTheMoon" in body
    # An unsigned EC2 call: only its body says so, and the answer is in EC2's own shape all the same.
    status, headers, body = told(gate, "POST", "/", form, b"Action=FlyToTheMoon&Version=2016-11-15")
    assert (status, headers["x-countersign-code"]) == (403, "UnauthorizedOperation")
    assert b"<Response><Errors>" in body and b"ec2:FlyToTheMoon" in body
    status, headers, body = told(
        gate, "POST", "/service/GraniteServiceVersion20100801/operation/FlyToTheMoon",
        {"Host": "127.0.0.1", "smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}, b"\xa0")
    assert (status, headers["x-countersign-code"]) == (403, "AccessDeniedException")
    assert b"cloudwatch:FlyToTheMoon" in body
    gate.stop()
    denied = [entry for entry in gate.entries() if entry["type"] == "denied"]
    assert [(entry["service"], entry["operation"]) for entry in denied] == [
        ("dynamodb", "FlyToTheMoon"), ("iam", "FlyToTheMoon"), ("ec2", "FlyToTheMoon"),
        ("cloudwatch", "FlyToTheMoon")]
    assert [entry["reasons"] for entry in denied] == [["unknown operation"]] * 4


@pytest.mark.parametrize("headers, body", [
    ({"X-Amz-Target": "MoonService_20300101.Fly", "Content-Type": "application/x-amz-json-1.0"}, b"{}"),
    ({"Content-Type": "application/x-www-form-urlencoded"}, b"Action=Fly&Version=2030-01-01"),
    ({"Authorization": SCOPE.format("moon")}, b""),
    ({"Authorization": SCOPE.format("iam")} | dynamodb("GetItem"), b"{}"),
    ({"Authorization": SCOPE.format("iam")} | dynamodb("FlyToTheMoon"), b"{}"),
], ids=["target", "version", "scope", "another scope", "another scope, unknown operation"])
def test_an_unknown_or_contradicted_service_is_refused(gate, verifier, headers, body):
    status, _, _ = told(gate, "POST", "/", {"Host": "127.0.0.1"} | headers, body)
    assert status == 400
    gate.stop()
    assert [entry["status"] for entry in gate.entries() if entry["type"] == "rejected"] == [400]


def test_services_that_take_no_signature_of_ours_say_so(gate, verifier, discovering):
    status, _, body = told(gate, "GET", "/v1/spaces/s", {"Host": "127.0.0.1", "Authorization": "Bearer x"})
    assert status == 403 and b"scheme `Bearer`" in body
    status, _, body = told(gate, "GET", "/_aws/codecatalyst/v1/spaces/s", {"Host": "127.0.0.1"})
    assert status == 403 and b"bearer tokens" in body
    form = {"Host": "127.0.0.1", "Content-Type": "application/x-www-form-urlencoded"}
    signed = b"Action=ListDomains&Version=2009-04-15&AWSAccessKeyId=unsigned&SignatureVersion=2&" \
             b"SignatureMethod=HmacSHA256&Timestamp=2026-11-24T18%3A51%3A59Z&Signature=x"
    status, _, body = told(gate, "POST", "/", form, signed)
    assert status == 403 and b"sdb:ListDomains" in body and b"signature version 2" in body
    status, _, body = told(gate, "POST", "/", form, b"Action=ListUsers&Version=2010-05-08&" + signed.partition(b"&A")[2])
    assert status == 400


def test_a_path_prefix_names_the_service_and_is_cut_off(gate, moto, verifier, discovering):
    moto.client("dynamodb", "eu-west-1").create_table(**TABLE)
    verifier.regions.add("eu-west-1")
    verifier.expect("get", times=2, operation="GetItem", region="eu-west-1", path="/")
    body = json.dumps({"TableName": "journey-orders", "Key": KEY}).encode()
    for target in ("/_aws/dynamodb/eu-west-1", "/_aws/dynamodb/eu-west-1/"):
        status, _, answer = told(gate, "POST", target, {"Host": "127.0.0.1"} | dynamodb("GetItem"), body)
        assert status == 200, answer
    status, _, _ = told(gate, "POST", "/_aws/iam", {"Host": "127.0.0.1"} | dynamodb("GetItem"), body)
    assert status == 400


@pytest.mark.parametrize("host", ["journey-b.localhost", "journey-b.127.0.0.1"])
def test_a_bucket_in_the_host_is_the_bucket(gate, moto, verifier, host):
    moto.client("s3").create_bucket(Bucket="journey-b")
    moto.client("s3").put_object(Bucket="journey-b", Key="a/b", Body=b"found")
    verifier.expect("get", times=1, method="GET", path="/journey-b/a/b")
    # The bucket in the host beats a like-named one in the path.
    assert told(gate, "GET", "/a/b", {"Host": f"{host}:{gate.port}"})[2] == b"found"
    assert told(gate, "GET", "/journey-b/a/b", {"Host": "other.localhost"})[0] == 403


def test_what_botocore_sends_is_recognized_in_every_form():
    """A sample of scripts/recognize-all, which says what is counted; SEED=n replays one."""
    command = [sys.executable, str(ROOT / "scripts/recognize-all"), "--sample", "6", "--command",
               f"{binary()} debug recognize --jsonl --region us-east-1"]
    if "SEED" in os.environ:
        command += ["--seed", os.environ["SEED"]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
