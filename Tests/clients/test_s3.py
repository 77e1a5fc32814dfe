"""S3 through the gate: odd keys byte for byte, empty and small objects, large ones in parts, up and down."""

import hashlib
import json
import random

import pytest
from boto3.s3.transfer import TransferConfig

from agents import WAYS

BUCKET = "journey-bucket"
MIB = 1024 * 1024
# Keys with the path that S3 must see: escaped once, segments kept as they are.
ODD_KEYS = {
    "plain": "plain", "with space": "with%20space", "a+b": "a%2Bb", "100%": "100%25", "%41": "%2541",
    "a//b": "a//b", "/leading": "/leading", "ends/": "ends/", "üñí/日本": "%C3%BC%C3%B1%C3%AD/%E6%97%A5%E6%9C%AC",
    "q?x=1&y": "q%3Fx%3D1%26y", "hash#tag": "hash%23tag", "semi;colon,comma": "semi%3Bcolon%2Ccomma",
    "(paren)'quote'*!~": "%28paren%29%27quote%27%2A%21~", "=eq&amp@:$": "%3Deq%26amp%40%3A%24",
    "dots...and..more": "dots...and..more", "emoji 🎈": "emoji%20%F0%9F%8E%88",
}


@pytest.fixture(params=WAYS)
def keyless(agent, request):
    return agent.using(request.param)


@pytest.fixture
def bucket(moto):
    moto.client("s3").create_bucket(Bucket=BUCKET)
    return moto.client("s3")


def test_odd_keys_arrive_as_they_are(bucket, verifier, keyless):
    for key, path in ODD_KEYS.items():
        for method in ("PUT", "GET", "HEAD"):
            verifier.expect(f"{method} {key}", times=1, service="s3", method=method, path=f"/{BUCKET}/{path}")
    client = keyless.client("s3")
    for key in ODD_KEYS:
        client.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), Metadata={"note": "a  b"})
        got = client.get_object(Bucket=BUCKET, Key=key)
        assert got["Body"].read() == key.encode()
        assert client.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == len(key.encode())
    stored = bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {o["Key"] for o in stored} == set(ODD_KEYS)


@pytest.mark.parametrize("size", [0, 1, 65_537])
def test_small_objects_by_boto3(bucket, verifier, keyless, size):
    verifier.expect("put", times=1, method="PUT", path=f"/{BUCKET}/small")
    verifier.expect("get", times=1, method="GET", path=f"/{BUCKET}/small")
    verifier.expect("range", times=1 if size > 10 else 0, method="GET", path=f"/{BUCKET}/small")
    body = random.Random(size).randbytes(size)
    client = keyless.client("s3")
    client.put_object(Bucket=BUCKET, Key="small", Body=body, ContentType="application/x-odd; a=\"b\"")
    got = client.get_object(Bucket=BUCKET, Key="small")
    assert got["Body"].read() == body and got["ContentType"] == "application/x-odd; a=\"b\""
    if size > 10:
        part = client.get_object(Bucket=BUCKET, Key="small", Range="bytes=3-9")
        assert part["Body"].read() == body[3:10] and part["ResponseMetadata"]["HTTPStatusCode"] == 206


@pytest.mark.parametrize("size", [0, 1])
def test_small_objects_by_cli(bucket, verifier, keyless, size):
    verifier.expect("put", times=1, method="PUT", path=f"/{BUCKET}/dir%20a/b%2Bc.bin")
    verifier.expect("head", times=1, method="HEAD", path=f"/{BUCKET}/dir%20a/b%2Bc.bin")
    verifier.expect("get", times=1, method="GET", path=f"/{BUCKET}/dir%20a/b%2Bc.bin")
    source, target = keyless.folder / "up", keyless.folder / "down"
    source.write_bytes(b"x" * size)
    keyless.aws("s3", "cp", str(source), f"s3://{BUCKET}/dir a/b+c.bin")
    keyless.aws("s3", "cp", f"s3://{BUCKET}/dir a/b+c.bin", str(target))
    assert target.read_bytes() == b"x" * size


