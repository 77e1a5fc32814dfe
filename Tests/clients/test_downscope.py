"""Calls go with credentials that AWS itself limits: to the agent's statements, or to what a human approved.

The stand-in STS (sts.py) hands out the sessions and judges what was asked of it; the verifier sees which key signed.
"""

import contextlib
import json
import re
import threading
import time
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import policies
from agents import Agent
from gate import Gate
from sigv4check import Keys
from stand import ACCOUNT, Moto
from sts import ROLE, STS, Trust, allows
from test_held import CLI_DELETE, DELETE, KEY, TABLE
from verifier import Verifier

# A session of the gateway's role, as an instance has it.
BASE = Keys("ASIAGATEWAYROLE00001", "canary/secret+of/the+role/Zk3v9Qw1Xy7Rt5", "canary-token-of-the-role")
ORDERS = policies.table("journey-orders")
READ = {"service": "dynamodb", "operation": "GetItem"}
# The stand-in's own part of the entry that a session was asked for in.
NAME = re.compile(r"support-7@ses-[0-9A-Z]{8}\Z")


class Stand:
    """Gate, verifier and STS of one journey."""

    def __init__(self, tmp_path, moto, sts: STS, *options: str):
        self.moto, self.sts = moto, sts
        self.verifier = Verifier(sts.keys_of, moto=moto.address)
        folder = tmp_path / "gate"
        folder.mkdir(mode=0o700, exist_ok=True)
        self.gate = Gate(folder, self.verifier.url, keys=sts.keys, options=options,
                         environment={"AWS_ENDPOINT_URL_STS": sts.url})
        self.gate.write_policies(**policies.FILES)
        self.agent = Agent(self.gate.url, tmp_path)

    def reload(self, **files: str) -> None:
        """Other policy files, in force when this returns."""
        said = self.gate.folder / "gate.txt"
        count = said.read_text().count("policies reloaded")
        self.gate.write_policies(**files)
        deadline = time.monotonic() + 20
        while said.read_text().count("policies reloaded") == count:
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.05)

    def signed_by(self, arrival):
        """The session that signed; None for the gateway's own keys."""
        return self.sts.session_of(arrival.access_key)

    def requests(self) -> list[dict]:
        return [e for e in self.gate.entries() if e["type"] == "request"]


@contextlib.contextmanager
def standing(tmp_path, moto, sts, *options):
    with sts:
        stand = Stand(tmp_path, moto, sts, *options)
        with stand.verifier:
            stand.gate.start()
            try:
                yield stand
            finally:
                stand.gate.stop()
            stand.verifier.assert_expected()
            assert not sts.violations, sts.violations
            secrets = [sts.keys.secret_key, sts.keys.session_token] + [
                part for s in sts.sessions for part in (s.keys.secret_key, s.keys.session_token)]
            for path in [stand.gate.folder / "gate.txt", *stand.gate.state.rglob("*")]:
                raw = path.read_bytes() if path.is_file() else b""
                assert not any(secret and secret.encode() in raw for secret in secrets), f"a secret is in {path}"


@pytest.fixture
def orders(moto):
    direct = moto.client("dynamodb")
    direct.create_table(**TABLE)
    direct.put_item(TableName="journey-orders", Item=KEY)
    return direct


def read(agent) -> dict:
    return agent.client("dynamodb").get_item(TableName="journey-orders", Key=KEY)


