"""Keys that the gate issued, in the AWS CLI and boto3 unchanged; and what an agent that edits, borrows or replays gets."""

import datetime
import hashlib
import http.client
import json
import subprocess
import urllib.parse

import boto3
import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from gate import AGENT, Gate
from policies import FILES
from stand import clean_environment, tool

BUCKET = "journey-bucket"
EMPTY = hashlib.sha256(b"").hexdigest()


def opened(gate, task="JIRA-42", *more: str) -> Credentials:
    """Keys of a session, as `countersign session open` gives them."""

    done = gate.run("session", "open", "--agent", gate.agent, "--task", task, "--reason", "erase o-91", "--json",
                    "--agent-socket", str(gate.agents), *more)
    found = json.loads(done.stdout)
    credentials = Credentials(found["access_key_id"], found["secret_access_key"], found["session_token"])
    credentials.session = found["session"]
    return credentials


@pytest.fixture
def keys(gate):
    return opened(gate)


@pytest.fixture
def bucket(moto):
    moto.client("s3").create_bucket(Bucket=BUCKET)
    moto.client("s3").put_object(Bucket=BUCKET, Key="a b+c", Body=b"hello")
    return moto.client("s3")


def client(gate, keys, service, **settings):
    settings.setdefault("retries", {"mode": "standard", "max_attempts": 1})
    return boto3.session.Session().client(
        service, region_name="us-east-1", endpoint_url=gate.url, aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key, aws_session_token=keys.token, config=Config(**settings))


def environment(gate, keys):
    return clean_environment(gate.folder) | {
        "AWS_ENDPOINT_URL": gate.url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key, "AWS_SESSION_TOKEN": keys.token}


def requests(gate):
    return [entry for entry in gate.entries() if entry["type"] == "request"]


def refusals(gate):
    return [entry for entry in gate.entries() if entry["type"] == "rejected"]


# What works.


def test_boto3_calls_are_the_sessions(gate, verifier, bucket, keys):
    verifier.expect("lists", least=1, most=9, operation="ListTables")
    verifier.expect("s3", least=3, most=9, service="s3")
    client(gate, keys, "dynamodb").list_tables()
    s3 = client(gate, keys, "s3")
    assert s3.get_object(Bucket=BUCKET, Key="a b+c")["Body"].read() == b"hello"
    s3.put_object(Bucket=BUCKET, Key="new/ü", Body=b"x" * 100_000, Metadata={"note": "a  b"})
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix="new/")["Contents"]] == ["new/ü"]
    entries = requests(gate)
    assert len(entries) == 4
    for entry in entries:
        assert (entry["agent"], entry["session"], entry["strength"]) == (AGENT, keys.session, "signed")
        assert entry["task"] == {"text": "JIRA-42", "source": "session-token"} and entry["key"] == keys.access_key


def test_the_cli_signs_with_them(gate, verifier, bucket, keys, tmp_path):
    verifier.expect("s3", least=3, most=12, service="s3")
    verifier.expect("lists", least=1, operation="ListTables")
    (tmp_path / "up").write_bytes(b"up" * 1000)
    for command in (["dynamodb", "list-tables"], ["s3", "cp", str(tmp_path / "up"), f"s3://{BUCKET}/up"],
                    ["s3", "ls", f"s3://{BUCKET}"], ["s3", "cp", f"s3://{BUCKET}/up", str(tmp_path / "down")]):
        done = subprocess.run([tool("aws"), *command], env=environment(gate, keys), capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "down").read_bytes() == b"up" * 1000
    assert {entry["session"] for entry in requests(gate)} == {keys.session}


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_of_both_versions(gate, verifier, bucket, keys, version):
    verifier.expect("get", times=1, method="GET", service="s3")
    verifier.expect("put", times=1, method="PUT", service="s3")
    s3 = client(gate, keys, "s3", signature_version=version)
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "a b+c"})
    assert ("X-Amz-Signature" in url) == (version == "s3v4")
    assert fetch(gate, "GET", url) == (200, b"hello")
    put = s3.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "put"})
    assert fetch(gate, "PUT", put, b"new")[0] == 200
    assert bucket.get_object(Bucket=BUCKET, Key="put")["Body"].read() == b"new"
    assert {entry["session"] for entry in requests(gate)} == {keys.session}


def fetch(gate, method, url, body=None, headers=()):
    split = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=20)
    connection.request(method, f"{split.path}?{split.query}" if split.query else split.path, body,
                       headers=dict(headers))
    reply = connection.getresponse()
    return reply.status, reply.read()


# What is refused: nothing arrives, which the verifier proves at the end.


def signed(gate, keys, method="GET", path=f"/{BUCKET}/a%20b%2Bc", body=b"", service="s3", at=None):
    """The header of a call that boto3's signer signs, at another time where `at` is given."""
    request = AWSRequest(method=method, url=gate.url + path, data=body)
    signer = (auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth)(keys, service, "us-east-1")
    if at is not None:
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=at)
        before, auth.get_current_datetime = auth.get_current_datetime, lambda: now
    try:
        signer.add_auth(request)
    finally:
        if at is not None:
            auth.get_current_datetime = before
    return dict(request.headers.items())


