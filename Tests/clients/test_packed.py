"""gzip bodies: CloudWatch's PutMetricData, the one operation whose model has clients compress, judged by what is inside."""

import gzip
import json
import zlib

import pytest
from botocore.exceptions import ClientError

from agents import Agent
from gate import GATEWAY_KEYS, Gate
from policies import FILES
from test_hostile import exchange, status
from verifier import Verifier

# Over botocore's threshold of 10,240 bytes.
METRICS = [{"MetricName": f"held-{n}", "Value": float(n), "Dimensions": [{"Name": "queue", "Value": f"q{n}"}]}
           for n in range(300)]
POLICY = """\
Countersign: 1
Id: metrics
Agents: ["*"]
Statement:
  - Sid: OwnNamespace
    Effect: Allow
    Action: cloudwatch:PutMetricData
    Resource: "*"
    Condition: {StringEquals: {"cloudwatch:namespace": Journey/Orders}}
"""
PUT = {"service": "monitoring", "operation": "PutMetricData"}


@pytest.fixture
def metrics(gate_folder, tmp_path):
    """A verifier that answers by itself (moto unpacks twice and fails), a gate, and an agent."""
    with Verifier(GATEWAY_KEYS, responder=lambda request: (200, [("Content-Type", "application/x-amz-json-1.0")], b"{}")) as verifier:
        gate = Gate(gate_folder, verifier.url)
        gate.write_policies(**FILES, metrics=POLICY)
        gate.start()
        try:
            yield verifier, gate, Agent(gate.url, tmp_path)
        finally:
            gate.stop()
        verifier.assert_expected()


def arrived(verifier) -> dict:
    """What is inside the one packed body that arrived; it is signed with its encoding."""
    [arrival] = verifier.seen("put")
    headers = dict(arrival.headers)
    assert headers["content-encoding"] == "gzip" and arrival.body[:2] == b"\x1f\x8b"
    assert "content-encoding" in headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    return json.loads(gzip.decompress(arrival.body))


@pytest.mark.parametrize("way", ["dummy", "unsigned"])
def test_boto3_packs_and_the_bytes_go_on_as_they_came(metrics, way):
    verifier, gate, agent = metrics
    verifier.expect("put", times=1, **PUT)
    client = agent.using(way).client("cloudwatch")
    sent = []
    client.meta.events.register("before-send", lambda request, **_: sent.append(request.body))
    client.put_metric_data(Namespace="Journey/Orders", MetricData=METRICS)
    assert arrived(verifier)["Namespace"] == "Journey/Orders"
    assert sent[0] == verifier.seen("put")[0].body
    assert gate.verify_log().returncode == 0


def test_the_cli_packs_too(metrics):
    verifier, _, agent = metrics
    verifier.expect("put", times=1, **PUT)
    data = agent.folder / "metrics.json"
    data.write_text(json.dumps(METRICS))
    agent.aws("cloudwatch", "put-metric-data", "--namespace", "Journey/Orders", "--metric-data", f"file://{data}")
    assert len(arrived(verifier)["MetricData"]) == len(METRICS)


def test_what_is_inside_is_judged(metrics):
    _, _, agent = metrics
    with pytest.raises(ClientError) as refused:
        agent.client("cloudwatch").put_metric_data(Namespace="Payroll", MetricData=METRICS)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_what_cannot_be_unpacked_within_bounds_is_refused(metrics):
    _, gate, _ = metrics
    text = b'{"Namespace":"Journey/Orders","MetricData":[]}'
    whole = gzip.compress(text)
    named = zlib.compressobj(9, zlib.DEFLATED, 31)
    bodies = {
        "two members": whole + gzip.compress(b""), "bytes after it": whole + b"\0", "cut short": whole[:-1],
        "a bad checksum": whole[:-8] + b"\0\0\0\0" + whole[-4:], "not packed": text,
        "zlib's form": zlib.compress(text), "packed twice": gzip.compress(whole), "nothing": b"",
        "a comment": whole[:3] + b"\x10" + whole[4:10] + b"&Action=DeleteAlarms\0" + whole[10:],
        "a bomb": gzip.compress(text[:-1] + b" " * (64 << 20) + b"}"),
        "a bomb of bombs": gzip.compress(gzip.compress(b" " * (64 << 20)) * 50),
        "not UTF-8": named.compress(b'{"Namespace":"\xff"}') + named.flush(),
        "two namespaces": gzip.compress(b'{"Namespace":"Journey/Orders","Namespace":"Payroll","MetricData":[]}'),
    }
    for name, body in bodies.items():
        reply, _ = exchange(gate.port, (
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: GraniteServiceVersion20100801.PutMetricData\r\n"
            b"Content-Type: application/x-amz-json-1.0\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)) + body)
        assert status(reply) == 400, (name, reply[:300])