def test_a_read_goes_under_the_agents_name_with_what_its_statements_allow(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE)) as stand:
        stand.verifier.expect("read", least=3, most=3, **READ)
        stand.verifier.expect("put", times=1, service="s3", method="PUT")
        moto.client("s3").create_bucket(Bucket="journey-b")
        assert "Item" in read(stand.agent)
        assert "Item" in read(stand.agent)
        stand.agent.aws("dynamodb", "get-item", "--table-name", "journey-orders", "--key", json.dumps(KEY))
        stand.agent.client("s3").put_object(Bucket="journey-b", Key="k", Body=b"x")

        # One session for all calls of a service; what CloudTrail would show is the agent.
        assert len(stand.sts.sessions) == 2, [s.name for s in stand.sts.sessions]
        tables, objects = stand.sts.sessions
        for session in (tables, objects):
            assert NAME.match(session.name) and session.source_identity == "support-7"
            assert session.role == ROLE and session.tags["countersign:agent"] == "support-7"
            assert session.transitive == {"countersign:agent"} and "countersign:host" in session.tags
            assert "countersign:approval" not in session.tags and session.duration == 3600
        signers = {stand.signed_by(a).keys.access_key for a in stand.verifier.seen("read")}
        assert signers == {tables.keys.access_key}
        # AWS is told what the policy says, and of the other service nothing.
        assert allows(tables.policy, "dynamodb:GetItem", ORDERS)
        assert not allows(tables.policy, "dynamodb:GetItem", policies.table("others"))
        assert not allows(tables.policy, "dynamodb:DeleteItem", ORDERS), "that asks"
        assert not allows(tables.policy, "s3:GetObject", "arn:aws:s3:::journey-b/k")
        assert allows(objects.policy, "s3:PutObject", "arn:aws:s3:::journey-b/k")
        assert not allows(objects.policy, "s3:GetObject", "arn:aws:s3:::journey-b/secret/k"), "that asks"

        entry = stand.requests()[0]
        assert entry["access_key_id"] == tables.keys.access_key
        used = entry["downscope"]
        assert used["to"] == "statements" and used["role"] == ROLE and used["role_session"] == tables.name
        assert used["source_identity"] == "support-7" and used["session_policy"].startswith("sha256:")
        own = [e for e in stand.gate.entries() if e["type"] == "own-call" and e["operation"] == "AssumeRole"]
        assert len(own) == 2 and tables.policy in json.dumps(own).replace('\\\\\\"', '"').replace('\\"', '"')


def test_a_write_under_a_grant_goes_with_that_grants_pairs_alone(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE)) as stand:
        stand.verifier.expect("delete", times=2, **DELETE)
        for number in range(2):
            orders.put_item(TableName="journey-orders", Item=KEY)
            child = stand.agent.aws_started(*CLI_DELETE)
            approval = stand.gate.wait_inbox()[0]["id"]
            assert len(stand.sts.sessions) == number, "nothing is asked of STS before a human has answered"
            stand.gate.approve(approval)
            output, errors = child.communicate(timeout=30)
            assert child.returncode == 0, errors
            session = stand.sts.sessions[-1]
            assert session.tags["countersign:approval"] == approval and 900 <= session.duration <= 3600
            assert stand.signed_by(stand.verifier.seen("delete")[-1]) is session
            assert allows(session.policy, "dynamodb:DeleteItem", ORDERS)
            for action, resource in [("dynamodb:GetItem", ORDERS), ("dynamodb:PutItem", ORDERS),
                                     ("dynamodb:DeleteItem", policies.table("journey-other")),
                                     ("dynamodb:DeleteTable", ORDERS), ("kms:Decrypt", "*")]:
                assert not allows(session.policy, action, resource), action
            entry = stand.requests()[-1]
            assert entry["downscope"]["to"] == "grant" and entry["uses"][0]["approval"] == approval
            assert entry["downscope"]["session_policy"], entry
            told = stand.gate.run("log", "show", approval, "--state", str(stand.gate.state)).stdout
            assert f"{session.name}" in told, told
        # Never another grant's.
        assert len({s.keys.access_key for s in stand.sts.sessions}) == 2


