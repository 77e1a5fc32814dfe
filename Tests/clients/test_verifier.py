"""The verifier is judged first: right signatures of botocore pass, each tampering is refused, the list is kept."""

import hashlib
import re
import socket
import ssl
import threading
import time

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

import agents  # noqa: F401  (keeps this machine's AWS settings out)
from rawhttp import Malformed, Request, parse_head
from sigv4check import Keys, Scope, canonical_path, canonical_request, check, query_pairs, signature
from verifier import Verifier

KEYS = Keys("AKIAVERIFIERTEST0001", "verifier-test-secret")
TOKEN_KEYS = Keys("ASIAVERIFIERTEST0001", "verifier-test-secret", "a-session-token")

ODD_KEYS = ["plain", "with space", "a+b", "100%", "%41", "a//b", "/leading", "ends/", "üñí/日本", "a/../b", "a/./b",
            "q?x=1&y", "hash#tag", "semi;colon,comma", "(paren)'quote'*!~", "tab\tkey", "=eq&amp@:$"]


def botocore_client(verifier: Verifier, service: str, keys: Keys = KEYS, region: str = "us-east-1"):
    client = boto3.client(
        service, region_name=region, endpoint_url=verifier.url, aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key, aws_session_token=keys.session_token,
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 1}))
    # The gate never sends Expect; botocore does, for uploads.
    def without_expect(params, **_):
        params["headers"].pop("Expect", None)

    client.meta.events.register_last("before-call.s3", without_expect)
    return client


def signed(verifier: Verifier, method: str = "POST", path: str = "/", body: bytes = b"{}", service: str = "dynamodb",
           region: str = "us-east-1", keys: Keys = KEYS, headers: dict[str, str] | None = None) -> bytearray:
    """The raw bytes of a request as botocore signs it."""
    if headers is None:
        headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest(method, verifier.url + path, headers=dict(headers), data=body)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.session_token)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region).add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{verifier.port}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return bytearray("\r\n".join(lines).encode() + body)


def exchange(verifier: Verifier, raw: bytes) -> bytes:
    """Sends bytes and gives all that comes back."""
    with socket.create_connection(("127.0.0.1", verifier.port), timeout=10) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        parts = []
        while chunk := sock.recv(65536):
            parts.append(chunk)
        return b"".join(parts)


@pytest.fixture
def alone():
    """A verifier with a canned answer."""
    with Verifier(KEYS, responder=lambda request: (200, [], b"{}")) as verifier:
        yield verifier


TEN = [
    ("dynamodb", "list_tables", {}), ("s3", "list_buckets", {}), ("sqs", "list_queues", {}),
    ("sns", "list_topics", {}), ("sts", "get_caller_identity", {}), ("iam", "list_users", {}),
    ("lambda", "list_functions", {}), ("kms", "list_keys", {}), ("secretsmanager", "list_secrets", {}),
    ("ssm", "describe_parameters", {}),
]


@pytest.mark.parametrize("service,call,arguments", TEN, ids=[s for s, _, _ in TEN])
def test_botocore_passes_for_each_service(moto, service, call, arguments):
    with Verifier(KEYS, moto=moto.address) as verifier:
        verifier.expect(call, times=1, service=service)
        assert getattr(botocore_client(verifier, service), call)(**arguments)
        verifier.assert_expected()


def test_botocore_passes_with_a_session_token(moto):
    with Verifier(TOKEN_KEYS, moto=moto.address) as verifier:
        verifier.expect("list", times=1, service="dynamodb")
        botocore_client(verifier, "dynamodb", TOKEN_KEYS).list_tables()
        verifier.assert_expected()


def test_botocore_passes_with_odd_lambda_paths(alone):
    client = botocore_client(alone, "lambda")
    for name in ("f:1", "arn:aws:lambda:us-east-1:123456789012:function:f"):
        client.get_function(FunctionName=name)
    assert alone.violations() == []


def test_botocore_passes_with_odd_s3_keys(moto):
    with Verifier(KEYS, moto=moto.address) as verifier:
        client = botocore_client(verifier, "s3")
        client.create_bucket(Bucket="odd")
        for key in ODD_KEYS:
            client.put_object(Bucket="odd", Key=key, Body=key.encode())
            assert client.get_object(Bucket="odd", Key=key)["Body"].read() == key.encode()
            client.list_objects_v2(Bucket="odd", Prefix=key)
        assert verifier.violations() == []


def change(raw: bytearray, old: bytes, new: bytes) -> bytes:
    assert old in raw, old
    return bytes(raw.replace(old, new, 1))


def signed_s3(verifier: Verifier, method: str, path: str) -> bytearray:
    return signed(verifier, method, path, b"", "s3", headers={})