def edited(text):
    return text[:40] + ("A" if text[40] != "A" else "B") + text[41:]


HOSTILE = {
    "an edited token": lambda headers: headers | {"X-Amz-Security-Token": edited(headers["X-Amz-Security-Token"])},
    "no token": lambda headers: {name: value for name, value in headers.items() if name != "X-Amz-Security-Token"},
    "an unsigned field": lambda headers: headers | {"x-amz-acl": "public-read"},
    "another signature": lambda headers: headers | {"Authorization": headers["Authorization"][:-1] + "0"
                                                    if headers["Authorization"][-1] != "0" else
                                                    headers["Authorization"][:-1] + "1"},
    "a real key": lambda headers: headers | {"Authorization": headers["Authorization"].replace("CSAK", "AKIA")},
    "another key": lambda headers: headers | {
        "Authorization": headers["Authorization"].replace("Credential=CSAK", "Credential=CSAKAAAA")},
    "a foreign key": lambda headers: headers | {"Authorization": headers["Authorization"].replace("CSAK", "ABCD")},
    "another algorithm": lambda headers: headers | {
        "Authorization": headers["Authorization"].replace("HMAC-SHA256", "HMAC-SHA512")},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_edited_call_is_nobodys(gate, bucket, keys, name):
    status, body = fetch(gate, "GET", f"/{BUCKET}/a%20b%2Bc", headers=HOSTILE[name](signed(gate, keys)))
    assert status == 403 and b"<Code>AccessDenied</Code>" in body and b"Countersign refused" in body, body
    assert requests(gate) == [] and len(refusals(gate)) == 1
    assert keys.secret_key.encode() not in body and keys.token.encode() not in body


def test_a_stale_call_a_future_one_and_another_path_are_refused(gate, bucket, keys):
    for at in (-1_000, 1_000):
        status, body = fetch(gate, "GET", f"/{BUCKET}/a%20b%2Bc", headers=signed(gate, keys, at=at))
        assert status == 403 and b"15 min are the most" in body
    for path in (f"/{BUCKET}/other", f"/{BUCKET}/a%20b%2Bc?acl", f"/{BUCKET}"):
        assert fetch(gate, "GET", path, headers=signed(gate, keys))[0] == 403
    assert fetch(gate, "HEAD", f"/{BUCKET}/a%20b%2Bc", headers=signed(gate, keys))[0] == 403
    assert requests(gate) == []


def test_a_swapped_body_is_refused(gate, bucket, keys):
    headers = signed(gate, keys, "PUT", f"/{BUCKET}/k", b"right")
    status, body = fetch(gate, "PUT", f"/{BUCKET}/k", b"wrong", headers)
    assert status == 403 and b"body is not the one that was signed" in body
    call = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    request = AWSRequest(method="POST", url=gate.url + "/", data=b"{}", headers=call)
    auth.SigV4Auth(keys, "dynamodb", "us-east-1").add_auth(request)
    status, body = fetch(gate, "POST", "/", b'{"Limit":1}', dict(request.headers.items()))
    assert status == 403 and b"signature is not the one" in body
    assert requests(gate) == []


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_takes_no_more_parameters(gate, bucket, keys, version):
    s3 = client(gate, keys, "s3", signature_version=version)
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "a b+c"})
    for added in ("&versionId=1", "&acl", "&prefix=a", "&x-amz-acl=public-read", "&response-content-type=text/html"):
        assert fetch(gate, "GET", url + added)[0] == 403, added
    assert fetch(gate, "PUT", url)[0] == 403
    assert fetch(gate, "GET", url.replace("a%20b", "a%20c"))[0] == 403
    assert fetch(gate, "GET", url, headers={"x-amz-acl": "public-read"})[0] == 403
    assert fetch(gate, "GET", url, headers={"Host": "other.localhost"})[0] == 403
    assert fetch(gate, "GET", url, headers=signed(gate, keys))[0] == 403, "in the query and in the header"
    assert requests(gate) == []


def test_keys_of_another_host_open_nothing(gate, bucket, verifier, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir(mode=0o700)
    other = Gate(folder, verifier.url)
    other.write_policies(**FILES)
    other.start()
    try:
        keys = opened(other)
    finally:
        other.stop()
    with pytest.raises(ClientError, match="was not issued on this host"):
        client(gate, keys, "s3").get_object(Bucket=BUCKET, Key="a b+c")
    assert requests(gate) == []


def test_a_closed_session_ends_its_keys_at_once(gate, bucket, keys, verifier):
    verifier.expect("get", times=1, method="GET", service="s3")
    s3 = client(gate, keys, "s3")
    s3.get_object(Bucket=BUCKET, Key="a b+c")
    gate.run("session", "close", keys.session, "--agent-socket", str(gate.agents))
    with pytest.raises(ClientError, match="SessionClosed"):
        s3.get_object(Bucket=BUCKET, Key="a b+c")


def test_keys_outlive_a_restart(gate, bucket, keys, verifier):
    verifier.expect("get", times=2, method="GET", service="s3")
    for _ in range(2):
        client(gate, keys, "s3").get_object(Bucket=BUCKET, Key="a b+c")
        gate.stop()
        gate.start()
    key = gate.state / "keys" / "host.key"
    assert key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32