@pytest.mark.parametrize("missing", ["assume", "tag", "source_identity"])
def test_a_role_that_may_not_be_assumed_stops_nothing_where_scoping_down_is_preferred(orders, moto, tmp_path, missing):
    sts = STS(BASE, base_role=ROLE, trust=Trust(**{missing: False}))
    with standing(tmp_path, moto, sts) as stand:
        stand.verifier.expect("read", times=5, **READ)
        for _ in range(5):
            assert "Item" in read(stand.agent)
        assert len(sts.refusals) == 1, "remembered, and not asked for every call"
        assert all(a.access_key == BASE.access_key for a in stand.verifier.seen("read"))
        said = (stand.gate.folder / "gate.txt").read_text()
        assert said.count("calls cannot be scoped down") == 1 and "is not authorized to perform" in said, said
        assert all(e["downscope"]["to"] == "none" and "AccessDenied" in e["downscope"]["why"]
                   for e in stand.requests())


def test_where_it_is_required_nothing_goes_without_and_all_comes_back(orders, moto, tmp_path):
    sts = STS(BASE, base_role=ROLE, faults=["ServiceUnavailable"])
    with standing(tmp_path, moto, sts, "--downscope", "require") as stand:
        stand.verifier.expect("read", times=1, **READ)
        with pytest.raises(ClientError) as refused:
            read(stand.agent)
        error = refused.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        assert "can do no more than this call needs" in error["Error"]["Message"], error
        assert "Nothing was sent" in error["Error"]["Message"]
        assert stand.verifier.seen() == [] and stand.requests() == []
        # Why is the operator's to know.
        fault = [e for e in stand.gate.entries() if e["type"] == "fault"][-1]
        assert "ServiceUnavailable" in fault["error"] and "sts" not in error["Error"]["Message"], fault
        # Without a restart.
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                assert "Item" in read(stand.agent)
                break
            except ClientError:
                time.sleep(1)
        assert stand.signed_by(stand.verifier.seen("read")[0]), "signed by a session"


def test_user_keys_without_a_role_go_on_and_ask_nobody(orders, moto, tmp_path):
    keys = Keys("AKIAGATEWAYUSER00001", "canary/secret+of/the+user/Zk3v9Qw1Xy7Rt5")
    with standing(tmp_path, moto, STS(keys)) as stand:
        stand.verifier.expect("read", times=2, **READ)
        read(stand.agent), read(stand.agent)
        assert stand.sts.questions == []
        assert [e["downscope"]["why"][:7] for e in stand.requests()] == ["no role"] * 2


def test_user_keys_assume_the_role_that_they_are_told(orders, moto, tmp_path):
    keys = Keys("AKIAGATEWAYUSER00001", "canary/secret+of/the+user/Zk3v9Qw1Xy7Rt5")
    with standing(tmp_path, moto, STS(keys), "--role", ROLE) as stand:
        stand.verifier.expect("read", times=1, **READ)
        read(stand.agent)
        assert stand.signed_by(stand.verifier.seen("read")[0]).role == ROLE


def test_off_signs_with_the_gateways_own(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE), "--downscope", "off") as stand:
        stand.verifier.expect("read", times=1, **READ)
        read(stand.agent)
        assert stand.sts.questions == [] and "downscope" not in stand.requests()[0]


# Twenty objects with names that nothing shortens.
LONG = [f"secret/{number:02}-" + "".join(chr(97 + (number * 7 + n * n) % 26) for n in range(150)) for number in range(20)]


@pytest.mark.parametrize("mode", ["prefer", "require"])
def test_what_no_session_policy_can_say_is_refused_or_recorded(moto, tmp_path, mode):
    moto.client("s3").create_bucket(Bucket="journey-b")
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE), "--downscope", mode) as stand:
        stand.verifier.expect("delete", least=0, most=1, service="s3", method="POST")
        answer = {}

        def delete():
            try:
                answer["ok"] = stand.agent.client("s3", read_timeout=60).delete_objects(
                    Bucket="journey-b", Delete={"Objects": [{"Key": key} for key in LONG]})
            except ClientError as error:
                answer["error"] = error.response

        stand.reload(asks=policies.ASKS.replace("Hold: 1s}", "Hold: 30s}"))
        thread = threading.Thread(target=delete)
        thread.start()
        approval = stand.gate.wait_inbox()[0]["id"]
        stand.gate.approve(approval)
        thread.join(60)
        if mode == "prefer":
            assert "ok" in answer, answer
            entry = stand.requests()[-1]
            assert entry["downscope"]["to"] == "none" and entry["downscope"]["why"].startswith("too large: "), entry
            # Who calls is told AWS all the same.
            assert stand.signed_by(stand.verifier.seen("delete")[0]).policy is None
            assert entry["downscope"]["source_identity"] == "support-7"
        else:
            assert answer["error"]["ResponseMetadata"]["HTTPStatusCode"] == 403, answer
            assert "--downscope require" in answer["error"]["Error"]["Message"], answer
            assert "of 2048 characters" in answer["error"]["Error"]["Message"], answer
            assert stand.requests() == [] and stand.verifier.seen() == []
            # What was not sent used nothing up.
            grants = stand.gate.control_json("grants")["grants"]
            assert [(g["uses"], g["state"]) for g in grants] == [(0, "active")], grants