def large(verifier, parts: int) -> bytes:
    """64 MiB, and the list of what its way up and down may send: the parts are 8 MiB."""
    path = f"/{BUCKET}/large"
    verifier.expect("begin", times=1, method="POST", path=path, query=lambda q: q in ("uploads", "uploads="))
    verifier.expect("part", times=parts, method="PUT", path=path, query=lambda q: "partNumber=" in q)
    verifier.expect("complete", times=1, method="POST", path=path, query=lambda q: "uploadId=" in q)
    verifier.expect("head", times=1, method="HEAD", path=path)
    verifier.expect("get", times=parts, method="GET", path=path)
    return random.Random(64).randbytes(64 * MIB)


def test_64_mib_by_boto3(bucket, verifier, keyless):
    body = large(verifier, parts=8)
    source, target = keyless.folder / "up", keyless.folder / "down"
    source.write_bytes(body)
    transfer = TransferConfig(multipart_chunksize=8 * MIB, max_concurrency=4)
    client = keyless.client("s3")
    client.upload_file(str(source), BUCKET, "large", Config=transfer)
    client.download_file(BUCKET, "large", str(target), Config=transfer)
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(body).digest()


def test_64_mib_by_cli(bucket, verifier, agent):
    body = large(verifier, parts=8)
    source, target = agent.folder / "up", agent.folder / "down"
    source.write_bytes(body)
    agent.aws("s3", "cp", str(source), f"s3://{BUCKET}/large")
    agent.aws("s3", "cp", f"s3://{BUCKET}/large", str(target))
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(body).digest()


def test_a_body_over_10_mib_is_refused_and_says_the_limit(bucket, verifier, agent):
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError) as refused:
        agent.client("s3").put_object(Bucket=BUCKET, Key="over", Body=b"x" * (10 * MIB + 1))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "10" in str(refused.value)


def test_10_mib_exactly_passes(bucket, verifier, agent):
    verifier.expect("put", times=1, method="PUT", path=f"/{BUCKET}/full")
    agent.client("s3").put_object(Bucket=BUCKET, Key="full", Body=b"x" * (10 * MIB))


def test_buckets_and_lists(bucket, verifier, keyless):
    verifier.expect("make", times=1, method="PUT", path=lambda p: p.rstrip("/") == "/journey-other")
    verifier.expect("buckets", times=1, method="GET", path="/", service="s3")
    verifier.expect("list", times=1, method="GET", path=lambda p: p.rstrip("/") == f"/{BUCKET}",
                    query=lambda q: "prefix=a%20b%2B%2F" in q)
    client = keyless.client("s3")
    client.create_bucket(Bucket="journey-other")
    assert {b["Name"] for b in client.list_buckets()["Buckets"]} == {BUCKET, "journey-other"}
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="a b+/", Delimiter="/")["KeyCount"] == 0


def test_lists_by_cli(bucket, verifier, keyless):
    bucket.put_object(Bucket=BUCKET, Key="a b", Body=b"1")
    verifier.expect("list", times=1, method="GET", path=lambda p: p.rstrip("/") == f"/{BUCKET}")
    done = keyless.aws("s3api", "list-objects-v2", "--bucket", BUCKET)
    assert [o["Key"] for o in json.loads(done.stdout)["Contents"]] == ["a b"]


def test_a_copy_reads_its_source(bucket, verifier, agent):
    bucket.put_object(Bucket=BUCKET, Key="from ü", Body=b"1")
    bucket.create_bucket(Bucket="other-bucket")
    bucket.put_object(Bucket="other-bucket", Key="k", Body=b"2")
    verifier.expect("copy", times=1, method="PUT", path=f"/{BUCKET}/to")
    client = agent.client("s3")
    client.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "from ü"})
    assert bucket.get_object(Bucket=BUCKET, Key="to")["Body"].read() == b"1"
    # The target is open, the source is not: refused, and nothing arrives.
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": "other-bucket", "Key": "k"})
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
