"""An agent that assumes a role, by boto3 and by a profile as Terraform does: with keys of the gate's own, and no other."""

import json
import subprocess
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from stand import ACCOUNT, clean_environment, tool
from sts import ROLE, STS
from test_downscope import BASE, READ, orders, standing  # noqa: F401
from test_held import KEY
from test_issued_keys import opened

DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"
NAMED = f"""\
Countersign: 1
Id: roles
Agents: ["*"]
Statement:
  - {{Sid: Deploy, Effect: Allow, Action: "sts:AssumeRole", Resource: "{DEPLOY}"}}
"""


@pytest.fixture
def stand(orders, moto, tmp_path):  # noqa: F811
    with standing(tmp_path, moto, STS(BASE, base_role=ROLE)) as stand:
        stand.reload(roles=NAMED)
        yield stand


def client(stand, keys, service):
    return boto3.session.Session().client(
        service, region_name="us-east-1", endpoint_url=stand.gate.url, aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1], aws_session_token=keys[2], config=Config(retries={"max_attempts": 0}))


def issued(stand):
    keys = opened(stand.gate)
    return keys, (keys.access_key, keys.secret_key, keys.token)


def assumed(stand, keys, **more):
    return client(stand, keys, "sts").assume_role(RoleArn=DEPLOY, RoleSessionName="terraform", **more)


def test_an_assumed_role_is_a_key_of_the_gate_that_signs_as_the_role(stand):
    stand.verifier.expect("read", times=1, **READ)
    session, keys = issued(stand)
    answer = assumed(stand, keys)
    found = answer["Credentials"]
    assert found["AccessKeyId"].startswith("CSAK") and found["AccessKeyId"] != session.access_key
    assert answer["AssumedRoleUser"]["Arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/support-7@{session.session}")
    second = (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    assert "Item" in client(stand, second, "dynamodb").get_item(TableName="journey-orders", Key=KEY)
    arrival = stand.verifier.seen("read")[0]
    assert stand.signed_by(arrival).role == DEPLOY
    asking, reading = stand.requests()
    assert asking["operation"] == "AssumeRole" and asking["downscope"]["why"] == "answered by Countersign, not sent"
    assert reading["key"] == found["AccessKeyId"] and reading["session"] == session.session
    assert [question["RoleArn"] for question in stand.sts.asked()] == [DEPLOY]
    written = b"".join(path.read_bytes() for path in stand.gate.log_files())
    assert found["SecretAccessKey"].encode() not in written and found["SessionToken"].encode() not in written


def test_a_profile_chains_to_the_role(stand, tmp_path):
    stand.verifier.expect("read", times=1, **READ)
    session, keys = issued(stand)
    config = tmp_path / "config"
    config.write_text(f"[profile deploy]\nrole_arn = {DEPLOY}\nsource_profile = issued\nregion = us-east-1\n"
                      f"[profile issued]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n"
                      f"aws_session_token = {keys[2]}\nregion = us-east-1\n")
    environment = clean_environment(tmp_path) | {
        "AWS_CONFIG_FILE": str(config), "AWS_ENDPOINT_URL": stand.gate.url, "AWS_PROFILE": "deploy"}
    done = subprocess.run([tool("aws"), "dynamodb", "get-item", "--table-name", "journey-orders", "--key",
                           json.dumps(KEY)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert stand.signed_by(stand.verifier.seen("read")[0]).role == DEPLOY
    assert {entry["session"] for entry in stand.requests()} == {session.session}


def test_the_new_key_ends_no_later_than_the_one_that_asked(stand):
    keys = opened(stand.gate, "short", "--duration", "15m")
    answer = assumed(stand, (keys.access_key, keys.secret_key, keys.token), DurationSeconds=3_600)
    left = answer["Credentials"]["Expiration"].timestamp() - time.time()
    assert 0 < left <= 900


@pytest.mark.parametrize("more", [{"Policy": "{}"}, {"ExternalId": "ext"}, {"SourceIdentity": "me"},
                                  {"Tags": [{"Key": "a", "Value": "b"}]}, {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/P"}]}])
def test_what_the_key_cannot_stand_for_is_refused(stand, more):
    _, keys = issued(stand)
    with pytest.raises(ClientError, match="AccessDenied"):
        assumed(stand, keys, **more)
    assert stand.requests() == [] and stand.sts.asked() == []


def test_another_role_is_denied_and_a_closed_session_ends_the_roles_keys(stand):
    session, keys = issued(stand)
    with pytest.raises(ClientError, match="no statement"):
        client(stand, keys, "sts").assume_role(RoleArn=DEPLOY + "2", RoleSessionName="x1")
    found = assumed(stand, keys)["Credentials"]
    stand.gate.run("session", "close", session.session, "--agent-socket", str(stand.gate.agents))
    second = (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    with pytest.raises(ClientError, match="SessionClosed"):
        client(stand, second, "dynamodb").get_item(TableName="journey-orders", Key=KEY)


def test_who_the_caller_is_is_answered_by_aws_under_the_agents_name(stand):
    stand.verifier.expect("who", times=1, operation="GetCallerIdentity")
    session, keys = issued(stand)
    assert client(stand, keys, "sts").get_caller_identity()["Account"] == ACCOUNT
    assert stand.signed_by(stand.verifier.seen("who")[0]).name == f"support-7@{session.session}"


@pytest.mark.parametrize("service,operation,more", [
    ("ecr", "get_authorization_token", {}), ("codeartifact", "get_authorization_token", {"domain": "journey"})])
def test_tokens_of_registries_are_refused_and_it_is_said_why(stand, service, operation, more):
    everything = NAMED.replace("Id: roles", "Id: all").replace('"sts:AssumeRole"', '"*"').replace(f'"{DEPLOY}"', '"*"')
    stand.reload(everything=everything)
    _, keys = issued(stand)
    with pytest.raises(ClientError, match="good past the gate: a statement must name the action"):
        getattr(client(stand, keys, service), operation)(**more)