def test_a_policy_that_is_too_large_when_packed_is_made_smaller_never_wider(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE, faults=["", "PackedPolicyTooLarge"])) as stand:
        stand.verifier.expect("read", times=1, **READ)
        read(stand.agent)
        asked = stand.sts.asked()
        assert len(asked) == 2 and len(asked[1]["Policy"]) <= len(asked[0]["Policy"])
        assert not allows(asked[1]["Policy"], "dynamodb:DeleteItem", ORDERS)
        for action in ["GetItem", "PutItem", "Query", "DescribeTable"]:
            assert allows(asked[1]["Policy"], "dynamodb:" + action, ORDERS)
        assert stand.requests()[0]["downscope"]["to"] == "statements"


def test_a_slow_sts_is_asked_once_by_all_and_whoever_leaves_sends_nothing(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE, faults=["", "slow 4"])) as stand:
        stand.verifier.expect("read", times=4, **READ)
        impatient = stand.agent.client("dynamodb", read_timeout=1, retries={"total_max_attempts": 1})
        with pytest.raises(Exception, match="[Tt]ime"):
            impatient.get_item(TableName="journey-orders", Key=KEY)
        threads = [threading.Thread(target=read, args=(stand.agent,)) for _ in range(4)]
        began = time.monotonic()
        [t.start() for t in threads]
        [t.join(30) for t in threads]
        assert time.monotonic() - began < 15
        assert len(stand.sts.asked()) == 1 and len(stand.requests()) == 4


def test_a_session_that_aws_ends_is_had_anew(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE)) as stand:
        stand.verifier.expect("read", times=3, **READ)
        read(stand.agent)
        body = b'{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"ended"}'
        stand.verifier.fault("raw", data=b"HTTP/1.1 400 Bad Request\r\nx-amzn-RequestId: r\r\nContent-Type: "
                             b"application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        with pytest.raises(ClientError) as refused:
            stand.agent.client("dynamodb", retries={"total_max_attempts": 1}).get_item(
                TableName="journey-orders", Key=KEY)
        assert "canary" not in str(refused.value.response)
        assert "Item" in read(stand.agent)
        keys = [a.access_key for a in stand.verifier.seen("read")]
        assert keys[0] == keys[1] != keys[2], keys


def test_a_session_near_its_end_is_renewed_beside_the_calls(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE, lifetime=70)) as stand:
        stand.verifier.expect("read", least=10, most=10, **READ)
        for _ in range(10):
            assert "Item" in read(stand.agent)
            time.sleep(0.1)
        assert len(stand.sts.sessions) > 1
        assert all(stand.signed_by(a) for a in stand.verifier.seen("read"))


def test_a_changed_policy_is_a_changed_session_and_an_unchanged_one_is_kept(orders, moto, tmp_path):
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE)) as stand:
        stand.verifier.expect("read", times=3, **READ)
        read(stand.agent)
        stand.reload(asks=policies.ASKS + "# the same to every agent\n")
        read(stand.agent)
        assert len(stand.sts.sessions) == 1
        stand.reload(journeys=policies.ALLOWS.replace("      - dynamodb:PutItem\n", ""))
        read(stand.agent)
        assert len(stand.sts.sessions) == 2
        assert not allows(stand.sts.sessions[1].policy, "dynamodb:PutItem", ORDERS)


