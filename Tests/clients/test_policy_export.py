"""`countersign policy export --iam`: AWS's side of the policy, held by moto's IAM."""
import json
import subprocess
import urllib.request
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

import gate
import stand

ROOT = Path(__file__).resolve().parents[2]
POLICY = """
Countersign: 1
Id: lake
Agents: ["etl-*"]
Statement:
  - Sid: Read
    Effect: Allow
    Action: [s3:GetObject, s3:ListBucket, "sts:*"]
    Resource: "*"
    Condition: {StringLike: {countersign:Task: "T-*"}}
  - Sid: WritesAsk
    Effect: AllowWithApproval
    Action: s3:PutObject
    Resource: "arn:aws:s3:::lake/*"
    Approval: {Approvers: [operators]}
  - Sid: NeverSecret
    Effect: Deny
    Action: "s3:*"
    Resource: "arn:aws:s3:::lake/secret/*"
  - Sid: NotYou
    Effect: Deny
    Action: s3:ListBucket
    Resource: "*"
    Agents: [etl-1]
"""


def export(*arguments):
    return subprocess.run([gate.binary(), "policy", "export", *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path):
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "lake.yaml").write_text(POLICY)
    (policies / "approvers.yaml").write_text((ROOT / "policies" / "approvers.yaml").read_text())
    return policies


@pytest.fixture
def role(tmp_path):
    """A moto of its own, whose IAM judges every call from `enforce` on; makes sessions of a role with a policy."""
    moto = stand.Moto(tmp_path)
    yield moto
    moto.process.stop()


def enforce(moto):
    request = urllib.request.Request(moto.url + "/moto-api/reset-auth", data=b"0", method="POST", headers={"Content-Type": "text/plain"})
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).read()


def session(moto, document):
    """The keys of a role whose boundary, and whose permissions, are `document`: moto keeps boundaries and judges by permissions."""
    iam, trust = moto.client("iam"), {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    role = iam.create_role(RoleName="countersign", AssumeRolePolicyDocument=json.dumps(trust), PermissionsBoundary=arn)["Role"]
    iam.attach_role_policy(RoleName="countersign", PolicyArn=arn)
    keys = moto.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="gate")["Credentials"]
    return boto3.client("s3", region_name="us-east-1", endpoint_url=moto.url, aws_access_key_id=keys["AccessKeyId"],
                        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"],
                        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))


def test_a_role_held_by_the_export_can_what_the_set_can_and_no_more(role, folder):
    run = export(folder, "--iam")
    assert run.returncode == 0, run.stderr
    setup = role.client("s3")
    setup.create_bucket(Bucket="lake")
    for key in ["a", "secret/b"]:
        setup.put_object(Bucket="lake", Key=key, Body=b"x")
    s3 = session(role, run.stdout)
    enforce(role)
    # What asks is allowed, and what only some agents are denied is not denied.
    assert s3.get_object(Bucket="lake", Key="a")["Body"].read() == b"x"
    s3.put_object(Bucket="lake", Key="new", Body=b"y")
    assert s3.list_objects_v2(Bucket="lake")["KeyCount"] == 3
    for refused in [lambda: s3.get_object(Bucket="lake", Key="secret/b"), lambda: s3.delete_object(Bucket="lake", Key="a"),
                    lambda: s3.put_object(Bucket="lake", Key="secret/c", Body=b"z")]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            refused()
        assert error.value.response["Error"]["Code"] == "AccessDenied"


def test_the_shipped_policies_fit_a_managed_policy():
    run = export(ROOT / "policies", "--iam")
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["Version"] == "2012-10-17" and {s["Effect"] for s in document["Statement"]} == {"Allow", "Deny"}
    assert "of 6144 characters (managed)" in run.stderr
    told = json.loads(export(ROOT / "policies", "--iam", "--json").stdout)
    assert told["fits"] and told["policies"] == [document] and told["size"] == len(json.dumps(document, separators=(",", ":")))


def test_too_large_is_one_and_says_by_how_much(folder):
    statements = "".join(f'  - {{Sid: S{n}, Effect: Allow, Action: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:111122223333:queue-number-{n}"}}\n' for n in range(300))
    (folder / "many.yaml").write_text('Countersign: 1\nId: many\nAgents: ["*"]\nStatement:\n' + statements)
    run = export(folder, "--iam")
    assert run.returncode == 1 and "too many; try --compact or --split" in run.stderr
    split = export(folder, "--iam", "--limit", "inline", "--split")
    assert split.returncode == 0


def test_what_cannot_be_read_is_two(tmp_path, folder):
    assert export(tmp_path / "nowhere", "--iam").returncode == 2
    assert export(folder).returncode == 2
