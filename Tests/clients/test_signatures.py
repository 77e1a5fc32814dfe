"""`countersign debug sign` against botocore's own signer, on seeded random requests, stage by stage.

`SEED=n` replays a run, `COUNT=n` signs more than the usual 400.
"""

import base64
import datetime
import json
import os
import random
import subprocess
from unittest import mock

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gate import binary

PLAIN = "abcXYZ019-._~"
RESERVED = ":@!$'()*+,;="
UNICODE = ["é", "e\u0301", "ß", "日本", "🎈", "\u200b", "\u00ad", "ǅ", "\U0010ffff"]
NAMES = ["x-amz-meta-a", "X-Amz-Meta-A", "x-amz-meta", "X-Amz-Target", "Content-Type", "Accept", "A1", "A-1", "a_b",
         "X-Note", "x-note", "Content-MD5", "If-Match", "user-agent", "Expect", "x-amzn-trace-id", "X~odd", "Content-Length"]
SERVICES = ["dynamodb", "sts", "lambda", "execute-api", "service", "s3"]


def text(dice, count, letters):
    return "".join(dice.choice(letters) for _ in range(dice.randrange(count)))


def escaped(dice):
    """One escape: a byte of every class, in either case of its digits."""
    byte = dice.choice([dice.randrange(256), 0x2F, 0x25, 0x2E, 0x20, 0x2B, 0x7E])
    return dice.choice(["%%%02X", "%%%02x"]) % byte


def segment(dice, service):
    pieces = [text(dice, 6, PLAIN), text(dice, 3, RESERVED), escaped(dice), ".", "..", "...", "", "arn%3Aaws%3As3",
              "&", "%2E%2E"]
    if service != "s3":
        # A path is ASCII on the wire; botocore leaves S3's as it is, the official suite encodes it.
        pieces += UNICODE + ['"', "<", "|", "^", "`", "{"]
    return "".join(dice.choice(pieces) for _ in range(dice.randrange(4)))


def query(dice):
    pieces = [text(dice, 5, PLAIN), text(dice, 3, RESERVED + "/?"), escaped(dice), "".join(f"%{b:02X}" for b in "ü".encode())]
    pairs = []
    for _ in range(dice.randrange(7)):
        name = "".join(dice.choice(pieces) for _ in range(dice.randrange(3)))
        value = "".join(dice.choice(pieces) for _ in range(dice.randrange(3)))
        pairs.append(dice.choice([name, name + "=", f"{name}={value}", f"{name}=={value}", "", dice.choice(pairs or ["a=1"])]))
    return dice.choice(["", "?"]) + "?" + "&".join(pairs) if pairs else dice.choice(["", "?"])


def value(dice):
    # Other blanks than ASCII's are blanks to Python's `split` and bytes like any other to AWS.
    blanks = [" ", "  ", "\t", " \t ", "   "]
    words = [text(dice, 8, PLAIN + RESERVED + '"/?#[]<>{}|^`\\%'), dice.choice(UNICODE), '"a  b"', ""]
    out = dice.choice(["", *blanks])
    for _ in range(dice.randrange(5)):
        out += dice.choice(words) + dice.choice(["", *blanks])
    return out


def line(dice, number):
    service = dice.choice(SERVICES)
    path = "/" + "/".join(segment(dice, service) for _ in range(dice.randrange(6)))
    # urlsplit would take two leading slashes for a host only without the one we put before.
    headers = [["Host", dice.choice(["example.amazonaws.com", "127.0.0.1:8990", "b.s3.eu-west-1.amazonaws.com"])]]
    headers += [[dice.choice(NAMES), value(dice)] for _ in range(dice.randrange(8))]
    day = datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=dice.randrange(60 * 365 * 86400))
    found = {
        "id": number, "method": dice.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
        "target": path + query(dice), "headers": dice.sample(headers, len(headers)),
        "body_b64": base64.b64encode(dice.randbytes(dice.choice([0, 0, 1, 300]))).decode(), "service": service,
        "region": dice.choice(["us-east-1", "eu-west-1", "cn-north-1"]), "access_key": "AKID" + text(dice, 16, "ABC123"),
        "secret_key": text(dice, 40, "abc+/XYZ09") + "=", "date": day.strftime("%Y%m%dT%H%M%SZ"),
        "session_token": dice.choice([None, "FwoGZXIvYXdzEJr//wEaDG+/=" + text(dice, 200, "abc+/=")]),
    }
    if dice.random() < 0.2:
        found["content_sha256_header"] = True
    return found


def oracle(found):
    """botocore's canonical request, string to sign and signed headers with signature."""
    s3 = found["service"] == "s3" or found.get("content_sha256_header")
    kind = auth.S3SigV4Auth if found["service"] == "s3" else auth.SigV4Auth
    now = datetime.datetime.strptime(found["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    signer = kind(Credentials(found["access_key"], found["secret_key"], found["session_token"]), found["service"],
                  found["region"])
    host = dict(found["headers"])["Host"]
    # Over plain http botocore always hashes the payload, as the gate does.
    request = AWSRequest(method=found["method"], url=f"http://{host}{found['target']}",
                         data=base64.b64decode(found["body_b64"]))
    for name, text in found["headers"]:
        request.headers.add_header(name, text)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now), \
            mock.patch("botocore.auth.SIGNED_HEADERS_BLACKLIST", []):
        if s3 and kind is auth.SigV4Auth:
            request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
        signer.add_auth(request)
        authorization = request.headers["Authorization"]
        del request.headers["Authorization"]
        canonical = signer.canonical_request(request)
        return canonical, signer.string_to_sign(request, canonical), authorization


def test_random_requests_sign_as_botocore_signs_them():
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    count = int(os.environ.get("COUNT", 400))
    dice = random.Random(seed)
    lines = [line(dice, number) for number in range(count)]
    done = subprocess.run([binary(), "debug", "sign", "--jsonl"], capture_output=True, text=True, timeout=300,
                          input="".join(json.dumps(found) + "\n" for found in lines))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == list(range(count))
    for found, answer in zip(lines, answers):
        stages = answer.get("canonical_request"), answer.get("string_to_sign"), answer.get("authorization")
        assert stages == oracle(found), f"SEED={seed}: {json.dumps(found, ensure_ascii=False)} {answer.get('error')}"


@pytest.mark.parametrize("number", range(3))
def test_one_changed_byte_is_another_signature(number):
    """The comparison can fail: botocore's signature of a neighbor is not ours."""
    dice = random.Random(number)
    found = line(dice, number)
    done = subprocess.run([binary(), "debug", "sign", "--jsonl"], capture_output=True, text=True, timeout=60,
                          input=json.dumps(found) + "\n")
    mine = json.loads(done.stdout)["authorization"]
    assert mine == oracle(found)[2]
    assert mine != oracle(found | {"secret_key": found["secret_key"] + "x"})[2]
    assert mine != oracle(found | {"body_b64": "AAAA"})[2]