# MARK: AWS enforces it too.


class EnforcingMoto:
    """moto with IAM on: each session is a role of its own whose one policy is the session policy.

    moto knows no session policies, and for S3 alone does it look at resources. It takes no signature over a
    `user-agent`, as the gate makes them, so IAM is on only while a test calls it with the session's own keys.
    """

    def __init__(self, moto: Moto):
        self.moto, self.count = moto, 0
        iam = moto.client("iam")
        iam.create_user(UserName="admin")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=json.dumps(everything))
        self.admin = iam.create_access_key(UserName="admin")["AccessKey"]

    def enforce(self, after) -> None:
        request = urllib.request.Request(self.moto.url + "/moto-api/reset-auth", data=str(after).encode(), method="POST",
                                         headers={"Content-Type": "text/plain"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).read()

    def client(self, service: str, keys: Keys | None = None):
        keys = keys or Keys(self.admin["AccessKeyId"], self.admin["SecretAccessKey"])
        return boto3.client(service, region_name="us-east-1", endpoint_url=self.moto.url,
                            aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key,
                            aws_session_token=keys.session_token, config=Config(s3={"addressing_style": "path"}))

    def session(self, policy: str | None) -> Keys:
        self.count += 1
        name = f"session-{self.count}"
        iam = self.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}))
        # What services do in the session's name is nothing that a test does: moto would take it for everybody's.
        statements = [s for s in json.loads(policy)["Statement"] if "ViaAWSService" not in json.dumps(s)]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="session",
                                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        got = self.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="session")
        got = got["Credentials"]
        return Keys(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])


def test_aws_refuses_with_the_same_credentials_what_the_grant_did_not_cover(moto, tmp_path):
    direct = moto.client("s3")
    direct.create_bucket(Bucket="journey-b")
    for key in ("secret/k", "secret/other", "open"):
        direct.put_object(Bucket="journey-b", Key=key, Body=b"x")
    enforcing = EnforcingMoto(moto)
    try:
        with standing(tmp_path, moto, STS(BASE, base_role=ROLE, moto=enforcing)) as stand:
            stand.verifier.expect("delete", times=1, service="s3", method="DELETE")
            stand.verifier.expect("read", times=1, service="s3", method="GET")
            stand.reload(asks=policies.ASKS.replace("Hold: 1s}", "Hold: 30s}"))
            child = stand.agent.aws_started("s3api", "delete-object", "--bucket", "journey-b", "--key", "secret/k")
            stand.gate.approve(stand.gate.wait_inbox()[0]["id"])
            output, errors = child.communicate(timeout=30)
            assert child.returncode == 0, errors
            stand.agent.client("s3").get_object(Bucket="journey-b", Key="open")
            granted, standing_one = stand.sts.sessions
            enforcing.enforce(0)

            def refused(keys, call, **parameters):
                with pytest.raises(ClientError) as error:
                    getattr(enforcing.client("s3", keys), call)(Bucket="journey-b", **parameters)
                assert error.value.response["Error"]["Code"] == "AccessDenied", error.value.response

            # What a human approved, with the very credentials that the call was signed with.
            enforcing.client("s3", granted.keys).delete_object(Bucket="journey-b", Key="secret/k")
            refused(granted.keys, "delete_object", Key="secret/other")
            refused(granted.keys, "delete_object", Key="open")
            refused(granted.keys, "get_object", Key="secret/k")
            refused(granted.keys, "put_object", Key="secret/k", Body=b"y")
            refused(granted.keys, "list_objects_v2")
            # And the agent's statements, with those of its read.
            enforcing.client("s3", standing_one.keys).get_object(Bucket="journey-b", Key="open")
            refused(standing_one.keys, "get_object", Key="secret/other")
            refused(standing_one.keys, "delete_object", Key="open")
    finally:
        enforcing.enforce("inf")
