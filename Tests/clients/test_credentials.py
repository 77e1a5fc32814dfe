"""The gateway's own credentials: every way of AWS's chain, their renewal under traffic, and what happens when it fails.

Behind the gate is a moto that enforces IAM and checks every signature: keys of the wrong role, or a request signed
with anything else, are refused there.
"""

import contextlib
import hashlib
import http.client
import json
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import pytest

from gate import Gate
from metadata import Metadata, metadata_json
from sigv4check import Keys
from stand import ACCOUNT, Moto

ROLE = f"arn:aws:iam::{ACCOUNT}:role/gateway"
POLICY = """
Countersign: 1
Id: orders
Agents: ["support-7"]
Statement:
  - Sid: Read
    Effect: Allow
    Action: [s3:ListAllMyBuckets, s3:CreateBucket]
    Resource: "*"
"""
BASE = Keys("unused", "unused")


class Enforced:
    """moto with IAM enforced, a user who may assume the gateway's role and nothing else, and that role."""

    def __init__(self, moto: Moto):
        self.moto, self.url = moto, moto.url
        iam, self.sts = moto.client("iam"), moto.client("sts")
        self.trust = trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                                     "Principal": {"AWS": "*"}}]})
        iam.create_role(RoleName="gateway", AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName="gateway", PolicyName="p", PolicyDocument=statement("s3:*"))
        iam.create_user(UserName="base")
        iam.put_user_policy(UserName="base", PolicyName="p", PolicyDocument=statement("sts:AssumeRole"))
        key = iam.create_access_key(UserName="base")["AccessKey"]
        self.base = {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
        self.enforce()

    def enforce(self, on: bool = True) -> None:
        request = urllib.request.Request(self.url + "/moto-api/reset-auth", b"0" if on else b"1000000", method="POST",
                                         headers={"Content-Type": "text/plain"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).read()

    def role_keys(self, seconds: float = 3600) -> dict:
        """Fresh keys of the gateway's role, as a metadata service gives them, good for `seconds`."""
        self.enforce(False)
        keys = self.sts.assume_role(RoleArn=ROLE, RoleSessionName="metadata")["Credentials"]
        self.enforce()
        return {"AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"],
                "Token": keys["SessionToken"], "end": time.time() + seconds}


def statement(action: str) -> str:
    return json.dumps({"Version": "2012-10-17",
                       "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


@pytest.fixture
def aws(moto):
    yield (enforced := Enforced(moto))
    enforced.enforce(False)


@pytest.fixture
def metadata(aws):
    with Metadata(aws.role_keys()) as server:
        yield server


@contextlib.contextmanager
def gate(folder: Path, aws: Enforced, environment: dict, config: str = "", credentials: str = "",
         options: tuple[str, ...] = ()):
    """A gate without keys but those that `environment` and the two files lead to."""
    folder.mkdir(mode=0o700, exist_ok=True)
    aws_folder = folder / "home" / ".aws"
    aws_folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("config", config), ("credentials", credentials)):
        (aws_folder / name).write_text(text)
        (aws_folder / name).chmod(0o600)
    files = {"AWS_CONFIG_FILE": str(aws_folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(aws_folder / "credentials")}
    # The keys that were found sign themselves here; what is made of them is test_downscope.py's.
    running = Gate(folder, aws.url, keys=BASE, environment=files | environment,
                   options=(*options, "--downscope", "off"))
    keyless = running.environment
    def without_keys():
        named = keyless()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            if name not in environment:
                named.pop(name, None)
        return named
    running.environment = without_keys
    running.write_policies(orders=POLICY)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def list_buckets(running: Gate) -> tuple[int, str]:
    """One call through the gate, raw: its status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    try:
        connection.request("GET", "/_aws/s3/us-east-1/", headers={"Host": "127.0.0.1"})
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def assert_signs(running: Gate) -> dict:
    # Twice: the entry of the very first call does not know yet which key will sign.
    for _ in range(2):
        status, body = list_buckets(running)
        assert status == 200 and "ListAllMyBucketsResult" in body, (status, body, running.process.said())
    return [entry for entry in running.entries() if entry["type"] == "request"][-1]


def refused(folder: Path, aws: Enforced, environment: dict, **files) -> str:
    """What a gate says that does not start."""
    with pytest.raises(AssertionError) as caught, gate(folder, aws, environment, **files):
        pass
    return str(caught.value)


ON = {"AWS_EC2_METADATA_DISABLED": "false"}


# The ways.

def test_a_role_by_a_profile_by_keys(tmp_path, aws):
    credentials = f"[base]\naws_access_key_id = {aws.base['AccessKeyId']}\naws_secret_access_key = {aws.base['SecretAccessKey']}\n"
    config = f"[profile work]\nrole_arn = {ROLE}\nsource_profile = base\nrole_session_name = the-gate\n"
    with gate(tmp_path / "g", aws, {}, config, credentials, ("--profile", "work")) as running:
        entry = assert_signs(running)
        assert entry["access_key_id"].startswith("ASIA")
        own = [entry for entry in running.entries() if entry["type"] == "own-call"]
        assert [(one["operation"], one["access_key_id"]) for one in own] == [("AssumeRole", aws.base["AccessKeyId"])]
        assert own[0]["parameters"]["RoleSessionName"] == "the-gate"
        outcome = next(one for one in running.entries() if one["type"] == "outcome" and one["entry"] == own[0]["seq"])
        assert outcome["kind"] == "answered" and outcome["aws_request_id"]
        assert running.entries()[0]["type"] == "start"
        assert running.verify_log().returncode == 0


def test_the_user_alone_may_not(tmp_path, aws):
    """The neighbour: without the role the same keys are refused by IAM, so the test above proves the role."""
    environment = {"AWS_ACCESS_KEY_ID": aws.base["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": aws.base["SecretAccessKey"]}
    with gate(tmp_path / "g", aws, environment) as running:
        status, body = list_buckets(running)
        assert status == 403 and "AccessDenied" in body


def test_a_role_by_a_role(tmp_path, aws):
    aws.enforce(False)
    iam = aws.moto.client("iam")
    iam.create_role(RoleName="middle", AssumeRolePolicyDocument=aws.trust)
    iam.put_role_policy(RoleName="middle", PolicyName="p", PolicyDocument=statement("sts:AssumeRole"))
    aws.enforce()
    config = (f"[profile work]\nrole_arn = {ROLE}\nsource_profile = middle\n"
              f"[profile middle]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/middle\ncredential_source = Environment\n")
    environment = {"AWS_ACCESS_KEY_ID": aws.base["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": aws.base["SecretAccessKey"]}
    with gate(tmp_path / "g", aws, environment, config, options=("--profile", "work")) as running:
        assert_signs(running)
        own = [one["parameters"]["RoleArn"] for one in running.entries() if one["type"] == "own-call"]
        assert own == [f"arn:aws:iam::{ACCOUNT}:role/middle", ROLE]


@pytest.mark.parametrize("by", ["environment", "profile"])
def test_web_identity(tmp_path, aws, by):
    token = tmp_path / "token"
    token.write_text("header.canary-web-identity.signature")
    token.chmod(0o644)
    if by == "environment":
        environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": ROLE}
        config, options = "", ()
    else:
        environment, options = {}, ("--profile", "work")
        config = f"[profile work]\nrole_arn = {ROLE}\nweb_identity_token_file = {token}\n"
    # moto, when it enforces IAM, takes no call without a signature, not even this one.
    aws.enforce(False)
    with gate(tmp_path / "g", aws, environment, config, options=options) as running:
        aws.enforce()
        assert_signs(running)
        own = [one for one in running.entries() if one["type"] == "own-call"]
        assert own[0]["operation"] == "AssumeRoleWithWebIdentity" and "access_key_id" not in own[0]
        for path in [*running.log_files(), tmp_path / "g" / "gate.txt"]:
            assert b"canary-web-identity" not in path.read_bytes()


@pytest.mark.parametrize("legacy", [False, True])
def test_iam_identity_center(tmp_path, aws, metadata, legacy):
    start = "https://d-1.awsapps.example/start"
    config = (f"[profile work]\nsso_account_id = {ACCOUNT}\nsso_role_name = Gateway\n"
              + (f"sso_start_url = {start}\nsso_region = us-east-1\n" if legacy else
                 f"sso_session = corp\n[sso-session corp]\nsso_start_url = {start}\nsso_region = us-east-1\n"))
    metadata.sso_token = "canary-sso-token"
    cache = tmp_path / "g" / "home" / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (tmp_path / "g").chmod(0o700)
    name = hashlib.sha1((start if legacy else "corp").encode()).hexdigest()
    kept = cache / f"{name}.json"
    environment = {"AWS_ENDPOINT_URL_SSO": metadata.url}
    options = ("--profile", "work")

    def sign_in(hours: float, token: str = "canary-sso-token", mode: int = 0o600) -> None:
        end = time.strftime("%Y-%m-%dT%H:%M:%S" + ("UTC" if legacy else "Z"), time.gmtime(time.time() + hours * 3600))
        kept.write_text(json.dumps({"startUrl": start, "region": "us-east-1", "accessToken": token, "expiresAt": end}))
        kept.chmod(mode)

    assert "aws sso login --profile work" in refused(tmp_path / "g", aws, environment, config=config, options=options)
    sign_in(-1)
    said = refused(tmp_path / "g", aws, environment, config=config, options=options)
    assert "the sign-in is over; run `aws sso login --profile work`" in said
    sign_in(8, token="revoked")
    assert "the sign-in is over" in refused(tmp_path / "g", aws, environment, config=config, options=options)
    sign_in(8, mode=0o644)
    assert f"chmod 600 {kept}" in refused(tmp_path / "g", aws, environment, config=config, options=options)
    sign_in(8)
    with gate(tmp_path / "g", aws, environment, config, options=options) as running:
        assert_signs(running)
        own = [one for one in running.entries() if one["type"] == "own-call"][-1]
        assert own["operation"] == "GetRoleCredentials"
        for path in [*running.log_files(), tmp_path / "g" / "gate.txt"]:
            assert b"canary-sso-token" not in path.read_bytes()


@pytest.mark.parametrize("by", ["variable", "file", "none"])
def test_a_container(tmp_path, aws, metadata, by):
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{metadata.url}/ecs"}
    token = tmp_path / "token"
    if by != "none":
        metadata.authorization = "Bearer canary" if by == "variable" else "canary-pod-token"
    if by == "variable":
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = metadata.authorization
    if by == "file":
        token.write_text(metadata.authorization)
        environment |= {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "the file goes before this"}
    with gate(tmp_path / "g", aws, environment) as running:
        assert assert_signs(running)["access_key_id"] == metadata.keys["AccessKeyId"]


def test_an_instance_by_version_2_only(tmp_path, aws, metadata):
    environment = ON | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}
    with gate(tmp_path / "g", aws, environment) as running:
        assert assert_signs(running)["access_key_id"] == metadata.keys["AccessKeyId"]
    assert [(method, path) for method, path, _ in metadata.seen] == [
        ("PUT", "/latest/api/token"), ("GET", "/latest/meta-data/iam/security-credentials/"),
        ("GET", "/latest/meta-data/iam/security-credentials/gateway-role")]
    # A service that knows only version 1 is not asked in it.
    metadata.seen.clear()
    metadata.fault = lambda handler: handler.path == "/latest/api/token" and not handler.reply(403, b"")
    assert "status 403" in refused(tmp_path / "g", aws, environment)
    assert {path for _, path, _ in metadata.seen} == {"/latest/api/token"}


def test_a_process(tmp_path, aws):
    keys = aws.role_keys()
    answer = {"Version": 1, "AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"],
              "SessionToken": keys["Token"],
              "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(keys["end"]))}
    answer_file = tmp_path / "answer"
    answer_file.write_text(json.dumps(answer))
    # As aws_signing_helper of IAM Roles Anywhere is named in a profile.
    with gate(tmp_path / "g", aws, {}, f"[default]\ncredential_process = /bin/cat {answer_file}\n") as running:
        assert assert_signs(running)["access_key_id"] == keys["AccessKeyId"]


# Renewal, and its failures.

def slow(seconds: float):
    def fault(handler):
        time.sleep(seconds)
        return False
    return fault


def test_keys_that_end_under_traffic_are_renewed_and_outages_survived(tmp_path, aws, metadata):
    """Short-lived keys; calls all the time; the service slow, then gone, then back: no call is signed wrongly."""
    metadata.keys = aws.role_keys(8)
    first = metadata.keys["AccessKeyId"]
    environment = ON | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}
    with gate(tmp_path / "g", aws, environment) as running:
        assert assert_signs(running)["access_key_id"] == first
        # Due two seconds before the end; the service takes its time, and calls do not wait for it.
        metadata.keys = aws.role_keys(14)
        second = metadata.keys["AccessKeyId"]
        metadata.fault = slow(0.3)
        deadline, used = time.monotonic() + 20, {first}
        while second not in used and time.monotonic() < deadline:
            began = time.monotonic()
            used.add(assert_signs(running)["access_key_id"])
            assert time.monotonic() - began < 3
            time.sleep(0.2)
        assert used == {first, second}
        # Gone: what there is serves until it ends; then 503, and nothing reaches AWS.
        metadata.fault = lambda handler: not handler.reply(500, b"canary")
        deadline = time.monotonic() + 30
        while (answer := list_buckets(running))[0] == 200 and time.monotonic() < deadline:
            time.sleep(0.3)
        assert answer[0] == 503 and "no usable AWS credentials" in answer[1], answer
        assert metadata.url not in answer[1] and "canary" not in answer[1]
        sent = [one for one in running.entries() if one["type"] == "outcome" and one["kind"] == "answered"]
        assert all(one["status"] == 200 for one in sent), "AWS refused a signature"
        told = "the gateway's credentials are not renewed: the instance's metadata at"
        deadline = time.monotonic() + 15
        while told not in running.process.said() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert told in running.process.said(), running.process.said()
        # Back: without a restart.
        metadata.keys, metadata.fault = aws.role_keys(), None
        deadline = time.monotonic() + 30
        while (answer := list_buckets(running))[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.5)
        assert answer[0] == 200
        assert assert_signs(running)["access_key_id"] == metadata.keys["AccessKeyId"]


class Refusing:
    """STS that says no to everything."""

    def __init__(self):
        outer = self
        self.count = 0

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                outer.count += 1
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                assert form["Action"] == ["AssumeRole"]
                body = ('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
                        "<Code>AccessDenied</Code><Message>User base is not authorized to perform: sts:AssumeRole"
                        "</Message></Error><RequestId>1</RequestId></ErrorResponse>").encode()
                self.send_response(403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def test_sts_refuses(tmp_path, aws):
    sts = Refusing()
    try:
        config = f"[profile work]\nrole_arn = {ROLE}\ncredential_source = Environment\n"
        environment = {"AWS_ENDPOINT_URL_STS": sts.url, "AWS_ACCESS_KEY_ID": aws.base["AccessKeyId"],
                       "AWS_SECRET_ACCESS_KEY": aws.base["SecretAccessKey"]}
        said = refused(tmp_path / "g", aws, environment, config=config, options=("--profile", "work"))
        assert f"role {ROLE}: AWS answered AccessDenied: User base is not authorized" in said
        assert sts.count == 1
        entries = [json.loads(line) for line in (tmp_path / "g/state/log/000001.jsonl").read_text().splitlines()]
        assert [one["type"] for one in entries] == ["start", "own-call", "outcome", "fault", "stop"]
    finally:
        sts.stop()


def test_an_sts_that_is_the_gate_itself_is_refused(tmp_path, aws):
    said = refused(tmp_path / "g", aws, {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:8990/_aws/sts"})
    assert "AWS_ENDPOINT_URL_STS:" in said and "a host and perhaps a port" in said


# Hostile metadata.

HOSTILE = {
    "huge": lambda handler: not handler.reply(200, b"x" * 1_000_000),
    "redirect": lambda handler: not handler.reply(302, b"", {"Location": "http://127.0.0.1:1/"}),
    "no JSON": lambda handler: handler.path.endswith("-role") and not handler.reply(200, b"<html>canary</html>"),
    "a key with a line break": lambda handler: handler.path.endswith("-role") and not handler.reply(
        200, metadata_json({"AccessKeyId": "ASIA1\r\nx-evil: 1", "SecretAccessKey": "canary", "Token": "t",
                            "end": time.time() + 900})),
    "a token with a line break": lambda handler: handler.path == "/latest/api/token" and not handler.reply(
        200, b"a\r\nx-evil: 1"),
    "a role that climbs": lambda handler: handler.path.endswith("credentials/") and not handler.reply(200, b"a b"),
    "keys of ours": lambda handler: handler.path.endswith("-role") and not handler.reply(
        200, metadata_json({"AccessKeyId": "CSAKAAAA", "SecretAccessKey": "canary", "Token": "t",
                            "end": time.time() + 900})),
    "keys that have ended": lambda handler: handler.path.endswith("-role") and not handler.reply(
        200, metadata_json({"AccessKeyId": "ASIA1", "SecretAccessKey": "canary", "Token": "t",
                            "end": time.time() - 5})),
    "slow": slow(3),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_metadata_gives_no_credentials(tmp_path, aws, metadata, name):
    metadata.fault = HOSTILE[name]
    began = time.monotonic()
    said = refused(tmp_path / "g", aws, ON | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url})
    assert time.monotonic() - began < 10
    assert "canary" not in said and "x-evil" not in said, said
    # One line of ours says why.
    assert len([line for line in said.splitlines() if "metadata" in line or "ended at" in line]) == 1, said
