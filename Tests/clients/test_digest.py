"""The digest (DESIGN.md, section 7.2): the same call has the same one however it is written, a changed call another.

Every operation of the ten services that are named exactly, serialized by botocore, read by `countersign debug recognize`. The
parameters that change are drawn by SEED.
"""

import base64
import copy
import datetime
import importlib.machinery
import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from gate import binary

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ["dynamodb", "s3", "sqs", "sns", "sts", "iam", "lambda", "kms", "secretsmanager", "ssm"]
CHANGES_PER_CALL = 6


def load(name):
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


serializing = load("recognize-all")


class Serializer:
    """What botocore would send for a call of `service`."""

    def __init__(self, service):
        self.client = serializing.client_for(botocore.session.get_session(), service, "local")
        self.sink = serializing.Sink()
        self.client.meta.events.register("before-send", self.sink)
        self.model = self.client.meta.service_model

    def line(self, operation, parameters):
        """The line for `debug recognize`; None when botocore itself refuses."""
        self.sink.request = None
        try:
            self.client._make_api_call(operation, copy.deepcopy(parameters))
        except (BotoCoreError, ClientError, TypeError, ValueError, AttributeError):
            pass
        except Exception:  # a reply without a body is more than some parsers take
            pass
        request = self.sink.request
        if request is None:
            return None
        return serializing.line_of("", request.method, request.url, request.headers.items(), serializing.body_of(request))


def recognized(lines):
    """The answers to `lines`, in order."""
    text = "".join(json.dumps({**line, "id": str(number)}) + "\n" for number, line in enumerate(lines))
    done = subprocess.run(
        [binary(), "debug", "recognize", "--jsonl", "--account", "111122223333", "--region", "us-east-1"],
        input=text, capture_output=True, text=True, check=True)
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    return answers


# What stands for the same call.


def body_of(line):
    return base64.b64decode(line["body_b64"])


def with_body(line, body):
    headers = [h for h in line["headers"] if h[0].lower() != "content-length"] + [["Content-Length", str(len(body))]]
    return {**line, "headers": headers, "body_b64": base64.b64encode(body).decode()}


def turned(value):
    """The members of every object in reverse."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(element) for element in value] if isinstance(value, list) else value


def rewritten(line, rng):
    """`line` in other words: another order, other blanks, another signature, other noise."""
    made = copy.deepcopy(line)
    kind = next((value for name, value in line["headers"] if name.lower() == "content-type"), "")
    body = body_of(line)
    if "json" in kind and body:
        try:
            made = with_body(made, json.dumps(turned(json.loads(body)), indent=rng.choice([None, 1, "\t"])).encode())
        except ValueError:
            pass  # object data that calls itself JSON
    elif "form-urlencoded" in kind:
        made = with_body(made, "&".join(reversed(body.decode().split("&"))).encode())
    parts = urlsplit(made["target"])
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if parts.query and len(set(names)) == len(names):
        made["target"] = parts.path + "?" + "&".join(reversed(parts.query.split("&")))
    fresh = {
        "user-agent": "other/2.0", "amz-sdk-invocation-id": str(rng.random()), "amz-sdk-request": "attempt=2; max=5",
        "x-amz-date": "20301231T235959Z", "x-amz-security-token": "task=other", "x-amz-user-agent": "js/1",
        "x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32",
        "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "accept": "*/*", "accept-encoding": "gzip",
    }
    headers = [[name.swapcase(), value] for name, value in made["headers"] if name.lower() not in fresh]
    headers += [[name, value] for name, value in fresh.items()]
    for header in headers:
        if header[0].lower() == "authorization":
            header[1] = header[1].replace("Signature=", "Signature=0")
    if body and rng.random() < 0.5:
        headers = [h for h in headers if h[0].lower() != "content-length"] + [["Transfer-Encoding", "chunked"]]
    rng.shuffle(headers)
    made["headers"] = headers
    return made


# What changes a call.


def places(value, shape, path=()):
    """The path of every leaf of `value` that decides, with its shape."""
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        for name, inner in value.items():
            member = shape.members[name]
            wire = member.serialization.get("name", "").lower()
            checksum = name.startswith("Checksum") or wire in ("content-md5", "content-length", "x-amz-sdk-checksum-algorithm")
            if not checksum and not member.metadata.get("idempotencyToken"):
                yield from places(inner, member, path + (name,))
    elif shape.type_name == "list" and isinstance(value, list):
        for index, element in enumerate(value):
            yield from places(element, shape.member, path + (index,))
        yield path, shape
    elif shape.type_name == "map" and isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, shape.value, path + (name,))
        yield path, shape
    elif path:
        yield path, shape


def other(value, shape, rng):
    """Another value of the same shape."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return next((choice for choice in shape.enum if choice != value), value + "2")
    if isinstance(value, bytes):
        return value + b"2"
    if isinstance(value, datetime.datetime):
        return value + datetime.timedelta(days=1)
    if isinstance(value, list):
        return value + value[:1] if value and rng.random() < 0.5 else value[:-1]
    return {name + "2": inner for name, inner in value.items()}