def signed_as(verifier: Verifier, payload_hash: str | None, day: str | None = None, method: str = "PUT",
              names: tuple[str, ...] = ("host", "x-amz-content-sha256", "x-amz-date")) -> bytes:
    """An upload that is rightly signed for something that it must not be signed for."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    head = f"{method} /b/k HTTP/1.1\r\nHost: 127.0.0.1:{verifier.port}\r\nX-Amz-Date: {stamp}\r\n"
    if payload_hash is None:
        names = tuple(name for name in names if name != "x-amz-content-sha256")
    else:
        head += f"X-Amz-Content-Sha256: {payload_hash}\r\n"
    lines = [line.split(": ", 1) for line in head.split("\r\n")[1:-1]]
    request = Request(method, "/b/k", "/b/k", "", [(name.lower(), value) for name, value in lines])
    scope = Scope(KEYS.access_key, day or stamp[:8], "us-east-1", "s3", list(names), "")
    proof = signature(KEYS, scope, stamp, canonical_request(request, scope, payload_hash or OF_X))
    credential = f"{KEYS.access_key}/{scope.date}/us-east-1/s3/aws4_request"
    return (head + f"Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(names)}, "
            f"Signature={proof}\r\nContent-Length: 1\r\n\r\nx").encode()


def with_line(raw: bytearray, line: bytes) -> bytes:
    return change(raw, b"\r\nContent-Length", b"\r\n" + line + b"\r\nContent-Length")


OF_X = hashlib.sha256(b"x").hexdigest()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BARE = {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
STRANGER = Keys("AKIAOTHER", KEYS.secret_key)
WRONG = Keys(KEYS.access_key, "other")
DUMMY = Keys("unsigned", "unsigned")
TASK = Keys(KEYS.access_key, KEYS.secret_key, "task=a;reason=b")

# What is done to a right request, and the words of the guard that must refuse it.
TAMPERINGS = {
    "the body": (lambda v: change(signed(v, body=b'{"a":1}'), b'{"a":1}', b'{"a":2}'), "does not match"),
    "the path": (lambda v: change(signed_s3(v, "GET", "/b/k"), b"/b/k", b"/b/x"), "does not match"),
    "the query": (lambda v: change(signed_s3(v, "GET", "/b?list-type=2"), b"=2", b"=1"), "does not match"),
    "the method": (lambda v: change(signed_s3(v, "GET", "/b/k"), b"GET ", b"PUT "), "does not match"),
    "the target": (lambda v: change(signed(v), b"ListTables", b"DeleteTable"), "does not match"),
    "another host": (lambda v: change(signed(v), b"Host: 127.0.0.1", b"Host: 127.0.0.2"), "does not match"),
    "a wrong secret": (lambda v: signed(v, keys=WRONG), "does not match"),
    "the signature's form": (lambda v: change(signed(v), b"Signature=", b"Signature=0"), "strict form"),
    "no authorization": (lambda v: re.sub(rb"Authorization: [^\r]*\r\n", b"", bytes(signed(v))), "unsigned"),
    "the scope's region": (lambda v: change(signed(v), b"/us-east-1/", b"/eu-west-1/"), "for region"),
    "a region nobody asked for": (lambda v: signed(v, region="eu-west-1"), "for region"),
    "iam in a region": (lambda v: signed(v, body=b"Action=ListUsers&Version=2010-05-08", service="iam",
                                         region="eu-west-1", headers=FORM), "for region"),
    "the scope's service": (lambda v: signed(v, service="sqs"), "for service"),
    "a foreign key": (lambda v: signed(v, keys=STRANGER), "foreign access key"),
    "the agent's dummy key": (lambda v: signed(v, keys=DUMMY), "the agent's own credential"),
    "the agent's session token": (lambda v: signed(v, keys=TASK), "unexpected session token"),
    "a signed header taken away": (
        lambda v: change(signed(v), b"Content-Type: application/x-amz-json-1.0\r\n", b""), "signed but absent"),
    "an unsigned x-amz header": (lambda v: with_line(signed(v), b"X-Amz-Extra: 1"), "present but unsigned"),
    "an unsigned content-type": (
        lambda v: with_line(signed(v, headers=BARE), b"Content-Type: text/plain"), "present but unsigned"),
    "a payload hash of other bytes": (
        lambda v: signed_as(v, hashlib.sha256(b"y").hexdigest()), "is not the body's"),
    "an unsigned S3 payload": (lambda v: signed_as(v, "UNSIGNED-PAYLOAD"), "is not the body's"),
    "no payload hash": (lambda v: signed_as(v, None), "without x-amz-content-sha256"),
    "the scope of another day": (lambda v: signed_as(v, OF_X, day="20200101"), "not the day"),
    "signed headers out of order": (
        lambda v: signed_as(v, OF_X, names=("x-amz-date", "host", "x-amz-content-sha256")), "not sorted"),
    "a signed header twice": (
        lambda v: signed_as(v, OF_X, names=("host", "host", "x-amz-content-sha256", "x-amz-date")), "not sorted"),
    "a method of its own": (lambda v: signed_as(v, OF_X, method="BREW"), "method b'"),
    "a directory bucket's token": (
        lambda v: signed(v, "GET", "/b/k", b"", "s3", headers={"X-Amz-S3session-Token": "a"}), "directory-bucket"),
    "a presigned query": (lambda v: signed_s3(v, "GET", "/b/k?X-Amz-Signature=00"), "in the query"),
    "a SigV2 query": (lambda v: signed_s3(v, "GET", "/b/k?AWSAccessKeyId=x&Signature=y&Expires=1"), "in the query"),
    "a raw plus in the query": (lambda v: signed_s3(v, "GET", "/b?prefix=a+b"), "raw +"),
    "expect": (lambda v: with_line(signed(v), b"Expect: 100-continue"), "must not reach"),
    "connection": (lambda v: with_line(signed(v), b"Connection: close"), "must not reach"),
    "chunked": (lambda v: change(signed(v), b"Content-Length: 2", b"Transfer-Encoding: chunked"), "must not reach"),
    "forwarded": (lambda v: with_line(signed(v), b"X-Forwarded-For: 1.2.3.4"), "must not reach"),
    "the agent's task header": (lambda v: with_line(signed(v), b"X-Countersign-Task: t"), "must not reach"),
    "two content-lengths": (lambda v: with_line(signed(v), b"Content-Length: 2"), "duplicate singleton"),
    "two hosts": (lambda v: with_line(signed(v), b"Host: evil"), "duplicate singleton"),
    "no content-length": (lambda v: change(signed(v), b"Content-Length: 2\r\n", b""), "without content-length"),
    "a plus before the length": (lambda v: change(signed(v), b"Content-Length: 2", b"Content-Length: +2"), "'+2'"),
    "a body cut short": (lambda v: bytes(signed(v))[:-1], "cut"),
    "a folded header": (lambda v: with_line(signed(v), b" folded"), "folded header line"),
    "a bare LF": (lambda v: change(signed(v), b"\r\nContent-Length", b"\nContent-Length"), "bare CR, LF"),
    "an absolute target": (lambda v: change(signed(v), b"POST / ", b"POST http://127.0.0.1/ "), "target b'"),
    "a fragment": (lambda v: change(signed(v), b"POST / ", b"POST /#x "), "target b'"),
    "a longer request line": (lambda v: change(signed(v), b" HTTP/1.1", b" HTTP/1.1 x"), "request line"),
    "a line without a colon": (lambda v: with_line(signed(v), b"X-Odd"), "header line b'"),
    "a blank before the colon": (lambda v: with_line(signed(v), b"X-Odd : a"), "header line b'"),
    "a control byte": (lambda v: with_line(signed(v), b"X-Odd: a\x01"), "control byte"),
    "no host": (lambda v: re.sub(rb"Host: [^\r]*\r\n", b"", bytes(signed(v))), "no host"),
    "a part over 11 MiB": (lambda v: change(signed(v), b"Content-Length: 2", b"Content-Length: 11534337"), "over 115"),
    "an endless head": (lambda v: with_line(signed(v), b"X-Odd: " + b"a" * 140_000), "head over"),
    "a head cut short": (lambda v: bytes(signed(v))[:60], "inside a head"),
    "a form that cannot be read": (lambda v: signed(v, body=b"Action=%ff&b", service="sns", headers=FORM), "body:"),
    "HTTP 1.0": (lambda v: change(signed(v), b"HTTP/1.1", b"HTTP/1.0"), "version"),
}


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda name: name.replace(" ", "-"))
def test_each_tampering_is_refused_and_noted(alone, tampering):
    alone.expect("anything", least=0, most=99)
    tamper, words = TAMPERINGS[tampering]
    reply = exchange(alone, bytes(tamper(alone)))
    assert reply.split(b" ")[1] in (b"400", b"403"), reply[:200]
    assert words in "; ".join(alone.violations())
    with pytest.raises(AssertionError, match="violation"):
        alone.assert_expected()


def test_the_untampered_request_passes(alone):
    """The neighbor of every tampering."""
    alone.expect("anything", times=3)
    assert exchange(alone, signed_as(alone, OF_X)).startswith(b"HTTP/1.1 200")
    assert exchange(alone, bytes(signed(alone))).startswith(b"HTTP/1.1 200")
    assert exchange(alone, bytes(signed(alone, "GET", "/b/k", b"", "s3", headers={}))).startswith(b"HTTP/1.1 200")
    alone.assert_expected()


@pytest.mark.parametrize("seconds,fits", [(0, True), (-290, True), (290, True), (-310, False), (310, False)])
def test_the_date_is_at_most_five_minutes_off(alone, seconds, fits):
    request = parse_head(bytes(signed(alone, body=b"")).split(b"\r\n\r\n")[0] + b"\r\n\r\n")
    faults = check(request, KEYS, {"us-east-1"}, "dynamodb", time.time() + seconds)
    assert (faults == []) == fits, faults


def test_an_unexpected_request_is_told(alone):
    alone.expect("lists", least=0, most=5, operation="ListTables")
    exchange(alone, bytes(signed(alone, headers={"X-Amz-Target": "DynamoDB_20120810.DeleteTable"})))
    with pytest.raises(AssertionError, match="unexpected.*DeleteTable"):
        alone.assert_expected()


@pytest.mark.parametrize("sent,fits", [(0, False), (1, True), (2, True), (3, False)])
def test_the_count_is_kept(alone, sent, fits):
    alone.expect("lists", least=1, most=2, operation="ListTables")
    for _ in range(sent):
        exchange(alone, bytes(signed(alone)))
    if fits:
        alone.assert_expected()
    else:
        with pytest.raises(AssertionError, match="arrived"):
            alone.assert_expected()


def test_a_body_is_matched_by_its_members(alone):
    alone.expect("one table", times=1, body={"TableName": "orders"})
    exchange(alone, bytes(signed(alone, body=b'{"TableName": "orders", "Key": {"id": {"S": "1"}}}')))
    exchange(alone, bytes(signed(alone, body=b'{"TableName": "others"}')))
    with pytest.raises(AssertionError, match="unexpected"):
        alone.assert_expected()


def test_expectations_come_first(alone):
    exchange(alone, bytes(signed(alone)))
    with pytest.raises(AssertionError, match="before the run"):
        alone.expect("late")


@pytest.mark.parametrize("kind,begins", [("close", b""), ("lose", b""), ("partial", b"HTTP/1.1 2"),
                                         ("status", b"HTTP/1.1 500"), ("raw", b"nonsense")])
def test_faults_come_as_ordered_and_once(alone, kind, begins):
    alone.fault(kind, data=b"nonsense")
    reply = exchange(alone, bytes(signed(alone)))
    assert reply.startswith(begins) and (reply == b"") == (begins == b"")
    assert exchange(alone, bytes(signed(alone))).startswith(b"HTTP/1.1 200")


def test_a_delay_delays_and_never_is_never(alone):
    alone.fault("delay", seconds=0.3)
    begun = time.monotonic()
    assert exchange(alone, bytes(signed(alone))).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - begun >= 0.3
    alone.fault("never")
    with socket.create_connection(("127.0.0.1", alone.port), timeout=0.3) as sock:
        sock.sendall(bytes(signed(alone)))
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_pipelined_requests_are_answered_one_by_one(alone):
    alone.expect("lists", times=3)
    assert exchange(alone, bytes(signed(alone)) * 3).count(b"HTTP/1.1 200") == 3
    alone.assert_expected()


def test_tls_is_verified_with_the_test_authority(tmp_path):
    with Verifier(KEYS, responder=lambda request: (200, [], b"{}"), tls_folder=tmp_path) as verifier:
        context = ssl.create_default_context(cafile=str(verifier.ca_file))
        with socket.create_connection(("127.0.0.1", verifier.port), timeout=10) as sock, \
                context.wrap_socket(sock, server_hostname="127.0.0.1") as tls:
            tls.sendall(bytes(signed(verifier)))
            assert tls.recv(100).startswith(b"HTTP/1.1 200")


def test_many_connections_at_once(alone):
    alone.expect("lists", times=64)
    threads = [threading.Thread(target=exchange, args=(alone, bytes(signed(alone)))) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone.assert_expected()


def test_paths_and_queries_canonicalize_as_AWS_says():
    assert canonical_path("/b/a%20b//c/../d", "s3") == "/b/a%20b//c/../d"
    assert canonical_path("/a%20b//c/../d/", "lambda") == "/a%2520b/d/"
    assert query_pairs("b=2&a&a=%20&a=!") == [("a", ""), ("a", "%20"), ("a", "%21"), ("b", "2")]
    for head in (b"GET /%zz HTTP/1.1\r\nhost: a\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n"):
        with pytest.raises(Malformed):
            parse_head(head)