def changed(parameters, path, shape, rng):
    made = copy.deepcopy(parameters)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = other(holder[path[-1]], shape, rng)
    return made


def tokens(parameters, shape):
    """`parameters` with other idempotency tokens; None when there are none."""
    made, found = copy.deepcopy(parameters), False
    for name, member in (shape.members if shape else {}).items():
        if member.metadata.get("idempotencyToken"):
            made[name] = "another-token-of-36-characters-000000"
            found = True
    return made if found else None


@pytest.mark.parametrize("service", SERVICES)
def test_one_digest_a_meaning(service):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    rng = random.Random(f"{seed} {service}")
    serializer = Serializer(service)
    calls = []
    for operation in serializer.model.operation_names:
        shape = serializer.model.operation_model(operation).input_shape
        for everything in (True, False):
            parameters = serializing.value_for(shape, "", serializer.model, everything) if shape else {}
            line = serializer.line(operation, parameters or {})
            if line is not None:
                calls.append((operation, shape, parameters or {}, line))
    answers = recognized([call[3] for call in calls])
    read = [(*call, answer["digest"]) for call, answer in zip(calls, answers) if "digest" in answer]
    # Some calls with all parameters are none: SNS publishes to one target, not to three.
    assert len({call[0] for call in read}) >= 0.9 * len(serializer.model.operation_names)

    same, differing = [], []
    for operation, shape, parameters, line, digest in read:
        same += [(operation, digest, rewritten(line, rng)) for _ in range(2)]
        if (made := tokens(parameters, shape)) and (fresh := serializer.line(operation, made)):
            same.append((operation, digest, fresh))
        leaves = list(places(parameters, shape)) if shape else []
        for path, leaf in rng.sample(leaves, min(CHANGES_PER_CALL, len(leaves))):
            made = serializer.line(operation, changed(parameters, path, leaf, rng))
            # What botocore writes alike, such as a list that it leaves out when it is empty, is alike.
            if made and (body_of(made), made["target"], kept(made)) != (body_of(line), line["target"], kept(line)):
                differing.append((f"{operation} {path}", digest, made))
    for (operation, digest, line), answer in zip(same, recognized([line for _, _, line in same])):
        assert answer.get("digest") == digest, f"SEED={seed} {operation}: {line} {body_of(line)} {answer}"
    judged = 0
    for (what, digest, line), answer in zip(differing, recognized([line for _, _, line in differing])):
        if "digest" in answer:
            judged += 1
            assert answer["digest"] != digest, f"SEED={seed} {what}: {line['target']} {body_of(line)}"
    assert judged >= 0.5 * len(differing), f"SEED={seed}: {judged} of {len(differing)} changed calls could be read"
    print(f"{service}: {len(read)} calls, {len(same)} rewritten, {judged} changed")


def kept(line):
    """The fields that are no noise."""
    return sorted(h for h in line["headers"] if not h[0].lower().startswith(("authorization", "amz-sdk", "x-amz-date", "x-amz-content")))
